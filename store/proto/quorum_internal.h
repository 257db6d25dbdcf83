/* SPDX-License-Identifier: MIT */
/* quorum_internal.h - state of one leaderless replica; for quorum*.c only */
#ifndef PROTO_QUORUM_INTERNAL_H
#define PROTO_QUORUM_INTERNAL_H

#include "store/proto/command.h"
#include "store/proto/compare.h"
#include "store/proto/entry.h"
#include "store/proto/ring.h"

#define QUORUM_DEAF_HEARTBEATS 4
/* Others asked per heartbeat whether they are there: n replicas send no more than 16 n pings. */
#define QUORUM_PINGS_MAX 16u
#define QUORUM_OPERATIONS_MAX 65536 /* that one replica coordinates at a time */
#define QUORUM_OPERATION_BYTES_MAX (64u << 20)
#define QUORUM_HINTS_MAX 100000           /* keys noted for one replica */
#define QUORUM_HINT_BYTES_MAX (16u << 20) /* of these keys */
#define QUORUM_HINTS_ALL_MAX 400000       /* keys noted for all replicas */
#define QUORUM_HINT_BYTES_ALL_MAX (64u << 20)
#define QUORUM_HINTS_WINDOW 64 /* on the way to one replica */
#define QUORUM_HINT_BYTES_WINDOW (1u << 20)

/* How often a question of anti-entropy or of a burial is asked before it is given up. */
#define QUORUM_SYNC_BYTES (64u << 10) /* of one list or delivery, about */
#define QUORUM_SYNC_HASHED (1u << 20) /* bytes of entries that are read for one list */
#define QUORUM_SYNC_HEAD 13u          /* of a delivery, before its first entry */
#define QUORUM_GRAVES_MAX 64          /* tombstones forgotten at a time; a bit each */

enum { QUORUM_TIMER_PING, QUORUM_TIMER_OPERATIONS, QUORUM_TIMER_SYNC };

enum quorum_message {
	QUORUM_NOBODY, /* no message: nobody waits for this */
	QUORUM_PING,
	QUORUM_PONG,
	QUORUM_WRITE,
	QUORUM_WRITTEN,
	QUORUM_READ,
	QUORUM_FOUND,
	QUORUM_HINT,
	QUORUM_HINTED,
	QUORUM_SYNC_ASK, /* quorum_sync.c: question and answer */
	QUORUM_SYNC_SUMS,
	QUORUM_SYNC_LIST,
	QUORUM_SYNC_HEADS,
	QUORUM_SYNC_WANT,
	QUORUM_SYNC_ENTRIES,
	QUORUM_BURY, /* quorum_bury.c: question and answer */
	QUORUM_HELD,
	QUORUM_FORGET,
	QUORUM_FORGOTTEN,
	QUORUM_STAND_IN, /* a write with a hint for another replica, which both count */
	QUORUM_STOOD_IN
};

enum quorum_record {
	QUORUM_RECORD_ENTRY = 1,
	QUORUM_RECORD_HINT,
	QUORUM_RECORD_HINT_DONE,
	QUORUM_RECORD_STATE,
	QUORUM_RECORD_FORGET
};

enum quorum_phase { QUORUM_DONE, QUORUM_WRITING, QUORUM_ASKING, QUORUM_REPAIRING };

struct quorum_operation {
	enum quorum_phase phase;
	bool replied;
	bool existed; /* DEL: there was something here to delete */
	enum proto_op op;
	unsigned need;
	uint64_t ticket;
	uint64_t since_ns;
	struct node_set answered; /* read: by a value; write: by an acknowledgement */
	struct node_set holders;  /* read: of the newest version */
	struct node_set stood;    /* write: for whom another one keeps a hint that counts */
	uint8_t *key;             /* owned, with the value behind it */
	struct table_entry newest;
};

/* A record on its way to the disk, and what follows when it is there. */
struct quorum_write {
	uint64_t seq;
	uint64_t id; /* of the operation, at its coordinator */
	unsigned from;
	unsigned stands_for;       /* QUORUM_STOOD_IN */
	bool forget;               /* the entry goes instead of coming */
	enum quorum_message reply; /* what tells @from */
	uint8_t *key; /* owned, with the value behind it; NULL: a record without an entry */
	struct table_entry entry;
};

struct quorum_peer {
	uint64_t heard_ns;   /* last answer, or own start */
	uint64_t stamp;      /* its clock, as its last ping told */
	bool heard;          /* at least once since then */
	bool walking;        /* over the hints, from @cursor on */
	unsigned sent;       /* of them, in the window */
	struct table *hints; /* keys that it lacks; NULL while there was none */
	uint64_t hint_bytes; /* of these keys */
	uint64_t cursor;
	uint64_t sent_bytes;
	uint64_t progress_ns;
};

enum { QUORUM_SYNC_LISTING = COMPARE_PHASE_NR, QUORUM_SYNC_FETCHING };

/* A comparison with another replica. */
struct quorum_sync {
	struct compare compare;
	uint64_t from;   /* where the list goes on, 0: all has been listed */
	struct buf want; /* keys to be fetched, each with its length before it */
	uint64_t wanted;
};

enum quorum_bury_phase {
	QUORUM_BURY_IDLE,
	QUORUM_BURY_ASKING,
	QUORUM_BURY_WAITING,
	QUORUM_BURY_TELLING,
	QUORUM_BURY_FORGETTING
};

/* A tombstone that may be forgotten. */
struct quorum_grave {
	uint64_t version;
	struct proto_bytes key;
};

struct quorum_bury {
	enum quorum_bury_phase phase;
	uint64_t cursor;   /* of the search */
	struct buf graves; /* as in messages */
	unsigned count;
	uint64_t held; /* by all who have answered: a bit for each */
	uint64_t round;
	struct node_set answered;
	uint64_t asked_ns;
	unsigned tries;
	unsigned forgetting; /* own records on their way to the disk */
};

struct quorum {
	struct proto proto;
	uint64_t clock; /* last version given */
	struct ring ops;
	struct ring writes;
	uint64_t pending;
	size_t bytes;
	bool armed;
	unsigned pinged; /* who was last, where not all are pinged at once */
	uint64_t hints;  /* keys noted, for all */
	uint64_t hint_bytes;
	uint64_t hints_refused; /* by a limit: since then only anti-entropy or reads repair these */
	struct quorum_peer *peer;
	struct merkle *tree; /* of the table; NULL: no anti-entropy */
	struct quorum_sync sync;
	uint64_t compared; /* comparisons that came to their end */
	uint64_t fetched;  /* entries */
	struct quorum_bury bury;
	uint64_t forgotten; /* no version of a tombstone that was forgotten here is above it */
};

static inline struct quorum *quorum_of(struct proto *p)
{
	return (struct quorum *)p;
}

static inline unsigned quorum_nodes(const struct quorum *q)
{
	return q->proto.cfg.nodes;
}

/* Replicas that have the data; those behind them coordinate only. */
static inline unsigned quorum_copies(const struct proto_config *cfg)
{
	return cfg->copies && cfg->copies < cfg->nodes ? cfg->copies : cfg->nodes;
}

/* Whether this replica has the data. */
static inline bool quorum_keeps(const struct quorum *q)
{
	return q->proto.cfg.self < quorum_copies(&q->proto.cfg);
}

/* quorum_entry.c: entries into the log, the table and to others. */

/* quorum_digest() - of all that makes @e what it is. */
uint64_t quorum_digest(const struct table_entry *e);

void quorum_send_entry(struct quorum *q, unsigned to, enum quorum_message type, uint64_t id,
	const struct table_entry *e);

/* quorum_send_id() - a message that has nothing but a number. */
void quorum_send_id(struct quorum *q, unsigned to, enum quorum_message type, uint64_t id);

/* quorum_persist() - write a record; @write says what follows when it is on disk. */
void quorum_persist(struct quorum *q, const struct buf *b, const struct quorum_write *write);

/* quorum_store() - write @e to disk and then into the table; @from hears of it by @reply. */
void quorum_store(struct quorum *q, const struct table_entry *e, unsigned from,
	enum quorum_message reply, uint64_t id);

/* quorum_store_for() - the same, and tell @from that a hint for @whom is kept. */
void quorum_store_for(
	struct quorum *q, const struct table_entry *e, unsigned from, uint64_t id, unsigned whom);

/* quorum_merge() - what is on disk into the table, unless something newer is there. */
void quorum_merge(struct quorum *q, const struct table_entry *e);

/* quorum_deaf_ns() - who has not answered for so long counts as not there. */
uint64_t quorum_deaf_ns(const struct quorum *q);

/* quorum_alive() - whether replica @i has been heard lately; oneself always. */
bool quorum_alive(const struct quorum *q, unsigned i);

/* quorum_sync.c: anti-entropy. */
void quorum_sync_start(struct quorum *q);
void quorum_sync_timer(struct quorum *q);
void quorum_sync_tick(struct quorum *q);
int quorum_sync_message(
	struct quorum *q, unsigned from, enum quorum_message type, struct cursor *c);
void quorum_sync_stored(struct quorum *q);
void quorum_sync_fini(struct quorum *q);

/* quorum_bury.c: forgetting what was deleted. */
uint64_t quorum_fresh_ns(const struct quorum *q);
bool quorum_stale(const struct quorum *q, const struct table_entry *e, uint64_t stamp);
void quorum_bury_start(struct quorum *q);
void quorum_bury_tick(struct quorum *q);
int quorum_bury_message(
	struct quorum *q, unsigned from, enum quorum_message type, struct cursor *c);
void quorum_bury_fini(struct quorum *q);
void quorum_send_mask(
	struct quorum *q, unsigned to, enum quorum_message type, uint64_t id, uint64_t mask);

/* quorum_forget() - take out what is not newer than @e: its record is on disk. */
void quorum_forget(struct quorum *q, const struct table_entry *e);

/* quorum_bury_forgot() - this replica has forgotten one that it made: the record is on disk. */
void quorum_bury_forgot(struct quorum *q);
int quorum_forget_restore(struct quorum *q, struct cursor *c);
int quorum_forget_describe(struct cursor *c, struct buf *out);

/* quorum_operation.c: what clients ask. */

/* quorum_need() - how many must answer at @level. */
unsigned quorum_need(const struct proto_config *cfg, enum proto_level level, bool write);

/* quorum_reachable() - how many could count towards a level, as far as is known. */
unsigned quorum_reachable(const struct quorum *q, bool write);
void quorum_request(struct proto *p, const struct proto_request *req);
void quorum_expire(struct quorum *q);

/* quorum_stood_in() - and @by keeps a hint for @whom. */
void quorum_stood_in(struct quorum *q, uint64_t id, unsigned by, unsigned whom);

/* quorum_acknowledged() - @by has what operation @id wrote. quorum_found() - @by has @e. */
void quorum_acknowledged(struct quorum *q, uint64_t id, unsigned by);
void quorum_found(struct quorum *q, uint64_t id, unsigned by, const struct table_entry *e);

/* quorum_records.c: the log and its snapshot. */
int quorum_restore(struct proto *p, const void *bytes, size_t len);
int quorum_describe(const void *bytes, size_t len, struct buf *out);
bool quorum_snapshot(struct proto *p, struct proto_snapshot *s);

/* quorum_hints.c: keys that another replica lacks. */

bool quorum_hinted(const struct quorum *q, unsigned to, struct proto_bytes key);

/* quorum_hint_add() - note, on disk, that @to lacks @key. Return: false if a limit forbids it. */
bool quorum_hint_add(struct quorum *q, unsigned to, struct proto_bytes key);

/* quorum_hint_write() - the same for a write that may not be on this disk yet either. */
void quorum_hint_write(struct quorum *q, unsigned to, const struct table_entry *e);

/* quorum_hint_forget() - @e, which @to has had, is forgotten: so is a note of that or older. */
void quorum_hint_forget(struct quorum *q, unsigned to, const struct table_entry *e);

/* quorum_hint_tick() - once per heartbeat: send on what @to lacks, if it is heard. */
void quorum_hint_tick(struct quorum *q, unsigned to);

/* quorum_hint_done() - @from has @key as of @version. */
void quorum_hint_done(struct quorum *q, unsigned from, uint64_t version, struct proto_bytes key);

/* quorum_hint_encode() - a record: @to lacks @key, or no longer. */
void quorum_hint_encode(struct buf *b, unsigned to, struct proto_bytes key, bool on);

/* quorum_hint_describe() - the rest of a record of either kind, for people. Return: 0, -EBADMSG. */
int quorum_hint_describe(struct cursor *c, bool on, struct buf *out);

int quorum_hint_restore(struct quorum *q, struct cursor *c, bool on);

#endif
