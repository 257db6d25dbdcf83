/* SPDX-License-Identifier: MIT */
/* crdt_internal.h - state of one replica of crdt; for crdt*.c only */
#ifndef PROTO_CRDT_INTERNAL_H
#define PROTO_CRDT_INTERNAL_H

#include "store/proto/compare.h"
#include "store/proto/crdt_state.h"
#include "store/proto/hlc.h"
#include "store/proto/ring.h"

#define CRDT_DEAF_HEARTBEATS 4
/* Others told per heartbeat what there is: n replicas send no more than 16 n of these. */
#define CRDT_TOLD_MAX 16u
#define CRDT_WRITES_MAX 65536u /* of clients, on their way to the disk */
#define CRDT_WRITE_BYTES_MAX (64u << 20)
#define CRDT_MEMBERS_MAX 65536u /* of one set, when a replica adds one more */
#define CRDT_SIBLINGS_MAX 32u   /* of one register, when a replica adds one more */
/* Own deltas that are kept for who lacks them. Who lacks older ones compares all. */
#define CRDT_LOG_MAX 100000u
#define CRDT_LOG_BYTES_MAX (16u << 20)
#define CRDT_WINDOW_BYTES (1u << 20) /* of them, on the way to one replica */
#define CRDT_BATCH_BYTES (64u << 10) /* about so much is one message */
#define CRDT_DELTA_HEAD 8u           /* lengths of key and delta in it */
#define CRDT_DELTAS_HEAD 11u         /* of a message with deltas, before the first */
#define CRDT_BATCH_MAX 4096u         /* deltas in it */

#define CRDT_SYNC_LIST 2048u /* keys in one list */
#define CRDT_SYNC_HEAD 21u   /* of a message with states, before the first */

enum { CRDT_TIMER_TELL, CRDT_TIMER_REQUESTS, CRDT_TIMER_SYNC };

enum crdt_message {
	CRDT_HAVE = 1, /* once per heartbeat: which deltas of mine there are */
	CRDT_HELD,     /* the answer: which of them I have */
	CRDT_DELTAS,
	CRDT_GOT,      /* they are on disk, up to this one */
	CRDT_SYNC_ASK, /* crdt_sync.c: question and answer */
	CRDT_SYNC_SUMS,
	CRDT_SYNC_LEAF,
	CRDT_SYNC_STATES
};

enum crdt_record {
	CRDT_RECORD_DELTA = 1, /* of an operation, here or elsewhere */
	CRDT_RECORD_STATE,     /* of a key, in a snapshot or from a comparison */
	CRDT_RECORD_SEEN       /* up to which operation of each replica all is there */
};

enum crdt_waits { CRDT_FOR_CLIENT, CRDT_FOR_PEER, CRDT_FOR_SYNC, CRDT_FOR_SEEN };

/* A record on its way to the disk, and who waits for it. */
struct crdt_write {
	uint64_t seq;
	enum crdt_waits waits;
	uint64_t ticket; /* CRDT_FOR_CLIENT; 0: it was answered, or nobody asked */
	uint64_t since_ns;
	enum proto_op op;
	bool changed; /* ADD, REMOVE, DEL: there was something to do */
	bool token;   /* the session has one */
	unsigned from;
	uint64_t time;  /* of the operation */
	uint8_t *block; /* owned: the key, and the delta or state behind it; or what was seen */
	uint32_t key_len;
	uint32_t len;
};

/* A delta of this replica: the ring has them in the order of their times. */
struct crdt_delta {
	uint64_t time;
	uint64_t end; /* bytes of all deltas there ever were, this one included */
	uint8_t *block;
	uint32_t key_len;
	uint32_t len;
};

/* Another replica; or this one, of which there are taken and durable only. */
struct crdt_peer {
	uint64_t taken;    /* its last operation here, all before it being here, too */
	uint64_t durable;  /* ... and on disk */
	uint64_t has;      /* the last of ours that it has, as it said last */
	uint64_t acked;    /* ... and has on disk */
	uint64_t next;     /* number in the log of what it is sent next */
	uint64_t asked_ns; /* when it was asked what it has; 0: it has answered */
	uint64_t asked_at; /* what was then next */
	uint64_t heard_ns; /* last answer; 0: none yet */
	bool owed;         /* it is to be told what is on disk */
};

enum { CRDT_SYNC_LEAVES = COMPARE_PHASE_NR };

/* A comparison with another replica. */
struct crdt_sync {
	struct compare compare;
	unsigned leaf;  /* under way */
	uint64_t from;  /* place in it */
	uint64_t *seen; /* owned: what the other one had of each replica at the beginning */
};

struct crdt {
	struct proto proto;
	struct hlc hlc;
	uint64_t count;      /* a bug's */
	struct table *ahead; /* keys that records on their way to the disk change; the version is
				the last one's number */
	struct ring writes;
	uint64_t watched; /* number in it of the first that may wait for too long */
	uint64_t pending; /* that clients wait for */
	size_t bytes;     /* of these */
	bool armed;
	struct ring log;
	uint64_t log_base; /* time of the last delta that is not in it any more, or never was */
	uint64_t log_end;  /* bytes of all that ever were in it */
	struct crdt_peer *peer;
	unsigned told; /* who was last, where not all are told at once */
	struct merkle *tree;
	struct crdt_sync sync;
	uint64_t compared; /* comparisons that came to their end */
	uint64_t fetched;  /* states that they brought */
	uint64_t refused;  /* merges that would have made a state too large */
};

static inline struct crdt *crdt_of(struct proto *p)
{
	return (struct crdt *)p;
}

static inline unsigned crdt_nodes(const struct crdt *c)
{
	return c->proto.cfg.nodes;
}

static inline unsigned crdt_self(const struct crdt *c)
{
	return c->proto.cfg.self;
}

/* crdt.c: keys. */

/* crdt_load() - the state of @key with all that is on its way to the disk. @ret points into a
 * table, until that key is written; the caller frees it. Return: whether there is any. */
bool crdt_load(const struct crdt *c, struct proto_bytes key, struct crdt_state *ret);

/* crdt_load_durable() - the same of what is on disk. */
bool crdt_load_durable(const struct crdt *c, struct proto_bytes key, struct crdt_state *ret);

/* crdt_digest() - of a key and its state. */
uint64_t crdt_digest(struct proto_bytes key, struct proto_bytes state);

/**
 * crdt_write() - join a delta or state into a key: to the disk, then into the table
 * @kind:	of the record
 * @write:	who waits; the rest is filled in
 *
 * Return: 0, or -EFBIG: the state would be too large, and nothing was done.
 */
int crdt_write(struct crdt *c, enum crdt_record kind, struct proto_bytes key,
	struct proto_bytes delta, const struct crdt_write *write);

/* crdt_store() - put what is on disk into the table. */
void crdt_store(struct crdt *c, struct proto_bytes key, struct proto_bytes value);

/* crdt_request.c: what clients ask. */
void crdt_request(struct proto *p, const struct proto_request *req);

/* crdt_answer() - @w of a client is on disk. crdt_expire() - answer who has waited for too long. */
void crdt_answer(struct crdt *c, const struct crdt_write *w);
void crdt_expire(struct crdt *c);

/* crdt_ship.c: own deltas to the others, theirs here. */

/* crdt_log_add() - a delta of this replica is on disk; takes @block. */
void crdt_log_add(struct crdt *c, const struct crdt_write *w);

/* crdt_log_forget() - from now on who lacks anything up to @time has to compare. */
void crdt_log_forget(struct crdt *c, uint64_t time);
void crdt_log_fini(struct crdt *c);

/* crdt_ship() - send replica @to what it lacks and the window allows. */
void crdt_ship(struct crdt *c, unsigned to);
void crdt_ship_start(struct crdt *c);
void crdt_ship_tell(struct crdt *c);
int crdt_ship_message(struct crdt *c, unsigned from, enum crdt_message type, struct cursor *cursor);

/* crdt_ship_got() - tell those who wait what is on disk of theirs. */
void crdt_ship_got(struct crdt *c);

/* crdt_alive() - whether replica @i was heard lately. */
bool crdt_alive(const struct crdt *c, unsigned i);

/* crdt_sync.c: comparing all. */
void crdt_sync_start(struct crdt *c);
void crdt_sync_timer(struct crdt *c);
void crdt_sync_tick(struct crdt *c);
void crdt_sync_begin(struct crdt *c, unsigned with); /* unless one is under way */
int crdt_sync_message(struct crdt *c, unsigned from, enum crdt_message type, struct cursor *cursor);
void crdt_sync_stored(struct crdt *c);
void crdt_sync_fini(struct crdt *c);

/* crdt_records.c: the log and its snapshot. */
int crdt_restore(struct proto *p, const void *bytes, size_t len);
int crdt_describe(const void *bytes, size_t len, struct buf *out);
bool crdt_snapshot(struct proto *p, struct proto_snapshot *s);

/* crdt_record() - a record of a key. crdt_record_seen() - of what is there of each replica. */
void crdt_record(
	struct buf *b, enum crdt_record kind, struct proto_bytes key, struct proto_bytes delta);
void crdt_record_seen(struct buf *b, const struct crdt *c);

/* crdt_pair() - a key and a delta or state, each with its length before it, of @nodes replicas.
 * Return: 0, then @ret is to be freed; -EBADMSG. */
int crdt_pair(unsigned nodes, struct cursor *cursor, struct proto_bytes *ret_key,
	struct proto_bytes *ret_bytes, struct crdt_state *ret);

#endif
