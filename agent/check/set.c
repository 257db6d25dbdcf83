/* SPDX-License-Identifier: MIT */
/*
 * set.c - sets that are only added to: no element lost, and linearizability
 *
 * "set" tells of each element what became of it, as Jepsen's set-full does. An element is known
 * when its addition was acknowledged or when a read that saw it returned, whichever is first. It is
 * lost if a read that began after that misses it and no read that began later sees it; stable if
 * the last read to begin that sees it began after the last one that misses it; never read
 * otherwise. A stable element is stale if a read that began after it was known missed it, for as
 * long as that. A violation is an element that is lost, that nobody added, whose addition failed,
 * or that one read shows twice.
 *
 * "linearizable": nothing is removed, so what reads show must grow. Sorted by size each read
 * contains the one before it, and then each operation has its place in the order: an addition is
 * between the last read without the element and the first with it. If it was added more than once,
 * the addition that began first is that one, and the others are anywhere behind. See ranks.h.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/clock.h"
#include "agent/check/anomaly.h"
#include "agent/check/keys.h"
#include "agent/check/models.h"
#include "agent/check/ranks.h"
#include "agent/check/words.h"
#include "agent/history/pairs.h"

#define NONE UINT32_MAX

struct set_item {
	uint64_t value;
	uint64_t known_ns; /* UINT64_MAX: not known */
	uint64_t size;     /* of the smallest read that shows it, 0: none does */
	uint32_t add;      /* operation: the first addition that did not fail, or one that did */
	uint32_t known;    /* operation that made it known */
	uint32_t present;  /* operation: the last read that shows it */
	uint32_t absent;   /* operation: the last read that misses it */
	uint32_t stamp;    /* scratch */
	bool failed;       /* all additions failed */
};

struct set_read {
	uint32_t index; /* in the history */
	uint32_t first; /* of set_key.seen */
	uint32_t count;
};

/* One set: its operations, its elements, and the reads in numbers of elements. */
struct set_key {
	const struct history_ops *h;
	const struct keys_group *group;
	struct pairs number;
	struct set_item *item; /* owned */
	size_t items;
	size_t item_room;
	struct set_read *read; /* owned; by invocation */
	size_t reads;
	uint32_t *seen; /* owned */
};

enum set_wrong {
	SET_FINE,
	SET_THIN_AIR,  /* look shows what nobody added */
	SET_FAILED,    /* look shows what other failed to add */
	SET_DUPLICATE, /* look shows the element twice */
	SET_LOST,      /* look misses what other had made known, and so do all later reads */
	SET_FORKED,    /* look misses what the smaller read other shows */
	SET_ORDER,     /* other returned before look began, and should come after it */
};

struct set_finding {
	enum set_wrong wrong;
	uint32_t look;  /* operation */
	uint32_t other; /* operation, NONE: none */
	uint32_t add;   /* operation that added the element, NONE: none */
	uint64_t value;
};

struct set_sums {
	size_t stable;
	size_t stale;
	size_t never_read;
	uint64_t stale_ns; /* the longest */
};

static uint32_t item_of(struct set_key *k, uint64_t value)
{
	uint32_t n = pairs_put(&k->number, value, 0, (uint32_t)k->items);

	if (n < k->items)
		return n;
	if (k->items == k->item_room) {
		k->item_room = k->item_room ? k->item_room * 2 : 64;
		k->item = realloc(k->item, k->item_room * sizeof *k->item);
		assert(k->item);
	}
	k->item[k->items++] = (struct set_item){
		.value = value,
		.known_ns = UINT64_MAX,
		.add = NONE,
		.known = NONE,
		.present = NONE,
		.absent = NONE,
		.stamp = NONE,
	};
	return n;
}

static void set_add(struct set_key *k, uint32_t index)
{
	const struct history_op *op = &k->h->op[index];
	uint32_t n = item_of(k, op->value);
	struct set_item *item = &k->item[n];
	bool failed = op->outcome == HISTORY_FAIL;

	if (item->add == NONE || (item->failed && !failed)) {
		item->add = index;
		item->failed = failed;
	}
	if (op->outcome == HISTORY_OK && op->t_return_ns < item->known_ns) {
		item->known_ns = op->t_return_ns;
		item->known = index;
	}
}

static bool is_read(const struct history_op *op)
{
	return op->kind == HISTORY_READ && op->outcome == HISTORY_OK;
}

static void set_build(
	struct set_key *k, const struct history_ops *h, const struct keys_group *group)
{
	size_t elements = 0;
	size_t at = 0;

	*k = (struct set_key){.h = h, .group = group};
	for (size_t i = 0; i < group->count; i++) {
		const struct history_op *op = &h->op[group->index[i]];

		if (op->kind == HISTORY_ADD)
			set_add(k, group->index[i]);
		if (is_read(op))
			elements += op->many ? op->count : 0;
		k->reads += is_read(op);
	}
	k->read = malloc((k->reads + 1) * sizeof *k->read);
	k->seen = malloc((elements + 1) * sizeof *k->seen);
	assert(k->read && k->seen && elements < UINT32_MAX);
	k->reads = 0;
	for (size_t i = 0; i < group->count; i++) {
		const struct history_op *op = &h->op[group->index[i]];

		if (!is_read(op))
			continue;
		k->read[k->reads++] = (struct set_read){
			.index = group->index[i],
			.first = (uint32_t)at,
			.count = op->many ? op->count : 0,
		};
		for (uint32_t e = 0; op->many && e < op->count; e++)
			k->seen[at++] = item_of(k, h->list[op->first + e]);
	}
}

static void set_destroy(struct set_key *k)
{
	pairs_fini(&k->number);
	free(k->item);
	free(k->read);
	free(k->seen);
}

/* What single reads show that no set can. */
static bool set_flaw(struct set_key *k, struct set_finding *ret)
{
	for (uint32_t r = 0; r < k->reads; r++) {
		for (uint32_t e = 0; e < k->read[r].count; e++) {
			struct set_item *item = &k->item[k->seen[k->read[r].first + e]];
			enum set_wrong wrong = item->add == NONE  ? SET_THIN_AIR
					       : item->failed     ? SET_FAILED
					       : item->stamp == r ? SET_DUPLICATE
								  : SET_FINE;

			item->stamp = r;
			if (wrong == SET_FINE)
				continue;
			*ret = (struct set_finding){wrong, k->read[r].index,
				wrong == SET_FAILED ? item->add : NONE,
				wrong == SET_DUPLICATE ? item->add : NONE, item->value};
			return true;
		}
	}
	return false;
}

/* When each element was known, and which reads were the last to show it and to miss it. */
static void set_follow(struct set_key *k)
{
	uint32_t *left = malloc((k->items + 1) * sizeof *left);
	size_t count = k->items;

	assert(left);
	for (uint32_t i = 0; i < k->items; i++) {
		left[i] = i;
		k->item[i].stamp = NONE;
	}
	/* From the last read back: elements that all reads so far show are left. */
	for (uint32_t r = (uint32_t)k->reads; r-- > 0;) {
		const struct history_op *op = &k->h->op[k->read[r].index];
		size_t kept = 0;

		for (uint32_t e = 0; e < k->read[r].count; e++) {
			struct set_item *item = &k->item[k->seen[k->read[r].first + e]];

			item->stamp = r;
			if (item->present == NONE)
				item->present = k->read[r].index;
			if (op->t_return_ns < item->known_ns) {
				item->known_ns = op->t_return_ns;
				item->known = k->read[r].index;
			}
		}
		for (size_t i = 0; i < count; i++) {
			if (k->item[left[i]].stamp == r)
				left[kept++] = left[i];
			else
				k->item[left[i]].absent = k->read[r].index;
		}
		count = kept;
	}
	free(left);
}

/* When the last read that misses (or shows) an element began. */
static uint64_t began(const struct set_key *k, uint32_t index)
{
	return k->h->op[index].t_invoke_ns;
}

static bool item_is_lost(const struct set_key *k, const struct set_item *item)
{
	return item->known != NONE && item->absent != NONE &&
	       item->known_ns < began(k, item->absent) &&
	       (item->present == NONE || began(k, item->present) < began(k, item->absent));
}

/* Count what became of the elements. Return: whether one is lost, in @ret. */
static bool set_lost(struct set_key *k, struct set_sums *sums, struct set_finding *ret)
{
	set_follow(k);
	for (size_t i = 0; i < k->items; i++) {
		const struct set_item *item = &k->item[i];

		if (item_is_lost(k, item)) {
			*ret = (struct set_finding){
				SET_LOST, item->absent, item->known, item->add, item->value};
			return true;
		}
		if (item->present == NONE ||
			(item->absent != NONE &&
				began(k, item->absent) >= began(k, item->present))) {
			sums->never_read += !item->failed;
			continue;
		}
		sums->stable++;
		if (item->absent == NONE || began(k, item->absent) <= item->known_ns)
			continue;
		sums->stale++;
		if (began(k, item->absent) - item->known_ns > sums->stale_ns)
			sums->stale_ns = began(k, item->absent) - item->known_ns;
	}
	return false;
}

static int by_size(const void *a, const void *b)
{
	const struct set_read *x = a;
	const struct set_read *y = b;

	if (x->count != y->count)
		return x->count < y->count ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Sort the reads by size. Return: whether one misses what a smaller one shows, in @ret. */
static bool set_forked(struct set_key *k, struct set_finding *ret)
{
	qsort(k->read, k->reads, sizeof *k->read, by_size);
	for (uint32_t r = 0; r < k->reads; r++) {
		const struct set_read *read = &k->read[r];
		const struct set_read *was = r > 0 ? &k->read[r - 1] : NULL;
		uint32_t old = 0;

		for (uint32_t e = 0; e < read->count; e++) {
			struct set_item *item = &k->item[k->seen[read->first + e]];

			item->stamp = r + NONE / 2;
			old += item->size != 0;
			if (item->size == 0)
				item->size = read->count;
		}
		for (uint32_t e = 0; was && old < was->count && e < was->count; e++) {
			const struct set_item *item = &k->item[k->seen[was->first + e]];

			if (item->stamp == r + NONE / 2)
				continue;
			*ret = (struct set_finding){
				SET_FORKED, read->index, was->index, NONE, item->value};
			return true;
		}
	}
	return false;
}

/* The places of an operation in the order. Return: false if it constrains nothing. */
static bool set_place(const struct set_key *k, uint32_t index, struct rank_op *ret)
{
	const struct history_op *op = &k->h->op[index];
	const struct set_item *item;

	*ret = (struct rank_op){
		.t_invoke_ns = op->t_invoke_ns,
		.t_return_ns = op->outcome == HISTORY_UNKNOWN ? UINT64_MAX : op->t_return_ns,
		.id = index,
	};
	if (op->kind == HISTORY_READ) {
		ret->low = ret->high = 2 * (uint64_t)(op->many ? op->count : 0);
		return op->outcome == HISTORY_OK;
	}
	item = &k->item[pairs_get(&k->number, op->value, 0)];
	if (item->size == 0) {
		ret->low = ret->high = 2 * (uint64_t)k->read[k->reads - 1].count + 1;
		return op->outcome == HISTORY_OK;
	}
	ret->low = 2 * item->size - 1;
	ret->high = item->add == index ? ret->low : UINT64_MAX;
	return op->outcome != HISTORY_FAIL;
}

static bool set_disordered(struct set_key *k, struct set_finding *ret)
{
	struct rank_op *op = malloc((k->group->count + 1) * sizeof *op);
	const struct rank_op *before;
	const struct rank_op *after;
	size_t count = 0;
	bool found;

	assert(op);
	for (size_t i = 0; k->reads > 0 && i < k->group->count; i++)
		count += set_place(k, k->group->index[i], &op[count]);
	found = ranks_find(op, count, &before, &after);
	if (found)
		*ret = (struct set_finding){
			SET_ORDER, after->id, before->id, NONE, k->h->op[before->id].value};
	free(op);
	return found;
}

/* Two additions in the wrong order: a read must show one and not the other. */
static uint32_t set_shower(const struct set_key *k, const struct set_finding *f)
{
	const struct set_item *last = NULL;

	if (f->wrong != SET_ORDER || k->h->op[f->look].kind != HISTORY_ADD ||
		k->h->op[f->other].kind != HISTORY_ADD)
		return NONE;
	last = &k->item[pairs_get(&k->number, k->h->op[f->look].value, 0)];
	for (size_t r = 0; r < k->reads; r++)
		if (k->read[r].count >= last->size)
			return k->read[r].index;
	return NONE;
}

static void say_did(struct words *w, uint32_t index)
{
	const struct history_op *op = &w->h->op[index];

	words_node(w, op);
	if (op->kind == HISTORY_READ)
		words_say(w, " answered %u elements", op->many ? op->count : 0);
	else
		words_say(w, " acknowledged %s", words_number(w->h, op->value).text);
	words_say(w, " (");
	words_when(w, op);
	words_say(w, ")");
}

static void set_tell(const struct set_key *k, const struct set_finding *f,
	const struct check_names *names, struct check_result *ret)
{
	const struct history_op *look = &k->h->op[f->look];
	const struct words_name name = words_number(k->h, f->value);
	const char *value = name.text;
	uint32_t shower = set_shower(k, f);
	struct words w;

	words_init(&w, k->h, names, ret->words, sizeof ret->words);
	anomaly_witness(ret, k->h, f->look);
	if (f->other != NONE)
		anomaly_witness(ret, k->h, f->other);
	if (f->add != NONE)
		anomaly_witness(ret, k->h, f->add);
	if (shower != NONE)
		anomaly_witness(ret, k->h, shower);
	words_say(&w, "set %s: ", words_key(k->h, look->key).text);
	if (f->wrong == SET_ORDER && look->kind == HISTORY_ADD) {
		words_node(&w, look);
		words_say(&w, " was asked to add %s only at %.3f s",
			words_number(k->h, look->value).text, words_seconds(&w, look->t_invoke_ns));
	} else {
		say_did(&w, f->look);
	}
	switch (f->wrong) {
	case SET_FINE:
		break;
	case SET_THIN_AIR:
		words_say(&w, " with %s, which nobody had added", value);
		break;
	case SET_FAILED:
		words_say(&w, " with %s, whose addition through ", value);
		words_node(&w, &k->h->op[f->other]);
		words_say(&w, " had failed");
		break;
	case SET_DUPLICATE:
		words_say(&w, " with %s twice", value);
		break;
	case SET_LOST:
		words_say(&w, " without %s, as all later reads, after ", value);
		say_did(&w, f->other);
		words_say(&w, k->h->op[f->other].kind == HISTORY_READ ? " with it" : "");
		break;
	case SET_FORKED:
		words_say(&w, " without %s, and ", value);
		say_did(&w, f->other);
		words_say(&w, " with it, but without others that the first shows");
		break;
	case SET_ORDER:
		words_say(&w, ", after ");
		say_did(&w, f->other);
		words_say(&w, k->h->op[f->other].kind != look->kind
				      ? look->kind == HISTORY_READ ? ", which is not there"
								   : ", which show it already"
			      : look->kind == HISTORY_READ
				      ? ", which are more"
				      : ", which is not there yet when the other is");
		if (shower == NONE)
			break;
		words_say(&w, ": ");
		say_did(&w, shower);
		break;
	}
}

/* Whether one set is wrong. @sums is NULL if it must be linearizable. */
static bool set_wrong(struct set_key *k, struct set_sums *sums, struct set_finding *ret)
{
	if (set_flaw(k, ret))
		return true;
	if (sums)
		return set_lost(k, sums, ret);
	return set_forked(k, ret) || set_disordered(k, ret);
}

static void set_keys(const struct keys *keys, const struct history_ops *h, struct set_sums *sums,
	const struct check_names *names, struct check_result *ret)
{
	for (size_t i = 0; i < keys->count && ret->verdict == CHECK_OK; i++) {
		struct set_finding finding;
		struct set_key k;

		set_build(&k, h, &keys->group[i]);
		if (set_wrong(&k, sums, &finding)) {
			ret->verdict = CHECK_VIOLATION;
			set_tell(&k, &finding, names, ret);
		}
		set_destroy(&k);
	}
}

static void set_check(const struct history_ops *h, struct set_sums *sums,
	const struct check_names *names, struct check_result *ret)
{
	uint64_t begin_ns = clock_now_ns();
	struct keys keys;

	*ret = (struct check_result){.verdict = CHECK_OK};
	keys_build(&keys, h);
	ret->keys = keys.count;
	for (size_t i = 0; i < h->count; i++)
		ret->operations +=
			h->op[i].outcome == HISTORY_OK ||
			(h->op[i].outcome == HISTORY_UNKNOWN && h->op[i].kind != HISTORY_READ);
	set_keys(&keys, h, sums, names, ret);
	keys_destroy(&keys);
	ret->seconds = (double)(clock_now_ns() - begin_ns) / 1e9;
}

static int set_linearizable(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	(void)budget; /* near-linear in what is in memory already */
	(void)err;
	set_check(h, NULL, names, ret);
	return 0;
}

static int set_full(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	struct set_sums sums = {0};
	struct words w;

	(void)budget;
	(void)err;
	set_check(h, &sums, names, ret);
	if (ret->verdict != CHECK_OK)
		return 0;
	words_init(&w, h, names, ret->words, sizeof ret->words);
	words_say(&w, "%zu elements stable, %zu of them missed by a read after they were known",
		sums.stable, sums.stale);
	if (sums.stale > 0) {
		words_say(&w, " (up to ");
		words_span(&w, sums.stale_ns);
		words_say(&w, " after)");
	}
	words_say(&w, "; %zu never read", sums.never_read);
	return 0;
}

static const char *const linearizable_implies[] = {"set", NULL};
const struct check_ops set_linearizable_ops = {
	.name = "linearizable",
	.summary = "one order that all agree on and that keeps to real time",
	.type = CHECK_SET,
	.implies = linearizable_implies,
	.check = set_linearizable,
};

static const char *const full_implies[] = {NULL};
const struct check_ops set_full_ops = {
	.name = "set",
	.summary = "no element lost, twice, or from nowhere",
	.type = CHECK_SET,
	.implies = full_implies,
	.check = set_full,
};
