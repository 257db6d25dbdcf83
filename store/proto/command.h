/* SPDX-License-Identifier: MIT */
/*
 * command.h - a client's operation as bytes, and what it does to a table
 *
 * Shared by the protocols that order commands (single, raft): the outcome of a command depends on
 * the table, the clock below and the command only, so every replica that applies the same commands
 * in the same order has the same table.
 *
 * Time. A key that expires is gone when a clock says so, and replicas must agree when that was. So
 * a command carries the wall clock of the one who ordered it, its *stamp*, and who applies it has a
 * clock of its own, the highest stamp so far: that never goes back, whatever the clocks of
 * successive leaders say. Conditions, GET, APPEND and INCREASE are judged against it. It is a part
 * of the data: a snapshot must carry it. A read does not go through the log, so it asks for the
 * later of this clock and the own wall clock (command_now()). What follows: a leader whose wall
 * clock is ahead ends keys early, for good if it orders a write; and a key that a read has seen
 * expire may be seen again, once, from a leader whose clock is behind. Clocks in step avoid both.
 *
 * An expired entry stands in the table until it is written again or swept away: each command that
 * is applied looks at a few entries more. Nobody can tell by its answers which of the two it was.
 */
#ifndef PROTO_COMMAND_H
#define PROTO_COMMAND_H

#include "agent/base/buf.h"
#include "store/proto.h"
#include "store/table.h"

struct command {
	uint64_t stamp_ns; /* wall clock of the one who ordered it, 0: nobody has */
	enum proto_op op;
	enum proto_cond cond;
	bool get;
	uint64_t expires_ns; /* as in struct proto_request */
	struct proto_bytes key;
	struct proto_bytes value;
	struct proto_bytes expected;
};

/**
 * struct command_state - what there is beside the table; all zero at the beginning
 * @clock_ns:	highest stamp of what was applied
 * @sweep:	of table_scan(): where the search for expired entries goes on
 * @swept:	that no entry expires, as far as is known
 * @seen:	an entry that expires was met since the search began anew
 * @before:	the value that a command with @get has replaced
 */
struct command_state {
	uint64_t clock_ns;
	uint64_t sweep;
	bool swept;
	bool seen;
	struct buf before;
};

void command_state_fini(struct command_state *s);

static inline struct command command_of(const struct proto_request *req)
{
	return (struct command){
		.op = req->op,
		.cond = req->cond,
		.get = req->get,
		.expires_ns = req->expires_ns,
		.key = req->key,
		.value = req->value,
		.expected = req->expected,
	};
}

/* command_fits() - whether it can be one message: value and expected share PROTO_VALUE_MAX. */
bool command_fits(const struct command *c);

/* command_encode() - append to @b. */
void command_encode(struct buf *b, const struct command *c);

/* command_stamp() - set the stamp of a command that was encoded, in place. */
void command_stamp(uint8_t *bytes, uint64_t stamp_ns);

/* command_decode() - the rest of @c must be one command; @ret points into it. Return: 0, -EBADMSG.
 */
int command_decode(struct cursor *c, struct command *ret);

/**
 * command_apply() - do a write at @version, unless its condition or the value there says no
 * @ret:	status PROTO_OK, PROTO_NIL (DEL of nothing), PROTO_UNMET or PROTO_UNFIT, after the
 *		last three of which nothing has changed; number and version; with @get the value
 *		that was there, valid until the next call
 */
void command_apply(struct table *t, struct command_state *s, const struct command *c,
	uint64_t version, struct proto_reply *ret);

/* command_describe() - append "set key, 12 bytes", one line of printable characters. */
void command_describe(struct buf *out, const struct command *c);

/* command_describe_key() - append a key, shortened, what is not printable as \xNN. */
void command_describe_key(struct buf *out, struct proto_bytes key);

/* command_now() - the time for a read, where the wall clock says @wall_ns. */
static inline uint64_t command_now(const struct command_state *s, uint64_t wall_ns)
{
	return s->clock_ns > wall_ns ? s->clock_ns : wall_ns;
}

/* command_read() - what a GET of @key answers at @now_ns; points into the table. */
void command_read(
	const struct table *t, struct proto_bytes key, uint64_t now_ns, struct proto_reply *ret);

/* command_number() - a whole number as Redis has it: 64 bits, no space, plus or leading zero. */
bool command_number(struct proto_bytes text, int64_t *ret);

static inline bool command_same(struct proto_bytes a, struct proto_bytes b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.p, b.p, a.len));
}

#endif
