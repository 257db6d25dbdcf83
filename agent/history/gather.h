/* SPDX-License-Identifier: MIT */
/* gather.h - operations put together from what a file says, by the rules that all files keep */
#ifndef HISTORY_GATHER_H
#define HISTORY_GATHER_H

#include "agent/history/history.h"
#include "agent/history/pairs.h"

/**
 * struct gather - a history being read
 * @unique:	refuse a value that is written twice to one key
 */
struct gather {
	struct history_ops ops;
	size_t cap;
	size_t micro_cap;
	size_t list_cap;
	bool unique;
	struct pairs sessions; /* session -> its latest operation */
	struct pairs values;   /* key, value -> its write */
};

/**
 * gather_list() - make room for @count elements at the end of ops.list
 * Return: 0, or -EBADMSG if there would be more than 32 bits can number.
 */
int gather_list(struct gather *g, size_t count, uint64_t **ret, struct err *err);

/* gather_micro() - likewise for steps, at the end of ops.micro. */
int gather_micro(struct gather *g, size_t count, struct history_micro **ret, struct err *err);

/**
 * gather_invoke() - an operation begins; outcome and return time are not looked at
 * In the order of the file, which within a session is the order of time. The steps of a
 * transaction are in ops.micro already.
 *
 * Return: 0, or -EBADMSG with what is wrong, but not where, in @err.
 */
int gather_invoke(struct gather *g, const struct history_op *op, struct err *err);

/* How an operation ended. */
struct gather_end {
	enum history_type outcome; /* HISTORY_OK, HISTORY_FAIL or HISTORY_UNKNOWN */
	enum history_error error;
	uint64_t t_ns;  /* not looked at for HISTORY_UNKNOWN */
	uint64_t value; /* of a read */
	bool many;      /* a read of elements that are in ops.list already, ... */
	uint32_t first; /* ... from here ... */
	uint32_t count; /* ... so many; a transaction's are told by its steps */
};

/* gather_complete() - operation number @i, in the order of invocations, ends. Return: likewise. */
int gather_complete(struct gather *g, size_t i, const struct gather_end *end, struct err *err);

/* gather_finish() - hand over the operations, sorted by invocation; @g is empty afterwards. */
void gather_finish(struct gather *g, struct history_ops *ret);

/* gather_fini() - after a failure. */
void gather_fini(struct gather *g);

#endif
