/* SPDX-License-Identifier: MIT */
/* large.h - large histories of lists, sets, counters, banks and transactions that behave */
#ifndef TESTS_CHECK_LARGE_H
#define TESTS_CHECK_LARGE_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/prng.h"
#include "agent/history/history.h"

#define LARGE_CLIENTS 10
#define LARGE_SPAN_NS 1000000 /* longest time between an end of an operation and its effect */
#define LARGE_KEYS 20         /* in use at a time */
#define LARGE_LENGTH 32       /* of a list, before another key takes its place */
#define LARGE_STEPS 4
#define LARGE_BALANCE 100

/* A history as a store gives it that does all at one instant. */
struct large {
	struct history_ops h;
	struct prng prng;
	uint64_t key[LARGE_KEYS];
	uint64_t element[LARGE_KEYS][LARGE_LENGTH];
	uint32_t count[LARGE_KEYS];
	uint64_t keys;
	uint64_t value;
	size_t list_room;
};

static inline int large_by_effect(const void *a, const void *b)
{
	const struct history_op *x = a;
	const struct history_op *y = b;

	return x->t_intended_ns < y->t_intended_ns ? -1 : x->t_intended_ns > y->t_intended_ns;
}

static inline int large_by_invocation(const void *a, const void *b)
{
	const struct history_op *x = a;
	const struct history_op *y = b;

	return x->t_invoke_ns < y->t_invoke_ns ? -1 : x->t_invoke_ns > y->t_invoke_ns;
}

/* Times first; the instant of the effect stands in t_intended_ns. */
static inline void large_times(struct large *l)
{
	uint64_t free_at[LARGE_CLIENTS] = {0};

	for (size_t i = 0; i < l->h.count; i++) {
		unsigned client = (unsigned)(i % LARGE_CLIENTS);
		uint64_t begin = free_at[client] + 1;
		uint64_t effect = begin + prng_below(&l->prng, LARGE_SPAN_NS);

		l->h.op[i] = (struct history_op){
			.t_invoke_ns = begin,
			.t_intended_ns = effect,
			.t_return_ns = effect + prng_below(&l->prng, LARGE_SPAN_NS),
			.session = client,
			.node = (uint16_t)(client % 5),
			.outcome = HISTORY_OK,
		};
		free_at[client] = l->h.op[i].t_return_ns;
	}
	qsort(l->h.op, l->h.count, sizeof *l->h.op, large_by_effect);
}

static inline unsigned large_key(struct large *l)
{
	unsigned k = (unsigned)prng_below(&l->prng, LARGE_KEYS);

	if (l->count[k] == LARGE_LENGTH) {
		l->count[k] = 0;
		l->key[k] = ++l->keys;
	}
	return k;
}

/* Where the next @count elements will stand. */
static inline uint32_t large_room(struct large *l, size_t count)
{
	if (l->h.lists + count > l->list_room) {
		l->list_room = 2 * l->list_room + count;
		l->h.list = realloc(l->h.list, l->list_room * sizeof *l->h.list);
		assert(l->h.list);
	}
	return (uint32_t)l->h.lists;
}

static inline uint32_t large_read(struct large *l, unsigned k)
{
	uint32_t first = large_room(l, LARGE_LENGTH);

	memcpy(l->h.list + first, l->element[k], l->count[k] * sizeof *l->h.list);
	l->h.lists += l->count[k];
	return first;
}

static inline void large_txn(struct large *l, struct history_op *op)
{
	op->kind = HISTORY_TRANSACTION;
	op->first = (uint32_t)l->h.micros;
	op->count = 1 + (uint32_t)prng_below(&l->prng, LARGE_STEPS);
	for (uint32_t s = 0; s < op->count; s++) {
		struct history_micro *m = &l->h.micro[l->h.micros++];
		unsigned k = large_key(l);

		*m = (struct history_micro){.key = l->key[k], .kind = HISTORY_READ};
		if (prng_below(&l->prng, 2)) {
			m->first = large_read(l, k);
			m->count = l->count[k];
			continue;
		}
		m->kind = HISTORY_APPEND;
		m->value = ++l->value;
		l->element[k][l->count[k]++] = m->value;
	}
}

static inline void large_one(struct large *l, struct history_op *op, enum history_kind add)
{
	unsigned k = large_key(l);

	op->key = l->key[k];
	op->kind = (uint8_t)(prng_below(&l->prng, 2) ? HISTORY_READ : add);
	if (op->kind == HISTORY_READ) {
		op->many = true;
		op->first = large_read(l, k);
		op->count = l->count[k];
		return;
	}
	op->value = ++l->value;
	l->element[k][l->count[k]++] = op->value;
}

static inline void large_count(struct large *l, struct history_op *op)
{
	op->key = prng_below(&l->prng, LARGE_KEYS);
	op->kind = (uint8_t)(prng_below(&l->prng, 2) ? HISTORY_READ : HISTORY_INCREASE);
	op->value = op->kind == HISTORY_READ ? l->element[op->key][0] : prng_below(&l->prng, 9) - 3;
	if (op->kind == HISTORY_INCREASE)
		l->element[op->key][0] += op->value;
}

/* A bank of LARGE_KEYS accounts; no balance is ever negative. */
static inline void large_transfer(struct large *l, struct history_op *op)
{
	unsigned from = (unsigned)prng_below(&l->prng, LARGE_KEYS);
	unsigned to = (from + 1) % LARGE_KEYS;

	op->kind = HISTORY_TRANSFER;
	op->value = 1 + prng_below(&l->prng, 9);
	if (prng_below(&l->prng, 2) || l->element[from][0] < op->value) {
		op->kind = HISTORY_READ;
		op->many = true;
		op->value = 0;
		op->count = LARGE_KEYS;
		op->first = large_room(l, LARGE_KEYS);
		for (unsigned k = 0; k < LARGE_KEYS; k++)
			l->h.list[l->h.lists++] = l->element[k][0];
		return;
	}
	op->old = from;
	op->to = (uint16_t)to;
	l->element[from][0] -= op->value;
	l->element[to][0] += op->value;
}

/* @kind is what is done besides reading. To be freed by history_ops_fini() and free(). */
static inline struct large *large_draw(enum history_kind kind, size_t ops)
{
	struct large *l = calloc(1, sizeof *l);

	assert(l);
	l->h.count = ops;
	l->h.op = malloc(ops * sizeof *l->h.op);
	l->h.micro = malloc(ops * LARGE_STEPS * sizeof *l->h.micro);
	assert(l->h.op && l->h.micro);
	for (unsigned k = 0; k < LARGE_KEYS; k++)
		l->key[k] = ++l->keys;
	for (unsigned k = 0; kind == HISTORY_TRANSFER && k < LARGE_KEYS; k++)
		l->element[k][0] = LARGE_BALANCE;
	prng_init(&l->prng, 1, 0);
	large_times(l);
	for (size_t i = 0; i < l->h.count; i++) {
		if (kind == HISTORY_TRANSACTION)
			large_txn(l, &l->h.op[i]);
		else if (kind == HISTORY_INCREASE)
			large_count(l, &l->h.op[i]);
		else if (kind == HISTORY_TRANSFER)
			large_transfer(l, &l->h.op[i]);
		else
			large_one(l, &l->h.op[i], kind);
	}
	qsort(l->h.op, l->h.count, sizeof *l->h.op, large_by_invocation);
	for (size_t i = 0; i < l->h.count; i++)
		l->h.op[i].op = (uint32_t)i + 1;
	return l;
}

static inline void large_free(struct large *l)
{
	history_ops_fini(&l->h);
	free(l);
}

#endif
