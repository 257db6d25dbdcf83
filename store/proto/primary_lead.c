/* SPDX-License-Identifier: MIT */
/*
 * primary_lead.c - what a primary does: appends, ships, waits for acknowledgements, answers
 *
 * A write goes to the own disk first, and only what is there is shipped (as PostgreSQL's walsender
 * and MySQL's dump thread do): after a crash no replica has more than its primary.
 *
 *              own disk             acks replicas have it
 *   entry ----------> durable ------------------------> acknowledged
 *   asynchronous      done, answered
 *   wait=after        done                              answered
 *   wait=before                                         done, answered
 *
 * While semi-synchronous is off (fallback), it is asynchronous. It goes on again as soon as so many
 * replicas have all that is on the own disk.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/primary_internal.h"

static void want_flush(struct primary *p)
{
	struct proto_io *io = p->proto.io;

	if (p->flush_armed)
		return;
	p->flush_armed = true;
	io->arm(io, PRIMARY_TIMER_FLUSH, io->now(io));
}

void primary_answer(struct primary *p, unsigned to, struct forward_answer *a)
{
	struct proto_io *io = p->proto.io;
	struct buf b = {0};

	if (to == p->proto.cfg.self) {
		forward_finish(&p->forward, a->slot, &a->reply);
		return;
	}
	buf_u8(&b, PRIMARY_ANSWER);
	forward_encode_answer(&b, a);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

/* --- office --- */

void primary_lead(struct primary *p)
{
	struct proto_io *io = p->proto.io;
	struct proto_reply done = {.status = PROTO_OK};

	assert(primary_exact(p) && p->log.durable == primary_last(p));
	assert(p->applied == primary_last(p));
	sm_move(&p->role, PRIMARY_LEADS);
	p->admin.busy = false;
	primary_staging_drop(p);
	ring_fini(&p->waiters);
	ring_init(&p->waiters, sizeof(struct primary_waiter), primary_last(p) + 1);
	p->semi = primary_acks(&p->proto.cfg) > 0;
	for (unsigned i = 0; i < p->proto.cfg.nodes; i++) {
		primary_transfer_end(&p->peer[i]);
		p->peer[i] = (struct primary_peer){
			.next = primary_last(p) + 1, .answered_ns = primary_now(p)};
	}
	if (p->force_slot)
		forward_finish(&p->forward, p->force_slot, &done);
	p->force_slot = 0;
	io->arm(io, PRIMARY_TIMER_WATCH, 0);
	primary_heartbeat(p);
	primary_pass_held(p);
}

static void release(struct primary *p, struct primary_waiter *w)
{
	p->kept -= w->reply.value.len;
	free((void *)(uintptr_t)w->reply.value.p);
}

void primary_step_down(struct primary *p)
{
	struct proto_io *io = p->proto.io;
	struct primary_waiter *w;

	primary_record(p);
	sm_move(&p->role, PRIMARY_REPLICA);
	io->arm(io, PRIMARY_TIMER_FALLBACK, 0);
	p->fallback_ns = 0;
	/* Whoever leads next may have these entries, or not. */
	for (; (w = ring_front(&p->waiters)); ring_pop(&p->waiters)) {
		struct forward_answer a = {
			.slot = w->slot, .attempt = w->attempt, .why = FORWARD_DEPOSED};

		a.reply = forward_refuse(FORWARD_DEPOSED, 0, 0);
		a.reply.status = PROTO_UNCERTAIN;
		if (w->slot)
			primary_answer(p, w->origin, &a);
		release(p, w);
	}
	for (unsigned i = 0; i < p->proto.cfg.nodes; i++)
		primary_transfer_end(&p->peer[i]);
	/* As a replica it has done what is on its disk. */
	primary_apply(p, p->log.durable > p->applied ? p->log.durable : p->applied);
}

/* --- requests --- */

static bool busy(const struct primary *p)
{
	return ring_count(&p->waiters) >= RAFT_WAITING_MAX || p->kept > PRIMARY_KEPT_BYTES ||
	       raft_log_cost(&p->log, p->applied + 1, primary_last(p)) > RAFT_PENDING_BYTES ||
	       primary_last(p) >= RAFT_NUMBER_MAX;
}

static void append_write(struct primary *p, unsigned origin, const struct forward_attempt *a)
{
	struct proto_io *io = p->proto.io;
	struct primary_waiter *w;

	primary_append(p, p->epoch, a->bytes);
	command_stamp(raft_log_at(&p->log, primary_last(p))->bytes, io->wall(io));
	w = ring_push(&p->waiters);
	assert(p->waiters.next == primary_last(p) + 1);
	w->slot = a->slot;
	w->attempt = a->attempt;
	w->origin = origin;
	want_flush(p);
}

void primary_take(struct primary *p, unsigned origin, const struct forward_attempt *a)
{
	struct proto_io *io = p->proto.io;
	struct forward_answer now = {.slot = a->slot, .attempt = a->attempt};

	assert(primary_leads(p));
	if (a->command.op != PROTO_GET && !busy(p)) {
		append_write(p, origin, a);
		return;
	}
	if (a->command.op == PROTO_GET) {
		command_read(p->proto.table, a->command.key, command_now(&p->state, io->wall(io)),
			&now.reply);
	} else {
		now.why = FORWARD_BUSY;
		now.reply = forward_refuse(FORWARD_BUSY, 0, 0);
	}
	primary_answer(p, origin, &now);
}

/* --- acknowledgements --- */

uint64_t primary_acked(const struct primary *p)
{
	unsigned want = primary_acks(&p->proto.cfg);
	uint64_t below = UINT64_MAX;
	unsigned have = 0;

	/* The next lower number that some replica has acknowledged, until enough have. */
	while (have < want) {
		uint64_t top = 0;
		unsigned count = 0;

		for (unsigned i = 0; i < p->proto.cfg.nodes; i++) {
			uint64_t match = p->peer[i].match;

			if (i == p->proto.cfg.self || match >= below)
				continue;
			count = match > top ? 1 : count + (match == top);
			top = match > top ? match : top;
		}
		have += count;
		below = top;
	}
	return below;
}

static uint64_t answerable(const struct primary *p)
{
	uint64_t acked = p->semi ? primary_acked(p) : UINT64_MAX;

	return acked < p->log.durable ? acked : p->log.durable;
}

static void answer_waiter(struct primary *p, struct primary_waiter *w, struct proto_reply *reply)
{
	struct forward_answer a = {.slot = w->slot, .attempt = w->attempt, .reply = *reply};

	if (w->slot)
		primary_answer(p, w->origin, &a);
}

/* What it came to must not depend on the table any more. */
static void keep(struct primary *p, struct primary_waiter *w, const struct proto_reply *reply)
{
	uint8_t *copy = NULL;

	w->reply = *reply;
	if (reply->value.len) {
		copy = malloc(reply->value.len);
		assert(copy);
		memcpy(copy, reply->value.p, reply->value.len);
	}
	w->reply.value.p = copy;
	p->kept += reply->value.len;
}

/* Entries that were done before they could be answered. */
static void answer_kept(struct primary *p, uint64_t limit)
{
	struct primary_waiter *w;

	while ((w = ring_front(&p->waiters)) && p->waiters.first <= limit &&
		p->waiters.first <= p->applied) {
		answer_waiter(p, w, &w->reply);
		release(p, w);
		ring_pop(&p->waiters);
	}
}

static void arm_fallback(struct primary *p)
{
	const struct primary_waiter *w = ring_front(&p->waiters);
	struct proto_io *io = p->proto.io;
	uint64_t at = 0;

	if (w && w->since_ns && p->semi && p->proto.cfg.fallback_ns)
		at = w->since_ns + p->proto.cfg.fallback_ns;
	if (at != p->fallback_ns)
		io->arm(io, PRIMARY_TIMER_FALLBACK, at);
	p->fallback_ns = at;
}

void primary_advance(struct primary *p)
{
	uint64_t limit = answerable(p);
	bool after = p->proto.cfg.wait == PROTO_WAIT_AFTER;
	uint64_t doable = after ? p->log.durable : limit;

	answer_kept(p, limit);
	while (p->applied < doable) {
		struct primary_waiter *w;
		struct proto_reply reply;

		primary_apply_next(p, &reply);
		w = ring_at(&p->waiters, p->applied);
		assert(w);
		if (p->applied > limit) {
			keep(p, w, &reply);
			continue;
		}
		assert(p->applied == p->waiters.first);
		answer_waiter(p, w, &reply);
		ring_pop(&p->waiters);
	}
	arm_fallback(p);
	primary_trim(p);
}

void primary_fallback(struct primary *p)
{
	p->fallback_ns = 0;
	if (!primary_leads(p))
		return;
	/* MySQL, rpl_semi_sync_source_timeout. */
	p->semi = false;
	primary_advance(p);
	primary_admin_step(p);
}

/* MySQL: semi-synchronous again when a replica has all. */
static void recover_semi(struct primary *p)
{
	if (p->semi || !primary_acks(&p->proto.cfg) || primary_acked(p) < p->log.durable)
		return;
	p->semi = true;
}

/* More is on the own disk. */
void primary_disk(struct primary *p)
{
	uint64_t now = primary_now(p);

	for (uint64_t i = p->log.durable; i >= p->waiters.first; i--) {
		struct primary_waiter *w = ring_at(&p->waiters, i);

		if (!w || w->since_ns)
			break;
		w->since_ns = now;
	}
	for (unsigned i = 0; i < p->proto.cfg.nodes; i++)
		if (i != p->proto.cfg.self)
			primary_ship(p, i, false);
	primary_advance(p);
	primary_admin_step(p);
}

/* --- replication --- */

static uint32_t send_append(struct primary *p, unsigned to, bool entries)
{
	struct proto_io *io = p->proto.io;
	struct primary_peer *peer = &p->peer[to];
	/* While it gets the table, nothing is said of its log. */
	uint64_t prev = peer->transfer ? 0 : peer->next - 1;
	struct buf b = {0};
	uint32_t count = 0;

	buf_u8(&b, PRIMARY_APPEND);
	buf_u64(&b, p->epoch);
	buf_u64(&b, prev);
	buf_u64(&b, primary_epoch_at(p, prev));
	buf_u64(&b, primary_last(p));
	if (entries)
		count = raft_batch_encode(&b, &p->log, peer->next, p->log.durable);
	else
		buf_u32(&b, 0);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
	return count;
}

static bool window_open(const struct primary *p, const struct primary_peer *peer)
{
	uint64_t first = p->log.entries.first;
	uint64_t low = peer->match + 1 > first ? peer->match + 1 : first;
	const struct raft_entry *begin = raft_log_at(&p->log, low);
	const struct raft_entry *next = raft_log_at(&p->log, peer->next);

	return next && peer->next <= p->log.durable &&
	       (!begin || next->offset - begin->offset < RAFT_WINDOW_BYTES);
}

/* Send what may be sent; @must: at least a heartbeat. */
void primary_ship(struct primary *p, unsigned to, bool must)
{
	struct primary_peer *peer = &p->peer[to];

	if (!peer->transfer && peer->next < p->log.entries.first)
		primary_transfer_begin(p, to);
	while (!peer->transfer && window_open(p, peer)) {
		peer->next += send_append(p, to, true);
		must = false;
	}
	if (must)
		send_append(p, to, false);
}

void primary_flush(struct primary *p)
{
	p->flush_armed = false;
	if (primary_leads(p))
		primary_record(p);
}

void primary_heartbeat(struct primary *p)
{
	for (unsigned i = 0; i < p->proto.cfg.nodes; i++) {
		if (i == p->proto.cfg.self)
			continue;
		p->peer[i].rewound = false;
		if (p->peer[i].transfer)
			primary_transfer_heartbeat(p, i);
		primary_ship(p, i, true);
	}
	primary_admin_step(p);
}

/* Whether a message of who is no primary counts here: of this epoch, and this one leads. */
static bool counts(struct primary *p, unsigned from, uint64_t epoch)
{
	if (epoch > p->epoch)
		primary_adopt(p, epoch);
	else if (epoch < p->epoch)
		primary_ping(p, from);
	if (epoch != p->epoch || !primary_leads(p))
		return false;
	p->peer[from].answered_ns = primary_now(p);
	return true;
}

int primary_on_appended(struct primary *p, unsigned from, struct cursor *c)
{
	struct primary_peer *peer = &p->peer[from];
	uint64_t epoch = cursor_u64(c);
	uint64_t done = cursor_u64(c);
	uint64_t match = cursor_u64(c);

	if (!cursor_done(c) || epoch == 0 || epoch > RAFT_NUMBER_MAX || match > RAFT_NUMBER_MAX ||
		(epoch == p->epoch && primary_leads(p) && match > p->log.durable))
		return -EBADMSG;
	if (!counts(p, from, epoch))
		return 0;
	if (match > peer->match && !peer->transfer && done == peer->done)
		peer->match = match;
	if (peer->next <= peer->match)
		peer->next = peer->match + 1;
	primary_advance(p);
	recover_semi(p);
	primary_ship(p, from, false);
	primary_admin_step(p);
	return 0;
}

static void at_position(struct primary *p, unsigned from, const struct ring *runs, uint64_t last)
{
	struct primary_peer *peer = &p->peer[from];
	uint64_t common = primary_common(p, runs, last);

	if (peer->transfer)
		return;
	if (common < last || common + 1 < p->log.entries.first) {
		/* It has what is nowhere else, or lacks what is forgotten. */
		primary_transfer_begin(p, from);
		return;
	}
	if (peer->rewound)
		return;
	peer->rewound = true;
	peer->next = (common > peer->match ? common : peer->match) + 1;
	primary_ship(p, from, true);
}

int primary_on_position(struct primary *p, unsigned from, struct cursor *c)
{
	uint64_t epoch = cursor_u64(c);
	uint64_t last = cursor_u64(c);
	struct ring runs;

	if (epoch == 0 || epoch > RAFT_NUMBER_MAX || primary_runs_decode(c, last, &runs))
		return -EBADMSG;
	if (cursor_done(c) && counts(p, from, epoch))
		at_position(p, from, &runs, last);
	ring_fini(&runs);
	return c->bad || c->left ? -EBADMSG : 0;
}
