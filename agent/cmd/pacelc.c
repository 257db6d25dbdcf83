/* SPDX-License-Identifier: MIT */
/* pacelc.c - pacelab pacelc: what consistency costs on each store, beside what its claim makes it
 * pay
 */
#include "agent/cmd/compare.h"

static int pacelc_main(const struct cmd_line *line, struct err *err)
{
	static const struct compare_kind kind = {.name = "costs",
		.lab = "pacelc",
		.quick_lab = "pacelc-quick",
		.stores = "all",
		.table = &compare_costs};

	return compare_run(line, &kind, err);
}

const struct cmd pacelc_cmd = {
	.name = "pacelc",
	.args = "",
	.summary = "what consistency costs on each store: round trips, latency, verdict",
	.help = "The lab `pacelc` on each store: four distances, a line fitted through the medians, then\n"
		"a cut. Beside what is paid stands the interval in which 95 of 100 resamples lie, and\n"
		"what the floors say; beside each latency what the links allow at best. With all stores\n"
		"it takes about 15 minutes, with --quick (the lab `pacelc-quick`) 3 to 4.\n"
		"Exit status: as of compare.\n",
	.args_max = 0,
	.option = compare_options,
	.main = pacelc_main,
};
