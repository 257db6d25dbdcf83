/* SPDX-License-Identifier: MIT */
/* lists.c - what happened to lists: numbers for transactions, elements and keys, and the order */
#include "agent/check/lists.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/check/keys.h"
#include "agent/check/words.h"
#include "agent/history/pairs.h"

struct lists_maker {
	struct lists *l;
	struct pairs keys;
	struct pairs items; /* (number of the key, element) to the item */
	size_t key_room;
};

static void lists_note(struct lists *l, enum lists_flaw_kind kind, struct lists_flaw flaw)
{
	if (l->flaw[kind].step == LISTS_NONE)
		l->flaw[kind] = flaw;
}

static uint32_t lists_key_number(struct lists_maker *m, uint64_t key)
{
	struct lists *l = m->l;
	uint32_t n = pairs_put(&m->keys, key, 0, (uint32_t)l->keys);

	if (n < l->keys)
		return n;
	if (l->keys == m->key_room) {
		m->key_room = m->key_room ? m->key_room * 2 : 64;
		l->key = realloc(l->key, m->key_room * sizeof *l->key);
		assert(l->key);
	}
	l->key[l->keys++] = (struct lists_key){
		.key = key,
		.longest = LISTS_NONE,
		.bad = LISTS_NONE,
		.aborted = LISTS_NONE,
		.mixed = LISTS_NONE,
		.tail = LISTS_NONE,
		.look = LISTS_NONE,
	};
	return n;
}

static int lists_twice(
	const struct lists *l, const struct lists_step *step, uint32_t item, struct err *err)
{
	return err_usage(err,
		"operations %u and %u both append %s to %s: the elements of a list must be "
		"unique",
		l->h->op[lists_writer(l, item)->index].op, l->h->op[l->txn[step->txn].index].op,
		words_number(l->h, l->item[item].value).text,
		words_key(l->h, l->key[step->key].key).text);
}

/* An element is appended by one transaction; one that failed may have been tried again. */
static int lists_append(struct lists_maker *m, struct lists_step *step, uint64_t value,
	const struct lists_txn *txn, struct err *err)
{
	struct lists *l = m->l;
	struct lists_key *key = &l->key[step->key];
	uint32_t n = (uint32_t)l->items;
	uint32_t was = pairs_put(&m->items, step->key, value, n);

	step->item = n;
	if (was != n && txn->outcome != HISTORY_FAIL) {
		if (lists_writer(l, was)->outcome != HISTORY_FAIL)
			return lists_twice(l, step, was, err);
		pairs_set(&m->items, step->key, value, n);
	}
	l->item[l->items++] = (struct lists_item){
		.value = value,
		.step = (uint32_t)(step - l->step),
		.place = LISTS_NONE,
		.before = LISTS_NONE,
		.last = true,
	};
	if (key->tail != LISTS_NONE && lists_writer(l, key->tail) == txn) {
		l->item[key->tail].last = false;
		l->item[n].before = key->tail;
	}
	key->tail = n;
	return 0;
}

/* What the transaction had appended before it read must be at the end of what it read. */
static void lists_read(struct lists_maker *m, struct lists_step *step)
{
	struct lists *l = m->l;
	struct lists_key *key = &l->key[step->key];
	uint32_t self = (uint32_t)(step - l->step);
	uint32_t own = key->tail;

	step->base = step->count;
	if (own != LISTS_NONE && l->step[l->item[own].step].txn == step->txn) {
		for (; own != LISTS_NONE && step->base > 0 &&
			step->value[step->base - 1] == l->item[own].value;
			own = l->item[own].before)
			step->base--;
		if (own != LISTS_NONE)
			lists_note(
				l, LISTS_OWN, (struct lists_flaw){self, own, l->item[own].value});
	}
	if (key->look != LISTS_NONE && l->step[key->look].txn == step->txn &&
		l->step[key->look].base != step->base)
		lists_note(l, LISTS_UNREPEATABLE, (struct lists_flaw){self, key->look, 0});
	key->look = self;
	if (key->longest == LISTS_NONE || l->step[key->longest].count < step->count)
		key->longest = self;
}

static int lists_step(struct lists_maker *m, const struct history_micro *micro,
	const struct lists_txn *txn, struct err *err)
{
	struct lists *l = m->l;
	struct lists_step *step = &l->step[l->steps];

	if (micro->kind == HISTORY_READ && txn->outcome != HISTORY_OK)
		return 0;
	l->steps++;
	*step = (struct lists_step){
		.item = LISTS_NONE,
		.key = lists_key_number(m, micro->key),
		.txn = (uint32_t)(txn - l->txn),
	};
	if (micro->kind != HISTORY_READ)
		return lists_append(m, step, micro->value, txn, err);
	step->value = l->h->list ? l->h->list + micro->first : NULL;
	step->count = micro->count;
	lists_read(m, step);
	return 0;
}

static int lists_txn(struct lists_maker *m, uint32_t index, struct err *err)
{
	struct lists *l = m->l;
	const struct history_op *op = &l->h->op[index];
	const struct history_micro one = {
		.key = op->key,
		.value = op->value,
		.first = op->first,
		.count = op->many ? op->count : 0,
		.kind = op->kind == HISTORY_READ ? HISTORY_READ : HISTORY_APPEND,
	};
	bool whole = op->kind == HISTORY_TRANSACTION;
	const struct history_micro *micro = whole ? l->h->micro + op->first : &one;
	size_t count = whole ? op->count : 1;
	struct lists_txn *txn = &l->txn[l->txns];
	int r = 0;

	*txn = (struct lists_txn){
		.t_invoke_ns = op->t_invoke_ns,
		.t_return_ns = op->outcome == HISTORY_UNKNOWN ? UINT64_MAX : op->t_return_ns,
		.index = index,
		.session = op->session,
		.first = (uint32_t)l->steps,
		.outcome = op->outcome,
		.kept = op->outcome == HISTORY_OK,
	};
	for (size_t i = 0; i < count && !r; i++)
		r = lists_step(m, &micro[i], txn, err);
	txn->count = (uint32_t)l->steps - txn->first;
	if (txn->count > 0)
		l->txns++;
	return r;
}

/* Element number @n, or one from nowhere, is at @place of the longest read. */
static void lists_put(struct lists *l, struct lists_key *key, uint32_t n, uint32_t place)
{
	struct lists_item *item = n == PAIRS_NONE ? NULL : &l->item[n];
	struct lists_txn *txn;

	l->order[key->first + place] = n;
	if (!item || item->place != LISTS_NONE) {
		if (key->bad == LISTS_NONE)
			key->bad = place;
		return;
	}
	item->place = place;
	txn = &l->txn[l->step[item->step].txn];
	if (txn->outcome != HISTORY_FAIL)
		txn->kept = true;
	else if (key->aborted == LISTS_NONE)
		key->aborted = place;
	if (txn->outcome != HISTORY_FAIL && key->mixed == LISTS_NONE &&
		item->before != LISTS_NONE && l->item[item->before].place == LISTS_NONE)
		key->mixed = place;
}

/* The items in the longest read of each key; whose elements were seen is kept. */
static void lists_place(struct lists_maker *m)
{
	struct lists *l = m->l;
	size_t at = 0;

	for (size_t k = 0; k < l->keys; k++)
		if (l->key[k].longest != LISTS_NONE)
			at += l->step[l->key[k].longest].count;
	l->order = malloc((at + 1) * sizeof *l->order);
	assert(l->order && at < UINT32_MAX);
	at = 0;
	for (uint32_t k = 0; k < l->keys; k++) {
		struct lists_key *key = &l->key[k];

		key->first = (uint32_t)at;
		if (key->longest == LISTS_NONE)
			continue;
		key->count = l->step[key->longest].count;
		for (uint32_t i = 0; i < key->count; i++)
			lists_put(
				l, key, pairs_get(&m->items, k, l->step[key->longest].value[i]), i);
		at += key->count;
	}
}

/* Where two reads part, one of them may show what nobody appended, or something twice. */
static void lists_part(struct lists_maker *m, uint32_t self, uint32_t longest)
{
	struct lists *l = m->l;
	const struct lists_step *read = &l->step[self];
	uint64_t value;
	uint32_t place = 0;
	uint32_t n;

	l->key[read->key].torn = true;
	while (read->value[place] == l->step[longest].value[place])
		place++;
	value = read->value[place];
	n = pairs_get(&m->items, read->key, value);
	if (n == PAIRS_NONE)
		lists_note(l, LISTS_THIN_AIR, (struct lists_flaw){self, LISTS_NONE, value});
	else if (l->item[n].place < place)
		lists_note(l, LISTS_DUPLICATE, (struct lists_flaw){self, n, value});
	else
		lists_note(l, LISTS_INCOMPATIBLE, (struct lists_flaw){self, longest, value});
}

static void lists_judge(struct lists_maker *m, uint32_t self)
{
	struct lists *l = m->l;
	const struct lists_step *read = &l->step[self];
	const struct lists_key *key = &l->key[read->key];
	const uint32_t *order = l->order + key->first;
	uint32_t end;

	if (read->count > 0 && memcmp(read->value, l->step[key->longest].value,
				       read->count * sizeof *read->value) != 0) {
		lists_part(m, self, key->longest);
		return;
	}
	if (key->bad < read->count)
		lists_note(l, order[key->bad] == LISTS_NONE ? LISTS_THIN_AIR : LISTS_DUPLICATE,
			(struct lists_flaw){self, order[key->bad], read->value[key->bad]});
	if (key->mixed < read->count)
		lists_note(l, LISTS_MIXED,
			(struct lists_flaw){self, order[key->mixed], read->value[key->mixed]});
	if (key->aborted < read->count)
		lists_note(l, LISTS_ABORTED,
			(struct lists_flaw){self, order[key->aborted], read->value[key->aborted]});
	end = read->base > 0 ? order[read->base - 1] : LISTS_NONE;
	if (end != LISTS_NONE &&
		(!l->item[end].last || l->step[l->item[end].step].txn == read->txn))
		lists_note(
			l, LISTS_INTERMEDIATE, (struct lists_flaw){self, end, l->item[end].value});
}

/* Room for everything at once, so that pointers stay. */
static void lists_room(struct lists *l)
{
	size_t steps = 0;

	for (size_t i = 0; i < l->h->count; i++)
		steps += l->h->op[i].kind == HISTORY_TRANSACTION ? l->h->op[i].count : 1;
	assert(steps < UINT32_MAX);
	l->txn = malloc((l->h->count + 1) * sizeof *l->txn);
	l->step = malloc((steps + 1) * sizeof *l->step);
	l->item = malloc((steps + 1) * sizeof *l->item);
	assert(l->txn && l->step && l->item);
	for (unsigned i = 0; i < LISTS_FLAW_NR; i++)
		l->flaw[i].step = LISTS_NONE;
}

int lists_build(struct lists *l, const struct history_ops *h, struct err *err)
{
	struct lists_maker m = {.l = l};
	uint32_t *order = keys_order(h);
	int r = 0;

	*l = (struct lists){.h = h};
	lists_room(l);
	for (size_t i = 0; i < h->count && !r; i++)
		r = lists_txn(&m, order[i], err);
	free(order);
	if (!r) {
		lists_place(&m);
		for (uint32_t i = 0; i < l->steps; i++)
			if (l->step[i].item == LISTS_NONE)
				lists_judge(&m, i);
	}
	pairs_fini(&m.keys);
	pairs_fini(&m.items);
	if (r)
		lists_destroy(l);
	return r;
}

void lists_destroy(struct lists *l)
{
	free(l->txn);
	free(l->step);
	free(l->item);
	free(l->key);
	free(l->order);
	*l = (struct lists){0};
}
