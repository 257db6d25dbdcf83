/* SPDX-License-Identifier: MIT */
/*
 * raft_transfer.c - a follower that is behind what the leader has forgotten gets its table
 *
 *   leader                                     follower
 *   OFFER  base                       -->      stages this base, or says what it has staged
 *                                     <--      STAGED base, cursor
 *   PART   from, to, at, entries      -->      to the disk, in the order of the table's scan
 *                                     <--      STAGED base, cursor, when it is on disk
 *   ...                                        all is there: SWAP, the table is its own
 *                                     <--      APPENDED: it goes on after the base
 *
 * Paper, section 7, and dissertation, chapter 5; but the table is not frozen. Parts are as of
 * different indexes, and the entries after the base make it exact (raft_copy.c). So a transfer may
 * go on under another leader, which has the entries after the same base in its log, and from any
 * cursor, for all tables are scanned in the same order. The leader remembers nothing else; what the
 * follower has staged is in its log, and stays so over a crash. Its own table serves and counts
 * until SWAP is in its log, too: a restart finds either the old or the new state.
 *
 * A leader keeps the entries after the base of a transfer, up to RAFT_HOLD_BYTES. If that is not
 * enough, because the follower is slower than the writes, the transfer begins again with a newer
 * base. Pieces are numbered within an attempt; after a loss the next heartbeat makes another one.
 * So does an answer that takes longer than a heartbeat: what it says then counts for later
 * attempts.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/raft_internal.h"

/* --- the leader --- */

static void send_offer(struct raft *r, unsigned to)
{
	struct raft_transfer *t = r->peer[to].transfer;
	struct buf b = {0};

	buf_u8(&b, RAFT_OFFER);
	buf_u64(&b, r->term);
	buf_u8(&b, t->fresh);
	raft_base_encode(&b, &t->base);
	r->proto.io->send(r->proto.io, to, b.p, b.len);
	buf_fini(&b);
}

static void send_part(struct raft *r, unsigned to)
{
	struct raft_transfer *t = r->peer[to].transfer;
	struct raft_part part = {.from = t->cursor, .at = r->applied};
	struct buf all = {0};
	struct cursor c;

	part.to = raft_part_collect(r->proto.table, t->cursor, t->parts++, &all);
	c = cursor_over(all.p, all.len);
	do {
		struct buf b = {0};

		part.entries = raft_part_piece(&c);
		part.more = c.left > 0;
		buf_u8(&b, RAFT_PART);
		buf_u64(&b, r->term);
		buf_u64(&b, t->base.index);
		buf_u64(&b, t->base.term);
		buf_u64(&b, t->attempt);
		buf_u64(&b, t->piece++);
		raft_part_encode(&b, &part);
		r->proto.io->send(r->proto.io, to, b.p, b.len);
		buf_fini(&b);
	} while (part.more);
	buf_fini(&all);
	t->cursor = part.to;
	t->all_sent = part.to == 0;
}

static void send_window(struct raft *r, unsigned to)
{
	struct raft_transfer *t = r->peer[to].transfer;

	while (t->agreed && !t->all_sent && t->piece - t->got < RAFT_TRANSFER_WINDOW)
		send_part(r, to);
}

/* Go on from what is on the follower's disk. */
static void attempt(struct raft *r, unsigned to)
{
	struct raft_transfer *t = r->peer[to].transfer;

	t->attempt++;
	t->piece = 0;
	t->got = 0;
	t->cursor = t->acked;
	t->all_sent = false;
	send_window(r, to);
}

void raft_transfer_begin(struct raft *r, unsigned to)
{
	struct raft_peer *peer = &r->peer[to];

	sm_move(&peer->progress, RAFT_TRANSFER);
	raft_transfer_end(peer);
	peer->transfer = calloc(1, sizeof(*peer->transfer));
	assert(peer->transfer);
	peer->transfer->base = raft_base_now(r);
	peer->transfer->moved = true;
	send_offer(r, to);
}

void raft_transfer_end(struct raft_peer *peer)
{
	free(peer->transfer);
	peer->transfer = NULL;
}

/* Whether the entries after @index are all in the log. */
static bool goes_on_after(const struct raft *r, uint64_t index, uint64_t term)
{
	return index + 1 >= r->log.entries.first && index <= r->applied &&
	       raft_log_term(&r->log, index) == term;
}

void raft_transfer_heartbeat(struct raft *r, unsigned to)
{
	struct raft_transfer *t = r->peer[to].transfer;

	/* The log was cut because it had become too long. */
	if (t->agreed && !goes_on_after(r, t->base.index, t->base.term)) {
		t->agreed = false;
		t->fresh = true;
		t->moved = false;
	}
	if (t->moved) {
		t->moved = false;
	} else if (!t->agreed) {
		/* The later the base, the less of the log must be kept. */
		t->base = raft_base_now(r);
		send_offer(r, to);
	} else if (!t->all_sent || t->got < t->piece) {
		attempt(r, to);
	}
}

struct staged {
	uint64_t term;
	uint64_t index; /* of the base, 0: nothing is staged */
	uint64_t base_term;
	uint64_t cursor;
	uint8_t complete;
	uint64_t attempt;
	uint64_t pieces;
};

static int decode_staged(struct cursor *c, struct staged *ret)
{
	ret->term = cursor_u64(c);
	ret->index = cursor_u64(c);
	ret->base_term = cursor_u64(c);
	ret->cursor = cursor_u64(c);
	ret->complete = cursor_u8(c);
	ret->attempt = cursor_u64(c);
	ret->pieces = cursor_u64(c);
	if (!cursor_done(c) || ret->term == 0 || ret->term > RAFT_NUMBER_MAX ||
		ret->index > RAFT_NUMBER_MAX || ret->base_term > ret->term || ret->complete > 1)
		return -EBADMSG;
	return 0;
}

/* The base is agreed upon; so much of its table is on the follower's disk. */
static void begin_after(struct raft *r, unsigned from, const struct staged *s)
{
	struct raft_transfer *t = r->peer[from].transfer;

	t->agreed = true;
	t->moved = true;
	t->acked = s->cursor;
	t->all_sent = s->complete;
	if (!s->complete)
		attempt(r, from);
}

/* It has another base staged, of an earlier leader perhaps: of use if the log goes on from there.
 */
static void staged_another(struct raft *r, unsigned from, const struct staged *s)
{
	struct raft_transfer *t = r->peer[from].transfer;

	t->moved = true;
	if (!s->index || !goes_on_after(r, s->index, s->base_term)) {
		t->agreed = false;
		t->fresh = true;
		send_offer(r, from);
		return;
	}
	/* The rest of its base the follower has. */
	t->base.index = s->index;
	t->base.term = s->base_term;
	begin_after(r, from, s);
}

static void answered_part(struct raft *r, unsigned from, const struct staged *s)
{
	struct raft_transfer *t = r->peer[from].transfer;

	if (s->attempt == t->attempt && s->pieces > t->piece)
		return;
	if (s->complete) {
		t->all_sent = true;
		t->got = t->piece;
	} else if (s->attempt != t->attempt) {
		/* Late, but true: the next attempt goes on from there. */
		if (s->cursor <= t->acked)
			return;
		t->acked = s->cursor;
	} else if (s->pieces > t->got) {
		t->got = s->pieces;
		t->acked = s->cursor;
		send_window(r, from);
	} else if (!s->pieces && s->cursor != t->acked) {
		/* It had more than it could say, or had said more than was heard. */
		t->acked = s->cursor;
		attempt(r, from);
	} else {
		return;
	}
	t->moved = true;
}

int raft_on_staged(struct raft *r, unsigned from, struct cursor *c)
{
	struct raft_transfer *t = r->peer[from].transfer;
	struct staged s;

	if (decode_staged(c, &s))
		return -EBADMSG;
	if (r->kind && !raft_leads(r))
		return 0;
	if (s.term > r->term) {
		raft_follow(r, s.term, -1);
		return 0;
	}
	if (s.term < r->term || !raft_leads(r))
		return 0;
	r->peer[from].answered_ns = raft_now(r);
	if (!t)
		return 0;
	if (s.index != t->base.index || s.base_term != t->base.term) {
		staged_another(r, from, &s);
		return 0;
	}
	if (!t->agreed) {
		begin_after(r, from, &s);
		return 0;
	}
	answered_part(r, from, &s);
	return 0;
}

/* --- the follower --- */

static void send_staged(struct raft *r)
{
	struct raft_staging *s = &r->staging;
	struct buf b = {0};

	s->answer_owed = false;
	buf_u8(&b, RAFT_STAGED);
	buf_u64(&b, r->term);
	buf_u64(&b, s->table ? s->base.index : 0);
	buf_u64(&b, s->table ? s->base.term : 0);
	buf_u64(&b, s->copy.cursor);
	buf_u8(&b, s->copy.complete);
	buf_u64(&b, s->term == r->term ? s->attempt : 0);
	buf_u64(&b, s->term == r->term ? s->piece : 0);
	r->proto.io->send(r->proto.io, (unsigned)r->leader, b.p, b.len);
	buf_fini(&b);
}

void raft_staging_persisted(struct raft *r)
{
	struct raft_staging *s = &r->staging;

	if (s->answer_owed && r->leader >= 0 && !raft_leads(r) && r->persisted >= s->seq &&
		r->persisted >= r->hard_seq)
		send_staged(r);
}

void raft_staging_drop(struct raft *r)
{
	table_close(r->staging.table);
	raft_copy_fini(&r->staging.copy);
	r->staging = (struct raft_staging){.copy = r->staging.copy};
}

void raft_staging_begin(struct raft *r, const struct raft_base *base)
{
	raft_staging_drop(r);
	r->staging.table = table_open();
	r->staging.base = *base;
}

void raft_staging_swap(struct raft *r)
{
	struct raft_staging *s = &r->staging;

	raft_base_take(r, &s->base);
	table_swap(r->proto.table, s->table);
	raft_copy_fini(&r->copy);
	r->copy = s->copy;
	r->copy.foreign = true;
	raft_copy_init(&s->copy);
	raft_staging_drop(r);
}

void raft_staging_put(struct raft_staging *s, const struct raft_part *part)
{
	if (s->partial_at && s->partial_at != part->at)
		raft_part_clear(s->table, part->from);
	raft_part_put(s->table, part);
	s->partial_at = part->more ? part->at : 0;
}

void raft_staging_try(struct raft *r)
{
	struct raft_staging *s = &r->staging;
	struct proto_io *io = r->proto.io;
	uint8_t record = RAFT_RECORD_SWAP;
	uint64_t base = s->base.index;

	if (!s->table || !s->copy.complete)
		return;
	/*
	 * The snapshot that is being taken has yet to be given what was there when it began, staged
	 * or in the log: the records of that are forgotten with it. It needs all of it, even if
	 * that is of no more use here: who restarts from it does not know that.
	 */
	if (r->walking && (r->walking_log || r->walking_staged))
		return;
	if (base <= r->applied) {
		raft_staging_drop(r);
		return;
	}
	raft_log_record(r);
	raft_staging_swap(r);
	raft_log_mark(&r->log, io->persist(io, &record, sizeof record), base);
	r->unfinished = false;
	raft_copy_settle(r);
	r->answer_owed = true;
	if (r->matched < base)
		r->matched = base;
	raft_session_applied(r);
	/* What was kept of the log may go beyond what this leader has. */
}

/* What it offers is committed here already: it goes on after what is. */
static void answer_base(struct raft *r, unsigned from)
{
	if (r->matched < r->commit)
		r->matched = r->commit;
	r->answer_owed = true;
	if (r->persisted >= r->hard_seq)
		raft_send_appended(r, from, 0, r->matched);
}

static void record_stage(struct raft *r)
{
	struct raft_staging *s = &r->staging;
	struct proto_io *io = r->proto.io;
	struct buf b = {0};

	raft_stage_encode(&b, &s->base, NULL, 0);
	s->seq = io->persist(io, b.p, b.len);
	buf_fini(&b);
}

int raft_on_offer(struct raft *r, unsigned from, struct cursor *c)
{
	struct raft_staging *s = &r->staging;
	uint64_t term = cursor_u64(c);
	uint8_t fresh = cursor_u8(c);
	struct raft_base base;
	int rc;

	if (raft_base_decode(c, r->proto.cfg.nodes, &base) || !cursor_done(c) || fresh > 1 ||
		base.term > term)
		return -EBADMSG;
	rc = raft_hear_leader(r, from, term);
	if (rc <= 0)
		return rc;
	if (base.index <= r->commit) {
		answer_base(r, from);
		return 0;
	}
	if (!s->table || (fresh && (s->base.index != base.index || s->base.term != base.term))) {
		raft_staging_begin(r, &base);
		record_stage(r);
	}
	s->answer_owed = true;
	raft_staging_persisted(r);
	return 0;
}

/* Whether it is the next piece of the newest attempt. */
static bool next_piece(struct raft_staging *s, uint64_t term, uint64_t attempt, uint64_t piece)
{
	if (term > s->term || (term == s->term && attempt > s->attempt)) {
		if (piece)
			return false;
		s->term = term;
		s->attempt = attempt;
		s->piece = 0;
	}
	return term == s->term && attempt == s->attempt && piece == s->piece;
}

static void stage(struct raft *r, const struct raft_part *part)
{
	struct raft_staging *s = &r->staging;
	struct proto_io *io = r->proto.io;
	struct buf b = {0};

	raft_staging_put(s, part);
	s->piece++;
	buf_u8(&b, RAFT_RECORD_STAGE_PART);
	raft_part_encode(&b, part);
	s->seq = io->persist(io, b.p, b.len);
	buf_fini(&b);
	s->answer_owed = true;
	raft_staging_try(r);
	raft_staging_persisted(r);
}

int raft_on_part(struct raft *r, unsigned from, struct cursor *c)
{
	struct raft_staging *s = &r->staging;
	uint64_t term = cursor_u64(c);
	uint64_t index = cursor_u64(c);
	uint64_t base_term = cursor_u64(c);
	uint64_t number = cursor_u64(c);
	uint64_t piece = cursor_u64(c);
	struct raft_part part;
	int rc;

	if (raft_part_decode(c, &part) || index == 0 || part.at < index || base_term > term)
		return -EBADMSG;
	rc = raft_hear_leader(r, from, term);
	if (rc <= 0)
		return rc;
	if (index <= r->commit) {
		answer_base(r, from);
		return 0;
	}
	if (!s->table || s->base.index != index || s->base.term != base_term) {
		s->answer_owed = true;
		raft_staging_persisted(r);
		return 0;
	}
	if (!next_piece(s, term, number, piece))
		return 0;
	if (s->copy.complete || part.from != s->copy.cursor) {
		s->answer_owed = true;
		raft_staging_persisted(r);
		return 0;
	}
	/* More parts than one copy may have: it will never be complete. */
	if (!part.more && raft_copy_add(&s->copy, part.from, part.to, part.at))
		return -EBADMSG;
	stage(r, &part);
	return 0;
}
