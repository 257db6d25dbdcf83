/* SPDX-License-Identifier: MIT */
/* causal_test.c - causal replication by its rules: causes first, sessions, clocks, copies, graves
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/proto/causal_internal.h"
#include "tests/sim/world.h"

#define LATER_NS (400 * NS_PER_MS) /* whatever was lost has been asked for again */

static struct world *open_causal(unsigned nodes)
{
	struct sim_config config = world_config(&causal_ops, nodes);

	return world_open(&config);
}

static struct causal *at(const struct world *w, unsigned node)
{
	return causal_of(w->sim->node[node].proto);
}

static struct proto_bytes bytes_of(const char *text)
{
	return (struct proto_bytes){(const uint8_t *)text, (uint32_t)strlen(text)};
}

static void cut_link(struct world *w, unsigned a, unsigned b)
{
	sim_link(w->sim, a, b)->cut = true;
	sim_link(w->sim, b, a)->cut = true;
}

static struct world_asked *ask_as(struct world *w, unsigned node, enum proto_op op, const char *key,
	const struct token *token)
{
	struct world_ask ask = {.op = op, .key = key, .value = "v", .token = token};

	return world_ask(w, node, &ask);
}

static void assert_all_read(struct world *w, unsigned nodes, const char *key, const char *value)
{
	for (unsigned i = 0; i < nodes; i++)
		assert_string_equal(world_get(w, i, key), value);
}

static void causal_replica__answers_alone_and_at_once(void **state)
{
	struct world *w = open_causal(5);
	struct world_asked *a;

	(void)state;
	world_isolate(w, 4);
	world_run(w, NS_PER_S);
	a = ask_as(w, 4, PROTO_SET, "k", NULL);
	world_wait(w, a);
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_int_equal(a->replied_ns, a->asked_ns);
	a = ask_as(w, 4, PROTO_GET, "k", NULL);
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_int_equal(a->replied_ns, a->asked_ns);
	sim_heal(w->sim);
	world_run(w, LATER_NS);
	assert_all_read(w, 5, "k", "v");
	world_close(w);
}

static void causal_write__shows_no_effect_before_its_cause(void **state)
{
	struct world *w = open_causal(3);
	bool early = false;

	(void)state;
	cut_link(w, 0, 2);
	assert_int_equal(world_set(w, 0, "cause", "x"), PROTO_OK);
	world_run(w, 20 * NS_PER_MS);
	assert_string_equal(world_get(w, 1, "cause"), "x");
	assert_int_equal(world_set(w, 1, "effect", "y"), PROTO_OK);
	for (unsigned i = 0; i < 400; i++) {
		world_run(w, NS_PER_MS);
		early = early || at(w, 2)->peer[1].early_count == 1;
		if (world_local(w, 2, "effect")[0])
			assert_string_equal(world_local(w, 2, "cause"), "x");
	}
	assert_true(early);
	/* Replica 1 gave what replica 0 could not. */
	assert_string_equal(world_get(w, 2, "effect"), "y");
	assert_int_equal(at(w, 2)->early_bytes, 0);
	world_close(w);
}

static void causal_write__names_only_what_has_grown_since_the_last_one(void **state)
{
	struct world *w = open_causal(3);
	const struct causal_entry *e;
	struct causal_write write;

	(void)state;
	world_set(w, 0, "a", "1");
	world_run(w, 15 * NS_PER_MS);
	cut_link(w, 1, 2); /* nobody forgets the writes meanwhile */
	cut_link(w, 1, 0);
	for (unsigned i = 0; i < 2; i++) {
		world_set(w, 1, "b", "2");
		e = ring_at(&at(w, 1)->log, at(w, 1)->log.next - 1);
		assert_int_equal(
			causal_decode(3, (struct proto_bytes){e->bytes, e->len}, &write), 0);
		assert_int_equal(write.pairs, i == 0);
	}
	world_close(w);
}

static void causal_session__is_served_when_the_replica_has_what_it_saw(void **state)
{
	struct world *w = open_causal(3);
	struct world_asked *a, *b;

	(void)state;
	a = world_wait(w, ask_as(w, 0, PROTO_SET, "k", NULL));
	b = ask_as(w, 1, PROTO_GET, "k", a->reply.token);
	assert_int_equal(b->replies, 0);
	world_wait(w, b);
	assert_int_equal(b->reply.status, PROTO_OK);
	assert_int_equal(b->replied_ns - b->asked_ns, 10 * NS_PER_MS);
	assert_true(vclock_covers(b->reply.token, a->reply.token));
	world_close(w);
}

static void causal_session__is_refused_where_it_saw_more_than_the_replica(void **state)
{
	static const enum proto_op ops[] = {PROTO_GET, PROTO_SET, PROTO_DEL};
	struct world *w = open_causal(3);
	uint64_t timeout_ns = w->sim->config.proto.request_timeout_ns;
	struct world_asked *a, *b;

	(void)state;
	world_isolate(w, 2);
	a = world_wait(w, ask_as(w, 0, PROTO_SET, "k", NULL));
	for (unsigned i = 0; i < 3; i++) {
		b = world_wait(w, ask_as(w, 2, ops[i], "k", a->reply.token));
		assert_int_equal(b->reply.status, PROTO_UNAVAILABLE);
		assert_non_null(b->reply.why);
		assert_int_equal(b->reply.waited_ns, timeout_ns);
		assert_int_equal(b->replied_ns - b->asked_ns, timeout_ns);
	}
	/* Others are served there, and the session elsewhere. */
	assert_int_equal(
		world_wait(w, ask_as(w, 2, PROTO_GET, "k", NULL))->reply.status, PROTO_NIL);
	b = world_wait(w, ask_as(w, 1, PROTO_GET, "k", a->reply.token));
	assert_int_equal(b->reply.status, PROTO_OK);
	/* What was refused is not done later. */
	sim_heal(w->sim);
	world_run(w, LATER_NS);
	assert_int_equal(at(w, 0)->have.at[2], 0);
	world_close(w);
}

static void causal_session__of_replicas_that_are_not_there_is_refused_in_time(void **state)
{
	struct world *w = open_causal(3);
	struct token odd = {.n = 5, .at = {0, 0, 0, 0, 1}};
	struct token fine = {.n = 5};

	(void)state;
	assert_int_equal(
		world_wait(w, ask_as(w, 0, PROTO_GET, "k", &odd))->reply.status, PROTO_UNAVAILABLE);
	assert_int_equal(
		world_wait(w, ask_as(w, 0, PROTO_GET, "k", &fine))->reply.status, PROTO_NIL);
	world_close(w);
}

static void causal_session__that_waits_has_its_write_done_once(void **state)
{
	struct world *w = open_causal(3);
	struct world_asked *a, *b;

	(void)state;
	a = world_wait(w, ask_as(w, 0, PROTO_SET, "a", NULL));
	b = world_wait(w, ask_as(w, 1, PROTO_SET, "b", a->reply.token));
	assert_int_equal(b->reply.status, PROTO_OK);
	assert_int_equal(at(w, 1)->have.at[1], 1);
	assert_int_equal(at(w, 1)->have.at[0], 1);
	world_run(w, LATER_NS);
	assert_all_read(w, 3, "b", "v");
	world_close(w);
}

static void causal_writes__of_both_sides_of_a_cut_become_one(void **state)
{
	struct world *w = open_causal(3);
	const struct table_entry *e[3];

	(void)state;
	world_isolate(w, 2);
	world_set(w, 0, "k", "left");
	world_run(w, NS_PER_S);
	world_set(w, 2, "k", "right");
	assert_string_equal(world_get(w, 1, "k"), "left");
	sim_heal(w->sim);
	world_run(w, LATER_NS);
	assert_all_read(w, 3, "k", "right");
	for (unsigned i = 0; i < 3; i++)
		e[i] = table_get(w->sim->node[i].table, bytes_of("k"));
	assert_true(e[0]->version == e[1]->version && e[1]->version == e[2]->version);
	world_close(w);
}

static void causal_clock__orders_effects_after_causes_however_wrong_it_is(void **state)
{
	struct world *w = open_causal(3);

	(void)state;
	w->sim->node[1].skew_ns = -(int64_t)(CAUSAL_AHEAD_NS_MAX / 2);
	world_set(w, 0, "k", "first");
	world_run(w, LATER_NS);
	assert_string_equal(world_get(w, 1, "k"), "first");
	world_set(w, 1, "k", "second");
	world_run(w, LATER_NS);
	assert_all_read(w, 3, "k", "second");
	/* Also when it has forgotten all but its disk. */
	sim_crash(w->sim, 1);
	sim_restart(w->sim, 1);
	world_set(w, 1, "k", "third");
	world_run(w, LATER_NS);
	assert_all_read(w, 3, "k", "third");
	world_close(w);
}

static void causal_write__of_a_far_future_waits_until_then(void **state)
{
	struct world *w = open_causal(3);

	(void)state;
	w->sim->node[0].skew_ns = (int64_t)(2 * CAUSAL_AHEAD_NS_MAX);
	assert_int_equal(world_set(w, 0, "k", "from the future"), PROTO_OK);
	world_run(w, NS_PER_S);
	assert_string_equal(world_get(w, 1, "k"), "");
	assert_true(at(w, 1)->ahead > 0);
	/* Nobody else's clock was dragged along. */
	assert_int_equal(world_set(w, 1, "other", "now"), PROTO_OK);
	assert_true(at(w, 1)->clock.last < SIM_WALL_NS + CAUSAL_AHEAD_NS_MAX);
	world_run(w, NS_PER_S);
	assert_all_read(w, 3, "other", "now");
	world_run(w, CAUSAL_AHEAD_NS_MAX + NS_PER_S);
	assert_all_read(w, 3, "k", "from the future");
	world_close(w);
}

static void causal_write__is_refused_when_the_clock_went_back_far(void **state)
{
	struct world *w = open_causal(3);
	struct world_asked *a;

	(void)state;
	w->sim->node[0].skew_ns = (int64_t)(2 * CAUSAL_AHEAD_NS_MAX);
	assert_int_equal(world_set(w, 0, "k", "v"), PROTO_OK);
	w->sim->node[0].skew_ns = 0;
	a = world_wait(w, ask_as(w, 0, PROTO_SET, "k", NULL));
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	assert_non_null(a->reply.why);
	assert_string_equal(world_get(w, 0, "k"), "v");
	world_close(w);
}

static void causal_messages__that_are_lost_are_asked_for_again(void **state)
{
	struct sim_config config = world_config(&causal_ops, 4);
	struct world *w;
	char key[16];

	(void)state;
	config.loss_ppm = 400000;
	config.duplicate_ppm = 200000;
	w = world_open(&config);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(key, sizeof key, "k%u", i % 50);
		assert_int_equal(world_set(w, i % 4, key, key), PROTO_OK);
		world_run(w, 5 * NS_PER_MS);
	}
	world_run(w, 20 * NS_PER_S);
	for (unsigned i = 0; i < 50; i++) {
		snprintf(key, sizeof key, "k%u", i);
		assert_all_read(w, 4, key, key);
	}
	/* What all have is kept by nobody. */
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(ring_count(&at(w, i)->log), 0);
		assert_int_equal(at(w, i)->log_bytes, 0);
	}
	world_close(w);
}

static void causal_question__is_patient_where_links_are_slower_than_heartbeats(void **state)
{
	struct sim_config config = world_config(&causal_ops, 3);
	struct world *w;
	char key[16];

	(void)state;
	config.delay_ns = 10 * config.proto.heartbeat_ns;
	config.proto.log_keep_kib = 1;
	w = world_open(&config);
	world_isolate(w, 2);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(key, sizeof key, "k%u", i);
		assert_int_equal(world_set(w, 0, key, key), PROTO_OK);
	}
	world_run(w, NS_PER_S);
	sim_heal(w->sim);
	world_run(w, 300 * config.proto.heartbeat_ns);
	assert_all_read(w, 3, "k0", "k0");
	assert_all_read(w, 3, "k99", "k99");
	assert_int_equal(at(w, 2)->replaced, 1);
	world_close(w);
}

static void causal_restart__knows_what_was_acknowledged(void **state)
{
	struct world *w = open_causal(3);
	struct world_asked *a, *b;

	(void)state;
	world_isolate(w, 0);
	a = world_wait(w, ask_as(w, 0, PROTO_SET, "k", NULL));
	sim_crash(w->sim, 0);
	sim_restart(w->sim, 0);
	b = world_wait(w, ask_as(w, 0, PROTO_GET, "k", a->reply.token));
	assert_int_equal(b->reply.status, PROTO_OK);
	assert_int_equal(b->replied_ns, b->asked_ns);
	/* And has it still for the others. */
	sim_heal(w->sim);
	world_run(w, LATER_NS);
	assert_all_read(w, 3, "k", "v");
	world_close(w);
}

/* --- copies --- */

#define KEYS 300u

static struct world *open_short_log(void)
{
	struct sim_config config = world_config(&causal_ops, 3);

	config.proto.log_keep_kib = 1;
	return world_open(&config);
}

static void write_keys(struct world *w, unsigned node, const char *value)
{
	char key[16];

	for (unsigned i = 0; i < KEYS; i++) {
		snprintf(key, sizeof key, "k%u", i);
		assert_int_equal(world_set(w, node, key, value), PROTO_OK);
	}
}

static unsigned keys_with(struct world *w, unsigned node, const char *value)
{
	unsigned n = 0;
	char key[16];

	for (unsigned i = 0; i < KEYS; i++) {
		const struct table_entry *e;

		snprintf(key, sizeof key, "k%u", i);
		e = table_get(w->sim->node[node].table, bytes_of(key));
		n += e && !e->deleted && e->value.len == strlen(value) &&
		     memcmp(e->value.p, value, e->value.len) == 0;
	}
	return n;
}

static void causal_copy__brings_whom_no_log_reaches_up_to_date(void **state)
{
	struct world *w = open_short_log();

	(void)state;
	write_keys(w, 0, "old");
	world_del(w, 0, "k0");
	world_run(w, LATER_NS);
	world_isolate(w, 2);
	assert_int_equal(world_set(w, 2, "mine", "kept"), PROTO_OK);
	write_keys(w, 0, "new");
	world_del(w, 0, "k1");
	world_run(w, LATER_NS);
	assert_true(at(w, 0)->log_bytes <= 1024);
	sim_heal(w->sim);
	world_run(w, 2 * NS_PER_S);
	assert_int_equal(at(w, 2)->replaced, 1);
	assert_int_equal(keys_with(w, 2, "new"), KEYS - 1);
	assert_all_read(w, 3, "k1", "");
	assert_all_read(w, 3, "mine", "kept");
	assert_int_equal(vclock_compare(&at(w, 2)->have, &at(w, 0)->have), VCLOCK_EQUAL);
	/* From here on the log is enough. */
	world_set(w, 0, "k2", "newer");
	world_set(w, 2, "k3", "newer");
	world_run(w, LATER_NS);
	assert_all_read(w, 3, "k2", "newer");
	assert_all_read(w, 3, "k3", "newer");
	assert_int_equal(at(w, 2)->replaced, 1);
	world_close(w);
}

static void causal_copy__shows_all_of_it_or_nothing(void **state)
{
	struct world *w = open_short_log();
	unsigned between = 0, seen;
	char value[1025] = "";

	(void)state;
	memset(value, 'v', 1024); /* many parts */
	world_isolate(w, 2);
	write_keys(w, 0, value);
	sim_heal(w->sim);
	for (unsigned i = 0; i < 600; i++) {
		world_run(w, NS_PER_MS);
		seen = keys_with(w, 2, value);
		assert_true(seen == 0 || seen == KEYS);
		between += at(w, 2)->copy.active && table_count(at(w, 2)->copy.table) > 0;
	}
	assert_int_equal(keys_with(w, 2, value), KEYS);
	assert_true(between > 0);
	world_close(w);
}

static void causal_copy__has_what_is_written_meanwhile(void **state)
{
	struct sim_config config = world_config(&causal_ops, 3);
	struct world *w;
	char value[1025] = "", key[16];

	(void)state;
	memset(value, 'v', 1024);
	config.proto.log_keep_kib = 64;
	w = world_open(&config);
	world_isolate(w, 2);
	write_keys(w, 0, value);
	sim_heal(w->sim);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(key, sizeof key, "k%u", i * 7 % KEYS);
		assert_int_equal(world_set(w, i % 2, key, "meanwhile"), PROTO_OK);
		world_run(w, 2 * NS_PER_MS);
	}
	world_run(w, 2 * NS_PER_S);
	assert_true(at(w, 2)->replaced >= 1);
	assert_int_equal(keys_with(w, 2, "meanwhile"), 200);
	assert_int_equal(keys_with(w, 2, value), KEYS - 200);
	world_close(w);
}

static void causal_copy__begins_again_after_a_crash_and_from_another_replica(void **state)
{
	struct world *w = open_short_log();
	char value[1025] = "";
	unsigned from;

	(void)state;
	memset(value, 'v', 1024);
	world_isolate(w, 2);
	write_keys(w, 0, value);
	world_run(w, NS_PER_S);
	sim_heal(w->sim);
	for (unsigned i = 0; i < 600 && !at(w, 2)->copy.active; i++)
		world_run(w, NS_PER_MS);
	world_run(w, 25 * NS_PER_MS);
	assert_true(at(w, 2)->copy.active);
	sim_crash(w->sim, 2);
	sim_restart(w->sim, 2);
	assert_int_equal(keys_with(w, 2, value), 0);
	for (unsigned i = 0; i < 600 && !at(w, 2)->copy.active; i++)
		world_run(w, NS_PER_MS);
	assert_true(at(w, 2)->copy.active);
	from = at(w, 2)->copy.from;
	cut_link(w, from, 2);
	world_run(w, 10 * NS_PER_S);
	assert_int_equal(keys_with(w, 2, value), KEYS);
	world_close(w);
}

/* One of two messages of an answer, without an entry. */
static void give_piece(
	struct world *w, unsigned from, uint64_t step, uint64_t answer, uint8_t piece)
{
	struct buf b = {0};

	buf_u8(&b, CAUSAL_PART);
	buf_u64(&b, step);
	buf_u64(&b, answer);
	buf_u64(&b, 100 * answer); /* where it ends */
	buf_u8(&b, piece);
	buf_u8(&b, 2);
	buf_u8(&b, 0);
	vclock_write(&b, &at(w, from)->have);
	buf_u32(&b, 0);
	assert_int_equal(sim_message(w->sim, from, 2, b.p, b.len), 0);
	buf_fini(&b);
}

/* The network may double a question; its two answers end at different places of the table. */
static void causal_copy__does_not_mix_two_answers(void **state)
{
	struct world *w = open_short_log();
	const struct causal_copy *copy = &at(w, 2)->copy;
	uint64_t step;

	(void)state;
	world_isolate(w, 2);
	write_keys(w, 0, "v");
	world_run(w, LATER_NS);
	sim_heal(w->sim);
	for (unsigned i = 0; i < 600 && !copy->active; i++)
		world_run(w, NS_PER_MS);
	assert_true(copy->active);
	step = copy->step;
	give_piece(w, copy->from, step, 7, 0);
	give_piece(w, copy->from, step, 8, 1);
	assert_int_equal(copy->step, step);
	give_piece(w, copy->from, step, 8, 0);
	assert_int_not_equal(copy->step, step);
	assert_int_equal(copy->cursor, 800);
	world_close(w);
}

/* --- tombstones --- */

static bool has_entry(struct world *w, unsigned node, const char *key)
{
	return table_get(w->sim->node[node].table, bytes_of(key)) != NULL;
}

static void causal_tombstone__stays_until_every_replica_has_it(void **state)
{
	struct sim_config config = world_config(&causal_ops, 3);
	struct world *w;

	(void)state;
	config.proto.tombstone_ns = 200 * NS_PER_MS;
	w = world_open(&config);
	world_set(w, 0, "k", "v");
	world_run(w, LATER_NS);
	world_isolate(w, 2);
	assert_int_equal(world_del(w, 0, "k"), PROTO_OK);
	world_run(w, 5 * NS_PER_S);
	assert_true(has_entry(w, 0, "k") && has_entry(w, 1, "k"));
	assert_string_equal(world_get(w, 0, "k"), "");
	assert_string_equal(world_get(w, 2, "k"), "v");
	sim_heal(w->sim);
	world_run(w, 5 * NS_PER_S);
	for (unsigned i = 0; i < 3; i++) {
		assert_false(has_entry(w, i, "k"));
		assert_int_equal(at(w, i)->forgotten, 1);
		sim_crash(w->sim, i);
		sim_restart(w->sim, i);
		assert_string_equal(world_get(w, i, "k"), "");
	}
	world_close(w);
}

static void causal_entry__that_expired_is_forgotten_too(void **state)
{
	struct sim_config config = world_config(&causal_ops, 3);
	struct proto_request req = {.ticket = 99, .op = PROTO_SET};
	struct world *w;

	(void)state;
	config.proto.tombstone_ns = 200 * NS_PER_MS;
	w = world_open(&config);
	req.key = bytes_of("k");
	req.value = bytes_of("v");
	req.expires_ns = w->sim->node[0].io.wall(&w->sim->node[0].io) + NS_PER_S;
	w->sim->on_reply = NULL;
	sim_request(w->sim, 0, &req);
	world_run(w, LATER_NS);
	for (unsigned i = 0; i < 3; i++)
		assert_true(has_entry(w, i, "k"));
	world_run(w, 5 * NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_false(has_entry(w, i, "k"));
	world_close(w);
}

static void causal_requests__that_wait_are_few_enough_and_leave_nothing(void **state)
{
	struct world *w = open_causal(3);
	const struct token far = {.n = 3, .at = {1000, 0, 0}};
	struct world_asked *a;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		world_ask(w, 1, &(struct world_ask){.key = "k", .token = &far});
		a = ask_as(w, 1, PROTO_SET, "k", NULL);
		world_run(w, 100 * NS_PER_MS);
		assert_int_equal(a->reply.status, PROTO_OK);
	}
	world_run(w, 2 * NS_PER_S);
	assert_int_equal(at(w, 1)->pending, 0);
	assert_int_equal(at(w, 1)->request_bytes, 0);
	assert_int_equal(ring_count(&at(w, 1)->parked), 0);
	assert_int_equal(ring_count(&at(w, 1)->requests), 0);
	for (size_t i = 0; i < w->asked_count; i++)
		assert_int_equal(w->asked[i].replies, 1);
	world_close(w);
}

static void causal_replicas__more_than_a_token_has_numbers_do_nothing(void **state)
{
	struct sim_config config = world_config(&causal_ops, TOKEN_MAX + 1);
	struct proto_claim claim;
	struct world *w = world_open(&config);

	(void)state;
	causal_ops.claim(&config.proto, &claim);
	assert_int_equal(claim.does, 0);
	assert_int_equal(world_set(w, 0, "k", "v"), PROTO_UNSUPPORTED);
	world_run(w, NS_PER_S);
	world_close(w);
}

static void causal_claim__is_the_same_on_every_side(void **state)
{
	struct proto_config cfg = {.nodes = 5};
	struct proto_claim claim;

	(void)state;
	causal_ops.claim(&cfg, &claim);
	assert_int_equal(claim.whole, PROTO_CAUSAL_CONVERGENT);
	assert_int_equal(claim.cut, PROTO_CAUSAL_CONVERGENT);
	assert_int_equal(claim.reads_cut, PROTO_SIDES_ALL);
	assert_int_equal(claim.writes_cut, PROTO_SIDES_ALL);
	assert_true(claim.sessions);
	assert_false(claim.cas);
	assert_false(claim.loses_acked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(causal_replica__answers_alone_and_at_once),
		cmocka_unit_test(causal_write__shows_no_effect_before_its_cause),
		cmocka_unit_test(causal_write__names_only_what_has_grown_since_the_last_one),
		cmocka_unit_test(causal_session__is_served_when_the_replica_has_what_it_saw),
		cmocka_unit_test(causal_session__is_refused_where_it_saw_more_than_the_replica),
		cmocka_unit_test(causal_session__of_replicas_that_are_not_there_is_refused_in_time),
		cmocka_unit_test(causal_session__that_waits_has_its_write_done_once),
		cmocka_unit_test(causal_writes__of_both_sides_of_a_cut_become_one),
		cmocka_unit_test(causal_clock__orders_effects_after_causes_however_wrong_it_is),
		cmocka_unit_test(causal_write__of_a_far_future_waits_until_then),
		cmocka_unit_test(causal_write__is_refused_when_the_clock_went_back_far),
		cmocka_unit_test(causal_messages__that_are_lost_are_asked_for_again),
		cmocka_unit_test(
			causal_question__is_patient_where_links_are_slower_than_heartbeats),
		cmocka_unit_test(causal_restart__knows_what_was_acknowledged),
		cmocka_unit_test(causal_copy__brings_whom_no_log_reaches_up_to_date),
		cmocka_unit_test(causal_copy__shows_all_of_it_or_nothing),
		cmocka_unit_test(causal_copy__has_what_is_written_meanwhile),
		cmocka_unit_test(causal_copy__begins_again_after_a_crash_and_from_another_replica),
		cmocka_unit_test(causal_copy__does_not_mix_two_answers),
		cmocka_unit_test(causal_tombstone__stays_until_every_replica_has_it),
		cmocka_unit_test(causal_entry__that_expired_is_forgotten_too),
		cmocka_unit_test(causal_requests__that_wait_are_few_enough_and_leave_nothing),
		cmocka_unit_test(causal_replicas__more_than_a_token_has_numbers_do_nothing),
		cmocka_unit_test(causal_claim__is_the_same_on_every_side),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
