/* SPDX-License-Identifier: MIT */
/* sides.c - which nodes can still reach each other in a phase, and what to call them */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/lab/expand.h"

#define SIDE_NONE PLAN_SIDES_MAX

static bool talk(const struct plan_phase *phase, unsigned a, unsigned b)
{
	return !plan_closed(&phase->matrix, a, b) && !plan_closed(&phase->matrix, b, a);
}

/* Give @label to replica @from and all that it is connected with. Return: how many. */
static unsigned flood(const struct plan *plan, const struct plan_phase *phase, unsigned from,
	int label, int *label_of)
{
	uint16_t queue[PLAN_REPLICAS_MAX];
	unsigned head = 0;
	unsigned tail = 0;

	queue[tail++] = (uint16_t)from;
	label_of[from] = label;
	while (head < tail) {
		unsigned a = queue[head++];

		for (unsigned b = 0; b < plan->replicas; b++) {
			if (label_of[b] >= 0 || !talk(phase, a, b))
				continue;
			label_of[b] = label;
			queue[tail++] = (uint16_t)b;
		}
	}
	return tail;
}

/* Label the replicas' components 0, 1 ... by size, largest first. Return: how many. */
static int label_replicas(const struct plan *plan, struct plan_phase *phase)
{
	unsigned size[PLAN_SIDES_MAX] = {0};
	int label_of[PLAN_REPLICAS_MAX] = {0};
	int rank[PLAN_SIDES_MAX] = {0};
	int labels = 0;

	for (unsigned i = 0; i < plan->replicas; i++)
		label_of[i] = -1;
	for (unsigned i = 0; i < plan->replicas; i++) {
		if (label_of[i] >= 0)
			continue;
		if (labels == PLAN_SIDES_MAX)
			return -E2BIG;
		size[labels] = flood(plan, phase, i, labels, label_of);
		labels++;
	}
	for (int a = 0; a < labels; a++) {
		for (int b = 0; b < labels; b++)
			rank[a] += size[b] > size[a] || (b < a && size[b] == size[a]);
	}
	for (unsigned i = 0; i < plan->replicas; i++)
		phase->side_of[i] = (uint8_t)rank[label_of[i]];
	return labels;
}

/* The side of a client node, SIDE_NONE if it reaches none of its replicas. */
static unsigned side_of_client(
	const struct plan *plan, const struct plan_phase *phase, unsigned node)
{
	for (unsigned i = 0; i < plan->replicas; i++) {
		unsigned contact = plan_contact(plan, plan->node[node].site, i);

		if (talk(phase, node, contact))
			return phase->side_of[contact];
	}
	return SIDE_NONE;
}

static void add_name(struct plan_side *side, const char *name)
{
	size_t len = strlen(side->name);
	static const char more[] = "+...";

	if (len + 1 + strlen(name) + sizeof more <= sizeof side->name)
		(void)snprintf(
			side->name + len, sizeof side->name - len, "%s%s", len ? "+" : "", name);
	else if (len < sizeof more || strcmp(side->name + len - (sizeof more - 1), more) != 0)
		(void)snprintf(side->name + len, sizeof side->name - len, "%s", more);
}

/* A site that is whole gives its name to the side, a split one those of its nodes. */
static void name_sides(const struct plan *plan, struct plan_phase *phase)
{
	for (unsigned s = 0; s < plan->sites; s++) {
		int only = -1;

		for (unsigned i = 0; i < plan->replicas; i++) {
			if (plan->node[i].site != s)
				continue;
			if (only < 0)
				only = phase->side_of[i];
			else if (only != phase->side_of[i])
				only = SIDE_NONE;
		}
		if (only >= 0 && only != SIDE_NONE)
			add_name(&phase->side[only], plan->site[s].name);
		for (unsigned i = 0; only == SIDE_NONE && i < plan->replicas; i++) {
			if (plan->node[i].site == s)
				add_name(&phase->side[phase->side_of[i]], plan->node[i].name);
		}
	}
	for (unsigned i = plan->replicas; i < plan->nodes; i++) {
		struct plan_side *side = &phase->side[phase->side_of[i]];

		if (side->replicas == 0)
			add_name(side, plan->node[i].name);
	}
	if (phase->sides == 1)
		(void)snprintf(phase->side[0].name, sizeof phase->side[0].name, "all");
}

int sides_find(const struct plan *plan, struct plan_phase *phase)
{
	int labels = label_replicas(plan, phase);
	bool alone = false;

	if (labels < 0)
		return labels;
	for (unsigned i = plan->replicas; i < plan->nodes; i++) {
		unsigned side = side_of_client(plan, phase, i);

		alone = alone || side == SIDE_NONE;
		phase->side_of[i] = (uint8_t)(side == SIDE_NONE ? (unsigned)labels : side);
	}
	if (alone && labels == PLAN_SIDES_MAX)
		return -E2BIG;
	phase->sides = (unsigned)labels + alone;
	for (unsigned i = 0; i < plan->nodes; i++) {
		struct plan_side *side = &phase->side[phase->side_of[i]];

		if (plan->node[i].role == PLAN_REPLICA)
			side->replicas++;
		else
			side->clients++;
	}
	name_sides(plan, phase);
	return 0;
}
