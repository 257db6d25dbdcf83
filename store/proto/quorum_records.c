/* SPDX-License-Identifier: MIT */
/*
 * quorum_records.c - the log of a leaderless replica, and its snapshot
 *
 * Entries may be restored in any order and any number of times: the newest stays. Notes of hints
 * may not, but a snapshot shows a note as it was at some time after the snapshot began, and
 * all records that were written since follow it; the last of them decides.
 *
 * What had been given to the disk but was not there yet when a snapshot began is not in the table,
 * and its record may be forgotten with the others: so it is in the snapshot. So is the clock:
 * the entry that had the last version of this replica may have been overwritten by another's.
 */
#include <errno.h>

#include "store/proto/quorum_internal.h"

enum stage { STAGE_BEGIN, STAGE_PENDING, STAGE_TABLE, STAGE_HINTS, STAGE_END };

/* A step of a walk that shows nothing costs time, too. */
#define STEP_BYTES 64u

static int restore_state(struct quorum *q, struct cursor *c)
{
	uint64_t clock = cursor_u64(c);
	uint64_t forgotten = cursor_u64(c);

	if (!cursor_done(c) || clock > ENTRY_VERSION_MAX || forgotten > ENTRY_VERSION_MAX)
		return -EBADMSG;
	if (clock > q->clock)
		q->clock = clock;
	if (forgotten > q->forgotten)
		q->forgotten = forgotten;
	return 0;
}

int quorum_restore(struct proto *p, const void *bytes, size_t len)
{
	struct quorum *q = quorum_of(p);
	struct cursor c = cursor_over(bytes, len);
	struct table_entry e;

	switch (cursor_u8(&c)) {
	case QUORUM_RECORD_ENTRY:
		if (entry_decode(quorum_nodes(q), &c, &e) || !e.version)
			return -EBADMSG;
		quorum_merge(q, &e);
		return 0;
	case QUORUM_RECORD_HINT:
		return quorum_hint_restore(q, &c, true);
	case QUORUM_RECORD_HINT_DONE:
		return quorum_hint_restore(q, &c, false);
	case QUORUM_RECORD_STATE:
		return restore_state(q, &c);
	case QUORUM_RECORD_FORGET:
		return quorum_forget_restore(q, &c);
	default:
		return -EBADMSG;
	}
}

static int describe_entry(struct cursor *c, struct buf *out)
{
	struct table_entry e;

	if (entry_decode(PROTO_NODES_MAX, c, &e) || !e.version)
		return -EBADMSG;
	buf_printf(out, "%s ", e.deleted ? "tombstone" : "entry");
	command_describe_key(out, e.key);
	if (!e.deleted)
		buf_printf(out, ", %u bytes", e.value.len);
	if (e.expires_ns)
		buf_printf(out, ", expires %llu", (unsigned long long)e.expires_ns);
	buf_printf(out, ", version %llu of replica %u", (unsigned long long)e.version, e.origin);
	return 0;
}

static int describe_state(struct cursor *c, struct buf *out)
{
	uint64_t clock = cursor_u64(c);
	uint64_t forgotten = cursor_u64(c);

	if (!cursor_done(c) || clock > ENTRY_VERSION_MAX || forgotten > ENTRY_VERSION_MAX)
		return -EBADMSG;
	buf_printf(out, "clock %llu, forgotten up to %llu", (unsigned long long)clock,
		(unsigned long long)forgotten);
	return 0;
}

int quorum_describe(const void *bytes, size_t len, struct buf *out)
{
	struct cursor c = cursor_over(bytes, len);
	uint8_t kind = cursor_u8(&c);

	switch (kind) {
	case QUORUM_RECORD_ENTRY:
		return describe_entry(&c, out);
	case QUORUM_RECORD_HINT:
	case QUORUM_RECORD_HINT_DONE:
		return quorum_hint_describe(&c, kind == QUORUM_RECORD_HINT, out);
	case QUORUM_RECORD_STATE:
		return describe_state(&c, out);
	case QUORUM_RECORD_FORGET:
		return quorum_forget_describe(&c, out);
	default:
		return -EBADMSG;
	}
}

/* One part of a snapshot. */
struct part {
	struct quorum *q;
	struct proto_snapshot *s;
	size_t bytes;
};

static void give(struct part *part, struct buf *b)
{
	part->s->record(part->s->arg, b->p, b->len);
	part->bytes += b->len;
	b->len = 0;
}

static void give_entry(void *arg, const struct table_entry *e)
{
	struct buf b = {0};

	buf_u8(&b, QUORUM_RECORD_ENTRY);
	entry_encode(&b, e);
	give(arg, &b);
	buf_fini(&b);
}

static void give_hint(void *arg, const struct table_entry *note)
{
	struct part *part = arg;
	struct buf b = {0};

	quorum_hint_encode(&b, (unsigned)part->s->index[0], note->key, true);
	give(part, &b);
	buf_fini(&b);
}

static void give_state(struct part *part)
{
	struct buf b = {0};

	buf_u8(&b, QUORUM_RECORD_STATE);
	buf_u64(&b, part->q->clock);
	buf_u64(&b, part->q->forgotten);
	give(part, &b);
	buf_fini(&b);
}

/* What was on its way to the disk: index[0] is the next of them, index[1] is behind the last.
 * Those that have arrived meanwhile are in the table, which is walked later. */
static bool pending_step(struct part *part)
{
	struct proto_snapshot *s = part->s;
	const struct ring *writes = &part->q->writes;
	const struct quorum_write *w;

	if (s->index[0] < writes->first)
		s->index[0] = writes->first;
	if (s->index[0] >= s->index[1])
		return false;
	w = ring_at(writes, s->index[0]++);
	/* A tombstone that is about to be forgotten may come back, and is forgotten again. */
	if (w->key && !w->forget)
		give_entry(part, &w->entry);
	return true;
}

static bool table_step(struct part *part)
{
	struct proto_snapshot *s = part->s;

	s->cursor = table_scan(part->q->proto.table, s->cursor, give_entry, part);
	return s->cursor != 0;
}

/* The notes for replica index[0]. */
static bool hints_step(struct part *part)
{
	struct proto_snapshot *s = part->s;
	const struct table *hints;

	if (s->index[0] >= quorum_nodes(part->q))
		return false;
	hints = part->q->peer[s->index[0]].hints;
	if (hints)
		s->cursor = table_scan(hints, s->cursor, give_hint, part);
	if (!s->cursor)
		s->index[0]++;
	return true;
}

static void step(struct part *part)
{
	struct proto_snapshot *s = part->s;

	switch ((enum stage)s->stage) {
	case STAGE_BEGIN:
		give_state(part);
		s->index[0] = part->q->writes.first;
		s->index[1] = part->q->writes.next;
		s->stage = STAGE_PENDING;
		break;
	case STAGE_PENDING:
		if (!pending_step(part))
			s->stage = STAGE_TABLE;
		break;
	case STAGE_TABLE:
		if (table_step(part))
			break;
		s->index[0] = 0;
		s->stage = STAGE_HINTS;
		break;
	case STAGE_HINTS:
		if (!hints_step(part))
			s->stage = STAGE_END;
		break;
	case STAGE_END:
		break;
	}
	part->bytes += STEP_BYTES;
}

bool quorum_snapshot(struct proto *p, struct proto_snapshot *s)
{
	struct part part = {.q = quorum_of(p), .s = s};

	while (s->stage != STAGE_END && part.bytes < PROTO_SNAPSHOT_PART)
		step(&part);
	return s->stage != STAGE_END;
}
