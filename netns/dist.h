/* SPDX-License-Identifier: MIT */
/*
 * dist.h - distributions of delays: shapes around a mean, and tables of one's own
 *
 * A shape is scaled by the link's delay and jitter: delay + jitter * x, where x is uniform in -1..1
 * or of mean 0 and standard deviation 1. A table holds delays themselves, as quantiles, and has no
 * jitter: its mean stands in link_state.delay_ns. Tables are kept in memory that child processes
 * share; they are added before the fabric that uses them is built, or at any time after (the memory
 * is mapped once, at first use), and never taken away.
 */
#ifndef NETNS_DIST_H
#define NETNS_DIST_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/err.h"

enum dist_shape {
	DIST_UNIFORM,
	DIST_NORMAL,
	DIST_PARETO,       /* as iproute2's table: shape 3 */
	DIST_PARETONORMAL, /* as iproute2's table: a quarter normal, three quarters pareto */
	DIST_TABLE         /* this and the numbers after it are tables */
};

#define DIST_TABLES_MAX 32
#define DIST_NAME_MAX 32
#define DIST_POINTS 4096 /* as many as iproute2's tables have */

/* dist_known() - is there a shape or table of this number? dist_name() - what it is called. */
bool dist_known(unsigned dist);
const char *dist_name(unsigned dist);

/* dist_find() - by name. Return: its number, or -ENOENT. */
int dist_find(const char *name);

/**
 * dist_draw_ns() - one delay
 * @u:	uniform in 0 .. 2^32 - 1
 */
uint64_t dist_draw_ns(unsigned dist, uint64_t delay_ns, uint64_t jitter_ns, uint32_t u);

/* dist_quantile_ns() - of the delay, @share in 0..1; dist_max_ns() - the largest that is drawn;
 * dist_mean_ns() - of a table. */
uint64_t dist_quantile_ns(unsigned dist, uint64_t delay_ns, uint64_t jitter_ns, double share);
uint64_t dist_max_ns(unsigned dist, uint64_t delay_ns, uint64_t jitter_ns);
uint64_t dist_mean_ns(unsigned dist);

#endif
