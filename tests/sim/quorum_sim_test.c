/* SPDX-License-Identifier: MIT */
/* quorum_sim_test.c - quorum under loss, reordering, cuts and crashes */
#include "tests/sim/hold.h"

static void run(enum proto_level read, enum proto_level write, uint64_t skew_ns, uint64_t count)
{
	const struct sim_seeds seeds = {
		.ops = &quorum_ops,
		.level = {read, write},
		.first = 1,
		.count = count,
		.skew_ns = skew_ns,
	};

	hold_seeds(&seeds, 1.0 / 3);
}

static void quorum__200_seeds_at_quorum_are_linearizable_and_lose_nothing(void **state)
{
	(void)state;
	run(PROTO_QUORUM, PROTO_QUORUM, 0, 200);
}

static void quorum__100_seeds_at_all_are_linearizable(void **state)
{
	(void)state;
	run(PROTO_ALL, PROTO_ALL, 0, 100);
}

static void quorum__100_seeds_of_reads_at_all_and_writes_at_one_are_linearizable(void **state)
{
	(void)state;
	run(PROTO_ALL, PROTO_ONE, 0, 100);
}

static void quorum__100_seeds_at_one_converge(void **state)
{
	(void)state;
	run(PROTO_ONE, PROTO_ONE, 0, 100);
}

static void quorum__100_seeds_with_skewed_clocks_converge(void **state)
{
	(void)state;
	run(PROTO_QUORUM, PROTO_QUORUM, 100 * NS_PER_MS, 100);
}

/* Settings of a run that sim_plan_draw() does not draw. */
struct repairs {
	enum proto_level read, write;
	uint64_t anti_entropy_ns;
	uint64_t hint_ns_max;
	uint64_t tombstone_ns;
	bool sloppy;
	unsigned nodes; /* 0: 3 or 5 */
};

/* No reads help: sim_plan_run() waits for convergence before the final ones. */
static void run_repairing(const struct repairs *r, uint64_t count)
{
	const enum proto_level level[2] = {r->read, r->write};
	uint64_t ok = 0;

	for (uint64_t seed = 1; seed <= count; seed++) {
		struct sim_outcome out;
		struct sim_plan plan;

		sim_plan_draw(&plan, &quorum_ops,
			r->nodes   ? r->nodes
			: seed % 2 ? 3
				   : 5,
			seed, level);
		plan.world.proto.anti_entropy_ns = r->anti_entropy_ns;
		plan.world.proto.hint_ns_max = r->hint_ns_max;
		plan.world.proto.tombstone_ns = r->tombstone_ns;
		plan.world.proto.sloppy = r->sloppy;
		if (sim_plan_run(&plan, &out))
			fail_msg("seed %" PRIu64 " step %" PRIu64 ": %s", seed, out.steps,
				out.violation);
		ok += out.ok;
	}
	assert_true(ok > count * 100);
}

static void quorum__100_seeds_without_hints_converge_by_anti_entropy_alone(void **state)
{
	const struct repairs r = {.read = PROTO_ONE,
		.write = PROTO_ONE,
		.anti_entropy_ns = NS_PER_S,
		.hint_ns_max = 1};

	(void)state;
	run_repairing(&r, 100);
}

static void quorum__100_seeds_with_anti_entropy_stay_linearizable(void **state)
{
	const struct repairs r = {.read = PROTO_QUORUM,
		.write = PROTO_QUORUM,
		.anti_entropy_ns = 300 * NS_PER_MS,
		.hint_ns_max = NS_PER_S,
		.tombstone_ns = NS_PER_S};

	(void)state;
	run_repairing(&r, 100);
}

static void quorum__60_seeds_of_sloppy_writes_converge(void **state)
{
	const struct repairs r = {.read = PROTO_QUORUM,
		.write = PROTO_QUORUM,
		.anti_entropy_ns = NS_PER_S,
		.sloppy = true,
		.nodes = 5};

	(void)state;
	run_repairing(&r, 60);
}

static void quorum__40_seeds_at_two_and_three_keep_their_claims(void **state)
{
	const struct repairs two = {.read = PROTO_TWO, .write = PROTO_TWO};
	const struct repairs mixed = {.read = PROTO_THREE, .write = PROTO_TWO};

	(void)state;
	run(PROTO_TWO, PROTO_ALL, 0, 40);
	run_repairing(&two, 40);
	run_repairing(&mixed, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quorum__200_seeds_at_quorum_are_linearizable_and_lose_nothing),
		cmocka_unit_test(quorum__100_seeds_at_all_are_linearizable),
		cmocka_unit_test(
			quorum__100_seeds_of_reads_at_all_and_writes_at_one_are_linearizable),
		cmocka_unit_test(quorum__100_seeds_at_one_converge),
		cmocka_unit_test(quorum__100_seeds_with_skewed_clocks_converge),
		cmocka_unit_test(quorum__100_seeds_without_hints_converge_by_anti_entropy_alone),
		cmocka_unit_test(quorum__100_seeds_with_anti_entropy_stay_linearizable),
		cmocka_unit_test(quorum__60_seeds_of_sloppy_writes_converge),
		cmocka_unit_test(quorum__40_seeds_at_two_and_three_keep_their_claims),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
