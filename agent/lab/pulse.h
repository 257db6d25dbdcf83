/* SPDX-License-Identifier: MIT */
/*
 * pulse.h - how the load does just now: rates and latencies of the last second, answers by site
 *
 * Made by whoever looks on, from the counters that load processes keep in shared memory: nothing
 * is asked of those, and nothing of the supervisor. Figures for people; reports use the history.
 */
#ifndef LAB_PULSE_H
#define LAB_PULSE_H

#include <stdint.h>

#include "agent/load/load.h"

/* Over so long; with samples that are further apart, over the time between two of them. */
#define PULSE_SPAN_NS 1000000000ull
#define PULSE_SAMPLES_MAX 16

/* Counted since the load began. */
struct pulse_sample {
	uint64_t t_ns;
	uint64_t ok;
	uint64_t failed; /* or of unknown outcome */
	uint32_t bucket[LOAD_KIND_NR][HIST_BUCKETS];
};

struct pulse {
	const struct load_shared *shared; /* borrowed */
	unsigned phases;
	unsigned sites;
	struct pulse_sample sample[PULSE_SAMPLES_MAX];
	uint64_t samples; /* taken in all; number i is at i % PULSE_SAMPLES_MAX */
};

/* @known: there were two samples to compare; @span_ns: so far apart. */
struct pulse_rates {
	bool known;
	uint64_t span_ns;
	double ok_per_s;
	double failed_per_s;
	uint64_t answers[LOAD_KIND_NR]; /* behind the quantiles */
	uint64_t p50_ns[LOAD_KIND_NR];
	uint64_t p99_ns[LOAD_KIND_NR];
};

/* pulse_init() - of a plan of so many @phases and @sites. */
void pulse_init(struct pulse *p, const struct load_shared *shared, unsigned phases, unsigned sites);

/* pulse_take() - a sample, at most every PULSE_SPAN_NS / 10. */
void pulse_take(struct pulse *p, uint64_t now_ns);

/* pulse_rates() - between the last sample and the one about PULSE_SPAN_NS before it. */
void pulse_rates(const struct pulse *p, struct pulse_rates *ret);

/* pulse_tally() - of one site in one phase, up to now. */
struct pulse_tally {
	uint64_t ok;
	uint64_t failed;
	uint64_t unknown;
};
struct pulse_tally pulse_tally(const struct load_shared *shared, unsigned phase, unsigned site);

#endif
