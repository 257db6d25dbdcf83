/* SPDX-License-Identifier: MIT */
/*
 * hist.h - latency histogram: constant memory, 1/64 relative resolution, nanoseconds to hours
 *
 * The bucket layout is that of HdrHistogram: linear below 64 ns, then 64 steps per power of two.
 */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 6
#define HIST_BUCKETS ((64 - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
	uint64_t count;
	uint64_t sum;
	uint64_t max;
	uint32_t bucket[HIST_BUCKETS];
};

/* hist_add() - count one value; an all-zero histogram is empty and valid. */
void hist_add(struct hist *h, uint64_t ns);

/* hist_bucket() - where a value is counted, below HIST_BUCKETS; for who counts by himself. */
unsigned hist_bucket(uint64_t ns);

/* hist_merge() - add all of @from to @h. */
void hist_merge(struct hist *h, const struct hist *from);

/* hist_quantile() - smallest value with at least @q (0..1) of the counts at or below; 0 if empty.
 */
uint64_t hist_quantile(const struct hist *h, double q);

#endif
