/* SPDX-License-Identifier: MIT */
/* wire_queue.c - frames under way: a fifo per link, a heap of links */
#include "wire_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define POOL_BYTES ((size_t)WIRE_FRAMES_MAX * WIRE_FRAME_MAX)

int wire_queue_init(struct wire_queue *q, unsigned links, uint64_t seed)
{
	*q = (struct wire_queue){.links = links, .seed = seed, .free = WIRE_NONE};
	q->fifo = calloc(links, sizeof *q->fifo);
	q->heap = calloc(links, sizeof *q->heap);
	q->slot = calloc(WIRE_FRAMES_MAX, sizeof *q->slot);
	/* Memory comes with the first use of a slot; the free list is a stack, so few are used. */
	q->bytes = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (q->bytes == MAP_FAILED)
		q->bytes = NULL;
	if (!q->fifo || !q->heap || !q->slot || !q->bytes) {
		wire_queue_fini(q);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < links; i++)
		q->fifo[i].head = q->fifo[i].tail = WIRE_NONE;
	return 0;
}

void wire_queue_fini(struct wire_queue *q)
{
	free(q->fifo);
	free(q->heap);
	free(q->slot);
	if (q->bytes)
		munmap(q->bytes, POOL_BYTES);
	*q = (struct wire_queue){.free = WIRE_NONE};
}

uint32_t wire_queue_take(struct wire_queue *q)
{
	uint32_t slot = q->free;

	if (slot != WIRE_NONE)
		q->free = q->slot[slot].next;
	else if (q->used < WIRE_FRAMES_MAX)
		slot = q->used++;
	return slot;
}

void wire_queue_give_back(struct wire_queue *q, uint32_t slot)
{
	q->slot[slot].next = q->free;
	q->free = slot;
}

static uint64_t head_due(const struct wire_queue *q, unsigned at)
{
	return q->slot[q->fifo[q->heap[at]].head].due_ns;
}

static void heap_swap(struct wire_queue *q, unsigned a, unsigned b)
{
	uint32_t link = q->heap[a];

	q->heap[a] = q->heap[b];
	q->heap[b] = link;
}

static void heap_down(struct wire_queue *q, unsigned at)
{
	for (;;) {
		unsigned least = at, left = 2 * at + 1, right = left + 1;

		if (left < q->heap_len && head_due(q, left) < head_due(q, least))
			least = left;
		if (right < q->heap_len && head_due(q, right) < head_due(q, least))
			least = right;
		if (least == at)
			return;
		heap_swap(q, at, least);
		at = least;
	}
}

static void heap_up(struct wire_queue *q, unsigned at)
{
	while (at > 0 && head_due(q, at) < head_due(q, (at - 1) / 2)) {
		heap_swap(q, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
}

/* One random value per frame, whether there is jitter or not: turning it on or off elsewhere does
 * not shift the values that later frames get. */
static uint64_t jittered(struct wire_queue *q, unsigned link, uint64_t delay_ns, uint64_t jitter_ns)
{
	struct wire_fifo *fifo = &q->fifo[link];
	double unit;

	if (!fifo->seeded) {
		prng_init(&fifo->prng, q->seed, link);
		fifo->seeded = true;
	}
	unit = prng_unit(&fifo->prng);
	/* The values may be of two changes, if the second comes while they are being read. */
	if (jitter_ns > delay_ns)
		jitter_ns = delay_ns;
	return delay_ns - jitter_ns + (uint64_t)(unit * 2.0 * (double)jitter_ns);
}

void wire_queue_put(struct wire_queue *q, unsigned link, uint32_t slot, uint64_t now_ns,
	uint64_t delay_ns, uint64_t jitter_ns)
{
	struct wire_fifo *fifo = &q->fifo[link];
	uint64_t due_ns = now_ns + jittered(q, link, delay_ns, jitter_ns);

	assert(link < q->links);
	if (due_ns < fifo->last_due_ns)
		due_ns = fifo->last_due_ns;
	fifo->last_due_ns = due_ns;
	q->slot[slot].due_ns = due_ns;
	q->slot[slot].next = WIRE_NONE;
	if (fifo->head != WIRE_NONE) {
		q->slot[fifo->tail].next = slot;
		fifo->tail = slot;
		return;
	}
	fifo->head = fifo->tail = slot;
	q->heap[q->heap_len] = link;
	heap_up(q, q->heap_len++);
}

uint64_t wire_queue_due(const struct wire_queue *q)
{
	return q->heap_len ? head_due(q, 0) : UINT64_MAX;
}

uint32_t wire_queue_get(struct wire_queue *q)
{
	struct wire_fifo *fifo = &q->fifo[q->heap[0]];
	uint32_t slot = fifo->head;

	assert(q->heap_len > 0);
	fifo->head = q->slot[slot].next;
	if (fifo->head == WIRE_NONE)
		q->heap[0] = q->heap[--q->heap_len];
	heap_down(q, 0);
	return slot;
}
