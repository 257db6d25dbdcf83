/* SPDX-License-Identifier: MIT */
/* compare_html.h - report.html of a comparison: several stores in one lab, as a page */
#ifndef REPORT_COMPARE_HTML_H
#define REPORT_COMPARE_HTML_H

#include "agent/report/compare.h"

#define COMPARE_HTML_FILE "report.html"

/**
 * struct compare_run - one run of a comparison, in the order of its rows
 * @dir:	its folder, below that of the comparison; NULL: it has no result, and @why says why
 */
struct compare_run {
	const char *store;
	const char *dir;
	const char *why;
};

/**
 * struct compare_page - what the page is about
 * @dir:	of the comparison, where the page goes, too
 * @run:	all of them; pages of runs that are there are linked
 */
struct compare_page {
	const char *lab;
	const char *dir;
	const struct system *const *system;
	const struct summary *row;
	unsigned rows;
	const struct compare_run *run;
	unsigned runs;
};

/* compare_html_write() - as @dir/report.html, whole or not at all. Return: 0 or a negative errno.
 */
int compare_html_write(const struct compare_page *p, struct err *err);

/* The chart of the page, in compare_chart.c. Without gnuplot: a word about that. */
void compare_chart_print(const struct compare_page *p, FILE *out);

#endif
