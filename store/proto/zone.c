/* SPDX-License-Identifier: MIT */
/*
 * zone.c - a zone of the DNS as a replicated store: primary, secondaries, caches
 *
 * RFC 1034 and 1035, with the parts of DNS that replicate:
 *   primary      takes all writes; who else is asked forwards them (dynamic update, RFC 2136, 6).
 *                Each takes the next serial (RFC 1982), and the secondaries are told (NOTIFY, RFC
 *                1996). zone_primary.c
 *   secondaries  ask for the serial when told or every `refresh`, and fetch the changes since
 * theirs (IXFR, RFC 1995) or the whole zone (AXFR, RFC 5936). They answer reads from that, until it
 * was not confirmed for `expire`. zone_secondary.c caches       ask any of these, keep the answer
 * for `ttl` (`negative_ttl`, RFC 2308), and when nobody answers give the old one for `serve_stale`
 * more (RFC 8767). zone_cache.c Who is what follows from the replica's index: the primary is
 * cfg.leader (or 0), the next `secondaries` are secondaries, the others are caches. Nobody takes
 * over from a primary.
 *
 * A read at ONE is answered by the replica that is asked, any other by the primary, which has one
 * copy that all writes went through: it is linearizable. What is not DNS: replicas ping the
 * primary, whose answer names its start, so that no update is done twice (forward.h).
 *
 * How old is what a read at ONE sees? A secondary's copy is at most `expire` old, or else not read;
 * what a cache has was read within `ttl`, and within `serve_stale` more when nobody answers. While
 * all answer, a secondary is `refresh` behind at the most, and a transfer, in which a message may
 * be lost once.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/zone_internal.h"

/* Any side of a cut may hold nothing but caches, which can answer only what they have. */
static void zone_claim(const struct proto_config *cfg, struct proto_claim *ret)
{
	bool here = cfg->read_level == PROTO_ONE && cfg->nodes > 1;
	bool caches = zone_servers(cfg) < cfg->nodes;
	uint64_t ttl_ns = cfg->ttl_ns > cfg->negative_ttl_ns ? cfg->ttl_ns : cfg->negative_ttl_ns;

	*ret = (struct proto_claim){
		.whole = here ? PROTO_EVENTUAL : PROTO_LINEARIZABLE,
		.cut = here ? PROTO_EVENTUAL : PROTO_LINEARIZABLE,
		.reads_cut = here && !caches ? PROTO_SIDES_ALL : PROTO_SIDES_LEADER,
		.writes_cut = PROTO_SIDES_LEADER,
		.does = PROTO_DOES_STRINGS,
		.cas = true,
		.copies = zone_servers(cfg),
	};
	if (!here)
		return;
	if (!caches) {
		ttl_ns = 0;
		ret->reads_cut_ns = cfg->expire_ns;
	}
	/* Who is known not to answer is asked again only after a while. */
	if (caches)
		ret->alike_ns = ttl_ns + cfg->refresh_ns + 2 * cfg->retry_ns + zone_silence(cfg) +
				cfg->request_timeout_ns;
	ret->stale_ns = ttl_ns + cfg->refresh_ns + 2 * cfg->retry_ns;
	if (cfg->expire_ns)
		ret->stale_cut_ns = ttl_ns + cfg->expire_ns + (caches ? cfg->serve_stale_ns : 0);
}

/*
 * Of a cache, what a hit costs: nothing, if it keeps answers at all. Most reads of a busy key are
 * hits; one in each TTL is not, and pays a round trip to a server.
 */
static uint64_t zone_floor_ns(const struct proto_floor_query *q)
{
	const struct proto_config *cfg = q->cfg;
	enum proto_level level = q->level ? q->level : cfg->read_level;
	const uint64_t *rtt = &q->rtt_ns[(size_t)q->contact * cfg->nodes];
	uint64_t nearest = UINT64_MAX;

	if (q->contact == zone_primary(cfg))
		return q->client_ns;
	if (q->write || level != PROTO_ONE)
		return q->client_ns + rtt[zone_primary(cfg)];
	if (zone_number(cfg, q->contact) < zone_servers(cfg) || cfg->ttl_ns)
		return q->client_ns;
	for (unsigned i = 0; i < zone_servers(cfg); i++)
		if (rtt[zone_server(cfg, i)] < nearest)
			nearest = rtt[zone_server(cfg, i)];
	return q->client_ns + nearest;
}

static void zone_init(struct proto *p)
{
	struct zone *z = zone_of(p);

	forward_init(&z->forward, p, ZONE_TIMER_REQUESTS);
	raft_copy_init(&z->copy);
	raft_copy_init(&z->staging.copy);
	ring_init(&z->writes, sizeof(struct zone_write), 1);
	ring_init(&z->journal, sizeof(struct zone_change), 1);
	ring_init(&z->batches, sizeof(struct zone_batch), 1);
	z->notice = calloc(zone_servers(&p->cfg), sizeof(*z->notice));
	assert(z->notice);
	zone_cache_init(z);
}

static void zone_fini(struct proto *p)
{
	struct zone *z = zone_of(p);

	for (uint64_t i = z->writes.first; i < z->writes.next; i++)
		free(((struct zone_write *)ring_at(&z->writes, i))->bytes);
	for (uint64_t i = z->batches.first; i < z->batches.next; i++)
		free(((struct zone_batch *)ring_at(&z->batches, i))->bytes);
	ring_fini(&z->writes);
	ring_fini(&z->batches);
	zone_journal_fini(z);
	zone_staging_drop(z);
	raft_copy_fini(&z->copy);
	command_state_fini(&z->state);
	zone_cache_fini(z);
	free(z->notice);
	forward_fini(&z->forward);
}

static void heartbeat(struct zone *z)
{
	struct proto_io *io = z->proto.io;
	uint8_t type = ZONE_PING;

	if (zone_is_primary(z))
		zone_notify_again(z);
	else
		io->send(io, zone_primary(&z->proto.cfg), &type, 1);
	io->arm(io, ZONE_TIMER_HEARTBEAT, io->now(io) + z->proto.cfg.heartbeat_ns);
}

static void zone_start(struct proto *p)
{
	struct zone *z = zone_of(p);

	/* The log reaches beyond the snapshot's last part (rule 7), so the table is exact. */
	assert(zone_exact(z));
	raft_copy_fini(&z->copy);
	forward_start(&z->forward);
	zone_cache_start(z);
	if (zone_is_primary(z))
		z->born = zone_now(z) + 1;
	if (zone_is_secondary(z))
		zone_secondary_start(z);
	/* A secondary may have missed anything while the primary was down, and says so by itself.
	 */
	for (unsigned i = 0; i < zone_servers(&p->cfg); i++)
		z->notice[i].told = z->index;
	heartbeat(z);
}

/* --- requests --- */

void zone_read(struct zone *z, struct proto_bytes key, struct proto_reply *ret)
{
	struct proto_io *io = z->proto.io;

	command_read(z->proto.table, key, command_now(&z->state, io->wall(io)), ret);
	if (ret->status == PROTO_NIL)
		ret->version = z->index;
}

/* The answer goes to the replica that was asked: by a message, or straight to the client here. */
void zone_answer(struct zone *z, unsigned to, struct forward_answer *a)
{
	struct proto_io *io = z->proto.io;
	struct buf b = {0};

	if (to == z->proto.cfg.self) {
		forward_finish(&z->forward, a->slot, &a->reply);
		return;
	}
	buf_u8(&b, ZONE_UPDATED);
	forward_encode_answer(&b, a);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

static void refuse(struct zone *z, const struct proto_request *req, enum forward_why why)
{
	struct proto_reply refusal = forward_refuse(why, 0, 0);

	z->proto.io->reply(z->proto.io, req->ticket, &refusal);
}

static void read_here(struct zone *z, const struct proto_request *req)
{
	struct proto_reply reply;

	if (zone_expired(z)) {
		refuse(z, req, FORWARD_EXPIRED);
		return;
	}
	zone_read(z, req->key, &reply);
	z->proto.io->reply(z->proto.io, req->ticket, &reply);
}

static void write_here(struct zone *z, const struct proto_request *req)
{
	struct forward_attempt a = {.command = command_of(req)};
	struct buf b = {0};

	a.slot = forward_add(&z->forward, req, false);
	if (!a.slot)
		return;
	/* From here on the write is in the log's hands: a time-out cannot take it back. */
	forward_at(&z->forward, a.slot)->state = FORWARD_SENT;
	command_encode(&b, &a.command);
	a.bytes = (struct proto_bytes){.p = b.p, .len = (uint32_t)b.len};
	zone_write(z, z->proto.cfg.self, &a);
	buf_fini(&b);
}

static bool deaf(const struct zone *z)
{
	uint64_t limit_ns = ZONE_DEAF_HEARTBEATS * z->proto.cfg.heartbeat_ns;

	return !z->born || zone_now(z) - z->heard_ns > limit_ns;
}

static void zone_request(struct proto *p, const struct proto_request *req)
{
	struct zone *z = zone_of(p);
	enum proto_level level = req->level ? req->level : p->cfg.read_level;
	bool read = req->op == PROTO_GET;
	uint64_t slot;

	if (zone_is_primary(z) && !read) {
		write_here(z, req);
	} else if (zone_is_primary(z) || (read && level == PROTO_ONE && zone_is_secondary(z))) {
		read_here(z, req);
	} else if (read && level == PROTO_ONE) {
		zone_resolve(z, req);
	} else if (deaf(z)) {
		refuse(z, req, FORWARD_LEADER_SILENT);
	} else {
		slot = forward_add(&z->forward, req, true);
		if (slot)
			forward_send(
				&z->forward, slot, zone_primary(&p->cfg), ZONE_UPDATE, z->born);
	}
}

/* --- messages --- */

static int on_ping(struct zone *z, unsigned from, struct cursor *c)
{
	struct proto_io *io = z->proto.io;
	struct buf b = {0};

	if (!zone_is_primary(z) || !cursor_done(c))
		return -EBADMSG;
	buf_u8(&b, ZONE_PONG);
	buf_u64(&b, z->born);
	io->send(io, from, b.p, b.len);
	buf_fini(&b);
	return 0;
}

static int on_pong(struct zone *z, unsigned from, struct cursor *c)
{
	uint64_t born = cursor_u64(c);

	if (zone_is_primary(z) || from != zone_primary(&z->proto.cfg) || !cursor_done(c) || !born)
		return -EBADMSG;
	/* An older life's answer may come late; it says nothing about this one. */
	if (born < z->born)
		return 0;
	z->born = born;
	z->heard_ns = zone_now(z);
	return 0;
}

static int on_update(struct zone *z, unsigned from, struct cursor *c)
{
	struct forward_answer reply = {0};
	struct forward_attempt a;

	if (!zone_is_primary(z) || forward_decode_attempt(c, &a))
		return -EBADMSG;
	/* Meant for an earlier life, which may have done it: only the sender's clock can end it. */
	if (a.term != z->born || !forward_admit(&z->forward, from, a.attempt))
		return 0;
	if (a.command.op != PROTO_GET) {
		zone_write(z, from, &a);
		return 0;
	}
	reply.slot = a.slot;
	reply.attempt = a.attempt;
	zone_read(z, a.command.key, &reply.reply);
	zone_answer(z, from, &reply);
	return 0;
}

static int on_updated(struct zone *z, unsigned from, struct cursor *c)
{
	struct forward_answer a;

	if (zone_is_primary(z) || from != zone_primary(&z->proto.cfg) ||
		forward_decode_answer(c, &a))
		return -EBADMSG;
	forward_answered(&z->forward, &a);
	return 0;
}

/* RFC 2308, 3: a negative answer has a serial, too. */
static int on_query(struct zone *z, unsigned from, struct cursor *c)
{
	const struct proto_config *cfg = &z->proto.cfg;
	uint64_t id = cursor_u64(c);
	struct proto_reply reply = {.status = PROTO_UNAVAILABLE};
	struct proto_bytes key;
	struct buf b = {0};

	key.p = cursor_bytes(c, &key.len);
	if (!cursor_done(c) || key.len > PROTO_KEY_MAX || zone_is_cache(z) ||
		zone_number(cfg, from) < zone_servers(cfg))
		return -EBADMSG;
	if (!zone_expired(z))
		zone_read(z, key, &reply);
	buf_u8(&b, ZONE_RECORD);
	buf_u64(&b, id);
	buf_u8(&b, (uint8_t)reply.status);
	buf_u64(&b, reply.status == PROTO_OK ? cfg->ttl_ns : cfg->negative_ttl_ns);
	buf_u64(&b, reply.version);
	buf_u64(&b, reply.expires_ns);
	buf_bytes(&b, reply.value.p, reply.value.len);
	z->proto.io->send(z->proto.io, from, b.p, b.len);
	buf_fini(&b);
	return 0;
}

static int zone_message(struct proto *p, unsigned from, const void *bytes, size_t len)
{
	typedef int handler(struct zone * z, unsigned from, struct cursor *c);
	static handler *const handlers[] = {
		[ZONE_PING] = on_ping,
		[ZONE_PONG] = on_pong,
		[ZONE_UPDATE] = on_update,
		[ZONE_UPDATED] = on_updated,
		[ZONE_NOTIFY] = zone_on_notify,
		[ZONE_NOTIFIED] = zone_on_notified,
		[ZONE_SOA_ASK] = zone_on_soa_ask,
		[ZONE_SOA] = zone_on_soa,
		[ZONE_IXFR_ASK] = zone_on_ixfr_ask,
		[ZONE_IXFR] = zone_on_ixfr,
		[ZONE_QUERY] = on_query,
		[ZONE_RECORD] = zone_on_record,
		[ZONE_AXFR_ASK] = zone_on_axfr_ask,
		[ZONE_AXFR] = zone_on_axfr,
	};
	struct cursor c = cursor_over(bytes, len);
	uint8_t type = cursor_u8(&c);

	if (from >= p->cfg.nodes || from == p->cfg.self || type == 0 ||
		type >= sizeof(handlers) / sizeof(*handlers))
		return -EBADMSG;
	return handlers[type](zone_of(p), from, &c);
}

static void zone_persisted(struct proto *p, uint64_t seq)
{
	struct zone *z = zone_of(p);

	if (zone_is_primary(z))
		zone_writes_persisted(z, seq);
	else
		zone_batches_persisted(z, seq);
}

static void zone_timer(struct proto *p, unsigned timer)
{
	struct zone *z = zone_of(p);
	enum forward_why why = FORWARD_LEADER_SILENT;
	struct proto_reply refusal;

	switch ((enum zone_timer)timer) {
	case ZONE_TIMER_HEARTBEAT:
		heartbeat(z);
		break;
	case ZONE_TIMER_REQUESTS:
		if (zone_is_cache(z) && !deaf(z))
			why = FORWARD_NO_SERVER;
		refusal = forward_refuse(why, 0, 0);
		forward_expire(&z->forward, &refusal);
		break;
	case ZONE_TIMER_REFRESH:
		zone_refresh(z);
		break;
	case ZONE_TIMER_FETCH:
		zone_fetch_timer(z);
		break;
	}
}

/* --- what others may know --- */

static void zone_status(const struct proto *p, struct proto_status_view *ret)
{
	const struct zone *z = (const struct zone *)p;

	*ret = (struct proto_status_view){
		.role = zone_is_primary(z)     ? PROTO_LEADER
			: zone_is_secondary(z) ? PROTO_FOLLOWER
					       : PROTO_PEER,
		.leader = (int)zone_primary(&p->cfg),
		.log_last = z->recorded,
		.committed = z->index,
		.applied = z->index,
		.pending = z->forward.pending,
		.ready = zone_is_primary(z) || (!deaf(z) && !zone_expired(z)),
	};
}

static void zone_info(const struct proto *p, struct buf *out)
{
	const struct zone *z = (const struct zone *)p;
	const struct zone_cache *c = &z->cache;
	uint64_t age_ms = (zone_now(z) - z->contact_ns) / 1000000;

	if (zone_is_cache(z)) {
		buf_printf(out, "zone_role:cache\r\ncache_entries:%zu\r\ncache_bytes:%zu\r\n",
			c->count, c->bytes);
		buf_printf(out, "cache_hits:%llu\r\ncache_misses:%llu\r\ncache_stale:%llu\r\n",
			(unsigned long long)c->hits, (unsigned long long)c->misses,
			(unsigned long long)c->stale);
		return;
	}
	buf_printf(out, "zone_role:%s\r\nzone_serial:%u\r\n",
		zone_is_primary(z) ? "primary" : "secondary", zone_serial(z->index));
	if (zone_is_primary(z))
		buf_printf(out,
			"journal_changes:%zu\r\ntransfers_of_changes:%llu\r\n"
			"transfers_of_all:%llu\r\n",
			ring_count(&z->journal), (unsigned long long)z->transfers_changes,
			(unsigned long long)z->transfers_whole);
	else
		buf_printf(out, "zone_expired:%s\r\nconfirmed_ms_ago:%llu\r\n",
			zone_expired(z) ? "yes" : "no",
			(unsigned long long)(z->contact_ns ? age_ms : 0));
}

static void zone_invariant(const struct proto *p)
{
	const struct zone *z = (const struct zone *)p;

	assert(zone_exact(z) && z->index <= z->recorded);
	assert(!zone_is_cache(z) || (z->recorded == 0 && table_count(p->table) == 0));
	assert(!zone_is_primary(z) || z->journal.next == z->index + 1);
	assert(!zone_is_primary(z) || z->index + ring_count(&z->writes) == z->recorded);
	assert(zone_is_secondary(z) || (!z->staging.table && !ring_count(&z->batches)));
	assert(z->contact_ns <= zone_now(z));
	assert(z->forward.pending <= ring_count(&z->forward.slots));
}

const struct proto_ops zone_ops = {
	.name = "zone",
	.size = sizeof(struct zone),
	.claim = zone_claim,
	.floor_ns = zone_floor_ns,
	.init = zone_init,
	.restore = zone_restore,
	.describe = zone_describe,
	.start = zone_start,
	.request = zone_request,
	.message = zone_message,
	.persisted = zone_persisted,
	.timer = zone_timer,
	.snapshot = zone_snapshot,
	.status = zone_status,
	.invariant = zone_invariant,
	.info = zone_info,
	.fini = zone_fini,
};
