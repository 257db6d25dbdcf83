/* SPDX-License-Identifier: MIT */
/* jsonl.h - histories as JSON lines, one operation a line; the format is in README.md */
#ifndef HISTORY_JSONL_H
#define HISTORY_JSONL_H

#include "agent/history/history.h"

#define JSONL_LINE_MAX 4096 /* bytes of a line; the longest that is written has about 400 */

/* jsonl_read() - all operations from @fd, which stays open. Return: as history_read(). */
int jsonl_read(struct history_ops *ret, int fd, const char *path, struct err *err);

#endif
