/* SPDX-License-Identifier: MIT */
/*
 * abd_records.c - the log of a replica of a shared register, and its snapshot
 *
 * Entries may be restored in any order and any number of times: the newest stays. So a snapshot is
 * what has been set aside, what had been given to the disk but was not there yet when it began
 * (that is not in the table, and its record may be forgotten), and the table.
 */
#include <errno.h>

#include "store/proto/abd_internal.h"
#include "store/proto/command.h"

enum stage { STAGE_BEGIN, STAGE_PENDING, STAGE_TABLE, STAGE_END };

/* A step of a walk that shows nothing costs time, too. */
#define STEP_BYTES 64u

void abd_merge(struct abd *a, const struct table_entry *e)
{
	if (abd_later(e, table_get(a->proto.table, e->key)))
		table_put(a->proto.table, e);
}

static struct abd_write *persist(struct abd *a, const struct buf *b)
{
	struct proto_io *io = a->proto.io;
	struct abd_write *w = ring_push(&a->writes);

	w->seq = io->persist(io, b->p, b->len);
	return w;
}

void abd_store(struct abd *a, const struct table_entry *e, unsigned from, uint64_t id, bool told)
{
	struct abd_write *w;
	struct buf b = {0};

	buf_u8(&b, ABD_RECORD_ENTRY);
	entry_encode(&b, e);
	w = persist(a, &b);
	buf_fini(&b);
	w->from = from;
	w->id = id;
	w->told = told;
	w->key = entry_copy(&w->entry, e);
}

static void encode_reserved(struct buf *b, uint64_t reserved)
{
	buf_u8(b, ABD_RECORD_RESERVED);
	buf_u64(b, reserved);
}

void abd_reserve(struct abd *a, uint64_t number)
{
	struct abd_write *w;
	struct buf b = {0};

	if (number + ABD_RESERVE > a->reserving)
		a->reserving = number + ABD_RESERVE;
	encode_reserved(&b, a->reserving);
	w = persist(a, &b);
	buf_fini(&b);
	w->from = a->proto.cfg.self;
	w->reserved = a->reserving;
}

int abd_restore(struct proto *p, const void *bytes, size_t len)
{
	struct abd *a = abd_of(p);
	struct cursor c = cursor_over(bytes, len);
	struct table_entry e;
	uint64_t reserved;

	switch (cursor_u8(&c)) {
	case ABD_RECORD_ENTRY:
		if (entry_decode(abd_nodes(a), &c, &e) || !e.version)
			return -EBADMSG;
		abd_merge(a, &e);
		return 0;
	case ABD_RECORD_RESERVED:
		reserved = cursor_u64(&c);
		if (!cursor_done(&c) || reserved > ENTRY_VERSION_MAX)
			return -EBADMSG;
		if (reserved > a->reserved)
			a->reserved = a->reserving = reserved;
		return 0;
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
	buf_printf(out, ", timestamp %llu of replica %u", (unsigned long long)e.version, e.origin);
	return 0;
}

int abd_describe(const void *bytes, size_t len, struct buf *out)
{
	struct cursor c = cursor_over(bytes, len);
	uint64_t reserved;

	switch (cursor_u8(&c)) {
	case ABD_RECORD_ENTRY:
		return describe_entry(&c, out);
	case ABD_RECORD_RESERVED:
		reserved = cursor_u64(&c);
		if (!cursor_done(&c) || reserved > ENTRY_VERSION_MAX)
			return -EBADMSG;
		buf_printf(out, "numbers up to %llu are set aside", (unsigned long long)reserved);
		return 0;
	default:
		return -EBADMSG;
	}
}

/* One part of a snapshot. */
struct part {
	struct abd *a;
	struct proto_snapshot *s;
	size_t bytes;
};

static void give(struct part *part, struct buf *b)
{
	part->s->record(part->s->arg, b->p, b->len);
	part->bytes += b->len;
	buf_fini(b);
}

static void give_entry(void *arg, const struct table_entry *e)
{
	struct buf b = {0};

	buf_u8(&b, ABD_RECORD_ENTRY);
	entry_encode(&b, e);
	give(arg, &b);
}

/* index[0] is the next of what was on its way to the disk, index[1] is behind the last. Those that
 * have arrived meanwhile are in the table, which is walked later. */
static bool pending_step(struct part *part)
{
	struct proto_snapshot *s = part->s;
	const struct ring *writes = &part->a->writes;
	const struct abd_write *w;

	if (s->index[0] < writes->first)
		s->index[0] = writes->first;
	if (s->index[0] >= s->index[1])
		return false;
	w = ring_at(writes, s->index[0]++);
	if (!w->reserved)
		give_entry(part, &w->entry);
	return true;
}

static void step(struct part *part)
{
	struct proto_snapshot *s = part->s;
	struct buf b = {0};

	switch ((enum stage)s->stage) {
	case STAGE_BEGIN:
		encode_reserved(&b, part->a->reserving);
		give(part, &b);
		s->index[0] = part->a->writes.first;
		s->index[1] = part->a->writes.next;
		s->stage = STAGE_PENDING;
		break;
	case STAGE_PENDING:
		if (!pending_step(part))
			s->stage = STAGE_TABLE;
		break;
	case STAGE_TABLE:
		s->cursor = table_scan(part->a->proto.table, s->cursor, give_entry, part);
		if (!s->cursor)
			s->stage = STAGE_END;
		break;
	case STAGE_END:
		break;
	}
	part->bytes += STEP_BYTES;
}

bool abd_snapshot(struct proto *p, struct proto_snapshot *s)
{
	struct part part = {.a = abd_of(p), .s = s};

	while (s->stage != STAGE_END && part.bytes < PROTO_SNAPSHOT_PART)
		step(&part);
	return s->stage != STAGE_END;
}
