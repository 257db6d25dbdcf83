/* SPDX-License-Identifier: MIT */
/* wire_test.c - the wire emulator: its queue on paper, its process on frames */
#include "netns/wire_queue.h"
#include "tests/net/net_lab.h"

#define PORT 7002
#define MS NS_PER_MS

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
	wire_queue_put(&q, 0, a, 0, 30, 0);
	wire_queue_put(&q, 1, b, 0, 10, 0);
	wire_queue_put(&q, 2, c, 0, 20, 0);
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
	wire_queue_put(&q, 1, a, 0, 100, 0);
	wire_queue_put(&q, 1, b, 1, 5, 0); /* the delay was made shorter meanwhile */
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
			wire_queue_put(&q, link, slot, now, 300 * link, 200 * link);
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

		wire_queue_put(&q, link, slot, i * 1000 * MS, 10 * MS, 5 * MS);
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

/* Send @n numbers at @pps from node 0 and count what comes to node 1; it must come in order. */
static unsigned stream(struct net_lab *lab, uint32_t n, uint64_t pps)
{
	int tx = net_lab_udp(lab, 0, 0), rx = net_lab_udp(lab, 1, PORT);
	uint64_t begin = clock_now_ns();
	unsigned got = 0;
	int64_t number;

	for (uint32_t i = 0; i < n; i++) {
		struct timespec at = clock_timespec(begin + i * NS_PER_S / pps);

		if (i % 16 == 0)
			(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		net_lab_send(lab, tx, 1, PORT, i);
	}
	while (got < n && (number = net_lab_receive(rx, 1000)) >= 0)
		assert_int_equal(number, got++);
	close(tx);
	close(rx);
	return got;
}

static void wire__loses_nothing_and_keeps_order_with_jitter(void **state)
{
	struct fabric_quality quality;
	struct fabric_change change;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_WIRE);
	net_lab_delay_all(&lab, 20 * MS, 15 * MS);
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	assert_int_equal(stream(&lab, 20000, 20000), 20000);
	fabric_quality(lab.fabric, &quality);
	assert_int_equal(quality.lost, 0);
	assert_true(quality.late.count >= 20000);
	assert_true(quality.bias_ns > 0);
	net_lab_destroy(&lab);
}

static void wire__is_a_realtime_process_with_its_own_name(void **state)
{
	struct fabric_quality quality;
	char path[64], name[32] = "";
	struct net_lab lab;
	int fd;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_WIRE);
	(void)snprintf(path, sizeof path, "/proc/%d/comm", fabric_wire_pid(lab.fabric));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, name, sizeof name - 1) > 0);
	close(fd);
	assert_string_equal(name, "pacelab-wire\n");
	fabric_quality(lab.fabric, &quality);
	assert_int_equal(
		quality.realtime, sched_getscheduler(fabric_wire_pid(lab.fabric)) == SCHED_FIFO);
	net_lab_destroy(&lab);
}

static void wire__holds_nothing_of_its_maker_open(void **state)
{
	char command[96], out[NET_LAB_OUTPUT_MAX];
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_WIRE);
	(void)snprintf(
		command, sizeof command, "ls /proc/%d/fd | wc -l", fabric_wire_pid(lab.fabric));
	assert_int_equal(net_lab_run(-1, command, out, sizeof out), 0);
	assert_int_equal(strtol(out, NULL, 10), 2); /* the tap and the log */
	net_lab_destroy(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire_queue__gives_frames_by_due_time),
		cmocka_unit_test(wire_queue__never_overtakes_on_a_link),
		cmocka_unit_test(wire_queue__keeps_any_mix_in_order),
		cmocka_unit_test(wire_queue__jitter_comes_from_the_seed),
		cmocka_unit_test(wire_queue__is_bounded),
		cmocka_unit_test(wire__loses_nothing_and_keeps_order_with_jitter),
		cmocka_unit_test(wire__is_a_realtime_process_with_its_own_name),
		cmocka_unit_test(wire__holds_nothing_of_its_maker_open),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
