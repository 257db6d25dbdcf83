/* SPDX-License-Identifier: MIT */
/*
 * sim_profile.c - what is peculiar to a seed's world
 *
 * Groce, Zhang, Eide, Chen and Regehr, "Swarm Testing", ISSTA 2012: many tests that each leave much
 * out, and have much of the rest, find more than many that have a little of everything. So each
 * seed draws some of these, independently; the plain world of before has none of them.
 *
 * Draws come from a generator of their own: what else a seed draws does not depend on them.
 */
#include <string.h>

#include "agent/sim/sim_script.h"

#define LARGE 100 /* replicas: the world of so many is as it is */

static bool one_in(struct prng *prng, unsigned n)
{
	return prng_below(prng, n) == 0;
}

static uint64_t between(struct prng *prng, uint64_t low, uint64_t high)
{
	return low + prng_below(prng, high - low + 1);
}

/* Only faults of the kinds in @mask, one each @mean_ns. */
static void faults(struct sim_plan *plan, uint32_t mask, uint64_t mean_ns)
{
	plan->faults = mask;
	plan->cuts = true;
	plan->crashes = true;
	/* The script draws any kind, and drops what may not be. */
	plan->fault_ns = mean_ns * (unsigned)__builtin_popcount(mask) / (SIM_ACT_NR - SIM_ACT_OPS);
}

/* Time-outs near what a message and a disk take: candidates meet, leaders fall without a fault. */
static void hasty(struct sim_plan *plan, struct prng *prng)
{
	struct proto_config *cfg = &plan->world.proto;
	uint64_t trip_ns = 2 * plan->world.delay_ns + 2 * plan->world.persist_ns_max;

	cfg->election_min_ns = between(prng, 2, 8) * trip_ns;
	cfg->election_max_ns =
		cfg->election_min_ns + cfg->election_min_ns / (one_in(prng, 2) ? 8 : 1);
	cfg->heartbeat_ns = cfg->election_min_ns / between(prng, 2, 6);
	plan->duration_ns = 4 * NS_PER_S;
	plan->fault_ns /= 2;
	plan->fault_for_ns = 5 * cfg->election_min_ns;
}

static void many_duplicates(struct sim_plan *plan, struct prng *prng)
{
	static const uint64_t later_ms[] = {1, 20, 200, 2000};

	plan->world.duplicate_ppm = (uint32_t)between(prng, 100000, 500000);
	plan->world.duplicate_ns = later_ms[prng_below(prng, 4)] * NS_PER_MS;
}

/* Down for a moment, soon again, mostly the same few. */
static void crash_often(struct sim_plan *plan, struct prng *prng)
{
	uint32_t mask = 1u << SIM_ACT_CRASH;

	if (one_in(prng, 2))
		mask |= 1u << SIM_ACT_CRASH_ALL;
	if (one_in(prng, 2))
		mask |= 1u << SIM_ACT_NODE | 1u << SIM_ACT_HALVES;
	if (one_in(prng, 4))
		mask |= 1u << SIM_ACT_SLOW;
	faults(plan, mask, between(prng, 60, 300) * NS_PER_MS);
	plan->fault_for_ns = between(prng, 1, 100) * NS_PER_MS;
}

/* One that is away often, and gets copies instead of entries. */
static void snapshot_often(struct sim_plan *plan, struct prng *prng)
{
	plan->world.snapshot_ns = between(prng, 5, 60) * NS_PER_MS;
	plan->world.proto.log_keep_kib = 1;
	plan->think_ns = between(prng, 5, 15) * NS_PER_MS;
}

static void change_often(struct sim_plan *plan, struct prng *prng)
{
	uint32_t mask = 1u << SIM_ACT_REMOVE | 1u << SIM_ACT_HALVES;

	if (one_in(prng, 2))
		mask |= 1u << SIM_ACT_CRASH | 1u << SIM_ACT_TRANSFER;
	faults(plan, mask, between(prng, 60, 250) * NS_PER_MS);
}

/* Figure 8 of the paper: leaders that come and go with entries that few have. */
static void depose_often(struct sim_plan *plan, struct prng *prng)
{
	uint32_t mask = 1u << SIM_ACT_COUP;

	if (one_in(prng, 2))
		mask |= 1u << SIM_ACT_HALVES;
	if (one_in(prng, 2))
		mask |= 1u << SIM_ACT_CRASH;
	faults(plan, mask, between(prng, 30, 200) * NS_PER_MS);
	plan->fault_for_ns = between(prng, 50, 400) * NS_PER_MS;
}

/*
 * A log has no use for clocks but for leases, which bear RAFT_DRIFT_PPM between any two. Time-outs
 * are nearly alike, so that clocks decide; were they quite alike, replicas that restart at once
 * with clocks that run alike could stand for election at once for ever.
 */
static void drift(struct sim_plan *plan, struct prng *prng)
{
	bool lease = plan->world.proto.read_level == PROTO_LEASE || plan->world.proto.leases;

	plan->drift_ppm = (uint32_t)between(prng, 1000, lease ? 45000 : 300000);
	plan->world.proto.election_max_ns =
		plan->world.proto.election_min_ns + plan->world.proto.election_min_ns / 8;
	plan->world.proto.heartbeat_ns = plan->world.proto.election_min_ns / 3;
}

static void draw_log(struct sim_plan *plan, struct prng *prng)
{
	struct proto_config *cfg = &plan->world.proto;

	if (one_in(prng, 3))
		hasty(plan, prng);
	if (one_in(prng, 4))
		cfg->batch_entries = (unsigned)between(prng, 1, 3);
	if (one_in(prng, 5))
		drift(plan, prng);
	if (one_in(prng, 5))
		change_often(plan, prng);
	else if (one_in(prng, 4))
		depose_often(plan, prng);
}

static void draw_versions(struct sim_plan *plan, struct prng *prng)
{
	struct proto_config *cfg = &plan->world.proto;

	if (one_in(prng, 2))
		cfg->tombstone_ns = between(prng, 20, 500) * NS_PER_MS;
	if (one_in(prng, 3)) {
		cfg->request_timeout_ns = between(prng, 40, 200) * NS_PER_MS;
		cfg->heartbeat_ns = between(prng, 10, 50) * NS_PER_MS;
	}
	if (cfg->anti_entropy_ns && one_in(prng, 3))
		cfg->hint_ns_max = 1;
	if (one_in(prng, 12))
		plan->world.grain_ns = between(prng, 1, 50) * NS_PER_MS;
}

/* All roles, intervals that pass many times in a run, and a journal that is often too short. */
static void draw_zone(struct sim_plan *plan, struct prng *prng)
{
	struct proto_config *cfg = &plan->world.proto;

	cfg->secondaries = (unsigned)prng_below(prng, cfg->nodes < 4 ? cfg->nodes : 4);
	cfg->notify = !one_in(prng, 3);
	cfg->refresh_ns = between(prng, 20, 500) * NS_PER_MS;
	cfg->retry_ns = between(prng, 20, 200) * NS_PER_MS;
	/* RFC 1912, 2.2: longer than refresh; and than the way there and back. */
	if (!one_in(prng, 4))
		cfg->expire_ns =
			cfg->refresh_ns + cfg->retry_ns + between(prng, 200, 1000) * NS_PER_MS;
	cfg->ttl_ns = one_in(prng, 8) ? 0 : between(prng, 10, 500) * NS_PER_MS;
	cfg->negative_ttl_ns = one_in(prng, 8) ? 0 : between(prng, 10, 300) * NS_PER_MS;
	cfg->serve_stale_ns = one_in(prng, 2) ? 0 : between(prng, 50, 1000) * NS_PER_MS;
	cfg->journal_kib = one_in(prng, 2) ? 1 : 0;
}

/*
 * Settings of one protocol, drawn for every seed: a row and a function for each that has some. What
 * --set says, or the system, comes after it.
 */
static const struct {
	const char *proto;
	void (*draw)(struct sim_plan *plan, struct prng *prng);
} settings[] = {
	{"zone", draw_zone},
};

static void draw_settings(struct sim_plan *plan)
{
	struct prng prng;

	prng_init(&prng, plan->world.seed, UINT64_MAX - 2);
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		if (strcmp(settings[i].proto, plan->world.ops->name) == 0)
			settings[i].draw(plan, &prng);
}

void sim_profile_draw(struct sim_plan *plan)
{
	const struct proto_ops *ops = plan->world.ops;
	struct prng prng;

	draw_settings(plan);
	prng_init(&prng, plan->world.seed, UINT64_MAX - 1);
	if (plan->world.proto.nodes >= LARGE || ops->forks || one_in(&prng, 4))
		return;
	if (one_in(&prng, 4))
		many_duplicates(plan, &prng);
	if (one_in(&prng, 5))
		crash_often(plan, &prng);
	if (one_in(&prng, 6))
		snapshot_often(plan, &prng);
	if (one_in(&prng, 6))
		plan->world.slow_disk = 1 + (unsigned)prng_below(&prng, plan->world.proto.nodes);
	if (ops->vote)
		draw_log(plan, &prng);
	if (ops == &quorum_ops || ops == &causal_ops)
		draw_versions(plan, &prng);
}
