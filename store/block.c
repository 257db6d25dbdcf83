/* SPDX-License-Identifier: MIT */
/* block.c - bytes for a file that is written past the page cache */
#include "store/block.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN (16 * BLOCK)

void *block_grow(struct block_buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : CAP_MIN;
	void *p;

	assert(n < SIZE_MAX / 4 && b->len < SIZE_MAX / 4);
	while (cap - b->len < n)
		cap *= 2;
	if (cap != b->cap) {
		p = aligned_alloc(BLOCK, cap);
		assert(p); /* limits keep buffers small; without memory nothing goes on */
		if (b->len > 0)
			memcpy(p, b->p, b->len);
		free(b->p);
		b->p = p;
		b->cap = cap;
	}
	return b->p + b->len;
}

void block_add(struct block_buf *b, const void *bytes, size_t n)
{
	if (n == 0)
		return;
	memcpy(block_grow(b, n), bytes, n);
	b->len += n;
}

size_t block_pad(struct block_buf *b)
{
	size_t gap = (BLOCK - b->len % BLOCK) % BLOCK;

	memset(block_grow(b, gap), 0, gap);
	return b->len + gap;
}

void block_begin(struct block_buf *b, const void *lead, size_t n)
{
	assert(n < BLOCK);
	(void)block_grow(b, BLOCK);
	memmove(b->p + n, b->p + b->lead, b->len - b->lead);
	b->len = b->len - b->lead + n;
	b->lead = n;
	if (n > 0)
		memcpy(b->p, lead, n);
}

void block_follow(struct block_buf *b, const struct block_buf *before)
{
	size_t n = before->len % BLOCK;

	block_begin(b, before->p + before->len - n, n);
}

void block_fini(struct block_buf *b)
{
	free(b->p);
	*b = (struct block_buf){0};
}

int block_open(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags | O_DIRECT | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EINVAL)
		fd = openat(dir, name, flags | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}
