/* SPDX-License-Identifier: MIT */
/*
 * elections.c - pacelab elections: how long a crashed leader is missed, by range of timeouts
 *
 * Beside the figures of Ongaro, "Consensus: Bridging Theory and Practice", Stanford 2014, section
 * 9.3. Trials on packets are kept one by one, so a row of ranges goes on where it was stopped.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/prng.h"
#include "agent/base/units.h"
#include "agent/cmd/child.h"
#include "agent/cmd/cmd.h"
#include "agent/cmd/elections_live.h"
#include "agent/lab/outdir.h"
#include "agent/report/pbs.h"

#define REPLICAS 5
#define MS 1e6
#define TRIALS 1000
#define PACKETS 50
#define PACKETS_MAX 10000
#define RTT "5ms"
#define RANGES_MAX 16
#define RANGE_TEXT_MAX 48
#define STREAM 0x6b696c6cu
#define UNEVEN 2
#define EXIT_SIGNALLED 128

static const char all_ranges[] = "150-150,150-155,150-200,150-300,12-24";

/* What the dissertation says of a range; NAN: nothing. */
static const struct published {
	const char *range;
	const char *words;
} published[] = {
	{"150-150", "consistently > 10 s"},
	{"150-155", "median 287 ms"},
	{"150-200", "longest 513 ms"},
	{"12-24", "mean 35 ms, longest 152 ms"},
};

enum {
	OPT_RANGES,
	OPT_TRIALS,
	OPT_PACKETS,
	OPT_RTT,
	OPT_FULL,
	OPT_RESULTS,
	OPT_SEED,
	OPT_EMULATOR,
	OPT_NAME,
};

static const struct cmd_option options[] = {
	[OPT_RANGES] = {"--ranges", "RANGES", "of election timeouts in ms (150-150,150-155,...)"},
	[OPT_TRIALS] = {"--trials", "N", "simulated, of each kind (1000)"},
	[OPT_PACKETS] = {"--packets", "N", "trials on packets (50); 0: none, no root needed"},
	[OPT_RTT] = {"--rtt", "TIME", "round trip between any two replicas (" RTT ")"},
	[OPT_FULL] = {"--full", NULL, "on packets with pre-vote and what else the store has"},
	[OPT_RESULTS] = {"--results", "DIR",
		"for elections.csv and the trials on packets; those "
		"that are there count (results/elections)"},
	[OPT_SEED] = {"--seed", "N", "of everything random"},
	[OPT_EMULATOR] = {"--emulator", "NAME", "netem or wire; default: what the kernel has"},
	[OPT_NAME] = {"--name", "NAME", "of the lab, to run it beside another (elections)"},
	{NULL, NULL, NULL},
};

struct sweep {
	const char *const *value;
	const char *dir;
	uint64_t trials;
	uint64_t packets;
	uint64_t rtt_ns;
	uint64_t seed;
	FILE *csv;
	unsigned missing;
};

/* Trials of one kind, in ms. */
struct row {
	const char *kind;
	double *ms; /* owned */
	uint64_t count;
	uint64_t cap;
	bool capped; /* some ended without a leader */
};

static void row_add(struct row *row, uint64_t ns, uint64_t most_ns)
{
	if (row->count == row->cap) {
		row->cap = row->cap ? 2 * row->cap : 256;
		row->ms = reallocarray(row->ms, row->cap, sizeof *row->ms);
		if (!row->ms)
			abort();
	}
	row->ms[row->count++] = (double)ns / MS;
	row->capped = row->capped || ns >= most_ns;
}

static void print_row(const struct row *row, FILE *out)
{
	double sum = 0;

	for (uint64_t i = 0; i < row->count; i++)
		sum += row->ms[i];
	(void)fprintf(out, "    %-28s %7" PRIu64, row->kind, row->count);
	if (row->count > 0)
		(void)fprintf(out, " %8.0f %8.0f %8.0f %8.0f %8.0f %s%.0f", row->ms[0],
			pbs_quantile(row->ms, row->count, 0.5), sum / (double)row->count,
			pbs_quantile(row->ms, row->count, 0.9),
			pbs_quantile(row->ms, row->count, 0.99), row->capped ? "> " : "  ",
			row->ms[row->count - 1]);
	(void)fputc('\n', out);
}

/* The cumulative distribution, a point for each trial. */
static void keep_row(const struct sweep *s, const char *range, const struct row *row)
{
	for (uint64_t i = 0; i < row->count; i++)
		(void)fprintf(s->csv, "%s,%s,%.3f,%.6f\r\n", range, row->kind, row->ms[i],
			(double)(i + 1) / (double)row->count);
}

static void end_row(const struct sweep *s, const char *range, struct row *row)
{
	pbs_sort(row->ms, row->count);
	print_row(row, stdout);
	(void)fflush(stdout);
	keep_row(s, range, row);
	free(row->ms);
}

static void simulate(const struct sweep *s, const char *range, const struct elections_wish *wish,
	const char *kind)
{
	struct row row = {.kind = kind};

	for (unsigned i = 0; i < s->trials && !child_signalled(); i++) {
		row_add(&row, elections_trial(wish, i), ELECTIONS_GIVE_UP_NS);
		/* What never ends tells no more by more trials. */
		if (row.capped && i >= 99)
			break;
	}
	end_row(s, range, &row);
}

/* Trials of before: a number of nanoseconds on each line. */
static void read_trials(const char *path, struct row *row)
{
	FILE *f = fopen(path, "re");
	uint64_t ns;

	while (f && fscanf(f, "%" SCNu64, &ns) == 1)
		row_add(row, ns, ELECTIONS_LIVE_GIVE_UP_NS);
	if (f)
		(void)fclose(f);
}

static int crash_many(const struct sweep *s, const struct elections_live *live, const char *path,
	struct row *row, struct err *err)
{
	FILE *f = fopen(path, "ae");
	struct prng prng;
	int rc = f ? 0 : err_sys(err, -errno, "write %s", path);

	prng_init(&prng, s->seed, STREAM + row->count);
	while (rc >= 0 && row->count < s->packets && !child_signalled()) {
		uint64_t ns = 0;

		rc = elections_crash(live, prng_below(&prng, live->wish->heartbeat_ns), &ns, err);
		if (rc != 0)
			continue;
		row_add(row, ns, ELECTIONS_LIVE_GIVE_UP_NS);
		(void)fprintf(f, "%" PRIu64 "\n", ns);
		(void)fflush(f);
		/* Without a leader there is none to crash: another time, in a new lab. */
		if (ns >= ELECTIONS_LIVE_GIVE_UP_NS)
			break;
	}
	if (f)
		(void)fclose(f);
	return rc < 0 ? rc : 0;
}

static void on_packets(struct sweep *s, const char *range, const struct elections_wish *wish)
{
	struct elections_live live = {
		.dir = s->dir, .emulator = s->value[OPT_EMULATOR], .wish = wish};
	struct row row = {.kind = wish->plain ? "packets" : "packets, with pre-vote"};
	struct err err = {0}, ignored = {0};
	char path[OUTDIR_FILE_MAX];
	int rc = 0;

	(void)snprintf(live.lab, sizeof live.lab, "%.20s",
		s->value[OPT_NAME] ? s->value[OPT_NAME] : "elections");
	(void)snprintf(
		path, sizeof path, "%.3000s/%s%s.txt", s->dir, range, wish->plain ? "" : "-full");
	read_trials(path, &row);
	if (row.count < s->packets) {
		rc = elections_up(&live, &err);
		if (rc == 0)
			rc = crash_many(s, &live, path, &row, &err);
		(void)elections_down(&live, &ignored);
	}
	end_row(s, range, &row);
	if (rc < 0)
		(void)printf("    %-28s %s\n", "", err.text);
	s->missing += rc < 0;
}

static int read_range(const char *range, struct elections_wish *wish, struct err *err)
{
	char *end = NULL;
	double low = strtod(range, &end), high = *end == '-' ? strtod(end + 1, &end) : -1;

	if (*end || !(low >= 1) || !(high >= low) || high > 60000)
		return err_usage(err, "--ranges: '%s' is not MIN-MAX in ms, as in 150-300", range);
	wish->election_min_ns = (uint64_t)llrint(low * MS);
	wish->election_max_ns = (uint64_t)llrint(high * MS);
	/* Section 9.3: the heartbeat interval was half of the shortest timeout in all tests. */
	wish->heartbeat_ns = wish->election_min_ns / 2;
	return 0;
}

static int try_range(struct sweep *s, const char *range, struct err *err)
{
	struct elections_wish wish;

	(void)s;
	return read_range(range, &wish, err);
}

static int do_range(struct sweep *s, const char *range, struct err *err)
{
	struct elections_wish wish = {.replicas = REPLICAS,
		.rtt_ns = s->rtt_ns,
		.jitter_ns = s->rtt_ns / 30,
		.persist_ns = NS_PER_MS / 4,
		.seed = s->seed,
		.plain = true};
	const char *words = "not given";

	if (read_range(range, &wish, err))
		return -EINVAL;
	for (size_t i = 0; i < sizeof published / sizeof *published; i++)
		if (strcmp(published[i].range, range) == 0)
			words = published[i].words;
	(void)printf("  %s ms   published: %s\n", range, words);
	simulate(s, range, &wish, "simulated");
	wish.uneven = UNEVEN;
	simulate(s, range, &wish, "simulated, two not eligible");
	wish.uneven = 0;
	wish.plain = false;
	/* Who must hear a majority within the shortest timeout cannot lead at that distance. */
	if (wish.election_min_ns > wish.rtt_ns)
		simulate(s, range, &wish, "simulated, with pre-vote");
	wish.plain = s->value[OPT_FULL] == NULL;
	if (s->packets > 0 && !child_signalled())
		on_packets(s, range, &wish);
	(void)putchar('\n');
	return 0;
}

static int for_ranges(
	struct sweep *s, int (*each)(struct sweep *s, const char *, struct err *), struct err *err)
{
	const char *ranges = s->value[OPT_RANGES] ? s->value[OPT_RANGES] : all_ranges;
	char copy[RANGES_MAX * RANGE_TEXT_MAX];
	char *at = copy;
	char *range;
	int rc = 0;

	if (strlen(ranges) >= sizeof copy)
		return err_usage(err, "--ranges: longer than %zu characters", sizeof copy - 1);
	(void)snprintf(copy, sizeof copy, "%s", ranges);
	while (!rc && !child_signalled() && (range = strsep(&at, ", ")))
		rc = range[0] ? each(s, range, err) : 0;
	return rc;
}

static int read_options(struct sweep *s, struct err *err)
{
	const char *const *v = s->value;
	int rc = 0;

	s->trials = TRIALS;
	s->packets = PACKETS;
	s->seed = 7;
	(void)units_parse_duration(RTT, &s->rtt_ns, err);
	if (v[OPT_TRIALS])
		rc = units_parse_count(v[OPT_TRIALS], 1, ELECTIONS_TRIALS_MAX, &s->trials, err);
	if (!rc && v[OPT_PACKETS])
		rc = units_parse_count(v[OPT_PACKETS], 0, PACKETS_MAX, &s->packets, err);
	if (!rc && v[OPT_SEED])
		rc = units_parse_count(v[OPT_SEED], 0, UINT32_MAX, &s->seed, err);
	if (!rc && v[OPT_RTT])
		rc = units_parse_duration(v[OPT_RTT], &s->rtt_ns, err);
	return rc ? rc : for_ranges(s, try_range, err);
}

static int make_dir(const struct sweep *s, struct err *err)
{
	if (!s->value[OPT_RESULTS] && mkdir(OUTDIR_BASE, 0700) && errno != EEXIST)
		return err_sys(err, -errno, "make %s", OUTDIR_BASE);
	if (mkdir(s->dir, 0700) && errno != EEXIST)
		return err_set(
			err, -errno, EXIT_USAGE, "--results %s: %s", s->dir, strerror(errno));
	return 0;
}

static int sweep(struct sweep *s, struct err *err)
{
	char path[OUTDIR_FILE_MAX];
	int rc;

	(void)snprintf(path, sizeof path, "%.3000s/elections.csv", s->dir);
	s->csv = fopen(path, "we");
	if (!s->csv)
		return err_sys(err, -errno, "write %s", path);
	(void)fputs("range_ms,kind,downtime_ms,share\r\n", s->csv);
	(void)printf("time without a leader, %d replicas, round trip %.1f ms; results in %s\n\n"
		     "    %-28s %7s %8s %8s %8s %8s %8s %8s\n",
		REPLICAS, (double)s->rtt_ns / MS, s->dir, "ms", "trials", "least", "median", "mean",
		"90 %", "99 %", "longest");
	rc = for_ranges(s, do_range, err);
	if (fclose(s->csv) && !rc)
		rc = err_sys(err, -errno, "write %s", path);
	return rc;
}

static int elections_main(const struct cmd_line *line, struct err *err)
{
	struct sweep s = {.value = line->value,
		.dir = line->value[OPT_RESULTS] ? line->value[OPT_RESULTS]
						: OUTDIR_BASE "/elections"};

	if (read_options(&s, err))
		return EXIT_USAGE;
	if (s.packets > 0 && cmd_need_root(line->cmd, err))
		return EXIT_CANNOT_RUN;
	if (make_dir(&s, err))
		return (int)err->status;
	child_signals();
	if (sweep(&s, err))
		return (int)err->status;
	if (child_signalled())
		return EXIT_SIGNALLED + child_signalled();
	return s.missing ? EXIT_INCONCLUSIVE : EXIT_AS_EXPECTED;
}

const struct cmd elections_cmd = {
	.name = "elections",
	.args = "",
	.summary = "how long a crashed leader is missed, beside the figures of Raft's dissertation",
	.help = "Five replicas, a leader that crashes at any moment of its heartbeat interval\n"
		"(half of the shortest timeout), until another is elected: simulated and on\n"
		"packets. Elections are those of the paper; beside them stand the store's own,\n"
		"with pre-vote, votes refused while a leader is heard, and leaders that end when\n"
		"they hear nobody. elections.csv in DIR has the cumulative distributions.\n"
		"The paper gives 15 ms to tell all and hear of it, disks included, and not how far\n"
		"apart its replicas were: of 0.2 to 15 ms, 5 ms came closest to its figures.\n"
		"Exit status: 0, 2 trials on packets are missing, 64 bad input, 77 cannot run\n"
		"here.\n",
	.args_max = 0,
	.option = options,
	.main = elections_main,
};
