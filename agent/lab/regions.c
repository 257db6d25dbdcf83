/* SPDX-License-Identifier: MIT */
/*
 * regions.c - round trips between the regions of real clouds, as they were measured
 *
 * Averages over days, of probes between machines inside the two regions; one value for both
 * directions.
 *
 * ibm: IBM Cloud, documentation of VPC, "Network latency", average inter-region latency of 28
 * September to 27 October 2024.
 * aws: Amazon Web Services, "Latency Between AWS Global Regions" as quoted in April 2017 by
 * acomputerscientistlearnsaws.blogspot.com; average latency. Older than the other, but of the names
 * that everybody knows.
 */
#include "agent/lab/regions.h"

#include <errno.h>
#include <string.h>

#include "agent/base/clock.h"

#define REGIONS_OF_SOURCE 10
#define TENTH_OF_MS (NS_PER_MS / 10)

struct matrix {
	struct region_source source;
	struct region region[REGIONS_OF_SOURCE];
	uint16_t rtt[REGIONS_OF_SOURCE][REGIONS_OF_SOURCE]; /* in 0.1 ms; row before column */
};

/* clang-format off */
static const struct matrix matrices[] = {
	{
		.source = {"aws", "Latency Between AWS Global Regions", "April 2017"},
		.region = {
			{"us-east-1", "N. Virginia"}, {"us-west-1", "N. California"},
			{"us-west-2", "Oregon"}, {"eu-west-1", "Ireland"},
			{"eu-central-1", "Frankfurt"}, {"ap-northeast-1", "Tokyo"},
			{"ap-northeast-2", "Seoul"}, {"ap-southeast-1", "Singapore"},
			{"ap-southeast-2", "Sydney"}, {"sa-east-1", "Sao Paulo"},
		},
		.rtt = {
			{0, 727, 870, 806, 887, 1453, 1784, 2167, 2300, 1195},
			{0, 0, 195, 1532, 1666, 1025, 1315, 1740, 1575, 1927},
			{0, 0, 0, 1370, 1595, 891, 1183, 1614, 1622, 1827},
			{0, 0, 0, 0, 196, 2124, 2424, 2390, 3096, 1913},
			{0, 0, 0, 0, 0, 2365, 2662, 3259, 3235, 1949},
			{0, 0, 0, 0, 0, 0, 314, 738, 1039, 2568},
			{0, 0, 0, 0, 0, 0, 0, 719, 1340, 2863},
			{0, 0, 0, 0, 0, 0, 0, 0, 1753, 3281},
			{0, 0, 0, 0, 0, 0, 0, 0, 0, 3225},
		},
	},
	{
		.source = {"ibm", "IBM Cloud VPC, network latency", "28 September to 27 October 2024"},
		.region = {
			{"us-south", "Dallas"}, {"ca-tor", "Toronto"}, {"us-east", "Washington DC"},
			{"eu-de", "Frankfurt"}, {"eu-gb", "London"}, {"eu-es", "Madrid"},
			{"jp-osa", "Osaka"}, {"au-syd", "Sydney"}, {"jp-tok", "Tokyo"},
			{"br-sao", "Sao Paulo"},
		},
		.rtt = {
			{0, 340, 310, 1230, 1130, 1190, 1500, 1850, 1410, 1440},
			{0, 0, 190, 930, 840, 1080, 1690, 2140, 1620, 1310},
			{0, 0, 0, 900, 760, 890, 1750, 2130, 1690, 1190},
			{0, 0, 0, 0, 130, 290, 2320, 2500, 2310, 1970},
			{0, 0, 0, 0, 0, 270, 2440, 2610, 2420, 1880},
			{0, 0, 0, 0, 0, 0, 2590, 2750, 2550, 2070},
			{0, 0, 0, 0, 0, 0, 0, 1220, 90, 2920},
			{0, 0, 0, 0, 0, 0, 0, 0, 1150, 3280},
			{0, 0, 0, 0, 0, 0, 0, 0, 0, 2830},
		},
	},
};
/* clang-format on */
#define MATRICES (sizeof matrices / sizeof *matrices)

const struct region *regions_list(unsigned i, const struct region_source **ret_source)
{
	if (i >= MATRICES * REGIONS_OF_SOURCE)
		return NULL;
	if (ret_source)
		*ret_source = &matrices[i / REGIONS_OF_SOURCE].source;
	return &matrices[i / REGIONS_OF_SOURCE].region[i % REGIONS_OF_SOURCE];
}

int regions_find(const char *name)
{
	const struct region *region;

	for (unsigned i = 0; (region = regions_list(i, NULL)); i++) {
		if (strcmp(region->name, name) == 0)
			return (int)i;
	}
	return -ENOENT;
}

int regions_rtt_ns(unsigned a, unsigned b, uint64_t *ret_ns)
{
	unsigned low = (a < b ? a : b) % REGIONS_OF_SOURCE;
	unsigned high = (a < b ? b : a) % REGIONS_OF_SOURCE;

	if (a / REGIONS_OF_SOURCE != b / REGIONS_OF_SOURCE)
		return -EXDEV;
	*ret_ns = a == b ? REGIONS_ZONES_NS
			 : matrices[a / REGIONS_OF_SOURCE].rtt[low][high] * TENTH_OF_MS;
	return 0;
}
