/* SPDX-License-Identifier: MIT */
/*
 * versions.h - the values that one key had, and who saw them: what staleness is measured from
 *
 * Values are unique, so each operation belongs to one of them. A compare-and-set counts as a write
 * of its new value. Times are moved up by one, so that 0 stands for "before everything".
 */
#ifndef CHECK_VERSIONS_H
#define CHECK_VERSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/check/keys.h"

#define VERSIONS_NEVER UINT64_MAX

/**
 * struct version - a value and its operations
 * @begin:	its write was invoked; 0 for "nothing", which was there before all else
 * @acked:	its write was acknowledged, VERSIONS_NEVER if it was not
 * @first:	first return of an operation of it: from then on it had surely been written
 * @last:	last invocation of an operation of it
 */
struct version {
	uint64_t value;
	uint64_t begin;
	uint64_t acked;
	uint64_t first;
	uint64_t last;
};

struct version_read {
	uint64_t begin;
	uint64_t end;
	uint32_t version;
	uint32_t index; /* in the history */
};

/**
 * struct versions - of one key
 * @version:	[0] is "nothing"; writes of unknown outcome that nobody saw are left out
 * @read:	answered reads, by invocation
 * @strange:	reads that are left out: of values that nobody wrote, or that returned before the
 *		write of what they saw began
 * @unique:	no value was written twice; if one was, nothing else here means anything
 */
struct versions {
	struct version *version; /* owned */
	size_t count;
	struct version_read *read; /* owned */
	size_t reads;
	size_t strange;
	bool unique;
};

void versions_build(
	struct versions *v, const struct history_ops *h, const struct keys_group *group);
void versions_destroy(struct versions *v);

/* versions_older() - whether @a had surely been replaced by @b. */
static inline bool versions_older(const struct version *a, const struct version *b)
{
	return a->first < b->begin;
}

#endif
