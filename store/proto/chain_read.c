/* SPDX-License-Identifier: MIT */
/*
 * chain_read.c - what clients ask: writes on their way to the head, reads at any replica
 *
 * CRAQ (Terrace and Freedman, USENIX ATC 2009, section 2.3): a member answers a key by itself as
 * long as it is clean, that is, nothing in its log waits for the tail; for one that is dirty it
 * asks the tail what is committed, applies that, and answers. The table has what is committed and
 * nothing else; a version that the tail names is in this member's log, for it came that way.
 *
 * That holds while the member is in the chain. One that was left out does not notice by itself. So:
 *
 *   confirmed (QUORUM and the others)   after the read came, a majority of all replicas has said
 *                                       that it has promised no later epoch; so no later chain had
 *                                       begun when it came. One round, in parallel with the tail's.
 *   by lease (LEASE)                    a majority has promised not to promise a later epoch before
 *                                       some time, by clocks that run alike. No round if clean.
 *   unconfirmed (ONE)                   any replica answers with what it has: it may be old.
 *
 * A tail that has just begun knows what is committed only when the beginning of the epoch is; one
 * that has restarted, when all that it had on disk is.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/chain_internal.h"

bool chain_leases(const struct proto_config *cfg)
{
	return cfg->leases || cfg->read_level == PROTO_LEASE;
}

unsigned chain_reader(const struct chain *c)
{
	if (c->proto.cfg.reads == PROTO_READS_HEAD)
		return chain_head(c);
	if (c->proto.cfg.reads == PROTO_READS_ANY && chain_serves(c))
		return chain_self(c);
	return chain_tail(c);
}

void chain_answer(struct chain *c, unsigned to, struct forward_answer *a)
{
	struct proto_io *io = c->proto.io;
	struct buf b = {0};

	if (to == chain_self(c)) {
		forward_answered(&c->forward, a);
		return;
	}
	buf_u8(&b, CHAIN_ANSWER);
	forward_encode_answer(&b, a);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

/* --- leases --- */

static uint64_t lease_ns(const struct chain *c)
{
	uint64_t span = c->proto.cfg.election_min_ns;

	return span - span / 1000000 * RAFT_DRIFT_PPM;
}

static bool lease_holds(struct chain *c)
{
	uint64_t now = chain_now(c);
	unsigned count = 1;

	if (!chain_leases(&c->proto.cfg))
		return false;
	for (unsigned i = 0; i < chain_nodes(c); i++)
		count += i != chain_self(c) && chain_peer_of(c, i)->granted_ns > now;
	return count >= chain_majority(c);
}

void chain_ping(struct chain *c)
{
	struct proto_io *io = c->proto.io;
	struct buf b = {0};

	buf_u8(&b, CHAIN_PING);
	buf_u64(&b, chain_now(c));
	buf_u64(&b, chain_settled(c) ? c->config.epoch : 0);
	for (unsigned n = heard_turns(&c->heard); n > 0; n--)
		io->send(io, heard_next(&c->heard), b.p, b.len);
	buf_fini(&b);
}

int chain_on_ping(struct chain *c, unsigned from, struct cursor *at)
{
	struct proto_io *io = c->proto.io;
	uint64_t stamp = cursor_u64(at);
	uint64_t epoch = cursor_u64(at);
	uint64_t now = chain_now(c);
	struct buf b = {0};
	bool grant;

	if (!cursor_done(at))
		return -EBADMSG;
	grant = chain_leases(&c->proto.cfg) && epoch == c->promised && now >= c->quiet_ns;
	if (grant)
		c->grant_ns = now + c->proto.cfg.election_min_ns;
	buf_u8(&b, CHAIN_PONG);
	buf_u64(&b, stamp);
	buf_u64(&b, epoch);
	buf_u8(&b, grant);
	io->send(io, from, b.p, b.len);
	buf_fini(&b);
	if (chain_settled(c) && epoch < c->config.epoch)
		chain_send_chosen(c, from);
	return 0;
}

int chain_on_pong(struct chain *c, unsigned from, struct cursor *at)
{
	uint64_t stamp = cursor_u64(at);
	uint64_t epoch = cursor_u64(at);
	uint8_t grant = cursor_u8(at);
	struct chain_peer *peer;

	if (!cursor_done(at) || grant > 1)
		return -EBADMSG;
	peer = chain_peer_of(c, from);
	if (grant && epoch == c->config.epoch && stamp <= chain_now(c) &&
		stamp + lease_ns(c) > peer->granted_ns)
		peer->granted_ns = stamp + lease_ns(c);
	return 0;
}

/* --- reads that wait --- */

static void answer_read(struct chain *c, struct chain_read *r)
{
	struct proto_io *io = c->proto.io;
	struct forward_answer a = {.slot = r->slot, .attempt = r->attempt};
	struct proto_bytes key = {r->key, r->len};

	command_read(c->proto.table, key, command_now(&c->state, io->wall(io)), &a.reply);
	chain_answer(c, r->origin, &a);
	free(r->key);
	r->key = NULL;
	r->done = true;
}

static void drop_done(struct chain *c)
{
	struct chain_read *r;

	while ((r = ring_front(&c->reads)) && r->done) {
		free(r->key);
		ring_pop(&c->reads);
	}
}

void chain_reads_drop(struct chain *c)
{
	for (uint64_t i = c->reads.first; i < c->reads.next; i++)
		((struct chain_read *)ring_at(&c->reads, i))->done = true;
	drop_done(c);
}

void chain_reads_fini(struct chain *c)
{
	chain_reads_drop(c);
	ring_fini(&c->reads);
}

static bool confirmed(struct chain *c, uint64_t round)
{
	unsigned count = 1; /* this replica itself: a later promise would have dropped the read */

	for (unsigned i = 0; i < chain_nodes(c); i++)
		count += i != chain_self(c) && chain_peer_of(c, i)->round >= round;
	return count >= chain_majority(c) || PROTO_BUG(BUG_CHAIN_OLD_TAIL_ANSWERS);
}

void chain_reads_step(struct chain *c)
{
	uint64_t known = 0; /* no round after it is confirmed */

	for (uint64_t i = c->reads.first; i < c->reads.next; i++) {
		struct chain_read *r = ring_at(&c->reads, i);

		if (r->done)
			continue;
		/* Rounds rise: if this one is not confirmed, none after it is. */
		if (r->round > known && !confirmed(c, r->round))
			break;
		if (r->round > known)
			known = r->round;
		if (!r->asked && r->index <= c->applied)
			answer_read(c, r);
	}
	drop_done(c);
}

static void send_confirm(struct chain *c)
{
	struct proto_io *io = c->proto.io;
	struct buf b = {0};

	buf_u8(&b, CHAIN_CONFIRM);
	buf_u64(&b, c->config.epoch);
	buf_u64(&b, c->round);
	for (unsigned i = 0; i < chain_nodes(c); i++)
		if (i != chain_self(c))
			io->send(io, i, b.p, b.len);
	buf_fini(&b);
}

/* A round that began when this read came, or later. */
static uint64_t begin_round(struct chain *c)
{
	if (c->round_ns != chain_now(c) || !c->round) {
		c->round++;
		c->round_ns = chain_now(c);
		send_confirm(c);
	}
	return c->round;
}

static void ask_tail(struct chain *c, uint64_t number)
{
	struct proto_io *io = c->proto.io;
	struct buf b = {0};

	buf_u8(&b, CHAIN_VERSION);
	buf_u64(&b, c->config.epoch);
	buf_u64(&b, number);
	io->send(io, chain_tail(c), b.p, b.len);
	buf_fini(&b);
}

/* Whether something of @key, or of anything if there is much, waits for the tail. */
static bool dirty(const struct chain *c, struct proto_bytes key)
{
	if (chain_last(c) - c->applied > CHAIN_SCAN_MAX)
		return true;
	for (uint64_t i = c->applied + 1; i <= chain_last(c); i++) {
		const struct raft_entry *e = raft_log_at(&c->log, i);
		struct cursor at = cursor_over(e->bytes, e->len);
		struct command command;

		if (e->len && !command_decode(&at, &command) && command_same(command.key, key))
			return true;
	}
	return false;
}

/* Whether this tail's commit index is not below what it, or its predecessor in office, has told. */
static bool knows_committed(const struct chain *c)
{
	return chain_tails(c) && raft_log_term(&c->log, c->commit) == c->config.epoch &&
	       (c->config.epoch != c->boot_epoch || c->commit >= c->boot_last);
}

/* What a read of @key has to wait for. */
static void look(struct chain *c, struct chain_read *r, uint64_t number, struct proto_bytes key)
{
	bool is_dirty = dirty(c, key);

	c->reads_clean += !is_dirty;
	c->reads_dirty += is_dirty;
	if (PROTO_BUG(BUG_CHAIN_DIRTY_READ) || !is_dirty || knows_committed(c))
		return;
	if (chain_tails(c)) {
		r->index = chain_last(c);
		return;
	}
	r->asked = true;
	ask_tail(c, number);
}

void chain_read(struct chain *c, unsigned origin, const struct forward_attempt *a, bool by_lease)
{
	struct proto_bytes key = a->command.key;
	struct chain_read *r;

	if (ring_count(&c->reads) >= CHAIN_READS_MAX)
		return;
	r = ring_push(&c->reads);
	*r = (struct chain_read){
		.origin = origin,
		.slot = a->slot,
		.attempt = a->attempt,
		.since_ns = chain_now(c),
		.key = malloc(key.len + 1),
		.len = key.len,
	};
	assert(r->key);
	if (key.len)
		memcpy(r->key, key.p, key.len);
	look(c, r, c->reads.next - 1, key);
	r->round = by_lease && lease_holds(c) ? 0 : begin_round(c);
	chain_reads_step(c);
}

void chain_reads_tick(struct chain *c)
{
	uint64_t now = chain_now(c);
	const struct chain_read *front;

	for (uint64_t i = c->reads.first; i < c->reads.next; i++) {
		struct chain_read *r = ring_at(&c->reads, i);

		if (now - r->since_ns >= c->proto.cfg.request_timeout_ns)
			r->done = true;
	}
	drop_done(c);
	front = ring_front(&c->reads);
	if (!front || now - front->since_ns < 2 * c->proto.cfg.heartbeat_ns || !chain_settled(c))
		return;
	send_confirm(c);
	for (uint64_t i = c->reads.first; i < c->reads.next; i++) {
		const struct chain_read *r = ring_at(&c->reads, i);

		if (!r->done && r->asked && now - r->since_ns >= 2 * c->proto.cfg.heartbeat_ns)
			ask_tail(c, i);
	}
}

static void send_numbers(struct chain *c, unsigned to, enum chain_message type, uint64_t number,
	const uint64_t *commit)
{
	struct proto_io *io = c->proto.io;
	struct buf b = {0};

	buf_u8(&b, (uint8_t)type);
	buf_u64(&b, c->config.epoch);
	buf_u64(&b, number);
	if (commit)
		buf_u64(&b, *commit);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

static void on_confirm(struct chain *c, unsigned from, uint64_t epoch, uint64_t round)
{
	struct proto_io *io = c->proto.io;
	struct buf b = {0};

	if (c->promised > epoch)
		return;
	buf_u8(&b, CHAIN_CONFIRMED);
	buf_u64(&b, epoch);
	buf_u64(&b, round);
	io->send(io, from, b.p, b.len);
	buf_fini(&b);
}

static void on_confirmed(struct chain *c, unsigned from, uint64_t epoch, uint64_t round)
{
	struct chain_peer *peer = chain_peer_of(c, from);

	if (epoch != c->config.epoch || round > c->round || round <= peer->round)
		return;
	peer->round = round;
	chain_reads_step(c);
}

static void on_versioned(
	struct chain *c, unsigned from, uint64_t epoch, uint64_t number, uint64_t commit)
{
	struct chain_read *r = ring_at(&c->reads, number);

	if (epoch != c->config.epoch || !chain_serves(c) || from != chain_tail(c) ||
		commit > c->matched)
		return;
	if (r && !r->done && r->asked) {
		r->asked = false;
		r->index = commit;
	}
	/* The tail has it, so all before it have. */
	chain_commit(c, commit);
	chain_reads_step(c);
}

static int on_attempt(struct chain *c, unsigned from, enum chain_message type, struct cursor *at)
{
	struct forward_attempt a;

	if (forward_decode_attempt(at, &a) ||
		(type == CHAIN_ATTEMPT) == (a.command.op == PROTO_GET))
		return -EBADMSG;
	if (a.term != c->config.epoch)
		return 0;
	if (type != CHAIN_ATTEMPT && chain_serves(c) && chain_reader(c) == chain_self(c))
		chain_read(c, from, &a, type == CHAIN_READ_LEASE);
	else if (type == CHAIN_ATTEMPT && chain_heads(c) &&
		 forward_admit(&c->forward, from, a.attempt))
		chain_take(c, from, &a);
	return 0;
}

int chain_read_message(struct chain *c, unsigned from, enum chain_message type, struct cursor *at)
{
	struct forward_answer answer;
	uint64_t epoch, number, commit = 0;

	if (type == CHAIN_ATTEMPT || type == CHAIN_READ || type == CHAIN_READ_LEASE)
		return on_attempt(c, from, type, at);
	if (type == CHAIN_ANSWER) {
		if (forward_decode_answer(at, &answer))
			return -EBADMSG;
		forward_answered(&c->forward, &answer);
		return 0;
	}
	epoch = cursor_u64(at);
	number = cursor_u64(at);
	if (type == CHAIN_VERSIONED)
		commit = cursor_u64(at);
	if (!cursor_done(at) || commit > RAFT_NUMBER_MAX)
		return -EBADMSG;
	if (type == CHAIN_CONFIRM)
		on_confirm(c, from, epoch, number);
	else if (type == CHAIN_CONFIRMED)
		on_confirmed(c, from, epoch, number);
	else if (type == CHAIN_VERSIONED)
		on_versioned(c, from, epoch, number, commit);
	else if (epoch == c->config.epoch && knows_committed(c))
		send_numbers(c, from, CHAIN_VERSIONED, number, &c->commit);
	return 0;
}

/* --- requests --- */

void chain_take(struct chain *c, unsigned origin, const struct forward_attempt *a)
{
	const struct raft_waiter who = {.slot = a->slot, .attempt = a->attempt, .origin = origin};
	struct forward_answer busy = {.slot = a->slot, .attempt = a->attempt, .why = FORWARD_BUSY};
	struct proto_io *io = c->proto.io;
	struct buf b = {0};

	if (chain_last(c) - c->commit >= CHAIN_DIRTY_MAX ||
		raft_log_cost(&c->log, c->commit + 1, chain_last(c)) > RAFT_PENDING_BYTES) {
		busy.reply = forward_refuse(FORWARD_BUSY, 0, 0);
		chain_answer(c, origin, &busy);
		return;
	}
	buf_add(&b, a->bytes.p, a->bytes.len);
	command_stamp(b.p, io->wall(io));
	chain_append(c, (struct proto_bytes){b.p, (uint32_t)b.len}, &who);
	buf_fini(&b);
	chain_record(c);
}

/* One that is served here goes no way at all. */
static void serve_here(struct chain *c, uint64_t slot, struct forward_request *r)
{
	struct cursor at = cursor_over(r->bytes, r->len);
	struct forward_attempt a = {.slot = slot, .bytes = {r->bytes, r->len}};
	int bad = command_decode(&at, &a.command);

	assert(!bad); /* encoded here */
	r->state = FORWARD_SENT;
	r->attempt = a.attempt = c->forward.attempt_next++;
	if (r->write)
		chain_take(c, chain_self(c), &a);
	else
		chain_read(c, chain_self(c), &a, r->level == PROTO_LEASE);
}

static void dispatch(struct chain *c, uint64_t slot)
{
	struct forward_request *r = forward_at(&c->forward, slot);
	unsigned to;

	if (!r || !chain_settled(c) || (r->state == FORWARD_SENT && r->write))
		return;
	to = r->write ? chain_head(c) : chain_reader(c);
	if (to == chain_self(c)) {
		if (r->write ? chain_heads(c) : chain_serves(c))
			serve_here(c, slot, r);
		return;
	}
	if (!heard_alive(&c->heard, to))
		return;
	forward_send(&c->forward, slot, to,
		r->write                  ? CHAIN_ATTEMPT
		: r->level == PROTO_LEASE ? CHAIN_READ_LEASE
					  : CHAIN_READ,
		c->config.epoch);
}

void chain_requests_go(struct chain *c)
{
	uint64_t next = c->forward.slots.next;

	if (!chain_settled(c))
		return;
	for (uint64_t slot = c->forward.slots.first; slot < next; slot++)
		dispatch(c, slot);
}

static void read_local(struct chain *c, const struct proto_request *req)
{
	struct proto_io *io = c->proto.io;
	struct proto_reply reply = forward_refuse(FORWARD_BEHIND, 0, 0);

	if (chain_exact(c))
		command_read(
			c->proto.table, req->key, command_now(&c->state, io->wall(io)), &reply);
	io->reply(io, req->ticket, &reply);
}

void chain_request(struct proto *p, const struct proto_request *req)
{
	struct chain *c = chain_of(p);
	enum proto_level level = req->level ? req->level : p->cfg.read_level;
	struct proto_reply refusal;
	uint64_t slot;

	if (req->op == PROTO_GET && level == PROTO_ONE) {
		read_local(c, req);
		return;
	}
	if (heard_count(&c->heard) < chain_majority(c) && !PROTO_BUG(BUG_CHAIN_OLD_TAIL_ANSWERS)) {
		refusal = forward_refuse(FORWARD_COUNTS, heard_count(&c->heard), chain_majority(c));
		p->io->reply(p->io, req->ticket, &refusal);
		return;
	}
	slot = forward_add(&c->forward, req, true);
	if (slot)
		dispatch(c, slot);
}
