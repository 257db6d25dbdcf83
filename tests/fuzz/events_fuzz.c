/* SPDX-License-Identifier: MIT */
/*
 * events_fuzz.c - any bytes as events in EDN, in JSON and as a log: refused with a place, or read,
 * written in each format and read again as they were
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/history/history.h"
#include "tests/check/same.h"
#include "tests/fuzz/fuzz.h"

#define OPS_MAX 1000

/* A file in memory with these bytes, and its path. */
static int file_of(const void *bytes, size_t size, char path[32])
{
	int fd = memfd_create("events", MFD_CLOEXEC);

	assert(fd >= 0);
	assert(write(fd, bytes, size) == (ssize_t)size);
	(void)snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

/* Operations of one number and one time stand in any order. */
static bool has_an_order(const struct history_ops *ops)
{
	for (size_t i = 1; i < ops->count; i++)
		if (ops->op[i].op == ops->op[i - 1].op)
			return false;
	return true;
}

/* Values from HISTORY_INTERNED on without a spelling cannot be told from those that have one. */
static void write_again(const struct history_ops *ops, enum history_format format)
{
	struct history_ops again;
	struct err err = {0};
	char path[32];
	int fd = file_of("", 0, path);

	assert(history_write(ops, path, format, &err) == 0);
	if (ops->count > 0) {
		if (history_read_as(&again, path, format, &err)) {
			fprintf(stderr, "%s\n", err.text);
			abort();
		}
		assert(again.count == ops->count);
		assert(!has_an_order(ops) || same_history(ops, &again) == SIZE_MAX);
		history_ops_fini(&again);
	}
	(void)close(fd);
}

static void take(const char *path, enum history_format format)
{
	struct history_ops ops;
	struct err err = {0};

	if (history_read_as(&ops, path, format, &err)) {
		assert(err.status == EXIT_USAGE);
		assert(strncmp(err.text, path, strlen(path)) == 0);
		return;
	}
	if (ops.count < OPS_MAX) {
		write_again(&ops, HISTORY_EDN);
		write_again(&ops, HISTORY_JSONL);
	}
	history_ops_fini(&ops);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[32];
	int fd = file_of(data, size, path);

	take(path, HISTORY_EDN);
	take(path, HISTORY_JSON);
	take(path, HISTORY_LOG);
	(void)close(fd);
	return 0;
}
