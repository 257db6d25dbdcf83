/* SPDX-License-Identifier: MIT */
/* words.c - sentences put together from parts, in buffers of fixed size */
#include <stdarg.h>
#include <string.h>

#include "agent/report/parts.h"

void words_add(char *text, size_t size, const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text + len, size - len, fmt, args);
	va_end(args);
}
