/* SPDX-License-Identifier: MIT */
/* lab_phases.c - runs the phases of a plan in virtual time, as lab/runner.c does on real packets */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lab/nemesis.h"
#include "agent/sim/lab_world.h"

/* As in lab/runner.c. */
#define FINAL_WAIT_NS (6 * NS_PER_S)
#define STOP_SLACK_NS (500 * NS_PER_MS)
#define LEADER_WAITS 4
#define LOOK_NS (10 * NS_PER_MS)

static void note(struct lab *lab, enum history_type type, uint64_t key, uint64_t t_ns)
{
	const struct history_record record = {
		.type = (uint8_t)type, .phase = lab->phase, .key = key, .t_ns = t_ns};

	(void)history_add(lab->history, &record);
}

/* Return: where it stands, NULL if there is no room. */
static struct run_fault *fault_note(struct lab *lab, const struct run_fault *fault)
{
	struct run_log *log = lab->log;

	if (log->faults == RUN_FAULTS_MAX)
		return NULL;
	log->fault[log->faults] = *fault;
	log->fault[log->faults].phase = lab->phase;
	note(lab, HISTORY_FAULT, log->faults, fault->t_first_ns);
	return &log->fault[log->faults++];
}

static void delta(struct fabric_change *change, const struct link_matrix *was,
	const struct link_matrix *is, unsigned a, unsigned b)
{
	const struct link_state *from = link_matrix_at(was, a, b);
	const struct link_state *to = link_matrix_at(is, a, b);

	if (link_state_same(from, to))
		return;
	change->cuts += to->cut && !from->cut;
	change->heals += from->cut && !to->cut;
	change->reshaped += !from->cut == !to->cut;
	change->delta[change->deltas++] = (struct fabric_delta){
		.src = (uint16_t)a, .dst = (uint16_t)b, .from = *from, .to = *to};
}

/* What of the links becomes another; it takes no time. */
static void compare(const struct link_matrix *was, const struct link_matrix *is, uint64_t now_ns,
	struct fabric_change *ret)
{
	*ret = (struct fabric_change){.t_request_ns = now_ns,
		.t_first_ns = now_ns,
		.t_last_ns = now_ns,
		.atomic = true,
		.delta = calloc((size_t)is->nodes * is->nodes, sizeof *ret->delta)};
	assert(ret->delta);
	for (unsigned a = 0; a < is->nodes; a++) {
		ret->downs += was->down[a] != is->down[a];
		for (unsigned b = 0; b < is->nodes; b++)
			delta(ret, was, is, a, b);
	}
}

static int leader_find(struct lab *lab, struct err *err)
{
	const struct plan_phase *ph = &lab->plan->phase[lab->phase];
	uint64_t until = lab->sim->now_ns + LEADER_WAITS * lab->plan->proto.election_max_ns;
	uint64_t term;
	int leader;
	int rc = 0;

	while (!rc && (leader = lab_watch_leader(lab, &term)) < 0) {
		if (lab->sim->now_ns >= until)
			return err_set(err, -ETIMEDOUT, EXIT_INCONCLUSIVE,
				"phase %s is about the leader, and nobody leads: has store %s one?",
				ph->name, lab->plan->system->name);
		rc = lab_run(lab, lab->sim->now_ns + LOOK_NS, err);
	}
	return rc ? rc : plan_resolve(lab->plan, lab->phase, (unsigned)leader, err);
}

static int phase_begin(struct lab *lab, struct err *err)
{
	const struct plan_phase *ph = &lab->plan->phase[lab->phase];
	struct run_log *log = lab->log;
	struct fabric_change change;
	struct run_fault fault;
	uint64_t now;
	int rc = ph->leader_aware ? leader_find(lab, err) : 0;

	if (rc)
		return err_wrap(err, "begin phase %s", ph->name);
	now = lab->sim->now_ns;
	if (lab->phase > 0)
		log->phase[lab->phase - 1].t_end_ns = now;
	compare(lab->net.matrix, &ph->matrix, now, &change);
	lab_net_set(&lab->net, &ph->matrix, now);
	log->phase[lab->phase] = (struct run_phase){.t_begin_ns = now, .converged_ns = UINT64_MAX};
	log->phases = lab->phase + 1;
	atomic_store(&lab->shared->phase, lab->phase);
	atomic_store(&lab->shared->state, LOAD_RUN);
	note(lab, HISTORY_PHASE, lab->phase, now);
	lab_watch_end(lab);
	if (change.deltas || change.downs) {
		nemesis_describe(&change, &fault);
		fault.judged = true;
		fault.evidence =
			(struct evidence){.result = EVIDENCE_CONFIRMED, .why = "simulated"};
		(void)fault_note(lab, &fault);
	}
	if (change.heals)
		lab_watch_begin(lab, NULL);
	free(change.delta);
	return 0;
}

static int event_strike(struct lab *lab, const struct plan_event *event, struct err *err)
{
	struct run_fault *kept;
	struct run_fault fault;
	bool heal_is_watched = lab->watch.target && !lab->watch.restarted;
	int rc = lab_strike(lab, event, &fault, err);

	if (rc)
		return rc;
	kept = fault_note(lab, &fault);
	if (event->kind == PLAN_RESTART && kept && !(heal_is_watched && !lab->watch.converged_ns))
		lab_watch_begin(lab, kept);
	return 0;
}

static int phase_run(struct lab *lab, struct err *err)
{
	const struct plan_phase *ph = &lab->plan->phase[lab->phase];
	uint64_t begin = lab->log->phase[lab->phase].t_begin_ns;
	int rc = 0;

	for (unsigned i = 0; !rc && i < ph->events; i++) {
		rc = lab_run(lab, begin + ph->event[i].at_ns, err);
		if (!rc)
			rc = event_strike(lab, &ph->event[i], err);
	}
	if (!rc)
		rc = lab_run(lab, begin + ph->duration_ns, err);
	lab->log->phase[lab->phase].t_end_ns = lab->sim->now_ns;
	return rc;
}

static bool load_runs(const struct lab *lab)
{
	for (unsigned i = 0; i < lab->clients; i++)
		if (!lab->client[i].ended)
			return true;
	return false;
}

static int wait_for_load(struct lab *lab, uint64_t until_ns, struct err *err)
{
	int rc = 0;

	while (!rc && load_runs(lab) && lab->sim->now_ns < until_ns)
		rc = lab_run(lab, lab->sim->now_ns + LOOK_NS, err);
	return rc;
}

static int finals_run(struct lab *lab, struct err *err)
{
	int rc;

	atomic_store(&lab->shared->state, LOAD_FINAL);
	rc = wait_for_load(lab, lab->sim->now_ns + FINAL_WAIT_NS + plan_alike_ns(lab->plan), err);
	atomic_store(&lab->shared->state, LOAD_STOP);
	if (!rc)
		rc = wait_for_load(
			lab, lab->sim->now_ns + lab->plan->load.deadline_ns + STOP_SLACK_NS, err);
	return rc;
}

int lab_phases(struct lab *lab, struct err *err)
{
	int rc = 0;

	for (lab->phase = 0; lab->phase < lab->plan->phases && !rc; lab->phase++) {
		rc = phase_begin(lab, err);
		if (!rc)
			rc = phase_run(lab, err);
	}
	lab->phase = lab->plan->phases - 1;
	return rc ? rc : finals_run(lab, err);
}
