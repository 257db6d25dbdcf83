/* SPDX-License-Identifier: MIT */
/* select.c - nodes as people name them: "n1,n2", "east", "n1,n2 / far" */
#include "agent/lab/select.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAMES_SHOWN_MAX 12

static void names_list(const struct plan *plan, char *out, size_t size)
{
	size_t len = 0;

	*out = '\0';
	for (unsigned i = 0; i < plan->nodes && i < NAMES_SHOWN_MAX && len < size; i++)
		len += (size_t)snprintf(
			out + len, size - len, "%s%s", i ? ", " : "", plan->node[i].name);
	for (unsigned i = 0; i < plan->sites && i < NAMES_SHOWN_MAX && len < size; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%s", i ? ", " : " and sites ",
			plan->site[i].name);
}

static int node_put(
	const struct plan *plan, unsigned node, unsigned group, uint16_t *group_of, struct err *err)
{
	if (group_of[node] && group_of[node] != group)
		return err_usage(err, "node %s stands on both sides", plan->node[node].name);
	group_of[node] = (uint16_t)group;
	return 0;
}

static int name_put(const struct plan *plan, const char *name, unsigned group, uint16_t *group_of,
	struct err *err)
{
	int node = plan_node_find(plan, name);
	int site = plan_site_find(plan, name);
	char there[384];
	int rc = 0;

	if (node >= 0)
		return node_put(plan, (unsigned)node, group, group_of, err);
	if (site < 0) {
		names_list(plan, there, sizeof there);
		return err_usage(
			err, "there is no node or site '%.64s'; there are %s", name, there);
	}
	for (unsigned i = 0; i < plan->nodes && !rc; i++) {
		if (plan->node[i].site == site)
			rc = node_put(plan, i, group, group_of, err);
	}
	return rc;
}

int select_group(const struct plan *plan, const char *list, unsigned group, uint16_t *group_of,
	struct err *err)
{
	char copy[1024];
	char *save = NULL;
	unsigned names = 0;
	int rc = 0;

	if ((size_t)snprintf(copy, sizeof copy, "%s", list) >= sizeof copy)
		return err_usage(err, "too many names");
	for (char *name = strtok_r(copy, ", ", &save); name && !rc;
		name = strtok_r(NULL, ", ", &save)) {
		rc = name_put(plan, name, group, group_of, err);
		names++;
	}
	if (!rc && !names)
		return err_usage(err, "a side has no nodes; write it like: n1,n2 / n3");
	return rc;
}

unsigned select_sides(const struct plan *plan, const struct shape *shape)
{
	unsigned sides = 0;

	for (unsigned i = 0; i < plan->nodes; i++)
		sides = shape->group_of[i] > sides ? shape->group_of[i] : sides;
	return sides;
}

int select_shape(const struct plan *plan, const char *text, struct shape *ret, struct err *err)
{
	char copy[1024];
	char *rest = copy;
	char *group;
	unsigned groups = 0;
	int rc = 0;

	*ret = (struct shape){0};
	if ((size_t)snprintf(copy, sizeof copy, "%s", text) >= sizeof copy)
		return err_usage(err, "too many names");
	while (!rc && (group = strsep(&rest, "/|"))) {
		if (groups == SELECT_GROUPS_MAX)
			return err_usage(err, "at most %d sides", SELECT_GROUPS_MAX);
		rc = select_group(plan, group, ++groups, ret->group_of, err);
	}
	if (!rc && groups == 1 && shape_rest(plan, ret) == 0)
		return err_usage(err, "all nodes are on one side; nothing is cut");
	return rc;
}
