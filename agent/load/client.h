/* SPDX-License-Identifier: MIT */
/* client.h - one client: a thread with a schedule, a session, a connection and a stopwatch */
#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H

#include <pthread.h>

#include "agent/load/drivers/driver.h"
#include "agent/load/gen.h"
#include "agent/load/load.h"
#include "agent/load/lock.h"
#include "agent/load/objects.h"
#include "agent/load/stock.h"

/* What the clients of one process share. */
struct client_site {
	const struct plan *plan;
	unsigned site;
	struct history *history;
	struct load_shared *shared;
	const struct driver_ops *driver;
	void *world;              /* of its connections; NULL: the machine's network */
	bool sessions;            /* the store wants a session's token when it changes replicas */
	bool cas;                 /* the store has compare-and-set */
	uint32_t does;            /* PROTO_DOES() of each operation that the store has */
	uint32_t *addr_be;        /* of each replica */
	_Atomic uint64_t *seen;   /* by key: the value last read or written, 0 unknown */
	_Atomic unsigned drained; /* clients whose last operation has ended */
};

struct client {
	struct client_site *common;
	unsigned number; /* in its site */
	pthread_t thread;
	struct driver *driver[PROTO_NODES_MAX]; /* by replica, NULL: not needed yet */
	struct gen gen;
	struct objects objects;
	struct lock lock;
	struct stock stock;
	struct buf token; /* of the session, as the store has given it */
	uint32_t session;
	uint16_t node; /* replica it talks to, or talked to last */
	int error;     /* why it gave up, 0 if it did not */
};

/* client_site_init() - for @plan's load at @site: what the store has and claims; by resp_driver,
 * till that is changed. client_site_fini() frees. */
void client_site_init(struct client_site *common, const struct plan *plan, unsigned site,
	struct history *history, struct load_shared *shared);
void client_site_fini(struct client_site *common);

/* client_init() - ready to run; client_fini() frees. */
void client_init(struct client *c, struct client_site *common, unsigned number);
void client_fini(struct client *c);

/* client_run() - thread body: until LOAD_STOP, or after the final reads. @arg is the client. */
void *client_run(void *arg);

#endif
