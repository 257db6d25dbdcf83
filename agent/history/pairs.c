/* SPDX-License-Identifier: MIT */
/* pairs.c - a map from a pair of numbers to a number: open addressing, linear probing */
#include "agent/history/pairs.h"

#include <assert.h>
#include <stdlib.h>

#define PAIRS_ENTRIES_MIN 64

/* The finisher of MurmurHash3: every bit of the input reaches every bit of the result. */
static uint64_t pairs_hash(uint64_t a, uint64_t b)
{
	uint64_t x = a * 0x9e3779b97f4a7c15ull ^ b;

	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 33;
}

/* The entry of the pair, or the free one where it belongs. */
static struct pairs_entry *pairs_find(const struct pairs *m, uint64_t a, uint64_t b)
{
	size_t i = pairs_hash(a, b) & m->mask;

	while (m->entry[i].number != PAIRS_NONE && (m->entry[i].a != a || m->entry[i].b != b))
		i = (i + 1) & m->mask;
	return &m->entry[i];
}

static void pairs_resize(struct pairs *m, size_t entries)
{
	struct pairs was = *m;

	m->entry = malloc(entries * sizeof *m->entry);
	assert(m->entry); /* a history has a limit; without memory for it nothing goes on */
	m->mask = entries - 1;
	for (size_t i = 0; i < entries; i++)
		m->entry[i].number = PAIRS_NONE;
	for (size_t i = 0; was.entry && i <= was.mask; i++)
		if (was.entry[i].number != PAIRS_NONE)
			*pairs_find(m, was.entry[i].a, was.entry[i].b) = was.entry[i];
	free(was.entry);
}

uint32_t pairs_put(struct pairs *m, uint64_t a, uint64_t b, uint32_t number)
{
	struct pairs_entry *e;

	assert(number != PAIRS_NONE);
	if (!m->entry)
		pairs_resize(m, PAIRS_ENTRIES_MIN);
	else if (m->count * 3 > m->mask * 2)
		pairs_resize(m, (m->mask + 1) * 2);
	e = pairs_find(m, a, b);
	if (e->number == PAIRS_NONE) {
		*e = (struct pairs_entry){.a = a, .b = b, .number = number};
		m->count++;
	}
	return e->number;
}

uint32_t pairs_get(const struct pairs *m, uint64_t a, uint64_t b)
{
	return m->entry ? pairs_find(m, a, b)->number : PAIRS_NONE;
}

void pairs_set(struct pairs *m, uint64_t a, uint64_t b, uint32_t number)
{
	pairs_put(m, a, b, number);
	pairs_find(m, a, b)->number = number;
}

void pairs_fini(struct pairs *m)
{
	free(m->entry);
	*m = (struct pairs){0};
}
