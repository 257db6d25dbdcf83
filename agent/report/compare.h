/* SPDX-License-Identifier: MIT */
/* compare.h - runs of one lab on several stores, side by side */
#ifndef REPORT_COMPARE_H
#define REPORT_COMPARE_H

#include <stdio.h>

#include "agent/report/summary.h"
#include "store/systems.h"

#define COMPARE_WHY_MAX 1024

/* compare_head() - the head of the table; compare_row() - a line of it. */
void compare_head(FILE *out);
void compare_row(const struct system *system, const struct summary *s, FILE *out);

/* compare_why() - a sentence: was the claim kept, and where do measurement and textbook differ? */
void compare_why(const struct system *system, const struct summary *s, char ret[COMPARE_WHY_MAX]);

/* compare_note() - "store: sentence", wrapped. */
void compare_note(const struct system *system, const struct summary *s, FILE *out);

/* compare_json() - all @n rows as one array. */
void compare_json(
	const struct system *const *system, const struct summary *s, unsigned n, FILE *out);

#endif
