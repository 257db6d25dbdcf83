/* SPDX-License-Identifier: MIT */
/*
 * primary_copy.c - a replica gets the primary's table: its log has parted, or is too far behind
 *
 *   primary                                    replica
 *   OFFER  number, where the log stands -->    opens an empty table beside its own
 *                                       <--    STAGED cursor
 *   PIECE  of a part of the table       -->    to the table and to the disk
 *                                       <--    STAGED pieces
 *   ...                                        all is there: SWAP. Its log ends at the base now
 *                                       <--    STAGED done; it goes on after the base
 *
 * The table is not frozen meanwhile: parts are as of different indexes, and the entries after the
 * base make it exact (raft_copy.c). Until SWAP the own table serves; a crash before SWAP is on disk
 * finds the old one. What is lost with the old log is counted: the entries after the last one that
 * both logs share.
 *
 * Pieces are numbered within an attempt. After a loss the next heartbeat begins another attempt at
 * the last whole part; if half a part is here, the copy begins again, for a key that has been
 * deleted meanwhile would be in the first half only.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/primary_internal.h"

/* --- the primary --- */

static void send_offer(struct primary *p, unsigned to)
{
	struct buf b = {0};

	buf_u8(&b, PRIMARY_OFFER);
	buf_u64(&b, p->epoch);
	buf_u64(&b, p->peer[to].transfer->number);
	buf_u64(&b, primary_last(p));
	primary_runs_encode(&b, &p->runs, primary_last(p));
	buf_u64(&b, p->peer[to].transfer->index);
	buf_u64(&b, p->state.clock_ns);
	p->proto.io->send(p->proto.io, to, b.p, b.len);
	buf_fini(&b);
}

static void send_part(struct primary *p, unsigned to)
{
	struct primary_transfer *t = p->peer[to].transfer;
	struct raft_part part = {.from = t->cursor, .at = p->applied};
	struct buf all = {0};
	struct cursor c;

	part.to = raft_part_collect(p->proto.table, t->cursor, t->parts++, &all);
	c = cursor_over(all.p, all.len);
	do {
		struct buf b = {0};

		part.entries = raft_part_piece(&c);
		part.more = c.left > 0;
		buf_u8(&b, PRIMARY_PIECE);
		buf_u64(&b, p->epoch);
		buf_u64(&b, t->number);
		buf_u64(&b, t->attempt);
		buf_u64(&b, t->piece++);
		raft_part_encode(&b, &part);
		p->proto.io->send(p->proto.io, to, b.p, b.len);
		buf_fini(&b);
	} while (part.more);
	buf_fini(&all);
	t->cursor = part.to;
	t->all_sent = part.to == 0;
}

static void send_window(struct primary *p, unsigned to)
{
	struct primary_transfer *t = p->peer[to].transfer;

	while (!t->all_sent && t->piece - t->got < PRIMARY_WINDOW_PIECES)
		send_part(p, to);
}

void primary_transfer_begin(struct primary *p, unsigned to)
{
	struct primary_peer *peer = &p->peer[to];

	primary_transfer_end(peer);
	peer->transfer = calloc(1, sizeof(*peer->transfer));
	assert(peer->transfer);
	peer->transfer->number = ++p->transfers;
	peer->transfer->index = p->applied;
	/*
	 * Its log will end there. What it has acknowledged beyond is taken back: nobody was
	 * answered for that, for all that was answered is done here.
	 */
	if (peer->match > p->applied)
		peer->match = p->applied;
	peer->transfer->moved = true;
	send_offer(p, to);
}

void primary_transfer_end(struct primary_peer *peer)
{
	free(peer->transfer);
	peer->transfer = NULL;
}

void primary_transfer_heartbeat(struct primary *p, unsigned to)
{
	struct primary_transfer *t = p->peer[to].transfer;

	/* Slower than the writes: what comes after the base is forgotten. */
	if (t->index + 1 < p->log.entries.first) {
		primary_transfer_begin(p, to);
		return;
	}
	if (!t->moved)
		send_offer(p, to);
	t->moved = false;
}

struct staged {
	uint64_t epoch;
	uint64_t number;
	uint64_t attempt;
	uint64_t pieces;
	uint64_t cursor;
	uint8_t open;
	uint8_t again; /* the offer was heard, now or again */
	uint8_t done;
};

static int decode_staged(struct cursor *c, struct staged *ret)
{
	ret->epoch = cursor_u64(c);
	ret->number = cursor_u64(c);
	ret->attempt = cursor_u64(c);
	ret->pieces = cursor_u64(c);
	ret->cursor = cursor_u64(c);
	ret->open = cursor_u8(c);
	ret->again = cursor_u8(c);
	ret->done = cursor_u8(c);
	return !cursor_done(c) || ret->epoch == 0 || ret->epoch > RAFT_NUMBER_MAX ||
			       ret->open > 1 || ret->again > 1 || ret->done > 1
		       ? -EBADMSG
		       : 0;
}

static void copied(struct primary *p, unsigned to)
{
	struct primary_peer *peer = &p->peer[to];

	peer->next = peer->transfer->index + 1;
	peer->done = peer->transfer->number;
	primary_transfer_end(peer);
	primary_ship(p, to, true);
}

/* From the last whole part on, since something was lost, or for the first time. */
static void attempt(struct primary *p, unsigned to, const struct staged *s)
{
	struct primary_transfer *t = p->peer[to].transfer;

	if (s->open) {
		primary_transfer_begin(p, to);
		return;
	}
	t->agreed = true;
	t->attempt = (s->attempt > t->attempt ? s->attempt : t->attempt) + 1;
	t->piece = 0;
	t->got = 0;
	t->cursor = s->cursor;
	t->all_sent = false;
	send_window(p, to);
}

int primary_on_staged(struct primary *p, unsigned from, struct cursor *c)
{
	struct primary_transfer *t = p->peer[from].transfer;
	struct staged s;

	if (decode_staged(c, &s))
		return -EBADMSG;
	if (s.epoch > p->epoch)
		primary_adopt(p, s.epoch);
	if (s.epoch != p->epoch || !primary_leads(p) || !t || s.number != t->number)
		return 0;
	p->peer[from].answered_ns = primary_now(p);
	if (s.done) {
		copied(p, from);
	} else if (s.again) {
		/* Of two answers to one offer, the second comes while pieces are on their way. */
		if (!t->agreed || !t->moved)
			attempt(p, from, &s);
		if (p->peer[from].transfer)
			p->peer[from].transfer->moved = true;
	} else if (s.attempt == t->attempt && s.pieces > t->got && s.pieces <= t->piece) {
		t->moved = true;
		t->got = s.pieces;
		send_window(p, from);
	}
	return 0;
}

/* --- the replica --- */

static void send_staged(struct primary *p, uint64_t number, bool again)
{
	const struct primary_staging *s = &p->staging;
	struct buf b = {0};

	if (!primary_known(p))
		return;
	buf_u8(&b, PRIMARY_STAGED);
	buf_u64(&b, p->epoch);
	buf_u64(&b, number);
	buf_u64(&b, s->attempt);
	buf_u64(&b, s->piece);
	buf_u64(&b, s->copy.cursor);
	buf_u8(&b, s->part_open);
	buf_u8(&b, again);
	buf_u8(&b, number == p->done);
	p->proto.io->send(p->proto.io, primary_owner(p, p->epoch), b.p, b.len);
	buf_fini(&b);
}

void primary_staging_drop(struct primary *p)
{
	struct primary_staging *s = &p->staging;

	table_close(s->table);
	ring_fini(&s->base.runs);
	raft_copy_fini(&s->copy);
	*s = (struct primary_staging){.copy = s->copy};
}

void primary_staging_begin(struct primary *p, struct primary_base *base)
{
	primary_staging_drop(p);
	p->staging.table = table_open();
	p->staging.base = *base;
	*base = (struct primary_base){0};
}

void primary_staging_swap(struct primary *p)
{
	struct primary_staging *s = &p->staging;
	struct primary_base *base = &s->base;

	primary_runs_copy(&p->runs, &base->runs, base->index);
	raft_log_reset(&p->log, base->index,
		ring_count(&p->runs)
			? ((struct primary_run *)ring_at(&p->runs, p->runs.next - 1))->epoch
			: 0);
	p->applied = base->index;
	buf_fini(&p->state.before);
	p->state = (struct command_state){.clock_ns = base->clock_ns};
	table_swap(p->proto.table, s->table);
	raft_copy_fini(&p->copy);
	p->copy = s->copy;
	raft_copy_init(&s->copy);
	if (s->lost) {
		p->lost = s->lost;
		p->lost_all += s->lost;
	}
	primary_staging_drop(p);
	if (primary_exact(p))
		raft_copy_fini(&p->copy);
}

static void record_stage(struct primary *p)
{
	const struct primary_staging *s = &p->staging;
	struct buf b = {0};

	buf_u8(&b, PRIMARY_RECORD_STAGE);
	buf_u64(&b, s->lost);
	buf_u64(&b, s->base.index);
	buf_u64(&b, s->base.clock_ns);
	primary_runs_encode(&b, &s->base.runs, s->base.index);
	(void)p->proto.io->persist(p->proto.io, b.p, b.len);
	buf_fini(&b);
}

static void stage(struct primary *p, const struct ring *runs, uint64_t last,
	struct primary_base *base, uint64_t number)
{
	uint64_t lost = primary_last(p) - primary_common(p, runs, last);

	primary_runs_copy(&base->runs, runs, base->index);
	primary_staging_begin(p, base);
	p->staging.number = number;
	p->staging.lost = lost;
	p->staging.moved_ns = primary_now(p);
	record_stage(p);
}

/* Who has what is offered, and nothing else, needs no copy. */
static void consider(struct primary *p, const struct ring *runs, uint64_t last,
	struct primary_base *base, uint64_t number)
{
	uint64_t mine = primary_last(p);

	if (primary_common(p, runs, last) < mine || base->index > mine) {
		stage(p, runs, last, base, number);
		return;
	}
	p->done = number;
	primary_record_epoch(p);
}

int primary_on_offer(struct primary *p, unsigned from, struct cursor *c)
{
	uint64_t epoch = cursor_u64(c);
	uint64_t number = cursor_u64(c);
	uint64_t last = cursor_u64(c);
	struct primary_base base = {0};
	struct ring runs;
	int rc = -EBADMSG;

	if (primary_runs_decode(c, last, &runs))
		return -EBADMSG;
	base.index = cursor_u64(c);
	base.clock_ns = cursor_u64(c);
	if (cursor_done(c) && number && base.index <= last)
		rc = primary_hear(p, from, epoch);
	/* An offer that was overtaken by a later one is none. */
	if (rc > 0 && number > p->done && (!p->staging.table || number > p->staging.number))
		consider(p, &runs, last, &base, number);
	if (rc > 0 && (number == p->done || number == p->staging.number))
		send_staged(p, number, true);
	ring_fini(&base.runs);
	ring_fini(&runs);
	return rc < 0 ? rc : 0;
}

static void take_over(struct primary *p)
{
	uint64_t base = p->staging.base.index;
	struct buf b = {0};

	primary_record(p);
	p->done = p->staging.number;
	primary_staging_swap(p);
	buf_u8(&b, PRIMARY_RECORD_SWAP);
	buf_u64(&b, p->done);
	raft_log_mark(&p->log, p->proto.io->persist(p->proto.io, b.p, b.len), base);
	buf_fini(&b);
	p->agreed = base;
	p->answer_owed = true;
}

/* Whether it is the next piece of the newest attempt. */
static bool next_piece(struct primary_staging *s, uint64_t attempt, uint64_t piece)
{
	if (attempt > s->attempt) {
		if (piece || s->part_open)
			return false;
		s->attempt = attempt;
		s->piece = 0;
	}
	return attempt == s->attempt && piece == s->piece;
}

static void take_piece(struct primary *p, const struct raft_part *part)
{
	struct primary_staging *s = &p->staging;
	struct proto_io *io = p->proto.io;
	struct buf b = {0};

	raft_part_put(s->table, part);
	s->piece++;
	s->part_open = part->more;
	s->moved_ns = io->now(io);
	buf_u8(&b, PRIMARY_RECORD_STAGE_PIECE);
	raft_part_encode(&b, part);
	(void)io->persist(io, b.p, b.len);
	buf_fini(&b);
}

int primary_on_piece(struct primary *p, unsigned from, struct cursor *c)
{
	struct primary_staging *s = &p->staging;
	uint64_t epoch = cursor_u64(c);
	uint64_t number = cursor_u64(c);
	uint64_t attempt_number = cursor_u64(c);
	uint64_t piece = cursor_u64(c);
	struct raft_part part;
	int rc;

	if (raft_part_decode(c, &part))
		return -EBADMSG;
	rc = primary_hear(p, from, epoch);
	if (rc <= 0)
		return rc;
	if (!s->table || number != s->number || !next_piece(s, attempt_number, piece))
		return 0;
	if (s->copy.complete || part.from != s->copy.cursor || part.at < s->base.index)
		return 0;
	/* More parts than one copy may have: it will never be complete. */
	if (!part.more && raft_copy_add(&s->copy, part.from, part.to, part.at))
		return 0;
	take_piece(p, &part);
	if (s->copy.complete)
		take_over(p);
	send_staged(p, number, false);
	return 0;
}
