/* SPDX-License-Identifier: MIT */
/* jsonl.h - histories as JSON lines, one operation a line; the format is in README.md */
#ifndef HISTORY_JSONL_H
#define HISTORY_JSONL_H

#include <stdio.h>

#include "agent/history/gather.h"
#include "agent/history/text.h"

/* By outcome less HISTORY_OK. */
extern const char *const history_outcome_names[3];

/* jsonl_read() - all operations of @t. Return: 0, or -EBADMSG with the place in t->err. */
int jsonl_read(struct gather *g, struct text *t);

/* jsonl_write() - all operations; errors are those of @out. */
void jsonl_write(const struct history_ops *ops, FILE *out);

#endif
