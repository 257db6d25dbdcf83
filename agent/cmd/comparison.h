/* SPDX-License-Identifier: MIT */
/*
 * comparison.h - one lab on several stores, one after the other, as a table
 *
 * Each run is a `pacelab run` of its own, in a folder below that of the comparison, with its output
 * in a file beside it; what is compared is read from their results.json. So a comparison that was
 * interrupted goes on where it was, and a run that failed takes no other with it.
 */
#ifndef CMD_COMPARISON_H
#define CMD_COMPARISON_H

#include "agent/base/err.h"
#include "agent/cmd/ci.h"
#include "agent/lab/outdir.h"
#include "agent/lab/plan.h"
#include "agent/report/compare.h"

#define COMPARISON_STORES_MAX 128

#define COMPARISON_REPEAT_MAX 100

/**
 * struct comparison_wish - what is asked for; texts as the command line has them, NULL: not said
 * @name:	of the comparison, for its folder
 * @lab:	path, or name of one
 * @stores:	names with commas between; "all" are all of ours, "real" all databases that can run
 *		here
 * @plan:	for each run; its store is left out
 * @quick_scale: time scale of stores of ours; real databases take the time that they take. Or NULL
 * @pass:	more words for each `pacelab run`; ends with NULL, or NULL
 * @table:	what of the runs is shown
 */
struct comparison_wish {
	const char *name;
	const char *lab;
	const char *stores;
	const char *results;
	struct plan_options plan;
	const char *quick_scale;
	const char *lab_name;
	const char *repeat;
	const char *tries;
	const char *const *pass;
	bool resume;
	bool simulate;
	const char *costs;
	bool json;
	struct ci_wish ci;
	const struct compare_table *table;
};

/* comparison() - run and tell. Return: exit status; with @err filled it is the error's. */
int comparison(const struct comparison_wish *wish, struct err *err);

#endif
