/* SPDX-License-Identifier: MIT */
/* draw.h - large histories of a register that behaves, from a seed */
#ifndef TESTS_CHECK_DRAW_H
#define TESTS_CHECK_DRAW_H

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "agent/base/prng.h"
#include "agent/history/history.h"

/**
 * struct draw - what to draw
 * @clients:	with one operation in flight each
 * @pauses:	between two of them, as long as an operation; else there is none
 * @cas:	per cent of operations; half of the others are reads
 * @domain:	values are 1 .. @domain; 0: each is unique
 */
struct draw {
	size_t ops;
	unsigned clients;
	bool pauses;
	unsigned keys;
	unsigned cas;
	unsigned domain;
	uint64_t seed;
};

#define DRAW_SPAN_NS 1000000 /* longest time between an end of an operation and its effect */

static inline int draw_by_effect(const void *a, const void *b)
{
	const struct history_op *x = a;
	const struct history_op *y = b;

	return x->t_intended_ns < y->t_intended_ns ? -1 : x->t_intended_ns > y->t_intended_ns;
}

static inline int draw_by_invocation(const void *a, const void *b)
{
	const struct history_op *x = a;
	const struct history_op *y = b;

	return x->t_invoke_ns < y->t_invoke_ns ? -1 : x->t_invoke_ns > y->t_invoke_ns;
}

/* Times first; the instant of the effect stands in t_intended_ns for now. */
static inline void draw_times(struct history_op *op, const struct draw *d, struct prng *prng)
{
	uint64_t *free_at = calloc(d->clients, sizeof *free_at);

	assert(free_at);
	for (size_t i = 0; i < d->ops; i++) {
		unsigned client = (unsigned)(i % d->clients);
		uint64_t pause = d->pauses ? prng_below(prng, 2 * DRAW_SPAN_NS) : 0;
		uint64_t begin = free_at[client] + 1 + pause;
		uint64_t effect = begin + prng_below(prng, DRAW_SPAN_NS);

		op[i] = (struct history_op){
			.t_invoke_ns = begin,
			.t_intended_ns = effect,
			.t_return_ns = effect + prng_below(prng, DRAW_SPAN_NS),
			.key = prng_below(prng, d->keys),
			.session = client,
			.node = (uint16_t)(client % 5),
			.outcome = HISTORY_OK,
		};
		free_at[client] = op[i].t_return_ns;
	}
	free(free_at);
}

static inline void draw_effect(
	struct history_op *op, const struct draw *d, struct prng *prng, uint64_t *value, size_t i)
{
	op->kind = (uint8_t)(prng_below(prng, 100) < d->cas ? HISTORY_CAS : prng_below(prng, 2));
	if (op->kind == HISTORY_READ) {
		op->value = *value;
		return;
	}
	op->value = d->domain ? 1 + prng_below(prng, d->domain) : i + 1;
	if (op->kind == HISTORY_CAS) {
		op->old = d->domain             ? 1 + prng_below(prng, d->domain)
			  : prng_below(prng, 2) ? *value
						: prng_below(prng, i + 1);
		op->met = op->old == *value;
		op->error = op->met ? HISTORY_NO_ERROR : HISTORY_UNMET;
		if (!op->met)
			return;
	}
	*value = op->value;
}

/* Return: operations sorted by invocation, to be freed by history_ops_fini(). */
static inline struct history_ops draw_history(const struct draw *d)
{
	struct history_ops h = {.op = malloc(d->ops * sizeof *h.op), .count = d->ops};
	uint64_t *value = calloc(d->keys, sizeof *value);
	struct prng prng;

	assert(h.op && value);
	prng_init(&prng, d->seed, 0);
	draw_times(h.op, d, &prng);
	qsort(h.op, h.count, sizeof *h.op, draw_by_effect);
	for (size_t i = 0; i < h.count; i++)
		draw_effect(&h.op[i], d, &prng, &value[h.op[i].key], i);
	qsort(h.op, h.count, sizeof *h.op, draw_by_invocation);
	for (size_t i = 0; i < h.count; i++)
		h.op[i].op = (uint32_t)i + 1;
	free(value);
	return h;
}

#endif
