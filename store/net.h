/* SPDX-License-Identifier: MIT */
/*
 * net.h - clients: who is connected, which reply goes where, in which order
 *
 * Each command of a client takes a place in its queue; replies leave in the order of the places,
 * whatever order the protocol gives them in.
 */
#ifndef STORE_NET_H
#define STORE_NET_H

#include "agent/base/clock.h"
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
/*
 * Bytes of replies of one client that it has not taken yet, or that wait for an earlier reply, or
 * that can be foreseen; then no more commands are read from it.
 */
#define NET_OUT_MAX (8u << 20)
/* Of these, replies to come: less than what waits for one peer, lest answers be dropped there. */
#define NET_AHEAD_MAX (2u << 20)
/* What was not foreseen is given up from here on: the client gets an error in its place. */
#define NET_OUT_HARD_MAX (4u * NET_OUT_MAX)
/*
 * Buffers of all clients and peers together. Above the first, only clients with little in theirs
 * are read from; above the second, those with the most are closed. So is bounded what
 * NET_CLIENTS_MAX clients may make this replica keep, each within its own limits.
 */
#define NET_CROWDED ((size_t)256 << 20)
#define NET_MEMORY_MAX ((size_t)512 << 20)
/* What is little. */
#define NET_OUT_CROWDED (64u << 10)
/* A client that is to go has so long to take its last replies. */
#define NET_LINGER_NS (10 * NS_PER_S)
/* Requests in the protocol, of all clients together; then no commands are read at all. */
#define NET_REQUESTS_MAX 65536u
/* Commands in a turn, of all clients together; the others wait for the next one, so that peers and
 * timers are not kept waiting by those whose requests cost nothing to refuse. */
#define NET_TURN_COMMANDS 8192u
#define NET_NAME_MAX 64u
#define NET_LISTENERS_MAX 2

struct replica;
struct net;
struct gather;

/**
 * struct net_answer - what is made of a protocol's reply
 * @shape:	enum commands_shape
 * @resp3:	the client spoke RESP3 when it asked
 * @session:	the client wants the session's token, too
 * @gather:	the reply is one of several that become one, NULL: it is not
 * @part:	which one
 */
struct net_answer {
	uint8_t shape;
	bool resp3;
	bool session;
	uint32_t part;
	struct gather *gather;
};

/* A command that waits for its reply, or has it but is not first. */
struct net_place {
	bool done;
	size_t expected; /* bytes, as can be foreseen */
	struct buf reply;
};

struct net_client {
	struct stream stream;
	struct net *net;
	uint64_t id; /* never used again */
	unsigned index;
	uint64_t since_ns;
	enum proto_level read_level;
	enum proto_level write_level;
	bool tcp; /* else it is the supervisor */
	bool resp3;
	bool quit; /* close after the last reply */
	struct loop_timer linger;
	size_t waiting;  /* bytes of replies in places that are not first */
	size_t expected; /* bytes of replies to come */
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
	struct net_answer answer;
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
	size_t waiting;       /* sums of those of all clients */
	size_t expected;
	uint64_t clients_big; /* closed for what they made us keep */
	struct list stalled;
	struct net_request *requests; /* NET_REQUESTS_MAX */
	unsigned requests_free;       /* head of the list of free ones */
	unsigned requests_high;
	unsigned requests_used;
	uint64_t commands;        /* run so far */
	uint64_t commands_before; /* this turn */
	struct loop_timer next_turn;
	uint64_t since_ns;
	struct list gathers;
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

/* net_turn_again() - let the next turn come at once if a client is stalled. */
void net_turn_again(struct net *net);

/* net_begin() - where the reply for @place is to be written; net_end() - it is whole. */
struct buf *net_begin(struct net_client *c, uint32_t place);
void net_end(struct net_client *c, uint32_t place);

/* net_ticket() - a new ticket whose reply goes to @place of @c; RESP_ARGS_MAX per command. */
uint64_t net_ticket(struct net_client *c, uint32_t place, const struct net_answer *answer);

/* net_awaited() - whether @place has no reply yet. */
bool net_awaited(const struct net_client *c, uint32_t place);

/* net_expect() - a reply of about so many bytes is to come to @place, which has none. */
void net_expect(struct net_client *c, uint32_t place, size_t bytes);

/* net_kill() - close the connection of client @id. Return: 0, or -ENOENT. */
int net_kill(struct net *net, uint64_t id);

/* net_reply() - the protocol's reply; a client that has gone gets nothing. */
void net_reply(struct net *net, uint64_t ticket, const struct proto_reply *reply);

#endif
