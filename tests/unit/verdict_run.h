/* SPDX-License-Identifier: MIT */
/* verdict_run.h - a run as measured, of a store that keeps consistency and of one that answers */
#ifndef TESTS_UNIT_VERDICT_RUN_H
#define TESTS_UNIT_VERDICT_RUN_H

#include "tests/unit/make_run.h"

static struct proto_claim test_claim;

static inline void claim_of_the_test(const struct proto_config *cfg, struct proto_claim *ret)
{
	(void)cfg;
	*ret = test_claim;
}

static const struct proto_claim strong = {.whole = PROTO_LINEARIZABLE,
	.cut = PROTO_LINEARIZABLE,
	.reads_cut = PROTO_SIDES_MAJORITY,
	.writes_cut = PROTO_SIDES_MAJORITY,
	.cas = true};
static const struct proto_claim weak = {.whole = PROTO_EVENTUAL,
	.cut = PROTO_EVENTUAL,
	.reads_cut = PROTO_SIDES_ALL,
	.writes_cut = PROTO_SIDES_ALL,
	.loses_acked = true};

static inline void set_side(struct make_run *m, unsigned side, uint64_t attempts, uint64_t ok)
{
	m->results.phase[1].side[side] = (struct results_side){.attempts = attempts,
		.ok = ok,
		.reads = attempts / 2,
		.reads_ok = ok / 2,
		.writes = attempts - attempts / 2,
		.writes_ok = ok - ok / 2};
}

/*
 * Baseline, cut and heal as measured of a store that does all that raft does: far was refused,
 * nothing was stale or lost, two round trips were paid. Each test changes what it is about.
 */
static inline struct make_run *strong_run(void)
{
	struct make_run *m = make_run_open("single");
	struct results *r = &m->results;

	m->ops.claim = claim_of_the_test;
	test_claim = strong;
	make_phase(m, "baseline", 5000);
	make_cut_phase(m, 5000);
	make_heal_phase(m, 5000);
	r->plan = &m->plan;
	r->log = &m->log;
	r->model = "linearizable";
	r->letters = true;
	for (unsigned p = 0; p < 3; p++)
		r->phase[p].confirmed = true;
	r->cut_phase = 1;
	set_side(m, 0, 2000, 1996);
	set_side(m, 1, 500, 0);
	r->check = (struct check_result){.verdict = CHECK_OK, .operations = 7000, .keys = 10};
	r->check_whole = r->check;
	r->lost.acknowledged = 3000;
	r->read_fit = (struct results_fit){3, 0.2, 1.01, 0.98, 1.04, 1};
	r->write_fit = (struct results_fit){3, 0.3, 1.98, 1.9, 2.05, 2};
	r->unavailable_s = 1.42;
	r->recovered_s = 0.2;
	r->converged_s = 0.3;
	return m;
}

/* The same of a store that answers everywhere from the nearest replica. */
static inline struct make_run *weak_run(void)
{
	struct make_run *m = strong_run();
	struct results *r = &m->results;

	test_claim = weak;
	set_side(m, 0, 2000, 2000);
	set_side(m, 1, 500, 500);
	r->check.verdict = CHECK_VIOLATION;
	r->check_whole.verdict = CHECK_VIOLATION;
	r->read_fit.b = 0.01;
	r->write_fit.b = 0.02;
	r->unavailable_s = 0.01;
	r->recovered_s = NAN;
	return m;
}

static inline struct results *judge(struct make_run *m)
{
	verdict(&m->results);
	return &m->results;
}

static inline void expect(struct make_run *m, const char *model, const char *letters)
{
	struct plan_expect *e = &m->plan.expect;

	*e = (struct plan_expect){.models = model[0] != '\0'};
	(void)snprintf(e->model[0].name, sizeof e->model[0].name, "%s", model);
	(void)snprintf(e->verdict, sizeof e->verdict, "%s", letters);
}

#endif
