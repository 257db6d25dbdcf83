/* SPDX-License-Identifier: MIT */
/*
 * markdown.c - a run or a comparison as GitHub's Markdown, for the summary of a job
 *
 * Names and words may come from a lab's script or from a database, so nothing in them is markup:
 * they are escaped, or stand in a block of code whose fence is longer than any that they have.
 */
#include "agent/report/markdown.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/report/look.h"
#include "agent/report/parts.h"

/* A summary has room for 1 MiB, and a reader for less: of the faults that were confirmed not all
 * get a line. */
#define FAULTS_SHOWN_MAX 64
#define FENCE_MIN 3
#define CELL_MAX 64

static void put_text(FILE *out, const char *text)
{
	for (const char *c = text; *c; c++) {
		if (strchr("\\`*_[]<>|~&$#", *c))
			(void)fputc('\\', out);
		(void)fputc((unsigned char)*c < ' ' ? ' ' : *c, out);
	}
}

static void put_cell(FILE *out, const char *text)
{
	(void)fputs("| ", out);
	put_text(out, text);
	(void)fputc(' ', out);
}

static void put_count(FILE *out, const json_t *object, const char *key)
{
	char cell[CELL_MAX];

	put_cell(out, units_print_count(look_count(object, key), cell, sizeof cell));
}

/* Three digits that mean something. */
static void put_ms(FILE *out, double ms)
{
	char cell[CELL_MAX] = "";

	if (!isnan(ms))
		(void)snprintf(cell, sizeof cell, "%.*f", ms < 10 ? 2 : ms < 1000 ? 1 : 0, ms);
	put_cell(out, cell);
}

static size_t longest_ticks(const char *text)
{
	size_t longest = 0;

	for (const char *c = text; *c; c++) {
		size_t n = strspn(c, "`");

		longest = n > longest ? n : longest;
	}
	return longest;
}

/* As it is, in a block of code. */
static void put_code(FILE *out, const char *text)
{
	size_t fence = longest_ticks(text) + 1;

	fence = fence < FENCE_MIN ? FENCE_MIN : fence;
	for (size_t i = 0; i < fence; i++)
		(void)fputc('`', out);
	(void)fprintf(out, "text\n%s\n", text);
	for (size_t i = 0; i < fence; i++)
		(void)fputc('`', out);
	(void)fputs("\n\n", out);
}

static void put_latency(FILE *out, const json_t *latency)
{
	static const char *const keys[] = {"p50_ms", "p99_ms", "floor_ms"};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		put_ms(out, look_number(latency, keys[i]));
}

static void put_phases(FILE *out, const json_t *phases)
{
	(void)fputs("| phase | s | ok | failed | unknown | read p50, ms | p99 | floor "
		    "| write p50, ms | p99 | floor |\n"
		    "|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
		out);
	for (size_t i = 0; i < json_array_size(phases); i++) {
		const json_t *phase = json_array_get(phases, i);
		const json_t *latency = json_object_get(phase, "latency");
		char cell[CELL_MAX];

		put_cell(out, look_text(phase, "name"));
		(void)snprintf(cell, sizeof cell, "%.1f", look_number(phase, "seconds"));
		put_cell(out, cell);
		put_count(out, phase, "ok");
		put_count(out, phase, "failed");
		put_count(out, phase, "unknown");
		put_latency(out, json_object_get(latency, "read"));
		put_latency(out, json_object_get(latency, "write"));
		(void)fputs("|\n", out);
	}
	(void)fputc('\n', out);
}

static void put_share(FILE *out, double share)
{
	char cell[CELL_MAX] = "";

	if (!isnan(share))
		(void)snprintf(cell, sizeof cell, "%.1f %%", 100 * share);
	put_cell(out, cell);
}

static void put_side(FILE *out, const json_t *phase, const json_t *side)
{
	uint64_t asked = look_count(side, "attempts") + look_count(side, "hung");
	char cell[CELL_MAX];

	put_cell(out, look_text(phase, "name"));
	put_cell(out, look_text(side, "name"));
	put_count(out, side, "replicas");
	put_cell(out, units_print_count(asked, cell, sizeof cell));
	put_share(out, asked ? (double)look_count(side, "ok") / (double)asked : NAN);
	(void)fputs("|\n", out);
}

static void put_sides(FILE *out, const json_t *phases)
{
	bool begun = false;

	for (size_t i = 0; i < json_array_size(phases); i++) {
		const json_t *phase = json_array_get(phases, i);
		const json_t *sides = json_object_get(phase, "sides");

		for (size_t k = 0; look_true(phase, "cut") && k < json_array_size(sides); k++) {
			if (!begun)
				(void)fputs("| cut | side | replicas | requests | answered |\n"
					    "|:--|:--|--:|--:|--:|\n",
					out);
			begun = true;
			put_side(out, phase, json_array_get(sides, k));
		}
	}
	(void)fputs(begun ? "\n" : "", out);
}

static void put_fault(FILE *out, const json_t *fault)
{
	char what[CELL_MAX] = "";
	const char *node = look_text(fault, "node");

	if (node[0])
		(void)snprintf(what, sizeof what, "%s", node);
	else
		(void)snprintf(what, sizeof what, "%" PRIu64 " links%s%s",
			look_count(fault, "links"), look_text(fault, "cut")[0] ? ", " : "",
			look_text(fault, "cut"));
	put_cell(out, look_text(fault, "phase"));
	put_cell(out, look_text(fault, "kind"));
	put_cell(out, what);
	put_cell(out, look_text(fault, "evidence"));
	put_cell(out, look_text(fault, "why"));
	(void)fputs("|\n", out);
}

/* What was not confirmed always has its line, as far as there is room. */
static void put_faults(FILE *out, const json_t *faults)
{
	size_t n = json_array_size(faults);
	unsigned shown = 0;

	if (n == 0)
		return;
	(void)fputs("| phase | fault | of | evidence | seen |\n|:--|:--|:--|:--|:--|\n", out);
	for (unsigned confirmed = 0; confirmed < 2; confirmed++) {
		for (size_t i = 0; i < n && shown < FAULTS_SHOWN_MAX; i++) {
			const json_t *fault = json_array_get(faults, i);
			bool is = strcmp(look_text(fault, "evidence"), "confirmed") == 0;

			if (is != (confirmed == 1))
				continue;
			put_fault(out, fault);
			shown++;
		}
	}
	(void)fputc('\n', out);
	if (n > shown)
		(void)fprintf(out, "%zu more are in results.json.\n\n", n - shown);
}

static void put_witness(FILE *out, const char *when, const json_t *check)
{
	const char *witness = look_text(check, "witness");

	if (!witness[0])
		return;
	(void)fputs("Not ", out);
	put_text(out, look_text(check, "model"));
	(void)fprintf(out, "%s:\n\n", when);
	put_code(out, witness);
}

static void put_witnesses(FILE *out, const json_t *results)
{
	static const char *const checks[][2] = {{"check", ""},
		{"check_whole", ", already before the first cut"},
		{"check_claimed_whole", " before the first cut, as it claims to be"},
		{"check_claimed_cut", ", as it claims to be"},
		{"check_claimed_end", " in the end"}};
	const json_t *expected = json_object_get(results, "check_expected");
	const char *lost = look_text(json_object_get(results, "lost_writes"), "first");

	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
		put_witness(out, checks[i][1], json_object_get(results, checks[i][0]));
	for (size_t i = 0; i < json_array_size(expected); i++)
		put_witness(out, "", json_array_get(expected, i));
	if (lost[0]) {
		(void)fputs("Lost:\n\n", out);
		put_code(out, lost);
	}
}

static void put_item(FILE *out, const char *label, const char *words)
{
	if (!words[0])
		return;
	(void)fprintf(out, "- %s: ", label);
	put_text(out, words);
	(void)fputc('\n', out);
}

/* Round trips of one kind; a slope a little below zero is noise about none. */
static void add_fit(char *text, size_t size, const json_t *trips, const char *kind)
{
	const json_t *fit = json_object_get(trips, kind);
	double b = look_number(fit, "b");

	if (isnan(b))
		return;
	words_add(text, size, "%s%s %.2f (%.2f to %.2f), theory %.2f", text[0] ? "; " : "", kind,
		fmax(0, b), fmax(0, look_number(fit, "b_low")), fmax(0, look_number(fit, "b_high")),
		look_number(fit, "theory"));
}

static void put_findings(FILE *out, const json_t *results)
{
	const json_t *lost = json_object_get(results, "lost_writes");
	const json_t *trips = json_object_get(results, "round_trips");
	char n[2][CELL_MAX];
	char text[4 * CELL_MAX] = "";

	put_item(out, "result", look_text(results, "why"));
	put_item(out, "tainted", look_text(results, "taint"));
	put_item(out, "claim", look_text(json_object_get(results, "claim"), "words"));
	put_item(out, "expected", look_text(json_object_get(results, "expect"), "words"));
	(void)snprintf(text, sizeof text, "%s of %s acknowledged",
		units_print_count(look_count(lost, "lost"), n[0], CELL_MAX),
		units_print_count(look_count(lost, "acknowledged"), n[1], CELL_MAX));
	put_item(out, "lost writes", text);
	text[0] = '\0';
	add_fit(text, sizeof text, trips, "read");
	add_fit(text, sizeof text, trips, "write");
	put_item(out, "round trips", text);
	put_item(
		out, "in virtual time", look_text(json_object_get(results, "simulated"), "pacelc"));
	(void)fputc('\n', out);
}

void markdown_run(const json_t *results, FILE *out)
{
	const json_t *phases = json_object_get(results, "phases");
	const json_t *verdict = json_object_get(results, "verdict");

	(void)fputs("### ", out);
	put_text(out, look_text(results, "lab"));
	(void)fputs(" on ", out);
	put_text(out, look_text(results, "store"));
	(void)fputs(": ", out);
	put_text(out, look_text(verdict, "pacelc"));
	(void)fputs("\n\n**", out);
	if (look_simulated(results))
		(void)fputs("Simulated, no packet was sent: ", out);
	put_text(out, look_text(verdict, "words"));
	(void)fputs("**\n\n", out);
	put_findings(out, results);
	put_witnesses(out, results);
	put_phases(out, phases);
	put_sides(out, phases);
	put_faults(out, json_object_get(results, "faults"));
	(void)fprintf(out, "Seed %" PRIu64 ", emulator ", look_count(results, "seed"));
	put_text(out, look_text(results, "emulator"));
	(void)fputs(", kernel ", out);
	put_text(out, look_text(results, "kernel"));
	(void)fputs(".\n\n", out);
}

static void put_trips(FILE *out, const struct summary_trips *t)
{
	char cell[CELL_MAX] = "";

	if (!isnan(t->paid))
		(void)snprintf(cell, sizeof cell, "%.2f of %.2f", fmax(0, t->paid), t->theory);
	put_cell(out, cell);
}

static void put_store(FILE *out, const struct system *system, const struct summary *s)
{
	char lost[CELL_MAX];

	put_cell(out, system->name);
	put_cell(out, system->textbook);
	put_cell(out, s->verdict);
	put_cell(out, compare_claim(s));
	put_cell(out, s->whole);
	put_cell(out, s->cut);
	put_share(out, s->majority);
	put_share(out, s->minority);
	(void)snprintf(lost, sizeof lost, "%" PRIu64 " of %" PRIu64, s->lost, s->acknowledged);
	put_cell(out, lost);
	put_trips(out, &s->read_trips);
	put_trips(out, &s->write_trips);
	put_ms(out, s->read.p50_ms);
	put_ms(out, s->read.floor_ms);
	put_ms(out, s->write.p50_ms);
	put_ms(out, s->write.floor_ms);
	(void)fputs("|\n", out);
}

static void put_number(FILE *out, double number, int digits)
{
	char cell[CELL_MAX] = "";

	if (!isnan(number))
		(void)snprintf(cell, sizeof cell, "%.*f", digits, number);
	put_cell(out, cell);
}

static void put_databases(FILE *out, const struct compare_page *p)
{
	if (!compare_databases_in(p->system, p->rows))
		return;
	(void)fputs("| real database | like our | ready after, s | memory of a node, MB "
		    "| to suit it, other than the lab says |\n|:--|:--|--:|--:|:--|\n",
		out);
	for (unsigned i = 0; i < p->rows; i++) {
		const struct summary *s = &p->row[i];

		if (!p->system[i]->real)
			continue;
		put_cell(out, p->system[i]->name);
		put_cell(out, compare_like(p->system[i], s));
		put_number(out, s->ready_s, 1);
		put_number(out, s->memory_bytes / 1e6, 0);
		put_cell(out, s->suited[0] ? s->suited : "nothing");
		(void)fputs("|\n", out);
	}
	(void)fputc('\n', out);
}

void markdown_comparison(const struct compare_page *p, FILE *out)
{
	const struct compare_run *missing;
	char why[COMPARE_WHY_MAX];

	(void)fputs("### ", out);
	put_text(out, p->lab);
	(void)fprintf(out, " on %u store%s\n\n", p->rows, p->rows == 1 ? "" : "s");
	(void)fputs("| store | textbook | measured | claim | kept when whole | kept when cut "
		    "| majority | minority | lost | round trips a read | a write "
		    "| read p50, ms | floor | write p50, ms | floor |\n"
		    "|:--|:--|:--|:--|:--|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
		out);
	for (unsigned i = 0; i < p->rows; i++)
		put_store(out, p->system[i], &p->row[i]);
	(void)fputc('\n', out);
	put_databases(out, p);
	for (unsigned i = 0; i < p->rows; i++) {
		compare_why(p->system[i], &p->row[i], why);
		put_item(out, p->system[i]->name, why);
	}
	for (unsigned i = 0; (missing = compare_missing(p, i)); i++) {
		why[0] = '\0';
		words_add(why, sizeof why, "no result: %s", missing->why);
		put_item(out, missing->system->name, why);
	}
	(void)fputc('\n', out);
}
