/* SPDX-License-Identifier: MIT */
/* compare.h - runs of one lab on several stores, side by side */
#ifndef REPORT_COMPARE_H
#define REPORT_COMPARE_H

#include <stdio.h>

#include "agent/report/summary.h"
#include "store/systems.h"

#define COMPARE_WHY_MAX 1024

/**
 * struct compare_table - what of the runs is shown
 * @head, @row:	the head of the table; a line of it
 * @note:	a sentence about a run, under the store's name, wrapped; none is printed of some
 * @json:	all @n rows as one array
 */
struct compare_table {
	void (*head)(FILE *out);
	void (*row)(const struct system *system, const struct summary *s, FILE *out);
	void (*note)(const struct system *system, const struct summary *s, FILE *out);
	void (*json)(
		const struct system *const *system, const struct summary *s, unsigned n, FILE *out);
};

/* Models, availability and verdict, and where measurement and textbook differ. */
extern const struct compare_table compare_models;

/* compare_why() - that sentence: was the claim kept, and where do the two differ? */
void compare_why(const struct system *system, const struct summary *s, char ret[COMPARE_WHY_MAX]);

#endif
