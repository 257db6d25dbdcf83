/* SPDX-License-Identifier: MIT */
/* markup.c - text from anywhere as text of a page or a picture: nothing in it is markup */
#include "agent/report/markup.h"

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

void markup_text(FILE *out, const char *text, size_t size)
{
	const unsigned char *c = (const unsigned char *)text;
	const unsigned char *end = c + size;

	while (c < end && *c != '\0') {
		unsigned n = utf8_length(c);
		const char *escape = n == 0 ? "\xef\xbf\xbd" : markup_escape(*c);

		if (escape)
			(void)fputs(escape, out);
		else
			(void)fwrite(c, 1, n, out);
		c += n ? n : 1;
	}
}
