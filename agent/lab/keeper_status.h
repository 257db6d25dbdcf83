/* SPDX-License-Identifier: MIT */
/*
 * keeper_status.h - what the database of a node says of itself, asked again and again
 *
 * A thread of its own asks: an answer may take as long as it likes, the keeper does not wait.
 */
#ifndef LAB_KEEPER_STATUS_H
#define LAB_KEEPER_STATUS_H

#include "agent/lab/keeper.h"

struct keeper_status;

/* keeper_status_open() - begin to ask. It lives as long as the process. */
struct keeper_status *keeper_status_open(const struct keeper_task *task, struct err *err);

/* keeper_status_heard() - has it ever said anything? */
bool keeper_status_heard(struct keeper_status *s);

/* keeper_status_read() - what was said last; nothing is known if that is too long ago, or if @s is
 * NULL. */
void keeper_status_read(struct keeper_status *s, struct driver_status *ret);

#endif
