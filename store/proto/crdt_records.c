/* SPDX-License-Identifier: MIT */
/*
 * crdt_records.c - the log of a replica of crdt, and its snapshot
 *
 * Deltas and states may be restored in any order and any number of times: they are joined. What
 * had been given to the disk but was not there yet when a snapshot began is not in the table, and
 * its record may be forgotten with the others: so it is in the snapshot. Own deltas that are behind
 * a snapshot are kept for the others again; who lacks older ones compares.
 */
#include <errno.h>

#include "store/proto/command.h"
#include "store/proto/crdt_internal.h"
#include "store/proto/walk.h"

enum stage { STAGE_BEGIN, STAGE_PENDING, STAGE_TABLE, STAGE_END };

void crdt_record(
	struct buf *b, enum crdt_record kind, struct proto_bytes key, struct proto_bytes delta)
{
	buf_u8(b, (uint8_t)kind);
	buf_bytes(b, key.p, key.len);
	buf_bytes(b, delta.p, delta.len);
}

void crdt_record_seen(struct buf *b, const struct crdt *c)
{
	buf_u8(b, CRDT_RECORD_SEEN);
	buf_u16(b, (uint16_t)crdt_nodes(c));
	for (unsigned i = 0; i < crdt_nodes(c); i++)
		buf_u64(b, c->peer[i].taken);
}

int crdt_pair(unsigned nodes, struct cursor *cursor, struct proto_bytes *ret_key,
	struct proto_bytes *ret_bytes, struct crdt_state *ret)
{
	ret_key->p = cursor_bytes(cursor, &ret_key->len);
	ret_bytes->p = cursor_bytes(cursor, &ret_bytes->len);
	if (cursor->bad || ret_key->len > PROTO_KEY_MAX)
		return -EBADMSG;
	return crdt_decode(nodes, *ret_bytes, ret);
}

/* --- restoring --- */

/* Return: 0, -EBADMSG: it would be too large, which no record that was written is. */
static int merge(struct crdt *c, struct proto_bytes key, const struct crdt_state *s)
{
	struct crdt_state old, joined;
	struct buf b = {0};
	bool fits;

	crdt_load_durable(c, key, &old);
	crdt_join(&old, s, &joined);
	fits = crdt_encoded(&joined) <= CRDT_STATE_MAX;
	if (fits)
		crdt_encode(&b, &joined);
	crdt_state_fini(&old);
	crdt_state_fini(&joined);
	if (fits)
		crdt_store(c, key, (struct proto_bytes){b.p, (uint32_t)b.len});
	buf_fini(&b);
	return fits ? 0 : -EBADMSG;
}

/* The own deltas behind a snapshot are there without a gap. */
static void restore_own(
	struct crdt *c, uint64_t time, struct proto_bytes key, struct proto_bytes delta)
{
	struct crdt_write w = {.time = time, .key_len = key.len, .len = delta.len};
	struct buf block = {0};

	buf_add(&block, key.p, key.len);
	buf_add(&block, delta.p, delta.len);
	w.block = block.p;
	crdt_log_add(c, &w);
}

static int restore_key(struct crdt *c, struct cursor *cursor, bool delta)
{
	struct proto_bytes key, bytes;
	struct crdt_state s;
	struct crdt_dot dot;
	int rc;

	if (crdt_pair(crdt_nodes(c), cursor, &key, &bytes, &s))
		return -EBADMSG;
	dot = s.stamp;
	rc = cursor_done(cursor) ? merge(c, key, &s) : -EBADMSG;
	crdt_state_fini(&s);
	if (rc)
		return rc;
	if (!PROTO_BUG(BUG_CRDT_REUSES_DOTS))
		hlc_seen(&c->hlc, dot.time);
	if (!delta || dot.time <= c->peer[dot.node].taken)
		return 0;
	c->peer[dot.node].taken = c->peer[dot.node].durable = dot.time;
	if (dot.node == crdt_self(c))
		restore_own(c, dot.time, key, bytes);
	return 0;
}

static int restore_seen(struct crdt *c, struct cursor *cursor)
{
	uint16_t n = cursor_u16(cursor);
	struct cursor again = *cursor;

	if (n != crdt_nodes(c))
		return -EBADMSG;
	for (unsigned i = 0; i < n; i++)
		if (cursor_u64(&again) > CRDT_TIME_MAX)
			return -EBADMSG;
	if (!cursor_done(&again))
		return -EBADMSG;
	for (unsigned i = 0; i < n; i++) {
		uint64_t seen = cursor_u64(cursor);

		if (seen <= c->peer[i].taken)
			continue;
		c->peer[i].taken = c->peer[i].durable = seen;
		if (i == crdt_self(c))
			crdt_log_forget(c, seen);
		if (i == crdt_self(c) && !PROTO_BUG(BUG_CRDT_REUSES_DOTS))
			hlc_seen(&c->hlc, seen);
	}
	return 0;
}

int crdt_restore(struct proto *p, const void *bytes, size_t len)
{
	struct crdt *c = crdt_of(p);
	struct cursor cursor = cursor_over(bytes, len);

	switch (cursor_u8(&cursor)) {
	case CRDT_RECORD_DELTA:
		return restore_key(c, &cursor, true);
	case CRDT_RECORD_STATE:
		return restore_key(c, &cursor, false);
	case CRDT_RECORD_SEEN:
		return restore_seen(c, &cursor);
	default:
		return -EBADMSG;
	}
}

/* --- for people --- */

static int describe_key(struct cursor *cursor, const char *what, struct buf *out)
{
	struct proto_bytes key, bytes;
	struct crdt_state s;
	int rc = 0;

	if (crdt_pair(PROTO_NODES_MAX, cursor, &key, &bytes, &s))
		return -EBADMSG;
	if (cursor_done(cursor)) {
		buf_printf(out, "%s ", what);
		command_describe_key(out, key);
		buf_printf(out, ", %s, %u bytes, time %llu of replica %u",
			crdt_type_names[crdt_type(&s, 0)], bytes.len,
			(unsigned long long)s.stamp.time, s.stamp.node);
	} else {
		rc = -EBADMSG;
	}
	crdt_state_fini(&s);
	return rc;
}

static int describe_seen(struct cursor *cursor, struct buf *out)
{
	uint16_t n = cursor_u16(cursor);

	if (cursor->bad || cursor->left != n * sizeof(uint64_t))
		return -EBADMSG;
	buf_printf(out, "seen");
	for (unsigned i = 0; i < n; i++)
		buf_printf(out, " %llu", (unsigned long long)cursor_u64(cursor));
	return 0;
}

int crdt_describe(const void *bytes, size_t len, struct buf *out)
{
	struct cursor cursor = cursor_over(bytes, len);

	switch (cursor_u8(&cursor)) {
	case CRDT_RECORD_DELTA:
		return describe_key(&cursor, "delta", out);
	case CRDT_RECORD_STATE:
		return describe_key(&cursor, "state", out);
	case CRDT_RECORD_SEEN:
		return describe_seen(&cursor, out);
	default:
		return -EBADMSG;
	}
}

/* --- the snapshot --- */

static void give_entry(void *w, const struct table_entry *e)
{
	struct buf b = {0};

	crdt_record(&b, CRDT_RECORD_STATE, e->key, e->value);
	walk_give(w, &b);
}

static bool pending_step(struct walk *w)
{
	const struct crdt_write *pending = walk_pending(w, &crdt_of(w->p)->writes);
	struct buf b = {0};

	if (!pending)
		return false;
	if (pending->waits == CRDT_FOR_SEEN)
		return true; /* it was given at the beginning */
	crdt_record(&b, CRDT_RECORD_STATE, (struct proto_bytes){pending->block, pending->key_len},
		(struct proto_bytes){pending->block + pending->key_len, pending->len});
	walk_give(w, &b);
	return true;
}

static void step(struct walk *w)
{
	struct crdt *c = crdt_of(w->p);
	struct buf b = {0};

	switch ((enum stage)w->s->stage) {
	case STAGE_BEGIN:
		crdt_record_seen(&b, c);
		walk_give(w, &b);
		walk_begin(w, &c->writes);
		w->s->stage = STAGE_PENDING;
		break;
	case STAGE_PENDING:
		if (!pending_step(w))
			w->s->stage = STAGE_TABLE;
		break;
	case STAGE_TABLE:
		if (!walk_table(w, w->p->table, give_entry))
			w->s->stage = STAGE_END;
		break;
	case STAGE_END:
		break;
	}
}

bool crdt_snapshot(struct proto *p, struct proto_snapshot *s)
{
	return walk_steps(&(struct walk){.p = p, .s = s}, STAGE_END, step);
}
