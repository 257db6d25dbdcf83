/* SPDX-License-Identifier: MIT */
/*
 * formats.c - which format a file has, and who reads and writes it
 *
 * A file tells its format by how it begins: by the magic of the binary one, a map whose first key
 * is a keyword (events in EDN) or one of whose keys is "type" (events in JSON), any other object
 * (JSON lines), or INFO (a Jepsen log).
 */
#include "agent/history/formats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/history/events.h"
#include "agent/history/format.h"
#include "agent/history/gather.h"
#include "agent/history/jsonl.h"
#include "agent/history/text.h"

#define FORMATS_LOOK 4096 /* bytes from the beginning that tell the format */

const char *const history_format_names[] = {
	[HISTORY_BINARY] = "bin",
	[HISTORY_JSONL] = "jsonl",
	[HISTORY_EDN] = "edn",
	[HISTORY_JSON] = "json",
	[HISTORY_LOG] = "log",
};
_Static_assert(sizeof history_format_names / sizeof *history_format_names == HISTORY_FORMAT_NR,
	"every format has a name");

bool history_has(const struct history_ops *ops, enum history_kind kind)
{
	for (size_t i = 0; i < ops->count; i++)
		if (ops->op[i].kind == kind)
			return true;
	return false;
}

/* Of bytes that begin with '[' or '{'. */
static enum history_format formats_of_map(const char *p)
{
	const char *end;
	const char *type;

	if (*p == '[')
		p += 1 + strspn(p + 1, " \t\r\n,");
	if (*p != '{')
		return HISTORY_EDN;
	p += 1 + strspn(p + 1, " \t\r\n,");
	if (*p == ':' || *p == '#' || *p == ';')
		return HISTORY_EDN;
	end = strchr(p, '}');
	type = strstr(p, "\"type\"");
	return type && (!end || type < end) ? HISTORY_JSON : HISTORY_JSONL;
}

/* @text is NUL-terminated. */
static enum history_format formats_of(const char *text)
{
	const char *p = text + strspn(text, " \t\r\n,");

	if (strncmp(text, FORMAT_MAGIC, sizeof((struct format_header *)0)->magic) == 0)
		return HISTORY_BINARY;
	if (*p == '{' || *p == '[')
		return formats_of_map(p);
	if (*p == ';' || *p == '#' || *p == '(')
		return HISTORY_EDN;
	if (strncmp(p, "INFO", 4) == 0)
		return HISTORY_LOG;
	return HISTORY_FORMAT_NR;
}

static int read_text(struct history_ops *ret, int fd, const char *path, enum history_format format,
	struct err *err)
{
	struct gather g = {.unique = false}; /* other people's histories may repeat values */
	struct text t;
	int r = text_open(&t, fd, path, err);

	if (r)
		return r;
	r = format == HISTORY_JSONL ? jsonl_read(&g, &t) : events_read(&g, &t, format);
	text_close(&t);
	if (r)
		gather_fini(&g);
	else
		gather_finish(&g, ret);
	return r;
}

static int read_format(struct history_ops *ret, int fd, const char *path,
	enum history_format format, struct err *err)
{
	char begin[FORMATS_LOOK + 1];
	ssize_t n = pread(fd, begin, FORMATS_LOOK, 0);

	if (n < 0)
		return err_set(err, -errno, EXIT_USAGE, "%s: %s", path, strerror(errno));
	begin[n] = '\0';
	if (format == HISTORY_FORMAT_NR)
		format = formats_of(begin);
	if (format == HISTORY_BINARY || n == 0)
		return binary_read(ret, fd, path, err);
	if (format == HISTORY_FORMAT_NR)
		return err_set(err, -EBADMSG, EXIT_USAGE,
			"%s: offset 0: this is no history; '" FORMAT_MAGIC
			"' (binary), '{' (JSON lines, events in EDN or JSON) or 'INFO' (a Jepsen "
			"log) was expected",
			path);
	return read_text(ret, fd, path, format, err);
}

int history_read_as(
	struct history_ops *ret, const char *path, enum history_format format, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	*ret = (struct history_ops){0};
	if (fd < 0) {
		r = -errno;
		(void)err_sys(err, r, "open '%s'", path);
		if (err)
			err->status = EXIT_USAGE;
		return r;
	}
	r = read_format(ret, fd, path, format, err);
	if (r && err)
		err->status = EXIT_USAGE;
	(void)close(fd);
	return r;
}

int history_read(struct history_ops *ret, const char *path, struct err *err)
{
	return history_read_as(ret, path, HISTORY_FORMAT_NR, err);
}

int history_write(const struct history_ops *ops, const char *path, enum history_format format,
	struct err *err)
{
	FILE *out;
	int r;

	if (format == HISTORY_BINARY)
		return binary_write(ops, path, err);
	if (format != HISTORY_JSONL && format != HISTORY_EDN)
		return err_set(err, -EOPNOTSUPP, EXIT_USAGE,
			"histories are not written as '%s', but as bin, jsonl or edn",
			history_format_names[format]);
	out = fopen(path, "we");
	if (!out)
		return err_sys(err, -errno, "write '%s'", path);
	if (format == HISTORY_JSONL)
		jsonl_write(ops, out);
	else
		edn_write(ops, out);
	r = ferror(out) ? -EIO : 0;
	if (fclose(out) != 0)
		r = -errno;
	return r ? err_sys(err, r, "write '%s'", path) : 0;
}

void history_ops_fini(struct history_ops *ops)
{
	free(ops->op);
	free(ops->micro);
	free(ops->list);
	free(ops->text);
	free(ops->text_at);
	*ops = (struct history_ops){0};
}
