/* SPDX-License-Identifier: MIT */
/* kill.c - pacelab kill and restart: end a replica without warning, and start it again */
#include "agent/cmd/remote.h"

enum { OPT_LAB, OPT_JSON };

static const struct cmd_option options[] = {
	[OPT_LAB] = {"--lab", "NAME", REMOTE_LAB_HELP},
	[OPT_JSON] = {"--json", NULL, "print JSON"},
	{NULL, NULL, NULL},
};

static int strike_main(const struct cmd_line *line, struct err *err)
{
	const char *arg[] = {line->arg[0], NULL};

	return remote_do(
		line, line->value[OPT_LAB], line->value[OPT_JSON], line->cmd->name, arg, err);
}

const struct cmd kill_cmd = {
	.name = "kill",
	.args = "NODE",
	.summary = "kill -9 the replica of a node",
	.help = "The node itself stays. 'pacelab restart NODE' starts the replica again, from\n"
		"its log.\n",
	.args_min = 1,
	.args_max = 1,
	.option = options,
	.main = strike_main,
};

const struct cmd restart_cmd = {
	.name = "restart",
	.args = "NODE",
	.summary = "start the replica of a node again, from its log",
	.help = "A replica that runs is killed first.\n",
	.args_min = 1,
	.args_max = 1,
	.option = options,
	.main = strike_main,
};
