/* SPDX-License-Identifier: MIT */
/* quorum_entry.c - entries of a leaderless replica: as bytes, in memory, by age */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/quorum_internal.h"

enum { FLAG_DELETED = 1, FLAG_EXPIRES = 2 };

void quorum_entry_encode(struct buf *b, const struct table_entry *e)
{
	buf_u64(b, e->version);
	buf_u16(b, e->origin);
	buf_u8(b, (uint8_t)((e->deleted ? FLAG_DELETED : 0) | (e->expires_ns ? FLAG_EXPIRES : 0)));
	if (e->expires_ns)
		buf_u64(b, e->expires_ns);
	buf_bytes(b, e->key.p, e->key.len);
	buf_bytes(b, e->value.p, e->value.len);
}

/* The rest of @c; version 0 means that there is nothing, and only a QUORUM_FOUND says so. */
int quorum_entry_decode(unsigned nodes, struct cursor *c, struct table_entry *ret)
{
	uint8_t flags;

	memset(ret, 0, sizeof(*ret));
	ret->version = cursor_u64(c);
	ret->origin = cursor_u16(c);
	flags = cursor_u8(c);
	ret->expires_ns = flags & FLAG_EXPIRES ? cursor_u64(c) : 0;
	ret->key.p = cursor_bytes(c, &ret->key.len);
	ret->value.p = cursor_bytes(c, &ret->value.len);
	ret->deleted = flags & FLAG_DELETED;
	if (!cursor_done(c) || flags > FLAG_EXPIRES || ret->key.len > PROTO_KEY_MAX ||
		ret->value.len > PROTO_VALUE_MAX || ret->origin >= nodes ||
		ret->version > QUORUM_VERSION_MAX || (ret->deleted && ret->value.len) ||
		(flags == FLAG_EXPIRES && !ret->expires_ns) ||
		(!ret->version && (flags || ret->value.len)))
		return -EBADMSG;
	return 0;
}

/* A copy that owns its bytes: one block, to be freed by its key. */
uint8_t *quorum_entry_copy(struct table_entry *to, const struct table_entry *from)
{
	size_t len = (size_t)from->key.len + from->value.len;
	uint8_t *block = malloc(len + 1);

	assert(block);
	*to = *from;
	if (from->key.len)
		memcpy(block, from->key.p, from->key.len);
	if (from->value.len)
		memcpy(block + from->key.len, from->value.p, from->value.len);
	to->key.p = block;
	to->value.p = block + from->key.len;
	return block;
}

/* One coordinator gave the same version twice: by its content, as Cassandra does. */
static bool newer_by_content(const struct table_entry *a, const struct table_entry *b)
{
	uint32_t len = a->value.len < b->value.len ? a->value.len : b->value.len;
	int order = len ? memcmp(a->value.p, b->value.p, len) : 0;

	if (a->deleted != b->deleted)
		return a->deleted;
	if (a->expires_ns != b->expires_ns)
		return a->expires_ns > b->expires_ns;
	return order > 0 || (order == 0 && a->value.len > b->value.len);
}

/*
 * Order of the versions of a key; NULL is older than everything. Versions of one coordinator differ
 * unless it crashed before one was on its disk and its clock went back: then content decides, so
 * that all agree nevertheless.
 */
bool quorum_newer(const struct table_entry *a, const struct table_entry *b)
{
	if (!b || !a)
		return a && a->version;
	if (a->version != b->version || PROTO_BUG(BUG_QUORUM_TIE_LOST))
		return a->version > b->version;
	if (a->origin != b->origin)
		return a->origin > b->origin;
	return newer_by_content(a, b);
}

/* The folded multiplication of wyhash (Wang Yi, 2019). */
static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product =
		(unsigned __int128)(a ^ 0xa0761d6478bd642full) * (b ^ 0xe7037ed1a0b428dbull);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t mix_bytes(uint64_t h, struct proto_bytes b)
{
	uint64_t word;
	uint32_t i = 0;

	h = mix(h, b.len);
	for (; b.len - i >= 8; i += 8) {
		memcpy(&word, b.p + i, 8);
		h = mix(h, word);
	}
	word = 0;
	if (i < b.len)
		memcpy(&word, b.p + i, b.len - i);
	return mix(h, word);
}

uint64_t quorum_digest(const struct table_entry *e)
{
	uint64_t h = mix(e->version, (uint64_t)e->origin << 1 | e->deleted);

	if (PROTO_BUG(BUG_QUORUM_DIGEST_WITHOUT_DELETIONS) && e->deleted)
		return 0;
	return mix_bytes(mix_bytes(mix(h, e->expires_ns), e->key), e->value);
}

bool quorum_gone(const struct table_entry *e, uint64_t wall_ns)
{
	return !e || !e->version || e->deleted || (e->expires_ns && e->expires_ns <= wall_ns);
}

void quorum_persist(struct quorum *q, const struct buf *b, const struct quorum_write *write)
{
	struct proto_io *io = q->proto.io;
	struct quorum_write *w = ring_push(&q->writes);

	*w = *write;
	w->seq = io->persist(io, b->p, b->len);
}

static void store(struct quorum *q, const struct table_entry *e, struct quorum_write *w)
{
	struct buf b = {0};

	w->key = quorum_entry_copy(&w->entry, e);
	if (PROTO_BUG(BUG_QUORUM_READS_BEFORE_DURABLE))
		quorum_merge(q, e);
	buf_u8(&b, QUORUM_RECORD_ENTRY);
	quorum_entry_encode(&b, e);
	quorum_persist(q, &b, w);
	buf_fini(&b);
}

void quorum_store(struct quorum *q, const struct table_entry *e, unsigned from,
	enum quorum_message reply, uint64_t id)
{
	store(q, e, &(struct quorum_write){.id = id, .from = from, .reply = reply});
}

void quorum_store_for(
	struct quorum *q, const struct table_entry *e, unsigned from, uint64_t id, unsigned whom)
{
	struct quorum_write w = {
		.id = id, .from = from, .reply = QUORUM_STOOD_IN, .stands_for = whom};

	store(q, e, &w);
}

void quorum_merge(struct quorum *q, const struct table_entry *e)
{
	const struct table_entry *old = table_get(q->proto.table, e->key);
	uint64_t place = q->tree ? table_place(e->key) : 0;

	if (quorum_newer(e, old)) {
		if (q->tree && old)
			merkle_take(q->tree, place, quorum_digest(old));
		if (q->tree)
			merkle_add(q->tree, place, quorum_digest(e));
		table_put(q->proto.table, e);
		if (PROTO_BUG(BUG_QUORUM_KEEPS_NO_TOMBSTONE) && e->deleted)
			table_remove(q->proto.table, e->key);
	}
	/* The own clock stays ahead of all that it ever gave out. */
	if (e->origin == q->proto.cfg.self && e->version > q->clock)
		q->clock = e->version;
}

void quorum_send_entry(struct quorum *q, unsigned to, enum quorum_message type, uint64_t id,
	const struct table_entry *e)
{
	struct proto_io *io = q->proto.io;
	struct buf b = {0};

	buf_u8(&b, (uint8_t)type);
	buf_u64(&b, id);
	buf_u64(&b, q->peer[to].stamp);
	quorum_entry_encode(&b, e);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

void quorum_send_id(struct quorum *q, unsigned to, enum quorum_message type, uint64_t id)
{
	struct proto_io *io = q->proto.io;
	struct buf b = {0};

	buf_u8(&b, (uint8_t)type);
	buf_u64(&b, id);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}
