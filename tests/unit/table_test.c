/* SPDX-License-Identifier: MIT */
/* table_test.c - the table against an array of what was put */
#include "store/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/prng.h"
#include "tests/lib/test.h"

static struct proto_bytes bytes(const char *text)
{
	return (struct proto_bytes){.p = (const uint8_t *)text, .len = (uint32_t)strlen(text)};
}

static void put(struct table *t, const char *key, const char *value, uint64_t version)
{
	struct table_entry e = {.key = bytes(key),
		.value = bytes(value),
		.version = version,
		.origin = (uint16_t)(version % TABLE_ORIGINS_MAX)};

	table_put(t, &e);
}

static void assert_holds(const struct table *t, const char *key, const char *value)
{
	const struct table_entry *e = table_get(t, bytes(key));

	assert_non_null(e);
	assert_int_equal(e->value.len, strlen(value));
	assert_memory_equal(e->value.p, value, strlen(value));
	assert_int_equal(e->key.len, strlen(key));
	assert_memory_equal(e->key.p, key, strlen(key));
}

static void table__gives_back_what_was_put(void **state)
{
	struct table *t = table_open();

	(void)state;
	assert_null(table_get(t, bytes("a")));
	put(t, "a", "1", 7);
	put(t, "", "empty key", 8);
	put(t, "b", "", 9);
	assert_holds(t, "a", "1");
	assert_holds(t, "", "empty key");
	assert_holds(t, "b", "");
	assert_int_equal(table_get(t, bytes("a"))->version, 7);
	assert_int_equal(table_get(t, bytes("b"))->origin, 9);
	assert_int_equal(table_count(t), 3);
	table_close(t);
}

static void table__replaces_values_shorter_and_longer(void **state)
{
	char longer[4000];
	struct table *t = table_open();

	(void)state;
	put(t, "k", "a middling value", 1);
	put(t, "k", "short", 2);
	assert_holds(t, "k", "short");
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	put(t, "k", longer, 3);
	assert_holds(t, "k", longer);
	assert_int_equal(table_count(t), 1);
	table_close(t);
}

static void table__takes_an_entry_of_its_own(void **state)
{
	struct table *t = table_open();
	struct table_entry e;

	(void)state;
	put(t, "k", "0123456789", 1);
	e = *table_get(t, bytes("k"));
	e.value.p += 3;
	e.value.len = 5;
	e.version = 2;
	table_put(t, &e);
	assert_holds(t, "k", "34567");
	/* Its own bytes under another key. */
	e = *table_get(t, bytes("k"));
	e.key = bytes("other");
	table_put(t, &e);
	assert_holds(t, "other", "34567");
	table_close(t);
}

static void table__counts_the_living_and_walks_tombstones_too(void **state)
{
	struct table *t = table_open();
	struct table_entry dead = {.key = bytes("a"), .version = 5, .deleted = true};
	size_t at = 0;
	unsigned seen = 0;

	(void)state;
	put(t, "a", "1", 1);
	put(t, "b", "1", 2);
	table_put(t, &dead);
	assert_int_equal(table_count(t), 1);
	assert_true(table_get(t, bytes("a"))->deleted);
	table_put(t, &dead);
	assert_int_equal(table_count(t), 1);
	while (table_next(t, &at))
		seen++;
	assert_int_equal(seen, 2);
	put(t, "a", "again", 6);
	assert_int_equal(table_count(t), 2);
	table_clear(t);
	assert_int_equal(table_count(t), 0);
	assert_null(table_get(t, bytes("b")));
	table_close(t);
}

#define KEYS 20000

static void table__agrees_with_an_array_after_many_random_puts(void **state)
{
	uint64_t *model = calloc(KEYS, sizeof *model);
	struct table *t = table_open();
	struct prng prng;
	char key[32], value[32];
	size_t living = 0;
	size_t at = 0;

	(void)state;
	prng_init(&prng, 1, 1);
	for (uint64_t i = 1; i <= 3 * KEYS; i++) {
		uint64_t k = prng_below(&prng, KEYS);

		living += model[k] == 0;
		model[k] = i;
		(void)snprintf(key, sizeof key, "k%llu", (unsigned long long)k);
		(void)snprintf(value, sizeof value, "%llu", (unsigned long long)i);
		put(t, key, value, i);
	}
	assert_int_equal(table_count(t), living);
	for (uint64_t k = 0; k < KEYS; k++) {
		(void)snprintf(key, sizeof key, "k%llu", (unsigned long long)k);
		(void)snprintf(value, sizeof value, "%llu", (unsigned long long)model[k]);
		if (model[k])
			assert_holds(t, key, value);
		else
			assert_null(table_get(t, bytes(key)));
	}
	while (table_next(t, &at))
		living--;
	assert_int_equal(living, 0);
	table_close(t);
	free(model);
}

/* Values from nothing to 70,000 bytes: every class of the arena, and blocks of their own. */
static void table__keeps_values_of_all_sizes_as_they_come_and_go(void **state)
{
	enum { NAMES = 64, STEPS = 6000, LONGEST = 70000 };
	uint8_t *bytes_of = malloc(LONGEST + NAMES);
	uint32_t len[NAMES] = {0};
	bool there[NAMES] = {0};
	struct table *t = table_open();
	struct prng prng;
	char key[32];

	(void)state;
	for (unsigned i = 0; i < LONGEST + NAMES; i++)
		bytes_of[i] = (uint8_t)(i * 7 + i / 256);
	prng_init(&prng, 3, 1);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned k = (unsigned)prng_below(&prng, NAMES);
		struct table_entry e = {.version = step + 1, .expires_ns = step % 3 ? 0 : step};
		struct table_entry found;

		(void)snprintf(key, sizeof key, "k%u", k);
		e.key = bytes(key);
		assert_int_equal(table_find(t, e.key, &found), there[k]);
		if (there[k]) {
			assert_int_equal(found.value.len, len[k]);
			assert_memory_equal(found.value.p, bytes_of + k, len[k]);
		}
		there[k] = prng_below(&prng, 4) != 0;
		if (!there[k]) {
			table_remove(t, e.key);
			continue;
		}
		len[k] = (uint32_t)prng_below(&prng, LONGEST >> prng_below(&prng, 17));
		e.value = (struct proto_bytes){.p = bytes_of + k, .len = len[k]};
		table_put(t, &e);
		assert_int_equal(table_get(t, e.key)->expires_ns, e.expires_ns);
	}
	table_close(t);
	free(bytes_of);
}

static void table__shows_several_entries_at_once(void **state)
{
	struct table *t = table_open();
	const struct table_entry *shown[TABLE_SHOWN_MAX];
	struct proto_bytes keys[] = {bytes("k1"), bytes("none"), bytes("k2")};
	char key[32];

	(void)state;
	for (unsigned i = 0; i < TABLE_SHOWN_MAX; i++) {
		(void)snprintf(key, sizeof key, "k%u", i);
		put(t, key, key, i + 1);
	}
	table_prefetch(t, keys, 3);
	for (unsigned i = 0; i < TABLE_SHOWN_MAX; i++) {
		(void)snprintf(key, sizeof key, "k%u", i);
		shown[i] = table_get(t, bytes(key));
	}
	for (unsigned i = 0; i < TABLE_SHOWN_MAX; i++)
		assert_int_equal(shown[i]->version, i + 1);
	table_close(t);
}

struct walk {
	bool *shown; /* by key, which is its number */
	uint64_t count;
};

static void show(void *arg, const struct table_entry *e)
{
	struct walk *walk = arg;

	walk->shown[strtoull((const char *)e->value.p, NULL, 10) % KEYS] = true;
	walk->count++;
}

static const char *name_of(char buf[32], uint64_t k)
{
	(void)snprintf(buf, 32, "k%llu", (unsigned long long)k);
	return buf;
}

/* Keys below KEYS / 10 stay; the others come and go, so that the table grows and has holes. */
static void table__scan_misses_nothing_that_stays(void **state)
{
	struct table *t = table_open();
	struct walk walk = {.shown = calloc(KEYS, sizeof(bool))};
	uint64_t next = KEYS / 10;
	uint64_t cursor = 0;
	char key[32], value[32];

	(void)state;
	for (uint64_t k = 0; k < KEYS / 10; k++) {
		(void)snprintf(value, sizeof value, "%llu ", (unsigned long long)k);
		put(t, name_of(key, k), value, 1);
	}
	do {
		cursor = table_scan(t, cursor, show, &walk);
		for (unsigned i = 0; i < 3 && next < KEYS; i++, next++) {
			(void)snprintf(value, sizeof value, "%llu ", (unsigned long long)next);
			put(t, name_of(key, next), value, 1);
			if (next % 2)
				table_remove(t, bytes(name_of(key, next - KEYS / 20 + 1)));
		}
	} while (cursor);
	for (uint64_t k = 0; k < KEYS / 20; k++)
		assert_true(walk.shown[k]);
	assert_true(walk.count < 2 * KEYS);
	table_close(t);
	free(walk.shown);
}

struct interval {
	uint64_t from;
	uint64_t to; /* 0: to the end */
	uint64_t inside;
};

static void count_inside(void *arg, const struct table_entry *e)
{
	struct interval *step = arg;
	uint64_t place = table_place(e->key);

	step->inside += place >= step->from && (place < step->to || step->to == 0);
}

/* Odd keys in the one, even ones in the other, which is larger; the walk changes over half-way. */
static void table__scan_goes_on_in_another_table(void **state)
{
	struct table *t[2] = {table_open(), table_open()};
	uint64_t want[2] = {0};
	uint64_t got[2] = {0};
	uint64_t half = 1ull << 63;
	uint64_t cursor = 0;
	char key[32];

	(void)state;
	for (uint64_t k = 0; k < KEYS; k++) {
		unsigned which = k % 8 == 0;

		put(t[which], name_of(key, k), "1", 1);
		want[which] += (table_place(bytes(name_of(key, k))) >= half) == which;
	}
	do {
		unsigned which = cursor >= half;
		struct interval step = {.from = cursor};
		struct interval seen = step;

		cursor = table_scan(t[which], cursor, count_inside, &seen);
		assert_true(cursor == 0 || cursor > step.from);
		step.to = cursor;
		(void)table_scan(t[which], step.from, count_inside, &step);
		got[which] += step.inside;
	} while (cursor);
	assert_int_equal(got[0], want[0]);
	assert_int_equal(got[1], want[1]);
	table_swap(t[0], t[1]);
	assert_int_equal(table_count(t[0]), KEYS / 8);
	table_close(t[0]);
	table_close(t[1]);
}

static void table__forgets_what_is_removed_and_nothing_else(void **state)
{
	bool *there = calloc(KEYS, sizeof *there);
	struct table *t = table_open();
	struct prng prng;
	char key[32];
	size_t living = 0;

	(void)state;
	prng_init(&prng, 2, 1);
	for (unsigned i = 0; i < 10 * KEYS; i++) {
		uint64_t k = prng_below(&prng, KEYS);
		bool stays = prng_below(&prng, 2);

		living += (size_t)stays - (size_t)there[k];
		there[k] = stays;
		if (stays)
			put(t, name_of(key, k), "1", 1);
		else
			table_remove(t, bytes(name_of(key, k)));
	}
	assert_int_equal(table_count(t), living);
	for (uint64_t k = 0; k < KEYS; k++)
		assert_true(there[k] == !!table_get(t, bytes(name_of(key, k))));
	table_close(t);
	free(there);
}

struct told {
	unsigned puts;
	unsigned removed;
	unsigned all;
	uint64_t was; /* version before the last change */
};

static void count_change(void *arg, const struct table_entry *old, const struct table_entry *e)
{
	struct told *told = arg;

	told->puts += e != NULL;
	told->removed += old && !e;
	told->all += !old && !e;
	told->was = old ? old->version : 0;
}

static void table__tells_who_watches_of_every_change(void **state)
{
	struct told told = {0}, other = {0};
	const struct table_watch watch = {count_change, &told}, second = {count_change, &other};
	struct table *t[2] = {table_open(), table_open()};

	(void)state;
	table_watch(t[0], &watch);
	table_watch(t[1], &second);
	assert_int_equal(told.all, 1);
	put(t[0], "a", "1", 3);
	assert_int_equal(told.was, 0);
	put(t[0], "a", "2", 4);
	assert_int_equal(told.puts, 2);
	assert_int_equal(told.was, 3);
	table_remove(t[0], bytes("b"));
	assert_int_equal(told.removed, 0);
	table_remove(t[0], bytes("a"));
	assert_int_equal(told.removed, 1);
	assert_int_equal(told.was, 4);
	table_clear(t[0]);
	table_swap(t[0], t[1]);
	assert_int_equal(told.all, 3);
	assert_int_equal(other.all, 2);
	put(t[0], "a", "1", 3);
	assert_int_equal(told.puts, 3);
	assert_int_equal(other.puts, 0);
	table_watch(t[0], NULL);
	put(t[0], "a", "1", 5);
	assert_int_equal(told.puts, 3);
	table_close(t[0]);
	table_close(t[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table__gives_back_what_was_put),
		cmocka_unit_test(table__replaces_values_shorter_and_longer),
		cmocka_unit_test(table__takes_an_entry_of_its_own),
		cmocka_unit_test(table__counts_the_living_and_walks_tombstones_too),
		cmocka_unit_test(table__agrees_with_an_array_after_many_random_puts),
		cmocka_unit_test(table__keeps_values_of_all_sizes_as_they_come_and_go),
		cmocka_unit_test(table__shows_several_entries_at_once),
		cmocka_unit_test(table__scan_misses_nothing_that_stays),
		cmocka_unit_test(table__scan_goes_on_in_another_table),
		cmocka_unit_test(table__forgets_what_is_removed_and_nothing_else),
		cmocka_unit_test(table__tells_who_watches_of_every_change),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
