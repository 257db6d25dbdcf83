/* SPDX-License-Identifier: MIT */
/*
 * entry.h - versions of keys where no leader orders them: as bytes, in memory, by age
 *
 * Shared by the leaderless protocols (quorum, abd): the newest version of a key wins, by its
 * number and then by who gave it, and a set of replicas counts who has it.
 */
#ifndef PROTO_ENTRY_H
#define PROTO_ENTRY_H

#include "agent/base/buf.h"
#include "store/proto.h"
#include "store/table.h"

/* Nanoseconds of a wall clock until the year 2262, or a count; what is above is not believed. */
#define ENTRY_VERSION_MAX (1ull << 63)

/* A set of replicas. */
struct node_set {
	uint64_t bits[(PROTO_NODES_MAX + 63) / 64];
	unsigned count;
};

static inline bool node_set_has(const struct node_set *s, unsigned i)
{
	return s->bits[i / 64] >> (i % 64) & 1;
}

static inline void node_set_add(struct node_set *s, unsigned i)
{
	if (node_set_has(s, i) && !PROTO_BUG(BUG_QUORUM_COUNTS_TWICE))
		return;
	s->bits[i / 64] |= 1ull << (i % 64);
	s->count++;
}

/* entry_encode() - append to @b. */
void entry_encode(struct buf *b, const struct table_entry *e);

/* entry_decode() - the rest of @c, from one of @nodes. Version 0: there is no such key.
 * Return: 0, -EBADMSG. */
int entry_decode(unsigned nodes, struct cursor *c, struct table_entry *ret);

/* entry_describe() - what entry_encode() wrote, for people; @version: what its number is called.
 * Return: 0, -EBADMSG. */
int entry_describe(struct cursor *c, const char *version, struct buf *out);

/* entry_copy() - with bytes of its own: one block, returned, to be freed. */
uint8_t *entry_copy(struct table_entry *to, const struct table_entry *from);

/* entry_newer() - order of the versions of a key; NULL is older than everything. */
bool entry_newer(const struct table_entry *a, const struct table_entry *b);

/* entry_gone() - whether a reader at wall clock @wall_ns finds nothing in @e; NULL: nothing. */
bool entry_gone(const struct table_entry *e, uint64_t wall_ns);

/* entry_depends() - whether @req asks for what was there: of two such writes, both could win. */
bool entry_depends(const struct proto_request *req);

#endif
