/* SPDX-License-Identifier: MIT */
/* near.h - "did you mean": the known name that is nearest to a mistyped one */
#ifndef LAB_NEAR_H
#define LAB_NEAR_H

#include <stddef.h>

/* Names further away than this many edits are not offered: they would only confuse. */
#define NEAR_DISTANCE_MAX 2

struct near {
	const char *word; /* as it was typed */
	const char *best; /* borrowed from near_offer(); NULL until something is near */
	size_t distance;
};

/* near_to() - begin a search; follow with near_offer() for each known name. */
struct near near_to(const char *word);
void near_offer(struct near *n, const char *name);

/* near_text() - ", did you mean 'west'?" or "" if nothing is near. Return: @out. */
const char *near_text(const struct near *n, char *out, size_t size);

#endif
