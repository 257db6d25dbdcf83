/* SPDX-License-Identifier: MIT */
/* etcd_driver_test.c - every outcome of the etcd driver, against a scripted HTTP server */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/http.h"
#include "tests/lib/need.h"
#include "tests/lib/server.h"
#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/load/drivers/driver.h"

#define PATIENCE_NS (5 * NS_PER_S)
#define SHORT_NS (60 * NS_PER_MS)
#define HUGE_BYTES (300u << 10) /* more than HTTP_BODY_MAX and HTTP_HEADERS_MAX */

#define HEADER "\"header\":{\"member_id\":\"8\",\"raft_term\":\"2\"}"
#define KV(key, value) "{" HEADER ",\"kvs\":[{\"key\":\"" key "\",\"value\":\"" value "\"}]}"
#define FIVE KV("azc=", "NQ==")
#define ERROR(code, text) "{\"error\":\"" text "\",\"message\":\"" text "\",\"code\":" #code "}"

static struct driver *dial_as(uint16_t port, const char *settings)
{
	static uint32_t local_be[3];
	const struct driver_target target = {
		.addr_be = local_be, .nodes = 3, .port = port, .settings = settings};

	for (unsigned i = 0; i < 3; i++)
		local_be[i] = htonl(INADDR_LOOPBACK + i);
	return need_driver("etcd")->open(&target);
}

static struct driver *dial(uint16_t port)
{
	return dial_as(port, "reads=linearizable");
}

enum request { READ, WRITE, CAS };

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
		d->ops->cas(d, 7, 41, 42, deadline_ns, &r);
	return r;
}

struct outcome {
	enum request what;
	unsigned status; /* 0: body is all that the server says, NULL nothing */
	const char *body;
	enum history_type outcome;
	enum history_error error;
	uint64_t value;
	bool hang_up;
	unsigned connections; /* after a second request: 2 if the first connection was given up */
};

/* The same answer in one piece and in crumbs; then one more request shows the connection's fate. */
static void assert_outcome(const struct outcome *o)
{
	for (int crumbs = 0; crumbs < 2; crumbs++) {
		char first[HTTP_ANSWER_MAX], second[HTTP_ANSWER_MAX];
		const char *said = o->status ? http_answer(o->status, o->body, first) : o->body;
		const struct play plays[2] = {
			{said, o->hang_up, crumbs}, {http_answer(200, FIVE, second), false, false}};
		struct server s = {.whole = http_whole};
		struct driver_result r;
		struct driver *d;

		server_start(&s, plays, 2);
		d = dial(s.port);
		r = ask(d, o->what, o->error == HISTORY_TIMEOUT ? SHORT_NS : PATIENCE_NS);
		if (r.outcome != o->outcome || r.error != o->error || r.value != o->value)
			fail_msg("request %d, answer %u '%.200s': outcome %d error %s value %llu",
				o->what, o->status, o->body ? o->body : "", r.outcome,
				history_error_names[r.error], (unsigned long long)r.value);
		r = ask(d, READ, PATIENCE_NS);
		assert_int_equal(r.outcome, HISTORY_OK);
		assert_int_equal(r.value, 5);
		if (s.connections != o->connections)
			fail_msg("request %d, answer %u '%.200s': %u connections", o->what,
				o->status, o->body ? o->body : "", s.connections);
		d->ops->close(d);
		server_stop(&s);
	}
}

#define ASSERT_OUTCOMES(table) \
	for (size_t i = 0; i < sizeof(table) / sizeof *(table); i++) \
	assert_outcome(&(table)[i])

static void etcd_driver__takes_what_a_member_answers(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, 200, KV("azc=", "NDI="), HISTORY_OK, HISTORY_NO_ERROR, 42, false, 1},
		{READ, 200, KV("azc=", "MTg0NDY3NDQwNzM3MDk1NTE2MTU="), HISTORY_OK,
			HISTORY_NO_ERROR, UINT64_MAX, false, 1},
		{READ, 200, "{" HEADER "}", HISTORY_OK, HISTORY_NO_ERROR, 0, false, 1},
		{WRITE, 200, "{" HEADER "}", HISTORY_OK, HISTORY_NO_ERROR, 0, false, 1},
		{CAS, 200, "{" HEADER ",\"succeeded\":true}", HISTORY_OK, HISTORY_NO_ERROR, 0,
			false, 1},
		{CAS, 200, "{" HEADER "}", HISTORY_OK, HISTORY_UNMET, 0, false, 1},
		{CAS, 200, "{" HEADER ",\"succeeded\":false}", HISTORY_OK, HISTORY_UNMET, 0, false,
			1},
		/* It says that it closes: the next request goes another way. */
		{WRITE, 0,
			"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
			"{" HEADER "}",
			HISTORY_OK, HISTORY_NO_ERROR, 0, true, 2},
	};

	(void)state;
	ASSERT_OUTCOMES(outcomes);
}

static void etcd_driver__fails_only_what_was_surely_not_proposed(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, 503, ERROR(14, "etcdserver: leader changed"), HISTORY_FAIL, HISTORY_REFUSED,
			0, false, 1},
		{READ, 503, ERROR(14, "etcdserver: request timed out"), HISTORY_FAIL,
			HISTORY_REFUSED, 0, false, 1},
		{WRITE, 400, ERROR(3, "etcdserver: key is not provided"), HISTORY_FAIL,
			HISTORY_REFUSED, 0, false, 1},
		{WRITE, 503, ERROR(14, "etcdserver: no leader"), HISTORY_FAIL, HISTORY_REFUSED, 0,
			false, 1},
		{WRITE, 429, ERROR(8, "etcdserver: too many requests"), HISTORY_FAIL,
			HISTORY_REFUSED, 0, false, 1},
		{WRITE, 500, ERROR(2, "raft proposal dropped"), HISTORY_FAIL, HISTORY_REFUSED, 0,
			false, 1},
		{WRITE, 503, ERROR(14, "etcdserver: request timed out"), HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0, false, 1},
		{WRITE, 503,
			ERROR(14, "etcdserver: request timed out, possibly due to previous leader "
				  "failure"),
			HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, false, 1},
		{WRITE, 503, ERROR(14, "etcdserver: leader changed"), HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0, false, 1},
		{WRITE, 503, ERROR(14, "etcdserver: no leader yet"), HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0, false, 1},
		{WRITE, 503, ERROR(14, "etcdserver: server stopped"), HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0, false, 1},
		{WRITE, 429, ERROR(8, "etcdserver: mvcc: database space exceeded"), HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0, false, 1},
		{WRITE, 503, ERROR(14, "transport is closing"), HISTORY_UNKNOWN, HISTORY_UNCERTAIN,
			0, false, 1},
		{CAS, 408, ERROR(1, "context canceled"), HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0,
			false, 1},
		/* An error without words or without a code is none of etcd's. */
		{WRITE, 502, "{\"code\":3}", HISTORY_UNKNOWN, HISTORY_OTHER, 0, false, 1},
		{WRITE, 500, "{\"message\":\"etcdserver: no leader\"}", HISTORY_UNKNOWN,
			HISTORY_OTHER, 0, false, 1},
		{WRITE, 502, "[]", HISTORY_UNKNOWN, HISTORY_OTHER, 0, false, 1},
		{WRITE, 404, "404 page not found\n", HISTORY_UNKNOWN, HISTORY_OTHER, 0, false, 2},
		{READ, 404, "404 page not found\n", HISTORY_FAIL, HISTORY_OTHER, 0, false, 2},
	};

	(void)state;
	ASSERT_OUTCOMES(outcomes);
}

static void etcd_driver__gives_up_a_connection_that_breaks_or_is_silent(void **state)
{
	static const char part[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{" HEADER;
	static const struct outcome outcomes[] = {
		{READ, 0, NULL, HISTORY_FAIL, HISTORY_CLOSED, 0, true, 2},
		{WRITE, 0, NULL, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, true, 2},
		{WRITE, 0, "HTTP/1.1 20", HISTORY_UNKNOWN, HISTORY_CLOSED, 0, true, 2},
		{WRITE, 0, part, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, true, 2},
		{CAS, 0, NULL, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, true, 2},
		{READ, 0, NULL, HISTORY_FAIL, HISTORY_TIMEOUT, 0, false, 2},
		{WRITE, 0, NULL, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, false, 2},
		{WRITE, 0, "HTTP/1.1 20", HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, false, 2},
		{WRITE, 0, part, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, false, 2},
		{CAS, 0, part, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, false, 2},
	};

	(void)state;
	ASSERT_OUTCOMES(outcomes);
}

static void etcd_driver__gives_up_a_connection_that_talks_nonsense(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, 200, "", HISTORY_FAIL, HISTORY_OTHER, 0, false, 2},
		{READ, 200, "hello", HISTORY_FAIL, HISTORY_OTHER, 0, false, 2},
		{READ, 200, "{}", HISTORY_FAIL, HISTORY_OTHER, 0, false, 2},
		{READ, 200, "{" HEADER, HISTORY_FAIL, HISTORY_OTHER, 0, false, 2},
		{READ, 200, "{" HEADER ",\"kvs\":7}", HISTORY_FAIL, HISTORY_OTHER, 0, false, 2},
		{READ, 200, "{" HEADER ",\"kvs\":[]}", HISTORY_FAIL, HISTORY_OTHER, 0, false, 2},
		{READ, 200, "{" HEADER ",\"kvs\":[{\"key\":\"azc=\"}]}", HISTORY_FAIL,
			HISTORY_OTHER, 0, false, 2},
		{READ, 200, KV("azg=", "NDI="), HISTORY_FAIL, HISTORY_OTHER, 0, false, 2},
		{READ, 200, KV("azc=", "eA=="), HISTORY_FAIL, HISTORY_OTHER, 0, false, 2},
		{READ, 200, KV("azc=", "NDI"), HISTORY_FAIL, HISTORY_OTHER, 0, false, 2},
		{READ, 200, KV("azc=", "N==="), HISTORY_FAIL, HISTORY_OTHER, 0, false, 2},
		{READ, 200, KV("azc=", "ND%="), HISTORY_FAIL, HISTORY_OTHER, 0, false, 2},
		{READ, 200, KV("azc=", "MTg0NDY3NDQwNzM3MDk1NTE2MTY="), HISTORY_FAIL, HISTORY_OTHER,
			0, false, 2},
		{READ, 200, KV("azc=", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw"), HISTORY_FAIL,
			HISTORY_OTHER, 0, false, 2},
		{WRITE, 200, "", HISTORY_UNKNOWN, HISTORY_OTHER, 0, false, 2},
		{WRITE, 200, "[]", HISTORY_UNKNOWN, HISTORY_OTHER, 0, false, 2},
		{WRITE, 200, "{\"header\":1}", HISTORY_UNKNOWN, HISTORY_OTHER, 0, false, 2},
		{CAS, 200, "{" HEADER ",\"succeeded\":1}", HISTORY_UNKNOWN, HISTORY_OTHER, 0, false,
			2},
		{WRITE, 0, "hello\r\n\r\n", HISTORY_UNKNOWN, HISTORY_OTHER, 0, true, 2},
		{WRITE, 0, "+OK\r\n", HISTORY_UNKNOWN, HISTORY_OTHER, 0, true, 2},
	};

	(void)state;
	ASSERT_OUTCOMES(outcomes);
}

static void etcd_driver__takes_no_more_than_it_has_room_for(void **state)
{
	static const char *const heads[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
		"HTTP/1.1 200 OK\r\nX: ",
	};
	char *huge = malloc(HUGE_BYTES + 1);

	(void)state;
	assert_non_null(huge);
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		const struct play play = {huge, false, false};
		struct server s = {.whole = http_whole};
		struct driver_result r;
		struct driver *d;

		memset(huge, ' ', HUGE_BYTES);
		memcpy(huge, heads[i], strlen(heads[i]));
		huge[HUGE_BYTES] = '\0';
		server_start(&s, &play, 1);
		d = dial(s.port);
		r = ask(d, WRITE, PATIENCE_NS);
		assert_int_equal(r.outcome, HISTORY_UNKNOWN);
		assert_int_equal(r.error, HISTORY_OTHER);
		d->ops->close(d);
		server_stop(&s);
	}
	free(huge);
}

/* libcurl itself would: a kept connection that ends without an answer is no error to it. */
static void etcd_driver__never_sends_a_request_twice(void **state)
{
	char five[HTTP_ANSWER_MAX], done[HTTP_ANSWER_MAX];
	const struct play plays[] = {{http_answer(200, FIVE, five), false, false},
		{NULL, true, false}, {http_answer(200, "{" HEADER "}", done), false, false}};
	struct server s = {.whole = http_whole};
	struct driver_result r;
	struct driver *d;

	(void)state;
	server_start(&s, plays, 3);
	d = dial(s.port);
	r = ask(d, READ, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_OK);
	r = ask(d, WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_UNKNOWN);
	assert_int_equal(r.error, HISTORY_CLOSED);
	assert_int_equal(s.connections, 1);
	r = ask(d, CAS, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_OK);
	assert_int_equal(s.connections, 2);
	assert_non_null(strstr(s.request, "/v3/kv/txn"));
	d->ops->close(d);
	server_stop(&s);
}

static void etcd_driver__asks_the_gateway(void **state)
{
	char none[HTTP_ANSWER_MAX];
	const struct play play = {http_answer(200, "{" HEADER "}", none), false, false};
	const struct play plays[] = {play, play, play, play};
	struct server s = {.whole = http_whole};
	struct driver_result r;
	struct driver *d;

	(void)state;
	/* Somebody's proxy is not asked. */
	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
	server_start(&s, plays, 4);
	d = dial(s.port);
	(void)ask(d, READ, PATIENCE_NS);
	assert_int_equal(strncmp(s.request, "POST /v3/kv/range HTTP/1.1\r\n", 28), 0);
	assert_string_equal(strstr(s.request, "\r\n\r\n") + 4, "{\"key\":\"azc=\"}");
	(void)ask(d, WRITE, PATIENCE_NS);
	assert_non_null(strstr(s.request, "POST /v3/kv/put HTTP/1.1\r\n"));
	assert_non_null(strstr(s.request, "{\"key\":\"azc=\",\"value\":\"NDI=\"}"));
	(void)ask(d, CAS, PATIENCE_NS);
	assert_string_equal(strstr(s.request, "\r\n\r\n") + 4,
		"{\"compare\":[{\"key\":\"azc=\",\"result\":\"EQUAL\",\"target\":\"VALUE\","
		"\"value\":\"NDE=\"}],"
		"\"success\":[{\"requestPut\":{\"key\":\"azc=\",\"value\":\"NDI=\"}}]}");
	d->ops->cas(d, 7, 0, 42, clock_now_ns() + PATIENCE_NS, &r);
	assert_non_null(strstr(s.request, "\"target\":\"VERSION\",\"version\":\"0\"}]"));
	d->ops->close(d);
	server_stop(&s);
	assert_int_equal(unsetenv("http_proxy"), 0);
}

static void etcd_driver__reads_as_it_is_told(void **state)
{
	char five[HTTP_ANSWER_MAX];
	const struct play play = {http_answer(200, FIVE, five), false, false};
	struct server s = {.whole = http_whole};
	struct driver *d;

	(void)state;
	server_start(&s, &play, 1);
	d = dial_as(s.port, "x=y reads=serializable");
	(void)ask(d, READ, PATIENCE_NS);
	assert_non_null(strstr(s.request, "{\"key\":\"azc=\",\"serializable\":true}"));
	d->ops->close(d);
	server_stop(&s);
}

static void etcd_driver__fails_where_nobody_listens(void **state)
{
	struct server s = {0};
	struct driver *d;
	uint16_t port;

	(void)state;
	server_start(&s, NULL, 0);
	port = s.port;
	server_stop(&s);
	d = dial(port);
	for (int what = READ; what <= CAS; what++) {
		struct driver_result r = ask(d, (enum request)what, PATIENCE_NS);

		assert_int_equal(r.outcome, HISTORY_FAIL);
		assert_int_equal(r.error, HISTORY_CONNECT);
	}
	d->ops->close(d);
}

static void etcd_driver__keeps_deadlines_of_milliseconds(void **state)
{
	static const struct play silent[] = {{NULL, false, false}};
	struct server s = {.whole = http_whole};
	struct driver_result r;
	struct driver *d;
	uint64_t begin, took;

	(void)state;
	server_start(&s, silent, 1);
	d = dial(s.port);
	d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	begin = clock_now_ns();
	r = ask(d, WRITE, SHORT_NS);
	took = clock_now_ns() - begin;
	assert_int_equal(r.error, HISTORY_TIMEOUT);
	assert_true(took >= SHORT_NS - NS_PER_MS);
	assert_true(took < NS_PER_S);
	/* No time at all: nothing is sent. */
	r = ask(d, WRITE, 0);
	assert_int_equal(r.outcome, HISTORY_FAIL);
	d->ops->close(d);
	server_stop(&s);
}

static void etcd_driver__notices_in_idle_time_that_the_connection_broke(void **state)
{
	char done[HTTP_ANSWER_MAX];
	const char *answer = http_answer(200, "{" HEADER "}", done);
	const struct play plays[] = {{answer, true, false}, {answer, false, false}};
	uint64_t until = clock_now_ns() + PATIENCE_NS;
	struct server s = {.whole = http_whole};
	struct driver_result r;
	struct driver *d;

	(void)state;
	server_start(&s, plays, 2);
	d = dial(s.port);
	r = ask(d, WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_OK);
	while (s.connections < 2 && clock_now_ns() < until)
		d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	r = ask(d, WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_OK);
	assert_int_equal(s.connections, 2);
	d->ops->close(d);
	server_stop(&s);
}

#define MEMBER(id, addr) "{\"ID\":\"" id "\",\"clientURLs\":[\"http://127.0.0." addr ":%u\"]}"

/* Asks a server that answers @said, and, if it is asked for them, three members with ids 7 to 9. */
static int status_of(const char *said, struct driver_status *ret)
{
	char first[HTTP_ANSWER_MAX], members[HTTP_ANSWER_MAX / 2], second[HTTP_ANSWER_MAX];
	struct play plays[2] = {
		{http_answer(200, said, first), false, false}, {second, false, false}};
	struct server s = {.whole = http_whole};
	struct driver *d;
	int status;

	server_start(&s, plays, 2);
	(void)snprintf(members, sizeof members,
		"{" HEADER
		",\"members\":[" MEMBER("9", "3") "," MEMBER("8", "1") "," MEMBER("7", "2") "]}",
		s.port, s.port, s.port);
	(void)http_answer(200, members, second);
	d = dial(s.port);
	status = d->ops->status(d, clock_now_ns() + PATIENCE_NS, ret);
	d->ops->close(d);
	server_stop(&s);
	return status;
}

static void etcd_driver__tells_members_by_their_addresses(void **state)
{
	struct driver_status r;

	(void)state;
	assert_int_equal(status_of("{" HEADER ",\"leader\":\"9\",\"raftTerm\":\"4\"}", &r), 0);
	assert_int_equal(r.leader, 2);
	assert_int_equal(r.term, 4);
	assert_true(r.ready && !r.leads);
	assert_string_equal(r.role, "follower");
	assert_int_equal(status_of("{" HEADER ",\"leader\":\"8\",\"raftTerm\":\"4\"}", &r), 0);
	assert_int_equal(r.leader, 0);
	assert_true(r.ready && r.leads);
	assert_string_equal(r.role, "leader");
	assert_int_equal(status_of("{" HEADER ",\"raftTerm\":\"5\"}", &r), 0);
	assert_int_equal(r.leader, -1);
	assert_true(!r.ready && !r.leads);
	/* A leader of another cluster. */
	assert_int_equal(status_of("{" HEADER ",\"leader\":\"6\"}", &r), 0);
	assert_int_equal(r.leader, -1);
	assert_int_equal(r.term, 0);
	assert_true(status_of("{\"header\":{}}", &r) < 0);
	assert_true(status_of("no", &r) < 0);
	assert_int_equal(r.leader, -1);
	assert_false(r.ready);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(etcd_driver__takes_what_a_member_answers),
		cmocka_unit_test(etcd_driver__fails_only_what_was_surely_not_proposed),
		cmocka_unit_test(etcd_driver__gives_up_a_connection_that_breaks_or_is_silent),
		cmocka_unit_test(etcd_driver__gives_up_a_connection_that_talks_nonsense),
		cmocka_unit_test(etcd_driver__takes_no_more_than_it_has_room_for),
		cmocka_unit_test(etcd_driver__never_sends_a_request_twice),
		cmocka_unit_test(etcd_driver__asks_the_gateway),
		cmocka_unit_test(etcd_driver__reads_as_it_is_told),
		cmocka_unit_test(etcd_driver__fails_where_nobody_listens),
		cmocka_unit_test(etcd_driver__keeps_deadlines_of_milliseconds),
		cmocka_unit_test(etcd_driver__notices_in_idle_time_that_the_connection_broke),
		cmocka_unit_test(etcd_driver__tells_members_by_their_addresses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
