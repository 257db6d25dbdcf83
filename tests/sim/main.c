/* SPDX-License-Identifier: MIT */
/*
 * main.c - sim: many seeded runs of one protocol in virtual time
 *
 * Prints what was run and how fast; on a violation, what it was and how to see it again.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/units.h"
#include "tests/sim/sim_load.h"

static int usage(void)
{
	fputs("usage: sim --proto raft|quorum|single [--nodes N] [--read-level one|quorum|all]\n"
	      "           [--write-level one|quorum|all] [--first N] [--seeds N] [--skew 10ms]\n"
	      "       sim --proto P --seed N [--trace]\n",
		stderr);
	return EXIT_USAGE;
}

static bool parse_level(const char *text, enum proto_level *ret)
{
	for (unsigned i = PROTO_ONE; i < PROTO_LEVEL_NR; i++) {
		if (strcmp(text, proto_level_names[i]) != 0)
			continue;
		*ret = (enum proto_level)i;
		return true;
	}
	return false;
}

static bool parse_option(int c, const char *arg, struct sim_seeds *o)
{
	struct err err;
	uint64_t n = 0;

	switch (c) {
	case 'p':
		o->ops = proto_find(arg);
		return o->ops;
	case 'r':
		return parse_level(arg, &o->level[0]);
	case 'w':
		return parse_level(arg, &o->level[1]);
	case 'n':
		if (units_parse_count(arg, 1, PROTO_NODES_MAX, &n, &err))
			return false;
		o->nodes = (unsigned)n;
		return true;
	case 's':
		o->count = 1;
		return !units_parse_count(arg, 0, UINT32_MAX, &o->first, &err);
	case 'f':
		return !units_parse_count(arg, 0, UINT32_MAX, &o->first, &err);
	case 'S':
		return !units_parse_count(arg, 1, UINT32_MAX, &o->count, &err);
	case 'k':
		return !units_parse_duration(arg, &o->skew_ns, &err);
	case 't':
		o->trace = stdout;
		return true;
	default:
		return false;
	}
}

static bool parse(int argc, char **argv, struct sim_seeds *o)
{
	static const struct option longs[] = {
		{"proto", required_argument, NULL, 'p'},
		{"read-level", required_argument, NULL, 'r'},
		{"write-level", required_argument, NULL, 'w'},
		{"nodes", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 's'},
		{"first", required_argument, NULL, 'f'},
		{"seeds", required_argument, NULL, 'S'},
		{"skew", required_argument, NULL, 'k'},
		{"trace", no_argument, NULL, 't'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0)
		if (!parse_option(c, optarg, o))
			return false;
	return o->ops && optind == argc;
}

static void print_violation(const struct sim_seeds *o, uint64_t seed, const struct sim_outcome *out)
{
	printf("%s seed %" PRIu64 " step %" PRIu64 ": %s\n", o->ops->name, seed, out->steps,
		out->violation);
	printf("again: sim --proto %s --seed %" PRIu64 " --read-level %s --write-level %s",
		o->ops->name, seed, proto_level_names[o->level[0]], proto_level_names[o->level[1]]);
	if (o->nodes)
		printf(" --nodes %u", o->nodes);
	if (o->skew_ns)
		printf(" --skew %" PRIu64 "ns", o->skew_ns);
	printf(" --trace\n");
}

int main(int argc, char **argv)
{
	struct sim_seeds o = {.level = {PROTO_QUORUM, PROTO_QUORUM}, .count = 100, .first = 1};
	struct sim_outcome sum;
	uint64_t seed = 0;
	double cpu_s;

	if (!parse(argc, argv, &o))
		return usage();
	if (sim_seeds_run(&o, &sum, &seed)) {
		print_violation(&o, seed, &sum);
		return EXIT_VIOLATED;
	}
	cpu_s = (double)clock() / CLOCKS_PER_SEC;
	printf("%s: %" PRIu64 " seeds without a violation\n", o.ops->name, o.count);
	printf("  %" PRIu64 " steps, %" PRIu64 " messages, %.0f messages/s of CPU on one core\n",
		sum.steps, sum.messages, (double)sum.messages / cpu_s);
	printf("  operations: %" PRIu64 " ok, %" PRIu64 " refused, %" PRIu64 " unknown\n", sum.ok,
		sum.failed, sum.unknown);
	return EXIT_AS_EXPECTED;
}
