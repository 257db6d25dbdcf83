/* SPDX-License-Identifier: MIT */
/* results_json_test.c - results.json is JSON, and says what it is meant to say */
#include <jansson.h>

#include "tests/unit/make_run.h"

/* From the top of the repository, where tests are run. */
#define SCHEMA "agent/report/results.schema.json"

/* The run's results as they are read by others. */
static json_t *print(struct make_run *m)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	json_error_t why;
	json_t *results;

	assert_non_null(out);
	make_measure(m);
	verdict(&m->results);
	results_json_print(&m->results, out);
	assert_int_equal(fclose(out), 0);
	results = json_loads(text, JSON_REJECT_DUPLICATES, &why);
	if (!results)
		fail_msg("%d:%d %s\n%s", why.line, why.column, why.text, text);
	free(text);
	return results;
}

/* The value of the member @path, "a.b"; arrays are entered at their first. NULL: none. */
static const json_t *find(const json_t *in, const char *path)
{
	char copy[64];
	char *at = copy;
	char *key;

	(void)snprintf(copy, sizeof copy, "%s", path);
	while (in && (key = strsep(&at, "."))) {
		while (json_is_array(in))
			in = json_array_get(in, 0);
		in = json_object_get(in, key);
	}
	return in;
}

/* @want: as JSON has it. */
static void assert_value(const json_t *results, const char *path, const char *want)
{
	const json_t *is = find(results, path);
	char *text = is ? json_dumps(is, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6)) : NULL;

	if (!text || strcmp(text, want) != 0)
		fail_msg("%s is not %s but %s", path, want, text ? text : "missing");
	free(text);
}

static struct make_run *cut_run(void)
{
	struct make_run *m = make_run_open("single");

	make_phase(m, "baseline", 1000);
	make_cut_phase(m, 1000);
	make_heal_phase(m, 1000);
	for (unsigned i = 0; i < 40; i++) {
		make_write(m, MAKE_EAST, i * 20, i * 20 + 5);
		make_write(m, MAKE_EAST, 1010 + i * 20, 1015 + i * 20);
		make_refused(make_write(m, MAKE_FAR, 1010 + i * 20, 1015 + i * 20));
	}
	return m;
}

/* What @schema says of a value, by way of its "$ref" or the first of its "oneOf". */
static const json_t *said_of(const json_t *top, const json_t *schema)
{
	const char *ref;

	if (json_object_get(schema, "oneOf"))
		schema = json_array_get(json_object_get(schema, "oneOf"), 0);
	ref = json_string_value(json_object_get(schema, "$ref"));
	if (!ref)
		return schema;
	return json_object_get(json_object_get(top, "$defs"), ref + strlen("#/$defs/"));
}

/* Every member of @value is in the schema, and what the schema requires is there. */
static void assert_said(const json_t *top, const json_t *schema, const json_t *value)
{
	const json_t *is = said_of(top, schema);
	const json_t *required = json_object_get(is, "required");
	json_t *item;
	const char *key;

	for (size_t i = 0; i < json_array_size(value); i++)
		assert_said(top, json_object_get(is, "items"), json_array_get(value, i));
	if (!json_is_object(value))
		return;
	json_object_foreach((json_t *)value, key, item)
	{
		const json_t *member = json_object_get(json_object_get(is, "properties"), key);

		if (!member)
			fail_msg("'%s' is not in " SCHEMA, key);
		assert_said(top, member, item);
	}
	for (size_t i = 0; i < json_array_size(required); i++) {
		key = json_string_value(json_array_get(required, i));
		if (!json_object_get(value, key))
			fail_msg("'%s' of " SCHEMA " is missing", key);
	}
}

static void results_json__has_the_members_of_its_schema(void **state)
{
	struct make_run *m = cut_run();
	json_t *results;
	json_error_t why;
	json_t *schema = json_load_file(SCHEMA, JSON_REJECT_DUPLICATES, &why);

	(void)state;
	if (!schema)
		fail_msg(SCHEMA ":%d: %s", why.line, why.text);
	m->plan.all_models = true;
	results = print(m);
	assert_said(schema, schema, results);
	json_decref(schema);
	json_decref(results);
	make_run_close(m);
}

static void results_json__has_the_numbers_of_the_run(void **state)
{
	struct make_run *m = cut_run();
	json_t *results = print(m);

	(void)state;
	assert_value(results, "lab", "\"cap\"");
	assert_value(results, "store", "\"single\"");
	assert_value(results, "phases.ok", "40");
	assert_value(results, "phases.latency.write.p50_ms", "5");
	assert_value(results, "faults.kind", "\"cut\"");
	assert_value(results, "faults.t_last_ns", "1001000000");
	assert_value(results, "faults.evidence", "\"confirmed\"");
	assert_value(results, "check.result", "\"ok\"");
	assert_value(results, "verdict.cap", "\"PC\"");
	json_decref(results);
	make_run_close(m);
}

static void results_json__writes_null_for_what_does_not_apply(void **state)
{
	struct make_run *m = make_run_open("single");
	json_t *results;

	(void)state;
	make_phase(m, "baseline", 1000);
	results = print(m);
	assert_value(results, "phases.latency.read.p50_ms", "null");
	assert_value(results, "recovery.unavailable_s", "null");
	assert_value(results, "round_trips.read.b", "null");
	assert_value(results, "check.witness", "null");
	assert_value(results, "quality.late_p99_ms", "null");
	assert_value(results, "faults", "[]");
	json_decref(results);
	make_run_close(m);
}

static void results_json__escapes_what_people_write(void **state)
{
	struct make_run *m = make_run_open("single");
	json_t *results;

	(void)state;
	make_phase(m, "a \"b\" \\ \n\t", 1000);
	results = print(m);
	assert_value(results, "phases.name", "\"a \\\"b\\\" \\\\ \\n\\t\"");
	json_decref(results);
	make_run_close(m);
}

static void results_json__does_not_confirm_what_was_not_judged(void **state)
{
	struct make_run *m = cut_run();
	json_t *results;

	(void)state;
	m->log.fault[0].judged = false;
	results = print(m);
	assert_value(results, "faults.evidence", "\"inconclusive\"");
	assert_value(results, "status", "2");
	json_decref(results);
	make_run_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_json__has_the_members_of_its_schema),
		cmocka_unit_test(results_json__has_the_numbers_of_the_run),
		cmocka_unit_test(results_json__writes_null_for_what_does_not_apply),
		cmocka_unit_test(results_json__escapes_what_people_write),
		cmocka_unit_test(results_json__does_not_confirm_what_was_not_judged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
