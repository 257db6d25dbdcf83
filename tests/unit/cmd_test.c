/* SPDX-License-Identifier: MIT */
/* cmd_test.c - options and arguments of a subcommand, read from its table */
#include "agent/cmd/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/test.h"

#define WORDS_MAX 12

enum { OPT_STORE, OPT_JSON };

static const struct cmd_option options[] = {
	[OPT_STORE] = {"--store", "NAME", "a value"},
	[OPT_JSON] = {"--json", NULL, "a switch"},
	{NULL, NULL, NULL},
};

static const struct cmd plain = {.name = "fly",
	.args = "A [B]",
	.summary = "",
	.args_min = 1,
	.args_max = 2,
	.option = options};
static const struct cmd wrapper = {.name = "exec",
	.args = "NODE COMMAND...",
	.summary = "",
	.args_min = 2,
	.args_max = CMD_ARGS_ANY,
	.rest = true,
	.option = options};
static const struct cmd bare = {.name = "bare", .args = "", .summary = ""};

static char *argv[WORDS_MAX + 1];
static struct cmd_line line;
static struct err err;

/* Words that stand in one text, one blank between them. */
static int parse(const struct cmd *cmd, const char *words)
{
	static char text[256];
	char *rest = text;
	unsigned n = 0;

	(void)snprintf(text, sizeof text, "%s", words);
	while (*words && rest && n < WORDS_MAX)
		argv[n++] = strsep(&rest, " ");
	argv[n] = NULL;
	err = (struct err){0};
	return cmd_parse(cmd, argv, &line, &err);
}

/* "a|b": the arguments. */
static void assert_args(const char *want)
{
	char got[256] = "";
	unsigned i;

	for (i = 0; line.arg[i]; i++) {
		size_t len = strlen(got);

		(void)snprintf(got + len, sizeof got - len, "%s%s", i ? "|" : "", line.arg[i]);
	}
	assert_string_equal(got, want);
	assert_int_equal(line.args, i);
}

static void refuse(const struct cmd *cmd, const char *words, const char *message)
{
	assert_int_equal(parse(cmd, words), -EINVAL);
	assert_int_equal(err.status, EXIT_USAGE);
	if (!strstr(err.text, message))
		fail_msg("'%s' said: %s\nwanted: %s", words, err.text, message);
}

static void cmd_parse__takes_options_anywhere(void **state)
{
	static const char *const same[] = {"--store raft --json a b", "a --store raft --json b",
		"a b --json --store raft", "--json a --store=raft b",
		"--store one a --store raft b --json --json"};

	(void)state;
	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		assert_int_equal(parse(&plain, same[i]), 0);
		assert_string_equal(line.value[OPT_STORE], "raft");
		assert_string_equal(line.value[OPT_JSON], "--json");
		assert_args("a|b");
	}
}

static void cmd_parse__leaves_null_what_was_not_given(void **state)
{
	(void)state;
	assert_int_equal(parse(&plain, "a"), 0);
	assert_null(line.value[OPT_STORE]);
	assert_null(line.value[OPT_JSON]);
	assert_args("a");
	assert_int_equal(parse(&bare, ""), 0);
	assert_args("");
}

static void cmd_parse__takes_any_value_as_it_stands(void **state)
{
	static const char *const cases[][2] = {{"a --store=", ""}, {"a --store=b=c", "b=c"},
		{"a --store --", "--"}, {"a --store --json", "--json"}, {"a --store -1", "-1"},
		{"a --store --help", "--help"}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(parse(&plain, cases[i][0]), 0);
		assert_string_equal(line.value[OPT_STORE], cases[i][1]);
		assert_null(line.value[OPT_JSON]);
		assert_args("a");
	}
}

static void cmd_parse__refuses_unknown_options(void **state)
{
	static const char *const bad[] = {"a --fast", "--fast a", "a --fast=1", "a -x", "a --stor",
		"a --stores x", "a --Store x", "a ---", "a --=x", "a -=", "a --jsonx", "a -json"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refuse(&plain, bad[i], "unknown option -");
	refuse(&plain, "a --fast=9", "unknown option --fast; 'pacelab fly --help' lists them");
	refuse(&bare, "--json", "unknown option --json");
}

static void cmd_parse__refuses_missing_and_needless_values(void **state)
{
	(void)state;
	refuse(&plain, "a --store", "--store needs a value: --store NAME");
	refuse(&plain, "--store", "--store needs a value");
	refuse(&plain, "a --json=yes", "--json takes no value");
	refuse(&plain, "a --json=", "--json takes no value");
}

static void cmd_parse__counts_arguments(void **state)
{
	(void)state;
	refuse(&plain, "", "usage: pacelab fly [OPTION...] A [B];");
	refuse(&plain, "--json", "usage: pacelab fly");
	refuse(&plain, "a b c", "usage: pacelab fly");
	refuse(&bare, "a", "usage: pacelab bare; 'pacelab bare --help' says more");
	refuse(&wrapper, "n1", "usage: pacelab exec");
}

static void cmd_parse__ends_options_at_two_dashes(void **state)
{
	(void)state;
	assert_int_equal(parse(&plain, "-- --store -x"), 0);
	assert_args("--store|-x");
	assert_null(line.value[OPT_STORE]);
	assert_int_equal(parse(&plain, "--json -- a --help"), 0);
	assert_non_null(line.value[OPT_JSON]);
	assert_args("a|--help");
	assert_int_equal(parse(&plain, "-- -- a"), 0);
	assert_args("--|a");
	refuse(&plain, "--", "usage:");
}

static void cmd_parse__takes_a_dash_and_nothing_as_arguments(void **state)
{
	(void)state;
	assert_int_equal(parse(&plain, "- a"), 0);
	assert_args("-|a");
	assert_int_equal(parse(&plain, " a"), 0); /* the first word is empty */
	assert_args("|a");
}

static void cmd_parse__leaves_options_of_another_program_alone(void **state)
{
	(void)state;
	assert_int_equal(parse(&wrapper, "--json n1 ls --json --help -l --"), 0);
	assert_non_null(line.value[OPT_JSON]);
	assert_args("n1|ls|--json|--help|-l|--");
	assert_int_equal(parse(&wrapper, "n1 --store=x"), 0);
	assert_null(line.value[OPT_STORE]);
	assert_args("n1|--store=x");
}

static void cmd_parse__stops_at_help(void **state)
{
	static const char *const words[] = {"--help", "-h", "a b c --help", "--json --help --fast"};

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		assert_int_equal(parse(&plain, words[i]), 1);
		assert_int_equal(err.code, 0);
	}
	assert_int_equal(parse(&bare, "--help"), 1);
	assert_int_equal(parse(&wrapper, "--help n1"), 1);
	refuse(&plain, "--fast --help", "unknown option"); /* what comes first is told */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cmd_parse__takes_options_anywhere),
		cmocka_unit_test(cmd_parse__leaves_null_what_was_not_given),
		cmocka_unit_test(cmd_parse__takes_any_value_as_it_stands),
		cmocka_unit_test(cmd_parse__refuses_unknown_options),
		cmocka_unit_test(cmd_parse__refuses_missing_and_needless_values),
		cmocka_unit_test(cmd_parse__counts_arguments),
		cmocka_unit_test(cmd_parse__ends_options_at_two_dashes),
		cmocka_unit_test(cmd_parse__takes_a_dash_and_nothing_as_arguments),
		cmocka_unit_test(cmd_parse__leaves_options_of_another_program_alone),
		cmocka_unit_test(cmd_parse__stops_at_help),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
