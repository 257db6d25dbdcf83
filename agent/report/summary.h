/* SPDX-License-Identifier: MIT */
/* summary.h - a run in one line: read back from its results.json, to stand beside others */
#ifndef REPORT_SUMMARY_H
#define REPORT_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/err.h"

#define SUMMARY_NAME_MAX 32
#define SUMMARY_MODELS_MAX 192
#define SUMMARY_WORDS_MAX 512
#define SUMMARY_COSTS_MAX 96
/* A file that is longer is none of ours. */
#define SUMMARY_BYTES_MAX (64u << 20)

/* Phases under a profile: as many as there are names for it on a command line. */
#define SUMMARY_PROFILES_MAX 8
/* Numbers of a summary, those of profiles included. */
#define SUMMARY_NUMBERS_MAX 128
#define SUMMARY_NUMBER_NAME_MAX 64

/* Milliseconds; NaN: too few, or none. */
struct summary_latency {
	double p50_ms;
	double p99_ms;
	double p999_ms;
	double floor_ms;
};

struct summary_profile {
	char name[SUMMARY_NAME_MAX];
	struct summary_latency read;
	struct summary_latency write;
};

struct summary_trips {
	double paid;
	double low;
	double high;
	double theory;
};

struct json_t; /* of jansson, whose names and those of base/json.h do not go together */

/**
 * struct summary - what one run measured
 * @like, @knobs, @suited: of a real database, as of results.json; "" of a store of ours
 * @ready_s, @memory_bytes: the same; of the node that took the most; NaN of a store of ours
 * @whole, @cut:	strongest models kept before the first cut, and in all; "" if none was, or
 *if they were not looked for
 * @majority, @minority:	share of requests that were answered there in the first cut, 0 to 1;
 *		NaN if there was none, or no such side. Where no side has a majority the first one
 *		stands for it
 * @read, @write:	of the first phase without faults that is not of the fit, and what its links
 *		allow at best
 * @local_costs:	what the machine adds, as --costs takes it; "" but of store single
 * @read_simulated_ms ..: the median of the same phase in virtual time, NaN if it was not simulated
 * @profile:	the same of the phases under a profile
 * @read_trips ..:	round trips paid, between what in 95 of 100 resamples, and by the floors;
 *NaN if they were not fitted
 * @unavailable_s, @recovered_s, @converged_s: as of results.json, NaN for null
 * @spread:	borrowed; this is the median of several runs. NULL: it is one
 */
struct summary {
	char lab[SUMMARY_NAME_MAX];
	char store[SUMMARY_NAME_MAX];
	uint64_t seed;
	char like[SUMMARY_NAME_MAX];
	char knobs[SUMMARY_WORDS_MAX];
	char suited[SUMMARY_WORDS_MAX];
	double ready_s;
	double memory_bytes;
	char whole[SUMMARY_MODELS_MAX];
	char cut[SUMMARY_MODELS_MAX];
	double majority;
	double minority;
	struct summary_latency read;
	struct summary_latency write;
	struct summary_profile profile[SUMMARY_PROFILES_MAX];
	unsigned profiles;
	double read_simulated_ms;
	double write_simulated_ms;
	char local_costs[SUMMARY_COSTS_MAX];
	struct summary_trips read_trips;
	struct summary_trips write_trips;
	double unavailable_s;
	double recovered_s;
	double converged_s;
	bool tainted;
	uint64_t acknowledged;
	uint64_t lost;
	char verdict[SUMMARY_NAME_MAX];
	char agreed[SUMMARY_WORDS_MAX / 2]; /* of several runs: "PC/EC in 5 of 5" */
	char words[SUMMARY_WORDS_MAX];
	bool claim_kept;
	char claim[SUMMARY_WORDS_MAX];
	char witness[SUMMARY_WORDS_MAX]; /* of the checked model, "" if it was kept */
	unsigned status;
	char why[SUMMARY_WORDS_MAX];
	const struct spread *spread;
};

/* A number of a summary by its name in compare.json: one of the two is NULL. */
struct summary_number {
	char name[SUMMARY_NUMBER_NAME_MAX];
	double *number;
	uint64_t *count;
};

/* summary_numbers() - all of @s, as it is. Return: how many. */
unsigned summary_numbers(struct summary *s, struct summary_number ret[SUMMARY_NUMBERS_MAX]);

/* summary_number_value() - as a double, NaN for none. */
double summary_number_value(const struct summary_number *n);

/* summary_read() - the results.json at @path. Return: 0, or a negative errno; @err names the file
 * and what is wrong in it. */
int summary_read(struct summary *ret, const char *path, struct err *err);

/* summary_load() - all of it, not looked at but for its length; the caller's to json_decref(). */
int summary_load(struct json_t **ret, const char *path, struct err *err);

#endif
