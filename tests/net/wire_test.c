/* SPDX-License-Identifier: MIT */
/* wire_test.c - the wire emulator's process on frames */
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "netns/wire.h"
#include "tests/net/net_lab.h"

#define PORT 7002
#define FRAME_MAX 1514
#define HEADERS (14 + 20 + 8) /* Ethernet, IPv4, UDP */
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
	need_true_time();
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

static struct fabric_counters counters(const struct net_lab *lab)
{
	struct fabric_counters ret;

	fabric_counters(lab->fabric, 0, 1, &ret);
	return ret;
}

/* Build two nodes and give the link from the first to the second this state. */
static void build(struct net_lab *lab, const struct link_state *s)
{
	struct fabric_change change;

	net_lab_build(lab, 2, EMULATOR_WIRE);
	*link_matrix_at(&lab->want, 0, 1) = *s;
	change = net_lab_apply(lab);
	fabric_change_fini(&change);
}

/* Frames of @size bytes on the wire, numbered from 0, as fast as they go. */
static void burst(const struct net_lab *lab, unsigned frames, size_t size)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = lab->node[1].addr_be};
	int tx = net_lab_udp(lab, 0, 0);
	uint32_t bytes[FRAME_MAX / 4] = {0};
	size_t len = size - HEADERS;

	for (bytes[0] = 0; bytes[0] < frames; bytes[0]++)
		assert_int_equal(sendto(tx, bytes, len, 0, (struct sockaddr *)&to, sizeof to), len);
	close(tx);
}

/* Return: the next frame's number, -1 if none comes within @wait_ms; its stamp on arrival. */
static int64_t receive(int rx, unsigned wait_ms, uint64_t *ret_ns)
{
	struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
	char control[CMSG_SPACE(sizeof(struct timespec))];
	uint32_t bytes[FRAME_MAX / 4];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof bytes};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control};
	struct timespec at;

	(void)setsockopt(rx, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	if (recvmsg(rx, &msg, 0) < (ssize_t)sizeof bytes[0] || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&at, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof at);
	*ret_ns = (uint64_t)at.tv_sec * NS_PER_S + (uint64_t)at.tv_nsec;
	return bytes[0];
}

static int receiver(const struct net_lab *lab)
{
	int rx = net_lab_udp(lab, 1, PORT), one = 1;

	assert_int_equal(setsockopt(rx, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one), 0);
	return rx;
}

static void wire__sends_at_the_rate_and_counts_what_the_queue_drops(void **state)
{
	/* 1,000 bytes take 1 ms; 20 of them fit into the queue. */
	const struct link_state s = {.rate_bps = 8000000, .queue_bytes = 20000};
	uint64_t first = 0, last = 0, at;
	struct fabric_quality quality;
	struct fabric_counters c;
	struct net_lab lab;
	unsigned got = 0;
	int rx;

	(void)state;
	need_root();
	build(&lab, &s);
	rx = receiver(&lab);
	burst(&lab, 2000, 1000);
	while (receive(rx, 200, &at) >= 0) {
		first = got++ ? first : at;
		last = at;
	}
	c = counters(&lab);
	assert_int_equal(c.passed, 2000);
	assert_int_equal(got + c.queue_dropped, 2000);
	assert_in_range(got, 20, 1999);
	/* Never faster than the rate, but for how late the first one may have been. */
	fabric_quality(lab.fabric, &quality);
	assert_true(last - first + quality.late.max + MS >= (got - 1) * MS);
	close(rx);
	net_lab_destroy(&lab);
}

static void wire__corrupted_frames_are_dropped_by_the_receiver(void **state)
{
	const struct link_state s = {.corrupt_ppm = PPM_ONE};
	struct net_lab lab;
	uint64_t at;
	int rx;

	(void)state;
	need_root();
	build(&lab, &s);
	rx = receiver(&lab);
	burst(&lab, 500, 200);
	assert_int_equal(receive(rx, 100, &at), -1);
	assert_int_equal(counters(&lab).corrupted, 500);
	close(rx);
	net_lab_destroy(&lab);
}

static void wire__silently_corrupted_frames_are_received(void **state)
{
	const struct link_state s = {.corrupt_ppm = PPM_ONE, .corrupt_silent = true};
	unsigned differ = 0, got = 0;
	struct net_lab lab;
	int64_t number;
	uint64_t at;
	int rx;

	(void)state;
	need_root();
	build(&lab, &s);
	rx = receiver(&lab);
	/* The payload is the number and nothing else: each one has one wrong bit. */
	burst(&lab, 500, HEADERS + 4);
	while ((number = receive(rx, 100, &at)) >= 0) {
		differ += __builtin_popcount((uint32_t)number ^ got) == 1;
		got++;
	}
	assert_int_equal(got, 500);
	assert_int_equal(differ, 500);
	assert_int_equal(counters(&lab).corrupted, 500);
	close(rx);
	net_lab_destroy(&lab);
}

/* Which of 3,000 numbered frames come, and how many are reordered: all by the seed. */
static unsigned taken(bool come[3000])
{
	const struct link_state s = {
		.corrupt_ppm = 100000, .delay_ns = 20 * MS, .reorder_ppm = 200000};
	struct fabric_counters c;
	struct net_lab lab;
	unsigned got = 0;
	int64_t number;
	uint64_t at;
	int rx;

	build(&lab, &s);
	rx = receiver(&lab);
	burst(&lab, 3000, 100);
	while ((number = receive(rx, 200, &at)) >= 0) {
		assert_in_range(number, 0, 2999);
		assert_false(come[number]);
		come[number] = true;
		got++;
	}
	c = counters(&lab);
	assert_int_equal(got + c.corrupted, 3000);
	assert_in_range(c.corrupted, 220, 380);
	assert_in_range(c.reordered, 490, 710);
	close(rx);
	net_lab_destroy(&lab);
	return (unsigned)c.reordered;
}

static void wire__the_seed_chooses_the_frames(void **state)
{
	static bool one[3000], other[3000];

	(void)state;
	need_root();
	need_true_time();
	assert_int_equal(taken(one), taken(other));
	assert_memory_equal(one, other, sizeof one);
}

static void wire__reordered_frames_overtake(void **state)
{
	const struct link_state s = {.delay_ns = 50 * MS, .reorder_ppm = 300000};
	unsigned overtaken = 0, got = 0;
	int64_t number, highest = -1;
	struct net_lab lab;
	uint64_t at;
	int rx;

	(void)state;
	need_root();
	build(&lab, &s);
	rx = receiver(&lab);
	burst(&lab, 1000, 100);
	while ((number = receive(rx, 200, &at)) >= 0) {
		overtaken += number < highest;
		highest = number > highest ? number : highest;
		got++;
	}
	assert_int_equal(got, 1000);
	assert_true(overtaken > 0);
	assert_in_range(counters(&lab).reordered, 220, 380);
	close(rx);
	net_lab_destroy(&lab);
}

static void cut(struct net_lab *lab, enum link_cut kind)
{
	struct fabric_change change;

	link_matrix_at(&lab->want, 0, 1)->cut = (uint8_t)kind;
	change = net_lab_apply(lab);
	fabric_change_fini(&change);
}

static void wire__cut_of_kind_wire_drops_what_is_under_way_and_counts_it(void **state)
{
	const struct link_state s = {.delay_ns = 100 * NS_PER_S};
	struct fabric_quality quality;
	struct net_lab lab;
	uint64_t at;
	int rx;

	(void)state;
	need_root();
	build(&lab, &s);
	rx = receiver(&lab);
	burst(&lab, 400, 100);
	cut(&lab, CUT_EDGE);
	assert_int_equal(counters(&lab).flushed, 0);
	cut(&lab, CUT_WIRE);
	assert_int_equal(counters(&lab).flushed, 400);
	/* What comes after the heal arrives, and is the first that does. */
	link_matrix_at(&lab.want, 0, 1)->delay_ns = MS;
	cut(&lab, CUT_NONE);
	burst(&lab, 7, 100);
	for (int64_t i = 0; i < 7; i++)
		assert_int_equal(receive(rx, 1000, &at), i);
	assert_int_equal(receive(rx, 50, &at), -1);
	assert_int_equal(counters(&lab).flushed, 400);
	fabric_quality(lab.fabric, &quality);
	assert_int_equal(quality.lost, 0);
	close(rx);
	net_lab_destroy(&lab);
}

/* Both copies say what was in force before. */
static void link_is_open(const struct net_lab *lab)
{
	const struct matrix_link *link = matrix_at(&lab->fabric->matrix, 0, 1);

	assert_int_equal(link_matrix_at(fabric_matrix(lab->fabric), 0, 1)->cut, CUT_NONE);
	assert_int_equal(link->rule[0], MATRIX_WIRE);
	assert_int_equal(link->rule[1], MATRIX_WIRE);
}

/* It is refused while the process cannot answer; what the process finds when it can is no order. */
static void wire__flush_that_was_refused_is_not_done_later(void **state)
{
	const struct link_state s = {.delay_ns = 1500 * MS};
	struct fabric_change change;
	struct err err = {0};
	struct net_lab lab;
	uint64_t at;
	int rx;

	(void)state;
	need_root();
	build(&lab, &s);
	rx = receiver(&lab);
	burst(&lab, 5, 100);
	assert_int_equal(kill(fabric_wire_pid(lab.fabric), SIGSTOP), 0);
	link_matrix_at(&lab.want, 0, 1)->cut = CUT_WIRE;
	assert_int_equal(fabric_apply(lab.fabric, &lab.want, &change, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "all are as they were"));
	assert_int_equal(change.deltas, 0);
	link_is_open(&lab);
	assert_int_equal(kill(fabric_wire_pid(lab.fabric), SIGCONT), 0);
	for (int64_t i = 0; i < 5; i++)
		assert_int_equal(receive(rx, 3000, &at), i);
	assert_int_equal(counters(&lab).flushed, 0);
	/* And the same change again is carried out. */
	cut(&lab, CUT_WIRE);
	close(rx);
	net_lab_destroy(&lab);
}

static void wire__cut_without_a_process_is_refused_with_the_reason(void **state)
{
	const struct link_state s = {.delay_ns = MS};
	struct fabric_change change;
	struct err err = {0};
	struct net_lab lab;
	siginfo_t info;

	(void)state;
	need_root();
	build(&lab, &s);
	assert_int_equal(kill(fabric_wire_pid(lab.fabric), SIGKILL), 0);
	/* It has ended, but nobody has taken note of it. */
	assert_int_equal(
		waitid(P_PID, (id_t)fabric_wire_pid(lab.fabric), &info, WEXITED | WNOWAIT), 0);
	link_matrix_at(&lab.want, 0, 1)->cut = CUT_WIRE;
	assert_int_equal(fabric_apply(lab.fabric, &lab.want, &change, &err), -ECHILD);
	assert_non_null(strstr(err.text, "the wire emulator has ended"));
	link_is_open(&lab);
	net_lab_destroy(&lab);
}

/* The process gets no time for longer than all frames of the check are waited for. */
static void wire__self_check_waits_for_a_process_without_time(void **state)
{
	const struct timespec away = {.tv_sec = 4};
	struct err err = {0};
	struct net_lab lab;
	pid_t helper;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_WIRE);
	assert_int_equal(kill(fabric_wire_pid(lab.fabric), SIGSTOP), 0);
	helper = fork();
	assert_true(helper >= 0);
	if (helper == 0) {
		(void)nanosleep(&away, NULL);
		_exit(kill(fabric_wire_pid(lab.fabric), SIGCONT) != 0);
	}
	if (probe_bias(lab.fabric, &err))
		fail_msg("%s", err.text);
	assert_int_equal(waitpid(helper, NULL, 0), helper);
	net_lab_destroy(&lab);
}

/* A socket in node @node that waits at most a second. */
static int tcp(const struct net_lab *lab, unsigned node)
{
	const struct timeval wait = {.tv_sec = 1};
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), fd;

	assert_int_equal(setns(fabric_netns_fd(lab->fabric, node), CLONE_NEWNET), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	return fd;
}

static void wire__rejected_tcp_is_reset(void **state)
{
	struct net_lab lab;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int listener, old, late;
	char byte = 'x';

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_WIRE);
	to.sin_addr.s_addr = lab.node[1].addr_be;
	listener = tcp(&lab, 1);
	assert_int_equal(bind(listener, (struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(listen(listener, 5), 0);
	old = tcp(&lab, 0);
	late = tcp(&lab, 0);
	assert_int_equal(connect(old, (struct sockaddr *)&to, sizeof to), 0);
	cut(&lab, CUT_REJECT);
	assert_int_equal(connect(late, (struct sockaddr *)&to, sizeof to), -1);
	assert_int_equal(errno, ECONNREFUSED);
	/* A connection that was there breaks with its next byte. */
	assert_int_equal(send(old, &byte, 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(old, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_true(counters(&lab).rejected >= 2);
	close(listener);
	close(old);
	close(late);
	net_lab_destroy(&lab);
}

static void wire__rejected_udp_hears_that_it_is_prohibited(void **state)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	const struct timeval wait = {.tv_sec = 1};
	struct net_lab lab;
	char byte = 'x';
	int tx, rx;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_WIRE);
	to.sin_addr.s_addr = lab.node[1].addr_be;
	rx = net_lab_udp(&lab, 1, PORT);
	tx = net_lab_udp(&lab, 0, 0);
	(void)setsockopt(tx, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	assert_int_equal(connect(tx, (struct sockaddr *)&to, sizeof to), 0);
	cut(&lab, CUT_REJECT);
	assert_int_equal(send(tx, &byte, 1, 0), 1);
	assert_int_equal(recv(tx, &byte, 1, 0), -1);
	assert_int_equal(errno, EHOSTUNREACH); /* what Linux makes of code 13 */
	assert_int_equal(net_lab_receive(rx, 20), -1);
	assert_int_equal(counters(&lab).rejected, 1);
	close(tx);
	close(rx);
	net_lab_destroy(&lab);
}

static void wire__answers_a_flood_at_its_own_rate(void **state)
{
	uint64_t begin, ms;
	struct net_lab lab;
	uint64_t answered;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_WIRE);
	cut(&lab, CUT_REJECT);
	begin = clock_now_ns();
	burst(&lab, 3000, 100);
	/* The last frame has been looked at when the flush behind it is done. */
	assert_int_equal(wire_ops.flush(lab.fabric->emulator, NULL, 0, NULL), 0);
	ms = (clock_now_ns() - begin) / MS + 1;
	answered = counters(&lab).rejected;
	assert_in_range(
		answered, WIRE_ANSWERS_BURST, WIRE_ANSWERS_BURST + ms * WIRE_ANSWERS_PER_S / 1000);
	net_lab_destroy(&lab);
}

static void wire__refuses_a_rate_whose_queue_would_not_fit(void **state)
{
	struct fabric_change change;
	struct link_state *link;
	struct err err = {0};
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_WIRE);
	link = link_matrix_at(&lab.want, 0, 1);
	*link = (struct link_state){.rate_bps = 10000000000ull, .delay_ns = NS_PER_S};
	assert_int_equal(fabric_apply(lab.fabric, &lab.want, &change, &err), -EINVAL);
	assert_int_equal(err.status, EXIT_USAGE);
	assert_non_null(strstr(err.text, "link n1 > n2: "));
	assert_non_null(strstr(err.text, "room for 131072"));
	assert_int_equal(link_matrix_at(fabric_matrix(lab.fabric), 0, 1)->rate_bps, 0);
	link->delay_ns = 50 * MS;
	assert_int_equal(fabric_apply(lab.fabric, &lab.want, &change, &err), 0);
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

/* Without the right to real-time priority, as in a container. */
static void drop_nice(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_RTPRIO, &none) || syscall(SYS_capget, &header, data))
		_exit(2);
	data[CAP_SYS_NICE / 32].effective &= ~(1u << CAP_SYS_NICE % 32);
	data[CAP_SYS_NICE / 32].permitted &= ~(1u << CAP_SYS_NICE % 32);
	if (syscall(SYS_capset, &header, data))
		_exit(3);
}

static void wire__says_when_it_has_no_realtime_priority(void **state)
{
	char text[1024] = "";
	int pipes[2], status;
	ssize_t n;
	pid_t pid;

	(void)state;
	need_root();
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct fabric_quality quality;
		struct net_lab lab;
		struct err err = {0};

		drop_nice();
		net_lab_config(&lab, 2, EMULATOR_WIRE);
		lab.config.log_fd = pipes[1];
		if (fabric_build(&lab.fabric, &lab.config, &err))
			_exit(4);
		fabric_quality(lab.fabric, &quality);
		fabric_destroy(lab.fabric);
		_exit(quality.realtime ? 5 : 0);
	}
	close(pipes[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	n = read(pipes[0], text, sizeof text - 1);
	close(pipes[0]);
	assert_int_equal(status, 0);
	assert_true(n > 0);
	assert_non_null(strstr(text, "real-time priority: Operation not permitted"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire__loses_nothing_and_keeps_order_with_jitter),
		cmocka_unit_test(wire__is_a_realtime_process_with_its_own_name),
		cmocka_unit_test(wire__holds_nothing_of_its_maker_open),
		cmocka_unit_test(wire__sends_at_the_rate_and_counts_what_the_queue_drops),
		cmocka_unit_test(wire__corrupted_frames_are_dropped_by_the_receiver),
		cmocka_unit_test(wire__silently_corrupted_frames_are_received),
		cmocka_unit_test(wire__the_seed_chooses_the_frames),
		cmocka_unit_test(wire__reordered_frames_overtake),
		cmocka_unit_test(wire__cut_of_kind_wire_drops_what_is_under_way_and_counts_it),
		cmocka_unit_test(wire__flush_that_was_refused_is_not_done_later),
		cmocka_unit_test(wire__cut_without_a_process_is_refused_with_the_reason),
		cmocka_unit_test(wire__self_check_waits_for_a_process_without_time),
		cmocka_unit_test(wire__rejected_tcp_is_reset),
		cmocka_unit_test(wire__rejected_udp_hears_that_it_is_prohibited),
		cmocka_unit_test(wire__answers_a_flood_at_its_own_rate),
		cmocka_unit_test(wire__refuses_a_rate_whose_queue_would_not_fit),
		cmocka_unit_test(wire__says_when_it_has_no_realtime_priority),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
