/* SPDX-License-Identifier: MIT */
/*
 * table.c - a replica's data in memory: keys, values, versions, tombstones
 *
 * Open addressing with linear probing over a power of two of slots; a slot holds the hash, so a
 * probe touches a foreign entry only when all 64 bits agree. A removed entry's place is filled by
 * those behind it, hence probing needs no deletion marks. The table doubles when three quarters are
 * taken: a put costs amortised constant time; a single one at 1 M keys some 20 ms.
 *
 * An entry's home are the first bits of its hash, so homes stand in the order of the hashes,
 * however many slots there are: the cursor of a scan is a hash, and all before it have been shown.
 *
 * An entry and its key and value are one allocation. A value that fits is written in place.
 *
 * Keys are not secret and clients are the lab's own: the hash is not keyed. The walk's order
 * depends on the order of puts only, so that runs repeat.
 */
#include "store/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 64u
/* Room that a value may grow into without a new allocation. */
#define VALUE_ROUND 16u

struct node {
	struct table_entry entry;
	uint32_t value_cap;
	uint8_t bytes[]; /* key, then value */
};

struct slot {
	uint64_t hash;
	struct node *node; /* NULL: free */
};

struct table {
	struct slot *slots;
	size_t mask;
	unsigned shift; /* of a hash to its home */
	size_t used;    /* slots taken */
	size_t living;  /* entries that are not tombstones */
};

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The folded multiplication of wyhash (Wang Yi, 2019), eight bytes at a step. */
static uint64_t hash_of(struct proto_bytes key)
{
	uint64_t h = 0x9e3779b97f4a7c15ull ^ key.len;
	uint64_t word = 0;
	uint32_t i = 0;

	for (; key.len - i >= 8; i += 8) {
		memcpy(&word, key.p + i, 8);
		h = mix(h ^ word, 0xe7037ed1a0b428dbull);
	}
	word = 0;
	for (uint32_t shift = 0; i < key.len; i++, shift += 8)
		word |= (uint64_t)key.p[i] << shift;
	return mix(h ^ word, 0x8ebc6af09c88c6e3ull);
}

static void slots_init(struct table *t, size_t n)
{
	t->slots = calloc(n, sizeof *t->slots);
	assert(t->slots);
	t->mask = n - 1;
	t->shift = (unsigned)__builtin_clzll(n) + 1;
}

static size_t home_of(const struct table *t, uint64_t hash)
{
	return (size_t)(hash >> t->shift);
}

struct table *table_open(void)
{
	struct table *t = calloc(1, sizeof *t);

	assert(t);
	slots_init(t, SLOTS_MIN);
	return t;
}

static void nodes_free(struct table *t)
{
	for (size_t i = 0; i <= t->mask; i++)
		free(t->slots[i].node);
	free(t->slots);
}

void table_close(struct table *t)
{
	if (!t)
		return;
	nodes_free(t);
	free(t);
}

void table_clear(struct table *t)
{
	nodes_free(t);
	*t = (struct table){0};
	slots_init(t, SLOTS_MIN);
}

/* The key's slot, or the free one where it belongs. */
static struct slot *slot_of(const struct table *t, struct proto_bytes key, uint64_t hash)
{
	for (size_t i = home_of(t, hash);; i = (i + 1) & t->mask) {
		struct slot *slot = &t->slots[i];

		if (!slot->node)
			return slot;
		if (slot->hash == hash && slot->node->entry.key.len == key.len &&
			(key.len == 0 || memcmp(slot->node->bytes, key.p, key.len) == 0))
			return slot;
	}
}

const struct table_entry *table_get(const struct table *t, struct proto_bytes key)
{
	const struct slot *slot = slot_of(t, key, hash_of(key));

	return slot->node ? &slot->node->entry : NULL;
}

static void grow(struct table *t)
{
	struct table was = *t;

	slots_init(t, 2 * (was.mask + 1));
	for (size_t i = 0; i <= was.mask; i++) {
		size_t at = home_of(t, was.slots[i].hash);

		if (!was.slots[i].node)
			continue;
		while (t->slots[at].node)
			at = (at + 1) & t->mask;
		t->slots[at] = was.slots[i];
	}
	free(was.slots);
}

static struct node *node_make(const struct table_entry *e)
{
	uint32_t cap = (e->value.len + VALUE_ROUND - 1) / VALUE_ROUND * VALUE_ROUND;
	struct node *node = malloc(sizeof *node + e->key.len + cap);

	assert(node);
	node->value_cap = cap;
	if (e->key.len > 0)
		memcpy(node->bytes, e->key.p, e->key.len);
	return node;
}

void table_put(struct table *t, const struct table_entry *e)
{
	uint64_t hash = hash_of(e->key);
	struct slot *slot = slot_of(t, e->key, hash);
	struct node *old = slot->node;
	struct node *node = old;

	assert(e->key.len <= PROTO_KEY_MAX && e->value.len <= PROTO_VALUE_MAX);
	if (!old || old->value_cap < e->value.len)
		node = node_make(e);
	/* The new value may be the old one's own bytes. */
	if (e->value.len > 0)
		memmove(node->bytes + e->key.len, e->value.p, e->value.len);
	t->living -= old && !old->entry.deleted;
	t->living += !e->deleted;
	node->entry = (struct table_entry){
		.key = {.p = node->bytes, .len = e->key.len},
		.value = {.p = node->bytes + e->key.len, .len = e->value.len},
		.version = e->version,
		.expires_ns = e->expires_ns,
		.origin = e->origin,
		.deleted = e->deleted,
	};
	if (old != node)
		free(old);
	*slot = (struct slot){.hash = hash, .node = node};
	if (!old && ++t->used > (t->mask + 1) / 4 * 3)
		grow(t);
}

size_t table_count(const struct table *t)
{
	return t->living;
}

const struct table_entry *table_next(const struct table *t, size_t *at)
{
	for (; *at <= t->mask; ++*at)
		if (t->slots[*at].node)
			return &t->slots[(*at)++].node->entry;
	return NULL;
}

uint64_t table_scan(const struct table *t, uint64_t cursor,
	void (*each)(void *arg, const struct table_entry *e), void *arg)
{
	size_t home = home_of(t, cursor);

	for (size_t i = home; t->slots[i].node; i = (i + 1) & t->mask)
		if (home_of(t, t->slots[i].hash) == home)
			each(arg, &t->slots[i].node->entry);
	return home == t->mask ? 0 : (uint64_t)(home + 1) << t->shift;
}

uint64_t table_place(struct proto_bytes key)
{
	return hash_of(key);
}

void table_swap(struct table *a, struct table *b)
{
	struct table was = *a;

	*a = *b;
	*b = was;
}

void table_remove(struct table *t, struct proto_bytes key)
{
	struct slot *slot = slot_of(t, key, hash_of(key));
	size_t hole = (size_t)(slot - t->slots);

	if (!slot->node)
		return;
	t->living -= !slot->node->entry.deleted;
	t->used--;
	free(slot->node);
	/* Who was pushed past the hole by it moves up (Knuth, TAOCP 3, 6.4, algorithm R). */
	for (size_t i = (hole + 1) & t->mask; t->slots[i].node; i = (i + 1) & t->mask) {
		size_t home = home_of(t, t->slots[i].hash);

		if (((i - home) & t->mask) < ((i - hole) & t->mask))
			continue;
		t->slots[hole] = t->slots[i];
		hole = i;
	}
	t->slots[hole] = (struct slot){0};
}
