/* SPDX-License-Identifier: MIT */
/* quorum_entry.c - entries of a leaderless replica: into its log, its table and to others */
#include "store/proto/mix.h"
#include "store/proto/quorum_internal.h"

uint64_t quorum_digest(const struct table_entry *e)
{
	uint64_t h = mix(e->version, (uint64_t)e->origin << 1 | e->deleted);

	if (PROTO_BUG(BUG_QUORUM_DIGEST_WITHOUT_DELETIONS) && e->deleted)
		return 0;
	h = mix_bytes(mix(h, e->expires_ns), e->key);
	return mix_bytes(h, e->value);
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

	w->key = entry_copy(&w->entry, e);
	if (PROTO_BUG(BUG_QUORUM_READS_BEFORE_DURABLE))
		quorum_merge(q, e);
	buf_u8(&b, QUORUM_RECORD_ENTRY);
	entry_encode(&b, e);
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

	if (entry_newer(e, old)) {
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
	entry_encode(&b, e);
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
