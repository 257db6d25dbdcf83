/* SPDX-License-Identifier: MIT */
/*
 * events_fuzz.c - any bytes as events in EDN, in JSON and as a log: refused with a place, or read,
 * written in each format and read again as they were
 */
#include "tests/fuzz/again.h"
#include "tests/fuzz/fuzz.h"

static void take(const char *path, enum history_format format)
{
	struct history_ops ops;
	struct err err = {0};

	if (history_read_as(&ops, path, format, &err)) {
		assert(err.status == EXIT_USAGE);
		assert(strncmp(err.text, path, strlen(path)) == 0);
		return;
	}
	if (ops.count < AGAIN_OPS_MAX) {
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
