/* SPDX-License-Identifier: MIT */
/*
 * netem_leaf.h - what the emulator does to a link, as the kernel's queueing disciplines say it
 *
 *	HTB class of the source -> netem [delay, jitter, reorder, corrupt] -> tbf [rate, queue]
 *
 * The tbf is there while the link has a rate: netem by itself can limit its queue in frames only,
 * and those under way count.
 */
#ifndef NETNS_NETEM_LEAF_H
#define NETNS_NETEM_LEAF_H

#include <stdbool.h>
#include <stdint.h>

#include "netns/link_state.h"
#include "netns/nlsock.h"

#define NETEM_LEAF_LIMIT_MAX 4000000ull /* frames, some 10 GB of them */

/**
 * struct netem_leaf - where a leaf is and how it is to be put there
 * @round:	a leaf of another round replaces it, and what is under way is lost; of the same one
 *		it is changed in place, and what is under way arrives when it was due. 0 or 1.
 * @had_rate:	there is a tbf now
 * @had_table:	it has a table of delays, which nothing but another one removes
 * @seed:	of the kernel's random numbers, 0 for its own; Linux 6.6 and later heed it
 */
struct netem_leaf {
	int ifindex;
	unsigned src;
	unsigned round;
	bool had_rate;
	bool had_table;
	uint64_t seed;
};

/* netem_leaf_put() - the messages after which the link does what @state says. */
void netem_leaf_put(
	struct nlbatch *b, const struct netem_leaf *leaf, const struct link_state *state);

/* netem_leaf_root() - a netem that does nothing in place of an interface's root qdisc. */
void netem_leaf_root(struct nlbatch *b, int ifindex);

/* netem_leaf_limit() - frames that may be under way: never fewer than the link can send. */
uint32_t netem_leaf_limit(const struct link_state *state);

/**
 * netem_leaf_scale() - latency and jitter of the kernel, which go with a table if it has one
 * @table:	it has, because of its distribution or of one before
 *
 * Return: 0, or -ERANGE if they do not fit.
 */
int netem_leaf_scale(const struct link_state *state, bool table, uint64_t *ret_latency_ns,
	uint64_t *ret_jitter_ns);

/* netem_leaf_fits() - can as many full frames as its rate allows be under way and wait? */
bool netem_leaf_fits(const struct link_state *state);

/* netem_leaf_read(), netem_leaf_read_tbf() - add to @ret what a dumped netem or tbf says of itself.
 * The kernel does not say its table: with one, delay and jitter are the table's, as in
 * netem_leaf_scale(). */
void netem_leaf_read(const struct nlattr *options, struct link_state *ret);
void netem_leaf_read_tbf(const struct nlattr *options, struct link_state *ret);

/* netem_leaf_source() - of the link whose tbf has this parent, -1 if it is none. */
int netem_leaf_source(uint32_t parent);

#endif
