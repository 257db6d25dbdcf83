/* SPDX-License-Identifier: MIT */
/*
 * chain.c - chain replication: writes enter at the head and are done at the tail, all may read
 *
 * R. van Renesse and F. Schneider, "Chain Replication for Supporting High Throughput and
 * Availability", OSDI 2004 (here "paper"); reads as in CRAQ: J. Terrace and M. Freedman, "Object
 * Storage on CRAQ", USENIX ATC 2009; who the chain is, a majority of all replicas agrees on in the
 * manner of Vertical Paxos, where the paper has a master.
 *
 *   client -> any replica -> head -> ... -> tail -> that replica -> client
 *                             <--  committed  <--
 *
 * The head numbers writes and puts them into its log; each member passes on what is on its own
 * disk; what is on the tail's disk is committed, and the tail does it and answers. Whether a
 * condition holds (NX, IFEQ, INCR) follows from all writes before it in the log, committed or not:
 * the head's order decides it, and each member finds the same when it does the write. A member's
 * table has what it knows to be committed, its log has the rest: the dirty versions of CRAQ.
 *
 * One member that is away stops all writes, for all must have them. Its neighbour in the chain
 * notices, and if it hears a majority, it proposes the next chain without it (chain_config.c). Who
 * is not in the chain is fed by the tail until it is near, then comes in behind the tail.
 * A chain may become as short as one: it then goes on with a majority to confirm its epoch, but
 * what is acknowledged is on one disk only, until others have come back.
 *
 * Invariants: in one epoch a member's log on disk has all of its successor's; entries of one index
 * and epoch are the same everywhere; what is committed never goes; no later chain begins without
 * one who has all that was acknowledged.
 *
 * What is where: chain_config.c configurations, chain_feed.c the log from one to the next,
 * chain_copy.c the table to who is far behind, chain_read.c clients and reads, chain_records.c
 * disk.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/chain_internal.h"

static void chain_claim(const struct proto_config *cfg, struct proto_claim *ret)
{
	bool local = cfg->read_level == PROTO_ONE;

	*ret = (struct proto_claim){
		.whole = local ? PROTO_EVENTUAL : PROTO_LINEARIZABLE,
		.cut = local ? PROTO_EVENTUAL : PROTO_LINEARIZABLE,
		.reads_cut = local ? PROTO_SIDES_ALL : PROTO_SIDES_MAJORITY,
		.writes_cut = PROTO_SIDES_MAJORITY,
		.does = PROTO_DOES_STRINGS,
		.cas = true,
		.needs_clocks = cfg->read_level == PROTO_LEASE,
	};
}

static uint64_t one_way(const struct proto_floor_query *q, unsigned from, unsigned to)
{
	return from == to ? 0 : q->rtt_ns[(size_t)from * q->cfg->nodes + to] / 2;
}

/* Of the first chain: to the head, down to the tail, and back to who was asked. */
static uint64_t write_floor(const struct proto_floor_query *q, const struct chain_config *chain)
{
	uint64_t ns = q->client_ns + one_way(q, q->contact, chain->list[0]);

	for (unsigned i = 1; i < chain->count; i++)
		ns += one_way(q, chain->list[i - 1], chain->list[i]);
	return ns + one_way(q, chain->list[chain->count - 1], q->contact);
}

static uint64_t chain_floor_ns(const struct proto_floor_query *q)
{
	enum proto_level level = q->level ? q->level : q->cfg->read_level;
	struct proto_config cfg = *q->cfg;
	struct chain_config chain;
	unsigned reader = q->contact;
	uint64_t ns;

	if (q->leader >= 0)
		cfg.leader = q->leader;
	chain_config_first(&cfg, &chain);
	if (q->write)
		return write_floor(q, &chain);
	if (level == PROTO_ONE)
		return q->client_ns;
	if (cfg.reads == PROTO_READS_HEAD)
		reader = chain.list[0];
	else if (cfg.reads == PROTO_READS_TAIL || chain_place(&chain, reader) < 0)
		reader = chain.list[chain.count - 1];
	ns = q->client_ns + 2 * one_way(q, q->contact, reader);
	if (level == PROTO_LEASE && chain_leases(&cfg))
		return ns;
	return ns + proto_kth_rtt(q, reader, cfg.nodes / 2 + 1);
}

static void chain_init(struct proto *p)
{
	struct chain *c = chain_of(p);

	raft_log_init(&c->log, p->cfg.batch_entries);
	raft_copy_init(&c->copy);
	ring_init(&c->waiters, sizeof(struct raft_waiter), 1);
	ring_init(&c->reads, sizeof(struct chain_read), 1);
	forward_init(&c->forward, p, CHAIN_TIMER_REQUESTS);
	heard_init(&c->heard, p);
	c->peer = calloc(p->cfg.nodes, sizeof(*c->peer));
	c->proposal.promise = calloc(p->cfg.nodes, sizeof(*c->proposal.promise));
	assert(c->peer && c->proposal.promise);
	chain_config_first(&p->cfg, &c->config);
	c->promised = c->config.epoch;
	c->installed = CHAIN_EPOCH_NONE;
}

static void chain_fini(struct proto *p)
{
	struct chain *c = chain_of(p);

	chain_reads_fini(c);
	raft_log_fini(&c->log);
	raft_copy_fini(&c->copy);
	ring_fini(&c->waiters);
	command_state_fini(&c->state);
	forward_fini(&c->forward);
	heard_fini(&c->heard);
	free(c->proposal.promise);
	free(c->peer);
}

static void tick(struct chain *c)
{
	struct proto_io *io = c->proto.io;

	chain_ping(c);
	chain_config_tick(c);
	chain_feed_tick(c);
	chain_reads_tick(c);
	chain_trim(c);
	io->arm(io, CHAIN_TIMER_TICK, io->now(io) + c->proto.cfg.heartbeat_ns);
}

static void chain_start(struct proto *p)
{
	struct chain *c = chain_of(p);
	uint64_t now = p->io->now(p->io);

	heard_start(&c->heard);
	forward_start(&c->forward);
	c->progress_ns = now;
	/* Above all numbers of an earlier life, whose answers may still be under way. */
	c->round = now;
	ring_fini(&c->reads);
	ring_init(&c->reads, sizeof(struct chain_read), now + 1);
	c->boot_last = chain_last(c);
	if (c->boot_epoch) {
		/* What it granted before it does not know. */
		c->grant_ns = now + p->cfg.election_min_ns;
		/* The table's parts were as of entries that were done, so they are committed. */
		if (!c->lacking && c->copy.exact > c->commit && c->copy.exact <= chain_last(c))
			c->commit = c->copy.exact;
		chain_apply(c);
	} else {
		c->chosen = true;
		chain_config_record(c);
	}
	tick(c);
}

static int take(struct chain *c, unsigned from, enum chain_message type, struct cursor *at)
{
	switch (type) {
	case CHAIN_PING:
		return chain_on_ping(c, from, at);
	case CHAIN_PONG:
		return chain_on_pong(c, from, at);
	case CHAIN_PREPARE:
	case CHAIN_PROMISE:
	case CHAIN_ACCEPT:
	case CHAIN_ACCEPTED:
	case CHAIN_CHOSEN:
		return chain_config_message(c, from, type, at);
	case CHAIN_APPEND:
		return chain_on_append(c, from, at);
	case CHAIN_APPENDED:
		return chain_on_appended(c, from, at);
	case CHAIN_OFFER:
		return chain_on_offer(c, from, at);
	case CHAIN_PART:
		return chain_on_part(c, from, at);
	case CHAIN_COPIED:
		return chain_on_copied(c, from, at);
	case CHAIN_ATTEMPT:
	case CHAIN_READ:
	case CHAIN_READ_LEASE:
	case CHAIN_ANSWER:
	case CHAIN_CONFIRM:
	case CHAIN_CONFIRMED:
	case CHAIN_VERSION:
	case CHAIN_VERSIONED:
		return chain_read_message(c, from, type, at);
	}
	return -EBADMSG;
}

/* Only answers show that both directions work. */
static bool is_answer(enum chain_message type)
{
	return type == CHAIN_PONG || type == CHAIN_PROMISE || type == CHAIN_ACCEPTED ||
	       type == CHAIN_APPENDED || type == CHAIN_COPIED || type == CHAIN_CONFIRMED ||
	       type == CHAIN_VERSIONED;
}

static int chain_message(struct proto *p, unsigned from, const void *bytes, size_t len)
{
	struct chain *c = chain_of(p);
	struct cursor at = cursor_over(bytes, len);
	enum chain_message type = (enum chain_message)cursor_u8(&at);
	int rc;

	if (from >= p->cfg.nodes || from == p->cfg.self)
		return -EBADMSG;
	rc = take(c, from, type, &at);
	if (!rc && is_answer(type))
		heard_from(&c->heard, from);
	return rc;
}

static void chain_persisted(struct proto *p, uint64_t seq)
{
	struct chain *c = chain_of(p);

	if (seq > c->persisted)
		c->persisted = seq;
	if (raft_log_persisted(&c->log, seq))
		chain_durable(c);
	chain_config_persisted(c);
}

static void chain_timer(struct proto *p, unsigned timer)
{
	struct chain *c = chain_of(p);
	unsigned have = heard_count(&c->heard);
	struct proto_reply refusal = forward_refuse(FORWARD_LEADER_SILENT, 0, 0);

	if (timer == CHAIN_TIMER_TICK) {
		tick(c);
		return;
	}
	if (have < chain_majority(c))
		refusal = forward_refuse(FORWARD_COUNTS, have, chain_majority(c));
	forward_expire(&c->forward, &refusal);
}

static void chain_status(const struct proto *p, struct proto_status_view *ret)
{
	const struct chain *c = (const struct chain *)p;

	*ret = (struct proto_status_view){
		.role = chain_heads(c) ? PROTO_LEADER : PROTO_FOLLOWER,
		.leader = chain_settled(c) ? (int)chain_head(c) : -1,
		.term = c->promised,
		.log_first = c->log.entries.first,
		.log_last = chain_last(c),
		.committed = c->commit,
		.applied = chain_exact(c) ? c->applied : 0,
		.pending = c->forward.pending,
		.ready = chain_settled(c) &&
			 (chain_serves(c) || chain_place(&c->config, p->cfg.self) < 0),
	};
}

static void chain_info(const struct proto *p, struct buf *out)
{
	const struct chain *c = (const struct chain *)p;

	buf_printf(out, "chain:");
	for (unsigned i = 0; i < c->config.count; i++)
		buf_printf(out, "%s%u", i ? "," : "", c->config.list[i]);
	buf_printf(out, "\r\nchain_place:%d\r\n", chain_place(&c->config, p->cfg.self));
	buf_printf(out, "chain_changes:%llu\r\n", (unsigned long long)c->changes);
	buf_printf(out, "reads_clean:%llu\r\n", (unsigned long long)c->reads_clean);
	buf_printf(out, "reads_dirty:%llu\r\n", (unsigned long long)c->reads_dirty);
}

static int chain_entry(const struct proto *p, uint64_t index, struct proto_entry_view *ret)
{
	const struct chain *c = (const struct chain *)p;
	const struct raft_entry *e = raft_log_at(&c->log, index);

	if (!e)
		return -ENOENT;
	*ret = (struct proto_entry_view){
		.term = e->term, .command = {.p = e->bytes, .len = e->len}};
	return 0;
}

static void chain_invariant(const struct proto *p)
{
	const struct chain *c = (const struct chain *)p;

	assert(c->config.epoch <= c->promised && c->installed <= c->promised);
	assert(c->applied <= c->commit && c->commit <= chain_last(c));
	assert(c->waiters.first == c->applied + 1 && c->waiters.next == chain_last(c) + 1);
	assert(c->matched <= chain_last(c) && c->log.durable <= chain_last(c));
	assert(c->forward.pending <= ring_count(&c->forward.slots));
}

const struct proto_ops chain_ops = {
	.name = "chain",
	.size = sizeof(struct chain),
	.claim = chain_claim,
	.floor_ns = chain_floor_ns,
	.init = chain_init,
	.restore = chain_restore,
	.describe = chain_describe,
	.start = chain_start,
	.request = chain_request,
	.message = chain_message,
	.persisted = chain_persisted,
	.timer = chain_timer,
	.snapshot = chain_snapshot,
	.status = chain_status,
	.invariant = chain_invariant,
	.entry = chain_entry,
	.info = chain_info,
	.fini = chain_fini,
};
