/* SPDX-License-Identifier: MIT */
/*
 * world.h - a small quiet world for one test: ask, wait, look; and what was sent
 *
 * Links take 10 ms and lose nothing, disks take no time, until the test changes that. The clock
 * moves only in world_run() and world_wait().
 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include "agent/base/buf.h"
#include "agent/sim/sim.h"

#define WORLD_SENT_MAX 4096
#define WORLD_ASKED_MAX 4096

/* One request and what became of it. */
struct world_asked {
	unsigned replies;
	struct proto_reply reply; /* value, list and token are owned by the world */
	uint64_t asked_ns;
	uint64_t replied_ns;
};

struct world_sent {
	unsigned from;
	unsigned to;
	struct buf bytes;
};

struct world {
	struct sim *sim;
	struct world_asked asked[WORLD_ASKED_MAX]; /* by ticket - 1 */
	size_t asked_count;
	struct world_sent sent[WORLD_SENT_MAX]; /* the first so many since world_forget() */
	size_t sent_count;
};

/* A request in C strings; NULL: empty. */
struct world_ask {
	enum proto_op op;
	const char *key;
	const char *value;
	enum proto_cond cond;
	const char *expected;
	enum proto_level level;
	const struct token *token; /* the session's */
};

/* world_config() - settings of a quiet world, to be changed before world_open(). */
struct sim_config world_config(const struct proto_ops *ops, unsigned nodes);
struct world *world_open(const struct sim_config *config);
void world_close(struct world *w);

/* world_run() - let @ns pass. A violation of the simulator's checks fails an assertion. */
void world_run(struct world *w, uint64_t ns);

/* world_settle() - until some replica is ready and leads, or 2 s. */
void world_settle(struct world *w);

/* world_ask() - give a request to a replica. world_wait() - until it is answered. */
struct world_asked *world_ask(struct world *w, unsigned node, const struct world_ask *ask);
struct world_asked *world_wait(struct world *w, struct world_asked *asked);

/* Ask and wait, the usual three. The value is "" if there is none. */
enum proto_status world_set(struct world *w, unsigned node, const char *key, const char *value);
enum proto_status world_del(struct world *w, unsigned node, const char *key);
const char *world_get(struct world *w, unsigned node, const char *key);

/* world_local() - value in a replica's own table, "" if there is none. */
const char *world_local(struct world *w, unsigned node, const char *key);

/* world_isolate() - cut @node from all others, both ways. */
void world_isolate(struct world *w, unsigned node);

/* world_forget() - what was sent so far. world_last_sent() - the last of a type, NULL: none. */
void world_forget(struct world *w);
const struct world_sent *world_last_sent(
	const struct world *w, unsigned from, unsigned to, uint8_t type);

#endif
