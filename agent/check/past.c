/* SPDX-License-Identifier: MIT */
/*
 * past.c - for each write of a web, the writes that came before it, as a vector clock
 *
 * Every chain is gone through until it meets a write that is not done: then it waits for it. What
 * still waits when nobody can go on, waits in a circle.
 */
#include "agent/check/past.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

uint64_t past_bytes(const struct web *w)
{
	uint64_t rows = (uint64_t)w->writes + w->chains;

	return (rows * w->chains + 2ull * w->writes + 3ull * w->chains) * sizeof(uint32_t);
}

static uint32_t *past_room(size_t count)
{
	uint32_t *p = malloc((count + 1) * sizeof *p);

	assert(p); /* past_bytes() has been held against the budget */
	return p;
}

void past_init(struct past *p, const struct web *w)
{
	*p = (struct past){.w = w};
	p->clock = past_room((size_t)w->writes * w->chains);
	p->now = past_room((size_t)w->chains * w->chains);
	p->head = past_room(w->writes);
	p->wait = past_room(w->writes);
	p->at = past_room(w->chains);
	p->next = past_room(w->chains);
	p->ready = past_room(w->chains);
	past_clear(p);
}

void past_fini(struct past *p)
{
	free(p->clock);
	free(p->now);
	free(p->head);
	free(p->wait);
	free(p->at);
	free(p->next);
	free(p->ready);
	free(p->edge);
	*p = (struct past){0};
}

void past_clear(struct past *p)
{
	for (uint32_t i = 0; i < p->w->writes; i++)
		p->head[i] = WEB_NONE;
	p->edges = p->clocked = 0;
}

void past_add(struct past *p, uint32_t from, uint32_t to, uint32_t look)
{
	for (uint32_t e = p->head[to]; e != WEB_NONE; e = p->edge[e].next)
		if (p->edge[e].from == from)
			return;
	if (p->edges == p->edges_max) {
		p->edges_max = p->edges_max ? p->edges_max * 2 : 64;
		p->edge = realloc(p->edge, p->edges_max * sizeof *p->edge);
		assert(p->edge);
	}
	p->edge[p->edges] = (struct past_edge){
		.from = from, .to = to, .look = look, .limit = p->clocked, .next = p->head[to]};
	p->head[to] = p->edges++;
}

void past_join(const struct past *p, uint32_t *into, uint32_t write)
{
	const uint32_t *clock = past_clock(p, write);

	if (past_has(p, into, write))
		return; /* who knows a write knows its past */
	for (uint32_t i = 0; i < p->w->chains; i++)
		into[i] = into[i] > clock[i] ? into[i] : clock[i];
}

bool past_sees(const struct past *p, uint32_t chain, uint32_t op)
{
	const struct web *w = p->w;

	if (p->view == PAST_ALL || w->op[op].write != WEB_NONE || p->view == chain)
		return true;
	if (p->view == PAST_ORDER)
		return false;
	return w->chain[p->view].parent == chain && op < w->chain[p->view].fork;
}

static bool past_done(const struct past *p, uint32_t write)
{
	return p->w->write[write].op < p->at[p->w->write[write].chain];
}

/* The first write for which an operation has to wait; WEB_NONE. */
static uint32_t past_awaits(const struct past *p, uint32_t chain, uint32_t op)
{
	const struct web_op *o = &p->w->op[op];

	if (web_is_write(o->look) && past_sees(p, chain, op) && !past_done(p, o->look))
		return o->look;
	if (o->write == WEB_NONE)
		return WEB_NONE;
	for (uint32_t e = p->head[o->write]; e != WEB_NONE; e = p->edge[e].next)
		if (!past_done(p, p->edge[e].from))
			return p->edge[e].from;
	return WEB_NONE;
}

static void past_clock_in(struct past *p, uint32_t chain, uint32_t op)
{
	const struct web_op *o = &p->w->op[op];
	uint32_t *now = p->now + (size_t)chain * p->w->chains;

	if (web_is_write(o->look) && past_sees(p, chain, op))
		past_join(p, now, o->look);
	if (o->write == WEB_NONE)
		return;
	for (uint32_t e = p->head[o->write]; e != WEB_NONE; e = p->edge[e].next)
		past_join(p, now, p->edge[e].from);
	now[chain] = o->write - p->w->chain[chain].write + 1;
	memcpy(p->clock + (size_t)o->write * p->w->chains, now, p->w->chains * sizeof *now);
}

static void past_fork(struct past *p, uint32_t chain, uint32_t child, bool clocks)
{
	size_t width = p->w->chains;

	if (clocks)
		memcpy(p->now + child * width, p->now + chain * width, width * sizeof *p->now);
	p->ready[p->readies++] = child;
}

/* Go on in a chain for as long as it goes. */
static void past_advance(struct past *p, uint32_t chain, bool clocks)
{
	const struct web *w = p->w;

	for (; p->at[chain] < w->chain[chain].op_end; p->at[chain]++) {
		const struct web_op *o = &w->op[p->at[chain]];
		uint32_t awaited;

		if (o->key == WEB_FORK) {
			past_fork(p, chain, o->write, clocks);
			continue;
		}
		awaited = past_awaits(p, chain, p->at[chain]);
		if (awaited != WEB_NONE) {
			p->next[chain] = p->wait[awaited];
			p->wait[awaited] = chain;
			return;
		}
		if (clocks)
			past_clock_in(p, chain, p->at[chain]);
		if (o->write == WEB_NONE)
			continue;
		for (uint32_t c = p->wait[o->write]; c != WEB_NONE; c = p->next[c])
			p->ready[p->readies++] = c;
		p->wait[o->write] = WEB_NONE;
	}
}

static bool past_walk(struct past *p, uint32_t view, bool clocks)
{
	const struct web *w = p->w;
	bool all = true;

	p->view = view;
	p->readies = 0;
	memset(p->wait, 0xff, w->writes * sizeof *p->wait);
	if (clocks)
		memset(p->now, 0, (size_t)w->chains * w->chains * sizeof *p->now);
	for (uint32_t c = w->chains; c-- > 0;) {
		p->at[c] = w->chain[c].op;
		if (w->chain[c].parent == WEB_NONE)
			p->ready[p->readies++] = c;
	}
	while (p->readies > 0)
		past_advance(p, p->ready[--p->readies], clocks);
	for (uint32_t c = 0; c < w->chains; c++)
		all &= p->at[c] == w->chain[c].op_end;
	return all;
}

bool past_run(struct past *p, uint32_t view)
{
	p->clocked = p->edges;
	return past_walk(p, view, true);
}

bool past_acyclic(struct past *p, uint32_t view)
{
	return past_walk(p, view, false);
}
