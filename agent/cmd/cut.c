/* SPDX-License-Identifier: MIT */
/* cut.c - pacelab cut: let nothing pass between nodes of a lab that is up */
#include <stdio.h>
#include <string.h>

#include "agent/cmd/remote.h"

#define GROUPS_TEXT_MAX 1024

enum { OPT_ONE_WAY, OPT_LAB, OPT_JSON };

static const struct cmd_option options[] = {
	[OPT_ONE_WAY] = {"--one-way", NULL, "only from the first side to the second"},
	[OPT_LAB] = {"--lab", "NAME", REMOTE_LAB_HELP},
	[OPT_JSON] = {"--json", NULL, "print JSON"},
	{NULL, NULL, NULL},
};

static int cut_main(const struct cmd_line *line, struct err *err)
{
	char groups[GROUPS_TEXT_MAX] = "";
	const char *arg[] = {groups, line->value[OPT_ONE_WAY] ? "one-way" : "both", NULL};
	size_t len = 0;

	for (unsigned i = 0; i < line->args; i++) {
		len += (size_t)snprintf(
			groups + len, sizeof groups - len, "%s%s", i ? " " : "", line->arg[i]);
		if (len >= sizeof groups)
			return err_usage(err, "too many names");
	}
	return remote_do(line, line->value[OPT_LAB], line->value[OPT_JSON], "cut", arg, err);
}

const struct cmd cut_cmd = {
	.name = "cut",
	.args = "NODES [/ NODES ...]",
	.summary = "cut the links between nodes or sites",
	.help = "NODES are names of nodes and sites between commas; a site is all its nodes,\n"
		"its client node too. One side alone is cut from everybody else. Packets that\n"
		"are under way when the links are cut still arrive (kind 'edge').\n"
		"Examples: pacelab cut n1,n2 / n3     pacelab cut east / far     pacelab cut n5\n",
	.args_min = 1,
	.args_max = CMD_ARGS_ANY,
	.option = options,
	.main = cut_main,
};
