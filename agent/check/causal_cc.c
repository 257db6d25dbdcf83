/* SPDX-License-Identifier: MIT */
/*
 * causal_cc.c - weak causal consistency: nothing is seen without what caused it
 *
 * Causal order is the order of each session and from a write to who saw it, transitively. Each
 * operation by itself has an order of its causal past that explains what it saw (Bouajjani and
 * others, POPL 2017: CC); two operations of a session may have different ones.
 */
#include "agent/check/models.h"
#include "agent/check/weak.h"

static enum check_verdict causal_cc_judge(struct weak *k)
{
	enum check_verdict verdict = CHECK_OK;

	if (!past_run(&k->past, PAST_ALL))
		return weak_circle(k);
	for (uint32_t c = 0; c < k->w->chains && verdict == CHECK_OK; c++)
		verdict = weak_late(k) ? CHECK_UNKNOWN : weak_scan(k, c, false);
	return verdict;
}

static int causal_cc_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	return weak_check(causal_cc_judge, h, budget, names, ret, err);
}

static const char *const causal_cc_implies[] = {"read-your-writes", NULL};

const struct check_ops causal_cc_ops = {
	.name = "causal-cc",
	.summary = "nothing is seen without what caused it (weak causal consistency)",
	.type = CHECK_REGISTER,
	.implies = causal_cc_implies,
	.check = causal_cc_check,
};
