/* SPDX-License-Identifier: MIT */
/*
 * resp.h - the Redis serialization protocol, version 2: read commands, build replies
 *
 * Pure: no I/O. https://redis.io/docs/latest/develop/reference/protocol-spec/ is what it obeys.
 */
#ifndef STORE_RESP_H
#define STORE_RESP_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "store/proto.h"

/* More arguments than any command that is answered has; redis-benchmark's MSET fits. */
#define RESP_ARGS_MAX 256u
#define RESP_BULK_MAX PROTO_VALUE_MAX
/* A SET with IFEQ carries two values; nothing longer is ever kept in memory. */
#define RESP_COMMAND_MAX (2 * RESP_BULK_MAX + 65536u)
/* A line typed by a person. */
#define RESP_INLINE_MAX 65536u

/**
 * struct resp_command - one command; its arguments point into the bytes that were parsed
 * @n:		arguments with the command's name; 0: an empty line, to be ignored
 * @error:	of -EBADMSG: static text for the client
 */
struct resp_command {
	unsigned n;
	struct proto_bytes args[RESP_ARGS_MAX];
	const char *error;
};

/**
 * resp_parse() - read one command, array of bulk strings or inline
 * @ret_used:	bytes it took; set when 0 is returned
 *
 * Return: 0; -EAGAIN: more bytes are needed; -EBADMSG: not RESP, or over a limit.
 */
int resp_parse(const uint8_t *p, size_t len, struct resp_command *ret, size_t *ret_used);

/* resp_is() - whether @arg is @word, letters compared without case. */
bool resp_is(struct proto_bytes arg, const char *word);

/* Replies. Text of a status or an error has no line break: what would break it becomes a space. */
void resp_status(struct buf *out, const char *text);
void resp_error(struct buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void resp_integer(struct buf *out, int64_t n);
void resp_bulk(struct buf *out, struct proto_bytes bytes);
void resp_text(struct buf *out, const char *text);
void resp_nil(struct buf *out);
void resp_array(struct buf *out, size_t n);

#endif
