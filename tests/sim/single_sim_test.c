/* SPDX-License-Identifier: MIT */
/* single_sim_test.c - single under loss, reordering, cuts and crashes */
#include "tests/sim/hold.h"

static void run(uint64_t first, uint64_t count, unsigned nodes)
{
	const struct sim_seeds seeds = {
		.ops = &single_ops,
		.level = {PROTO_QUORUM, PROTO_QUORUM},
		.nodes = nodes,
		.first = first,
		.count = count,
	};

	hold_seeds(&seeds, 1);
}

static void single__300_seeds_are_linearizable_and_lose_nothing(void **state)
{
	(void)state;
	run(1, 300, 0);
}

static void single__100_seeds_of_one_replica(void **state)
{
	(void)state;
	run(10001, 100, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single__300_seeds_are_linearizable_and_lose_nothing),
		cmocka_unit_test(single__100_seeds_of_one_replica),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
