/* SPDX-License-Identifier: MIT */
/* slots.c - open addressing; what is taken is closed by moving back what stands behind it */
#include "agent/check/slots.h"

#include <assert.h>
#include <stdlib.h>

#define SLOTS_MIN 64

static size_t slots_home(const struct slots *s, uint64_t a, uint64_t b)
{
	uint64_t x = a * 0x9e3779b97f4a7c15ull ^ b;

	x ^= x >> 32;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 29;
	return x & s->mask;
}

/* Its entry, or the free one where it would stand. */
static size_t slots_find(const struct slots *s, uint64_t a, uint64_t b)
{
	size_t i = slots_home(s, a, b);

	while (s->entry[i].number != SLOTS_NONE && (s->entry[i].a != a || s->entry[i].b != b))
		i = (i + 1) & s->mask;
	return i;
}

static void slots_resize(struct slots *s, size_t size)
{
	struct slots old = *s;

	s->entry = malloc(size * sizeof *s->entry);
	assert(s->entry);
	s->mask = size - 1;
	for (size_t i = 0; i < size; i++)
		s->entry[i].number = SLOTS_NONE;
	for (size_t i = 0; old.entry && i <= old.mask; i++)
		if (old.entry[i].number != SLOTS_NONE)
			s->entry[slots_find(s, old.entry[i].a, old.entry[i].b)] = old.entry[i];
	free(old.entry);
}

void slots_set(struct slots *s, uint64_t a, uint64_t b, uint32_t number)
{
	size_t i;

	assert(number != SLOTS_NONE);
	if (!s->entry)
		slots_resize(s, SLOTS_MIN);
	else if (s->count * 2 > s->mask)
		slots_resize(s, 2 * (s->mask + 1));
	i = slots_find(s, a, b);
	s->count += s->entry[i].number == SLOTS_NONE;
	s->entry[i] = (struct slots_entry){.a = a, .b = b, .number = number};
}

uint32_t slots_get(const struct slots *s, uint64_t a, uint64_t b)
{
	return s->entry ? s->entry[slots_find(s, a, b)].number : SLOTS_NONE;
}

/* Whether an entry whose home is @home, found at @at, may stand at @hole: see Knuth 6.4, R. */
static bool slots_may_move(const struct slots *s, size_t home, size_t hole, size_t at)
{
	return ((at - home) & s->mask) >= ((at - hole) & s->mask);
}

uint32_t slots_take(struct slots *s, uint64_t a, uint64_t b)
{
	uint32_t number;
	size_t hole;

	if (!s->entry)
		return SLOTS_NONE;
	hole = slots_find(s, a, b);
	number = s->entry[hole].number;
	if (number == SLOTS_NONE)
		return SLOTS_NONE;
	s->count--;
	for (size_t i = (hole + 1) & s->mask; s->entry[i].number != SLOTS_NONE;
		i = (i + 1) & s->mask) {
		if (!slots_may_move(s, slots_home(s, s->entry[i].a, s->entry[i].b), hole, i))
			continue;
		s->entry[hole] = s->entry[i];
		hole = i;
	}
	s->entry[hole].number = SLOTS_NONE;
	return number;
}

void slots_fini(struct slots *s)
{
	free(s->entry);
	*s = (struct slots){0};
}
