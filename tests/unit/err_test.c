/* SPDX-License-Identifier: MIT */
/* err_test.c - an error keeps its code and gathers the context of each caller */
#include "agent/base/err.h"

#include <errno.h>
#include <string.h>

#include "tests/lib/test.h"

static void err_set__fills_and_returns_its_code(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err_set(&err, -ENOENT, EXIT_CANNOT_RUN, "no %s", "netem"), -ENOENT);
	assert_int_equal(err.code, -ENOENT);
	assert_int_equal(err.status, EXIT_CANNOT_RUN);
	assert_string_equal(err.text, "no netem");
}

static void err_sys__adds_what_the_system_says(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err_sys(&err, -ENODEV, "attach to '%s'", "n1"), -ENODEV);
	assert_int_equal(err.status, EXIT_INTERNAL);
	assert_string_equal(err.text, "attach to 'n1': No such device");
}

static void err_wrap__puts_the_outermost_context_first(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err_usage(&err, "unknown node 'n9'"), -EINVAL);
	assert_int_equal(err_wrap(&err, "phase '%s'", "cut"), -EINVAL);
	assert_int_equal(err_wrap(&err, "cap.lua:%d", 12), -EINVAL);
	assert_string_equal(err.text, "cap.lua:12: phase 'cut': unknown node 'n9'");
	assert_int_equal(err.status, EXIT_USAGE);
}

static void err__passes_the_code_on_without_an_object(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, -EPERM, EXIT_CANNOT_RUN, "x"), -EPERM);
	assert_int_equal(err_sys(NULL, -ENODEV, "x"), -ENODEV);
	assert_int_equal(err_usage(NULL, "x"), -EINVAL);
	assert_true(err_wrap(NULL, "x") < 0);
}

static void err__cuts_long_text_and_ends_it(void **state)
{
	char text[2 * ERR_TEXT_MAX];
	struct err err;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	memset(&err, '#', sizeof err);
	err_set(&err, -EINVAL, EXIT_USAGE, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	err_sys(&err, -EIO, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	err_wrap(&err, "context");
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_memory_equal(err.text, "context: xxx", 12);
	err_wrap(&err, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(err_set__fills_and_returns_its_code),
		cmocka_unit_test(err_sys__adds_what_the_system_says),
		cmocka_unit_test(err_wrap__puts_the_outermost_context_first),
		cmocka_unit_test(err__passes_the_code_on_without_an_object),
		cmocka_unit_test(err__cuts_long_text_and_ends_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
