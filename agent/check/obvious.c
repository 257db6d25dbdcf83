/* SPDX-License-Identifier: MIT */
/* obvious.c - violations that need no search: values from nowhere, from the future, lost updates */
#include "agent/check/obvious.h"

#include <assert.h>
#include <stdlib.h>

/* The value whose presence an operation proves, REG_NONE if it proves none. */
static uint32_t obvious_proof(const struct reg_op *op)
{
	if (op->kind == REG_READ)
		return op->value;
	return op->kind == REG_CAS && !op->open ? op->old : REG_NONE;
}

static void obvious_from_nowhere(const struct reg *r, const struct reg_op *op,
	const uint32_t *index, size_t count, struct finding *ret)
{
	uint64_t value = r->value[obvious_proof(op)].value;

	*ret = (struct finding){.kind = FINDING_THIN_AIR, .whole = true, .look = op->index};
	finding_add(ret, r->h, op->index);
	for (size_t i = 0; i < count; i++) {
		const struct history_op *w = &r->h->op[index[i]];

		if (w->kind == HISTORY_READ || w->value != value)
			continue;
		if (w->outcome != HISTORY_FAIL && (w->outcome != HISTORY_OK || w->met))
			continue;
		ret->kind = FINDING_FAILED;
		ret->newer = index[i];
		finding_add(ret, r->h, index[i]);
		return;
	}
}

/* The writer of @value that began first, if that was only after @op returned. */
static const struct reg_op *obvious_future(
	const struct reg *r, const struct reg_op *op, uint32_t value)
{
	const struct reg_op *writer;

	/* Operations are sorted by invocation, so the first writer is the earliest. */
	if (value == REG_NOTHING || r->value[value].writer == REG_NONE)
		return NULL;
	writer = &r->op[r->value[value].writer];
	return op->t_return_ns < writer->t_invoke_ns ? writer : NULL;
}

/* A value that was there once can be replaced once. */
static bool obvious_lost_update(const struct reg *r, struct finding *ret)
{
	uint32_t *taker = malloc(r->values * sizeof *taker);
	bool found = false;

	assert(taker);
	for (size_t i = 0; i < r->values; i++)
		taker[i] = REG_NONE;
	for (size_t i = 0; i < r->count && !found; i++) {
		const struct reg_op *op = &r->op[i];
		const struct reg_value *v;

		if (op->kind != REG_CAS || op->open)
			continue;
		v = &r->value[op->old];
		if (v->writers > (op->old == REG_NOTHING ? 0 : 1))
			continue;
		if (taker[op->old] == REG_NONE) {
			taker[op->old] = (uint32_t)i;
			continue;
		}
		*ret = (struct finding){.kind = FINDING_LOST_UPDATE,
			.whole = true,
			.look = r->op[i].index,
			.newer = r->op[taker[op->old]].index};
		if (v->writer != REG_NONE)
			finding_add(ret, r->h, r->op[v->writer].index);
		finding_add(ret, r->h, ret->newer);
		finding_add(ret, r->h, ret->look);
		found = true;
	}
	free(taker);
	return found;
}

bool obvious_find(const struct reg *r, const uint32_t *index, size_t count, struct finding *ret)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct reg_op *op = &r->op[i];
		uint32_t value = obvious_proof(op);
		const struct reg_op *writer;

		if (value == REG_NONE || value == REG_NOTHING)
			continue;
		if (r->value[value].writer == REG_NONE) {
			obvious_from_nowhere(r, op, index, count, ret);
			return true;
		}
		writer = obvious_future(r, op, value);
		if (!writer)
			continue;
		*ret = (struct finding){.kind = FINDING_FUTURE,
			.whole = true,
			.look = op->index,
			.newer = writer->index};
		finding_add(ret, r->h, op->index);
		finding_add(ret, r->h, writer->index);
		return true;
	}
	return obvious_lost_update(r, ret);
}
