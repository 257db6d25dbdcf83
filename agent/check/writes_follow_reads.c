/* SPDX-License-Identifier: MIT */
/*
 * writes_follow_reads.c - who sees a write has seen what its session had seen before it (Terry and
 * others, PDIS 1994)
 *
 * On registers this can be seen only by a session whose reads are monotonic, and only in the
 * order of what others wrote; so it includes monotonic writes. See grow.c.
 */
#include "agent/check/models.h"
#include "agent/check/weak.h"

static enum check_verdict wfr_judge(struct weak *k)
{
	return weak_grow(k, PAST_ALL);
}

static int wfr_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	return weak_check(wfr_judge, h, budget, names, ret, err);
}

static const char *const wfr_implies[] = {"monotonic-writes", NULL};

const struct check_ops writes_follow_reads_ops = {
	.name = "writes-follow-reads",
	.summary = "who sees a write does not miss what its session had seen before",
	.type = CHECK_REGISTER,
	.implies = wfr_implies,
	.check = wfr_check,
};
