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
#include <assert.h>
#include <stdlib.h>

#include "agent/check/models.h"
#include "agent/check/sequence.h"
#include "agent/check/weak.h"

/* Steps for each operation with the first ranks, before others are tried. */
#define SEQUENTIAL_STEPS 8

/* By the number of writes that come before in every order: it does not depend on time. */
static void rank_by_past(const struct weak *k, uint64_t *rank)
{
	const struct web *w = k->w;

	for (size_t i = 0; i < w->h->count; i++)
		rank[i] = UINT64_MAX;
	for (uint32_t i = 0; i < w->writes; i++) {
		const uint32_t *clock = past_clock(&k->past, i);
		uint64_t *sum = &rank[w->op[w->write[i].op].index];

		*sum = 0;
		for (uint32_t c = 0; c < w->chains; c++)
			*sum += clock[c];
	}
}

static void rank_by_return(const struct weak *k, uint64_t *rank)
{
	for (size_t i = 0; i < k->w->h->count; i++)
		rank[i] = k->w->h->op[i].t_return_ns;
}

static enum check_verdict sequential_judge(struct weak *k)
{
	enum check_verdict verdict = weak_agree(k);
	uint64_t *rank;
	struct sequence s = {.w = k->w,
		.p = &k->past,
		.steps = (k->w->h->count + 1) * SEQUENTIAL_STEPS,
		.until_ns = k->until_ns,
		.memory_bytes = k->memory_bytes};

	if (verdict != CHECK_OK || k->complete)
		return verdict;
	k->complete = true;
	rank = malloc((k->w->h->count + 1) * sizeof *rank);
	assert(rank);
	s.rank = rank;
	rank_by_past(k, rank);
	verdict = sequence_find(&s);
	if (verdict == CHECK_UNKNOWN) {
		s.steps = 0;
		rank_by_return(k, rank);
		verdict = sequence_find(&s);
	}
	free(rank);
	k->why = s.ret_why;
	if (verdict == CHECK_VIOLATION)
		k->flaw = (struct flaw){.kind = FLAW_CHOICE,
			.look = WEB_NONE,
			.seen = WEB_NONE,
			.missed = WEB_NONE};
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
