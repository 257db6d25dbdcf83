/* SPDX-License-Identifier: MIT */
/*
 * cycle.c - short cycles in the graph of transactions
 *
 * Strongly connected components are found in linear time (Tarjan, "Depth-first search and linear
 * graph algorithms", SIAM J. Comput. 1972); without one there is no cycle. In a component, a
 * breadth-first search from transactions with an edge that leads far back in time finds the
 * shortest cycle through them. Where no two anti-dependencies may follow each other, each node is
 * there twice: as reached by an anti-dependency, and as reached by anything else.
 */
#include <assert.h>
#include <stdlib.h>

#include "agent/check/graph.h"

#define CYCLE_STARTS 24             /* transactions to begin a search from */
#define CYCLE_VISITS_MAX (8u << 20) /* of states, in all searches together */
#define NO_STATE UINT32_MAX

struct cycle {
	const struct graph *g;
	unsigned kinds;
	bool apart;
	size_t states;
	uint32_t *component; /* owned; by state; 0: alone, so in no cycle */
	uint32_t *parent;    /* owned; state before in a search */
	uint32_t *via;       /* owned; edge by which it was reached */
	uint32_t *seen;      /* owned; number of the search that reached it last */
	uint32_t *queue;     /* owned; of one distance */
	uint32_t *next;      /* owned; of the next distance */
	uint32_t searches;
	size_t visits;
};

static uint32_t state_node(const struct cycle *c, uint32_t state)
{
	return c->apart ? state / 2 : state;
}

/* The state that an edge leads to from @state, NO_STATE if it must not be taken. */
static uint32_t state_after(const struct cycle *c, uint32_t state, const struct graph_edge *e)
{
	if (e->kind == GRAPH_PASS)
		return c->apart ? 2 * e->to + (state & 1) : e->to;
	if (!(c->kinds & GRAPH_BIT(e->kind)))
		return NO_STATE;
	if (!c->apart)
		return e->to;
	if (e->kind != GRAPH_RW)
		return 2 * e->to;
	return state & 1 ? NO_STATE : 2 * e->to + 1;
}

/* One frame of the depth-first search: a state and its next edge. */
struct frame {
	uint32_t state;
	uint32_t edge;
};

struct tarjan {
	struct cycle *c;
	uint32_t *number; /* owned; order of discovery from 1, 0: not yet */
	uint32_t *low;    /* owned */
	uint32_t *stack;  /* owned */
	size_t depth;
	struct frame *frame; /* owned */
	size_t frames;
	uint32_t numbers;
	uint32_t components;
};

#define TARJAN_DONE UINT32_MAX /* as low: its component is complete */

static void tarjan_enter(struct tarjan *t, uint32_t state)
{
	const struct cycle *c = t->c;

	t->number[state] = t->low[state] = ++t->numbers;
	t->stack[t->depth++] = state;
	t->frame[t->frames++] =
		(struct frame){.state = state, .edge = c->g->start[state_node(c, state)]};
}

static void tarjan_leave(struct tarjan *t, uint32_t state)
{
	bool alone = t->stack[t->depth - 1] == state;
	uint32_t member;

	t->frames--;
	if (t->frames > 0) {
		uint32_t above = t->frame[t->frames - 1].state;

		if (t->low[state] < t->low[above])
			t->low[above] = t->low[state];
	}
	if (t->low[state] != t->number[state])
		return;
	t->components += !alone;
	do {
		member = t->stack[--t->depth];
		t->low[member] = TARJAN_DONE;
		t->c->component[member] = alone ? 0 : t->components;
	} while (member != state);
}

static void tarjan_from(struct tarjan *t, uint32_t root)
{
	const struct cycle *c = t->c;

	tarjan_enter(t, root);
	while (t->frames > 0) {
		struct frame *f = &t->frame[t->frames - 1];
		uint32_t to;

		if (f->edge == c->g->start[state_node(c, f->state) + 1]) {
			tarjan_leave(t, f->state);
			continue;
		}
		to = state_after(c, f->state, &c->g->edge[f->edge++]);
		if (to == NO_STATE || (t->number[to] != 0 && t->low[to] == TARJAN_DONE))
			continue;
		if (t->number[to] == 0)
			tarjan_enter(t, to);
		else if (t->number[to] < t->low[f->state])
			t->low[f->state] = t->number[to];
	}
}

/* Return: whether there is a component of more than one state. */
static bool tarjan(struct cycle *c)
{
	struct tarjan t = {
		.c = c,
		.number = calloc(c->states + 1, sizeof *t.number),
		.low = malloc((c->states + 1) * sizeof *t.low),
		.stack = malloc((c->states + 1) * sizeof *t.stack),
		.frame = malloc((c->states + 1) * sizeof *t.frame),
	};

	assert(t.number && t.low && t.stack && t.frame);
	for (uint32_t s = 0; s < c->states; s++)
		if (t.number[s] == 0)
			tarjan_from(&t, s);
	free(t.number);
	free(t.low);
	free(t.stack);
	free(t.frame);
	return t.components > 0;
}

/* States of one distance to look at, and those one step further. */
struct front {
	size_t count;
	size_t further;
};

/* Look at what follows @s. Return: whether @start does. */
static bool search_expand(struct cycle *c, uint32_t s, uint32_t start, struct front *f)
{
	uint32_t node = state_node(c, s);

	for (uint32_t e = c->g->start[node]; e < c->g->start[node + 1]; e++) {
		uint32_t to = state_after(c, s, &c->g->edge[e]);

		if (to == NO_STATE || c->component[to] != c->component[start] ||
			c->seen[to] == c->searches)
			continue;
		c->seen[to] = c->searches;
		c->parent[to] = s;
		c->via[to] = e;
		if (to == start)
			return true;
		if (state_node(c, to) >= c->g->l->txns)
			c->queue[f->count++] = to;
		else
			c->next[f->further++] = to;
	}
	return false;
}

/*
 * The shortest way from @start back to itself, of less than @limit steps. A link of a chain is no
 * step. Return: its length, 0 if there is none; parent and via hold the way.
 */
static size_t search_back(struct cycle *c, uint32_t start, size_t limit)
{
	struct front f = {.count = 1};

	c->searches++;
	c->queue[0] = start;
	for (size_t distance = 1; f.count > 0 && distance < limit; distance++) {
		uint32_t *was = c->queue;

		for (size_t i = 0; i < f.count; i++) {
			if (c->visits++ > CYCLE_VISITS_MAX && limit != SIZE_MAX)
				return 0;
			if (search_expand(c, c->queue[i], start, &f))
				return distance;
		}
		c->queue = c->next;
		c->next = was;
		f = (struct front){.count = f.further};
	}
	return 0;
}

static void cycle_store(const struct cycle *c, uint32_t start, struct graph_cycle *ret)
{
	size_t length = ret->count;
	size_t at = length;
	uint32_t s = start;

	do {
		const struct graph_edge *e = &c->g->edge[c->via[s]];
		uint32_t from = c->parent[s];
		uint32_t node = state_node(c, from);

		if (node < c->g->l->txns) {
			at--;
			if (at < GRAPH_CYCLE_MAX)
				ret->step[at] = (struct graph_step){
					.txn = node, .key = e->key, .kind = e->kind};
		}
		s = from;
	} while (s != start);
	assert(at == 0);
}

/* How far back in time the edge leads that leads farthest. */
static uint64_t worst_edge(const struct cycle *c, uint32_t state)
{
	const struct lists *l = c->g->l;
	uint32_t node = state_node(c, state);
	uint64_t worst = 0;

	for (uint32_t e = c->g->start[node]; e < c->g->start[node + 1]; e++) {
		uint32_t to = state_after(c, state, &c->g->edge[e]);
		uint64_t begin = l->txn[node].t_invoke_ns;

		if (to == NO_STATE || c->component[to] != c->component[state] ||
			state_node(c, to) >= l->txns)
			continue;
		if (begin > l->txn[state_node(c, to)].t_invoke_ns &&
			begin - l->txn[state_node(c, to)].t_invoke_ns > worst)
			worst = begin - l->txn[state_node(c, to)].t_invoke_ns;
	}
	return worst;
}

/* Transactions in cycles: those with the worst edges first, then the first ones. */
static size_t choose_starts(const struct cycle *c, uint32_t *start)
{
	uint64_t worst[CYCLE_STARTS];
	size_t count = 0;

	for (uint32_t s = 0; s < c->states; s++) {
		uint64_t w;
		size_t i;

		if (!c->component[s] || state_node(c, s) >= c->g->l->txns)
			continue;
		w = worst_edge(c, s);
		if (count == CYCLE_STARTS && w <= worst[count - 1])
			continue;
		if (count < CYCLE_STARTS)
			count++;
		for (i = count - 1; i > 0 && worst[i - 1] < w; i--) {
			worst[i] = worst[i - 1];
			start[i] = start[i - 1];
		}
		worst[i] = w;
		start[i] = s;
	}
	return count;
}

/* The order of a session is one step, however many transactions are between. */
static void cycle_merge(struct graph_cycle *ret)
{
	size_t kept = 0;

	if (ret->count > GRAPH_CYCLE_MAX)
		return;
	for (size_t i = 0; i < ret->count; i++)
		if (i == 0 || ret->step[i - 1].kind != GRAPH_SESSION ||
			ret->step[i].kind != GRAPH_SESSION)
			ret->step[kept++] = ret->step[i];
	ret->count = kept;
}

static void cycle_shortest(struct cycle *c, struct graph_cycle *ret)
{
	uint32_t start[CYCLE_STARTS];
	size_t starts = choose_starts(c, start);
	size_t limit = SIZE_MAX;

	c->parent = malloc((c->states + 1) * sizeof *c->parent);
	c->via = malloc((c->states + 1) * sizeof *c->via);
	c->seen = calloc(c->states + 1, sizeof *c->seen);
	c->queue = malloc((c->states + 1) * sizeof *c->queue);
	c->next = malloc((c->states + 1) * sizeof *c->next);
	assert(c->parent && c->via && c->seen && c->queue && c->next && starts > 0);
	for (size_t i = 0; i < starts && limit > 2; i++) {
		size_t length = search_back(c, start[i], limit);

		if (length == 0)
			continue;
		limit = ret->count = length;
		cycle_store(c, start[i], ret);
	}
	free(c->parent);
	free(c->via);
	free(c->seen);
	free(c->queue);
	free(c->next);
}

bool graph_find(const struct graph *g, unsigned kinds, bool apart, struct graph_cycle *ret)
{
	struct cycle c = {
		.g = g,
		.kinds = kinds & g->kinds,
		.apart = apart,
		.states = apart ? 2 * g->nodes : g->nodes,
	};
	bool found;

	ret->count = 0;
	c.component = calloc(c.states + 1, sizeof *c.component);
	assert(c.component);
	found = tarjan(&c);
	if (found) {
		cycle_shortest(&c, ret);
		cycle_merge(ret);
	}
	free(c.component);
	return found;
}
