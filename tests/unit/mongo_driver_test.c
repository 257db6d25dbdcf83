/* SPDX-License-Identifier: MIT */
/* mongo_driver_test.c - every outcome of the MongoDB driver, against a scripted server */
#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/need.h"
#include "tests/lib/server.h"
#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/load/drivers/driver.h"
#include "agent/load/plugins/bson.h"

#define PATIENCE_NS (5 * NS_PER_S)
#define SHORT_NS (60 * NS_PER_MS)
#define MESSAGE_MAX 1024

#define FIVE "{'cursor':{'firstBatch':[{'_id':'k7','v':'5'}],'id':0,'ns':'lab.kv'},'ok':1.0}"
#define PRIMARY "{'isWritablePrimary':true,'hosts':[],'ok':1.0}"
#define SECONDARY "{'isWritablePrimary':false,'secondary':true,'ok':1.0}"
#define ERROR(code) "{'ok':0.0,'errmsg':'why','code':" #code ",'codeName':'Name'}"

static void put_json(struct buf *b, const char *name, const json_t *j);

static void put_elements(struct buf *b, const char *name, const json_t *j)
{
	size_t at = bson_begin(b, json_is_array(j) ? BSON_ARRAY : BSON_DOCUMENT, name);
	const char *key;
	json_t *one;
	size_t i;

	json_array_foreach(j, i, one)
	{
		char number[24];

		(void)snprintf(number, sizeof number, "%zu", i);
		put_json(b, number, one);
	}
	json_object_foreach((json_t *)j, key, one)
	{
		put_json(b, key, one);
	}
	bson_end(b, at);
}

static void put_json(struct buf *b, const char *name, const json_t *j)
{
	double real = json_real_value(j);
	uint64_t bits;

	if (json_is_integer(j)) {
		bson_int(b, name, (int)json_integer_value(j));
	} else if (json_is_string(j)) {
		bson_text(b, name, json_string_value(j));
	} else if (json_is_object(j) || json_is_array(j)) {
		put_elements(b, name, j);
	} else {
		buf_u8(b, json_is_real(j) ? BSON_DOUBLE : BSON_BOOLEAN);
		buf_add(b, name, strlen(name) + 1);
		memcpy(&bits, &real, sizeof bits);
		if (json_is_real(j))
			buf_u64(b, bits);
		else
			buf_u8(b, json_is_true(j));
	}
}

/* The answer to request @id, of JSON with single quotes; what is no JSON stays what it is. */
static const char *answer(unsigned id, const char *text, char out[MESSAGE_MAX])
{
	struct buf b = {0};
	json_t *j;

	(void)snprintf(out, MESSAGE_MAX, "%s", text ? text : "");
	for (char *p = out; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	j = json_loads(out, 0, NULL);
	if (!j)
		return text ? out : NULL;
	buf_u32(&b, 0);
	buf_u32(&b, 77);
	buf_u32(&b, id);
	buf_u32(&b, 2013);
	buf_u32(&b, 0);
	buf_u8(&b, 0);
	put_elements(&b, NULL, j);
	bson_patch(&b, 0, b.len);
	assert_true(b.len < MESSAGE_MAX);
	memcpy(out, b.p, b.len);
	buf_fini(&b);
	json_decref(j);
	return out;
}

/* A message says so itself. */
static size_t length(const char *said)
{
	struct cursor c = cursor_over(said, 4);
	uint32_t n = cursor_u32(&c);

	return said[0] && n < MESSAGE_MAX ? n : strlen(said);
}

static struct driver *dial(uint16_t port, unsigned nodes, const char *settings)
{
	static uint32_t local_be[3];
	const struct driver_target target = {
		.addr_be = local_be, .nodes = nodes, .port = port, .settings = settings};

	for (unsigned i = 0; i < 3; i++)
		local_be[i] = htonl(INADDR_LOOPBACK + i);
	return need_driver("mongo")->open(&target);
}

enum request { READ, WRITE, CAS, CREATE };

static struct driver_result ask(struct driver *d, enum request what, uint64_t timeout_ns)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_ns;
	struct driver_result r;

	memset(&r, 0xff, sizeof r);
	if (what == READ)
		d->ops->read(d, 7, deadline_ns, &r);
	else if (what == WRITE)
		d->ops->write(d, 7, 42, deadline_ns, &r);
	else
		d->ops->cas(d, 7, what == CAS ? 41 : 0, 42, deadline_ns, &r);
	return r;
}

struct outcome {
	enum request what;
	const char *said; /* NULL: nothing */
	enum history_type outcome;
	enum history_error error;
	uint64_t value;
	bool hang_up;
	unsigned connections; /* after a second request: 2 if the first connection was given up */
	unsigned id;          /* that it says it answers, 0: the right one */
};

/* The same answer in one piece and in crumbs; then one more request shows the connection's fate. */
static void assert_outcome(const struct outcome *o)
{
	for (int crumbs = 0; crumbs < 2; crumbs++) {
		char text[4][MESSAGE_MAX];
		bool anew = o->connections == 2;
		const struct play plays[4] = {{answer(1, PRIMARY, text[0]), false, false},
			{answer(o->id ? o->id : 2, o->said, text[1]), o->hang_up, crumbs},
			{answer(3, anew ? PRIMARY : FIVE, text[2]), false, false},
			{answer(4, FIVE, text[3]), false, false}};
		struct server s = {.length = length};
		struct driver_result r;
		struct driver *d;

		server_start(&s, plays, anew ? 4 : 3);
		d = dial(s.port, 1, "w=majority");
		r = ask(d, o->what, o->error == HISTORY_TIMEOUT ? SHORT_NS : PATIENCE_NS);
		if (r.outcome != o->outcome || r.error != o->error || r.value != o->value)
			fail_msg("request %d, answer '%.200s': outcome %d error %s value %llu",
				o->what, o->said ? o->said : "", r.outcome,
				history_error_names[r.error], (unsigned long long)r.value);
		r = ask(d, READ, PATIENCE_NS);
		if (r.outcome != HISTORY_OK || r.value != 5 || s.connections != o->connections)
			fail_msg("request %d, answer '%.200s': then outcome %d, %u connections",
				o->what, o->said ? o->said : "", r.outcome, s.connections);
		d->ops->close(d);
		server_stop(&s);
	}
}

#define ASSERT_OUTCOMES(table) \
	for (size_t i = 0; i < sizeof(table) / sizeof *(table); i++) \
	assert_outcome(&(table)[i])

static void mongo_driver__takes_what_a_primary_answers(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, FIVE, HISTORY_OK, 0, 5, 0, 1, 0},
		{READ,
			"{'cursor':{'id':0,'firstBatch':[{'v':'18446744073709551615','_id':'k7'}]},"
			"'ok':1}",
			HISTORY_OK, 0, UINT64_MAX, 0, 1, 0},
		{READ, "{'cursor':{'firstBatch':[]},'ok':true}", HISTORY_OK, 0, 0, 0, 1, 0},
		{WRITE, "{'n':1,'nModified':1,'ok':1.0}", HISTORY_OK, 0, 0, 0, 1, 0},
		{WRITE, "{'n':1,'writeErrors':[],'ok':1.0}", HISTORY_OK, 0, 0, 0, 1, 0},
		{CAS, "{'n':1,'nModified':1,'ok':1.0}", HISTORY_OK, 0, 0, 0, 1, 0},
		{CAS, "{'n':0,'nModified':0,'ok':1.0}", HISTORY_OK, HISTORY_UNMET, 0, 0, 1, 0},
		{CREATE, "{'n':1,'ok':1.0}", HISTORY_OK, 0, 0, 0, 1, 0},
		{CREATE, "{'n':0,'writeErrors':[{'index':0,'code':11000}],'ok':1.0}", HISTORY_OK,
			HISTORY_UNMET, 0, 0, 1, 0},
	};

	(void)state;
	ASSERT_OUTCOMES(outcomes);
}

static void mongo_driver__fails_only_what_surely_had_no_effect(void **state)
{
	static const char unconfirmed[] = "{'n':1,'writeConcernError':{'code':64},'ok':1.0}";
	static const struct outcome outcomes[] = {
		{READ, ERROR(50), HISTORY_FAIL, HISTORY_REFUSED, 0, 0, 1, 0},
		{READ, ERROR(13435), HISTORY_FAIL, HISTORY_REFUSED, 0, 0, 2, 0},
		{WRITE, ERROR(10107), HISTORY_FAIL, HISTORY_REFUSED, 0, 0, 2, 0},
		{WRITE, ERROR(112), HISTORY_FAIL, HISTORY_REFUSED, 0, 0, 1, 0},
		{WRITE, "{'n':0,'writeErrors':[{'index':0,'code':11000}],'ok':1.0}", HISTORY_FAIL,
			HISTORY_REFUSED, 0, 0, 1, 0},
		{WRITE, "{'n':0,'writeErrors':[{'index':0,'code':10107}],'ok':1.0}", HISTORY_FAIL,
			HISTORY_REFUSED, 0, 0, 2, 0},
		/* Nothing was changed, only what was seen is not sure to stay. */
		{CAS, "{'n':0,'writeConcernError':{'code':64},'ok':1.0}", HISTORY_FAIL,
			HISTORY_UNCERTAIN, 0, 0, 1, 0},
		{WRITE, unconfirmed, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 0, 1, 0},
		{CAS, unconfirmed, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 0, 1, 0},
		{CREATE, unconfirmed, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 0, 1, 0},
		/* Stepped down, interrupted, shut down, out of time: when is not said. */
		{WRITE, ERROR(189), HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 0, 1, 0},
		{WRITE, ERROR(11602), HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 0, 1, 0},
		{WRITE, ERROR(91), HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 0, 1, 0},
		{CAS, ERROR(50), HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 0, 1, 0},
	};

	(void)state;
	ASSERT_OUTCOMES(outcomes);
}

static void mongo_driver__gives_up_a_connection_that_breaks_or_is_silent(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, NULL, HISTORY_FAIL, HISTORY_CLOSED, 0, 1, 2, 0},
		{WRITE, NULL, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 1, 2, 0},
		{CAS, NULL, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 1, 2, 0},
		{WRITE, "hello", HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 1, 2, 0},
		{READ, NULL, HISTORY_FAIL, HISTORY_TIMEOUT, 0, 0, 2, 0},
		{WRITE, NULL, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, 0, 2, 0},
		{WRITE, "hello", HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, 0, 2, 0},
	};

	(void)state;
	ASSERT_OUTCOMES(outcomes);
}

static void mongo_driver__gives_up_a_connection_that_talks_nonsense(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, FIVE, HISTORY_FAIL, HISTORY_OTHER, 0, 0, 2, 9}, /* another's */
		{WRITE, "{'n':1,'ok':1}", HISTORY_UNKNOWN, HISTORY_OTHER, 0, 0, 2, 9},
		{WRITE, "HTTP/1.1 200 OK\r\n\r\n", HISTORY_UNKNOWN, HISTORY_OTHER, 0, 0, 2, 0},
		{WRITE, "{}", HISTORY_UNKNOWN, HISTORY_OTHER, 0, 0, 2, 0},
		{WRITE, "{'ok':0}", HISTORY_UNKNOWN, HISTORY_OTHER, 0, 0, 2, 0},
		{WRITE, "{'ok':1}", HISTORY_UNKNOWN, HISTORY_OTHER, 0, 0, 2, 0},
		{WRITE, "{'n':0,'ok':1}", HISTORY_UNKNOWN, HISTORY_OTHER, 0, 0, 2, 0},
		{WRITE, "{'n':2,'ok':1}", HISTORY_UNKNOWN, HISTORY_OTHER, 0, 0, 2, 0},
		{WRITE, "{'n':1,'writeErrors':[{'code':1}],'ok':1}", HISTORY_UNKNOWN, HISTORY_OTHER,
			0, 0, 2, 0},
		{WRITE, "{'n':0,'writeErrors':[7],'ok':1}", HISTORY_UNKNOWN, HISTORY_OTHER, 0, 0, 2,
			0},
		{READ, "{'ok':1}", HISTORY_FAIL, HISTORY_OTHER, 0, 0, 2, 0},
		{READ, "{'cursor':{},'ok':1}", HISTORY_FAIL, HISTORY_OTHER, 0, 0, 2, 0},
		{READ, "{'cursor':{'firstBatch':[7]},'ok':1}", HISTORY_FAIL, HISTORY_OTHER, 0, 0, 2,
			0},
		{READ, "{'cursor':{'firstBatch':[{'_id':'k8','v':'5'}]},'ok':1}", HISTORY_FAIL,
			HISTORY_OTHER, 0, 0, 2, 0},
		{READ, "{'cursor':{'firstBatch':[{'_id':'k7','v':'x'}]},'ok':1}", HISTORY_FAIL,
			HISTORY_OTHER, 0, 0, 2, 0},
		{READ,
			"{'cursor':{'firstBatch':[{'_id':'k7','v':'5'},{'_id':'k7','v':'5'}]},"
			"'ok':1}",
			HISTORY_FAIL, HISTORY_OTHER, 0, 0, 2, 0},
	};

	(void)state;
	ASSERT_OUTCOMES(outcomes);
}

/* Its documents are bytes: whether the last request has these, with their name and type before. */
static bool asked(const struct server *s, const char *bytes, size_t n)
{
	return memmem(s->request, sizeof s->request, bytes, n) != NULL;
}

#define ASKED(bytes) asked(&s, bytes, sizeof(bytes) - 1)

static void mongo_driver__writes_as_it_is_told(void **state)
{
	char text[3][MESSAGE_MAX];
	const struct play plays[] = {{answer(1, PRIMARY, text[0]), false, false},
		{answer(2, "{'n':1,'ok':1.0}", text[1]), false, false},
		{answer(3, "{'n':1,'ok':1.0}", text[2]), false, false}};
	struct server s = {.length = length};
	struct driver_result r;
	struct driver *d;

	(void)state;
	server_start(&s, plays, 3);
	d = dial(s.port, 1, "w=1 journal=yes");
	r = ask(d, WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_OK);
	assert_true(ASKED("\x02update\0\3\0\0\0kv\0"));
	assert_true(ASKED("$set\0\x0f\0\0\0\x02v\0\3\0\0\0"
			  "42\0\0"));
	assert_true(ASKED("\x08upsert\0\1"));
	assert_true(ASKED("\x03writeConcern\0"));
	assert_true(ASKED("\x10w\0\1\0\0\0\x08j\0\1\x10wtimeout\0"));
	r = ask(d, CAS, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_OK);
	assert_true(ASKED("\x03q\0\x1b\0\0\0\x02_id\0\3\0\0\0k7\0\x02v\0\3\0\0\0"
			  "41\0\0"));
	assert_false(ASKED("upsert"));
	d->ops->close(d);
	server_stop(&s);
}

/* The nearest one is asked at once, whatever it is. */
static void mongo_driver__reads_as_it_is_told(void **state)
{
	char text[MESSAGE_MAX];
	const struct play play = {answer(1, FIVE, text), false, false};
	struct server s = {.length = length};
	struct driver *d;

	(void)state;
	server_start(&s, &play, 1);
	d = dial(s.port, 1, "readconcern=majority reads=nearest");
	assert_int_equal(ask(d, READ, PATIENCE_NS).value, 5);
	assert_true(ASKED("\x02"
			  "find\0\3\0\0\0kv\0"));
	assert_true(ASKED("\x02_id\0\3\0\0\0k7\0"));
	assert_true(ASKED("\x03readConcern\0\x19\0\0\0\x02level\0\x09\0\0\0majority\0\0"));
	assert_true(ASKED("$readPreference\0\x17\0\0\0\x02mode\0\x08\0\0\0nearest\0\0"));
	assert_true(ASKED("\x10maxTimeMS\0"));
	d->ops->close(d);
	server_stop(&s);
}

static void mongo_driver__waits_until_there_is_a_primary(void **state)
{
	char text[3][MESSAGE_MAX];
	const struct play plays[] = {{answer(1, SECONDARY, text[0]), false, false},
		{answer(2, PRIMARY, text[1]), false, false},
		{answer(3, FIVE, text[2]), false, false}};
	uint64_t until = clock_now_ns() + PATIENCE_NS;
	struct server s = {.length = length};
	struct driver_result r;
	struct driver *d;

	(void)state;
	server_start(&s, plays, 3);
	d = dial(s.port, 3, ""); /* the other two listen nowhere */
	r = ask(d, READ, SHORT_NS);
	assert_int_equal(r.outcome, HISTORY_FAIL);
	assert_int_equal(r.error, HISTORY_CONNECT);
	do
		r = ask(d, READ, PATIENCE_NS);
	while (r.outcome != HISTORY_OK && clock_now_ns() < until);
	assert_int_equal(r.value, 5);
	assert_int_equal(s.connections, 2);
	d->ops->close(d);
	server_stop(&s);
}

static void mongo_driver__fails_where_nobody_listens(void **state)
{
	static const char *const settings[] = {"reads=primary", "reads=nearest"};
	struct server s = {0};
	uint16_t port;

	(void)state;
	server_start(&s, NULL, 0);
	port = s.port;
	server_stop(&s);
	for (int i = 0; i < 2; i++) {
		struct driver *d = dial(port, 3, settings[i]);

		for (int what = READ; what <= CREATE; what++) {
			struct driver_result r = ask(d, (enum request)what, PATIENCE_NS);

			assert_int_equal(r.outcome, HISTORY_FAIL);
			assert_int_equal(r.error, HISTORY_CONNECT);
		}
		d->ops->close(d);
	}
}

static void mongo_driver__keeps_deadlines_of_milliseconds(void **state)
{
	char text[MESSAGE_MAX];
	const struct play plays[] = {
		{answer(1, PRIMARY, text), false, false}, {NULL, false, false}};
	struct server s = {.length = length};
	struct driver_result r;
	struct driver *d;
	uint64_t begin, took;

	(void)state;
	server_start(&s, plays, 2);
	d = dial(s.port, 1, "");
	d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	r = ask(d, WRITE, 0); /* no time at all: nothing is sent */
	assert_int_equal(r.outcome, HISTORY_FAIL);
	begin = clock_now_ns();
	r = ask(d, WRITE, SHORT_NS);
	took = clock_now_ns() - begin;
	assert_int_equal(r.outcome, HISTORY_UNKNOWN);
	assert_int_equal(r.error, HISTORY_TIMEOUT);
	assert_true(took >= SHORT_NS - NS_PER_MS && took < NS_PER_S);
	d->ops->close(d);
	server_stop(&s);
}

/* Asks a server that says @hello, with its own port for every %u, and then @more. */
static int status_of(const char *hello, const char *more, struct driver_status *ret)
{
	char said[MESSAGE_MAX], text[2][MESSAGE_MAX];
	struct play plays[2] = {{text[0], false, false}, {answer(2, more, text[1]), false, false}};
	struct server s = {.length = length};
	struct driver *d;
	int rc;

	server_start(&s, plays, 2);
	(void)snprintf(said, sizeof said,
		"{%s,'hosts':['127.0.0.1:%u','127.0.0.2:%u','127.0.0.3:%u'],"
		"'primary':'127.0.0.2:%u','ok':1.0}",
		hello, s.port, s.port, s.port, s.port);
	(void)answer(1, said, text[0]);
	d = dial(s.port, 3, "");
	rc = d->ops->status(d, clock_now_ns() + PATIENCE_NS, ret);
	d->ops->close(d);
	server_stop(&s);
	return rc;
}

static void mongo_driver__says_what_a_member_is(void **state)
{
	struct driver_status r;

	(void)state;
	assert_int_equal(status_of("'secondary':true", "{'term':4,'ok':1.0}", &r), 0);
	assert_true(r.ready && !r.leads);
	assert_int_equal(r.leader, 1);
	assert_int_equal(r.term, 4);
	assert_string_equal(r.role, "secondary");
	assert_int_equal(status_of("'isWritablePrimary':true", "{'term':5,'ok':1.0}", &r), 0);
	assert_true(r.ready && r.leads);
	assert_string_equal(r.role, "primary");
	/* Recovering, or not initiated. */
	assert_int_equal(status_of("'secondary':false", ERROR(94), &r), 0);
	assert_true(!r.ready && !r.leads);
	assert_int_equal(r.term, 0);
	assert_string_equal(r.role, "other");
	assert_true(status_of("'secondary':true},", "{}", &r) < 0);
}

static void bson__ends_where_its_bytes_do(void **state)
{
	static const char world[] = "\x16\0\0\0\x02hello\0\6\0\0\0world\0\0";
	struct bson_field f;
	struct cursor c, all;

	(void)state;
	all = cursor_over(world, sizeof world - 1);
	c = bson_take(&all);
	assert_true(!c.bad && all.left == 0);
	f = bson_find(c, "hello");
	assert_true(bson_text_is(&f, "world"));
	assert_int_equal(bson_find(c, "hell").type, 0);
	for (size_t i = 0; i < sizeof world - 1; i++) {
		char *part =
			malloc(i + 1); /* of its own, so that a sanitizer sees one step too far */

		memcpy(part, world, i);
		all = cursor_over(part, i);
		assert_true(bson_take(&all).bad);
		if (i > 4) {
			const char *name;

			c = cursor_over(part + 4, i - 4);
			while (bson_next(&c, &name, &f))
				;
			assert_true(c.bad == (i < 21));
		}
		free(part);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mongo_driver__takes_what_a_primary_answers),
		cmocka_unit_test(mongo_driver__fails_only_what_surely_had_no_effect),
		cmocka_unit_test(mongo_driver__gives_up_a_connection_that_breaks_or_is_silent),
		cmocka_unit_test(mongo_driver__gives_up_a_connection_that_talks_nonsense),
		cmocka_unit_test(mongo_driver__writes_as_it_is_told),
		cmocka_unit_test(mongo_driver__reads_as_it_is_told),
		cmocka_unit_test(mongo_driver__waits_until_there_is_a_primary),
		cmocka_unit_test(mongo_driver__fails_where_nobody_listens),
		cmocka_unit_test(mongo_driver__keeps_deadlines_of_milliseconds),
		cmocka_unit_test(mongo_driver__says_what_a_member_is),
		cmocka_unit_test(bson__ends_where_its_bytes_do),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mongo_driver", tests, NULL, NULL);
}
