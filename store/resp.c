/* SPDX-License-Identifier: MIT */
/*
 * resp.c - the Redis serialization protocol, versions 2 and 3: read commands, build replies
 *
 * The parser keeps no state between calls: as long as a command is not whole it says so, and is
 * called again with the same bytes and more. Bulk strings are skipped by their length, so the
 * second look costs a few instructions per argument, not per byte.
 *
 * Inline commands are words between blanks. A word with quotes in it is copied without them:
 * inside double quotes \n \r \t \b \a and \xHH stand for bytes, inside single ones only \'.
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

static int hex_digit(uint8_t c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* What stands after a backslash inside double quotes. Return: where it ends. */
static const uint8_t *unescape(const uint8_t *p, const uint8_t *end, uint8_t *ret)
{
	static const uint8_t escapes[][2] = {
		{'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'b', '\b'}, {'a', '\a'}};

	if (*p == 'x' && end - p > 2 && isxdigit(p[1]) && isxdigit(p[2])) {
		*ret = (uint8_t)(hex_digit(p[1]) << 4 | hex_digit(p[2]));
		return p + 3;
	}
	*ret = *p;
	for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
		if (escapes[i][0] == *p)
			*ret = escapes[i][1];
	return p + 1;
}

/* The inside of quotes, from *@p behind the opening one; it goes to *@to. Return: it has an end. */
static bool quoted(const uint8_t **p, const uint8_t *end, uint8_t quote, uint8_t **to)
{
	const uint8_t *q = *p;

	while (q < end && *q != quote) {
		if (*q == '\\' && quote == '"' && q + 1 < end)
			q = unescape(q + 1, end, (*to)++);
		else if (*q == '\\' && quote == '\'' && q + 1 < end && q[1] == '\'')
			*(*to)++ = *(q += 2, q - 1);
		else
			*(*to)++ = *q++;
	}
	if (q == end)
		return false;
	*p = q + 1;
	/* What follows a closing quote must be a blank. */
	return q + 1 == end || isspace(q[1]);
}

/*
 * One word of an inline command; where it has quotes it is put together at *@to.
 * Return: where it ends, NULL if a quote does not.
 */
static const uint8_t *inline_word(
	const uint8_t *p, const uint8_t *end, uint8_t **to, struct proto_bytes *ret_word)
{
	const uint8_t *first = p;
	uint8_t *copy = *to;

	while (p < end && !isspace(*p) && *p != '"' && *p != '\'')
		p++;
	*ret_word = (struct proto_bytes){.p = first, .len = (uint32_t)(p - first)};
	if (p == end || isspace(*p))
		return p;
	memcpy(copy, first, (size_t)(p - first));
	*to += p - first;
	while (p < end && !isspace(*p)) {
		if (*p != '"' && *p != '\'') {
			*(*to)++ = *p++;
			continue;
		}
		p++;
		if (!quoted(&p, end, p[-1], to))
			return NULL;
	}
	*ret_word = (struct proto_bytes){.p = copy, .len = (uint32_t)(*to - copy)};
	return p;
}

static int parse_inline(const uint8_t *p, size_t len, struct resp_command *ret, size_t *ret_used)
{
	size_t scan = len < RESP_INLINE_MAX ? len : RESP_INLINE_MAX;
	const uint8_t *newline = memchr(p, '\n', scan);
	const uint8_t *end;
	uint8_t *to = ret->unquoted; /* never longer than the line */
	unsigned n = 0;

	if (!newline)
		return scan < RESP_INLINE_MAX
			       ? -EAGAIN
			       : malformed(ret, "Protocol error: too big inline request");
	*ret_used = (size_t)(newline - p) + 1;
	end = newline > p && newline[-1] == '\r' ? newline - 1 : newline;
	for (;;) {
		while (p < end && isspace(*p))
			p++;
		if (p == end)
			break;
		if (n == RESP_ARGS_MAX)
			return malformed(ret, "Protocol error: too many arguments");
		p = inline_word(p, end, &to, &ret->args[n++]);
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

static uint8_t folded(uint8_t c, bool any_case)
{
	return any_case ? (uint8_t)tolower(c) : c;
}

/* One element of a pattern, not a star, against @c. Return: its length in *@ret_len. */
static bool match_one(
	const uint8_t *p, const uint8_t *end, uint8_t c, bool any_case, size_t *ret_len)
{
	const uint8_t *q = p + 1;
	bool not = false;
	bool in = false;

	*ret_len = 1;
	if (*p == '?')
		return true;
	if (*p == '\\' && q < end) {
		*ret_len = 2;
		return folded(*q, any_case) == c;
	}
	if (*p != '[')
		return folded(*p, any_case) == c;
	if (q < end && *q == '^') {
		not = true;
		q++;
	}
	for (; q < end && *q != ']'; q++) {
		uint8_t low, high;

		if (*q == '\\' && q + 1 < end)
			q++;
		low = high = folded(*q, any_case);
		if (end - q > 2 && q[1] == '-') {
			high = folded(q[2], any_case);
			q += 2;
		}
		in |= low <= high ? low <= c && c <= high : high <= c && c <= low;
	}
	*ret_len = (size_t)(q - p) + (q < end);
	return in != not ;
}

/* Only the last star is ever tried again, so the time is the product of the lengths at worst. */
bool resp_match(struct proto_bytes pattern, struct proto_bytes text, bool any_case)
{
	uint32_t p = 0, t = 0, star = UINT32_MAX, from = 0;
	size_t len = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.p[p] == '*') {
			star = p++;
			from = t;
		} else if (p < pattern.len &&
			   match_one(pattern.p + p, pattern.p + pattern.len,
				   folded(text.p[t], any_case), any_case, &len)) {
			p += (uint32_t)len;
			t++;
		} else if (star != UINT32_MAX) {
			p = star + 1;
			t = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.p[p] == '*')
		p++;
	return p == pattern.len;
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

void resp_array(struct buf *out, size_t n)
{
	put_number(out, '*', n);
}

void resp_nil(struct buf *out, bool resp3)
{
	if (resp3)
		buf_add(out, "_\r\n", 3);
	else
		buf_add(out, "$-1\r\n", 5);
}

void resp_map(struct buf *out, bool resp3, size_t n)
{
	put_number(out, resp3 ? '%' : '*', resp3 ? n : 2 * n);
}

void resp_set(struct buf *out, bool resp3, size_t n)
{
	put_number(out, resp3 ? '~' : '*', n);
}

void resp_verbatim(struct buf *out, bool resp3, struct proto_bytes text)
{
	if (!resp3) {
		resp_bulk(out, text);
		return;
	}
	put_number(out, '=', (int64_t)text.len + 4);
	buf_add(out, "txt:", 4);
	buf_add(out, text.p, text.len);
	buf_add(out, "\r\n", 2);
}
