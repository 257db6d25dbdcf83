/* SPDX-License-Identifier: MIT */
/*
 * nemesis.h - does harm: changes links, hits processes, and records what was seen of it
 */
#ifndef LAB_NEMESIS_H
#define LAB_NEMESIS_H

#include "agent/lab/run.h"
#include "agent/lab/supervisor.h"

/**
 * nemesis_shape() - go to the matrix @want
 * @fault:	kind, links and times; its evidence stays inconclusive until nemesis_judge()
 * @change:	for nemesis_judge(), now and later; fabric_change_fini() is the caller's
 */
int nemesis_shape(struct supervisor *s, const struct link_matrix *want, struct run_fault *fault,
	struct fabric_change *change, struct err *err);

/* nemesis_describe() - fill @fault from a change that was applied elsewhere. */
void nemesis_describe(const struct fabric_change *change, struct run_fault *fault);

/* nemesis_judge() - let the network show whether it does what the change said, until about @end_ns;
 * 0: as long as it takes. */
int nemesis_judge(struct supervisor *s, const struct fabric_change *change, uint64_t end_ns,
	struct run_fault *fault, struct err *err);

/**
 * nemesis_strike() - kill, restart, pause or resume a node's processes, set a replica's clock
 * kill, restart and skew are about the replica; pause and resume about all processes of the node.
 * What was done is verified: the process is dead, runs, is stopped; @fault->judged and its evidence
 * say so. A clock is read back, and stays as wrong when the replica is restarted. -EINVAL with
 * EXIT_USAGE if the node is not in a state for it.
 */
int nemesis_strike(struct supervisor *s, const struct plan_event *event, struct run_fault *fault,
	struct err *err);

#endif
