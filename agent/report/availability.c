/* SPDX-License-Identifier: MIT */
/*
 * availability.c - who was answered on which side of a cut
 *
 * Availability is the share of requests to living replicas that were answered without error
 * (Gilbert and Lynch 2002: "every request received by a non-failing node in the system must result
 * in a response"). So three sorts of requests do not count, whatever became of them: to a replica
 * that a fault had stopped, to a replica that the cut had put on another side (nobody received
 * them), and those that were under way when the network changed. They are called stranded.
 */
#include <assert.h>
#include <string.h>

#include "agent/report/parts.h"

/* A span in which a replica did not run. */
struct outage {
	int node;
	uint64_t from_ns;
	uint64_t to_ns;
};

struct outages {
	struct outage span[RUN_FAULTS_MAX];
	unsigned count;
};

int availability_majority(const struct plan *plan, unsigned phase)
{
	const struct plan_phase *p = &plan->phase[phase];

	for (unsigned s = 0; s < p->sides; s++)
		if (p->side[s].replicas * 2u > plan->replicas)
			return (int)s;
	return -1;
}

uint64_t availability_from_ns(const struct run_log *log, unsigned phase)
{
	uint64_t t_ns = log->phase[phase].t_begin_ns;

	for (unsigned i = 0; i < log->faults; i++) {
		const struct run_fault *f = &log->fault[i];

		if (f->phase == phase && f->node < 0 && f->t_last_ns > t_ns)
			t_ns = f->t_last_ns;
	}
	return t_ns;
}

/* 99 %: a request that waits for an election or a lost frame is not yet a side that is down. */
bool availability_answered(uint64_t ok, uint64_t attempts)
{
	return ok * 100 >= attempts * 99;
}

/* Brewer's P is a network that falls apart: replicas on at least two sides, and seen to be so. */
bool availability_counted(const struct results *r, unsigned phase)
{
	const struct plan_phase *p = &r->plan->phase[phase];
	unsigned with_replicas = 0;

	for (unsigned s = 0; s < p->sides; s++)
		with_replicas += p->side[s].replicas > 0;
	return p->cut && r->phase[phase].confirmed && with_replicas >= 2;
}

/*
 * A client that still reaches its replica is a client of that replica's side. Return: the side, or
 * -1 if the cut is between the two.
 */
int availability_side(const struct plan *plan, unsigned phase, const struct history_op *op)
{
	const struct plan_phase *p = &plan->phase[phase];

	if (plan_closed(&p->matrix, op->client, op->node) ||
		plan_closed(&p->matrix, op->node, op->client))
		return -1;
	assert(p->side_of[op->node] < p->sides);
	return p->side_of[op->node];
}

unsigned availability_asked(const struct plan *plan, unsigned phase, const struct history_op *op)
{
	int side = availability_side(plan, phase, op);

	return side >= 0 ? (unsigned)side : plan->phase[phase].side_of[op->client];
}

static bool stops(const struct run_fault *f)
{
	return strcmp(f->kind, plan_event_names[PLAN_KILL]) == 0 ||
	       strcmp(f->kind, plan_event_names[PLAN_PAUSE]) == 0;
}

/* It is told something, and goes on; or it ended by itself, which is no excuse. */
static bool tells(const struct run_fault *f)
{
	return strcmp(f->kind, RUN_ENDED) == 0 ||
	       strcmp(f->kind, plan_event_names[PLAN_SKEW]) == 0 ||
	       strcmp(f->kind, plan_event_names[PLAN_PROMOTE]) == 0;
}

static void outages_find(struct outages *ret, const struct run_log *log)
{
	ret->count = 0;
	for (unsigned i = 0; i < log->faults; i++) {
		const struct run_fault *f = &log->fault[i];
		struct outage *o = NULL;

		for (unsigned k = 0; k < ret->count; k++)
			if (ret->span[k].node == f->node && ret->span[k].to_ns == UINT64_MAX)
				o = &ret->span[k];
		if (f->node < 0 || tells(f))
			continue;
		if (!stops(f) && o)
			o->to_ns = f->t_last_ns;
		else if (stops(f) && !o)
			ret->span[ret->count++] =
				(struct outage){f->node, f->t_first_ns, UINT64_MAX};
	}
}

/* When the client knew: a write without an answer ended with its deadline. */
static uint64_t op_end_ns(const struct plan *plan, const struct history_op *op)
{
	return op->t_return_ns != UINT64_MAX ? op->t_return_ns
					     : op->t_invoke_ns + plan->load.deadline_ns;
}

static bool hit_by_outage(const struct outages *outages, const struct history_op *op, uint64_t end)
{
	for (unsigned i = 0; i < outages->count; i++) {
		const struct outage *o = &outages->span[i];

		if (o->node == op->node && op->t_intended_ns < o->to_ns && end > o->from_ns)
			return true;
	}
	return false;
}

static void side_add(struct results_side *side, const struct history_op *op)
{
	bool ok = op->outcome == HISTORY_OK;
	bool late = !ok && op->error == HISTORY_LATE;

	side->attempts++;
	side->ok += ok;
	if (op->kind == HISTORY_READ) {
		side->reads++;
		side->reads_ok += ok;
		side->reads_late += late;
	} else {
		side->writes++;
		side->writes_ok += ok;
		side->writes_late += late;
	}
}

/*
 * Began in the phase and was not answered, not even after it: that the phase ended first excuses
 * nobody. Without these, a phase shorter than a request takes to fail would have successes only.
 */
static bool hung(const struct history_op *op, uint64_t from_ns, uint64_t phase_end, uint64_t end)
{
	return op->outcome != HISTORY_OK && op->t_intended_ns >= from_ns && end > phase_end;
}

void availability_measure(struct results *r, const struct history_ops *ops)
{
	const struct plan *plan = r->plan;
	uint64_t from_ns[PLAN_PHASES_MAX];
	struct proto_claim claim;
	struct outages outages;

	plan->system->ops->claim(&plan->proto, &claim);
	outages_find(&outages, r->log);
	for (unsigned p = 0; p < r->log->phases; p++)
		from_ns[p] = availability_from_ns(r->log, p);
	for (size_t i = 0; i < ops->count; i++) {
		const struct history_op *op = &ops->op[i];
		int p = measure_phase_at(r->log, op->t_intended_ns);
		struct results_side *side;
		uint64_t end = op_end_ns(plan, op);
		uint64_t phase_end;
		bool hit;

		if (p < 0 || op->flags & HISTORY_F_FINAL || plan->phase[p].warmup)
			continue;
		phase_end = measure_phase_end_ns(r->log, (unsigned)p);
		if (op->outcome != HISTORY_OK && (unsigned)p + 1 < r->log->phases &&
			end > phase_end)
			r->phase[p].caught++;
		if (op->kind == HISTORY_CAS && !claim.cas)
			continue; /* refused as such, cut or not */
		side = &r->phase[p].side[availability_asked(plan, (unsigned)p, op)];
		hit = availability_side(plan, (unsigned)p, op) < 0 ||
		      hit_by_outage(&outages, op, end);
		side->hung += !hit && hung(op, from_ns[p], phase_end, end);
		if (hit || op->t_intended_ns < from_ns[p] || end > phase_end)
			side->stranded++;
		else
			side_add(side, op);
	}
}
