/* SPDX-License-Identifier: MIT */
/* shapes.c - which links a cut takes: between groups, around a bridge, on a ring of majorities */
#include "agent/lab/shapes.h"

bool shape_cuts(const struct shape *shape, unsigned from, unsigned to)
{
	unsigned a = shape->group_of[from];
	unsigned b = shape->group_of[to];

	if (from == to)
		return false;
	if (from < shape->ring && to < shape->ring) {
		unsigned apart = from < to ? to - from : from - to;

		return apart > shape->reach && shape->ring - apart > shape->reach;
	}
	return a && b && a != b && (!shape->one_way || a == 1);
}

unsigned shape_rest(const struct plan *plan, struct shape *shape)
{
	unsigned rest = 0;

	for (unsigned i = 0; i < plan->nodes; i++) {
		if (shape->group_of[i])
			continue;
		shape->group_of[i] = 2;
		rest++;
	}
	return rest;
}

int shape_bridge(const struct plan *plan, unsigned node, struct shape *ret, struct err *err)
{
	unsigned others = plan->replicas - 1;
	unsigned seen = 0;

	*ret = (struct shape){0};
	if (node >= plan->replicas)
		return err_usage(
			err, "'%s' is a client node: a bridge is a replica", plan->node[node].name);
	if (others < 2)
		return err_usage(
			err, "a bridge needs three replicas or more: there are %u", plan->replicas);
	for (unsigned i = 0; i < plan->replicas; i++) {
		if (i != node)
			ret->group_of[i] = seen++ < (others + 1) / 2 ? 1 : 2;
	}
	return 0;
}

int shape_ring(const struct plan *plan, struct shape *ret, struct err *err)
{
	unsigned majority = plan->replicas / 2 + 1;

	*ret = (struct shape){0};
	if (plan->replicas < SHAPE_RING_MIN)
		return err_usage(err,
			"a ring of majorities needs %d replicas or more: there are %u",
			SHAPE_RING_MIN, plan->replicas);
	ret->ring = plan->replicas;
	ret->reach = majority / 2; /* with itself 2 * reach + 1, at least the majority */
	return 0;
}
