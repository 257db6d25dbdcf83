/* SPDX-License-Identifier: MIT */
/*
 * objects.h - what clients do to lists, sets, counters, banks and several lists at once
 *
 * Where the store has them, a set is a set of its own and a counter is what INCRBY counts. Else an
 * object is a text behind a key: elements as decimals with a comma behind each, a counter or an
 * account as one decimal. Elements are appended where the store has that; else the client reads,
 * changes and writes back, as an application on such a store would; who adds to a set where
 * versions stand side by side merges all of them. Nothing makes several steps
 * one: transfers and transactions are what an application gets that does them one after the other.
 */
#ifndef LOAD_OBJECTS_H
#define LOAD_OBJECTS_H

#include "agent/load/drivers/driver.h"
#include "agent/load/gen.h"

/* What an account holds before the first transfer. */
#define OBJECTS_BALANCE 100

struct objects {
	struct driver *driver;
	uint32_t does;     /* PROTO_DOES() of each operation that the store has */
	unsigned accounts; /* of a bank */
	struct buf text;
	uint64_t *element; /* owned: what was read as many */
	size_t count;
	size_t cap;
	struct history_micro step[GEN_STEPS_MAX]; /* of a transaction: with what its reads gave */
};

/* objects_fini() - free; an all-zero one with a driver is ready. */
void objects_fini(struct objects *o);

/**
 * objects_do() - one operation, step by step, until it is done or the deadline has passed
 * @ret:	value: of a counter. HISTORY_UNKNOWN also for what was done by half.
 */
void objects_do(struct objects *o, const struct gen_op *op, uint64_t deadline_ns,
	struct driver_result *ret);

#endif
