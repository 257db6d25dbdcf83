/* SPDX-License-Identifier: MIT */
/* merkle.c - sums over a set of entries, by which two replicas find where theirs differ */
#include "store/proto/merkle.h"

#include <assert.h>
#include <string.h>

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

/* The folded multiplication of wyhash (Wang Yi, 2019). */
uint64_t merkle_mix(uint64_t h, uint64_t word)
{
	unsigned __int128 product =
		(unsigned __int128)(h ^ 0xa0761d6478bd642full) * (word ^ 0xe7037ed1a0b428dbull);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t merkle_mix_bytes(uint64_t h, struct proto_bytes bytes)
{
	uint64_t word;
	uint32_t i = 0;

	h = merkle_mix(h, bytes.len);
	for (; bytes.len - i >= 8; i += 8) {
		memcpy(&word, bytes.p + i, 8);
		h = merkle_mix(h, word);
	}
	word = 0;
	if (i < bytes.len)
		memcpy(&word, bytes.p + i, bytes.len - i);
	return merkle_mix(h, word);
}
