/* SPDX-License-Identifier: MIT */
/* multimaster_sim_test.c - multimaster under loss, reordering, cuts and crashes */
#include "tests/sim/hold.h"

static void run(const char *settings, unsigned nodes, uint64_t count)
{
	const struct sim_seeds seeds = {
		.ops = &multimaster_ops,
		.level = {PROTO_ONE, PROTO_ONE},
		.settings = settings,
		.nodes = nodes,
		.first = 1,
		.count = count,
	};

	hold_seeds(&seeds, 3);
}

static void multimaster__50_seeds_converge_and_no_acknowledged_value_vanishes(void **state)
{
	(void)state;
	run(NULL, 0, 50);
}

/* Stemming makes conflicts that were none; replicas agree on them, too. */
static void multimaster__24_seeds_that_remember_little_converge(void **state)
{
	(void)state;
	run("revs=1", 0, 8);
	run("revs=2", 0, 8);
	run("revs=5", 0, 8);
}

static void multimaster__8_seeds_of_two_replicas_converge(void **state)
{
	(void)state;
	run(NULL, 2, 8);
}

static void multimaster__4_seeds_of_seven_replicas_converge(void **state)
{
	(void)state;
	run(NULL, 7, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(multimaster__50_seeds_converge_and_no_acknowledged_value_vanishes),
		cmocka_unit_test(multimaster__24_seeds_that_remember_little_converge),
		cmocka_unit_test(multimaster__8_seeds_of_two_replicas_converge),
		cmocka_unit_test(multimaster__4_seeds_of_seven_replicas_converge),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
