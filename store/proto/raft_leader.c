/* SPDX-License-Identifier: MIT */
/*
 * raft_leader.c - what a leader does: appends, replicates, counts, confirms reads (raft_read.c)
 *
 * Requests of one turn are gathered and flushed together (the flush timer is armed for now): one
 * record, one message per follower, one round of heartbeats for all reads. Followers that agree
 * are sent to without waiting (PIPELINE); one whose log is in doubt gets one message at a time
 * (PROBE). A gap left by a lost message is seen by the next heartbeat, whose previous entry is
 * the last one sent.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/raft_internal.h"

static const struct sm_state progress_states[] = {
	[RAFT_PROBE] = {"probe", SM_TO(RAFT_PROBE) | SM_TO(RAFT_PIPELINE) | SM_TO(RAFT_TRANSFER)},
	[RAFT_PIPELINE] = {"pipeline", SM_TO(RAFT_PROBE) | SM_TO(RAFT_TRANSFER)},
	[RAFT_TRANSFER] = {"transfer", SM_TO(RAFT_PROBE)},
};
_Static_assert(sizeof(progress_states) / sizeof(*progress_states) == RAFT_PROGRESS_NR,
	"a row for each state");

void raft_want_flush(struct raft *r)
{
	struct proto_io *io = r->proto.io;

	if (r->flush_armed)
		return;
	r->flush_armed = true;
	io->arm(io, RAFT_TIMER_FLUSH, io->now(io));
}

void raft_add_entry(struct raft *r, struct proto_bytes bytes, const struct raft_waiter *who)
{
	uint64_t index = raft_log_append(&r->log, r->term, bytes);
	struct raft_waiter *w = ring_push(&r->waiters);

	assert(r->waiters.next == index + 1);
	raft_changes_appended(r, index);
	if (bytes.len && !raft_entry_is_members(bytes))
		command_stamp(raft_log_at(&r->log, index)->bytes, r->proto.io->wall(r->proto.io));
	*w = *who;
	raft_want_flush(r);
}

void raft_lead(struct raft *r)
{
	struct proto_io *io = r->proto.io;
	uint64_t now = raft_now(r);

	sm_move(&r->role, RAFT_LEADER);
	r->led_ns = now;
	r->round = 0;
	r->confirmed = 0;
	r->lease_void = false;
	r->handing = false;
	raft_reads_forget_lease(r);
	r->round_wanted = false;
	r->term_start = raft_log_last(&r->log) + 1;
	ring_fini(&r->waiters);
	ring_init(&r->waiters, sizeof(struct raft_waiter), r->term_start);
	for (unsigned i = 0; i < r->proto.cfg.nodes; i++) {
		struct raft_peer *peer = &r->peer[i];

		raft_transfer_end(peer);
		sm_init(&peer->progress, progress_states, RAFT_PROGRESS_NR, RAFT_PROBE);
		peer->answered_ns = now;
		peer->next = r->kind ? r->kind->next(r, i) : r->term_start;
		peer->match = PROTO_BUG(BUG_RAFT_ASSUMES_MATCH) ? r->term_start - 1 : 0;
		peer->round = 0;
		peer->probing = false;
	}
	/* Dissertation, 6.4 step 1: an entry of its own term tells the leader what is committed. */
	raft_add_entry(r, (struct proto_bytes){0}, &(struct raft_waiter){0});
	raft_flush(r);
	io->arm(io, RAFT_TIMER_HEARTBEAT, now + r->proto.cfg.heartbeat_ns);
	raft_leader_known(r, (int)r->proto.cfg.self);
}

void raft_answer(struct raft *r, unsigned to, struct forward_answer *a)
{
	struct proto_io *io = r->proto.io;
	struct buf b = {0};

	if (to == r->proto.cfg.self) {
		raft_session_finish(r, a);
		return;
	}
	buf_u8(&b, RAFT_ANSWER);
	buf_u64(&b, a->index);
	forward_encode_answer(&b, a);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

/* Voters that have answered within an election time-out, oneself included. */
static unsigned answering(const struct raft *r)
{
	uint64_t now = raft_now(r);
	unsigned count = 0;

	for (unsigned i = 0; i < r->proto.cfg.nodes; i++)
		count += raft_votes(r, i) &&
			 (i == r->proto.cfg.self ||
				 now - r->peer[i].answered_ns <= r->proto.cfg.election_min_ns);
	return count;
}

static struct forward_answer refusal(const struct raft *r, enum forward_why why)
{
	unsigned have = answering(r);

	return (struct forward_answer){
		.why = why,
		.reply = forward_refuse(why, have, r->majority),
	};
}

void raft_step_down(struct raft *r)
{
	struct forward_answer a = refusal(r, FORWARD_DEPOSED);
	struct raft_waiter *w;

	raft_log_record(r);
	sm_move(&r->role, RAFT_FOLLOWER);
	r->leader = -1;
	r->leader_heard_ns = raft_now(r);
	r->proto.io->arm(r->proto.io, RAFT_TIMER_HEARTBEAT, 0);
	for (unsigned i = 0; i < r->proto.cfg.nodes; i++) {
		raft_transfer_end(&r->peer[i]);
		sm_init(&r->peer[i].progress, progress_states, RAFT_PROGRESS_NR, RAFT_PROBE);
	}
	/* A later leader may have these entries, and commit them; or not. */
	a.reply.status = PROTO_UNCERTAIN;
	if (PROTO_BUG(BUG_RAFT_DEPOSED_SAYS_OK))
		a.reply.status = PROTO_OK;
	if (PROTO_BUG(BUG_RAFT_DEPOSED_SAYS_NO))
		a.reply.status = PROTO_UNAVAILABLE;
	for (; (w = ring_front(&r->waiters)); ring_pop(&r->waiters)) {
		a.slot = w->slot;
		a.attempt = w->attempt;
		if (w->slot)
			raft_answer(r, w->origin, &a);
	}
	a.reply.status = PROTO_UNAVAILABLE;
	raft_reads_refuse(r, &a);
	raft_admin_deposed(r);
}

void raft_take(struct raft *r, unsigned origin, const struct forward_attempt *a)
{
	struct raft_waiter w = {.slot = a->slot, .attempt = a->attempt, .origin = origin};

	assert(raft_leads(r));
	if (ring_count(&r->reads) >= RAFT_WAITING_MAX || r->reads_bytes > RAFT_READS_BYTES ||
		ring_count(&r->waiters) >= RAFT_WAITING_MAX ||
		raft_log_cost(&r->log, r->applied + 1, raft_log_last(&r->log)) >
			RAFT_PENDING_BYTES ||
		raft_log_last(&r->log) >= RAFT_NUMBER_MAX) {
		struct forward_answer busy = refusal(r, FORWARD_BUSY);

		busy.slot = a->slot;
		busy.attempt = a->attempt;
		raft_answer(r, origin, &busy);
	} else if (a->command.op == PROTO_GET) {
		raft_reads_add(r, origin, a);
	} else {
		raft_add_entry(r, a->bytes, &w);
	}
}

/* Whether a snapshot has taken the place of what comes next for it. */
static bool needs_table(const struct raft *r, const struct raft_peer *peer)
{
	return peer->progress.now == RAFT_TRANSFER || peer->next < r->log.entries.first;
}

/* One append message with what comes next for @to; @entries: not only a heartbeat. */
static uint32_t send_append(struct raft *r, unsigned to, bool entries)
{
	struct proto_io *io = r->proto.io;
	struct raft_peer *peer = &r->peer[to];
	/* What comes before a table is agreed upon in any case. */
	uint64_t prev = needs_table(r, peer) ? 0 : peer->next - 1;
	struct buf b = {0};
	uint32_t count = 0;

	buf_u8(&b, RAFT_APPEND);
	buf_u64(&b, r->term);
	buf_u64(&b, prev);
	buf_u64(&b, raft_log_term(&r->log, prev));
	buf_u64(&b, r->commit);
	buf_u64(&b, r->round);
	if (entries)
		count = raft_batch_encode(&b, &r->log, peer->next, raft_log_last(&r->log));
	else
		buf_u32(&b, 0);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
	return count;
}

static bool window_open(const struct raft *r, const struct raft_peer *peer)
{
	uint64_t low = peer->match + 1;
	const struct raft_entry *first =
		raft_log_at(&r->log, low > r->log.entries.first ? low : r->log.entries.first);
	const struct raft_entry *next = raft_log_at(&r->log, peer->next);

	return next && (!first || next->offset - first->offset < RAFT_WINDOW_BYTES);
}

/* Send what may be sent; @must: at least a heartbeat. */
static void replicate(struct raft *r, unsigned to, bool must)
{
	struct raft_peer *peer = &r->peer[to];

	if (peer->apart)
		return;
	if (needs_table(r, peer)) {
		/* What is half-way is not copied. */
		if (peer->progress.now != RAFT_TRANSFER && raft_exact(r))
			raft_transfer_begin(r, to);
		if (must)
			send_append(r, to, false);
		return;
	}
	if (peer->progress.now == RAFT_PROBE) {
		bool entries = !peer->probing;

		if (entries || must)
			send_append(r, to, entries);
		peer->probing = true;
		return;
	}
	while (window_open(r, peer)) {
		peer->next += send_append(r, to, true);
		must = false;
	}
	if (must)
		send_append(r, to, false);
}

void raft_replicate_all(struct raft *r, bool must)
{
	for (unsigned i = 0; i < r->proto.cfg.nodes; i++)
		if (i != r->proto.cfg.self)
			replicate(r, i, must);
}

void raft_peer_joins(struct raft *r, unsigned node)
{
	struct raft_peer *peer = &r->peer[node];

	raft_transfer_end(peer);
	sm_move(&peer->progress, RAFT_PROBE);
	peer->probing = false;
	peer->apart = false;
	peer->answered_ns = raft_now(r);
	peer->next = r->kind->next(r, node);
	if (peer->next <= peer->match)
		peer->next = peer->match + 1;
	replicate(r, node, true);
}

unsigned raft_answers(const struct raft *r)
{
	const struct raft_read *read = ring_front(&r->reads);
	bool write = ring_count(&r->waiters) > 0;
	unsigned have = 0;

	for (unsigned i = 0; i < r->proto.cfg.nodes; i++) {
		const struct raft_peer *peer = &r->peer[i];
		bool self = i == r->proto.cfg.self;

		if (!raft_votes(r, i))
			continue;
		if (write)
			have += (self ? r->log.durable : peer->match) >= r->waiters.first;
		else
			have += self || (read && peer->round >= read->round);
	}
	return have;
}

void raft_flush(struct raft *r)
{
	bool must = r->round_wanted || r->commit_wanted;

	r->flush_armed = false;
	if (!raft_leads(r))
		return;
	if (r->round_wanted)
		raft_round_begin(r);
	r->round_wanted = false;
	r->commit_wanted = false;
	raft_log_record(r);
	raft_replicate_all(r, must);
	/* Alone, nobody's answer is needed. */
	if (r->majority == 1)
		raft_reads_confirm(r);
}

void raft_heartbeat(struct raft *r)
{
	struct proto_io *io = r->proto.io;
	uint64_t now = raft_now(r);

	if (!raft_leads(r))
		return;
	/* Dissertation, 6.2: who gets no answers of a majority for an election time-out is none. */
	if (answering(r) < r->majority && !raft_plain(&r->proto.cfg) &&
		!PROTO_BUG(BUG_RAFT_STALE_LEADER_READ)) {
		raft_follow(r, r->term, -1);
		return;
	}
	raft_admin_heartbeat(r);
	for (unsigned i = 0; i < r->proto.cfg.nodes; i++) {
		r->peer[i].probing = false;
		if (r->peer[i].transfer)
			raft_transfer_heartbeat(r, i);
	}
	raft_round_begin(r);
	raft_replicate_all(r, true);
	io->arm(io, RAFT_TIMER_HEARTBEAT, now + r->proto.cfg.heartbeat_ns);
}

/* Dissertation, 10.2.1: the own disk is one of the majority, no more and no less. */
static uint64_t matches(const struct raft *r, unsigned node)
{
	if (node != r->proto.cfg.self)
		return r->peer[node].match;
	return PROTO_BUG(BUG_RAFT_LEADER_COUNTS_BEFORE_DURABLE) ? raft_log_last(&r->log)
								: r->log.durable;
}

void raft_advance(struct raft *r)
{
	uint64_t index;

	if (!raft_majority_from(r, matches, r->commit + 1))
		return;
	index = raft_majority_of(r, matches);
	/* Paper, 5.4.2: only entries of the own term are committed by counting. */
	if (index <= r->commit || (raft_log_term(&r->log, index) != r->term &&
					  !PROTO_BUG(BUG_RAFT_COUNTS_OLDER_TERM)))
		return;
	raft_apply(r, index);
	/* Somebody waits until others have applied it. */
	if (r->kind || r->proto.cfg.sessions) {
		r->commit_wanted = true;
		raft_want_flush(r);
	}
	raft_reads_serve(r);
	raft_admin_step(r);
	raft_leave_if_removed(r);
}

static void rejected(struct raft *r, unsigned from, uint64_t prev, uint64_t hint)
{
	struct raft_peer *peer = &r->peer[from];

	uint64_t first = r->log.entries.first;

	/* Answers may come late and twice; what is known to match stays known. */
	if (prev <= peer->match || prev >= peer->next || peer->transfer)
		return;
	/* Paper, 5.3: back off, by more than one entry at a time. */
	peer->next = hint + 1 < prev ? hint + 1 : prev;
	if (peer->next <= peer->match)
		peer->next = peer->match + 1;
	/* It may have the last entry that is forgotten; if that was tried, it needs the table. */
	if (peer->next < first && prev >= first)
		peer->next = first;
	sm_move(&peer->progress, RAFT_PROBE);
	peer->probing = false;
	replicate(r, from, false);
}

static void accepted(struct raft *r, unsigned from, uint64_t agreed, uint64_t match)
{
	struct raft_peer *peer = &r->peer[from];

	if (peer->transfer && match >= peer->transfer->base.index) {
		raft_transfer_end(peer);
		sm_move(&peer->progress, RAFT_PROBE);
		peer->probing = false;
		peer->next = match + 1;
	}
	if (peer->progress.now == RAFT_PROBE && agreed + 1 >= peer->next) {
		peer->probing = false;
		peer->next = agreed + 1;
		sm_move(&peer->progress, RAFT_PIPELINE);
	}
	if (match > peer->match) {
		peer->match = match;
		if (peer->next <= match)
			peer->next = match + 1;
		if (match > r->commit)
			raft_advance(r);
		/* What it has committed may be its own removal. */
		if (!raft_leads(r))
			return;
	}
	replicate(r, from, false);
	raft_admin_step(r);
}

int raft_on_appended(struct raft *r, unsigned from, struct cursor *c)
{
	struct raft_peer *peer = &r->peer[from];
	uint64_t term = cursor_u64(c);
	uint64_t round = cursor_u64(c);
	uint64_t prev = cursor_u64(c); /* of the append that was refused, 0: none was */
	uint64_t agreed = cursor_u64(c);
	uint64_t match = cursor_u64(c);

	if (!cursor_done(c) || term == 0 || term > RAFT_NUMBER_MAX || prev > RAFT_NUMBER_MAX ||
		agreed > RAFT_NUMBER_MAX || (!prev && match > agreed))
		return -EBADMSG;
	if (r->kind && !raft_leads(r))
		return 0;
	if (term > r->term) {
		raft_follow(r, term, -1);
		return 0;
	}
	if ((term < r->term && !PROTO_BUG(BUG_RAFT_COUNTS_STALE_ANSWERS)) || !raft_leads(r))
		return 0;
	if (round > r->round || (!prev && agreed > raft_log_last(&r->log)) ||
		prev > raft_log_last(&r->log))
		return -EBADMSG;
	peer->answered_ns = raft_now(r);
	if (round > peer->round) {
		peer->round = round;
		peer->lease_ns = raft_round_began(r, round);
		raft_reads_confirm(r);
	}
	if (prev)
		rejected(r, from, prev, agreed);
	else
		accepted(r, from, agreed, match);
	return 0;
}
