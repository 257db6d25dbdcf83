/* SPDX-License-Identifier: MIT */
/*
 * multimaster_push.c - a multi-master replica as the source that others replicate from
 *
 * It answers: what has changed since (at once, or as soon as something does), and the revisions
 * that are asked for. What it has changes while they ask; a leaf that has been followed meanwhile
 * is gone, and what followed it is a later change.
 */
#include <errno.h>

#include "store/proto/multimaster_internal.h"

static void begin(struct multimaster *m, unsigned to, uint64_t round)
{
	struct proto_io *io = m->proto.io;
	struct buf b = {0};

	buf_u8(&b, MULTIMASTER_BEGIN);
	buf_u64(&b, round);
	buf_u64(&b, m->life);
	buf_u64(&b, m->push[to].since);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

static void encode_change(struct buf *b, const struct multimaster_doc *doc)
{
	buf_bytes(b, doc->key.p, doc->key.len);
	buf_u16(b, (uint16_t)doc->leaves);
	for (uint32_t i = 0; i < doc->leaves; i++) {
		buf_u64(b, doc->leaf[i].generation);
		buf_u64(b, multimaster_leaf_id(&doc->leaf[i]));
	}
}

/* Return: whether there was something to tell. */
static bool tell(struct multimaster *m, unsigned to)
{
	struct multimaster_push *push = &m->push[to];
	struct proto_io *io = m->proto.io;
	uint64_t last = push->since;
	struct buf b = {0}, list = {0};

	for (size_t i = multimaster_after(m, push->since);
		i < m->changes && list.len < MULTIMASTER_BATCH_BYTES; i++) {
		const struct multimaster_change *change = &m->order[i];

		if (change->doc->seq != change->seq)
			continue;
		encode_change(&list, change->doc);
		last = change->seq;
	}
	push->waiting = last == push->since;
	if (last > push->told)
		push->told = last;
	if (!push->waiting) {
		buf_u8(&b, MULTIMASTER_CHANGES);
		buf_u64(&b, push->round);
		buf_u64(&b, last);
		buf_add(&b, list.p, list.len);
		io->send(io, to, b.p, b.len);
	}
	buf_fini(&list);
	buf_fini(&b);
	return !push->waiting;
}

void multimaster_tell(struct multimaster *m)
{
	for (unsigned i = 0; i < m->proto.cfg.nodes; i++)
		if (m->push[i].waiting)
			(void)tell(m, i);
}

int multimaster_on_ask(struct multimaster *m, unsigned from, struct cursor *c)
{
	struct multimaster_push *push = &m->push[from];
	uint64_t round = cursor_u64(c);
	uint64_t life = cursor_u64(c);
	uint64_t since = cursor_u64(c);

	if (!cursor_done(c) || (life == m->life && since > m->seq))
		return -EBADMSG;
	if (life != m->life) {
		begin(m, from, round);
		return 0;
	}
	push->round = round;
	push->since = since;
	if (since > push->told)
		push->told = since;
	(void)tell(m, from);
	return 0;
}

/* Revisions for one question: messages of about a batch each, and the last says so. */
struct reply {
	struct multimaster *m;
	unsigned to;
	uint64_t round;
	struct buf b;
	size_t sent;
};

#define REPLY_HEAD 10u /* of a message, before its first revision */

static void reply_begin(struct reply *r)
{
	r->b.len = 0;
	buf_u8(&r->b, MULTIMASTER_REVISIONS);
	buf_u64(&r->b, r->round);
	buf_u8(&r->b, 0);
}

static void reply_send(struct reply *r, bool last)
{
	struct proto_io *io = r->m->proto.io;

	r->b.p[REPLY_HEAD - 1] = last;
	io->send(io, r->to, r->b.p, r->b.len);
	r->sent += r->b.len;
	reply_begin(r);
}

static void encode_wanted(struct multimaster *m, struct buf *b, struct proto_bytes key,
	uint64_t generation, uint64_t id)
{
	const struct multimaster_doc *doc = multimaster_doc(m, key);

	buf_bytes(b, key.p, key.len);
	buf_u64(b, generation);
	buf_u64(b, id);
	for (uint32_t i = 0; doc && i < doc->leaves; i++) {
		const struct multimaster_leaf *l = &doc->leaf[i];
		struct multimaster_revision r = {.generation = l->generation,
			.deleted = l->deleted,
			.known = l->known,
			.path = l->path};

		if (l->generation != generation || multimaster_leaf_id(l) != id)
			continue;
		r.value = multimaster_value(m, doc, i);
		buf_u8(b, 1);
		multimaster_encode_history(b, &r);
		return;
	}
	buf_u8(b, 0);
}

/* The same walk over a question, to see that it is one, and to answer it. */
static int walk_wanted(struct cursor c, struct reply *reply)
{
	struct buf one = {0};
	int bad = 0;

	while (c.left && !bad && (!reply || reply->sent < MULTIMASTER_ANSWER_BYTES)) {
		struct proto_bytes key;
		uint64_t generation, id;

		bad = multimaster_decode_key(&c, &key);
		generation = cursor_u64(&c);
		id = cursor_u64(&c);
		bad = bad || c.bad ? -EBADMSG : 0;
		if (bad || !reply)
			continue;
		one.len = 0;
		encode_wanted(reply->m, &one, key, generation, id);
		if (reply->b.len > REPLY_HEAD && reply->b.len + one.len > MULTIMASTER_BATCH_BYTES)
			reply_send(reply, false);
		buf_add(&reply->b, one.p, one.len);
	}
	buf_fini(&one);
	return bad;
}

int multimaster_on_want(struct multimaster *m, unsigned from, struct cursor *c)
{
	struct reply reply = {.m = m, .to = from};

	reply.round = cursor_u64(c);
	if (c->bad || !c->left || walk_wanted(*c, NULL))
		return -EBADMSG;
	reply_begin(&reply);
	(void)walk_wanted(*c, &reply);
	reply_send(&reply, true);
	buf_fini(&reply.b);
	return 0;
}
