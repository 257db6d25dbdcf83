/* SPDX-License-Identifier: MIT */
/* compare.c - runs of one lab on several stores, side by side */
#include "agent/report/compare.h"

#include <math.h>
#include <string.h>

#include "agent/base/json.h"
#include "agent/base/units.h"
#include "agent/base/wrap.h"
#include "agent/report/parts.h"

#define COMPARE_INDENT 4
#define CELL_MAX 64
#define COUNT_TEXT_MAX 32

static void print_head(FILE *out)
{
	(void)fprintf(out, "  %-18s %-6s %-15s %-15s %8s %8s %13s  %-12s %s\n", "", "text-",
		"strongest model", "strongest model", "majority", "minority", "lost of", "", "");
	(void)fprintf(out, "  %-18s %-6s %-15s %-15s %8s %8s %13s  %-12s %s\n", "store", "book",
		"kept when whole", "kept when cut", "answered", "answered", "acknowledged",
		"measured", "claim");
}

/* The first of several that are kept and not comparable; the others are in the run's results. */
static const char *model(const char *models, char cell[CELL_MAX])
{
	size_t len = strcspn(models, ",");

	if (!models[0])
		return "none";
	(void)snprintf(cell, CELL_MAX, "%.*s%s", (int)len, models, models[len] ? "+" : "");
	return cell;
}

static const char *share(double x, char cell[CELL_MAX])
{
	if (isnan(x))
		return "-";
	(void)snprintf(cell, CELL_MAX, "%.1f %%", 100 * x);
	return cell;
}

const char *compare_claim(const struct summary *s)
{
	/* A claim that did not hold on a network that was not what it should be was not tried. */
	if (s->status == EXIT_VIOLATED && !s->claim_kept)
		return "broken";
	return s->status != EXIT_INCONCLUSIVE && s->claim_kept ? "kept" : "open";
}

static void print_row(const struct system *system, const struct summary *s, FILE *out)
{
	char cell[4][CELL_MAX];
	char lost[2 * COUNT_TEXT_MAX];
	char n[2][COUNT_TEXT_MAX];

	(void)snprintf(lost, sizeof lost, "%s of %s", units_print_count(s->lost, n[0], sizeof n[0]),
		units_print_count(s->acknowledged, n[1], sizeof n[1]));
	(void)fprintf(out, "  %-18s %-6s %-15s %-15s %8s %8s %13s  %-12s %s\n", system->name,
		system->textbook[0] ? system->textbook : "-", model(s->whole, cell[0]),
		model(s->cut, cell[1]), share(s->majority, cell[2]), share(s->minority, cell[3]),
		lost, s->verdict, compare_claim(s));
}

/* "CP" of the CAP theorem says what "PC" says of PACELC, and nothing of a whole network. */
static const char *textbook_cap(const char *textbook)
{
	if (strncmp(textbook, "CP", 2) == 0)
		return "PC";
	return strncmp(textbook, "AP", 2) == 0 ? "PA" : textbook;
}

static bool same_else(const char *textbook, const char *measured)
{
	const char *said = strchr(textbook, '/');
	const char *is = strchr(measured, '/');

	return !said || (is && strstr(is + 1, said + 1));
}

/* As the textbook has it: what it says of a cut, and of a whole network if it does. */
static bool agrees(const char *textbook, const char *measured)
{
	return strncmp(textbook_cap(textbook), measured, 2) == 0 && same_else(textbook, measured);
}

static void differs(const struct system *system, const struct summary *s, char *out)
{
	words_add(out, COMPARE_WHY_MAX, "the textbook says %s, measured is %s", system->textbook,
		s->verdict);
	if (system->differs)
		words_add(out, COMPARE_WHY_MAX, ": %s", system->differs);
	else
		words_add(out, COMPARE_WHY_MAX, ": %s", s->words);
}

void compare_why(const struct system *system, const struct summary *s, char ret[COMPARE_WHY_MAX])
{
	ret[0] = '\0';
	if (strcmp(compare_claim(s), "broken") == 0) {
		words_add(ret, COMPARE_WHY_MAX, "claim %s", s->claim);
		if (s->witness[0])
			words_add(ret, COMPARE_WHY_MAX, "; witness: %s", s->witness);
		return;
	}
	if (s->status == EXIT_INCONCLUSIVE)
		words_add(ret, COMPARE_WHY_MAX, "%s", s->why);
	else if (!system->textbook[0])
		words_add(
			ret, COMPARE_WHY_MAX, "no class in the literature; measured: %s", s->words);
	else if (agrees(system->textbook, s->verdict))
		words_add(ret, COMPARE_WHY_MAX, "as the textbook says (%s)", system->source);
	else
		differs(system, s, ret);
}

void compare_note(const struct system *system, const struct summary *s, FILE *out)
{
	char why[COMPARE_WHY_MAX];

	compare_why(system, s, why);
	(void)fprintf(out, "  %s\n%*s", system->name, COMPARE_INDENT, "");
	wrap_words(out, COMPARE_INDENT, wrap_columns(out), why);
	(void)fputc('\n', out);
}

/* One member of a row: text, or a number that may be NaN. */
struct field {
	const char *name;
	const char *text; /* NULL: it is a number */
	double number;
};

#define FIELDS 31

static void fields_of(const struct system *system, const struct summary *s, const char *why,
	struct field f[FIELDS])
{
	const struct field all[FIELDS] = {{"lab", s->lab, 0}, {"store", s->store, 0},
		{"protocol", system->ops->name, 0}, {"seed", NULL, (double)s->seed},
		{"textbook", system->textbook, 0}, {"source", system->source, 0},
		{"models_whole", s->whole, 0}, {"models_cut", s->cut, 0},
		{"majority", NULL, s->majority}, {"minority", NULL, s->minority},
		{"acknowledged", NULL, (double)s->acknowledged}, {"lost", NULL, (double)s->lost},
		{"read_p50_ms", NULL, s->read_p50_ms}, {"read_floor_ms", NULL, s->read_floor_ms},
		{"write_p50_ms", NULL, s->write_p50_ms},
		{"write_floor_ms", NULL, s->write_floor_ms},
		{"read_simulated_ms", NULL, s->read_simulated_ms},
		{"write_simulated_ms", NULL, s->write_simulated_ms},
		{"read_round_trips", NULL, s->read_trips.paid},
		{"read_round_trips_low", NULL, s->read_trips.low},
		{"read_round_trips_high", NULL, s->read_trips.high},
		{"read_round_trips_theory", NULL, s->read_trips.theory},
		{"write_round_trips", NULL, s->write_trips.paid},
		{"write_round_trips_low", NULL, s->write_trips.low},
		{"write_round_trips_high", NULL, s->write_trips.high},
		{"write_round_trips_theory", NULL, s->write_trips.theory},
		{"unavailable_s", NULL, s->unavailable_s}, {"converged_s", NULL, s->converged_s},
		{"verdict", s->verdict, 0}, {"claim", compare_claim(s), 0}, {"why", why, 0}};

	memcpy(f, all, sizeof all);
}

static void put_row(struct json *j, const struct field f[FIELDS])
{
	json_object(j);
	for (unsigned i = 0; i < FIELDS; i++) {
		json_key(j, f[i].name);
		if (f[i].text)
			json_string(j, f[i].text);
		else
			json_double(j, f[i].number);
	}
	json_object_end(j);
}

void compare_json(
	const struct system *const *system, const struct summary *s, unsigned n, FILE *out)
{
	struct field f[FIELDS];
	char why[COMPARE_WHY_MAX];
	struct json j;

	json_init(&j, out);
	json_array(&j);
	for (unsigned i = 0; i < n; i++) {
		compare_why(system[i], &s[i], why);
		fields_of(system[i], &s[i], why, f);
		put_row(&j, f);
	}
	json_array_end(&j);
}

/* RFC 4180: text in quotes, a quote as two; a number that there is not is empty. */
static void put_cell(const struct field *f, FILE *out)
{
	if (!f->text) {
		if (!isnan(f->number))
			(void)fprintf(out, "%.6g", f->number);
		return;
	}
	(void)fputc('"', out);
	for (const char *p = f->text; *p; p++) {
		if (*p == '"')
			(void)fputc('"', out);
		(void)fputc(*p, out);
	}
	(void)fputc('"', out);
}

void compare_csv(const struct system *const *system, const struct summary *s, unsigned n, FILE *out)
{
	struct field f[FIELDS];
	char why[COMPARE_WHY_MAX];

	for (unsigned i = 0; i < n; i++) {
		compare_why(system[i], &s[i], why);
		fields_of(system[i], &s[i], why, f);
		for (unsigned k = 0; i == 0 && k < FIELDS; k++)
			(void)fprintf(out, "%s%s", k ? "," : "", f[k].name);
		if (i == 0)
			(void)fputs("\r\n", out);
		for (unsigned k = 0; k < FIELDS; k++) {
			(void)fputs(k ? "," : "", out);
			put_cell(&f[k], out);
		}
		(void)fputs("\r\n", out);
	}
}

const struct compare_table compare_models = {.head = print_head, .row = print_row};

static void costs_head(FILE *out)
{
	(void)fprintf(out, "  %-18s %-6s %-22s %-22s %-16s %-16s %s\n", "", "text-",
		"round trips a read", "round trips a write", "read p50 of", "write p50 of", "");
	(void)fprintf(out, "  %-18s %-6s %-22s %-22s %-16s %-16s %-12s %s\n", "store", "book",
		"paid (95 %) of", "paid (95 %) of", "floor, ms", "floor, ms", "measured", "claim");
}

static const char *trips(const struct summary_trips *t, char cell[CELL_MAX])
{
	if (isnan(t->paid))
		return "-";
	/* A slope a little below zero is noise about none. */
	(void)snprintf(cell, CELL_MAX, "%.2f (%.2f-%.2f) %.2f", fmax(0, t->paid), fmax(0, t->low),
		fmax(0, t->high), t->theory);
	return cell;
}

static const char *medians(double p50_ms, double floor_ms, char cell[CELL_MAX])
{
	if (isnan(p50_ms))
		return "-";
	(void)snprintf(cell, CELL_MAX, "%.2f %.2f", p50_ms, floor_ms);
	return cell;
}

static void costs_row(const struct system *system, const struct summary *s, FILE *out)
{
	char cell[4][CELL_MAX];

	(void)fprintf(out, "  %-18s %-6s %-22s %-22s %-16s %-16s %-12s %s\n", system->name,
		system->textbook[0] ? system->textbook : "-", trips(&s->read_trips, cell[0]),
		trips(&s->write_trips, cell[1]), medians(s->read_p50_ms, s->read_floor_ms, cell[2]),
		medians(s->write_p50_ms, s->write_floor_ms, cell[3]), s->verdict, compare_claim(s));
}

const struct compare_table compare_costs = {.head = costs_head, .row = costs_row};
