/* SPDX-License-Identifier: MIT */
/* token_test.c - what a session has seen, as text and joined */
#include "store/token.h"

#include <errno.h>
#include <string.h>

#include "agent/base/buf.h"
#include "store/proto.h"
#include "tests/lib/test.h"

static int parse(const char *text, struct token *ret)
{
	return token_parse(
		(struct proto_bytes){.p = (const uint8_t *)text, .len = (uint32_t)strlen(text)},
		ret);
}

static void token__is_printed_as_it_is_read(void **state)
{
	static const char *const texts[] = {"-", "0", "7,0,18446744073709551615"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct buf text = {0};
		struct token t;

		assert_int_equal(parse(texts[i], &t), 0);
		token_print(&text, &t);
		assert_int_equal(text.len, strlen(texts[i]));
		assert_memory_equal(text.p, texts[i], text.len);
		buf_fini(&text);
	}
}

static void token__refuses_what_is_none(void **state)
{
	static const char *const texts[] = {
		"", ",", "1,", ",1", "1,,2", "x", "-1", "1 2", "18446744073709551616"};
	char many[2 * TOKEN_MAX + 2];
	struct token t;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_int_equal(parse(texts[i], &t), -EBADMSG);
	for (unsigned i = 0; i < TOKEN_MAX; i++)
		memcpy(many + 2 * (size_t)i, "1,", 3);
	many[2 * TOKEN_MAX - 1] = '\0';
	assert_int_equal(parse(many, &t), 0);
	assert_int_equal(t.n, TOKEN_MAX);
	memcpy(many + 2 * TOKEN_MAX - 1, ",1", 3);
	assert_int_equal(parse(many, &t), -EBADMSG);
}

static void token__joins_to_the_greater_of_each(void **state)
{
	struct token a, b;

	(void)state;
	assert_int_equal(parse("3,1", &a), 0);
	assert_int_equal(parse("2,5,4", &b), 0);
	token_join(&a, &b);
	assert_int_equal(a.n, 3);
	assert_int_equal(a.at[0], 3);
	assert_int_equal(a.at[1], 5);
	assert_int_equal(a.at[2], 4);
	assert_int_equal(parse("9", &b), 0);
	token_join(&a, &b);
	assert_int_equal(a.n, 3);
	assert_int_equal(a.at[0], 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(token__is_printed_as_it_is_read),
		cmocka_unit_test(token__refuses_what_is_none),
		cmocka_unit_test(token__joins_to_the_greater_of_each),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
