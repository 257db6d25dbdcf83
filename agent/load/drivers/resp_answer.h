/* SPDX-License-Identifier: MIT */
/* resp_answer.h - answers in RESP2 as a client reads them; a parser of outside bytes */
#ifndef LOAD_DRIVERS_RESP_ANSWER_H
#define LOAD_DRIVERS_RESP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/history/history.h"

/* Longest line of an answer: an error in words. Longest value: as much as a replica keeps. */
#define RESP_ANSWER_LINE_MAX 2048
#define RESP_ANSWER_VALUE_MAX (1u << 20)
/* Elements of a list. */
#define RESP_ANSWER_LIST_MAX HISTORY_MANY_MAX

enum resp_answer_type {
	RESP_ANSWER_STATUS,
	RESP_ANSWER_ERROR,
	RESP_ANSWER_VALUE,
	RESP_ANSWER_NUMBER,
	RESP_ANSWER_LIST, /* of values; text is where resp_answer_next() begins */
	RESP_ANSWER_NIL
};

struct resp_answer {
	enum resp_answer_type type;
	const char *text; /* of all but NIL: inside the bytes given, not terminated */
	size_t len;
	uint64_t count; /* of LIST */
};

/**
 * resp_answer_parse() - read one answer from the beginning of @p
 * Return: bytes used, 0 if more are needed, -EBADMSG for what is no answer to GET, SET, APPEND,
 * INCRBY, SADD, SREM, SMEMBERS or VALUES.
 */
int resp_answer_parse(const char *p, size_t len, struct resp_answer *ret);

/* resp_answer_number() - a decimal, all of @p. Return: 0, or -EBADMSG. */
int resp_answer_number(const char *p, size_t len, uint64_t *ret);

/* resp_answer_next() - take the next element off a list. Return: false if there is none. */
bool resp_answer_next(struct resp_answer *list, struct resp_answer *ret);

/**
 * resp_session_parse() - read one answer to WITH SESSION: an error, or an answer and the token
 * @ret_token:	RESP_ANSWER_NIL: there is none
 * Return: as resp_answer_parse().
 */
int resp_session_parse(
	const char *p, size_t len, struct resp_answer *ret, struct resp_answer *ret_token);

#endif
