/* SPDX-License-Identifier: MIT */
/*
 * simulate.c - pacelab simulate: many seeded runs of one store in virtual time
 *
 * Prints what was run and how fast; on a violation, what it was and how to see it again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/base/units.h"
#include "agent/cmd/cmd.h"
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
	OPT_TRACE
};

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

	if (!system)
		return err_usage(
			err, "there is no store '%s'; 'pacelab list stores' has them", name);
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

static int simulate_main(const struct cmd_line *line, struct err *err)
{
	struct sim_seeds s;
	struct sim_outcome sum;
	uint64_t seed = 0;
	bool *keep = NULL;
	int rc;

	if (parse(line, &s, err) || parse_keep(line->value[OPT_KEEP], &s, &keep, err)) {
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
