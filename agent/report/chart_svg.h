/* SPDX-License-Identifier: MIT */
/* chart_svg.h - what gnuplot drew, as a part of a page */
#ifndef REPORT_CHART_SVG_H
#define REPORT_CHART_SVG_H

#include <stddef.h>
#include <stdio.h>

#include "agent/report/chart.h"

/* The colour that stands for CHART_INK in a script; the others follow it. */
#define CHART_SVG_RGB_FIRST 0x010201u

/**
 * chart_svg_print() - a document of gnuplot's SVG terminal as an element of a page
 * @class:	of the element
 * @label:	what who cannot see it is told
 *
 * Only shapes and text pass, each with the attributes that are known; colours become the page's,
 * and there are no identifiers, which would have to be unique. Return: 0, or -EBADMSG if it is no
 * such document; then nothing is printed.
 */
int chart_svg_print(FILE *out, const char *text, size_t size, const char *class, const char *label);

#endif
