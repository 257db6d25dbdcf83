/* SPDX-License-Identifier: MIT */
/* mounts.h - what a node sees of the file system that others do not */
#ifndef LAB_MOUNTS_H
#define LAB_MOUNTS_H

#include "agent/base/err.h"

/* Where the data folder of a real database is in its node: short, as paths of sockets must be, and
 * below no folder that is root's only. */
#define MOUNTS_DATA "/tmp/data"
#define MOUNTS_SEEN_MAX 16
#define MOUNTS_PATH_MAX 1024

/**
 * struct mounts - what is other in a node
 * @hosts:	its /etc/hosts
 * @data:	folder that is MOUNTS_DATA there; /tmp and /dev/shm are then the node's own. NULL:
 *		they are the machine's
 * @seen:	folders that are seen there nevertheless
 */
struct mounts {
	const char *hosts;
	const char *data;
	char seen[MOUNTS_SEEN_MAX][MOUNTS_PATH_MAX];
	unsigned seens;
};

/* mounts_see() - add the folder that @path is in to those that are seen, if it would be hidden. */
void mounts_see(struct mounts *m, const char *path);

/* mounts_make() - in the mount namespace of the caller, which is of a new pid namespace, too. */
int mounts_make(const struct mounts *m, struct err *err);

#endif
