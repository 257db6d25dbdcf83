/* SPDX-License-Identifier: MIT */
/* run_judge.h - from the log and history of a run to its verdict, on disk and on the terminal */
#ifndef CMD_RUN_JUDGE_H
#define CMD_RUN_JUDGE_H

#include "agent/lab/outdir.h"
#include "agent/report/results.h"

/* run_plan_keep() - the expanded plan, beside the results. */
int run_plan_keep(const struct plan *plan, const struct outdir *out, struct err *err);

/**
 * struct run_judging - what is judged, and who is told
 * @out:	its folder: what is in history.bin there
 * @simulated:	the same lab in virtual time, to stand beside it; NULL: there is none
 * @print:	the verdict; with @json, results.json on standard output and all else on error
 */
struct run_judging {
	const struct plan *plan;
	const struct run_log *log;
	const struct outdir *out;
	const struct results *simulated;
	bool print;
	bool json;
};

/**
 * run_judge() - measure, check, judge; keep it in the folder
 * @ret:	what was measured, which refers to all of @j
 *
 * Return: exit status of the run; EXIT_INTERNAL with @err filled if it failed.
 */
int run_judge(const struct run_judging *j, struct results *ret, struct err *err);

/* run_print() - what was measured, and where it is, for people. */
void run_print(const struct results *results, const struct outdir *out, bool json);

#endif
