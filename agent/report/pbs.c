/* SPDX-License-Identifier: MIT */
/* pbs.c - how soon quorums that need not overlap read what was written: predicted */
#include "agent/report/pbs.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "agent/base/prng.h"

static int rising(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void pbs_sort(double *row, uint64_t count)
{
	if (count > 0)
		qsort(row, count, sizeof *row, rising);
}

static double draw(const struct pbs_model *m, enum pbs_leg leg, unsigned replica, struct prng *p)
{
	return m->draw(m->ctx, leg, replica, (uint32_t)(prng_next(p) >> 32));
}

/* The @k-th smallest of a few. */
static double kth(const double *all, unsigned n, unsigned k)
{
	double sorted[PBS_REPLICAS_MAX] = {0};

	for (unsigned i = 0; i < n; i++) {
		unsigned at = i;

		for (; at > 0 && sorted[at - 1] > all[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = all[i];
	}
	return sorted[k - 1];
}

static void trial(const struct pbs_model *m, struct prng *prng, struct pbs *p, unsigned n)
{
	double w[PBS_REPLICAS_MAX] = {0}, r[PBS_REPLICAS_MAX] = {0};
	double write[PBS_REPLICAS_MAX] = {0}, read[PBS_REPLICAS_MAX] = {0};
	double least = INFINITY, committed, answered;

	for (unsigned i = 0; i < m->replicas; i++) {
		w[i] = draw(m, PBS_W, i, prng);
		write[i] = w[i] + draw(m, PBS_A, i, prng);
		r[i] = draw(m, PBS_R, i, prng);
		read[i] = r[i] + draw(m, PBS_S, i, prng);
	}
	committed = kth(write, m->replicas, m->w);
	answered = kth(read, m->replicas, m->r);
	/* Section 4.1: stale iff committed + t + R[i] < W[i] for all of the first R responses. */
	for (unsigned i = 0; i < m->replicas; i++)
		if (read[i] <= answered && w[i] - r[i] - committed < least)
			least = w[i] - r[i] - committed;
	p->threshold[n] = least;
	p->write[n] = committed;
	p->read[n] = answered;
}

struct pbs *pbs_open(const struct pbs_model *model, unsigned trials, uint64_t seed)
{
	struct pbs *p = calloc(1, sizeof *p);
	struct prng prng;

	assert(model->replicas <= PBS_REPLICAS_MAX && model->r >= 1 && model->w >= 1);
	assert(model->r <= model->replicas && model->w <= model->replicas);
	assert(p && trials > 0 && trials <= PBS_TRIALS_MAX);
	p->trials = trials;
	p->threshold = calloc(trials, sizeof *p->threshold);
	p->read = calloc(trials, sizeof *p->read);
	p->write = calloc(trials, sizeof *p->write);
	assert(p->threshold && p->read && p->write);
	prng_init(&prng, seed, 0);
	for (unsigned i = 0; i < trials; i++)
		trial(model, &prng, p, i);
	pbs_sort(p->threshold, trials);
	pbs_sort(p->read, trials);
	pbs_sort(p->write, trials);
	return p;
}

void pbs_close(struct pbs *p)
{
	if (!p)
		return;
	free(p->threshold);
	free(p->read);
	free(p->write);
	free(p);
}

double pbs_fresh(const struct pbs *p, double t_ns)
{
	unsigned low = 0, high = p->trials;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (p->threshold[middle] <= t_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return (double)low / p->trials;
}

double pbs_quantile(const double *row, uint64_t count, double share)
{
	double at = share * (double)count - 0.5;
	uint64_t i;

	if (count == 0)
		return NAN;
	if (at <= 0)
		return row[0];
	i = (uint64_t)at;
	if (i + 1 >= count)
		return row[count - 1];
	return row[i] + (row[i + 1] - row[i]) * (at - (double)i);
}

double pbs_visible(const struct pbs *p, double share)
{
	double t = p->threshold[(uint64_t)ceil(share * p->trials) - 1];

	return t > 0 ? t : 0;
}
