/* SPDX-License-Identifier: MIT */
/* measure_fit_test.c - round trips from medians at several distances, and what chance may do */
#include <math.h>

#include "tests/unit/make_run.h"

static void measure_fit__finds_the_round_trips(void **state)
{
	static const uint64_t rtts[] = {1, 10, 40};
	struct make_run *m = make_run_open("single");
	struct results *r;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		make_fit_phase(m, rtts[i]);
		for (unsigned k = 0; k < RESULTS_SAMPLES_MIN; k++) {
			uint64_t at = i * 1000 + k * 10;

			make_read(m, MAKE_WEST, at, at + 2 * rtts[i] + 3);
			make_write(m, MAKE_WEST, at, at + rtts[i]);
		}
	}
	r = make_measure(m);
	assert_int_equal(r->read_fit.points, 3);
	assert_near(r->read_fit.a_ms, 3);
	assert_near(r->read_fit.b, 2);
	assert_near(r->read_fit.theory, 1);
	assert_true(r->read_fit.b_low <= r->read_fit.b && r->read_fit.b <= r->read_fit.b_high);
	assert_near(r->write_fit.b, 1);
	make_run_close(m);
}

static void measure_fit__tells_what_chance_may_do(void **state)
{
	static const uint64_t rtts[] = {1, 10, 40};
	struct make_run *m = make_run_open("single");
	struct results *r;
	double low, high;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		make_fit_phase(m, rtts[i]);
		for (unsigned k = 0; k < RESULTS_SAMPLES_MIN; k++)
			make_read(m, MAKE_WEST, i * 1000 + k * 10,
				i * 1000 + k * 10 + rtts[i] + (k % 2 ? 8 : 0));
	}
	r = make_measure(m);
	low = r->read_fit.b_low;
	high = r->read_fit.b_high;
	assert_true(low < 1 && 1 < high && high - low < 0.6);
	r = make_measure(m);
	assert_true(r->read_fit.b_low == low && r->read_fit.b_high == high);
	make_run_close(m);
}

static void measure_fit__needs_three_points(void **state)
{
	struct make_run *m = make_run_open("single");
	struct results *r;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		make_fit_phase(m, 10 * (i + 1));
		/* The last phase lacks one answer. */
		for (unsigned k = 0; k < RESULTS_SAMPLES_MIN - (i == 2); k++)
			make_read(m, MAKE_EAST, i * 1000 + k, i * 1000 + k + 5);
	}
	r = make_measure(m);
	assert_int_equal(r->read_fit.points, 2);
	assert_true(isnan(r->read_fit.b) && isnan(r->read_fit.theory));
	assert_int_equal(r->write_fit.points, 0);
	make_run_close(m);
}

static void measure_fit__needs_different_distances(void **state)
{
	struct make_run *m = make_run_open("single");
	struct results *r;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		make_fit_phase(m, 10);
		for (unsigned k = 0; k < RESULTS_SAMPLES_MIN; k++)
			make_read(m, MAKE_EAST, i * 1000 + k, i * 1000 + k + 5);
	}
	r = make_measure(m);
	assert_true(r->read_fit.points < RESULTS_FIT_POINTS_MIN);
	make_run_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(measure_fit__finds_the_round_trips),
		cmocka_unit_test(measure_fit__tells_what_chance_may_do),
		cmocka_unit_test(measure_fit__needs_three_points),
		cmocka_unit_test(measure_fit__needs_different_distances),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
