/* SPDX-License-Identifier: MIT */
/*
 * shrink.c - from a history that cannot be explained to the few operations that cannot
 *
 * First all that came after the return at which the search ended goes. Then ever smaller pieces
 * are left out for as long as the rest is still a violation (Zeller and Hildebrandt, "Simplifying
 * and isolating failure-inducing input", TSE 2002). A value that is read keeps its writer:
 * otherwise every history shrinks to a value from nowhere, which is another violation.
 */
#include "agent/check/shrink.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/check/obvious.h"
#include "agent/check/search.h"

static bool shrink_writes(const struct history_op *op)
{
	return op->kind != HISTORY_READ && op->outcome != HISTORY_FAIL &&
	       (op->kind == HISTORY_WRITE || op->outcome == HISTORY_UNKNOWN || op->met);
}

/* The value that an operation proves to have been there; 0 if it proves none. */
static uint64_t shrink_proof(const struct history_op *op)
{
	if (op->outcome != HISTORY_OK)
		return 0;
	if (op->kind == HISTORY_READ)
		return op->value;
	return op->kind == HISTORY_CAS && op->met ? op->old : 0;
}

/* Leave out what proves a value that has no writer any more, and what depends on that in turn. */
static size_t shrink_close(const struct history_ops *h, uint32_t *index, size_t count)
{
	size_t was;

	do {
		struct pairs written = {0};

		was = count;
		count = 0;
		for (size_t i = 0; i < was; i++)
			if (shrink_writes(&h->op[index[i]]))
				(void)pairs_put(&written, h->op[index[i]].value, 0, 0);
		for (size_t i = 0; i < was; i++) {
			uint64_t proof = shrink_proof(&h->op[index[i]]);

			if (proof == 0 || pairs_get(&written, proof, 0) != PAIRS_NONE)
				index[count++] = index[i];
		}
		pairs_fini(&written);
	} while (count < was);
	return count;
}

static bool shrink_is_violation(const struct shrink *s, const uint32_t *index, size_t count)
{
	struct search search = {.until_ns = s->until_ns, .memory_bytes = s->memory_bytes};
	enum check_verdict verdict = CHECK_OK;
	struct finding finding;
	struct reg r;

	reg_build(&r, s->h, index, count);
	search.r = &r;
	if (!obvious_find(&r, index, count, &finding))
		verdict = search_run(&search);
	reg_destroy(&r);
	return verdict == CHECK_VIOLATION;
}

static bool shrink_try(struct shrink *s, uint32_t *index, size_t count)
{
	count = shrink_close(s->h, index, count);
	if (count == 0 || count == s->count || !shrink_is_violation(s, index, count))
		return false;
	memcpy(s->index, index, count * sizeof *index);
	s->count = count;
	return true;
}

/* What was invoked after the search had ended, and answers that came after, explain nothing. */
static void shrink_tail(struct shrink *s, uint32_t *scratch)
{
	uint64_t end_ns = s->h->op[s->deepest].t_return_ns;
	size_t count = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct history_op *op = &s->h->op[s->index[i]];

		if (op->t_invoke_ns > end_ns)
			continue;
		if (op->outcome == HISTORY_OK && op->t_return_ns > end_ns && !shrink_writes(op))
			continue;
		scratch[count++] = s->index[i];
	}
	(void)shrink_try(s, scratch, count);
}

static bool shrink_time_left(const struct shrink *s)
{
	return !s->until_ns || clock_now_ns() < s->until_ns;
}

/* Try to leave out each piece of @size operations. Return: whether any could go. */
static bool shrink_pieces(struct shrink *s, uint32_t *scratch, size_t size)
{
	bool some = false;
	size_t from = 0;

	while (from < s->count && shrink_time_left(s)) {
		size_t to = from + size < s->count ? from + size : s->count;

		memcpy(scratch, s->index, from * sizeof *scratch);
		memcpy(scratch + from, s->index + to, (s->count - to) * sizeof *scratch);
		if (shrink_try(s, scratch, s->count - (to - from)))
			some = true;
		else
			from = to;
	}
	return some;
}

void shrink_run(struct shrink *s)
{
	uint32_t *scratch = malloc((s->count + 1) * sizeof *scratch);
	bool again = true;

	assert(scratch);
	shrink_tail(s, scratch);
	for (size_t size = s->count / 2; size > 1; size /= 2)
		(void)shrink_pieces(s, scratch, size);
	while (again && shrink_time_left(s))
		again = shrink_pieces(s, scratch, 1);
	free(scratch);
}
