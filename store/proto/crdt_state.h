/* SPDX-License-Identifier: MIT */
/*
 * crdt_state.h - what a key of crdt is: a join semilattice of a register, a counter and a set
 *
 * M. Shapiro, N. Preguica, C. Baquero, M. Zawirski, "A comprehensive study of Convergent and
 * Commutative Replicated Data Types", INRIA RR-7506, 2011, for the types; P. Almeida, A. Shoker,
 * C. Baquero, "Delta state replicated data types", JPDC 111, 2018, for deltas and causal contexts:
 * what an operation changes is a small state of the same kind, and one join takes both.
 *
 * A *dot* names an operation: the replica that did it and its hybrid logical time there, which is
 * given once only. A *range* (from, to] of a replica says that all of its dots on this key with
 * these times have been seen here. All ranges are the key's causal context. A sibling of a register
 * or a member of a set has the dot that made it. Joining two states keeps what both have, and what
 * one has and the other has not seen; what the other has seen and does not have was removed there
 * (Almeida et al., section 7.2). So a removal leaves nothing but its dot in the context, ranges
 * become one where no gap is left between them, and an add that the removal has not seen stays.
 *
 * A register is a set of siblings (multi-value), or one last write, which a later dot replaces; a
 * counter has a sum for each replica, which only that replica changes, and how much of it was seen
 * when it was reset. All three live side by side: keys are made of different types at once, and
 * what is seen then is the set, else the counter, else the register.
 *
 * Pure: no clock, no I/O. Bytes stay with who gave them.
 */
#ifndef PROTO_CRDT_STATE_H
#define PROTO_CRDT_STATE_H

#include "agent/base/buf.h"
#include "store/table.h"

#define CRDT_STATE_MAX TABLE_VALUE_MAX /* bytes of one key's state */
/* Times are nanoseconds of wall clocks: what others say of the years after 2116 is not believed,
 * and so what is given here stays below CRDT_TIME_MAX. */
#define CRDT_TIME_BELIEVED (1ull << 62)
#define CRDT_TIME_MAX (1ull << 63)

struct crdt_dot {
	uint64_t time; /* 0: none */
	uint16_t node;
};

struct crdt_range {
	uint16_t node;
	uint64_t from; /* not included */
	uint64_t to;
};

struct crdt_count {
	uint16_t node;
	uint64_t time; /* of its last change */
	int64_t sum;
	uint64_t reset_time; /* the change that a reset has seen, 0: none */
	int64_t reset_sum;
};

enum crdt_kind { CRDT_SIBLING = 1, CRDT_MEMBER, CRDT_KIND_NR };

struct crdt_item {
	enum crdt_kind kind;
	struct crdt_dot dot;
	uint64_t expires_ns; /* of a sibling */
	struct proto_bytes bytes;
};

struct crdt_last {
	struct crdt_dot dot;
	bool deleted;
	uint64_t expires_ns;
	struct proto_bytes bytes;
};

/* No time in it is above that of its stamp: who does an operation has a clock ahead of all it sees.
 * Each list is owned, sorted and without duplicates once crdt_order() was called. */
struct crdt_state {
	struct crdt_dot stamp; /* the latest of all operations in it */
	struct crdt_last last;
	struct crdt_range *range;
	uint32_t ranges;
	struct crdt_count *count;
	uint32_t counts;
	struct crdt_item *item;
	uint32_t items;
};

enum crdt_type { CRDT_NOTHING, CRDT_REGISTER, CRDT_COUNTER, CRDT_SET, CRDT_TYPE_NR };
extern const char *const crdt_type_names[CRDT_TYPE_NR];

/* crdt_state_fini() - free its lists; an all-zero state is empty and valid. */
void crdt_state_fini(struct crdt_state *s);

/* crdt_add_item(), crdt_add_range(), crdt_add_count() - one more, anywhere. crdt_see() - the range
 * of one dot. */
void crdt_add_item(struct crdt_state *s, const struct crdt_item *item);
void crdt_add_range(struct crdt_state *s, const struct crdt_range *range);
void crdt_add_count(struct crdt_state *s, const struct crdt_count *count);
void crdt_see(struct crdt_state *s, struct crdt_dot dot);

/* crdt_order() - sort all lists and make ranges one that touch. */
void crdt_order(struct crdt_state *s);

/* crdt_encode() - append; the same state has the same bytes everywhere. crdt_encoded() - length. */
void crdt_encode(struct buf *b, const struct crdt_state *s);
size_t crdt_encoded(const struct crdt_state *s);

/**
 * crdt_decode() - all of @bytes, of replicas 0 .. @nodes - 1
 * @ret:	points into @bytes; to be freed by crdt_state_fini()
 *
 * Return: 0, or -EBADMSG, then there is nothing to free.
 */
int crdt_decode(unsigned nodes, struct proto_bytes bytes, struct crdt_state *ret);

/* crdt_join() - the least state that has all of both; @ret points into their bytes. */
void crdt_join(const struct crdt_state *a, const struct crdt_state *b, struct crdt_state *ret);

/* crdt_dot_order() - below, at or above 0: by time, then by replica. */
int crdt_dot_order(struct crdt_dot a, struct crdt_dot b);

/* crdt_covers() - whether the context has @dot. */
bool crdt_covers(const struct crdt_state *s, struct crdt_dot dot);

/* crdt_seen_of() - up to where all of @node has been seen without a gap. */
uint64_t crdt_seen_of(const struct crdt_state *s, uint16_t node);

/* crdt_count_of() - the part of @node in a counter, all zero if it has none. */
struct crdt_count crdt_count_of(const struct crdt_state *s, uint16_t node);

/* crdt_type() - what is seen at wall clock @wall_ns; 0: nothing has expired. */
enum crdt_type crdt_type(const struct crdt_state *s, uint64_t wall_ns);

/* crdt_sum() - of a counter; where it leaves 64 bits it stays at their end. */
int64_t crdt_sum(const struct crdt_state *s);

/**
 * crdt_values() - the values of a register that stand side by side, the latest first
 * @ret:	room for all items and one more, with the dot and the expiry of each
 * Return: how many
 */
uint32_t crdt_values(const struct crdt_state *s, uint64_t wall_ns, struct crdt_item *ret);

/* crdt_expires_ns() - when the last value of a register is gone; 0: never, or there is none. */
uint64_t crdt_expires_ns(const struct crdt_state *s);

#endif
