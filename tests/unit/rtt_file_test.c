/* SPDX-License-Identifier: MIT */
/* rtt_file_test.c - round trips from a file, and what is said of one that is none */
#include "agent/lab/rtt_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "tests/lib/test.h"

static struct rtt_file file;

static int parse(const char *text, struct err *err)
{
	size_t len = strlen(text);
	char *exact = malloc(len ? len : 1); /* a byte too far is seen by sanitizers */
	int rc;

	assert_non_null(exact);
	memcpy(exact, text, len); /* NOLINT(bugprone-not-null-terminated-result): on purpose */
	*err = (struct err){0};
	rc = rtt_file_parse(&file, "m.csv", exact, len, err);
	free(exact);
	return rc;
}

static void rtt_file__takes_one_half_or_the_mean_of_both(void **state)
{
	struct err err;

	(void)state;
	if (parse("# measured\r\n\n, fra, tyo ,iad\nfra,0,225,\ntyo,227,,146.5\niad,89,,0", &err))
		fail_msg("%s", err.text);
	assert_int_equal(file.regions, 3);
	assert_string_equal(file.name[1], "tyo");
	assert_int_equal(file.rtt_ns[0][1], 226 * NS_PER_MS);
	assert_int_equal(file.rtt_ns[1][0], 226 * NS_PER_MS);
	assert_int_equal(file.rtt_ns[2][1], 146500000);
	assert_int_equal(file.rtt_ns[0][2], 89 * NS_PER_MS);
	assert_int_equal(file.rtt_ns[1][1], 0);
}

static void rtt_file__names_file_line_field_and_cure(void **state)
{
	static const char *const bad[][2] = {
		{"", "m.csv: is empty: the first line is"},
		{"\n#x\n", "m.csv: no region: the first line is"},
		{"a,b\n", "m.csv:1: field 1, 'a': the first line is"},
		{",a\n", "m.csv:1: fewer than 2 regions"},
		{",a,\n", "m.csv:1: field 3, '': a region has a name"},
		{",a,a\n", "m.csv:1: field 3, 'a': a second region of this name"},
		{",a,b c\n", "m.csv:1: field 3, 'b c': a region's name has no blank"},
		{",a,b\na,0,1\n", "m.csv: region 'b' has no line of its own"},
		{",a,b\nb,0,1\n", "m.csv:2: field 1, 'b': not the region whose turn it is"},
		{",a,b\na,0,x1\n", "m.csv:2: field 3, 'x1': no round trip: write milliseconds"},
		{",a,b\na,0,-1\n", "m.csv:2: field 3, '-1': no round trip"},
		{",a,b\na,0,inf\n", "m.csv:2: field 3, 'inf': no round trip"},
		{",a,b\na,0,1.2.3\n", "m.csv:2: field 3, '1.2.3': no round trip"},
		{",a,b\na,0,40000\n", "m.csv:2: field 3, '40000': no round trip"},
		{",a,b\na,5,1\n", "m.csv:2: field 2, '5': from a region to itself"},
		{",a,b\na,0,1,2\n", "m.csv:2: field 4, '2': more fields than regions"},
		{",a,b\na,0,\nb,,0\n", "m.csv: no round trip between 'a' and 'b'"},
		{",a,b\na,,1\nb\nc\n", "m.csv:4: more lines than regions"},
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (parse(bad[i][0], &err) >= 0 || err.status != EXIT_USAGE ||
			!strstr(err.text, bad[i][1]))
			fail_msg("'%s': %s", bad[i][0], err.text);
	}
}

static void rtt_file__says_what_cannot_be_read(void **state)
{
	struct err err = {0};

	(void)state;
	assert_true(rtt_file_read(&file, "/nowhere/m.csv", &err) < 0);
	assert_int_equal(err.status, EXIT_USAGE);
	assert_non_null(strstr(err.text, "/nowhere/m.csv"));
	err = (struct err){0};
	assert_true(rtt_file_read(&file, "/", &err) < 0);
	assert_non_null(strstr(err.text, "/: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rtt_file__takes_one_half_or_the_mean_of_both),
		cmocka_unit_test(rtt_file__names_file_line_field_and_cure),
		cmocka_unit_test(rtt_file__says_what_cannot_be_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
