/* SPDX-License-Identifier: MIT */
/*
 * past.h - for each write of a web, the writes that came before it, as a vector clock
 *
 * What "before" means is chosen by a *view*: the order in each session and, for a compare-and-set,
 * what it replaced, always; what a session saw, for all sessions (causal order), for one, or none.
 * Edges that a checker derived can be added. The clock of a write has an entry for each chain: how
 * many of the chain's first writes came before it or are it. Time O(n k), memory 4 k bytes a
 * write, for n operations in k chains.
 */
#ifndef CHECK_PAST_H
#define CHECK_PAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/check/web.h"

/* Views other than "what chain number so-and-so saw". */
#define PAST_ALL UINT32_MAX
#define PAST_ORDER (UINT32_MAX - 1)

/* Write @from comes before write @to: because of operation @look, if edges below @limit hold,
 * which the clocks knew when it was added. */
struct past_edge {
	uint32_t from;
	uint32_t to;
	uint32_t look;
	uint32_t limit;
	uint32_t next; /* of the edges to the same write; WEB_NONE */
};

struct past {
	const struct web *w;
	uint32_t view;
	uint32_t *clock; /* owned; row by write */
	uint32_t *now;   /* owned; row by chain */
	uint32_t *head;  /* owned; by write: last edge to it; WEB_NONE */
	uint32_t *at;    /* owned; by chain: the operation that is next */
	uint32_t *wait;  /* owned; by write: first chain that waits for it */
	uint32_t *next;  /* owned; by chain: another that waits for the same */
	uint32_t *ready; /* owned; chains that may go on */
	uint32_t readies;
	struct past_edge *edge; /* owned */
	uint32_t edges;
	uint32_t edges_max;
	uint32_t clocked; /* the first edges, which the clocks know */
};

/* past_bytes() - what it will take. */
uint64_t past_bytes(const struct web *w);

void past_init(struct past *p, const struct web *w);
void past_fini(struct past *p);

/* past_run() - fill the clocks under a view and all edges. Return: false if there is a cycle. */
bool past_run(struct past *p, uint32_t view);

/* past_acyclic() - the same, but the clocks stay as they are: is there a cycle? */
bool past_acyclic(struct past *p, uint32_t view);

/* past_add() - an edge, unless it is there. past_clear() - remove all. */
void past_add(struct past *p, uint32_t from, uint32_t to, uint32_t look);
void past_clear(struct past *p);

/* past_sees() - whether what operation @op of @chain saw counts in the view. */
bool past_sees(const struct past *p, uint32_t chain, uint32_t op);

static inline const uint32_t *past_clock(const struct past *p, uint32_t write)
{
	return p->clock + (size_t)write * p->w->chains;
}

/* past_has() - whether write @a is in @clock. */
static inline bool past_has(const struct past *p, const uint32_t *clock, uint32_t a)
{
	uint32_t chain = p->w->write[a].chain;

	return clock[chain] > a - p->w->chain[chain].write;
}

/* past_before() - whether write @a comes before @b, or is it. */
static inline bool past_before(const struct past *p, uint32_t a, uint32_t b)
{
	return past_has(p, past_clock(p, b), a);
}

/* past_join() - let @into know what the clock of @write knows. */
void past_join(const struct past *p, uint32_t *into, uint32_t write);

#endif
