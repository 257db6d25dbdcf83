/* SPDX-License-Identifier: MIT */
/*
 * names.h - what a lab leaves in the host's file system: its lock, its sockets, its netns names
 *
 *   /run/pacelab/<lab>/        root only; lock, control.sock, n1.sock ...
 *   /run/netns/<lab>-<node>    symbolic link to /proc/<supervisor>/fd/<n>: no mount
 *
 * The lock file is held by flock() from the first name to the last, by the supervisor and by its
 * janitor; so "the lock is free" means that nobody is left who could clean up, and anybody may.
 */
#ifndef LAB_NAMES_H
#define LAB_NAMES_H

#include <stdbool.h>
#include <sys/types.h>

#include "agent/base/err.h"

#define NAMES_RUN_DIR "/run/pacelab"
#define NAMES_NETNS_DIR "/run/netns"
#define NAMES_LAB_MAX 33   /* 32 bytes and NUL */
#define NAMES_PATH_MAX 108 /* as long as the path of a socket may be */

struct names {
	char lab[NAMES_LAB_MAX];
	int lock_fd;
};

/* names_check() - may a lab be called so? Return: 0, or -EINVAL with the cure in @err. */
int names_check(const char *lab, struct err *err);

/**
 * names_open() - take the lab's name, after sweeping what dead labs left
 * Return: 0; -EEXIST (EXIT_USAGE) if a lab of this name is up; another negative errno.
 */
int names_open(struct names *n, const char *lab, struct err *err);

/* names_link() - let `ip netns` see the namespace @fd of this process as <lab>-<what>. */
int names_link(const struct names *n, const char *what, int fd, struct err *err);

/* names_path() - path of a file of the lab: names_path(out, "cap", "control.sock"). */
void names_path(char out[NAMES_PATH_MAX], const char *lab, const char *file);

/* names_close() - remove all names of the lab and give its lock back; takes an unopened one. */
void names_close(struct names *n);

/* names_sweep() - remove what labs left whose lock is free. Return: how many those were. */
unsigned names_sweep(void);

/* names_list() - call @each for every lab that is up, with its supervisor. */
void names_list(void (*each)(void *ctx, const char *lab, pid_t supervisor), void *ctx);

/* names_held() - is a lab of this name up? */
bool names_held(const char *lab);

#endif
