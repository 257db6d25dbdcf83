/* SPDX-License-Identifier: MIT */
/*
 * arena.h - memory for very many small things that are named by 32 bits
 *
 * A block has no header: who frees it says how long it was. Blocks stay where they are.
 */
#ifndef STORE_ARENA_H
#define STORE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#define ARENA_UNIT 16u
/* Longer blocks are the allocator's of libc. */
#define ARENA_SHARED_UNITS_MAX 2048u
#define ARENA_CLASSES 72
/* A reference is a chunk and a place in it: 64 GB in all. */
#define ARENA_PLACE_BITS 17
#define ARENA_CHUNKS_MAX (1u << (32 - ARENA_PLACE_BITS))

struct arena {
	uint8_t **chunks;
	uint32_t chunks_n;
	uint32_t chunks_cap;
	uint32_t grown;      /* chunks that blocks share */
	uint32_t next;       /* place of what was never given, in the youngest shared chunk */
	uint32_t left;       /* units there */
	uint32_t free_chunk; /* 1 + index of one whose number may be used again, 0: none */
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

static inline void *arena_at(const struct arena *a, uint32_t ref)
{
	return a->chunks[ref >> ARENA_PLACE_BITS] +
	       (size_t)(ref & ((1u << ARENA_PLACE_BITS) - 1)) * ARENA_UNIT;
}

#endif
