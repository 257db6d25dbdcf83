/* SPDX-License-Identifier: MIT */
/* measures.c - the measures of a history, gathered over its keys */
#include "agent/check/measures.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/check/keys.h"
#include "agent/check/staleness.h"
#include "agent/check/versions.h"
#include "agent/check/visibility.h"
#include "agent/check/words.h"
#include "agent/history/pairs.h"

/* Times of the values that were off. */
struct times {
	uint64_t *ns; /* owned */
	size_t count;
	size_t cap;
};

struct measuring {
	const struct history_ops *h;
	const struct check_names *names;
	struct measures *ret;
	struct times delta;
	struct times gamma;
	struct visibility visibility;
	uint64_t pairs;
};

static void times_add(struct times *t, uint64_t ns)
{
	if (t->count == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 256;
		t->ns = realloc(t->ns, t->cap * sizeof *t->ns);
		assert(t->ns);
	}
	t->ns[t->count++] = ns;
}

static int by_length(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The smallest time that at least @ppm of them do not exceed. */
static uint64_t times_quantile(const struct times *t, uint64_t ppm)
{
	return t->ns[(t->count * ppm + 999999) / 1000000 - 1];
}

static void times_spread(struct times *t, struct measures_spread *ret)
{
	ret->off = t->count;
	if (t->count > 0) {
		qsort(t->ns, t->count, sizeof *t->ns, by_length);
		ret->p50_ns = times_quantile(t, 500000);
		ret->p90_ns = times_quantile(t, 900000);
		ret->p99_ns = times_quantile(t, 990000);
		ret->max_ns = t->ns[t->count - 1];
	}
	free(t->ns);
}

static void measures_times(struct measuring *m, const struct versions *v)
{
	uint64_t *delta = malloc(v->count * sizeof *delta);
	uint64_t *gamma = malloc(v->count * sizeof *gamma);

	assert(delta && gamma);
	m->ret->capped |= !staleness_times(v, &m->pairs, delta, gamma);
	for (size_t i = 0; i < v->count; i++) {
		/* Nobody may have looked before the first write. */
		if (i == 0 && v->version[0].last == 0)
			continue;
		m->ret->delta.count++;
		m->ret->gamma.count++;
		if (delta[i] > 0)
			times_add(&m->delta, delta[i]);
		if (gamma[i] > 0)
			times_add(&m->gamma, gamma[i]);
	}
	free(delta);
	free(gamma);
}

static void measures_behind(struct measuring *m, const struct versions *v)
{
	struct measures *ret = m->ret;
	uint64_t *behind = malloc((v->reads + 1) * sizeof *behind);

	assert(behind);
	staleness_behind(v, behind);
	ret->reads += v->reads;
	for (size_t i = 0; i < v->reads; i++) {
		uint64_t k = behind[i];

		ret->behind[k < MEASURES_BEHIND_MAX ? k : MEASURES_BEHIND_MAX]++;
		if (k > ret->behind_max)
			ret->behind_max = k;
	}
	free(behind);
}

void measures_stale(
	const struct history_ops *h, uint64_t *ret_reads, uint64_t *ret_stale, uint64_t *ret_behind)
{
	struct measures some = {0};
	struct measuring m = {.h = h, .ret = &some};
	struct keys keys;

	keys_build(&keys, h);
	for (size_t i = 0; i < keys.count; i++) {
		struct versions v;

		versions_build(&v, h, &keys.group[i]);
		if (v.unique)
			measures_behind(&m, &v);
		versions_destroy(&v);
	}
	keys_destroy(&keys);
	*ret_reads = some.reads;
	*ret_stale = some.reads - some.behind[0];
	*ret_behind = some.behind_max;
}

uint64_t measures_oldest(const struct history_ops *h)
{
	struct keys keys;
	uint64_t oldest = 0;

	keys_build(&keys, h);
	for (size_t i = 0; i < keys.count; i++) {
		struct versions v;
		uint64_t ns = 0;

		versions_build(&v, h, &keys.group[i]);
		if (v.unique)
			ns = staleness_oldest(&v);
		if (ns > oldest)
			oldest = ns;
		versions_destroy(&v);
	}
	keys_destroy(&keys);
	return oldest;
}

void measures_ages(const struct history_ops *h, uint64_t *ret_ns)
{
	struct keys keys;

	memset(ret_ns, 0, h->count * sizeof *ret_ns);
	keys_build(&keys, h);
	for (size_t i = 0; i < keys.count; i++) {
		struct versions v;
		uint64_t *age;

		versions_build(&v, h, &keys.group[i]);
		age = malloc((v.reads + 1) * sizeof *age);
		assert(age);
		if (v.unique)
			staleness_ages(&v, age);
		for (size_t k = 0; k < v.reads && v.unique; k++)
			ret_ns[v.read[k].index] = age[k];
		free(age);
		versions_destroy(&v);
	}
	keys_destroy(&keys);
}

static bool measures_is_final(const struct measuring *m, const struct version_read *r)
{
	return m->h->op[r->index].flags & HISTORY_F_FINAL;
}

static double measures_s(const struct measuring *m, uint64_t t_ns)
{
	uint64_t t0 = m->names ? m->names->t0_ns : 0;

	return t_ns >= t0 ? units_s(t_ns - t0) : -units_s(t0 - t_ns);
}

static void measures_tell_resurrected(struct measuring *m, const struct versions *v,
	const struct version_read *seen, const struct version_read *final)
{
	const struct history_op *read = &m->h->op[seen->index];
	char was[WORDS_NAME_MAX] = "nothing";

	if (m->ret->words[0] != '\0')
		return;
	if (final->version > 0)
		(void)snprintf(was, sizeof was, "%s",
			words_number(m->h, v->version[final->version].value).text);
	(void)snprintf(m->ret->words, sizeof m->ret->words,
		"%s: %s had been replaced, for %s was read at %.3f s; at the end it was back",
		words_key(m->h, read->key).text, was, words_number(m->h, read->value).text,
		measures_s(m, read->t_return_ns));
}

/* A value that had been seen replaced is the only one that is left. */
static void measures_resurrected(struct measuring *m, const struct versions *v)
{
	const struct version_read *final = NULL;

	for (size_t i = 0; i < v->reads; i++) {
		if (!measures_is_final(m, &v->read[i]))
			continue;
		if (final && final->version != v->read[i].version)
			return;
		final = &v->read[i];
	}
	for (size_t i = 0; final && i < v->reads; i++) {
		const struct version_read *r = &v->read[i];

		if (r->end >= final->begin ||
			!versions_older(&v->version[final->version], &v->version[r->version]))
			continue;
		m->ret->resurrected++;
		measures_tell_resurrected(m, v, r, final);
		return;
	}
}

static void measures_key(struct measuring *m, const struct keys_group *group)
{
	struct versions v;

	versions_build(&v, m->h, group);
	if (v.unique) {
		m->ret->keys++;
		m->ret->strange += v.strange;
		measures_times(m, &v);
		measures_behind(m, &v);
		visibility_add(&m->visibility, &v);
		measures_resurrected(m, &v);
	} else {
		m->ret->keys_unfit++;
	}
	versions_destroy(&v);
}

static void measures_registers(struct measuring *m)
{
	struct keys keys;

	keys_build(&keys, m->h);
	for (size_t i = 0; i < keys.count; i++)
		measures_key(m, &keys.group[i]);
	keys_destroy(&keys);
	times_spread(&m->delta, &m->ret->delta);
	times_spread(&m->gamma, &m->ret->gamma);
}

/* Elements that were read twice at once. */
struct duplicates {
	struct measuring *m;
	struct pairs seen;    /* element -> number of the read that has it */
	struct pairs counted; /* key, element */
	uint32_t reads;
};

static void duplicates_look(
	struct duplicates *d, const struct history_op *op, const struct history_micro *read)
{
	const uint64_t *list = d->m->h->list;

	for (uint32_t i = read->first; i < read->first + read->count; i++) {
		bool again = pairs_get(&d->seen, list[i], 0) == d->reads;
		size_t counted = d->counted.count;

		pairs_set(&d->seen, list[i], 0, d->reads);
		if (!again)
			continue;
		(void)pairs_put(&d->counted, read->key, list[i], 0);
		if (d->counted.count == counted)
			continue;
		if (d->m->ret->duplicates++ == 0)
			(void)snprintf(d->m->ret->words, sizeof d->m->ret->words,
				"%s: %s stood twice in what operation %u read at %.3f s",
				words_key(d->m->h, read->key).text,
				words_number(d->m->h, list[i]).text, op->op,
				measures_s(d->m, op->t_return_ns));
	}
	d->reads++;
}

static void measures_duplicates(struct measuring *m)
{
	struct duplicates d = {.m = m};

	for (size_t i = 0; i < m->h->count; i++) {
		const struct history_op *op = &m->h->op[i];

		if (op->outcome != HISTORY_OK)
			continue;
		if (op->kind == HISTORY_READ && op->many)
			duplicates_look(&d, op,
				&(struct history_micro){
					.key = op->key, .first = op->first, .count = op->count});
		for (uint32_t k = 0; op->kind == HISTORY_TRANSACTION && k < op->count; k++)
			if (m->h->micro[op->first + k].kind == HISTORY_READ)
				duplicates_look(&d, op, &m->h->micro[op->first + k]);
	}
	pairs_fini(&d.seen);
	pairs_fini(&d.counted);
}

void measures_take(
	const struct history_ops *h, const struct check_names *names, struct measures *ret)
{
	struct measuring m = {.h = h, .names = names, .ret = ret, .pairs = MEASURES_PAIRS_MAX};
	enum check_type type;

	*ret = (struct measures){0};
	if (check_type_of(h, &type, NULL))
		type = CHECK_TYPE_NR; /* of none: nothing below applies */
	if (type == CHECK_REGISTER)
		measures_registers(&m);
	if (type == CHECK_LIST || type == CHECK_SET || type == CHECK_TRANSACTIONS)
		measures_duplicates(&m);
	visibility_curve(&m.visibility, ret);
	visibility_fini(&m.visibility);
}
