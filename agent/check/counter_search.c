/* SPDX-License-Identifier: MIT */
/*
 * counter_search.c - is there an order of the operations on one counter? Breadth first, by return
 *
 * See counter.c for what is searched. Ways that lead to the same mask at the same return are one.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/check/anomaly.h"
#include "agent/check/counter.h"

#define WAYS_MIN 64
#define WAYS_PER_LOOK 4096 /* between two looks at the clock */
#define SHRINK_NS (2 * NS_PER_S)

/* A set of masks, in order of entry and hashed. */
struct ways {
	uint64_t *mask; /* owned */
	size_t count;
	size_t room;
	uint32_t *slot; /* owned; 1 + index in mask, 0: free; 2 * room of them */
};

struct searcher {
	const struct history_ops *h;
	const struct counter_limits *limits;
	uint32_t pending[COUNTER_PENDING_MAX]; /* operation in each place of the mask */
	uint64_t used;                         /* places with one */
	uint64_t reads;                        /* places with a read */
	uint64_t settled;                      /* value of all that had returned; wraps */
	struct ways now;
	struct ways next;
	bool spent;
};

static size_t way_hash(uint64_t mask)
{
	mask ^= mask >> 31;
	mask *= 0x9e3779b97f4a7c15ull;
	return mask ^ mask >> 32;
}

static void ways_grow(struct ways *w)
{
	w->room = w->room ? 2 * w->room : WAYS_MIN;
	w->mask = realloc(w->mask, w->room * sizeof *w->mask);
	free(w->slot);
	w->slot = calloc(2 * w->room, sizeof *w->slot);
	assert(w->mask && w->slot);
	for (size_t i = 0; i < w->count; i++) {
		size_t s = way_hash(w->mask[i]) & (2 * w->room - 1);

		while (w->slot[s])
			s = (s + 1) & (2 * w->room - 1);
		w->slot[s] = (uint32_t)i + 1;
	}
}

static void ways_add(struct ways *w, uint64_t mask)
{
	size_t s;

	if (w->count == w->room)
		ways_grow(w);
	s = way_hash(mask) & (2 * w->room - 1);
	while (w->slot[s]) {
		if (w->mask[w->slot[s] - 1] == mask)
			return;
		s = (s + 1) & (2 * w->room - 1);
	}
	w->mask[w->count++] = mask;
	w->slot[s] = (uint32_t)w->count;
}

static void ways_clear(struct ways *w)
{
	w->count = 0;
	if (w->slot)
		memset(w->slot, 0, 2 * w->room * sizeof *w->slot);
}

static void ways_swap(struct ways *a, struct ways *b)
{
	struct ways was = *a;

	*a = *b;
	*b = was;
}

static void ways_fini(struct ways *w)
{
	free(w->mask);
	free(w->slot);
}

/* Take the reads that find their value now. */
static uint64_t way_read(const struct searcher *s, uint64_t mask)
{
	uint64_t value = s->settled;

	for (uint64_t left = mask & ~s->reads; left; left &= left - 1)
		value += s->h->op[s->pending[__builtin_ctzll(left)]].value;
	for (uint64_t left = s->reads & ~mask; left; left &= left - 1) {
		int place = __builtin_ctzll(left);

		if (s->h->op[s->pending[place]].value == value)
			mask |= 1ull << place;
	}
	return mask;
}

static bool out_of_limits(struct searcher *s)
{
	const struct counter_limits *l = s->limits;
	uint64_t bytes =
		(s->now.room + s->next.room) * (sizeof *s->now.mask + 2 * sizeof *s->now.slot);

	if (2 * bytes > l->bytes || s->now.count > UINT32_MAX / 4)
		s->spent = true;
	if (s->now.count % WAYS_PER_LOOK == 0 && l->until_ns && clock_now_ns() > l->until_ns)
		s->spent = true;
	return s->spent;
}

/* A place is free again: its operation is part of every way. */
static void settle(struct searcher *s, int place)
{
	uint64_t bit = 1ull << place;

	if (!(s->reads & bit))
		s->settled += s->h->op[s->pending[place]].value;
	s->used &= ~bit;
	s->reads &= ~bit;
}

/*
 * All ways to have had the effect of the operation in @place. Return: whether there is one.
 * Only an open read makes it worth while to let others go first.
 */
static bool advance(struct searcher *s, int place)
{
	uint64_t bit = 1ull << place;

	ways_clear(&s->next);
	for (size_t i = 0; i < s->now.count && !out_of_limits(s); i++) {
		uint64_t mask = s->now.mask[i];
		uint64_t left = s->used & ~s->reads & ~mask;

		if (mask & bit) {
			ways_add(&s->next, mask & ~bit);
			continue;
		}
		if ((s->reads & ~mask) == 0)
			left &= bit;
		for (; left; left &= left - 1)
			ways_add(&s->now, way_read(s, mask | (left & -left)));
	}
	settle(s, place);
	ways_swap(&s->now, &s->next);
	return s->now.count > 0;
}

static int place_of(const struct searcher *s, uint32_t index)
{
	for (int place = 0; place < COUNTER_PENDING_MAX; place++)
		if (s->used >> place & 1 && s->pending[place] == index)
			return place;
	return -1;
}

static bool begin(struct searcher *s, uint32_t index)
{
	int place = s->used == UINT64_MAX ? -1 : __builtin_ctzll(~s->used);
	bool read = s->h->op[index].kind == HISTORY_READ;

	if (place < 0)
		return false;
	s->pending[place] = index;
	s->used |= 1ull << place;
	s->reads |= (uint64_t)read << place;
	if (!read)
		return true;
	ways_clear(&s->next);
	for (size_t i = 0; i < s->now.count; i++)
		ways_add(&s->next, way_read(s, s->now.mask[i]));
	ways_swap(&s->now, &s->next);
	return true;
}

struct event {
	uint64_t t_ns;
	uint32_t index;
	bool end;
};

/* Equal times are concurrent: what begins comes first. */
static int by_time(const void *a, const void *b)
{
	const struct event *x = a;
	const struct event *y = b;

	if (x->t_ns != y->t_ns)
		return x->t_ns < y->t_ns ? -1 : 1;
	if (x->end != y->end)
		return x->end ? 1 : -1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static size_t events_build(
	const struct history_ops *h, const struct keys_group *g, struct event *event)
{
	size_t count = 0;

	for (size_t i = 0; i < g->count; i++) {
		const struct history_op *op = &h->op[g->index[i]];

		if (op->outcome == HISTORY_FAIL ||
			(op->outcome == HISTORY_UNKNOWN &&
				(op->kind == HISTORY_READ || op->value == 0)))
			continue;
		event[count++] = (struct event){op->t_invoke_ns, g->index[i], false};
		if (op->outcome == HISTORY_OK)
			event[count++] = (struct event){op->t_return_ns, g->index[i], true};
	}
	qsort(event, count, sizeof *event, by_time);
	return count;
}

enum check_verdict counter_search(const struct history_ops *h, const struct keys_group *g,
	const struct counter_limits *limits, struct counter_breach *ret)
{
	struct searcher s = {.h = h, .limits = limits};
	struct event *event = malloc((2 * g->count + 1) * sizeof *event);
	enum check_verdict verdict = CHECK_OK;
	size_t count;

	assert(event);
	count = events_build(h, g, event);
	ways_add(&s.now, 0);
	for (size_t i = 0; i < count && verdict == CHECK_OK; i++) {
		if (!event[i].end) {
			if (!begin(&s, event[i].index))
				verdict = CHECK_UNKNOWN;
			continue;
		}
		if (!advance(&s, place_of(&s, event[i].index)))
			verdict = CHECK_VIOLATION;
		if (s.spent)
			verdict = CHECK_UNKNOWN;
		ret->look = event[i].index;
	}
	ways_fini(&s.now);
	ways_fini(&s.next);
	free(event);
	return verdict;
}

/*
 * Reads can be left out without making a history worse, and so can increases that nobody could
 * have counted; any other increase must stay, as leaving it out could make a good read wrong.
 */
static bool is_needless(const struct history_op *op, const struct history_op *look)
{
	return op->t_invoke_ns > look->t_return_ns;
}

void counter_shrink(const struct history_ops *h, const struct keys_group *g,
	const struct counter_limits *limits, struct counter_breach *breach,
	struct check_result *ret)
{
	uint32_t *index = malloc((g->count + 1) * sizeof *index);
	struct counter_limits until = *limits;
	struct keys_group part = {.key = g->key, .index = index};
	struct counter_breach other;

	assert(index);
	until.until_ns = clock_now_ns() + SHRINK_NS;
	for (size_t i = 0; i < g->count; i++)
		if (!is_needless(&h->op[g->index[i]], &h->op[breach->look]))
			index[part.count++] = g->index[i];
	for (size_t i = part.count; i-- > 0 && clock_now_ns() < until.until_ns;) {
		uint32_t was = index[i];

		if (h->op[was].kind != HISTORY_READ || was == breach->look)
			continue;
		memmove(index + i, index + i + 1, (part.count - i - 1) * sizeof *index);
		part.count--;
		if (counter_search(h, &part, &until, &other) == CHECK_VIOLATION)
			continue;
		memmove(index + i + 1, index + i, (part.count - i) * sizeof *index);
		index[i] = was;
		part.count++;
	}
	anomaly_witness(ret, h, breach->look);
	for (size_t i = part.count; i-- > 0 && ret->witnesses < CHECK_WITNESS_MAX;)
		if (h->op[index[i]].outcome != HISTORY_FAIL)
			anomaly_witness(ret, h, index[i]);
	free(index);
}
