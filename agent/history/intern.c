/* SPDX-License-Identifier: MIT */
/* intern.c - one number for each spelling: open addressing over an arena of text */
#include "agent/history/intern.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define INTERN_SLOTS_MIN 64
#define INTERN_TEXT_MIN 4096

/* FNV-1a with a finisher. */
static uint64_t intern_hash(const char *p, size_t len, bool quoted)
{
	uint64_t x = 0xcbf29ce484222325ull ^ quoted;

	for (size_t i = 0; i < len; i++)
		x = (x ^ (unsigned char)p[i]) * 0x100000001b3ull;
	return x ^ x >> 32;
}

static bool intern_is(
	const struct intern *in, uint32_t number, const char *p, size_t len, bool quoted)
{
	const char *text = intern_text(in, number);

	if (strlen(text) != len + (quoted ? 2 : 0))
		return false;
	if (quoted && text[0] != '"')
		return false;
	return memcmp(text + quoted, p, len) == 0;
}

/* The slot of the spelling, or the free one where it belongs. */
static size_t intern_slot(
	const struct intern *in, uint64_t hash, const char *p, size_t len, bool quoted)
{
	size_t i = hash & in->mask;

	while (in->slot[i] && (in->hash[in->slot[i] - 1] != hash ||
				      !intern_is(in, in->slot[i] - 1, p, len, quoted)))
		i = (i + 1) & in->mask;
	return i;
}

static void intern_resize(struct intern *in, size_t slots)
{
	free(in->slot);
	in->slot = calloc(slots, sizeof *in->slot);
	in->at = realloc(in->at, slots * sizeof *in->at);
	in->hash = realloc(in->hash, slots * sizeof *in->hash);
	assert(in->slot && in->at && in->hash);
	in->mask = slots - 1;
	for (size_t n = 0; n < in->count; n++) {
		size_t i = in->hash[n] & in->mask;

		while (in->slot[i])
			i = (i + 1) & in->mask;
		in->slot[i] = (uint32_t)n + 1;
	}
}

static void intern_keep(struct intern *in, const char *p, size_t len, bool quoted)
{
	size_t need = len + 3;

	if (in->used + need > in->cap) {
		in->cap = in->cap ? in->cap : INTERN_TEXT_MIN;
		while (in->used + need > in->cap)
			in->cap *= 2;
		in->text = realloc(in->text, in->cap);
		assert(in->text);
	}
	in->at[in->count] = in->used;
	if (quoted)
		in->text[in->used++] = '"';
	memcpy(in->text + in->used, p, len);
	in->used += len;
	if (quoted)
		in->text[in->used++] = '"';
	in->text[in->used++] = '\0';
}

uint32_t intern_put(struct intern *in, const char *p, size_t len, bool quoted)
{
	uint64_t hash = intern_hash(p, len, quoted);
	size_t i;

	if (!in->slot)
		intern_resize(in, INTERN_SLOTS_MIN);
	else if (in->count * 3 > in->mask * 2)
		intern_resize(in, (in->mask + 1) * 2);
	i = intern_slot(in, hash, p, len, quoted);
	if (in->slot[i])
		return in->slot[i] - 1;
	if (in->count == UINT32_MAX - 1)
		return INTERN_NONE;
	intern_keep(in, p, len, quoted);
	in->hash[in->count++] = hash;
	in->slot[i] = (uint32_t)in->count;
	return (uint32_t)in->count - 1;
}

uint32_t intern_find(const struct intern *in, const char *p, size_t len, bool quoted)
{
	size_t i;

	if (!in->slot)
		return INTERN_NONE;
	i = intern_slot(in, intern_hash(p, len, quoted), p, len, quoted);
	return in->slot[i] ? in->slot[i] - 1 : INTERN_NONE;
}

void intern_move(struct intern *in, struct history_ops *ret)
{
	ret->text = in->text;
	ret->text_at = in->at;
	ret->texts = in->count;
	in->text = NULL;
	in->at = NULL;
	intern_fini(in);
}

void intern_fini(struct intern *in)
{
	free(in->text);
	free(in->at);
	free(in->hash);
	free(in->slot);
	*in = (struct intern){0};
}
