/* SPDX-License-Identifier: MIT */
/* zone.h - linearizability of a register whose values are unique, in O(n log n) */
#ifndef CHECK_ZONE_H
#define CHECK_ZONE_H

#include "agent/check/finding.h"
#include "agent/check/reg.h"

/**
 * zone_find() - a violation among the operations of @r, unmet compare-and-set apart
 * @r:		unique values, and obvious_find() found nothing
 * @rank:	NULL, or by operation, filled in if there is none: an order that explains all but
 *		the unmet ones; a good order for a search to try
 *
 * An unmet compare-and-set is held only against the time in which its value was surely there.
 * Return: whether there is a violation, in @ret. If there is none and @r has no unmet
 * compare-and-set, the key is linearizable.
 */
bool zone_find(const struct reg *r, uint64_t *rank, struct finding *ret);

#endif
