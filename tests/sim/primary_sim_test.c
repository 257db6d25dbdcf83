/* SPDX-License-Identifier: MIT */
/* primary_sim_test.c - primary under loss, reordering, cuts, crashes and operators */
#include "tests/sim/hold.h"

#include "agent/sim/sim_script.h"
#include "store/settings.h"

static void run(const char *settings, enum proto_level read, uint64_t first, uint64_t count)
{
	const struct sim_seeds seeds = {
		.ops = &primary_ops,
		.level = {read, PROTO_ONE},
		.settings = settings,
		.first = first,
		.count = count,
	};

	hold_seeds(&seeds, 1);
}

static void primary__100_seeds_of_synchronous_writes_are_linearizable_and_lose_nothing(void **state)
{
	(void)state;
	run("acks=1 fallback=0s", PROTO_QUORUM, 1, 50);
	run("acks=2 fallback=0s wait=after", PROTO_QUORUM, 51, 50);
}

static void primary__100_seeds_of_fallback_are_linearizable(void **state)
{
	(void)state;
	run("acks=1 fallback=300ms", PROTO_QUORUM, 1001, 50);
	run("acks=1 fallback=300ms wait=after", PROTO_QUORUM, 1051, 50);
}

static void primary__100_asynchronous_seeds_converge(void **state)
{
	(void)state;
	run("acks=0", PROTO_ONE, 2001, 50);
	run("acks=0", PROTO_QUORUM, 2051, 50);
}

static void primary__100_seeds_with_a_watcher_converge(void **state)
{
	(void)state;
	run("acks=0 watcher=500ms", PROTO_ONE, 3001, 50);
	run("acks=1 watcher=400ms", PROTO_QUORUM, 3051, 50);
}

/* Every replica has what was acknowledged, so whoever is promoted has it. */
static void primary__100_seeds_with_a_watcher_and_all_acknowledging_lose_nothing(void **state)
{
	struct sim_seeds seeds = {
		.ops = &primary_ops,
		.level = {PROTO_QUORUM, PROTO_ONE},
		.settings = "acks=2 fallback=0s watcher=400ms",
		.nodes = 3,
		.first = 4001,
		.count = 100,
	};
	struct proto_config config = {.nodes = 3, .read_level = PROTO_QUORUM};
	struct proto_claim claim;
	struct err err;

	(void)state;
	assert_int_equal(settings_read(&config, &primary_ops, seeds.settings, &err), 0);
	primary_ops.claim(&config, &claim);
	assert_false(claim.loses_acked);
	hold_seeds(&seeds, 1);
}

static const struct proto_ops *stronger_of;

/* What is claimed of no failover by force: nothing is lost, though a failover would lose. */
static void claim_no_loss(const struct proto_config *cfg, struct proto_claim *ret)
{
	stronger_of->claim(cfg, ret);
	ret->loses_acked = false;
}

static void primary__100_asynchronous_seeds_lose_nothing_unless_taken_over_by_force(void **state)
{
	struct proto_ops ops = primary_ops;
	struct sim_seeds seeds = {
		.ops = &ops,
		.level = {PROTO_QUORUM, PROTO_ONE},
		.first = 5001,
		.count = 100,
	};

	(void)state;
	stronger_of = &primary_ops;
	ops.claim = claim_no_loss;
	hold_seeds(&seeds, 1);
}

/* By force anything may be lost; but all agree in the end. */
static void claim_forced(const struct proto_config *cfg, struct proto_claim *ret)
{
	stronger_of->claim(cfg, ret);
	ret->unforced = false;
	ret->whole = ret->cut = PROTO_EVENTUAL;
	ret->loses_acked = true;
}

static void primary__100_seeds_with_takeovers_by_force_converge(void **state)
{
	struct proto_ops ops = primary_ops;
	struct sim_seeds seeds = {
		.ops = &ops,
		.level = {PROTO_QUORUM, PROTO_ONE},
		.first = 6001,
		.count = 100,
	};

	(void)state;
	stronger_of = &primary_ops;
	ops.claim = claim_forced;
	hold_seeds(&seeds, 1);
}

static void primary__50_seeds_of_two_replicas_and_of_one(void **state)
{
	struct sim_seeds seeds = {
		.ops = &primary_ops,
		.level = {PROTO_QUORUM, PROTO_ONE},
		.settings = "acks=1",
		.nodes = 2,
		.first = 7001,
		.count = 25,
	};

	(void)state;
	hold_seeds(&seeds, 0.5);
	seeds.nodes = 1;
	hold_seeds(&seeds, 0.5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			primary__100_seeds_of_synchronous_writes_are_linearizable_and_lose_nothing),
		cmocka_unit_test(primary__100_seeds_of_fallback_are_linearizable),
		cmocka_unit_test(primary__100_asynchronous_seeds_converge),
		cmocka_unit_test(primary__100_seeds_with_a_watcher_converge),
		cmocka_unit_test(
			primary__100_seeds_with_a_watcher_and_all_acknowledging_lose_nothing),
		cmocka_unit_test(
			primary__100_asynchronous_seeds_lose_nothing_unless_taken_over_by_force),
		cmocka_unit_test(primary__100_seeds_with_takeovers_by_force_converge),
		cmocka_unit_test(primary__50_seeds_of_two_replicas_and_of_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
