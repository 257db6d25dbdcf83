/* SPDX-License-Identifier: MIT */
/* canvas.c - lines of a picture for a terminal: columns, colours, bars; never wider than allowed */
#include "agent/base/canvas.h"

#include <stdarg.h>
#include <stdio.h>

#define WORDS_MAX 1024
#define HEIGHTS 6 /* of what is less than all */

/* From here on a share is as good as all: what verdicts ask for, too. */
#define SHARE_ALL 0.99

void canvas_init(struct canvas *c, const struct look *look)
{
	*c = (struct canvas){.look = *look};
}

void canvas_fini(struct canvas *c)
{
	buf_fini(&c->text);
}

static unsigned width_max(const struct canvas *c)
{
	return c->look.columns > 1 ? c->look.columns - 1 : 1;
}

unsigned canvas_left(const struct canvas *c)
{
	return width_max(c) - c->column;
}

static void style_begin(struct canvas *c, enum style style)
{
	static const char *const code[STYLE_NR] = {[STYLE_PLAIN] = "",
		[STYLE_DIM] = "\033[2m",
		[STYLE_BOLD] = "\033[1m",
		[STYLE_GOOD] = "\033[32m",
		[STYLE_WARN] = "\033[33m",
		[STYLE_BAD] = "\033[31m",
		[STYLE_COOL] = "\033[36m"};

	if (c->look.colour && style != STYLE_PLAIN)
		buf_printf(&c->text, "%s", code[style]);
}

static void style_end(struct canvas *c, enum style style)
{
	if (c->look.colour && style != STYLE_PLAIN)
		buf_printf(&c->text, "\033[0m");
}

/* Bytes of the character at @p; 0: it is none. */
static size_t character(const char *p)
{
	unsigned char first = (unsigned char)*p;
	size_t n = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;

	if (first < ' ' || first == 0x7f || (first >= 0x80 && first < 0xc2) || first > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

/* Up to the last column; a text of which there is more has the mark there. */
static void put_words(struct canvas *c, const char *p)
{
	while (*p && !c->cut) {
		size_t n = character(p);
		bool shown = n == 1 || (n > 1 && c->look.utf8);
		size_t step = n ? n : 1;

		if (canvas_left(c) == 0) {
			c->cut = true;
			return;
		}
		if (canvas_left(c) == 1 && p[step]) {
			c->cut = true;
			buf_printf(&c->text, "%s", c->look.utf8 ? "…" : "~");
		} else if (shown) {
			buf_add(&c->text, p, n);
		} else {
			buf_u8(&c->text, '?');
		}
		c->column++;
		p += step;
	}
}

void canvas_put(struct canvas *c, enum style style, const char *fmt, ...)
{
	char words[WORDS_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(words, sizeof words, fmt, args);
	va_end(args);
	if (!*words || c->cut)
		return;
	style_begin(c, style);
	put_words(c, words);
	style_end(c, style);
}

void canvas_label(struct canvas *c, enum style style, unsigned width, const char *text)
{
	unsigned end = c->column + width;
	struct canvas label = *c;

	if (c->cut || canvas_left(c) == 0)
		return;
	/* A line of its own that ends there. */
	if (width < canvas_left(c))
		label.look.columns = end + 1;
	style_begin(&label, style);
	put_words(&label, text);
	style_end(&label, style);
	c->text = label.text;
	c->column = label.column;
	canvas_to(c, end);
}

void canvas_pick(struct canvas *c, enum style style, const char *unicode, const char *ascii)
{
	canvas_put(c, style, "%s", c->look.utf8 ? unicode : ascii);
}

void canvas_to(struct canvas *c, unsigned column)
{
	while (c->column < column && canvas_left(c) > 0) {
		buf_u8(&c->text, ' ');
		c->column++;
	}
}

static void repeat(struct canvas *c, enum style style, unsigned n, const char *what)
{
	if (n > canvas_left(c))
		n = canvas_left(c);
	if (n == 0)
		return;
	style_begin(c, style);
	for (unsigned i = 0; i < n; i++)
		buf_printf(&c->text, "%s", what);
	style_end(c, style);
	c->column += n;
}

void canvas_bar(struct canvas *c, unsigned width, double share)
{
	unsigned halves;
	unsigned whole;
	bool half;

	if (!(share > 0))
		share = 0;
	if (share > 1)
		share = 1;
	halves = (unsigned)(share * 2 * width + 0.5);
	whole = halves / 2;
	half = halves % 2;
	repeat(c, STYLE_COOL, whole, c->look.utf8 ? "━" : "=");
	repeat(c, STYLE_COOL, half, c->look.utf8 ? "╸" : ">");
	repeat(c, STYLE_DIM, width - whole - half, c->look.utf8 ? "─" : "-");
}

void canvas_share(struct canvas *c, double share)
{
	static const char *const heights[] = {"▁", "▂", "▃", "▄", "▅", "▆"};
	enum style style = share >= SHARE_ALL ? STYLE_GOOD : share > 0 ? STYLE_WARN : STYLE_BAD;
	unsigned i = (unsigned)(share > 0 ? share * HEIGHTS : 0);

	if (share < 0)
		canvas_pick(c, STYLE_DIM, "·", ".");
	else if (share >= SHARE_ALL)
		canvas_pick(c, style, "▇", "#"); /* strips stand apart from each other */
	else if (share > 0)
		canvas_pick(
			c, style, heights[i < HEIGHTS ? i : HEIGHTS - 1], share < 0.5 ? "-" : "+");
	else
		canvas_pick(c, style, "×", "x");
}

void canvas_end(struct canvas *c)
{
	buf_u8(&c->text, '\n');
	c->column = 0;
	c->cut = false;
}

const char *canvas_text(struct canvas *c)
{
	buf_u8(&c->text, '\0');
	c->text.len--;
	return (const char *)c->text.p;
}
