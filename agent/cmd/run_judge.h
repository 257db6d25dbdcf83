/* SPDX-License-Identifier: MIT */
/* run_judge.h - from the log and history of a run to its verdict, on disk and on the terminal */
#ifndef CMD_RUN_JUDGE_H
#define CMD_RUN_JUDGE_H

#include "agent/lab/outdir.h"
#include "agent/lab/run.h"

/* run_plan_keep() - the expanded plan, beside the results. */
int run_plan_keep(const struct plan *plan, const struct outdir *out, struct err *err);

/**
 * run_judge() - measure, check, judge what is in the folder's history.bin; keep and print it
 * @json:	results.json on standard output, all else on error
 *
 * Return: exit status of the run; EXIT_INTERNAL with @err filled if it failed.
 */
int run_judge(const struct plan *plan, const struct run_log *log, const struct outdir *out,
	bool json, struct err *err);

#endif
