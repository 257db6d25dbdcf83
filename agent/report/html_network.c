/* SPDX-License-Identifier: MIT */
/* html_network.c - the network of a run, how well it was made, and all settings */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/report/html_parts.h"
#include "agent/report/look.h"

#define DASH "\xe2\x80\x93"
#define PLAN_BYTES_MAX (1u << 20)
/* The darkest cell still leaves its number readable. */
#define HEAT_ALPHA_MAX 0.42
/* More are shown by site. */
#define HEAT_NODES_MAX 32

static void heat_cell(FILE *out, double low, double high, double max, bool self)
{
	if (self || isnan(high)) {
		(void)fputs("<td class=\"heat\">" DASH "</td>", out);
		return;
	}
	(void)fprintf(out, "<td class=\"heat\" style=\"--a:%.2f\">",
		max > 0 && high > 0 ? HEAT_ALPHA_MAX * high / max : 0.0);
	if (low < high)
		(void)fprintf(out, "%g" DASH "%g</td>", low, high);
	else
		(void)fprintf(out, "%g</td>", high);
}

static void links_list(FILE *out, const char *when, const json_t *links)
{
	const json_t *link;
	size_t i;

	json_array_foreach(links, i, link)
	{
		const char *words = look_text(link, "words");
		const char *cut = look_text(link, "cut");
		bool open = strcmp(cut, "open") == 0;

		html_linef(out, "li", NULL, "%s: %s%s%s%s on %" PRIu64 " links, the first %s to %s",
			when, words, open || !words[0] ? "" : ", ", open ? "" : "cut at the ",
			open ? "" : cut, look_count(link, "links"), look_text(link, "from"),
			look_text(link, "to"));
	}
}

static double delay_ms(const json_t *delay, unsigned a, unsigned b)
{
	const json_t *ms = json_array_get(json_array_get(delay, a), b);

	return json_is_number(ms) ? json_number_value(ms) : NAN;
}

static double delay_max(const struct html_run *r, const json_t *delay)
{
	double max = 0;

	for (unsigned a = 0; a < r->nodes; a++)
		for (unsigned b = 0; b < r->nodes; b++)
			max = fmax(max, delay_ms(delay, a, b));
	return max;
}

/* Rows are sources, columns destinations. */
static void heat_map(FILE *out, const struct html_run *r, const json_t *delay)
{
	const char *head[HEAT_NODES_MAX + 1] = {"from \\ to"};
	double max = delay_max(r, delay);

	for (unsigned a = 0; a < r->nodes; a++)
		head[a + 1] = r->node[a];
	html_table(
		out, "One-way delay in ms without faults, from row to column", head, r->nodes + 1);
	for (unsigned a = 0; a < r->nodes; a++) {
		html_row(out, r->node[a]);
		for (unsigned b = 0; b < r->nodes; b++) {
			double ms = delay_ms(delay, a, b);

			heat_cell(out, ms, ms, max, a == b);
		}
		html_row_end(out);
	}
	html_table_end(out);
}

/* From the nodes of one site to those of another: the least and the most. */
static void sites_cell(FILE *out, const struct html_run *r, const json_t *delay,
	const unsigned pair[2], double max)
{
	double low = NAN;
	double high = NAN;

	for (unsigned a = 0; a < r->nodes; a++) {
		for (unsigned b = 0; b < r->nodes; b++) {
			if (a == b || r->site_of[a] != pair[0] || r->site_of[b] != pair[1])
				continue;
			low = fmin(low, delay_ms(delay, a, b));
			high = fmax(high, delay_ms(delay, a, b));
		}
	}
	heat_cell(out, low, high, max, false);
}

/* Of many nodes, all of them would be a wall of numbers. */
static void sites_map(FILE *out, const struct html_run *r, const json_t *delay)
{
	const char *head[PLAN_SITES_MAX + 1] = {"from \\ to"};
	double max = delay_max(r, delay);

	for (unsigned a = 0; a < r->sites; a++)
		head[a + 1] = r->site[a];
	html_table(out,
		"One-way delay in ms without faults, from the nodes of a site to those of another",
		head, r->sites + 1);
	for (unsigned a = 0; a < r->sites; a++) {
		html_row(out, r->site[a]);
		for (unsigned b = 0; b < r->sites; b++)
			sites_cell(out, r, delay, (unsigned[2]){a, b}, max);
		html_row_end(out);
	}
	html_table_end(out);
	html_linef(out, "p", "note",
		"Of %u nodes, by site; results.json has the delay of each pair of them.", r->nodes);
}

void html_network_print(FILE *out, const struct html_run *r)
{
	const json_t *matrix = json_object_get(r->top, "matrix");

	if (r->nodes > HEAT_NODES_MAX)
		sites_map(out, r, json_object_get(matrix, "delay_ms"));
	else
		heat_map(out, r, json_object_get(matrix, "delay_ms"));
	html_line(out, "h3", NULL, "Links that are not plain");
	(void)fputs("<ul>\n", out);
	links_list(out, "without faults", json_object_get(matrix, "links"));
	for (unsigned i = 0; i < r->phases; i++) {
		links_list(out, r->phase[i].name, json_object_get(r->phase[i].json, "links"));
	}
	(void)fputs("</ul>\n", out);
}

/* A value of any kind, as text. */
static void value_print(const json_t *value, char *ret, size_t size)
{
	if (json_is_string(value))
		(void)snprintf(ret, size, "%s", json_string_value(value));
	else if (json_is_integer(value))
		(void)snprintf(ret, size, "%" PRId64, (int64_t)json_integer_value(value));
	else if (json_is_real(value))
		(void)snprintf(ret, size, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		(void)snprintf(ret, size, "%s", json_is_true(value) ? "yes" : "no");
	else
		(void)snprintf(ret, size, "%s", DASH);
}

static void members_print(FILE *out, const char *caption, json_t *object)
{
	static const char *const head[] = {"name", "\tvalue"};
	const char *key;
	json_t *value;

	html_table(out, caption, head, 2);
	json_object_foreach(object, key, value)
	{
		char text[HTML_TEXT_MAX];

		if (json_is_object(value) || json_is_array(value) || json_is_null(value))
			continue;
		value_print(value, text, sizeof text);
		html_row(out, key);
		html_cell_text(out, text);
		html_row_end(out);
	}
	html_table_end(out);
}

static void database_print(FILE *out, const json_t *database)
{
	static const char *const head[] = {"node", "memory MB"};
	json_t *node;
	size_t i;

	if (!json_is_object(database))
		return;
	(void)fputs("<p>A real database, not a protocol of ours", out);
	if (look_text(database, "like")[0])
		html_textf(out, ": driver %s, %s. Claims and floors are those of our %s: %s",
			look_text(database, "driver"), look_text(database, "knobs"),
			look_text(database, "like"), look_text(database, "differs"));
	(void)fputs(".</p>\n", out);
	if (look_text(database, "suited")[0])
		html_linef(out, "p", "note", "To suit it, other than the lab says: %s.",
			look_text(database, "suited"));
	html_table(out, "What the database took at most", head, 2);
	json_array_foreach(json_object_get(database, "nodes"), i, node)
	{
		html_row(out, look_text(node, "name"));
		html_cell(out, "%.1f", look_number(node, "memory_bytes") / 1e6);
		html_row_end(out);
	}
	html_table_end(out);
	html_linef(out, "p", "note",
		"It was ready %.2f s after the lab was asked for. What its processes share is "
		"counted once.",
		look_number(database, "ready_s"));
}

void html_quality_print(FILE *out, const struct html_run *r)
{
	database_print(out, json_object_get(r->top, "database"));
	members_print(out, "How well the network was emulated", json_object_get(r->top, "quality"));
	html_line(out, "p", "note",
		"A run is tainted if a change was not confirmed, if 1 frame in 100 was late by "
		"more than 0.2 ms or 5 % of the smallest delay, whichever is more, if frames were "
		"lost or the emulator had no real-time priority, or if the processors were more "
		"than 95 % busy.");
}

static void plan_text(FILE *out, const struct html_run *r)
{
	char path[PATH_MAX];
	char *text = malloc(PLAN_BYTES_MAX);
	FILE *in;
	size_t n;

	(void)snprintf(path, sizeof path, "%s/plan.txt", r->dir);
	in = fopen(path, "re");
	if (!in || !text) {
		html_line(out, "p", "note", "There is no plan.txt beside the results.");
	} else {
		n = fread(text, 1, PLAN_BYTES_MAX - 1, in);
		text[n] = '\0';
		html_line(out, "h3", NULL, "The expanded plan");
		(void)fputs("<div class=\"scroll\" role=\"region\" tabindex=\"0\" "
			    "aria-label=\"The expanded plan\">\n<pre>",
			out);
		for (char *line = text; line;) {
			char *end = strchr(line, '\n');

			if (end)
				*end++ = '\0';
			html_text(out, line);
			(void)fputc('\n', out);
			line = end;
		}
		(void)fputs("</pre>\n</div>\n", out);
	}
	if (in)
		(void)fclose(in);
	free(text);
}

void html_settings_print(FILE *out, const struct html_run *r)
{
	members_print(out, "Settings of store and load", json_object_get(r->top, "settings"));
	members_print(out, "The run", r->top);
	plan_text(out, r);
}
