/* SPDX-License-Identifier: MIT */
/*
 * wire_wake.h - how long to sleep, so that a frame leaves when it is due and not when the kernel
 * has got round to waking us
 *
 * From a timer's expiry to the first instruction of the thread that it wakes take 3 us on a core
 * that is busy and 20 to 130 us on one that sleeps, the more the longer it slept (measured in a
 * virtual machine, where the host wakes the core). So for each length of sleep, in powers of two,
 * the usual latency is learned, and the timer is set so much earlier. Who then comes too early
 * waits awake: at most WIRE_AWAKE_NS_MAX before a frame, and no more than a share of the time that
 * goes by, for a real-time thread that spins would be throttled. In the same way the time that it
 * takes to give a frame back is learned and subtracted.
 *
 * The usual latency is a low quantile: being late costs a frame little, being early costs the
 * processor's time. No clock in here.
 */
#ifndef NETNS_WIRE_WAKE_H
#define NETNS_WIRE_WAKE_H

#include <stdint.h>

#define WIRE_AWAKE_NS_MAX 20000u
#define WIRE_AWAKE_SHARE 8 /* one eighth */
#define WIRE_LEAD_NS_MAX 200000u
#define WIRE_COST_NS_MAX 10000u /* frames leave so much before their time, at most */
#define WIRE_SLEEPS 40          /* powers of two of nanoseconds; the last is 9 minutes */

struct wire_wake {
	uint32_t lead_ns[WIRE_SLEEPS]; /* by length of sleep */
	uint32_t cost_ns;              /* of giving a frame back */
	uint64_t budget_ns;            /* that may be spent awake */
	uint64_t budget_at_ns;         /* when it was filled */
};

/**
 * wire_wake_plan() - what to do until @until_ns, which is later than @now_ns
 * @ret_sleep:	the class of the sleep, for wire_wake_learn()
 * Return: how long to sleep; 0: stay awake until then, and say so by wire_wake_spend().
 */
uint64_t wire_wake_plan(
	struct wire_wake *w, uint64_t now_ns, uint64_t until_ns, unsigned *ret_sleep);

/* wire_wake_learn() - a timer of a sleep of class @sleep woke us @late_ns after its expiry. */
void wire_wake_learn(struct wire_wake *w, unsigned sleep, uint64_t late_ns);

/* wire_wake_cost() - to give a frame back took @ns. */
void wire_wake_cost(struct wire_wake *w, uint64_t ns);

void wire_wake_spend(struct wire_wake *w, uint64_t ns);

#endif
