/* SPDX-License-Identifier: MIT */
/*
 * primary.c - one primary orders the commands in a log and ships it to all replicas
 *
 * As MySQL, PostgreSQL and Redis replicate. What is waited for is a setting:
 *   acks=0                  nobody: asynchronous
 *   acks=N fallback=TIME    N replicas have it on disk, but not longer than TIME: MySQL's
 *                           semi-synchronous replication
 *   acks=N fallback=0       N replicas, for ever: PostgreSQL's synchronous replication
 *   wait=before             others see a write when it is acknowledged (MySQL: AFTER_SYNC)
 *   wait=after              when it is on the primary's disk (AFTER_COMMIT)
 *   watcher=0               another leads when an operator says so
 *   watcher=TIME            or when the primary was not heard for so long
 *
 * Reads at ONE are answered by the replica that is asked, however old that is; all others and all
 * writes by the primary. No quorum is asked for anything: two primaries are possible once one was
 * replaced while it was away, and what the one that goes has alone is lost (primary_failover.c).
 *
 *            own epoch on disk            all handed over, or a higher epoch
 *   RISING ---------------------> LEADS -------------------------------------> REPLICA
 *
 * Invariants:
 *  1. An epoch has one primary. No replica tells others of an epoch that is not on its disk.
 *  2. Two logs with an entry of the same index and epoch are the same up to there.
 *  3. What is shipped is on the primary's disk, what is acknowledged is on the replica's.
 *  4. A replica's table has what is on its disk, a primary's what it may show; both in log order.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/primary_internal.h"

static const struct sm_state role_states[] = {
	[PRIMARY_REPLICA] = {"replica", SM_TO(PRIMARY_RISING)},
	[PRIMARY_RISING] = {"rising", SM_TO(PRIMARY_LEADS) | SM_TO(PRIMARY_REPLICA)},
	[PRIMARY_LEADS] = {"primary", SM_TO(PRIMARY_HANDING) | SM_TO(PRIMARY_REPLICA)},
	[PRIMARY_HANDING] = {"handing over", SM_TO(PRIMARY_LEADS) | SM_TO(PRIMARY_REPLICA)},
};
_Static_assert(
	sizeof(role_states) / sizeof(*role_states) == PRIMARY_ROLE_NR, "a row for each state");

/*
 * With a watcher nothing strong is left: while a primary is paused, another is promoted, and until
 * it hears of that it answers. Without one, all is linearizable at the primary as long as nobody
 * fails over by force, in a cut, too (->unforced).
 *
 * A write is called lost by design where it may be on one disk only, or where the watcher may
 * promote one that lacks it. If all replicas must have it, every one that may lead has it.
 *
 * Where acknowledgements are waited for longer than a request lasts, it depends on who is on the
 * primary's side whether that side takes writes; so no side is claimed to.
 */
static void primary_claim(const struct proto_config *cfg, struct proto_claim *ret)
{
	unsigned acks = primary_acks(cfg);
	bool alone = cfg->nodes == 1;
	bool here = cfg->read_level == PROTO_ONE;
	bool waits = acks > 0 && (!cfg->fallback_ns || cfg->fallback_ns >= cfg->request_timeout_ns);
	bool strong = alone || (!here && !cfg->watcher_ns);

	*ret = (struct proto_claim){
		.whole = strong ? PROTO_LINEARIZABLE : PROTO_EVENTUAL,
		.cut = strong ? PROTO_LINEARIZABLE : PROTO_EVENTUAL,
		.reads_cut = here ? PROTO_SIDES_ALL : PROTO_SIDES_LEADER,
		.writes_cut = waits ? PROTO_SIDES_NONE : PROTO_SIDES_LEADER,
		.does = PROTO_DOES_STRINGS,
		.cas = true,
		.loses_acked = !alone && (!acks || cfg->fallback_ns ||
						 (cfg->watcher_ns && acks < cfg->nodes - 1)),
		.unforced = !alone,
	};
}

/* To the primary, and for a write from there to so many replicas as are waited for. */
static uint64_t primary_floor_ns(const struct proto_floor_query *q)
{
	enum proto_level level = q->level ? q->level : q->cfg->read_level;
	unsigned first = q->cfg->leader < 0 ? 0 : (unsigned)q->cfg->leader;
	unsigned leader = q->leader < 0 ? first : (unsigned)q->leader;
	uint64_t floor = q->client_ns;

	if (!q->write && level == PROTO_ONE)
		return floor;
	if (leader != q->contact)
		floor += q->rtt_ns[(size_t)q->contact * q->cfg->nodes + leader];
	return q->write ? floor + proto_kth_rtt(q, leader, primary_acks(q->cfg) + 1) : floor;
}

static void primary_init(struct proto *proto)
{
	struct primary *p = primary_of(proto);

	sm_init(&p->role, role_states, PRIMARY_ROLE_NR, PRIMARY_REPLICA);
	p->peer = calloc(proto->cfg.nodes, sizeof(*p->peer));
	assert(p->peer);
	raft_log_init(&p->log, 0);
	raft_copy_init(&p->copy);
	raft_copy_init(&p->staging.copy);
	ring_init(&p->runs, sizeof(struct primary_run), 0);
	ring_init(&p->waiters, sizeof(struct primary_waiter), 1);
	forward_init(&p->forward, proto, PRIMARY_TIMER_REQUESTS);
}

static void primary_fini(struct proto *proto)
{
	struct primary *p = primary_of(proto);

	for (uint64_t i = p->waiters.first; i < p->waiters.next; i++)
		free((void *)(uintptr_t)((struct primary_waiter *)ring_at(&p->waiters, i))
				->reply.value.p);
	ring_fini(&p->waiters);
	for (unsigned i = 0; i < proto->cfg.nodes; i++)
		primary_transfer_end(&p->peer[i]);
	free(p->peer);
	primary_staging_drop(p);
	raft_copy_fini(&p->copy);
	raft_log_fini(&p->log);
	ring_fini(&p->runs);
	command_state_fini(&p->state);
	forward_fini(&p->forward);
}

static void arm_heartbeat(struct primary *p)
{
	struct proto_io *io = p->proto.io;

	io->arm(io, PRIMARY_TIMER_HEARTBEAT, io->now(io) + p->proto.cfg.heartbeat_ns);
}

static void primary_start(struct proto *proto)
{
	struct primary *p = primary_of(proto);
	unsigned first = proto->cfg.leader < 0 ? 0 : (unsigned)proto->cfg.leader;
	bool led = p->epoch && primary_owner(p, p->epoch) == proto->cfg.self;
	uint64_t next = p->epoch + 1;

	if (!led || next % (1u << PRIMARY_RESTART_BITS) == 0)
		next = primary_next_epoch(p, proto->cfg.self);
	p->boot_epoch = p->epoch;
	forward_start(&p->forward);
	primary_staging_drop(p);
	p->since_ns = primary_now(p);
	p->poll = primary_now(p);
	arm_heartbeat(p);
	primary_watch_from_now(p);
	if (led && PROTO_BUG(BUG_PRIMARY_SAME_EPOCH)) {
		sm_move(&p->role, PRIMARY_RISING);
		primary_record_epoch(p);
	} else if (p->restored ? led : first == proto->cfg.self) {
		(void)primary_rise(p, next);
	}
}

/* --- requests --- */

static void do_here(struct primary *p, uint64_t slot)
{
	struct forward_request *req = forward_at(&p->forward, slot);
	struct forward_attempt a = {.slot = slot};
	struct cursor c = cursor_over(req->bytes, req->len);
	int bad = 0;

	a.bytes = (struct proto_bytes){.p = req->bytes, .len = req->len};
	req->state = FORWARD_SENT;
	req->attempt = 0;
	if (req->order) {
		a.node = cursor_u16(&c);
		primary_admin_take(p, p->proto.cfg.self, &a);
		return;
	}
	bad = command_decode(&c, &a.command);
	assert(!bad); /* it was encoded here */
	primary_take(p, p->proto.cfg.self, &a);
}

void primary_pass_on(struct primary *p, uint64_t slot)
{
	struct forward_request *req = forward_at(&p->forward, slot);

	if (primary_leads(p) && (req->order || !req->write || p->role.now == PRIMARY_LEADS))
		do_here(p, slot);
	else if (!primary_leads(p) && p->heard_ns)
		forward_send(&p->forward, slot, primary_owner(p, p->epoch),
			req->order ? PRIMARY_ORDER : PRIMARY_ATTEMPT, p->epoch);
	else
		p->holding = true;
}

void primary_pass_held(struct primary *p)
{
	struct ring *slots = &p->forward.slots;
	bool reads_again = p->reads_again;

	if (!p->holding)
		return;
	p->holding = false;
	p->reads_again = false;
	for (uint64_t i = slots->first; i < slots->next; i++) {
		struct forward_request *req = forward_at(&p->forward, i);

		if (req && i != p->force_slot &&
			(req->state == FORWARD_HELD || (reads_again && !req->write && req->bytes)))
			primary_pass_on(p, i);
	}
}

static void read_here(struct primary *p, const struct proto_request *req)
{
	struct proto_io *io = p->proto.io;
	struct proto_reply reply;

	command_read(p->proto.table, req->key, command_now(&p->state, io->wall(io)), &reply);
	io->reply(io, req->ticket, &reply);
}

/* A write of a client of this primary. */
static void write_here(struct primary *p, const struct proto_request *req)
{
	struct forward_attempt a = {.command = command_of(req)};
	struct buf b = {0};

	a.slot = forward_add(&p->forward, req, false);
	if (!a.slot)
		return;
	forward_at(&p->forward, a.slot)->state = FORWARD_SENT;
	command_encode(&b, &a.command);
	a.bytes = (struct proto_bytes){.p = b.p, .len = (uint32_t)b.len};
	primary_take(p, p->proto.cfg.self, &a);
	buf_fini(&b);
}

static void primary_request(struct proto *proto, const struct proto_request *req)
{
	struct primary *p = primary_of(proto);
	enum proto_level level = req->level ? req->level : proto->cfg.read_level;
	struct proto_reply refusal;
	uint64_t slot;

	if (req->op == PROTO_GET && (primary_leads(p) || level == PROTO_ONE) && primary_exact(p)) {
		read_here(p, req);
		return;
	}
	if (req->op != PROTO_GET && p->role.now == PRIMARY_LEADS) {
		write_here(p, req);
		return;
	}
	if (p->role.now == PRIMARY_REPLICA && primary_deaf(p)) {
		refusal = forward_refuse(FORWARD_LEADER_SILENT, 0, 0);
		proto->io->reply(proto->io, req->ticket, &refusal);
		return;
	}
	slot = forward_add(&p->forward, req, true);
	if (slot)
		primary_pass_on(p, slot);
}

/*
 * Whether this replica leads in the epoch that @a is for, and sees it for the first time. Of epochs
 * before the last start nothing is known: an earlier life may have done it. Of a later one that is
 * over, an attempt that is new here was never done and now never will be.
 */
static bool to_be_done(struct primary *p, unsigned from, const struct forward_attempt *a, bool held)
{
	bool office = primary_leads(p) && a->term == p->epoch;
	bool over = a->term > p->boot_epoch && a->term < p->epoch && primary_known(p);
	struct forward_answer no = {
		.slot = a->slot, .attempt = a->attempt, .why = FORWARD_NOT_LEADER};

	if ((!office && !over) || !forward_admit(&p->forward, from, a->attempt))
		return false;
	if (office && (!held || p->role.now == PRIMARY_LEADS))
		return true;
	/* What is not begun, while it hands over or any more, is held by who has asked. */
	no.reply = forward_refuse(FORWARD_NOT_LEADER, 0, 0);
	primary_answer(p, from, &no);
	return false;
}

static int on_attempt(struct primary *p, unsigned from, struct cursor *c)
{
	struct forward_attempt a = {0};

	if (forward_decode_attempt(c, &a) || a.term > RAFT_NUMBER_MAX)
		return -EBADMSG;
	if (to_be_done(p, from, &a, a.command.op != PROTO_GET))
		primary_take(p, from, &a);
	return 0;
}

static int on_order(struct primary *p, unsigned from, struct cursor *c)
{
	struct forward_attempt a = {0};

	a.term = cursor_u64(c);
	a.slot = cursor_u64(c);
	a.attempt = cursor_u64(c);
	a.node = cursor_u16(c);
	if (!cursor_done(c) || a.term > RAFT_NUMBER_MAX || a.node >= p->proto.cfg.nodes)
		return -EBADMSG;
	if (to_be_done(p, from, &a, false))
		primary_admin_take(p, from, &a);
	return 0;
}

static int on_answer(struct primary *p, struct cursor *c)
{
	struct forward_answer a;
	struct forward_request *req;

	if (forward_decode_answer(c, &a))
		return -EBADMSG;
	req = forward_at(&p->forward, a.slot);
	if (a.why != FORWARD_NOT_LEADER) {
		forward_answered(&p->forward, &a);
	} else if (req && req->state == FORWARD_SENT && req->attempt == a.attempt && req->bytes) {
		req->state = FORWARD_HELD;
		p->holding = true;
		if (primary_leads(p))
			primary_pass_held(p);
	}
	return 0;
}

static int primary_message(struct proto *proto, unsigned from, const void *bytes, size_t len)
{
	struct primary *p = primary_of(proto);
	struct cursor c = cursor_over(bytes, len);

	if (from >= proto->cfg.nodes || from == proto->cfg.self)
		return -EBADMSG;
	switch (cursor_u8(&c)) {
	case PRIMARY_APPEND:
		return primary_on_append(p, from, &c);
	case PRIMARY_APPENDED:
		return primary_on_appended(p, from, &c);
	case PRIMARY_ATTEMPT:
		return on_attempt(p, from, &c);
	case PRIMARY_ANSWER:
		return on_answer(p, &c);
	case PRIMARY_POSITION:
		return primary_on_position(p, from, &c);
	case PRIMARY_PING:
		return primary_on_ping(p, from, &c);
	case PRIMARY_OFFER:
		return primary_on_offer(p, from, &c);
	case PRIMARY_PIECE:
		return primary_on_piece(p, from, &c);
	case PRIMARY_STAGED:
		return primary_on_staged(p, from, &c);
	case PRIMARY_ORDER:
		return on_order(p, from, &c);
	case PRIMARY_ASK:
		return primary_on_ask(p, from, &c);
	case PRIMARY_STANDING:
		return primary_on_standing(p, from, &c);
	default:
		return -EBADMSG;
	}
}

static void primary_persisted(struct proto *proto, uint64_t seq)
{
	struct primary *p = primary_of(proto);
	bool unknown = !primary_known(p);
	bool more;

	if (seq > p->persisted)
		p->persisted = seq;
	more = raft_log_persisted(&p->log, p->persisted);
	if (primary_leads(p)) {
		if (more)
			primary_disk(p);
		return;
	}
	if (p->log.durable > p->applied)
		primary_apply(p, p->log.durable);
	primary_trim(p);
	if (p->role.now == PRIMARY_RISING) {
		if (primary_known(p))
			primary_lead(p);
		return;
	}
	if (p->answer_owed && p->heard_ns && primary_known(p))
		primary_send_appended(p);
	/* Its office is handed over: only now may the next one know. */
	if (unknown && primary_known(p) && p->admin.busy)
		primary_ping(p, primary_owner(p, p->epoch));
}

static void tick(struct primary *p)
{
	struct proto_io *io = p->proto.io;

	arm_heartbeat(p);
	if (primary_leads(p))
		primary_heartbeat(p);
	else if (p->role.now == PRIMARY_REPLICA && p->epoch &&
		 primary_owner(p, p->epoch) != p->proto.cfg.self &&
		 (!p->heard_ns || io->now(io) - p->heard_ns > 2 * p->proto.cfg.heartbeat_ns))
		primary_ping(p, primary_owner(p, p->epoch));
}

/* Replicas that have the oldest write that waits, this one included. */
static unsigned have(const struct primary *p)
{
	unsigned count = p->log.durable >= p->waiters.first;

	for (unsigned i = 0; i < p->proto.cfg.nodes; i++)
		count += i != p->proto.cfg.self && p->peer[i].match >= p->waiters.first;
	return count;
}

static void expire(struct primary *p)
{
	struct proto_reply refusal = forward_refuse(FORWARD_LEADER_SILENT, 0, 0);

	if (primary_leads(p) && ring_count(&p->waiters))
		refusal = forward_refuse(FORWARD_COUNTS, have(p), primary_acks(&p->proto.cfg) + 1);
	if (p->role.now == PRIMARY_HANDING)
		refusal = forward_refuse(FORWARD_CHANGING, 0, 0);
	forward_expire(&p->forward, &refusal);
	if (p->force_slot && !forward_at(&p->forward, p->force_slot))
		p->force_slot = 0;
}

static void primary_timer(struct proto *proto, unsigned timer)
{
	struct primary *p = primary_of(proto);

	switch ((enum primary_timer)timer) {
	case PRIMARY_TIMER_HEARTBEAT:
		tick(p);
		break;
	case PRIMARY_TIMER_FLUSH:
		primary_flush(p);
		break;
	case PRIMARY_TIMER_REQUESTS:
		expire(p);
		break;
	case PRIMARY_TIMER_FALLBACK:
		primary_fallback(p);
		break;
	case PRIMARY_TIMER_WATCH:
		primary_watch(p);
		break;
	}
}

/* --- what others may know --- */

static int leader_of(const struct primary *p)
{
	if (primary_leads(p))
		return (int)p->proto.cfg.self;
	return p->heard_ns && !primary_deaf(p) ? (int)primary_owner(p, p->epoch) : -1;
}

static void primary_status(const struct proto *proto, struct proto_status_view *ret)
{
	static const enum proto_role role[] = {
		[PRIMARY_REPLICA] = PROTO_FOLLOWER,
		[PRIMARY_RISING] = PROTO_CANDIDATE,
		[PRIMARY_LEADS] = PROTO_LEADER,
		[PRIMARY_HANDING] = PROTO_LEADER,
	};
	const struct primary *p = (const struct primary *)proto;
	uint64_t acked = primary_leads(p) ? primary_acked(p) : 0;

	*ret = (struct proto_status_view){
		.role = role[p->role.now],
		.leader = leader_of(p),
		.term = p->epoch,
		.log_first = p->log.entries.first,
		.log_last = primary_last(p),
		.committed = acked < p->log.durable ? acked : p->log.durable,
		.applied = primary_exact(p) ? p->applied : 0,
		.pending = p->forward.pending,
		.ready = leader_of(p) >= 0,
	};
}

static void primary_info(const struct proto *proto, struct buf *out)
{
	const struct primary *p = (const struct primary *)proto;
	unsigned copies = 0;
	unsigned now = 0;

	for (unsigned i = 0; primary_leads(p) && i < proto->cfg.nodes; i++) {
		copies += p->peer[i].transfer != NULL;
		now += i != proto->cfg.self && p->peer[i].match == p->log.durable;
	}
	buf_printf(
		out, "epoch:%llu\r\nstate:%s\r\n", (unsigned long long)p->epoch, sm_name(&p->role));
	buf_printf(out, "semi_sync:%s\r\nacks_wanted:%u\r\nreplicas_with_all:%u\r\n",
		!primary_leads(p) || !primary_acks(&proto->cfg) ? "none"
		: p->semi                                       ? "on"
								: "off",
		primary_acks(&proto->cfg), now);
	buf_printf(out, "writes_waiting:%zu\r\ncopying_to:%u\r\n", ring_count(&p->waiters), copies);
	buf_printf(out, "lost_last:%llu\r\nlost_all:%llu\r\n", (unsigned long long)p->lost,
		(unsigned long long)p->lost_all);
}

static void primary_invariant(const struct proto *proto)
{
	const struct primary *p = (const struct primary *)proto;
	uint64_t last = primary_last(p);

	assert(p->log.durable <= p->log.recorded && p->log.recorded <= last);
	assert(p->applied <= last && p->log.entries.first <= p->applied + 1);
	assert(last == 0 || primary_epoch_at(p, last) <= p->epoch);
	assert(ring_count(&p->copy.ranges) == 0 || p->applied < p->copy.exact || p->unfinished);
	if (!primary_leads(p)) {
		assert(ring_count(&p->waiters) == 0 && p->kept == 0);
		assert(p->applied >= p->log.durable);
		return;
	}
	assert(primary_owner(p, p->epoch) == proto->cfg.self && primary_known(p));
	assert(p->waiters.next == last + 1 && p->applied <= p->log.durable);
	assert(primary_exact(p) && !p->staging.table);
	for (unsigned i = 0; i < proto->cfg.nodes; i++)
		assert(p->peer[i].match < p->peer[i].next && p->peer[i].match <= p->log.durable);
}

static int primary_entry(const struct proto *proto, uint64_t index, struct proto_entry_view *ret)
{
	const struct primary *p = (const struct primary *)proto;
	const struct raft_entry *e = raft_log_at(&p->log, index);

	if (!e)
		return -ENOENT;
	*ret = (struct proto_entry_view){.term = e->term, .command = {e->bytes, e->len}};
	return 0;
}

const struct proto_ops primary_ops = {
	.name = "primary",
	.size = sizeof(struct primary),
	.claim = primary_claim,
	.floor_ns = primary_floor_ns,
	.init = primary_init,
	.restore = primary_restore,
	.describe = primary_describe,
	.start = primary_start,
	.request = primary_request,
	.message = primary_message,
	.persisted = primary_persisted,
	.timer = primary_timer,
	.admin = primary_admin,
	.snapshot = primary_snapshot,
	.status = primary_status,
	.invariant = primary_invariant,
	.entry = primary_entry,
	.forks = true,
	.info = primary_info,
	.fini = primary_fini,
};
