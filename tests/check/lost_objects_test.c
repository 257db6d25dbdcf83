/* SPDX-License-Identifier: MIT */
/* lost_objects_test.c - elements and increases that were acknowledged and are gone at the end */
#include "tests/check/types.h"

static struct check_lost judge(struct types *t, enum check_type type)
{
	const struct history_ops h = types_history(t);
	struct check_lost lost;

	check_lost_objects(&h, type, &types_names, &lost);
	return lost;
}

static void add(struct types *t, uint64_t value, uint64_t invoke_ms, uint64_t return_ms)
{
	types_op(t, 0, HISTORY_ADD, invoke_ms, return_ms)->value = value;
}

static void final_set(struct types *t, unsigned session, const uint64_t *elements)
{
	struct history_op *op = types_op(t, session, HISTORY_READ, 9000, 9001);

	op->flags = HISTORY_F_FINAL;
	types_many(t, op, elements);
}

static struct history_op *increase(
	struct types *t, int64_t by, uint64_t invoke_ms, uint64_t return_ms)
{
	struct history_op *op = types_op(t, 0, HISTORY_INCREASE, invoke_ms, return_ms);

	op->value = (uint64_t)by;
	return op;
}

static void final_counter(struct types *t, unsigned session, int64_t value)
{
	struct history_op *op = types_op(t, session, HISTORY_READ, 9000, 9001);

	op->flags = HISTORY_F_FINAL;
	op->value = (uint64_t)value;
}

static void lost_elements__are_those_that_no_final_read_shows(void **state)
{
	struct types t = {.count = 0};
	struct check_lost lost;

	(void)state;
	add(&t, 7, 1000, 1100);
	add(&t, 8, 2000, 2100);
	add(&t, 9, 3000, 3100);
	final_set(&t, 1, ELEMENTS(7));
	final_set(&t, 2, ELEMENTS(7, 9));
	lost = judge(&t, CHECK_SET);
	assert_int_equal(lost.acknowledged, 3);
	assert_int_equal(lost.lost, 1);
	assert_int_equal(lost.diverged_keys, 1);
	assert_string_equal(lost.words,
		"8 was added to k3 and acknowledged at 2.100 s; at the end no replica has it");
}

static void lost_elements__are_none_that_were_not_acknowledged_in_time(void **state)
{
	struct types t = {.count = 0};
	struct check_lost lost;

	(void)state;
	types_open(types_op(&t, 0, HISTORY_ADD, 1000, 1100))->value = 7;
	types_failed(types_op(&t, 0, HISTORY_ADD, 1000, 1100))->value = 8;
	add(&t, 9, 8000, 9500);
	final_set(&t, 1, NO_ELEMENTS);
	lost = judge(&t, CHECK_SET);
	assert_int_equal(lost.acknowledged, 1);
	assert_int_equal(lost.lost, 0);
	assert_int_equal(lost.diverged_keys, 0);
	assert_string_equal(lost.words, "");
}

static void lost_elements__are_not_judged_without_a_final_read(void **state)
{
	struct types t = {.count = 0};
	struct check_lost lost;

	(void)state;
	add(&t, 7, 1000, 1100);
	lost = judge(&t, CHECK_SET);
	assert_int_equal(lost.lost, 0);
	assert_int_equal(lost.keys_without_final_read, 1);
}

static void lost_counts__are_what_the_highest_final_read_lacks(void **state)
{
	struct types t = {.count = 0};
	struct check_lost lost;

	(void)state;
	increase(&t, 5, 1000, 1100);
	increase(&t, 4, 2000, 2100);
	increase(&t, -1, 2000, 2100);
	types_open(increase(&t, 100, 3000, 3100));
	types_open(increase(&t, -2, 3000, 3100));
	types_failed(increase(&t, 50, 3000, 3100));
	final_counter(&t, 1, 2);
	final_counter(&t, 2, 4);
	lost = judge(&t, CHECK_COUNTER);
	assert_int_equal(lost.acknowledged, 9);
	assert_int_equal(lost.lost, 2);
	assert_int_equal(lost.diverged_keys, 1);
	assert_string_equal(lost.words, "k3 is at least 6 by what was acknowledged; at the end no "
					"replica answered more than 4");
}

static void lost_counts__are_none_where_all_was_counted(void **state)
{
	struct types t = {.count = 0};
	struct check_lost lost;

	(void)state;
	increase(&t, 5, 1000, 1100);
	increase(&t, 3, 8000, 9500);
	types_open(increase(&t, 7, 3000, 3100));
	final_counter(&t, 1, 5);
	final_counter(&t, 2, 5);
	lost = judge(&t, CHECK_COUNTER);
	assert_int_equal(lost.lost, 0);
	assert_int_equal(lost.diverged_keys, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_elements__are_those_that_no_final_read_shows),
		cmocka_unit_test(lost_elements__are_none_that_were_not_acknowledged_in_time),
		cmocka_unit_test(lost_elements__are_not_judged_without_a_final_read),
		cmocka_unit_test(lost_counts__are_what_the_highest_final_read_lacks),
		cmocka_unit_test(lost_counts__are_none_where_all_was_counted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
