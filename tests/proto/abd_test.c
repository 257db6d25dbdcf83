/* SPDX-License-Identifier: MIT */
/* abd_test.c - a shared register by its rules: rounds, write-back, timestamps, time-outs, claims */
#include "tests/lib/test.h"

#include <stdlib.h>

#include "store/proto/abd_internal.h"
#include "tests/sim/world.h"

static struct world *open_abd(unsigned nodes)
{
	struct sim_config config = world_config(&abd_ops, nodes);
	struct world *w = world_open(&config);

	world_settle(w);
	return w;
}

static struct world_asked *ask_at(
	struct world *w, unsigned node, enum proto_op op, const char *value, enum proto_level level)
{
	struct world_ask ask = {.op = op, .key = "k", .value = value, .level = level};

	return world_ask(w, node, &ask);
}

static struct proto_bytes bytes_of(const char *text)
{
	return (struct proto_bytes){(const uint8_t *)text, (uint32_t)strlen(text)};
}

/* Replica @from has stored it at replica @to, and at nobody else. */
static void stored_only_at(
	struct world *w, unsigned from, unsigned to, uint64_t number, const char *value)
{
	struct table_entry e = {.key = bytes_of("k"), .version = number, .origin = (uint16_t)from};
	struct buf b = {0};

	e.value = bytes_of(value);
	buf_u8(&b, ABD_STORE);
	buf_u64(&b, 1);
	entry_encode(&b, &e);
	assert_int_equal(sim_message(w->sim, from, to, b.p, b.len), 0);
	buf_fini(&b);
	world_run(w, NS_PER_MS);
	assert_string_equal(world_local(w, to, "k"), value);
}

static uint64_t took(const struct world_asked *a)
{
	return a->replied_ns - a->asked_ns;
}

static void abd__a_write_takes_two_rounds_and_a_read_of_what_all_have_one(void **state)
{
	struct world *w = open_abd(5);
	struct world_asked *a;

	(void)state;
	a = world_wait(w, ask_at(w, 3, PROTO_SET, "v", PROTO_DEFAULT));
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_int_equal(took(a), 40 * NS_PER_MS);
	world_run(w, 50 * NS_PER_MS);
	a = world_wait(w, ask_at(w, 1, PROTO_GET, NULL, PROTO_DEFAULT));
	assert_memory_equal(a->reply.value.p, "v", 1);
	assert_int_equal(took(a), 20 * NS_PER_MS);
	world_close(w);
}

static void abd_read__tells_a_majority_before_it_answers(void **state)
{
	struct world *w = open_abd(3);
	struct world_asked *a;

	(void)state;
	stored_only_at(w, 0, 1, 1, "half");
	a = world_wait(w, ask_at(w, 1, PROTO_GET, NULL, PROTO_DEFAULT));
	assert_memory_equal(a->reply.value.p, "half", 4);
	assert_int_equal(took(a), 40 * NS_PER_MS);
	/* Whoever is away now, the next read finds it. */
	world_isolate(w, 1);
	assert_string_equal(world_get(w, 2, "k"), "half");
	world_close(w);
}

static void abd_read__is_one_round_if_the_first_majority_agrees(void **state)
{
	struct world *w = open_abd(3);
	struct world_asked *a;

	(void)state;
	assert_int_equal(world_set(w, 0, "k", "old"), PROTO_OK);
	world_run(w, 50 * NS_PER_MS);
	sim_link(w->sim, 2, 1)->delay_ns = 100 * NS_PER_MS;
	stored_only_at(w, 1, 2, 5, "new");
	/* 0 and 1 agree, and 2 need not be heard: its write is not complete. */
	a = world_wait(w, ask_at(w, 1, PROTO_GET, NULL, PROTO_DEFAULT));
	assert_memory_equal(a->reply.value.p, "old", 3);
	assert_int_equal(took(a), 20 * NS_PER_MS);
	world_close(w);
}

static void abd_write__gives_no_timestamp_twice_after_a_crash(void **state)
{
	struct world *w = open_abd(3);
	struct world_asked *a;

	(void)state;
	a = world_wait(w, ask_at(w, 0, PROTO_SET, "first", PROTO_DEFAULT));
	assert_int_equal(a->reply.version, 1);
	/* Its next write reaches replica 1, and then it crashes. */
	world_run(w, 50 * NS_PER_MS);
	stored_only_at(w, 0, 1, 2, "lost");
	sim_crash(w->sim, 0);
	sim_restart(w->sim, 0);
	world_isolate(w, 1);
	a = world_wait(w, ask_at(w, 0, PROTO_SET, "later", PROTO_DEFAULT));
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_true(a->reply.version > ABD_RESERVE);
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(world_get(w, i, "k"), "later");
	world_close(w);
}

static void abd_write__is_above_what_is_complete_whatever_clocks_say(void **state)
{
	struct world *w = open_abd(3);

	(void)state;
	w->sim->node[0].skew_ns = 3600 * (int64_t)NS_PER_S;
	assert_int_equal(world_set(w, 0, "k", "from the future"), PROTO_OK);
	assert_int_equal(world_set(w, 1, "k", "now"), PROTO_OK);
	assert_string_equal(world_get(w, 0, "k"), "now");
	world_close(w);
}

static void abd_write__goes_on_above_another_writers_numbers(void **state)
{
	struct world *w = open_abd(3);
	struct world_asked *a;

	(void)state;
	stored_only_at(w, 1, 2, 10 * ABD_RESERVE, "far ahead");
	world_isolate(w, 1);
	a = world_wait(w, ask_at(w, 0, PROTO_SET, "v", PROTO_DEFAULT));
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_int_equal(a->reply.version, 10 * ABD_RESERVE + 1);
	assert_string_equal(world_get(w, 2, "k"), "v");
	world_close(w);
}

static void abd__sends_again_what_was_lost(void **state)
{
	struct world *w = open_abd(3);
	struct world_asked *a;

	(void)state;
	world_isolate(w, 0);
	a = ask_at(w, 0, PROTO_SET, "v", PROTO_DEFAULT);
	world_run(w, 30 * NS_PER_MS);
	sim_heal(w->sim);
	world_wait(w, a);
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_true(took(a) < 300 * NS_PER_MS);
	world_close(w);
}

static void abd__a_minority_refuses_and_the_majority_goes_on(void **state)
{
	const bool side[5] = {[3] = true, [4] = true};
	struct world *w = open_abd(5);
	struct world_asked *a, *b;

	(void)state;
	sim_cut(w->sim, side);
	/* Nobody knows yet: the question is not answered, and nothing was changed. */
	a = ask_at(w, 4, PROTO_SET, "v", PROTO_DEFAULT);
	b = ask_at(w, 4, PROTO_GET, NULL, PROTO_DEFAULT);
	world_wait(w, a);
	world_wait(w, b);
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	assert_int_equal(b->reply.status, PROTO_UNAVAILABLE);
	assert_true(a->reply.have == 2 && a->reply.need == 3);
	a = world_wait(w, ask_at(w, 4, PROTO_SET, "v", PROTO_DEFAULT));
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	assert_true(took(a) == 0 && a->reply.have == 2 && a->reply.need == 3);
	assert_int_equal(world_set(w, 1, "k", "majority"), PROTO_OK);
	assert_string_equal(world_get(w, 2, "k"), "majority");
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	assert_string_equal(world_get(w, 4, "k"), "majority");
	world_close(w);
}

static void abd_write__that_was_stored_somewhere_is_uncertain(void **state)
{
	struct world *w = open_abd(3);
	struct world_asked *a = ask_at(w, 0, PROTO_SET, "v", PROTO_DEFAULT);

	(void)state;
	/* After the answers to its question have left. */
	world_run(w, 15 * NS_PER_MS);
	for (unsigned i = 1; i < 3; i++)
		sim_link(w->sim, 0, i)->cut = true;
	world_wait(w, a);
	assert_int_equal(a->reply.status, PROTO_UNCERTAIN);
	assert_true(a->reply.have == 1 && a->reply.need == 2);
	world_close(w);
}

static void abd__a_deleted_key_does_not_come_back_with_a_late_message(void **state)
{
	struct world *w = open_abd(3);
	const struct world_sent *s;

	(void)state;
	assert_int_equal(world_set(w, 0, "k", "old"), PROTO_OK);
	s = world_last_sent(w, 0, 2, ABD_STORE);
	assert_non_null(s);
	assert_int_equal(world_del(w, 1, "k"), PROTO_OK);
	world_run(w, 3600 * NS_PER_S);
	assert_int_equal(sim_message(w->sim, 0, 2, s->bytes.p, s->bytes.len), 0);
	world_run(w, NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(world_get(w, i, "k"), "");
	assert_int_equal(world_del(w, 2, "k"), PROTO_NIL);
	world_close(w);
}

static void abd_all__makes_replicas_alike(void **state)
{
	struct world *w = open_abd(3);
	struct world_asked *a;

	(void)state;
	world_isolate(w, 2);
	assert_int_equal(world_set(w, 0, "k", "v"), PROTO_OK);
	world_run(w, 5 * NS_PER_S);
	a = world_wait(w, ask_at(w, 0, PROTO_GET, NULL, PROTO_ALL));
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	assert_string_equal(world_local(w, 2, "k"), "");
	a = world_wait(w, ask_at(w, 0, PROTO_GET, NULL, PROTO_ALL));
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_string_equal(world_local(w, 2, "k"), "v");
	world_close(w);
}

static void abd__claims_what_a_majority_gives(void **state)
{
	struct sim_config config = world_config(&abd_ops, 5);
	struct proto_claim c;

	(void)state;
	config.proto.read_level = PROTO_ONE;
	abd_ops.claim(&config.proto, &c);
	assert_true(c.whole == PROTO_LINEARIZABLE && c.cut == PROTO_LINEARIZABLE);
	assert_true(c.reads_cut == PROTO_SIDES_MAJORITY && c.writes_cut == PROTO_SIDES_MAJORITY);
	assert_true(!c.loses_acked && !c.needs_clocks && !c.cas && c.does == PROTO_DOES_PLAIN);
	config.proto.write_level = PROTO_ALL;
	abd_ops.claim(&config.proto, &c);
	assert_int_equal(c.writes_cut, PROTO_SIDES_NONE);
}

static void abd__what_depends_on_what_was_there_is_unsupported(void **state)
{
	struct world *w = open_abd(3);
	struct proto_request req = {
		.ticket = 4000, .op = PROTO_SET, .key = bytes_of("k"), .get = true};

	(void)state;
	w->asked_count = 4000;
	sim_request(w->sim, 0, &req);
	assert_int_equal(w->asked[3999].reply.status, PROTO_UNSUPPORTED);
	world_close(w);
}

static void abd__its_records_say_what_they_are(void **state)
{
	struct world *w = open_abd(3);
	const struct sim_node *n = &w->sim->node[1];
	struct buf out = {0};

	(void)state;
	assert_int_equal(world_set(w, 1, "k", "value"), PROTO_OK);
	assert_int_equal(world_del(w, 1, "k"), PROTO_OK);
	for (size_t i = 0; i < n->records; i++) {
		assert_int_equal(abd_ops.describe(n->record[i].bytes, n->record[i].len, &out), 0);
		buf_u8(&out, '\n');
	}
	buf_u8(&out, 0);
	assert_string_equal((const char *)out.p, "numbers up to 65536 are set aside\n"
						 "entry k, 5 bytes, timestamp 1 of replica 1\n"
						 "tombstone k, timestamp 2 of replica 1\n");
	buf_fini(&out);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(abd__a_write_takes_two_rounds_and_a_read_of_what_all_have_one),
		cmocka_unit_test(abd_read__tells_a_majority_before_it_answers),
		cmocka_unit_test(abd_read__is_one_round_if_the_first_majority_agrees),
		cmocka_unit_test(abd_write__gives_no_timestamp_twice_after_a_crash),
		cmocka_unit_test(abd_write__is_above_what_is_complete_whatever_clocks_say),
		cmocka_unit_test(abd_write__goes_on_above_another_writers_numbers),
		cmocka_unit_test(abd__sends_again_what_was_lost),
		cmocka_unit_test(abd__a_minority_refuses_and_the_majority_goes_on),
		cmocka_unit_test(abd_write__that_was_stored_somewhere_is_uncertain),
		cmocka_unit_test(abd__a_deleted_key_does_not_come_back_with_a_late_message),
		cmocka_unit_test(abd_all__makes_replicas_alike),
		cmocka_unit_test(abd__claims_what_a_majority_gives),
		cmocka_unit_test(abd__what_depends_on_what_was_there_is_unsupported),
		cmocka_unit_test(abd__its_records_say_what_they_are),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
