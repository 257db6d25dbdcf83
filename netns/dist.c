/* SPDX-License-Identifier: MIT */
/* dist.c - distributions of delays */
#include "netns/dist.h"

#include <errno.h>
#include <string.h>

static const char *const shape_names[] = {[DIST_UNIFORM] = "uniform"};

#define SHAPES (sizeof shape_names / sizeof *shape_names)

bool dist_known(unsigned dist)
{
	return dist < SHAPES;
}

const char *dist_name(unsigned dist)
{
	return dist_known(dist) ? shape_names[dist] : "unknown";
}

int dist_find(const char *name)
{
	for (unsigned i = 0; i < SHAPES; i++) {
		if (strcmp(shape_names[i], name) == 0)
			return (int)i;
	}
	return -ENOENT;
}

uint64_t dist_draw_ns(unsigned dist, uint64_t delay_ns, uint64_t jitter_ns, uint32_t u)
{
	(void)dist;
	return delay_ns - jitter_ns + (uint64_t)(((__uint128_t)(2 * jitter_ns + 1) * u) >> 32);
}

uint64_t dist_quantile_ns(unsigned dist, uint64_t delay_ns, uint64_t jitter_ns, double share)
{
	return dist_draw_ns(dist, delay_ns, jitter_ns, (uint32_t)(share * UINT32_MAX));
}

uint64_t dist_max_ns(unsigned dist, uint64_t delay_ns, uint64_t jitter_ns)
{
	return dist_draw_ns(dist, delay_ns, jitter_ns, UINT32_MAX);
}

uint64_t dist_mean_ns(unsigned dist)
{
	(void)dist;
	return 0;
}
