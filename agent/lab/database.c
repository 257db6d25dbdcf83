/* SPDX-License-Identifier: MIT */
/* database.c - a lab whose nodes run a real database: keepers, data folders, logs */
#include "agent/lab/database.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lab/keeper.h"
#include "agent/lab/real.h"

/* The clock can be set if a phase does so, or a person may. */
static bool clock_wanted(const struct supervisor *s)
{
	const struct plan *plan = s->plan;

	if (!plan->real->skew || !s->options.scripted)
		return plan->real->skew;
	for (unsigned i = 0; i < plan->phases; i++) {
		for (unsigned j = 0; j < plan->phase[i].events; j++) {
			if (plan->phase[i].event[j].kind == PLAN_SKEW)
				return true;
		}
	}
	return false;
}

void database_prepare(struct supervisor *s)
{
	struct err missing;
	const char *library = clock_wanted(s) ? keeper_clock(s->plan->real, &missing) : "";

	/* A person may do without, and is told when it comes to it; what is found then is no
	 * library that the processes were started with. */
	s->clock_library = *library ? library : "";
}

int database_mounts(struct supervisor *s, unsigned node, char dir[OUTDIR_FILE_MAX],
	struct mounts *ret, struct err *err)
{
	const struct real *real = s->plan->real;
	const char *slash = strchr(real->driver, '/');
	char *path = realpath(real->path, NULL);
	int rc = outdir_data(&s->out, s->plan->node[node].name, SPAWN_UID, dir, err);

	ret->data = dir;
	/* What it names beside itself it may name by either. */
	mounts_see(ret, real->path);
	if (path)
		mounts_see(ret, path);
	if (slash)
		mounts_see(ret, slash); /* "program:/..." */
	for (unsigned i = 0; i < real->programs; i++)
		mounts_see(ret, real->program[i]);
	for (unsigned i = 0; i < real->folders; i++) {
		char inside[MOUNTS_PATH_MAX];

		(void)snprintf(inside, sizeof inside, "%s/", real->folder[i]);
		mounts_see(ret, inside);
	}
	free(path);
	return rc;
}

int database_spawn(struct supervisor *s, unsigned replica, struct child *ret, struct err *err)
{
	const struct plan *plan = s->plan;
	uint32_t addr_be[REAL_NODES_MAX];
	struct keeper_task keeper = {.real = plan->real,
		.driver = plan->driver,
		.name = plan->node[replica].name,
		.addr_be = addr_be,
		.nodes = plan->replicas,
		.self = replica,
		.dir = MOUNTS_DATA,
		.cluster = s->cluster,
		.admin_fd = s->admin_fd[replica],
		.clock_library = s->clock_library,
		.skew_ns = s->skew_ns[replica]};
	struct spawn_task task = {.comm = "pacelab-keeper",
		.node_fd = s->node[replica].source.fd,
		.dir = MOUNTS_DATA,
		.keep_fd = keeper.admin_fd,
		.run = keeper_main,
		.ctx = &keeper};
	int rc;

	assert(plan->replicas <= REAL_NODES_MAX);
	for (unsigned i = 0; i < plan->replicas; i++)
		addr_be[i] = plan->node[i].addr_be;
	task.log_fd = outdir_log(&s->out, keeper.name, err);
	if (task.log_fd < 0)
		return task.log_fd;
	rc = spawn_task(&s->spawner, &task, ret, err);
	close(task.log_fd);
	return rc;
}

void database_keep_logs(const struct supervisor *s)
{
	for (unsigned i = 0; i < s->plan->replicas; i++)
		outdir_keep_logs(&s->out, s->plan->node[i].name);
}
