/* SPDX-License-Identifier: MIT */
/*
 * bugs.h - classic protocol bugs, put in on purpose for the tests that must find them
 *
 * Only objects built with -DPROTO_BUGS (build/bug/ in the Makefile) have them. There one of them
 * is chosen at the start of the program, by --bug or by the environment variable PACELAB_BUG. In
 * every other build PROTO_BUG() is constant false, and neither the names nor the choice exist.
 *
 * A patch point is one condition in a line of a protocol: `if (PROTO_BUG(BUG_X) || ...)`.
 */
#ifndef STORE_BUGS_H
#define STORE_BUGS_H

#ifdef PROTO_BUGS

#include <stdio.h>

enum proto_bug {
	BUG_NONE,
	BUG_RAFT_VOTES_TWICE,
	BUG_RAFT_FORGETS_VOTE,
	BUG_RAFT_FORGETS_TERM,
	BUG_RAFT_VOTES_BEFORE_DURABLE,
	BUG_RAFT_VOTES_FOR_SHORTER_LOG,
	BUG_RAFT_COUNTS_A_VOTE_TWICE,
	BUG_RAFT_COUNTS_STALE_VOTES,
	BUG_RAFT_HALF_IS_MAJORITY,
	BUG_RAFT_COUNTS_OLDER_TERM,
	BUG_RAFT_COUNTS_STALE_ANSWERS,
	BUG_RAFT_ASSUMES_MATCH,
	BUG_RAFT_ACKS_BEFORE_DURABLE,
	BUG_RAFT_LEADER_COUNTS_BEFORE_DURABLE,
	BUG_RAFT_CUTS_MATCHING,
	BUG_RAFT_CHECKS_NO_PREV_TERM,
	BUG_RAFT_APPLIES_BEFORE_COMMIT,
	BUG_RAFT_COMMITS_BEYOND_MATCH,
	BUG_RAFT_STALE_LEADER_READ,
	BUG_RAFT_READS_BEFORE_OWN_TERM,
	BUG_RAFT_DEPOSED_SAYS_OK,
	BUG_RAFT_DEPOSED_SAYS_NO,
	BUG_RAFT_SENDS_WRITES_AGAIN,
	BUG_RAFT_SNAPSHOT_OFF_BY_ONE,
	BUG_RAFT_SNAPSHOT_FORGETS_VOTE,
	BUG_RAFT_OLD_MAJORITY,
	BUG_FORWARD_DOES_TWICE,
	BUG_FORWARD_DENIES,
	BUG_FORWARD_NUMBERS_RESTART,
	BUG_CAS_COMPARES_NOTHING,
	BUG_SINGLE_SERVES_EARLIER_LIFE,
	BUG_SINGLE_ANSWERS_BEFORE_DURABLE,
	BUG_QUORUM_WEAK_CALLED_STRONG,
	BUG_QUORUM_DENIES,
	BUG_QUORUM_READS_WITHOUT_REPAIR,
	BUG_QUORUM_READS_LAST_ANSWER,
	BUG_QUORUM_ACKS_BEFORE_DURABLE,
	BUG_QUORUM_READS_BEFORE_DURABLE,
	BUG_QUORUM_HINT_RESURRECTS,
	BUG_QUORUM_HINT_DONE_EARLY,
	BUG_QUORUM_COUNTS_TWICE,
	BUG_QUORUM_TIE_LOST,
	BUG_QUORUM_KEEPS_NO_TOMBSTONE,
	BUG_QUORUM_FORGETS_TOO_EARLY,
	BUG_QUORUM_FORGETS_AT_ONCE,
	BUG_QUORUM_DIGEST_WITHOUT_DELETIONS,
	BUG_PRIMARY_ACKS_BEFORE_DURABLE,
	BUG_PRIMARY_KEEPS_TAIL,
	BUG_PRIMARY_SAME_EPOCH,
	BUG_PRIMARY_HANDS_OVER_EARLY,
	BUG_ABD_READS_WITHOUT_WRITE_BACK,
	BUG_ABD_REUSES_TIMESTAMP,
	BUG_ABD_ACKS_BEFORE_DURABLE,
	BUG_SESSION_IGNORES_TOKEN,
	BUG_ZAB_OLDER_HISTORY,
	BUG_ZAB_ACCEPTS_BEFORE_DURABLE,
	BUG_ZAB_SKIPS_SYNC,
	BUG_ZONE_SERIAL_WITHOUT_WRAP,
	BUG_ZONE_TTL_RESTARTS,
	BUG_ZONE_SERVES_EXPIRED,
	BUG_ZONE_CHANGES_ON_ANY_SERIAL,
	BUG_CRDT_ADDS_SUMS,
	BUG_CRDT_REMOVE_WINS,
	BUG_CRDT_ANSWERS_BEFORE_DURABLE,
	BUG_CRDT_REUSES_DOTS,
	BUG_CAUSAL_WAITS_FOR_NOTHING,
	BUG_CAUSAL_TOKEN_IGNORED,
	BUG_CAUSAL_TIE_LOST,
	BUG_CAUSAL_CLOCK_SEES_NOTHING,
	BUG_CAUSAL_SENDS_BEFORE_DURABLE,
	BUG_CAUSAL_FORGETS_TOO_EARLY,
	BUG_MULTIMASTER_NO_HISTORY,
	BUG_MULTIMASTER_FIRST_WINS,
	BUG_MULTIMASTER_DROPS_LOSERS,
	BUG_MULTIMASTER_NO_TOMBSTONE,
	BUG_MULTIMASTER_CHECKPOINT_EARLY,
	BUG_MULTIMASTER_ACKS_BEFORE_DURABLE,
	BUG_CHAIN_HEAD_ACKS,
	BUG_CHAIN_WITHOUT_OLD,
	BUG_CHAIN_DIRTY_READ,
	BUG_CHAIN_OLD_TAIL_ANSWERS,
	BUG_CHAIN_PASSES_BEFORE_DURABLE,
	BUG_LOG_DROPS_ACKED,
	BUG_LOG_SNAPSHOT_TOO_EARLY,
	BUG_NR
};

/**
 * struct bug - a row of the table
 * @protos:	that can have it, separated by spaces
 * @seeds:	of the simulator, within which it must be found
 * @options:	of the simulator without which it cannot show, "" else
 * @what:	is wrong, in a line
 * @source:	who had it, or where it is warned of: "paper" and "dissertation" as in
 * raft_internal.h
 */
struct bug {
	const char *name;
	const char *protos;
	unsigned seeds;
	const char *options;
	const char *what;
	const char *source;
};

extern enum proto_bug bug_chosen;

/* bugs_choose() - have the bug @name, "": none. Return: its row; NULL: there is no such bug. */
const struct bug *bugs_choose(const char *name);

/* bugs_choose_by_environment() - the one of PACELAB_BUG. An unknown name ends the program. */
void bugs_choose_by_environment(void);

/* bugs_print() - the table, one bug and protocol in a line, separated by tabs. */
void bugs_print(FILE *out);

#define PROTO_BUG(bug) (bug_chosen == (bug))

#else

#define PROTO_BUG(bug) false

static inline void bugs_choose_by_environment(void)
{
}

#endif
#endif
