/* SPDX-License-Identifier: MIT */
/*
 * html.h - a page that stands by itself: head, style, sections, tables, figures
 *
 *	html_begin(out, "cap on raft");		head, link to the content
 *	html_line(out, "h1", NULL, title);
 *	...					what stands above the content
 *	html_main(out);
 *	html_section(out, "phases", "Phases");
 *	html_table(out, "Latency by phase", heads, 3);
 *	html_row(out, "baseline"); html_cell(out, "%.1f", x); html_cell_text(out, "text");
 *	html_row_end(out);
 *	html_table_end(out);
 *	html_section_end(out);
 *	html_end(out);
 *
 * No script, no request to any host (the policy in the head forbids both), light or dark as its
 * reader likes it, readable on a phone, by keyboard, by a screen reader and on paper. What is not a
 * literal here is always text: @text and what comes of @fmt are escaped.
 */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include <stdbool.h>
#include <stdio.h>

#include "agent/base/err.h"

/* Longest text that a format may give. */
#define HTML_TEXT_MAX 1024

/* html_begin() - until the end of the page's head; html_main() begins its content. */
void html_begin(FILE *out, const char *title);
void html_main(FILE *out);
void html_end(FILE *out);

/* html_text() - escaped; html_textf() - likewise what is printed by @fmt. */
void html_text(FILE *out, const char *text);
void html_textf(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* html_line() - an element around a text: "p", "h1", "h3", "li"; @class may be NULL. */
void html_line(FILE *out, const char *element, const char *class, const char *text);
void html_linef(FILE *out, const char *element, const char *class, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* html_section() - a part with an <h2>; @id is a word of our own: letters and hyphens. */
void html_section(FILE *out, const char *id, const char *heading);
void html_section_end(FILE *out);

/* html_nav() - links to sections: pairs of id and words, ended by NULL. */
void html_nav(FILE *out, const char *const (*links)[2]);

/**
 * html_table() - a table that scrolls by itself where it is too wide
 * @caption:	what it shows, as a sentence or a title
 * @head:	of each column; the first is that of the rows. Begun with HTML_LEFT: of text
 */
#define HTML_LEFT "\t"
void html_table(FILE *out, const char *caption, const char *const *head, unsigned heads);
void html_table_end(FILE *out);

/* html_row() - a row and its head. */
void html_row(FILE *out, const char *head);
void html_row_end(FILE *out);
/* html_cell() - a number, to the right; html_cell_text() - text, to the left. */
void html_cell(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void html_cell_text(FILE *out, const char *text);
/* html_cell_ms() - milliseconds or, if it is NaN, a dash. */
void html_cell_ms(FILE *out, double ms);

/**
 * html_figure() - begin a picture; its markup follows
 * @caption:	stands above it, and is its name for who cannot see it
 */
void html_figure(FILE *out, const char *caption);
/* html_figure_end() - @words below it: what there is to see, and of how many it is a sample. */
void html_figure_end(FILE *out, const char *words);

/* html_mark() - a word of a legend with the colour of class @class before it. */
void html_mark(FILE *out, const char *class, const char *text);

/* html_picture() - a file as a picture inside the page; SVG cannot run scripts there. @alt says
 * what is to be seen. Return: 0 or a negative errno; then nothing was written. */
int html_picture(FILE *out, const char *path, const char *alt, struct err *err);

#endif
