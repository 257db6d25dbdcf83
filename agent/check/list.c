/* SPDX-License-Identifier: MIT */
/*
 * list.c - lists with single appends and reads: linearizable, sequential, PRAM
 *
 * A read shows the order of all appends before it, so each operation has a known place: the append
 * of element number p stands between the reads of p and of p + 1 elements, and an acknowledged
 * append that nobody saw after all reads. Linearizability, which is local to each key, is these
 * places held against real time. Sequential consistency is an order of the operations on all keys
 * that keeps the places and the order of each session: there is one if the graph of both has no
 * cycle. PRAM asks the same for the appends of all and the reads of one session, for each session
 * by itself (Lipton and Sandberg, "PRAM: A Scalable Shared Memory", 1988). All three are exact.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/clock.h"
#include "agent/check/anomaly.h"
#include "agent/check/models.h"
#include "agent/check/ranks.h"
#include "agent/check/serial.h"
#include "agent/check/words.h"
#include "agent/history/pairs.h"

/* Places in the order; what nobody saw is behind all reads. */
static uint64_t list_place(const struct lists *l, const struct lists_step *step)
{
	const struct lists_key *key = &l->key[step->key];

	if (step->item == LISTS_NONE)
		return 2 * (uint64_t)step->count;
	if (l->item[step->item].place == LISTS_NONE)
		return 2 * (uint64_t)key->count + 1;
	return 2 * (uint64_t)l->item[step->item].place + 1;
}

/* The kept operations sorted apart by key. Return: where each key's begin, to be freed. */
static size_t *list_split(const struct lists *l, struct rank_op *op)
{
	size_t *start = calloc(l->keys + 2, sizeof *start);

	assert(start);
	/* Counted two places up, so that filling leaves the beginnings in place. */
	for (size_t i = 0; i < l->steps; i++)
		if (l->txn[l->step[i].txn].kept && l->step[i].key + 2 <= l->keys)
			start[l->step[i].key + 2]++;
	for (size_t k = 2; k <= l->keys; k++)
		start[k] += start[k - 1];
	for (size_t i = 0; i < l->steps; i++) {
		const struct lists_txn *txn = &l->txn[l->step[i].txn];
		uint64_t place = list_place(l, &l->step[i]);

		if (!txn->kept)
			continue;
		op[start[l->step[i].key + 1]++] = (struct rank_op){
			.t_invoke_ns = txn->t_invoke_ns,
			.t_return_ns = txn->t_return_ns,
			.low = place,
			.high = place,
			.id = (uint32_t)i,
		};
	}
	return start;
}

/* "n1 had acknowledged the append of 7", "n1 had answered [6 7]" */
static void say_had(struct words *w, const struct lists *l, const struct lists_step *step)
{
	words_node(w, &l->h->op[l->txn[step->txn].index]);
	if (step->item == LISTS_NONE) {
		words_say(w, " had answered ");
		words_elements(w, step->value, step->count);
	} else {
		words_say(w, " had acknowledged the append of %s",
			words_number(l->h, l->item[step->item].value).text);
	}
}

/* @before returned, then @after began, and its place is lower. */
static void list_tell(const struct lists *l, const struct rank_op *before,
	const struct rank_op *after, const struct check_names *names, struct check_result *ret)
{
	const struct lists_step *first = &l->step[before->id];
	const struct lists_step *second = &l->step[after->id];
	const struct lists_step *longest = &l->step[l->key[first->key].longest];
	const struct history_op *op = &l->h->op[l->txn[second->txn].index];
	const struct words_name key = words_key(l->h, l->key[first->key].key);
	struct words w;

	words_init(&w, l->h, names, ret->words, sizeof ret->words);
	anomaly_witness(ret, l->h, l->txn[first->txn].index);
	anomaly_witness(ret, l->h, l->txn[second->txn].index);
	words_node(&w, op);
	if (second->item == LISTS_NONE) {
		words_say(&w, " answered ");
		words_elements(&w, second->value, second->count);
		words_say(&w, " for %s at %.3f s, ", key.text, words_seconds(&w, op->t_return_ns));
	} else {
		words_say(&w, " was asked to append %s to %s at %.3f s, ",
			words_number(l->h, l->item[second->item].value).text, key.text,
			words_seconds(&w, op->t_invoke_ns));
	}
	words_span(&w, after->t_invoke_ns - before->t_return_ns);
	words_say(&w, " after ");
	say_had(&w, l, first);
	if (first->item == LISTS_NONE || second->item == LISTS_NONE)
		return;
	anomaly_witness(ret, l->h, l->txn[longest->txn].index);
	words_say(&w, ", and yet ");
	words_node(&w, &l->h->op[l->txn[longest->txn].index]);
	words_say(&w, " answered ");
	words_elements(&w, longest->value, longest->count);
}

static void list_linear(
	const struct lists *l, const struct check_names *names, struct check_result *ret)
{
	struct rank_op *op = malloc((l->steps + 1) * sizeof *op);
	const struct rank_op *before;
	const struct rank_op *after;
	size_t *start;

	assert(op);
	start = list_split(l, op);
	for (size_t k = 0; k < l->keys && ret->verdict == CHECK_OK; k++) {
		if (l->key[k].longest == LISTS_NONE ||
			!ranks_find(op + start[k], start[k + 1] - start[k], &before, &after))
			continue;
		ret->verdict = CHECK_VIOLATION;
		list_tell(l, before, after, names, ret);
	}
	free(start);
	free(op);
}

static int list_linearizable(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	uint64_t begin_ns = clock_now_ns();
	struct lists l;
	int r = lists_build(&l, h, err);

	(void)budget; /* one sorting of what is in memory already */
	*ret = (struct check_result){.verdict = CHECK_OK};
	if (r)
		return r;
	serial_count(&l, ret);
	if (!serial_flaw(&l, SERIAL_ALL_FLAWS, names, ret))
		list_linear(&l, names, ret);
	lists_destroy(&l);
	ret->seconds = (double)(clock_now_ns() - begin_ns) / 1e9;
	return 0;
}

static const struct serial_model session_order = {
	.flaws = SERIAL_ALL_FLAWS,
	.kinds = GRAPH_DEPENDENCIES | GRAPH_BIT(GRAPH_SESSION),
};

static int list_sequential(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	return serial_check(&session_order, h, budget, names, ret, err);
}

/* What one session can tell: its own reads, and the appends of all. */
struct part {
	struct history_ops h;
	uint32_t *index; /* owned; in the whole history */
};

static void part_take(struct part *p, const struct history_ops *h, uint32_t session)
{
	p->h.count = 0;
	for (size_t i = 0; i < h->count; i++) {
		if (h->op[i].kind == HISTORY_READ && h->op[i].session != session)
			continue;
		p->index[p->h.count] = (uint32_t)i;
		p->h.op[p->h.count++] = h->op[i];
	}
}

static int pram_session(struct part *p, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	struct check_result result;
	int r = serial_check(&session_order, &p->h, budget, names, &result, err);

	if (r)
		return r;
	ret->verdict = result.verdict;
	ret->witnesses = result.witnesses;
	for (size_t i = 0; i < result.witnesses; i++)
		ret->witness[i] = p->index[result.witness[i]];
	(void)snprintf(ret->words, sizeof ret->words, "%s", result.words);
	return 0;
}

static int pram_sessions(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	struct part p = {.h = *h, .index = malloc((h->count + 1) * sizeof *p.index)};
	uint64_t begin_ns = clock_now_ns();
	struct pairs seen = {0};
	int r = 0;

	p.h.op = malloc((h->count + 1) * sizeof *p.h.op);
	assert(p.index && p.h.op);
	for (size_t i = 0; i < h->count && !r && ret->verdict == CHECK_OK; i++) {
		if (h->op[i].kind != HISTORY_READ || h->op[i].outcome != HISTORY_OK ||
			pairs_put(&seen, h->op[i].session, 0, (uint32_t)i) != i)
			continue;
		if (budget && budget->time_ns && clock_now_ns() - begin_ns > budget->time_ns) {
			ret->verdict = CHECK_UNKNOWN;
			(void)snprintf(ret->words, sizeof ret->words,
				"%zu sessions were judged in the time that it may take",
				seen.count - 1);
			break;
		}
		part_take(&p, h, h->op[i].session);
		r = pram_session(&p, budget, names, ret, err);
	}
	pairs_fini(&seen);
	free(p.index);
	free(p.h.op);
	return r;
}

/* What is sequential is PRAM; only if it is not, sessions are looked at one by one. */
static int list_pram(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	uint64_t begin_ns = clock_now_ns();
	int r = list_sequential(h, budget, names, ret, err);

	if (r || ret->verdict == CHECK_OK)
		return r;
	ret->verdict = CHECK_OK;
	ret->witnesses = 0;
	ret->words[0] = '\0';
	r = pram_sessions(h, budget, names, ret, err);
	ret->seconds = (double)(clock_now_ns() - begin_ns) / 1e9;
	return r;
}

static const char *const linearizable_implies[] = {"sequential", NULL};
const struct check_ops list_linearizable_ops = {
	.name = "linearizable",
	.summary = "one order that all agree on and that keeps to real time",
	.type = CHECK_LIST,
	.implies = linearizable_implies,
	.check = list_linearizable,
};

static const char *const sequential_implies[] = {"pram", "writes-follow-reads", NULL};
const struct check_ops list_sequential_ops = {
	.name = "sequential",
	.summary = "one order that all agree on and that keeps to the order of each session",
	.type = CHECK_LIST,
	.implies = sequential_implies,
	.check = list_sequential,
};

static const char *const pram_implies[] = {
	"read-your-writes", "monotonic-reads", "monotonic-writes", NULL};
const struct check_ops list_pram_ops = {
	.name = "pram",
	.summary = "each session sees the appends of every other one in their order",
	.type = CHECK_LIST,
	.implies = pram_implies,
	.check = list_pram,
};
