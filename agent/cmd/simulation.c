/* SPDX-License-Identifier: MIT */
/* simulation.c - a lab in virtual time, from its script to its verdict in a folder */
#include "agent/cmd/simulation.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/cmd/run_judge.h"

struct simulation {
	struct plan *plan;
	struct run_log log;
	struct outdir out;
	struct results results;
};

void simulation_free(struct simulation *s)
{
	if (!s)
		return;
	plan_free(s->plan);
	free(s);
}

static int make_dir(struct simulation *s, const char *dir, struct err *err)
{
	char name[PLAN_NAME_MAX + 16];

	(void)snprintf(name, sizeof name, "%s-simulated", s->plan->name);
	return outdir_make(&s->out, dir, name, s->plan->system->name, s->plan->seed, err);
}

/* Nobody writes a log here, and no replica has data on disk. */
static void clear(const struct outdir *out)
{
	char path[OUTDIR_FILE_MAX];

	outdir_remove_data(out);
	outdir_file(out, "log", path);
	(void)rmdir(path);
}

static int simulate(struct simulation *s, const struct lab_costs *costs, struct err *err)
{
	const struct run_judging j = {.plan = s->plan, .log = &s->log, .out = &s->out};
	char path[OUTDIR_FILE_MAX];
	int rc = run_plan_keep(s->plan, &s->out, err);

	outdir_file(&s->out, "history.bin", path);
	if (!rc)
		rc = lab_simulate(s->plan, costs, path, &s->log, err);
	if (!rc && run_judge(&j, &s->results, err) == EXIT_INTERNAL)
		rc = err->code ? err->code : -EIO;
	return rc;
}

int simulation_run(struct simulation **ret, const char *lab, const struct plan_options *wish,
	const struct lab_costs *costs, const char *dir, struct err *err)
{
	struct plan_options of = *wish;
	struct simulation *s = calloc(1, sizeof *s);
	int rc;

	if (!s)
		return err_sys(err, -ENOMEM, "simulate");
	of.emulator = NULL;
	rc = plan_load(&s->plan, lab, &of, err);
	if (!rc)
		rc = lab_refuse(s->plan, err);
	if (!rc)
		rc = make_dir(s, dir, err);
	if (!rc) {
		rc = simulate(s, costs, err);
		if (rc)
			outdir_remove(&s->out);
		else
			clear(&s->out);
	}
	if (rc) {
		simulation_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

const struct results *simulation_results(const struct simulation *s)
{
	return &s->results;
}

void simulation_print(const struct simulation *s, bool json)
{
	run_print(&s->results, &s->out, json);
}
