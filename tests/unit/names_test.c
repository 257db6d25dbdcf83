/* SPDX-License-Identifier: MIT */
/* names_test.c - what a lab may be called: it becomes a part of paths */
#include "agent/lab/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/test.h"

static void names_check__takes_letters_digits_and_two_signs(void **state)
{
	static const char *const good[] = {
		"a", "cap", "CAP-2", "t_1", "0", "-", "_", "abcdefghijklmnopqrstuvwxyz012345"};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct err err = {0};

		assert_int_equal(names_check(good[i], &err), 0);
		assert_int_equal(err.code, 0);
	}
}

static void names_check__refuses_what_could_leave_its_folder(void **state)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "../a", "a.b", "/", "a b", "a\n",
		"a\t", "a%s", "*", "~", "a:b", "\xc3\xa4", "\xff", "\x7f",
		"abcdefghijklmnopqrstuvwxyz0123456"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err err = {0};

		if (names_check(bad[i], &err) != -EINVAL)
			fail_msg("was taken: '%s'", bad[i]);
		assert_int_equal(err.status, EXIT_USAGE);
		assert_non_null(strstr(err.text, "1 to 32 ASCII letters"));
	}
}

static void names_check__refuses_every_other_byte(void **state)
{
	(void)state;
	for (int byte = 1; byte < 256; byte++) {
		char name[] = {'a', (char)byte, 'b', '\0'};
		struct err err = {0};
		int good = byte == '-' || byte == '_' || (byte >= '0' && byte <= '9') ||
			   (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');

		assert_int_equal(names_check(name, &err), good ? 0 : -EINVAL);
	}
}

static void names_path__of_the_longest_lab_fits(void **state)
{
	char lab[NAMES_LAB_MAX];
	char path[NAMES_PATH_MAX];

	(void)state;
	memset(lab, 'x', sizeof lab - 1);
	lab[sizeof lab - 1] = '\0';
	names_path(path, lab, "control.sock");
	assert_string_equal(path + strlen(path) - 13, "/control.sock");
	assert_int_equal(strncmp(path, NAMES_RUN_DIR "/xxx", strlen(NAMES_RUN_DIR) + 4), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_check__takes_letters_digits_and_two_signs),
		cmocka_unit_test(names_check__refuses_what_could_leave_its_folder),
		cmocka_unit_test(names_check__refuses_every_other_byte),
		cmocka_unit_test(names_path__of_the_longest_lab_fits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
