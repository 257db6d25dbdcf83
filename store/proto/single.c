/* SPDX-License-Identifier: MIT */
/*
 * single.c - one replica holds the data, the others pass requests on to it
 *
 * The measure of what replication costs. The holder is replica cfg.leader (or 0). It orders writes
 * by appending them to its log, and does them when they are on disk, so that nothing is read
 * that a crash could take back. The outcome of a condition is decided then, in log order, and
 * again, alike, at a restart.
 *
 * The others ping the holder. Its answer carries the time of its start, which passed-on requests
 * name in turn (see forward.h), so a request is never done twice, not even around a restart.
 * When the holder has been silent for DEAF_HEARTBEATS, requests are refused at once.
 */
#include <assert.h>
#include <errno.h>

#include "store/proto/forward.h"
#include "store/proto/raft_internal.h"

#define DEAF_HEARTBEATS 8
/* Writes that are looked at together when they are on disk. */
#define PERSISTED_BATCH 16

enum { TIMER_PING, TIMER_REQUESTS };

enum message { PING = 1, PONG, ATTEMPT, ANSWER };

/*
 * A record of a snapshot begins with what no command's stamp can be. What the parts are, and how
 * the writes after the snapshot make a table of them, is in raft_copy.c.
 */
#define SNAPSHOT_MARK UINT64_MAX
enum { SNAPSHOT_BASE = 1, SNAPSHOT_PART, SNAPSHOT_END };

/* A write that is not on disk yet. */
struct write {
	uint64_t seq; /* of its record */
	uint64_t slot;
	uint64_t attempt;
	unsigned origin;
	uint32_t len; /* of its bytes, next in ->queued */
};

struct single {
	struct proto proto;
	unsigned holder;
	struct forward forward;
	/* The holder's: */
	uint64_t count;        /* records in the log */
	uint64_t done;         /* records on disk and in the table */
	uint64_t base;         /* restore(): record at which the snapshot began */
	bool unfinished;       /* ... which has not ended */
	struct raft_copy copy; /* its parts, each as it was at a record of its own */
	struct command_state state;
	uint64_t born; /* time of its start; for the others: as the holder told, 0 unknown */
	struct ring writes;
	struct buf queued; /* their records, one behind the other */
	size_t queued_done;
	/* The others': */
	uint64_t heard_ns;
};

static struct single *of(struct proto *p)
{
	return (struct single *)p;
}

static bool holding(const struct single *s)
{
	return s->proto.cfg.self == s->holder;
}

static unsigned holder_of(const struct proto_config *cfg)
{
	return cfg->leader < 0 ? 0 : (unsigned)cfg->leader;
}

static void single_claim(const struct proto_config *cfg, struct proto_claim *ret)
{
	(void)cfg;
	*ret = (struct proto_claim){
		.whole = PROTO_LINEARIZABLE,
		.cut = PROTO_LINEARIZABLE,
		.reads_cut = PROTO_SIDES_LEADER,
		.writes_cut = PROTO_SIDES_LEADER,
		.does = PROTO_DOES_STRINGS,
		.cas = true,
		.one_copy = true,
	};
}

static uint64_t single_floor_ns(const struct proto_floor_query *q)
{
	unsigned holder = holder_of(q->cfg);

	if (q->contact == holder)
		return q->client_ns;
	return q->client_ns + q->rtt_ns[(size_t)q->contact * q->cfg->nodes + holder];
}

static void single_init(struct proto *p)
{
	struct single *s = of(p);

	s->holder = holder_of(&p->cfg);
	ring_init(&s->writes, sizeof(struct write), 1);
	forward_init(&s->forward, p, TIMER_REQUESTS);
	raft_copy_init(&s->copy);
}

static void single_fini(struct proto *p)
{
	struct single *s = of(p);

	ring_fini(&s->writes);
	buf_fini(&s->queued);
	command_state_fini(&s->state);
	raft_copy_fini(&s->copy);
	forward_fini(&s->forward);
}

static int decode_write(const void *bytes, size_t len, struct command *ret)
{
	struct cursor c = cursor_over(bytes, len);

	return command_decode(&c, ret) || ret->op == PROTO_GET ? -EBADMSG : 0;
}

/* --- the snapshot: the table in parts, each as it was at some record --- */

static void snapshot_record(struct proto_snapshot *s, uint8_t kind, struct buf *rest)
{
	struct buf b = {0};

	buf_u64(&b, SNAPSHOT_MARK);
	buf_u8(&b, kind);
	buf_add(&b, rest->p, rest->len);
	s->record(s->arg, b.p, b.len);
	buf_fini(&b);
	buf_fini(rest);
}

static void snapshot_part(const struct single *s, struct proto_snapshot *snapshot)
{
	struct raft_part part = {.from = snapshot->cursor, .at = s->done};
	struct buf all = {0};
	struct cursor c;

	part.to = raft_part_collect(s->proto.table, snapshot->cursor, snapshot->index[1]++, &all);
	c = cursor_over(all.p, all.len);
	do {
		struct buf b = {0};

		part.entries = raft_part_piece(&c);
		part.more = c.left > 0;
		raft_part_encode(&b, &part);
		snapshot_record(snapshot, SNAPSHOT_PART, &b);
	} while (part.more);
	buf_fini(&all);
	snapshot->cursor = part.to;
}

static bool single_snapshot(struct proto *p, struct proto_snapshot *snapshot)
{
	struct single *s = of(p);
	struct buf b = {0};

	switch (snapshot->stage) {
	case 0:
		snapshot->index[0] = s->count;
		snapshot->stage++;
		return true;
	case 1:
		/* What is in the log so far, and only there, will be forgotten. */
		if (s->done < snapshot->index[0])
			return true;
		buf_u64(&b, snapshot->index[0]);
		buf_u64(&b, s->state.clock_ns);
		snapshot_record(snapshot, SNAPSHOT_BASE, &b);
		snapshot->stage++;
		return true;
	case 2:
		snapshot_part(s, snapshot);
		snapshot->stage += snapshot->cursor == 0;
		return true;
	default:
		snapshot_record(snapshot, SNAPSHOT_END, &b);
		return false;
	}
}

static int restore_base(struct single *s, struct cursor *c)
{
	uint64_t index = cursor_u64(c);
	uint64_t clock_ns = cursor_u64(c);

	if (!cursor_done(c) || s->count > 0 || s->unfinished || index > RAFT_NUMBER_MAX)
		return -EBADMSG;
	s->base = index;
	s->state.clock_ns = clock_ns;
	s->unfinished = true;
	return 0;
}

static int restore_snapshot(struct single *s, struct cursor *c)
{
	struct raft_part part;

	switch (cursor_u8(c)) {
	case SNAPSHOT_BASE:
		return restore_base(s, c);
	case SNAPSHOT_PART:
		if (!s->unfinished || raft_part_decode(c, &part) || part.at < s->base ||
			(!part.more && raft_copy_add(&s->copy, part.from, part.to, part.at)))
			return -EBADMSG;
		raft_part_put(s->proto.table, &part);
		return 0;
	case SNAPSHOT_END:
		if (!cursor_done(c) || !s->unfinished || !s->copy.complete)
			return -EBADMSG;
		s->unfinished = false;
		s->count = s->done = s->base;
		return 0;
	default:
		return -EBADMSG;
	}
}

static int single_restore(struct proto *p, const void *bytes, size_t len)
{
	struct single *s = of(p);
	struct cursor cursor = cursor_over(bytes, len);
	struct proto_reply ignored;
	struct command c;

	if (cursor_u64(&cursor) == SNAPSHOT_MARK)
		return restore_snapshot(s, &cursor);
	if (decode_write(bytes, len, &c) || s->unfinished)
		return -EBADMSG;
	s->done = ++s->count;
	/* A part of the snapshot that was written later has seen it. */
	if (s->count > raft_copy_at(&s->copy, c.key))
		command_apply(p->table, &s->state, &c, s->count, &ignored);
	else if (c.stamp_ns > s->state.clock_ns)
		s->state.clock_ns = c.stamp_ns;
	return 0;
}

static int describe_snapshot(struct cursor *c, struct buf *out)
{
	struct raft_part part;
	uint64_t index;

	switch (cursor_u8(c)) {
	case SNAPSHOT_BASE:
		index = cursor_u64(c);
		(void)cursor_u64(c);
		buf_printf(out, "snapshot after write %llu", (unsigned long long)index);
		return cursor_done(c) ? 0 : -EBADMSG;
	case SNAPSHOT_PART:
		if (raft_part_decode(c, &part))
			return -EBADMSG;
		buf_printf(out, "%u keys as they were after write %llu", part.count,
			(unsigned long long)part.at);
		return 0;
	case SNAPSHOT_END:
		buf_printf(out, "snapshot ends");
		return cursor_done(c) ? 0 : -EBADMSG;
	default:
		return -EBADMSG;
	}
}

static int single_describe(const void *bytes, size_t len, struct buf *out)
{
	struct cursor cursor = cursor_over(bytes, len);
	struct command c;

	if (cursor_u64(&cursor) == SNAPSHOT_MARK)
		return describe_snapshot(&cursor, out);
	if (decode_write(bytes, len, &c))
		return -EBADMSG;
	command_describe(out, &c);
	return 0;
}

static void ping(struct single *s)
{
	struct proto_io *io = s->proto.io;
	uint8_t type = PING;

	io->send(io, s->holder, &type, 1);
	io->arm(io, TIMER_PING, io->now(io) + s->proto.cfg.heartbeat_ns);
}

static void single_start(struct proto *p)
{
	struct single *s = of(p);

	/* The log reaches beyond the snapshot's last part (rule 7), so the table is exact. */
	assert(s->copy.exact <= s->count);
	raft_copy_fini(&s->copy);
	forward_start(&s->forward);
	if (holding(s))
		s->born = p->io->now(p->io) + 1;
	else
		ping(s);
}

/* The answer goes to the replica that was asked: by a message, or straight to the client here. */
static void answer(struct single *s, unsigned to, struct forward_answer *a)
{
	struct proto_io *io = s->proto.io;
	struct buf b = {0};

	if (to == s->proto.cfg.self) {
		forward_finish(&s->forward, a->slot, &a->reply);
		return;
	}
	buf_u8(&b, ANSWER);
	forward_encode_answer(&b, a);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

/* Bytes that have been done are dropped when they are most of the buffer: each moves once. */
static struct buf *queue(struct single *s)
{
	if (s->queued_done > s->queued.len / 2) {
		buf_drop(&s->queued, s->queued_done);
		s->queued_done = 0;
	}
	return &s->queued;
}

/* The record that was just put behind ->queued, from @begin on. */
static void append(struct single *s, unsigned origin, const struct forward_attempt *a, size_t begin)
{
	struct proto_io *io = s->proto.io;
	struct write *w = ring_push(&s->writes);
	uint8_t *bytes = s->queued.p + begin;
	struct forward_answer early = {.slot = a->slot, .attempt = a->attempt};

	command_stamp(bytes, io->wall(io));
	*w = (struct write){
		.slot = a->slot,
		.attempt = a->attempt,
		.origin = origin,
		.len = (uint32_t)(s->queued.len - begin),
	};
	s->count++;
	w->seq = io->persist(io, bytes, w->len);
	if (PROTO_BUG(BUG_SINGLE_ANSWERS_BEFORE_DURABLE))
		answer(s, origin, &early);
}

static void read_here(struct single *s, struct proto_bytes key, struct proto_reply *ret)
{
	struct proto_io *io = s->proto.io;

	command_read(s->proto.table, key, command_now(&s->state, io->wall(io)), ret);
}

static bool deaf(const struct single *s)
{
	uint64_t silent = s->proto.io->now(s->proto.io) - s->heard_ns;

	return !s->born || silent > DEAF_HEARTBEATS * s->proto.cfg.heartbeat_ns;
}

static void request_here(struct single *s, const struct proto_request *req)
{
	struct proto_io *io = s->proto.io;
	struct forward_attempt a = {.command = command_of(req)};
	struct proto_reply reply;
	size_t begin;

	if (req->op == PROTO_GET) {
		read_here(s, req->key, &reply);
		io->reply(io, req->ticket, &reply);
		return;
	}
	a.slot = forward_add(&s->forward, req, false);
	if (!a.slot)
		return;
	/* From here on the write is in the log's hands: a time-out cannot take it back. */
	forward_at(&s->forward, a.slot)->state = FORWARD_SENT;
	begin = queue(s)->len;
	command_encode(&s->queued, &a.command);
	append(s, s->proto.cfg.self, &a, begin);
}

static void single_request(struct proto *p, const struct proto_request *req)
{
	struct single *s = of(p);
	struct proto_reply refusal;
	uint64_t slot;

	if (holding(s)) {
		request_here(s, req);
		return;
	}
	if (deaf(s)) {
		refusal = forward_refuse(FORWARD_HOLDER_GONE, 0, 0);
		p->io->reply(p->io, req->ticket, &refusal);
		return;
	}
	slot = forward_add(&s->forward, req, true);
	if (slot)
		forward_send(&s->forward, slot, s->holder, ATTEMPT, s->born);
}

static int on_ping(struct single *s, unsigned from, struct cursor *c)
{
	struct proto_io *io = s->proto.io;
	struct buf b = {0};

	if (!holding(s) || !cursor_done(c))
		return -EBADMSG;
	buf_u8(&b, PONG);
	buf_u64(&b, s->born);
	io->send(io, from, b.p, b.len);
	buf_fini(&b);
	return 0;
}

static int on_pong(struct single *s, unsigned from, struct cursor *c)
{
	uint64_t born = cursor_u64(c);

	if (holding(s) || from != s->holder || !cursor_done(c) || !born)
		return -EBADMSG;
	/* An older life's answer may come late; it says nothing about this one. */
	if (born < s->born)
		return 0;
	s->born = born;
	s->heard_ns = s->proto.io->now(s->proto.io);
	return 0;
}

static int on_attempt(struct single *s, unsigned from, struct cursor *c)
{
	size_t begin;
	struct forward_attempt a;
	struct forward_answer reply = {0};

	if (!holding(s) || forward_decode_attempt(c, &a))
		return -EBADMSG;
	/* Meant for an earlier life, which may have done it: only the sender's clock can end it. */
	if ((a.term != s->born && !PROTO_BUG(BUG_SINGLE_SERVES_EARLIER_LIFE)) ||
		!forward_admit(&s->forward, from, a.attempt))
		return 0;
	if (a.command.op != PROTO_GET) {
		begin = queue(s)->len;
		buf_add(&s->queued, a.bytes.p, a.bytes.len);
		append(s, from, &a, begin);
		return 0;
	}
	reply.slot = a.slot;
	reply.attempt = a.attempt;
	read_here(s, a.command.key, &reply.reply);
	answer(s, from, &reply);
	return 0;
}

static int on_answer(struct single *s, unsigned from, struct cursor *c)
{
	struct forward_answer a;

	if (holding(s) || from != s->holder || forward_decode_answer(c, &a))
		return -EBADMSG;
	forward_answered(&s->forward, &a);
	return 0;
}

static int single_message(struct proto *p, unsigned from, const void *bytes, size_t len)
{
	struct single *s = of(p);
	struct cursor c = cursor_over(bytes, len);

	if (from >= p->cfg.nodes || from == p->cfg.self)
		return -EBADMSG;
	switch (cursor_u8(&c)) {
	case PING:
		return on_ping(s, from, &c);
	case PONG:
		return on_pong(s, from, &c);
	case ATTEMPT:
		return on_attempt(s, from, &c);
	case ANSWER:
		return on_answer(s, from, &c);
	default:
		return -EBADMSG;
	}
}

/* The next writes up to record @seq, and what they will look up on its way to the cache. */
static unsigned next_writes(struct single *s, uint64_t seq, struct command ret[PERSISTED_BATCH])
{
	struct proto_bytes keys[PERSISTED_BATCH];
	const uint8_t *p = s->queued.p + s->queued_done;
	unsigned n = 0;

	for (; n < PERSISTED_BATCH; n++) {
		const struct write *w = ring_at(&s->writes, s->writes.first + n);
		int bad;

		if (!w || w->seq > seq)
			break;
		bad = decode_write(p, w->len, &ret[n]);
		assert(!bad); /* it was decoded or encoded here before */
		keys[n] = ret[n].key;
		p += w->len;
	}
	table_prefetch(s->proto.table, keys, n);
	return n;
}

static void single_persisted(struct proto *p, uint64_t seq)
{
	struct single *s = of(p);
	struct command batch[PERSISTED_BATCH];
	unsigned n;

	while ((n = next_writes(s, seq, batch)) > 0) {
		for (unsigned i = 0; i < n; i++) {
			const struct write *w = ring_front(&s->writes);
			struct forward_answer a = {.slot = w->slot, .attempt = w->attempt};
			unsigned origin = w->origin;

			s->queued_done += w->len;
			ring_pop(&s->writes);
			command_apply(p->table, &s->state, &batch[i], ++s->done, &a.reply);
			answer(s, origin, &a);
		}
	}
}

static void single_timer(struct proto *p, unsigned timer)
{
	struct single *s = of(p);
	struct proto_reply refusal = forward_refuse(FORWARD_LEADER_SILENT, 0, 0);

	if (timer == TIMER_PING)
		ping(s);
	else
		forward_expire(&s->forward, &refusal);
}

static void single_status(const struct proto *p, struct proto_status_view *ret)
{
	const struct single *s = (const struct single *)p;

	*ret = (struct proto_status_view){
		.role = holding(s) ? PROTO_LEADER : PROTO_FOLLOWER,
		.leader = (int)s->holder,
		.log_last = s->count,
		.committed = s->done,
		.applied = s->done,
		.pending = s->forward.pending,
		.ready = holding(s) || !deaf(s),
	};
}

static void single_invariant(const struct proto *p)
{
	const struct single *s = (const struct single *)p;

	assert(s->done + ring_count(&s->writes) == s->count);
	assert(holding(s) || s->count == 0);
	assert(s->forward.pending <= ring_count(&s->forward.slots));
}

const struct proto_ops single_ops = {
	.name = "single",
	.size = sizeof(struct single),
	.claim = single_claim,
	.floor_ns = single_floor_ns,
	.init = single_init,
	.restore = single_restore,
	.snapshot = single_snapshot,
	.describe = single_describe,
	.start = single_start,
	.request = single_request,
	.message = single_message,
	.persisted = single_persisted,
	.timer = single_timer,
	.status = single_status,
	.invariant = single_invariant,
	.fini = single_fini,
};
