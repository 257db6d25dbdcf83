/* SPDX-License-Identifier: MIT */
/*
 * mutual_exclusion.c - no two sessions believe to hold the same lock at once
 *
 * A lock is a register in which an odd value is the token of who holds it (agent/load/lock.h), so
 * only histories that keep this convention are judged, when they are asked for. A session believes
 * to hold a lock from the return of the operation that told it so: of a compare-and-set to its
 * token, or of a read that showed the token that it has written itself. It believes so until it
 * begins its next operation on the lock that is not another such read, or for ever. What is held
 * after an unknown outcome is held by nobody who knows of it.
 *
 * That is weaker than what linearizability of the register says, and what its users care for: both
 * may go on to do what only one should.
 */
#include <assert.h>
#include <stdlib.h>

#include "agent/base/clock.h"
#include "agent/check/keys.h"
#include "agent/check/models.h"
#include "agent/check/words.h"
#include "agent/history/pairs.h"

/* From when until when, and the operations that say so. */
struct hold {
	uint64_t begin_ns;
	uint64_t end_ns; /* UINT64_MAX: for ever */
	uint32_t told;
	uint32_t ended; /* PAIRS_NONE: never */
};

struct holds {
	const struct history_ops *h;
	struct hold *hold; /* owned */
	uint32_t count;
	struct pairs open;  /* session -> number of the hold that it has, or had last */
	struct pairs wrote; /* session -> operation that wrote its token last */
};

static bool is_token(uint64_t value)
{
	return value & 1;
}

/* Was the session told that it holds the lock? */
static bool tells(const struct holds *s, const struct history_op *op)
{
	uint32_t wrote;

	if (op->outcome != HISTORY_OK || !is_token(op->value))
		return false;
	if (op->kind == HISTORY_CAS)
		return op->met;
	wrote = pairs_get(&s->wrote, op->session, 0);
	return op->kind == HISTORY_READ && wrote != PAIRS_NONE &&
	       s->h->op[wrote].value == op->value;
}

static void holds_look(struct holds *s, uint32_t index)
{
	const struct history_op *op = &s->h->op[index];
	uint32_t number = pairs_get(&s->open, op->session, 0);
	struct hold *mine = number == PAIRS_NONE ? NULL : &s->hold[number];
	bool told = tells(s, op);

	if (op->flags & HISTORY_F_FINAL)
		return;
	if (mine && mine->ended == PAIRS_NONE) {
		if (told && s->h->op[mine->told].value == op->value)
			return;
		mine->end_ns = op->t_invoke_ns;
		mine->ended = index;
	}
	if (op->kind == HISTORY_WRITE && is_token(op->value))
		pairs_set(&s->wrote, op->session, 0, index);
	if (!told)
		return;
	pairs_set(&s->open, op->session, 0, s->count);
	s->hold[s->count++] = (struct hold){.begin_ns = op->t_return_ns,
		.end_ns = UINT64_MAX,
		.told = index,
		.ended = PAIRS_NONE};
}

static int by_begin(const void *a, const void *b)
{
	const struct hold *x = a;
	const struct hold *y = b;

	return x->begin_ns < y->begin_ns ? -1 : x->begin_ns > y->begin_ns;
}

/* Two holds at once; those that begin while another one lasts, in all. */
struct breach {
	struct hold first;
	struct hold second;
	uint64_t overlaps;
	uint64_t holds;
};

static void holds_sweep(struct holds *s, struct breach *ret)
{
	const struct hold *last = NULL;

	qsort(s->hold, s->count, sizeof *s->hold, by_begin);
	ret->holds += s->count;
	for (uint32_t i = 0; i < s->count; i++) {
		const struct hold *h = &s->hold[i];

		if (last && h->begin_ns < last->end_ns && ret->overlaps++ == 0) {
			ret->first = *last;
			ret->second = *h;
		}
		if (!last || h->end_ns > last->end_ns)
			last = h;
	}
}

static void breach_who(struct words *w, const struct history_ops *h, const struct hold *hold)
{
	words_say(w, "session %u at ", h->op[hold->told].session);
	words_node(w, &h->op[hold->told]);
	words_say(w, " held it from %.3f s ", words_seconds(w, hold->begin_ns));
	if (hold->ended == PAIRS_NONE)
		words_say(w, "on");
	else
		words_say(w, "to %.3f s", words_seconds(w, hold->end_ns));
}

static void breach_tell(const struct breach *b, const struct history_ops *h,
	const struct check_names *names, struct check_result *ret)
{
	uint64_t end = b->first.end_ns < b->second.end_ns ? b->first.end_ns : b->second.end_ns;
	struct words w;

	ret->verdict = CHECK_VIOLATION;
	ret->witness[ret->witnesses++] = b->first.told;
	ret->witness[ret->witnesses++] = b->second.told;
	if (b->first.ended != PAIRS_NONE)
		ret->witness[ret->witnesses++] = b->first.ended;
	words_init(&w, h, names, ret->words, sizeof ret->words);
	words_say(&w, "two held %s at once: ", words_key(h, h->op[b->first.told].key).text);
	breach_who(&w, h, &b->first);
	words_say(&w, ", and ");
	breach_who(&w, h, &b->second);
	if (end != UINT64_MAX) {
		words_say(&w, ", both for ");
		words_span(&w, end - b->second.begin_ns);
	}
	words_say(&w, "; %llu of %llu holds began while another one lasted",
		(unsigned long long)b->overlaps, (unsigned long long)b->holds);
}

static int mutual_exclusion_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	uint64_t begin_ns = clock_now_ns();
	struct breach breach = {.overlaps = 0};
	struct keys keys;

	(void)budget; /* sorting takes the longest */
	(void)err;
	*ret = (struct check_result){.verdict = CHECK_OK};
	keys_count(h, &ret->operations, &ret->keys);
	keys_build(&keys, h);
	for (size_t k = 0; k < keys.count; k++) {
		const struct keys_group *g = &keys.group[k];
		struct holds s = {.h = h, .hold = calloc(g->count + 1, sizeof *s.hold)};

		assert(s.hold);
		for (size_t i = 0; i < g->count; i++)
			holds_look(&s, g->index[i]);
		holds_sweep(&s, &breach);
		free(s.hold);
		pairs_fini(&s.open);
		pairs_fini(&s.wrote);
	}
	keys_destroy(&keys);
	if (breach.overlaps > 0)
		breach_tell(&breach, h, names, ret);
	ret->seconds = (double)(clock_now_ns() - begin_ns) / 1e9;
	return 0;
}

static const char *const mutual_exclusion_implies[] = {NULL};

const struct check_ops mutual_exclusion_ops = {
	.name = "mutual-exclusion",
	.summary = "of locks, whose tokens are odd: no two sessions hold one at once",
	.type = CHECK_REGISTER,
	.asked = true,
	.implies = mutual_exclusion_implies,
	.check = mutual_exclusion_check,
};
