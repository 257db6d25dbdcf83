/* SPDX-License-Identifier: MIT */
/* zone_sim_test.c - zone under loss, reordering, cuts and crashes; settings are drawn by seed */
#include "tests/sim/hold.h"

static void run(const char *settings, enum proto_level read, uint64_t first, uint64_t count)
{
	const struct sim_seeds seeds = {
		.ops = &zone_ops,
		.level = {read, PROTO_ONE},
		.settings = settings,
		.first = first,
		.count = count,
	};

	hold_seeds(&seeds, 1);
}

static void zone__150_seeds_read_nothing_older_than_claimed(void **state)
{
	(void)state;
	run(NULL, PROTO_ONE, 1, 150);
}

static void zone__50_seeds_of_copies_only(void **state)
{
	(void)state;
	run("secondaries=4 journal_kib=1", PROTO_ONE, 2001, 50);
}

static void zone__50_seeds_of_refresh_only(void **state)
{
	(void)state;
	run("secondaries=1 notify=no", PROTO_ONE, 3001, 50);
}

static void zone__100_seeds_at_the_primary_are_linearizable(void **state)
{
	(void)state;
	run(NULL, PROTO_QUORUM, 4001, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zone__150_seeds_read_nothing_older_than_claimed),
		cmocka_unit_test(zone__50_seeds_of_copies_only),
		cmocka_unit_test(zone__50_seeds_of_refresh_only),
		cmocka_unit_test(zone__100_seeds_at_the_primary_are_linearizable),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
