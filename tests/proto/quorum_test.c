/* SPDX-License-Identifier: MIT */
/* quorum_test.c - leaderless replication by its rules: levels, repair, hints, versions, claims */
#include "tests/lib/test.h"

#include "store/proto/quorum_internal.h"
#include "tests/sim/world.h"

static struct world *open_quorum(unsigned nodes)
{
	struct sim_config config = world_config(&quorum_ops, nodes);

	return world_open(&config);
}

static struct world_asked *ask_at(
	struct world *w, unsigned node, enum proto_op op, const char *value, enum proto_level level)
{
	struct world_ask ask = {.op = op, .key = "k", .value = value, .level = level};

	return world_ask(w, node, &ask);
}

static uint64_t hints(const struct world *w, unsigned node)
{
	struct proto_status_view view;

	sim_status(w->sim, node, &view);
	return view.hints;
}

static void isolate_two(struct world *w)
{
	const bool side[5] = {[3] = true, [4] = true};

	sim_cut(w->sim, side);
}

static void quorum_one__answers_alone_and_at_once(void **state)
{
	struct world *w = open_quorum(5);
	struct world_asked *a;

	(void)state;
	world_isolate(w, 4);
	world_run(w, NS_PER_S);
	a = world_wait(w, ask_at(w, 4, PROTO_SET, "v", PROTO_ONE));
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_int_equal(a->replied_ns, a->asked_ns);
	a = ask_at(w, 4, PROTO_GET, NULL, PROTO_ONE);
	assert_int_equal(a->reply.status, PROTO_OK);
	world_close(w);
}

static void quorum_level__decides_how_many_are_waited_for(void **state)
{
	struct world *w = open_quorum(5);

	(void)state;
	world_isolate(w, 4);
	assert_int_equal(
		world_wait(w, ask_at(w, 0, PROTO_SET, "v", PROTO_QUORUM))->reply.status, PROTO_OK);
	assert_int_equal(
		world_wait(w, ask_at(w, 0, PROTO_GET, NULL, PROTO_QUORUM))->reply.status, PROTO_OK);
	assert_int_equal(world_wait(w, ask_at(w, 0, PROTO_SET, "v", PROTO_ALL))->reply.status,
		PROTO_UNCERTAIN);
	assert_int_equal(world_wait(w, ask_at(w, 0, PROTO_GET, NULL, PROTO_ALL))->reply.status,
		PROTO_UNAVAILABLE);
	world_close(w);
}

static void quorum_minority__refuses_at_once_and_writes_nothing(void **state)
{
	struct world *w = open_quorum(5);
	struct world_asked *a;
	size_t records;

	(void)state;
	isolate_two(w);
	world_run(w, NS_PER_S);
	records = w->sim->node[3].records;
	a = ask_at(w, 3, PROTO_SET, "v", PROTO_QUORUM);
	assert_int_equal(a->replies, 1);
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	assert_int_equal(a->reply.have, 2);
	assert_int_equal(a->reply.need, 3);
	a = ask_at(w, 3, PROTO_GET, NULL, PROTO_QUORUM);
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	assert_int_equal(w->sim->node[3].records, records);
	for (unsigned i = 0; i < 5; i++)
		assert_string_equal(world_local(w, i, "k"), "");
	world_close(w);
}

static void quorum_write__that_too_few_acknowledge_is_uncertain(void **state)
{
	struct world *w = open_quorum(5);
	struct world_asked *a;

	(void)state;
	isolate_two(w); /* not noticed yet */
	a = world_wait(w, ask_at(w, 3, PROTO_SET, "v", PROTO_QUORUM));
	assert_int_equal(a->reply.status, PROTO_UNCERTAIN);
	assert_int_equal(a->reply.have, 2);
	assert_int_equal(a->reply.need, 3);
	assert_int_equal(a->reply.waited_ns, w->sim->config.proto.request_timeout_ns);
	world_close(w);
}

static void quorum_read__repairs_those_that_answered_before_it_answers(void **state)
{
	struct world *w = open_quorum(3);
	struct world_asked *a;

	(void)state;
	world_isolate(w, 2);
	assert_int_equal(world_set(w, 0, "k", "new"), PROTO_OK);
	sim_heal(w->sim);
	/* Too early for a hint: the write's time-out is not over. */
	assert_string_equal(world_local(w, 2, "k"), "");
	/* With replica 1 away the answer is that of 0 and 2, of which 2 is stale. */
	world_isolate(w, 1);
	a = world_wait(w, ask_at(w, 2, PROTO_GET, NULL, PROTO_QUORUM));
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_string_equal((const char *)a->reply.value.p, "new");
	assert_string_equal(world_local(w, 2, "k"), "new");
	world_close(w);
}

static void quorum_read__that_has_been_answered_is_seen_by_the_next(void **state)
{
	struct world *w = open_quorum(3);
	struct world_asked *a;

	(void)state;
	/* A write that reaches its coordinator only. */
	world_isolate(w, 0);
	ask_at(w, 0, PROTO_SET, "half", PROTO_QUORUM);
	world_run(w, 10 * NS_PER_MS);
	sim_heal(w->sim);
	a = world_wait(w, ask_at(w, 0, PROTO_GET, NULL, PROTO_QUORUM));
	assert_string_equal((const char *)a->reply.value.p, "half");
	/* Without the coordinator it is still there. */
	world_isolate(w, 0);
	a = world_wait(w, ask_at(w, 1, PROTO_GET, NULL, PROTO_QUORUM));
	assert_string_equal((const char *)a->reply.value.p, "half");
	world_close(w);
}

static void quorum_hint__is_sent_when_the_replica_is_heard_again(void **state)
{
	struct world *w = open_quorum(3);

	(void)state;
	world_isolate(w, 2);
	assert_int_equal(world_set(w, 0, "k", "1"), PROTO_OK);
	assert_int_equal(world_set(w, 0, "k", "2"), PROTO_OK);
	assert_int_equal(hints(w, 0), 0);
	world_run(w, NS_PER_S);
	assert_int_equal(hints(w, 0), 1);
	assert_string_equal(world_local(w, 2, "k"), "");
	sim_heal(w->sim);
	world_run(w, 200 * NS_PER_MS);
	assert_string_equal(world_local(w, 2, "k"), "2");
	assert_int_equal(hints(w, 0), 0);
	world_close(w);
}

static void quorum_hint__survives_a_crash_of_its_keeper(void **state)
{
	struct world *w = open_quorum(3);

	(void)state;
	world_isolate(w, 2);
	world_set(w, 0, "k", "1");
	world_run(w, NS_PER_S);
	sim_crash(w->sim, 0);
	sim_restart(w->sim, 0);
	assert_int_equal(hints(w, 0), 1);
	sim_heal(w->sim);
	world_run(w, 200 * NS_PER_MS);
	assert_string_equal(world_local(w, 2, "k"), "1");
	/* And that it was delivered is remembered, too. */
	sim_crash(w->sim, 0);
	sim_restart(w->sim, 0);
	assert_int_equal(hints(w, 0), 0);
	world_close(w);
}

static void quorum_hints__of_many_keys_all_arrive(void **state)
{
	struct world *w = open_quorum(3);
	char key[16];

	(void)state;
	world_isolate(w, 2);
	for (unsigned i = 0; i < 1000; i++) {
		struct world_ask ask = {.op = PROTO_SET, .key = key, .value = "v"};

		snprintf(key, sizeof(key), "k%u", i);
		world_ask(w, 1, &ask);
	}
	world_run(w, NS_PER_S);
	assert_int_equal(hints(w, 1), 1000);
	w->sim->config.loss_ppm = 100000;
	sim_heal(w->sim);
	world_run(w, 20 * NS_PER_S);
	assert_int_equal(hints(w, 1), 0);
	assert_true(sim_converged(w->sim, NULL, 0));
	world_close(w);
}

static void quorum_delete__is_not_undone_by_an_older_write(void **state)
{
	struct world *w = open_quorum(3);

	(void)state;
	world_set(w, 0, "k", "old");
	world_isolate(w, 2);
	assert_int_equal(world_del(w, 0, "k"), PROTO_OK);
	world_run(w, NS_PER_S);
	assert_string_equal(world_local(w, 2, "k"), "old");
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(world_local(w, i, "k"), "");
	world_close(w);
}

static void quorum_version__rises_though_the_clock_goes_back(void **state)
{
	struct world *w = open_quorum(3);
	struct world_asked *a, *b;

	(void)state;
	a = world_wait(w, ask_at(w, 0, PROTO_SET, "1", PROTO_QUORUM));
	w->sim->node[0].skew_ns = -(int64_t)(100 * NS_PER_S);
	b = world_wait(w, ask_at(w, 0, PROTO_SET, "2", PROTO_QUORUM));
	assert_true(b->reply.version > a->reply.version);
	sim_crash(w->sim, 0);
	sim_restart(w->sim, 0);
	a = world_wait(w, ask_at(w, 0, PROTO_SET, "3", PROTO_QUORUM));
	assert_true(a->reply.version > b->reply.version);
	assert_string_equal(world_get(w, 1, "k"), "3");
	world_close(w);
}

static void quorum_version__of_a_slow_clock_loses_an_acknowledged_write(void **state)
{
	struct world *w = open_quorum(3);

	(void)state;
	w->sim->node[1].skew_ns = -(int64_t)NS_PER_S;
	assert_int_equal(world_set(w, 0, "k", "first"), PROTO_OK);
	assert_int_equal(world_set(w, 1, "k", "second"), PROTO_OK);
	/* What last-write-wins by wall clock does; the lab exists to show it. */
	assert_string_equal(world_get(w, 2, "k"), "first");
	world_close(w);
}

static void quorum_version__ties_are_broken_alike_everywhere(void **state)
{
	struct world *w = open_quorum(3);

	(void)state;
	ask_at(w, 0, PROTO_SET, "of 0", PROTO_QUORUM);
	ask_at(w, 2, PROTO_SET, "of 2", PROTO_QUORUM);
	ask_at(w, 1, PROTO_SET, "of 1", PROTO_QUORUM);
	world_run(w, NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(world_local(w, i, "k"), "of 2");
	world_close(w);
}

static void quorum_reachable__means_that_it_answers_not_that_it_is_heard(void **state)
{
	struct world *w = open_quorum(3);
	struct world_asked *a;

	(void)state;
	sim_link(w->sim, 0, 1)->cut = true;
	sim_link(w->sim, 0, 2)->cut = true;
	world_run(w, NS_PER_S);
	a = ask_at(w, 0, PROTO_SET, "v", PROTO_QUORUM);
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	assert_int_equal(a->reply.have, 1);
	world_close(w);
}

static struct proto_claim claim(enum proto_level read, enum proto_level write, unsigned nodes)
{
	struct sim_config config = world_config(&quorum_ops, nodes);
	struct proto_claim c;

	config.proto.read_level = read;
	config.proto.write_level = write;
	quorum_ops.claim(&config.proto, &c);
	return c;
}

static void quorum_claim__follows_the_levels(void **state)
{
	(void)state;
	assert_int_equal(claim(PROTO_ONE, PROTO_ONE, 5).whole, PROTO_EVENTUAL);
	assert_int_equal(claim(PROTO_ONE, PROTO_ALL, 5).whole, PROTO_EVENTUAL);
	assert_int_equal(claim(PROTO_QUORUM, PROTO_ONE, 5).whole, PROTO_EVENTUAL);
	assert_int_equal(claim(PROTO_ALL, PROTO_ONE, 5).cut, PROTO_LINEARIZABLE);
	assert_int_equal(claim(PROTO_QUORUM, PROTO_QUORUM, 5).cut, PROTO_LINEARIZABLE);
	assert_int_equal(claim(PROTO_ONE, PROTO_ONE, 1).whole, PROTO_LINEARIZABLE);
	assert_int_equal(claim(PROTO_ONE, PROTO_QUORUM, 5).reads_cut, PROTO_SIDES_ALL);
	assert_int_equal(claim(PROTO_ONE, PROTO_QUORUM, 5).writes_cut, PROTO_SIDES_MAJORITY);
	assert_int_equal(claim(PROTO_ALL, PROTO_ONE, 5).reads_cut, PROTO_SIDES_NONE);
	assert_false(claim(PROTO_QUORUM, PROTO_QUORUM, 5).cas);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quorum_one__answers_alone_and_at_once),
		cmocka_unit_test(quorum_level__decides_how_many_are_waited_for),
		cmocka_unit_test(quorum_minority__refuses_at_once_and_writes_nothing),
		cmocka_unit_test(quorum_write__that_too_few_acknowledge_is_uncertain),
		cmocka_unit_test(quorum_read__repairs_those_that_answered_before_it_answers),
		cmocka_unit_test(quorum_read__that_has_been_answered_is_seen_by_the_next),
		cmocka_unit_test(quorum_hint__is_sent_when_the_replica_is_heard_again),
		cmocka_unit_test(quorum_hint__survives_a_crash_of_its_keeper),
		cmocka_unit_test(quorum_hints__of_many_keys_all_arrive),
		cmocka_unit_test(quorum_delete__is_not_undone_by_an_older_write),
		cmocka_unit_test(quorum_version__rises_though_the_clock_goes_back),
		cmocka_unit_test(quorum_version__of_a_slow_clock_loses_an_acknowledged_write),
		cmocka_unit_test(quorum_version__ties_are_broken_alike_everywhere),
		cmocka_unit_test(quorum_reachable__means_that_it_answers_not_that_it_is_heard),
		cmocka_unit_test(quorum_claim__follows_the_levels),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
