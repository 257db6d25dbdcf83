/* SPDX-License-Identifier: MIT */
/*
 * zone.c - linearizability of a register whose values are unique, in O(n log n)
 *
 * Theory of operation (Gibbons and Korach, "Testing shared memories", SIAM J. Computing 1997,
 * and the zones of Golab, Li and Shah, "Analyzing consistency properties for fun and
 * profit", PODC 2011; the chains of compare-and-set are our own addition):
 *
 * Each value has one writer, so it is known which operations belong together. A *block* is what
 * one plain write began: the write, the reads of its value, the compare-and-set that replaced that
 * value, the reads of the new value, and so on: levels that follow each other without anything in
 * between. The value "nothing" begins a block that was there before all else.
 *
 *     level        0         1            2              3
 *               write 7   reads of 7   cas 7 -> 9   reads of 9 ...
 *
 *  1. Inside a block no operation may return before one of an earlier level begins.
 *  2. The zone of a block lies between f, the first return of its operations, and s, the last
 *     invocation. If f_A < s_B, something of A is over before something of B begins, so all of A
 *     comes before all of B. Two blocks with f_A < s_B and f_B < s_A contradict each other.
 *  3. There is no other contradiction: in a longer circle A before B before C ... without such a
 *     pair, f grows at each step, so it never closes.
 *
 * A zone is *forward* if f < s, else backward. Two forward zones contradict if they overlap, a
 * backward one contradicts a forward one that it lies in, and two backward ones never do.
 *
 * Times are moved up by one here, so that 0 stands for "before everything".
 */
#include "agent/check/zone.h"

#include <assert.h>
#include <stdlib.h>

/* Operations that have looked at a value, and the one that replaced it. */
struct level {
	uint32_t first; /* the read that returned first, REG_NONE: there was none */
	uint32_t last;  /* the read that began last */
	uint32_t taker; /* compare-and-set that replaced the value */
	bool needed;    /* somebody saw the value */
};

struct block {
	uint64_t f;
	uint64_t s;
	uint32_t f_op; /* REG_NONE: before everything */
	uint32_t s_op; /* REG_NONE: there is no operation */
	uint32_t root; /* the plain write; REG_NONE: nothing was there */
};

struct zone {
	const struct reg *r;
	struct level *level; /* owned; by value */
	struct block *block; /* owned */
	size_t blocks;
	uint32_t *block_of; /* owned; by operation, REG_NONE: in none */
	struct finding *ret;
};

static uint64_t begins(const struct zone *z, uint32_t i)
{
	return z->r->op[i].t_invoke_ns + 1;
}

static uint64_t returns(const struct zone *z, uint32_t i)
{
	return z->r->op[i].open ? UINT64_MAX : z->r->op[i].t_return_ns + 1;
}

static uint32_t zone_index(const struct zone *z, uint32_t i)
{
	return i == REG_NONE ? FINDING_NOBODY : z->r->op[i].index;
}

static void zone_witness(struct zone *z, uint32_t i);

/*
 * Add the writers that @i follows from, and for an operation of unknown outcome somebody who saw
 * that it took place. The depth is bounded: where the witness has no room left, it ends.
 */
static void zone_reasons(struct zone *z, uint32_t i)
{
	const struct reg_op *op = &z->r->op[i];

	if (op->kind != REG_WRITE)
		zone_witness(z, z->r->value[op->kind == REG_READ ? op->value : op->old].writer);
	if (!op->open)
		return;
	if (z->level[op->value].first != REG_NONE)
		zone_witness(z, z->level[op->value].first);
	else
		zone_witness(z, z->level[op->value].taker);
}

static void zone_witness(struct zone *z, uint32_t i)
{
	unsigned count = z->ret->count;

	if (i == REG_NONE)
		return;
	finding_add(z->ret, z->r->h, z->r->op[i].index);
	if (z->ret->count > count)
		zone_reasons(z, i);
}

/* Add those that the words name, and only then, as far as there is room, their reasons. */
static void zone_tell(struct zone *z, const uint32_t *op, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (op[i] != REG_NONE)
			finding_add(z->ret, z->r->h, z->r->op[op[i]].index);
	for (size_t i = 0; i < count; i++)
		if (op[i] != REG_NONE)
			zone_reasons(z, op[i]);
}

/* An operation of unknown outcome took place only if somebody saw that it did. */
static bool zone_took_place(const struct zone *z, uint32_t i)
{
	const struct reg_op *op = &z->r->op[i];

	return !op->open || z->level[op->value].needed;
}

static void zone_need(struct zone *z, uint32_t value)
{
	while (!z->level[value].needed) {
		uint32_t writer = z->r->value[value].writer;

		z->level[value].needed = true;
		if (writer == REG_NONE || z->r->op[writer].kind != REG_CAS ||
			!z->r->op[writer].open)
			return;
		value = z->r->op[writer].old;
	}
}

static void zone_add_read(struct zone *z, uint32_t i)
{
	struct level *l = &z->level[z->r->op[i].value];

	if (l->first == REG_NONE || returns(z, i) < returns(z, l->first))
		l->first = i;
	if (l->last == REG_NONE || begins(z, i) > begins(z, l->last))
		l->last = i;
}

/* A value was replaced by @i, and by another one as well. */
static void zone_replaced_twice(struct zone *z, uint32_t i)
{
	*z->ret = (struct finding){.kind = FINDING_ORDER, .whole = true, .look = zone_index(z, i)};
	zone_tell(z, (uint32_t[]){i, z->level[z->r->op[i].old].taker}, 2);
}

/* Return: false if a value was replaced twice. */
static bool zone_fill_levels(struct zone *z)
{
	const struct reg *r = z->r;
	uint32_t twice = REG_NONE;

	for (size_t v = 0; v < r->values; v++)
		z->level[v] =
			(struct level){.first = REG_NONE, .last = REG_NONE, .taker = REG_NONE};
	for (uint32_t i = 0; i < r->count; i++) {
		if (r->op[i].kind == REG_READ) {
			zone_add_read(z, i);
			zone_need(z, r->op[i].value);
		} else if (r->op[i].kind == REG_CAS && !r->op[i].open) {
			zone_need(z, r->op[i].old);
		}
	}
	for (uint32_t i = 0; i < r->count; i++) {
		if (r->op[i].kind != REG_CAS || !zone_took_place(z, i))
			continue;
		if (z->level[r->op[i].old].taker == REG_NONE)
			z->level[r->op[i].old].taker = i;
		else
			twice = i;
	}
	if (twice != REG_NONE)
		zone_replaced_twice(z, twice);
	return twice == REG_NONE;
}

static void block_add(struct zone *z, struct block *b, uint32_t first, uint32_t last)
{
	if (returns(z, first) < b->f) {
		b->f = returns(z, first);
		b->f_op = first;
	}
	if (begins(z, last) > b->s) {
		b->s = begins(z, last);
		b->s_op = last;
	}
}

/* Rule 1: @early has returned, before @late of an earlier level began. */
static void zone_disorder(struct zone *z, uint32_t early, uint32_t late)
{
	const struct reg_op *op = &z->r->op[late];
	uint32_t taker;

	*z->ret = (struct finding){.whole = true, .older = FINDING_NOBODY};
	if (op->kind != REG_READ) {
		z->ret->kind = FINDING_FUTURE;
		z->ret->look = zone_index(z, early);
		z->ret->newer = zone_index(z, late);
	} else {
		/* It is shorter to tell if the one that replaced the value has returned, too. */
		taker = z->level[op->value].taker;
		assert(taker != REG_NONE); /* there is a later level */
		if (returns(z, taker) < begins(z, late))
			early = taker;
		z->ret->kind = FINDING_STALE;
		z->ret->look = zone_index(z, late);
		z->ret->newer = zone_index(z, early);
		z->ret->replaced = zone_index(z, taker);
	}
	zone_tell(z, (uint32_t[]){late, early}, 2);
}

/* Add a level from @first (returns first) to @last (begins last). Return: false on disorder. */
static bool zone_add_level(struct zone *z, struct block *b, uint32_t first, uint32_t last)
{
	if (b->s_op != REG_NONE && returns(z, first) < b->s) {
		zone_disorder(z, first, b->s_op);
		return false;
	}
	block_add(z, b, first, last);
	return true;
}

/* Follow the chain that begins with @root. Return: false on disorder. */
static bool zone_build_block(struct zone *z, uint32_t root)
{
	struct block *b = &z->block[z->blocks];
	uint32_t value = REG_NOTHING;
	uint32_t writer = root;

	*b = (struct block){.f = UINT64_MAX, .f_op = root, .s_op = REG_NONE, .root = root};
	if (root == REG_NONE)
		b->f = 0;
	for (;;) {
		if (writer != REG_NONE) {
			if (!zone_add_level(z, b, writer, writer))
				return false;
			z->block_of[writer] = (uint32_t)z->blocks;
			value = z->r->op[writer].value;
		}
		if (value == REG_OTHER)
			break;
		if (z->level[value].first != REG_NONE &&
			!zone_add_level(z, b, z->level[value].first, z->level[value].last))
			return false;
		writer = z->level[value].taker;
		if (writer == REG_NONE)
			break;
	}
	z->blocks++;
	return true;
}

/* Compare-and-set that follow each other in a circle hang in the air together. */
static bool zone_circle(struct zone *z)
{
	for (uint32_t i = 0; i < z->r->count; i++) {
		if (z->r->op[i].kind != REG_CAS || z->block_of[i] != REG_NONE ||
			!zone_took_place(z, i))
			continue;
		*z->ret = (struct finding){
			.kind = FINDING_ORDER, .whole = true, .look = zone_index(z, i)};
		zone_witness(z, i);
		return true;
	}
	return false;
}

static bool zone_build_blocks(struct zone *z)
{
	for (size_t i = 0; i < z->r->count; i++)
		z->block_of[i] = REG_NONE;
	if (!zone_build_block(z, REG_NONE))
		return false;
	for (uint32_t i = 0; i < z->r->count; i++)
		if (z->r->op[i].kind == REG_WRITE && zone_took_place(z, i) &&
			!zone_build_block(z, i))
			return false;
	return !zone_circle(z);
}

/* An operation of @b that is over before @before begins: its write if possible. */
static uint32_t zone_over(const struct zone *z, const struct block *b, uint32_t before)
{
	if (b->root != REG_NONE && returns(z, b->root) < begins(z, before))
		return b->root;
	return b->f_op;
}

/* An operation of @b that begins after @f: its write if possible. */
static uint32_t zone_begun(const struct zone *z, const struct block *b, uint64_t f)
{
	if (b->root != REG_NONE && f < begins(z, b->root))
		return b->root;
	return b->s_op;
}

/* Rule 2: something of each block is over before something of the other begins. */
static void zone_contradiction(struct zone *z, const struct block *a, const struct block *b)
{
	const struct block *older = a;
	const struct block *newer = b;
	uint32_t seen;
	uint32_t before;
	uint32_t replaced;

	/* The one to tell about looks at a value; of two, the one that began last. */
	if (b->root == REG_NONE || z->r->op[a->s_op].kind == REG_WRITE ||
		(a->root != REG_NONE && z->r->op[b->s_op].kind != REG_WRITE && b->s > a->s)) {
		older = b;
		newer = a;
	}
	seen = zone_over(z, newer, older->s_op);
	replaced = zone_begun(z, newer, older->f);
	before = older->f_op == REG_NONE ? REG_NONE : zone_over(z, older, replaced);
	*z->ret = (struct finding){
		.kind = FINDING_STALE,
		.whole = true,
		.look = zone_index(z, older->s_op),
		.newer = zone_index(z, seen),
		.older = zone_index(z, before),
		.replaced = zone_index(z, replaced),
	};
	zone_tell(z, (uint32_t[]){older->s_op, seen, before, replaced}, 4);
}

static void zone_weigh(
	struct zone *z, const struct block *a, const struct block *b, struct finding *best)
{
	zone_contradiction(z, a, b);
	if (finding_clearer(z->ret, best, z->r->h))
		*best = *z->ret;
}

static bool block_forward(const struct block *b)
{
	return b->f < b->s;
}

static int by_f(const void *a, const void *b)
{
	const struct block *x = *(const struct block *const *)a;
	const struct block *y = *(const struct block *const *)b;

	if (x->f != y->f)
		return x->f < y->f ? -1 : 1;
	return x->s < y->s ? -1 : x->s > y->s;
}

/* The last of @count forward zones with f < @s, NULL if there is none. */
static const struct block *zone_last_before(
	const struct block *const *forward, size_t count, uint64_t s)
{
	size_t low = 0;

	while (low < count) {
		size_t middle = low + (count - low) / 2;

		if (forward[middle]->f < s)
			low = middle + 1;
		else
			count = middle;
	}
	return low > 0 ? forward[low - 1] : NULL;
}

/* Of all contradictions the clearest is told. */
static bool zone_contradicts(struct zone *z)
{
	const struct block **forward = malloc((z->blocks + 1) * sizeof *forward);
	struct finding best = {.kind = FINDING_NONE};
	size_t count = 0;

	assert(forward);
	for (size_t i = 0; i < z->blocks; i++)
		if (block_forward(&z->block[i]))
			forward[count++] = &z->block[i];
	qsort(forward, count, sizeof *forward, by_f);
	for (size_t i = 1; i < count; i++)
		if (forward[i]->f < forward[i - 1]->s)
			zone_weigh(z, forward[i - 1], forward[i], &best);
	for (size_t i = 0; i < z->blocks; i++) {
		const struct block *b = &z->block[i];
		const struct block *f = zone_last_before(forward, count, b->s);

		if (!block_forward(b) && f && b->f < f->s)
			zone_weigh(z, f, b, &best);
	}
	free(forward);
	*z->ret = best;
	return best.kind != FINDING_NONE;
}

/* The time in which a value was surely there, and who says so. */
struct stay {
	uint64_t from;
	uint64_t to;
	uint32_t first; /* REG_NONE: it was there from the beginning */
	uint32_t last;
};

static void stay_add(const struct zone *z, struct stay *t, uint32_t i)
{
	if (i == REG_NONE)
		return;
	if (returns(z, i) < t->from) {
		t->from = returns(z, i);
		t->first = i;
	}
	if (begins(z, i) > t->to) {
		t->to = begins(z, i);
		t->last = i;
	}
}

/* A compare-and-set was unmet although its value was there before it began and after it ended. */
static bool zone_unmet(struct zone *z, uint32_t i)
{
	const struct reg_op *op = &z->r->op[i];
	struct stay t = {.from = UINT64_MAX, .first = REG_NONE, .last = REG_NONE};
	uint32_t writer = z->r->value[op->old].writer;

	if (op->old == REG_NOTHING)
		t.from = 0;
	else if (writer == REG_NONE || !zone_took_place(z, writer))
		return false;
	stay_add(z, &t, writer);
	stay_add(z, &t, z->level[op->old].first);
	stay_add(z, &t, z->level[op->old].last);
	stay_add(z, &t, z->level[op->old].taker);
	if (t.from >= begins(z, i) || returns(z, i) >= t.to)
		return false;
	*z->ret = (struct finding){
		.kind = FINDING_UNMET,
		.whole = true,
		.look = op->index,
		.older = zone_index(z, t.first),
		.newer = zone_index(z, t.last),
	};
	zone_tell(z, (uint32_t[]){i, t.first, t.last}, 3);
	return true;
}

/* A before B is forced only if min(f_A, s_A) < min(f_B, s_B), so this order explains all. */
static void zone_rank(const struct zone *z, uint64_t *rank)
{
	for (size_t i = 0; i < z->r->count; i++) {
		const struct block *b = &z->block[z->block_of[i]];

		if (z->block_of[i] == REG_NONE)
			rank[i] = UINT64_MAX;
		else
			rank[i] = b->f < b->s ? b->f : b->s;
	}
}

static bool zone_run(struct zone *z, uint64_t *rank)
{
	if (!zone_fill_levels(z) || !zone_build_blocks(z) || zone_contradicts(z))
		return true;
	for (uint32_t i = 0; i < z->r->count && z->r->unmet; i++)
		if (z->r->op[i].kind == REG_UNMET && zone_unmet(z, i))
			return true;
	if (rank)
		zone_rank(z, rank);
	return false;
}

bool zone_find(const struct reg *r, uint64_t *rank, struct finding *ret)
{
	struct zone z = {.r = r, .ret = ret};
	bool found;

	assert(r->unique);
	z.level = malloc(r->values * sizeof *z.level);
	z.block = malloc((r->count + 1) * sizeof *z.block);
	z.block_of = malloc((r->count + 1) * sizeof *z.block_of);
	assert(z.level && z.block && z.block_of);
	found = zone_run(&z, rank);
	free(z.level);
	free(z.block);
	free(z.block_of);
	return found;
}
