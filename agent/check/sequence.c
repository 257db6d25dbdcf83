/* SPDX-License-Identifier: MIT */
/*
 * sequence.c - a search for one order of all operations that keeps to each session's
 *
 * Depth first over how far each session is and what each key holds; configurations that led
 * nowhere are remembered by a hash of 128 bits. Three things keep it short:
 *
 * 1. What only looks and finds what it saw is taken at once: it changes nothing, so any order in
 *    which it comes later can be changed into one in which it comes now.
 * 2. A value that was written once is not overwritten while somebody still has to see it.
 * 3. A write waits for the writes that every order has before it (struct past_edge).
 *
 * Where orders are asked for that keep to the time of writes (->timed), nobody runs ahead: a write
 * waits until all are done that had ended before it began. One that is seen by a session late,
 * after what was written later, also waits for all of its key that had ended before that: they came
 * before what the session saw, so before this one, or the session would have seen them.
 *
 * Of the writes that may be next the one of the lowest rank is tried first, so that an order near
 * that of the ranks is found without going back.
 */
#include "agent/check/sequence.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/check/keys.h"
#include "agent/history/pairs.h"

#define SEQUENCE_STEPS_MAX (64u << 20)
#define SEQUENCE_LATE_STEPS 1024 /* between two looks at the clock */
#define NO_MOVE UINT32_MAX

/* A session: its acknowledged operations in order. */
struct line {
	uint32_t at; /* of run.order */
	uint32_t begin;
	uint32_t end;
};

/* An operation of unknown outcome, which may come at any time after those before it, or never. */
struct loose {
	uint32_t index;
	uint32_t line;
	uint32_t after; /* of run.order */
	bool done;
};

struct memo {
	uint64_t (*entry)[2];
	size_t mask;
	size_t count;
};

/* What was done, to be undone: an operation, and what its key held. */
struct done {
	uint32_t move;  /* line number, or lines + number of the loose one */
	uint32_t held;  /* value number */
	uint32_t tried; /* the next move after it was chosen in the frame before */
	bool choice;    /* it was chosen, not taken at once */
};

struct run {
	struct sequence *s;
	const struct history_ops *h;
	uint32_t *order;   /* owned; history indexes, line by line */
	struct line *line; /* owned */
	uint32_t lines;
	struct loose *loose; /* owned */
	uint32_t looses;
	uint32_t *key;   /* owned; by history index, number */
	uint32_t *seen;  /* owned; by history index, number of the value seen (or not to be seen) */
	uint32_t *wrote; /* owned; by history index, number of the value written */
	uint32_t *held;  /* owned; by key, number of its value */
	uint32_t *wanted; /* owned; by value number, looks that still have to see it */
	uint8_t *writers; /* owned; by value number, 0, 1 or more */
	bool *ready;      /* owned; by history index: it has been done */
	uint32_t *number; /* owned; by history index, number of the write in the web */
	uint32_t *ended;  /* owned; of ->timed: history indexes of acknowledged writes, by return */
	uint32_t *place;  /* owned; by history index, where in ->ended */
	uint32_t ends;
	uint32_t first;      /* in ->ended, of those that are not done */
	uint32_t *after;     /* owned; by place in ->ended, that of the next one of its key */
	uint32_t *key_first; /* owned; by key, place of the first that is not done */
	uint64_t *began_ns;  /* owned; by value number, when the write of it began */
	uint64_t *found_ns; /* owned; by value number: a write that had ended then came before it */
	uint32_t left;
	struct done *done; /* owned; a stack */
	size_t dones;
	size_t dones_max;
	struct memo memo;
	uint64_t hash[2];
	uint64_t steps;
};

static void *room(size_t count, size_t size)
{
	void *p = calloc(count + 1, size);

	assert(p);
	return p;
}

/* The finisher of MurmurHash3 over two numbers. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x =
		a * 0x9e3779b97f4a7c15ull ^ (b + 0x632be59bd9b4e019ull) * 0xd6e8feb86659fd93ull;

	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 33;
}

static void run_hash(struct run *r, uint64_t a, uint64_t b)
{
	r->hash[0] ^= mix(a, b);
	r->hash[1] ^= mix(b ^ 0x5555555555555555ull, a);
}

static void run_hash_held(struct run *r, uint32_t key)
{
	run_hash(r, 1ull << 40 | key, r->held[key]);
}

/* Return: whether the configuration is new. */
static bool memo_add(struct memo *m, const uint64_t hash[2])
{
	size_t i = hash[0] & m->mask;

	if (!m->entry || m->count * 3 > m->mask * 2) {
		struct memo was = *m;

		m->mask = was.entry ? was.mask * 2 + 1 : 1023;
		m->entry = room(m->mask, sizeof *m->entry);
		m->count = 0;
		for (size_t n = 0; was.entry && n <= was.mask; n++)
			if (was.entry[n][0] | was.entry[n][1])
				(void)memo_add(m, was.entry[n]);
		free(was.entry);
		i = hash[0] & m->mask;
	}
	while (m->entry[i][0] | m->entry[i][1]) {
		if (m->entry[i][0] == hash[0] && m->entry[i][1] == hash[1])
			return false;
		i = (i + 1) & m->mask;
	}
	memcpy(m->entry[i], hash, sizeof m->entry[i]);
	m->count++;
	return true;
}

static uint32_t move_index(const struct run *r, uint32_t move)
{
	if (move >= r->lines)
		return r->loose[move - r->lines].index;
	return r->line[move].at < r->line[move].end ? r->order[r->line[move].at] : NO_MOVE;
}

/* Of the writes in order of their return, the first that is not done. */
static void run_done_write(struct run *r, uint32_t key)
{
	while (r->first < r->ends && r->ready[r->ended[r->first]])
		r->first++;
	while (r->ends && r->key_first[key] < r->ends && r->ready[r->ended[r->key_first[key]]])
		r->key_first[key] = r->after[r->key_first[key]];
}

/* Whether what comes of its key after @index would have to come before. */
static bool run_is_found_late(const struct run *r, uint32_t index)
{
	uint32_t at = r->key_first[r->key[index]];

	while (at < r->ends && (r->ready[r->ended[at]] || r->ended[at] == index))
		at = r->after[at];
	return at < r->ends && r->h->op[r->ended[at]].t_return_ns < r->found_ns[r->wrote[index]];
}

static bool run_is_early(const struct run *r, uint32_t index)
{
	if (r->ends && web_writes(&r->h->op[index]) && run_is_found_late(r, index))
		return true;
	return r->first < r->ends &&
	       r->h->op[index].t_invoke_ns > r->h->op[r->ended[r->first]].t_return_ns;
}

static bool run_accepts(const struct run *r, uint32_t index)
{
	const struct history_op *op = &r->h->op[index];
	uint32_t held = r->held[r->key[index]];

	if (!web_looks(op))
		return true;
	return (held == r->seen[index]) != web_unmet(op);
}

/* Whether a write would destroy what somebody still has to see, or comes before its time. */
static bool run_must_wait(const struct run *r, uint32_t index)
{
	const struct past *p = r->s->p;
	uint32_t held = r->held[r->key[index]];
	uint32_t number = r->number[index];
	uint32_t wanted = r->wanted[held];

	if (web_looks(&r->h->op[index]) && r->seen[index] == held &&
		r->h->op[index].outcome == HISTORY_OK)
		wanted--;
	if ((r->writers[held] <= 1 && wanted > 0) || run_is_early(r, index))
		return true;
	for (uint32_t e = number == WEB_NONE ? WEB_NONE : p->head[number]; e != WEB_NONE;
		e = p->edge[e].next) {
		const struct web *w = r->s->w;
		uint32_t from = w->op[w->write[p->edge[e].from].op].index;

		if (!r->ready[from])
			return true;
	}
	return false;
}

static void run_hash_move(struct run *r, uint32_t move)
{
	if (move < r->lines)
		run_hash(r, move, r->line[move].at);
	else
		run_hash(r, move, 0);
}

static void run_do(struct run *r, uint32_t move, bool choice)
{
	uint32_t index = move_index(r, move);
	const struct history_op *op = &r->h->op[index];
	uint32_t key = r->key[index];

	if (r->dones == r->dones_max) {
		r->dones_max = r->dones_max ? r->dones_max * 2 : 1024;
		r->done = realloc(r->done, r->dones_max * sizeof *r->done);
		assert(r->done);
	}
	r->done[r->dones++] =
		(struct done){.move = move, .held = r->held[key], .tried = move, .choice = choice};
	run_hash_move(r, move);
	r->ready[index] = true;
	if (op->outcome == HISTORY_OK) {
		r->left--;
		if (web_looks(op) && !web_unmet(op))
			r->wanted[r->seen[index]]--;
	}
	if (move < r->lines) {
		r->line[move].at++;
		run_hash_move(r, move);
	} else {
		r->loose[move - r->lines].done = true;
	}
	if (!web_writes(op))
		return;
	run_hash_held(r, key);
	r->held[key] = r->wrote[index];
	run_hash_held(r, key);
	run_done_write(r, key);
}

static struct done run_undo(struct run *r)
{
	struct done d = r->done[--r->dones];
	const struct history_op *op;
	uint32_t index;
	uint32_t key;

	if (d.move < r->lines) {
		run_hash_move(r, d.move);
		r->line[d.move].at--;
	} else {
		r->loose[d.move - r->lines].done = false;
	}
	run_hash_move(r, d.move);
	index = move_index(r, d.move);
	op = &r->h->op[index];
	key = r->key[index];
	r->ready[index] = false;
	if (op->outcome == HISTORY_OK) {
		r->left++;
		if (web_looks(op) && !web_unmet(op))
			r->wanted[r->seen[index]]++;
	}
	if (web_writes(op)) {
		run_hash_held(r, key);
		r->held[key] = d.held;
		run_hash_held(r, key);
		if (r->ends && r->place[index] < r->first)
			r->first = r->place[index];
		if (r->ends && r->place[index] < r->key_first[key])
			r->key_first[key] = r->place[index];
	}
	return d;
}

/* Take all that only looks and finds what it saw. */
static void run_absorb(struct run *r)
{
	bool again = true;

	while (again) {
		again = false;
		for (uint32_t i = 0; i < r->lines; i++) {
			uint32_t index = move_index(r, i);

			while (index != NO_MOVE && !web_writes(&r->h->op[index]) &&
				run_accepts(r, index)) {
				run_do(r, i, false);
				index = move_index(r, i);
			}
		}
	}
}

static bool run_may(const struct run *r, uint32_t move)
{
	uint32_t index = move_index(r, move);

	if (index == NO_MOVE || !web_writes(&r->h->op[index]))
		return false;
	if (move >= r->lines) {
		const struct loose *l = &r->loose[move - r->lines];

		if (l->done || r->line[l->line].at < l->after)
			return false;
	}
	return run_accepts(r, index) && !run_must_wait(r, index);
}

static bool move_before(const struct run *r, uint32_t a, uint32_t b)
{
	uint64_t x = r->s->rank[move_index(r, a)];
	uint64_t y = r->s->rank[move_index(r, b)];

	return x != y ? x < y : a < b;
}

/* The move to try after @tried; NO_MOVE. */
static uint32_t run_next(const struct run *r, uint32_t tried)
{
	uint32_t best = NO_MOVE;

	for (uint32_t i = 0; i < r->lines + r->looses; i++) {
		if (!run_may(r, i) || (tried != NO_MOVE && !move_before(r, tried, i)))
			continue;
		if (best == NO_MOVE || move_before(r, i, best))
			best = i;
	}
	return best;
}

static bool run_is_over(struct run *r)
{
	struct sequence *s = r->s;
	uint64_t bytes =
		(r->memo.mask + 1) * sizeof *r->memo.entry + r->dones_max * sizeof *r->done;

	if (s->memory_bytes && bytes > s->memory_bytes)
		s->ret_why = "the search for an order takes more memory than was given";
	if (r->steps >= (s->steps ? s->steps : SEQUENCE_STEPS_MAX))
		s->ret_why = "the search for an order was given up";
	if (r->steps % SEQUENCE_LATE_STEPS == 0 && s->until_ns && clock_now_ns() >= s->until_ns)
		s->ret_why = "the time for the search for an order is over";
	r->steps++;
	return s->ret_why != NULL;
}

static enum check_verdict run_search(struct run *r)
{
	uint32_t tried = NO_MOVE;

	run_absorb(r);
	for (;;) {
		uint32_t next;

		if (r->left == 0)
			return CHECK_OK;
		if (run_is_over(r))
			return CHECK_UNKNOWN;
		next = run_next(r, tried);
		if (next != NO_MOVE) {
			run_do(r, next, true);
			run_absorb(r);
			tried = NO_MOVE;
			if (memo_add(&r->memo, r->hash))
				continue;
		}
		/* Back to the last choice. */
		for (;;) {
			struct done d;

			if (r->dones == 0)
				return CHECK_VIOLATION;
			d = run_undo(r);
			if (!d.choice)
				continue;
			tried = d.tried;
			break;
		}
	}
}

static void run_values(struct run *r)
{
	const struct history_ops *h = r->h;
	struct pairs values = {0};
	struct pairs keys = {0};
	uint32_t count;
	uint32_t key_count = 0;

	for (size_t i = 0; i < h->count; i++) {
		r->key[i] = pairs_put(&keys, h->op[i].key, 0, key_count);
		key_count += r->key[i] == key_count;
	}
	count = key_count; /* value number @key: nothing in this key */
	r->wanted = room(key_count + 2 * h->count, sizeof *r->wanted);
	r->writers = room(key_count + 2 * h->count, sizeof *r->writers);
	r->held = room(key_count, sizeof *r->held);
	for (uint32_t i = 0; i < key_count; i++)
		r->held[i] = i;
	for (size_t i = 0; i < h->count; i++) {
		const struct history_op *op = &h->op[i];

		if (web_looks(op)) {
			r->seen[i] = web_seen(op) == 0
					     ? r->key[i]
					     : pairs_put(&values, r->key[i], web_seen(op), count);
			count += r->seen[i] == count;
			if (op->outcome == HISTORY_OK && !web_unmet(op))
				r->wanted[r->seen[i]]++;
		}
		if (web_writes(op)) {
			r->wrote[i] = pairs_put(&values, r->key[i], op->value, count);
			count += r->wrote[i] == count;
			if (r->writers[r->wrote[i]] < 2)
				r->writers[r->wrote[i]]++;
		}
	}
	pairs_fini(&values);
	pairs_fini(&keys);
}

/* Sessions one after the other, by invocation. */
static void run_lines(struct run *r)
{
	const struct history_ops *h = r->h;
	uint32_t *by_time = keys_order(h);
	struct pairs sessions = {0};
	uint32_t *of = room(h->count, sizeof *of);

	for (size_t i = 0; i < h->count; i++) {
		of[i] = pairs_put(&sessions, h->op[by_time[i]].session, 0, r->lines);
		r->lines += of[i] == r->lines;
	}
	r->line = room(r->lines, sizeof *r->line);
	r->loose = room(h->count, sizeof *r->loose);
	for (size_t i = 0; i < h->count; i++)
		r->line[of[i]].end += h->op[by_time[i]].outcome == HISTORY_OK;
	for (uint32_t l = 0, at = 0; l < r->lines; l++) {
		uint32_t count = r->line[l].end;

		r->line[l] = (struct line){.at = at, .begin = at, .end = at};
		at += count;
	}
	for (size_t i = 0; i < h->count; i++) {
		struct line *l = &r->line[of[i]];

		if (h->op[by_time[i]].outcome == HISTORY_OK)
			r->order[l->end++] = by_time[i];
		else if (web_writes(&h->op[by_time[i]]))
			r->loose[r->looses++] =
				(struct loose){.index = by_time[i], .line = of[i], .after = l->end};
	}
	for (uint32_t l = 0; l < r->lines; l++)
		r->left += r->line[l].end - r->line[l].begin;
	free(of);
	free(by_time);
	pairs_fini(&sessions);
}

struct ended {
	uint64_t t_ns;
	uint32_t index;
};

static int by_time(const void *a, const void *b)
{
	const struct ended *x = a, *y = b;

	return (x->t_ns > y->t_ns) - (x->t_ns < y->t_ns);
}

/* What a session has written, or seen the writes of, came before what it sees next. */
static void run_found(struct run *r, const struct line *line)
{
	uint64_t latest_ns = 0;

	for (uint32_t at = line->begin; at < line->end; at++) {
		uint32_t index = r->order[at];
		const struct history_op *op = &r->h->op[index];
		bool sees = web_looks(op) && !web_unmet(op);

		if (web_writes(op) && op->t_invoke_ns > latest_ns)
			latest_ns = op->t_invoke_ns;
		if (sees && r->began_ns[r->seen[index]] > latest_ns)
			latest_ns = r->began_ns[r->seen[index]];
		if (sees && latest_ns > r->found_ns[r->seen[index]])
			r->found_ns[r->seen[index]] = latest_ns;
	}
}

static void run_ended(struct run *r)
{
	const struct history_ops *h = r->h;
	struct ended *all = room(h->count, sizeof *all);

	r->ended = room(h->count, sizeof *r->ended);
	r->place = room(h->count, sizeof *r->place);
	r->after = room(h->count, sizeof *r->after);
	r->key_first = room(h->count, sizeof *r->key_first);
	r->began_ns = room(3 * h->count, sizeof *r->began_ns);
	r->found_ns = room(3 * h->count, sizeof *r->found_ns);
	memset(r->key_first, 0xff, h->count * sizeof *r->key_first);
	memset(r->place, 0xff, h->count * sizeof *r->place);
	for (uint32_t i = 0; r->s->timed && i < h->count; i++)
		if (h->op[i].outcome == HISTORY_OK && web_writes(&h->op[i]))
			all[r->ends++] = (struct ended){h->op[i].t_return_ns, i};
	qsort(all, r->ends, sizeof *all, by_time);
	for (uint32_t i = r->ends; i-- > 0;) {
		uint32_t key = r->key[all[i].index];

		r->ended[i] = all[i].index;
		r->place[all[i].index] = i;
		r->after[i] = r->key_first[key];
		r->key_first[key] = i;
		r->began_ns[r->wrote[all[i].index]] = h->op[all[i].index].t_invoke_ns;
	}
	free(all);
	for (uint32_t l = 0; r->ends && l < r->lines; l++)
		run_found(r, &r->line[l]);
}

enum check_verdict sequence_find(struct sequence *s)
{
	const struct web *w = s->w;
	struct run r = {.s = s, .h = w->h};
	enum check_verdict verdict;

	r.order = room(r.h->count, sizeof *r.order);
	r.key = room(r.h->count, sizeof *r.key);
	r.seen = room(r.h->count, sizeof *r.seen);
	r.wrote = room(r.h->count, sizeof *r.wrote);
	r.ready = room(r.h->count, sizeof *r.ready);
	r.number = room(r.h->count, sizeof *r.number);
	memset(r.number, 0xff, r.h->count * sizeof *r.number);
	for (uint32_t i = 0; i < w->writes; i++)
		r.number[w->op[w->write[i].op].index] = i;
	run_values(&r);
	run_lines(&r);
	run_ended(&r);
	s->ret_why = NULL;
	verdict = run_search(&r);
	free(r.order);
	free(r.line);
	free(r.loose);
	free(r.key);
	free(r.seen);
	free(r.wrote);
	free(r.held);
	free(r.wanted);
	free(r.writers);
	free(r.ready);
	free(r.number);
	free(r.ended);
	free(r.place);
	free(r.after);
	free(r.key_first);
	free(r.began_ns);
	free(r.found_ns);
	free(r.done);
	free(r.memo.entry);
	return verdict;
}
