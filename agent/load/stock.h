/* SPDX-License-Identifier: MIT */
/*
 * stock.h - what clients do who sell what is in stock: look, and sell one if there is any
 *
 * The stock of an item is a number behind a key, and the history one of counters: the first
 * increase puts it there, each sale takes one away. Where the store has compare-and-set, a sale is
 * one by that; else the client reads, changes and writes back, as an application on such a store
 * would.
 */
#ifndef LOAD_STOCK_H
#define LOAD_STOCK_H

#include "agent/load/turn.h"

/* An all-zero one is of a client that has put nothing in stock yet. */
struct stock {
	uint64_t stocked; /* items that are this client's to stock, and are */
};

/* stock_turn() - one customer. @each: how many of an item there are. Return: false if the client
 * cannot go on. */
bool stock_turn(struct stock *s, const struct turn *t, uint64_t each);

/* stock_change() - take part of the stock away, unless there is not so much (then HISTORY_FAIL),
 * or put the first there. */
void stock_change(struct driver *d, bool cas, uint64_t key, int64_t by, uint64_t deadline_ns,
	struct driver_result *ret);

#endif
