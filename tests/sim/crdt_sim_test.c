/* SPDX-License-Identifier: MIT */
/* crdt_sim_test.c - crdt under loss, reordering, cuts and crashes */
#include "tests/sim/hold.h"

static void run(const char *settings, unsigned nodes, uint64_t skew_ns, uint64_t count)
{
	const struct sim_seeds seeds = {
		.ops = &crdt_ops,
		.level = {PROTO_ONE, PROTO_ONE},
		.settings = settings,
		.nodes = nodes,
		.first = 1,
		.count = count,
		.skew_ns = skew_ns,
	};

	hold_seeds(&seeds, 5);
}

static void crdt__40_seeds_converge_and_lose_nothing_that_merges(void **state)
{
	(void)state;
	run(NULL, 0, 0, 40);
}

static void crdt__25_seeds_with_values_side_by_side(void **state)
{
	(void)state;
	run("register=mv", 0, 0, 25);
}

static void crdt__15_seeds_with_skewed_clocks(void **state)
{
	(void)state;
	run(NULL, 0, 500 * NS_PER_MS, 15);
}

static void crdt__10_seeds_by_deltas_alone_unless_too_far_behind(void **state)
{
	(void)state;
	run("anti_entropy=0s", 0, 0, 10);
}

static void crdt__4_seeds_of_nine_replicas(void **state)
{
	(void)state;
	run("register=mv anti_entropy=300ms", 9, 0, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crdt__40_seeds_converge_and_lose_nothing_that_merges),
		cmocka_unit_test(crdt__25_seeds_with_values_side_by_side),
		cmocka_unit_test(crdt__15_seeds_with_skewed_clocks),
		cmocka_unit_test(crdt__10_seeds_by_deltas_alone_unless_too_far_behind),
		cmocka_unit_test(crdt__4_seeds_of_nine_replicas),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
