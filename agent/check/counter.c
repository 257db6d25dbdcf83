/* SPDX-License-Identifier: MIT */
/*
 * counter.c - counters: bounds for each read, and linearizability by search
 *
 * "counter" bounds each read by itself, as Jepsen's counter does: the least it may show is what had
 * been acknowledged before it began, without the decreases that may also have happened before it
 * returned; the most likewise. A read outside is a violation of every model with real time; reads
 * inside may still contradict each other, which "linearizable" finds.
 *
 * "linearizable" searches. At each return the operation must have had its effect; before that, any
 * pending ones may have had theirs. What is kept is the set of all ways to get there, each a mask
 * of the pending operations that had their effect: that tells the value, too, for increases
 * commute. A read whose value is there is taken at once, since it changes nothing (Lowe, "Testing
 * for linearizability", CCPE 2017). With n operations of which p are pending at a time it takes at
 * most n * 2^p steps; beyond its limits the verdict is unknown.
 */
#include "agent/check/counter.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/clock.h"
#include "agent/check/anomaly.h"
#include "agent/check/models.h"
#include "agent/check/words.h"

/* Sums of 64-bit numbers as many as a history has do not overflow this. */
typedef __int128 sum_t;

/* An instant, and how sums change there. */
struct counter_at {
	uint64_t t_ns;
	sum_t up;
	sum_t down;
};

struct counter_sums {
	struct counter_at *at; /* owned; sorted; up and down are totals up to there */
	size_t count;
};

static int64_t by_of(const struct history_op *op)
{
	return (int64_t)op->value;
}

static int by_time(const void *a, const void *b)
{
	const struct counter_at *x = a;
	const struct counter_at *y = b;

	return x->t_ns < y->t_ns ? -1 : x->t_ns > y->t_ns;
}

/* Totals of what may have begun (@returned: of what was acknowledged) up to each instant. */
static struct counter_sums sums_build(
	const struct history_ops *h, const struct keys_group *g, bool returned)
{
	struct counter_sums s = {.at = malloc((g->count + 1) * sizeof *s.at)};

	assert(s.at);
	for (size_t i = 0; i < g->count; i++) {
		const struct history_op *op = &h->op[g->index[i]];
		int64_t by = by_of(op);

		if (op->kind != HISTORY_INCREASE || op->outcome == HISTORY_FAIL ||
			(returned && op->outcome != HISTORY_OK))
			continue;
		s.at[s.count++] = (struct counter_at){
			.t_ns = returned ? op->t_return_ns : op->t_invoke_ns,
			.up = by > 0 ? by : 0,
			.down = by < 0 ? by : 0,
		};
	}
	qsort(s.at, s.count, sizeof *s.at, by_time);
	for (size_t i = 1; i < s.count; i++) {
		s.at[i].up += s.at[i - 1].up;
		s.at[i].down += s.at[i - 1].down;
	}
	return s;
}

/* Totals before @t_ns (@with: and at it). */
static struct counter_at sums_until(const struct counter_sums *s, uint64_t t_ns, bool with)
{
	size_t low = 0;
	size_t high = s->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->at[mid].t_ns < t_ns || (with && s->at[mid].t_ns == t_ns))
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 ? s->at[low - 1] : (struct counter_at){0};
}

bool counter_bounds(
	const struct history_ops *h, const struct keys_group *g, struct counter_breach *ret)
{
	struct counter_sums begun = sums_build(h, g, false);
	struct counter_sums done = sums_build(h, g, true);
	bool found = false;

	for (size_t i = 0; i < g->count && !found; i++) {
		const struct history_op *op = &h->op[g->index[i]];
		struct counter_at may = sums_until(&begun, op->t_return_ns, true);
		struct counter_at must = sums_until(&done, op->t_invoke_ns, false);

		if (op->kind != HISTORY_READ || op->outcome != HISTORY_OK)
			continue;
		*ret = (struct counter_breach){
			.look = g->index[i],
			.low = must.up + may.down,
			.high = must.down + may.up,
		};
		found = by_of(op) < ret->low || by_of(op) > ret->high;
	}
	free(begun.at);
	free(done.at);
	return found;
}

/* "12", and what 64 bits do not hold as "more than ..." */
static void say_sum(struct words *w, sum_t sum)
{
	if (sum > INT64_MAX)
		words_say(w, "more than %lld", (long long)INT64_MAX);
	else if (sum < INT64_MIN)
		words_say(w, "less than %lld", (long long)INT64_MIN);
	else
		words_say(w, "%lld", (long long)sum);
}

/* An increase and how much it moves the counter. */
struct counter_step {
	sum_t size;
	uint32_t index;
};

static int by_size(const void *a, const void *b)
{
	const struct counter_step *x = a;
	const struct counter_step *y = b;

	return x->size > y->size ? -1 : x->size < y->size;
}

/* The increases before the read that put it out of bounds: the largest, as few as do. */
static void counter_witness(const struct counter_breach *b, const struct history_ops *h,
	const struct keys_group *g, struct check_result *ret)
{
	const struct history_op *look = &h->op[b->look];
	bool few = by_of(look) < b->low;
	/* What all that is not needed as a witness may add up to. */
	sum_t missing = few ? b->low - by_of(look) : by_of(look) - b->high;
	sum_t spare = 0;
	struct counter_step *step = malloc((g->count + 1) * sizeof *step);
	size_t steps = 0;

	assert(step);
	for (size_t i = 0; i < g->count; i++) {
		const struct history_op *op = &h->op[g->index[i]];
		sum_t by = by_of(op);

		if (op->kind != HISTORY_INCREASE || op->outcome != HISTORY_OK ||
			op->t_return_ns >= look->t_invoke_ns || by == 0 || (by > 0) != few)
			continue;
		step[steps++] = (struct counter_step){by > 0 ? by : -by, g->index[i]};
		spare += step[steps - 1].size;
	}
	qsort(step, steps, sizeof *step, by_size);
	/* As long as what is left out could explain the read, take the largest of it. */
	anomaly_witness(ret, h, b->look);
	for (size_t i = 0; i < steps && spare >= missing && ret->witnesses < CHECK_WITNESS_MAX;
		i++) {
		anomaly_witness(ret, h, step[i].index);
		spare -= step[i].size;
	}
	free(step);
}

static void counter_tell(const struct counter_breach *b, const struct history_ops *h,
	const struct keys_group *g, const struct check_names *names, struct check_result *ret)
{
	const struct history_op *look = &h->op[b->look];
	bool few = by_of(look) < b->low;
	struct words w;

	counter_witness(b, h, g, ret);
	words_init(&w, h, names, ret->words, sizeof ret->words);
	words_node(&w, look);
	words_say(&w, " answered %lld for %s at %.3f s, but at %s ", (long long)by_of(look),
		words_key(h, look->key).text, words_seconds(&w, look->t_return_ns),
		few ? "least" : "most");
	say_sum(&w, few ? b->low : b->high);
	words_say(&w, few ? " had been acknowledged when it was asked"
			  : " could have been counted by then");
}

static void counter_tell_order(const struct counter_breach *b, const struct history_ops *h,
	const struct check_names *names, struct check_result *ret)
{
	const struct history_op *look = &h->op[b->look];
	struct words w;

	words_init(&w, h, names, ret->words, sizeof ret->words);
	words_node(&w, look);
	words_say(&w,
		look->kind == HISTORY_READ
			? " answered %lld for %s at %.3f s, which no order explains"
			: " added %lld to %s at %.3f s, after which no order explains what "
			  "was read",
		(long long)by_of(look), words_key(h, look->key).text,
		words_seconds(&w, look->t_return_ns));
}

static void counter_key(const struct history_ops *h, const struct keys_group *g,
	const struct counter_limits *limits, const struct check_names *names,
	struct check_result *ret)
{
	struct counter_breach breach;
	enum check_verdict verdict;

	if (counter_bounds(h, g, &breach)) {
		ret->verdict = CHECK_VIOLATION;
		counter_tell(&breach, h, g, names, ret);
		return;
	}
	if (!limits)
		return;
	verdict = counter_search(h, g, limits, &breach);
	if (verdict == CHECK_VIOLATION) {
		ret->verdict = verdict;
		counter_shrink(h, g, limits, &breach, ret);
		counter_tell_order(&breach, h, names, ret);
	} else if (verdict == CHECK_UNKNOWN) {
		ret->verdict = verdict;
		(void)snprintf(ret->words, sizeof ret->words,
			"%s could not be judged: too many operations at a time",
			words_key(h, g->key).text);
	}
}

/* Bounds only if @limits is NULL. An unknown key does not hide the violation of another. */
static void counter_check(const struct history_ops *h, const struct counter_limits *limits,
	const struct check_names *names, struct check_result *ret)
{
	uint64_t begin_ns = clock_now_ns();
	struct keys keys;

	*ret = (struct check_result){.verdict = CHECK_OK};
	keys_build(&keys, h);
	ret->keys = keys.count;
	for (size_t i = 0; i < h->count; i++)
		ret->operations +=
			h->op[i].outcome == HISTORY_OK ||
			(h->op[i].outcome == HISTORY_UNKNOWN && h->op[i].kind != HISTORY_READ);
	for (size_t k = 0; k < keys.count && ret->verdict != CHECK_VIOLATION; k++)
		counter_key(h, &keys.group[k], limits, names, ret);
	keys_destroy(&keys);
	ret->seconds = (double)(clock_now_ns() - begin_ns) / 1e9;
}

static int counter_linearizable(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	struct counter_limits limits = {.bytes = 1ull << 30};

	(void)err;
	if (budget && budget->time_ns)
		limits.until_ns = clock_now_ns() + budget->time_ns;
	if (budget && budget->memory_bytes)
		limits.bytes = budget->memory_bytes;
	counter_check(h, &limits, names, ret);
	return 0;
}

static int counter_bounded(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	(void)budget; /* a few sortings of what is in memory already */
	(void)err;
	counter_check(h, NULL, names, ret);
	return 0;
}

static const char *const linearizable_implies[] = {"counter", NULL};
const struct check_ops counter_linearizable_ops = {
	.name = "linearizable",
	.summary = "one order that all agree on and that keeps to real time",
	.type = CHECK_COUNTER,
	.implies = linearizable_implies,
	.check = counter_linearizable,
};

static const char *const bounded_implies[] = {NULL};
const struct check_ops counter_ops = {
	.name = "counter",
	.summary = "each read shows what was acknowledged, and no more than was begun",
	.type = CHECK_COUNTER,
	.implies = bounded_implies,
	.check = counter_bounded,
};
