/* SPDX-License-Identifier: MIT */
/*
 * results.h - everything that a run measured, as numbers; text and JSON are printed from it
 */
#ifndef REPORT_RESULTS_H
#define REPORT_RESULTS_H

#include <stdio.h>

#include "agent/check/check.h"
#include "agent/history/history.h"
#include "agent/lab/run.h"

/* Quantiles of one kind of operation in one phase; milliseconds, from the intended start. */
struct results_latency {
	uint64_t count;
	double p50_ms;
	double p90_ms;
	double p99_ms;
	double max_ms;
	double floor_ms; /* median over the operations of what the matrix allows each at best */
};

struct results_side {
	uint64_t attempts;
	uint64_t ok;
	uint64_t reads_ok;
	uint64_t writes_ok;
};

struct results_phase {
	double seconds;
	uint64_t ok;
	uint64_t failed;
	uint64_t unknown;
	struct results_latency read;
	struct results_latency write; /* CAS included */
	struct results_side side[PLAN_SIDES_MAX];
};

/* latency = a + b * RTT over the phases of the fit, medians; theory is the floor's own b. */
struct results_fit {
	unsigned points; /* fewer than 3: nothing was fitted */
	double a_ms;
	double b;
	double theory;
};

enum results_cap { CAP_PC, CAP_PA, CAP_NEITHER, CAP_INCONCLUSIVE };
enum results_else { ELSE_EC, ELSE_EL, ELSE_BOTH, ELSE_NEITHER, ELSE_INCONCLUSIVE };

struct results_verdict {
	enum results_cap cap;
	enum results_else otherwise;
	char cap_text[24];    /* "PC", "PA", "P-", "inconclusive" */
	char pacelc_text[24]; /* "PC/EC" */
	char words[512];
};

struct results {
	const struct plan *plan; /* borrowed */
	const struct run_log *log;
	struct results_phase phase[PLAN_PHASES_MAX];
	struct results_fit read_fit;
	struct results_fit write_fit;
	const char *model;               /* that was checked */
	struct check_result check;       /* the whole history */
	struct check_result check_whole; /* operations before the first cut */
	struct check_lost lost;
	/* NaN where it does not apply or did not happen */
	double unavailable_s; /* longest time without an acknowledged write on the majority side */
	double recovered_s;   /* heal to the first success where there had been none */
	double converged_s;   /* heal until all replicas had all */
	bool tainted;
	char taint[160]; /* why */
	struct results_verdict verdict;
	bool claim_kept;
	char claim[256];  /* what was claimed and whether it was kept, in words */
	bool expect_kept; /* true if nothing was expected */
	char expect[256];
	enum exit_status status;
};

/**
 * measure() - compute @ret from plan, log and history; pure but for the checkers' budget
 * verdict() - the letters and words, by the rules of DESIGN section 5; needs measure() done
 */
int measure(struct results *ret, const struct plan *plan, const struct run_log *log,
	const struct history_ops *ops, struct err *err);
void verdict(struct results *r);

/* Printed where the run ended: the table of DESIGN section 1, and results.json. */
void text_print(const struct results *r, const char *report_path, FILE *out);
void results_json_print(const struct results *r, FILE *out);

#endif
