/* SPDX-License-Identifier: MIT */
/*
 * systems.c - real systems as settings of our protocols
 *
 * The classes are those of D. Abadi, "Consistency Tradeoffs in Modern Distributed Database System
 * Design", IEEE Computer 45(2), 2012, where he gives one. They are for the defaults of the real
 * system; a row with other levels has its own class, which is then ours and says so.
 */
#include "store/systems.h"

#include <string.h>

#define ABADI "Abadi 2012"

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
