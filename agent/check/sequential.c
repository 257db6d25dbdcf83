/* SPDX-License-Identifier: MIT */
/*
 * sequential.c - sequential consistency: one order that all agree on and that keeps to each session
 *
 * Lamport, "How to make a multiprocessor computer that correctly executes multiprocess programs",
 * 1979. To decide it is NP-complete even if every value is unique (Gibbons and Korach, "Testing
 * shared memories", SIAM J. Computing 1997), and it is not local: keys are judged together. First
 * what must be in order is put in order until nothing is added; a circle refutes it (Zennou,
 * Bouajjani, Enea and Erradi, "Gradual consistency checking", CAV 2019). Then an order is searched.
 */
#include "agent/check/models.h"
#include "agent/check/sequence.h"
#include "agent/check/weak.h"

static enum check_verdict sequential_judge(struct weak *k)
{
	enum check_verdict verdict = weak_agree(k);
	struct sequence s = {
		.w = k->w, .p = &k->past, .until_ns = k->until_ns, .memory_bytes = k->memory_bytes};

	if (verdict != CHECK_OK || k->complete)
		return verdict;
	k->complete = true;
	verdict = sequence_find(&s);
	k->why = s.ret_why;
	if (verdict != CHECK_VIOLATION)
		return verdict;
	k->flaw = (struct flaw){
		.kind = FLAW_CHOICE, .look = WEB_NONE, .seen = WEB_NONE, .missed = WEB_NONE};
	return verdict;
}

static int sequential_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	return weak_check(sequential_judge, h, budget, names, ret, err);
}

static const char *const sequential_implies[] = {"causal-cm", "causal-ccv", NULL};

const struct check_ops sequential_ops = {
	.name = "sequential",
	.summary = "one order that all agree on and that keeps to each session",
	.type = CHECK_REGISTER,
	.implies = sequential_implies,
	.check = sequential_check,
};
