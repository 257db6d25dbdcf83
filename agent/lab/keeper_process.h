/* SPDX-License-Identifier: MIT */
/*
 * keeper_process.h - one process of a real database: started, heard, reaped
 *
 * Its output comes over a pipe and goes line by line into the keeper's log, each line with the
 * name of the command in front of it, as much of it as a log may have. The last line is remembered
 * for what is said of its end.
 */
#ifndef LAB_KEEPER_PROCESS_H
#define LAB_KEEPER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "agent/base/err.h"

#define PROCESS_LINE_MAX 900        /* a longer one is broken into several */
#define PROCESS_LOG_MAX (32u << 20) /* bytes in the log; what comes then is read, and not kept */
#define PROCESS_NAME_MAX 32
#define PROCESS_WORDS_MAX 64

/* All zero but out_fd -1: never started. */
struct keeper_process {
	char name[PROCESS_NAME_MAX]; /* in the log */
	pid_t pid;                   /* 0: does not run */
	int out_fd;                  /* -1: nothing more comes */
	int status;                  /* of waitpid(), once it has ended */
	bool captured;               /* its lines are kept in last, and not logged */
	size_t logged;               /* bytes, of all its starts */
	size_t len;
	char line[PROCESS_LINE_MAX];
	char last[PROCESS_LINE_MAX]; /* line that was not empty */
};

/* process_name() - what lines of @argv are called: the program, or the script that it runs, and its
 * @number if it is not 0. */
void process_name(char out[PROCESS_NAME_MAX], char *const *argv, unsigned number);

/* process_start() - @argv with this process's environment; it dies with the thread that calls. */
int process_start(struct keeper_process *p, char *const *argv, struct err *err);

/* process_hear() - log what has come. */
void process_hear(struct keeper_process *p);

/* process_reap() - Return: whether it has ended just now; what it said to its end is logged. */
bool process_reap(struct keeper_process *p);

void process_signal(const struct keeper_process *p, int sig);

/* process_succeeded() - it ended with status 0. process_words() - "exited with 1". */
bool process_succeeded(const struct keeper_process *p);
const char *process_words(const struct keeper_process *p, char out[PROCESS_WORDS_MAX]);

/* process_fini() - close what is left; it has ended, or is left to itself. */
void process_fini(struct keeper_process *p);

#endif
