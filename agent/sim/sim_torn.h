/* SPDX-License-Identifier: MIT */
/* sim_torn.h - a crash in the middle of a write, seen by the real log's recovery */
#ifndef SIM_SIM_TORN_H
#define SIM_SIM_TORN_H

#include "agent/sim/sim.h"

/**
 * sim_torn() - write the end of a replica's log as the real log does, tear the last write, recover
 * What was not reported is torn at sectors: each of them is written or not.
 * Return: how many records of the log are left; a violation if recovery lost one that was
 * reported, changed one, or refused the log.
 */
size_t sim_torn(struct sim_node *n);

#endif
