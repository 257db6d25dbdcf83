/* SPDX-License-Identifier: MIT */
/* run_judge.c - from the log and history of a run to its verdict, on disk and on the terminal */
#include "agent/cmd/run_judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/file.h"
#include "agent/cmd/run_witness.h"
#include "agent/report/results.h"

int run_plan_keep(const struct plan *plan, const struct outdir *out, struct err *err)
{
	char path[OUTDIR_FILE_MAX];
	FILE *f;

	outdir_file(out, "plan.txt", path);
	f = fopen(path, "we");
	if (!f)
		return err_sys(err, -errno, "write %s", path);
	plan_print(plan, f);
	return file_keep(f, path, err);
}

static int results_keep(const struct results *results, const struct outdir *out, struct err *err)
{
	char path[OUTDIR_FILE_MAX];
	FILE *f;

	outdir_file(out, "results.json", path);
	f = fopen(path, "we");
	if (!f)
		return err_sys(err, -errno, "write %s", path);
	results_json_print(results, f);
	return file_keep(f, path, err);
}

static void results_print(const struct results *results, const struct outdir *out, bool json)
{
	char path[OUTDIR_FILE_MAX];

	(void)snprintf(path, sizeof path, "%s/results.json", out->shown);
	text_print(results, path, json ? stderr : stdout);
	if (json)
		results_json_print(results, stdout);
}

int run_judge(const struct plan *plan, const struct run_log *log, const struct outdir *out,
	bool json, struct err *err)
{
	struct results *results = calloc(1, sizeof *results);
	struct history_ops ops = {.count = 0};
	char path[OUTDIR_FILE_MAX];
	int status = EXIT_INTERNAL;
	int rc;

	if (!results)
		return err_sys(err, -ENOMEM, "measure");
	outdir_file(out, "history.bin", path);
	rc = history_read(&ops, path, err);
	if (!rc)
		rc = measure(results, plan, log, &ops, err);
	if (!rc) {
		verdict(results);
		/* What was measured is told, even if it cannot be kept. */
		rc = results_keep(results, out, err);
		outdir_file(out, "witness.svg", path);
		if (!rc)
			rc = run_witness_keep(results, &ops, path, err);
		results_print(results, out, json);
		status = (int)results->status;
	}
	history_ops_fini(&ops);
	free(results);
	return rc ? EXIT_INTERNAL : status;
}
