/* SPDX-License-Identifier: MIT */
/* measure_test.c - the numbers of runs that are small enough to be counted by hand */
#include <errno.h>
#include <math.h>

#include "tests/unit/make_run.h"

/* @n acknowledged writes of @site, one every @every_ms from @from_ms on, each taking 1 ms. */
static void writes(
	struct make_run *m, unsigned site, uint64_t from_ms, unsigned n, uint64_t every_ms)
{
	for (unsigned i = 0; i < n; i++)
		make_write(m, site, from_ms + i * every_ms, from_ms + i * every_ms + 1);
}

static void refusals(
	struct make_run *m, unsigned site, uint64_t from_ms, unsigned n, uint64_t every_ms)
{
	size_t first = m->count;

	writes(m, site, from_ms, n, every_ms);
	for (size_t i = first; i < m->count; i++)
		make_refused(&m->op[i]);
}

static void measure__counts_an_operation_where_it_was_meant_to_start(void **state)
{
	struct make_run *m = make_run_open("single");
	struct history_op *op;
	struct results *r;

	(void)state;
	make_phase(m, "one", 1000);
	make_phase(m, "two", 1000);
	op = make_write(m, MAKE_EAST, 999, 1300);
	op->t_invoke_ns = make_at(1200);
	make_write(m, MAKE_EAST, 1000, 1001);
	r = make_measure(m);
	assert_int_equal(r->phase[0].ok, 1);
	assert_int_equal(r->phase[1].ok, 1);
	assert_near(r->phase[0].write.max_ms, 301);
	make_run_close(m);
}

static void measure__counts_no_operation_outside_all_phases(void **state)
{
	struct make_run *m = make_run_open("single");
	struct results *r;

	(void)state;
	make_phase(m, "one", 1000);
	m->log.phase[0].t_begin_ns = make_at(100);
	make_write(m, MAKE_EAST, 99, 101);
	make_write(m, MAKE_EAST, 1000, 1001);
	r = make_measure(m);
	assert_int_equal(r->phase[0].ok + r->phase[0].failed + r->phase[0].unknown, 0);
	make_run_close(m);
}

static void measure__tells_failed_from_unknown(void **state)
{
	struct make_run *m = make_run_open("single");
	struct results *r;

	(void)state;
	make_phase(m, "one", 1000);
	make_write(m, MAKE_EAST, 1, MAKE_NEVER);
	make_refused(make_write(m, MAKE_EAST, 2, 3));
	make_refused(make_read(m, MAKE_EAST, 3, 4));
	make_write(m, MAKE_EAST, 4, 5);
	r = make_measure(m);
	assert_int_equal(r->phase[0].ok, 1);
	assert_int_equal(r->phase[0].failed, 2);
	assert_int_equal(r->phase[0].unknown, 1);
	assert_int_equal(r->phase[0].write.count, 1);
	make_run_close(m);
}

static void measure__tells_what_the_next_phase_caught(void **state)
{
	struct make_run *m = make_run_open("single");
	struct results *r;

	(void)state;
	make_phase(m, "one", 1000);
	make_phase(m, "two", 1000);
	make_refused(make_write(m, MAKE_EAST, 10, 20));     /* its own fault */
	make_refused(make_write(m, MAKE_EAST, 900, 1100));  /* caught */
	make_write(m, MAKE_EAST, 950, MAKE_NEVER);          /* caught, unknown */
	make_write(m, MAKE_EAST, 990, 1200);                /* answered all the same */
	make_refused(make_write(m, MAKE_EAST, 1900, 2100)); /* no phase comes after it */
	r = make_measure(m);
	assert_int_equal(r->phase[0].failed + r->phase[0].unknown, 3);
	assert_int_equal(r->phase[0].caught, 2);
	assert_int_equal(r->phase[1].failed, 1);
	assert_int_equal(r->phase[1].caught, 0);
	make_run_close(m);
}

static void measure__takes_quantiles_by_nearest_rank(void **state)
{
	struct make_run *m = make_run_open("single");
	struct results *r;

	(void)state;
	make_phase(m, "one", 1000);
	for (unsigned i = 100; i >= 1; i--)
		make_read(m, MAKE_EAST, 5, 5 + i);
	r = make_measure(m);
	assert_int_equal(r->phase[0].read.count, 100);
	assert_near(r->phase[0].read.p50_ms, 50);
	assert_near(r->phase[0].read.p90_ms, 90);
	assert_near(r->phase[0].read.p99_ms, 99);
	assert_near(r->phase[0].read.max_ms, 100);
	make_run_close(m);
}

/* One copy on n1: east pays nothing, west 20 ms, far 40 ms; the median operation is west's. */
static void measure__takes_the_floor_of_the_median_operation(void **state)
{
	struct make_run *m = make_run_open("single");
	struct results *r;

	(void)state;
	make_phase(m, "one", 1000);
	make_read(m, MAKE_EAST, 5, 6);
	make_read(m, MAKE_WEST, 5, 27);
	make_read(m, MAKE_FAR, 5, 49);
	r = make_measure(m);
	assert_near(r->phase[0].read.floor_ms, 20);
	make_run_close(m);
}

static void measure__has_no_latency_without_answers(void **state)
{
	struct make_run *m = make_run_open("single");
	struct results *r;

	(void)state;
	make_phase(m, "one", 1000);
	make_refused(make_read(m, MAKE_EAST, 5, 6));
	r = make_measure(m);
	assert_true(isnan(r->phase[0].read.p50_ms) && isnan(r->phase[0].read.max_ms));
	assert_true(isnan(r->phase[0].write.p99_ms) && isnan(r->phase[0].write.floor_ms));
	make_run_close(m);
}

static void measure__keeps_final_reads_out_of_the_phases(void **state)
{
	struct make_run *m = make_run_open("single");
	struct results *r;

	(void)state;
	make_phase(m, "one", 1000);
	make_read(m, MAKE_EAST, 5, 6)->flags = HISTORY_F_FINAL;
	r = make_measure(m);
	assert_int_equal(r->phase[0].ok, 0);
	assert_int_equal(r->check.operations, 1);
	make_run_close(m);
}

static void measure_sides__count_by_the_side_of_the_client(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;

	(void)state;
	make_cut_phase(m, 1000);
	writes(m, MAKE_EAST, 10, 20, 10);
	writes(m, MAKE_WEST, 10, 15, 10);
	make_read(m, MAKE_WEST, 500, 501);
	refusals(m, MAKE_FAR, 10, 12, 10);
	r = make_measure(m);
	assert_int_equal(r->phase[0].side[0].attempts, 36);
	assert_int_equal(r->phase[0].side[0].ok, 36);
	assert_int_equal(r->phase[0].side[0].reads_ok, 1);
	assert_int_equal(r->phase[0].side[0].writes_ok, 35);
	assert_int_equal(r->phase[0].side[1].attempts, 12);
	assert_int_equal(r->phase[0].side[1].ok, 0);
	make_run_close(m);
}

static void measure_sides__strand_what_was_under_way_at_the_cut_and_at_the_heal(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;

	(void)state;
	make_cut_phase(m, 1000);
	make_heal_phase(m, 1000);
	m->log.fault[0].t_last_ns = make_at(20);
	make_write(m, MAKE_FAR, 19, 40);          /* meant to start before the cut was whole */
	make_write(m, MAKE_FAR, 20, 40);          /* counts */
	make_write(m, MAKE_FAR, 900, 1000);       /* counts: ended with the phase */
	make_write(m, MAKE_FAR, 900, 1001);       /* answered after the heal */
	make_write(m, MAKE_FAR, 500, MAKE_NEVER); /* its deadline passed after the heal */
	r = make_measure(m);
	assert_int_equal(r->phase[0].side[1].attempts, 2);
	assert_int_equal(r->phase[0].side[1].stranded, 3);
	make_run_close(m);
}

/* The phase is shorter than the deadline: whoever hung has no answer when it ends. */
static void measure_sides__tell_who_hung_until_the_heal(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;

	(void)state;
	make_cut_phase(m, 500);
	make_heal_phase(m, 2000);
	make_write(m, MAKE_FAR, 100, MAKE_NEVER);
	make_refused(make_write(m, MAKE_FAR, 200, 900));
	make_write(m, MAKE_FAR, 300, 501);      /* the heal helped it */
	make_write(m, MAKE_FAR, 0, MAKE_NEVER); /* began before the cut was whole */
	make_write(m, MAKE_FAR, 600, MAKE_NEVER);
	r = make_measure(m);
	assert_int_equal(r->phase[0].side[1].hung, 2);
	assert_int_equal(r->phase[0].side[1].stranded, 4);
	assert_int_equal(r->phase[0].side[1].attempts, 0);
	make_run_close(m);
}

/* A write hangs, and what its client has to do until then is never sent. */
static void measure_sides__tell_what_was_never_sent(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;

	(void)state;
	make_cut_phase(m, 1000);
	make_write(m, MAKE_FAR, 10, 500);
	make_late(make_read(m, MAKE_FAR, 20, 21));
	make_refused(make_read(m, MAKE_FAR, 30, 31));
	make_late(make_write(m, MAKE_FAR, 40, 41));
	r = make_measure(m);
	assert_int_equal(r->phase[0].side[1].attempts, 4);
	assert_int_equal(r->phase[0].side[1].reads, 2);
	assert_int_equal(r->phase[0].side[1].reads_late, 1);
	assert_int_equal(r->phase[0].side[1].writes_late, 1);
	make_run_close(m);
}

static void measure_sides__strand_requests_to_the_other_side(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;

	(void)state;
	make_cut_phase(m, 1000);
	make_refused(make_write(m, MAKE_FAR, 10, 20));
	m->op[0].node = MAKE_N1;
	r = make_measure(m);
	assert_int_equal(r->phase[0].side[1].attempts, 0);
	assert_int_equal(r->phase[0].side[1].stranded, 1);
	make_run_close(m);
}

/* Links between the replicas only are cut: far's client still reaches n1. */
static void measure_sides__follow_the_replica_where_the_client_reaches_both(void **state)
{
	struct make_run *m = make_run_open("raft");
	unsigned p = make_cut_phase(m, 1000);
	unsigned client = m->plan.site[MAKE_FAR].client;
	struct results *r;

	(void)state;
	link_matrix_at(&m->plan.phase[p].matrix, client, MAKE_N1)->cut = CUT_NONE;
	link_matrix_at(&m->plan.phase[p].matrix, MAKE_N1, client)->cut = CUT_NONE;
	make_write(m, MAKE_FAR, 10, 20)->node = MAKE_N1;
	r = make_measure(m);
	assert_int_equal(r->phase[0].side[0].attempts, 1);
	assert_int_equal(r->phase[0].side[1].stranded, 0);
	make_run_close(m);
}

static void measure_sides__strand_requests_to_a_killed_replica(void **state)
{
	struct make_run *m = make_run_open("raft");
	unsigned p = make_phase(m, "one", 1000);
	struct run_fault *kill = make_fault(m, p, "kill");
	struct run_fault *restart = make_fault(m, p, "restart");
	struct results *r;

	(void)state;
	kill->node = restart->node = MAKE_N1;
	kill->t_first_ns = make_at(100);
	restart->t_last_ns = make_at(200);
	make_write(m, MAKE_EAST, 50, 60);                /* before */
	make_refused(make_write(m, MAKE_EAST, 95, 105)); /* hit by it */
	make_refused(make_write(m, MAKE_EAST, 150, 151));
	make_write(m, MAKE_EAST, 200, 201); /* after */
	make_write(m, MAKE_WEST, 150, 151); /* another replica */
	r = make_measure(m);
	assert_int_equal(r->phase[0].side[0].attempts, 3);
	assert_int_equal(r->phase[0].side[0].stranded, 2);
	make_run_close(m);
}

static void measure_sides__do_not_ask_for_cas_where_none_is_claimed(void **state)
{
	struct make_run *m = make_run_open("cassandra-one");
	struct history_op *op;
	struct results *r;

	(void)state;
	make_phase(m, "one", 1000);
	op = make_write(m, MAKE_EAST, 10, 11);
	op->kind = HISTORY_CAS;
	make_refused(op);
	r = make_measure(m);
	assert_int_equal(r->phase[0].side[0].attempts, 0);
	make_run_close(m);
}

/* Half of the reads take 8 ms longer: which half the median is of is chance. */
/* Acknowledged at 301 and 801: the longest span is the one in between. */
static void measure_unavailable__is_the_longest_span_without_a_write(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;

	(void)state;
	make_cut_phase(m, 1000);
	make_write(m, MAKE_WEST, 800, 801);
	make_write(m, MAKE_EAST, 300, 301);
	make_read(m, MAKE_EAST, 500, 501);
	writes(m, MAKE_FAR, 310, 40, 10);
	r = make_measure(m);
	assert_int_equal(r->cut_phase, 0);
	assert_near(r->unavailable_s, 0.5);
	make_run_close(m);
}

static void measure_unavailable__begins_with_the_cut_and_ends_with_the_phase(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;

	(void)state;
	make_cut_phase(m, 1000);
	m->log.fault[0].t_last_ns = make_at(100);
	r = make_measure(m);
	assert_near(r->unavailable_s, 0.9);
	make_write(m, MAKE_EAST, 699, 700);
	r = make_measure(m);
	assert_near(r->unavailable_s, 0.6);
	make_run_close(m);
}

static void measure_unavailable__does_not_take_an_unmet_cas_for_a_write(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct history_op *op;
	struct results *r;

	(void)state;
	make_cut_phase(m, 1000);
	m->log.fault[0].t_last_ns = make_at(0);
	op = make_write(m, MAKE_EAST, 499, 500);
	op->kind = HISTORY_CAS;
	op->old = 77;
	r = make_measure(m);
	assert_near(r->unavailable_s, 1);
	make_run_close(m);
}

static void measure_unavailable__needs_a_cut_and_a_majority(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;
	unsigned p;

	(void)state;
	make_phase(m, "one", 1000);
	r = make_measure(m);
	assert_int_equal(r->cut_phase, -1);
	assert_true(isnan(r->unavailable_s) && isnan(r->heal_outage_s));
	assert_true(isnan(r->recovered_s) && isnan(r->converged_s));
	p = make_cut_phase(m, 1000);
	m->plan.phase[p].side[0].replicas = 2;
	r = make_measure(m);
	assert_int_equal(r->cut_phase, 1);
	assert_true(isnan(r->unavailable_s));
	make_run_close(m);
}

static void measure_recovered__is_the_first_write_of_the_side_that_had_none(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;

	(void)state;
	make_cut_phase(m, 1000);
	make_heal_phase(m, 1000);
	writes(m, MAKE_EAST, 10, 190, 10);
	refusals(m, MAKE_FAR, 10, 90, 10);
	make_write(m, MAKE_FAR, 0, 5); /* was under way at the cut */
	make_read(m, MAKE_FAR, 1050, 1060);
	make_write(m, MAKE_FAR, 1200, 1251);
	make_write(m, MAKE_FAR, 1100, 1301);
	r = make_measure(m);
	assert_near(r->recovered_s, 0.25); /* the heal was done at 1001 ms */
	make_run_close(m);
}

static void measure_heal_outage__is_the_same_after_the_heal(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;

	(void)state;
	make_cut_phase(m, 1000);
	make_heal_phase(m, 1000);
	writes(m, MAKE_EAST, 10, 100, 10);   /* all is well until the heal ... */
	make_write(m, MAKE_FAR, 1700, 1701); /* ... which takes 700 ms to elect another leader */
	r = make_measure(m);
	assert_near(r->heal_outage_s, 0.7); /* the heal was done at 1001 ms */
	make_write(m, MAKE_WEST, 1200, 1201);
	r = make_measure(m);
	assert_near(r->heal_outage_s, 0.5);
	make_run_close(m);
}

static void measure_recovered__is_nothing_if_all_sides_could_write(void **state)
{
	struct make_run *m = make_run_open("cassandra-one");
	struct results *r;

	(void)state;
	make_cut_phase(m, 1000);
	make_heal_phase(m, 1000);
	for (unsigned s = 0; s < MAKE_SITES; s++)
		writes(m, s, 10, 190, 10);
	r = make_measure(m);
	assert_true(isnan(r->recovered_s));
	make_run_close(m);
}

static void measure_converged__counts_from_the_heal(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;
	unsigned p;

	(void)state;
	make_cut_phase(m, 1000);
	p = make_heal_phase(m, 1000);
	m->log.phase[p].converged_ns = 351 * MAKE_MS;
	r = make_measure(m);
	assert_near(r->converged_s, 0.35);
	m->log.phase[p].converged_ns = UINT64_MAX;
	r = make_measure(m);
	assert_true(isnan(r->converged_s));
	make_run_close(m);
}

static void measure__survives_an_interruption(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;

	(void)state;
	make_phase(m, "baseline", 1000);
	make_cut_phase(m, 1000);
	make_heal_phase(m, 1000);
	writes(m, MAKE_EAST, 0, 140, 10);
	m->log.phases = 2;
	m->log.faults = 1;
	m->log.phase[1].t_end_ns = 0; /* it did not come to its end */
	m->log.t_end_ns = make_at(1500);
	m->log.interrupted = true;
	r = make_measure(m);
	assert_near(r->phase[1].seconds, 0.5);
	assert_int_equal(r->phase[1].ok, 40);
	assert_true(isnan(r->recovered_s));
	make_run_close(m);
}

static void measure__survives_a_run_of_no_phase(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;

	(void)state;
	make_phase(m, "baseline", 1000);
	m->log.phases = 0;
	r = make_measure(m);
	assert_int_equal(r->check.operations, 0);
	assert_int_equal(r->cut_phase, -1);
	make_run_close(m);
}

static void measure_evidence__confirms_a_phase_by_its_own_changes(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;

	(void)state;
	make_phase(m, "baseline", 1000);
	make_cut_phase(m, 1000);
	make_heal_phase(m, 1000);
	r = make_measure(m);
	assert_true(r->phase[0].confirmed && r->phase[1].confirmed && r->phase[2].confirmed);
	assert_false(r->tainted);
	m->log.fault[0].evidence.result = EVIDENCE_MISMATCH;
	(void)snprintf(m->log.fault[0].evidence.why, sizeof m->log.fault[0].evidence.why,
		"3 packets crossed");
	r = make_measure(m);
	assert_true(r->phase[0].confirmed && !r->phase[1].confirmed && r->phase[2].confirmed);
	assert_true(r->tainted);
	assert_non_null(strstr(r->taint, "3 packets crossed"));
	m->log.fault[0].evidence.result = EVIDENCE_CONFIRMED;
	m->log.fault[0].judged = false;
	r = make_measure(m);
	assert_false(r->phase[1].confirmed);
	make_run_close(m);
}

static void measure_evidence__goes_on_where_nothing_changed(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;

	(void)state;
	make_cut_phase(m, 1000);
	make_cut_phase(m, 1000);
	m->log.faults = 1;
	r = make_measure(m);
	assert_true(r->phase[1].confirmed);
	m->log.fault[0].evidence.result = EVIDENCE_INCONCLUSIVE;
	r = make_measure(m);
	assert_false(r->phase[1].confirmed);
	m->log.faults = 0;
	r = make_measure(m);
	assert_false(r->phase[0].confirmed);
	make_run_close(m);
}

/* The log has no room for more faults: what was done is not known to have been seen. */
static void measure_evidence__wants_it_of_a_cut_that_was_not_recorded(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;

	(void)state;
	make_phase(m, "baseline", 1000);
	make_cut_phase(m, 1000);
	m->log.faults = 0;
	r = make_measure(m);
	assert_true(r->phase[0].confirmed);
	assert_false(r->phase[1].confirmed);
	assert_string_equal(r->taint, "the network of phase partition is not confirmed");
	make_run_close(m);
}

/* The second phase cuts n1 off as well; far is still cut by the change that nobody saw. */
static void measure_evidence__doubts_a_cut_that_goes_on(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;
	unsigned p;

	(void)state;
	make_cut_phase(m, 1000);
	p = make_cut_phase(m, 1000);
	link_matrix_at(&m->plan.phase[p].matrix, MAKE_N1, MAKE_N2)->cut = CUT_EDGE;
	r = make_measure(m);
	assert_true(r->phase[0].confirmed && r->phase[1].confirmed);
	m->log.fault[0].evidence.result = EVIDENCE_INCONCLUSIVE;
	r = make_measure(m);
	assert_false(r->phase[0].confirmed || r->phase[1].confirmed);
	make_run_close(m);
}

/* Quantiles of the histogram are exact to 1/64. */
static void late(struct make_run *m, uint64_t ns)
{
	memset(&m->log.quality.late, 0, sizeof m->log.quality.late);
	for (unsigned i = 0; i < 100; i++)
		hist_add(&m->log.quality.late, ns);
}

static void measure_taint__allows_a_share_of_the_smallest_delay(void **state)
{
	struct make_run *m = make_run_open("raft");

	(void)state;
	make_phase(m, "one", 1000); /* smallest delay 10 ms: 0.5 ms may be late */
	late(m, 480000);
	assert_false(make_measure(m)->tainted);
	late(m, 520000);
	assert_true(make_measure(m)->tainted);
	m->log.quality.bias_ns = 100000;
	assert_false(make_measure(m)->tainted);
	m->log.quality.bias_ns = 0;
	make_fault(m, make_fit_phase(m, 1),
		"delay"); /* 0.5 ms: now 0.2 ms, the least that is asked for */
	late(m, 190000);
	assert_false(make_measure(m)->tainted);
	late(m, 210000);
	assert_true(make_measure(m)->tainted);
	make_run_close(m);
}

static void measure_taint__names_what_is_wrong(void **state)
{
	struct make_run *m = make_run_open("raft");

	(void)state;
	make_phase(m, "one", 1000);
	m->log.cpu_busy = 0.95;
	assert_false(make_measure(m)->tainted);
	m->log.cpu_busy = 0.96;
	assert_non_null(strstr(make_measure(m)->taint, "96 % busy"));
	m->log.quality.realtime = false;
	assert_non_null(strstr(make_measure(m)->taint, "real-time"));
	m->log.quality.lost = 3;
	assert_non_null(strstr(make_measure(m)->taint, "lost 3 frames"));
	make_run_close(m);
}

static void measure_taint__wants_process_faults_confirmed(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct run_fault *f;

	(void)state;
	make_phase(m, "one", 1000);
	f = make_fault(m, 0, "kill");
	f->node = MAKE_N1;
	f->links = 0;
	assert_false(make_measure(m)->tainted);
	f->judged = false;
	assert_true(make_measure(m)->tainted);
	make_run_close(m);
}

static void measure__refuses_the_history_of_another_plan(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct history_ops ops = {.op = m->op, .count = 1};
	struct err err = {0};

	(void)state;
	make_phase(m, "one", 1000);
	make_write(m, MAKE_EAST, 10, 20)->client = 99;
	assert_int_equal(measure(&m->results, &m->plan, &m->log, &ops, &err), -EBADMSG);
	m->op[0].client = 5;
	m->op[0].node = MAKE_REPLICAS;
	assert_int_equal(measure(&m->results, &m->plan, &m->log, &ops, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "does not fit the plan"));
	make_run_close(m);
}

static void sequential_claim(const struct proto_config *cfg, struct proto_claim *ret)
{
	(void)cfg;
	*ret = (struct proto_claim){.whole = PROTO_SEQUENTIAL, .cut = PROTO_CAUSAL};
}

/* One session writes 1, then 2; another one reads 2, then 1, when links are cut. */
static void measure_claim__is_checked_before_the_cut_and_in_all(void **state)
{
	struct make_run *m = make_run_open("raft");
	const struct results *r;
	struct history_op *op[4];

	(void)state;
	m->ops.claim = sequential_claim;
	make_phase(m, "baseline", 1000);
	make_cut_phase(m, 1000);
	op[0] = make_write(m, MAKE_EAST, 10, 20);
	op[1] = make_write(m, MAKE_EAST, 30, 40);
	op[2] = make_read(m, MAKE_FAR, 1100, 1110);
	op[3] = make_read(m, MAKE_FAR, 1120, 1130);
	for (unsigned i = 0; i < 4; i++) {
		op[i]->key = 1;
		op[i]->session = 1 + i / 2;
	}
	op[2]->value = op[1]->value;
	op[3]->value = op[0]->value;
	r = make_measure(m);
	assert_string_equal(r->claimed_whole.model, "sequential");
	assert_string_equal(r->claimed_cut.model, "causal-cc");
	assert_int_equal(r->claimed_whole.check.verdict, CHECK_OK);
	assert_int_equal(r->claimed_cut.check.verdict, CHECK_VIOLATION);
	make_run_close(m);
}

static void measure_claim__of_the_checked_model_needs_no_check_of_its_own(void **state)
{
	struct make_run *m = make_run_open("raft");
	const struct results *r;

	(void)state;
	make_phase(m, "baseline", 1000);
	make_write(m, MAKE_EAST, 10, 20);
	r = make_measure(m);
	assert_null(r->claimed_whole.model);
	assert_null(r->claimed_cut.model);
	make_run_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(measure__counts_an_operation_where_it_was_meant_to_start),
		cmocka_unit_test(measure__counts_no_operation_outside_all_phases),
		cmocka_unit_test(measure__tells_failed_from_unknown),
		cmocka_unit_test(measure__tells_what_the_next_phase_caught),
		cmocka_unit_test(measure__takes_quantiles_by_nearest_rank),
		cmocka_unit_test(measure__takes_the_floor_of_the_median_operation),
		cmocka_unit_test(measure__has_no_latency_without_answers),
		cmocka_unit_test(measure__keeps_final_reads_out_of_the_phases),
		cmocka_unit_test(measure_sides__count_by_the_side_of_the_client),
		cmocka_unit_test(
			measure_sides__strand_what_was_under_way_at_the_cut_and_at_the_heal),
		cmocka_unit_test(measure_sides__tell_who_hung_until_the_heal),
		cmocka_unit_test(measure_sides__tell_what_was_never_sent),
		cmocka_unit_test(measure_sides__strand_requests_to_the_other_side),
		cmocka_unit_test(measure_sides__follow_the_replica_where_the_client_reaches_both),
		cmocka_unit_test(measure_sides__strand_requests_to_a_killed_replica),
		cmocka_unit_test(measure_sides__do_not_ask_for_cas_where_none_is_claimed),
		cmocka_unit_test(measure_unavailable__is_the_longest_span_without_a_write),
		cmocka_unit_test(measure_unavailable__begins_with_the_cut_and_ends_with_the_phase),
		cmocka_unit_test(measure_unavailable__does_not_take_an_unmet_cas_for_a_write),
		cmocka_unit_test(measure_unavailable__needs_a_cut_and_a_majority),
		cmocka_unit_test(measure_recovered__is_the_first_write_of_the_side_that_had_none),
		cmocka_unit_test(measure_heal_outage__is_the_same_after_the_heal),
		cmocka_unit_test(measure_recovered__is_nothing_if_all_sides_could_write),
		cmocka_unit_test(measure_converged__counts_from_the_heal),
		cmocka_unit_test(measure__survives_an_interruption),
		cmocka_unit_test(measure__survives_a_run_of_no_phase),
		cmocka_unit_test(measure_evidence__confirms_a_phase_by_its_own_changes),
		cmocka_unit_test(measure_evidence__goes_on_where_nothing_changed),
		cmocka_unit_test(measure_evidence__wants_it_of_a_cut_that_was_not_recorded),
		cmocka_unit_test(measure_evidence__doubts_a_cut_that_goes_on),
		cmocka_unit_test(measure_taint__allows_a_share_of_the_smallest_delay),
		cmocka_unit_test(measure_taint__names_what_is_wrong),
		cmocka_unit_test(measure_taint__wants_process_faults_confirmed),
		cmocka_unit_test(measure_claim__is_checked_before_the_cut_and_in_all),
		cmocka_unit_test(measure_claim__of_the_checked_model_needs_no_check_of_its_own),
		cmocka_unit_test(measure__refuses_the_history_of_another_plan),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
