/* SPDX-License-Identifier: MIT */
/*
 * dist.c - distributions of delays
 *
 * Everything but the uniform is a row of values in rising order, each as likely as the others; a
 * draw picks a place on the row and goes straight from one value to the next. The rows stand in
 * memory that is shared with children. A row is complete before its number or its mark can be seen.
 */
#include "netns/dist.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/base/clock.h"
#include "netns/link_state.h"

#define UNIT (1 << DIST_UNIT_BITS)
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:"
#define MIXTURE_POINTS 16384
#define WEIGHT_ERROR_MAX 1e-6

/* What a table of netem's can hold: its values are 16 bits, and so many to the unit. */
#define NETEM_UNIT 8192
#define NETEM_VALUE_MAX INT16_MAX

struct row {
	uint32_t ready;
	bool shape;
	bool replay;
	bool overtakes;
	char name[DIST_NAME_MAX];
	uint32_t count;
	uint64_t mean_ns;
	int64_t value[DIST_VALUES_MAX];
	int64_t order[DIST_VALUES_MAX]; /* of a replay: as in the file */
};

struct shared {
	uint32_t tables;
	struct row shape[DIST_TABLE];
	struct row table[DIST_TABLES_MAX];
};

static const char *const shape_names[] = {
	[DIST_UNIFORM] = "uniform",
	[DIST_NORMAL] = "normal",
	[DIST_PARETO] = "pareto",
	[DIST_PARETONORMAL] = "paretonormal",
};
_Static_assert(sizeof shape_names / sizeof *shape_names == DIST_TABLE, "a name for every shape");

/* Milliseconds and rates per millisecond, as the paper has them; of Pareto's alpha for YMMR's
 * writes it prints 3.35, and its figures come out with 3.5. */
#define PARETO(w, xm, a) \
	{ \
		.weight = (w), .xm_ns = (xm)*1e6, .alpha = (a) \
	}
#define EXPONENTIAL(w, rate) \
	{ \
		.weight = (w), .mean_ns = 1e6 / (rate) \
	}
static const struct {
	const char *name;
	struct dist_part part[2];
} mixtures[] = {
	{"pbs-lnkd-ssd", {PARETO(0.9122, 0.235, 10), EXPONENTIAL(0.0878, 1.66)}},
	{"pbs-lnkd-disk", {PARETO(0.38, 1.05, 1.51), EXPONENTIAL(0.62, 0.183)}},
	{"pbs-ymmr", {PARETO(0.939, 3, 3.5), EXPONENTIAL(0.061, 0.0028)}},
	{"pbs-ymmr-ars", {PARETO(0.982, 1.5, 3.8), EXPONENTIAL(0.018, 0.0217)}},
};

static struct shared *shared;

int dist_share(struct err *err)
{
	void *memory;

	if (shared)
		return 0;
	memory = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return err_sys(err, -errno, "memory of the distributions");
	shared = memory;
	return 0;
}

/* The smallest x with cdf(x) >= share, by bisection of low..high. */
static double invert(double (*cdf)(double x, const void *ctx), const void *ctx, double share,
	double low, double high)
{
	while (high - low > 1e-9 * (1 + fabs(high))) {
		double middle = (low + high) / 2;

		if (cdf(middle, ctx) < share)
			low = middle;
		else
			high = middle;
	}
	return high;
}

static double normal_cdf(double x, const void *ctx)
{
	(void)ctx;
	return erfc(-x / sqrt(2)) / 2;
}

/* As iproute2 makes its tables: 4 / 3 beside the mean of 1.5, and what does not fit is cut. */
static double pareto_at(double share)
{
	const double top = (double)NETEM_VALUE_MAX / NETEM_UNIT;
	double x = (1 / cbrt(1 - share) - 1.5) * 4 / 3;

	return x < top ? x : top;
}

static double shape_at(unsigned shape, double share)
{
	double normal = 0;

	if (shape != DIST_PARETO)
		normal = invert(normal_cdf, NULL, share, -6, 6);
	if (shape == DIST_NORMAL)
		return normal;
	if (shape == DIST_PARETO)
		return pareto_at(share);
	return normal / 4 + pareto_at(share) * 3 / 4;
}

static void make_shape(struct row *row, unsigned shape)
{
	static double x[DIST_POINTS];
	double sum = 0, squares = 0, mean, deviation;

	for (unsigned i = 0; i < DIST_POINTS; i++) {
		x[i] = shape_at(shape, (i + 0.5) / DIST_POINTS);
		sum += x[i];
		squares += x[i] * x[i];
	}
	mean = sum / DIST_POINTS;
	deviation = sqrt(squares / DIST_POINTS - mean * mean);
	for (unsigned i = 0; i < DIST_POINTS; i++)
		row->value[i] = llrint((x[i] - mean) / deviation * UNIT);
	row->shape = true;
	row->count = DIST_POINTS;
	__atomic_store_n(&row->ready, 1, __ATOMIC_RELEASE);
}

/* Return: NULL for the uniform, which needs none, and for numbers that are not known. */
static struct row *row_of(unsigned dist)
{
	struct row *row;

	if (dist == DIST_UNIFORM || dist >= DIST_TABLE + DIST_TABLES_MAX || dist_share(NULL))
		return NULL;
	if (dist >= DIST_TABLE) {
		if (dist - DIST_TABLE >= __atomic_load_n(&shared->tables, __ATOMIC_ACQUIRE))
			return NULL;
		return &shared->table[dist - DIST_TABLE];
	}
	row = &shared->shape[dist];
	if (!__atomic_load_n(&row->ready, __ATOMIC_ACQUIRE))
		make_shape(row, dist);
	return row;
}

bool dist_known(unsigned dist)
{
	return dist == DIST_UNIFORM || row_of(dist);
}

const char *dist_name(unsigned dist)
{
	const struct row *row = row_of(dist);

	if (dist < DIST_TABLE)
		return shape_names[dist];
	return row ? row->name : "unknown";
}

bool dist_scaled(unsigned dist)
{
	const struct row *row = row_of(dist);

	return !row || row->shape;
}

bool dist_replays(unsigned dist)
{
	const struct row *row = row_of(dist);

	return row && row->replay;
}

void dist_let_overtake(unsigned dist)
{
	struct row *row = dist >= DIST_TABLE ? row_of(dist) : NULL;

	if (row)
		row->overtakes = true;
}

bool dist_overtakes(unsigned dist)
{
	const struct row *row = row_of(dist);

	return row && row->overtakes;
}

/* Return: number of the table, -ENOENT. */
static int find_table(const char *name)
{
	if (dist_share(NULL))
		return -ENOENT;
	for (unsigned i = 0; i < __atomic_load_n(&shared->tables, __ATOMIC_ACQUIRE); i++) {
		if (strcmp(shared->table[i].name, name) == 0)
			return DIST_TABLE + (int)i;
	}
	return -ENOENT;
}

int dist_find(const char *name)
{
	for (unsigned i = 0; i < DIST_TABLE; i++) {
		if (strcmp(shape_names[i], name) == 0)
			return (int)i;
	}
	for (unsigned i = 0; i < sizeof mixtures / sizeof *mixtures; i++) {
		if (strcmp(mixtures[i].name, name) == 0 && find_table(name) < 0)
			(void)dist_add_mixture(name, 0, mixtures[i].part, 2, NULL);
	}
	return find_table(name);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int check_name(const char *name, struct err *err)
{
	size_t len = strlen(name);

	if (len == 0 || len >= DIST_NAME_MAX || strspn(name, NAME_CHARS) != len)
		return err_usage(err,
			"distribution '%s': 1 to %d letters, digits, '.', '-' or '_' are needed",
			name, DIST_NAME_MAX - 1);
	for (unsigned i = 0; i < DIST_TABLE; i++) {
		if (strcmp(shape_names[i], name) == 0)
			return err_usage(err,
				"distribution '%s': that is the name of a shape, take another",
				name);
	}
	return 0;
}

/* The same row again is no error: a lab may name a file as often as it likes. */
static int same_again(
	const struct row *row, const struct dist_values *v, int number, struct err *err)
{
	const int64_t *have = row->replay ? row->order : row->value;

	if (row->shape == v->shape && row->replay == v->replay && row->count == v->count &&
		memcmp(have, v->value, v->count * sizeof *have) == 0)
		return number;
	return err_set(err, -EEXIST, EXIT_USAGE,
		"distribution '%s' exists with other values, take another name", row->name);
}

int dist_add(const char *name, struct dist_values *v, struct err *err)
{
	struct row *row;
	double sum = 0;
	int code = check_name(name, err);

	if (!code)
		code = dist_share(err);
	if (code)
		return code;
	if (v->count < 2 || v->count > DIST_VALUES_MAX)
		return err_usage(err, "distribution '%s' has %u values: 2 to %u are possible", name,
			v->count, DIST_VALUES_MAX);
	if (!v->replay)
		qsort(v->value, v->count, sizeof *v->value, compare);
	code = find_table(name);
	if (code >= DIST_TABLE)
		return same_again(&shared->table[code - DIST_TABLE], v, code, err);
	if (shared->tables == DIST_TABLES_MAX)
		return err_set(err, -ENOSPC, EXIT_USAGE,
			"distribution '%s': there are %d already, more are not possible", name,
			DIST_TABLES_MAX);
	row = &shared->table[shared->tables];
	row->shape = v->shape;
	row->replay = v->replay;
	row->count = v->count;
	(void)snprintf(row->name, sizeof row->name, "%s", name);
	memcpy(row->value, v->value, v->count * sizeof *row->value);
	if (v->replay) {
		memcpy(row->order, v->value, v->count * sizeof *row->order);
		qsort(row->value, row->count, sizeof *row->value, compare);
	}
	for (unsigned i = 0; i < row->count; i++)
		sum += (double)row->value[i];
	row->mean_ns = row->shape ? 0 : (uint64_t)(sum / row->count + 0.5);
	__atomic_store_n(&shared->tables, shared->tables + 1, __ATOMIC_RELEASE);
	return find_table(name);
}

int dist_add_table(const char *name, const uint64_t *ns, unsigned values, struct err *err)
{
	struct dist_values *v = calloc(1, sizeof *v);
	int code;

	if (!v)
		return err_sys(err, -ENOMEM, "distribution '%s'", name);
	v->count = values;
	for (unsigned i = 0; i < values && i < DIST_VALUES_MAX; i++) {
		if (ns[i] > LINK_DELAY_NS_MAX) {
			free(v);
			return err_usage(err,
				"distribution '%s': delays of up to %llu s are "
				"possible",
				name, (unsigned long long)(LINK_DELAY_NS_MAX / NS_PER_S));
		}
		v->value[i] = (int64_t)ns[i];
	}
	code = dist_add(name, v, err);
	free(v);
	return code;
}

struct mixture {
	const struct dist_part *part;
	unsigned parts;
};

static double mixture_cdf(double x, const void *ctx)
{
	const struct mixture *m = ctx;
	double sum = 0;

	for (unsigned i = 0; i < m->parts; i++) {
		const struct dist_part *p = &m->part[i];

		if (p->alpha == 0)
			sum += p->weight * -expm1(-x / p->mean_ns);
		else if (x > p->xm_ns)
			sum += p->weight * (1 - pow(p->xm_ns / x, p->alpha));
	}
	return sum;
}

static int check_parts(
	const char *name, const struct dist_part *part, unsigned parts, struct err *err)
{
	double sum = 0;

	if (parts < 1 || parts > DIST_PARTS_MAX)
		return err_usage(
			err, "distribution '%s': 1 to %d parts are possible", name, DIST_PARTS_MAX);
	for (unsigned i = 0; i < parts; i++) {
		const struct dist_part *p = &part[i];
		bool pareto = p->alpha > 0 && p->xm_ns > 0, exponential = p->mean_ns > 0;

		if (!(p->weight > 0) || pareto == exponential)
			return err_usage(err,
				"distribution '%s': part %u needs a weight, and either xm and "
				"alpha or a mean, all above 0",
				name, i + 1);
		sum += p->weight;
	}
	if (!(fabs(sum - 1) < WEIGHT_ERROR_MAX))
		return err_usage(
			err, "distribution '%s': the weights are %g in sum, not 1", name, sum);
	return 0;
}

int dist_add_mixture(const char *name, uint64_t offset_ns, const struct dist_part *part,
	unsigned parts, struct err *err)
{
	const struct mixture m = {.part = part, .parts = parts};
	int code = check_parts(name, part, parts, err);
	struct dist_values *v;
	double x = 0;

	if (code)
		return code;
	v = calloc(1, sizeof *v);
	if (!v)
		return err_sys(err, -ENOMEM, "distribution '%s'", name);
	v->count = MIXTURE_POINTS;
	for (unsigned i = 0; i < MIXTURE_POINTS; i++) {
		double share = (i + 0.5) / MIXTURE_POINTS, high = x + NS_PER_US;

		while (high < (double)LINK_DELAY_NS_MAX && mixture_cdf(high, &m) < share)
			high = x + 2 * (high - x);
		if (high >= (double)LINK_DELAY_NS_MAX ||
			offset_ns > LINK_DELAY_NS_MAX - (uint64_t)high) {
			free(v);
			return err_usage(err, "distribution '%s': 1 of %u delays is over %llu s",
				name, MIXTURE_POINTS - i,
				(unsigned long long)(LINK_DELAY_NS_MAX / NS_PER_S));
		}
		x = invert(mixture_cdf, &m, share, x, high);
		v->value[i] = (int64_t)(offset_ns + (uint64_t)llrint(x));
	}
	code = dist_add(name, v, err);
	free(v);
	return code;
}

/* Value number (i + 1/2) / count is value[i]; straight lines are between. */
static int64_t row_at(const struct row *row, uint32_t u)
{
	const uint64_t half = 1ull << 31;
	uint64_t at = (uint64_t)u * row->count;
	uint64_t i, part;

	at = at > half ? at - half : 0;
	i = at >> 32;
	part = at & UINT32_MAX;
	if (i + 1 >= row->count)
		return row->value[row->count - 1];
	return row->value[i] +
	       (int64_t)(((__int128)(row->value[i + 1] - row->value[i]) * part) >> 32);
}

uint64_t dist_draw_ns(unsigned dist, uint64_t delay_ns, uint64_t jitter_ns, uint32_t u)
{
	const struct row *row = row_of(dist);
	int64_t ns;

	if (!row)
		return delay_ns - jitter_ns +
		       (uint64_t)(((__uint128_t)(2 * jitter_ns + 1) * u) >> 32);
	if (!row->shape)
		return (uint64_t)row_at(row, u);
	ns = (int64_t)delay_ns +
	     (int64_t)(((__int128)jitter_ns * row_at(row, u)) >> DIST_UNIT_BITS);
	return ns > 0 ? (uint64_t)ns : 0;
}

uint64_t dist_nth_ns(unsigned dist, uint64_t n)
{
	const struct row *row = row_of(dist);

	return row && row->replay ? (uint64_t)row->order[n % row->count] : 0;
}

uint64_t dist_quantile_ns(unsigned dist, uint64_t delay_ns, uint64_t jitter_ns, double share)
{
	return dist_draw_ns(dist, delay_ns, jitter_ns, (uint32_t)(share * UINT32_MAX));
}

uint64_t dist_max_ns(unsigned dist, uint64_t delay_ns, uint64_t jitter_ns)
{
	return dist_draw_ns(dist, delay_ns, jitter_ns, UINT32_MAX);
}

uint64_t dist_mean_ns(unsigned dist)
{
	const struct row *row = row_of(dist);

	return row ? row->mean_ns : 0;
}

int dist_to_netem(unsigned dist, uint64_t delay_ns, uint64_t jitter_ns, int16_t table[DIST_POINTS],
	uint64_t *ret_latency_ns, uint64_t *ret_jitter_ns)
{
	const uint32_t step = (uint32_t)((1ull << 32) / DIST_POINTS);
	uint64_t low = dist_draw_ns(dist, delay_ns, jitter_ns, step / 2);
	uint64_t high = dist_draw_ns(dist, delay_ns, jitter_ns, UINT32_MAX - step / 2);
	uint64_t middle = low + (high - low) / 2;
	/* Rounded up, so that the outermost values fit. */
	uint64_t unit = ((high - middle) * NETEM_UNIT + NETEM_VALUE_MAX - 1) / NETEM_VALUE_MAX;

	*ret_latency_ns = middle;
	*ret_jitter_ns = unit;
	if (unit > INT32_MAX)
		return -ERANGE;
	for (unsigned i = 0; unit && i < DIST_POINTS; i++) {
		uint64_t ns = dist_draw_ns(dist, delay_ns, jitter_ns, i * step + step / 2);
		double x = ((double)ns - (double)middle) * NETEM_UNIT / (double)unit;

		table[i] = (int16_t)lrint(x);
	}
	return 0;
}
