/* SPDX-License-Identifier: MIT */
/*
 * peers.h - connections between replicas
 *
 * Each replica dials every other one and sends on the connection that it dialed. Messages may be
 * lost: those to a peer that is silent, and those over the queue's limit, are dropped.
 */
#ifndef STORE_PEERS_H
#define STORE_PEERS_H

#include "store/frame.h"
#include "store/stream.h"

/* Unsent bytes per peer; what comes on top is dropped, as a full router would. */
#define PEERS_QUEUE_MAX (4u << 20)
/* Connections that others have dialed, all together; more are closed at once. */
#define PEERS_INBOUND_MAX 4096u

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
};

struct peers {
	struct replica *replica;
	struct peers_peer *peer; /* by replica id; the own one stays empty */
	unsigned nodes;
	struct list inbound;
	struct list leaving; /* given up, not closed yet */
	unsigned inbound_count;
	int listen_fd;
	struct loop_op accept;
	struct loop_timer tick;
	struct loop_timer accept_again;
	uint64_t ticks;
	uint64_t frames_bad;
	uint64_t sent;
	uint64_t received;
	uint64_t dropped;
};

/* peers_init() - nothing is dialed yet; @listen_fd: a listening socket, -1 for a lone replica. */
void peers_init(struct peers *peers, struct replica *replica, int listen_fd);

/* peers_start() - accept and dial. */
void peers_start(struct peers *peers);

/* peers_fini() - free all; after loop_close(). */
void peers_fini(struct peers *peers);

/* peers_send() - queue one message for replica @to. */
void peers_send(struct peers *peers, unsigned to, const void *bytes, size_t len);

/* peers_up() - other replicas that have been heard lately. */
unsigned peers_up(const struct peers *peers);

#endif
