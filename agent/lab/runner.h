/* SPDX-License-Identifier: MIT */
/* runner.h - runs the phases of a plan on a lab that is ready, and notes what happened */
#ifndef LAB_RUNNER_H
#define LAB_RUNNER_H

#include <stdio.h>

#include "agent/lab/run.h"
#include "agent/lab/supervisor.h"

/**
 * struct runner_options - how to run
 * @progress:	where to, NULL: nowhere
 * @check_online: judge the history while it grows; the first violation of linearizability ends the
 *		run, with ->online saying which
 */
struct runner_options {
	FILE *progress;
	bool check_online;
};

/**
 * runner_run() - load, phases, faults, watches, final reads
 * @s:		started; it is still to be stopped when this returns
 * @plan:	that of @s; its leader-aware phases become what they were when they began
 * @options:	borrowed
 * @ret:	filled as far as the run came; ->interrupted if a signal ended it
 *
 * Return: 0, also after an interruption; else why the lab could not go on, in @err. The history
 * is in the results folder as history.bin.
 */
int runner_run(struct supervisor *s, struct plan *plan, const struct runner_options *options,
	struct run_log *ret, struct err *err);

#endif
