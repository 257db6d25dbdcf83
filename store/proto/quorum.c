/* SPDX-License-Identifier: MIT */
/*
 * quorum.c - leaderless replication: every replica coordinates, the last write wins
 *
 * After Dynamo (DeCandia et al., SOSP 2007) with Cassandra's choices. The replica that a client
 * talks to coordinates. A write gets its wall clock as version (the replica's number breaks ties),
 * goes to all replicas, and is acknowledged when the level's number of them have it on disk. A
 * read asks the others, takes the newest of the level's number of answers, and at QUORUM and ALL
 * first brings those that answered with something older up to date (blocking read repair), so that
 * no later read can go back.
 *
 *   read:   asking --enough answers--> repairing --enough hold the newest--> answered
 *   write:  writing --enough acknowledged--> answered --all did, or time is over--> forgotten
 *
 * Hinted handoff: for each replica that has not acknowledged within the request's time-out, the
 * coordinator notes the key, on disk; when the replica is heard again it gets what the key has
 * become. A note is dropped when that is acknowledged. There are at most QUORUM_HINTS_MAX for a
 * replica; beyond that only read repair helps.
 *
 * A level that cannot be reached, since too many replicas have not answered pings for
 * QUORUM_DEAF_HEARTBEATS, is refused before anything is written (Cassandra's UnavailableException).
 *
 * Invariants: the version of a key never goes back; what is in the table is on disk; versions
 * given by one coordinator rise.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/quorum_internal.h"

static unsigned at_most(const struct proto_config *cfg, unsigned n)
{
	return n < cfg->nodes ? n : cfg->nodes;
}

static unsigned need_of(const struct proto_config *cfg, enum proto_level level, bool write)
{
	if (level == PROTO_DEFAULT)
		level = write ? cfg->write_level : cfg->read_level;
	switch (level) {
	case PROTO_TWO:
		return at_most(cfg, 2);
	case PROTO_THREE:
		return at_most(cfg, 3);
	case PROTO_LEASE: /* there is no leader whose lease it could be */
	case PROTO_QUORUM:
		return cfg->nodes / 2 + 1;
	case PROTO_ALL:
		return cfg->nodes;
	case PROTO_ONE:
	case PROTO_DEFAULT:
	case PROTO_LEVEL_NR:
		break;
	}
	return 1;
}

static enum proto_sides sides_of(const struct proto_config *cfg, unsigned need)
{
	if (need == 1)
		return PROTO_SIDES_ALL;
	return need <= cfg->nodes / 2 + 1 ? PROTO_SIDES_MAJORITY : PROTO_SIDES_NONE;
}

/*
 * Reads and writes that overlap in a replica (R + W > N; Gifford, SOSP 1979) see each other, and
 * read repair keeps reads from going back, but a read at ONE asks nobody and repairs nothing. All
 * of it supposes that wall clocks agree.
 */
static void quorum_claim(const struct proto_config *cfg, struct proto_claim *ret)
{
	unsigned r = need_of(cfg, cfg->read_level, false);
	unsigned w = need_of(cfg, cfg->write_level, true);
	bool strong = cfg->nodes == 1 || (r > 1 && r + w > cfg->nodes);

	*ret = (struct proto_claim){
		.whole = strong ? PROTO_LINEARIZABLE : PROTO_EVENTUAL,
		.cut = strong ? PROTO_LINEARIZABLE : PROTO_EVENTUAL,
		.reads_cut = sides_of(cfg, r),
		.writes_cut = sides_of(cfg, w),
		.cas = false,
		.loses_acked = !strong,
	};
}

/* One round from the coordinator, the fastest of the level's number; a repair would be another. */
static uint64_t quorum_floor_ns(const struct proto_floor_query *query)
{
	unsigned need = need_of(query->cfg, query->level, query->write);

	return query->client_ns + proto_kth_rtt(query, query->contact, need);
}

static void quorum_init(struct proto *p)
{
	struct quorum *q = quorum_of(p);

	ring_init(&q->ops, sizeof(struct quorum_operation), 1);
	ring_init(&q->writes, sizeof(struct quorum_write), 1);
	for (unsigned i = 0; i < p->cfg.nodes; i++)
		q->peer[i].hints = i == p->cfg.self ? NULL : table_open();
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
	for (unsigned i = 0; i < p->cfg.nodes; i++)
		table_close(q->peer[i].hints);
}

static void merge(struct quorum *q, const struct table_entry *e)
{
	if (quorum_newer(e, table_get(q->proto.table, e->key)))
		table_put(q->proto.table, e);
	/* The own clock stays ahead of all that it ever gave out. */
	if (e->origin == q->proto.cfg.self && e->version > q->clock)
		q->clock = e->version;
}

/* Records. */

static int quorum_restore(struct proto *p, const void *bytes, size_t len)
{
	struct quorum *q = quorum_of(p);
	struct cursor c = cursor_over(bytes, len);
	struct table_entry e;

	switch (cursor_u8(&c)) {
	case QUORUM_RECORD_ENTRY:
		if (quorum_entry_decode(quorum_nodes(q), &c, &e) || !e.version)
			return -EBADMSG;
		merge(q, &e);
		return 0;
	case QUORUM_RECORD_HINT:
		return quorum_hint_restore(q, &c, true);
	case QUORUM_RECORD_HINT_DONE:
		return quorum_hint_restore(q, &c, false);
	default:
		return -EBADMSG;
	}
}

static int quorum_describe(const void *bytes, size_t len, struct buf *out)
{
	struct cursor c = cursor_over(bytes, len);
	uint8_t kind = cursor_u8(&c);
	struct table_entry e;

	if (kind == QUORUM_RECORD_HINT || kind == QUORUM_RECORD_HINT_DONE)
		return quorum_hint_describe(&c, kind == QUORUM_RECORD_HINT, out);
	if (kind != QUORUM_RECORD_ENTRY || quorum_entry_decode(PROTO_NODES_MAX, &c, &e) ||
		!e.version)
		return -EBADMSG;
	buf_printf(out, "%s ", e.deleted ? "tombstone" : "entry");
	command_describe_key(out, e.key);
	if (!e.deleted)
		buf_printf(out, ", %u bytes", e.value.len);
	buf_printf(out, ", version %llu of replica %u", (unsigned long long)e.version, e.origin);
	return 0;
}

/* Write @e to disk and then into the table; @from hears of it by @reply. */
static void store_entry(struct quorum *q, const struct table_entry *e, unsigned from,
	enum quorum_message reply, uint64_t id)
{
	struct quorum_write w = {.id = id, .from = from, .reply = reply};
	struct buf b = {0};

	w.key = quorum_entry_copy(&w.entry, e);
	buf_u8(&b, QUORUM_RECORD_ENTRY);
	quorum_entry_encode(&b, e);
	quorum_persist(q, &b, &w);
	buf_fini(&b);
}

/* Operations. */

static void arm_next(struct quorum *q)
{
	const struct quorum_operation *op = ring_front(&q->ops);
	struct proto_io *io = q->proto.io;

	q->armed = op;
	if (op)
		io->arm(io, QUORUM_TIMER_OPERATIONS,
			op->since_ns + q->proto.cfg.request_timeout_ns);
}

static void drop_done(struct quorum *q)
{
	const struct quorum_operation *op;

	while ((op = ring_front(&q->ops)) && op->phase == QUORUM_DONE)
		ring_pop(&q->ops);
}

static void forget(struct quorum *q, struct quorum_operation *op)
{
	q->bytes -= (size_t)op->newest.key.len + op->newest.value.len;
	free(op->key);
	op->key = NULL;
	op->phase = QUORUM_DONE;
	drop_done(q);
}

static void answer(struct quorum *q, struct quorum_operation *op, struct proto_reply *reply)
{
	struct proto_io *io = q->proto.io;

	assert(!op->replied);
	op->replied = true;
	q->pending--;
	io->reply(io, op->ticket, reply);
}

static void answer_read(struct quorum *q, struct quorum_operation *op)
{
	const struct table_entry *e = &op->newest;
	struct proto_reply reply = {.status = PROTO_NIL, .version = e->version};

	if (e->version && !e->deleted) {
		reply.status = PROTO_OK;
		reply.value = e->value;
	}
	answer(q, op, &reply);
	forget(q, op);
}

static void answer_write(struct quorum *q, struct quorum_operation *op)
{
	struct proto_reply reply = {.status = PROTO_OK, .version = op->newest.version};

	if (op->op == PROTO_DEL && !op->existed)
		reply.status = PROTO_NIL;
	answer(q, op, &reply);
}

/* Time is over: say what is known, note who lacks the write. */
static void expire(struct quorum *q, struct quorum_operation *op)
{
	bool write = op->phase == QUORUM_WRITING;
	struct proto_reply reply = {
		.status = write ? PROTO_UNCERTAIN : PROTO_UNAVAILABLE,
		.have = (uint16_t)(op->phase == QUORUM_REPAIRING ? op->holders.count
								 : op->answered.count),
		.need = (uint16_t)op->need,
		.waited_ns = q->proto.io->now(q->proto.io) - op->since_ns,
	};

	for (unsigned i = 0; write && i < quorum_nodes(q); i++)
		if (i != q->proto.cfg.self && !quorum_set_has(&op->answered, i))
			quorum_hint_add(q, i, op->newest.key);
	if (!op->replied)
		answer(q, op, &reply);
	forget(q, op);
}

static void expire_operations(struct quorum *q)
{
	uint64_t now = q->proto.io->now(q->proto.io);
	struct quorum_operation *op;

	while ((op = ring_front(&q->ops)) && op->since_ns + q->proto.cfg.request_timeout_ns <= now)
		expire(q, op);
	arm_next(q);
}

static void acknowledged(struct quorum *q, uint64_t id, unsigned by)
{
	struct quorum_operation *op = ring_at(&q->ops, id);

	if (!op || op->phase == QUORUM_DONE || op->phase == QUORUM_ASKING)
		return;
	if (op->phase == QUORUM_REPAIRING) {
		quorum_set_add(&op->holders, by);
		if (op->holders.count >= op->need)
			answer_read(q, op);
		return;
	}
	quorum_set_add(&op->answered, by);
	if (op->answered.count >= op->need && !op->replied)
		answer_write(q, op);
	if (op->answered.count == quorum_nodes(q))
		forget(q, op);
}

/* Enough have answered: bring those among them up to date that lack the newest. */
static void repair(struct quorum *q, uint64_t id, struct quorum_operation *op)
{
	if (op->holders.count >= op->need || !op->newest.version) {
		answer_read(q, op);
		return;
	}
	op->phase = QUORUM_REPAIRING;
	for (unsigned i = 0; i < quorum_nodes(q); i++) {
		if (!quorum_set_has(&op->answered, i) || quorum_set_has(&op->holders, i))
			continue;
		if (i == q->proto.cfg.self)
			store_entry(q, &op->newest, i, QUORUM_WRITTEN, id);
		else
			quorum_send_entry(q, i, QUORUM_WRITE, id, &op->newest);
	}
}

static void take_newest(struct quorum *q, struct quorum_operation *op, const struct table_entry *e)
{
	q->bytes -= (size_t)op->newest.key.len + op->newest.value.len;
	free(op->key);
	op->key = quorum_entry_copy(&op->newest, e);
	q->bytes += (size_t)e->key.len + e->value.len;
	op->holders = (struct quorum_set){0};
}

static void found(struct quorum *q, uint64_t id, unsigned by, const struct table_entry *e)
{
	struct quorum_operation *op = ring_at(&q->ops, id);

	if (!op || (op->phase != QUORUM_ASKING && op->phase != QUORUM_REPAIRING))
		return;
	if (op->phase == QUORUM_REPAIRING) {
		/* A late answer need not be repaired, but it counts if it is as new. */
		if (!quorum_newer(&op->newest, e))
			acknowledged(q, id, by);
		return;
	}
	if (quorum_newer(e, &op->newest))
		take_newest(q, op, e);
	if (!quorum_newer(&op->newest, e))
		quorum_set_add(&op->holders, by);
	quorum_set_add(&op->answered, by);
	if (op->answered.count >= op->need)
		repair(q, id, op);
}

static void read_here(struct quorum *q, uint64_t id, struct proto_bytes key)
{
	const struct table_entry *e = table_get(q->proto.table, key);
	struct table_entry nothing = {.key = key};

	found(q, id, q->proto.cfg.self, e ? e : &nothing);
}

static void start_read(
	struct quorum *q, uint64_t id, struct quorum_operation *op, struct proto_bytes key)
{
	struct table_entry nothing = {.key = key};
	bool others = op->need > 1;

	op->phase = QUORUM_ASKING;
	op->key = quorum_entry_copy(&op->newest, &nothing);
	q->bytes += key.len;
	for (unsigned i = 0; others && i < quorum_nodes(q); i++)
		if (i != q->proto.cfg.self)
			quorum_send_entry(q, i, QUORUM_READ, id, &nothing);
	read_here(q, id, key);
}

static void start_write(
	struct quorum *q, uint64_t id, struct quorum_operation *op, const struct proto_request *req)
{
	const struct table_entry *old = table_get(q->proto.table, req->key);
	uint64_t wall = q->proto.io->wall(q->proto.io);
	struct table_entry e = {
		.key = req->key,
		.origin = (uint16_t)q->proto.cfg.self,
		.deleted = req->op == PROTO_DEL,
	};

	if (req->op == PROTO_SET)
		e.value = req->value;
	/* Wall clocks may stand still or go back; the versions of a coordinator may not. */
	q->clock = wall > q->clock ? wall : q->clock + 1;
	e.version = q->clock;
	op->phase = QUORUM_WRITING;
	op->existed = old && !old->deleted;
	op->key = quorum_entry_copy(&op->newest, &e);
	q->bytes += (size_t)e.key.len + e.value.len;
	for (unsigned i = 0; i < quorum_nodes(q); i++)
		if (i != q->proto.cfg.self)
			quorum_send_entry(q, i, QUORUM_WRITE, id, &e);
	store_entry(q, &e, q->proto.cfg.self, QUORUM_WRITTEN, id);
}

static bool refuse(struct quorum *q, const struct proto_request *req, unsigned need)
{
	struct proto_reply reply = {.status = PROTO_UNAVAILABLE, .need = (uint16_t)need};
	struct proto_io *io = q->proto.io;

	for (unsigned i = 0; i < quorum_nodes(q); i++)
		reply.have = (uint16_t)(reply.have + quorum_alive(q, i));
	if (req->cond != PROTO_ALWAYS || req->op == PROTO_APPEND || req->op == PROTO_INCREASE) {
		reply = (struct proto_reply){.status = PROTO_UNSUPPORTED,
			.why = "the last write wins here: no write depends on what was there"};
	} else if (reply.have < need) {
		reply.why = "too few replicas can be reached";
	} else if (ring_count(&q->ops) >= QUORUM_OPERATIONS_MAX ||
		   q->bytes > QUORUM_OPERATION_BYTES_MAX) {
		reply = (struct proto_reply){
			.status = PROTO_UNAVAILABLE, .why = "too many requests are waiting here"};
	} else {
		return false;
	}
	io->reply(io, req->ticket, &reply);
	return true;
}

static void quorum_request(struct proto *p, const struct proto_request *req)
{
	struct quorum *q = quorum_of(p);
	unsigned need = need_of(&p->cfg, req->level, req->op != PROTO_GET);
	struct quorum_operation *op;
	uint64_t id;

	if (refuse(q, req, need))
		return;
	op = ring_push(&q->ops);
	id = q->ops.next - 1;
	*op = (struct quorum_operation){
		.op = req->op,
		.need = PROTO_BUG(BUG_QUORUM_WEAK_CALLED_STRONG) ? 1 : need,
		.ticket = req->ticket,
		.since_ns = p->io->now(p->io),
	};
	q->pending++;
	if (req->op == PROTO_GET)
		start_read(q, id, op, req->key);
	else
		start_write(q, id, op, req);
	if (!q->armed)
		arm_next(q);
}

/* Messages. */

static void send_id(struct quorum *q, unsigned to, enum quorum_message type, uint64_t id)
{
	struct proto_io *io = q->proto.io;
	struct buf b = {0};

	buf_u8(&b, (uint8_t)type);
	buf_u64(&b, id);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

static void send_hinted(struct quorum *q, unsigned to, uint64_t version, struct proto_bytes key)
{
	struct table_entry e = {.key = key};

	quorum_send_entry(q, to, QUORUM_HINTED, version, &e);
}

static void on_write(struct quorum *q, unsigned from, enum quorum_message type, uint64_t id,
	const struct table_entry *e)
{
	const struct table_entry *mine = table_get(q->proto.table, e->key);
	enum quorum_message reply = type == QUORUM_WRITE ? QUORUM_WRITTEN : QUORUM_HINTED;

	if (quorum_newer(e, mine))
		store_entry(q, e, from, reply, id);
	else if (reply == QUORUM_WRITTEN)
		send_id(q, from, QUORUM_WRITTEN, id);
	else
		send_hinted(q, from, id, e->key);
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
	struct table_entry e;
	bool empty;

	if (quorum_entry_decode(quorum_nodes(q), c, &e))
		return -EBADMSG;
	empty = e.version == 0;
	if ((type == QUORUM_WRITE || type == QUORUM_HINT) && empty)
		return -EBADMSG;
	if ((type == QUORUM_READ || type == QUORUM_HINTED) && (!empty || e.origin))
		return -EBADMSG;
	if (type == QUORUM_READ)
		on_read(q, from, id, e.key);
	else if (type == QUORUM_FOUND)
		found(q, id, from, &e);
	else if (type == QUORUM_HINTED)
		quorum_hint_done(q, from, id, e.key);
	else
		on_write(q, from, type, id, &e);
	return 0;
}

static int on_id(struct quorum *q, unsigned from, enum quorum_message type, struct cursor *c)
{
	uint64_t id = cursor_u64(c);

	if (!cursor_done(c))
		return -EBADMSG;
	if (type == QUORUM_PING)
		send_id(q, from, QUORUM_PONG, id);
	else if (type == QUORUM_WRITTEN)
		acknowledged(q, id, from);
	return 0;
}

static int quorum_message(struct proto *p, unsigned from, const void *bytes, size_t len)
{
	struct quorum *q = quorum_of(p);
	struct cursor c = cursor_over(bytes, len);
	enum quorum_message type = (enum quorum_message)cursor_u8(&c);
	bool answer = false;
	int rc = -EBADMSG;

	if (from >= p->cfg.nodes || from == p->cfg.self)
		return -EBADMSG;
	switch (type) {
	case QUORUM_PONG:
	case QUORUM_WRITTEN:
		answer = true;
		/* fall through */
	case QUORUM_PING:
		rc = on_id(q, from, type, &c);
		break;
	case QUORUM_FOUND:
	case QUORUM_HINTED:
		answer = true;
		/* fall through */
	case QUORUM_WRITE:
	case QUORUM_READ:
	case QUORUM_HINT:
		rc = on_entry(q, from, type, &c);
		break;
	}
	/* Only answers show that both directions work. */
	if (!rc && answer) {
		q->peer[from].heard_ns = p->io->now(p->io);
		q->peer[from].heard = true;
	}
	return rc;
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
		merge(q, &w.entry);
		if (w.from == p->cfg.self)
			acknowledged(q, w.id, w.from);
		else if (w.reply == QUORUM_WRITTEN)
			send_id(q, w.from, QUORUM_WRITTEN, w.id);
		else
			send_hinted(q, w.from, w.id, w.entry.key);
		free(w.key);
	}
}

static void tick(struct quorum *q)
{
	struct proto_io *io = q->proto.io;
	uint64_t now = io->now(io);

	for (unsigned i = 0; i < quorum_nodes(q); i++) {
		if (i == q->proto.cfg.self)
			continue;
		send_id(q, i, QUORUM_PING, now);
		quorum_hint_tick(q, i);
	}
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
	tick(q);
}

static void quorum_timer(struct proto *p, unsigned timer)
{
	if (timer == QUORUM_TIMER_PING)
		tick(quorum_of(p));
	else
		expire_operations(quorum_of(p));
}

static void quorum_status(const struct proto *p, struct proto_status_view *ret)
{
	const struct quorum *q = (const struct quorum *)p;
	unsigned reachable = 0;

	*ret = (struct proto_status_view){.role = PROTO_PEER, .leader = -1, .pending = q->pending};
	for (unsigned i = 0; i < p->cfg.nodes; i++) {
		reachable += quorum_alive(q, i);
		if (i != p->cfg.self)
			ret->hints += table_count(q->peer[i].hints);
	}
	ret->ready = reachable >= need_of(&p->cfg, PROTO_DEFAULT, true);
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
	.start = quorum_start,
	.request = quorum_request,
	.message = quorum_message,
	.persisted = quorum_persisted,
	.timer = quorum_timer,
	.status = quorum_status,
	.invariant = quorum_invariant,
	.fini = quorum_fini,
};
