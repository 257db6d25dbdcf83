/* SPDX-License-Identifier: MIT */
/*
 * primary_snapshot.c - records on disk: snapshots, and all of restore
 *
 * A snapshot is, in this order:
 *   EPOCH    the epoch, and what failovers have cost
 *   BASE     the applied index s when it begins, the clock and the epochs of the log up to s
 *   ENTRIES  what was in the log after s
 *   PART     the table, in parts (raft_copy.c)
 *   END
 * The records of the log follow. Those before the MARK that was written with BASE are in the
 * snapshot already and are skipped. A snapshot does not begin while another table is being staged,
 * for its records are forgotten then; one that does not get on is dropped, it begins again.
 *
 * An entry is done as soon as it is restored: what was on the own disk, all others may see.
 */
#include <errno.h>

#include "store/proto/primary_internal.h"
#include "store/proto/walk.h"

enum stage { STAGE_BEGIN, STAGE_TABLE, STAGE_END };

/* Return: whether it may begin. */
static bool nothing_staged(struct primary *p)
{
	uint64_t limit = PRIMARY_DEAF_HEARTBEATS * p->proto.cfg.heartbeat_ns;

	if (p->staging.table && primary_now(p) - p->staging.moved_ns > limit)
		primary_staging_drop(p);
	return !p->staging.table && primary_exact(p);
}

static void snapshot_begin(struct primary *p, struct proto_snapshot *s)
{
	struct proto_io *io = p->proto.io;
	uint64_t mark = io->random(io) | 1;
	struct buf b = {0};

	primary_record(p);
	buf_u8(&b, PRIMARY_RECORD_MARK);
	buf_u64(&b, mark);
	(void)io->persist(io, b.p, b.len);
	b.len = 0;
	buf_u8(&b, PRIMARY_RECORD_EPOCH);
	buf_u64(&b, p->epoch);
	buf_u64(&b, p->lost);
	buf_u64(&b, p->lost_all);
	buf_u64(&b, p->done);
	walk_record(s, &b);
	buf_u8(&b, PRIMARY_RECORD_BASE);
	buf_u64(&b, mark);
	buf_u64(&b, p->applied);
	buf_u64(&b, p->state.clock_ns);
	primary_runs_encode(&b, &p->runs, p->applied);
	walk_record(s, &b);
	buf_fini(&b);
	raft_log_give(&p->log, s, PRIMARY_RECORD_ENTRIES, p->applied + 1);
	s->stage = STAGE_TABLE;
}

bool primary_snapshot(struct proto *proto, struct proto_snapshot *s)
{
	struct primary *p = primary_of(proto);
	uint8_t end = PRIMARY_RECORD_END;

	switch ((enum stage)s->stage) {
	case STAGE_BEGIN:
		if (nothing_staged(p))
			snapshot_begin(p, s);
		break;
	case STAGE_TABLE:
		/* Another table may have come: the entries that make it exact will, too. */
		if (primary_exact(p) &&
			!raft_part_give(s, PRIMARY_RECORD_PART, p->proto.table, p->applied))
			s->stage = STAGE_END;
		break;
	case STAGE_END:
		s->record(s->arg, &end, sizeof end);
		return false;
	}
	return true;
}

/* --- restore --- */

static int restore_epoch(struct primary *p, struct cursor *c)
{
	uint64_t epoch = cursor_u64(c);
	uint64_t lost = cursor_u64(c);
	uint64_t lost_all = cursor_u64(c);
	uint64_t done = cursor_u64(c);

	if (!cursor_done(c) || epoch < p->epoch || epoch > RAFT_NUMBER_MAX || lost > lost_all)
		return -EBADMSG;
	p->epoch = epoch;
	p->lost = lost;
	p->lost_all = lost_all;
	p->done = done;
	return 0;
}

static void settle(struct primary *p)
{
	p->log.recorded = p->log.durable = primary_last(p);
	if (p->unfinished)
		return;
	primary_apply(p, primary_last(p));
	primary_trim(p);
}

static int restore_entries(struct primary *p, struct cursor *c)
{
	uint64_t first = cursor_u64(c);
	struct raft_batch batch;
	struct cursor at;

	if (first != primary_last(p) + 1 ||
		primary_entries_decode(c, primary_epoch_at(p, primary_last(p)), p->epoch, &batch))
		return -EBADMSG;
	at = raft_batch_cursor(&batch);
	for (uint32_t i = 0; i < batch.count; i++) {
		uint64_t epoch;
		struct proto_bytes bytes = raft_batch_next(&at, &epoch);

		primary_append(p, epoch, bytes);
	}
	settle(p);
	return 0;
}

int primary_base_decode(struct cursor *c, struct primary_base *ret)
{
	ret->index = cursor_u64(c);
	ret->clock_ns = cursor_u64(c);
	if (primary_runs_decode(c, ret->index, &ret->runs))
		return -EBADMSG;
	if (cursor_done(c))
		return 0;
	ring_fini(&ret->runs);
	return -EBADMSG;
}

static uint64_t newest(const struct ring *runs)
{
	const struct primary_run *run = ring_at(runs, runs->next - 1);

	return run ? run->epoch : 0;
}

static int restore_base(struct primary *p, struct cursor *c)
{
	uint64_t mark = cursor_u64(c);
	struct primary_base base;

	/* It begins a snapshot, and that is at the beginning. */
	if (!mark || p->unfinished || primary_last(p) || p->staging.table ||
		primary_base_decode(c, &base))
		return -EBADMSG;
	if (newest(&base.runs) > p->epoch) {
		ring_fini(&base.runs);
		return -EBADMSG;
	}
	ring_fini(&p->runs);
	p->runs = base.runs;
	raft_log_reset(&p->log, base.index, newest(&p->runs));
	p->applied = base.index;
	p->state.clock_ns = base.clock_ns;
	p->unfinished = true;
	p->skip_to = mark;
	settle(p);
	return 0;
}

static int restore_part(struct primary *p, struct cursor *c)
{
	struct raft_part part;

	/*
	 * It may be as of an entry before the base: then another table was taken over while the
	 * snapshot was made, and the SWAP in the log, which follows, replaces all this.
	 */
	if (!p->unfinished || raft_part_decode(c, &part))
		return -EBADMSG;
	if (!part.more && raft_copy_add(&p->copy, part.from, part.to, part.at))
		return -EBADMSG;
	raft_part_put(p->proto.table, &part);
	return 0;
}

static int restore_end(struct primary *p, const struct cursor *c)
{
	if (!cursor_done(c) || !p->unfinished || !p->copy.complete)
		return -EBADMSG;
	p->unfinished = false;
	if (primary_exact(p))
		raft_copy_fini(&p->copy);
	settle(p);
	return 0;
}

static int restore_stage(struct primary *p, struct cursor *c)
{
	uint64_t lost = cursor_u64(c);
	struct primary_base base;

	if (p->unfinished || lost > primary_last(p) || primary_base_decode(c, &base))
		return -EBADMSG;
	if (newest(&base.runs) > p->epoch) {
		ring_fini(&base.runs);
		return -EBADMSG;
	}
	primary_staging_begin(p, &base);
	p->staging.lost = lost;
	return 0;
}

static int restore_stage_piece(struct primary *p, struct cursor *c)
{
	struct primary_staging *s = &p->staging;
	struct raft_part part;

	if (!s->table || raft_part_decode(c, &part) || part.at < s->base.index ||
		(!part.more && raft_copy_add(&s->copy, part.from, part.to, part.at)))
		return -EBADMSG;
	raft_part_put(s->table, &part);
	return 0;
}

static int restore_swap(struct primary *p, struct cursor *c)
{
	uint64_t done = cursor_u64(c);

	if (!cursor_done(c) || !p->staging.table || !p->staging.copy.complete || p->unfinished)
		return -EBADMSG;
	p->done = done;
	primary_staging_swap(p);
	settle(p);
	return 0;
}

static int restore_mark(struct primary *p, struct cursor *c)
{
	uint64_t mark = cursor_u64(c);

	if (!cursor_done(c) || !mark || p->unfinished)
		return -EBADMSG;
	if (mark == p->skip_to)
		p->skip_to = 0;
	return 0;
}

int primary_restore(struct proto *proto, const void *bytes, size_t len)
{
	struct primary *p = primary_of(proto);
	struct cursor c = cursor_over(bytes, len);
	uint8_t kind = cursor_u8(&c);
	int rc = -EBADMSG;

	if (p->skip_to && !p->unfinished && kind > 0 && kind < PRIMARY_RECORD_MARK)
		return 0;
	switch ((enum primary_record)kind) {
	case PRIMARY_RECORD_EPOCH:
		rc = restore_epoch(p, &c);
		break;
	case PRIMARY_RECORD_ENTRIES:
		rc = restore_entries(p, &c);
		break;
	case PRIMARY_RECORD_BASE:
		rc = restore_base(p, &c);
		break;
	case PRIMARY_RECORD_PART:
		rc = restore_part(p, &c);
		break;
	case PRIMARY_RECORD_END:
		rc = restore_end(p, &c);
		break;
	case PRIMARY_RECORD_STAGE:
		rc = restore_stage(p, &c);
		break;
	case PRIMARY_RECORD_STAGE_PIECE:
		rc = restore_stage_piece(p, &c);
		break;
	case PRIMARY_RECORD_SWAP:
		rc = restore_swap(p, &c);
		break;
	case PRIMARY_RECORD_MARK:
		rc = restore_mark(p, &c);
		break;
	}
	p->restored |= !rc;
	return rc;
}

/* --- for people --- */

static int describe_epoch(struct cursor *c, struct buf *out)
{
	uint64_t epoch = cursor_u64(c);
	uint64_t lost = cursor_u64(c);
	uint64_t lost_all = cursor_u64(c);

	(void)cursor_u64(c); /* number of a transfer */
	if (!cursor_done(c) || lost > lost_all)
		return -EBADMSG;
	buf_printf(out, "epoch ");
	primary_describe_epoch(out, epoch);
	if (lost_all)
		buf_printf(out, ", failovers have cost %llu entries, the last %llu",
			(unsigned long long)lost_all, (unsigned long long)lost);
	return 0;
}

static void describe_number(struct buf *out, uint64_t epoch)
{
	buf_printf(out, "epoch ");
	primary_describe_epoch(out, epoch);
}

static int describe_entries(struct cursor *c, struct buf *out)
{
	uint64_t first = cursor_u64(c);
	struct raft_batch batch;

	if (primary_entries_decode(c, 0, RAFT_NUMBER_MAX, &batch))
		return -EBADMSG;
	raft_batch_describe(&batch, first, describe_number, out);
	return 0;
}

static int describe_base(struct cursor *c, const char *what, uint64_t lost, struct buf *out)
{
	struct primary_base base;

	if (primary_base_decode(c, &base))
		return -EBADMSG;
	buf_printf(out, "%s after entry %llu of epoch ", what, (unsigned long long)base.index);
	primary_describe_epoch(out, newest(&base.runs));
	if (lost)
		buf_printf(out, ", without %llu of the entries here", (unsigned long long)lost);
	ring_fini(&base.runs);
	return 0;
}

int primary_describe(const void *bytes, size_t len, struct buf *out)
{
	struct cursor c = cursor_over(bytes, len);
	uint8_t kind = cursor_u8(&c);

	switch ((enum primary_record)kind) {
	case PRIMARY_RECORD_EPOCH:
		return describe_epoch(&c, out);
	case PRIMARY_RECORD_ENTRIES:
		return describe_entries(&c, out);
	case PRIMARY_RECORD_BASE:
		return cursor_u64(&c) ? describe_base(&c, "snapshot begins", 0, out) : -EBADMSG;
	case PRIMARY_RECORD_PART:
		return raft_part_describe(&c, "table", out);
	case PRIMARY_RECORD_END:
		return raft_word_describe(&c, "snapshot ends", out);
	case PRIMARY_RECORD_STAGE: {
		uint64_t lost = cursor_u64(&c);

		return describe_base(&c, "the primary's table begins", lost, out);
	}
	case PRIMARY_RECORD_STAGE_PIECE:
		return raft_part_describe(&c, "the primary's table", out);
	case PRIMARY_RECORD_SWAP:
		(void)cursor_u64(&c);
		return raft_word_describe(
			&c, "the primary's table takes the place of the own one", out);
	case PRIMARY_RECORD_MARK:
		return cursor_u64(&c) ? raft_word_describe(&c, "a snapshot begins here", out)
				      : -EBADMSG;
	}
	return -EBADMSG;
}
