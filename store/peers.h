/* SPDX-License-Identifier: MIT */
/*
 * peers.h - connections between replicas
 *
 * Each replica dials every other one and sends on the connection that it dialed. Messages may be
 * lost: those to a peer that is silent, and those over the queue's limit, are dropped.
 */
#ifndef STORE_PEERS_H
#define STORE_PEERS_H

#include "store/datagrams.h"
#include "store/frame.h"
#include "store/stream.h"

/* Unsent bytes per peer; what comes on top is dropped, as a full router would. */
#define PEERS_QUEUE_MAX (4u << 20)
/* Connections that others have dialed, all together; more are closed at once. */
#define PEERS_INBOUND_MAX 4096u
/* Of these, from addresses that are no replica's; they live only until they are refused. */
#define PEERS_STRANGERS_MAX 64u
/* Of these, from one replica: one in use, and while the way is bad some that may replace it. */
#define PEERS_PER_REPLICA_MAX 8u
/* Why a replica is not talked to, for people. */
#define PEERS_WHY_MAX 192u
/* Peers of which INFO tells the state; in larger labs of those that are not up. */
#define PEERS_INFO_MAX 16u

struct replica;
struct peers_link;

/* One other replica, seen from the sending side. */
struct peers_peer {
	struct peers *peers;
	uint16_t id;
	struct peers_link *live; /* the connection in use, NULL: none yet */
	struct list attempts;    /* connections being made */
	uint64_t heard_ns;       /* on the live connection */
	uint64_t dialed_ns;
	bool dialed_back; /* at once, because it was heard in this silence */
	uint64_t rtt_ns;  /* smoothed; 0: not measured yet */
	bool up;
	char refusal[PEERS_WHY_MAX]; /* why it is not one of ours, "" as far as we know it is */
};

struct peers {
	struct replica *replica;
	struct peers_peer *peer; /* by replica id; the own one stays empty */
	unsigned nodes;
	struct list inbound;
	struct list leaving; /* given up, not closed yet */
	unsigned inbound_count;
	unsigned strangers;
	struct datagrams datagrams;
	struct buf words; /* our own, see hello.h */
	int listen_fd;
	struct loop_op accept;
	struct loop_timer tick;
	struct loop_timer accept_again;
	uint64_t ticks;
	uint64_t frames_bad;
	uint64_t sent;
	uint64_t received;
	uint64_t dropped;
	uint64_t refused;  /* connections, by either side */
	uint64_t overfull; /* connections closed for want of room */
	uint64_t said_ns;  /* lines of the log: see say() */
	unsigned said;
	uint64_t unsaid;
};

/**
 * peers_init() - nothing is dialed yet
 * @listen_fd:	a listening socket, -1 for a lone replica
 * @datagram_fd: as datagrams_init() takes it
 */
void peers_init(struct peers *peers, struct replica *replica, int listen_fd, int datagram_fd);

/* peers_start() - accept and dial. */
void peers_start(struct peers *peers);

/* peers_fini() - free all; after loop_close(). */
void peers_fini(struct peers *peers);

/* peers_send() - queue one message for replica @to. */
void peers_send(struct peers *peers, unsigned to, const void *bytes, size_t len);

/* peers_up() - other replicas that have been heard lately. */
unsigned peers_up(const struct peers *peers);

/* peers_queued() - bytes for other replicas, or for one, that the kernel has not taken yet. */
size_t peers_queued_for(const struct peers_peer *peer);
size_t peers_queued(const struct peers *peers);

/* peers_info() - append counters and the state of the peers, as lines of INFO. */
void peers_info(const struct peers *peers, struct buf *out);

#endif
