/* SPDX-License-Identifier: MIT */
/*
 * sequential.c - sequential consistency: one order that all agree on and that keeps to each session
 *
 * Lamport, "How to make a multiprocessor computer that correctly executes multiprocess programs",
 * 1979. To decide it is NP-complete even if every value is unique (Gibbons and Korach, "Testing
 * shared memories", SIAM J. Computing 1997), and it is not local: keys are judged together. First
 * what must be in order is put in order until nothing is added; a circle refutes it (Zennou,
 * Bouajjani, Enea and Erradi, "Gradual consistency checking", CAV 2019). Then an order is searched:
 * first among those that keep to the time of the writes, for where one log orders them there is
 * one.
 */
#include <assert.h>
#include <stdlib.h>

#include "agent/check/models.h"
#include "agent/check/sequence.h"
#include "agent/check/weak.h"

/* Steps for each operation with the first ranks, before others are tried. */
#define SEQUENTIAL_STEPS 8
/* So many times more for orders that keep to the time of the writes. */
#define SEQUENTIAL_TIMED 8
#define NODES_MAX (UINT16_MAX + 1u)

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

/*
 * By when a leader has ordered them: about half of the way to it before the return. The way is what
 * the fastest write of a replica took longer than that of the nearest one.
 */
static void rank_by_order(const struct weak *k, uint64_t *rank)
{
	const struct history_ops *h = k->w->h;
	uint64_t *least = malloc(NODES_MAX * sizeof *least);
	uint64_t nearest = UINT64_MAX;

	assert(least);
	for (size_t i = 0; i < NODES_MAX; i++)
		least[i] = UINT64_MAX;
	for (size_t i = 0; i < h->count; i++) {
		const struct history_op *op = &h->op[i];
		uint64_t took = op->t_return_ns - op->t_invoke_ns;

		if (!web_writes(op) || op->outcome != HISTORY_OK)
			continue;
		if (took < least[op->node])
			least[op->node] = took;
		if (took < nearest)
			nearest = took;
	}
	for (size_t i = 0; i < h->count; i++) {
		const struct history_op *op = &h->op[i];
		uint64_t least_ns = least[op->node] == UINT64_MAX ? nearest : least[op->node];

		rank[i] = op->t_return_ns - (least_ns - nearest) / 2;
	}
	free(least);
}

/* That none keeps to the time of the writes is no proof that there is none. */
static enum check_verdict sequential_find(struct sequence *s)
{
	enum check_verdict verdict;

	s->steps *= SEQUENTIAL_TIMED;
	s->timed = true;
	verdict = sequence_find(s);
	if (verdict == CHECK_OK)
		return verdict;
	s->steps = 0;
	s->timed = false;
	return sequence_find(s);
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
		rank_by_order(k, rank);
		verdict = sequential_find(&s);
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
