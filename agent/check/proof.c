/* SPDX-License-Identifier: MIT */
/*
 * proof.c - why one write comes before another: the operations through which it does
 *
 * The way is searched backwards and breadth first, counting the steps from one chain to another:
 * all of a chain before a place in it is as near as that place.
 */
#include <assert.h>
#include <stdlib.h>

#include "agent/check/weak.h"

/* A place in a chain that was reached, and how. */
struct place {
	uint32_t chain;
	uint32_t op;
	uint32_t via;    /* operation of the chain after that saw this one; WEB_NONE */
	uint32_t edge;   /* or the edge that was used; WEB_NONE */
	uint32_t before; /* the place from which it was reached; WEB_NONE: the beginning */
};

struct ways {
	struct weak *k;
	struct place *place; /* owned */
	uint32_t places;
	uint32_t places_max;
	uint32_t *reached; /* owned; by chain: operations before this one have been looked at */
	bool *used;        /* owned; by edge: it is to be proved, too */
};

static void ways_add(struct ways *s, struct place place)
{
	if (place.op < s->reached[place.chain])
		return;
	if (s->places == s->places_max) {
		s->places_max = s->places_max ? s->places_max * 2 : 64;
		s->place = realloc(s->place, s->places_max * sizeof *s->place);
		assert(s->place);
	}
	s->place[s->places++] = place;
}

static void ways_mark(struct ways *s, uint32_t at)
{
	for (; at != WEB_NONE; at = s->place[at].before) {
		const struct place *p = &s->place[at];

		s->k->proof[p->op] |= s->k->w->op[p->op].key != WEB_FORK;
		if (p->via != WEB_NONE)
			s->k->proof[p->via] = true;
		if (p->edge != WEB_NONE)
			s->used[p->edge] = true;
	}
}

/* All that leads to the operations of one chain at and before a place. */
static void ways_step(struct ways *s, uint32_t from, uint32_t limit)
{
	const struct past *p = &s->k->past;
	const struct web *w = s->k->w;
	const struct place here = s->place[from];
	const struct web_chain *chain = &w->chain[here.chain];
	uint32_t begin = s->reached[here.chain];

	if (here.op < begin)
		return;
	if (begin == chain->op && chain->parent != WEB_NONE)
		ways_add(s, (struct place){chain->parent, chain->fork, WEB_NONE, WEB_NONE, from});
	for (uint32_t i = here.op + 1; i-- > begin;) {
		const struct web_op *op = &w->op[i];
		uint32_t look = op->look;

		if (op->key == WEB_FORK)
			continue;
		if (web_is_write(look) && past_sees(p, here.chain, i))
			ways_add(s, (struct place){w->write[look].chain, w->write[look].op, i,
					    WEB_NONE, from});
		if (op->write == WEB_NONE)
			continue;
		for (uint32_t e = p->head[op->write]; e != WEB_NONE; e = p->edge[e].next) {
			const struct web_write *write = &w->write[p->edge[e].from];

			if (e < limit)
				ways_add(s, (struct place){write->chain, write->op, i, e, from});
		}
	}
	s->reached[here.chain] = here.op + 1;
}

static void ways_find(struct ways *s, uint32_t from, uint32_t op, uint32_t limit)
{
	const struct web *w = s->k->w;
	const struct web_write *goal = &w->write[from];

	s->places = 0;
	for (uint32_t c = 0; c < w->chains; c++)
		s->reached[c] = w->chain[c].op;
	s->k->proof[goal->op] = true;
	ways_add(s, (struct place){web_op_chain(w, op), op, WEB_NONE, WEB_NONE, WEB_NONE});
	for (uint32_t i = 0; i < s->places; i++) {
		if (s->place[i].chain == goal->chain && s->place[i].op >= goal->op) {
			ways_mark(s, i);
			return;
		}
		ways_step(s, i, limit);
	}
}

/* Prove the edges that were used; each rests on edges below its own limit only. */
static void ways_edges(struct ways *s)
{
	const struct past *p = &s->k->past;

	for (uint32_t e = p->edges; e-- > 0;) {
		const struct past_edge *edge = &p->edge[e];

		if (!s->used[e])
			continue;
		s->k->proof[s->k->w->write[edge->from].op] = true;
		s->k->proof[s->k->w->write[edge->to].op] = true;
		s->k->proof[edge->look] = true;
		ways_find(s, edge->from, edge->look, edge->limit);
	}
}

static struct ways ways_open(struct weak *k)
{
	struct ways s = {.k = k};

	s.reached = malloc((k->w->chains + 1) * sizeof *s.reached);
	s.used = calloc(k->past.edges + 1, sizeof *s.used);
	assert(s.reached && s.used);
	return s;
}

static void ways_close(struct ways *s)
{
	free(s->place);
	free(s->reached);
	free(s->used);
}

void weak_reach(struct weak *k, uint32_t from, uint32_t op)
{
	struct ways s = ways_open(k);

	ways_find(&s, from, op, k->past.clocked);
	ways_edges(&s);
	ways_close(&s);
}

/* What the operation at which @chain stands waits for: a write, and the edge if it is one. */
static uint32_t circle_awaits(const struct weak *k, uint32_t chain, uint32_t *ret_edge)
{
	const struct past *p = &k->past;
	const struct web_op *op = &k->w->op[p->at[chain]];

	*ret_edge = WEB_NONE;
	if (web_is_write(op->look) && past_sees(p, chain, p->at[chain])) {
		const struct web_write *seen = &k->w->write[op->look];

		if (seen->op >= p->at[seen->chain])
			return op->look;
	}
	for (uint32_t e = op->write == WEB_NONE ? WEB_NONE : p->head[op->write]; e != WEB_NONE;
		e = p->edge[e].next) {
		const struct web_write *from = &k->w->write[p->edge[e].from];

		if (from->op < p->at[from->chain])
			continue;
		*ret_edge = e;
		return p->edge[e].from;
	}
	return WEB_NONE;
}

/* The chain for which @chain waits. */
static uint32_t circle_next(struct ways *s, uint32_t chain, bool mark)
{
	const struct web *w = s->k->w;
	const struct web_chain *c = &w->chain[chain];
	uint32_t edge;
	uint32_t write;

	if (c->parent != WEB_NONE && s->k->past.at[c->parent] <= c->fork)
		return c->parent;
	write = circle_awaits(s->k, chain, &edge);
	assert(write != WEB_NONE);
	if (mark) {
		s->k->proof[s->k->past.at[chain]] = true;
		s->k->proof[w->write[write].op] = true;
		if (edge != WEB_NONE)
			s->used[edge] = true;
	}
	return w->write[write].chain;
}

enum check_verdict weak_circle(struct weak *k)
{
	const struct web *w = k->w;
	struct ways s = ways_open(k);
	uint32_t chain = 0;
	uint32_t first;

	while (k->past.at[chain] == w->chain[chain].op_end)
		chain++;
	/* After as many steps as there are chains it goes round. */
	for (uint32_t i = 0; i < w->chains; i++)
		chain = circle_next(&s, chain, false);
	first = chain;
	do
		chain = circle_next(&s, chain, true);
	while (chain != first);
	ways_edges(&s);
	ways_close(&s);
	k->flaw = (struct flaw){
		.kind = FLAW_CIRCLE, .look = WEB_NONE, .seen = WEB_NONE, .missed = WEB_NONE};
	return CHECK_VIOLATION;
}
