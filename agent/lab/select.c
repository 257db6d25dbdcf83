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
	const struct plan *plan, unsigned node, unsigned group, uint8_t *group_of, struct err *err)
{
	if (group_of[node] != SELECT_NONE && group_of[node] != group)
		return err_usage(err, "node %s stands on both sides", plan->node[node].name);
	group_of[node] = (uint8_t)group;
	return 0;
}

static int name_put(const struct plan *plan, const char *name, unsigned group, uint8_t *group_of,
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

int select_group(const struct plan *plan, const char *list, unsigned group, uint8_t *group_of,
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

int select_groups(const struct plan *plan, const char *text, uint8_t *group_of,
	unsigned *ret_groups, struct err *err)
{
	char copy[1024];
	char *rest = copy;
	char *group;
	unsigned groups = 0;
	int rc = 0;

	memset(group_of, SELECT_NONE, plan->nodes);
	if ((size_t)snprintf(copy, sizeof copy, "%s", text) >= sizeof copy)
		return err_usage(err, "too many names");
	while (!rc && (group = strsep(&rest, "/|"))) {
		if (groups == SELECT_GROUPS_MAX)
			return err_usage(err, "at most %d sides", SELECT_GROUPS_MAX);
		rc = select_group(plan, group, groups++, group_of, err);
	}
	if (rc)
		return rc;
	if (groups == 1) {
		for (unsigned i = 0; i < plan->nodes; i++)
			group_of[i] = group_of[i] == SELECT_NONE ? 1 : 0;
		groups = 2;
		if (!memchr(group_of, 1, plan->nodes))
			return err_usage(err, "all nodes are on one side; nothing is cut");
	}
	*ret_groups = groups;
	return 0;
}
