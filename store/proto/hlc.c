/* SPDX-License-Identifier: MIT */
/* hlc.c - a hybrid logical clock: near the wall clock, and never behind what it has seen */
#include "store/proto/hlc.h"

uint64_t hlc_now(struct hlc *h, uint64_t wall_ns)
{
	uint64_t wall = wall_ns >> HLC_COUNT_BITS << HLC_COUNT_BITS;

	h->last = wall > h->last ? wall : h->last + 1;
	return h->last;
}

void hlc_seen(struct hlc *h, uint64_t time)
{
	if (time > h->last)
		h->last = time;
}
