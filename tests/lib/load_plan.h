/* SPDX-License-Identifier: MIT */
/* load_plan.h - a plan by hand, for tests of the load */
#ifndef TESTS_LOAD_PLAN_H
#define TESTS_LOAD_PLAN_H

#include "agent/lab/plan.h"

/* load_plan_make() - a lab of two sites with @clients clients each, all replicas at @addr_be. */
void load_plan_make(struct plan *plan, unsigned clients, double rate, uint32_t addr_be);

#endif
