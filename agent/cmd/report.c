/* SPDX-License-Identifier: MIT */
/* report.c - pacelab report: a run's folder as a page */
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/cmd/ci.h"
#include "agent/cmd/cmd.h"
#include "agent/cmd/report_serve.h"
#include "agent/lab/outdir.h"
#include "agent/report/html_run.h"
#include "agent/report/html_runs.h"

enum {
	OPT_OUT,
	OPT_JUNIT,
	OPT_MARKDOWN,
	OPT_SERVE,
	OPT_PORT,
};

static const struct cmd_option options[] = {
	[OPT_OUT] = {"--out", "FILE", "where the page goes; default: report.html in the folder"},
	[OPT_JUNIT] = CI_JUNIT_OPTION,
	[OPT_MARKDOWN] = CI_MARKDOWN_OPTION,
	[OPT_SERVE] = {"--serve", NULL,
		"show all results of DIR at http://127.0.0.1, until ctrl-C"},
	[OPT_PORT] = {"--port", "N", "to serve on; default, and 0: any that is free"},
	{NULL, NULL, NULL},
};

static int serve(const struct cmd_line *line, struct err *err)
{
	const char *const *v = line->value;

	if (line->args > 1) {
		(void)err_usage(err, "--serve: of one folder, which may hold many runs");
		return EXIT_USAGE;
	}
	if (v[OPT_OUT] || v[OPT_JUNIT] || v[OPT_MARKDOWN]) {
		(void)err_usage(
			err, "--serve writes no file: leave out --out, --junit, --markdown");
		return EXIT_USAGE;
	}
	return report_serve(line->args ? line->arg[0] : OUTDIR_BASE, v[OPT_PORT], err);
}

/* The folder of a comparison, whose runs are below it. */
static bool is_comparison(const char *dir)
{
	static const char *const files[] = {"compare.json", "costs.json"};
	char path[OUTDIR_FILE_MAX];

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		if (access(path, R_OK) == 0)
			return true;
	}
	return false;
}

/* What is asked for must make sense before anything is written. */
static int refuse(const struct cmd_line *line, struct err *err)
{
	const char *const *v = line->value;

	if (line->args == 0)
		return err_usage(err, "of which run? its folder, or --serve for all");
	if (v[OPT_PORT])
		return err_usage(err, "--port: only with --serve");
	if (line->args > 1 && !v[OPT_OUT])
		return err_usage(
			err, "%u runs on one page: --out FILE says where it goes", line->args);
	for (unsigned i = 0; i < line->args; i++)
		if (is_comparison(line->arg[i]))
			return err_usage(err,
				"%s is a comparison: its page is " HTML_RUN_FILE
				" there; 'pacelab compare LAB --resume --results' makes it anew, and "
				"its folders are runs",
				line->arg[i]);
	if (line->args > 1 && (v[OPT_JUNIT] || v[OPT_MARKDOWN]))
		return err_usage(err, "--junit, --markdown: of one run at a time");
	return 0;
}

static int report_main(const struct cmd_line *line, struct err *err)
{
	const char *out = line->value[OPT_OUT];
	const struct ci_wish ci = {
		.junit = line->value[OPT_JUNIT], .markdown = line->value[OPT_MARKDOWN]};
	char path[OUTDIR_FILE_MAX];
	char note[ERR_TEXT_MAX];

	if (line->value[OPT_SERVE])
		return serve(line, err);
	if (refuse(line, err) || ci_try(&ci, err))
		return EXIT_USAGE;
	if (line->args > 1 ? html_runs_write(line->arg, line->args, out, note, err)
			   : html_run_write(line->arg[0], out, note, err))
		return (int)err->status;
	if (note[0])
		fprintf(stderr, "pacelab: %s\n", note);
	if (out)
		printf("%s\n", out);
	else
		printf("%s/%s\n", line->arg[0], HTML_RUN_FILE);
	(void)snprintf(path, sizeof path, "%s/results.json", line->arg[0]);
	return ci_run(&ci, path, err) ? (int)err->status : 0;
}

const struct cmd report_cmd = {
	.name = "report",
	.args = "[DIR...]",
	.summary = "a run's folder as a page for a browser",
	.help = "DIR has results.json and history.bin of a run. The page stands by itself: it asks\n"
		"no server for anything and can be sent as one file. Charts need gnuplot (package\n"
		"gnuplot-nox); without it the page has all tables.\n"
		"Several folders: one page with the runs side by side, which needs --out.\n"
		"With --serve DIR has runs and comparisons, and is results/ if it is left out. Whoever\n"
		"can reach 127.0.0.1 on this machine can read them then, other users included.\n",
	.args_min = 0,
	.args_max = CMD_ARGS_ANY,
	.option = options,
	.main = report_main,
};
