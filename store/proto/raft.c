/* SPDX-License-Identifier: MIT */
/*
 * raft.c - replicated log with an elected leader: the seam, the follower, and clients' requests
 *
 * Every replica takes requests. One that does not lead passes reads and writes on to the leader
 * and relays the answer (see forward.h); without a leader, requests wait for one, until this
 * replica has been without for longer than an election should take. The rest: raft_election.c,
 * raft_leader.c and raft_log.c; raft_read.c; raft_members.c and raft_admin.c; raft_snapshot.c,
 * raft_transfer.c and raft_copy.c; raft_session.c; raft_claim.c. Much of it serves zab, too
 * (zab.c).
 *
 * Invariants, asserted after each step in tests:
 *  1. applied <= commit <= last entry; durable <= recorded <= last entry
 *  2. terms of entries never go back, and none is beyond the current term
 *  3. a leader voted for itself, and its log holds who waits for each entry not yet applied
 *  4. the log begins at or before the entry after the applied one, whose term is known
 *  5. memberships rise in index; all but the first one are of entries not applied yet
 *  6. what is staged has a base, and parts without a gap
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/raft_internal.h"

static const struct sm_state role_states[] = {
	[RAFT_FOLLOWER] = {"follower", SM_TO(RAFT_PRE_CANDIDATE)},
	[RAFT_PRE_CANDIDATE] = {"pre-candidate", SM_TO(RAFT_FOLLOWER) | SM_TO(RAFT_CANDIDATE)},
	[RAFT_CANDIDATE] = {"candidate", SM_TO(RAFT_FOLLOWER) | SM_TO(RAFT_LEADER)},
	[RAFT_LEADER] = {"leader", SM_TO(RAFT_FOLLOWER)},
};
_Static_assert(sizeof(role_states) / sizeof(*role_states) == RAFT_ROLE_NR, "a row for each state");

void raft_init(struct proto *p)
{
	struct raft *r = raft_of(p);

	sm_init(&r->role, role_states, RAFT_ROLE_NR, RAFT_FOLLOWER);
	r->vote = -1;
	r->vote_owed = -1;
	r->leader = -1;
	r->peer = calloc(p->cfg.nodes, sizeof(*r->peer));
	assert(r->peer);
	raft_log_init(&r->log, p->cfg.batch_entries);
	raft_changes_init(r);
	raft_copy_init(&r->copy);
	raft_copy_init(&r->staging.copy);
	ring_init(&r->waiters, sizeof(struct raft_waiter), 1);
	ring_init(&r->reads, sizeof(struct raft_read), 1);
	ring_init(&r->waits, sizeof(struct raft_wait), 0);
	forward_init(&r->forward, p, RAFT_TIMER_REQUESTS);
}

void raft_fini(struct proto *p)
{
	struct raft *r = raft_of(p);

	for (uint64_t i = r->reads.first; i < r->reads.next; i++)
		free(((struct raft_read *)ring_at(&r->reads, i))->key);
	ring_fini(&r->reads);
	raft_session_fini(r);
	ring_fini(&r->waiters);
	ring_fini(&r->changes);
	for (unsigned i = 0; i < p->cfg.nodes; i++)
		raft_transfer_end(&r->peer[i]);
	free(r->peer);
	raft_staging_drop(r);
	raft_copy_fini(&r->copy);
	raft_log_fini(&r->log);
	command_state_fini(&r->state);
	forward_fini(&r->forward);
}

void raft_boot(struct raft *r)
{
	uint64_t exact;

	forward_start(&r->forward);
	raft_staging_try(r);
	exact = r->copy.exact < raft_log_last(&r->log) ? r->copy.exact : raft_log_last(&r->log);
	/*
	 * What an own snapshot has seen applied was committed, and its entries are in the log. Of a
	 * table that a leader has sent, only entries up to its base are known to be the ones here.
	 */
	if (!r->unfinished && !r->copy.foreign && exact > r->commit)
		raft_apply(r, exact);
	raft_copy_settle(r);
	r->boot_term = r->term;
	r->leader_heard_ns = raft_now(r);
}

static void raft_start(struct proto *p)
{
	struct raft *r = raft_of(p);

	raft_boot(r);
	/* What an earlier life has promised a leader is not known. */
	r->promised_ns = r->restored && raft_leases(&p->cfg) ? raft_now(r) : 0;
	r->eager = !r->restored && p->cfg.leader == (int)p->cfg.self;
	raft_election_reset(r);
	if (r->eager || p->cfg.nodes == 1)
		r->election_due_ns = raft_now(r);
	raft_election_timer(r);
}

unsigned raft_heard_since(const struct raft *r, uint64_t span_ns)
{
	uint64_t now = raft_now(r);
	unsigned heard = 0;

	for (unsigned i = 0; i < r->proto.cfg.nodes; i++) {
		const struct raft_peer *peer = &r->peer[i];

		if (!raft_votes(r, i))
			continue;
		heard += i == r->proto.cfg.self ||
			 (peer->heard_ns && now - peer->heard_ns <= span_ns);
	}
	return heard;
}

/* A command, unless the key is from a part of a copy that has seen it already. */
static void apply_command(struct raft *r, struct proto_bytes bytes, struct proto_reply *ret)
{
	struct cursor c = cursor_over(bytes.p, bytes.len);
	struct command command;
	int bad = command_decode(&c, &command);

	assert(!bad); /* checked when it came */
	if (r->applied > raft_copy_at(&r->copy, command.key)) {
		command_apply(r->proto.table, &r->state, &command, r->applied, ret);
		/* All apply the same commands in one order: nobody needs a tombstone. */
		if (command.op == PROTO_DEL)
			table_remove(r->proto.table, command.key);
	} else if (command.stamp_ns > r->state.clock_ns) {
		r->state.clock_ns = command.stamp_ns;
	}
}

void raft_apply(struct raft *r, uint64_t commit)
{
	assert(commit >= r->commit && commit <= raft_log_last(&r->log));
	r->commit = commit;
	while (r->applied < r->commit) {
		const struct raft_entry *e = raft_log_at(&r->log, r->applied + 1);
		struct proto_bytes bytes = {e->bytes, e->len};
		struct forward_answer a = {.reply.status = PROTO_OK};
		struct raft_waiter *front = ring_front(&r->waiters);
		struct raft_waiter w = {0};

		r->applied++;
		if (raft_entry_is_members(bytes))
			raft_changes_applied(r);
		else if (e->len)
			apply_command(r, bytes, &a.reply);
		if (front && r->waiters.first == r->applied) {
			w = *front;
			ring_pop(&r->waiters);
		}
		a.slot = w.slot;
		a.attempt = w.attempt;
		a.index = r->applied;
		if (w.slot)
			raft_answer(r, w.origin, &a);
	}
	raft_copy_settle(r);
	raft_session_applied(r);
}

/* No leader for longer than an election should take: better to say no than to let clients wait. */
bool raft_forsaken(const struct raft *r)
{
	return r->leader < 0 && raft_now(r) - r->leader_heard_ns > r->proto.cfg.election_max_ns;
}

static struct proto_reply no_leader(const struct raft *r)
{
	return forward_refuse(
		FORWARD_NO_LEADER, raft_heard_since(r, r->proto.cfg.election_max_ns), r->majority);
}

static void do_here(struct raft *r, uint64_t slot)
{
	struct forward_request *req = forward_at(&r->forward, slot);
	struct forward_attempt a = {.slot = slot, .level = req->level};
	struct proto_bytes bytes = {.p = req->bytes, .len = req->len};
	struct cursor c = cursor_over(bytes.p, bytes.len);
	enum proto_admin what;
	int bad;

	req->state = FORWARD_SENT;
	req->attempt = 0;
	a.bytes = bytes;
	if (req->order)
		bad = raft_admin_decode(bytes, r->proto.cfg.nodes, &what, &a.node);
	else
		bad = command_decode(&c, &a.command);
	assert(!bad); /* it was encoded here */
	if (req->order)
		raft_admin_take(r, r->proto.cfg.self, &a, what);
	else
		raft_take(r, r->proto.cfg.self, &a);
}

void raft_pass_on(struct raft *r, uint64_t slot)
{
	struct forward_request *req = forward_at(&r->forward, slot);
	uint8_t type = RAFT_ATTEMPT;

	if (req->here)
		return;
	if (r->hold) {
		if (!req->write)
			req->state = FORWARD_HELD;
		return;
	}
	/* While it hands over, a leader holds what it has not begun. */
	if (raft_leads(r) && r->handing && !req->order)
		return;
	if (raft_leads(r)) {
		do_here(r, slot);
		return;
	}
	if (req->order)
		type = RAFT_ORDER;
	else if (!req->write && req->level == PROTO_LEASE)
		type = RAFT_ATTEMPT_LEASE;
	forward_send(&r->forward, slot, (unsigned)r->leader, type, r->term);
}

void raft_pass_held(struct raft *r)
{
	struct ring *slots = &r->forward.slots;

	for (uint64_t i = slots->first; i < slots->next; i++) {
		struct forward_request *req = forward_at(&r->forward, i);

		if (req && req->state == FORWARD_HELD && r->leader >= 0)
			raft_pass_on(r, i);
	}
}

/* There is a leader: what waits for one is passed on, and reads that went to another once more. */
void raft_leader_known(struct raft *r, int leader)
{
	struct ring *slots = &r->forward.slots;

	if (leader == r->leader)
		return;
	r->leader = leader;
	if (leader < 0)
		return;
	r->eager = false;
	raft_admin_leader_known(r);
	for (uint64_t i = slots->first; i < slots->next; i++) {
		struct forward_request *req = forward_at(&r->forward, i);

		if (req && (req->state == FORWARD_HELD ||
				   ((!req->write || PROTO_BUG(BUG_RAFT_SENDS_WRITES_AGAIN)) &&
					   req->bytes)))
			raft_pass_on(r, i);
	}
}

void raft_refuse_held(struct raft *r)
{
	struct ring *slots = &r->forward.slots;

	for (uint64_t i = slots->first; i < slots->next; i++) {
		struct forward_request *req = forward_at(&r->forward, i);
		struct proto_reply reply = no_leader(r);

		if (req && req->state == FORWARD_HELD && !req->here)
			forward_finish(&r->forward, i, &reply);
	}
}

void raft_take_request(struct raft *r, const struct proto_request *req)
{
	struct proto *p = &r->proto;
	struct forward_attempt a = {.command = command_of(req)};
	struct buf b = {0};

	a.level = req->level ? req->level : p->cfg.read_level;
	if (raft_forsaken(r)) {
		struct proto_reply reply = no_leader(r);

		p->io->reply(p->io, req->ticket, &reply);
		return;
	}
	a.slot = forward_add(&r->forward, req, !raft_leads(r) || r->handing || r->hold);
	if (!a.slot)
		return;
	if (!raft_leads(r) || r->handing || r->hold) {
		if (r->leader >= 0)
			raft_pass_on(r, a.slot);
		return;
	}
	forward_at(&r->forward, a.slot)->state = FORWARD_SENT;
	if (req->op != PROTO_GET)
		command_encode(&b, &a.command);
	a.bytes = (struct proto_bytes){.p = b.p, .len = (uint32_t)b.len};
	raft_take(r, p->cfg.self, &a);
	buf_fini(&b);
}

static void raft_request(struct proto *p, const struct proto_request *req)
{
	struct raft *r = raft_of(p);
	enum proto_level level = req->level ? req->level : p->cfg.read_level;

	if (req->op == PROTO_GET && level == PROTO_ONE && raft_exact(r))
		raft_session_read(r, req);
	else
		raft_take_request(r, req);
}

/*
 * Whether this replica leads in the term that @a is for, and sees it for the first time. Of terms
 * before the last start nothing is known: an earlier life may have done it. Of a later one, an
 * attempt that is new here was never executed and now never will be.
 */
static bool to_be_done(struct raft *r, unsigned from, const struct forward_attempt *a, bool order)
{
	bool office = raft_leads(r) && a->term == r->term;
	struct forward_answer no = {
		.slot = a->slot, .attempt = a->attempt, .why = FORWARD_NOT_LEADER};

	if ((!office && a->term <= r->boot_term) || !forward_admit(&r->forward, from, a->attempt))
		return false;
	/* What a leader does not begin while it hands over is held by who has asked. */
	if (office && (!r->handing || order))
		return true;
	no.reply = forward_refuse(FORWARD_NOT_LEADER, 0, 0);
	raft_answer(r, from, &no);
	return false;
}

static int on_attempt(struct raft *r, unsigned from, struct cursor *c, enum proto_level level)
{
	struct forward_attempt a = {0};

	if (forward_decode_attempt(c, &a) || a.term > RAFT_NUMBER_MAX)
		return -EBADMSG;
	a.level = level;
	if (to_be_done(r, from, &a, false))
		raft_take(r, from, &a);
	return 0;
}

static int on_order(struct raft *r, unsigned from, struct cursor *c)
{
	struct forward_attempt a = {0};
	enum proto_admin what;

	a.term = cursor_u64(c);
	a.slot = cursor_u64(c);
	a.attempt = cursor_u64(c);
	a.bytes = (struct proto_bytes){.p = c->p, .len = (uint32_t)c->left};
	if (c->bad || a.term > RAFT_NUMBER_MAX ||
		raft_admin_decode(a.bytes, r->proto.cfg.nodes, &what, &a.node))
		return -EBADMSG;
	if (to_be_done(r, from, &a, true))
		raft_admin_take(r, from, &a, what);
	return 0;
}

static int on_answer(struct raft *r, unsigned from, struct cursor *c)
{
	struct forward_answer a;
	struct forward_request *req;
	struct proto_bytes bytes;
	uint64_t index;

	index = cursor_u64(c);
	bytes = (struct proto_bytes){.p = c->p, .len = (uint32_t)c->left};
	if (forward_decode_answer(c, &a) || index > RAFT_NUMBER_MAX)
		return -EBADMSG;
	a.index = index;
	req = forward_at(&r->forward, a.slot);
	if (a.why != FORWARD_NOT_LEADER) {
		raft_session_answered(r, &a, bytes);
	} else if (req && req->state == FORWARD_SENT && req->attempt == a.attempt && req->bytes) {
		req->state = FORWARD_HELD;
		if (r->leader == (int)from)
			raft_leader_known(r, -1);
		else if (r->leader >= 0)
			raft_pass_on(r, a.slot);
	}
	return 0;
}

struct append {
	uint64_t term;
	uint64_t prev;
	uint64_t prev_term;
	uint64_t commit;
	uint64_t round;
	struct raft_batch batch;
};

static int decode_append(const struct raft *r, struct cursor *c, struct append *ret)
{
	struct raft_bounds bounds = {.nodes = r->kind ? 0 : r->proto.cfg.nodes};

	ret->term = cursor_u64(c);
	ret->prev = cursor_u64(c);
	ret->prev_term = cursor_u64(c);
	ret->commit = cursor_u64(c);
	ret->round = cursor_u64(c);
	if (ret->term == 0 || ret->term > RAFT_NUMBER_MAX || ret->prev > RAFT_NUMBER_MAX ||
		ret->prev_term > ret->term || ret->commit > RAFT_NUMBER_MAX ||
		!ret->prev != !ret->prev_term)
		return -EBADMSG;
	bounds.prev_term = ret->prev_term;
	bounds.term_max = ret->term;
	if (raft_batch_decode(c, &bounds, &ret->batch))
		return -EBADMSG;
	ret->batch.first = ret->prev + 1;
	return 0;
}

/*
 * Whether @a contradicts what is committed here or what its own leader has said in this term: then
 * it is no leader's message.
 */
static bool contradicts(const struct raft *r, const struct append *a)
{
	struct cursor c = raft_batch_cursor(&a->batch);
	uint64_t settled = r->commit;

	if (a->term == r->term && r->matched > settled)
		settled = r->matched;
	if (a->prev <= settled && !raft_log_agrees(&r->log, a->prev, a->prev_term))
		return true;
	for (uint32_t i = 0; i < a->batch.count && a->prev + i < settled; i++) {
		uint64_t term;

		raft_batch_next(&c, &term);
		if (!raft_log_agrees(&r->log, a->prev + i + 1, term))
			return true;
	}
	return false;
}

void raft_send_appended(struct raft *r, unsigned to, uint64_t refused, uint64_t agreed)
{
	struct proto_io *io = r->proto.io;
	uint64_t match = r->matched < r->log.durable ? r->matched : r->log.durable;
	struct buf b = {0};

	if (!refused)
		r->answer_owed = r->log.durable < r->matched;
	if (match > agreed)
		match = agreed;
	if (PROTO_BUG(BUG_RAFT_ACKS_BEFORE_DURABLE))
		match = agreed;
	buf_u8(&b, RAFT_APPENDED);
	buf_u64(&b, r->term);
	buf_u64(&b, r->round_seen);
	buf_u64(&b, refused);
	buf_u64(&b, agreed);
	buf_u64(&b, match);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

/* Take over entries that are not here yet. */
static void add_entries(struct raft *r, const struct append *a)
{
	struct cursor c = raft_batch_cursor(&a->batch);

	for (uint32_t i = 0; i < a->batch.count; i++) {
		uint64_t index = a->prev + 1 + i;
		uint64_t term;
		struct proto_bytes bytes = raft_batch_next(&c, &term);

		/* Paper, 5.3: an existing entry that conflicts goes, with all that follow it. */
		if (index <= raft_log_last(&r->log) &&
			(!raft_log_agrees(&r->log, index, term) ||
				(PROTO_BUG(BUG_RAFT_CUTS_MATCHING) && index > r->commit))) {
			assert(index > r->commit);
			raft_log_cut(&r->log, index);
			raft_changes_cut(r, index);
			/* A snapshot that has not come to these is not given others in their place.
			 */
			if (r->walk_last >= index)
				r->walk_last = index - 1;
		}
		if (index > raft_log_last(&r->log))
			raft_changes_appended(r, raft_log_append(&r->log, term, bytes));
	}
	raft_log_record(r);
}

/* Where the leader should try next: before the term that does not fit (paper, 5.3). */
static uint64_t back_off(const struct raft *r, const struct append *a)
{
	uint64_t last = raft_log_last(&r->log);
	uint64_t hint = last;

	if (a->prev <= last)
		hint = raft_log_first_of_term(&r->log, a->prev) - 1;
	/* What is committed no leader lacks. */
	return hint > r->commit ? hint : r->commit;
}

static void follow_append(struct raft *r, unsigned from, const struct append *a)
{
	bool asked = a->round > r->round_seen || a->batch.count == 0;
	uint64_t end = a->prev + a->batch.count;
	uint64_t commit;

	if (a->round > r->round_seen)
		r->round_seen = a->round;
	/* Paper, figure 2: the previous entry must be here, with the same term. */
	if (a->prev > raft_log_last(&r->log) || (!raft_log_agrees(&r->log, a->prev, a->prev_term) &&
							!PROTO_BUG(BUG_RAFT_CHECKS_NO_PREV_TERM))) {
		raft_send_appended(r, from, a->prev, back_off(r, a));
		return;
	}
	add_entries(r, a);
	if (end > r->matched)
		r->matched = end;
	commit = a->commit < r->matched ? a->commit : r->matched;
	if (PROTO_BUG(BUG_RAFT_APPLIES_BEFORE_COMMIT))
		commit = r->matched;
	if (PROTO_BUG(BUG_RAFT_COMMITS_BEYOND_MATCH) && a->commit > commit)
		commit = a->commit < raft_log_last(&r->log) ? a->commit : raft_log_last(&r->log);
	if (commit > r->commit)
		raft_apply(r, commit);
	/*
	 * Entries are acknowledged when they are on disk, and so is the term. A heartbeat is
	 * answered now, with what is on disk so far.
	 */
	r->answer_owed = true;
	if (r->persisted >= r->hard_seq && (asked || r->log.durable >= r->matched))
		raft_send_appended(r, from, 0, r->matched);
}

int raft_hear_leader(struct raft *r, unsigned from, uint64_t term)
{
	if (term == 0 || term > RAFT_NUMBER_MAX)
		return -EBADMSG;
	if (term < r->term) {
		/* Paper, 5.1: the old leader learns of the new term. */
		raft_send_appended(r, from, 0, 0);
		return 0;
	}
	if (term == r->term && (raft_leads(r) || (r->leader >= 0 && r->leader != (int)from)))
		return -EBADMSG;
	if (r->kind && !r->kind->hear(r, from, term))
		return 0;
	raft_follow(r, term, (int)from);
	r->leader_heard_ns = raft_now(r);
	r->promised_ns = raft_now(r);
	raft_election_reset(r);
	raft_staging_try(r);
	return 1;
}

static int on_append(struct raft *r, unsigned from, struct cursor *c)
{
	struct append a;
	int rc;

	if (decode_append(r, c, &a) || (a.term >= r->term && contradicts(r, &a)))
		return -EBADMSG;
	rc = raft_hear_leader(r, from, a.term);
	if (rc > 0)
		follow_append(r, from, &a);
	return rc < 0 ? rc : 0;
}

static int raft_dispatch(struct raft *r, unsigned from, const void *bytes, size_t len)
{
	struct cursor c = cursor_over(bytes, len);

	switch (cursor_u8(&c)) {
	case RAFT_ASK_VOTE:
		return raft_on_ask_vote(r, from, &c);
	case RAFT_VOTE:
		return raft_on_vote(r, from, &c);
	case RAFT_APPEND:
		return on_append(r, from, &c);
	case RAFT_APPENDED:
		return raft_on_appended(r, from, &c);
	case RAFT_ATTEMPT:
		return on_attempt(r, from, &c, PROTO_QUORUM);
	case RAFT_ATTEMPT_LEASE:
		return on_attempt(r, from, &c, PROTO_LEASE);
	case RAFT_ANSWER:
		return on_answer(r, from, &c);
	case RAFT_ORDER:
		return on_order(r, from, &c);
	case RAFT_STAND:
		return raft_on_stand(r, from, &c);
	case RAFT_OFFER:
		return raft_on_offer(r, from, &c);
	case RAFT_PART:
		return raft_on_part(r, from, &c);
	case RAFT_STAGED:
		return raft_on_staged(r, from, &c);
	default:
		return -EBADMSG;
	}
}

int raft_message(struct proto *p, unsigned from, const void *bytes, size_t len)
{
	struct raft *r = raft_of(p);
	uint64_t heard_ns;
	int rc;

	if (from >= p->cfg.nodes || from == p->cfg.self)
		return -EBADMSG;
	heard_ns = r->peer[from].heard_ns;
	r->peer[from].heard_ns = raft_now(r);
	rc = raft_dispatch(r, from, bytes, len);
	if (rc)
		r->peer[from].heard_ns = heard_ns;
	return rc;
}

void raft_persisted(struct proto *p, uint64_t seq)
{
	struct raft *r = raft_of(p);
	bool more;

	if (seq > r->persisted)
		r->persisted = seq;
	more = raft_log_persisted(&r->log, r->persisted);
	raft_election_persisted(r);
	raft_staging_persisted(r);
	if (raft_leads(r)) {
		if (more)
			raft_advance(r);
	} else if (r->leader >= 0 && r->persisted >= r->hard_seq && r->answer_owed) {
		raft_send_appended(r, (unsigned)r->leader, 0, r->matched);
	}
}

static void expire_requests(struct raft *r)
{
	struct proto_reply refusal = forward_refuse(FORWARD_LEADER_SILENT, 0, 0);

	if (raft_leads(r))
		refusal = forward_refuse(FORWARD_COUNTS, raft_answers(r), r->majority);
	else if (r->leader < 0)
		refusal = no_leader(r);
	forward_expire(&r->forward, &refusal);
	r->waits_least = 0; /* also what is given up goes */
	raft_session_applied(r);
}

void raft_timer(struct proto *p, unsigned timer)
{
	struct raft *r = raft_of(p);

	switch ((enum raft_timer)timer) {
	case RAFT_TIMER_ELECTION:
		raft_election_timer(r);
		if (raft_forsaken(r))
			raft_refuse_held(r);
		break;
	case RAFT_TIMER_HEARTBEAT:
		raft_heartbeat(r);
		break;
	case RAFT_TIMER_FLUSH:
		raft_flush(r);
		break;
	case RAFT_TIMER_REQUESTS:
		expire_requests(r);
		break;
	}
}

void raft_status(const struct proto *p, struct proto_status_view *ret)
{
	static const enum proto_role role[] = {
		[RAFT_FOLLOWER] = PROTO_FOLLOWER,
		[RAFT_PRE_CANDIDATE] = PROTO_CANDIDATE,
		[RAFT_CANDIDATE] = PROTO_CANDIDATE,
		[RAFT_LEADER] = PROTO_LEADER,
	};
	const struct raft *r = (const struct raft *)p;

	*ret = (struct proto_status_view){
		.role = role[r->role.now],
		.leader = r->leader,
		.term = r->term,
		.log_first = r->log.entries.first,
		.log_last = raft_log_last(&r->log),
		.committed = r->commit,
		.applied = raft_exact(r) ? r->applied : 0,
		.pending = r->forward.pending,
		.voters = r->members.set,
		.vote = (unsigned)(r->vote + 1),
		.ready = raft_leads(r) ? r->applied >= r->term_start : r->leader >= 0,
	};
}

static void staging_invariant(const struct raft *r)
{
	const struct raft_staging *s = &r->staging;

	assert(ring_count(&r->copy.ranges) == 0 || r->applied < r->copy.exact || r->unfinished);
	if (!s->table) {
		assert(ring_count(&s->copy.ranges) == 0 && !s->copy.complete);
		return;
	}
	assert(s->base.index > 0 && s->base.term > 0 && s->base.members.count > 0);
	assert(ring_count(&s->copy.ranges) == 0 || s->copy.exact >= s->base.index);
	assert((s->copy.cursor == 0) == (ring_count(&s->copy.ranges) == 0 || s->copy.complete));
}

/* Of so many peers at a time; of very many, other ones each time. */
#define INVARIANT_PEERS 16u

void raft_invariant(const struct proto *p)
{
	const struct raft *r = (const struct raft *)p;
	uint64_t last = raft_log_last(&r->log);

	assert(r->applied == r->commit && r->commit <= last);
	assert(r->log.durable <= r->log.recorded && r->log.recorded <= last);
	assert(r->log.entries.first <= r->applied + 1);
	assert(!r->applied || raft_log_term(&r->log, r->applied) > 0);
	assert(raft_log_term(&r->log, last) <= r->term);
	assert(last < 2 || raft_log_term(&r->log, last - 1) <= raft_log_term(&r->log, last));
	assert(r->matched <= last || raft_leads(r));
	/* Not in the assertion: its text would be in every build. */
	if (!PROTO_BUG(BUG_RAFT_OLD_MAJORITY))
		assert(r->majority == raft_majority(&r->members));
	staging_invariant(r);
	raft_members_invariant(r);
	if (!raft_leads(r)) {
		assert(r->leader != (int)p->cfg.self);
		assert(ring_count(&r->waiters) == 0 && ring_count(&r->reads) == 0);
		return;
	}
	assert(!r->handing || (r->admin.busy && r->lease_void));
	assert(r->vote == (int)p->cfg.self && r->leader == (int)p->cfg.self);
	assert(r->waiters.next == last + 1);
	assert(ring_count(&r->waiters) == 0 || r->waiters.first == r->applied + 1 ||
		r->waiters.first == r->term_start);
	for (unsigned k = 0; k < p->cfg.nodes && k < INVARIANT_PEERS; k++) {
		unsigned i = (unsigned)((raft_now(r) + k) % p->cfg.nodes);

		assert(i == p->cfg.self ||
			(r->peer[i].progress.now == RAFT_TRANSFER) == !!r->peer[i].transfer);
	}
}

int raft_entry(const struct proto *p, uint64_t index, struct proto_entry_view *ret)
{
	const struct raft *r = (const struct raft *)p;
	const struct raft_entry *e = raft_log_at(&r->log, index);

	if (!e)
		return -ENOENT;
	*ret = (struct proto_entry_view){.term = e->term, .command = {e->bytes, e->len}};
	return 0;
}

static void raft_info(const struct proto *p, struct buf *out)
{
	const struct raft *r = (const struct raft *)p;

	buf_printf(out, "elected_ns:%llu\r\n", (unsigned long long)r->led_ns);
}

const struct proto_ops raft_ops = {
	.name = "raft",
	.size = sizeof(struct raft),
	.claim = raft_claim,
	.floor_ns = raft_floor_ns,
	.init = raft_init,
	.restore = raft_restore,
	.describe = raft_describe,
	.start = raft_start,
	.request = raft_request,
	.message = raft_message,
	.persisted = raft_persisted,
	.timer = raft_timer,
	.admin = raft_admin,
	.snapshot = raft_snapshot,
	.snapshot_done = raft_snapshot_done,
	.status = raft_status,
	.invariant = raft_invariant,
	.entry = raft_entry,
	.info = raft_info,
	.vote = raft_vote_view,
	.fini = raft_fini,
};
