/* SPDX-License-Identifier: MIT */
/* tarantool_driver_test.c - every outcome of the Tarantool driver, against a scripted server */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>

#include "tests/lib/need.h"
#include "tests/lib/server.h"
#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/load/drivers/driver.h"

#define PATIENCE_NS (5 * NS_PER_S)
#define SHORT_NS (60 * NS_PER_MS)

/* Length, header {type, number of the request}, body. Lengths below 128 only. */
#define MESSAGE(length, code, sync, body) \
	"\xce\0\0\0" length "\x82\x00\xce\0\0" code "\x01\xcf\0\0\0\0\0\0\0" sync body
#define VALUE(sync, value) MESSAGE("\x15", "\0\0", sync, "\x81\x30\x91" value)
#define NOTHING(sync) MESSAGE("\x14", "\0\0", sync, "\x81\x30\x90")
#define ERROR(code, sync) \
	MESSAGE("\x17", "\x80" code, sync, \
		"\x81\x31\xa3" \
		"why")

static const char greeting[] = "Tarantool 2.6.0 (Binary) 7170b4af-c72f-4f07-8729-08fc678543a1  \n"
			       "tHHvTlkk1k0RhFZKKKLwXBFDyBN9cEvWzGXKcKKVsw0=                   \n";

/* A message says so itself. */
static size_t length(const char *answer)
{
	bool message = answer[0] == '\xce' && answer[1] == 0;

	return message ? 5 + (size_t)(unsigned char)answer[4] : strlen(answer);
}

static struct driver *dial(uint16_t port)
{
	static uint32_t local_be[3];
	const struct driver_target target = {
		.addr_be = local_be, .nodes = 3, .port = port, .settings = ""};

	local_be[0] = htonl(INADDR_LOOPBACK);
	return need_driver("tarantool")->open(&target);
}

static struct driver_result ask(struct driver *d, bool reads, uint64_t timeout_ns)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_ns;
	struct driver_result r;

	memset(&r, 0xff, sizeof r);
	if (reads)
		d->ops->read(d, 7, deadline_ns, &r);
	else
		d->ops->write(d, 7, 42, deadline_ns, &r);
	return r;
}

struct outcome {
	bool reads;
	struct play play;
	enum history_type outcome;
	enum history_error error;
	uint64_t value;
	unsigned connections; /* after a second request: 2 if the first connection was given up */
};

/* The same answer in one piece and in crumbs; then one more request shows the connection's fate. */
static void assert_outcomes(const struct outcome *o, size_t n)
{
	for (size_t i = 0; i < 2 * n; i++) {
		const struct outcome *expected = &o[i / 2];
		struct play plays[2] = {expected->play, {VALUE("\2", "\5"), 0, 0}};
		struct server s = {.greeting = greeting, .length = length};
		struct driver_result r;
		struct driver *d;

		plays[0].crumbs = i % 2;
		server_start(&s, plays, 2);
		d = dial(s.port);
		d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
		r = ask(d, expected->reads,
			expected->error == HISTORY_TIMEOUT ? SHORT_NS : PATIENCE_NS);
		if (r.outcome != expected->outcome || r.error != expected->error ||
			r.value != expected->value)
			fail_msg("answer %zu: outcome %d error %d value %llu", i / 2, r.outcome,
				r.error, (unsigned long long)r.value);
		r = ask(d, true, PATIENCE_NS);
		assert_int_equal(r.outcome, HISTORY_OK);
		assert_int_equal(r.value, 5);
		assert_int_equal(s.connections, expected->connections);
		d->ops->close(d);
		server_stop(&s);
	}
}

static void tarantool__maps_every_answer_to_its_outcome(void **state)
{
	static const struct outcome outcomes[] = {
		{1, {VALUE("\1", "\x2a"), 0, 0}, HISTORY_OK, 0, 42, 1},
		{1, {VALUE("\1", "\0"), 0, 0}, HISTORY_OK, 0, 0, 1},
		{1, {MESSAGE("\x1d", "\0\0", "\1", "\x81\x30\x91\xcf\1\0\0\0\0\0\0\2"), 0, 0},
			HISTORY_OK, 0, 0x0100000000000002, 1},
		{1, {VALUE("\1", "\xc0"), 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{1, {NOTHING("\1"), 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{1, {ERROR("\x20", "\1"), 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{1, {"", 1, 0}, HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{1, {"", 0, 0}, HISTORY_FAIL, HISTORY_TIMEOUT, 0, 2},
		{0, {NOTHING("\1"), 0, 0}, HISTORY_OK, 0, 0, 1},
		{0, {ERROR("\7", "\1"), 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{0, {ERROR("\x24", "\1"), 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{0, {ERROR("\x28", "\1"), 0, 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
		{0, {"", 1, 0}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{0, {"", 0, 0}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, 2},
	};

	(void)state;
	assert_outcomes(outcomes, sizeof outcomes / sizeof *outcomes);
}

static void tarantool__gives_up_a_connection_that_is_out_of_step(void **state)
{
	static const struct outcome outcomes[] = {
		{1, {VALUE("\7", "\x2a"), 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2}, /* another's */
		{0, {NOTHING("\7"), 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{0, {"hello, world\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{0, {"\xce\x7f\xff\xff\xff\x80", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{0, {"\xce\0\0\0\2\x80\x80", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{0, {"\xce\0\0\0\5\xdf\xff\xff\xff\xff", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0,
			2},
		{0, {"\xce\0\0\0\3\x81\0\xdb", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
	};

	(void)state;
	assert_outcomes(outcomes, sizeof outcomes / sizeof *outcomes);
}

static void tarantool__without_a_greeting_nothing_was_sent(void **state)
{
	static const char *const others[] = {NULL, "SSH-2.0\r\n"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct server s = {.greeting = others[i % 2]};
		struct driver *d;

		server_start(&s, NULL, 0);
		if (i == 2) /* nobody listens */
			server_stop(&s);
		d = dial(s.port);
		for (int reads = 0; reads < 2; reads++) {
			struct driver_result r = ask(d, reads, SHORT_NS);

			assert_int_equal(r.outcome, HISTORY_FAIL);
			assert_int_equal(r.error, HISTORY_CONNECT);
		}
		d->ops->close(d);
		if (i < 2)
			server_stop(&s);
	}
}

static void tarantool__begins_anew_where_it_is_not_greeted(void **state)
{
	const uint64_t end_ns = clock_now_ns() + 2 * PATIENCE_NS;
	struct server s = {.greeting = NULL};
	struct driver *d;

	(void)state;
	server_start(&s, NULL, 0);
	d = dial(s.port);
	while (s.connections < 2 && clock_now_ns() < end_ns)
		assert_int_equal(ask(d, true, SHORT_NS).error, HISTORY_CONNECT);
	assert_int_equal(s.connections, 2);
	d->ops->close(d);
	server_stop(&s);
}

static void tarantool__is_ready_with_all_its_peers(void **state)
{
	static const struct play plays[] = {
		{MESSAGE("\x16", "\0\0", "\1", "\x81\x30\x92\xc3\2"), 0, 0},
		{MESSAGE("\x16", "\0\0", "\2", "\x81\x30\x92\xc3\1"), 0, 0},
		{MESSAGE("\x16", "\0\0", "\3", "\x81\x30\x92\xc2\2"), 0, 0},
		{ERROR("\x20", "\4"), 0, 0},
	};
	struct server s = {.greeting = greeting, .length = length};
	struct driver_status said;
	struct driver *d;

	(void)state;
	server_start(&s, plays, 4);
	d = dial(s.port);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &said), 0);
		assert_true(said.ready == (i == 0));
		assert_true(!said.leads && said.leader == -1);
	}
	assert_int_equal(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &said), -EPROTO);
	d->ops->close(d);
	server_stop(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(tarantool__maps_every_answer_to_its_outcome),
		cmocka_unit_test(tarantool__gives_up_a_connection_that_is_out_of_step),
		cmocka_unit_test(tarantool__without_a_greeting_nothing_was_sent),
		cmocka_unit_test(tarantool__begins_anew_where_it_is_not_greeted),
		cmocka_unit_test(tarantool__is_ready_with_all_its_peers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tarantool_driver", tests, NULL, NULL);
}
