/* SPDX-License-Identifier: MIT */
/*
 * bson.h - documents of MongoDB as bytes, as far as its driver needs them
 *
 * Source: https://bsonspec.org/spec.html. What is read is trusted in nothing.
 */
#ifndef LOAD_PLUGINS_BSON_H
#define LOAD_PLUGINS_BSON_H

#include "agent/base/buf.h"

enum {
	BSON_DOUBLE = 0x01,
	BSON_TEXT = 0x02,
	BSON_DOCUMENT = 0x03,
	BSON_ARRAY = 0x04,
	BSON_BINARY = 0x05,
	BSON_OBJECT_ID = 0x07,
	BSON_BOOLEAN = 0x08,
	BSON_DATE = 0x09,
	BSON_NULL = 0x0a,
	BSON_INT32 = 0x10,
	BSON_TIMESTAMP = 0x11,
	BSON_INT64 = 0x12,
	BSON_DECIMAL = 0x13,
};

/* bson_begin() - a document or array called @name, NULL: the outermost one. Return: what bson_end()
 * wants. */
size_t bson_begin(struct buf *b, uint8_t type, const char *name);
void bson_end(struct buf *b, size_t at);
void bson_text(struct buf *b, const char *name, const char *text);
void bson_int(struct buf *b, const char *name, int n);
void bson_true(struct buf *b, const char *name);

/* bson_patch() - four bytes that were left out become @n. */
void bson_patch(struct buf *b, size_t at, size_t n);

/* @body: of a text without its NUL, of a document its elements. */
struct bson_field {
	uint8_t type; /* 0: there is none */
	struct cursor body;
};

/* bson_take() - a document begins here. Return: its elements; bad if it is none. */
struct cursor bson_take(struct cursor *c);

/* bson_next() - the next element. Return: false at the end, or if it is none: then @c is bad. */
bool bson_next(struct cursor *c, const char **ret_name, struct bson_field *ret);

/* bson_find() - the first element called @name. */
struct bson_field bson_find(struct cursor document, const char *name);

bool bson_is_document(const struct bson_field *f); /* or an array */
bool bson_text_is(const struct bson_field *f, const char *text);

/* bson_number() - of any type that a server's numbers and truths have. Return: -1: it is none. */
int64_t bson_number(struct bson_field f);

#endif
