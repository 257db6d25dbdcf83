/* SPDX-License-Identifier: MIT */
/* lab_strike.c - what is done to the processes of a simulated lab: kill, restart, pause, clocks */
#include <errno.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/sim/lab_world.h"

/* As long as an operator waits for an answer. */
#define ANSWER_NS (2 * NS_PER_S)
#define LOOK_NS (10 * NS_PER_MS)

static void kill_now(struct lab *lab, unsigned node)
{
	struct sim_node *n = &lab->sim->node[node];

	while (n->paused)
		sim_resume(lab->sim, node);
	sim_crash(lab->sim, node);
	lab_crashed(lab, node);
}

static int promote(struct lab *lab, unsigned node, struct run_fault *fault, struct err *err)
{
	uint64_t until = lab->sim->now_ns + ANSWER_NS;
	char *why = fault->evidence.why;
	int rc = 0;

	lab->admin_ok = false;
	if (!lab->sim->config.ops->admin) {
		(void)snprintf(
			why, sizeof fault->evidence.why, "this protocol has no such operation");
		return 0;
	}
	lab->admin = LAB_ADMIN | ++lab->tickets;
	sim_admin(lab->sim, node, lab->admin, PROTO_ADMIN_TRANSFER, node);
	while (!rc && lab->admin && lab->sim->now_ns < until)
		rc = lab_run(lab, lab->sim->now_ns + LOOK_NS, err);
	(void)snprintf(why, sizeof fault->evidence.why, "%s",
		lab->admin      ? "no answer"
		: lab->admin_ok ? "it said that it leads"
				: "it was refused");
	return rc;
}

static void skew_words(int64_t skew_ns, char *out, size_t size)
{
	char ahead[48];

	(void)snprintf(out, size, "ahead by %s", units_print_offset(skew_ns, ahead, sizeof ahead));
}

int lab_strike(
	struct lab *lab, const struct plan_event *event, struct run_fault *ret, struct err *err)
{
	unsigned node = event->node;
	struct sim_node *n = &lab->sim->node[node];
	int rc = 0;

	*ret = (struct run_fault){.node = (int)node,
		.phase = lab->phase,
		.skew_ns = event->skew_ns,
		.caught_up_ns = UINT64_MAX,
		.judged = true,
		.t_request_ns = lab->sim->now_ns,
		.t_first_ns = lab->sim->now_ns,
		.evidence = {.why = "simulated"}};
	(void)snprintf(ret->kind, sizeof ret->kind, "%s", plan_event_names[event->kind]);
	switch (event->kind) {
	case PLAN_KILL:
		kill_now(lab, node);
		break;
	case PLAN_RESTART:
		sim_restart(lab->sim, node);
		ret->recovered = n->records;
		break;
	case PLAN_PAUSE:
		sim_pause(lab->sim, node);
		break;
	case PLAN_RESUME:
		sim_resume(lab->sim, node);
		break;
	case PLAN_SKEW:
		n->skew_ns = event->skew_ns;
		skew_words(event->skew_ns, ret->evidence.why, sizeof ret->evidence.why);
		break;
	case PLAN_PROMOTE:
		rc = promote(lab, node, ret, err);
		ret->judged = lab->admin_ok;
		break;
	case PLAN_EVENT_KIND_NR:
		break;
	}
	ret->evidence.result = ret->judged ? EVIDENCE_CONFIRMED : EVIDENCE_MISMATCH;
	ret->t_last_ns = lab->sim->now_ns;
	return rc;
}
