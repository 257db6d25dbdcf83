/* SPDX-License-Identifier: MIT */
/*
 * abd.c - a shared register that is linearizable without a leader and without clocks
 *
 * H. Attiya, A. Bar-Noy and D. Dolev, "Sharing Memory Robustly in Message-Passing Systems", Journal
 * of the ACM 42(1), 1995 (here "paper"), for many writers as in N. Lynch and A. Shvartsman, "Robust
 * emulation of shared memory using dynamic quorum-acknowledged broadcasts", FTCS 1997. The replica
 * that a client talks to coordinates. Each key is a register; its versions are timestamps, a
 * sequence number and the writer's number.
 *
 *   read:   asking --a majority answered--> storing the newest --a majority has it--> answered
 *   write:  asking --a majority answered--> storing one number higher --a majority has it-->
 *           answered
 *
 * A read tells others what it has seen before it answers ("readers write"), or a later read could
 * find less; when all of the majority that answered have the newest already, there is nothing to
 * tell, and one round is all. A write asks first, so its timestamp is above all that were complete
 * when it began, whatever any clock says. Any two majorities have a replica in common; a majority
 * that can be reached is all that is needed, and nobody is elected.
 *
 * A timestamp must never name two values. The numbers of one replica rise, so they differ while it
 * runs. But when it crashes, a minority may have a timestamp that neither its disk nor the majority
 * that it asks next has: so numbers are given only below a bound that is on disk, and a restart
 * goes on above that bound (ABD_RESERVE).
 *
 * What has no answer is sent again, to those that answer pings, until all have answered or the
 * request's time is over. All messages may come twice, late or never: a replica counts once, and an
 * answer that comes late says only what is still true, that this replica has this version or a
 * newer one. Who missed a write gets it by a read or a later write of that key; nothing else makes
 * tables alike (claim: by_reads).
 *
 * Deletions are versions like others. A tombstone is kept for ever: who forgot one could take an
 * older value, which a slow replica brings, for the newest.
 *
 * Levels: a majority, whatever is asked for; at ALL, all. What DEL returns is what a majority had
 * when it began. A key that expires has its end in its version; who coordinates judges it by its
 * wall clock.
 *
 * Invariants: the version of a key never goes back; what is in the table is on disk; no number is
 * given above ->reserved.
 *
 * What is where: abd_operation.c clients, abd_records.c log and snapshot, entry.c versions.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/abd_internal.h"

static enum proto_sides sides_of(const struct proto_config *cfg, unsigned need)
{
	return need <= cfg->nodes / 2 + 1 ? PROTO_SIDES_MAJORITY : PROTO_SIDES_NONE;
}

static void abd_claim(const struct proto_config *cfg, struct proto_claim *ret)
{
	*ret = (struct proto_claim){
		.whole = PROTO_LINEARIZABLE,
		.cut = PROTO_LINEARIZABLE,
		.reads_cut = sides_of(cfg, abd_need(cfg, PROTO_DEFAULT, false)),
		.writes_cut = sides_of(cfg, abd_need(cfg, PROTO_DEFAULT, true)),
		.does = PROTO_DOES_PLAIN,
		.by_reads = true,
	};
}

/* A read that finds a majority of one mind needs no second round; a write always does. */
static uint64_t abd_floor_ns(const struct proto_floor_query *q)
{
	unsigned need = abd_need(q->cfg, q->level, q->write);
	uint64_t ns = q->client_ns + proto_kth_rtt(q, q->contact, need);

	return q->write ? ns + proto_kth_rtt(q, q->contact, q->cfg->nodes / 2 + 1) : ns;
}

static void abd_init(struct proto *p)
{
	struct abd *a = abd_of(p);

	ring_init(&a->ops, sizeof(struct abd_operation), 1);
	ring_init(&a->writes, sizeof(struct abd_write), 1);
	heard_init(&a->heard, p);
}

static void abd_fini(struct proto *p)
{
	struct abd *a = abd_of(p);

	for (uint64_t i = a->ops.first; i < a->ops.next; i++)
		free(((struct abd_operation *)ring_at(&a->ops, i))->key);
	for (uint64_t i = a->writes.first; i < a->writes.next; i++)
		free(((struct abd_write *)ring_at(&a->writes, i))->key);
	ring_fini(&a->ops);
	ring_fini(&a->writes);
	heard_fini(&a->heard);
}

/* Messages. */

void abd_send_entry(
	struct abd *a, unsigned to, enum abd_message type, uint64_t id, const struct table_entry *e)
{
	struct proto_io *io = a->proto.io;
	struct buf b = {0};

	buf_u8(&b, (uint8_t)type);
	buf_u64(&b, id);
	entry_encode(&b, e);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

void abd_send_key(
	struct abd *a, unsigned to, enum abd_message type, uint64_t id, struct proto_bytes key)
{
	struct proto_io *io = a->proto.io;
	struct buf b = {0};

	buf_u8(&b, (uint8_t)type);
	buf_u64(&b, id);
	buf_bytes(&b, key.p, key.len);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

static void send_stored(struct abd *a, unsigned to, uint64_t id)
{
	struct proto_io *io = a->proto.io;
	struct buf b = {0};

	buf_u8(&b, ABD_STORED);
	buf_u64(&b, id);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

static int on_question(struct abd *a, unsigned from, bool value, struct cursor *c)
{
	uint64_t id = cursor_u64(c);
	struct table_entry e = {0};

	e.key.p = cursor_bytes(c, &e.key.len);
	if (!cursor_done(c) || e.key.len > PROTO_KEY_MAX)
		return -EBADMSG;
	(void)table_find(a->proto.table, e.key, &e);
	if (!value)
		e.value.len = 0;
	abd_send_entry(a, from, ABD_FOUND, id, &e);
	return 0;
}

static int on_found(struct abd *a, unsigned from, struct cursor *c)
{
	uint64_t id = cursor_u64(c);
	struct table_entry e;

	if (entry_decode(abd_nodes(a), c, &e))
		return -EBADMSG;
	abd_found(a, id, from, &e);
	return 0;
}

static int on_store(struct abd *a, unsigned from, struct cursor *c)
{
	uint64_t id = cursor_u64(c);
	struct table_entry e;

	if (entry_decode(abd_nodes(a), c, &e) || !e.version)
		return -EBADMSG;
	if (!abd_later(&e, table_get(a->proto.table, e.key))) {
		send_stored(a, from, id); /* this or a newer one is on disk */
		return 0;
	}
	if (PROTO_BUG(BUG_ABD_ACKS_BEFORE_DURABLE))
		send_stored(a, from, id);
	abd_store(a, &e, from, id, true);
	return 0;
}

static int on_stored(struct abd *a, unsigned from, struct cursor *c)
{
	uint64_t id = cursor_u64(c);

	if (!cursor_done(c))
		return -EBADMSG;
	abd_stored(a, id, from);
	return 0;
}

static int take(struct abd *a, unsigned from, enum abd_message type, struct cursor *c)
{
	switch (type) {
	case ABD_PING:
		return heard_answer(&a->heard, from, ABD_PONG, c);
	case ABD_PONG:
		(void)cursor_u64(c);
		return cursor_done(c) ? 0 : -EBADMSG;
	case ABD_READ:
	case ABD_ASK:
		return on_question(a, from, type == ABD_READ, c);
	case ABD_FOUND:
		return on_found(a, from, c);
	case ABD_STORE:
		return on_store(a, from, c);
	case ABD_STORED:
		return on_stored(a, from, c);
	case ABD_NOBODY:
		break;
	}
	return -EBADMSG;
}

static int abd_message(struct proto *p, unsigned from, const void *bytes, size_t len)
{
	struct abd *a = abd_of(p);
	struct cursor c = cursor_over(bytes, len);
	enum abd_message type = (enum abd_message)cursor_u8(&c);
	int rc;

	if (from >= p->cfg.nodes || from == p->cfg.self)
		return -EBADMSG;
	rc = take(a, from, type, &c);
	if (!rc && (type == ABD_PONG || type == ABD_FOUND || type == ABD_STORED))
		heard_from(&a->heard, from);
	return rc;
}

/* It is on disk: who waits for it hears of it. */
static void done(struct abd *a, const struct abd_write *w)
{
	if (w->reserved) {
		if (w->reserved > a->reserved)
			a->reserved = w->reserved;
		abd_reserved(a);
		return;
	}
	abd_merge(a, &w->entry);
	if (w->from == a->proto.cfg.self)
		abd_stored(a, w->id, w->from);
	else if (w->told)
		send_stored(a, w->from, w->id);
}

static void abd_persisted(struct proto *p, uint64_t seq)
{
	struct abd *a = abd_of(p);
	const struct abd_write *front;

	while ((front = ring_front(&a->writes)) && front->seq <= seq) {
		struct abd_write w = *front;

		ring_pop(&a->writes);
		done(a, &w);
		free(w.key);
	}
}

static void tick(struct abd *a)
{
	struct proto_io *io = a->proto.io;

	heard_ping(&a->heard, ABD_PING);
	abd_resend(a);
	io->arm(io, ABD_TIMER_TICK, io->now(io) + a->proto.cfg.heartbeat_ns);
}

static void abd_start(struct proto *p)
{
	struct abd *a = abd_of(p);

	/* Above all numbers of an earlier life, whose answers may still be under way. */
	ring_init(&a->ops, sizeof(struct abd_operation), p->io->now(p->io) + 1);
	/* All of them may have been given. */
	a->clock = a->reserved;
	abd_reserve(a, a->clock);
	heard_start(&a->heard);
	tick(a);
}

static void abd_timer(struct proto *p, unsigned timer)
{
	if (timer == ABD_TIMER_TICK)
		tick(abd_of(p));
	else
		abd_expire(abd_of(p));
}

static void abd_status(const struct proto *p, struct proto_status_view *ret)
{
	const struct abd *a = (const struct abd *)p;

	*ret = (struct proto_status_view){.role = PROTO_PEER, .leader = -1, .pending = a->pending};
	ret->ready = heard_count(&a->heard) >= abd_need(&p->cfg, PROTO_DEFAULT, true);
}

static void abd_info(const struct proto *p, struct buf *out)
{
	const struct abd *a = (const struct abd *)p;

	buf_printf(out, "reads_in_one_round:%llu\r\n", (unsigned long long)a->one_round);
	buf_printf(out, "reads_in_two_rounds:%llu\r\n", (unsigned long long)a->two_rounds);
	buf_printf(out, "messages_sent_again:%llu\r\n", (unsigned long long)a->resent);
	buf_printf(out, "numbers_set_aside:%llu\r\n", (unsigned long long)a->reserved);
}

static void abd_invariant(const struct proto *p)
{
	const struct abd *a = (const struct abd *)p;
	const struct abd_operation *op = ring_front(&a->ops);

	assert(a->pending <= ring_count(&a->ops));
	assert(!op || (op->phase != ABD_DONE && a->armed));
	assert(op || a->bytes == 0);
	assert(a->reserved <= a->reserving);
	assert(!op || op->phase != ABD_STORING || op->op == PROTO_GET ||
		op->entry.version <= a->reserved);
}

const struct proto_ops abd_ops = {
	.name = "abd",
	.size = sizeof(struct abd),
	.claim = abd_claim,
	.floor_ns = abd_floor_ns,
	.init = abd_init,
	.restore = abd_restore,
	.describe = abd_describe,
	.snapshot = abd_snapshot,
	.start = abd_start,
	.request = abd_request,
	.message = abd_message,
	.persisted = abd_persisted,
	.timer = abd_timer,
	.status = abd_status,
	.info = abd_info,
	.invariant = abd_invariant,
	.fini = abd_fini,
};
