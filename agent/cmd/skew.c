/* SPDX-License-Identifier: MIT */
/* skew.c - pacelab skew: set the wall clock of a replica wrong */
#include "agent/cmd/remote.h"

enum { OPT_LAB, OPT_JSON };

static const struct cmd_option options[] = {
	[OPT_LAB] = {"--lab", "NAME", REMOTE_LAB_HELP},
	[OPT_JSON] = {"--json", NULL, "print JSON"},
	{NULL, NULL, NULL},
};

static int skew_main(const struct cmd_line *line, struct err *err)
{
	const char *arg[] = {line->arg[0], line->arg[1], NULL};

	return remote_do(
		line, line->value[OPT_LAB], line->value[OPT_JSON], line->cmd->name, arg, err);
}

const struct cmd skew_cmd = {
	.name = "skew",
	.args = "NODE TIME",
	.summary = "set the wall clock of a replica ahead or behind",
	.help = "TIME is 500ms, -2s ...; 0 sets it right. Only the replica's wall clock is wrong,\n"
		"by which the last write wins and keys expire, not the machine's, and not its\n"
		"timers. It is read back, and stays so when the replica is restarted.\n",
	.args_min = 2,
	.args_max = 2,
	.option = options,
	.main = skew_main,
};
