/* SPDX-License-Identifier: MIT */
/*
 * make_run.h - a run that never ran: plan, log and history in memory, put together by a test
 *
 * Five replicas in three sites as in the lab cap: n1 n2 | n3 n4 | n5, one client node a site, 20 ms
 * of round trip between east and west, 40 ms from both to far. Times are in milliseconds and count
 * from the start of the run. Operations are added in any order.
 */
#ifndef TESTS_UNIT_MAKE_RUN_H
#define TESTS_UNIT_MAKE_RUN_H

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/report/parts.h"
#include "tests/lib/test.h"

#define MAKE_MS 1000000ull
#define MAKE_T0 (1000000 * MAKE_MS) /* the run's start on the lab's clock */
#define MAKE_OPS_MAX 4096
#define MAKE_LIST_MAX 16
#define MAKE_NEVER UINT64_MAX
#define MAKE_EPSILON 1e-6

enum { MAKE_EAST, MAKE_WEST, MAKE_FAR, MAKE_SITES };
enum { MAKE_N1, MAKE_N2, MAKE_N3, MAKE_N4, MAKE_N5, MAKE_REPLICAS };

struct make_run {
	struct plan plan;
	struct system system;
	struct proto_ops ops;
	struct run_log log;
	struct history_op op[MAKE_OPS_MAX];
	size_t count;
	uint64_t value;
	uint64_t list[MAKE_LIST_MAX]; /* elements of reads of many, from the test */
	struct results results;
};

static inline void assert_near(double is, double want)
{
	if (!(fabs(is - want) < MAKE_EPSILON))
		fail_msg("%g is not %g", is, want);
}

static inline uint64_t make_at(uint64_t ms)
{
	return MAKE_T0 + ms * MAKE_MS;
}

/* One-way delays so that the sites are @ew and @f milliseconds of round trip apart. */
static inline void make_delays(struct link_matrix *m, const struct plan *plan, double ew, double f)
{
	for (unsigned a = 0; a < plan->nodes; a++) {
		for (unsigned b = 0; b < plan->nodes; b++) {
			unsigned x = plan->node[a].site;
			unsigned y = plan->node[b].site;
			double rtt = x == y ? 0 : x == MAKE_FAR || y == MAKE_FAR ? f : ew;

			link_matrix_at(m, a, b)->delay_ns = (uint64_t)(rtt / 2 * (double)MAKE_MS);
		}
	}
}

static inline void make_run_node(struct make_run *m, const char *name, unsigned site, bool replica)
{
	struct plan_node *node = &m->plan.node[m->plan.nodes++];

	(void)snprintf(node->name, sizeof node->name, "%s", name);
	node->site = (uint16_t)site;
	node->role = replica ? PLAN_REPLICA : PLAN_CLIENT;
	m->plan.replicas += replica;
}

/* @store: a system of the table; the test may change the copies in m->system and m->ops. */
static inline struct make_run *make_run_open(const char *store)
{
	static const char *const sites[] = {"east", "west", "far"};
	struct make_run *m = calloc(1, sizeof *m);
	const struct system *system = system_find(store);

	assert(m && system);
	m->system = *system;
	m->ops = *system->ops;
	m->system.ops = &m->ops;
	(void)snprintf(m->plan.name, sizeof m->plan.name, "cap");
	m->plan.seed = 7;
	m->plan.system = &m->system;
	make_run_node(m, "n1", MAKE_EAST, true);
	make_run_node(m, "n2", MAKE_EAST, true);
	make_run_node(m, "n3", MAKE_WEST, true);
	make_run_node(m, "n4", MAKE_WEST, true);
	make_run_node(m, "n5", MAKE_FAR, true);
	m->plan.sites = MAKE_SITES;
	for (unsigned s = 0; s < MAKE_SITES; s++) {
		(void)snprintf(m->plan.site[s].name, sizeof m->plan.site[s].name, "%s", sites[s]);
		m->plan.site[s].client = (uint16_t)m->plan.nodes;
		make_run_node(m, (const char *[]){"c-east", "c-west", "c-far"}[s], s, false);
	}
	m->plan.proto = (struct proto_config){.nodes = MAKE_REPLICAS,
		.read_level = system->read_level,
		.write_level = system->write_level,
		.leader = MAKE_N1};
	m->plan.load = (struct plan_load){.clients_per_site = 2,
		.rate = 500,
		.keys = 10,
		.read = 50,
		.write = 50,
		.deadline_ns = 1000 * MAKE_MS};
	assert(link_matrix_init(&m->plan.base, m->plan.nodes) == 0);
	make_delays(&m->plan.base, &m->plan, 20, 40);
	m->plan.phase = calloc(PLAN_PHASES_MAX, sizeof *m->plan.phase);
	assert(m->plan.phase);
	m->log.t_start_ns = MAKE_T0;
	m->log.t_end_ns = MAKE_T0;
	m->log.quality.realtime = true;
	(void)snprintf(m->log.emulator, sizeof m->log.emulator, "wire (no sch_netem)");
	(void)snprintf(m->log.kernel, sizeof m->log.kernel, "6.1.0");
	m->log.leader[m->log.leaders++] = (struct run_leader){MAKE_T0, MAKE_N1, 1};
	return m;
}

static inline void make_run_close(struct make_run *m)
{
	for (unsigned p = 0; p < m->plan.phases; p++)
		link_matrix_fini(&m->plan.phase[p].matrix);
	link_matrix_fini(&m->plan.base);
	free(m->plan.phase);
	free(m);
}

/* The next phase, planned and run, with nothing cut. Return: its number. */
static inline unsigned make_phase(struct make_run *m, const char *name, uint64_t ms)
{
	unsigned p = m->plan.phases++;
	struct plan_phase *phase = &m->plan.phase[p];

	(void)snprintf(phase->name, sizeof phase->name, "%s", name);
	phase->duration_ns = ms * MAKE_MS;
	assert(link_matrix_init(&phase->matrix, m->plan.nodes) == 0);
	link_matrix_copy(&phase->matrix, &m->plan.base);
	phase->sides = 1;
	(void)snprintf(phase->side[0].name, sizeof phase->side[0].name, "all");
	phase->side[0].replicas = MAKE_REPLICAS;
	phase->side[0].clients = MAKE_SITES;
	m->log.phase[p] =
		(struct run_phase){m->log.t_end_ns, m->log.t_end_ns + ms * MAKE_MS, UINT64_MAX};
	m->log.t_end_ns += ms * MAKE_MS;
	m->log.phases = m->plan.phases;
	return p;
}

/* A phase of the fit: all sites @rtt milliseconds apart. */
static inline unsigned make_fit_phase(struct make_run *m, uint64_t rtt)
{
	unsigned p = make_phase(m, "fit", 1000);

	m->plan.phase[p].fit_rtt_ns = rtt * MAKE_MS;
	make_delays(&m->plan.phase[p].matrix, &m->plan, (double)rtt, (double)rtt);
	return p;
}

/* A confirmed change of the network at the beginning of phase @p, which took a millisecond. */
static inline struct run_fault *make_fault(struct make_run *m, unsigned p, const char *kind)
{
	struct run_fault *f = &m->log.fault[m->log.faults++];
	uint64_t t_ns = m->log.phase[p].t_begin_ns;

	*f = (struct run_fault){.phase = p,
		.links = 12,
		.cuts = strcmp(kind, "cut") == 0 ? 1u << CUT_EDGE : 0,
		.node = -1,
		.t_request_ns = t_ns,
		.t_first_ns = t_ns,
		.t_last_ns = t_ns + MAKE_MS,
		.caught_up_ns = MAKE_NEVER,
		.atomic = true,
		.evidence = {.result = EVIDENCE_CONFIRMED},
		.judged = true};
	(void)snprintf(f->kind, sizeof f->kind, "%s", kind);
	return f;
}

/* A phase in which far is cut off from east and west; side 0 is the majority's. */
static inline unsigned make_cut_phase(struct make_run *m, uint64_t ms)
{
	unsigned p = make_phase(m, "partition", ms);
	struct plan_phase *phase = &m->plan.phase[p];

	phase->cut = true;
	phase->sides = 2;
	(void)snprintf(phase->what, sizeof phase->what, "east+west | far");
	phase->side[0] = (struct plan_side){"east+west", 4, 2};
	phase->side[1] = (struct plan_side){"far", 1, 1};
	for (unsigned a = 0; a < m->plan.nodes; a++) {
		phase->side_of[a] = m->plan.node[a].site == MAKE_FAR;
		for (unsigned b = 0; b < m->plan.nodes; b++)
			link_matrix_at(&phase->matrix, a, b)->cut =
				(m->plan.node[a].site == MAKE_FAR) !=
				(m->plan.node[b].site == MAKE_FAR);
	}
	make_fault(m, p, "cut");
	return p;
}

static inline unsigned make_heal_phase(struct make_run *m, uint64_t ms)
{
	unsigned p = make_phase(m, "healed", ms);

	make_fault(m, p, "heal");
	return p;
}

/* A write of a value and a key of its own, by the client of @site, to a replica there. */
static inline struct history_op *make_write(
	struct make_run *m, unsigned site, uint64_t from_ms, uint64_t to_ms)
{
	static const uint16_t contact[] = {MAKE_N1, MAKE_N3, MAKE_N5};
	struct history_op *op = &m->op[m->count++];
	bool open = to_ms == MAKE_NEVER;

	assert(m->count <= MAKE_OPS_MAX);
	*op = (struct history_op){.t_intended_ns = make_at(from_ms),
		.t_invoke_ns = make_at(from_ms),
		.t_return_ns = open ? UINT64_MAX : make_at(to_ms),
		.key = 100 + m->value,
		.value = ++m->value,
		.op = (uint32_t)m->count,
		.session = (uint32_t)m->count,
		.node = contact[site],
		.client = m->plan.site[site].client,
		.kind = HISTORY_WRITE,
		.outcome = open ? HISTORY_UNKNOWN : HISTORY_OK,
		.error = open ? HISTORY_TIMEOUT : HISTORY_NO_ERROR};
	return op;
}

/* A read of a key that nobody wrote; the caller may give it another key and value. */
static inline struct history_op *make_read(
	struct make_run *m, unsigned site, uint64_t from_ms, uint64_t to_ms)
{
	struct history_op *op = make_write(m, site, from_ms, to_ms);

	op->kind = HISTORY_READ;
	op->value = 0;
	return op;
}

static inline void make_refused(struct history_op *op)
{
	op->outcome = HISTORY_FAIL;
	op->error = HISTORY_REFUSED;
}

/* It was never sent: what its client did before took too long. */
static inline void make_late(struct history_op *op)
{
	op->outcome = HISTORY_FAIL;
	op->error = HISTORY_LATE;
}

static inline int make_by_invoke(const void *a, const void *b)
{
	const struct history_op *x = a;
	const struct history_op *y = b;

	return (x->t_invoke_ns > y->t_invoke_ns) - (x->t_invoke_ns < y->t_invoke_ns);
}

/* measure() the run. */
static inline struct results *make_measure(struct make_run *m)
{
	struct history_ops ops = {.op = m->op, .count = m->count, .list = m->list};
	struct err err = {0};

	qsort(m->op, m->count, sizeof *m->op, make_by_invoke);
	if (measure(&m->results, &m->plan, &m->log, &ops, &err) < 0)
		fail_msg("%s", err.text);
	return &m->results;
}

#endif
