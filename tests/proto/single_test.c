/* SPDX-License-Identifier: MIT */
/* single_test.c - one holder: forwarding, durability, refusals, once and only once */
#include "tests/lib/test.h"

#include "store/systems.h"
#include "tests/sim/world.h"

#define ATTEMPT 3 /* type of a request that is passed on */

static struct world *open_single(int leader)
{
	struct sim_config config = world_config(&single_ops, 3);
	struct world *w;

	config.proto.leader = leader;
	config.persist_ns_min = config.persist_ns_max = NS_PER_MS;
	w = world_open(&config);
	world_settle(w);
	return w;
}

static struct world_asked *ask(struct world *w, unsigned node, enum proto_op op, const char *value)
{
	struct world_ask a = {.op = op, .key = "k", .value = value};

	return world_ask(w, node, &a);
}

static void single_holder__is_the_one_that_was_named_or_the_first(void **state)
{
	(void)state;
	for (int leader = -1; leader < 3; leader++) {
		struct world *w = open_single(leader);
		unsigned holder = leader < 0 ? 0 : (unsigned)leader;

		assert_int_equal(world_set(w, (holder + 1) % 3, "k", "v"), PROTO_OK);
		for (unsigned i = 0; i < 3; i++)
			assert_string_equal(world_local(w, i, "k"), i == holder ? "v" : "");
		world_close(w);
	}
}

static void single_write__is_acknowledged_and_seen_when_it_is_on_disk(void **state)
{
	struct world *w = open_single(0);
	struct world_asked *write, *read;

	(void)state;
	write = ask(w, 0, PROTO_SET, "v");
	assert_int_equal(write->replies, 0);
	read = ask(w, 0, PROTO_GET, NULL);
	assert_int_equal(read->reply.status, PROTO_NIL);
	world_wait(w, write);
	assert_int_equal(write->replied_ns - write->asked_ns, NS_PER_MS);
	assert_string_equal(world_get(w, 0, "k"), "v");
	world_close(w);
}

static void single_request__passed_on_in_vain_is_uncertain_if_it_writes(void **state)
{
	struct world *w = open_single(0);
	struct world_asked *write, *read;

	(void)state;
	world_isolate(w, 0);
	write = ask(w, 1, PROTO_SET, "v");
	read = ask(w, 1, PROTO_GET, NULL);
	assert_int_equal(world_wait(w, write)->reply.status, PROTO_UNCERTAIN);
	assert_int_equal(world_wait(w, read)->reply.status, PROTO_UNAVAILABLE);
	assert_int_equal(write->reply.waited_ns, w->sim->config.proto.request_timeout_ns);
	world_close(w);
}

static void single_replica__that_has_lost_the_holder_refuses_at_once(void **state)
{
	struct world *w = open_single(0);
	struct world_asked *a;

	(void)state;
	world_isolate(w, 0);
	world_run(w, NS_PER_S);
	a = ask(w, 1, PROTO_SET, "v");
	assert_int_equal(a->replies, 1);
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	assert_non_null(a->reply.why);
	assert_int_equal(world_set(w, 0, "k", "here"), PROTO_OK);
	world_close(w);
}

/* Give replica 0 once more what replica 1 passed on to it last. */
static void repeat_last(struct world *w)
{
	const struct world_sent *s = world_last_sent(w, 1, 0, ATTEMPT);

	assert_non_null(s);
	assert_int_equal(sim_message(w->sim, 1, 0, s->bytes.p, s->bytes.len), 0);
	world_run(w, 100 * NS_PER_MS);
}

static void single_write__delivered_twice_happens_once(void **state)
{
	struct world *w = open_single(0);

	(void)state;
	world_set(w, 1, "k", "1");
	world_set(w, 0, "k", "2");
	repeat_last(w);
	assert_string_equal(world_get(w, 0, "k"), "2");
	world_close(w);
}

static void single_write__for_an_earlier_life_of_the_holder_does_not_happen(void **state)
{
	struct world *w = open_single(0);

	(void)state;
	world_set(w, 1, "k", "1");
	world_set(w, 0, "k", "2");
	sim_crash(w->sim, 0);
	sim_restart(w->sim, 0);
	repeat_last(w);
	assert_string_equal(world_get(w, 0, "k"), "2");
	world_run(w, 200 * NS_PER_MS);
	assert_int_equal(world_set(w, 1, "k", "3"), PROTO_OK);
	world_close(w);
}

static void single_holder__keeps_what_it_acknowledged_through_a_crash(void **state)
{
	struct world *w = open_single(0);
	struct world_asked *a;

	(void)state;
	world_set(w, 0, "k", "1");
	a = ask(w, 0, PROTO_SET, "2");
	sim_crash(w->sim, 0);
	assert_int_equal(a->replies, 0);
	sim_restart(w->sim, 0);
	/* The second one was not acknowledged: it may be there or not. */
	assert_true(world_local(w, 0, "k")[0] == '1' || world_local(w, 0, "k")[0] == '2');
	world_close(w);
}

static void systems__all_have_a_protocol_words_and_levels(void **state)
{
	const struct system *s;

	(void)state;
	for (unsigned i = 0; (s = system_list(i)); i++) {
		assert_ptr_equal(system_find(s->name), s);
		assert_ptr_equal(proto_find(s->ops->name), s->ops);
		assert_true(s->read_level != PROTO_DEFAULT && s->write_level != PROTO_DEFAULT);
		assert_true(s->kept[0] && s->left_out[0]);
		assert_true(!s->textbook[0] == !s->source[0]);
	}
	assert_non_null(system_find("cassandra-one"));
	assert_null(system_find("oracle"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_holder__is_the_one_that_was_named_or_the_first),
		cmocka_unit_test(single_write__is_acknowledged_and_seen_when_it_is_on_disk),
		cmocka_unit_test(single_request__passed_on_in_vain_is_uncertain_if_it_writes),
		cmocka_unit_test(single_replica__that_has_lost_the_holder_refuses_at_once),
		cmocka_unit_test(single_write__delivered_twice_happens_once),
		cmocka_unit_test(single_write__for_an_earlier_life_of_the_holder_does_not_happen),
		cmocka_unit_test(single_holder__keeps_what_it_acknowledged_through_a_crash),
		cmocka_unit_test(systems__all_have_a_protocol_words_and_levels),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
