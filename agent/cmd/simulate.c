/* SPDX-License-Identifier: MIT */
/*
 * simulate.c - pacelab simulate: many seeded runs of one store in virtual time
 *
 * Prints what was run and how fast; on a violation, what it was and how to see it again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/base/units.h"
#include "agent/cmd/cmd.h"
#include "agent/sim/sim_load.h"
#include "store/systems.h"

enum {
	OPT_STORE,
	OPT_SEEDS,
	OPT_FIRST,
	OPT_SEED,
	OPT_NODES,
	OPT_READ_LEVEL,
	OPT_WRITE_LEVEL,
	OPT_SKEW,
	OPT_TRACE
};

#define SEEDS_USUAL 100

static const struct cmd_option options[] = {
	[OPT_STORE] = {"--store", "NAME", "the store to run (raft)"},
	[OPT_SEEDS] = {"--seeds", "N", "so many runs, a seed each (100)"},
	[OPT_FIRST] = {"--first", "N", "the first seed (1)"},
	[OPT_SEED] = {"--seed", "N", "one run, with this seed"},
	[OPT_NODES] = {"--nodes", "N", "replicas (3 or 5, by the seed)"},
	[OPT_READ_LEVEL] = {"--read-level", "LEVEL", "of all reads (the store's)"},
	[OPT_WRITE_LEVEL] = {"--write-level", "LEVEL", "of all writes (the store's)"},
	[OPT_SKEW] = {"--skew", "TIME", "wall clocks differ by up to so much (0)"},
	[OPT_TRACE] = {"--trace", NULL, "print every event"},
	{NULL, NULL, NULL},
};

static int parse_level(const char *option, const char *text, enum proto_level *ret, struct err *err)
{
	if (!text)
		return 0;
	for (unsigned i = PROTO_ONE; i < PROTO_LEVEL_NR; i++) {
		if (strcmp(text, proto_level_names[i]) != 0)
			continue;
		*ret = (enum proto_level)i;
		return 0;
	}
	return err_usage(err,
		"%s: there is no level '%s'; known: one, two, three, quorum, all, "
		"lease",
		option, text);
}

static int parse_count(
	const struct cmd_line *line, unsigned option, uint64_t max, uint64_t *ret, struct err *err)
{
	const char *text = line->value[option];

	if (text && units_parse_count(
			    text, option == OPT_FIRST || option == OPT_SEED ? 0 : 1, max, ret, err))
		return err_wrap(err, "%s", options[option].name);
	return 0;
}

static int parse(const struct cmd_line *line, struct sim_seeds *s, struct err *err)
{
	const char *name = line->value[OPT_STORE] ? line->value[OPT_STORE] : "raft";
	const struct system *system = system_find(name);
	const char *skew = line->value[OPT_SKEW];
	uint64_t nodes = 0;

	if (!system)
		return err_usage(
			err, "there is no store '%s'; 'pacelab list stores' has them", name);
	*s = (struct sim_seeds){
		.ops = system->ops,
		.level = {system->read_level, system->write_level},
		.first = 1,
		.count = SEEDS_USUAL,
		.trace = line->value[OPT_TRACE] ? stdout : NULL,
	};
	if (parse_level("--read-level", line->value[OPT_READ_LEVEL], &s->level[0], err) ||
		parse_level("--write-level", line->value[OPT_WRITE_LEVEL], &s->level[1], err) ||
		parse_count(line, OPT_SEEDS, UINT32_MAX, &s->count, err) ||
		parse_count(line, OPT_FIRST, UINT32_MAX, &s->first, err) ||
		parse_count(line, OPT_NODES, PROTO_NODES_MAX, &nodes, err) ||
		parse_count(line, OPT_SEED, UINT32_MAX, &s->first, err))
		return err->code;
	if (line->value[OPT_SEED])
		s->count = 1;
	s->nodes = (unsigned)nodes;
	if (skew && units_parse_duration(skew, &s->skew_ns, err))
		return err_wrap(err, "--skew");
	return 0;
}

static void print_violation(const struct sim_seeds *s, uint64_t seed, const struct sim_outcome *out)
{
	printf("%s seed %" PRIu64 " step %" PRIu64 ": %s\n", s->ops->name, seed, out->steps,
		out->violation);
	printf("again: pacelab simulate --store %s --seed %" PRIu64
	       " --read-level %s --write-level %s",
		s->ops->name, seed, proto_level_names[s->level[0]], proto_level_names[s->level[1]]);
	if (s->nodes)
		printf(" --nodes %u", s->nodes);
	if (s->skew_ns)
		printf(" --skew %" PRIu64 "ns", s->skew_ns);
	printf(" --trace\n");
}

static int simulate_main(const struct cmd_line *line, struct err *err)
{
	struct sim_seeds s;
	struct sim_outcome sum;
	uint64_t seed = 0;
	double cpu_s;

	if (parse(line, &s, err))
		return err->status;
	if (sim_seeds_run(&s, &sum, &seed)) {
		print_violation(&s, seed, &sum);
		return EXIT_VIOLATED;
	}
	cpu_s = (double)clock() / CLOCKS_PER_SEC;
	printf("%s: %" PRIu64 " seeds without a violation\n", s.ops->name, s.count);
	printf("  %" PRIu64 " steps, %" PRIu64 " messages, %.0f messages/s of CPU on one core\n",
		sum.steps, sum.messages, (double)sum.messages / cpu_s);
	printf("  operations: %" PRIu64 " ok, %" PRIu64 " refused, %" PRIu64 " unknown\n", sum.ok,
		sum.failed, sum.unknown);
	return EXIT_AS_EXPECTED;
}

const struct cmd simulate_cmd = {
	.name = "simulate",
	.args = "",
	.summary = "run a store in virtual time, with faults, by seeds",
	.help = "The replicas are those of `pacelab run`, on a simulated network with simulated disks and\n"
		"clocks. After every event the invariants of the protocol are checked, at the end what\n"
		"its clients saw. Needs no privileges. The same seed gives the same run.\n"
		"Exit status 1: there was a violation; seed, step and how to see it again are printed.\n",
	.args_min = 0,
	.args_max = 0,
	.option = options,
	.main = simulate_main,
};
