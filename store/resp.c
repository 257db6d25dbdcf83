/* SPDX-License-Identifier: MIT */
/*
 * resp.c - the Redis serialization protocol, version 2: read commands, build replies
 *
 * The parser keeps no state between calls: as long as a command is not whole it says so, and is
 * called again with the same bytes and more. Bulk strings are skipped by their length, so the
 * second look costs a few instructions per argument, not per byte.
 *
 * Inline commands are words between blanks; a word in double or single quotes may contain blanks.
 * Escapes inside quotes are not read: whoever needs other bytes sends an array.
 */
#include "store/resp.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* "-9223372036854775808" and the line's end. */
#define NUMBER_CHARS_MAX 20u
#define ERROR_TEXT_MAX 512

static int malformed(struct resp_command *ret, const char *error)
{
	ret->n = 0;
	ret->error = error;
	return -EBADMSG;
}

/* Reads "<type><decimal>\r\n" at *@at. Return: 0, -EAGAIN, or -EBADMSG. */
static int read_number(const uint8_t *p, size_t len, size_t *at, int64_t *ret)
{
	size_t i = *at + 1;
	bool negative = i < len && p[i] == '-';
	size_t first = i += negative;
	int64_t n = 0;

	for (; i < len && isdigit(p[i]); i++) {
		if (i - first >= NUMBER_CHARS_MAX - 2)
			return -EBADMSG;
		n = n * 10 + (p[i] - '0');
	}
	if (i == len)
		return -EAGAIN;
	if (p[i] != '\r' || i == first)
		return -EBADMSG;
	if (i + 1 == len)
		return -EAGAIN;
	if (p[i + 1] != '\n')
		return -EBADMSG;
	*at = i + 2;
	*ret = negative ? -n : n;
	return 0;
}

static int parse_bulk(
	const uint8_t *p, size_t len, size_t *at, struct resp_command *ret, struct proto_bytes *arg)
{
	int64_t n = 0;
	int err;

	if (*at == len)
		return -EAGAIN;
	if (p[*at] != '$')
		return malformed(ret, "Protocol error: expected '$'");
	err = read_number(p, len, at, &n);
	if (err == -EBADMSG || n < 0 || n > (int64_t)RESP_BULK_MAX)
		return malformed(ret, "Protocol error: invalid bulk length");
	if (err < 0)
		return err;
	if (*at + (size_t)n > RESP_COMMAND_MAX)
		return malformed(ret, "Protocol error: command too long");
	if (len - *at < (size_t)n + 2)
		return -EAGAIN;
	if (p[*at + (size_t)n] != '\r' || p[*at + (size_t)n + 1] != '\n')
		return malformed(ret, "Protocol error: bulk string without an end");
	*arg = (struct proto_bytes){.p = p + *at, .len = (uint32_t)n};
	*at += (size_t)n + 2;
	return 0;
}

static int parse_array(const uint8_t *p, size_t len, struct resp_command *ret, size_t *ret_used)
{
	int64_t n = 0;
	size_t at = 0;
	int err = read_number(p, len, &at, &n);

	if (err == -EBADMSG || n > (int64_t)RESP_ARGS_MAX)
		return malformed(ret, "Protocol error: invalid multibulk length");
	if (err < 0)
		return err;
	for (int64_t i = 0; i < n; i++) {
		err = parse_bulk(p, len, &at, ret, &ret->args[i]);
		if (err < 0)
			return err;
	}
	ret->n = n > 0 ? (unsigned)n : 0;
	*ret_used = at;
	return 0;
}

/* One word of an inline command. Return: where it ends, NULL if a quote does not. */
static const uint8_t *inline_word(
	const uint8_t *p, const uint8_t *end, struct proto_bytes *ret_word)
{
	uint8_t quote = *p == '"' || *p == '\'' ? *p : 0;
	const uint8_t *first = p + (quote != 0);
	const uint8_t *q = first;

	while (q < end && (quote ? *q != quote : *q != ' ' && *q != '\t'))
		q++;
	*ret_word = (struct proto_bytes){.p = first, .len = (uint32_t)(q - first)};
	if (!quote)
		return q;
	/* What follows a closing quote must be a blank. */
	if (q == end || (q + 1 < end && q[1] != ' ' && q[1] != '\t'))
		return NULL;
	return q + 1;
}

static int parse_inline(const uint8_t *p, size_t len, struct resp_command *ret, size_t *ret_used)
{
	size_t scan = len < RESP_INLINE_MAX ? len : RESP_INLINE_MAX;
	const uint8_t *newline = memchr(p, '\n', scan);
	const uint8_t *end;
	unsigned n = 0;

	if (!newline)
		return scan < RESP_INLINE_MAX
			       ? -EAGAIN
			       : malformed(ret, "Protocol error: too big inline request");
	*ret_used = (size_t)(newline - p) + 1;
	end = newline > p && newline[-1] == '\r' ? newline - 1 : newline;
	for (;;) {
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
		if (p == end)
			break;
		if (n == RESP_ARGS_MAX)
			return malformed(ret, "Protocol error: too many arguments");
		p = inline_word(p, end, &ret->args[n++]);
		if (!p)
			return malformed(ret, "Protocol error: unbalanced quotes in request");
	}
	ret->n = n;
	return 0;
}

int resp_parse(const uint8_t *p, size_t len, struct resp_command *ret, size_t *ret_used)
{
	ret->n = 0;
	ret->error = NULL;
	if (len == 0)
		return -EAGAIN;
	return p[0] == '*' ? parse_array(p, len, ret, ret_used)
			   : parse_inline(p, len, ret, ret_used);
}

bool resp_is(struct proto_bytes arg, const char *word)
{
	return strlen(word) == arg.len && strncasecmp((const char *)arg.p, word, arg.len) == 0;
}

/* "<type><decimal>\r\n" */
static void put_number(struct buf *out, char type, int64_t number)
{
	uint64_t n = number < 0 ? -(uint64_t)number : (uint64_t)number;
	char text[NUMBER_CHARS_MAX + 5];
	char *p = text + sizeof text;

	*--p = '\n';
	*--p = '\r';
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	if (number < 0)
		*--p = '-';
	*--p = type;
	buf_add(out, p, (size_t)(text + sizeof text - p));
}

static void put_line(struct buf *out, char type, const char *text)
{
	buf_u8(out, (uint8_t)type);
	for (; *text; text++)
		buf_u8(out, (uint8_t)(*text == '\r' || *text == '\n' ? ' ' : *text));
	buf_add(out, "\r\n", 2);
}

void resp_status(struct buf *out, const char *text)
{
	put_line(out, '+', text);
}

void resp_error(struct buf *out, const char *fmt, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	put_line(out, '-', text);
}

void resp_integer(struct buf *out, int64_t n)
{
	put_number(out, ':', n);
}

void resp_bulk(struct buf *out, struct proto_bytes bytes)
{
	put_number(out, '$', bytes.len);
	buf_add(out, bytes.p, bytes.len);
	buf_add(out, "\r\n", 2);
}

void resp_text(struct buf *out, const char *text)
{
	resp_bulk(out,
		(struct proto_bytes){.p = (const uint8_t *)text, .len = (uint32_t)strlen(text)});
}

void resp_nil(struct buf *out)
{
	buf_add(out, "$-1\r\n", 5);
}

void resp_array(struct buf *out, size_t n)
{
	put_number(out, '*', n);
}
