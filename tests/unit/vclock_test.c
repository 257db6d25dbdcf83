/* SPDX-License-Identifier: MIT */
/* vclock_test.c - vector clocks and hybrid logical clocks */
#include "tests/lib/test.h"

#include <errno.h>

#include "agent/base/buf.h"
#include "store/proto/hlc.h"
#include "store/proto/vclock.h"

static void vclock__orders_what_depends_and_nothing_else(void **state)
{
	struct token a = {0}, b = {0};

	(void)state;
	assert_int_equal(vclock_compare(&a, &b), VCLOCK_EQUAL);
	assert_int_equal(vclock_tick(&a, 2), 1);
	assert_int_equal(vclock_compare(&a, &b), VCLOCK_AFTER);
	assert_int_equal(vclock_compare(&b, &a), VCLOCK_BEFORE);
	assert_int_equal(vclock_tick(&b, 0), 1);
	assert_int_equal(vclock_compare(&a, &b), VCLOCK_CONCURRENT);
	assert_false(vclock_covers(&a, &b));
	token_join(&a, &b);
	assert_true(vclock_covers(&a, &b));
	assert_false(vclock_covers(&b, &a));
}

static void vclock__does_not_mind_counts_that_are_not_there(void **state)
{
	struct token shorter = {.n = 1, .at = {4}}, longer = {.n = 3, .at = {4, 0, 0}};

	(void)state;
	assert_int_equal(vclock_compare(&shorter, &longer), VCLOCK_EQUAL);
	assert_true(vclock_covers(&shorter, &longer));
	assert_int_equal(vclock_at(&shorter, 2), 0);
}

static void vclock__comes_back_from_its_bytes(void **state)
{
	struct token v = {.n = 3, .at = {1, 0, UINT64_MAX}}, back;
	struct buf bytes = {0};
	struct cursor c;

	(void)state;
	vclock_write(&bytes, &v);
	c = cursor_over(bytes.p, bytes.len);
	assert_int_equal(vclock_read(&c, &back), 0);
	assert_true(cursor_done(&c));
	assert_int_equal(back.n, 3);
	assert_int_equal(vclock_compare(&v, &back), VCLOCK_EQUAL);
	bytes.p[0] = TOKEN_MAX + 1;
	c = cursor_over(bytes.p, bytes.len);
	assert_int_equal(vclock_read(&c, &back), -EBADMSG);
	buf_fini(&bytes);
}

static void hlc__never_goes_back_and_follows_what_it_sees(void **state)
{
	const uint64_t step = 1u << HLC_COUNT_BITS;
	struct hlc h = {0};

	(void)state;
	assert_int_equal(hlc_now(&h, 5 * step + 9), 5 * step);
	assert_int_equal(hlc_now(&h, 5 * step + 10), 5 * step + 1);
	assert_int_equal(hlc_now(&h, step), 5 * step + 2);
	hlc_seen(&h, 9 * step + 7);
	assert_int_equal(hlc_now(&h, 6 * step), 9 * step + 8);
	hlc_seen(&h, step);
	assert_int_equal(hlc_now(&h, 10 * step), 10 * step);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vclock__orders_what_depends_and_nothing_else),
		cmocka_unit_test(vclock__does_not_mind_counts_that_are_not_there),
		cmocka_unit_test(vclock__comes_back_from_its_bytes),
		cmocka_unit_test(hlc__never_goes_back_and_follows_what_it_sees),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
