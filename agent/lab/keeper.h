/* SPDX-License-Identifier: MIT */
/*
 * keeper.h - the process in a node that starts a real database there and speaks for it
 *
 * To the supervisor it is the node's replica: it has its admin socket and answers there, in RESP2:
 *
 *	INFO				role, leader, term, ready, memory
 *	PACELAB CLOCK [ns]		the wall clock as the database's processes see it; set it
 *	PACELAB LEAD			run the commands of promote; answered when they have ended
 *	PACELAB FOLLOW address name	... of follow
 *
 * It runs without root, in the node; it ends when one of the database's processes ends, and then
 * ends all others.
 */
#ifndef LAB_KEEPER_H
#define LAB_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lab/plan.h"
#include "agent/lab/real.h"
#include "agent/load/drivers/driver.h"

/* The keeper tries no longer than this to make its node the leader, or follow another. */
#define KEEPER_ORDER_WAIT_NS 30000000000ull

/**
 * struct keeper_task - what one keeper is told
 * @driver:	asked for the status of its node; NULL, or without status(): a port that accepts
 *		connections is all that is known
 * @addr_be:	of each replica of the lab
 * @dir:	data folder of this node, absolute; entered already
 * @cluster:	what {cluster} stands for
 * @admin_fd:	listening
 * @clock_library: libfaketime for the database's processes; "": their clock is the machine's
 * @skew_ns:	of the wall clock at its start
 */
struct keeper_task {
	const struct real *real;
	const struct driver_ops *driver;
	const char *name;
	const uint32_t *addr_be;
	unsigned nodes;
	unsigned self;
	const char *dir;
	const char *cluster;
	int admin_fd;
	const char *clock_library;
	int64_t skew_ns;
};

/* keeper_main() - body of the process; @ctx is a struct keeper_task. Return: exit status. */
int keeper_main(void *ctx);

/**
 * keeper_check() - is the database of @plan there, and can all be done to it that the plan does?
 * Its clock may have to be set, a node to be made the leader.
 *
 * Return: 0, or a negative errno with the cure in @err.
 */
int keeper_check(const struct plan *plan, struct err *err);

/* keeper_clock() - path of the library that sets clocks, if @real can be started with it; "" if
 * not, with the cure in @err. */
const char *keeper_clock(const struct real *real, struct err *err);

#endif
