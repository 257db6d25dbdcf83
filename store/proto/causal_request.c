/* SPDX-License-Identifier: MIT */
/*
 * causal_request.c - what clients ask of a causal replica
 *
 *   read:   (waiting, until all is visible that the session's token says) --> answered from here
 *   write:  (waiting) --> writing, until it is on disk here --> answered
 *
 * Nobody else is asked. Who waits is refused at the time-out; a write that the disk has not taken
 * by then is uncertain.
 */
#include <assert.h>
#include <stdlib.h>

#include "store/proto/causal_internal.h"

static void arm_next(struct causal *c)
{
	const struct causal_request *r;
	struct proto_io *io = c->proto.io;

	while ((r = ring_front(&c->requests)) && r->phase == CAUSAL_DONE)
		ring_pop(&c->requests);
	if (r && !c->armed)
		io->arm(io, CAUSAL_TIMER_REQUESTS, r->since_ns + c->proto.cfg.request_timeout_ns);
	c->armed = r;
}

static size_t block_len(const struct causal_request *r)
{
	return sizeof(struct token) + r->key_len + r->value_len;
}

static void unpark(struct causal *c, struct causal_request *r)
{
	c->request_bytes -= block_len(r);
	free(r->block);
	r->block = NULL;
}

static struct causal_request *add(struct causal *c, const struct proto_request *req)
{
	struct causal_request *r = ring_push(&c->requests);

	c->pending++;
	*r = (struct causal_request){
		.phase = CAUSAL_WRITING,
		.op = req->op,
		.ticket = req->ticket,
		.since_ns = c->proto.io->now(c->proto.io),
		.expires_ns = req->expires_ns,
	};
	return r;
}

static void park(struct causal *c, const struct proto_request *req)
{
	struct causal_request *r = add(c, req);
	uint8_t *at;

	r->phase = CAUSAL_WAITING;
	r->key_len = req->key.len;
	r->value_len = req->op == PROTO_SET ? req->value.len : 0;
	r->block = at = malloc(block_len(r));
	assert(at);
	memcpy(at, req->token, sizeof(struct token));
	at += sizeof(struct token);
	if (r->key_len)
		memcpy(at, req->key.p, r->key_len);
	if (r->value_len)
		memcpy(at + r->key_len, req->value.p, r->value_len);
	c->request_bytes += block_len(r);
	*(uint64_t *)ring_push(&c->parked) = c->requests.next - 1;
}

static void read_here(struct causal *c, uint64_t ticket, struct proto_bytes key)
{
	struct proto_io *io = c->proto.io;
	const struct table_entry *e = table_get(c->proto.table, key);
	struct proto_reply reply = {.status = PROTO_NIL, .token = &c->have};

	if (e)
		reply.version = e->version;
	if (!entry_gone(e, io->wall(io))) {
		reply.status = PROTO_OK;
		reply.value = e->value;
		reply.expires_ns = e->expires_ns;
	}
	io->reply(io, ticket, &reply);
}

/* Return: false if this replica's clock was so far ahead that others would put the write off. */
static bool write_here(struct causal *c, uint64_t request, const struct table_entry *from)
{
	struct causal_request *r = ring_at(&c->requests, request);
	uint64_t wall = c->proto.io->wall(c->proto.io);
	struct table_entry e = *from;

	if (c->clock.last > wall + CAUSAL_AHEAD_NS_MAX)
		return false;
	e.version = hlc_now(&c->clock, wall);
	e.origin = (uint16_t)c->proto.cfg.self;
	e.deleted = r->op == PROTO_DEL;
	r->existed = !entry_gone(table_get(c->proto.table, e.key), wall);
	causal_make(c, &e, request);
	return true;
}

static void done(struct causal *c, struct causal_request *r, const struct proto_reply *reply)
{
	r->phase = CAUSAL_DONE;
	c->pending--;
	c->proto.io->reply(c->proto.io, r->ticket, reply);
}

static void refuse(
	struct causal *c, struct causal_request *r, enum proto_status status, const char *why)
{
	struct proto_io *io = c->proto.io;
	struct proto_reply reply = {
		.status = status, .why = why, .waited_ns = io->now(io) - r->since_ns};

	if (r->phase == CAUSAL_WAITING)
		unpark(c, r);
	done(c, r, &reply);
}

static void begin_write(struct causal *c, uint64_t request, const struct table_entry *e)
{
	static const char why[] = "this replica's clock went back by more than a minute";

	if (!write_here(c, request, e))
		refuse(c, ring_at(&c->requests, request), PROTO_UNAVAILABLE, why);
}

void causal_request_done(struct causal *c, uint64_t request, uint64_t version)
{
	struct causal_request *r = ring_at(&c->requests, request);
	struct proto_reply reply = {.token = &c->have, .version = version};

	if (!r || r->phase != CAUSAL_WRITING)
		return;
	reply.status = r->op == PROTO_DEL && !r->existed ? PROTO_NIL : PROTO_OK;
	done(c, r, &reply);
}

/* One whose session has seen no more than this replica. */
static void serve_parked(struct causal *c, uint64_t request)
{
	struct causal_request *r = ring_at(&c->requests, request);
	uint8_t *block = r->block;
	struct table_entry e = {
		.key = {block + sizeof(struct token), r->key_len},
		.value = {block + sizeof(struct token) + r->key_len, r->value_len},
		.expires_ns = r->expires_ns,
	};

	r->block = NULL; /* until this is over */
	c->request_bytes -= block_len(r);
	if (r->op == PROTO_GET) {
		r->phase = CAUSAL_DONE;
		c->pending--;
		read_here(c, r->ticket, e.key);
	} else {
		r->phase = CAUSAL_WRITING;
		begin_write(c, request, &e);
	}
	free(block);
}

void causal_wake(struct causal *c)
{
	for (size_t n = ring_count(&c->parked); n > 0; n--) {
		uint64_t number = *(uint64_t *)ring_front(&c->parked);
		const struct causal_request *r = ring_at(&c->requests, number);

		ring_pop(&c->parked);
		if (!r || r->phase != CAUSAL_WAITING)
			continue; /* refused meanwhile */
		if (vclock_covers(&c->have, (const struct token *)(const void *)r->block))
			serve_parked(c, number);
		else
			*(uint64_t *)ring_push(&c->parked) = number;
	}
	arm_next(c);
}

/* Who waited longest comes first. */
static void drop_refused(struct causal *c)
{
	const uint64_t *number;

	while ((number = ring_front(&c->parked))) {
		const struct causal_request *r = ring_at(&c->requests, *number);

		if (r && r->phase == CAUSAL_WAITING)
			break;
		ring_pop(&c->parked);
	}
}

void causal_expire(struct causal *c)
{
	uint64_t now = c->proto.io->now(c->proto.io);
	struct causal_request *r;

	c->armed = false;
	for (uint64_t i = c->requests.first; (r = ring_at(&c->requests, i)); i++) {
		if (r->since_ns + c->proto.cfg.request_timeout_ns > now)
			break;
		if (r->phase == CAUSAL_WAITING)
			refuse(c, r, PROTO_UNAVAILABLE,
				"this replica lacks what the session has seen elsewhere");
		else if (r->phase == CAUSAL_WRITING)
			refuse(c, r, PROTO_UNCERTAIN, "the disk has not taken it yet");
	}
	drop_refused(c);
	arm_next(c);
}

static bool refused(struct causal *c, const struct proto_request *req)
{
	struct proto_io *io = c->proto.io;
	struct proto_reply reply = {.status = PROTO_UNAVAILABLE};

	if (entry_depends(req)) {
		reply.status = PROTO_UNSUPPORTED;
		reply.why = "the last write wins here: no write depends on what was there";
	} else if (c->pending >= CAUSAL_REQUESTS_MAX ||
		   ring_count(&c->requests) >= CAUSAL_SLOTS_MAX ||
		   c->request_bytes > CAUSAL_REQUEST_BYTES_MAX ||
		   (req->op != PROTO_GET && c->disk_bytes > CAUSAL_DISK_BYTES_MAX)) {
		reply.why = "too many requests are waiting here";
	} else {
		return false;
	}
	io->reply(io, req->ticket, &reply);
	return true;
}

void causal_request(struct proto *p, const struct proto_request *req)
{
	struct causal *c = causal_of(p);
	struct table_entry e = {.key = req->key};

	if (refused(c, req))
		return;
	if (req->token && !vclock_covers(&c->have, req->token) &&
		!PROTO_BUG(BUG_CAUSAL_TOKEN_IGNORED)) {
		park(c, req);
	} else if (req->op == PROTO_GET) {
		read_here(c, req->ticket, req->key);
	} else {
		if (req->op == PROTO_SET) {
			e.value = req->value;
			e.expires_ns = req->expires_ns;
		}
		add(c, req);
		begin_write(c, c->requests.next - 1, &e);
	}
	arm_next(c);
}

void causal_request_fini(struct causal *c)
{
	for (uint64_t i = c->requests.first; i < c->requests.next; i++)
		free(((struct causal_request *)ring_at(&c->requests, i))->block);
	ring_fini(&c->requests);
	ring_fini(&c->parked);
}
