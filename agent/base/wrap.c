/* SPDX-License-Identifier: MIT */
/* wrap.c - words for people, wrapped at a width; bytes of UTF-8 count as they are seen */
#include "agent/base/wrap.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A narrower terminal would have a word in each line. */
#define WRAP_COLUMNS_MIN 40

/* Continuation bytes of UTF-8 take no column. */
int wrap_width(const char *text, size_t len)
{
	int width = 0;

	for (size_t i = 0; i < len; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	return width;
}

int wrap_columns(FILE *out)
{
	struct winsize size = {0};

	if (!isatty(fileno(out)) || ioctl(fileno(out), TIOCGWINSZ, &size) || size.ws_col == 0)
		return WRAP_COLUMNS;
	return size.ws_col < WRAP_COLUMNS_MIN ? WRAP_COLUMNS_MIN : size.ws_col;
}

/* The same of the first @left bytes. */
static void words_put(FILE *out, int at, int columns, const char *words, size_t left)
{
	int column = at;

	while (left > 0) {
		size_t len = 0;
		int width;

		while (len < left && words[len] != ' ')
			len++;
		width = wrap_width(words, len);
		if (column > at && column + 1 + width > columns) {
			(void)fprintf(out, "\n%*s", at, "");
			column = at;
		}
		if (column > at) {
			(void)fputc(' ', out);
			column++;
		}
		(void)fprintf(out, "%.*s", (int)len, words);
		column += width;
		words += len;
		left -= len;
		while (left > 0 && *words == ' ') {
			words++;
			left--;
		}
	}
}

void wrap_words(FILE *out, int at, int columns, const char *words)
{
	words_put(out, at, columns, words, strlen(words));
}

void wrap_text(FILE *out, int indent, int columns, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		(void)fprintf(out, "%*s", indent, "");
		words_put(out, indent, columns, text, len);
		(void)fputc('\n', out);
		text += len + (text[len] == '\n');
	}
}
