/* SPDX-License-Identifier: MIT */
/*
 * zab_discovery.c - phases 1 and 2: a new epoch, and a leader whose history nobody's goes beyond
 *
 *   follower                              leader
 *   INFO  accepted epoch            -->   of a quorum: a higher epoch, to its own disk
 *                                   <--   EPOCH  the new one, and what is committed
 *   to its disk
 *   ACK_EPOCH  its last zxid        -->   of a quorum: leads. Appends NEWLEADER
 *                                   <--   what the follower lacks, from where its log parts (DIFF,
 *                                         TRUNC: entries that take the place of others; SNAP: the
 *                                         table, raft_transfer.c), up to NEWLEADER
 *   on its disk                     -->   of a quorum: the whole history is committed, broadcast
 *   answers clients                 <--   commit, which is UPTODATE
 *
 * Zab, section IV (figures 2 and 3): who accepts an epoch takes nothing of an older one any more;
 * a quorum has accepted it, and the leader has the most recent history of that quorum, so it has
 * all that was ever committed. In the paper it takes that history over from a follower; here, as in
 * ZooKeeper (Medeiros, 4.2), the election found who has it, and a leader that sees a follower with
 * more gives up. An epoch is accepted of one leader only, which is on disk as well.
 *
 * A follower that has accepted more than the leader's epoch makes it give up. In ZooKeeper the
 * follower is left out until there is another leader.
 */
#include <assert.h>
#include <errno.h>

#include "store/proto/zab_internal.h"

static void accept(struct raft *r, uint64_t epoch, unsigned leader)
{
	if (epoch > r->term) {
		r->matched = 0;
		r->round_seen = 0;
		r->answer_owed = false;
	}
	r->term = epoch;
	r->vote = (int)leader;
	raft_log_record_hard(r);
}

/* --- the follower --- */

void zab_send_info(struct zab *z)
{
	struct proto_io *io = z->raft.proto.io;
	struct buf b = {0};

	buf_u8(&b, ZAB_INFO);
	buf_u64(&b, z->raft.term > z->seen ? z->raft.term : z->seen);
	buf_u64(&b, z->nonce);
	io->send(io, z->leader, b.p, b.len);
	buf_fini(&b);
}

void zab_join(struct zab *z, unsigned leader)
{
	sm_move(&z->state, ZAB_JOINING);
	z->leader = leader;
	z->accepted = false;
	/* Also above those of an earlier life. */
	z->nonce = z->nonce < raft_now(&z->raft) ? raft_now(&z->raft) : z->nonce + 1;
	raft_election_reset(&z->raft);
	zab_send_info(z);
}

static void send_ack(struct zab *z)
{
	struct proto_io *io = z->raft.proto.io;
	struct buf b = {0};

	buf_u8(&b, ZAB_ACK_EPOCH);
	buf_u64(&b, z->raft.term);
	buf_u8(&b, z->counts);
	zab_zxid_encode(&b, zab_last(z));
	io->send(io, z->leader, b.p, b.len);
	buf_fini(&b);
}

int zab_on_epoch(struct zab *z, unsigned from, struct cursor *c)
{
	struct raft *r = &z->raft;
	uint64_t epoch = cursor_u64(c);
	uint64_t nonce = cursor_u64(c);
	uint64_t commit = cursor_u64(c);

	if (!cursor_done(c) || epoch == 0 || epoch > RAFT_NUMBER_MAX || commit > RAFT_NUMBER_MAX)
		return -EBADMSG;
	if (z->state.now != ZAB_JOINING || z->leader != from || nonce != z->nonce ||
		epoch < r->term)
		return 0;
	/* Only what is new is a reason to wait longer. */
	if (!z->accepted) {
		z->serve_from = commit;
		raft_election_reset(r);
	}
	if (epoch > r->term || r->vote < 0)
		accept(r, epoch, from);
	z->accepted = true;
	z->counts = r->vote == (int)from;
	z->waits_disk = true;
	zab_discovery_persisted(z);
	return 0;
}

bool zab_hear(struct raft *r, unsigned from, uint64_t epoch)
{
	struct zab *z = (struct zab *)r;

	if (z->leader != from || epoch != r->term)
		return false;
	/* The leader has the acknowledgement, or it would be silent. */
	if (z->state.now == ZAB_JOINING && z->accepted)
		sm_move(&z->state, ZAB_FOLLOWING);
	return z->state.now == ZAB_FOLLOWING;
}

/* --- the leader --- */

static void send_epoch(struct zab *z, unsigned to)
{
	struct proto_io *io = z->raft.proto.io;
	struct buf b = {0};

	buf_u8(&b, ZAB_EPOCH);
	buf_u64(&b, z->raft.term);
	buf_u64(&b, z->peer[to].nonce);
	buf_u64(&b, z->raft.commit);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

/* Zab, step l.1.1: of a quorum that has told what it has accepted, one epoch higher. */
static void propose(struct zab *z)
{
	struct raft *r = &z->raft;
	unsigned quorum = 1;

	for (unsigned i = 0; i < r->proto.cfg.nodes; i++)
		quorum += i != r->proto.cfg.self && z->peer[i].nonce;
	if (z->proposed || quorum < r->majority || z->seen >= RAFT_NUMBER_MAX)
		return;
	z->proposed = true;
	accept(r, (r->term > z->seen ? r->term : z->seen) + 1, r->proto.cfg.self);
	z->waits_disk = true;
	zab_discovery_persisted(z);
}

void zab_elected(struct zab *z)
{
	struct raft *r = &z->raft;

	if (r->unfinished)
		return;
	sm_move(&z->state, ZAB_ELECTED);
	sm_move(&r->role, RAFT_PRE_CANDIDATE);
	sm_move(&r->role, RAFT_CANDIDATE);
	r->own_vote = true; /* nobody is asked as Raft asks */
	z->proposed = false;
	z->known = false;
	for (unsigned i = 0; i < r->proto.cfg.nodes; i++) {
		z->peer[i].nonce = 0;
		z->peer[i].acked = false;
		r->peer[i].granted = false;
	}
	raft_election_reset(r);
	propose(z);
}

/* Zab, step l.1.2: a quorum has accepted the epoch, and none of it has more than this replica. */
static void count(struct zab *z)
{
	struct raft *r = &z->raft;
	unsigned quorum = 1;

	for (unsigned i = 0; i < r->proto.cfg.nodes; i++)
		quorum += r->peer[i].granted;
	if (quorum < r->majority)
		return;
	for (unsigned i = 0; i < r->proto.cfg.nodes; i++)
		r->peer[i].apart = !z->peer[i].acked;
	sm_move(&z->state, ZAB_LEADING);
	raft_lead(r);
}

void zab_discovery_persisted(struct zab *z)
{
	struct raft *r = &z->raft;

	if (r->persisted < r->hard_seq && !PROTO_BUG(BUG_ZAB_ACCEPTS_BEFORE_DURABLE))
		return;
	z->waits_disk = false;
	if (z->state.now == ZAB_JOINING && z->accepted)
		send_ack(z);
	if (z->state.now != ZAB_ELECTED || !z->proposed || z->known)
		return;
	z->known = true;
	for (unsigned i = 0; i < r->proto.cfg.nodes; i++)
		if (z->peer[i].nonce)
			send_epoch(z, i);
	count(z);
}

int zab_on_info(struct zab *z, unsigned from, struct cursor *c)
{
	uint64_t accepted = cursor_u64(c);
	uint64_t nonce = cursor_u64(c);
	struct raft *r = &z->raft;
	bool first = !z->peer[from].nonce;

	if (!cursor_done(c) || accepted > RAFT_NUMBER_MAX || nonce == 0)
		return -EBADMSG;
	if (z->state.now != ZAB_ELECTED && z->state.now != ZAB_LEADING)
		return 0;
	if (accepted > z->seen)
		z->seen = accepted;
	if (nonce < z->peer[from].nonce)
		return 0; /* of an earlier attempt to join */
	if (nonce > z->peer[from].nonce)
		z->peer[from].acked = false;
	z->peer[from].nonce = nonce;
	if (accepted > r->term && (z->proposed || raft_leads(r))) {
		zab_look(z);
	} else if (raft_leads(r) || z->known) {
		send_epoch(z, from);
	} else if (first) {
		raft_election_reset(r);
		propose(z);
	}
	return 0;
}

/*
 * Where a follower's log and this one part: after the last zxid here that is not above its last
 * one. What it has between the two nobody else has, for this log has all that was committed.
 */
uint64_t zab_next(const struct raft *r, unsigned node)
{
	const struct zab *z = (const struct zab *)r;
	struct zab_zxid last = z->peer[node].last;
	uint64_t index = last.index < raft_log_last(&r->log) ? last.index : raft_log_last(&r->log);

	if (!z->peer[node].acked)
		return raft_log_last(&r->log) + 1;
	while (index >= r->log.entries.first && raft_log_term(&r->log, index) > last.epoch)
		index = raft_log_first_of_term(&r->log, index) - 1;
	return index + 1;
}

int zab_on_ack_epoch(struct zab *z, unsigned from, struct cursor *c)
{
	struct raft *r = &z->raft;
	struct zab_peer *peer = &z->peer[from];
	uint64_t epoch = cursor_u64(c);
	uint8_t counts = cursor_u8(c);
	struct zab_zxid last;

	if (!zab_zxid_decode(c, &last) || !cursor_done(c) || counts > 1 || epoch == 0 ||
		epoch > RAFT_NUMBER_MAX || last.epoch > epoch)
		return -EBADMSG;
	if (epoch != r->term || !peer->nonce || !(z->known || raft_leads(r)))
		return 0;
	if (z->state.now == ZAB_ELECTED && zab_above(last, zab_last(z)) &&
		!PROTO_BUG(BUG_ZAB_OLDER_HISTORY)) {
		zab_look(z);
		return 0;
	}
	if (z->state.now != ZAB_ELECTED && !raft_leads(r))
		return 0;
	if (peer->acked)
		return 0; /* a second answer */
	peer->acked = true;
	peer->last = last;
	if (raft_leads(r)) {
		raft_peer_joins(r, from);
		return 0;
	}
	r->peer[from].granted |= counts;
	raft_election_reset(r);
	count(z);
	return 0;
}

bool zab_vote_view(
	unsigned from, unsigned to, const void *bytes, size_t len, struct proto_vote_view *ret)
{
	struct cursor c = cursor_over(bytes, len);
	uint8_t type = cursor_u8(&c);

	/* Who proposes an epoch has accepted it, of itself. */
	*ret = (struct proto_vote_view){
		.term = cursor_u64(&c), .whom = type == ZAB_EPOCH ? from : to};
	return type == ZAB_EPOCH || (type == ZAB_ACK_EPOCH && cursor_u8(&c) && !c.bad);
}
