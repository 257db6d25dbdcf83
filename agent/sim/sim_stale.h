/* SPDX-License-Identifier: MIT */
/*
 * sim_stale.h - no read is older than is claimed (struct proto_claim, stale_cut_ns)
 *
 * By the versions that replies carry, where they are of one order: a key that was deleted is
 * written with the same value again and again, which the checkers of histories cannot tell apart.
 */
#ifndef SIM_SIM_STALE_H
#define SIM_SIM_STALE_H

#include "agent/sim/sim.h"

struct sim_stale;

/* sim_stale_open() - nothing read is older than @bound_ns; 0: anything may be, all does nothing. */
struct sim_stale *sim_stale_open(struct sim *sim, uint64_t bound_ns);
void sim_stale_close(struct sim_stale *s);

/* sim_stale_wrote() - a write of @version is acknowledged now. */
void sim_stale_wrote(struct sim_stale *s, uint64_t key, uint64_t version);

/* sim_stale_read() - @node answers a read that began at @since_ns with @version. */
void sim_stale_read(
	struct sim_stale *s, unsigned node, uint64_t key, uint64_t since_ns, uint64_t version);

#endif
