/* SPDX-License-Identifier: MIT */
/* pacelc.c - pacelab pacelc: round trips that each store pays, beside what its claim makes it pay
 */
#include "agent/cmd/cmd.h"
#include "agent/cmd/comparison.h"

#define QUICK_SCALE "0.34"

enum {
	OPT_STORES,
	OPT_RESULTS,
	OPT_RESUME,
	OPT_SEED,
	OPT_EMULATOR,
	OPT_RATE,
	OPT_QUICK,
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
	[OPT_QUICK] = {"--quick", NULL,
		"phases a third as long: wider intervals, in a third of the time"},
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

static int pacelc_main(const struct cmd_line *line, struct err *err)
{
	const char *const *v = line->value;
	const struct comparison_wish wish = {.name = "costs",
		.lab = "pacelc",
		.stores = v[OPT_STORES] ? v[OPT_STORES] : "all",
		.results = v[OPT_RESULTS],
		.seed = v[OPT_SEED],
		.emulator = v[OPT_EMULATOR],
		.rate = v[OPT_RATE],
		.time_scale = v[OPT_QUICK] ? QUICK_SCALE : NULL,
		.lab_name = v[OPT_NAME],
		.tries = v[OPT_TRIES],
		.resume = v[OPT_RESUME] != NULL,
		.json = v[OPT_JSON] != NULL,
		.simulate = v[OPT_SIMULATE] != NULL,
		.costs = v[OPT_COSTS],
		.ci = {.junit = v[OPT_JUNIT], .markdown = v[OPT_MARKDOWN]},
		.table = &compare_costs};

	if (cmd_need_root(line->cmd, err))
		return EXIT_CANNOT_RUN;
	return comparison(&wish, err);
}

const struct cmd pacelc_cmd = {
	.name = "pacelc",
	.args = "",
	.summary = "what consistency costs on each store: round trips, medians, verdict",
	.help = "The lab `pacelc` on each store: four distances, a line fitted through the medians, then\n"
		"a cut. Beside what is paid stands the interval in which 95 of 100 resamples lie, and\n"
		"what the floors say. With all stores it takes about 15 minutes.\n"
		"Exit status: as of compare.\n",
	.args_max = 0,
	.option = options,
	.main = pacelc_main,
};
