/* SPDX-License-Identifier: MIT */
/* abd_operation.c - reads and writes of a shared register: ask a majority, store at a majority */
#include <assert.h>
#include <stdlib.h>

#include "store/proto/abd_internal.h"

unsigned abd_need(const struct proto_config *cfg, enum proto_level level, bool write)
{
	if (level == PROTO_DEFAULT)
		level = write ? cfg->write_level : cfg->read_level;
	return level == PROTO_ALL ? cfg->nodes : cfg->nodes / 2 + 1;
}

static uint64_t now_of(const struct abd *a)
{
	return a->proto.io->now(a->proto.io);
}

static void arm_next(struct abd *a)
{
	const struct abd_operation *op = ring_front(&a->ops);
	struct proto_io *io = a->proto.io;

	a->armed = op;
	if (op)
		io->arm(io, ABD_TIMER_OPERATIONS, op->since_ns + a->proto.cfg.request_timeout_ns);
}

static void forget(struct abd *a, struct abd_operation *op)
{
	a->bytes -= (size_t)op->entry.key.len + op->entry.value.len;
	free(op->key);
	op->key = NULL;
	op->phase = ABD_DONE;
	while ((op = ring_front(&a->ops)) && op->phase == ABD_DONE)
		ring_pop(&a->ops);
}

static void answer(struct abd *a, struct abd_operation *op, struct proto_reply *reply)
{
	struct proto_io *io = a->proto.io;

	assert(!op->replied);
	op->replied = true;
	a->pending--;
	io->reply(io, op->ticket, reply);
}

static void answer_read(struct abd *a, struct abd_operation *op)
{
	const struct table_entry *e = &op->entry;
	struct proto_reply reply = {.status = PROTO_NIL, .version = e->version};

	if (!entry_gone(e, a->proto.io->wall(a->proto.io))) {
		reply.status = PROTO_OK;
		reply.value = e->value;
		reply.expires_ns = e->expires_ns;
	}
	answer(a, op, &reply);
	forget(a, op);
}

static void answer_write(struct abd *a, struct abd_operation *op)
{
	struct proto_reply reply = {.status = PROTO_OK, .version = op->entry.version};

	if (op->op == PROTO_DEL && !op->existed)
		reply.status = PROTO_NIL;
	answer(a, op, &reply);
}

/* Time is over: what was only asked has changed nothing. */
static void expire(struct abd *a, struct abd_operation *op)
{
	bool sent = op->phase == ABD_STORING;
	struct proto_reply reply = {
		.status = sent && op->op != PROTO_GET ? PROTO_UNCERTAIN : PROTO_UNAVAILABLE,
		.have = (uint16_t)(sent ? op->holders.count : op->answered.count),
		.need = (uint16_t)op->need,
		.waited_ns = now_of(a) - op->since_ns,
	};

	if (op->phase == ABD_RESERVING)
		reply = (struct proto_reply){.status = PROTO_UNAVAILABLE,
			.why = "the disk is too slow",
			.waited_ns = reply.waited_ns};
	if (!op->replied)
		answer(a, op, &reply);
	forget(a, op);
}

void abd_expire(struct abd *a)
{
	struct abd_operation *op;

	while ((op = ring_front(&a->ops)) &&
		op->since_ns + a->proto.cfg.request_timeout_ns <= now_of(a))
		expire(a, op);
	arm_next(a);
}

/* Send what the phase asks for to all who have not answered it. */
static void send_all(struct abd *a, uint64_t id, const struct abd_operation *op, bool again)
{
	bool store = op->phase == ABD_STORING;
	const struct node_set *done = store ? &op->holders : &op->answered;

	for (unsigned i = 0; i < abd_nodes(a); i++) {
		if (i == a->proto.cfg.self || node_set_has(done, i))
			continue;
		if (again && !heard_alive(&a->heard, i))
			continue;
		a->resent += again;
		if (store)
			abd_send_entry(a, i, ABD_STORE, id, &op->entry);
		else
			abd_send_key(
				a, i, op->op == PROTO_GET ? ABD_READ : ABD_ASK, id, op->entry.key);
	}
}

static void send_first(struct abd *a, uint64_t id, struct abd_operation *op)
{
	op->wait_ns = ABD_RESEND_HEARTBEATS * a->proto.cfg.heartbeat_ns;
	op->resend_ns = now_of(a) + op->wait_ns;
	send_all(a, id, op, false);
}

void abd_resend(struct abd *a)
{
	for (uint64_t id = a->ops.first; id < a->ops.next; id++) {
		struct abd_operation *op = ring_at(&a->ops, id);

		if ((op->phase != ABD_ASKING && op->phase != ABD_STORING) ||
			op->resend_ns > now_of(a))
			continue;
		op->wait_ns *= 2;
		op->resend_ns = now_of(a) + op->wait_ns;
		send_all(a, id, op, true);
	}
}

/* The second round. Of a read some may have answered that they hold it. */
static void start_store(struct abd *a, uint64_t id, struct abd_operation *op)
{
	op->phase = ABD_STORING;
	send_first(a, id, op);
	if (!node_set_has(&op->holders, a->proto.cfg.self))
		abd_store(a, &op->entry, a->proto.cfg.self, id, true);
}

static void enough_stored(struct abd *a, struct abd_operation *op)
{
	if (op->holders.count < op->need)
		return;
	if (op->op == PROTO_GET) {
		answer_read(a, op);
		return;
	}
	if (!op->replied)
		answer_write(a, op);
	if (op->holders.count == abd_nodes(a))
		forget(a, op);
}

void abd_stored(struct abd *a, uint64_t id, unsigned by)
{
	struct abd_operation *op = ring_at(&a->ops, id);

	if (!op || op->phase != ABD_STORING)
		return;
	node_set_add(&op->holders, by);
	enough_stored(a, op);
}

static void read_asked(struct abd *a, uint64_t id, struct abd_operation *op)
{
	bool told = op->holders.count >= op->need || !op->entry.version;

	a->one_round += told;
	a->two_rounds += !told;
	/* Paper, section 3: a reader makes a majority have what it returns, or a later one could
	 * return less. */
	if (told || (PROTO_BUG(BUG_ABD_READS_WITHOUT_WRITE_BACK) && op->need < abd_nodes(a)))
		answer_read(a, op);
	else
		start_store(a, id, op);
}

static void write_asked(struct abd *a, uint64_t id, struct abd_operation *op)
{
	struct proto_reply full = {
		.status = PROTO_UNAVAILABLE, .why = "this key has no more versions"};
	uint64_t top = op->top.version > a->clock ? op->top.version : a->clock;

	if (top >= ENTRY_VERSION_MAX - ABD_RESERVE) {
		answer(a, op, &full);
		forget(a, op);
		return;
	}
	op->existed = !entry_gone(&op->top, a->proto.io->wall(a->proto.io));
	op->entry.version = PROTO_BUG(BUG_ABD_REUSES_TIMESTAMP) ? op->top.version + 1 : top + 1;
	/* Numbers of one replica rise: those of its own writes that are under way are known. */
	a->clock = top + 1;
	if (a->clock + ABD_RESERVE / 2 > a->reserving)
		abd_reserve(a, a->clock);
	if (op->entry.version <= a->reserved)
		start_store(a, id, op);
	else
		op->phase = ABD_RESERVING;
}

void abd_reserved(struct abd *a)
{
	for (uint64_t id = a->ops.first; id < a->ops.next; id++) {
		struct abd_operation *op = ring_at(&a->ops, id);

		if (op->phase == ABD_RESERVING && op->entry.version <= a->reserved)
			start_store(a, id, op);
	}
}

static void take_newest(struct abd *a, struct abd_operation *op, const struct table_entry *e)
{
	a->bytes -= (size_t)op->entry.key.len + op->entry.value.len;
	free(op->key);
	op->key = entry_copy(&op->entry, e);
	a->bytes += (size_t)e->key.len + e->value.len;
	op->holders = (struct node_set){0};
}

static void found_by_read(
	struct abd *a, struct abd_operation *op, unsigned by, const struct table_entry *e)
{
	if (abd_later(e, &op->entry))
		take_newest(a, op, e);
	if (!abd_later(&op->entry, e))
		node_set_add(&op->holders, by);
}

static void found_by_write(struct abd_operation *op, const struct table_entry *e)
{
	if (!abd_later(e, &op->top))
		return;
	op->top = *e;
	op->top.key = op->top.value = (struct proto_bytes){0};
}

void abd_found(struct abd *a, uint64_t id, unsigned by, const struct table_entry *e)
{
	struct abd_operation *op = ring_at(&a->ops, id);
	struct proto_bytes key = e->key;

	/* An answer to a question of an earlier life may have the number of this one. */
	if (!op || op->phase == ABD_DONE || op->entry.key.len != key.len ||
		(key.len && memcmp(op->entry.key.p, key.p, key.len) != 0))
		return;
	if (op->phase == ABD_STORING && op->op == PROTO_GET && !abd_later(&op->entry, e))
		abd_stored(a, id, by); /* late, and it has what is being told */
	if (op->phase != ABD_ASKING)
		return;
	if (op->op == PROTO_GET)
		found_by_read(a, op, by, e);
	else
		found_by_write(op, e);
	node_set_add(&op->answered, by);
	if (op->op == PROTO_GET && op->answered.count >= op->need)
		read_asked(a, id, op);
	else if (op->op != PROTO_GET && op->answered.count > abd_nodes(a) / 2)
		write_asked(a, id, op);
}

static bool refuse(struct abd *a, const struct proto_request *req, unsigned need)
{
	struct proto_reply reply = {.status = PROTO_UNAVAILABLE, .need = (uint16_t)need};
	struct proto_io *io = a->proto.io;

	reply.have = (uint16_t)heard_count(&a->heard);
	if (entry_depends(req))
		reply = (struct proto_reply){.status = PROTO_UNSUPPORTED,
			.why = "a register is read or written: no write depends on what was there"};
	else if (reply.have < need)
		reply.why = "too few replicas can be reached";
	else if (ring_count(&a->ops) >= ABD_OPERATIONS_MAX || a->bytes > ABD_OPERATION_BYTES_MAX)
		reply = (struct proto_reply){
			.status = PROTO_UNAVAILABLE, .why = "too many requests are waiting here"};
	else
		return false;
	io->reply(io, req->ticket, &reply);
	return true;
}

/* The question goes to this replica itself, too, which answers at once. */
static void start(struct abd *a, uint64_t id, struct abd_operation *op)
{
	struct table_entry mine = {.key = op->entry.key};

	op->phase = ABD_ASKING;
	send_first(a, id, op);
	(void)table_find(a->proto.table, mine.key, &mine);
	abd_found(a, id, a->proto.cfg.self, &mine);
}

void abd_request(struct proto *p, const struct proto_request *req)
{
	struct abd *a = abd_of(p);
	unsigned need = abd_need(&p->cfg, req->level, req->op != PROTO_GET);
	struct table_entry e = {.key = req->key};
	struct abd_operation *op;

	if (refuse(a, req, need))
		return;
	if (req->op == PROTO_SET) {
		e.value = req->value;
		e.expires_ns = req->expires_ns;
	}
	e.deleted = req->op == PROTO_DEL;
	e.origin = req->op == PROTO_GET ? 0 : (uint16_t)p->cfg.self;
	op = ring_push(&a->ops);
	*op = (struct abd_operation){
		.op = req->op,
		.need = need,
		.ticket = req->ticket,
		.since_ns = now_of(a),
	};
	op->key = entry_copy(&op->entry, &e);
	a->bytes += (size_t)e.key.len + e.value.len;
	a->pending++;
	start(a, a->ops.next - 1, op);
	if (!a->armed)
		arm_next(a);
}
