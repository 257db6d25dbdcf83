/* SPDX-License-Identifier: MIT */
/*
 * systems.c - real systems as settings of our protocols
 *
 * The classes are those of D. Abadi, "Consistency Tradeoffs in Modern Distributed Database System
 * Design", IEEE Computer 45(2), 2012, where he gives one. They are for the defaults of the real
 * system; a row with other levels has its own class, which is then ours and says so.
 */
#include "store/systems.h"

#include <assert.h>
#include <string.h>

#include "agent/base/clock.h"
#include "store/settings.h"

#define ABADI "Abadi 2012"
#define HURST "N. Hurst, \"Visual Guide to NoSQL Systems\", 2010"

static const struct system systems[] = {
	{
		.name = "single",
		.ops = &single_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_ONE,
		.kept = "one replica has the data, the others pass requests on to it",
		.left_out = "replication of any kind",
		.textbook = "",
		.source = "",
	},
	{
		.name = "raft",
		.ops = &raft_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_QUORUM,
		.kept = "pre-vote, check-quorum, pipelining, ReadIndex, lease and local reads, "
			"snapshots, membership change, leadership transfer",
		.left_out = "joint consensus, witnesses",
		.textbook = "PC/EC",
		.source = "waits for a majority in every case, as the class is defined in " ABADI,
	},
	{
		.name = "zab",
		.ops = &zab_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_QUORUM,
		.kept = "fast leader election, discovery, synchronization by difference, truncation or "
			"table, broadcast in the order of zxids; local reads, sync, sessions",
		.left_out = "observers, membership change, transactions of several keys",
		.textbook = "",
		.source = "",
	},
	{
		.name = "quorum",
		.ops = &quorum_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_QUORUM,
		.kept = "last-write-wins, ONE to ALL, read repair, hinted handoff, "
			"Merkle anti-entropy, tombstones; sloppy quorums as a setting",
		.left_out = "partitioning (every replica has every key), vector clocks",
		.textbook = "",
		.source = "",
	},
	{
		.name = "abd",
		.ops = &abd_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_QUORUM,
		.kept = "a linearizable register for many writers from majorities alone, no leader, no "
			"clocks; a read of what a majority agrees on takes one round",
		.left_out = "changing the set of replicas (RAMBO), tombstones are kept for ever",
		.textbook = "",
		.source = "",
	},
	{
		.name = "chain",
		.ops = &chain_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_QUORUM,
		.kept = "writes enter at the head and are done at the tail; any member answers a clean key "
			"and asks the tail of a dirty one (CRAQ), after a majority has confirmed the "
			"chain",
		.left_out =
			"the master (replicas agree on the chain themselves), chains per object, "
			"multicast, reads of bounded age",
		.textbook = "",
		.source = "",
	},
	{
		.name = "hbase",
		.ops = &chain_ops,
		.read_level = PROTO_LEASE,
		.write_level = PROTO_QUORUM,
		.settings = "length=3 reads=head",
		.kept = "one region: its server, the head, orders all writes and answers all reads while "
			"its session lasts, a lease from a majority in ZooKeeper's place; the log goes "
			"down a pipeline of three, as HDFS has it; who fails is replaced",
		.left_out =
			"regions and their split, the master, column families and timestamps, "
			"memstore and compactions, region replicas; HDFS acknowledges from memory "
			"(hflush), here each disk has it; reads while the server is replaced",
		.textbook = "PC/EC",
		.source = ABADI,
	},
	{
		.name = "cassandra-one",
		.ops = &quorum_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_ONE,
		.kept = "consistency level ONE (its default), last-write-wins, hinted handoff, "
			"Merkle repair, which runs by itself here",
		.left_out = "partitioning, lightweight transactions",
		.textbook = "PA/EL",
		.source = ABADI ", for Cassandra's defaults",
	},
	{
		.name = "cassandra-quorum",
		.ops = &quorum_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_QUORUM,
		.kept = "consistency level QUORUM, blocking read repair, hinted handoff, "
			"Merkle repair, which runs by itself here",
		.left_out = "partitioning, lightweight transactions",
		.textbook = "PC/EC",
		.source = "R + W > N; " ABADI " classes the default level only, as PA/EL",
	},
	{
		.name = "cassandra-all",
		.ops = &quorum_ops,
		.read_level = PROTO_ALL,
		.write_level = PROTO_ALL,
		.kept = "consistency level ALL, blocking read repair, hinted handoff, "
			"Merkle repair, which runs by itself here",
		.left_out = "partitioning, lightweight transactions",
		.textbook = "PC/EC",
		.source = "R + W > N; " ABADI " classes the default level only, as PA/EL",
	},
	{
		.name = "causal",
		.ops = &causal_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_ONE,
		.kept = "COPS (W. Lloyd et al., SOSP 2011): every replica answers alone; a write shows "
			"where all that it depends on does; last writer wins by a logical clock; "
			"sessions carry what they have seen",
		.left_out =
			"partitioning (every replica has every key), get transactions (COPS-GT), "
			"dependencies by what was read: here all that the replica had",
		.textbook = "",
		.source = "",
	},
	{
		.name = "primary",
		.ops = &primary_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_ONE,
		.kept = "one orders all and ships its log, reads at the primary; acks, wait, fallback "
			"and watcher are settings",
		.left_out = "transactions",
		.textbook = "",
		.source = "",
	},
	{
		.name = "mysql-async",
		.ops = &primary_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_ONE,
		.settings = "acks=0 watcher=0s",
		.kept = "the source answers when its own disk has a write; replicas follow its log and "
			"serve reads; failover by hand, errant transactions are thrown away",
		.left_out = "SQL and transactions of several rows, relay logs apart from the data, "
			    "errant transactions that are kept until somebody looks",
		.textbook = "CA",
		.source = HURST ", which puts relational databases there",
		.differs = "CA supposes that no link fails; when one does, only the primary's side "
			   "writes, and replicas answer reads with what they last heard",
	},
	{
		.name = "mysql-semisync",
		.ops = &primary_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_ONE,
		.settings = "acks=1 wait=before fallback=10s watcher=0s",
		.kept = "one replica must have a write on disk (AFTER_SYNC), for 10 s; then "
			"asynchronous until a replica has all; reads at the source",
		.left_out =
			"SQL and transactions of several rows, AFTER_COMMIT (wait=after), reads at "
			"replicas (level one)",
		.textbook = "CA",
		.source = HURST ", which puts relational databases there",
		.differs =
			"CA supposes that no link fails; when one does, only the primary's side "
			"writes, and reads go to the primary, so the other side gets no answer at"
			" all",
	},
	{
		.name = "postgres-async",
		.ops = &primary_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_ONE,
		.settings = "acks=0 watcher=0s",
		.kept = "hot standbys: only what is on the primary's disk is shipped; reads at standbys; "
			"promotion by hand, then a resync of the old primary as by pg_basebackup",
		.left_out =
			"SQL and transactions of several rows, pg_rewind, cascading, slots that "
			"keep the log of an absent standby for ever",
		.textbook = "CA",
		.source = HURST ", which puts relational databases there",
		.differs = "CA supposes that no link fails; when one does, only the primary's side "
			   "writes, and standbys answer reads with what they last heard",
	},
	{
		.name = "postgres-sync",
		.ops = &primary_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_ONE,
		.settings = "acks=1 wait=before fallback=0s watcher=0s",
		.kept = "synchronous_standby_names = 'ANY 1 (*)': a write waits until a standby has it "
			"on disk, for ever if none is there; reads at the primary",
		.left_out = "SQL and transactions of several rows, remote_apply, priorities of "
			    "standbys",
		.textbook = "CA",
		.source = HURST ", which puts relational databases there",
		.differs =
			"CA supposes that no link fails; when one does, only the primary's side "
			"writes, and reads go to the primary, so the other side gets no answer at"
			" all",
	},
	{
		.name = "redis-replicas",
		.ops = &primary_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_ONE,
		.settings = "acks=0 watcher=5s",
		.kept = "asynchronous replicas that serve reads; a watcher that promotes the most "
			"advanced one it reaches; a full copy for who has parted or is too far behind",
		.left_out = "Sentinels as processes of their own and their vote, WAIT, "
			    "min-replicas-to-write, answers before the disk has it (--fsync)",
		.textbook = "CP",
		.source = HURST,
		.differs =
			"replicas answer reads from their own data, old or not, so nothing is "
			"linearizable; a side without the primary cannot write until the watcher "
			"promotes one there",
	},
	{
		.name = "redis-sentinel",
		.ops = &primary_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_ONE,
		.settings = "acks=0 watcher=5s",
		.kept = "as redis-replicas, with reads at the primary, as clients of Sentinel are told "
			"to",
		.left_out =
			"Sentinels as processes of their own and their vote, min-replicas-to-write, "
			"answers before the disk has it (--fsync)",
		.textbook = "",
		.source = "",
	},
	{
		.name = "redis-wait",
		.ops = &primary_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_ONE,
		.settings = "acks=1 wait=after fallback=0s watcher=5s",
		.kept = "as redis-sentinel, with a WAIT 1 after each write: it is read at the primary "
			"before a replica has it, and stays if none gets it",
		.left_out =
			"Sentinels as processes of their own and their vote, a failover that "
			"promotes a replica without the write, replicas that acknowledge before "
			"the disk has it",
		.textbook = "",
		.source = "",
	},
	{
		.name = "zookeeper",
		.ops = &zab_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_QUORUM,
		.kept = "Zab; any server answers reads from its own data, a session that moves to "
			"another server never goes back in time; no server without a leader answers",
		.left_out =
			"watches, ephemeral nodes, multi, versions; the order of requests that one "
			"client has sent without waiting for answers",
		.textbook = "CP",
		.source =
			"generally assumed, says M. Kleppmann, \"Please stop calling databases CP or "
			"AP\", 2015, who finds it neither: reads are not linearizable",
		.differs =
			"a server answers reads from its own data: all see one order, but may see"
			" it late, and the C of CAP is linearizable",
	},
	{
		.name = "zookeeper-sync",
		.ops = &zab_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_QUORUM,
		.kept = "as zookeeper, with a sync before each read; here a quorum confirms that the "
			"leader still leads",
		.left_out =
			"ZooKeeper's own sync, by which a leader that was replaced may still let "
			"an old value be read; watches, ephemeral nodes, multi, versions",
		.textbook = "PC/EC",
		.source = "waits for a majority in every case, as the class is defined in " ABADI,
	},
	{
		.name = "mongodb-majority",
		.ops = &raft_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_QUORUM,
		.settings = "unconfirmed=yes",
		.kept = "write and read concern majority at the primary: what is read is on a majority, "
			"and a primary that was replaced answers with old data until it steps down "
			"(SERVER-89619)",
		.left_out =
			"read concern linearizable (raft), documents and transactions, oplog and "
			"rollback files; a client asks a member, which asks the primary",
		.textbook = "PC/EC",
		.source = "ours, as writes wait for a majority and reads go to the primary; " ABADI
			  " classes the defaults of its time, as PA/EC",
	},
	{
		.name = "mongodb-causal",
		.ops = &raft_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_QUORUM,
		.settings = "sessions=yes",
		.kept = "causally consistent sessions with read and write concern majority: any member "
			"reads what a majority has, when it is as new as what the session has seen "
			"(afterClusterTime)",
		.left_out =
			"other read and write concerns in a session, documents and transactions, "
			"signed cluster times",
		.textbook = "",
		.source = "",
	},
	{
		.name = "mongodb-one",
		.ops = &primary_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_ONE,
		.settings = "acks=0 watcher=10s",
		.kept = "write concern 1 and read concern local, at the primary: acknowledged by its own "
			"disk alone, rolled back if another takes over, after 10 s "
			"(electionTimeoutMillis)",
		.left_out =
			"an election by a majority: here whoever is reached is asked; a primary "
			"without a majority that steps down by itself; documents and transactions",
		.textbook = "PA/EC",
		.source = ABADI ", for the defaults of its time",
		.differs =
			"PA is said of the other side, which elects a primary of its own after 10 s, and of "
			"the writes that are then rolled back; a shorter cut is over before that",
	},
	{
		.name = "etcd",
		.ops = &raft_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_QUORUM,
		.kept = "Raft with pre-vote and check-quorum, linearizable reads by ReadIndex",
		.left_out = "revisions, leases, watches, transactions",
		.textbook = "PC/EC",
		.source = "waits for a majority in every case, as the class is defined in " ABADI,
	},
	{
		.name = "etcd-serializable",
		.ops = &raft_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_QUORUM,
		.kept = "etcd's serializable reads: any member answers at once with what it has, "
			"however old that is; writes by Raft",
		.left_out =
			"revisions, of which a client may ask for one that it has seen; leases, "
			"watches, transactions",
		.textbook = "",
		.source = "",
	},
	{
		.name = "zone",
		.ops = &zone_ops,
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_ONE,
		.kept = "a primary that orders all and answers reads, secondaries and caches beside it "
			"(dns reads from those)",
		.left_out = "transactions",
		.textbook = "",
		.source = "",
	},
	{
		.name = "crdt",
		.ops = &crdt_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_ONE,
		.kept = "delta-state counters, OR-sets and last-write-wins registers, as active-active "
			"stores have them: every replica takes every operation, alone, too",
		.left_out =
			"other types (maps, sequences), transactions, bounded counters, forgetting "
			"the context of a deleted key",
		.textbook = "",
		.source = "",
	},
	{
		.name = "dns",
		.ops = &zone_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_ONE,
		.settings = "secondaries=1 notify=yes refresh=1s retry=250ms expire=60s ttl=2s "
			    "negative_ttl=1s serve_stale=30s",
		.kept = "one zone: a primary with serials, NOTIFY, IXFR and AXFR to secondaries with "
			"refresh, retry and expire; caches with TTL, negative answers and stale ones; "
			"dynamic updates, forwarded",
		.left_out =
			"names, records and types, delegation and other zones, forwarders, DNSSEC; "
			"times are seconds, not hours",
		.textbook = "AP",
		.source =
			"E. Brewer, \"Towards Robust Distributed Systems\", PODC 2000, where DNS is "
			"an example of consistency forfeited",
		.differs =
			"only reads are answered on every side, and a cache has what it was asked "
			"before; a change needs the primary, and pays the way there",
	},
	{
		.name = "riak",
		.ops = &crdt_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_ONE,
		.settings = "register=mv",
		.kept = "siblings (allow_mult) by dotted causal contexts, its counters and sets; as with "
			"R and W of one and sloppy quorums, any replica answers",
		.left_out =
			"partitioning, R and W above one, maps, strong consistency; a session has "
			"one context for all keys (its token) instead of one from each read",
		.textbook = "PA/EL",
		.source = ABADI ", for Riak's defaults",
	},
	{
		.name = "multimaster",
		.ops = &multimaster_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_ONE,
		.kept = "revision trees, a deterministic winner, conflicts kept and listed, stemming, "
			"continuous replication between all pairs with checkpoints",
		.left_out = "compare-and-set, expiry",
		.textbook = "",
		.source = "",
	},
	{
		.name = "couchdb",
		.ops = &multimaster_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_ONE,
		.settings = "revs=1000",
		.kept = "a database per replica, continuous replication each way between all: changes "
			"since a checkpoint, what is missing, revisions with their history; "
			"VALUES lists conflicts, RESOLVE ends a losing branch",
		.left_out =
			"JSON, views, attachments; _rev in requests (409): a write follows what its "
			"replica shows; the quorums of a 2.x cluster; MD5 names (64 bits here)",
		.textbook = "AP",
		.source = HURST,
	},
	{
		.name = "dynamodb-eventual",
		.ops = &raft_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_QUORUM,
		.kept = "a replication group with a leader; a write is acknowledged when a quorum has "
			"it on disk; eventually consistent reads (the default) at any replica",
		.left_out =
			"partitions and their routing, log replicas, transactions, global tables; "
			"Multi-Paxos is Raft here. Not Dynamo of 2007, which Abadi classes PA/EL: "
			"that is quorum, without a leader",
		.textbook = "",
		.source = "",
	},
	{
		.name = "dynamodb-strong",
		.ops = &raft_ops,
		.read_level = PROTO_LEASE,
		.write_level = PROTO_QUORUM,
		.settings = "leases=yes",
		.kept = "the same group; strongly consistent reads (ConsistentRead) at the leader, which "
			"holds a lease, and a new one waits until that is over",
		.left_out =
			"partitions and their routing, log replicas, transactions, global tables; "
			"Multi-Paxos is Raft here",
		.textbook = "PC/EC",
		.source =
			"Elhemali et al., USENIX ATC 2022: leader and quorum in every case, as the "
			"class is defined in " ABADI,
	},
	{
		.name = "influxdb",
		.ops = &quorum_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_ONE,
		.settings = "sloppy=yes anti_entropy=0s hint_window=0s",
		.kept = "InfluxDB Enterprise 1.x, ingest: write consistency 'any' (a hint counts; so "
			"does its default 'one' here, where the coordinator has every key), a queue "
			"of hinted handoff (7 days there, no end here), no read repair, no "
			"anti-entropy by default",
		.left_out =
			"series, shards and retention, meta nodes (Raft); points that differ at the "
			"same time stay as they came, here the last write wins",
		.textbook = "",
		.source = "",
	},
	{
		.name = "dynamo",
		.ops = &crdt_ops,
		.read_level = PROTO_ONE,
		.write_level = PROTO_ONE,
		.settings = "register=mv plain=yes",
		.kept = "always writable: versions that have not seen each other stay side by side, and "
			"who reads them merges them, as the shopping cart of the paper",
		.left_out =
			"partitioning, R and W above one (quorum has them, without versions side by "
			"side), contexts for each key: a session has one for all",
		.textbook = "PA/EL",
		.source = ABADI ", for Dynamo's defaults",
	},
};

const struct system *system_list(unsigned i)
{
	return i < sizeof(systems) / sizeof(*systems) ? &systems[i] : NULL;
}

const struct system *system_find(const char *name)
{
	const struct system *s;

	for (unsigned i = 0; (s = system_list(i)); i++)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

void system_config(const struct system *s, unsigned nodes, struct proto_config *ret)
{
	struct err err;

	*ret = (struct proto_config){.nodes = nodes,
		.read_level = s->read_level,
		.write_level = s->write_level,
		.request_timeout_ns = 800 * NS_PER_MS,
		.election_min_ns = 300 * NS_PER_MS,
		.election_max_ns = 600 * NS_PER_MS,
		.heartbeat_ns = 50 * NS_PER_MS,
		.leader = -1};
	settings_defaults(ret);
	if (s->settings && settings_read(ret, s->ops, s->settings, &err) < 0)
		assert(0 && "the table's settings can be read");
}
