/* SPDX-License-Identifier: MIT */
/*
 * local.c - what this machine adds to what the links say, as a run of store single shows it
 *
 * One copy, no replication: a read beside it is a client that wakes and two messages, a write is
 * that and a disk, a read elsewhere two messages more, which go over a link with a delay. What is
 * found is what a simulation of other stores wants to know (sim/lab.h).
 */
#include <math.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/report/parts.h"

enum { NEAR_READS, NEAR_WRITES, FAR_READS, KINDS };

/* Which of these the operation is, -1: none; a way over links is taken off. */
static int kind_of(
	const struct plan *plan, unsigned p, const struct history_op *op, uint64_t *ret_way_ns)
{
	const struct link_matrix *m = &plan->phase[p].matrix;
	unsigned holder = plan->proto.leader < 0 ? 0 : (unsigned)plan->proto.leader;
	bool reads = op->kind == HISTORY_READ;

	*ret_way_ns = plan_rtt_ns(m, op->node, holder);
	if (op->outcome != HISTORY_OK || plan_rtt_ns(m, op->client, op->node) > 0 ||
		plan->phase[p].warmup || plan->phase[p].cut || plan->phase[p].what[0])
		return -1;
	if (op->node == holder)
		return reads ? NEAR_READS : NEAR_WRITES;
	return reads && *ret_way_ns > 0 ? FAR_READS : -1;
}

static double median_ms(struct buf *b)
{
	uint64_t *ns = (uint64_t *)(void *)b->p;
	size_t n = b->len / sizeof *ns;

	if (n < RESULTS_SAMPLES_MIN)
		return NAN;
	measure_sort(ns, n);
	return measure_quantile_ms(ns, n, 0.5);
}

static void say(
	const struct results *r, double read, double write, double far, char *out, size_t size)
{
	double hop_us = 1000 * read / 2;
	double wire_us = 1000 * (far - 2 * read) / 2;

	(void)snprintf(out, size, "hop=%.0fus wire=%.0fus disk=%.0fus wake=%.0fus", hop_us,
		fmax(0, wire_us), fmax(0, 1000 * (write - read)),
		isnan(r->load.late_p50_ms) ? 0 : 1000 * r->load.late_p50_ms);
}

void local_measure(struct results *r, const struct history_ops *ops)
{
	struct buf taken[KINDS] = {{0}};
	double ms[KINDS];

	r->local_costs[0] = '\0';
	if (strcmp(r->plan->system->ops->name, single_ops.name) != 0)
		return;
	for (size_t i = 0; i < ops->count; i++) {
		const struct history_op *op = &ops->op[i];
		int p = measure_phase_at(r->log, op->t_intended_ns);
		uint64_t way_ns;
		uint64_t ns = op->t_return_ns - op->t_invoke_ns;
		int kind;

		if (p < 0 || op->flags & HISTORY_F_FINAL)
			continue;
		kind = kind_of(r->plan, (unsigned)p, op, &way_ns);
		ns = ns > way_ns ? ns - way_ns : 0;
		if (kind >= 0)
			buf_add(&taken[kind], &ns, sizeof ns);
	}
	for (unsigned k = 0; k < KINDS; k++) {
		ms[k] = median_ms(&taken[k]);
		buf_fini(&taken[k]);
	}
	if (!isnan(ms[NEAR_READS] + ms[NEAR_WRITES] + ms[FAR_READS]))
		say(r, ms[NEAR_READS], ms[NEAR_WRITES], ms[FAR_READS], r->local_costs,
			sizeof r->local_costs);
}
