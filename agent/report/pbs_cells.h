/* SPDX-License-Identifier: MIT */
/*
 * pbs_cells.h - staleness and latency of a run beside what the WARS model predicts of it
 *
 * For a lab whose sites have clients that only write or only read, at a level of their own, and
 * whose keys have one writer each (load {one_writer = true}, clients()). W and A are the delays of
 * the links between the writers' coordinator and the replicas that have the data, R and S those of
 * the readers': the prediction draws from the very tables that the emulator draws from.
 *
 * A sample is a read that began while no write of its key was under way, t after the last one was
 * acknowledged. Reads during which the next write may have begun are left out by a rule that does
 * not look at how long they took: the horizon, within which 99.9 % of predicted reads end.
 *
 * What is compared is, in bins of t, the share of fresh samples with the mean of what is predicted
 * for each of them; and latencies at the percentiles 1 to 99 and 99.9.
 */
#ifndef REPORT_PBS_CELLS_H
#define REPORT_PBS_CELLS_H

#include <stdbool.h>
#include <stdio.h>

#include "agent/history/history.h"
#include "agent/lab/plan.h"
#include "agent/report/pbs.h"

#define PBS_LEVELS_MAX 5 /* replicas that may be waited for */
#define PBS_BINS 40
#define PBS_BIN_LEAST 30 /* samples in a bin that is compared */
#define PBS_PERCENTILES 100

struct pbs_bin {
	double from_ns;
	uint64_t samples;
	uint64_t fresh;
	double predicted; /* sum over the samples */
};

/**
 * struct pbs_cell - reads of @r that are compared with writes of @w
 * @rmse:	of the shares in all bins that have enough samples, NaN if none has
 * @noise:	what it would be on average if the prediction were exact
 * @fresh0:	predicted probability at t = 0; @t999_ns: t from which it is 99.9 %
 */
struct pbs_cell {
	unsigned r;
	unsigned w;
	uint64_t samples;
	uint64_t stale;
	struct pbs_bin bin[PBS_BINS];
	double rmse;
	double noise;
	double fresh0;
	double t999_ns;
};

/* Of reads or writes at one level. */
struct pbs_latency {
	uint64_t samples;
	double predicted_ns[PBS_PERCENTILES]; /* 1, 2 ... 99 and 99.9 % */
	double measured_ns[PBS_PERCENTILES];
	double nrmse; /* root mean square of the differences, by the predicted range; or NaN */
	/* What this machine takes by itself: the median of the first phase, which has no delays;
	 * NaN if there is none. @nrmse_net: with that taken off all that was measured. */
	double base_ns;
	double nrmse_net;
};

struct pbs_report {
	unsigned replicas;
	double range_ns;                                      /* of t */
	struct pbs_cell cell[PBS_LEVELS_MAX][PBS_LEVELS_MAX]; /* [r - 1][w - 1] */
	struct pbs_latency read[PBS_LEVELS_MAX];
	struct pbs_latency write[PBS_LEVELS_MAX];
	uint64_t left_out; /* reads with a write under way, or that failed */
	uint64_t failed;   /* operations that were not answered */
};

/* What a program may choose. */
struct pbs_wish {
	double range_ns; /* of t: compared from 0 to this; 0: as far as it matters */
	unsigned trials;
	uint64_t seed;
};

/* pbs_measure() - Return: 0, or -EINVAL with @err if the plan is no such lab. */
int pbs_measure(struct pbs_report *ret, const struct plan *plan, const struct history_ops *ops,
	const struct pbs_wish *wish, struct err *err);

/* pbs_percentile() - number @i of PBS_PERCENTILES, from 0 to 1. */
double pbs_percentile(unsigned i);

#endif
