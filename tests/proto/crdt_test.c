/* SPDX-License-Identifier: MIT */
/* crdt_test.c - counters, sets and registers that merge: on one side of a cut, on both, after it */
#include "tests/lib/test.h"

#include <stdlib.h>

#include "store/proto/crdt_internal.h"
#include "tests/sim/world.h"

static struct world *open_crdt(enum proto_register registers)
{
	struct sim_config config = world_config(&crdt_ops, 3);
	struct world *w;

	config.proto.registers = registers;
	w = world_open(&config);
	world_run(w, 200 * NS_PER_MS);
	return w;
}

static const struct crdt *crdt_at(struct world *w, unsigned node)
{
	return crdt_of(w->sim->node[node].proto);
}

static const struct proto_reply *ask(
	struct world *w, unsigned node, enum proto_op op, const char *value)
{
	struct world_ask a = {.op = op, .key = "k", .value = value};

	return &world_wait(w, world_ask(w, node, &a))->reply;
}

static const struct proto_reply *ask_as(struct world *w, unsigned node, enum proto_op op,
	const char *value, const struct token *token)
{
	struct world_ask a = {.op = op, .key = "k", .value = value, .token = token};

	return &world_wait(w, world_ask(w, node, &a))->reply;
}

static enum proto_status add(struct world *w, unsigned node, const char *member)
{
	return ask(w, node, PROTO_ADD, member)->status;
}

/* What MEMBERS or VALUES lists, with a comma between; and what GET has, as one text. */
static const char *list(struct world *w, unsigned node, enum proto_op op)
{
	static char text[256];
	const struct proto_reply *r = ask(w, node, op, NULL);
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < r->listed; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s", i ? "," : "",
			(int)r->list[i].len, (const char *)r->list[i].p);
	return text;
}

/* Long enough for what was sent in vain to be asked for and sent again. */
static void heal(struct world *w)
{
	sim_heal(w->sim);
	world_run(w, 3 * NS_PER_S);
	assert_true(sim_converged(w->sim, NULL, 0));
}

static void everywhere(struct world *w, enum proto_op op, const char *what)
{
	for (unsigned i = 0; i < 3; i++) {
		if (op == PROTO_GET)
			assert_string_equal(world_get(w, i, "k"), what);
		else
			assert_string_equal(list(w, i, op), what);
	}
}

static void crdt_replica__alone_takes_everything_at_once(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_LWW);
	uint64_t before;

	(void)state;
	world_isolate(w, 1);
	before = w->sim->now_ns;
	assert_int_equal(world_set(w, 1, "r", "v"), PROTO_OK);
	assert_int_equal(ask(w, 1, PROTO_INCREASE, "3")->number, 3);
	assert_string_equal(world_get(w, 1, "r"), "v");
	assert_string_equal(world_get(w, 1, "k"), "3");
	assert_int_equal(w->sim->now_ns, before);
	assert_string_equal(world_get(w, 0, "k"), "");
	heal(w);
	everywhere(w, PROTO_GET, "3");
	world_close(w);
}

static void crdt_counter__has_what_both_sides_of_a_cut_counted(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_LWW);

	(void)state;
	ask(w, 0, PROTO_INCREASE, "10");
	world_run(w, 100 * NS_PER_MS);
	world_isolate(w, 2);
	assert_int_equal(ask(w, 0, PROTO_INCREASE, "1")->number, 11);
	assert_int_equal(ask(w, 1, PROTO_INCREASE, "5")->number, 15);
	assert_int_equal(ask(w, 2, PROTO_INCREASE, "-20")->number, -10);
	heal(w);
	everywhere(w, PROTO_GET, "-4");
	world_close(w);
}

static void crdt_counter__deleted_keeps_what_the_deletion_has_not_seen(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_LWW);

	(void)state;
	ask(w, 0, PROTO_INCREASE, "10");
	world_run(w, 100 * NS_PER_MS);
	world_isolate(w, 2);
	ask(w, 2, PROTO_INCREASE, "7");
	assert_int_equal(world_del(w, 0, "k"), PROTO_OK);
	assert_string_equal(world_get(w, 0, "k"), "");
	heal(w);
	everywhere(w, PROTO_GET, "7");
	world_close(w);
}

static void crdt_counter__stays_within_64_bits(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_LWW);

	(void)state;
	ask(w, 0, PROTO_INCREASE, "9223372036854775807");
	assert_int_equal(ask(w, 0, PROTO_INCREASE, "1")->status, PROTO_UNFIT);
	assert_int_equal(ask(w, 0, PROTO_INCREASE, "x")->status, PROTO_UNFIT);
	world_isolate(w, 2);
	ask(w, 2, PROTO_INCREASE, "5");
	heal(w);
	everywhere(w, PROTO_GET, "9223372036854775807");
	world_close(w);
}

static void crdt_set__add_wins_over_a_removal_that_has_not_seen_it(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_LWW);

	(void)state;
	add(w, 0, "a");
	add(w, 0, "b");
	world_run(w, 100 * NS_PER_MS);
	world_isolate(w, 2);
	assert_int_equal(ask(w, 0, PROTO_REMOVE, "a")->number, 1);
	assert_int_equal(ask(w, 0, PROTO_REMOVE, "b")->number, 1);
	assert_int_equal(ask(w, 0, PROTO_REMOVE, "b")->number, 0);
	assert_int_equal(add(w, 2, "a"), PROTO_OK);
	assert_string_equal(list(w, 1, PROTO_MEMBERS), "a,b");
	world_run(w, 50 * NS_PER_MS);
	assert_string_equal(list(w, 1, PROTO_MEMBERS), "");
	heal(w);
	everywhere(w, PROTO_MEMBERS, "a");
	world_close(w);
}

static void crdt_set__has_what_was_added_on_both_sides_once(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_LWW);

	(void)state;
	world_isolate(w, 0);
	assert_int_equal(ask(w, 0, PROTO_ADD, "x")->number, 1);
	assert_int_equal(ask(w, 0, PROTO_ADD, "x")->number, 0);
	add(w, 1, "x");
	add(w, 2, "y");
	heal(w);
	everywhere(w, PROTO_MEMBERS, "x,y");
	ask(w, 1, PROTO_REMOVE, "x");
	heal(w);
	everywhere(w, PROTO_MEMBERS, "y");
	world_close(w);
}

static void crdt_set__keeps_nothing_of_what_was_removed(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_LWW);
	const struct proto_bytes key = {(const uint8_t *)"k", 1};
	char member[16];

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		snprintf(member, sizeof(member), "m%u", i);
		add(w, i % 3, member);
		world_run(w, 30 * NS_PER_MS);
		assert_int_equal(ask(w, (i + 1) % 3, PROTO_REMOVE, member)->number, 1);
		world_run(w, 30 * NS_PER_MS);
	}
	heal(w);
	for (unsigned i = 0; i < 3; i++) {
		const struct table_entry *e = table_get(w->sim->node[i].table, key);

		assert_true(e->deleted);
		assert_true(e->value.len < 100);
	}
	world_close(w);
}

static void crdt_register__lww_agrees_on_the_later_write(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_LWW);

	(void)state;
	world_isolate(w, 0);
	world_set(w, 2, "k", "earlier");
	world_run(w, NS_PER_MS);
	world_set(w, 0, "k", "later");
	heal(w);
	everywhere(w, PROTO_GET, "later");
	assert_string_equal(list(w, 1, PROTO_VALUES), "later");
	world_close(w);
}

static void crdt_register__lww_with_equal_clocks_loses_one_of_two(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_LWW);

	(void)state;
	world_isolate(w, 0);
	assert_int_equal(world_set(w, 0, "k", "of 0"), PROTO_OK);
	assert_int_equal(world_set(w, 2, "k", "of 2"), PROTO_OK);
	heal(w);
	everywhere(w, PROTO_GET, "of 2");
	world_close(w);
}

static void crdt_register__lww_orders_what_has_seen_the_other_by_that(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_LWW);

	(void)state;
	w->sim->node[0].skew_ns = 5 * (int64_t)NS_PER_S;
	world_set(w, 0, "k", "ahead");
	world_run(w, 100 * NS_PER_MS);
	/* This clock is 5 s behind, but it has seen that write. */
	world_set(w, 1, "k", "after");
	heal(w);
	everywhere(w, PROTO_GET, "after");
	world_close(w);
}

static void crdt_register__mv_shows_both_sides_until_it_is_written_again(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_MV);

	(void)state;
	world_isolate(w, 2);
	world_set(w, 0, "k", "east");
	world_run(w, NS_PER_MS);
	world_set(w, 2, "k", "west");
	heal(w);
	everywhere(w, PROTO_VALUES, "west,east");
	everywhere(w, PROTO_GET, "west");
	world_set(w, 1, "k", "both");
	heal(w);
	everywhere(w, PROTO_VALUES, "both");
	world_close(w);
}

static void crdt_register__mv_replaces_what_the_session_has_seen_only(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_MV);
	const struct token nothing = {0};
	struct token seen;

	(void)state;
	world_set(w, 0, "k", "1");
	world_run(w, 100 * NS_PER_MS);
	seen = *ask_as(w, 1, PROTO_GET, NULL, &nothing)->token;
	assert_int_equal(seen.n, 3);
	ask_as(w, 1, PROTO_SET, "2", &seen);
	world_run(w, NS_PER_MS);
	ask_as(w, 0, PROTO_SET, "3", &seen);
	heal(w);
	everywhere(w, PROTO_VALUES, "3,2");
	/* Who has seen nothing replaces nothing. */
	ask_as(w, 2, PROTO_SET, "4", &nothing);
	heal(w);
	everywhere(w, PROTO_VALUES, "4,3,2");
	seen = *ask_as(w, 2, PROTO_GET, NULL, &nothing)->token;
	ask_as(w, 0, PROTO_SET, "5", &seen);
	heal(w);
	everywhere(w, PROTO_VALUES, "5");
	world_close(w);
}

static void crdt_register__mv_bears_a_token_from_the_future(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_MV);
	const struct token forged = {3, {UINT64_MAX, UINT64_MAX, UINT64_MAX}};

	(void)state;
	ask_as(w, 0, PROTO_SET, "1", &forged);
	heal(w);
	world_set(w, 1, "k", "2");
	heal(w);
	everywhere(w, PROTO_VALUES, "2");
	world_close(w);
}

static void crdt_register__mv_has_few_values_side_by_side(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_MV);
	const struct token nothing = {0};
	const struct proto_reply *r;

	(void)state;
	for (unsigned i = 0; i < CRDT_SIBLINGS_MAX; i++)
		assert_int_equal(ask_as(w, 0, PROTO_SET, "v", &nothing)->status, PROTO_OK);
	r = ask_as(w, 0, PROTO_SET, "v", &nothing);
	assert_int_equal(r->status, PROTO_UNAVAILABLE);
	assert_non_null(r->why);
	assert_int_equal(world_set(w, 0, "k", "v"), PROTO_OK);
	world_close(w);
}

static void crdt_key__of_two_types_at_once_shows_the_set_and_keeps_the_rest(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_LWW);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < 3; k++)
			sim_link(w->sim, i, k)->cut = true;
	world_set(w, 0, "k", "v");
	ask(w, 1, PROTO_INCREASE, "4");
	add(w, 2, "m");
	heal(w);
	everywhere(w, PROTO_MEMBERS, "m");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ask(w, i, PROTO_GET, NULL)->status, PROTO_WRONG);
	ask(w, 0, PROTO_REMOVE, "m");
	heal(w);
	everywhere(w, PROTO_GET, "4");
	assert_int_equal(world_del(w, 1, "k"), PROTO_OK);
	heal(w);
	/* The deletion has seen the register, too. */
	everywhere(w, PROTO_GET, "");
	assert_int_equal(add(w, 1, "n"), PROTO_OK);
	world_close(w);
}

static void crdt_operation__of_another_type_is_wrong(void **state)
{
	static const struct {
		enum proto_op makes;
		enum proto_op wrong[4];
	} row[] = {
		{PROTO_SET, {PROTO_INCREASE, PROTO_ADD, PROTO_REMOVE, PROTO_MEMBERS}},
		{PROTO_INCREASE, {PROTO_SET, PROTO_ADD, PROTO_VALUES, PROTO_MEMBERS}},
		{PROTO_ADD, {PROTO_SET, PROTO_INCREASE, PROTO_VALUES, PROTO_GET}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct world *w = open_crdt(PROTO_REGISTER_LWW);

		assert_int_equal(ask(w, 0, row[i].makes, "1")->status, PROTO_OK);
		for (size_t k = 0; k < 4; k++)
			assert_int_equal(ask(w, 0, row[i].wrong[k], "1")->status, PROTO_WRONG);
		assert_int_equal(world_del(w, 0, "k"), PROTO_OK);
		assert_int_equal(ask(w, 0, row[(i + 1) % 3].makes, "1")->status, PROTO_OK);
		world_close(w);
	}
}

static void crdt_write__is_acknowledged_and_seen_when_it_is_on_disk(void **state)
{
	struct sim_config config = world_config(&crdt_ops, 3);
	struct world_ask increase = {.op = PROTO_INCREASE, .key = "k", .value = "1"};
	struct world_asked *a[2];
	struct world *w;

	(void)state;
	config.persist_ns_min = config.persist_ns_max = 5 * NS_PER_MS;
	w = world_open(&config);
	a[0] = world_ask(w, 0, &increase);
	a[1] = world_ask(w, 0, &increase);
	world_run(w, 4 * NS_PER_MS);
	assert_int_equal(a[0]->replies, 0);
	assert_string_equal(world_get(w, 0, "k"), "");
	/* The second builds on the first, which is not on disk yet. */
	assert_int_equal(world_wait(w, a[1])->reply.number, 2);
	assert_int_equal(a[0]->reply.number, 1);
	world_close(w);
}

static void crdt_write__on_a_disk_that_stalls_is_uncertain_in_time(void **state)
{
	struct sim_config config = world_config(&crdt_ops, 3);
	struct world_ask increase = {.op = PROTO_INCREASE, .key = "k", .value = "1"};
	const struct proto_reply *r;
	struct world *w;

	(void)state;
	config.persist_ns_min = config.persist_ns_max = 5 * NS_PER_S;
	w = world_open(&config);
	r = &world_wait(w, world_ask(w, 0, &increase))->reply;
	assert_int_equal(r->status, PROTO_UNCERTAIN);
	assert_int_equal(r->waited_ns, config.proto.request_timeout_ns);
	world_run(w, 6 * NS_PER_S);
	assert_string_equal(world_get(w, 0, "k"), "1");
	world_close(w);
}

static void crdt_delta__that_was_lost_is_sent_again(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_LWW);

	(void)state;
	world_isolate(w, 1);
	for (unsigned i = 0; i < 100; i++)
		ask(w, i % 3, PROTO_INCREASE, "1");
	assert_int_equal(ring_count(&crdt_at(w, 0)->log), 34);
	heal(w);
	everywhere(w, PROTO_GET, "100");
	/* All have it, so nobody keeps it; and nobody had to compare. */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ring_count(&crdt_at(w, i)->log), 0);
		assert_int_equal(crdt_at(w, i)->compared, 0);
	}
	world_close(w);
}

static void crdt_replica__too_far_behind_compares_all(void **state)
{
	struct sim_config config = world_config(&crdt_ops, 3);
	struct world *w;

	(void)state;
	config.snapshot_ns = 100 * NS_PER_MS;
	w = world_open(&config);
	world_run(w, 200 * NS_PER_MS);
	world_isolate(w, 2);
	for (unsigned i = 0; i < 50; i++)
		ask(w, 0, PROTO_INCREASE, "1");
	world_run(w, NS_PER_S);
	/* The deltas that it kept for replica 2 are behind the snapshot. */
	sim_crash(w->sim, 0);
	sim_restart(w->sim, 0);
	assert_int_equal(ring_count(&crdt_at(w, 0)->log), 0);
	heal(w);
	everywhere(w, PROTO_GET, "50");
	assert_int_equal(crdt_at(w, 2)->compared, 1);
	assert_int_equal(crdt_at(w, 2)->fetched, 1);
	/* And goes on with deltas. */
	ask(w, 0, PROTO_INCREASE, "1");
	heal(w);
	everywhere(w, PROTO_GET, "51");
	assert_int_equal(crdt_at(w, 2)->compared, 1);
	world_close(w);
}

static void crdt_operation__of_who_is_gone_gets_around_by_comparing(void **state)
{
	struct sim_config config = world_config(&crdt_ops, 3);
	char key[16];
	struct world *w;

	(void)state;
	config.proto.anti_entropy_ns = NS_PER_S;
	w = world_open(&config);
	world_run(w, 200 * NS_PER_MS);
	world_isolate(w, 2);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "key %u", i);
		world_set(w, 0, key, "v");
	}
	world_run(w, 100 * NS_PER_MS);
	sim_crash(w->sim, 0);
	sim_heal(w->sim);
	world_run(w, 20 * NS_PER_S);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "key %u", i);
		assert_string_equal(world_get(w, 2, key), "v");
	}
	world_close(w);
}

static void crdt_set__grows_to_its_share_of_a_state_only(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_LWW);
	const size_t len = CRDT_STATE_MAX / 3 - 1000;
	char *member = calloc(1, len + 1);
	const struct proto_reply *r;

	(void)state;
	memset(member, 'm', len);
	world_isolate(w, 2);
	for (unsigned i = 0; i < 3; i += 2) {
		member[0] = (char)('0' + i);
		assert_int_equal(add(w, i, member), PROTO_OK);
		member[0] = 'x';
		r = ask(w, i, PROTO_ADD, member);
		assert_int_equal(r->status, PROTO_UNAVAILABLE);
		assert_non_null(r->why);
	}
	heal(w);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ask(w, i, PROTO_MEMBERS, NULL)->listed, 2);
		assert_int_equal(crdt_at(w, i)->refused, 0);
	}
	free(member);
	world_close(w);
}

static void crdt_key__that_has_expired_is_gone_on_all_replicas(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_LWW);
	struct proto_request req = {
		.ticket = 1,
		.op = PROTO_SET,
		.key = {(const uint8_t *)"k", 1},
		.value = {(const uint8_t *)"v", 1},
		.expires_ns = SIM_WALL_NS + w->sim->now_ns + NS_PER_S,
	};

	(void)state;
	w->asked_count = 1;
	sim_request(w->sim, 0, &req);
	world_run(w, 100 * NS_PER_MS);
	everywhere(w, PROTO_GET, "v");
	world_run(w, NS_PER_S);
	everywhere(w, PROTO_GET, "");
	assert_int_equal(add(w, 2, "m"), PROTO_OK);
	world_close(w);
}

static void crdt_memory__has_the_contexts_of_deleted_keys(void **state)
{
	struct world *w = open_crdt(PROTO_REGISTER_LWW);
	const struct proto *p = w->sim->node[0].proto;
	size_t before = proto_memory(p);
	char key[16];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(key, sizeof key, "key%u", i);
		assert_int_equal(world_set(w, 0, key, "v"), PROTO_OK);
		assert_int_equal(world_del(w, 0, key), PROTO_OK);
	}
	assert_int_equal(table_count(p->table), 0);
	assert_true(proto_memory(p) >= before + 60000);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crdt_replica__alone_takes_everything_at_once),
		cmocka_unit_test(crdt_counter__has_what_both_sides_of_a_cut_counted),
		cmocka_unit_test(crdt_counter__deleted_keeps_what_the_deletion_has_not_seen),
		cmocka_unit_test(crdt_counter__stays_within_64_bits),
		cmocka_unit_test(crdt_set__add_wins_over_a_removal_that_has_not_seen_it),
		cmocka_unit_test(crdt_set__has_what_was_added_on_both_sides_once),
		cmocka_unit_test(crdt_set__keeps_nothing_of_what_was_removed),
		cmocka_unit_test(crdt_register__lww_agrees_on_the_later_write),
		cmocka_unit_test(crdt_register__lww_with_equal_clocks_loses_one_of_two),
		cmocka_unit_test(crdt_register__lww_orders_what_has_seen_the_other_by_that),
		cmocka_unit_test(crdt_register__mv_shows_both_sides_until_it_is_written_again),
		cmocka_unit_test(crdt_register__mv_replaces_what_the_session_has_seen_only),
		cmocka_unit_test(crdt_register__mv_bears_a_token_from_the_future),
		cmocka_unit_test(crdt_register__mv_has_few_values_side_by_side),
		cmocka_unit_test(crdt_key__of_two_types_at_once_shows_the_set_and_keeps_the_rest),
		cmocka_unit_test(crdt_operation__of_another_type_is_wrong),
		cmocka_unit_test(crdt_write__is_acknowledged_and_seen_when_it_is_on_disk),
		cmocka_unit_test(crdt_write__on_a_disk_that_stalls_is_uncertain_in_time),
		cmocka_unit_test(crdt_delta__that_was_lost_is_sent_again),
		cmocka_unit_test(crdt_replica__too_far_behind_compares_all),
		cmocka_unit_test(crdt_operation__of_who_is_gone_gets_around_by_comparing),
		cmocka_unit_test(crdt_set__grows_to_its_share_of_a_state_only),
		cmocka_unit_test(crdt_key__that_has_expired_is_gone_on_all_replicas),
		cmocka_unit_test(crdt_memory__has_the_contexts_of_deleted_keys),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
