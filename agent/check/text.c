/* SPDX-License-Identifier: MIT */
/*
 * text.c - linearizability of strings that are written, appended to and read whole
 *
 * A string is the list of what it was put together of. What it can be, as far as any read can
 * tell, is the beginning of something that was read: these beginnings are the nodes of a tree whose
 * edges are what was appended, and a node is a value of the register that search.c looks at. All
 * that is no such beginning is one more value, which only a write leaves. Elements need not be
 * unique.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/clock.h"
#include "agent/check/keys.h"
#include "agent/check/models.h"
#include "agent/check/search.h"
#include "agent/check/shrink.h"
#include "agent/check/source.h"
#include "agent/check/words.h"
#include "agent/history/pairs.h"

/* Making a witness small may take this long beyond what finding it took. */
#define TEXT_SHRINK_NS (5 * NS_PER_S)

/* The strings of one key. */
struct text_key {
	const struct history_ops *h;
	struct pairs element; /* element, 0 -> its number */
	struct pairs edge;    /* node, number of an element -> node */
	uint32_t nodes;
	struct reg r; /* op is owned */
};

static uint32_t text_element(struct text_key *k, uint64_t element)
{
	return pairs_put(&k->element, element, 0, (uint32_t)k->element.count);
}

/* The node of what was read, a new one if it has none. */
static uint32_t text_node(struct text_key *k, const struct history_op *read)
{
	uint32_t node = REG_NOTHING;

	for (uint32_t i = 0; i < read->count; i++) {
		uint64_t element = k->h->list[read->first + i];
		uint32_t to = pairs_put(&k->edge, node, text_element(k, element), k->nodes);

		k->nodes += to == k->nodes;
		node = to;
	}
	return node;
}

static bool text_counts(const struct history_op *op)
{
	return op->outcome == HISTORY_OK ||
	       (op->outcome == HISTORY_UNKNOWN && op->kind != HISTORY_READ);
}

static void text_add(struct text_key *k, uint32_t index)
{
	const struct history_op *op = &k->h->op[index];
	struct reg_op *to = &k->r.op[k->r.count++];

	*to = (struct reg_op){
		.t_invoke_ns = op->t_invoke_ns,
		.t_return_ns = op->outcome == HISTORY_OK ? op->t_return_ns : UINT64_MAX,
		.index = index,
		.old = REG_NONE,
		.kind = REG_READ,
		.open = op->outcome != HISTORY_OK,
	};
	if (op->kind == HISTORY_READ) {
		to->value = text_node(k, op);
	} else if (op->kind == HISTORY_APPEND) {
		to->kind = REG_APPEND;
		to->value = text_element(k, op->value);
	} else {
		to->kind = REG_WRITE;
		to->value = pairs_get(&k->edge, REG_NOTHING, text_element(k, op->value));
		if (to->value == PAIRS_NONE)
			to->value = REG_OTHER;
	}
}

/* Reads first: they make the tree in which writes are looked up. */
static void text_build(
	struct text_key *k, const struct history_ops *h, const struct keys_group *group)
{
	*k = (struct text_key){.h = h, .nodes = REG_OTHER + 1};
	k->r = (struct reg){.h = h, .edge = &k->edge};
	k->r.op = malloc((group->count + 1) * sizeof *k->r.op);
	assert(k->r.op);
	for (size_t i = 0; i < group->count; i++)
		if (h->op[group->index[i]].kind == HISTORY_READ)
			(void)text_node(k, &h->op[group->index[i]]);
	for (size_t i = 0; i < group->count; i++)
		if (text_counts(&h->op[group->index[i]]))
			text_add(k, group->index[i]);
}

static void text_destroy(struct text_key *k)
{
	pairs_fini(&k->element);
	pairs_fini(&k->edge);
	free(k->r.op);
}

/* What is still a violation when operations are left out. */
struct text_rest {
	const struct history_ops *h;
	const struct search *how;
	uint32_t deepest; /* of the last one that was: index in the history */
};

static bool text_is_violation(void *arg, const uint32_t *index, size_t count)
{
	struct text_rest *rest = arg;
	const struct keys_group group = {
		.key = rest->h->op[index[0]].key, .index = index, .count = count};
	struct search s = *rest->how;
	enum check_verdict verdict;
	struct text_key k;

	text_build(&k, rest->h, &group);
	s.r = &k.r;
	verdict = search_run(&s);
	if (verdict == CHECK_VIOLATION)
		rest->deepest = k.r.op[s.ret_deepest].index;
	text_destroy(&k);
	return verdict == CHECK_VIOLATION;
}

/* Few operations that no order explains. Return: the one before whose return it shows. */
static uint32_t text_shrink(
	const struct text_key *k, const struct search *how, uint32_t look, struct check_result *ret)
{
	uint64_t until = clock_now_ns() + TEXT_SHRINK_NS;
	struct search part = *how;
	struct text_rest rest = {.h = k->h, .how = &part, .deepest = look};
	struct shrink s = {.h = k->h,
		.index = malloc((k->r.count + 1) * sizeof *s.index),
		.deepest = &k->h->op[look],
		.is_violation = text_is_violation,
		.restore = source_restore,
		.arg = &rest};

	assert(s.index);
	s.until_ns = how->until_ns && how->until_ns < until ? how->until_ns : until;
	part.until_ns = s.until_ns;
	for (size_t i = 0; i < k->r.count; i++)
		s.index[s.count++] = k->r.op[i].index;
	shrink_run(&s);
	ret->witnesses = s.count < CHECK_WITNESS_MAX ? s.count : CHECK_WITNESS_MAX;
	for (size_t i = 0; i < ret->witnesses; i++)
		ret->witness[i] = s.index[s.count - ret->witnesses + i];
	free(s.index);
	return rest.deepest;
}

static void text_say(const struct history_ops *h, uint32_t look, const struct check_names *names,
	struct check_result *ret)
{
	const struct history_op *op = &h->op[look];
	struct words w;

	words_init(&w, h, names, ret->words, sizeof ret->words);
	words_say(&w, "no order explains the operations on %s before ", words_key(h, op->key).text);
	words_node(&w, op);
	if (op->kind == HISTORY_READ)
		words_say(&w, " answered a string of %u parts", op->count);
	else
		words_say(&w, " acknowledged a%s %s", op->kind == HISTORY_APPEND ? "n" : "",
			history_kind_names[op->kind]);
	words_say(&w, " (");
	words_when(&w, op);
	words_say(&w, ")");
}

static void text_judge(const struct history_ops *h, const struct keys_group *group,
	const struct search *how, const struct check_names *names, struct check_result *ret)
{
	struct search s = *how;
	enum check_verdict verdict;
	struct text_key k;

	text_build(&k, h, group);
	s.r = &k.r;
	ret->operations += k.r.count;
	ret->keys += k.r.count > 0;
	verdict = ret->verdict == CHECK_VIOLATION ? CHECK_OK : search_run(&s);
	if (verdict == CHECK_VIOLATION) {
		ret->verdict = verdict;
		text_say(h, text_shrink(&k, how, k.r.op[s.ret_deepest].index, ret), names, ret);
	} else if (verdict == CHECK_UNKNOWN) {
		ret->verdict = verdict;
		(void)snprintf(ret->words, sizeof ret->words, "%s could not be judged: %s",
			words_key(h, group->key).text, s.ret_why);
	}
	text_destroy(&k);
}

static int text_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	static const struct check_budget unlimited;
	const struct check_budget *b = budget ? budget : &unlimited;
	uint64_t begin_ns = clock_now_ns();
	struct search how = {
		.until_ns = b->time_ns ? begin_ns + b->time_ns : 0,
		.memory_bytes = b->memory_bytes,
	};
	struct keys keys;

	(void)err; /* without memory for a history nothing goes on, and nothing else can fail */
	*ret = (struct check_result){.verdict = CHECK_OK};
	keys_build(&keys, h);
	for (size_t i = 0; i < keys.count; i++)
		text_judge(h, &keys.group[i], &how, names, ret);
	keys_destroy(&keys);
	ret->seconds = (double)(clock_now_ns() - begin_ns) / 1e9;
	return 0;
}

static const char *const text_implies[] = {NULL};

const struct check_ops text_linearizable_ops = {
	.name = "linearizable",
	.summary = "one order that all agree on and that keeps to real time",
	.type = CHECK_TEXT,
	.implies = text_implies,
	.check = text_check,
};
