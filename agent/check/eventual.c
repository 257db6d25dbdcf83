/* SPDX-License-Identifier: MIT */
/*
 * eventual.c - convergence: in the end all replicas have the same, and somebody wrote it
 *
 * The final reads of a key, HISTORY_F_FINAL, agree on one value that was written. Two that differ
 * are no violation if a write of one of the two values had not returned when the first of them
 * began: then replicas were not at rest. (That is what makes it weaker than linearizability.)
 * Strong eventual consistency, that replicas which got the same updates are the same, cannot be
 * seen from outside: a history does not say which updates a replica got.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/clock.h"
#include "agent/check/keys.h"
#include "agent/check/models.h"
#include "agent/check/web.h"
#include "agent/check/words.h"
#include "agent/history/pairs.h"

#define NOBODY UINT32_MAX

/* One value that final reads of a key saw. */
struct ending {
	uint64_t at_rest_ns; /* from then on no write of it was under way; UINT64_MAX: never */
	uint32_t read;       /* the final read of it that began last */
	uint32_t write;      /* the write of it that returned last; NOBODY */
};

struct endings {
	const struct history_ops *h;
	struct ending *value; /* owned */
	size_t count;
	size_t room;
	struct pairs number; /* value: its number */
};

static bool is_final(const struct history_op *op)
{
	return op->kind == HISTORY_READ && op->outcome == HISTORY_OK && op->flags & HISTORY_F_FINAL;
}

static void endings_read(struct endings *e, uint32_t at)
{
	const struct history_op *op = &e->h->op[at];
	uint32_t n = pairs_put(&e->number, op->value, 0, (uint32_t)e->count);

	if (n < e->count) {
		e->value[n].read = at; /* reads come by invocation */
		return;
	}
	if (e->count == e->room) {
		e->room = e->room ? e->room * 2 : 16;
		e->value = realloc(e->value, e->room * sizeof *e->value);
		assert(e->value);
	}
	e->value[e->count++] = (struct ending){.read = at, .write = NOBODY};
}

static void endings_write(struct endings *e, uint32_t at)
{
	const struct history_op *op = &e->h->op[at];
	uint32_t n = pairs_get(&e->number, op->value, 0);
	uint64_t rest_ns = op->outcome == HISTORY_OK ? op->t_return_ns + 1 : UINT64_MAX;

	if (n == PAIRS_NONE || (e->value[n].write != NOBODY && e->value[n].at_rest_ns >= rest_ns))
		return;
	e->value[n].write = at;
	e->value[n].at_rest_ns = rest_ns;
}

static int by_rest(const void *a, const void *b)
{
	const struct ending *x = a;
	const struct ending *y = b;

	return x->at_rest_ns < y->at_rest_ns ? -1 : x->at_rest_ns > y->at_rest_ns;
}

/* Two values that were both at rest when the later reads of both began; or one from nowhere. */
static bool endings_differ(struct endings *e, const struct ending *ret[2])
{
	const struct ending *last = NULL;

	for (size_t i = 0; i < e->count; i++) {
		ret[0] = ret[1] = &e->value[i];
		if (e->value[i].write == NOBODY && e->h->op[e->value[i].read].value != 0)
			return true;
	}
	qsort(e->value, e->count, sizeof *e->value, by_rest);
	for (size_t i = 0; i < e->count; i++) {
		const struct ending *v = &e->value[i];
		uint64_t begin_ns = e->h->op[v->read].t_invoke_ns;

		if (last && v->at_rest_ns <= begin_ns &&
			v->at_rest_ns <= e->h->op[last->read].t_invoke_ns) {
			ret[0] = last;
			ret[1] = v;
			return true;
		}
		if (!last || begin_ns > e->h->op[last->read].t_invoke_ns)
			last = v;
	}
	return false;
}

static void eventual_add(const struct history_ops *h, struct check_result *ret, uint32_t at)
{
	size_t i = ret->witnesses;

	if (at == NOBODY)
		return;
	for (; i > 0 && h->op[ret->witness[i - 1]].t_invoke_ns > h->op[at].t_invoke_ns; i--)
		ret->witness[i] = ret->witness[i - 1];
	ret->witness[i] = at;
	ret->witnesses++;
}

static void eventual_say(struct words *w, uint32_t read)
{
	const struct history_op *op = &w->h->op[read];

	words_node(w, op);
	words_say(w, " has ");
	words_value(w, op->value);
	words_say(w, " (read at %.3f s)", words_seconds(w, op->t_return_ns));
}

static void eventual_tell(const struct history_ops *h, const struct check_names *names,
	const struct ending *pair[2], struct check_result *ret)
{
	const struct history_op *read = &h->op[pair[0]->read];
	struct words w;

	words_init(&w, h, names, ret->words, sizeof ret->words);
	if (pair[0] == pair[1]) {
		words_say(&w, "in the end ");
		eventual_say(&w, pair[0]->read);
		words_say(&w, " for %s, which nobody wrote", words_key(h, read->key).text);
		eventual_add(h, ret, pair[0]->read);
		return;
	}
	words_say(&w, "the replicas did not converge on %s: in the end ",
		words_key(h, read->key).text);
	for (size_t i = 0; i < 2; i++) {
		eventual_say(&w, pair[i]->read);
		words_say(&w, i ? "" : " and ");
		eventual_add(h, ret, pair[i]->read);
		eventual_add(h, ret, pair[i]->write);
	}
	words_say(&w, "; the last write of these had ended at %.3f s",
		words_seconds(&w, pair[1]->at_rest_ns - 1));
}

/* Return: whether there are final reads of the key. */
static bool eventual_key(const struct history_ops *h, const struct keys_group *group,
	const struct check_names *names, struct check_result *ret)
{
	struct endings e = {.h = h};
	const struct ending *pair[2];

	for (size_t i = 0; i < group->count; i++)
		if (is_final(&h->op[group->index[i]]))
			endings_read(&e, group->index[i]);
	for (size_t i = 0; i < group->count && e.count > 0; i++)
		if (web_writes(&h->op[group->index[i]]))
			endings_write(&e, group->index[i]);
	if (e.count > 0 && endings_differ(&e, pair)) {
		ret->verdict = CHECK_VIOLATION;
		eventual_tell(h, names, pair, ret);
	}
	pairs_fini(&e.number);
	free(e.value);
	return e.count > 0;
}

static int eventual_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	uint64_t begin_ns = clock_now_ns();
	struct keys keys;
	bool some = false;

	(void)budget; /* it takes less than reading the history */
	(void)err;
	*ret = (struct check_result){.verdict = CHECK_OK};
	keys_count(h, &ret->operations, &ret->keys);
	keys_build(&keys, h);
	for (size_t i = 0; i < keys.count && ret->verdict == CHECK_OK; i++)
		some |= eventual_key(h, &keys.group[i], names, ret);
	keys_destroy(&keys);
	if (ret->verdict == CHECK_OK && !some) {
		ret->verdict = CHECK_UNKNOWN;
		(void)snprintf(ret->words, sizeof ret->words,
			"it could not be judged: no read is marked as one of the final round");
	}
	ret->seconds = (double)(clock_now_ns() - begin_ns) / 1e9;
	return 0;
}

static const char *const eventual_implies[] = {NULL};

const struct check_ops eventual_ops = {
	.name = "eventual",
	.summary = "in the end all replicas have the same, and somebody wrote it",
	.type = CHECK_REGISTER,
	.implies = eventual_implies,
	.check = eventual_check,
};
