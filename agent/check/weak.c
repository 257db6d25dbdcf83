/* SPDX-License-Identifier: MIT */
/*
 * weak.c - what the judges of models without real time are made of
 *
 * One rule makes all of them: if a session saw write A of a key while write B of the same key came
 * before, B must have been replaced by A, so B comes before A, too. If A comes before B already, or
 * if it saw nothing at all, there is the violation (the bad patterns of Bouajjani, Enea, Guerraoui
 * and Hamza, "On verifying causal consistency", POPL 2017). Only the last write of each chain to a
 * key need be looked at: the chain's earlier ones come before it.
 */
#include "agent/check/weak.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/check/models.h"

/* Operations from which on the fast check comes first. */
#define WEAK_LARGE 4096

bool weak_late(struct weak *k)
{
	if (!k->until_ns || clock_now_ns() < k->until_ns)
		return false;
	k->why = "the time for it is over";
	return true;
}

uint32_t weak_steps(const struct web *w, uint32_t chain)
{
	const struct web_chain *c = &w->chain[chain];
	uint32_t before = c->parent == WEB_NONE ? 0 : c->fork - w->chain[c->parent].op;

	return before + c->op_end - c->op;
}

uint32_t weak_step(const struct web *w, uint32_t chain, uint32_t i)
{
	const struct web_chain *c = &w->chain[chain];
	uint32_t before = c->parent == WEB_NONE ? 0 : c->fork - w->chain[c->parent].op;

	return i < before ? w->chain[c->parent].op + i : c->op + i - before;
}

enum check_verdict weak_flaw(struct weak *k, uint32_t look, uint32_t missed)
{
	uint32_t seen = k->w->op[look].look;

	k->flaw = (struct flaw){.kind = FLAW_NOTHING, .look = look, .seen = seen, .missed = missed};
	k->proof[look] = true;
	k->proof[k->w->write[missed].op] = true;
	if (web_is_write(seen)) {
		k->flaw.kind = FLAW_OLD;
		k->proof[k->w->write[seen].op] = true;
	}
	return CHECK_VIOLATION;
}

/* One look, when @now has come before it. */
static enum check_verdict weak_look(struct weak *k, uint32_t look, const uint32_t *now, bool edges)
{
	const struct web *w = k->w;
	struct past *p = &k->past;
	uint32_t seen = w->op[look].look;
	uint32_t key = w->op[look].key;
	const uint32_t *clock = web_is_write(seen) ? past_clock(p, seen) : NULL;

	for (uint32_t s = w->key_share[key]; s < w->key_share[key + 1]; s++) {
		const struct web_share *share = &w->share[s];
		uint32_t missed;

		if (now[share->chain] == 0 || (clock && clock[share->chain] >= now[share->chain]))
			continue;
		missed = web_last(w, share, now[share->chain]);
		if (missed == WEB_NONE || missed == seen)
			continue;
		if (!clock || past_before(p, seen, missed)) {
			weak_flaw(k, look, missed);
			weak_reach(k, missed, look);
			if (clock)
				weak_reach(k, seen, w->write[missed].op);
			return CHECK_VIOLATION;
		}
		if (edges && !past_has(p, clock, missed))
			past_add(p, missed, seen, look);
	}
	return CHECK_OK;
}

static enum check_verdict weak_step_at(struct weak *k, uint32_t at, uint32_t *now, bool edges)
{
	const struct web_op *op = &k->w->op[at];
	enum check_verdict verdict = CHECK_OK;
	uint32_t *own = NULL;

	if (web_is_write(op->look))
		past_join(&k->past, now, op->look);
	if (op->write != WEB_NONE) {
		past_join(&k->past, now, op->write);
		own = &now[k->w->write[op->write].chain];
	}
	/* What comes before the write of a compare-and-set comes before its look. */
	if (own)
		--*own;
	if (web_is_write(op->look) || op->look == WEB_INIT)
		verdict = weak_look(k, at, now, edges);
	if (own)
		++*own;
	return verdict;
}

enum check_verdict weak_scan(struct weak *k, uint32_t chain, bool edges)
{
	const struct web *w = k->w;
	uint32_t *now = calloc(w->chains + 1, sizeof *now);
	uint32_t steps = weak_steps(w, chain);
	enum check_verdict verdict = CHECK_OK;

	assert(now);
	for (uint32_t i = 0; i < steps && verdict == CHECK_OK; i++) {
		uint32_t at = weak_step(w, chain, i);

		if (w->op[at].key == WEB_FORK)
			continue;
		verdict = weak_step_at(k, at, now, edges);
	}
	free(now);
	return verdict;
}

enum check_verdict weak_saturate(struct weak *k, uint32_t chain, uint32_t view)
{
	for (;;) {
		uint32_t edges = k->past.edges;
		enum check_verdict verdict = weak_scan(k, chain, true);

		if (verdict != CHECK_OK || k->past.edges == edges)
			return verdict;
		if (weak_late(k))
			return CHECK_UNKNOWN;
		if (!past_run(&k->past, view))
			return weak_circle(k);
	}
}

/* What keeps to real time has one order for all; that is found out in a fraction of the time. */
static bool weak_keeps_time(const struct weak *k)
{
	uint64_t now = clock_now_ns();
	struct check_budget budget = {.memory_bytes = k->memory_bytes};
	struct check_result result;

	if (k->w->h->count < WEAK_LARGE || (k->until_ns && k->until_ns <= now))
		return false;
	budget.time_ns = k->until_ns ? (k->until_ns - now) / 4 + 1 : 0;
	return linearizable_ops.check(k->w->h, &budget, NULL, &result, NULL) == 0 &&
	       result.verdict == CHECK_OK;
}

enum check_verdict weak_agree(struct weak *k)
{
	enum check_verdict verdict = CHECK_OK;
	uint32_t edges;

	k->complete = weak_keeps_time(k);
	if (k->complete)
		return CHECK_OK;
	past_clear(&k->past);
	do {
		edges = k->past.edges;
		if (!past_run(&k->past, PAST_ALL))
			return weak_circle(k);
		for (uint32_t c = 0; c < k->w->chains && verdict == CHECK_OK; c++)
			verdict = weak_late(k) ? CHECK_UNKNOWN : weak_scan(k, c, true);
	} while (verdict == CHECK_OK && k->past.edges > edges);
	return verdict;
}

void weak_forget(struct weak *k)
{
	past_clear(&k->past);
	memset(k->proof, 0, k->w->ops * sizeof *k->proof);
}
