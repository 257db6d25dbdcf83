/* SPDX-License-Identifier: MIT */
/*
 * quorum.c - leaderless replication: every replica coordinates, the last write wins
 *
 * After Dynamo (DeCandia et al., SOSP 2007) with Cassandra's choices. The replica that a client
 * talks to coordinates. A write gets its wall clock as version (the replica's number breaks ties),
 * goes to all replicas, and is acknowledged when the level's number of them have it on disk. A
 * read asks the others, takes the newest of the level's number of answers, and first brings those
 * of them that answered with something older up to date (blocking read repair), so that no later
 * read that overlaps with it can go back. Who answers later with something older is repaired then.
 *
 *   read:   asking --enough answers--> repairing --enough hold the newest--> answered
 *   write:  writing --enough acknowledged--> answered --all did, or time is over--> forgotten
 *
 * Hinted handoff: for each replica that has not acknowledged within the request's time-out, the
 * coordinator notes the key, on disk; when the replica is heard again it gets what the key has
 * become. A note is dropped when that is acknowledged. Limits: see quorum_hints.c.
 *
 * A level that cannot be reached, since too many replicas have not answered pings for
 * QUORUM_DEAF_HEARTBEATS, is refused before anything is written (Cassandra's UnavailableException).
 *
 * Sloppy quorums (Dynamo, section 4.6) as a setting: for each replica that is not heard when a
 * write comes, another living one is asked to keep a hint, on disk, and that counts towards the
 * level in its place. Here every replica has every key, so who stands in has counted already: two
 * answers of one replica. Each stands in for one other at most, and never the coordinator itself:
 * a side of s replicas can make 2 s - 1 count. What it means: R + W > N no longer says that a read
 * overlaps with a write; a read may miss what was acknowledged until the hint has arrived, and
 * if all who count lose their disks before, it is lost, and they may be fewer than W. Reads are not
 * sloppy. The claim is therefore eventual.
 *
 * Anti-entropy: quorum_sync.c. When a deleted key is forgotten: quorum_bury.c.
 *
 * Copies: as a setting, only the first so many replicas have the data; the others coordinate, as
 * nodes outside of a key's preference list do in Dynamo. Tombstones are then kept for ever.
 *
 * A key that expires has its end in its entry; each replica judges by its own wall clock.
 *
 * Invariants: the version of a key never goes back; what is in the table is on disk; versions
 * given by one coordinator rise.
 *
 * What is where: quorum_operation.c clients, quorum_records.c log and snapshot, quorum_hints.c
 * hints, quorum_sync.c and merkle.c anti-entropy, quorum_bury.c tombstones, quorum_entry.c entries.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/quorum_internal.h"

static enum proto_sides sides_of(const struct proto_config *cfg, unsigned need)
{
	if (need == 1)
		return PROTO_SIDES_ALL;
	return need <= cfg->nodes / 2 + 1 ? PROTO_SIDES_MAJORITY : PROTO_SIDES_NONE;
}

/*
 * Reads and writes that overlap in a replica (R + W > N; Gifford, SOSP 1979) see each other. A
 * write that too few have got may be seen by a read nevertheless; read repair then leaves it with R
 * replicas, so the next read must overlap with those (2 R > N), or it goes back. All of it supposes
 * that wall clocks agree.
 */
static void quorum_claim(const struct proto_config *cfg, struct proto_claim *ret)
{
	unsigned r = quorum_need(cfg, cfg->read_level, false);
	unsigned w = quorum_need(cfg, cfg->write_level, true);
	unsigned copies = quorum_copies(cfg);
	/* Without repair a read may see a write under way, and the next one not. */
	bool strong = r + w > copies && 2 * r > copies && !cfg->sloppy && !cfg->unrepaired;
	/* What the smaller of two sides needs if each of its replicas but one stands in, too. */
	unsigned w_side = cfg->sloppy ? w / 2 + 1 : w;

	*ret = (struct proto_claim){
		.whole = strong ? PROTO_LINEARIZABLE : PROTO_EVENTUAL,
		.cut = strong ? PROTO_LINEARIZABLE : PROTO_EVENTUAL,
		.reads_cut = sides_of(cfg, r),
		.writes_cut = sides_of(cfg, w == 1 ? 1 : w_side),
		.does = PROTO_DOES_PLAIN,
		.cas = false,
		.needs_wall = strong,
		.loses_acked = r + w <= copies || cfg->sloppy,
	};
	if (copies < cfg->nodes) {
		ret->copies = copies;
		ret->reads_cut = ret->writes_cut = PROTO_SIDES_NONE;
	}
}

/* Round trip after which @k that have the data have answered a contact that has not. */
static uint64_t kth_copy_ns(const struct proto_floor_query *query, unsigned k)
{
	const uint64_t *rtt = query->rtt_ns + (size_t)query->contact * query->cfg->nodes;
	unsigned copies = quorum_copies(query->cfg);
	uint64_t kth = UINT64_MAX;

	for (unsigned i = 0; i < copies; i++) {
		unsigned within = 0;

		for (unsigned j = 0; j < copies; j++)
			within += rtt[j] <= rtt[i];
		if (within >= k && rtt[i] < kth)
			kth = rtt[i];
	}
	return kth;
}

/* One round from the coordinator, the fastest of the level's number; a repair would be another. */
static uint64_t quorum_floor_ns(const struct proto_floor_query *query)
{
	unsigned need = quorum_need(query->cfg, query->level, query->write);

	if (query->contact >= quorum_copies(query->cfg))
		return query->client_ns + kth_copy_ns(query, need);
	return query->client_ns + proto_kth_rtt(query, query->contact, need);
}

static void quorum_init(struct proto *p)
{
	struct quorum *q = quorum_of(p);

	ring_init(&q->ops, sizeof(struct quorum_operation), 1);
	ring_init(&q->writes, sizeof(struct quorum_write), 1);
	q->pinged = p->cfg.self;
	q->peer = calloc(p->cfg.nodes, sizeof(*q->peer));
	assert(q->peer);
	if (p->cfg.anti_entropy_ns) {
		q->tree = calloc(1, sizeof(*q->tree));
		assert(q->tree);
	}
}

static void quorum_fini(struct proto *p)
{
	struct quorum *q = quorum_of(p);

	for (uint64_t i = q->ops.first; i < q->ops.next; i++)
		free(((struct quorum_operation *)ring_at(&q->ops, i))->key);
	for (uint64_t i = q->writes.first; i < q->writes.next; i++)
		free(((struct quorum_write *)ring_at(&q->writes, i))->key);
	ring_fini(&q->ops);
	ring_fini(&q->writes);
	quorum_sync_fini(q);
	quorum_bury_fini(q);
	free(q->tree);
	for (unsigned i = 0; i < p->cfg.nodes; i++)
		table_close(q->peer[i].hints);
	free(q->peer);
}

/* Messages. */

static void send_hinted(struct quorum *q, unsigned to, uint64_t version, struct proto_bytes key)
{
	struct table_entry e = {.key = key};

	quorum_send_entry(q, to, QUORUM_HINTED, version, &e);
}

/* @whom: for whom a QUORUM_STAND_IN wants a hint kept. */
static void on_write(struct quorum *q, unsigned from, enum quorum_message type, uint64_t id,
	const struct table_entry *e, unsigned whom)
{
	const struct table_entry *mine = table_get(q->proto.table, e->key);

	if (PROTO_BUG(BUG_QUORUM_ACKS_BEFORE_DURABLE) && type == QUORUM_WRITE)
		quorum_send_id(q, from, QUORUM_WRITTEN, id);
	if (type == QUORUM_STAND_IN && quorum_hint_add(q, whom, e->key))
		/* Written even if it is not new: the answer must come after the note, too. */
		quorum_store_for(q, e, from, id, whom);
	else if (entry_newer(e, mine) ||
		 (PROTO_BUG(BUG_QUORUM_HINT_RESURRECTS) && type == QUORUM_HINT))
		quorum_store(q, e, from, type == QUORUM_HINT ? QUORUM_HINTED : QUORUM_WRITTEN, id);
	else if (type == QUORUM_HINT)
		send_hinted(q, from, id, e->key);
	else
		quorum_send_id(q, from, QUORUM_WRITTEN, id);
}

static void on_read(struct quorum *q, unsigned from, uint64_t id, struct proto_bytes key)
{
	const struct table_entry *e = table_get(q->proto.table, key);
	struct table_entry nothing = {.key = key};

	quorum_send_entry(q, from, QUORUM_FOUND, id, e ? e : &nothing);
}

static int on_entry(struct quorum *q, unsigned from, enum quorum_message type, struct cursor *c)
{
	uint64_t id = cursor_u64(c);
	uint64_t stamp = cursor_u64(c);
	unsigned whom = type == QUORUM_STAND_IN ? cursor_u16(c) : 0;
	bool asks = type == QUORUM_READ || type == QUORUM_HINTED;
	struct table_entry e;

	if (entry_decode(quorum_nodes(q), c, &e))
		return -EBADMSG;
	if (asks ? e.version || e.origin : !e.version && type != QUORUM_FOUND)
		return -EBADMSG;
	if (type == QUORUM_STAND_IN && (whom >= quorum_nodes(q) || whom == q->proto.cfg.self))
		return -EBADMSG;
	if (type == QUORUM_READ)
		on_read(q, from, id, e.key);
	else if (type == QUORUM_FOUND)
		quorum_found(q, id, from, &e);
	else if (type == QUORUM_HINTED)
		quorum_hint_done(q, from, id, e.key);
	else if (!quorum_stale(q, &e, stamp))
		on_write(q, from, type, id, &e, whom);
	return 0;
}

static int on_id(struct quorum *q, unsigned from, enum quorum_message type, struct cursor *c)
{
	uint64_t id = cursor_u64(c);

	if (!cursor_done(c))
		return -EBADMSG;
	if (type == QUORUM_WRITTEN)
		quorum_acknowledged(q, id, from);
	if (type != QUORUM_PING)
		return 0;
	q->peer[from].stamp = id;
	quorum_send_id(q, from, QUORUM_PONG, id);
	return 0;
}

static int on_stood_in(struct quorum *q, unsigned from, struct cursor *c)
{
	uint64_t id = cursor_u64(c);
	uint64_t whom = cursor_u64(c);

	if (!cursor_done(c) || whom >= quorum_nodes(q) || whom == from)
		return -EBADMSG;
	quorum_stood_in(q, id, from, (unsigned)whom);
	return 0;
}

static int take(struct quorum *q, unsigned from, enum quorum_message type, struct cursor *c)
{
	switch (type) {
	case QUORUM_PING:
	case QUORUM_PONG:
	case QUORUM_WRITTEN:
		return on_id(q, from, type, c);
	case QUORUM_WRITE:
	case QUORUM_READ:
	case QUORUM_FOUND:
	case QUORUM_HINT:
	case QUORUM_HINTED:
	case QUORUM_STAND_IN:
		return on_entry(q, from, type, c);
	case QUORUM_SYNC_ASK:
	case QUORUM_SYNC_SUMS:
	case QUORUM_SYNC_LIST:
	case QUORUM_SYNC_HEADS:
	case QUORUM_SYNC_WANT:
	case QUORUM_SYNC_ENTRIES:
		return quorum_sync_message(q, from, type, c);
	case QUORUM_BURY:
	case QUORUM_HELD:
	case QUORUM_FORGET:
	case QUORUM_FORGOTTEN:
		return quorum_bury_message(q, from, type, c);
	case QUORUM_STOOD_IN:
		return on_stood_in(q, from, c);
	case QUORUM_NOBODY:
		break;
	}
	return -EBADMSG;
}

/* Only answers show that both directions work. */
static bool is_answer(enum quorum_message type)
{
	return type == QUORUM_PONG || type == QUORUM_WRITTEN || type == QUORUM_FOUND ||
	       type == QUORUM_HINTED || type == QUORUM_STOOD_IN;
}

static int quorum_message(struct proto *p, unsigned from, const void *bytes, size_t len)
{
	struct quorum *q = quorum_of(p);
	struct cursor c = cursor_over(bytes, len);
	enum quorum_message type = (enum quorum_message)cursor_u8(&c);
	int rc;

	if (from >= p->cfg.nodes || from == p->cfg.self)
		return -EBADMSG;
	rc = take(q, from, type, &c);
	if (!rc && is_answer(type)) {
		q->peer[from].heard_ns = p->io->now(p->io);
		q->peer[from].heard = true;
	}
	return rc;
}

/* It is on disk: who waits for it hears of it. */
static void tell(struct quorum *q, const struct quorum_write *w)
{
	struct table_entry nothing = {.key = w->entry.key};

	if (w->reply == QUORUM_NOBODY)
		return;
	if (w->reply == QUORUM_SYNC_ENTRIES)
		quorum_sync_stored(q);
	else if (w->from == q->proto.cfg.self)
		quorum_acknowledged(q, w->id, w->from);
	else if (w->reply == QUORUM_HINTED)
		quorum_send_entry(q, w->from, QUORUM_HINTED, w->id, &nothing);
	else if (w->reply == QUORUM_FORGOTTEN)
		quorum_send_mask(q, w->from, QUORUM_FORGOTTEN, w->id, 0);
	/* Unless the note has been taken back meanwhile: it was sent on, or for nothing. */
	else if (w->reply == QUORUM_STOOD_IN && quorum_hinted(q, w->stands_for, w->entry.key))
		quorum_send_mask(q, w->from, QUORUM_STOOD_IN, w->id, w->stands_for);
	else
		quorum_send_id(q, w->from, QUORUM_WRITTEN, w->id);
}

/* All had the tombstone: whoever lacked what was before lacks nothing. */
static void forgotten(struct quorum *q, const struct table_entry *e)
{
	quorum_forget(q, e);
	for (unsigned i = 0; i < quorum_nodes(q); i++)
		quorum_hint_forget(q, i, e);
}

static void quorum_persisted(struct proto *p, uint64_t seq)
{
	struct quorum *q = quorum_of(p);
	const struct quorum_write *front;

	while ((front = ring_front(&q->writes)) && front->seq <= seq) {
		struct quorum_write w = *front;

		ring_pop(&q->writes);
		if (!w.key)
			continue;
		if (PROTO_BUG(BUG_QUORUM_HINT_RESURRECTS) && w.reply == QUORUM_HINTED)
			table_put(q->proto.table, &w.entry);
		if (!w.forget)
			quorum_merge(q, &w.entry);
		else
			forgotten(q, &w.entry);
		if (w.forget && w.from == p->cfg.self)
			quorum_bury_forgot(q);
		tell(q, &w);
		free(w.key);
	}
}

/* In a large cluster not all at once: whose turn it is. */
static unsigned pings_at_once(const struct quorum *q)
{
	unsigned others = quorum_nodes(q) - 1;

	return others < QUORUM_PINGS_MAX ? others : QUORUM_PINGS_MAX;
}

uint64_t quorum_deaf_ns(const struct quorum *q)
{
	unsigned others = quorum_nodes(q) - 1;
	unsigned rounds = (others + QUORUM_PINGS_MAX - 1) / QUORUM_PINGS_MAX;

	return QUORUM_DEAF_HEARTBEATS * q->proto.cfg.heartbeat_ns * (rounds ? rounds : 1);
}

bool quorum_alive(const struct quorum *q, unsigned i)
{
	uint64_t now = q->proto.io->now(q->proto.io);

	return i == q->proto.cfg.self || now - q->peer[i].heard_ns <= quorum_deaf_ns(q);
}

static void tick(struct quorum *q)
{
	struct proto_io *io = q->proto.io;
	uint64_t now = io->now(io);

	for (unsigned n = pings_at_once(q); n > 0; n--) {
		q->pinged = (q->pinged + 1) % quorum_nodes(q);
		if (q->pinged == q->proto.cfg.self)
			q->pinged = (q->pinged + 1) % quorum_nodes(q);
		quorum_send_id(q, q->pinged, QUORUM_PING, now);
	}
	for (unsigned i = 0; i < quorum_nodes(q); i++)
		if (i != q->proto.cfg.self)
			quorum_hint_tick(q, i);
	quorum_sync_tick(q);
	quorum_bury_tick(q);
	io->arm(io, QUORUM_TIMER_PING, now + q->proto.cfg.heartbeat_ns);
}

static void quorum_start(struct proto *p)
{
	struct quorum *q = quorum_of(p);
	uint64_t now = p->io->now(p->io);

	/* Above all numbers of an earlier life, whose answers may still be under way. */
	ring_init(&q->ops, sizeof(struct quorum_operation), now + 1);
	/* Until it has had time to answer, everybody counts as reachable. */
	for (unsigned i = 0; i < p->cfg.nodes; i++)
		q->peer[i].heard_ns = now;
	quorum_bury_start(q);
	quorum_sync_start(q);
	tick(q);
}

static void quorum_timer(struct proto *p, unsigned timer)
{
	if (timer == QUORUM_TIMER_PING)
		tick(quorum_of(p));
	else if (timer == QUORUM_TIMER_SYNC)
		quorum_sync_timer(quorum_of(p));
	else
		quorum_expire(quorum_of(p));
}

static void quorum_status(const struct proto *p, struct proto_status_view *ret)
{
	const struct quorum *q = (const struct quorum *)p;

	*ret = (struct proto_status_view){.role = PROTO_PEER, .leader = -1, .pending = q->pending};
	ret->hints = q->hints;
	ret->hints_refused = q->hints_refused;
	ret->compared = q->compared;
	ret->fetched = q->fetched;
	ret->ready = quorum_reachable(q, true) >= quorum_need(&p->cfg, PROTO_DEFAULT, true);
}

static uint64_t quorum_hints(const struct proto *p, unsigned node)
{
	const struct table *hints = ((const struct quorum *)p)->peer[node].hints;

	return hints ? table_count(hints) : 0;
}

static void quorum_invariant(const struct proto *p)
{
	const struct quorum *q = (const struct quorum *)p;
	const struct quorum_operation *op = ring_front(&q->ops);

	assert(q->pending <= ring_count(&q->ops));
	assert(!op || op->phase != QUORUM_DONE);
	assert(!op || q->armed);
	assert(op || q->bytes == 0);
}

const struct proto_ops quorum_ops = {
	.name = "quorum",
	.size = sizeof(struct quorum),
	.claim = quorum_claim,
	.floor_ns = quorum_floor_ns,
	.init = quorum_init,
	.restore = quorum_restore,
	.describe = quorum_describe,
	.snapshot = quorum_snapshot,
	.start = quorum_start,
	.request = quorum_request,
	.message = quorum_message,
	.persisted = quorum_persisted,
	.timer = quorum_timer,
	.status = quorum_status,
	.hints = quorum_hints,
	.invariant = quorum_invariant,
	.fini = quorum_fini,
};
