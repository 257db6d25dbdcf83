/* SPDX-License-Identifier: MIT */
/*
 * raft_copy.c - a table that is copied in parts while it changes, and how it becomes exact again
 *
 * A copy has a base: the applied index when it began. It is cut into parts along the order of
 * table_scan(); the part from one place to another is the table as it was at some index at or after
 * the base. To be exact, every entry after the base is applied once more, except to keys of a part
 * that has seen it already. That needs no versions and no tombstones: a key that is absent from a
 * part was absent then. The highest index of a part is where the whole is exact: nothing may be
 * answered from the table before that.
 *
 * Several values of full length may share one place in the scan. So a part may come in pieces that
 * fit a message: only the last one counts as the part. Pieces of a part that is begun anew as of
 * another index are forgotten first: a key may have gone since, or have come since.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/raft_internal.h"
#include "store/proto/walk.h"

/* Places of a table that one part covers, at most: an empty table is walked, too. */
#define PART_STEPS 1024u
/* Parts grow with their number, so that a copy of any size has less than RAFT_PARTS_MAX. */
#define PARTS_BEFORE_DOUBLING 8192u

void raft_copy_init(struct raft_copy *copy)
{
	*copy = (struct raft_copy){0};
	ring_init(&copy->ranges, sizeof(struct raft_range), 0);
}

void raft_copy_fini(struct raft_copy *copy)
{
	ring_fini(&copy->ranges);
	raft_copy_init(copy);
}

int raft_copy_add(struct raft_copy *copy, uint64_t from, uint64_t to, uint64_t at)
{
	struct raft_range *range;

	if (copy->complete || from != copy->cursor || (to && to <= from) ||
		ring_count(&copy->ranges) >= RAFT_PARTS_MAX)
		return -EBADMSG;
	range = ring_push(&copy->ranges);
	*range = (struct raft_range){.from = from, .at = at};
	copy->cursor = to;
	copy->complete = to == 0;
	if (at > copy->exact)
		copy->exact = at;
	return 0;
}

uint64_t raft_copy_at(const struct raft_copy *copy, struct proto_bytes key)
{
	uint64_t place = table_place(key);
	uint64_t low = 0, high = ring_count(&copy->ranges);

	/* The last range that begins at or before the place; the first one begins at 0. */
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		const struct raft_range *range = ring_at(&copy->ranges, middle);

		if (range->from <= place)
			low = middle;
		else
			high = middle;
	}
	return high ? ((const struct raft_range *)ring_at(&copy->ranges, low))->at : 0;
}

void raft_copy_settle(struct raft *r)
{
	if (raft_exact(r) && ring_count(&r->copy.ranges))
		raft_copy_fini(&r->copy);
}

struct collect {
	struct buf *out;
	uint64_t from;
};

static void collect(void *arg, const struct table_entry *e)
{
	struct collect *walk = arg;
	struct buf *b = walk->out;

	/* A copy that began in a larger table may be in the middle of a place of this one. */
	if (table_place(e->key) < walk->from || e->deleted)
		return;
	buf_bytes(b, e->key.p, e->key.len);
	buf_bytes(b, e->value.p, e->value.len);
	buf_u64(b, e->version);
	buf_u64(b, e->expires_ns);
	buf_u8(b, e->deleted);
}

static struct table_entry decode_entry(struct cursor *c)
{
	struct table_entry e = {0};
	uint8_t deleted;

	e.key.p = cursor_bytes(c, &e.key.len);
	e.value.p = cursor_bytes(c, &e.value.len);
	e.version = cursor_u64(c);
	e.expires_ns = cursor_u64(c);
	deleted = cursor_u8(c);
	e.deleted = deleted;
	if (deleted > 1 || e.key.len > PROTO_KEY_MAX || e.value.len > PROTO_VALUE_MAX)
		c->bad = true;
	return e;
}

uint64_t raft_part_collect(const struct table *t, uint64_t cursor, uint64_t parts, struct buf *out)
{
	struct collect walk = {.out = out, .from = cursor};
	size_t limit = (size_t)PROTO_SNAPSHOT_PART << (parts / PARTS_BEFORE_DOUBLING);
	size_t steps = (size_t)PART_STEPS << (parts / PARTS_BEFORE_DOUBLING);

	do
		cursor = table_scan(t, cursor, collect, &walk);
	while (cursor && out->len < limit && --steps);
	return cursor;
}

struct proto_bytes raft_part_piece(struct cursor *c)
{
	struct proto_bytes piece = {.p = c->p};

	while (c->left) {
		struct cursor before = *c;
		uint32_t len;

		(void)decode_entry(c);
		len = (uint32_t)(c->p - piece.p);
		if (len > RAFT_PIECE_BYTES && piece.len) {
			*c = before;
			break;
		}
		piece.len = len;
	}
	return piece;
}

void raft_part_encode(struct buf *b, const struct raft_part *part)
{
	buf_u64(b, part->from);
	buf_u64(b, part->to);
	buf_u64(b, part->at);
	buf_u8(b, part->more);
	buf_add(b, part->entries.p, part->entries.len);
}

bool raft_part_give(struct proto_snapshot *s, uint8_t kind, const struct table *t, uint64_t at)
{
	struct raft_part part = {.from = s->cursor, .at = at};
	struct buf all = {0}, b = {0};
	struct cursor c;

	part.to = raft_part_collect(t, s->cursor, s->index[1]++, &all);
	c = cursor_over(all.p, all.len);
	do {
		part.entries = raft_part_piece(&c);
		part.more = c.left > 0;
		buf_u8(&b, kind);
		raft_part_encode(&b, &part);
		walk_record(s, &b);
	} while (part.more);
	buf_fini(&all);
	buf_fini(&b);
	s->cursor = part.to;
	return part.to > 0;
}

int raft_part_decode(struct cursor *c, struct raft_part *ret)
{
	uint8_t more;

	ret->from = cursor_u64(c);
	ret->to = cursor_u64(c);
	ret->at = cursor_u64(c);
	more = cursor_u8(c);
	ret->more = more;
	ret->entries = (struct proto_bytes){.p = c->p, .len = (uint32_t)c->left};
	ret->count = 0;
	if (c->bad || ret->at > RAFT_NUMBER_MAX || more > 1 || (ret->to && ret->to <= ret->from))
		return -EBADMSG;
	while (c->left) {
		struct table_entry e = decode_entry(c);

		if (c->bad || e.version > ret->at || table_place(e.key) < ret->from)
			return -EBADMSG;
		if (ret->to && table_place(e.key) >= ret->to)
			return -EBADMSG;
		ret->count++;
	}
	return 0;
}

int raft_part_describe(struct cursor *c, const char *what, struct buf *out)
{
	struct raft_part part;

	if (raft_part_decode(c, &part))
		return -EBADMSG;
	buf_printf(out, "%s from %016llx to %016llx%s, %u keys", what,
		(unsigned long long)part.from, (unsigned long long)part.to - 1,
		part.more ? " (a piece)" : "", part.count);
	if (part.at < RAFT_NUMBER_MAX)
		buf_printf(out, " as they were after entry %llu", (unsigned long long)part.at);
	return 0;
}

int raft_word_describe(const struct cursor *c, const char *what, struct buf *out)
{
	if (!cursor_done(c))
		return -EBADMSG;
	buf_printf(out, "%s", what);
	return 0;
}

void raft_part_put(struct table *t, const struct raft_part *part)
{
	struct cursor c = cursor_over(part->entries.p, part->entries.len);

	while (c.left) {
		struct table_entry e = decode_entry(&c);

		assert(!c.bad); /* it was checked */
		table_put(t, &e);
	}
}

static void collect_key(void *arg, const struct table_entry *e)
{
	struct collect *walk = arg;

	if (table_place(e->key) >= walk->from)
		buf_bytes(walk->out, e->key.p, e->key.len);
}

void raft_part_clear(struct table *t, uint64_t from)
{
	struct buf keys = {0};
	struct collect walk = {.out = &keys, .from = from};
	uint64_t cursor = from;

	do {
		struct cursor c;

		keys.len = 0;
		cursor = table_scan(t, cursor, collect_key, &walk);
		c = cursor_over(keys.p, keys.len);
		while (c.left) {
			struct proto_bytes key;

			key.p = cursor_bytes(&c, &key.len);
			table_remove(t, key);
		}
	} while (cursor);
	buf_fini(&keys);
}

void raft_base_encode(struct buf *b, const struct raft_base *base)
{
	buf_u64(b, base->index);
	buf_u64(b, base->term);
	buf_u64(b, base->clock_ns);
	raft_members_encode(b, &base->members);
}

int raft_base_decode(struct cursor *c, unsigned nodes, struct raft_base *ret)
{
	ret->index = cursor_u64(c);
	ret->term = cursor_u64(c);
	ret->clock_ns = cursor_u64(c);
	if (ret->index > RAFT_NUMBER_MAX || ret->term > RAFT_NUMBER_MAX ||
		!ret->index != !ret->term)
		return -EBADMSG;
	return raft_members_decode(c, nodes, &ret->members);
}

struct raft_base raft_base_now(const struct raft *r)
{
	return (struct raft_base){
		.index = r->applied,
		.term = raft_log_term(&r->log, r->applied),
		.clock_ns = r->state.clock_ns,
		.members = *raft_members_applied(r),
	};
}

void raft_base_take(struct raft *r, const struct raft_base *base)
{
	struct raft_log *log = &r->log;

	/* Paper, section 7: what follows an entry that agrees is kept, else the log goes. */
	if (base->index < log->entries.next && raft_log_term(log, base->index) == base->term)
		raft_log_forget(log, base->index);
	else
		raft_log_reset(log, base->index, base->term);
	r->commit = base->index;
	r->applied = base->index;
	buf_fini(&r->state.before);
	r->state = (struct command_state){.clock_ns = base->clock_ns};
	raft_changes_reset(r, base->index, &base->members);
	for (uint64_t i = log->entries.first; i < log->entries.next; i++)
		raft_changes_appended(r, i);
}
