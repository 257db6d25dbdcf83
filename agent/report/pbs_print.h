/* SPDX-License-Identifier: MIT */
/* pbs_print.h - staleness measured beside predicted, for people and for programs */
#ifndef REPORT_PBS_PRINT_H
#define REPORT_PBS_PRINT_H

#include <stdio.h>

#include "agent/base/json.h"
#include "agent/report/pbs_cells.h"

/* pbs_print() - one case; @why: why nothing should be concluded from it, or "". */
void pbs_print(const char *name, const struct pbs_report *p, const char *why, FILE *out);

/* Rows of all bins and of all percentiles; @first: with their heads. */
void pbs_print_csv(const char *name, const struct pbs_report *p, bool first, FILE *out);
void pbs_print_latency_csv(const char *name, const struct pbs_report *p, bool first, FILE *out);

/* What all cases together show, beside the paper's. */
struct pbs_sum {
	double visibility; /* sums of root mean square errors */
	double squares;    /* of them less what chance explains, squared */
	double noise;
	double visibility_max;
	unsigned cells; /* that need not overlap: R + W <= N */
	uint64_t overlapping;
	uint64_t overlapping_stale;
	double latency;
	double latency_max;
	double net; /* without what the machine takes by itself */
	double net_max;
	unsigned latencies;
	unsigned cases;
};

/* pbs_sum_add() - and one case more. pbs_sum_print() - the last lines. */
void pbs_sum_add(struct pbs_sum *sum, const struct pbs_report *p);
void pbs_sum_print(const struct pbs_sum *sum, FILE *out);

/* pbs_print_json() - one case, as an object. */
void pbs_print_json(const char *name, const struct pbs_report *p, const char *why, struct json *j);

#endif
