/* SPDX-License-Identifier: MIT */
/* hist.c - latency histogram: constant memory, 1/64 relative resolution */
#include "hist.h"

#include <math.h>

unsigned hist_bucket(uint64_t ns)
{
	unsigned top;

	if (ns < 1u << HIST_SUB_BITS)
		return (unsigned)ns;
	top = 63u - (unsigned)__builtin_clzll(ns);
	return ((top - HIST_SUB_BITS + 1) << HIST_SUB_BITS) +
	       (unsigned)((ns >> (top - HIST_SUB_BITS)) & ((1u << HIST_SUB_BITS) - 1));
}

/* The middle of a bucket stands for all of it. */
static uint64_t value_of(unsigned bucket)
{
	unsigned power = bucket >> HIST_SUB_BITS;
	uint64_t step = bucket & ((1u << HIST_SUB_BITS) - 1);

	if (power == 0)
		return step;
	return ((1ull << HIST_SUB_BITS | step) << (power - 1)) + ((1ull << (power - 1)) >> 1);
}

void hist_add(struct hist *h, uint64_t ns)
{
	h->count++;
	h->sum += ns;
	if (ns > h->max)
		h->max = ns;
	h->bucket[hist_bucket(ns)]++;
}

void hist_merge(struct hist *h, const struct hist *from)
{
	h->count += from->count;
	h->sum += from->sum;
	if (from->max > h->max)
		h->max = from->max;
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		h->bucket[i] += from->bucket[i];
}

uint64_t hist_quantile(const struct hist *h, double q)
{
	uint64_t want = (uint64_t)ceil(q * (double)h->count);
	uint64_t seen = 0;

	if (h->count == 0)
		return 0;
	if (want < 1)
		want = 1;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= want)
			return value_of(i) < h->max ? value_of(i) : h->max;
	}
	return h->max;
}
