/* SPDX-License-Identifier: MIT */
/* results_json_test.c - results.json is JSON, and says what it is meant to say */
#include <ctype.h>
#include <math.h>

#include "tests/unit/make_run.h"

/* A reader of JSON that is strict (RFC 8259) and keeps nothing; NULL where the text is wrong. */
static const char *skip_value(const char *p);

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

static const char *skip_string(const char *p)
{
	for (p++; *p != '"'; p++) {
		if ((unsigned char)*p < 0x20)
			return NULL;
		if (*p == '\\' && !*++p)
			return NULL;
	}
	return p + 1;
}

/* The rest of an array or object after its first bracket. */
static const char *skip_members(const char *p, char end)
{
	p = skip_space(p);
	if (*p == end)
		return p + 1;
	for (;;) {
		if (end == '}') {
			p = *p == '"' ? skip_string(p) : NULL;
			p = p ? skip_space(p) : NULL;
			if (!p || *p++ != ':')
				return NULL;
		}
		p = skip_value(p);
		if (!p)
			return NULL;
		p = skip_space(p);
		if (*p == end)
			return p + 1;
		if (*p++ != ',')
			return NULL;
		p = skip_space(p);
	}
}

static const char *skip_value(const char *p)
{
	static const char *const words[] = {"true", "false", "null"};
	char *end;

	p = skip_space(p);
	if (*p == '{' || *p == '[')
		return skip_members(p + 1, *p == '{' ? '}' : ']');
	if (*p == '"')
		return skip_string(p);
	for (unsigned i = 0; i < 3; i++)
		if (strncmp(p, words[i], strlen(words[i])) == 0)
			return p + strlen(words[i]);
	if (*p != '-' && !isdigit((unsigned char)*p))
		return NULL;
	(void)strtod(p, &end);
	return end > p ? end : NULL;
}

static char *print(struct make_run *m)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	const char *end;

	assert_non_null(out);
	make_measure(m);
	verdict(&m->results);
	results_json_print(&m->results, out);
	assert_int_equal(fclose(out), 0);
	end = skip_value(text);
	if (!end || *skip_space(end))
		fail_msg("no JSON:\n%s", text);
	return text;
}

/* The value of the member @path, "a.b", of the object at @p; arrays are entered at their first. */
static const char *find(const char *p, const char *path)
{
	size_t len = strcspn(path, ".");

	p = skip_space(p);
	while (*p == '[')
		p = skip_space(p + 1);
	if (*p != '{')
		return NULL;
	for (p = skip_space(p + 1); *p == '"'; p = skip_space(p + 1)) {
		const char *key = p + 1;
		const char *value;

		p = skip_space(skip_string(p));
		value = skip_space(p + 1);
		if (strncmp(key, path, len) == 0 && key[len] == '"')
			return path[len] ? find(value, path + len + 1) : value;
		p = skip_space(skip_value(value));
		if (*p != ',')
			break;
	}
	return NULL;
}

static void assert_value(const char *text, const char *path, const char *want)
{
	const char *is = find(text, path);

	if (!is || strncmp(is, want, strlen(want)) != 0)
		fail_msg("%s is not %s but %.40s", path, want, is ? is : "missing");
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

static void results_json__has_every_documented_member(void **state)
{
	static const char *const paths[] = {"version", "lab", "store", "seed", "emulator", "kernel",
		"nodes.name", "nodes.role", "nodes.site", "matrix.delay_ms", "phases.name",
		"phases.seconds", "phases.ok", "phases.failed", "phases.unknown",
		"phases.latency.read.p50_ms", "phases.latency.read.p90_ms",
		"phases.latency.read.p99_ms", "phases.latency.read.max_ms",
		"phases.latency.write.floor_ms", "phases.sides.name", "phases.sides.nodes",
		"phases.sides.attempts", "phases.sides.ok", "faults.kind", "faults.links",
		"faults.t_request_ns", "faults.t_first_ns", "faults.t_last_ns", "faults.evidence",
		"faults.packets_crossed", "faults.rtt_ms_configured", "faults.rtt_ms_measured",
		"check.model", "check.result", "check.operations", "check.keys", "check.seconds",
		"check.witness", "lost_writes.acknowledged", "lost_writes.lost",
		"recovery.unavailable_s", "recovery.recovered_s", "recovery.converged_s",
		"verdict.cap", "verdict.pacelc", "verdict.words", "round_trips.read.b",
		"round_trips.write.theory", "claim.kept", "expect.kept", "tainted",
		"quality.late_p50_ms", "quality.late_p99_ms", "status", "why"};
	struct make_run *m = cut_run();
	char *text = print(m);

	(void)state;
	for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
		if (!find(text, paths[i]))
			fail_msg("no %s in\n%s", paths[i], text);
	free(text);
	make_run_close(m);
}

static void results_json__has_the_numbers_of_the_run(void **state)
{
	struct make_run *m = cut_run();
	char *text = print(m);

	(void)state;
	assert_value(text, "lab", "\"cap\"");
	assert_value(text, "store", "\"single\"");
	assert_value(text, "phases.ok", "40,");
	assert_value(text, "phases.latency.write.p50_ms", "5,");
	assert_value(text, "faults.kind", "\"cut\"");
	assert_value(text, "faults.t_last_ns", "1001000000,");
	assert_value(text, "faults.evidence", "\"confirmed\"");
	assert_value(text, "check.result", "\"ok\"");
	assert_value(text, "verdict.cap", "\"PC\"");
	free(text);
	make_run_close(m);
}

static void results_json__writes_null_for_what_does_not_apply(void **state)
{
	struct make_run *m = make_run_open("single");
	char *text;

	(void)state;
	make_phase(m, "baseline", 1000);
	text = print(m);
	assert_value(text, "phases.latency.read.p50_ms", "null");
	assert_value(text, "recovery.unavailable_s", "null");
	assert_value(text, "round_trips.read.b", "null");
	assert_value(text, "check.witness", "null");
	assert_value(text, "quality.late_p99_ms", "null");
	assert_value(text, "faults", "[]");
	free(text);
	make_run_close(m);
}

static void results_json__escapes_what_people_write(void **state)
{
	struct make_run *m = make_run_open("single");
	char *text;

	(void)state;
	make_phase(m, "a \"b\" \\ \n\t", 1000);
	text = print(m);
	assert_value(text, "phases.name", "\"a \\\"b\\\" \\\\");
	free(text);
	make_run_close(m);
}

static void results_json__does_not_confirm_what_was_not_judged(void **state)
{
	struct make_run *m = cut_run();
	char *text;

	(void)state;
	m->log.fault[0].judged = false;
	text = print(m);
	assert_value(text, "faults.evidence", "\"inconclusive\"");
	assert_value(text, "status", "2,");
	free(text);
	make_run_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_json__has_every_documented_member),
		cmocka_unit_test(results_json__has_the_numbers_of_the_run),
		cmocka_unit_test(results_json__writes_null_for_what_does_not_apply),
		cmocka_unit_test(results_json__escapes_what_people_write),
		cmocka_unit_test(results_json__does_not_confirm_what_was_not_judged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
