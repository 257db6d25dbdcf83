/* SPDX-License-Identifier: MIT */
/* forward.c - requests that one replica serves for all */
#include "store/proto/forward.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

const char *const forward_why_text[] = {
	[FORWARD_COUNTS] = NULL,
	[FORWARD_BUSY] = "too many requests are waiting here",
	[FORWARD_NO_LEADER] = "no leader",
	[FORWARD_NOT_LEADER] = "not the leader",
	[FORWARD_DEPOSED] = "the leader was deposed",
	[FORWARD_LEADER_SILENT] = "the leader did not answer",
	[FORWARD_HOLDER_GONE] = "the replica that holds the data cannot be reached",
	[FORWARD_TOO_LARGE] = "value and expected value together are too large",
	[FORWARD_NO_REPLICA] = "there is no such replica",
	[FORWARD_CHANGING] = "another change is under way",
	[FORWARD_LAST_VOTER] = "the last voter cannot be removed",
	[FORWARD_BEHIND] = "it has not caught up with the log in time",
	[FORWARD_NO_VOTER] = "it does not vote",
	[FORWARD_NOT_HANDED] = "it did not become the leader in time",
	[FORWARD_ASK_ITSELF] = "the primary is not heard: ask the replica that is to take over",
	[FORWARD_UNSEEN] = "this replica has not seen yet what the session has",
	[FORWARD_EXPIRED] = "the copy here has expired: the primary did not confirm it",
	[FORWARD_NO_SERVER] = "nobody who has the data answered",
};
_Static_assert(sizeof(forward_why_text) / sizeof(*forward_why_text) == FORWARD_WHY_NR,
	"a text for each reason");

void forward_init(struct forward *f, struct proto *p, unsigned timer)
{
	*f = (struct forward){.p = p, .timer = timer};
	ring_init(&f->slots, sizeof(struct forward_request), 1);
	f->window = calloc(p->cfg.nodes, sizeof(struct forward_window *));
	assert(f->window);
}

void forward_start(struct forward *f)
{
	uint64_t now = f->p->io->now(f->p->io);

	/* Above all numbers of an earlier life: nobody sends one attempt per nanosecond. */
	if (PROTO_BUG(BUG_FORWARD_NUMBERS_RESTART))
		now = 0;
	f->attempt_next = now + 1;
	ring_init(&f->slots, sizeof(struct forward_request), now + 1);
}

static void release(struct forward *f, struct forward_request *r)
{
	f->bytes -= r->len;
	f->pending--;
	free(r->bytes);
	r->bytes = NULL;
	r->len = 0;
	r->state = FORWARD_DONE;
}

static void drop_answered(struct forward *f)
{
	struct forward_request *r;

	while ((r = ring_front(&f->slots)) && r->state == FORWARD_DONE)
		ring_pop(&f->slots);
}

void forward_fini(struct forward *f)
{
	for (uint64_t i = f->slots.first; i < f->slots.next; i++)
		free(((struct forward_request *)ring_at(&f->slots, i))->bytes);
	ring_fini(&f->slots);
	for (unsigned i = 0; i < f->p->cfg.nodes; i++)
		free(f->window[i]);
	free(f->window);
}

struct proto_reply forward_refuse(enum forward_why why, unsigned have, unsigned need)
{
	return (struct proto_reply){
		.status = PROTO_UNAVAILABLE,
		.why = forward_why_text[why],
		.have = (uint16_t)have,
		.need = (uint16_t)need,
	};
}

static void arm_next(struct forward *f)
{
	const struct forward_request *r = ring_front(&f->slots);
	struct proto_io *io = f->p->io;

	f->armed = r;
	if (r)
		io->arm(io, f->timer, r->since_ns + f->p->cfg.request_timeout_ns);
}

static bool full(const struct forward *f)
{
	return ring_count(&f->slots) == FORWARD_REQUESTS_MAX || f->bytes > FORWARD_BYTES_MAX;
}

static uint64_t push(struct forward *f, const struct forward_request *req)
{
	struct forward_request *r = ring_push(&f->slots);

	*r = *req;
	r->state = FORWARD_HELD;
	r->since_ns = f->p->io->now(f->p->io);
	f->bytes += r->len;
	f->pending++;
	if (!f->armed)
		arm_next(f);
	return f->slots.next - 1;
}

uint64_t forward_add(struct forward *f, const struct proto_request *req, bool keep)
{
	struct command c = command_of(req);
	struct proto_io *io = f->p->io;
	struct proto_reply refusal = {.status = PROTO_OK};
	struct buf b = {0};

	if (!command_fits(&c)) {
		refusal = forward_refuse(FORWARD_TOO_LARGE, 0, 0);
		refusal.status = PROTO_UNSUPPORTED;
	} else if (full(f)) {
		refusal = forward_refuse(FORWARD_BUSY, 0, 0);
	}
	if (refusal.status != PROTO_OK) {
		io->reply(io, req->ticket, &refusal);
		return 0;
	}
	if (keep)
		command_encode(&b, &c);
	return push(f, &(struct forward_request){
			       .write = req->op != PROTO_GET,
			       .level = req->level ? req->level : f->p->cfg.read_level,
			       .ticket = req->ticket,
			       .bytes = b.p,
			       .len = (uint32_t)b.len,
		       });
}

uint64_t forward_add_order(struct forward *f, uint64_t ticket, const void *bytes, size_t len)
{
	struct buf b = {0};

	if (full(f)) {
		struct proto_reply refusal = forward_refuse(FORWARD_BUSY, 0, 0);

		f->p->io->reply(f->p->io, ticket, &refusal);
		return 0;
	}
	buf_add(&b, bytes, len);
	return push(f, &(struct forward_request){
			       .write = true,
			       .order = true,
			       .ticket = ticket,
			       .bytes = b.p,
			       .len = (uint32_t)b.len,
		       });
}

void forward_finish(struct forward *f, uint64_t slot, struct proto_reply *reply)
{
	struct forward_request *r = forward_at(f, slot);
	struct proto_io *io = f->p->io;

	if (!r)
		return;
	if (reply->status == PROTO_UNAVAILABLE || reply->status == PROTO_UNCERTAIN)
		reply->waited_ns = io->now(io) - r->since_ns;
	io->reply(io, r->ticket, reply);
	release(f, r);
	drop_answered(f);
}

void forward_send(struct forward *f, uint64_t slot, unsigned to, uint8_t type, uint64_t term)
{
	struct forward_request *r = forward_at(f, slot);
	struct proto_io *io = f->p->io;
	struct buf b = {0};

	assert(r && r->bytes);
	r->state = FORWARD_SENT;
	r->attempt = f->attempt_next++;
	buf_u8(&b, type);
	buf_u64(&b, term);
	buf_u64(&b, slot);
	buf_u64(&b, r->attempt);
	buf_add(&b, r->bytes, r->len);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

void forward_expire(struct forward *f, const struct proto_reply *refusal)
{
	struct proto_io *io = f->p->io;
	uint64_t now = io->now(io);
	struct forward_request *r;

	/* All wait equally long, so the first to come is the first to be overdue. */
	while ((r = ring_front(&f->slots)) && r->since_ns + f->p->cfg.request_timeout_ns <= now) {
		struct proto_reply reply = *refusal;

		if (r->here)
			reply = forward_refuse(FORWARD_UNSEEN, 0, 0);
		if (r->write && r->state == FORWARD_SENT && !PROTO_BUG(BUG_FORWARD_DENIES))
			reply.status = PROTO_UNCERTAIN;
		forward_finish(f, f->slots.first, &reply);
	}
	arm_next(f);
}

static bool admit(struct forward_window *w, uint64_t number)
{
	uint64_t *word = &w->seen[number / 64 % (FORWARD_WINDOW / 64)];
	uint64_t bit = 1ull << (number % 64);

	if (number > w->top) {
		if (number - w->top >= FORWARD_WINDOW)
			memset(w->seen, 0, sizeof(w->seen));
		else
			for (uint64_t i = w->top + 1; i < number; i++)
				w->seen[i / 64 % (FORWARD_WINDOW / 64)] &= ~(1ull << (i % 64));
		w->top = number;
		*word |= bit;
		return true;
	}
	if (PROTO_BUG(BUG_FORWARD_DOES_TWICE))
		return true;
	if (w->top - number >= FORWARD_WINDOW || (*word & bit))
		return false;
	*word |= bit;
	return true;
}

bool forward_admit(struct forward *f, unsigned from, uint64_t number)
{
	assert(from < f->p->cfg.nodes);
	if (!f->window[from]) {
		f->window[from] = calloc(1, sizeof(*f->window[from]));
		assert(f->window[from]);
	}
	return admit(f->window[from], number);
}

int forward_decode_attempt(struct cursor *c, struct forward_attempt *ret)
{
	ret->term = cursor_u64(c);
	ret->slot = cursor_u64(c);
	ret->attempt = cursor_u64(c);
	ret->bytes = (struct proto_bytes){.p = c->p, .len = (uint32_t)c->left};
	return command_decode(c, &ret->command);
}

void forward_encode_answer(struct buf *b, const struct forward_answer *a)
{
	buf_u64(b, a->slot);
	buf_u64(b, a->attempt);
	buf_u8(b, (uint8_t)a->why);
	buf_u8(b, (uint8_t)a->reply.status);
	buf_u16(b, a->reply.have);
	buf_u16(b, a->reply.need);
	buf_u64(b, a->reply.version);
	buf_u64(b, (uint64_t)a->reply.number);
	buf_u8(b, a->reply.found);
	buf_u64(b, a->reply.expires_ns);
	buf_bytes(b, a->reply.value.p, a->reply.value.len);
}

int forward_decode_answer(struct cursor *c, struct forward_answer *ret)
{
	uint8_t why, status, found;

	memset(ret, 0, sizeof(*ret));
	ret->slot = cursor_u64(c);
	ret->attempt = cursor_u64(c);
	why = cursor_u8(c);
	status = cursor_u8(c);
	ret->reply.have = cursor_u16(c);
	ret->reply.need = cursor_u16(c);
	ret->reply.version = cursor_u64(c);
	ret->reply.number = (int64_t)cursor_u64(c);
	found = cursor_u8(c);
	ret->reply.expires_ns = cursor_u64(c);
	ret->reply.value.p = cursor_bytes(c, &ret->reply.value.len);
	if (!cursor_done(c) || why >= FORWARD_WHY_NR || status >= PROTO_STATUS_NR || found > 1)
		return -EBADMSG;
	ret->why = (enum forward_why)why;
	ret->reply.status = (enum proto_status)status;
	ret->reply.found = found;
	ret->reply.why = forward_why_text[why];
	return 0;
}

void forward_answered(struct forward *f, struct forward_answer *a)
{
	struct forward_request *r = forward_at(f, a->slot);

	if (r && r->state == FORWARD_SENT && r->attempt == a->attempt)
		forward_finish(f, a->slot, &a->reply);
}
