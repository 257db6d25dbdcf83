/* SPDX-License-Identifier: MIT */
/* formats.h - the formats that are read and written, for formats.c; see history.h and README.md */
#ifndef HISTORY_FORMATS_H
#define HISTORY_FORMATS_H

#include "agent/history/history.h"

/* binary_read() - all operations from @fd, which stays open. Return: as history_read(). */
int binary_read(struct history_ops *ret, int fd, const char *path, struct err *err);

/* binary_write() - into a new file. Return: 0, or a negative errno with @err filled. */
int binary_write(const struct history_ops *ops, const char *path, struct err *err);

#endif
