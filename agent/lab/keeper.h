/* SPDX-License-Identifier: MIT */
/*
 * keeper.h - the process in a node that starts a real database there and speaks for it
 *
 * To the supervisor it is the node's replica: it has its admin socket and answers INFO there (role,
 * leader, term, ready) from what the database's driver says, PACELAB SKEW and PACELAB LEAD. It runs
 * without root, in the node; it ends when one of the database's processes ends.
 */
#ifndef LAB_KEEPER_H
#define LAB_KEEPER_H

#include <stdint.h>

#include "agent/lab/real.h"

/**
 * struct keeper_task - what one keeper is told
 * @addr_be:	of each replica of the lab
 * @dir:	data folder of this node, absolute; entered already
 * @cluster:	what {cluster} stands for
 * @admin_fd:	listening
 * @skew_ns:	of the wall clock at its start
 */
struct keeper_task {
	const struct real *real;
	const uint32_t *addr_be;
	unsigned nodes;
	unsigned self;
	const char *dir;
	const char *cluster;
	int admin_fd;
	int64_t skew_ns;
};

/* keeper_main() - body of the process; @ctx is a struct keeper_task. Return: exit status. */
int keeper_main(void *ctx);

#endif
