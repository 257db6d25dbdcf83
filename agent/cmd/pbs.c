/* SPDX-License-Identifier: MIT */
/*
 * pbs.c - pacelab pbs: staleness of partial quorums, measured beside predicted
 *
 * Each case is a `pacelab run pbs` of its own, in a folder of its own: one that is there is not run
 * again, so a row of cases goes on where it was stopped. What is compared comes from the histories.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/units.h"
#include "agent/cmd/child.h"
#include "agent/cmd/cmd.h"
#include "agent/lab/outdir.h"
#include "agent/report/pbs_print.h"
#include "agent/report/summary.h"

#define LAB "pbs"
#define CASES_MAX 32
#define CASE_MAX 48
#define PARAM_MAX 160
#define DURATION "40s"
#define DURATION_QUICK "8s"
#define TRIALS 200000
#define RUN_ARGS_MAX 20
#define EXIT_SIGNALLED 128
/* Bailis et al. compared at t from 1 to 199 ms; elsewhere what lies above does not matter. */
#define RANGE_EXPONENTIAL_NS 200e6

/* Delays of some milliseconds drown in what two busy processors take: the model has no scale, so
 * they are made longer, and times are as much longer. */
static const char all_cases[] =
	"exp-20-10@5,exp-20-5@5,exp-20-2@5,exp-10-10@5,exp-10-5@5,exp-10-2@5,exp-5-10@5,"
	"exp-5-5@5,exp-5-2@5,lnkd-ssd@20,lnkd-disk@10,ymmr,wan";

enum {
	OPT_CASES,
	OPT_QUICK,
	OPT_DURATION,
	OPT_RATE,
	OPT_RESULTS,
	OPT_SEED,
	OPT_EMULATOR,
	OPT_NAME,
	OPT_JSON,
};

static const struct cmd_option options[] = {
	[OPT_CASES] = {"--cases", "NAMES",
		"exp-W-ARS (means in ms), lnkd-ssd, lnkd-disk, ymmr, wan; NAME@2: all delays twice"},
	[OPT_QUICK] = {"--quick", NULL, "one case, exp-20-10, for " DURATION_QUICK},
	[OPT_DURATION] = {"--duration", "TIME", "of each case (" DURATION ")"},
	[OPT_RATE] = {"--rate", "N", "operations per second (3000)"},
	[OPT_RESULTS] = {"--results", "DIR",
		"a folder for each case below it; cases that are there are not run again"},
	[OPT_SEED] = {"--seed", "N", "of everything random"},
	[OPT_EMULATOR] = {"--emulator", "NAME", "netem or wire; default: what the kernel has"},
	[OPT_NAME] = {"--name", "NAME", "of the lab, to run it beside another"},
	[OPT_JSON] = {"--json", NULL, "print pbs.json on standard output, all else on error"},
	{NULL, NULL, NULL},
};

struct sweep {
	const char *const *value; /* of the options */
	const char *dir;
	FILE *out;
	FILE *csv;
	FILE *latency;
	FILE *json;
	struct json writer; /* to it */
	struct pbs_sum sum;
	unsigned missing;
	unsigned doubtful;
};

/* "lnkd-ssd@10" */
static void param_of(const struct sweep *s, const char *name, char ret[PARAM_MAX])
{
	const char *at = strchr(name, '@');
	const char *duration = s->value[OPT_DURATION] ? s->value[OPT_DURATION]
			       : s->value[OPT_QUICK]  ? DURATION_QUICK
						      : DURATION;
	int len = (int)(at ? (size_t)(at - name) : strlen(name));

	(void)snprintf(ret, PARAM_MAX, "case=%.*s scale=%s duration=%s rate=%s", len, name,
		at ? at + 1 : "1", duration, s->value[OPT_RATE] ? s->value[OPT_RATE] : "3000");
}

static double scale_of(const char *name)
{
	const char *at = strchr(name, '@');

	return at ? strtod(at + 1, NULL) : 1;
}

static int load_plan(const struct sweep *s, const char *name, struct plan **ret, struct err *err)
{
	char param[PARAM_MAX];
	struct plan_options wish = {
		.seed = s->value[OPT_SEED], .emulator = s->value[OPT_EMULATOR], .param = param};

	param_of(s, name, param);
	return plan_load(ret, LAB, &wish, err) ? err_wrap(err, "case %s", name) : 0;
}

static void run_case(const struct sweep *s, const char *name, const char *dir, struct err *err)
{
	const struct {
		const char *name;
		const char *value;
	} passed[] = {{"--seed", s->value[OPT_SEED]}, {"--emulator", s->value[OPT_EMULATOR]},
		{"--name", s->value[OPT_NAME]}};
	char param[PARAM_MAX], log[OUTDIR_FILE_MAX + 64];
	const char *argv[RUN_ARGS_MAX] = {
		"pacelab", "run", LAB, "--param", param, "--results", dir, "--quiet"};
	unsigned n = 8;

	param_of(s, name, param);
	for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
		if (!passed[i].value)
			continue;
		argv[n++] = passed[i].name;
		argv[n++] = passed[i].value;
	}
	(void)snprintf(log, sizeof log, "%s.txt", dir);
	(void)child_run(argv, log, err);
}

/* 0: as far as t matters, that is, half as far again as where 99.9 % are fresh. */
static double range_of(const char *name)
{
	return strncmp(name, "exp-", 4) == 0 ? RANGE_EXPONENTIAL_NS * scale_of(name) : 0;
}

static int compare_case(struct sweep *s, const char *name, const char *dir, struct err *err)
{
	struct pbs_report *p = calloc(1, sizeof *p);
	struct history_ops ops = {.count = 0};
	struct pbs_wish wish = {.range_ns = range_of(name), .trials = TRIALS, .seed = 1};
	struct summary summary = {.why = ""};
	char path[OUTDIR_FILE_MAX + 64];
	struct plan *plan = NULL;
	const char *why;
	int rc = p ? load_plan(s, name, &plan, err) : err_sys(err, -ENOMEM, "case %s", name);

	(void)snprintf(path, sizeof path, "%s/results.json", dir);
	if (rc == 0)
		rc = summary_read(&summary, path, err);
	(void)snprintf(path, sizeof path, "%s/history.bin", dir);
	if (rc == 0)
		rc = history_read(&ops, path, err);
	if (rc == 0)
		rc = pbs_measure(p, plan, &ops, &wish, err);
	if (rc == 0) {
		bool first = s->sum.cases == 0;

		why = summary.status == EXIT_AS_EXPECTED ? "" : summary.why;
		s->doubtful += summary.status != EXIT_AS_EXPECTED;
		pbs_print(name, p, why, s->out);
		pbs_print_csv(name, p, first, s->csv);
		pbs_print_latency_csv(name, p, first, s->latency);
		pbs_print_json(name, p, why, &s->writer);
		pbs_sum_add(&s->sum, p);
		(void)fflush(s->out);
	}
	history_ops_fini(&ops);
	plan_free(plan);
	free(p);
	return rc;
}

static int do_case(struct sweep *s, const char *name, struct err *err)
{
	char dir[OUTDIR_FILE_MAX], path[OUTDIR_FILE_MAX + 64], why[512];
	struct err failed = {0};

	(void)snprintf(dir, sizeof dir, "%.3000s/%s", s->dir, name);
	(void)snprintf(path, sizeof path, "%s/results.json", dir);
	if (access(path, R_OK))
		run_case(s, name, dir, &failed);
	if (child_signalled())
		return 0;
	if (access(path, R_OK) == 0)
		return compare_case(s, name, dir, err);
	(void)snprintf(path, sizeof path, "%s.txt", dir);
	child_last_line(path, why, sizeof why);
	(void)fprintf(s->out, "  %s   no result: %s\n\n", name, failed.text[0] ? failed.text : why);
	s->missing++;
	return 0;
}

static FILE *create(const struct sweep *s, const char *name, struct err *err)
{
	char path[OUTDIR_FILE_MAX];
	FILE *f;

	(void)snprintf(path, sizeof path, "%.3000s/%s", s->dir, name);
	f = fopen(path, "w+e");
	if (!f)
		(void)err_sys(err, -errno, "write %s", path);
	return f;
}

/* Each name of a list; @each returns a negative errno to end it. */
static int for_cases(struct sweep *s, int (*each)(struct sweep *s, const char *name, struct err *),
	struct err *err)
{
	char copy[CASES_MAX * CASE_MAX];
	const char *names = s->value[OPT_CASES]   ? s->value[OPT_CASES]
			    : s->value[OPT_QUICK] ? "exp-20-10"
						  : all_cases;
	char *at = copy;
	char *name;
	int rc = 0;

	if (strlen(names) >= sizeof copy)
		return err_usage(err, "--cases: longer than %zu characters", sizeof copy - 1);
	(void)snprintf(copy, sizeof copy, "%s", names);
	while (!rc && !child_signalled() && (name = strsep(&at, ", "))) {
		if (strlen(name) >= CASE_MAX || strchr(name, '/'))
			return err_usage(err, "--cases: '%.40s' is no case", name);
		rc = name[0] ? each(s, name, err) : 0;
	}
	return rc;
}

/* What would fail in a run is said before the first one. */
static int try_case(struct sweep *s, const char *name, struct err *err)
{
	struct plan *plan = NULL;
	int rc = load_plan(s, name, &plan, err);

	plan_free(plan);
	return rc;
}

static int sweep(struct sweep *s, struct err *err)
{
	int rc;

	s->csv = create(s, "pbs.csv", err);
	s->latency = create(s, "pbs-latency.csv", err);
	s->json = create(s, "pbs.json", err);
	if (!s->csv || !s->latency || !s->json)
		return -EIO;
	(void)fprintf(s->out, "staleness of partial quorums, results in %s\n\n", s->dir);
	json_init(&s->writer, s->json);
	json_object(&s->writer);
	json_key(&s->writer, "cases");
	json_array(&s->writer);
	rc = for_cases(s, do_case, err);
	json_array_end(&s->writer);
	json_object_end(&s->writer);
	(void)fputc('\n', s->json);
	if (rc == 0)
		pbs_sum_print(&s->sum, s->out);
	return rc;
}

static void copy_out(FILE *from)
{
	char bytes[4096];
	size_t n;

	rewind(from);
	while ((n = fread(bytes, 1, sizeof bytes, from)) > 0)
		(void)fwrite(bytes, 1, n, stdout);
}

static int sweep_end(struct sweep *s, int rc, struct err *err)
{
	FILE *const all[] = {s->csv, s->latency, s->json};

	if (rc == 0 && s->value[OPT_JSON])
		copy_out(s->json);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i] && fclose(all[i]) && rc == 0)
			rc = err_sys(err, -errno, "write below %s", s->dir);
	if (rc < 0)
		return (int)err->status;
	if (child_signalled())
		return EXIT_SIGNALLED + child_signalled();
	if (s->sum.overlapping_stale > 0)
		return EXIT_VIOLATED;
	return s->missing || s->doubtful ? EXIT_INCONCLUSIVE : EXIT_AS_EXPECTED;
}

static int pbs_main(const struct cmd_line *line, struct err *err)
{
	struct sweep s = {.value = line->value,
		.dir = line->value[OPT_RESULTS] ? line->value[OPT_RESULTS] : OUTDIR_BASE "/pbs",
		.out = line->value[OPT_JSON] ? stderr : stdout};

	if (cmd_need_root(line->cmd, err))
		return EXIT_CANNOT_RUN;
	if (for_cases(&s, try_case, err))
		return EXIT_USAGE;
	if (!line->value[OPT_RESULTS] && mkdir(OUTDIR_BASE, 0700) && errno != EEXIST) {
		(void)err_sys(err, -errno, "make %s", OUTDIR_BASE);
		return EXIT_INTERNAL;
	}
	if (mkdir(s.dir, 0700) && errno != EEXIST)
		return (int)(err_set(err, -errno, EXIT_USAGE, "--results %s: %s", s.dir,
				     strerror(errno)),
			err->status);
	child_signals();
	return sweep_end(&s, sweep(&s, err), err);
}

const struct cmd pbs_cmd = {
	.name = "pbs",
	.args = "",
	.summary = "how soon partial quorums read what was written, beside the prediction",
	.help = "The lab `pbs` with the delays of Bailis et al., \"Probabilistically Bounded\n"
		"Staleness\", VLDB 2012: t-visibility and latency of all R and W of three\n"
		"replicas, measured on packets beside a Monte Carlo prediction from the same\n"
		"distributions. pbs.json, pbs.csv and pbs-latency.csv in DIR have all points.\n"
		"Exit status: 0, 1 a read was stale though R + W > N, 2 a case is missing or\n"
		"inconclusive, 64 bad input, 77 cannot run here.\n",
	.args_max = 0,
	.option = options,
	.main = pbs_main,
};
