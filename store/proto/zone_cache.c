/* SPDX-License-Identifier: MIT */
/*
 * zone_cache.c - a cache: asks the servers of the zone, keeps answers for their TTL
 *
 * An answer, also that there is no such key (RFC 2308), is good for its TTL from the moment at
 * which it was first asked for: a long way does not lengthen it. Then the servers are asked again,
 * one after the other, beginning with another one each time; who did not answer is passed over for
 * a while. When each was asked once in vain, who waits gets the old answer, if that has run out by
 * no more than serve_stale (RFC 8767, 5: the client response timer), and while it is known that
 * nobody answers, at once (the failure recheck timer).
 *
 * Nothing is on disk, and nothing is in the replica's table: what is here need not be what others
 * have. Versions are not compared: who asks a secondary that is behind goes back, as with DNS.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/zone_internal.h"

/* What is known of a key, or is being asked. */
struct zone_entry {
	struct list list;
	bool known; /* else it is being asked for the first time */
	bool there;
	uint64_t since_ns;
	uint64_t ttl_ns;
	uint64_t recheck_ns; /* until then the old answer is given without asking */
	uint64_t version;
	uint64_t expires_ns;
	struct zone_fetch *fetch; /* owned; NULL: nobody asks */
	uint32_t key_len;
	uint32_t value_len;
	uint8_t *bytes; /* owned: key and value */
};

void zone_cache_init(struct zone *z)
{
	struct zone_cache *c = &z->cache;

	c->index = table_open();
	list_init(&c->entries);
	list_init(&c->fetches);
	c->silent_until_ns = calloc(zone_servers(&z->proto.cfg), sizeof(uint64_t));
	assert(c->silent_until_ns);
}

static struct proto_bytes key_of(const struct zone_entry *e)
{
	return (struct proto_bytes){.p = e->bytes, .len = e->key_len};
}

void zone_cache_start(struct zone *z)
{
	/* Above all numbers of an earlier life, as in forward.c. */
	ring_init(&z->cache.by_id, sizeof(struct zone_fetch *), zone_now(z) + 1);
}

static size_t cost(const struct zone_entry *e)
{
	return sizeof(*e) + e->key_len + e->value_len;
}

static struct zone_entry *find(const struct zone_cache *c, struct proto_bytes key)
{
	const struct table_entry *at = table_get(c->index, key);
	struct zone_entry *e = NULL;

	if (at)
		memcpy(&e, at->value.p, sizeof(e));
	return e;
}

static struct zone_fetch **fetch_at(const struct zone_cache *c, uint64_t id)
{
	return ring_at(&c->by_id, id);
}

static void fetch_end(struct zone_cache *c, struct zone_fetch *f)
{
	*fetch_at(c, f->id) = NULL;
	while (ring_count(&c->by_id) && !*fetch_at(c, c->by_id.first))
		ring_pop(&c->by_id);
	list_del(&f->list);
	assert(c->fetches.next != &f->list);
	f->entry->fetch = NULL;
	buf_fini(&f->slots);
	free(f);
}

static void entry_drop(struct zone_cache *c, struct zone_entry *e)
{
	if (e->fetch)
		fetch_end(c, e->fetch);
	table_remove(c->index, key_of(e));
	list_del(&e->list);
	c->count--;
	c->bytes -= cost(e);
	free(e->bytes);
	free(e);
}

void zone_cache_fini(struct zone *z)
{
	struct zone_cache *c = &z->cache;
	struct list *at, *next;

	list_for_each(at, next, &c->entries) entry_drop(c, list_entry(at, struct zone_entry, list));
	ring_fini(&c->by_id);
	table_close(c->index);
	free(c->silent_until_ns);
}

/* Longest unused first; what is being asked for stays. */
static void make_room(struct zone_cache *c)
{
	struct list *at, *next;

	list_for_each(at, next, &c->entries)
	{
		struct zone_entry *e = list_entry(at, struct zone_entry, list);

		if (c->count <= ZONE_CACHE_ENTRIES && c->bytes <= ZONE_CACHE_BYTES)
			return;
		if (!e->fetch)
			entry_drop(c, e);
	}
}

static void touch(struct zone_cache *c, struct zone_entry *e)
{
	list_del(&e->list);
	list_push(&c->entries, &e->list);
}

static struct zone_entry *entry_new(struct zone_cache *c, struct proto_bytes key)
{
	struct zone_entry *e = calloc(1, sizeof(*e));
	struct table_entry at = {.key = key, .value = {(const uint8_t *)&e, sizeof(e)}};

	assert(e);
	e->bytes = malloc(key.len + 1u);
	assert(e->bytes);
	if (key.len)
		memcpy(e->bytes, key.p, key.len);
	e->key_len = key.len;
	list_init(&e->list);
	list_push(&c->entries, &e->list);
	table_put(c->index, &at);
	c->count++;
	c->bytes += cost(e);
	return e;
}

/* --- answers --- */

static bool fresh(const struct zone *z, const struct zone_entry *e)
{
	return e->known && zone_now(z) - e->since_ns < e->ttl_ns;
}

static bool stale_will_do(const struct zone *z, const struct zone_entry *e)
{
	uint64_t limit_ns = e->ttl_ns + z->proto.cfg.serve_stale_ns;

	return z->proto.cfg.serve_stale_ns && e->known && zone_now(z) - e->since_ns < limit_ns;
}

static struct proto_reply reply_of(const struct zone *z, const struct zone_entry *e)
{
	uint64_t wall = z->proto.io->wall(z->proto.io);
	struct proto_reply reply = {.status = PROTO_NIL, .version = e->version};

	if (!e->there || (e->expires_ns && e->expires_ns <= wall))
		return reply;
	reply.status = PROTO_OK;
	reply.value = (struct proto_bytes){.p = e->bytes + e->key_len, .len = e->value_len};
	reply.expires_ns = e->expires_ns;
	return reply;
}

static void answer_at_once(
	struct zone *z, const struct proto_request *req, struct zone_entry *e, bool stale)
{
	struct proto_reply reply = reply_of(z, e);

	if (stale)
		z->cache.stale++;
	else
		z->cache.hits++;
	if (PROTO_BUG(BUG_ZONE_TTL_RESTARTS))
		e->since_ns = zone_now(z);
	touch(&z->cache, e);
	z->proto.io->reply(z->proto.io, req->ticket, &reply);
}

/* All that wait for @f; those whose time is over were answered already. */
static void answer_all(struct zone *z, struct zone_fetch *f, const struct proto_reply *reply)
{
	struct cursor c = cursor_over(f->slots.p, f->slots.len);

	while (c.left) {
		struct proto_reply one = *reply;

		forward_finish(&z->forward, cursor_u64(&c), &one);
	}
	f->slots.len = 0;
}

/* --- questions --- */

static bool silent(const struct zone *z, unsigned server)
{
	return z->cache.silent_until_ns[server] > zone_now(z);
}

static bool all_silent(const struct zone *z)
{
	for (unsigned i = 0; i < zone_servers(&z->proto.cfg); i++)
		if (!silent(z, i))
			return false;
	return true;
}

static void set_silent(struct zone *z, unsigned server)
{
	z->cache.silent_until_ns[server] = zone_now(z) + zone_silence(&z->proto.cfg);
}

/* From number @first on, one that is not silent; else that one. */
static unsigned pick(const struct zone *z, unsigned first)
{
	unsigned servers = zone_servers(&z->proto.cfg);

	first = servers > 1 ? first % servers : 0;
	for (unsigned i = first; i < first + servers; i++) {
		unsigned server = i < servers ? i : i - servers;

		if (!silent(z, server))
			return server;
	}
	return first;
}

static void arm(struct zone *z)
{
	struct zone_cache *c = &z->cache;
	uint64_t at = 0;

	/* All are due equally long after they were asked: the first one is the next. */
	if (!list_empty(&c->fetches))
		at = list_entry(c->fetches.next, struct zone_fetch, list)->due_ns;
	if (at != c->armed_ns)
		z->proto.io->arm(z->proto.io, ZONE_TIMER_FETCH, at);
	c->armed_ns = at;
}

static void ask(struct zone *z, struct zone_fetch *f, unsigned server)
{
	const struct proto_config *cfg = &z->proto.cfg;
	struct proto_bytes key = key_of(f->entry);
	struct buf b = {0};

	f->server = server;
	f->due_ns = zone_now(z) + ZONE_ASK_HEARTBEATS * cfg->heartbeat_ns;
	list_del(&f->list);
	list_push(&z->cache.fetches, &f->list);
	buf_u8(&b, ZONE_QUERY);
	buf_u64(&b, f->id);
	buf_bytes(&b, key.p, key.len);
	z->proto.io->send(z->proto.io, zone_server(cfg, server), b.p, b.len);
	buf_fini(&b);
	arm(z);
}

static void fetch(struct zone *z, struct zone_entry *e, uint64_t slot)
{
	struct zone_cache *c = &z->cache;
	struct zone_fetch *f = e->fetch;

	if (!f) {
		struct zone_fetch **place;

		f = calloc(1, sizeof(*f));
		assert(f);
		list_init(&f->list);
		f->id = c->by_id.next;
		place = ring_push(&c->by_id);
		*place = f;
		f->since_ns = zone_now(z);
		f->entry = e;
		e->fetch = f;
		ask(z, f, pick(z, c->server_next++));
	}
	if (slot)
		buf_u64(&f->slots, slot);
}

void zone_resolve(struct zone *z, const struct proto_request *req)
{
	struct zone_cache *c = &z->cache;
	struct zone_entry *e = find(c, req->key);
	uint64_t slot;

	if (e && fresh(z, e)) {
		answer_at_once(z, req, e, false);
		return;
	}
	if (e && stale_will_do(z, e) && (e->recheck_ns > zone_now(z) || all_silent(z))) {
		answer_at_once(z, req, e, true);
		if (e->recheck_ns <= zone_now(z))
			fetch(z, e, 0);
		return;
	}
	slot = forward_add(&z->forward, req, false);
	if (!slot)
		return;
	c->misses++;
	if (!e)
		e = entry_new(c, req->key);
	touch(c, e);
	fetch(z, e, slot);
	make_room(c);
}

static void give_up(struct zone *z, struct zone_fetch *f)
{
	struct proto_reply refusal = forward_refuse(FORWARD_NO_SERVER, 0, 0);
	struct zone_entry *e = f->entry;

	answer_all(z, f, &refusal);
	e->recheck_ns = zone_now(z) + ZONE_DEAF_HEARTBEATS * z->proto.cfg.heartbeat_ns;
	fetch_end(&z->cache, f);
	if (!stale_will_do(z, e))
		entry_drop(&z->cache, e);
}

/* The server that was asked last does not answer: the next one. */
static void ask_next(struct zone *z, struct zone_fetch *f)
{
	unsigned servers = zone_servers(&z->proto.cfg);

	set_silent(z, f->server);
	f->tries++;
	if (f->tries >= servers && stale_will_do(z, f->entry) && f->slots.len) {
		struct proto_reply reply = reply_of(z, f->entry);

		z->cache.stale++;
		answer_all(z, f, &reply);
	}
	if (zone_now(z) - f->since_ns >= z->proto.cfg.request_timeout_ns)
		give_up(z, f);
	else
		ask(z, f, pick(z, f->server + 1));
}

void zone_fetch_timer(struct zone *z)
{
	struct zone_cache *c = &z->cache;
	uint64_t now = zone_now(z);

	c->armed_ns = 0;
	while (!list_empty(&c->fetches)) {
		struct zone_fetch *f = list_entry(c->fetches.next, struct zone_fetch, list);

		if (f->due_ns > now)
			break;
		ask_next(z, f);
	}
	arm(z);
}

struct record {
	uint64_t id;
	enum proto_status status;
	uint64_t ttl_ns;
	uint64_t version;
	uint64_t expires_ns;
	struct proto_bytes value;
};

static int decode_record(struct cursor *c, struct record *ret)
{
	uint8_t status;

	ret->id = cursor_u64(c);
	status = cursor_u8(c);
	ret->ttl_ns = cursor_u64(c);
	ret->version = cursor_u64(c);
	ret->expires_ns = cursor_u64(c);
	ret->value.p = cursor_bytes(c, &ret->value.len);
	ret->status = (enum proto_status)status;
	if (!cursor_done(c) || ret->value.len > PROTO_VALUE_MAX ||
		(status != PROTO_OK && status != PROTO_NIL && status != PROTO_UNAVAILABLE))
		return -EBADMSG;
	return status != PROTO_OK && ret->value.len ? -EBADMSG : 0;
}

static void keep(struct zone *z, struct zone_fetch *f, const struct record *r)
{
	struct zone_cache *c = &z->cache;
	struct zone_entry *e = f->entry;

	c->bytes -= cost(e);
	e->bytes = realloc(e->bytes, (size_t)e->key_len + r->value.len + 1u);
	assert(e->bytes);
	if (r->value.len)
		memcpy(e->bytes + e->key_len, r->value.p, r->value.len);
	e->value_len = r->value.len;
	e->known = true;
	e->there = r->status == PROTO_OK;
	e->since_ns = f->since_ns;
	e->ttl_ns = r->ttl_ns;
	e->recheck_ns = 0;
	e->version = r->version;
	e->expires_ns = r->expires_ns;
	c->bytes += cost(e);
}

int zone_on_record(struct zone *z, unsigned from, struct cursor *c)
{
	unsigned server = zone_number(&z->proto.cfg, from);
	struct proto_reply reply;
	struct zone_fetch **place;
	struct zone_entry *e;
	struct zone_fetch *f;
	struct record r;

	if (!zone_is_cache(z) || server >= zone_servers(&z->proto.cfg) || decode_record(c, &r))
		return -EBADMSG;
	if (r.status != PROTO_UNAVAILABLE)
		z->cache.silent_until_ns[server] = 0;
	place = fetch_at(&z->cache, r.id);
	if (!place || !*place)
		return 0;
	f = *place;
	e = f->entry;
	if (r.status == PROTO_UNAVAILABLE) {
		if (server == f->server)
			ask_next(z, f);
	} else {
		keep(z, f, &r);
		reply = reply_of(z, e);
		answer_all(z, f, &reply);
		fetch_end(&z->cache, f);
		if (!e->ttl_ns)
			entry_drop(&z->cache, e);
	}
	arm(z);
	make_room(&z->cache);
	return 0;
}
