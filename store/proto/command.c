/* SPDX-License-Identifier: MIT */
/* command.c - a client's operation as bytes, and what it does to a table */
#include "store/proto/command.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

/* Of a key, in a line for people. */
#define SHOWN_MAX 48u

bool command_fits(const struct command *c)
{
	return c->key.len <= PROTO_KEY_MAX && c->value.len <= PROTO_VALUE_MAX &&
	       c->expected.len <= PROTO_VALUE_MAX - c->value.len;
}

void command_encode(struct buf *b, const struct command *c)
{
	assert(command_fits(c));
	buf_u8(b, (uint8_t)c->op);
	buf_u8(b, (uint8_t)c->cond);
	buf_bytes(b, c->key.p, c->key.len);
	buf_bytes(b, c->value.p, c->value.len);
	buf_bytes(b, c->expected.p, c->expected.len);
}

int command_decode(struct cursor *c, struct command *ret)
{
	uint8_t op = cursor_u8(c);
	uint8_t cond = cursor_u8(c);

	ret->op = (enum proto_op)op;
	ret->cond = (enum proto_cond)cond;
	ret->key.p = cursor_bytes(c, &ret->key.len);
	ret->value.p = cursor_bytes(c, &ret->value.len);
	ret->expected.p = cursor_bytes(c, &ret->expected.len);
	if (!cursor_done(c) || op >= PROTO_OP_NR || cond >= PROTO_COND_NR)
		return -EBADMSG;
	if (!command_fits(ret) || (ret->op != PROTO_SET && ret->cond != PROTO_ALWAYS))
		return -EBADMSG;
	return 0;
}

static bool met(const struct command *c, const struct table_entry *old)
{
	switch (c->cond) {
	case PROTO_NX:
		return !old;
	case PROTO_XX:
		return old;
	case PROTO_IFEQ:
		return old && command_same(old->value, c->expected);
	case PROTO_ALWAYS:
	case PROTO_COND_NR:
		break;
	}
	return true;
}

/* A whole number as Redis has it: 64 bits with a sign, no space, no plus, no leading zero. */
static bool parse_number(struct proto_bytes text, int64_t *ret)
{
	bool minus = text.len > 0 && text.p[0] == '-';
	uint32_t at = minus;
	int64_t n = 0;

	if (text.len == at || (text.p[at] == '0' && text.len > 1))
		return false;
	/* Downwards: the smallest number has no positive counterpart. */
	for (; at < text.len; at++) {
		if (text.p[at] < '0' || text.p[at] > '9' || __builtin_mul_overflow(n, 10, &n) ||
			__builtin_sub_overflow(n, text.p[at] - '0', &n))
			return false;
	}
	if (!minus && n == INT64_MIN)
		return false;
	*ret = minus ? n : -n;
	return true;
}

static enum proto_status apply_increase(struct table *t, const struct command *c,
	const struct table_entry *old, struct table_entry entry, int64_t *ret)
{
	char text[24];
	int64_t by;

	*ret = 0;
	if (!parse_number(c->value, &by) || (old && !parse_number(old->value, ret)) ||
		__builtin_add_overflow(*ret, by, ret))
		return PROTO_UNFIT;
	entry.value.len = (uint32_t)snprintf(text, sizeof text, "%lld", (long long)*ret);
	entry.value.p = (const uint8_t *)text;
	table_put(t, &entry);
	return PROTO_OK;
}

static enum proto_status apply_append(struct table *t, const struct command *c,
	const struct table_entry *old, struct table_entry entry, int64_t *ret)
{
	struct buf whole = {0};

	if (old && old->value.len > PROTO_VALUE_MAX - c->value.len)
		return PROTO_UNFIT;
	if (old)
		buf_add(&whole, old->value.p, old->value.len);
	buf_add(&whole, c->value.p, c->value.len);
	entry.value = (struct proto_bytes){.p = whole.p, .len = (uint32_t)whole.len};
	*ret = (int64_t)whole.len;
	table_put(t, &entry);
	buf_fini(&whole);
	return PROTO_OK;
}

static enum proto_status apply_set(struct table *t, const struct command *c,
	const struct table_entry *old, struct table_entry *entry)
{
	if (!met(c, old))
		return PROTO_UNMET;
	entry->value = c->value;
	table_put(t, entry);
	return PROTO_OK;
}

static enum proto_status apply_del(
	struct table *t, const struct table_entry *old, struct table_entry *entry)
{
	if (!old)
		return PROTO_NIL;
	entry->deleted = true;
	table_put(t, entry);
	return PROTO_OK;
}

void command_apply(
	struct table *t, const struct command *c, uint64_t version, struct proto_reply *ret)
{
	const struct table_entry *old = table_get(t, c->key);
	struct table_entry entry = {.key = c->key, .version = version};

	*ret = (struct proto_reply){.version = version};
	if (old && old->deleted)
		old = NULL;
	switch (c->op) {
	case PROTO_SET:
		ret->status = apply_set(t, c, old, &entry);
		return;
	case PROTO_DEL:
		ret->status = apply_del(t, old, &entry);
		return;
	case PROTO_APPEND:
		ret->status = apply_append(t, c, old, entry, &ret->number);
		return;
	case PROTO_INCREASE:
		ret->status = apply_increase(t, c, old, entry, &ret->number);
		return;
	case PROTO_GET:
	case PROTO_OP_NR:
		break;
	}
	assert(0 && "a write");
}

void command_read(const struct table *t, struct proto_bytes key, struct proto_reply *ret)
{
	const struct table_entry *e = table_get(t, key);

	*ret = (struct proto_reply){.status = PROTO_NIL};
	if (!e)
		return;
	ret->version = e->version;
	if (e->deleted)
		return;
	ret->status = PROTO_OK;
	ret->value = e->value;
}

void command_describe_key(struct buf *out, struct proto_bytes key)
{
	for (uint32_t i = 0; i < key.len && i < SHOWN_MAX; i++) {
		uint8_t c = key.p[i];

		if (c > ' ' && c < 0x7f && c != '\\')
			buf_u8(out, c);
		else
			buf_printf(out, "\\x%02x", c);
	}
	if (key.len > SHOWN_MAX)
		buf_printf(out, "... (%u bytes)", key.len);
	else if (key.len == 0)
		buf_printf(out, "(empty key)");
}

void command_describe(struct buf *out, const struct command *c)
{
	static const char *const conditions[PROTO_COND_NR] = {
		[PROTO_NX] = " NX", [PROTO_XX] = " XX", [PROTO_IFEQ] = " IFEQ"};

	buf_printf(out, "%s ", proto_op_names[c->op]);
	command_describe_key(out, c->key);
	if (c->op != PROTO_DEL)
		buf_printf(out, ", %u bytes%s", c->value.len,
			c->cond == PROTO_ALWAYS ? "" : conditions[c->cond]);
}
