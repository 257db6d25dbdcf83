/* SPDX-License-Identifier: MIT */
/*
 * resp.h - the Redis serialization protocol, versions 2 and 3: read commands, build replies
 *
 * Pure: no I/O. https://redis.io/docs/latest/develop/reference/protocol-spec/ is what it obeys.
 */
#ifndef STORE_RESP_H
#define STORE_RESP_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "store/proto.h"

/* Keys of an MGET, twice those of an MSET. */
#define RESP_ARGS_MAX 4096u
#define RESP_BULK_MAX PROTO_VALUE_MAX
/* An MSET carries many values; nothing longer is ever kept in memory. */
#define RESP_COMMAND_MAX (8 * RESP_BULK_MAX + 65536u)
/* A line typed by a person. */
#define RESP_INLINE_MAX 65536u

/**
 * struct resp_command - one command
 * @args:	point into the bytes that were parsed or, of a quoted inline word, into @unquoted
 * @n:		arguments with the command's name; 0: an empty line, to be ignored
 * @error:	of -EBADMSG: static text for the client
 */
struct resp_command {
	unsigned n;
	struct proto_bytes args[RESP_ARGS_MAX];
	const char *error;
	uint8_t unquoted[RESP_INLINE_MAX];
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

/* resp_match() - whether @text is what the glob-style @pattern of Redis says: * ? [a-z] [^a] \x */
bool resp_match(struct proto_bytes pattern, struct proto_bytes text, bool any_case);

/* Replies. Text of a status or an error has no line break: what would break it becomes a space. */
void resp_status(struct buf *out, const char *text);
void resp_error(struct buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void resp_integer(struct buf *out, int64_t n);
void resp_bulk(struct buf *out, struct proto_bytes bytes);
void resp_text(struct buf *out, const char *text);
void resp_array(struct buf *out, size_t n);

/* Replies that are another type in version 3: null; map of @n pairs, set, text that is no key. */
void resp_nil(struct buf *out, bool resp3);
void resp_map(struct buf *out, bool resp3, size_t n);
void resp_set(struct buf *out, bool resp3, size_t n);
void resp_verbatim(struct buf *out, bool resp3, struct proto_bytes text);

#endif
