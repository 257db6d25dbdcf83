/* SPDX-License-Identifier: MIT */
/*
 * canvas.h - lines of a picture for a terminal: columns, colours, bars; never wider than allowed
 *
 * What does not fit into a line is left out, with a mark in its last column. A line has at most
 * look.columns - 1 columns: with one more the cursor of many terminals hangs between two lines.
 */
#ifndef BASE_CANVAS_H
#define BASE_CANVAS_H

#include "agent/base/buf.h"
#include "agent/base/term.h"

enum style {
	STYLE_PLAIN,
	STYLE_DIM,
	STYLE_BOLD,
	STYLE_GOOD,
	STYLE_WARN,
	STYLE_BAD,
	STYLE_COOL, /* what is neither good nor bad, but to be found */
	STYLE_NR
};

struct canvas {
	struct look look;
	struct buf text;
	unsigned column; /* of the line that is drawn */
	bool cut;        /* something of it did not fit */
};

void canvas_init(struct canvas *c, const struct look *look);
void canvas_fini(struct canvas *c);

/* canvas_left() - columns that are left in this line. */
unsigned canvas_left(const struct canvas *c);

/* canvas_put() - words in one style; bytes that are no text become '?'. */
void canvas_put(struct canvas *c, enum style style, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* canvas_pick() - one of two words, as the terminal can show it. */
void canvas_pick(struct canvas *c, enum style style, const char *unicode, const char *ascii);

/* canvas_label() - @text in @width columns: cut to them, or with blanks behind it. */
void canvas_label(struct canvas *c, enum style style, unsigned width, const char *text);

/* canvas_to() - blanks up to column @column, if it is further right. */
void canvas_to(struct canvas *c, unsigned column);

/* canvas_bar() - @width columns, of which @share (0 to 1) are done. */
void canvas_bar(struct canvas *c, unsigned width, double share);

/* canvas_share() - one column: how much of 1 was good; negative: there was nothing. */
void canvas_share(struct canvas *c, double share);

/* canvas_end() - of the line. */
void canvas_end(struct canvas *c);

/* canvas_text() - all lines up to now. */
const char *canvas_text(struct canvas *c);

#endif
