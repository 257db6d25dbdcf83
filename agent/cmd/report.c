/* SPDX-License-Identifier: MIT */
/* report.c - pacelab report: a run's folder as a page */
#include <stdio.h>

#include "agent/cmd/cmd.h"
#include "agent/report/html_run.h"

enum { OPT_OUT };

static const struct cmd_option options[] = {
	[OPT_OUT] = {"--out", "FILE", "where the page goes; default: report.html in the folder"},
	{NULL, NULL, NULL},
};

static int report_main(const struct cmd_line *line, struct err *err)
{
	const char *out = line->value[OPT_OUT];
	char note[ERR_TEXT_MAX];

	if (html_run_write(line->arg[0], out, note, err))
		return (int)err->status;
	if (note[0])
		fprintf(stderr, "pacelab: %s\n", note);
	if (out)
		printf("%s\n", out);
	else
		printf("%s/%s\n", line->arg[0], HTML_RUN_FILE);
	return 0;
}

const struct cmd report_cmd = {
	.name = "report",
	.args = "DIR",
	.summary = "a run's folder as a page for a browser",
	.help = "DIR has results.json and history.bin of a run. The page stands by itself: it asks\n"
		"no server for anything and can be sent as one file. Charts need gnuplot (package\n"
		"gnuplot-nox); without it the page has all tables.\n",
	.args_min = 1,
	.args_max = 1,
	.option = options,
	.main = report_main,
};
