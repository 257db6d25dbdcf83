/* SPDX-License-Identifier: MIT */
/*
 * sim_load.h - a whole simulated run: clients, faults, heal, final reads, judgement
 *
 * Clients sit beside a replica each: sessions with one operation in flight, unique values, unknown
 * outcomes kept as unknown. A nemesis cuts, crashes and heals. At the end all is healed, replicas
 * must converge, every key is read from every replica, and the history is judged by what the
 * protocol claims.
 */
#ifndef SIM_SIM_LOAD_H
#define SIM_SIM_LOAD_H

#include "agent/sim/sim.h"

#define SIM_CLIENTS_MAX 64

/* One run; sim_plan_draw() fills it from a seed, callers may change it then. */
struct sim_plan {
	struct sim_config world;
	unsigned clients;
	unsigned keys;
	uint64_t duration_ns; /* of load and faults; healing and final reads come after */
	uint64_t think_ns;    /* mean pause of a client */
	uint64_t fault_ns;    /* mean pause of the nemesis, 0: no faults */
	bool cuts;
	bool crashes;
	uint64_t skew_ns; /* wall clocks differ by up to so much; 0: they agree */
};

struct sim_outcome {
	uint64_t steps;
	uint64_t messages;
	uint64_t ok;
	uint64_t failed;
	uint64_t unknown;
	char violation[SIM_VIOLATION_MAX]; /* "" if there was none */
};

/**
 * sim_plan_draw() - a plan from a seed: delays, loss, disks, faults
 * @ops:	protocol
 * @level:	for reads and for writes; what PROTO_DEFAULT requests then get
 */
void sim_plan_draw(struct sim_plan *plan, const struct proto_ops *ops, unsigned nodes,
	uint64_t seed, const enum proto_level level[2]);

/* sim_plan_run() - Return: 0, or 1 if there was a violation. */
int sim_plan_run(const struct sim_plan *plan, struct sim_outcome *ret);

/* Many runs, one seed each. */
struct sim_seeds {
	const struct proto_ops *ops;
	enum proto_level level[2]; /* of reads, of writes */
	unsigned nodes;            /* 0: 3 or 5, by the seed */
	uint64_t first;
	uint64_t count;
	uint64_t skew_ns;
	FILE *trace;
};

/**
 * sim_seeds_run() - run them until one has a violation
 * @ret:	sums; the violation, if there was one
 * @ret_seed:	seed with the violation
 *
 * Return: 0, or 1 if there was a violation.
 */
int sim_seeds_run(const struct sim_seeds *s, struct sim_outcome *ret, uint64_t *ret_seed);

/* sim_announce() - if an assertion of a replica fails, say on stderr how to see that again. */
void sim_announce(const struct sim_plan *plan);

#endif
