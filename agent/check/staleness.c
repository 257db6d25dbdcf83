/* SPDX-License-Identifier: MIT */
/*
 * staleness.c - Delta, Gamma and versions behind, of one key
 *
 * Theory of operation
 *
 * The operations of a value span a zone between their first return f and their last invocation s.
 * Two values A and B contradict each other if f_A < s_B and f_B < s_A (see zone.c). The
 * contradiction goes away
 *
 *   - if all operations become longer, half at each end, by the smaller of s_B - f_A and
 *     s_A - f_B: this is the pair's Gamma;
 *   - if all reads begin earlier by the same, except that the invocation of a write stays where
 *     it is: where it comes after f of the other value, this way is barred. One way is always
 *     open. This is the pair's Delta.
 *
 * The history fits as soon as no pair contradicts, so the largest number over all pairs is that of
 * the history, and the largest over the pairs of a value tells how far this value was off.
 *
 * Pairs are found by a sweep over the zones by their earlier end. At each, the forward zones
 * (f < s) that are not over yet are those that it can contradict; in a history that fits there is
 * one at the most.
 *
 * A version is behind by the number of values whose writes began after it had surely been written,
 * and which had surely been written themselves before the read began. With a writer at a time this
 * is exact, otherwise nobody can know and it is the least number.
 */
#include "agent/check/staleness.h"

#include <assert.h>
#include <stdlib.h>

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void raise_to(uint64_t *n, uint64_t to)
{
	if (*n < to)
		*n = to;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t zone_low(const struct version *v)
{
	return smaller(v->first, v->last);
}

static int by_low(const void *a, const void *b, void *arg)
{
	const struct version *version = arg;
	uint32_t i = *(const uint32_t *)a;
	uint32_t j = *(const uint32_t *)b;
	uint64_t x = zone_low(&version[i]);
	uint64_t y = zone_low(&version[j]);

	if (x != y)
		return x < y ? -1 : 1;
	return i < j ? -1 : i > j;
}

struct sweep {
	const struct version *version;
	uint64_t *delta_ns;
	uint64_t *gamma_ns;
};

/* What is missing for the last operation of @b to be under way with the first of @a. */
static uint64_t sweep_stretch(const struct version *a, const struct version *b)
{
	/* Nothing was under way before everything. */
	return a->first > 0 ? b->last - a->first : UINT64_MAX;
}

static void sweep_pair(struct sweep *w, uint32_t i, uint32_t k)
{
	const struct version *a = &w->version[i];
	const struct version *b = &w->version[k];
	uint64_t one = sweep_stretch(a, b);
	uint64_t other = sweep_stretch(b, a);
	uint64_t gamma = smaller(one, other);
	uint64_t delta = smaller(
		b->begin <= a->first ? one : UINT64_MAX, a->begin <= b->first ? other : UINT64_MAX);

	/* No operation of a value returns before its write begins, so both are never barred. */
	assert(delta != UINT64_MAX);
	raise_to(&w->gamma_ns[i], gamma);
	raise_to(&w->gamma_ns[k], gamma);
	raise_to(&w->delta_ns[i], delta);
	raise_to(&w->delta_ns[k], delta);
}

bool staleness_times(
	const struct versions *v, uint64_t *pairs, uint64_t *ret_delta_ns, uint64_t *ret_gamma_ns)
{
	struct sweep w = {
		.version = v->version, .delta_ns = ret_delta_ns, .gamma_ns = ret_gamma_ns};
	uint32_t *order = malloc(v->count * sizeof *order);
	uint32_t *active = malloc(v->count * sizeof *active);
	size_t actives = 0;

	assert(order && active);
	for (size_t i = 0; i < v->count; i++) {
		order[i] = (uint32_t)i;
		ret_delta_ns[i] = 0;
		ret_gamma_ns[i] = 0;
	}
	qsort_r(order, v->count, sizeof *order, by_low, v->version);
	for (size_t i = 0; i<v->count && * pairs> actives; i++) {
		const struct version *b = &v->version[order[i]];
		size_t kept = 0;

		*pairs -= actives;
		for (size_t k = 0; k < actives; k++) {
			const struct version *a = &v->version[active[k]];

			if (a->last <= zone_low(b))
				continue;
			active[kept++] = active[k];
			if (a->first < b->last && b->first < a->last)
				sweep_pair(&w, active[k], order[i]);
		}
		actives = kept;
		if (b->first < b->last)
			active[actives++] = order[i];
	}
	free(order);
	free(active);
	return *pairs > actives;
}

/* How many numbers were added up to some place: Fenwick, "A new data structure for cumulative
 * frequency tables", Software: Practice and Experience 1994. */
struct tally {
	uint32_t *count; /* owned; from 1 */
	size_t size;
};

static void tally_add(struct tally *t, size_t place)
{
	for (size_t i = place + 1; i <= t->size; i += i & -i)
		t->count[i]++;
}

static uint64_t tally_below(const struct tally *t, size_t place)
{
	uint64_t n = 0;

	for (size_t i = place; i > 0; i -= i & -i)
		n += t->count[i];
	return n;
}

/* How many of @count sorted numbers are less than @limit. */
static size_t numbers_below(const uint64_t *number, size_t count, uint64_t limit)
{
	size_t low = 0;

	while (low < count) {
		size_t middle = low + (count - low) / 2;

		if (number[middle] < limit)
			low = middle + 1;
		else
			count = middle;
	}
	return low;
}

static int by_begin_last(const void *a, const void *b, void *arg)
{
	const struct version *version = arg;
	uint64_t x = version[*(const uint32_t *)a].begin;
	uint64_t y = version[*(const uint32_t *)b].begin;

	return x > y ? -1 : x < y;
}

/* Reads whose value was written last come first. */
static int by_seen_last(const void *a, const void *b, void *arg)
{
	const struct versions *v = arg;
	uint64_t x = v->version[v->read[*(const uint32_t *)a].version].first;
	uint64_t y = v->version[v->read[*(const uint32_t *)b].version].first;

	return x > y ? -1 : x < y;
}

static uint32_t *numbered(size_t count)
{
	uint32_t *n = malloc((count + 1) * sizeof *n);

	assert(n);
	for (size_t i = 0; i < count; i++)
		n[i] = (uint32_t)i;
	return n;
}

/*
 * From the last to the first: before a read is looked at, all values whose writes began after the
 * one that it saw had been written are in the tally, by when they had been written themselves.
 */
void staleness_behind(const struct versions *v, uint64_t *ret_behind)
{
	struct tally t = {.size = v->count};
	uint64_t *first = malloc(v->count * sizeof *first);
	uint32_t *version = numbered(v->count);
	uint32_t *read = numbered(v->reads);
	size_t next = 0;

	t.count = calloc(v->count + 1, sizeof *t.count);
	assert(first && t.count);
	for (size_t i = 0; i < v->count; i++)
		first[i] = v->version[i].first;
	qsort(first, v->count, sizeof *first, by_number);
	qsort_r(version, v->count, sizeof *version, by_begin_last, v->version);
	qsort_r(read, v->reads, sizeof *read, by_seen_last, (void *)(uintptr_t)v);
	for (size_t i = 0; i < v->reads; i++) {
		const struct version_read *r = &v->read[read[i]];
		uint64_t seen = v->version[r->version].first;

		for (; next < v->count && v->version[version[next]].begin > seen; next++)
			tally_add(&t,
				numbers_below(first, v->count, v->version[version[next]].first));
		ret_behind[read[i]] = tally_below(&t, numbers_below(first, v->count, r->begin));
	}
	free(t.count);
	free(first);
	free(version);
	free(read);
}

void staleness_ages(const struct versions *v, uint64_t *ret_ns)
{
	/* Of the versions whose writes began last, this many: when the first of them was written.
	 */
	uint64_t *replaced = malloc((v->count + 1) * sizeof *replaced);
	uint32_t *version = numbered(v->count);
	uint32_t *read = numbered(v->reads);
	size_t next = 0;

	assert(replaced);
	qsort_r(version, v->count, sizeof *version, by_begin_last, v->version);
	qsort_r(read, v->reads, sizeof *read, by_seen_last, (void *)(uintptr_t)v);
	replaced[0] = VERSIONS_NEVER;
	for (size_t i = 0; i < v->count; i++)
		replaced[i + 1] = smaller(replaced[i], v->version[version[i]].first);
	for (size_t i = 0; i < v->reads; i++) {
		const struct version_read *r = &v->read[read[i]];
		uint64_t seen = v->version[r->version].first;

		while (next < v->count && v->version[version[next]].begin > seen)
			next++;
		ret_ns[read[i]] = replaced[next] < r->begin ? r->begin - replaced[next] : 0;
	}
	free(replaced);
	free(version);
	free(read);
}

uint64_t staleness_oldest(const struct versions *v)
{
	uint64_t *age = malloc((v->reads + 1) * sizeof *age);
	uint64_t oldest = 0;

	assert(age);
	staleness_ages(v, age);
	for (size_t i = 0; i < v->reads; i++)
		raise_to(&oldest, age[i]);
	free(age);
	return oldest;
}
