/* SPDX-License-Identifier: MIT */
/*
 * read_your_writes.c - a session sees its own writes (Terry and others, PDIS 1994)
 *
 * What a session saw is not older than its own last write to the key. Older is what is surely so:
 * nothing at all, what a session wrote earlier, and what a compare-and-set replaced.
 */
#include <assert.h>
#include <stdlib.h>

#include "agent/check/models.h"
#include "agent/check/weak.h"

/* Go through one chain; @own has by key the chain's last write. */
static enum check_verdict ryw_scan(struct weak *k, uint32_t chain, uint32_t *own)
{
	const struct web *w = k->w;
	uint32_t steps = weak_steps(w, chain);

	for (uint32_t i = 0; i < steps; i++) {
		uint32_t at = weak_step(w, chain, i);
		const struct web_op *op = &w->op[at];
		uint32_t last;

		if (op->key == WEB_FORK)
			continue;
		last = own[op->key];
		if (op->look == WEB_INIT && last != WEB_NONE)
			return weak_flaw(k, at, last);
		if (web_is_write(op->look) && last != WEB_NONE && last != op->look &&
			past_before(&k->past, op->look, last)) {
			weak_reach(k, op->look, w->write[last].op);
			return weak_flaw(k, at, last);
		}
		if (op->write != WEB_NONE)
			own[op->key] = op->write;
	}
	for (uint32_t i = 0; i < steps; i++) {
		const struct web_op *op = &w->op[weak_step(w, chain, i)];

		if (op->key != WEB_FORK)
			own[op->key] = WEB_NONE;
	}
	return CHECK_OK;
}

static enum check_verdict ryw_judge(struct weak *k)
{
	enum check_verdict verdict = CHECK_OK;
	uint32_t *own;

	if (!past_run(&k->past, PAST_ORDER))
		return weak_circle(k);
	own = malloc((k->w->keys + 1) * sizeof *own);
	assert(own);
	for (uint32_t i = 0; i < k->w->keys; i++)
		own[i] = WEB_NONE;
	for (uint32_t c = 0; c < k->w->chains && verdict == CHECK_OK; c++)
		verdict = weak_late(k) ? CHECK_UNKNOWN : ryw_scan(k, c, own);
	free(own);
	return verdict;
}

static int ryw_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	return weak_check(ryw_judge, h, budget, names, ret, err);
}

static const char *const ryw_implies[] = {NULL};

const struct check_ops read_your_writes_ops = {
	.name = "read-your-writes",
	.summary = "a session never misses a write of its own",
	.type = CHECK_REGISTER,
	.implies = ryw_implies,
	.check = ryw_check,
};
