/* SPDX-License-Identifier: MIT */
/* command_test.c - commands as bytes, and what they do to a table as time goes by */
#include "store/proto/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "store/proto/forward.h"
#include "tests/lib/test.h"

#define T0 (1000 * NS_PER_S)

struct bench {
	struct table *table;
	struct command_state state;
	uint64_t version;
	uint64_t now_ns; /* the stamp of the next command */
	struct proto_reply reply;
};

static struct proto_bytes bytes(const char *text)
{
	return (struct proto_bytes){.p = (const uint8_t *)text, .len = (uint32_t)strlen(text)};
}

static struct bench bench_open(void)
{
	return (struct bench){.table = table_open(), .now_ns = T0};
}

static void bench_close(struct bench *b)
{
	table_close(b->table);
	command_state_fini(&b->state);
}

static enum proto_status apply(struct bench *b, const char *key, struct command c)
{
	c.key = bytes(key);
	c.stamp_ns = b->now_ns;
	command_apply(b->table, &b->state, &c, ++b->version, &b->reply);
	return b->reply.status;
}

static enum proto_status set_until(struct bench *b, const char *key, uint64_t expires_ns)
{
	return apply(b, key,
		(struct command){.op = PROTO_SET, .value = bytes("1"), .expires_ns = expires_ns});
}

static const char *read_at(struct bench *b, const char *key, uint64_t wall_ns)
{
	static char text[64];

	command_read(b->table, bytes(key), command_now(&b->state, wall_ns), &b->reply);
	(void)snprintf(
		text, sizeof text, "%.*s", (int)b->reply.value.len, (const char *)b->reply.value.p);
	return b->reply.status == PROTO_OK ? text : NULL;
}

static void command__survives_the_trip_through_bytes(void **state)
{
	struct command c = {
		.stamp_ns = 77,
		.op = PROTO_SET,
		.cond = PROTO_IFEQ,
		.get = true,
		.expires_ns = PROTO_EXPIRES_KEEP,
		.key = bytes("key"),
		.value = bytes("value"),
		.expected = bytes("old"),
	};
	struct command again;
	struct cursor cursor;
	struct buf b = {0};

	(void)state;
	command_encode(&b, &c);
	command_stamp(b.p, 1ull << 60 | 5);
	cursor = cursor_over(b.p, b.len);
	assert_int_equal(command_decode(&cursor, &again), 0);
	assert_true(again.stamp_ns == (1ull << 60 | 5));
	assert_true(again.get && again.expires_ns == PROTO_EXPIRES_KEEP);
	assert_int_equal(again.op, PROTO_SET);
	assert_int_equal(again.cond, PROTO_IFEQ);
	assert_true(command_same(again.key, c.key) && command_same(again.value, c.value) &&
		    command_same(again.expected, c.expected));
	for (size_t n = 0; n < b.len; n++) {
		cursor = cursor_over(b.p, n);
		assert_int_equal(command_decode(&cursor, &again), -EBADMSG);
	}
	buf_fini(&b);
}

static void assert_refused(struct command c, int byte, uint8_t value)
{
	struct command again;
	struct cursor cursor;
	struct buf b = {0};

	c.key = bytes("k");
	command_encode(&b, &c);
	if (byte >= 0)
		b.p[byte] = value;
	cursor = cursor_over(b.p, b.len);
	assert_int_equal(command_decode(&cursor, &again), -EBADMSG);
	buf_fini(&b);
}

static void command__of_no_sense_is_refused(void **state)
{
	(void)state;
	assert_refused((struct command){.op = PROTO_DEL, .cond = PROTO_NX}, -1, 0);
	assert_refused((struct command){.op = PROTO_APPEND, .expires_ns = 1}, -1, 0);
	assert_refused((struct command){.op = PROTO_INCREASE, .get = true}, -1, 0);
	assert_refused((struct command){.op = PROTO_SET}, 8, PROTO_ADD);
	assert_refused((struct command){.op = PROTO_SET}, 9, PROTO_COND_NR);
	assert_refused((struct command){.op = PROTO_SET}, 10, 4);
}

static void command__tells_the_value_that_it_replaced_or_found(void **state)
{
	struct command set = {.op = PROTO_SET, .get = true, .value = bytes("new")};
	struct bench b = bench_open();

	(void)state;
	assert_int_equal(apply(&b, "k", set), PROTO_OK);
	assert_false(b.reply.found);
	set.value = bytes("newer");
	assert_int_equal(apply(&b, "k", set), PROTO_OK);
	assert_true(b.reply.found && command_same(b.reply.value, bytes("new")));
	set.cond = PROTO_NX;
	assert_int_equal(apply(&b, "k", set), PROTO_UNMET);
	assert_true(b.reply.found && command_same(b.reply.value, bytes("newer")));
	assert_int_equal(apply(&b, "k", (struct command){.op = PROTO_DEL, .get = true}), PROTO_OK);
	assert_true(b.reply.found && command_same(b.reply.value, bytes("newer")));
	assert_null(read_at(&b, "k", T0));
	bench_close(&b);
}

static void command__finds_an_expired_key_gone(void **state)
{
	struct bench b = bench_open();

	(void)state;
	set_until(&b, "k", T0 + 10);
	assert_string_equal(read_at(&b, "k", T0 + 9), "1");
	assert_true(b.reply.expires_ns == T0 + 10);
	assert_null(read_at(&b, "k", T0 + 10));
	b.now_ns = T0 + 10;
	assert_int_equal(apply(&b, "k", (struct command){.op = PROTO_DEL}), PROTO_NIL);
	set_until(&b, "k", T0 + 20);
	b.now_ns = T0 + 20;
	assert_int_equal(
		apply(&b, "k", (struct command){.op = PROTO_SET, .cond = PROTO_XX}), PROTO_UNMET);
	assert_int_equal(
		apply(&b, "k",
			(struct command){
				.op = PROTO_SET, .cond = PROTO_IFEQ, .expected = bytes("1")}),
		PROTO_UNMET);
	assert_int_equal(
		apply(&b, "k", (struct command){.op = PROTO_SET, .cond = PROTO_NX}), PROTO_OK);
	bench_close(&b);
}

static void command__counts_and_appends_from_nothing_after_expiry(void **state)
{
	struct command one = {.op = PROTO_INCREASE, .value = bytes("1")};
	struct bench b = bench_open();

	(void)state;
	set_until(&b, "k", T0 + 10);
	assert_int_equal(apply(&b, "k", one), PROTO_OK);
	assert_int_equal(b.reply.number, 2);
	b.now_ns = T0 + 10;
	assert_int_equal(apply(&b, "k", one), PROTO_OK);
	assert_int_equal(b.reply.number, 1);
	/* What it has counted since then has no end. */
	assert_string_equal(read_at(&b, "k", T0 + 1000 * NS_PER_S), "1");
	bench_close(&b);
}

static void command__keeps_or_drops_the_time_of_a_key_as_redis_does(void **state)
{
	struct bench b = bench_open();

	(void)state;
	set_until(&b, "k", T0 + 10);
	apply(&b, "k", (struct command){.op = PROTO_APPEND, .value = bytes("2")});
	read_at(&b, "k", T0);
	assert_true(b.reply.expires_ns == T0 + 10);
	set_until(&b, "k", PROTO_EXPIRES_KEEP);
	read_at(&b, "k", T0);
	assert_true(b.reply.expires_ns == T0 + 10);
	set_until(&b, "k", 0);
	read_at(&b, "k", T0);
	assert_true(b.reply.expires_ns == 0);
	set_until(&b, "new", PROTO_EXPIRES_KEEP);
	read_at(&b, "new", T0);
	assert_true(b.reply.expires_ns == 0);
	bench_close(&b);
}

/* A leader whose clock is behind comes after one whose clock was ahead. */
static void command__clock_never_goes_back(void **state)
{
	struct bench b = bench_open();

	(void)state;
	set_until(&b, "k", T0 + 10);
	b.now_ns = T0 + 10;
	apply(&b, "other", (struct command){.op = PROTO_SET});
	b.now_ns = T0 - 5;
	assert_int_equal(
		apply(&b, "k", (struct command){.op = PROTO_SET, .cond = PROTO_XX}), PROTO_UNMET);
	assert_null(read_at(&b, "k", T0 - 5));
	assert_true(b.state.clock_ns == T0 + 10);
	bench_close(&b);
}

static size_t entries(const struct table *t)
{
	size_t at = 0, n = 0;

	while (table_next(t, &at))
		n++;
	return n;
}

static void command__sweeps_expired_entries_away(void **state)
{
	struct bench b = bench_open();
	char key[32];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		(void)snprintf(key, sizeof key, "k%d", i);
		b.now_ns += NS_PER_MS;
		set_until(&b, key, i % 10 ? b.now_ns + 20 * NS_PER_MS : 0);
		/* One in ten stays; of the others some twenty live, and not many more wait. */
		assert_true(entries(b.table) < (size_t)i / 10 + 4000);
	}
	b.now_ns += NS_PER_S;
	for (int i = 0; i < 20000; i++)
		apply(&b, "one", (struct command){.op = PROTO_SET});
	assert_int_equal(entries(b.table), 1001);
	assert_int_equal(table_count(b.table), 1001);
	assert_true(b.state.swept);
	bench_close(&b);
}

static void answer__carries_what_was_found_and_until_when(void **state)
{
	struct forward_answer a = {
		.slot = 3,
		.attempt = 4,
		.reply = {.status = PROTO_UNMET,
			.found = true,
			.value = bytes("old"),
			.expires_ns = T0},
	};
	struct forward_answer again;
	struct cursor cursor;
	struct buf b = {0};

	(void)state;
	forward_encode_answer(&b, &a);
	cursor = cursor_over(b.p, b.len);
	assert_int_equal(forward_decode_answer(&cursor, &again), 0);
	assert_true(again.reply.found && again.reply.expires_ns == T0);
	assert_true(command_same(again.reply.value, bytes("old")));
	buf_fini(&b);
}

static void command__is_described_with_its_times(void **state)
{
	struct command c = {.op = PROTO_SET,
		.key = bytes("k"),
		.value = bytes("v"),
		.get = true,
		.expires_ns = 12 * NS_PER_S + 34 * NS_PER_MS,
		.stamp_ns = 11 * NS_PER_S};
	struct buf b = {0};

	(void)state;
	command_describe(&b, &c);
	buf_u8(&b, 0);
	assert_string_equal(b.p, "set k, 1 bytes until @12.034 GET at @11.000");
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command__survives_the_trip_through_bytes),
		cmocka_unit_test(command__of_no_sense_is_refused),
		cmocka_unit_test(command__tells_the_value_that_it_replaced_or_found),
		cmocka_unit_test(command__finds_an_expired_key_gone),
		cmocka_unit_test(command__counts_and_appends_from_nothing_after_expiry),
		cmocka_unit_test(command__keeps_or_drops_the_time_of_a_key_as_redis_does),
		cmocka_unit_test(command__clock_never_goes_back),
		cmocka_unit_test(command__sweeps_expired_entries_away),
		cmocka_unit_test(answer__carries_what_was_found_and_until_when),
		cmocka_unit_test(command__is_described_with_its_times),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
