/* SPDX-License-Identifier: MIT */
/* prng_test.c - the generator gives the published numbers, and streams that do not meet */
#include "agent/base/prng.h"

#include <math.h>

#include "tests/lib/test.h"

#define DRAWS 20000

/* The state {1, 2, 3, 4} and its numbers are the usual test of xoshiro256** implementations. */
static void prng_next__gives_the_published_sequence(void **state)
{
	static const uint64_t want[] = {11520, 0, 1509978240, 1215971899390074240,
		1216172134540287360, 607988272756665600, 16172922978634559625u, 8476171486693032832,
		10595114339597558777u, 2904607092377533576};
	struct prng prng = {.s = {1, 2, 3, 4}};

	(void)state;
	for (unsigned i = 0; i < sizeof want / sizeof *want; i++)
		assert_int_equal(prng_next(&prng), want[i]);
}

/* Stored seeds must mean the same lab in every later version: these may never change. */
static void prng_init__keeps_its_meaning_of_seed_and_stream(void **state)
{
	static const struct {
		uint64_t seed, stream, first, second;
	} want[] = {
		{7, 0, 0x350aaf92305fb1bf, 0x6d396cec7d24ea67},
		{7, 1, 0x16cd47cafa1617c5, 0x64c0d3f44a9b8a46},
		{0, 0, 0xfb5405f7bd79c540, 0x780c98e26cea5883},
	};
	struct prng prng;

	(void)state;
	for (unsigned i = 0; i < sizeof want / sizeof *want; i++) {
		prng_init(&prng, want[i].seed, want[i].stream);
		assert_int_equal(prng_next(&prng), want[i].first);
		assert_int_equal(prng_next(&prng), want[i].second);
	}
}

/* Independent streams agree in half of their bits: 32 +- 4 standard errors of 4 / sqrt(DRAWS). */
static void prng_init__makes_streams_independent(void **state)
{
	(void)state;
	for (uint64_t stream = 1; stream <= 8; stream++) {
		uint64_t differing = 0;
		struct prng a, b;

		prng_init(&a, 42, 0);
		prng_init(&b, 42, stream);
		for (int i = 0; i < DRAWS; i++)
			differing += (uint64_t)__builtin_popcountll(prng_next(&a) ^ prng_next(&b));
		assert_true(fabs((double)differing / DRAWS - 32.0) < 4 * 4 / sqrt(DRAWS));
	}
}

static void prng_init__does_not_mix_up_seed_and_stream(void **state)
{
	struct prng a, b;

	(void)state;
	prng_init(&a, 1, 2);
	prng_init(&b, 2, 1);
	assert_true(prng_next(&a) != prng_next(&b));
}

static void prng_below__is_in_range_and_even(void **state)
{
	unsigned seen[10] = {0};
	struct prng prng;

	(void)state;
	prng_init(&prng, 1, 0);
	for (int i = 0; i < DRAWS; i++) {
		uint64_t n = prng_below(&prng, 10);

		assert_true(n < 10);
		seen[n]++;
	}
	for (int i = 0; i < 10; i++)
		assert_true(seen[i] > DRAWS * 0.085 && seen[i] < DRAWS * 0.115);
	assert_int_equal(prng_below(&prng, 1), 0);
	assert_true(prng_below(&prng, UINT64_MAX) < UINT64_MAX);
}

static void prng_unit__is_in_the_half_open_interval(void **state)
{
	double sum = 0;
	struct prng prng;

	(void)state;
	prng_init(&prng, 1, 0);
	for (int i = 0; i < DRAWS; i++) {
		double x = prng_unit(&prng);

		assert_true(x >= 0 && x < 1);
		sum += x;
	}
	assert_true(fabs(sum / DRAWS - 0.5) < 0.02);
}

static void prng_exp__has_the_mean_and_is_finite(void **state)
{
	double sum = 0;
	struct prng prng;

	(void)state;
	prng_init(&prng, 1, 0);
	for (int i = 0; i < DRAWS; i++) {
		double x = prng_exp(&prng, 3.0);

		assert_true(x >= 0 && isfinite(x));
		sum += x;
	}
	assert_true(fabs(sum / DRAWS - 3.0) < 0.15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prng_next__gives_the_published_sequence),
		cmocka_unit_test(prng_init__keeps_its_meaning_of_seed_and_stream),
		cmocka_unit_test(prng_init__makes_streams_independent),
		cmocka_unit_test(prng_init__does_not_mix_up_seed_and_stream),
		cmocka_unit_test(prng_below__is_in_range_and_even),
		cmocka_unit_test(prng_unit__is_in_the_half_open_interval),
		cmocka_unit_test(prng_exp__has_the_mean_and_is_finite),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
