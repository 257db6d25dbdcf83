/* SPDX-License-Identifier: MIT */
/*
 * zab_internal.h - state of one replica of Zab; for zab*.c only
 *
 * References: "Zab" is Junqueira, Reed and Serafini, "Zab: High-performance broadcast for
 * primary-backup systems", DSN 2011; "Medeiros" is A. Medeiros, "ZooKeeper's atomic broadcast
 * protocol: theory and practice", 2012.
 *
 * The log, its records, the broadcast, the copy of a table and the snapshots are those of Raft
 * (raft_internal.h), in other words:
 *   ->raft.term, ->raft.vote  the accepted epoch, and who proposed it
 *   term of an entry          the epoch in which it was proposed; that of the last one is the
 *                             current epoch, for an epoch begins with an entry of its own
 *   (term, index)             a zxid; the counter goes on from one epoch to the next
 *   an entry without bytes    NEWLEADER
 */
#ifndef PROTO_ZAB_INTERNAL_H
#define PROTO_ZAB_INTERNAL_H

#include "store/proto/raft_internal.h"

/* Beside those of Raft that zab sends, too: APPEND (propose, commit), APPENDED, ATTEMPT, ... */
enum zab_message {
	ZAB_NOTIFY = 1,    /* election: whom I vote for, or whom I have followed since */
	ZAB_INFO = 2,      /* FOLLOWERINFO: the epoch that I have accepted */
	ZAB_EPOCH = 7,     /* LEADERINFO: the new epoch */
	ZAB_ACK_EPOCH = 8, /* ACKEPOCH: accepted; the last zxid here */
};

/*
 * Phase 0: LOOKING. Phase 1, discovery: JOINING, ELECTED. Phases 2 and 3, synchronization and
 * broadcast: FOLLOWING, LEADING; clients are answered in phase 3 only (->raft.hold).
 */
enum zab_state { ZAB_LOOKING, ZAB_JOINING, ZAB_FOLLOWING, ZAB_ELECTED, ZAB_LEADING, ZAB_STATE_NR };

struct zab_zxid {
	uint64_t epoch;
	uint64_t index;
};

struct zab_vote {
	struct zab_zxid last; /* of its log */
	unsigned node;
};

struct zab_peer {
	/* What it voted for, in ->round; 0: nothing yet. */
	uint64_t round;
	struct zab_vote vote;
	/* As a follower of this replica. */
	uint64_t nonce; /* of its INFO, 0: none */
	bool acked;     /* it has accepted the epoch, of this leader or another */
	struct zab_zxid last;
};

struct zab {
	struct raft raft;
	struct sm state;
	/* Election. */
	uint64_t round;
	struct zab_vote vote;
	uint64_t agreed_ns;    /* since then a quorum votes as this replica does, 0: it does not */
	uint64_t seen;         /* highest epoch that anybody has accepted, as far as is known */
	struct zab_peer *peer; /* owned, by replica */
	/* As a leader in discovery. */
	bool proposed;   /* an epoch; */
	bool known;      /* it is on disk, and the others may know of it */
	bool waits_disk; /* in discovery, for the accepted epoch to be on disk */
	/* As a follower. */
	unsigned leader;
	uint64_t nonce;      /* of the last INFO */
	bool accepted;       /* the leader's epoch */
	bool counts;         /* ... as the epoch of this leader */
	uint64_t serve_from; /* clients are answered when this is applied */
};

static inline struct zab *zab_of(struct proto *p)
{
	return (struct zab *)p;
}

static inline bool zab_above(struct zab_zxid a, struct zab_zxid b)
{
	return a.epoch > b.epoch || (a.epoch == b.epoch && a.index > b.index);
}

static inline struct zab_zxid zab_last(const struct zab *z)
{
	uint64_t last = raft_log_last(&z->raft.log);

	return (struct zab_zxid){raft_log_term(&z->raft.log, last), last};
}

/* zab_zxid_decode() - as it stands in messages. Return: whether it can be. */
static inline bool zab_zxid_decode(struct cursor *c, struct zab_zxid *ret)
{
	ret->epoch = cursor_u64(c);
	ret->index = cursor_u64(c);
	return ret->epoch <= RAFT_NUMBER_MAX && ret->index <= RAFT_NUMBER_MAX &&
	       !ret->epoch == !ret->index;
}

static inline void zab_zxid_encode(struct buf *b, struct zab_zxid zxid)
{
	buf_u64(b, zxid.epoch);
	buf_u64(b, zxid.index);
}

/* zab_agreed_wait_ns() - so long a quorum that agrees waits for a better vote (finalizeWait). */
static inline uint64_t zab_agreed_wait_ns(const struct zab *z)
{
	return z->raft.proto.cfg.heartbeat_ns / 2;
}

/* zab.c */
/* zab_arm() - the timer of elections. */
void zab_arm(struct zab *z);

/* zab_election.c */
/* zab_look() - give up what there is, vote again. */
void zab_look(struct zab *z);
void zab_tell(struct zab *z, unsigned to);
void zab_tell_all(struct zab *z);
void zab_decide(struct zab *z);
int zab_on_notify(struct zab *z, unsigned from, struct cursor *c);

/* zab_discovery.c */
void zab_join(struct zab *z, unsigned leader);
void zab_elected(struct zab *z);
void zab_send_info(struct zab *z);
void zab_discovery_persisted(struct zab *z);
int zab_on_info(struct zab *z, unsigned from, struct cursor *c);
int zab_on_epoch(struct zab *z, unsigned from, struct cursor *c);
int zab_on_ack_epoch(struct zab *z, unsigned from, struct cursor *c);
bool zab_vote_view(
	unsigned from, unsigned to, const void *bytes, size_t len, struct proto_vote_view *ret);

/* Hooks of struct raft_kind. */
bool zab_hear(struct raft *r, unsigned from, uint64_t epoch);
uint64_t zab_next(const struct raft *r, unsigned node);

#endif
