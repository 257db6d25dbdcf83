/* SPDX-License-Identifier: MIT */
/* chain_internal.h - state of one replica of a chain; for chain*.c only */
#ifndef PROTO_CHAIN_INTERNAL_H
#define PROTO_CHAIN_INTERNAL_H

#include "store/proto/entry.h"
#include "store/proto/forward.h"
#include "store/proto/heard.h"
#include "store/proto/raft_internal.h"

#define CHAIN_DIRTY_MAX 65536u /* writes that the head has taken and the tail has not */
#define CHAIN_READS_MAX 65536u /* that one replica answers at a time */
#define CHAIN_WINDOW 4096u     /* entries on the way to a successor, not acknowledged */
#define CHAIN_SCAN_MAX 256u    /* entries that are looked at to see if a key is clean */
/* Who lacks no more entries than that may come into the chain, and gets them there. */
#define CHAIN_JOIN_LAG 256u
/* All who are heard may answer a proposal, for so long after a majority has. */
#define CHAIN_GATHER_HEARTBEATS 2u

/* Everybody has installed the empty one before the first. */
#define CHAIN_EPOCH_NONE 1u
#define CHAIN_EPOCH_FIRST 2u

enum { CHAIN_TIMER_TICK, CHAIN_TIMER_REQUESTS };

enum chain_message {
	CHAIN_PING = 1, /* and the latest configuration that is known to be chosen */
	CHAIN_PONG,
	CHAIN_PREPARE, /* chain_config.c */
	CHAIN_PROMISE,
	CHAIN_ACCEPT,
	CHAIN_ACCEPTED,
	CHAIN_CHOSEN,
	CHAIN_APPEND, /* chain_feed.c */
	CHAIN_APPENDED,
	CHAIN_ATTEMPT, /* chain_read.c */
	CHAIN_ANSWER,
	CHAIN_CONFIRM,
	CHAIN_CONFIRMED,
	CHAIN_VERSION,
	CHAIN_VERSIONED,
	CHAIN_READ,
	CHAIN_READ_LEASE,
	CHAIN_OFFER, /* chain_copy.c */
	CHAIN_PART,
	CHAIN_COPIED
};

enum chain_record {
	CHAIN_RECORD_CONFIG = 1,
	CHAIN_RECORD_ENTRIES,
	CHAIN_RECORD_BASE,
	CHAIN_RECORD_PART,
	CHAIN_RECORD_END,
	CHAIN_RECORD_MARK
};

/**
 * struct chain_config - a chain, from head to tail
 * @epoch:	its number; epoch % nodes is who proposed it
 * @base:	whoever has installed this configuration or a later one has all that was
 *acknowledged before @epoch
 */
struct chain_config {
	uint64_t epoch;
	uint64_t base;
	unsigned count;
	uint16_t list[PROTO_NODES_MAX];
};

/* What a replica says of itself when it promises. */
struct chain_promise {
	uint64_t installed;
	uint64_t last;
	bool lacking;
};

enum chain_proposing { CHAIN_IDLE, CHAIN_PREPARING, CHAIN_ACCEPTING };

struct chain_proposal {
	enum chain_proposing phase;
	uint64_t epoch;
	uint64_t sent_ns;
	uint64_t until_ns;
	uint64_t gather_ns; /* a majority has promised: others may until then; 0: not yet */
	struct node_set answered;
	struct chain_promise *promise; /* by replica; owned */
	struct chain_config top;       /* the latest that any of them has accepted */
	struct chain_config next;
};

/* An answer of this replica about configurations, when its own record of it is on disk. */
struct chain_owed {
	enum chain_message type; /* 0: none */
	unsigned to;
	uint64_t epoch;
	uint64_t seq;
};

enum chain_feeding { CHAIN_PROBE, CHAIN_STREAM, CHAIN_COPY };

/* How another replica is fed: the successor, and by the tail those that may come in. */
struct chain_peer {
	uint64_t epoch; /* in which all this is so */
	enum chain_feeding feeding;
	bool probing; /* CHAIN_PROBE: a message is on the way */
	bool moved;   /* there was an answer since the last heartbeat */
	uint64_t next;
	uint64_t match;
	/* CHAIN_COPY */
	bool agreed;   /* it has begun this copy */
	uint64_t copy; /* number of this copy */
	struct raft_base base;
	uint64_t cursor; /* of the part that is on the way */
	uint64_t to;     /* where that ends */
	uint64_t part;   /* its number */
	uint64_t attempt;
	/* A lease: it promises nobody else before this. */
	uint64_t granted_ns;
	uint64_t round; /* the last that it has confirmed */
};

struct chain_read {
	uint64_t round;
	uint64_t index; /* that must be applied */
	bool asked;     /* the tail, and it has not answered */
	bool done;
	unsigned origin;
	uint64_t slot;
	uint64_t attempt;
	uint64_t since_ns;
	uint8_t *key; /* owned */
	uint32_t len;
};

struct chain {
	struct proto proto;
	struct heard heard;
	struct forward forward;
	/* Configurations; the first three are durable. */
	uint64_t promised;
	struct chain_config config; /* the latest that was accepted */
	uint64_t installed;         /* latest epoch of which this member has the beginning */
	bool chosen;                /* a majority has accepted ->config */
	uint64_t boot_epoch;        /* of ->config at a restart: no head of it may go on */
	uint64_t boot_last;         /* entry that it then had */
	uint64_t config_seq;
	uint64_t persisted;
	struct chain_owed owed;
	struct chain_proposal proposal;
	uint64_t trouble_ns; /* since when something is wrong, 0: nothing is */
	uint64_t patience_ns;
	uint64_t progress_ns; /* last message of the predecessor */
	uint64_t grant_ns;    /* promised to members until then: no promise of a new epoch */
	uint64_t quiet_ns;    /* ... and none of these until then */
	/* The log. */
	struct raft_log log;
	struct ring waiters; /* struct raft_waiter by index, of what is not applied */
	uint64_t matched;    /* the log agrees with the predecessor's up to here */
	uint64_t commit;
	uint64_t applied;
	struct command_state state;
	struct raft_copy copy; /* where the table came from, until it is exact */
	bool unfinished;       /* restore(): a snapshot has begun and not ended */
	uint64_t skip_to;      /* restore(): the snapshot has all before this mark; 0: none */
	bool lacking;          /* a copy has begun and not ended: the table is of no moment */
	struct chain_peer *peer;
	/* As who gets a copy. */
	uint64_t copy_number;
	uint64_t copy_attempt;
	uint64_t copy_piece; /* of the next part; how many of its pieces are here */
	uint64_t copy_parts;
	/* Reads. */
	struct ring reads;
	uint64_t round;
	uint64_t round_ns;
	uint64_t reads_clean;
	uint64_t reads_dirty;
	uint64_t changes; /* configurations seen chosen */
};

static inline struct chain *chain_of(struct proto *p)
{
	return (struct chain *)p;
}

static inline unsigned chain_nodes(const struct chain *c)
{
	return c->proto.cfg.nodes;
}

static inline unsigned chain_self(const struct chain *c)
{
	return c->proto.cfg.self;
}

static inline uint64_t chain_now(const struct chain *c)
{
	return c->proto.io->now(c->proto.io);
}

static inline unsigned chain_majority(const struct chain *c)
{
	return chain_nodes(c) / 2 + 1;
}

static inline uint64_t chain_last(const struct chain *c)
{
	return raft_log_last(&c->log);
}

static inline bool chain_exact(const struct chain *c)
{
	return !c->lacking && c->applied >= c->copy.exact;
}

/* chain_config.c: who the chain is. */

/* chain_place() - of @node, from 0 at the head; -1: it is no member. */
int chain_place(const struct chain_config *cfg, unsigned node);

static inline unsigned chain_head(const struct chain *c)
{
	return c->config.list[0];
}

static inline unsigned chain_tail(const struct chain *c)
{
	return c->config.list[c->config.count - 1];
}

/* chain_settled() - the latest configuration that is known here is chosen, nothing newer promised.
 */
static inline bool chain_settled(const struct chain *c)
{
	return c->chosen && c->promised == c->config.epoch;
}

/* chain_serves() - and this replica is a member that has all that was acknowledged before. */
static inline bool chain_serves(const struct chain *c)
{
	return chain_settled(c) && c->installed == c->config.epoch &&
	       chain_place(&c->config, c->proto.cfg.self) >= 0;
}

static inline bool chain_heads(const struct chain *c)
{
	return chain_serves(c) && chain_head(c) == c->proto.cfg.self &&
	       c->config.epoch != c->boot_epoch;
}

static inline bool chain_tails(const struct chain *c)
{
	return chain_serves(c) && chain_tail(c) == c->proto.cfg.self;
}

void chain_config_first(const struct proto_config *cfg, struct chain_config *ret);
void chain_config_encode(struct buf *b, const struct chain_config *cfg);
int chain_config_decode(struct cursor *c, unsigned nodes, struct chain_config *ret);
void chain_config_record(struct chain *c);
void chain_config_persisted(struct chain *c);
void chain_config_tick(struct chain *c);
void chain_send_chosen(struct chain *c, unsigned to);
int chain_config_message(
	struct chain *c, unsigned from, enum chain_message type, struct cursor *at);

/* chain_propose() - a new chain of those who answer. */
void chain_propose(struct chain *c);

/* chain_installed() - this member has the beginning of the configuration. */
void chain_installed(struct chain *c);

/* chain_feed.c: entries from one to the next. */
void chain_append(struct chain *c, struct proto_bytes bytes, const struct raft_waiter *who);
void chain_record(struct chain *c);
void chain_commit(struct chain *c, uint64_t index);
void chain_apply(struct chain *c);
void chain_trim(struct chain *c);
void chain_feed(struct chain *c);
void chain_feed_tick(struct chain *c);
void chain_durable(struct chain *c);
void chain_send_appended(struct chain *c);

/* chain_send_committed() - to who offers a copy that is older: what is committed, all have. */
void chain_send_committed(struct chain *c);
int chain_on_append(struct chain *c, unsigned from, struct cursor *at);
int chain_on_appended(struct chain *c, unsigned from, struct cursor *at);

/* chain_peer_of() - what is known of @node in this epoch. */
struct chain_peer *chain_peer_of(struct chain *c, unsigned node);

/* chain_fed() - whether this replica feeds @node. chain_feeder() - who feeds this one, -1: nobody.
 */
bool chain_fed(const struct chain *c, unsigned node);
int chain_feeder(const struct chain *c);

/* chain_copy.c: the table to who needs entries that are forgotten. */
void chain_copy_begin(struct chain *c, unsigned to);
void chain_copy_tick(struct chain *c, unsigned to);
int chain_on_offer(struct chain *c, unsigned from, struct cursor *at);
int chain_on_part(struct chain *c, unsigned from, struct cursor *at);
int chain_on_copied(struct chain *c, unsigned from, struct cursor *at);
void chain_base_encode(struct buf *b, const struct raft_base *base);
int chain_base_decode(struct cursor *c, struct raft_base *ret);
void chain_base_take(struct chain *c, const struct raft_base *base);

/* chain_part_encode() - of a message or record. chain_part_decode() - the rest of one. */
void chain_part_encode(struct buf *b, const struct raft_part *part, bool first);
int chain_part_decode(struct cursor *c, struct raft_part *ret, bool *ret_first);

/* chain_part_take() - into the table; @first: the first piece. Return: 0, -EBADMSG. */
int chain_part_take(struct chain *c, const struct raft_part *part, bool first);

/* chain_read.c */

/* chain_requests_go() - a chain is known: send what waits for it, and reads once more. */
void chain_requests_go(struct chain *c);
void chain_request(struct proto *p, const struct proto_request *req);

/* chain_take() - this head takes a write. */
void chain_take(struct chain *c, unsigned origin, const struct forward_attempt *a);

/* chain_reads_drop() - they were asked of an earlier epoch: who asked will ask again. */
void chain_reads_drop(struct chain *c);

/* chain_reader() - which replica answers reads that come to this one. */
unsigned chain_reader(const struct chain *c);
void chain_read(struct chain *c, unsigned origin, const struct forward_attempt *a, bool by_lease);
void chain_answer(struct chain *c, unsigned to, struct forward_answer *a);
void chain_reads_step(struct chain *c);
void chain_reads_tick(struct chain *c);
void chain_reads_fini(struct chain *c);
bool chain_leases(const struct proto_config *cfg);
int chain_read_message(struct chain *c, unsigned from, enum chain_message type, struct cursor *at);
void chain_ping(struct chain *c);
int chain_on_ping(struct chain *c, unsigned from, struct cursor *at);
int chain_on_pong(struct chain *c, unsigned from, struct cursor *at);

/* chain_records.c: the log and its snapshot. */
int chain_restore(struct proto *p, const void *bytes, size_t len);
int chain_describe(const void *bytes, size_t len, struct buf *out);
bool chain_snapshot(struct proto *p, struct proto_snapshot *s);

#endif
