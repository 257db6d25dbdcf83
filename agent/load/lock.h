/* SPDX-License-Identifier: MIT */
/*
 * lock.h - what clients do who share locks: take one, hold it for a turn, give it back
 *
 * A lock is a register. An even value stands in it while it is free, an odd one, a token that no
 * other holder ever has, while it is held; so the history is one of registers like any other, and
 * the model mutual-exclusion says from it who believed to hold what when. Where the store has
 * compare-and-set, a lock is taken and given back by that. Else the client reads, writes, and looks
 * whether its token stands there, as a careful application on such a store would.
 */
#ifndef LOAD_LOCK_H
#define LOAD_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/load/gen.h"
#include "agent/load/turn.h"

/* A token that was not seen in so many turns, though it was written, is another one's loss. A
 * single look may be stale. */
#define LOCK_LOOKS 3

/* First values of the locks: above all that clients write. */
#define LOCK_FIRST_FREE (1ull << 40)

/* An all-zero one is of a client that has nothing and has set up no lock yet. */
struct lock {
	bool mine;       /* or may be: nobody answered, or what it wrote was not seen */
	unsigned missed; /* looks that did not show its token */
	uint64_t key;
	uint64_t token;
	uint64_t set_up; /* locks that are this client's to set up, and are */
};

static inline bool lock_is_held(uint64_t value)
{
	return value & 1;
}

/* lock_turn() - give back, or else take, in the turn of one slot of the schedule. Return: false if
 * the client cannot go on. */
bool lock_turn(struct lock *l, const struct turn *t);

#endif
