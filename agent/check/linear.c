/* SPDX-License-Identifier: MIT */
/*
 * linear.c - linearizability: each operation took effect at one instant between its two ends
 *
 * Linearizability is local (Herlihy and Wing, "Linearizability", TOPLAS 1990, theorem 1), so each
 * key is judged by itself. All keys are looked over quickly before any of them is searched: a
 * violation that is cheap to find is not hidden behind a search that takes long.
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/check/check.h"
#include "agent/check/finding.h"
#include "agent/check/keys.h"
#include "agent/check/models.h"
#include "agent/check/obvious.h"
#include "agent/check/pool.h"
#include "agent/check/search.h"
#include "agent/check/shrink.h"
#include "agent/check/source.h"
#include "agent/check/words.h"
#include "agent/check/zone.h"

/* Making a witness small may take this long beyond what finding it took. */
#define LINEAR_SHRINK_NS (5 * NS_PER_S)

/* Of the memory allowed, all searches that go on at once have one part in so many together, */
#define LINEAR_SHARE 2
/* and making one witness small has this part however many threads there are. */
#define LINEAR_SHRINK_SHARE 4

/* The operations of one key that could not be judged at once. */
struct open_key {
	struct reg r;
	uint64_t *rank; /* owned; NULL: none is known */
};

/* What is known of a key; nothing if it is sound. */
struct linear_key {
	struct open_key *open;   /* owned; it has to be searched */
	struct finding *finding; /* owned; it is a violation */
	const char *why;         /* the search gave up */
	size_t told;             /* operations that the progress counts already */
};

/*
 * Keys are judged in any order on several threads, but what is found is what judging them one after
 * another would find: a key before the one that settles the question is always judged.
 */
struct linear {
	const struct history_ops *h;
	const struct check_budget *budget;
	const struct keys *keys;
	struct linear_key *key; /* owned; by number of the group */
	uint64_t until_ns;      /* 0: no limit */
	uint64_t memory_bytes;  /* of one search; 0: no limit */
	_Atomic size_t settled; /* number of the first key after which none matters */
};

/* A value that had been acknowledged was not found, and nobody else wrote anything. */
static void linear_name(const struct linear *l, struct finding *f)
{
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

/* A part of the memory allowed, of which 0 means that there is no limit. */
static uint64_t linear_share(uint64_t bytes, unsigned parts)
{
	return bytes > parts ? bytes / parts : bytes;
}

/* What is still a violation when operations are left out is asked with these bounds. */
struct linear_rest {
	const struct history_ops *h;
	uint64_t until_ns;
	uint64_t memory_bytes;
};

static bool linear_is_violation(void *arg, const uint32_t *index, size_t count)
{
	const struct linear_rest *rest = arg;
	struct search search = {.until_ns = rest->until_ns, .memory_bytes = rest->memory_bytes};
	enum check_verdict verdict = CHECK_OK;
	struct finding finding;
	struct reg r;

	reg_build(&r, rest->h, index, count);
	search.r = &r;
	if (!obvious_find(&r, index, count, &finding))
		verdict = search_run(&search);
	reg_destroy(&r);
	return verdict == CHECK_VIOLATION;
}

/* A small witness that ends with @look, for what no pattern explains. */
static void linear_shrink(
	const struct linear *l, const struct reg *r, uint32_t look, struct finding *ret)
{
	uint64_t until = clock_now_ns() + LINEAR_SHRINK_NS;
	struct linear_rest rest = {.h = l->h,
		.until_ns = l->until_ns && l->until_ns < until ? l->until_ns : until,
		.memory_bytes = linear_share(l->budget->memory_bytes, LINEAR_SHRINK_SHARE)};
	struct shrink s = {.h = l->h,
		.index = malloc((r->count + 1) * sizeof *s.index),
		.deepest = &l->h->op[look],
		.until_ns = rest.until_ns,
		.is_violation = linear_is_violation,
		.restore = source_restore,
		.arg = &rest};

	assert(s.index);
	for (size_t i = 0; i < r->count; i++)
		s.index[s.count++] = r->op[i].index;
	shrink_run(&s);
	*ret = (struct finding){.kind = FINDING_ORDER, .whole = true, .look = look};
	if (s.count > CHECK_WITNESS_MAX)
		finding_add(ret, l->h, look);
	for (size_t i = s.count; i-- > 0;)
		finding_add(ret, l->h, s.index[i]);
	linear_name(l, ret);
	free(s.index);
}

/* Judge what can be judged without a search; what cannot is left in @open. */
static enum check_verdict linear_look(const struct linear *l, const struct keys_group *group,
	struct open_key *open, struct finding *ret)
{
	enum check_verdict verdict = CHECK_VIOLATION;
	struct reg *r = &open->r;

	reg_build(r, l->h, group->index, group->count);
	if (!obvious_find(r, group->index, group->count, ret)) {
		if (r->unique && r->unmet) {
			open->rank = malloc((r->count + 1) * sizeof *open->rank);
			assert(open->rank);
		}
		if (!r->unique)
			return CHECK_UNKNOWN;
		if (!zone_find(r, open->rank, ret))
			verdict = r->unmet ? CHECK_UNKNOWN : CHECK_OK;
		else if (!ret->whole && ret->kind == FINDING_ORDER)
			linear_shrink(l, r, ret->look, ret);
	}
	return verdict;
}

static void open_key_fini(struct open_key *open)
{
	reg_destroy(&open->r);
	free(open->rank);
}

static void *linear_keep(const void *what, size_t size)
{
	void *kept = malloc(size);

	assert(kept);
	memcpy(kept, what, size);
	return kept;
}

static void linear_judged(const struct linear *l, size_t operations)
{
	if (l->budget->progress)
		atomic_fetch_add(&l->budget->progress->judged, operations);
}

/* No key after number @i matters any more. */
static void linear_settle(struct linear *l, size_t i)
{
	size_t was = atomic_load(&l->settled);

	while (i < was && !atomic_compare_exchange_weak(&l->settled, &was, i))
		;
}

/* A stale read may be told more clearly by another key; what is worse is told at once. */
static bool linear_is_grave(const struct finding *f)
{
	return f->kind != FINDING_NONE && f->kind != FINDING_STALE;
}

static void linear_look_at(void *ctx, size_t i)
{
	struct linear *l = ctx;
	struct finding finding = {.kind = FINDING_NONE};
	struct open_key open = {.rank = NULL};
	enum check_verdict verdict;

	if (i > atomic_load(&l->settled))
		return;
	verdict = linear_look(l, &l->keys->group[i], &open, &finding);
	if (verdict == CHECK_VIOLATION)
		l->key[i].finding = linear_keep(&finding, finding_size(&finding));
	if (verdict == CHECK_VIOLATION && linear_is_grave(&finding))
		linear_settle(l, i);
	if (verdict == CHECK_UNKNOWN) {
		l->key[i].open = linear_keep(&open, sizeof open);
		return;
	}
	linear_judged(l, l->keys->group[i].count);
	open_key_fini(&open);
}

static void linear_search_at(void *ctx, size_t i)
{
	struct linear *l = ctx;
	struct linear_key *key = &l->key[i];
	struct search s = {
		.until_ns = l->until_ns,
		.memory_bytes = l->memory_bytes,
		.progress = l->budget->progress,
		.told = key->told,
		.stop = &l->settled,
		.number = i,
	};
	enum check_verdict verdict;

	if (!key->open || i > atomic_load(&l->settled))
		return;
	s.r = &key->open->r;
	s.rank = key->open->rank;
	verdict = search_run(&s);
	key->told = s.told;
	key->why = verdict == CHECK_UNKNOWN ? s.ret_why : NULL;
	if (verdict == CHECK_VIOLATION) {
		key->finding = malloc(sizeof *key->finding);
		assert(key->finding);
		linear_shrink(l, s.r, s.r->op[s.ret_deepest].index, key->finding);
		linear_settle(l, i);
	}
	if (verdict == CHECK_OK)
		linear_judged(l, l->keys->group[i].count - key->told);
}

/*
 * Several searches share the memory allowed. One that this was too little for has all of it to
 * itself afterwards, so that how many went on at once makes no difference.
 */
static void linear_search_all(struct linear *l)
{
	unsigned jobs = l->budget->jobs ? l->budget->jobs : 1;

	if (jobs > 1)
		l->memory_bytes = linear_share(l->memory_bytes, LINEAR_SHARE * jobs);
	pool_run(jobs, l->keys->count, linear_search_at, l);
	l->memory_bytes = l->budget->memory_bytes;
	for (size_t i = 0; jobs > 1 && i < l->keys->count; i++)
		if (l->key[i].why == search_no_memory)
			linear_search_at(l, i);
}

/* What the keys say together, up to the one that settles it. */
static enum check_verdict linear_conclude(
	struct linear *l, struct finding *best, struct check_result *ret)
{
	size_t settled = atomic_load(&l->settled);
	const char *why = NULL;
	uint64_t why_key = 0;

	*best = (struct finding){.kind = FINDING_NONE};
	for (size_t i = 0; i < l->keys->count && i <= settled; i++) {
		const struct linear_key *key = &l->key[i];

		if (key->finding && finding_clearer(key->finding, best, l->h))
			memcpy(best, key->finding, finding_size(key->finding));
		if (key->why) {
			why = key->why;
			why_key = l->keys->group[i].key;
		}
	}
	if (best->kind != FINDING_NONE)
		return CHECK_VIOLATION;
	if (!why)
		return CHECK_OK;
	(void)snprintf(ret->words, sizeof ret->words, "%s could not be judged: %s",
		words_key(l->h, why_key).text, why);
	return CHECK_UNKNOWN;
}

static enum check_verdict linear_keys(
	struct linear *l, struct finding *best, struct check_result *ret)
{
	enum check_verdict verdict;

	l->key = calloc(l->keys->count + 1, sizeof *l->key);
	assert(l->key);
	pool_run(l->budget->jobs, l->keys->count, linear_look_at, l);
	verdict = linear_conclude(l, best, ret);
	if (verdict != CHECK_VIOLATION) {
		linear_search_all(l);
		verdict = linear_conclude(l, best, ret);
	}
	for (size_t i = 0; i < l->keys->count; i++) {
		if (l->key[i].open)
			open_key_fini(l->key[i].open);
		free(l->key[i].open);
		free(l->key[i].finding);
	}
	free(l->key);
	return verdict;
}

static int linear_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	static const struct check_budget unlimited;
	uint64_t begin_ns = clock_now_ns();
	struct linear l = {.h = h, .budget = budget ? budget : &unlimited, .settled = SIZE_MAX};
	struct finding finding;
	struct keys keys;

	(void)err; /* without memory for a history nothing goes on, and nothing else can fail */
	*ret = (struct check_result){0};
	if (l.budget->time_ns)
		l.until_ns = begin_ns + l.budget->time_ns;
	l.memory_bytes = l.budget->memory_bytes;
	if (l.budget->progress)
		atomic_store(&l.budget->progress->of, h->count);
	keys_build(&keys, h);
	l.keys = &keys;
	keys_count(h, &ret->operations, &ret->keys);
	ret->verdict = linear_keys(&l, &finding, ret);
	if (ret->verdict == CHECK_VIOLATION) {
		for (unsigned i = 0; i < finding.count; i++)
			ret->witness[i] = finding.op[i];
		ret->witnesses = finding.count;
		finding_print(&finding, h, names, ret->words, sizeof ret->words);
	}
	keys_destroy(&keys);
	ret->seconds = (double)(clock_now_ns() - begin_ns) / 1e9;
	return 0;
}

static const char *const linear_implies[] = {"sequential", "eventual", NULL};

const struct check_ops linearizable_ops = {
	.name = "linearizable",
	.summary = "one order that all agree on and that keeps to real time",
	.type = CHECK_REGISTER,
	.implies = linear_implies,
	.check = linear_check,
};
