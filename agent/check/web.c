/* SPDX-License-Identifier: MIT */
/* web.c - what the sessions of a history did one after the other, and who saw whose write */
#include "agent/check/web.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/check/keys.h"
#include "agent/history/pairs.h"

#define STATE_TWICE 1  /* another operation wrote the same value to the same key */
#define STATE_ACTIVE 2 /* it surely took effect */

/* What is needed only while a web is built; by history index where not said otherwise. */
struct weaving {
	struct web *w;
	const struct history_ops *h;
	const uint32_t *guess;
	struct pairs keys;    /* key: number */
	struct pairs writers; /* key number, value: history index of the first writer */
	uint32_t *order;      /* by invocation */
	uint32_t *key;        /* number */
	uint8_t *state;
	uint32_t *number; /* of the write */
	uint32_t *stack;  /* active, what it saw is not active yet */
	size_t stacked;
};

static void *room(size_t count, size_t size)
{
	void *p = malloc((count + 1) * size);

	assert(p); /* a history has a limit; without memory for it nothing goes on */
	return p;
}

static void weave_values(struct weaving *k)
{
	const struct history_ops *h = k->h;

	for (size_t i = 0; i < h->count; i++) {
		uint32_t at = k->order[i];
		const struct history_op *op = &h->op[at];
		uint32_t first;

		k->key[at] = pairs_put(&k->keys, op->key, 0, k->w->keys);
		k->w->keys += k->key[at] == k->w->keys;
		k->state[at] = 0;
		if (!web_writes(op))
			continue;
		first = pairs_put(&k->writers, k->key[at], op->value, at);
		if (first != at)
			k->state[first] |= STATE_TWICE;
	}
}

/* Whether anybody could have been seen by an unmet compare-and-set; nothing else rules it out. */
static bool weave_is_free(const struct weaving *k, uint32_t at)
{
	const struct history_op *op = &k->h->op[at];

	return op->old != 0 && pairs_get(&k->writers, k->key[at], op->old) == PAIRS_NONE;
}

/* The history index of the write that an operation saw, or one of WEB_... */
static uint32_t weave_look(const struct weaving *k, uint32_t at, bool *ret_nowhere)
{
	const struct history_op *op = &k->h->op[at];
	uint32_t writer;

	if (!web_looks(op) || (web_unmet(op) && weave_is_free(k, at)))
		return WEB_NONE;
	if (k->guess && k->guess[at] != WEB_NONE)
		return k->guess[at];
	if (web_unmet(op))
		return WEB_UNSURE;
	if (web_seen(op) == 0)
		return WEB_INIT;
	writer = pairs_get(&k->writers, k->key[at], web_seen(op));
	if (writer == PAIRS_NONE) {
		*ret_nowhere = true;
		return WEB_NONE;
	}
	return k->state[writer] & STATE_TWICE ? WEB_UNSURE : writer;
}

static bool weave_has_choice(const struct weaving *k, uint32_t at)
{
	const struct history_op *op = &k->h->op[at];
	uint32_t writer;

	if (!web_looks(op))
		return false;
	if (web_unmet(op))
		return !weave_is_free(k, at);
	writer = pairs_get(&k->writers, k->key[at], web_seen(op));
	return web_seen(op) != 0 && writer != PAIRS_NONE && k->state[writer] & STATE_TWICE;
}

static void weave_activate(struct weaving *k, uint32_t at, uint32_t by)
{
	if (k->state[at] & STATE_ACTIVE)
		return;
	k->state[at] |= STATE_ACTIVE;
	k->w->seen_by[at] = by;
	k->stack[k->stacked++] = at;
}

/* Who saw what; and of the operations of unknown outcome, which were seen. */
static void weave_looks(struct weaving *k)
{
	struct web *w = k->w;
	size_t choices = 0;

	for (size_t i = 0; i < k->h->count; i++)
		choices += weave_has_choice(k, k->order[i]);
	w->unsure = room(choices, sizeof *w->unsure);
	for (size_t i = 0; i < k->h->count; i++) {
		w->look_at[k->order[i]] = w->seen_by[k->order[i]] = WEB_NONE;
		if (weave_has_choice(k, k->order[i]))
			w->unsure[w->unsures++] = k->order[i];
		if (k->h->op[k->order[i]].outcome == HISTORY_OK)
			weave_activate(k, k->order[i], WEB_NONE);
	}
	for (size_t i = 0; i < k->stacked; i++) {
		uint32_t at = k->stack[i];
		bool nowhere = false;

		w->look_at[at] = weave_look(k, at, &nowhere);
		if (nowhere && w->nowhere == WEB_NONE)
			w->nowhere = at;
		if (web_is_write(w->look_at[at]))
			weave_activate(k, w->look_at[at], at);
	}
}

static void weave_add(struct weaving *k, struct web_chain *chain, uint32_t at)
{
	struct web *w = k->w;
	struct web_op *op = &w->op[w->ops++];

	*op = (struct web_op){
		.index = at, .key = k->key[at], .look = w->look_at[at], .write = WEB_NONE};
	if (web_writes(&k->h->op[at])) {
		w->write[w->writes] =
			(struct web_write){.op = w->ops - 1, .chain = (uint32_t)(chain - w->chain)};
		op->write = k->number[at] = w->writes++;
	}
	chain->op_end = w->ops;
	chain->write_end = w->writes;
}

static struct web_chain *weave_chain(struct web *w, uint32_t session)
{
	struct web_chain *chain = &w->chain[w->chains++];

	*chain = (struct web_chain){.session = session,
		.op = w->ops,
		.op_end = w->ops,
		.write = w->writes,
		.write_end = w->writes,
		.parent = WEB_NONE};
	return chain;
}

/* One session's operations, @index[0 .. count - 1]; those that fork off are left for later. */
static void weave_session(struct weaving *k, const uint32_t *index, size_t count)
{
	struct web *w = k->w;
	struct web_chain *chain = weave_chain(w, k->h->op[index[0]].session);
	uint64_t ended_ns = 0;
	size_t last = 0;

	for (size_t i = 0; i < count; i++)
		if (k->state[index[i]] & STATE_ACTIVE)
			last = i;
	for (size_t i = 0; i < count; i++) {
		const struct history_op *op = &k->h->op[index[i]];

		if (op->t_invoke_ns < ended_ns && w->at_once == WEB_NONE)
			w->at_once = index[i];
		if (op->outcome != HISTORY_UNKNOWN && op->t_return_ns > ended_ns)
			ended_ns = op->t_return_ns;
		if (!(k->state[index[i]] & STATE_ACTIVE) || op->outcome == HISTORY_FAIL)
			continue;
		if (op->outcome == HISTORY_UNKNOWN && i < last) {
			w->op[w->ops++] = (struct web_op){.index = index[i],
				.key = WEB_FORK,
				.look = WEB_NONE,
				.write = WEB_NONE};
			chain->op_end = w->ops;
			continue;
		}
		weave_add(k, chain, index[i]);
	}
}

static void weave_forks(struct weaving *k)
{
	struct web *w = k->w;
	uint32_t sessions = w->chains;

	for (uint32_t c = 0; c < sessions; c++) {
		for (uint32_t i = w->chain[c].op; i < w->chain[c].op_end; i++) {
			struct web_chain *fork;

			if (w->op[i].key != WEB_FORK)
				continue;
			w->op[i].write = w->chains;
			fork = weave_chain(w, w->chain[c].session);
			fork->parent = c;
			fork->fork = i;
			weave_add(k, fork, w->op[i].index);
		}
	}
}

/* Bring the operations of each session together. */
static void weave_sessions(struct weaving *k)
{
	struct pairs numbers = {0};
	size_t count = k->h->count;
	uint32_t *session = room(count, sizeof *session);
	uint32_t *index = room(count, sizeof *index);
	size_t *at = room(count, sizeof *at);
	uint32_t sessions = 0;
	size_t opens = 0;

	for (size_t i = 0; i <= count; i++)
		at[i] = 0;
	for (size_t i = 0; i < count; i++) {
		const struct history_op *op = &k->h->op[k->order[i]];

		session[i] = pairs_put(&numbers, op->session, 0, sessions);
		sessions += session[i] == sessions;
		at[session[i]]++;
		opens += op->outcome == HISTORY_UNKNOWN;
	}
	for (size_t s = 0, from = 0; s <= sessions; s++) {
		size_t n = s < sessions ? at[s] : 0;

		at[s] = from;
		from += n;
	}
	for (size_t i = 0; i < count; i++)
		index[at[session[i]]++] = k->order[i];
	k->w->op = room(count + opens, sizeof *k->w->op);
	k->w->write = room(count, sizeof *k->w->write);
	k->w->chain = room(sessions + opens, sizeof *k->w->chain);
	for (size_t s = 0; s < sessions; s++) {
		size_t from = s ? at[s - 1] : 0;

		weave_session(k, index + from, at[s] - from);
	}
	weave_forks(k);
	free(session);
	free(index);
	free(at);
	pairs_fini(&numbers);
}

/* From history indexes to numbers of writes. */
static void weave_numbers(struct weaving *k)
{
	for (uint32_t i = 0; i < k->w->ops; i++) {
		struct web_op *op = &k->w->op[i];

		if (op->key != WEB_FORK && web_is_write(op->look))
			op->look = k->number[op->look];
	}
}

static void weave_shares(struct web *w)
{
	uint32_t *at = room(w->keys, sizeof *at);
	uint32_t share = 0;

	w->by_key = room(w->writes, sizeof *w->by_key);
	w->key_share = room(w->keys, sizeof *w->key_share);
	memset(at, 0, (w->keys + 1) * sizeof *at);
	for (uint32_t i = 0; i < w->writes; i++)
		at[w->op[w->write[i].op].key + 1]++;
	for (uint32_t key = 0; key < w->keys; key++)
		at[key + 1] += at[key];
	for (uint32_t i = 0; i < w->writes; i++)
		w->by_key[at[w->op[w->write[i].op].key]++] = i;
	w->share = room(w->writes, sizeof *w->share);
	for (uint32_t key = 0, i = 0; key < w->keys; key++) {
		w->key_share[key] = share;
		for (; i < at[key]; i++) {
			uint32_t chain = w->write[w->by_key[i]].chain;

			if (share == w->key_share[key] || w->share[share - 1].chain != chain)
				w->share[share++] = (struct web_share){.chain = chain, .at = i};
			w->share[share - 1].end = i + 1;
		}
	}
	w->key_share[w->keys] = share;
	free(at);
}

void web_build(struct web *w, const struct history_ops *h, const uint32_t *guess)
{
	struct weaving k = {.w = w, .h = h, .guess = guess, .order = keys_order(h)};

	*w = (struct web){.h = h, .nowhere = WEB_NONE, .at_once = WEB_NONE};
	k.key = room(h->count, sizeof *k.key);
	k.state = room(h->count, sizeof *k.state);
	k.number = room(h->count, sizeof *k.number);
	k.stack = room(h->count, sizeof *k.stack);
	w->look_at = room(h->count, sizeof *w->look_at);
	w->seen_by = room(h->count, sizeof *w->seen_by);
	weave_values(&k);
	weave_looks(&k);
	pairs_fini(&k.writers);
	pairs_fini(&k.keys);
	free(k.stack);
	weave_sessions(&k);
	weave_numbers(&k);
	weave_shares(w);
	free(k.order);
	free(k.key);
	free(k.state);
	free(k.number);
}

void web_destroy(struct web *w)
{
	free(w->op);
	free(w->write);
	free(w->chain);
	free(w->share);
	free(w->key_share);
	free(w->by_key);
	free(w->unsure);
	free(w->look_at);
	free(w->seen_by);
	*w = (struct web){0};
}

uint32_t web_op_chain(const struct web *w, uint32_t op)
{
	uint32_t low = 0;
	uint32_t high = w->chains;

	/* Chains without operations lie between others; the last that begins at or before @op. */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (w->chain[middle].op <= op)
			low = middle;
		else
			high = middle;
	}
	return low;
}

uint32_t web_last(const struct web *w, const struct web_share *share, uint32_t limit)
{
	uint32_t end = w->chain[share->chain].write + limit;
	uint32_t low = share->at;
	uint32_t high = share->end;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (w->by_key[middle] < end)
			low = middle + 1;
		else
			high = middle;
	}
	return low == share->at ? WEB_NONE : w->by_key[low - 1];
}
