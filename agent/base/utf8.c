/* SPDX-License-Identifier: MIT */
/* utf8.c - where characters begin and end in text that comes from anywhere */
#include "utf8.h"

/* The terminating NUL ends every check in time. */
unsigned utf8_length(const unsigned char *p)
{
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	unsigned len;

	if (*p < 0x80)
		return 1;
	if (*p < 0xc2 || *p > 0xf4)
		return 0;
	len = *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
	if (*p == 0xe0)
		low = 0xa0;
	else if (*p == 0xed)
		high = 0x9f;
	else if (*p == 0xf0)
		low = 0x90;
	else if (*p == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (unsigned i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

void utf8_tame(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p;) {
		unsigned len = utf8_length(p);

		/* The second half of control characters is U+0080 to U+009F. */
		if (len == 0 || *p < 0x20 || *p == 0x7f)
			*p = ' ';
		else if (*p == 0xc2 && p[1] < 0xa0)
			p[0] = p[1] = ' ';
		p += len ? len : 1;
	}
}
