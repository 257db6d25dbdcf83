/* SPDX-License-Identifier: MIT */
/*
 * monotonic_writes.c - who sees a write has seen its session's earlier ones (Terry and others,
 * PDIS 1994)
 *
 * On registers this can be seen only by a session whose reads are monotonic; see grow.c.
 */
#include "agent/check/models.h"
#include "agent/check/weak.h"

static enum check_verdict mw_judge(struct weak *k)
{
	return weak_grow(k, PAST_ORDER);
}

static int mw_check(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	return weak_check(mw_judge, h, budget, names, ret, err);
}

static const char *const mw_implies[] = {"monotonic-reads", NULL};

const struct check_ops monotonic_writes_ops = {
	.name = "monotonic-writes",
	.summary = "who sees a write does not miss its session's earlier ones",
	.type = CHECK_REGISTER,
	.implies = mw_implies,
	.check = mw_check,
};
