/* SPDX-License-Identifier: MIT */
/* leafcut_test.c - a lab on a kernel that refuses BPF: slower cuts, the same truth */
#include "netns/link.h"
#include "netns/qdisc.h"
#include "tests/net/net_lab.h"

#define PORT 7004
#define MS NS_PER_MS

static void build(struct net_lab *lab, unsigned nodes, enum emulator_kind emulator)
{
	struct err err = {0};

	need_root();
	net_lab_config(lab, nodes, emulator);
	lab->config.without_bpf = true;
	if (fabric_build(&lab->fabric, &lab->config, &err))
		fail_msg("%s", err.text);
	assert_int_equal(link_matrix_init(&lab->want, nodes), 0);
}

static struct evidence apply(struct net_lab *lab, struct fabric_change *change)
{
	struct evidence evidence;

	*change = net_lab_apply(lab);
	evidence = net_lab_evidence(lab, change);
	if (evidence.result == EVIDENCE_MISMATCH)
		fail_msg("%s", evidence.why);
	return evidence;
}

static void leafcut__says_that_it_is_at_work(void **state)
{
	struct fabric_change change;
	struct net_lab lab;

	(void)state;
	build(&lab, 2, EMULATOR_AUTO);
	assert_non_null(strstr(fabric_emulator_text(lab.fabric), "no BPF"));
	net_lab_split(&lab, 1, true);
	change = net_lab_apply(&lab);
	assert_false(change.atomic);
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

static void leafcut__delays_cuts_and_heals(void **state)
{
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;
	double rtt_ms;

	(void)state;
	build(&lab, 4, EMULATOR_AUTO);
	net_lab_delay_all(&lab, 10 * MS, 0);
	evidence = apply(&lab, &change);
	assert_int_equal(evidence.rtt_configured_ns, 20 * MS);
	fabric_change_fini(&change);
	rtt_ms = net_lab_ping(&lab, 0, 3, 3, 2);
	assert_true(rtt_ms >= 20 && rtt_ms < 30);
	net_lab_split(&lab, 2, true);
	evidence = apply(&lab, &change);
	assert_int_equal(change.cuts, 8);
	assert_int_equal(evidence.result, EVIDENCE_CONFIRMED);
	assert_int_equal(evidence.packets_crossed, 0);
	assert_true(evidence.packets_dropped >= 8);
	fabric_change_fini(&change);
	assert_true(net_lab_ping(&lab, 0, 3, 1, 1) < 0);
	assert_true(net_lab_ping(&lab, 0, 1, 1, 2) >= 20);
	net_lab_split(&lab, 2, false);
	(void)apply(&lab, &change);
	fabric_change_fini(&change);
	rtt_ms = net_lab_ping(&lab, 0, 3, 3, 2);
	assert_true(rtt_ms >= 20 && rtt_ms < 30);
	net_lab_delay_all(&lab, 0, 0);
	(void)apply(&lab, &change);
	fabric_change_fini(&change);
	assert_true(net_lab_ping(&lab, 0, 3, 3, 2) < 10);
	net_lab_destroy(&lab);
}

static void leafcut__counts_what_it_drops(void **state)
{
	struct fabric_counters before, after;
	struct fabric_change change;
	struct net_lab lab;
	int tx;

	(void)state;
	build(&lab, 2, EMULATOR_AUTO);
	tx = net_lab_udp(&lab, 0, 0);
	fabric_counters(lab.fabric, 0, 1, &before);
	for (uint32_t i = 0; i < 100; i++)
		net_lab_send(&lab, tx, 1, PORT, i);
	fabric_counters(lab.fabric, 0, 1, &after);
	assert_int_equal(after.passed - before.passed, 100);
	assert_int_equal(after.dropped, before.dropped);
	link_matrix_at(&lab.want, 0, 1)->cut = CUT_EDGE;
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	for (uint32_t i = 0; i < 100; i++)
		net_lab_send(&lab, tx, 1, PORT, i);
	before = after;
	fabric_counters(lab.fabric, 0, 1, &after);
	assert_int_equal(after.dropped - before.dropped, 100);
	assert_int_equal(after.passed, before.passed);
	close(tx);
	net_lab_destroy(&lab);
}

static void leafcut__finds_a_leaf_that_is_not_its_own(void **state)
{
	struct nlbatch batch = {0};
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;

	(void)state;
	build(&lab, 3, EMULATOR_AUTO);
	net_lab_split(&lab, 1, true);
	change = net_lab_apply(&lab);
	qdisc_leaf_bfifo(&batch, LINK_PORT(2), 0);
	assert_int_equal(nlsock_send(&lab.fabric->sw, &batch, NULL), 0);
	nlbatch_fini(&batch);
	evidence = net_lab_evidence(&lab, &change);
	assert_int_equal(evidence.result, EVIDENCE_MISMATCH);
	assert_non_null(strstr(evidence.why, "n1 > n3"));
	assert_true(evidence.packets_crossed > 0);
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leafcut__says_that_it_is_at_work),
		cmocka_unit_test(leafcut__delays_cuts_and_heals),
		cmocka_unit_test(leafcut__counts_what_it_drops),
		cmocka_unit_test(leafcut__finds_a_leaf_that_is_not_its_own),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("leafcut", tests, NULL, NULL);
}
