/* SPDX-License-Identifier: MIT */
/* compare.c - pacelab compare: what a lab shows of several stores, side by side */
#include "agent/cmd/cmd.h"
#include "agent/cmd/comparison.h"

enum {
	OPT_STORES,
	OPT_RESULTS,
	OPT_RESUME,
	OPT_SEED,
	OPT_EMULATOR,
	OPT_RATE,
	OPT_TIME_SCALE,
	OPT_NAME,
	OPT_TRIES,
	OPT_JSON,
	OPT_JUNIT,
	OPT_MARKDOWN,
	OPT_SIMULATE,
	OPT_COSTS,
};

static const struct cmd_option options[] = {
	[OPT_STORES] = {"--stores", "NAMES",
		"\"raft,cassandra-one\", or all ('pacelab list systems')"},
	[OPT_RESULTS] = {"--results", "DIR",
		"folder of the comparison: one for each store below it"},
	[OPT_RESUME] = {"--resume", NULL,
		"keep the runs in DIR from which something was concluded"},
	[OPT_SEED] = {"--seed", "N", "of everything random"},
	[OPT_EMULATOR] = {"--emulator", "NAME", "netem or wire; default: what the kernel has"},
	[OPT_RATE] = {"--rate", "N", "operations per second, all clients together"},
	[OPT_TIME_SCALE] = {"--time-scale", "X", "0.5: every phase takes half as long"},
	[OPT_NAME] = {"--name", "NAME", "of the lab, to run it beside another"},
	[OPT_TRIES] = {"--tries", "N",
		"run a store so often until something can be concluded from a run; 1 if not said"},
	[OPT_JSON] = {"--json", NULL,
		"print the rows as JSON on standard output, all else on error"},
	[OPT_JUNIT] = CI_JUNIT_OPTION,
	[OPT_MARKDOWN] = CI_MARKDOWN_OPTION,
	[OPT_SIMULATE] = {"--simulate", NULL,
		"each run in virtual time, too, and a table of both medians"},
	[OPT_COSTS] = {"--costs", "TIMES", "of these simulations, as run takes them"},
	{NULL, NULL, NULL},
};

static int compare_main(const struct cmd_line *line, struct err *err)
{
	const char *const *v = line->value;
	const struct comparison_wish wish = {.name = "compare",
		.lab = line->arg[0],
		.stores = v[OPT_STORES],
		.results = v[OPT_RESULTS],
		.seed = v[OPT_SEED],
		.emulator = v[OPT_EMULATOR],
		.rate = v[OPT_RATE],
		.time_scale = v[OPT_TIME_SCALE],
		.lab_name = v[OPT_NAME],
		.tries = v[OPT_TRIES],
		.resume = v[OPT_RESUME] != NULL,
		.json = v[OPT_JSON] != NULL,
		.simulate = v[OPT_SIMULATE] != NULL,
		.costs = v[OPT_COSTS],
		.ci = {.junit = v[OPT_JUNIT], .markdown = v[OPT_MARKDOWN]},
		.table = &compare_models};

	if (cmd_need_root(line->cmd, err))
		return EXIT_CANNOT_RUN;
	return comparison(&wish, err);
}

const struct cmd compare_cmd = {
	.name = "compare",
	.args = "LAB",
	.summary = "run a lab on several stores, one after the other, and print a table",
	.help = "Each store's run is in a folder of its own below DIR, judged by every model.\n"
		"Exit status: 0 all as claimed, 1 a claim or expectation was violated,\n"
		"2 nothing can be concluded from some run, 64 bad input, 77 cannot run here.\n",
	.args_min = 1,
	.args_max = 1,
	.option = options,
	.main = compare_main,
};
