/* SPDX-License-Identifier: MIT */
/*
 * load.h - open-loop clients of one site: a process on the site's client node, a thread per client
 *
 * Each client has its own seeded schedule of intended start times and one operation in flight. An
 * operation that could not start because the one before it took long starts late and its latency
 * counts from the intended time; one that would start more than a deadline late is recorded as
 * failed (HISTORY_LATE) without being sent, so that an outage counts as many failures as it
 * lasted, and no backlog is played after it.
 */
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include <stdatomic.h>
#include <stdint.h>

#include "agent/base/hist.h"
#include "agent/history/history.h"
#include "agent/lab/plan.h"

#define LOAD_PORT 6379 /* of every replica, on its node's address */

enum load_state { LOAD_WAIT, LOAD_RUN, LOAD_FINAL, LOAD_STOP };

/* Counters for those who look on; the truth is the history. */
struct load_tally {
	_Atomic uint64_t ok;
	_Atomic uint64_t failed;
	_Atomic uint64_t unknown;
};

/* Answered operations by latency since their intended start, in the buckets of hist.h. Each site
 * has its own, so that only its own threads write there. */
enum load_kind { LOAD_READ, LOAD_WRITE, LOAD_KIND_NR };
struct load_latency {
	_Atomic uint32_t bucket[LOAD_KIND_NR][HIST_BUCKETS];
};

/* Changes with the layout of what follows: `watch` may be of another build. */
#define LOAD_SHARED_VERSION 1

/* Shared by supervisor and load processes, and read by those who look on: a file without a name,
 * made before they fork. */
struct load_shared {
	uint32_t version;
	_Atomic uint32_t state;       /* enum load_state, written by the supervisor */
	_Atomic uint32_t phase;       /* current phase, written by the supervisor */
	_Atomic uint32_t finals_done; /* load processes that have done their final reads */
	_Atomic uint32_t failed;      /* load processes that had to give up; their log says why */
	_Atomic uint32_t drained; /* load processes whose last operation has ended: when all are,
				   * final reads see every acknowledged write */
	struct load_tally tally[PLAN_PHASES_MAX][PLAN_SITES_MAX];
	struct load_latency latency[PLAN_SITES_MAX];
};

/**
 * load_main() - body of the load process of @site; already on its node and without privileges
 * Waits for LOAD_RUN, issues operations until LOAD_FINAL, then reads every key once from every
 * replica of the site that the plan has not stopped for good (flag HISTORY_F_FINAL, patient
 * deadline, retried until it succeeds or LOAD_STOP), then returns. LOAD_STOP ends it at any time,
 * within a deadline.
 *
 * Return: exit status for the process.
 */
int load_main(const struct plan *plan, unsigned site, struct history *history,
	struct load_shared *shared);

#endif
