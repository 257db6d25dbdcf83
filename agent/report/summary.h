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
/* A file that is longer is none of ours. */
#define SUMMARY_BYTES_MAX (64u << 20)

struct summary_trips {
	double paid;
	double low;
	double high;
	double theory;
};

struct json_t; /* of jansson, whose names and those of base/json.h do not go together */

/**
 * struct summary - what one run measured
 * @whole, @cut:	strongest models kept before the first cut, and in all; "" if none was, or
 *if they were not looked for
 * @majority, @minority:	share of requests that were answered there in the first cut, 0 to 1;
 *		NaN if there was none, or no such side. Where no side has a majority the first one
 *		stands for it
 * @read_p50_ms ..: of the first phase without faults that is not of the fit, and what its links
 *		allow at best; NaN if there is none
 * @read_simulated_ms ..: the median of the same phase in virtual time, NaN if it was not simulated
 * @read_trips ..:	round trips paid, between what in 95 of 100 resamples, and by the floors;
 *NaN if they were not fitted
 * @unavailable_s, @converged_s: as of results.json, NaN for null
 */
struct summary {
	char lab[SUMMARY_NAME_MAX];
	char store[SUMMARY_NAME_MAX];
	uint64_t seed;
	char whole[SUMMARY_MODELS_MAX];
	char cut[SUMMARY_MODELS_MAX];
	double majority;
	double minority;
	double read_p50_ms;
	double read_floor_ms;
	double write_p50_ms;
	double write_floor_ms;
	double read_simulated_ms;
	double write_simulated_ms;
	struct summary_trips read_trips;
	struct summary_trips write_trips;
	double unavailable_s;
	double converged_s;
	uint64_t acknowledged;
	uint64_t lost;
	char verdict[SUMMARY_NAME_MAX];
	char words[SUMMARY_WORDS_MAX];
	bool claim_kept;
	char claim[SUMMARY_WORDS_MAX];
	char witness[SUMMARY_WORDS_MAX]; /* of the checked model, "" if it was kept */
	unsigned status;
	char why[SUMMARY_WORDS_MAX];
};

/* summary_read() - the results.json at @path. Return: 0, or a negative errno; @err names the file
 * and what is wrong in it. */
int summary_read(struct summary *ret, const char *path, struct err *err);

/* summary_load() - all of it, not looked at but for its length; the caller's to json_decref(). */
int summary_load(struct json_t **ret, const char *path, struct err *err);

#endif
