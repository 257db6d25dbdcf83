/* SPDX-License-Identifier: MIT */
/*
 * admin.h - one question at a time to a replica, over its admin socket, without blocking
 *
 * The replica speaks RESP2 there (https://redis.io/docs/reference/protocol-spec/). What comes back
 * is checked for its shape before anybody sees it; anything else closes the connection.
 */
#ifndef LAB_ADMIN_H
#define LAB_ADMIN_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/buf.h"
#include "agent/lab/poller.h"

#define ADMIN_ANSWER_MAX (4u << 20)

struct admin {
	struct source source; /* fd -1: not connected */
	struct poller *poller;
	const char *path; /* borrowed */
	struct buf in;
	bool asked; /* an answer is due */
	/* @answer: one whole RESP value. */
	void (*answered)(struct admin *a, const char *answer, size_t len);
	void *ctx;
};

void admin_init(struct admin *a, struct poller *p, const char *path);

/* admin_ask() - connect if needed and send one inline command; "INFO". Return: 0 or -errno. */
int admin_ask(struct admin *a, const char *command);

/* admin_drop() - close the connection; an answer that was due will not come. */
void admin_drop(struct admin *a);

/* resp_skip() - length of the whole RESP value at @p; 0 if it is not all there; -EBADMSG. */
long resp_skip(const char *p, size_t len);

/* admin_text() - next string or number of @p as text; moves on.
 * Return: NULL if it is neither: an error, an array, nothing at all, or not all there. */
const char *admin_text(const char **p, size_t *left, size_t *ret_len);

/* admin_array() - enter an array: moves to its first element.
 * Return: elements, no more than the bytes behind it can hold; -EBADMSG. */
long admin_array(const char **p, size_t *left);

#endif
