/* SPDX-License-Identifier: MIT */
/*
 * grow.c - a session whose knowledge grows: what it saw, and all that comes before it
 *
 * Monotonic writes and writes-follow-reads say what a replica has if it has a certain write. A
 * session on registers shows what a replica has one value at a time, and only if what it sees is
 * monotonic can two looks be held against each other; so both are judged together with monotonic
 * reads. Each key has one order of its writes for the session. What it saw is the last of what it
 * knew in this order; so a write that it knew when it saw another one is older than that one, and
 * must not be seen later.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/check/weak.h"

/* From operation @at on, @count writes of a chain were known; all such steps of a chain are
 * linked, the last first. */
struct step {
	uint32_t at;
	uint32_t count;
	uint32_t before; /* WEB_NONE */
};

struct grown {
	uint32_t *now;     /* owned; by chain: writes known */
	uint32_t *head;    /* owned; by chain: the last step */
	uint32_t *last;    /* owned; by key: the look before; WEB_NONE */
	struct step *step; /* owned */
	uint32_t steps;
	uint32_t steps_max;
};

static struct grown *grown_open(const struct web *w)
{
	struct grown *g = calloc(1, sizeof *g);

	assert(g);
	g->now = calloc(w->chains + 1, sizeof *g->now);
	g->head = malloc((w->chains + 1) * sizeof *g->head);
	g->last = malloc((w->keys + 1) * sizeof *g->last);
	assert(g->now && g->head && g->last);
	memset(g->head, 0xff, (w->chains + 1) * sizeof *g->head);
	memset(g->last, 0xff, (w->keys + 1) * sizeof *g->last);
	return g;
}

static void grown_close(struct grown *g)
{
	free(g->now);
	free(g->head);
	free(g->last);
	free(g->step);
	free(g);
}

static void grow_by(const struct weak *k, struct grown *g, uint32_t at, uint32_t write)
{
	const uint32_t *clock = past_clock(&k->past, write);

	if (past_has(&k->past, g->now, write))
		return;
	for (uint32_t c = 0; c < k->w->chains; c++) {
		if (clock[c] <= g->now[c])
			continue;
		if (g->steps == g->steps_max) {
			g->steps_max = g->steps_max ? g->steps_max * 2 : 1024;
			g->step = realloc(g->step, g->steps_max * sizeof *g->step);
			assert(g->step);
		}
		g->now[c] = clock[c];
		g->step[g->steps] =
			(struct step){.at = at, .count = clock[c], .before = g->head[c]};
		g->head[c] = g->steps++;
	}
}

/* The operation from which on @write was known. */
static uint32_t grown_since(const struct weak *k, const struct grown *g, uint32_t write)
{
	uint32_t chain = k->w->write[write].chain;
	uint32_t place = write - k->w->chain[chain].write;
	uint32_t since = WEB_NONE;

	for (uint32_t s = g->head[chain]; s != WEB_NONE && g->step[s].count > place;
		s = g->step[s].before)
		since = g->step[s].at;
	return since;
}

/* Prove that the chain knew @write, and say that @look is a flaw because of @missed. */
static enum check_verdict grow_flaw(
	struct weak *k, const struct grown *g, uint32_t look, uint32_t known, uint32_t missed)
{
	const struct web *w = k->w;
	uint32_t since = grown_since(k, g, known);
	uint32_t source = w->op[since].look;

	k->proof[since] = true;
	weak_reach(k, known, w->write[source].op);
	return weak_flaw(k, look, missed);
}

static enum check_verdict grow_look(struct weak *k, struct grown *g, uint32_t at)
{
	const struct web *w = k->w;
	const struct web_op *op = &w->op[at];
	uint32_t last = g->last[op->key];
	bool certain = web_is_write(op->look);

	/* A chain's operations are numbered in order; but a fork's come after its parent's. */
	if (certain && last != WEB_NONE && w->op[last].look != op->look &&
		past_has(&k->past, g->now, op->look) && grown_since(k, g, op->look) <= last) {
		k->proof[last] = true;
		return grow_flaw(k, g, at, op->look, w->op[last].look);
	}
	if (certain)
		grow_by(k, g, at, op->look);
	for (uint32_t s = w->key_share[op->key]; s < w->key_share[op->key + 1]; s++) {
		uint32_t known = web_last(w, &w->share[s], g->now[w->share[s].chain]);

		if (known == WEB_NONE || known == op->look)
			continue;
		if (certain && !past_before(&k->past, op->look, known))
			continue;
		if (certain)
			weak_reach(k, op->look, w->write[known].op);
		return grow_flaw(k, g, at, known, known);
	}
	if (certain)
		g->last[op->key] = at;
	return CHECK_OK;
}

static enum check_verdict grow(struct weak *k, uint32_t chain, struct grown *g)
{
	const struct web *w = k->w;
	uint32_t steps = weak_steps(w, chain);
	enum check_verdict verdict = CHECK_OK;

	for (uint32_t i = 0; i < steps && verdict == CHECK_OK; i++) {
		const struct web_op *op = &w->op[weak_step(w, chain, i)];

		if (op->key != WEB_FORK && (op->look == WEB_INIT || web_is_write(op->look)))
			verdict = grow_look(k, g, weak_step(w, chain, i));
	}
	for (uint32_t i = 0; i < steps; i++) {
		const struct web_op *op = &w->op[weak_step(w, chain, i)];

		if (op->key != WEB_FORK)
			g->last[op->key] = WEB_NONE;
	}
	memset(g->now, 0, w->chains * sizeof *g->now);
	memset(g->head, 0xff, w->chains * sizeof *g->head);
	g->steps = 0;
	return verdict;
}

enum check_verdict weak_grow(struct weak *k, uint32_t view)
{
	enum check_verdict verdict = CHECK_OK;
	struct grown *g;

	if (!past_run(&k->past, view))
		return weak_circle(k);
	g = grown_open(k->w);
	for (uint32_t c = 0; c < k->w->chains && verdict == CHECK_OK; c++)
		verdict = weak_late(k) ? CHECK_UNKNOWN : grow(k, c, g);
	grown_close(g);
	return verdict;
}
