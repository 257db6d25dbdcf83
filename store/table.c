/* SPDX-License-Identifier: MIT */
/*
 * table.c - a replica's data in memory: keys, values, versions, tombstones
 *
 * Open addressing with linear probing over a power of two of slots. A slot is eight bytes: half a
 * hash, so a probe touches a foreign entry only when 32 bits agree, and a reference into the
 * arena. A removed entry's place is filled by those behind it, hence probing needs no deletion
 * marks. The table doubles when three quarters are taken: a put costs amortised constant time; a
 * single one at 1 M keys some 10 ms.
 *
 * An entry's home are the first bits of its hash, so homes stand in the order of the hashes,
 * however many slots there are: the cursor of a scan is a hash, and all before it have been shown.
 *
 * An entry, its key and its value are one block of 16 bytes and what the two are long; the few
 * that expire have 8 more. A value that fits is written in place. What readers are shown is made
 * of that on the way out: a struct table_entry is valid as long as table.h says.
 *
 * A look-up in a large table is two misses of the cache, slot and entry, and nothing else of
 * weight. table_prefetch() makes those of many keys overlap.
 *
 * Keys are not secret and clients are the lab's own: the hash is not keyed. The walk's order
 * depends on the order of puts only, so that runs repeat.
 */
#include "store/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "store/arena.h"

#define SLOTS_MIN 64u
#define HUGE (2u << 20)
#define ORIGIN_BITS 13
/* A block that is longer than needed by this factor and this many units is not used again. */
#define LOOSE_FACTOR 2
#define LOOSE_UNITS 4u

struct node {
	uint64_t version;
	uint32_t key_len : 11;
	uint32_t value_len : 21;
	uint32_t units : 17; /* of the arena */
	uint32_t origin : ORIGIN_BITS;
	uint32_t deleted : 1;
	uint32_t expires : 1; /* 8 bytes of it stand before the key */
	uint8_t bytes[];      /* key, then value */
};

_Static_assert(PROTO_KEY_MAX < 1u << 11 && TABLE_VALUE_MAX < 1u << 21, "lengths fit a node");
_Static_assert(PROTO_NODES_MAX <= TABLE_ORIGINS_MAX, "a replica fits a node");
_Static_assert(TABLE_ORIGINS_MAX == 1u << ORIGIN_BITS, "an origin fits a node");
_Static_assert(
	(sizeof(struct node) + 8 + PROTO_KEY_MAX + TABLE_VALUE_MAX) / ARENA_UNIT + 1 < 1u << 17,
	"the units of a node fit it");

struct slot {
	uint32_t hash; /* upper half */
	uint32_t node; /* in the arena; 0: free */
};

struct table {
	struct slot *slots;
	size_t mask;
	unsigned shift; /* of a hash to its home */
	size_t used;    /* slots taken */
	size_t living;  /* entries that are not tombstones */
	struct arena arena;
	const struct table_watch *watch; /* NULL: nobody */
	unsigned shown_next;
	struct table_entry shown[TABLE_SHOWN_MAX];
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

static uint32_t half_of(struct proto_bytes key)
{
	return (uint32_t)(hash_of(key) >> 32);
}

static void slots_init(struct table *t, size_t n)
{
	size_t bytes = n * sizeof *t->slots;

	if (bytes < HUGE) {
		t->slots = calloc(n, sizeof *t->slots);
		assert(t->slots);
	} else {
		t->slots = aligned_alloc(HUGE, bytes);
		assert(t->slots);
		(void)madvise(t->slots, bytes, MADV_HUGEPAGE);
		memset(t->slots, 0, bytes);
	}
	t->mask = n - 1;
	t->shift = (unsigned)__builtin_clzll(n) + 1;
}

static size_t home_of(const struct table *t, uint32_t half)
{
	return (size_t)((uint64_t)half << 32 >> t->shift);
}

static struct node *node_at(const struct table *t, const struct slot *slot)
{
	return arena_at(&t->arena, slot->node);
}

static uint8_t *key_of(struct node *node)
{
	return node->bytes + (node->expires ? sizeof(uint64_t) : 0);
}

static uint8_t *value_of(struct node *node)
{
	return key_of(node) + node->key_len;
}

static struct table_entry entry_of(struct node *node)
{
	struct table_entry e = {
		.key = {.p = key_of(node), .len = node->key_len},
		.value = {.p = value_of(node), .len = node->value_len},
		.version = node->version,
		.origin = (uint16_t)node->origin,
		.deleted = node->deleted,
	};

	if (node->expires)
		memcpy(&e.expires_ns, node->bytes, sizeof e.expires_ns);
	return e;
}

/* A reader that looks at two entries at once has both. */
static const struct table_entry *show(const struct table *t, const struct slot *slot)
{
	struct table *mine = (struct table *)t; /* what is shown is no part of the data */
	struct table_entry *e = &mine->shown[mine->shown_next++ % TABLE_SHOWN_MAX];

	*e = entry_of(node_at(t, slot));
	return e;
}

struct table *table_open(void)
{
	struct table *t = calloc(1, sizeof *t);

	assert(t);
	slots_init(t, SLOTS_MIN);
	arena_init(&t->arena);
	return t;
}

void table_close(struct table *t)
{
	if (!t)
		return;
	arena_fini(&t->arena);
	free(t->slots);
	free(t);
}

static void tell_all(const struct table *t)
{
	if (t->watch)
		t->watch->changed(t->watch->arg, NULL, NULL);
}

static void tell(const struct table *t, struct node *old, const struct table_entry *e)
{
	struct table_entry was;

	if (old)
		was = entry_of(old);
	t->watch->changed(t->watch->arg, old ? &was : NULL, e);
}

void table_watch(struct table *t, const struct table_watch *watch)
{
	t->watch = watch;
	tell_all(t);
}

void table_clear(struct table *t)
{
	const struct table_watch *watch = t->watch;

	arena_fini(&t->arena);
	free(t->slots);
	*t = (struct table){.watch = watch};
	slots_init(t, SLOTS_MIN);
	tell_all(t);
}

/* The key's slot, or the free one where it belongs. */
static struct slot *slot_of(const struct table *t, struct proto_bytes key, uint32_t half)
{
	for (size_t i = home_of(t, half);; i = (i + 1) & t->mask) {
		struct slot *slot = &t->slots[i];
		struct node *node;

		if (!slot->node)
			return slot;
		if (slot->hash != half)
			continue;
		node = node_at(t, slot);
		if (node->key_len == key.len &&
			(key.len == 0 || memcmp(key_of(node), key.p, key.len) == 0))
			return slot;
	}
}

const struct table_entry *table_get(const struct table *t, struct proto_bytes key)
{
	const struct slot *slot = slot_of(t, key, half_of(key));

	return slot->node ? show(t, slot) : NULL;
}

bool table_find(const struct table *t, struct proto_bytes key, struct table_entry *ret)
{
	const struct slot *slot = slot_of(t, key, half_of(key));

	if (!slot->node)
		return false;
	*ret = entry_of(node_at(t, slot));
	return true;
}

void table_prefetch(const struct table *t, const struct proto_bytes *keys, unsigned n)
{
	uint32_t half[TABLE_PREFETCH_MAX];

	assert(n <= TABLE_PREFETCH_MAX);
	for (unsigned k = 0; k < n; k++) {
		half[k] = half_of(keys[k]);
		__builtin_prefetch(&t->slots[home_of(t, half[k])]);
	}
	for (unsigned k = 0; k < n; k++) {
		size_t i = home_of(t, half[k]);

		while (t->slots[i].node && t->slots[i].hash != half[k])
			i = (i + 1) & t->mask;
		if (t->slots[i].node)
			__builtin_prefetch(node_at(t, &t->slots[i]));
	}
}

static void grow(struct table *t)
{
	struct slot *was = t->slots;
	size_t n = t->mask + 1;

	slots_init(t, 2 * n);
	for (size_t i = 0; i < n; i++) {
		size_t at = home_of(t, was[i].hash);

		if (!was[i].node)
			continue;
		while (t->slots[at].node)
			at = (at + 1) & t->mask;
		t->slots[at] = was[i];
	}
	free(was);
}

static uint32_t units_for(const struct table_entry *e)
{
	size_t bytes = sizeof(struct node) + (e->expires_ns ? sizeof e->expires_ns : 0) +
		       e->key.len + e->value.len;

	return (uint32_t)((bytes + ARENA_UNIT - 1) / ARENA_UNIT);
}

/* Whether @e can be written over what stands there, without much waste. */
static bool fits(const struct node *old, const struct table_entry *e, uint32_t units)
{
	return units <= old->units && old->units <= LOOSE_FACTOR * units + LOOSE_UNITS &&
	       old->expires == (e->expires_ns != 0);
}

static uint32_t node_make(struct table *t, const struct table_entry *e, uint32_t units)
{
	uint32_t ref = arena_take(&t->arena, units, &units);
	struct node *node = arena_at(&t->arena, ref);

	node->units = units & ((1u << 17) - 1);
	node->key_len = e->key.len & ((1u << 11) - 1);
	node->expires = e->expires_ns != 0;
	if (e->key.len > 0)
		memcpy(key_of(node), e->key.p, e->key.len);
	return ref;
}

void table_put(struct table *t, const struct table_entry *e)
{
	uint32_t half = half_of(e->key);
	struct slot *slot = slot_of(t, e->key, half);
	struct node *old = slot->node ? node_at(t, slot) : NULL;
	uint32_t units = units_for(e);
	uint32_t ref = slot->node;
	struct node *node = old;

	assert(e->key.len <= PROTO_KEY_MAX && e->value.len <= TABLE_VALUE_MAX);
	assert(e->origin < TABLE_ORIGINS_MAX);
	if (__builtin_expect(t->watch != NULL, 0))
		tell(t, old, e);
	t->living -= old && !old->deleted;
	t->living += !e->deleted;
	if (!old || !fits(old, e, units)) {
		ref = node_make(t, e, units);
		node = arena_at(&t->arena, ref);
	}
	/* The new value may be the old one's own bytes. */
	if (e->value.len > 0)
		memmove(value_of(node), e->value.p, e->value.len);
	if (e->expires_ns)
		memcpy(node->bytes, &e->expires_ns, sizeof e->expires_ns);
	node->version = e->version;
	node->value_len = e->value.len & ((1u << 21) - 1);
	node->origin = e->origin & ((1u << ORIGIN_BITS) - 1);
	node->deleted = e->deleted;
	if (old && old != node)
		arena_give(&t->arena, slot->node, old->units);
	*slot = (struct slot){.hash = half, .node = ref};
	if (!old && ++t->used > (t->mask + 1) / 4 * 3)
		grow(t);
}

size_t table_count(const struct table *t)
{
	return t->living;
}

size_t table_memory(const struct table *t)
{
	return arena_bytes(&t->arena) + (t->mask + 1) * sizeof *t->slots;
}

bool table_full(const struct table *t)
{
	return arena_full(&t->arena);
}

const struct table_entry *table_next(const struct table *t, size_t *at)
{
	for (; *at <= t->mask; ++*at)
		if (t->slots[*at].node)
			return show(t, &t->slots[(*at)++]);
	return NULL;
}

uint64_t table_scan(const struct table *t, uint64_t cursor,
	void (*each)(void *arg, const struct table_entry *e), void *arg)
{
	size_t home = home_of(t, (uint32_t)(cursor >> 32));

	for (size_t i = home; t->slots[i].node; i = (i + 1) & t->mask)
		if (home_of(t, t->slots[i].hash) == home) {
			struct table_entry e = entry_of(node_at(t, &t->slots[i]));

			each(arg, &e);
		}
	return home == t->mask ? 0 : (uint64_t)(home + 1) << t->shift;
}

uint64_t table_place(struct proto_bytes key)
{
	return hash_of(key);
}

void table_swap(struct table *a, struct table *b)
{
	const struct table_watch *of_a = a->watch, *of_b = b->watch;
	struct table was = *a;

	*a = *b;
	*b = was;
	a->watch = of_a;
	b->watch = of_b;
	tell_all(a);
	tell_all(b);
}

void table_remove(struct table *t, struct proto_bytes key)
{
	struct slot *slot = slot_of(t, key, half_of(key));
	size_t hole = (size_t)(slot - t->slots);
	struct node *node;

	if (!slot->node)
		return;
	node = node_at(t, slot);
	if (__builtin_expect(t->watch != NULL, 0))
		tell(t, node, NULL);
	t->living -= !node->deleted;
	t->used--;
	arena_give(&t->arena, slot->node, node->units);
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
