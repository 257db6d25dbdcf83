/* SPDX-License-Identifier: MIT */
/* abd_sim_test.c - abd under loss, reordering, cuts and crashes */
#include "tests/sim/hold.h"

static void run(enum proto_level read, enum proto_level write, uint64_t skew_ns, uint64_t count)
{
	const struct sim_seeds seeds = {
		.ops = &abd_ops,
		.level = {read, write},
		.first = 1,
		.count = count,
		.skew_ns = skew_ns,
	};

	hold_seeds(&seeds, 1.0 / 3);
}

static void abd__200_seeds_are_linearizable_and_lose_nothing(void **state)
{
	(void)state;
	run(PROTO_QUORUM, PROTO_QUORUM, 0, 200);
}

static void abd__60_seeds_of_writes_at_all_are_linearizable(void **state)
{
	(void)state;
	run(PROTO_ONE, PROTO_ALL, 0, 60);
}

static void abd__60_seeds_with_clocks_that_lie_are_alike_in_the_end(void **state)
{
	(void)state;
	run(PROTO_QUORUM, PROTO_QUORUM, 500 * NS_PER_MS, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(abd__200_seeds_are_linearizable_and_lose_nothing),
		cmocka_unit_test(abd__60_seeds_of_writes_at_all_are_linearizable),
		cmocka_unit_test(abd__60_seeds_with_clocks_that_lie_are_alike_in_the_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
