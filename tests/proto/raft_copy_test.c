/* SPDX-License-Identifier: MIT */
/* raft_copy_test.c - Raft with a table that is half-way: what may be trusted, and what not */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdlib.h>

#include "store/proto/raft_internal.h"
#include "tests/sim/world.h"

#define RECORDS_MAX 256u
#define SEEN 5u /* the entry that sets key "a" to "1"; all others have no bytes */

/*
 * One replica of three whose messages nobody gets, to be talked to by hand; disks take 1 ms. What
 * others have committed, the simulator does not know: its checks of logs are off.
 */
static struct world *open_alone(void)
{
	static struct proto_ops ops;
	struct sim_config config;
	struct world *w;

	ops = raft_ops;
	ops.entry = NULL;
	config = world_config(&ops, 3);
	config.persist_ns_min = config.persist_ns_max = NS_PER_MS;
	config.proto.leader = -1;
	w = world_open(&config);
	for (unsigned i = 0; i < 3; i++)
		world_isolate(w, i);
	return w;
}

static struct proto_status_view status(const struct world *w)
{
	struct proto_status_view view;

	sim_status(w->sim, 0, &view);
	return view;
}

static void give(struct world *w, unsigned from, struct buf *b)
{
	assert_int_equal(sim_message(w->sim, from, 0, b->p, b->len), 0);
	buf_fini(b);
}

static struct raft_base base_at(uint64_t index, uint64_t term)
{
	struct raft_base base = {.index = index, .term = term};

	for (unsigned i = 0; i < 3; i++)
		raft_members_set(&base.members, i, true);
	return base;
}

static void put_entries(struct buf *b, uint64_t first, uint64_t last, uint64_t term)
{
	const struct command set = {
		.op = PROTO_SET,
		.stamp_ns = 1,
		.key = {.p = (const uint8_t *)"a", .len = 1},
		.value = {.p = (const uint8_t *)"1", .len = 1},
	};

	buf_u32(b, (uint32_t)(last + 1 - first));
	for (uint64_t i = first; i <= last; i++) {
		struct buf c = {0};

		if (i == SEEN)
			command_encode(&c, &set);
		buf_u64(b, term);
		buf_bytes(b, c.p, (uint32_t)c.len);
		buf_fini(&c);
	}
}

/* Entries @first .. @last of @entry_term from the leader of @term, who has committed @commit. */
struct entries {
	uint64_t term;
	uint64_t first;
	uint64_t last;
	uint64_t entry_term;
	uint64_t commit;
};

static void append(struct world *w, unsigned from, const struct entries *e)
{
	struct buf b = {0};

	buf_u8(&b, RAFT_APPEND);
	buf_u64(&b, e->term);
	buf_u64(&b, e->first - 1);
	buf_u64(&b, e->first > 1 ? e->entry_term : 0);
	buf_u64(&b, e->commit);
	buf_u64(&b, 0);
	put_entries(&b, e->first, e->last, e->entry_term);
	give(w, from, &b);
}

static void offer(struct world *w, unsigned from, uint64_t term, uint64_t index)
{
	struct raft_base base = base_at(index, 1);
	struct buf b = {0};

	buf_u8(&b, RAFT_OFFER);
	buf_u64(&b, term);
	buf_u8(&b, true);
	raft_base_encode(&b, &base);
	give(w, from, &b);
}

struct part {
	uint64_t term; /* of the leader */
	uint64_t base;
	uint64_t attempt;
	uint64_t piece;
	uint64_t from;
	uint64_t to;
	uint64_t at;
	bool more;
	const char *key; /* set at ->at; NULL: there is none */
};

static void put_key(struct buf *b, const char *key, uint64_t version)
{
	buf_bytes(b, (const uint8_t *)key, (uint32_t)strlen(key));
	buf_bytes(b, (const uint8_t *)"1", 1);
	buf_u64(b, version);
	buf_u64(b, 0);
	buf_u8(b, false);
}

static void part(struct world *w, unsigned from, const struct part *p)
{
	struct buf b = {0};

	buf_u8(&b, RAFT_PART);
	buf_u64(&b, p->term);
	buf_u64(&b, p->base);
	buf_u64(&b, 1);
	buf_u64(&b, p->attempt);
	buf_u64(&b, p->piece);
	buf_u64(&b, p->from);
	buf_u64(&b, p->to);
	buf_u64(&b, p->at);
	buf_u8(&b, p->more);
	if (p->key)
		put_key(&b, p->key, strcmp(p->key, "a") == 0 ? SEEN : p->at);
	give(w, from, &b);
}

/* Records of an earlier life. */
struct life {
	struct sim_record record[RECORDS_MAX];
	size_t count;
	struct proto_snapshot s;
	size_t begun;
};

static void take(void *arg, const void *bytes, size_t len)
{
	struct life *l = arg;

	assert_true(l->count < RECORDS_MAX);
	l->record[l->count].bytes = malloc(len);
	assert_non_null(l->record[l->count].bytes);
	memcpy(l->record[l->count].bytes, bytes, len);
	l->record[l->count++].len = len;
}

static void take_buf(struct life *l, struct buf *b)
{
	take(l, b->p, b->len);
	buf_fini(b);
}

static struct life *snapshot_begin(struct world *w)
{
	struct life *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->s = (struct proto_snapshot){.record = take, .arg = l};
	l->begun = w->sim->node[0].records;
	return l;
}

static bool snapshot_step(struct world *w, struct life *l)
{
	bool more = raft_ops.snapshot(w->sim->node[0].proto, &l->s);

	raft_ops.invariant(w->sim->node[0].proto);
	return more;
}

/* Crash it, and start it from what @l has and what its log has had since. */
static void reborn(struct world *w, struct life *l)
{
	struct sim_node *n = &w->sim->node[0];

	sim_crash(w->sim, 0);
	for (size_t i = l->begun; i < n->records; i++)
		take(l, n->record[i].bytes, n->record[i].len);
	for (size_t i = 0; i < n->records; i++)
		free(n->record[i].bytes);
	n->record = realloc(n->record, (l->count + 1) * sizeof(*n->record));
	assert_non_null(n->record);
	memcpy(n->record, l->record, l->count * sizeof(*n->record));
	n->records = l->count;
	n->records_cap = l->count + 1;
	free(l);
	sim_restart(w->sim, 0);
	assert_string_equal(w->sim->violation, "");
}

static void write_hard(struct life *l, uint64_t term)
{
	struct buf b = {0};

	buf_u8(&b, RAFT_RECORD_HARD);
	buf_u64(&b, term);
	buf_u32(&b, 0);
	take_buf(l, &b);
}

static void write_entries(struct life *l, uint64_t first, uint64_t last)
{
	struct buf b = {0};

	buf_u8(&b, RAFT_RECORD_ENTRIES);
	buf_u64(&b, first);
	put_entries(&b, first, last, 1);
	take_buf(l, &b);
}

/* A table with base @index, which is exact at @exact, was taken over. */
static void write_copy(struct life *l, uint64_t index, uint64_t exact)
{
	struct raft_base base = base_at(index, 1);
	struct raft_part p = {.at = exact};
	struct buf b = {0};

	raft_stage_encode(&b, &base, NULL, 0);
	take_buf(l, &b);
	b = (struct buf){0};
	buf_u8(&b, RAFT_RECORD_STAGE_PART);
	raft_part_encode(&b, &p);
	take_buf(l, &b);
	b = (struct buf){0};
	buf_u8(&b, RAFT_RECORD_SWAP);
	take_buf(l, &b);
}

/* One that has entries after the base, and not from who has sent the table, as far as it knows. */
static struct world *open_half_way(void)
{
	struct world *w = open_alone();
	struct life *l = snapshot_begin(w);

	write_hard(l, 1);
	write_entries(l, 1, 25);
	write_copy(l, 20, 25);
	reborn(w, l);
	return w;
}

static void raft_copy__of_a_leader_does_not_commit_what_was_here(void **state)
{
	struct world *w = open_half_way();

	(void)state;
	assert_int_equal(status(w).log_last, 25);
	assert_int_equal(status(w).committed, 20);
	/* A leader has others there. */
	append(w, 1, &(struct entries){2, 21, 30, 1, 20});
	world_close(w);
}

static void grant(struct world *w, unsigned from, bool pre, uint64_t asked)
{
	struct buf b = {0};

	buf_u8(&b, RAFT_VOTE);
	buf_u8(&b, pre);
	buf_u8(&b, true);
	buf_u64(&b, asked);
	buf_u64(&b, pre ? asked - 1 : asked);
	give(w, from, &b);
}

static void appended(struct world *w, unsigned from, uint64_t refused, uint64_t match)
{
	struct buf b = {0};

	buf_u8(&b, RAFT_APPENDED);
	buf_u64(&b, 2);
	buf_u64(&b, 0);
	buf_u64(&b, refused);
	buf_u64(&b, match);
	buf_u64(&b, refused ? 0 : match);
	give(w, from, &b);
}

/* Else two of three that are alive could wait for the third for ever. */
static void raft_copy__half_way_may_lead_but_not_be_copied(void **state)
{
	struct world *w = open_half_way();

	(void)state;
	while (status(w).role == PROTO_FOLLOWER)
		world_run(w, NS_PER_MS);
	grant(w, 1, true, 2);
	world_run(w, 10 * NS_PER_MS);
	grant(w, 1, false, 2);
	assert_int_equal(status(w).role, PROTO_LEADER);
	assert_int_equal(status(w).applied, 0);
	world_forget(w);
	/* Replica 2 has nothing, and what it needs is forgotten here. */
	appended(w, 2, 25, 0);
	appended(w, 2, 21, 0);
	world_run(w, 60 * NS_PER_MS);
	assert_null(world_last_sent(w, 0, 2, RAFT_OFFER));
	appended(w, 1, 0, 26);
	assert_int_equal(status(w).applied, 26);
	appended(w, 2, 20, 0);
	world_run(w, 60 * NS_PER_MS);
	assert_non_null(world_last_sent(w, 0, 2, RAFT_OFFER));
	world_close(w);
}

/* What is staged when a snapshot begins is in it to the end, though it was given up meanwhile. */
static void raft_snapshot__has_what_is_staged_though_it_is_given_up(void **state)
{
	uint64_t middle = table_place((struct proto_bytes){(const uint8_t *)"a", 1}) + 1;
	struct world *w = open_alone();
	struct life *l;

	(void)state;
	offer(w, 1, 1, 20);
	part(w, 1, &(struct part){1, 20, 1, 0, 0, middle, 20, false, "a"});
	l = snapshot_begin(w);
	assert_true(snapshot_step(w, l));
	part(w, 1, &(struct part){1, 20, 1, 1, middle, 0, 20, false, NULL});
	append(w, 2, &(struct entries){2, 1, 25, 1, 22});
	append(w, 2, &(struct entries){2, 1, 25, 1, 22});
	assert_int_equal(status(w).committed, 22);
	while (snapshot_step(w, l))
		world_run(w, NS_PER_MS);
	world_run(w, 10 * NS_PER_MS);
	reborn(w, l);
	append(w, 2, &(struct entries){2, 1, 25, 1, 25});
	append(w, 2, &(struct entries){2, 26, 26, 1, 26});
	assert_int_equal(status(w).applied, 26);
	assert_string_equal(world_local(w, 0, "a"), "1");
	world_close(w);
}

/* The table that makes it exact does not wait for a snapshot, which waits for an exact table. */
static void raft_snapshot__of_a_table_half_way_lets_a_newer_one_in(void **state)
{
	struct world *w = open_alone();
	struct life *l;

	(void)state;
	offer(w, 1, 1, 20);
	part(w, 1, &(struct part){1, 20, 1, 0, 0, 0, 40, false, "a"});
	offer(w, 1, 1, 60);
	l = snapshot_begin(w);
	for (unsigned i = 0; i < 5; i++)
		(void)snapshot_step(w, l);
	part(w, 1, &(struct part){1, 60, 2, 0, 0, 0, 60, false, "a"});
	append(w, 1, &(struct entries){1, 61, 61, 1, 61});
	append(w, 1, &(struct entries){1, 61, 61, 1, 61});
	assert_int_equal(status(w).applied, 61);
	for (unsigned i = 0; snapshot_step(w, l); i++)
		assert_true(i < 100);
	world_run(w, 10 * NS_PER_MS);
	reborn(w, l);
	assert_string_equal(world_local(w, 0, "a"), "1");
	world_close(w);
}

/* An attempt ends within a part; the next one, as of an earlier or a later entry, begins it anew.
 */
static void raft_part__begun_anew_leaves_nothing_of_before(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 4; how++) {
		struct world *w = open_alone();
		struct life *l = snapshot_begin(w);
		uint64_t at = how % 2 ? 35 : 25;

		offer(w, 1, 1, 20);
		part(w, 1, &(struct part){1, 20, 1, 0, 0, 0, 30, true, "x"});
		part(w, 1, &(struct part){1, 20, 1, 1, 0, 0, 30, true, "y"});
		while (how >= 2 && snapshot_step(w, l))
			world_run(w, NS_PER_MS);
		world_run(w, 10 * NS_PER_MS);
		reborn(w, l);
		part(w, 2, &(struct part){2, 20, 1, 0, 0, 0, at, true, "a"});
		part(w, 2, &(struct part){2, 20, 1, 1, 0, 0, at, false, "b"});
		append(w, 2, &(struct entries){2, 21, 40, 1, 40});
		append(w, 2, &(struct entries){2, 21, 40, 1, 40});
		assert_int_equal(status(w).applied, 40);
		assert_string_equal(world_local(w, 0, "a"), "1");
		assert_string_equal(world_local(w, 0, "b"), "1");
		assert_string_equal(world_local(w, 0, "x"), "");
		assert_string_equal(world_local(w, 0, "y"), "");
		world_close(w);
	}
}

/* ... and what is no new beginning keeps what is there, over a restart, too. */
static void raft_part__goes_on_after_a_snapshot_in_the_middle(void **state)
{
	struct world *w = open_alone();
	struct life *l;

	(void)state;
	offer(w, 1, 1, 20);
	part(w, 1, &(struct part){1, 20, 1, 0, 0, 0, 30, true, "x"});
	l = snapshot_begin(w);
	while (snapshot_step(w, l))
		world_run(w, NS_PER_MS);
	part(w, 1, &(struct part){1, 20, 1, 1, 0, 0, 30, false, "y"});
	world_run(w, 10 * NS_PER_MS);
	reborn(w, l);
	assert_string_equal(world_local(w, 0, "x"), "1");
	assert_string_equal(world_local(w, 0, "y"), "1");
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raft_copy__of_a_leader_does_not_commit_what_was_here),
		cmocka_unit_test(raft_copy__half_way_may_lead_but_not_be_copied),
		cmocka_unit_test(raft_snapshot__has_what_is_staged_though_it_is_given_up),
		cmocka_unit_test(raft_snapshot__of_a_table_half_way_lets_a_newer_one_in),
		cmocka_unit_test(raft_part__begun_anew_leaves_nothing_of_before),
		cmocka_unit_test(raft_part__goes_on_after_a_snapshot_in_the_middle),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
