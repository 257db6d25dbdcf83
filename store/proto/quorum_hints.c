/* SPDX-License-Identifier: MIT */
/*
 * quorum_hints.c - hinted handoff: keys that another replica lacks, noted on disk until it has them
 *
 * A note names the key, not the write: what is sent is what the key has become, so a hint brings
 * nothing back that was deleted since. The notes for a replica are a table of keys; its walk is
 * started anew with each heartbeat on which nothing is under way, so a message lost is sent again.
 *
 * Limits, as Cassandra has them: keys and their bytes, for one replica and for all, and no more
 * notes for one that was not heard for cfg.hint_ns_max (max_hint_window). What a limit refuses is
 * counted; anti-entropy repairs it, or a read.
 */
#include <assert.h>
#include <errno.h>

#include "store/proto/quorum_internal.h"

#define HINT_ANY 1 /* version of a note that was restored: what the key is now */

bool quorum_hinted(const struct quorum *q, unsigned to, struct proto_bytes key)
{
	const struct quorum_peer *peer = &q->peer[to];

	return peer->hints && table_get(peer->hints, key);
}

static void mark_hint(struct quorum *q, unsigned to, struct proto_bytes key, bool on)
{
	struct quorum_peer *peer = &q->peer[to];
	struct table_entry mark = {.key = key, .version = HINT_ANY};
	uint32_t len = key.len;

	if (quorum_hinted(q, to, key) == on)
		return;
	if (!peer->hints)
		peer->hints = table_open();
	if (on) {
		table_put(peer->hints, &mark);
		peer->hint_bytes += len;
		q->hint_bytes += len;
		q->hints++;
	} else {
		table_remove(peer->hints, key);
		peer->hint_bytes -= len;
		q->hint_bytes -= len;
		q->hints--;
	}
}

void quorum_hint_encode(struct buf *b, unsigned to, struct proto_bytes key, bool on)
{
	buf_u8(b, on ? QUORUM_RECORD_HINT : QUORUM_RECORD_HINT_DONE);
	buf_u16(b, (uint16_t)to);
	buf_bytes(b, key.p, key.len);
}

static void record_hint(struct quorum *q, unsigned to, struct proto_bytes key, bool on)
{
	struct buf b = {0};

	quorum_hint_encode(&b, to, key, on);
	mark_hint(q, to, key, on); /* @key may be the note's own bytes */
	quorum_persist(q, &b, &(struct quorum_write){0});
	buf_fini(&b);
}

static bool full(const struct quorum *q, unsigned to, uint32_t len)
{
	const struct quorum_peer *peer = &q->peer[to];

	return (peer->hints && table_count(peer->hints) >= QUORUM_HINTS_MAX) ||
	       peer->hint_bytes + len > QUORUM_HINT_BYTES_MAX || q->hints >= QUORUM_HINTS_ALL_MAX ||
	       q->hint_bytes + len > QUORUM_HINT_BYTES_ALL_MAX;
}

static bool gone_too_long(const struct quorum *q, unsigned to)
{
	uint64_t max = q->proto.cfg.hint_ns_max;

	return max && q->proto.io->now(q->proto.io) - q->peer[to].heard_ns > max;
}

bool quorum_hint_add(struct quorum *q, unsigned to, struct proto_bytes key)
{
	if (quorum_hinted(q, to, key))
		return true;
	if (full(q, to, key.len) || gone_too_long(q, to)) {
		q->hints_refused++;
		return false;
	}
	record_hint(q, to, key, true);
	return true;
}

/* The note must outlive an answer for what the key was before: it knows the version. */
void quorum_hint_write(struct quorum *q, unsigned to, const struct table_entry *e)
{
	struct table_entry mark = {.key = e->key, .version = e->version};

	if (quorum_hint_add(q, to, e->key) &&
		table_get(q->peer[to].hints, e->key)->version < e->version)
		table_put(q->peer[to].hints, &mark);
}

void quorum_hint_forget(struct quorum *q, unsigned to, const struct table_entry *e)
{
	if (quorum_hinted(q, to, e->key) && !table_get(q->proto.table, e->key) &&
		table_get(q->peer[to].hints, e->key)->version <= e->version)
		record_hint(q, to, e->key, false);
}

/* What one step of the walk over notes found. */
struct walk {
	struct quorum *q;
	unsigned to;
	bool lost; /* a note for a key that is not here */
	uint8_t key[PROTO_KEY_MAX];
	uint32_t len;
};

static void walk_note(void *arg, const struct table_entry *note)
{
	struct walk *w = arg;
	struct quorum_peer *peer = &w->q->peer[w->to];
	const struct table_entry *now = table_get(w->q->proto.table, note->key);

	if (!now) {
		w->lost = note->version == HINT_ANY;
		w->len = note->key.len;
		if (w->len)
			memcpy(w->key, note->key.p, w->len);
		return;
	}
	quorum_send_entry(w->q, w->to, QUORUM_HINT, now->version, now);
	peer->sent++;
	peer->sent_bytes += (uint64_t)now->key.len + now->value.len;
}

/* Send hints on, as many as the window lets. */
static void pump_hints(struct quorum *q, unsigned to)
{
	struct quorum_peer *peer = &q->peer[to];

	while (peer->walking && peer->sent < QUORUM_HINTS_WINDOW &&
		peer->sent_bytes < QUORUM_HINT_BYTES_WINDOW) {
		struct walk w = {.q = q, .to = to};

		peer->cursor = table_scan(peer->hints, peer->cursor, walk_note, &w);
		peer->walking = peer->cursor != 0;
		/* Its write never reached this disk, or all have forgotten that it was deleted. */
		if (w.lost)
			record_hint(q, to, (struct proto_bytes){w.key, w.len}, false);
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
	if (!peer->hints || table_count(peer->hints) == 0)
		return;
	if (peer->sent && now - peer->progress_ns < q->proto.cfg.request_timeout_ns)
		return;
	peer->sent = 0;
	peer->sent_bytes = 0;
	peer->cursor = 0;
	peer->walking = true;
	peer->progress_ns = now;
	pump_hints(q, to);
}

static int decode(struct cursor *c, unsigned nodes, uint16_t *ret_to, struct proto_bytes *ret_key)
{
	*ret_to = cursor_u16(c);
	ret_key->p = cursor_bytes(c, &ret_key->len);
	return !cursor_done(c) || *ret_to >= nodes || ret_key->len > PROTO_KEY_MAX ? -EBADMSG : 0;
}

int quorum_hint_describe(struct cursor *c, bool on, struct buf *out)
{
	struct proto_bytes key;
	uint16_t to;

	if (decode(c, PROTO_NODES_MAX, &to, &key))
		return -EBADMSG;
	buf_printf(out, "hint for replica %u%s: ", to, on ? "" : ", done");
	command_describe_key(out, key);
	return 0;
}

int quorum_hint_restore(struct quorum *q, struct cursor *c, bool on)
{
	struct proto_bytes key;
	uint16_t to;

	if (decode(c, quorum_nodes(q), &to, &key) || to == q->proto.cfg.self)
		return -EBADMSG;
	mark_hint(q, to, key, on);
	return 0;
}

void quorum_hint_done(struct quorum *q, unsigned from, uint64_t version, struct proto_bytes key)
{
	const struct table_entry *e = table_get(q->proto.table, key);
	struct quorum_peer *peer = &q->peer[from];

	peer->progress_ns = q->proto.io->now(q->proto.io);
	if (peer->sent && --peer->sent == 0)
		peer->sent_bytes = 0;
	/* Done, unless the key has become something newer since, which it may lack as well. */
	if (quorum_hinted(q, from, key) &&
		(PROTO_BUG(BUG_QUORUM_HINT_DONE_EARLY) ||
			((!e || e->version <= version) &&
				table_get(peer->hints, key)->version <= version)))
		record_hint(q, from, key, false);
	pump_hints(q, from);
}
