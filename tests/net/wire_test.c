/* SPDX-License-Identifier: MIT */
/* wire_test.c - the wire emulator's process on frames */
#include "tests/net/net_lab.h"

#define PORT 7002
#define MS NS_PER_MS

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
		cmocka_unit_test(wire__loses_nothing_and_keeps_order_with_jitter),
		cmocka_unit_test(wire__is_a_realtime_process_with_its_own_name),
		cmocka_unit_test(wire__holds_nothing_of_its_maker_open),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
