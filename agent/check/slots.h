/* SPDX-License-Identifier: MIT */
/* slots.h - a map from a pair of numbers to a number, from which entries can be taken again */
#ifndef CHECK_SLOTS_H
#define CHECK_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOTS_NONE UINT32_MAX

struct slots_entry {
	uint64_t a;
	uint64_t b;
	uint32_t number; /* SLOTS_NONE: the entry is free */
};

/* An all-zero map is empty and valid. */
struct slots {
	struct slots_entry *entry; /* owned */
	size_t mask;               /* entries - 1, a power of two less one */
	size_t count;
};

/* slots_set() - (@a, @b) has @number from now on, which is not SLOTS_NONE. */
void slots_set(struct slots *s, uint64_t a, uint64_t b, uint32_t number);

/* slots_get() - SLOTS_NONE if there is none. */
uint32_t slots_get(const struct slots *s, uint64_t a, uint64_t b);

/* slots_take() - likewise, and it is gone. */
uint32_t slots_take(struct slots *s, uint64_t a, uint64_t b);

void slots_fini(struct slots *s);

#endif
