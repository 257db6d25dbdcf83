/* SPDX-License-Identifier: MIT */
/* compare.h - runs of one lab on several stores, side by side */
#ifndef REPORT_COMPARE_H
#define REPORT_COMPARE_H

#include <stdio.h>

#include "agent/report/summary.h"
#include "store/systems.h"

#define COMPARE_WHY_MAX 1024

/* struct compare_table - what of the runs is shown: its head, and a line for each; and what more */
struct compare_table {
	void (*head)(FILE *out);
	void (*row)(const struct system *system, const struct summary *s, FILE *out);
	const struct compare_table *more; /* shown when all runs are over; NULL: nothing */
};

/* Models, availability, losses, verdict, claim. */
extern const struct compare_table compare_models;

/* Round trips paid, latency beside what the links allow, what a cut does. */
extern const struct compare_table compare_costs;

/* Medians beside those of the same lab in virtual time, of runs that have both. */
extern const struct compare_table compare_simulated;

/* compare_note() - the sentence of compare_why() under the store's name, wrapped. */
void compare_note(const struct system *system, const struct summary *s, FILE *out);

/* All that is known of the runs, for programs and for spreadsheets. */
void compare_json(
	const struct system *const *system, const struct summary *s, unsigned n, FILE *out);
void compare_csv(
	const struct system *const *system, const struct summary *s, unsigned n, FILE *out);

/* compare_why() - that sentence: was the claim kept, and where do the two differ? */
void compare_why(const struct system *system, const struct summary *s, char ret[COMPARE_WHY_MAX]);

/* compare_agrees() - does the textbook's class say what was measured, as far as it goes? */
bool compare_agrees(const char *textbook, const char *measured);

/* compare_claim() - "kept", "broken", or "open": nothing could be concluded. */
const char *compare_claim(const struct summary *s);

#endif
