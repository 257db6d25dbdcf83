/* SPDX-License-Identifier: MIT */
/* command.c - a client's operation as bytes, and what it does to a table */
#include "store/proto/command.h"

#include <assert.h>
#include <errno.h>

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

enum proto_status command_apply(struct table *t, const struct command *c, uint64_t version)
{
	const struct table_entry *old = table_get(t, c->key);
	struct table_entry entry = {.key = c->key, .version = version};

	if (old && old->deleted)
		old = NULL;
	assert(c->op != PROTO_GET);
	if (c->op == PROTO_DEL) {
		if (!old)
			return PROTO_NIL;
		entry.deleted = true;
	} else {
		if (!met(c, old))
			return PROTO_UNMET;
		entry.value = c->value;
	}
	table_put(t, &entry);
	return PROTO_OK;
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
