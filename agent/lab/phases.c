/* SPDX-License-Identifier: MIT */
/*
 * phases.c - each phase's full matrix, process events and sides
 *
 * A phase begins with the base matrix: faults do not carry over to the next one. Killed and paused
 * processes do, until they are restarted or resumed, so those are followed over all phases.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/units.h"
#include "agent/lab/expand.h"

_Static_assert(PLAN_KILL == 0 && (int)SCRIPT_RESTART - (int)SCRIPT_KILL == (int)PLAN_RESTART &&
		       (int)SCRIPT_PAUSE - (int)SCRIPT_KILL == (int)PLAN_PAUSE &&
		       (int)SCRIPT_RESUME - (int)SCRIPT_KILL == (int)PLAN_RESUME,
	"process faults stand in the order of plan_event_kind");

struct groups {
	uint16_t of[FABRIC_NODES_MAX]; /* 1 + number of the group that names the node, 0: none */
};

/* What has been done to the replicas so far. */
struct processes {
	bool dead[PROTO_NODES_MAX];
	bool paused[PROTO_NODES_MAX];
};

__attribute__((format(printf, 2, 3))) static void add_what(
	struct plan_phase *phase, const char *fmt, ...)
{
	size_t len = strlen(phase->what);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(phase->what + len, sizeof phase->what - len, fmt, args);
	va_end(args);
}

/* "east+west | far": the words of a fault as they were written. */
static void add_groups(
	struct plan_phase *phase, const struct script_fault *fault, const char *between)
{
	for (unsigned i = 0; i < fault->words; i++) {
		const char *glue = "";

		if (i > 0)
			glue = fault->group[i] == fault->group[i - 1] ? "+" : between;
		add_what(phase, "%s%s", glue, fault->word[i]);
	}
}

static int find_groups(const struct plan *plan, const struct script *s,
	const struct script_fault *fault, struct groups *ret, struct err *err)
{
	memset(ret, 0, sizeof *ret);
	for (unsigned w = 0; w < fault->words; w++) {
		bool in[FABRIC_NODES_MAX] = {false};
		int rc = expand_select(plan, s, fault->line, fault->word[w], in, err);

		if (rc < 0)
			return rc;
		for (unsigned i = 0; i < plan->nodes; i++) {
			if (!in[i])
				continue;
			if (ret->of[i])
				return script_fail(s, fault->line, err,
					"%s() names node '%s' twice: a node is in one group, once",
					script_fault_names[fault->kind], plan->node[i].name);
			ret->of[i] = (uint16_t)(fault->group[w] + 1);
		}
	}
	return 0;
}

static void cut_link(struct plan_phase *phase, unsigned from, unsigned to)
{
	link_matrix_at(&phase->matrix, from, to)->cut = CUT_EDGE;
	phase->cut = true;
}

/* Cut the links that a fault of the matrix cuts; those of nodes in no group are left alone. */
static void apply_cuts(const struct plan *plan, struct plan_phase *phase,
	const struct script_fault *fault, const struct groups *groups)
{
	for (unsigned a = 0; a < plan->nodes; a++) {
		for (unsigned b = 0; b < plan->nodes; b++) {
			unsigned ga = groups->of[a];
			unsigned gb = groups->of[b];

			if (a == b)
				continue;
			if ((fault->kind == SCRIPT_CUT && ga && gb && ga != gb) ||
				(fault->kind == SCRIPT_ONE_WAY && ga == 1 && gb == 2) ||
				(fault->kind == SCRIPT_ISOLATE && !ga != !gb))
				cut_link(phase, a, b);
		}
	}
}

static int apply_link(const struct plan *plan, const struct script *s, struct plan_phase *phase,
	const struct script_fault *fault, const struct groups *groups, struct err *err)
{
	for (unsigned a = 0; a < plan->nodes; a++) {
		for (unsigned b = 0; b < plan->nodes; b++) {
			struct link_state *link;

			if (!groups->of[a] || !groups->of[b] || groups->of[a] == groups->of[b])
				continue;
			link = link_matrix_at(&phase->matrix, a, b);
			if (fault->delay_ns != UINT64_MAX)
				link->delay_ns = fault->delay_ns;
			if (fault->jitter_ns != UINT64_MAX)
				link->jitter_ns = fault->jitter_ns;
			if (link->jitter_ns > link->delay_ns)
				return script_fail(s, fault->line, err,
					"link(): the jitter between '%s' and '%s' is larger than "
					"the delay: make the delay at least as large",
					plan->node[a].name, plan->node[b].name);
		}
	}
	return 0;
}

static int apply_matrix_fault(const struct plan *plan, const struct script *s,
	struct plan_phase *phase, const struct script_fault *fault, struct err *err)
{
	char delay[32];
	struct groups groups;
	int rc = find_groups(plan, s, fault, &groups, err);

	if (rc < 0)
		return rc;
	switch ((int)fault->kind) {
	case SCRIPT_CUT:
		add_groups(phase, fault, " | ");
		break;
	case SCRIPT_ONE_WAY:
		add_groups(phase, fault, " -/-> ");
		break;
	case SCRIPT_ISOLATE:
		add_groups(phase, fault, "");
		add_what(phase, " | rest");
		break;
	case SCRIPT_LINK:
		add_groups(phase, fault, " -- ");
		if (fault->delay_ns != UINT64_MAX)
			add_what(phase, " delay %s",
				units_print_duration(fault->delay_ns, delay, sizeof delay));
		if (fault->jitter_ns != UINT64_MAX)
			add_what(phase, " jitter %s",
				units_print_duration(fault->jitter_ns, delay, sizeof delay));
		return apply_link(plan, s, phase, fault, &groups, err);
	default: /* process faults do not come here */
		return -EINVAL;
	}
	apply_cuts(plan, phase, fault, &groups);
	return 0;
}

static int find_replica(const struct plan *plan, const struct script *s,
	const struct script_fault *fault, struct err *err)
{
	const char *verb = script_fault_names[fault->kind];
	bool in[FABRIC_NODES_MAX] = {false};
	int node = plan_node_find(plan, fault->word[0]);
	int rc;

	if (node >= 0 && plan->node[node].role == PLAN_REPLICA)
		return node;
	if (node >= 0)
		return script_fail(s, fault->line, err,
			"%s(): '%s' is a client node: name a node of a site", verb, fault->word[0]);
	rc = expand_select(plan, s, fault->line, fault->word[0], in, err);
	if (rc < 0)
		return rc;
	for (node = 0; !in[node]; node++)
		;
	return script_fail(s, fault->line, err,
		"%s(): '%s' is a site: name one of its nodes, like '%s'", verb, fault->word[0],
		plan->node[node].name);
}

static int add_event(const struct plan *plan, const struct script *s, struct plan_phase *phase,
	const struct script_fault *fault, double time_scale, struct err *err)
{
	uint64_t at_ns = (uint64_t)((double)fault->at_ns * time_scale);
	int node = find_replica(plan, s, fault, err);
	struct plan_event *event;
	char at[32];
	unsigned i;

	if (node < 0)
		return node;
	if (phase->events == PLAN_EVENTS_MAX)
		return script_fail(s, fault->line, err,
			"phase '%s' has more than %d process faults: split the phase", phase->name,
			PLAN_EVENTS_MAX);
	if (at_ns >= phase->duration_ns)
		return script_fail(s, fault->line, err,
			"%s('%s') at %s, but phase '%s' is over by then: make the phase longer or "
			"the time shorter",
			script_fault_names[fault->kind], fault->word[0],
			units_print_duration(at_ns, at, sizeof at), phase->name);
	add_what(phase, "%s %s at %s", script_fault_names[fault->kind], fault->word[0],
		units_print_duration(at_ns, at, sizeof at));
	/* Sorted by time; those of one time stay in the order in which they were written. */
	for (i = phase->events++; i > 0 && phase->event[i - 1].at_ns > at_ns; i--)
		phase->event[i] = phase->event[i - 1];
	event = &phase->event[i];
	event->kind = (enum plan_event_kind)(fault->kind - SCRIPT_KILL);
	event->node = (uint16_t)node;
	event->at_ns = at_ns;
	return 0;
}

/* Nothing is killed that is dead, nothing resumed that runs: such a script means another thing. */
static int follow_processes(const struct plan *plan, const struct script *s, int line,
	const struct plan_phase *phase, struct processes *now, struct err *err)
{
	for (unsigned i = 0; i < phase->events; i++) {
		const struct plan_event *event = &phase->event[i];
		bool *dead = &now->dead[event->node];
		bool *paused = &now->paused[event->node];
		const char *name = plan->node[event->node].name;

		if (event->kind == PLAN_RESTART ? !*dead : *dead)
			return script_fail(s, line, err, "phase '%s': %s of '%s', which is %s: %s",
				phase->name, plan_event_names[event->kind], name,
				*dead ? "dead" : "alive",
				*dead ? "restart() it first" : "kill() it first");
		if ((event->kind == PLAN_PAUSE && *paused) ||
			(event->kind == PLAN_RESUME && !*paused))
			return script_fail(s, line, err, "phase '%s': %s of '%s', which is %s: %s",
				phase->name, plan_event_names[event->kind], name,
				*paused ? "paused" : "running",
				*paused ? "resume() it first" : "pause() it first");
		if (event->kind == PLAN_KILL || event->kind == PLAN_RESTART) {
			*dead = event->kind == PLAN_KILL;
			*paused = false;
		} else {
			*paused = event->kind == PLAN_PAUSE;
		}
	}
	return 0;
}

static struct plan_phase *new_phase(struct plan *plan, const char *name, uint64_t duration_ns)
{
	struct plan_phase *phase = &plan->phase[plan->phases++];
	int rc;

	(void)snprintf(phase->name, sizeof phase->name, "%s", name);
	phase->duration_ns = duration_ns;
	rc = link_matrix_init(&phase->matrix, plan->nodes);
	assert(rc == 0); /* it was possible for the base matrix */
	link_matrix_copy(&phase->matrix, &plan->base);
	return phase;
}

static int add_phase(struct plan *plan, const struct script *s, const struct script_phase *from,
	double time_scale, struct processes *now, struct err *err)
{
	struct plan_phase *phase;
	int rc = expand_name(s, &from->name, "phase", PLAN_NAME_MAX - 1, err);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < plan->phases; i++) {
		if (strcmp(plan->phase[i].name, from->name.text) == 0)
			return script_fail(s, from->name.line, err,
				"a second phase '%s': give it another name", from->name.text);
	}
	if (plan->phases == PLAN_PHASES_MAX)
		return script_fail(s, from->name.line, err,
			"more than %d phases with those of the fit: leave some out",
			PLAN_PHASES_MAX);
	phase = new_phase(
		plan, from->name.text, (uint64_t)((double)from->duration_ns * time_scale));
	for (unsigned i = 0; i < from->faults && rc == 0; i++) {
		const struct script_fault *fault = &s->fault[from->first + i];

		add_what(phase, "%s", i > 0 ? ", " : "");
		if (fault->kind >= SCRIPT_KILL)
			rc = add_event(plan, s, phase, fault, time_scale, err);
		else
			rc = apply_matrix_fault(plan, s, phase, fault, err);
	}
	if (rc == 0)
		rc = follow_processes(plan, s, from->name.line, phase, now, err);
	if (rc < 0)
		return rc;
	if (sides_find(plan, phase) < 0)
		return script_fail(s, from->name.line, err,
			"phase '%s' splits the lab into more than %d sides: cut fewer links",
			phase->name, PLAN_SIDES_MAX);
	return 0;
}

/* All sites one distance apart; inside a site all is as it always is. */
static void add_fit_phase(
	struct plan *plan, const struct script_fit *fit, unsigned point, double time_scale)
{
	char rtt[32];
	char name[PLAN_NAME_MAX];
	struct plan_phase *phase;
	char *to = name + snprintf(name, sizeof name, "fit-");
	int rc;

	units_print_duration(fit->rtt_ns[point], rtt, sizeof rtt);
	for (const char *p = rtt; *p; p++) {
		if (*p != ' ')
			*to++ = *p;
	}
	*to = '\0';
	phase = new_phase(plan, name, (uint64_t)((double)fit->duration_ns * time_scale));
	phase->fit_rtt_ns = fit->rtt_ns[point];
	for (unsigned a = 0; a < plan->nodes; a++) {
		for (unsigned b = 0; b < plan->nodes; b++) {
			if (plan->node[a].site != plan->node[b].site)
				*link_matrix_at(&phase->matrix, a, b) =
					(struct link_state){.delay_ns = fit->rtt_ns[point] / 2};
		}
	}
	rc = sides_find(plan, phase);
	assert(rc == 0 && phase->sides == 1);
}

int phases_expand(
	struct plan *plan, const struct script *script, double time_scale, struct err *err)
{
	struct processes now = {0};
	uint64_t total_ns = 0;
	int rc;

	if (script->phases == 0)
		return script_fail(
			script, script->lines, err, "no phase: add phase(\"baseline\", \"5s\")");
	plan->phase = calloc(PLAN_PHASES_MAX, sizeof *plan->phase);
	assert(plan->phase);
	for (unsigned i = 0; i < script->fit.rtts; i++)
		add_fit_phase(plan, &script->fit, i, time_scale);
	for (unsigned i = 0; i < script->phases; i++) {
		rc = add_phase(plan, script, &script->phase[i], time_scale, &now, err);
		if (rc < 0)
			return rc;
	}
	for (unsigned i = 0; i < plan->phases; i++)
		total_ns += plan->phase[i].duration_ns;
	if (total_ns > UNITS_DURATION_NS_MAX)
		return script_fail(script, script->phase[script->phases - 1].name.line, err,
			"all phases together last longer than a day: shorten them");
	for (unsigned i = 0; i < plan->phases; i++) {
		if (plan->phase[i].duration_ns < SCRIPT_DURATION_NS_MIN)
			return err_usage(err,
				"--time-scale makes phase '%s' shorter than a millisecond: use a "
				"larger one",
				plan->phase[i].name);
	}
	return 0;
}
