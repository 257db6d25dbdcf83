/* SPDX-License-Identifier: MIT */
/* raft_claim.c - what Raft promises at its levels, and the lowest latency that it can have */
#include <stdlib.h>

#include "store/proto/raft_internal.h"

void raft_claim(const struct proto_config *cfg, struct proto_claim *ret)
{
	bool local = cfg->read_level == PROTO_ONE;
	bool lease = cfg->read_level == PROTO_LEASE;
	/* Of the order of the log, from any replica: each session sees it go forward. */
	enum proto_model here = cfg->sessions ? PROTO_SEQUENTIAL : PROTO_EVENTUAL;
	/* A leader that was replaced while it was cut off or stopped knows it an election later. */
	enum proto_model cut = cfg->unconfirmed ? PROTO_EVENTUAL : PROTO_LINEARIZABLE;

	*ret = (struct proto_claim){
		.whole = local ? here : PROTO_LINEARIZABLE,
		.cut = local ? here : cut,
		.reads_cut = local ? PROTO_SIDES_ALL : PROTO_SIDES_MAJORITY,
		.writes_cut = PROTO_SIDES_MAJORITY,
		.does = PROTO_DOES_STRINGS,
		.cas = true,
		.needs_clocks = lease || (cfg->unconfirmed && !local),
		.sessions = local && cfg->sessions,
	};
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Until a majority of the first members has answered @leader. */
static uint64_t majority_rtt(const struct proto_floor_query *q, unsigned leader)
{
	unsigned nodes = q->cfg->nodes;
	unsigned voters = q->cfg->voters && q->cfg->voters < nodes ? q->cfg->voters : nodes;
	uint64_t rtt[PROTO_NODES_MAX];

	for (unsigned i = 0; i < voters; i++)
		rtt[i] = i == leader ? 0 : q->rtt_ns[(size_t)leader * nodes + i];
	qsort(rtt, voters, sizeof(*rtt), by_size);
	return rtt[voters / 2];
}

/*
 * To the leader, and from there to a majority: one round of appends or of heartbeats. By lease the
 * leader answers at once, at level ONE any replica does.
 */
uint64_t raft_floor_ns(const struct proto_floor_query *q)
{
	enum proto_level level = q->level ? q->level : q->cfg->read_level;
	unsigned leader = q->leader < 0 ? q->contact : (unsigned)q->leader;
	uint64_t floor = q->client_ns;

	if (!q->write && level == PROTO_ONE)
		return floor;
	if (leader != q->contact)
		floor += q->rtt_ns[(size_t)q->contact * q->cfg->nodes + leader];
	if (!q->write && ((level == PROTO_LEASE && raft_leases(q->cfg)) || q->cfg->unconfirmed))
		return floor;
	return floor + majority_rtt(q, leader);
}
