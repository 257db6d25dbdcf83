/* SPDX-License-Identifier: MIT */
/* redis_internal.h - what the files of the driver for Redis share */
#ifndef LOAD_PLUGINS_REDIS_INTERNAL_H
#define LOAD_PLUGINS_REDIS_INTERNAL_H

#include "agent/load/drivers/resp_answer.h"
#include "agent/load/drivers/resp_link.h"
#include "agent/load/plugin.h"
#include "agent/load/plugins/common.h"

#define REDIS_SERVERS_MAX 64 /* of one cluster */
#define REDIS_SLOTS 16384u
#define REDIS_TEXT_MAX 96
/* For a connection, and for an answer of who is asked on the way to the leader. */
#define REDIS_PATIENCE_NS (500 * NS_PER_MS)

extern const struct driver_ops pacelab_driver;

enum redis_topology {
	REDIS_SINGLE,
	REDIS_REPLICAS,
	REDIS_SENTINEL,
	REDIS_CLUSTER,
	REDIS_TOPOLOGY_NR
};

/* On the way to the leader: see redis_leader.c. */
enum redis_step { REDIS_GUIDE, REDIS_LEADER, REDIS_FOUND };

/* A connection. @until_ns: of the attempt, or of the question that is under way (@asked). */
struct redis_line {
	struct resp_link link;
	uint64_t until_ns;
	bool asked;
};

struct redis {
	struct driver driver;
	const uint32_t *addr_be;
	unsigned nodes;
	unsigned contact;
	uint16_t port;
	enum redis_topology topology;
	unsigned wait;
	bool local;
	uint16_t sentinel_port;
	unsigned servers_of_node;
	char master[COMMON_SETTING_MAX];
	bool wrong;           /* the settings make no sense: nothing is done */
	enum redis_step step; /* towards the leader */
	unsigned at;          /* node of the guide; Cluster: of who is asked about a new slot */
	struct redis_line guide;
	struct redis_line leader;
	struct redis_line near;     /* to the contact: reads=local, status */
	struct redis_line sentinel; /* of the contact: status */
	struct redis_line *server;  /* Cluster: all that were heard of */
	unsigned servers;
	uint8_t *slot; /* Cluster: 1 + number of its owner, 0: not known */
	struct buf out;
};

static inline struct redis *redis_of(struct driver *d)
{
	return (struct redis *)d;
}

/*
 * redis_line.c
 */

void redis_aim(struct redis_line *l, uint32_t addr_be, uint16_t port);
void redis_hang_up(struct redis_line *l);

/* redis_be_open() - like resp_link_open(), but with a new attempt for one that took too long. */
bool redis_be_open(struct redis_line *l, uint64_t deadline_ns);

/* redis_add_request() - @words words and, unless it is NULL, @text. */
void redis_add_request(
	struct buf *out, unsigned words, const char *const word[], const struct buf *text);

/* redis_parse() - the answer at @at. Return: bytes used, 0: more are needed, or -EBADMSG. */
int redis_parse(const struct buf *in, size_t at, struct resp_answer *ret);

/**
 * redis_question() - ask something that may take several calls, but no longer than
 * REDIS_PATIENCE_NS for the connection, and for the answer
 * @word:	ends with NULL
 * Return: 1 with the answer, 0 if it is not there yet, a negative errno if there will be none.
 */
int redis_question(struct redis *r, struct redis_line *l, const char *const word[],
	uint64_t deadline_ns, struct resp_answer *ret);

extern const char *const redis_ask_replication[]; /* INFO replication */

/* redis_field() - the value of a line "name:value" in what INFO answers, "" if there is none. */
const char *redis_field(const struct resp_answer *info, const char *name, char out[REDIS_TEXT_MAX]);
bool redis_is(const struct resp_answer *info, const char *name, const char *value);
uint64_t redis_number(const struct resp_answer *info, const char *name);

/* redis_begins() - is its first word this one? */
bool redis_begins(const struct resp_answer *answer, const char *word);

bool redis_parse_addr(const char *addr, const char *port, uint32_t *ret_addr, uint16_t *ret_port);

/*
 * redis_leader.c
 */

/* redis_ask_at() - ask on that node who leads. */
void redis_ask_at(struct redis *r, unsigned node);

/* redis_lose_leader() - ask who leads, beginning with who answered last. */
void redis_lose_leader(struct redis *r);

/**
 * redis_seek() - ask each guide once, then try the leader that was named
 * Return: whether there is a connection to the leader; what takes longer is gone on with in the
 * next call.
 */
bool redis_seek(struct redis *r, uint64_t deadline_ns);

/*
 * redis_cluster.c; a server's number is its place in redis.server
 */

unsigned redis_slot_of(uint64_t key);

/* redis_server_at() - that server. Return: REDIS_SERVERS_MAX if there are too many. */
unsigned redis_server_at(struct redis *r, uint32_t addr_be, uint16_t port);

/* redis_first_server() - who is asked about a slot that nobody is known to own. */
unsigned redis_first_server(struct redis *r);

/* redis_forget() - it does not answer: whoever does may know of others that have its slots now. */
void redis_forget(struct redis *r, unsigned server);

/* redis_redirected() - to whom the answer sends; @ret_asking: for this one request. Return:
 * REDIS_SERVERS_MAX: to nobody. */
unsigned redis_redirected(struct redis *r, const struct resp_answer *answer, bool *ret_asking);

/* redis_status.c */
int redis_status(struct driver *d, uint64_t deadline_ns, struct driver_status *ret);

#endif
