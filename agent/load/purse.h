/* SPDX-License-Identifier: MIT */
/*
 * purse.h - a bank whose few accounts stand in one value: a transfer is one operation
 *
 * Where the store has compare-and-set, a transfer is one; else the client reads, changes and writes
 * back all of it. Either way no reader sees half of a transfer.
 */
#ifndef LOAD_PURSE_H
#define LOAD_PURSE_H

#include "agent/load/objects.h"

#define PURSE_KEY 0

/**
 * purse_do() - one transfer, or a look at all balances
 * @opens:	this client puts the first balances there
 */
void purse_do(struct objects *o, bool cas, bool opens, const struct gen_op *op,
	uint64_t deadline_ns, struct driver_result *ret);

#endif
