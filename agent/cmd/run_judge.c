/* SPDX-License-Identifier: MIT */
/* run_judge.c - from the log and history of a run to its verdict, on disk and on the terminal */
#include "agent/cmd/run_judge.h"

#include <errno.h>
#include <stdio.h>

#include "agent/base/file.h"
#include "agent/cmd/run_witness.h"
#include "agent/report/html_run.h"
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

static void tell(const struct results *results, const char *path, bool json)
{
	text_print(results, path, json ? stderr : stdout);
	if (json)
		results_json_print(results, stdout);
}

/* The page is made of what was kept, as "pacelab report" makes it. A run is not in vain because
 * its page fails: that is told, and results.json named instead. */
void run_print(const struct results *results, const struct outdir *out, bool json)
{
	char path[OUTDIR_FILE_MAX];
	char note[ERR_TEXT_MAX] = "";
	struct err err = {0};
	bool page = html_run_write(out->path, NULL, note, &err) == 0;

	if (!page || note[0])
		fprintf(stderr, "pacelab: %s\n", page ? note : err.text);
	(void)snprintf(
		path, sizeof path, "%s/%s", out->shown, page ? HTML_RUN_FILE : "results.json");
	tell(results, path, json);
}

int run_judge(const struct run_judging *j, struct results *ret, struct err *err)
{
	struct history_ops ops = {.count = 0};
	char path[OUTDIR_FILE_MAX];
	int status = EXIT_INTERNAL;
	int rc;

	outdir_file(j->out, "history.bin", path);
	rc = history_read(&ops, path, err);
	if (!rc)
		rc = measure(ret, j->plan, j->log, &ops, err);
	if (!rc) {
		ret->simulated = j->simulated;
		verdict(ret);
		/* What was measured is told, even if it cannot be kept. */
		rc = results_keep(ret, j->out, err);
		outdir_file(j->out, "witness.svg", path);
		if (!rc)
			rc = run_witness_keep(ret, &ops, path, err);
		if (j->print && rc)
			tell(ret, NULL, j->json);
		else if (j->print)
			run_print(ret, j->out, j->json);
		status = (int)ret->status;
	}
	history_ops_fini(&ops);
	return rc ? EXIT_INTERNAL : status;
}
