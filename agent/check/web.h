/* SPDX-License-Identifier: MIT */
/*
 * web.h - what the sessions of a history did one after the other, and who saw whose write
 *
 * Times are gone: what is left is the order in each session and, for each operation that looked at
 * a value, the write that it saw. Operations that failed, reads without an answer and operations
 * of unknown outcome that nobody saw the effect of are left out. An operation of unknown outcome
 * follows what its session did before; nothing follows it, because its effect may come late.
 *
 * A *chain* is a session, or one operation of unknown outcome in the midst of a session: nothing in
 * the session follows it, so it has a chain of its own that forks from the session's. Operations
 * and writes are numbered chain by chain, so that those of a chain are neighbours.
 */
#ifndef CHECK_WEB_H
#define CHECK_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/history/history.h"

/* In place of the number of a write or an operation. */
#define WEB_NONE UINT32_MAX         /* there is none */
#define WEB_INIT (UINT32_MAX - 1)   /* it saw that there was nothing yet */
#define WEB_UNSURE (UINT32_MAX - 2) /* it saw some write; which one is not known */
#define WEB_FORK (UINT32_MAX - 3)   /* as a key: no operation, chain number @write begins here */

static inline bool web_is_write(uint32_t number)
{
	return number < WEB_FORK;
}

struct web_op {
	uint32_t index; /* in the history */
	uint32_t key;   /* number */
	uint32_t look;  /* number of the write that it saw, or one of the above */
	uint32_t write; /* its own number as a write; WEB_NONE */
};

struct web_write {
	uint32_t op;
	uint32_t chain;
};

struct web_chain {
	uint32_t session;
	uint32_t op; /* first .. end - 1 */
	uint32_t op_end;
	uint32_t write; /* likewise */
	uint32_t write_end;
	uint32_t parent; /* chain from which it forks at operation @fork; WEB_NONE */
	uint32_t fork;
};

/* The writes of one chain to one key: web.by_key[at .. end - 1], rising. */
struct web_share {
	uint32_t chain;
	uint32_t at;
	uint32_t end;
};

struct web {
	const struct history_ops *h;
	struct web_op *op;       /* owned */
	struct web_write *write; /* owned; by number */
	struct web_chain *chain; /* owned */
	struct web_share *share; /* owned */
	uint32_t *key_share; /* owned; by key number, first of its shares; one more at the end */
	uint32_t *by_key;    /* owned */
	uint32_t ops;
	uint32_t writes;
	uint32_t chains;
	uint32_t keys;
	uint32_t *unsure; /* owned; history indexes of the looks for which there is a choice */
	uint32_t unsures;
	uint32_t nowhere;  /* history index: saw a value that nobody wrote; WEB_NONE */
	uint32_t at_once;  /* history index: begun before its session's last one ended; WEB_NONE */
	uint32_t *look_at; /* owned; by history index: history index of the write that it saw */
	uint32_t *seen_by; /* owned; by history index: the look that shows that it took effect */
};

/**
 * web_build() - from the registers of a history
 * @guess:	NULL, or by history index: for a look with a choice the history index of the write
 *		that it is to have seen, WEB_INIT, or WEB_NONE to leave the choice open
 */
void web_build(struct web *w, const struct history_ops *h, const uint32_t *guess);
void web_destroy(struct web *w);

/* web_op_chain() - the chain of an operation. */
uint32_t web_op_chain(const struct web *w, uint32_t op);

/* web_last() - the last write of a share among the first @limit of its chain; WEB_NONE. */
uint32_t web_last(const struct web *w, const struct web_share *share, uint32_t limit);

/* web_writes() - whether an operation wrote, or may have. web_looks() - whether it saw a value. */
static inline bool web_writes(const struct history_op *op)
{
	return op->kind != HISTORY_READ && op->outcome != HISTORY_FAIL &&
	       (op->kind == HISTORY_WRITE || op->outcome == HISTORY_UNKNOWN || op->met);
}

static inline bool web_unmet(const struct history_op *op)
{
	return op->kind == HISTORY_CAS && op->outcome == HISTORY_OK && !op->met;
}

static inline bool web_looks(const struct history_op *op)
{
	return (op->kind == HISTORY_READ && op->outcome == HISTORY_OK) ||
	       (op->kind == HISTORY_CAS && op->outcome != HISTORY_FAIL);
}

/* The value that it saw, or for an unmet compare-and-set the one that it did not see. */
static inline uint64_t web_seen(const struct history_op *op)
{
	return op->kind == HISTORY_READ ? op->value : op->old;
}

/* web_may_see() - whether @write could be what @look saw, by key and value. */
static inline bool web_may_see(const struct history_op *look, const struct history_op *write)
{
	return web_writes(write) && look != write && look->key == write->key &&
	       (write->value == web_seen(look)) != web_unmet(look);
}

#endif
