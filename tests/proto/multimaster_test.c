/* SPDX-License-Identifier: MIT */
/* multimaster_test.c - trees of revisions, the winner, conflicts, stemming, replication */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/proto/multimaster_internal.h"
#include "tests/sim/world.h"

#define AGREE_NS (2 * NS_PER_S)

static struct world *open_world(unsigned nodes, unsigned revs)
{
	struct sim_config config = world_config(&multimaster_ops, nodes);
	struct world *w;

	config.proto.revs = revs;
	w = world_open(&config);
	world_run(w, 200 * NS_PER_MS);
	return w;
}

static struct world_asked *ask(
	struct world *w, unsigned node, enum proto_op op, const char *key, const char *value)
{
	struct world_ask what = {.op = op, .key = key, .value = value};

	return world_wait(w, world_ask(w, node, &what));
}

/* All values of a key, the winner first, as "a b"; in static memory. */
static const char *values(struct world *w, unsigned node, const char *key)
{
	static char text[256];
	const struct proto_reply *r = &ask(w, node, PROTO_VALUES, key, NULL)->reply;

	text[0] = '\0';
	for (uint32_t i = 0; i < r->listed; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			(const char *)r->list[i].p);
	return text;
}

static void agree(struct world *w)
{
	char why[128] = "";

	sim_heal(w->sim);
	world_run(w, AGREE_NS);
	if (!sim_converged(w->sim, why, sizeof(why)))
		fail_msg("%s", why);
}

/* Replica 0 is alone and sets @mine, the others set @theirs. */
static void two_sides(struct world *w, const char *key, const char *mine, const char *theirs)
{
	world_isolate(w, 0);
	assert_int_equal(world_set(w, 0, key, mine), PROTO_OK);
	assert_int_equal(world_set(w, 1, key, theirs), PROTO_OK);
	agree(w);
}

static unsigned sent(const struct world *w, uint8_t type)
{
	unsigned n = 0;

	for (size_t i = 0; i < w->sent_count; i++)
		n += w->sent[i].bytes.p[0] == type;
	return n;
}

static void multimaster__a_replica_alone_reads_and_writes_at_once(void **state)
{
	struct world *w = open_world(3, 0);
	struct world_asked *a;

	(void)state;
	world_isolate(w, 2);
	a = ask(w, 2, PROTO_SET, "k", "alone");
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_int_equal(a->replied_ns, a->asked_ns);
	assert_string_equal(world_get(w, 2, "k"), "alone");
	assert_string_equal(world_get(w, 0, "k"), "");
	agree(w);
	assert_string_equal(world_get(w, 0, "k"), "alone");
	world_close(w);
}

static void multimaster__a_write_is_replicated_in_three_crossings(void **state)
{
	struct world *w = open_world(3, 0);

	(void)state;
	world_set(w, 0, "k", "v");
	world_run(w, 29 * NS_PER_MS);
	assert_string_equal(world_get(w, 1, "k"), "");
	world_run(w, NS_PER_MS);
	assert_string_equal(world_get(w, 1, "k"), "v");
	assert_string_equal(world_get(w, 2, "k"), "v");
	world_close(w);
}

static void multimaster__both_edits_are_kept_and_all_show_the_same(void **state)
{
	struct world *w = open_world(3, 0);
	char all[256];

	(void)state;
	two_sides(w, "k", "a", "b");
	snprintf(all, sizeof(all), "%s", values(w, 0, "k"));
	assert_true(!strcmp(all, "a b") || !strcmp(all, "b a"));
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(values(w, i, "k"), all);
		assert_int_equal(world_get(w, i, "k")[0], all[0]);
	}
	world_close(w);
}

static void multimaster__the_same_edit_on_two_replicas_is_one_revision(void **state)
{
	struct world *w = open_world(3, 0);

	(void)state;
	world_set(w, 0, "k", "before");
	agree(w);
	two_sides(w, "k", "same", "same");
	assert_string_equal(values(w, 2, "k"), "same");
	world_close(w);
}

/* The names differ as their histories do, though what was done last is the same. */
static void multimaster__the_same_value_after_other_histories_is_two_revisions(void **state)
{
	struct world *w = open_world(3, 0);

	(void)state;
	world_isolate(w, 0);
	world_set(w, 0, "k", "a");
	world_set(w, 0, "k", "same");
	world_set(w, 1, "k", "b");
	world_set(w, 1, "k", "same");
	agree(w);
	assert_string_equal(values(w, 2, "k"), "same same");
	world_close(w);
}

static void multimaster__the_longer_history_wins(void **state)
{
	struct world *w = open_world(3, 0);

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%u", i);
		world_isolate(w, 0);
		world_set(w, 0, key, "early");
		world_set(w, 0, key, "twice");
		world_set(w, 1, key, "once");
		agree(w);
		assert_string_equal(values(w, i % 3, key), "twice once");
	}
	world_close(w);
}

static void multimaster__a_deletion_loses_to_an_edit_however_long_its_history(void **state)
{
	struct world *w = open_world(3, 0);

	(void)state;
	world_set(w, 0, "k", "before");
	agree(w);
	world_isolate(w, 0);
	world_set(w, 0, "k", "x");
	world_set(w, 0, "k", "y");
	assert_int_equal(world_del(w, 0, "k"), PROTO_OK);
	world_set(w, 1, "k", "edit");
	agree(w);
	assert_string_equal(values(w, 0, "k"), "edit");
	assert_string_equal(world_get(w, 0, "k"), "edit");
	world_close(w);
}

static void multimaster__a_tombstone_is_not_undone_by_who_was_away(void **state)
{
	struct world *w = open_world(3, 0);

	(void)state;
	world_set(w, 0, "k", "old");
	agree(w);
	world_isolate(w, 2);
	assert_int_equal(world_del(w, 0, "k"), PROTO_OK);
	world_run(w, NS_PER_S);
	assert_string_equal(world_get(w, 2, "k"), "old");
	agree(w);
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(world_get(w, i, "k"), "");
		assert_int_equal(world_del(w, i, "k"), PROTO_NIL);
	}
	/* Written again it follows the tombstone: who has only that takes it. */
	world_set(w, 1, "k", "new");
	agree(w);
	assert_string_equal(values(w, 2, "k"), "new");
	world_close(w);
}

static void multimaster__a_write_follows_the_winner_and_leaves_the_losers(void **state)
{
	struct world *w = open_world(3, 0);
	char loser;

	(void)state;
	two_sides(w, "k", "a", "b");
	loser = values(w, 1, "k")[2];
	world_set(w, 1, "k", "c");
	agree(w);
	assert_int_equal(values(w, 0, "k")[0], 'c');
	assert_int_equal(values(w, 0, "k")[2], loser);
	world_close(w);
}

static void multimaster__a_conflict_is_resolved_by_ending_the_losing_branch(void **state)
{
	struct world *w = open_world(3, 0);
	char loser[2] = "";

	(void)state;
	two_sides(w, "k", "a", "b");
	loser[0] = values(w, 1, "k")[2];
	world_set(w, 1, "k", "ab");
	agree(w);
	assert_int_equal(ask(w, 2, PROTO_RESOLVE, "k", "never")->reply.status, PROTO_NIL);
	assert_int_equal(ask(w, 2, PROTO_RESOLVE, "none", "a")->reply.status, PROTO_NIL);
	assert_int_equal(ask(w, 2, PROTO_RESOLVE, "k", loser)->reply.status, PROTO_OK);
	agree(w);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(values(w, i, "k"), "ab");
	assert_int_equal(ask(w, 0, PROTO_RESOLVE, "k", loser)->reply.status, PROTO_NIL);
	world_close(w);
}

/* Of a key with one short value that was never changed: name, document, leaf and order. */
#define SHORT_KEY_BYTES 512u

static void multimaster__counts_losers_and_histories_as_memory(void **state)
{
	struct world *w = open_world(3, 0);
	const struct proto *p = w->sim->node[1].proto;
	static char mine[4000], theirs[4000], loser[4000];
	size_t before;

	(void)state;
	memset(mine, 'a', sizeof mine - 1);
	memset(theirs, 'b', sizeof theirs - 1);
	world_set(w, 1, "x", "short");
	agree(w);
	before = proto_memory(p);
	world_set(w, 1, "y", "short");
	assert_true(proto_memory(p) > before && proto_memory(p) < before + SHORT_KEY_BYTES);
	two_sides(w, "k", mine, theirs);
	assert_true(proto_memory(p) >= before + 2 * strlen(mine));
	before = proto_memory(p);
	memset(loser, *world_get(w, 1, "k") == 'a' ? 'b' : 'a', sizeof loser - 1);
	assert_int_equal(ask(w, 1, PROTO_RESOLVE, "k", loser)->reply.status, PROTO_OK);
	assert_true(proto_memory(p) + strlen(mine) < before + SHORT_KEY_BYTES);
	/* 200 generations, 8 bytes each. */
	before = proto_memory(p);
	for (unsigned i = 0; i < 200; i++)
		world_set(w, 1, "x", i % 2 ? "short" : "other");
	assert_true(proto_memory(p) >= before + 1600);
	world_close(w);
}

static void multimaster__deleting_the_winner_shows_what_stood_beside_it(void **state)
{
	struct world *w = open_world(3, 0);
	char loser[2] = "";

	(void)state;
	two_sides(w, "k", "a", "b");
	loser[0] = values(w, 1, "k")[2];
	assert_int_equal(world_del(w, 0, "k"), PROTO_OK);
	assert_string_equal(world_get(w, 0, "k"), loser);
	agree(w);
	assert_string_equal(values(w, 2, "k"), loser);
	assert_int_equal(world_del(w, 1, "k"), PROTO_OK);
	agree(w);
	assert_int_equal(ask(w, 2, PROTO_VALUES, "k", NULL)->reply.status, PROTO_NIL);
	world_close(w);
}

/* Replica 2 is away for five generations. Return: what is listed then. */
static const char *away_for_five(struct world *w)
{
	static const char *const later[] = {"1", "2", "3", "4", "5"};

	world_set(w, 0, "k", "0");
	agree(w);
	world_isolate(w, 2);
	for (unsigned i = 0; i < 5; i++)
		world_set(w, 0, "k", later[i]);
	world_run(w, NS_PER_S);
	agree(w);
	return values(w, 2, "k");
}

static void multimaster__who_was_away_for_longer_than_is_remembered_has_a_conflict(void **state)
{
	struct world *w = open_world(3, 0);

	(void)state;
	assert_string_equal(away_for_five(w), "5");
	world_close(w);
	w = open_world(3, 5);
	assert_string_equal(away_for_five(w), "5 0");
	assert_string_equal(values(w, 0, "k"), "5 0");
	world_close(w);
	w = open_world(3, 6);
	assert_string_equal(away_for_five(w), "5");
	world_close(w);
}

static void multimaster__carries_the_longest_history_and_the_largest_value(void **state)
{
	struct world *w = open_world(2, 0);
	char *large = calloc(1, PROTO_VALUE_MAX + 1);
	char *key = calloc(1, PROTO_KEY_MAX + 1);

	(void)state;
	memset(large, 'v', PROTO_VALUE_MAX);
	memset(key, 'k', PROTO_KEY_MAX);
	for (unsigned i = 0; i < 1010; i++) {
		char value[16];

		snprintf(value, sizeof(value), "%u", i);
		assert_int_equal(world_set(w, 0, key, value), PROTO_OK);
	}
	assert_int_equal(world_set(w, 0, key, large), PROTO_OK);
	agree(w);
	assert_string_equal(world_get(w, 1, key), large);
	sim_crash(w->sim, 1);
	sim_restart(w->sim, 1);
	assert_string_equal(world_get(w, 1, key), large);
	free(large);
	free(key);
	world_close(w);
}

static uint64_t since_of(const struct world_sent *s)
{
	struct cursor c = cursor_over(s->bytes.p + 1 + 8 + 8, 8);

	return cursor_u64(&c);
}

static void multimaster__replication_goes_on_from_its_checkpoint(void **state)
{
	struct world *w = open_world(2, 0);
	char key[16];

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		world_set(w, 0, key, "v");
	}
	agree(w);
	sim_crash(w->sim, 1);
	world_set(w, 0, "k1", "meanwhile");
	world_forget(w);
	sim_restart(w->sim, 1);
	agree(w);
	assert_string_equal(world_get(w, 1, "k1"), "meanwhile");
	/* It asked from there, and got the one. */
	assert_int_equal(since_of(world_last_sent(w, 1, 0, MULTIMASTER_ASK)), 51);
	for (size_t i = 0; i < w->sent_count; i++)
		if (w->sent[i].bytes.p[0] == MULTIMASTER_ASK && w->sent[i].from == 1)
			assert_true(since_of(&w->sent[i]) >= 50);
	assert_int_equal(sent(w, MULTIMASTER_REVISIONS), 1);
	world_close(w);
}

/* The log is cut behind the revisions and before the checkpoint: only the list comes again. */
static void multimaster__a_lost_checkpoint_costs_only_time(void **state)
{
	struct world *w = open_world(2, 0);
	struct sim_node *n = &w->sim->node[1];

	(void)state;
	world_set(w, 0, "k", "v");
	world_run(w, 100 * NS_PER_MS); /* less than MULTIMASTER_CHECKPOINT_NS */
	assert_string_equal(world_get(w, 1, "k"), "v");
	assert_int_equal(n->records, 1);
	sim_crash(w->sim, 1);
	world_forget(w);
	sim_restart(w->sim, 1);
	assert_string_equal(world_get(w, 1, "k"), "v");
	agree(w);
	assert_int_equal(since_of(world_last_sent(w, 1, 0, MULTIMASTER_ASK)), 1);
	assert_int_equal(sent(w, MULTIMASTER_WANT), 0);
	assert_true(sent(w, MULTIMASTER_CHANGES) >= 1);
	world_close(w);
}

/* Both ends have one: the lower counts, since the other speaks of what may be lost. */
static void multimaster__begins_from_the_lower_checkpoint(void **state)
{
	struct world *w = open_world(2, 0);
	uint8_t begin[25] = {MULTIMASTER_BEGIN};
	const struct world_sent *s;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		world_set(w, 0, "k", i % 2 ? "a" : "b");
	agree(w);
	s = world_last_sent(w, 1, 0, MULTIMASTER_ASK);
	assert_int_equal(since_of(s), 5);
	memcpy(begin + 1, s->bytes.p + 1, 8); /* its round */
	begin[9] = 77;                        /* another life */
	begin[17] = 3;
	world_forget(w);
	assert_int_equal(sim_message(w->sim, 0, 1, begin, sizeof(begin)), 0);
	s = world_last_sent(w, 1, 0, MULTIMASTER_ASK);
	assert_int_equal(since_of(s), 3);
	agree(w);
	world_close(w);
}

static void multimaster__what_is_lost_is_asked_for_again(void **state)
{
	struct sim_config config = world_config(&multimaster_ops, 3);
	struct world *w;
	char key[16];

	(void)state;
	config.loss_ppm = 400000;
	config.duplicate_ppm = 300000;
	config.duplicate_ns = NS_PER_S;
	config.jitter_ns = 50 * NS_PER_MS;
	w = world_open(&config);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "k%u", i % 30);
		world_set(w, i % 3, key, i % 2 ? "odd" : "even");
		world_run(w, 10 * NS_PER_MS);
	}
	world_run(w, 20 * NS_PER_S);
	assert_true(sim_converged(w->sim, NULL, 0));
	world_close(w);
}

static void multimaster__forty_replicas_pass_it_on(void **state)
{
	struct world *w = open_world(40, 0);

	(void)state;
	world_set(w, 7, "k", "v");
	two_sides(w, "j", "a", "b");
	for (unsigned i = 0; i < 40; i++)
		assert_string_equal(world_get(w, i, "k"), "v");
	world_close(w);
}

static void multimaster__a_revision_is_what_its_name_says(void **state)
{
	struct world *w = open_world(2, 0);
	struct buf forged = {0};
	const struct world_sent *s;

	(void)state;
	world_set(w, 0, "k", "value");
	agree(w);
	s = world_last_sent(w, 0, 1, MULTIMASTER_REVISIONS);
	assert_non_null(s);
	buf_add(&forged, s->bytes.p, s->bytes.len);
	assert_int_equal(sim_message(w->sim, 0, 1, forged.p, forged.len), 0);
	forged.p[forged.len - 1] ^= 1;
	assert_int_equal(sim_message(w->sim, 0, 1, forged.p, forged.len), -EBADMSG);
	buf_fini(&forged);
	world_close(w);
}

static void multimaster__writes_of_one_replica_in_flight_make_no_conflict(void **state)
{
	struct sim_config config = world_config(&multimaster_ops, 2);
	struct world *w;

	(void)state;
	config.persist_ns_min = config.persist_ns_max = 20 * NS_PER_MS;
	w = world_open(&config);
	for (unsigned i = 0; i < 10; i++)
		world_ask(w, 0,
			&(struct world_ask){
				.op = PROTO_SET, .key = "k", .value = i == 9 ? "last" : "x"});
	world_ask(w, 0, &(struct world_ask){.op = PROTO_DEL, .key = "k"});
	world_ask(w, 0, &(struct world_ask){.op = PROTO_DEL, .key = "k"});
	assert_string_equal(world_get(w, 0, "k"), ""); /* nothing is durable yet */
	world_run(w, AGREE_NS);
	assert_int_equal(w->asked[10].reply.status, PROTO_OK);
	assert_int_equal(w->asked[11].reply.status, PROTO_NIL);
	assert_true(w->asked[11].replied_ns >= w->asked[10].replied_ns);
	world_set(w, 0, "k", "again");
	agree(w);
	assert_string_equal(values(w, 1, "k"), "again");
	world_close(w);
}

static void multimaster__a_full_disk_leaves_writes_uncertain(void **state)
{
	struct sim_config config = world_config(&multimaster_ops, 2);
	struct world_asked *a;
	struct world *w;

	(void)state;
	config.persist_ns_min = config.persist_ns_max = 5 * NS_PER_S;
	w = world_open(&config);
	a = ask(w, 0, PROTO_SET, "k", "v");
	assert_int_equal(a->reply.status, PROTO_UNCERTAIN);
	assert_int_equal(a->replied_ns - a->asked_ns, config.proto.request_timeout_ns);
	world_run(w, 20 * NS_PER_S);
	assert_string_equal(world_get(w, 1, "k"), "v");
	world_close(w);
}

/* As if five more replicas than fit had written it alone. */
static void multimaster__takes_no_more_values_of_a_key_than_fit(void **state)
{
	struct world *w = open_world(2, 0);
	struct proto_status_view view;

	(void)state;
	for (unsigned i = 0; i < MULTIMASTER_LEAVES_MAX + 5; i++) {
		struct proto_bytes value = {(const uint8_t *)&i, sizeof(i)};
		uint64_t id = multimaster_id(1, 0, false, value);
		struct multimaster_revision r = {.key = {(const uint8_t *)"k", 1},
			.generation = 1,
			.known = 1,
			.path = &id,
			.value = value};
		struct buf b = {0};

		multimaster_encode_revision(&b, i + 1, &r);
		assert_int_equal(multimaster_ops.restore(w->sim->node[0].proto, b.p, b.len), 0);
		buf_fini(&b);
	}
	world_run(w, AGREE_NS);
	assert_int_equal(ask(w, 1, PROTO_VALUES, "k", NULL)->reply.listed, MULTIMASTER_LEAVES_MAX);
	sim_status(w->sim, 1, &view);
	assert_int_equal(view.hints_refused, 5);
	/* Other keys do not wait for that one. */
	world_set(w, 0, "j", "v");
	world_run(w, AGREE_NS);
	assert_string_equal(world_get(w, 1, "j"), "v");
	world_close(w);
}

static void multimaster__has_no_conditions_and_no_expiry(void **state)
{
	struct world *w = open_world(2, 0);
	const char expected[] = "v";
	struct world_ask what = {.op = PROTO_SET, .key = "k", .value = "w", .cond = PROTO_IFEQ};
	struct proto_request req = {.ticket = ++w->asked_count,
		.op = PROTO_SET,
		.key = {(const uint8_t *)"k", 1},
		.value = {(const uint8_t *)"w", 1},
		.expires_ns = 1};

	(void)state;
	world_set(w, 0, "k", "v");
	what.expected = expected;
	assert_int_equal(world_wait(w, world_ask(w, 0, &what))->reply.status, PROTO_UNSUPPORTED);
	sim_request(w->sim, 0, &req);
	assert_int_equal(w->asked[req.ticket - 1].reply.status, PROTO_UNSUPPORTED);
	req.expires_ns = PROTO_EXPIRES_KEEP;
	req.ticket = ++w->asked_count;
	sim_request(w->sim, 0, &req);
	world_run(w, NS_PER_S);
	assert_int_equal(w->asked[req.ticket - 1].reply.status, PROTO_OK);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(multimaster__a_replica_alone_reads_and_writes_at_once),
		cmocka_unit_test(multimaster__a_write_is_replicated_in_three_crossings),
		cmocka_unit_test(multimaster__both_edits_are_kept_and_all_show_the_same),
		cmocka_unit_test(multimaster__the_same_edit_on_two_replicas_is_one_revision),
		cmocka_unit_test(
			multimaster__the_same_value_after_other_histories_is_two_revisions),
		cmocka_unit_test(multimaster__the_longer_history_wins),
		cmocka_unit_test(multimaster__a_deletion_loses_to_an_edit_however_long_its_history),
		cmocka_unit_test(multimaster__a_tombstone_is_not_undone_by_who_was_away),
		cmocka_unit_test(multimaster__a_write_follows_the_winner_and_leaves_the_losers),
		cmocka_unit_test(multimaster__a_conflict_is_resolved_by_ending_the_losing_branch),
		cmocka_unit_test(multimaster__counts_losers_and_histories_as_memory),
		cmocka_unit_test(multimaster__deleting_the_winner_shows_what_stood_beside_it),
		cmocka_unit_test(
			multimaster__who_was_away_for_longer_than_is_remembered_has_a_conflict),
		cmocka_unit_test(multimaster__carries_the_longest_history_and_the_largest_value),
		cmocka_unit_test(multimaster__replication_goes_on_from_its_checkpoint),
		cmocka_unit_test(multimaster__a_lost_checkpoint_costs_only_time),
		cmocka_unit_test(multimaster__begins_from_the_lower_checkpoint),
		cmocka_unit_test(multimaster__what_is_lost_is_asked_for_again),
		cmocka_unit_test(multimaster__forty_replicas_pass_it_on),
		cmocka_unit_test(multimaster__a_revision_is_what_its_name_says),
		cmocka_unit_test(multimaster__writes_of_one_replica_in_flight_make_no_conflict),
		cmocka_unit_test(multimaster__a_full_disk_leaves_writes_uncertain),
		cmocka_unit_test(multimaster__takes_no_more_values_of_a_key_than_fit),
		cmocka_unit_test(multimaster__has_no_conditions_and_no_expiry),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
