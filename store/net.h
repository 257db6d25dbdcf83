/* SPDX-License-Identifier: MIT */
/*
 * net.h - clients: who is connected, which reply goes where, in which order
 *
 * Each command of a client takes a place in its queue; replies leave in the order of the places,
 * whatever order the protocol gives them in.
 */
#ifndef STORE_NET_H
#define STORE_NET_H

#include "store/resp.h"
#include "store/stream.h"

#define NET_CLIENTS_MAX 4096u
/* Of these, so many are kept for those who do not come by TCP: the supervisor. */
#define NET_ADMINS_KEPT 16u
/* Descriptors that clients may not use up: those of the replica itself, and those of a peer. */
#define NET_FILES_KEPT 64u
#define NET_FILES_PER_PEER 8u
/* Commands of one client without a reply yet; then no more are read from it. */
#define NET_PLACES_MAX 1024u
/* Replies of one client that it has not taken yet; then no more commands are read from it. */
#define NET_OUT_MAX (8u << 20)
/* Requests in the protocol, of all clients together; then no commands are read at all. */
#define NET_REQUESTS_MAX 65536u
#define NET_NAME_MAX 64u
#define NET_LISTENERS_MAX 2

struct replica;
struct net;

/* A command that waits for its reply, or has it but is not first. */
struct net_place {
	bool done;
	struct buf reply;
};

struct net_client {
	struct stream stream;
	struct net *net;
	uint64_t id; /* never used again */
	unsigned index;
	enum proto_level level;
	bool quit; /* close after the last reply */
	struct list stalled;
	struct net_place *places; /* a ring of places_cap, a power of two */
	uint32_t places_cap;
	uint32_t head; /* place whose reply leaves next */
	uint32_t tail; /* place of the next command */
	char name[NET_NAME_MAX];
};

/* Where the reply to a ticket goes. */
struct net_request {
	uint64_t ticket; /* 0: free */
	uint64_t client_id;
	unsigned client;
	uint32_t place;
	enum proto_op op;
	unsigned next_free;
};

struct net_listener {
	struct loop_op accept;
	struct loop_timer again;
	struct net *net;
	int fd;
	bool tcp;
};

struct net {
	struct replica *replica;
	struct net_listener listeners[NET_LISTENERS_MAX];
	struct net_client **clients; /* NET_CLIENTS_MAX, NULL where free */
	unsigned clients_high;       /* one more than the highest index ever used */
	unsigned connected;
	unsigned connected_max; /* by TCP, so that supervisor and peers always find a place */
	uint64_t last_id;
	uint64_t last_serial;
	uint64_t clients_bad; /* closed for what they sent */
	struct list stalled;
	struct net_request *requests; /* NET_REQUESTS_MAX */
	unsigned requests_free;       /* head of the list of free ones */
	unsigned requests_high;
	struct resp_command command; /* being run */
};

/* net_init() - no listener yet. */
void net_init(struct net *net, struct replica *replica);

/* net_fini() - free all; after loop_close(). */
void net_fini(struct net *net);

/* net_listen() - accept clients from @fd, a listening socket, now net's own. */
void net_listen(struct net *net, int fd, bool tcp);

/* net_turn() - once per turn, before streams are flushed: go on with stalled clients. */
void net_turn(struct net *net);

/* net_begin() - where the reply for @place is to be written; net_end() - it is whole. */
struct buf *net_begin(struct net_client *c, uint32_t place);
void net_end(struct net_client *c, uint32_t place);

/* net_ticket() - a new ticket whose reply goes to @place of @c; there is one: see net_turn(). */
uint64_t net_ticket(struct net_client *c, uint32_t place, enum proto_op op);

/* net_reply() - the protocol's reply; a client that has gone gets nothing. */
void net_reply(struct net *net, uint64_t ticket, const struct proto_reply *reply);

#endif
