/* SPDX-License-Identifier: MIT */
/* advise_print.h - what `pacelab advise` says: for people, as a table, for programs */
#ifndef CMD_ADVISE_PRINT_H
#define CMD_ADVISE_PRINT_H

#include <time.h>

#include "agent/lab/outdir.h"
#include "agent/report/advise.h"
#include "agent/report/summary.h"

/* The newest run of a store from which something was concluded. */
struct advise_run {
	const struct system *system;
	time_t when;
	char path[OUTDIR_FILE_MAX]; /* of its results.json */
	struct summary s;
};

struct advise_runs {
	struct advise_run *run; /* owned; ADVISE_SYSTEMS_MAX of them, or NULL */
	unsigned runs;
};

/* advise_runs_find() - below a folder of results, or of a comparison in it. */
void advise_runs_find(struct advise_runs *r, const char *dir);
void advise_runs_fini(struct advise_runs *r);

/* advise_say() - of one use; @all: also what the systems lack that do not fit. */
void advise_say(const struct advise_needs *needs, const struct advise_sites *sites,
	const struct advise_runs *r, bool all);

/* advise_table() - all use cases, a line each. */
void advise_table(const struct advise_sites *sites, const struct advise_runs *r);

/* advise_json() - of one use; @all: of all use cases. */
void advise_json(const struct advise_needs *needs, const struct advise_sites *sites,
	const struct advise_runs *r, bool all);

#endif
