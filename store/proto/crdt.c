/* SPDX-License-Identifier: MIT */
/*
 * crdt.c - every replica takes every operation at once, and what they do merges
 *
 * Registers, counters and sets that cannot conflict: see crdt_state.h for what they are and for the
 * papers. The replica that a client asks makes a delta of the operation, has it on disk, answers,
 * and sends the delta to all others, who merge it. It asks nobody, so it answers alone, too; its
 * claim is strong eventual consistency: replicas that have seen the same operations have the same
 * state, in whatever order these came.
 *
 *   operation --delta--> on disk --> merged here, answered --> sent --> on disk there --> acked
 *
 * Deltas of one replica are taken in its order (the delta-interval anti-entropy of Almeida, Shoker
 * and Baquero 2018, algorithm 2, with the log of single deltas for its buffer): what is missing is
 * sent again until it is acknowledged. Who is too far behind for the log, and once in a while
 * everybody, compares all of its keys with another replica's and fetches their states:
 * crdt_sync.c. That is also how operations of a replica that is gone get around.
 *
 * The type of a key is that of the operation that makes it: SET a register, INCREASE a counter, ADD
 * a set; others are then refused as of the wrong type. Where two replicas make one key with
 * different types at once, both live on in its state: the set is seen, else the counter, else the
 * register, until what hides the others is gone. DEL deletes what this replica has of all three and
 * nothing else: what others add meanwhile stays, a counter keeps what was counted meanwhile. With
 * register=lww it deletes a register as a write does: the latest by hybrid logical clock and
 * replica stays. With register=mv writes that have not seen each other stay side by side; a write
 * takes the place of what its session has seen (its token), or of all that is here if it has none.
 *
 * An operation has the hybrid logical time at which it was done, and that is its name (its dot): it
 * is given once, for the clock is ahead of all that is on this disk, and nobody hears of it before
 * it is there. The version of an entry is the latest such time in it.
 *
 * Limits: a state is at most CRDT_STATE_MAX. Sets and siblings grow to a share of that for each
 * replica only, so that all of them may grow it at once. A merge beyond it is refused and counted
 * (merges_refused): then a key was made of two types at once and both are large.
 *
 * A deleted key keeps its context, some 60 bytes and 18 for each replica that wrote it, for ever;
 * it stands in the table, so --max-memory counts it. It might go when every replica has the
 * deletion, but a replica knows only what others have of its own operations, and who has forgotten
 * it is given it back in a comparison by who has not: that needs rounds like those of
 * quorum_bury.c.
 *
 * Invariants: the version of a key never goes back; what is in the table is on disk; what another
 * replica has of this one's operations is on this one's disk.
 *
 * What is where: crdt_state.c the types, crdt_request.c clients, crdt_ship.c deltas, crdt_sync.c
 * comparisons, crdt_records.c log and snapshot.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/crdt_internal.h"
#include "store/proto/mix.h"

/*
 * Counters and sets lose nothing. A register does by design: of two writes that have not seen each
 * other the later one stays (lww), or is what GET shows (mv; VALUES shows all).
 */
static void crdt_claim(const struct proto_config *cfg, struct proto_claim *ret)
{
	const uint32_t merges =
		PROTO_DOES(PROTO_INCREASE) | PROTO_DOES(PROTO_ADD) | PROTO_DOES(PROTO_REMOVE);

	*ret = (struct proto_claim){
		.whole = PROTO_EVENTUAL,
		.cut = PROTO_EVENTUAL,
		.reads_cut = PROTO_SIDES_ALL,
		.writes_cut = PROTO_SIDES_ALL,
		.does = PROTO_DOES_PLAIN | PROTO_DOES(PROTO_VALUES),
		.loses_acked = true,
		.contexts = cfg->registers == PROTO_REGISTER_MV && cfg->nodes <= TOKEN_MAX,
	};
	if (cfg->plain)
		return;
	ret->does |= merges | PROTO_DOES(PROTO_MEMBERS);
	ret->merges = merges;
}

static uint64_t crdt_floor_ns(const struct proto_floor_query *q)
{
	return q->client_ns;
}

static void crdt_init(struct proto *p)
{
	struct crdt *c = crdt_of(p);

	ring_init(&c->writes, sizeof(struct crdt_write), 1);
	ring_init(&c->log, sizeof(struct crdt_delta), 1);
	c->watched = 1;
	c->told = p->cfg.self;
	c->ahead = table_open();
	c->peer = calloc(p->cfg.nodes, sizeof(*c->peer));
	c->tree = calloc(1, sizeof(*c->tree));
	c->sync.seen = calloc(p->cfg.nodes, sizeof(*c->sync.seen));
	assert(c->peer && c->tree && c->sync.seen);
}

static void crdt_fini(struct proto *p)
{
	struct crdt *c = crdt_of(p);

	for (uint64_t i = c->writes.first; i < c->writes.next; i++)
		free(((struct crdt_write *)ring_at(&c->writes, i))->block);
	ring_fini(&c->writes);
	crdt_log_fini(c);
	crdt_sync_fini(c);
	table_close(c->ahead);
	free(c->tree);
	free(c->peer);
}

/* --- keys --- */

/* What stands in a table was decoded before it came there. */
static bool load(const struct crdt *c, const struct table_entry *e, struct crdt_state *ret)
{
	int bad = e ? crdt_decode(crdt_nodes(c), e->value, ret) : 0;

	assert(!bad);
	if (!e)
		*ret = (struct crdt_state){0};
	return e;
}

bool crdt_load_durable(const struct crdt *c, struct proto_bytes key, struct crdt_state *ret)
{
	return load(c, table_get(c->proto.table, key), ret);
}

bool crdt_load(const struct crdt *c, struct proto_bytes key, struct crdt_state *ret)
{
	const struct table_entry *e = table_get(c->ahead, key);

	return load(c, e ? e : table_get(c->proto.table, key), ret);
}

uint64_t crdt_digest(struct proto_bytes key, struct proto_bytes state)
{
	return mix_bytes(mix_bytes(0, key), state);
}

/* Return: 0, -EFBIG. @ret_joined has the state of @key with @bytes. */
static int join(const struct crdt *c, struct proto_bytes key, struct proto_bytes bytes,
	struct buf *ret_joined)
{
	struct crdt_state old, delta, joined;
	int bad = crdt_decode(crdt_nodes(c), bytes, &delta);
	bool fits;

	assert(!bad); /* it was decoded or encoded here before */
	crdt_load(c, key, &old);
	crdt_join(&old, &delta, &joined);
	fits = crdt_encoded(&joined) <= CRDT_STATE_MAX;
	if (fits)
		crdt_encode(ret_joined, &joined);
	crdt_state_fini(&old);
	crdt_state_fini(&delta);
	crdt_state_fini(&joined);
	return fits ? 0 : -EFBIG;
}

static uint8_t *copy(struct proto_bytes key, struct proto_bytes bytes)
{
	uint8_t *block = malloc((size_t)key.len + bytes.len + 1);

	assert(block);
	if (key.len)
		memcpy(block, key.p, key.len);
	memcpy(block + key.len, bytes.p, bytes.len);
	return block;
}

int crdt_write(struct crdt *c, enum crdt_record kind, struct proto_bytes key,
	struct proto_bytes delta, const struct crdt_write *write)
{
	struct table_entry ahead = {.key = key};
	struct proto_io *io = c->proto.io;
	struct buf joined = {0}, b = {0};
	struct crdt_write *w;

	if (join(c, key, delta, &joined)) {
		buf_fini(&joined);
		return -EFBIG;
	}
	crdt_record(&b, kind, key, delta);
	w = ring_push(&c->writes);
	*w = *write;
	w->key_len = key.len;
	w->len = delta.len;
	w->block = copy(key, delta);
	w->seq = io->persist(io, b.p, b.len);
	ahead.value = (struct proto_bytes){joined.p, (uint32_t)joined.len};
	ahead.version = w->seq;
	table_put(c->ahead, &ahead);
	buf_fini(&joined);
	buf_fini(&b);
	return 0;
}

void crdt_store(struct crdt *c, struct proto_bytes key, struct proto_bytes value)
{
	const struct table_entry *old = table_get(c->proto.table, key);
	uint64_t place = table_place(key);
	struct table_entry e = {.key = key, .value = value};
	struct crdt_state s;

	load(c, &e, &s);
	if (old)
		merkle_take(c->tree, place, crdt_digest(key, old->value));
	merkle_add(c->tree, place, crdt_digest(key, value));
	e.version = s.stamp.time;
	e.origin = s.stamp.node;
	e.deleted = crdt_type(&s, 0) == CRDT_NOTHING;
	e.expires_ns = crdt_expires_ns(&s);
	table_put(c->proto.table, &e);
	crdt_state_fini(&s);
}

/* The record is on disk: what it did becomes what is read. */
static void apply(struct crdt *c, const struct crdt_write *w)
{
	struct proto_bytes key = {w->block, w->key_len};
	struct proto_bytes bytes = {w->block + w->key_len, w->len};
	const struct table_entry *ahead = table_get(c->ahead, key);
	struct crdt_state old, delta, joined;
	struct buf b = {0};
	int bad;

	assert(ahead);
	if (ahead->version == w->seq) {
		crdt_store(c, key, ahead->value);
		table_remove(c->ahead, key);
		return;
	}
	bad = crdt_decode(crdt_nodes(c), bytes, &delta);
	assert(!bad);
	crdt_load_durable(c, key, &old);
	crdt_join(&old, &delta, &joined);
	crdt_encode(&b, &joined);
	crdt_state_fini(&old);
	crdt_state_fini(&delta);
	crdt_state_fini(&joined);
	crdt_store(c, key, (struct proto_bytes){b.p, (uint32_t)b.len});
	buf_fini(&b);
}

static void done(struct crdt *c, struct crdt_write *w)
{
	if (w->waits != CRDT_FOR_SEEN)
		apply(c, w);
	switch (w->waits) {
	case CRDT_FOR_CLIENT:
		c->peer[crdt_self(c)].durable = w->time;
		crdt_answer(c, w);
		crdt_log_add(c, w);
		w->block = NULL;
		break;
	case CRDT_FOR_PEER:
		if (w->time > c->peer[w->from].durable)
			c->peer[w->from].durable = w->time;
		c->peer[w->from].owed = true;
		break;
	case CRDT_FOR_SYNC:
		crdt_sync_stored(c);
		break;
	case CRDT_FOR_SEEN:
		for (unsigned i = 0; i < crdt_nodes(c); i++) {
			uint64_t seen;

			memcpy(&seen, w->block + i * sizeof(seen), sizeof(seen));
			if (i != crdt_self(c) && seen > c->peer[i].durable)
				c->peer[i].durable = seen;
		}
		break;
	}
}

static void crdt_persisted(struct proto *p, uint64_t seq)
{
	struct crdt *c = crdt_of(p);
	const struct crdt_write *front;

	while ((front = ring_front(&c->writes)) && front->seq <= seq) {
		struct crdt_write w = *front;

		ring_pop(&c->writes);
		done(c, &w);
		free(w.block);
	}
	if (c->watched < c->writes.first)
		c->watched = c->writes.first;
	for (unsigned i = 0; i < crdt_nodes(c); i++)
		if (i != crdt_self(c))
			crdt_ship(c, i);
	crdt_ship_got(c);
}

static int crdt_message(struct proto *p, unsigned from, const void *bytes, size_t len)
{
	struct crdt *c = crdt_of(p);
	struct cursor cursor = cursor_over(bytes, len);
	enum crdt_message type = (enum crdt_message)cursor_u8(&cursor);

	if (from >= p->cfg.nodes || from == p->cfg.self)
		return -EBADMSG;
	switch (type) {
	case CRDT_HAVE:
	case CRDT_HELD:
	case CRDT_DELTAS:
	case CRDT_GOT:
		return crdt_ship_message(c, from, type, &cursor);
	case CRDT_SYNC_ASK:
	case CRDT_SYNC_SUMS:
	case CRDT_SYNC_LEAF:
	case CRDT_SYNC_STATES:
		return crdt_sync_message(c, from, type, &cursor);
	}
	return -EBADMSG;
}

static void tick(struct crdt *c)
{
	struct proto_io *io = c->proto.io;

	crdt_ship_tell(c);
	crdt_sync_tick(c);
	io->arm(io, CRDT_TIMER_TELL, io->now(io) + c->proto.cfg.heartbeat_ns);
}

static void crdt_start(struct proto *p)
{
	struct crdt *c = crdt_of(p);

	crdt_ship_start(c);
	crdt_sync_start(c);
	tick(c);
}

static void crdt_timer(struct proto *p, unsigned timer)
{
	if (timer == CRDT_TIMER_TELL)
		tick(crdt_of(p));
	else if (timer == CRDT_TIMER_SYNC)
		crdt_sync_timer(crdt_of(p));
	else
		crdt_expire(crdt_of(p));
}

static void crdt_status(const struct proto *p, struct proto_status_view *ret)
{
	const struct crdt *c = (const struct crdt *)p;

	*ret = (struct proto_status_view){
		.role = PROTO_PEER,
		.leader = -1,
		.pending = c->pending,
		.compared = c->compared,
		.fetched = c->fetched,
		.ready = true,
	};
}

static void crdt_info(const struct proto *p, struct buf *out)
{
	const struct crdt *c = (const struct crdt *)p;

	buf_printf(out, "deltas:%zu\r\nmerges_refused:%llu\r\n", ring_count(&c->log),
		(unsigned long long)c->refused);
	for (unsigned i = 0; i < crdt_nodes(c); i++)
		if (i != crdt_self(c) && c->peer[i].acked < c->peer[crdt_self(c)].durable)
			buf_printf(out, "lacks_deltas_%u:yes\r\n", i);
}

static void crdt_invariant(const struct proto *p)
{
	const struct crdt *c = (const struct crdt *)p;
	const struct crdt_delta *first = ring_front(&c->log);

	assert(c->pending <= ring_count(&c->writes));
	assert(ring_count(&c->writes) > 0 || table_count(c->ahead) == 0);
	assert(!first || first->time > c->log_base);
	for (unsigned i = 0; i < crdt_nodes(c); i++)
		assert(c->peer[i].durable <= c->peer[i].taken);
}

const struct proto_ops crdt_ops = {
	.name = "crdt",
	.size = sizeof(struct crdt),
	.claim = crdt_claim,
	.floor_ns = crdt_floor_ns,
	.init = crdt_init,
	.restore = crdt_restore,
	.describe = crdt_describe,
	.snapshot = crdt_snapshot,
	.start = crdt_start,
	.request = crdt_request,
	.message = crdt_message,
	.persisted = crdt_persisted,
	.timer = crdt_timer,
	.status = crdt_status,
	.info = crdt_info,
	.invariant = crdt_invariant,
	.fini = crdt_fini,
};
