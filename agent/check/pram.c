/* SPDX-License-Identifier: MIT */
/*
 * pram.c - pipelined RAM: each session sees the writes of each other one in their order
 *
 * Each session has one order of all writes and its own looks that explains what it saw and keeps
 * to the order of every session (Lipton and Sandberg, "PRAM: a scalable shared memory", 1988).
 * What others saw does not matter to it; only that a compare-and-set follows what it replaced.
 */
#include "agent/check/models.h"
#include "agent/check/weak.h"

static enum check_verdict pram_judge(struct weak *k)
{
	/* What all sessions can keep to, with what they caused, each can; see causal_cm.c. */
	enum check_verdict agree = weak_agree(k);

	if (agree != CHECK_VIOLATION)
		return agree;
	weak_forget(k);
	for (uint32_t c = 0; c < k->w->chains; c++) {
		enum check_verdict verdict;

		if (weak_late(k))
			return CHECK_UNKNOWN;
		past_clear(&k->past);
		if (!past_run(&k->past, c))
			return weak_circle(k);
		verdict = weak_saturate(k, c, c);
		if (verdict != CHECK_OK)
			return verdict;
	}
	return CHECK_OK;
}

static int pram_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	return weak_check(pram_judge, h, budget, names, ret, err);
}

static const char *const pram_implies[] = {"monotonic-writes", "read-your-writes", NULL};

const struct check_ops pram_ops = {
	.name = "pram",
	.summary = "each session sees the writes of each other session in order (FIFO)",
	.type = CHECK_REGISTER,
	.implies = pram_implies,
	.check = pram_check,
};
