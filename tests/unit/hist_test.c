/* SPDX-License-Identifier: MIT */
/* hist_test.c - quantiles stay within the resolution that hist.h promises */
#include "agent/base/hist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/prng.h"
#include "tests/lib/test.h"

#define VALUES 20000
#define RESOLUTION (1.0 / 64)

static struct hist *new_hist(void)
{
	struct hist *h = calloc(1, sizeof *h);

	assert_non_null(h);
	return h;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void hist__of_nothing_is_zero(void **state)
{
	struct hist *h = new_hist();

	(void)state;
	assert_int_equal(hist_quantile(h, 0.5), 0);
	assert_int_equal(h->max, 0);
	free(h);
}

/* From nanoseconds to days: every magnitude, each value alone in a histogram. */
static void hist__holds_any_value(void **state)
{
	struct prng prng;

	(void)state;
	prng_init(&prng, 1, 0);
	for (int bits = 0; bits < 64; bits++) {
		for (int i = 0; i < 8; i++) {
			uint64_t value = (1ull << bits) | (prng_next(&prng) & ((1ull << bits) - 1));
			struct hist *h = new_hist();
			double error;

			hist_add(h, value);
			error = fabs((double)hist_quantile(h, 0.5) - (double)value);
			assert_true(error <= (double)value * RESOLUTION);
			assert_true(hist_quantile(h, 1.0) <= value);
			free(h);
		}
	}
}

static void hist__is_exact_below_64_and_at_the_ends(void **state)
{
	struct hist *h = new_hist();

	(void)state;
	for (uint64_t i = 0; i < 64; i++)
		hist_add(h, i);
	assert_int_equal(hist_quantile(h, 0.0), 0);
	assert_int_equal(hist_quantile(h, 0.25), 15);
	assert_int_equal(hist_quantile(h, 0.5), 31);
	assert_int_equal(hist_quantile(h, 1.0), 63);
	hist_add(h, UINT64_MAX);
	assert_true(h->max == UINT64_MAX);
	assert_int_equal(hist_quantile(h, 0.5), 32); /* number 33 of 65 */
	free(h);
}

static void hist_quantile__is_within_the_resolution(void **state)
{
	static const double quantiles[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0};
	uint64_t *values = calloc(VALUES, sizeof *values);
	struct hist *h = new_hist();
	struct prng prng;

	(void)state;
	assert_non_null(values);
	prng_init(&prng, 1, 0);
	for (int i = 0; i < VALUES; i++) {
		values[i] = (uint64_t)prng_exp(&prng, 20e6);
		hist_add(h, values[i]);
	}
	qsort(values, VALUES, sizeof *values, compare);
	for (unsigned i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
		uint64_t exact = values[(int)ceil(quantiles[i] * VALUES) - 1];
		uint64_t got = hist_quantile(h, quantiles[i]);

		assert_true(fabs((double)got - (double)exact) <= (double)exact * RESOLUTION);
	}
	assert_int_equal(h->max, values[VALUES - 1]);
	free(h);
	free(values);
}

static void hist_merge__is_the_same_as_adding_all(void **state)
{
	struct hist *one = new_hist();
	struct hist *two = new_hist();
	struct hist *all = new_hist();
	struct prng prng;

	(void)state;
	prng_init(&prng, 1, 0);
	for (int i = 0; i < VALUES; i++) {
		uint64_t value = prng_below(&prng, 1000000000);

		hist_add(i % 3 ? one : two, value);
		hist_add(all, value);
	}
	hist_merge(one, two);
	assert_memory_equal(one, all, sizeof *all);
	free(one);
	free(two);
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hist__of_nothing_is_zero),
		cmocka_unit_test(hist__holds_any_value),
		cmocka_unit_test(hist__is_exact_below_64_and_at_the_ends),
		cmocka_unit_test(hist_quantile__is_within_the_resolution),
		cmocka_unit_test(hist_merge__is_the_same_as_adding_all),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
