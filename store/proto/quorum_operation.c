/* SPDX-License-Identifier: MIT */
/* quorum_operation.c - what clients ask: levels, reads with repair, writes, refusals, time-outs */
#include <assert.h>
#include <stdlib.h>

#include "store/proto/quorum_internal.h"

static unsigned copies(const struct quorum *q)
{
	return quorum_copies(&q->proto.cfg);
}

static unsigned at_most(const struct proto_config *cfg, unsigned n)
{
	return n < quorum_copies(cfg) ? n : quorum_copies(cfg);
}

unsigned quorum_need(const struct proto_config *cfg, enum proto_level level, bool write)
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
		return quorum_copies(cfg) / 2 + 1;
	case PROTO_ALL:
		return quorum_copies(cfg);
	case PROTO_ONE:
	case PROTO_DEFAULT:
	case PROTO_LEVEL_NR:
		break;
	}
	return 1;
}

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

	if (!entry_gone(e, q->proto.io->wall(q->proto.io))) {
		reply.status = PROTO_OK;
		reply.value = e->value;
		reply.expires_ns = e->expires_ns;
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

/* Replicas that have a write, and those that another one stands in for. */
static unsigned counted(const struct quorum_operation *op)
{
	unsigned count = op->answered.count;

	for (size_t i = 0; op->stood.count && i < sizeof(op->stood.bits) / sizeof(uint64_t); i++)
		count += (unsigned)__builtin_popcountll(op->stood.bits[i] & ~op->answered.bits[i]);
	return count;
}

/* Time is over: say what is known, note who lacks the write. */
static void expire(struct quorum *q, struct quorum_operation *op)
{
	bool write = op->phase == QUORUM_WRITING;
	struct proto_reply reply = {
		.status = write && !PROTO_BUG(BUG_QUORUM_DENIES) ? PROTO_UNCERTAIN
								 : PROTO_UNAVAILABLE,
		.have = (uint16_t)(op->phase == QUORUM_REPAIRING ? op->holders.count : counted(op)),
		.need = (uint16_t)op->need,
		.waited_ns = q->proto.io->now(q->proto.io) - op->since_ns,
	};

	for (unsigned i = 0; write && i < copies(q); i++)
		if (i != q->proto.cfg.self && !node_set_has(&op->answered, i) &&
			!node_set_has(&op->stood, i))
			quorum_hint_write(q, i, &op->newest);
	if (!op->replied)
		answer(q, op, &reply);
	forget(q, op);
}

void quorum_expire(struct quorum *q)
{
	uint64_t now = q->proto.io->now(q->proto.io);
	struct quorum_operation *op;

	while ((op = ring_front(&q->ops)) && op->since_ns + q->proto.cfg.request_timeout_ns <= now)
		expire(q, op);
	arm_next(q);
}

void quorum_stood_in(struct quorum *q, uint64_t id, unsigned by, unsigned whom)
{
	struct quorum_operation *op = ring_at(&q->ops, id);

	if (op && op->phase == QUORUM_WRITING && q->proto.cfg.sloppy)
		node_set_add(&op->stood, whom);
	quorum_acknowledged(q, id, by);
}

void quorum_acknowledged(struct quorum *q, uint64_t id, unsigned by)
{
	struct quorum_operation *op = ring_at(&q->ops, id);

	if (!op || op->phase == QUORUM_DONE || op->phase == QUORUM_ASKING)
		return;
	if (op->phase == QUORUM_REPAIRING) {
		node_set_add(&op->holders, by);
		if (op->holders.count >= op->need)
			answer_read(q, op);
		return;
	}
	node_set_add(&op->answered, by);
	if (counted(op) >= op->need && !op->replied)
		answer_write(q, op);
	if (op->answered.count == copies(q))
		forget(q, op);
}

/* Enough have answered: bring those among them up to date that lack the newest. */
static void repair(struct quorum *q, uint64_t id, struct quorum_operation *op)
{
	if (op->holders.count >= op->need || !op->newest.version || q->proto.cfg.unrepaired ||
		PROTO_BUG(BUG_QUORUM_READS_WITHOUT_REPAIR)) {
		answer_read(q, op);
		return;
	}
	op->phase = QUORUM_REPAIRING;
	for (unsigned i = 0; i < copies(q); i++) {
		if (!node_set_has(&op->answered, i) || node_set_has(&op->holders, i))
			continue;
		if (i == q->proto.cfg.self)
			quorum_store(q, &op->newest, i, QUORUM_WRITTEN, id);
		else
			quorum_send_entry(q, i, QUORUM_WRITE, id, &op->newest);
	}
}

static void take_newest(struct quorum *q, struct quorum_operation *op, const struct table_entry *e)
{
	q->bytes -= (size_t)op->newest.key.len + op->newest.value.len;
	free(op->key);
	op->key = entry_copy(&op->newest, e);
	q->bytes += (size_t)e->key.len + e->value.len;
	op->holders = (struct node_set){0};
}

/* The read has been answered without @by, who answers now: nobody waits for this repair. */
static void repair_late(struct quorum *q, unsigned by, const struct table_entry *e)
{
	const struct table_entry *mine = table_get(q->proto.table, e->key);

	if (entry_newer(mine, e) && !q->proto.cfg.unrepaired)
		quorum_send_entry(q, by, QUORUM_WRITE, 0, mine);
}

void quorum_found(struct quorum *q, uint64_t id, unsigned by, const struct table_entry *e)
{
	struct quorum_operation *op = ring_at(&q->ops, id);

	/* An answer to a question of an earlier life may have the number of this one. */
	if (!op || (op->phase != QUORUM_ASKING && op->phase != QUORUM_REPAIRING) ||
		op->newest.key.len != e->key.len ||
		(e->key.len && memcmp(op->newest.key.p, e->key.p, e->key.len) != 0)) {
		repair_late(q, by, e);
		return;
	}
	if (op->phase == QUORUM_REPAIRING) {
		/* A late answer is not waited for, but it counts if it is as new. */
		if (!entry_newer(&op->newest, e))
			quorum_acknowledged(q, id, by);
		else
			quorum_send_entry(q, by, QUORUM_WRITE, id, &op->newest);
		return;
	}
	if (entry_newer(e, &op->newest) || (PROTO_BUG(BUG_QUORUM_READS_LAST_ANSWER) && e->version))
		take_newest(q, op, e);
	if (!entry_newer(&op->newest, e))
		node_set_add(&op->holders, by);
	node_set_add(&op->answered, by);
	if (op->answered.count >= op->need)
		repair(q, id, op);
}

static void read_here(struct quorum *q, uint64_t id, struct proto_bytes key)
{
	const struct table_entry *e = table_get(q->proto.table, key);
	struct table_entry nothing = {.key = key};

	quorum_found(q, id, q->proto.cfg.self, e ? e : &nothing);
}

static void start_read(
	struct quorum *q, uint64_t id, struct quorum_operation *op, struct proto_bytes key)
{
	struct table_entry nothing = {.key = key};
	bool others = op->need > 1 || !quorum_keeps(q);

	op->phase = QUORUM_ASKING;
	op->key = entry_copy(&op->newest, &nothing);
	q->bytes += key.len;
	for (unsigned i = 0; others && i < copies(q); i++)
		if (i != q->proto.cfg.self)
			quorum_send_entry(q, i, QUORUM_READ, id, &nothing);
	if (quorum_keeps(q))
		read_here(q, id, key);
}

static void send_stand_in(
	struct quorum *q, unsigned to, uint64_t id, unsigned whom, const struct table_entry *e)
{
	struct proto_io *io = q->proto.io;
	struct buf b = {0};

	buf_u8(&b, QUORUM_STAND_IN);
	buf_u64(&b, id);
	buf_u64(&b, q->peer[to].stamp);
	buf_u16(&b, (uint16_t)whom);
	entry_encode(&b, e);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

/* The next replica from @i on that is not heard; the number of replicas if there is none. */
static unsigned next_deaf(const struct quorum *q, unsigned i)
{
	while (i < copies(q) && quorum_alive(q, i))
		i++;
	return i;
}

/* To all others; with sloppy quorums, each living one stands in for one that is not heard. */
static void send_write(struct quorum *q, uint64_t id, const struct table_entry *e)
{
	unsigned whom = q->proto.cfg.sloppy ? next_deaf(q, 0) : copies(q);

	for (unsigned i = 0; i < copies(q); i++) {
		if (i == q->proto.cfg.self)
			continue;
		if (whom == copies(q) || !quorum_alive(q, i)) {
			quorum_send_entry(q, i, QUORUM_WRITE, id, e);
			continue;
		}
		send_stand_in(q, i, id, whom, e);
		whom = next_deaf(q, whom + 1);
	}
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

	if (req->op == PROTO_SET) {
		e.value = req->value;
		e.expires_ns = req->expires_ns;
	}
	/* Wall clocks may stand still or go back; the versions of a coordinator may not. */
	q->clock = wall > q->clock ? wall : q->clock + 1;
	e.version = q->clock;
	op->phase = QUORUM_WRITING;
	/* Who has no copy cannot know. */
	op->existed = !quorum_keeps(q) || !entry_gone(old, wall);
	op->key = entry_copy(&op->newest, &e);
	q->bytes += (size_t)e.key.len + e.value.len;
	send_write(q, id, &e);
	if (quorum_keeps(q))
		quorum_store(q, &e, q->proto.cfg.self, QUORUM_WRITTEN, id);
}

unsigned quorum_reachable(const struct quorum *q, bool write)
{
	unsigned alive = 0, stand_in = 0;

	for (unsigned i = 0; i < copies(q); i++)
		alive += quorum_alive(q, i);
	if (write && q->proto.cfg.sloppy && alive > 0)
		stand_in = copies(q) - alive < alive - 1 ? copies(q) - alive : alive - 1;
	return alive + stand_in;
}

static bool refuse(struct quorum *q, const struct proto_request *req, unsigned need)
{
	struct proto_reply reply = {.status = PROTO_UNAVAILABLE, .need = (uint16_t)need};
	struct proto_io *io = q->proto.io;

	reply.have = (uint16_t)quorum_reachable(q, req->op != PROTO_GET);
	if (entry_depends(req)) {
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

void quorum_request(struct proto *p, const struct proto_request *req)
{
	struct quorum *q = quorum_of(p);
	unsigned need = quorum_need(&p->cfg, req->level, req->op != PROTO_GET);
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
