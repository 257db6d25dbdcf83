/* SPDX-License-Identifier: MIT */
/*
 * more.c - what stands in MORE records, put together for the record that it belongs to
 *
 * The parts of one operation stand in order, but records of other operations stand between them.
 * Each part remembers the slot of the one before it, and they are copied when the record comes
 * that says how many words they are.
 */
#include "agent/history/more.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEP_WORDS 3

#define more_bad(m, ...) err_set((m)->err, -EBADMSG, EXIT_USAGE, __VA_ARGS__)

static const struct format_more *more_at(const struct more *m, uint32_t slot)
{
	return (const struct format_more *)(const void *)&m->slot[slot - 1];
}

int more_add(struct more *m, uint64_t i)
{
	const struct format_more *part = more_at(m, (uint32_t)i + 1);
	const struct format_more *was;
	uint32_t want = 0;

	if (!m->last) {
		m->last = calloc((size_t)m->ops + 1, sizeof *m->last);
		m->before = calloc(m->slots, sizeof *m->before);
		assert(m->last && m->before);
	}
	if (part->of != HISTORY_INVOKE && part->of != HISTORY_OK)
		return more_bad(m, "a continuation of a record of type %u, %u or %u was expected",
			part->of, HISTORY_INVOKE, HISTORY_OK);
	if (part->count == 0 || part->count > FORMAT_MORE_WORDS)
		return more_bad(m, "a continuation of %u words, 1 to %u were expected", part->count,
			FORMAT_MORE_WORDS);
	if (m->last[part->op]) {
		was = more_at(m, m->last[part->op]);
		if (was->of != part->of || was->count != FORMAT_MORE_WORDS)
			return more_bad(m,
				"operation %u has a continuation after its last (the record that "
				"it belongs to was expected)",
				part->op);
		want = was->part + 1;
	}
	if (part->part != want)
		return more_bad(m, "part %u of operation %u, part %u was expected", part->part,
			part->op, want);
	m->before[i] = m->last[part->op];
	m->last[part->op] = (uint32_t)i + 1;
	return 0;
}

int more_none(struct more *m, const struct history_record *r)
{
	if (!m->last || m->last[r->op] == 0)
		return 0;
	return more_bad(m,
		"operation %u has a continuation, which a %s of this outcome does not have", r->op,
		history_kind_names[r->kind]);
}

/* How many words stand before @r, which they belong to, and must be @want. */
static int more_count(struct more *m, const struct history_record *r, uint64_t want)
{
	uint32_t last = m->last ? m->last[r->op] : 0;
	uint64_t have = 0;

	if (last) {
		have = (uint64_t)more_at(m, last)->part * FORMAT_MORE_WORDS +
		       more_at(m, last)->count;
		if (more_at(m, last)->of != r->type)
			return more_bad(m,
				"operation %u has a continuation of another record (one of type %u "
				"was expected)",
				r->op, r->type);
	}
	if (have != want)
		return more_bad(m,
			"operation %u has a continuation of %llu words, %llu were expected", r->op,
			(unsigned long long)have, (unsigned long long)want);
	return 0;
}

/* Copy all words of @r, of which there is the right number, and forget them. */
static void more_copy(struct more *m, const struct history_record *r, uint64_t *to)
{
	uint32_t at = m->last ? m->last[r->op] : 0;

	for (; at; at = m->before[at - 1]) {
		const struct format_more *part = more_at(m, at);

		memcpy(to + (size_t)part->part * FORMAT_MORE_WORDS, part->word,
			part->count * sizeof *to);
	}
	if (m->last)
		m->last[r->op] = 0;
}

int more_list(struct more *m, const struct history_record *r, struct gather *g)
{
	uint64_t *list;
	int ret;

	if (r->value > HISTORY_MANY_MAX)
		return more_bad(m, "operation %u read %llu elements, at most %u were expected",
			r->op, (unsigned long long)r->value, HISTORY_MANY_MAX);
	ret = more_count(m, r, r->value);
	if (!ret)
		ret = gather_list(g, r->value, &list, m->err);
	if (!ret)
		more_copy(m, r, list);
	return ret;
}

static int more_step(
	struct more *m, const struct history_record *r, const uint64_t *w, struct history_micro *to)
{
	if (w[0] != HISTORY_READ && w[0] != HISTORY_APPEND)
		return more_bad(m,
			"operation %u has a step of kind %llu, read (%u) or append (%u) was "
			"expected",
			r->op, (unsigned long long)w[0], HISTORY_READ, HISTORY_APPEND);
	*to = (struct history_micro){.kind = (uint8_t)w[0], .key = w[1], .value = w[2]};
	if (w[0] == HISTORY_READ && w[2] != 0)
		return more_bad(m, "operation %u reads, but its step has the value %llu", r->op,
			(unsigned long long)w[2]);
	return 0;
}

int more_steps(struct more *m, const struct history_record *r, struct gather *g)
{
	uint64_t word[HISTORY_STEPS_MAX * STEP_WORDS];
	struct history_micro *micro;
	int ret;

	if (r->value > HISTORY_STEPS_MAX)
		return more_bad(m, "operation %u has %llu steps, at most %u were expected", r->op,
			(unsigned long long)r->value, HISTORY_STEPS_MAX);
	ret = more_count(m, r, r->value * STEP_WORDS);
	if (!ret)
		ret = gather_micro(g, r->value, &micro, m->err);
	if (ret)
		return ret;
	more_copy(m, r, word);
	for (uint64_t i = 0; i < r->value && !ret; i++)
		ret = more_step(m, r, word + i * STEP_WORDS, &micro[i]);
	return ret;
}

int more_results(struct more *m, const struct history_record *r, struct gather *g,
	const struct history_op *op)
{
	size_t first = g->ops.lists;
	size_t at = first;
	uint64_t *list;
	int ret = r->value > HISTORY_MANY_MAX
			  ? more_bad(m, "operation %u has %llu words, at most %u were expected",
				    r->op, (unsigned long long)r->value, HISTORY_MANY_MAX)
			  : more_count(m, r, r->value);

	if (!ret)
		ret = gather_list(g, r->value, &list, m->err);
	if (ret)
		return ret;
	more_copy(m, r, list);
	for (uint32_t i = 0; i < op->count; i++) {
		struct history_micro *step = &g->ops.micro[op->first + i];

		if (step->kind != HISTORY_READ)
			continue;
		if (at == g->ops.lists || g->ops.list[at] > g->ops.lists - at - 1)
			return more_bad(m, "operation %u ends inside what step %u read", r->op, i);
		step->count = (uint32_t)g->ops.list[at++];
		step->first = (uint32_t)at;
		at += step->count;
	}
	if (at != g->ops.lists)
		return more_bad(m, "operation %u has %zu words after what its last step read",
			r->op, g->ops.lists - at);
	return 0;
}

void more_fini(struct more *m)
{
	free(m->last);
	free(m->before);
	m->last = NULL;
	m->before = NULL;
}
