/* SPDX-License-Identifier: MIT */
/*
 * plain.h - GET key and SET key value, as nearly all commands of a busy client are
 *
 * Pure: no I/O. What is not exactly that is left to resp.h, which reads everything.
 */
#ifndef STORE_PLAIN_H
#define STORE_PLAIN_H

#include <stddef.h>
#include <stdint.h>

#include "store/proto.h"

struct plain {
	enum proto_op op; /* PROTO_GET or PROTO_SET */
	struct proto_bytes key;
	struct proto_bytes value; /* of a SET */
	size_t used;
};

/**
 * plain_parse() - read as many of them as there are, at most @max
 *
 * Keys are no longer than PROTO_KEY_MAX, values than PROTO_VALUE_MAX; both point into @p.
 *
 * Return: how many; it ends at the first command that is another one, or malformed, or not whole.
 */
unsigned plain_parse(const uint8_t *p, size_t len, struct plain *ret, unsigned max);

#endif
