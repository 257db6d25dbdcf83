/* SPDX-License-Identifier: MIT */
/*
 * crdt_request.c - what clients ask: an operation becomes a delta, and is answered when that is on
 * disk
 *
 * A delta is made of what is here, records on their way to the disk included; what is answered is
 * of what is on disk. Levels mean nothing: nobody else is asked.
 */
#include <assert.h>
#include <stdlib.h>

#include "store/proto/command.h"
#include "store/proto/crdt_internal.h"

/* An operation under way: what it finds and what it changes. */
struct operation {
	struct crdt *c;
	const struct proto_request *req;
	enum crdt_type type; /* that the key has */
	struct crdt_state old;
	struct crdt_dot dot;
	struct crdt_state delta;
	bool changed;
	bool begun;
	enum proto_status status; /* other than PROTO_OK: nothing is done, and why */
	const char *why;
	int64_t number;
};

static void reply(struct crdt *c, uint64_t ticket, const struct proto_reply *r)
{
	c->proto.io->reply(c->proto.io, ticket, r);
}

static void refuse(struct operation *o, enum proto_status status, const char *why)
{
	o->status = status;
	o->why = why;
}

/* --- the answers --- */

/* All of each replica's operations that are on disk here. Return: whether there is such a token. */
static bool token_of(const struct crdt *c, struct token *ret)
{
	if (crdt_nodes(c) > TOKEN_MAX)
		return false;
	ret->n = crdt_nodes(c);
	for (unsigned i = 0; i < crdt_nodes(c); i++)
		ret->at[i] = c->peer[i].durable;
	return true;
}

static void answer_members(const struct crdt_state *s, struct proto_reply *r)
{
	struct proto_bytes *list = calloc((size_t)s->items + 1, sizeof(*list));

	assert(list);
	/* Those with one value stand together: it was added at two replicas at once. */
	for (uint32_t i = 0; i < s->items; i++) {
		const struct crdt_item *item = &s->item[i];

		if (item->kind != CRDT_MEMBER ||
			(r->listed && command_same(list[r->listed - 1], item->bytes)))
			continue;
		list[r->listed++] = item->bytes;
	}
	r->list = list;
}

/* GET and VALUES of a register. Returns the list that @r then points into. */
static struct proto_bytes *answer_register(
	const struct crdt_state *s, uint64_t wall_ns, struct proto_reply *r)
{
	struct crdt_item *value = calloc((size_t)s->items + 1, sizeof(*value));
	struct proto_bytes *list = calloc((size_t)s->items + 1, sizeof(*list));
	uint32_t n;

	assert(value && list);
	n = crdt_values(s, wall_ns, value);
	for (uint32_t i = 0; i < n; i++)
		list[i] = value[i].bytes;
	r->list = list;
	r->listed = n;
	r->value = list[0];
	r->expires_ns = value[0].expires_ns;
	free(value);
	return list;
}

static bool reads_type(enum proto_op op, enum crdt_type type)
{
	if (type == CRDT_NOTHING)
		return true;
	if (op == PROTO_MEMBERS)
		return type == CRDT_SET;
	if (op == PROTO_VALUES)
		return type == CRDT_REGISTER;
	return type != CRDT_SET;
}

static void answer_read(struct crdt *c, const struct proto_request *req)
{
	uint64_t wall_ns = c->proto.io->wall(c->proto.io);
	struct proto_reply r = {.status = PROTO_NIL};
	struct crdt_state s;
	struct token token;
	enum crdt_type type;
	struct buf text = {0};

	crdt_load_durable(c, req->key, &s);
	type = crdt_type(&s, wall_ns);
	r.version = s.stamp.time;
	if (req->token && token_of(c, &token))
		r.token = &token;
	if (!reads_type(req->op, type))
		r.status = PROTO_WRONG;
	else if (type != CRDT_NOTHING)
		r.status = PROTO_OK;
	if (r.status == PROTO_OK && type == CRDT_SET)
		answer_members(&s, &r);
	if (r.status == PROTO_OK && type == CRDT_REGISTER)
		answer_register(&s, wall_ns, &r);
	if (r.status == PROTO_OK && type == CRDT_COUNTER) {
		buf_printf(&text, "%lld", (long long)crdt_sum(&s));
		r.value = (struct proto_bytes){text.p, (uint32_t)text.len};
	}
	if (req->op == PROTO_GET) {
		free((void *)(uintptr_t)r.list);
		r.list = NULL;
		r.listed = 0;
	} else {
		r.value = (struct proto_bytes){0};
		r.expires_ns = 0;
	}
	reply(c, req->ticket, &r);
	free((void *)(uintptr_t)r.list);
	buf_fini(&text);
	crdt_state_fini(&s);
}

void crdt_answer(struct crdt *c, const struct crdt_write *w)
{
	struct proto_reply r = {.status = PROTO_OK, .version = w->time};
	struct crdt_state s;
	struct token token;

	if (!w->ticket)
		return;
	c->pending--;
	c->bytes -= (size_t)w->key_len + w->len;
	if (w->token && token_of(c, &token))
		r.token = &token;
	if (w->op == PROTO_DEL && !w->changed)
		r.status = PROTO_NIL;
	if (w->op == PROTO_ADD || w->op == PROTO_REMOVE)
		r.number = w->changed;
	if (w->op == PROTO_INCREASE) {
		crdt_load_durable(c, (struct proto_bytes){w->block, w->key_len}, &s);
		r.number = crdt_sum(&s);
		crdt_state_fini(&s);
	}
	reply(c, w->ticket, &r);
}

void crdt_expire(struct crdt *c)
{
	struct proto_io *io = c->proto.io;
	uint64_t timeout_ns = c->proto.cfg.request_timeout_ns;
	struct crdt_write *w;

	c->armed = false;
	for (; (w = ring_at(&c->writes, c->watched)); c->watched++) {
		struct proto_reply r = {.status = PROTO_UNCERTAIN, .why = "this disk is slow"};

		if (!w->ticket)
			continue;
		if (w->since_ns + timeout_ns > io->now(io))
			break;
		r.waited_ns = io->now(io) - w->since_ns;
		reply(c, w->ticket, &r);
		c->pending--;
		c->bytes -= (size_t)w->key_len + w->len;
		w->ticket = 0;
	}
	if (!w)
		return;
	c->armed = true;
	io->arm(io, CRDT_TIMER_REQUESTS, w->since_ns + timeout_ns);
}

/* --- what an operation changes --- */

/* A dot of its own: all before it of this replica on this key have been seen. */
static void own_range(struct operation *o)
{
	struct crdt_range own = {o->dot.node, crdt_seen_of(&o->old, o->dot.node), o->dot.time};

	crdt_add_range(&o->delta, &own);
}

/* Everything that was done before now, seen or not: the set that has no add wins. */
static void see_all(struct operation *o)
{
	for (unsigned i = 0; i < crdt_nodes(o->c); i++)
		crdt_add_range(&o->delta, &(struct crdt_range){(uint16_t)i, 0, o->dot.time});
}

static void remove_items(struct operation *o, enum crdt_kind kind, const struct proto_bytes *only)
{
	for (uint32_t i = 0; i < o->old.items; i++) {
		const struct crdt_item *item = &o->old.item[i];

		if (item->kind != kind || (only && !command_same(item->bytes, *only)))
			continue;
		crdt_see(&o->delta, item->dot);
		o->changed = true;
	}
}

/* What a write to a register takes the place of: what its session has seen, else all. */
static void supersede(struct operation *o)
{
	const struct token *t = o->req->token;
	unsigned n = t && t->n < crdt_nodes(o->c) ? t->n : crdt_nodes(o->c);

	if (!t || o->c->proto.cfg.registers == PROTO_REGISTER_LWW) {
		remove_items(o, CRDT_SIBLING, NULL);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		/* Nobody has seen what is still to come. */
		struct crdt_range r = {(uint16_t)i, 0, t->at[i]};

		if (r.to >= o->dot.time)
			r.to = o->dot.time - 1;
		if (r.to)
			crdt_add_range(&o->delta, &r);
	}
}

static void do_set(struct operation *o)
{
	const struct proto_request *req = o->req;
	struct crdt_item item = {CRDT_SIBLING, o->dot, req->expires_ns, req->value};

	supersede(o);
	if (o->c->proto.cfg.registers == PROTO_REGISTER_LWW) {
		o->delta.last = (struct crdt_last){o->dot, false, req->expires_ns, req->value};
		return;
	}
	/* Of an earlier run with the other setting. */
	if (o->old.last.dot.time && !o->old.last.deleted)
		o->delta.last = (struct crdt_last){.dot = o->dot, .deleted = true};
	own_range(o);
	crdt_add_item(&o->delta, &item);
}

static void do_del(struct operation *o)
{
	supersede(o);
	remove_items(o, CRDT_MEMBER, NULL);
	if (o->old.last.dot.time)
		o->delta.last = (struct crdt_last){.dot = o->dot, .deleted = true};
	for (uint32_t i = 0; i < o->old.counts; i++) {
		struct crdt_count k = o->old.count[i];

		k.reset_time = k.time;
		k.reset_sum = k.sum;
		crdt_add_count(&o->delta, &k);
	}
	o->changed = o->type != CRDT_NOTHING;
}

static void do_increase(struct operation *o)
{
	struct crdt_count k = crdt_count_of(&o->old, o->dot.node);
	int64_t by, sum = crdt_sum(&o->old);

	if (!command_number(o->req->value, &by)) {
		refuse(o, PROTO_UNFIT, NULL);
		return;
	}
	o->number = 1;
	if (__builtin_add_overflow(sum, by, &sum) || __builtin_add_overflow(k.sum, by, &k.sum)) {
		refuse(o, PROTO_UNFIT, NULL);
		return;
	}
	k.time = o->dot.time;
	crdt_add_count(&o->delta, &k);
}

static void do_add(struct operation *o)
{
	struct crdt_item item = {CRDT_MEMBER, o->dot, 0, o->req->value};

	/* One dot for each member: a new one takes the place of those that were seen. */
	remove_items(o, CRDT_MEMBER, &o->req->value);
	o->changed = !o->changed;
	own_range(o);
	crdt_add_item(&o->delta, &item);
}

static void do_remove(struct operation *o)
{
	remove_items(o, CRDT_MEMBER, &o->req->value);
	if (PROTO_BUG(BUG_CRDT_REMOVE_WINS) && o->changed)
		see_all(o);
}

static const enum crdt_type makes[PROTO_OP_NR] = {
	[PROTO_SET] = CRDT_REGISTER,
	[PROTO_INCREASE] = CRDT_COUNTER,
	[PROTO_ADD] = CRDT_SET,
	[PROTO_REMOVE] = CRDT_SET,
};

static void change(struct operation *o)
{
	enum crdt_type want = makes[o->req->op];

	if (want != CRDT_NOTHING && o->type != CRDT_NOTHING && o->type != want) {
		refuse(o, PROTO_WRONG, NULL);
		return;
	}
	o->delta.stamp = o->dot;
	if (o->req->op == PROTO_SET)
		do_set(o);
	else if (o->req->op == PROTO_DEL)
		do_del(o);
	else if (o->req->op == PROTO_INCREASE)
		do_increase(o);
	else if (o->req->op == PROTO_ADD)
		do_add(o);
	else
		do_remove(o);
	crdt_order(&o->delta);
}

/* --- limits --- */

static uint32_t items_of(const struct crdt_state *s, enum crdt_kind kind)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->items; i++)
		n += s->item[i].kind == kind;
	return n;
}

/* Each replica may fill its share of a state only: all may do so at once. */
static bool fits(struct operation *o)
{
	bool shared = o->req->op == PROTO_ADD || (o->req->op == PROTO_SET && o->delta.items > 0);
	size_t max = shared ? CRDT_STATE_MAX / crdt_nodes(o->c) : CRDT_STATE_MAX;
	struct crdt_state joined;

	crdt_join(&o->old, &o->delta, &joined);
	if (crdt_encoded(&joined) > max)
		refuse(o, PROTO_UNAVAILABLE, "this key has as much as one may hold");
	else if (o->req->op == PROTO_ADD && items_of(&joined, CRDT_MEMBER) > CRDT_MEMBERS_MAX)
		refuse(o, PROTO_UNAVAILABLE, "this set has as many members as one may have");
	else if (shared && items_of(&joined, CRDT_SIBLING) > CRDT_SIBLINGS_MAX)
		refuse(o, PROTO_UNAVAILABLE, "too many values stand side by side, read them first");
	crdt_state_fini(&joined);
	return o->status == PROTO_OK;
}

/* A write that depends on what was there would win at each of two replicas. */
static bool depends(const struct proto_request *req)
{
	return req->cond != PROTO_ALWAYS || req->get ||
	       (req->op == PROTO_SET && req->expires_ns == PROTO_EXPIRES_KEEP);
}

static bool refused(struct crdt *c, const struct proto_request *req)
{
	struct proto_reply r = {.status = PROTO_UNAVAILABLE};

	if (depends(req)) {
		r.status = PROTO_UNSUPPORTED;
		r.why = "all replicas write at once here: no write depends on what was there";
	} else if (c->pending >= CRDT_WRITES_MAX || c->bytes > CRDT_WRITE_BYTES_MAX) {
		r.why = "too many requests are waiting here";
	} else {
		return false;
	}
	reply(c, req->ticket, &r);
	return true;
}

/* --- requests --- */

static uint64_t next_time(struct crdt *c)
{
	uint64_t wall_ns = c->proto.io->wall(c->proto.io);

	if (PROTO_BUG(BUG_CRDT_REUSES_DOTS))
		wall_ns -= wall_ns % (4ull << 30);
	return hlc_now(&c->hlc, wall_ns);
}

static void write_it(struct operation *o)
{
	const struct proto_request *req = o->req;
	struct crdt *c = o->c;
	struct proto_io *io = c->proto.io;
	struct crdt_write w = {
		.waits = CRDT_FOR_CLIENT,
		.ticket = req->ticket,
		.since_ns = io->now(io),
		.op = req->op,
		.changed = o->changed,
		.token = req->token,
		.time = o->dot.time,
	};
	struct buf b = {0};
	int rc;

	crdt_encode(&b, &o->delta);
	c->pending++;
	c->bytes += req->key.len + b.len;
	c->peer[crdt_self(c)].taken = o->dot.time;
	rc = crdt_write(
		c, CRDT_RECORD_DELTA, req->key, (struct proto_bytes){b.p, (uint32_t)b.len}, &w);
	assert(rc == 0); /* fits() */
	buf_fini(&b);
	if (PROTO_BUG(BUG_CRDT_ANSWERS_BEFORE_DURABLE)) {
		struct crdt_write *mine = ring_at(&c->writes, c->writes.next - 1);

		crdt_answer(c, mine);
		mine->ticket = 0;
	}
	if (!c->armed)
		crdt_expire(c);
}

void crdt_request(struct proto *p, const struct proto_request *req)
{
	struct crdt *c = crdt_of(p);
	struct operation o = {.c = c, .req = req, .status = PROTO_OK};
	bool there;

	if (proto_reads(req->op)) {
		answer_read(c, req);
		return;
	}
	if (refused(c, req))
		return;
	there = crdt_load(c, req->key, &o.old);
	if (!there && (req->op == PROTO_DEL || req->op == PROTO_REMOVE)) {
		refuse(&o, req->op == PROTO_DEL ? PROTO_NIL : PROTO_OK, NULL);
	} else {
		o.type = crdt_type(&o.old, p->io->wall(p->io));
		o.dot = (struct crdt_dot){next_time(c), (uint16_t)crdt_self(c)};
		change(&o);
		o.begun = o.status == PROTO_OK && fits(&o);
	}
	if (o.begun)
		write_it(&o);
	else
		reply(c, req->ticket,
			&(struct proto_reply){
				.status = o.status, .number = o.number, .why = o.why});
	crdt_state_fini(&o.old);
	crdt_state_fini(&o.delta);
}
