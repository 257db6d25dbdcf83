/* SPDX-License-Identifier: MIT */
/*
 * merkle.h - sums over a set of entries, by which two replicas find where theirs differ
 *
 * The tree of Dynamo's anti-entropy (DeCandia et al., SOSP 2007, section 4.7): a root of 64 groups
 * of 64 leaves, an entry belongs to the leaf of its place. Where Merkle hashes the hashes below, a
 * node here is the sum of the digests of all entries below (AdHash: Bellare and Micciancio,
 * EUROCRYPT 1997), so a change costs two additions and there is nothing to compute later. Two sets
 * that differ have the same sum once in 2^64, unless somebody works at it, and nobody does here.
 *
 * Pure data structure: no clock, no I/O, no allocation.
 */
#ifndef PROTO_MERKLE_H
#define PROTO_MERKLE_H

#include <stdint.h>

#define MERKLE_WIDTH 64u
#define MERKLE_LEAVES (MERKLE_WIDTH * MERKLE_WIDTH)
/* Stands for the root where a group is named. */
#define MERKLE_ROOT MERKLE_WIDTH

struct proto_bytes;

struct merkle {
	uint64_t group[MERKLE_WIDTH];
	uint64_t leaf[MERKLE_LEAVES];
};

/* merkle_leaf() - the leaf of what stands at @place: leaves divide all places in order. */
unsigned merkle_leaf(uint64_t place);

/* merkle_place() - the first place of @leaf; of the one behind the last: 0. */
uint64_t merkle_place(unsigned leaf);

/* merkle_add() - an entry at @place comes. merkle_take() - it goes. */
void merkle_add(struct merkle *m, uint64_t place, uint64_t digest);
void merkle_take(struct merkle *m, uint64_t place, uint64_t digest);

/* merkle_below() - the MERKLE_WIDTH sums below @group, or below MERKLE_ROOT. */
const uint64_t *merkle_below(const struct merkle *m, unsigned group);

/* merkle_differ() - a bit for each of the sums below @group that is not as in @theirs. */
uint64_t merkle_differ(const struct merkle *m, unsigned group, const uint64_t *theirs);

#endif
