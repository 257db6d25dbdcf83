/* SPDX-License-Identifier: MIT */
/* replica.h - one replica: a protocol, its clients, its peers and its log on one loop */
#ifndef STORE_REPLICA_H
#define STORE_REPLICA_H

#include <netinet/in.h>

#include "agent/base/err.h"
#include "agent/base/loop.h"
#include "agent/base/prng.h"
#include "store/net.h"
#include "store/peers.h"
#include "store/proto.h"
#include "store/snapshot.h"
#include "store/stream.h"
#include "store/table.h"
#include "store/wal.h"

#define REPLICA_CLIENT_PORT 6379
#define REPLICA_PEER_PORT 7000
/* The log's first file in the data directory. */
#define REPLICA_LOG WAL_FILE
/* More than this waiting for the disk: what others send is lost, for it might have to be written.
 * A client is not even read from above WAL_QUEUE_MAX. */
#define REPLICA_PEERS_LOG_MAX (2 * WAL_QUEUE_MAX)
/* A wall clock is wrong by a day at the most. */
#define REPLICA_SKEW_NS_MAX (24 * 3600 * (int64_t)1000000000)
/* Exit status of a replica that refuses a damaged log (EX_DATAERR of sysexits.h). */
#define REPLICA_EXIT_DAMAGED 65

/**
 * struct replica_config - what a replica is started with
 * @cluster:	name that all replicas of it share, hello_cluster_fits(); NULL: none
 * @peers:	addresses by replica id, proto.nodes of them
 * @admin_fd:	a listening socket for the supervisor, -1: none
 * @skew_ns:	its wall clock is so much ahead of the machine's
 * @signal_fd:	readable when the replica is to end with status 0, -1: none
 * @dir:	data directory, exists
 * @sync:	when records reach the disk
 * @memory_max:	bytes of the table from which on writes are refused, but for DEL; 0: no such limit
 * @snapshot_log: bytes by which the log grows before a snapshot is taken, 0: never
 */
struct replica_config {
	const struct proto_ops *ops;
	const char *cluster;
	struct proto_config proto;
	struct in_addr peers[PROTO_NODES_MAX];
	struct sockaddr_in listen;
	uint16_t peer_port;
	int admin_fd;
	int64_t skew_ns;
	int signal_fd;
	const char *dir;
	enum wal_sync sync;
	uint64_t memory_max;
	uint64_t snapshot_log;
	uint64_t seed;
};

struct replica_timer {
	struct loop_timer timer;
	struct replica *replica;
	unsigned number;
};

/* Its files are the only ones to look inside. */
struct replica {
	struct proto_io io;
	struct replica_config config;
	struct loop *loop;
	struct stream_set streams;
	struct table *table;
	struct proto *proto;
	struct wal wal;
	int dir; /* the data directory, locked */
	struct wal_report recovered;
	struct snapshot snapshot;
	struct snapshot_report recovered_snapshot;
	struct net net;
	struct peers peers;
	struct replica_timer timers[PROTO_TIMERS_MAX];
	struct prng prng;
	struct loop_op signal;
	bool inside; /* a call into the protocol is under way */
	int status;  /* to exit with */
};

/**
 * replica_open() - recover the log, listen, start the protocol
 *
 * Return: 0; -EBADMSG: the log is damaged; another negative errno; @err says what and where.
 */
int replica_open(struct replica **ret, const struct replica_config *config, struct err *err);

/* replica_close() - let go of everything. Takes NULL. */
void replica_close(struct replica *r);

/* replica_run() - until replica_stop(). Return: exit status. */
int replica_run(struct replica *r);

/* replica_stop() - end after this turn with exit status @status. */
void replica_stop(struct replica *r, int status);

/* replica_request() - hand a request to the protocol; its reply comes by net_reply(). */
void replica_request(struct replica *r, const struct proto_request *req);

/* replica_admin() - hand an operator's request to the protocol, if it has such; answered alike. */
void replica_admin(struct replica *r, uint64_t ticket, enum proto_admin what, unsigned node);

/* replica_message() - hand over what replica @from sent. Return: 0 or -EBADMSG. */
int replica_message(struct replica *r, unsigned from, const void *bytes, size_t len);

/* replica_info() - append what INFO says of log and snapshots. */
void replica_info(struct buf *text, const struct replica *r);

/* replica_busy() - whether new requests must wait for the disk. */
bool replica_busy(const struct replica *r);

#endif
