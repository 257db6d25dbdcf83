/* SPDX-License-Identifier: MIT */
/* pairs.h - a map from a pair of numbers (key and value, say) to a number: open addressing */
#ifndef HISTORY_PAIRS_H
#define HISTORY_PAIRS_H

#include <stddef.h>
#include <stdint.h>

#define PAIRS_NONE UINT32_MAX

struct pairs_entry {
	uint64_t a;
	uint64_t b;
	uint32_t number; /* PAIRS_NONE: the entry is free */
};

/* An all-zero map is empty and valid. */
struct pairs {
	struct pairs_entry *entry; /* owned */
	size_t mask;               /* entries - 1, a power of two less one */
	size_t count;
};

/**
 * pairs_put() - the number of (@a, @b), which becomes @number if there was none
 * @number:	never PAIRS_NONE
 */
uint32_t pairs_put(struct pairs *m, uint64_t a, uint64_t b, uint32_t number);

/* pairs_get() - the number of (@a, @b), PAIRS_NONE if there is none. */
uint32_t pairs_get(const struct pairs *m, uint64_t a, uint64_t b);

/* pairs_set() - put, or replace what was there. */
void pairs_set(struct pairs *m, uint64_t a, uint64_t b, uint32_t number);

void pairs_fini(struct pairs *m);

#endif
