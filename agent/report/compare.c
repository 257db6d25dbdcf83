/* SPDX-License-Identifier: MIT */
/* compare.c - runs of one lab on several stores, side by side */
#include "agent/report/compare.h"

#include <math.h>
#include <string.h>

#include "agent/base/json.h"
#include "agent/base/units.h"
#include "agent/base/wrap.h"
#include "agent/lab/real.h"
#include "agent/report/parts.h"
#include "agent/report/spread.h"

#define COMPARE_INDENT 4
#define CELL_MAX 64
#define COUNT_TEXT_MAX 32
#define NAME_COLUMNS 18
/* What stands before the columns of models: in the table of models, and in that of the cut. */
#define MODELS_INDENT 28
#define CUT_INDENT 21

void compare_put_name(const struct system *system, FILE *out)
{
	(void)fprintf(out, "  %-*s", NAME_COLUMNS, system->name);
	if (strlen(system->name) > NAME_COLUMNS)
		(void)fprintf(out, "\n  %-*s", NAME_COLUMNS, "");
}

static void print_head(FILE *out)
{
	(void)fprintf(out, "  %-18s %-6s %-15s %-15s %8s %8s %13s  %-12s %s\n", "", "text-",
		"strongest model", "strongest model", "majority", "minority", "lost of", "", "");
	(void)fprintf(out, "  %-18s %-6s %-15s %-15s %8s %8s %13s  %-12s %s\n", "store", "book",
		"kept when whole", "kept when cut", "answered", "answered", "acknowledged",
		"measured", "claim");
}

/* Number @i of those that are kept and not comparable, "" after the last; if there is none, that is
 * said first. How many of several runs kept them stands behind the first. */
static const char *model(const char *models, unsigned i, char cell[CELL_MAX])
{
	const char *share_of = strchr(models, '/');

	while (share_of && share_of > models && share_of[-1] != ' ')
		share_of--;
	if (!models[0])
		return i ? "" : "none";
	for (unsigned k = 0; k < i; k++) {
		models = strchr(models, ',');
		if (!models)
			return "";
		models += strspn(models, ", ");
	}
	(void)snprintf(cell, CELL_MAX, "%.*s%s%s", (int)strcspn(models, ", "), models,
		share_of && !i ? " " : "", share_of && !i ? share_of : "");
	return cell;
}

/* The others below the first ones: two columns of @width after @indent. */
static void print_more_models(const struct summary *s, int indent, int width, FILE *out)
{
	char cell[2][CELL_MAX];

	for (unsigned i = 1;; i++) {
		const char *whole = model(s->whole, i, cell[0]), *cut = model(s->cut, i, cell[1]);

		if (!whole[0] && !cut[0])
			return;
		(void)fprintf(out, "%*s%-*s%s%s\n", indent, "", cut[0] ? width : 0, whole,
			cut[0] ? " " : "", cut);
	}
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
	compare_put_name(system, out);
	(void)fprintf(out, " %-6s %-15s %-15s %8s %8s %13s  %-12s %s\n",
		system->textbook[0] ? system->textbook : "-", model(s->whole, 0, cell[0]),
		model(s->cut, 0, cell[1]), share(s->majority, cell[2]), share(s->minority, cell[3]),
		lost, s->verdict, compare_claim(s));
	print_more_models(s, MODELS_INDENT, 15, out);
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
bool compare_agrees(const char *textbook, const char *measured)
{
	return strncmp(textbook_cap(textbook), measured, 2) == 0 && same_else(textbook, measured);
}

static void differs(const struct system *system, const struct summary *s, char *out)
{
	words_add(out, COMPARE_WHY_MAX, "the textbook says %s, measured is %s", system->textbook,
		s->verdict);
	if (system->differs && !system->real)
		words_add(out, COMPARE_WHY_MAX, ": %s", system->differs);
	else
		words_add(out, COMPARE_WHY_MAX, ": %s", s->words);
}

static void add_why(const struct system *system, const struct summary *s, char ret[COMPARE_WHY_MAX])
{
	if (strcmp(compare_claim(s), "broken") == 0) {
		words_add(ret, COMPARE_WHY_MAX, "claim %s", s->claim);
		if (s->witness[0])
			words_add(ret, COMPARE_WHY_MAX, "; witness: %s", s->witness);
		return;
	}
	if (s->agreed[0])
		words_add(ret, COMPARE_WHY_MAX, "%s: ", s->agreed);
	if (s->status == EXIT_INCONCLUSIVE)
		words_add(ret, COMPARE_WHY_MAX, "%s", s->why);
	else if (!system->textbook[0])
		words_add(
			ret, COMPARE_WHY_MAX, "no class in the literature; measured: %s", s->words);
	else if (compare_agrees(system->textbook, s->verdict))
		words_add(ret, COMPARE_WHY_MAX, "as the textbook says (%s)", system->source);
	else
		differs(system, s, ret);
}

const char *compare_like(const struct system *system, const struct summary *s)
{
	return s->like[0] ? s->like : system->real->like->name;
}

void compare_why(const struct system *system, const struct summary *s, char ret[COMPARE_WHY_MAX])
{
	ret[0] = '\0';
	add_why(system, s, ret);
	if (system->real)
		words_add(ret, COMPARE_WHY_MAX, "; beside our %s: %s", compare_like(system, s),
			system->differs);
}

void compare_note(const struct system *system, const struct summary *s, FILE *out)
{
	char why[COMPARE_WHY_MAX];

	compare_why(system, s, why);
	(void)fprintf(out, "  %s\n%*s", system->name, COMPARE_INDENT, "");
	wrap_words(out, COMPARE_INDENT, wrap_columns(out), why);
	(void)fputc('\n', out);
}

static bool has_row(const struct compare_page *p, const struct system *system)
{
	for (unsigned i = 0; i < p->rows; i++)
		if (p->system[i] == system)
			return true;
	return false;
}

const struct compare_run *compare_missing(const struct compare_page *p, unsigned i)
{
	for (unsigned k = 0; k < p->runs; k++) {
		const struct compare_run *run = &p->run[k];
		bool again = k > 0 && p->run[k - 1].system == run->system;

		if (!has_row(p, run->system) && !again && i-- == 0)
			return run;
	}
	return i < p->lefts ? &p->left[i] : NULL;
}

/* Of a store without a result. */
static struct summary nothing_of(const struct compare_page *p)
{
	struct summary s = {.seed = p->seed, .status = EXIT_INCONCLUSIVE};

	(void)snprintf(s.lab, sizeof s.lab, "%s", p->lab);
	return s;
}

/* One member of a row that is text. */
struct field {
	const char *name;
	const char *text;
};

#define FIELDS 12
/* What a run was of; behind it stand the numbers, then what they mean. */
#define FIELDS_FIRST 7

static void fields_of(const struct system *system, const struct summary *s, const char *why,
	struct field f[FIELDS])
{
	const char *protocol = system->real ? "" : system->ops->name;
	const struct field all[FIELDS] = {{"lab", s->lab}, {"store", system->name},
		{"protocol", protocol}, {"textbook", system->textbook}, {"source", system->source},
		{"models_whole", s->whole}, {"models_cut", s->cut}, {"verdict", s->verdict},
		{"verdicts", s->agreed}, {"words", s->words}, {"claim", compare_claim(s)},
		{"why", why}};

	memcpy(f, all, sizeof all);
}

static void put_fields(struct json *j, const struct field *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_key(j, f[i].name);
		json_string(j, f[i].text);
	}
}

/* "read_p50_ms": [least, most], of several runs. */
static void put_spread(struct json *j, const struct spread *spread)
{
	struct summary s[2];
	struct summary_number number[2][SUMMARY_NUMBERS_MAX];
	unsigned n = 0;

	json_key(j, "spread");
	if (!spread) {
		json_null(j);
		return;
	}
	s[0] = spread->low;
	s[1] = spread->high;
	for (unsigned i = 0; i < 2; i++)
		n = summary_numbers(&s[i], number[i]);
	json_object(j);
	for (unsigned i = 0; i < n; i++) {
		json_key(j, number[0][i].name);
		json_array(j);
		json_double(j, summary_number_value(&number[0][i]));
		json_double(j, summary_number_value(&number[1][i]));
		json_array_end(j);
	}
	json_object_end(j);
}

static void put_latency(struct json *j, const char *kind, const struct summary_latency *l)
{
	json_key(j, kind);
	json_object(j);
	json_key(j, "p50_ms");
	json_double(j, l->p50_ms);
	json_key(j, "p99_ms");
	json_double(j, l->p99_ms);
	json_key(j, "p999_ms");
	json_double(j, l->p999_ms);
	json_key(j, "floor_ms");
	json_double(j, l->floor_ms);
	json_object_end(j);
}

static void put_profiles(struct json *j, const struct summary *s)
{
	json_key(j, "profiles");
	json_array(j);
	for (unsigned i = 0; i < s->profiles; i++) {
		json_object(j);
		json_key(j, "profile");
		json_string(j, s->profile[i].name);
		put_latency(j, "read", &s->profile[i].read);
		put_latency(j, "write", &s->profile[i].write);
		json_object_end(j);
	}
	json_array_end(j);
}

/* Which real database it is, as results.json has it; null: a store of ours. */
static void put_database(struct json *j, const struct system *system, const struct summary *s)
{
	const struct real *real = system->real;

	json_key(j, "database");
	if (!real) {
		json_null(j);
		return;
	}
	json_object(j);
	put_fields(j,
		(const struct field[]){{"driver", real->driver},
			{"knobs", s->knobs[0] ? s->knobs : real->knobs},
			{"like", compare_like(system, s)}, {"kept", system->kept},
			{"differs", system->differs}, {"suited", s->suited}},
		6);
	json_object_end(j);
}

static void put_row(struct json *j, const struct system *system, const struct summary *row)
{
	struct summary_number number[SUMMARY_NUMBERS_MAX];
	struct summary s = *row;
	struct field f[FIELDS];
	char why[COMPARE_WHY_MAX];
	unsigned n;

	compare_why(system, row, why);
	fields_of(system, row, why, f);
	/* Those of profiles have a member of their own. */
	s.profiles = 0;
	n = summary_numbers(&s, number);
	json_object(j);
	put_fields(j, f, FIELDS_FIRST);
	put_database(j, system, row);
	json_key(j, "seed");
	json_uint(j, s.seed);
	json_key(j, "runs");
	json_uint(j, row->spread ? row->spread->runs : 1);
	json_key(j, "concluded");
	json_uint(j, row->spread ? row->spread->concluded : s.status != EXIT_INCONCLUSIVE);
	json_key(j, "tainted");
	json_bool(j, s.tainted);
	for (unsigned i = 0; i < n; i++) {
		json_key(j, number[i].name);
		json_double(j, summary_number_value(&number[i]));
	}
	put_profiles(j, row);
	put_spread(j, row->spread);
	put_fields(j, f + FIELDS_FIRST, FIELDS - FIELDS_FIRST);
	json_object_end(j);
}

/* Nothing was measured. */
static void put_missing(struct json *j, const struct compare_page *p, const struct compare_run *m)
{
	struct summary_number number[SUMMARY_NUMBERS_MAX];
	struct summary s = nothing_of(p);
	unsigned n = summary_numbers(&s, number);
	struct field f[FIELDS];

	fields_of(m->system, &s, m->why, f);
	json_object(j);
	put_fields(j, f, FIELDS_FIRST);
	put_database(j, m->system, &s);
	json_key(j, "seed");
	json_uint(j, s.seed);
	json_key(j, "runs");
	json_uint(j, 0);
	json_key(j, "concluded");
	json_uint(j, 0);
	json_key(j, "tainted");
	json_bool(j, false);
	for (unsigned i = 0; i < n; i++) {
		json_key(j, number[i].name);
		json_null(j);
	}
	put_profiles(j, &s);
	put_spread(j, NULL);
	put_fields(j, f + FIELDS_FIRST, FIELDS - FIELDS_FIRST);
	json_object_end(j);
}

void compare_json(const struct compare_page *p, FILE *out)
{
	const struct compare_run *missing;
	struct json j;

	json_init(&j, out);
	json_array(&j);
	for (unsigned i = 0; i < p->rows; i++)
		put_row(&j, p->system[i], &p->row[i]);
	for (unsigned i = 0; (missing = compare_missing(p, i)); i++)
		put_missing(&j, p, missing);
	json_array_end(&j);
}

/* RFC 4180: text in quotes, a quote as two; a number that there is not is empty. */
static void put_text(const char *text, FILE *out)
{
	(void)fputs(",\"", out);
	for (const char *p = text; *p; p++) {
		if (*p == '"')
			(void)fputc('"', out);
		(void)fputc(*p, out);
	}
	(void)fputc('"', out);
}

static void put_number(double number, FILE *out)
{
	(void)fputc(',', out);
	if (!isnan(number))
		(void)fprintf(out, "%.6g", number);
}

/* A row of numbers, or of their names; with those of @spread behind each. */
static void csv_numbers(const struct summary *row, bool names, FILE *out)
{
	struct summary_number number[3][SUMMARY_NUMBERS_MAX];
	static const char *const ends[] = {"", "_min", "_max"};
	struct summary s[3] = {*row};
	unsigned of = row->spread ? 3 : 1;
	unsigned n = summary_numbers(&s[0], number[0]);

	for (unsigned k = 1; k < of; k++) {
		s[k] = k == 1 ? row->spread->low : row->spread->high;
		(void)summary_numbers(&s[k], number[k]);
	}
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < of; k++) {
			if (names)
				(void)fprintf(out, ",%s%s", number[k][i].name, ends[k]);
			else
				put_number(summary_number_value(&number[k][i]), out);
		}
	}
}

static void csv_fields(const struct summary *s, const struct field f[FIELDS], FILE *out)
{
	(void)fprintf(out, "%llu", (unsigned long long)s->seed);
	for (unsigned k = 0; k < FIELDS; k++)
		put_text(f[k].text, out);
}

/* As many cells as @like, empty. */
static void csv_nothing(const struct summary *like, FILE *out)
{
	struct summary_number number[SUMMARY_NUMBERS_MAX];
	struct summary s = *like;
	unsigned n = summary_numbers(&s, number) * (like->spread ? 3 : 1);

	while (n-- > 0)
		(void)fputc(',', out);
}

/* Rows of one comparison have the same columns: they ran with the same options. */
void compare_csv(const struct compare_page *p, FILE *out)
{
	const struct summary none = nothing_of(p);
	const struct summary *first = p->rows ? &p->row[0] : &none;
	const struct compare_run *missing;
	struct field f[FIELDS];
	char why[COMPARE_WHY_MAX];

	if (p->rows == 0 && !compare_missing(p, 0))
		return;
	fields_of(p->rows ? p->system[0] : compare_missing(p, 0)->system, first, "", f);
	(void)fputs("seed", out);
	for (unsigned k = 0; k < FIELDS; k++)
		(void)fprintf(out, ",%s", f[k].name);
	csv_numbers(first, true, out);
	(void)fputs("\r\n", out);
	for (unsigned i = 0; i < p->rows; i++) {
		compare_why(p->system[i], &p->row[i], why);
		fields_of(p->system[i], &p->row[i], why, f);
		csv_fields(&p->row[i], f, out);
		csv_numbers(&p->row[i], false, out);
		(void)fputs("\r\n", out);
	}
	for (unsigned i = 0; (missing = compare_missing(p, i)); i++) {
		fields_of(missing->system, &none, missing->why, f);
		csv_fields(&none, f, out);
		csv_nothing(first, out);
		(void)fputs("\r\n", out);
	}
}

static void costs_head(FILE *out)
{
	(void)fprintf(out, "  %-18s %-6s %-12s %-6s %-24s %-24s\n", "", "text-", "", "",
		"round trips a read", "round trips a write");
	(void)fprintf(out, "  %-18s %-6s %-12s %-6s %-24s %-24s\n", "store", "book", "measured",
		"claim", "paid (95 %) of", "paid (95 %) of");
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

static void costs_row(const struct system *system, const struct summary *s, FILE *out)
{
	char cell[2][CELL_MAX];

	compare_put_name(system, out);
	(void)fprintf(out, " %-6s %-12s %-6s %-24s %-24s\n",
		system->textbook[0] ? system->textbook : "-", s->verdict, compare_claim(s),
		trips(&s->read_trips, cell[0]), trips(&s->write_trips, cell[1]));
}

static void latency_head(FILE *out)
{
	(void)fprintf(out, "\n  %-28s %-31s   %-31s\n", "", "read, ms", "write, ms");
	(void)fprintf(out, "  %-28s %7s %7s %7s %7s   %7s %7s %7s %7s\n", "store", "p50", "p99",
		"p99.9", "floor", "p50", "p99", "p99.9", "floor");
}

/* Milliseconds in seven columns. */
static void put_ms(double ms, FILE *out)
{
	if (isnan(ms))
		(void)fprintf(out, " %7s", "-");
	else
		(void)fprintf(out, " %7.*f", ms < 100 ? 2 : ms < 1000 ? 1 : 0, ms);
}

static void latency_line(const char *name, const struct summary_latency *read,
	const struct summary_latency *write, FILE *out)
{
	const double ms[] = {read->p50_ms, read->p99_ms, read->p999_ms, read->floor_ms,
		write->p50_ms, write->p99_ms, write->p999_ms, write->floor_ms};

	(void)fprintf(out, "  %-28s", name);
	for (size_t i = 0; i < sizeof ms / sizeof *ms; i++) {
		if (i == 4)
			(void)fputs("  ", out);
		put_ms(ms[i], out);
	}
	(void)fputc('\n', out);
}

static void latency_row(const struct system *system, const struct summary *s, FILE *out)
{
	char name[2 * SUMMARY_NAME_MAX];

	latency_line(system->name, &s->read, &s->write, out);
	for (unsigned i = 0; i < s->profiles; i++) {
		(void)snprintf(name, sizeof name, "  profile %s", s->profile[i].name);
		latency_line(name, &s->profile[i].read, &s->profile[i].write, out);
	}
}

static const char *seconds(double s, char cell[CELL_MAX])
{
	if (isnan(s))
		return "-";
	(void)snprintf(cell, CELL_MAX, "%.2f", s);
	return cell;
}

static void times_head(FILE *out)
{
	(void)fprintf(out, "\n  %-28s %10s %10s %10s\n", "", "to fail", "to", "to");
	(void)fprintf(
		out, "  %-28s %10s %10s %10s\n", "store", "over, s", "recover, s", "converge, s");
}

static void times_row(const struct system *system, const struct summary *s, FILE *out)
{
	char cell[3][CELL_MAX];

	(void)fprintf(out, "  %-28s %10s %10s %10s\n", system->name,
		seconds(s->unavailable_s, cell[0]), seconds(s->recovered_s, cell[1]),
		seconds(s->converged_s, cell[2]));
}

static void cut_head(FILE *out)
{
	(void)fprintf(out, "\n  %-18s %-16s %-16s %8s %8s %8s %8s %8s %15s\n", "",
		"strongest model", "strongest model", "majority", "minority", "to fail", "to re-",
		"to con-", "lost of");
	(void)fprintf(out, "  %-18s %-16s %-16s %8s %8s %8s %8s %8s %15s\n", "store",
		"kept when whole", "kept when cut", "answered", "answered", "over, s", "cover, s",
		"verge, s", "acknowledged");
}

static void cut_row(const struct system *system, const struct summary *s, FILE *out)
{
	char cell[7][CELL_MAX];
	char lost[2 * COUNT_TEXT_MAX];
	char n[2][COUNT_TEXT_MAX];

	(void)snprintf(lost, sizeof lost, "%s of %s", units_print_count(s->lost, n[0], sizeof n[0]),
		units_print_count(s->acknowledged, n[1], sizeof n[1]));
	compare_put_name(system, out);
	(void)fprintf(out, " %-16s %-16s %8s %8s %8s %8s %8s %15s\n", model(s->whole, 0, cell[0]),
		model(s->cut, 0, cell[1]), share(s->majority, cell[2]), share(s->minority, cell[3]),
		seconds(s->unavailable_s, cell[4]), seconds(s->recovered_s, cell[5]),
		seconds(s->converged_s, cell[6]), lost);
	print_more_models(s, CUT_INDENT, 16, out);
}

static const struct compare_table times_table = {.head = times_head, .row = times_row};
const struct compare_table compare_models = {
	.head = print_head, .row = print_row, .more = &times_table};
static const struct compare_table cut_table = {.head = cut_head, .row = cut_row};
static const struct compare_table latency_table = {
	.head = latency_head, .row = latency_row, .more = &cut_table};
const struct compare_table compare_costs = {
	.head = costs_head, .row = costs_row, .more = &latency_table};
