/* SPDX-License-Identifier: MIT */
/*
 * multimaster_records.c - the log of a multi-master replica, and its snapshot
 *
 * Each change of a key has a number, which its record tells. A snapshot gives a key's leaves with
 * the number of its last change, and what the log has before that is passed over: it may have
 * been stemmed meanwhile. Records are taken into the tree in one way, when they are durable and
 * when they are restored.
 *
 * What had been given to the disk and was not there yet when a snapshot began is waited for.
 */
#include <errno.h>

#include "store/proto/command.h"
#include "store/proto/multimaster_internal.h"
#include "store/proto/walk.h"

enum stage { STAGE_BEGIN, STAGE_WAIT, STAGE_DOCS, STAGE_CHECKPOINTS, STAGE_END };

#define FLAG_DELETED 1u

int multimaster_decode_key(struct cursor *c, struct proto_bytes *ret)
{
	ret->p = cursor_bytes(c, &ret->len);
	return c->bad || ret->len > PROTO_KEY_MAX ? -EBADMSG : 0;
}

void multimaster_encode_history(struct buf *b, const struct multimaster_revision *r)
{
	buf_u64(b, r->generation);
	buf_u8(b, r->deleted ? FLAG_DELETED : 0);
	buf_u16(b, (uint16_t)r->known);
	for (uint32_t i = 0; i < r->known; i++)
		buf_u64(b, r->path[i]);
	buf_bytes(b, r->value.p, r->value.len);
}

static bool valid(const struct multimaster_revision *r, uint8_t flags)
{
	return r->generation >= 1 && r->generation <= MULTIMASTER_GENERATION_MAX &&
	       flags <= FLAG_DELETED && r->value.len <= PROTO_VALUE_MAX &&
	       !(r->deleted && r->value.len);
}

int multimaster_decode_history(struct cursor *c, uint64_t *path, struct multimaster_revision *ret)
{
	uint64_t id, parent;
	uint8_t flags;

	ret->generation = cursor_u64(c);
	flags = cursor_u8(c);
	ret->deleted = flags & FLAG_DELETED;
	ret->known = cursor_u16(c);
	ret->path = path;
	if (c->bad || ret->known < 1 || ret->known > MULTIMASTER_REVS_MAX ||
		ret->known > ret->generation)
		return -EBADMSG;
	for (uint32_t i = 0; i < ret->known; i++)
		path[i] = cursor_u64(c);
	ret->value.p = cursor_bytes(c, &ret->value.len);
	if (c->bad || !valid(ret, flags))
		return -EBADMSG;
	/* Its name says what it is, unless its parent has been stemmed. */
	id = path[ret->known - 1];
	parent = ret->known > 1 ? path[ret->known - 2] : 0;
	if ((ret->known > 1 || ret->generation == 1) &&
		id != multimaster_id(ret->generation, parent, ret->deleted, ret->value))
		return -EBADMSG;
	return 0;
}

void multimaster_encode_revision(struct buf *b, uint64_t seq, const struct multimaster_revision *r)
{
	buf_u8(b, MULTIMASTER_RECORD_REVISION);
	buf_u64(b, seq);
	buf_bytes(b, r->key.p, r->key.len);
	multimaster_encode_history(b, r);
}

void multimaster_encode_edit(
	struct buf *b, uint64_t seq, uint64_t parent, const struct multimaster_revision *r)
{
	buf_u8(b, MULTIMASTER_RECORD_EDIT);
	buf_u64(b, seq);
	buf_bytes(b, r->key.p, r->key.len);
	buf_u64(b, r->generation);
	buf_u64(b, parent);
	buf_u8(b, r->deleted ? FLAG_DELETED : 0);
	buf_bytes(b, r->value.p, r->value.len);
}

void multimaster_encode_again(struct buf *b, uint64_t seq, struct proto_bytes key)
{
	buf_u8(b, MULTIMASTER_RECORD_AGAIN);
	buf_u64(b, seq);
	buf_bytes(b, key.p, key.len);
}

static void restore_again(struct multimaster *m, uint64_t seq, struct proto_bytes key)
{
	struct multimaster_doc *doc = multimaster_doc(m, key);

	if (doc && seq > doc->seq)
		multimaster_changed(m, doc, seq);
}

static int decode_edit(struct cursor *c, uint64_t *ret_parent, struct multimaster_revision *ret)
{
	uint8_t flags;

	if (multimaster_decode_key(c, &ret->key))
		return -EBADMSG;
	ret->generation = cursor_u64(c);
	*ret_parent = cursor_u64(c);
	flags = cursor_u8(c);
	ret->deleted = flags & FLAG_DELETED;
	ret->value.p = cursor_bytes(c, &ret->value.len);
	if (!cursor_done(c) || !valid(ret, flags) || (ret->generation == 1) != (*ret_parent == 0))
		return -EBADMSG;
	return 0;
}

static void encode_checkpoint(struct buf *b, unsigned peer, uint64_t pull, uint64_t push)
{
	buf_u8(b, MULTIMASTER_RECORD_CHECKPOINT);
	buf_u16(b, (uint16_t)peer);
	buf_u64(b, pull);
	buf_u64(b, push);
}

/* Both ends keep them. A revision that a checkpoint speaks of is earlier in the same log. */
void multimaster_save_checkpoints(struct multimaster *m)
{
	struct proto_io *io = m->proto.io;

	for (unsigned i = 0; i < m->proto.cfg.nodes; i++) {
		struct multimaster_pull *pull = &m->pull[i];
		struct multimaster_push *push = &m->push[i];
		struct buf b = {0};

		if ((pull->since == pull->saved || pull->refused) && push->since == push->saved)
			continue;
		if (!pull->refused)
			pull->saved = pull->since;
		push->saved = push->since;
		encode_checkpoint(&b, i, pull->saved, push->saved);
		m->records = io->persist(io, b.p, b.len);
		buf_fini(&b);
	}
}

static int restore_checkpoint(struct multimaster *m, struct cursor *c)
{
	unsigned peer = cursor_u16(c);
	uint64_t pull = cursor_u64(c);
	uint64_t push = cursor_u64(c);

	if (!cursor_done(c) || peer >= m->proto.cfg.nodes)
		return -EBADMSG;
	m->pull[peer].since = m->pull[peer].saved = pull;
	m->push[peer].since = m->push[peer].saved = m->push[peer].told = push;
	return 0;
}

int multimaster_restore(struct proto *p, const void *bytes, size_t len)
{
	struct multimaster *m = multimaster_of(p);
	struct cursor c = cursor_over(bytes, len);
	uint8_t kind = cursor_u8(&c);
	uint64_t path[MULTIMASTER_REVS_MAX];
	struct multimaster_revision r = {0};
	uint64_t seq, parent;

	if (kind == MULTIMASTER_RECORD_CHECKPOINT)
		return restore_checkpoint(m, &c);
	seq = cursor_u64(&c);
	if (kind == MULTIMASTER_RECORD_EDIT) {
		if (decode_edit(&c, &parent, &r) || !seq)
			return -EBADMSG;
		multimaster_edit(m, seq, parent, &r);
	} else if (kind == MULTIMASTER_RECORD_AGAIN) {
		if (multimaster_decode_key(&c, &r.key) || !cursor_done(&c) || !seq)
			return -EBADMSG;
		restore_again(m, seq, r.key);
	} else {
		if (kind != MULTIMASTER_RECORD_REVISION || multimaster_decode_key(&c, &r.key) ||
			multimaster_decode_history(&c, path, &r) || !cursor_done(&c) || !seq)
			return -EBADMSG;
		multimaster_take(m, seq, &r);
	}
	if (seq > m->seq)
		m->seq = seq;
	return 0;
}

static void describe_revision(struct buf *out, uint64_t seq, const struct multimaster_revision *r)
{
	buf_printf(out, "%s ", r->deleted ? "tombstone" : "revision");
	command_describe_key(out, r->key);
	buf_printf(out, ", generation %llu", (unsigned long long)r->generation);
	if (!r->deleted)
		buf_printf(out, ", %u bytes", r->value.len);
	if (r->known)
		buf_printf(out, ", with %u of its history", r->known);
	buf_printf(out, ", change %llu", (unsigned long long)seq);
}

int multimaster_describe(const void *bytes, size_t len, struct buf *out)
{
	struct cursor c = cursor_over(bytes, len);
	uint8_t kind = cursor_u8(&c);
	uint64_t path[MULTIMASTER_REVS_MAX];
	struct multimaster_revision r = {0};
	uint64_t seq, parent;
	int bad;

	if (kind == MULTIMASTER_RECORD_CHECKPOINT) {
		unsigned peer = cursor_u16(&c);

		seq = cursor_u64(&c);
		parent = cursor_u64(&c);
		if (!cursor_done(&c) || peer >= PROTO_NODES_MAX)
			return -EBADMSG;
		buf_printf(out, "checkpoint: has changes of replica %u up to %llu, it has %llu",
			peer, (unsigned long long)seq, (unsigned long long)parent);
		return 0;
	}
	seq = cursor_u64(&c);
	if (kind == MULTIMASTER_RECORD_EDIT)
		bad = decode_edit(&c, &parent, &r);
	else if (kind == MULTIMASTER_RECORD_REVISION)
		bad = multimaster_decode_key(&c, &r.key) ||
		      multimaster_decode_history(&c, path, &r);
	else
		bad = kind != MULTIMASTER_RECORD_AGAIN || multimaster_decode_key(&c, &r.key);
	if (bad || !cursor_done(&c) || !seq)
		return -EBADMSG;
	if (kind != MULTIMASTER_RECORD_AGAIN) {
		describe_revision(out, seq, &r);
		return 0;
	}
	buf_printf(out, "told again ");
	command_describe_key(out, r.key);
	buf_printf(out, ", change %llu", (unsigned long long)seq);
	return 0;
}

static void give_doc(void *arg, const struct table_entry *e)
{
	struct walk *w = arg;
	const struct multimaster *m = multimaster_of(w->p);
	const struct multimaster_doc *doc = multimaster_doc(m, e->key);
	struct buf b = {0};

	for (uint32_t i = 0; i < doc->leaves; i++) {
		const struct multimaster_leaf *l = &doc->leaf[i];
		struct multimaster_revision r = {.key = doc->key,
			.generation = l->generation,
			.deleted = l->deleted,
			.known = l->known,
			.path = l->path,
			.value = multimaster_value(m, doc, i)};

		multimaster_encode_revision(&b, doc->seq, &r);
		walk_give(w, &b);
	}
}

static void give_checkpoints(struct walk *w)
{
	const struct multimaster *m = multimaster_of(w->p);
	struct buf b = {0};

	for (unsigned i = 0; i < m->proto.cfg.nodes; i++) {
		uint64_t pull = m->pull[i].saved, push = m->push[i].saved;

		if (!pull && !push)
			continue;
		encode_checkpoint(&b, i, pull, push);
		walk_give(w, &b);
	}
}

/* Return: whether it is to be called again at once. */
static bool step(struct walk *w)
{
	const struct multimaster *m = multimaster_of(w->p);
	struct proto_snapshot *s = w->s;

	switch ((enum stage)s->stage) {
	case STAGE_BEGIN:
		s->index[0] = m->writes.next;
		s->stage = STAGE_WAIT;
		break;
	case STAGE_WAIT:
		if (m->writes.first < s->index[0])
			return false;
		s->stage = STAGE_DOCS;
		break;
	case STAGE_DOCS:
		if (!walk_table(w, m->docs, give_doc))
			s->stage = STAGE_CHECKPOINTS;
		break;
	case STAGE_CHECKPOINTS:
		give_checkpoints(w);
		s->stage = STAGE_END;
		break;
	case STAGE_END:
		return false;
	}
	return true;
}

bool multimaster_snapshot(struct proto *p, struct proto_snapshot *s)
{
	struct walk walk = {.p = p, .s = s};

	while (walk.bytes < PROTO_SNAPSHOT_PART && step(&walk))
		;
	return s->stage != STAGE_END;
}
