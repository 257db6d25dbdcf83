/* SPDX-License-Identifier: MIT */
/* zab_test.c - who is elected, what is made alike, who answers, and sessions that move */
#include "tests/lib/test.h"

#include "store/proto/zab_internal.h"
#include "tests/sim/world.h"

static struct world *open_zab(unsigned nodes, enum proto_level read_level)
{
	struct sim_config config = world_config(&zab_ops, nodes);
	struct world *w;

	config.proto.read_level = read_level;
	w = world_open(&config);
	world_settle(w);
	return w;
}

static struct zab *zab_at(struct world *w, unsigned node)
{
	return zab_of(w->sim->node[node].proto);
}

static struct world_asked *get(struct world *w, unsigned node, const struct token *token)
{
	struct world_ask ask = {.op = PROTO_GET, .key = "k", .token = token};

	return world_ask(w, node, &ask);
}

static struct world_asked *set(struct world *w, unsigned node, const char *value)
{
	struct world_ask ask = {.op = PROTO_SET, .key = "k", .value = value};

	return world_ask(w, node, &ask);
}

/* Until another than @old leads and serves, or two seconds. */
static int leader_after(struct world *w, int old)
{
	for (unsigned i = 0; i < 200; i++) {
		for (unsigned k = 0; k < w->sim->config.proto.nodes; k++)
			if ((int)k != old && zab_at(w, k)->state.now == ZAB_LEADING &&
				!zab_at(w, k)->raft.hold)
				return (int)k;
		world_run(w, 10 * NS_PER_MS);
	}
	return -1;
}

static void zab_election__is_won_by_who_should_lead_when_all_histories_are_alike(void **state)
{
	(void)state;
	for (int first = -1; first < 3; first++) {
		struct sim_config config = world_config(&zab_ops, 3);
		struct world *w;

		config.proto.leader = first;
		w = world_open(&config);
		world_settle(w);
		/* Else by the highest number, as in ZooKeeper. */
		assert_int_equal(sim_leader(w->sim), first < 0 ? 2 : first);
		world_close(w);
	}
}

static void zab_election__is_won_by_the_highest_zxid(void **state)
{
	struct world *w = open_zab(3, PROTO_QUORUM);

	(void)state;
	/* 2 has the highest number and lacks the last write. */
	world_isolate(w, 2);
	assert_int_equal(world_set(w, 0, "k", "v"), PROTO_OK);
	sim_heal(w->sim);
	world_isolate(w, 0);
	assert_int_equal(leader_after(w, 0), 1);
	assert_string_equal(world_get(w, 2, "k"), "v");
	world_close(w);
}

static void zab_leader__is_joined_without_an_election(void **state)
{
	struct world *w = open_zab(3, PROTO_QUORUM);
	uint64_t epoch = zab_at(w, 0)->raft.term;

	(void)state;
	sim_crash(w->sim, 2);
	world_run(w, NS_PER_S);
	sim_restart(w->sim, 2);
	/* Notify, answer, info, epoch, acknowledgement, what it lacks: no time-out is waited for.
	 */
	world_run(w, 100 * NS_PER_MS);
	assert_int_equal(zab_at(w, 2)->state.now, ZAB_FOLLOWING);
	assert_false(zab_at(w, 2)->raft.hold);
	assert_int_equal(zab_at(w, 0)->raft.term, epoch);
	world_close(w);
}

static void zab_sync__cuts_off_what_only_an_old_leader_has(void **state)
{
	struct world *w = open_zab(3, PROTO_QUORUM);
	struct world_asked *a;

	(void)state;
	assert_int_equal(world_set(w, 0, "k", "old"), PROTO_OK);
	world_isolate(w, 0);
	a = set(w, 0, "lost");
	assert_int_equal(leader_after(w, 0), 2);
	assert_int_equal(world_set(w, 2, "k", "new"), PROTO_OK);
	assert_int_equal(world_wait(w, a)->reply.status, PROTO_UNCERTAIN);
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	assert_string_equal(world_local(w, 0, "k"), "new");
	assert_int_equal(
		raft_log_last(&zab_at(w, 0)->raft.log), raft_log_last(&zab_at(w, 2)->raft.log));
	world_close(w);
}

static void zab_sync__sends_the_table_to_who_needs_what_is_forgotten(void **state)
{
	struct sim_config config = world_config(&zab_ops, 3);
	struct world *w;
	static char value[4000];
	const struct table_entry *e;

	(void)state;
	config.proto.log_keep_kib = 16;
	config.snapshot_ns = 100 * NS_PER_MS;
	w = world_open(&config);
	world_settle(w);
	memset(value, 'x', sizeof value - 1);
	world_isolate(w, 2);
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(world_set(w, 0, "k", value), PROTO_OK);
	world_run(w, NS_PER_S);
	assert_true(zab_at(w, 0)->raft.log.entries.first > 10);
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	e = table_get(w->sim->node[2].table, (struct proto_bytes){(const uint8_t *)"k", 1});
	assert_non_null(e);
	assert_int_equal(e->value.len, strlen(value));
	assert_false(zab_at(w, 2)->raft.hold);
	world_close(w);
}

static void zab_write__is_answered_when_it_can_be_read_where_it_was_asked(void **state)
{
	struct world *w = open_zab(3, PROTO_ONE);
	struct world_asked *a = world_wait(w, set(w, 2, "v"));

	(void)state;
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_int_equal(a->replied_ns - a->asked_ns, 40 * NS_PER_MS);
	/* No token, and no round trip. */
	a = get(w, 2, NULL);
	assert_int_equal(a->replies, 1);
	assert_string_equal((const char *)a->reply.value.p, "v");
	world_close(w);
}

/* What answers wait for may be far away; they are kept up to a limit. */
static void zab_write__that_cannot_be_kept_waiting_is_uncertain_at_once(void **state)
{
	struct world *w = open_zab(3, PROTO_ONE);
	struct raft *r = &zab_at(w, 2)->raft;
	struct world_ask sync = {.op = PROTO_GET, .key = "k", .level = PROTO_QUORUM};
	struct world_asked *a;

	(void)state;
	/* As if that much waited: all that the leader answers comes before it can be read here. */
	r->waits_bytes += RAFT_WAITS_BYTES + 1;
	sim_link(w->sim, 1, 2)->delay_ns = 200 * NS_PER_MS;
	sim_link(w->sim, 0, 2)->delay_ns = 200 * NS_PER_MS;
	assert_int_equal(world_set(w, 0, "k", "first"), PROTO_OK);
	a = world_wait(w, set(w, 2, "v"));
	assert_int_equal(a->reply.status, PROTO_UNCERTAIN);
	assert_string_equal(a->reply.why, "too many requests are waiting here");
	assert_true(a->replied_ns - a->asked_ns < w->sim->config.proto.request_timeout_ns);
	assert_string_not_equal(world_local(w, 2, "k"), "v");
	/* A read that waits keeps nothing. */
	a = world_wait(w, world_ask(w, 2, &sync));
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_string_equal((const char *)a->reply.value.p, "v");
	r->waits_bytes -= RAFT_WAITS_BYTES + 1;
	assert_int_equal(world_set(w, 2, "k", "last"), PROTO_OK);
	assert_string_equal(world_local(w, 2, "k"), "last");
	world_close(w);
}

static void zab_read__may_be_old_and_after_a_sync_is_not(void **state)
{
	struct world *w = open_zab(3, PROTO_ONE);
	struct world_ask ask = {.op = PROTO_GET, .key = "k", .level = PROTO_QUORUM};
	struct world_asked *a;

	(void)state;
	assert_int_equal(world_set(w, 0, "k", "old"), PROTO_OK);
	world_run(w, 100 * NS_PER_MS);
	sim_link(w->sim, 0, 2)->delay_ns = 100 * NS_PER_MS;
	assert_int_equal(world_set(w, 0, "k", "new"), PROTO_OK);
	a = get(w, 2, NULL);
	assert_string_equal((const char *)a->reply.value.p, "old");
	a = world_wait(w, world_ask(w, 2, &ask));
	assert_string_equal((const char *)a->reply.value.p, "new");
	world_close(w);
}

static void zab_session__never_goes_back_when_it_moves(void **state)
{
	struct world *w = open_zab(3, PROTO_ONE);
	struct world_asked *written, *a;

	(void)state;
	sim_link(w->sim, 0, 2)->delay_ns = 100 * NS_PER_MS;
	written = world_wait(w, set(w, 0, "new"));
	assert_int_equal(written->reply.token->n, 1);
	a = get(w, 2, written->reply.token);
	assert_int_equal(a->replies, 0);
	world_wait(w, a);
	assert_string_equal((const char *)a->reply.value.p, "new");
	assert_true(a->reply.token->at[0] >= written->reply.token->at[0]);
	/* Another session has seen nothing. */
	assert_int_equal(get(w, 2, NULL)->replies, 1);
	world_close(w);
}

static void zab_session__is_refused_in_time_where_nobody_has_what_it_has_seen(void **state)
{
	struct world *w = open_zab(3, PROTO_ONE);
	const struct token token = {.n = 1, .at = {1000}};
	struct world_asked *a = world_wait(w, get(w, 1, &token));

	(void)state;
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	assert_string_equal(a->reply.why, "this replica has not seen yet what the session has");
	assert_int_equal(a->replied_ns - a->asked_ns, 800 * NS_PER_MS);
	/* It takes no memory any more. */
	world_run(w, NS_PER_S);
	assert_int_equal(ring_count(&zab_at(w, 1)->raft.waits), 0);
	world_close(w);
}

static void zab_replica__without_a_leader_answers_no_reads(void **state)
{
	struct world *w = open_zab(3, PROTO_ONE);
	struct world_asked *a;

	(void)state;
	assert_int_equal(world_set(w, 0, "k", "v"), PROTO_OK);
	world_isolate(w, 2);
	assert_int_equal(get(w, 2, NULL)->replies, 1); /* it has not noticed */
	world_run(w, 1300 * NS_PER_MS);
	a = world_wait(w, get(w, 2, NULL));
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	assert_int_equal(a->reply.have, 1);
	assert_int_equal(a->reply.need, 2);
	sim_heal(w->sim);
	world_run(w, 500 * NS_PER_MS);
	assert_string_equal(world_get(w, 2, "k"), "v");
	world_close(w);
}

static void zab_leader__that_hears_no_quorum_answers_no_reads(void **state)
{
	struct world *w = open_zab(3, PROTO_ONE);

	(void)state;
	assert_int_equal(world_set(w, 0, "k", "v"), PROTO_OK);
	world_isolate(w, 0);
	world_run(w, 1300 * NS_PER_MS);
	assert_int_equal(world_wait(w, get(w, 0, NULL))->reply.status, PROTO_UNAVAILABLE);
	world_close(w);
}

static void zab_follower__gives_up_a_leader_that_has_seen_a_newer_epoch(void **state)
{
	struct world *w = open_zab(3, PROTO_QUORUM);
	struct buf b = {0};

	(void)state;
	/* A follower tells that it has accepted epoch 50. */
	buf_u8(&b, ZAB_INFO);
	buf_u64(&b, 50);
	buf_u64(&b, w->sim->now_ns + NS_PER_S);
	assert_int_equal(sim_message(w->sim, 1, 0, b.p, b.len), 0);
	buf_fini(&b);
	assert_int_equal(zab_at(w, 0)->state.now, ZAB_LOOKING);
	world_settle(w);
	world_run(w, NS_PER_S);
	assert_true(leader_after(w, -1) >= 0);
	assert_true(zab_at(w, 0)->raft.term > 50);
	assert_int_equal(world_set(w, 1, "k", "v"), PROTO_OK);
	world_close(w);
}

static void zab_elected__gives_up_when_a_follower_has_more(void **state)
{
	struct world *w = open_zab(3, PROTO_QUORUM);
	struct buf b = {0};
	struct zab *z = zab_at(w, 1);

	(void)state;
	world_isolate(w, 1);
	world_run(w, NS_PER_S);
	assert_int_equal(z->state.now, ZAB_LOOKING);
	/* As if elected: a quorum has told its epochs, the own one is on disk. */
	zab_elected(z);
	b.len = 0;
	buf_u8(&b, ZAB_INFO);
	buf_u64(&b, 1);
	buf_u64(&b, 1);
	assert_int_equal(sim_message(w->sim, 2, 1, b.p, b.len), 0);
	world_run(w, 10 * NS_PER_MS);
	assert_true(z->known);
	b.len = 0;
	buf_u8(&b, ZAB_ACK_EPOCH);
	buf_u64(&b, z->raft.term);
	buf_u8(&b, 1);
	buf_u64(&b, z->raft.term - 1);
	buf_u64(&b, 1000);
	assert_int_equal(sim_message(w->sim, 2, 1, b.p, b.len), 0);
	assert_int_equal(z->state.now, ZAB_LOOKING);
	buf_fini(&b);
	world_close(w);
}

/* What no leader has answered, for nobody was asked. */
static void zab_answer__to_a_sync_that_was_never_sent_is_ignored(void **state)
{
	struct world *w = open_zab(3, PROTO_QUORUM);
	struct world_asked *a;
	struct buf b = {0};
	struct forward_answer answer = {.reply.status = PROTO_OK};

	(void)state;
	a = get(w, 0, NULL);
	assert_int_equal(a->replies, 0);
	answer.slot = zab_at(w, 0)->raft.forward.slots.first;
	buf_u8(&b, RAFT_ANSWER);
	buf_u64(&b, 1);
	forward_encode_answer(&b, &answer);
	assert_int_equal(sim_message(w->sim, 1, 0, b.p, b.len), 0);
	buf_fini(&b);
	assert_int_equal(a->replies, 0);
	assert_int_equal(world_wait(w, a)->reply.status, PROTO_NIL);
	world_close(w);
}

static void zab_claim__is_sequential_with_sessions_and_linearizable_with_sync(void **state)
{
	struct proto_config cfg = {.nodes = 3, .read_level = PROTO_ONE};
	struct proto_claim claim;

	(void)state;
	zab_ops.claim(&cfg, &claim);
	assert_int_equal(claim.cut, PROTO_SEQUENTIAL);
	assert_true(claim.sessions);
	cfg.read_level = PROTO_QUORUM;
	zab_ops.claim(&cfg, &claim);
	assert_int_equal(claim.cut, PROTO_LINEARIZABLE);
	assert_false(claim.sessions);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			zab_election__is_won_by_who_should_lead_when_all_histories_are_alike),
		cmocka_unit_test(zab_election__is_won_by_the_highest_zxid),
		cmocka_unit_test(zab_leader__is_joined_without_an_election),
		cmocka_unit_test(zab_sync__cuts_off_what_only_an_old_leader_has),
		cmocka_unit_test(zab_sync__sends_the_table_to_who_needs_what_is_forgotten),
		cmocka_unit_test(zab_write__is_answered_when_it_can_be_read_where_it_was_asked),
		cmocka_unit_test(zab_write__that_cannot_be_kept_waiting_is_uncertain_at_once),
		cmocka_unit_test(zab_read__may_be_old_and_after_a_sync_is_not),
		cmocka_unit_test(zab_session__never_goes_back_when_it_moves),
		cmocka_unit_test(zab_session__is_refused_in_time_where_nobody_has_what_it_has_seen),
		cmocka_unit_test(zab_replica__without_a_leader_answers_no_reads),
		cmocka_unit_test(zab_leader__that_hears_no_quorum_answers_no_reads),
		cmocka_unit_test(zab_follower__gives_up_a_leader_that_has_seen_a_newer_epoch),
		cmocka_unit_test(zab_elected__gives_up_when_a_follower_has_more),
		cmocka_unit_test(zab_answer__to_a_sync_that_was_never_sent_is_ignored),
		cmocka_unit_test(zab_claim__is_sequential_with_sessions_and_linearizable_with_sync),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
