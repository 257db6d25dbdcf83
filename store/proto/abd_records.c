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
#include "store/proto/walk.h"

enum stage { STAGE_BEGIN, STAGE_PENDING, STAGE_TABLE, STAGE_END };

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

int abd_describe(const void *bytes, size_t len, struct buf *out)
{
	struct cursor c = cursor_over(bytes, len);
	uint64_t reserved;

	switch (cursor_u8(&c)) {
	case ABD_RECORD_ENTRY:
		return entry_describe(&c, "timestamp", out);
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

static void give_entry(void *w, const struct table_entry *e)
{
	struct buf b = {0};

	buf_u8(&b, ABD_RECORD_ENTRY);
	entry_encode(&b, e);
	walk_give(w, &b);
}

static bool pending_step(struct walk *w)
{
	const struct abd_write *pending = walk_pending(w, &abd_of(w->p)->writes);

	if (pending && !pending->reserved)
		give_entry(w, &pending->entry);
	return pending;
}

static void step(struct walk *w)
{
	struct abd *a = abd_of(w->p);
	struct buf b = {0};

	switch ((enum stage)w->s->stage) {
	case STAGE_BEGIN:
		encode_reserved(&b, a->reserving);
		walk_give(w, &b);
		walk_begin(w, &a->writes);
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

bool abd_snapshot(struct proto *p, struct proto_snapshot *s)
{
	return walk_steps(&(struct walk){.p = p, .s = s}, STAGE_END, step);
}
