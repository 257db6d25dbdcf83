/* SPDX-License-Identifier: MIT */
/*
 * chain_feed.c - entries from one replica of a chain to the next, and acknowledgements back
 *
 * Each passes on what is on its own disk; the tail has committed what is on its disk. What it knows
 * of that each tells its predecessor, together with what it has. So a predecessor's log always
 * has all of its successor's, and what is committed is a prefix of all of them (paper, section 3,
 * the Update Propagation Invariant). At the beginning of an epoch a successor's log is compared
 * with its predecessor's as Raft does it, and whatever differs behind is replaced: it was never
 * acknowledged.
 *
 * The tail feeds also those that are not in the chain, with what is committed, until they are near
 * enough to come in behind it.
 */
#include <assert.h>
#include <errno.h>

#include "store/proto/chain_internal.h"

enum answer { ANSWER_OK, ANSWER_DIFFERS, ANSWER_LACKING, ANSWER_NR };

#define WAITER_BYTES 18u /* of one, in a message */

struct chain_peer *chain_peer_of(struct chain *c, unsigned node)
{
	struct chain_peer *peer = &c->peer[node];

	if (peer->epoch != c->config.epoch)
		*peer = (struct chain_peer){.epoch = c->config.epoch, .next = chain_last(c) + 1};
	return peer;
}

bool chain_fed(const struct chain *c, unsigned node)
{
	int place = chain_place(&c->config, chain_self(c));

	if (!chain_serves(c) || node == chain_self(c))
		return false;
	if (place + 1 < (int)c->config.count)
		return c->config.list[place + 1] == node;
	return chain_place(&c->config, node) < 0;
}

int chain_feeder(const struct chain *c)
{
	int place = chain_place(&c->config, chain_self(c));

	if (!chain_settled(c) || place == 0)
		return -1;
	return place > 0 ? c->config.list[place - 1] : (int)chain_tail(c);
}

/* --- the log --- */

void chain_append(struct chain *c, struct proto_bytes bytes, const struct raft_waiter *who)
{
	struct raft_waiter *w;

	raft_log_append(&c->log, c->config.epoch, bytes);
	w = ring_push(&c->waiters);
	if (who)
		*w = *who;
	c->matched = chain_last(c);
}

void chain_record(struct chain *c)
{
	raft_log_persist(&c->log, c->proto.io, CHAIN_RECORD_ENTRIES);
}

static void cut(struct chain *c, uint64_t index)
{
	raft_log_cut(&c->log, index);
	ring_cut(&c->waiters, index);
}

static void apply_next(struct chain *c, struct proto_reply *ret)
{
	const struct raft_entry *e = raft_log_at(&c->log, c->applied + 1);
	struct cursor at = cursor_over(e->bytes, e->len);
	struct command command;
	int bad;

	*ret = (struct proto_reply){.status = PROTO_OK};
	c->applied++;
	if (e->len) {
		bad = command_decode(&at, &command);
		assert(!bad); /* checked when it came */
		/* A part of a copy that was made later has seen it already. */
		if (c->applied > raft_copy_at(&c->copy, command.key)) {
			command_apply(c->proto.table, &c->state, &command, c->applied, ret);
			/* All do the same in one order: nobody needs a tombstone. */
			if (command.op == PROTO_DEL && ret->status == PROTO_OK)
				table_remove(c->proto.table, command.key);
		} else if (command.stamp_ns > c->state.clock_ns) {
			c->state.clock_ns = command.stamp_ns;
		}
	}
	if (chain_exact(c) && ring_count(&c->copy.ranges))
		raft_copy_fini(&c->copy);
}

void chain_apply(struct chain *c)
{
	bool tail = chain_tails(c) || (PROTO_BUG(BUG_CHAIN_HEAD_ACKS) && chain_heads(c));

	while (!c->lacking && c->applied < c->commit) {
		struct raft_waiter who = *(struct raft_waiter *)ring_front(&c->waiters);
		struct forward_answer a = {.slot = who.slot, .attempt = who.attempt};

		ring_pop(&c->waiters);
		apply_next(c, &a.reply);
		/* Paper, section 2: the tail answers. */
		if (tail && who.slot)
			chain_answer(c, who.origin, &a);
	}
}

void chain_commit(struct chain *c, uint64_t index)
{
	if (index <= c->commit)
		return;
	c->commit = index;
	chain_apply(c);
	chain_reads_step(c);
}

void chain_trim(struct chain *c)
{
	const struct proto_config *cfg = &c->proto.cfg;
	size_t keep = cfg->log_keep_kib ? (size_t)cfg->log_keep_kib << 10 : RAFT_KEEP_BYTES;
	struct raft_log *log = &c->log;
	uint64_t limit = c->applied < log->durable ? c->applied : log->durable;
	uint64_t hold = limit;

	/* Who gets the table goes on after its base, who is fed after what it has. */
	for (unsigned i = 0; i < cfg->nodes; i++) {
		const struct chain_peer *peer = &c->peer[i];
		uint64_t need = peer->feeding == CHAIN_COPY ? peer->base.index : peer->match;

		if (peer->epoch == c->config.epoch && peer->feeding != CHAIN_PROBE && need < hold &&
			heard_alive(&c->heard, i))
			hold = need;
	}
	while (log->entries.first <= limit &&
		raft_log_cost(log, log->entries.first, raft_log_last(log)) >
			(log->entries.first <= hold ? keep : RAFT_HOLD_BYTES))
		raft_log_forget(log, log->entries.first);
}

/* --- as who feeds --- */

/* Up to here it may be passed on: the own log has been compared, and it is on the own disk. */
static uint64_t passable(const struct chain *c)
{
	uint64_t index = c->matched < c->log.durable ? c->matched : c->log.durable;

	if (PROTO_BUG(BUG_CHAIN_PASSES_BEFORE_DURABLE))
		index = c->matched;
	return chain_tails(c) && index > c->commit ? c->commit : index;
}

static void encode_waiters(struct chain *c, struct buf *b, uint64_t first, uint32_t count)
{
	buf_u32(b, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct raft_waiter *w = ring_at(&c->waiters, first + i);
		const struct raft_waiter nobody = {0};

		if (!w)
			w = &nobody;
		buf_u16(b, (uint16_t)w->origin);
		buf_u64(b, w->slot);
		buf_u64(b, w->attempt);
	}
}

/* Entries from @first on, or none. Return: how many. */
static uint32_t send_append(struct chain *c, unsigned to, uint64_t first, uint64_t last)
{
	struct proto_io *io = c->proto.io;
	struct buf b = {0}, batch = {0};
	uint32_t count = raft_batch_encode(&batch, &c->log, first, last);

	buf_u8(&b, CHAIN_APPEND);
	buf_u64(&b, c->config.epoch);
	buf_u64(&b, first - 1);
	buf_u64(&b, raft_log_term(&c->log, first - 1));
	buf_u64(&b, c->commit);
	encode_waiters(c, &b, first, count);
	buf_add(&b, batch.p, batch.len);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
	buf_fini(&batch);
	return count;
}

static void feed_one(struct chain *c, unsigned to, bool must)
{
	struct chain_peer *peer = chain_peer_of(c, to);
	uint64_t last = passable(c);

	if (peer->feeding == CHAIN_COPY)
		return;
	/* The own log may have been longer when this epoch began. */
	if (peer->next > chain_last(c) + 1)
		peer->next = chain_last(c) + 1;
	if (peer->next < c->log.entries.first) {
		chain_copy_begin(c, to);
		return;
	}
	if (peer->feeding == CHAIN_PROBE) {
		if (!peer->probing || must)
			(void)send_append(c, to, peer->next, last);
		peer->probing = true;
		return;
	}
	for (; must || (peer->next <= last && peer->next - peer->match <= CHAIN_WINDOW);
		must = false)
		peer->next += send_append(c, to, peer->next, last);
}

static void feed_all(struct chain *c, bool must)
{
	int place = chain_place(&c->config, chain_self(c));

	if (!chain_serves(c))
		return;
	if (place + 1 < (int)c->config.count) {
		feed_one(c, c->config.list[place + 1], must);
		return;
	}
	for (unsigned i = 0; i < chain_nodes(c); i++)
		if (chain_fed(c, i) && heard_alive(&c->heard, i))
			feed_one(c, i, must);
}

void chain_feed(struct chain *c)
{
	feed_all(c, false);
}

/* What was not answered since the last heartbeat is sent again. */
void chain_feed_tick(struct chain *c)
{
	for (unsigned i = 0; i < chain_nodes(c); i++) {
		struct chain_peer *peer;

		if (!chain_fed(c, i))
			continue;
		peer = chain_peer_of(c, i);
		if (peer->feeding == CHAIN_COPY)
			chain_copy_tick(c, i);
		else if (!peer->moved && peer->feeding == CHAIN_STREAM)
			peer->next = peer->match + 1;
		peer->moved = false;
	}
	feed_all(c, true);
}

static void answered(struct chain *c, unsigned from, struct chain_peer *peer, uint64_t match)
{
	if (match > chain_last(c))
		return;
	if (match > peer->match || peer->feeding != CHAIN_STREAM) {
		peer->match = match;
		if (peer->next <= match || peer->feeding != CHAIN_STREAM)
			peer->next = match + 1;
	}
	peer->feeding = CHAIN_STREAM;
	peer->probing = false;
	(void)from;
}

int chain_on_appended(struct chain *c, unsigned from, struct cursor *at)
{
	uint64_t epoch = cursor_u64(at);
	uint8_t answer = cursor_u8(at);
	uint64_t match = cursor_u64(at);
	uint64_t commit = cursor_u64(at);
	struct chain_peer *peer;

	if (!cursor_done(at) || answer >= ANSWER_NR || match > RAFT_NUMBER_MAX ||
		commit > RAFT_NUMBER_MAX)
		return -EBADMSG;
	if (epoch != c->config.epoch || !chain_fed(c, from))
		return 0;
	peer = chain_peer_of(c, from);
	/* A copy goes on, unless it has all that it needs: an old answer had said otherwise. */
	if (peer->feeding == CHAIN_COPY &&
		(answer != ANSWER_OK || match + 1 < c->log.entries.first)) {
		/* It was offered when this replica had less than the other. */
		if (!peer->agreed && match > peer->base.index && c->applied >= match)
			chain_copy_begin(c, from);
		return 0;
	}
	peer->moved = true;
	if (answer == ANSWER_LACKING) {
		chain_copy_begin(c, from);
		return 0;
	}
	if (answer == ANSWER_DIFFERS) {
		if (match + 1 < peer->next && match >= peer->match) {
			peer->next = match + 1;
			peer->feeding = CHAIN_PROBE;
			peer->probing = false;
		}
	} else {
		answered(c, from, peer, match);
		/* What its successor has committed, it has. */
		if (chain_place(&c->config, from) >= 0)
			chain_commit(c, commit < peer->match ? commit : peer->match);
		chain_send_appended(c);
	}
	feed_one(c, from, false);
	return 0;
}

/* --- as who is fed --- */

static void send_answer(struct chain *c, enum answer answer, uint64_t match)
{
	struct proto_io *io = c->proto.io;
	int to = chain_feeder(c);
	struct buf b = {0};

	if (to < 0)
		return;
	buf_u8(&b, CHAIN_APPENDED);
	buf_u64(&b, c->config.epoch);
	buf_u8(&b, (uint8_t)answer);
	buf_u64(&b, match);
	buf_u64(&b, c->commit);
	io->send(io, (unsigned)to, b.p, b.len);
	buf_fini(&b);
}

void chain_send_appended(struct chain *c)
{
	uint64_t match = c->matched < c->log.durable ? c->matched : c->log.durable;

	if (PROTO_BUG(BUG_CHAIN_PASSES_BEFORE_DURABLE))
		match = c->matched;
	if (c->matched && !c->lacking && chain_head(c) != chain_self(c))
		send_answer(c, ANSWER_OK, match);
}

void chain_send_committed(struct chain *c)
{
	uint64_t durable = c->log.durable;

	send_answer(c, c->lacking ? ANSWER_LACKING : ANSWER_OK,
		c->commit < durable ? c->commit : durable);
}

/* More of the log is on disk, or compared. */
void chain_durable(struct chain *c)
{
	uint64_t durable = c->matched < c->log.durable ? c->matched : c->log.durable;

	if (PROTO_BUG(BUG_CHAIN_HEAD_ACKS) && chain_heads(c))
		chain_commit(c, durable);
	if (chain_tails(c))
		chain_commit(c, durable);
	chain_send_appended(c);
	chain_feed(c);
}

struct append {
	uint64_t epoch;
	uint64_t prev;
	uint64_t prev_epoch;
	uint64_t commit;
	struct cursor waiters;
	struct raft_batch batch;
};

static int decode(struct chain *c, struct cursor *at, struct append *ret)
{
	uint32_t count;

	ret->epoch = cursor_u64(at);
	ret->prev = cursor_u64(at);
	ret->prev_epoch = cursor_u64(at);
	ret->commit = cursor_u64(at);
	count = cursor_u32(at);
	if (at->bad || count > RAFT_BATCH_ENTRIES || ret->prev > RAFT_NUMBER_MAX ||
		ret->commit > RAFT_NUMBER_MAX || ret->epoch > RAFT_NUMBER_MAX ||
		!ret->prev != !ret->prev_epoch)
		return -EBADMSG;
	ret->waiters.left = (size_t)count * WAITER_BYTES;
	ret->waiters.p = cursor_take(at, ret->waiters.left);
	ret->waiters.bad = false;
	if (at->bad || raft_commands_decode(at, ret->prev_epoch, ret->epoch, &ret->batch) ||
		ret->batch.count != count)
		return -EBADMSG;
	for (struct cursor w = ret->waiters; count > 0; count--) {
		if (cursor_u16(&w) >= chain_nodes(c))
			return -EBADMSG;
		(void)cursor_u64(&w);
		(void)cursor_u64(&w);
	}
	return 0;
}

/* What is not here yet, and in place of what differs. Return: false: that cannot be. */
static bool take_entries(struct chain *c, struct append *a)
{
	struct cursor at = raft_batch_cursor(&a->batch);

	for (uint32_t i = 0; i < a->batch.count; i++) {
		uint64_t index = a->prev + 1 + i, epoch;
		struct proto_bytes bytes = raft_batch_next(&at, &epoch);
		struct raft_waiter w = {.origin = cursor_u16(&a->waiters)};

		w.slot = cursor_u64(&a->waiters);
		w.attempt = cursor_u64(&a->waiters);
		if (index <= chain_last(c) && raft_log_agrees(&c->log, index, epoch))
			continue;
		if (index <= c->commit)
			return false;
		if (index <= chain_last(c))
			cut(c, index);
		raft_log_append(&c->log, epoch, bytes);
		*(struct raft_waiter *)ring_push(&c->waiters) = w;
	}
	return true;
}

static void take(struct chain *c, struct append *a)
{
	uint64_t last = a->prev + a->batch.count;

	if (!take_entries(c, a))
		return;
	if (last > c->matched)
		c->matched = last;
	/* The entry with which the epoch begins: all that was before is here. */
	if (c->installed < a->epoch && chain_place(&c->config, chain_self(c)) >= 0 &&
		raft_log_term(&c->log, c->matched) == a->epoch)
		chain_installed(c);
	chain_record(c);
	chain_commit(c, a->commit < c->matched ? a->commit : c->matched);
	/* Otherwise when it is on disk. */
	if (c->log.durable >= c->matched || PROTO_BUG(BUG_CHAIN_PASSES_BEFORE_DURABLE))
		chain_durable(c);
}

int chain_on_append(struct chain *c, unsigned from, struct cursor *at)
{
	struct append a;
	uint64_t match;

	if (decode(c, at, &a))
		return -EBADMSG;
	if (a.epoch != c->config.epoch || chain_feeder(c) != (int)from)
		return 0;
	c->progress_ns = chain_now(c);
	if (c->lacking) {
		send_answer(c, ANSWER_LACKING, 0);
		return 0;
	}
	if (a.prev <= chain_last(c) && raft_log_agrees(&c->log, a.prev, a.prev_epoch)) {
		take(c, &a);
		return 0;
	}
	match = a.prev > chain_last(c) ? chain_last(c)
				       : raft_log_first_of_term(&c->log, a.prev) - 1;
	send_answer(c, ANSWER_DIFFERS, match > c->commit ? match : c->commit);
	return 0;
}
