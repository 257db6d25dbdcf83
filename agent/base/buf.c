/* SPDX-License-Identifier: MIT */
/* buf.c - growing byte buffer */
#include "buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_CAP_MIN 256

void *buf_grow(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : BUF_CAP_MIN;

	assert(n < SIZE_MAX / 4 && b->len < SIZE_MAX / 4);
	while (cap - b->len < n)
		cap *= 2;
	if (cap != b->cap) {
		b->p = realloc(b->p, cap);
		assert(b->p); /* limits keep buffers small; without memory nothing goes on */
		b->cap = cap;
	}
	return b->p + b->len;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	assert(n >= 0);
	va_start(args, fmt);
	(void)vsnprintf(buf_grow(b, (size_t)n + 1), (size_t)n + 1, fmt, args);
	va_end(args);
	b->len += (size_t)n;
}

void buf_drop(struct buf *b, size_t n)
{
	assert(n <= b->len);
	b->len -= n;
	if (b->len > 0)
		memmove(b->p, b->p + n, b->len);
}

void buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){0};
}
