/* SPDX-License-Identifier: MIT */
/*
 * shrink.c - from a history that cannot be explained to the few operations that cannot
 *
 * First all that came after the return at which the search ended goes. Then ever smaller pieces
 * are left out for as long as the rest is still a violation (Zeller and Hildebrandt, "Simplifying
 * and isolating failure-inducing input", TSE 2002). Not every rest will do: without the write that
 * explains it, what was right looks wrong. The caller puts such writes back before the rest is
 * judged, so a witness is a violation whatever else happened.
 */
#include "agent/check/shrink.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/check/source.h"

/* From here on every rest is held against all that is left at that point, not step by step. */
#define SHRINK_BASE_MAX 4096

struct shrinking {
	struct shrink *s;
	uint32_t *base; /* owned; what a rest is held against */
	size_t base_count;
	bool *keep;        /* owned; by place in base: in the present set */
	bool *candidate;   /* owned; likewise: in the rest that is tried */
	uint32_t *scratch; /* owned */
};

/* Hold what follows against what is left now. */
static void shrink_rebase(struct shrinking *k)
{
	k->base_count = k->s->count;
	memcpy(k->base, k->s->index, k->base_count * sizeof *k->base);
	for (size_t i = 0; i < k->base_count; i++)
		k->keep[i] = true;
}

/* Try the rest in k->candidate. Return: whether it is a smaller violation, and taken over. */
static bool shrink_try(struct shrinking *k)
{
	struct shrink *s = k->s;
	size_t count = 0;

	s->restore(s->h, k->base, k->base_count, k->candidate);
	for (size_t i = 0; i < k->base_count; i++)
		if (k->candidate[i])
			k->scratch[count++] = k->base[i];
	if (count == 0 || count >= s->count || !s->is_violation(s->arg, k->scratch, count))
		return false;
	memcpy(s->index, k->scratch, count * sizeof *s->index);
	s->count = count;
	memcpy(k->keep, k->candidate, k->base_count * sizeof *k->keep);
	if (k->base_count > SHRINK_BASE_MAX)
		shrink_rebase(k);
	return true;
}

/* What was invoked after the search had ended, and answers that came after, explain nothing. */
static void shrink_tail(struct shrinking *k)
{
	const struct shrink *s = k->s;
	uint64_t end_ns = s->deepest->t_return_ns;

	for (size_t i = 0; i < k->base_count; i++) {
		const struct history_op *op = &s->h->op[k->base[i]];

		k->candidate[i] = op->t_invoke_ns <= end_ns &&
				  (op->outcome != HISTORY_OK || op->t_return_ns <= end_ns ||
					  source_writes(op));
	}
	(void)shrink_try(k);
}

static bool shrink_time_left(const struct shrink *s)
{
	return !s->until_ns || clock_now_ns() < s->until_ns;
}

/* Try to leave out each piece of @size operations. Return: whether any could go. */
static bool shrink_pieces(struct shrinking *k, size_t size)
{
	bool some = false;
	size_t from = 0; /* operations of the present set that are behind us */

	while (from < k->s->count && shrink_time_left(k->s)) {
		size_t before = k->s->count;
		size_t at = 0;

		for (size_t i = 0; i < k->base_count; i++) {
			k->candidate[i] = k->keep[i];
			if (k->keep[i] && at++ >= from && at <= from + size)
				k->candidate[i] = false;
		}
		if (shrink_try(k))
			some = true;
		if (k->s->count == before)
			from += size;
	}
	return some;
}

void shrink_run(struct shrink *s)
{
	size_t room = s->count + 1;
	struct shrinking k = {
		.s = s,
		.base = malloc(room * sizeof *k.base),
		.keep = malloc(room * sizeof *k.keep),
		.candidate = malloc(room * sizeof *k.candidate),
		.scratch = malloc(room * sizeof *k.scratch),
	};
	bool again = true;

	assert(k.base && k.keep && k.candidate && k.scratch);
	shrink_rebase(&k);
	if (s->deepest)
		shrink_tail(&k);
	for (size_t size = s->count / 2; size > 1; size /= 2)
		(void)shrink_pieces(&k, size);
	while (again && shrink_time_left(s))
		again = shrink_pieces(&k, 1);
	free(k.base);
	free(k.keep);
	free(k.candidate);
	free(k.scratch);
}
