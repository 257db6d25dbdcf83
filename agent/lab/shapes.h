/* SPDX-License-Identifier: MIT */
/* shapes.h - which links a cut takes: between groups, around a bridge, on a ring of majorities */
#ifndef LAB_SHAPES_H
#define LAB_SHAPES_H

#include "agent/lab/plan.h"

#define SHAPE_RING_MIN 4 /* of three, each node's majority of neighbours is all of them */

/**
 * struct shape - a shape of a cut; zeroed: nothing is cut
 * @group_of:	by node; links between two different groups are cut, those of group 0 are not
 * @one_way:	only from group 1 to group 2
 * @ring:	replicas that stand on a ring; each keeps its links to @reach neighbours on each
 * side
 */
struct shape {
	uint16_t group_of[FABRIC_NODES_MAX];
	bool one_way;
	unsigned ring;
	unsigned reach;
};

/* shape_cuts() - is the link from @from to @to cut? */
bool shape_cuts(const struct shape *shape, unsigned from, unsigned to);

/* shape_rest() - all nodes in no group become group 2. Return: how many. */
unsigned shape_rest(const struct plan *plan, struct shape *shape);

/**
 * shape_bridge() - all replicas but @node in two halves, which only @node connects
 * Client nodes keep their links. Return: 0, or -EINVAL with fewer than three replicas or a client
 * node.
 */
int shape_bridge(const struct plan *plan, unsigned node, struct shape *ret, struct err *err);

/**
 * shape_ring() - each replica sees a majority of all, and no two see the same
 * Client nodes keep their links. Return: 0, or -EINVAL with fewer than SHAPE_RING_MIN replicas.
 */
int shape_ring(const struct plan *plan, struct shape *ret, struct err *err);

#endif
