/* SPDX-License-Identifier: MIT */
/* shell.c - pacelab shell: a shell in a node whose prompt says where one is */
#include <stdio.h>
#include <stdlib.h>

#include "agent/cmd/remote.h"

enum { OPT_LAB };

static const struct cmd_option options[] = {
	[OPT_LAB] = {"--lab", "NAME", REMOTE_LAB_HELP},
	{NULL, NULL, NULL},
};

static int shell_main(const struct cmd_line *line, struct err *err)
{
	const char *shell = getenv("SHELL");
	char *argv[] = {(char *)(shell && *shell ? shell : "/bin/sh"), NULL};
	char prompt[80];
	char command[200];
	char lab[33];
	int fd = remote_enter(line, line->value[OPT_LAB], line->arg[0], lab, err);

	if (fd < 0)
		return EXIT_INTERNAL;
	(void)snprintf(prompt, sizeof prompt, "(%s/%s) ", lab, line->arg[0]);
	/* bash sets PS1 in its start files, so its prompt is put in front each time. */
	(void)snprintf(command, sizeof command, "PS1=\"%s${PS1#\"%s\"}\"", prompt, prompt);
	(void)setenv("PROMPT_COMMAND", command, 1);
	(void)snprintf(command, sizeof command, "%s# ", prompt);
	(void)setenv("PS1", command, 1);
	return remote_exec(fd, line->arg[0], argv, err);
}

const struct cmd shell_cmd = {
	.name = "shell",
	.args = "NODE",
	.summary = "open a shell in a node",
	.help = "Runs $SHELL with a prompt that names lab and node.\n",
	.args_min = 1,
	.args_max = 1,
	.option = options,
	.main = shell_main,
};
