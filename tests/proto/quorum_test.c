/* SPDX-License-Identifier: MIT */
/* quorum_test.c - leaderless replication by its rules: levels, repair, hints, versions, claims */
#include "tests/lib/test.h"

#include <stdlib.h>

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

static void quorum_read__repairs_who_answers_too_late_for_it(void **state)
{
	struct world *w = open_quorum(3);

	(void)state;
	world_isolate(w, 2);
	assert_int_equal(world_set(w, 0, "k", "new"), PROTO_OK);
	sim_heal(w->sim);
	/* Replica 1 answers first, and what the two have is the same: 2 is not waited for. */
	sim_link(w->sim, 2, 0)->delay_ns = 30 * NS_PER_MS;
	assert_string_equal(world_get(w, 0, "k"), "new");
	assert_string_equal(world_local(w, 2, "k"), "");
	world_run(w, 100 * NS_PER_MS);
	assert_string_equal(world_local(w, 2, "k"), "new");
	world_close(w);
}

static struct world_asked *expiring(struct world *w, unsigned node, uint64_t lives_ns)
{
	struct world_asked *a = &w->asked[w->asked_count];
	struct proto_request req = {
		.ticket = ++w->asked_count,
		.op = PROTO_SET,
		.key = {(const uint8_t *)"k", 1},
		.value = {(const uint8_t *)"v", 1},
		.expires_ns = SIM_WALL_NS + w->sim->now_ns + lives_ns,
	};

	a->asked_ns = w->sim->now_ns;
	sim_request(w->sim, node, &req);
	return world_wait(w, a);
}

static void quorum_key__that_has_expired_is_not_found_at_any_level(void **state)
{
	struct world *w = open_quorum(3);
	struct world_asked *a;

	(void)state;
	assert_int_equal(expiring(w, 0, NS_PER_S)->reply.status, PROTO_OK);
	a = world_wait(w, ask_at(w, 1, PROTO_GET, NULL, PROTO_QUORUM));
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_true(a->reply.expires_ns > SIM_WALL_NS);
	world_run(w, NS_PER_S);
	for (unsigned level = PROTO_ONE; level < PROTO_LEVEL_NR; level++) {
		a = world_wait(w, ask_at(w, 2, PROTO_GET, NULL, (enum proto_level)level));
		assert_int_equal(a->reply.status, PROTO_NIL);
	}
	assert_int_equal(world_del(w, 1, "k"), PROTO_NIL);
	/* The end is on disk, too. */
	assert_int_equal(expiring(w, 0, NS_PER_S)->reply.status, PROTO_OK);
	world_run(w, 100 * NS_PER_MS);
	sim_crash(w->sim, 2);
	sim_restart(w->sim, 2);
	assert_string_equal(world_local(w, 2, "k"), "v");
	world_run(w, NS_PER_S);
	a = world_wait(w, ask_at(w, 2, PROTO_GET, NULL, PROTO_ONE));
	assert_int_equal(a->reply.status, PROTO_NIL);
	world_close(w);
}

static void quorum_set__that_depends_on_what_is_there_is_unsupported(void **state)
{
	struct world *w = open_quorum(3);
	struct proto_request req = {
		.ticket = 1,
		.op = PROTO_SET,
		.key = {(const uint8_t *)"k", 1},
		.get = true,
	};

	(void)state;
	w->asked_count = 1;
	sim_request(w->sim, 0, &req);
	assert_int_equal(w->asked[0].reply.status, PROTO_UNSUPPORTED);
	assert_non_null(w->asked[0].reply.why);
	assert_int_equal(w->sim->node[0].records, 0);
	world_close(w);
}

/* The snapshot as records, and what a replica restored from it and later records has. */
struct taken {
	struct proto_snapshot walk;
	struct buf record[4096];
	size_t count;
};

static void take(void *arg, const void *bytes, size_t len)
{
	struct taken *t = arg;
	struct buf said = {0};

	assert_true(t->count < sizeof(t->record) / sizeof(*t->record));
	assert_int_equal(quorum_ops.describe(bytes, len, &said), 0);
	assert_true(said.len > 0);
	buf_fini(&said);
	buf_add(&t->record[t->count++], bytes, len);
}

static struct proto *restored(struct sim_node *n, const struct taken *t, size_t from)
{
	struct proto_config cfg = n->proto->cfg;
	struct proto *p = proto_open(&quorum_ops, &cfg, &n->io, table_open());

	for (size_t i = 0; t && i < t->count; i++)
		assert_int_equal(quorum_ops.restore(p, t->record[i].p, t->record[i].len), 0);
	for (size_t i = from; i < n->records; i++)
		assert_int_equal(quorum_ops.restore(p, n->record[i].bytes, n->record[i].len), 0);
	return p;
}

static void assert_same(const struct proto *a, const struct proto *b)
{
	const struct quorum *qa = (const struct quorum *)a, *qb = (const struct quorum *)b;
	const struct table_entry *e, *f;
	size_t at = 0, count = 0;

	while ((e = table_next(a->table, &at))) {
		f = table_get(b->table, e->key);
		assert_non_null(f);
		assert_false(entry_newer(e, f) || entry_newer(f, e));
		count++;
	}
	for (at = 0; table_next(b->table, &at); count--)
		;
	assert_int_equal(count, 0);
	assert_int_equal(qa->hints, qb->hints);
	assert_int_equal(qa->hint_bytes, qb->hint_bytes);
	assert_int_equal(qa->clock, qb->clock);
	for (unsigned i = 0; i < a->cfg.nodes; i++)
		for (at = 0; qa->peer[i].hints && (e = table_next(qa->peer[i].hints, &at));)
			assert_non_null(table_get(qb->peer[i].hints, e->key));
}

static void drop(struct proto *p)
{
	struct table *table = p->table;

	proto_close(p);
	table_close(table);
}

static void write_some(struct world *w, struct prng *prng, const char *value)
{
	char key[16];
	struct world_ask ask = {.key = key, .value = value, .level = PROTO_ONE};

	snprintf(key, sizeof(key), "k%u", (unsigned)prng_below(prng, 200));
	ask.op = prng_below(prng, 4) ? PROTO_SET : PROTO_DEL;
	world_ask(w, (unsigned)prng_below(prng, 3), &ask);
}

static void quorum_snapshot__and_later_records_restore_what_all_records_do(void **state)
{
	struct sim_config config = world_config(&quorum_ops, 3);
	struct taken *t = calloc(1, sizeof(*t));
	char *value = calloc(1, 4001);
	struct prng prng;
	struct world *w;

	(void)state;
	memset(value, 'v', 4000); /* 200 of them are some ten parts */
	prng_init(&prng, 3, 0);
	config.persist_ns_min = NS_PER_MS;
	config.persist_ns_max = 20 * NS_PER_MS;
	w = world_open(&config);
	for (unsigned round = 0; round < 8; round++) {
		struct sim_node *n = &w->sim->node[round % 3];
		struct proto *all, *some;
		size_t from;

		world_isolate(w, 2);
		for (unsigned i = 0; i < 100; i++) {
			write_some(w, &prng, value);
			world_run(w, prng_below(&prng, 20 * NS_PER_MS));
		}
		if (round % 2)
			sim_heal(w->sim);
		from = n->records;
		memset(t, 0, sizeof(*t));
		t->walk = (struct proto_snapshot){.record = take, .arg = t};
		while (quorum_ops.snapshot(n->proto, &t->walk)) {
			for (unsigned i = 0; i < 10; i++)
				write_some(w, &prng, value);
			world_run(w, prng_below(&prng, 100 * NS_PER_MS));
		}
		assert_true(t->count > 20);
		sim_heal(w->sim);
		world_run(w, 100 * NS_PER_MS);
		all = restored(n, NULL, 0);
		some = restored(n, t, from);
		assert_same(all, some);
		drop(all);
		drop(some);
		for (size_t i = 0; i < t->count; i++)
			buf_fini(&t->record[i]);
	}
	world_close(w);
	free(value);
	free(t);
}

static void quorum_snapshot__keeps_the_clock_of_what_others_have_overwritten(void **state)
{
	struct world *w = open_quorum(3);
	struct taken *t = calloc(1, sizeof(*t));
	struct sim_node *n = &w->sim->node[0];
	struct world_asked *own;
	struct proto *p;

	(void)state;
	own = world_wait(w, ask_at(w, 0, PROTO_SET, "own", PROTO_ALL));
	world_wait(w, ask_at(w, 1, PROTO_SET, "another's", PROTO_ALL));
	t->walk = (struct proto_snapshot){.record = take, .arg = t};
	while (quorum_ops.snapshot(n->proto, &t->walk))
		;
	p = restored(n, t, n->records);
	assert_string_equal(world_local(w, 0, "k"), "another's");
	assert_int_equal(quorum_of(p)->clock, own->reply.version);
	drop(p);
	for (size_t i = 0; i < t->count; i++)
		buf_fini(&t->record[i]);
	free(t);
	world_close(w);
}

static void quorum_hints__beyond_a_limit_are_refused_and_counted(void **state)
{
	struct world *w = open_quorum(3);
	struct quorum *q = quorum_of(w->sim->node[0].proto);
	char key[PROTO_KEY_MAX] = {0};
	struct proto_bytes k = {(const uint8_t *)key, PROTO_KEY_MAX};
	struct proto_status_view view;
	unsigned fit = QUORUM_HINT_BYTES_MAX / PROTO_KEY_MAX;

	(void)state;
	for (unsigned i = 0; i < fit; i++) {
		memcpy(key, &i, sizeof(i));
		assert_true(quorum_hint_add(q, 1, k));
	}
	assert_true(quorum_hint_add(q, 1, k)); /* noted before */
	key[8] = 1;
	assert_false(quorum_hint_add(q, 1, k));
	assert_true(quorum_hint_add(q, 2, k));
	sim_status(w->sim, 0, &view);
	assert_int_equal(view.hints, fit + 1);
	assert_int_equal(view.hints_refused, 1);
	/* Short keys: their number. */
	for (unsigned i = 0; i < QUORUM_HINTS_MAX - 1; i++) {
		k.len = sizeof(i);
		memcpy(key, &i, sizeof(i));
		assert_true(quorum_hint_add(q, 2, k));
	}
	key[0] ^= 1;
	key[3] = 1;
	assert_false(quorum_hint_add(q, 2, k));
	sim_status(w->sim, 0, &view);
	assert_int_equal(view.hints_refused, 2);
	world_close(w);
}

static void quorum_hints__are_no_longer_taken_for_one_that_is_away_too_long(void **state)
{
	struct sim_config config = world_config(&quorum_ops, 3);
	struct proto_status_view view;
	struct world *w;

	(void)state;
	config.proto.hint_ns_max = 10 * NS_PER_S;
	w = world_open(&config);
	world_isolate(w, 2);
	world_set(w, 0, "early", "1");
	world_run(w, 11 * NS_PER_S);
	world_set(w, 0, "late", "1");
	world_run(w, NS_PER_S);
	sim_status(w->sim, 0, &view);
	assert_int_equal(view.hints, 1);
	assert_int_equal(view.hints_refused, 1);
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	assert_string_equal(world_local(w, 2, "early"), "1");
	assert_string_equal(world_local(w, 2, "late"), "");
	assert_string_equal(world_get(w, 2, "late"), "1");
	world_close(w);
}

static void quorum_version__given_twice_is_ordered_by_its_content(void **state)
{
	struct table_entry a = {.version = 7, .origin = 1}, b = a;

	(void)state;
	assert_false(entry_newer(&a, &b));
	a.value = (struct proto_bytes){(const uint8_t *)"aa", 2};
	b.value = (struct proto_bytes){(const uint8_t *)"ab", 2};
	assert_true(entry_newer(&b, &a) && !entry_newer(&a, &b));
	b.value.len = 1;
	assert_true(entry_newer(&a, &b) && !entry_newer(&b, &a));
	b = (struct table_entry){.version = 7, .origin = 1, .deleted = true};
	assert_true(entry_newer(&b, &a) && !entry_newer(&a, &b));
}

static void quorum_pings__of_a_large_cluster_are_few_and_find_who_is_away(void **state)
{
	struct world *w = open_quorum(100);
	struct world_asked *a;
	uint64_t messages;

	(void)state;
	world_run(w, NS_PER_S);
	messages = w->sim->messages;
	world_run(w, NS_PER_S);
	/* 20 heartbeats, 16 pings and as many answers each. */
	assert_true(w->sim->messages - messages <= 100 * 21 * 2 * QUORUM_PINGS_MAX);
	for (unsigned i = 0; i < 60; i++)
		world_isolate(w, i);
	world_run(w, 10 * NS_PER_S);
	a = ask_at(w, 99, PROTO_SET, "v", PROTO_QUORUM);
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	assert_int_equal(a->reply.have, 40);
	sim_heal(w->sim);
	world_run(w, 2 * NS_PER_S);
	assert_int_equal(
		world_wait(w, ask_at(w, 99, PROTO_SET, "v", PROTO_ALL))->reply.status, PROTO_OK);
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
	/* Reads that need not overlap with each other can go back. */
	assert_int_equal(claim(PROTO_TWO, PROTO_ALL, 5).whole, PROTO_EVENTUAL);
	/* What is not linearizable may lose nothing nevertheless: R + W > N. */
	assert_false(claim(PROTO_ONE, PROTO_ALL, 5).loses_acked);
	assert_true(claim(PROTO_TWO, PROTO_TWO, 5).loses_acked);
	assert_int_equal(claim(PROTO_TWO, PROTO_ALL, 3).whole, PROTO_LINEARIZABLE);
	assert_int_equal(claim(PROTO_TWO, PROTO_TWO, 3).whole, PROTO_LINEARIZABLE);
	assert_int_equal(claim(PROTO_THREE, PROTO_THREE, 5).whole, PROTO_LINEARIZABLE);
	assert_int_equal(claim(PROTO_THREE, PROTO_TWO, 5).whole, PROTO_EVENTUAL);
	assert_int_equal(claim(PROTO_TWO, PROTO_ONE, 1).whole, PROTO_LINEARIZABLE);
}

/* Only the first three of five have the data; the others coordinate. */
static struct world *open_copies(bool unrepaired)
{
	struct sim_config config = world_config(&quorum_ops, 5);

	config.proto.copies = 3;
	config.proto.unrepaired = unrepaired;
	config.proto.anti_entropy_ns = 0;
	return world_open(&config);
}

static void quorum_copies__are_where_the_data_are(void **state)
{
	struct world *w = open_copies(false);

	(void)state;
	assert_int_equal(
		world_wait(w, ask_at(w, 4, PROTO_SET, "v", PROTO_ALL))->reply.status, PROTO_OK);
	world_run(w, NS_PER_S);
	for (unsigned i = 0; i < 5; i++)
		assert_string_equal(world_local(w, i, "k"), i < 3 ? "v" : "");
	assert_int_equal(w->sim->node[4].records, 0);
	/* Also at level one a coordinator without a copy asks, and both ways take 10 ms. */
	for (unsigned i = 3; i < 5; i++) {
		struct world_asked *a = world_wait(w, ask_at(w, i, PROTO_GET, NULL, PROTO_ONE));

		assert_int_equal(a->reply.status, PROTO_OK);
		assert_memory_equal(a->reply.value.p, "v", 1);
		assert_int_equal(a->replied_ns - a->asked_ns, 20 * NS_PER_MS);
	}
	world_close(w);
}

static void quorum_copies__are_what_levels_count(void **state)
{
	struct world *w = open_copies(false);
	const bool side[5] = {[0] = true, [1] = true};
	struct proto_config cfg = {.nodes = 5, .copies = 3};

	(void)state;
	assert_int_equal(quorum_need(&cfg, PROTO_ALL, true), 3);
	assert_int_equal(quorum_need(&cfg, PROTO_QUORUM, true), 2);
	sim_cut(w->sim, side);
	world_run(w, NS_PER_S);
	/* Three replicas on this side, but one copy. */
	assert_int_equal(world_wait(w, ask_at(w, 4, PROTO_SET, "v", PROTO_QUORUM))->reply.status,
		PROTO_UNAVAILABLE);
	assert_int_equal(
		world_wait(w, ask_at(w, 4, PROTO_SET, "v", PROTO_ONE))->reply.status, PROTO_OK);
	world_close(w);
}

static void quorum_unrepaired__reads_leave_replicas_as_they_are(void **state)
{
	(void)state;
	for (int unrepaired = 0; unrepaired < 2; unrepaired++) {
		struct world *w = open_copies(unrepaired);
		struct world_asked *a;

		world_wait(w, ask_at(w, 4, PROTO_SET, "a", PROTO_ALL));
		sim_link(w->sim, 4, 0)->cut = true;
		world_wait(w, ask_at(w, 4, PROTO_SET, "b", PROTO_ONE));
		a = world_wait(w, ask_at(w, 3, PROTO_GET, NULL, PROTO_ALL));
		assert_memory_equal(a->reply.value.p, "b", 1);
		world_run(w, 100 * NS_PER_MS);
		assert_string_equal(world_local(w, 0, "k"), unrepaired ? "a" : "b");
		world_close(w);
	}
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
		cmocka_unit_test(quorum_copies__are_where_the_data_are),
		cmocka_unit_test(quorum_copies__are_what_levels_count),
		cmocka_unit_test(quorum_unrepaired__reads_leave_replicas_as_they_are),
		cmocka_unit_test(quorum_reachable__means_that_it_answers_not_that_it_is_heard),
		cmocka_unit_test(quorum_read__repairs_who_answers_too_late_for_it),
		cmocka_unit_test(quorum_key__that_has_expired_is_not_found_at_any_level),
		cmocka_unit_test(quorum_set__that_depends_on_what_is_there_is_unsupported),
		cmocka_unit_test(quorum_snapshot__and_later_records_restore_what_all_records_do),
		cmocka_unit_test(quorum_snapshot__keeps_the_clock_of_what_others_have_overwritten),
		cmocka_unit_test(quorum_hints__beyond_a_limit_are_refused_and_counted),
		cmocka_unit_test(quorum_hints__are_no_longer_taken_for_one_that_is_away_too_long),
		cmocka_unit_test(quorum_version__given_twice_is_ordered_by_its_content),
		cmocka_unit_test(quorum_pings__of_a_large_cluster_are_few_and_find_who_is_away),
		cmocka_unit_test(quorum_claim__follows_the_levels),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
