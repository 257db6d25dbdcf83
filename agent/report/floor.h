/* SPDX-License-Identifier: MIT */
/* floor.h - the lowest latency that the link matrix allows an operation: from plan to protocol */
#ifndef REPORT_FLOOR_H
#define REPORT_FLOOR_H

#include "agent/history/history.h"
#include "agent/lab/run.h"

/* Stands for the round trip over a cut link; floors that are not lower have no path at all. */
#define FLOOR_NO_PATH_NS (24ull * 3600 * 1000000000)

struct floor;

/* floor_open() - for the run of @plan that @log tells of; both are borrowed. Never NULL. */
struct floor *floor_open(const struct plan *plan, const struct run_log *log);
void floor_close(struct floor *f);

/**
 * floor_ns() - floor of @op under the matrix of phase @phase and the leader of that moment
 * Return: nanoseconds; FLOOR_NO_PATH_NS or more if the matrix lets nobody answer.
 */
uint64_t floor_ns(struct floor *f, unsigned phase, const struct history_op *op);

#endif
