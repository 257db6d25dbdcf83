/* SPDX-License-Identifier: MIT */
/*
 * causal_copy.c - the whole table, for a replica that the others' logs do not reach any more
 *
 *   who lacks                                  who has
 *   COPY step, cursor, what it has     -->
 *                                      <--     PART: writes since then; if these are all, the next
 *                                              entries of the table; what that is as of
 *   ...                                        the table's end: it counts
 *
 * Entries gather in a table beside the own one, and on disk. With each turn they become those of a
 * later moment: all parts that are here as of copy.have, which the own table makes up for what it
 * had already. So at the end both together have all that copy.have says, and nothing beyond; then
 * they become one table at once, for half of it would show writes without what they depend on.
 *
 * A turn is a few messages. If one is lost, the turn is asked for anew. Meanwhile this replica
 * takes writes and answers as before; it forgets no tombstones, for the copy may have what they
 * deleted. When the log of who has it is cut faster than parts come, the copy begins again.
 */
#include <errno.h>

#include "store/proto/causal_internal.h"

#define PART_HEADER 1536u

int causal_entries(unsigned nodes, struct cursor m,
	void (*each)(void *arg, const struct table_entry *e), void *arg)
{
	uint32_t count = cursor_u32(&m);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t len;
		const uint8_t *p = cursor_bytes(&m, &len);
		struct cursor one = cursor_over(p, len);
		struct table_entry e;

		if (m.bad || entry_decode(nodes, &one, &e) || !e.version)
			return -EBADMSG;
		if (each)
			each(arg, &e);
	}
	return cursor_done(&m) ? (int)count : -EBADMSG;
}

static void stage_entry(void *arg, const struct table_entry *e)
{
	struct causal *c = arg;

	hlc_seen(&c->clock, e->version);
	causal_merge(c->copy.table, e);
}

static void latest(void *arg, const struct table_entry *e)
{
	uint64_t *version = arg;

	if (e->version > *version)
		*version = e->version;
}

/* As for writes: nothing from the far future may drag this clock along. */
static bool ahead(struct causal *c, struct cursor m)
{
	uint64_t version = 0;

	(void)causal_entries(causal_nodes(c), m, latest, &version);
	if (version <= c->proto.io->wall(c->proto.io) + CAUSAL_AHEAD_NS_MAX)
		return false;
	c->ahead++;
	return true;
}

/* --- who lacks --- */

static void question(struct causal *c)
{
	struct causal_copy *copy = &c->copy;
	struct token has = copy->have;
	struct buf b = {0};

	token_join(&has, &c->have);
	copy->step = ++c->numbers;
	copy->pieces = 0;
	copy->asked_ns = c->proto.io->now(c->proto.io);
	buf_u8(&b, CAUSAL_COPY);
	buf_u64(&b, copy->step);
	buf_u64(&b, copy->cursor);
	buf_u8(&b, copy->first);
	vclock_write(&b, &has);
	c->proto.io->send(c->proto.io, copy->from, b.p, b.len);
	buf_fini(&b);
}

void causal_copy_drop(struct causal *c)
{
	table_close(c->copy.table);
	c->copy = (struct causal_copy){0};
}

static void stage_new(struct causal *c)
{
	causal_copy_drop(c);
	c->copy.active = true;
	c->copy.begun = ++c->numbers;
	c->copy.first = true;
	c->copy.have.n = causal_nodes(c);
	c->copy.table = table_open();
}

void causal_copy_begin(struct causal *c, unsigned from)
{
	/* What is about to be forgotten may come back with the copy. */
	if (c->bury.record)
		return;
	stage_new(c);
	c->copy.from = from;
	causal_persist(c, CAUSAL_RECORD_STAGE_BEGIN, (struct proto_bytes){0});
	question(c);
}

void causal_copy_tick(struct causal *c)
{
	struct causal_copy *copy = &c->copy;

	if (!copy->active || copy->ending || !causal_late(c, copy->asked_ns))
		return;
	if (++copy->tries > CAUSAL_COPY_TRIES)
		causal_copy_drop(c);
	else
		question(c);
}

static void end(struct causal *c)
{
	struct buf b = {0};

	vclock_write(&b, &c->copy.have);
	c->copy.ending = true;
	c->copy.end = causal_persist(
		c, CAUSAL_RECORD_STAGE_END, (struct proto_bytes){b.p, (uint32_t)b.len});
	buf_fini(&b);
}

static void merge(struct causal *c)
{
	const struct table_entry *e;
	size_t at = 0;

	while ((e = table_next(c->copy.table, &at)))
		causal_merge(c->proto.table, e);
	token_join(&c->have, &c->copy.have);
	token_join(&c->taken, &c->copy.have);
	/* The log has none of them. */
	token_join(&c->cut, &c->copy.have);
	c->replaced++;
	causal_copy_drop(c);
}

void causal_copy_show(struct causal *c)
{
	merge(c);
	causal_drain(c);
}

struct part {
	uint64_t step;
	uint64_t answer; /* its number: a question that came twice has two */
	uint64_t to;     /* cursor behind it */
	uint8_t piece;
	uint8_t pieces; /* 0: the log begins too late, start again */
	bool done;      /* that was the table's end */
	struct token have;
};

static int decode_part(const struct causal *c, struct cursor *m, struct part *ret)
{
	uint8_t done;

	ret->step = cursor_u64(m);
	ret->answer = cursor_u64(m);
	ret->to = cursor_u64(m);
	ret->piece = cursor_u8(m);
	ret->pieces = cursor_u8(m);
	done = cursor_u8(m);
	ret->done = done;
	if (causal_vector(c, m, &ret->have) || done > 1 || ret->pieces > CAUSAL_PIECES_MAX ||
		ret->piece >= (ret->pieces ? ret->pieces : 1) ||
		causal_entries(causal_nodes(c), *m, NULL, NULL) < 0)
		return -EBADMSG;
	return 0;
}

static void turn_over(struct causal *c, const struct part *part)
{
	struct causal_copy *copy = &c->copy;

	causal_answered(c, copy->asked_ns);
	copy->tries = 0;
	copy->first = false;
	copy->cursor = part->to;
	token_join(&copy->have, &part->have);
	if (part->done)
		end(c);
	else
		question(c);
}

int causal_on_part(struct causal *c, unsigned from, struct cursor *m)
{
	struct causal_copy *copy = &c->copy;
	struct part part;

	if (decode_part(c, m, &part))
		return -EBADMSG;
	if (!copy->active || copy->ending || from != copy->from || part.step != copy->step)
		return 0;
	if (!part.pieces) {
		causal_copy_begin(c, from);
		return 0;
	}
	if (part.answer != copy->answer)
		copy->pieces = 0;
	copy->answer = part.answer;
	if (copy->pieces >> part.piece & 1 || ahead(c, *m))
		return 0;
	copy->pieces |= 1u << part.piece;
	causal_persist(c, CAUSAL_RECORD_STAGE, (struct proto_bytes){m->p, (uint32_t)m->left});
	(void)causal_entries(causal_nodes(c), *m, stage_entry, c);
	if (__builtin_popcount(copy->pieces) == part.pieces)
		turn_over(c, &part);
	return 0;
}

/* --- from records --- */

int causal_stage_begin(struct causal *c, struct cursor *m)
{
	if (!cursor_done(m))
		return -EBADMSG;
	stage_new(c);
	return 0;
}

/* Without a beginning: a snapshot was taken when the copy had ended already, well or not. */
int causal_stage(struct causal *c, struct cursor *m)
{
	if (causal_entries(causal_nodes(c), *m, NULL, NULL) < 0)
		return -EBADMSG;
	if (c->copy.active)
		(void)causal_entries(causal_nodes(c), *m, stage_entry, c);
	return 0;
}

int causal_stage_end(struct causal *c, struct cursor *m)
{
	struct token have;

	if (causal_vector(c, m, &have) || !cursor_done(m))
		return -EBADMSG;
	if (!c->copy.active)
		return 0;
	token_join(&c->copy.have, &have);
	merge(c);
	return 0;
}

/* --- who has --- */

/* The messages of one turn, each with its entries; their heads are written when all is known. */
struct turn {
	struct causal_list piece[CAUSAL_PIECES_MAX];
	unsigned pieces;
	size_t bytes;
	bool full; /* more than CAUSAL_PIECES_MAX: so much shares one place of the table */
};

static void turn_add(struct turn *t, const struct table_entry *e)
{
	struct causal_list *last = t->pieces ? &t->piece[t->pieces - 1] : NULL;
	struct buf one = {0};

	entry_encode(&one, e);
	if (!last || last->items.len + one.len > PROTO_MESSAGE_MAX - PART_HEADER) {
		t->full = t->full || t->pieces == CAUSAL_PIECES_MAX;
		last = t->full ? NULL : &t->piece[t->pieces++];
	}
	if (last)
		causal_list_add(last, one.p, one.len);
	t->bytes += one.len;
	buf_fini(&one);
}

static void turn_add_entry(void *arg, const struct table_entry *e)
{
	turn_add(arg, e);
}

/* Writes since @has, which becomes what has been added. Return: whether these are all. */
static bool add_writes(struct causal *c, struct turn *t, struct token *has)
{
	for (uint64_t i = c->log.first; i < c->visible; i++) {
		const struct causal_entry *e = ring_at(&c->log, i);
		struct causal_write w;

		if (e->seq <= has->at[e->origin])
			continue;
		if (t->bytes > CAUSAL_GIVEN_BYTES)
			return false;
		if (causal_decode(causal_nodes(c), (struct proto_bytes){e->bytes, e->len}, &w))
			continue; /* it was decoded or encoded here before */
		turn_add(t, &w.entry);
		has->at[e->origin] = e->seq;
	}
	return true;
}

/* Return: cursor behind it. */
static uint64_t add_table(struct causal *c, struct turn *t, uint64_t cursor)
{
	size_t until = t->bytes + CAUSAL_GIVEN_BYTES;

	do {
		cursor = table_scan(c->proto.table, cursor, turn_add_entry, t);
	} while (cursor && t->bytes < until);
	return cursor;
}

static void send_turn(struct causal *c, unsigned to, struct turn *t, const struct part *part)
{
	for (unsigned i = 0; i == 0 || i < part->pieces; i++) {
		struct buf b = {0};

		buf_u8(&b, CAUSAL_PART);
		buf_u64(&b, part->step);
		buf_u64(&b, part->answer);
		buf_u64(&b, part->to);
		buf_u8(&b, (uint8_t)i);
		buf_u8(&b, part->pieces);
		buf_u8(&b, part->done);
		vclock_write(&b, &part->have);
		causal_list_end(&t->piece[i], &b);
		if (!t->full)
			c->proto.io->send(c->proto.io, to, b.p, b.len);
		buf_fini(&b);
	}
}

int causal_on_copy(struct causal *c, unsigned from, struct cursor *m)
{
	struct part part = {.step = cursor_u64(m), .to = cursor_u64(m)};
	uint8_t first = cursor_u8(m);
	struct turn t = {0};
	bool all = true;

	if (causal_vector(c, m, &part.have) || !cursor_done(m) || first > 1)
		return -EBADMSG;
	if (first) {
		part.to = 0; /* the table as it is now has all */
	} else if (!vclock_covers(&part.have, &c->cut)) {
		send_turn(c, from, &t, &part); /* without a piece */
		return 0;
	} else {
		all = add_writes(c, &t, &part.have);
	}
	if (all) {
		part.to = add_table(c, &t, part.to);
		part.done = part.to == 0;
		token_join(&part.have, &c->have);
	}
	part.pieces = (uint8_t)(t.pieces ? t.pieces : 1);
	part.answer = ++c->numbers;
	send_turn(c, from, &t, &part);
	return 0;
}
