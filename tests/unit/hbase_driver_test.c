/* SPDX-License-Identifier: MIT */
/* hbase_driver_test.c - every outcome of HBase's driver in Python, against scripted bytes */
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#include "tests/lib/round.h"
#include "tests/lib/scripts.h"
#include "tests/lib/server.h"
#include "tests/lib/test.h"

#include "agent/base/buf.h"
#include "agent/base/clock.h"

#define PATIENCE_NS (10 * NS_PER_S)
#define SHORT_NS (500 * NS_PER_MS) /* a program does not start in milliseconds */
#define MESSAGE_MAX 256
#define REPLY 2
#define EXCEPTION 3

/* Bodies of answers: fields of a type and a number, then a zero byte. */
struct body {
	const char *name; /* that is answered; NULL: @p is said as it is */
	const char *p;
	size_t len;
	unsigned kind;
	unsigned sequence; /* 0: the right one */
};

#define BODY(name, bytes) \
	{ \
		name, bytes, sizeof(bytes) - 1, REPLY, 0 \
	}
#define TEXT(bytes) \
	{ \
		NULL, bytes, sizeof(bytes) - 1, 0, 0 \
	}
#define CELL(family, value) \
	"\x0b\0\1\0\0\0\1" family "\x0b\0\2\0\0\0\1v\x0b\0\3\0\0\0\1" value \
	"\x0a\0\4\0\0\0\0\0\0\0\7\0"
#define RESULT(row, cells) "\x0c\0\0\x0b\0\1\0\0\0\2" row "\x0f\0\2\x0c\0\0\0" cells "\2\0\3\0\0\0"
#define GOT(value) BODY("get", RESULT("k7", "\1" CELL("f", value)))
#define FIVE GOT("5")
#define NOTHING BODY("get", "\x0c\0\0\x0f\0\2\x0c\0\0\0\0\0\0")
#define DONE BODY("put", "\0")
#define IO_ERROR(name) BODY(name, "\x0c\0\1\x0b\0\1\0\0\0\3why\2\0\2\1\0\0")

static void add_be32(struct buf *b, uint32_t n)
{
	uint32_t be = htonl(n);

	buf_add(b, &be, sizeof be);
}

/* A frame: its length, version and kind, the name, the request's number, the body. */
static const char *say(const struct body *body, unsigned sequence, char out[MESSAGE_MAX])
{
	struct buf b = {0};

	memset(out, 0, MESSAGE_MAX);
	if (!body->p)
		return NULL;
	if (body->name) {
		add_be32(&b, (uint32_t)(12 + strlen(body->name) + body->len));
		add_be32(&b, 0x80010000 | body->kind);
		add_be32(&b, (uint32_t)strlen(body->name));
		buf_add(&b, body->name, strlen(body->name));
		add_be32(&b, body->sequence ? body->sequence : sequence);
	}
	buf_add(&b, body->p, body->len);
	assert_true(b.len < MESSAGE_MAX);
	memcpy(out, b.p, b.len);
	buf_fini(&b);
	return out;
}

/* A frame begins with zeros. */
static size_t length(const char *said)
{
	return said[0] ? strlen(said) : 4 + (size_t)(unsigned char)said[3];
}

static struct driver *dial(uint16_t port, const char *settings)
{
	static uint32_t local_be[3];
	const struct driver_target target = {
		.addr_be = local_be, .nodes = 3, .port = port, .settings = settings};
	struct driver *d;

	for (unsigned i = 0; i < 3; i++)
		local_be[i] = htonl(INADDR_LOOPBACK + i);
	d = scripts_driver("hbase")->open(&target);
	/* The program is there before the first request, so that this is no matter of its start. */
	d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	return d;
}

struct outcome {
	enum round_request what;
	struct body body;
	bool hang_up;
	enum history_type outcome;
	enum history_error error;
	uint64_t value;
	unsigned connections; /* after a second request: 2 if the first connection was given up */
};

static void assert_outcomes(const struct outcome *o, size_t n)
{
	static const struct body five = FIVE;

	for (size_t i = 0; i < n; i++, o++) {
		char text[2][MESSAGE_MAX];
		const struct play plays[] = {{say(&o->body, 1, text[0]), o->hang_up, i % 2},
			{say(&five, 2, text[1]), false, false}};
		struct server s = {.length = length};
		struct driver_result r;
		struct driver *d;

		server_start(&s, plays, 2);
		d = dial(s.port, "");
		r = round_ask(d, o->what, PATIENCE_NS);
		if (r.outcome != o->outcome || r.error != o->error || r.value != o->value)
			fail_msg("answer %zu: outcome %d error %s value %llu", i, r.outcome,
				history_error_names[r.error], (unsigned long long)r.value);
		r = round_ask(d, ROUND_READ, PATIENCE_NS);
		if (r.outcome != HISTORY_OK || r.value != 5 || s.connections != o->connections)
			fail_msg("answer %zu: then outcome %d, %u connections", i, r.outcome,
				s.connections);
		d->ops->close(d);
		server_stop(&s);
	}
}

static void hbase_driver__maps_every_answer_to_its_outcome(void **state)
{
	static const struct outcome outcomes[] = {
		{ROUND_READ, FIVE, false, HISTORY_OK, 0, 5, 1},
		{ROUND_READ, NOTHING, false, HISTORY_OK, 0, 0, 1},
		{ROUND_READ, IO_ERROR("get"), false, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{ROUND_WRITE, DONE, false, HISTORY_OK, 0, 0, 1},
		{ROUND_WRITE, IO_ERROR("put"), false, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 1},
		{ROUND_WRITE, {"put", "\0", 1, EXCEPTION, 0}, false, HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0, 1},
		{ROUND_CAS, BODY("checkAndPut", "\2\0\0\1\0"), false, HISTORY_OK, 0, 0, 1},
		{ROUND_CAS, BODY("checkAndPut", "\2\0\0\0\0"), false, HISTORY_OK, HISTORY_UNMET, 0,
			1},
		{ROUND_CREATE, BODY("checkAndPut", "\2\0\0\1\0"), false, HISTORY_OK, 0, 0, 1},
		{ROUND_CAS, IO_ERROR("checkAndPut"), false, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0,
			1},
	};

	(void)state;
	assert_outcomes(outcomes, sizeof outcomes / sizeof *outcomes);
}

static void hbase_driver__gives_up_a_connection_that_breaks_or_talks_nonsense(void **state)
{
	static const struct outcome outcomes[] = {
		{ROUND_READ, {0}, true, HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{ROUND_WRITE, {0}, true, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{ROUND_CAS, TEXT("hel"), true, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{ROUND_WRITE, TEXT("hello, world\r\n"), false, HISTORY_UNKNOWN, HISTORY_OTHER, 0,
			2},
		{ROUND_WRITE, {"put", "\0", 1, REPLY, 9}, false, HISTORY_UNKNOWN, HISTORY_OTHER, 0,
			2},
		{ROUND_WRITE, {"get", "\0", 1, REPLY, 0}, false, HISTORY_UNKNOWN, HISTORY_OTHER, 0,
			2},
		{ROUND_WRITE, {"put", "\0", 1, 1, 0}, false, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{ROUND_WRITE, BODY("put", "\0\0"), false, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{ROUND_WRITE, BODY("put", "\x0b\0\0\x7f\xff\xff\xff"), false, HISTORY_UNKNOWN,
			HISTORY_OTHER, 0, 2},
		{ROUND_CAS, BODY("checkAndPut", "\0"), false, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{ROUND_READ, BODY("get", "\0"), false, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{ROUND_READ, GOT("x"), false, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{ROUND_READ, BODY("get", RESULT("k8", "\1" CELL("f", "5"))), false, HISTORY_FAIL,
			HISTORY_OTHER, 0, 2},
		{ROUND_READ, BODY("get", RESULT("k7", "\1" CELL("g", "5"))), false, HISTORY_FAIL,
			HISTORY_OTHER, 0, 2},
		{ROUND_READ, BODY("get", RESULT("k7", "\2" CELL("f", "5") CELL("f", "5"))), false,
			HISTORY_FAIL, HISTORY_OTHER, 0, 2},
	};

	(void)state;
	assert_outcomes(outcomes, sizeof outcomes / sizeof *outcomes);
}

#define ASKED(bytes) assert_non_null(memmem(s.request, sizeof s.request, bytes, sizeof(bytes) - 1))

static void hbase_driver__asks_the_gateway(void **state)
{
	static const struct body bodies[] = {FIVE, DONE, BODY("checkAndPut", "\2\0\0\1\0")};
	char text[3][MESSAGE_MAX];
	const struct play plays[] = {{say(&bodies[0], 1, text[0]), 0, 0},
		{say(&bodies[1], 2, text[1]), 0, 0}, {say(&bodies[2], 3, text[2]), 0, 0}};
	struct server s = {.length = length};
	struct driver *d;

	(void)state;
	server_start(&s, plays, 3);
	d = dial(s.port, "reads=timeline");
	assert_int_equal(round_ask(d, ROUND_READ, PATIENCE_NS).value, 5);
	ASKED("\x80\1\0\1\0\0\0\3get\0\0\0\1\x0b\0\1\0\0\0\2kv\x0c\0\2\x0b\0\1\0\0\0\2k7");
	ASKED("\x08\0\x09\0\0\0\2\0\0");
	assert_int_equal(round_ask(d, ROUND_WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	ASKED("\x0f\0\2\x0c\0\0\0\1\x0b\0\1\0\0\0\1f\x0b\0\2\0\0\0\1v\x0b\0\3\0\0\0\2"
	      "42\0\0\0");
	assert_int_equal(round_ask(d, ROUND_CAS, PATIENCE_NS).outcome, HISTORY_OK);
	ASKED("\x0b\0\4\0\0\0\1v\x0b\0\5\0\0\0\2"
	      "41\x0c\0\6");
	assert_int_equal(s.connections, 1);
	d->ops->close(d);
	server_stop(&s);
}

static void hbase_driver__fails_before_it_sends_and_in_time(void **state)
{
	static const struct play silent = {NULL, false, false};
	struct server s = {.length = length};
	struct driver_result r;
	struct driver *d;

	(void)state;
	server_start(&s, &silent, 1);
	d = dial(s.port, "");
	r = round_ask(d, ROUND_WRITE, SHORT_NS);
	assert_int_equal(r.outcome, HISTORY_UNKNOWN);
	assert_int_equal(r.error, HISTORY_TIMEOUT);
	server_stop(&s);
	d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	r = round_ask(d, ROUND_WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_FAIL);
	assert_int_equal(r.error, HISTORY_CONNECT);
	d->ops->close(d);
}

#define LOCATION(host) \
	BODY("getRegionLocation", \
		"\x0c\0\0\x0c\0\1\x0b\0\1\0\0\0\x09" host "\x08\0\2\0\0\x3e\x94\0\0\0")

static void hbase_driver__says_who_has_the_region(void **state)
{
	static const struct body bodies[] = {LOCATION("127.0.0.2"), NOTHING, LOCATION("127.0.0.1"),
		NOTHING, LOCATION("127.0.0.9"), NOTHING, LOCATION("127.0.0.2"), IO_ERROR("get"),
		IO_ERROR("getRegionLocation")};
	static const struct driver_status wanted[] = {{true, false, 1, 0, "gateway"},
		{true, true, 0, 0, "region"}, {false, false, -1, 0, "gateway"},
		{false, false, -1, 0, "gateway"}, {false, false, -1, 0, "gateway"}};
	char text[sizeof bodies / sizeof *bodies][MESSAGE_MAX];
	struct play plays[sizeof bodies / sizeof *bodies];
	struct server s = {.length = length};
	struct driver_status said;
	struct driver *d;

	(void)state;
	for (unsigned i = 0; i < sizeof plays / sizeof *plays; i++)
		plays[i] = (struct play){say(&bodies[i], i + 1, text[i]), false, false};
	server_start(&s, plays, sizeof plays / sizeof *plays);
	d = dial(s.port, "");
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		assert_int_equal(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &said), 0);
		assert_int_equal(said.ready, wanted[i].ready);
		assert_int_equal(said.leads, wanted[i].leads);
		assert_int_equal(said.leader, wanted[i].leader);
		assert_string_equal(said.role, wanted[i].role);
	}
	d->ops->close(d);
	server_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hbase_driver__maps_every_answer_to_its_outcome),
		cmocka_unit_test(hbase_driver__gives_up_a_connection_that_breaks_or_talks_nonsense),
		cmocka_unit_test(hbase_driver__asks_the_gateway),
		cmocka_unit_test(hbase_driver__fails_before_it_sends_and_in_time),
		cmocka_unit_test(hbase_driver__says_who_has_the_region),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("hbase_driver", tests, NULL, scripts_remove);
}
