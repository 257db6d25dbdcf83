/* SPDX-License-Identifier: MIT */
/* marks.h - what happened around the operations: phases and faults that a binary history notes */
#ifndef HISTORY_MARKS_H
#define HISTORY_MARKS_H

#include "agent/history/history.h"

#define HISTORY_MARKS_MAX 64

struct history_mark {
	uint64_t t_ns;
	uint32_t number; /* of the phase or of the fault */
	bool fault;
};

/**
 * history_marks() - at most HISTORY_MARKS_MAX marks of @path into @ret, in the file's order
 * Return: how many; none if the file has none or is no binary history. For a file that
 * history_read() has accepted.
 */
size_t history_marks(const char *path, struct history_mark *ret);

#endif
