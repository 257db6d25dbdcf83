/* SPDX-License-Identifier: MIT */
/*
 * compare_chart.c - the trade-off as a picture: what a write costs, and what is kept for that
 *
 * A band for each model, the strongest on top; in it a point for each store whose strongest model
 * it is, as far to the right as a write costs, with its name. Names that would cover each other go
 * to lanes of their own, so the picture is as high as it needs to be.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/check/check.h"
#include "agent/report/chart.h"
#include "agent/report/compare_html.h"
#include "agent/report/html.h"

#define POINTS_MAX 64
#define LANES_MAX 64
#define MODEL_NAME_MAX 32
/* Of a name in the chart's font, about; and of the mark before it. */
#define CHAR_PIXELS 7.3
#define MARK_PIXELS 14.0
#define LANE_PIXELS 17u
#define EDGE_PIXELS 12u
#define BELOW_PIXELS 52u
/* Round trips to both sides of what there is, for half a mark. */
#define X_ROOM 0.15
/* Every side answered: PA of verdict.c. */
#define AVAILABLE_SHARE 0.99

enum kind { AVAILABLE, REFUSED, OPEN, KINDS };

/* Shapes differ, too: not everybody tells these colours apart. */
static const struct {
	const char *mark;
	enum chart_colour colour;
	const char *class; /* of the page, for that colour */
	const char *words;
} kinds[KINDS] = {
	[AVAILABLE] = {"\xe2\x97\x8f", CHART_READ, "i-read", "every side of the cut was answered"},
	[REFUSED] = {"\xe2\x96\xa0", CHART_WRITE, "i-write", "some side was refused"},
	[OPEN] = {"\xe2\x97\x8b", CHART_DIM, "dim", "nothing could be concluded"},
};

struct point {
	const char *name;
	enum kind kind;
	unsigned band; /* of models: its number in the table of checkers */
	double x;
	double y;
	bool to_left; /* its name stands before it */
};

struct picture {
	struct point point[POINTS_MAX];
	unsigned points;
	double x_max;
	bool trips; /* round trips, not milliseconds */
	enum chart_size size;
};

/* The first of those that are kept and not comparable. */
static unsigned band_of(const char *models)
{
	char name[MODEL_NAME_MAX];
	unsigned i = 0;

	(void)snprintf(name, sizeof name, "%.*s", (int)strcspn(models, ", "), models);
	while (check_list(i) && strcmp(check_list(i)->name, name) != 0)
		i++;
	return i;
}

static enum kind kind_of(const struct summary *s)
{
	if (s->status == EXIT_INCONCLUSIVE || isnan(s->minority))
		return OPEN;
	return s->minority >= AVAILABLE_SHARE && s->majority >= AVAILABLE_SHARE ? AVAILABLE
										: REFUSED;
}

/* By band, then by cost: as they are laid out. */
static int by_place(const void *a, const void *b)
{
	const struct point *p = a;
	const struct point *q = b;

	if (p->band != q->band)
		return p->band < q->band ? -1 : 1;
	if (p->x < q->x || p->x > q->x)
		return p->x < q->x ? -1 : 1;
	return strcmp(p->name, q->name);
}

static void take_points(struct picture *pic, const struct compare_page *p)
{
	unsigned trips = 0;

	for (unsigned i = 0; i < p->rows; i++)
		trips += !isnan(p->row[i].write_trips.paid);
	pic->trips = trips > 0;
	for (unsigned i = 0; i < p->rows && pic->points < POINTS_MAX; i++) {
		const struct summary *s = &p->row[i];
		double x = pic->trips ? s->write_trips.paid : s->write.p50_ms;

		if (isnan(x))
			continue;
		pic->point[pic->points++] = (struct point){.name = p->system[i]->name,
			.kind = kind_of(s),
			.band = band_of(s->cut),
			.x = fmax(0, x)};
		pic->x_max = fmax(pic->x_max, x);
	}
	qsort(pic->point, pic->points, sizeof *pic->point, by_place);
}

static double name_pixels(const struct point *p)
{
	return MARK_PIXELS + CHAR_PIXELS * (double)strlen(p->name);
}

/* The first lane of its band in which nothing is where the name goes. */
static unsigned lane_find(double *lane_end, double from, double to)
{
	unsigned i = 0;

	while (i < LANES_MAX - 1 && lane_end[i] > from)
		i++;
	lane_end[i] = to;
	return i;
}

/* Each point's y, and where its name stands; @width pixels for what is between the axis' ends.
 * Return: lanes in all, headings included. */
static unsigned lay_out(struct picture *pic, double width)
{
	double span = pic->x_max + 2 * X_ROOM * (pic->trips ? 1 : pic->x_max);
	unsigned top = 0;

	for (unsigned i = 0; i < pic->points;) {
		double lane_end[LANES_MAX] = {0};
		unsigned band = pic->point[i].band;
		unsigned lanes = 0;

		for (; i < pic->points && pic->point[i].band == band; i++) {
			struct point *p = &pic->point[i];
			double room = (span - pic->x_max) / 2;
			double at = (p->x + room) / span * width;
			double name = name_pixels(p);
			unsigned lane;

			p->to_left = at + name > width;
			lane = p->to_left ? lane_find(lane_end, at - name, at + MARK_PIXELS)
					  : lane_find(lane_end, at - MARK_PIXELS, at + name);
			p->y = top + 1.5 + lane;
			lanes = lane + 1 > lanes ? lane + 1 : lanes;
		}
		top += lanes + 1;
	}
	return top;
}

static void draw_points(struct buf *script, const struct picture *pic)
{
	for (unsigned i = 0; i < pic->points; i++) {
		const struct point *p = &pic->point[i];

		/* Marks as text: what gnuplot draws for points are references to shapes, which the
		 * page does not take. */
		buf_printf(script, "set label '%s' at first %g, first %g center tc rgb %s\n",
			kinds[p->kind].mark, p->x, p->y, chart_colour(kinds[p->kind].colour));
		buf_printf(script, "set label ");
		chart_quote(script, p->name, MODEL_NAME_MAX);
		buf_printf(script, " at first %g, first %g %s offset char %s,0 tc rgb %s\n", p->x,
			p->y, p->to_left ? "right" : "left", p->to_left ? "-1" : "1",
			chart_colour(CHART_INK));
	}
}

/* A line above each band, and its model. */
static void draw_bands(struct buf *script, const struct picture *pic)
{
	double top = 0;

	for (unsigned i = 0; i < pic->points; i++) {
		const struct check_ops *ops = check_list(pic->point[i].band);

		if (i > 0 && pic->point[i].band == pic->point[i - 1].band) {
			top = fmax(top, pic->point[i].y + 0.5);
			continue;
		}
		buf_printf(script,
			"set arrow from graph 0, first %g to graph 1, first %g nohead lc rgb %s\n",
			top, top, chart_colour(CHART_RULE));
		buf_printf(script, "set label ");
		chart_quote(script, ops ? ops->name : "none of all models", MODEL_NAME_MAX);
		buf_printf(script, " at graph 0, first %g left tc rgb %s\n", top + 0.5,
			chart_colour(CHART_DIM));
		top = fmax(top, pic->point[i].y + 0.5);
	}
}

static void draw(struct buf *script, enum chart_size size, const void *ctx)
{
	static const unsigned widths[CHART_SIZES] = {[CHART_WIDE] = 960, [CHART_NARROW] = 380};
	struct picture pic = *(const struct picture *)ctx;
	unsigned width = widths[size];
	unsigned lanes = lay_out(&pic, width - 2 * EDGE_PIXELS);
	unsigned height = lanes * LANE_PIXELS + EDGE_PIXELS + BELOW_PIXELS;
	double room = X_ROOM * (pic.trips ? 1 : pic.x_max);

	buf_printf(script,
		"set terminal svg size %u,%u dynamic rounded noenhanced font 'sans,13' "
		"name 'chart'\n",
		width, height);
	buf_printf(script,
		"set lmargin at screen %g\nset rmargin at screen %g\n"
		"set tmargin at screen %g\nset bmargin at screen %g\n",
		EDGE_PIXELS / (double)width, 1 - EDGE_PIXELS / (double)width,
		1 - EDGE_PIXELS / (double)height, BELOW_PIXELS / (double)height);
	buf_printf(script,
		"unset ytics\nunset grid\nset grid xtics lc rgb %s\nset border 1\n"
		"set xrange [%g:%g]\nset yrange [%u:0]\nset xtics offset 0,0.5\n"
		"set xlabel '%s' offset 0,0.9 tc rgb %s\n",
		chart_colour(CHART_RULE), -room, pic.x_max + room, lanes,
		pic.trips ? "round trips that a write waits for" : "median of a write, ms",
		chart_colour(CHART_DIM));
	if (pic.trips)
		buf_printf(script, "set xtics 0,%g\n", pic.x_max > 4 ? 1.0 : 0.5);
	draw_bands(script, &pic);
	draw_points(script, &pic);
	/* Something has to be plotted; this is above all bands. */
	buf_printf(script, "plot -1 with lines\n");
}

/* What each mark means, in its colour. */
static void put_key(FILE *out)
{
	(void)fputs("<p class=\"note\">", out);
	for (unsigned k = 0; k < KINDS; k++)
		(void)fprintf(out, "%s<b class=\"%s\">%s</b> %s", k ? ", " : "", kinds[k].class,
			kinds[k].mark, kinds[k].words);
	(void)fputs("</p>\n", out);
}

void compare_chart_print(const struct compare_page *p, FILE *out)
{
	struct picture *pic = calloc(1, sizeof *pic);
	struct err err = {0};
	struct charts charts;
	int n;

	if (!pic)
		return;
	take_points(pic, p);
	charts_open(&charts);
	n = pic->points ? charts_add(&charts, draw, pic) : -ENOENT;
	if (n >= 0 && charts_run(&charts, &err) == 0) {
		html_figure(out, "What a write costs, and the strongest model kept in all");
		put_key(out);
		(void)charts_print(&charts, (unsigned)n,
			"Stores by the cost of a write and by the model that they kept; the tables "
			"below have the numbers",
			out, &err);
		html_figure_end(out,
			"Further to the left is cheaper, further up is stronger; of several models "
			"that are not comparable the first stands for all. The top left, with every "
			"side answered, is what cannot be had.");
	} else if (n >= 0) {
		html_linef(out, "p", "note", "No chart: %s", err.text);
	}
	charts_close(&charts);
	free(pic);
}
