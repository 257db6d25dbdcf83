/* SPDX-License-Identifier: MIT */
/*
 * bank.c - transfers between accounts: every read shows the same total
 *
 * Transfers move money and make none, so all reads of one bank must show the same number of
 * accounts and the same total, whatever became of the transfers: each read is a snapshot between
 * transfers. What the total must be is what most reads show. A read that shows another total saw
 * half of some transfer; one that was under way and moved just the difference is named. Whether a
 * balance may be negative is not told by a history, so that is a model of its own.
 */
#include <assert.h>
#include <stdlib.h>

#include "agent/base/clock.h"
#include "agent/check/anomaly.h"
#include "agent/check/keys.h"
#include "agent/check/models.h"
#include "agent/check/words.h"
#include "agent/history/pairs.h"

#define NONE UINT32_MAX

struct bank_finding {
	uint32_t look;     /* the read */
	uint32_t other;    /* a read with the total that most have, NONE: a balance is negative */
	uint32_t transfer; /* that may have been seen by halves, NONE: none */
	uint32_t account;  /* that is negative */
};

/* Balances are signed; a sum that overflows wraps, the same way for every order of accounts. */
static uint64_t bank_total(const struct history_ops *h, const struct history_op *read)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < read->count; i++)
		total += h->list[read->first + i];
	return total;
}

static bool is_read(const struct history_op *op)
{
	return op->kind == HISTORY_READ && op->outcome == HISTORY_OK && op->many;
}

/* Return: a read that shows what most reads show; NONE if there is no read. */
static uint32_t bank_usual(const struct history_ops *h, const struct keys_group *g)
{
	uint32_t *votes = calloc(g->count + 1, sizeof *votes);
	struct pairs totals = {0};
	uint32_t best = NONE;

	assert(votes);
	for (uint32_t i = 0; i < g->count; i++) {
		const struct history_op *op = &h->op[g->index[i]];
		uint32_t n;

		if (!is_read(op))
			continue;
		n = pairs_put(&totals, bank_total(h, op), op->count, i);
		votes[n]++;
		if (best == NONE || votes[n] > votes[best])
			best = n;
	}
	pairs_fini(&totals);
	free(votes);
	return best == NONE ? NONE : g->index[best];
}

/* A transfer that was under way during a read, and that moved @amount one way or the other. */
static uint32_t bank_half(const struct history_ops *h, const struct keys_group *g,
	const struct history_op *read, uint64_t amount)
{
	for (size_t i = 0; i < g->count; i++) {
		const struct history_op *op = &h->op[g->index[i]];

		if (op->kind == HISTORY_TRANSFER && op->outcome != HISTORY_FAIL &&
			(op->value == amount || op->value == 0 - amount) &&
			op->t_invoke_ns <= read->t_return_ns &&
			(op->outcome == HISTORY_UNKNOWN || op->t_return_ns >= read->t_invoke_ns))
			return g->index[i];
	}
	return NONE;
}

static bool bank_unequal(
	const struct history_ops *h, const struct keys_group *g, struct bank_finding *ret)
{
	uint32_t usual = bank_usual(h, g);
	uint64_t total;

	if (usual == NONE)
		return false;
	total = bank_total(h, &h->op[usual]);
	for (size_t i = 0; i < g->count; i++) {
		const struct history_op *op = &h->op[g->index[i]];

		if (!is_read(op) || (op->count == h->op[usual].count && bank_total(h, op) == total))
			continue;
		*ret = (struct bank_finding){
			g->index[i], usual, bank_half(h, g, op, bank_total(h, op) - total), 0};
		return true;
	}
	return false;
}

static bool bank_overdrawn(
	const struct history_ops *h, const struct keys_group *g, struct bank_finding *ret)
{
	for (size_t i = 0; i < g->count; i++) {
		const struct history_op *op = &h->op[g->index[i]];

		for (uint32_t a = 0; is_read(op) && a < op->count; a++) {
			if ((int64_t)h->list[op->first + a] >= 0)
				continue;
			*ret = (struct bank_finding){g->index[i], NONE, NONE, a};
			return true;
		}
	}
	return false;
}

static void bank_tell(const struct bank_finding *f, const struct history_ops *h,
	const struct check_names *names, struct check_result *ret)
{
	const struct history_op *look = &h->op[f->look];
	struct words w;

	words_init(&w, h, names, ret->words, sizeof ret->words);
	anomaly_witness(ret, h, f->look);
	words_node(&w, look);
	if (f->other == NONE) {
		words_say(&w, " answered at %.3f s that account %u of %s has %lld",
			words_seconds(&w, look->t_return_ns), f->account,
			words_key(h, look->key).text, (long long)h->list[look->first + f->account]);
		return;
	}
	anomaly_witness(ret, h, f->other);
	words_say(&w, " answered %u accounts of %s with %lld in all at %.3f s, but ", look->count,
		words_key(h, look->key).text, (long long)bank_total(h, look),
		words_seconds(&w, look->t_return_ns));
	words_node(&w, &h->op[f->other]);
	words_say(&w, " %u with %lld at %.3f s, as most reads show", h->op[f->other].count,
		(long long)bank_total(h, &h->op[f->other]),
		words_seconds(&w, h->op[f->other].t_return_ns));
	if (f->transfer == NONE)
		return;
	anomaly_witness(ret, h, f->transfer);
	words_say(&w, "; the difference is what was moved from account %llu to %u through ",
		(unsigned long long)h->op[f->transfer].old, h->op[f->transfer].to);
	words_node(&w, &h->op[f->transfer]);
	words_say(&w, " (");
	words_when(&w, &h->op[f->transfer]);
	words_say(&w, "), so half of it was seen");
}

static void bank_check(const struct history_ops *h, bool overdraft, const struct check_names *names,
	struct check_result *ret)
{
	uint64_t begin_ns = clock_now_ns();
	struct bank_finding finding;
	struct keys keys;

	*ret = (struct check_result){.verdict = CHECK_OK};
	keys_build(&keys, h);
	ret->keys = keys.count;
	for (size_t i = 0; i < h->count; i++)
		ret->operations += is_read(&h->op[i]) || (h->op[i].kind == HISTORY_TRANSFER &&
								 h->op[i].outcome != HISTORY_FAIL);
	for (size_t k = 0; k < keys.count && ret->verdict == CHECK_OK; k++) {
		if (!bank_unequal(h, &keys.group[k], &finding) &&
			(overdraft || !bank_overdrawn(h, &keys.group[k], &finding)))
			continue;
		ret->verdict = CHECK_VIOLATION;
		bank_tell(&finding, h, names, ret);
	}
	keys_destroy(&keys);
	ret->seconds = (double)(clock_now_ns() - begin_ns) / 1e9;
}

static int bank_total_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	(void)budget; /* one look at each read */
	(void)err;
	bank_check(h, true, names, ret);
	return 0;
}

static int bank_overdraft_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	(void)budget;
	(void)err;
	bank_check(h, false, names, ret);
	return 0;
}

static const char *const bank_implies[] = {NULL};
const struct check_ops bank_ops = {
	.name = "bank",
	.summary = "every read shows the same accounts and the same total",
	.type = CHECK_BANK,
	.implies = bank_implies,
	.check = bank_total_check,
};

static const char *const overdraft_implies[] = {"bank", NULL};
const struct check_ops bank_no_overdraft_ops = {
	.name = "bank-no-overdraft",
	.summary = "and no balance is ever negative",
	.type = CHECK_BANK,
	.implies = overdraft_implies,
	.check = bank_overdraft_check,
};
