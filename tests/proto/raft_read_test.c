/* SPDX-License-Identifier: MIT */
/* raft_read_test.c - reads of Raft at each level: by anybody, by lease, by a majority */
#include "tests/lib/test.h"

#include "store/proto/raft_internal.h"
#include "tests/sim/world.h"

static struct world *open_settled(unsigned nodes)
{
	struct sim_config config = world_config(&raft_ops, nodes);
	struct world *w;

	config.proto.leases = true;
	w = world_open(&config);
	world_settle(w);
	assert_int_equal(sim_leader(w->sim), 0);
	assert_int_equal(world_set(w, 0, "k", "old"), PROTO_OK);
	world_run(w, 100 * NS_PER_MS);
	return w;
}

static struct world_asked *get(struct world *w, unsigned node, enum proto_level level)
{
	struct world_ask ask = {.op = PROTO_GET, .key = "k", .level = level};

	return world_ask(w, node, &ask);
}

static void raft_read_one__is_answered_at_once_also_in_a_minority(void **state)
{
	struct world *w = open_settled(3);
	struct world_asked *a;

	(void)state;
	world_isolate(w, 2);
	world_run(w, 5 * NS_PER_S);
	assert_int_equal(world_set(w, 0, "k", "new"), PROTO_OK);
	a = get(w, 2, PROTO_ONE);
	assert_int_equal(a->replies, 1);
	assert_string_equal((const char *)a->reply.value.p, "old");
	a = get(w, 2, PROTO_QUORUM);
	assert_int_equal(world_wait(w, a)->reply.status, PROTO_UNAVAILABLE);
	world_close(w);
}

static void raft_read_lease__is_answered_without_asking_anybody(void **state)
{
	struct world *w = open_settled(5);
	struct world_asked *a;

	(void)state;
	world_forget(w);
	a = get(w, 0, PROTO_LEASE);
	assert_int_equal(a->replies, 1);
	assert_int_equal(w->sent_count, 0);
	assert_string_equal((const char *)a->reply.value.p, "old");
	/* Of a follower it costs one round trip, and a confirmed one two. */
	a = world_wait(w, get(w, 3, PROTO_LEASE));
	assert_int_equal(a->replied_ns - a->asked_ns, 20 * NS_PER_MS);
	a = world_wait(w, get(w, 3, PROTO_QUORUM));
	assert_int_equal(a->replied_ns - a->asked_ns, 40 * NS_PER_MS);
	world_close(w);
}

/* The others may elect another one from 300 ms on after they heard it; it heard them at 20 ms. */
static void raft_read_lease__ends_before_another_can_lead(void **state)
{
	struct world *w = open_settled(3);
	struct world_asked *a;
	uint64_t cut_ns = w->sim->now_ns;

	(void)state;
	world_isolate(w, 0);
	do {
		a = get(w, 0, PROTO_LEASE);
		if (!a->replies || a->reply.status != PROTO_OK)
			break;
		world_run(w, NS_PER_MS);
	} while (sim_leader(w->sim) <= 0);
	assert_true(w->sim->now_ns - cut_ns > 150 * NS_PER_MS);
	assert_true(w->sim->now_ns - cut_ns < 300 * NS_PER_MS);
	/* The last one was left to a majority, which it has not. */
	assert_int_equal(world_wait(w, a)->reply.status, PROTO_UNAVAILABLE);
	world_close(w);
}

/* More rounds of heartbeats than are remembered begin before the first one is answered. */
static void raft_read_lease__is_had_also_while_many_reads_are_confirmed(void **state)
{
	struct sim_config config = world_config(&raft_ops, 3);
	struct world *w;
	unsigned at_once = 0;

	(void)state;
	config.delay_ns = 50 * NS_PER_MS;
	config.proto.leases = true;
	w = world_open(&config);
	world_settle(w);
	assert_int_equal(world_set(w, 0, "k", "old"), PROTO_OK);
	for (unsigned i = 0; i < 1000; i++) {
		(void)get(w, 0, PROTO_QUORUM);
		world_run(w, NS_PER_MS);
		if (i > 500)
			at_once += (unsigned)get(w, 0, PROTO_LEASE)->replies;
	}
	assert_int_equal(at_once, 499);
	world_close(w);
}

/* How long the others take to elect one, of whom one has just restarted. */
static uint64_t election_ns(bool leases)
{
	struct sim_config config = world_config(&raft_ops, 3);
	struct world *w;
	uint64_t cut_ns;

	config.proto.leases = leases;
	w = world_open(&config);
	world_settle(w);
	assert_int_equal(world_set(w, 0, "k", "old"), PROTO_OK);
	world_isolate(w, 0);
	cut_ns = w->sim->now_ns;
	/* Just before the other one stands for election. */
	world_run(w, config.proto.election_min_ns - 50 * NS_PER_MS);
	sim_crash(w->sim, 2);
	sim_restart(w->sim, 2);
	while (sim_leader(w->sim) <= 0)
		world_run(w, NS_PER_MS);
	cut_ns = w->sim->now_ns - cut_ns;
	world_close(w);
	return cut_ns;
}

static void raft_leases__make_a_restarted_voter_wait_and_only_they(void **state)
{
	struct proto_config cfg = world_config(&raft_ops, 3).proto;

	(void)state;
	assert_true(election_ns(true) > 2 * cfg.election_min_ns - 50 * NS_PER_MS);
	assert_true(election_ns(false) < cfg.election_max_ns + 200 * NS_PER_MS);
}

static void raft_read_lease__is_confirmed_where_there_are_none(void **state)
{
	struct sim_config config = world_config(&raft_ops, 3);
	struct world *w = world_open(&config);
	struct world_asked *a;

	(void)state;
	world_settle(w);
	assert_int_equal(world_set(w, 0, "k", "old"), PROTO_OK);
	a = world_wait(w, get(w, 0, PROTO_LEASE));
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_int_equal(a->replied_ns - a->asked_ns, 20 * NS_PER_MS);
	world_close(w);
}

static struct proto_claim claim(enum proto_level level)
{
	struct proto_config cfg = world_config(&raft_ops, 3).proto;
	struct proto_claim c;

	cfg.read_level = level;
	raft_ops.claim(&cfg, &c);
	return c;
}

static void raft_claim__follows_the_read_level(void **state)
{
	(void)state;
	assert_int_equal(claim(PROTO_QUORUM).whole, PROTO_LINEARIZABLE);
	assert_false(claim(PROTO_QUORUM).needs_clocks);
	assert_int_equal(claim(PROTO_LEASE).cut, PROTO_LINEARIZABLE);
	assert_true(claim(PROTO_LEASE).needs_clocks);
	assert_int_equal(claim(PROTO_ONE).whole, PROTO_EVENTUAL);
	assert_int_equal(claim(PROTO_ONE).reads_cut, PROTO_SIDES_ALL);
	assert_int_equal(claim(PROTO_ONE).writes_cut, PROTO_SIDES_MAJORITY);
}

static void raft_floor__follows_level_and_first_members(void **state)
{
	struct proto_config cfg = world_config(&raft_ops, 5).proto;
	uint64_t rtt[25];
	struct proto_floor_query q = {
		.cfg = &cfg, .rtt_ns = rtt, .contact = 1, .client_ns = 1, .leader = 0};

	(void)state;
	for (unsigned i = 0; i < 25; i++)
		rtt[i] = i / 5 == i % 5 ? 0 : 10 * (i / 5 + i % 5);
	q.level = PROTO_ONE;
	assert_int_equal(raft_ops.floor_ns(&q), 1);
	q.level = PROTO_LEASE;
	assert_int_equal(raft_ops.floor_ns(&q), 31);
	cfg.leases = true;
	assert_int_equal(raft_ops.floor_ns(&q), 11);
	q.level = PROTO_DEFAULT;
	assert_int_equal(raft_ops.floor_ns(&q), 31);
	cfg.voters = 3;
	assert_int_equal(raft_ops.floor_ns(&q), 21);
	q.write = true;
	q.level = PROTO_ONE;
	assert_int_equal(raft_ops.floor_ns(&q), 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raft_read_one__is_answered_at_once_also_in_a_minority),
		cmocka_unit_test(raft_read_lease__is_answered_without_asking_anybody),
		cmocka_unit_test(raft_leases__make_a_restarted_voter_wait_and_only_they),
		cmocka_unit_test(raft_read_lease__is_confirmed_where_there_are_none),
		cmocka_unit_test(raft_read_lease__ends_before_another_can_lead),
		cmocka_unit_test(raft_read_lease__is_had_also_while_many_reads_are_confirmed),
		cmocka_unit_test(raft_claim__follows_the_read_level),
		cmocka_unit_test(raft_floor__follows_level_and_first_members),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
