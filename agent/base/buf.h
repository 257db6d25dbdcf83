/* SPDX-License-Identifier: MIT */
/*
 * buf.h - growing byte buffer, and little-endian encoding that trusts no length
 *
 * Writers append to a struct buf. Readers walk a struct cursor: reading past the end gives zeros
 * and sets ->bad, so a decoder checks once, at its end, and never before.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	uint8_t *p; /* owned */
	size_t len;
	size_t cap;
};

/* buf_grow() - make room for @n more bytes and return where they go; len is not changed. */
void *buf_grow(struct buf *b, size_t n);

/* buf_add() - append @n bytes. In line: most appends are a few bytes to a buffer with room. */
static inline void buf_add(struct buf *b, const void *bytes, size_t n)
{
	if (n == 0)
		return;
	memcpy(b->cap - b->len >= n ? b->p + b->len : buf_grow(b, n), bytes, n);
	b->len += n;
}

/* buf_printf() - append text. */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* buf_drop() - remove the first @n bytes; @n <= len. */
void buf_drop(struct buf *b, size_t n);

/* buf_fini() - free; an all-zero buffer is empty and valid, before and after. */
void buf_fini(struct buf *b);

static inline void buf_u8(struct buf *b, uint8_t v)
{
	buf_add(b, &v, 1);
}

static inline void buf_u16(struct buf *b, uint16_t v)
{
	uint8_t x[2] = {(uint8_t)v, (uint8_t)(v >> 8)};

	buf_add(b, x, 2);
}

static inline void buf_u32(struct buf *b, uint32_t v)
{
	uint8_t x[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};

	buf_add(b, x, 4);
}

static inline void buf_u64(struct buf *b, uint64_t v)
{
	buf_u32(b, (uint32_t)v);
	buf_u32(b, (uint32_t)(v >> 32));
}

/* buf_bytes() - append a 32-bit length and the bytes. */
static inline void buf_bytes(struct buf *b, const void *bytes, uint32_t n)
{
	buf_u32(b, n);
	buf_add(b, bytes, n);
}

struct cursor {
	const uint8_t *p;
	size_t left;
	bool bad; /* something was read that was not there */
};

static inline struct cursor cursor_over(const void *bytes, size_t n)
{
	return (struct cursor){.p = bytes, .left = n};
}

/* cursor_take() - the next @n bytes in place, NULL if there are not so many. */
static inline const uint8_t *cursor_take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->bad || n > c->left) {
		c->bad = true;
		return NULL;
	}
	if (n > 0) /* nothing may be added to NULL, not even 0 */
		c->p += n;
	c->left -= n;
	return p;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 1);

	return p ? *p : 0;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 2);

	if (!p)
		return 0;
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t cursor_u32(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 4);

	return p ? (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
			       (uint32_t)p[3] << 24
		 : 0;
}

static inline uint64_t cursor_u64(struct cursor *c)
{
	uint64_t low = cursor_u32(c);

	return low | (uint64_t)cursor_u32(c) << 32;
}

/* cursor_bytes() - a 32-bit length and that many bytes, in place. */
static inline const uint8_t *cursor_bytes(struct cursor *c, uint32_t *ret_len)
{
	uint32_t n = cursor_u32(c);
	const uint8_t *p = cursor_take(c, n);

	*ret_len = p ? n : 0;
	return p;
}

/* cursor_done() - whether all was read, no more and no less. */
static inline bool cursor_done(const struct cursor *c)
{
	return !c->bad && c->left == 0;
}

#endif
