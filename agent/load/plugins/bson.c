/* SPDX-License-Identifier: MIT */
/* bson.c - documents of MongoDB as bytes, as far as its driver needs them */
#include "agent/load/plugins/bson.h"

#include <string.h>

static void add_name(struct buf *b, uint8_t type, const char *name)
{
	buf_u8(b, type);
	buf_add(b, name, strlen(name) + 1);
}

void bson_text(struct buf *b, const char *name, const char *text)
{
	add_name(b, BSON_TEXT, name);
	buf_bytes(b, text, (uint32_t)strlen(text) + 1);
}

void bson_int(struct buf *b, const char *name, int n)
{
	add_name(b, BSON_INT32, name);
	buf_u32(b, (uint32_t)n);
}

void bson_true(struct buf *b, const char *name)
{
	add_name(b, BSON_BOOLEAN, name);
	buf_u8(b, 1);
}

void bson_patch(struct buf *b, size_t at, size_t n)
{
	for (size_t i = 0; i < 4; i++)
		b->p[at + i] = (uint8_t)(n >> 8 * i);
}

size_t bson_begin(struct buf *b, uint8_t type, const char *name)
{
	size_t at;

	if (name)
		add_name(b, type, name);
	at = b->len;
	buf_u32(b, 0);
	return at;
}

void bson_end(struct buf *b, size_t at)
{
	buf_u8(b, 0);
	bson_patch(b, at, b->len - at);
}

struct cursor bson_take(struct cursor *c)
{
	uint32_t size = cursor_u32(c);
	const uint8_t *p = size >= 5 ? cursor_take(c, size - 4) : NULL;

	if (!p || p[size - 5] != 0)
		return (struct cursor){.bad = true};
	return cursor_over(p, size - 5);
}

static bool take_body(struct cursor *c, uint8_t type, struct cursor *ret)
{
	const uint8_t *p;
	uint32_t len = 0;

	switch (type) {
	case BSON_DOUBLE:
	case BSON_DATE:
	case BSON_TIMESTAMP:
	case BSON_INT64:
		len = 8;
		break;
	case BSON_DOCUMENT:
	case BSON_ARRAY:
		*ret = bson_take(c);
		return !ret->bad;
	case BSON_TEXT:
		p = cursor_bytes(c, &len);
		if (!p || len == 0 || p[len - 1] != 0)
			return false;
		*ret = cursor_over(p, len - 1);
		return true;
	case BSON_BINARY:
		len = cursor_u32(c);
		if (len > c->left)
			return false;
		len++; /* its kind */
		break;
	case BSON_OBJECT_ID:
		len = 12;
		break;
	case BSON_BOOLEAN:
		len = 1;
		break;
	case BSON_NULL:
		break;
	case BSON_INT32:
		len = 4;
		break;
	case BSON_DECIMAL:
		len = 16;
		break;
	default:
		return false;
	}
	p = cursor_take(c, len);
	*ret = cursor_over(p, len);
	return p != NULL;
}

bool bson_next(struct cursor *c, const char **ret_name, struct bson_field *ret)
{
	const uint8_t *nul;

	*ret = (struct bson_field){.type = 0};
	if (c->left == 0 || c->bad)
		return false;
	ret->type = cursor_u8(c);
	nul = memchr(c->p, 0, c->left);
	*ret_name = (const char *)c->p;
	if (nul && cursor_take(c, (size_t)(nul - c->p) + 1) && take_body(c, ret->type, &ret->body))
		return true;
	c->bad = true;
	return false;
}

struct bson_field bson_find(struct cursor document, const char *name)
{
	const char *called;
	struct bson_field f;

	while (bson_next(&document, &called, &f)) {
		if (strcmp(called, name) == 0)
			return f;
	}
	return (struct bson_field){.type = 0};
}

bool bson_is_document(const struct bson_field *f)
{
	return f->type == BSON_DOCUMENT || f->type == BSON_ARRAY;
}

int64_t bson_number(struct bson_field f)
{
	uint64_t bits;
	double real;

	switch (f.type) {
	case BSON_DOUBLE:
		bits = cursor_u64(&f.body);
		memcpy(&real, &bits, sizeof real);
		return real >= 0 && real < (double)INT64_MAX ? (int64_t)real : -1;
	case BSON_INT32:
		return (int32_t)cursor_u32(&f.body);
	case BSON_INT64:
		return (int64_t)cursor_u64(&f.body);
	case BSON_BOOLEAN:
		return cursor_u8(&f.body);
	default:
		return -1;
	}
}

bool bson_text_is(const struct bson_field *f, const char *text)
{
	return f->type == BSON_TEXT && f->body.left == strlen(text) &&
	       memcmp(f->body.p, text, f->body.left) == 0;
}
