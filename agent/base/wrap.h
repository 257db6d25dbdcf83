/* SPDX-License-Identifier: MIT */
/* wrap.h - words for people, wrapped at a width; bytes of UTF-8 count as they are seen */
#ifndef BASE_WRAP_H
#define BASE_WRAP_H

#include <stddef.h>
#include <stdio.h>

/* Where no terminal says how wide it is. */
#define WRAP_COLUMNS 100

/* wrap_width() - columns that @len bytes take. */
int wrap_width(const char *text, size_t len);

/* wrap_columns() - of the terminal behind @out, WRAP_COLUMNS if it is none or does not say. */
int wrap_columns(FILE *out);

/* wrap_words() - @words from column @at on, no further than @columns; further lines are indented as
 * far. There is no line's end behind the last. */
void wrap_words(FILE *out, int at, int columns, const char *words);

/* wrap_text() - whole paragraphs, parted by lines' ends, each indented by @indent and ended. */
void wrap_text(FILE *out, int indent, int columns, const char *text);

#endif
