/* SPDX-License-Identifier: MIT */
/* quorum_entry.c - entries of a leaderless replica: as bytes, in memory, by age */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/quorum_internal.h"

void quorum_entry_encode(struct buf *b, const struct table_entry *e)
{
	buf_u64(b, e->version);
	buf_u16(b, e->origin);
	buf_u8(b, e->deleted);
	buf_bytes(b, e->key.p, e->key.len);
	buf_bytes(b, e->value.p, e->value.len);
}

/* The rest of @c; version 0 means that there is nothing, and only a QUORUM_FOUND says so. */
int quorum_entry_decode(unsigned nodes, struct cursor *c, struct table_entry *ret)
{
	uint8_t deleted;

	memset(ret, 0, sizeof(*ret));
	ret->version = cursor_u64(c);
	ret->origin = cursor_u16(c);
	deleted = cursor_u8(c);
	ret->key.p = cursor_bytes(c, &ret->key.len);
	ret->value.p = cursor_bytes(c, &ret->value.len);
	ret->deleted = deleted;
	if (!cursor_done(c) || deleted > 1 || ret->key.len > PROTO_KEY_MAX ||
		ret->value.len > PROTO_VALUE_MAX || ret->origin >= nodes ||
		ret->version > QUORUM_VERSION_MAX || (deleted && ret->value.len) ||
		(!ret->version && (deleted || ret->value.len)))
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

/* Order of the versions of a key; NULL is older than everything. */
bool quorum_newer(const struct table_entry *a, const struct table_entry *b)
{
	if (!b || !a)
		return a && a->version;
	return a->version > b->version || (a->version == b->version && a->origin > b->origin);
}

void quorum_persist(struct quorum *q, const struct buf *b, const struct quorum_write *write)
{
	struct proto_io *io = q->proto.io;
	struct quorum_write *w = ring_push(&q->writes);

	*w = *write;
	w->seq = io->persist(io, b->p, b->len);
}

void quorum_send_entry(struct quorum *q, unsigned to, enum quorum_message type, uint64_t id,
	const struct table_entry *e)
{
	struct proto_io *io = q->proto.io;
	struct buf b = {0};

	buf_u8(&b, (uint8_t)type);
	buf_u64(&b, id);
	quorum_entry_encode(&b, e);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

bool quorum_alive(const struct quorum *q, unsigned i)
{
	uint64_t now = q->proto.io->now(q->proto.io);

	return i == q->proto.cfg.self ||
	       now - q->peer[i].heard_ns <= QUORUM_DEAF_HEARTBEATS * q->proto.cfg.heartbeat_ns;
}
