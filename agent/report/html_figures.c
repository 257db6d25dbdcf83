/* SPDX-License-Identifier: MIT */
/* html_figures.c - a run's charts in its page: captions, legends, and of how many they are samples
 */
#include <inttypes.h>

#include "agent/base/units.h"
#include "agent/report/html_parts.h"
#include "agent/report/look.h"

#define COUNT_MAX 32

struct legend {
	const char *class;
	const char *text;
};

static void legend_print(FILE *out, const struct legend *entry)
{
	(void)fputs("<p class=\"key\">", out);
	for (; entry->class; entry++)
		html_mark(out, entry->class, entry->text);
	(void)fputs("</p>\n", out);
}

static void chart_print(FILE *out, const struct html_charts *c, int n, const char *label)
{
	struct err err = {0};

	if (charts_print(&c->charts, (unsigned)n, label, out, &err))
		html_linef(out, "p", "warn", "No chart here: %s.", err.text);
}

/* "every 7th of 12,345" or "all 300" */
static const char *sample(size_t stride, size_t count, char *out, size_t size)
{
	const char *end = stride % 100 >= 11 && stride % 100 <= 13 ? "th"
			  : stride % 10 == 1                       ? "st"
			  : stride % 10 == 2                       ? "nd"
			  : stride % 10 == 3                       ? "rd"
								   : "th";
	char text[COUNT_MAX];

	(void)units_print_count(count, text, sizeof text);
	if (stride <= 1)
		(void)snprintf(out, size, "all %s", text);
	else
		(void)snprintf(out, size, "every %zu%s of %s", stride, end, text);
	return out;
}

static void latency_figure(FILE *out, const struct html_charts *c)
{
	static const struct legend legend[] = {{"c-read", "reads"}, {"c-write", "writes"},
		{"c-ink", "lines: medians, dashed: floors"},
		{"c-bad", "at the top: not answered; from below: process faults"},
		{"c-cut", "network cut"}, {NULL, NULL}};
	char reads[64];
	char writes[64];
	char lost[64];
	char words[HTML_TEXT_MAX];

	html_figure(out, "Latency over time");
	legend_print(out, legend);
	(void)snprintf(words, sizeof words,
		"Dots are %s answered reads, %s answered writes and, at the top, %s operations "
		"without a good answer. Medians are of all in %.3g s each.",
		sample(c->shown[0], c->answered[0], reads, sizeof reads),
		sample(c->shown[1], c->answered[1], writes, sizeof writes),
		sample(c->unanswered_stride, c->unanswered, lost, sizeof lost), c->bin_s);
	chart_print(out, c, c->latency,
		"Latency of reads and writes over time, logarithmic; the table of latencies has the "
		"numbers");
	html_figure_end(out, words);
}

static void quantiles_figure(FILE *out, const struct html_charts *c)
{
	static const struct legend legend[] = {
		{"c-read", "reads"}, {"c-write", "writes"}, {NULL, NULL}};
	const struct html_phase *calm = html_calm(c->run);
	const struct html_phase *cut = html_cut(c->run);
	char words[HTML_TEXT_MAX];

	html_figure(out, "Distribution of latency");
	legend_print(out, legend);
	chart_print(out, c, c->quantiles,
		"Latency by quantile for reads and writes, with the floors; the table of latencies "
		"has the numbers");
	(void)snprintf(words, sizeof words,
		"Solid: phase %s%s%s. Dashed level lines: the floors there, where they are not 0. "
		"All answered operations.",
		calm ? calm->name : "", cut ? "; dotted: phase " : "", cut ? cut->name : "");
	html_figure_end(out, words);
}

void html_latency_figures(FILE *out, const struct html_charts *c)
{
	if (c->latency >= 0)
		latency_figure(out, c);
	if (c->quantiles >= 0)
		quantiles_figure(out, c);
}

void html_rate_figure(FILE *out, const struct html_charts *c)
{
	static const struct legend legend[] = {{"c-read", "answered"},
		{"c-bad", "failed or unknown"}, {"c-cut", "network cut"}, {NULL, NULL}};
	char words[HTML_TEXT_MAX];

	if (c->rate < 0)
		return;
	html_figure(out, "Operations per second over time");
	legend_print(out, legend);
	chart_print(out, c, c->rate,
		"Answered and failed operations per second over time; the table of phases has the "
		"numbers");
	(void)snprintf(words, sizeof words,
		"All operations of the load, by when they were meant to start, in slices of %.3g s.",
		c->bin_s);
	html_figure_end(out, words);
}

void html_sweep_figure(FILE *out, const struct html_charts *c)
{
	static const struct legend legend[] = {{"c-read", "reads: medians and fitted line"},
		{"c-write", "writes: the same, thinner"}, {NULL, NULL}};

	if (c->sweep < 0)
		return;
	html_figure(out, "Median latency over distance");
	legend_print(out, legend);
	chart_print(out, c, c->sweep,
		"Median latency over round-trip time with fitted lines and floors; the table below "
		"has the numbers");
	html_figure_end(out, "Dashed: the floors of the same operations. The slope is the round "
			     "trips paid.");
}

void html_stale_figure(FILE *out, const struct html_charts *c)
{
	static const struct legend legend[] = {
		{"c-warn", "a stale read each"}, {"c-cut", "network cut"}, {NULL, NULL}};
	char shown[64];
	char words[HTML_TEXT_MAX];

	if (c->stale < 0)
		return;
	html_figure(out, "Age of what stale reads saw");
	legend_print(out, legend);
	chart_print(out, c, c->stale,
		"How long before each stale read its value had surely been replaced, over time, "
		"logarithmic");
	(void)snprintf(words, sizeof words,
		"Time since the value had surely been replaced when the read began: %s stale "
		"reads.",
		sample(c->stale_stride, c->stale_count, shown, sizeof shown));
	html_figure_end(out, words);
}
