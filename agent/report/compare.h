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

/* Models, availability, losses, verdict, claim; how long a cut was felt. */
extern const struct compare_table compare_models;

/* Round trips paid, latency beside what the links allow, what a cut does. */
extern const struct compare_table compare_costs;

/* Medians beside those of the same lab in virtual time, of runs that have both. */
extern const struct compare_table compare_simulated;

/* Of real databases: time to be ready, memory of a node, what is other than the lab says. */
extern const struct compare_table compare_databases;

/* compare_databases_in() - is there a real one among @n stores? */
bool compare_databases_in(const struct system *const *system, unsigned n);

/* compare_like() - the store of ours that a real database is like, with the knobs that it had. */
const char *compare_like(const struct system *system, const struct summary *s);

/* compare_note() - the sentence of compare_why() under the store's name, wrapped. */
void compare_note(const struct system *system, const struct summary *s, FILE *out);

/**
 * struct compare_run - one run of a comparison, in the order of its rows
 * @dir:	its folder, below that of the comparison; NULL: it has no result, and @why says why
 */
struct compare_run {
	const struct system *system;
	const char *dir;
	const char *why;
};

/**
 * struct compare_page - a comparison, when all is over
 * @dir:	where its files go
 * @seed:	of the first run of each store
 * @run:	all of them
 * @left:	that were not even tried, since they cannot run here; without @dir
 */
struct compare_page {
	const char *lab;
	const char *dir;
	uint64_t seed;
	const struct system *const *system;
	const struct summary *row;
	unsigned rows;
	const struct compare_run *run;
	unsigned runs;
	const struct compare_run *left;
	unsigned lefts;
};

/* compare_missing() - number @i of the stores without any result, then of those that were left
 * out; NULL after the last. */
const struct compare_run *compare_missing(const struct compare_page *p, unsigned i);

/* All that is known of the runs, for programs and for spreadsheets. Stores without a result have a
 * row, too: of no run, without numbers, with the reason. */
void compare_json(const struct compare_page *p, FILE *out);
void compare_csv(const struct compare_page *p, FILE *out);

/* compare_why() - that sentence: was the claim kept, and where do the two differ? */
void compare_why(const struct system *system, const struct summary *s, char ret[COMPARE_WHY_MAX]);

/* compare_agrees() - does the textbook's class say what was measured, as far as it goes? */
bool compare_agrees(const char *textbook, const char *measured);

/* compare_put_name() - the first column of a table; a long name has a line of its own. */
void compare_put_name(const struct system *system, FILE *out);

/* compare_claim() - "kept", "broken", or "open": nothing could be concluded. */
const char *compare_claim(const struct summary *s);

#endif
