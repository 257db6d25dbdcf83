/* SPDX-License-Identifier: MIT */
/*
 * html_strip.c - who was answered over time: a row for each site with clients
 *
 * A cell is filled from below by the share that was answered and from above by the share that was
 * not, so it can be read without its colours. Wide and narrow screens have a picture each.
 */
#include <string.h>

#include "agent/report/html_parts.h"

#define ROW 44
#define BAR 22
#define LEFT 8
#define TOP 22
#define BOTTOM 26
#define LABEL_PX 7 /* of a character, about */

void html_strip_count(
	const struct html_run *r, unsigned site, unsigned cells, struct html_cell_count *ret)
{
	double cell_s = (r->to_s - r->from_s) / cells;

	memset(ret, 0, cells * sizeof *ret);
	for (size_t i = 0; i < r->h.count; i++) {
		const struct history_op *op = &r->h.op[i];
		unsigned cell;

		if (!html_measured(r, op) || r->site_of[op->client] != site)
			continue;
		cell = (unsigned)((html_op_s(r, op) - r->from_s) / cell_s);
		cell = cell < cells ? cell : cells - 1;
		if (op->outcome == HISTORY_OK)
			ret[cell].ok++;
		else
			ret[cell].failed++;
	}
}

/* One size of the picture. */
struct strip {
	FILE *out;
	const struct html_run *r;
	unsigned width;
	unsigned cells;
	unsigned rows;
	unsigned row[PLAN_SITES_MAX]; /* sites */
};

static double strip_x(const struct strip *s, double t_s)
{
	double share = (t_s - s->r->from_s) / (s->r->to_s - s->r->from_s);

	return LEFT + share * (s->width - 2 * LEFT);
}

static void strip_rect(
	const struct strip *s, const char *class, double x, double y, double width, double height)
{
	(void)fprintf(s->out,
		"<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"></rect>\n",
		class, x, y, width, height);
}

static void strip_text(const struct strip *s, const char *class, const char *anchor, double x,
	double y, const char *text)
{
	(void)fprintf(s->out,
		"<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"13\">",
		class, x, y, anchor);
	html_text(s->out, text);
	(void)fputs("</text>\n", s->out);
}

static void strip_phases(const struct strip *s)
{
	for (unsigned i = 0; i < s->r->phases; i++) {
		const struct html_phase *p = &s->r->phase[i];
		double from = strip_x(s, p->from_s);
		double width = strip_x(s, p->to_s) - from;
		char number[16];

		if (p->cut || i % 2 == 1)
			strip_rect(s, p->cut ? "f-cut" : "f-band", from, TOP - 4, width,
				s->rows * ROW + 8);
		(void)snprintf(number, sizeof number, "%u", i + 1);
		if (width > (double)strlen(p->name) * LABEL_PX)
			strip_text(s, "f-ink", "middle", from + width / 2, TOP - 9, p->name);
		else if (width > (double)strlen(number) * LABEL_PX)
			strip_text(s, "f-ink", "middle", from + width / 2, TOP - 9, number);
	}
}

static void strip_row(const struct strip *s, unsigned row)
{
	struct html_cell_count count[HTML_STRIP_CELLS_MAX];
	double width = (s->width - 2.0 * LEFT) / s->cells;
	double y = TOP + row * ROW + (ROW - BAR - 2);

	html_strip_count(s->r, s->row[row], s->cells, count);
	strip_text(s, "f-ink", "start", LEFT + 2, y - 5, s->r->site[s->row[row]]);
	for (unsigned i = 0; i < s->cells; i++) {
		uint32_t all = count[i].ok + count[i].failed;
		double bad = all ? BAR * (double)count[i].failed / all : 0;
		double x = LEFT + i * width;

		if (all > count[i].failed)
			strip_rect(s, "f-read", x, y + bad, width, BAR - bad);
		if (bad > 0)
			strip_rect(s, "f-bad", x, y, width, bad);
	}
}

static void strip_axis(const struct strip *s)
{
	double seconds = s->r->to_s - s->r->from_s;
	double y = TOP + s->rows * ROW + BOTTOM - 6;
	char text[32];

	for (unsigned i = 0; i <= 4; i++) {
		double t = s->r->from_s + seconds * i / 4;

		(void)snprintf(text, sizeof text, seconds < 20 ? "%.1f s" : "%.0f s", t);
		strip_text(s, "f-dim",
			i == 0   ? "start"
			: i == 4 ? "end"
				 : "middle",
			strip_x(s, t), y, text);
	}
}

static void strip_size(struct strip *s, const char *class, const char *label)
{
	(void)fprintf(s->out, "<svg class=\"%s\" viewBox=\"0 0 %u %u\" role=\"img\" aria-label=\"",
		class, s->width, TOP + s->rows * ROW + BOTTOM);
	html_text(s->out, label);
	(void)fputs("\">\n", s->out);
	strip_phases(s);
	for (unsigned row = 0; row < s->rows; row++)
		strip_row(s, row);
	strip_axis(s);
	(void)fputs("</svg>\n", s->out);
}

/* The share that each site was answered before, in and after the first cut, as words. */
static void strip_words(const struct strip *s, char *out, size_t size)
{
	size_t used = (size_t)snprintf(out, size, "Share of requests answered over the run: ");

	for (unsigned row = 0; row < s->rows && used < size; row++) {
		struct html_cell_count count[1];
		uint32_t all;

		html_strip_count(s->r, s->row[row], 1, count);
		all = count->ok + count->failed;
		used += (size_t)snprintf(out + used, size - used, "%s%s %.1f %%",
			row > 0 ? ", " : "", s->r->site[s->row[row]],
			all ? 100.0 * count->ok / all : 0.0);
	}
}

void html_strip_print(FILE *out, const struct html_run *r)
{
	struct strip s = {.out = out, .r = r};
	char words[HTML_TEXT_MAX];

	for (unsigned site = 0; site < r->sites; site++) {
		bool clients = false;

		for (unsigned i = 0; i < r->nodes; i++)
			clients |= r->client[i] && r->site_of[i] == site;
		if (clients)
			s.row[s.rows++] = site;
	}
	if (s.rows == 0)
		return;
	strip_words(&s, words, sizeof words);
	html_figure(out, "Who was answered, by the clients' site");
	(void)fputs("<p class=\"key\">", out);
	html_mark(out, "c-read", "answered, from below");
	html_mark(out, "c-bad", "not answered, from above");
	html_mark(out, "c-cut", "network cut");
	(void)fputs("</p>\n", out);
	s.width = 960;
	s.cells = HTML_STRIP_CELLS_MAX;
	strip_size(&s, "wide", words);
	s.width = 380;
	s.cells = HTML_STRIP_CELLS_MAX / 2;
	strip_size(&s, "narrow", words);
	html_figure_end(out,
		"All operations of the load, by when they were meant to start. Where a name does "
		"not fit, the phase has its number in the table below.");
}
