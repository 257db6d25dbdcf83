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

#define RAFT_NUMBER_MAX (1ull << 48)   /* terms and indexes beyond it are not believed */
#define RAFT_BATCH_BYTES (256u << 10)  /* of entries in one message; one entry may be larger */
#define RAFT_BATCH_ENTRIES 1024        /* in one message */
#define RAFT_WINDOW_BYTES (4u << 20)   /* on the way to one follower, not acknowledged */
#define RAFT_WAITING_MAX (1u << 17)    /* requests that one leader serves at a time, of a kind */
#define RAFT_KEEP_BYTES (16u << 20)    /* log_keep_kib, where that is 0 */
#define RAFT_HOLD_BYTES (128u << 20)   /* of log that is kept for those who get a table, at most */
#define RAFT_PENDING_BYTES (64u << 20) /* of entries that are not applied yet, at a leader */
#define RAFT_READS_BYTES (64u << 20)   /* of keys that a leader's reads hold */
#define RAFT_WAITS_BYTES (64u << 20)   /* of answers that wait until they are applied here */
#define RAFT_ROUNDS 64                 /* beginnings that are remembered, of an election time */
/* So much a follower's clock may run faster than the leader's; less election time is a lease. */
#define RAFT_DRIFT_PPM 100000u
#define RAFT_PARTS_MAX 65536u /* of one copy of a table */
#define RAFT_PIECE_BYTES \
	(128u << 10)            /* of a part in one message or record; an entry may be larger */
#define RAFT_TRANSFER_WINDOW 8u /* pieces on the way to one follower */

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
	RAFT_OFFER = 9, /* those before are zab's */
	RAFT_PART,
	RAFT_STAGED,
	RAFT_ORDER,         /* an attempt to have raft_admin() done */
	RAFT_STAND,         /* to be elected: the leader hands over */
	RAFT_ATTEMPT_LEASE, /* a read that the leader may answer by its lease */
};

enum raft_record {
	RAFT_RECORD_HARD = 1,
	RAFT_RECORD_ENTRIES,
	RAFT_RECORD_BASE,
	RAFT_RECORD_PART,
	RAFT_RECORD_END,
	RAFT_RECORD_STAGE,
	RAFT_RECORD_STAGE_PART,
	RAFT_RECORD_SWAP,
	RAFT_RECORD_MARK,
};

enum raft_role { RAFT_FOLLOWER, RAFT_PRE_CANDIDATE, RAFT_CANDIDATE, RAFT_LEADER, RAFT_ROLE_NR };

/*
 * How a leader sends to a follower: one message at a time, or without waiting for answers; or what
 * it needs is forgotten, and it gets the table first.
 */
enum raft_progress { RAFT_PROBE, RAFT_PIPELINE, RAFT_TRANSFER, RAFT_PROGRESS_NR };

struct raft_members {
	uint64_t set[(PROTO_NODES_MAX + 63) / 64];
	unsigned count;
};

/* Where a copy of a table begins: the state after entry @index, but for the table. */
struct raft_base {
	uint64_t index;
	uint64_t term;
	uint64_t clock_ns; /* of struct command_state */
	struct raft_members members;
};

/* Up to where the next one begins, the table is as it was at index @at. */
struct raft_range {
	uint64_t from;
	uint64_t at;
};

/* What is known of a table that was copied in parts. */
struct raft_copy {
	struct ring ranges; /* struct raft_range, in the order of table_scan() */
	uint64_t cursor;    /* up to where they reach */
	bool complete;
	bool foreign;   /* from a leader: entries up to ->exact that are here may be others */
	uint64_t exact; /* highest ->at */
};

struct raft_part {
	uint64_t from;
	uint64_t to; /* 0: the end */
	uint64_t at;
	bool more; /* another piece of the same part follows */
	struct proto_bytes entries;
	uint32_t count;
};

/* A table that a leader sends, as far as it is here. */
struct raft_staging {
	struct table *table; /* owned; NULL: there is none */
	struct raft_base base;
	struct raft_copy copy;
	uint64_t partial_at; /* of a part whose last piece is not here yet, 0: there is none */
	uint64_t seq;        /* last record of it */
	bool answer_owed;    /* when that is on disk */
	/* The stream of pieces that is being taken. */
	uint64_t term;
	uint64_t attempt;
	uint64_t piece; /* number of the next one */
};

/* The leader's side of it. */
struct raft_transfer {
	struct raft_base base;
	bool agreed; /* the follower stages this base */
	bool fresh;  /* what else it has staged is of no use */
	bool moved;  /* there was an answer since the last heartbeat */
	bool all_sent;
	uint64_t cursor; /* of the next part */
	uint64_t acked;  /* up to here it is on the follower's disk */
	uint64_t parts;
	uint64_t attempt;
	uint64_t piece; /* number of the next one in this attempt */
	uint64_t got;   /* pieces of this attempt that were answered */
};

/* An entry. No bytes: the entry with which a leader begins its term. */
struct raft_entry {
	uint64_t term;
	uint64_t offset; /* bytes of all entries before this one */
	uint8_t *bytes;  /* owned: a command */
	uint32_t len;
};

/*
 * The log in memory. Entries are numbered from 1. A snapshot takes the place of the entries up to
 * some index: then entries.first is above 1, and base_term is the term of the one before.
 */
struct raft_log {
	struct ring entries; /* struct raft_entry by index */
	struct ring marks;   /* records on their way to the disk: up to which index they reach */
	uint64_t base_term;
	uint64_t recorded; /* entries up to here were given to persist() */
	uint64_t durable;  /* entries up to here are on disk */
	uint32_t batch;    /* most entries of a message or record */
};

struct raft_peer {
	struct sm progress;
	uint64_t heard_ns;              /* last message of any kind, 0: none yet */
	uint64_t answered_ns;           /* last answer to an append of this leader */
	uint64_t next;                  /* index of the next entry to send */
	uint64_t match;                 /* entries up to here are on its disk */
	uint64_t round;                 /* last round of heartbeats that it has answered */
	uint64_t lease_ns;              /* when that round began, 0: unknown */
	bool probing;                   /* RAFT_PROBE: a message is on the way */
	struct raft_transfer *transfer; /* owned; RAFT_TRANSFER */
	bool granted;                   /* its (pre-)vote is ours */
	bool apart;                     /* zab: it has not joined this leader */
};

/* What an operator asked for, until it is done or an entry in the log. */
struct raft_admin {
	bool busy;
	bool told; /* TRANSFER: the target, since the last heartbeat */
	enum proto_admin what;
	unsigned node;
	unsigned origin;
	uint64_t slot;
	uint64_t attempt;
	uint64_t until_ns;
	/* ADD: the last round of catching up. */
	unsigned rounds;
	uint64_t target;
	uint64_t round_ns;
};

/* A write that the leader has appended, by index; who waits for it. */
struct raft_waiter {
	uint64_t slot; /* 0: nobody */
	uint64_t attempt;
	unsigned origin;
};

/* When a round of heartbeats began. */
struct raft_round {
	uint64_t round;
	uint64_t at_ns;
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

/* A request here that waits until an entry is applied here: raft_session.c. */
struct raft_wait {
	uint64_t slot;
	uint64_t index;
	uint8_t *answer; /* owned: what it is then told, encoded; NULL: it reads */
	uint32_t len;
};

struct raft;

/* What a protocol that uses all this does otherwise (zab.c). */
struct raft_kind {
	/* hear - whether a message of who leads in @term counts. */
	bool (*hear)(struct raft *r, unsigned from, uint64_t term);
	/* next - index of the entry from which on a follower's log has to be sent to it. */
	uint64_t (*next)(const struct raft *r, unsigned node);
};

struct raft {
	struct proto proto;
	const struct raft_kind *kind; /* NULL: Raft */
	struct sm role;
	unsigned majority;
	/* The paper's figure 2. */
	uint64_t term;
	int vote; /* -1: none in this term */
	struct raft_log log;
	uint64_t commit;
	uint64_t applied;
	struct command_state state;  /* beside the table */
	struct raft_copy copy;       /* of what the table came from, until it is exact */
	struct raft_members members; /* in force */
	struct ring changes;         /* of members, from the applied index on */
	struct raft_staging staging;
	bool unfinished;     /* restore(): a snapshot has begun and not ended */
	uint64_t skip_to;    /* restore(): the snapshot has all before this mark; 0: none */
	bool gap;            /* restore(): its log may end before what was recorded after it */
	bool walking;        /* a snapshot is being taken */
	bool walking_log;    /* ... and has yet to be given entries up to ->walk_last */
	bool walking_staged; /* ... which began with something staged */
	uint64_t walk_last;
	/* Durability. */
	uint64_t persisted; /* highest record known to be on disk */
	uint64_t hard_seq;  /* record of term and vote as they are */
	bool restored;      /* there was something in the log at the start */
	uint64_t boot_term; /* at the start */
	/* As a voter and follower. */
	int leader;               /* -1: unknown */
	uint64_t leader_heard_ns; /* last message of a leader; or start, or end of own leadership */
	uint64_t election_due_ns;
	uint64_t promised_ns; /* nobody else is elected for election_min_ns after; 0: nothing */
	int vote_owed;        /* candidate that gets our vote once it is on disk, -1: none */
	uint64_t matched;     /* our log agrees with the leader's up to here */
	uint64_t round_seen;  /* last round of heartbeats */
	bool answer_owed;     /* an append was not answered, for its records are not on disk yet */
	uint64_t led_ns;      /* elected last; 0: never in this life */
	bool eager;           /* should lead first, and no term has begun yet */
	/* As a candidate. */
	unsigned votes;
	bool own_vote; /* on disk and counted; the others have been asked */
	/* As a leader. */
	struct raft_peer *peer;               /* owned, by replica */
	uint64_t term_start;                  /* index of the first entry of the own term */
	struct ring waiters;                  /* struct raft_waiter by index */
	struct ring reads;                    /* struct raft_read in order of arrival */
	uint64_t round;                       /* of heartbeats, the last begun */
	uint64_t confirmed;                   /* round that a majority has answered */
	struct raft_round begun[RAFT_ROUNDS]; /* number ->rounds % RAFT_ROUNDS is the next */
	uint64_t rounds;
	uint64_t lease_until;
	bool lease_void; /* for the rest of this term */
	size_t reads_bytes;
	bool round_wanted;  /* reads wait for one that has not begun */
	bool commit_wanted; /* followers are to be told at once what is committed */
	bool flush_armed;
	struct raft_admin admin;
	bool handing; /* over: no new requests */
	bool handed;  /* as a candidate: voters need not mind the leader they hear */
	/* For clients. */
	bool hold;            /* zab: nothing is passed on yet */
	struct ring waits;    /* struct raft_wait */
	uint64_t waits_least; /* none of them is for an earlier index */
	size_t waits_bytes;
	struct token token; /* of the last reply */
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

static inline bool raft_leases(const struct proto_config *cfg)
{
	return cfg->leases || cfg->read_level == PROTO_LEASE;
}

/* Leases rest on votes that are refused while a leader is heard: with them there is no choice. */
static inline bool raft_plain(const struct proto_config *cfg)
{
	return cfg->plain_elections && !raft_leases(cfg);
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

/* raft_log_init() - at most @batch entries in a message or record; 0: as many as there may be. */
void raft_log_init(struct raft_log *log, unsigned batch);
void raft_log_fini(struct raft_log *log);

/* raft_log_term() - of entry @index, 0 for index 0 and beyond the end. */
uint64_t raft_log_term(const struct raft_log *log, uint64_t index);

/* raft_log_append() - one entry at the end; copies @bytes. Return: its index. */
uint64_t raft_log_append(struct raft_log *log, uint64_t term, struct proto_bytes bytes);

/* raft_log_cut() - drop entry @index and all after it; none of them is committed. */
void raft_log_cut(struct raft_log *log, uint64_t index);

/* raft_log_agrees() - entry @index is of @term, or forgotten: what is, was committed. */
static inline bool raft_log_agrees(const struct raft_log *log, uint64_t index, uint64_t term)
{
	return index + 1 < log->entries.first || raft_log_term(log, index) == term;
}

/* raft_log_forget() - drop the entries up to @index, which is there. */
void raft_log_forget(struct raft_log *log, uint64_t index);

/* raft_log_reset() - drop all; entry @index of @term would be the last one. */
void raft_log_reset(struct raft_log *log, uint64_t index, uint64_t term);

/* raft_log_mark() - when record @seq is on disk, so is all up to @index. */
void raft_log_mark(struct raft_log *log, uint64_t seq, uint64_t index);

/* raft_log_cost() - memory that the entries @first .. @last take. */
size_t raft_log_cost(const struct raft_log *log, uint64_t first, uint64_t last);

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

/* raft_log_persist() - what is not in a record yet, in records of @kind: number of the first entry
 * and a batch. */
void raft_log_persist(struct raft_log *log, struct proto_io *io, uint8_t kind);

/* raft_log_give() - the same to a snapshot, from entry @next to the last one in a record. */
void raft_log_give(
	const struct raft_log *log, struct proto_snapshot *s, uint8_t kind, uint64_t next);

/* raft_batch_encode() - entries @first .. @last, within the limits of one message. Return: count.
 */
uint32_t raft_batch_encode(
	struct buf *b, const struct raft_log *log, uint64_t first, uint64_t last);

/* What entries must be like: terms from ->prev_term up to ->term_max, members below ->nodes. */
struct raft_bounds {
	uint64_t prev_term;
	uint64_t term_max;
	unsigned nodes;
};

/**
 * raft_batch_decode() - check all of the rest of @c: entries after one of ->prev_term
 * Return: 0, or -EBADMSG: terms go back or too far, a command makes no sense.
 */
int raft_batch_decode(struct cursor *c, const struct raft_bounds *bounds, struct raft_batch *ret);

/* raft_commands_decode() - the same of who has no members in its log: @prev and @max bound terms.
 */
int raft_commands_decode(struct cursor *c, uint64_t prev, uint64_t max, struct raft_batch *ret);

/* raft_batch_describe() - for people; @term says what the entries' number is. */
void raft_batch_describe(const struct raft_batch *batch, uint64_t first,
	void (*term)(struct buf *out, uint64_t term), struct buf *out);

/* raft_batch_next() - walk a batch that was decoded. */
struct cursor raft_batch_cursor(const struct raft_batch *batch);
struct proto_bytes raft_batch_next(struct cursor *c, uint64_t *ret_term);

/* raft_log_record() - give entries that are in no record yet to persist(). */
void raft_log_record(struct raft *r);
void raft_log_record_hard(struct raft *r);

/* raft_log_restore() - the rest of a HARD or ENTRIES record. Return: 0, -EBADMSG. */
int raft_log_restore(struct raft *r, enum raft_record kind, struct cursor *c);

/* raft_log_describe() - the same for people. Return: 0, -EBADMSG. */
int raft_log_describe(enum raft_record kind, struct cursor *c, struct buf *out);

/* raft_log_persisted() - records up to @seq are on disk. Return: whether ->durable advanced. */
bool raft_log_persisted(struct raft_log *log, uint64_t seq);

/* raft_members.c */
static inline bool raft_members_have(const struct raft_members *m, unsigned node)
{
	return m->set[node / 64] >> (node % 64) & 1;
}

static inline unsigned raft_majority(const struct raft_members *m)
{
	return PROTO_BUG(BUG_RAFT_HALF_IS_MAJORITY) ? m->count / 2 : m->count / 2 + 1;
}

void raft_members_set(struct raft_members *m, unsigned node, bool in);
void raft_members_encode(struct buf *b, const struct raft_members *m);

/* raft_members_decode() - part of what @c has. Return: 0, or -EBADMSG: not below @nodes, none. */
int raft_members_decode(struct cursor *c, unsigned nodes, struct raft_members *ret);
void raft_members_describe(struct buf *out, const struct raft_members *m);

/* An entry of the log may be a membership instead of a command. */
bool raft_entry_is_members(struct proto_bytes bytes);
void raft_entry_encode_members(struct buf *b, const struct raft_members *m);
int raft_entry_decode_members(struct proto_bytes bytes, unsigned nodes, struct raft_members *ret);

/* Memberships in the log: from cfg.voters on, and when entries come, go, are applied. */
void raft_changes_init(struct raft *r);
void raft_changes_reset(struct raft *r, uint64_t index, const struct raft_members *m);
void raft_changes_appended(struct raft *r, uint64_t index);
void raft_changes_cut(struct raft *r, uint64_t index);
void raft_changes_applied(struct raft *r);

/* raft_members_applied() - as of the applied index. raft_members_index() - of the latest entry. */
const struct raft_members *raft_members_applied(const struct raft *r);
uint64_t raft_members_index(const struct raft *r);

void raft_members_invariant(const struct raft *r);

/* raft_may_stand() - whether this replica may become a leader: some membership may have it. */
bool raft_may_stand(const struct raft *r);

static inline bool raft_votes(const struct raft *r, unsigned node)
{
	return raft_members_have(&r->members, node);
}

/* raft_copy.c */
void raft_copy_init(struct raft_copy *copy);
void raft_copy_fini(struct raft_copy *copy);

/* raft_copy_add() - the next part. Return: 0, or -EBADMSG: it is not the next one, or too many. */
int raft_copy_add(struct raft_copy *copy, uint64_t from, uint64_t to, uint64_t at);

/* raft_copy_at() - index up to which @key has seen all entries; 0 if there is no copy. */
uint64_t raft_copy_at(const struct raft_copy *copy, struct proto_bytes key);

/* raft_copy_settle() - forget how the table was copied, if that matters no more. */
void raft_copy_settle(struct raft *r);

/* raft_part_collect() - entries from @cursor on, as part number @parts. Return: its end. */
uint64_t raft_part_collect(const struct table *t, uint64_t cursor, uint64_t parts, struct buf *out);

/* raft_part_piece() - the next so many entries of @c that fit a message; nothing at the end. */
struct proto_bytes raft_part_piece(struct cursor *c);
void raft_part_encode(struct buf *b, const struct raft_part *part);
int raft_part_decode(struct cursor *c, struct raft_part *ret);

/* raft_part_describe() - a part that is the rest of @c, for people. raft_word_describe() - nothing
 * is. Return: 0, -EBADMSG. */
int raft_part_describe(struct cursor *c, const char *what, struct buf *out);
int raft_word_describe(const struct cursor *c, const char *what, struct buf *out);

void raft_part_put(struct table *t, const struct raft_part *part);

/* raft_part_give() - the next part of @t as of index @at to a snapshot, in records of @kind.
 * Return: whether there is more. */
bool raft_part_give(struct proto_snapshot *s, uint8_t kind, const struct table *t, uint64_t at);

/* raft_part_clear() - forget all keys whose place is @from or after it. */
void raft_part_clear(struct table *t, uint64_t from);

void raft_base_encode(struct buf *b, const struct raft_base *base);
int raft_base_decode(struct cursor *c, unsigned nodes, struct raft_base *ret);

/* raft_base_now() - of a copy that begins now. raft_base_take() - begin from a copy. */
struct raft_base raft_base_now(const struct raft *r);
void raft_base_take(struct raft *r, const struct raft_base *base);

/* raft_stage_encode() - a STAGE record: what is staged, in @copy unless that is NULL. */
void raft_stage_encode(struct buf *b, const struct raft_base *base, const struct raft_copy *copy,
	uint64_t partial_at);

/* raft_snapshot.c: see proto.h */
int raft_restore(struct proto *p, const void *bytes, size_t len);
int raft_describe(const void *bytes, size_t len, struct buf *out);
bool raft_snapshot(struct proto *p, struct proto_snapshot *s);
void raft_snapshot_done(struct proto *p, const struct proto_snapshot *s);

/* raft_transfer.c: the leader's side, then the follower's */
void raft_transfer_begin(struct raft *r, unsigned to);
void raft_transfer_end(struct raft_peer *peer);
void raft_transfer_heartbeat(struct raft *r, unsigned to);
int raft_on_staged(struct raft *r, unsigned from, struct cursor *c);
int raft_on_offer(struct raft *r, unsigned from, struct cursor *c);
int raft_on_part(struct raft *r, unsigned from, struct cursor *c);
void raft_staging_begin(struct raft *r, const struct raft_base *base);
void raft_staging_drop(struct raft *r);
void raft_staging_swap(struct raft *r);
void raft_staging_put(struct raft_staging *s, const struct raft_part *part);
void raft_staging_persisted(struct raft *r);

/* raft_staging_try() - take the staged table over, if it is complete and of use. */
void raft_staging_try(struct raft *r);

/* raft_election.c */
void raft_follow(struct raft *r, uint64_t term, int leader);
void raft_campaign(struct raft *r);

/* raft_stand_now() - without a pre-vote: the leader wants it. */
void raft_stand_now(struct raft *r);
void raft_election_timer(struct raft *r);
void raft_election_reset(struct raft *r);
void raft_election_persisted(struct raft *r);
int raft_on_ask_vote(struct raft *r, unsigned from, struct cursor *c);
int raft_on_vote(struct raft *r, unsigned from, struct cursor *c);
bool raft_vote_view(
	unsigned from, unsigned to, const void *bytes, size_t len, struct proto_vote_view *ret);

/* raft_leader.c */
void raft_lead(struct raft *r);
void raft_step_down(struct raft *r);
void raft_take(struct raft *r, unsigned origin, const struct forward_attempt *a);
void raft_flush(struct raft *r);
void raft_heartbeat(struct raft *r);
void raft_advance(struct raft *r);
void raft_answer(struct raft *r, unsigned to, struct forward_answer *a);

/* raft_want_flush() - at the end of this turn. */
void raft_want_flush(struct raft *r);

/* raft_answers() - replicas that have answered what the oldest request waits for. */
unsigned raft_answers(const struct raft *r);
int raft_on_appended(struct raft *r, unsigned from, struct cursor *c);

/* raft_peer_joins() - zab: it follows from now on, from where ->next() says. */
void raft_peer_joins(struct raft *r, unsigned node);

void raft_add_entry(struct raft *r, struct proto_bytes bytes, const struct raft_waiter *who);
void raft_replicate_all(struct raft *r, bool must);

/* raft_admin.c */
void raft_admin(struct proto *p, uint64_t ticket, enum proto_admin what, unsigned node);
int raft_admin_decode(
	struct proto_bytes bytes, unsigned nodes, enum proto_admin *ret_what, unsigned *ret_node);
void raft_admin_take(
	struct raft *r, unsigned origin, const struct forward_attempt *a, enum proto_admin what);
void raft_admin_step(struct raft *r);
void raft_admin_heartbeat(struct raft *r);
void raft_admin_deposed(struct raft *r);
void raft_admin_leader_known(struct raft *r);
void raft_leave_if_removed(struct raft *r);
int raft_on_stand(struct raft *r, unsigned from, struct cursor *c);

/* raft_read.c */
uint64_t raft_majority_of(
	const struct raft *r, uint64_t (*number)(const struct raft *r, unsigned node));

/* raft_majority_from() - whether a majority has at least @least. */
bool raft_majority_from(const struct raft *r,
	uint64_t (*number)(const struct raft *r, unsigned node), uint64_t least);
void raft_round_begin(struct raft *r);

/* raft_round_began() - when, or when an earlier one did; 0: nobody knows. */
uint64_t raft_round_began(const struct raft *r, uint64_t round);
bool raft_lease_holds(struct raft *r);
void raft_reads_forget_lease(struct raft *r);
void raft_reads_add(struct raft *r, unsigned origin, const struct forward_attempt *a);
void raft_reads_confirm(struct raft *r);
void raft_reads_serve(struct raft *r);
void raft_reads_refuse(struct raft *r, struct forward_answer *a);

/* raft_session.c */
/* raft_session_finish() - answer a request of this replica; the session has seen a->index. */
void raft_session_finish(struct raft *r, struct forward_answer *a);

/* raft_session_answered() - the leader has answered; @bytes is @a, encoded. */
void raft_session_answered(struct raft *r, struct forward_answer *a, struct proto_bytes bytes);

/* raft_session_read() - answer from the own table, now or when what the session has seen is here.
 */
void raft_session_read(struct raft *r, const struct proto_request *req);

/* raft_session_applied() - more is applied here, or requests have been given up. */
void raft_session_applied(struct raft *r);
void raft_session_fini(struct raft *r);

/* raft_claim.c: see proto.h */
void raft_claim(const struct proto_config *cfg, struct proto_claim *ret);
uint64_t raft_floor_ns(const struct proto_floor_query *q);

/* raft.c */
/* raft_pass_on() - a request to the leader, which is known. raft_pass_held() - all that wait. */
void raft_pass_on(struct raft *r, uint64_t slot);
void raft_pass_held(struct raft *r);

/* raft_take_request() - one that is not a read of the own table. */
void raft_take_request(struct raft *r, const struct proto_request *req);

/* The seam, as far as zab takes it over. */
void raft_init(struct proto *p);
void raft_fini(struct proto *p);
void raft_boot(struct raft *r);
int raft_message(struct proto *p, unsigned from, const void *bytes, size_t len);
void raft_persisted(struct proto *p, uint64_t seq);
void raft_timer(struct proto *p, unsigned timer);
void raft_status(const struct proto *p, struct proto_status_view *ret);
void raft_invariant(const struct proto *p);
int raft_entry(const struct proto *p, uint64_t index, struct proto_entry_view *ret);
bool raft_forsaken(const struct raft *r);
void raft_refuse_held(struct raft *r);

/* raft_exact() - whether the table is as of the applied index, and may be read. */
static inline bool raft_exact(const struct raft *r)
{
	return !r->unfinished && r->applied >= r->copy.exact;
}

/**
 * raft_hear_leader() - a message came from who leads in @term
 * Return: whether it counts: not of an older term. -EBADMSG: it cannot be.
 */
int raft_hear_leader(struct raft *r, unsigned from, uint64_t term);
void raft_send_appended(struct raft *r, unsigned to, uint64_t refused, uint64_t agreed);
void raft_apply(struct raft *r, uint64_t commit);
void raft_leader_known(struct raft *r, int leader);
unsigned raft_heard_since(const struct raft *r, uint64_t span_ns);

#endif
