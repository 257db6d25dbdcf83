/* SPDX-License-Identifier: MIT */
/* zab_sim_test.c - zab, and raft's sessions, under loss, reordering, cuts and crashes */
#include "tests/sim/hold.h"

static void run(const struct proto_ops *ops, enum proto_level read, const char *settings,
	uint64_t first, uint64_t count)
{
	const struct sim_seeds seeds = {
		.ops = ops,
		.level = {read, PROTO_QUORUM},
		.settings = settings,
		.first = first,
		.count = count,
	};

	hold_seeds(&seeds, 1);
}

static void zab__200_seeds_after_a_sync_are_linearizable_and_lose_nothing(void **state)
{
	(void)state;
	run(&zab_ops, PROTO_QUORUM, NULL, 1, 200);
}

static void zab__200_seeds_of_local_reads_are_sequential_for_sessions_that_move(void **state)
{
	(void)state;
	run(&zab_ops, PROTO_ONE, NULL, 1001, 200);
}

static void zab__60_seeds_of_two_replicas_and_of_one(void **state)
{
	struct sim_seeds seeds = {
		.ops = &zab_ops,
		.level = {PROTO_ONE, PROTO_QUORUM},
		.nodes = 2,
		.first = 2001,
		.count = 30,
	};

	(void)state;
	hold_seeds(&seeds, 0.3);
	seeds.nodes = 1;
	hold_seeds(&seeds, 0.3);
}

static void zab__60_seeds_of_seven_replicas(void **state)
{
	struct sim_seeds seeds = {
		.ops = &zab_ops,
		.level = {PROTO_QUORUM, PROTO_QUORUM},
		.nodes = 7,
		.first = 3001,
		.count = 60,
	};

	(void)state;
	hold_seeds(&seeds, 1);
}

static void raft__100_seeds_of_local_reads_are_sequential_for_sessions_that_move(void **state)
{
	(void)state;
	run(&raft_ops, PROTO_ONE, "sessions=yes", 4001, 100);
}

static void raft__60_seeds_of_an_unconfirmed_leader_converge_and_lose_nothing(void **state)
{
	(void)state;
	run(&raft_ops, PROTO_QUORUM, "unconfirmed=yes", 5001, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zab__200_seeds_after_a_sync_are_linearizable_and_lose_nothing),
		cmocka_unit_test(
			zab__200_seeds_of_local_reads_are_sequential_for_sessions_that_move),
		cmocka_unit_test(zab__60_seeds_of_two_replicas_and_of_one),
		cmocka_unit_test(zab__60_seeds_of_seven_replicas),
		cmocka_unit_test(
			raft__100_seeds_of_local_reads_are_sequential_for_sessions_that_move),
		cmocka_unit_test(raft__60_seeds_of_an_unconfirmed_leader_converge_and_lose_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
