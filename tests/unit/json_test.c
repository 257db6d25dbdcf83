/* SPDX-License-Identifier: MIT */
/* json_test.c - commas, nesting, escapes and numbers */
#include "agent/base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

struct fixture {
	struct json json;
	FILE *out;
	char *text;
	size_t size;
};

static struct json *start(struct fixture *f)
{
	f->out = open_memstream(&f->text, &f->size);
	assert_non_null(f->out);
	json_init(&f->json, f->out);
	return &f->json;
}

static void finish(struct fixture *f, const char *want)
{
	assert_int_equal(fclose(f->out), 0);
	assert_string_equal(f->text, want);
	free(f->text);
}

static void json__puts_commas_between_members_only(void **state)
{
	struct fixture f;
	struct json *j = start(&f);

	(void)state;
	json_object(j);
	json_key(j, "a");
	json_uint(j, 1);
	json_key(j, "b");
	json_array(j);
	json_int(j, -2);
	json_bool(j, true);
	json_null(j);
	json_array(j);
	json_array_end(j);
	json_object(j);
	json_object_end(j);
	json_array_end(j);
	json_key(j, "c");
	json_object(j);
	json_key(j, "d");
	json_string(j, "e");
	json_object_end(j);
	json_object_end(j);
	finish(&f, "{\n  \"a\": 1,\n  \"b\": [\n    -2,\n    true,\n    null,\n    [],\n    {}\n"
		   "  ],\n  \"c\": {\n    \"d\": \"e\"\n  }\n}\n");
}

static void json__nests_to_its_limit(void **state)
{
	struct fixture f;
	struct json *j = start(&f);

	(void)state;
	for (int i = 1; i < JSON_DEPTH_MAX; i++)
		json_array(j);
	for (int i = 1; i < JSON_DEPTH_MAX; i++)
		json_array_end(j);
	assert_int_equal(j->depth, 0);
	assert_int_equal(fclose(f.out), 0);
	assert_int_equal(f.text[f.size - 1], '\n');
	free(f.text);
}

static void json_string__escapes_what_json_forbids(void **state)
{
	struct fixture f;

	(void)state;
	json_string(start(&f), "say \"a\\b\"\n\t\x01\x1f\x7f");
	finish(&f, "\"say \\\"a\\\\b\\\"\\u000a\\u0009\\u0001\\u001f\x7f\"");
}

static void json_key__is_escaped_too(void **state)
{
	struct fixture f;
	struct json *j = start(&f);

	(void)state;
	json_object(j);
	json_key(j, "\"\n");
	json_null(j);
	json_object_end(j);
	finish(&f, "{\n  \"\\\"\\u000a\": null\n}\n");
}

/* Valid sequences at the edges of each length stay; RFC 3629's forbidden ones do not. */
static void json_string__writes_only_utf8(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"\xc2\x80\xdf\xbf", "\"\xc2\x80\xdf\xbf\""},
		{"\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf",
			"\"\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf\""},
		{"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""},
		{"a\x80z", "\"a\\ufffdz\""},
		{"\xff\xfe", "\"\\ufffd\\ufffd\""},
		{"\xc1\xbf", "\"\\ufffd\\ufffd\""},
		{"\xe0\x9f\xbf", "\"\\ufffd\\ufffd\\ufffd\""},
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
		{"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
		{"\xe2\x82", "\"\\ufffd\\ufffd\""},
		{"\xf0\x9f\x98", "\"\\ufffd\\ufffd\\ufffd\""},
		{"\xc3", "\"\\ufffd\""},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *in = strdup(cases[i].in);
		struct fixture f;

		json_string(start(&f), in);
		finish(&f, cases[i].out);
		free(in);
	}
}

static void json__writes_the_extremes_of_numbers(void **state)
{
	struct fixture f;

	(void)state;
	json_uint(start(&f), UINT64_MAX);
	finish(&f, "18446744073709551615");
	json_int(start(&f), INT64_MIN);
	finish(&f, "-9223372036854775808");
}

static void json_double__is_short_and_never_nan(void **state)
{
	static const struct {
		double x;
		const char *text;
	} cases[] = {{0, "0"}, {20.5, "20.5"}, {0.1 + 0.2, "0.3"}, {123456.7, "123457"},
		{1e-9, "1e-09"}, {NAN, "null"}, {INFINITY, "null"}, {-INFINITY, "null"}};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fixture f;

		json_double(start(&f), cases[i].x);
		finish(&f, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json__puts_commas_between_members_only),
		cmocka_unit_test(json__nests_to_its_limit),
		cmocka_unit_test(json_string__escapes_what_json_forbids),
		cmocka_unit_test(json_key__is_escaped_too),
		cmocka_unit_test(json_string__writes_only_utf8),
		cmocka_unit_test(json__writes_the_extremes_of_numbers),
		cmocka_unit_test(json_double__is_short_and_never_nan),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
