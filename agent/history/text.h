/* SPDX-License-Identifier: MIT */
/* text.h - a file of text, mapped as a whole, and a cursor in it */
#ifndef HISTORY_TEXT_H
#define HISTORY_TEXT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"

/**
 * struct text - a mapped file
 * @p:		what comes next; a zero byte stands at @end, so one byte may always be looked at
 */
struct text {
	const char *p;
	const char *begin;
	const char *end;
	const char *path;
	size_t mapped;
	bool json;      /* see edn.h */
	unsigned depth; /* of forms that edn.c passes over */
	struct err *err;
};

/* text_open() - map all of @fd, a regular file that stays open. Return: 0 or a negative errno. */
int text_open(struct text *t, int fd, const char *path, struct err *err);
void text_close(struct text *t);

/* text_line() - the number of the line that @at is in, from 1; @ret_column may be NULL. */
size_t text_line(const struct text *t, const char *at, size_t *ret_column);

/* text_bad() - what is wrong at the cursor: "FILE: line 3, column 7: ...". Return: -EBADMSG. */
int text_bad(const struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* text_wrap() - put file and line of @at before what @err says. Return: its code. */
int text_wrap(const struct text *t, const char *at);

/* What stands at the cursor, for people: a printable character or the end. */
const char *text_here(const struct text *t, char out[16]);

/**
 * text_uint() - a plain whole number: no sign, no zero before it
 * Return: 0, -EINVAL without a digit, -EBADMSG with a 0 before others, -ERANGE above @max
 */
static inline int text_uint(struct text *t, uint64_t max, uint64_t *ret)
{
	const char *from = t->p;
	const char *p = from;
	uint64_t n = 0;
	bool over = false;

	for (; *p >= '0' && *p <= '9'; p++) {
		over |= __builtin_mul_overflow(n, 10, &n);
		over |= __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n);
	}
	t->p = p;
	*ret = n;
	if (over || n > max)
		return -ERANGE;
	if (t->p == from)
		return -EINVAL;
	return *from == '0' && t->p > from + 1 ? -EBADMSG : 0;
}

#endif
