/* SPDX-License-Identifier: MIT */
/* bugs.c - the table of bugs that are put in on purpose, see bugs.h; empty in a normal build */
#include "store/bugs.h"

#ifdef PROTO_BUGS

#include <stdlib.h>
#include <string.h>

#include "agent/base/err.h"

/* clang-format off */
static const struct bug bugs[] = {
	[BUG_NONE] = {.name = ""},
	[BUG_RAFT_VOTES_TWICE] = {"raft-votes-twice", "raft", 100, "",
		"a replica votes for two candidates of one term",
		"paper 5.2: at most one vote in a term"},
	[BUG_RAFT_FORGETS_VOTE] = {"raft-forgets-vote", "raft", 50, "",
		"a restarted replica has forgotten whom it voted for",
		"paper, figure 2: votedFor is persistent"},
	[BUG_RAFT_FORGETS_TERM] = {"raft-forgets-term", "raft", 100, "",
		"a newer term that was heard of is not written down",
		"paper, figure 2: currentTerm is persistent"},
	[BUG_RAFT_VOTES_BEFORE_DURABLE] = {"raft-votes-before-durable", "raft", 300, "",
		"a vote is given before it is on disk",
		"paper, figure 2: stable storage before responding"},
	[BUG_RAFT_VOTES_FOR_SHORTER_LOG] = {"raft-votes-for-shorter-log", "raft", 100, "",
		"a vote does not ask whether the candidate's log is up to date",
		"paper 5.4.1"},
	[BUG_RAFT_COUNTS_A_VOTE_TWICE] = {"raft-counts-a-vote-twice", "raft", 200, "",
		"a vote that the network duplicated counts twice",
		"paper 5.2; messages may be duplicated"},
	[BUG_RAFT_COUNTS_STALE_VOTES] = {"raft-counts-stale-votes", "raft", 60, "",
		"a vote of an earlier term counts in this one",
		"Students' Guide to Raft: term confusion"},
	[BUG_RAFT_HALF_IS_MAJORITY] = {"raft-half-is-majority", "raft", 100, "",
		"a majority of n is n / 2",
		"paper 5.2; off by one"},
	[BUG_RAFT_COUNTS_OLDER_TERM] = {"raft-counts-older-term", "raft", 2000, "",
		"entries of older terms are committed by counting",
		"paper 5.4.2 and figure 8"},
	[BUG_RAFT_COUNTS_STALE_ANSWERS] = {"raft-counts-stale-answers", "raft", 300, "",
		"an acknowledgement of an earlier term counts in this one",
		"Students' Guide to Raft: term confusion"},
	[BUG_RAFT_ASSUMES_MATCH] = {"raft-assumes-match", "raft", 100, "",
		"a new leader takes followers to have its whole log",
		"paper, figure 2: matchIndex begins at 0"},
	[BUG_RAFT_ACKS_BEFORE_DURABLE] = {"raft-acks-before-durable", "raft", 3000, "",
		"a follower acknowledges entries that are not on its disk yet",
		"paper, figure 2: stable storage before responding"},
	[BUG_RAFT_LEADER_COUNTS_BEFORE_DURABLE] = {"raft-leader-counts-before-durable", "raft", 250, "",
		"the leader counts itself before its own disk has the entry",
		"dissertation 10.2.1"},
	[BUG_RAFT_CUTS_MATCHING] = {"raft-cuts-matching", "raft", 100, "",
		"an old append that comes late cuts off entries that match",
		"paper 5.3; Students' Guide to Raft"},
	[BUG_RAFT_CHECKS_NO_PREV_TERM] = {"raft-checks-no-prev-term", "raft", 100, "",
		"an append does not compare the term of the entry before",
		"paper 5.3: the consistency check"},
	[BUG_RAFT_APPLIES_BEFORE_COMMIT] = {"raft-applies-before-commit", "raft zab", 100, "",
		"a follower applies what it has, committed or not",
		"paper 5.3"},
	[BUG_RAFT_COMMITS_BEYOND_MATCH] = {"raft-commits-beyond-match", "raft", 100, "",
		"the leader's commit index is believed beyond what is known to match",
		"Students' Guide to Raft: min(leaderCommit, last new entry)"},
	[BUG_RAFT_STALE_LEADER_READ] = {"raft-deposed-leader-reads", "raft", 100, "",
		"a leader answers reads without asking a majority, deposed or not",
		"etcd and Consul in 2014 (Jepsen); dissertation 6.4"},
	[BUG_RAFT_READS_BEFORE_OWN_TERM] = {"raft-reads-before-own-term", "raft", 100, "",
		"a new leader reads before it knows what is committed",
		"dissertation 6.4, step 1"},
	[BUG_RAFT_DEPOSED_SAYS_OK] = {"raft-deposed-says-ok", "raft", 100, "",
		"a deposed leader says OK to the writes that waited",
		"MongoDB 2.4 with w=1 (Jepsen 2013)"},
	[BUG_RAFT_DEPOSED_SAYS_NO] = {"raft-deposed-says-no", "raft", 100, "",
		"a deposed leader says that a write has failed that may yet be committed",
		"CockroachDB before AmbiguousResultError"},
	[BUG_RAFT_SENDS_WRITES_AGAIN] = {"raft-sends-writes-again", "raft", 300, "",
		"a write that was sent to one leader is sent to the next one, too",
		"dissertation 6.3; RIFL (SOSP 2015)"},
	[BUG_RAFT_SNAPSHOT_OFF_BY_ONE] = {"raft-snapshot-off-by-one", "raft", 60, "",
		"a part of a snapshot is said to be one entry newer than it is",
		"paper, section 7: lastIncludedIndex"},
	[BUG_RAFT_SNAPSHOT_FORGETS_VOTE] = {"raft-snapshot-forgets-vote", "raft", 40, "",
		"a snapshot takes the place of the records and leaves out the vote",
		"paper, figure 2: votedFor is persistent"},
	[BUG_RAFT_OLD_MAJORITY] = {"raft-old-majority", "raft", 150, "",
		"after a change of members the majority is still that of the old set",
		"dissertation 4.1: the latest configuration in the log is in force"},
	[BUG_FORWARD_DOES_TWICE] = {"does-twice", "raft single zab", 100, "",
		"a request that the network duplicated is executed twice",
		"dissertation 6.3: linearizable semantics need a filter"},
	[BUG_FORWARD_DENIES] = {"denies-what-may-be-done", "raft single zab", 100, "",
		"a write without an answer in time is said to have failed",
		"timeouts taken for failures"},
	[BUG_FORWARD_NUMBERS_RESTART] = {"numbers-restart", "raft single zab", 100, "",
		"a restarted replica numbers its requests from 1 again, as in its earlier life",
		"answers of an earlier life"},
	[BUG_CAS_COMPARES_NOTHING] = {"cas-compares-nothing", "raft single zab", 100, "",
		"compare-and-set does not compare",
		"lost updates (Berenson et al., SIGMOD 1995)"},
	[BUG_SINGLE_SERVES_EARLIER_LIFE] = {"single-serves-earlier-life", "single", 300, "",
		"a request meant for the time before a restart, which may have done it, is done",
		"dissertation 6.3"},
	[BUG_SINGLE_ANSWERS_BEFORE_DURABLE] = {"single-answers-before-durable", "single", 100, "",
		"a write is answered when it is handed to the disk",
		"write-back caches without a flush"},
	[BUG_QUORUM_WEAK_CALLED_STRONG] = {"quorum-waits-for-one", "quorum", 100, "",
		"QUORUM is answered when one replica has answered",
		"Gifford 1979: R + W > N"},
	[BUG_QUORUM_DENIES] = {"quorum-denies-what-may-be-done", "quorum", 20, "",
		"a write without enough answers in time is said to have failed",
		"Cassandra: WriteTimeoutException taken for a failure"},
	[BUG_QUORUM_READS_WITHOUT_REPAIR] = {"quorum-reads-without-repair", "quorum", 60, "",
		"a read answers before what it answers is at a quorum",
		"Cassandra 4 with read_repair = NONE; Attiya et al. 1995 (ABD)"},
	[BUG_QUORUM_READS_LAST_ANSWER] = {"quorum-reads-last-answer", "quorum", 20, "",
		"a read takes the last answer for the newest",
		"Dynamo 4.4: versions are to be compared"},
	[BUG_QUORUM_ACKS_BEFORE_DURABLE] = {"quorum-acks-before-durable", "quorum", 20, "",
		"a replica acknowledges a write that is not on its disk yet",
		"Cassandra with commitlog_sync: periodic"},
	[BUG_QUORUM_READS_BEFORE_DURABLE] = {"quorum-reads-before-durable", "quorum", 60, "",
		"a write is read before it is on disk, and goes back in a crash",
		"dirty reads"},
	[BUG_QUORUM_HINT_RESURRECTS] = {"quorum-hint-resurrects", "quorum", 20, "",
		"a hint is taken without comparing versions, and brings back what was deleted",
		"Cassandra's zombies"},
	[BUG_QUORUM_HINT_DONE_EARLY] = {"quorum-hint-done-early", "quorum", 1500, "",
		"a hint is dropped though the key has become newer since it was sent",
		"Dynamo 4.6"},
	[BUG_QUORUM_COUNTS_TWICE] = {"quorum-counts-twice", "quorum", 150, "",
		"an answer that the network duplicated counts as two replicas",
		"Gifford 1979: R + W > N"},
	[BUG_QUORUM_TIE_LOST] = {"quorum-tie-lost", "quorum", 1000, "--skew 10ms",
		"of two writes with the same time each replica keeps the first it heard",
		"last-write-wins needs a total order"},
	[BUG_QUORUM_KEEPS_NO_TOMBSTONE] = {"quorum-keeps-no-tombstone", "quorum", 20, "",
		"a deletion removes the key and keeps no tombstone",
		"Cassandra: gc_grace_seconds = 0"},
	[BUG_QUORUM_FORGETS_TOO_EARLY] = {"quorum-forgets-too-early", "quorum", 100, "",
		"a tombstone is forgotten though not every replica has it",
		"Cassandra: repair later than gc_grace_seconds"},
	[BUG_QUORUM_FORGETS_AT_ONCE] = {"quorum-forgets-at-once", "quorum", 100, "",
		"a tombstone is forgotten while messages from before it are under way",
		"Dynamo 4.6: late hints"},
	[BUG_QUORUM_DIGEST_WITHOUT_DELETIONS] = {"quorum-digest-without-deletions", "quorum", 200, "",
		"the Merkle tree's digest leaves tombstones out",
		"Dynamo 4.7"},
	[BUG_PRIMARY_ACKS_BEFORE_DURABLE] = {"primary-acks-before-durable", "primary", 800,
		"--nodes 3 --set acks=2,watcher=400ms,fallback=0s",
		"a replica acknowledges entries that are not on its disk yet",
		"MySQL with sync_relay_log above 1"},
	[BUG_PRIMARY_KEEPS_TAIL] = {"primary-keeps-tail", "primary", 500,
		"--nodes 3 --set acks=2,watcher=400ms,fallback=0s",
		"a primary that was replaced keeps what its successor does not have",
		"MySQL: errant transactions; Redis before PSYNC2"},
	[BUG_PRIMARY_SAME_EPOCH] = {"primary-same-epoch", "primary", 200, "--set acks=1,fallback=0s",
		"a primary that restarts goes on in its epoch",
		"Kafka before KIP-101"},
	[BUG_PRIMARY_HANDS_OVER_EARLY] = {"primary-hands-over-early", "primary", 100, "--set acks=1,fallback=0s",
		"a primary hands over before the other one has all",
		"promotion without waiting for the relay log"},
	[BUG_ABD_READS_WITHOUT_WRITE_BACK] = {"abd-reads-without-write-back", "abd", 100, "",
		"a read answers before a majority has what it answers",
		"Attiya et al. 1995: with many readers, readers write"},
	[BUG_ABD_REUSES_TIMESTAMP] = {"abd-reuses-timestamp", "abd", 100, "",
		"a writer gives the highest number that it was told plus one, though it may have given it",
		"a minority has that timestamp with another value: a number is given once"},
	[BUG_ABD_ACKS_BEFORE_DURABLE] = {"abd-acks-before-durable", "abd", 100, "",
		"a replica acknowledges a version that is not on its disk yet",
		"write-back caches without a flush"},
	[BUG_SESSION_IGNORES_TOKEN] = {"session-ignores-token", "zab", 60,
		"--read-level one --write-level quorum",
		"a local read does not wait for what its session has seen elsewhere",
		"ZooKeeper: lastZxidSeen of the client, checked on reconnection"},
	[BUG_ZAB_OLDER_HISTORY] = {"zab-older-history", "zab", 100, "",
		"an election minds numbers only, and discovery lets an older history lead",
		"Zab, figure 2: the history with the highest epoch and zxid"},
	[BUG_ZAB_ACCEPTS_BEFORE_DURABLE] = {"zab-accepts-before-durable", "zab", 100, "",
		"an epoch is accepted, or proposed, before that is on disk",
		"Zab, section IV: the accepted epoch is on stable storage"},
	[BUG_ZAB_SKIPS_SYNC] = {"zab-skips-sync", "zab", 100, "",
		"a sync does not ask the leader",
		"ZooKeeper: reads without sync are stale"},
	[BUG_ZONE_SERIAL_WITHOUT_WRAP] = {"zone-serial-without-wrap", "zone", 20, "--read-level one",
		"serials are compared as plain numbers",
		"RFC 1982: serial number arithmetic"},
	[BUG_ZONE_TTL_RESTARTS] = {"zone-ttl-restarts", "zone", 100, "--read-level one",
		"a cache that answers keeps the answer for another TTL",
		"RFC 1034, 4.1: the TTL counts down; ghost domain names (Jiang et al., NDSS 2012)"},
	[BUG_ZONE_SERVES_EXPIRED] = {"zone-serves-expired", "zone", 200, "--read-level one",
		"a secondary answers though it was not confirmed for longer than expire",
		"RFC 1035, 3.3.13: EXPIRE"},
	[BUG_ZONE_CHANGES_ON_ANY_SERIAL] = {"zone-changes-on-any-serial", "zone", 50, "--read-level one",
		"changes are applied whatever serial they begin with",
		"RFC 1995, 4"},
	[BUG_CRDT_ADDS_SUMS] = {"crdt-adds-sums", "crdt", 100, "",
		"counters are merged by adding what two replicas know of a third",
		"Shapiro et al. 2011, 3.1.1: the merge of counters is the maximum"},
	[BUG_CRDT_REMOVE_WINS] = {"crdt-remove-wins", "crdt", 100, "",
		"a removal takes out adds that it has not seen",
		"Shapiro et al. 2011, 3.3.5: an OR-set's remove takes what it observed"},
	[BUG_CRDT_ANSWERS_BEFORE_DURABLE] = {"crdt-answers-before-durable", "crdt", 100, "",
		"an operation is answered when it is handed to the disk",
		"Redis with appendfsync everysec"},
	[BUG_CRDT_REUSES_DOTS] = {"crdt-reuses-dots", "crdt", 100, "",
		"the clock that names operations is coarse and begins anew at a restart",
		"Riak: actors that lose their counter (riak_kv issue 679)"},
	[BUG_LOG_DROPS_ACKED] = {"log-drops-acked", "raft quorum single zab", 100, "",
		"the last acknowledged record is not in the log after a restart",
		"disks that say flushed and have not"},
	[BUG_LOG_SNAPSHOT_TOO_EARLY] = {"log-snapshot-too-early", "raft", 300, "",
		"a snapshot counts before the log is on disk up to its last part",
		"proto.h, rule 7"},
};
/* clang-format on */
_Static_assert(sizeof(bugs) / sizeof(*bugs) == BUG_NR, "a row for each bug");

enum proto_bug bug_chosen;

const struct bug *bugs_choose(const char *name)
{
	for (unsigned i = BUG_NONE; i < BUG_NR; i++) {
		if (strcmp(bugs[i].name, name) != 0)
			continue;
		bug_chosen = (enum proto_bug)i;
		return &bugs[i];
	}
	return NULL;
}

void bugs_choose_by_environment(void)
{
	const char *name = getenv("PACELAB_BUG");

	if (!name || bugs_choose(name))
		return;
	fprintf(stderr, "PACELAB_BUG: there is no bug '%s'\n", name);
	exit(EXIT_USAGE);
}

void bugs_print(FILE *out)
{
	for (unsigned i = BUG_NONE + 1; i < BUG_NR; i++) {
		const struct bug *b = &bugs[i];
		char protos[64];
		char *rest = NULL;

		snprintf(protos, sizeof(protos), "%s", b->protos);
		for (char *p = strtok_r(protos, " ", &rest); p; p = strtok_r(NULL, " ", &rest))
			fprintf(out, "%s\t%s\t%u\t%s\t%s\t%s\n", b->name, p, b->seeds,
				b->options[0] ? b->options : "-", b->what, b->source);
	}
}

#endif
