/* SPDX-License-Identifier: MIT */
/* finding.h - what is wrong with the operations on one key, and how to say it */
#ifndef CHECK_FINDING_H
#define CHECK_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/check/check.h"

enum finding_kind {
	FINDING_NONE,
	FINDING_THIN_AIR,    /* look: saw a value that nobody wrote */
	FINDING_FAILED,      /* look: saw a value whose write (newer) had surely failed */
	FINDING_FUTURE,      /* look: saw a value before its write (newer) began */
	FINDING_LOST_UPDATE, /* look and newer: both replaced the same value */
	FINDING_STALE,       /* look: saw a value (older) after newer was in effect, see below */
	FINDING_UNMET,       /* look: did not see the value (older) that must have been there */
	FINDING_ORDER,       /* no order explains the witness; look is where the search ended */
};

#define FINDING_NOBODY UINT32_MAX

/**
 * struct finding - a violation; operations are indexes into the history
 * @whole:	the witness is all of it: by itself it is still a violation
 * @look:	the operation that saw what it should not
 * @newer:	STALE: it returned before @look began, and its value had replaced the older one
 * @older:	STALE: it returned (or had seen the older value) before @replaced began
 * @replaced:	STALE: operation of the newer value that began after @older
 * @op:		the witness, in order of invocation; what is behind it need not be there
 */
struct finding {
	enum finding_kind kind;
	unsigned count;
	bool whole;
	uint32_t look;
	uint32_t newer;
	uint32_t older;
	uint32_t replaced;
	uint32_t op[CHECK_WITNESS_MAX];
};

/* finding_size() - bytes of it that count. */
static inline size_t finding_size(const struct finding *f)
{
	return offsetof(struct finding, op) + f->count * sizeof *f->op;
}

/* finding_add() - @index joins the witness, once; more than fit leave it not whole. */
void finding_add(struct finding *f, const struct history_ops *h, uint32_t index);

/*
 * finding_clearer() - whether @a is easier to understand than @b: a read that missed one write, and
 * by the longest time. What is worse than a stale read comes before all of them.
 */
bool finding_clearer(const struct finding *a, const struct finding *b, const struct history_ops *h);

/* finding_print() - the finding in words, at most @size bytes. */
void finding_print(const struct finding *f, const struct history_ops *h,
	const struct check_names *names, char *out, size_t size);

#endif
