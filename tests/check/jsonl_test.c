/* SPDX-License-Identifier: MIT */
/* jsonl_test.c - histories as JSON lines: out and in again, and strictly */
#include "tests/check/draw.h"
#include "tests/check/files.h"

#define READ_LINE \
	"{\"session\":1,\"kind\":\"read\",\"key\":3,\"value\":7,\"invoke_ns\":100," \
	"\"return_ns\":200,\"outcome\":\"ok\"}"

static void save_text(const struct files *f, const char *text)
{
	files_save(f, text, strlen(text));
}

static void refused(const struct files *f, const char *text, const char *what)
{
	save_text(f, text);
	files_refused(f, what);
}

static void jsonl__reads_one_operation_a_line(void **state)
{
	const struct files *f = *state;
	struct history_ops ops;
	struct err err = {0};

	save_text(f, READ_LINE
		"\n"
		" { \"kind\" : \"cas\" ,\"old\":0, \"value\":8, \"key\":3, \"session\":2,"
		"\"invoke_ns\":90,\"return_ns\":95,\"outcome\":\"ok\",\"error\":\"unmet\","
		"\"node\":4,\"client\":6,\"phase\":2,\"final\":true,\"intended_ns\":80,"
		"\"op\":77}\r\n"
		"{\"session\":3,\"kind\":\"write\",\"key\":3,\"value\":9,\"invoke_ns\":300,"
		"\"return_ns\":null,\"outcome\":\"unknown\",\"error\":\"timeout\"}");
	if (history_read(&ops, f->path, &err))
		fail_msg("%s", err.text);
	assert_int_equal(ops.count, 3);
	assert_int_equal(ops.op[0].op, 77); /* sorted by invocation */
	assert_int_equal(ops.op[0].kind, HISTORY_CAS);
	assert_int_equal(ops.op[0].error, HISTORY_UNMET);
	assert_false(ops.op[0].met);
	assert_int_equal(ops.op[0].node, 4);
	assert_int_equal(ops.op[0].client, 6);
	assert_int_equal(ops.op[0].phase, 2);
	assert_int_equal(ops.op[0].flags, HISTORY_F_FINAL);
	assert_int_equal(ops.op[0].t_intended_ns, 80);
	assert_int_equal(ops.op[1].op, 1);
	assert_int_equal(ops.op[1].value, 7);
	assert_int_equal(ops.op[1].t_intended_ns, 100);
	assert_int_equal(ops.op[2].outcome, HISTORY_UNKNOWN);
	assert_true(ops.op[2].t_return_ns == UINT64_MAX);
	history_ops_fini(&ops);
}

static void jsonl__writes_what_it_reads(void **state)
{
	const struct files *f = *state;
	const struct draw draw = {.ops = 3000, .clients = 8, .keys = 5, .cas = 30, .seed = 4};
	struct history_ops ops = draw_history(&draw);
	struct history_ops again;
	struct err err = {0};

	ops.op[2990].outcome = HISTORY_UNKNOWN;
	ops.op[2990].t_return_ns = UINT64_MAX;
	ops.op[2990].session = 99;
	ops.op[2990].error = HISTORY_CLOSED;
	ops.op[2990].met = false;
	ops.op[5].flags = HISTORY_F_FINAL;
	if (ops.op[2990].kind == HISTORY_READ)
		ops.op[2990].value = 0;
	if (history_write(&ops, f->path, HISTORY_JSONL, &err) ||
		history_read(&again, f->path, &err))
		fail_msg("%s", err.text);
	assert_int_equal(again.count, ops.count);
	for (size_t i = 0; i < ops.count; i++)
		assert_memory_equal(
			&again.op[i], &ops.op[i], offsetof(struct history_op, met) + sizeof(bool));
	history_ops_fini(&again);
	history_ops_fini(&ops);
}

static void jsonl__repeated_values_are_allowed(void **state)
{
	const struct files *f = *state;
	struct history_ops ops;

	save_text(f, "{\"session\":1,\"kind\":\"write\",\"key\":3,\"value\":9,\"invoke_ns\":1,"
		     "\"return_ns\":2,\"outcome\":\"ok\"}\n"
		     "{\"session\":1,\"kind\":\"write\",\"key\":3,\"value\":9,\"invoke_ns\":3,"
		     "\"return_ns\":4,\"outcome\":\"ok\"}\n");
	assert_int_equal(history_read(&ops, f->path, NULL), 0);
	assert_int_equal(ops.count, 2);
	history_ops_fini(&ops);
}

static void jsonl__names_line_and_column_of_what_is_no_json(void **state)
{
	refused(*state, READ_LINE "\nx", ": line 2, column 1: 'x', '{' was expected");
	refused(*state, READ_LINE "\n\n", ": line 2, column 1: the line ends, '{' was expected");
	refused(*state, "{", ": line 1, column 2: the file ends, '\"' was expected");
	refused(*state, "{}", ": line 1, column 2: '}', '\"' was expected");
	refused(*state, READ_LINE " {}", "'{', the end of the line was expected");
	refused(*state, "{\"key\":3,}", ": line 1, column 10: '}', '\"' was expected");
	refused(*state, "{\"key\" 3}", ": line 1, column 8: '3', ':' was expected");
	refused(*state, "{\"key\":3 \"op\":1}", ": line 1, column 10: '\"', '}' was expected");
	refused(*state, "{\"key\":3\x01", "\\x01, '}' was expected");
}

static void jsonl__refuses_fields_that_it_does_not_know(void **state)
{
	refused(*state, "{\"sesion\":1}", ": line 1, column 10: unknown field 'sesion'");
	refused(*state, "{\"key\":1,\"key\":1}", "field 'key' twice");
	refused(*state, "{\"kind\":\"reed\"}", "unknown kind 'reed', for example 'read' was");
	refused(*state, "{\"outcome\":\"okay\"}", "unknown outcome 'okay'");
	refused(*state, "{\"final\":1}", "'1', true or false was expected for 'final'");
	refused(*state, "{\"kind\":\"abcdefghijklmnopqrstuvwxyz\"}", "unknown word");
}

static void jsonl__refuses_numbers_that_are_not_plain(void **state)
{
	refused(*state, "{\"key\":-1}", "'-', a whole number was expected for 'key'");
	refused(*state, "{\"key\":1.5}", "'.', '}' was expected");
	refused(*state, "{\"key\":1e3}", "'e', '}' was expected");
	refused(*state, "{\"key\":01}", "'key' begins with 0");
	refused(*state, "{\"key\":\"1\"}", "a whole number was expected for 'key'");
	refused(*state, "{\"key\":null}", "a whole number was expected for 'key'");
	refused(*state, "{\"key\":18446744073709551616}",
		"'key' is more than 18446744073709551615");
	refused(*state, "{\"node\":65536}", "'node' is more than 65535");
	refused(*state, "{\"session\":4294967296}", "'session' is more than 4294967295");
}

static void jsonl__refuses_operations_that_are_not_whole(void **state)
{
	refused(*state, "{\"kind\":\"read\"}", ": line 1: field 'session' is missing");
	refused(*state,
		"{\"session\":1,\"kind\":\"read\",\"key\":3,\"invoke_ns\":1,\"outcome\":\"ok\"}",
		": line 1: field 'return_ns' is missing");
	refused(*state,
		"{\"session\":1,\"kind\":\"write\",\"key\":3,\"invoke_ns\":1,\"return_ns\":2,"
		"\"outcome\":\"ok\"}",
		": line 1: field 'value' is missing");
	refused(*state,
		"{\"session\":1,\"kind\":\"write\",\"key\":3,\"value\":0,\"invoke_ns\":1,"
		"\"return_ns\":2,\"outcome\":\"ok\"}",
		": line 1: operation 1 writes 0");
	refused(*state,
		"{\"session\":1,\"kind\":\"read\",\"key\":3,\"old\":4,\"invoke_ns\":1,"
		"\"return_ns\":2,\"outcome\":\"ok\"}",
		": line 1: a read has no 'old'");
	refused(*state,
		"{\"session\":1,\"kind\":\"write\",\"key\":3,\"value\":4,\"invoke_ns\":1,"
		"\"return_ns\":2,\"outcome\":\"unknown\"}",
		": line 1: the outcome is unknown, but there is a 'return_ns'");
	refused(*state,
		"{\"session\":1,\"kind\":\"read\",\"key\":3,\"invoke_ns\":5,\"return_ns\":2,"
		"\"outcome\":\"ok\"}",
		": line 1: operation 1 ends at 2 ns, before it began at 5 ns");
	refused(*state, READ_LINE "\n" READ_LINE "\n",
		": line 2: session 1 begins operation 2 at 100 ns");
}

static void jsonl__refuses_lines_without_an_end(void **state)
{
	char *text = malloc(10000);

	assert_non_null(text);
	memset(text, ' ', 10000);
	text[0] = '{';
	files_save(*state, text, 10000);
	files_refused(*state, ": line 1, column 10001: the file ends, '\"' was expected");
	memcpy(text, READ_LINE "\0\n", sizeof READ_LINE + 1);
	files_save(*state, text, sizeof READ_LINE + 1);
	files_refused(*state, "\\x00, the end of the line was expected");
	free(text);
}

static void jsonl__says_where_it_cannot_write(void **state)
{
	struct history_ops ops = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(history_write(&ops, "/nonexistent/out", HISTORY_JSONL, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/out"));
}

#define with_file(test) cmocka_unit_test_setup_teardown(test, files_setup, files_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_file(jsonl__reads_one_operation_a_line),
		with_file(jsonl__writes_what_it_reads),
		with_file(jsonl__repeated_values_are_allowed),
		with_file(jsonl__names_line_and_column_of_what_is_no_json),
		with_file(jsonl__refuses_fields_that_it_does_not_know),
		with_file(jsonl__refuses_numbers_that_are_not_plain),
		with_file(jsonl__refuses_operations_that_are_not_whole),
		with_file(jsonl__refuses_lines_without_an_end),
		with_file(jsonl__says_where_it_cannot_write),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
