/* SPDX-License-Identifier: MIT */
/*
 * floor.c - the lowest latency that the link matrix allows an operation
 *
 * The protocol knows the formula (proto_ops.floor_ns), the plan knows the matrix, the run log knows
 * who led. Operations of one site with one contact have the same floor while phase and leader stay,
 * so each floor is computed once and kept until one of the two changes. A history is in the order
 * of time: they change seldom.
 */
#include "agent/report/floor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NOT_COMPUTED UINT64_MAX

enum { FLOOR_READ, FLOOR_WRITE, FLOOR_NR };

struct floor {
	const struct plan *plan;
	const struct run_log *log;
	int phase; /* of rtt_ns, -1 at first */
	int leader;
	uint64_t *rtt_ns; /* replicas x replicas */
	uint64_t *known;  /* sites x replicas x FLOOR_NR */
};

struct floor *floor_open(const struct plan *plan, const struct run_log *log)
{
	struct floor *f = calloc(1, sizeof *f);
	size_t replicas = plan->replicas;

	assert(f && replicas > 0 && replicas <= PROTO_NODES_MAX);
	f->plan = plan;
	f->log = log;
	f->phase = -1;
	f->rtt_ns = calloc(replicas * replicas, sizeof *f->rtt_ns);
	f->known = calloc(PLAN_SITES_MAX * replicas * FLOOR_NR, sizeof *f->known);
	assert(f->rtt_ns && f->known);
	return f;
}

void floor_close(struct floor *f)
{
	if (!f)
		return;
	free(f->rtt_ns);
	free(f->known);
	free(f);
}

static uint64_t rtt_ns(const struct link_matrix *m, unsigned a, unsigned b)
{
	if (a == b)
		return 0;
	if (plan_closed(m, a, b) || plan_closed(m, b, a))
		return FLOOR_NO_PATH_NS;
	return plan_rtt_ns(m, a, b);
}

/* The leader at @t_ns: the last one that took over at or before it. */
static int leader_at(const struct run_log *log, uint64_t t_ns)
{
	unsigned low = 0;
	unsigned high = log->leaders;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (log->leader[mid].t_ns <= t_ns)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 ? log->leader[low - 1].leader : -1;
}

static void floor_turn(struct floor *f, unsigned phase, int leader)
{
	const struct link_matrix *m = &f->plan->phase[phase].matrix;
	unsigned n = f->plan->replicas;

	if (f->phase == (int)phase && f->leader == leader)
		return;
	if (f->phase != (int)phase) {
		for (unsigned a = 0; a < n; a++)
			for (unsigned b = 0; b < n; b++)
				f->rtt_ns[a * n + b] = rtt_ns(m, a, b);
	}
	f->phase = (int)phase;
	f->leader = leader;
	memset(f->known, 0xff, PLAN_SITES_MAX * (size_t)n * FLOOR_NR * sizeof *f->known);
}

uint64_t floor_ns(struct floor *f, unsigned phase, const struct history_op *op)
{
	const struct plan *plan = f->plan;
	unsigned kind = op->kind == HISTORY_READ ? FLOOR_READ : FLOOR_WRITE;
	unsigned site = plan->node[op->client].site;
	uint64_t *known;

	assert(phase < plan->phases && op->client < plan->nodes && op->node < plan->replicas);
	floor_turn(f, phase, leader_at(f->log, op->t_invoke_ns));
	known = &f->known[((size_t)site * plan->replicas + op->node) * FLOOR_NR + kind];
	if (*known == NOT_COMPUTED) {
		struct proto_floor_query q = {
			.cfg = &plan->proto,
			.rtt_ns = f->rtt_ns,
			.contact = op->node,
			.client_ns = rtt_ns(&plan->phase[phase].matrix, op->client, op->node),
			.leader = f->leader,
			.write = kind == FLOOR_WRITE,
			.level = PROTO_DEFAULT,
		};

		*known = plan->system->ops->floor_ns(&q);
	}
	return *known;
}
