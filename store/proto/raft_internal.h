/* SPDX-License-Identifier: MIT */
/*
 * raft_internal.h - state of one Raft replica; for raft*.c only
 *
 * References: "the paper" is Ongaro and Ousterhout, "In Search of an Understandable Consensus
 * Algorithm (Extended Version)", 2014; "the dissertation" is Ongaro, "Consensus: Bridging Theory
 * and Practice", Stanford 2014.
 */
#ifndef PROTO_RAFT_INTERNAL_H
#define PROTO_RAFT_INTERNAL_H

#include "agent/base/sm.h"
#include "store/proto/forward.h"

#define RAFT_NUMBER_MAX (1ull << 48)  /* terms and indexes beyond it are not believed */
#define RAFT_BATCH_BYTES (256u << 10) /* of entries in one message; one entry may be larger */
#define RAFT_BATCH_ENTRIES 1024       /* in one message */
#define RAFT_WINDOW_BYTES (4u << 20)  /* on the way to one follower, not acknowledged */
#define RAFT_WAITING_MAX (1u << 17)   /* requests that one leader serves at a time, of a kind */

enum raft_timer {
	RAFT_TIMER_ELECTION,
	RAFT_TIMER_HEARTBEAT,
	RAFT_TIMER_FLUSH,
	RAFT_TIMER_REQUESTS
};

enum raft_message {
	RAFT_ASK_VOTE = 1,
	RAFT_VOTE,
	RAFT_APPEND,
	RAFT_APPENDED,
	RAFT_ATTEMPT,
	RAFT_ANSWER,
};

enum raft_role { RAFT_FOLLOWER, RAFT_PRE_CANDIDATE, RAFT_CANDIDATE, RAFT_LEADER, RAFT_ROLE_NR };

/* How a leader sends to a follower: one message at a time, or without waiting for answers. */
enum raft_progress { RAFT_PROBE, RAFT_PIPELINE, RAFT_PROGRESS_NR };

/* An entry. No bytes: the entry with which a leader begins its term. */
struct raft_entry {
	uint64_t term;
	uint64_t offset; /* bytes of all entries before this one */
	uint8_t *bytes;  /* owned: a command */
	uint32_t len;
};

/*
 * The log in memory. Entries are numbered from 1. A snapshot would take the place of the entries
 * up to some index: then entries.first is above 1, and base_term is the term of the one before.
 */
struct raft_log {
	struct ring entries; /* struct raft_entry by index */
	struct ring marks;   /* records on their way to the disk: up to which index they reach */
	uint64_t base_term;
	uint64_t recorded; /* entries up to here were given to persist() */
	uint64_t durable;  /* entries up to here are on disk */
};

struct raft_peer {
	struct sm progress;
	uint64_t heard_ns;    /* last message of any kind, 0: none yet */
	uint64_t answered_ns; /* last answer to an append of this leader */
	uint64_t next;        /* index of the next entry to send */
	uint64_t match;       /* entries up to here are on its disk */
	uint64_t round;       /* last round of heartbeats that it has answered */
	bool probing;         /* RAFT_PROBE: a message is on the way */
	bool granted;         /* its (pre-)vote is ours */
};

/* A write that the leader has appended, by index; who waits for it. */
struct raft_waiter {
	uint64_t slot; /* 0: nobody */
	uint64_t attempt;
	unsigned origin;
};

struct raft_read {
	uint64_t round; /* of heartbeats, that confirms it */
	uint64_t index; /* that must have been applied */
	uint64_t slot;
	uint64_t attempt;
	unsigned origin;
	uint8_t *key; /* owned */
	uint32_t len;
};

struct raft {
	struct proto proto;
	struct sm role;
	unsigned majority;
	/* The paper's figure 2. */
	uint64_t term;
	int vote; /* -1: none in this term */
	struct raft_log log;
	uint64_t commit;
	uint64_t applied;
	struct command_state state; /* beside the table */
	/* Durability. */
	uint64_t persisted; /* highest record known to be on disk */
	uint64_t hard_seq;  /* record of term and vote as they are */
	bool restored;      /* there was something in the log at the start */
	uint64_t boot_term; /* at the start */
	/* As a voter and follower. */
	int leader;               /* -1: unknown */
	uint64_t leader_heard_ns; /* last message of a leader; or start, or end of own leadership */
	uint64_t election_due_ns;
	int vote_owed;       /* candidate that gets our vote once it is on disk, -1: none */
	uint64_t matched;    /* our log agrees with the leader's up to here */
	uint64_t round_seen; /* last round of heartbeats */
	bool answer_owed;    /* an append was not answered, for its records are not on disk yet */
	bool eager;          /* should lead first, and no term has begun yet */
	/* As a candidate. */
	unsigned votes;
	bool own_vote; /* on disk and counted; the others have been asked */
	/* As a leader. */
	struct raft_peer peer[PROTO_NODES_MAX];
	uint64_t term_start; /* index of the first entry of the own term */
	struct ring waiters; /* struct raft_waiter by index */
	struct ring reads;   /* struct raft_read in order of arrival */
	uint64_t round;      /* of heartbeats, the last begun */
	uint64_t confirmed;  /* round that a majority has answered */
	bool round_wanted;   /* reads wait for one that has not begun */
	bool flush_armed;
	/* For clients. */
	struct forward forward;
};

static inline struct raft *raft_of(struct proto *p)
{
	return (struct raft *)p;
}

static inline uint64_t raft_now(const struct raft *r)
{
	return r->proto.io->now(r->proto.io);
}

static inline bool raft_leads(const struct raft *r)
{
	return r->role.now == RAFT_LEADER;
}

/* raft_log.c */
static inline uint64_t raft_log_last(const struct raft_log *log)
{
	return log->entries.next - 1;
}

static inline struct raft_entry *raft_log_at(const struct raft_log *log, uint64_t index)
{
	return ring_at(&log->entries, index);
}

void raft_log_init(struct raft_log *log);
void raft_log_fini(struct raft_log *log);

/* raft_log_term() - of entry @index, 0 for index 0 and beyond the end. */
uint64_t raft_log_term(const struct raft_log *log, uint64_t index);

/* raft_log_append() - one entry at the end; copies @bytes. Return: its index. */
uint64_t raft_log_append(struct raft_log *log, uint64_t term, struct proto_bytes bytes);

/* raft_log_cut() - drop entry @index and all after it; none of them is committed. */
void raft_log_cut(struct raft_log *log, uint64_t index);

/* raft_log_first_of_term() - first index of the term that entry @index has. */
uint64_t raft_log_first_of_term(const struct raft_log *log, uint64_t index);

/* Entries as they stand in messages and in records: count, then term and bytes of each. */
struct raft_batch {
	uint64_t first; /* index of the first one */
	uint32_t count;
	uint64_t term; /* of the last one */
	const uint8_t *p;
	size_t len;
};

/* raft_batch_encode() - entries from @first on, within the limits of one message. Return: count. */
uint32_t raft_batch_encode(struct buf *b, const struct raft_log *log, uint64_t first);

/**
 * raft_batch_decode() - check all of the rest of @c: entries after one of @prev_term
 * Return: 0, or -EBADMSG: terms go back or pass @term_max, a command makes no sense.
 */
int raft_batch_decode(
	struct cursor *c, uint64_t prev_term, uint64_t term_max, struct raft_batch *ret);

/* raft_batch_next() - walk a batch that was decoded. */
struct cursor raft_batch_cursor(const struct raft_batch *batch);
struct proto_bytes raft_batch_next(struct cursor *c, uint64_t *ret_term);

/* raft_log_record() - give entries that are in no record yet to persist(). */
void raft_log_record(struct raft *r);
void raft_log_record_hard(struct raft *r);

/* raft_log_restore() - one record of either kind. Return: 0, -EBADMSG. */
int raft_log_restore(struct raft *r, const void *bytes, size_t len);

/* raft_log_describe() - a record of either kind, for people. Return: 0, -EBADMSG. */
int raft_log_describe(const void *bytes, size_t len, struct buf *out);

/* raft_log_persisted() - records up to @seq are on disk. Return: whether ->durable advanced. */
bool raft_log_persisted(struct raft_log *log, uint64_t seq);

/* raft_election.c */
void raft_follow(struct raft *r, uint64_t term, int leader);
void raft_campaign(struct raft *r);
void raft_election_timer(struct raft *r);
void raft_election_reset(struct raft *r);
void raft_election_persisted(struct raft *r);
int raft_on_ask_vote(struct raft *r, unsigned from, struct cursor *c);
int raft_on_vote(struct raft *r, unsigned from, struct cursor *c);

/* raft_leader.c */
void raft_lead(struct raft *r);
void raft_step_down(struct raft *r);
void raft_take(struct raft *r, unsigned origin, const struct forward_attempt *a);
void raft_flush(struct raft *r);
void raft_heartbeat(struct raft *r);
void raft_advance(struct raft *r);
void raft_answer(struct raft *r, unsigned to, struct forward_answer *a);

/* raft_answers() - replicas that have answered what the oldest request waits for. */
unsigned raft_answers(const struct raft *r);
int raft_on_appended(struct raft *r, unsigned from, struct cursor *c);

/* raft.c */
void raft_apply(struct raft *r, uint64_t commit);
void raft_leader_known(struct raft *r, int leader);
unsigned raft_heard_since(const struct raft *r, uint64_t span_ns);

#endif
