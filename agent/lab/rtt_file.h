/* SPDX-License-Identifier: MIT */
/*
 * rtt_file.h - round trips between regions, from a file that people have of their own
 *
 *	,       frankfurt, tokyo, virginia
 *	frankfurt,      0,   225,       89
 *	tokyo,           ,     0,      146
 *	virginia,        ,      ,        0
 *
 * CSV: names in the first line and in the first column, in the same order; between them
 * milliseconds. One half is enough; where both are there, their mean is taken. Empty lines and
 *those that begin with '#' say nothing.
 */
#ifndef LAB_RTT_FILE_H
#define LAB_RTT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"

#define RTT_FILE_REGIONS_MAX 64
#define RTT_FILE_NAME_MAX 48
#define RTT_FILE_BYTES_MAX (256u << 10)
#define RTT_FILE_MS_MAX 30000.0

struct rtt_file {
	unsigned regions;
	char name[RTT_FILE_REGIONS_MAX][RTT_FILE_NAME_MAX];
	uint64_t rtt_ns[RTT_FILE_REGIONS_MAX][RTT_FILE_REGIONS_MAX];
};

/**
 * rtt_file_read() - the file at @path; rtt_file_parse() - @text, which errors call @path
 * Return: 0, or a negative errno with file, line, field and cure in @err (EXIT_USAGE).
 */
int rtt_file_read(struct rtt_file *ret, const char *path, struct err *err);
int rtt_file_parse(
	struct rtt_file *ret, const char *path, const char *text, size_t len, struct err *err);

#endif
