/* SPDX-License-Identifier: MIT */
/*
 * raft_session.c - what a session has seen, and what waits here until that is applied here
 *
 * A session's token is one number: an index of the log, that of the last write that it was
 * answered, or that its last read was as of, whichever is higher. A replica that reads its own
 * table for the session first waits until it has applied so much. All replicas apply the same
 * commands in one order; what a session sees only moves forward in it, wherever the session goes,
 * and a write that it asks for next comes later than all that it has seen: that is sequential
 * consistency (Lamport 1979), with the log as the order.
 *
 * Who has no token is told what is here.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/proto/raft_internal.h"

static void seen(struct raft *r, uint64_t index, struct proto_reply *reply)
{
	if (!index)
		return;
	r->token.n = 1;
	r->token.at[0] = index;
	reply->token = &r->token;
}

void raft_session_finish(struct raft *r, struct forward_answer *a)
{
	seen(r, a->index, &a->reply);
	forward_finish(&r->forward, a->slot, &a->reply);
}

static void read_key(struct raft *r, struct proto_bytes key, struct proto_reply *reply)
{
	struct proto_io *io = r->proto.io;

	command_read(r->proto.table, key, command_now(&r->state, io->wall(io)), reply);
	seen(r, r->applied, reply);
}

/* What this replica has, for a request that has waited. */
static void read_slot(struct raft *r, uint64_t slot)
{
	const struct forward_request *req = forward_at(&r->forward, slot);
	struct cursor c = cursor_over(req->bytes, req->len);
	struct proto_reply reply;
	struct command command;
	int bad = command_decode(&c, &command);

	assert(!bad); /* it was encoded here */
	read_key(r, command.key, &reply);
	forward_finish(&r->forward, slot, &reply);
}

static bool here(const struct raft *r, uint64_t index)
{
	return r->applied >= index && raft_exact(r);
}

static void wait_for(struct raft *r, uint64_t slot, uint64_t index, struct proto_bytes answer)
{
	struct raft_wait *w = ring_push(&r->waits);

	*w = (struct raft_wait){.slot = slot, .index = index, .len = answer.len};
	if (answer.len) {
		w->answer = malloc(answer.len);
		assert(w->answer);
		memcpy(w->answer, answer.p, answer.len);
		r->waits_bytes += answer.len;
	}
	if (ring_count(&r->waits) == 1 || index < r->waits_least)
		r->waits_least = index;
}

static void release(struct raft *r, struct raft_wait *w)
{
	r->waits_bytes -= w->len;
	free(w->answer);
}

void raft_session_fini(struct raft *r)
{
	struct raft_wait *w;

	for (; (w = ring_front(&r->waits)); ring_pop(&r->waits))
		release(r, w);
	ring_fini(&r->waits);
}

static void tell(struct raft *r, const struct raft_wait *w)
{
	struct cursor c = cursor_over(w->answer, w->len);
	struct forward_answer a;
	int bad;

	if (!w->answer) {
		read_slot(r, w->slot);
		return;
	}
	bad = forward_decode_answer(&c, &a);
	assert(!bad); /* checked when it came */
	a.index = w->index;
	raft_session_finish(r, &a);
}

void raft_session_applied(struct raft *r)
{
	uint64_t end = r->waits.next;

	if (!ring_count(&r->waits) || !here(r, r->waits_least))
		return;
	r->waits_least = UINT64_MAX;
	while (r->waits.first < end) {
		struct raft_wait w = *(struct raft_wait *)ring_front(&r->waits);
		bool waits = forward_at(&r->forward, w.slot);

		ring_pop(&r->waits);
		if (waits && !here(r, w.index)) {
			*(struct raft_wait *)ring_push(&r->waits) = w;
			if (w.index < r->waits_least)
				r->waits_least = w.index;
			continue;
		}
		if (waits)
			tell(r, &w);
		release(r, &w);
	}
}

/* It may be done, but here it cannot be read yet, and nothing more can be kept until then. */
static void no_room(struct raft *r, uint64_t slot, bool write)
{
	struct proto_reply refusal = forward_refuse(FORWARD_BUSY, 0, 0);

	if (write)
		refusal.status = PROTO_UNCERTAIN;
	forward_finish(&r->forward, slot, &refusal);
}

/*
 * Where reads are of the own table (zab), who asks here is told of a write when it can be read
 * here, and a sync is answered with the place in the log that its read must be as of.
 */
void raft_session_answered(struct raft *r, struct forward_answer *a, struct proto_bytes bytes)
{
	const struct forward_request *req = forward_at(&r->forward, a->slot);
	const struct proto_bytes reads = {0};
	bool sync;

	if (!req || req->state != FORWARD_SENT || req->attempt != a->attempt)
		return;
	sync = r->kind && !req->write && a->reply.status == PROTO_OK;
	if (sync && !req->bytes)
		return; /* it was never sent: nobody has answered it */
	if (!r->kind || here(r, a->index)) {
		if (sync)
			read_slot(r, a->slot);
		else
			raft_session_finish(r, a);
	} else if (sync || r->waits_bytes <= RAFT_WAITS_BYTES) {
		wait_for(r, a->slot, a->index, sync ? reads : bytes);
	} else {
		no_room(r, a->slot, req->write);
	}
}

void raft_session_read(struct raft *r, const struct proto_request *req)
{
	uint64_t index = req->token && req->token->n ? req->token->at[0] : 0;
	struct proto_reply reply;
	uint64_t slot;

	if (here(r, index) || PROTO_BUG(BUG_SESSION_IGNORES_TOKEN)) {
		read_key(r, req->key, &reply);
		r->proto.io->reply(r->proto.io, req->ticket, &reply);
		return;
	}
	slot = forward_add(&r->forward, req, true);
	if (!slot)
		return;
	forward_at(&r->forward, slot)->here = true;
	wait_for(r, slot, index, (struct proto_bytes){0});
}
