/* SPDX-License-Identifier: MIT */
/* causal_sim_test.c - causal under loss, reordering, cuts, crashes and wrong clocks */
#include "tests/sim/hold.h"

static void run(unsigned nodes, uint64_t skew_ns, uint64_t count)
{
	const struct sim_seeds seeds = {
		.ops = &causal_ops,
		.level = {PROTO_ONE, PROTO_ONE},
		.first = 1,
		.count = count,
		.skew_ns = skew_ns,
		.nodes = nodes,
	};

	hold_seeds(&seeds, 3);
}

static void causal__200_seeds_are_causal_converge_and_lose_nothing(void **state)
{
	(void)state;
	run(0, 0, 200);
}

static void causal__40_seeds_of_seven_replicas(void **state)
{
	(void)state;
	run(7, 0, 40);
}

static void causal__100_seeds_with_clocks_wrong_by_a_second_are_causal(void **state)
{
	(void)state;
	run(0, NS_PER_S, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(causal__200_seeds_are_causal_converge_and_lose_nothing),
		cmocka_unit_test(causal__40_seeds_of_seven_replicas),
		cmocka_unit_test(causal__100_seeds_with_clocks_wrong_by_a_second_are_causal),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
