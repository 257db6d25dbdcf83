/* SPDX-License-Identifier: MIT */
/* html_tables.c - what a run measured, as tables: each number that stands in results.json */
#include <inttypes.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/report/html_parts.h"
#include "agent/report/look.h"

#define COUNT_MAX 32
#define DASH "\xe2\x80\x93"

static void cell_count(FILE *out, uint64_t n)
{
	char text[COUNT_MAX];

	html_cell(out, "%s", units_print_count(n, text, sizeof text));
}

/* A term and what it is; "" is a dash. */
static void fact(FILE *out, const char *term, const char *is)
{
	html_line(out, "dt", NULL, term);
	html_line(out, "dd", NULL, is[0] ? is : DASH);
}

static void fact_number(FILE *out, const char *term, double x, const char *unit)
{
	char text[64];

	if (isnan(x))
		(void)snprintf(text, sizeof text, DASH);
	else
		(void)snprintf(text, sizeof text, "%.3g %s", x, unit);
	fact(out, term, text);
}

static void fact_count(FILE *out, const char *term, uint64_t n)
{
	char text[COUNT_MAX];

	fact(out, term, units_print_count(n, text, sizeof text));
}

static void fact_share(FILE *out, const char *term, uint64_t some, uint64_t of, const char *what)
{
	char text[HTML_TEXT_MAX];
	char some_text[COUNT_MAX];
	char of_text[COUNT_MAX];

	(void)snprintf(text, sizeof text, "%s of %s %s",
		units_print_count(some, some_text, sizeof some_text),
		units_print_count(of, of_text, sizeof of_text), what);
	fact(out, term, text);
}

static void head_result(FILE *out, const struct html_run *r)
{
	static const char *const class[] = {"good", "bad", "warn"};
	uint64_t status = look_count(r->top, "status");

	html_linef(out, "p", status < sizeof class / sizeof *class ? class[status] : "bad",
		"Result: %s (exit status %" PRIu64 ")", look_text(r->top, "why"), status);
}

static void print_letters(FILE *out, const char *letters, bool tainted)
{
	(void)fputs(tainted && !strchr(letters, '?')
			    ? "No verdict; what was seen: <span class=\"letters open\">"
			    : "<span class=\"letters\">",
		out);
	html_text(out, letters);
	(void)fputs("</span>", out);
}

void html_warnings_print(FILE *out, const struct html_run *r)
{
	if (json_is_object(json_object_get(r->top, "simulation")))
		html_line(out, "p", "loud",
			"Simulated: in virtual time; no packet was sent, and what follows was computed "
			"by the protocols in a simulated network.");
	if (look_true(r->top, "tainted"))
		html_linef(out, "p", "loud",
			"Tainted: %s. What follows was measured, but only what the history itself "
			"proves may be concluded from it.",
			look_text(r->top, "taint"));
	if (look_true(r->top, "interrupted"))
		html_line(out, "p", "loud",
			"Interrupted: the run ended before its plan; later phases are missing.");
}

void html_verdict_print(FILE *out, const struct html_run *r)
{
	const json_t *verdict = json_object_get(r->top, "verdict");
	const json_t *claim = json_object_get(r->top, "claim");
	const json_t *expect = json_object_get(r->top, "expect");

	/* A tainted run has no verdict: its letters are what was seen, and are said to be no more.
	 */
	(void)fputs("<p class=\"verdict\">", out);
	print_letters(out, look_text(verdict, "pacelc"), look_true(r->top, "tainted"));
	html_text(out, look_text(verdict, "words"));
	(void)fputs("</p>\n", out);
	head_result(out, r);
	if (look_text(claim, "words")[0])
		html_linef(out, "p", look_true(claim, "kept") ? NULL : "bad", "Claim %s",
			look_text(claim, "words"));
	if (look_text(expect, "words")[0])
		html_linef(out, "p", look_true(expect, "kept") ? NULL : "bad", "Expected: %s",
			look_text(expect, "words"));
}

void html_head_print(FILE *out, const struct html_run *r)
{
	html_linef(out, "h1", NULL, "Lab %s on store %s", look_text(r->top, "lab"),
		look_text(r->top, "store"));
	html_warnings_print(out, r);
	html_verdict_print(out, r);
}

static void side_row(FILE *out, const struct html_phase *p, const json_t *side)
{
	uint64_t attempts = look_count(side, "attempts");
	uint64_t hung = look_count(side, "hung");
	char head[HTML_TEXT_MAX];

	(void)snprintf(head, sizeof head, "%s: %s", p->name, look_text(side, "name"));
	html_row(out, head);
	cell_count(out, look_count(side, "replicas"));
	cell_count(out, attempts);
	cell_count(out, look_count(side, "ok"));
	if (attempts + hung > 0)
		html_cell(out, "%.1f %%",
			100.0 * (double)look_count(side, "ok") / (double)(attempts + hung));
	else
		html_cell(out, DASH);
	html_cell(out, "%" PRIu64 " of %" PRIu64, look_count(side, "reads_ok"),
		look_count(side, "reads"));
	html_cell(out, "%" PRIu64 " of %" PRIu64, look_count(side, "writes_ok"),
		look_count(side, "writes"));
	cell_count(out, look_count(side, "stranded"));
	cell_count(out, hung);
	html_row_end(out);
}

void html_sides_print(FILE *out, const struct html_run *r)
{
	static const char *const head[] = {"phase: side", "replicas", "requests", "answered",
		"share", "reads answered", "writes answered", "stranded", "of these hung"};

	html_table(out, "Requests by phase and side", head, sizeof head / sizeof *head);
	for (unsigned i = 0; i < r->phases; i++) {
		const json_t *sides = json_object_get(r->phase[i].json, "sides");
		const json_t *side;
		size_t k;

		json_array_foreach(sides, k, side)
		{
			side_row(out, &r->phase[i], side);
		}
	}
	html_table_end(out);
	html_line(out, "p", "note",
		"Counted are requests that began and ended within the phase and went to a living "
		"replica on the client's side. All others are stranded: they were under way when "
		"the network changed, or went to the other side. Of these, hung ones were never "
		"answered; they count as not answered in the share.");
}

static void latency_row(FILE *out, const struct html_phase *p, const char *kind)
{
	const json_t *l = json_object_get(json_object_get(p->json, "latency"), kind);
	double floor = look_number(l, "floor_ms");
	double p50 = look_number(l, "p50_ms");
	char head[HTML_TEXT_MAX];

	(void)snprintf(head, sizeof head, "%s: %ss", p->name, kind);
	html_row(out, head);
	cell_count(out, look_count(l, "count"));
	html_cell_ms(out, p50);
	html_cell_ms(out, look_number(l, "p90_ms"));
	html_cell_ms(out, look_number(l, "p99_ms"));
	html_cell_ms(out, look_number(l, "p999_ms"));
	html_cell_ms(out, look_number(l, "max_ms"));
	html_cell_ms(out, floor);
	if (floor > 0 && p50 > 0)
		html_cell(out, "%.2f", p50 / floor);
	else
		html_cell(out, DASH);
	html_row_end(out);
}

static void phases_table(FILE *out, const struct html_run *r)
{
	static const char *const head[] = {"phase", "number", "from s", "lasted s", "ok", "failed",
		"unknown", "caught", "\tnetwork"};

	html_table(out, "Phases", head, sizeof head / sizeof *head);
	for (unsigned i = 0; i < r->phases; i++) {
		const struct html_phase *p = &r->phase[i];
		const char *what = look_text(p->json, "what");
		char rtt[64] = "no fault";

		if (!isnan(p->fit_rtt_ms))
			(void)snprintf(rtt, sizeof rtt, "%g ms between all sites", p->fit_rtt_ms);
		else if (p->warmup)
			(void)snprintf(rtt, sizeof rtt, "warm-up, in no figure");
		else if (p->changed || p->cut)
			(void)snprintf(rtt, sizeof rtt, "%s", p->cut ? "cut" : "changed links");
		html_row(out, p->name);
		html_cell(out, "%u", i + 1);
		html_cell(out, "%.6f", p->from_s);
		html_cell(out, "%.3f", look_number(p->json, "seconds"));
		cell_count(out, look_count(p->json, "ok"));
		cell_count(out, look_count(p->json, "failed"));
		cell_count(out, look_count(p->json, "unknown"));
		cell_count(out, look_count(p->json, "caught"));
		html_cell_text(out, what[0] ? what : rtt);
		html_row_end(out);
	}
	html_table_end(out);
	html_line(out, "p", "note",
		"Caught: of failed and unknown ones, those still under way when the next phase "
		"began.");
}

static void say_list(FILE *out, const struct html_run *r)
{
	bool any = false;

	for (unsigned i = 0; i < r->phases; i++)
		any |= look_text(r->phase[i].json, "say")[0] != '\0';
	if (!any)
		return;
	html_line(out, "h3", NULL, "What the lab says of them");
	(void)fputs("<ul>\n", out);
	for (unsigned i = 0; i < r->phases; i++) {
		const char *say = look_text(r->phase[i].json, "say");

		if (say[0])
			html_linef(out, "li", NULL, "%s: %s", r->phase[i].name, say);
	}
	(void)fputs("</ul>\n", out);
	if (look_text(r->top, "closing")[0])
		html_line(out, "p", NULL, look_text(r->top, "closing"));
}

void html_latency_print(FILE *out, const struct html_run *r)
{
	static const char *const head[] = {"phase: operation", "answered", "p50 ms", "p90 ms",
		"p99 ms", "p99.9 ms", "max ms", "floor ms", "p50 by floor"};

	html_table(out, "Latency of answered operations", head, sizeof head / sizeof *head);
	for (unsigned i = 0; i < r->phases; i++) {
		if (r->phase[i].warmup)
			continue;
		latency_row(out, &r->phase[i], "read");
		latency_row(out, &r->phase[i], "write");
	}
	html_table_end(out);
	html_line(out, "p", "note",
		"From when the open-loop load meant to start an operation, so waiting counts. The "
		"floor is the median of what the link matrix allows these very operations at best "
		"under this protocol; 0 means that the nearest replica may answer alone. "
		"Compare-and-set counts as write. A quantile that would rest on too few "
		"operations is left out, and so is the warm-up.");
	phases_table(out, r);
	say_list(out, r);
}

static void check_row(FILE *out, const char *of, const json_t *check)
{
	const char *result = look_text(check, "result");
	const char *witness = look_text(check, "witness");

	if (!json_is_object(check))
		return;
	html_row(out, of);
	html_cell_text(out, look_text(check, "model"));
	(void)fprintf(out, "<td class=\"t\"><span class=\"%s\">",
		strcmp(result, "ok") == 0          ? "good"
		: strcmp(result, "violation") == 0 ? "bad"
						   : "warn");
	html_text(out, strcmp(result, "ok") == 0          ? "kept"
		       : strcmp(result, "violation") == 0 ? "violated"
							  : "not known");
	(void)fputs("</span></td>", out);
	cell_count(out, look_count(check, "operations"));
	cell_count(out, look_count(check, "keys"));
	html_cell(out, "%.4f", look_number(check, "seconds"));
	html_cell_text(out, witness);
	html_row_end(out);
}

static void checks_table(FILE *out, const struct html_run *r)
{
	static const char *const head[] = {
		"of", "\tmodel", "\tresult", "operations", "keys", "checked in s", "\twitness"};
	static const char *const rows[][2] = {{"check", "whole history"},
		{"check_whole", "before the first cut"},
		{"check_claimed_whole", "claimed, before the first cut"},
		{"check_claimed_cut", "claimed, when cut"},
		{"check_claimed_end", "claimed, at the end"}};
	const json_t *expected = json_object_get(r->top, "check_expected");
	const json_t *check;
	size_t k;

	html_table(out, "What was checked", head, sizeof head / sizeof *head);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_row(out, rows[i][1], json_object_get(r->top, rows[i][0]));
	json_array_foreach(expected, k, check)
	{
		check_row(out, "expected by the lab", check);
	}
	html_table_end(out);
}

static void models_table(FILE *out, const struct html_run *r)
{
	static const char *const head[] = {
		"of", "\tstrongest kept", "\tweakest broken", "\tnot known"};
	static const char *const rows[][2] = {
		{"models_whole", "before the first cut"}, {"models_cut", "whole history"}};
	bool any = false;

	for (size_t i = 0; i < 2; i++)
		any |= json_is_object(json_object_get(r->top, rows[i][0]));
	if (!any) {
		html_line(out, "p", "note",
			"Other models were not looked for; 'pacelab run --models' does.");
		return;
	}
	html_table(out, "Judged by every model", head, sizeof head / sizeof *head);
	for (size_t i = 0; i < 2; i++) {
		const json_t *models = json_object_get(r->top, rows[i][0]);

		if (!json_is_object(models))
			continue;
		html_row(out, rows[i][1]);
		html_cell_text(out, look_text(models, "kept"));
		html_cell_text(out, look_text(models, "broken"));
		html_cell_text(out, look_text(models, "unknown"));
		html_row_end(out);
	}
	html_table_end(out);
}

void html_consistency_print(FILE *out, const struct html_run *r)
{
	const json_t *lost = json_object_get(r->top, "lost_writes");
	const json_t *stale = json_object_get(r->top, "stale");

	checks_table(out, r);
	models_table(out, r);
	(void)fputs("<dl>\n", out);
	fact_share(out, "writes lost", look_count(lost, "lost"), look_count(lost, "acknowledged"),
		"acknowledged");
	if (look_text(lost, "first")[0])
		fact(out, "the first lost", look_text(lost, "first"));
	fact_count(
		out, "keys on which replicas differ at the end", look_count(lost, "diverged_keys"));
	fact_count(out, "keys without a final read, not judged",
		look_count(lost, "keys_without_final_read"));
	fact_share(out, "stale reads", look_count(stale, "stale"), look_count(stale, "reads"),
		"answered reads");
	fact_count(out, "versions behind, at the most", look_count(stale, "versions_behind"));
	fact_number(out, "oldest answer: replaced since", look_number(stale, "oldest_s"), "s");
	fact_number(out, "oldest before the first cut", look_number(stale, "oldest_whole_s"), "s");
	(void)fputs("</dl>\n", out);
}

void html_trips_print(FILE *out, const struct html_run *r)
{
	static const char *const head[] = {"operation", "round trips paid", "95 % interval",
		"the floor pays", "local cost ms", "points of the fit"};
	static const char *const kinds[] = {"read", "write"};
	const json_t *trips = json_object_get(r->top, "round_trips");

	html_table(out, "Latency = local cost + round trips \xc3\x97 distance", head,
		sizeof head / sizeof *head);
	for (size_t i = 0; i < 2; i++) {
		const json_t *fit = json_object_get(trips, kinds[i]);
		double b = look_number(fit, "b");

		html_row(out, kinds[i]);
		if (isnan(b)) {
			html_cell(out, "not fitted");
			html_cell(out, DASH);
		} else {
			html_cell(out, "%.3f", b);
			html_cell(out, "%.3f to %.3f", look_number(fit, "b_low"),
				look_number(fit, "b_high"));
		}
		if (isnan(look_number(fit, "theory")))
			html_cell(out, DASH);
		else
			html_cell(out, "%.2f", look_number(fit, "theory"));
		html_cell_ms(out, look_number(fit, "a_ms"));
		cell_count(out, look_count(fit, "points"));
		html_row_end(out);
	}
	html_table_end(out);
	html_line(out, "p", "note",
		"A straight line by least squares through the median latencies of the phases that "
		"differ only in the round-trip time between sites. In 95 of 100 bootstraps the "
		"slope lies in the interval. The floor's slope is what the protocol must pay.");
}

void html_recovery_print(FILE *out, const struct html_run *r)
{
	const json_t *recovery = json_object_get(r->top, "recovery");

	(void)fputs("<dl>\n", out);
	fact_number(out,
		"longest time without an acknowledged write on the majority's side, in "
		"the first cut",
		look_number(recovery, "unavailable_s"), "s");
	fact_number(out, "the same after the heal", look_number(recovery, "heal_outage_s"), "s");
	fact_number(out, "from the heal to the first acknowledged write of who could not write",
		look_number(recovery, "recovered_s"), "s");
	fact_number(out, "from the heal until all replicas had all that was acknowledged before",
		look_number(recovery, "converged_s"), "s");
	(void)fputs("</dl>\n", out);
}

static void fault_evidence(FILE *out, const json_t *f)
{
	const char *evidence = look_text(f, "evidence");
	const char *why = look_text(f, "why");

	(void)fprintf(out, "<td class=\"t\"><span class=\"%s\">",
		strcmp(evidence, "confirmed") == 0   ? "good"
		: strcmp(evidence, "simulated") == 0 ? "dim"
						     : "bad");
	html_text(out, evidence);
	(void)fputs("</span>", out);
	if (why[0] && strcmp(why, evidence) != 0)
		html_textf(out, ": %s", why);
}

static void fault_row(FILE *out, const struct html_run *r, const json_t *f, size_t number)
{
	bool real = json_is_object(json_object_get(r->top, "database"));
	const char *node = look_text(f, "node");
	const char *cut = look_text(f, "cut");
	int64_t asked_ns = look_int(f, "t_request_ns");
	char head[128];

	(void)snprintf(head, sizeof head, "%zu. %s%s%s%s%s", number + 1, look_text(f, "kind"),
		node[0] ? " " : "", node, cut[0] ? ", " : "", cut);
	html_row(out, head);
	html_cell_text(out, look_text(f, "phase"));
	cell_count(out, look_count(f, "links"));
	html_cell(out, "%.9f", (double)asked_ns / 1e9);
	html_cell(out, "%.1f", (double)(look_int(f, "t_first_ns") - asked_ns) / 1e3);
	html_cell(out, "%.1f", (double)(look_int(f, "t_last_ns") - asked_ns) / 1e3);
	cell_count(out, look_count(f, "packets_crossed"));
	cell_count(out, look_count(f, "packets_dropped"));
	html_cell_ms(out, look_number(f, "rtt_ms_configured"));
	html_cell_ms(out, look_number(f, "rtt_ms_measured"));
	fault_evidence(out, f);
	if (look_count(f, "records_recovered") > 0)
		html_textf(out, "; %" PRIu64 " records in its log",
			look_count(f, "records_recovered"));
	if (!isnan(look_number(f, "caught_up_s")))
		html_textf(out, "; %s after %.3f s", real ? "ready again" : "had caught up",
			look_number(f, "caught_up_s"));
	if (look_number(f, "skew_ms") < 0 || look_number(f, "skew_ms") > 0)
		html_textf(out, "; clock off by %g ms", look_number(f, "skew_ms"));
	(void)fputs("</td>", out);
	html_row_end(out);
}

void html_faults_print(FILE *out, const struct html_run *r)
{
	static const char *const head[] = {"change", "\tphase", "links", "asked for at s",
		"first link after \xc2\xb5s", "last after \xc2\xb5s", "crossed", "dropped",
		"RTT set ms", "measured ms", "\tevidence"};
	const json_t *faults = json_object_get(r->top, "faults");
	const json_t *fault;
	size_t i;

	html_table(out, "Every change of the network and of a process", head,
		sizeof head / sizeof *head);
	json_array_foreach(faults, i, fault)
	{
		fault_row(out, r, fault, i);
	}
	html_table_end(out);
	html_line(out, "p", "note",
		"Evidence is what the kernel's own state and counters said afterwards: packets "
		"that crossed cut links and packets that were dropped on them, and of changed "
		"delays the round-trip time that a probe measured on the pair that is furthest "
		"off.");
}
