/* SPDX-License-Identifier: MIT */
/* regions.h - round trips between the regions of real clouds, as they were measured */
#ifndef LAB_REGIONS_H
#define LAB_REGIONS_H

#include <stdint.h>

/* Two sites in one region stand in two of its zones; as the profile "region". */
#define REGIONS_ZONES_NS 1800000ull

/* A region; those of one source are comparable and stand in one matrix. */
struct region {
	const char *name;  /* as the cloud calls it: "eu-west-1" */
	const char *place; /* "Ireland" */
};

/* Where a matrix is from. */
struct region_source {
	const char *cloud;
	const char *source;
	const char *date;
};

/* regions_list() - number @i of all, NULL after the last; @ret_source may be NULL. */
const struct region *regions_list(unsigned i, const struct region_source **ret_source);

/* regions_find() - Return: its number, or -ENOENT. */
int regions_find(const char *name);

/* regions_rtt_ns() - Return: 0, or -EXDEV for regions of two sources. */
int regions_rtt_ns(unsigned a, unsigned b, uint64_t *ret_ns);

#endif
