/* SPDX-License-Identifier: MIT */
/* load_plan.c - a plan by hand, for tests of the load */
#include "tests/lib/load_plan.h"

#include <string.h>

#include "agent/base/clock.h"

void load_plan_make(struct plan *plan, unsigned clients, double rate, uint32_t addr_be)
{
	memset(plan, 0, sizeof *plan);
	plan->seed = 7;
	plan->system = system_find("single");
	plan->sites = 2;
	plan->replicas = 2;
	plan->nodes = 4;
	for (unsigned i = 0; i < plan->nodes; i++) {
		plan->node[i].role = i < 2 ? PLAN_REPLICA : PLAN_CLIENT;
		plan->node[i].site = (uint16_t)(i % 2);
		plan->node[i].addr_be = addr_be;
	}
	plan->site[0].client = 2;
	plan->site[1].client = 3;
	plan->load = (struct plan_load){.clients_per_site = clients,
		.rate = rate,
		.keys = 10,
		.read = 50,
		.write = 40,
		.cas = 10,
		.deadline_ns = 100 * NS_PER_MS};
}
