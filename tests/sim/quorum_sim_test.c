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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quorum__200_seeds_at_quorum_are_linearizable_and_lose_nothing),
		cmocka_unit_test(quorum__100_seeds_at_all_are_linearizable),
		cmocka_unit_test(
			quorum__100_seeds_of_reads_at_all_and_writes_at_one_are_linearizable),
		cmocka_unit_test(quorum__100_seeds_at_one_converge),
		cmocka_unit_test(quorum__100_seeds_with_skewed_clocks_converge),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
