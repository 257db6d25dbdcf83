/* SPDX-License-Identifier: MIT */
/*
 * multimaster.c - every replica takes reads and writes alone, and replicates to the others
 *
 * As CouchDB: docs.couchdb.org, "Replication and conflict model" and "CouchDB Replication
 * Protocol". A key has a tree of revisions (multimaster_tree.c). A revision is named by its
 * generation and a digest of its parent's name and what it is, so the same edit of the same
 * revision on two replicas is one revision. Edits of one revision on two replicas are two leaves:
 * both are kept, both are listed (PROTO_VALUES), and all replicas that have both show the same.
 *
 * Replication is from one replica to another, continuous, each way for itself: the target asks
 * what has changed since its checkpoint, then for the revisions that it lacks, and gets them with
 * their history (multimaster_pull.c, multimaster_push.c). Who was away goes on from there.
 *
 *   target                     source
 *     | --- ask since 17 ------->|  as soon as there is something:
 *     |<-- changes up to 23 ---- |  keys, and the leaves of each
 *     | --- want 2 of these ---->|
 *     |<-- revisions ----------- |  with their history; when they are durable here:
 *     | --- ask since 23 ------->|  which is the new checkpoint, saved by both now and then
 *
 * Invariants: what is told to anybody is durable; a tree only grows, but for what is stemmed; the
 * checkpoint of a replication is not above a change whose revisions are not durable at its target.
 *
 * Kept apart from CouchDB: a digest has 64 bits and not MD5's 128; a revision that is resolved is
 * named by its value; nothing is compacted, since old values are not kept in the first place;
 * tombstones stay for ever, as in CouchDB without a purge.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/multimaster_internal.h"

_Static_assert(
	PROTO_VALUE_MAX + PROTO_KEY_MAX + MULTIMASTER_REVS_MAX * 8 + 128 <= PROTO_MESSAGE_MAX,
	"a revision and its history are one message");

/*
 * A write that was acknowledged is lost for who reads with GET if another revision wins: it is
 * beside the winner then, and VALUES lists it. That is what loses_acked means here; no revision
 * vanishes that nobody has followed.
 */
static void multimaster_claim(const struct proto_config *cfg, struct proto_claim *ret)
{
	(void)cfg;
	*ret = (struct proto_claim){
		.whole = PROTO_EVENTUAL,
		.cut = PROTO_EVENTUAL,
		.reads_cut = PROTO_SIDES_ALL,
		.writes_cut = PROTO_SIDES_ALL,
		.does = PROTO_DOES_PLAIN | PROTO_DOES(PROTO_VALUES) | PROTO_DOES(PROTO_RESOLVE),
		.loses_acked = true,
	};
}

static uint64_t multimaster_floor_ns(const struct proto_floor_query *q)
{
	return q->client_ns;
}

bool multimaster_pulls(const struct proto_config *cfg, unsigned target, unsigned source)
{
	unsigned distance = (source + cfg->nodes - target) % cfg->nodes;

	if (cfg->nodes <= MULTIMASTER_PULLS_MAX + 1)
		return distance != 0;
	return distance != 0 && (distance & (distance - 1)) == 0;
}

static void multimaster_init(struct proto *p)
{
	struct multimaster *m = multimaster_of(p);

	m->docs = table_open();
	m->ahead = table_open();
	ring_init(&m->writes, sizeof(struct multimaster_write), 1);
	m->pull = calloc(p->cfg.nodes, sizeof(*m->pull));
	m->push = calloc(p->cfg.nodes, sizeof(*m->push));
	assert(m->pull && m->push);
}

static void multimaster_fini(struct proto *p)
{
	struct multimaster *m = multimaster_of(p);
	struct multimaster_write *w;

	for (uint64_t i = m->writes.first; (w = ring_at(&m->writes, i)); i++)
		free(w->bytes);
	ring_fini(&m->writes);
	multimaster_pull_fini(m);
	multimaster_tree_fini(m);
	table_close(m->ahead);
	free(m->order);
	free(m->pull);
	free(m->push);
}

static void tick(struct multimaster *m)
{
	struct proto_io *io = m->proto.io;
	uint64_t now = io->now(io);

	multimaster_pull_tick(m);
	if (now - m->saved_ns >= MULTIMASTER_CHECKPOINT_NS) {
		m->saved_ns = now;
		multimaster_save_checkpoints(m);
	}
	io->arm(io, MULTIMASTER_TIMER_TICK, now + m->proto.cfg.heartbeat_ns);
}

static void multimaster_start(struct proto *p)
{
	struct multimaster *m = multimaster_of(p);

	m->life = p->io->random(p->io) | 1;
	m->saved_ns = p->io->now(p->io);
	multimaster_order(m);
	multimaster_pull_start(m);
	tick(m);
}

static int multimaster_message(struct proto *p, unsigned from, const void *bytes, size_t len)
{
	struct multimaster *m = multimaster_of(p);
	struct cursor c = cursor_over(bytes, len);
	bool source, target;

	if (from >= p->cfg.nodes || from == p->cfg.self)
		return -EBADMSG;
	target = multimaster_pulls(&p->cfg, from, p->cfg.self);
	source = multimaster_pulls(&p->cfg, p->cfg.self, from);
	switch (cursor_u8(&c)) {
	case MULTIMASTER_ASK:
		return target ? multimaster_on_ask(m, from, &c) : -EBADMSG;
	case MULTIMASTER_BEGIN:
		return source ? multimaster_on_begin(m, from, &c) : -EBADMSG;
	case MULTIMASTER_CHANGES:
		return source ? multimaster_on_changes(m, from, &c) : -EBADMSG;
	case MULTIMASTER_WANT:
		return target ? multimaster_on_want(m, from, &c) : -EBADMSG;
	case MULTIMASTER_REVISIONS:
		return source ? multimaster_on_revisions(m, from, &c) : -EBADMSG;
	default:
		return -EBADMSG;
	}
}

static void multimaster_timer(struct proto *p, unsigned timer)
{
	if (timer == MULTIMASTER_TIMER_TICK)
		tick(multimaster_of(p));
	else
		multimaster_expire(multimaster_of(p));
}

/* Changes that a replica has not asked for yet: CouchDB's changes_pending, at the most. */
static uint64_t multimaster_hints(const struct proto *p, unsigned node)
{
	const struct multimaster *m = (const struct multimaster *)p;

	if (!multimaster_pulls(&p->cfg, node, p->cfg.self))
		return 0;
	return m->changes - multimaster_after(m, m->push[node].since);
}

static void multimaster_status(const struct proto *p, struct proto_status_view *ret)
{
	const struct multimaster *m = (const struct multimaster *)p;

	*ret = (struct proto_status_view){.role = PROTO_PEER,
		.leader = -1,
		.pending = m->pending,
		.fetched = m->fetched,
		.hints_refused = m->refused,
		.ready = true};
	for (unsigned i = 0; i < p->cfg.nodes; i++)
		ret->hints += multimaster_hints(p, i);
}

static void multimaster_info(const struct proto *p, struct buf *out)
{
	const struct multimaster *m = (const struct multimaster *)p;

	buf_printf(out, "update_seq:%llu\r\n", (unsigned long long)multimaster_last(m));
	buf_printf(out, "conflicts:%zu\r\n", m->conflicts);
	for (unsigned i = 0; i < p->cfg.nodes; i++) {
		if (!multimaster_pulls(&p->cfg, p->cfg.self, i))
			continue;
		buf_printf(
			out, "checkpoint_of_%u:%llu\r\n", i, (unsigned long long)m->pull[i].since);
		buf_printf(
			out, "checkpoint_at_%u:%llu\r\n", i, (unsigned long long)m->push[i].since);
	}
}

static void multimaster_invariant(const struct proto *p)
{
	const struct multimaster *m = (const struct multimaster *)p;

	assert(m->pending <= ring_count(&m->writes));
	assert(!m->pending || m->armed);
	assert(multimaster_last(m) <= m->seq);
	if (m->changes)
		multimaster_check_doc(m, m->order[m->changes - 1].doc);
}

const struct proto_ops multimaster_ops = {
	.name = "multimaster",
	.size = sizeof(struct multimaster),
	.claim = multimaster_claim,
	.floor_ns = multimaster_floor_ns,
	.init = multimaster_init,
	.restore = multimaster_restore,
	.describe = multimaster_describe,
	.snapshot = multimaster_snapshot,
	.start = multimaster_start,
	.request = multimaster_request,
	.message = multimaster_message,
	.persisted = multimaster_persisted,
	.timer = multimaster_timer,
	.status = multimaster_status,
	.hints = multimaster_hints,
	.invariant = multimaster_invariant,
	.info = multimaster_info,
	.digest = multimaster_digest,
	.memory = multimaster_memory,
	.kept = multimaster_kept,
	.blurred = MULTIMASTER_VERSION_BITS,
	.fini = multimaster_fini,
};
