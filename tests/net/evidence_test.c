/* SPDX-License-Identifier: MIT */
/* evidence_test.c - evidence confirms what is true and finds what was put in behind its back */
#include <signal.h>

#include "netns/dist.h"
#include "netns/evidence_priv.h"
#include "netns/wire.h"
#include "tests/net/net_lab.h"

/* So long a busy machine may leave undecided what is tried again and again. */
#define BUSY_NS (30 * NS_PER_S)
#define BUSY_EMULATED_NS (5 * NS_PER_S)

/* What is expected to be sure is asked for until it is; the wrong answer is one at once. */
static void expect(struct net_lab *lab, const struct fabric_change *change,
	enum evidence_result result, struct evidence *ret)
{
	uint64_t end_ns = clock_now_ns() + BUSY_NS;

	do
		*ret = net_lab_evidence(lab, change);
	while (ret->result == EVIDENCE_INCONCLUSIVE && result != EVIDENCE_INCONCLUSIVE &&
		clock_now_ns() < end_ns);
	if (ret->result != result)
		fail_msg("%s: %s", evidence_result_names[ret->result], ret->why);
	assert_string_not_equal(ret->why, "");
}

/* A busy machine may leave a true delay inconclusive, never make it a mismatch. */
static void expect_rtt(struct net_lab *lab, const struct fabric_change *change, uint64_t rtt_ns)
{
	struct evidence evidence = net_lab_evidence(lab, change);

	if (evidence.result == EVIDENCE_MISMATCH)
		fail_msg("%s", evidence.why);
	assert_int_equal(evidence.rtt_configured_ns, rtt_ns);
	assert_true(evidence.rtt_measured_ns > 0);
}

static void evidence__confirms_delay_cut_and_heal(void **state)
{
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 5, EMULATOR_AUTO);
	net_lab_delay_all(&lab, 10 * NS_PER_MS, 0);
	change = net_lab_apply(&lab);
	expect_rtt(&lab, &change, 20 * NS_PER_MS);
	fabric_change_fini(&change);
	net_lab_split(&lab, 2, true);
	change = net_lab_apply(&lab);
	expect(&lab, &change, EVIDENCE_CONFIRMED, &evidence);
	assert_int_equal(evidence.packets_crossed, 0);
	assert_true(evidence.packets_dropped >= 12);
	/* Once more at the end of the phase: the whole time between is judged. */
	expect(&lab, &change, EVIDENCE_CONFIRMED, &evidence);
	assert_true(evidence.packets_dropped >= 24);
	fabric_change_fini(&change);
	net_lab_split(&lab, 2, false);
	change = net_lab_apply(&lab);
	expect_rtt(&lab, &change, 20 * NS_PER_MS);
	fabric_change_fini(&change);
	net_lab_delay_all(&lab, 10 * NS_PER_MS, 3 * NS_PER_MS);
	change = net_lab_apply(&lab);
	expect_rtt(&lab, &change, 20 * NS_PER_MS);
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

static void evidence__confirms_a_cut_of_one_direction(void **state)
{
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 3, EMULATOR_AUTO);
	link_matrix_at(&lab.want, 2, 0)->cut = CUT_EDGE;
	change = net_lab_apply(&lab);
	expect(&lab, &change, EVIDENCE_CONFIRMED, &evidence);
	fabric_change_fini(&change);
	/* The way back is cut: the other way alone is timed. */
	link_matrix_at(&lab.want, 0, 2)->delay_ns = 8 * NS_PER_MS;
	change = net_lab_apply(&lab);
	expect_rtt(&lab, &change, 8 * NS_PER_MS);
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

/* The rule in the kernel becomes "open", as a bug in the programs or maps would have it. */
static void evidence__finds_a_cut_that_is_not_there(void **state)
{
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;
	struct matrix *m;

	(void)state;
	need_root();
	net_lab_build(&lab, 4, EMULATOR_AUTO);
	net_lab_split(&lab, 2, true);
	change = net_lab_apply(&lab);
	m = &lab.fabric->matrix;
	matrix_at(m, 1, 3)->rule[matrix_active(m)] = 0;
	expect(&lab, &change, EVIDENCE_MISMATCH, &evidence);
	assert_non_null(strstr(evidence.why, "n2 > n4"));
	assert_true(evidence.packets_crossed > 0);
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

/* All state reads as it should; only the frames tell. */
static void evidence__finds_frames_that_cross_a_cut(void **state)
{
	char out[NET_LAB_OUTPUT_MAX];
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_AUTO);
	net_lab_split(&lab, 1, true);
	change = net_lab_apply(&lab);
	assert_int_equal(net_lab_run(fabric_switch_fd(lab.fabric), "tc filter del dev n1 ingress",
				 out, sizeof out),
		0);
	expect(&lab, &change, EVIDENCE_MISMATCH, &evidence);
	assert_non_null(strstr(evidence.why, "a probe came through"));
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

static void evidence__finds_a_link_that_stayed_cut(void **state)
{
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;
	struct matrix *m;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_AUTO);
	net_lab_split(&lab, 1, true);
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	net_lab_split(&lab, 1, false);
	change = net_lab_apply(&lab);
	m = &lab.fabric->matrix;
	matrix_at(m, 0, 1)->rule[matrix_active(m)] = MATRIX_CUT;
	expect(&lab, &change, EVIDENCE_MISMATCH, &evidence);
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

/* A link without delay has a long one all the same: a token rate that is nobody's rule. */
static void evidence__finds_a_delay_that_nobody_asked_for(void **state)
{
	char out[NET_LAB_OUTPUT_MAX];
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_WIRE);
	net_lab_split(&lab, 1, true);
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	net_lab_split(&lab, 1, false);
	net_lab_delay_all(&lab, 5 * NS_PER_MS, 0);
	change = net_lab_apply(&lab);
	/* The probes would be on time; a queue that nobody asked for makes them crawl. */
	assert_int_equal(net_lab_run(fabric_switch_fd(lab.fabric),
				 "tc qdisc add dev n2 root handle 1: htb && "
				 "tc class add dev n2 parent 1: classid 1:1 htb rate 8kbit "
				 "burst 1b cburst 1b quantum 1500",
				 out, sizeof out),
		0);
	evidence = net_lab_evidence(&lab, &change);
	assert_int_not_equal(evidence.result, EVIDENCE_CONFIRMED);
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

static void evidence__is_inconclusive_when_nothing_is_offered(void **state)
{
	char out[NET_LAB_OUTPUT_MAX];
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_AUTO);
	(void)net_lab_run(fabric_netns_fd(lab.fabric, 0), "ip link set eth0 down", out, sizeof out);
	link_matrix_at(&lab.want, 0, 1)->cut = CUT_EDGE;
	change = net_lab_apply(&lab);
	expect(&lab, &change, EVIDENCE_INCONCLUSIVE, &evidence);
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

/* Of two cut links one was never tried: that the other one dropped its frames says nothing. */
static void evidence__is_inconclusive_when_one_cut_is_not_tried(void **state)
{
	char out[NET_LAB_OUTPUT_MAX];
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 3, EMULATOR_AUTO);
	/* n1 cannot send anything, so the program sees nothing of it. */
	assert_int_equal(net_lab_run(fabric_netns_fd(lab.fabric, 0), "ip address flush dev eth0",
				 out, sizeof out),
		0);
	link_matrix_at(&lab.want, 0, 2)->cut = CUT_EDGE;
	link_matrix_at(&lab.want, 1, 2)->cut = CUT_EDGE;
	change = net_lab_apply(&lab);
	expect(&lab, &change, EVIDENCE_INCONCLUSIVE, &evidence);
	assert_non_null(strstr(evidence.why, "1 of 2 cut links were offered no probe"));
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

static void evidence__notices_a_killed_wire_process(void **state)
{
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;
	pid_t wire;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_WIRE);
	wire = fabric_wire_pid(lab.fabric);
	assert_true(wire > 0);
	net_lab_delay_all(&lab, 5 * NS_PER_MS, 0);
	change = net_lab_apply(&lab);
	assert_int_equal(kill(wire, SIGKILL), 0);
	assert_int_equal(waitpid(wire, NULL, 0), wire);
	expect(&lab, &change, EVIDENCE_MISMATCH, &evidence);
	fabric_change_fini(&change);
	/* Delayed links carry nothing now, and taking down works as ever. */
	assert_true(net_lab_ping(&lab, 0, 1, 1, 1) < 0);
	net_lab_destroy(&lab);
}

static void evidence__probes_a_part_of_a_large_change_and_says_so(void **state)
{
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 24, EMULATOR_AUTO);
	net_lab_split(&lab, 12, true);
	change = net_lab_apply(&lab);
	assert_int_equal(change.cuts, 288);
	expect(&lab, &change, EVIDENCE_CONFIRMED, &evidence);
	assert_non_null(strstr(evidence.why, "256 of 288 links probed"));
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

/* The values that the wire process reads are changed behind the fabric's back. */
static void evidence__finds_a_wrong_delay(void **state)
{
	struct fabric_delta planted = {.src = 0, .dst = 1, .to = {.delay_ns = 9 * NS_PER_MS}};
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_AUTO);
	net_lab_delay_all(&lab, 5 * NS_PER_MS, 0);
	change = net_lab_apply(&lab);
	planted.from = change.delta[0].to;
	assert_int_equal(lab.fabric->ops->apply(lab.fabric->emulator, &planted, 1,
				 matrix_active(&lab.fabric->matrix), NULL),
		0);
	expect(&lab, &change, EVIDENCE_MISMATCH, &evidence);
	assert_non_null(strstr(evidence.why, "n1 > n2"));
	assert_true(evidence.rtt_measured_ns >= 13 * NS_PER_MS);
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

/* Rows are judged alone: the link does @is, the matrix is said to ask for @claimed. */
static struct evidence judge_rows(
	struct net_lab *lab, const struct link_state *is, const struct link_state *claimed)
{
	struct fabric_delta delta = {.src = 0, .dst = 1, .to = *claimed};
	const struct fabric_delta *of[] = {&delta};
	struct evidence ret = {.result = EVIDENCE_CONFIRMED};
	char seen[EVIDENCE_SEEN_MAX];
	struct fabric_change change;

	*link_matrix_at(&lab->want, 0, 1) = *is;
	change = net_lab_apply(lab);
	/* What it should no longer do, if it does too much. */
	delta.from = *is;
	if (change.deltas)
		delta.after = change.delta[0].after;
	assert_int_equal(evidence_trials(lab->fabric, of, 1, UINT64_MAX, &ret, seen), 0);
	fabric_change_fini(&change);
	return ret;
}

struct row_case {
	const char *why; /* part of what is said of the planted one */
	struct link_state right;
	struct link_state planted;
};

/* Is there more to find than noise, which may hide what is wrong, or be found before it? */
static bool is_hidden(const struct evidence *evidence, const struct row_case *x)
{
	return evidence->result == EVIDENCE_INCONCLUSIVE ||
	       (evidence->result == EVIDENCE_MISMATCH && !strstr(evidence->why, x->why));
}

/* A busy machine may leave what is right inconclusive, and may not make it a mismatch; what is
 * wrong it may hide for a while, and may never have confirmed. */
static void try_cases(enum emulator_kind emulator, const struct row_case *x, unsigned cases)
{
	struct net_lab lab;

	need_root();
	net_lab_build(&lab, 2, emulator);
	for (unsigned i = 0; i < cases; i++) {
		struct evidence evidence = judge_rows(&lab, &x[i].right, &x[i].right);
		uint64_t end_ns = clock_now_ns() + BUSY_NS;

		if (evidence.result == EVIDENCE_MISMATCH)
			fail_msg("right, number %u: %s", i, evidence.why);
		/* Emulated processors are always busy. */
		if (time_is_emulated())
			end_ns = clock_now_ns() + BUSY_EMULATED_NS;
		do
			evidence = judge_rows(&lab, &x[i].planted, &x[i].right);
		while (is_hidden(&evidence, &x[i]) && clock_now_ns() < end_ns);
		if (is_hidden(&evidence, &x[i]) && time_is_emulated())
			continue;
		if (evidence.result != EVIDENCE_MISMATCH)
			fail_msg("planted, number %u: %s", i, evidence.why);
		if (!strstr(evidence.why, x[i].why))
			fail_msg("planted, number %u: said '%s', not '%s'", i, evidence.why,
				x[i].why);
	}
	net_lab_destroy(&lab);
}

#define MS(n) ((n)*NS_PER_MS)

static void evidence__finds_wrong_delays_and_jitter_in_rows(void **state)
{
	static const struct row_case cases[] = {
		{"link n1 > n2", {.delay_ns = MS(10), .jitter_ns = MS(4)}, {.delay_ns = MS(10)}},
		{"link n1 > n2", {.delay_ns = MS(10), .jitter_ns = MS(2)},
			{.delay_ns = MS(10), .jitter_ns = MS(8)}},
		{"frames took", {.delay_ns = MS(10), .jitter_ns = MS(2)},
			{.delay_ns = MS(14), .jitter_ns = MS(2)}},
		{"of the delays", {.delay_ns = MS(10), .jitter_ns = MS(2)},
			{.delay_ns = MS(6), .jitter_ns = MS(2)}},
	};

	(void)state;
	try_cases(EMULATOR_AUTO, cases, sizeof cases / sizeof *cases);
}

static void evidence__finds_wrong_loss_and_drops_in_rows(void **state)
{
	static const struct row_case cases[] = {
		{"were lost", {.loss = LOSS_RANDOM, .loss_ppm = {20000}},
			{.loss = LOSS_RANDOM, .loss_ppm = {60000}}},
		{"were lost", {.loss = LOSS_RANDOM, .loss_ppm = {100000}}, {.cut = CUT_NONE}},
		{"were lost", {.cut = CUT_NONE}, {.loss = LOSS_RANDOM, .loss_ppm = {300000}}},
		{"were lost", {.loss = LOSS_RANDOM, .loss_ppm = {100000, 250000}},
			{.loss = LOSS_RANDOM, .loss_ppm = {400000}}},
		{"were lost", {.loss = LOSS_GE, .loss_ppm = {20000, 300000, PPM_ONE, 0}},
			{.loss = LOSS_GE, .loss_ppm = {200000, 100000, PPM_ONE, 0}}},
		{"were lost", {.loss = LOSS_STATE, .loss_ppm = {20000, 400000, 0, 0, 10000}},
			{.loss = LOSS_STATE, .loss_ppm = {0, 0, 0, 0, 10000}}},
		{"frame 17 was to be dropped", {.drop = {{17, 17, 1}}}, {.drop = {{18, 18, 1}}}},
		{"were lost", {.drop = {{3, 30, 9}, {40, 42, 1}}},
			{.drop = {{3, 30, 9}, {40, 42, 1}},
				.loss = LOSS_RANDOM,
				.loss_ppm = {200000}}},
	};

	(void)state;
	try_cases(EMULATOR_AUTO, cases, sizeof cases / sizeof *cases);
}

static void evidence__finds_wrong_copies_and_payloads_in_rows(void **state)
{
	static const struct row_case cases[] = {
		{"came twice", {.duplicate_ppm = 50000}, {.duplicate_ppm = 200000}},
		{"came twice", {.duplicate_ppm = 50000}, {.cut = CUT_NONE}},
		{"came twice", {.cut = CUT_NONE}, {.duplicate_ppm = 50000}},
		{"were lost", {.corrupt_ppm = 50000}, {.corrupt_ppm = 200000}},
		{"wrong checksum", {.corrupt_ppm = 50000},
			{.loss = LOSS_RANDOM, .loss_ppm = {50000}}},
		{"another payload", {.corrupt_ppm = 50000, .corrupt_silent = true},
			{.cut = CUT_NONE}},
		{"another payload", {.cut = CUT_NONE},
			{.corrupt_ppm = 50000, .corrupt_silent = true}},
	};

	(void)state;
	try_cases(EMULATOR_WIRE, cases, sizeof cases / sizeof *cases);
}

static void evidence__finds_wrong_order_rates_and_flaps_in_rows(void **state)
{
	static const struct row_case cases[] = {
		{"overtook", {.delay_ns = MS(10), .reorder_ppm = 100000}, {.delay_ns = MS(10)}},
		{"overtook", {.delay_ns = MS(10)}, {.delay_ns = MS(10), .reorder_ppm = 250000}},
		{"link n1 > n2", {.rate_bps = 10000000}, {.rate_bps = 14000000}},
		{"link n1 > n2", {.rate_bps = 10000000}, {.rate_bps = 7000000}},
		{"link n1 > n2", {.rate_bps = 100000000}, {.cut = CUT_NONE}},
		{"flaps and was up", {.flap_up_ns = MS(60), .flap_down_ns = MS(40)},
			{.cut = CUT_NONE}},
		{"at a time", {.flap_up_ns = MS(60), .flap_down_ns = MS(40)},
			{.flap_up_ns = MS(40), .flap_down_ns = MS(60)}},
	};

	(void)state;
	need_true_time();
	try_cases(EMULATOR_AUTO, cases, sizeof cases / sizeof *cases);
}

/* All at once: each is judged given the others. */
static void evidence__judges_faults_of_one_link_together(void **state)
{
	static const struct link_state all = {.delay_ns = MS(10),
		.jitter_ns = MS(2),
		.loss = LOSS_RANDOM,
		.loss_ppm = {50000},
		.duplicate_ppm = 50000,
		.corrupt_ppm = 30000,
		.rate_bps = 20000000,
		.drop = {{7, 21, 7}}};
	struct row_case cases[6];

	(void)state;
	need_true_time();
	for (unsigned i = 0; i < 6; i++)
		cases[i] = (struct row_case){"n1 > n2", all, all};
	cases[0].planted.loss_ppm[0] = 150000;
	cases[1].planted.duplicate_ppm = 0;
	cases[2].planted.corrupt_ppm = 200000;
	cases[3].planted.delay_ns = MS(4);
	cases[4].planted.rate_bps = 60000000;
	cases[5].planted.drop[0].first = 0;
	try_cases(EMULATOR_AUTO, cases, 6);
}

static const struct link_state every_fault[] = {
	{.delay_ns = MS(5), .jitter_ns = MS(1)},
	{.delay_ns = MS(5), .jitter_ns = MS(1), .dist = DIST_NORMAL},
	{.loss = LOSS_RANDOM, .loss_ppm = {30000}},
	{.loss = LOSS_GE, .loss_ppm = {30000, 300000, PPM_ONE, 0}},
	{.loss = LOSS_STATE, .loss_ppm = {20000, 400000, 0, 0, 20000}},
	{.drop = {{17, 17, 1}}},
	{.duplicate_ppm = 50000},
	{.corrupt_ppm = 50000},
	{.corrupt_ppm = 50000, .corrupt_silent = true},
	{.delay_ns = MS(5), .reorder_ppm = 100000},
	{.rate_bps = 20000000},
	{.rate_bps = 2000000, .queue_bytes = 8192},
	{.rate_bps = 64000},
	{.flap_up_ns = MS(60), .flap_down_ns = MS(40)},
};
#define EVERY_FAULT (sizeof every_fault / sizeof *every_fault)

/* A fault and its removal; what is right is never called wrong. */
static void evidence__confirms_every_fault_and_that_it_is_gone(void **state)
{
	struct net_lab lab;

	(void)state;
	need_root();
	need_true_time();
	net_lab_build(&lab, 2, EMULATOR_WIRE);
	for (unsigned i = 0; i < 2 * EVERY_FAULT; i++) {
		struct link_state *to = link_matrix_at(&lab.want, 0, 1);
		struct fabric_change change;
		struct evidence evidence;

		*to = every_fault[i / 2];
		if (i % 2)
			memset(to, 0, sizeof *to);
		change = net_lab_apply(&lab);
		evidence = net_lab_evidence(&lab, &change);
		if (evidence.result == EVIDENCE_MISMATCH)
			fail_msg("number %u: %s", i, evidence.why);
		assert_string_not_equal(evidence.why, "");
		fabric_change_fini(&change);
	}
	net_lab_destroy(&lab);
}

/* What the matrix program draws by, or the emulator, is another fault than was asked for. */
static void plant(struct net_lab *lab, const struct link_state *s)
{
	struct fabric_delta delta = {.src = 0, .dst = 1, .to = *s};
	struct matrix *m = &lab->fabric->matrix;
	unsigned now = matrix_active(m);
	struct matrix_odds *odds = &matrix_chance_at(m, 0, 1)->odds[now];

	delta.from = *link_matrix_at(&lab->fabric->now, 0, 1);
	assert_int_equal(lab->fabric->ops->apply(lab->fabric->emulator, &delta, 1, now, NULL), 0);
	matrix_at(m, 0, 1)->rule[now] = fabric_rule(lab->fabric, s);
	odds->loss = s->loss;
	memcpy(odds->loss_ppm, s->loss_ppm, sizeof odds->loss_ppm);
	odds->duplicate_ppm = s->duplicate_ppm;
	memcpy(odds->drop, s->drop, sizeof odds->drop);
	odds->flap_up_ns = s->flap_up_ns;
	odds->flap_period_ns = s->flap_up_ns + s->flap_down_ns;
}

static void evidence__finds_every_fault_in_place_of_another(void **state)
{
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_WIRE);
	for (unsigned i = 0; i < EVERY_FAULT; i++) {
		struct fabric_change change;
		struct evidence evidence = {.result = EVIDENCE_CONFIRMED};
		struct err err = {0};

		*link_matrix_at(&lab.want, 0, 1) = every_fault[i];
		change = net_lab_apply(&lab);
		plant(&lab, &every_fault[(i + 1) % EVERY_FAULT]);
		assert_int_equal(evidence_read_state(lab.fabric, &change, &evidence, &err), 0);
		if (evidence.result != EVIDENCE_MISMATCH)
			fail_msg("number %u: %s", i, evidence.why);
		assert_non_null(strstr(evidence.why, "n1 > n2"));
		fabric_change_fini(&change);
	}
	net_lab_destroy(&lab);
}

static void evidence__hears_that_a_cut_rejects(void **state)
{
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;
	pid_t wire;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_WIRE);
	link_matrix_at(&lab.want, 0, 1)->cut = CUT_REJECT;
	change = net_lab_apply(&lab);
	expect(&lab, &change, EVIDENCE_CONFIRMED, &evidence);
	/* Nobody answers any more. */
	wire = fabric_wire_pid(lab.fabric);
	assert_int_equal(kill(wire, SIGKILL), 0);
	assert_int_equal(waitpid(wire, NULL, 0), wire);
	expect(&lab, &change, EVIDENCE_MISMATCH, &evidence);
	assert_non_null(strstr(evidence.why, "was not told so"));
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

static void evidence__sees_the_carrier_of_a_node_that_is_down(void **state)
{
	char out[NET_LAB_OUTPUT_MAX];
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 3, EMULATOR_AUTO);
	lab.want.down[1] = true;
	change = net_lab_apply(&lab);
	expect(&lab, &change, EVIDENCE_CONFIRMED, &evidence);
	assert_int_equal(
		net_lab_run(fabric_switch_fd(lab.fabric), "ip link set n2 up", out, sizeof out), 0);
	expect(&lab, &change, EVIDENCE_MISMATCH, &evidence);
	assert_non_null(strstr(evidence.why, "node n2"));
	fabric_change_fini(&change);
	lab.want.down[1] = false;
	change = net_lab_apply(&lab);
	expect(&lab, &change, EVIDENCE_CONFIRMED, &evidence);
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(evidence__confirms_delay_cut_and_heal),
		cmocka_unit_test(evidence__confirms_a_cut_of_one_direction),
		cmocka_unit_test(evidence__finds_a_cut_that_is_not_there),
		cmocka_unit_test(evidence__finds_frames_that_cross_a_cut),
		cmocka_unit_test(evidence__finds_a_link_that_stayed_cut),
		cmocka_unit_test(evidence__finds_a_delay_that_nobody_asked_for),
		cmocka_unit_test(evidence__finds_a_wrong_delay),
		cmocka_unit_test(evidence__is_inconclusive_when_nothing_is_offered),
		cmocka_unit_test(evidence__is_inconclusive_when_one_cut_is_not_tried),
		cmocka_unit_test(evidence__finds_wrong_delays_and_jitter_in_rows),
		cmocka_unit_test(evidence__finds_wrong_loss_and_drops_in_rows),
		cmocka_unit_test(evidence__finds_wrong_copies_and_payloads_in_rows),
		cmocka_unit_test(evidence__finds_wrong_order_rates_and_flaps_in_rows),
		cmocka_unit_test(evidence__judges_faults_of_one_link_together),
		cmocka_unit_test(evidence__confirms_every_fault_and_that_it_is_gone),
		cmocka_unit_test(evidence__finds_every_fault_in_place_of_another),
		cmocka_unit_test(evidence__hears_that_a_cut_rejects),
		cmocka_unit_test(evidence__sees_the_carrier_of_a_node_that_is_down),
		cmocka_unit_test(evidence__notices_a_killed_wire_process),
		cmocka_unit_test(evidence__probes_a_part_of_a_large_change_and_says_so),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("evidence", tests, NULL, NULL);
}
