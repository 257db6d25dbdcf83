/* SPDX-License-Identifier: MIT */
/* hold.h - what every test of seeds asks: no violation, and that something was done at all */
#ifndef TESTS_SIM_HOLD_H
#define TESTS_SIM_HOLD_H

#include <inttypes.h>

#include "agent/sim/sim_load.h"
#include "tests/lib/test.h"

/* A world in which nothing succeeds would satisfy every invariant: so many must, for each failure.
 */
static inline void hold_seeds(const struct sim_seeds *seeds, double ok_per_failure)
{
	struct sim_outcome out;
	uint64_t seed;

	if (sim_seeds_run(seeds, &out, &seed))
		fail_msg("seed %" PRIu64 " step %" PRIu64 ": %s", seed, out.steps, out.violation);
	assert_true((double)out.ok > (double)out.failed * ok_per_failure);
	assert_true(out.ok > seeds->count * 100);
}

#endif
