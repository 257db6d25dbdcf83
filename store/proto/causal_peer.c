/* SPDX-License-Identifier: MIT */
/*
 * causal_peer.c - what causal replicas tell and ask each other
 *
 *   WRITES  own writes, to all others, when they are on disk
 *   STATE   what is visible here, every heartbeat: an acknowledgement, and a sign of what is
 * missing ASK     "this is what I have": when something told has not come by the next heartbeat
 *   GIVEN   its answer: writes of anybody, in the order of the log; or that the log begins too
 * late, and the table is to be copied
 *
 * Any replica may give any write, so what one has cut off reaches by way of another.
 */
#include <errno.h>

#include "store/proto/causal_internal.h"

enum { GIVEN_MORE = 1, GIVEN_CUT = 2 };

static void encode_vector(struct buf *b, const struct token *v)
{
	vclock_write(b, v);
}

int causal_vector(const struct causal *c, struct cursor *m, struct token *ret)
{
	if (vclock_read(m, ret) || m->bad || ret->n != causal_nodes(c))
		return -EBADMSG;
	for (unsigned i = 0; i < ret->n; i++)
		if (ret->at[i] > CAUSAL_COUNT_MAX)
			return -EBADMSG;
	return 0;
}

static void be_patient(struct causal *c, uint64_t ns)
{
	uint64_t least_ns = CAUSAL_RETRY_HEARTBEATS * c->proto.cfg.heartbeat_ns;
	uint64_t most_ns = CAUSAL_RETRY_HEARTBEATS_MAX * c->proto.cfg.heartbeat_ns;

	c->patience_ns = ns < least_ns ? least_ns : ns > most_ns ? most_ns : ns;
}

/* Where a round trip takes many heartbeats, every answer would come too late without it. */
bool causal_late(struct causal *c, uint64_t since_ns)
{
	if (c->proto.io->now(c->proto.io) - since_ns < c->patience_ns)
		return false;
	be_patient(c, c->patience_ns + c->patience_ns / 2);
	return true;
}

void causal_answered(struct causal *c, uint64_t since_ns)
{
	be_patient(c, 2 * (c->proto.io->now(c->proto.io) - since_ns));
}

static void send(struct causal *c, unsigned to, const struct buf *b)
{
	c->proto.io->send(c->proto.io, to, b->p, b->len);
}

static void send_all(struct causal *c, const struct buf *b)
{
	for (unsigned i = 0; i < causal_nodes(c); i++)
		if (i != c->proto.cfg.self)
			send(c, i, b);
}

static void send_writes(struct causal *c, struct causal_list *list)
{
	struct buf b = {0};

	buf_u8(&b, CAUSAL_WRITES);
	causal_list_end(list, &b);
	send_all(c, &b);
	buf_fini(&b);
}

void causal_announce(struct causal *c, uint64_t from, uint64_t to)
{
	struct causal_list list = {0};

	for (uint64_t i = from; i < to; i++) {
		const struct causal_entry *e = ring_at(&c->log, i);

		if (e->origin != c->proto.cfg.self)
			continue;
		if (list.count && list.items.len + e->len > CAUSAL_BATCH_BYTES)
			send_writes(c, &list);
		causal_list_add(&list, e->bytes, e->len);
	}
	if (list.count)
		send_writes(c, &list);
}

/* In a large cluster not all at once. */
void causal_tell(struct causal *c)
{
	unsigned others = causal_nodes(c) - 1;
	struct buf b = {0};

	buf_u8(&b, CAUSAL_STATE);
	encode_vector(&b, &c->have);
	for (unsigned n = others < CAUSAL_STATES_MAX ? others : CAUSAL_STATES_MAX; n > 0; n--) {
		c->told_last = (c->told_last + 1) % causal_nodes(c);
		if (c->told_last == c->proto.cfg.self)
			c->told_last = (c->told_last + 1) % causal_nodes(c);
		send(c, c->told_last, &b);
	}
	buf_fini(&b);
}

static void ask(struct causal *c, unsigned to)
{
	struct buf b = {0};

	c->asking = (struct causal_asking){
		.open = true,
		.number = ++c->numbers,
		.since_ns = c->proto.io->now(c->proto.io),
	};
	buf_u8(&b, CAUSAL_ASK);
	buf_u64(&b, c->asking.number);
	encode_vector(&b, &c->taken);
	send(c, to, &b);
	buf_fini(&b);
}

int causal_on_state(struct causal *c, unsigned from, struct cursor *m)
{
	struct causal_peer *peer = &c->peer[from];
	struct token have;
	bool lacks;

	if (causal_vector(c, m, &have) || !cursor_done(m))
		return -EBADMSG;
	/* What it told before has had a heartbeat's time to come. */
	lacks = !vclock_covers(&c->taken, &peer->told);
	token_join(&peer->told, &have);
	peer->heard_ns = c->proto.io->now(c->proto.io);
	causal_log_trim(c);
	if (c->asking.open && causal_late(c, c->asking.since_ns))
		c->asking.open = false;
	if (lacks && !c->asking.open && !c->copy.active)
		ask(c, from);
	return 0;
}

/* All of @m is writes: how many, and each with its length. Return: 0, -EBADMSG. */
static int check_writes(const struct causal *c, struct cursor m)
{
	uint32_t count = cursor_u32(&m);

	for (; count > 0 && !m.bad; count--) {
		struct proto_bytes bytes;
		struct causal_write w;

		bytes.p = cursor_bytes(&m, &bytes.len);
		if (m.bad || causal_decode(causal_nodes(c), bytes, &w))
			return -EBADMSG;
	}
	return cursor_done(&m) ? 0 : -EBADMSG;
}

static void take_writes(struct causal *c, struct cursor m)
{
	for (uint32_t count = cursor_u32(&m); count > 0; count--) {
		struct proto_bytes bytes;
		struct causal_write w;

		bytes.p = cursor_bytes(&m, &bytes.len);
		if (causal_decode(causal_nodes(c), bytes, &w) == 0)
			causal_take(c, &w);
	}
}

int causal_on_writes(struct causal *c, struct cursor *m)
{
	if (check_writes(c, *m))
		return -EBADMSG;
	take_writes(c, *m);
	return 0;
}

/* What is visible here and @has has not, up to a limit. Return: whether there is more. */
static bool give(const struct causal *c, const struct token *has, struct causal_list *list)
{
	for (uint64_t i = c->log.first; i < c->visible; i++) {
		const struct causal_entry *e = ring_at(&c->log, i);

		if (e->seq <= has->at[e->origin])
			continue;
		if (list->count && list->items.len + e->len > CAUSAL_GIVEN_BYTES)
			return true;
		causal_list_add(list, e->bytes, e->len);
	}
	return false;
}

int causal_on_ask(struct causal *c, unsigned from, struct cursor *m)
{
	uint64_t number = cursor_u64(m);
	struct causal_list list = {0};
	struct token has;
	struct buf b = {0};
	uint8_t flags = GIVEN_CUT;

	if (causal_vector(c, m, &has) || !cursor_done(m))
		return -EBADMSG;
	if (vclock_covers(&has, &c->cut))
		flags = give(c, &has, &list) ? GIVEN_MORE : 0;
	buf_u8(&b, CAUSAL_GIVEN);
	buf_u64(&b, number);
	buf_u8(&b, flags);
	causal_list_end(&list, &b);
	send(c, from, &b);
	buf_fini(&b);
	return 0;
}

int causal_on_given(struct causal *c, unsigned from, struct cursor *m)
{
	uint64_t number = cursor_u64(m);
	uint8_t flags = cursor_u8(m);
	struct token before = c->taken;

	if (m->bad || flags > GIVEN_CUT || check_writes(c, *m))
		return -EBADMSG;
	take_writes(c, *m);
	if (!c->asking.open || number != c->asking.number)
		return 0;
	c->asking.open = false;
	causal_answered(c, c->asking.since_ns);
	if (flags == GIVEN_CUT && !c->copy.active)
		causal_copy_begin(c, from);
	else if (flags == GIVEN_MORE && vclock_compare(&before, &c->taken) == VCLOCK_BEFORE)
		ask(c, from);
	return 0;
}
