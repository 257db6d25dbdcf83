/* SPDX-License-Identifier: MIT */
/* buf_test.c - what is written is read back, and a cursor never reads what is not there */
#include "agent/base/buf.h"

#include <stdlib.h>

#include "tests/lib/test.h"

/* One of everything: 1 + 2 + 4 + 8 bytes, a string of 5, an empty one. */
static void write_all(struct buf *b)
{
	buf_u8(b, 0x01);
	buf_u16(b, 0x0203);
	buf_u32(b, 0x04050607);
	buf_u64(b, 0x08090a0b0c0d0e0f);
	buf_bytes(b, "hello", 5);
	buf_bytes(b, NULL, 0);
}

/* Whether all of it was there and was right. */
static bool read_all(struct cursor *c)
{
	const uint8_t *text;
	uint32_t len, none;
	bool right;

	right = cursor_u8(c) == 0x01;
	right &= cursor_u16(c) == 0x0203;
	right &= cursor_u32(c) == 0x04050607;
	right &= cursor_u64(c) == 0x08090a0b0c0d0e0f;
	text = cursor_bytes(c, &len);
	right &= text && len == 5 && memcmp(text, "hello", 5) == 0;
	(void)cursor_bytes(c, &none);
	return right && none == 0;
}

static void buf__is_little_endian(void **state)
{
	static const uint8_t want[] = {0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f, 0x0e, 0x0d,
		0x0c, 0x0b, 0x0a, 0x09, 0x08, 5, 0, 0, 0, 'h', 'e', 'l', 'l', 'o', 0, 0, 0, 0};
	struct buf b = {0};

	(void)state;
	write_all(&b);
	assert_int_equal(b.len, sizeof want);
	assert_memory_equal(b.p, want, sizeof want);
	buf_fini(&b);
}

static void cursor__reads_what_buf_wrote(void **state)
{
	struct buf b = {0};
	struct cursor c;

	(void)state;
	write_all(&b);
	c = cursor_over(b.p, b.len);
	assert_true(read_all(&c));
	assert_true(cursor_done(&c));
	buf_fini(&b);
}

/* A copy of exactly so many bytes, so that a sanitizer sees any read beyond them. */
static void cursor__is_bad_when_cut_at_any_byte(void **state)
{
	struct buf b = {0};

	(void)state;
	write_all(&b);
	for (size_t len = 0; len < b.len; len++) {
		uint8_t *copy = malloc(len ? len : 1);
		struct cursor c;

		assert_non_null(copy);
		memcpy(copy, b.p, len);
		c = cursor_over(copy, len);
		(void)read_all(&c);
		assert_true(c.bad);
		assert_false(cursor_done(&c));
		free(copy);
	}
	buf_fini(&b);
}

static void cursor__stays_bad_and_gives_zeros(void **state)
{
	static const uint8_t bytes[] = {0xff, 0xff, 0xff};
	struct cursor c = cursor_over(bytes, sizeof bytes);

	(void)state;
	assert_int_equal(cursor_u32(&c), 0);
	assert_true(c.bad);
	assert_int_equal(cursor_u8(&c), 0);
	assert_int_equal(cursor_u64(&c), 0);
	assert_null(cursor_take(&c, 0));
}

static void cursor__trusts_no_length(void **state)
{
	static const uint8_t bytes[] = {0xff, 0xff, 0xff, 0xff, 'x'};
	struct cursor c = cursor_over(bytes, sizeof bytes);
	uint32_t len;

	(void)state;
	assert_null(cursor_bytes(&c, &len));
	assert_int_equal(len, 0);
	assert_true(c.bad);
}

static void cursor__is_not_done_with_bytes_left(void **state)
{
	struct cursor c = cursor_over("xy", 2);
	struct cursor none = cursor_over(NULL, 0);

	(void)state;
	(void)cursor_u8(&c);
	assert_false(c.bad);
	assert_false(cursor_done(&c));
	assert_true(cursor_done(&none));
}

static void buf_drop__keeps_the_rest(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_printf(&b, "%s %d", "abc", 42);
	assert_int_equal(b.len, 6);
	buf_drop(&b, 4);
	assert_int_equal(b.len, 2);
	assert_memory_equal(b.p, "42", 2);
	buf_drop(&b, 2);
	assert_int_equal(b.len, 0);
	buf_drop(&b, 0);
	buf_fini(&b);
}

static void buf__grows_and_keeps_its_bytes(void **state)
{
	struct buf b = {0};

	(void)state;
	for (uint32_t i = 0; i < 10000; i++)
		buf_u32(&b, i);
	assert_int_equal(b.len, 40000);
	assert_true(b.cap >= b.len);
	for (uint32_t i = 0; i < 10000; i++) {
		struct cursor c = cursor_over(b.p + 4 * (size_t)i, 4);

		assert_int_equal(cursor_u32(&c), i);
	}
	buf_fini(&b);
	assert_null(b.p);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buf__is_little_endian),
		cmocka_unit_test(cursor__reads_what_buf_wrote),
		cmocka_unit_test(cursor__is_bad_when_cut_at_any_byte),
		cmocka_unit_test(cursor__stays_bad_and_gives_zeros),
		cmocka_unit_test(cursor__trusts_no_length),
		cmocka_unit_test(cursor__is_not_done_with_bytes_left),
		cmocka_unit_test(buf_drop__keeps_the_rest),
		cmocka_unit_test(buf__grows_and_keeps_its_bytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
