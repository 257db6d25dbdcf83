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

/* Nothing is concluded from fewer attempts on a side, or answers of a phase. */
#define RESULTS_SAMPLES_MIN 30
/* Two points always lie on a line. */
#define RESULTS_FIT_POINTS_MIN 3

/*
 * Quantiles of one kind of operation in one phase; milliseconds, from the intended start. NaN where
 * fewer operations were answered than it takes for one to be beyond it: 1,000 for p999_ms.
 */
struct results_latency {
	uint64_t count;
	double p50_ms;
	double p90_ms;
	double p99_ms;
	double p999_ms;
	double max_ms;
	double floor_ms; /* median over the operations of what the matrix allows each at best */
};

/*
 * Requests of the clients of one side, that began and ended within the phase and went to a living
 * replica of the same side; all others of these clients are stranded: nobody could have received
 * them, or they were under way when the network changed.
 */
struct results_side {
	uint64_t attempts;
	uint64_t ok; /* answered without error; a CAS that did not match was answered */
	uint64_t reads;
	uint64_t reads_ok;
	uint64_t writes; /* CAS included */
	uint64_t writes_ok;
	uint64_t reads_late; /* of reads: never sent, the client was kept by what came before ... */
	uint64_t writes_late;
	uint64_t stranded;
	uint64_t hung; /* of stranded: under way when the phase ended, and never answered well */
};

struct results_phase {
	double seconds;
	bool confirmed; /* the network was as the plan says: evidence of all changes in force */
	uint64_t ok;
	uint64_t failed;
	uint64_t unknown;
	uint64_t caught; /* of failed and unknown: under way when the next phase began */
	uint64_t cas;    /* of all these, and how many were answered */
	uint64_t cas_ok;
	struct results_latency read;
	struct results_latency write; /* CAS included */
	struct results_side side[PLAN_SIDES_MAX];
};

/* latency = a + b * RTT over the phases of the fit, medians; theory is the floor's own b.
 * All NaN with too few points. */
struct results_fit {
	unsigned points; /* fewer than RESULTS_FIT_POINTS_MIN: nothing was fitted */
	double a_ms;
	double b;
	double b_low; /* 95 of 100 fits through resampled operations lie between these */
	double b_high;
	double theory;
};

/**
 * struct results_load - how well the load kept its own schedule
 * @free:	operations whose client had nothing to do when they were meant to start
 * @late_p50_ms, @late_p99_ms: how much later these started: the generator's own lateness
 * @asked:	operations before the first fault, but of the warm-up
 * @waited:	of these, such that their client was busy with the one before
 */
struct results_load {
	uint64_t free;
	double late_p50_ms;
	double late_p99_ms;
	uint64_t asked;
	uint64_t waited;
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

/**
 * struct results_claimed - a claim that is not the model that was checked
 * @model:	NULL: nothing that a checker of such objects could judge is claimed
 */
struct results_claimed {
	const char *model;
	struct check_result check;
};

#define RESULTS_MODELS_TEXT_MAX 192
#define RESULTS_COSTS_MAX 96

/**
 * struct results_models - by which of all models a history was judged and how, if that was asked
 * @kept:	names of the strongest ones, ", " between them; "" if none was kept
 * @broken:	of the weakest ones; @unknown: of those that the checkers gave up on
 */
struct results_models {
	bool judged;
	char kept[RESULTS_MODELS_TEXT_MAX];
	char broken[RESULTS_MODELS_TEXT_MAX];
	char unknown[RESULTS_MODELS_TEXT_MAX];
};

/**
 * struct results_expected - a model that the lab expects to be kept or broken, and was checked
 * @model:	its name, of the plan
 */
struct results_expected {
	const char *model;
	struct check_result check;
};

struct results {
	const struct plan *plan; /* borrowed, and so are the next two */
	const struct run_log *log;
	const struct results *simulated; /* the same lab in virtual time; NULL: none */
	struct results_phase phase[PLAN_PHASES_MAX];
	struct results_load load;
	char local_costs[RESULTS_COSTS_MAX]; /* for --costs, of a run of store single; or "" */
	struct results_fit read_fit;
	struct results_fit write_fit;
	/* Other models than this one: that of the workload, and those that are expected. */
	struct results_expected expected[PLAN_EXPECT_MODELS_MAX + 1];
	unsigned expecteds;
	const char *model;               /* that was checked */
	bool letters;                    /* it is linearizable, which is what letters are about */
	struct check_result check;       /* the whole history */
	struct check_result check_whole; /* operations before the first cut */
	/* What is claimed, if it is another model: before the first cut, and in all. */
	struct results_claimed claimed_whole;
	struct results_claimed claimed_cut;
	bool foreign; /* objects that clients make of registers: the claim is not about them */
	/* Of sets and counters that no order is claimed of: what is at the end. */
	struct results_claimed claimed_end;
	struct results_models models_whole; /* before the first cut */
	struct results_models models_cut;   /* in all */
	struct check_lost lost;
	uint64_t reads; /* of registers, answered; and how many saw what had been replaced */
	uint64_t stale;
	uint64_t stale_behind; /* most versions that one was behind */
	uint64_t oldest_ns;    /* longest since one had been replaced; and before the first cut */
	uint64_t oldest_whole_ns;
	int cut_phase; /* the first one that was begun, -1 if none */
	/* NaN where it does not apply or did not happen */
	double unavailable_s; /* longest time without an acknowledged write on the majority side */
	double heal_outage_s; /* the same after the heal, until the end of its phase */
	double recovered_s;   /* heal to the first success where there had been none */
	double converged_s;   /* heal until all replicas had all */
	bool tainted;
	char taint[160]; /* why */
	struct results_verdict verdict;
	bool claim_kept;
	char claim[256];  /* what was claimed and whether it was kept, in words */
	bool expect_kept; /* true if nothing was expected */
	char expect[512];
	enum exit_status status;
	char why[256]; /* the status in a sentence */
};

/**
 * measure() - compute @ret from plan, log and history; pure but for the checkers' budget
 * verdict() - the letters and words, claim, expectation and status; needs measure() done
 */
int measure(struct results *ret, const struct plan *plan, const struct run_log *log,
	const struct history_ops *ops, struct err *err);
void verdict(struct results *r);

/* text_print() - the table for people; results_json_print() - results.json, see README.md. */
void text_print(const struct results *r, const char *report_path, FILE *out);
void results_json_print(const struct results *r, FILE *out);

#endif
