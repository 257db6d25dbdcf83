/* SPDX-License-Identifier: MIT */
/*
 * causal_write.c - writes of a causal replica: as bytes, too early, on their way to the disk
 *
 *   early --all that it depends on is taken--> taken --on disk--> visible
 *
 * Taking and becoming visible happen in one order, that of the log, so at every moment what is
 * visible, and what a crash would leave, has all that it depends on.
 *
 * A write names the counts that have grown since the write before it of the same origin: those that
 * it named have been waited for already ("nearest" dependencies; COPS, section 4.3).
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/causal_internal.h"

static uint64_t count_at(const uint8_t *pair)
{
	struct cursor c = cursor_over(pair + 1, 8);

	return cursor_u64(&c);
}

#define PAIR_SIZE 9u

int causal_decode(unsigned nodes, struct proto_bytes bytes, struct causal_write *ret)
{
	struct cursor c = cursor_over(bytes.p, bytes.len);
	int last = -1;

	ret->bytes = bytes;
	ret->seq = cursor_u64(&c);
	ret->pairs = cursor_u8(&c);
	ret->pair = cursor_take(&c, (size_t)ret->pairs * PAIR_SIZE);
	if (c.bad || entry_decode(nodes, &c, &ret->entry))
		return -EBADMSG;
	if (!ret->seq || ret->seq > CAUSAL_COUNT_MAX || !ret->entry.version)
		return -EBADMSG;
	for (unsigned i = 0; i < ret->pairs; i++) {
		const uint8_t *pair = ret->pair + (size_t)i * PAIR_SIZE;

		if (*pair <= last || *pair >= nodes || *pair == ret->entry.origin ||
			!count_at(pair) || count_at(pair) > CAUSAL_COUNT_MAX)
			return -EBADMSG;
		last = *pair;
	}
	return 0;
}

uint64_t causal_persist(struct causal *c, enum causal_record kind, struct proto_bytes rest)
{
	struct buf b = {0};

	buf_u8(&b, (uint8_t)kind);
	buf_add(&b, rest.p, rest.len);
	c->record = c->proto.io->persist(c->proto.io, b.p, b.len);
	buf_fini(&b);
	return c->record;
}

/* Last writer wins: one order of all writes that extends causal order, the same everywhere. */
bool causal_newer(const struct table_entry *a, const struct table_entry *b)
{
	if (!b)
		return true;
	if (a->version != b->version || PROTO_BUG(BUG_CAUSAL_TIE_LOST))
		return a->version > b->version;
	return a->origin > b->origin;
}

void causal_merge(struct table *t, const struct table_entry *e)
{
	if (causal_newer(e, table_get(t, e->key)))
		table_put(t, e);
}

/* --- the log --- */

struct causal_entry *causal_log_add(struct causal *c, const struct causal_write *w)
{
	struct causal_entry *e = ring_push(&c->log);

	*e = (struct causal_entry){
		.seq = w->seq,
		.bytes = malloc(w->bytes.len),
		.len = w->bytes.len,
		.origin = w->entry.origin,
	};
	assert(e->bytes);
	memcpy(e->bytes, w->bytes.p, w->bytes.len);
	c->log_bytes += e->len + CAUSAL_WRITE_OVERHEAD;
	return e;
}

static void pop(struct causal *c)
{
	struct causal_entry *e = ring_front(&c->log);

	if (e->seq > c->cut.at[e->origin])
		c->cut.at[e->origin] = e->seq;
	c->log_bytes -= e->len + CAUSAL_WRITE_OVERHEAD;
	free(e->bytes);
	ring_pop(&c->log);
}

static bool all_have(const struct causal *c, const struct causal_entry *e)
{
	for (unsigned i = 0; i < causal_nodes(c); i++)
		if (i != c->proto.cfg.self && vclock_at(&c->peer[i].told, e->origin) < e->seq)
			return false;
	return true;
}

void causal_log_trim(struct causal *c)
{
	size_t keep = c->proto.cfg.log_keep_kib ? (size_t)c->proto.cfg.log_keep_kib << 10
						: CAUSAL_LOG_BYTES_MAX;

	while (c->log.first < c->visible &&
		(c->log_bytes - c->disk_bytes > keep || all_have(c, ring_front(&c->log))))
		pop(c);
}

void causal_write_fini(struct causal *c)
{
	while (ring_count(&c->log) > 0)
		pop(c);
	ring_fini(&c->log);
	for (unsigned i = 0; c->peer && i < causal_nodes(c); i++) {
		struct list *at, *next;

		list_for_each(at, next, &c->peer[i].early)
			free(list_entry(at, struct causal_early, link));
	}
}

/* --- taking --- */

static void take(struct causal *c, const struct causal_write *w, uint64_t request)
{
	struct causal_entry *e = causal_log_add(c, w);

	e->request = request;
	c->disk_bytes += e->len + CAUSAL_WRITE_OVERHEAD;
	c->taken.at[w->entry.origin] = w->seq;
	/* Whatever is written here from now on comes later in the one order of writes. */
	if (!PROTO_BUG(BUG_CAUSAL_CLOCK_SEES_NOTHING))
		hlc_seen(&c->clock, w->entry.version);
	e->record = causal_persist(c, CAUSAL_RECORD_WRITE, w->bytes);
}

/* Counts that have grown since the last own write: what clients here may have read meanwhile. */
static void encode_pairs(struct causal *c, struct buf *b)
{
	unsigned self = c->proto.cfg.self;
	unsigned pairs = 0;

	for (unsigned i = 0; i < causal_nodes(c); i++)
		pairs += i != self && c->have.at[i] > c->told.at[i];
	buf_u8(b, (uint8_t)pairs);
	for (unsigned i = 0; i < causal_nodes(c); i++) {
		if (i == self || c->have.at[i] <= c->told.at[i])
			continue;
		buf_u8(b, (uint8_t)i);
		buf_u64(b, c->have.at[i]);
		c->told.at[i] = c->have.at[i];
	}
}

void causal_make(struct causal *c, const struct table_entry *e, uint64_t request)
{
	unsigned self = c->proto.cfg.self;
	struct causal_write w = {.seq = c->taken.at[self] + 1, .entry = *e};
	struct buf b = {0};

	buf_u64(&b, w.seq);
	encode_pairs(c, &b);
	entry_encode(&b, e);
	w.bytes = (struct proto_bytes){b.p, (uint32_t)b.len};
	take(c, &w, request);
	if (PROTO_BUG(BUG_CAUSAL_SENDS_BEFORE_DURABLE))
		causal_announce(c, c->log.next - 1, c->log.next);
	buf_fini(&b);
}

static bool depends_on_what_is_taken(const struct causal *c, const struct causal_write *w)
{
	for (unsigned i = 0; i < w->pairs && !PROTO_BUG(BUG_CAUSAL_WAITS_FOR_NOTHING); i++) {
		const uint8_t *pair = w->pair + (size_t)i * PAIR_SIZE;

		if (c->taken.at[*pair] < count_at(pair))
			return false;
	}
	return true;
}

static bool ready(struct causal *c, const struct causal_write *w)
{
	if (w->seq != c->taken.at[w->entry.origin] + 1 || !depends_on_what_is_taken(c, w))
		return false;
	if (w->entry.version > c->proto.io->wall(c->proto.io) + CAUSAL_AHEAD_NS_MAX) {
		c->ahead++;
		return false;
	}
	return c->disk_bytes < CAUSAL_DISK_BYTES_MAX;
}

static void early_drop(struct causal *c, struct causal_peer *peer, struct causal_early *e)
{
	list_del(&e->link);
	peer->early_count--;
	c->early_bytes -= e->len + CAUSAL_WRITE_OVERHEAD;
	free(e);
}

static void early_add(struct causal *c, const struct causal_write *w)
{
	struct causal_peer *peer = &c->peer[w->entry.origin];
	struct list *after = peer->early.prev;
	struct causal_early *e;

	/* The last one is the usual place. */
	while (after != &peer->early && list_entry(after, struct causal_early, link)->seq > w->seq)
		after = after->prev;
	if (after != &peer->early && list_entry(after, struct causal_early, link)->seq == w->seq)
		return;
	if (peer->early_count >= CAUSAL_EARLY_MAX || c->early_bytes > CAUSAL_EARLY_BYTES_MAX)
		return;
	e = malloc(sizeof(*e) + w->bytes.len);
	assert(e);
	e->seq = w->seq;
	e->len = w->bytes.len;
	memcpy(e->bytes, w->bytes.p, w->bytes.len);
	list_push(after->next, &e->link); /* in front of the one behind @after */
	peer->early_count++;
	c->early_bytes += e->len + CAUSAL_WRITE_OVERHEAD;
}

/* The first of @origin's that is early, those that are not any more aside; or NULL. */
static struct causal_early *first_early(struct causal *c, unsigned origin)
{
	struct causal_peer *peer = &c->peer[origin];
	struct list *at, *next;

	list_for_each(at, next, &peer->early)
	{
		struct causal_early *e = list_entry(at, struct causal_early, link);

		if (e->seq > c->taken.at[origin])
			return e;
		early_drop(c, peer, e);
	}
	return NULL;
}

/* Return: whether the first of @origin's was taken. */
static bool drain_one(struct causal *c, unsigned origin)
{
	struct causal_early *e = first_early(c, origin);
	struct causal_write w;
	int bad;

	if (!e)
		return false;
	bad = causal_decode(causal_nodes(c), (struct proto_bytes){e->bytes, e->len}, &w);
	assert(!bad); /* it was decoded when it came */
	if (!ready(c, &w))
		return false;
	take(c, &w, 0);
	early_drop(c, &c->peer[origin], e);
	return true;
}

void causal_drain(struct causal *c)
{
	bool more = c->early_bytes > 0;

	while (more) {
		more = false;
		for (unsigned i = 0; i < causal_nodes(c); i++)
			while (drain_one(c, i))
				more = true;
	}
}

void causal_take(struct causal *c, const struct causal_write *w)
{
	if (w->seq <= c->taken.at[w->entry.origin])
		return;
	if (!ready(c, w)) {
		early_add(c, w);
		return;
	}
	take(c, w, 0);
	causal_drain(c);
}

/* --- becoming visible --- */

/* Return: its place in the order of all writes. */
static uint64_t show(struct causal *c, const struct causal_entry *e)
{
	struct causal_write w;
	int bad = causal_decode(causal_nodes(c), (struct proto_bytes){e->bytes, e->len}, &w);

	assert(!bad); /* it was decoded or encoded here before */
	causal_merge(c->proto.table, &w.entry);
	/* A copy may have brought more meanwhile. */
	if (e->seq > c->have.at[e->origin])
		c->have.at[e->origin] = e->seq;
	c->disk_bytes -= e->len + CAUSAL_WRITE_OVERHEAD;
	c->visible++;
	return w.entry.version;
}

void causal_show(struct causal *c, uint64_t record)
{
	uint64_t first = c->visible;
	const struct causal_entry *e;

	while ((e = ring_at(&c->log, c->visible)) && e->record <= record) {
		uint64_t version = show(c, e);

		if (e->request)
			causal_request_done(c, e->request, version);
	}
	if (c->visible == first)
		return;
	causal_announce(c, first, c->visible);
	causal_log_trim(c);
}
