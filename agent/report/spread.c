/* SPDX-License-Identifier: MIT */
/* spread.c - several runs of one store as one: medians, and from what to what */
#include "agent/report/spread.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/err.h"
#include "agent/report/parts.h"

static bool concluded(const struct summary *s)
{
	return s->status != EXIT_INCONCLUSIVE;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void set_number(struct summary *s, unsigned i, double value)
{
	struct summary_number all[SUMMARY_NUMBERS_MAX];

	(void)summary_numbers(s, all);
	if (all[i].count)
		*all[i].count = isnan(value) ? 0 : (uint64_t)value;
	else
		*all[i].number = value;
}

/* Number @i of those that count; a number that a run has not got is left out. */
static unsigned values_of(const struct summary *run, unsigned n, bool all, unsigned i, double *ret)
{
	struct summary_number number[SUMMARY_NUMBERS_MAX];
	unsigned count = 0;

	for (unsigned k = 0; k < n; k++) {
		struct summary s = run[k];

		if ((!all && !concluded(&s)) || i >= summary_numbers(&s, number) ||
			isnan(summary_number_value(&number[i])))
			continue;
		ret[count++] = summary_number_value(&number[i]);
	}
	qsort(ret, count, sizeof *ret, by_size);
	return count;
}

static void take_numbers(
	const struct summary *run, unsigned n, struct summary *mid, struct spread *spread)
{
	struct summary_number number[SUMMARY_NUMBERS_MAX];
	unsigned numbers = summary_numbers(mid, number);
	double *value = calloc(n, sizeof *value);

	assert(value);
	for (unsigned i = 0; i < numbers; i++) {
		unsigned count = values_of(run, n, spread->concluded == 0, i, value);
		double middle = NAN;

		if (count > 0)
			middle = count % 2 ? value[count / 2]
					   : (value[count / 2 - 1] + value[count / 2]) / 2;
		set_number(mid, i, middle);
		set_number(&spread->low, i, count > 0 ? value[0] : NAN);
		set_number(&spread->high, i, count > 0 ? value[count - 1] : NAN);
	}
	free(value);
}

/* What most of the runs that count have at @offset, and how many have it. */
static const char *most_common(
	const struct summary *run, unsigned n, size_t offset, unsigned *ret_count)
{
	const char *best = "";

	*ret_count = 0;
	for (unsigned i = 0; i < n; i++) {
		const char *text = (const char *)&run[i] + offset;
		unsigned count = 0;

		for (unsigned k = 0; k < n; k++)
			count += concluded(&run[k]) &&
				 strcmp((const char *)&run[k] + offset, text) == 0;
		if (concluded(&run[i]) && count > *ret_count) {
			best = text;
			*ret_count = count;
		}
	}
	return best;
}

static void take_models(
	const struct summary *run, unsigned n, unsigned of, size_t offset, char *ret)
{
	unsigned count;
	const char *best = most_common(run, n, offset, &count);

	if (count == of)
		(void)snprintf(ret, SUMMARY_MODELS_MAX, "%s", best);
	else
		(void)snprintf(
			ret, SUMMARY_MODELS_MAX, "%.150s %u/%u", *best ? best : "none", count, of);
}

/* Each verdict once, with the number of runs that came to it. */
static void take_differing(
	const struct summary *run, unsigned n, unsigned of, char *ret, size_t size)
{
	ret[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		unsigned count = 0;
		bool first = concluded(&run[i]);

		for (unsigned k = 0; k < n; k++) {
			bool same =
				concluded(&run[k]) && strcmp(run[k].verdict, run[i].verdict) == 0;

			count += same;
			first = first && !(same && k < i);
		}
		if (first)
			words_add(ret, size, "%s%s in %u of %u", *ret ? ", " : "", run[i].verdict,
				count, of);
	}
}

/* The words of the first run that counts; a broken claim before them. */
static const struct summary *spokesman(const struct summary *run, unsigned n)
{
	const struct summary *best = &run[0];

	for (unsigned i = 0; i < n; i++) {
		if (run[i].status == EXIT_VIOLATED)
			return &run[i];
		if (concluded(&run[i]) && !concluded(best))
			best = &run[i];
	}
	return best;
}

static void take_verdict(const struct summary *run, unsigned n, unsigned of, struct summary *mid)
{
	char differing[SUMMARY_WORDS_MAX / 2];
	unsigned agree;
	const char *letters = most_common(run, n, offsetof(struct summary, verdict), &agree);

	if (of == 0) {
		(void)snprintf(mid->why, sizeof mid->why,
			"none of %u runs allows a conclusion: %.200s", n, run[0].why);
		return;
	}
	take_differing(run, n, n, differing, sizeof differing);
	(void)snprintf(mid->agreed, sizeof mid->agreed, "%s", differing);
	if (agree == of) {
		(void)snprintf(mid->verdict, sizeof mid->verdict, "%s", letters);
		return;
	}
	(void)snprintf(mid->verdict, sizeof mid->verdict, "runs differ");
	if (mid->status == EXIT_AS_EXPECTED) {
		mid->status = EXIT_INCONCLUSIVE;
		(void)snprintf(
			mid->why, sizeof mid->why, "inconclusive: runs differ: %s", differing);
	}
}

void spread_of(
	const struct summary *run, unsigned n, struct summary *ret_mid, struct spread *ret_spread)
{
	struct summary empty = {.profiles = run[0].profiles};
	unsigned of = 0;

	assert(n > 0);
	/* Their names; the numbers are filled in. */
	memcpy(empty.profile, run[0].profile, sizeof empty.profile);
	for (unsigned i = 0; i < n; i++)
		of += concluded(&run[i]);
	*ret_mid = *spokesman(run, n);
	*ret_spread = (struct spread){.low = empty, .high = empty, .runs = n, .concluded = of};
	ret_mid->seed = run[0].seed;
	take_numbers(run, n, ret_mid, ret_spread);
	if (of > 0) {
		take_models(run, n, of, offsetof(struct summary, whole), ret_mid->whole);
		take_models(run, n, of, offsetof(struct summary, cut), ret_mid->cut);
	}
	take_verdict(run, n, of, ret_mid);
	for (unsigned i = 0; i < n; i++)
		ret_mid->tainted = ret_mid->tainted && run[i].tainted;
	ret_mid->spread = ret_spread;
}

void spread_print(const char *store, const struct summary *mid, FILE *out)
{
	const struct spread *spread = mid->spread;
	struct summary s[] = {*mid, spread->low, spread->high};
	struct summary_number number[3][SUMMARY_NUMBERS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < 3; i++)
		n = summary_numbers(&s[i], number[i]);
	(void)fprintf(out, "  %s: %u runs, seeds %llu to %llu, %u with a conclusion; %s\n", store,
		spread->runs, (unsigned long long)mid->seed,
		(unsigned long long)(mid->seed + spread->runs - 1), spread->concluded,
		mid->agreed[0] ? mid->agreed : "no verdict");
	(void)fprintf(out, "    %-36s %10s %10s %10s\n", "", "median", "least", "most");
	for (unsigned i = 0; i < n; i++) {
		if (isnan(summary_number_value(&number[0][i])))
			continue;
		(void)fprintf(out, "    %-36s", number[0][i].name);
		for (unsigned k = 0; k < 3; k++)
			(void)fprintf(out, " %10.4g", summary_number_value(&number[k][i]));
		(void)fputc('\n', out);
	}
	(void)fputc('\n', out);
}
