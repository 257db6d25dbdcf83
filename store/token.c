/* SPDX-License-Identifier: MIT */
/* token.c - what a session has seen and done, carried by its client from replica to replica */
#include "store/token.h"

#include <errno.h>

#include "agent/base/buf.h"
#include "store/proto.h"

void token_join(struct token *t, const struct token *other)
{
	for (; t->n < other->n; t->n++)
		t->at[t->n] = 0;
	for (uint32_t i = 0; i < other->n; i++)
		if (other->at[i] > t->at[i])
			t->at[i] = other->at[i];
}

void token_print(struct buf *out, const struct token *t)
{
	if (t->n == 0)
		buf_printf(out, "-");
	for (uint32_t i = 0; i < t->n; i++)
		buf_printf(out, "%s%llu", i ? "," : "", (unsigned long long)t->at[i]);
}

int token_parse(struct proto_bytes text, struct token *ret)
{
	bool digits = false;

	ret->n = 0;
	if (text.len == 1 && text.p[0] == '-')
		return 0;
	for (uint32_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned)text.p[i] - '0';

		if (text.p[i] == ',' && digits) {
			digits = false;
			continue;
		}
		if (digit > 9 || (!digits && ret->n == TOKEN_MAX))
			return -EBADMSG;
		if (!digits)
			ret->at[ret->n++] = 0;
		digits = true;
		if (__builtin_mul_overflow(ret->at[ret->n - 1], 10, &ret->at[ret->n - 1]) ||
			__builtin_add_overflow(ret->at[ret->n - 1], digit, &ret->at[ret->n - 1]))
			return -EBADMSG;
	}
	return digits ? 0 : -EBADMSG;
}
