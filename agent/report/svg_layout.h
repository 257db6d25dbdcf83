/* SPDX-License-Identifier: MIT */
/* svg_layout.h - where everything of a witness's picture stands; in user units of the picture */
#ifndef REPORT_SVG_LAYOUT_H
#define REPORT_SVG_LAYOUT_H

#include <stdbool.h>

#include "agent/report/svg.h"

#define SVG_WIDTH 440
#define SVG_MARGIN 14
#define SVG_LEFT SVG_MARGIN
#define SVG_RIGHT (SVG_WIDTH - SVG_MARGIN)
#define SVG_LINE 16         /* of text */
#define SVG_LINE_CHARS 64   /* that fit between the margins */
#define SVG_LINES_MAX 24    /* of words */
#define SVG_CHAR_WIDTH 6.7  /* of a character at 12 units, generously */
#define SVG_TICK_WIDTH 54   /* of a time at the axis */
#define SVG_TICK_ROWS_MAX 4 /* they do not overlap within a row */
#define SVG_NAME_MAX 96     /* of a row, a phase, a fault */
#define SVG_LABEL_MAX 640   /* of an operation: a transaction has many steps */

/* Operations of the witness that are drawn: the last ones. */
#define SVG_LANES_MAX CHECK_WITNESS_READ

/* Instants that have a place of their own: ends of operations, of bands, marks. */
#define SVG_TIMES_MAX (2 * SVG_LANES_MAX + SVG_BANDS_MAX + SVG_MARKS_MAX)

/* An operation's lane: its label, and below it its bar. */
struct svg_lane {
	const struct history_op *op;
	char label[SVG_LABEL_MAX]; /* lines end with '\n' but for the last */
	char row[SVG_NAME_MAX];    /* of node and session, "" if it is that of the lane above */
	double row_y;              /* baseline of @row */
	double label_x;
	double label_y; /* baseline of the first line */
	double bar_y;   /* middle */
	double from;
	double to;
};

struct svg_tick {
	double x;
	double label_x; /* middle */
	unsigned row;
	bool labelled;
	uint64_t t_ns;
};

struct svg_place {
	double from;
	double to;
	unsigned row;
	const char *name;
	char label[SVG_NAME_MAX]; /* "" if there is no room for it */
	double label_x;
};

/* An arrow from operation to operation, by lane. */
struct svg_arrow {
	unsigned from;
	unsigned to;
	bool saw; /* the second saw what the first did; else: the first was over before */
};

#define SVG_ARROWS_MAX (2 * SVG_LANES_MAX * SVG_LANES_MAX)

struct svg_layout {
	const struct svg *svg;
	uint64_t time[SVG_TIMES_MAX];
	double x[SVG_TIMES_MAX];
	unsigned times;
	struct svg_lane lane[SVG_LANES_MAX];
	unsigned lanes;
	struct svg_place band[SVG_BANDS_MAX];
	unsigned bands;
	unsigned band_rows;
	struct svg_place mark[SVG_MARKS_MAX];
	unsigned marks;
	unsigned mark_rows;
	struct svg_tick tick[2 * SVG_LANES_MAX];
	unsigned ticks;
	unsigned tick_rows;
	unsigned decimals; /* of seconds at the axis: so many that the times there differ */
	struct svg_arrow arrow[SVG_ARROWS_MAX];
	unsigned arrows;
	double plot_y;  /* top of the plot: bands and marks */
	double axis_y;  /* its bottom */
	double words_y; /* baseline of the first line of words */
	double height;
};

/* svg_layout() - place all of @svg. */
void svg_layout(const struct svg *svg, struct svg_layout *ret);

/* svg_label() - "read k3 -> 7", at most SVG_LABEL_MAX bytes. */
void svg_label(const struct history_ops *h, const struct history_op *op, char *out);

#endif
