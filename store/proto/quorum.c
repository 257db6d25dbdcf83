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
 *   write:  writing --enough acknowledged--> answered --all did, or time is over--> hints,
 * forgotten
 *
 * Hinted handoff: for each replica that has not acknowledged within the request's time-out, the
 * coordinator notes the key, on disk; when the replica is heard again it gets what the key has
 * become. A note is dropped when that is acknowledged. There are at most HINTS_MAX for a replica;
 * beyond that only read repair helps.
 *
 * A level that cannot be reached, since too many replicas have not answered pings for
 * DEAF_HEARTBEATS, is refused before anything is written (Cassandra's UnavailableException).
 *
 * Invariants: the version of a key never goes back; what is in the table is on disk; versions
 * given by one coordinator rise.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/command.h"
#include "store/proto/ring.h"

#define DEAF_HEARTBEATS 4
#define OPERATIONS_MAX 65536 /* that one replica coordinates at a time */
#define OPERATION_BYTES_MAX (64u << 20)
#define HINTS_MAX 100000 /* keys noted for one replica */
#define HINTS_WINDOW 64  /* on the way to one replica */
/* Versions are nanoseconds of wall clocks; what is beyond the year 2200 is not believed. */
#define VERSION_MAX (1ull << 63)

enum { TIMER_PING, TIMER_OPERATIONS };

enum message { PING = 1, PONG, WRITE, WRITTEN, READ, FOUND, HINT, HINTED };

enum record { RECORD_ENTRY = 1, RECORD_HINT, RECORD_HINT_DONE };

/* A set of replicas. */
struct set {
	uint64_t bits[PROTO_NODES_MAX / 64];
	unsigned count;
};

enum phase { DONE, WRITING, ASKING, REPAIRING };

struct operation {
	enum phase phase;
	bool replied;
	bool existed; /* DEL: there was something here to delete */
	enum proto_op op;
	unsigned need;
	uint64_t ticket;
	uint64_t since_ns;
	struct set answered; /* read: by a value; write: by an acknowledgement */
	struct set holders;  /* read: of the newest version */
	uint8_t *key;        /* owned, with the value behind it */
	struct table_entry newest;
};

/* A record on its way to the disk, and what follows when it is there. */
struct write {
	uint64_t seq;
	uint64_t id; /* of the operation, at its coordinator */
	unsigned from;
	enum message reply; /* WRITTEN, HINTED; 0: nobody waits */
	uint8_t *key;       /* owned, with the value behind it; NULL: a record without an entry */
	struct table_entry entry;
};

struct peer {
	uint64_t heard_ns;
	struct table *hints; /* version 1: noted; deleted: no longer */
	size_t at;           /* of the walk over them */
	unsigned sent;       /* in the window */
	uint64_t progress_ns;
};

struct quorum {
	struct proto proto;
	uint64_t clock; /* last version given */
	struct ring ops;
	struct ring writes;
	uint64_t pending;
	size_t bytes;
	bool armed;
	struct peer peer[PROTO_NODES_MAX];
};

static struct quorum *of(struct proto *p)
{
	return (struct quorum *)p;
}

static unsigned nodes_of(const struct quorum *q)
{
	return q->proto.cfg.nodes;
}

static bool set_has(const struct set *s, unsigned i)
{
	return s->bits[i / 64] >> (i % 64) & 1;
}

static void set_add(struct set *s, unsigned i)
{
	if (set_has(s, i))
		return;
	s->bits[i / 64] |= 1ull << (i % 64);
	s->count++;
}

static unsigned need_of(const struct proto_config *cfg, enum proto_level level, bool write)
{
	if (level == PROTO_DEFAULT)
		level = write ? cfg->write_level : cfg->read_level;
	switch (level) {
	case PROTO_QUORUM:
		return PROTO_BUG(BUG_QUORUM_WEAK_CALLED_STRONG) ? 1 : cfg->nodes / 2 + 1;
	case PROTO_ALL:
		return cfg->nodes;
	case PROTO_ONE:
	case PROTO_DEFAULT:
	case PROTO_LEVEL_NR:
		break;
	}
	return 1;
}

static enum proto_sides sides_of(const struct proto_config *cfg, enum proto_level level)
{
	if (level == PROTO_ONE || cfg->nodes == 1)
		return PROTO_SIDES_ALL;
	return level == PROTO_QUORUM ? PROTO_SIDES_MAJORITY : PROTO_SIDES_NONE;
}

/*
 * Reads and writes that overlap in a replica (R + W > N; Gifford, SOSP 1979) see each other, and
 * read repair keeps reads from going back, but a read at ONE asks nobody and repairs nothing. All
 * of it supposes that wall clocks agree.
 */
static void quorum_claim(const struct proto_config *cfg, struct proto_claim *ret)
{
	unsigned majority = cfg->nodes / 2 + 1;
	unsigned r = cfg->read_level == PROTO_ONE ? 1 : majority;
	unsigned w = cfg->write_level == PROTO_ONE ? 1 : majority;
	bool strong;

	if (cfg->read_level == PROTO_ALL)
		r = cfg->nodes;
	if (cfg->write_level == PROTO_ALL)
		w = cfg->nodes;
	strong = cfg->nodes == 1 || (cfg->read_level != PROTO_ONE && r + w > cfg->nodes);
	*ret = (struct proto_claim){
		.whole = strong ? PROTO_LINEARIZABLE : PROTO_EVENTUAL,
		.cut = strong ? PROTO_LINEARIZABLE : PROTO_EVENTUAL,
		.reads_cut = sides_of(cfg, cfg->read_level),
		.writes_cut = sides_of(cfg, cfg->write_level),
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
	struct quorum *q = of(p);

	ring_init(&q->ops, sizeof(struct operation), 1);
	ring_init(&q->writes, sizeof(struct write), 1);
	for (unsigned i = 0; i < p->cfg.nodes; i++)
		q->peer[i].hints = i == p->cfg.self ? NULL : table_open();
}

static void quorum_fini(struct proto *p)
{
	struct quorum *q = of(p);

	for (uint64_t i = q->ops.first; i < q->ops.next; i++)
		free(((struct operation *)ring_at(&q->ops, i))->key);
	for (uint64_t i = q->writes.first; i < q->writes.next; i++)
		free(((struct write *)ring_at(&q->writes, i))->key);
	ring_fini(&q->ops);
	ring_fini(&q->writes);
	for (unsigned i = 0; i < p->cfg.nodes; i++)
		table_close(q->peer[i].hints);
}

/* Entries: in messages, records and memory. */

static void encode_entry(struct buf *b, const struct table_entry *e)
{
	buf_u64(b, e->version);
	buf_u16(b, e->origin);
	buf_u8(b, e->deleted);
	buf_bytes(b, e->key.p, e->key.len);
	buf_bytes(b, e->value.p, e->value.len);
}

/* The rest of @c; version 0 means that there is nothing, and only a FOUND says so. */
static int decode_entry(const struct quorum *q, struct cursor *c, struct table_entry *ret)
{
	uint8_t deleted;

	memset(ret, 0, sizeof(*ret));
	ret->version = cursor_u64(c);
	ret->origin = cursor_u16(c);
	deleted = cursor_u8(c);
	ret->key.p = cursor_bytes(c, &ret->key.len);
	ret->value.p = cursor_bytes(c, &ret->value.len);
	ret->deleted = deleted;
	if (!cursor_done(c) || deleted > 1 || ret->key.len > PROTO_KEY_MAX ||
		ret->value.len > PROTO_VALUE_MAX || ret->origin >= nodes_of(q) ||
		ret->version > VERSION_MAX || (deleted && ret->value.len) ||
		(!ret->version && (deleted || ret->value.len)))
		return -EBADMSG;
	return 0;
}

/* A copy that owns its bytes: one block, to be freed by its key. */
static uint8_t *copy_entry(struct table_entry *to, const struct table_entry *from)
{
	size_t len = (size_t)from->key.len + from->value.len;
	uint8_t *block = malloc(len + 1);

	assert(block);
	*to = *from;
	if (from->key.len)
		memcpy(block, from->key.p, from->key.len);
	if (from->value.len)
		memcpy(block + from->key.len, from->value.p, from->value.len);
	to->key.p = block;
	to->value.p = block + from->key.len;
	return block;
}

/* Order of the versions of a key; NULL is older than everything. */
static bool newer(const struct table_entry *a, const struct table_entry *b)
{
	if (!b || !a)
		return a && a->version;
	return a->version > b->version || (a->version == b->version && a->origin > b->origin);
}

static void merge(struct quorum *q, const struct table_entry *e)
{
	if (newer(e, table_get(q->proto.table, e->key)))
		table_put(q->proto.table, e);
	/* The own clock stays ahead of all that it ever gave out. */
	if (e->origin == q->proto.cfg.self && e->version > q->clock)
		q->clock = e->version;
}

/* Hints. */

static bool hinted(const struct quorum *q, unsigned to, struct proto_bytes key)
{
	const struct table_entry *e = table_get(q->peer[to].hints, key);

	return e && !e->deleted;
}

static void mark_hint(struct quorum *q, unsigned to, struct proto_bytes key, bool on)
{
	struct table_entry mark = {.key = key, .version = 1, .deleted = !on};

	if (hinted(q, to, key) != on)
		table_put(q->peer[to].hints, &mark);
}

static void persist(struct quorum *q, const struct buf *b, const struct write *write)
{
	struct proto_io *io = q->proto.io;
	struct write *w = ring_push(&q->writes);

	*w = *write;
	w->seq = io->persist(io, b->p, b->len);
}

static void record_hint(struct quorum *q, unsigned to, struct proto_bytes key, bool on)
{
	struct buf b = {0};

	mark_hint(q, to, key, on);
	buf_u8(&b, on ? RECORD_HINT : RECORD_HINT_DONE);
	buf_u16(&b, (uint16_t)to);
	buf_bytes(&b, key.p, key.len);
	persist(q, &b, &(struct write){0});
	buf_fini(&b);
}

static void add_hint(struct quorum *q, unsigned to, struct proto_bytes key)
{
	if (!hinted(q, to, key) && table_count(q->peer[to].hints) < HINTS_MAX)
		record_hint(q, to, key, true);
}

static void send_entry(
	struct quorum *q, unsigned to, enum message type, uint64_t id, const struct table_entry *e)
{
	struct proto_io *io = q->proto.io;
	struct buf b = {0};

	buf_u8(&b, (uint8_t)type);
	buf_u64(&b, id);
	encode_entry(&b, e);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

static bool alive(const struct quorum *q, unsigned i)
{
	uint64_t now = q->proto.io->now(q->proto.io);

	return i == q->proto.cfg.self ||
	       now - q->peer[i].heard_ns <= DEAF_HEARTBEATS * q->proto.cfg.heartbeat_ns;
}

/* Send hints on, as many as the window lets. */
static void pump_hints(struct quorum *q, unsigned to)
{
	struct peer *peer = &q->peer[to];
	const struct table_entry *e, *now;

	while (peer->sent < HINTS_WINDOW && (e = table_next(peer->hints, &peer->at))) {
		if (e->deleted)
			continue;
		now = table_get(q->proto.table, e->key);
		/* Its write never reached this disk: a crash took it back. */
		if (!now)
			continue;
		send_entry(q, to, HINT, now->version, now);
		peer->sent++;
	}
}

/* Begin the walk over a replica's hints anew, unless one is under way. */
static void tick_hints(struct quorum *q, unsigned to)
{
	struct peer *peer = &q->peer[to];
	uint64_t now = q->proto.io->now(q->proto.io);

	if (!alive(q, to) || table_count(peer->hints) == 0)
		return;
	if (peer->sent && now - peer->progress_ns < q->proto.cfg.request_timeout_ns)
		return;
	peer->sent = 0;
	peer->at = 0;
	peer->progress_ns = now;
	pump_hints(q, to);
}

/* Records. */

static int restore_hint(struct quorum *q, struct cursor *c, bool on)
{
	struct proto_bytes key;
	uint16_t to = cursor_u16(c);

	key.p = cursor_bytes(c, &key.len);
	if (!cursor_done(c) || to >= nodes_of(q) || to == q->proto.cfg.self ||
		key.len > PROTO_KEY_MAX)
		return -EBADMSG;
	mark_hint(q, to, key, on);
	return 0;
}

static int quorum_restore(struct proto *p, const void *bytes, size_t len)
{
	struct quorum *q = of(p);
	struct cursor c = cursor_over(bytes, len);
	struct table_entry e;

	switch (cursor_u8(&c)) {
	case RECORD_ENTRY:
		if (decode_entry(q, &c, &e) || !e.version)
			return -EBADMSG;
		merge(q, &e);
		return 0;
	case RECORD_HINT:
		return restore_hint(q, &c, true);
	case RECORD_HINT_DONE:
		return restore_hint(q, &c, false);
	default:
		return -EBADMSG;
	}
}

/* Write @e to disk and then into the table; @from hears of it by @reply. */
static void store_entry(struct quorum *q, const struct table_entry *e, unsigned from,
	enum message reply, uint64_t id)
{
	struct write w = {.id = id, .from = from, .reply = reply};
	struct buf b = {0};

	w.key = copy_entry(&w.entry, e);
	buf_u8(&b, RECORD_ENTRY);
	encode_entry(&b, e);
	persist(q, &b, &w);
	buf_fini(&b);
}

/* Operations. */

static void arm_next(struct quorum *q)
{
	const struct operation *op = ring_front(&q->ops);
	struct proto_io *io = q->proto.io;

	q->armed = op;
	if (op)
		io->arm(io, TIMER_OPERATIONS, op->since_ns + q->proto.cfg.request_timeout_ns);
}

static void drop_done(struct quorum *q)
{
	const struct operation *op;

	while ((op = ring_front(&q->ops)) && op->phase == DONE)
		ring_pop(&q->ops);
}

static void forget(struct quorum *q, struct operation *op)
{
	q->bytes -= (size_t)op->newest.key.len + op->newest.value.len;
	free(op->key);
	op->key = NULL;
	op->phase = DONE;
	drop_done(q);
}

static void answer(struct quorum *q, struct operation *op, struct proto_reply *reply)
{
	struct proto_io *io = q->proto.io;

	assert(!op->replied);
	op->replied = true;
	q->pending--;
	io->reply(io, op->ticket, reply);
}

static void answer_read(struct quorum *q, struct operation *op)
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

static void answer_write(struct quorum *q, struct operation *op)
{
	struct proto_reply reply = {.status = PROTO_OK, .version = op->newest.version};

	if (op->op == PROTO_DEL && !op->existed)
		reply.status = PROTO_NIL;
	answer(q, op, &reply);
}

/* Time is over: say what is known, note who lacks the write. */
static void expire(struct quorum *q, struct operation *op)
{
	bool write = op->phase == WRITING;
	struct proto_reply reply = {
		.status = write ? PROTO_UNCERTAIN : PROTO_UNAVAILABLE,
		.have = (uint16_t)(op->phase == REPAIRING ? op->holders.count : op->answered.count),
		.need = (uint16_t)op->need,
		.waited_ns = q->proto.io->now(q->proto.io) - op->since_ns,
	};

	for (unsigned i = 0; write && i < nodes_of(q); i++)
		if (i != q->proto.cfg.self && !set_has(&op->answered, i))
			add_hint(q, i, op->newest.key);
	if (!op->replied)
		answer(q, op, &reply);
	forget(q, op);
}

static void expire_operations(struct quorum *q)
{
	uint64_t now = q->proto.io->now(q->proto.io);
	struct operation *op;

	while ((op = ring_front(&q->ops)) && op->since_ns + q->proto.cfg.request_timeout_ns <= now)
		expire(q, op);
	arm_next(q);
}

static void acknowledged(struct quorum *q, uint64_t id, unsigned by)
{
	struct operation *op = ring_at(&q->ops, id);

	if (!op || op->phase == DONE || op->phase == ASKING)
		return;
	if (op->phase == REPAIRING) {
		set_add(&op->holders, by);
		if (op->holders.count >= op->need)
			answer_read(q, op);
		return;
	}
	set_add(&op->answered, by);
	if (op->answered.count >= op->need && !op->replied)
		answer_write(q, op);
	if (op->answered.count == nodes_of(q))
		forget(q, op);
}

/* Enough have answered: bring those among them up to date that lack the newest. */
static void repair(struct quorum *q, uint64_t id, struct operation *op)
{
	if (op->holders.count >= op->need || !op->newest.version) {
		answer_read(q, op);
		return;
	}
	op->phase = REPAIRING;
	for (unsigned i = 0; i < nodes_of(q); i++) {
		if (!set_has(&op->answered, i) || set_has(&op->holders, i))
			continue;
		if (i == q->proto.cfg.self)
			store_entry(q, &op->newest, i, WRITTEN, id);
		else
			send_entry(q, i, WRITE, id, &op->newest);
	}
}

static void take_newest(struct quorum *q, struct operation *op, const struct table_entry *e)
{
	q->bytes -= (size_t)op->newest.key.len + op->newest.value.len;
	free(op->key);
	op->key = copy_entry(&op->newest, e);
	q->bytes += (size_t)e->key.len + e->value.len;
	op->holders = (struct set){0};
}

static void found(struct quorum *q, uint64_t id, unsigned by, const struct table_entry *e)
{
	struct operation *op = ring_at(&q->ops, id);

	if (!op || (op->phase != ASKING && op->phase != REPAIRING))
		return;
	if (op->phase == REPAIRING) {
		/* A late answer need not be repaired, but it counts if it is as new. */
		if (!newer(&op->newest, e))
			acknowledged(q, id, by);
		return;
	}
	if (newer(e, &op->newest))
		take_newest(q, op, e);
	if (!newer(&op->newest, e))
		set_add(&op->holders, by);
	set_add(&op->answered, by);
	if (op->answered.count >= op->need)
		repair(q, id, op);
}

static void read_here(struct quorum *q, uint64_t id, struct proto_bytes key)
{
	const struct table_entry *e = table_get(q->proto.table, key);
	struct table_entry nothing = {.key = key};

	found(q, id, q->proto.cfg.self, e ? e : &nothing);
}

static void start_read(struct quorum *q, uint64_t id, struct operation *op, struct proto_bytes key)
{
	struct table_entry nothing = {.key = key};
	bool others = op->need > 1;

	op->phase = ASKING;
	op->key = copy_entry(&op->newest, &nothing);
	q->bytes += key.len;
	for (unsigned i = 0; others && i < nodes_of(q); i++)
		if (i != q->proto.cfg.self)
			send_entry(q, i, READ, id, &nothing);
	read_here(q, id, key);
}

static void start_write(
	struct quorum *q, uint64_t id, struct operation *op, const struct proto_request *req)
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
	op->phase = WRITING;
	op->existed = old && !old->deleted;
	op->key = copy_entry(&op->newest, &e);
	q->bytes += (size_t)e.key.len + e.value.len;
	for (unsigned i = 0; i < nodes_of(q); i++)
		if (i != q->proto.cfg.self)
			send_entry(q, i, WRITE, id, &e);
	store_entry(q, &e, q->proto.cfg.self, WRITTEN, id);
}

static bool refuse(struct quorum *q, const struct proto_request *req, unsigned need)
{
	struct proto_reply reply = {.status = PROTO_UNAVAILABLE, .need = (uint16_t)need};
	struct proto_io *io = q->proto.io;

	for (unsigned i = 0; i < nodes_of(q); i++)
		reply.have = (uint16_t)(reply.have + alive(q, i));
	if (req->cond != PROTO_ALWAYS) {
		reply = (struct proto_reply){.status = PROTO_UNSUPPORTED,
			.why = "the last write wins here: there are no conditions"};
	} else if (reply.have < need) {
		reply.why = "too few replicas can be reached";
	} else if (ring_count(&q->ops) >= OPERATIONS_MAX || q->bytes > OPERATION_BYTES_MAX) {
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
	struct quorum *q = of(p);
	unsigned need = need_of(&p->cfg, req->level, req->op != PROTO_GET);
	struct operation *op;
	uint64_t id;

	if (refuse(q, req, need))
		return;
	op = ring_push(&q->ops);
	id = q->ops.next - 1;
	*op = (struct operation){
		.op = req->op,
		.need = need,
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

static void send_id(struct quorum *q, unsigned to, enum message type, uint64_t id)
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

	send_entry(q, to, HINTED, version, &e);
}

static void on_write(struct quorum *q, unsigned from, enum message type, uint64_t id,
	const struct table_entry *e)
{
	const struct table_entry *mine = table_get(q->proto.table, e->key);
	enum message reply = type == WRITE ? WRITTEN : HINTED;

	if (newer(e, mine))
		store_entry(q, e, from, reply, id);
	else if (reply == WRITTEN)
		send_id(q, from, WRITTEN, id);
	else
		send_hinted(q, from, id, e->key);
}

static void on_read(struct quorum *q, unsigned from, uint64_t id, struct proto_bytes key)
{
	const struct table_entry *e = table_get(q->proto.table, key);
	struct table_entry nothing = {.key = key};

	send_entry(q, from, FOUND, id, e ? e : &nothing);
}

static void on_hinted(struct quorum *q, unsigned from, uint64_t version, struct proto_bytes key)
{
	const struct table_entry *e = table_get(q->proto.table, key);
	struct peer *peer = &q->peer[from];

	peer->progress_ns = q->proto.io->now(q->proto.io);
	if (peer->sent)
		peer->sent--;
	/* Done, unless the key has become something newer since, which it may lack as well. */
	if (e && e->version <= version && hinted(q, from, key))
		record_hint(q, from, key, false);
	pump_hints(q, from);
}

static int on_entry(struct quorum *q, unsigned from, enum message type, struct cursor *c)
{
	uint64_t id = cursor_u64(c);
	struct table_entry e;
	bool empty;

	if (decode_entry(q, c, &e))
		return -EBADMSG;
	empty = e.version == 0;
	if ((type == WRITE || type == HINT) && empty)
		return -EBADMSG;
	if ((type == READ || type == HINTED) && (!empty || e.origin))
		return -EBADMSG;
	if (type == READ)
		on_read(q, from, id, e.key);
	else if (type == FOUND)
		found(q, id, from, &e);
	else if (type == HINTED)
		on_hinted(q, from, id, e.key);
	else
		on_write(q, from, type, id, &e);
	return 0;
}

static int on_id(struct quorum *q, unsigned from, enum message type, struct cursor *c)
{
	uint64_t id = cursor_u64(c);

	if (!cursor_done(c))
		return -EBADMSG;
	if (type == PING)
		send_id(q, from, PONG, id);
	else if (type == WRITTEN)
		acknowledged(q, id, from);
	return 0;
}

static int quorum_message(struct proto *p, unsigned from, const void *bytes, size_t len)
{
	struct quorum *q = of(p);
	struct cursor c = cursor_over(bytes, len);
	uint8_t type = cursor_u8(&c);
	int rc;

	if (from >= p->cfg.nodes || from == p->cfg.self)
		return -EBADMSG;
	switch (type) {
	case PING:
	case PONG:
	case WRITTEN:
		rc = on_id(q, from, (enum message)type, &c);
		break;
	case WRITE:
	case READ:
	case FOUND:
	case HINT:
	case HINTED:
		rc = on_entry(q, from, (enum message)type, &c);
		break;
	default:
		return -EBADMSG;
	}
	if (!rc)
		q->peer[from].heard_ns = p->io->now(p->io);
	return rc;
}

static void quorum_persisted(struct proto *p, uint64_t seq)
{
	struct quorum *q = of(p);
	const struct write *front;

	while ((front = ring_front(&q->writes)) && front->seq <= seq) {
		struct write w = *front;

		ring_pop(&q->writes);
		if (!w.key)
			continue;
		merge(q, &w.entry);
		if (w.from == p->cfg.self)
			acknowledged(q, w.id, w.from);
		else if (w.reply == WRITTEN)
			send_id(q, w.from, WRITTEN, w.id);
		else
			send_hinted(q, w.from, w.id, w.entry.key);
		free(w.key);
	}
}

static void tick(struct quorum *q)
{
	struct proto_io *io = q->proto.io;
	uint64_t now = io->now(io);

	for (unsigned i = 0; i < nodes_of(q); i++) {
		if (i == q->proto.cfg.self)
			continue;
		send_id(q, i, PING, now);
		tick_hints(q, i);
	}
	io->arm(io, TIMER_PING, now + q->proto.cfg.heartbeat_ns);
}

static void quorum_start(struct proto *p)
{
	struct quorum *q = of(p);
	uint64_t now = p->io->now(p->io);

	/* Above all numbers of an earlier life, whose answers may still be under way. */
	ring_init(&q->ops, sizeof(struct operation), now + 1);
	/* Until it has had time to answer, everybody counts as reachable. */
	for (unsigned i = 0; i < p->cfg.nodes; i++)
		q->peer[i].heard_ns = now;
	tick(q);
}

static void quorum_timer(struct proto *p, unsigned timer)
{
	if (timer == TIMER_PING)
		tick(of(p));
	else
		expire_operations(of(p));
}

static void quorum_status(const struct proto *p, struct proto_status_view *ret)
{
	const struct quorum *q = (const struct quorum *)p;
	unsigned reachable = 0;

	*ret = (struct proto_status_view){.role = PROTO_PEER, .leader = -1, .pending = q->pending};
	for (unsigned i = 0; i < p->cfg.nodes; i++) {
		reachable += alive(q, i);
		if (i != p->cfg.self)
			ret->hints += table_count(q->peer[i].hints);
	}
	ret->ready = reachable >= need_of(&p->cfg, PROTO_DEFAULT, true);
}

static void quorum_invariant(const struct proto *p)
{
	const struct quorum *q = (const struct quorum *)p;
	const struct operation *op = ring_front(&q->ops);

	assert(q->pending <= ring_count(&q->ops));
	assert(!op || op->phase != DONE);
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
	.start = quorum_start,
	.request = quorum_request,
	.message = quorum_message,
	.persisted = quorum_persisted,
	.timer = quorum_timer,
	.status = quorum_status,
	.invariant = quorum_invariant,
	.fini = quorum_fini,
};
