/* SPDX-License-Identifier: MIT */
/* raft_sim_test.c - raft under loss, reordering, cuts and crashes */
#include "tests/sim/hold.h"

static void run(uint64_t first, uint64_t count, unsigned nodes, double ok_per_failure)
{
	const struct sim_seeds seeds = {
		.ops = &raft_ops,
		.level = {PROTO_QUORUM, PROTO_QUORUM},
		.nodes = nodes,
		.first = first,
		.count = count,
	};

	hold_seeds(&seeds, ok_per_failure);
}

static void raft__200_seeds_are_linearizable_and_lose_nothing(void **state)
{
	(void)state;
	run(1, 200, 0, 1);
}

static void raft__100_seeds_of_seven_replicas(void **state)
{
	(void)state;
	run(10001, 100, 7, 1);
}

static void raft__100_seeds_of_two_replicas_and_of_one(void **state)
{
	(void)state;
	run(20001, 50, 2, 0.3);
	run(20051, 50, 1, 0.3);
}

static void raft__works_with_101_replicas(void **state)
{
	const enum proto_level level[2] = {PROTO_QUORUM, PROTO_QUORUM};
	struct sim_plan plan;
	struct sim_outcome out;

	(void)state;
	sim_plan_draw(&plan, &raft_ops, 101, 1, level);
	plan.duration_ns = 2 * NS_PER_S;
	plan.crashes = true;
	if (sim_plan_run(&plan, &out))
		fail_msg("step %" PRIu64 ": %s", out.steps, out.violation);
	assert_true(out.ok > 100);
}

static void sim__the_same_seed_gives_the_same_run(void **state)
{
	struct sim_seeds seeds = {
		.ops = &raft_ops,
		.level = {PROTO_QUORUM, PROTO_QUORUM},
		.first = 4,
		.count = 3,
	};
	struct sim_outcome a, b;
	uint64_t seed;

	(void)state;
	assert_int_equal(sim_seeds_run(&seeds, &a, &seed), 0);
	assert_int_equal(sim_seeds_run(&seeds, &b, &seed), 0);
	assert_int_equal(a.steps, b.steps);
	assert_int_equal(a.messages, b.messages);
	assert_int_equal(a.ok, b.ok);
	seeds.first = 5;
	assert_int_equal(sim_seeds_run(&seeds, &b, &seed), 0);
	assert_int_not_equal(a.steps, b.steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raft__200_seeds_are_linearizable_and_lose_nothing),
		cmocka_unit_test(raft__100_seeds_of_seven_replicas),
		cmocka_unit_test(raft__100_seeds_of_two_replicas_and_of_one),
		cmocka_unit_test(raft__works_with_101_replicas),
		cmocka_unit_test(sim__the_same_seed_gives_the_same_run),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
