/* SPDX-License-Identifier: MIT */
/* serial.h - models that are told by which flaws and cycles they forbid */
#ifndef CHECK_SERIAL_H
#define CHECK_SERIAL_H

#include "agent/check/check.h"
#include "agent/check/graph.h"
#include "agent/check/lists.h"

/**
 * struct serial_model - what is forbidden
 * @flaws:	bits (1u << enum lists_flaw_kind) of single reads
 * @kinds:	bits (GRAPH_BIT) of edges of which no cycle may consist
 * @apart:	only cycles are forbidden in which no anti-dependency follows another
 */
struct serial_model {
	unsigned flaws;
	unsigned kinds;
	bool apart;
};

#define SERIAL_ALL_FLAWS ((1u << LISTS_FLAW_NR) - 1)

/* serial_check() - as check_ops.check. */
int serial_check(const struct serial_model *model, const struct history_ops *h,
	const struct check_budget *budget, const struct check_names *names,
	struct check_result *ret, struct err *err);

/* serial_flaw() - tell the first flaw of @flaws that @l has. Return: whether it has one. */
bool serial_flaw(const struct lists *l, unsigned flaws, const struct check_names *names,
	struct check_result *ret);

/* serial_count() - how much is judged: all but failures and reads without an answer. */
void serial_count(const struct lists *l, struct check_result *ret);

#endif
