/* SPDX-License-Identifier: MIT */
/* promises_test.c - locks that two hold at once, and stock that is sold twice */
#include <stdlib.h>

#include "tests/check/make.h"

static enum check_verdict judge(
	struct make *m, const struct check_ops *model, struct check_result *ret)
{
	struct history_ops h = make_history(m);
	struct err err = {0};

	assert_int_equal(model->check(&h, NULL, &make_names, ret, &err), 0);
	return ret->verdict;
}

static void by(struct history_op *op, unsigned session)
{
	op->session = session;
}

static void lock__that_two_sessions_hold_at_once_is_told(void **state)
{
	struct check_result result;
	struct make m = {.count = 0};

	(void)state;
	by(make_cas(&m, 0, 2, 5, 0, 10), 1);
	by(make_cas(&m, 2, 2, 7, 1000, 1010), 2);
	by(make_cas(&m, 0, 5, 8, 1500, 1510), 1);
	by(make_cas(&m, 2, 7, 10, 1600, 1610), 2);
	assert_int_equal(judge(&m, &mutual_exclusion_ops, &result), CHECK_VIOLATION);
	assert_string_equal(result.words,
		"two held k3 at once: session 1 at n1 held it from 0.010 s to 1.500 s, and session 2 "
		"at n3 held it from 1.010 s to 1.600 s, both for 490 ms; 1 of 2 holds began while "
		"another one lasted");
	assert_int_equal(result.witnesses, 3);
}

static void lock__that_was_given_back_before_is_nobodys(void **state)
{
	struct check_result result;
	struct make m = {.count = 0};

	(void)state;
	by(make_cas(&m, 0, 2, 5, 0, 10), 1);
	by(make_cas(&m, 0, 5, 8, 1000, 1500), 1); /* from its beginning on */
	by(make_cas(&m, 2, 8, 7, 990, 1010), 2);
	by(make_unmet(&m, 1, 8, 9, 1000, 1020), 3); /* did not get it */
	assert_int_equal(judge(&m, &mutual_exclusion_ops, &result), CHECK_OK);
	m.op[1].t_invoke_ns = 1011 * MAKE_MS;
	assert_int_equal(judge(&m, &mutual_exclusion_ops, &result), CHECK_VIOLATION);
}

static void lock__that_is_never_given_back_is_held_for_ever(void **state)
{
	struct check_result result;
	struct make m = {.count = 0};

	(void)state;
	by(make_cas(&m, 0, 2, 5, 0, 10), 1);
	by(make_cas(&m, 2, 5, 7, 9000, 9010), 2);
	assert_int_equal(judge(&m, &mutual_exclusion_ops, &result), CHECK_VIOLATION);
	assert_non_null(strstr(result.words, "held it from 0.010 s on"));
}

/* Who was not told that it has a lock does not act as if it had. */
static void lock__of_unknown_outcome_is_held_by_nobody(void **state)
{
	struct check_result result;
	struct make m = {.count = 0};

	(void)state;
	by(make_cas(&m, 0, 2, 5, 0, MAKE_NEVER), 1);
	by(make_cas(&m, 2, 2, 7, 1000, 1010), 2);
	assert_int_equal(judge(&m, &mutual_exclusion_ops, &result), CHECK_OK);
}

/* Without compare-and-set: written, and seen there. */
static void lock__is_held_by_who_sees_its_own_token(void **state)
{
	struct check_result result;
	struct make m = {.count = 0};

	(void)state;
	by(make_write(&m, 0, 5, 0, 10), 1);
	by(make_write(&m, 2, 7, 5, 15), 2);
	by(make_read(&m, 0, 5, 20, 30), 1);
	assert_int_equal(judge(&m, &mutual_exclusion_ops, &result), CHECK_OK);
	by(make_read(&m, 2, 5, 20, 40), 2); /* another's */
	assert_int_equal(judge(&m, &mutual_exclusion_ops, &result), CHECK_OK);
	m.op[3].value = 7;
	assert_int_equal(judge(&m, &mutual_exclusion_ops, &result), CHECK_VIOLATION);
	m.op[3].flags = HISTORY_F_FINAL;
	assert_int_equal(judge(&m, &mutual_exclusion_ops, &result), CHECK_OK);
}

static struct history_op *change(
	struct make *m, unsigned node, int64_t by, uint64_t invoke_ms, uint64_t return_ms)
{
	struct history_op *op = make_op(m, node, HISTORY_INCREASE, 3, invoke_ms, return_ms);

	op->value = (uint64_t)by;
	return op;
}

static void stock__of_which_more_is_sold_than_there_was_is_told(void **state)
{
	struct check_result result;
	struct make m = {.count = 0};

	(void)state;
	change(&m, 0, 2, 0, 10);
	change(&m, 0, -1, 100, 110);
	change(&m, 1, -1, 200, 210);
	assert_int_equal(judge(&m, &no_overselling_ops, &result), CHECK_OK);
	change(&m, 2, -1, 150, 220);
	change(&m, 2, -1, 300, 310);
	assert_int_equal(judge(&m, &no_overselling_ops, &result), CHECK_VIOLATION);
	assert_string_equal(result.words,
		"of k3 there were 2, and 4 were sold: n3 sold the first too many at 0.220 s; 2 "
		"oversold of 1 item");
	assert_int_equal(result.witnesses, 4); /* what was there, and three sales */
}

static void stock__counts_sales_that_were_acknowledged(void **state)
{
	struct check_result result;
	struct make m = {.count = 0};
	struct history_op *op;

	(void)state;
	change(&m, 0, 1, 0, MAKE_NEVER); /* may be there all the same */
	change(&m, 0, -1, 100, 110);
	change(&m, 1, -1, 200, MAKE_NEVER);
	op = change(&m, 1, -1, 300, 310);
	op->outcome = HISTORY_FAIL;
	assert_int_equal(judge(&m, &no_overselling_ops, &result), CHECK_OK);
	op->outcome = HISTORY_OK;
	assert_int_equal(judge(&m, &no_overselling_ops, &result), CHECK_VIOLATION);
}

/* What is put there later cannot have been sold before. */
static void stock__that_comes_too_late_does_not_count(void **state)
{
	struct check_result result;
	struct make m = {.count = 0};

	(void)state;
	change(&m, 0, -1, 100, 110);
	change(&m, 0, 1, 111, 120);
	assert_int_equal(judge(&m, &no_overselling_ops, &result), CHECK_VIOLATION);
	m.op[1].t_invoke_ns = 105 * MAKE_MS;
	assert_int_equal(judge(&m, &no_overselling_ops, &result), CHECK_OK);
}

static void promises__are_judged_only_if_asked_for(void **state)
{
	struct make m = {.count = 0};
	struct history_ops h;
	struct check_auto *all = calloc(1, sizeof *all);
	struct check_budget budget = {.time_ns = 0};
	struct err err = {0};

	(void)state;
	assert_non_null(all);
	by(make_cas(&m, 0, 2, 5, 0, 10), 1);
	h = make_history(&m);
	assert_int_equal(check_auto(&h, CHECK_REGISTER, &budget, &make_names, all, &err), 0);
	for (unsigned i = 0; i < all->models; i++)
		assert_false(all->model[i].ops->asked);
	assert_ptr_equal(check_find("mutual-exclusion", CHECK_REGISTER), &mutual_exclusion_ops);
	assert_ptr_equal(check_find("no-overselling", CHECK_COUNTER), &no_overselling_ops);
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock__that_two_sessions_hold_at_once_is_told),
		cmocka_unit_test(lock__that_was_given_back_before_is_nobodys),
		cmocka_unit_test(lock__that_is_never_given_back_is_held_for_ever),
		cmocka_unit_test(lock__of_unknown_outcome_is_held_by_nobody),
		cmocka_unit_test(lock__is_held_by_who_sees_its_own_token),
		cmocka_unit_test(stock__of_which_more_is_sold_than_there_was_is_told),
		cmocka_unit_test(stock__counts_sales_that_were_acknowledged),
		cmocka_unit_test(stock__that_comes_too_late_does_not_count),
		cmocka_unit_test(promises__are_judged_only_if_asked_for),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
