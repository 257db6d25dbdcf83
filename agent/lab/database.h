/* SPDX-License-Identifier: MIT */
/*
 * database.h - a lab whose nodes run a real database: keepers, data folders, logs
 *
 * What supervisor and nemesis do otherwise than for replicas of our own.
 */
#ifndef LAB_DATABASE_H
#define LAB_DATABASE_H

#include "agent/lab/supervisor.h"

/* database_prepare() - find the library that sets clocks, if one may have to be set. */
void database_prepare(struct supervisor *s);

/* database_mounts() - what @node finds; its data folder is made at @dir. */
int database_mounts(struct supervisor *s, unsigned node, char dir[OUTDIR_FILE_MAX],
	struct mounts *ret, struct err *err);

/* database_spawn() - start the keeper of a node. */
int database_spawn(struct supervisor *s, unsigned replica, struct child *ret, struct err *err);

/* database_keep_logs() - from the data folders, which will be removed, to the other logs. */
void database_keep_logs(const struct supervisor *s);

#endif
