/* SPDX-License-Identifier: MIT */
/* merkle.c - sums over a set of entries, by which two replicas find where theirs differ */
#include "store/proto/merkle.h"

#include <assert.h>

#include "store/proto.h"

_Static_assert(MERKLE_LEAVES == 1u << 12, "the first 12 bits of a place are its leaf");

#define LEAF_SHIFT (64 - 12)

unsigned merkle_leaf(uint64_t place)
{
	return (unsigned)(place >> LEAF_SHIFT);
}

uint64_t merkle_place(unsigned leaf)
{
	assert(leaf <= MERKLE_LEAVES);
	return leaf == MERKLE_LEAVES ? 0 : (uint64_t)leaf << LEAF_SHIFT;
}

void merkle_add(struct merkle *m, uint64_t place, uint64_t digest)
{
	unsigned leaf = merkle_leaf(place);

	m->leaf[leaf] += digest;
	m->group[leaf / MERKLE_WIDTH] += digest;
}

void merkle_take(struct merkle *m, uint64_t place, uint64_t digest)
{
	merkle_add(m, place, 0 - digest);
}

const uint64_t *merkle_below(const struct merkle *m, unsigned group)
{
	assert(group <= MERKLE_ROOT);
	return group == MERKLE_ROOT ? m->group : &m->leaf[group * MERKLE_WIDTH];
}

uint64_t merkle_differ(const struct merkle *m, unsigned group, const uint64_t *theirs)
{
	const uint64_t *mine = merkle_below(m, group);
	uint64_t differ = 0;

	for (unsigned i = 0; i < MERKLE_WIDTH; i++)
		differ |= (uint64_t)(mine[i] != theirs[i]) << i;
	return differ;
}
