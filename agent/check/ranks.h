/* SPDX-License-Identifier: MIT */
/*
 * ranks.h - operations whose places in the order are known, held against real time
 *
 * Where what was read tells the place of each operation in the one possible order, linearizability
 * is simple: no operation may have returned before another one began that has a lower place. Pairs
 * suffice: real time and the places are both without cycles, and a cycle of both would have to
 * step down in places somewhere, from one operation to a later one in real time.
 */
#ifndef CHECK_RANKS_H
#define CHECK_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Operations of equal places may have any order. */
struct rank_op {
	uint64_t t_invoke_ns;
	uint64_t t_return_ns; /* UINT64_MAX: unknown */
	uint64_t low;         /* lowest place that it may have */
	uint64_t high;        /* highest place */
	uint32_t id;          /* the caller's */
};

/**
 * ranks_find() - an operation (@ret_before) that returned before one of a lower place began
 * @op:	sorted by invocation
 *
 * Return: whether there is such a pair; of many the one with most time between.
 */
bool ranks_find(const struct rank_op *op, size_t count, const struct rank_op **ret_before,
	const struct rank_op **ret_after);

#endif
