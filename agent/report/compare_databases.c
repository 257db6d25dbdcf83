/* SPDX-License-Identifier: MIT */
/* compare_databases.c - what real databases take: time to be ready, memory, another load */
#include <math.h>

#include "agent/base/wrap.h"
#include "agent/report/compare.h"

#define CELL_MAX 32
/* Where it stands what is other than the lab says. */
#define SUITED_AT 70

static void head(FILE *out)
{
	(void)fprintf(out, "\n  %-28s %-18s %8s %9s  %s\n", "", "", "ready", "MB of a", "");
	(void)fprintf(out, "  %-28s %-18s %8s %9s  %s\n", "real database", "like our", "after, s",
		"node", "to suit it, other than the lab says");
}

static const char *cell(double number, int digits, char ret[CELL_MAX])
{
	if (isnan(number))
		return "-";
	(void)snprintf(ret, CELL_MAX, "%.*f", digits, number);
	return ret;
}

static void row(const struct system *system, const struct summary *s, FILE *out)
{
	char cells[2][CELL_MAX];

	if (!system->real)
		return;
	(void)fprintf(out, "  %-28s %-18s %8s %9s  ", system->name, compare_like(system, s),
		cell(s->ready_s, 1, cells[0]), cell(s->memory_bytes / 1e6, 0, cells[1]));
	wrap_words(out, SUITED_AT, wrap_columns(out), s->suited[0] ? s->suited : "nothing");
	(void)fputc('\n', out);
}

bool compare_databases_in(const struct system *const *system, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (system[i]->real)
			return true;
	return false;
}

const struct compare_table compare_databases = {.head = head, .row = row};
