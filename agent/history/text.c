/* SPDX-License-Identifier: MIT */
/*
 * text.c - a file of text, mapped as a whole, and a cursor in it
 *
 * Behind the file stands a zero byte: the rest of its last page is zero, or, if the file fills its
 * last page, a page of zeros follows. Lines are counted only where something is wrong.
 */
#include "agent/history/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_BAD_MAX 256

int text_open(struct text *t, int fd, const char *path, struct err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct stat st;
	size_t size;
	char *map;

	*t = (struct text){.path = path, .err = err};
	if (fstat(fd, &st) != 0)
		return err_sys(err, -errno, "read '%s'", path);
	size = (size_t)st.st_size;
	t->mapped = (size / page + 1) * page;
	map = mmap(NULL, t->mapped, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map != MAP_FAILED && size > 0 &&
		mmap(map, size, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, fd, 0) ==
			MAP_FAILED) {
		(void)munmap(map, t->mapped);
		map = MAP_FAILED;
	}
	if (map == MAP_FAILED)
		return err_sys(err, -errno, "map '%s'", path);
	t->begin = map;
	t->end = map + size;
	t->p = map;
	return 0;
}

void text_close(struct text *t)
{
	if (t->begin)
		(void)munmap((void *)(uintptr_t)t->begin, t->mapped);
	*t = (struct text){0};
}

size_t text_line(const struct text *t, const char *at, size_t *ret_column)
{
	const char *line = t->begin;
	const char *next;
	size_t number = 1;

	while ((next = memchr(line, '\n', (size_t)(at - line)))) {
		line = next + 1;
		number++;
	}
	if (ret_column)
		*ret_column = (size_t)(at - line) + 1;
	return number;
}

int text_bad(const struct text *t, const char *fmt, ...)
{
	char why[TEXT_BAD_MAX];
	size_t column;
	size_t line = text_line(t, t->p, &column);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(why, sizeof why, fmt, args);
	va_end(args);
	return err_set(t->err, -EBADMSG, EXIT_USAGE, "%s: line %zu, column %zu: %s", t->path, line,
		column, why);
}

int text_wrap(const struct text *t, const char *at)
{
	return err_wrap(t->err, "%s: line %zu", t->path, text_line(t, at, NULL));
}

const char *text_here(const struct text *t, char out[16])
{
	unsigned char c = (unsigned char)*t->p;

	if (t->p == t->end)
		return "the file ends";
	if (c == '\n' || c == '\r')
		return "the line ends";
	(void)snprintf(out, 16, c >= 0x20 && c < 0x7f ? "'%c'" : "\\x%02x", c);
	return out;
}
