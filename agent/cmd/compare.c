/* SPDX-License-Identifier: MIT */
/* compare.c - pacelab compare and pacelab pacelc: a lab on several stores, side by side */
#include "agent/cmd/compare.h"

#include "agent/cmd/comparison.h"

#define QUICK_SCALE "0.34"

enum {
	OPT_STORES,
	OPT_RESULTS,
	OPT_RESUME,
	OPT_REPEAT,
	OPT_TRIES,
	OPT_SEED,
	OPT_EMULATOR,
	OPT_RATE,
	OPT_QUICK,
	OPT_TIME_SCALE,
	OPT_WARMUP,
	OPT_PROFILES,
	OPT_MATRIX,
	OPT_NAME,
	OPT_JSON,
	OPT_JUNIT,
	OPT_MARKDOWN,
	OPT_SIMULATE,
	OPT_COSTS,
};

const struct cmd_option compare_options[] = {
	[OPT_STORES] = {"--stores", "NAMES",
		"\"raft,cassandra-one\", all of ours, or real ('pacelab list systems')"},
	[OPT_RESULTS] = {"--results", "DIR",
		"folder of the comparison: one for each store below it"},
	[OPT_RESUME] = {"--resume", NULL,
		"keep the runs in DIR from which something was concluded"},
	[OPT_REPEAT] = {"--repeat", "N",
		"run each store N times, with seeds one after the other: medians and spread"},
	[OPT_TRIES] = {"--tries", "N",
		"run a store so often until something can be concluded from a run; 1 if not said"},
	[OPT_SEED] = {"--seed", "N", "of everything random"},
	[OPT_EMULATOR] = {"--emulator", "NAME", "netem or wire; default: what the kernel has"},
	[OPT_RATE] = {"--rate", "N", "operations per second, all clients together"},
	[OPT_QUICK] = {"--quick", NULL,
		"shorter phases: wider intervals, in less time; not of real databases"},
	[OPT_TIME_SCALE] = {"--time-scale", "X", "0.5: every phase takes half as long"},
	[OPT_WARMUP] = {"--warmup", "TIME",
		"\"1s\" of load before all phases, checked and left out of all figures"},
	[OPT_PROFILES] = {"--profiles", "NAMES",
		"\"lan,region,wan\": after the fit a phase under each ('pacelab list profiles')"},
	[OPT_MATRIX] = {"--matrix", "FILE",
		"round trips between regions, as CSV: the lab's sites are as far apart as these"},
	[OPT_NAME] = {"--name", "NAME", "of the lab, to run it beside another"},
	[OPT_JSON] = {"--json", NULL,
		"print the rows as JSON on standard output, all else on error"},
	[OPT_JUNIT] = CI_JUNIT_OPTION,
	[OPT_MARKDOWN] = CI_MARKDOWN_OPTION,
	[OPT_SIMULATE] = {"--simulate", NULL,
		"each run in virtual time, too, and a table of both medians"},
	[OPT_COSTS] = {"--costs", "TIMES", "of these simulations, as run takes them"},
	{NULL, NULL, NULL},
};

int compare_run(const struct cmd_line *line, const struct compare_kind *kind, struct err *err)
{
	const char *const *v = line->value;
	bool quick = v[OPT_QUICK] != NULL;
	const struct comparison_wish wish = {.name = kind->name,
		.lab = !kind->lab                 ? line->arg[0]
		       : quick && kind->quick_lab ? kind->quick_lab
						  : kind->lab,
		.stores = v[OPT_STORES] ? v[OPT_STORES] : kind->stores,
		.results = v[OPT_RESULTS],
		.repeat = v[OPT_REPEAT],
		.tries = v[OPT_TRIES],
		.plan = {.seed = v[OPT_SEED],
			.emulator = v[OPT_EMULATOR],
			.rate = v[OPT_RATE],
			.time_scale = v[OPT_TIME_SCALE],
			.warmup = v[OPT_WARMUP],
			.profiles = v[OPT_PROFILES],
			.matrix = v[OPT_MATRIX]},
		.quick_scale = quick && !kind->quick_lab ? QUICK_SCALE : NULL,
		.lab_name = v[OPT_NAME],
		.resume = v[OPT_RESUME] != NULL,
		.json = v[OPT_JSON] != NULL,
		.simulate = v[OPT_SIMULATE] != NULL,
		.costs = v[OPT_COSTS],
		.ci = {.junit = v[OPT_JUNIT], .markdown = v[OPT_MARKDOWN]},
		.table = kind->table};

	if (cmd_need_root(line->cmd, err))
		return EXIT_CANNOT_RUN;
	if (quick && v[OPT_TIME_SCALE]) {
		(void)err_usage(err, "--quick and --time-scale: say one of the two");
		return EXIT_USAGE;
	}
	return comparison(&wish, err);
}

static int compare_main(const struct cmd_line *line, struct err *err)
{
	static const struct compare_kind kind = {.name = "compare", .table = &compare_models};

	return compare_run(line, &kind, err);
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
	.option = compare_options,
	.main = compare_main,
};
