/* SPDX-License-Identifier: MIT */
/*
 * arena.h - memory for very many small things that are named by 32 bits
 *
 * A block has no header: who frees it says how long it was. Blocks stay where they are.
 */
#ifndef STORE_ARENA_H
#define STORE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_UNIT 16u
/* Longer blocks are the allocator's of libc. */
#define ARENA_SHARED_UNITS_MAX 2048u
#define ARENA_CLASSES 72
/* A reference is a chunk and a place in it, 60 GiB in all; from ARENA_LONG on, a long block. */
#define ARENA_PLACE_BITS 17
#define ARENA_LONG 0xf0000000u
#define ARENA_LONGS_MAX (UINT32_MAX - ARENA_LONG) /* 8 TiB of the shortest */
#define ARENA_CHUNKS_MAX (ARENA_LONG >> ARENA_PLACE_BITS)
/* An owner that can refuse does so while this is left: 1 GiB for what is under way already. */
#define ARENA_CHUNKS_KEPT 512u
#define ARENA_LONGS_KEPT 65536u

struct arena {
	uint8_t **chunks;
	uint32_t chunks_n;
	uint32_t chunks_cap;
	uint32_t next; /* place of what was never given, in the youngest chunk */
	uint32_t left; /* units there */
	size_t bytes;  /* of chunks and long blocks */
	void **longs;  /* those that are free hold 2 * (1 + the next free one) + 1 */
	uint32_t longs_n;
	uint32_t longs_cap;
	uint32_t free_long; /* 1 + index, 0: none */
	uint32_t free[ARENA_CLASSES];
};

/* arena_init() - empty; allocates nothing. arena_fini() - free all blocks at once. */
void arena_init(struct arena *a);
void arena_fini(struct arena *a);

/**
 * arena_take() - a block of @units or a few more
 * @ret_units:	how many it has; arena_give() wants to know
 *
 * Return: its reference, never 0.
 */
uint32_t arena_take(struct arena *a, uint32_t units, uint32_t *ret_units);
void arena_give(struct arena *a, uint32_t ref, uint32_t units);

/* arena_bytes() - memory that it takes, used or not. */
static inline size_t arena_bytes(const struct arena *a)
{
	return a->bytes;
}

/* arena_full() - whether references will soon be used up. Beyond that arena_take() asserts. */
bool arena_full(const struct arena *a);

static inline void *arena_at(const struct arena *a, uint32_t ref)
{
	if (ref >= ARENA_LONG)
		return a->longs[ref - ARENA_LONG];
	return a->chunks[ref >> ARENA_PLACE_BITS] +
	       (size_t)(ref & ((1u << ARENA_PLACE_BITS) - 1)) * ARENA_UNIT;
}

#endif
