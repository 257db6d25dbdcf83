/* SPDX-License-Identifier: MIT */
/* wire_wake.c - how long to sleep before a frame is due */
#include "netns/wire_wake.h"

/* How fast a usual value follows: up by 1/16 of the distance, down by 1/4. It comes to rest where
 * about a fifth of the values are below; one of them moves it by no more than STEP_NS_MAX. */
#define UP 16
#define DOWN 4
#define STEP_NS_MAX 4000

static void follow(uint32_t *usual, uint64_t value, uint32_t max)
{
	if (value > *usual) {
		uint64_t step = (value - *usual + UP - 1) / UP;

		*usual += (uint32_t)(step < STEP_NS_MAX ? step : STEP_NS_MAX);
	} else {
		*usual -= (uint32_t)((*usual - value) / DOWN);
	}
	if (*usual > max)
		*usual = max;
}

static unsigned class_of(uint64_t ns)
{
	unsigned bits = ns ? 63 - (unsigned)__builtin_clzll(ns) : 0;

	return bits < WIRE_SLEEPS ? bits : WIRE_SLEEPS - 1;
}

uint64_t wire_wake_plan(const struct wire_wake *w, uint64_t left_ns, unsigned *ret_sleep)
{
	uint32_t lead;

	*ret_sleep = class_of(left_ns);
	lead = w->lead_ns[*ret_sleep];
	return left_ns > lead ? left_ns - lead : 1;
}

void wire_wake_learn(struct wire_wake *w, unsigned sleep, uint64_t late_ns)
{
	follow(&w->lead_ns[sleep], late_ns, WIRE_LEAD_NS_MAX);
}

void wire_wake_cost(struct wire_wake *w, uint64_t ns)
{
	follow(&w->cost_ns, ns, WIRE_COST_NS_MAX);
}
