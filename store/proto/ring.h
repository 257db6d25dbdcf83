/* SPDX-License-Identifier: MIT */
/*
 * ring.h - elements numbered without gaps: found by number, taken off at either end
 *
 * The shape of everything that a protocol waits for: log entries by index, requests by number,
 * records by the order in which they were written. All operations are O(1).
 */
#ifndef PROTO_RING_H
#define PROTO_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring {
	uint8_t *slots; /* owned */
	size_t size;    /* of an element */
	size_t cap;     /* a power of two, or 0 */
	uint64_t first; /* number of the first element */
	uint64_t next;  /* number of the element that ring_push() would make */
};

/* ring_init() - empty; elements have @size bytes, the first one is number @first. */
static inline void ring_init(struct ring *r, size_t size, uint64_t first)
{
	*r = (struct ring){.size = size, .first = first, .next = first};
}

static inline size_t ring_count(const struct ring *r)
{
	return (size_t)(r->next - r->first);
}

/* ring_at() - element @number, NULL if there is none; valid until the next push. */
static inline void *ring_at(const struct ring *r, uint64_t number)
{
	if (number < r->first || number >= r->next)
		return NULL;
	return r->slots + (size_t)(number & (r->cap - 1)) * r->size;
}

/* ring_front() - the first element, NULL if empty. */
static inline void *ring_front(const struct ring *r)
{
	return ring_at(r, r->first);
}

/* ring_push() - a new element at the end, zeroed. */
void *ring_push(struct ring *r);

/* ring_pop() - drop the first element; there is one. */
void ring_pop(struct ring *r);

/* ring_cut() - drop all elements from number @next on. */
void ring_cut(struct ring *r, uint64_t next);

/* ring_fini() - free; an all-zero ring is allowed. */
void ring_fini(struct ring *r);

#endif
