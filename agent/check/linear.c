/* SPDX-License-Identifier: MIT */
/*
 * linear.c - linearizability: each operation took effect at one instant between its two ends
 *
 * Linearizability is local (Herlihy and Wing, "Linearizability", TOPLAS 1990, theorem 1), so each
 * key is judged by itself. All keys are looked over quickly before any of them is searched: a
 * violation that is cheap to find is not hidden behind a search that takes long.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/check/check.h"
#include "agent/check/finding.h"
#include "agent/check/keys.h"
#include "agent/check/models.h"
#include "agent/check/obvious.h"
#include "agent/check/search.h"
#include "agent/check/shrink.h"
#include "agent/check/zone.h"

/* Making a witness small may take this long beyond what finding it took. */
#define LINEAR_SHRINK_NS (5 * NS_PER_S)

struct linear {
	const struct history_ops *h;
	const struct check_budget *budget;
	uint64_t until_ns; /* 0: no limit */
	struct finding finding;
	const char *why; /* nothing is known */
	uint64_t why_key;
};

/* The operations of one key that could not be judged at once. */
struct open_key {
	uint64_t key;
	struct reg r;
	uint64_t *rank; /* owned; NULL: none is known */
};

/* A value that had been acknowledged was not found, and nobody else wrote anything. */
static void linear_name(struct linear *l)
{
	struct finding *f = &l->finding;
	const struct history_op *write = &l->h->op[f->op[0]];
	const struct history_op *unmet = &l->h->op[f->op[1]];

	if (f->count != 2 || unmet->kind != HISTORY_CAS || unmet->outcome != HISTORY_OK ||
		unmet->met || write->kind != HISTORY_WRITE || write->value != unmet->old)
		return;
	f->kind = FINDING_UNMET;
	f->look = f->op[1];
	f->older = f->op[0];
	f->newer = FINDING_NOBODY;
}

/* A small witness that ends with @look, for what no pattern explains. */
static void linear_shrink(struct linear *l, const struct reg *r, uint32_t look)
{
	uint64_t until = clock_now_ns() + LINEAR_SHRINK_NS;
	struct shrink s = {.h = l->h,
		.index = malloc((r->count + 1) * sizeof *s.index),
		.deepest = look,
		.until_ns = l->until_ns && l->until_ns < until ? l->until_ns : until,
		.memory_bytes = l->budget->memory_bytes};

	assert(s.index);
	for (size_t i = 0; i < r->count; i++)
		s.index[s.count++] = r->op[i].index;
	shrink_run(&s);
	l->finding = (struct finding){.kind = FINDING_ORDER, .whole = true, .look = look};
	if (s.count > CHECK_WITNESS_MAX)
		finding_add(&l->finding, l->h, look);
	for (size_t i = s.count; i-- > 0;)
		finding_add(&l->finding, l->h, s.index[i]);
	linear_name(l);
	free(s.index);
}

/* Judge what can be judged without a search; what cannot is left in @ret. */
static enum check_verdict linear_look(
	struct linear *l, const struct keys_group *group, struct open_key *ret)
{
	enum check_verdict verdict = CHECK_VIOLATION;
	struct reg *r = &ret->r;

	*ret = (struct open_key){.key = group->key};
	reg_build(r, l->h, group->index, group->count);
	if (!obvious_find(r, group->index, group->count, &l->finding)) {
		if (r->unique && r->unmet) {
			ret->rank = malloc((r->count + 1) * sizeof *ret->rank);
			assert(ret->rank);
		}
		if (!r->unique)
			return CHECK_UNKNOWN;
		if (!zone_find(r, ret->rank, &l->finding))
			verdict = r->unmet ? CHECK_UNKNOWN : CHECK_OK;
		else if (!l->finding.whole && l->finding.kind == FINDING_ORDER)
			linear_shrink(l, r, l->finding.look);
	}
	return verdict;
}

static enum check_verdict linear_search(struct linear *l, struct open_key *open)
{
	struct search s = {
		.r = &open->r,
		.rank = open->rank,
		.until_ns = l->until_ns,
		.memory_bytes = l->budget->memory_bytes,
	};
	enum check_verdict verdict = search_run(&s);

	if (verdict == CHECK_VIOLATION)
		linear_shrink(l, &open->r, open->r.op[s.ret_deepest].index);
	if (verdict == CHECK_UNKNOWN) {
		l->why = s.ret_why;
		l->why_key = open->key;
	}
	return verdict;
}

static void open_key_fini(struct open_key *open)
{
	reg_destroy(&open->r);
	free(open->rank);
}

/* A stale read may be told more clearly by another key; what is worse is told at once. */
static bool linear_is_grave(const struct finding *f)
{
	return f->kind != FINDING_NONE && f->kind != FINDING_STALE;
}

static enum check_verdict linear_keys(struct linear *l, const struct keys *keys)
{
	struct open_key *open = malloc((keys->count + 1) * sizeof *open);
	struct finding best = {.kind = FINDING_NONE};
	enum check_verdict verdict;
	size_t count = 0;

	assert(open);
	for (size_t i = 0; i < keys->count && !linear_is_grave(&best); i++) {
		verdict = linear_look(l, &keys->group[i], &open[count]);
		if (verdict == CHECK_VIOLATION && finding_clearer(&l->finding, &best, l->h))
			best = l->finding;
		if (verdict == CHECK_UNKNOWN)
			count++;
		else
			open_key_fini(&open[count]);
	}
	l->finding = best;
	verdict = best.kind == FINDING_NONE ? CHECK_OK : CHECK_VIOLATION;
	for (size_t i = 0; i < count && verdict != CHECK_VIOLATION; i++)
		verdict = linear_search(l, &open[i]);
	for (size_t i = 0; i < count; i++)
		open_key_fini(&open[i]);
	free(open);
	if (verdict == CHECK_VIOLATION)
		return verdict;
	return l->why ? CHECK_UNKNOWN : CHECK_OK;
}

/* Operations that say something: all but failures and reads without an answer. */
static void linear_count(
	const struct history_ops *h, const struct keys *keys, struct check_result *ret)
{
	for (size_t n = 0; n < keys->count; n++) {
		size_t before = ret->operations;

		for (size_t i = 0; i < keys->group[n].count; i++) {
			const struct history_op *op = &h->op[keys->group[n].index[i]];

			ret->operations +=
				op->outcome == HISTORY_OK ||
				(op->outcome == HISTORY_UNKNOWN && op->kind != HISTORY_READ);
		}
		ret->keys += ret->operations > before;
	}
}

static int linear_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	static const struct check_budget unlimited;
	uint64_t begin_ns = clock_now_ns();
	struct linear l = {.h = h, .budget = budget ? budget : &unlimited};
	struct keys keys;

	(void)err; /* without memory for a history nothing goes on, and nothing else can fail */
	*ret = (struct check_result){0};
	if (l.budget->time_ns)
		l.until_ns = begin_ns + l.budget->time_ns;
	keys_build(&keys, h);
	linear_count(h, &keys, ret);
	ret->verdict = linear_keys(&l, &keys);
	if (ret->verdict == CHECK_VIOLATION) {
		for (unsigned i = 0; i < l.finding.count; i++)
			ret->witness[i] = l.finding.op[i];
		ret->witnesses = l.finding.count;
		finding_print(&l.finding, h, names, ret->words, sizeof ret->words);
	} else if (ret->verdict == CHECK_UNKNOWN) {
		(void)snprintf(ret->words, sizeof ret->words, "k%llu could not be judged: %s",
			(unsigned long long)l.why_key, l.why);
	}
	keys_destroy(&keys);
	ret->seconds = (double)(clock_now_ns() - begin_ns) / 1e9;
	return 0;
}

static const char *const linear_implies[] = {NULL};

const struct check_ops linearizable_ops = {
	.name = "linearizable",
	.summary = "one order that all agree on and that keeps to real time",
	.type = CHECK_REGISTER,
	.implies = linear_implies,
	.check = linear_check,
};
