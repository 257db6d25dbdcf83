/* SPDX-License-Identifier: MIT */
/* raft_members_test.c - who votes in Raft, who leads, and how an operator changes both */
#include "tests/lib/test.h"

#include <stdlib.h>

#include "store/proto/raft_internal.h"
#include "tests/sim/world.h"

static struct world *open_with(unsigned nodes, unsigned voters)
{
	struct sim_config config = world_config(&raft_ops, nodes);
	struct world *w;

	config.proto.voters = voters;
	w = world_open(&config);
	world_settle(w);
	assert_int_equal(sim_leader(w->sim), 0);
	return w;
}

static struct proto_status_view status(const struct world *w, unsigned node)
{
	struct proto_status_view view;

	sim_status(w->sim, node, &view);
	return view;
}

static struct world_asked *order(
	struct world *w, unsigned node, enum proto_admin what, unsigned target)
{
	struct world_asked *a = &w->asked[w->asked_count++];

	assert_true(w->asked_count < WORLD_ASKED_MAX);
	a->asked_ns = w->sim->now_ns;
	w->sim->members_changed = true;
	raft_ops.admin(w->sim->node[node].proto, w->asked_count, what, target);
	raft_ops.invariant(w->sim->node[node].proto);
	return a;
}

static enum proto_status ordered(
	struct world *w, unsigned node, enum proto_admin what, unsigned target)
{
	return world_wait(w, order(w, node, what, target))->reply.status;
}

static unsigned voters(const struct world *w, unsigned node)
{
	return raft_of(w->sim->node[node].proto)->members.count;
}

static void raft_voters__are_the_first_members_and_the_others_follow(void **state)
{
	struct world *w = open_with(5, 3);

	(void)state;
	assert_int_equal(world_set(w, 4, "k", "v"), PROTO_OK);
	world_run(w, 100 * NS_PER_MS);
	assert_string_equal(world_local(w, 3, "k"), "v");
	/* They count for nothing. */
	sim_crash(w->sim, 1);
	sim_crash(w->sim, 2);
	assert_int_not_equal(world_set(w, 0, "k", "w"), PROTO_OK);
	sim_crash(w->sim, 0);
	world_run(w, 5 * NS_PER_S);
	assert_int_equal(sim_leader(w->sim), -1);
	assert_int_equal(status(w, 3).term, 1);
	world_close(w);
}

static void raft_add__makes_a_voter_that_is_needed_then(void **state)
{
	struct world *w = open_with(4, 3);

	(void)state;
	assert_int_equal(ordered(w, 2, PROTO_ADMIN_ADD, 3), PROTO_OK);
	world_run(w, 100 * NS_PER_MS);
	for (unsigned i = 0; i < 4; i++) {
		struct proto_status_view view;

		assert_int_equal(voters(w, i), 4);
		sim_status(w->sim, i, &view);
		assert_int_equal(view.voters[0], 0xf);
	}
	assert_int_equal(ordered(w, 0, PROTO_ADMIN_ADD, 3), PROTO_OK);
	sim_crash(w->sim, 1);
	assert_int_equal(world_set(w, 0, "k", "v"), PROTO_OK);
	sim_crash(w->sim, 2);
	assert_int_not_equal(world_set(w, 0, "k", "w"), PROTO_OK);
	/* It is so after a restart, too. */
	sim_restart(w->sim, 1);
	assert_int_equal(voters(w, 1), 4);
	world_run(w, 2 * NS_PER_S);
	assert_int_equal(world_set(w, 3, "k", "x"), PROTO_OK);
	world_close(w);
}

static void raft_add__of_one_that_is_not_there_is_refused_and_has_no_effect(void **state)
{
	struct world *w = open_with(4, 3);
	struct world_asked *a;

	(void)state;
	sim_crash(w->sim, 3);
	world_set(w, 0, "k", "v");
	a = order(w, 0, PROTO_ADMIN_ADD, 3);
	world_run(w, 50 * NS_PER_MS);
	assert_int_equal(ordered(w, 0, PROTO_ADMIN_REMOVE, 2), PROTO_UNAVAILABLE);
	assert_int_equal(world_wait(w, a)->reply.status, PROTO_UNAVAILABLE);
	assert_string_equal(a->reply.why, "it has not caught up with the log in time");
	assert_int_equal(voters(w, 0), 3);
	assert_int_equal(ordered(w, 0, PROTO_ADMIN_ADD, 9), PROTO_UNSUPPORTED);
	world_close(w);
}

static void raft_remove__of_the_leader_makes_another_and_disturbs_nobody(void **state)
{
	struct world *w = open_with(3, 0);
	uint64_t term;

	(void)state;
	assert_int_equal(ordered(w, 1, PROTO_ADMIN_REMOVE, 0), PROTO_OK);
	/* It tells another one to stand: no election time-out passes. */
	world_run(w, 100 * NS_PER_MS);
	assert_true(sim_leader(w->sim) > 0);
	term = status(w, 1).term;
	world_isolate(w, 0);
	world_run(w, 3 * NS_PER_S);
	sim_heal(w->sim);
	world_run(w, 3 * NS_PER_S);
	assert_int_equal(status(w, 1).term, term);
	assert_int_equal(world_set(w, 0, "k", "v"), PROTO_OK);
	assert_int_equal(ordered(w, 0, PROTO_ADMIN_REMOVE, 1), PROTO_OK);
	world_run(w, NS_PER_S);
	assert_int_equal(sim_leader(w->sim), 2);
	assert_int_equal(ordered(w, 0, PROTO_ADMIN_REMOVE, 2), PROTO_UNAVAILABLE);
	assert_string_equal(world_get(w, 1, "k"), "v");
	world_close(w);
}

/* Two changes at once could make two majorities that do not meet. */
static void raft_change__waits_for_an_entry_of_the_own_term(void **state)
{
	struct world *w = open_with(5, 4);
	struct world_asked *a;
	struct raft *r;

	(void)state;
	for (unsigned i = 1; i < 5; i++)
		sim_link(w->sim, i, 0)->cut = true;
	assert_int_equal(world_set(w, 0, "k", "v"), PROTO_UNCERTAIN);
	sim_heal(w->sim);
	world_run(w, 3 * NS_PER_S);
	r = raft_of(w->sim->node[sim_leader(w->sim)].proto);
	/* As if it had just been elected. */
	r->term_start = raft_log_last(&r->log) + 1;
	a = order(w, r->proto.cfg.self, PROTO_ADMIN_ADD, 4);
	world_run(w, 100 * NS_PER_MS);
	assert_int_equal(a->replies, 0);
	assert_int_equal(r->members.count, 4);
	assert_int_equal(world_set(w, 2, "k", "w"), PROTO_OK);
	assert_int_equal(world_wait(w, a)->reply.status, PROTO_OK);
	assert_int_equal(r->members.count, 5);
	world_close(w);
}

static void raft_transfer__hands_over_and_loses_no_request(void **state)
{
	struct world *w = open_with(5, 0);
	struct world_asked *a;

	(void)state;
	for (unsigned to = 1; to < 5; to++) {
		size_t first = w->asked_count;

		a = order(w, (to + 2) % 5, PROTO_ADMIN_TRANSFER, to);
		for (unsigned i = 0; i < 40; i++) {
			struct world_ask set = {.op = PROTO_SET, .key = "k", .value = "v"};
			struct world_ask get = {.op = PROTO_GET, .key = "k"};

			world_ask(w, i % 5, i % 2 ? &set : &get);
			world_run(w, 3 * NS_PER_MS);
		}
		assert_int_equal(world_wait(w, a)->reply.status, PROTO_OK);
		assert_int_equal(sim_leader(w->sim), to);
		assert_true(a->replied_ns - a->asked_ns < 150 * NS_PER_MS);
		world_run(w, NS_PER_S);
		for (size_t i = first; i < w->asked_count; i++) {
			assert_int_equal(w->asked[i].replies, 1);
			/* A write on its way when the old leader ended may have been done. */
			assert_int_not_equal(w->asked[i].reply.status, PROTO_UNAVAILABLE);
		}
	}
	world_close(w);
}

static void raft_transfer__to_one_that_is_dead_ends_and_requests_go_on(void **state)
{
	struct world *w = open_with(3, 0);
	struct world_asked *a, *held, *passed;
	struct world_ask set = {.op = PROTO_SET, .key = "k", .value = "v"};

	(void)state;
	sim_crash(w->sim, 2);
	world_set(w, 0, "j", "v");
	a = order(w, 0, PROTO_ADMIN_TRANSFER, 2);
	held = world_ask(w, 0, &set);
	passed = world_ask(w, 1, &set);
	world_run(w, 300 * NS_PER_MS);
	assert_int_equal(held->replies + passed->replies, 0);
	assert_int_equal(world_wait(w, a)->reply.status, PROTO_UNCERTAIN);
	assert_int_equal(world_wait(w, held)->reply.status, PROTO_OK);
	assert_int_equal(world_wait(w, passed)->reply.status, PROTO_OK);
	assert_int_equal(sim_leader(w->sim), 0);
	assert_int_equal(status(w, 0).term, 1);
	/* The lease may have been broken, so it is not relied upon in this term. */
	assert_false(raft_lease_holds(raft_of(w->sim->node[0].proto)));
	world_close(w);
}

/* Changes, transfers, crashes and cuts at random, under the simulator's checks after each event. */
static void play(uint64_t seed)
{
	struct sim_config config = world_config(&raft_ops, 5);
	struct prng prng;
	struct world *w;
	char why[128];

	prng_init(&prng, seed, 7);
	config.seed = seed;
	config.jitter_ns = seed % 3 * 20 * NS_PER_MS;
	config.loss_ppm = seed % 4 * 20000;
	config.duplicate_ppm = 20000;
	config.duplicate_ns = 50 * NS_PER_MS;
	config.persist_ns_max = 5 * NS_PER_MS;
	config.proto.voters = (unsigned)(seed % 5) + 1;
	w = world_open(&config);
	for (unsigned step = 0; step < 120; step++) {
		unsigned node = (unsigned)prng_below(&prng, 5);
		struct world_ask set = {.op = PROTO_APPEND, .key = "k", .value = "v"};
		bool side[PROTO_NODES_MAX] = {0};

		world_run(w, prng_below(&prng, 80) * NS_PER_MS);
		switch (prng_below(&prng, 8)) {
		case 0:
			if (w->sim->node[node].alive)
				sim_crash(w->sim, node);
			break;
		case 1:
			sim_heal(w->sim);
			for (unsigned i = 0; i < 5; i++)
				side[i] = prng_below(&prng, 2);
			if (prng_below(&prng, 2))
				sim_cut(w->sim, side);
			break;
		case 2:
		case 3:
			if (w->sim->node[node].alive)
				order(w, node, (enum proto_admin)prng_below(&prng, PROTO_ADMIN_NR),
					(unsigned)prng_below(&prng, 5));
			break;
		case 4:
			if (!w->sim->node[node].alive)
				sim_restart(w->sim, node);
			break;
		default:
			if (w->sim->node[node].alive)
				world_ask(w, node, &set);
			break;
		}
	}
	sim_heal(w->sim);
	w->sim->config.loss_ppm = 0;
	for (unsigned i = 0; i < 5; i++)
		if (!w->sim->node[i].alive)
			sim_restart(w->sim, i);
	world_run(w, 8 * NS_PER_S);
	assert_true(sim_leader(w->sim) >= 0);
	if (world_set(w, 0, "end", "v") != PROTO_OK)
		fail_msg("seed %u does not come to rest", (unsigned)seed);
	world_run(w, NS_PER_S);
	if (!sim_converged(w->sim, why, sizeof why))
		fail_msg("seed %u: %s", (unsigned)seed, why);
	world_close(w);
}

static void raft__survives_changes_transfers_crashes_and_cuts(void **state)
{
	const char *first = getenv("RAFT_FIRST");
	const char *count = getenv("RAFT_SEEDS");
	uint64_t from = first ? strtoull(first, NULL, 10) : 1;
	uint64_t seeds = count ? strtoull(count, NULL, 10) : 150;

	(void)state;
	for (uint64_t seed = from; seed < from + seeds; seed++)
		play(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raft_voters__are_the_first_members_and_the_others_follow),
		cmocka_unit_test(raft_add__makes_a_voter_that_is_needed_then),
		cmocka_unit_test(raft_add__of_one_that_is_not_there_is_refused_and_has_no_effect),
		cmocka_unit_test(raft_remove__of_the_leader_makes_another_and_disturbs_nobody),
		cmocka_unit_test(raft_change__waits_for_an_entry_of_the_own_term),
		cmocka_unit_test(raft_transfer__hands_over_and_loses_no_request),
		cmocka_unit_test(raft_transfer__to_one_that_is_dead_ends_and_requests_go_on),
		cmocka_unit_test(raft__survives_changes_transfers_crashes_and_cuts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
