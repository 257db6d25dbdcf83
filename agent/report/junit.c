/* SPDX-License-Identifier: MIT */
/*
 * junit.c - runs as JUnit XML, which services for continuous integration read
 *
 * A suite says how many of its tests failed before the first of them, so it is gone through twice:
 * to count, and to print.
 */
#include "agent/report/junit.h"

#include <string.h>

#include "agent/base/err.h"
#include "agent/report/look.h"
#include "agent/report/markup.h"
#include "agent/report/parts.h"

#define NAME_MAX_BYTES 160
#define MESSAGE_MAX_BYTES 2048
#define STAMP_MAX 32

enum outcome { PASSED, FAILED, ERROR, SKIPPED, OUTCOME_NR };

static const char *const outcome_elements[] = {
	[PASSED] = NULL, [FAILED] = "failure", [ERROR] = "error", [SKIPPED] = "skipped"};
_Static_assert(sizeof outcome_elements / sizeof *outcome_elements == OUTCOME_NR, "one name each");

struct printer {
	char class[NAME_MAX_BYTES]; /* of its tests */
	FILE *out;                  /* NULL: only count */
	const struct junit_suite *suite;
	unsigned count[OUTCOME_NR];
};

static void put_attribute(FILE *out, const char *name, const char *text)
{
	(void)fprintf(out, " %s=\"", name);
	markup_text(out, text, strlen(text));
	(void)fputc('"', out);
}

/* A model that was broken, with the operations that prove it. */
static void put_witness(FILE *out, const json_t *check)
{
	const char *model = look_text(check, "model");
	const char *witness = look_text(check, "witness");

	if (!witness[0])
		return;
	markup_text(out, model, strlen(model));
	(void)fputs(" is broken: ", out);
	markup_text(out, witness, strlen(witness));
	(void)fputc('\n', out);
}

/* All that the run proved, as the text of a failure. */
static void put_proof(FILE *out, const json_t *results)
{
	static const char *const checks[] = {
		"check", "check_claimed_whole", "check_claimed_cut", "check_claimed_end"};
	const json_t *expected = json_object_get(results, "check_expected");
	const char *lost = look_text(json_object_get(results, "lost_writes"), "first");
	const char *words = look_text(json_object_get(results, "verdict"), "words");

	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
		put_witness(out, json_object_get(results, checks[i]));
	for (size_t i = 0; i < json_array_size(expected); i++)
		put_witness(out, json_array_get(expected, i));
	markup_text(out, lost, strlen(lost));
	(void)fputs(lost[0] ? "\n" : "", out);
	markup_text(out, words, strlen(words));
	(void)fputc('\n', out);
}

static void put_case(
	struct printer *p, const char *name, double seconds, enum outcome outcome, const char *why)
{
	const char *element = outcome_elements[outcome];

	p->count[outcome]++;
	if (!p->out)
		return;
	(void)fputs("    <testcase", p->out);
	put_attribute(p->out, "classname", p->class);
	put_attribute(p->out, "name", name);
	(void)fprintf(p->out, " time=\"%.6f\"", seconds);
	if (!element) {
		(void)fputs("/>\n", p->out);
		return;
	}
	(void)fprintf(p->out, ">\n      <%s", element);
	put_attribute(p->out, "message", why);
	if (outcome != SKIPPED)
		put_attribute(p->out, "type", outcome == FAILED ? "violated" : "inconclusive");
	if (outcome == FAILED) {
		(void)fputc('>', p->out);
		put_proof(p->out, p->suite->results);
		(void)fprintf(p->out, "</%s>\n", element);
	} else {
		(void)fputs("/>\n", p->out);
	}
	(void)fputs("    </testcase>\n", p->out);
}

/* Of a model that was not kept. */
static const char *violation_of(const json_t *check)
{
	return strcmp(look_text(check, "result"), "violation") == 0 ? look_text(check, "witness")
								    : "";
}

/* What proves that the claim was broken: not each model that a history does not fit was claimed. */
static const char *claim_witness(const json_t *results)
{
	static const char *const claimed[] = {
		"check_claimed_whole", "check_claimed_cut", "check_claimed_end"};
	const json_t *check = json_object_get(results, "check");
	const char *words = look_text(json_object_get(results, "claim"), "words");
	char model[NAME_MAX_BYTES];

	for (size_t i = 0; i < sizeof claimed / sizeof *claimed; i++) {
		const char *witness = violation_of(json_object_get(results, claimed[i]));

		if (witness[0])
			return witness;
	}
	(void)snprintf(model, sizeof model, "claimed: %s", look_text(check, "model"));
	if (strstr(words, model) && violation_of(check)[0])
		return violation_of(check);
	return look_text(json_object_get(results, "lost_writes"), "first");
}

/* What the lab expected to be kept or broken; else what all labs are judged by. */
static const char *expect_witness(const json_t *results)
{
	const json_t *expected = json_object_get(results, "check_expected");

	for (size_t i = 0; i < json_array_size(expected); i++) {
		const char *witness = violation_of(json_array_get(expected, i));

		if (witness[0])
			return witness;
	}
	return violation_of(json_object_get(results, "check"));
}

/* A promise of the store or a wish of the lab: @judged is the member that says if it was kept. */
static void put_promise(
	struct printer *p, const char *name, const json_t *judged, const char *witness)
{
	const json_t *results = p->suite->results;
	const json_t *check = json_object_get(results, "check");
	json_int_t status = json_integer_value(json_object_get(results, "status"));
	bool kept = look_true(judged, "kept");
	char message[MESSAGE_MAX_BYTES] = "";
	double seconds = look_number(check, "seconds");

	words_add(message, sizeof message, "%s", look_text(judged, "words"));
	if (isnan(seconds))
		seconds = 0;
	if (status == EXIT_INCONCLUSIVE) {
		put_case(p, name, seconds, SKIPPED, look_text(results, "why"));
		return;
	}
	/* Something else was violated, and this not judged. */
	if (!kept && strncmp(message, "open: ", strlen("open: ")) == 0) {
		put_case(p, name, seconds, SKIPPED, message);
		return;
	}
	if (!kept && witness[0])
		words_add(message, sizeof message, "; witness: %s", witness);
	put_case(p, name, seconds, kept ? PASSED : FAILED, message);
}

/* How many of the faults before number @i are of the same kind, in the same phase and node. */
static unsigned same_before(const json_t *faults, size_t i)
{
	static const char *const keys[] = {"kind", "phase", "node"};
	const json_t *fault = json_array_get(faults, i);
	unsigned same = 0;

	for (size_t k = 0; k < i; k++) {
		const json_t *other = json_array_get(faults, k);
		bool is = true;

		for (size_t m = 0; m < sizeof keys / sizeof *keys; m++)
			is = is &&
			     strcmp(look_text(other, keys[m]), look_text(fault, keys[m])) == 0;
		same += is;
	}
	return same;
}

/* Of a simulated network there is no evidence to be had. */
static enum outcome outcome_of(const char *evidence)
{
	if (strcmp(evidence, "simulated") == 0)
		return SKIPPED;
	return strcmp(evidence, "confirmed") == 0 ? PASSED : ERROR;
}

/* The names stay as they are from run to run, so that a service can follow each test. */
static void put_evidence(struct printer *p)
{
	const json_t *faults = json_object_get(p->suite->results, "faults");

	for (size_t i = 0; i < json_array_size(faults); i++) {
		const json_t *fault = json_array_get(faults, i);
		const char *evidence = look_text(fault, "evidence");
		const char *node = look_text(fault, "node");
		unsigned same = same_before(faults, i);
		char message[MESSAGE_MAX_BYTES] = "";
		char name[NAME_MAX_BYTES] = "";

		words_add(name, sizeof name, "evidence: %s%s%s in %s", look_text(fault, "kind"),
			node[0] ? " of " : "", node, look_text(fault, "phase"));
		if (same)
			words_add(name, sizeof name, ", number %u", same + 1);
		words_add(message, sizeof message, "%s: %s", evidence, look_text(fault, "why"));
		put_case(p, name, 0, outcome_of(evidence), message);
	}
}

static void put_cases(struct printer *p)
{
	const json_t *results = p->suite->results;
	const json_t *expect = json_object_get(results, "expect");

	if (!results) {
		put_case(p, "run", 0, ERROR, p->suite->why);
		return;
	}
	put_promise(p, "claim", json_object_get(results, "claim"), claim_witness(results));
	if (look_text(expect, "words")[0])
		put_promise(p, "expectation", expect, expect_witness(results));
	put_case(p, "conclusive", 0,
		json_integer_value(json_object_get(results, "status")) == EXIT_INCONCLUSIVE
			? ERROR
			: PASSED,
		look_text(results, "why"));
	put_case(p, "not tainted", 0, look_true(results, "tainted") ? ERROR : PASSED,
		look_text(results, "taint"));
	put_evidence(p);
}

static double suite_seconds(const json_t *results)
{
	const json_t *phases = json_object_get(results, "phases");
	double sum = 0;

	for (size_t i = 0; i < json_array_size(phases); i++) {
		double seconds = look_number(json_array_get(phases, i), "seconds");

		sum += isnan(seconds) ? 0 : seconds;
	}
	return sum;
}

/* What ran where, for whoever wants the same run again. */
static void put_properties(const json_t *results, FILE *out)
{
	static const char *const keys[] = {"emulator", "kernel"};

	(void)fputs("    <properties>\n", out);
	(void)fprintf(out, "      <property name=\"seed\" value=\"%llu\"/>\n",
		(unsigned long long)look_count(results, "seed"));
	(void)fputs("      <property name=\"verdict\"", out);
	put_attribute(out, "value", look_text(json_object_get(results, "verdict"), "pacelc"));
	(void)fputs("/>\n", out);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		(void)fprintf(out, "      <property name=\"%s\"", keys[i]);
		put_attribute(out, "value", look_text(results, keys[i]));
		(void)fputs("/>\n", out);
	}
	(void)fputs("    </properties>\n", out);
}

static void put_counts(const struct printer *p, FILE *out)
{
	(void)fprintf(out, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\"",
		p->count[PASSED] + p->count[FAILED] + p->count[ERROR] + p->count[SKIPPED],
		p->count[FAILED], p->count[ERROR], p->count[SKIPPED]);
}

static void put_suite(const struct junit_suite *suite, const char *host, const char *stamp,
	unsigned id, FILE *out)
{
	struct printer counter = {.suite = suite};
	struct printer printer = {.out = out, .suite = suite};
	char name[NAME_MAX_BYTES];

	(void)snprintf(name, sizeof name, "%s on %s", suite->lab, suite->store);
	(void)snprintf(
		printer.class, sizeof printer.class, "pacelab.%s.%s", suite->lab, suite->store);
	if (look_simulated(suite->results)) {
		words_add(name, sizeof name, ", simulated");
		words_add(printer.class, sizeof printer.class, ".simulated");
	}
	if (suite->several) {
		unsigned long long seed = look_count(suite->results, "seed");

		words_add(name, sizeof name, ", seed %llu", seed);
		words_add(printer.class, sizeof printer.class, ".seed-%llu", seed);
	}
	put_cases(&counter);
	(void)fprintf(out, "  <testsuite id=\"%u\" package=\"pacelab\"", id);
	put_attribute(out, "name", name);
	put_counts(&counter, out);
	(void)fprintf(out, " time=\"%.3f\"", suite_seconds(suite->results));
	put_attribute(out, "timestamp", stamp);
	put_attribute(out, "hostname", host);
	(void)fputs(">\n", out);
	put_properties(suite->results, out);
	put_cases(&printer);
	(void)fputs("    <system-out>", out);
	put_proof(out, suite->results);
	(void)fputs("</system-out>\n    <system-err></system-err>\n  </testsuite>\n", out);
}

void junit_print(
	const struct junit_suite *suite, unsigned n, const char *host, time_t when, FILE *out)
{
	char stamp[STAMP_MAX];
	struct tm tm;

	/* Without a zone, which the usual schemas do not allow: it is UTC. */
	if (!gmtime_r(&when, &tm) || !strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm))
		(void)snprintf(stamp, sizeof stamp, "1970-01-01T00:00:00");
	(void)fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", out);
	for (unsigned i = 0; i < n; i++)
		put_suite(&suite[i], host, stamp, i, out);
	(void)fputs("</testsuites>\n", out);
}
