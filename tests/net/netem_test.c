/* SPDX-License-Identifier: MIT */
/*
 * netem_test.c - the netem emulator, on kernels that have it
 *
 * Needs ip, ping and a shell, no more, so that it runs in a virtual machine that has little else.
 * Times there are emulated: what is tested is meaning, with wide margins.
 */
#include "netns/link.h"
#include "netns/qdisc.h"
#include "tests/net/net_lab.h"

#define PORT 7003
#define MS NS_PER_MS

/* Build with netem, or skip: another run of this program has a kernel with it. */
static void build(struct net_lab *lab, unsigned nodes)
{
	struct err err = {0};
	int code;

	need_root();
	net_lab_config(lab, nodes, EMULATOR_NETEM);
	code = fabric_build(&lab->fabric, &lab->config, &err);
	if (code && code != -EOPNOTSUPP)
		fail_msg("%s", err.text);
	need_feature(code == 0,
		"elsewhere: no sch_netem in this kernel, scripts/vm.sh has one that does");
	assert_int_equal(link_matrix_init(&lab->want, nodes), 0);
}

static void netem__is_refused_or_at_work(void **state)
{
	struct net_lab lab;

	(void)state;
	build(&lab, 3);
	assert_int_equal(fabric_emulator(lab.fabric), EMULATOR_NETEM);
	assert_int_equal(fabric_wire_pid(lab.fabric), -1);
	assert_non_null(strstr(fabric_emulator_text(lab.fabric), "netem"));
	net_lab_destroy(&lab);
}

static void netem__delays_what_ping_measures(void **state)
{
	struct fabric_change change;
	struct net_lab lab;
	double rtt_ms;

	(void)state;
	build(&lab, 3);
	net_lab_delay_all(&lab, 20 * MS, 0);
	change = net_lab_apply(&lab);
	assert_int_equal(change.reshaped, 6);
	fabric_change_fini(&change);
	rtt_ms = net_lab_ping(&lab, 0, 1, 5, 3);
	assert_true(rtt_ms >= 40 && rtt_ms < 80);
	net_lab_delay_all(&lab, 0, 0);
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	rtt_ms = net_lab_ping(&lab, 0, 1, 5, 3);
	assert_true(rtt_ms >= 0 && rtt_ms < 20);
	net_lab_destroy(&lab);
}

static void netem__delay_cut_and_heal_are_confirmed(void **state)
{
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;

	(void)state;
	build(&lab, 4);
	net_lab_delay_all(&lab, 30 * MS, 0);
	change = net_lab_apply(&lab);
	evidence = net_lab_evidence(&lab, &change);
	if (evidence.result == EVIDENCE_MISMATCH)
		fail_msg("%s", evidence.why);
	assert_int_equal(evidence.rtt_configured_ns, 60 * MS);
	fabric_change_fini(&change);
	net_lab_split(&lab, 2, true);
	change = net_lab_apply(&lab);
	assert_true(change.atomic);
	evidence = net_lab_evidence(&lab, &change);
	if (evidence.result != EVIDENCE_CONFIRMED)
		fail_msg("%s", evidence.why);
	assert_true(net_lab_ping(&lab, 0, 3, 1, 1) < 0);
	fabric_change_fini(&change);
	net_lab_split(&lab, 2, false);
	change = net_lab_apply(&lab);
	assert_true(net_lab_ping(&lab, 0, 3, 1, 3) >= 60);
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

static void netem__a_wrong_leaf_is_a_mismatch(void **state)
{
	struct nlbatch batch = {0};
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;

	(void)state;
	build(&lab, 2);
	net_lab_delay_all(&lab, 20 * MS, 0);
	change = net_lab_apply(&lab);
	qdisc_leaf_netem(&batch, LINK_PORT(1), 0, 35 * MS, 0);
	assert_int_equal(nlsock_send(&lab.fabric->sw, &batch, NULL), 0);
	nlbatch_fini(&batch);
	evidence = net_lab_evidence(&lab, &change);
	assert_int_equal(evidence.result, EVIDENCE_MISMATCH);
	assert_non_null(strstr(evidence.why, "n1 > n2"));
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

static void netem__jitter_keeps_order_and_loses_nothing(void **state)
{
	enum { FRAMES = 2000 };
	struct fabric_change change;
	struct net_lab lab;
	unsigned got = 0;
	int64_t number;
	int tx, rx;

	(void)state;
	build(&lab, 2);
	net_lab_delay_all(&lab, 20 * MS, 19 * MS);
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	tx = net_lab_udp(&lab, 0, 0);
	rx = net_lab_udp(&lab, 1, PORT);
	for (uint32_t i = 0; i < FRAMES; i++)
		net_lab_send(&lab, tx, 1, PORT, i);
	while (got < FRAMES && (number = net_lab_receive(rx, 2000)) >= 0)
		assert_int_equal(number, got++);
	assert_int_equal(got, FRAMES);
	close(tx);
	close(rx);
	net_lab_destroy(&lab);
}

static void netem__cut_lets_arrive_what_is_under_way(void **state)
{
	struct fabric_change change;
	struct net_lab lab;
	int tx, rx;

	(void)state;
	build(&lab, 2);
	net_lab_delay_all(&lab, 500 * MS, 0);
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	tx = net_lab_udp(&lab, 0, 0);
	rx = net_lab_udp(&lab, 1, PORT);
	net_lab_send(&lab, tx, 1, PORT, 17);
	net_lab_split(&lab, 1, true);
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	net_lab_send(&lab, tx, 1, PORT, 18);
	assert_int_equal(net_lab_receive(rx, 5000), 17);
	assert_int_equal(net_lab_receive(rx, 1500), -1);
	close(tx);
	close(rx);
	net_lab_destroy(&lab);
}

static void netem_limit__holds_a_long_fast_link(void **state)
{
	(void)state;
	/* A million frames a second for 100 ms; far above the kernel's default of 1000. */
	assert_int_equal(qdisc_netem_limit(100 * MS), 100000);
	assert_true(qdisc_netem_limit(0) >= 10000);
	assert_true(qdisc_netem_limit(24ull * 3600 * NS_PER_S) < UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(netem_limit__holds_a_long_fast_link),
		cmocka_unit_test(netem__is_refused_or_at_work),
		cmocka_unit_test(netem__delays_what_ping_measures),
		cmocka_unit_test(netem__delay_cut_and_heal_are_confirmed),
		cmocka_unit_test(netem__a_wrong_leaf_is_a_mismatch),
		cmocka_unit_test(netem__jitter_keeps_order_and_loses_nothing),
		cmocka_unit_test(netem__cut_lets_arrive_what_is_under_way),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("netem", tests, NULL, NULL);
}
