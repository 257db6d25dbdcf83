/* SPDX-License-Identifier: MIT */
/*
 * janitor.h - the process that cleans up when the supervisor could not
 *
 * It is the supervisor's parent, and by PR_SET_CHILD_SUBREAPER everybody's in the lab who loses
 * the supervisor: so it can reap them, and "no child left" means that all are dead, also where the
 * first process of the machine is slow to reap or never does.
 */
#ifndef LAB_JANITOR_H
#define LAB_JANITOR_H

#include <sys/types.h>

#include "agent/base/err.h"

#define JANITOR_PROCESSES_MAX 4096 /* nodes, replicas, clients, and restarts */

/* The supervisor's side. */
struct janitor {
	pid_t pid;
	int pidfd;
	int sock;
};

/**
 * janitor_split() - fork: the caller becomes the janitor, its child the supervisor
 * Returns in the child only. The janitor waits for the child, passes on signals that were sent to
 * it, and exits with the child's status. A child that was killed before janitor_done() is cleaned
 * up after; that is one line on standard error and EXIT_INTERNAL.
 */
int janitor_split(struct janitor *j, struct err *err);

/* janitor_give_lock() - share the lab's lock: it stays taken until the janitor is done. */
int janitor_give_lock(struct janitor *j, int lock_fd, struct err *err);

/* janitor_give_process() - a process that must not outlive the supervisor, by its pidfd. */
int janitor_give_process(struct janitor *j, int pidfd, struct err *err);

/* janitor_done() - all is clean; takes one that never was split off. */
void janitor_done(struct janitor *j);

#endif
