/* SPDX-License-Identifier: MIT */
/*
 * raft_election.c - terms and votes
 *
 *   follower --time-out--> pre-candidate --majority--> candidate --majority--> leader
 *       ^                      |                          |                      |
 *       +----------------------+---- a leader, or a newer term, or deposed ------+
 *
 * A replica that hears nothing from a leader first asks whether it would be elected (pre-vote,
 * dissertation 9.6); no term begins and no disk is written for that. So one that was cut off
 * disturbs nobody when it is back. With plain_elections a term begins at once, as in the paper, and
 * who hears a leader votes nevertheless: for comparison with published figures. Terms and votes are
 * on disk before anybody is told of them (paper, figure 2: updated on stable storage before
 * responding).
 */
#include <assert.h>
#include <errno.h>

#include "store/proto/raft_internal.h"

void raft_election_reset(struct raft *r)
{
	const struct proto_config *cfg = &r->proto.cfg;
	uint64_t span = cfg->election_max_ns - cfg->election_min_ns + 1;
	uint64_t now = raft_now(r);

	/* Paper, 5.2: randomized time-outs make split votes rare. */
	r->election_due_ns = now + cfg->election_min_ns + r->proto.io->random(r->proto.io) % span;
	if (r->eager)
		r->election_due_ns = now + cfg->heartbeat_ns;
}

static void arm(struct raft *r)
{
	r->proto.io->arm(r->proto.io, RAFT_TIMER_ELECTION, r->election_due_ns);
}

/* Paper, 5.1: a newer term makes anybody a follower; @term may also be the present one. */
void raft_follow(struct raft *r, uint64_t term, int leader)
{
	bool led = raft_leads(r);

	assert(term >= r->term);
	if (led)
		raft_step_down(r);
	if (r->role.now != RAFT_FOLLOWER)
		sm_move(&r->role, RAFT_FOLLOWER);
	if (term > r->term) {
		r->term = term;
		r->vote = -1;
		r->vote_owed = -1;
		r->matched = 0;
		r->round_seen = 0;
		r->answer_owed = false;
		r->eager = false;
		if (!PROTO_BUG(BUG_RAFT_FORGETS_TERM))
			raft_log_record_hard(r);
		r->leader = -1;
	}
	raft_leader_known(r, leader);
	if (led) {
		raft_election_reset(r);
		arm(r);
	}
}

/* How a vote is asked for. */
enum { ASK_REAL, ASK_PRE, ASK_HANDED };

static void ask(struct raft *r, bool pre)
{
	struct proto_io *io = r->proto.io;
	uint64_t last = raft_log_last(&r->log);
	struct buf b = {0};

	buf_u8(&b, RAFT_ASK_VOTE);
	buf_u8(&b, pre ? ASK_PRE : r->handed ? ASK_HANDED : ASK_REAL);
	buf_u64(&b, pre ? r->term + 1 : r->term);
	buf_u64(&b, last);
	buf_u64(&b, raft_log_term(&r->log, last));
	for (unsigned i = 0; i < r->proto.cfg.nodes; i++) {
		r->peer[i].granted = false;
		if (i != r->proto.cfg.self && raft_votes(r, i))
			io->send(io, i, b.p, b.len);
	}
	buf_fini(&b);
}

/*
 * Begin a term of one's own (paper, 5.2). Votes are asked for when term, own vote and the log that
 * stands for election are on disk: a candidate that forgot them in a crash could stand again in the
 * same term with a shorter log, and count votes that were given to the longer one.
 */
static void stand(struct raft *r)
{
	sm_move(&r->role, RAFT_CANDIDATE);
	r->term++;
	r->vote = (int)r->proto.cfg.self;
	r->vote_owed = -1;
	r->votes = 0;
	r->own_vote = false;
	r->matched = 0;
	r->round_seen = 0;
	r->answer_owed = false;
	r->eager = false;
	raft_log_record_hard(r);
}

static void count(struct raft *r)
{
	if (r->votes < r->majority)
		return;
	if (r->role.now == RAFT_PRE_CANDIDATE) {
		stand(r);
		return;
	}
	raft_lead(r);
}

/*
 * Also with a table that is half-way: what makes it exact was committed, so whoever is elected has
 * it in the log before the first entry of the own term, and answers nobody before that is applied.
 * If it might not stand, nobody might who can be elected.
 */
static bool may_stand(const struct raft *r)
{
	return r->term < RAFT_NUMBER_MAX && !r->unfinished && raft_may_stand(r);
}

void raft_stand_now(struct raft *r)
{
	if (!may_stand(r))
		return;
	raft_follow(r, r->term, -1);
	r->handed = true;
	sm_move(&r->role, RAFT_PRE_CANDIDATE);
	raft_election_reset(r);
	stand(r);
}

void raft_campaign(struct raft *r)
{
	raft_follow(r, r->term, -1);
	if (!may_stand(r))
		return;
	r->handed = false;
	sm_move(&r->role, RAFT_PRE_CANDIDATE);
	if (raft_plain(&r->proto.cfg)) {
		stand(r);
		return;
	}
	r->votes = raft_votes(r, r->proto.cfg.self);
	ask(r, true);
	count(r);
}

void raft_election_timer(struct raft *r)
{
	if (raft_leads(r))
		return;
	/* The timer is not moved for every message of the leader; it looks when it fires. */
	if (raft_now(r) >= r->election_due_ns) {
		raft_election_reset(r);
		raft_campaign(r);
	}
	if (!raft_leads(r))
		arm(r);
}

static void send_vote(struct raft *r, unsigned to, bool pre, bool granted, uint64_t asked)
{
	struct proto_io *io = r->proto.io;
	struct buf b = {0};

	buf_u8(&b, RAFT_VOTE);
	buf_u8(&b, pre);
	buf_u8(&b, granted);
	buf_u64(&b, asked);
	buf_u64(&b, r->term);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

void raft_election_persisted(struct raft *r)
{
	if (r->persisted < r->hard_seq && !PROTO_BUG(BUG_RAFT_VOTES_BEFORE_DURABLE))
		return;
	if (r->vote_owed >= 0) {
		unsigned to = (unsigned)r->vote_owed;

		r->vote_owed = -1;
		assert(r->vote == (int)to);
		send_vote(r, to, false, true, r->term);
	}
	if (r->role.now == RAFT_CANDIDATE && !r->own_vote) {
		r->own_vote = true;
		r->votes = raft_votes(r, r->proto.cfg.self);
		ask(r, false);
		count(r);
	}
}

/*
 * Whether this replica is a leader, or has heard one so lately that another would only disturb it.
 * Where there are leases, one that may hold counts: also of an older term, and also if this
 * replica has restarted since.
 */
static bool has_leader(const struct raft *r)
{
	if (raft_plain(&r->proto.cfg))
		return false;
	if (raft_leads(r))
		return true;
	if (!raft_leases(&r->proto.cfg) && r->leader < 0)
		return false;
	return r->promised_ns && raft_now(r) - r->promised_ns < r->proto.cfg.election_min_ns;
}

/* Paper, 5.4.1: vote only for a log that is at least as up-to-date as one's own. */
static bool up_to_date(const struct raft *r, uint64_t index, uint64_t term)
{
	uint64_t last = raft_log_last(&r->log);
	uint64_t last_term = raft_log_term(&r->log, last);

	if (PROTO_BUG(BUG_RAFT_VOTES_FOR_SHORTER_LOG))
		return true;
	return term > last_term || (term == last_term && index >= last);
}

static void consider(struct raft *r, unsigned from, uint64_t term, bool fit)
{
	if (term > r->term)
		raft_follow(r, term, -1);
	/* Paper, 5.2: at most one vote per term, first come, first served. */
	if (term < r->term || !fit ||
		(r->vote >= 0 && r->vote != (int)from && !PROTO_BUG(BUG_RAFT_VOTES_TWICE)) ||
		r->role.now == RAFT_LEADER) {
		send_vote(r, from, false, false, term);
		return;
	}
	if (r->vote < 0 || PROTO_BUG(BUG_RAFT_VOTES_TWICE)) {
		r->vote = (int)from;
		raft_log_record_hard(r);
	}
	raft_election_reset(r);
	r->vote_owed = (int)from;
	raft_election_persisted(r);
}

int raft_on_ask_vote(struct raft *r, unsigned from, struct cursor *c)
{
	uint8_t how = cursor_u8(c);
	bool pre = how == ASK_PRE;
	uint64_t term = cursor_u64(c);
	uint64_t last = cursor_u64(c);
	uint64_t last_term = cursor_u64(c);
	bool fit;

	if (!cursor_done(c) || how > ASK_HANDED || term == 0 || term > RAFT_NUMBER_MAX ||
		last > RAFT_NUMBER_MAX || last_term > term || !last != !last_term)
		return -EBADMSG;
	fit = up_to_date(r, last, last_term);
	/* Dissertation, 4.2.3: who hears a leader neither votes nor takes on the newer term. */
	if (how != ASK_HANDED && has_leader(r)) {
		send_vote(r, from, pre, false, term);
	} else if (pre) {
		bool free = term > r->term ||
			    (term == r->term && (r->vote < 0 || r->vote == (int)from));

		send_vote(r, from, true, fit && free, term);
	} else {
		consider(r, from, term, fit);
	}
	return 0;
}

int raft_on_vote(struct raft *r, unsigned from, struct cursor *c)
{
	uint8_t pre = cursor_u8(c);
	uint8_t granted = cursor_u8(c);
	uint64_t asked = cursor_u64(c);
	uint64_t term = cursor_u64(c);
	enum raft_role role = pre ? RAFT_PRE_CANDIDATE : RAFT_CANDIDATE;

	if (!cursor_done(c) || pre > 1 || granted > 1 || asked > RAFT_NUMBER_MAX ||
		term > RAFT_NUMBER_MAX)
		return -EBADMSG;
	if (!granted && term > r->term) {
		raft_follow(r, term, -1);
		return 0;
	}
	if (!granted || r->role.now != role ||
		(asked != r->term + pre && !PROTO_BUG(BUG_RAFT_COUNTS_STALE_VOTES)) ||
		(r->peer[from].granted && !PROTO_BUG(BUG_RAFT_COUNTS_A_VOTE_TWICE)))
		return 0;
	/* Nobody was asked yet. */
	if (!pre && !r->own_vote)
		return 0;
	r->peer[from].granted = true;
	r->votes += raft_votes(r, from);
	count(r);
	return 0;
}

bool raft_vote_view(
	unsigned from, unsigned to, const void *bytes, size_t len, struct proto_vote_view *ret)
{
	struct cursor c = cursor_over(bytes, len);
	uint8_t type = cursor_u8(&c);
	uint8_t how = cursor_u8(&c); /* a question for a vote tells the candidate's own */
	bool granted = type == RAFT_ASK_VOTE || (type == RAFT_VOTE && cursor_u8(&c) > 0);

	*ret = (struct proto_vote_view){.term = cursor_u64(&c)};
	ret->whom = type == RAFT_VOTE ? to : from;
	return granted && !c.bad && how != (type == RAFT_VOTE ? 1 : ASK_PRE);
}
