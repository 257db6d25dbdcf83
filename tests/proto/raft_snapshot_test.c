/* SPDX-License-Identifier: MIT */
/* raft_snapshot_test.c - Raft without the beginning of its log: snapshots, and a leader's table */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdlib.h>

#include "store/proto/raft_internal.h"
#include "tests/sim/world.h"

#define RECORDS_MAX 20000u
#define KEYS 400u

/* What a runner keeps of a snapshot that is being taken. */
struct taken {
	struct proto_snapshot s;
	struct sim_record *record;
	size_t count;
	size_t begun; /* records of the log at the beginning */
	size_t ended; /* ... and at the last part */
};

static void take(void *arg, const void *bytes, size_t len)
{
	struct taken *t = arg;

	assert_true(t->count < RECORDS_MAX && len <= PROTO_MESSAGE_MAX);
	t->record[t->count].bytes = malloc(len);
	assert_non_null(t->record[t->count].bytes);
	memcpy(t->record[t->count].bytes, bytes, len);
	t->record[t->count++].len = len;
}

static struct taken *taken_begin(struct world *w, unsigned node)
{
	struct taken *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->record = calloc(RECORDS_MAX, sizeof(*t->record));
	assert_non_null(t->record);
	t->s = (struct proto_snapshot){.record = take, .arg = t};
	t->begun = w->sim->node[node].records;
	return t;
}

static bool taken_step(struct world *w, unsigned node, struct taken *t)
{
	struct proto *p = w->sim->node[node].proto;
	bool more = raft_ops.snapshot(p, &t->s);

	raft_ops.invariant(p);
	t->ended = w->sim->node[node].records;
	return more;
}

static void taken_close(struct taken *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->record[i].bytes);
	free(t->record);
	free(t);
}

static struct taken *take_all(struct world *w, unsigned node)
{
	struct taken *t = taken_begin(w, node);

	while (taken_step(w, node, t))
		;
	return t;
}

/* The replica forgets what the snapshot stands for. */
static void done(struct world *w, unsigned node, struct taken *t)
{
	struct proto *p = w->sim->node[node].proto;

	for (unsigned i = 0; i < 100 && w->sim->node[node].records_durable < t->ended; i++)
		world_run(w, NS_PER_MS);
	assert_true(w->sim->node[node].records_durable >= t->ended);
	raft_ops.snapshot_done(p, &t->s);
	raft_ops.invariant(p);
}

/* Crash it and start it from the snapshot and the records that were written since it began. */
static void restart_from(struct world *w, unsigned node, struct taken *t)
{
	struct sim_node *n = &w->sim->node[node];
	size_t after;

	sim_crash(w->sim, node);
	assert_true(n->records >= t->ended);
	after = n->records - t->begun;
	for (size_t i = 0; i < t->begun; i++)
		free(n->record[i].bytes);
	memmove(n->record, n->record + t->begun, after * sizeof(*n->record));
	n->record = realloc(n->record, (t->count + after + 1) * sizeof(*n->record));
	assert_non_null(n->record);
	memmove(n->record + t->count, n->record, after * sizeof(*n->record));
	memcpy(n->record, t->record, t->count * sizeof(*n->record));
	n->records = n->records_cap = t->count + after;
	n->records_cap++;
	t->count = 0;
	sim_restart(w->sim, node);
	assert_string_equal(w->sim->violation, "");
}

static struct world *open_raft(unsigned nodes, unsigned keep_kib)
{
	struct sim_config config = world_config(&raft_ops, nodes);

	config.proto.log_keep_kib = keep_kib;
	return world_open(&config);
}

static struct proto_status_view status(const struct world *w, unsigned node)
{
	struct proto_status_view view;

	sim_status(w->sim, node, &view);
	return view;
}

static void assert_same_tables(struct world *w)
{
	char why[128];

	if (!sim_converged(w->sim, why, sizeof why))
		fail_msg("%s", why);
}

/* Writes of every kind to some of KEYS keys; none waits for an answer. */
static void write_some(struct world *w, unsigned node, struct prng *prng, unsigned count)
{
	static const enum proto_op ops[] = {
		PROTO_SET, PROTO_SET, PROTO_DEL, PROTO_APPEND, PROTO_INCREASE};

	for (unsigned i = 0; i < count; i++) {
		char key[16], value[16];
		struct world_ask ask = {
			.op = ops[prng_below(prng, sizeof(ops) / sizeof(*ops))],
			.key = key,
			.value = value,
		};

		if (w->asked_count + 2 >= WORLD_ASKED_MAX)
			return;
		snprintf(key, sizeof key, "k%u", (unsigned)prng_below(prng, KEYS));
		snprintf(value, sizeof value, "%u", (unsigned)prng_below(prng, 100));
		if (ask.op == PROTO_SET && prng_below(prng, 2))
			ask.cond = prng_below(prng, 2) ? PROTO_NX : PROTO_XX;
		world_ask(w, node, &ask);
	}
}

static void raft_snapshot__restores_what_the_log_would(void **state)
{
	struct world *w = open_raft(3, 0);
	struct proto_status_view before;
	struct prng prng;
	struct taken *t;

	(void)state;
	prng_init(&prng, 1, 1);
	world_settle(w);
	for (unsigned i = 0; i < 10; i++) {
		write_some(w, 0, &prng, 100);
		world_run(w, 100 * NS_PER_MS);
	}
	t = take_all(w, 1);
	done(w, 1, t);
	before = status(w, 1);
	restart_from(w, 1, t);
	assert_int_equal(status(w, 1).log_first, before.applied + 1);
	assert_int_equal(status(w, 1).applied, before.applied);
	assert_int_equal(status(w, 1).term, before.term);
	assert_same_tables(w);
	write_some(w, 0, &prng, 100);
	world_run(w, NS_PER_S);
	assert_int_equal(status(w, 1).applied, status(w, 0).applied);
	assert_same_tables(w);
	taken_close(t);
	world_close(w);
}

/* Which has seen some of the writes in some of its parts, and not in others. */
static void raft_snapshot__taken_while_the_table_changes_is_exact(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct world *w = open_raft(3, 1);
		unsigned node = (unsigned)seed % 2;
		struct prng prng;
		struct taken *t;

		prng_init(&prng, seed, 1);
		world_settle(w);
		write_some(w, 0, &prng, 500);
		/* Values of some length, so that there are many parts. */
		for (unsigned i = 0; i < 60; i++) {
			static char value[9000];
			char key[16];
			struct world_ask set = {.op = PROTO_SET, .key = key, .value = value};

			memset(value, 'x', sizeof value - 1);
			snprintf(key, sizeof key, "k%u", i);
			world_ask(w, 0, &set);
		}
		world_run(w, 100 * NS_PER_MS);
		write_some(w, 0, &prng, 50);
		t = taken_begin(w, node);
		while (taken_step(w, node, t)) {
			write_some(w, 0, &prng, 100);
			world_run(w, prng_below(&prng, 60) * NS_PER_MS);
		}
		world_run(w, 100 * NS_PER_MS);
		done(w, node, t);
		assert_true(status(w, node).log_first > 400);
		write_some(w, 0, &prng, 20);
		world_run(w, 200 * NS_PER_MS);
		restart_from(w, node, t);
		world_run(w, 2 * NS_PER_S);
		assert_int_equal(status(w, 0).applied, status(w, 1).applied);
		assert_same_tables(w);
		taken_close(t);
		world_close(w);
	}
}

static void raft_snapshot__does_not_forget_what_slow_followers_need(void **state)
{
	struct world *w = open_raft(3, 0);
	struct prng prng;
	struct taken *t;

	(void)state;
	prng_init(&prng, 1, 1);
	world_settle(w);
	sim_crash(w->sim, 2);
	write_some(w, 0, &prng, 500);
	world_run(w, 200 * NS_PER_MS);
	t = take_all(w, 0);
	done(w, 0, t);
	assert_int_equal(status(w, 0).log_first, 1);
	world_forget(w);
	sim_restart(w->sim, 2);
	world_run(w, NS_PER_S);
	assert_null(world_last_sent(w, 0, 2, RAFT_OFFER));
	assert_same_tables(w);
	taken_close(t);
	world_close(w);
}

/* A follower that is far behind a leader that has forgotten its log. */
static struct world *open_behind(struct prng *prng, unsigned values)
{
	struct world *w = open_raft(3, 1);
	struct taken *t;

	world_settle(w);
	sim_crash(w->sim, 2);
	write_some(w, 0, prng, 500);
	for (unsigned i = 0; i < values; i++) {
		static char value[60000];
		char key[16];
		struct world_ask set = {.op = PROTO_SET, .key = key, .value = value};

		memset(value, 'a' + (int)(i % 26), sizeof value - 1);
		snprintf(key, sizeof key, "v%u", i);
		world_ask(w, 0, &set);
	}
	world_run(w, 300 * NS_PER_MS);
	for (unsigned i = 0; i < 2; i++) {
		write_some(w, 0, prng, 100);
		world_run(w, 100 * NS_PER_MS);
		t = take_all(w, i);
		done(w, i, t);
		taken_close(t);
		assert_true(status(w, i).log_first > 500);
	}
	return w;
}

static void raft_follower__behind_a_forgotten_log_gets_the_table(void **state)
{
	struct prng prng;
	struct world *w;

	(void)state;
	prng_init(&prng, 1, 1);
	w = open_behind(&prng, 40);
	sim_restart(w->sim, 2);
	/* Writes go on meanwhile. */
	for (unsigned i = 0; i < 50; i++) {
		write_some(w, 0, &prng, 10);
		world_run(w, 5 * NS_PER_MS);
	}
	world_run(w, NS_PER_S);
	assert_non_null(world_last_sent(w, 0, 2, RAFT_PART));
	assert_int_equal(status(w, 2).applied, status(w, 0).applied);
	assert_same_tables(w);
	/* What it got is on its disk. */
	sim_crash(w->sim, 2);
	sim_restart(w->sim, 2);
	assert_true(status(w, 2).committed > 500);
	world_run(w, NS_PER_S);
	assert_same_tables(w);
	world_close(w);
}

/* Each heartbeat makes a new attempt before the last one is answered. */
static void raft_transfer__ends_where_a_round_trip_is_longer_than_a_heartbeat(void **state)
{
	struct prng prng;
	struct world *w;

	(void)state;
	prng_init(&prng, 1, 1);
	w = open_behind(&prng, 40);
	sim_link(w->sim, 0, 2)->delay_ns = 80 * NS_PER_MS;
	sim_link(w->sim, 2, 0)->delay_ns = 80 * NS_PER_MS;
	sim_restart(w->sim, 2);
	world_run(w, 20 * NS_PER_S);
	assert_int_equal(status(w, 2).applied, status(w, 0).applied);
	assert_same_tables(w);
	world_close(w);
}

static void raft_transfer__survives_loss_crashes_and_a_change_of_leader(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct prng prng;
		struct world *w;

		prng_init(&prng, seed, 1);
		w = open_behind(&prng, 30);
		w->sim->config.loss_ppm = seed % 4 * 50000;
		w->sim->config.persist_ns_max = seed % 3 * 5 * NS_PER_MS;
		sim_restart(w->sim, 2);
		for (unsigned i = 0; i < 40; i++) {
			int leader = sim_leader(w->sim);

			if (leader >= 0)
				write_some(w, (unsigned)leader, &prng, 3);
			world_run(w, prng_below(&prng, 60) * NS_PER_MS);
			if (prng_below(&prng, 6) == 0 && w->sim->node[2].alive)
				sim_crash(w->sim, 2);
			else if (!w->sim->node[2].alive)
				sim_restart(w->sim, 2);
			if (i == 10 && seed % 2)
				sim_crash(w->sim, 0);
			if (i == 30 && seed % 2)
				sim_restart(w->sim, 0);
		}
		w->sim->config.loss_ppm = 0;
		if (!w->sim->node[2].alive)
			sim_restart(w->sim, 2);
		world_run(w, 10 * NS_PER_S);
		assert_int_equal(status(w, 2).applied, status(w, 1).applied);
		assert_int_equal(status(w, 0).applied, status(w, 1).applied);
		assert_same_tables(w);
		world_close(w);
	}
}

static void raft_transfer__goes_on_under_another_leader_where_it_was(void **state)
{
	struct prng prng;
	struct world *w;
	struct cursor c;
	const struct world_sent *part;
	uint64_t cursor;

	(void)state;
	prng_init(&prng, 3, 1);
	w = open_behind(&prng, 100);
	/* Both have all entries after the base, for nothing is written meanwhile. */
	sim_restart(w->sim, 2);
	while (!(part = world_last_sent(w, 0, 2, RAFT_PART)) || !part->bytes.p[41 + 7])
		world_run(w, NS_PER_MS);
	world_run(w, 30 * NS_PER_MS);
	sim_crash(w->sim, 0);
	sim_crash(w->sim, 2);
	sim_restart(w->sim, 2);
	cursor = raft_of(w->sim->node[2].proto)->staging.copy.cursor;
	assert_true(cursor > 0);
	world_forget(w);
	while (!(part = world_last_sent(w, 1, 2, RAFT_PART)))
		world_run(w, NS_PER_MS);
	for (size_t i = 0; i < w->sent_count; i++) {
		part = &w->sent[i];
		if (part->from == 1 && part->to == 2 && part->bytes.p[0] == RAFT_PART)
			break;
	}
	c = cursor_over(part->bytes.p + 41, 8);
	assert_int_equal(cursor_u64(&c), cursor);
	world_run(w, 3 * NS_PER_S);
	assert_int_equal(status(w, 2).applied, status(w, 1).applied);
	assert_same_tables(w);
	world_close(w);
}

/* What was staged when it began is in it, and is not taken over before it ends. */
static void raft_snapshot__during_a_transfer_holds_what_is_staged(void **state)
{
	(void)state;
	for (unsigned at = 1; at < 30; at++) {
		struct prng prng;
		struct world *w;
		struct taken *t;
		bool staged;

		prng_init(&prng, at, 1);
		w = open_behind(&prng, 40);
		sim_restart(w->sim, 2);
		world_run(w, (at + 30) * 4 * NS_PER_MS);
		staged = raft_of(w->sim->node[2].proto)->staging.table;
		t = taken_begin(w, 2);
		for (unsigned i = 0; taken_step(w, 2, t) || i < at % 5; i++) {
			assert_true(i < 10000);
			write_some(w, 0, &prng, 1);
			world_run(w, (at % 4) * NS_PER_MS + 1);
			if (!staged)
				continue;
		}
		world_run(w, at % 3 * 10 * NS_PER_MS);
		if (w->sim->node[2].records_durable >= t->ended) {
			done(w, 2, t);
			restart_from(w, 2, t);
		}
		world_run(w, 3 * NS_PER_S);
		assert_int_equal(status(w, 2).applied, status(w, 0).applied);
		assert_same_tables(w);
		taken_close(t);
		world_close(w);
	}
}

/* Every prefix of the bytes of every record, and every record out of its place, is refused or does
 * no harm. */
static void raft_restore__takes_no_nonsense(void **state)
{
	struct prng prng;
	struct world *w;
	struct taken *t;
	struct proto_config cfg;
	uint8_t end = RAFT_RECORD_END, swap = RAFT_RECORD_SWAP;

	(void)state;
	prng_init(&prng, 1, 1);
	w = open_behind(&prng, 5);
	t = take_all(w, 0);
	cfg = w->sim->config.proto;
	for (size_t cut = 0; cut < t->count; cut++) {
		struct table *table = table_open();
		struct proto *p = proto_open(&raft_ops, &cfg, &w->sim->node[0].io, table);
		struct buf text = {0};

		for (size_t i = 0; i < t->count; i++) {
			struct sim_record *rec = &t->record[i];

			if (i == cut) {
				size_t step = rec->len / 50 + 1;

				for (size_t len = 0; len < rec->len; len += step)
					if (rec->bytes[0] != RAFT_RECORD_PART)
						assert_int_equal(
							raft_ops.restore(p, rec->bytes, len),
							-EBADMSG);
				continue; /* and one is missing then */
			}
			(void)raft_ops.restore(p, rec->bytes, rec->len);
		}
		(void)raft_ops.restore(p, &swap, 1);
		if (cut + 1 < t->count && t->record[cut].bytes[0] == RAFT_RECORD_PART)
			assert_int_equal(raft_ops.restore(p, &end, 1), -EBADMSG);
		assert_int_equal(
			raft_ops.describe(t->record[cut].bytes, t->record[cut].len, &text), 0);
		buf_fini(&text);
		proto_close(p);
		table_close(table);
	}
	taken_close(t);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raft_snapshot__restores_what_the_log_would),
		cmocka_unit_test(raft_snapshot__taken_while_the_table_changes_is_exact),
		cmocka_unit_test(raft_snapshot__does_not_forget_what_slow_followers_need),
		cmocka_unit_test(raft_snapshot__during_a_transfer_holds_what_is_staged),
		cmocka_unit_test(raft_follower__behind_a_forgotten_log_gets_the_table),
		cmocka_unit_test(raft_transfer__ends_where_a_round_trip_is_longer_than_a_heartbeat),
		cmocka_unit_test(raft_transfer__survives_loss_crashes_and_a_change_of_leader),
		cmocka_unit_test(raft_transfer__goes_on_under_another_leader_where_it_was),
		cmocka_unit_test(raft_restore__takes_no_nonsense),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
