/* SPDX-License-Identifier: MIT */
/* versions_test.c - versions of keys are read strictly, joined key by key, and compared */
#include "agent/lab/versions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

#define LITERAL(text) (text), sizeof(text) - 1

static int parse(struct versions *ret, const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	int rc;

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, text, len);
	rc = versions_parse(ret, copy, len);
	free(copy);
	return rc;
}

static void must_parse(struct versions *ret, const char *text)
{
	assert_int_equal(parse(ret, text, strlen(text)), 0);
}

/* "k1=7 k2=8", in the order of keys. */
static void assert_versions(const struct versions *v, const char *want)
{
	char got[256] = "";

	for (size_t i = 0; i < v->n; i++) {
		size_t len = strlen(got);

		(void)snprintf(got + len, sizeof got - len, "%s%s=%llu", i ? " " : "",
			(const char *)v->text.p + v->v[i].key, (unsigned long long)v->v[i].version);
	}
	assert_string_equal(got, want);
}

static void versions_parse__sorts_by_key(void **state)
{
	struct versions v;

	(void)state;
	must_parse(&v, "*6\r\n$2\r\nk3\r\n:1\r\n$3\r\nk10\r\n:18446744073709551615\r\n"
		       "$2\r\nk1\r\n$2\r\n42\r\n");
	assert_versions(&v, "k1=42 k10=18446744073709551615 k3=1");
	versions_fini(&v);
}

static void versions_parse__takes_an_empty_table(void **state)
{
	struct versions v;

	(void)state;
	must_parse(&v, "*0\r\n");
	assert_int_equal(v.n, 0);
	versions_fini(&v);
}

static void versions_parse__refuses_an_answer_that_ends_early(void **state)
{
	const char text[] = "*4\r\n$2\r\nk1\r\n:7\r\n$2\r\nk2\r\n$1\r\n8\r\n";
	struct versions v;

	(void)state;
	for (size_t len = 0; len < sizeof text - 1; len++) {
		assert_int_equal(parse(&v, text, len), -EBADMSG);
		assert_int_equal(v.n, 0);
		assert_null(v.v);
	}
	assert_int_equal(parse(&v, text, sizeof text - 1), 0);
	versions_fini(&v);
}

static void versions_parse__refuses_garbage(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} bad[] = {
		{LITERAL("-ERR no\r\n")}, {LITERAL("$2\r\nk1\r\n")}, {LITERAL("*-1\r\n")},
		{LITERAL("*-2\r\n")}, {LITERAL("*1\r\n$2\r\nk1\r\n")},
		{LITERAL("*3\r\n$2\r\nk1\r\n:1\r\n$2\r\nk2\r\n")},
		{LITERAL("*4611686018427387904\r\n$2\r\nk1\r\n:1\r\n")},
		{LITERAL("*2\r\n$-1\r\n:1\r\n")}, {LITERAL("*2\r\n$2\r\nk1\r\n$-1\r\n")},
		{LITERAL("*2\r\n*1\r\n$2\r\nk1\r\n:1\r\n")},
		{LITERAL("*2\r\n$2\r\nk1\r\n*1\r\n:1\r\n")},
		{LITERAL("*2\r\n$3\r\nk\0001\r\n:1\r\n")}, {LITERAL("*2\r\n$2\r\nk1\r\n:\r\n")},
		{LITERAL("*2\r\n$2\r\nk1\r\n:-1\r\n")}, {LITERAL("*2\r\n$2\r\nk1\r\n:+1\r\n")},
		{LITERAL("*2\r\n$2\r\nk1\r\n:1x\r\n")}, {LITERAL("*2\r\n$2\r\nk1\r\n:x\r\n")},
		{LITERAL("*2\r\n$2\r\nk1\r\n:18446744073709551616\r\n")},
		{LITERAL("*2\r\n$2\r\nk1\r\n$1\r\n \r\n")}, /* blanks to the very end */
		{LITERAL("*2\r\n$2\r\nk1\r\n$0\r\n\r\n")}, {LITERAL("*2\r\n$2\r\nk1\r\n-1\r\n")},
		{LITERAL("*2\r\n-ERR\r\n:1\r\n")}, {LITERAL("*2\r\n$2\r\nk1\r\n:1\r\n+more\r\n")},
		{LITERAL("*4\r\n$2\r\nk1\r\n:1\r\n$2\r\nk1\r\n:2\r\n")}, /* a key twice */
	};
	struct versions v;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (parse(&v, bad[i].text, bad[i].len) != -EBADMSG)
			fail_msg("was taken: %s", bad[i].text);
		assert_int_equal(v.n, 0);
		assert_null(v.v);
	}
}

static void versions_raise__keeps_the_larger_of_each_key(void **state)
{
	struct versions v;
	struct versions by;

	(void)state;
	must_parse(&v, "*6\r\n+a\r\n:5\r\n+b\r\n:1\r\n+d\r\n:3\r\n");
	must_parse(&by, "*8\r\n+a\r\n:4\r\n+b\r\n:2\r\n+c\r\n:9\r\n+e\r\n:1\r\n");
	versions_raise(&v, &by);
	assert_versions(&v, "a=5 b=2 c=9 d=3 e=1");
	assert_versions(&by, "a=4 b=2 c=9 e=1");
	versions_fini(&v);
	versions_fini(&by);
}

static void versions_raise__begins_with_nothing(void **state)
{
	struct versions none = {.n = 0};
	struct versions v = {.n = 0};
	struct versions by;

	(void)state;
	versions_raise(&v, &none);
	assert_int_equal(v.n, 0);
	must_parse(&by, "*2\r\n+a\r\n:4\r\n");
	versions_raise(&v, &by);
	versions_raise(&v, &none);
	assert_versions(&v, "a=4");
	versions_fini(&v);
	versions_fini(&by);
}

static void versions_cover__wants_every_key_in_that_version(void **state)
{
	static const struct {
		const char *has;
		const char *want;
		bool covers;
	} cases[] = {
		{"*0\r\n", "*0\r\n", true},
		{"*2\r\n+a\r\n:1\r\n", "*0\r\n", true},
		{"*0\r\n", "*2\r\n+a\r\n:0\r\n", false},
		{"*2\r\n+a\r\n:1\r\n", "*2\r\n+a\r\n:1\r\n", true},
		{"*2\r\n+a\r\n:2\r\n", "*2\r\n+a\r\n:1\r\n", true},
		{"*2\r\n+a\r\n:1\r\n", "*2\r\n+a\r\n:2\r\n", false},
		{"*2\r\n+b\r\n:9\r\n", "*2\r\n+a\r\n:1\r\n", false},
		{"*2\r\n+a\r\n:9\r\n", "*2\r\n+b\r\n:1\r\n", false},
		{"*6\r\n+a\r\n:1\r\n+b\r\n:1\r\n+c\r\n:1\r\n", "*4\r\n+a\r\n:1\r\n+c\r\n:1\r\n",
			true},
		{"*6\r\n+a\r\n:1\r\n+b\r\n:1\r\n+c\r\n:1\r\n", "*4\r\n+a\r\n:1\r\n+c\r\n:2\r\n",
			false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct versions v;
		struct versions want;

		must_parse(&v, cases[i].has);
		must_parse(&want, cases[i].want);
		if (versions_cover(&v, &want) != cases[i].covers)
			fail_msg("case %zu", i);
		versions_fini(&v);
		versions_fini(&want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_parse__sorts_by_key),
		cmocka_unit_test(versions_parse__takes_an_empty_table),
		cmocka_unit_test(versions_parse__refuses_an_answer_that_ends_early),
		cmocka_unit_test(versions_parse__refuses_garbage),
		cmocka_unit_test(versions_raise__keeps_the_larger_of_each_key),
		cmocka_unit_test(versions_raise__begins_with_nothing),
		cmocka_unit_test(versions_cover__wants_every_key_in_that_version),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
