/* SPDX-License-Identifier: MIT */
/* raft_sim_test.c - raft under loss, reordering, cuts and crashes */
#include <string.h>

#include "agent/sim/sim_script.h"
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

/* While a snapshot is taken, entries are appended, and then some are cut off that it had not come
 * to: what was appended stands behind it in the log, beyond a gap. */
static void raft__restores_a_snapshot_whose_log_was_cut_under_it(void **state)
{
	(void)state;
	run(48187, 1, 0, 0.1);
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

/* What sim_check.c counts: each of these must really happen, or nothing was shown of it. */
static void raft__seeds_send_tables_hand_over_change_members_and_read_by_lease(void **state)
{
	const struct sim_seeds seeds = {
		.ops = &raft_ops,
		.level = {PROTO_QUORUM, PROTO_QUORUM},
		.first = 1001,
		.count = 60,
	};
	struct sim_outcome out;
	uint64_t seed;

	(void)state;
	if (sim_seeds_run(&seeds, &out, &seed))
		fail_msg("seed %" PRIu64 " step %" PRIu64 ": %s", seed, out.steps, out.violation);
	assert_true(out.count[SIM_TABLES] >= 5);
	assert_true(out.count[SIM_HANDED] >= 10);
	assert_true(out.count[SIM_MEMBERS] >= 30);
	assert_true(out.count[SIM_AT_ONCE] >= 200);
}

/*
 * Runs with leases on clocks that are wrong by up to @drift_ppm, whose leaders are cut off.
 * Return: seeds until a read was stale, 0: none was.
 */
static unsigned stale_after(uint32_t drift_ppm, unsigned seeds)
{
	const enum proto_level level[2] = {PROTO_LEASE, PROTO_QUORUM};

	for (unsigned i = 1; i <= seeds; i++) {
		struct sim_plan plan;
		struct sim_outcome out;

		sim_plan_draw(&plan, &raft_ops, 3, 2000 + i, level);
		plan.drift_ppm = drift_ppm;
		plan.cuts = true;
		plan.faults = 1u << SIM_ACT_NODE | 1u << SIM_ACT_HALVES;
		plan.fault_ns = 50 * NS_PER_MS; /* most of the kinds drawn are none of these */
		plan.think_ns = 5 * NS_PER_MS;
		plan.world.delay_ns = NS_PER_MS;
		if (!sim_plan_run(&plan, &out))
			continue;
		if (!strstr(out.violation, "not linearizable"))
			fail_msg("seed %u: %s", 2000 + i, out.violation);
		return i;
	}
	return 0;
}

/* The fastest clock against the slowest: 1.05 / 0.95 is less than 1 / (1 - RAFT_DRIFT_PPM). */
static void raft__leases_hold_while_clocks_differ_by_less_than_is_allowed_for(void **state)
{
	(void)state;
	assert_int_equal(stale_after(50000, 80), 0);
}

static void raft__leases_are_found_out_where_clocks_differ_by_more(void **state)
{
	(void)state;
	assert_int_not_equal(stale_after(600000, 200), 0);
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
		cmocka_unit_test(
			raft__seeds_send_tables_hand_over_change_members_and_read_by_lease),
		cmocka_unit_test(raft__leases_hold_while_clocks_differ_by_less_than_is_allowed_for),
		cmocka_unit_test(raft__leases_are_found_out_where_clocks_differ_by_more),
		cmocka_unit_test(raft__restores_a_snapshot_whose_log_was_cut_under_it),
		cmocka_unit_test(raft__works_with_101_replicas),
		cmocka_unit_test(sim__the_same_seed_gives_the_same_run),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
