/* SPDX-License-Identifier: MIT */
/*
 * html_charts.c - a run's charts: latency, rates, quantiles, the fit and staleness
 *
 * Clouds of points are samples, every so manieth in order of time, and say so. Lines (medians of a
 * slice of time, quantiles, rates) are of all operations; their quantiles are those of a histogram,
 * to 1.6 %.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/report/html_parts.h"
#include "agent/report/look.h"

#define SLICES 100
/* A median of fewer is none. */
#define SLICE_ANSWERS_MIN 5
#define QUANTILE_POINTS 80
#define QUANTILE_ANSWERS_MIN 30
#define CHAR_PX 7.0
/* More lines would hide what they are about. */
#define MARK_LINES_MAX 24
/* Lengths of a dot over the whole time. */
#define DOTS_ACROSS 4000
/* The plot itself, less its axes. */
static const double plot_px[CHART_SIZES] = {[CHART_WIDE] = 880, [CHART_NARROW] = 305};

enum { READ, WRITE, KINDS };
static const char *const kind_names[KINDS] = {"read", "write"};
/* Where both have the same values the one still shows behind the other. */
static const double kind_widths[KINDS] = {3.0, 1.4};
static const enum chart_colour kind_colours[KINDS] = {CHART_READ, CHART_WRITE};

/* What is counted over all operations before anything is drawn. */
struct tally {
	struct hist slice[SLICES][KINDS];
	struct hist calm[KINDS];
	struct hist cut[KINDS];
	uint64_t ok[SLICES];
	uint64_t failed[SLICES];
};

static unsigned kind_of(const struct history_op *op)
{
	return html_write(op) ? WRITE : READ;
}

static bool phase_has(const struct html_phase *p, double s)
{
	return p && s >= p->from_s && s < p->to_s;
}

void html_latency_scale(const struct html_run *r, struct chart_scale *ret)
{
	for (size_t i = 0; i < r->h.count; i++) {
		const struct history_op *op = &r->h.op[i];

		if (html_measured(r, op) && op->outcome == HISTORY_OK)
			chart_scale_add(ret, html_op_ms(op));
	}
}

static void tally(struct tally *t, struct html_charts *c)
{
	const struct html_run *r = c->run;
	const struct html_phase *calm = html_calm(r);
	const struct html_phase *cut = html_cut(r);

	for (size_t i = 0; i < r->h.count; i++) {
		const struct history_op *op = &r->h.op[i];
		double s = html_op_s(r, op);
		uint64_t took_ns = op->t_return_ns - op->t_intended_ns;
		unsigned slice;

		if (!html_measured(r, op))
			continue;
		slice = (unsigned)((s - r->from_s) / c->bin_s);
		slice = slice < SLICES ? slice : SLICES - 1;
		if (op->outcome != HISTORY_OK) {
			t->failed[slice]++;
			c->unanswered++;
			continue;
		}
		t->ok[slice]++;
		c->answered[kind_of(op)]++;
		hist_add(&t->slice[slice][kind_of(op)], took_ns);
		if (phase_has(calm, s) || phase_has(cut, s))
			chart_scale_add(&c->quantile_scale, html_op_ms(op));
		if (phase_has(calm, s))
			hist_add(&t->calm[kind_of(op)], took_ns);
		if (phase_has(cut, s))
			hist_add(&t->cut[kind_of(op)], took_ns);
	}
	chart_scale_round(&c->quantile_scale);
}

/* Every so manieth answered operation, every so manieth unanswered one. */
static void put_clouds(struct html_charts *c)
{
	const struct html_run *r = c->run;
	struct buf *out = &c->charts.script;
	struct buf lost = {.len = 0};
	size_t seen[KINDS] = {0};
	size_t lost_seen = 0;

	c->unanswered_stride = chart_stride(c->unanswered, CHART_POINTS_MAX);
	for (unsigned k = 0; k < KINDS; k++) {
		c->shown[k] = chart_stride(c->answered[k], CHART_POINTS_MAX);
		charts_data(&c->charts, k == READ ? "reads" : "writes");
		for (size_t i = 0; i < r->h.count; i++) {
			const struct history_op *op = &r->h.op[i];

			if (!html_measured(r, op) || op->outcome != HISTORY_OK ||
				kind_of(op) != k || seen[k]++ % c->shown[k] != 0)
				continue;
			buf_printf(out, "%.4f %.5g\n", html_op_s(r, op), html_op_ms(op));
		}
		charts_data_end(&c->charts);
	}
	for (size_t i = 0; i < r->h.count; i++) {
		const struct history_op *op = &r->h.op[i];

		if (html_measured(r, op) && op->outcome != HISTORY_OK &&
			lost_seen++ % c->unanswered_stride == 0)
			buf_printf(&lost, "%.4f\n", html_op_s(r, op));
	}
	charts_data(&c->charts, "unanswered");
	buf_add(out, lost.p, lost.len);
	charts_data_end(&c->charts);
	buf_fini(&lost);
}

static void put_medians(struct html_charts *c, const struct tally *t)
{
	struct buf *out = &c->charts.script;

	for (unsigned k = 0; k < KINDS; k++) {
		charts_data(&c->charts, k == READ ? "read_median" : "write_median");
		for (unsigned i = 0; i < SLICES; i++) {
			const struct hist *h = &t->slice[i][k];

			if (h->count < SLICE_ANSWERS_MIN)
				buf_printf(out, "\n");
			else
				buf_printf(out, "%.4f %.5g\n",
					c->run->from_s + (i + 0.5) * c->bin_s,
					units_ms(hist_quantile(h, 0.5)));
		}
		charts_data_end(&c->charts);
		charts_data(&c->charts, k == READ ? "read_floor" : "write_floor");
		for (unsigned i = 0; i < c->run->phases; i++) {
			const struct html_phase *p = &c->run->phase[i];
			double floor = look_number(
				json_object_get(json_object_get(p->json, "latency"), kind_names[k]),
				"floor_ms");

			if (floor >= c->scale.low)
				buf_printf(out, "%.4f %.5g\n%.4f %.5g\n\n", p->from_s, floor,
					p->to_s, floor);
		}
		charts_data_end(&c->charts);
	}
}

static void put_rates(struct html_charts *c, const struct tally *t)
{
	struct buf *out = &c->charts.script;

	charts_data(&c->charts, "rates");
	for (unsigned i = 0; i < SLICES; i++) {
		double ok = (double)t->ok[i] / c->bin_s;
		double failed = (double)t->failed[i] / c->bin_s;

		c->rate_max = fmax(c->rate_max, fmax(ok, failed));
		buf_printf(
			out, "%.4f %.5g %.5g\n", c->run->from_s + (i + 0.5) * c->bin_s, ok, failed);
	}
	charts_data_end(&c->charts);
}

/* The name, or its number where that has no room. */
static void put_phases(struct buf *out, enum chart_size size, const struct html_run *r)
{
	double px = plot_px[size] / (r->to_s - r->from_s);

	for (unsigned i = 0; i < r->phases; i++) {
		const struct html_phase *p = &r->phase[i];
		double width = (p->to_s - p->from_s) * px;
		double middle = (p->from_s + p->to_s) / 2;
		char number[16];

		if (p->cut || i % 2 == 1)
			buf_printf(out,
				"set object rectangle from %.9f, graph 0 to %.9f, graph 1 behind "
				"fc rgb %s fs solid noborder\n",
				p->from_s, p->to_s, chart_colour(p->cut ? CHART_CUT : CHART_BAND));
		(void)snprintf(number, sizeof number, "%u", i + 1);
		if (width < (double)strlen(number) * CHAR_PX)
			continue;
		buf_printf(out, "set label ");
		chart_quote(out, width > (double)strlen(p->name) * CHAR_PX ? p->name : number, 40);
		buf_printf(out, " at %.9f, graph 1.045 center tc rgb %s\n", middle,
			chart_colour(CHART_INK));
	}
}

static bool is_mark(const struct html_run *r, const json_t *fault, double *ret_s)
{
	*ret_s = (double)look_int(fault, "t_first_ns") / 1e9;
	return look_text(fault, "node")[0] && *ret_s >= r->from_s && *ret_s <= r->to_s;
}

/* Faults of processes happen within a phase: a line each or, of many, a tick at the bottom. */
static void put_marks(struct buf *out, const struct html_run *r)
{
	const json_t *faults = json_object_get(r->top, "faults");
	const json_t *fault;
	unsigned marks = 0;
	double s;
	size_t i;

	json_array_foreach(faults, i, fault)
	{
		marks += is_mark(r, fault, &s);
	}
	json_array_foreach(faults, i, fault)
	{
		if (is_mark(r, fault, &s))
			buf_printf(out,
				"set arrow from %.9f, graph 0 to %.9f, graph %g nohead %s lw 1 "
				"lc rgb %s\n",
				s, s, marks > MARK_LINES_MAX ? 0.04 : 1,
				marks > MARK_LINES_MAX ? "" : "dt 2", chart_colour(CHART_BAD));
	}
}

static void put_time_axis(struct buf *out, enum chart_size size, const struct html_run *r)
{
	buf_printf(out,
		"set tmargin 2\nset xrange [%.9f:%.9f]\nset xlabel 'time, s' tc rgb %s\n"
		"set xtics tc rgb %s\nset ytics tc rgb %s\n",
		r->from_s, r->to_s, chart_colour(CHART_DIM), chart_colour(CHART_INK),
		chart_colour(CHART_INK));
	if (size == CHART_NARROW)
		buf_printf(out, "set xtics autofreq\nset lmargin 6\nset rmargin 1\n");
	else
		buf_printf(out, "set lmargin 8\nset rmargin 2\n");
	put_phases(out, size, r);
	put_marks(out, r);
}

/* Labels at 1, 2 and 5 times each power of ten, or where that would be many, at these only. */
static void put_log_ms(struct buf *out, const struct chart_scale *s)
{
	static const double steps[] = {1, 2, 5};
	size_t count = s->high > 500 * s->low ? 1 : sizeof steps / sizeof *steps;
	const char *comma = "";

	buf_printf(out,
		"set logscale y\nset yrange [%g:%g]\nset ylabel 'ms' tc rgb %s\nset ytics (",
		s->low, s->high, chart_colour(CHART_DIM));
	for (int power = (int)floor(log10(s->low)); power <= (int)ceil(log10(s->high)); power++) {
		for (size_t i = 0; i < count; i++) {
			double at = pow(10, power) * steps[i];

			if (at < 0.999 * s->low || at > 1.001 * s->high)
				continue;
			buf_printf(out, "%s'%g' %g", comma, at, at);
			comma = ", ";
		}
	}
	buf_printf(out, ")\n");
}

/* A cloud: strokes too short to be seen as such, with round ends; all of them are one path. */
static void put_dots(struct buf *out, const char *data, double dot, enum chart_colour colour,
	const struct html_run *r)
{
	buf_printf(out, ", $%s using 1:2:(%.9f):(0) with vectors nohead lw %g lc rgb %s", data,
		(r->to_s - r->from_s) / DOTS_ACROSS, dot, chart_faint(colour));
}

static void draw_latency(struct buf *out, enum chart_size size, const void *ctx)
{
	const struct html_charts *c = ctx;
	double dot = size == CHART_WIDE ? 2.2 : 1.8;

	put_time_axis(out, size, c->run);
	put_log_ms(out, &c->scale);
	buf_printf(out, "set y2range [0:1]\nplot 1/0 notitle");
	for (unsigned k = 0; k < KINDS; k++) {
		if (c->answered[k] > 0)
			put_dots(out, k == READ ? "reads" : "writes", dot, kind_colours[k], c->run);
	}
	for (unsigned k = 0; k < KINDS; k++) {
		if (c->answered[k] == 0)
			continue;
		buf_printf(out, ", $%s_median using 1:2 with lines lw 1.5 lc rgb %s", kind_names[k],
			chart_colour(kind_colours[k]));
		buf_printf(out, ", $%s_floor using 1:2 with lines lw 2 dt 2 lc rgb %s",
			kind_names[k], chart_colour(CHART_INK));
	}
	if (c->unanswered)
		buf_printf(out,
			", $unanswered using 1:(0.965):(0):(0.035) axes x1y2 with vectors nohead "
			"lw 1 lc rgb %s",
			chart_colour(CHART_BAD));
	buf_printf(out, "\n");
}

static void draw_rates(struct buf *out, enum chart_size size, const void *ctx)
{
	const struct html_charts *c = ctx;

	put_time_axis(out, size, c->run);
	buf_printf(out,
		"set yrange [0:%g]\nset ylabel 'per second' tc rgb %s\n"
		"plot $rates using 1:2 with steps lw 2 lc rgb %s, "
		"$rates using 1:3 with steps lw 2 lc rgb %s\n",
		c->rate_max > 0 ? 1.05 * c->rate_max : 1, chart_colour(CHART_DIM),
		chart_colour(CHART_READ), chart_colour(CHART_BAD));
}

/* Over 1 / (1 - q), so that each further nine has as much room as the one before. */
static void put_quantiles(struct html_charts *c, const char *name, const struct hist *h)
{
	charts_data(&c->charts, name);
	for (unsigned i = 0; h->count >= QUANTILE_ANSWERS_MIN && i <= QUANTILE_POINTS; i++) {
		double nines = pow((double)h->count, (double)i / QUANTILE_POINTS);
		double ms = units_ms(hist_quantile(h, 1 - 1 / nines));

		if (ms > 0)
			buf_printf(&c->charts.script, "%.6g %.5g\n", nines, ms);
	}
	charts_data_end(&c->charts);
}

static void draw_quantiles(struct buf *out, enum chart_size size, const void *ctx)
{
	const struct html_charts *c = ctx;
	const struct html_phase *calm = html_calm(c->run);

	buf_printf(out,
		"set lmargin %d\nset rmargin 3\nset logscale x\nset xrange [1:*]\n"
		"set xtics (%s'50 %%%%' 2, '90 %%%%' 10, '99 %%%%' 100, '99.9 %%%%' 1000, "
		"'99.99 %%%%' 10000) tc rgb %s\nset ytics tc rgb %s\n"
		"set xlabel 'share of operations that took no longer' tc rgb %s\n",
		size == CHART_WIDE ? 8 : 6, size == CHART_WIDE ? "'0' 1, " : "",
		chart_colour(CHART_INK), chart_colour(CHART_INK), chart_colour(CHART_DIM));
	put_log_ms(out, &c->quantile_scale);
	for (unsigned k = 0; k < KINDS; k++) {
		double floor =
			calm ? look_number(json_object_get(json_object_get(calm->json, "latency"),
						   kind_names[k]),
				       "floor_ms")
			     : NAN;

		if (floor >= c->quantile_scale.low)
			buf_printf(out,
				"set arrow from graph 0, first %g to graph 1, first %g nohead dt 2 "
				"lw 1.5 lc rgb %s\n",
				floor, floor, chart_colour(kind_colours[k]));
	}
	buf_printf(out, "plot 1/0 notitle");
	for (unsigned k = 0; k < KINDS; k++) {
		buf_printf(out, ", $%s_calm using 1:2 with lines lw %g lc rgb %s", kind_names[k],
			kind_widths[k], chart_colour(kind_colours[k]));
		buf_printf(out, ", $%s_cut using 1:2 with lines lw %g dt 3 lc rgb %s",
			kind_names[k], kind_widths[k] / 1.5, chart_colour(kind_colours[k]));
	}
	buf_printf(out, "\n");
}

static const json_t *fit_of(const struct html_run *r, unsigned kind)
{
	return json_object_get(json_object_get(r->top, "round_trips"), kind_names[kind]);
}

static unsigned put_sweep(struct html_charts *c)
{
	unsigned points = 0;

	for (unsigned k = 0; k < KINDS; k++) {
		charts_data(&c->charts, k == READ ? "read_fit" : "write_fit");
		for (unsigned i = 0; i < c->run->phases; i++) {
			const struct html_phase *p = &c->run->phase[i];
			const json_t *l =
				json_object_get(json_object_get(p->json, "latency"), kind_names[k]);

			if (isnan(p->fit_rtt_ms) || isnan(look_number(l, "p50_ms")))
				continue;
			buf_printf(&c->charts.script, "%g %g %g\n", p->fit_rtt_ms,
				look_number(l, "p50_ms"),
				isnan(look_number(l, "floor_ms")) ? 0 : look_number(l, "floor_ms"));
			points++;
		}
		charts_data_end(&c->charts);
	}
	return points;
}

static void draw_sweep(struct buf *out, enum chart_size size, const void *ctx)
{
	const struct html_charts *c = ctx;

	buf_printf(out,
		"set lmargin %d\nset rmargin 3\nset xrange [0:*]\nset yrange [0:*]\n"
		"set xtics tc rgb %s\nset ytics tc rgb %s\n"
		"set xlabel 'round-trip time between sites, ms' tc rgb %s\n"
		"set ylabel 'median latency, ms' tc rgb %s\nplot 1/0 notitle",
		size == CHART_WIDE ? 8 : 6, chart_colour(CHART_INK), chart_colour(CHART_INK),
		chart_colour(CHART_DIM), chart_colour(CHART_DIM));
	for (unsigned k = 0; k < KINDS; k++) {
		double a = look_number(fit_of(c->run, k), "a_ms");
		double b = look_number(fit_of(c->run, k), "b");

		buf_printf(out, ", $%s_fit using 1:3 with lines dt 2 lw 1.5 lc rgb %s",
			kind_names[k], chart_colour(kind_colours[k]));
		if (!isnan(b) && !isnan(a))
			buf_printf(out, ", %.9g + %.9g * x with lines lw %g lc rgb %s", a, b,
				kind_widths[k], chart_colour(kind_colours[k]));
		buf_printf(out,
			", $%s_fit using 1:2:(0.001):(0) with vectors nohead lw %g lc rgb %s",
			kind_names[k], 4 * kind_widths[k], chart_colour(kind_colours[k]));
	}
	buf_printf(out, "\n");
}

static void put_stale(struct html_charts *c)
{
	const struct html_run *r = c->run;
	size_t seen = 0;

	for (size_t i = 0; i < r->h.count; i++) {
		if (r->age_ns[i] == 0 || !html_measured(r, &r->h.op[i]))
			continue;
		c->stale_count++;
		chart_scale_add(&c->stale_scale, units_ms(r->age_ns[i]));
	}
	chart_scale_round(&c->stale_scale);
	c->stale_stride = chart_stride(c->stale_count, 2 * CHART_POINTS_MAX);
	charts_data(&c->charts, "stale");
	for (size_t i = 0; i < r->h.count; i++) {
		double s = html_op_s(r, &r->h.op[i]);
		double ms = units_ms(r->age_ns[i]);

		if (r->age_ns[i] > 0 && html_measured(r, &r->h.op[i]) &&
			seen++ % c->stale_stride == 0)
			buf_printf(&c->charts.script, "%.4f %.5g\n", s, ms);
	}
	charts_data_end(&c->charts);
}

static void draw_stale(struct buf *out, enum chart_size size, const void *ctx)
{
	const struct html_charts *c = ctx;

	put_time_axis(out, size, c->run);
	put_log_ms(out, &c->stale_scale);
	buf_printf(out, "plot 1/0 notitle");
	put_dots(out, "stale", size == CHART_WIDE ? 2.5 : 2.0, CHART_WARN, c->run);
	buf_printf(out, "\n");
}

int html_charts_draw(struct html_charts *c, const struct html_run *r,
	const struct chart_scale *common, struct err *err)
{
	struct tally *t = calloc(1, sizeof *t);
	bool some;
	int rc;

	assert(t);
	*c = (struct html_charts){.run = r,
		.latency = -1,
		.rate = -1,
		.quantiles = -1,
		.sweep = -1,
		.stale = -1,
		.bin_s = (r->to_s - r->from_s) / SLICES};
	charts_open(&c->charts);
	if (common)
		c->scale = *common;
	else
		html_latency_scale(r, &c->scale);
	chart_scale_round(&c->scale);
	tally(t, c);
	if (common)
		c->quantile_scale = c->scale;
	put_clouds(c);
	put_medians(c, t);
	put_rates(c, t);
	put_quantiles(c, "read_calm", &t->calm[READ]);
	put_quantiles(c, "write_calm", &t->calm[WRITE]);
	put_quantiles(c, "read_cut", &t->cut[READ]);
	put_quantiles(c, "write_cut", &t->cut[WRITE]);
	put_stale(c);
	some = t->calm[READ].count >= QUANTILE_ANSWERS_MIN ||
	       t->calm[WRITE].count >= QUANTILE_ANSWERS_MIN;
	free(t);
	if (c->answered[READ] + c->answered[WRITE] > 0)
		c->latency = charts_add(&c->charts, draw_latency, c);
	c->rate = charts_add(&c->charts, draw_rates, c);
	if (some)
		c->quantiles = charts_add(&c->charts, draw_quantiles, c);
	if (put_sweep(c) > 0)
		c->sweep = charts_add(&c->charts, draw_sweep, c);
	if (c->stale_count > 0)
		c->stale = charts_add(&c->charts, draw_stale, c);
	rc = charts_run(&c->charts, err);
	if (rc)
		c->latency = c->rate = c->quantiles = c->sweep = c->stale = -1;
	return rc;
}

void html_charts_close(struct html_charts *c)
{
	charts_close(&c->charts);
}
