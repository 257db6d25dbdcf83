/* SPDX-License-Identifier: MIT */
/* wire_queue.c - frames under way: a clock, dice and fifos of each link, a heap of all */
#include "wire_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/base/clock.h"
#include "netns/dist.h"
#include "netns/link_state.h"

#define POOL_BYTES ((size_t)WIRE_FRAMES_MAX * WIRE_FRAME_MAX)

int wire_queue_init(struct wire_queue *q, unsigned links, uint64_t seed)
{
	*q = (struct wire_queue){.links = links, .seed = seed, .free = WIRE_NONE};
	q->dice = calloc(links, 2 * sizeof *q->dice);
	q->clock = calloc(links, sizeof *q->clock);
	q->fifo = calloc(links, 2 * sizeof *q->fifo);
	q->heap = calloc(2 * (size_t)links + WIRE_FRAMES_MAX, sizeof *q->heap);
	q->slot = calloc(WIRE_FRAMES_MAX, sizeof *q->slot);
	/* Memory comes with the first use of a slot; the free list is a stack, so few are used. */
	q->bytes = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (q->bytes == MAP_FAILED)
		q->bytes = NULL;
	if (!q->dice || !q->clock || !q->fifo || !q->heap || !q->slot || !q->bytes) {
		wire_queue_fini(q);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < 2 * links; i++)
		q->fifo[i].head = q->fifo[i].tail = WIRE_NONE;
	return 0;
}

void wire_queue_fini(struct wire_queue *q)
{
	free(q->dice);
	free(q->clock);
	free(q->fifo);
	free(q->heap);
	free(q->slot);
	if (q->bytes)
		munmap(q->bytes, POOL_BYTES);
	*q = (struct wire_queue){.free = WIRE_NONE};
}

void wire_queue_touch(struct wire_queue *q, unsigned slots)
{
	/* As good as it goes: without it, the first use of each page takes about 1 us. */
	(void)madvise(q->bytes, (size_t)slots * WIRE_FRAME_MAX, MADV_POPULATE_WRITE);
	memset(q->slot, 0, (size_t)slots * sizeof *q->slot);
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

/* Of what stands in the heap: the slot of its first frame. */
static uint32_t first_of(const struct wire_queue *q, uint32_t number)
{
	return number < 2 * q->links ? q->fifo[number].head : number - 2 * q->links;
}

static uint64_t head_due(const struct wire_queue *q, unsigned at)
{
	return q->slot[first_of(q, q->heap[at])].due_ns;
}

static void heap_swap(struct wire_queue *q, unsigned a, unsigned b)
{
	uint32_t fifo = q->heap[a];

	q->heap[a] = q->heap[b];
	q->heap[b] = fifo;
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

static bool chosen(uint32_t u, uint32_t ppm)
{
	return (((uint64_t)u * PPM_ONE) >> 32) < ppm;
}

/* As netem does it: value and last one mixed, which makes the extremes rarer. */
static uint32_t correlated(struct wire_dice *dice, uint32_t u, uint32_t ppm)
{
	uint64_t share = ((uint64_t)ppm << 32) / PPM_ONE;

	if (ppm)
		u = (uint32_t)(((__uint128_t)u * ((1ull << 32) - share) +
				       (__uint128_t)dice->last * share) >>
			       32);
	dice->last = u;
	return u;
}

static uint64_t delay(struct wire_dice *dice, uint32_t u, const struct wire_shape *shape)
{
	uint64_t jitter_ns = shape->jitter_ns;

	u = correlated(dice, u, shape->correlation_ppm);
	if (dice->dist != shape->dist)
		dice->replayed = 0;
	dice->dist = shape->dist;
	if (dist_replays(shape->dist))
		return dist_nth_ns(shape->dist, dice->replayed++);
	/* The values may be of two changes, if the second comes while they are being read. */
	if (jitter_ns > shape->delay_ns)
		jitter_ns = shape->delay_ns;
	return dist_draw_ns(shape->dist, shape->delay_ns, jitter_ns, u);
}

/* What waited at the rate before waits at this one: as many bytes, another time. */
static void set_rate(struct wire_clock *clock, uint64_t now_ns, uint64_t rate_bps)
{
	if (clock->sent_ns <= now_ns || rate_bps == 0 || clock->rate_bps == 0) {
		clock->sent_ns = now_ns;
	} else {
		__uint128_t bits = (__uint128_t)(clock->sent_ns - now_ns) * clock->rate_bps;

		clock->sent_ns = now_ns + (uint64_t)(bits / rate_bps);
	}
	clock->rest = 0;
	clock->rate_bps = rate_bps;
}

/* The virtual clock. Return: false if the frame does not fit into the queue before it. */
static bool send(struct wire_clock *clock, uint64_t now_ns, uint32_t len,
	const struct wire_shape *shape, uint64_t *ret_sent_ns)
{
	uint64_t rate = shape->rate_bps, wait_ns, units;

	*ret_sent_ns = now_ns;
	if (rate != clock->rate_bps)
		set_rate(clock, now_ns, rate);
	if (rate == 0)
		return true;
	if (clock->sent_ns <= now_ns) {
		clock->sent_ns = now_ns;
		clock->rest = 0;
	}
	wait_ns = clock->sent_ns - now_ns;
	if ((__uint128_t)wait_ns * rate / (8 * NS_PER_S) + len > shape->queue_bytes)
		return false;
	units = (uint64_t)len * 8 * NS_PER_S + clock->rest;
	clock->sent_ns += units / rate;
	clock->rest = units % rate;
	*ret_sent_ns = clock->sent_ns;
	return true;
}

static void append(struct wire_queue *q, uint32_t number, uint32_t slot, uint64_t due_ns)
{
	struct wire_fifo *fifo = &q->fifo[number];

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
	q->heap[q->heap_len] = number;
	heap_up(q, q->heap_len++);
}

/* By itself: what came before or comes after does not matter. */
static void stand_alone(struct wire_queue *q, unsigned link, uint32_t slot, uint64_t due_ns)
{
	q->slot[slot].due_ns = due_ns;
	q->slot[slot].link = link;
	q->heap[q->heap_len] = 2 * q->links + slot;
	heap_up(q, q->heap_len++);
}

void wire_queue_put(struct wire_queue *q, unsigned link, uint32_t slot, uint64_t now_ns,
	const struct wire_shape *shape, struct wire_fate *ret)
{
	unsigned row = 2 * link + q->slot[slot].probe;
	struct wire_dice *dice = &q->dice[row];
	uint64_t first, second, sent_ns;

	assert(link < q->links);
	if (!dice->seeded) {
		prng_init(&dice->prng, q->seed, row);
		dice->seeded = true;
	}
	first = prng_next(&dice->prng);
	second = prng_next(&dice->prng);
	*ret = (struct wire_fate){.place = (uint32_t)second};
	if (!send(&q->clock[link], now_ns, q->slot[slot].len, shape, &sent_ns)) {
		ret->dropped = true;
		return;
	}
	ret->corrupted = chosen((uint32_t)(second >> 32), shape->corrupt_ppm);
	ret->reordered = chosen((uint32_t)(first >> 32), shape->reorder_ppm);
	if (ret->reordered)
		append(q, 2 * link + 1, slot, sent_ns);
	else if (dist_overtakes(shape->dist))
		stand_alone(q, link, slot, sent_ns + delay(dice, (uint32_t)first, shape));
	else
		append(q, 2 * link, slot, sent_ns + delay(dice, (uint32_t)first, shape));
}

uint64_t wire_queue_due(const struct wire_queue *q)
{
	return q->heap_len ? head_due(q, 0) : UINT64_MAX;
}

uint32_t wire_queue_get(struct wire_queue *q)
{
	uint32_t number = q->heap[0];
	uint32_t slot = first_of(q, number);
	bool last = true;

	assert(q->heap_len > 0);
	if (number < 2 * q->links) {
		q->fifo[number].head = q->slot[slot].next;
		last = q->fifo[number].head == WIRE_NONE;
	}
	if (last)
		q->heap[0] = q->heap[--q->heap_len];
	heap_down(q, 0);
	return slot;
}

/* Return: frames that were in the fifo. */
static unsigned empty(struct wire_queue *q, struct wire_fifo *fifo)
{
	unsigned frames = 0;

	while (fifo->head != WIRE_NONE) {
		uint32_t slot = fifo->head;

		fifo->head = q->slot[slot].next;
		wire_queue_give_back(q, slot);
		frames++;
	}
	fifo->last_due_ns = 0;
	return frames;
}

/* Return: whether it goes, and has gone; else it stays in the heap. */
static bool forget(struct wire_queue *q, uint32_t number, bool (*flush)(void *ctx, unsigned link),
	void (*each)(void *ctx, unsigned link, unsigned frames), void *ctx)
{
	uint32_t slot = first_of(q, number);

	if (number < 2 * q->links)
		return slot == WIRE_NONE;
	if (!flush(ctx, q->slot[slot].link))
		return false;
	each(ctx, q->slot[slot].link, 1);
	wire_queue_give_back(q, slot);
	return true;
}

void wire_queue_flush(struct wire_queue *q, bool (*flush)(void *ctx, unsigned link),
	void (*each)(void *ctx, unsigned link, unsigned frames), void *ctx)
{
	unsigned standing;

	for (unsigned link = 0; link < q->links; link++) {
		unsigned frames;

		if (!flush(ctx, link))
			continue;
		q->clock[link].sent_ns = 0;
		frames = empty(q, &q->fifo[2ul * link]) + empty(q, &q->fifo[2ul * link + 1]);
		if (frames)
			each(ctx, link, frames);
	}
	/* The heap once more, of those that still have frames. */
	standing = q->heap_len;
	q->heap_len = 0;
	for (unsigned i = 0; i < standing; i++) {
		if (forget(q, q->heap[i], flush, each, ctx))
			continue;
		q->heap[q->heap_len] = q->heap[i];
		heap_up(q, q->heap_len++);
	}
}
