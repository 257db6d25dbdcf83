/* SPDX-License-Identifier: MIT */
/* svg.h - a witness as a picture: operations over time, the faults around them, what follows */
#ifndef REPORT_SVG_H
#define REPORT_SVG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/check/check.h"
#include "agent/history/history.h"

/* A stretch of time with a name: a phase of the run. */
struct svg_band {
	uint64_t from_ns;
	uint64_t to_ns; /* UINT64_MAX: until the end */
	char name[64];
};

/* An instant with a name: a fault. */
struct svg_mark {
	uint64_t t_ns;
	char name[64];
};

#define SVG_TITLE_MAX 128
#define SVG_BANDS_MAX 64
#define SVG_MARKS_MAX 64

/**
 * struct svg - what is to be drawn; all borrowed
 * @title:	"history.bin: not linearizable"
 * @result:	a violation: its witness is drawn, its words stand below
 * @names:	as for the checker
 * @band:	in order of time; those that the witness does not touch are left out
 */
struct svg {
	const char *title;
	const struct history_ops *h;
	const struct check_result *result;
	const struct check_names *names;
	const struct svg_band *band;
	size_t bands;
	const struct svg_mark *mark;
	size_t marks;
};

/*
 * svg_print() - a document that stands by itself, light or dark as its reader likes it
 * The axis shows the order of all beginnings and ends; how long the time between two of them was is
 * written there, since an operation of a millisecond and a wait of a minute do not share a scale.
 */
void svg_print(const struct svg *svg, FILE *out);

#endif
