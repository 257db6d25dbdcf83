/* SPDX-License-Identifier: MIT */
/* ci_test.c - runs as JUnit XML and as Markdown: every outcome, and text that wants to be markup */
#include <jansson.h>

#include "agent/report/junit.h"
#include "agent/report/markdown.h"
#include "tests/unit/make_run.h"

#define WHEN 1700000000 /* 2023-11-14 22:13:20 UTC */

/* Forty writes each: before a cut, and during it on both sides, of which far's are refused. */
static struct make_run *cut_run(const char *store)
{
	struct make_run *m = make_run_open(store);

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

/* The run's results.json, to be changed by a test. */
static json_t *results_of(struct make_run *m)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	json_t *results;

	assert_non_null(out);
	make_measure(m);
	verdict(&m->results);
	results_json_print(&m->results, out);
	assert_int_equal(fclose(out), 0);
	results = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(results);
	free(text);
	make_run_close(m);
	return results;
}

static char *junit_of(const struct junit_suite *suite, unsigned n)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	junit_print(suite, n, "host", WHEN, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* Of one run; @results is dropped. */
static char *junit_run(json_t *results)
{
	const struct junit_suite suite = {.lab = "cap", .store = "single", .results = results};
	char *text = junit_of(&suite, 1);

	json_decref(results);
	return text;
}

static char *markdown_of(json_t *results)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	markdown_run(results, out);
	assert_int_equal(fclose(out), 0);
	json_decref(results);
	return text;
}

/* @text has @want; both are dropped, or told. */
static void assert_has(const char *text, const char *want)
{
	if (!strstr(text, want))
		fail_msg("no \"%s\" in\n%s", want, text);
}

static void set(json_t *object, const char *key, json_t *value)
{
	assert_int_equal(json_object_set_new(object, key, value), 0);
}

static void junit__passes_what_was_kept(void **state)
{
	char *text = junit_run(results_of(cut_run("single")));

	(void)state;
	assert_has(text, " tests=\"5\" failures=\"0\" errors=\"0\" skipped=\"0\"");
	assert_has(text, "timestamp=\"2023-11-14T22:13:20\" hostname=\"host\"");
	assert_has(text, "name=\"claim\"");
	assert_has(text, "name=\"evidence: cut in partition\" time=\"0.000000\"/>");
	assert_null(strstr(text, "<failure"));
	free(text);
}

static void junit__fails_with_the_witness(void **state)
{
	json_t *results = results_of(cut_run("single"));
	json_t *claim = json_object_get(results, "claim");
	char *text;

	(void)state;
	set(results, "status", json_integer(EXIT_VIOLATED));
	set(claim, "kept", json_false());
	set(claim, "words", json_sprintf("broken: it is not; claimed: linearizable"));
	set(json_object_get(results, "check"), "result", json_sprintf("violation"));
	set(json_object_get(results, "check"), "witness", json_sprintf("n5 answered <7> & \"8\""));
	text = junit_run(results);
	assert_has(text, " failures=\"1\" errors=\"0\" skipped=\"0\"");
	assert_has(text,
		"<failure message=\"broken: it is not; claimed: linearizable; witness: n5 answered &lt;7&gt; "
		"&amp; &quot;8&quot;\" type=\"violated\">linearizable is broken: n5 ");
	free(text);
}

/* The witness against a model that nobody claimed proves nothing against the store. */
static void junit__takes_the_witness_of_what_was_claimed(void **state)
{
	json_t *results = results_of(cut_run("single"));
	json_t *claim = json_object_get(results, "claim");
	json_t *check = json_object_get(results, "check");
	char *text;

	(void)state;
	set(results, "status", json_integer(EXIT_VIOLATED));
	set(claim, "kept", json_false());
	set(claim, "words", json_sprintf("broken: so it is; claimed: causal-ccv"));
	set(check, "result", json_sprintf("violation"));
	set(check, "witness", json_sprintf("no order"));
	set(json_object_get(results, "lost_writes"), "first", json_sprintf("lost 7"));
	text = junit_run(json_deep_copy(results));
	assert_has(text, "claimed: causal-ccv; witness: lost 7\"");
	free(text);
	check = json_deep_copy(check);
	set(check, "witness", json_sprintf("a cycle"));
	set(results, "check_claimed_cut", check);
	text = junit_run(results);
	assert_has(text, "claimed: causal-ccv; witness: a cycle\"");
	free(text);
}

static void junit__skips_what_could_not_be_judged(void **state)
{
	json_t *results = results_of(cut_run("single"));
	char *text;

	(void)state;
	set(results, "status", json_integer(EXIT_INCONCLUSIVE));
	set(results, "why", json_sprintf("inconclusive: too slow"));
	set(results, "tainted", json_true());
	set(results, "taint", json_sprintf("too slow"));
	text = junit_run(results);
	assert_has(text, " failures=\"0\" errors=\"2\" skipped=\"1\"");
	assert_has(text, "<skipped message=\"inconclusive: too slow\"/>");
	assert_has(text, "<error message=\"too slow\" type=\"inconclusive\"/>");
	free(text);
}

static void junit__has_an_error_for_each_fault_that_was_not_confirmed(void **state)
{
	json_t *results = results_of(cut_run("single"));
	json_t *faults = json_object_get(results, "faults");
	json_t *again = json_deep_copy(json_array_get(faults, 0));
	char *text;

	(void)state;
	set(again, "evidence", json_sprintf("mismatch"));
	set(again, "why", json_sprintf("3 packets crossed"));
	assert_int_equal(json_array_append_new(faults, again), 0);
	text = junit_run(results);
	assert_has(text, " errors=\"1\" ");
	assert_has(text, "name=\"evidence: cut in partition, number 2\"");
	assert_has(text, "<error message=\"mismatch: 3 packets crossed\"");
	free(text);
}

static void junit__has_an_error_for_a_run_without_results(void **state)
{
	const struct junit_suite suite[] = {{.lab = "cap", .store = "raft", .why = "it <broke>"},
		{.lab = "cap", .store = "single", .why = "it said nothing"}};
	char *text = junit_of(suite, 2);

	(void)state;
	assert_has(text, "<testsuite id=\"1\" package=\"pacelab\" name=\"cap on single\" "
			 "tests=\"1\" failures=\"0\" errors=\"1\"");
	assert_has(text, "<error message=\"it &lt;broke&gt;\"");
	free(text);
}

/* What was simulated never looks like a measurement. */
static void both__say_that_a_run_was_simulated(void **state)
{
	json_t *results = results_of(cut_run("single"));
	json_t *fault = json_array_get(json_object_get(results, "faults"), 0);
	char *text;

	(void)state;
	set(results, "simulation", json_loads("{}", 0, NULL));
	set(fault, "evidence", json_sprintf("simulated"));
	text = markdown_of(json_incref(results));
	assert_has(text, "\n**Simulated, no packet was sent: ");
	free(text);
	text = junit_run(results);
	assert_has(text, " name=\"cap on single, simulated\" ");
	assert_has(text, " errors=\"0\" skipped=\"1\"");
	free(text);
}

/* A service follows each test by its name. */
static void junit__tells_runs_of_one_store_apart(void **state)
{
	json_t *results = results_of(cut_run("single"));
	const struct junit_suite suite = {
		.lab = "cap", .store = "single", .several = true, .results = results};
	char *text = junit_of(&suite, 1);

	(void)state;
	assert_has(text, " name=\"cap on single, seed 7\"");
	assert_has(text, "classname=\"pacelab.cap.single.seed-7\" name=\"claim\"");
	free(text);
	json_decref(results);
}

/* Anything may be in a file. */
static void both__print_a_file_of_any_shape(void **state)
{
	static const char *const texts[] = {"{}", "{\"phases\": 7, \"faults\": [1, null, []]}",
		"{\"check\": [], \"verdict\": \"x\", \"status\": \"2\"}",
		"{\"phases\": [{\"cut\": true, \"sides\": [{\"ok\": -1}], \"seconds\": \"x\"}]}",
		"{\"round_trips\": {\"read\": {\"b\": 1}}, \"lost_writes\": {\"first\": 3}}"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char *text = junit_run(json_loads(texts[i], 0, NULL));

		assert_has(text, "</testsuites>");
		free(text);
		text = markdown_of(json_loads(texts[i], 0, NULL));
		assert_has(text, "### ");
		free(text);
	}
}

static void markdown__has_verdict_phases_sides_and_evidence(void **state)
{
	char *text = markdown_of(results_of(cut_run("single")));

	(void)state;
	assert_has(text, "### cap on single: PC/E");
	assert_has(text, "- claim: kept: ");
	assert_has(text, "\n| baseline | 1.0 | 40 | 0 | 0 |");
	assert_has(text, "\n| partition | far | 1 | 40 | 0.0 % |\n");
	assert_has(text, "\n| partition | cut | ");
	assert_has(text, " | confirmed | ");
	free(text);
}

static void markdown__escapes_what_people_write(void **state)
{
	json_t *results = results_of(cut_run("single"));
	char *text;

	(void)state;
	set(json_array_get(json_object_get(results, "phases"), 0), "name",
		json_sprintf("a|b<script>\n_c_"));
	set(json_object_get(results, "check"), "witness", json_sprintf("n1 ```` answered"));
	text = markdown_of(results);
	assert_has(text, "\n| a\\|b\\<script\\> \\_c\\_ | ");
	assert_has(text, "\n`````text\nn1 ```` answered\n`````\n");
	free(text);
}

/* A summary has limited room: what went wrong comes first. */
static void markdown__shows_of_many_faults_those_that_were_not_confirmed(void **state)
{
	json_t *results = results_of(cut_run("single"));
	json_t *faults = json_object_get(results, "faults");
	json_t *last = json_deep_copy(json_array_get(faults, 0));
	char *text;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(json_array_append(faults, json_array_get(faults, 0)), 0);
	set(last, "why", json_sprintf("7 packets crossed"));
	set(last, "evidence", json_sprintf("mismatch"));
	assert_int_equal(json_array_append_new(faults, last), 0);
	text = markdown_of(results);
	assert_has(text, " | mismatch | 7 packets crossed |");
	assert_has(text, " more are in results.json");
	assert_true(strlen(text) < 16384);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(junit__passes_what_was_kept),
		cmocka_unit_test(junit__fails_with_the_witness),
		cmocka_unit_test(junit__takes_the_witness_of_what_was_claimed),
		cmocka_unit_test(junit__skips_what_could_not_be_judged),
		cmocka_unit_test(junit__has_an_error_for_each_fault_that_was_not_confirmed),
		cmocka_unit_test(junit__has_an_error_for_a_run_without_results),
		cmocka_unit_test(junit__tells_runs_of_one_store_apart),
		cmocka_unit_test(both__say_that_a_run_was_simulated),
		cmocka_unit_test(both__print_a_file_of_any_shape),
		cmocka_unit_test(markdown__has_verdict_phases_sides_and_evidence),
		cmocka_unit_test(markdown__escapes_what_people_write),
		cmocka_unit_test(markdown__shows_of_many_faults_those_that_were_not_confirmed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
