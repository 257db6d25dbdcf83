/* SPDX-License-Identifier: MIT */
/* driver_test.c - every outcome of the RESP driver, against a scripted server on loopback */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/server.h"
#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/base/prng.h"
#include "agent/load/drivers/driver.h"
#include "agent/load/drivers/resp_answer.h"
#include "store/proto.h"

#define PATIENCE_NS (5 * NS_PER_S)
#define SHORT_NS (30 * NS_PER_MS)

static struct driver *dial(uint16_t port)
{
	static uint32_t local_be;
	static struct driver_target target = {.addr_be = &local_be, .nodes = 1, .settings = ""};

	local_be = htonl(INADDR_LOOPBACK);
	target.port = port;
	return resp_driver.open(&target);
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
	struct play play;
	enum history_type outcome;
	enum history_error error;
	uint64_t value;
	unsigned connections; /* after a second request: 2 if the first connection was given up */
};

/* The same answer in one piece and in crumbs; then one more request shows the connection's fate. */
static void assert_outcome(const struct outcome *o)
{
	for (int crumbs = 0; crumbs < 2; crumbs++) {
		struct play plays[2] = {o->play, {"$1\r\n5\r\n", false, false}};
		struct driver_result r;
		struct driver *d;
		struct server s = {0};

		plays[0].crumbs = crumbs;
		server_start(&s, plays, 2);
		d = dial(s.port);
		r = ask(d, o->what, o->error == HISTORY_TIMEOUT ? SHORT_NS : PATIENCE_NS);
		if (r.outcome != o->outcome || r.error != o->error || r.value != o->value)
			fail_msg("request %d answer '%s': outcome %d error %s value %llu", o->what,
				o->play.answer ? o->play.answer : "", r.outcome,
				history_error_names[r.error], (unsigned long long)r.value);
		r = ask(d, READ, PATIENCE_NS);
		assert_int_equal(r.outcome, HISTORY_OK);
		assert_int_equal(r.value, 5);
		assert_int_equal(s.connections, o->connections);
		d->ops->close(d);
		server_stop(&s);
	}
}

static void driver__maps_every_answer_to_its_outcome(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, {"$2\r\n42\r\n", 0, 0}, HISTORY_OK, HISTORY_NO_ERROR, 42, 1},
		{READ, {"$20\r\n18446744073709551615\r\n", 0, 0}, HISTORY_OK, HISTORY_NO_ERROR,
			UINT64_MAX, 1},
		{READ, {"$-1\r\n", 0, 0}, HISTORY_OK, HISTORY_NO_ERROR, 0, 1},
		{READ, {"_\r\n", 0, 0}, HISTORY_OK, HISTORY_NO_ERROR, 0, 1},
		{READ, {"-UNAVAILABLE no leader\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{READ, {"-UNCERTAIN x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_UNCERTAIN, 0, 1},
		{READ, {"-LOADING x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{READ, {NULL, true, 0}, HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{READ, {"$2\r\n4", true, 0}, HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{READ, {NULL, 0, 0}, HISTORY_FAIL, HISTORY_TIMEOUT, 0, 2},
		{WRITE, {"+OK\r\n", 0, 0}, HISTORY_OK, HISTORY_NO_ERROR, 0, 1},
		{WRITE, {"-UNAVAILABLE\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {"-UNAVAILABLEX y\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 1},
		{WRITE, {"-UNCERTAIN x\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 1},
		{WRITE, {"-ERR syntax\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{WRITE, {"-UNSUPPORTED x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{WRITE, {"-MISCONF x\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 1},
		{WRITE, {NULL, true, 0}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{WRITE, {NULL, 0, 0}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, 2},
		{WRITE, {"+", 0, 0}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, 2},
		{CAS, {"+OK\r\n", 0, 0}, HISTORY_OK, HISTORY_NO_ERROR, 0, 1},
		{CAS, {"$-1\r\n", 0, 0}, HISTORY_OK, HISTORY_UNMET, 0, 1},
		{CAS, {"-UNSUPPORTED x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{CAS, {NULL, true, 0}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
		assert_outcome(&outcomes[i]);
}

static void driver__gives_up_a_connection_that_is_out_of_step(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, {"hello\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"*1\r\n$1\r\n5\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"+OK\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"$9999999\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"$-2\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"$2\r\nxx\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"$20\r\n18446744073709551616\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0,
			2},
		{READ, {"$2\n42\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{WRITE, {"$2\r\n42\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{WRITE, {"$-1\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{WRITE, {"+QUEUED\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{WRITE, {"\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
		assert_outcome(&outcomes[i]);
}

static void driver__takes_two_answers_to_one_request_for_garbage(void **state)
{
	static const struct play play[] = {{"+OK\r\n+OK\r\n", false, false}};
	struct driver_result r;
	struct driver *d;
	struct server s = {0};

	(void)state;
	server_start(&s, play, 1);
	d = dial(s.port);
	r = ask(d, WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_UNKNOWN);
	assert_int_equal(r.error, HISTORY_OTHER);
	d->ops->close(d);
	server_stop(&s);
}

static void driver__writes_resp_requests(void **state)
{
	static const struct play plays[] = {
		{"$-1\r\n", false, false}, {"+OK\r\n", false, false}, {"+OK\r\n", false, false}};
	struct driver *d;
	struct server s = {0};

	(void)state;
	server_start(&s, plays, 3);
	d = dial(s.port);
	(void)ask(d, READ, PATIENCE_NS);
	assert_string_equal(s.request, "*2\r\n$3\r\nGET\r\n$2\r\nk7\r\n");
	(void)ask(d, WRITE, PATIENCE_NS);
	assert_string_equal(s.request, "*3\r\n$3\r\nSET\r\n$2\r\nk7\r\n$2\r\n42\r\n");
	(void)ask(d, CAS, PATIENCE_NS);
	assert_string_equal(
		s.request, "*5\r\n$3\r\nSET\r\n$2\r\nk7\r\n$2\r\n42\r\n$4\r\nIFEQ\r\n$2\r\n41\r\n");
	d->ops->close(d);
	server_stop(&s);
}

/* One request about a set or siblings. */
static struct driver_result about(
	struct driver *d, enum proto_op op, const char *answer_, const char *expected)
{
	uint64_t deadline_ns = clock_now_ns() + PATIENCE_NS;
	struct driver_result r;
	struct buf text = {0};

	memset(&r, 0xff, sizeof r);
	if (op == PROTO_ADD)
		d->ops->add(d, 7, 42, deadline_ns, &r);
	else if (op == PROTO_REMOVE)
		d->ops->remove(d, 7, 42, deadline_ns, &r);
	else if (op == PROTO_MEMBERS)
		d->ops->members(d, 7, deadline_ns, &text, &r);
	else
		d->ops->values(d, 7, deadline_ns, &text, &r);
	if (text.len != strlen(expected) || (text.len && memcmp(text.p, expected, text.len) != 0))
		fail_msg("answer '%s': '%.*s'", answer_, (int)text.len, (const char *)text.p);
	buf_fini(&text);
	return r;
}

static void driver__asks_of_sets_and_siblings(void **state)
{
	static const struct {
		enum proto_op op;
		const char *answer;
		enum history_type outcome;
		const char *text;
		const char *request;
	} rounds[] = {
		{PROTO_ADD, ":1\r\n", HISTORY_OK, "",
			"*3\r\n$4\r\nSADD\r\n$2\r\nk7\r\n$2\r\n42\r\n"},
		{PROTO_REMOVE, ":0\r\n", HISTORY_OK, "",
			"*3\r\n$4\r\nSREM\r\n$2\r\nk7\r\n$2\r\n42\r\n"},
		{PROTO_MEMBERS, "*2\r\n$1\r\n5\r\n$2\r\n17\r\n", HISTORY_OK, "5,17,",
			"*2\r\n$8\r\nSMEMBERS\r\n$2\r\nk7\r\n"},
		{PROTO_MEMBERS, "~0\r\n", HISTORY_OK, "", "*2\r\n$8\r\nSMEMBERS\r\n$2\r\nk7\r\n"},
		{PROTO_VALUES, "*1\r\n$1\r\n9\r\n", HISTORY_OK, "9,",
			"*2\r\n$6\r\nVALUES\r\n$2\r\nk7\r\n"},
		{PROTO_ADD, "-WRONGTYPE x\r\n", HISTORY_FAIL, "", NULL},
		{PROTO_ADD, "-UNCERTAIN x\r\n", HISTORY_UNKNOWN, "", NULL},
		{PROTO_MEMBERS, "-UNSUPPORTED x\r\n", HISTORY_FAIL, "", NULL},
		{PROTO_MEMBERS, "*1\r\n$3\r\n1,2\r\n", HISTORY_FAIL, "", NULL},
		/* Then the connection is given up. */
		{PROTO_MEMBERS, "$1\r\n5\r\n", HISTORY_FAIL, "", NULL},
		{PROTO_VALUES, "*1\r\n:5\r\n", HISTORY_FAIL, "", NULL},
	};
	struct play plays[sizeof rounds / sizeof *rounds];
	struct driver *d;
	struct server s = {0};

	(void)state;
	for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++)
		plays[i] = (struct play){rounds[i].answer, false, i % 2};
	server_start(&s, plays, sizeof rounds / sizeof *rounds);
	d = dial(s.port);
	for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
		struct driver_result r = about(d, rounds[i].op, rounds[i].answer, rounds[i].text);

		assert_int_equal(r.outcome, rounds[i].outcome);
		if (rounds[i].request)
			assert_string_equal(s.request, rounds[i].request);
	}
	assert_int_equal(s.connections, 2);
	d->ops->close(d);
	server_stop(&s);
}

static void driver__tells_a_list_from_a_session(void **state)
{
	static const struct play plays[] = {
		{"*2\r\n*2\r\n$1\r\n5\r\n$1\r\n6\r\n$3\r\n1,2\r\n", false, true},
		{"*2\r\n$1\r\n5\r\n$1\r\n6\r\n", false, true},
	};
	struct buf token = {0};
	struct driver *d;
	struct server s = {0};

	(void)state;
	server_start(&s, plays, 2);
	d = dial(s.port);
	d->ops->session(d, &token);
	assert_int_equal(about(d, PROTO_MEMBERS, plays[0].answer, "5,6,").outcome, HISTORY_OK);
	assert_int_equal(token.len, 3);
	assert_memory_equal(token.p, "1,2", 3);
	d->ops->session(d, NULL);
	assert_int_equal(about(d, PROTO_MEMBERS, plays[1].answer, "5,6,").outcome, HISTORY_OK);
	buf_fini(&token);
	d->ops->close(d);
	server_stop(&s);
}

static void driver__a_refused_connection_is_a_failure_even_for_a_write(void **state)
{
	struct driver_result r;
	struct driver *d;
	struct server s = {0};
	uint16_t port;

	(void)state;
	server_start(&s, NULL, 0);
	port = s.port;
	server_stop(&s);
	d = dial(port);
	for (int what = READ; what <= CAS; what++) {
		r = ask(d, (enum request)what, PATIENCE_NS);
		assert_int_equal(r.outcome, HISTORY_FAIL);
		assert_int_equal(r.error, HISTORY_CONNECT);
	}
	d->ops->close(d);
}

static void driver__a_connection_that_never_comes_ends_at_the_deadline(void **state)
{
	/* The queue of a listener that accepts nothing fills up; then SYNs are dropped. */
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof addr;
	int full[2];
	struct driver_result r;
	struct driver *d;
	uint64_t begin;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	for (int i = 0; i < 2; i++) {
		full[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(full[i], (struct sockaddr *)&addr, sizeof addr);
	}
	d = dial(ntohs(addr.sin_port));
	begin = clock_now_ns();
	r = ask(d, WRITE, SHORT_NS);
	assert_int_equal(r.outcome, HISTORY_FAIL);
	assert_int_equal(r.error, HISTORY_CONNECT);
	assert_true(clock_now_ns() - begin >= SHORT_NS);
	assert_true(clock_now_ns() - begin < PATIENCE_NS);
	d->ops->close(d);
	for (int i = 0; i < 2; i++)
		close(full[i]);
	close(fd);
}

static void driver__notices_in_idle_time_that_the_connection_broke(void **state)
{
	static const struct play plays[] = {{"+OK\r\n", true, false}, {"+OK\r\n", false, false}};
	uint64_t until = clock_now_ns() + PATIENCE_NS;
	struct driver_result r;
	struct driver *d;
	struct server s = {0};

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

static void answer_parser__waits_for_every_byte_of_an_answer(void **state)
{
	static const char *const answers[] = {"$2\r\n42\r\n", "$-1\r\n", "+OK\r\n", "-ERR x\r\n",
		"*0\r\n", "*2\r\n$1\r\n5\r\n$0\r\n\r\n", "~1\r\n$1\r\n5\r\n"};
	struct resp_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		size_t len = strlen(answers[i]);

		for (size_t n = 0; n < len; n++)
			assert_int_equal(resp_answer_parse(answers[i], n, &a), 0);
		assert_int_equal(resp_answer_parse(answers[i], len, &a), len);
	}
}

static void answer_parser__stays_inside_random_bytes(void **state)
{
	static const char alphabet[] = "$+-_*~:0123456789\r\nOKx";
	struct resp_answer a;
	struct prng prng;

	(void)state;
	prng_init(&prng, 1, 1);
	for (int i = 0; i < 200000; i++) {
		size_t len = prng_below(&prng, 32);
		char *p = malloc(len ? len : 1); /* its end is guarded in builds with sanitizers */
		int used;

		for (size_t k = 0; k < len; k++)
			p[k] = alphabet[prng_below(&prng, sizeof alphabet - 1)];
		used = resp_answer_parse(p, len, &a);
		assert_true(used == -EBADMSG || (used >= 0 && (size_t)used <= len));
		free(p);
	}
}

static void answer_parser__refuses_a_line_without_an_end(void **state)
{
	struct resp_answer a;
	char *p = malloc(RESP_ANSWER_LINE_MAX);

	(void)state;
	memset(p, 'x', RESP_ANSWER_LINE_MAX);
	p[0] = '-';
	assert_int_equal(resp_answer_parse(p, RESP_ANSWER_LINE_MAX - 1, &a), 0);
	assert_int_equal(resp_answer_parse(p, RESP_ANSWER_LINE_MAX, &a), -EBADMSG);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(driver__maps_every_answer_to_its_outcome),
		cmocka_unit_test(driver__gives_up_a_connection_that_is_out_of_step),
		cmocka_unit_test(driver__takes_two_answers_to_one_request_for_garbage),
		cmocka_unit_test(driver__writes_resp_requests),
		cmocka_unit_test(driver__asks_of_sets_and_siblings),
		cmocka_unit_test(driver__tells_a_list_from_a_session),
		cmocka_unit_test(driver__a_refused_connection_is_a_failure_even_for_a_write),
		cmocka_unit_test(driver__a_connection_that_never_comes_ends_at_the_deadline),
		cmocka_unit_test(driver__notices_in_idle_time_that_the_connection_broke),
		cmocka_unit_test(answer_parser__waits_for_every_byte_of_an_answer),
		cmocka_unit_test(answer_parser__stays_inside_random_bytes),
		cmocka_unit_test(answer_parser__refuses_a_line_without_an_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
