/* SPDX-License-Identifier: MIT */
/* near.c - nearest known name, by edit distance (Levenshtein, with swapped neighbours as one) */
#include "near.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Longer names are not compared: nothing that a lab may name is longer. */
#define NEAR_LENGTH_MAX 64

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

static size_t distance(const char *a, const char *b)
{
	size_t row[3][NEAR_LENGTH_MAX + 1];
	size_t an = strlen(a);
	size_t bn = strlen(b);

	if (an > NEAR_LENGTH_MAX || bn > NEAR_LENGTH_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= bn; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= an; i++) {
		size_t *now = row[i % 3];
		const size_t *above = row[(i - 1) % 3];
		const size_t *above2 = row[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= bn; j++) {
			size_t cost = tolower((unsigned char)a[i - 1]) !=
				      tolower((unsigned char)b[j - 1]);

			now[j] = min3(above[j] + 1, now[j - 1] + 1, above[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				above2[j - 2] + 1 < now[j])
				now[j] = above2[j - 2] + 1;
		}
	}
	return row[an % 3][bn];
}

struct near near_to(const char *word)
{
	return (struct near){.word = word, .distance = NEAR_DISTANCE_MAX + 1};
}

void near_offer(struct near *n, const char *name)
{
	size_t d = distance(n->word, name);

	/* Half of a name must be right: one of two letters is two edits from every other. */
	if (d >= n->distance || 2 * d > strlen(name))
		return;
	n->distance = d;
	n->best = name;
}

const char *near_text(const struct near *n, char *out, size_t size)
{
	out[0] = '\0';
	if (n->best)
		(void)snprintf(out, size, ", did you mean '%s'?", n->best);
	return out;
}
