/* SPDX-License-Identifier: MIT */
/*
 * crdt_sync.c - comparing all keys with another replica, and fetching the states that differ
 *
 * For who is too far behind for the other one's deltas, and every cfg.anti_entropy_ns with the next
 * living one: operations of a replica that is gone, or is heard by that one only, come this way.
 * Sums over the keys (merkle.h) say where two tables differ; of each such leaf the asker lists what
 * it has, and is sent the states that are other there or that it lacks. It joins them: a state
 * carries its own context, so it may be older or newer than what is here, or both.
 *
 *   root --groups differ--> groups --leaves differ--> leaf --> states on disk --> leaf ... --> over
 *
 * The first answer says up to which operation of each replica the other one had all: when the
 * comparison is over this one has, too, and deltas go on from there. One question is open at a
 * time (compare.h).
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/crdt_internal.h"

/* This replica now has all that the other one had at the beginning. */
static void over(struct crdt *c)
{
	struct crdt_write w = {.waits = CRDT_FOR_SEEN};
	struct proto_io *io = c->proto.io;
	bool news = false;
	struct buf b = {0};

	c->compared++;
	for (unsigned i = 0; i < crdt_nodes(c); i++) {
		if (i == crdt_self(c) || c->sync.seen[i] <= c->peer[i].taken)
			continue;
		c->peer[i].taken = c->sync.seen[i];
		news = true;
	}
	compare_end(&c->sync.compare);
	if (!news)
		return;
	crdt_record_seen(&b, c);
	w.len = (uint32_t)(crdt_nodes(c) * sizeof(uint64_t));
	w.block = malloc(w.len);
	assert(w.block);
	for (unsigned i = 0; i < crdt_nodes(c); i++)
		memcpy(w.block + i * sizeof(uint64_t), &c->peer[i].taken, sizeof(uint64_t));
	w.seq = io->persist(io, b.p, b.len);
	*(struct crdt_write *)ring_push(&c->writes) = w;
	buf_fini(&b);
}

/* --- lists --- */

struct listed {
	uint64_t place;
	uint64_t digest;
	struct proto_bytes key; /* of the own table */
};

/* What there is at places from..last of the table, as far as @last when it was full. */
struct list {
	struct listed *at;
	uint32_t n;
	uint64_t from;
	uint64_t last;
};

static void list_one(void *arg, const struct table_entry *e)
{
	struct list *l = arg;
	uint64_t place = table_place(e->key);

	if (place < l->from || place > l->last)
		return;
	if (!(l->n & (l->n - 1)) && l->n != 1) {
		l->at = realloc(l->at, (l->n ? 2 * (size_t)l->n : 2) * sizeof(*l->at));
		assert(l->at);
	}
	l->at[l->n++] = (struct listed){place, crdt_digest(e->key, e->value), e->key};
}

static int by_place(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return (x->place > y->place) - (x->place < y->place);
}

static void make_list(const struct crdt *c, struct list *l)
{
	uint64_t last = l->last, at = l->from;

	do {
		at = table_scan(c->proto.table, at, list_one, l);
	} while (at && at <= last && l->n < CRDT_SYNC_LIST);
	if (at && at <= last)
		l->last = at - 1;
	if (l->n > 1)
		qsort(l->at, l->n, sizeof(*l->at), by_place);
	/* A step of the scan shows more than it has passed; that will be shown again. */
	while (l->n && l->at[l->n - 1].place > l->last)
		l->n--;
}

/* --- who asks --- */

static uint64_t leaf_last(unsigned leaf)
{
	return merkle_place(leaf + 1) - 1; /* of the last one: all bits */
}

static void ask_leaf(struct crdt *c)
{
	struct crdt_sync *s = &c->sync;
	struct list l = {.from = s->from, .last = leaf_last(s->leaf)};
	struct buf b = compare_question(&s->compare, CRDT_SYNC_LEAF);

	make_list(c, &l);
	buf_u64(&b, l.from);
	buf_u64(&b, l.last);
	buf_u32(&b, l.n);
	for (uint32_t i = 0; i < l.n; i++) {
		buf_u64(&b, l.at[i].place);
		buf_u64(&b, l.at[i].digest);
	}
	free(l.at);
	compare_ask(&s->compare, c->proto.io, CRDT_SYNC_LEAVES, &b);
}

/* Leaf s->leaf and those before it are done: the next one that differs. */
static void next_leaf(struct crdt *c)
{
	struct crdt_sync *s = &c->sync;

	for (; s->leaf < MERKLE_LEAVES; s->leaf++) {
		uint64_t leaves = s->compare.leaves[s->leaf / MERKLE_WIDTH];

		if (!(leaves >> (s->leaf % MERKLE_WIDTH) & 1))
			continue;
		s->from = merkle_place(s->leaf);
		ask_leaf(c);
		return;
	}
	over(c);
}

/* What was asked for is on disk. */
static void go_on(struct crdt *c)
{
	struct crdt_sync *s = &c->sync;

	if (s->from - 1 == leaf_last(s->leaf)) {
		s->leaf++;
		next_leaf(c);
	} else {
		ask_leaf(c);
	}
}

void crdt_sync_begin(struct crdt *c, unsigned with)
{
	struct compare *compare = &c->sync.compare;

	if (compare->phase != COMPARE_IDLE || compare->storing)
		return;
	compare->peer = with;
	compare_ask_root(compare, c->proto.io, CRDT_SYNC_ASK);
}

void crdt_sync_start(struct crdt *c)
{
	struct proto_io *io = c->proto.io;
	uint64_t every = c->proto.cfg.anti_entropy_ns;

	c->sync.compare.step = io->now(io); /* above those of an earlier life */
	c->sync.compare.peer = (unsigned)(io->random(io) % crdt_nodes(c));
	if (every && crdt_nodes(c) > 1)
		io->arm(io, CRDT_TIMER_SYNC, io->now(io) + 1 + io->random(io) % every);
}

void crdt_sync_timer(struct crdt *c)
{
	struct proto_io *io = c->proto.io;
	unsigned with = c->sync.compare.peer;

	io->arm(io, CRDT_TIMER_SYNC, io->now(io) + c->proto.cfg.anti_entropy_ns);
	for (unsigned n = 0; n < crdt_nodes(c); n++) {
		with = (with + 1) % crdt_nodes(c);
		if (with == crdt_self(c) || !crdt_alive(c, with))
			continue;
		crdt_sync_begin(c, with);
		return;
	}
}

void crdt_sync_tick(struct crdt *c)
{
	if (compare_again(&c->sync.compare, c->proto.io, c->proto.cfg.request_timeout_ns))
		compare_end(&c->sync.compare);
}

void crdt_sync_stored(struct crdt *c)
{
	struct compare *compare = &c->sync.compare;

	assert(compare->storing > 0);
	if (--compare->storing == 0 && compare->phase == CRDT_SYNC_LEAVES)
		go_on(c);
}

static void on_root(struct crdt *c, struct cursor *cursor)
{
	struct crdt_sync *s = &c->sync;
	bool differ = compare_root(&s->compare, c->tree, cursor);

	for (unsigned i = 0; i < crdt_nodes(c); i++)
		s->seen[i] = cursor_u64(cursor);
	if (differ)
		compare_ask_groups(&s->compare, c->proto.io, CRDT_SYNC_ASK);
	else
		over(c);
}

static void on_groups(struct crdt *c, struct cursor *cursor)
{
	(void)compare_groups(&c->sync.compare, c->tree, cursor);
	c->sync.leaf = 0;
	next_leaf(c);
}

/* All that is told to be seen is a time that can be. */
static bool seen_is_bad(const struct crdt *c, struct cursor cursor)
{
	(void)cursor_take(&cursor, MERKLE_WIDTH * sizeof(uint64_t));
	for (unsigned i = 0; i < crdt_nodes(c); i++)
		if (cursor_u64(&cursor) > CRDT_TIME_BELIEVED)
			return true;
	return !cursor_done(&cursor);
}

static int on_sums(struct crdt *c, unsigned from, uint64_t step, struct cursor *cursor)
{
	const size_t one = MERKLE_WIDTH * sizeof(uint64_t);
	uint8_t root = cursor_u8(cursor);

	if (cursor->bad || root > 1 || (root && seen_is_bad(c, *cursor)))
		return -EBADMSG;
	if (!root && (!cursor->left || cursor->left % one || cursor->left > MERKLE_WIDTH * one))
		return -EBADMSG;
	if (root && compare_expects(&c->sync.compare, from, step, COMPARE_ROOT)) {
		on_root(c, cursor);
	} else if (!root && compare_expects(&c->sync.compare, from, step, COMPARE_GROUPS)) {
		if (cursor->left != (size_t)__builtin_popcountll(c->sync.compare.groups) * one)
			return -EBADMSG;
		on_groups(c, cursor);
	}
	return 0;
}

static int check_states(const struct crdt *c, struct cursor cursor)
{
	uint32_t n = cursor_u32(&cursor);

	for (; n > 0 && !cursor.bad; n--) {
		struct proto_bytes key, bytes;
		struct crdt_state s;
		bool bad;

		if (crdt_pair(crdt_nodes(c), &cursor, &key, &bytes, &s))
			return -EBADMSG;
		bad = s.stamp.time > CRDT_TIME_BELIEVED;
		crdt_state_fini(&s);
		if (bad)
			return -EBADMSG;
	}
	return cursor_done(&cursor) ? 0 : -EBADMSG;
}

/* Whether joining what came would change anything. */
static bool has_all(const struct crdt *c, struct proto_bytes key, const struct crdt_state *theirs)
{
	struct crdt_state mine, joined;
	struct buf a = {0}, b = {0};
	bool same;

	crdt_load(c, key, &mine);
	crdt_join(&mine, theirs, &joined);
	crdt_encode(&a, &mine);
	crdt_encode(&b, &joined);
	same = a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
	crdt_state_fini(&mine);
	crdt_state_fini(&joined);
	buf_fini(&a);
	buf_fini(&b);
	return same;
}

static void take_state(struct crdt *c, struct cursor *cursor)
{
	const struct crdt_write w = {.waits = CRDT_FOR_SYNC};
	struct proto_bytes key, bytes;
	struct crdt_state s;
	int bad = crdt_pair(crdt_nodes(c), cursor, &key, &bytes, &s);

	assert(!bad); /* check_states() */
	hlc_seen(&c->hlc, s.stamp.time);
	if (!has_all(c, key, &s)) {
		if (crdt_write(c, CRDT_RECORD_STATE, key, bytes, &w)) {
			c->refused++;
		} else {
			c->sync.compare.storing++;
			c->fetched++;
		}
	}
	crdt_state_fini(&s);
}

static int on_states(struct crdt *c, unsigned from, uint64_t step, struct cursor *cursor)
{
	uint64_t last = cursor_u64(cursor);
	struct crdt_sync *s = &c->sync;

	if (check_states(c, *cursor))
		return -EBADMSG;
	if (!compare_expects(&s->compare, from, step, CRDT_SYNC_LEAVES))
		return 0;
	/* An answer that does not get on would never end. */
	if (last < s->from || last > leaf_last(s->leaf))
		last = leaf_last(s->leaf);
	s->from = last + 1;
	for (uint32_t n = cursor_u32(cursor); n > 0; n--)
		take_state(c, cursor);
	if (!s->compare.storing)
		go_on(c);
	return 0;
}

/* --- who is asked --- */

static int on_ask(struct crdt *c, unsigned from, uint64_t step, struct cursor *cursor)
{
	struct proto_io *io = c->proto.io;
	uint64_t groups = cursor_u64(cursor);
	struct buf b = {0};

	if (!cursor_done(cursor))
		return -EBADMSG;
	buf_u8(&b, CRDT_SYNC_SUMS);
	buf_u64(&b, step);
	buf_u8(&b, groups == 0);
	compare_sums(c->tree, groups, &b);
	for (unsigned i = 0; !groups && i < crdt_nodes(c); i++)
		buf_u64(&b, c->peer[i].durable);
	io->send(io, from, b.p, b.len);
	buf_fini(&b);
	return 0;
}

static bool they_have(const struct listed *theirs, uint32_t n, const struct listed *mine)
{
	const struct listed *same = n ? bsearch(mine, theirs, n, sizeof(*theirs), by_place) : NULL;

	return same && same->digest == mine->digest;
}

/* The states at l->from..l->last that they do not have. Return: the last place that was dealt
 * with. */
static uint64_t add_states(struct crdt *c, struct list *l, const struct list *theirs, struct buf *b)
{
	uint32_t n = 0;
	uint64_t last = l->last;

	for (uint32_t i = 0; i < l->n; i++) {
		const struct table_entry *e;

		if (they_have(theirs->at, theirs->n, &l->at[i]))
			continue;
		e = table_get(c->proto.table, l->at[i].key);
		if (n && b->len + CRDT_DELTA_HEAD + e->key.len + e->value.len > CRDT_BATCH_BYTES) {
			last = l->at[i].place - 1;
			break;
		}
		buf_bytes(b, e->key.p, e->key.len);
		buf_bytes(b, e->value.p, e->value.len);
		n++;
	}
	for (unsigned i = 0; i < 4; i++)
		b->p[CRDT_SYNC_HEAD - 4 + i] = (uint8_t)(n >> (8 * i));
	return last;
}

static int on_leaf(struct crdt *c, unsigned from, uint64_t step, struct cursor *cursor)
{
	struct proto_io *io = c->proto.io;
	struct list l = {.from = cursor_u64(cursor)}, theirs = {0};
	struct buf b = {0};
	uint64_t last;

	l.last = cursor_u64(cursor);
	theirs.n = cursor_u32(cursor);
	if (cursor->bad || l.last < l.from ||
		cursor->left != (size_t)theirs.n * 2 * sizeof(uint64_t))
		return -EBADMSG;
	theirs.at = calloc((size_t)theirs.n + 1, sizeof(*theirs.at));
	assert(theirs.at);
	for (uint32_t i = 0; i < theirs.n; i++) {
		theirs.at[i].place = cursor_u64(cursor);
		theirs.at[i].digest = cursor_u64(cursor);
	}
	if (theirs.n > 1)
		qsort(theirs.at, theirs.n, sizeof(*theirs.at), by_place);
	make_list(c, &l);
	buf_u8(&b, CRDT_SYNC_STATES);
	buf_u64(&b, step);
	buf_u64(&b, 0);
	buf_u32(&b, 0);
	last = add_states(c, &l, &theirs, &b);
	for (unsigned i = 0; i < 8; i++)
		b.p[1 + 8 + i] = (uint8_t)(last >> (8 * i));
	io->send(io, from, b.p, b.len);
	buf_fini(&b);
	free(theirs.at);
	free(l.at);
	return 0;
}

int crdt_sync_message(struct crdt *c, unsigned from, enum crdt_message type, struct cursor *cursor)
{
	uint64_t step = cursor_u64(cursor);

	if (type == CRDT_SYNC_ASK)
		return on_ask(c, from, step, cursor);
	if (type == CRDT_SYNC_SUMS)
		return on_sums(c, from, step, cursor);
	if (type == CRDT_SYNC_LEAF)
		return on_leaf(c, from, step, cursor);
	return on_states(c, from, step, cursor);
}

void crdt_sync_fini(struct crdt *c)
{
	compare_end(&c->sync.compare);
	free(c->sync.seen);
}
