/* SPDX-License-Identifier: MIT */
/*
 * zone_snapshot.c - records on disk: snapshots, and all of restore
 *
 *   WRITE          primary: an update, done in this order
 *   CHANGES        secondary: what followed a serial, and the contact, if they were all
 *   CONTACT        secondary: the copy was found to be the primary's
 *   STAGE ...      secondary: a whole zone, then SWAP, with which it takes over
 *   BASE PART END  a snapshot: the table in parts, each as of some index (raft_copy.c)
 *
 * A snapshot does not begin while another table is on its way, for its records are forgotten then.
 * It has all that is in the log before the MARK that is written as it begins.
 * Roles are settings: who finds records of another role is not what it was, and refuses them.
 */
#include <errno.h>

#include "store/proto/walk.h"
#include "store/proto/zone_internal.h"

enum stage { STAGE_BEGIN, STAGE_BASE, STAGE_TABLE, STAGE_END };

/* Return: whether it may begin. */
static bool nothing_staged(struct zone *z)
{
	uint64_t limit = ZONE_DEAF_HEARTBEATS * zone_span(z, z->proto.cfg.retry_ns);

	if (z->staging.table && !z->staging.swap_seq && zone_now(z) - z->staging.moved_ns > limit) {
		zone_staging_drop(z);
		z->question = ZONE_IDLE; /* until retry is due */
	}
	return !z->staging.table;
}

static void give_base(struct zone *z, struct proto_snapshot *s)
{
	struct buf b = {0};

	buf_u8(&b, ZONE_KEPT_BASE);
	buf_u64(&b, s->cursor);
	buf_u64(&b, s->index[0]);
	buf_u64(&b, z->state.clock_ns);
	buf_u64(&b, z->contact_wall_ns);
	walk_record(s, &b);
	buf_fini(&b);
	s->cursor = 0;
}

static void mark(struct zone *z, struct proto_snapshot *s)
{
	struct proto_io *io = z->proto.io;
	struct buf b = {0};

	s->cursor = io->random(io) | 1;
	s->index[0] = z->recorded;
	buf_u8(&b, ZONE_KEPT_MARK);
	buf_u64(&b, s->cursor);
	(void)io->persist(io, b.p, b.len);
	buf_fini(&b);
}

bool zone_snapshot(struct proto *proto, struct proto_snapshot *s)
{
	struct zone *z = zone_of(proto);
	uint8_t end = ZONE_KEPT_END;

	switch ((enum stage)s->stage) {
	case STAGE_BEGIN:
		if (!nothing_staged(z))
			return true;
		mark(z, s);
		s->stage = STAGE_BASE;
		return true;
	case STAGE_BASE:
		/* What is in the log so far, and only there, will be forgotten. */
		if (z->index < s->index[0])
			return true;
		give_base(z, s);
		s->stage = STAGE_TABLE;
		return true;
	case STAGE_TABLE:
		if (!raft_part_give(s, ZONE_KEPT_PART, proto->table, z->index))
			s->stage = STAGE_END;
		return true;
	case STAGE_END:
		break;
	}
	s->record(s->arg, &end, sizeof(end));
	return false;
}

/* --- restore --- */

static int restore_write(struct zone *z, struct cursor *c)
{
	struct proto_reply ignored;
	struct command command;

	if (!zone_is_primary(z) || z->unfinished || command_decode(c, &command) ||
		command.op == PROTO_GET)
		return -EBADMSG;
	zone_write_apply(z, &command, &ignored);
	z->recorded = z->index;
	return 0;
}

static int restore_contact(struct zone *z, struct cursor *c)
{
	uint64_t wall = cursor_u64(c);

	if (!cursor_done(c) || !zone_is_secondary(z))
		return -EBADMSG;
	z->contact_wall_ns = wall;
	return 0;
}

struct changes {
	uint64_t index;
	uint64_t wall_ns;
	uint32_t count;
};

static int decode_changes(struct cursor *c, struct changes *ret)
{
	ret->index = cursor_u64(c);
	ret->wall_ns = cursor_u64(c);
	ret->count = cursor_u32(c);
	return c->bad || ret->index > RAFT_NUMBER_MAX ? -EBADMSG
						      : zone_changes_check(*c, ret->count);
}

static int restore_changes(struct zone *z, struct cursor *c, bool staged)
{
	struct zone_staging *s = &z->staging;
	struct changes m;

	if (!zone_is_secondary(z) || decode_changes(c, &m))
		return -EBADMSG;
	if (staged) {
		if (!s->table || m.index != s->index)
			return -EBADMSG;
		for (uint32_t i = 0; i < m.count; i++)
			zone_change_apply(s->table, &s->state, &s->copy, c, ++s->index);
		return 0;
	}
	if (z->unfinished || m.index != z->index)
		return -EBADMSG;
	for (uint32_t i = 0; i < m.count; i++)
		zone_change_apply(z->proto.table, &z->state, &z->copy, c, ++z->index);
	z->recorded = z->index;
	if (m.wall_ns)
		z->contact_wall_ns = m.wall_ns;
	return 0;
}

static int restore_base(struct zone *z, struct cursor *c)
{
	uint64_t mark = cursor_u64(c);
	uint64_t index = cursor_u64(c);
	uint64_t clock_ns = cursor_u64(c);
	uint64_t wall_ns = cursor_u64(c);

	if (!cursor_done(c) || index > RAFT_NUMBER_MAX || z->index || z->unfinished || !mark)
		return -EBADMSG;
	z->skip_to = mark;
	z->base = index;
	z->state.clock_ns = clock_ns;
	z->contact_wall_ns = wall_ns;
	z->unfinished = true;
	return 0;
}

static int restore_part(struct zone *z, struct cursor *c)
{
	struct raft_part part;

	if (!z->unfinished || raft_part_decode(c, &part) || part.at < z->base ||
		(!part.more && raft_copy_add(&z->copy, part.from, part.to, part.at)))
		return -EBADMSG;
	raft_part_put(z->proto.table, &part);
	return 0;
}

static int restore_end(struct zone *z, struct cursor *c)
{
	if (!cursor_done(c) || !z->unfinished || !z->copy.complete)
		return -EBADMSG;
	z->unfinished = false;
	z->index = z->recorded = z->base;
	zone_journal_reset(z);
	return 0;
}

static int restore_stage(struct zone *z, struct cursor *c)
{
	uint64_t index = cursor_u64(c);
	uint64_t clock_ns = cursor_u64(c);

	if (!cursor_done(c) || index > RAFT_NUMBER_MAX || !zone_is_secondary(z))
		return -EBADMSG;
	zone_staging_begin(z, index, clock_ns);
	return 0;
}

static int restore_stage_piece(struct zone *z, struct cursor *c)
{
	struct raft_part part;

	if (!z->staging.table || z->staging.copy.complete || raft_part_decode(c, &part) ||
		part.from != z->staging.copy.cursor || part.at < z->staging.index)
		return -EBADMSG;
	/* Too many parts: it was dropped then, and will be now. */
	(void)zone_staging_put(&z->staging, &part);
	return 0;
}

static int restore_swap(struct zone *z, struct cursor *c)
{
	const struct zone_staging *s = &z->staging;

	if (!cursor_done(c) || !s->table || !s->copy.complete || s->index < s->copy.exact)
		return -EBADMSG;
	zone_staging_swap(z);
	return 0;
}

static int restore_mark(struct zone *z, struct cursor *c)
{
	uint64_t mark = cursor_u64(c);

	if (!cursor_done(c))
		return -EBADMSG;
	if (mark == z->skip_to)
		z->skip_to = 0;
	return 0;
}

static int restore(struct zone *z, uint8_t kind, struct cursor c)
{
	switch (kind) {
	case ZONE_KEPT_WRITE:
		return restore_write(z, &c);
	case ZONE_KEPT_CHANGES:
		return restore_changes(z, &c, false);
	case ZONE_KEPT_CONTACT:
		return restore_contact(z, &c);
	case ZONE_KEPT_BASE:
		return restore_base(z, &c);
	case ZONE_KEPT_PART:
		return restore_part(z, &c);
	case ZONE_KEPT_END:
		return restore_end(z, &c);
	case ZONE_KEPT_STAGE:
		return restore_stage(z, &c);
	case ZONE_KEPT_STAGE_PIECE:
		return restore_stage_piece(z, &c);
	case ZONE_KEPT_STAGE_CHANGES:
		return restore_changes(z, &c, true);
	case ZONE_KEPT_SWAP:
		return restore_swap(z, &c);
	case ZONE_KEPT_MARK:
		return restore_mark(z, &c);
	default:
		return -EBADMSG;
	}
}

int zone_restore(struct proto *proto, const void *bytes, size_t len)
{
	struct zone *z = zone_of(proto);
	struct cursor c = cursor_over(bytes, len);
	uint8_t kind = cursor_u8(&c);
	struct buf text = {0};
	int rc;

	if (!z->skip_to || z->unfinished || kind == ZONE_KEPT_MARK)
		return restore(z, kind, c);
	/* The snapshot has what it says. */
	rc = zone_describe(bytes, len, &text);
	buf_fini(&text);
	return rc;
}

/* --- describe --- */

static int describe_number(struct cursor *c, unsigned more, const char *text, struct buf *out)
{
	uint64_t number = cursor_u64(c);

	while (more-- > 0)
		(void)cursor_u64(c);
	if (!cursor_done(c))
		return -EBADMSG;
	buf_printf(out, "%s %llu", text, (unsigned long long)number);
	return 0;
}

static int describe_part(struct cursor *c, struct buf *out)
{
	struct raft_part part;

	if (raft_part_decode(c, &part))
		return -EBADMSG;
	buf_printf(out, "%u keys as they were after change %llu", part.count,
		(unsigned long long)part.at);
	return 0;
}

static int describe_changes(struct cursor *c, struct buf *out)
{
	struct changes m;

	if (decode_changes(c, &m))
		return -EBADMSG;
	buf_printf(out, "transfer of %u changes, to serial %u", m.count,
		zone_serial(m.index + m.count));
	return 0;
}

int zone_describe(const void *bytes, size_t len, struct buf *out)
{
	struct cursor c = cursor_over(bytes, len);
	struct command command;
	uint8_t kind = cursor_u8(&c);

	switch (kind) {
	case ZONE_KEPT_WRITE:
		if (command_decode(&c, &command) || command.op == PROTO_GET)
			return -EBADMSG;
		command_describe(out, &command);
		return 0;
	case ZONE_KEPT_CHANGES:
	case ZONE_KEPT_STAGE_CHANGES:
		return describe_changes(&c, out);
	case ZONE_KEPT_CONTACT:
		return describe_number(&c, 0, "as the primary's at", out);
	case ZONE_KEPT_BASE:
		(void)cursor_u64(&c);
		return describe_number(&c, 2, "snapshot after change", out);
	case ZONE_KEPT_MARK:
		return describe_number(&c, 0, "a snapshot has what is before mark", out);
	case ZONE_KEPT_STAGE:
		return describe_number(&c, 1, "whole zone as of change", out);
	case ZONE_KEPT_PART:
	case ZONE_KEPT_STAGE_PIECE:
		return describe_part(&c, out);
	case ZONE_KEPT_END:
	case ZONE_KEPT_SWAP:
		buf_printf(out, kind == ZONE_KEPT_END ? "snapshot ends" : "whole zone is in use");
		return cursor_done(&c) ? 0 : -EBADMSG;
	default:
		return -EBADMSG;
	}
}
