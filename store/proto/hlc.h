/* SPDX-License-Identifier: MIT */
/*
 * hlc.h - a hybrid logical clock: near the wall clock, and never behind what it has seen
 *
 * A time is one number: wall-clock nanoseconds whose lowest HLC_COUNT_BITS bits are a counter
 * instead, so times are about 65 us apart and order events as their causes do, however wrong
 * clocks are. Source: S. Kulkarni, M. Demirbas, D. Madeppa, B. Avva, M. Leone, "Logical Physical
 * Clocks", OPODIS 2014, figure 5; the count of one that overflows goes on in the wall part.
 */
#ifndef STORE_PROTO_HLC_H
#define STORE_PROTO_HLC_H

#include <stdint.h>

#define HLC_COUNT_BITS 16

struct hlc {
	uint64_t last; /* 0: has seen nothing */
};

/* hlc_now() - the time of an event here (a write, a message to send): later than all before. */
uint64_t hlc_now(struct hlc *h, uint64_t wall_ns);

/* hlc_seen() - another's time was received: all from now on is later. */
void hlc_seen(struct hlc *h, uint64_t time);

#endif
