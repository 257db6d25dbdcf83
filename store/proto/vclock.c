/* SPDX-License-Identifier: MIT */
/* vclock.c - vector clocks: what happened before what, and what did not */
#include "store/proto/vclock.h"

#include <assert.h>
#include <errno.h>

#include "agent/base/buf.h"

uint64_t vclock_at(const struct token *v, unsigned i)
{
	return i < v->n ? v->at[i] : 0;
}

uint64_t vclock_tick(struct token *v, unsigned i)
{
	assert(i < TOKEN_MAX);
	while (v->n <= i)
		v->at[v->n++] = 0;
	return ++v->at[i];
}

enum vclock_order vclock_compare(const struct token *a, const struct token *b)
{
	unsigned n = a->n > b->n ? a->n : b->n;
	bool less = false, more = false;

	for (unsigned i = 0; i < n; i++) {
		less = less || vclock_at(a, i) < vclock_at(b, i);
		more = more || vclock_at(a, i) > vclock_at(b, i);
	}
	if (less && more)
		return VCLOCK_CONCURRENT;
	if (less)
		return VCLOCK_BEFORE;
	return more ? VCLOCK_AFTER : VCLOCK_EQUAL;
}

bool vclock_covers(const struct token *a, const struct token *b)
{
	for (unsigned i = 0; i < b->n; i++)
		if (vclock_at(a, i) < b->at[i])
			return false;
	return true;
}

void vclock_write(struct buf *out, const struct token *v)
{
	buf_u8(out, (uint8_t)v->n);
	for (unsigned i = 0; i < v->n; i++)
		buf_u64(out, v->at[i]);
}

int vclock_read(struct cursor *c, struct token *ret)
{
	uint8_t n = cursor_u8(c);

	if (n > TOKEN_MAX)
		return -EBADMSG;
	ret->n = n;
	for (unsigned i = 0; i < n; i++)
		ret->at[i] = cursor_u64(c);
	return 0;
}
