/* SPDX-License-Identifier: MIT */
/* compare_html.h - report.html of a comparison: several stores in one lab, as a page */
#ifndef REPORT_COMPARE_HTML_H
#define REPORT_COMPARE_HTML_H

#include "agent/report/compare.h"

#define COMPARE_HTML_FILE "report.html"

/* compare_html_write() - as @dir/report.html, whole or not at all; with links to the pages of runs
 * that are there. Return: 0 or a negative errno. */
int compare_html_write(const struct compare_page *p, struct err *err);

/* The chart of the page, in compare_chart.c. Without gnuplot: a word about that. */
void compare_chart_print(const struct compare_page *p, FILE *out);

#endif
