/* SPDX-License-Identifier: MIT */
/*
 * turn.h - what a client does in one slot of its schedule, where that is more than one operation
 */
#ifndef LOAD_TURN_H
#define LOAD_TURN_H

#include <stdbool.h>

#include "agent/load/drivers/driver.h"
#include "agent/load/gen.h"

/**
 * struct turn - one slot
 * @slot:	as scheduled; its value is unique in the run
 * @cas:	the store has compare-and-set
 * @client, @clients: number of this client in the lab, and how many there are
 * @keys:	of the load
 * @ask:	one operation, recorded. Return: false if the client cannot go on
 */
struct turn {
	const struct gen_op *slot;
	bool cas;
	uint64_t client;
	uint64_t clients;
	uint64_t keys;
	bool (*ask)(void *ctx, struct gen_op *op, struct driver_result *ret);
	void *ctx;
};

/* turn_ask() - @kind of what the slot is about; the first operation of a turn was intended when the
 * slot was, each further one when it is sent. */
static inline bool turn_ask(const struct turn *t, bool first, struct gen_op op,
	enum plan_workload workload, struct driver_result *ret)
{
	op.workload = workload;
	op.replica = t->slot->replica;
	op.t_intended_ns = first ? t->slot->t_intended_ns : 0;
	return t->ask(t->ctx, &op, ret);
}

#endif
