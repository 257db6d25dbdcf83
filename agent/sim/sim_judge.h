/* SPDX-License-Identifier: MIT */
/*
 * sim_judge.h - the one place where a simulated history meets the checkers
 *
 * The model that is claimed while links are cut is looked up by its name. Linearizable and eventual
 * ones are decided. Those of sessions (sequential, causal) can take exponential time where a value
 * is written twice or a compare-and-set was unmet, so of these histories less is told: what is left
 * out could not have been seen to be wrong, and nothing that is left is other than it was.
 *  - some keys are never deleted (sim_judge_keeps()), and nothing is what they had before the run;
 *  - of the others each deletion is a write of a value of its own, and reads that find nothing are
 *    left out;
 *  - a compare-and-set that was unmet is left out.
 * What is undecided still, when the time for it is over, is counted and no violation.
 */
#ifndef SIM_SIM_JUDGE_H
#define SIM_SIM_JUDGE_H

#include "agent/history/history.h"
#include "agent/sim/sim.h"

/*
 * What a deleted key reads as. For models that are decided it is one value, written by each
 * deletion, and by one before the run begins, since nobody can tell a key that was deleted from one
 * that never was.
 */
#define SIM_DELETED HISTORY_INTERNED

/* sim_judge_sessions() - whether the model is one of sessions. */
bool sim_judge_sessions(enum proto_model model);

/* sim_judge_keeps() - whether this key is never deleted where the model is one of sessions. */
bool sim_judge_keeps(uint64_t key);

/* sim_judge() - sim_fail() if the history is not what was claimed, or a write was lost. */
void sim_judge(struct sim *sim, const struct proto_claim *claim, const struct history_op *op,
	size_t count);

#endif
