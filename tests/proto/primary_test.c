/* SPDX-License-Identifier: MIT */
/* primary_test.c - one primary, replicas, and what is waited for, lost and thrown away */
#include "tests/lib/test.h"

#include "store/proto/primary_internal.h"
#include "store/settings.h"
#include "tests/sim/world.h"

#define RTT_NS (20 * NS_PER_MS) /* of the world's links */

static struct world *open_primary(const char *settings, unsigned nodes)
{
	struct sim_config config = world_config(&primary_ops, nodes);
	struct world *w;
	struct err err;

	assert_int_equal(settings_read(&config.proto, &primary_ops, settings, &err), 0);
	config.proto.request_timeout_ns = 5 * NS_PER_S;
	w = world_open(&config);
	world_settle(w);
	return w;
}

static struct primary *primary_at(struct world *w, unsigned node)
{
	return primary_of(w->sim->node[node].proto);
}

static struct world_asked *ask(
	struct world *w, unsigned node, enum proto_op op, const char *key, const char *value)
{
	struct world_ask a = {.op = op, .key = key, .value = value};

	return world_ask(w, node, &a);
}

static uint64_t took_ns(const struct world_asked *a)
{
	return a->replied_ns - a->asked_ns;
}

static uint64_t epoch_of(struct world *w, unsigned node)
{
	struct proto_status_view view;

	sim_status(w->sim, node, &view);
	return view.term;
}

/* An operator's order, by a ticket of the world. */
static struct world_asked *order(struct world *w, unsigned at, unsigned node)
{
	struct world_asked *a = &w->asked[w->asked_count++];

	a->asked_ns = w->sim->now_ns;
	sim_admin(w->sim, at, w->asked_count, PROTO_ADMIN_TRANSFER, node);
	return a;
}

static const char *info(struct world *w, unsigned node, const char *line)
{
	static struct buf out;

	out.len = 0;
	primary_ops.info(w->sim->node[node].proto, &out);
	buf_u8(&out, '\0');
	return strstr((const char *)out.p, line);
}

static void primary_write__is_answered_when_so_many_replicas_have_it_on_disk(void **state)
{
	static const char *const settings[] = {
		"acks=0", "acks=1 fallback=0s", "acks=2 fallback=0s"};
	/* One of four links is longer, then another. */
	static const uint64_t expected_ns[] = {0, RTT_NS, RTT_NS + 10 * NS_PER_MS};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct world *w = open_primary(settings[i], 3);
		struct world_asked *a;

		sim_link(w->sim, 2, 0)->delay_ns = 20 * NS_PER_MS;
		a = world_wait(w, ask(w, 0, PROTO_SET, "k", "v"));
		assert_int_equal(a->reply.status, PROTO_OK);
		assert_int_equal(took_ns(a), expected_ns[i]);
		world_close(w);
	}
}

static void primary_replica__acknowledges_what_is_on_its_disk(void **state)
{
	struct sim_config config = world_config(&primary_ops, 3);
	struct world_asked *a;
	struct world *w;

	(void)state;
	config.proto.acks = 2;
	config.persist_ns_min = config.persist_ns_max = 7 * NS_PER_MS;
	w = world_open(&config);
	world_settle(w);
	a = world_wait(w, ask(w, 0, PROTO_SET, "k", "v"));
	assert_int_equal(took_ns(a), 7 * NS_PER_MS + RTT_NS + 7 * NS_PER_MS);
	world_close(w);
}

static void primary_write__waits_for_ever_without_a_fallback(void **state)
{
	struct world *w = open_primary("acks=1 fallback=0s", 3);
	struct world_asked *a;

	(void)state;
	world_isolate(w, 0);
	a = ask(w, 0, PROTO_SET, "k", "v");
	world_wait(w, a);
	assert_int_equal(a->reply.status, PROTO_UNCERTAIN);
	assert_int_equal(took_ns(a), 5 * NS_PER_S);
	assert_int_equal(a->reply.have, 1);
	assert_int_equal(a->reply.need, 2);
	assert_string_equal(world_get(w, 0, "k"), "");
	/* It was not in vain. */
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	assert_string_equal(world_get(w, 0, "k"), "v");
	world_close(w);
}

static void primary_fallback__comes_after_its_time_and_goes_when_a_replica_is_back(void **state)
{
	struct world *w = open_primary("acks=1 fallback=2s", 3);
	struct world_asked *a;

	(void)state;
	assert_int_equal(took_ns(world_wait(w, ask(w, 0, PROTO_SET, "k", "1"))), RTT_NS);
	assert_non_null(info(w, 0, "semi_sync:on"));
	world_isolate(w, 0);
	a = ask(w, 0, PROTO_SET, "k", "2");
	assert_int_equal(world_wait(w, a)->reply.status, PROTO_OK);
	assert_int_equal(took_ns(a), 2 * NS_PER_S);
	assert_non_null(info(w, 0, "semi_sync:off"));
	/* From now on it is asynchronous. */
	assert_int_equal(took_ns(world_wait(w, ask(w, 0, PROTO_SET, "k", "3"))), 0);
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	assert_non_null(info(w, 0, "semi_sync:on"));
	assert_non_null(info(w, 0, "replicas_with_all:2"));
	assert_int_equal(took_ns(world_wait(w, ask(w, 0, PROTO_SET, "k", "4"))), RTT_NS);
	assert_string_equal(world_local(w, 1, "k"), "4");
	world_close(w);
}

static void primary_wait__before_hides_a_write_and_after_shows_it(void **state)
{
	static const char *const settings[] = {
		"acks=1 fallback=0s wait=before", "acks=1 fallback=0s wait=after"};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct world *w = open_primary(settings[i], 3);
		struct world_asked *a, *read;

		a = ask(w, 0, PROTO_SET, "k", "v");
		world_run(w, RTT_NS / 2);
		read = world_wait(w, ask(w, 0, PROTO_GET, "k", NULL));
		assert_int_equal(a->replies, 0);
		assert_int_equal(read->reply.status, i ? PROTO_OK : PROTO_NIL);
		assert_int_equal(world_wait(w, a)->reply.status, PROTO_OK);
		assert_string_equal(world_get(w, 0, "k"), "v");
		world_close(w);
	}
}

/* What it came to is decided when it is done, and told later. */
static void primary_wait__after_answers_what_it_came_to(void **state)
{
	struct world *w = open_primary("acks=1 fallback=0s wait=after", 3);
	struct world_asked *first, *second;

	(void)state;
	first = ask(w, 0, PROTO_APPEND, "k", "ab");
	second = ask(w, 0, PROTO_APPEND, "k", "cd");
	assert_int_equal(world_wait(w, second)->reply.number, 4);
	assert_int_equal(first->reply.number, 2);
	assert_int_equal(took_ns(first), RTT_NS);
	world_close(w);
}

static void primary_read__at_one_is_of_the_replica_that_is_asked(void **state)
{
	struct world *w = open_primary("acks=0", 3);
	struct world_ask one = {.op = PROTO_GET, .key = "k", .level = PROTO_ONE};

	(void)state;
	world_set(w, 0, "k", "1");
	world_run(w, NS_PER_S);
	world_isolate(w, 2);
	world_set(w, 0, "k", "2");
	assert_string_equal((const char *)world_wait(w, world_ask(w, 2, &one))->reply.value.p, "1");
	assert_string_equal((const char *)world_wait(w, world_ask(w, 0, &one))->reply.value.p, "2");
	world_run(w, NS_PER_S);
	/* Nothing but that: the primary is not heard. */
	assert_int_equal(
		world_wait(w, ask(w, 2, PROTO_GET, "k", NULL))->reply.status, PROTO_UNAVAILABLE);
	world_close(w);
}

/* Replica 1 is promoted while the primary is cut off with 3 writes that nobody else has. */
static void primary_failover__loses_the_tail_of_an_asynchronous_primary_and_no_more(void **state)
{
	struct world *w = open_primary("acks=0", 3);
	struct world_asked *a;

	(void)state;
	world_set(w, 0, "a", "everywhere");
	world_run(w, NS_PER_S);
	world_isolate(w, 0);
	assert_int_equal(world_set(w, 0, "a", "lost"), PROTO_OK);
	assert_int_equal(world_set(w, 0, "b", "lost"), PROTO_OK);
	assert_int_equal(world_set(w, 0, "c", "lost"), PROTO_OK);
	world_run(w, NS_PER_S);
	a = world_wait(w, order(w, 1, 1));
	assert_int_equal(a->reply.status, PROTO_OK);
	world_run(w, NS_PER_S);
	assert_string_equal(world_get(w, 2, "a"), "everywhere");
	assert_int_equal(world_set(w, 2, "b", "new"), PROTO_OK);
	/* Two primaries: in real life, too. */
	assert_string_equal(world_get(w, 0, "b"), "lost");
	sim_heal(w->sim);
	world_run(w, 2 * NS_PER_S);
	assert_int_equal(epoch_of(w, 0), epoch_of(w, 1));
	assert_int_equal(primary_at(w, 0)->lost, 3);
	assert_non_null(info(w, 0, "lost_last:3"));
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(world_local(w, i, "a"), "everywhere");
		assert_string_equal(world_local(w, i, "b"), "new");
		assert_string_equal(world_local(w, i, "c"), "");
	}
	world_close(w);
}

static void primary_failover__to_who_acknowledged_loses_nothing(void **state)
{
	struct world *w = open_primary("acks=1 fallback=0s", 3);
	bool side[3] = {false, false, true};
	char key[8];

	(void)state;
	/* Replica 2 is away, so replica 1 is the one that acknowledges. */
	sim_cut(w->sim, side);
	for (unsigned i = 0; i < 10; i++) {
		snprintf(key, sizeof key, "k%u", i);
		assert_int_equal(world_set(w, 0, key, "v"), PROTO_OK);
	}
	sim_crash(w->sim, 0);
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	assert_int_equal(world_wait(w, order(w, 1, 1))->reply.status, PROTO_OK);
	sim_restart(w->sim, 0);
	world_run(w, 2 * NS_PER_S);
	for (unsigned i = 0; i < 10; i++) {
		snprintf(key, sizeof key, "k%u", i);
		for (unsigned node = 0; node < 3; node++)
			assert_string_equal(world_local(w, node, key), "v");
	}
	assert_int_equal(primary_at(w, 0)->lost_all, 0);
	world_close(w);
}

static void primary_failover__is_refused_for_another_while_the_primary_is_not_heard(void **state)
{
	struct world *w = open_primary("acks=0", 3);

	(void)state;
	world_isolate(w, 0);
	world_run(w, NS_PER_S);
	assert_int_equal(world_wait(w, order(w, 2, 1))->reply.status, PROTO_UNAVAILABLE);
	world_close(w);
}

/* A write each 3 ms, of each replica in turn. */
static void write_each(struct world *w, struct world_asked **writes, unsigned from, unsigned to)
{
	char key[8];

	for (unsigned i = from; i < to; i++) {
		snprintf(key, sizeof key, "k%u", i);
		writes[i] = ask(w, i % 3, PROTO_SET, key, "v");
		world_run(w, 3 * NS_PER_MS);
	}
}

static void primary_transfer__switches_over_without_losing_or_refusing_anything(void **state)
{
	struct world *w = open_primary("acks=0", 3);
	struct world_asked *writes[50], *a;
	char key[8];

	(void)state;
	write_each(w, writes, 0, 21);
	a = order(w, 2, 1);
	write_each(w, writes, 21, 50);
	assert_int_equal(world_wait(w, a)->reply.status, PROTO_OK);
	world_run(w, NS_PER_S);
	assert_int_equal(sim_leader(w->sim), 1);
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(writes[i]->replies, 1);
		assert_int_equal(writes[i]->reply.status, PROTO_OK);
		snprintf(key, sizeof key, "k%u", i);
		for (unsigned node = 0; node < 3; node++)
			assert_string_equal(world_local(w, node, key), "v");
	}
	for (unsigned node = 0; node < 3; node++)
		assert_int_equal(primary_at(w, node)->lost_all, 0);
	world_close(w);
}

static void primary_transfer__to_who_cannot_be_reached_changes_nothing(void **state)
{
	struct world *w = open_primary("acks=0", 3);

	(void)state;
	world_isolate(w, 2);
	world_set(w, 0, "k", "1");
	assert_int_equal(world_wait(w, order(w, 0, 2))->reply.status, PROTO_UNAVAILABLE);
	assert_int_equal(world_set(w, 1, "k", "2"), PROTO_OK);
	assert_int_equal(sim_leader(w->sim), 0);
	world_close(w);
}

static void primary_watcher__promotes_the_most_advanced_that_it_reaches(void **state)
{
	struct world *w = open_primary("acks=0 watcher=1s", 3);
	bool side[3] = {false, true, false};

	(void)state;
	/* Replica 2 has one entry more than replica 1. */
	sim_cut(w->sim, side);
	world_set(w, 0, "k", "v");
	world_run(w, 100 * NS_PER_MS);
	sim_crash(w->sim, 0);
	sim_heal(w->sim);
	world_run(w, 3 * NS_PER_S);
	assert_int_equal(sim_leader(w->sim), 2);
	assert_string_equal(world_get(w, 1, "k"), "v");
	sim_restart(w->sim, 0);
	world_run(w, 2 * NS_PER_S);
	assert_int_equal(sim_leader(w->sim), 2);
	world_close(w);
}

static void primary_watcher__leaves_a_primary_alone_that_somebody_hears(void **state)
{
	struct world *w = open_primary("acks=0 watcher=1s", 3);

	(void)state;
	sim_link(w->sim, 0, 2)->cut = true;
	world_run(w, 10 * NS_PER_S);
	assert_int_equal(sim_leader(w->sim), 0);
	assert_int_equal(epoch_of(w, 1), epoch_of(w, 0));
	world_close(w);
}

/* What it needs is forgotten: it gets the table, and no queue has grown. */
static void primary_replica__that_is_far_behind_gets_the_table(void **state)
{
	struct sim_config config = world_config(&primary_ops, 3);
	char key[16], value[200];
	struct world *w;

	(void)state;
	config.proto.log_keep_kib = 4;
	w = world_open(&config);
	world_settle(w);
	world_isolate(w, 2);
	memset(value, 'v', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "k%u", i % 700);
		value[0] = (char)('0' + i / 700);
		assert_int_equal(world_set(w, 0, key, value), PROTO_OK);
	}
	world_run(w, NS_PER_S);
	assert_true(raft_log_cost(&primary_at(w, 0)->log, primary_at(w, 0)->log.entries.first,
			    primary_last(primary_at(w, 0))) <= 5u << 10);
	sim_heal(w->sim);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(key, sizeof key, "k%u", i);
		assert_int_equal(world_set(w, 0, key, "meanwhile"), PROTO_OK);
		world_run(w, 20 * NS_PER_MS);
	}
	world_run(w, 2 * NS_PER_S);
	assert_true(sim_converged(w->sim, NULL, 0));
	assert_int_equal(primary_at(w, 2)->lost_all, 0);
	/* And it is as it was after a restart. */
	sim_crash(w->sim, 2);
	sim_restart(w->sim, 2);
	world_run(w, NS_PER_S);
	assert_true(sim_converged(w->sim, NULL, 0));
	world_close(w);
}

static void primary__that_restarts_takes_a_new_epoch_and_keeps_its_log(void **state)
{
	struct world *w = open_primary("acks=0", 3);
	uint64_t before = epoch_of(w, 0);

	(void)state;
	world_set(w, 0, "k", "v");
	sim_crash(w->sim, 0);
	sim_restart(w->sim, 0);
	world_run(w, NS_PER_S);
	assert_int_equal(epoch_of(w, 0), before + 1);
	assert_int_equal(sim_leader(w->sim), 0);
	assert_string_equal(world_get(w, 2, "k"), "v");
	world_close(w);
}

static void primary_claim__follows_from_the_settings(void **state)
{
	static const struct {
		const char *settings;
		enum proto_level read;
		enum proto_model cut;
		enum proto_sides reads, writes;
		bool loses;
	} rows[] = {
		{"acks=0", PROTO_QUORUM, PROTO_LINEARIZABLE, PROTO_SIDES_LEADER, PROTO_SIDES_LEADER,
			true},
		{"acks=0", PROTO_ONE, PROTO_EVENTUAL, PROTO_SIDES_ALL, PROTO_SIDES_LEADER, true},
		{"acks=1 fallback=10s", PROTO_QUORUM, PROTO_LINEARIZABLE, PROTO_SIDES_LEADER,
			PROTO_SIDES_NONE, true},
		{"acks=1 fallback=100ms", PROTO_QUORUM, PROTO_LINEARIZABLE, PROTO_SIDES_LEADER,
			PROTO_SIDES_LEADER, true},
		{"acks=1 fallback=0s", PROTO_QUORUM, PROTO_LINEARIZABLE, PROTO_SIDES_LEADER,
			PROTO_SIDES_NONE, false},
		{"acks=1 fallback=0s watcher=1s", PROTO_QUORUM, PROTO_EVENTUAL, PROTO_SIDES_LEADER,
			PROTO_SIDES_NONE, true},
		{"acks=2 fallback=0s watcher=1s", PROTO_QUORUM, PROTO_EVENTUAL, PROTO_SIDES_LEADER,
			PROTO_SIDES_NONE, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sim_config config = world_config(&primary_ops, 3);
		struct proto_claim claim;
		struct err err;

		config.proto.read_level = rows[i].read;
		assert_int_equal(
			settings_read(&config.proto, &primary_ops, rows[i].settings, &err), 0);
		primary_ops.claim(&config.proto, &claim);
		assert_int_equal(claim.cut, rows[i].cut);
		assert_int_equal(claim.reads_cut, rows[i].reads);
		assert_int_equal(claim.writes_cut, rows[i].writes);
		assert_int_equal(claim.loses_acked, rows[i].loses);
		assert_true(claim.unforced);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(primary_write__is_answered_when_so_many_replicas_have_it_on_disk),
		cmocka_unit_test(primary_replica__acknowledges_what_is_on_its_disk),
		cmocka_unit_test(primary_write__waits_for_ever_without_a_fallback),
		cmocka_unit_test(
			primary_fallback__comes_after_its_time_and_goes_when_a_replica_is_back),
		cmocka_unit_test(primary_wait__before_hides_a_write_and_after_shows_it),
		cmocka_unit_test(primary_wait__after_answers_what_it_came_to),
		cmocka_unit_test(primary_read__at_one_is_of_the_replica_that_is_asked),
		cmocka_unit_test(
			primary_failover__loses_the_tail_of_an_asynchronous_primary_and_no_more),
		cmocka_unit_test(primary_failover__to_who_acknowledged_loses_nothing),
		cmocka_unit_test(
			primary_failover__is_refused_for_another_while_the_primary_is_not_heard),
		cmocka_unit_test(
			primary_transfer__switches_over_without_losing_or_refusing_anything),
		cmocka_unit_test(primary_transfer__to_who_cannot_be_reached_changes_nothing),
		cmocka_unit_test(primary_watcher__promotes_the_most_advanced_that_it_reaches),
		cmocka_unit_test(primary_watcher__leaves_a_primary_alone_that_somebody_hears),
		cmocka_unit_test(primary_replica__that_is_far_behind_gets_the_table),
		cmocka_unit_test(primary__that_restarts_takes_a_new_epoch_and_keeps_its_log),
		cmocka_unit_test(primary_claim__follows_from_the_settings),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
