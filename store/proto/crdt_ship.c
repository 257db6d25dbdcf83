/* SPDX-License-Identifier: MIT */
/*
 * crdt_ship.c - a replica's own deltas to all others, and theirs here
 *
 * Deltas of one replica are taken in its order: each message says which one comes before its first,
 * and who lacks that one takes nothing of it. So one number says what another replica has.
 *
 * A delta is sent when it is on disk. Once per heartbeat the others are asked what they have
 * (CRDT_HAVE, CRDT_HELD); who then lacks what was sent before the question is sent it again. What
 * all have on disk is dropped, and so is the oldest beyond CRDT_LOG_MAX and CRDT_LOG_BYTES_MAX:
 * CRDT_HAVE says from where on there are deltas, and who lacks older ones compares (crdt_sync.c).
 * After a restart there are those that the log on disk has behind its snapshot.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/crdt_internal.h"

/* --- the log of own deltas --- */

/* Number of the first delta after @time. */
static uint64_t after(const struct crdt *c, uint64_t time)
{
	uint64_t low = c->log.first, high = c->log.next;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;

		if (((const struct crdt_delta *)ring_at(&c->log, mid))->time <= time)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Time of what comes before number @at, of which that is in the log or just behind it. */
static uint64_t time_before(const struct crdt *c, uint64_t at)
{
	const struct crdt_delta *d = at ? ring_at(&c->log, at - 1) : NULL;

	return d ? d->time : c->log_base;
}

/* Bytes of all deltas there ever were before number @at. */
static uint64_t end_before(const struct crdt *c, uint64_t at)
{
	const struct crdt_delta *d = ring_at(&c->log, at);

	return d ? d->end - d->key_len - d->len : c->log_end;
}

static void drop_first(struct crdt *c)
{
	struct crdt_delta *d = ring_front(&c->log);

	c->log_base = d->time;
	free(d->block);
	ring_pop(&c->log);
}

static void trim(struct crdt *c)
{
	uint64_t all = UINT64_MAX;
	const struct crdt_delta *d;

	for (unsigned i = 0; i < crdt_nodes(c); i++)
		if (i != crdt_self(c) && c->peer[i].acked < all)
			all = c->peer[i].acked;
	while ((d = ring_front(&c->log)) &&
		(d->time <= all || ring_count(&c->log) > CRDT_LOG_MAX ||
			c->log_end - end_before(c, c->log.first) > CRDT_LOG_BYTES_MAX))
		drop_first(c);
}

void crdt_log_add(struct crdt *c, const struct crdt_write *w)
{
	struct crdt_delta *d;

	assert(w->time > time_before(c, c->log.next));
	d = ring_push(&c->log);
	c->log_end += (uint64_t)w->key_len + w->len;
	*d = (struct crdt_delta){w->time, c->log_end, w->block, w->key_len, w->len};
	trim(c);
}

void crdt_log_forget(struct crdt *c, uint64_t time)
{
	while (ring_count(&c->log))
		drop_first(c);
	if (time > c->log_base)
		c->log_base = time;
}

void crdt_log_fini(struct crdt *c)
{
	while (ring_count(&c->log))
		drop_first(c);
	ring_fini(&c->log);
}

/* --- to the others --- */

static void send_numbers(
	struct crdt *c, unsigned to, enum crdt_message type, const uint64_t *number, unsigned n)
{
	struct proto_io *io = c->proto.io;
	struct buf b = {0};

	buf_u8(&b, (uint8_t)type);
	for (unsigned i = 0; i < n; i++)
		buf_u64(&b, number[i]);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

static bool window_open(const struct crdt *c, const struct crdt_peer *p)
{
	return end_before(c, p->next) - end_before(c, after(c, p->acked)) < CRDT_WINDOW_BYTES;
}

static void add_delta(struct buf *b, const struct crdt_delta *d)
{
	buf_bytes(b, d->block, d->key_len);
	buf_bytes(b, d->block + d->key_len, d->len);
}

/* One message of deltas from p->next on. */
static void send_deltas(struct crdt *c, unsigned to)
{
	struct crdt_peer *p = &c->peer[to];
	struct proto_io *io = c->proto.io;
	const struct crdt_delta *d;
	struct buf b = {0};
	uint16_t n = 0;

	buf_u8(&b, CRDT_DELTAS);
	buf_u64(&b, time_before(c, p->next));
	buf_u16(&b, 0);
	while ((d = ring_at(&c->log, p->next)) && n < CRDT_BATCH_MAX) {
		if (n && b.len + CRDT_DELTA_HEAD + d->key_len + d->len > CRDT_BATCH_BYTES)
			break;
		add_delta(&b, d);
		p->next++;
		n++;
	}
	b.p[CRDT_DELTAS_HEAD - 2] = (uint8_t)n;
	b.p[CRDT_DELTAS_HEAD - 1] = (uint8_t)(n >> 8);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

void crdt_ship(struct crdt *c, unsigned to)
{
	struct crdt_peer *p = &c->peer[to];

	if (p->next < c->log.first)
		p->next = c->log.first;
	/* Of what it can take nothing of, it is told nothing: it compares. */
	if (p->heard_ns && p->has < c->log_base)
		return;
	while (p->next < c->log.next && window_open(c, p))
		send_deltas(c, to);
}

void crdt_ship_start(struct crdt *c)
{
	for (unsigned i = 0; i < crdt_nodes(c); i++)
		c->peer[i].next = c->log.next;
}

bool crdt_alive(const struct crdt *c, unsigned i)
{
	uint64_t now = c->proto.io->now(c->proto.io);
	unsigned others = crdt_nodes(c) - 1;
	unsigned rounds = (others + CRDT_TOLD_MAX - 1) / CRDT_TOLD_MAX;
	uint64_t deaf_ns = CRDT_DEAF_HEARTBEATS * c->proto.cfg.heartbeat_ns * (rounds ? rounds : 1);

	return c->peer[i].heard_ns &&
	       now - c->peer[i].heard_ns <= deaf_ns + c->proto.cfg.request_timeout_ns;
}

void crdt_ship_tell(struct crdt *c)
{
	const uint64_t now = c->proto.io->now(c->proto.io);
	unsigned others = crdt_nodes(c) - 1;

	for (unsigned n = others < CRDT_TOLD_MAX ? others : CRDT_TOLD_MAX; n > 0; n--) {
		struct crdt_peer *p;
		uint64_t number[] = {now, c->log_base, c->peer[crdt_self(c)].durable};

		c->told = (c->told + 1) % crdt_nodes(c);
		if (c->told == crdt_self(c))
			c->told = (c->told + 1) % crdt_nodes(c);
		p = &c->peer[c->told];
		/* One question is open at a time, unless it seems to be lost. */
		if (!p->asked_ns || now - p->asked_ns > c->proto.cfg.request_timeout_ns) {
			p->asked_ns = now;
			p->asked_at = p->next;
		}
		send_numbers(c, c->told, CRDT_HAVE, number, 3);
	}
}

void crdt_ship_got(struct crdt *c)
{
	for (unsigned i = 0; i < crdt_nodes(c); i++) {
		if (!c->peer[i].owed)
			continue;
		c->peer[i].owed = false;
		send_numbers(c, i, CRDT_GOT, &c->peer[i].durable, 1);
	}
}

/* --- from the others --- */

static int on_have(struct crdt *c, unsigned from, struct cursor *cursor)
{
	uint64_t echo = cursor_u64(cursor);
	uint64_t base = cursor_u64(cursor);
	uint64_t last = cursor_u64(cursor);
	uint64_t number[] = {echo, c->peer[from].taken, c->peer[from].durable};

	if (!cursor_done(cursor) || base > last || last > CRDT_TIME_BELIEVED)
		return -EBADMSG;
	send_numbers(c, from, CRDT_HELD, number, 3);
	if (base > c->peer[from].taken)
		crdt_sync_begin(c, from);
	return 0;
}

static void acknowledged(struct crdt *c, unsigned from, uint64_t durable)
{
	struct crdt_peer *p = &c->peer[from];
	uint64_t last = c->peer[crdt_self(c)].durable;

	p->heard_ns = c->proto.io->now(c->proto.io);
	/* More than there is: this disk has lost what was there, or never had it. */
	hlc_seen(&c->hlc, durable);
	if (durable > last)
		durable = last;
	if (durable > p->acked)
		p->acked = durable;
	if (p->has < p->acked)
		p->has = p->acked;
	trim(c);
}

static int on_held(struct crdt *c, unsigned from, struct cursor *cursor)
{
	struct crdt_peer *p = &c->peer[from];
	uint64_t echo = cursor_u64(cursor);
	uint64_t taken = cursor_u64(cursor);
	uint64_t durable = cursor_u64(cursor);

	if (!cursor_done(cursor) || durable > taken || taken > CRDT_TIME_BELIEVED)
		return -EBADMSG;
	acknowledged(c, from, durable);
	p->has = taken;
	if (p->asked_ns && echo == p->asked_ns) {
		p->asked_ns = 0;
		/* All before asked_at was sent before the question, so it is lost. */
		if (after(c, taken) < p->asked_at)
			p->next = after(c, taken);
	}
	crdt_ship(c, from);
	return 0;
}

static int on_got(struct crdt *c, unsigned from, struct cursor *cursor)
{
	uint64_t durable = cursor_u64(cursor);

	if (!cursor_done(cursor) || durable > CRDT_TIME_BELIEVED)
		return -EBADMSG;
	acknowledged(c, from, durable);
	crdt_ship(c, from);
	return 0;
}

/* One delta of @from. Return: 0; -EBADMSG; -EFBIG: it must wait. */
static int take_one(struct crdt *c, unsigned from, struct cursor *cursor)
{
	struct crdt_write w = {.waits = CRDT_FOR_PEER, .from = from};
	struct proto_bytes key, bytes;
	struct crdt_state delta;

	if (crdt_pair(crdt_nodes(c), cursor, &key, &bytes, &delta))
		return -EBADMSG;
	w.time = delta.stamp.time;
	crdt_state_fini(&delta);
	if (w.time <= c->peer[from].taken)
		return 0;
	hlc_seen(&c->hlc, w.time);
	if (crdt_write(c, CRDT_RECORD_DELTA, key, bytes, &w)) {
		c->refused++;
		return -EFBIG;
	}
	c->peer[from].taken = w.time;
	return 0;
}

/* Deltas are in the order of their times, and all of @from. */
static int check_deltas(const struct crdt *c, unsigned from, uint64_t prev, struct cursor cursor)
{
	uint16_t n = cursor_u16(&cursor);

	if (cursor.bad || n == 0)
		return -EBADMSG;
	for (; n > 0; n--) {
		struct proto_bytes key, bytes;
		struct crdt_state delta;
		bool bad;

		if (crdt_pair(crdt_nodes(c), &cursor, &key, &bytes, &delta))
			return -EBADMSG;
		bad = delta.stamp.node != from || delta.stamp.time <= prev ||
		      delta.stamp.time > CRDT_TIME_BELIEVED;
		prev = delta.stamp.time;
		crdt_state_fini(&delta);
		if (bad)
			return -EBADMSG;
	}
	return cursor_done(&cursor) ? 0 : -EBADMSG;
}

static int on_deltas(struct crdt *c, unsigned from, struct cursor *cursor)
{
	struct crdt_peer *p = &c->peer[from];
	uint64_t prev = cursor_u64(cursor);
	uint64_t before = p->taken;

	if (check_deltas(c, from, prev, *cursor))
		return -EBADMSG;
	if (prev > p->taken)
		return 0;
	for (uint16_t n = cursor_u16(cursor); n > 0; n--)
		if (take_one(c, from, cursor))
			break;
	if (p->taken == before)
		send_numbers(c, from, CRDT_GOT, &p->durable, 1);
	return 0;
}

int crdt_ship_message(struct crdt *c, unsigned from, enum crdt_message type, struct cursor *cursor)
{
	if (type == CRDT_HAVE)
		return on_have(c, from, cursor);
	if (type == CRDT_HELD)
		return on_held(c, from, cursor);
	if (type == CRDT_DELTAS)
		return on_deltas(c, from, cursor);
	return on_got(c, from, cursor);
}
