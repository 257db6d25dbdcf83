/* SPDX-License-Identifier: MIT */
/*
 * link_state.h - all that a directed link can do to packets
 *
 * Each part is a fault of its own: they compose, and each is removed by making its fields zero.
 * Who does it: M the matrix program on the sender's port, the same under every emulator; E the
 * emulator. A frame meets them in this order, which is the order of the fields:
 *
 *	M  cut, flap	nothing passes
 *	M  drop		exactly these frames, counted from 1 since drop, loss or duplicate changed
 *	M  loss		by chance, from the seed
 *	M  duplicate	once more, from the seed
 *	E  rate, queue	serialised one after the other; what does not fit into the queue is dropped
 *	E  corrupt	one bit is turned over
 *	E  delay	and jitter, in order; reorder picks frames that do not wait
 *
 * Frames that a cut or a closed flap dropped are not counted. Probes (NODE_PROBE_PORT) are counted
 * apart. See matrix.h for what is drawn, and from which seed.
 *
 * Times are nanoseconds one way, probabilities parts per million, rates bit/s on the wire
 * (Ethernet header counted, preamble and checksum not).
 */
#ifndef NETNS_LINK_STATE_H
#define NETNS_LINK_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/err.h"

#define PPM_ONE 1000000u /* 100 % */

#define LINK_DELAY_NS_MAX 600000000000ull /* ten minutes */
#define LINK_FLAP_NS_MIN 1000000ull       /* a millisecond up or down */
#define LINK_RATE_BPS_MIN 1000ull         /* 1 kbit/s: a full frame takes 12 s */
#define LINK_RATE_BPS_MAX 100000000000ull /* 100 Gbit/s */
#define LINK_QUEUE_BYTES_MIN 2048u        /* one full frame */
#define LINK_QUEUE_BYTES_MAX (256u << 20)
#define LINK_DROPS_MAX 4

/* What becomes of frames on a cut link, and of those that are under way when it is cut. */
enum link_cut {
	CUT_NONE,
	CUT_EDGE,   /* the matrix lets nothing more in; what is under way still arrives */
	CUT_WIRE,   /* what is under way is lost, too */
	CUT_REJECT, /* as edge, and the sender is told: RST for TCP, ICMP administratively
		       prohibited for the rest */
	CUT_NR
};
extern const char *const link_cut_names[CUT_NR]; /* "open" "edge" "wire" "reject" */

enum link_loss {
	LOSS_NONE,
	LOSS_RANDOM, /* p[0]: each frame; p[1]: correlation with the frame before, see netem */
	LOSS_GE,     /* Gilbert-Elliott: p[0] good to bad, p[1] bad to good, p[2] lost in the bad
			state, p[3] lost in the good state */
	LOSS_STATE,  /* four states, as netem's "loss state": p[0..4] = p13 p31 p32 p23 p14 */
	LOSS_NR
};
#define LINK_LOSS_PARAMS 5
extern const char *const link_loss_names[LOSS_NR]; /* "none" "random" "ge" "state" */

/* Frames first, first + every, first + 2 every ... up to last. */
struct link_drop {
	uint32_t first; /* from 1; 0: this entry is not used */
	uint32_t last;
	uint32_t every; /* at least 1 */
};

struct link_state {
	uint8_t cut;         /* enum link_cut */
	uint8_t loss;        /* enum link_loss */
	uint8_t dist;        /* of the delay, see dist.h; 0 is DIST_UNIFORM */
	bool corrupt_silent; /* checksums are mended, so that the receiver believes it */
	uint32_t loss_ppm[LINK_LOSS_PARAMS];
	uint32_t duplicate_ppm;
	struct link_drop drop[LINK_DROPS_MAX];
	uint32_t corrupt_ppm;
	uint32_t reorder_ppm;     /* these frames do not wait: needs a delay */
	uint32_t correlation_ppm; /* of the delay with that of the frame before */
	uint32_t queue_bytes;  /* 0: as much as the rate sends in 50 ms, see link_state_queue() */
	uint64_t rate_bps;     /* 0: as fast as it goes */
	uint64_t flap_up_ns;   /* 0: no flapping; open this long from when it is set, ... */
	uint64_t flap_down_ns; /* ... then closed this long, and so on */
	uint64_t delay_ns;     /* with a table as dist: its mean, for people */
	uint64_t jitter_ns;    /* scale of the distribution; uniform: in +- jitter_ns */
};

/* link_state_same() - all fields. link_state_shaped() - is there work for the emulator? */
bool link_state_same(const struct link_state *a, const struct link_state *b);
bool link_state_shaped(const struct link_state *s);

/* link_state_marked() - is there chance in the matrix program: drop, loss, duplicate or flap? */
bool link_state_marked(const struct link_state *s);

/* link_state_queue() - bytes that may wait for the rate; UINT32_MAX without a rate. */
uint32_t link_state_queue(const struct link_state *s);

/* link_state_delay_max_ns() - the longest that a frame may be under way, queueing included. */
uint64_t link_state_delay_max_ns(const struct link_state *s);

/**
 * link_state_check() - is it possible at all, whatever the emulator?
 * Return: 0, or -EINVAL with reason and range in @err (EXIT_USAGE).
 */
int link_state_check(const struct link_state *s, struct err *err);

#endif
