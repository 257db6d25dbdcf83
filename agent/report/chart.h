/* SPDX-License-Identifier: MIT */
/*
 * chart.h - charts of a page: drawn by gnuplot, in the page's colours, wide and narrow
 *
 *	struct charts c;
 *	charts_open(&c);
 *	charts_data(&c, "reads");		a block of data with a name: $reads
 *	buf_printf(&c.script, "%g %g\n", x, y);	its rows
 *	charts_data_end(&c);
 *	n = charts_add(&c, draw, ctx);		called once a size: appends its commands to the
 *script if (charts_run(&c, &err) == 0)		one child for all of them charts_print(&c, n,
 *"latency over time", out); charts_close(&c);
 *
 * Each chart is drawn twice, for screens of both kinds; the page's style shows one of them. Text of
 * others that goes into a script goes through chart_quote(); colours are chart_colour().
 */
#ifndef REPORT_CHART_H
#define REPORT_CHART_H

#include <stdbool.h>
#include <stdio.h>

#include "agent/base/buf.h"
#include "agent/base/err.h"

#define CHARTS_MAX 64
/* Points of a cloud; more are not told apart, and make the page slow. */
#define CHART_POINTS_MAX 1500

enum chart_size { CHART_WIDE, CHART_NARROW, CHART_SIZES };

/* Names of the page's colours, see html_style.c. */
enum chart_colour {
	CHART_INK,
	CHART_DIM,
	CHART_RULE,
	CHART_BAND,
	CHART_CUT,
	CHART_READ,
	CHART_WRITE,
	CHART_BAD,
	CHART_WARN,
	CHART_COLOURS
};

typedef void (*chart_draw)(struct buf *script, enum chart_size size, const void *ctx);

struct charts {
	struct buf script;
	struct buf output; /* of gnuplot: two documents a chart */
	size_t at[CHARTS_MAX * CHART_SIZES + 1];
	unsigned count;
};

void charts_open(struct charts *c);
void charts_close(struct charts *c);

void charts_data(struct charts *c, const char *name);
void charts_data_end(struct charts *c);

/* charts_add() - Return: its number, or -ENOSPC above CHARTS_MAX. */
int charts_add(struct charts *c, chart_draw draw, const void *ctx);

/* charts_run() - draw all. Return: 0, -ENOENT without gnuplot, or another negative errno. */
int charts_run(struct charts *c, struct err *err);

/* charts_print() - both sizes of chart @n into a page. Return: 0, or -EBADMSG if gnuplot did not
 * write what it is known to write; then nothing was printed. */
int charts_print(const struct charts *c, unsigned n, const char *label, FILE *out, struct err *err);

/* chart_colour() - as gnuplot takes it, with quotation marks. */
const char *chart_colour(enum chart_colour colour);

/* chart_faint() - likewise, half transparent. */
const char *chart_faint(enum chart_colour colour);

/* chart_quote() - @text as a string of gnuplot's in which nothing is special; at most @chars of
 * its characters. */
void chart_quote(struct buf *script, const char *text, unsigned chars);

/**
 * struct chart_scale - an axis of logarithms, from data
 * @low, @high:	around all that was put in: 1, 2 or 5 times a power of ten, at least ten times
 *		apart
 */
struct chart_scale {
	double low;
	double high;
};
void chart_scale_add(struct chart_scale *s, double x);
void chart_scale_round(struct chart_scale *s);

/* chart_stride() - every how manieth of @count is shown, so that at most @max are. */
size_t chart_stride(size_t count, size_t max);

#endif
