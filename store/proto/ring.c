/* SPDX-License-Identifier: MIT */
/* ring.c - elements numbered without gaps */
#include "store/proto/ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RING_CAP_MIN 16

/* Elements keep number modulo capacity as their place, so each is moved to its new one. */
static void ring_grow(struct ring *r)
{
	size_t cap = r->cap ? r->cap * 2 : RING_CAP_MIN;
	uint8_t *slots = calloc(cap, r->size);

	assert(slots);
	for (uint64_t i = r->first; i < r->next; i++)
		memcpy(slots + (size_t)(i & (cap - 1)) * r->size, ring_at(r, i), r->size);
	free(r->slots);
	r->slots = slots;
	r->cap = cap;
}

void *ring_push(struct ring *r)
{
	void *slot;

	if (ring_count(r) == r->cap)
		ring_grow(r);
	r->next++;
	slot = ring_at(r, r->next - 1);
	memset(slot, 0, r->size);
	return slot;
}

void ring_pop(struct ring *r)
{
	assert(r->first < r->next);
	r->first++;
}

void ring_cut(struct ring *r, uint64_t next)
{
	assert(next >= r->first && next <= r->next);
	r->next = next;
}

void ring_fini(struct ring *r)
{
	free(r->slots);
	*r = (struct ring){.size = r->size};
}
