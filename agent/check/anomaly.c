/* SPDX-License-Identifier: MIT */
/* anomaly.c - anomalies of transactions in words: each edge of a cycle, and who took part when */
#include "agent/check/anomaly.h"

#include <string.h>

#include "agent/check/words.h"

/* Steps of a cycle that are told; more do not find room. */
#define CYCLE_TOLD 8

struct teller {
	const struct anomaly *a;
	const struct lists *l;
	struct words w;
	struct check_result *ret;
};

void anomaly_witness(struct check_result *ret, const struct history_ops *h, uint32_t index)
{
	size_t i = ret->witnesses;

	for (size_t k = 0; k < ret->witnesses; k++)
		if (ret->witness[k] == index)
			return;
	if (i == CHECK_WITNESS_MAX)
		return;
	for (; i > 0 && h->op[ret->witness[i - 1]].t_invoke_ns > h->op[index].t_invoke_ns; i--)
		ret->witness[i] = ret->witness[i - 1];
	ret->witness[i] = index;
	ret->witnesses++;
}

static const struct history_op *op_of(const struct lists *l, uint32_t txn)
{
	return &l->h->op[l->txn[txn].index];
}

static bool is_single(const struct lists *l)
{
	return l->txns > 0 && op_of(l, 0)->kind != HISTORY_TRANSACTION;
}

static void join(struct teller *t, uint32_t txn)
{
	anomaly_witness(t->ret, t->l->h, t->l->txn[txn].index);
}

/* "T12", or "#12" where operations are single. */
static void say_txn(struct teller *t, uint32_t txn)
{
	words_say(&t->w, "%s%u", is_single(t->l) ? "#" : "T", op_of(t->l, txn)->op);
}

/* "k5 = [... 2 3]" */
static void say_read(struct teller *t, const struct lists_step *read, uint32_t count)
{
	words_say(&t->w, "%s = ", words_key(t->l->h, t->l->key[read->key].key).text);
	words_elements(&t->w, read->value, count);
}

static uint32_t writer(const struct lists *l, uint32_t item)
{
	return l->step[l->item[item].step].txn;
}

/* The item of @txn that stands in its key right after one of @before (NONE: of anybody). */
static uint32_t item_after(
	const struct lists *l, uint32_t key, uint32_t txn, uint32_t before, uint32_t *ret_before)
{
	const uint32_t *order = l->order + l->key[key].first;
	const struct lists_txn *x = &l->txn[txn];

	for (uint32_t s = x->first; s < x->first + x->count; s++) {
		uint32_t item = l->step[s].item;
		uint32_t at;

		if (item == LISTS_NONE || l->step[s].key != key)
			continue;
		at = l->item[item].place == LISTS_NONE ? l->key[key].count : l->item[item].place;
		while (at > 0 &&
			(order[at - 1] == LISTS_NONE || !lists_writer(l, order[at - 1])->kept))
			at--;
		*ret_before = at > 0 ? order[at - 1] : LISTS_NONE;
		if (*ret_before != LISTS_NONE && writer(l, *ret_before) == before)
			return item;
	}
	return LISTS_NONE;
}

/* A read that shows all of what is in @key up to @place: one of the cycle, or the longest. */
static uint32_t shower(const struct teller *t, uint32_t key, uint32_t place)
{
	const struct lists *l = t->l;

	for (size_t i = 0; i < t->a->cycle.count && i < GRAPH_CYCLE_MAX; i++) {
		const struct lists_txn *x = &l->txn[t->a->cycle.step[i].txn];

		for (uint32_t s = x->first; s < x->first + x->count; s++)
			if (l->step[s].item == LISTS_NONE && l->step[s].key == key &&
				l->step[s].count > place)
				return s;
	}
	return l->key[key].longest;
}

static void tell_ww(struct teller *t, uint32_t key, uint32_t from, uint32_t to)
{
	const struct lists *l = t->l;
	uint32_t first;
	uint32_t second = item_after(l, key, to, from, &first);
	uint32_t place;
	uint32_t read;

	if (second == LISTS_NONE)
		return;
	place = l->item[second].place;
	read = shower(t, key, place == LISTS_NONE ? l->item[first].place : place);
	join(t, l->step[read].txn);
	say_txn(t, from);
	words_say(&t->w, " appended %s to %s before ",
		words_number(l->h, l->item[first].value).text,
		words_key(l->h, l->key[key].key).text);
	say_txn(t, to);
	words_say(&t->w, "'s %s (", words_number(l->h, l->item[second].value).text);
	say_txn(t, l->step[read].txn);
	words_say(&t->w, " read ");
	say_read(t, &l->step[read], l->step[read].count);
	words_say(&t->w, ")");
}

static void tell_wr(struct teller *t, uint32_t key, uint32_t from, uint32_t to)
{
	const struct lists *l = t->l;
	const uint32_t *order = l->order + l->key[key].first;
	const struct lists_txn *x = &l->txn[to];

	for (uint32_t s = x->first; s < x->first + x->count; s++) {
		const struct lists_step *read = &l->step[s];

		if (read->item != LISTS_NONE || read->key != key || read->base == 0 ||
			order[read->base - 1] == LISTS_NONE ||
			writer(l, order[read->base - 1]) != from)
			continue;
		say_txn(t, to);
		words_say(&t->w, " read ");
		say_read(t, read, read->base);
		words_say(&t->w, " and so came after ");
		say_txn(t, from);
		words_say(&t->w, ", which appended %s",
			words_number(l->h, read->value[read->base - 1]).text);
		return;
	}
}

/* What @reader did not see of @txn: the element behind what it read. */
static uint32_t item_missed(const struct lists *l, const struct lists_step *read, uint32_t txn)
{
	const struct lists_txn *x = &l->txn[txn];

	for (uint32_t s = x->first; s < x->first + x->count; s++) {
		uint32_t item = l->step[s].item;

		if (item == LISTS_NONE || l->step[s].key != read->key)
			continue;
		if (l->item[item].place == read->base ||
			(l->item[item].place == LISTS_NONE &&
				read->base == l->key[read->key].count))
			return item;
	}
	return LISTS_NONE;
}

static void tell_rw(struct teller *t, uint32_t key, uint32_t from, uint32_t to)
{
	const struct lists *l = t->l;
	const struct lists_txn *x = &l->txn[from];

	for (uint32_t s = x->first; s < x->first + x->count; s++) {
		const struct lists_step *read = &l->step[s];
		uint32_t item;

		if (read->item != LISTS_NONE || read->key != key)
			continue;
		item = item_missed(l, read, to);
		if (item == LISTS_NONE)
			continue;
		say_txn(t, from);
		words_say(&t->w, " read ");
		say_read(t, read, read->base);
		words_say(&t->w, " without %s and so came before ",
			words_number(l->h, l->item[item].value).text);
		say_txn(t, to);
		words_say(&t->w, ", which appended it");
		return;
	}
}

static void tell_edge(struct teller *t, const struct graph_step *e, uint32_t to)
{
	switch (e->kind) {
	case GRAPH_WW:
		tell_ww(t, e->key, e->txn, to);
		break;
	case GRAPH_WR:
		tell_wr(t, e->key, e->txn, to);
		break;
	case GRAPH_RW:
		tell_rw(t, e->key, e->txn, to);
		break;
	case GRAPH_SESSION:
		say_txn(t, e->txn);
		words_say(&t->w, " came before ");
		say_txn(t, to);
		words_say(&t->w, " in session %u", t->l->txn[to].session);
		break;
	case GRAPH_TIME:
		say_txn(t, e->txn);
		words_say(&t->w, " had returned ");
		words_span(&t->w, t->l->txn[to].t_invoke_ns - t->l->txn[e->txn].t_return_ns);
		words_say(&t->w, " before ");
		say_txn(t, to);
		words_say(&t->w, " began");
		break;
	case GRAPH_PASS:
	case GRAPH_KIND_NR:
		break;
	}
}

static const char *cycle_name(const struct anomaly *a)
{
	const struct graph_cycle *c = &a->cycle;
	size_t n[GRAPH_KIND_NR] = {0};
	bool adjacent = false;

	for (size_t i = 0; i < c->count && i < GRAPH_CYCLE_MAX; i++) {
		const struct graph_step *next = &c->step[i + 1 < c->count ? i + 1 : 0];

		n[c->step[i].kind]++;
		adjacent |= c->step[i].kind == GRAPH_RW && i + 1 < GRAPH_CYCLE_MAX &&
			    next->kind == GRAPH_RW;
	}
	if (c->count == 2 && n[GRAPH_RW] == 1 && n[GRAPH_WW] == 1 &&
		c->step[0].key == c->step[1].key)
		return "lost update (G-single";
	if (n[GRAPH_RW] == 0)
		return n[GRAPH_WR] == 0 ? "dirty write (G0" : "circular information flow (G1c";
	if (n[GRAPH_RW] == 1)
		return "read skew (G-single";
	return adjacent ? "write skew (G2-item" : "long fork (G-nonadjacent";
}

static void tell_cycle(struct teller *t)
{
	const struct graph_cycle *c = &t->a->cycle;
	size_t shown = c->count < GRAPH_CYCLE_MAX ? c->count : GRAPH_CYCLE_MAX;
	size_t begin = 0;
	bool session = false;
	bool time = false;

	for (size_t i = 0; i < shown; i++) {
		join(t, c->step[i].txn);
		/* What was not seen is told first. A cycle that is not all there stays as it is. */
		if (shown == c->count && c->step[i].kind == GRAPH_RW &&
			c->step[begin].kind != GRAPH_RW)
			begin = i;
		session |= c->step[i].kind == GRAPH_SESSION;
		time |= c->step[i].kind == GRAPH_TIME;
	}
	if (is_single(t->l))
		words_say(&t->w, "no order explains this: ");
	else
		words_say(&t->w, "%s%s): ", cycle_name(t->a),
			time      ? "-realtime"
			: session ? "-process"
				  : "");
	for (size_t i = 0; i < shown && i < CYCLE_TOLD; i++) {
		size_t at = (begin + i) % shown;

		if (i > 0)
			words_say(&t->w, "; ");
		tell_edge(t, &c->step[at], c->step[(at + 1) % shown].txn);
	}
	if (c->count > CYCLE_TOLD)
		words_say(&t->w, "; and so on, %zu in all", c->count);
}

/* "(T12: n1, session 4, 1.000 to 1.020 s; ...)" */
static void tell_who(struct teller *t)
{
	words_say(&t->w, " (");
	for (size_t i = 0; i < t->ret->witnesses && i < CYCLE_TOLD; i++) {
		const struct history_op *op = &t->l->h->op[t->ret->witness[i]];

		words_say(&t->w, "%s%s%u: ", i ? "; " : "", is_single(t->l) ? "#" : "T", op->op);
		words_node(&t->w, op);
		words_say(&t->w, ", session %u, ", op->session);
		words_when(&t->w, op);
	}
	words_say(&t->w, t->ret->witnesses > CYCLE_TOLD ? "; ...)" : ")");
}

static void tell_item(struct teller *t, const struct lists_flaw *f, const char *before)
{
	uint32_t txn = writer(t->l, f->other);

	join(t, txn);
	words_say(&t->w, "%s", before);
	say_txn(t, txn);
}

static void tell_flaw(struct teller *t)
{
	const struct lists_flaw *f = &t->l->flaw[t->a->flaw];
	const struct lists_step *read = &t->l->step[f->step];
	const struct words_name name_of_value = words_number(t->l->h, f->value);
	const char *value = name_of_value.text;

	static const char *const name[LISTS_FLAW_NR] = {
		[LISTS_THIN_AIR] = "value from nowhere",
		[LISTS_DUPLICATE] = "duplicate element",
		[LISTS_INCOMPATIBLE] = "incompatible order",
		[LISTS_MIXED] = "mixed appends",
		[LISTS_OWN] = "internal inconsistency",
		[LISTS_ABORTED] = "aborted read (G1a)",
		[LISTS_INTERMEDIATE] = "intermediate read (G1b)",
		[LISTS_UNREPEATABLE] = "internal inconsistency",
	};

	join(t, read->txn);
	words_say(&t->w, "%s: ", name[t->a->flaw]);
	say_txn(t, read->txn);
	words_say(&t->w, " read ");
	say_read(t, read, read->count);
	switch (t->a->flaw) {
	case LISTS_THIN_AIR:
		words_say(&t->w, ", but nobody had appended %s", value);
		break;
	case LISTS_DUPLICATE:
		words_say(&t->w, " with %s twice", value);
		tell_item(t, f, ", which was appended once, by ");
		break;
	case LISTS_INCOMPATIBLE:
		join(t, t->l->step[f->other].txn);
		words_say(&t->w, " and ");
		say_txn(t, t->l->step[f->other].txn);
		words_say(&t->w, " read ");
		say_read(t, &t->l->step[f->other], t->l->step[f->other].count);
		words_say(&t->w,
			", of which none is the beginning of the other: from %s on they "
			"differ",
			value);
		break;
	case LISTS_MIXED:
		words_say(&t->w, ", where %s stands without what was appended just before by ",
			value);
		tell_item(t, f, "");
		break;
	case LISTS_OWN:
		words_say(
			&t->w, " after it had itself appended %s, which is not at the end", value);
		break;
	case LISTS_ABORTED:
		words_say(&t->w, " with %s, appended by ", value);
		tell_item(t, f, "");
		words_say(&t->w, ", which had failed");
		break;
	case LISTS_INTERMEDIATE:
		if (writer(t->l, f->other) == read->txn)
			words_say(&t->w, " before it appended %s itself", value);
		else
			tell_item(t, f, ", which ends in the middle of what was appended by ");
		break;
	case LISTS_UNREPEATABLE:
		words_say(&t->w, " after it had read ");
		say_read(t, &t->l->step[f->other], t->l->step[f->other].count);
		break;
	case LISTS_FLAW_NR:
		break;
	}
}

void anomaly_tell(
	const struct anomaly *a, const struct check_names *names, struct check_result *ret)
{
	struct teller t = {.a = a, .l = a->l, .ret = ret};

	words_init(&t.w, a->l->h, names, ret->words, sizeof ret->words);
	if (a->flaw == LISTS_FLAW_NR)
		tell_cycle(&t);
	else
		tell_flaw(&t);
	tell_who(&t);
}
