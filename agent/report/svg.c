/* SPDX-License-Identifier: MIT */
/* svg.c - a witness as a picture; svg_layout.c says where everything stands */
#include "agent/report/svg.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/report/markup.h"
#include "agent/report/svg_layout.h"

#define BAR_HEIGHT 8

/* No variables: not every program that draws knows them. */
static const char style[] =
	"text{font:12px system-ui,sans-serif;fill:#1f2328}"
	".title{font-size:14px;font-weight:600}"
	".row{font-weight:600}.dim{fill:#59636e;font-size:11px}"
	".halo{paint-order:stroke;stroke:#fff;stroke-opacity:.8;stroke-width:4px;stroke-linejoin:round}"
	".paper{fill:#fff}.band{fill:#eef1f4}.cut{stroke:#bf4b00;stroke-dasharray:2 3}"
	".mark{fill:#bf4b00}.grid{stroke:#d1d9e0}.axis{stroke:#59636e}"
	".read{fill:#1a7f37}.write{fill:#0969da}.both{fill:#8250df}"
	".open{fill-opacity:.35;stroke-dasharray:3 3}"
	".read.open{stroke:#1a7f37}.write.open{stroke:#0969da}.both.open{stroke:#8250df}"
	".over{stroke:#59636e;fill:none}.saw{stroke:#cf222e;fill:none;stroke-dasharray:5 3}"
	"#over path{fill:#59636e}#saw path{fill:#cf222e}"
	"@media(prefers-color-scheme:dark){"
	"text{fill:#e6edf3}.dim{fill:#9198a1}.halo{stroke:#0d1117}.paper{fill:#0d1117}"
	".band{fill:#1b222b}.mark{fill:#f0883e}.cut{stroke:#f0883e}.grid{stroke:#30363d}"
	".axis{stroke:#9198a1}.read{fill:#3fb950}.write{fill:#58a6ff}.both{fill:#bc8cff}"
	".read.open{stroke:#3fb950}.write.open{stroke:#58a6ff}.both.open{stroke:#bc8cff}"
	".over{stroke:#9198a1}.saw{stroke:#ff7b72}"
	"#over path{fill:#9198a1}#saw path{fill:#ff7b72}}";

static void svg_part(
	FILE *out, const char *class, double x, double y, const char *text, size_t size)
{
	(void)fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
	markup_text(out, text, size);
	(void)fputs("</text>\n", out);
}

static void svg_line(FILE *out, const char *class, double x, double y, const char *text)
{
	svg_part(out, class, x, y, text, strlen(text));
}

static void svg_rule(FILE *out, const char *class, double x, double from, double to)
{
	(void)fprintf(out, "<path class=\"%s\" d=\"M%.1f %.1fV%.1f\"/>\n", class, x, from, to);
}

/* A line of at most SVG_LINE_CHARS characters, cut between words if possible. */
static size_t words_cut(const char *words)
{
	size_t chars = 0;
	size_t space = 0;
	size_t i = 0;

	for (; words[i] != '\0'; i++) {
		if (((unsigned char)words[i] & 0xc0) == 0x80)
			continue;
		if (words[i] == ' ')
			space = i;
		if (chars++ == SVG_LINE_CHARS)
			return space > 0 ? space : i;
	}
	return i;
}

/* Return: where the line after the last one would stand. With @out NULL nothing is printed. */
static double print_words(FILE *out, const char *words, double y)
{
	for (unsigned i = 0; i < SVG_LINES_MAX && *words != '\0'; i++) {
		size_t n = words_cut(words);

		if (out) {
			(void)fprintf(out, "<text x=\"%d\" y=\"%.1f\">", SVG_LEFT, y);
			markup_text(out, words, n);
			(void)fputs("</text>\n", out);
		}
		words += n;
		while (*words == ' ')
			words++;
		y += SVG_LINE;
	}
	return y;
}

static void print_head(const struct svg_layout *l, FILE *out)
{
	(void)fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" width=\"100%%\" "
		"style=\"max-width:%dpx\" role=\"img\">\n<title>",
		SVG_WIDTH, l->height, 2 * SVG_WIDTH);
	markup_text(out, l->svg->title, strlen(l->svg->title));
	(void)fputs("</title>\n<desc>", out);
	markup_text(out, l->svg->result->words, strlen(l->svg->result->words));
	(void)fprintf(out, "</desc>\n<style>%s</style>\n<defs>\n", style);
	for (unsigned i = 0; i < 2; i++)
		(void)fprintf(out,
			"<marker id=\"%s\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" "
			"markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">"
			"<path d=\"M0 0L8 4L0 8z\"/></marker>\n",
			i ? "saw" : "over");
	(void)fprintf(out, "</defs>\n<rect class=\"paper\" width=\"%d\" height=\"%.0f\"/>\n",
		SVG_WIDTH, l->height);
	svg_line(out, "title", SVG_LEFT, SVG_MARGIN + SVG_LINE - 4, l->svg->title);
}

/* Every other phase is shaded; faults are dashed lines through the whole plot. */
static void print_surroundings(const struct svg_layout *l, FILE *out)
{
	double marks_y = l->plot_y + l->band_rows * SVG_LINE;

	for (unsigned i = 0; i < l->bands; i++)
		if (i % 2 == 0)
			(void)fprintf(out,
				"<rect class=\"band\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
				"height=\"%.1f\"/>\n",
				l->band[i].from, l->plot_y, l->band[i].to - l->band[i].from,
				l->axis_y - l->plot_y);
	for (unsigned i = 0; i < l->ticks; i++)
		svg_rule(out, "grid", l->tick[i].x, marks_y + l->mark_rows * SVG_LINE, l->axis_y);
	for (unsigned i = 0; i < l->marks; i++)
		svg_rule(out, "cut", l->mark[i].from, marks_y, l->axis_y);
	for (unsigned i = 0; i < l->bands; i++)
		svg_line(out, "dim", l->band[i].label_x,
			l->plot_y + (l->band[i].row + 1) * SVG_LINE - 4, l->band[i].label);
	for (unsigned i = 0; i < l->marks; i++)
		svg_line(out, "dim mark", l->mark[i].label_x,
			marks_y + (l->mark[i].row + 1) * SVG_LINE - 4, l->mark[i].label);
}

static void print_axis(const struct svg_layout *l, FILE *out)
{
	uint64_t t0 = l->svg->names ? l->svg->names->t0_ns : 0;
	double y = l->axis_y + SVG_LINE - 2;

	(void)fprintf(
		out, "<path class=\"axis\" d=\"M%d %.1fH%d\"/>\n", SVG_LEFT, l->axis_y, SVG_RIGHT);
	for (unsigned i = 0; i < l->ticks; i++) {
		const struct svg_tick *t = &l->tick[i];

		if (!t->labelled)
			continue;
		(void)fprintf(out,
			"<text class=\"dim\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">%s%.*f"
			"</text>\n",
			t->label_x, y + t->row * (SVG_LINE - 2), t->t_ns < t0 ? "-" : "",
			(int)l->decimals, units_s(t->t_ns < t0 ? t0 - t->t_ns : t->t_ns - t0));
	}
	svg_line(out, "dim", SVG_LEFT, y + l->tick_rows * (SVG_LINE - 2),
		"time in seconds; the distances are not to scale");
}

static const char *lane_class(const struct history_op *op)
{
	switch ((enum history_kind)op->kind) {
	case HISTORY_READ:
		return "read";
	case HISTORY_CAS:
	case HISTORY_TRANSFER:
	case HISTORY_TRANSACTION:
		return "both";
	case HISTORY_WRITE:
	case HISTORY_APPEND:
	case HISTORY_ADD:
	case HISTORY_INCREASE:
	case HISTORY_KIND_NR:
		break;
	}
	return "write";
}

static void print_label(const struct svg_lane *lane, FILE *out)
{
	const char *line = lane->label;
	double y = lane->label_y;

	for (;; y += SVG_LINE) {
		size_t n = strcspn(line, "\n");

		svg_part(out, "halo", lane->label_x, y, line, n);
		if (line[n] == '\0')
			return;
		line += n + 1;
	}
}

static void print_lanes(const struct svg_layout *l, FILE *out)
{
	for (unsigned i = 0; i < l->lanes; i++) {
		const struct svg_lane *lane = &l->lane[i];
		bool open = lane->op->t_return_ns == UINT64_MAX;

		if (lane->row[0] != '\0')
			svg_line(out, "row halo", SVG_LEFT + 3, lane->row_y, lane->row);
		(void)fprintf(out,
			"<rect class=\"%s%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" "
			"rx=\"2\"/>\n",
			lane_class(lane->op), open ? " open" : "", lane->from,
			lane->bar_y - BAR_HEIGHT / 2.0, lane->to - lane->from, BAR_HEIGHT);
		print_label(lane, out);
	}
}

/* From the end of what was over to the beginning of what came; or from effect to sight. */
static void print_arrow(const struct svg_layout *l, const struct svg_arrow *a, FILE *out)
{
	const struct svg_lane *from = &l->lane[a->from];
	const struct svg_lane *to = &l->lane[a->to];
	double x1 = a->saw ? (from->from + from->to) / 2 : from->to;
	double x2 = a->saw ? (to->from + to->to) / 2 : to->from;
	double side = to->bar_y > from->bar_y ? BAR_HEIGHT / 2.0 : -BAR_HEIGHT / 2.0;
	double y1 = from->bar_y + side;
	double y2 = to->bar_y - side;
	double bend = (y2 - y1) / 2;

	(void)fprintf(out,
		"<path class=\"%s\" marker-end=\"url(#%s)\" d=\"M%.1f %.1fC%.1f %.1f %.1f %.1f "
		"%.1f %.1f\"/>\n",
		a->saw ? "saw" : "over", a->saw ? "saw" : "over", x1, y1, x1, y1 + bend, x2,
		y2 - bend, x2, y2);
}

/* What the arrows in the picture mean; only the kinds that are there. */
static double print_legend(const struct svg_layout *l, FILE *out, double y)
{
	static const char *const meaning[2] = {
		"was over before the other began", "what the one did was seen by the other"};
	bool there[2] = {false, false};

	for (unsigned i = 0; i < l->arrows; i++)
		there[l->arrow[i].saw] = true;
	for (unsigned i = 0; i < 2; i++) {
		if (!there[i])
			continue;
		if (out) {
			(void)fprintf(out,
				"<path class=\"%s\" marker-end=\"url(#%s)\" d=\"M%d %.1fh28\"/>\n",
				i ? "saw" : "over", i ? "saw" : "over", SVG_LEFT, y - 4);
			svg_line(out, "dim", SVG_LEFT + 36, y, meaning[i]);
		}
		y += SVG_LINE;
	}
	return y;
}

void svg_print(const struct svg *svg, FILE *out)
{
	struct svg_layout l;
	double legend_y;

	svg_layout(svg, &l);
	legend_y = print_words(NULL, svg->result->words, l.words_y) + 4;
	l.height = print_legend(&l, NULL, legend_y) - SVG_LINE + SVG_MARGIN;
	print_head(&l, out);
	print_surroundings(&l, out);
	for (unsigned i = 0; i < l.arrows; i++)
		print_arrow(&l, &l.arrow[i], out);
	print_lanes(&l, out);
	print_axis(&l, out);
	(void)print_words(out, svg->result->words, l.words_y);
	(void)print_legend(&l, out, legend_y);
	(void)fputs("</svg>\n", out);
}
