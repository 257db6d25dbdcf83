/* SPDX-License-Identifier: MIT */
/*
 * netem_test.c - the netem emulator, on kernels that have it
 *
 * Needs ip, ping and a shell, no more, so that it runs in a virtual machine that has little else.
 * Times there are emulated: what is tested is meaning, with wide margins.
 */
#include "netns/dist.h"
#include "netns/link.h"
#include "netns/netem_leaf.h"
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
	const struct netem_leaf leaf = {.ifindex = LINK_PORT(1)};
	const struct link_state wrong = {.delay_ns = 35 * MS};
	struct nlbatch batch = {0};
	struct fabric_change change;
	struct evidence evidence;
	struct net_lab lab;

	(void)state;
	build(&lab, 2);
	net_lab_delay_all(&lab, 20 * MS, 0);
	change = net_lab_apply(&lab);
	netem_leaf_put(&batch, &leaf, &wrong);
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

/* What is put into force for n1 > n2, alone, with sockets to try it. */
struct trial {
	struct net_lab lab;
	struct link_state *link;
	int tx;
	int rx;
};

static void trial_begin(struct trial *t)
{
	build(&t->lab, 2);
	t->link = link_matrix_at(&t->lab.want, 0, 1);
	t->tx = net_lab_udp(&t->lab, 0, 0);
	t->rx = net_lab_udp(&t->lab, 1, PORT);
}

static void trial_apply(struct trial *t)
{
	struct fabric_change change = net_lab_apply(&t->lab);

	fabric_change_fini(&change);
}

static void trial_end(struct trial *t)
{
	close(t->tx);
	close(t->rx);
	net_lab_destroy(&t->lab);
}

static void says_what_was_set(struct trial *t)
{
	const struct fabric *f = t->lab.fabric;
	struct link_state is;

	trial_apply(t);
	assert_int_equal(f->ops->refresh(f->emulator, 1, NULL), 0);
	f->ops->read_back(f->emulator, 0, 1, &is);
	assert_true(link_state_same(&is, t->link));
}

static void netem__the_kernel_says_what_was_set(void **state)
{
	struct trial t;

	(void)state;
	trial_begin(&t);
	*t.link = (struct link_state){.delay_ns = 123456789, .jitter_ns = 23456789};
	says_what_was_set(&t);
	t.link->correlation_ppm = 250001;
	t.link->reorder_ppm = 999999;
	says_what_was_set(&t);
	t.link->rate_bps = 12345672;
	says_what_was_set(&t);
	t.link->queue_bytes = 54321;
	t.link->corrupt_ppm = 1;
	t.link->reorder_ppm = 0;
	says_what_was_set(&t);
	t.link->rate_bps = 80000000000;
	t.link->queue_bytes = 0;
	t.link->jitter_ns = 0;
	t.link->correlation_ppm = 0;
	says_what_was_set(&t);
	t.link->rate_bps = 0;
	t.link->corrupt_ppm = PPM_ONE;
	says_what_was_set(&t);
	*t.link = (struct link_state){.delay_ns = 50 * MS, .jitter_ns = 10 * MS};
	for (t.link->dist = DIST_TABLE - 1; t.link->dist > DIST_UNIFORM; t.link->dist--)
		says_what_was_set(&t);
	says_what_was_set(&t);
	*t.link = (struct link_state){0};
	says_what_was_set(&t);
	trial_end(&t);
}

/* A distribution that is a file of delays, one after the other. */
static int replayed(void)
{
	char path[] = "/tmp/delaysXXXXXX", name[64];
	int fd = mkstemp(path), dist;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "1ms\n2ms\n", 8), 8);
	(void)snprintf(name, sizeof name, "replay:%s", path);
	dist = dist_load_file(name, NULL);
	assert_true(dist >= DIST_TABLE);
	close(fd);
	assert_int_equal(unlink(path), 0);
	return dist;
}

static void netem__refuses_what_it_cannot_do(void **state)
{
	const int replay = replayed();
	const struct {
		struct link_state link;
		const char *why;
	} bad[] = {
		{{.delay_ns = 3 * NS_PER_S, .jitter_ns = 3 * NS_PER_S}, "2.1 s"},
		{{.dist = (uint8_t)replay, .delay_ns = 2 * MS}, "one after the other"},
		{{.corrupt_ppm = 5, .corrupt_silent = true}, "silent"},
		{{.rate_bps = 100001}, "multiples of 8"},
		{{.delay_ns = 600 * NS_PER_S, .rate_bps = 8000000000}, "4,000,000 frames"},
	};
	struct fabric_change change;
	struct trial t;

	(void)state;
	trial_begin(&t);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err err = {0};

		*t.link = bad[i].link;
		assert_int_equal(fabric_apply(t.lab.fabric, &t.lab.want, &change, &err), -EINVAL);
		assert_non_null(strstr(err.text, bad[i].why));
		assert_non_null(strstr(err.text, "n1 > n2"));
	}
	trial_end(&t);
}

static unsigned received(const struct trial *t, unsigned wait_ms)
{
	unsigned n = 0;

	while (net_lab_receive(t->rx, wait_ms) >= 0)
		n++;
	return n;
}

static void netem__a_rate_serialises_and_its_queue_is_in_bytes(void **state)
{
	enum { FRAMES = 60, BYTES = 1000 - 42 };
	uint64_t begin_ns, first_ns;
	struct trial t;
	unsigned got;

	(void)state;
	trial_begin(&t);
	t.link->delay_ns = 20 * MS;
	t.link->rate_bps = 800000; /* 100 frames a second */
	t.link->queue_bytes = 30000;
	trial_apply(&t);
	begin_ns = clock_now_ns();
	for (uint32_t i = 0; i < FRAMES; i++)
		net_lab_send_long(&t.lab, t.tx, 1, PORT, i, BYTES);
	assert_int_equal(net_lab_receive(t.rx, 2000), 0);
	first_ns = clock_now_ns();
	assert_true(first_ns - begin_ns >= 20 * MS);
	got = 1 + received(&t, 1000);
	/* One on its way, 30 in the queue; while they were sent some have left it. */
	assert_true(got >= 30 && got < 45);
	trial_end(&t);
}

static void netem__a_rate_takes_the_time_that_it_says(void **state)
{
	enum { FRAMES = 41, BYTES = 1000 - 42 };
	uint64_t first_ns, last_ns;
	struct trial t;

	(void)state;
	trial_begin(&t);
	t.link->rate_bps = 800000;
	t.link->queue_bytes = 100000;
	trial_apply(&t);
	for (uint32_t i = 0; i < FRAMES; i++)
		net_lab_send_long(&t.lab, t.tx, 1, PORT, i, BYTES);
	assert_int_equal(net_lab_receive(t.rx, 2000), 0);
	first_ns = clock_now_ns();
	for (uint32_t i = 1; i < FRAMES; i++)
		assert_int_equal(net_lab_receive(t.rx, 2000), i);
	last_ns = clock_now_ns();
	/* 40 frames of 10 ms each; the first two may go at once, and emulated time is late. */
	assert_true(last_ns - first_ns > 350 * MS && last_ns - first_ns < 800 * MS);
	trial_end(&t);
}

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* One frame at a time, so that none waits for the one before it. */
static void netem__draws_delays_from_a_table(void **state)
{
	enum { FRAMES = 200 };
	static const uint64_t ns[] = {20 * MS, 20 * MS, 20 * MS, 30 * MS, 30 * MS};
	const int dist = dist_add_table("five", ns, sizeof ns / sizeof *ns, NULL);
	uint64_t took_ns[FRAMES];
	struct trial t;

	(void)state;
	assert_true(dist >= DIST_TABLE);
	trial_begin(&t);
	t.link->dist = (uint8_t)dist;
	t.link->delay_ns = dist_mean_ns((unsigned)dist);
	trial_apply(&t);
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint64_t begin_ns = clock_now_ns();

		net_lab_send(&t.lab, t.tx, 1, PORT, i);
		assert_int_equal(net_lab_receive(t.rx, 2000), i);
		took_ns[i] = clock_now_ns() - begin_ns;
	}
	qsort(took_ns, FRAMES, sizeof *took_ns, by_value);
	/* Three of five took 20 ms, the upper ones 30; emulated time comes later, never earlier. */
	assert_true(took_ns[0] >= 19 * MS && took_ns[FRAMES / 10] < 27 * MS);
	assert_true(took_ns[FRAMES * 9 / 10] >= 29 * MS);
	trial_end(&t);
}

static void netem__reorders_and_loses_nothing(void **state)
{
	enum { FRAMES = 400 };
	unsigned got = 0, overtook = 0;
	int64_t number, last = -1;
	struct trial t;

	(void)state;
	trial_begin(&t);
	t.link->delay_ns = 100 * MS;
	t.link->reorder_ppm = 250000;
	trial_apply(&t);
	for (uint32_t i = 0; i < FRAMES; i++)
		net_lab_send(&t.lab, t.tx, 1, PORT, i);
	while (got < FRAMES && (number = net_lab_receive(t.rx, 2000)) >= 0) {
		overtook += number < last;
		last = number;
		got++;
	}
	assert_int_equal(got, FRAMES);
	/* Those that did not wait came first, so the order falls back at least once. */
	assert_true(overtook >= 1);
	trial_end(&t);
}

static void netem__corruption_is_seen_by_the_checksum(void **state)
{
	enum { FRAMES = 400 };
	struct trial t;
	unsigned got;

	(void)state;
	trial_begin(&t);
	t.link->corrupt_ppm = 300000;
	trial_apply(&t);
	for (uint32_t i = 0; i < FRAMES; i++)
		net_lab_send_long(&t.lab, t.tx, 1, PORT, i, 1000);
	got = received(&t, 500);
	/* Some 280; ten standard deviations to each side. */
	assert_true(got > 180 && got < 380);
	trial_end(&t);
}

static void netem__a_flush_drops_what_is_under_way(void **state)
{
	struct fabric_delta delta = {.src = 0, .dst = 1};
	struct trial t;

	(void)state;
	trial_begin(&t);
	t.link->delay_ns = 500 * MS;
	t.link->rate_bps = 8000000;
	trial_apply(&t);
	net_lab_send(&t.lab, t.tx, 1, PORT, 17);
	delta.from = delta.to = *t.link;
	assert_int_equal(t.lab.fabric->ops->flush(t.lab.fabric->emulator, &delta, 1, NULL), 0);
	net_lab_send(&t.lab, t.tx, 1, PORT, 18);
	assert_int_equal(net_lab_receive(t.rx, 5000), 18);
	assert_int_equal(net_lab_receive(t.rx, 1500), -1);
	says_what_was_set(&t);
	trial_end(&t);
}

static void netem__goes_with_the_last_fault_and_with_what_is_under_way(void **state)
{
	struct trial t;

	(void)state;
	trial_begin(&t);
	t.link->delay_ns = 500 * MS;
	trial_apply(&t);
	net_lab_send(&t.lab, t.tx, 1, PORT, 17);
	t.link->delay_ns = 0;
	trial_apply(&t);
	net_lab_send(&t.lab, t.tx, 1, PORT, 18);
	assert_int_equal(net_lab_receive(t.rx, 5000), 18);
	assert_int_equal(net_lab_receive(t.rx, 1500), -1);
	trial_end(&t);
}

static void netem_limit__holds_a_long_fast_link(void **state)
{
	struct link_state link = {.delay_ns = 100 * MS};

	(void)state;
	/* A million frames a second for 100 ms; far above the kernel's default of 1000. */
	assert_int_equal(netem_leaf_limit(&link), 100000);
	/* With a rate as many as it can send, and its queue. */
	link.rate_bps = 480000000;
	link.queue_bytes = 60000;
	assert_in_range(netem_leaf_limit(&link), 102000, 102200);
	link.rate_bps = 1000;
	assert_int_equal(netem_leaf_limit(&link), 10000);
	link = (struct link_state){0};
	assert_true(netem_leaf_limit(&link) >= 10000);
	link.delay_ns = LINK_DELAY_NS_MAX;
	assert_int_equal(netem_leaf_limit(&link), NETEM_LEAF_LIMIT_MAX);
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
		cmocka_unit_test(netem__the_kernel_says_what_was_set),
		cmocka_unit_test(netem__refuses_what_it_cannot_do),
		cmocka_unit_test(netem__a_rate_serialises_and_its_queue_is_in_bytes),
		cmocka_unit_test(netem__a_rate_takes_the_time_that_it_says),
		cmocka_unit_test(netem__draws_delays_from_a_table),
		cmocka_unit_test(netem__reorders_and_loses_nothing),
		cmocka_unit_test(netem__corruption_is_seen_by_the_checksum),
		cmocka_unit_test(netem__a_flush_drops_what_is_under_way),
		cmocka_unit_test(netem__goes_with_the_last_fault_and_with_what_is_under_way),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("netem", tests, NULL, NULL);
}
