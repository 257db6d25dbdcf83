/* SPDX-License-Identifier: MIT */
/* commands.h - what clients may ask: the table of commands */
#ifndef STORE_COMMANDS_H
#define STORE_COMMANDS_H

#include "store/net.h"

enum commands_result {
	COMMANDS_DONE,  /* the reply has been written */
	COMMANDS_LATER, /* the reply comes, or came, by net_reply() */
	COMMANDS_QUIT,  /* the reply has been written, and the client wants to go */
};

/* commands_run() - run one command of @c, which took @place; at least one argument. */
enum commands_result commands_run(
	struct net_client *c, const struct resp_command *command, uint32_t place);

/* commands_reply() - write what a protocol answered to @op. */
void commands_reply(struct buf *out, const struct replica *replica, enum proto_op op,
	const struct proto_reply *reply);

/* commands_info() - write the text of INFO. */
void commands_info(struct buf *text, const struct replica *replica);

#endif
