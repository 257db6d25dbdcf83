/* SPDX-License-Identifier: MIT */
/* pause.c - pacelab pause and resume: stop all processes of a node, and let them go on */
#include "agent/cmd/remote.h"

enum { OPT_LAB, OPT_JSON };

static const struct cmd_option options[] = {
	[OPT_LAB] = {"--lab", "NAME", REMOTE_LAB_HELP},
	[OPT_JSON] = {"--json", NULL, "print JSON"},
	{NULL, NULL, NULL},
};

static int pause_main(const struct cmd_line *line, struct err *err)
{
	const char *arg[] = {line->arg[0], NULL};

	return remote_do(
		line, line->value[OPT_LAB], line->value[OPT_JSON], line->cmd->name, arg, err);
}

const struct cmd pause_cmd = {
	.name = "pause",
	.args = "NODE",
	.summary = "stop all processes of a node, as a long garbage collection does",
	.help = "They keep their connections and notice nothing until 'pacelab resume NODE'.\n",
	.args_min = 1,
	.args_max = 1,
	.option = options,
	.main = pause_main,
};

const struct cmd resume_cmd = {
	.name = "resume",
	.args = "NODE",
	.summary = "let the processes of a paused node go on",
	.args_min = 1,
	.args_max = 1,
	.option = options,
	.main = pause_main,
};
