/* SPDX-License-Identifier: MIT */
/* lost_test.c - acknowledged writes that are gone, judged by the final reads */
#include "tests/check/make.h"

static void make_final(struct make *m, unsigned node, uint64_t value)
{
	make_read(m, node, value, 9000, 9010)->flags = HISTORY_F_FINAL;
}

static struct check_lost judge(struct make *m)
{
	struct history_ops h = make_history(m);
	struct check_lost lost;

	check_lost(&h, &make_names, &lost);
	return lost;
}

static void lost__a_write_that_every_replica_has_is_kept(void **state)
{
	struct make m = {.count = 0};
	struct check_lost lost;

	(void)state;
	make_write(&m, 0, 7, 1000, 1100);
	make_write(&m, 0, 8, 2000, 2100);
	make_final(&m, 0, 8);
	make_final(&m, 1, 8);
	lost = judge(&m);
	assert_int_equal(lost.acknowledged, 2);
	assert_int_equal(lost.lost, 0);
	assert_int_equal(lost.diverged_keys, 0);
	assert_int_equal(lost.keys_without_final_read, 0);
	assert_string_equal(lost.words, "");
}

static void lost__an_older_value_at_the_end_convicts(void **state)
{
	struct make m = {.count = 0};
	struct check_lost lost;

	(void)state;
	make_write(&m, 1, 7, 1000, 1100);
	make_write(&m, 0, 8, 2000, 2100);
	make_final(&m, 2, 7);
	lost = judge(&m);
	assert_int_equal(lost.acknowledged, 2);
	assert_int_equal(lost.lost, 1);
	assert_string_equal(lost.words,
		"n1 acknowledged 8 for k3 at 2.100 s; at the end n3 answered the older 7");
}

static void lost__nothing_at_the_end_convicts_all(void **state)
{
	struct make m = {.count = 0};
	struct check_lost lost;

	(void)state;
	make_write(&m, 1, 7, 0, 1100);
	make_cas(&m, 0, 7, 8, 2000, 2100);
	make_final(&m, 2, 0);
	lost = judge(&m);
	assert_int_equal(lost.acknowledged, 2);
	assert_int_equal(lost.lost, 2);
	assert_string_equal(
		lost.words, "n2 acknowledged 7 for k3 at 1.100 s; at the end n3 answered nothing");
}

static void lost__one_replica_that_has_it_clears(void **state)
{
	struct make m = {.count = 0};
	struct check_lost lost;

	(void)state;
	make_write(&m, 1, 7, 1000, 1100);
	make_write(&m, 0, 8, 2000, 2100);
	make_final(&m, 2, 7);
	make_final(&m, 3, 8);
	make_final(&m, 4, 7);
	lost = judge(&m);
	assert_int_equal(lost.lost, 0);
	assert_int_equal(lost.diverged_keys, 1);
}

static void lost__a_concurrent_write_may_have_replaced_it(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 8, 2000, 2100);
	make_write(&m, 1, 7, 1900, 2000);
	make_final(&m, 2, 7);
	assert_int_equal(judge(&m).lost, 0);
	m.op[1].t_return_ns--;
	assert_int_equal(judge(&m).lost, 1);
}

static void lost__a_write_of_unknown_outcome_may_have_replaced_it(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 1, 7, 1000, MAKE_NEVER);
	make_write(&m, 0, 8, 2000, 2100);
	make_final(&m, 2, 7);
	assert_int_equal(judge(&m).acknowledged, 1);
	assert_int_equal(judge(&m).lost, 0);
}

/* What a read returned says nothing of a write that was acknowledged only after it had begun. */
static void lost__a_final_read_that_came_too_early_says_nothing(void **state)
{
	struct make m = {.count = 0};
	struct check_lost lost;

	(void)state;
	make_write(&m, 0, 7, 1000, 1100);
	make_write(&m, 0, 8, 8990, 9005);
	make_final(&m, 2, 7);
	lost = judge(&m);
	assert_int_equal(lost.lost, 0);
	make_read(&m, 1, 7, 9006, 9010)->flags = HISTORY_F_FINAL;
	lost = judge(&m);
	assert_int_equal(lost.lost, 1);
	make_read(&m, 1, 8, 9006, 9010)->flags = HISTORY_F_FINAL;
	lost = judge(&m);
	assert_int_equal(lost.lost, 0);
}

static void lost__only_acknowledged_writes_count(void **state)
{
	struct make m = {.count = 0};
	struct check_lost lost;

	(void)state;
	make_failed(&m, 0, 7, 1000, 1100);
	make_write(&m, 0, 8, 2000, MAKE_NEVER);
	make_unmet(&m, 0, 5, 9, 3000, 3100);
	make_read(&m, 0, 0, 4000, 4100);
	make_final(&m, 2, 0);
	lost = judge(&m);
	assert_int_equal(lost.acknowledged, 0);
	assert_int_equal(lost.lost, 0);
}

static void lost__without_a_final_read_nothing_is_judged(void **state)
{
	struct make m = {.count = 0};
	struct check_lost lost;

	(void)state;
	make_write(&m, 0, 8, 2000, 2100);
	make_read(&m, 0, 0, 9000, 9100);
	make_read(&m, 0, 0, 9000, MAKE_NEVER)->flags = HISTORY_F_FINAL;
	make_read(&m, 0, 0, 9000, 9100)->key = 4;
	lost = judge(&m);
	assert_int_equal(lost.acknowledged, 1);
	assert_int_equal(lost.lost, 0);
	assert_int_equal(lost.keys_without_final_read, 1);
}

static void lost__keys_are_judged_apart(void **state)
{
	struct make m = {.count = 0};
	struct check_lost lost;

	(void)state;
	make_write(&m, 0, 8, 2000, 2100);
	make_write(&m, 0, 9, 2000, 2100)->key = 4;
	make_final(&m, 0, 8);
	make_read(&m, 0, 0, 9000, 9010)->flags = HISTORY_F_FINAL;
	m.op[3].key = 4;
	lost = judge(&m);
	assert_int_equal(lost.acknowledged, 2);
	assert_int_equal(lost.lost, 1);
	assert_non_null(strstr(lost.words, "acknowledged 9 for k4"));
}

static void lost__works_from_time_zero(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 8, 0, 0);
	make_final(&m, 0, 0);
	assert_int_equal(judge(&m).lost, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost__a_write_that_every_replica_has_is_kept),
		cmocka_unit_test(lost__an_older_value_at_the_end_convicts),
		cmocka_unit_test(lost__nothing_at_the_end_convicts_all),
		cmocka_unit_test(lost__one_replica_that_has_it_clears),
		cmocka_unit_test(lost__a_concurrent_write_may_have_replaced_it),
		cmocka_unit_test(lost__a_write_of_unknown_outcome_may_have_replaced_it),
		cmocka_unit_test(lost__a_final_read_that_came_too_early_says_nothing),
		cmocka_unit_test(lost__only_acknowledged_writes_count),
		cmocka_unit_test(lost__without_a_final_read_nothing_is_judged),
		cmocka_unit_test(lost__keys_are_judged_apart),
		cmocka_unit_test(lost__works_from_time_zero),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
