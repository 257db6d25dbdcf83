/* SPDX-License-Identifier: MIT */
/*
 * control.h - the socket at which a lab that is up takes commands
 *
 * A stream socket in the lab's root-only directory. A client sends words, each ended by a NUL, and
 * shuts its side down; the answer is an exit status as one byte, then text until the end of file.
 * An answer may carry one descriptor. A request that is too long, empty or cut short is refused.
 */
#ifndef LAB_CONTROL_H
#define LAB_CONTROL_H

#include <stdio.h>

#include "agent/base/buf.h"
#include "agent/base/err.h"
#include "agent/lab/poller.h"

#define CONTROL_REQUEST_MAX 4096
#define CONTROL_WORDS_MAX 64
#define CONTROL_CLIENTS_MAX 32
#define CONTROL_SOCKET "control.sock"

struct control;

/**
 * control_serve - one request
 * @word:	the request, NULL-terminated
 * @out:	text of the answer
 * @ret_fd:	a borrowed descriptor to send along; stays -1 if there is none
 *
 * Return: exit status for the client; a failure fills @err, whose text is then the answer.
 */
typedef int (*control_serve)(
	void *ctx, char **word, unsigned words, FILE *out, int *ret_fd, struct err *err);

int control_open(struct control **ret, struct poller *p, const char *path, control_serve serve,
	void *ctx, struct err *err);
void control_close(struct control *c);

/**
 * control_call() - the client's side: ask the lab, wait for the answer
 * @lab:	NULL: the only lab that is up
 * @ret_text:	answer, NUL-terminated, the caller frees it
 * @ret_fd:	descriptor that came along or -1; NULL if none is wanted
 *
 * Return: exit status of the request; a negative errno if there was no answer, with @err.
 */
int control_call(
	const char *lab, const char *const *word, char **ret_text, int *ret_fd, struct err *err);

/* The same without waiting: between begin and the end there is a socket to be polled. */
struct control_talk {
	int sock; /* -1: none; readable when control_talk_step() has something to do */
	int fd;   /* that came along, the caller's; -1: none */
	struct buf answer;
};

/* control_talk_begin() - ask lab @name. Return: 0, or a negative errno: it is not up (any more). */
int control_talk_begin(struct control_talk *t, const char *name, const char *const *word);

/* control_talk_step() - what there is of the answer. Return: 1: it is whole; 0: there will be
 * more; a negative errno. The first byte of the answer is the exit status. */
int control_talk_step(struct control_talk *t);

/* control_talk_end() - close and free; takes one that was never begun, if zeroed with sock -1. */
void control_talk_end(struct control_talk *t);

/* control_lab() - name of the only lab that is up, or @lab if it is. Return: 0; -ENOENT, -EINVAL
 * with the cure in @err. */
int control_lab(const char *lab, char ret[33], struct err *err);

#endif
