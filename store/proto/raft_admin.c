/* SPDX-License-Identifier: MIT */
/*
 * raft_admin.c - what an operator may ask of the leader: add a voter, remove one, hand over
 *
 * Membership changes one server at a time (dissertation, 4.1): any two majorities of memberships
 * that differ by one server meet. A change begins when the one before is committed and so is an
 * entry of the leader's own term (Ongaro's correction of July 2015: without that, changes of two
 * leaders may be in force at once, which differ by two). Replicas that are no members get the log
 * all the same and count for nothing; so one that is to be added is caught up before, as it must be
 * (4.2.1): in rounds, until one takes less than an election time-out. A leader that removes itself
 * steps down when that is committed, and has another one stand at once (4.2.2, 4.2.3).
 *
 * Handing over (3.10): no new requests are taken, they are held here or sent back to be held; when
 * the target has the whole log it is told to stand without waiting, and voters do not mind that
 * they hear a leader. If nothing comes of it within an election time-out, the leader goes on.
 *
 * One of these at a time. What was not begun is refused with a reason, and nothing has happened.
 */
#include <assert.h>
#include <errno.h>

#include "store/proto/raft_internal.h"

#define CATCH_UP_ROUNDS_MAX 10u

static void finish(struct raft *r, enum proto_status status, enum forward_why why)
{
	struct raft_admin *admin = &r->admin;
	struct forward_answer a = {
		.slot = admin->slot,
		.attempt = admin->attempt,
		.why = why,
		.reply = forward_refuse(why, 0, 0),
	};

	a.reply.status = status;
	admin->busy = false;
	if (admin->slot)
		raft_answer(r, admin->origin, &a);
}

static void append_members(struct raft *r)
{
	struct raft_admin *admin = &r->admin;
	struct raft_members members = r->members;
	struct raft_waiter who = {
		.slot = admin->slot, .attempt = admin->attempt, .origin = admin->origin};
	struct buf b = {0};

	raft_members_set(&members, admin->node, admin->what == PROTO_ADMIN_ADD);
	raft_entry_encode_members(&b, &members);
	raft_add_entry(r, (struct proto_bytes){b.p, (uint32_t)b.len}, &who);
	buf_fini(&b);
	/* The entry is answered as any other is. */
	admin->busy = false;
}

/* Whether the new member has what it needs, or one more round began. */
static bool caught_up(struct raft *r)
{
	struct raft_admin *admin = &r->admin;
	uint64_t now = raft_now(r);

	if (admin->node == r->proto.cfg.self)
		return true;
	if (admin->rounds && r->peer[admin->node].match < admin->target)
		return false;
	if (admin->rounds && now - admin->round_ns <= r->proto.cfg.election_min_ns)
		return true;
	admin->rounds++;
	admin->target = raft_log_last(&r->log);
	admin->round_ns = now;
	return false;
}

static void change_step(struct raft *r)
{
	struct raft_admin *admin = &r->admin;

	if (r->commit < r->term_start || raft_members_index(r) > r->commit)
		return;
	if (raft_votes(r, admin->node) == (admin->what == PROTO_ADMIN_ADD)) {
		finish(r, PROTO_OK, FORWARD_COUNTS);
		return;
	}
	if (admin->what == PROTO_ADMIN_REMOVE && r->members.count == 1) {
		finish(r, PROTO_UNAVAILABLE, FORWARD_LAST_VOTER);
		return;
	}
	if (admin->what == PROTO_ADMIN_ADD && !caught_up(r)) {
		if (admin->rounds > CATCH_UP_ROUNDS_MAX)
			finish(r, PROTO_UNAVAILABLE, FORWARD_BEHIND);
		return;
	}
	append_members(r);
}

static void send_stand(struct raft *r, unsigned to)
{
	struct buf b = {0};

	buf_u8(&b, RAFT_STAND);
	buf_u64(&b, r->term);
	r->proto.io->send(r->proto.io, to, b.p, b.len);
	buf_fini(&b);
}

static void transfer_step(struct raft *r)
{
	struct raft_admin *admin = &r->admin;

	if (admin->node == r->proto.cfg.self) {
		finish(r, PROTO_OK, FORWARD_COUNTS);
		return;
	}
	if (!raft_votes(r, admin->node)) {
		finish(r, PROTO_UNAVAILABLE, FORWARD_NO_VOTER);
		return;
	}
	r->handing = true;
	/* Until this term ends: the message may come late. */
	r->lease_void = true;
	if (r->peer[admin->node].match < raft_log_last(&r->log) || admin->told)
		return;
	admin->told = true;
	send_stand(r, admin->node);
}

void raft_admin_step(struct raft *r)
{
	if (!r->admin.busy || !raft_leads(r))
		return;
	if (r->admin.what == PROTO_ADMIN_TRANSFER)
		transfer_step(r);
	else
		change_step(r);
	if (!r->admin.busy && r->handing) {
		r->handing = false;
		raft_pass_held(r);
	}
}

void raft_admin_heartbeat(struct raft *r)
{
	struct raft_admin *admin = &r->admin;

	if (!admin->busy)
		return;
	admin->told = false;
	if (raft_now(r) < admin->until_ns) {
		raft_admin_step(r);
		return;
	}
	if (admin->what == PROTO_ADMIN_TRANSFER) {
		/* It may still hear that it should stand. */
		finish(r, PROTO_UNCERTAIN, FORWARD_NOT_HANDED);
		r->handing = false;
		raft_pass_held(r);
	} else {
		finish(r, PROTO_UNAVAILABLE, FORWARD_BEHIND);
	}
}

void raft_admin_take(
	struct raft *r, unsigned origin, const struct forward_attempt *a, enum proto_admin what)
{
	const struct proto_config *cfg = &r->proto.cfg;
	struct raft_admin next = {
		.busy = true,
		.what = what,
		.node = a->node,
		.slot = a->slot,
		.attempt = a->attempt,
		.origin = origin,
		/* Before who asked gives up. */
		.until_ns =
			raft_now(r) + (what == PROTO_ADMIN_TRANSFER ? cfg->election_max_ns
								    : cfg->request_timeout_ns / 2),
	};

	if (r->admin.busy) {
		struct forward_answer no = {
			.slot = a->slot, .attempt = a->attempt, .why = FORWARD_CHANGING};

		no.reply = forward_refuse(FORWARD_CHANGING, 0, 0);
		raft_answer(r, origin, &no);
		return;
	}
	r->admin = next;
	raft_admin_step(r);
}

/* A change that is not in the log will never be; who was to lead may still come to. */
void raft_admin_deposed(struct raft *r)
{
	r->handing = false;
	if (r->admin.busy && r->admin.what != PROTO_ADMIN_TRANSFER)
		finish(r, PROTO_UNAVAILABLE, FORWARD_DEPOSED);
}

void raft_admin_leader_known(struct raft *r)
{
	if (!r->admin.busy || r->admin.what != PROTO_ADMIN_TRANSFER)
		return;
	if (r->leader == (int)r->admin.node)
		finish(r, PROTO_OK, FORWARD_COUNTS);
	else
		finish(r, PROTO_UNAVAILABLE, FORWARD_NOT_HANDED);
}

void raft_leave_if_removed(struct raft *r)
{
	int next = -1;

	if (!raft_leads(r) || raft_votes(r, r->proto.cfg.self) || raft_members_index(r) > r->commit)
		return;
	/* The others learn now that it is committed, and one of them need not wait. */
	for (unsigned i = 0; i < r->proto.cfg.nodes; i++)
		if (raft_votes(r, i) && (next < 0 || r->peer[i].match > r->peer[next].match))
			next = (int)i;
	raft_replicate_all(r, true);
	send_stand(r, (unsigned)next);
	raft_follow(r, r->term, -1);
}

int raft_on_stand(struct raft *r, unsigned from, struct cursor *c)
{
	uint64_t term = cursor_u64(c);

	if (!cursor_done(c) || term == 0 || term > RAFT_NUMBER_MAX)
		return -EBADMSG;
	/* It may have been taken for no leader, since it sends back what it does not begin. */
	if (term == r->term && (r->leader == (int)from || r->leader < 0) &&
		r->role.now == RAFT_FOLLOWER)
		raft_stand_now(r);
	return 0;
}

void raft_admin(struct proto *p, uint64_t ticket, enum proto_admin what, unsigned node)
{
	struct raft *r = raft_of(p);
	struct proto_reply no = forward_refuse(FORWARD_NO_REPLICA, 0, 0);
	struct forward_attempt a = {.node = node};
	struct buf b = {0};

	if (node >= p->cfg.nodes) {
		no.status = PROTO_UNSUPPORTED;
		p->io->reply(p->io, ticket, &no);
		return;
	}
	buf_u8(&b, (uint8_t)what);
	buf_u16(&b, (uint16_t)node);
	a.slot = forward_add_order(&r->forward, ticket, b.p, b.len);
	buf_fini(&b);
	if (a.slot && r->leader >= 0)
		raft_pass_on(r, a.slot);
}

int raft_admin_decode(
	struct proto_bytes bytes, unsigned nodes, enum proto_admin *ret_what, unsigned *ret_node)
{
	struct cursor c = cursor_over(bytes.p, bytes.len);
	uint8_t what = cursor_u8(&c);

	*ret_node = cursor_u16(&c);
	*ret_what = what;
	return !cursor_done(&c) || what >= PROTO_ADMIN_NR || *ret_node >= nodes ? -EBADMSG : 0;
}
