/* SPDX-License-Identifier: MIT */
/*
 * spawn.h - the processes of a lab: node, replica, load, each a direct child of the supervisor
 *
 * Each dies with the supervisor (parent-death signal, and the janitor behind it). Replicas and load
 * run without root and without capabilities; a node's first process stays root, inside the node.
 */
#ifndef LAB_SPAWN_H
#define LAB_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "agent/base/err.h"
#include "agent/lab/mounts.h"

#define SPAWN_UID 65534 /* nobody */

/* What all processes in a node share, but for its pid namespace; <sched.h> has the flags. */
#define SPAWN_NAMESPACES (CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)

/*
 * spawn_uid() - the user of replica number @replica
 * The kernel adds up the memory of the io_uring rings of all processes of a user (RLIMIT_MEMLOCK).
 * Where even root may not raise that limit, its usual 8 MiB are some 40 rings; so only the first
 * SPAWN_RINGS replicas are nobody, and so many of the others each time have a user of their own.
 */
#define SPAWN_RINGS 16u
#define SPAWN_UID_FIRST 2000000000u
static inline unsigned spawn_uid(unsigned replica)
{
	return replica < SPAWN_RINGS ? SPAWN_UID : SPAWN_UID_FIRST + replica / SPAWN_RINGS;
}
#define SPAWN_ADMIN_FD 3

struct spawner {
	int self_fd;  /* pidfd of the supervisor: readable when it is gone */
	int pidns_fd; /* its own pid namespace */
};

/* A child that was started; the caller reaps it. */
struct child {
	pid_t pid;
	int pidfd;
	int ready_fd; /* end of file when it is set up; a struct err if it could not be */
};

int spawner_init(struct spawner *sp, struct err *err);
void spawner_fini(struct spawner *sp);

/**
 * spawn_node() - the first process of a node: its pid, mount, UTS, IPC namespaces, /proc, /sys
 * @netns_fd:	network namespace of the node
 * @mounts:	what else is its own
 */
int spawn_node(struct spawner *sp, const char *name, int netns_fd, const struct mounts *mounts,
	struct child *ret, struct err *err);

/**
 * struct spawn_replica - what to execute in a node
 * @node_fd:	pidfd of the node's first process
 * @binary_fd:	the program, opened by root: the permissions of its path do not matter
 * @dir:	working directory, absolute; entered before root is given up
 * @uid:	user and group that it becomes
 * @admin_fd:	becomes descriptor SPAWN_ADMIN_FD
 * @log_fd:	becomes standard output and error
 */
struct spawn_replica {
	int node_fd;
	int binary_fd;
	const char *dir;
	unsigned uid;
	int admin_fd;
	int log_fd;
	char *const *argv;
};

int spawn_replica(
	struct spawner *sp, const struct spawn_replica *what, struct child *ret, struct err *err);

/**
 * struct spawn_task - a function to run in a node as a process of its own
 * @run:	Return: exit status
 * @root:	keep root and run in the supervisor's other namespaces, only the pid and mount
 *		namespaces of the node entered; else all are entered and root is given up
 * @dir:	working directory, entered in the node; NULL: /
 * @keep_fd:	descriptor that @run needs, all others are closed; 0: none
 */
struct spawn_task {
	const char *comm;
	int node_fd;
	int log_fd;
	bool root;
	const char *dir;
	int keep_fd;
	int (*run)(void *ctx);
	void *ctx;
};

int spawn_task(
	struct spawner *sp, const struct spawn_task *what, struct child *ret, struct err *err);

/* spawn_wait() - until the child is set up. Return: 0, or why it could not be, in @err. */
int spawn_wait(struct child *child, struct err *err);

/* spawn_shield() - what every child that stays does first: a name, a session, no signals of the
 * terminal. spawn_quiet() - standard descriptors to @log_fd, or to nowhere if it is -1.
 */
void spawn_shield(const char *comm);
void spawn_quiet(int log_fd);

/* spawn_close_others() - close all descriptors from 3 on but @keep (n of them). */
void spawn_close_others(const int *keep, unsigned n);

#endif
