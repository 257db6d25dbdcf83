/* SPDX-License-Identifier: MIT */
/* shrink.h - from a history that cannot be explained to the few operations that cannot */
#ifndef CHECK_SHRINK_H
#define CHECK_SHRINK_H

#include "agent/check/finding.h"

/**
 * struct shrink - operations of one key that are a violation, made fewer
 * @index:	of operations in the history, sorted by invocation; changed in place
 * @deepest:	history index of the operation where the search ended
 * @until_ns:	lab time at which to stop making them fewer
 * @memory_bytes: for each search, 0: no limit
 */
struct shrink {
	const struct history_ops *h;
	uint32_t *index;
	size_t count;
	uint32_t deepest;
	uint64_t until_ns;
	uint64_t memory_bytes;
};

/* shrink_run() - leave out what is not needed; at worst nothing. */
void shrink_run(struct shrink *s);

#endif
