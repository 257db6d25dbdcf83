/* SPDX-License-Identifier: MIT */
/* linear_test.c - histories that are linearizable, and histories that are not */
#include "agent/check/models.h"
#include "tests/check/make.h"

static void fits(struct make *m)
{
	struct check_result result;

	if (make_check(m, &result) != CHECK_OK)
		fail_msg("ok was expected, not: %s", result.words);
	assert_int_equal(result.witnesses, 0);
	assert_string_equal(result.words, "");
}

static void violates(struct make *m)
{
	struct check_result result;

	assert_int_equal(make_check(m, &result), CHECK_VIOLATION);
	assert_true(result.witnesses > 0);
}

static void linear__an_empty_history_fits(void **state)
{
	struct make m = {.count = 0};
	struct check_result result;

	(void)state;
	assert_int_equal(make_check(&m, &result), CHECK_OK);
	assert_int_equal(result.operations, 0);
	assert_int_equal(result.keys, 0);
}

static void linear__a_read_sees_the_write_before_it(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_read(&m, 0, 0, 0, 5);
	make_write(&m, 0, 7, 10, 20);
	make_read(&m, 1, 7, 30, 40);
	fits(&m);
}

static void linear__a_read_may_see_a_write_under_way(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 7, 10, 50);
	make_read(&m, 1, 7, 20, 30);
	make_read(&m, 2, 7, 35, 40);
	fits(&m);
}

static void linear__reads_do_not_go_back_to_nothing(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 7, 10, 50);
	make_read(&m, 1, 7, 20, 30);
	make_read(&m, 2, 0, 35, 40);
	violates(&m);
}

static void linear__equal_times_are_concurrent(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 7, 10, 20);
	make_read(&m, 1, 0, 20, 30);
	fits(&m);
	m.op[1].t_invoke_ns++;
	violates(&m);
}

static void linear__a_stale_read_does_not_fit(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 7, 10, 20);
	make_write(&m, 0, 8, 30, 40);
	make_read(&m, 1, 7, 50, 60);
	violates(&m);
}

static void linear__concurrent_writes_may_end_either_way(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 7, 10, 40);
	make_write(&m, 1, 8, 10, 40);
	make_read(&m, 2, 7, 50, 60);
	fits(&m);
	m.op[2].value = 8;
	fits(&m);
}

static void linear__but_not_first_one_way_then_the_other(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 7, 10, 40);
	make_write(&m, 1, 8, 10, 40);
	make_read(&m, 2, 7, 50, 60);
	make_read(&m, 3, 8, 70, 80);
	violates(&m);
}

static void linear__a_write_of_unknown_outcome_may_take_effect_late(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 7, 10, MAKE_NEVER);
	make_write(&m, 1, 8, 20, 30);
	make_read(&m, 2, 8, 40, 50);
	make_read(&m, 2, 7, 60, 70);
	fits(&m);
}

static void linear__but_it_takes_effect_once(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 7, 10, MAKE_NEVER);
	make_write(&m, 1, 8, 20, 30);
	make_read(&m, 2, 7, 40, 50);
	make_read(&m, 2, 8, 60, 70);
	violates(&m);
}

static void linear__a_refused_write_is_not_seen(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_failed(&m, 0, 7, 10, 20);
	make_read(&m, 1, 0, 30, 40);
	fits(&m);
	m.op[1].value = 7;
	violates(&m);
}

static void linear__compare_and_set_replaces_what_is_there(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 7, 10, 20);
	make_cas(&m, 0, 7, 8, 30, 40);
	make_cas(&m, 1, 8, 9, 35, 60);
	make_read(&m, 2, 9, 70, 80);
	fits(&m);
	m.op[3].value = 8;
	violates(&m);
}

static void linear__two_do_not_replace_the_same_value(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 7, 10, 20);
	make_cas(&m, 0, 7, 8, 30, 40);
	make_cas(&m, 1, 7, 9, 30, 40);
	violates(&m);
}

static void linear__unmet_needs_a_time_without_the_value(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 7, 10, 20);
	make_unmet(&m, 1, 7, 9, 30, 40);
	violates(&m);
	make_write(&m, 2, 8, 35, 50);
	fits(&m);
}

static void linear__unmet_may_be_due_to_a_write_of_unknown_outcome(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 7, 10, 20);
	make_write(&m, 2, 8, 25, MAKE_NEVER);
	make_unmet(&m, 1, 7, 9, 30, 40);
	fits(&m);
	make_read(&m, 1, 7, 50, 60);
	violates(&m);
}

static void linear__each_unknown_write_serves_once(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	/* 7 must go, come back by a compare-and-set, and go again. */
	make_write(&m, 0, 7, 10, 20);
	make_write(&m, 2, 100, 25, MAKE_NEVER);
	make_unmet(&m, 1, 7, 9, 30, 40);
	make_write(&m, 0, 8, 50, 60);
	make_unmet(&m, 1, 8, 9, 70, 80);
	violates(&m);
	make_write(&m, 2, 101, 65, MAKE_NEVER);
	fits(&m);
}

static void linear__repeated_values_are_searched(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 1, 10, 20);
	make_write(&m, 1, 2, 30, 40);
	make_write(&m, 2, 1, 35, 60);
	make_read(&m, 3, 1, 70, 80);
	fits(&m);
	make_read(&m, 3, 2, 90, 95);
	violates(&m);
}

static void linear__keys_are_judged_apart(void **state)
{
	struct make m = {.count = 0};
	struct check_result result;

	(void)state;
	make_write(&m, 0, 7, 10, 20);
	make_read(&m, 1, 0, 30, 40)->key = 4;
	make_failed(&m, 0, 9, 50, 60)->key = 5;
	fits(&m);
	assert_int_equal(make_check(&m, &result), CHECK_OK);
	assert_int_equal(result.operations, 2);
	assert_int_equal(result.keys, 2);
	m.op[1].key = 3;
	violates(&m);
}

static void linear__order_in_the_array_does_not_matter(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_read(&m, 1, 7, 30, 40);
	make_write(&m, 0, 7, 10, 20);
	fits(&m);
	make_write(&m, 0, 8, 22, 25);
	violates(&m);
}

/* 100 operations in flight at once: more than one word of a set has bits. */
static void linear__wide_windows_are_searched(void **state)
{
	struct history_op op[204];
	struct history_ops h = {.op = op};
	struct check_result result;
	struct make one = {.count = 0};

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		one.count = 0;
		op[h.count++] = *make_write(&one, 0, i % 3 + 1, 10, 50);
	}
	for (unsigned i = 0; i < 100; i++) {
		one.count = 0;
		op[h.count++] = *make_read(&one, 1, i % 3 + 1, 20, 60);
	}
	one.count = 0;
	op[h.count++] = *make_read(&one, 1, 2, 70, 80);
	assert_int_equal(linearizable_ops.check(&h, NULL, NULL, &result, NULL), 0);
	assert_int_equal(result.verdict, CHECK_OK);
	one.count = 0;
	op[h.count++] = *make_read(&one, 1, 3, 90, 95);
	assert_int_equal(linearizable_ops.check(&h, NULL, NULL, &result, NULL), 0);
	assert_int_equal(result.verdict, CHECK_VIOLATION);
}

static void linear__too_wide_is_unknown_and_says_why(void **state)
{
	static struct history_op op[2048];
	struct history_ops h = {.op = op};
	struct check_result result;
	struct make one = {.count = 0};

	(void)state;
	for (unsigned i = 0; i < 1100; i++) {
		one.count = 0;
		op[h.count++] = *make_write(&one, 0, i % 3 + 1, 10, 50);
		one.count = 0;
		op[h.count++] = *make_read(&one, 0, i % 3 + 1, 10, 60);
		if (h.count >= 2040)
			break;
	}
	assert_int_equal(linearizable_ops.check(&h, NULL, &make_names, &result, NULL), 0);
	assert_int_equal(result.verdict, CHECK_UNKNOWN);
	assert_non_null(strstr(
		result.words, "k3 could not be judged: more than 1024 operations were pending"));
}

/* Writes in any order, all of which lead to the same dead end: an unmet that cannot be. */
static size_t hard_history(struct history_op *op, unsigned width)
{
	struct make one;
	size_t count = 0;

	for (unsigned i = 0; i < width; i++) {
		one.count = 0;
		op[count++] = *make_write(&one, 0, i + 1, 10, 1000 + i);
		one.count = 0;
		op[count++] = *make_read(&one, 0, i + 1, 10, 1000 + i);
	}
	one.count = 0;
	op[count++] = *make_write(&one, 0, width + 1, 2000, 2010);
	one.count = 0;
	op[count++] = *make_unmet(&one, 0, width + 1, width + 2, 2020, 2030);
	return count;
}

static void linear__a_spent_budget_is_unknown_and_says_which(void **state)
{
	static struct history_op op[128];
	struct history_ops h = {.op = op, .count = hard_history(op, 40)};
	struct check_budget time = {.time_ns = 1000000};
	struct check_budget memory = {.memory_bytes = 1 << 16};
	struct check_result result;

	(void)state;
	assert_int_equal(linearizable_ops.check(&h, &memory, NULL, &result, NULL), 0);
	assert_int_equal(result.verdict, CHECK_UNKNOWN);
	assert_non_null(strstr(result.words, "the memory allowed was used up"));
	assert_int_equal(linearizable_ops.check(&h, &time, NULL, &result, NULL), 0);
	assert_int_equal(result.verdict, CHECK_UNKNOWN);
	assert_non_null(strstr(result.words, "the time allowed was used up"));
}

static void linear__is_found_by_its_name(void **state)
{
	(void)state;
	assert_ptr_equal(check_find("linearizable", CHECK_REGISTER), &linearizable_ops);
	assert_ptr_equal(check_list(0), &linearizable_ops);
	assert_null(check_find("linear", CHECK_REGISTER));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linear__an_empty_history_fits),
		cmocka_unit_test(linear__a_read_sees_the_write_before_it),
		cmocka_unit_test(linear__a_read_may_see_a_write_under_way),
		cmocka_unit_test(linear__reads_do_not_go_back_to_nothing),
		cmocka_unit_test(linear__equal_times_are_concurrent),
		cmocka_unit_test(linear__a_stale_read_does_not_fit),
		cmocka_unit_test(linear__concurrent_writes_may_end_either_way),
		cmocka_unit_test(linear__but_not_first_one_way_then_the_other),
		cmocka_unit_test(linear__a_write_of_unknown_outcome_may_take_effect_late),
		cmocka_unit_test(linear__but_it_takes_effect_once),
		cmocka_unit_test(linear__a_refused_write_is_not_seen),
		cmocka_unit_test(linear__compare_and_set_replaces_what_is_there),
		cmocka_unit_test(linear__two_do_not_replace_the_same_value),
		cmocka_unit_test(linear__unmet_needs_a_time_without_the_value),
		cmocka_unit_test(linear__unmet_may_be_due_to_a_write_of_unknown_outcome),
		cmocka_unit_test(linear__each_unknown_write_serves_once),
		cmocka_unit_test(linear__repeated_values_are_searched),
		cmocka_unit_test(linear__keys_are_judged_apart),
		cmocka_unit_test(linear__order_in_the_array_does_not_matter),
		cmocka_unit_test(linear__wide_windows_are_searched),
		cmocka_unit_test(linear__too_wide_is_unknown_and_says_why),
		cmocka_unit_test(linear__a_spent_budget_is_unknown_and_says_which),
		cmocka_unit_test(linear__is_found_by_its_name),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
