/* SPDX-License-Identifier: MIT */
/*
 * visibility.c - how soon after its acknowledgement a write is seen
 *
 * Bailis et al., "Probabilistically bounded staleness for practical partial quorums", VLDB 2012:
 * the t-visibility of a store is the probability that a read which begins t after a write was
 * acknowledged returns it or something newer. A sample is a read and the write of its key that was
 * acknowledged last before it began; the read is fresh unless what it saw had surely been replaced
 * by that write. So a write still under way may be seen early, and a read that cannot be shown to
 * be stale is not counted as such.
 *
 * The curve is given in bins, each with its interval. The time from which on a share p of the reads
 * is fresh is not the first bin that happens to lie above p: the best estimate under the rule that
 * waiting longer never makes it worse is the isotonic fit (Ayer et al., "An empirical distribution
 * function for sampling with incomplete information", 1955), and its blocks have intervals, too.
 */
#include "agent/check/visibility.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define US 1000ull
#define MS (1000 * US)
#define S (1000 * MS)

/* 97.5 % quantile of the normal distribution: an interval of 95 %. */
#define WILSON_Z 1.959963984540054

const uint64_t measures_bin_ns[MEASURES_BINS] = {0, 100 * US, 200 * US, 500 * US, 1 * MS, 2 * MS,
	5 * MS, 10 * MS, 20 * MS, 50 * MS, 100 * MS, 200 * MS, 500 * MS, 1 * S, 2 * S, 5 * S,
	10 * S, 20 * S, 50 * S, 100 * S};

static const double visible_shares[MEASURES_VISIBLE] = {0.9, 0.99, 0.999};

struct measures_share measures_share_of(uint64_t some, uint64_t of)
{
	struct measures_share s = {.of = of, .some = some, .share = NAN, .low = NAN, .high = NAN};
	double n = (double)of;
	double z2 = WILSON_Z * WILSON_Z;
	double middle;
	double half;

	if (of == 0)
		return s;
	s.share = (double)some / n;
	middle = (s.share + z2 / (2 * n)) / (1 + z2 / n);
	half = WILSON_Z / (1 + z2 / n) * sqrt(s.share * (1 - s.share) / n + z2 / (4 * n * n));
	s.low = fmax(0, middle - half);
	s.high = fmin(1, middle + half);
	return s;
}

static void visibility_put(struct visibility *v, uint64_t t_ns, bool fresh)
{
	if (v->count == v->cap) {
		v->cap = v->cap ? v->cap * 2 : 1024;
		v->sample = realloc(v->sample, v->cap * sizeof *v->sample);
		assert(v->sample);
	}
	v->sample[v->count++] = (struct visibility_sample){.t_ns = t_ns, .fresh = fresh};
}

static int by_acked(const void *a, const void *b)
{
	const struct version *x = *(const struct version *const *)a;
	const struct version *y = *(const struct version *const *)b;

	if (x->acked != y->acked)
		return x->acked < y->acked ? -1 : 1;
	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* Reads stand by invocation, so the latest acknowledgement only moves on. */
void visibility_add(struct visibility *v, const struct versions *versions)
{
	const struct version **acked = malloc((versions->count + 1) * sizeof *acked);
	const struct version *latest = NULL;
	size_t count = 0;
	size_t next = 0;

	assert(acked);
	for (size_t i = 1; i < versions->count; i++)
		if (versions->version[i].acked != VERSIONS_NEVER)
			acked[count++] = &versions->version[i];
	qsort(acked, count, sizeof *acked, by_acked);
	for (size_t i = 0; i < versions->reads; i++) {
		const struct version_read *r = &versions->read[i];

		while (next < count && acked[next]->acked < r->begin)
			latest = acked[next++];
		if (latest)
			visibility_put(v, r->begin - latest->acked,
				!versions_older(&versions->version[r->version], latest));
	}
	free(acked);
}

static int by_time(const void *a, const void *b)
{
	const struct visibility_sample *x = a;
	const struct visibility_sample *y = b;

	if (x->t_ns != y->t_ns)
		return x->t_ns < y->t_ns ? -1 : 1;
	/* What is fresh comes first, so that the fit takes those of one time together. */
	return (int)y->fresh - (int)x->fresh;
}

static void visibility_bins(const struct visibility *v, struct measures *ret)
{
	size_t at = 0;

	for (unsigned i = 0; i < MEASURES_BINS; i++) {
		uint64_t end = i + 1 < MEASURES_BINS ? measures_bin_ns[i + 1] : UINT64_MAX;
		uint64_t fresh = 0;
		size_t from = at;

		for (; at < v->count && v->sample[at].t_ns < end; at++)
			fresh += v->sample[at].fresh;
		ret->bin[i] = (struct measures_bin){.from_ns = measures_bin_ns[i],
			.fresh = measures_share_of(fresh, at - from)};
	}
}

/* Samples next to each other that have one probability in the isotonic fit. */
struct block {
	uint64_t from_ns;
	uint64_t of;
	uint64_t fresh;
};

/* a's probability is at least b's. */
static bool block_exceeds(const struct block *a, const struct block *b)
{
	return (unsigned __int128)a->fresh * b->of >= (unsigned __int128)b->fresh * a->of;
}

/* Return: how many blocks, growing in probability. */
static size_t visibility_fit(const struct visibility *v, struct block *block)
{
	size_t count = 0;

	for (size_t i = 0; i < v->count; i++) {
		struct block b = {
			.from_ns = v->sample[i].t_ns, .of = 1, .fresh = v->sample[i].fresh};

		while (count > 0 && block_exceeds(&block[count - 1], &b)) {
			count--;
			b.from_ns = block[count].from_ns;
			b.of += block[count].of;
			b.fresh += block[count].fresh;
		}
		block[count++] = b;
	}
	return count;
}

static void visibility_times(const struct block *block, size_t count, struct measures *ret)
{
	for (unsigned k = 0; k < MEASURES_VISIBLE; k++) {
		double p = visible_shares[k];
		struct measures_visible *t = &ret->visible[k];

		*t = (struct measures_visible){.share = p,
			.at_ns = UINT64_MAX,
			.low_ns = UINT64_MAX,
			.high_ns = UINT64_MAX};
		for (size_t i = count; i-- > 0;) {
			struct measures_share s = measures_share_of(block[i].fresh, block[i].of);

			if (s.share >= p)
				t->at_ns = block[i].from_ns;
			if (s.high >= p)
				t->low_ns = block[i].from_ns;
			if (s.low >= p)
				t->high_ns = block[i].from_ns;
		}
	}
}

void visibility_curve(struct visibility *v, struct measures *ret)
{
	struct block *block = malloc((v->count + 1) * sizeof *block);

	assert(block);
	if (v->count > 0)
		qsort(v->sample, v->count, sizeof *v->sample, by_time);
	visibility_bins(v, ret);
	visibility_times(block, visibility_fit(v, block), ret);
	free(block);
}

void visibility_fini(struct visibility *v)
{
	free(v->sample);
	*v = (struct visibility){0};
}
