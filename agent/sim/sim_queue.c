/* SPDX-License-Identifier: MIT */
/* sim_queue.c - events that are still to come, by time, then by order of scheduling */
#include "agent/sim/sim_queue.h"

#include <assert.h>
#include <stdlib.h>

#define CHILDREN 4u
#define FIRST_CAP 256u

static bool before(const struct sim_place *a, const struct sim_place *b)
{
	return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->rank < b->rank);
}

static void grow(struct sim_queue *q)
{
	q->cap = q->cap ? 2 * q->cap : FIRST_CAP;
	assert(q->cap <= SIM_QUEUE_MAX);
	q->heap = realloc(q->heap, q->cap * sizeof(*q->heap));
	q->event = realloc(q->event, q->cap * sizeof(*q->event));
	assert(q->heap && q->event);
}

void sim_queue_put(struct sim_queue *q, const struct sim_event *event, uint64_t order)
{
	struct sim_place place = {.at_ns = event->at_ns};
	uint32_t slot;
	size_t i;

	assert(order < SIM_ORDER_MAX);
	if (q->count == q->cap)
		grow(q);
	slot = q->free ? q->free - 1 : q->events++;
	if (q->free)
		q->free = q->event[slot].node;
	q->event[slot] = *event;
	place.rank = order << SIM_QUEUE_BITS | slot;
	i = q->count++;
	while (i && before(&place, &q->heap[(i - 1) / CHILDREN])) {
		q->heap[i] = q->heap[(i - 1) / CHILDREN];
		i = (i - 1) / CHILDREN;
	}
	q->heap[i] = place;
}

struct sim_event sim_queue_take(struct sim_queue *q)
{
	uint32_t slot = (uint32_t)(q->heap[0].rank & (SIM_QUEUE_MAX - 1));
	struct sim_event first = q->event[slot];
	struct sim_place last = q->heap[--q->count];
	size_t i = 0;

	for (size_t child; (child = CHILDREN * i + 1) < q->count; i = child) {
		size_t end = child + CHILDREN < q->count ? child + CHILDREN : q->count;

		for (size_t k = child + 1; k < end; k++)
			if (before(&q->heap[k], &q->heap[child]))
				child = k;
		if (!before(&q->heap[child], &last))
			break;
		q->heap[i] = q->heap[child];
	}
	q->heap[i] = last;
	q->event[slot] = (struct sim_event){.node = q->free}; /* it owns nothing now */
	q->free = slot + 1;
	return first;
}

void sim_queue_fini(struct sim_queue *q)
{
	for (uint32_t i = 0; i < q->events; i++)
		free(q->event[i].p);
	free(q->heap);
	free(q->event);
}
