/* SPDX-License-Identifier: MIT */
/* expect.h - what a lab expects of a store: its words, and whether a number is among them */
#ifndef LAB_EXPECT_H
#define LAB_EXPECT_H

#include "agent/lab/plan.h"

#define EXPECT_WORDS_MAX 512

/* The words that stand for shares of requests, in per cent. */
#define EXPECT_ALL_PERCENT 99.0
#define EXPECT_MOST_PERCENT 50.0
#define EXPECT_NONE_PERCENT 1.0

/* expect_words() - all of it in a line: "model linearizable, lost 0, minority none". */
void expect_words(const struct plan_expect *e, char *out, size_t size);

/* expect_count_words() - "none", "some", "3", "1 to 5". expect_share_words() - "all", "95 %". */
void expect_count_words(const struct plan_range *r, char *out, size_t size);
void expect_share_words(const struct plan_range *r, char *out, size_t size);

/* expect_has() - whether @n is in the range. */
static inline bool expect_has(const struct plan_range *r, double n)
{
	return n >= r->low && n <= r->high;
}

#endif
