/* SPDX-License-Identifier: MIT */
/*
 * recovery.c - how long the first cut was felt, and how long its heal took to help
 *
 * A heal can hurt, too: who was alone comes back with a higher term and deposes a leader that was
 * well. So the time without an acknowledged write is measured after it as during the cut.
 *
 * Only acknowledged writes count: a store that answers reads but takes no write is not back. A CAS
 * that found another value than the expected one has acknowledged nothing.
 */
#include <math.h>

#include "agent/base/buf.h"
#include "agent/base/units.h"
#include "agent/report/parts.h"

static bool acknowledges(const struct history_op *op)
{
	if (op->outcome != HISTORY_OK || op->flags & HISTORY_F_FINAL)
		return false;
	return op->kind != HISTORY_READ && (op->kind != HISTORY_CAS || op->met);
}

/* The longest span of phase @p, from when its faults are done, without an acknowledgement on its
 * majority's side. */
static double unavailable_s(const struct results *r, const struct history_ops *ops, unsigned p)
{
	int side = availability_majority(r->plan, p);
	uint64_t at_ns = availability_from_ns(r->log, p);
	uint64_t end_ns = measure_phase_end_ns(r->log, p);
	uint64_t longest_ns = 0;
	struct buf acks = {0}; /* of uint64_t */
	uint64_t *ack;
	size_t n;

	if (side < 0)
		return NAN;
	for (size_t i = 0; i < ops->count; i++) {
		const struct history_op *op = &ops->op[i];

		if (acknowledges(op) && op->t_return_ns >= at_ns && op->t_return_ns < end_ns &&
			availability_side(r->plan, p, op) == side)
			buf_add(&acks, &op->t_return_ns, sizeof op->t_return_ns);
	}
	buf_add(&acks, &end_ns, sizeof end_ns);
	ack = (uint64_t *)(void *)acks.p;
	n = acks.len / sizeof *ack;
	measure_sort(ack, n);
	for (size_t i = 0; i < n; i++) {
		if (ack[i] > at_ns && ack[i] - at_ns > longest_ns)
			longest_ns = ack[i] - at_ns;
		at_ns = ack[i];
	}
	buf_fini(&acks);
	return units_s(longest_ns);
}

int recovery_heal_phase(const struct results *r)
{
	if (r->cut_phase < 0)
		return -1;
	for (unsigned p = (unsigned)r->cut_phase + 1; p < r->log->phases; p++)
		if (!r->plan->phase[p].cut)
			return (int)p;
	return -1;
}

/* Clients of a side that wanted to write during the cut and could not. */
static bool was_down(const struct results *r, unsigned side)
{
	const struct results_side *s = &r->phase[r->cut_phase].side[side];

	return (s->writes > 0 || s->stranded > 0) && s->writes_ok == 0;
}

/* Where nobody wants to write, that nothing is acknowledged is no outage. */
static bool was_written(const struct results *r, unsigned phase)
{
	for (unsigned s = 0; s < r->plan->phase[phase].sides; s++) {
		if (r->phase[phase].side[s].writes + r->phase[phase].side[s].stranded > 0)
			return true;
	}
	return false;
}

static double recovered_s(const struct results *r, const struct history_ops *ops, uint64_t heal_ns)
{
	unsigned cut = (unsigned)r->cut_phase;
	uint64_t first_ns = UINT64_MAX;

	for (size_t i = 0; i < ops->count; i++) {
		const struct history_op *op = &ops->op[i];

		if (acknowledges(op) && op->t_return_ns >= heal_ns && op->t_return_ns < first_ns &&
			was_down(r, availability_asked(r->plan, cut, op)))
			first_ns = op->t_return_ns;
	}
	return first_ns == UINT64_MAX ? NAN : units_s(first_ns - heal_ns);
}

void recovery_measure(struct results *r, const struct history_ops *ops)
{
	int heal = recovery_heal_phase(r);
	const struct run_phase *phase;
	struct proto_claim claim;
	uint64_t heal_ns;

	r->unavailable_s = NAN;
	r->heal_outage_s = NAN;
	r->recovered_s = NAN;
	r->converged_s = NAN;
	if (r->cut_phase < 0)
		return;
	r->unavailable_s = unavailable_s(r, ops, (unsigned)r->cut_phase);
	if (heal < 0)
		return;
	if (was_written(r, (unsigned)heal))
		r->heal_outage_s = unavailable_s(r, ops, (unsigned)heal);
	phase = &r->log->phase[heal];
	heal_ns = availability_from_ns(r->log, (unsigned)heal);
	r->recovered_s = recovered_s(r, ops, heal_ns);
	r->plan->system->ops->claim(&r->plan->proto, &claim);
	if (phase->converged_ns != UINT64_MAX && !claim.one_copy && !claim.by_reads)
		r->converged_s = fmax(
			0, units_s(phase->converged_ns) - units_s(heal_ns - phase->t_begin_ns));
}
