/* SPDX-License-Identifier: MIT */
/* chain_sim_test.c - chain under loss, reordering, cuts and crashes */
#include "tests/sim/hold.h"

static struct sim_seeds seeds_of(enum proto_level read, const char *settings, uint64_t count)
{
	return (struct sim_seeds){
		.ops = &chain_ops,
		.level = {read, PROTO_QUORUM},
		.settings = settings,
		.first = 1,
		.count = count,
	};
}

static void run(enum proto_level read, const char *settings, uint64_t count)
{
	const struct sim_seeds seeds = seeds_of(read, settings, count);

	hold_seeds(&seeds, 1.0 / 3);
}

static void chain__200_seeds_of_confirmed_reads_are_linearizable(void **state)
{
	(void)state;
	run(PROTO_QUORUM, NULL, 200);
}

static void chain__100_seeds_of_reads_by_lease_are_linearizable(void **state)
{
	(void)state;
	run(PROTO_LEASE, NULL, 100);
}

static void chain__100_seeds_of_reads_at_the_tail_are_linearizable(void **state)
{
	(void)state;
	run(PROTO_QUORUM, "reads=tail", 100);
}

static void chain__100_seeds_of_a_pipeline_of_three_are_linearizable(void **state)
{
	(void)state;
	run(PROTO_LEASE, "length=3 reads=head", 100);
}

/* A tail that has just come in itself offers its table to one who has more of it committed. */
static void chain__feeds_one_who_was_in_the_chain_and_is_ahead(void **state)
{
	struct sim_seeds seeds = seeds_of(PROTO_LEASE, "length=3 reads=head", 3);

	(void)state;
	seeds.first = 2541;
	hold_seeds(&seeds, 0.1);
}

static void chain__100_seeds_of_a_chain_of_two_are_linearizable(void **state)
{
	(void)state;
	run(PROTO_QUORUM, "length=2 log_keep_kib=1", 100);
}

static void chain__100_seeds_of_unconfirmed_reads_converge(void **state)
{
	(void)state;
	run(PROTO_ONE, NULL, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain__200_seeds_of_confirmed_reads_are_linearizable),
		cmocka_unit_test(chain__100_seeds_of_reads_by_lease_are_linearizable),
		cmocka_unit_test(chain__100_seeds_of_reads_at_the_tail_are_linearizable),
		cmocka_unit_test(chain__100_seeds_of_a_pipeline_of_three_are_linearizable),
		cmocka_unit_test(chain__feeds_one_who_was_in_the_chain_and_is_ahead),
		cmocka_unit_test(chain__100_seeds_of_a_chain_of_two_are_linearizable),
		cmocka_unit_test(chain__100_seeds_of_unconfirmed_reads_converge),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
