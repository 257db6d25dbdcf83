/* SPDX-License-Identifier: MIT */
/* cassandra_driver_test.c - every outcome of Cassandra's driver in Python, against scripted bytes
 */
#include <string.h>

#include <arpa/inet.h>

#include "tests/lib/round.h"
#include "tests/lib/scripts.h"
#include "tests/lib/server.h"
#include "tests/lib/test.h"

#include "agent/base/clock.h"

#define PATIENCE_NS (10 * NS_PER_S)
#define SHORT_NS (500 * NS_PER_MS) /* a program does not start in milliseconds */
#define HEAD 9

/* Version, flags, number of the request, what it is, length below 256, body. */
#define FRAME(stream, op, length, body) "\x84\0\0" stream op "\0\0\0" length body
#define READY(stream) FRAME(stream, "\x02", "\0", "")
#define VOID(stream) FRAME(stream, "\x08", "\x04", "\0\0\0\1")
#define ERROR(stream, code) FRAME(stream, "\0", "\x09", "\0\0" code "\0\3why")
/* A list of rows with one column of the table lab.kv. */
#define COLUMN(name, type) "\0\0\0\2\0\0\0\1\0\0\0\1\0\3lab\0\2kv" name "\0" type
#define NONE(stream) FRAME(stream, "\x08", "\x1e", COLUMN("\0\1v", "\x0d") "\0\0\0\0")
#define ONE(stream, digit) \
	FRAME(stream, "\x08", "\x23", COLUMN("\0\1v", "\x0d") "\0\0\0\1\0\0\0\1" digit)
#define APPLIED(stream, truth) \
	FRAME(stream, "\x08", "\x2b", COLUMN("\0\x09[applied]", "\x04") "\0\0\0\1\0\0\0\1" truth)
#define FIVE(stream) ONE(stream, "5")

/* A frame says so itself, others end with a NUL. */
static size_t length(const char *said)
{
	return (unsigned char)said[0] == 0x84 ? HEAD + (size_t)(unsigned char)said[8]
					      : strlen(said);
}

static struct driver *dial(uint16_t port, unsigned nodes, const char *settings)
{
	static uint32_t local_be[3];
	const struct driver_target target = {
		.addr_be = local_be, .nodes = nodes, .port = port, .settings = settings};

	for (unsigned i = 0; i < 3; i++)
		local_be[i] = htonl(INADDR_LOOPBACK + i);
	return scripts_driver("cassandra")->open(&target);
}

/* The program is there before the first request, so that this is no matter of its start. */
static void begin(struct driver *d)
{
	d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
}

struct outcome {
	enum round_request what;
	struct play play;
	enum history_type outcome;
	enum history_error error;
	uint64_t value;
	unsigned connections; /* after a second request: 2 if the first connection was given up */
};

static void assert_outcomes(const struct outcome *o, size_t n)
{
	for (size_t i = 0; i < n; i++, o++) {
		bool anew = o->connections == 2;
		const struct play plays[] = {{READY("\1"), false, false}, o->play,
			{anew ? READY("\3") : FIVE("\3"), false, i % 2},
			{FIVE("\4"), false, i % 2}};
		struct server s = {.length = length};
		struct driver_result r;
		struct driver *d;

		server_start(&s, plays, anew ? 4 : 3);
		d = dial(s.port, 1, "reads=quorum writes=quorum");
		begin(d);
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

static void cassandra_driver__maps_every_answer_to_its_outcome(void **state)
{
	static const struct outcome outcomes[] = {
		{ROUND_READ, {FIVE("\2"), 0, 1}, HISTORY_OK, 0, 5, 1},
		{ROUND_READ, {NONE("\2"), 0, 0}, HISTORY_OK, 0, 0, 1},
		{ROUND_WRITE, {VOID("\2"), 0, 1}, HISTORY_OK, 0, 0, 1},
		{ROUND_CAS, {APPLIED("\2", "\1"), 0, 0}, HISTORY_OK, 0, 0, 1},
		{ROUND_CAS, {APPLIED("\2", "\0"), 0, 0}, HISTORY_OK, HISTORY_UNMET, 0, 1},
		{ROUND_CREATE, {APPLIED("\2", "\1"), 0, 0}, HISTORY_OK, 0, 0, 1},
		{ROUND_READ, {ERROR("\2", "\x12\0"), 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		/* Too few replicas are alive; it is starting; it does not understand. */
		{ROUND_WRITE, {ERROR("\2", "\x10\0"), 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{ROUND_WRITE, {ERROR("\2", "\x10\x02"), 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{ROUND_WRITE, {ERROR("\2", "\x22\0"), 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		/* Too few have answered in time, or have failed; it has too much to do. */
		{ROUND_WRITE, {ERROR("\2", "\x11\0"), 0, 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0,
			1},
		{ROUND_WRITE, {ERROR("\2", "\x15\0"), 0, 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0,
			1},
		{ROUND_WRITE, {ERROR("\2", "\x10\x01"), 0, 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN,
			0, 1},
		{ROUND_WRITE, {ERROR("\2", "\0\0"), 0, 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0,
			1},
		/* Perhaps found out only by the last step of a transaction. */
		{ROUND_CAS, {ERROR("\2", "\x10\0"), 0, 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0,
			1},
		{ROUND_CAS, {ERROR("\2", "\x22\0"), 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
	};

	(void)state;
	assert_outcomes(outcomes, sizeof outcomes / sizeof *outcomes);
}

static void cassandra_driver__gives_up_a_connection_that_breaks_or_talks_nonsense(void **state)
{
	static const struct outcome outcomes[] = {
		{ROUND_READ, {NULL, 1, 0}, HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{ROUND_WRITE, {NULL, 1, 0}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{ROUND_CAS, {"x", 1, 0}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{ROUND_READ, {FIVE("\7"), 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2}, /* another's */
		{ROUND_WRITE, {VOID("\7"), 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{ROUND_WRITE, {"hello, world\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{ROUND_WRITE, {FIVE("\2"), 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{ROUND_WRITE, {READY("\2"), 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{ROUND_CAS, {VOID("\2"), 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{ROUND_CAS, {FIVE("\2"), 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{ROUND_READ, {VOID("\2"), 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{ROUND_READ, {ONE("\2", "x"), 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{ROUND_READ, {FRAME("\2", "\x08", "\x04", "\0\0\0\2"), 0, 0}, HISTORY_FAIL,
			HISTORY_OTHER, 0, 2},
	};

	(void)state;
	assert_outcomes(outcomes, sizeof outcomes / sizeof *outcomes);
}

#define ASKED(bytes) assert_non_null(memmem(s.request, sizeof s.request, bytes, sizeof(bytes) - 1))

static void cassandra_driver__asks_at_the_level_that_it_is_told(void **state)
{
	static const struct play plays[] = {{READY("\1"), 0, 0}, {FIVE("\2"), 0, 0},
		{VOID("\3"), 0, 0}, {APPLIED("\4", "\1"), 0, 0}, {APPLIED("\5", "\1"), 0, 0}};
	struct server s = {.length = length};
	struct driver *d;

	(void)state;
	server_start(&s, plays, 5);
	d = dial(s.port, 3, "reads=one writes=all");
	begin(d);
	assert_int_equal(round_ask(d, ROUND_READ, PATIENCE_NS).value, 5);
	ASKED("SELECT v FROM lab.kv WHERE k = ?\0\1\1\0\1\0\0\0\2k7");
	assert_int_equal(round_ask(d, ROUND_WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	ASKED("UPDATE lab.kv SET v = ? WHERE k = ?\0\5\1\0\2\0\0\0\2"
	      "42\0\0\0\2k7");
	assert_int_equal(round_ask(d, ROUND_CAS, PATIENCE_NS).outcome, HISTORY_OK);
	ASKED(" IF v = ?\0\5\1\0\3\0\0\0\2"
	      "42\0\0\0\2k7\0\0\0\2"
	      "41");
	assert_int_equal(round_ask(d, ROUND_CREATE, PATIENCE_NS).outcome, HISTORY_OK);
	ASKED(" IF NOT EXISTS\0\5\1\0\2\0\0\0\2k7\0\0\0\2"
	      "42");
	assert_int_equal(s.connections, 1);
	d->ops->close(d);
	server_stop(&s);
}

static void cassandra_driver__fails_before_it_sends_and_in_time(void **state)
{
	static const struct play silent[] = {{READY("\1"), 0, 0}, {NULL, 0, 0}, {NULL, 0, 0}};
	struct server s = {.length = length};
	struct driver_result r;
	struct driver *d;
	uint64_t started;

	(void)state;
	server_start(&s, silent, 2);
	d = dial(s.port, 1, "");
	begin(d);
	started = clock_now_ns();
	r = round_ask(d, ROUND_WRITE, SHORT_NS);
	assert_int_equal(r.outcome, HISTORY_UNKNOWN);
	assert_int_equal(r.error, HISTORY_TIMEOUT);
	assert_true(clock_now_ns() - started < PATIENCE_NS / 2);
	server_stop(&s);
	begin(d);
	r = round_ask(d, ROUND_WRITE, PATIENCE_NS); /* nobody listens */
	assert_int_equal(r.outcome, HISTORY_FAIL);
	assert_int_equal(r.error, HISTORY_CONNECT);
	d->ops->close(d);
	/* Who does not say that it is ready is sent nothing. */
	server_start(&s, &(struct play){ERROR("\1", "\0\x0a"), 0, 0}, 1);
	d = dial(s.port, 1, "");
	begin(d);
	r = round_ask(d, ROUND_WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_FAIL);
	assert_int_equal(r.error, HISTORY_CONNECT);
	d->ops->close(d);
	server_stop(&s);
}

static void cassandra_driver__is_ready_with_all_replicas(void **state)
{
	static const struct play plays[] = {{READY("\1"), 0, 0}, {NONE("\2"), 0, 0},
		{FIVE("\3"), 0, 0}, {ERROR("\4", "\x10\0"), 0, 0}, {FIVE("\5"), 0, 0},
		{NONE("\6"), 0, 0}, {NONE("\7"), 0, 0}};
	static const bool ready[] = {false, false, true, true};
	struct server s = {.length = length};
	struct driver_status said;
	struct driver *d;

	(void)state;
	server_start(&s, plays, sizeof plays / sizeof *plays);
	d = dial(s.port, 2, "");
	begin(d);
	for (size_t i = 0; i < sizeof ready / sizeof *ready; i++) {
		assert_int_equal(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &said), 0);
		assert_int_equal(said.ready, ready[i]);
		assert_true(!said.leads && said.leader == -1);
		assert_string_equal(said.role, "replica");
	}
	d->ops->close(d);
	server_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cassandra_driver__maps_every_answer_to_its_outcome),
		cmocka_unit_test(
			cassandra_driver__gives_up_a_connection_that_breaks_or_talks_nonsense),
		cmocka_unit_test(cassandra_driver__asks_at_the_level_that_it_is_told),
		cmocka_unit_test(cassandra_driver__fails_before_it_sends_and_in_time),
		cmocka_unit_test(cassandra_driver__is_ready_with_all_replicas),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("cassandra_driver", tests, NULL, scripts_remove);
}
