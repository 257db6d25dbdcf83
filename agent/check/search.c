/* SPDX-License-Identifier: MIT */
/*
 * search.c - linearizability of one register: depth-first just-in-time search with a memo
 *
 * Theory of operation
 *
 * Invocations and returns of the operations on one key stand in one order of time (an invocation
 * before a return of the same time: equal times mean concurrent). An operation takes effect at one
 * instant between its own two. The search walks over the *returns*: a configuration says that all
 * events before a certain return have happened, which of the pending operations have already taken
 * effect, which of the open ones (unknown outcome, pending for ever) have, and the value that the
 * register has. At a return whose operation has not taken effect yet, something has to: that
 * operation itself, or others before it ("just in time": Lowe, "Testing for linearizability", CCPE
 * 2017; the memo of configurations that were seen is his, too).
 *
 *  1. Operations that do not change the value take effect as soon as they can ("absorbed"): that
 *     takes nothing away from any continuation.
 *  2. A configuration that failed having used some of the open operations also fails having used
 *     more of them, everything else being equal ("dominance"): fewer are left to use.
 *  3. Operations that write and expect the same are interchangeable: of those that could be next,
 *     only the one that returns first is tried.
 *
 * A pending operation owns a slot, a bit, so a configuration is a few words. What stands in which
 * slot is kept by a cursor that walks over the events with the search, forward and back; the walk
 * back is never longer than the way that led there, so it costs nothing in the end.
 */
#include "agent/check/search.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"

#define SEARCH_WORDS_MAX (SEARCH_PENDING_MAX / 64)
#define SEARCH_OPEN_WORDS_MAX (SEARCH_OPEN_MAX / 64)
#define SEARCH_CONFIG_WORDS_MAX (1 + SEARCH_WORDS_MAX + SEARCH_OPEN_WORDS_MAX)
#define SEARCH_HEADS_MIN (1u << 10)
#define SEARCH_TURNS_PER_CLOCK 1024

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

/* A configuration: position and state in the first word, then the two sets. */
struct config {
	uint64_t word[SEARCH_CONFIG_WORDS_MAX];
};

/* Configurations one after another, each of s->stride words. */
struct pile {
	uint64_t *p; /* owned */
	size_t count;
	size_t cap;
};

/* An operation that could take effect next, or a return to be sorted. */
struct candidate {
	uint64_t rank;
	uint32_t op;
	uint32_t bit; /* in the set of pending or of open operations */
};

struct walk {
	struct search *s;
	const struct reg_op *op;
	uint64_t *rank; /* owned; by operation */
	/* Events in order of time: operation << 1 | is a return. Owned. */
	uint32_t *event;
	size_t events;
	/* The open operations, by invocation. */
	uint32_t open[SEARCH_OPEN_MAX];
	size_t opens;
	unsigned words;  /* of the set of pending operations */
	unsigned owords; /* of the set of open operations */
	unsigned stride;
	/* The cursor: all events before ->at have happened. */
	size_t at;
	size_t opened; /* open operations that have begun */
	uint32_t slot[SEARCH_PENDING_MAX];
	uint64_t pure[SEARCH_WORDS_MAX];
	uint64_t mutators[SEARCH_WORDS_MAX];
	struct candidate *candidate; /* owned; scratch */
	struct pile stack;
	struct pile memo;
	uint32_t *chain; /* owned; by configuration in the memo, the next of the same bucket */
	uint32_t *head;  /* owned; buckets */
	size_t heads;    /* a power of two */
};

static uint32_t config_at(const struct config *c)
{
	return (uint32_t)(c->word[0] >> 32);
}

static uint32_t config_state(const struct config *c)
{
	return (uint32_t)c->word[0];
}

static void config_set(struct config *c, size_t at, uint32_t state)
{
	c->word[0] = (uint64_t)at << 32 | state;
}

static bool bit_test(const uint64_t *set, unsigned i)
{
	return set[i / 64] >> (i % 64) & 1;
}

static void bit_set(uint64_t *set, unsigned i)
{
	set[i / 64] |= 1ull << (i % 64);
}

static void bit_clear(uint64_t *set, unsigned i)
{
	set[i / 64] &= ~(1ull << (i % 64));
}

/* Piles */

static void pile_push(struct pile *pile, const struct config *c, unsigned stride)
{
	if (pile->count == pile->cap) {
		pile->cap = pile->cap ? pile->cap * 2 : 256;
		pile->p = realloc(pile->p, pile->cap * stride * sizeof *pile->p);
		assert(pile->p);
	}
	memcpy(pile->p + pile->count++ * stride, c->word, stride * sizeof *pile->p);
}

static const uint64_t *pile_item(const struct pile *pile, size_t i, unsigned stride)
{
	return pile->p + i * stride;
}

/* Memo */

/* Over position, state and pending set; the open set is compared by inclusion. */
static size_t memo_bucket(const struct walk *w, const uint64_t *word)
{
	uint64_t x = word[0] * 0x9e3779b97f4a7c15ull;

	for (unsigned i = 1; i <= w->words; i++) {
		x ^= word[i];
		x ^= x >> 29;
		x *= 0xbf58476d1ce4e5b9ull;
	}
	x ^= x >> 32;
	return x & (w->heads - 1);
}

static void memo_rehash(struct walk *w, size_t heads)
{
	w->head = realloc(w->head, heads * sizeof *w->head);
	assert(w->head);
	w->heads = heads;
	memset(w->head, 0xff, heads * sizeof *w->head);
	for (size_t i = 0; i < w->memo.count; i++) {
		size_t bucket = memo_bucket(w, pile_item(&w->memo, i, w->stride));

		w->chain[i] = w->head[bucket];
		w->head[bucket] = (uint32_t)i;
	}
}

static bool memo_dominates(const struct walk *w, const uint64_t *seen, const struct config *c)
{
	if (memcmp(seen, c->word, (1 + w->words) * sizeof *seen) != 0)
		return false;
	for (unsigned i = 1 + w->words; i < w->stride; i++)
		if (seen[i] & ~c->word[i])
			return false;
	return true;
}

/* Whether @c is new; then it is remembered. */
static bool memo_visit(struct walk *w, const struct config *c)
{
	size_t bucket = memo_bucket(w, c->word);
	size_t cap = w->memo.cap;

	for (uint32_t i = w->head[bucket]; i != UINT32_MAX; i = w->chain[i])
		if (memo_dominates(w, pile_item(&w->memo, i, w->stride), c))
			return false;
	pile_push(&w->memo, c, w->stride);
	if (w->memo.cap != cap) {
		w->chain = realloc(w->chain, w->memo.cap * sizeof *w->chain);
		assert(w->chain);
	}
	w->chain[w->memo.count - 1] = w->head[bucket];
	w->head[bucket] = (uint32_t)(w->memo.count - 1);
	if (w->memo.count > w->heads)
		memo_rehash(w, w->heads * 2);
	return true;
}

/* Cursor */

static void cursor_begin(struct walk *w, uint32_t i)
{
	const struct reg_op *op = &w->op[i];

	if (op->open) {
		w->opened++;
		return;
	}
	w->slot[op->slot] = i;
	bit_set(reg_pure(op) ? w->pure : w->mutators, op->slot);
}

static void cursor_end(struct walk *w, uint32_t i)
{
	bit_clear(reg_pure(&w->op[i]) ? w->pure : w->mutators, w->op[i].slot);
}

static void cursor_forward(struct walk *w)
{
	uint32_t event = w->event[w->at++];

	if (event & 1)
		cursor_end(w, event >> 1);
	else
		cursor_begin(w, event >> 1);
}

static void cursor_back(struct walk *w)
{
	uint32_t event = w->event[--w->at];

	if (event & 1)
		cursor_begin(w, event >> 1);
	else if (w->op[event >> 1].open)
		w->opened--;
	else
		cursor_end(w, event >> 1);
}

/* Stop before the next return, or at the end. */
static void cursor_to_return(struct walk *w)
{
	while (w->at < w->events && !(w->event[w->at] & 1))
		cursor_forward(w);
}

static void cursor_to(struct walk *w, size_t at)
{
	while (w->at < at)
		cursor_forward(w);
	while (w->at > at)
		cursor_back(w);
}

/* Steps */

/* Rule 1: pending operations that only look, and see what they must. */
static void absorb(const struct walk *w, struct config *c)
{
	uint32_t state = config_state(c);

	for (unsigned i = 0; i < w->words; i++) {
		for (uint64_t rest = w->pure[i] & ~c->word[1 + i]; rest; rest &= rest - 1) {
			unsigned slot = i * 64 + (unsigned)__builtin_ctzll(rest);
			const struct reg_op *op = &w->op[w->slot[slot]];

			if (op->kind == REG_READ ? op->value == state : op->old != state)
				bit_set(c->word + 1, slot);
		}
	}
}

/* Pass all returns whose operation has taken effect. Return: false at the end of the history. */
static bool advance(struct walk *w, struct config *c)
{
	while (w->at < w->events) {
		unsigned slot = w->op[w->event[w->at] >> 1].slot;

		if (!bit_test(c->word + 1, slot))
			break;
		bit_clear(c->word + 1, slot);
		cursor_forward(w);
		cursor_to_return(w);
		absorb(w, c);
	}
	config_set(c, w->at, config_state(c));
	return w->at < w->events;
}

/* The value after an operation that changes it. */
static uint32_t state_after(const struct walk *w, const struct reg_op *op, uint32_t state)
{
	uint32_t to;

	if (op->kind != REG_APPEND)
		return op->value;
	to = pairs_get(w->s->r->edge, state, op->value);
	return to == PAIRS_NONE ? REG_OTHER : to;
}

/* Configuration @c after @next took effect goes on the stack. */
static void push_after(struct walk *w, const struct config *c, const struct candidate *next)
{
	const struct reg_op *op = &w->op[next->op];
	struct config after;

	memcpy(after.word, c->word, w->stride * sizeof *c->word);
	bit_set(after.word + 1 + (op->open ? w->words : 0), next->bit);
	config_set(&after, w->at, state_after(w, op, config_state(c)));
	absorb(w, &after);
	pile_push(&w->stack, &after, w->stride);
}

/*
 * Rule 3: of those that do the same, the one that returns first goes first. Where an order has
 * them the other way round, they can be exchanged in it.
 */
static void candidate_add(struct walk *w, size_t *count, uint32_t state, uint32_t op, unsigned bit)
{
	const struct reg_op *o = &w->op[op];
	struct candidate c = {.rank = w->rank[op], .op = op, .bit = bit};

	if (o->kind == REG_CAS && o->old != state)
		return;
	for (size_t i = 0; i < *count; i++) {
		const struct reg_op *other = &w->op[w->candidate[i].op];

		if (other->value != o->value || other->old != o->old || other->kind != o->kind)
			continue;
		if (o->t_return_ns < other->t_return_ns)
			w->candidate[i] = c;
		return;
	}
	w->candidate[(*count)++] = c;
}

/* The best comes last: it is pushed last and tried first. */
static void candidates_sort(struct walk *w, size_t count)
{
	for (size_t k = 1; k < count; k++) {
		struct candidate c = w->candidate[k];
		size_t i = k;

		for (; i > 0 && w->candidate[i - 1].rank < c.rank; i--)
			w->candidate[i] = w->candidate[i - 1];
		w->candidate[i] = c;
	}
}

static void push_successors(struct walk *w, const struct config *c)
{
	const uint64_t *used = c->word + 1 + w->words;
	uint32_t state = config_state(c);
	size_t count = 0;

	for (unsigned i = 0; i < w->words; i++) {
		for (uint64_t rest = w->mutators[i] & ~c->word[1 + i]; rest; rest &= rest - 1) {
			unsigned slot = i * 64 + (unsigned)__builtin_ctzll(rest);

			candidate_add(w, &count, state, w->slot[slot], slot);
		}
	}
	for (unsigned i = 0; i < w->opened; i++) {
		/* An open operation that changes nothing need not happen. */
		if (!bit_test(used, i) && state_after(w, &w->op[w->open[i]], state) != state)
			candidate_add(w, &count, state, w->open[i], i);
	}
	candidates_sort(w, count);
	for (size_t i = 0; i < count; i++)
		push_after(w, c, &w->candidate[i]);
}

/* Setting up */

static int event_compare(const void *a, const void *b)
{
	const struct candidate *x = a;
	const struct candidate *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->op < y->op ? -1 : x->op > y->op;
}

/* Merge invocations, which are sorted, with returns, which are sorted here, into w->event. */
static void walk_sort_events(struct walk *w, size_t count)
{
	struct candidate *ret = malloc((count + 1) * sizeof *ret);
	size_t returns = 0;
	size_t i = 0;
	size_t j = 0;

	assert(ret);
	for (size_t k = 0; k < count; k++)
		if (!w->op[k].open)
			ret[returns++] =
				(struct candidate){.rank = w->op[k].t_return_ns, .op = (uint32_t)k};
	qsort(ret, returns, sizeof *ret, event_compare);
	while (i < count || j < returns) {
		if (i < count && (j == returns || w->op[i].t_invoke_ns <= ret[j].rank))
			w->event[w->events++] = (uint32_t)i++ << 1;
		else
			w->event[w->events++] = ret[j++].op << 1 | 1;
	}
	free(ret);
}

/* Give each pending operation a slot. Return: slots needed, SEARCH_PENDING_MAX + 1: too many. */
static unsigned walk_assign_slots(struct walk *w, struct reg_op *op)
{
	uint16_t spare[SEARCH_PENDING_MAX];
	unsigned spares = 0;
	unsigned slots = 0;

	for (size_t i = 0; i < w->events; i++) {
		struct reg_op *o = &op[w->event[i] >> 1];

		if (o->open)
			continue;
		if (w->event[i] & 1)
			spare[spares++] = o->slot;
		else if (spares > 0)
			o->slot = spare[--spares];
		else if (slots == SEARCH_PENDING_MAX)
			return SEARCH_PENDING_MAX + 1;
		else
			o->slot = (uint16_t)slots++;
	}
	return slots;
}

static void walk_find_open(struct walk *w, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!w->op[i].open)
			continue;
		if (w->opens < SEARCH_OPEN_MAX)
			w->open[w->opens] = (uint32_t)i;
		w->opens++;
	}
}

/* Operations are tried in the order in which they return, unless the caller knows better. */
static void walk_rank(struct walk *w, size_t count)
{
	for (size_t i = 0; i < count; i++)
		w->rank[i] = w->s->rank ? w->s->rank[i] : w->op[i].t_return_ns;
}

/* Return: NULL, or why the question is too big. */
static const char *walk_init(struct walk *w, struct search *s)
{
	size_t count = s->r->count;
	unsigned slots;

	w->s = s;
	w->op = s->r->op;
	w->event = malloc((2 * count + 1) * sizeof *w->event);
	w->rank = malloc((count + 1) * sizeof *w->rank);
	w->candidate = malloc((SEARCH_PENDING_MAX + SEARCH_OPEN_MAX) * sizeof *w->candidate);
	assert(w->event && w->rank && w->candidate);
	walk_sort_events(w, count);
	walk_rank(w, count);
	slots = walk_assign_slots(w, s->r->op);
	if (slots > SEARCH_PENDING_MAX)
		return "more than " TEXT(SEARCH_PENDING_MAX) " operations were pending at one time";
	walk_find_open(w, count);
	if (w->opens > SEARCH_OPEN_MAX)
		return "more than " TEXT(SEARCH_OPEN_MAX) " operations of unknown outcome matter";
	w->words = (slots + 63) / 64;
	w->owords = (unsigned)(w->opens + 63) / 64;
	w->stride = 1 + w->words + w->owords;
	memo_rehash(w, SEARCH_HEADS_MIN);
	return NULL;
}

static void walk_fini(struct walk *w)
{
	free(w->event);
	free(w->rank);
	free(w->candidate);
	free(w->stack.p);
	free(w->memo.p);
	free(w->chain);
	free(w->head);
}

const char search_no_memory[] = "the memory allowed was used up";

/* Tell how many returns were passed that had never been. */
static void walk_tell(struct walk *w, size_t deepest)
{
	struct check_progress *progress = w->s->progress;

	if (!progress || deepest / 2 <= w->s->told)
		return;
	atomic_fetch_add(&progress->judged, deepest / 2 - w->s->told);
	w->s->told = deepest / 2;
}

/* Return: NULL, or which part of the budget is spent. */
static const char *walk_spent(const struct walk *w)
{
	const struct search *s = w->s;
	uint64_t words = (w->memo.cap + w->stack.cap) * w->stride;
	uint64_t bytes = words * sizeof(uint64_t) + (w->memo.cap + w->heads) * sizeof(uint32_t);

	if (s->memory_bytes && bytes > s->memory_bytes)
		return search_no_memory;
	if (w->memo.count >= UINT32_MAX - 1)
		return "the memo is full";
	if (s->ret_visited % SEARCH_TURNS_PER_CLOCK != 0)
		return NULL;
	if (s->stop && atomic_load(s->stop) < s->number)
		return "another key has settled it";
	if (s->until_ns && clock_now_ns() > s->until_ns)
		return "the time allowed was used up";
	return NULL;
}

static enum check_verdict walk_run(struct walk *w)
{
	struct config c = {0};
	size_t deepest = 0;

	cursor_to_return(w);
	if (w->at == w->events)
		return CHECK_OK;
	config_set(&c, w->at, REG_NOTHING);
	absorb(w, &c);
	pile_push(&w->stack, &c, w->stride);
	while (w->stack.count > 0) {
		w->s->ret_why = walk_spent(w);
		if (w->s->ret_why)
			return CHECK_UNKNOWN;
		w->s->ret_visited++;
		w->stack.count--;
		memcpy(c.word, pile_item(&w->stack, w->stack.count, w->stride),
			w->stride * sizeof *c.word);
		cursor_to(w, config_at(&c));
		if (!advance(w, &c))
			return CHECK_OK;
		if (w->at >= deepest) {
			if (w->at % 256 < 2)
				walk_tell(w, w->at);
			deepest = w->at;
			w->s->ret_deepest = w->event[w->at] >> 1;
		}
		if (memo_visit(w, &c))
			push_successors(w, &c);
	}
	return CHECK_VIOLATION;
}

enum check_verdict search_run(struct search *s)
{
	struct walk *w = calloc(1, sizeof *w);
	enum check_verdict verdict = CHECK_UNKNOWN;

	assert(w);
	s->ret_visited = 0;
	s->ret_why = walk_init(w, s);
	if (!s->ret_why)
		verdict = walk_run(w);
	walk_fini(w);
	free(w);
	return verdict;
}
