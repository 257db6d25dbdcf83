/* SPDX-License-Identifier: MIT */
/* sim_script.c - what clients and faults will do in a run, drawn before it begins */
#include "agent/sim/sim_script.h"

#include <assert.h>
#include <stdlib.h>

#define FAULT_NS (700 * NS_PER_MS) /* mean length */
#define FAULT_NS_MAX (3 * NS_PER_S)

const char *const sim_act_names[SIM_ACT_NR] = {
	[SIM_ACT_READ] = "read",
	[SIM_ACT_WRITE] = "write",
	[SIM_ACT_CAS] = "compare-and-set",
	[SIM_ACT_DELETE] = "delete",
	[SIM_ACT_FLEETING] = "set, then delete",
	[SIM_ACT_HALVES] = "cut into two",
	[SIM_ACT_NODE] = "cut off one",
	[SIM_ACT_ONE_WAY] = "cut off one, one way",
	[SIM_ACT_BRIDGE] = "cut but for a bridge",
	[SIM_ACT_RING] = "cut to a ring",
	[SIM_ACT_LINKS] = "cut some links",
	[SIM_ACT_FLAP] = "flap",
	[SIM_ACT_COUP] = "cut off who is elected",
	[SIM_ACT_LOSSY] = "lose much",
	[SIM_ACT_SLOW] = "slow links",
	[SIM_ACT_CRASH] = "crash",
	[SIM_ACT_CRASH_ALL] = "crash all",
	[SIM_ACT_PAUSE] = "pause",
	[SIM_ACT_STALL] = "slow disk",
	[SIM_ACT_FULL] = "full disk",
	[SIM_ACT_TRANSFER] = "transfer leadership",
	[SIM_ACT_REMOVE] = "remove a member",
};

uint64_t sim_hash(uint64_t arg, uint64_t a, uint64_t b)
{
	uint64_t z = arg ^ (a << 32 | b) * 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static void add(struct sim_script *s, size_t *cap, const struct sim_action *a)
{
	if (s->count == *cap) {
		*cap = *cap ? 2 * *cap : 1024;
		s->action = realloc(s->action, *cap * sizeof(*s->action));
		assert(s->action);
	}
	s->action[s->count++] = *a;
}

static uint8_t kind_of(unsigned percent)
{
	if (percent < 48)
		return SIM_ACT_READ;
	if (percent < 71)
		return SIM_ACT_WRITE;
	if (percent < 76)
		return SIM_ACT_DELETE;
	return percent < 97 ? SIM_ACT_CAS : SIM_ACT_FLEETING;
}

static void draw_client(
	const struct sim_plan *plan, unsigned who, struct sim_script *s, size_t *cap)
{
	uint64_t end_ns = SIM_START_NS + plan->duration_ns;
	struct prng prng;

	prng_init(&prng, plan->world.seed, 2 * PROTO_NODES_MAX + who);
	for (uint64_t at = SIM_START_NS;;) {
		struct sim_action a = {.who = (uint16_t)who};
		unsigned kind = (unsigned)prng_below(&prng, 100);

		at += 1 + (uint64_t)prng_exp(&prng, (double)plan->think_ns);
		if (at >= end_ns)
			break;
		a.at_ns = at;
		a.kind = kind_of(kind);
		a.key = (uint8_t)prng_below(&prng, plan->keys);
		a.moves = prng_below(&prng, 20) == 0;
		a.arg = prng_next(&prng);
		add(s, cap, &a);
	}
}

static bool possible(const struct sim_plan *plan, unsigned kind)
{
	if (kind >= SIM_ACT_HALVES && kind <= SIM_ACT_COUP && !plan->cuts)
		return false;
	if ((kind == SIM_ACT_CRASH || kind == SIM_ACT_CRASH_ALL) && !plan->crashes)
		return false;
	if (kind >= SIM_ACT_TRANSFER && !plan->world.ops->admin)
		return false;
	if (kind == SIM_ACT_COUP && !plan->world.ops->vote)
		return false;
	return plan->faults >> kind & 1;
}

static void draw_faults(const struct sim_plan *plan, struct sim_script *s, size_t *cap)
{
	uint64_t mean_ns = plan->fault_for_ns ? plan->fault_for_ns : FAULT_NS;
	uint64_t end_ns = SIM_START_NS + plan->duration_ns;
	struct prng prng;

	prng_init(&prng, plan->world.seed, 2 * PROTO_NODES_MAX + SIM_CLIENTS_MAX + 1);
	for (uint64_t at = SIM_START_NS; plan->fault_ns;) {
		struct sim_action a = {0};

		at += 1 + (uint64_t)prng_exp(&prng, (double)plan->fault_ns);
		if (at >= end_ns)
			break;
		a.at_ns = at;
		a.for_ns = 1 + (uint64_t)prng_exp(&prng, (double)mean_ns);
		if (a.for_ns > FAULT_NS_MAX)
			a.for_ns = FAULT_NS_MAX;
		a.kind = (uint8_t)(SIM_ACT_OPS + prng_below(&prng, SIM_ACT_NR - SIM_ACT_OPS));
		a.leader = prng_below(&prng, 2);
		a.arg = prng_next(&prng);
		if (possible(plan, a.kind))
			add(s, cap, &a);
	}
}

static int by_time(const void *x, const void *y)
{
	const struct sim_action *a = x, *b = y;

	if (a->at_ns != b->at_ns)
		return a->at_ns < b->at_ns ? -1 : 1;
	return (a->arg > b->arg) - (a->arg < b->arg);
}

void sim_script_draw(const struct sim_plan *plan, struct sim_script *ret)
{
	size_t cap = 0;

	*ret = (struct sim_script){0};
	for (unsigned i = 0; i < plan->clients; i++)
		draw_client(plan, i, ret, &cap);
	draw_faults(plan, ret, &cap);
	if (ret->count)
		qsort(ret->action, ret->count, sizeof(*ret->action), by_time);
}

void sim_script_fini(struct sim_script *s)
{
	free(s->action);
	*s = (struct sim_script){0};
}

bool sim_script_kept(const struct sim_plan *plan, size_t number)
{
	return !plan->keep || (number < plan->keep_count && plan->keep[number]);
}

void sim_script_print(const struct sim_action *a, size_t number, struct buf *out)
{
	buf_printf(out, "%6zu  %10.3f ms  ", number,
		(double)(a->at_ns - SIM_START_NS) / (double)NS_PER_MS);
	if (a->kind < SIM_ACT_OPS)
		buf_printf(out, "client %u: %s %s%u", a->who, sim_act_names[a->kind],
			a->kind == SIM_ACT_FLEETING ? "a key, seen " : "k", a->key);
	else
		buf_printf(out, "fault: %s%s, for %.3f ms", sim_act_names[a->kind],
			a->leader ? " (the leader)" : "", (double)a->for_ns / (double)NS_PER_MS);
}
