/* SPDX-License-Identifier: MIT */
/* json.h - writes JSON to a stream: commas, nesting and escapes are its business */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 16

struct json {
	FILE *out;
	int depth;
	bool some[JSON_DEPTH_MAX]; /* the open object or array has a member already */
	bool keyed;                /* a key was written and waits for its value */
};

/* json_init() - write to @out, which stays the caller's. */
void json_init(struct json *j, FILE *out);

/* Inside an object each value follows json_key(). */
void json_key(struct json *j, const char *key);
void json_object(struct json *j);
void json_object_end(struct json *j);
void json_array(struct json *j);
void json_array_end(struct json *j);
/* json_string() - bytes that are no UTF-8 are written as U+FFFD. */
void json_string(struct json *j, const char *text);
void json_uint(struct json *j, uint64_t n);
void json_int(struct json *j, int64_t n);
void json_bool(struct json *j, bool b);
void json_null(struct json *j);
/* json_double() - six significant digits after rounding; NaN and infinity are written as null. */
void json_double(struct json *j, double x);

#endif
