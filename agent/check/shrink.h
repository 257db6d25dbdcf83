/* SPDX-License-Identifier: MIT */
/* shrink.h - from a history that cannot be explained to the few operations that cannot */
#ifndef CHECK_SHRINK_H
#define CHECK_SHRINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/history/history.h"

/**
 * struct shrink - operations that are a violation, made fewer
 * @index:	of operations in the history, sorted by invocation; changed in place
 * @deepest:	NULL, or the operation where a search in order of time ended
 * @until_ns:	lab time at which to stop making them fewer
 * @is_violation: whether some of them by themselves are one
 * @restore:	keep what has to be kept as well, so that what is left is a violation only if all is
 */
struct shrink {
	const struct history_ops *h;
	uint32_t *index;
	size_t count;
	const struct history_op *deepest;
	uint64_t until_ns;
	bool (*is_violation)(void *arg, const uint32_t *index, size_t count);
	void (*restore)(
		const struct history_ops *h, const uint32_t *index, size_t count, bool *keep);
	void *arg; /* of is_violation() */
};

/* shrink_run() - leave out what is not needed; at worst nothing. */
void shrink_run(struct shrink *s);

#endif
