/* SPDX-License-Identifier: MIT */
/* select.h - nodes as people name them: "n1,n2", "east", "n1,n2 / far" */
#ifndef LAB_SELECT_H
#define LAB_SELECT_H

#include "agent/lab/shapes.h"

#define SELECT_GROUPS_MAX 8

/**
 * select_group() - put the nodes of one list into group number @group of @group_of
 * @list:	names of nodes and sites (a site is all its nodes, clients too), between commas
 * @group:	from 1 on
 * @group_of:	by node index; 0: in no group yet
 *
 * Return: 0, or -EINVAL with the name and what there is instead in @err; a node cannot stand in
 * two groups.
 */
int select_group(const struct plan *plan, const char *list, unsigned group, uint16_t *group_of,
	struct err *err);

/* select_shape() - "n1,n2 / n3"; one group alone stands against all other nodes. */
int select_shape(const struct plan *plan, const char *text, struct shape *ret, struct err *err);

/* select_sides() - how many groups there are. */
unsigned select_sides(const struct plan *plan, const struct shape *shape);

#endif
