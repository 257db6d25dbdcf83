/* SPDX-License-Identifier: MIT */
/*
 * latency.c - how long operations took, and how long they had to take
 *
 * Latency counts from the intended start: an operation that waited for the one before it waited for
 * the store. Only answered operations have one. The floor of a phase is the median over the very
 * operations whose latency is reported, so the two can be compared whatever the mix of sites was.
 *
 * The fit is a straight line by least squares through the medians of the phases that differ in
 * nothing but the round-trip time between sites: latency = a + b * RTT. The same fit through the
 * floors says what b should be. How far b could be off by chance is told by the bootstrap (B.
 * Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979): each phase's operations are
 * drawn anew, as many as there were, and the line is fitted through the medians of these, many
 * times.
 * In these phases only operations at a replica of the client's own site have a latency: that a
 * session roams to another site is no round trip of the store's.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "agent/base/buf.h"
#include "agent/base/prng.h"
#include "agent/base/units.h"
#include "agent/report/floor.h"
#include "agent/report/parts.h"

enum { LATENCY_READ, LATENCY_WRITE, LATENCY_NR };

#define BOOTSTRAP_FITS 400
#define BOOTSTRAP_LOW 10 /* of these, sorted: 2.5 % */
/* Of more operations than these the rank of a drawn median is taken from its limit: normal. */
#define BOOTSTRAP_DRAWN_MAX 4096u
#define NORMAL_SUMMANDS 12
#define QUANTILE_EPSILON 1e-6

/* Answered operations of one kind in one phase. */
struct samples {
	struct buf took_ns; /* of uint64_t */
	struct buf floor_ns;
};

/* Of so few that none would be beyond it, a quantile is not known. */
static double quantile_known_ms(const uint64_t *ns, size_t n, double q)
{
	return (double)n * (1 - q) < 1 - QUANTILE_EPSILON ? NAN : measure_quantile_ms(ns, n, q);
}

static void latency_finish(struct results_latency *l, struct samples *s)
{
	uint64_t *took = (uint64_t *)(void *)s->took_ns.p;
	uint64_t *least = (uint64_t *)(void *)s->floor_ns.p;
	size_t n = s->took_ns.len / sizeof *took;
	size_t floors = s->floor_ns.len / sizeof *least;

	measure_sort(took, n);
	measure_sort(least, floors);
	l->count = n;
	l->p50_ms = measure_quantile_ms(took, n, 0.5);
	l->p90_ms = quantile_known_ms(took, n, 0.9);
	l->p99_ms = quantile_known_ms(took, n, 0.99);
	l->p999_ms = quantile_known_ms(took, n, 0.999);
	l->max_ms = measure_quantile_ms(took, n, 1);
	l->floor_ms = measure_quantile_ms(least, floors, 0.5);
}

static void samples_fini(struct samples *s)
{
	buf_fini(&s->took_ns);
	buf_fini(&s->floor_ns);
}

static void latency_count(struct results_phase *phase, const struct history_op *op)
{
	if (op->outcome == HISTORY_OK)
		phase->ok++;
	else if (op->outcome == HISTORY_FAIL)
		phase->failed++;
	else
		phase->unknown++;
	if (op->kind == HISTORY_CAS) {
		phase->cas++;
		phase->cas_ok += op->outcome == HISTORY_OK;
	}
}

static void latency_sample(struct samples *s, const struct history_op *op, uint64_t least_ns)
{
	uint64_t took_ns = op->t_return_ns - op->t_intended_ns;

	assert(op->t_return_ns >= op->t_intended_ns);
	buf_add(&s->took_ns, &took_ns, sizeof took_ns);
	/* Answered although the matrix has no path: the leader had changed before it was seen. */
	if (least_ns < FLOOR_NO_PATH_NS)
		buf_add(&s->floor_ns, &least_ns, sizeof least_ns);
}

/* Least squares through @n points; b and a are NaN if all x are the same. */
static void fit_line(const double *x, const double *y, unsigned n, double *ret_a, double *ret_b)
{
	double mean_x = 0;
	double mean_y = 0;
	double xx = 0;
	double xy = 0;

	for (unsigned i = 0; i < n; i++) {
		mean_x += x[i] / n;
		mean_y += y[i] / n;
	}
	for (unsigned i = 0; i < n; i++) {
		xx += (x[i] - mean_x) * (x[i] - mean_x);
		xy += (x[i] - mean_x) * (y[i] - mean_y);
	}
	*ret_b = xx > 0 ? xy / xx : NAN;
	*ret_a = mean_y - *ret_b * mean_x;
}

/* The points of one fit. */
struct points {
	unsigned n;
	double rtt[PLAN_PHASES_MAX];
	double took[PLAN_PHASES_MAX];
	double least[PLAN_PHASES_MAX];
	const struct samples *samples[PLAN_PHASES_MAX];
};

static int by_rank(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Variance 1, mean 0. */
static double normal(struct prng *prng)
{
	double sum = -NORMAL_SUMMANDS / 2.0;

	for (int i = 0; i < NORMAL_SUMMANDS; i++)
		sum += prng_unit(prng);
	return sum;
}

/* The median of as many operations drawn from a phase's, which are sorted: of their ranks. */
static double median_drawn_ms(const struct samples *s, struct prng *prng)
{
	const uint64_t *took = (const uint64_t *)(const void *)s->took_ns.p;
	size_t n = s->took_ns.len / sizeof *took;
	uint32_t rank[BOOTSTRAP_DRAWN_MAX];

	if (n > BOOTSTRAP_DRAWN_MAX)
		return units_ms(
			took[(size_t)((double)n * (0.5 + normal(prng) / 2 / sqrt((double)n)))]);
	for (size_t i = 0; i < n; i++)
		rank[i] = (uint32_t)prng_below(prng, n);
	qsort(rank, n, sizeof *rank, by_rank);
	return units_ms(took[rank[(n - 1) / 2]]);
}

static void fit_bootstrap(const struct points *pt, uint64_t seed, struct results_fit *ret)
{
	double b[BOOTSTRAP_FITS];
	double took[PLAN_PHASES_MAX];
	struct prng prng;
	double a;

	prng_init(&prng, seed, BOOTSTRAP_FITS);
	for (unsigned k = 0; k < BOOTSTRAP_FITS; k++) {
		for (unsigned i = 0; i < pt->n; i++)
			took[i] = median_drawn_ms(pt->samples[i], &prng);
		fit_line(pt->rtt, took, pt->n, &a, &b[k]);
	}
	qsort(b, BOOTSTRAP_FITS, sizeof *b, by_size);
	ret->b_low = b[BOOTSTRAP_LOW];
	ret->b_high = b[BOOTSTRAP_FITS - 1 - BOOTSTRAP_LOW];
}

static void latency_fit(
	struct results *r, struct samples (*samples)[LATENCY_NR], int kind, struct results_fit *ret)
{
	struct points pt = {.n = 0};
	double a;

	*ret = (struct results_fit){
		.a_ms = NAN, .b = NAN, .b_low = NAN, .b_high = NAN, .theory = NAN};
	for (unsigned p = 0; p < r->log->phases; p++) {
		const struct results_latency *l =
			kind == LATENCY_READ ? &r->phase[p].read : &r->phase[p].write;

		if (r->plan->phase[p].fit_rtt_ns == 0 || l->count < RESULTS_SAMPLES_MIN)
			continue;
		pt.rtt[pt.n] = units_ms(r->plan->phase[p].fit_rtt_ns);
		pt.took[pt.n] = l->p50_ms;
		pt.least[pt.n] = l->floor_ms;
		pt.samples[pt.n++] = &samples[p][kind];
	}
	ret->points = pt.n;
	if (pt.n < RESULTS_FIT_POINTS_MIN)
		return;
	fit_line(pt.rtt, pt.took, pt.n, &ret->a_ms, &ret->b);
	fit_line(pt.rtt, pt.least, pt.n, &a, &ret->theory);
	if (isnan(ret->b))
		ret->points = 1; /* one RTT, however often */
	else
		fit_bootstrap(&pt, r->plan->seed, ret);
}

/* Is it one whose latency tells about phase @p? */
static bool latency_tells(const struct plan *plan, unsigned p, const struct history_op *op)
{
	return op->outcome == HISTORY_OK &&
	       (plan->phase[p].fit_rtt_ns == 0 ||
		       plan->node[op->node].site == plan->node[op->client].site);
}

void latency_measure(struct results *r, const struct history_ops *ops)
{
	struct samples(*samples)[LATENCY_NR] = calloc(PLAN_PHASES_MAX, sizeof *samples);
	struct floor *f = floor_open(r->plan, r->log);

	assert(samples);
	for (size_t i = 0; i < ops->count; i++) {
		const struct history_op *op = &ops->op[i];
		int p = measure_phase_at(r->log, op->t_intended_ns);
		bool read = op->kind == HISTORY_READ;

		if (p < 0 || op->flags & HISTORY_F_FINAL)
			continue;
		latency_count(&r->phase[p], op);
		if (r->plan->phase[p].warmup)
			continue;
		if (latency_tells(r->plan, (unsigned)p, op))
			latency_sample(&samples[p][read ? LATENCY_READ : LATENCY_WRITE], op,
				floor_ns(f, (unsigned)p, op));
	}
	floor_close(f);
	for (unsigned p = 0; p < PLAN_PHASES_MAX; p++) {
		latency_finish(&r->phase[p].read, &samples[p][LATENCY_READ]);
		latency_finish(&r->phase[p].write, &samples[p][LATENCY_WRITE]);
	}
	latency_fit(r, samples, LATENCY_READ, &r->read_fit);
	latency_fit(r, samples, LATENCY_WRITE, &r->write_fit);
	for (unsigned p = 0; p < PLAN_PHASES_MAX; p++) {
		samples_fini(&samples[p][LATENCY_READ]);
		samples_fini(&samples[p][LATENCY_WRITE]);
	}
	free(samples);
}
