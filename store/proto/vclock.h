/* SPDX-License-Identifier: MIT */
/*
 * vclock.h - vector clocks: what happened before what, and what did not
 *
 * A clock has a count of events per replica; struct token is one, so a session's token can be
 * compared with what a replica has. Counts that are not there are 0. Sources: C. Fidge, "Timestamps
 * in Message-Passing Systems That Preserve the Partial Ordering", 1988; F. Mattern, "Virtual Time
 * and Global States of Distributed Systems", 1989.
 */
#ifndef STORE_PROTO_VCLOCK_H
#define STORE_PROTO_VCLOCK_H

#include "store/token.h"

struct buf;
struct cursor;

enum vclock_order { VCLOCK_EQUAL, VCLOCK_BEFORE, VCLOCK_AFTER, VCLOCK_CONCURRENT };

/* vclock_at() - count of replica @i. vclock_tick() - one more; @i < TOKEN_MAX. Return: it. */
uint64_t vclock_at(const struct token *v, unsigned i);
uint64_t vclock_tick(struct token *v, unsigned i);

/* vclock_compare() - how @a stands to @b. */
enum vclock_order vclock_compare(const struct token *a, const struct token *b);

/* vclock_covers() - whether @a has all that @b has: it is equal or after. */
bool vclock_covers(const struct token *a, const struct token *b);

/* vclock_write() - append its bytes. vclock_read() - Return: 0, or -EBADMSG: too many counts. */
void vclock_write(struct buf *out, const struct token *v);
int vclock_read(struct cursor *c, struct token *ret);

#endif
