/* SPDX-License-Identifier: MIT */
/* commands.h - what clients may ask: the table of commands */
#ifndef STORE_COMMANDS_H
#define STORE_COMMANDS_H

#include "store/net.h"
#include "store/plain.h"

enum commands_result {
	COMMANDS_DONE,  /* the reply has been written */
	COMMANDS_LATER, /* the reply comes, or came, by net_reply() */
	COMMANDS_QUIT,  /* the reply has been written, and the client wants to go */
};

/* What becomes of a protocol's reply on its way to the client. */
enum commands_shape {
	SHAPE_VALUE,         /* the value, or null */
	SHAPE_OK,            /* OK, or null where a condition was not met */
	SHAPE_BEFORE,        /* the value that was there, or null */
	SHAPE_ONE,           /* 1 for done, else 0 */
	SHAPE_THERE,         /* 1 for any value, else 0 */
	SHAPE_COUNTED,       /* the number; unfit: as of INCR */
	SHAPE_APPENDED,      /* the number; unfit: as of APPEND */
	SHAPE_LENGTH,        /* of the value, 0 if there is none */
	SHAPE_TYPE,          /* "string", "set" or "none" */
	SHAPE_TTL_S,         /* seconds left, -1 for ever, -2 no key */
	SHAPE_TTL_MS,        /* milliseconds */
	SHAPE_EXPIRETIME_S,  /* seconds since 1970 */
	SHAPE_EXPIRETIME_MS, /* milliseconds since then */
	SHAPE_SET,           /* all members, in RESP3 as a set */
	SHAPE_LISTED,        /* how many members */
	SHAPE_MEMBER,        /* 1 if one of them is what was asked for (gather_seek()), else 0 */
	SHAPE_LIST,          /* all values, in their order */
	SHAPE_NR
};

/* commands_run() - run one command of @c, which took @place; at least one argument. */
enum commands_result commands_run(
	struct net_client *c, const struct resp_command *command, uint32_t place);

/* commands_plain() - the same for a plain GET or SET, on a straight way. */
void commands_plain(struct net_client *c, const struct plain *plain, uint32_t place);

/* commands_reply() - write what a protocol answered; refusals as errors that begin with a word. */
void commands_reply(struct buf *out, const struct replica *replica, const struct net_answer *answer,
	const struct proto_reply *reply);

/* commands_token() - write a session's token; NULL: of a protocol that has none. */
void commands_token(struct buf *out, const struct token *token);

/* commands_there() - whether a key of another type is an answer in this shape, and no error. */
bool commands_there(enum commands_shape shape);

/* commands_info() - write the text of INFO, all sections. */
void commands_info(struct buf *text, const struct replica *replica);

#endif
