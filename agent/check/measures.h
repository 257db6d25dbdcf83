/* SPDX-License-Identifier: MIT */
/*
 * measures.h - how far a history is from what was wanted: how stale, how soon visible, what is gone
 *
 * Where a checker says whether, these say how much. Registers with unique values; for lists and
 * sets only duplicates. All pure.
 */
#ifndef CHECK_MEASURES_H
#define CHECK_MEASURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/check/check.h"
#include "agent/history/history.h"

/* Versions that a read was behind: 0, 1, ... and this many or more. */
#define MEASURES_BEHIND_MAX 8
/* Pairs of values that are compared for Delta and Gamma, of all keys together. */
#define MEASURES_PAIRS_MAX (100u << 20)

/* A distribution over values; nanoseconds. Quantiles are over those that are off. */
struct measures_spread {
	uint64_t count;
	uint64_t off; /* of these, more than zero */
	uint64_t p50_ns;
	uint64_t p90_ns;
	uint64_t p99_ns;
	uint64_t max_ns;
};

/* A share and the interval that holds the true one with 95 % confidence (Wilson 1927). */
struct measures_share {
	uint64_t of;
	uint64_t some;
	double share; /* NaN if @of is 0, as are the other two */
	double low;
	double high;
};

/* Reads that began from @from_ns to less than the next bin's after an acknowledgement. */
struct measures_bin {
	uint64_t from_ns;
	struct measures_share fresh;
};

#define MEASURES_BINS 20
extern const uint64_t measures_bin_ns[MEASURES_BINS]; /* 0, 100 us, 200 us, 500 us ... */

/*
 * The time after an acknowledgement from which on reads are fresh with a given probability: what
 * is most likely if more time never makes it worse, and between which times it lies; UINT64_MAX
 * where the history does not reach so far.
 */
struct measures_visible {
	double share;
	uint64_t at_ns;
	uint64_t low_ns;
	uint64_t high_ns;
};

#define MEASURES_VISIBLE 3 /* 90 %, 99 % and 99.9 % */

/**
 * struct measures - all of them
 * @keys_unfit:	keys on which a value was written twice; they are not measured
 * @strange:	reads of values that nobody wrote, or from the future; left out
 * @delta:	by value: how much earlier its reads would have to have begun to be current
 *		("Delta-atomicity", Golab, Li and Shah, PODC 2011)
 * @gamma:	by value: how much longer the operations would have to have taken for it to fit
 *		(Golab et al., "Client-centric benchmarking of eventual consistency", ICDCS 2014)
 * @capped:	more than MEASURES_PAIRS_MAX pairs: delta and gamma may be larger
 * @reads:	that were measured
 * @behind:	of these, by the number of versions that had surely replaced the one they saw
 * @visible:	P(fresh | t): a read is fresh unless the write that was acknowledged last before it
 *		had surely replaced what it saw (Bailis et al., "Probabilistically bounded
 *		staleness", VLDB 2012)
 * @resurrected: keys whose final reads all returned a value that somebody had seen replaced
 * @duplicates:	elements that stand twice in a list or set that was read; each counts once a key
 * @words:	the first of the resurrected or else of the duplicates, "" if none
 */
struct measures {
	size_t keys;
	size_t keys_unfit;
	size_t strange;
	struct measures_spread delta;
	struct measures_spread gamma;
	bool capped;
	uint64_t reads;
	uint64_t behind[MEASURES_BEHIND_MAX + 1];
	uint64_t behind_max;
	struct measures_bin bin[MEASURES_BINS];
	struct measures_visible visible[MEASURES_VISIBLE];
	uint64_t resurrected;
	uint64_t duplicates;
	char words[CHECK_WORDS_MAX];
};

/* measures_take() - measure @h. O(n log n) unless the history is very far from consistent. */
void measures_take(
	const struct history_ops *h, const struct check_names *names, struct measures *ret);

/**
 * measures_stale() - answered reads of registers, and how many of them saw a version that had
 * surely been replaced; of keys whose values are unique
 * @ret_behind:	most versions that one was behind
 */
void measures_stale(const struct history_ops *h, uint64_t *ret_reads, uint64_t *ret_stale,
	uint64_t *ret_behind);

/* measures_oldest() - the longest time since what a read saw had surely been replaced. */
uint64_t measures_oldest(const struct history_ops *h);

/* measures_ages() - by operation of @h, that time; 0 for a fresh read and all that is no read. */
void measures_ages(const struct history_ops *h, uint64_t *ret_ns);

/* measures_share_of() - @some of @of, with its interval. */
struct measures_share measures_share_of(uint64_t some, uint64_t of);

#endif
