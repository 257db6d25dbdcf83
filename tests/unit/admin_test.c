/* SPDX-License-Identifier: MIT */
/* admin_test.c - what a replica answers is taken only if its shape is right, to the last byte */
#include "agent/lab/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

#define LITERAL(text) (text), sizeof(text) - 1

/* In a block of exactly its size: a sanitizer sees the first byte read behind it. */
static char *exactly(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, text, len);
	return copy;
}

static long measure(const char *text, size_t len)
{
	char *copy = exactly(text, len);
	long used = resp_skip(copy, len);

	free(copy);
	return used;
}

static const struct {
	const char *text;
	size_t len;
} whole[] = {
	{LITERAL("+OK\r\n")},
	{LITERAL("+\r\n")},
	{LITERAL("-ERR no\r\n")},
	{LITERAL(":-12\r\n")},
	{LITERAL("$5\r\nhello\r\n")},
	{LITERAL("$2\r\n\r\n\r\n")},
	{LITERAL("$0\r\n\r\n")},
	{LITERAL("$-1\r\n")},
	{LITERAL("*-1\r\n")},
	{LITERAL("*0\r\n")},
	{LITERAL("*4\r\n$2\r\nk1\r\n:7\r\n$2\r\nk2\r\n:8\r\n")},
	{LITERAL("*2\r\n*1\r\n*1\r\n*1\r\n:1\r\n$-1\r\n")},
};

static void resp_skip__measures_every_kind_of_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
		assert_int_equal(measure(whole[i].text, whole[i].len), whole[i].len);
}

static void resp_skip__waits_for_the_last_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
		for (size_t len = 0; len < whole[i].len; len++)
			assert_int_equal(measure(whole[i].text, len), 0);
	}
}

static void resp_skip__leaves_what_follows_alone(void **state)
{
	(void)state;
	assert_int_equal(measure(LITERAL("+OK\r\n+NEXT\r\n")), 5);
	assert_int_equal(measure(LITERAL("$1\r\na\r\n\xff")), 7);
	assert_int_equal(measure(LITERAL("*1\r\n:1\r\ngarbage")), 8);
}

static void resp_skip__refuses_garbage(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} bad[] = {
		{LITERAL("x")},
		{LITERAL("\0")},
		{LITERAL("\r\n")},
		{LITERAL("%1\r\n")},
		{LITERAL("+OK\n")},
		{LITERAL("+\n")},
		{LITERAL("$\n")},
		{LITERAL("$\r\n")},
		{LITERAL("$5\n")},
		{LITERAL("$x\r\n")},
		{LITERAL("$5x\r\nhello\r\n")},
		{LITERAL("$ 5\r\nhello\r\n")},
		{LITERAL("$+5\r\nhello\r\n")},
		{LITERAL("$5\0\r\nhello\r\n")},
		{LITERAL("$\0\r\n\r\n")},
		{LITERAL("$-\r\n")},
		{LITERAL("$-2\r\n")},
		{LITERAL("*-9223372036854775808\r\n")},
		{LITERAL("$9223372036854775807\r\n")},
		{LITERAL("*9223372036854775808\r\n")},
		{LITERAL("$18446744073709551616\r\n")},
		{LITERAL("$4194305\r\n")}, /* ADMIN_ANSWER_MAX, and one */
		{LITERAL("*4194305\r\n")},
		{LITERAL("$00000000000000000000000000000000")},
		{LITERAL("$000000000000000000000005\r\nhello\r\n")},
		{LITERAL("$5\r\nhello--")},
		{LITERAL("$5\r\nhello\n\r")},
		{LITERAL("*2\r\n:1\r\nx")},
		{LITERAL("*1\r\n*1\r\n$-2\r\n")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (measure(bad[i].text, bad[i].len) != -EBADMSG)
			fail_msg("was taken: %s", bad[i].text);
	}
}

static void resp_skip__enters_four_arrays_and_no_more(void **state)
{
	char deep[4096] = "";

	(void)state;
	assert_int_equal(measure(LITERAL("*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n")), 20);
	assert_int_equal(measure(LITERAL("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n")), -EBADMSG);
	/* An array of nothing enters nothing. */
	assert_int_equal(measure(LITERAL("*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n")), 20);
	for (size_t i = 0; i < sizeof deep - 1; i++)
		deep[i] = "*1\r\n"[i % 4];
	assert_int_equal(measure(deep, strlen(deep)), -EBADMSG);
}

static void admin_text__gives_strings_and_numbers_one_by_one(void **state)
{
	static const char *const want[] = {"OK", "-7", "a\r\nb", ""};
	const char text[] = "+OK\r\n:-7\r\n$4\r\na\r\nb\r\n$0\r\n\r\n";
	size_t left = sizeof text - 1;
	char *all = exactly(text, left);
	const char *p = all;

	(void)state;
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		size_t len = 99;
		const char *got = admin_text(&p, &left, &len);

		assert_non_null(got);
		assert_int_equal(len, strlen(want[i]));
		assert_memory_equal(got, want[i], len);
	}
	assert_int_equal(left, 0);
	assert_null(admin_text(&p, &left, &(size_t){0}));
	free(all);
}

static void admin_text__refuses_errors_arrays_and_halves(void **state)
{
	static const char *const bad[] = {"", "-ERR no\r\n", "$-1\r\n", "*0\r\n", "*1\r\n:1\r\n",
		"$5\r\nhell", "+OK", "x\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		size_t left = strlen(bad[i]);
		char *all = exactly(bad[i], left);
		const char *p = all;

		assert_null(admin_text(&p, &left, &(size_t){0}));
		free(all);
	}
}

static long array(const char *text, size_t len, size_t *ret_left)
{
	char *all = exactly(text, len);
	const char *p = all;
	long n;

	*ret_left = len;
	n = admin_array(&p, ret_left);
	assert_int_equal(p - all, len - *ret_left);
	free(all);
	return n;
}

static void admin_array__moves_to_the_first_element(void **state)
{
	size_t left;

	(void)state;
	assert_int_equal(array(LITERAL("*2\r\n:1\r\n:2\r\n"), &left), 2);
	assert_int_equal(left, 8);
	assert_int_equal(array(LITERAL("*0\r\n"), &left), 0);
	assert_int_equal(left, 0);
}

static void admin_array__refuses_what_is_no_array_and_stays(void **state)
{
	static const char *const bad[] = {
		"", "*", "*1", "*1\r", "*-1\r\n", "$1\r\na\r\n", "*x\r\n", "* 1\r\n:1\r\n"};
	size_t left;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(array(bad[i], strlen(bad[i]), &left), -EBADMSG);
		assert_int_equal(left, strlen(bad[i]));
	}
}

static void admin_array__promises_no_more_than_the_bytes_can_hold(void **state)
{
	size_t left;

	(void)state;
	assert_int_equal(array(LITERAL("*2\r\n+\r\n+\r\n"), &left), 2);
	assert_int_equal(array(LITERAL("*3\r\n+\r\n+\r\n"), &left), -EBADMSG);
	assert_int_equal(array(LITERAL("*4000000000000\r\n:1\r\n"), &left), -EBADMSG);
	assert_int_equal(array(LITERAL("*9223372036854775807\r\n"), &left), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resp_skip__measures_every_kind_of_value),
		cmocka_unit_test(resp_skip__waits_for_the_last_byte),
		cmocka_unit_test(resp_skip__leaves_what_follows_alone),
		cmocka_unit_test(resp_skip__refuses_garbage),
		cmocka_unit_test(resp_skip__enters_four_arrays_and_no_more),
		cmocka_unit_test(admin_text__gives_strings_and_numbers_one_by_one),
		cmocka_unit_test(admin_text__refuses_errors_arrays_and_halves),
		cmocka_unit_test(admin_array__moves_to_the_first_element),
		cmocka_unit_test(admin_array__refuses_what_is_no_array_and_stays),
		cmocka_unit_test(admin_array__promises_no_more_than_the_bytes_can_hold),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
