/* SPDX-License-Identifier: MIT */
/* merkle_test.c - sums of entries: what differs is found, whatever the order it came in */
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/prng.h"
#include "store/proto/merkle.h"

#define ENTRIES 5000

static uint64_t place[ENTRIES], digest[ENTRIES];

static void draw(void)
{
	struct prng prng;

	prng_init(&prng, 5, 0);
	for (unsigned i = 0; i < ENTRIES; i++) {
		place[i] = prng_next(&prng);
		digest[i] = prng_next(&prng);
	}
}

static void merkle__does_not_depend_on_the_order(void **state)
{
	struct merkle *a = calloc(2, sizeof(*a)), *b = a + 1;

	(void)state;
	draw();
	for (unsigned i = 0; i < ENTRIES; i++) {
		merkle_add(a, place[i], digest[i]);
		merkle_add(b, place[ENTRIES - 1 - i], digest[ENTRIES - 1 - i]);
	}
	assert_memory_equal(a, b, sizeof(*a));
	for (unsigned i = 0; i < ENTRIES; i++)
		merkle_take(a, place[i], digest[i]);
	memset(b, 0, sizeof(*b));
	assert_memory_equal(a, b, sizeof(*a));
	free(a);
}

static void merkle__finds_the_one_leaf_that_differs(void **state)
{
	struct merkle *a = calloc(2, sizeof(*a)), *b = a + 1;

	(void)state;
	draw();
	for (unsigned i = 0; i < ENTRIES; i++) {
		merkle_add(a, place[i], digest[i]);
		merkle_add(b, place[i], digest[i]);
	}
	for (unsigned i = 0; i < ENTRIES; i++) {
		unsigned leaf = merkle_leaf(place[i]), group = leaf / MERKLE_WIDTH;

		merkle_take(b, place[i], digest[i]);
		merkle_add(b, place[i], digest[i] ^ 1);
		for (unsigned g = 0; g <= MERKLE_ROOT; g++) {
			uint64_t want = g == MERKLE_ROOT ? 1ull << group
					: g == group     ? 1ull << leaf % MERKLE_WIDTH
							 : 0;

			assert_true(merkle_differ(a, g, merkle_below(b, g)) == want);
		}
		merkle_take(b, place[i], digest[i] ^ 1);
		merkle_add(b, place[i], digest[i]);
	}
	assert_memory_equal(a, b, sizeof(*a));
	free(a);
}

static void merkle__divides_all_places_in_order(void **state)
{
	(void)state;
	assert_true(merkle_place(0) == 0 && merkle_place(MERKLE_LEAVES) == 0);
	for (unsigned leaf = 0; leaf < MERKLE_LEAVES; leaf++) {
		assert_int_equal(merkle_leaf(merkle_place(leaf)), leaf);
		assert_int_equal(merkle_leaf(merkle_place(leaf + 1) - 1), leaf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merkle__does_not_depend_on_the_order),
		cmocka_unit_test(merkle__finds_the_one_leaf_that_differs),
		cmocka_unit_test(merkle__divides_all_places_in_order),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
