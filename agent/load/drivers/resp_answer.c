/* SPDX-License-Identifier: MIT */
/*
 * resp_answer.c - answers in RESP2 as a client reads them
 *
 * Lengths and numbers come from outside: nothing is believed.
 */
#include "agent/load/drivers/resp_answer.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

int resp_answer_number(const char *p, size_t len, uint64_t *ret)
{
	uint64_t n = 0;

	if (len == 0 || len > 20)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)p[i]) || __builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, (uint64_t)(p[i] - '0'), &n))
			return -EBADMSG;
	}
	*ret = n;
	return 0;
}

static int parse_bulk(
	const char *line, size_t len, const char *rest, size_t left, struct resp_answer *ret)
{
	uint64_t size;

	if (len == 2 && memcmp(line, "-1", 2) == 0) {
		ret->type = RESP_ANSWER_NIL;
		return 0;
	}
	if (resp_answer_number(line, len, &size) < 0 || size > RESP_ANSWER_VALUE_MAX)
		return -EBADMSG;
	if (left < size + 2)
		return -EAGAIN;
	if (memcmp(rest + size, "\r\n", 2) != 0)
		return -EBADMSG;
	ret->type = RESP_ANSWER_VALUE;
	ret->text = rest;
	ret->len = size;
	return (int)size + 2;
}

/* Elements are values; none is looked at before so many bytes are there as they have at least. */
static int parse_list(
	const char *line, size_t len, const char *rest, size_t left, struct resp_answer *ret)
{
	static const size_t least = sizeof "$0\r\n\r\n" - 1;
	uint64_t count;
	size_t at = 0;

	if (resp_answer_number(line, len, &count) < 0 || count > RESP_ANSWER_LIST_MAX)
		return -EBADMSG;
	if (left < count * least)
		return -EAGAIN;
	for (uint64_t i = 0; i < count; i++) {
		struct resp_answer element;
		int used = left > at && rest[at] != '$'
				   ? -EBADMSG
				   : resp_answer_parse(rest + at, left - at, &element);

		if (used > 0 && element.type != RESP_ANSWER_VALUE)
			used = -EBADMSG;
		if (used <= 0)
			return used < 0 ? used : -EAGAIN;
		at += (size_t)used;
	}
	*ret = (struct resp_answer){RESP_ANSWER_LIST, rest, at, count};
	return (int)at;
}

bool resp_answer_next(struct resp_answer *list, struct resp_answer *ret)
{
	int used = list->len > 0 ? resp_answer_parse(list->text, list->len, ret) : 0;

	if (used <= 0)
		return false;
	list->text += used;
	list->len -= (size_t)used;
	return true;
}

int resp_answer_parse(const char *p, size_t len, struct resp_answer *ret)
{
	const char *end = memchr(p, '\n', len < RESP_ANSWER_LINE_MAX ? len : RESP_ANSWER_LINE_MAX);
	size_t line;
	int more = 0;

	memset(ret, 0, sizeof *ret);
	if (!end)
		return len >= RESP_ANSWER_LINE_MAX ? -EBADMSG : 0;
	line = (size_t)(end - p) + 1;
	if (line < 3 || p[line - 2] != '\r')
		return -EBADMSG;
	ret->text = p + 1;
	ret->len = line - 3;
	if (p[0] == '$')
		more = parse_bulk(p + 1, line - 3, p + line, len - line, ret);
	else if (p[0] == '*' || p[0] == '~')
		more = parse_list(p + 1, line - 3, p + line, len - line, ret);
	else if (p[0] == '+')
		ret->type = RESP_ANSWER_STATUS;
	else if (p[0] == '-')
		ret->type = RESP_ANSWER_ERROR;
	else if (p[0] == ':')
		ret->type = RESP_ANSWER_NUMBER;
	else if (p[0] == '_') /* RESP3 */
		ret->type = RESP_ANSWER_NIL;
	else
		return -EBADMSG;
	if (more == -EAGAIN)
		return 0;
	return more < 0 ? more : (int)line + more;
}

int resp_session_parse(
	const char *p, size_t len, struct resp_answer *ret, struct resp_answer *ret_token)
{
	static const char pair[] = "*2\r\n";
	const int head = sizeof pair - 1;
	int first, second;

	*ret_token = (struct resp_answer){.type = RESP_ANSWER_NIL};
	if (len > 0 && p[0] != '*')
		return resp_answer_parse(p, len, ret);
	if (len < sizeof pair - 1)
		return memcmp(p, pair, len) != 0 ? -EBADMSG : 0;
	if (memcmp(p, pair, sizeof pair - 1) != 0)
		return -EBADMSG;
	first = resp_answer_parse(p + head, len - (size_t)head, ret);
	if (first <= 0)
		return first;
	second = resp_answer_parse(p + head + first, len - (size_t)(head + first), ret_token);
	if (second <= 0)
		return second;
	return ret_token->type == RESP_ANSWER_VALUE ? head + first + second : -EBADMSG;
}
