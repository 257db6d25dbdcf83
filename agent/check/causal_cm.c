/* SPDX-License-Identifier: MIT */
/*
 * causal_cm.c - causal memory: causal, and each session keeps to one order of the writes
 *
 * Each session has one order of its causal past that explains all that it saw (Ahamad, Neiger,
 * Burns, Kohli and Hutto, "Causal memory", Distributed Computing 1995). What a session saw puts
 * writes into order, which puts more writes before what it saw, until nothing is added (the
 * relation HB of Bouajjani and others, POPL 2017). Sessions may differ in the order of writes.
 */
#include "agent/check/models.h"
#include "agent/check/weak.h"

static enum check_verdict causal_cm_judge(struct weak *k)
{
	/* If all sessions can keep to one order, each can; that is found out at once for all. */
	enum check_verdict agree = weak_agree(k);

	if (agree != CHECK_VIOLATION)
		return agree;
	weak_forget(k);
	if (!past_run(&k->past, PAST_ALL))
		return weak_circle(k);
	for (uint32_t c = 0; c < k->w->chains; c++) {
		enum check_verdict verdict =
			weak_late(k) ? CHECK_UNKNOWN : weak_saturate(k, c, PAST_ALL);

		if (verdict != CHECK_OK)
			return verdict;
		if (k->past.edges == 0)
			continue;
		past_clear(&k->past);
		(void)past_run(&k->past, PAST_ALL);
	}
	return CHECK_OK;
}

static int causal_cm_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	return weak_check(causal_cm_judge, h, budget, names, ret, err);
}

static const char *const causal_cm_implies[] = {"causal-cc", "pram", "writes-follow-reads", NULL};

const struct check_ops causal_cm_ops = {
	.name = "causal-cm",
	.summary = "causal, and each session keeps to one order of the writes (causal memory)",
	.type = CHECK_REGISTER,
	.implies = causal_cm_implies,
	.check = causal_cm_check,
};
