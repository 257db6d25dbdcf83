/* SPDX-License-Identifier: MIT */
/*
 * sim_load.h - a whole simulated run: clients, faults, heal, final reads, judgement
 *
 * Clients sit beside a replica each: sessions with one operation in flight, unique values, unknown
 * outcomes kept as unknown. What they and the faults do is a script (sim_script.h). At the end all
 * is healed, replicas must converge, every key is read from every replica, and the history is
 * judged by what the protocol claims. A key that was deleted must stay so.
 */
#ifndef SIM_SIM_LOAD_H
#define SIM_SIM_LOAD_H

#include "agent/sim/sim.h"

#define SIM_CLIENTS_MAX 64
#define SIM_JOBS_MAX 64

/* What of the world a run is without; a bit each. */
enum sim_without {
	SIM_WITHOUT_LOSS,
	SIM_WITHOUT_DUPLICATES,
	SIM_WITHOUT_JITTER,
	SIM_WITHOUT_DRIFT,
	SIM_WITHOUT_SNAPSHOTS,
	SIM_WITHOUT_TORN,
	SIM_WITHOUT_NR
};
extern const char *const sim_without_names[SIM_WITHOUT_NR]; /* "loss" "duplicates" ... */

/**
 * struct sim_plan - one run; sim_plan_draw() fills it from a seed, callers may change it then
 * @duration_ns:	of load and faults; healing and final reads come after
 * @think_ns:	mean pause of a client
 * @fault_ns:	mean pause of faults, 0: none
 * @fault_for_ns:	mean length of a fault, 0: as usual
 * @faults:	a bit for each kind (enum sim_act) that there may be
 * @skew_ns:	wall clocks differ by up to so much; 0: they agree
 * @drift_ppm:	monotonic clocks are wrong by up to so much
 * @pad:	values are longer by so many bytes
 * @keep:	by number in the script: whether it is done; NULL: all
 */
struct sim_plan {
	struct sim_config world;
	unsigned clients;
	unsigned keys;
	uint64_t duration_ns;
	uint64_t think_ns;
	uint64_t fault_ns;
	uint64_t fault_for_ns;
	bool cuts;
	bool crashes;
	uint32_t faults;
	uint64_t skew_ns;
	uint32_t drift_ppm;
	uint32_t pad;
	const bool *keep;
	size_t keep_count;
};

#define SIM_ACTS_MAX 24

struct sim_outcome {
	uint64_t steps;
	uint64_t messages;
	uint64_t ok;
	uint64_t failed;
	uint64_t unknown;
	uint64_t deleted; /* keys that had to stay deleted */
	uint64_t admin_ok;
	uint64_t admin_failed;
	uint64_t acts[SIM_ACTS_MAX]; /* by kind: done */
	uint64_t count[SIM_COUNT_NR];
	char violation[SIM_VIOLATION_MAX]; /* "" if there was none */
};

/* sim_outcome_add() - sums; not the violation. */
void sim_outcome_add(struct sim_outcome *sum, const struct sim_outcome *out);

/**
 * sim_plan_draw() - a plan from a seed: delays, loss, disks, faults
 * @ops:	protocol
 * @level:	for reads and for writes; what PROTO_DEFAULT requests then get
 */
void sim_plan_draw(struct sim_plan *plan, const struct proto_ops *ops, unsigned nodes,
	uint64_t seed, const enum proto_level level[2]);

/* sim_profile_draw() - what is peculiar to this seed's world; sim_plan_draw() calls it. */
void sim_profile_draw(struct sim_plan *plan);

/* sim_plan_without() - leave out what the bits of enum sim_without say. */
void sim_plan_without(struct sim_plan *plan, unsigned without);

/* sim_plan_run() - Return: 0, or 1 if there was a violation. */
int sim_plan_run(const struct sim_plan *plan, struct sim_outcome *ret);

/**
 * struct sim_seeds - many runs, one seed each
 * @name:	of the store, for the command that shows a violation again; NULL: the protocol's
 * @level:	of reads, of writes
 * @settings:	as settings_read() takes them, in place of those drawn; NULL: none
 * @nodes:	0: 3 or 5, by the seed
 * @without:	bits of enum sim_without
 * @keep:	of the script; NULL: all
 * @jobs:	processes; 0: none but this
 */
struct sim_seeds {
	const struct proto_ops *ops;
	const char *name;
	enum proto_level level[2];
	const char *settings;
	unsigned nodes;
	uint64_t first;
	uint64_t count;
	uint64_t skew_ns;
	unsigned without;
	const bool *keep;
	size_t keep_count;
	unsigned jobs;
	FILE *trace;
};

/* sim_seeds_plan() - of one seed. */
void sim_seeds_plan(const struct sim_seeds *s, uint64_t seed, struct sim_plan *ret);

/**
 * sim_seeds_run() - run them until one has a violation
 * @ret:	sums; the violation, if there was one
 * @ret_seed:	seed with the violation
 *
 * With jobs, an assertion that fails ends one process and is a violation; without, it ends this.
 *
 * Return: 0, or 1 if there was a violation; then @ret has its text and step.
 */
int sim_seeds_run(const struct sim_seeds *s, struct sim_outcome *ret, uint64_t *ret_seed);

/* sim_seeds_again() - print the command that shows a run again. */
void sim_seeds_again(const struct sim_seeds *s, uint64_t seed, FILE *out);

/**
 * sim_shrink() - leave out what a violation does not need, and print what is left
 * Return: 0, or 1 if the seed has no violation.
 */
int sim_shrink(const struct sim_seeds *s, uint64_t seed, FILE *out);

/* sim_apart() - one run in a process of its own, so that it may fail an assertion; quiet.
 * Return: 0, or 1 if there was a violation. */
int sim_apart(const struct sim_plan *plan, struct sim_outcome *ret);

#endif
