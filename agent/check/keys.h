/* SPDX-License-Identifier: MIT */
/* keys.h - the operations of a history, sorted apart by key */
#ifndef CHECK_KEYS_H
#define CHECK_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "agent/history/history.h"

struct keys_group {
	uint64_t key;
	const uint32_t *index; /* of its operations in the history, sorted by invocation */
	size_t count;
};

struct keys {
	struct keys_group *group; /* owned; in order of first appearance */
	size_t count;
	uint32_t *index; /* owned */
};

/* keys_order() - the indexes of all operations, sorted by invocation; to be freed. */
uint32_t *keys_order(const struct history_ops *h);

void keys_build(struct keys *k, const struct history_ops *h);
void keys_destroy(struct keys *k);

/* keys_count() - operations that say something, and keys that they are about: all but failures
 * and reads without an answer. */
void keys_count(const struct history_ops *h, size_t *ret_operations, size_t *ret_keys);

#endif
