/* SPDX-License-Identifier: MIT */
/*
 * janitor.h - the process that cleans up when the supervisor could not
 *
 * It is started first, knows the lab only by what it is given (descriptors: pidfds and the lock),
 * and waits. When the supervisor ends without saying good-bye it kills what it knows, waits until
 * that is dead, and sweeps the names.
 */
#ifndef LAB_JANITOR_H
#define LAB_JANITOR_H

#include "agent/lab/spawn.h"

#define JANITOR_PROCESSES_MAX 4096 /* nodes, replicas, clients, and restarts */

struct janitor {
	struct child child;
	int sock;
};

int janitor_start(struct janitor *j, struct spawner *sp, struct err *err);

/* janitor_give_lock() - share the lab's lock: it stays taken until the janitor is done. */
int janitor_give_lock(struct janitor *j, int lock_fd, struct err *err);

/* janitor_give_process() - a process that must not outlive the supervisor, by its pidfd. */
int janitor_give_process(struct janitor *j, int pidfd, struct err *err);

/* janitor_stop() - good-bye: all is clean. Waits for its end; takes one that never started. */
void janitor_stop(struct janitor *j);

#endif
