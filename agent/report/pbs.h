/* SPDX-License-Identifier: MIT */
/*
 * pbs.h - how soon quorums that need not overlap read what was written: predicted, by Monte Carlo
 *
 * The WARS model of Bailis et al., "Probabilistically Bounded Staleness for Practical Partial
 * Quorums", VLDB 2012, section 4. A coordinator sends a write to all N replicas: W is how long the
 * write takes to one of them, A how long the acknowledgement takes back. Another coordinator sends
 * a read to all N: R there, S the response back. All are drawn apart. A write is committed when W
 * replicas have acknowledged it; a read that begins t later returns when R replicas have answered,
 * and it is consistent if one of those was reached by the write before it was by the read.
 *
 * Each trial has a smallest t from which it is consistent, so one sorted row of them tells the
 * probability for every t. Pure: the same seed draws the same.
 */
#ifndef REPORT_PBS_H
#define REPORT_PBS_H

#include <stdint.h>

#define PBS_REPLICAS_MAX 16
#define PBS_TRIALS_MAX (4u << 20)

enum pbs_leg { PBS_W, PBS_A, PBS_R, PBS_S, PBS_LEG_NR };

/**
 * struct pbs_model - what is drawn
 * @draw:	one delay in ns; @u uniform in 0 .. 2^32 - 1
 * @replicas:	N, at most PBS_REPLICAS_MAX
 * @r, @w:	how many are waited for
 */
struct pbs_model {
	double (*draw)(const void *ctx, enum pbs_leg leg, unsigned replica, uint32_t u);
	const void *ctx;
	unsigned replicas;
	unsigned r;
	unsigned w;
};

/* What came of it: each row has @trials numbers of ns, in rising order. */
struct pbs {
	unsigned trials;
	double *threshold; /* the t from which on a trial is consistent; below 0: it always is */
	double *read;      /* latencies */
	double *write;
};

/* pbs_open() - @trials of @model, seeded. Return: never NULL. pbs_close() takes NULL, too. */
struct pbs *pbs_open(const struct pbs_model *model, unsigned trials, uint64_t seed);
void pbs_close(struct pbs *p);

/* pbs_fresh() - probability that a read which begins @t_ns after the commit is consistent. */
double pbs_fresh(const struct pbs *p, double t_ns);

/* pbs_visible() - from which t on that probability is @share at least; 0 if from the commit on. */
double pbs_visible(const struct pbs *p, double share);

/* pbs_quantile() - of a sorted row. */
double pbs_quantile(const double *row, uint64_t count, double share);

/* pbs_sort() - a row of measured numbers, for that. */
void pbs_sort(double *row, uint64_t count);

#endif
