/* SPDX-License-Identifier: MIT */
/*
 * quorum_bury.c - when a deleted key may be forgotten
 *
 * A tombstone keeps older versions of its key away. It is forgotten cfg.tombstone_ns after the
 * deletion at the earliest, as Cassandra's gc_grace_seconds has it; but Cassandra trusts
 * that a repair has run by then, and where none has, deleted keys come back. Here the replica that
 * made the tombstone asks all others first, and one that is away delays it for as long as it is:
 *
 *   idle --some are old enough--> asking --all have it--> waiting --quiet--> telling
 *    |       \-> idle: somebody does not answer; who lacks it is sent it         |
 *    '<-- forgetting: until that is on its own disk <--all others have forgotten--'
 *
 *  1. Everybody says that it has this very tombstone on disk. From then on no table has an older
 *     version, and none can get one but from a message, or from an operation that read it before.
 *  2. Such operations end within their time-out, and a message that carries a version is not
 *     taken if it may be older than quorum_fresh_ns(): see quorum_stale(). Answers to the questions
 *     of anti-entropy are bound to the question, and that to its tries. So for quiet_ns() the
 *     tombstone is kept; then nothing older is left.
 *  3. The others forget it, on disk, then the one who asked: while he has it, it can be found.
 *     Until his own record is on disk he asks for nothing: he would find it and spread it again.
 *  4. A read or a late message may bring the tombstone back to some, which does no harm but to
 *     memory. Anti-entropy brings it to its maker, who buries it again; without, it stays.
 *
 * So no deleted key comes back by loss, delay, crashes or hints, whatever wall clocks say. It does
 * if a replica is started with an old copy of its log. A key that has expired is forgotten alike.
 */
#include <assert.h>
#include <errno.h>

#include "store/proto/quorum_internal.h"

/* Steps of the walk over the table per heartbeat. */
#define WALK_STEPS 512u

uint64_t quorum_fresh_ns(const struct quorum *q)
{
	return quorum_deaf_ns(q) + q->proto.cfg.request_timeout_ns;
}

/*
 * Whether a message with @e may come from a time before its tombstone was forgotten here. Its
 * @stamp is what its sender knew of this replica's clock: the message is not older than that.
 */
bool quorum_stale(const struct quorum *q, const struct table_entry *e, uint64_t stamp)
{
	uint64_t now = q->proto.io->now(q->proto.io);

	if (e->version > q->forgotten || table_get(q->proto.table, e->key))
		return false;
	return !stamp || stamp > now || now - stamp > quorum_fresh_ns(q);
}

static uint64_t quiet_ns(const struct quorum *q)
{
	return quorum_fresh_ns(q) + (COMPARE_TRIES + 2) * q->proto.cfg.request_timeout_ns;
}

static void end(struct quorum *q)
{
	q->bury.phase = QUORUM_BURY_IDLE;
	q->bury.graves.len = 0;
	q->bury.count = 0;
}

static bool old_enough(const struct quorum *q, const struct table_entry *e)
{
	uint64_t wall = q->proto.io->wall(q->proto.io);
	uint64_t grace = q->proto.cfg.tombstone_ns;
	uint64_t died = e->deleted ? e->version : e->expires_ns;

	return e->origin == q->proto.cfg.self && died && wall > grace && died < wall - grace;
}

static void grave_encode(struct buf *b, const struct quorum_grave *g)
{
	buf_u64(b, g->version);
	buf_bytes(b, g->key.p, g->key.len);
}

static int grave_decode(struct cursor *c, struct quorum_grave *ret)
{
	ret->version = cursor_u64(c);
	ret->key.p = cursor_bytes(c, &ret->key.len);
	return c->bad || !ret->version || ret->version > ENTRY_VERSION_MAX ||
			       ret->key.len > PROTO_KEY_MAX
		       ? -EBADMSG
		       : 0;
}

/* Whether this very version is here, and is one that can be forgotten. */
static const struct table_entry *grave_here(
	const struct quorum *q, const struct quorum_grave *g, unsigned origin)
{
	const struct table_entry *e = table_get(q->proto.table, g->key);

	return e && e->version == g->version && e->origin == origin && (e->deleted || e->expires_ns)
		       ? e
		       : NULL;
}

static void collect(void *arg, const struct table_entry *e)
{
	struct quorum *q = arg;
	struct quorum_grave g = {.version = e->version, .key = e->key};

	if (q->bury.count >= QUORUM_GRAVES_MAX || !old_enough(q, e))
		return;
	grave_encode(&q->bury.graves, &g);
	q->bury.count++;
}

static uint64_t all_bits(unsigned n)
{
	return n == 64 ? UINT64_MAX : (1ull << n) - 1;
}

static void send_graves(struct quorum *q, enum quorum_message type)
{
	struct proto_io *io = q->proto.io;
	struct buf b = {0};

	buf_u8(&b, (uint8_t)type);
	buf_u64(&b, q->bury.round);
	buf_add(&b, q->bury.graves.p, q->bury.graves.len);
	for (unsigned i = 0; i < quorum_nodes(q); i++)
		if (i != q->proto.cfg.self && !node_set_has(&q->bury.answered, i))
			io->send(io, i, b.p, b.len);
	buf_fini(&b);
	q->bury.asked_ns = io->now(io);
}

static void enter(struct quorum *q, enum quorum_bury_phase phase, enum quorum_message type)
{
	q->bury.phase = phase;
	q->bury.tries = 1;
	q->bury.round++;
	q->bury.answered = (struct node_set){0};
	node_set_add(&q->bury.answered, q->proto.cfg.self);
	send_graves(q, type);
}

/* On disk, then out of the table: quorum_forget(). With a @round, @origin hears of it then. */
static void persist_forget(
	struct quorum *q, const struct quorum_grave *g, unsigned origin, uint64_t round)
{
	struct table_entry e = {.key = g->key, .version = g->version, .origin = (uint16_t)origin};
	struct quorum_write w = {.from = origin, .id = round};
	struct buf b = {0};

	w.reply = round ? QUORUM_FORGOTTEN : QUORUM_NOBODY;

	if (g->version > q->forgotten)
		q->forgotten = g->version;
	w.key = entry_copy(&w.entry, &e);
	w.forget = true;
	buf_u8(&b, QUORUM_RECORD_FORGET);
	buf_u64(&b, g->version);
	buf_u16(&b, (uint16_t)origin);
	buf_bytes(&b, g->key.p, g->key.len);
	quorum_persist(q, &b, &w);
	buf_fini(&b);
}

/* Keep of the graves those in @keep that are still here. */
static void keep_graves(struct quorum *q, uint64_t keep)
{
	struct cursor c = cursor_over(q->bury.graves.p, q->bury.graves.len);
	struct quorum_grave g;
	struct buf rest = {0};
	unsigned count = 0;

	for (unsigned i = 0; c.left && !grave_decode(&c, &g); i++) {
		if (!(keep >> i & 1) || !grave_here(q, &g, q->proto.cfg.self))
			continue;
		grave_encode(&rest, &g);
		count++;
	}
	buf_fini(&q->bury.graves);
	q->bury.graves = rest;
	q->bury.count = count;
}

/* All others have forgotten. */
static void forget_here(struct quorum *q)
{
	struct cursor c = cursor_over(q->bury.graves.p, q->bury.graves.len);
	struct quorum_grave g;

	while (c.left && !grave_decode(&c, &g))
		if (grave_here(q, &g, q->proto.cfg.self)) {
			persist_forget(q, &g, q->proto.cfg.self, 0);
			q->bury.forgetting++;
		}
	end(q);
	if (q->bury.forgetting)
		q->bury.phase = QUORUM_BURY_FORGETTING;
}

void quorum_bury_forgot(struct quorum *q)
{
	assert(q->bury.forgetting > 0);
	if (--q->bury.forgetting == 0)
		q->bury.phase = QUORUM_BURY_IDLE;
}

static void all_answered(struct quorum *q)
{
	struct quorum_bury *b = &q->bury;

	if (b->phase == QUORUM_BURY_TELLING) {
		forget_here(q);
		return;
	}
	keep_graves(q, b->held);
	if (!b->count) {
		end(q);
		return;
	}
	b->phase = QUORUM_BURY_WAITING;
	b->asked_ns = q->proto.io->now(q->proto.io);
}

static bool all_there(const struct quorum *q)
{
	for (unsigned i = 0; i < quorum_nodes(q); i++)
		if (!quorum_alive(q, i) || (i != q->proto.cfg.self && !q->peer[i].heard))
			return false;
	return true;
}

static void search(struct quorum *q)
{
	struct quorum_bury *b = &q->bury;

	if (!all_there(q) && !PROTO_BUG(BUG_QUORUM_FORGETS_TOO_EARLY))
		return;
	for (unsigned i = 0; i < WALK_STEPS && b->count < QUORUM_GRAVES_MAX; i++) {
		b->cursor = table_scan(q->proto.table, b->cursor, collect, q);
		if (!b->cursor)
			break;
	}
	if (!b->count)
		return;
	b->held = all_bits(b->count);
	if (PROTO_BUG(BUG_QUORUM_FORGETS_TOO_EARLY))
		enter(q, QUORUM_BURY_TELLING, QUORUM_FORGET);
	else
		enter(q, QUORUM_BURY_ASKING, QUORUM_BURY);
	if (quorum_nodes(q) == 1)
		all_answered(q);
}

/* What was not answered is asked again; who never answers ends it, until another time. */
static void ask_again(struct quorum *q, enum quorum_message type)
{
	uint64_t now = q->proto.io->now(q->proto.io);

	if (now - q->bury.asked_ns < q->proto.cfg.request_timeout_ns)
		return;
	if (q->bury.tries++ >= COMPARE_TRIES)
		end(q);
	else
		send_graves(q, type);
}

void quorum_bury_tick(struct quorum *q)
{
	uint64_t now = q->proto.io->now(q->proto.io);

	/* Those who only coordinate are no witnesses that everybody has it. */
	if (!q->proto.cfg.tombstone_ns || quorum_copies(&q->proto.cfg) < quorum_nodes(q))
		return;
	switch (q->bury.phase) {
	case QUORUM_BURY_IDLE:
		search(q);
		break;
	case QUORUM_BURY_ASKING:
		ask_again(q, QUORUM_BURY);
		break;
	case QUORUM_BURY_WAITING:
		if (now - q->bury.asked_ns < quiet_ns(q) && !PROTO_BUG(BUG_QUORUM_FORGETS_AT_ONCE))
			break;
		keep_graves(q, UINT64_MAX);
		if (!q->bury.count) {
			end(q);
			break;
		}
		enter(q, QUORUM_BURY_TELLING, QUORUM_FORGET);
		if (quorum_nodes(q) == 1)
			all_answered(q);
		break;
	case QUORUM_BURY_TELLING:
		ask_again(q, QUORUM_FORGET);
		break;
	case QUORUM_BURY_FORGETTING:
		break;
	}
}

void quorum_bury_start(struct quorum *q)
{
	q->bury.round = q->proto.io->now(q->proto.io); /* above those of an earlier life */
}

void quorum_bury_fini(struct quorum *q)
{
	buf_fini(&q->bury.graves);
}

/* The others. */

void quorum_send_mask(
	struct quorum *q, unsigned to, enum quorum_message type, uint64_t id, uint64_t mask)
{
	struct proto_io *io = q->proto.io;
	struct buf b = {0};

	buf_u8(&b, (uint8_t)type);
	buf_u64(&b, id);
	buf_u64(&b, mask);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

/* Return: how many there are; -EBADMSG. */
static int check_graves(struct cursor c)
{
	struct quorum_grave g;
	int count = 0;

	for (; c.left && !c.bad; count++)
		if (grave_decode(&c, &g))
			return -EBADMSG;
	return cursor_done(&c) && count > 0 && count <= QUORUM_GRAVES_MAX ? count : -EBADMSG;
}

static uint64_t held_of(const struct quorum *q, unsigned from, struct cursor c)
{
	struct quorum_grave g;
	uint64_t held = 0;

	for (unsigned i = 0; c.left && !grave_decode(&c, &g); i++)
		held |= (uint64_t)(grave_here(q, &g, from) != NULL) << i;
	return held;
}

static int on_graves(
	struct quorum *q, unsigned from, enum quorum_message type, uint64_t round, struct cursor *c)
{
	struct quorum_grave g;
	uint64_t held;

	if (check_graves(*c) < 0)
		return -EBADMSG;
	held = held_of(q, from, *c);
	if (type == QUORUM_BURY)
		quorum_send_mask(q, from, QUORUM_HELD, round, held);
	else if (!held)
		quorum_send_mask(q, from, QUORUM_FORGOTTEN, round, 0);
	/* The last one to be on disk answers for all. */
	for (; type == QUORUM_FORGET && held && !grave_decode(c, &g); held >>= 1)
		if (held & 1)
			persist_forget(q, &g, from, held == 1 ? round : 0);
	return 0;
}

/* Who lacks what it was asked for gets it. */
static void send_missing(struct quorum *q, unsigned to, uint64_t held)
{
	struct cursor c = cursor_over(q->bury.graves.p, q->bury.graves.len);
	const struct table_entry *e;
	struct quorum_grave g;

	for (unsigned i = 0; c.left && !grave_decode(&c, &g); i++)
		if (!(held >> i & 1) && (e = grave_here(q, &g, q->proto.cfg.self)))
			quorum_send_entry(q, to, QUORUM_HINT, e->version, e);
}

static int on_answer(
	struct quorum *q, unsigned from, enum quorum_message type, uint64_t round, struct cursor *c)
{
	struct quorum_bury *b = &q->bury;
	uint64_t held = cursor_u64(c);
	enum quorum_bury_phase phase =
		type == QUORUM_HELD ? QUORUM_BURY_ASKING : QUORUM_BURY_TELLING;

	if (!cursor_done(c))
		return -EBADMSG;
	if (b->phase != phase || b->round != round || node_set_has(&b->answered, from))
		return 0;
	if (type == QUORUM_HELD) {
		b->held &= held;
		send_missing(q, from, held);
	}
	node_set_add(&b->answered, from);
	if (b->answered.count == quorum_nodes(q))
		all_answered(q);
	return 0;
}

int quorum_bury_message(struct quorum *q, unsigned from, enum quorum_message type, struct cursor *c)
{
	uint64_t round = cursor_u64(c);

	if (type == QUORUM_BURY || type == QUORUM_FORGET)
		return on_graves(q, from, type, round, c);
	return on_answer(q, from, type, round, c);
}

/* Records. */

void quorum_forget(struct quorum *q, const struct table_entry *e)
{
	const struct table_entry *mine = table_get(q->proto.table, e->key);

	if (e->version > q->forgotten)
		q->forgotten = e->version;
	/* A record of something older may have come behind a snapshot without the tombstone. */
	if (!mine || mine->version > e->version ||
		(mine->version == e->version && mine->origin > e->origin))
		return;
	if (q->tree)
		merkle_take(q->tree, table_place(mine->key), quorum_digest(mine));
	table_remove(q->proto.table, e->key);
}

static int decode_forget(struct cursor *c, unsigned nodes, struct table_entry *ret)
{
	*ret = (struct table_entry){.version = cursor_u64(c)};
	ret->origin = cursor_u16(c);
	ret->key.p = cursor_bytes(c, &ret->key.len);
	return !cursor_done(c) || !ret->version || ret->version > ENTRY_VERSION_MAX ||
			       ret->origin >= nodes || ret->key.len > PROTO_KEY_MAX
		       ? -EBADMSG
		       : 0;
}

int quorum_forget_restore(struct quorum *q, struct cursor *c)
{
	struct table_entry e;

	if (decode_forget(c, quorum_nodes(q), &e))
		return -EBADMSG;
	quorum_forget(q, &e);
	return 0;
}

int quorum_forget_describe(struct cursor *c, struct buf *out)
{
	struct table_entry e;

	if (decode_forget(c, PROTO_NODES_MAX, &e))
		return -EBADMSG;
	buf_printf(out, "forget ");
	command_describe_key(out, e.key);
	buf_printf(out, ", version %llu of replica %u", (unsigned long long)e.version, e.origin);
	return 0;
}
