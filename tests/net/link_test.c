/* SPDX-License-Identifier: MIT */
/* link_test.c - delays, cuts and heals as programs inside the nodes see them */
#include "tests/net/net_lab.h"

#define PORT 7001

static void delay__is_what_ping_measures(void **state)
{
	struct fabric_change change;
	struct net_lab lab;
	double rtt_ms;

	(void)state;
	need_root();
	net_lab_build(&lab, 3, EMULATOR_AUTO);
	assert_true(net_lab_ping(&lab, 0, 1, 2, 2) < 5);
	net_lab_delay_all(&lab, 10 * NS_PER_MS, 0);
	change = net_lab_apply(&lab);
	assert_int_equal(change.deltas, 6);
	assert_int_equal(change.reshaped, 6);
	fabric_change_fini(&change);
	rtt_ms = net_lab_ping(&lab, 0, 1, 5, 2);
	assert_true(rtt_ms >= 20 && rtt_ms < 25);
	net_lab_destroy(&lab);
}

static void delay__is_one_way_and_of_one_link(void **state)
{
	struct fabric_change change;
	struct net_lab lab;
	double rtt_ms;

	(void)state;
	need_root();
	net_lab_build(&lab, 3, EMULATOR_AUTO);
	link_matrix_at(&lab.want, 0, 1)->delay_ns = 30 * NS_PER_MS;
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	rtt_ms = net_lab_ping(&lab, 0, 1, 3, 2);
	assert_true(rtt_ms >= 30 && rtt_ms < 40);
	rtt_ms = net_lab_ping(&lab, 1, 0, 3, 2);
	assert_true(rtt_ms >= 30 && rtt_ms < 40);
	assert_true(net_lab_ping(&lab, 0, 2, 3, 2) < 10);
	net_lab_destroy(&lab);
}

static void cut__stops_ping_and_heal_brings_it_back(void **state)
{
	struct fabric_change change;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 5, EMULATOR_AUTO);
	net_lab_delay_all(&lab, NS_PER_MS, 0);
	net_lab_split(&lab, 2, true);
	change = net_lab_apply(&lab);
	assert_int_equal(change.cuts, 12);
	assert_true(change.atomic);
	assert_true(change.t_request_ns <= change.t_first_ns);
	assert_true(change.t_first_ns <= change.t_last_ns);
	fabric_change_fini(&change);
	assert_true(net_lab_ping(&lab, 0, 4, 2, 1) < 0);
	assert_true(net_lab_ping(&lab, 4, 0, 2, 1) < 0);
	assert_true(net_lab_ping(&lab, 0, 1, 1, 2) >= 2);
	assert_true(net_lab_ping(&lab, 2, 4, 1, 2) >= 2);
	net_lab_split(&lab, 2, false);
	change = net_lab_apply(&lab);
	assert_int_equal(change.heals, 12);
	fabric_change_fini(&change);
	assert_true(net_lab_ping(&lab, 0, 4, 1, 1) >= 2);
	assert_true(net_lab_ping(&lab, 4, 0, 1, 1) >= 2);
	net_lab_destroy(&lab);
}

/* Numbers that arrive at @to of 1 to @n sent from @from. */
static unsigned arrivals(struct net_lab *lab, unsigned from, unsigned to, uint32_t n)
{
	int tx = net_lab_udp(lab, from, 0), rx = net_lab_udp(lab, to, PORT);
	unsigned got = 0;

	for (uint32_t i = 1; i <= n; i++)
		net_lab_send(lab, tx, to, PORT, i);
	while (got < n && net_lab_receive(rx, 200) > 0)
		got++;
	close(tx);
	close(rx);
	return got;
}

static void cut__of_one_direction_leaves_the_other(void **state)
{
	struct fabric_change change;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_AUTO);
	link_matrix_at(&lab.want, 0, 1)->cut = CUT_EDGE;
	change = net_lab_apply(&lab);
	assert_int_equal(change.deltas, 1);
	fabric_change_fini(&change);
	assert_int_equal(arrivals(&lab, 0, 1, 10), 0);
	assert_int_equal(arrivals(&lab, 1, 0, 10), 10);
	assert_true(net_lab_ping(&lab, 0, 1, 1, 1) < 0);
	net_lab_destroy(&lab);
}

static void cut__lets_arrive_what_is_under_way(void **state)
{
	struct fabric_change change;
	struct net_lab lab;
	int tx, rx;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_AUTO);
	net_lab_delay_all(&lab, 300 * NS_PER_MS, 0);
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	tx = net_lab_udp(&lab, 0, 0);
	rx = net_lab_udp(&lab, 1, PORT);
	net_lab_send(&lab, tx, 1, PORT, 17);
	net_lab_split(&lab, 1, true);
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	net_lab_send(&lab, tx, 1, PORT, 18);
	assert_int_equal(net_lab_receive(rx, 2000), 17);
	assert_int_equal(net_lab_receive(rx, 500), -1);
	close(tx);
	close(rx);
	net_lab_destroy(&lab);
}

static void counters__are_exact(void **state)
{
	struct fabric_counters before, after;
	struct fabric_change change;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 3, EMULATOR_AUTO);
	fabric_counters(lab.fabric, 0, 2, &before);
	assert_int_equal(before.offered, 0);
	assert_int_equal(arrivals(&lab, 0, 2, 1000), 1000);
	fabric_counters(lab.fabric, 0, 2, &after);
	assert_int_equal(after.offered - before.offered, 1000);
	assert_int_equal(after.passed - before.passed, 1000);
	assert_int_equal(after.dropped, 0);

	link_matrix_at(&lab.want, 0, 2)->cut = CUT_EDGE;
	change = net_lab_apply(&lab);
	assert_int_equal(change.delta[0].after.passed, 1000);
	fabric_change_fini(&change);
	assert_int_equal(arrivals(&lab, 0, 2, 500), 0);
	fabric_counters(lab.fabric, 0, 2, &after);
	assert_int_equal(after.dropped, 500);
	assert_int_equal(after.passed, 1000);
	fabric_counters(lab.fabric, 2, 0, &after);
	assert_int_equal(after.offered, 0);
	net_lab_destroy(&lab);
}

/* Frames that class @class of port n3 has sent, by what tc(8) says. */
static long class_frames(const struct net_lab *lab, unsigned class)
{
	char out[NET_LAB_OUTPUT_MAX], command[96];
	const char *at;

	(void)snprintf(command, sizeof command, "tc -s class show dev n3 classid 1:%u", class);
	assert_int_equal(net_lab_run(fabric_switch_fd(lab->fabric), command, out, sizeof out), 0);
	assert_non_null(strstr(out, "class htb"));
	at = strstr(out, "bytes ");
	assert_non_null(at);
	return strtol(at + strlen("bytes "), NULL, 10);
}

static void switch__has_a_class_for_every_source_where_classes_cut(void **state)
{
	char out[NET_LAB_OUTPUT_MAX];
	struct err err = {0};
	struct net_lab lab;
	long first, second;

	(void)state;
	need_root();
	net_lab_config(&lab, 3, EMULATOR_AUTO);
	lab.config.without_bpf = true;
	if (fabric_build(&lab.fabric, &lab.config, &err))
		fail_msg("%s", err.text);
	first = class_frames(&lab, 1);
	second = class_frames(&lab, 2);
	assert_int_equal(arrivals(&lab, 0, 2, 7), 7);
	assert_int_equal(class_frames(&lab, 1), first + 7);
	assert_int_equal(class_frames(&lab, 2), second);
	(void)net_lab_run(fabric_switch_fd(lab.fabric), "tc qdisc show dev n3", out, sizeof out);
	assert_non_null(strstr(out, "qdisc htb 1: root"));
	assert_non_null(strstr(out, "qdisc clsact"));
	assert_non_null(strstr(out, "parent 1:1 "));
	assert_non_null(strstr(out, "parent 1:2 "));
	assert_null(strstr(out, "parent 1:3 "));
	fabric_destroy(lab.fabric);
}

static void switch__has_no_class_that_no_link_needs(void **state)
{
	char out[NET_LAB_OUTPUT_MAX];
	struct fabric_change change;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 3, EMULATOR_AUTO);
	(void)net_lab_run(fabric_switch_fd(lab.fabric), "tc class show dev n3", out, sizeof out);
	assert_string_equal(out, "");
	link_matrix_at(&lab.want, 0, 2)->delay_ns = NS_PER_MS;
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	assert_int_equal(arrivals(&lab, 0, 2, 7), 7);
	(void)net_lab_run(fabric_switch_fd(lab.fabric), "tc class show dev n3", out, sizeof out);
	assert_int_equal(strstr(out, "class htb 1:1 ") != NULL,
		fabric_emulator(lab.fabric) == EMULATOR_NETEM);
	assert_null(strstr(out, "class htb 1:2 "));
	/* It stays for the next time, without a delay and with one. */
	for (unsigned i = 0; i < 3; i++) {
		link_matrix_at(&lab.want, 0, 2)->delay_ns = i % 2 * NS_PER_MS;
		change = net_lab_apply(&lab);
		fabric_change_fini(&change);
		assert_int_equal(arrivals(&lab, 0, 2, 7), 7);
	}
	net_lab_destroy(&lab);
}

/* A node that lies about its address stays the sender that it is. */
static void switch__knows_a_sender_by_its_port(void **state)
{
	struct fabric_change change;
	char out[NET_LAB_OUTPUT_MAX];
	struct net_lab lab;
	uint64_t sent_ns;
	int tx, rx;

	(void)state;
	need_root();
	net_lab_build(&lab, 3, EMULATOR_AUTO);
	link_matrix_at(&lab.want, 0, 1)->delay_ns = 50 * NS_PER_MS;
	link_matrix_at(&lab.want, 2, 1)->delay_ns = NS_PER_MS;
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	assert_int_equal(net_lab_run(fabric_netns_fd(lab.fabric, 0),
				 "ip link set eth0 address 02:00:00:00:00:02 && "
				 "ip neigh replace 10.99.0.2 lladdr 02:00:00:00:00:01 dev eth0",
				 out, sizeof out),
		0);
	tx = net_lab_udp(&lab, 0, 0);
	rx = net_lab_udp(&lab, 1, PORT);
	sent_ns = clock_now_ns();
	net_lab_send(&lab, tx, 1, PORT, 1);
	assert_int_equal(net_lab_receive(rx, 2000), 1);
	assert_true(clock_now_ns() - sent_ns >= 50 * NS_PER_MS);
	close(tx);
	close(rx);
	net_lab_destroy(&lab);
}

static long frames_in(const struct net_lab *lab, unsigned node)
{
	char out[NET_LAB_OUTPUT_MAX];

	(void)net_lab_run(fabric_netns_fd(lab->fabric, node),
		"grep eth0 /proc/net/dev | tr -s ' :' '  ' | cut -d ' ' -f 4", out, sizeof out);
	return strtol(out, NULL, 10);
}

static void switch__drops_what_is_for_nobody(void **state)
{
	char out[NET_LAB_OUTPUT_MAX];
	struct net_lab lab;
	long frames;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_AUTO);
	frames = frames_in(&lab, 1);
	assert_true(frames > 0);
	/* An address without a neighbour is asked for by broadcast, which goes nowhere. */
	(void)net_lab_run(
		fabric_netns_fd(lab.fabric, 0), "ping -c 2 -i 0.2 -W 1 10.99.7.7", out, sizeof out);
	assert_int_equal(frames_in(&lab, 1), frames);
	assert_int_equal(arrivals(&lab, 0, 1, 3), 3);
	assert_int_equal(frames_in(&lab, 1), frames + 3);
	net_lab_destroy(&lab);
}

static void change__of_nothing_is_no_change(void **state)
{
	struct fabric_change change;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 3, EMULATOR_AUTO);
	change = net_lab_apply(&lab);
	assert_int_equal(change.deltas, 0);
	assert_true(change.t_last_ns >= change.t_request_ns);
	fabric_change_fini(&change);
	net_lab_split(&lab, 1, true);
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	change = net_lab_apply(&lab);
	assert_int_equal(change.deltas, 0);
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

static void cut__keeps_the_delay_for_the_heal(void **state)
{
	struct fabric_change change;
	struct net_lab lab;
	double rtt_ms;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_AUTO);
	net_lab_delay_all(&lab, 5 * NS_PER_MS, 0);
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	for (int i = 0; i < 4; i++) {
		net_lab_split(&lab, 1, i % 2 == 0);
		change = net_lab_apply(&lab);
		assert_int_equal(change.reshaped, 0);
		fabric_change_fini(&change);
	}
	rtt_ms = net_lab_ping(&lab, 0, 1, 3, 1);
	assert_true(rtt_ms >= 10 && rtt_ms < 15);
	net_lab_destroy(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delay__is_what_ping_measures),
		cmocka_unit_test(delay__is_one_way_and_of_one_link),
		cmocka_unit_test(cut__stops_ping_and_heal_brings_it_back),
		cmocka_unit_test(cut__of_one_direction_leaves_the_other),
		cmocka_unit_test(cut__lets_arrive_what_is_under_way),
		cmocka_unit_test(cut__keeps_the_delay_for_the_heal),
		cmocka_unit_test(counters__are_exact),
		cmocka_unit_test(switch__has_a_class_for_every_source_where_classes_cut),
		cmocka_unit_test(switch__has_no_class_that_no_link_needs),
		cmocka_unit_test(switch__knows_a_sender_by_its_port),
		cmocka_unit_test(switch__drops_what_is_for_nobody),
		cmocka_unit_test(change__of_nothing_is_no_change),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
