/* SPDX-License-Identifier: MIT */
/* resp.h - answers in RESP2 as a client reads them; a parser of outside bytes */
#ifndef LOAD_DRIVERS_RESP_H
#define LOAD_DRIVERS_RESP_H

#include <stddef.h>
#include <stdint.h>

/* Longest answer that the load can get: a decimal number, or an error in words. */
#define RESP_ANSWER_MAX 2048

enum resp_answer_type { RESP_ANSWER_STATUS, RESP_ANSWER_ERROR, RESP_ANSWER_VALUE, RESP_ANSWER_NIL };

struct resp_answer {
	enum resp_answer_type type;
	const char *text; /* of a status or an error: inside the bytes given, not terminated */
	size_t len;
	uint64_t value; /* of RESP_ANSWER_VALUE */
};

/**
 * resp_answer_parse() - read one answer from the beginning of @p
 * Return: bytes used, 0 if more are needed, -EBADMSG for what is no answer to GET or SET of a
 * number.
 */
int resp_answer_parse(const char *p, size_t len, struct resp_answer *ret);

#endif
