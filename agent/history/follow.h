/* SPDX-License-Identifier: MIT */
/* follow.h - the records of a binary history one after another, while it is written */
#ifndef HISTORY_FOLLOW_H
#define HISTORY_FOLLOW_H

#include "agent/history/history.h"

/* A slot that was claimed and not committed for so long is left out: its writer was killed. */
#define FOLLOW_WAIT_NS 2000000000ull

struct follow;

/* follow_open() - at the first record of @path. Return: 0, or a negative errno. */
int follow_open(struct follow **ret, const char *path, struct err *err);
void follow_close(struct follow *f);

/**
 * follow_next() - the next record that was committed; not ours to free, gone with the next call
 * @now_ns:	lab time, by which slots are given up
 *
 * Return: 1 with @ret, 0 if there is none yet, or -EIO.
 */
int follow_next(struct follow *f, uint64_t now_ns, const struct history_record **ret);

/* follow_left_out() - slots that were given up: from then on something may be missing. */
uint64_t follow_left_out(const struct follow *f);

#endif
