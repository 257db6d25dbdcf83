/* SPDX-License-Identifier: MIT */
/* again.h - files in memory, and histories that are written and read again as they were */
#ifndef TESTS_FUZZ_AGAIN_H
#define TESTS_FUZZ_AGAIN_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/check/check.h"
#include "agent/history/history.h"
#include "tests/check/same.h"

#define AGAIN_OPS_MAX 1000

/* A file in memory with these bytes, and its path. */
static inline int file_of(const void *bytes, size_t size, char path[32])
{
	int fd = memfd_create("history", MFD_CLOEXEC);

	assert(fd >= 0);
	assert(write(fd, bytes, size) == (ssize_t)size);
	(void)snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

/*
 * Whether it comes back as it was: objects are of one type, and no operations of one number and one
 * time, which stand in any order.
 */
static inline bool comes_back(const struct history_ops *ops)
{
	enum check_type type;
	struct err err;

	if (check_type_of(ops, &type, &err))
		return false;
	for (size_t i = 1; i < ops->count; i++)
		if (ops->op[i].op == ops->op[i - 1].op)
			return false;
	return true;
}

static inline void write_again(const struct history_ops *ops, enum history_format format)
{
	struct history_ops again;
	struct err err = {0};
	char path[32];
	int fd = file_of("", 0, path);

	assert(history_write(ops, path, format, &err) == 0);
	if (ops->count > 0 && comes_back(ops)) {
		if (history_read_as(&again, path, format, &err)) {
			fprintf(stderr, "%s\n", err.text);
			abort();
		}
		assert(same_history(ops, &again) == SIZE_MAX);
		history_ops_fini(&again);
	}
	(void)close(fd);
}

#endif
