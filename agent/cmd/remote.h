/* SPDX-License-Identifier: MIT */
/* remote.h - what all commands for a lab that is up have in common */
#ifndef CMD_REMOTE_H
#define CMD_REMOTE_H

#include "agent/cmd/cmd.h"

#define REMOTE_LAB_HELP "the lab; only needed if several are up"

#define REMOTE_TEXT_MAX 1024

/* remote_join() - arguments with blanks between them. Return: 0, or -EINVAL: too long. */
int remote_join(char *const *arg, unsigned args, char ret[REMOTE_TEXT_MAX], struct err *err);

/**
 * remote_do() - send one request and print its answer
 * @lab:	NULL: the only one that is up
 * @json:	not NULL: the answer is wanted as JSON
 * @arg:	NULL-terminated words behind the verb
 *
 * Return: exit status.
 */
int remote_do(const struct cmd_line *line, const char *lab, const char *json, const char *verb,
	const char *const *arg, struct err *err);

/* remote_enter() - descriptor of the first process of a node of a lab; its name in @ret_lab. */
int remote_enter(const struct cmd_line *line, const char *lab, const char *node, char ret_lab[33],
	struct err *err);

/* remote_exec() - run a program in a node and wait for it. Return: its exit status. */
int remote_exec(int node_fd, const char *node, char *const *argv, struct err *err);

#endif
