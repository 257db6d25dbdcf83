/* SPDX-License-Identifier: MIT */
/*
 * chain_copy.c - the table to one who comes in and needs entries that are forgotten
 *
 * The feeder's table goes over in parts (raft_copy.c), each as of an index of its own; the entries
 * after the base make it exact. One part is on the way at a time; who gets it tells how many it
 * has. It takes the place of its own table at once: a configuration that is chosen has begun
 * without it, so nobody needs what it had. A copy that is broken off begins anew.
 */
#include <assert.h>
#include <errno.h>

#include "store/proto/chain_internal.h"

void chain_base_encode(struct buf *b, const struct raft_base *base)
{
	buf_u64(b, base->index);
	buf_u64(b, base->term);
	buf_u64(b, base->clock_ns);
}

int chain_base_decode(struct cursor *c, struct raft_base *ret)
{
	*ret = (struct raft_base){.index = cursor_u64(c)};
	ret->term = cursor_u64(c);
	ret->clock_ns = cursor_u64(c);
	if (c->bad || ret->index > RAFT_NUMBER_MAX || ret->term > RAFT_NUMBER_MAX ||
		!ret->index != !ret->term)
		return -EBADMSG;
	return 0;
}

void chain_base_take(struct chain *c, const struct raft_base *base)
{
	table_clear(c->proto.table);
	raft_copy_fini(&c->copy);
	raft_log_reset(&c->log, base->index, base->term);
	ring_fini(&c->waiters);
	ring_init(&c->waiters, sizeof(struct raft_waiter), base->index + 1);
	buf_fini(&c->state.before);
	c->state = (struct command_state){.clock_ns = base->clock_ns};
	c->commit = c->applied = base->index;
	c->matched = 0;
	c->lacking = true;
	c->copy_piece = c->copy_parts = 0;
}

void chain_part_encode(struct buf *b, const struct raft_part *part, bool first)
{
	buf_u8(b, first);
	buf_u32(b, part->entries.len); /* so that one that is cut short is not another */
	raft_part_encode(b, part);
}

int chain_part_decode(struct cursor *c, struct raft_part *ret, bool *ret_first)
{
	uint8_t first = cursor_u8(c);
	uint32_t len = cursor_u32(c);

	*ret_first = first;
	return first > 1 || raft_part_decode(c, ret) || ret->entries.len != len ? -EBADMSG : 0;
}

int chain_part_take(struct chain *c, const struct raft_part *part, bool first)
{
	if (!c->lacking || part->from != c->copy.cursor || (!first && !c->copy_piece))
		return -EBADMSG;
	if (!part->more && raft_copy_add(&c->copy, part->from, part->to, part->at))
		return -EBADMSG;
	/* What was begun as of another index: a key may have come or gone since. */
	if (first && c->copy_piece > 0)
		raft_part_clear(c->proto.table, part->from);
	raft_part_put(c->proto.table, part);
	c->copy_piece = part->more ? (first ? 1 : c->copy_piece + 1) : 0;
	c->copy_parts += !part->more;
	if (c->copy.complete)
		c->lacking = false;
	return 0;
}

/* --- who gives it --- */

static void begin_message(struct chain *c, struct buf *b, enum chain_message type, uint64_t number)
{
	buf_u8(b, (uint8_t)type);
	buf_u64(b, c->config.epoch);
	buf_u64(b, number);
}

static void send_offer(struct chain *c, unsigned to)
{
	const struct chain_peer *peer = chain_peer_of(c, to);
	struct proto_io *io = c->proto.io;
	struct buf b = {0};

	begin_message(c, &b, CHAIN_OFFER, peer->copy);
	chain_base_encode(&b, &peer->base);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

void chain_copy_begin(struct chain *c, unsigned to)
{
	struct chain_peer *peer = chain_peer_of(c, to);

	if (!chain_exact(c))
		return;
	peer->feeding = CHAIN_COPY;
	peer->agreed = false;
	/* Numbers rise, over restarts of this replica, too. */
	peer->copy = peer->copy < chain_now(c) ? chain_now(c) : peer->copy + 1;
	peer->base = (struct raft_base){.index = c->applied,
		.term = raft_log_term(&c->log, c->applied),
		.clock_ns = c->state.clock_ns};
	peer->cursor = peer->part = 0;
	peer->match = 0;
	send_offer(c, to);
}

/* The part from peer->cursor on, as it is now. */
static void send_part(struct chain *c, unsigned to)
{
	struct chain_peer *peer = chain_peer_of(c, to);
	struct raft_part part = {.from = peer->cursor, .at = c->applied};
	struct proto_io *io = c->proto.io;
	struct buf all = {0}, b = {0};
	struct cursor at;
	uint64_t piece = 0;

	part.to = raft_part_collect(c->proto.table, peer->cursor, peer->part, &all);
	peer->to = part.to;
	peer->attempt++;
	at = cursor_over(all.p, all.len);
	do {
		part.entries = raft_part_piece(&at);
		part.more = at.left > 0;
		begin_message(c, &b, CHAIN_PART, peer->copy);
		buf_u64(&b, peer->part);
		buf_u64(&b, peer->attempt);
		buf_u64(&b, piece);
		chain_part_encode(&b, &part, piece++ == 0);
		io->send(io, to, b.p, b.len);
		b.len = 0;
	} while (part.more);
	buf_fini(&all);
	buf_fini(&b);
}

void chain_copy_tick(struct chain *c, unsigned to)
{
	struct chain_peer *peer = chain_peer_of(c, to);

	if (!heard_alive(&c->heard, to))
		*peer = (struct chain_peer){.epoch = peer->epoch,
			.copy = peer->copy,
			.next = chain_last(c) + 1,
			.round = peer->round};
	else if (!peer->moved && !peer->agreed)
		send_offer(c, to);
	else if (!peer->moved)
		send_part(c, to);
}

int chain_on_copied(struct chain *c, unsigned from, struct cursor *at)
{
	uint64_t epoch = cursor_u64(at);
	uint64_t number = cursor_u64(at);
	uint64_t parts = cursor_u64(at);
	struct chain_peer *peer;

	if (!cursor_done(at))
		return -EBADMSG;
	if (epoch != c->config.epoch || !chain_fed(c, from))
		return 0;
	peer = chain_peer_of(c, from);
	if (peer->feeding != CHAIN_COPY)
		return 0;
	/* It has started anew, and will say what it has. */
	if (!number && peer->agreed) {
		peer->feeding = CHAIN_PROBE;
		peer->probing = false;
		peer->next = peer->base.index + 1;
	}
	if (number != peer->copy)
		return 0;
	if (peer->agreed && parts != peer->part + 1)
		return 0;
	peer->moved = true;
	if (peer->agreed) {
		peer->cursor = peer->to;
		peer->part++;
	}
	if (!peer->agreed || peer->cursor) {
		peer->agreed = true;
		send_part(c, from);
		return 0;
	}
	peer->feeding = CHAIN_PROBE;
	peer->probing = false;
	peer->next = peer->base.index + 1;
	chain_feed(c);
	return 0;
}

/* --- who gets it --- */

static void send_copied(struct chain *c, unsigned to)
{
	struct proto_io *io = c->proto.io;
	struct buf b = {0};

	begin_message(c, &b, CHAIN_COPIED, c->copy_number);
	buf_u64(&b, c->copy_parts);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

int chain_on_offer(struct chain *c, unsigned from, struct cursor *at)
{
	uint64_t epoch = cursor_u64(at);
	uint64_t number = cursor_u64(at);
	struct proto_io *io = c->proto.io;
	struct raft_base base;
	struct buf b = {0};

	if (chain_base_decode(at, &base) || !cursor_done(at))
		return -EBADMSG;
	if (epoch != c->config.epoch || chain_feeder(c) != (int)from || chain_serves(c))
		return 0;
	c->progress_ns = chain_now(c);
	if (base.index < c->commit) {
		chain_send_committed(c);
		return 0;
	}
	/* One that it has seen may come twice: only the first begins. */
	if (number < c->copy_number)
		return 0;
	if (number > c->copy_number) {
		c->copy_number = number;
		c->copy_attempt = 0;
		chain_base_take(c, &base);
		c->installed = 0;
		buf_u8(&b, CHAIN_RECORD_BASE);
		buf_u64(&b, 0); /* no snapshot */
		chain_base_encode(&b, &base);
		raft_log_mark(&c->log, io->persist(io, b.p, b.len), base.index);
		buf_fini(&b);
		chain_config_record(c);
	}
	if (c->lacking && !c->copy_parts)
		send_copied(c, from);
	return 0;
}

static void take_part(struct chain *c, const struct raft_part *part, bool first)
{
	struct proto_io *io = c->proto.io;
	struct buf b = {0};

	if (part->at < c->log.entries.first - 1 || chain_part_take(c, part, first))
		return;
	buf_u8(&b, CHAIN_RECORD_PART);
	chain_part_encode(&b, part, first);
	(void)io->persist(io, b.p, b.len);
	buf_fini(&b);
}

int chain_on_part(struct chain *c, unsigned from, struct cursor *at)
{
	uint64_t epoch = cursor_u64(at);
	uint64_t number = cursor_u64(at);
	uint64_t count = cursor_u64(at);
	uint64_t attempt = cursor_u64(at);
	uint64_t piece = cursor_u64(at);
	struct raft_part part;
	bool next, first;

	if (chain_part_decode(at, &part, &first) || first != (piece == 0))
		return -EBADMSG;
	if (epoch != c->config.epoch || chain_feeder(c) != (int)from)
		return 0;
	if (!c->copy_number)
		send_copied(c, from);
	if (number != c->copy_number || !number)
		return 0;
	c->progress_ns = chain_now(c);
	next = c->lacking && count == c->copy_parts &&
	       (piece ? attempt == c->copy_attempt && piece == c->copy_piece
		      : attempt > c->copy_attempt);
	if (next) {
		c->copy_attempt = attempt;
		take_part(c, &part, first);
	}
	if (!part.more && (!c->lacking || count < c->copy_parts))
		send_copied(c, from);
	return 0;
}
