/* SPDX-License-Identifier: MIT */
/* status.c - pacelab status: the labs that are up, their nodes, replicas and links */
#include <stdio.h>
#include <string.h>

#include "agent/cmd/remote.h"
#include "agent/lab/names.h"

enum { OPT_LAB, OPT_JSON };

static const struct cmd_option options[] = {
	[OPT_LAB] = {"--lab", "NAME", "only this one; default: all that are up"},
	[OPT_JSON] = {"--json", NULL, "print JSON, an object for each lab"},
	{NULL, NULL, NULL},
};

struct all {
	const struct cmd_line *line;
	struct err *err;
	unsigned labs;
	int status;
};

static void one(void *ctx, const char *lab, pid_t supervisor)
{
	static const char *const none[] = {NULL};
	struct all *all = ctx;
	struct err err = {0};

	(void)supervisor;
	all->labs++;
	all->status = remote_do(all->line, lab, all->line->value[OPT_JSON], "status", none, &err);
	if (err.code) /* it may be starting or ending: the others still have an answer */
		printf("lab %s · %s\n", lab, err.text);
}

static int status_main(const struct cmd_line *line, struct err *err)
{
	static const char *const none[] = {NULL};
	struct all all = {.line = line, .err = err};

	if (line->value[OPT_LAB])
		return remote_do(
			line, line->value[OPT_LAB], line->value[OPT_JSON], "status", none, err);
	if (cmd_need_root(line->cmd, err))
		return EXIT_CANNOT_RUN;
	names_sweep();
	names_list(one, &all);
	if (!all.labs && !line->value[OPT_JSON])
		printf("no lab is up\n");
	return all.status;
}

const struct cmd status_cmd = {
	.name = "status",
	.args = "",
	.summary = "show the labs that are up",
	.args_max = 0,
	.option = options,
	.main = status_main,
};
