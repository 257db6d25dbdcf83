/* SPDX-License-Identifier: MIT */
/*
 * no_overselling.c - no more of an item is sold than was ever put in stock
 *
 * The stock of an item is a counter: what is added to it is put in stock, what is taken away is
 * sold. At no time have more sales been acknowledged than was put there by operations that had
 * begun, those of unknown outcome included. So no order of the operations is looked for, and what
 * reads show does not matter: a customer who was told that he has bought something has bought it.
 */
#include <assert.h>
#include <stdlib.h>

#include "agent/base/clock.h"
#include "agent/check/keys.h"
#include "agent/check/models.h"
#include "agent/check/words.h"

struct sale {
	uint64_t t_ns;
	uint32_t index;
};

struct oversold {
	uint64_t supply; /* of the item at which it was seen first */
	uint64_t sold;
	uint32_t sale; /* the first that was one too many */
	uint64_t all;  /* oversold, of all items */
	uint64_t items;
	struct sale *log; /* owned: sales of that item in the order of their returns */
	size_t sales;
};

static int by_time(const void *a, const void *b)
{
	const struct sale *x = a;
	const struct sale *y = b;

	return x->t_ns < y->t_ns ? -1 : x->t_ns > y->t_ns;
}

static bool is_supply(const struct history_op *op)
{
	return op->kind == HISTORY_INCREASE && op->outcome != HISTORY_FAIL &&
	       (int64_t)op->value > 0;
}

static bool is_sale(const struct history_op *op)
{
	return op->kind == HISTORY_INCREASE && op->outcome == HISTORY_OK && (int64_t)op->value < 0;
}

static uint64_t amount_of(const struct history_op *op)
{
	return (int64_t)op->value < 0 ? (uint64_t)0 - op->value : op->value;
}

/* All sums saturate: what is more than that is more than any stock. */
static void sum_add(uint64_t *sum, uint64_t n)
{
	if (__builtin_add_overflow(*sum, n, sum))
		*sum = UINT64_MAX;
}

/* Supplies stand in order of invocation in @g, sales in @log by return. */
static void item_check(const struct history_ops *h, const struct keys_group *g, struct sale *log,
	size_t sales, struct oversold *ret)
{
	uint64_t supply = 0;
	uint64_t sold = 0;
	uint32_t first = UINT32_MAX;
	size_t at = 0;

	for (size_t i = 0; i < sales; i++) {
		for (; at < g->count && h->op[g->index[at]].t_invoke_ns <= log[i].t_ns; at++) {
			if (is_supply(&h->op[g->index[at]]))
				sum_add(&supply, amount_of(&h->op[g->index[at]]));
		}
		sum_add(&sold, amount_of(&h->op[log[i].index]));
		if (sold > supply && first == UINT32_MAX)
			first = (uint32_t)i;
	}
	for (; at < g->count; at++) {
		if (is_supply(&h->op[g->index[at]]))
			sum_add(&supply, amount_of(&h->op[g->index[at]]));
	}
	if (first == UINT32_MAX)
		return;
	ret->items++;
	if (sold > supply)
		sum_add(&ret->all, sold - supply);
	if (ret->log)
		return;
	ret->log = malloc((first + 1) * sizeof *ret->log);
	assert(ret->log);
	ret->sales = first + 1;
	for (size_t i = 0; i < ret->sales; i++)
		ret->log[i] = log[i];
	ret->supply = supply;
	ret->sold = sold;
	ret->sale = log[first].index;
}

static void item_look(const struct history_ops *h, const struct keys_group *g, struct oversold *ret)
{
	struct sale *log = malloc((g->count + 1) * sizeof *log);
	size_t sales = 0;

	assert(log);
	for (size_t i = 0; i < g->count; i++) {
		const struct history_op *op = &h->op[g->index[i]];

		if (is_sale(op))
			log[sales++] = (struct sale){op->t_return_ns, g->index[i]};
	}
	qsort(log, sales, sizeof *log, by_time);
	item_check(h, g, log, sales, ret);
	free(log);
}

static int by_invocation(const void *a, const void *b, void *arg)
{
	const struct history_ops *h = arg;
	uint64_t x = h->op[*(const size_t *)a].t_invoke_ns;
	uint64_t y = h->op[*(const size_t *)b].t_invoke_ns;

	return x < y ? -1 : x > y;
}

/* All that was put there, and all sales up to the one too many. */
static void oversold_witness(
	const struct oversold *o, const struct history_ops *h, struct check_result *ret)
{
	for (size_t i = 0; i < h->count && ret->witnesses < CHECK_WITNESS_MAX; i++) {
		if (is_supply(&h->op[i]) && h->op[i].key == h->op[o->sale].key)
			ret->witness[ret->witnesses++] = i;
	}
	for (size_t i = 0; i < o->sales && ret->witnesses < CHECK_WITNESS_MAX; i++)
		ret->witness[ret->witnesses++] = o->log[i].index;
	qsort_r(ret->witness, ret->witnesses, sizeof *ret->witness, by_invocation, (void *)h);
}

static void oversold_tell(const struct oversold *o, const struct history_ops *h,
	const struct check_names *names, struct check_result *ret)
{
	const struct history_op *sale = &h->op[o->sale];
	struct words w;

	ret->verdict = CHECK_VIOLATION;
	oversold_witness(o, h, ret);
	words_init(&w, h, names, ret->words, sizeof ret->words);
	words_say(&w, "of %s there were %llu, and %llu were sold: ", words_key(h, sale->key).text,
		(unsigned long long)o->supply, (unsigned long long)o->sold);
	words_node(&w, sale);
	words_say(&w, " sold the first too many at %.3f s; %llu oversold of %llu item%s",
		words_seconds(&w, sale->t_return_ns), (unsigned long long)o->all,
		(unsigned long long)o->items, o->items == 1 ? "" : "s");
}

static int no_overselling_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	uint64_t begin_ns = clock_now_ns();
	struct oversold oversold = {.all = 0};
	struct keys keys;

	(void)budget;
	(void)err;
	*ret = (struct check_result){.verdict = CHECK_OK};
	keys_count(h, &ret->operations, &ret->keys);
	keys_build(&keys, h);
	for (size_t k = 0; k < keys.count; k++)
		item_look(h, &keys.group[k], &oversold);
	keys_destroy(&keys);
	if (oversold.items > 0)
		oversold_tell(&oversold, h, names, ret);
	free(oversold.log);
	ret->seconds = (double)(clock_now_ns() - begin_ns) / 1e9;
	return 0;
}

static const char *const no_overselling_implies[] = {NULL};

const struct check_ops no_overselling_ops = {
	.name = "no-overselling",
	.summary = "of stock: no more is taken away than was put there",
	.type = CHECK_COUNTER,
	.asked = true,
	.implies = no_overselling_implies,
	.check = no_overselling_check,
};
