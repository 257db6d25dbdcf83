/* SPDX-License-Identifier: MIT */
/* vigil.h - a process that checks the history of a run while it is written */
#ifndef LAB_VIGIL_H
#define LAB_VIGIL_H

#include "agent/check/check.h"
#include "agent/lab/run.h"

struct vigil;

/**
 * vigil_start() - begin to check @path for linearizability
 * @names:	of nodes, for the words; borrowed until the process is forked
 *
 * What looks wrong is looked at once more with the whole history up to then, so that a run is not
 * stopped for nothing. Return: 0, or a negative errno.
 */
int vigil_start(
	struct vigil **ret, const char *path, const struct check_names *names, struct err *err);

/* vigil_found() - whether there is a violation; @ret says which. */
bool vigil_found(const struct vigil *v, struct run_online *ret);

/* vigil_stop() - end the process; before the history is closed. @ret: how far it came; NULL ok. */
void vigil_stop(struct vigil *v, struct run_online *ret);

#endif
