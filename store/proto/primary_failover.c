/* SPDX-License-Identifier: MIT */
/*
 * primary_failover.c - who leads: epochs, switching over, failing over by hand and by a watcher
 *
 * An epoch, 7.2, is an office and how often its holder has restarted. Office n belongs to replica
 * (n modulo replicas), so no two primaries share an epoch. Whoever meets a higher epoch steps down.
 * A primary that restarts goes on in its office: if it was replaced meanwhile, it has the lower
 * one.
 *
 * Switching over (TRANSFER, asked of any replica that hears the primary) loses nothing: the primary
 * begins no more writes, waits until all are answered and the other one has them, writes an epoch
 * of the other one's to its disk and steps down; only then the other one hears of it, and leads.
 *
 * Failing over by force (TRANSFER to a replica that does not hear the primary, asked of itself)
 * takes what that one has. What else was acknowledged is lost, and there may be two primaries.
 *
 * The watcher: a replica that has not heard the primary for cfg.watcher_ns asks all others. Unless
 * one of them hears it, the one with the last entry of the highest epoch, then the longest log,
 * then the lowest number takes over, if it is the one that has asked; else that one will ask, too.
 * Only who answers within PRIMARY_POLL_HEARTBEATS counts, however few these are: as with one
 * Sentinel and quorum 1, both sides of a cut may go on.
 */
#include <errno.h>

#include "store/proto/primary_internal.h"

uint64_t primary_next_epoch(const struct primary *p, unsigned node)
{
	unsigned nodes = p->proto.cfg.nodes;
	uint64_t next = (p->epoch >> PRIMARY_RESTART_BITS) + 1;

	next += (node + nodes - (unsigned)(next % nodes)) % nodes;
	return next << PRIMARY_RESTART_BITS;
}

void primary_describe_epoch(struct buf *out, uint64_t epoch)
{
	buf_printf(out, "%llu.%llu", (unsigned long long)(epoch >> PRIMARY_RESTART_BITS),
		(unsigned long long)(epoch & ((1u << PRIMARY_RESTART_BITS) - 1)));
}

static void refuse_force(struct primary *p)
{
	struct proto_reply no = forward_refuse(FORWARD_DEPOSED, 0, 0);

	if (p->force_slot)
		forward_finish(&p->forward, p->force_slot, &no);
	p->force_slot = 0;
}

void primary_adopt(struct primary *p, uint64_t epoch)
{
	bool mine = primary_owner(p, epoch) == p->proto.cfg.self;

	if (primary_leads(p))
		primary_step_down(p);
	else if (p->role.now == PRIMARY_RISING)
		sm_move(&p->role, PRIMARY_REPLICA);
	if (!mine)
		refuse_force(p);
	p->epoch = epoch;
	p->since_ns = primary_now(p);
	p->heard_ns = 0;
	p->agreed = 0;
	p->answer_owed = false;
	p->holding = true;
	p->reads_again = true;
	primary_staging_drop(p);
	p->done = 0;
	if (mine && primary_exact(p))
		sm_move(&p->role, PRIMARY_RISING);
	primary_record_epoch(p);
	primary_watch_from_now(p);
}

bool primary_rise(struct primary *p, uint64_t epoch)
{
	if (!primary_exact(p) || epoch > RAFT_NUMBER_MAX)
		return false;
	primary_adopt(p, epoch);
	return true;
}

void primary_ping(struct primary *p, unsigned to)
{
	struct buf b = {0};

	if (!primary_known(p) || !p->epoch)
		return;
	buf_u8(&b, PRIMARY_PING);
	buf_u64(&b, p->epoch);
	p->proto.io->send(p->proto.io, to, b.p, b.len);
	buf_fini(&b);
}

int primary_on_ping(struct primary *p, unsigned from, struct cursor *c)
{
	uint64_t epoch = cursor_u64(c);

	if (!cursor_done(c) || epoch == 0 || epoch > RAFT_NUMBER_MAX)
		return -EBADMSG;
	if (epoch > p->epoch)
		primary_adopt(p, epoch);
	else if (epoch < p->epoch)
		primary_ping(p, from);
	return 0;
}

/* --- the watcher --- */

void primary_watch_from_now(struct primary *p)
{
	struct proto_io *io = p->proto.io;

	p->polling = false;
	if (p->proto.cfg.watcher_ns && p->role.now == PRIMARY_REPLICA)
		io->arm(io, PRIMARY_TIMER_WATCH, io->now(io) + p->proto.cfg.watcher_ns);
}

static struct primary_standing own_standing(const struct primary *p)
{
	return (struct primary_standing){
		.epoch = primary_epoch_at(p, primary_last(p)),
		.last = primary_last(p),
		.node = p->proto.cfg.self,
	};
}

static bool better(const struct primary_standing *a, const struct primary_standing *b)
{
	if (a->epoch != b->epoch)
		return a->epoch > b->epoch;
	return a->last != b->last ? a->last > b->last : a->node < b->node;
}

static void poll_begin(struct primary *p)
{
	struct proto_io *io = p->proto.io;
	struct buf b = {0};

	p->polling = true;
	p->poll_void = false;
	p->poll++;
	p->best = own_standing(p);
	buf_u8(&b, PRIMARY_ASK);
	buf_u64(&b, p->poll);
	for (unsigned i = 0; i < p->proto.cfg.nodes; i++)
		if (i != p->proto.cfg.self)
			io->send(io, i, b.p, b.len);
	buf_fini(&b);
	io->arm(io, PRIMARY_TIMER_WATCH,
		io->now(io) + PRIMARY_POLL_HEARTBEATS * p->proto.cfg.heartbeat_ns);
}

void primary_watch(struct primary *p)
{
	bool best = p->polling && !p->poll_void && p->best.node == p->proto.cfg.self;

	if (p->role.now != PRIMARY_REPLICA)
		return;
	/* A table that is half-way may not be led from. */
	if (!p->polling && primary_exact(p))
		poll_begin(p);
	else if (!best || !primary_rise(p, primary_next_epoch(p, p->proto.cfg.self)))
		primary_watch_from_now(p);
}

/* Whether this replica would not want another primary. */
static bool content(const struct primary *p)
{
	uint64_t span = p->proto.cfg.watcher_ns;

	if (p->role.now != PRIMARY_REPLICA)
		return true;
	return p->heard_ns && primary_now(p) - p->heard_ns < span;
}

int primary_on_ask(struct primary *p, unsigned from, struct cursor *c)
{
	uint64_t poll = cursor_u64(c);
	struct primary_standing own = own_standing(p);
	struct buf b = {0};

	if (!cursor_done(c))
		return -EBADMSG;
	buf_u8(&b, PRIMARY_STANDING);
	buf_u64(&b, poll);
	buf_u64(&b, primary_known(p) ? p->epoch : 0);
	buf_u8(&b, content(p));
	buf_u8(&b, primary_exact(p));
	buf_u64(&b, own.epoch);
	buf_u64(&b, own.last);
	p->proto.io->send(p->proto.io, from, b.p, b.len);
	buf_fini(&b);
	return 0;
}

int primary_on_standing(struct primary *p, unsigned from, struct cursor *c)
{
	uint64_t poll = cursor_u64(c);
	uint64_t epoch = cursor_u64(c);
	uint8_t hears = cursor_u8(c);
	uint8_t exact = cursor_u8(c);
	struct primary_standing s = {.epoch = cursor_u64(c), .node = from};

	s.last = cursor_u64(c);
	if (!cursor_done(c) || epoch > RAFT_NUMBER_MAX || hears > 1 || exact > 1 ||
		s.epoch > RAFT_NUMBER_MAX || s.last > RAFT_NUMBER_MAX)
		return -EBADMSG;
	if (epoch > p->epoch) {
		primary_adopt(p, epoch);
		return 0;
	}
	if (!p->polling || poll != p->poll)
		return 0;
	p->poll_void |= hears;
	if (exact && better(&s, &p->best))
		p->best = s;
	return 0;
}

/* --- the operator --- */

static void finish(struct primary *p, enum proto_status status, enum forward_why why)
{
	struct primary_admin *admin = &p->admin;
	struct forward_answer a = {
		.slot = admin->slot,
		.attempt = admin->attempt,
		.why = why,
		.reply = forward_refuse(why, 0, 0),
	};

	a.reply.status = status;
	admin->busy = false;
	primary_answer(p, admin->origin, &a);
}

void primary_admin_step(struct primary *p)
{
	struct primary_admin *admin = &p->admin;
	uint64_t last = primary_last(p);

	if (!admin->busy || !primary_leads(p))
		return;
	if (admin->node == p->proto.cfg.self) {
		finish(p, PROTO_OK, FORWARD_COUNTS);
		return;
	}
	if (p->role.now == PRIMARY_LEADS)
		sm_move(&p->role, PRIMARY_HANDING);
	if (primary_now(p) > admin->until_ns) {
		finish(p, PROTO_UNAVAILABLE, FORWARD_NOT_HANDED);
		sm_move(&p->role, PRIMARY_LEADS);
		primary_pass_held(p);
	} else if ((p->peer[admin->node].match == last ||
			   PROTO_BUG(BUG_PRIMARY_HANDS_OVER_EARLY)) &&
		   p->log.durable == last && ring_count(&p->waiters) == 0 &&
		   primary_next_epoch(p, admin->node) <= RAFT_NUMBER_MAX) {
		/* It hears of its epoch when that is on this disk, see primary_persisted(). */
		primary_adopt(p, primary_next_epoch(p, admin->node));
	}
}

void primary_admin_heard(struct primary *p)
{
	if (!p->admin.busy)
		return;
	if (primary_owner(p, p->epoch) == p->admin.node)
		finish(p, PROTO_OK, FORWARD_COUNTS);
	else
		finish(p, PROTO_UNCERTAIN, FORWARD_NOT_HANDED);
}

void primary_admin_take(struct primary *p, unsigned origin, const struct forward_attempt *a)
{
	struct forward_answer no = {
		.slot = a->slot, .attempt = a->attempt, .why = FORWARD_CHANGING};

	if (p->admin.busy) {
		no.reply = forward_refuse(FORWARD_CHANGING, 0, 0);
		primary_answer(p, origin, &no);
		return;
	}
	p->admin = (struct primary_admin){
		.busy = true,
		.node = a->node,
		.slot = a->slot,
		.attempt = a->attempt,
		.origin = origin,
		.until_ns = primary_now(p) + p->proto.cfg.election_max_ns,
	};
	primary_admin_step(p);
}

/* The primary is not heard: whoever asks wants this replica to lead in any case. */
static void force(struct primary *p, uint64_t slot, unsigned node)
{
	struct proto_reply no = forward_refuse(FORWARD_ASK_ITSELF, 0, 0);

	forward_at(&p->forward, slot)->state = FORWARD_SENT;
	if (node != p->proto.cfg.self) {
		forward_finish(&p->forward, slot, &no);
		return;
	}
	refuse_force(p);
	p->force_slot = slot;
	if (p->role.now == PRIMARY_REPLICA &&
		primary_rise(p, primary_next_epoch(p, p->proto.cfg.self)))
		return;
	if (p->role.now == PRIMARY_RISING)
		return;
	no = forward_refuse(FORWARD_BEHIND, 0, 0);
	forward_finish(&p->forward, slot, &no);
	p->force_slot = 0;
}

void primary_admin(struct proto *proto, uint64_t ticket, enum proto_admin what, unsigned node)
{
	struct primary *p = primary_of(proto);
	struct proto_reply no = forward_refuse(FORWARD_NO_REPLICA, 0, 0);
	uint64_t slot;
	struct buf b = {0};

	no.status = PROTO_UNSUPPORTED;
	if (what != PROTO_ADMIN_TRANSFER)
		no.why = "replicas are those that were configured";
	if (what != PROTO_ADMIN_TRANSFER || node >= proto->cfg.nodes) {
		proto->io->reply(proto->io, ticket, &no);
		return;
	}
	buf_u16(&b, (uint16_t)node);
	slot = forward_add_order(&p->forward, ticket, b.p, b.len);
	buf_fini(&b);
	if (!slot)
		return;
	if (primary_leads(p) || (p->heard_ns && !primary_deaf(p)))
		primary_pass_on(p, slot);
	else
		force(p, slot, node);
}
