/* SPDX-License-Identifier: MIT */
/*
 * heard.h - which other replicas answer, as far as one knows: pings, a few per heartbeat
 *
 * Only an answer shows that both directions work. Who has not answered for HEARD_DEAF_HEARTBEATS
 * counts as not there; at a start everybody is, until there was time to answer. It is a guess, and
 * no safety may depend on it.
 */
#ifndef PROTO_HEARD_H
#define PROTO_HEARD_H

#include "agent/base/buf.h"
#include "store/proto.h"

#define HEARD_DEAF_HEARTBEATS 4
/* Others asked per heartbeat: n replicas send no more than 16 n pings. */
#define HEARD_PINGS_MAX 16u

struct heard {
	struct proto *p;
	unsigned pinged; /* who was last, where not all are pinged at once */
	uint64_t *at_ns; /* last answer of each, or own start; owned */
};

/* heard_init() - of replica @p. heard_start() - from now on. */
void heard_init(struct heard *h, struct proto *p);
void heard_start(struct heard *h);
void heard_fini(struct heard *h);

/* heard_turns() - how many are asked per heartbeat. heard_next() - whose turn it is. */
unsigned heard_turns(const struct heard *h);
unsigned heard_next(struct heard *h);

/* heard_ping() - messages of @type to those whose turn it is; once per heartbeat. */
void heard_ping(struct heard *h, uint8_t type);

/* heard_answer() - the rest of a ping is @c: answer by @type. Return: 0, -EBADMSG. */
int heard_answer(struct heard *h, unsigned from, uint8_t type, struct cursor *c);

/* heard_from() - @from has answered something. */
void heard_from(struct heard *h, unsigned from);

/* heard_silent_ns() - for how long @i has not. heard_deaf_ns() - how long is too long. */
uint64_t heard_silent_ns(const struct heard *h, unsigned i);
uint64_t heard_deaf_ns(const struct heard *h);

/* heard_alive() - whether it has lately; oneself always. heard_count() - how many have. */
bool heard_alive(const struct heard *h, unsigned i);
unsigned heard_count(const struct heard *h);

#endif
