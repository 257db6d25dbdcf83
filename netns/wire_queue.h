/* SPDX-License-Identifier: MIT */
/*
 * wire_queue.h - frames under way: what becomes of each, and when it is due
 *
 * A frame meets its link in this order: the queue before the rate, the rate, corruption, the delay.
 * The rate is a virtual clock: each frame is sent when the one before it is, so what waits follows
 * from the clock and is not kept. Behind it are two fifos for each link, for frames that wait for
 * the delay and for those that do not (reordering), and a heap of the fifos by the due time of
 * their first frame. Within a fifo the due times never fall, so the first frame of the top fifo is
 * always the next to go. Where frames may overtake each other (dist_overtakes()) each stands in the
 * heap by itself. Frames live in a pool of fixed slots, the fifos link slot numbers.
 *
 * A link takes two values from its own generator for each frame, whatever is enabled and whatever
 * becomes of the frame: turning one fault on or off does not shift the choices of another. No
 * input, output or clock in here.
 */
#ifndef NETNS_WIRE_QUEUE_H
#define NETNS_WIRE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/prng.h"

#define WIRE_FRAME_MAX 2048 /* bytes of a slot: an Ethernet frame of MTU 1500 with tags */

/* Frames under way in all; more are lost and counted. 200,000 packets/s for 0.65 s. */
#define WIRE_FRAMES_MAX (128u << 10)

#define WIRE_NONE UINT32_MAX

/* The emulator's part of a link's state, see link_state.h. */
struct wire_shape {
	uint64_t delay_ns;
	uint64_t jitter_ns;
	uint64_t rate_bps;
	uint32_t queue_bytes; /* by link_state_queue() */
	uint32_t corrupt_ppm;
	uint32_t reorder_ppm;
	uint32_t correlation_ppm;
	uint8_t dist;
	bool corrupt_silent;
};

/* What the queue decided about a frame. */
struct wire_fate {
	bool dropped; /* it did not fit into the queue before the rate: the slot is the caller's */
	bool corrupted;
	bool reordered;
	uint32_t place; /* of the corruption: uniform in 0 .. 2^32 - 1 */
};

struct wire_slot {
	uint64_t due_ns;
	uint32_t next; /* in the fifo or in the list of free slots */
	uint32_t link; /* of a frame that stands in the heap by itself */
	uint16_t len;
	bool probe; /* its choices are apart from those of other frames */
};

struct wire_fifo {
	uint64_t last_due_ns;
	uint32_t head;
	uint32_t tail;
};

/* A row of choices. Probes have one of their own: looking does not change what happens. */
struct wire_dice {
	bool seeded;
	uint8_t dist;      /* of which @replayed counts */
	uint32_t last;     /* choice of the delay of the frame before, with correlation */
	uint64_t replayed; /* delays taken from a replay */
	struct prng prng;
};

struct wire_clock {
	uint64_t rate_bps; /* for which it stands */
	uint64_t sent_ns;  /* when the last frame is on the wire in full, */
	uint64_t rest;     /* and what is missing to it in 1 / rate_bps of a nanosecond */
};

struct wire_queue {
	uint64_t seed;
	unsigned links;
	struct wire_dice *dice;   /* two for each link, the second for probes */
	struct wire_clock *clock; /* by link */
	struct wire_fifo *fifo;   /* two for each link */
	uint32_t *heap;           /* fifos that have frames; from 2 * links on, slots */
	unsigned heap_len;
	struct wire_slot *slot;
	uint8_t *bytes; /* WIRE_FRAME_MAX for each slot */
	uint32_t free;
	uint32_t used;
};

int wire_queue_init(struct wire_queue *q, unsigned links, uint64_t seed);
void wire_queue_fini(struct wire_queue *q);

/* wire_queue_touch() - have the memory of @slots slots ready, so that their first use takes no
 * time.
 */
void wire_queue_touch(struct wire_queue *q, unsigned slots);

/* wire_queue_take() - a free slot, WIRE_NONE if there is none; its bytes are wire_queue_bytes(). */
uint32_t wire_queue_take(struct wire_queue *q);
void wire_queue_give_back(struct wire_queue *q, uint32_t slot);

static inline uint8_t *wire_queue_bytes(const struct wire_queue *q, uint32_t slot)
{
	return q->bytes + (uint64_t)slot * WIRE_FRAME_MAX;
}

/**
 * wire_queue_put() - send the frame in @slot over @link; what it is stands in the slot
 * It is never due before a frame that was put before it, except where it is reordered, or where
 * the link's distribution lets frames overtake.
 * @now_ns:	when it came to the link
 */
void wire_queue_put(struct wire_queue *q, unsigned link, uint32_t slot, uint64_t now_ns,
	const struct wire_shape *shape, struct wire_fate *ret);

/* wire_queue_due() - when the next frame is due, UINT64_MAX if there is none. */
uint64_t wire_queue_due(const struct wire_queue *q);

/* wire_queue_get() - take that frame out; the caller gives the slot back. */
uint32_t wire_queue_get(struct wire_queue *q);

/**
 * wire_queue_flush() - forget the frames under way on the links for which @flush is true
 * @each:	called with link and number of frames for each of these that had any, or several
 * times
 */
void wire_queue_flush(struct wire_queue *q, bool (*flush)(void *ctx, unsigned link),
	void (*each)(void *ctx, unsigned link, unsigned frames), void *ctx);

#endif
