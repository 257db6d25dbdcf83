/* SPDX-License-Identifier: MIT */
/* arena_test.c - blocks of all sizes: where they stand, what becomes of those given back */
#include "store/arena.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/prng.h"
#include "tests/lib/test.h"

/* More than a replica's arena has chunks: none of these is written to, so no memory is taken. */
#define MANY 40000u
#define LONG_UNITS (ARENA_SHARED_UNITS_MAX + 1)

static void arena__has_room_for_more_long_blocks_than_there_are_chunks(void **state)
{
	uint32_t *refs = malloc(MANY * sizeof *refs);
	struct arena a;
	uint32_t units;

	(void)state;
	assert_non_null(refs);
	arena_init(&a);
	for (uint32_t i = 0; i < MANY; i++) {
		refs[i] = arena_take(&a, LONG_UNITS, &units);
		assert_int_not_equal(refs[i], 0);
		assert_int_equal(units, LONG_UNITS);
		memcpy(arena_at(&a, refs[i]), &i, sizeof i);
	}
	assert_true(arena_bytes(&a) >= (size_t)MANY * LONG_UNITS * ARENA_UNIT);
	for (uint32_t i = 0; i < MANY; i++)
		assert_memory_equal(arena_at(&a, refs[i]), &i, sizeof i);
	for (uint32_t i = 0; i < MANY; i++)
		arena_give(&a, refs[i], LONG_UNITS);
	assert_true(arena_bytes(&a) < LONG_UNITS * ARENA_UNIT);
	/* Their names are used again. */
	assert_int_equal(arena_take(&a, LONG_UNITS, &units), refs[MANY - 1]);
	assert_false(arena_full(&a));
	arena_fini(&a);
	free(refs);
}

static void arena__keeps_blocks_of_all_sizes_apart(void **state)
{
	enum { BLOCKS = 500, STEPS = 20000, UNITS_MAX = 70000 };
	static struct {
		uint32_t ref;
		uint32_t units;
	} block[BLOCKS];
	struct prng prng;
	struct arena a;

	(void)state;
	prng_init(&prng, 1, 1);
	arena_init(&a);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)prng_below(&prng, BLOCKS);
		uint8_t *p;

		if (block[i].ref) {
			p = arena_at(&a, block[i].ref);
			assert_int_equal(p[0], i & 0xff);
			assert_int_equal(p[(size_t)block[i].units * ARENA_UNIT - 1], i >> 8);
			arena_give(&a, block[i].ref, block[i].units);
		}
		block[i].ref = arena_take(&a,
			1 + (uint32_t)prng_below(&prng, UNITS_MAX >> prng_below(&prng, 17)),
			&block[i].units);
		p = arena_at(&a, block[i].ref);
		p[0] = i & 0xff;
		p[(size_t)block[i].units * ARENA_UNIT - 1] = (uint8_t)(i >> 8);
	}
	arena_fini(&a);
	assert_int_equal(arena_bytes(&a), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena__has_room_for_more_long_blocks_than_there_are_chunks),
		cmocka_unit_test(arena__keeps_blocks_of_all_sizes_apart),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
