/* SPDX-License-Identifier: MIT */
/*
 * zone_internal.h - state of one replica of a zone, as DNS has it; for zone*.c only
 *
 * Tables are copied in parts, as by raft_copy.c: there an entry's index is what a serial counts.
 */
#ifndef PROTO_ZONE_INTERNAL_H
#define PROTO_ZONE_INTERNAL_H

#include <assert.h>

#include "agent/base/list.h"
#include "store/proto/raft_internal.h"

#define ZONE_DEAF_HEARTBEATS 8u         /* who was silent for so many is not heard */
#define ZONE_ASK_HEARTBEATS 2u          /* a cache asks the next server after so many */
#define ZONE_NOTIFY_TRIES 5u            /* RFC 1996, 3.6 */
#define ZONE_JOURNAL_BYTES (16u << 20)  /* unless it is set */
#define ZONE_CHANGES_BYTES (256u << 10) /* of the changes in one message, or a single one */
#define ZONE_BURST_PARTS 16u            /* of a table, in answer to one question */
#define ZONE_CACHE_ENTRIES 100000u
#define ZONE_CACHE_BYTES (64u << 20)

/*
 * The serial of the empty zone. It wraps soon, so that it does so in every run, and not for the
 * first time in a year.
 */
#define ZONE_SERIAL_FIRST 0xffffffe0u

enum zone_timer {
	ZONE_TIMER_HEARTBEAT,
	ZONE_TIMER_REQUESTS,
	ZONE_TIMER_REFRESH, /* and retry */
	ZONE_TIMER_FETCH,
};

enum zone_message {
	ZONE_PING = 1,
	ZONE_PONG,
	ZONE_UPDATE, /* RFC 2136; a read that only the primary may answer, too */
	ZONE_UPDATED,
	ZONE_NOTIFY, /* RFC 1996 */
	ZONE_NOTIFIED,
	ZONE_SOA_ASK,
	ZONE_SOA,
	ZONE_IXFR_ASK, /* RFC 1995 */
	ZONE_IXFR,
	ZONE_QUERY,
	ZONE_RECORD,
	ZONE_AXFR_ASK, /* RFC 5936 */
	ZONE_AXFR,
};

enum zone_kept {
	ZONE_KEPT_WRITE = 1,
	ZONE_KEPT_CHANGES,
	ZONE_KEPT_CONTACT,
	ZONE_KEPT_BASE,
	ZONE_KEPT_PART,
	ZONE_KEPT_END,
	ZONE_KEPT_STAGE,
	ZONE_KEPT_STAGE_PIECE,
	ZONE_KEPT_STAGE_CHANGES,
	ZONE_KEPT_SWAP,
	ZONE_KEPT_MARK,
};

/* A write that is not on the primary's disk yet. */
struct zone_write {
	uint64_t seq;
	uint64_t slot;
	uint64_t attempt;
	unsigned origin;
	uint8_t *bytes; /* owned: the command */
	uint32_t len;
};

/* What a serial changed: a SET or DEL without conditions; no bytes: nothing. */
struct zone_change {
	uint8_t *bytes; /* owned */
	uint32_t len;
};

/* What the primary knows of a secondary. */
struct zone_notice {
	uint64_t told; /* index of the last NOTIFY */
	bool owed;     /* it was not answered */
	unsigned tries;
};

/* Changes that are not on the secondary's disk yet. */
struct zone_batch {
	uint64_t seq;
	uint64_t contact_ns; /* the copy is as of then, once they are done; 0: nobody knows */
	uint8_t *bytes;      /* owned */
	uint32_t len;
	uint32_t count;
};

/* What a secondary has asked its primary, one thing at a time. */
enum zone_question { ZONE_IDLE, ZONE_ASKS_SOA, ZONE_ASKS_IXFR, ZONE_ASKS_AXFR };

/* A whole zone on its way here (AXFR), beside the one that serves. */
struct zone_staging {
	struct table *table; /* owned; NULL: there is none */
	struct command_state state;
	struct raft_copy copy;
	uint64_t index;
	uint64_t moved_ns;
	uint16_t piece;      /* number of the next one */
	uint64_t partial_at; /* of a part whose last piece is not here; else RAFT_NUMBER_MAX */
	uint64_t swap_seq;   /* record with which it takes over, 0: it lacks something */
	uint64_t contact_ns;
};

struct zone_entry;

/* A question of a cache to the servers, until one of them has answered. */
struct zone_fetch {
	struct list list; /* of all, the next that is due first */
	uint64_t id;
	uint64_t since_ns;
	uint64_t due_ns;
	unsigned server; /* that was asked last */
	unsigned tries;
	struct zone_entry *entry;
	struct buf slots; /* of the requests that wait, 8 bytes each */
};

struct zone_cache {
	struct table *index; /* by key, the address of a struct zone_entry */
	struct list entries; /* longest unused first */
	struct list fetches;
	size_t count;
	size_t bytes;
	struct ring by_id; /* struct zone_fetch *; NULL: it has ended */
	unsigned server_next;
	uint64_t *silent_until_ns; /* by server */
	uint64_t armed_ns;
	uint64_t hits;
	uint64_t misses;
	uint64_t stale;
};

struct zone {
	struct proto proto;
	struct forward forward;
	uint64_t born;     /* start of the primary, for the others as it told; 0: unknown */
	uint64_t heard_ns; /* the primary, by who is not */
	/* The zone: primary and secondaries. */
	uint64_t index;    /* serials since the first, in the table */
	uint64_t recorded; /* ... in records, on disk or on their way */
	struct command_state state;
	struct raft_copy copy; /* restore(): parts of a snapshot */
	bool unfinished;       /* ... which has not ended */
	uint64_t base;         /* ... and has begun there */
	uint64_t skip_to;      /* restore(): the snapshot has all before this mark; 0: none */
	/* Primary. */
	struct ring writes;  /* struct zone_write */
	struct ring journal; /* struct zone_change by index */
	size_t journal_bytes;
	struct zone_notice *notice; /* owned, by secondary */
	uint64_t transfers_whole;
	uint64_t transfers_changes;
	/* Secondary. */
	struct ring batches; /* struct zone_batch */
	struct zone_staging staging;
	enum zone_question question;
	uint64_t question_first; /* when it was first asked */
	uint64_t question_id;    /* ... and last */
	uint32_t notified;       /* serial of the last NOTIFY */
	bool notified_any;
	uint64_t contact_ns; /* the copy was the primary's then, or later; 0: never */
	uint64_t contact_wall_ns;
	uint64_t contact_kept_ns; /* wall clock in the last record of it */
	/* Cache. */
	struct zone_cache cache;
};

static inline struct zone *zone_of(struct proto *p)
{
	return (struct zone *)p;
}

static inline uint64_t zone_now(const struct zone *z)
{
	return z->proto.io->now(z->proto.io);
}

static inline unsigned zone_primary(const struct proto_config *cfg)
{
	return cfg->leader < 0 ? 0 : (unsigned)cfg->leader;
}

/* zone_servers() - replicas that have a copy: the primary is number 0, secondaries follow. */
static inline unsigned zone_servers(const struct proto_config *cfg)
{
	return cfg->secondaries < cfg->nodes ? cfg->secondaries + 1 : cfg->nodes;
}

static inline unsigned zone_server(const struct proto_config *cfg, unsigned number)
{
	assert(cfg->nodes > 0);
	return (zone_primary(cfg) + number) % cfg->nodes;
}

/* zone_number() - which server @node is; zone_servers() and above are caches. */
static inline unsigned zone_number(const struct proto_config *cfg, unsigned node)
{
	return (node + cfg->nodes - zone_primary(cfg)) % cfg->nodes;
}

/* zone_silence() - who did not answer is passed over: until all were asked, and some time more. */
static inline uint64_t zone_silence(const struct proto_config *cfg)
{
	unsigned heartbeats = ZONE_DEAF_HEARTBEATS + ZONE_ASK_HEARTBEATS * zone_servers(cfg);

	return heartbeats * cfg->heartbeat_ns;
}

static inline bool zone_is_primary(const struct zone *z)
{
	return z->proto.cfg.self == zone_primary(&z->proto.cfg);
}

static inline bool zone_is_secondary(const struct zone *z)
{
	unsigned number = zone_number(&z->proto.cfg, z->proto.cfg.self);

	return number > 0 && number < zone_servers(&z->proto.cfg);
}

static inline bool zone_is_cache(const struct zone *z)
{
	return zone_number(&z->proto.cfg, z->proto.cfg.self) >= zone_servers(&z->proto.cfg);
}

static inline uint32_t zone_serial(uint64_t index)
{
	return (uint32_t)(ZONE_SERIAL_FIRST + index);
}

/* zone_serial_after() - RFC 1982, 3.2: serial number arithmetic of 32 bits. */
static inline bool zone_serial_after(uint32_t a, uint32_t b)
{
	if (PROTO_BUG(BUG_ZONE_SERIAL_WITHOUT_WRAP))
		return a > b;
	return (int32_t)(a - b) > 0;
}

/* zone_span() - an interval of the settings; 0 is as often as there are heartbeats. */
static inline uint64_t zone_span(const struct zone *z, uint64_t ns)
{
	return ns ? ns : z->proto.cfg.heartbeat_ns;
}

/* zone_exact() - whether the table is as of ->index, and may be read. */
static inline bool zone_exact(const struct zone *z)
{
	return !z->unfinished && z->index >= z->copy.exact;
}

/* zone_primary.c */
void zone_write(struct zone *z, unsigned origin, const struct forward_attempt *a);
void zone_write_apply(struct zone *z, const struct command *c, struct proto_reply *ret);
void zone_writes_persisted(struct zone *z, uint64_t seq);
void zone_journal_reset(struct zone *z);
void zone_journal_fini(struct zone *z);
void zone_notify_again(struct zone *z);
int zone_on_notified(struct zone *z, unsigned from, struct cursor *c);
int zone_on_soa_ask(struct zone *z, unsigned from, struct cursor *c);
int zone_on_ixfr_ask(struct zone *z, unsigned from, struct cursor *c);
int zone_on_axfr_ask(struct zone *z, unsigned from, struct cursor *c);

/* zone_secondary.c */
bool zone_expired(const struct zone *z);
void zone_refresh(struct zone *z);
void zone_secondary_start(struct zone *z);
void zone_batches_persisted(struct zone *z, uint64_t seq);
int zone_on_notify(struct zone *z, unsigned from, struct cursor *c);
int zone_on_soa(struct zone *z, unsigned from, struct cursor *c);
int zone_on_ixfr(struct zone *z, unsigned from, struct cursor *c);
int zone_on_axfr(struct zone *z, unsigned from, struct cursor *c);
void zone_staging_drop(struct zone *z);
void zone_staging_begin(struct zone *z, uint64_t index, uint64_t clock_ns);
void zone_staging_swap(struct zone *z);

/* zone_staging_put() - a piece. Return: 0, or -EBADMSG: there can be no more parts. */
int zone_staging_put(struct zone_staging *s, const struct raft_part *part);

/* zone_changes_check() - @count changes are all there is left in @c. Return: 0, or -EBADMSG. */
int zone_changes_check(struct cursor c, uint32_t count);

/* zone_change_apply() - the next of @c, as number @index. @copy: parts that may have seen it. */
void zone_change_apply(struct table *t, struct command_state *state, const struct raft_copy *copy,
	struct cursor *c, uint64_t index);

/* zone_cache.c */
void zone_cache_init(struct zone *z);
void zone_cache_start(struct zone *z);
void zone_cache_fini(struct zone *z);
void zone_resolve(struct zone *z, const struct proto_request *req);
void zone_fetch_timer(struct zone *z);
int zone_on_record(struct zone *z, unsigned from, struct cursor *c);

/* zone_snapshot.c: see proto.h */
int zone_restore(struct proto *p, const void *bytes, size_t len);
int zone_describe(const void *bytes, size_t len, struct buf *out);
bool zone_snapshot(struct proto *p, struct proto_snapshot *s);

/* zone.c */
/* zone_read() - what the table here answers; version is the serial's index if there is no key. */
void zone_read(struct zone *z, struct proto_bytes key, struct proto_reply *ret);
void zone_answer(struct zone *z, unsigned to, struct forward_answer *a);

#endif
