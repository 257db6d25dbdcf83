/* SPDX-License-Identifier: MIT */
/* elections_test.c - how long a crashed leader is missed, against what can be worked out */
#include "agent/sim/sim_elections.h"

#include "agent/base/clock.h"
#include "tests/lib/test.h"

#define TRIALS 300

static struct elections_wish wish_of(uint64_t min_ms, uint64_t max_ms)
{
	return (struct elections_wish){.replicas = 5,
		.election_min_ns = min_ms * NS_PER_MS,
		.election_max_ns = max_ms * NS_PER_MS,
		.heartbeat_ns = min_ms * NS_PER_MS / 2,
		.rtt_ns = 2 * NS_PER_MS,
		.jitter_ns = NS_PER_MS / 10,
		.plain = true,
		.seed = 3};
}

static double mean_ms(const struct elections_wish *wish, double *ret_least, double *ret_most)
{
	double sum = 0;

	*ret_least = 1e9;
	*ret_most = 0;
	for (unsigned i = 0; i < TRIALS; i++) {
		double ms = (double)elections_trial(wish, i) / NS_PER_MS;

		sum += ms;
		*ret_least = ms < *ret_least ? ms : *ret_least;
		*ret_most = ms > *ret_most ? ms : *ret_most;
	}
	return sum / TRIALS;
}

/*
 * The first of four timeouts, uniform in T .. T + r, passes r / 5 after T on average; the crash was
 * T / 4 after the heartbeat on average, which was half a round trip old; a vote takes one: 150 + 30
 * - 37.5 + 1 + 2 = 145.5 ms, and a little more where votes are split (1 % at this distance).
 */
static void elections_wide__timeouts_take_what_is_expected(void **state)
{
	const struct elections_wish wish = wish_of(150, 300);
	double least, most, mean = mean_ms(&wish, &least, &most);

	(void)state;
	assert_true(mean > 141 && mean < 153);
	assert_true(least > 75 && most < 600);
}

static void elections_close__timeouts_split_votes(void **state)
{
	const struct elections_wish wide = wish_of(150, 200), close = wish_of(150, 155);
	double least, most, longest;

	(void)state;
	(void)mean_ms(&wide, &least, &longest);
	(void)mean_ms(&close, &least, &most);
	assert_true(most > longest);
}

static void elections_equal__timeouts_never_end(void **state)
{
	const struct elections_wish wish = wish_of(150, 150);

	(void)state;
	assert_int_equal(elections_trial(&wish, 0), ELECTIONS_GIVE_UP_NS);
}

/* Two of four cannot win: who can is found later. */
static void elections_uneven__logs_take_longer(void **state)
{
	struct elections_wish wish = wish_of(150, 300);
	double least, most, even = mean_ms(&wish, &least, &most);

	(void)state;
	wish.uneven = 2;
	assert_true(mean_ms(&wish, &least, &most) > even + 5);
}

static void elections_seed__gives_the_same_again(void **state)
{
	const struct elections_wish wish = wish_of(12, 24);

	(void)state;
	assert_int_equal(elections_trial(&wish, 17), elections_trial(&wish, 17));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elections_wide__timeouts_take_what_is_expected),
		cmocka_unit_test(elections_close__timeouts_split_votes),
		cmocka_unit_test(elections_equal__timeouts_never_end),
		cmocka_unit_test(elections_uneven__logs_take_longer),
		cmocka_unit_test(elections_seed__gives_the_same_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("elections", tests, NULL, NULL);
}
