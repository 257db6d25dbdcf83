/* SPDX-License-Identifier: MIT */
/* exec.c - pacelab exec: run a program in a node, as root of that node */
#include <string.h>
#include <unistd.h>

#include "agent/cmd/remote.h"

enum { OPT_LAB };

static const struct cmd_option options[] = {
	[OPT_LAB] = {"--lab", "NAME", REMOTE_LAB_HELP},
	{NULL, NULL, NULL},
};

static int exec_main(const struct cmd_line *line, struct err *err)
{
	char *const *command = line->arg + 1;
	char lab[33];
	int fd;

	/* "exec n1 -- ls -l", by habit of other tools that enter somewhere. */
	if (strcmp(command[0], "--") == 0)
		command++;
	if (!command[0])
		return err_usage(err, "exec: no command after '--'"), EXIT_USAGE;
	fd = remote_enter(line, line->value[OPT_LAB], line->arg[0], lab, err);

	if (fd < 0)
		return EXIT_INTERNAL;
	return remote_exec(fd, line->arg[0], command, err);
}

const struct cmd exec_cmd = {
	.name = "exec",
	.args = "NODE COMMAND [ARGUMENT...]",
	.summary = "run a program in a node",
	.help = "The program sees the node's network, processes, mounts and host name, and is\n"
		"root there. Its exit status is passed on.\n"
		"Example: pacelab exec n1 redis-cli -h 10.99.0.1 set k v\n",
	.args_min = 2,
	.args_max = CMD_ARGS_ANY,
	.rest = true,
	.option = options,
	.main = exec_main,
};
