/* SPDX-License-Identifier: MIT */
/*
 * wire_wake.h - how long to sleep, so that a frame leaves when it is due and not when the kernel
 * has got round to waking us
 *
 * From a timer's expiry to the first instruction of the thread that it wakes take 3 us on a core
 * that is busy and 20 to 130 us on one that sleeps, the more the longer it slept (measured in a
 * virtual machine, where the host wakes the core). So for each length of sleep, in powers of two,
 * the usual latency is learned, and the timer is set so much earlier. Who then comes too early
 * sleeps again, for what is left. In the same way the time that it takes to give a frame back is
 * learned and subtracted.
 *
 * The usual latency is a low quantile: being late costs a frame little, being early costs another
 * sleep. No clock in here.
 */
#ifndef NETNS_WIRE_WAKE_H
#define NETNS_WIRE_WAKE_H

#include <stdint.h>

#define WIRE_LEAD_NS_MAX 200000u
#define WIRE_COST_NS_MAX 10000u /* frames leave so much before their time, at most */
#define WIRE_SLEEPS 40          /* powers of two of nanoseconds; the last is 9 minutes */

struct wire_wake {
	uint32_t lead_ns[WIRE_SLEEPS]; /* by length of sleep */
	uint32_t cost_ns;              /* of giving a frame back */
};

/**
 * wire_wake_plan() - how long to sleep for something that is due @left_ns from now
 * @ret_sleep:	the class of the sleep, for wire_wake_learn()
 */
uint64_t wire_wake_plan(const struct wire_wake *w, uint64_t left_ns, unsigned *ret_sleep);

/* wire_wake_learn() - a timer of a sleep of class @sleep woke us @late_ns after its expiry. */
void wire_wake_learn(struct wire_wake *w, unsigned sleep, uint64_t late_ns);

/* wire_wake_cost() - to give a frame back took @ns. */
void wire_wake_cost(struct wire_wake *w, uint64_t ns);

#endif
