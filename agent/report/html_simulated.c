/* SPDX-License-Identifier: MIT */
/* html_simulated.c - simulation beside measurement, and what a simulation counted as costs */
#include <string.h>

#include "agent/report/html_parts.h"
#include "agent/report/look.h"

#define DASH "\xe2\x80\x93"

static void cell_off(FILE *out, double measured, double simulated)
{
	if (measured > 0 && simulated > 0)
		html_cell(out, "%+.1f %%", 100 * (simulated / measured - 1));
	else
		html_cell(out, DASH);
}

static void beside_row(FILE *out, const json_t *run, const json_t *simulated, const char *kind)
{
	const json_t *real = json_object_get(json_object_get(run, "latency"), kind);
	const json_t *sim = json_object_get(json_object_get(simulated, "latency"), kind);
	char head[HTML_TEXT_MAX];

	(void)snprintf(head, sizeof head, "%s: %ss", look_text(run, "name"), kind);
	html_row(out, head);
	html_cell_ms(out, look_number(real, "p50_ms"));
	html_cell_ms(out, look_number(sim, "p50_ms"));
	cell_off(out, look_number(real, "p50_ms"), look_number(sim, "p50_ms"));
	html_cell_ms(out, look_number(real, "p99_ms"));
	html_cell_ms(out, look_number(sim, "p99_ms"));
	cell_off(out, look_number(real, "p99_ms"), look_number(sim, "p99_ms"));
	html_row_end(out);
}

static void trips_row(FILE *out, const json_t *run, const json_t *simulated, const char *kind)
{
	const json_t *real = json_object_get(json_object_get(run, "round_trips"), kind);
	const json_t *sim = json_object_get(json_object_get(simulated, "round_trips"), kind);

	html_row(out, kind);
	html_cell_ms(out, look_number(real, "b"));
	html_cell_ms(out, look_number(sim, "b"));
	html_cell_ms(out, look_number(sim, "theory"));
	html_row_end(out);
}

/* What a message, a frame, a disk and a client cost in it. */
static void costs_print(FILE *out, const json_t *simulation)
{
	html_linef(out, "p", "note",
		"In virtual time a message costs %g ms, on a link with a delay %g ms more, a record "
		"is durable after %g ms, and a client wakes up %g ms late. %.0f messages between "
		"replicas were computed in %.3g s.",
		look_number(simulation, "hop_ms"), look_number(simulation, "wire_ms"),
		look_number(simulation, "disk_ms"), look_number(simulation, "wake_ms"),
		look_number(simulation, "messages"), look_number(simulation, "took_s"));
}

void html_simulated_print(FILE *out, const struct html_run *r)
{
	static const char *const head[] = {
		"phase: operation", "p50 ms", "simulated", "off", "p99 ms", "simulated", "off"};
	static const char *const trips[] = {
		"round trips of a", "measured", "simulated", "the floor pays"};
	const json_t *own = json_object_get(r->top, "simulation");
	const json_t *simulated = json_object_get(r->top, "simulated");
	const json_t *phases = json_object_get(simulated, "phases");

	if (json_is_object(own))
		costs_print(out, own);
	if (!json_is_object(simulated))
		return;
	html_line(out, "h3", NULL, "Simulated beside measured");
	html_linef(out, "p", NULL,
		"The same lab with the same seed, in virtual time. Its letters: %s, of this run: %s.",
		look_text(simulated, "pacelc"),
		look_text(json_object_get(r->top, "verdict"), "pacelc"));
	html_table(out, "Latency, measured and simulated", head, sizeof head / sizeof *head);
	for (unsigned i = 0; i < r->phases; i++) {
		if (r->phase[i].warmup)
			continue;
		beside_row(out, r->phase[i].json, json_array_get(phases, i), "read");
		beside_row(out, r->phase[i].json, json_array_get(phases, i), "write");
	}
	html_table_end(out);
	html_table(out, "Round trips, measured and simulated", trips, sizeof trips / sizeof *trips);
	trips_row(out, r->top, simulated, "read");
	trips_row(out, r->top, simulated, "write");
	html_table_end(out);
	costs_print(out, json_object_get(simulated, "simulation"));
}
