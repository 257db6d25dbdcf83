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
#include "agent/lab/distances.h"
#include "agent/lab/expand.h"

_Static_assert(PLAN_KILL == 0 && (int)SCRIPT_RESTART - (int)SCRIPT_KILL == (int)PLAN_RESTART &&
		       (int)SCRIPT_PAUSE - (int)SCRIPT_KILL == (int)PLAN_PAUSE &&
		       (int)SCRIPT_RESUME - (int)SCRIPT_KILL == (int)PLAN_RESUME &&
		       (int)SCRIPT_SKEW - (int)SCRIPT_KILL == (int)PLAN_SKEW &&
		       (int)SCRIPT_PROMOTE - (int)SCRIPT_KILL == (int)PLAN_PROMOTE,
	"process faults stand in the order of plan_event_kind");

/* Of the slowest profile: what it leaves behind is no longer under way. */
#define SETTLE_ROUND_TRIPS 5

/* What has been done to the replicas so far. */
struct processes {
	bool dead[PLAN_REPLICAS_MAX];
	bool paused[PLAN_REPLICAS_MAX];
	bool skewed[PLAN_REPLICAS_MAX];
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

static int find_replica(const struct plan *plan, const struct script *s,
	const struct script_fault *fault, struct err *err)
{
	const char *verb = script_fault_names[fault->kind];
	bool in[FABRIC_NODES_MAX] = {false};
	int node = plan_node_find(plan, fault->word[0]);
	int rc;

	if (strcmp(fault->word[0], SCRIPT_LEADER) == 0)
		return script_fail(s, fault->line, err,
			"%s(): only faults of links can be about leader(): name a node", verb);
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
	/* Sorted by time; those of one time stay in the order in which they were written. */
	for (i = phase->events++; i > 0 && phase->event[i - 1].at_ns > at_ns; i--)
		phase->event[i] = phase->event[i - 1];
	event = &phase->event[i];
	event->kind = (enum plan_event_kind)(fault->kind - SCRIPT_KILL);
	event->node = (uint16_t)node;
	event->at_ns = at_ns;
	event->skew_ns = fault->skew_ns;
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

		if (event->kind == PLAN_SKEW) {
			now->skewed[event->node] = event->skew_ns != 0;
			continue;
		}
		if (event->kind == PLAN_PROMOTE && !*dead && !*paused)
			continue;
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
		if (event->kind == PLAN_PROMOTE)
			return script_fail(s, line, err,
				"phase '%s': promote of '%s', which is paused: resume() it first",
				phase->name, name);
		if (event->kind == PLAN_KILL || event->kind == PLAN_RESTART) {
			*dead = event->kind == PLAN_KILL;
			*paused = false;
		} else {
			*paused = event->kind == PLAN_PAUSE;
		}
	}
	return 0;
}

/* Clocks are right again when a phase begins, unless it says that they are not. */
static void right_clocks(
	const struct plan *plan, struct plan_phase *phase, const struct processes *now)
{
	for (unsigned node = 0; node < plan->replicas; node++) {
		bool said = false;

		for (unsigned i = 0; i < phase->events && phase->event[i].at_ns == 0; i++)
			said = said ||
			       (phase->event[i].kind == PLAN_SKEW && phase->event[i].node == node);
		if (!now->skewed[node] || said || phase->events == PLAN_EVENTS_MAX)
			continue;
		memmove(phase->event + 1, phase->event, phase->events * sizeof *phase->event);
		phase->event[0] = (struct plan_event){.kind = PLAN_SKEW, .node = (uint16_t)node};
		phase->events++;
	}
}

static void skew_words(const struct script_fault *fault, uint64_t at_ns, char *out, size_t size)
{
	char skew[32];
	char at[32];

	(void)snprintf(out, size, "clock of %s %s %s", fault->word[0],
		fault->skew_ns < 0 ? "behind by" : "ahead by",
		units_print_offset(
			fault->skew_ns < 0 ? -fault->skew_ns : fault->skew_ns, skew, sizeof skew));
	if (at_ns) {
		size_t len = strlen(out);

		(void)snprintf(out + len, size - len, " at %s",
			units_print_duration(at_ns, at, sizeof at));
	}
}

/* The faults in words, in the order in which they were written. */
static void say_what(const struct plan *plan, const struct script *s,
	const struct script_phase *from, const char *leader, struct plan_phase *phase)
{
	char text[PLAN_WHAT_MAX];
	char at[32];

	phase->what[0] = '\0';
	for (unsigned i = 0; i < from->faults; i++) {
		const struct script_fault *fault = &s->fault[from->first + i];
		uint64_t at_ns = (uint64_t)((double)fault->at_ns * plan->time_scale);

		if (fault->kind < SCRIPT_KILL)
			faults_words(fault, leader, text, sizeof text);
		else if (fault->kind == SCRIPT_SKEW)
			skew_words(fault, at_ns, text, sizeof text);
		else
			(void)snprintf(text, sizeof text, "%s %s at %s",
				script_fault_names[fault->kind], fault->word[0],
				units_print_duration(at_ns, at, sizeof at));
		add_what(phase, "%s%s", i > 0 ? ", " : "", text);
	}
	/* What does not fit is in results.json all the same. */
	if (strlen(phase->what) == sizeof phase->what - 1)
		memcpy(phase->what + sizeof phase->what - 4, "...", 3);
}

/* Links, words and sides of a phase if @leader leads; "" as its name while nobody knows. */
static int shape_phase(struct plan *plan, const struct script *s, const struct script_phase *from,
	unsigned leader, const char *name, struct plan_phase *phase, struct err *err)
{
	int rc = faults_apply(plan, s, from, leader, phase, err);

	if (rc < 0)
		return rc;
	say_what(plan, s, from, name, phase);
	memset(phase->side, 0, sizeof phase->side);
	if (sides_find(plan, phase) < 0)
		return script_fail(s, from->name.line, err,
			"phase '%s' splits the lab into more than %d sides: cut fewer links",
			phase->name, PLAN_SIDES_MAX);
	return 0;
}

int phases_resolve(struct plan *plan, const struct script *script, unsigned phase, unsigned leader,
	struct err *err)
{
	/* Those that the script does not name stand in front: warm-up, fit. */
	const struct script_phase *from = &script->phase[phase - (plan->phases - script->phases)];

	return shape_phase(
		plan, script, from, leader, plan->node[leader].name, &plan->phase[phase], err);
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
	phase->line = from->name.line;
	phase->say = from->say[0] ? from->say : NULL;
	for (unsigned i = 0; i < from->faults && rc == 0; i++) {
		const struct script_fault *fault = &s->fault[from->first + i];

		if (fault->kind >= SCRIPT_KILL)
			rc = add_event(plan, s, phase, fault, time_scale, err);
	}
	right_clocks(plan, phase, now);
	if (rc == 0)
		rc = follow_processes(plan, s, from->name.line, phase, now, err);
	if (rc < 0)
		return rc;
	return shape_phase(plan, s, from, plan->proto.leader < 0 ? 0 : (unsigned)plan->proto.leader,
		"", phase, err);
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

/* All links between sites as of a profile, as long as the script's first phase. */
static void add_profile_phase(
	struct plan *plan, const struct link_word *profile, uint64_t duration_ns)
{
	char name[PLAN_NAME_MAX];
	struct plan_phase *phase;
	int rc;

	(void)snprintf(name, sizeof name, "profile-%s", profile->name);
	phase = new_phase(plan, name, duration_ns);
	phase->profile = profile->name;
	for (unsigned a = 0; a < plan->nodes; a++)
		for (unsigned b = 0; b < plan->nodes; b++)
			if (plan->node[a].site != plan->node[b].site)
				*link_matrix_at(&phase->matrix, a, b) = distances_profile(profile);
	rc = sides_find(plan, phase);
	assert(rc == 0 && phase->sides == 1);
}

/* On the links as they are without faults: connections, leaders and caches come to be, or what was
 * sent under a slow profile comes to an end. */
static void add_uncounted(struct plan *plan, const char *name, uint64_t duration_ns)
{
	struct plan_phase *phase = new_phase(plan, name, duration_ns);
	int rc = sides_find(plan, phase);

	assert(rc == 0 && phase->sides == 1);
	phase->warmup = true;
}

int phases_expand(
	struct plan *plan, const struct script *script, double time_scale, struct err *err)
{
	struct processes now = {0};
	uint64_t total_ns = 0;
	unsigned fit;
	int rc;

	if (script->phases == 0)
		return script_fail(
			script, script->lines, err, "no phase: add phase(\"baseline\", \"5s\")");
	plan->phase = calloc(PLAN_PHASES_MAX, sizeof *plan->phase);
	assert(plan->phase);
	if (script->warmup.ns > 0)
		add_uncounted(plan, "warmup", (uint64_t)((double)script->warmup.ns * time_scale));
	fit = plan->phases;
	for (unsigned i = 0; i < script->fit.rtts; i++)
		add_fit_phase(plan, &script->fit, i, time_scale);
	if (script->fit.say[0])
		plan->phase[fit].say = script->fit.say;
	for (unsigned i = 0; i < script->profiles; i++)
		add_profile_phase(plan, script->profile[i],
			(uint64_t)((double)script->phase[0].duration_ns * time_scale));
	if (script->profiles > 0)
		add_uncounted(plan, "settle", SETTLE_ROUND_TRIPS * distances_longest_ns(script));
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
