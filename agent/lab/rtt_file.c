/* SPDX-License-Identifier: MIT */
/* rtt_file.c - round trips between regions, from a file that people have of their own */
#include "agent/lab/rtt_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"

#define BLANKS " \t\r"
#define NUMBER_MAX 32
#define FIELD_TEXT_MAX 40 /* of a field, in an error */
#define NOT_SAID UINT64_MAX

struct parser {
	struct rtt_file *ret;
	const char *path;
	const char *at; /* the rest of the text */
	const char *end;
	unsigned line;
	unsigned field;
	unsigned rows;
	struct err *err;
};

/* A field without the blanks around it. */
struct part {
	const char *p;
	size_t len;
};

static int fail(struct parser *p, const struct part *part, const char *why)
{
	if (!part)
		return err_usage(p->err, "%s:%u: %s", p->path, p->line, why);
	return err_usage(p->err, "%s:%u: field %u, '%.*s': %s", p->path, p->line, p->field,
		(int)(part->len < FIELD_TEXT_MAX ? part->len : FIELD_TEXT_MAX), part->p, why);
}

/* The next field of @line, which ends at @end. Return: false behind the last. */
static bool next_field(struct parser *p, const char **line, const char *end, struct part *ret)
{
	const char *comma;

	if (!*line)
		return false;
	comma = memchr(*line, ',', (size_t)(end - *line));
	ret->p = *line;
	ret->len = (size_t)((comma ? comma : end) - *line);
	while (ret->len > 0 && strchr(BLANKS, *ret->p)) {
		ret->p++;
		ret->len--;
	}
	while (ret->len > 0 && strchr(BLANKS, ret->p[ret->len - 1]))
		ret->len--;
	*line = comma ? comma + 1 : NULL;
	p->field++;
	return true;
}

static bool says_nothing(const char *line, const char *end)
{
	while (line < end && strchr(BLANKS, *line))
		line++;
	return line == end || *line == '#';
}

static int take_name(struct parser *p, const struct part *part)
{
	struct rtt_file *f = p->ret;

	if (f->regions == RTT_FILE_REGIONS_MAX)
		return fail(p, part, "more than 64 regions: leave some out");
	if (part->len == 0 || part->len >= RTT_FILE_NAME_MAX)
		return fail(p, part, "a region has a name of 1 to 47 bytes here");
	for (size_t i = 0; i < part->len; i++)
		if ((unsigned char)part->p[i] <= ' ' || part->p[i] == 0x7f)
			return fail(p, part, "a region's name has no blank and no control byte");
	memcpy(f->name[f->regions], part->p, part->len);
	for (unsigned i = 0; i < f->regions; i++)
		if (strcmp(f->name[i], f->name[f->regions]) == 0)
			return fail(p, part, "a second region of this name: rename or remove one");
	f->regions++;
	return 0;
}

static int take_head(struct parser *p, const char *line, const char *end)
{
	struct part part;
	int rc = 0;

	(void)next_field(p, &line, end, &part);
	if (part.len > 0)
		return fail(p, &part,
			"the first line is ',name,name,...': leave its first field empty");
	while (rc == 0 && next_field(p, &line, end, &part))
		rc = take_name(p, &part);
	if (rc == 0 && p->ret->regions < 2)
		return fail(p, NULL, "fewer than 2 regions: the first line is ',name,name,...'");
	return rc;
}

static int take_value(struct parser *p, const struct part *part, unsigned column)
{
	char number[NUMBER_MAX];
	char *end = number;
	double ms = -1;

	if (part->len == 0)
		return 0;
	if (part->len < sizeof number) {
		memcpy(number, part->p, part->len);
		number[part->len] = '\0';
		/* strtod() alone would take "inf" and "0x1p3". */
		if (strspn(number, "0123456789.") == part->len)
			ms = strtod(number, &end);
	}
	if (end == number || *end || ms < 0 || ms > RTT_FILE_MS_MAX)
		return fail(p, part, "no round trip: write milliseconds up to 30000, like 75.9");
	if (column == p->rows && ms > 0)
		return fail(p, part, "from a region to itself: write 0, or nothing");
	p->ret->rtt_ns[p->rows][column] = (uint64_t)(ms * (double)NS_PER_MS);
	return 0;
}

static int take_row(struct parser *p, const char *line, const char *end)
{
	const struct rtt_file *f = p->ret;
	struct part part;
	unsigned column = 0;
	int rc = 0;

	if (p->rows == f->regions)
		return fail(
			p, NULL, "more lines than regions in the first one: name it there, too");
	(void)next_field(p, &line, end, &part);
	if (part.len != strlen(f->name[p->rows]) || memcmp(part.p, f->name[p->rows], part.len) != 0)
		return fail(p, &part,
			"not the region whose turn it is: lines go in the order of columns");
	while (rc == 0 && next_field(p, &line, end, &part)) {
		if (column == f->regions)
			return fail(p, &part, "more fields than regions in the first line");
		rc = take_value(p, &part, column++);
	}
	p->rows++;
	return rc;
}

/* Each pair from what was said of it, once or twice. */
static int finish(struct parser *p)
{
	struct rtt_file *f = p->ret;

	if (p->rows < f->regions)
		return err_usage(p->err, "%s: region '%s' has no line of its own: add it", p->path,
			f->regions ? f->name[p->rows] : "");
	for (unsigned a = 0; a < f->regions; a++) {
		f->rtt_ns[a][a] = 0;
		for (unsigned b = 0; b < a; b++) {
			uint64_t *x = &f->rtt_ns[a][b], *y = &f->rtt_ns[b][a];

			if (*x == NOT_SAID && *y == NOT_SAID)
				return err_usage(p->err,
					"%s: no round trip between '%s' and '%s': write its "
					"milliseconds in the line of one of them",
					p->path, f->name[b], f->name[a]);
			if (*x != NOT_SAID && *y != NOT_SAID)
				*x = *x / 2 + *y / 2;
			else if (*x == NOT_SAID)
				*x = *y;
			*y = *x;
		}
	}
	return 0;
}

int rtt_file_parse(
	struct rtt_file *ret, const char *path, const char *text, size_t len, struct err *err)
{
	struct parser p = {.ret = ret, .path = path, .at = text, .end = text + len, .err = err};
	int rc = 0;

	*ret = (struct rtt_file){.regions = 0};
	memset(ret->rtt_ns, 0xff, sizeof ret->rtt_ns);
	if (len == 0 || memchr(text, '\0', len))
		return err_usage(err, "%s: %s", path,
			len ? "has a byte 0 in it: write plain text"
			    : "is empty: the first line is ',name,name,...'");
	while (rc == 0 && p.at < p.end) {
		const char *line = p.at;
		const char *end = memchr(line, '\n', (size_t)(p.end - line));

		end = end ? end : p.end;
		p.at = end < p.end ? end + 1 : p.end;
		p.line++;
		p.field = 0;
		if (says_nothing(line, end))
			continue;
		rc = ret->regions == 0 ? take_head(&p, line, end) : take_row(&p, line, end);
	}
	if (rc == 0 && ret->regions == 0)
		return err_usage(err, "%s: no region: the first line is ',name,name,...'", path);
	return rc ? rc : finish(&p);
}

int rtt_file_read(struct rtt_file *ret, const char *path, struct err *err)
{
	char *text = malloc(RTT_FILE_BYTES_MAX + 1);
	FILE *f = fopen(path, "re");
	size_t len = 0;
	int rc;

	if (!f || !text) {
		rc = err_usage(err, "%s: %s; name a file that can be read", path,
			strerror(text ? errno : ENOMEM));
	} else {
		len = fread(text, 1, RTT_FILE_BYTES_MAX + 1, f);
		if (ferror(f))
			rc = err_usage(err, "%s: %s; name a file", path, strerror(errno));
		else if (len > RTT_FILE_BYTES_MAX)
			rc = err_usage(err, "%s: longer than %u KiB: no matrix of round trips",
				path, RTT_FILE_BYTES_MAX >> 10);
		else
			rc = rtt_file_parse(ret, path, text, len, err);
	}
	if (f)
		(void)fclose(f);
	free(text);
	return rc;
}
