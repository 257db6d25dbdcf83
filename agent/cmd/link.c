/* SPDX-License-Identifier: MIT */
/* link.c - pacelab link: all that links of a lab that is up do wrong, but for cuts */
#include <string.h>

#include "agent/cmd/remote.h"

enum { OPT_SHOW, OPT_ONE_WAY, OPT_LAB, OPT_JSON };

static const struct cmd_option options[] = {
	[OPT_SHOW] = {"--show", NULL, "print all links and change nothing; see below"},
	[OPT_ONE_WAY] = {"--one-way", NULL, "only from the first to the second"},
	[OPT_LAB] = {"--lab", "NAME", REMOTE_LAB_HELP},
	[OPT_JSON] = {"--json", NULL, "print JSON; with --show all that is known of each link"},
	{NULL, NULL, NULL},
};

static bool is_carrier(const char *word)
{
	return strcmp(word, "down") == 0 || strcmp(word, "up") == 0;
}

static int link_main(const struct cmd_line *line, struct err *err)
{
	const char *const *v = line->value;
	const char *first = line->args > 0 ? line->arg[0] : NULL;
	const char *second = line->args > 1 ? line->arg[1] : NULL;
	char text[REMOTE_TEXT_MAX];
	const char *show[] = {first, NULL};
	const char *carrier[] = {first, second, NULL};
	const char *arg[] = {v[OPT_ONE_WAY] ? "one-way" : "both", first, second, text, NULL};

	if (v[OPT_SHOW] && line->args > 1)
		return err_usage(err, "--show takes one word, like loss");
	if (v[OPT_SHOW])
		return remote_do(line, v[OPT_LAB], v[OPT_JSON], "matrix", show, err);
	if (line->args == 2 && is_carrier(second))
		return remote_do(line, v[OPT_LAB], v[OPT_JSON], "carrier", carrier, err);
	if (line->args < 3)
		return err_usage(err,
			"write it like: pacelab link n1 n2 delay 20ms jitter 2ms loss 1%%, or "
			"pacelab link n1 down");
	if (remote_join(line->arg + 2, line->args - 2, text, err))
		return EXIT_USAGE;
	return remote_do(line, v[OPT_LAB], v[OPT_JSON], "link", arg, err);
}

const struct cmd link_cmd = {
	.name = "link",
	.args = "NODES NODES WORDS... | NODES down|up | --show [WORD]",
	.summary = "make links slow or lossy, or show all links",
	.help = "WORDS are one way, and each direction gets them unless --one-way is given: a delay\n"
		"of 20ms makes a round trip of 40 ms. A fault that is named replaces what the link\n"
		"had of it, others stay. 'loss none' ends one, 'clean' all; --show, of one of the\n"
		"words or of 'all' or 'counters', prints them. 'pacelab list faults' explains:\n"
		"  delay TIME [jitter TIME] [distribution NAME] [correlation SHARE]\n"
		"  loss SHARE [correlation SHARE] | loss ge P R [BAD [GOOD]] | loss state P13 ...\n"
		"  drop 17,20-29   duplicate SHARE   corrupt SHARE [silent]   reorder SHARE\n"
		"  rate RATE [queue SIZE]   flap UP DOWN   profile NAME   clean\n"
		"down takes the carrier of a node's eth0 away, which it sees, and up gives it back.\n"
		"Examples: pacelab link n1 n2 delay 20ms jitter 2ms loss 1% rate 10mbit\n"
		"          pacelab link east far profile satellite     pacelab link --show loss\n",
	.args_max = CMD_ARGS_ANY,
	.option = options,
	.main = link_main,
};
