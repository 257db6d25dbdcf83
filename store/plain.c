/* SPDX-License-Identifier: MIT */
/*
 * plain.c - GET key and SET key value, as nearly all commands of a busy client are
 *
 * Straight-line code for two shapes of bytes. Reading several commands before the first is run
 * also tells which keys will be looked up, so that their misses of the cache overlap.
 */
#include "store/plain.h"

#include <stdbool.h>
#include <string.h>

/* "*2\r\n$3\r\nGET\r\n" */
#define HEAD 13u
/* Digits of PROTO_VALUE_MAX. */
#define DIGITS_MAX 7

static bool head(const uint8_t *p, char args, const char *name)
{
	return p[1] == (uint8_t)args && memcmp(p + 2, "\r\n$3\r\n", 6) == 0 &&
	       (p[8] | 0x20) == name[0] && (p[9] | 0x20) == name[1] && (p[10] | 0x20) == name[2] &&
	       p[11] == '\r' && p[12] == '\n';
}

/* "$<length>\r\n<bytes>\r\n" Return: what follows, NULL if it is not all there or too long. */
static const uint8_t *bulk(
	const uint8_t *p, const uint8_t *end, uint32_t max, struct proto_bytes *ret)
{
	uint32_t n = 0;
	const uint8_t *first;

	if (p == end || *p++ != '$')
		return NULL;
	for (first = p; p < end && (uint8_t)(*p - '0') < 10 && p - first < DIGITS_MAX; p++)
		n = n * 10 + (uint32_t)(*p - '0');
	if (p == first || n > max || (size_t)(end - p) < (size_t)n + 4)
		return NULL;
	if (p[0] != '\r' || p[1] != '\n' || p[n + 2] != '\r' || p[n + 3] != '\n')
		return NULL;
	*ret = (struct proto_bytes){.p = p + 2, .len = n};
	return p + n + 4;
}

static const uint8_t *one(const uint8_t *p, const uint8_t *end, struct plain *ret)
{
	if ((size_t)(end - p) < HEAD || p[0] != '*')
		return NULL;
	ret->value = (struct proto_bytes){0};
	if (head(p, '2', "get")) {
		ret->op = PROTO_GET;
		return bulk(p + HEAD, end, PROTO_KEY_MAX, &ret->key);
	}
	if (!head(p, '3', "set"))
		return NULL;
	ret->op = PROTO_SET;
	p = bulk(p + HEAD, end, PROTO_KEY_MAX, &ret->key);
	return p ? bulk(p, end, PROTO_VALUE_MAX, &ret->value) : NULL;
}

unsigned plain_parse(const uint8_t *p, size_t len, struct plain *ret, unsigned max)
{
	const uint8_t *end = p + len;
	unsigned n = 0;

	while (n < max) {
		const uint8_t *next = one(p, end, &ret[n]);

		if (!next)
			break;
		ret[n++].used = (size_t)(next - p);
		p = next;
	}
	return n;
}
