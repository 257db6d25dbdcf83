/* SPDX-License-Identifier: MIT */
/*
 * raft_snapshot.c - records on disk: the snapshot that takes the place of a log, and all of restore
 *
 * A snapshot is, in this order:
 *   HARD     term and vote
 *   BASE     applied index s at the beginning, its term, the clock and the membership then
 *   STAGE    what of another leader's table was here (raft_transfer.c), if anything was
 *   ENTRIES  what was in the log after s
 *   PART     the table, in parts (raft_copy.c), and STAGE_PART: the staged one
 *   END
 * The records of the log follow. Those before the MARK that was written with BASE are in the
 * snapshot already, for it need not begin at once, and are skipped: it waits for a table that is
 * exact. An entry that is cut off before it was given is not given, nor is what took its place:
 * that is in a record after the MARK.
 *
 * What is applied is in a record already (asserted), hence on disk before the snapshot counts: the
 * log never ends before the index from which on the table is exact. So start() applies up to there,
 * and a replica that restarts does not answer from a table that is half-way.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/raft_internal.h"
#include "store/proto/walk.h"

enum stage { STAGE_BEGIN, STAGE_LOG, STAGE_TABLE, STAGE_STAGED, STAGE_END };

/* The next entries, from ->cursor on. Return: whether there are more. */
static bool give_entries(const struct raft *r, struct proto_snapshot *s)
{
	uint64_t last = s->cursor;
	struct buf b = {0};

	if (s->cursor > r->walk_last)
		return false;
	while (last < r->walk_last &&
		raft_log_cost(&r->log, s->cursor, last + 1) <= PROTO_SNAPSHOT_PART)
		last++;
	buf_u8(&b, RAFT_RECORD_ENTRIES);
	buf_u64(&b, s->cursor);
	s->cursor += raft_batch_encode(&b, &r->log, s->cursor, last);
	walk_record(s, &b);
	buf_fini(&b);
	return s->cursor <= r->walk_last;
}

void raft_stage_encode(struct buf *b, const struct raft_base *base, const struct raft_copy *copy,
	uint64_t partial_at)
{
	const struct raft_copy none = {0};
	const struct ring *ranges;

	if (!copy)
		copy = &none;
	ranges = &copy->ranges;
	buf_u8(b, RAFT_RECORD_STAGE);
	raft_base_encode(b, base);
	buf_u64(b, copy->cursor);
	buf_u8(b, copy->complete);
	buf_u64(b, partial_at);
	buf_u32(b, (uint32_t)ring_count(ranges));
	for (uint64_t i = ranges->first; i < ranges->next; i++) {
		const struct raft_range *range = ring_at(ranges, i);

		buf_u64(b, range->from);
		buf_u64(b, range->at);
	}
}

static void give_stage(const struct raft *r, struct proto_snapshot *s, struct buf *b)
{
	const struct raft_staging *staging = &r->staging;

	if (!staging->table)
		return;
	raft_stage_encode(b, &staging->base, &staging->copy, staging->partial_at);
	walk_record(s, b);
}

static void snapshot_begin(struct raft *r, struct proto_snapshot *s)
{
	struct raft_base base = raft_base_now(r);
	struct proto_io *io = r->proto.io;
	uint64_t mark = io->random(io) | 1;
	struct buf b = {0};

	assert(r->applied <= r->log.recorded);
	buf_u8(&b, RAFT_RECORD_MARK);
	buf_u64(&b, mark);
	(void)io->persist(io, b.p, b.len);
	b.len = 0;
	r->walking = true;
	r->walking_log = true;
	r->walk_last = r->log.recorded;
	r->walking_staged = r->staging.table;
	s->index[0] = r->applied;
	buf_u8(&b, RAFT_RECORD_HARD);
	buf_u64(&b, r->term);
	buf_u32(&b, PROTO_BUG(BUG_RAFT_SNAPSHOT_FORGETS_VOTE) ? 0 : (uint32_t)(r->vote + 1));
	walk_record(s, &b);
	buf_u8(&b, RAFT_RECORD_BASE);
	raft_base_encode(&b, &base);
	buf_u64(&b, mark);
	walk_record(s, &b);
	give_stage(r, s, &b);
	buf_fini(&b);
	s->cursor = r->applied + 1;
	s->stage = STAGE_LOG;
}

static void snapshot_end(struct raft *r, struct proto_snapshot *s)
{
	struct buf b = {0};

	assert(r->applied <= r->log.recorded);
	buf_u8(&b, RAFT_RECORD_END);
	walk_record(s, &b);
	buf_fini(&b);
	r->walking = false;
}

bool raft_snapshot(struct proto *p, struct proto_snapshot *s)
{
	struct raft *r = raft_of(p);

	switch ((enum stage)s->stage) {
	case STAGE_BEGIN:
		/* What is staged may be what makes it exact: it is not held up by a beginning. */
		if (raft_exact(r))
			snapshot_begin(r, s);
		break;
	case STAGE_LOG:
		if (give_entries(r, s))
			break;
		r->walking_log = false;
		s->cursor = 0;
		s->stage = STAGE_TABLE;
		break;
	case STAGE_TABLE:
		/* After another leader's table came; the entries that make it exact will, too. */
		if (!raft_exact(r))
			break;
		if (raft_part_give(s, RAFT_RECORD_PART, p->table,
			    r->applied + PROTO_BUG(BUG_RAFT_SNAPSHOT_OFF_BY_ONE)))
			break;
		s->stage = r->walking_staged && r->staging.table ? STAGE_STAGED : STAGE_END;
		s->index[1] = 0;
		break;
	case STAGE_STAGED:
		/* It was neither taken over nor dropped; another may have taken its place. */
		if (r->staging.table && raft_part_give(s, RAFT_RECORD_STAGE_PART, r->staging.table,
						RAFT_NUMBER_MAX))
			break;
		s->stage = STAGE_END;
		break;
	case STAGE_END:
		snapshot_end(r, s);
		return false;
	}
	return true;
}

/* Up to where the log may be forgotten though somebody needs it: who gets a table goes on there. */
static uint64_t held(const struct raft *r, uint64_t index)
{
	uint64_t hold = index;

	for (unsigned i = 0; raft_leads(r) && i < r->proto.cfg.nodes; i++) {
		const struct raft_transfer *t = r->peer[i].transfer;

		if (t && t->agreed && t->base.index < hold)
			hold = t->base.index;
	}
	while (hold < index && raft_log_cost(&r->log, hold + 1, index) > RAFT_HOLD_BYTES)
		hold++;
	return hold;
}

void raft_snapshot_done(struct proto *p, const struct proto_snapshot *s)
{
	struct raft *r = raft_of(p);
	size_t keep = p->cfg.log_keep_kib ? (size_t)p->cfg.log_keep_kib << 10 : RAFT_KEEP_BYTES;
	uint64_t index = s->index[0];
	uint64_t low = r->log.entries.first;

	/* Another leader's table may have come meanwhile. */
	if (index < low)
		return;
	index = held(r, index);
	while (low <= index && raft_log_cost(&r->log, low, s->index[0]) > keep)
		low++;
	if (low > r->log.entries.first)
		raft_log_forget(&r->log, low - 1);
}

/* --- restore --- */

static int restore_base(struct raft *r, struct cursor *c)
{
	struct raft_base base;
	uint64_t mark;

	if (raft_base_decode(c, r->proto.cfg.nodes, &base) || base.term > r->term)
		return -EBADMSG;
	mark = cursor_u64(c);
	if (!cursor_done(c) || !mark)
		return -EBADMSG;
	/* It begins a snapshot, and that is at the beginning. */
	if (r->unfinished || raft_log_last(&r->log) || r->applied || r->staging.table)
		return -EBADMSG;
	raft_base_take(r, &base);
	r->log.recorded = r->log.durable = raft_log_last(&r->log);
	r->unfinished = true;
	r->skip_to = mark;
	return 0;
}

static int restore_part(struct raft *r, struct cursor *c)
{
	struct raft_part part;

	if (!r->unfinished || raft_part_decode(c, &part) || part.at < r->applied)
		return -EBADMSG;
	if (!part.more && raft_copy_add(&r->copy, part.from, part.to, part.at))
		return -EBADMSG;
	raft_part_put(r->proto.table, &part);
	return 0;
}

static int restore_end(struct raft *r, const struct cursor *c)
{
	if (!cursor_done(c) || !r->unfinished || !r->copy.complete)
		return -EBADMSG;
	r->unfinished = false;
	raft_copy_settle(r);
	return 0;
}

static int restore_ranges(struct cursor *c, struct raft_copy *copy, uint64_t *ret_partial_at)
{
	uint64_t cursor = cursor_u64(c);
	uint8_t complete = cursor_u8(c);
	uint64_t partial_at = cursor_u64(c);
	uint32_t count = cursor_u32(c);
	struct cursor next;

	if (c->bad || complete > 1 || count > RAFT_PARTS_MAX || (complete && cursor) ||
		partial_at > RAFT_NUMBER_MAX || (complete && partial_at))
		return -EBADMSG;
	*ret_partial_at = partial_at;
	if (!count)
		return cursor_done(c) && !cursor && !complete ? 0 : -EBADMSG;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t from = cursor_u64(c);
		uint64_t at = cursor_u64(c);
		uint64_t to = cursor;

		next = *c;
		if (i + 1 < count)
			to = cursor_u64(&next);
		if (c->bad || at > RAFT_NUMBER_MAX || raft_copy_add(copy, from, to, at))
			return -EBADMSG;
	}
	return cursor_done(c) && copy->complete == complete ? 0 : -EBADMSG;
}

static int restore_stage(struct raft *r, struct cursor *c)
{
	struct raft_base base;
	struct raft_copy copy;
	uint64_t partial_at;

	if (raft_base_decode(c, r->proto.cfg.nodes, &base) || !base.index || base.term > r->term)
		return -EBADMSG;
	raft_copy_init(&copy);
	if (restore_ranges(c, &copy, &partial_at)) {
		raft_copy_fini(&copy);
		return -EBADMSG;
	}
	raft_staging_begin(r, &base);
	r->staging.copy = copy;
	r->staging.partial_at = partial_at;
	return 0;
}

static int restore_stage_part(struct raft *r, struct cursor *c)
{
	struct raft_part part;

	if (!r->staging.table || raft_part_decode(c, &part))
		return -EBADMSG;
	/* Within a snapshot STAGE has said already what there is. */
	if (r->unfinished) {
		raft_part_put(r->staging.table, &part);
		return 0;
	}
	if (part.at < r->staging.base.index ||
		(!part.more && raft_copy_add(&r->staging.copy, part.from, part.to, part.at)))
		return -EBADMSG;
	raft_staging_put(&r->staging, &part);
	return 0;
}

static int restore_swap(struct raft *r, const struct cursor *c)
{
	if (!cursor_done(c) || !r->staging.table || !r->staging.copy.complete || r->unfinished ||
		r->staging.base.index <= r->applied)
		return -EBADMSG;
	raft_staging_swap(r);
	raft_copy_settle(r);
	r->log.recorded = r->log.durable = raft_log_last(&r->log);
	return 0;
}

static int restore_mark(struct raft *r, struct cursor *c)
{
	uint64_t mark = cursor_u64(c);

	if (!cursor_done(c) || !mark || r->unfinished)
		return -EBADMSG;
	if (mark == r->skip_to) {
		r->skip_to = 0;
		r->gap = true;
	}
	return 0;
}

int raft_restore(struct proto *p, const void *bytes, size_t len)
{
	struct raft *r = raft_of(p);
	struct cursor c = cursor_over(bytes, len);
	uint8_t kind = cursor_u8(&c);
	int rc = -EBADMSG;

	if (r->skip_to && !r->unfinished && kind > 0 && kind < RAFT_RECORD_MARK)
		return 0;
	switch ((enum raft_record)kind) {
	case RAFT_RECORD_HARD:
	case RAFT_RECORD_ENTRIES:
		rc = raft_log_restore(r, kind, &c);
		break;
	case RAFT_RECORD_BASE:
		rc = restore_base(r, &c);
		break;
	case RAFT_RECORD_PART:
		rc = restore_part(r, &c);
		break;
	case RAFT_RECORD_END:
		rc = restore_end(r, &c);
		break;
	case RAFT_RECORD_STAGE:
		rc = restore_stage(r, &c);
		break;
	case RAFT_RECORD_STAGE_PART:
		rc = restore_stage_part(r, &c);
		break;
	case RAFT_RECORD_SWAP:
		rc = restore_swap(r, &c);
		break;
	case RAFT_RECORD_MARK:
		rc = restore_mark(r, &c);
		break;
	}
	r->restored |= !rc;
	return rc;
}

/* --- for people --- */

static int describe_base(struct cursor *c, const char *what, struct buf *out)
{
	struct raft_base base;

	if (raft_base_decode(c, PROTO_NODES_MAX, &base))
		return -EBADMSG;
	buf_printf(out, "%s at %llu of term %llu, members ", what, (unsigned long long)base.index,
		(unsigned long long)base.term);
	raft_members_describe(out, &base.members);
	return 0;
}

static int describe_stage(struct cursor *c, struct buf *out)
{
	struct raft_copy copy;
	uint64_t partial_at;
	int rc;

	if (describe_base(c, "a leader's table begins", out))
		return -EBADMSG;
	raft_copy_init(&copy);
	rc = restore_ranges(c, &copy, &partial_at);
	if (!rc && ring_count(&copy.ranges))
		buf_printf(out, ", %zu parts of it are here", ring_count(&copy.ranges));
	raft_copy_fini(&copy);
	return rc;
}

int raft_describe(const void *bytes, size_t len, struct buf *out)
{
	struct cursor c = cursor_over(bytes, len);
	uint8_t kind = cursor_u8(&c);

	switch ((enum raft_record)kind) {
	case RAFT_RECORD_HARD:
	case RAFT_RECORD_ENTRIES:
		return raft_log_describe(kind, &c, out);
	case RAFT_RECORD_BASE:
		if (describe_base(&c, "snapshot begins", out))
			return -EBADMSG;
		return cursor_u64(&c) && cursor_done(&c) ? 0 : -EBADMSG;
	case RAFT_RECORD_MARK:
		return cursor_u64(&c) ? raft_word_describe(&c, "a snapshot begins here", out)
				      : -EBADMSG;
	case RAFT_RECORD_PART:
		return raft_part_describe(&c, "table", out);
	case RAFT_RECORD_END:
		return raft_word_describe(&c, "snapshot ends", out);
	case RAFT_RECORD_STAGE:
		return describe_stage(&c, out);
	case RAFT_RECORD_STAGE_PART:
		return raft_part_describe(&c, "a leader's table", out);
	case RAFT_RECORD_SWAP:
		return raft_word_describe(
			&c, "the leader's table takes the place of the own one", out);
	}
	return -EBADMSG;
}
