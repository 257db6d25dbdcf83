/* SPDX-License-Identifier: MIT */
/*
 * change_test.c - from matrix to matrix: a thousand at random, refused ones, nodes that go down
 *
 * After a change the kernel's own state is read back and compared with the matrix, field by field.
 */
#include "agent/base/prng.h"
#include "netns/link.h"
#include "netns/qdisc.h"
#include "tests/net/net_lab.h"

#define PORT 7011
#define MS NS_PER_MS
#define CHANGES 1000
#define NODES 5

static void build(struct net_lab *lab, unsigned nodes, bool without_bpf)
{
	struct err err = {0};

	need_root();
	net_lab_config(lab, nodes, EMULATOR_AUTO);
	lab->config.without_bpf = without_bpf;
	if (fabric_build(&lab->fabric, &lab->config, &err))
		fail_msg("%s", err.text);
	assert_int_equal(link_matrix_init(&lab->want, nodes), 0);
}

/* What the kernel has of a link. A blackhole in place of a leaf hides what the leaf was. */
static struct link_state read_link(
	const struct fabric *f, unsigned src, unsigned dst, const struct link_state *want)
{
	struct link_state is = {0}, matrix;

	if (leafcut_needed(f) && want->cut && !f->ops->matrix_bit)
		return *want;
	f->ops->read_back(f->emulator, src, dst, &is);
	if (is.rate_bps && is.queue_bytes == link_state_queue(want))
		is.queue_bytes = want->queue_bytes;
	if (leafcut_needed(f)) {
		is.cut = want->cut; /* leafcut_wrong() has told */
		return is;
	}
	matrix_read(&f->matrix, src, dst, &matrix);
	is.cut = matrix.cut;
	is.loss = matrix.loss;
	memcpy(is.loss_ppm, matrix.loss_ppm, sizeof is.loss_ppm);
	is.duplicate_ppm = matrix.duplicate_ppm;
	memcpy(is.drop, matrix.drop, sizeof is.drop);
	is.flap_up_ns = matrix.flap_up_ns;
	is.flap_down_ns = matrix.flap_down_ns;
	return is;
}

static void kernel_has(const struct fabric *f, const struct link_matrix *want)
{
	for (unsigned dst = 0; dst < f->nodes; dst++) {
		struct fabric *writable = (struct fabric *)f;

		if (leafcut_needed(f))
			assert_int_equal(leafcut_wrong(writable, dst), -1);
		if (f->ops->refresh)
			assert_int_equal(f->ops->refresh(f->emulator, dst, NULL), 0);
		for (unsigned src = 0; src < f->nodes; src++) {
			const struct link_state *s = link_matrix_at(want, src, dst);
			struct link_state is;

			if (src == dst)
				continue;
			is = read_link(f, src, dst, s);
			if (!link_state_same(&is, s))
				fail_msg(
					"link %u > %u differs: %s", src + 1, dst + 1, f->ops->name);
			assert_true(link_state_same(link_matrix_at(fabric_matrix(f), src, dst), s));
			/* Both copies are the same: the next change begins from here. */
			assert_int_equal(matrix_at(&f->matrix, src, dst)->rule[0],
				matrix_at(&f->matrix, src, dst)->rule[1]);
			assert_memory_equal(&matrix_chance_at(&f->matrix, src, dst)->odds[0],
				&matrix_chance_at(&f->matrix, src, dst)->odds[1],
				sizeof(struct matrix_odds));
		}
	}
}

static uint32_t below(struct prng *prng, uint64_t limit)
{
	return (uint32_t)prng_below(prng, limit);
}

static void draw_chances(struct prng *prng, struct link_state *s)
{
	s->loss = (uint8_t)below(prng, LOSS_NR);
	for (unsigned i = 0; i < LINK_LOSS_PARAMS && s->loss; i++)
		s->loss_ppm[i] = below(prng, PPM_ONE / LINK_LOSS_PARAMS);
	if (s->loss == LOSS_RANDOM)
		memset(s->loss_ppm + 2, 0, sizeof s->loss_ppm - 2 * sizeof *s->loss_ppm);
	if (s->loss == LOSS_GE)
		s->loss_ppm[4] = 0;
	if (below(prng, 2))
		s->duplicate_ppm = below(prng, PPM_ONE + 1);
	for (unsigned i = 0; i < below(prng, LINK_DROPS_MAX + 1); i++) {
		uint32_t first = 1 + below(prng, 1000);

		s->drop[i] =
			(struct link_drop){first, first + below(prng, 1000), 1 + below(prng, 10)};
	}
	if (below(prng, 3) == 0) {
		s->flap_up_ns = (1 + below(prng, 1000)) * MS;
		s->flap_down_ns = (1 + below(prng, 1000)) * MS;
	}
}

static void draw_shape(struct prng *prng, struct link_state *s)
{
	if (below(prng, 2)) {
		s->delay_ns = below(prng, 100) * MS / 10;
		s->jitter_ns = s->delay_ns ? below(prng, s->delay_ns) : 0;
		s->reorder_ppm = s->delay_ns ? below(prng, 2) * below(prng, PPM_ONE) : 0;
		s->correlation_ppm = s->jitter_ns ? below(prng, 2) * below(prng, PPM_ONE) : 0;
	}
	if (below(prng, 3) == 0)
		s->corrupt_ppm = below(prng, PPM_ONE);
	if (s->corrupt_ppm)
		s->corrupt_silent = below(prng, 2);
	if (below(prng, 3) == 0)
		s->rate_bps = (1000 + below(prng, 1000000)) * 800ull;
	if (s->rate_bps && below(prng, 2))
		s->queue_bytes = LINK_QUEUE_BYTES_MIN + below(prng, 1 << 20);
}

/* A state that this emulator on this kernel can do. */
static struct link_state draw_state(const struct fabric *f, struct prng *prng)
{
	for (;;) {
		struct link_state s = {0};

		s.cut = below(prng, 3) == 0 ? (uint8_t)below(prng, CUT_NR) : CUT_NONE;
		draw_shape(prng, &s);
		if (!leafcut_needed(f))
			draw_chances(prng, &s);
		if (link_state_check(&s, NULL) || f->ops->refuses(f->emulator, &s))
			continue;
		if (s.cut == CUT_REJECT && (leafcut_needed(f) || !f->ops->matrix_bit))
			continue;
		return s;
	}
}

static void a_thousand_changes(bool without_bpf)
{
	struct fabric_change change;
	struct net_lab lab;
	struct prng prng;

	build(&lab, NODES, without_bpf);
	prng_init(&prng, 4711, without_bpf);
	for (unsigned i = 0; i < CHANGES; i++) {
		unsigned links = 1 + below(&prng, below(&prng, 10) ? 3 : 40);

		while (links--) {
			unsigned src = below(&prng, NODES), dst = below(&prng, NODES);

			if (src != dst)
				*link_matrix_at(&lab.want, src, dst) =
					below(&prng, 4) ? draw_state(lab.fabric, &prng)
							: (struct link_state){0};
		}
		/* A port takes tens of milliseconds: only now and then. */
		if (below(&prng, 200) == 0)
			lab.want.down[below(&prng, NODES)] ^= true;
		change = net_lab_apply(&lab);
		fabric_change_fini(&change);
		kernel_has(lab.fabric, &lab.want);
	}
	net_lab_destroy(&lab);
}

static void change__a_thousand_at_random_are_what_the_kernel_has(void **state)
{
	(void)state;
	a_thousand_changes(false);
}

static void change__a_thousand_without_bpf_are_what_the_kernel_has(void **state)
{
	(void)state;
	a_thousand_changes(true);
}

static void change__with_one_bad_link_changes_none(void **state)
{
	struct fabric_change change;
	struct err err = {0};
	struct link_matrix was;
	struct net_lab lab;

	(void)state;
	build(&lab, 3, false);
	net_lab_split(&lab, 1, true);
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	assert_int_equal(link_matrix_init(&was, 3), 0);
	link_matrix_copy(&was, &lab.want);
	net_lab_split(&lab, 1, false);
	link_matrix_at(&lab.want, 2, 1)->duplicate_ppm = PPM_ONE + 1;
	lab.want.down[1] = true;
	assert_int_equal(fabric_apply(lab.fabric, &lab.want, &change, &err), -EINVAL);
	assert_int_equal(err.status, EXIT_USAGE);
	assert_non_null(strstr(err.text, "n3 > n2"));
	assert_non_null(strstr(err.text, "100 %"));
	assert_int_equal(change.deltas, 0);
	assert_false(fabric_matrix(lab.fabric)->down[1]);
	kernel_has(lab.fabric, &was);
	link_matrix_fini(&was);
	net_lab_destroy(&lab);
}

/* The class of a link is taken away behind our back: its leaf is refused, the others are not. */
static void change__that_is_refused_half_way_is_taken_back(void **state)
{
	char out[NET_LAB_OUTPUT_MAX];
	struct fabric_change change;
	struct err err = {0};
	struct link_matrix was;
	struct net_lab lab;
	int sw;

	(void)state;
	build(&lab, 4, true);
	sw = fabric_switch_fd(lab.fabric);
	link_matrix_at(&lab.want, 3, 0)->cut = CUT_EDGE;
	link_matrix_at(&lab.want, 0, 3)->delay_ns = MS;
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	assert_int_equal(link_matrix_init(&was, 4), 0);
	link_matrix_copy(&was, &lab.want);
	assert_int_equal(net_lab_run(sw,
				 "tc filter del dev n3 parent 1: && "
				 "tc class del dev n3 classid 1:1",
				 out, sizeof out),
		0);
	net_lab_split(&lab, 2, true);
	link_matrix_at(&lab.want, 3, 0)->cut = CUT_NONE;
	link_matrix_at(&lab.want, 0, 3)->delay_ns = 0;
	link_matrix_at(&lab.want, 1, 3)->delay_ns = MS;
	lab.want.down[1] = true;
	assert_true(fabric_apply(lab.fabric, &lab.want, &change, &err) < 0);
	assert_non_null(strstr(err.text, "n1 > n3"));
	assert_non_null(strstr(err.text, "blackhole"));
	assert_int_equal(change.deltas, 0);
	kernel_has(lab.fabric, &was);
	assert_false(fabric_matrix(lab.fabric)->down[1]);
	assert_true(net_lab_ping(&lab, 0, 1, 1, 2) >= 0);
	assert_true(net_lab_ping(&lab, 3, 0, 1, 1) < 0);
	/* With the class back, the same change is carried out. */
	{
		struct nlbatch b = {0};

		qdisc_htb_class(&b, LINK_PORT(2), 0);
		assert_int_equal(nlsock_send(&lab.fabric->sw, &b, NULL), 0);
		nlbatch_fini(&b);
	}
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	kernel_has(lab.fabric, &lab.want);
	link_matrix_fini(&was);
	net_lab_destroy(&lab);
}

/* The port of a node that shall go down is not there: whatever else was asked for is taken back. */
static void change__whose_port_is_refused_is_taken_back(void **state)
{
	char out[NET_LAB_OUTPUT_MAX];
	struct fabric_change change;
	struct link_matrix was;
	struct net_lab lab;

	(void)state;
	build(&lab, 4, false);
	link_matrix_at(&lab.want, 3, 0)->cut = CUT_WIRE;
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	assert_int_equal(link_matrix_init(&was, 4), 0);
	link_matrix_copy(&was, &lab.want);
	assert_int_equal(
		net_lab_run(fabric_switch_fd(lab.fabric), "ip link del n2", out, sizeof out), 0);
	for (unsigned reshaped = 0; reshaped < 2; reshaped++) {
		struct err err = {0};

		link_matrix_copy(&lab.want, &was);
		link_matrix_at(&lab.want, 0, 2)->cut = CUT_EDGE;
		link_matrix_at(&lab.want, 3, 0)->cut = CUT_NONE;
		link_matrix_at(&lab.want, 2, 0)->delay_ns = reshaped * MS;
		link_matrix_at(&lab.want, 2, 0)->loss = reshaped ? LOSS_RANDOM : LOSS_NONE;
		link_matrix_at(&lab.want, 2, 0)->loss_ppm[0] = reshaped * PPM_ONE;
		lab.want.down[1] = lab.want.down[3] = true;
		assert_int_equal(fabric_apply(lab.fabric, &lab.want, &change, &err), -ENODEV);
		assert_non_null(strstr(err.text, "port of 'n2'"));
		assert_int_equal(change.deltas, 0);
		kernel_has(lab.fabric, &was);
		assert_false(fabric_matrix(lab.fabric)->down[3]);
		assert_true(net_lab_ping(&lab, 0, 2, 1, 2) >= 0);
		assert_true(net_lab_ping(&lab, 3, 2, 1, 5) >= 0);
		assert_true(net_lab_ping(&lab, 3, 0, 1, 1) < 0);
	}
	link_matrix_fini(&was);
	net_lab_destroy(&lab);
}

/* The same where netem's leaf is what is refused and the matrix program cuts. */
static void change__that_netem_refuses_leaves_no_cut(void **state)
{
	char out[NET_LAB_OUTPUT_MAX];
	struct fabric_change change;
	struct err err = {0};
	struct link_matrix was;
	struct net_lab lab;

	(void)state;
	build(&lab, 3, false);
	if (fabric_emulator(lab.fabric) != EMULATOR_NETEM || leafcut_needed(lab.fabric)) {
		net_lab_destroy(&lab);
		print_message("# skip: elsewhere: no sch_netem in this kernel\n");
		skip();
	}
	link_matrix_at(&lab.want, 0, 1)->delay_ns = MS;
	link_matrix_at(&lab.want, 0, 2)->delay_ns = MS;
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	assert_int_equal(link_matrix_init(&was, 3), 0);
	link_matrix_copy(&was, &lab.want);
	assert_int_equal(net_lab_run(fabric_switch_fd(lab.fabric),
				 "tc class del dev n3 classid 1:1 && "
				 "tc class add dev n3 parent 1: classid 1:77 htb rate 1gbit",
				 out, sizeof out),
		0);
	link_matrix_at(&lab.want, 0, 1)->delay_ns = 2 * MS;
	link_matrix_at(&lab.want, 0, 2)->delay_ns = 2 * MS;
	link_matrix_at(&lab.want, 1, 0)->cut = CUT_EDGE;
	link_matrix_at(&lab.want, 1, 2)->loss = LOSS_RANDOM;
	link_matrix_at(&lab.want, 1, 2)->loss_ppm[0] = PPM_ONE;
	assert_true(fabric_apply(lab.fabric, &lab.want, &change, &err) < 0);
	assert_non_null(strstr(err.text, "n1 > n3"));
	assert_true(net_lab_ping(&lab, 0, 1, 1, 2) >= 1);
	assert_true(net_lab_ping(&lab, 1, 2, 1, 2) >= 0);
	/* The link without its class has none to read back. */
	link_matrix_at(&lab.want, 0, 2)->delay_ns = MS;
	assert_int_equal(lab.fabric->ops->refresh(lab.fabric->emulator, 1, NULL), 0);
	{
		const struct link_state is =
			read_link(lab.fabric, 0, 1, link_matrix_at(&was, 0, 1));

		assert_int_equal(is.delay_ns, MS);
	}
	link_matrix_fini(&was);
	net_lab_destroy(&lab);
}

static void change__refuses_without_bpf_what_the_program_does(void **state)
{
	static const struct link_state states[] = {
		{.drop = {{1, 1, 1}}},
		{.loss = LOSS_RANDOM, .loss_ppm = {1}},
		{.duplicate_ppm = 1},
		{.flap_up_ns = MS, .flap_down_ns = MS},
		{.cut = CUT_REJECT},
	};
	struct fabric_change change;
	struct net_lab lab;

	(void)state;
	build(&lab, 2, true);
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		struct err err = {0};

		*link_matrix_at(&lab.want, 0, 1) = states[i];
		assert_int_equal(fabric_apply(lab.fabric, &lab.want, &change, &err), -EINVAL);
		assert_int_equal(err.status, EXIT_USAGE);
		assert_non_null(strstr(err.text, "n1 > n2"));
		/* netem would have been asked first. */
		assert_true(strstr(err.text, "BPF") || strstr(err.text, "--emulator wire"));
	}
	net_lab_destroy(&lab);
}

static void cut__of_kind_wire_loses_what_is_under_way(void **state)
{
	struct fabric_change change;
	struct net_lab lab;
	int tx, rx;

	(void)state;
	for (unsigned without_bpf = 0; without_bpf < 2; without_bpf++) {
		build(&lab, 2, without_bpf);
		link_matrix_at(&lab.want, 0, 1)->delay_ns = 300 * MS;
		change = net_lab_apply(&lab);
		fabric_change_fini(&change);
		tx = net_lab_udp(&lab, 0, 0);
		rx = net_lab_udp(&lab, 1, PORT);
		for (uint32_t i = 1; i <= 5; i++)
			net_lab_send(&lab, tx, 1, PORT, i);
		link_matrix_at(&lab.want, 0, 1)->cut = CUT_WIRE;
		change = net_lab_apply(&lab);
		fabric_change_fini(&change);
		link_matrix_at(&lab.want, 0, 1)->cut = CUT_NONE;
		change = net_lab_apply(&lab);
		fabric_change_fini(&change);
		net_lab_send(&lab, tx, 1, PORT, 6);
		assert_int_equal(net_lab_receive(rx, 2000), 6);
		assert_int_equal(net_lab_receive(rx, 50), -1);
		close(tx);
		close(rx);
		net_lab_destroy(&lab);
	}
}

static void node__that_is_down_sees_it_and_comes_back_as_it_was(void **state)
{
	static const char *const permanent = "bridge fdb show | sort; bridge -d link show | sort; "
					     "tc filter show dev n2 ingress; "
					     "tc qdisc show | sort | sed 's/direct_packets.*//'";
	static char before[NET_LAB_OUTPUT_MAX], after[NET_LAB_OUTPUT_MAX];
	char out[NET_LAB_OUTPUT_MAX];
	struct fabric_change change;
	struct net_lab lab;
	int sw, node;

	(void)state;
	build(&lab, 3, false);
	sw = fabric_switch_fd(lab.fabric);
	node = fabric_netns_fd(lab.fabric, 1);
	link_matrix_at(&lab.want, 0, 1)->delay_ns = 5 * MS;
	link_matrix_at(&lab.want, 2, 1)->cut = CUT_EDGE;
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	(void)net_lab_run(sw, permanent, before, sizeof before);
	lab.want.down[1] = true;
	change = net_lab_apply(&lab);
	assert_int_equal(change.downs, 1);
	assert_int_equal(change.deltas, 0);
	fabric_change_fini(&change);
	assert_true(fabric_matrix(lab.fabric)->down[1]);
	(void)net_lab_run(
		node, "cat /sys/class/net/eth0/carrier; ip -o link show eth0", out, sizeof out);
	assert_non_null(strstr(out, "NO-CARRIER"));
	assert_true(net_lab_ping(&lab, 0, 1, 1, 1) < 0);
	assert_true(net_lab_ping(&lab, 0, 2, 1, 2) >= 0);
	/* Other changes go on meanwhile, on its links too. */
	link_matrix_at(&lab.want, 0, 1)->delay_ns = 10 * MS;
	change = net_lab_apply(&lab);
	assert_int_equal(change.downs, 0);
	fabric_change_fini(&change);
	lab.want.down[1] = false;
	link_matrix_at(&lab.want, 0, 1)->delay_ns = 5 * MS;
	change = net_lab_apply(&lab);
	assert_int_equal(change.downs, 1);
	fabric_change_fini(&change);
	/* No waiting here: the change is done when frames pass. */
	assert_true(net_lab_ping(&lab, 0, 1, 1, 1) >= 5);
	assert_true(net_lab_ping(&lab, 2, 1, 1, 1) < 0);
	(void)net_lab_run(sw, permanent, after, sizeof after);
	assert_string_equal(before, after);
	net_lab_destroy(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(change__a_thousand_at_random_are_what_the_kernel_has),
		cmocka_unit_test(change__a_thousand_without_bpf_are_what_the_kernel_has),
		cmocka_unit_test(change__with_one_bad_link_changes_none),
		cmocka_unit_test(change__that_is_refused_half_way_is_taken_back),
		cmocka_unit_test(change__whose_port_is_refused_is_taken_back),
		cmocka_unit_test(change__that_netem_refuses_leaves_no_cut),
		cmocka_unit_test(change__refuses_without_bpf_what_the_program_does),
		cmocka_unit_test(cut__of_kind_wire_loses_what_is_under_way),
		cmocka_unit_test(node__that_is_down_sees_it_and_comes_back_as_it_was),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
