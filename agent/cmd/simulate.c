/* SPDX-License-Identifier: MIT */
/*
 * simulate.c - pacelab simulate: a lab in virtual time, or many seeded runs of one store
 *
 * Of runs by seeds it prints what was run and how fast; on a violation, what it was and how to see
 * it again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/base/units.h"
#include "agent/cmd/cmd.h"
#include "agent/cmd/simulation.h"
#include "agent/lab/stores.h"
#include "agent/sim/sim_script.h"
#include "store/settings.h"
#include "store/systems.h"

enum {
	OPT_STORE,
	OPT_SEEDS,
	OPT_FIRST,
	OPT_SEED,
	OPT_NODES,
	OPT_READ_LEVEL,
	OPT_WRITE_LEVEL,
	OPT_SET,
	OPT_SKEW,
	OPT_JOBS,
	OPT_KEEP,
	OPT_WITHOUT,
	OPT_SHRINK,
	OPT_TRACE,
	OPT_LEADER,
	OPT_RATE,
	OPT_TIME_SCALE,
	OPT_WARMUP,
	OPT_RESULTS,
	OPT_JSON,
	OPT_PLAN,
	OPT_COSTS
};

/* What only one of the two can do: run a lab, or a store by seeds. */
static const unsigned of_labs[] = {OPT_LEADER, OPT_RATE, OPT_TIME_SCALE, OPT_WARMUP, OPT_RESULTS,
	OPT_JSON, OPT_PLAN, OPT_COSTS};
static const unsigned of_seeds[] = {OPT_SEEDS, OPT_FIRST, OPT_NODES, OPT_READ_LEVEL,
	OPT_WRITE_LEVEL, OPT_SKEW, OPT_JOBS, OPT_KEEP, OPT_WITHOUT, OPT_SHRINK, OPT_TRACE};

#define SEEDS_USUAL 100
#define KEEP_MAX (1u << 20)

static const struct cmd_option options[] = {
	[OPT_STORE] = {"--store", "NAME", "the store to run (raft)"},
	[OPT_SEEDS] = {"--seeds", "N", "so many runs, a seed each (100)"},
	[OPT_FIRST] = {"--first", "N", "the first seed (1)"},
	[OPT_SEED] = {"--seed", "N", "one run, with this seed"},
	[OPT_NODES] = {"--nodes", "N", "replicas (3 or 5, by the seed)"},
	[OPT_READ_LEVEL] = {"--read-level", "LEVEL", "of all reads (the store's)"},
	[OPT_WRITE_LEVEL] = {"--write-level", "LEVEL", "of all writes (the store's)"},
	[OPT_SET] = {"--set", "SETTINGS",
		"of all runs: 'sloppy=yes tombstones=1s' (the store's, or drawn)"},
	[OPT_SKEW] = {"--skew", "TIME", "wall clocks differ by up to so much (0)"},
	[OPT_JOBS] = {"--jobs", "N", "so many processes (this one alone)"},
	[OPT_KEEP] = {"--keep", "NUMBERS", "of the seed's operations and faults only these: 3,7-9"},
	[OPT_WITHOUT] = {"--without", "WHAT",
		"loss, duplicates, jitter, drift, snapshots, torn: several with commas"},
	[OPT_SHRINK] = {"--shrink", NULL, "of a violation, show what it needs"},
	[OPT_TRACE] = {"--trace", NULL, "print every event"},
	[OPT_LEADER] = {"--leader", "NODE", "of a lab, as those that follow: who shall lead first"},
	[OPT_RATE] = {"--rate", "N", "operations per second, all clients together"},
	[OPT_TIME_SCALE] = {"--time-scale", "X", "0.5: every phase takes half as long"},
	[OPT_WARMUP] = {"--warmup", "TIME", "before all phases, left out of all figures"},
	[OPT_RESULTS] = {"--results", "DIR", "folder for everything that is kept"},
	[OPT_JSON] = {"--json", NULL, "print results.json on standard output, all else on error"},
	[OPT_PLAN] = {"--plan", NULL, "print the expanded plan and do nothing"},
	[OPT_COSTS] = {"--costs", "TIMES",
		"what a machine adds: 'hop=55us wire=20us disk=450us wake=40us'"},
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

/* Numbers of a script: "3,7-9". */
static int parse_keep(const char *text, struct sim_seeds *s, bool **ret, struct err *err)
{
	bool *keep;

	if (!text)
		return 0;
	keep = calloc(KEEP_MAX, sizeof(*keep));
	if (!keep)
		return err_sys(err, -ENOMEM, "--keep");
	*ret = keep;
	for (const char *p = text; *p; p++) {
		char *end;
		unsigned long from = strtoul(p, &end, 10), to = from;

		if (*end == '-')
			to = strtoul(end + 1, &end, 10);
		if ((*end && *end != ',') || *p < '0' || *p > '9' || to < from || to >= KEEP_MAX)
			return err_usage(
				err, "--keep: '%s' is not a list of numbers like 3,7-9", text);
		for (unsigned long i = from; i <= to; i++)
			keep[i] = true;
		p = end;
		if (!*p)
			break;
	}
	s->keep = keep;
	s->keep_count = KEEP_MAX;
	return 0;
}

static int parse_without(const char *text, unsigned *ret, struct err *err)
{
	while (text && *text) {
		size_t len = strcspn(text, ",");
		unsigned i = 0;

		while (i < SIM_WITHOUT_NR && (strlen(sim_without_names[i]) != len ||
						     strncmp(sim_without_names[i], text, len) != 0))
			i++;
		if (i == SIM_WITHOUT_NR)
			return err_usage(err,
				"--without: '%.*s' is none of loss, duplicates, "
				"jitter, drift, snapshots, torn",
				(int)len, text);
		*ret |= 1u << i;
		text += len + (text[len] == ',');
	}
	return 0;
}

static int parse(const struct cmd_line *line, struct sim_seeds *s, struct err *err)
{
	const char *name = line->value[OPT_STORE] ? line->value[OPT_STORE] : "raft";
	const struct system *system = system_find(name);
	const char *skew = line->value[OPT_SKEW];
	struct proto_config unused = {0};
	uint64_t nodes = 0, jobs = 0;

	if (!system && stores_find(name, err))
		return err_usage(err,
			"--store: %s is a real database: 'pacelab run LAB --store %s' runs it on real packets",
			name, name);
	if (!system)
		return err_wrap(err, "--store");
	*s = (struct sim_seeds){
		.ops = system->ops,
		.name = system->name,
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
		parse_count(line, OPT_JOBS, SIM_JOBS_MAX, &jobs, err) ||
		parse_without(line->value[OPT_WITHOUT], &s->without, err) ||
		parse_count(line, OPT_SEED, UINT32_MAX, &s->first, err))
		return err->code;
	if (line->value[OPT_SEED])
		s->count = 1;
	s->settings = line->value[OPT_SET] ? line->value[OPT_SET] : system->settings;
	if (s->settings && settings_read(&unused, s->ops, s->settings, err))
		return err_wrap(err, "--set");
	s->nodes = (unsigned)nodes;
	s->jobs = (unsigned)jobs;
	if (skew && units_parse_duration(skew, &s->skew_ns, err))
		return err_wrap(err, "--skew");
	return 0;
}

static void print_counts(const struct sim_outcome *sum)
{
	const char *sep = "  faults: ";

	for (unsigned i = SIM_ACT_OPS; i < SIM_ACT_NR; i++) {
		if (!sum->acts[i])
			continue;
		printf("%s%s %" PRIu64, sep, sim_act_names[i], sum->acts[i]);
		sep = ", ";
	}
	sep = *sep == ',' ? "\n  world: " : "  world: ";
	for (unsigned i = 0; i < SIM_COUNT_NR; i++) {
		if (!sum->count[i])
			continue;
		printf("%s%s %" PRIu64, sep, sim_count_names[i], sum->count[i]);
		sep = ", ";
	}
	printf("\n");
}

static double cpu_s(void)
{
	struct rusage self, children;

	(void)getrusage(RUSAGE_SELF, &self);
	(void)getrusage(RUSAGE_CHILDREN, &children);
	return (double)(self.ru_utime.tv_sec + self.ru_stime.tv_sec + children.ru_utime.tv_sec +
			children.ru_stime.tv_sec) +
	       (double)(self.ru_utime.tv_usec + self.ru_stime.tv_usec + children.ru_utime.tv_usec +
			children.ru_stime.tv_usec) /
		       1e6;
}

static void print_sum(const struct sim_seeds *s, const struct sim_outcome *sum)
{
	printf("%s: %" PRIu64 " seeds without a violation\n", s->name, s->count);
	printf("  %" PRIu64 " steps, %" PRIu64 " messages, %.0f messages/s of CPU on one core\n",
		sum->steps, sum->messages, (double)sum->messages / cpu_s());
	printf("  operations: %" PRIu64 " ok, %" PRIu64 " refused, %" PRIu64 " unknown, %" PRIu64
	       " deletions",
		sum->ok, sum->failed, sum->unknown, sum->deleted);
	if (sum->admin_ok || sum->admin_failed)
		printf("; operators: %" PRIu64 " ok, %" PRIu64 " refused", sum->admin_ok,
			sum->admin_failed);
	printf("\n");
	print_counts(sum);
}

static int refuse_options(const struct cmd_line *line, const unsigned *option, size_t n,
	const char *why, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (line->value[option[i]])
			return err_usage(err, "%s %s", options[option[i]].name, why);
	return 0;
}

static int simulate_lab(const struct cmd_line *line, struct err *err)
{
	const char *const *v = line->value;
	const struct plan_options wish = {.store = v[OPT_STORE],
		.set = v[OPT_SET],
		.leader = v[OPT_LEADER],
		.seed = v[OPT_SEED],
		.rate = v[OPT_RATE],
		.time_scale = v[OPT_TIME_SCALE],
		.warmup = v[OPT_WARMUP]};
	struct lab_costs costs = lab_costs_usual;
	struct simulation *s;
	struct plan *plan;
	int status;

	if (refuse_options(line, of_seeds, sizeof of_seeds / sizeof *of_seeds,
		    "is of a simulation by seeds: leave out the lab, or the option", err) ||
		(v[OPT_COSTS] && lab_costs_parse(&costs, v[OPT_COSTS], err)))
		return EXIT_USAGE;
	if (v[OPT_PLAN]) {
		if (plan_load(&plan, line->arg[0], &wish, err))
			return EXIT_USAGE;
		plan_print(plan, stdout);
		plan_free(plan);
		return 0;
	}
	if (simulation_run(&s, line->arg[0], &wish, &costs, v[OPT_RESULTS], err))
		return (int)err->status;
	simulation_print(s, v[OPT_JSON] != NULL);
	status = (int)simulation_results(s)->status;
	simulation_free(s);
	return status;
}

static int simulate_seeds(const struct cmd_line *line, struct err *err)
{
	struct sim_seeds s;
	struct sim_outcome sum;
	uint64_t seed = 0;
	bool *keep = NULL;
	int rc;

	if (refuse_options(line, of_labs, sizeof of_labs / sizeof *of_labs,
		    "is of a lab: name one, or leave the option out", err) ||
		parse(line, &s, err) || parse_keep(line->value[OPT_KEEP], &s, &keep, err)) {
		free(keep);
		return err->status;
	}
	rc = sim_seeds_run(&s, &sum, &seed);
	if (rc == 0) {
		print_sum(&s, &sum);
	} else {
		printf("%s seed %" PRIu64 " step %" PRIu64 ": %s\n", s.name, seed, sum.steps,
			sum.violation);
		sim_seeds_again(&s, seed, stdout);
		if (line->value[OPT_SHRINK])
			sim_shrink(&s, seed, stdout);
	}
	free(keep);
	return rc ? EXIT_VIOLATED : EXIT_AS_EXPECTED;
}

static int simulate_main(const struct cmd_line *line, struct err *err)
{
	return line->args ? simulate_lab(line, err) : simulate_seeds(line, err);
}

const struct cmd simulate_cmd = {
	.name = "simulate",
	.args = "[LAB]",
	.summary = "run a lab, or a store by seeds, in virtual time",
	.help = "With a LAB: its script as `pacelab run` has it, with the same clients and the same protocols,\n"
		"on simulated links; the same files and the same verdict, marked as simulated. What of the\n"
		"lab cannot be simulated is refused. Exit status: as of run.\n"
		"\n"
		"Without: the store alone, with faults that are drawn, once for each seed.\n"
		"The replicas are those of `pacelab run`, on a simulated network with simulated disks and\n"
		"clocks. After every event the invariants of the protocol are checked, at the end what\n"
		"its clients saw. Needs no privileges. The same seed gives the same run.\n"
		"Exit status 1: there was a violation; seed, step and how to see it again are printed.\n",
	.args_min = 0,
	.args_max = 1,
	.option = options,
	.main = simulate_main,
};
