/* SPDX-License-Identifier: MIT */
/*
 * zab.c - ZooKeeper's atomic broadcast: local reads that go forward, and sync
 *
 * Junqueira, Reed and Serafini, "Zab: High-performance broadcast for primary-backup systems", DSN
 * 2011; Medeiros, "ZooKeeper's atomic broadcast protocol: theory and practice", 2012.
 *
 *   LOOKING --> JOINING --> FOLLOWING     zab_election.c  who should lead
 *      |                        |         zab_discovery.c a new epoch, a history for all
 *      +--> ELECTED --> LEADING |         raft_leader.c   the broadcast, in the order of zxids
 *      ^                   |    |
 *      +-------------------+----+         no quorum, or no leader, for an election time-out
 *
 * Writes go to the leader, and who asked is answered when the replica that it asked has applied
 * the write. Reads at ONE are of the own table: nobody is asked. So they may be old, but what a
 * session sees only goes forward (raft_session.c), and never stops at the wrong side of a cut: as
 * with ZooKeeper's servers, a replica without a leader answers nobody. Reads at all other levels
 * are a sync, then a read of the own table: the leader says up to where to apply first. ZooKeeper's
 * leader says that at once, so one that was replaced and has not noticed may say too little; here
 * a quorum confirms it first, as Raft's ReadIndex does, and such a read is linearizable.
 *
 * Invariants, beside those of raft.c:
 *  1. who leads has accepted an epoch of its own; who is ELECTED or LEADING has that role in Raft
 *  2. clients are answered only by who leads or follows, after UPTODATE
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/zab_internal.h"

static const struct sm_state states[] = {
	[ZAB_LOOKING] = {"looking", SM_TO(ZAB_JOINING) | SM_TO(ZAB_ELECTED)},
	[ZAB_JOINING] = {"joining", SM_TO(ZAB_FOLLOWING) | SM_TO(ZAB_LOOKING)},
	[ZAB_FOLLOWING] = {"following", SM_TO(ZAB_LOOKING)},
	[ZAB_ELECTED] = {"elected", SM_TO(ZAB_LEADING) | SM_TO(ZAB_LOOKING)},
	[ZAB_LEADING] = {"leading", SM_TO(ZAB_LOOKING)},
};
_Static_assert(sizeof(states) / sizeof(*states) == ZAB_STATE_NR, "a row for each state");

static const struct raft_kind kind = {.hear = zab_hear, .next = zab_next};

static void zab_claim(const struct proto_config *cfg, struct proto_claim *ret)
{
	bool local = cfg->read_level == PROTO_ONE;

	*ret = (struct proto_claim){
		.whole = local ? PROTO_SEQUENTIAL : PROTO_LINEARIZABLE,
		.cut = local ? PROTO_SEQUENTIAL : PROTO_LINEARIZABLE,
		.reads_cut = PROTO_SIDES_MAJORITY,
		.writes_cut = PROTO_SIDES_MAJORITY,
		.does = PROTO_DOES_STRINGS,
		.cas = true,
		.sessions = local,
	};
}

/* There are no leases and no membership here. */
static void plain(struct proto_config *cfg)
{
	cfg->leases = false;
	cfg->voters = 0;
	if (cfg->read_level == PROTO_LEASE)
		cfg->read_level = PROTO_QUORUM;
}

static uint64_t zab_floor_ns(const struct proto_floor_query *q)
{
	struct proto_config cfg = *q->cfg;
	struct proto_floor_query as = *q;

	plain(&cfg);
	as.cfg = &cfg;
	return raft_floor_ns(&as);
}

static void zab_init(struct proto *p)
{
	struct zab *z = zab_of(p);

	plain(&p->cfg);
	sm_init(&z->state, states, ZAB_STATE_NR, ZAB_LOOKING);
	z->peer = calloc(p->cfg.nodes, sizeof(*z->peer));
	assert(z->peer);
	raft_init(p);
	z->raft.kind = &kind;
}

static void zab_fini(struct proto *p)
{
	raft_fini(p);
	free(zab_of(p)->peer);
}

static void zab_start(struct proto *p)
{
	struct zab *z = zab_of(p);

	raft_boot(&z->raft);
	zab_look(z);
}

/* Zab, phase 3: this replica has what was committed when it joined, and the epoch has begun. */
static bool up_to_date(const struct zab *z)
{
	const struct raft *r = &z->raft;

	if (z->state.now == ZAB_LEADING)
		return r->applied >= r->term_start;
	if (z->state.now != ZAB_FOLLOWING)
		return false;
	return r->applied >= z->serve_from && raft_log_term(&r->log, r->applied) == r->term;
}

/* What followed from the event in the code that is shared. */
static void settle(struct zab *z)
{
	struct raft *r = &z->raft;

	if (z->state.now == ZAB_LEADING && !raft_leads(r))
		zab_look(z);
	if (!r->hold || !up_to_date(z) || !raft_exact(r))
		return;
	r->hold = false;
	raft_pass_held(r);
}

static void zab_request(struct proto *p, const struct proto_request *req)
{
	struct raft *r = &zab_of(p)->raft;
	enum proto_level level = req->level ? req->level : p->cfg.read_level;

	if (PROTO_BUG(BUG_ZAB_SKIPS_SYNC))
		level = PROTO_ONE;
	if (req->op == PROTO_GET && level == PROTO_ONE && !r->hold)
		raft_session_read(r, req);
	else
		raft_take_request(r, req);
}

static int dispatch(struct zab *z, unsigned from, const void *bytes, size_t len)
{
	struct cursor c = cursor_over(bytes, len);
	uint8_t type = cursor_u8(&c);

	switch (type) {
	case ZAB_NOTIFY:
		return zab_on_notify(z, from, &c);
	case ZAB_INFO:
		return zab_on_info(z, from, &c);
	case ZAB_EPOCH:
		return zab_on_epoch(z, from, &c);
	case ZAB_ACK_EPOCH:
		return zab_on_ack_epoch(z, from, &c);
	case RAFT_APPEND:
	case RAFT_APPENDED:
	case RAFT_ATTEMPT:
	case RAFT_ATTEMPT_LEASE:
	case RAFT_ANSWER:
	case RAFT_OFFER:
	case RAFT_PART:
	case RAFT_STAGED:
		return raft_message(&z->raft.proto, from, bytes, len);
	default:
		return -EBADMSG;
	}
}

static int zab_message(struct proto *p, unsigned from, const void *bytes, size_t len)
{
	struct zab *z = zab_of(p);
	int rc;

	if (from >= p->cfg.nodes || from == p->cfg.self)
		return -EBADMSG;
	rc = dispatch(z, from, bytes, len);
	if (rc)
		return rc;
	z->raft.peer[from].heard_ns = raft_now(&z->raft);
	settle(z);
	return 0;
}

static void zab_persisted(struct proto *p, uint64_t seq)
{
	struct zab *z = zab_of(p);

	raft_persisted(p, seq);
	if ((z->state.now == ZAB_JOINING || z->state.now == ZAB_ELECTED) && z->waits_disk)
		zab_discovery_persisted(z);
	settle(z);
}

/*
 * All followers give up a silent leader after the same time, as in ZooKeeper (syncLimit): a quorum
 * has to look, and votes are not split by looking at once. Phase 1 has its own end.
 */
static uint64_t patience_ends(const struct zab *z)
{
	const struct raft *r = &z->raft;

	return z->state.now == ZAB_FOLLOWING ? r->leader_heard_ns + r->proto.cfg.election_min_ns
					     : r->election_due_ns;
}

/* The next look at all this: a heartbeat later, or when something ends. */
void zab_arm(struct zab *z)
{
	struct proto_io *io = z->raft.proto.io;
	uint64_t now = io->now(io);
	uint64_t at = now + z->raft.proto.cfg.heartbeat_ns;
	uint64_t end = at;

	if (z->state.now == ZAB_FOLLOWING)
		end = patience_ends(z);
	else if (z->state.now == ZAB_LOOKING && z->agreed_ns)
		end = z->agreed_ns + zab_agreed_wait_ns(z);
	io->arm(io, RAFT_TIMER_ELECTION, end > now && end < at ? end : at);
}

/* A heartbeat while it does not lead: what was lost is said again, who is silent is given up. */
static void tick(struct zab *z)
{
	struct raft *r = &z->raft;
	uint64_t now = raft_now(r);

	if (z->state.now == ZAB_LEADING)
		return;
	zab_arm(z);
	if (z->state.now == ZAB_LOOKING && z->agreed_ns &&
		now >= z->agreed_ns + zab_agreed_wait_ns(z))
		zab_decide(z);
	else if (z->state.now == ZAB_LOOKING)
		zab_tell_all(z);
	else if (now >= patience_ends(z))
		zab_look(z);
	else if (z->state.now == ZAB_JOINING)
		zab_send_info(z);
	if (raft_forsaken(r))
		raft_refuse_held(r);
}

static void zab_timer(struct proto *p, unsigned timer)
{
	struct zab *z = zab_of(p);

	if (timer == RAFT_TIMER_ELECTION)
		tick(z);
	else
		raft_timer(p, timer);
	settle(z);
}

static void zab_status(const struct proto *p, struct proto_status_view *ret)
{
	const struct raft *r = &((const struct zab *)p)->raft;

	raft_status(p, ret);
	ret->ready = !r->hold;
}

static void zab_info(const struct proto *p, struct buf *out)
{
	const struct zab *z = (const struct zab *)p;
	struct zab_zxid last = zab_last(z);

	buf_printf(out, "state:%s\r\nserves:%s\r\nround:%llu\r\n", sm_name(&z->state),
		z->raft.hold ? "no" : "yes", (unsigned long long)z->round);
	buf_printf(out, "accepted_epoch:%llu\r\ncurrent_epoch:%llu\r\n",
		(unsigned long long)z->raft.term, (unsigned long long)last.epoch);
	buf_printf(out, "last_zxid:%llu,%llu\r\n", (unsigned long long)last.epoch,
		(unsigned long long)last.index);
}

static void zab_invariant(const struct proto *p)
{
	const struct zab *z = (const struct zab *)p;
	const struct raft *r = &z->raft;

	raft_invariant(p);
	assert((z->state.now == ZAB_LEADING) == raft_leads(r));
	assert((z->state.now == ZAB_ELECTED) == (r->role.now == RAFT_CANDIDATE));
	assert(r->hold || z->state.now == ZAB_LEADING || z->state.now == ZAB_FOLLOWING);
	assert(r->leader < 0 || raft_leads(r) || z->state.now == ZAB_FOLLOWING);
}

const struct proto_ops zab_ops = {
	.name = "zab",
	.size = sizeof(struct zab),
	.claim = zab_claim,
	.floor_ns = zab_floor_ns,
	.init = zab_init,
	.restore = raft_restore,
	.describe = raft_describe,
	.start = zab_start,
	.request = zab_request,
	.message = zab_message,
	.persisted = zab_persisted,
	.timer = zab_timer,
	.snapshot = raft_snapshot,
	.snapshot_done = raft_snapshot_done,
	.status = zab_status,
	.invariant = zab_invariant,
	.entry = raft_entry,
	.info = zab_info,
	.vote = zab_vote_view,
	.fini = zab_fini,
};
