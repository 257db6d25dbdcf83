/* SPDX-License-Identifier: MIT */
/* verdict_test.c - each rule of the verdict, with the values on both sides of its boundary */
#include <math.h>

#include "agent/lab/real.h"
#include "tests/unit/verdict_run.h"

static void verdict_p__is_pc_when_refused_and_consistent(void **state)
{
	struct make_run *m = strong_run();
	struct results *r = judge(m);

	(void)state;
	assert_string_equal(r->verdict.cap_text, "PC");
	assert_string_equal(r->verdict.pacelc_text, "PC/EC");
	assert_int_equal(r->status, EXIT_AS_EXPECTED);
	assert_true(r->claim_kept && r->expect_kept);
	assert_non_null(strstr(r->verdict.words, "east+west answered 99.8 %, far answered 0.0 %"));
	assert_non_null(strstr(r->verdict.words, "no write for 1.42 s"));
	assert_non_null(strstr(r->verdict.words, "no acknowledged write is lost"));
	make_run_close(m);
}

static void verdict_p__is_pa_when_all_sides_answer(void **state)
{
	struct make_run *m = weak_run();
	struct results *r = judge(m);

	(void)state;
	assert_string_equal(r->verdict.cap_text, "PA");
	assert_string_equal(r->verdict.pacelc_text, "PA/EL");
	assert_int_equal(r->status, EXIT_AS_EXPECTED);
	make_run_close(m);
}

static void verdict_p__is_neither_when_refused_and_stale(void **state)
{
	struct make_run *m = weak_run();
	struct results *r;

	(void)state;
	set_side(m, 1, 500, 0);
	r = judge(m);
	assert_int_equal(r->verdict.cap, CAP_NEITHER);
	assert_string_equal(r->verdict.pacelc_text, "P-/EL");
	make_run_close(m);
}

static void verdict_p__takes_99_percent_for_available(void **state)
{
	struct make_run *m = weak_run();

	(void)state;
	set_side(m, 1, 1000, 990);
	assert_int_equal(judge(m)->verdict.cap, CAP_PA);
	set_side(m, 1, 1000, 989);
	assert_int_equal(judge(m)->verdict.cap, CAP_NEITHER);
	make_run_close(m);
}

/* Requests that hung until the phase was over were not answered, though they are no attempts. */
static void verdict_p__takes_hanging_requests_for_unanswered(void **state)
{
	struct make_run *m = weak_run();

	(void)state;
	m->results.phase[1].side[1].hung = 5;
	assert_int_equal(judge(m)->verdict.cap, CAP_PA);
	m->results.phase[1].side[1].hung = 6;
	assert_int_equal(judge(m)->verdict.cap, CAP_NEITHER);
	make_run_close(m);
}

static void verdict_p__needs_30_attempts_on_each_side(void **state)
{
	struct make_run *m = strong_run();
	struct results *r;

	(void)state;
	set_side(m, 1, 30, 0);
	assert_int_equal(judge(m)->verdict.cap, CAP_PC);
	set_side(m, 1, 29, 0);
	r = judge(m);
	assert_int_equal(r->verdict.cap, CAP_INCONCLUSIVE);
	assert_string_equal(r->verdict.cap_text, "inconclusive");
	assert_int_equal(r->status, EXIT_INCONCLUSIVE);
	assert_non_null(strstr(r->why, "side far had 29 attempts in phase partition"));
	assert_non_null(strstr(r->why, "30 are needed"));
	make_run_close(m);
}

static void verdict_p__needs_a_confirmed_cut(void **state)
{
	struct make_run *m = strong_run();
	struct results *r;

	(void)state;
	m->results.phase[1].confirmed = false;
	r = judge(m);
	assert_int_equal(r->verdict.cap, CAP_INCONCLUSIVE);
	assert_int_equal(r->status, EXIT_INCONCLUSIVE);
	assert_non_null(strstr(r->why, "not confirmed"));
	make_run_close(m);
}

static void verdict_p__needs_replicas_on_two_sides(void **state)
{
	struct make_run *m = strong_run();
	struct results *r;

	(void)state;
	m->plan.phase[1].side[1].replicas = 0;
	r = judge(m);
	assert_int_equal(r->verdict.cap, CAP_INCONCLUSIVE);
	assert_non_null(strstr(r->why, "no cut put replicas on two sides"));
	make_run_close(m);
}

static void verdict_p__reports_a_side_without_a_replica_apart(void **state)
{
	struct make_run *m = weak_run();
	struct plan_phase *cut = &m->plan.phase[1];
	struct results *r;

	(void)state;
	cut->side[cut->sides++] = (struct plan_side){"c-far", 0, 1};
	r = judge(m);
	assert_int_equal(r->verdict.cap, CAP_PA);
	assert_non_null(strstr(r->verdict.words, "c-far has no replica"));
	make_run_close(m);
}

/* Gilbert and Lynch: it cannot be. So the load did not look. */
static void verdict_p__does_not_believe_in_both(void **state)
{
	struct make_run *m = weak_run();
	struct results *r;

	(void)state;
	m->results.check.verdict = CHECK_OK;
	r = judge(m);
	assert_int_equal(r->verdict.cap, CAP_INCONCLUSIVE);
	assert_int_equal(r->status, EXIT_INCONCLUSIVE);
	assert_non_null(strstr(r->why, "cannot be"));
	make_run_close(m);
}

static void verdict_p__is_not_measured_where_nothing_was_cut(void **state)
{
	struct make_run *m = strong_run();
	struct results *r;

	(void)state;
	m->results.cut_phase = -1;
	m->plan.phase[1].cut = false;
	r = judge(m);
	assert_string_equal(r->verdict.cap_text, "not measured");
	assert_string_equal(r->verdict.pacelc_text, "P?/EC");
	assert_int_equal(r->status, EXIT_AS_EXPECTED);
	make_run_close(m);
}

static void verdict_p__takes_the_worst_of_several_cuts(void **state)
{
	struct make_run *m = weak_run();
	unsigned p = make_cut_phase(m, 1000);

	(void)state;
	m->results.phase[p] = m->results.phase[1];
	m->results.phase[p].side[0].ok = 0;
	assert_int_equal(judge(m)->verdict.cap, CAP_NEITHER);
	/* A cut that is not confirmed says nothing, for or against. */
	m->results.phase[p].confirmed = false;
	assert_int_equal(judge(m)->verdict.cap, CAP_PA);
	make_run_close(m);
}

static void verdict_e__draws_the_line_at_a_tenth_of_a_round_trip(void **state)
{
	struct make_run *m = weak_run();

	(void)state;
	m->results.write_fit.b = 0.0999;
	assert_int_equal(judge(m)->verdict.otherwise, ELSE_EL);
	m->results.write_fit.b = 0.1;
	assert_int_equal(judge(m)->verdict.otherwise, ELSE_NEITHER);
	assert_string_equal(m->results.verdict.pacelc_text, "PA/E-");
	m->results.write_fit.b = 0.01;
	m->results.read_fit.b = 1;
	assert_int_equal(judge(m)->verdict.otherwise, ELSE_NEITHER);
	make_run_close(m);
}

static void verdict_e__can_be_both(void **state)
{
	struct make_run *m = strong_run();

	(void)state;
	m->results.read_fit.b = m->results.write_fit.b = 0;
	assert_int_equal(judge(m)->verdict.otherwise, ELSE_BOTH);
	assert_string_equal(m->results.verdict.pacelc_text, "PC/EC+EL");
	make_run_close(m);
}

static void verdict_e__says_ec_without_a_fit_but_not_el(void **state)
{
	struct make_run *m = strong_run();
	struct results *r = &m->results;

	(void)state;
	r->read_fit = r->write_fit = (struct results_fit){2, NAN, NAN, NAN, NAN, NAN};
	assert_int_equal(judge(m)->verdict.otherwise, ELSE_EC);
	assert_non_null(strstr(r->verdict.words, "not fitted"));
	make_run_close(m);
	m = weak_run();
	r = &m->results;
	r->read_fit = r->write_fit = (struct results_fit){0, NAN, NAN, NAN, NAN, NAN};
	assert_int_equal(judge(m)->verdict.otherwise, ELSE_INCONCLUSIVE);
	assert_string_equal(r->verdict.pacelc_text, "PA/E?");
	make_run_close(m);
}

static void verdict_e__ignores_kinds_that_are_not_issued(void **state)
{
	struct make_run *m = weak_run();

	(void)state;
	m->plan.load.write = m->plan.load.cas = 0;
	m->results.write_fit = (struct results_fit){0, NAN, NAN, NAN, NAN, NAN};
	assert_int_equal(judge(m)->verdict.otherwise, ELSE_EL);
	make_run_close(m);
}

static void verdict_e__needs_operations_before_the_cut(void **state)
{
	struct make_run *m = strong_run();

	(void)state;
	m->results.check_whole.operations = 30;
	assert_int_equal(judge(m)->verdict.otherwise, ELSE_EC);
	m->results.check_whole.operations = 29;
	assert_int_equal(judge(m)->verdict.otherwise, ELSE_INCONCLUSIVE);
	make_run_close(m);
}

static void verdict_claim__breaks_by_a_stale_answer_on_any_network(void **state)
{
	struct make_run *m = strong_run();
	struct results *r = &m->results;

	(void)state;
	r->check.verdict = CHECK_VIOLATION;
	judge(m);
	assert_int_equal(r->status, EXIT_VIOLATED);
	assert_false(r->claim_kept);
	assert_non_null(strstr(r->claim, "not linearizable when cut"));
	r->tainted = true;
	assert_int_equal(judge(m)->status, EXIT_VIOLATED);
	make_run_close(m);
}

static void verdict_claim__of_sessions_is_to_answer_those_that_stay(void **state)
{
	(void)state;
	for (unsigned roam = 0; roam <= 50; roam += 50) {
		struct make_run *m = weak_run();

		test_claim.sessions = true;
		m->plan.load.roam = roam;
		set_side(m, 1, 500, 100);
		assert_int_equal(judge(m)->claim_kept, roam > 0);
		assert_non_null(strstr(m->results.claim, "while sessions stay there"));
		make_run_close(m);
	}
}

static void verdict_claim__of_an_eventual_store_allows_stale_answers(void **state)
{
	struct make_run *m = weak_run();
	struct results *r;

	(void)state;
	m->results.lost.lost = 5;
	r = judge(m);
	assert_true(r->claim_kept);
	assert_int_equal(r->status, EXIT_AS_EXPECTED);
	assert_non_null(strstr(r->verdict.words, "5 of 3,000 acknowledged writes are lost"));
	make_run_close(m);
}

static void verdict_claim__of_a_weaker_model_is_judged_by_its_own_check(void **state)
{
	struct make_run *m = weak_run();
	struct results *r = &m->results;

	(void)state;
	test_claim.whole = PROTO_SEQUENTIAL;
	test_claim.cut = PROTO_CAUSAL;
	r->claimed_whole.model = "sequential";
	r->claimed_cut.model = "causal-cc";
	judge(m);
	assert_true(r->claim_kept);
	r->claimed_cut.check.verdict = CHECK_UNKNOWN;
	judge(m);
	assert_false(r->claim_kept);
	assert_int_equal(r->status, EXIT_INCONCLUSIVE);
	r->claimed_cut.check.verdict = CHECK_VIOLATION;
	judge(m);
	assert_int_equal(r->status, EXIT_VIOLATED);
	assert_non_null(strstr(r->claim, "broken: not causal-cc when cut"));
	make_run_close(m);
}

static void verdict_claim__breaks_by_a_lost_write(void **state)
{
	struct make_run *m = strong_run();
	struct results *r;

	(void)state;
	m->results.lost.lost = 1;
	r = judge(m);
	assert_int_equal(r->status, EXIT_VIOLATED);
	assert_non_null(strstr(r->why, "acknowledged writes are lost: 1"));
	make_run_close(m);
}

/* What is acknowledged before it is on disk may be lost with the machine. */
static void verdict_claim__of_lost_writes_is_made_with_fsync_always_only(void **state)
{
	struct make_run *m = strong_run();

	(void)state;
	m->results.lost.lost = 1;
	m->plan.fsync = WAL_SYNC_INTERVAL;
	assert_true(judge(m)->claim_kept);
	assert_non_null(strstr(m->results.claim, "may lose acknowledged writes"));
	make_run_close(m);
}

static void verdict_claim__says_how_old_reads_may_be(void **state)
{
	struct make_run *m = weak_run();
	struct results *r = &m->results;

	(void)state;
	test_claim.stale_ns = 2 * NS_PER_S;
	test_claim.stale_cut_ns = 9 * NS_PER_S;
	r->oldest_whole_ns = 2 * NS_PER_S;
	r->oldest_ns = 9 * NS_PER_S;
	assert_true(judge(m)->claim_kept);
	assert_non_null(strstr(r->claim, "reads are at most 2 s old, when cut 9 s"));
	r->oldest_whole_ns = 4 * NS_PER_S;
	assert_false(judge(m)->claim_kept);
	assert_non_null(strstr(r->claim, "was replaced 4.00 s before, while whole"));
	r->oldest_whole_ns = 0;
	r->oldest_ns = 11 * NS_PER_S;
	assert_false(judge(m)->claim_kept);
	assert_non_null(strstr(r->claim, "was replaced 11.00 s before"));
	make_run_close(m);
}

static void verdict_claim__of_all_sides_may_end_after_a_time(void **state)
{
	struct make_run *m = weak_run();
	struct results *r = &m->results;

	(void)state;
	set_side(m, 1, 500, 400);
	for (unsigned p = 0; p < m->log.phases; p++)
		r->phase[p].seconds = 5;
	test_claim.reads_cut_ns = NS_PER_S;
	test_claim.writes_cut = PROTO_SIDES_LEADER;
	assert_true(judge(m)->claim_kept);
	test_claim.reads_cut_ns = 3600 * NS_PER_S;
	assert_false(judge(m)->claim_kept);
	assert_non_null(strstr(r->claim, "far answered 200 of 250 reads"));
	make_run_close(m);
}

static void verdict_claim__wants_every_side_that_was_promised(void **state)
{
	struct make_run *m = weak_run();
	struct results *r = &m->results;

	(void)state;
	set_side(m, 1, 500, 480);
	judge(m);
	assert_int_equal(r->status, EXIT_VIOLATED);
	assert_non_null(strstr(r->claim, "far answered 240 of 250 reads"));
	/* Reads that were never sent, since writes hung, are no sign of reads that do. */
	r->phase[1].side[1].reads_late = 10;
	judge(m);
	assert_null(strstr(r->claim, "reads;"));
	assert_non_null(strstr(r->claim, "far answered 240 of 250 writes"));
	r->phase[1].side[1].reads_late = 0;
	/* On a network that cannot be trusted that proves nothing. */
	r->tainted = true;
	assert_int_equal(judge(m)->status, EXIT_INCONCLUSIVE);
	make_run_close(m);
}

static void verdict_claim__gives_a_majority_time_to_elect(void **state)
{
	struct make_run *m = strong_run();
	struct results *r = &m->results;

	(void)state;
	set_side(m, 0, 2000, 400);
	assert_true(judge(m)->claim_kept);
	r->phase[1].side[0].writes_ok = 0;
	judge(m);
	assert_false(r->claim_kept);
	assert_non_null(strstr(r->claim, "east+west, with a majority, answered no writes"));
	make_run_close(m);
}

static void verdict_claim__wants_the_side_of_the_leader(void **state)
{
	struct make_run *m = strong_run();
	struct results *r = &m->results;

	(void)state;
	test_claim.reads_cut = test_claim.writes_cut = PROTO_SIDES_LEADER;
	m->log.leader[0].leader = MAKE_N5;
	judge(m);
	assert_false(r->claim_kept);
	assert_non_null(strstr(r->claim, "far, with the leader"));
	m->log.leader[0].leader = MAKE_N1;
	assert_true(judge(m)->claim_kept);
	make_run_close(m);
}

static void verdict_claim__wants_replicas_to_agree_in_the_end(void **state)
{
	struct make_run *m = weak_run();

	(void)state;
	m->results.lost.diverged_keys = 2;
	assert_int_equal(judge(m)->status, EXIT_VIOLATED);
	assert_non_null(strstr(m->results.claim, "differ in 2 keys"));
	make_run_close(m);
}

/* A real database that is known to keep two versions: what its model claims is not held against it.
 */
static void verdict_claim__lets_those_differ_who_say_so(void **state)
{
	struct make_run *m = weak_run();
	struct real apart = {.apart = true};

	(void)state;
	m->results.lost.diverged_keys = 2;
	m->plan.real = &apart;
	assert_int_equal(judge(m)->status, EXIT_AS_EXPECTED);
	assert_non_null(strstr(m->results.claim, "may differ for good"));
	m->plan.real = NULL;
	make_run_close(m);
}

/* Its first requests went to the other side. */
static void verdict_claim__gives_those_time_who_must_notice_a_cut(void **state)
{
	struct make_run *m = weak_run();
	struct results *r = &m->results;
	struct real notices = {.notices = true};

	(void)state;
	set_side(m, 1, 500, 480);
	m->plan.real = &notices;
	assert_int_equal(judge(m)->status, EXIT_AS_EXPECTED);
	assert_non_null(strstr(r->claim, "a cut it has to notice first"));
	set_side(m, 1, 500, 0);
	assert_int_equal(judge(m)->status, EXIT_VIOLATED);
	assert_non_null(strstr(r->claim, "far answered 0 of 250 reads"));
	m->plan.real = NULL;
	make_run_close(m);
}

/* The run ends with the cut: nothing could bring the replicas together. */
static void verdict_claim__does_not_want_it_behind_a_cut(void **state)
{
	struct make_run *m = weak_run();
	unsigned phases = m->plan.phases;

	(void)state;
	m->results.lost.diverged_keys = 2;
	m->plan.phases = m->log.phases = 2;
	assert_int_equal(judge(m)->status, EXIT_AS_EXPECTED);
	expect(m, "eventual", "");
	assert_int_equal(judge(m)->status, EXIT_INCONCLUSIVE);
	m->plan.phases = phases;
	make_run_close(m);
}

static void verdict_claim__ends_where_an_operator_forces_a_leader(void **state)
{
	struct make_run *m = strong_run();
	struct run_fault *f = &m->log.fault[m->log.faults];

	(void)state;
	test_claim.unforced = true;
	m->results.check.verdict = CHECK_VIOLATION;
	m->results.lost.lost = 7;
	assert_false(judge(m)->claim_kept);
	*f = (struct run_fault){.kind = "promote", .phase = 0, .judged = true};
	m->log.faults++;
	assert_false(judge(m)->claim_kept); /* nothing was cut: there was no need for force */
	f->phase = 1;
	assert_true(judge(m)->claim_kept);
	assert_non_null(strstr(m->results.claim, "until an operator had another lead by force"));
	m->results.check_whole.verdict = CHECK_VIOLATION; /* before it was */
	assert_false(judge(m)->claim_kept);
	make_run_close(m);
}

static void verdict_claim__ends_where_clocks_differ(void **state)
{
	struct make_run *m = strong_run();
	struct run_fault *f = &m->log.fault[m->log.faults];

	(void)state;
	test_claim.needs_wall = true;
	m->results.check.verdict = m->results.check_whole.verdict = CHECK_VIOLATION;
	m->results.lost.lost = 7;
	*f = (struct run_fault){.kind = "skew", .judged = true};
	m->log.faults++;
	assert_false(judge(m)->claim_kept); /* it was set right */
	f->skew_ns = -1;
	assert_true(judge(m)->claim_kept);
	assert_non_null(strstr(m->results.claim, "void while clocks differ"));
	make_run_close(m);
}

static void verdict_claim__wants_cas_to_work(void **state)
{
	struct make_run *m = strong_run();

	(void)state;
	m->results.phase[0].cas = 30;
	m->results.phase[0].cas_ok = 0;
	assert_false(judge(m)->claim_kept);
	m->results.phase[0].cas_ok = 1;
	assert_true(judge(m)->claim_kept);
	make_run_close(m);
}

static void verdict_status__is_inconclusive_for_a_reason(void **state)
{
	struct make_run *m = strong_run();
	struct results *r = &m->results;

	(void)state;
	r->tainted = true;
	(void)snprintf(r->taint, sizeof r->taint, "the emulator lost 3 frames");
	assert_int_equal(judge(m)->status, EXIT_INCONCLUSIVE);
	assert_string_equal(r->why, "inconclusive: the emulator lost 3 frames");
	m->log.interrupted = true;
	m->log.phases = 2;
	assert_int_equal(judge(m)->status, EXIT_INCONCLUSIVE);
	assert_string_equal(r->why, "inconclusive: interrupted after 2 of 3 phases");
	make_run_close(m);
}

static void verdict_status__is_inconclusive_when_the_checker_gave_up(void **state)
{
	struct make_run *m = strong_run();
	struct results *r = &m->results;

	(void)state;
	r->check.verdict = CHECK_UNKNOWN;
	judge(m);
	assert_int_equal(r->status, EXIT_INCONCLUSIVE);
	assert_int_equal(r->verdict.cap, CAP_INCONCLUSIVE);
	assert_non_null(strstr(r->why, "gave up"));
	make_run_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdict_p__is_pc_when_refused_and_consistent),
		cmocka_unit_test(verdict_p__is_pa_when_all_sides_answer),
		cmocka_unit_test(verdict_p__is_neither_when_refused_and_stale),
		cmocka_unit_test(verdict_p__takes_99_percent_for_available),
		cmocka_unit_test(verdict_p__takes_hanging_requests_for_unanswered),
		cmocka_unit_test(verdict_p__needs_30_attempts_on_each_side),
		cmocka_unit_test(verdict_p__needs_a_confirmed_cut),
		cmocka_unit_test(verdict_p__needs_replicas_on_two_sides),
		cmocka_unit_test(verdict_p__reports_a_side_without_a_replica_apart),
		cmocka_unit_test(verdict_p__does_not_believe_in_both),
		cmocka_unit_test(verdict_p__is_not_measured_where_nothing_was_cut),
		cmocka_unit_test(verdict_p__takes_the_worst_of_several_cuts),
		cmocka_unit_test(verdict_e__draws_the_line_at_a_tenth_of_a_round_trip),
		cmocka_unit_test(verdict_e__can_be_both),
		cmocka_unit_test(verdict_e__says_ec_without_a_fit_but_not_el),
		cmocka_unit_test(verdict_e__ignores_kinds_that_are_not_issued),
		cmocka_unit_test(verdict_e__needs_operations_before_the_cut),
		cmocka_unit_test(verdict_claim__breaks_by_a_stale_answer_on_any_network),
		cmocka_unit_test(verdict_claim__of_sessions_is_to_answer_those_that_stay),
		cmocka_unit_test(verdict_claim__of_an_eventual_store_allows_stale_answers),
		cmocka_unit_test(verdict_claim__of_a_weaker_model_is_judged_by_its_own_check),
		cmocka_unit_test(verdict_claim__breaks_by_a_lost_write),
		cmocka_unit_test(verdict_claim__of_lost_writes_is_made_with_fsync_always_only),
		cmocka_unit_test(verdict_claim__says_how_old_reads_may_be),
		cmocka_unit_test(verdict_claim__of_all_sides_may_end_after_a_time),
		cmocka_unit_test(verdict_claim__wants_every_side_that_was_promised),
		cmocka_unit_test(verdict_claim__gives_a_majority_time_to_elect),
		cmocka_unit_test(verdict_claim__wants_the_side_of_the_leader),
		cmocka_unit_test(verdict_claim__wants_replicas_to_agree_in_the_end),
		cmocka_unit_test(verdict_claim__lets_those_differ_who_say_so),
		cmocka_unit_test(verdict_claim__gives_those_time_who_must_notice_a_cut),
		cmocka_unit_test(verdict_claim__does_not_want_it_behind_a_cut),
		cmocka_unit_test(verdict_claim__ends_where_an_operator_forces_a_leader),
		cmocka_unit_test(verdict_claim__ends_where_clocks_differ),
		cmocka_unit_test(verdict_claim__wants_cas_to_work),
		cmocka_unit_test(verdict_status__is_inconclusive_for_a_reason),
		cmocka_unit_test(verdict_status__is_inconclusive_when_the_checker_gave_up),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
