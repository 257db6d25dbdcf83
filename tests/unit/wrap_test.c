/* SPDX-License-Identifier: MIT */
/* wrap_test.c - words in lines of limited width */
#include <stdlib.h>

#include "tests/lib/test.h"

#include "agent/base/wrap.h"

static char *wrapped(int indent, int columns, const char *text)
{
	char *ret = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&ret, &size);

	assert_non_null(out);
	wrap_text(out, indent, columns, text);
	(void)fclose(out);
	return ret;
}

static void assert_wraps(int indent, int columns, const char *text, const char *to)
{
	char *ret = wrapped(indent, columns, text);

	assert_string_equal(ret, to);
	free(ret);
}

static void wrap_text__breaks_between_words_and_indents(void **state)
{
	(void)state;
	assert_wraps(2, 10, "one two three", "  one two\n  three\n");
	assert_wraps(0, 7, "one two three", "one two\nthree\n");
	assert_wraps(0, 6, "one  two", "one\ntwo\n");
}

static void wrap_text__keeps_paragraphs_and_long_words(void **state)
{
	(void)state;
	assert_wraps(1, 20, "one\ntwo", " one\n two\n");
	assert_wraps(0, 5, "a incomprehensible b", "a\nincomprehensible\nb\n");
	assert_wraps(3, 20, "", "");
}

static void wrap_text__counts_what_is_seen_of_utf8(void **state)
{
	(void)state;
	assert_int_equal(wrap_width("\xc3\xa4\xc3\xb6", 4), 2);
	assert_wraps(
		0, 5, "\xc3\xa4\xc3\xb6 \xc3\xbc\xc3\xbc", "\xc3\xa4\xc3\xb6 \xc3\xbc\xc3\xbc\n");
}

static void wrap_columns__without_a_terminal_is_the_default(void **state)
{
	FILE *out = fopen("/dev/null", "we");

	(void)state;
	assert_non_null(out);
	assert_int_equal(wrap_columns(out), WRAP_COLUMNS);
	(void)fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrap_text__breaks_between_words_and_indents),
		cmocka_unit_test(wrap_text__keeps_paragraphs_and_long_words),
		cmocka_unit_test(wrap_text__counts_what_is_seen_of_utf8),
		cmocka_unit_test(wrap_columns__without_a_terminal_is_the_default),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
