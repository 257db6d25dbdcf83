/* SPDX-License-Identifier: MIT */
/* link.c - pacelab link: delay and jitter of links of a lab that is up */
#include <string.h>

#include "agent/cmd/remote.h"
#include "agent/lab/control.h"

enum { OPT_SHOW, OPT_ONE_WAY, OPT_LAB, OPT_JSON };

static const struct cmd_option options[] = {
	[OPT_SHOW] = {"--show", NULL, "print all links and change nothing"},
	[OPT_ONE_WAY] = {"--one-way", NULL, "only from the first to the second"},
	[OPT_LAB] = {"--lab", "NAME", REMOTE_LAB_HELP},
	[OPT_JSON] = {"--json", NULL, "print JSON; with --show counters, too"},
	{NULL, NULL, NULL},
};

static int link_main(const struct cmd_line *line, struct err *err)
{
	static const char *const none[] = {NULL};
	const char *arg[CONTROL_WORDS_MAX] = {line->value[OPT_ONE_WAY] ? "one-way" : "both"};

	if (line->value[OPT_SHOW]) {
		if (line->args)
			return err_usage(err, "--show takes no arguments");
		return remote_do(
			line, line->value[OPT_LAB], line->value[OPT_JSON], "matrix", none, err);
	}
	if (line->args < 4 || line->args > 6)
		return err_usage(err, "write it like: pacelab link n1 n2 delay 20ms jitter 2ms");
	memcpy(arg + 1, line->arg, line->args * sizeof *arg);
	return remote_do(line, line->value[OPT_LAB], line->value[OPT_JSON], "link", arg, err);
}

const struct cmd link_cmd = {
	.name = "link",
	.args = "NODES NODES delay TIME [jitter TIME]",
	.summary = "set delay and jitter of links, or show all links",
	.help = "The delay is one way, and each direction gets it unless --one-way is given: a\n"
		"delay of 20ms makes a round trip of 40 ms. Jitter is uniform, plus or minus, and\n"
		"keeps the order of packets; without the word there is none.\n"
		"Example: pacelab link n1 n2 delay 20ms jitter 2ms\n",
	.args_max = CMD_ARGS_ANY,
	.option = options,
	.main = link_main,
};
