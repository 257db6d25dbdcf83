/* SPDX-License-Identifier: MIT */
/* wire_queue_test.c - the queue of the wire emulator on paper: every fault, by seed and by figures
 */
#include "netns/wire_queue.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "netns/dist.h"
#include "tests/lib/test.h"

#define MS NS_PER_MS

/* A frame of @len bytes with this shape. */
static struct wire_fate put(struct wire_queue *q, unsigned link, uint32_t slot, uint64_t now,
	uint32_t len, const struct wire_shape *shape)
{
	struct wire_fate fate;

	q->slot[slot].len = (uint16_t)len;
	wire_queue_put(q, link, slot, now, shape, &fate);
	return fate;
}

static void put_delayed(struct wire_queue *q, unsigned link, uint32_t slot, uint64_t now,
	uint64_t delay_ns, uint64_t jitter_ns)
{
	const struct wire_shape shape = {.delay_ns = delay_ns, .jitter_ns = jitter_ns};

	(void)put(q, link, slot, now, 64, &shape);
}

static void wire_queue__gives_frames_by_due_time(void **state)
{
	struct wire_queue q;
	uint32_t a, b, c;

	(void)state;
	assert_int_equal(wire_queue_init(&q, 4, 1), 0);
	assert_true(wire_queue_due(&q) == UINT64_MAX);
	a = wire_queue_take(&q);
	b = wire_queue_take(&q);
	c = wire_queue_take(&q);
	put_delayed(&q, 0, a, 0, 30, 0);
	put_delayed(&q, 1, b, 0, 10, 0);
	put_delayed(&q, 2, c, 0, 20, 0);
	assert_int_equal(wire_queue_due(&q), 10);
	assert_int_equal(wire_queue_get(&q), b);
	assert_int_equal(wire_queue_get(&q), c);
	assert_int_equal(wire_queue_get(&q), a);
	assert_true(wire_queue_due(&q) == UINT64_MAX);
	wire_queue_fini(&q);
}

static void wire_queue__never_overtakes_on_a_link(void **state)
{
	struct wire_queue q;
	uint32_t a, b;

	(void)state;
	assert_int_equal(wire_queue_init(&q, 2, 1), 0);
	a = wire_queue_take(&q);
	b = wire_queue_take(&q);
	put_delayed(&q, 1, a, 0, 100, 0);
	put_delayed(&q, 1, b, 1, 5, 0); /* the delay was made shorter meanwhile */
	assert_int_equal(wire_queue_get(&q), a);
	assert_int_equal(wire_queue_due(&q), 100);
	assert_int_equal(wire_queue_get(&q), b);
	wire_queue_fini(&q);
}

static void wire_queue__keeps_any_mix_in_order(void **state)
{
	enum { LINKS = 7, FRAMES = 20000 };
	static uint32_t link_of[WIRE_FRAMES_MAX], number_of[WIRE_FRAMES_MAX];
	uint32_t sent[LINKS] = {0}, seen[LINKS] = {0};
	uint64_t last_due = 0;
	unsigned under_way = 0;
	struct wire_queue q;
	struct prng prng;

	(void)state;
	prng_init(&prng, 11, 0);
	assert_int_equal(wire_queue_init(&q, LINKS, 5), 0);
	for (uint64_t now = 0; now < FRAMES || under_way > 0; now++) {
		if (now < FRAMES) {
			uint32_t slot = wire_queue_take(&q);
			uint32_t link = (uint32_t)prng_below(&prng, LINKS);

			assert_int_not_equal(slot, WIRE_NONE);
			link_of[slot] = link;
			number_of[slot] = sent[link]++;
			put_delayed(&q, link, slot, now, 300 * link, 200 * link);
			under_way++;
		}
		while (wire_queue_due(&q) <= now) {
			uint64_t due = wire_queue_due(&q);
			uint32_t slot = wire_queue_get(&q);

			assert_true(due >= last_due);
			last_due = due;
			assert_int_equal(number_of[slot], seen[link_of[slot]]++);
			wire_queue_give_back(&q, slot);
			under_way--;
		}
	}
	for (unsigned i = 0; i < LINKS; i++)
		assert_int_equal(sent[i], seen[i]);
	wire_queue_fini(&q);
}

static uint64_t due_with_seed(uint64_t seed, unsigned link, unsigned frames)
{
	struct wire_queue q;
	uint64_t sum = 0;

	assert_int_equal(wire_queue_init(&q, 4, seed), 0);
	for (unsigned i = 0; i < frames; i++) {
		uint32_t slot = wire_queue_take(&q);

		put_delayed(&q, link, slot, i * 1000 * MS, 10 * MS, 5 * MS);
		assert_true(wire_queue_due(&q) >= i * 1000 * MS + 5 * MS);
		assert_true(wire_queue_due(&q) <= i * 1000 * MS + 15 * MS);
		sum = sum * 31 + wire_queue_due(&q);
		wire_queue_give_back(&q, wire_queue_get(&q));
	}
	wire_queue_fini(&q);
	return sum;
}

static void wire_queue__jitter_comes_from_the_seed(void **state)
{
	(void)state;
	assert_true(due_with_seed(7, 1, 100) == due_with_seed(7, 1, 100));
	assert_true(due_with_seed(7, 1, 100) != due_with_seed(8, 1, 100));
	assert_true(due_with_seed(7, 1, 100) != due_with_seed(7, 2, 100));
}

static void wire_queue__is_bounded(void **state)
{
	struct wire_queue q;

	(void)state;
	assert_int_equal(wire_queue_init(&q, 1, 1), 0);
	for (unsigned i = 0; i < WIRE_FRAMES_MAX; i++)
		assert_int_not_equal(wire_queue_take(&q), WIRE_NONE);
	assert_int_equal(wire_queue_take(&q), WIRE_NONE);
	wire_queue_give_back(&q, 5);
	assert_int_equal(wire_queue_take(&q), 5);
	wire_queue_fini(&q);
}

#define FRAMES 20000

/* What a link did to FRAMES frames that came @gap_ns apart. */
struct passage {
	unsigned dropped;
	unsigned corrupted;
	unsigned reordered;
	unsigned came[FRAMES];    /* frames in the order in which they left, */
	uint64_t left_ns[FRAMES]; /* and when each did, by frame */
	unsigned left;
	uint64_t places; /* a sum over the places of corruption */
};

static void leave(struct wire_queue *q, struct passage *p, const unsigned *number)
{
	uint64_t due_ns = wire_queue_due(q);
	uint32_t slot = wire_queue_get(q);

	p->came[p->left++] = number[slot];
	p->left_ns[number[slot]] = due_ns;
	wire_queue_give_back(q, slot);
}

static void pass(const struct wire_shape *shape, uint64_t seed, uint64_t gap_ns, struct passage *p)
{
	static unsigned number[WIRE_FRAMES_MAX];
	struct wire_queue q;

	memset(p, 0, sizeof *p);
	assert_int_equal(wire_queue_init(&q, 2, seed), 0);
	for (unsigned i = 0; i < FRAMES; i++) {
		uint64_t now = i * gap_ns;
		uint32_t slot;
		struct wire_fate fate;

		while (wire_queue_due(&q) <= now)
			leave(&q, p, number);
		slot = wire_queue_take(&q);
		assert_int_not_equal(slot, WIRE_NONE);
		number[slot] = i;
		fate = put(&q, 1, slot, now, 1000, shape);
		p->dropped += fate.dropped;
		p->corrupted += fate.corrupted;
		p->reordered += fate.reordered;
		if (fate.corrupted)
			p->places = p->places * 31 + fate.place;
		if (fate.dropped)
			wire_queue_give_back(&q, slot);
	}
	while (wire_queue_due(&q) != UINT64_MAX)
		leave(&q, p, number);
	wire_queue_fini(&q);
}

static struct passage one, other;

/* Twice by the same seed is the same to the last frame; by another seed it is not. */
static void assert_from_seed(const struct wire_shape *shape, uint64_t gap_ns)
{
	pass(shape, 7, gap_ns, &one);
	pass(shape, 7, gap_ns, &other);
	assert_memory_equal(&one, &other, sizeof one);
	pass(shape, 8, gap_ns, &other);
	assert_memory_not_equal(&one, &other, sizeof one);
}

static void wire_queue__rate_is_a_clock_that_loses_nothing(void **state)
{
	/* 1000 bytes at 3 Mbit/s take 2,666,666 2/3 ns. */
	const struct wire_shape shape = {.rate_bps = 3000000, .queue_bytes = UINT32_MAX};

	(void)state;
	pass(&shape, 1, 0, &one);
	assert_int_equal(one.left, FRAMES);
	for (unsigned i = 0; i < FRAMES; i++) {
		assert_int_equal(one.came[i], i);
		assert_true(one.left_ns[i] == (i + 1ull) * 8000 * NS_PER_S / 3000000);
	}
}

static void wire_queue__rate_leaves_an_idle_link_alone(void **state)
{
	const struct wire_shape shape = {
		.rate_bps = 8000000, .queue_bytes = 4000, .delay_ns = 5 * MS};

	(void)state;
	/* A millisecond for each, which comes every second one. */
	pass(&shape, 1, 2 * MS, &one);
	assert_int_equal(one.dropped, 0);
	for (unsigned i = 0; i < FRAMES; i++)
		assert_true(one.left_ns[i] == i * 2 * MS + MS + 5 * MS);
}

static void wire_queue__drops_the_tail_that_does_not_fit(void **state)
{
	const struct wire_shape shape = {.rate_bps = 8000000, .queue_bytes = 10000};

	(void)state;
	/* All at once: ten of them fit. */
	pass(&shape, 1, 0, &one);
	assert_int_equal(one.dropped, FRAMES - 10);
	assert_int_equal(one.came[9], 9);
	/* Twice as fast as the rate: half of them, but for the ten that wait at the end. */
	pass(&shape, 1, MS / 2, &one);
	assert_in_range(one.left, FRAMES / 2, FRAMES / 2 + 11);
	assert_int_equal(one.left + one.dropped, FRAMES);
	for (unsigned i = 1; i < one.left; i++)
		assert_true(one.left_ns[one.came[i]] - one.left_ns[one.came[i - 1]] == MS);
	/* No frame waited for more than what the queue holds. */
	for (unsigned i = 0; i < one.left; i++)
		assert_true(one.left_ns[one.came[i]] - one.came[i] * (MS / 2) <= 10 * MS);
}

static void wire_queue__other_rate_finds_the_bytes_that_wait(void **state)
{
	struct wire_shape shape = {.rate_bps = 8000000, .queue_bytes = 10000};
	struct wire_queue q;
	unsigned fit = 0;

	(void)state;
	assert_int_equal(wire_queue_init(&q, 1, 1), 0);
	for (unsigned i = 0; i < 8; i++)
		assert_false(put(&q, 0, wire_queue_take(&q), 0, 1000, &shape).dropped);
	shape.rate_bps *= 1000;
	while (!put(&q, 0, wire_queue_take(&q), 0, 1000, &shape).dropped)
		fit++;
	assert_int_equal(fit, 2);
	wire_queue_fini(&q);
}

static void wire_queue__reordered_frames_do_not_wait(void **state)
{
	const struct wire_shape shape = {.delay_ns = 10 * MS, .reorder_ppm = 250000};
	unsigned early = 0;

	(void)state;
	assert_from_seed(&shape, MS);
	for (unsigned i = 0; i < FRAMES; i++) {
		uint64_t took = one.left_ns[i] - i * MS;

		assert_true(took == 0 || took == 10 * MS);
		early += took == 0;
	}
	assert_int_equal(early, one.reordered);
	assert_in_range(early, 4700, 5300);
}

static void wire_queue__reordered_frames_wait_for_the_rate(void **state)
{
	const struct wire_shape shape = {.delay_ns = 50 * MS,
		.reorder_ppm = 100000,
		.rate_bps = 8000000,
		.queue_bytes = UINT32_MAX};

	(void)state;
	pass(&shape, 7, 0, &one);
	assert_in_range(one.reordered, 1800, 2200);
	for (unsigned i = 0; i < FRAMES; i++)
		assert_true(
			one.left_ns[i] == (i + 1) * MS || one.left_ns[i] == (i + 1) * MS + 50 * MS);
}

static void wire_queue__corrupts_by_the_seed(void **state)
{
	const struct wire_shape shape = {.corrupt_ppm = 10000};
	const struct wire_shape all = {.corrupt_ppm = 1000000};

	(void)state;
	assert_from_seed(&shape, MS);
	assert_in_range(one.corrupted, 130, 270);
	pass(&all, 7, MS, &one);
	assert_int_equal(one.corrupted, FRAMES);
}

static void wire_queue__one_fault_does_not_shift_another(void **state)
{
	const struct wire_shape alone = {.corrupt_ppm = 10000};
	const struct wire_shape among = {.corrupt_ppm = 10000,
		.delay_ns = 10 * MS,
		.jitter_ns = MS,
		.dist = DIST_NORMAL,
		.correlation_ppm = 250000,
		.reorder_ppm = 100000};

	(void)state;
	pass(&alone, 7, MS, &one);
	pass(&among, 7, MS, &other);
	assert_int_equal(one.corrupted, other.corrupted);
	assert_true(one.places == other.places);
}

static void wire_queue__probes_do_not_shift_the_choices(void **state)
{
	const struct wire_shape shape = {.corrupt_ppm = 300000,
		.delay_ns = 10 * MS,
		.jitter_ns = MS,
		.correlation_ppm = 500000};
	struct wire_queue plain, probed;

	(void)state;
	assert_int_equal(wire_queue_init(&plain, 1, 7), 0);
	assert_int_equal(wire_queue_init(&probed, 1, 7), 0);
	for (uint64_t i = 0; i < 2000; i++) {
		uint64_t now = (i + 1) * NS_PER_S;
		struct wire_fate a, b;

		if (i % 3 == 0) {
			uint32_t slot = wire_queue_take(&probed);

			probed.slot[slot].probe = true;
			(void)put(&probed, 0, slot, now - NS_PER_S / 2, 64, &shape);
			wire_queue_give_back(&probed, wire_queue_get(&probed));
			probed.slot[slot].probe = false;
		}
		a = put(&plain, 0, wire_queue_take(&plain), now, 64, &shape);
		b = put(&probed, 0, wire_queue_take(&probed), now, 64, &shape);
		assert_int_equal(a.corrupted, b.corrupted);
		assert_int_equal(a.place, b.place);
		assert_true(wire_queue_due(&plain) == wire_queue_due(&probed));
		wire_queue_give_back(&plain, wire_queue_get(&plain));
		wire_queue_give_back(&probed, wire_queue_get(&probed));
	}
	wire_queue_fini(&plain);
	wire_queue_fini(&probed);
}

static void wire_queue__keeps_order_with_every_distribution(void **state)
{
	(void)state;
	for (unsigned dist = 0; dist < DIST_TABLE; dist++) {
		const struct wire_shape shape = {
			.delay_ns = 10 * MS, .jitter_ns = 3 * MS, .dist = (uint8_t)dist};

		assert_from_seed(&shape, MS / 10);
		for (unsigned i = 0; i < FRAMES; i++)
			assert_int_equal(one.came[i], i);
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Frames that do not meet each other have the distribution that was asked for. */
static void wire_queue__delays_have_the_quantiles_of_the_distribution(void **state)
{
	static uint64_t took[FRAMES];

	(void)state;
	for (unsigned dist = 0; dist < DIST_TABLE; dist++) {
		const struct wire_shape shape = {
			.delay_ns = 10 * MS, .jitter_ns = 2 * MS, .dist = (uint8_t)dist};

		pass(&shape, 7, 100 * MS, &one);
		for (unsigned i = 0; i < FRAMES; i++)
			took[i] = one.left_ns[i] - i * 100 * MS;
		qsort(took, FRAMES, sizeof *took, compare);
		for (unsigned percent = 10; percent < 100; percent += 10) {
			/* The share below a quantile is off by 5 standard deviations at most. */
			double slack = 5 * sqrt(0.25 / FRAMES), share = percent / 100.0;
			uint64_t have = took[FRAMES * percent / 100];

			assert_true(have >= dist_quantile_ns(dist, 10 * MS, 2 * MS, share - slack));
			assert_true(have <= dist_quantile_ns(dist, 10 * MS, 2 * MS, share + slack));
		}
	}
}

/* As in netem: neighbours are alike, and the spread is sqrt((1 - r) / (1 + r)) of what it was. */
static void wire_queue__correlation_makes_neighbours_alike(void **state)
{
	const struct wire_shape shape = {
		.delay_ns = 10 * MS, .jitter_ns = 5 * MS, .correlation_ppm = 500000};
	double mean = 0, variance = 0, product = 0;

	(void)state;
	assert_from_seed(&shape, 100 * MS);
	for (unsigned i = 0; i < FRAMES; i++)
		mean += (double)(one.left_ns[i] - i * 100 * MS) / FRAMES;
	for (unsigned i = 1; i < FRAMES; i++) {
		double x = (double)(one.left_ns[i] - i * 100 * MS) - mean;
		double before = (double)(one.left_ns[i - 1] - (i - 1) * 100 * MS) - mean;

		variance += x * x / FRAMES;
		product += x * before / FRAMES;
	}
	assert_true(fabs(mean / (10.0 * MS) - 1) < 0.02);
	assert_true(fabs(product / variance - 0.5) < 0.05);
	/* Uniform in +- 5 ms has a variance of 25 / 3. */
	assert_true(fabs(variance / (25.0 / 3 * MS * MS) - 1.0 / 3) < 0.03);
}

static void wire_queue__replays_a_trace_from_its_first_delay(void **state)
{
	char path[] = "/tmp/wire_trace.XXXXXX", word[64];
	static const char text[] = "5ms\n1ms\n9ms\n";
	struct wire_shape shape = {.delay_ns = 5 * MS};
	const uint64_t want[] = {5 * MS, MS, 9 * MS};
	int fd = mkstemp(path), dist;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	close(fd);
	(void)snprintf(word, sizeof word, "replay:%s", path);
	dist = dist_load_file(word, NULL);
	assert_int_equal(unlink(path), 0);
	assert_true(dist >= DIST_TABLE);
	shape.dist = (uint8_t)dist;
	pass(&shape, 7, 100 * MS, &one);
	for (unsigned i = 0; i < FRAMES; i++)
		assert_true(one.left_ns[i] - i * 100 * MS == want[i % 3]);
}

static bool is_link_1(void *ctx, unsigned link)
{
	(void)ctx;
	return link == 1;
}

static void add_frames(void *ctx, unsigned link, unsigned frames)
{
	assert_int_equal(link, 1);
	*(unsigned *)ctx += frames;
}

static void wire_queue__flush_forgets_a_link_and_no_other(void **state)
{
	const struct wire_shape shape = {.delay_ns = MS, .reorder_ppm = 300000};
	enum { LINKS = 5, EACH = 200 };
	unsigned flushed = 0, left = 0;
	uint64_t last = 0;
	struct wire_queue q;

	(void)state;
	assert_int_equal(wire_queue_init(&q, LINKS, 3), 0);
	for (unsigned i = 0; i < LINKS * EACH; i++)
		(void)put(&q, i % LINKS, wire_queue_take(&q), i, 64, &shape);
	wire_queue_flush(&q, is_link_1, add_frames, &flushed);
	assert_int_equal(flushed, EACH);
	while (wire_queue_due(&q) != UINT64_MAX) {
		assert_true(wire_queue_due(&q) >= last);
		last = wire_queue_due(&q);
		wire_queue_give_back(&q, wire_queue_get(&q));
		left++;
	}
	assert_int_equal(left, (LINKS - 1) * EACH);
	/* And it works as before: nothing waits for what was forgotten. */
	put_delayed(&q, 1, wire_queue_take(&q), 0, 7, 0);
	assert_int_equal(wire_queue_due(&q), 7);
	wire_queue_fini(&q);
}

/* Of frames put at once on one link, with delays drawn apart: they come by their delays alone. */
static void wire_queue__lets_frames_overtake_where_the_distribution_says_so(void **state)
{
	enum { EACH = 20000, LINK = 1 };
	const struct dist_part part = {.weight = 1, .mean_ns = 10.0 * MS};
	struct wire_shape shape = {.delay_ns = 10 * MS};
	unsigned flushed = 0, left = 0;
	struct wire_queue q;
	uint64_t last = 0;
	double sum = 0;
	int dist = dist_add_mixture("overtaking", 0, &part, 1, NULL);

	(void)state;
	assert_true(dist >= DIST_TABLE);
	assert_false(dist_overtakes((unsigned)dist));
	dist_let_overtake((unsigned)dist);
	assert_true(dist_overtakes((unsigned)dist));
	shape.dist = (uint8_t)dist;
	assert_int_equal(wire_queue_init(&q, 4, 3), 0);
	for (unsigned i = 0; i < EACH; i++)
		(void)put(&q, LINK, wire_queue_take(&q), 0, 64, &shape);
	while (wire_queue_due(&q) != UINT64_MAX) {
		assert_true(wire_queue_due(&q) >= last);
		last = wire_queue_due(&q);
		sum += (double)last;
		wire_queue_give_back(&q, wire_queue_get(&q));
	}
	/* The mean of as many exponentials; in order it would be that of the largest so far. */
	assert_true(sum / EACH > 9.7 * MS && sum / EACH < 10.3 * MS);
	for (unsigned i = 0; i < 100; i++) {
		(void)put(&q, LINK, wire_queue_take(&q), 0, 64, &shape);
		(void)put(&q, LINK + 1, wire_queue_take(&q), 0, 64, &shape);
		put_delayed(&q, 0, wire_queue_take(&q), 0, i, 0);
	}
	wire_queue_flush(&q, is_link_1, add_frames, &flushed);
	assert_int_equal(flushed, 100);
	for (last = 0; wire_queue_due(&q) != UINT64_MAX; left++) {
		assert_true(wire_queue_due(&q) >= last);
		last = wire_queue_due(&q);
		wire_queue_give_back(&q, wire_queue_get(&q));
	}
	assert_int_equal(left, 200);
	wire_queue_fini(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire_queue__gives_frames_by_due_time),
		cmocka_unit_test(wire_queue__never_overtakes_on_a_link),
		cmocka_unit_test(wire_queue__keeps_any_mix_in_order),
		cmocka_unit_test(wire_queue__jitter_comes_from_the_seed),
		cmocka_unit_test(wire_queue__is_bounded),
		cmocka_unit_test(wire_queue__rate_is_a_clock_that_loses_nothing),
		cmocka_unit_test(wire_queue__rate_leaves_an_idle_link_alone),
		cmocka_unit_test(wire_queue__drops_the_tail_that_does_not_fit),
		cmocka_unit_test(wire_queue__other_rate_finds_the_bytes_that_wait),
		cmocka_unit_test(wire_queue__reordered_frames_do_not_wait),
		cmocka_unit_test(wire_queue__reordered_frames_wait_for_the_rate),
		cmocka_unit_test(wire_queue__corrupts_by_the_seed),
		cmocka_unit_test(wire_queue__one_fault_does_not_shift_another),
		cmocka_unit_test(wire_queue__probes_do_not_shift_the_choices),
		cmocka_unit_test(wire_queue__keeps_order_with_every_distribution),
		cmocka_unit_test(wire_queue__delays_have_the_quantiles_of_the_distribution),
		cmocka_unit_test(wire_queue__correlation_makes_neighbours_alike),
		cmocka_unit_test(wire_queue__replays_a_trace_from_its_first_delay),
		cmocka_unit_test(wire_queue__flush_forgets_a_link_and_no_other),
		cmocka_unit_test(wire_queue__lets_frames_overtake_where_the_distribution_says_so),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("wire_queue", tests, NULL, NULL);
}
