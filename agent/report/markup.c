/* SPDX-License-Identifier: MIT */
/* markup.c - text from anywhere as text of a page or a picture: nothing in it is markup */
#include "agent/report/markup.h"

#include <stdbool.h>

#include "agent/base/utf8.h"

static const char *markup_escape(unsigned char c)
{
	switch (c) {
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return c < 0x20 || c == 0x7f ? "\xef\xbf\xbd" : NULL;
	}
}

/* U+FFFE and U+FFFF are characters of UTF-8, and none of XML (XML 1.0, 2.2). */
static bool noncharacter(const unsigned char *c, unsigned n)
{
	return n == 3 && c[0] == 0xef && c[1] == 0xbf && c[2] >= 0xbe;
}

void markup_text(FILE *out, const char *text, size_t size)
{
	const unsigned char *c = (const unsigned char *)text;
	const unsigned char *end = c + size;

	while (c < end && *c != '\0') {
		unsigned n = utf8_length(c);
		const char *escape =
			n == 0 || noncharacter(c, n) ? "\xef\xbf\xbd" : markup_escape(*c);

		if (escape)
			(void)fputs(escape, out);
		else
			(void)fwrite(c, 1, n, out);
		c += n ? n : 1;
	}
}
