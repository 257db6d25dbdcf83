/* SPDX-License-Identifier: MIT */
/*
 * watchers.h - what the replicas say of themselves: ready, leader, converged
 *
 * Each replica is asked INFO over its admin socket every WATCH_INTERVAL_NS, and PACELAB VERSIONS
 * while convergence is watched. The lab's own network is not touched by it.
 */
#ifndef LAB_WATCHERS_H
#define LAB_WATCHERS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lab/names.h"
#include "agent/lab/poller.h"
#include "store/proto.h"

#define WATCH_INTERVAL_NS 20000000ull

/* What a replica answered last. */
struct watch_view {
	uint64_t t_ns; /* 0: never answered since it was started */
	bool ready;
	int leader; /* as it believes; -1: none */
	uint64_t term;
	char role[24];
	uint64_t committed;
	uint64_t applied;
	uint64_t keys;
	uint64_t recovered; /* records that it found in its log at its start */
	uint64_t lost;      /* of its writes, by failovers to others */
	uint64_t memory;    /* bytes of all processes of a real database; 0: it did not say */
};

struct watchers;

/* watchers_open() - @path: admin socket of each of the @replicas; borrowed. */
struct watchers *watchers_open(
	struct poller *poller, char (*path)[NAMES_PATH_MAX], unsigned replicas);
void watchers_close(struct watchers *w);

/* watchers_replica() - the process runs, or does not (then nobody waits for its answers). */
void watchers_replica(struct watchers *w, unsigned replica, bool runs);

/* watchers_no_copy() - the replica need not become like the others. */
void watchers_no_copy(struct watchers *w, unsigned replica);

/* watchers_tick() - ask who is due. Return: when it wants to be called again. */
uint64_t watchers_tick(struct watchers *w, uint64_t now_ns);

const struct watch_view *watchers_view(const struct watchers *w, unsigned replica);

/* watchers_real() - these are nodes of a real database: who says that it leads is the leader, and
 * what they have cannot be listed, so nothing converges. */
void watchers_real(struct watchers *w);

/* watchers_leader() - whom more than half of all replicas take for the leader; -1: nobody. */
int watchers_leader(const struct watchers *w, uint64_t *ret_term);

/* watchers_memory() - the most that a node's processes ever had. */
uint64_t watchers_memory(const struct watchers *w, unsigned replica);

/* watchers_on_leader() - call @changed whenever that changes. */
void watchers_on_leader(struct watchers *w,
	void (*changed)(void *ctx, uint64_t t_ns, int leader, uint64_t term), void *ctx);

/* watchers_unready() - first running replica that is not ready yet, -1: all are. */
int watchers_unready(const struct watchers *w);

/**
 * watchers_converge() - begin to watch: what all replicas together have now, each shall have; but
 * for what one of them then says that a failover has lost
 * watchers_converged_ns() tells when that was first seen, 0: not yet. A replica with more keys
 * than it can list, or a silent one, leaves it at 0. watchers_converge_stop() ends the watch.
 */
void watchers_converge(struct watchers *w);
uint64_t watchers_converged_ns(const struct watchers *w);
void watchers_converge_stop(struct watchers *w);

#endif
