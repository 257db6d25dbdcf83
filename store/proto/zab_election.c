/* SPDX-License-Identifier: MIT */
/*
 * zab_election.c - fast leader election: who has the highest last zxid, then the highest number
 *
 * Medeiros, 4.1 and algorithm 4. Who looks for a leader votes for itself in a new round and tells
 * all; a better vote of the same round becomes its own; a later round makes it vote anew. When a
 * quorum votes alike it waits a little for a better vote, then it follows or is elected. Who is not
 * looking answers with whom it has; a leader at work is joined without a vote.
 *
 * Nothing here is on disk and nothing depends on it for safety: discovery sees to that. Messages
 * are repeated while somebody looks, so losing one costs a heartbeat.
 */
#include <assert.h>
#include <errno.h>

#include "store/proto/zab_internal.h"

/* How a replica stands, as a message tells it. */
enum { TELL_LOOKING, TELL_DECIDED, TELL_LEADS, TELL_NR };

/* Of equal logs the one of cfg.leader wins, else the highest number, as in ZooKeeper. */
static unsigned rank(const struct zab *z, unsigned node)
{
	return node + (z->raft.proto.cfg.leader == (int)node ? PROTO_NODES_MAX : 0);
}

static bool better(const struct zab *z, const struct zab_vote *a, const struct zab_vote *b)
{
	if (PROTO_BUG(BUG_ZAB_OLDER_HISTORY))
		return rank(z, a->node) > rank(z, b->node);
	if (zab_above(a->last, b->last) || zab_above(b->last, a->last))
		return zab_above(a->last, b->last);
	return rank(z, a->node) > rank(z, b->node);
}

static bool same(const struct zab_vote *a, const struct zab_vote *b)
{
	return a->node == b->node && a->last.epoch == b->last.epoch &&
	       a->last.index == b->last.index;
}

void zab_tell(struct zab *z, unsigned to)
{
	struct proto_io *io = z->raft.proto.io;
	uint8_t how = z->state.now == ZAB_LOOKING   ? TELL_LOOKING
		      : z->state.now == ZAB_LEADING ? TELL_LEADS
						    : TELL_DECIDED;
	struct buf b = {0};

	buf_u8(&b, ZAB_NOTIFY);
	buf_u8(&b, how);
	buf_u64(&b, z->round);
	zab_zxid_encode(&b, z->vote.last);
	buf_u16(&b, (uint16_t)z->vote.node);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

void zab_tell_all(struct zab *z)
{
	for (unsigned i = 0; i < z->raft.proto.cfg.nodes; i++)
		if (i != z->raft.proto.cfg.self)
			zab_tell(z, i);
}

static struct zab_vote own_vote(const struct zab *z)
{
	struct zab_vote vote = {.last = zab_last(z), .node = z->raft.proto.cfg.self};

	/* Half a table is no history to lead with. */
	if (z->raft.unfinished)
		vote.last = (struct zab_zxid){0};
	return vote;
}

void zab_decide(struct zab *z)
{
	if (z->vote.node == z->raft.proto.cfg.self)
		zab_elected(z);
	else
		zab_join(z, z->vote.node);
}

static void count(struct zab *z)
{
	unsigned nodes = z->raft.proto.cfg.nodes;
	unsigned votes = 1;

	for (unsigned i = 0; i < nodes; i++)
		votes += i != z->raft.proto.cfg.self && z->peer[i].round == z->round &&
			 same(&z->peer[i].vote, &z->vote);
	if (votes < z->raft.majority) {
		z->agreed_ns = 0;
	} else if (votes == nodes) {
		zab_decide(z);
	} else if (!z->agreed_ns) {
		z->agreed_ns = raft_now(&z->raft);
		zab_arm(z);
	}
}

void zab_look(struct zab *z)
{
	struct raft *r = &z->raft;

	if (z->state.now != ZAB_LOOKING)
		sm_move(&z->state, ZAB_LOOKING);
	r->hold = true;
	raft_follow(r, r->term, -1);
	z->round++;
	z->vote = own_vote(z);
	z->agreed_ns = 0;
	zab_tell_all(z);
	zab_arm(z);
	count(z);
}

struct notify {
	uint8_t how;
	uint64_t round;
	struct zab_vote vote;
};

static int decode(const struct zab *z, struct cursor *c, struct notify *ret)
{
	bool can;

	ret->how = cursor_u8(c);
	ret->round = cursor_u64(c);
	can = zab_zxid_decode(c, &ret->vote.last);
	ret->vote.node = cursor_u16(c);
	return cursor_done(c) && can && ret->how < TELL_NR && ret->round > 0 &&
			       ret->round <= RAFT_NUMBER_MAX &&
			       ret->vote.node < z->raft.proto.cfg.nodes
		       ? 0
		       : -EBADMSG;
}

/* Whether the own vote is another one now. */
static bool reconsider(struct zab *z, const struct notify *n)
{
	bool later = n->round > z->round;

	if (later) {
		z->round = n->round;
		z->vote = own_vote(z);
	}
	if (better(z, &n->vote, &z->vote))
		z->vote = n->vote;
	else if (!later)
		return false;
	z->agreed_ns = 0;
	return true;
}

static void looking(struct zab *z, unsigned from, const struct notify *n)
{
	struct zab_peer *peer = &z->peer[from];

	if (n->how == TELL_LEADS) {
		if (n->round > z->round)
			z->round = n->round;
		z->vote = n->vote;
		zab_join(z, from);
		return;
	}
	if (n->round < z->round) {
		if (n->how == TELL_LOOKING)
			zab_tell(z, from);
		return;
	}
	if (reconsider(z, n))
		zab_tell_all(z);
	else if (n->how == TELL_LOOKING && !same(&n->vote, &z->vote))
		zab_tell(z, from);
	/* What was overtaken on its way: votes of a round only get better. */
	if (peer->round != n->round || better(z, &n->vote, &peer->vote))
		peer->vote = n->vote;
	peer->round = n->round;
	count(z);
}

int zab_on_notify(struct zab *z, unsigned from, struct cursor *c)
{
	struct notify n;

	if (decode(z, c, &n))
		return -EBADMSG;
	if (z->state.now == ZAB_LOOKING)
		looking(z, from, &n);
	else if (n.how == TELL_LOOKING)
		zab_tell(z, from);
	return 0;
}
