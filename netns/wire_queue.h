/* SPDX-License-Identifier: MIT */
/*
 * wire_queue.h - frames under way: in order on each link, by due time across links
 *
 * A fifo per link and a heap of the links by the due time of their first frame. Within a link the
 * due times never fall, so the first frame of the top link is always the next to go. Frames live
 * in a pool of fixed slots, the queue links slot numbers. No input, output or clock in here.
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

struct wire_slot {
	uint64_t due_ns;
	uint32_t next; /* in the link's fifo or in the list of free slots */
	uint32_t len;
};

struct wire_fifo {
	uint64_t last_due_ns;
	uint32_t head;
	uint32_t tail;
	bool seeded;
	struct prng prng; /* jitter of this link */
};

struct wire_queue {
	uint64_t seed;
	unsigned links;
	struct wire_fifo *fifo; /* by link */
	uint32_t *heap;         /* links that have frames */
	unsigned heap_len;
	struct wire_slot *slot;
	uint8_t *bytes; /* WIRE_FRAME_MAX for each slot */
	uint32_t free;
	uint32_t used;
};

int wire_queue_init(struct wire_queue *q, unsigned links, uint64_t seed);
void wire_queue_fini(struct wire_queue *q);

/* wire_queue_take() - a free slot, WIRE_NONE if there is none; its bytes are wire_queue_bytes(). */
uint32_t wire_queue_take(struct wire_queue *q);
void wire_queue_give_back(struct wire_queue *q, uint32_t slot);

static inline uint8_t *wire_queue_bytes(const struct wire_queue *q, uint32_t slot)
{
	return q->bytes + (uint64_t)slot * WIRE_FRAME_MAX;
}

/**
 * wire_queue_put() - send the frame in @slot over @link
 * It is due after @delay_ns, give or take a uniform @jitter_ns, and never before the frame that
 * was put before it.
 */
void wire_queue_put(struct wire_queue *q, unsigned link, uint32_t slot, uint64_t now_ns,
	uint64_t delay_ns, uint64_t jitter_ns);

/* wire_queue_due() - when the next frame is due, UINT64_MAX if there is none. */
uint64_t wire_queue_due(const struct wire_queue *q);

/* wire_queue_get() - take that frame out; the caller gives the slot back. */
uint32_t wire_queue_get(struct wire_queue *q);

#endif
