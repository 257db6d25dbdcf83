/* SPDX-License-Identifier: MIT */
/* counter.h - one counter: bounds for each read, and a search for an order */
#ifndef CHECK_COUNTER_H
#define CHECK_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/check/check.h"
#include "agent/check/keys.h"

/* Operations pending at a time, those of unknown outcome included, that a search can follow. */
#define COUNTER_PENDING_MAX 64

struct counter_limits {
	uint64_t until_ns; /* lab time, 0: no limit */
	uint64_t bytes;    /* for the ways that are kept */
};

/* The read at fault; or the operation before whose return every order failed. */
struct counter_breach {
	uint32_t look;
	__int128 low; /* bounds of what it may show */
	__int128 high;
};

/* counter_bounds() - a read out of its bounds. Return: whether there is one. */
bool counter_bounds(
	const struct history_ops *h, const struct keys_group *g, struct counter_breach *ret);

/* counter_search() - CHECK_VIOLATION with @ret->look if no order explains the operations of @g. */
enum check_verdict counter_search(const struct history_ops *h, const struct keys_group *g,
	const struct counter_limits *limits, struct counter_breach *ret);

/* counter_shrink() - few operations of @g that no order explains become the witness of @ret. */
void counter_shrink(const struct history_ops *h, const struct keys_group *g,
	const struct counter_limits *limits, struct counter_breach *breach,
	struct check_result *ret);

#endif
