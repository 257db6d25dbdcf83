/* SPDX-License-Identifier: MIT */
/* json.c - writes JSON to a stream: commas, nesting and escapes are its business */
#include "json.h"

#include <assert.h>
#include <math.h>

#include "utf8.h"

void json_init(struct json *j, FILE *out)
{
	*j = (struct json){.out = out};
}

static void json_indent(const struct json *j)
{
	(void)fputc('\n', j->out);
	for (int i = 0; i < j->depth; i++)
		(void)fputs("  ", j->out);
}

static void json_before_value(struct json *j)
{
	if (j->keyed) {
		j->keyed = false;
		return;
	}
	if (j->depth == 0)
		return;
	if (j->some[j->depth])
		(void)fputc(',', j->out);
	j->some[j->depth] = true;
	json_indent(j);
}

static void json_open(struct json *j, char c)
{
	json_before_value(j);
	(void)fputc(c, j->out);
	assert(j->depth + 1 < JSON_DEPTH_MAX);
	j->some[++j->depth] = false;
}

static void json_close(struct json *j, char c)
{
	bool some = j->some[j->depth];

	assert(j->depth > 0 && !j->keyed);
	j->depth--;
	if (some)
		json_indent(j);
	(void)fputc(c, j->out);
	if (j->depth == 0)
		(void)fputc('\n', j->out);
}

/* Text may come from a database: what is no UTF-8 becomes U+FFFD, so the output always is JSON. */
static void json_quote(struct json *j, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	(void)fputc('"', j->out);
	while (*p) {
		unsigned len = utf8_length(p);

		if (*p == '"' || *p == '\\')
			(void)fprintf(j->out, "\\%c", *p);
		else if (*p < 0x20)
			(void)fprintf(j->out, "\\u%04x", *p);
		else if (len == 0)
			(void)fputs("\\ufffd", j->out);
		else
			(void)fwrite(p, 1, len, j->out);
		p += len ? len : 1;
	}
	(void)fputc('"', j->out);
}

void json_key(struct json *j, const char *key)
{
	assert(!j->keyed);
	json_before_value(j);
	json_quote(j, key);
	(void)fputs(": ", j->out);
	j->keyed = true;
}

void json_object(struct json *j)
{
	json_open(j, '{');
}

void json_object_end(struct json *j)
{
	json_close(j, '}');
}

void json_array(struct json *j)
{
	json_open(j, '[');
}

void json_array_end(struct json *j)
{
	json_close(j, ']');
}

void json_string(struct json *j, const char *text)
{
	json_before_value(j);
	json_quote(j, text);
}

void json_uint(struct json *j, uint64_t n)
{
	json_before_value(j);
	(void)fprintf(j->out, "%llu", (unsigned long long)n);
}

void json_int(struct json *j, int64_t n)
{
	json_before_value(j);
	(void)fprintf(j->out, "%lld", (long long)n);
}

void json_bool(struct json *j, bool b)
{
	json_before_value(j);
	(void)fputs(b ? "true" : "false", j->out);
}

void json_null(struct json *j)
{
	json_before_value(j);
	(void)fputs("null", j->out);
}

void json_double(struct json *j, double x)
{
	if (!isfinite(x)) {
		json_null(j);
		return;
	}
	json_before_value(j);
	(void)fprintf(j->out, "%.6g", x);
}
