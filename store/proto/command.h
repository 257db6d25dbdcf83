/* SPDX-License-Identifier: MIT */
/*
 * command.h - a client's operation as bytes, and what it does to a table
 *
 * Shared by the protocols that order commands (single, raft): the outcome of a command depends on
 * the table and the command only, so every replica that applies the same commands in the same
 * order has the same table.
 */
#ifndef PROTO_COMMAND_H
#define PROTO_COMMAND_H

#include "agent/base/buf.h"
#include "store/proto.h"
#include "store/table.h"

struct command {
	enum proto_op op;
	enum proto_cond cond;
	struct proto_bytes key;
	struct proto_bytes value;
	struct proto_bytes expected;
};

static inline struct command command_of(const struct proto_request *req)
{
	return (struct command){
		.op = req->op,
		.cond = req->cond,
		.key = req->key,
		.value = req->value,
		.expected = req->expected,
	};
}

/* command_fits() - whether it can be one message: value and expected share PROTO_VALUE_MAX. */
bool command_fits(const struct command *c);

/* command_encode() - append to @b. */
void command_encode(struct buf *b, const struct command *c);

/* command_decode() - the rest of @c must be one command; @ret points into it. Return: 0, -EBADMSG.
 */
int command_decode(struct cursor *c, struct command *ret);

/**
 * command_apply() - do a write at @version, unless its condition or the value there says no
 * @ret:	status PROTO_OK, PROTO_NIL (DEL of nothing), PROTO_UNMET or PROTO_UNFIT, after the
 *last three of which nothing has changed; number and version
 */
void command_apply(
	struct table *t, const struct command *c, uint64_t version, struct proto_reply *ret);

/* command_describe() - append "set key, 12 bytes", one line of printable characters. */
void command_describe(struct buf *out, const struct command *c);

/* command_describe_key() - append a key, shortened, what is not printable as \xNN. */
void command_describe_key(struct buf *out, struct proto_bytes key);

/* command_read() - what a GET of @key answers now; points into the table. */
void command_read(const struct table *t, struct proto_bytes key, struct proto_reply *ret);

static inline bool command_same(struct proto_bytes a, struct proto_bytes b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.p, b.p, a.len));
}

#endif
