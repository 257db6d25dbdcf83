/* SPDX-License-Identifier: MIT */
/*
 * quorum_hints.c - hinted handoff: keys that another replica lacks, noted on disk until it has them
 *
 * A note names the key, not the write: what is sent is what the key has become. The notes for a
 * replica are a table of keys; its walk is started anew with each heartbeat on which nothing is
 * under way, so a message lost is sent again.
 */
#include <errno.h>

#include "store/proto/quorum_internal.h"

static bool hinted(const struct quorum *q, unsigned to, struct proto_bytes key)
{
	const struct table_entry *e = table_get(q->peer[to].hints, key);

	return e && !e->deleted;
}

static void mark_hint(struct quorum *q, unsigned to, struct proto_bytes key, bool on)
{
	struct table_entry mark = {.key = key, .version = 1, .deleted = !on};

	if (hinted(q, to, key) != on)
		table_put(q->peer[to].hints, &mark);
}

static void record_hint(struct quorum *q, unsigned to, struct proto_bytes key, bool on)
{
	struct buf b = {0};

	mark_hint(q, to, key, on);
	buf_u8(&b, on ? QUORUM_RECORD_HINT : QUORUM_RECORD_HINT_DONE);
	buf_u16(&b, (uint16_t)to);
	buf_bytes(&b, key.p, key.len);
	quorum_persist(q, &b, &(struct quorum_write){0});
	buf_fini(&b);
}

void quorum_hint_add(struct quorum *q, unsigned to, struct proto_bytes key)
{
	if (!hinted(q, to, key) && table_count(q->peer[to].hints) < QUORUM_HINTS_MAX)
		record_hint(q, to, key, true);
}

/* Send hints on, as many as the window lets. */
static void pump_hints(struct quorum *q, unsigned to)
{
	struct quorum_peer *peer = &q->peer[to];
	const struct table_entry *e, *now;

	while (peer->sent < QUORUM_HINTS_WINDOW && (e = table_next(peer->hints, &peer->at))) {
		if (e->deleted)
			continue;
		now = table_get(q->proto.table, e->key);
		/* Its write never reached this disk: a crash took it back. */
		if (!now)
			continue;
		quorum_send_entry(q, to, QUORUM_HINT, now->version, now);
		peer->sent++;
	}
}

/* Begin the walk over a replica's hints anew, unless one is under way. */
void quorum_hint_tick(struct quorum *q, unsigned to)
{
	struct quorum_peer *peer = &q->peer[to];
	uint64_t now = q->proto.io->now(q->proto.io);

	if (!peer->heard || !quorum_alive(q, to)) {
		peer->sent = 0; /* what was under way did not arrive */
		return;
	}
	if (table_count(peer->hints) == 0)
		return;
	if (peer->sent && now - peer->progress_ns < q->proto.cfg.request_timeout_ns)
		return;
	peer->sent = 0;
	peer->at = 0;
	peer->progress_ns = now;
	pump_hints(q, to);
}

int quorum_hint_describe(struct cursor *c, bool on, struct buf *out)
{
	struct proto_bytes key;
	uint16_t to = cursor_u16(c);

	key.p = cursor_bytes(c, &key.len);
	if (!cursor_done(c) || to >= PROTO_NODES_MAX || key.len > PROTO_KEY_MAX)
		return -EBADMSG;
	buf_printf(out, "hint for replica %u%s: ", to, on ? "" : ", done");
	command_describe_key(out, key);
	return 0;
}

int quorum_hint_restore(struct quorum *q, struct cursor *c, bool on)
{
	struct proto_bytes key;
	uint16_t to = cursor_u16(c);

	key.p = cursor_bytes(c, &key.len);
	if (!cursor_done(c) || to >= quorum_nodes(q) || to == q->proto.cfg.self ||
		key.len > PROTO_KEY_MAX)
		return -EBADMSG;
	mark_hint(q, to, key, on);
	return 0;
}

void quorum_hint_done(struct quorum *q, unsigned from, uint64_t version, struct proto_bytes key)
{
	const struct table_entry *e = table_get(q->proto.table, key);
	struct quorum_peer *peer = &q->peer[from];

	peer->progress_ns = q->proto.io->now(q->proto.io);
	if (peer->sent)
		peer->sent--;
	/* Done, unless the key has become something newer since, which it may lack as well. */
	if (e && e->version <= version && hinted(q, from, key))
		record_hint(q, from, key, false);
	pump_hints(q, from);
}
