/* SPDX-License-Identifier: MIT */
/*
 * block.h - bytes for a file that is written past the page cache
 *
 * O_DIRECT wants whole blocks at places that are aligned in memory and in the file. A stream of
 * records has no such borders, so the block in which the last write ended goes out again in front
 * of the next one: the lead.
 */
#ifndef STORE_BLOCK_H
#define STORE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

/* No disk has larger ones. */
#define BLOCK 4096u

/**
 * struct block_buf - what goes to a place in a file that is a multiple of BLOCK
 * @p:		aligned, owned
 * @lead:	bytes at the front that are in the file already; less than BLOCK
 * @len:	of all
 */
struct block_buf {
	uint8_t *p;
	size_t lead;
	size_t len;
	size_t cap; /* a multiple of BLOCK */
};

/* block_grow() - make room for @n more bytes and return where they go; len is not changed. */
void *block_grow(struct block_buf *b, size_t n);

/* block_add() - append @n bytes. */
void block_add(struct block_buf *b, const void *bytes, size_t n);

/* block_pad() - zeros up to a border, not counted in len. Return: bytes with them. */
size_t block_pad(struct block_buf *b);

/* block_follow() - empty @b, or move what it has, so that it continues the whole of @before. */
void block_follow(struct block_buf *b, const struct block_buf *before);

/* block_begin() - make @lead the lead of @b in place of what was; @n < BLOCK. */
void block_begin(struct block_buf *b, const void *lead, size_t n);

/* block_fini() - free; all zero is empty and valid, before and after. */
void block_fini(struct block_buf *b);

/* block_open() - openat() with O_DIRECT, without it where the file system has none. */
int block_open(int dir, const char *name, int flags);

#endif
