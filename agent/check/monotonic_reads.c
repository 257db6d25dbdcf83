/* SPDX-License-Identifier: MIT */
/*
 * monotonic_reads.c - what a session sees never gets older (Terry and others, PDIS 1994)
 *
 * Older than what it saw before of the same key is what is surely so: nothing at all, what it saw
 * replaced before, what a session wrote earlier, and what a compare-and-set replaced.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/check/models.h"
#include "agent/check/weak.h"

/* What one chain saw so far: by place of the key, a clock of it and all that is older. */
struct seen {
	struct weak *k;
	uint32_t *place;  /* owned; by key, its place; WEB_NONE */
	uint32_t *last;   /* owned; by key, the look before */
	uint32_t *clock;  /* owned; row by place */
	uint32_t *looked; /* owned; by place, the key */
	uint32_t places;
	uint32_t places_max;
};

static uint32_t *seen_clock(struct seen *s, uint32_t key)
{
	size_t width = s->k->w->chains;

	if (s->place[key] == WEB_NONE) {
		if (s->places == s->places_max) {
			s->places_max = s->places_max ? s->places_max * 2 : 64;
			s->clock = realloc(s->clock, s->places_max * width * sizeof *s->clock);
			s->looked = realloc(s->looked, s->places_max * sizeof *s->looked);
			assert(s->clock && s->looked);
		}
		s->place[key] = s->places;
		s->looked[s->places] = key;
		memset(s->clock + s->places * width, 0, width * sizeof *s->clock);
		s->places++;
	}
	return s->clock + s->place[key] * width;
}

/* The look at @key before operation @op, because of which write @seen was known to be older. */
static uint32_t seen_newer(const struct seen *s, uint32_t chain, uint32_t op, uint32_t seen)
{
	const struct web *w = s->k->w;

	for (uint32_t i = 0;; i++) {
		uint32_t at = weak_step(w, chain, i);
		uint32_t look = w->op[at].look;

		assert(at != op);
		if (w->op[at].key == w->op[op].key && web_is_write(look) && look != seen &&
			past_before(&s->k->past, seen, look))
			return look;
	}
}

/* The write seen between an earlier look at @seen and @op. */
static uint32_t seen_between(const struct seen *s, uint32_t chain, uint32_t op, uint32_t seen)
{
	const struct web *w = s->k->w;
	uint32_t first = WEB_NONE;

	for (uint32_t i = 0;; i++) {
		uint32_t at = weak_step(w, chain, i);
		uint32_t look = w->op[at].look;

		if (at == op)
			return WEB_NONE;
		if (w->op[at].key != w->op[op].key || !web_is_write(look))
			continue;
		if (look == seen)
			first = at;
		else if (first != WEB_NONE) {
			s->k->proof[first] = s->k->proof[at] = true;
			return look;
		}
	}
}

static enum check_verdict seen_flaw(struct seen *s, uint32_t chain, uint32_t op)
{
	const struct web *w = s->k->w;
	uint32_t seen = w->op[op].look;
	uint32_t newer = seen_between(s, chain, op, seen);

	if (newer == WEB_NONE) {
		newer = seen_newer(s, chain, op, seen);
		weak_reach(s->k, seen, w->write[newer].op);
		for (uint32_t i = 0; weak_step(w, chain, i) != op; i++) {
			if (w->op[weak_step(w, chain, i)].look != newer)
				continue;
			s->k->proof[weak_step(w, chain, i)] = true;
			break;
		}
	}
	return weak_flaw(s->k, op, newer);
}

static enum check_verdict seen_look(struct seen *s, uint32_t chain, uint32_t at)
{
	const struct web_op *op = &s->k->w->op[at];
	uint32_t *clock;
	uint32_t last;

	if (op->key == WEB_FORK || (op->look != WEB_INIT && !web_is_write(op->look)))
		return CHECK_OK;
	last = s->last[op->key];
	if (op->look == WEB_INIT) {
		if (last == WEB_NONE)
			return CHECK_OK;
		s->k->proof[last] = true;
		return weak_flaw(s->k, at, s->k->w->op[last].look);
	}
	clock = seen_clock(s, op->key);
	if ((last == WEB_NONE || s->k->w->op[last].look != op->look) &&
		past_has(&s->k->past, clock, op->look))
		return seen_flaw(s, chain, at);
	past_join(&s->k->past, clock, op->look);
	s->last[op->key] = at;
	return CHECK_OK;
}

static enum check_verdict mr_judge(struct weak *k)
{
	struct seen s = {.k = k};
	enum check_verdict verdict = CHECK_OK;

	if (!past_run(&k->past, PAST_ORDER))
		return weak_circle(k);
	s.place = malloc((k->w->keys + 1) * sizeof *s.place);
	s.last = malloc((k->w->keys + 1) * sizeof *s.last);
	assert(s.place && s.last);
	memset(s.place, 0xff, (k->w->keys + 1) * sizeof *s.place);
	memset(s.last, 0xff, (k->w->keys + 1) * sizeof *s.last);
	for (uint32_t c = 0; c < k->w->chains && verdict == CHECK_OK; c++) {
		uint32_t steps = weak_steps(k->w, c);

		for (uint32_t i = 0; i < steps && verdict == CHECK_OK; i++)
			verdict = seen_look(&s, c, weak_step(k->w, c, i));
		for (uint32_t i = 0; i < s.places; i++)
			s.place[s.looked[i]] = s.last[s.looked[i]] = WEB_NONE;
		s.places = 0;
		if (verdict == CHECK_OK && weak_late(k))
			verdict = CHECK_UNKNOWN;
	}
	free(s.place);
	free(s.last);
	free(s.clock);
	free(s.looked);
	return verdict;
}

static int mr_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	return weak_check(mr_judge, h, budget, names, ret, err);
}

static const char *const mr_implies[] = {NULL};

const struct check_ops monotonic_reads_ops = {
	.name = "monotonic-reads",
	.summary = "what a session sees never gets older",
	.type = CHECK_REGISTER,
	.implies = mr_implies,
	.check = mr_check,
};
