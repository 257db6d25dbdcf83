/* SPDX-License-Identifier: MIT */
/*
 * graph.h - which transaction must have come before which, and cycles in that
 *
 * The dependencies are those of Adya ("Weak Consistency: A Generalized Theory", MIT 1999): a
 * transaction appended after another (ww), read what another appended (wr), or did not see what
 * another appended (rw, an anti-dependency). To these come the order of sessions and of real time.
 * The graph is linear in the history: real time is a chain of instants, each after the
 * transactions that had returned and before those that began later; and appends that nobody saw,
 * which are after all that was seen and without an order among themselves, hang on chains, too.
 */
#ifndef CHECK_GRAPH_H
#define CHECK_GRAPH_H

#include "agent/check/check.h"
#include "agent/check/lists.h"

enum graph_kind {
	GRAPH_WW,
	GRAPH_WR,
	GRAPH_RW,
	GRAPH_SESSION,
	GRAPH_TIME,
	GRAPH_PASS, /* out of a link of a chain: what came into the chain goes on */
	GRAPH_KIND_NR
};
#define GRAPH_BIT(kind) (1u << (kind))
#define GRAPH_DEPENDENCIES (GRAPH_BIT(GRAPH_WW) | GRAPH_BIT(GRAPH_WR) | GRAPH_BIT(GRAPH_RW))

/* Not a kind: take it that appends to a key that nobody saw were made in the order they began. */
#define GRAPH_GUESS GRAPH_BIT(GRAPH_KIND_NR)

#define GRAPH_CYCLE_MAX (CHECK_WITNESS_MAX / 2) /* some steps take a read that shows them */
#define GRAPH_KEY_MASK ((1u << 29) - 1)

struct graph_edge {
	uint32_t to;
	uint32_t key : 29; /* number of the key that a dependency is about */
	uint32_t kind : 3;
};

/* The first lists.txns nodes are the transactions, the others links of chains. */
struct graph {
	const struct lists *l;
	unsigned kinds;          /* bits of what to take; PASS always is */
	uint32_t *start;         /* owned; edge[start[n] .. start[n + 1] - 1] go out of node n */
	struct graph_edge *edge; /* owned */
	size_t nodes;
};

/* graph_build() - with the edges of @kinds. graph_bytes() - what that takes, at most. */
void graph_build(struct graph *g, const struct lists *l, unsigned kinds);
void graph_destroy(struct graph *g);
size_t graph_bytes(const struct lists *l);

/* graph_has_rivals() - whether two transactions appended to one key what nobody saw. */
bool graph_has_rivals(const struct lists *l);

/* One step of a cycle: from a transaction to that of the next step. */
struct graph_step {
	uint32_t txn;
	uint32_t key;
	enum graph_kind kind;
};

/**
 * struct graph_cycle - transactions, each of which must have come before the next
 * @count:	steps in the whole cycle; the first GRAPH_CYCLE_MAX of them are in @step
 */
struct graph_cycle {
	struct graph_step step[GRAPH_CYCLE_MAX];
	size_t count;
};

/**
 * graph_find() - a short cycle of edges of @kinds
 * @apart:	no two anti-dependencies may follow each other
 *
 * Return: whether there is one. It goes through an edge that leads far back in time, if one does,
 * and is the shortest through that edge, its steps along one session made one.
 */
bool graph_find(const struct graph *g, unsigned kinds, bool apart, struct graph_cycle *ret);

#endif
