/* SPDX-License-Identifier: MIT */
/* run.c - pacelab run: run a lab's script, measure, check, judge */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/cmd/ci.h"
#include "agent/cmd/cmd.h"
#include "agent/cmd/comparison.h"
#include "agent/cmd/run_judge.h"
#include "agent/cmd/simulation.h"
#include "agent/lab/plan.h"
#include "agent/lab/runner.h"
#include "agent/lab/stores.h"
#include "agent/lab/supervisor.h"

#define EXIT_SIGNALLED 128 /* plus the signal, as shells say it */

enum {
	OPT_STORE,
	OPT_SET,
	OPT_LEADER,
	OPT_SEED,
	OPT_EMULATOR,
	OPT_RATE,
	OPT_TIME_SCALE,
	OPT_WARMUP,
	OPT_PROFILES,
	OPT_MATRIX,
	OPT_REPEAT,
	OPT_RESUME,
	OPT_PARAM,
	OPT_NAME,
	OPT_RESULTS,
	OPT_KEEP,
	OPT_JSON,
	OPT_PLAN,
	OPT_QUIET,
	OPT_PCAP,
	OPT_SNAP,
	OPT_CHECK_ONLINE,
	OPT_MODELS,
	OPT_JUNIT,
	OPT_MARKDOWN,
	OPT_SIMULATE,
	OPT_COSTS,
};

static const struct cmd_option options[] = {
	[OPT_STORE] = {"--store", "NAME",
		"the store to run ('pacelab list systems'), or the Lua file of one"},
	[OPT_SET] = {"--set", "SETTINGS",
		"of the store's protocol, \"name=value ...\" ('pacelab list settings')"},
	[OPT_LEADER] = {"--leader", "NODE", "who shall lead first; a site: its first replica"},
	[OPT_SEED] = {"--seed", "N", "of everything random"},
	[OPT_EMULATOR] = {"--emulator", "NAME", "netem or wire; default: what the kernel has"},
	[OPT_RATE] = {"--rate", "N", "operations per second, all clients together"},
	[OPT_TIME_SCALE] = {"--time-scale", "X", "0.5: every phase takes half as long"},
	[OPT_WARMUP] = {"--warmup", "TIME",
		"\"1s\" of load before all phases, checked and left out of all figures"},
	[OPT_PROFILES] = {"--profiles", "NAMES",
		"\"lan,region,wan\": after the fit a phase under each ('pacelab list profiles')"},
	[OPT_MATRIX] = {"--matrix", "FILE",
		"round trips between regions, as CSV: sites are as far apart as the first of these"},
	[OPT_REPEAT] = {"--repeat", "N",
		"N runs with seeds one after the other, and the spread of each figure"},
	[OPT_RESUME] = {"--resume", NULL,
		"of these keep the ones in DIR from which something was concluded"},
	[OPT_PARAM] = {"--param", "WORDS", "what param() gives in the script: \"name=value ...\""},
	[OPT_NAME] = {"--name", "NAME",
		"of this lab, to run it beside another; default: the script's"},
	[OPT_RESULTS] = {"--results", "DIR", "folder for everything that is kept"},
	[OPT_KEEP] = {"--keep", NULL, "keep the replicas' data, too"},
	[OPT_JSON] = {"--json", NULL, "print results.json on standard output, all else on error"},
	[OPT_PLAN] = {"--plan", NULL, "print the expanded plan and do nothing"},
	[OPT_QUIET] = {"--quiet", NULL, "no progress"},
	[OPT_PCAP] = {"--pcap", "LINKS", "capture frames: all, or nodes and pairs, n1-n2,n3"},
	[OPT_SNAP] = {"--snap", "BYTES", "to keep of each of these frames; default: 256"},
	[OPT_CHECK_ONLINE] = {"--check-online", NULL,
		"check while the run goes on; the first violation ends it"},
	[OPT_MODELS] = {"--models", NULL, "judge by every model: which is the strongest kept?"},
	[OPT_JUNIT] = CI_JUNIT_OPTION,
	[OPT_MARKDOWN] = CI_MARKDOWN_OPTION,
	[OPT_SIMULATE] = {"--simulate", NULL,
		"the same lab in virtual time, too, and both side by side"},
	[OPT_COSTS] = {"--costs", "TIMES",
		"what a machine adds there: 'hop=55us wire=20us disk=450us wake=40us'"},
	{NULL, NULL, NULL},
};

static void signals_restore(void)
{
	static const int ours[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t none;

	/* A second one that still waits is forgotten; one that comes later ends the judging. */
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
		if (signal(ours[i], SIG_IGN) != SIG_IGN)
			(void)signal(ours[i], SIG_DFL);
	}
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A capture that is not whole is said to be so, once. */
static void capture_tell(const struct supervisor *s)
{
	const struct capture_count *n = &s->captured;

	if (s->pcap.pid && (s->pcap.code != CLD_EXITED || s->pcap.status != 0))
		fprintf(stderr, "pacelab: the capture ended early, see %s/log/pcap.log\n",
			s->out.shown);
	if (n->dropped || n->left_out)
		fprintf(stderr,
			"pacelab: the capture lacks %llu frames that came too fast and %llu for "
			"which a file was full\n",
			(unsigned long long)n->dropped, (unsigned long long)n->left_out);
}

/* From the first name to the last: when this returns, nothing of the lab is left but its folder. */
static int run_lab(struct supervisor *s, struct plan *plan, const struct cmd_line *line,
	const struct capture_wish *pcap, struct run_log *log, struct err *err)
{
	const char *const *v = line->value;
	struct supervisor_options o = {
		.name = v[OPT_NAME], .results = v[OPT_RESULTS], .scripted = true, .waiter_fd = -1};
	struct runner_options how = {.progress = v[OPT_QUIET] ? NULL : stderr,
		.check_online = v[OPT_CHECK_ONLINE] != NULL};
	int rc;

	o.pcap = v[OPT_PCAP] ? pcap : NULL;
	rc = supervisor_start(s, plan, &o, err);
	if (!rc)
		rc = run_plan_keep(plan, &s->out, err);
	if (!rc)
		rc = runner_run(s, plan, &how, log, err);
	supervisor_stop(s, v[OPT_KEEP] ? LEAVE_ALL : LEAVE_NO_DATA);
	capture_tell(s);
	return rc;
}

/* What the check of the growing history had to say, if there was one. */
static void online_print(const struct run_online *online, bool quiet)
{
	char operations[32];
	char seen[32];
	char told[32];

	(void)units_print_count(online->operations, operations, sizeof operations);
	if (online->found)
		fprintf(stderr,
			"pacelab: stopped after %s operations by a violation, suspected %s and "
			"certain %s after the answer: %s\n",
			operations, units_print_duration(online->seen_ns, seen, sizeof seen),
			units_print_duration(online->told_ns, told, sizeof told), online->words);
	else if (!quiet)
		fprintf(stderr, "pacelab: no violation in %s operations that were checked online\n",
			operations);
}

static struct ci_wish ci_of(const struct cmd_line *line)
{
	return (struct ci_wish){
		.junit = line->value[OPT_JUNIT], .markdown = line->value[OPT_MARKDOWN]};
}

/* To stop a run for what its store does not even claim would be of no use. */
static int online_allowed(const struct plan *plan, struct err *err)
{
	struct proto_claim claim;

	plan->system->ops->claim(&plan->proto, &claim);
	if (claim.cut == PROTO_LINEARIZABLE)
		return 0;
	return err_usage(err,
		"--check-online: store '%s' does not claim to be linearizable when cut: no "
		"violation could end the run",
		plan->system->name);
}

static struct plan_options wish_of(const struct cmd_line *line)
{
	const char *const *v = line->value;

	return (struct plan_options){.store = v[OPT_STORE],
		.set = v[OPT_SET],
		.leader = v[OPT_LEADER],
		.seed = v[OPT_SEED],
		.emulator = v[OPT_EMULATOR],
		.rate = v[OPT_RATE],
		.time_scale = v[OPT_TIME_SCALE],
		.warmup = v[OPT_WARMUP],
		.profiles = v[OPT_PROFILES],
		.matrix = v[OPT_MATRIX],
		.param = v[OPT_PARAM]};
}

/* The lab is gone; from its log and history to the verdict, beside that of a simulation if there
 * shall be one. */
static int judge(const struct plan *plan, const struct run_log *log, const struct outdir *out,
	const struct cmd_line *line, struct err *err)
{
	const struct plan_options wish = wish_of(line);
	const struct ci_wish ci = ci_of(line);
	struct lab_costs costs = lab_costs_usual;
	struct results *results = calloc(1, sizeof *results);
	struct simulation *beside = NULL;
	struct run_judging j = {.plan = plan,
		.log = log,
		.out = out,
		.print = true,
		.json = line->value[OPT_JSON] != NULL};
	int status = EXIT_INTERNAL;
	char path[OUTDIR_FILE_MAX];

	if (!results)
		return err_sys(err, -ENOMEM, "measure");
	outdir_file(out, "simulated", path);
	if (line->value[OPT_COSTS])
		(void)lab_costs_parse(&costs, line->value[OPT_COSTS], err); /* was tried */
	if (!line->value[OPT_SIMULATE] ||
		!simulation_run(&beside, line->arg[0], &wish, &costs, path, err)) {
		j.simulated = beside ? simulation_results(beside) : NULL;
		status = run_judge(&j, results, err);
	}
	simulation_free(beside);
	free(results);
	outdir_file(out, "results.json", path);
	return !err->code && ci_run(&ci, path, err) ? EXIT_INTERNAL : status;
}

static int run_plan(struct plan *plan, const struct cmd_line *line, const struct capture_wish *pcap,
	struct err *err)
{
	struct supervisor *s = calloc(1, sizeof *s);
	struct run_log *log = calloc(1, sizeof *log);
	int status = EXIT_INTERNAL;
	bool measured;

	if (!s || !log) {
		free(s);
		free(log);
		return err_sys(err, -ENOMEM, "run the lab");
	}
	measured = run_lab(s, plan, line, pcap, log, err) == 0 && log->phases > 0;
	if (s->signal)
		fprintf(stderr, "pacelab: interrupted by SIG%s%s\n", sigabbrev_np(s->signal),
			measured ? "; this was measured until then" : "");
	if (line->value[OPT_CHECK_ONLINE] && measured)
		online_print(&log->online, line->value[OPT_QUIET] != NULL);
	signals_restore();
	if (measured)
		status = judge(plan, log, &s->out, line, err);
	else if (log->phases == 0)
		outdir_remove(&s->out); /* nothing happened that it could tell of */
	if (s->signal) {
		status = EXIT_SIGNALLED + s->signal;
		*err = (struct err){0};
	}
	free(log);
	free(s);
	return status;
}

/* What a run of several does as one alone would. */
static int run_repeated(const struct plan *plan, const struct cmd_line *line, struct err *err)
{
	const char *const *v = line->value;
	const char *pass[8] = {NULL};
	unsigned n = 0;
	const struct comparison_wish wish = {.name = "repeat",
		.lab = line->arg[0],
		.stores = stores_name(plan->system),
		.results = v[OPT_RESULTS],
		.plan = wish_of(line),
		.lab_name = v[OPT_NAME],
		.repeat = v[OPT_REPEAT],
		.pass = pass,
		.resume = v[OPT_RESUME] != NULL,
		.simulate = v[OPT_SIMULATE] != NULL,
		.costs = v[OPT_COSTS],
		.json = v[OPT_JSON] != NULL,
		.ci = ci_of(line),
		.table = &compare_costs};

	if (v[OPT_CHECK_ONLINE]) {
		(void)err_usage(err, "--check-online is of one run: leave it out, or --repeat");
		return EXIT_USAGE;
	}
	if (v[OPT_KEEP])
		pass[n++] = "--keep";
	if (v[OPT_PCAP]) {
		pass[n++] = "--pcap";
		pass[n++] = v[OPT_PCAP];
	}
	if (v[OPT_SNAP]) {
		pass[n++] = "--snap";
		pass[n++] = v[OPT_SNAP];
	}
	return comparison(&wish, err);
}

static int run_main(const struct cmd_line *line, struct err *err)
{
	const char *const *v = line->value;
	const struct plan_options wish = wish_of(line);
	const struct ci_wish ci = ci_of(line);
	struct lab_costs costs = lab_costs_usual;
	struct capture_wish pcap;
	struct plan *plan;
	int status = 0;

	if (!v[OPT_PLAN] && cmd_need_root(line->cmd, err))
		return EXIT_CANNOT_RUN;
	if (v[OPT_RESUME] && !v[OPT_REPEAT]) {
		(void)err_usage(err, "--resume is for the runs of --repeat: say how many");
		return EXIT_USAGE;
	}
	if (ci_try(&ci, err) || plan_load(&plan, line->arg[0], &wish, err))
		return EXIT_USAGE;
	plan->all_models = v[OPT_MODELS] != NULL;
	if (capture_parse(plan, v[OPT_PCAP], v[OPT_SNAP], &pcap, err))
		status = EXIT_USAGE;
	else if (v[OPT_PLAN])
		plan_print(plan, stdout);
	else if (plan_refuse_real(plan, err) ||
		 (v[OPT_CHECK_ONLINE] && online_allowed(plan, err)) ||
		 (v[OPT_SIMULATE] && lab_refuse(plan, err)) ||
		 (v[OPT_COSTS] && lab_costs_parse(&costs, v[OPT_COSTS], err)))
		status = EXIT_USAGE;
	else if (v[OPT_REPEAT])
		status = run_repeated(plan, line, err);
	else
		status = run_plan(plan, line, &pcap, err);
	plan_free(plan);
	return status;
}

const struct cmd run_cmd = {
	.name = "run",
	.args = "LAB",
	.summary = "run a lab's script, check its history, print the verdict",
	.help = "LAB is a script (*.lua) or the name of one ('pacelab list labs').\n"
		"Exit status: 0 as expected, 1 an expectation or claim was violated,\n"
		"2 inconclusive, 64 bad input, 70 internal failure, 77 cannot run here.\n",
	.args_min = 1,
	.args_max = 1,
	.option = options,
	.main = run_main,
};
