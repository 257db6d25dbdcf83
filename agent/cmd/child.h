/* SPDX-License-Identifier: MIT */
/* child.h - this program once more, as a child with its output in a file */
#ifndef CMD_CHILD_H
#define CMD_CHILD_H

#include <sys/types.h>

#include "agent/base/err.h"

/* child_signals() - from now on SIGINT, SIGTERM and SIGHUP are passed on to the child. */
void child_signals(void);

/* child_signalled() - the last of these, 0 if none came. */
int child_signalled(void);

/**
 * child_run() - run it to its end; it dies with this process
 * @argv:	as main() gets it, NULL-terminated
 * @log:	where both outputs go; replaced
 *
 * Return: its exit status, 128 and the signal if it was killed, or a negative errno.
 */
int child_run(const char *const *argv, const char *log, struct err *err);

/* child_last_line() - of its output, without the line's end; "" if it said nothing. */
void child_last_line(const char *log, char *ret, size_t size);

#endif
