/* SPDX-License-Identifier: MIT */
/* expect_test.c - what a lab expects: met or not, and what is said of it */
#include <math.h>

#include "tests/unit/verdict_run.h"

static void verdict_expectation__is_met_or_not(void **state)
{
	struct make_run *m = strong_run();
	struct results *r = &m->results;

	(void)state;
	expect(m, "linearizable", "PC/EC");
	assert_true(judge(m)->expect_kept);
	assert_int_equal(r->status, EXIT_AS_EXPECTED);
	expect(m, "", "PA/EC");
	assert_false(judge(m)->expect_kept);
	assert_int_equal(r->status, EXIT_VIOLATED);
	assert_non_null(strstr(r->why, "PA/EC not met"));
	expect(m, "", "PC/EL");
	assert_false(judge(m)->expect_kept);
	expect(m, "", "PC");
	assert_true(judge(m)->expect_kept);
	make_run_close(m);
}

static void verdict_expectation__of_a_model_is_disproved_by_the_history(void **state)
{
	struct make_run *m = weak_run();

	(void)state;
	expect(m, "linearizable", "");
	m->results.tainted = true;
	assert_int_equal(judge(m)->status, EXIT_VIOLATED);
	expect(m, "eventual", "");
	assert_true(judge(m)->expect_kept);
	make_run_close(m);
}

static void verdict_expectation__of_a_weaker_model_is_judged_by_its_own_check(void **state)
{
	struct make_run *m = weak_run();

	(void)state;
	expect(m, "causal-ccv", "");
	m->results.expected[0].model = m->plan.expect.model[0].name;
	m->results.expecteds = 1;
	m->results.expected[0].check.verdict = CHECK_VIOLATION;
	assert_int_equal(judge(m)->status, EXIT_VIOLATED);
	assert_non_null(strstr(m->results.why, "causal-ccv not met"));
	m->results.expected[0].check.verdict = CHECK_UNKNOWN;
	assert_int_equal(judge(m)->status, EXIT_INCONCLUSIVE);
	m->results.expected[0].check.verdict = CHECK_OK;
	assert_true(judge(m)->expect_kept);
	make_run_close(m);
}

static void verdict_expectation__can_be_of_a_model_that_breaks(void **state)
{
	struct make_run *m = weak_run();

	(void)state;
	expect(m, "linearizable", "");
	m->plan.expect.model[0].broken = true;
	assert_true(judge(m)->expect_kept);
	assert_string_equal(m->results.expect, "not linearizable met");
	m->results.check.verdict = CHECK_OK;
	assert_false(judge(m)->expect_kept);
	assert_string_equal(m->results.expect, "not linearizable not met (it was kept)");
	make_run_close(m);
}

static void verdict_expectation__of_counts_says_what_was_measured(void **state)
{
	struct make_run *m = weak_run();
	struct plan_expect *e = &m->plan.expect;
	struct results *r = &m->results;

	(void)state;
	e->lost = (struct plan_range){true, 1, INFINITY};
	assert_false(judge(m)->expect_kept);
	assert_int_equal(r->status, EXIT_VIOLATED);
	assert_string_equal(r->expect, "lost writes some not met (0 of 3,000)");
	r->lost.lost = 12;
	assert_true(judge(m)->expect_kept);
	e->lost = (struct plan_range){true, 1, 11};
	assert_false(judge(m)->expect_kept);
	assert_string_equal(r->expect, "lost writes 1 to 11 not met (12 of 3,000)");
	*e = (struct plan_expect){.stale = {true, 0, 0}};
	r->reads = 500;
	assert_true(judge(m)->expect_kept);
	r->stale = 1;
	r->tainted = true; /* it stands in the history all the same */
	assert_int_equal(judge(m)->status, EXIT_VIOLATED);
	assert_string_equal(r->expect, "stale reads none not met (1 of 500)");
	make_run_close(m);
}

static void verdict_expectation__of_a_side_says_what_was_measured(void **state)
{
	struct make_run *m = strong_run();
	struct plan_expect *e = &m->plan.expect;
	struct results *r = &m->results;

	(void)state;
	e->available[PLAN_MAJORITY] = (struct plan_range){true, 99, INFINITY};
	e->available[PLAN_MINORITY] = (struct plan_range){true, 0, 1};
	assert_true(judge(m)->expect_kept);
	set_side(m, 1, 500, 400);
	assert_false(judge(m)->expect_kept);
	assert_non_null(strstr(r->expect, "minority answered none not met (80.0 % of 500)"));
	set_side(m, 1, 20, 0); /* too few to say */
	assert_non_null(strstr(judge(m)->expect, "minority answered none open"));
	make_run_close(m);
}

static void verdict_expectation__of_convergence(void **state)
{
	struct make_run *m = strong_run();
	struct plan_range *want = &m->plan.expect.converged;

	(void)state;
	*want = (struct plan_range){true, 1, 1};
	assert_true(judge(m)->expect_kept);
	m->results.converged_s = NAN;
	assert_false(judge(m)->expect_kept);
	*want = (struct plan_range){true, 0, 0};
	assert_true(judge(m)->expect_kept);
	make_run_close(m);
}

static void verdict_expectation__is_open_where_letters_are_missing(void **state)
{
	struct make_run *m = strong_run();
	struct results *r = &m->results;

	(void)state;
	r->cut_phase = -1;
	m->plan.phase[1].cut = false;
	expect(m, "", "PC/EC");
	judge(m);
	assert_false(r->expect_kept);
	assert_int_equal(r->status, EXIT_INCONCLUSIVE);
	/* What was measured contradicts all the same. */
	expect(m, "", "PC/EL");
	assert_int_equal(judge(m)->status, EXIT_VIOLATED);
	make_run_close(m);
}

static void verdict_expectation__of_one_letter_is_met_by_both(void **state)
{
	struct make_run *m = strong_run();

	(void)state;
	m->results.read_fit.b = m->results.write_fit.b = 0;
	expect(m, "", "PC/EC");
	assert_true(judge(m)->expect_kept);
	expect(m, "", "PC/EL");
	assert_true(judge(m)->expect_kept);
	expect(m, "", "PC/E-");
	assert_false(judge(m)->expect_kept);
	make_run_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdict_expectation__is_met_or_not),
		cmocka_unit_test(verdict_expectation__of_a_model_is_disproved_by_the_history),
		cmocka_unit_test(verdict_expectation__of_a_weaker_model_is_judged_by_its_own_check),
		cmocka_unit_test(verdict_expectation__can_be_of_a_model_that_breaks),
		cmocka_unit_test(verdict_expectation__of_counts_says_what_was_measured),
		cmocka_unit_test(verdict_expectation__of_a_side_says_what_was_measured),
		cmocka_unit_test(verdict_expectation__of_convergence),
		cmocka_unit_test(verdict_expectation__is_open_where_letters_are_missing),
		cmocka_unit_test(verdict_expectation__of_one_letter_is_met_by_both),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
