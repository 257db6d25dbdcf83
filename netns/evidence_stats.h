/* SPDX-License-Identifier: MIT */
/*
 * evidence_stats.h - what chance may do: is this count of these frames the share that was set?
 *
 * Pure: no clock, no network. A share is judged by the exact binomial tails, which is the same as
 * asking whether it lies in the interval of Clopper and Pearson ("The use of confidence or fiducial
 * limits", Biometrika 1934) around what was seen. Delays are judged against the same frames sent
 * through a model of the link many times.
 */
#ifndef NETNS_EVIDENCE_STATS_H
#define NETNS_EVIDENCE_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "netns/link_state.h"

/* A true share is called wrong once in a million times, half of them on each side. */
#define STATS_SURPRISE 1e-6

/* Seeing nothing tells something if a true share would show nothing less often than this. */
#define STATS_SILENCE 1e-3

enum stats_fit { STATS_FITS, STATS_LESS, STATS_MORE };

/**
 * struct stats_share - of how many frames something is true, in the long run
 * @lo: @hi:	the true share lies between; equal where it is known exactly
 * @bunch:	how many times larger the variance is than that of independent frames, at least 1
 */
struct stats_share {
	double lo;
	double hi;
	double bunch;
};

/* stats_count() - @seen of @frames: does it fit? */
enum stats_fit stats_count(uint64_t seen, uint64_t frames, const struct stats_share *share);

/* stats_tells() - would @frames without a single one be a surprise? stats_needed() - how many
 * frames are enough for that by a margin, UINT32_MAX for a share of nothing. */
bool stats_tells(uint64_t frames, const struct stats_share *share);
uint32_t stats_needed(const struct stats_share *share);

/* stats_loss() - share of frames that the loss model of @s loses, exact drops not counted. */
void stats_loss(const struct link_state *s, struct stats_share *ret);

/* One frame of a row that was sent; those that did not arrive are not in the row. */
struct stats_frame {
	uint64_t sent_ns;
	uint64_t came_ns;
	uint32_t bytes; /* on the link, those of its copies included */
};

enum { STATS_P10, STATS_P50, STATS_P90, STATS_QUANTILES };

/* Delays of a row, and how long the row was from its first arrival to its last. */
struct stats_row {
	uint64_t least_ns;
	uint64_t quantile_ns[STATS_QUANTILES];
	uint64_t span_ns;
};

/* stats_measure() - of what was seen. stats_expect() - least and most that the link in state @s
 * should have made of the same row; rate, distribution and order included, reorder not.
 * @burst: bytes that the rate lets pass at once after a rest. Return: 0 or -ENOMEM. */
int stats_measure(const struct stats_frame *frame, unsigned frames, struct stats_row *ret);
int stats_expect(const struct link_state *s, uint32_t burst, const struct stats_frame *frame,
	unsigned frames, struct stats_row *ret_lo, struct stats_row *ret_hi);

#endif
