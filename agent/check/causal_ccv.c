/* SPDX-License-Identifier: MIT */
/*
 * causal_ccv.c - causal convergence: causal, and all agree on one order of the writes
 *
 * There is one order of all writes that keeps to causal order, and each operation saw the last
 * write of its causal past in this order (Bouajjani and others, POPL 2017: CCv). If it saw A and
 * knew B of the same key, B is before A in that order; it exists if there is no circle.
 */
#include "agent/check/models.h"
#include "agent/check/weak.h"

static enum check_verdict causal_ccv_judge(struct weak *k)
{
	enum check_verdict verdict = CHECK_OK;

	if (!past_run(&k->past, PAST_ALL))
		return weak_circle(k);
	for (uint32_t c = 0; c < k->w->chains && verdict == CHECK_OK; c++)
		verdict = weak_late(k) ? CHECK_UNKNOWN : weak_scan(k, c, true);
	if (verdict != CHECK_OK)
		return verdict;
	return past_acyclic(&k->past, PAST_ALL) ? CHECK_OK : weak_circle(k);
}

static int causal_ccv_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	return weak_check(causal_ccv_judge, h, budget, names, ret, err);
}

static const char *const causal_ccv_implies[] = {"causal-cc", "writes-follow-reads", NULL};

const struct check_ops causal_ccv_ops = {
	.name = "causal-ccv",
	.summary = "causal, and all agree on one order of the writes (causal convergence)",
	.type = CHECK_REGISTER,
	.implies = causal_ccv_implies,
	.check = causal_ccv_check,
};
