/* SPDX-License-Identifier: MIT */
/* keys.c - the operations of a history, sorted apart by key */
#include "agent/check/keys.h"

#include <assert.h>
#include <stdlib.h>

#include "agent/history/pairs.h"

static int by_invocation(const void *a, const void *b, void *arg)
{
	const struct history_ops *h = arg;
	uint32_t i = *(const uint32_t *)a;
	uint32_t j = *(const uint32_t *)b;

	if (h->op[i].t_invoke_ns != h->op[j].t_invoke_ns)
		return h->op[i].t_invoke_ns < h->op[j].t_invoke_ns ? -1 : 1;
	return i < j ? -1 : i > j;
}

static bool keys_sorted(const struct history_ops *h)
{
	for (size_t i = 1; i < h->count; i++)
		if (h->op[i].t_invoke_ns < h->op[i - 1].t_invoke_ns)
			return false;
	return true;
}

/* The histories that history_read() gives are sorted; those of other callers may not be. */
uint32_t *keys_order(const struct history_ops *h)
{
	uint32_t *order = malloc((h->count + 1) * sizeof *order);

	assert(order && h->count < UINT32_MAX);
	for (size_t i = 0; i < h->count; i++)
		order[i] = (uint32_t)i;
	if (!keys_sorted(h))
		qsort_r(order, h->count, sizeof *order, by_invocation, (void *)(uintptr_t)h);
	return order;
}

void keys_build(struct keys *k, const struct history_ops *h)
{
	uint32_t *order = keys_order(h);
	struct pairs numbers = {0};
	size_t cap = 0;
	size_t *fill;
	size_t at = 0;

	*k = (struct keys){0};
	for (size_t i = 0; i < h->count; i++) {
		uint64_t key = h->op[order[i]].key;
		uint32_t n = pairs_put(&numbers, key, 0, (uint32_t)k->count);

		if (n == k->count) {
			if (k->count == cap) {
				cap = cap ? cap * 2 : 64;
				k->group = realloc(k->group, cap * sizeof *k->group);
				assert(k->group);
			}
			k->group[k->count++] = (struct keys_group){.key = key};
		}
		k->group[n].count++;
	}
	k->index = malloc((h->count + 1) * sizeof *k->index);
	fill = malloc((k->count + 1) * sizeof *fill);
	assert(k->index && fill);
	for (size_t n = 0; n < k->count; at += k->group[n++].count) {
		k->group[n].index = k->index + at;
		fill[n] = at;
	}
	for (size_t i = 0; i < h->count; i++)
		k->index[fill[pairs_get(&numbers, h->op[order[i]].key, 0)]++] = order[i];
	free(fill);
	free(order);
	pairs_fini(&numbers);
}

void keys_destroy(struct keys *k)
{
	free(k->group);
	free(k->index);
	*k = (struct keys){0};
}

void keys_count(const struct history_ops *h, size_t *ret_operations, size_t *ret_keys)
{
	struct pairs numbers = {0};

	*ret_operations = 0;
	for (size_t i = 0; i < h->count; i++) {
		const struct history_op *op = &h->op[i];

		if (op->outcome != HISTORY_OK &&
			(op->outcome != HISTORY_UNKNOWN || op->kind == HISTORY_READ))
			continue;
		pairs_put(&numbers, op->key, 0, 0);
		++*ret_operations;
	}
	*ret_keys = numbers.count;
	pairs_fini(&numbers);
}
