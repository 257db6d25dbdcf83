/* SPDX-License-Identifier: MIT */
/*
 * spread.h - several runs of one store as one: medians, and from what to what
 *
 * A run from which nothing could be concluded, a tainted one above all, counts for nothing: neither
 * for the letters nor for the figures. There is a verdict only if all others agree.
 */
#ifndef REPORT_SPREAD_H
#define REPORT_SPREAD_H

#include <stdio.h>

#include "agent/report/summary.h"

/**
 * struct spread - how far runs that differ in nothing but the seed were apart
 * @low, @high:	the smallest and the largest of each number; the rest of them is empty
 * @runs:	that have a result
 * @concluded:	of these, from which something could be concluded
 */
struct spread {
	struct summary low;
	struct summary high;
	unsigned runs;
	unsigned concluded;
};

/**
 * spread_of() - @n runs, at least one, of one store
 * @ret_mid:	the median of each number; letters, words and status of all. A model that was not
 *		kept by all runs has behind its name how many kept it
 */
void spread_of(
	const struct summary *run, unsigned n, struct summary *ret_mid, struct spread *ret_spread);

/* spread_print() - a line for each figure: median, smallest, largest. */
void spread_print(const char *store, const struct summary *mid, FILE *out);

#endif
