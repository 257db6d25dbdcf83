/* SPDX-License-Identifier: MIT */
/* sim_queue.h - events that are still to come, by time, then by order of scheduling */
#ifndef SIM_SIM_QUEUE_H
#define SIM_SIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_kind { SIM_MESSAGE, SIM_TIMER, SIM_PERSISTED, SIM_CALL, SIM_SNAP };

struct sim_event {
	uint64_t at_ns;
	uint64_t life;
	void *p; /* message: bytes, owned */
	uint32_t len;
	uint32_t node;
	uint16_t from; /* message: sender; timer: its number; call: what for */
	uint8_t kind;
};

/* Events that wait at a time, and that there may be in one run. */
#define SIM_QUEUE_BITS 24
#define SIM_QUEUE_MAX (1u << SIM_QUEUE_BITS)
#define SIM_ORDER_MAX (UINT64_MAX >> SIM_QUEUE_BITS)

/* What is compared is kept together: four children are a line of the cache, nearly. */
struct sim_place {
	uint64_t at_ns;
	uint64_t rank; /* order, then which event it is; orders differ, so that never decides */
};

struct sim_queue {
	struct sim_place *heap; /* of four children each */
	size_t count;
	size_t cap;
	struct sim_event *event; /* as many as there were at a time; the others are in a list */
	uint32_t events;
	uint32_t free; /* + 1; 0: none. ->node is the next one */
	uint64_t order;
};

/* sim_queue_order() - the next order: what is scheduled with it comes after all before it. */
static inline uint64_t sim_queue_order(struct sim_queue *q)
{
	return q->order++;
}

/* sim_queue_put() - @order was given by sim_queue_order(), and is in the queue once at most. */
void sim_queue_put(struct sim_queue *q, const struct sim_event *event, uint64_t order);

/* sim_queue_take() - the first one; there is one. */
struct sim_event sim_queue_take(struct sim_queue *q);

/* sim_queue_next_ns() - its time; UINT64_MAX: there is none. */
static inline uint64_t sim_queue_next_ns(const struct sim_queue *q)
{
	return q->count ? q->heap[0].at_ns : UINT64_MAX;
}

/* sim_queue_fini() - with what the events own. */
void sim_queue_fini(struct sim_queue *q);

#endif
