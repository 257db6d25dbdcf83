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

static const char *claim_word(const struct summary *s)
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
		lost, s->verdict, claim_word(s));
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
	if (strcmp(claim_word(s), "broken") == 0) {
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

static void print_note(const struct system *system, const struct summary *s, FILE *out)
{
	char why[COMPARE_WHY_MAX];

	compare_why(system, s, why);
	(void)fprintf(out, "  %s\n%*s", system->name, COMPARE_INDENT, "");
	wrap_words(out, COMPARE_INDENT, wrap_columns(out), why);
	(void)fputc('\n', out);
}

static void put_string(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	json_string(j, value);
}

static void put_double(struct json *j, const char *key, double value)
{
	json_key(j, key);
	json_double(j, value);
}

static void put_uint(struct json *j, const char *key, uint64_t value)
{
	json_key(j, key);
	json_uint(j, value);
}

static void put_row(struct json *j, const struct system *system, const struct summary *s)
{
	char why[COMPARE_WHY_MAX];

	compare_why(system, s, why);
	json_object(j);
	put_string(j, "lab", s->lab);
	put_string(j, "store", s->store);
	put_uint(j, "seed", s->seed);
	put_string(j, "textbook", system->textbook);
	put_string(j, "source", system->source);
	put_string(j, "models_whole", s->whole);
	put_string(j, "models_cut", s->cut);
	put_double(j, "majority", s->majority);
	put_double(j, "minority", s->minority);
	put_uint(j, "acknowledged", s->acknowledged);
	put_uint(j, "lost", s->lost);
	put_double(j, "read_round_trips", s->read_trips);
	put_double(j, "write_round_trips", s->write_trips);
	put_double(j, "unavailable_s", s->unavailable_s);
	put_double(j, "converged_s", s->converged_s);
	put_string(j, "verdict", s->verdict);
	put_string(j, "claim", claim_word(s));
	put_uint(j, "status", s->status);
	put_string(j, "why", why);
	json_object_end(j);
}

static void print_json(
	const struct system *const *system, const struct summary *s, unsigned n, FILE *out)
{
	struct json j;

	json_init(&j, out);
	json_array(&j);
	for (unsigned i = 0; i < n; i++)
		put_row(&j, system[i], &s[i]);
	json_array_end(&j);
}

const struct compare_table compare_models = {
	.head = print_head, .row = print_row, .note = print_note, .json = print_json};
