/* SPDX-License-Identifier: MIT */
/*
 * lost_objects.c - acknowledged additions to sets and increases of counters that are gone
 *
 * Judged from the final reads only. An element is lost if its addition was acknowledged before a
 * final read of its set began and no final read shows it. Of a counter what is missing is counted:
 * by how much the highest final read is below the least that it may be, which is all that was
 * acknowledged and the decreases whose outcome is unknown.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/check/check.h"
#include "agent/check/keys.h"
#include "agent/check/words.h"
#include "agent/history/pairs.h"

typedef __int128 sum_t;

/* The final reads of a key. */
struct finals {
	const struct history_op *best; /* the highest, of a counter; NULL: there is none */
	uint64_t last_ns;              /* when the last of them began */
	uint64_t digest;               /* of the elements of the first, in any order */
	struct pairs shown;            /* elements that any of them has */
};

static bool is_final(const struct history_op *op)
{
	return op->kind == HISTORY_READ && op->outcome == HISTORY_OK &&
	       (op->flags & HISTORY_F_FINAL);
}

/* Two sets that differ have the same sum once in 2^64 or so. */
static uint64_t digest_of(const struct history_ops *h, const struct history_op *op)
{
	uint64_t sum = op->many ? op->count : op->value;

	for (uint32_t i = 0; op->many && i < op->count; i++) {
		uint64_t z = h->list[op->first + i] * 0x9e3779b97f4a7c15ull;

		sum += (z ^ z >> 29) * 0xbf58476d1ce4e5b9ull;
	}
	return sum;
}

static void hear_finals(const struct history_ops *h, const struct keys_group *g, struct finals *ret,
	struct check_lost *lost)
{
	bool diverged = false;

	*ret = (struct finals){0};
	for (size_t i = 0; i < g->count; i++) {
		const struct history_op *op = &h->op[g->index[i]];

		if (!is_final(op))
			continue;
		diverged |= ret->best && ret->digest != digest_of(h, op);
		ret->digest = digest_of(h, op);
		if (!ret->best || (int64_t)op->value > (int64_t)ret->best->value)
			ret->best = op;
		if (op->t_invoke_ns > ret->last_ns)
			ret->last_ns = op->t_invoke_ns;
		for (uint32_t e = 0; op->many && e < op->count; e++)
			(void)pairs_put(&ret->shown, h->list[op->first + e], 0, 0);
	}
	lost->diverged_keys += diverged;
}

static void say_element(const struct history_ops *h, const struct check_names *names,
	const struct history_op *op, struct check_lost *ret)
{
	uint64_t t0 = names ? names->t0_ns : 0;

	(void)snprintf(ret->words, sizeof ret->words,
		"%s was added to %s and acknowledged at %.3f s; at the end no replica has it",
		words_number(h, op->value).text, words_key(h, op->key).text,
		(double)(int64_t)(op->t_return_ns - t0) / 1e9);
}

static void judge_set(const struct history_ops *h, const struct check_names *names,
	const struct keys_group *g, const struct finals *f, struct check_lost *ret)
{
	bool added = false;

	for (size_t i = 0; i < g->count; i++) {
		const struct history_op *op = &h->op[g->index[i]];

		if (op->kind != HISTORY_ADD || op->outcome != HISTORY_OK)
			continue;
		added = true;
		ret->acknowledged++;
		if (!f->best || op->t_return_ns >= f->last_ns ||
			pairs_get(&f->shown, op->value, 0) != PAIRS_NONE)
			continue;
		if (ret->lost++ == 0)
			say_element(h, names, op, ret);
	}
	ret->keys_without_final_read += added && !f->best;
}

static uint64_t clipped(sum_t n)
{
	if (n < 0)
		return 0;
	return n > INT64_MAX ? (uint64_t)INT64_MAX : (uint64_t)n;
}

static void judge_counter(const struct history_ops *h, const struct keys_group *g,
	const struct finals *f, struct check_lost *ret)
{
	sum_t least = 0, up = 0;
	uint64_t missing;

	for (size_t i = 0; i < g->count; i++) {
		const struct history_op *op = &h->op[g->index[i]];
		int64_t by = (int64_t)op->value;

		if (op->kind != HISTORY_INCREASE || op->outcome == HISTORY_FAIL)
			continue;
		/* What was not acknowledged when the last of them began may be missing. */
		if (by > 0 && (op->outcome != HISTORY_OK || op->t_return_ns >= f->last_ns))
			continue;
		least += by;
		up += by > 0 ? by : 0;
	}
	ret->acknowledged += clipped(up);
	ret->keys_without_final_read += up > 0 && !f->best;
	missing = f->best ? clipped(least - (int64_t)f->best->value) : 0;
	if (missing && !ret->lost)
		(void)snprintf(ret->words, sizeof ret->words,
			"%s is at least %llu by what was acknowledged; at the end no replica "
			"answered more than %lld",
			words_key(h, g->key).text, (unsigned long long)clipped(least),
			(long long)(int64_t)f->best->value);
	ret->lost += missing;
}

void check_lost_objects(const struct history_ops *h, enum check_type type,
	const struct check_names *names, struct check_lost *ret)
{
	struct keys keys;

	assert(type == CHECK_SET || type == CHECK_COUNTER);
	*ret = (struct check_lost){0};
	keys_build(&keys, h);
	for (size_t i = 0; i < keys.count; i++) {
		const struct keys_group *g = &keys.group[i];
		struct finals f;

		hear_finals(h, g, &f, ret);
		if (type == CHECK_SET)
			judge_set(h, names, g, &f, ret);
		else
			judge_counter(h, g, &f, ret);
		pairs_fini(&f.shown);
	}
	keys_destroy(&keys);
}
