/* SPDX-License-Identifier: MIT */
/* quorum_repair_test.c - what a leaderless store does without being asked: anti-entropy, tombstones
 * that are forgotten, and replicas that stand in for others */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/proto/quorum_internal.h"
#include "tests/sim/world.h"

#define AGAIN_NS (2 * NS_PER_S) /* of anti-entropy in most worlds here */

static struct sim_config repairing(unsigned nodes)
{
	struct sim_config config = world_config(&quorum_ops, nodes);

	config.proto.anti_entropy_ns = AGAIN_NS;
	return config;
}

static struct quorum *replica(const struct world *w, unsigned i)
{
	return quorum_of(w->sim->node[i].proto);
}

/* The sums are those of the table, whatever has happened to it. */
static void assert_tree(const struct world *w, unsigned i)
{
	struct quorum *q = replica(w, i);
	struct merkle *m = calloc(1, sizeof(*m));
	const struct table_entry *e;
	size_t at = 0;

	while ((e = table_next(q->proto.table, &at)))
		merkle_add(m, table_place(e->key), quorum_digest(e));
	assert_memory_equal(m, q->tree, sizeof(*m));
	free(m);
}

static size_t entries(const struct world *w, unsigned i)
{
	size_t at = 0, count = 0;

	while (table_next(w->sim->node[i].table, &at))
		count++;
	return count;
}

static void put(struct world *w, unsigned node, enum proto_op op, const char *key,
	const char *value, enum proto_level level)
{
	struct world_ask ask = {.op = op, .key = key, .value = value, .level = level};

	world_ask(w, node, &ask);
}

static void put_many(struct world *w, unsigned node, unsigned from, unsigned to)
{
	char key[16];

	for (unsigned i = from; i < to; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		put(w, node, PROTO_SET, key, "value", PROTO_ONE);
	}
}

/* Hints are allowed for so short a time that there are none. */
static void no_hints(struct sim_config *config)
{
	config->proto.hint_ns_max = 1;
}

static void anti_entropy__makes_replicas_agree_without_hints_or_reads(void **state)
{
	struct sim_config config = repairing(3);
	struct proto_status_view view;
	struct world *w;

	(void)state;
	no_hints(&config);
	w = world_open(&config);
	world_isolate(w, 2);
	put_many(w, 0, 0, 500);
	put_many(w, 1, 400, 900);
	put_many(w, 2, 800, 1300);
	put(w, 1, PROTO_DEL, "k100", NULL, PROTO_ONE);
	world_run(w, 2 * NS_PER_S);
	sim_status(w->sim, 0, &view);
	assert_int_equal(view.hints, 0);
	assert_int_equal(view.hints_refused, 500);
	assert_false(sim_converged(w->sim, NULL, 0));
	sim_heal(w->sim);
	world_run(w, 3 * AGAIN_NS);
	assert_true(sim_converged(w->sim, NULL, 0));
	sim_status(w->sim, 0, &view);
	assert_true(view.compared > 0);
	assert_int_equal(view.fetched, 400); /* what 2 alone had */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(entries(w, i), 1300);
		assert_tree(w, i);
	}
	world_close(w);
}

static void anti_entropy__off_leaves_them_apart(void **state)
{
	struct sim_config config = repairing(3);
	struct world *w;

	(void)state;
	no_hints(&config);
	config.proto.anti_entropy_ns = 0;
	w = world_open(&config);
	world_isolate(w, 2);
	put_many(w, 0, 0, 10);
	world_run(w, 2 * NS_PER_S);
	sim_heal(w->sim);
	world_run(w, 100 * NS_PER_S);
	assert_false(sim_converged(w->sim, NULL, 0));
	world_close(w);
}

static void anti_entropy__goes_on_under_loss_reordering_crashes_and_writes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct sim_config config = repairing(3);
		struct prng prng;
		struct world *w;

		no_hints(&config);
		config.seed = seed;
		config.jitter_ns = 30 * NS_PER_MS;
		config.persist_ns_max = 5 * NS_PER_MS;
		config.loss_ppm = 100000;
		config.duplicate_ppm = 100000;
		config.duplicate_ns = 3 * NS_PER_S;
		prng_init(&prng, seed, 1);
		w = world_open(&config);
		for (unsigned i = 0; i < 40; i++) {
			unsigned at = (unsigned)prng_below(&prng, 3);
			unsigned k = (unsigned)prng_below(&prng, 300);

			put_many(w, at, k, k + 50);
			if (i % 10 == 3)
				world_isolate(w, (unsigned)prng_below(&prng, 3));
			if (i % 10 == 9)
				sim_heal(w->sim);
			world_run(w, prng_below(&prng, NS_PER_S));
			sim_crash(w->sim, at);
			sim_restart(w->sim, at);
			assert_tree(w, at);
		}
		sim_heal(w->sim);
		world_run(w, 20 * AGAIN_NS);
		assert_true(sim_converged(w->sim, NULL, 0));
		for (unsigned i = 0; i < 3; i++)
			assert_tree(w, i);
		world_close(w);
	}
}

static void anti_entropy__costs_two_messages_when_nothing_differs(void **state)
{
	struct sim_config config = repairing(2);
	struct world *w;
	unsigned asked = 0, bytes = 0;

	(void)state;
	w = world_open(&config);
	put_many(w, 0, 0, 1000);
	world_run(w, 10 * AGAIN_NS);
	assert_true(sim_converged(w->sim, NULL, 0));
	world_forget(w);
	world_run(w, 10 * AGAIN_NS);
	for (size_t i = 0; i < w->sent_count; i++) {
		uint8_t type = w->sent[i].bytes.p[0];

		if (type < QUORUM_SYNC_ASK)
			continue;
		assert_true(type == QUORUM_SYNC_ASK || type == QUORUM_SYNC_SUMS);
		asked += type == QUORUM_SYNC_ASK;
		bytes += (unsigned)w->sent[i].bytes.len;
	}
	assert_int_equal(asked, 20); /* ten rounds of two replicas */
	assert_int_equal(bytes, 20 * (17 + 9 + 8 * MERKLE_WIDTH));
	world_close(w);
}

static void anti_entropy__carries_large_values_in_bounded_messages(void **state)
{
	struct sim_config config = repairing(2);
	char *value = calloc(1, PROTO_VALUE_MAX + 1);
	struct world *w;
	char key[16];

	(void)state;
	memset(value, 'v', PROTO_VALUE_MAX);
	no_hints(&config);
	w = world_open(&config);
	world_isolate(w, 1);
	for (unsigned i = 0; i < 24; i++) {
		snprintf(key, sizeof(key), "large%u", i);
		put(w, 0, PROTO_SET, key, value + (i % 3) * (PROTO_VALUE_MAX / 3), PROTO_ONE);
	}
	put_many(w, 0, 0, 3000);
	world_run(w, 2 * NS_PER_S);
	world_forget(w);
	sim_heal(w->sim);
	world_run(w, 8 * AGAIN_NS);
	assert_true(sim_converged(w->sim, NULL, 0));
	assert_int_equal(entries(w, 1), 3024);
	for (size_t i = 0; i < w->sent_count; i++) {
		size_t len = w->sent[i].bytes.len;

		assert_true(len <= PROTO_MESSAGE_MAX);
		if (w->sent[i].bytes.p[0] == QUORUM_SYNC_HEADS)
			assert_true(len < 2 * QUORUM_SYNC_BYTES);
	}
	world_close(w);
	free(value);
}

/* What a replica sends about one of its questions cannot be cut short, nor longer. */
static void repair__refuses_messages_cut_short_or_too_long(void **state)
{
	struct sim_config config = repairing(5);
	struct world *w;
	uint32_t types = 0;

	(void)state;
	config.proto.hint_ns_max = 2 * NS_PER_S;
	config.proto.sloppy = true;
	config.proto.tombstone_ns = NS_PER_S;
	w = world_open(&config);
	world_isolate(w, 4);
	world_run(w, NS_PER_S / 2);
	put_many(w, 0, 0, 5);
	put(w, 0, PROTO_DEL, "k0", NULL, PROTO_QUORUM);
	world_run(w, 2 * NS_PER_S);
	put_many(w, 0, 5, 10); /* too late for hints */
	world_run(w, NS_PER_S);
	sim_heal(w->sim);
	for (unsigned k = 0; k < 40; k++) {
		size_t count;

		world_run(w, 400 * NS_PER_MS);
		count = w->sent_count;
		for (size_t i = 0; i < count; i++) {
			const struct world_sent *s = &w->sent[i];
			struct buf copy = {0};

			types |= 1u << s->bytes.p[0];
			if (s->bytes.p[0] < QUORUM_SYNC_ASK)
				continue;
			buf_add(&copy, s->bytes.p, s->bytes.len);
			buf_u8(&copy, 0);
			for (size_t n = 0; n <= s->bytes.len + 1; n++) {
				int rc;

				if (n == s->bytes.len)
					continue;
				rc = sim_message(w->sim, s->from, s->to, copy.p, n);
				/* A list may end before its last member. */
				if (s->bytes.p[0] != QUORUM_SYNC_SUMS &&
					s->bytes.p[0] != QUORUM_SYNC_HEADS &&
					s->bytes.p[0] != QUORUM_SYNC_WANT &&
					s->bytes.p[0] != QUORUM_SYNC_ENTRIES &&
					s->bytes.p[0] != QUORUM_BURY &&
					s->bytes.p[0] != QUORUM_FORGET)
					assert_int_equal(rc, -EBADMSG);
			}
			buf_fini(&copy);
		}
		world_forget(w);
	}
	for (unsigned type = QUORUM_SYNC_ASK; type <= QUORUM_STOOD_IN; type++)
		if (!(types >> type & 1))
			fail_msg("no message of type %u was sent", type);
	world_close(w);
}

static void tombstone__is_forgotten_by_all_when_all_have_it(void **state)
{
	struct sim_config config = repairing(3);
	struct world *w;

	(void)state;
	config.proto.tombstone_ns = 60 * NS_PER_S;
	w = world_open(&config);
	put_many(w, 0, 0, 200);
	world_run(w, NS_PER_S);
	for (unsigned i = 0; i < 200; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%u", i);
		put(w, i % 3, PROTO_DEL, key, NULL, PROTO_QUORUM);
	}
	world_run(w, 55 * NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(entries(w, i), 200);
	world_run(w, 60 * NS_PER_S);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(entries(w, i), 0);
		assert_tree(w, i);
	}
	/* And it stays so, also by the log. */
	for (unsigned i = 0; i < 3; i++) {
		sim_crash(w->sim, i);
		sim_restart(w->sim, i);
		assert_int_equal(entries(w, i), 0);
	}
	assert_int_equal(world_set(w, 1, "k7", "again"), PROTO_OK);
	assert_string_equal(world_get(w, 2, "k7"), "again");
	world_close(w);
}

/* Its maker must not find it again while the record that forgets it is on its way to the disk. */
static void tombstone__is_forgotten_once_however_slow_the_disk_of_its_maker(void **state)
{
	struct sim_config config = repairing(3);
	struct world *w;

	(void)state;
	config.proto.anti_entropy_ns = 0;
	config.proto.tombstone_ns = NS_PER_S;
	config.persist_ns_min = config.persist_ns_max = 500 * NS_PER_MS;
	w = world_open(&config);
	world_run(w, NS_PER_S);
	put(w, 1, PROTO_DEL, "k", NULL, PROTO_QUORUM);
	world_run(w, 30 * NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(entries(w, i), 0);
	world_close(w);
}

static void tombstone__is_kept_while_somebody_is_away(void **state)
{
	struct sim_config config = repairing(3);
	struct world *w;

	(void)state;
	no_hints(&config);
	config.proto.tombstone_ns = 5 * NS_PER_S;
	w = world_open(&config);
	world_set(w, 0, "k", "old");
	world_run(w, NS_PER_S);
	world_isolate(w, 2);
	assert_int_equal(world_del(w, 0, "k"), PROTO_OK);
	world_run(w, 1000 * NS_PER_S);
	assert_string_equal(world_local(w, 2, "k"), "old");
	assert_int_equal(entries(w, 0), 1);
	sim_heal(w->sim);
	world_run(w, 60 * NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(entries(w, i), 0);
	world_close(w);
}

static void tombstone__that_is_forgotten_lets_no_late_message_bring_the_key_back(void **state)
{
	struct sim_config config = repairing(3);
	const struct world_sent *late;
	struct world *w;

	(void)state;
	config.proto.tombstone_ns = NS_PER_S;
	w = world_open(&config);
	world_run(w, NS_PER_S);
	world_forget(w);
	world_set(w, 0, "k", "old");
	late = world_last_sent(w, 0, 1, QUORUM_WRITE);
	assert_non_null(late);
	world_run(w, NS_PER_S);
	world_del(w, 0, "k");
	world_run(w, 60 * NS_PER_S);
	assert_int_equal(entries(w, 1), 0);
	assert_int_equal(sim_message(w->sim, 0, 1, late->bytes.p, late->bytes.len), 0);
	world_run(w, 10 * NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(entries(w, i), 0);
	/* Nor after a restart. */
	sim_crash(w->sim, 1);
	sim_restart(w->sim, 1);
	assert_int_equal(sim_message(w->sim, 0, 1, late->bytes.p, late->bytes.len), 0);
	world_run(w, 10 * NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(entries(w, i), 0);
	world_close(w);
}

static void key__that_has_expired_is_forgotten_too(void **state)
{
	struct sim_config config = repairing(3);
	struct world *w;
	struct proto_request req = {
		.ticket = 1,
		.op = PROTO_SET,
		.key = {(const uint8_t *)"k", 1},
		.value = {(const uint8_t *)"v", 1},
	};

	(void)state;
	config.proto.tombstone_ns = 10 * NS_PER_S;
	w = world_open(&config);
	w->asked_count = 1;
	req.expires_ns = SIM_WALL_NS + w->sim->now_ns + 10 * NS_PER_S;
	sim_request(w->sim, 0, &req);
	world_run(w, 19 * NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(entries(w, i), 1);
	world_run(w, 30 * NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(entries(w, i), 0);
	world_close(w);
}

/* Each key is set, then deleted at QUORUM until that is acknowledged; then nobody touches it. */
static void deleted_keys_stay_away(uint64_t seed, bool hints, bool anti_entropy)
{
	struct sim_config config = repairing(3);
	struct world_asked *gone[60] = {0};
	struct prng prng;
	struct world *w;
	char key[16];

	if (!hints)
		no_hints(&config);
	if (!anti_entropy)
		config.proto.anti_entropy_ns = 0;
	config.seed = seed;
	config.proto.tombstone_ns = NS_PER_S;
	config.jitter_ns = 100 * NS_PER_MS;
	config.persist_ns_min = 100 * NS_PER_US;
	config.persist_ns_max = 20 * NS_PER_MS;
	config.loss_ppm = 50000;
	config.duplicate_ppm = 200000;
	config.duplicate_ns = 30 * NS_PER_S; /* much later than a tombstone may be forgotten */
	prng_init(&prng, seed, 2);
	w = world_open(&config);
	for (unsigned i = 0; i < 600; i++) {
		unsigned k = (unsigned)prng_below(&prng, 60), at = (unsigned)prng_below(&prng, 3);
		struct world_ask ask = {.op = PROTO_SET, .key = key, .value = "v"};

		snprintf(key, sizeof(key), "k%u", k);
		if (i >= 300)
			ask.op = PROTO_DEL;
		ask.level = i < 300 || prng_below(&prng, 4) ? PROTO_QUORUM : PROTO_ONE;
		if (w->sim->node[at].alive && (i < 300 || !gone[k] || !gone[k]->replies ||
						      gone[k]->reply.status != PROTO_OK)) {
			struct world_asked *a = world_ask(w, at, &ask);

			gone[k] = i >= 300 ? a : NULL;
		}
		if (i % 40 == 10)
			world_isolate(w, (unsigned)prng_below(&prng, 3));
		if (i % 40 == 30)
			sim_heal(w->sim);
		if (i % 15 == 7 && w->sim->node[at].alive)
			sim_crash(w->sim, at);
		if (i % 15 == 14)
			for (unsigned n = 0; n < 3; n++)
				if (!w->sim->node[n].alive)
					sim_restart(w->sim, n);
		world_run(w, prng_below(&prng, 500 * NS_PER_MS));
	}
	sim_heal(w->sim);
	for (unsigned n = 0; n < 3; n++)
		if (!w->sim->node[n].alive)
			sim_restart(w->sim, n);
	for (unsigned k = 0; k < 60; k++) {
		snprintf(key, sizeof(key), "k%u", k);
		while (world_del(w, 0, key) == PROTO_UNCERTAIN)
			;
	}
	for (unsigned round = 0; round < 20; round++) {
		world_run(w, 5 * NS_PER_S);
		for (unsigned k = 0; k < 60; k++) {
			snprintf(key, sizeof(key), "k%u", k);
			assert_string_equal(world_get(w, k % 3, key), "");
		}
	}
	world_run(w, 200 * NS_PER_S);
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(table_count(w->sim->node[n].table), 0);
	for (unsigned n = 0; n < 3 && anti_entropy; n++) {
		assert_int_equal(entries(w, n), 0);
		assert_tree(w, n);
	}
	world_close(w);
}

static void deleted_keys__never_come_back(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++)
		deleted_keys_stay_away(seed, seed % 2, seed % 3);
}

static struct world *sloppy_world(unsigned nodes)
{
	struct sim_config config = world_config(&quorum_ops, nodes);

	config.proto.sloppy = true;
	return world_open(&config);
}

static void isolate_two(struct world *w)
{
	const bool side[5] = {[3] = true, [4] = true};

	sim_cut(w->sim, side);
	world_run(w, NS_PER_S);
}

static void sloppy__lets_a_minority_of_two_acknowledge_and_says_so(void **state)
{
	struct world *w = sloppy_world(5);
	struct proto_claim claim;

	(void)state;
	quorum_ops.claim(&w->sim->config.proto, &claim);
	assert_int_equal(claim.whole, PROTO_EVENTUAL);
	assert_true(claim.loses_acked);
	isolate_two(w);
	assert_int_equal(world_set(w, 3, "k", "minority"), PROTO_OK);
	/* Both sides acknowledge, a read on the other side misses it: that is the price. */
	assert_string_equal(world_get(w, 0, "k"), "");
	/* The hint is with the other one: the coordinator may die. */
	sim_crash(w->sim, 3);
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	assert_int_equal(replica(w, 4)->hints, 0);
	assert_string_equal(world_get(w, 0, "k"), "minority");
	world_close(w);
}

static void sloppy__counts_each_replica_and_each_stand_in_once(void **state)
{
	struct world *w = sloppy_world(5);
	struct world_ask ask = {.op = PROTO_SET, .key = "k", .value = "v", .level = PROTO_ALL};
	struct world_asked *a;

	(void)state;
	/* Two replicas and one stand-in are three, not five. */
	isolate_two(w);
	a = world_ask(w, 3, &ask);
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	assert_int_equal(a->reply.have, 3);
	assert_int_equal(a->reply.need, 5);
	/* Three and two stand-ins are all. */
	assert_int_equal(world_wait(w, world_ask(w, 0, &ask))->reply.status, PROTO_OK);
	assert_int_equal(replica(w, 1)->hints + replica(w, 2)->hints, 2);
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	for (unsigned i = 0; i < 5; i++) {
		assert_string_equal(world_local(w, i, "k"), "v");
		assert_int_equal(replica(w, i)->hints, 0);
	}
	/* One alone has nobody who could stand in. */
	world_isolate(w, 3);
	world_run(w, NS_PER_S);
	ask.level = PROTO_TWO;
	a = world_ask(w, 3, &ask);
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	world_close(w);
}

/* From @from to replica 0, about the operation of which @sent tells. */
static void answer(struct world *w, unsigned from, enum quorum_message type,
	const struct world_sent *sent, uint64_t whom)
{
	struct buf b = {0};

	buf_u8(&b, (uint8_t)type);
	buf_add(&b, sent->bytes.p + 1, sizeof(uint64_t));
	if (type == QUORUM_STOOD_IN)
		buf_u64(&b, whom);
	assert_int_equal(sim_message(w->sim, from, 0, b.p, b.len), 0);
	buf_fini(&b);
}

static void sloppy__counts_one_who_answers_after_all_once(void **state)
{
	struct world *w = sloppy_world(5);
	struct world_ask ask = {.op = PROTO_SET, .key = "k", .value = "v", .level = PROTO_ALL};
	const struct world_sent *sent;
	struct world_asked *a;

	(void)state;
	isolate_two(w);
	world_forget(w);
	world_isolate(w, 0); /* what it hears is said here */
	a = world_ask(w, 0, &ask);
	assert_int_equal(quorum_ops.hints(w->sim->node[0].proto, 3), 0);
	sent = world_last_sent(w, 0, 1, QUORUM_STAND_IN);
	assert_non_null(sent);
	answer(w, 1, QUORUM_STOOD_IN, sent, 3);
	answer(w, 3, QUORUM_WRITTEN, sent, 0);
	answer(w, 2, QUORUM_WRITTEN, sent, 0);
	world_wait(w, a);
	assert_int_equal(a->reply.status, PROTO_UNCERTAIN);
	assert_int_equal(a->reply.have, 4);
	/* Nobody needs a hint but the one whom nobody heard of. */
	assert_int_equal(quorum_ops.hints(w->sim->node[0].proto, 3), 0);
	assert_int_equal(quorum_ops.hints(w->sim->node[0].proto, 4), 1);
	world_close(w);
}

static void read__ignores_an_answer_about_another_key(void **state)
{
	struct sim_config config = repairing(3);
	struct world_ask ask = {.op = PROTO_GET, .key = "k", .level = PROTO_QUORUM};
	struct table_entry other = {.key = {(const uint8_t *)"other", 5},
		.value = {(const uint8_t *)"v", 1},
		.version = 1};
	const struct world_sent *sent;
	struct world_asked *a;
	struct buf b = {0};
	struct world *w;

	(void)state;
	w = world_open(&config);
	a = world_ask(w, 0, &ask);
	sent = world_last_sent(w, 0, 1, QUORUM_READ);
	assert_non_null(sent);
	buf_u8(&b, QUORUM_FOUND);
	buf_add(&b, sent->bytes.p + 1, 2 * sizeof(uint64_t));
	entry_encode(&b, &other);
	assert_int_equal(sim_message(w->sim, 1, 0, b.p, b.len), 0);
	assert_int_equal(world_wait(w, a)->reply.status, PROTO_NIL);
	buf_fini(&b);
	world_close(w);
}

static void sloppy__does_not_count_a_hint_that_was_refused(void **state)
{
	struct sim_config config = world_config(&quorum_ops, 5);
	struct world_asked *a;
	struct world_ask ask = {.op = PROTO_SET, .key = "k", .value = "v"};
	struct world *w;

	(void)state;
	config.proto.sloppy = true;
	no_hints(&config);
	w = world_open(&config);
	isolate_two(w);
	a = world_wait(w, world_ask(w, 3, &ask));
	assert_int_equal(a->reply.status, PROTO_UNCERTAIN);
	assert_int_equal(a->reply.have, 2);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anti_entropy__makes_replicas_agree_without_hints_or_reads),
		cmocka_unit_test(anti_entropy__off_leaves_them_apart),
		cmocka_unit_test(anti_entropy__goes_on_under_loss_reordering_crashes_and_writes),
		cmocka_unit_test(anti_entropy__costs_two_messages_when_nothing_differs),
		cmocka_unit_test(anti_entropy__carries_large_values_in_bounded_messages),
		cmocka_unit_test(repair__refuses_messages_cut_short_or_too_long),
		cmocka_unit_test(tombstone__is_forgotten_by_all_when_all_have_it),
		cmocka_unit_test(tombstone__is_forgotten_once_however_slow_the_disk_of_its_maker),
		cmocka_unit_test(tombstone__is_kept_while_somebody_is_away),
		cmocka_unit_test(
			tombstone__that_is_forgotten_lets_no_late_message_bring_the_key_back),
		cmocka_unit_test(key__that_has_expired_is_forgotten_too),
		cmocka_unit_test(deleted_keys__never_come_back),
		cmocka_unit_test(sloppy__lets_a_minority_of_two_acknowledge_and_says_so),
		cmocka_unit_test(sloppy__counts_each_replica_and_each_stand_in_once),
		cmocka_unit_test(sloppy__counts_one_who_answers_after_all_once),
		cmocka_unit_test(read__ignores_an_answer_about_another_key),
		cmocka_unit_test(sloppy__does_not_count_a_hint_that_was_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
