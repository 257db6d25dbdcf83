/* SPDX-License-Identifier: MIT */
/* cut.c - pacelab cut: let nothing pass between nodes of a lab that is up */
#include <stdio.h>
#include <string.h>

#include "agent/cmd/remote.h"

enum { OPT_ONE_WAY, OPT_KIND, OPT_BRIDGE, OPT_RING, OPT_LEADER, OPT_LAB, OPT_JSON };

static const struct cmd_option options[] = {
	[OPT_ONE_WAY] = {"--one-way", NULL, "only from the first side to the second"},
	[OPT_KIND] = {"--kind", "KIND", "edge, wire or reject; edge if not said"},
	[OPT_BRIDGE] = {"--bridge", "NODE", "two halves that only this replica connects"},
	[OPT_RING] = {"--ring", NULL, "each replica sees a majority, no two the same"},
	[OPT_LEADER] = {"--leader", NULL, "who leads now, from everybody else"},
	[OPT_LAB] = {"--lab", "NAME", REMOTE_LAB_HELP},
	[OPT_JSON] = {"--json", NULL, "print JSON"},
	{NULL, NULL, NULL},
};

static int cut_main(const struct cmd_line *line, struct err *err)
{
	const char *const *v = line->value;
	const char *shape = v[OPT_BRIDGE]   ? "bridge"
			    : v[OPT_RING]   ? "ring"
			    : v[OPT_LEADER] ? "leader"
					    : "groups";
	bool groups = strcmp(shape, "groups") == 0;
	char text[REMOTE_TEXT_MAX];
	const char *arg[] = {v[OPT_ONE_WAY] ? "one-way" : "both",
		v[OPT_KIND] ? v[OPT_KIND] : "edge", shape, v[OPT_BRIDGE] ? v[OPT_BRIDGE] : text,
		NULL};

	if ((v[OPT_BRIDGE] != NULL) + (v[OPT_RING] != NULL) + (v[OPT_LEADER] != NULL) +
			(line->args > 0) !=
		1)
		return err_usage(err,
			"cut whom? write it like: pacelab cut n1,n2 / n3, or one of --bridge NODE, "
			"--ring, --leader");
	if (remote_join(line->arg, line->args, text, err))
		return EXIT_USAGE;
	if (groups && !*text)
		return err_usage(err, "cut whom? write it like: pacelab cut n1,n2 / n3");
	return remote_do(line, v[OPT_LAB], v[OPT_JSON], "cut", arg, err);
}

const struct cmd cut_cmd = {
	.name = "cut",
	.args = "[NODES [/ NODES ...]]",
	.summary = "cut the links between nodes or sites",
	.help = "NODES are names of nodes and sites between commas; a site is all its nodes,\n"
		"its client node too. One side alone is cut from everybody else. With --bridge\n"
		"and --ring client nodes keep their links.\n"
		"Kinds: edge lets nothing in, and what is under way still arrives; wire loses that,\n"
		"too; reject is edge, and the sender is told: RST, or ICMP prohibited.\n"
		"Examples: pacelab cut n1,n2 / n3     pacelab cut east / far     pacelab cut n5\n",
	.args_max = CMD_ARGS_ANY,
	.option = options,
	.main = cut_main,
};
