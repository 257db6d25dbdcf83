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
#include "store/proto/walk.h"

enum stage { STAGE_BEGIN, STAGE_PENDING, STAGE_TABLE, STAGE_HINTS, STAGE_END };

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
		return entry_describe(&c, "version", out);
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

static void give_entry(void *w, const struct table_entry *e)
{
	struct buf b = {0};

	buf_u8(&b, QUORUM_RECORD_ENTRY);
	entry_encode(&b, e);
	walk_give(w, &b);
}

static void give_hint(void *arg, const struct table_entry *note)
{
	struct walk *w = arg;
	struct buf b = {0};

	quorum_hint_encode(&b, (unsigned)w->s->index[0], note->key, true);
	walk_give(w, &b);
}

static void give_state(struct walk *w)
{
	const struct quorum *q = quorum_of(w->p);
	struct buf b = {0};

	buf_u8(&b, QUORUM_RECORD_STATE);
	buf_u64(&b, q->clock);
	buf_u64(&b, q->forgotten);
	walk_give(w, &b);
}

static bool pending_step(struct walk *w)
{
	const struct quorum_write *pending = walk_pending(w, &quorum_of(w->p)->writes);

	/* A tombstone that is about to be forgotten may come back, and is forgotten again. */
	if (pending && pending->key && !pending->forget)
		give_entry(w, &pending->entry);
	return pending;
}

/* The notes for replica index[0]. */
static bool hints_step(struct walk *w)
{
	const struct quorum *q = quorum_of(w->p);
	const struct table *hints;

	if (w->s->index[0] >= quorum_nodes(q))
		return false;
	hints = q->peer[w->s->index[0]].hints;
	if (!hints || !walk_table(w, hints, give_hint))
		w->s->index[0]++;
	return true;
}

static void step(struct walk *w)
{
	struct proto_snapshot *s = w->s;

	switch ((enum stage)s->stage) {
	case STAGE_BEGIN:
		give_state(w);
		walk_begin(w, &quorum_of(w->p)->writes);
		s->stage = STAGE_PENDING;
		break;
	case STAGE_PENDING:
		if (!pending_step(w))
			s->stage = STAGE_TABLE;
		break;
	case STAGE_TABLE:
		if (walk_table(w, w->p->table, give_entry))
			break;
		s->index[0] = 0;
		s->stage = STAGE_HINTS;
		break;
	case STAGE_HINTS:
		if (!hints_step(w))
			s->stage = STAGE_END;
		break;
	case STAGE_END:
		break;
	}
}

bool quorum_snapshot(struct proto *p, struct proto_snapshot *s)
{
	return walk_steps(&(struct walk){.p = p, .s = s}, STAGE_END, step);
}
