/* SPDX-License-Identifier: MIT */
/*
 * source.c - which writes could explain what an operation saw
 *
 * A write that is left out of a witness is missed if it explains something in it: a compare-and-set
 * that was unmet because of it, a read of a value that it wrote, too. It explains nothing if in no
 * order it is the last write before an operation that accepts its value. That is sure if it begins
 * after the operation ends, or if it ended before a kept write began that in turn ended before the
 * operation began. For each look the latest begin of such a kept write is its *horizon*: what
 * ended before it cannot be seen. Horizons grow with the time at which the look begins.
 *
 * A string shows all that was appended since it was written, so a read accepts each of its
 * elements, and an append is no horizon.
 */
#include "agent/check/source.h"

#include <assert.h>
#include <stdlib.h>

/* A kept operation that looks at the value. */
struct look {
	const struct history_op *op;
	uint64_t horizon_ns;
	uint64_t returned_ns; /* latest return of this look and all that began before it */
};

struct source {
	const struct history_ops *h;
	const uint32_t *index;
	size_t count;
	bool *keep;
	struct look *look; /* owned; by invocation */
	size_t looks;
	struct look *open; /* owned; looks of unknown outcome */
	size_t opens;
	const struct history_op **writes; /* owned; kept and acknowledged, by return */
	size_t write_count;
};

bool source_writes(const struct history_op *op)
{
	return op->kind != HISTORY_READ && op->outcome != HISTORY_FAIL &&
	       (op->kind == HISTORY_WRITE || op->kind == HISTORY_APPEND ||
		       op->outcome == HISTORY_UNKNOWN || op->met);
}

static bool source_looks(const struct history_op *op)
{
	return op->kind == HISTORY_CAS || (op->kind == HISTORY_READ && op->outcome == HISTORY_OK);
}

static bool source_accepts(const struct source *s, const struct history_op *look, uint64_t value)
{
	for (uint32_t i = 0; look->many && i < look->count; i++)
		if (s->h->list[look->first + i] == value)
			return true;
	if (look->many)
		return false;
	if (look->kind == HISTORY_READ)
		return look->value == value;
	return (look->old == value) == source_writes(look);
}

static int by_return(const void *a, const void *b)
{
	const struct history_op *x = *(const struct history_op *const *)a;
	const struct history_op *y = *(const struct history_op *const *)b;

	return x->t_return_ns < y->t_return_ns ? -1 : x->t_return_ns > y->t_return_ns;
}

/* Take stock of what is kept now. */
static void source_survey(struct source *s)
{
	uint64_t returned_ns = 0;
	uint64_t horizon_ns = 0;
	size_t w = 0;

	s->looks = s->opens = s->write_count = 0;
	for (size_t i = 0; i < s->count; i++) {
		const struct history_op *op = &s->h->op[s->index[i]];

		if (!s->keep[i])
			continue;
		if (source_writes(op) && op->outcome == HISTORY_OK && op->kind != HISTORY_APPEND)
			s->writes[s->write_count++] = op;
		if (source_looks(op) && op->outcome == HISTORY_OK)
			s->look[s->looks++].op = op;
		else if (source_looks(op))
			s->open[s->opens++].op = op;
	}
	qsort(s->writes, s->write_count, sizeof *s->writes, by_return);
	for (size_t i = 0; i < s->looks; i++) {
		const struct history_op *op = s->look[i].op;

		for (; w < s->write_count && s->writes[w]->t_return_ns < op->t_invoke_ns; w++)
			if (s->writes[w]->t_invoke_ns > horizon_ns)
				horizon_ns = s->writes[w]->t_invoke_ns;
		if (op->t_return_ns > returned_ns)
			returned_ns = op->t_return_ns;
		s->look[i].horizon_ns = horizon_ns;
		s->look[i].returned_ns = returned_ns;
	}
}

/* The number of looks from whose horizon @t_ns is not hidden: the first ones. */
static size_t source_in_sight(const struct source *s, uint64_t t_ns)
{
	size_t low = 0;
	size_t high = s->looks;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->look[middle].horizon_ns <= t_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool source_is_missed(const struct source *s, const struct history_op *write)
{
	/* Looks of unknown outcome never end and are few; their horizon is not used. */
	for (size_t i = 0; i < s->opens; i++)
		if (source_accepts(s, s->open[i].op, write->value))
			return true;
	for (size_t i = source_in_sight(s, write->t_return_ns); i-- > 0;) {
		const struct look *l = &s->look[i];

		if (l->returned_ns < write->t_invoke_ns)
			break;
		if (l->op->t_return_ns >= write->t_invoke_ns &&
			source_accepts(s, l->op, write->value))
			return true;
	}
	return false;
}

void source_restore(const struct history_ops *h, const uint32_t *index, size_t count, bool *keep)
{
	struct source s = {.h = h, .index = index, .count = count, .keep = keep};
	bool again = true;

	s.look = malloc((count + 1) * sizeof *s.look);
	s.open = malloc((count + 1) * sizeof *s.open);
	s.writes = malloc((count + 1) * sizeof *s.writes);
	assert(s.look && s.open && s.writes);
	while (again) {
		again = false;
		source_survey(&s);
		for (size_t i = 0; i < count; i++) {
			const struct history_op *op = &h->op[index[i]];

			if (!keep[i] && source_writes(op) && source_is_missed(&s, op))
				keep[i] = again = true;
		}
	}
	free(s.look);
	free(s.open);
	free(s.writes);
}
