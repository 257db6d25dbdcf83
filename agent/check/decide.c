/* SPDX-License-Identifier: MIT */
/*
 * decide.c - from what a judge says about webs to the result for a history
 *
 * 1. The web with every choice left open is judged. A flaw in it is a violation.
 * 2. If there are looks with a choice, choices are made one after the other, likely ones first,
 *    for as long as the judge finds nothing. A way to the end is CHECK_OK, no way at all a
 *    violation. If that takes too long, nothing is known.
 * 3. Of a violation the operations that prove it are made as few as possible. A part is a violation
 *    only if all is, because each look in it keeps every write that it may have seen.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/check/keys.h"
#include "agent/check/models.h"
#include "agent/check/shrink.h"
#include "agent/check/told.h"
#include "agent/check/weak.h"
#include "agent/history/pairs.h"

/* Operations of all webs that may be judged while choices are made. */
#define DECIDE_WORK_MAX (32u << 20)
/* Making a witness small may take this long beyond what finding it took. */
#define DECIDE_SHRINK_NS (5 * NS_PER_S)

struct decide {
	weak_judge *judge;
	uint64_t memory_bytes; /* 0: no limit */
	uint64_t until_ns;     /* 0: no limit */
	uint64_t work;         /* operations judged */
	const char *why;
	struct told told; /* of a violation; by history index */
	uint32_t *proof;  /* owned; of a violation: history indexes */
	size_t proofs;
	bool complete; /* the judge has made every choice */
	bool partial;  /* the proof does not have all that its looks may have seen */
};

static void *room(size_t count, size_t size)
{
	void *p = malloc((count + 1) * size);

	assert(p);
	return p;
}

static void decide_add(struct decide *d, bool *in, uint32_t at)
{
	if (!web_is_write(at) || in[at])
		return;
	in[at] = true;
	d->proof[d->proofs++] = at;
}

/*
 * What the judge found, by history index; with all that the looks in it saw or may have seen, and
 * the looks that show that its operations of unknown outcome took effect.
 */
static void decide_take(struct decide *d, const struct weak *k)
{
	const struct web *w = k->w;
	const struct history_ops *h = w->h;
	bool *in = calloc(h->count + 1, sizeof *in);
	uint64_t work = 0;

	assert(in);
	free(d->proof);
	d->proof = room(h->count, sizeof *d->proof);
	d->proofs = 0;
	for (uint32_t i = 0; i < w->ops; i++)
		if (k->proof[i])
			decide_add(d, in, w->op[i].index);
	for (size_t i = 0; i < d->proofs && work < DECIDE_WORK_MAX; i++) {
		uint32_t at = d->proof[i];

		decide_add(d, in, w->look_at[at]);
		decide_add(d, in, w->seen_by[at]);
		for (size_t n = 0; w->look_at[at] == WEB_UNSURE && n < h->count; n++, work++)
			if (web_may_see(&h->op[at], &h->op[n]))
				decide_add(d, in, (uint32_t)n);
	}
	d->partial = work >= DECIDE_WORK_MAX;
	free(in);
}

/* All of it is the proof. */
static void decide_all(struct decide *d, const struct history_ops *h)
{
	free(d->proof);
	d->proof = room(h->count, sizeof *d->proof);
	for (d->proofs = 0; d->proofs < h->count; d->proofs++)
		d->proof[d->proofs] = (uint32_t)d->proofs;
}

static enum check_verdict decide_web(struct decide *d, struct weak *k)
{
	const struct web *w = k->w;
	enum check_verdict verdict;

	if (d->memory_bytes && past_bytes(w) > d->memory_bytes) {
		d->why = "it takes more memory than was given";
		return CHECK_UNKNOWN;
	}
	k->proof = calloc(w->ops + 1, sizeof *k->proof);
	assert(k->proof);
	past_init(&k->past, w);
	verdict = d->judge(k);
	d->complete = k->complete;
	if (verdict == CHECK_UNKNOWN)
		d->why = k->why;
	if (verdict == CHECK_VIOLATION) {
		d->told = (struct told){
			.kind = k->flaw.kind, .look = TOLD_NOBODY, .missed = TOLD_NOBODY};
		if (k->flaw.look != WEB_NONE)
			d->told.look = w->op[k->flaw.look].index;
		if (k->flaw.missed != WEB_NONE)
			d->told.missed = w->op[w->write[k->flaw.missed].op].index;
		if (k->flaw.kind == FLAW_CHOICE)
			decide_all(d, w->h);
		else
			decide_take(d, k);
	}
	past_fini(&k->past);
	free(k->proof);
	return verdict;
}

/* Judge with some choices made. */
static enum check_verdict decide_guess(
	struct decide *d, const struct history_ops *h, const uint32_t *guess, struct web *w)
{
	struct weak k = {.w = w, .until_ns = d->until_ns, .memory_bytes = d->memory_bytes};

	web_build(w, h, guess);
	d->work += h->count + 1;
	if (w->nowhere == WEB_NONE)
		return decide_web(d, &k);
	d->told = (struct told){.kind = FLAW_NOWHERE, .look = w->nowhere, .missed = TOLD_NOBODY};
	free(d->proof);
	d->proof = room(h->count, sizeof *d->proof);
	d->proofs = 0;
	for (uint32_t at = w->nowhere; at != WEB_NONE; at = w->seen_by[at])
		d->proof[d->proofs++] = at;
	return CHECK_VIOLATION;
}

/* The looks with a choice, and what was chosen. */
struct choices {
	struct decide *d;
	const struct history_ops *h;
	const uint32_t *unsure;
	uint32_t unsures;
	uint32_t *guess;
};

/* Whether a look could rather have seen @a than @b: the write that began last before it ended. */
static bool choice_likelier(const struct history_ops *h, uint32_t look, uint32_t a, uint32_t b)
{
	uint64_t end_ns = h->op[look].t_return_ns;
	bool a_began = h->op[a].t_invoke_ns <= end_ns;
	bool b_began = h->op[b].t_invoke_ns <= end_ns;

	if (a_began != b_began)
		return a_began;
	return a_began ? h->op[a].t_invoke_ns > h->op[b].t_invoke_ns
		       : h->op[a].t_invoke_ns < h->op[b].t_invoke_ns;
}

/* Return: how many there are, in @ret, which has room for all operations and one. */
static size_t choice_list(const struct history_ops *h, uint32_t look, uint32_t *ret)
{
	size_t count = 0;

	for (size_t i = 0; i < h->count; i++) {
		size_t at = count;

		if (!web_may_see(&h->op[look], &h->op[i]))
			continue;
		for (; at > 0 && choice_likelier(h, look, (uint32_t)i, ret[at - 1]); at--)
			ret[at] = ret[at - 1];
		ret[at] = (uint32_t)i;
		count++;
	}
	if (web_unmet(&h->op[look]) && h->op[look].old != 0)
		ret[count++] = WEB_INIT;
	return count;
}

/* Number @i and all after it. Return: CHECK_VIOLATION if no choice will do. */
static enum check_verdict choices_try(struct choices *c, uint32_t i)
{
	enum check_verdict verdict;
	uint32_t *list;
	size_t count;
	struct web w;

	verdict = decide_guess(c->d, c->h, c->guess, &w);
	web_destroy(&w);
	if (verdict != CHECK_OK || i == c->unsures)
		return verdict;
	if (c->d->work > DECIDE_WORK_MAX) {
		c->d->why = "too much of it can be explained in several ways";
		return CHECK_UNKNOWN;
	}
	list = room(c->h->count, sizeof *list);
	count = choice_list(c->h, c->unsure[i], list);
	verdict = CHECK_VIOLATION;
	for (size_t n = 0; n < count && verdict == CHECK_VIOLATION; n++) {
		c->guess[c->unsure[i]] = list[n];
		verdict = choices_try(c, i + 1);
	}
	c->guess[c->unsure[i]] = WEB_NONE;
	free(list);
	return verdict;
}

/* Too many choices for one after the other: what is linearizable fits all these models. */
static enum check_verdict decide_by_time(struct decide *d, const struct history_ops *h)
{
	uint64_t now = clock_now_ns();
	struct check_budget budget = {.memory_bytes = d->memory_bytes};
	struct check_result result;

	if (d->until_ns)
		budget.time_ns = d->until_ns > now ? d->until_ns - now : 1;
	if (linearizable_ops.check(h, &budget, NULL, &result, NULL) == 0 &&
		result.verdict == CHECK_OK)
		return CHECK_OK;
	d->why = "values were written more than once, or a compare-and-set was unmet, and what was "
		 "seen can be explained in too many ways";
	return CHECK_UNKNOWN;
}

static enum check_verdict decide_choices(
	struct decide *d, const struct history_ops *h, const struct web *w)
{
	struct choices c = {.d = d, .h = h, .unsure = w->unsure, .unsures = w->unsures};
	enum check_verdict verdict;

	if ((uint64_t)w->unsures * h->count > DECIDE_WORK_MAX)
		return decide_by_time(d, h);
	c.guess = room(h->count, sizeof *c.guess);
	for (size_t i = 0; i < h->count; i++)
		c.guess[i] = WEB_NONE;
	verdict = choices_try(&c, 0);
	free(c.guess);
	if (verdict != CHECK_VIOLATION)
		return verdict;
	d->told = (struct told){.kind = FLAW_CHOICE, .look = TOLD_NOBODY, .missed = TOLD_NOBODY};
	decide_all(d, h);
	return verdict;
}

static enum check_verdict decide(
	struct decide *d, const struct history_ops *h, uint32_t *ret_at_once)
{
	struct web w;
	enum check_verdict verdict = decide_guess(d, h, NULL, &w);

	if (verdict == CHECK_OK && w.unsures > 0 && !d->complete)
		verdict = decide_choices(d, h, &w);
	*ret_at_once = w.at_once;
	web_destroy(&w);
	return verdict;
}

/* Some of the operations as a history of their own. */
static struct history_ops decide_part(
	const struct history_ops *h, const uint32_t *index, size_t count)
{
	struct history_ops part = {.op = room(count, sizeof *part.op), .count = count};

	for (size_t i = 0; i < count; i++)
		part.op[i] = h->op[index[i]];
	return part;
}

struct decide_rest {
	const struct decide *d;
	const struct history_ops *h;
	uint64_t until_ns;
	struct told told; /* of the last one that was a violation */
};

static bool decide_is_violation(void *arg, const uint32_t *index, size_t count)
{
	struct decide_rest *rest = arg;
	struct history_ops part = decide_part(rest->h, index, count);
	struct decide d = {.judge = rest->d->judge,
		.memory_bytes = rest->d->memory_bytes,
		.until_ns = rest->until_ns};
	uint32_t at_once;
	bool is = decide(&d, &part, &at_once) == CHECK_VIOLATION;

	if (is) {
		rest->told = d.told;
		if (d.told.look != TOLD_NOBODY)
			rest->told.look = index[d.told.look];
		if (d.told.missed != TOLD_NOBODY)
			rest->told.missed = index[d.told.missed];
	}
	free(d.proof);
	free(part.op);
	return is;
}

/* Writes that are not kept yet, by key and value, and by key; a list that was kept is taken away.
 */
struct restoring {
	const struct history_ops *h;
	const uint32_t *index;
	bool *keep;
	struct pairs numbers; /* key: number */
	struct pairs first;   /* key number, value: its first write */
	uint32_t *next;       /* owned; of the same key and value */
	uint32_t *all;        /* owned; by key number, its first write */
	uint32_t *other;      /* owned; of the same key */
	bool *one;            /* owned; by key number: those left of it have one value */
	uint32_t *stack;      /* owned; looks that are kept, not looked at yet */
	size_t stacked;
};

static void restore_keep(struct restoring *k, uint32_t at)
{
	k->keep[at] = true;
	if (web_looks(&k->h->op[k->index[at]]))
		k->stack[k->stacked++] = at;
}

static void restore_value(struct restoring *k, uint32_t key, uint64_t value)
{
	uint32_t at = pairs_get(&k->first, key, value);

	if (at == PAIRS_NONE)
		return;
	for (uint32_t i = at; i != WEB_NONE; i = k->next[i])
		if (!k->keep[i])
			restore_keep(k, i);
	k->next[at] = WEB_NONE;
}

/* All of a key, but one value; what has that stays in the list. */
static void restore_others(struct restoring *k, uint32_t key, uint64_t value)
{
	uint32_t left = WEB_NONE;
	uint32_t next = k->all[key];

	if (next != WEB_NONE && k->one[key] && k->h->op[k->index[next]].value == value)
		return;
	for (uint32_t i = next; i != WEB_NONE; i = next) {
		next = k->other[i];
		if (k->keep[i])
			continue;
		if (k->h->op[k->index[i]].value != value) {
			restore_keep(k, i);
			continue;
		}
		k->other[i] = left;
		left = i;
	}
	k->all[key] = left;
	k->one[key] = true;
}

static void restore_index(struct restoring *k, size_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct history_op *op = &k->h->op[k->index[i]];
		uint32_t known = (uint32_t)k->numbers.count;
		uint32_t key = pairs_put(&k->numbers, op->key, 0, known);
		uint32_t first;

		if (key == known) {
			k->all[key] = WEB_NONE;
			k->one[key] = false;
		}
		k->next[i] = k->other[i] = WEB_NONE;
		if (k->keep[i] && web_looks(op))
			k->stack[k->stacked++] = i;
		if (k->keep[i] || !web_writes(op))
			continue;
		first = pairs_put(&k->first, key, op->value, i);
		if (first != i) {
			k->next[i] = k->next[first];
			k->next[first] = i;
		}
		k->other[i] = k->all[key];
		k->all[key] = i;
	}
}

/* Keep every write that a look that is kept may have seen. */
static void decide_restore(
	const struct history_ops *h, const uint32_t *index, size_t count, bool *keep)
{
	struct restoring k = {.h = h, .index = index, .keep = keep};

	k.next = room(count, sizeof *k.next);
	k.all = room(count, sizeof *k.all);
	k.other = room(count, sizeof *k.other);
	k.one = room(count, sizeof *k.one);
	k.stack = room(count, sizeof *k.stack);
	restore_index(&k, count);
	while (k.stacked > 0) {
		const struct history_op *look = &h->op[index[k.stack[--k.stacked]]];
		uint32_t key = pairs_get(&k.numbers, look->key, 0);

		if (web_unmet(look))
			restore_others(&k, key, look->old);
		else
			restore_value(&k, key, web_seen(look));
	}
	pairs_fini(&k.numbers);
	pairs_fini(&k.first);
	free(k.next);
	free(k.all);
	free(k.other);
	free(k.one);
	free(k.stack);
}

static void decide_witness(struct decide *d, const struct history_ops *h,
	const struct check_names *names, struct check_result *ret)
{
	uint64_t until = clock_now_ns() + DECIDE_SHRINK_NS;
	struct decide_rest rest = {.d = d, .h = h, .until_ns = until, .told = d->told};
	struct shrink s = {.h = h,
		.index = d->proof,
		.count = d->proofs,
		.until_ns = until,
		.is_violation = decide_is_violation,
		.restore = decide_restore,
		.arg = &rest};
	struct history_ops part;
	uint32_t *order;

	/* What was found may be left out again by a part that is told better: ask for all first. */
	part = decide_part(h, d->proof, d->proofs);
	order = keys_order(&part);
	free(part.op);
	for (size_t i = 0; i < d->proofs; i++)
		order[i] = d->proof[order[i]];
	memcpy(d->proof, order, d->proofs * sizeof *order);
	free(order);
	if (!d->partial)
		shrink_run(&s);
	if (d->partial || !decide_is_violation(&rest, s.index, s.count))
		rest.told = d->told; /* there was no time left to ask */
	ret->witnesses = s.count < CHECK_WITNESS_MAX ? s.count : CHECK_WITNESS_MAX;
	for (size_t i = 0; i < ret->witnesses; i++)
		ret->witness[i] = s.index[s.count - ret->witnesses + i];
	told_print(&rest.told, h, ret, s.count, names);
}

int weak_check(weak_judge *judge, const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	static const struct check_budget unlimited;
	uint64_t begin_ns = clock_now_ns();
	struct decide d = {.judge = judge};
	uint32_t at_once;

	budget = budget ? budget : &unlimited;
	d.memory_bytes = budget->memory_bytes;
	d.until_ns = budget->time_ns ? begin_ns + budget->time_ns : 0;
	*ret = (struct check_result){0};
	keys_count(h, &ret->operations, &ret->keys);
	ret->verdict = decide(&d, h, &at_once);
	if (at_once != WEB_NONE) {
		free(d.proof);
		return err_usage(err,
			"operation %u: session %u began it before its last one had ended, so it "
			"has no order: give each thread a session of its own",
			h->op[at_once].op, h->op[at_once].session);
	}
	if (ret->verdict == CHECK_VIOLATION)
		decide_witness(&d, h, names, ret);
	if (ret->verdict == CHECK_UNKNOWN)
		(void)snprintf(ret->words, sizeof ret->words, "it could not be judged: %s", d.why);
	free(d.proof);
	ret->seconds = (double)(clock_now_ns() - begin_ns) / 1e9;
	return 0;
}
