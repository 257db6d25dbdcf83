/* SPDX-License-Identifier: MIT */
/* resp_test.c - commands are read whole, in pieces or not at all; replies are what Redis sends */
#include "store/resp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

/* Long ones: filled by the test that needs them. */
static struct resp_command command;

/* Parse in a buffer of exact size, so that a sanitizer sees any read past the end. */
static int parse(const void *text, size_t len, size_t *ret_used)
{
	uint8_t *copy = malloc(len ? len : 1);
	int ret;

	memcpy(copy, text, len);
	*ret_used = 0;
	ret = resp_parse(copy, len, &command, ret_used);
	/* Arguments are compared by the caller: let them point into the text again. */
	for (unsigned i = 0; ret == 0 && i < command.n; i++)
		if (command.args[i].p >= copy && command.args[i].p <= copy + len)
			command.args[i].p = (const uint8_t *)text + (command.args[i].p - copy);
	free(copy);
	return ret;
}

static int parse_text(const char *text)
{
	size_t used;

	return parse(text, strlen(text), &used);
}

static bool arg_is(unsigned i, const char *text)
{
	return i < command.n && command.args[i].len == strlen(text) &&
	       memcmp(command.args[i].p, text, strlen(text)) == 0;
}

static void resp__reads_an_array_of_bulk_strings(void **state)
{
	static const char text[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\nnext";
	size_t used;

	(void)state;
	assert_int_equal(parse(text, sizeof text - 1, &used), 0);
	assert_int_equal(used, sizeof text - 1 - 4);
	assert_int_equal(command.n, 3);
	assert_true(arg_is(0, "SET"));
	assert_true(arg_is(1, "k"));
	assert_true(arg_is(2, "a\r\nb"));
}

static void resp__reads_inline_commands_with_quotes(void **state)
{
	(void)state;
	assert_int_equal(parse_text("  set\tkey \"two words\" 'x y'\r\n"), 0);
	assert_int_equal(command.n, 4);
	assert_true(arg_is(0, "set"));
	assert_true(arg_is(2, "two words"));
	assert_true(arg_is(3, "x y"));
	assert_int_equal(parse_text("ping\n"), 0);
	assert_int_equal(command.n, 1);
	assert_int_equal(parse_text("set k \"\"\n"), 0);
	assert_true(arg_is(2, ""));
	assert_int_equal(parse_text("set k \"open\r\n"), -EBADMSG);
	assert_int_equal(parse_text("set k \"a\"b\r\n"), -EBADMSG);
}

static void resp__reads_what_escapes_stand_for(void **state)
{
	(void)state;
	assert_int_equal(
		parse_text(
			"a \"\\x41\\n\\r\\t\\b\\a\\q\\\"\\\\\" 'it\\'s\\n' p\"q r\" \"\\xg\"\r\n"),
		0);
	assert_int_equal(command.n, 5);
	assert_true(arg_is(1, "A\n\r\t\b\aq\"\\"));
	assert_true(arg_is(2, "it's\\n"));
	assert_true(arg_is(3, "pq r"));
	assert_true(arg_is(4, "xg"));
	assert_int_equal(parse_text("a \"open\\\"\r\n"), -EBADMSG);
	assert_int_equal(parse_text("a \"\\\r\n"), -EBADMSG);
}

static bool matches(const char *pattern, const char *text)
{
	return resp_match((struct proto_bytes){(const uint8_t *)pattern, (uint32_t)strlen(pattern)},
		(struct proto_bytes){(const uint8_t *)text, (uint32_t)strlen(text)}, false);
}

static void resp__matches_patterns_as_redis_does(void **state)
{
	char stars[2002], text[2001];

	(void)state;
	assert_true(matches("*", "") && matches("*", "abc") && matches("a*c", "abbc"));
	assert_true(matches("h?llo", "hello") && !matches("h?llo", "hllo"));
	assert_true(matches("h[ae]llo", "hallo") && !matches("h[ae]llo", "hillo"));
	assert_true(matches("h[^e]llo", "hallo") && !matches("h[^e]llo", "hello"));
	assert_true(matches("h[a-b]llo", "hbllo") && !matches("h[a-b]llo", "hcllo"));
	assert_true(matches("\\*a", "*a") && !matches("\\*a", "ba"));
	assert_true(matches("[\\]]", "]") && matches("a[b", "ab") && !matches("", "a"));
	assert_true(matches("*a*b*", "xxayybzz") && !matches("*a*b", "ba"));
	/* No pattern may take more than the product of the lengths. */
	for (int i = 0; i < 2000; i++) {
		stars[i] = i % 2 ? 'a' : '*';
		text[i] = 'a';
	}
	memcpy(stars + 2000, "b", 2);
	text[2000] = '\0';
	assert_false(matches(stars, text));
}

static void resp__takes_empty_lines_and_arrays_as_nothing(void **state)
{
	(void)state;
	assert_int_equal(parse_text("\r\n"), 0);
	assert_int_equal(command.n, 0);
	assert_int_equal(parse_text("*0\r\n"), 0);
	assert_int_equal(command.n, 0);
	assert_int_equal(parse_text("*-1\r\n"), 0);
	assert_int_equal(command.n, 0);
}

/* Read all commands of @text when it arrives cut at @cut; append a fingerprint of each to @out. */
static void read_all(const char *text, size_t len, size_t cut, struct buf *out)
{
	size_t at = 0;
	size_t ends[] = {cut, len};

	for (int i = 0; i < 2; i++) {
		for (;;) {
			size_t used;
			int ret = parse(text + at, ends[i] - at, &used);

			assert_true(ret == 0 || ret == -EAGAIN);
			if (ret == -EAGAIN)
				break;
			at += used;
			for (unsigned k = 0; k < command.n; k++)
				buf_bytes(out, command.args[k].p, command.args[k].len);
			buf_u8(out, '|');
		}
	}
	assert_int_equal(at, len);
}

static void resp__gives_the_same_commands_wherever_the_bytes_are_split(void **state)
{
	static const char text[] = "*3\r\n$3\r\nSET\r\n$2\r\nk1\r\n$13\r\n$3\r\nabc\r\n*1\r\n\r\n"
				   "get \"k 1\"\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n\r\nPING\n"
				   "*1\r\n$4\r\nQUIT\r\n";
	struct buf whole = {0};
	struct buf split = {0};

	(void)state;
	read_all(text, sizeof text - 1, sizeof text - 1, &whole);
	for (size_t cut = 0; cut < sizeof text - 1; cut++) {
		split.len = 0;
		read_all(text, sizeof text - 1, cut, &split);
		assert_int_equal(split.len, whole.len);
		assert_memory_equal(split.p, whole.p, whole.len);
	}
	buf_fini(&whole);
	buf_fini(&split);
}

static void resp__refuses_what_is_malformed_as_soon_as_it_is_seen(void **state)
{
	static const char *const bad[] = {
		"*x\r\n",
		"*1x\r\n",
		"*1\rx",
		"*\r\n",
		"*--1\r\n",
		"*99999999999999999999\r\n",
		"*1\r\n+OK\r\n",
		"*1\r\n$-1\r\n",
		"*1\r\n$x\r\n",
		"*1\r\n$\r\n",
		"*1\r\n$3\r\nabcd\r\n",
		"*1\r\n$3\r\nabc\rx",
		"*2\r\n$1\r\na\r\n:1\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(parse_text(bad[i]), -EBADMSG);
		assert_non_null(command.error);
		assert_int_equal(command.n, 0);
	}
}

static void resp__keeps_its_limits(void **state)
{
	char text[64];
	char *line = malloc(RESP_INLINE_MAX + 1);
	size_t used;

	(void)state;
	(void)snprintf(text, sizeof text, "*%u\r\n", RESP_ARGS_MAX);
	assert_int_equal(parse_text(text), -EAGAIN);
	(void)snprintf(text, sizeof text, "*%u\r\n", RESP_ARGS_MAX + 1);
	assert_int_equal(parse_text(text), -EBADMSG);
	(void)snprintf(text, sizeof text, "*1\r\n$%u\r\n", RESP_BULK_MAX);
	assert_int_equal(parse_text(text), -EAGAIN);
	(void)snprintf(text, sizeof text, "*1\r\n$%u\r\n", RESP_BULK_MAX + 1);
	assert_int_equal(parse_text(text), -EBADMSG);
	memset(line, 'a', RESP_INLINE_MAX + 1);
	assert_int_equal(parse(line, RESP_INLINE_MAX - 1, &used), -EAGAIN);
	assert_int_equal(parse(line, RESP_INLINE_MAX, &used), -EBADMSG);
	for (size_t i = 1; i < RESP_INLINE_MAX; i += 2)
		line[i] = i + 2 < RESP_INLINE_MAX ? ' ' : '\n';
	line[2 * RESP_ARGS_MAX - 1] = '\n';
	assert_int_equal(parse(line, RESP_INLINE_MAX, &used), 0);
	assert_int_equal(command.n, RESP_ARGS_MAX);
	line[2 * RESP_ARGS_MAX - 1] = ' ';
	assert_int_equal(parse(line, RESP_INLINE_MAX, &used), -EBADMSG);
	free(line);
}

static void resp__refuses_a_command_longer_than_all_its_arguments_may_be(void **state)
{
	struct buf b = {0};
	size_t used;

	(void)state;
	buf_printf(&b, "*10\r\n");
	for (int i = 0; i < 9; i++) {
		buf_printf(&b, "$%u\r\n", RESP_BULK_MAX);
		memset(buf_grow(&b, RESP_BULK_MAX), 'v', RESP_BULK_MAX);
		b.len += RESP_BULK_MAX;
		buf_printf(&b, "\r\n");
	}
	assert_int_equal(parse(b.p, b.len, &used), -EBADMSG);
	buf_fini(&b);
}

static void resp__builds_the_replies_of_redis(void **state)
{
	static const char expected[] = "+OK\r\n-ERR no 'x' y\r\n:-9223372036854775808\r\n:0\r\n"
				       "$3\r\na\r\n\r\n$0\r\n\r\n$-1\r\n*2\r\n$2\r\nhi\r\n";
	struct proto_bytes bytes = {.p = (const uint8_t *)"a\r\n", .len = 3};
	struct buf b = {0};

	(void)state;
	resp_status(&b, "OK");
	resp_error(&b, "ERR no '%s'\n%s", "x", "y");
	resp_integer(&b, INT64_MIN);
	resp_integer(&b, 0);
	resp_bulk(&b, bytes);
	resp_text(&b, "");
	resp_nil(&b, false);
	resp_array(&b, 2);
	resp_text(&b, "hi");
	assert_int_equal(b.len, sizeof expected - 1);
	assert_memory_equal(b.p, expected, b.len);
	buf_fini(&b);
}

static void resp__builds_the_types_that_version_3_has(void **state)
{
	static const char two[] = "$-1\r\n*4\r\n*3\r\n$2\r\nhi\r\n";
	static const char three[] = "_\r\n%2\r\n~3\r\n=6\r\ntxt:hi\r\n";
	struct proto_bytes hi = {.p = (const uint8_t *)"hi", .len = 2};

	(void)state;
	for (int resp3 = 0; resp3 < 2; resp3++) {
		struct buf b = {0};

		resp_nil(&b, resp3);
		resp_map(&b, resp3, 2);
		resp_set(&b, resp3, 3);
		resp_verbatim(&b, resp3, hi);
		buf_u8(&b, 0);
		assert_string_equal(b.p, resp3 ? three : two);
		buf_fini(&b);
	}
}

static void resp__compares_words_without_case_and_whole(void **state)
{
	struct proto_bytes get = {.p = (const uint8_t *)"gEt", .len = 3};

	(void)state;
	assert_true(resp_is(get, "GET"));
	assert_false(resp_is(get, "GETX"));
	assert_false(resp_is(get, "GE"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resp__reads_an_array_of_bulk_strings),
		cmocka_unit_test(resp__reads_inline_commands_with_quotes),
		cmocka_unit_test(resp__reads_what_escapes_stand_for),
		cmocka_unit_test(resp__matches_patterns_as_redis_does),
		cmocka_unit_test(resp__builds_the_types_that_version_3_has),
		cmocka_unit_test(resp__takes_empty_lines_and_arrays_as_nothing),
		cmocka_unit_test(resp__gives_the_same_commands_wherever_the_bytes_are_split),
		cmocka_unit_test(resp__refuses_what_is_malformed_as_soon_as_it_is_seen),
		cmocka_unit_test(resp__keeps_its_limits),
		cmocka_unit_test(resp__refuses_a_command_longer_than_all_its_arguments_may_be),
		cmocka_unit_test(resp__builds_the_replies_of_redis),
		cmocka_unit_test(resp__compares_words_without_case_and_whole),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
