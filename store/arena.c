/* SPDX-License-Identifier: MIT */
/*
 * arena.c - memory for very many small things that are named by 32 bits
 *
 * Theory of operation
 *
 * Blocks are cut from the front of a chunk; a block that is given back waits in the list of its
 * size class and is the first to be taken again, so no block is ever split or joined. Classes are
 * one unit apart up to 16 units and then eight to a doubling: at most an eighth is wasted, and a
 * load whose sizes drift finds the blocks that it has left behind. Chunks are never given back
 * before arena_fini(): the peak of each class stays.
 *
 * The first chunks are small, since a simulated cluster has thousands of tables; the later ones
 * are huge pages, which spares a walk of two levels of page tables on most look-ups.
 *
 * A block above ARENA_SHARED_UNITS_MAX is the allocator's of libc. It is named by its place in a
 * table of its own, so that their number is limited by memory, not by that of the chunks.
 */
#include "store/arena.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE (2u << 20)
#define EXACT_CLASSES 16u

_Static_assert(HUGE / ARENA_UNIT == 1u << ARENA_PLACE_BITS, "a chunk is what a place can name");

static const uint32_t chunk_units[] = {256, 4096, HUGE / ARENA_UNIT};
#define SIZES (sizeof chunk_units / sizeof *chunk_units)

/* @ret_units: what blocks of the class have. */
static unsigned class_of(uint32_t units, uint32_t *ret_units)
{
	unsigned shift;
	uint32_t eighth;

	*ret_units = units;
	if (units <= EXACT_CLASSES)
		return units - 1;
	shift = 31 - (unsigned)__builtin_clz(units - 1) - 3;
	eighth = (units - 1) >> shift; /* 8 .. 15 */
	*ret_units = (eighth + 1) << shift;
	return EXACT_CLASSES + (shift - 1) * 8 + eighth - 8;
}

void arena_init(struct arena *a)
{
	*a = (struct arena){0};
}

static void chunk_add(struct arena *a, uint8_t *bytes)
{
	assert(bytes && a->chunks_n < ARENA_CHUNKS_MAX); /* like malloc() without memory */
	if (a->chunks_n == a->chunks_cap) {
		a->chunks_cap = a->chunks_cap ? 2 * a->chunks_cap : 4;
		a->chunks = realloc(a->chunks, a->chunks_cap * sizeof *a->chunks);
		assert(a->chunks);
	}
	a->chunks[a->chunks_n++] = bytes;
}

/* --- long blocks --- */

static uint32_t free_after(const void *entry)
{
	return (uint32_t)((uintptr_t)entry >> 1);
}

static bool is_free(const void *entry)
{
	return (uintptr_t)entry & 1; /* no block of libc's stands at an odd address */
}

static uint32_t long_take(struct arena *a, size_t bytes)
{
	void *p = malloc(bytes);
	uint32_t index;

	assert(p);
	a->bytes += bytes;
	if (a->free_long) {
		index = a->free_long - 1;
		a->free_long = free_after(a->longs[index]);
	} else {
		assert(a->longs_n < ARENA_LONGS_MAX);
		if (a->longs_n == a->longs_cap) {
			a->longs_cap = a->longs_cap ? 2 * a->longs_cap : 4;
			a->longs = realloc(a->longs, a->longs_cap * sizeof *a->longs);
			assert(a->longs);
		}
		index = a->longs_n++;
	}
	a->longs[index] = p;
	return ARENA_LONG + index;
}

static void long_give(struct arena *a, uint32_t ref, size_t bytes)
{
	uint32_t index = ref - ARENA_LONG;

	assert(index < a->longs_n && !is_free(a->longs[index]));
	free(a->longs[index]);
	a->bytes -= bytes;
	a->longs[index] = (void *)((uintptr_t)a->free_long << 1 | 1);
	a->free_long = index + 1;
}

/* --- blocks that share chunks --- */

static void put_free(struct arena *a, uint32_t ref, unsigned class)
{
	memcpy(arena_at(a, ref), &a->free[class], sizeof a->free[class]);
	a->free[class] = ref;
}

/* What is left of a chunk is not enough for the block that is wanted, but for others. */
static void keep_rest(struct arena *a)
{
	while (a->left > 0) {
		uint32_t units = a->left < EXACT_CLASSES ? a->left : EXACT_CLASSES;

		put_free(a, a->next, units - 1);
		a->next += units;
		a->left -= units;
	}
}

static void grow(struct arena *a)
{
	uint32_t units = chunk_units[a->chunks_n < SIZES ? a->chunks_n : SIZES - 1];
	size_t bytes = (size_t)units * ARENA_UNIT;
	void *p = bytes < HUGE ? malloc(bytes) : aligned_alloc(HUGE, bytes);

	keep_rest(a);
	a->next = a->chunks_n << ARENA_PLACE_BITS;
	a->left = units;
	a->bytes += bytes;
	chunk_add(a, p);
	if (bytes >= HUGE)
		(void)madvise(p, bytes, MADV_HUGEPAGE);
	if (a->chunks_n == 1) {
		a->next++; /* 0 is nobody's reference */
		a->left--;
	}
}

uint32_t arena_take(struct arena *a, uint32_t units, uint32_t *ret_units)
{
	unsigned class;
	uint32_t ref;

	assert(units > 0);
	*ret_units = units;
	if (units > ARENA_SHARED_UNITS_MAX)
		return long_take(a, (size_t)units * ARENA_UNIT);
	class = class_of(units, ret_units);
	ref = a->free[class];
	if (ref) {
		memcpy(&a->free[class], arena_at(a, ref), sizeof ref);
		return ref;
	}
	while (a->left < *ret_units)
		grow(a);
	ref = a->next;
	a->next += *ret_units;
	a->left -= *ret_units;
	return ref;
}

void arena_give(struct arena *a, uint32_t ref, uint32_t units)
{
	uint32_t whole;
	unsigned class;

	if (units > ARENA_SHARED_UNITS_MAX) {
		long_give(a, ref, (size_t)units * ARENA_UNIT);
		return;
	}
	class = class_of(units, &whole);
	assert(whole == units);
	put_free(a, ref, class);
}

bool arena_full(const struct arena *a)
{
	return a->chunks_n > ARENA_CHUNKS_MAX - ARENA_CHUNKS_KEPT ||
	       a->longs_n > ARENA_LONGS_MAX - ARENA_LONGS_KEPT;
}

void arena_fini(struct arena *a)
{
	for (uint32_t i = 0; i < a->chunks_n; i++)
		free(a->chunks[i]);
	for (uint32_t i = 0; i < a->longs_n; i++)
		if (!is_free(a->longs[i]))
			free(a->longs[i]);
	free(a->chunks);
	free(a->longs);
	arena_init(a);
}
