/* SPDX-License-Identifier: MIT */
/*
 * gather.h - the replies to several requests of one command, made into one
 *
 * MGET, MSET, DEL and EXISTS of many keys, SADD and SREM of many members, are as many requests to
 * the protocol, under way at the same time. They are not atomic: another client may see some done
 * and others not. Where some of a write's were refused and others done, the whole is UNCERTAIN and
 * says how many were done. Also a question whose answer is compared with what is kept here.
 */
#ifndef STORE_GATHER_H
#define STORE_GATHER_H

#include "store/commands.h"

/* Of one MGET; more is an error in its place. */
#define GATHER_BYTES_MAX (16u << 20)

/**
 * gather_open() - for @parts replies in @answer's shape to a command of @c that took @place
 *
 * SHAPE_VALUE gives an array, SHAPE_ONE, SHAPE_THERE and SHAPE_COUNTED a sum, SHAPE_OK one OK,
 * SHAPE_MEMBER whether the value of gather_seek() is listed. It closes itself with the last.
 */
struct gather *gather_open(struct net_client *c, uint32_t place, const struct net_answer *answer,
	bool write, uint32_t parts);

/* gather_seek() - what SHAPE_MEMBER looks for in its one reply; copied. */
void gather_seek(struct gather *g, struct net_client *c, struct proto_bytes value);

/* gather_take() - the reply to part @part; @c: whose it is, NULL: the client has gone. */
void gather_take(
	struct gather *g, struct net_client *c, uint32_t part, const struct proto_reply *reply);

/* gather_fini_all() - free all that still wait. */
void gather_fini_all(struct list *gathers);

#endif
