/* SPDX-License-Identifier: MIT */
/* reg.c - the operations on one key, made ready for a checker of registers */
#include "agent/check/reg.h"

#include <assert.h>
#include <stdlib.h>

/* Whether an operation can constrain anything at all. */
static bool reg_counts(const struct history_op *op)
{
	if (op->outcome == HISTORY_OK)
		return true;
	return op->outcome == HISTORY_UNKNOWN && op->kind != HISTORY_READ;
}

static enum reg_kind reg_kind_of(const struct history_op *op)
{
	if (op->kind == HISTORY_READ)
		return REG_READ;
	if (op->kind == HISTORY_WRITE)
		return REG_WRITE;
	return op->outcome == HISTORY_OK && !op->met ? REG_UNMET : REG_CAS;
}

/* The value that an operation looks at; false if it does not care. */
static bool reg_looks_at(const struct history_op *op, uint64_t *ret_value)
{
	if (op->kind == HISTORY_WRITE)
		return false;
	*ret_value = op->kind == HISTORY_READ ? op->value : op->old;
	return true;
}

static uint32_t reg_number(struct reg *r, struct pairs *numbers, uint64_t value)
{
	uint32_t n;

	if (value == 0)
		return REG_NOTHING;
	n = pairs_put(numbers, value, 0, (uint32_t)r->values);
	if (n == r->values)
		r->value[r->values++] = (struct reg_value){.value = value, .writer = REG_NONE};
	return n;
}

static void reg_add(struct reg *r, const struct pairs *numbers, uint32_t index)
{
	const struct history_op *op = &r->h->op[index];
	struct reg_op *to = &r->op[r->count++];
	uint64_t looked;
	uint32_t n;

	*to = (struct reg_op){
		.t_invoke_ns = op->t_invoke_ns,
		.t_return_ns = op->outcome == HISTORY_OK ? op->t_return_ns : UINT64_MAX,
		.index = index,
		.value = REG_NONE,
		.old = REG_NONE,
		.kind = (uint8_t)reg_kind_of(op),
		.open = op->outcome != HISTORY_OK,
	};
	if (reg_looks_at(op, &looked)) {
		n = looked ? pairs_get(numbers, looked, 0) : REG_NOTHING;
		r->value[n].looks++;
		if (to->kind == REG_READ)
			to->value = n;
		else
			to->old = n;
	}
	if (to->kind == REG_UNMET)
		r->unmet = true;
	if (reg_pure(to))
		return;
	assert(op->value != 0); /* history.h: 0 stands for nothing and is never written */
	n = pairs_get(numbers, op->value, 0);
	to->value = n == PAIRS_NONE ? REG_OTHER : n;
}

/*
 * Drop open operations whose value nobody looks at; each that goes may free the value that it
 * expected. A compare-and-set that was unmet looks at all values, so with one nothing is dropped.
 */
static void reg_drop_unobserved(struct reg *r)
{
	size_t kept;
	bool again = true;

	if (r->unmet)
		return;
	while (again) {
		again = false;
		kept = 0;
		for (size_t i = 0; i < r->count; i++) {
			struct reg_op *op = &r->op[i];

			if (op->open && r->value[op->value].looks == 0) {
				if (op->kind == REG_CAS && --r->value[op->old].looks == 0)
					again = true;
				continue;
			}
			r->op[kept++] = *op;
		}
		r->count = kept;
	}
}

static void reg_find_writers(struct reg *r)
{
	r->unique = true;
	for (size_t i = 0; i < r->count; i++) {
		struct reg_value *v;

		if (reg_pure(&r->op[i]))
			continue;
		v = &r->value[r->op[i].value];
		if (v->writers++ == 0)
			v->writer = (uint32_t)i;
		else if (r->op[i].value != REG_OTHER)
			r->unique = false;
	}
}

void reg_build(struct reg *r, const struct history_ops *h, const uint32_t *index, size_t count)
{
	struct pairs numbers = {0};
	uint64_t looked;

	*r = (struct reg){.h = h, .values = 2};
	r->op = malloc((count + 1) * sizeof *r->op);
	r->value = malloc((count + 2) * sizeof *r->value);
	assert(r->op && r->value);
	r->value[REG_NOTHING] = (struct reg_value){.writer = REG_NONE};
	r->value[REG_OTHER] = (struct reg_value){.writer = REG_NONE};
	for (size_t i = 0; i < count; i++)
		if (reg_counts(&h->op[index[i]]) && reg_looks_at(&h->op[index[i]], &looked))
			(void)reg_number(r, &numbers, looked);
	for (size_t i = 0; i < count; i++)
		if (reg_counts(&h->op[index[i]]))
			reg_add(r, &numbers, index[i]);
	pairs_fini(&numbers);
	reg_drop_unobserved(r);
	reg_find_writers(r);
}

void reg_destroy(struct reg *r)
{
	free(r->op);
	free(r->value);
	*r = (struct reg){0};
}
