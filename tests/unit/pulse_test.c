/* SPDX-License-Identifier: MIT */
/* pulse_test.c - rates and latencies of the last second, from counters that only grow */
#include "agent/lab/pulse.h"

#include <stdlib.h>

#include "agent/base/clock.h"
#include "tests/lib/test.h"

#define TICK (NS_PER_S / 10)

static struct load_shared *shared;
static struct pulse *pulse;
static struct pulse_rates rates;

static int setup(void **state)
{
	(void)state;
	shared = calloc(1, sizeof *shared);
	pulse = calloc(1, sizeof *pulse);
	assert_non_null(shared);
	assert_non_null(pulse);
	pulse_init(pulse, shared, 3, 2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(shared);
	free(pulse);
	return 0;
}

/* As a client counts: in a phase, at a site. */
static void answer(unsigned phase, unsigned site, enum load_kind kind, uint64_t took_ns)
{
	shared->tally[phase][site].ok++;
	shared->latency[site].bucket[kind][hist_bucket(took_ns)]++;
}

static void assert_near(uint64_t is, uint64_t about)
{
	assert_in_range(is, about - about / 50, about + about / 50);
}

static void pulse__knows_nothing_before_the_second_sample(void **state)
{
	(void)state;
	pulse_rates(pulse, &rates);
	assert_false(rates.known);
	pulse_take(pulse, NS_PER_S);
	pulse_rates(pulse, &rates);
	assert_false(rates.known);
	/* Too soon to be one of its own. */
	pulse_take(pulse, NS_PER_S + TICK / 2);
	pulse_rates(pulse, &rates);
	assert_false(rates.known);
}

static void pulse__forgets_what_is_older_than_a_second(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= 40; i++) {
		pulse_take(pulse, NS_PER_S + i * TICK);
		/* 5 reads in each tick, of 2 ms in the first two seconds, then of 20 ms. */
		for (unsigned k = 0; k < 5; k++)
			answer(i / 20, k % 2, LOAD_READ, i < 20 ? 2000000 : 20000000);
		if (i < 20)
			shared->tally[0][1].unknown++;
	}
	pulse_rates(pulse, &rates);
	assert_true(rates.known);
	assert_near((uint64_t)rates.ok_per_s, 50);
	assert_true(rates.failed_per_s == 0);
	assert_int_equal(rates.answers[LOAD_READ], 50);
	assert_int_equal(rates.answers[LOAD_WRITE], 0);
	assert_near(rates.p50_ns[LOAD_READ], 20000000);
	assert_near(rates.p99_ns[LOAD_READ], 20000000);
}

static void pulse__takes_the_time_between_rare_samples(void **state)
{
	(void)state;
	pulse_take(pulse, NS_PER_S);
	for (unsigned i = 0; i < 100; i++)
		answer(0, 0, LOAD_WRITE, 1000000 * (i + 1));
	shared->tally[0][0].failed = 10;
	pulse_take(pulse, 6 * NS_PER_S);
	pulse_rates(pulse, &rates);
	assert_int_equal(rates.span_ns, 5 * NS_PER_S);
	assert_near((uint64_t)rates.ok_per_s, 20);
	assert_near((uint64_t)(rates.failed_per_s * 100), 200);
	assert_near(rates.p50_ns[LOAD_WRITE], 50000000);
	assert_near(rates.p99_ns[LOAD_WRITE], 99000000);
}

static void pulse__survives_a_counter_that_goes_round(void **state)
{
	(void)state;
	shared->latency[1].bucket[LOAD_READ][hist_bucket(1000)] = UINT32_MAX - 1;
	pulse_take(pulse, NS_PER_S);
	for (unsigned i = 0; i < 4; i++)
		answer(2, 1, LOAD_READ, 1000);
	pulse_take(pulse, 2 * NS_PER_S);
	pulse_rates(pulse, &rates);
	assert_int_equal(rates.answers[LOAD_READ], 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			pulse__knows_nothing_before_the_second_sample, setup, teardown),
		cmocka_unit_test_setup_teardown(
			pulse__forgets_what_is_older_than_a_second, setup, teardown),
		cmocka_unit_test_setup_teardown(
			pulse__takes_the_time_between_rare_samples, setup, teardown),
		cmocka_unit_test_setup_teardown(
			pulse__survives_a_counter_that_goes_round, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
