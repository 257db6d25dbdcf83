/* SPDX-License-Identifier: MIT */
/* heal.c - pacelab heal: let packets pass again in a lab that is up */
#include <string.h>

#include "agent/cmd/remote.h"

enum { OPT_LINKS, OPT_LAB, OPT_JSON };

static const struct cmd_option options[] = {
	[OPT_LINKS] = {"--links", NULL, "also put delays back to what the lab's script says"},
	[OPT_LAB] = {"--lab", "NAME", REMOTE_LAB_HELP},
	[OPT_JSON] = {"--json", NULL, "print JSON"},
	{NULL, NULL, NULL},
};

static int heal_main(const struct cmd_line *line, struct err *err)
{
	const char *arg[4] = {line->value[OPT_LINKS] ? "links" : "cuts"};

	if (line->args == 1)
		return err_usage(err, "heal all links, or those between two: pacelab heal n1 n2");
	for (unsigned i = 0; i < line->args; i++)
		arg[i + 1] = line->arg[i];
	return remote_do(line, line->value[OPT_LAB], line->value[OPT_JSON], "heal", arg, err);
}

const struct cmd heal_cmd = {
	.name = "heal",
	.args = "[NODES NODES]",
	.summary = "end cuts, all or those between nodes or sites",
	.args_max = 2,
	.option = options,
	.main = heal_main,
};
