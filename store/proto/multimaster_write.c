/* SPDX-License-Identifier: MIT */
/*
 * multimaster_write.c - what clients ask of a multi-master replica, and the way to its disk
 *
 * Nobody else is asked. A read gives the winner as this replica has it. A write names its parent:
 * the last write of that key that is on its way to the disk, else the winner; it is answered when
 * it is durable. What other revisions there are stays beside it, until PROTO_RESOLVE ends their
 * branches one by one, as CouchDB's clients do by deleting losing revisions. There they are named
 * by _rev; here by their value, since that is all that a client was told.
 *
 * There are no conditions: one would be judged by this replica's winner, which a write on another
 * replica may have judged at the same time. CouchDB compares the parent in that way (409); it
 * keeps two clients of one replica apart, and is no compare-and-set of the store.
 */
#include <assert.h>
#include <stdlib.h>

#include "store/proto/multimaster_internal.h"

static void answer(struct multimaster *m, uint64_t ticket, enum proto_status status)
{
	struct proto_io *io = m->proto.io;
	struct proto_reply reply = {.status = status, .number = status == PROTO_OK};

	io->reply(io, ticket, &reply);
}

static void refuse(struct multimaster *m, const struct proto_request *req, enum proto_status status,
	const char *why)
{
	struct proto_io *io = m->proto.io;
	struct proto_reply reply = {.status = status, .why = why};

	io->reply(io, req->ticket, &reply);
}

static void get(struct multimaster *m, const struct proto_request *req)
{
	const struct table_entry *e = table_get(m->proto.table, req->key);
	struct proto_reply reply = {.status = PROTO_NIL};
	struct proto_io *io = m->proto.io;

	if (e && !e->deleted)
		reply = (struct proto_reply){.status = PROTO_OK, .value = e->value};
	io->reply(io, req->ticket, &reply);
}

static void list_values(struct multimaster *m, const struct proto_request *req)
{
	const struct multimaster_doc *doc = multimaster_doc(m, req->key);
	struct proto_bytes list[MULTIMASTER_LEAVES_MAX];
	struct proto_reply reply = {.status = PROTO_NIL, .list = list};
	struct proto_io *io = m->proto.io;

	for (uint32_t i = 0; doc && i < doc->leaves && i < MULTIMASTER_LEAVES_MAX; i++)
		if (!doc->leaf[i].deleted)
			list[reply.listed++] = multimaster_value(m, doc, i);
	if (reply.listed)
		reply.status = PROTO_OK;
	io->reply(io, req->ticket, &reply);
}

/* --- the way to the disk --- */

static void arm_next(struct multimaster *m)
{
	struct proto_io *io = m->proto.io;
	const struct multimaster_write *w;

	if (m->expiring < m->writes.first)
		m->expiring = m->writes.first;
	while ((w = ring_at(&m->writes, m->expiring)) && !w->ticket)
		m->expiring++;
	m->armed = w;
	if (w)
		io->arm(io, MULTIMASTER_TIMER_WRITES,
			w->since_ns + m->proto.cfg.request_timeout_ns);
}

void multimaster_expire(struct multimaster *m)
{
	uint64_t now = m->proto.io->now(m->proto.io);
	struct multimaster_write *w;

	for (uint64_t i = m->expiring; (w = ring_at(&m->writes, i)); i++) {
		if (!w->ticket)
			continue;
		if (w->since_ns + m->proto.cfg.request_timeout_ns > now)
			break;
		answer(m, w->ticket, PROTO_UNCERTAIN);
		w->ticket = 0;
		m->pending--;
	}
	arm_next(m);
}

/* A record, and who waits for it; @b is empty if it is only waited for those before. */
static struct multimaster_write *push(struct multimaster *m, struct buf *b, unsigned from)
{
	struct proto_io *io = m->proto.io;
	struct multimaster_write *w = ring_push(&m->writes);

	*w = (struct multimaster_write){
		.bytes = b->p, .len = (uint32_t)b->len, .from = from, .since_ns = io->now(io)};
	if (b->p)
		m->records = io->persist(io, b->p, b->len);
	w->record = m->records;
	return w;
}

static void await(struct multimaster *m, struct multimaster_write *w, uint64_t ticket)
{
	m->bytes += w->len;
	if (PROTO_BUG(BUG_MULTIMASTER_ACKS_BEFORE_DURABLE) && !w->nil) {
		answer(m, ticket, PROTO_OK);
		return;
	}
	w->ticket = ticket;
	m->pending++;
	if (!m->armed)
		arm_next(m);
}

void multimaster_store(struct multimaster *m, unsigned from, const struct multimaster_revision *r)
{
	struct buf b = {0};

	multimaster_encode_revision(&b, ++m->seq, r);
	push(m, &b, from)->seq = m->seq;
}

void multimaster_again(struct multimaster *m, struct proto_bytes key)
{
	struct buf b = {0};

	multimaster_encode_again(&b, ++m->seq, key);
	push(m, &b, m->proto.cfg.self)->seq = m->seq;
	m->bytes += b.len;
}

/* What the next write of a key would follow. */
struct tip {
	uint64_t generation; /* 0: there is nothing */
	uint64_t id;
	bool deleted;
	bool ahead; /* not durable yet */
};

static struct tip tip_of(const struct multimaster *m, struct proto_bytes key)
{
	const struct table_entry *e = table_get(m->ahead, key);
	const struct multimaster_doc *doc;
	struct tip tip = {.deleted = true};

	if (e) {
		tip = (struct tip){.generation = e->version, .deleted = e->deleted, .ahead = true};
		memcpy(&tip.id, e->value.p, sizeof(tip.id));
		return tip;
	}
	doc = multimaster_doc(m, key);
	if (doc && doc->leaves)
		tip = (struct tip){.generation = doc->leaf[0].generation,
			.id = multimaster_leaf_id(&doc->leaf[0]),
			.deleted = doc->leaf[0].deleted};
	return tip;
}

/* One more revision behind @tip, on its way to the disk. */
static struct multimaster_write *write_behind(
	struct multimaster *m, const struct proto_request *req, const struct tip *tip, bool deleted)
{
	struct multimaster_revision r = {
		.key = req->key, .generation = tip->generation + 1, .deleted = deleted};
	struct multimaster_write *w;
	struct buf b = {0};
	uint64_t id;

	if (!deleted)
		r.value = req->value;
	id = multimaster_id(r.generation, tip->id, deleted, r.value);
	multimaster_encode_edit(&b, ++m->seq, tip->id, &r);
	w = push(m, &b, m->proto.cfg.self);
	w->seq = m->seq;
	table_put(m->ahead, &(struct table_entry){.key = req->key,
				    .value = {(const uint8_t *)&id, sizeof(id)},
				    .version = r.generation,
				    .deleted = deleted,
				    .expires_ns = m->seq});
	return w;
}

static void set(struct multimaster *m, const struct proto_request *req)
{
	struct tip tip = tip_of(m, req->key);

	await(m, write_behind(m, req, &tip, false), req->ticket);
}

/* The winner's branch ends; a loser may be shown then, as in CouchDB. */
static void del(struct multimaster *m, const struct proto_request *req)
{
	struct tip tip = tip_of(m, req->key);
	struct multimaster_write *w;
	struct buf none = {0};

	if (!tip.deleted) {
		await(m, write_behind(m, req, &tip, true), req->ticket);
		return;
	}
	if (!tip.ahead) {
		answer(m, req->ticket, PROTO_NIL);
		return;
	}
	/* It is being deleted: that is told when it is true. */
	w = push(m, &none, m->proto.cfg.self);
	w->nil = true;
	await(m, w, req->ticket);
}

static bool same(struct proto_bytes a, struct proto_bytes b)
{
	return a.len == b.len && (!a.len || memcmp(a.p, b.p, a.len) == 0);
}

/* The first leaf that has the value gets a tombstone. */
static void resolve(struct multimaster *m, const struct proto_request *req)
{
	const struct multimaster_doc *doc = multimaster_doc(m, req->key);
	struct tip tip;

	if (table_get(m->ahead, req->key)) {
		refuse(m, req, PROTO_UNAVAILABLE, "a write of this key is on its way to the disk");
		return;
	}
	for (uint32_t i = 0; doc && i < doc->leaves && !doc->leaf[i].deleted; i++) {
		if (!same(multimaster_value(m, doc, i), req->value))
			continue;
		tip = (struct tip){.generation = doc->leaf[i].generation,
			.id = multimaster_leaf_id(&doc->leaf[i])};
		await(m, write_behind(m, req, &tip, true), req->ticket);
		return;
	}
	answer(m, req->ticket, PROTO_NIL);
}

static bool refused(struct multimaster *m, const struct proto_request *req)
{
	if (req->cond != PROTO_ALWAYS || req->get ||
		(req->op == PROTO_SET && req->expires_ns && req->expires_ns != PROTO_EXPIRES_KEEP))
		refuse(m, req, PROTO_UNSUPPORTED,
			"each replica decides alone: no condition, no expiry");
	else if (m->pending >= MULTIMASTER_WRITES_MAX || m->bytes > MULTIMASTER_WRITE_BYTES_MAX)
		refuse(m, req, PROTO_UNAVAILABLE, "too many requests are waiting here");
	else
		return false;
	return true;
}

void multimaster_request(struct proto *p, const struct proto_request *req)
{
	struct multimaster *m = multimaster_of(p);

	if (req->op == PROTO_GET)
		get(m, req);
	else if (req->op == PROTO_VALUES)
		list_values(m, req);
	else if (refused(m, req))
		return;
	else if (req->op == PROTO_SET)
		set(m, req);
	else if (req->op == PROTO_DEL)
		del(m, req);
	else
		resolve(m, req);
}

/* It is on disk: from now on it is seen. */
static void durable(struct multimaster *m, struct multimaster_write *w)
{
	const struct table_entry *e;
	struct cursor c = cursor_over(w->bytes, w->len);
	struct proto_bytes key;
	int bad;

	if (!w->bytes)
		return;
	bad = multimaster_restore(&m->proto, w->bytes, w->len);
	assert(!bad); /* it was encoded here */
	(void)cursor_u8(&c);
	(void)cursor_u64(&c);
	bad = multimaster_decode_key(&c, &key);
	assert(!bad);
	e = table_get(m->ahead, key);
	if (e && e->expires_ns == w->seq)
		table_remove(m->ahead, key);
}

void multimaster_persisted(struct proto *p, uint64_t seq)
{
	struct multimaster *m = multimaster_of(p);
	struct multimaster_write *w;

	while ((w = ring_front(&m->writes)) && w->record <= seq) {
		struct multimaster_write done = *w;

		durable(m, &done);
		ring_pop(&m->writes);
		free(done.bytes);
		if (done.from != p->cfg.self) {
			multimaster_stored(m, done.from);
			continue;
		}
		m->bytes -= done.len;
		if (!done.ticket)
			continue;
		m->pending--;
		answer(m, done.ticket, done.nil ? PROTO_NIL : PROTO_OK);
	}
	multimaster_tell(m);
}
