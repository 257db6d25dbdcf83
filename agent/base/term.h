/* SPDX-License-Identifier: MIT */
/*
 * term.h - a terminal to draw on: how large, what it can show, a picture that changes in place
 *
 * A picture is text whose lines end with '\n' and are no wider than columns - 1 (canvas.h draws
 * such). It stands below what was printed before, and each one replaces the one before it; or it
 * has the whole screen. What is not a terminal, or is a dumb one, is never sent an escape sequence.
 */
#ifndef BASE_TERM_H
#define BASE_TERM_H

#include <stdbool.h>
#include <stddef.h>

#define TERM_LINES_MAX 256 /* of a picture; what is beyond is left out */

/* What there is to draw with. */
struct look {
	unsigned columns;
	unsigned rows;
	bool utf8;   /* blocks and lines of Unicode; else ASCII alone */
	bool colour; /* and bold, and dim */
};

struct term {
	int fd;
	bool terminal; /* takes escape sequences */
	bool screen;   /* has the whole screen */
	bool keys;     /* single keys are read, without echo */
	struct look look;
	unsigned drawn;                       /* lines of the picture that stands there */
	unsigned short width[TERM_LINES_MAX]; /* of each */
};

/**
 * term_open() - look at @fd and at the environment
 * Colours need a terminal, TERM other than "dumb", and NO_COLOR unset or empty (no-color.org);
 * Unicode needs a locale that says UTF-8.
 */
void term_open(struct term *t, int fd);

/* term_measure() - look again how large it is: before each picture. */
void term_measure(struct term *t);

/* term_screen() - take the whole screen, and single keys from standard input if that is the same
 * terminal; until term_close(), which brings back what stood there. */
void term_screen(struct term *t);

/* term_show() - this picture instead of the one before. Nothing while the program is in the
 * background, where the terminal is another's. */
void term_show(struct term *t, const char *picture);

/* term_print() - @len bytes of text above the picture, which is gone until the next one. */
void term_print(struct term *t, const char *text, size_t len);

/* term_close() - the terminal as it was: no picture, cursor, keys. Takes a closed one. */
void term_close(struct term *t);

/* term_restore() - what another process that drew on @fd could not do any more. */
void term_restore(int fd);

/* term_width() - columns that one line of text takes: no escape sequences, Unicode as it is seen.
 */
unsigned term_width(const char *line, size_t len);

#endif
