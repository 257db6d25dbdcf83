/* SPDX-License-Identifier: MIT */
/*
 * sim_faults.c - the faults of a script: cuts of any shape, crashes, pauses, disks
 *
 * Faults may overlap; each counts for itself what it does to a link, a disk or a process, so that
 * its end undoes that and nothing else.
 */
#include <assert.h>
#include <stdlib.h>

#include "agent/sim/sim_script.h"

#define COUPS_MAX 16u /* under way at a time; more have no effect */

struct fault {
	bool on;   /* under way */
	bool cuts; /* of one that flaps: now it does */
	uint16_t node;
};

struct sim_faults {
	struct sim *sim;
	const struct sim_script *script;
	struct fault *fault;    /* by number of the action */
	size_t coup[COUPS_MAX]; /* numbers of the last SIM_ACT_COUP that began */
	size_t coups;
};

struct sim_faults *sim_faults_open(struct sim *sim, const struct sim_script *script)
{
	struct sim_faults *f = calloc(1, sizeof(*f));

	assert(f);
	f->sim = sim;
	f->script = script;
	f->fault = calloc(script->count + 1, sizeof(*f->fault));
	assert(f->fault);
	return f;
}

void sim_faults_close(struct sim_faults *f)
{
	free(f->fault);
	free(f);
}

static unsigned distance(unsigned a, unsigned b, unsigned nodes)
{
	unsigned d = a > b ? a - b : b - a;

	return d < nodes - d ? d : nodes - d;
}

static bool side_of(const struct sim_action *a, unsigned node)
{
	return sim_hash(a->arg, node, 1) & 1;
}

/* On the side of the one who was elected; at times there is a second one. */
static bool with(const struct sim_action *a, unsigned node, unsigned nodes, unsigned other)
{
	return other == node ||
	       (a->arg & 1 && other == (node + 1 + (a->arg >> 1) % (nodes - 1)) % nodes);
}

/* Whether the fault is about the link from @from to @to. */
static bool concerns(
	const struct sim_action *a, unsigned node, unsigned nodes, unsigned from, unsigned to)
{
	switch (a->kind) {
	case SIM_ACT_HALVES:
		return side_of(a, from) != side_of(a, to);
	case SIM_ACT_NODE:
	case SIM_ACT_FLAP:
		return from == node || to == node;
	case SIM_ACT_ONE_WAY:
		return (a->arg & 1 ? from : to) == node;
	case SIM_ACT_BRIDGE:
		return from != node && to != node && side_of(a, from) != side_of(a, to);
	case SIM_ACT_RING:
		return distance(from, to, nodes) > (nodes / 2 + 1) / 2;
	case SIM_ACT_COUP:
		return with(a, node, nodes, from) != with(a, node, nodes, to);
	case SIM_ACT_LINKS:
	case SIM_ACT_LOSSY:
	case SIM_ACT_SLOW:
		return sim_hash(a->arg, from, to) % 4 == 0;
	default:
		return false;
	}
}

static void links(struct sim_faults *f, size_t number, int add)
{
	const struct sim_action *a = &f->script->action[number];
	unsigned nodes = f->sim->config.proto.nodes;

	for (unsigned from = 0; from < nodes; from++)
		for (unsigned to = 0; to < nodes; to++) {
			struct sim_link *link = sim_link(f->sim, from, to);
			uint16_t *count = a->kind == SIM_ACT_LOSSY  ? &link->lossy
					  : a->kind == SIM_ACT_SLOW ? &link->slow
								    : &link->cuts;

			if (from != to && concerns(a, f->fault[number].node, nodes, from, to))
				*count = (uint16_t)(*count + add);
		}
}

static void crash_all(struct sim_faults *f)
{
	for (unsigned i = 0; i < f->sim->config.proto.nodes; i++)
		if (f->sim->node[i].alive && !f->sim->node[i].paused)
			sim_crash(f->sim, i);
}

/* Mostly fewer than a majority, at times more. */
static bool may_crash(const struct sim_faults *f, const struct sim_action *a, unsigned node)
{
	unsigned nodes = f->sim->config.proto.nodes;
	unsigned alive = 0;

	for (unsigned i = 0; i < nodes; i++)
		alive += f->sim->node[i].alive;
	return f->sim->node[node].alive && (alive > nodes / 2 + 1 || a->arg % 8 == 0);
}

/* It begins when there is one: sim_faults_leads(). */
static void coup_begin(struct sim_faults *f, size_t number)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->coups; i++)
		if (f->fault[f->coup[i]].on)
			f->coup[kept++] = f->coup[i];
	f->coups = kept;
	if (f->coups < COUPS_MAX)
		f->coup[f->coups++] = number;
}

static void begin(struct sim_faults *f, size_t number, const struct sim_action *a)
{
	struct fault *fault = &f->fault[number];
	struct sim_node *n = &f->sim->node[fault->node];

	switch (a->kind) {
	case SIM_ACT_CRASH:
		/* A process that is stopped can be killed as well, but then it is not stopped. */
		if (may_crash(f, a, fault->node) && !n->paused)
			sim_crash(f->sim, fault->node);
		break;
	case SIM_ACT_CRASH_ALL:
		crash_all(f);
		break;
	case SIM_ACT_PAUSE:
		sim_pause(f->sim, fault->node);
		break;
	case SIM_ACT_STALL:
		n->stalled++;
		break;
	case SIM_ACT_FULL:
		n->full++;
		break;
	case SIM_ACT_COUP:
		coup_begin(f, number);
		break;
	default:
		fault->cuts = true;
		links(f, number, 1);
		break;
	}
}

int sim_fault_begin(struct sim_faults *f, size_t number)
{
	const struct sim_action *a = &f->script->action[number];
	struct fault *fault = &f->fault[number];
	int leader = a->leader ? sim_leader(f->sim) : -1;

	assert(!fault->on && a->kind >= SIM_ACT_OPS);
	fault->on = true;
	fault->node = (uint16_t)(leader >= 0 ? (unsigned)leader
					     : (a->arg >> 8) % f->sim->config.proto.nodes);
	sim_trace(f->sim, "fault %zu begins: %s, r%u", number, sim_act_names[a->kind], fault->node);
	begin(f, number, a);
	return fault->node;
}

void sim_faults_leads(struct sim_faults *f, unsigned node)
{
	for (size_t i = 0; i < f->coups; i++) {
		size_t number = f->coup[i];
		struct fault *fault = &f->fault[number];

		if (!fault->on || fault->cuts)
			continue;
		fault->node = (uint16_t)node;
		fault->cuts = true;
		links(f, number, 1);
		break;
	}
}

static void restart(struct sim *sim, unsigned node)
{
	if (!sim->node[node].alive)
		sim_restart(sim, node);
}

void sim_fault_end(struct sim_faults *f, size_t number)
{
	const struct sim_action *a = &f->script->action[number];
	struct fault *fault = &f->fault[number];
	struct sim_node *n = &f->sim->node[fault->node];

	if (!fault->on)
		return;
	fault->on = false;
	sim_trace(f->sim, "fault %zu ends: %s, r%u", number, sim_act_names[a->kind], fault->node);
	switch (a->kind) {
	case SIM_ACT_CRASH:
		restart(f->sim, fault->node);
		break;
	case SIM_ACT_CRASH_ALL:
		for (unsigned i = 0; i < f->sim->config.proto.nodes; i++)
			restart(f->sim, i);
		break;
	case SIM_ACT_PAUSE:
		sim_resume(f->sim, fault->node);
		break;
	case SIM_ACT_STALL:
		n->stalled--;
		break;
	case SIM_ACT_FULL:
		n->full--;
		if (n->alive)
			sim_disk_write(n);
		break;
	default:
		if (fault->cuts)
			links(f, number, -1);
		fault->cuts = false;
		break;
	}
}

void sim_faults_flap(struct sim_faults *f, size_t number)
{
	struct fault *fault = &f->fault[number];

	if (!fault->on)
		return;
	links(f, number, fault->cuts ? -1 : 1);
	fault->cuts = !fault->cuts;
}

void sim_faults_end(struct sim_faults *f)
{
	for (size_t i = 0; i < f->script->count; i++)
		if (f->fault[i].on)
			sim_fault_end(f, i);
	for (unsigned i = 0; i < f->sim->config.proto.nodes; i++)
		restart(f->sim, i);
}
