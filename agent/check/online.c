/* SPDX-License-Identifier: MIT */
/*
 * online.c - linearizability of registers with unique values, while the history grows
 *
 * Theory of operation
 *
 * The conditions are those of zone.c: blocks (a plain write and the compare-and-set that follow
 * from it) span a zone from f, the first return, to s, the last invocation; two blocks with
 * f_A < s_B and f_B < s_A contradict each other; inside a block no operation returns before one of
 * an earlier level begins. They are looked at again whenever an operation ends, for its block only.
 *
 * What is settled is forgotten, so that memory does not grow. Let P be the earliest invocation of
 * the reads and compare-and-set that are still under way: whatever ends from now on began at P or
 * later (operations of unknown outcome do not count: see 3).
 *
 *  1. Let W be a block with f_W < P. A block A that must come before W, f_A < s_W, is dead: an
 *     operation of A that ends from now on begins after f_W, and A and W contradict each other. So
 *     is a block that must come before a dead one: it closes a circle, and in a circle of blocks
 *     there is a pair that contradicts (see zone.c). A dead block cannot contradict those that
 *     are left, either: all that come before a dead one are dead, the others have f no less than
 *     any s of the dead.
 *  2. Inside a block, the levels before one that was seen by an operation that ended before P are
 *     dead likewise.
 *  3. A write of unknown outcome that nobody has seen is no block yet. A compare-and-set of unknown
 *     outcome that turns out to have replaced a dead value followed it without anything in
 *     between, so what it wrote is dead, too.
 *
 * Hence a value that is not known is a violation, whether it is dead or was never written. What is
 * left are the blocks of about as many values as there are clients, and the writes of unknown
 * outcome that nobody has seen.
 *
 * Times are moved up by one, so that 0 stands for "before everything".
 */
#include "agent/check/online.h"

#include <assert.h>
#include <stdlib.h>

#include "agent/check/slots.h"

#define ONLINE_NONE UINT32_MAX
#define ONLINE_NEVER UINT64_MAX
/* Settling is put off until so many blocks, or levels of one, could go. */
#define ONLINE_LAZY 8
/* Compare-and-set of unknown outcome that follow from each other. */
#define ONLINE_DEPTH_MAX 64

/* A value: a level of its block, from when on it is known to have been written. */
struct value {
	uint64_t key;
	uint64_t value;
	uint64_t old;   /* that a compare-and-set expected */
	uint64_t begin; /* of its write */
	uint64_t f;
	uint64_t s;
	uint32_t block; /* ONLINE_NONE: it is not known that it was written */
	uint32_t next;  /* level of the block; or free value */
	bool cas;
	bool taken; /* by a compare-and-set */
};

struct block {
	uint64_t f;
	uint64_t s;
	uint32_t first; /* level */
	uint32_t levels;
	uint32_t next; /* of the key; or free block */
	bool dead;
};

struct pending {
	uint64_t begin;
	uint64_t key;
	uint64_t value;
	uint64_t old;
	uint32_t next; /* of the key; or free */
	uint32_t op;
	uint8_t kind;
};

struct online_key {
	uint32_t block;   /* first */
	uint32_t blocks;  /* how many */
	uint32_t pending; /* first */
	bool off;         /* it is not looked at any more */
};

struct online {
	uint64_t margin_ns;
	uint64_t now; /* latest time seen */
	struct slots key_of;
	struct slots value_of;   /* key, value */
	struct slots pending_of; /* operation */
	struct online_key *key;
	size_t keys;
	size_t keys_cap;
	struct value *value;
	size_t values_cap;
	uint32_t free_value;
	struct block *block;
	size_t blocks_cap;
	uint32_t free_block;
	struct pending *pending;
	size_t pendings_cap;
	uint32_t free_pending;
	struct online_key *k; /* of the present record */
};

/* Places */

/* None is free: make more, each pointing to the next one. */
#define ONLINE_GROW(o, array, cap_, free_) \
	do { \
		size_t cap = (o)->cap_ ? 2 * (o)->cap_ : 64; \
		(o)->array = realloc((o)->array, cap * sizeof *(o)->array); \
		assert((o)->array &&cap < ONLINE_NONE); \
		for (size_t n = (o)->cap_; n < cap; n++) \
			(o)->array[n].next = n + 1 < cap ? (uint32_t)n + 1 : ONLINE_NONE; \
		(o)->free_ = (uint32_t)(o)->cap_; \
		(o)->cap_ = cap; \
	} while (0)

static uint32_t value_new(struct online *o, const struct value *v)
{
	uint32_t i;

	if (o->free_value == ONLINE_NONE)
		ONLINE_GROW(o, value, values_cap, free_value);
	i = o->free_value;
	o->free_value = o->value[i].next;
	o->value[i] = *v;
	o->value[i].block = ONLINE_NONE;
	o->value[i].next = ONLINE_NONE;
	slots_set(&o->value_of, v->key, v->value, i);
	return i;
}

static void value_forget(struct online *o, uint32_t i)
{
	(void)slots_take(&o->value_of, o->value[i].key, o->value[i].value);
	o->value[i].next = o->free_value;
	o->free_value = i;
}

static uint32_t block_new(struct online *o, uint32_t first)
{
	uint32_t i;

	if (o->free_block == ONLINE_NONE)
		ONLINE_GROW(o, block, blocks_cap, free_block);
	i = o->free_block;
	o->free_block = o->block[i].next;
	o->block[i] = (struct block){.f = ONLINE_NEVER,
		.s = o->value[first].begin,
		.first = first,
		.levels = 1,
		.next = o->k->block};
	o->k->block = i;
	o->k->blocks++;
	o->value[first].block = i;
	return i;
}

static void block_forget(struct online *o, uint32_t i)
{
	uint32_t next;

	for (uint32_t v = o->block[i].first; v != ONLINE_NONE; v = next) {
		next = o->value[v].next;
		value_forget(o, v);
	}
	o->block[i].next = o->free_block;
	o->free_block = i;
	o->k->blocks--;
}

static void key_enter(struct online *o, uint64_t key)
{
	uint32_t i = slots_get(&o->key_of, key, 0);
	uint32_t nothing;

	if (i != SLOTS_NONE) {
		o->k = &o->key[i];
		return;
	}
	if (o->keys == o->keys_cap) {
		o->keys_cap = o->keys_cap ? 2 * o->keys_cap : 64;
		o->key = realloc(o->key, o->keys_cap * sizeof *o->key);
		assert(o->key);
	}
	slots_set(&o->key_of, key, 0, (uint32_t)o->keys);
	o->k = &o->key[o->keys++];
	*o->k = (struct online_key){.block = ONLINE_NONE, .pending = ONLINE_NONE};
	/* "Nothing" was there before everything. */
	nothing = value_new(o, &(struct value){.key = key});
	(void)block_new(o, nothing);
	o->block[o->k->block].f = 0;
}

static void pending_add(struct online *o, const struct pending *p)
{
	uint32_t i;

	if (o->free_pending == ONLINE_NONE)
		ONLINE_GROW(o, pending, pendings_cap, free_pending);
	i = o->free_pending;
	o->free_pending = o->pending[i].next;
	o->pending[i] = *p;
	o->pending[i].next = o->k->pending;
	o->k->pending = i;
	slots_set(&o->pending_of, p->op, 0, i);
}

/* Return: false if it is not under way. */
static bool pending_take(struct online *o, const struct history_record *r, struct pending *ret)
{
	uint32_t i = slots_get(&o->pending_of, r->op, 0);
	uint32_t *at;

	if (i == SLOTS_NONE || o->pending[i].key != r->key)
		return false;
	(void)slots_take(&o->pending_of, r->op, 0);
	*ret = o->pending[i];
	for (at = &o->k->pending; *at != i; at = &o->pending[*at].next)
		assert(*at != ONLINE_NONE);
	*at = o->pending[i].next;
	o->pending[i].next = o->free_pending;
	o->free_pending = i;
	return true;
}

/* Conditions */

/* Rule 1 of zone.c, over all levels of a block that are left. */
static bool levels_contradict(const struct online *o, uint32_t block)
{
	uint64_t begun = 0;

	for (uint32_t i = o->block[block].first; i != ONLINE_NONE; i = o->value[i].next) {
		if (o->value[i].f < begun)
			return true;
		if (o->value[i].s > begun)
			begun = o->value[i].s;
	}
	return false;
}

/* Rule 2 there: @block against all others of its key. */
static bool blocks_contradict(const struct online *o, uint32_t block)
{
	const struct block *a = &o->block[block];

	for (uint32_t i = o->k->block; i != ONLINE_NONE; i = o->block[i].next)
		if (i != block && a->f < o->block[i].s && o->block[i].f < a->s)
			return true;
	return false;
}

static void value_touch(struct online *o, uint32_t i, uint64_t begin, uint64_t end)
{
	struct value *v = &o->value[i];
	struct block *b = &o->block[v->block];

	if (end < v->f)
		v->f = end;
	if (end < b->f)
		b->f = end;
	if (begin > v->s)
		v->s = begin;
	if (begin > b->s)
		b->s = begin;
}

/*
 * It is known now that the value was written. Compare-and-set join the block of the value that
 * they replaced, which was written then, too. Return: false if that cannot be.
 */
static bool value_establish(struct online *o, uint32_t i, unsigned depth)
{
	struct value *v = &o->value[i];
	uint32_t old;

	if (v->block != ONLINE_NONE)
		return true;
	if (!v->cas) {
		(void)block_new(o, i);
		return true;
	}
	old = slots_get(&o->value_of, v->key, v->old);
	if (old == SLOTS_NONE || depth == ONLINE_DEPTH_MAX || old == i ||
		!value_establish(o, old, depth + 1) || o->value[old].taken)
		return false;
	o->value[old].taken = true;
	o->value[old].next = i;
	v->block = o->value[old].block;
	o->block[v->block].levels++;
	value_touch(o, old, v->begin, ONLINE_NEVER);
	return true;
}

/* An operation on @value took place between @begin and @end. Return: whether that cannot be. */
static bool value_seen(struct online *o, uint64_t key, uint64_t value, uint64_t begin, uint64_t end)
{
	uint32_t i = slots_get(&o->value_of, key, value);

	if (i == SLOTS_NONE || !value_establish(o, i, 0))
		return true;
	value_touch(o, i, begin, end);
	return levels_contradict(o, o->value[i].block) || blocks_contradict(o, o->value[i].block);
}

/* Settling */

/* What ends from now on began then or later. */
static uint64_t key_frontier(const struct online *o)
{
	uint64_t p = o->now > o->margin_ns ? o->now - o->margin_ns : 0;

	for (uint32_t i = o->k->pending; i != ONLINE_NONE; i = o->pending[i].next)
		if (o->pending[i].kind != HISTORY_WRITE && o->pending[i].begin < p)
			p = o->pending[i].begin;
	return p;
}

/* Rule 2 here. */
static void levels_settle(struct online *o, struct block *b, uint64_t frontier)
{
	uint32_t last = ONLINE_NONE;

	if (b->levels < ONLINE_LAZY)
		return;
	for (uint32_t i = b->first; i != ONLINE_NONE; i = o->value[i].next)
		if (o->value[i].f < frontier)
			last = i;
	while (last != ONLINE_NONE && b->first != last) {
		uint32_t dead = b->first;

		b->first = o->value[dead].next;
		b->levels--;
		value_forget(o, dead);
	}
}

/* Rule 1 here: the block after which most is settled. */
static uint32_t key_last(const struct online *o, uint64_t frontier)
{
	uint32_t last = ONLINE_NONE;

	for (uint32_t i = o->k->block; i != ONLINE_NONE; i = o->block[i].next)
		if (o->block[i].f < frontier &&
			(last == ONLINE_NONE || o->block[i].s > o->block[last].s))
			last = i;
	return last;
}

static void blocks_settle(struct online *o, uint32_t last)
{
	uint64_t s = o->block[last].s;
	bool again = true;
	uint32_t *at = &o->k->block;

	while (again) {
		again = false;
		for (uint32_t i = o->k->block; i != ONLINE_NONE; i = o->block[i].next) {
			struct block *b = &o->block[i];

			if (i == last || b->dead || b->f >= s)
				continue;
			b->dead = true;
			again = true;
			if (b->s > s)
				s = b->s;
		}
	}
	while (*at != ONLINE_NONE) {
		uint32_t i = *at;

		if (o->block[i].dead) {
			*at = o->block[i].next;
			block_forget(o, i);
		} else {
			at = &o->block[i].next;
		}
	}
}

static void key_settle(struct online *o, uint32_t touched)
{
	uint64_t frontier;
	uint32_t last;

	if (o->k->blocks < ONLINE_LAZY && o->block[touched].levels < ONLINE_LAZY)
		return;
	frontier = key_frontier(o);
	levels_settle(o, &o->block[touched], frontier);
	if (o->k->blocks < ONLINE_LAZY)
		return;
	last = key_last(o, frontier);
	if (last != ONLINE_NONE)
		blocks_settle(o, last);
}

/* Records */

static bool online_invoke(struct online *o, const struct history_record *r)
{
	struct pending p = {.begin = r->t_ns + 1,
		.key = r->key,
		.value = r->value,
		.old = r->old,
		.op = r->op,
		.kind = r->kind};

	pending_add(o, &p);
	if (r->kind == HISTORY_READ)
		return false;
	if (slots_get(&o->value_of, r->key, r->value) != SLOTS_NONE) {
		o->k->off = true; /* values repeat: this is not for us */
		return false;
	}
	(void)value_new(o, &(struct value){.key = r->key,
				   .value = r->value,
				   .old = r->old,
				   .begin = p.begin,
				   .f = ONLINE_NEVER,
				   .s = p.begin,
				   .cas = r->kind == HISTORY_CAS});
	return false;
}

/* It had no effect. Return: whether somebody saw one nevertheless. */
static bool online_no_effect(struct online *o, const struct pending *p)
{
	uint32_t i = slots_get(&o->value_of, p->key, p->value);

	if (p->kind == HISTORY_READ || i == SLOTS_NONE)
		return false;
	if (o->value[i].block != ONLINE_NONE)
		return true;
	value_forget(o, i);
	return false;
}

static bool online_ok(struct online *o, const struct pending *p, const struct history_record *r)
{
	uint64_t end = r->t_ns + 1;
	uint64_t value = p->kind == HISTORY_READ ? r->value : p->value;
	uint32_t i;

	if (p->kind == HISTORY_CAS && r->error == HISTORY_UNMET)
		return online_no_effect(o, p);
	/* An own value that is dead was seen by others before it was acknowledged. */
	if (p->kind != HISTORY_READ && slots_get(&o->value_of, p->key, value) == SLOTS_NONE)
		return false;
	if (value_seen(o, p->key, value, p->begin, end))
		return true;
	if (p->kind == HISTORY_CAS && slots_get(&o->value_of, p->key, p->old) != SLOTS_NONE &&
		value_seen(o, p->key, p->old, p->begin, end))
		return true;
	i = slots_get(&o->value_of, p->key, value);
	assert(i != SLOTS_NONE);
	key_settle(o, o->value[i].block);
	return false;
}

bool online_feed(struct online *o, const struct history_record *r)
{
	struct pending p;
	bool found = false;

	if (r->type < HISTORY_INVOKE || r->type > HISTORY_UNKNOWN || r->kind > HISTORY_CAS)
		return false;
	if (r->t_ns + 1 > o->now)
		o->now = r->t_ns + 1;
	key_enter(o, r->key);
	if (o->k->off)
		return false;
	if (r->type == HISTORY_INVOKE)
		found = online_invoke(o, r);
	else if (!pending_take(o, r, &p))
		return false;
	else if (r->type == HISTORY_OK)
		found = online_ok(o, &p, r);
	else if (r->type == HISTORY_FAIL)
		found = online_no_effect(o, &p);
	o->k->off |= found;
	return found;
}

struct online *online_open(uint64_t margin_ns)
{
	struct online *o = calloc(1, sizeof *o);

	assert(o);
	o->margin_ns = margin_ns;
	o->free_value = ONLINE_NONE;
	o->free_block = ONLINE_NONE;
	o->free_pending = ONLINE_NONE;
	return o;
}

void online_close(struct online *o)
{
	if (!o)
		return;
	slots_fini(&o->key_of);
	slots_fini(&o->value_of);
	slots_fini(&o->pending_of);
	free(o->key);
	free(o->value);
	free(o->block);
	free(o->pending);
	free(o);
}

size_t online_values(const struct online *o)
{
	return o->value_of.count;
}

static size_t slots_bytes(const struct slots *s)
{
	return s->entry ? (s->mask + 1) * sizeof *s->entry : 0;
}

size_t online_bytes(const struct online *o)
{
	return sizeof *o + slots_bytes(&o->key_of) + slots_bytes(&o->value_of) +
	       slots_bytes(&o->pending_of) + o->keys_cap * sizeof *o->key +
	       o->values_cap * sizeof *o->value + o->blocks_cap * sizeof *o->block +
	       o->pendings_cap * sizeof *o->pending;
}
