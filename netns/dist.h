/* SPDX-License-Identifier: MIT */
/*
 * dist.h - distributions of delays: shapes around a mean, and tables of one's own
 *
 * A shape is scaled by the link's delay and jitter: delay + jitter * x, where x is uniform in -1..1
 * or of mean 0 and standard deviation 1, and never below 0. A table holds delays themselves, as
 * quantiles, and has no jitter: its mean stands in link_state.delay_ns. A replay is a table whose
 * delays are taken in the order of its file, from its first one on for each link. Tables are kept
 * in memory that child processes share; they are added before the fabric that uses them is built,
 * or at any time after (the memory is mapped once, at first use), and never taken away.
 *
 * Made on demand, by name, are the one-way delays that were fitted to LinkedIn's and Yammer's
 * stores by Bailis et al., "Probabilistically Bounded Staleness for Practical Partial Quorums",
 * VLDB 2012, table 3: pbs-lnkd-ssd, pbs-lnkd-disk and pbs-ymmr for writes, pbs-ymmr-ars for the
 * other three messages (with LNKD-DISK those are pbs-lnkd-ssd).
 */
#ifndef NETNS_DIST_H
#define NETNS_DIST_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/err.h"

enum dist_shape {
	DIST_UNIFORM,
	DIST_NORMAL,
	DIST_PARETO,       /* iproute2's: shape 3, cut at the top, but of mean 0 and deviation 1 */
	DIST_PARETONORMAL, /* iproute2's: a quarter normal, three quarters pareto */
	DIST_TABLE         /* this and the numbers after it are tables */
};

#define DIST_TABLES_MAX 32
#define DIST_NAME_MAX 32
#define DIST_POINTS 4096       /* of a shape; as many as iproute2's tables have */
#define DIST_VALUES_MAX 65536u /* of a table */
#define DIST_FILE_MAX (4u << 20)
#define DIST_PARTS_MAX 8

/* dist_known() - is there a shape or table of this number? dist_name() - what it is called. */
bool dist_known(unsigned dist);
const char *dist_name(unsigned dist);

/* dist_scaled() - is it scaled by delay and jitter? Else it holds delays itself. */
bool dist_scaled(unsigned dist);

/* dist_find() - by name. Return: its number, or -ENOENT. */
int dist_find(const char *name);

/**
 * dist_share() - map the memory of the tables, before a fork that should see later ones
 * Return: 0, -ENOMEM.
 */
int dist_share(struct err *err);

/**
 * dist_add_table() - delays in any order, each as likely as the others; what is between two of them
 * is drawn, too
 * @name:	of letters, digits, '.', '-' and '_'; the same name with the same delays is no error
 * @values:	2 to DIST_VALUES_MAX, each at most LINK_DELAY_NS_MAX
 *
 * Return: its number, -EINVAL, -EEXIST, -ENOSPC, -ENOMEM.
 */
int dist_add_table(const char *name, const uint64_t *ns, unsigned values, struct err *err);

/* A share of a mixture: Pareto above xm_ns if there is an alpha, else exponential. */
struct dist_part {
	double weight; /* the weights of all parts are 1 in sum */
	double xm_ns;
	double alpha;
	double mean_ns;
};

/* dist_add_mixture() - @offset_ns and a delay of one of @parts. Return: as dist_add_table(). */
int dist_add_mixture(const char *name, uint64_t offset_ns, const struct dist_part *part,
	unsigned parts, struct err *err);

/**
 * dist_load_file() - a table from a text file; "replay:PATH" for one that is replayed in order
 * @path:	its name is the file's, without directory and ending, and with "replay:" if so
 *
 * Lines that begin with '#' are left out. Two formats, told apart by the first word:
 *
 *	delays		one on each line with its unit: "1.5ms", "870us"
 *	a shape		integers from -32768 to 32767 between white space, 8192 to the unit, scaled
 *			by delay and jitter: as iproute2 has them in /usr/lib/tc/NAME.dist
 *
 * Return: its number, or a negative errno with "FILE:LINE: reason" in @err (EXIT_USAGE).
 */
int dist_load_file(const char *path, struct err *err);

/**
 * dist_draw_ns() - one delay
 * @u:	uniform in 0 .. 2^32 - 1
 */
uint64_t dist_draw_ns(unsigned dist, uint64_t delay_ns, uint64_t jitter_ns, uint32_t u);

/**
 * dist_let_overtake() - of a table, from now on: frames of a link do not wait for those before them
 * So each frame has its own delay whatever else is under way, as models of messages suppose.
 */
void dist_let_overtake(unsigned dist);
bool dist_overtakes(unsigned dist);

/* dist_replays() - is it a replay? dist_nth_ns() - its delay number @n, from 0, over and over. */
bool dist_replays(unsigned dist);
uint64_t dist_nth_ns(unsigned dist, uint64_t n);

/* dist_quantile_ns() - of the delay, @share in 0..1; dist_max_ns() - the largest that is drawn;
 * dist_mean_ns() - of a table. */
uint64_t dist_quantile_ns(unsigned dist, uint64_t delay_ns, uint64_t jitter_ns, double share);
uint64_t dist_max_ns(unsigned dist, uint64_t delay_ns, uint64_t jitter_ns);
uint64_t dist_mean_ns(unsigned dist);

/**
 * dist_to_netem() - the same as TCA_NETEM_DELAY_DIST, latency and jitter for sch_netem
 * netem computes latency + jitter * table / 8192; all 16 bits are used, whatever the scale.
 * @ret_jitter_ns:	0: no table is needed
 *
 * Return: 0, -ERANGE if its jitter does not fit into netem's 31 bits (the delays span over 17 s).
 */
int dist_to_netem(unsigned dist, uint64_t delay_ns, uint64_t jitter_ns, int16_t table[DIST_POINTS],
	uint64_t *ret_latency_ns, uint64_t *ret_jitter_ns);

/* What dist_file.c read, on its way into a table. */
struct dist_values {
	bool shape; /* values are in 1 / DIST_UNIT, else nanoseconds */
	bool replay;
	unsigned count;
	int64_t value[DIST_VALUES_MAX];
};
#define DIST_UNIT_BITS 20

/* dist_add() - what all that add a table end in; sorts @values. */
int dist_add(const char *name, struct dist_values *values, struct err *err);

#endif
