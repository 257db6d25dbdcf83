/* SPDX-License-Identifier: MIT */
/* heal.c - pacelab heal: let packets pass again in a lab that is up */
#include <stdio.h>
#include <string.h>

#include "agent/cmd/remote.h"

enum { OPT_LINKS, OPT_LAB, OPT_JSON };

static const struct cmd_option options[] = {
	[OPT_LINKS] = {"--links", NULL, "also put all else back to what the lab's script says"},
	[OPT_LAB] = {"--lab", "NAME", REMOTE_LAB_HELP},
	[OPT_JSON] = {"--json", NULL, "print JSON"},
	{NULL, NULL, NULL},
};

static int heal_main(const struct cmd_line *line, struct err *err)
{
	char text[REMOTE_TEXT_MAX];
	char two[REMOTE_TEXT_MAX * 2 + 8];
	const char *arg[] = {line->value[OPT_LINKS] ? "links" : "cuts", NULL, NULL};

	if (remote_join(line->arg, line->args, text, err))
		return EXIT_USAGE;
	if (line->args)
		arg[1] = text;
	/* Two names are two sides: heal n1 n2. */
	if (line->args == 2 && !strpbrk(text, "/|")) {
		(void)snprintf(two, sizeof two, "%s / %s", line->arg[0], line->arg[1]);
		arg[1] = two;
	}
	return remote_do(line, line->value[OPT_LAB], line->value[OPT_JSON], "heal", arg, err);
}

const struct cmd heal_cmd = {
	.name = "heal",
	.args = "[NODES [/ NODES ...]]",
	.summary = "end cuts, all or those between nodes or sites",
	.help = "One side alone is healed with everybody else; n1 n2 is n1 / n2.\n",
	.args_max = CMD_ARGS_ANY,
	.option = options,
	.main = heal_main,
};
