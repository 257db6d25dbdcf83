/* SPDX-License-Identifier: MIT */
/*
 * quorum_sync.c - anti-entropy: replicas compare their data and fetch what they lack
 *
 * Dynamo, SOSP 2007, section 4.7. Every cfg.anti_entropy_ns a replica compares its sums (merkle.h)
 * with those of the next living one, and fetches what is newer there. It only fetches: the
 * other one does likewise when it is its turn, so nobody is sent more than it has asked for.
 *
 *   root --groups differ--> groups --leaves differ--> list --some are newer--> fetch --> list ...
 *     \-> over                                          \--> rest of the list, or over
 *
 * One question is open at a time (compare.h). One that is not answered ends the comparison: there
 * will be another. Writes may go on meanwhile: what is fetched in vain is not newer.
 *
 * Limits: a list or a delivery ends beyond QUORUM_SYNC_BYTES, or when QUORUM_SYNC_HASHED bytes have
 * been read for it; it says where to go on.
 */
#include <assert.h>
#include <errno.h>

#include "store/proto/quorum_internal.h"

static void end(struct quorum *q)
{
	struct quorum_sync *s = &q->sync;

	compare_end(&s->compare);
	s->want.len = 0;
	s->wanted = 0;
}

/* All that differed has been looked at. */
static void over(struct quorum *q)
{
	q->compared++;
	end(q);
}

static void ask_list(struct quorum *q)
{
	struct compare *compare = &q->sync.compare;
	struct buf b = compare_question(compare, QUORUM_SYNC_LIST);

	buf_u64(&b, q->sync.from);
	for (unsigned i = 0; i < MERKLE_WIDTH; i++)
		buf_u64(&b, compare->leaves[i]);
	compare_ask(compare, q->proto.io, QUORUM_SYNC_LISTING, &b);
}

static void ask_entries(struct quorum *q)
{
	struct compare *compare = &q->sync.compare;
	struct buf b = compare_question(compare, QUORUM_SYNC_WANT);

	buf_add(&b, q->sync.want.p, q->sync.want.len);
	compare_ask(compare, q->proto.io, QUORUM_SYNC_FETCHING, &b);
}

/* What was asked for is here: what comes next? */
static void go_on(struct quorum *q)
{
	struct quorum_sync *s = &q->sync;

	if (s->wanted)
		ask_entries(q);
	else if (s->from)
		ask_list(q);
	else
		over(q);
}

void quorum_sync_start(struct quorum *q)
{
	struct compare *compare = &q->sync.compare;
	struct proto_io *io = q->proto.io;
	uint64_t every = q->proto.cfg.anti_entropy_ns;

	if (!every || quorum_copies(&q->proto.cfg) == 1 || !quorum_keeps(q))
		return;
	compare->step = io->now(io); /* above those of an earlier life */
	compare->peer = (unsigned)(io->random(io) % quorum_copies(&q->proto.cfg));
	/* Not all at once. */
	io->arm(io, QUORUM_TIMER_SYNC, io->now(io) + 1 + io->random(io) % every);
}

void quorum_sync_timer(struct quorum *q)
{
	struct compare *compare = &q->sync.compare;
	struct proto_io *io = q->proto.io;

	io->arm(io, QUORUM_TIMER_SYNC, io->now(io) + q->proto.cfg.anti_entropy_ns);
	if (compare->phase != COMPARE_IDLE || compare->storing)
		return;
	for (unsigned n = 0; n < quorum_copies(&q->proto.cfg); n++) {
		compare->peer = (compare->peer + 1) % quorum_copies(&q->proto.cfg);
		if (compare->peer == q->proto.cfg.self || !quorum_alive(q, compare->peer))
			continue;
		compare_ask_root(compare, io, QUORUM_SYNC_ASK);
		return;
	}
}

void quorum_sync_tick(struct quorum *q)
{
	if (compare_again(&q->sync.compare, q->proto.io, q->proto.cfg.request_timeout_ns))
		end(q);
}

void quorum_sync_stored(struct quorum *q)
{
	struct compare *compare = &q->sync.compare;

	assert(compare->storing > 0);
	if (--compare->storing == 0 && compare->phase == QUORUM_SYNC_FETCHING)
		go_on(q);
}

/* The one who is asked. */

/* What is below each of some groups; of none: what is below the root. */
static int on_ask(struct quorum *q, unsigned from, uint64_t step, struct cursor *c)
{
	struct proto_io *io = q->proto.io;
	uint64_t groups = cursor_u64(c);
	struct buf b = {0};

	if (!cursor_done(c))
		return -EBADMSG;
	if (!q->tree)
		return 0;
	buf_u8(&b, QUORUM_SYNC_SUMS);
	buf_u64(&b, step);
	compare_sums(q->tree, groups, &b);
	io->send(io, from, b.p, b.len);
	buf_fini(&b);
	return 0;
}

/* A list under way. */
struct listing {
	struct buf heads;
	unsigned leaf;
	uint64_t hashed;
};

static void list_one(void *arg, const struct table_entry *e)
{
	struct listing *l = arg;

	if (merkle_leaf(table_place(e->key)) != l->leaf)
		return;
	buf_u64(&l->heads, e->version);
	buf_u16(&l->heads, e->origin);
	buf_u64(&l->heads, quorum_digest(e));
	buf_bytes(&l->heads, e->key.p, e->key.len);
	l->hashed += (uint64_t)e->key.len + e->value.len;
}

static bool enough(const struct listing *l)
{
	return l->heads.len >= QUORUM_SYNC_BYTES || l->hashed >= QUORUM_SYNC_HASHED;
}

/* All of @leaf from @at on. Return: where the limit ended it; the leaf's end if it did not. */
static uint64_t list_leaf(struct quorum *q, struct listing *l, uint64_t at)
{
	uint64_t end_at = merkle_place(l->leaf + 1);

	do {
		uint64_t next = table_scan(q->proto.table, at, list_one, l);

		/* A table with few slots shows more leaves at a time; this one is then over. */
		at = next && (!end_at || next < end_at) ? next : end_at;
	} while (
		at != end_at && l->heads.len < QUORUM_SYNC_BYTES && l->hashed < QUORUM_SYNC_HASHED);
	return at;
}

/* The leaves of a group from @at on. Return: where the limit ended it, 0: nowhere. */
static uint64_t list_group(
	struct quorum *q, struct listing *l, unsigned group, uint64_t leaves, uint64_t at)
{
	for (; leaves; leaves &= leaves - 1) {
		uint64_t to;

		l->leaf = group * MERKLE_WIDTH + (unsigned)__builtin_ctzll(leaves);
		if (merkle_leaf(at) > l->leaf)
			continue;
		to = list_leaf(q, l, merkle_leaf(at) == l->leaf ? at : merkle_place(l->leaf));
		if (enough(l))
			return to;
	}
	return 0;
}

static int on_list(struct quorum *q, unsigned from, uint64_t step, struct cursor *c)
{
	struct proto_io *io = q->proto.io;
	struct listing l = {0};
	uint64_t at = cursor_u64(c);
	uint64_t to = 0;
	struct buf b = {0};

	if (c->bad || c->left != MERKLE_WIDTH * sizeof(uint64_t))
		return -EBADMSG;
	for (unsigned i = 0; i < MERKLE_WIDTH && !enough(&l); i++)
		to = list_group(q, &l, i, cursor_u64(c), at);
	buf_u8(&b, QUORUM_SYNC_HEADS);
	buf_u64(&b, step);
	buf_u64(&b, to);
	buf_add(&b, l.heads.p, l.heads.len);
	io->send(io, from, b.p, b.len);
	buf_fini(&b);
	buf_fini(&l.heads);
	return 0;
}

/* A list of keys, to its end. */
static int check_keys(struct cursor c)
{
	uint32_t len;

	while (c.left && !c.bad) {
		cursor_bytes(&c, &len);
		if (len > PROTO_KEY_MAX)
			return -EBADMSG;
	}
	return cursor_done(&c) ? 0 : -EBADMSG;
}

static int on_want(struct quorum *q, unsigned from, uint64_t step, struct cursor *c)
{
	struct proto_io *io = q->proto.io;
	struct buf b = {0}, one = {0};
	uint32_t done = 0;
	const uint8_t *all = c->p;

	if (check_keys(*c))
		return -EBADMSG;
	buf_u8(&b, QUORUM_SYNC_ENTRIES);
	buf_u64(&b, step);
	buf_u32(&b, 0);
	while (c->left && b.len < QUORUM_SYNC_BYTES) {
		const struct table_entry *e;
		struct proto_bytes key;

		key.p = cursor_bytes(c, &key.len);
		e = table_get(q->proto.table, key);
		one.len = 0;
		if (e)
			entry_encode(&one, e);
		if (b.len > QUORUM_SYNC_HEAD && b.len + one.len + 4 > PROTO_MESSAGE_MAX)
			break;
		if (e)
			buf_bytes(&b, one.p, (uint32_t)one.len);
		done = (uint32_t)(c->p - all);
	}
	for (unsigned i = 0; i < 4; i++)
		b.p[9 + i] = (uint8_t)(done >> (8 * i));
	io->send(io, from, b.p, b.len);
	buf_fini(&b);
	buf_fini(&one);
	return 0;
}

/* The one who asked. */

static int on_sums(struct quorum *q, unsigned from, uint64_t step, struct cursor *c)
{
	const size_t one = MERKLE_WIDTH * sizeof(uint64_t);
	struct compare *compare = &q->sync.compare;

	if (c->bad || !c->left || c->left % one || c->left > MERKLE_WIDTH * one)
		return -EBADMSG;
	if (compare_expects(compare, from, step, COMPARE_ROOT)) {
		if (c->left != one)
			return -EBADMSG;
		if (compare_root(compare, q->tree, c))
			compare_ask_groups(compare, q->proto.io, QUORUM_SYNC_ASK);
		else
			over(q);
	} else if (compare_expects(compare, from, step, COMPARE_GROUPS)) {
		if (c->left != (size_t)__builtin_popcountll(compare->groups) * one)
			return -EBADMSG;
		q->sync.from = 0;
		if (compare_groups(compare, q->tree, c))
			ask_list(q);
		else
			over(q);
	}
	return 0;
}

struct head {
	struct table_entry e;
	uint64_t digest;
};

static int next_head(const struct quorum *q, struct cursor *c, struct head *ret)
{
	*ret = (struct head){.e.version = cursor_u64(c)};
	ret->e.origin = cursor_u16(c);
	ret->digest = cursor_u64(c);
	ret->e.key.p = cursor_bytes(c, &ret->e.key.len);
	return c->bad || !ret->e.version || ret->e.version > ENTRY_VERSION_MAX ||
			       ret->e.origin >= quorum_nodes(q) || ret->e.key.len > PROTO_KEY_MAX
		       ? -EBADMSG
		       : 0;
}

static bool lacking(const struct quorum *q, const struct head *h)
{
	const struct table_entry *mine = table_get(q->proto.table, h->e.key);

	if (!mine || mine->version != h->e.version || mine->origin != h->e.origin)
		return entry_newer(&h->e, mine);
	return quorum_digest(mine) != h->digest;
}

static int on_heads(struct quorum *q, unsigned from, uint64_t step, struct cursor *c)
{
	struct quorum_sync *s = &q->sync;
	uint64_t to = cursor_u64(c);
	struct cursor again = *c;
	struct head h;

	while (c->left && !c->bad)
		if (next_head(q, c, &h))
			return -EBADMSG;
	if (!cursor_done(c))
		return -EBADMSG;
	if (!compare_expects(&s->compare, from, step, QUORUM_SYNC_LISTING))
		return 0;
	while (again.left && !next_head(q, &again, &h)) {
		if (!lacking(q, &h))
			continue;
		buf_bytes(&s->want, h.e.key.p, h.e.key.len);
		s->wanted++;
	}
	/* A list that does not get on would never end. */
	s->from = to > s->from ? to : 0;
	go_on(q);
	return 0;
}

static int next_entry(const struct quorum *q, struct cursor *c, struct table_entry *ret)
{
	struct cursor one;
	uint32_t len;

	one.p = cursor_bytes(c, &len);
	one = cursor_over(one.p, len);
	return c->bad || entry_decode(quorum_nodes(q), &one, ret) || !ret->version ? -EBADMSG : 0;
}

/* The first @bytes of what is wanted have been dealt with. Return: 0, -EBADMSG. */
static int drop_wanted(struct quorum_sync *s, uint32_t bytes)
{
	struct cursor c = cursor_over(s->want.p, s->want.len);
	uint32_t len, keys = 0;

	while (c.p && (size_t)(c.p - s->want.p) < bytes && c.left) {
		cursor_bytes(&c, &len);
		keys++;
	}
	if (!bytes || c.bad || (size_t)(c.p - s->want.p) != bytes)
		return -EBADMSG;
	buf_drop(&s->want, bytes);
	s->wanted -= keys;
	return 0;
}

static int on_entries(struct quorum *q, unsigned from, uint64_t step, struct cursor *c)
{
	struct quorum_sync *s = &q->sync;
	uint32_t done = cursor_u32(c);
	struct cursor again = *c;
	struct table_entry e;

	while (c->left && !c->bad)
		if (next_entry(q, c, &e))
			return -EBADMSG;
	if (!cursor_done(c))
		return -EBADMSG;
	if (!compare_expects(&s->compare, from, step, QUORUM_SYNC_FETCHING))
		return 0;
	if (drop_wanted(s, done))
		return -EBADMSG;
	while (again.left && !next_entry(q, &again, &e)) {
		if (!entry_newer(&e, table_get(q->proto.table, e.key)))
			continue;
		s->compare.storing++;
		q->fetched++;
		quorum_store(q, &e, q->proto.cfg.self, QUORUM_SYNC_ENTRIES, 0);
	}
	if (!s->compare.storing)
		go_on(q);
	return 0;
}

int quorum_sync_message(struct quorum *q, unsigned from, enum quorum_message type, struct cursor *c)
{
	uint64_t step = cursor_u64(c);

	if (type == QUORUM_SYNC_ASK)
		return on_ask(q, from, step, c);
	if (type == QUORUM_SYNC_SUMS)
		return on_sums(q, from, step, c);
	if (type == QUORUM_SYNC_LIST)
		return on_list(q, from, step, c);
	if (type == QUORUM_SYNC_HEADS)
		return on_heads(q, from, step, c);
	if (type == QUORUM_SYNC_WANT)
		return on_want(q, from, step, c);
	return on_entries(q, from, step, c);
}

void quorum_sync_fini(struct quorum *q)
{
	compare_end(&q->sync.compare);
	buf_fini(&q->sync.want);
}
