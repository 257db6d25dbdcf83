/* SPDX-License-Identifier: MIT */
/*
 * primary_internal.h - state of one replica of a primary's log; for primary*.c only
 *
 * The log in memory, its batches and the copy of a table in parts are those of raft_log.c and
 * raft_copy.c: there an entry's term is what is called epoch here.
 */
#ifndef PROTO_PRIMARY_INTERNAL_H
#define PROTO_PRIMARY_INTERNAL_H

#include "store/proto/raft_internal.h"

#define PRIMARY_DEAF_HEARTBEATS 8u     /* who was silent for so many is not heard */
#define PRIMARY_POLL_HEARTBEATS 2u     /* who answers a watcher within so many is reachable */
#define PRIMARY_RESTART_BITS 10        /* of an epoch: how often its primary has restarted */
#define PRIMARY_RUNS_MAX 1024u         /* epochs whose beginning in the log is remembered */
#define PRIMARY_WINDOW_PIECES 8u       /* of a table, on the way to one replica */
#define PRIMARY_KEPT_BYTES (64u << 20) /* of outcomes that wait for acknowledgements */

enum primary_timer {
	PRIMARY_TIMER_HEARTBEAT,
	PRIMARY_TIMER_FLUSH,
	PRIMARY_TIMER_REQUESTS,
	PRIMARY_TIMER_FALLBACK,
	PRIMARY_TIMER_WATCH,
};

enum primary_message {
	PRIMARY_APPEND = 1,
	PRIMARY_APPENDED,
	PRIMARY_ATTEMPT,
	PRIMARY_ANSWER,
	PRIMARY_POSITION,
	PRIMARY_PING,
	PRIMARY_OFFER,
	PRIMARY_PIECE,
	PRIMARY_STAGED,
	PRIMARY_ORDER,
	PRIMARY_ASK,
	PRIMARY_STANDING,
};

enum primary_record {
	PRIMARY_RECORD_EPOCH = 1,
	PRIMARY_RECORD_ENTRIES,
	PRIMARY_RECORD_BASE,
	PRIMARY_RECORD_PART,
	PRIMARY_RECORD_END,
	PRIMARY_RECORD_STAGE,
	PRIMARY_RECORD_STAGE_PIECE,
	PRIMARY_RECORD_SWAP,
	PRIMARY_RECORD_MARK,
};

/* RISING: its epoch is on its way to the disk. HANDING: it begins nothing new. */
enum primary_role {
	PRIMARY_REPLICA,
	PRIMARY_RISING,
	PRIMARY_LEADS,
	PRIMARY_HANDING,
	PRIMARY_ROLE_NR
};

/* From entry @first on the log is of @epoch, up to where the next run begins. */
struct primary_run {
	uint64_t epoch;
	uint64_t first;
};

/* Where a copy of a table begins: the state after entry @index, but for the table. */
struct primary_base {
	uint64_t index;
	uint64_t clock_ns;
	struct ring runs; /* struct primary_run, owned */
};

/* A table that the primary sends, as far as it is here. */
struct primary_staging {
	struct table *table; /* owned; NULL: there is none */
	struct primary_base base;
	struct raft_copy copy;
	uint64_t number; /* of the transfer, in its epoch */
	uint64_t attempt;
	uint64_t piece; /* number of the next one */
	uint64_t lost;  /* entries here that the primary does not have */
	uint64_t moved_ns;
	bool part_open; /* the last piece was not the end of its part */
};

/* The primary's side of it. */
struct primary_transfer {
	uint64_t number;
	uint64_t index; /* of the base */
	bool agreed;    /* the replica has answered the offer */
	bool moved;     /* there was an answer since the last heartbeat */
	bool all_sent;
	uint64_t cursor; /* of the next part */
	uint64_t parts;
	uint64_t attempt;
	uint64_t piece; /* number of the next one in this attempt */
	uint64_t got;   /* pieces of this attempt that were answered */
};

struct primary_peer {
	uint64_t next;  /* index of the next entry to send */
	uint64_t match; /* entries up to here are on its disk */
	uint64_t answered_ns;
	uint64_t done; /* number of the last transfer; acknowledgements of before are void */
	bool rewound;  /* since the last heartbeat */
	struct primary_transfer *transfer; /* owned; NULL: the log is sent */
};

/* An entry that this primary has appended, by index: who waits, and what it came to. */
struct primary_waiter {
	uint64_t slot; /* 0: nobody */
	uint64_t attempt;
	unsigned origin;
	uint64_t since_ns;        /* on the own disk; 0: not yet */
	struct proto_reply reply; /* once it was done; the value is owned */
};

/* What an operator asked of this primary, until another leads. */
struct primary_admin {
	bool busy;
	unsigned node;
	unsigned origin;
	uint64_t slot;
	uint64_t attempt;
	uint64_t until_ns;
};

/* Who could be promoted, as far as it has answered. */
struct primary_standing {
	uint64_t epoch; /* of its last entry */
	uint64_t last;
	unsigned node;
};

struct primary {
	struct proto proto;
	struct sm role;
	uint64_t epoch;      /* highest known; primary_owner() of it leads */
	uint64_t boot_epoch; /* at the start */
	uint64_t epoch_seq;  /* record of that */
	uint64_t persisted;
	bool restored; /* there was something in the log at the start */
	struct raft_log log;
	struct ring runs; /* struct primary_run: the epochs of the whole log, forgotten or not */
	uint64_t applied;
	struct command_state state;
	struct raft_copy copy; /* of what the table came from, until it is exact */
	bool unfinished;       /* restore(): a snapshot has begun and not ended */
	uint64_t skip_to;      /* restore(): the snapshot has all before this mark; 0: none */
	uint64_t lost;         /* entries that the last failover has cost, here */
	uint64_t lost_all;
	/* As a replica. */
	uint64_t since_ns; /* this epoch is known */
	uint64_t heard_ns; /* its primary, 0: not yet */
	uint64_t agreed;   /* the log is the primary's up to here */
	uint64_t done;     /* number of the last transfer of this epoch that needs no more */
	bool answer_owed;
	struct primary_staging staging;
	/* As a watcher. */
	bool polling;
	bool poll_void; /* somebody reachable hears a primary */
	uint64_t poll;  /* number of the poll */
	struct primary_standing best;
	/* As a primary. */
	struct primary_peer *peer; /* owned, by replica */
	struct ring waiters;       /* struct primary_waiter by index */
	size_t kept;               /* bytes of their values */
	bool semi;                 /* acknowledgements are waited for */
	uint64_t fallback_ns;      /* when the timer is due, 0: not armed */
	bool flush_armed;
	uint64_t transfers;
	struct primary_admin admin;
	uint64_t force_slot; /* an order to take over, answered when this leads; 0: none */
	/* For clients. */
	bool holding;     /* some requests wait for a primary */
	bool reads_again; /* the reads that another primary has not answered are sent again */
	struct forward forward;
};

static inline struct primary *primary_of(struct proto *p)
{
	return (struct primary *)p;
}

static inline uint64_t primary_now(const struct primary *p)
{
	return p->proto.io->now(p->proto.io);
}

static inline unsigned primary_owner(const struct primary *p, uint64_t epoch)
{
	return (unsigned)((epoch >> PRIMARY_RESTART_BITS) % p->proto.cfg.nodes);
}

static inline bool primary_leads(const struct primary *p)
{
	return p->role.now == PRIMARY_LEADS || p->role.now == PRIMARY_HANDING;
}

/* primary_exact() - whether the table is as of the applied index, and may be read. */
static inline bool primary_exact(const struct primary *p)
{
	return !p->unfinished && p->applied >= p->copy.exact;
}

/* primary_known() - whether the epoch is on disk, so that others may be told of it. */
static inline bool primary_known(const struct primary *p)
{
	return p->persisted >= p->epoch_seq;
}

static inline uint64_t primary_last(const struct primary *p)
{
	return raft_log_last(&p->log);
}

/* primary_acks() - replicas that are waited for, of those that there are. */
static inline unsigned primary_acks(const struct proto_config *cfg)
{
	return cfg->acks < cfg->nodes ? cfg->acks : cfg->nodes - 1;
}

/* primary_deaf() - the primary was silent, or none is known, for too long. */
static inline bool primary_deaf(const struct primary *p)
{
	uint64_t from = p->heard_ns > p->since_ns ? p->heard_ns : p->since_ns;

	return primary_now(p) - from > PRIMARY_DEAF_HEARTBEATS * p->proto.cfg.heartbeat_ns;
}

/* primary_log.c: the log, its epochs, what is done with its entries */
uint64_t primary_epoch_at(const struct primary *p, uint64_t index);
void primary_runs_push(struct ring *runs, uint64_t epoch, uint64_t first);
void primary_runs_copy(struct ring *to, const struct ring *from, uint64_t index);
void primary_runs_encode(struct buf *b, const struct ring *runs, uint64_t index);

/* primary_runs_decode() - of a log that ends with entry @last. Return: 0, or -EBADMSG. */
int primary_runs_decode(struct cursor *c, uint64_t last, struct ring *ret);

/* primary_common() - entries that two logs share: theirs has @last of @runs. */
uint64_t primary_common(const struct primary *p, const struct ring *runs, uint64_t last);
void primary_append(struct primary *p, uint64_t epoch, struct proto_bytes bytes);
void primary_record(struct primary *p);
void primary_record_epoch(struct primary *p);
int primary_entries_decode(
	struct cursor *c, uint64_t prev_epoch, uint64_t epoch_max, struct raft_batch *ret);

/* primary_apply_next() - do the next entry. primary_apply() - all up to @index. */
void primary_apply_next(struct primary *p, struct proto_reply *ret);
void primary_apply(struct primary *p, uint64_t index);

/* primary_trim() - forget entries that need not be in memory. */
void primary_trim(struct primary *p);

/* primary_snapshot.c: see proto.h */
int primary_restore(struct proto *p, const void *bytes, size_t len);
int primary_describe(const void *bytes, size_t len, struct buf *out);
bool primary_snapshot(struct proto *p, struct proto_snapshot *s);
int primary_base_decode(struct cursor *c, struct primary_base *ret);

/* primary_lead.c */
void primary_lead(struct primary *p);
void primary_step_down(struct primary *p);
void primary_take(struct primary *p, unsigned origin, const struct forward_attempt *a);
void primary_flush(struct primary *p);
void primary_advance(struct primary *p);
void primary_fallback(struct primary *p);
void primary_heartbeat(struct primary *p);
void primary_disk(struct primary *p);
void primary_ship(struct primary *p, unsigned to, bool must);
void primary_answer(struct primary *p, unsigned to, struct forward_answer *a);
uint64_t primary_acked(const struct primary *p);
int primary_on_appended(struct primary *p, unsigned from, struct cursor *c);
int primary_on_position(struct primary *p, unsigned from, struct cursor *c);

/* primary_replica.c */
void primary_send_appended(struct primary *p);
int primary_on_append(struct primary *p, unsigned from, struct cursor *c);

/* primary_copy.c: the primary's side, then the replica's */
void primary_transfer_begin(struct primary *p, unsigned to);
void primary_transfer_end(struct primary_peer *peer);
void primary_transfer_heartbeat(struct primary *p, unsigned to);
int primary_on_staged(struct primary *p, unsigned from, struct cursor *c);
int primary_on_offer(struct primary *p, unsigned from, struct cursor *c);
int primary_on_piece(struct primary *p, unsigned from, struct cursor *c);
void primary_staging_drop(struct primary *p);
void primary_staging_begin(struct primary *p, struct primary_base *base);
void primary_staging_swap(struct primary *p);

/* primary_failover.c */
void primary_adopt(struct primary *p, uint64_t epoch);

/* primary_next_epoch() - that @node owns, above all that are known. */
uint64_t primary_next_epoch(const struct primary *p, unsigned node);

/* primary_rise() - to lead in epoch @epoch, which is this replica's. Return: whether it may. */
bool primary_rise(struct primary *p, uint64_t epoch);
void primary_describe_epoch(struct buf *out, uint64_t epoch);
void primary_ping(struct primary *p, unsigned to);
int primary_on_ping(struct primary *p, unsigned from, struct cursor *c);
void primary_watch(struct primary *p);
void primary_watch_from_now(struct primary *p);
int primary_on_ask(struct primary *p, unsigned from, struct cursor *c);
int primary_on_standing(struct primary *p, unsigned from, struct cursor *c);
void primary_admin(struct proto *p, uint64_t ticket, enum proto_admin what, unsigned node);
void primary_admin_take(struct primary *p, unsigned origin, const struct forward_attempt *a);
void primary_admin_step(struct primary *p);
void primary_admin_heard(struct primary *p);

/**
 * primary_hear() - a message came from who leads in @epoch
 * Return: 1; 0: of an older epoch, not to be minded; -EBADMSG: it cannot be.
 */
int primary_hear(struct primary *p, unsigned from, uint64_t epoch);

/* primary.c */
void primary_pass_on(struct primary *p, uint64_t slot);
void primary_pass_held(struct primary *p);

#endif
