/* SPDX-License-Identifier: MIT */
/* compare_simulated.c - medians on real packets beside those of the same lab in virtual time */
#include <math.h>

#include "agent/report/compare.h"

#define CELL_MAX 64

static void head(FILE *out)
{
	(void)fprintf(out, "  %-18s %-34s %s\n", "", "read p50, ms", "write p50, ms");
	(void)fprintf(out, "  %-18s %-34s %s\n", "store", "measured SIMULATED      off",
		"measured SIMULATED      off");
}

static const char *cell(double measured_ms, double simulated_ms, char ret[CELL_MAX])
{
	if (isnan(measured_ms) || isnan(simulated_ms))
		return "-";
	(void)snprintf(ret, CELL_MAX, "%8.3f %9.3f %+6.1f %% %+.3f", measured_ms, simulated_ms,
		100 * (simulated_ms / measured_ms - 1), simulated_ms - measured_ms);
	return ret;
}

static void row(const struct system *system, const struct summary *s, FILE *out)
{
	char cells[2][CELL_MAX];

	compare_put_name(system, out);
	(void)fprintf(out, " %-34s %s\n", cell(s->read.p50_ms, s->read_simulated_ms, cells[0]),
		cell(s->write.p50_ms, s->write_simulated_ms, cells[1]));
}

const struct compare_table compare_simulated = {.head = head, .row = row};
