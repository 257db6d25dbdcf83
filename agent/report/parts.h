/* SPDX-License-Identifier: MIT */
/*
 * parts.h - measure() is made of these; each fills its own fields of struct results
 *
 * All are pure and take O(n log n) at the most in the number of operations.
 */
#ifndef REPORT_PARTS_H
#define REPORT_PARTS_H

#include "agent/report/results.h"

/* Shorter gaps between acknowledged writes are no outage. */
#define UNAVAILABLE_S_MIN 0.1

/* measure_phase_at() - the phase that was in force at @t_ns, -1 if none was. */
int measure_phase_at(const struct run_log *log, uint64_t t_ns);

/* measure_phase_end_ns() - when phase @phase ended, or the run if it ended first. */
uint64_t measure_phase_end_ns(const struct run_log *log, unsigned phase);

/* measure_sort() - @n values, smallest first. */
void measure_sort(uint64_t *ns, size_t n);

/* measure_quantile_ms() - the smallest of @n sorted values that at least the share @q of all does
 * not exceed; NaN of none. */
double measure_quantile_ms(const uint64_t *ns, size_t n, double q);

/* latency_measure() - counts, quantiles and floors of each phase, and the fit. */
void latency_measure(struct results *r, const struct history_ops *ops);

/* punctual_measure() - did operations start when they were meant to? */
void punctual_measure(struct results *r, const struct history_ops *ops);

/* local_measure() - what the machine adds to each operation, if the store shows it; needs
 * punctual_measure(). */
void local_measure(struct results *r, const struct history_ops *ops);

/* availability_measure() - who was answered on which side of each phase. */
void availability_measure(struct results *r, const struct history_ops *ops);

/* recovery_measure() - how long the first cut and its heal were felt; needs the sides. */
void recovery_measure(struct results *r, const struct history_ops *ops);

/* recovery_heal_phase() - the first phase without a cut after the first cut, -1 if none began. */
int recovery_heal_phase(const struct results *r);

/* availability_side() - the side that @op was a request to, -1 if a cut was in between. */
int availability_side(const struct plan *plan, unsigned phase, const struct history_op *op);

/* availability_asked() - that side, or else the one of the client, who was cut off from it. */
unsigned availability_asked(const struct plan *plan, unsigned phase, const struct history_op *op);

/* availability_majority() - the side of @phase with more than half of the replicas, -1 if none has.
 */
int availability_majority(const struct plan *plan, unsigned phase);

/* availability_from_ns() - when the network of @phase was in force on all links. */
uint64_t availability_from_ns(const struct run_log *log, unsigned phase);

/* availability_answered() - at least 99 % of @attempts; availability_counted() - the phase counts
 * for P. */
bool availability_answered(uint64_t ok, uint64_t attempts);
bool availability_counted(const struct results *r, unsigned phase);

/*
 * How a claim or an expectation came off. A proof stands in the history itself, so it holds however
 * well the network was emulated; a failure is only as good as the run it was seen in.
 */
enum claim_judgement { CLAIM_KEPT, CLAIM_OPEN, CLAIM_FAILED, CLAIM_DISPROVED };

/* claim_judge() - what the protocol claims with its settings; fills claim_kept and claim. */
enum claim_judgement claim_judge(struct results *r);

/* claim_words() - what is claimed, as a sentence without verb. */
void claim_words(char *out, size_t size, const struct proto_claim *claim);

/* claim_could_agree() - final reads are asked of the last phase's network: behind a cut no replica
 * can catch up. */
bool claim_could_agree(const struct results *r);

/* claim_expected() - what the lab expects; fills expect_kept and expect. Needs the letters. */
enum claim_judgement claim_expected(struct results *r);

/* measure_models() - by all models for objects of @type; costs more than the check of one. */
int measure_models(const struct history_ops *ops, enum check_type type,
	const struct check_names *names, struct results_models *ret, struct err *err);

/* words_add() - append to a text of limited size; what does not fit is left out. */
void words_add(char *text, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
