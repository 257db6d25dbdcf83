/* SPDX-License-Identifier: MIT */
/* same.h - are two histories equal, whatever their arrays are like? */
#ifndef TESTS_CHECK_SAME_H
#define TESTS_CHECK_SAME_H

#include <string.h>

#include "agent/history/history.h"

/* By spelling if both know one: which number a spelling has is not told. */
static inline bool same_value(
	const struct history_ops *a, uint64_t x, const struct history_ops *b, uint64_t y)
{
	const char *x_text = history_text(a, x);
	const char *y_text = history_text(b, y);

	return x_text && y_text ? strcmp(x_text, y_text) == 0 : x == y;
}

static inline bool same_list(const struct history_ops *a, uint32_t i, const struct history_ops *b,
	uint32_t k, uint32_t count)
{
	for (uint32_t n = 0; n < count; n++)
		if (!same_value(a, a->list[i + n], b, b->list[k + n]))
			return false;
	return true;
}

static inline bool same_steps(const struct history_ops *a, const struct history_op *x,
	const struct history_ops *b, const struct history_op *y)
{
	for (uint32_t i = 0; i < x->count; i++) {
		const struct history_micro *s = &a->micro[x->first + i];
		const struct history_micro *t = &b->micro[y->first + i];

		if (s->kind != t->kind || !same_value(a, s->key, b, t->key) ||
			!same_value(a, s->value, b, t->value))
			return false;
		if (s->kind == HISTORY_READ && x->outcome == HISTORY_OK &&
			(s->count != t->count || !same_list(a, s->first, b, t->first, s->count)))
			return false;
	}
	return true;
}

static inline bool same_op(const struct history_ops *a, const struct history_op *x,
	const struct history_ops *b, const struct history_op *y)
{
	bool value = x->kind == HISTORY_INCREASE || x->kind == HISTORY_TRANSFER
			     ? x->value == y->value
			     : same_value(a, x->value, b, y->value);

	if (x->t_invoke_ns != y->t_invoke_ns || x->t_return_ns != y->t_return_ns ||
		x->t_intended_ns != y->t_intended_ns || !same_value(a, x->key, b, y->key) ||
		!value || !same_value(a, x->old, b, y->old) || x->op != y->op ||
		x->session != y->session || x->phase != y->phase || x->node != y->node ||
		x->client != y->client || x->kind != y->kind || x->outcome != y->outcome ||
		x->error != y->error || x->flags != y->flags || x->met != y->met ||
		x->many != y->many || x->to != y->to || x->count != y->count)
		return false;
	if (x->kind == HISTORY_TRANSACTION)
		return same_steps(a, x, b, y);
	return !x->many || same_list(a, x->first, b, y->first, x->count);
}

/* Return: the index of the first operation that differs, SIZE_MAX if none does. */
static inline size_t same_history(const struct history_ops *a, const struct history_ops *b)
{
	size_t i = 0;

	while (i < a->count && i < b->count && same_op(a, &a->op[i], b, &b->op[i]))
		i++;
	return i == a->count && i == b->count ? SIZE_MAX : i;
}

#endif
