/* SPDX-License-Identifier: MIT */
/*
 * chance_test.c - exact drops, loss and duplication: packet by packet what the seed says
 *
 * The expected fate of each packet is computed here from the description in matrix_chance.c, by a
 * model that is a few lines of C, and compared with what arrives at the other node.
 */
#include <pthread.h>

#include "agent/base/crc32c.h"
#include "agent/base/prng.h"
#include "tests/net/net_lab.h"

#define PORT 7010
#define PACKETS 2000
#define PACKETS_MAX 20000
#define BURST 200
#define PERCENT (PPM_ONE / 100)

/* How often each packet arrived; number 1 is the first that was sent. */
struct arrivals {
	unsigned n;
	uint8_t times[PACKETS_MAX + 1];
};

static uint64_t draw(uint64_t key, uint64_t number, unsigned k)
{
	uint64_t z = key + (2 * number + k) * 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint32_t to_ppm(uint64_t half)
{
	return (uint32_t)((half & UINT32_MAX) * PPM_ONE >> 32);
}

struct chain {
	unsigned state;
	uint64_t last;
};

/* The formulas of netem(8) and its source, word for word where they are words. */
static bool chain_loses(struct chain *c, const struct link_state *s, uint64_t value)
{
	enum { GAP_TX, BURST_TX, GAP_LOST, BURST_LOST };
	const uint32_t *p = s->loss_ppm, upper = to_ppm(value >> 32), lower = to_ppm(value);
	const unsigned was = c->state;

	switch ((enum link_loss)s->loss) {
	case LOSS_RANDOM:
		if (!p[1])
			return upper < p[0];
		c->last = ((value >> 32) * (PPM_ONE - p[1]) + c->last * p[1]) / PPM_ONE;
		return to_ppm(c->last) < p[0];
	case LOSS_GE:
		if (upper < p[was ? 1 : 0])
			c->state = !was;
		return lower < p[was ? 2 : 3];
	case LOSS_STATE:
		if (was == GAP_LOST)
			c->state = GAP_TX;
		else if (was == GAP_TX)
			c->state = upper < p[4]          ? GAP_LOST
				   : upper < p[4] + p[0] ? BURST_LOST
							 : GAP_TX;
		else if (was == BURST_TX)
			c->state = upper < p[3] ? BURST_LOST : BURST_TX;
		else
			c->state = upper < p[2]          ? BURST_TX
				   : upper < p[2] + p[1] ? GAP_TX
							 : BURST_LOST;
		return c->state >= GAP_LOST;
	case LOSS_NONE:
	case LOSS_NR:
		break;
	}
	return false;
}

static bool dropped_exactly(const struct link_state *s, uint32_t number)
{
	for (unsigned i = 0; i < LINK_DROPS_MAX && s->drop[i].first; i++) {
		for (uint64_t k = s->drop[i].first; k <= s->drop[i].last; k += s->drop[i].every) {
			if (k >= number) {
				if (k == number)
					return true;
				break;
			}
		}
	}
	return false;
}

static void expect(uint64_t seed, const struct link_state *s, unsigned n, struct arrivals *ret)
{
	struct chain chain = {0};
	struct prng prng;
	uint64_t key;

	/* Of the link from node 0 to node 1. */
	prng_init(&prng, seed, 1ull << 32 | 1);
	key = prng_next(&prng);
	prng_init(&prng, key, 0);
	chain.last = (uint32_t)prng_next(&prng);
	*ret = (struct arrivals){.n = n};
	for (uint32_t i = 1; i <= n; i++) {
		bool lost = chain_loses(&chain, s, draw(key, i, 0));

		if (!lost && !dropped_exactly(s, i))
			ret->times[i] = to_ppm(draw(key, i, 1) >> 32) < s->duplicate_ppm ? 2 : 1;
	}
}

/* What one processor sends reaches the port in that order; a thread that moves may overtake itself.
 */
static cpu_set_t stay_on_one_cpu(void)
{
	cpu_set_t was, one;

	assert_int_equal(sched_getaffinity(0, sizeof was, &was), 0);
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
	return was;
}

/* Send packets 1 to @n and note what arrives; @rx is drained before it could overflow. */
static void observe(struct net_lab *lab, unsigned n, struct arrivals *ret)
{
	int tx = net_lab_udp(lab, 0, 0), rx = net_lab_udp(lab, 1, PORT);
	struct fabric_counters before, after;
	uint64_t want = 0, got = 0;
	cpu_set_t was = stay_on_one_cpu();
	int64_t number;

	*ret = (struct arrivals){.n = n};
	fabric_counters(lab->fabric, 0, 1, &before);
	for (uint32_t i = 1; i <= n; i++) {
		net_lab_send(lab, tx, 1, PORT, i);
		if (i % BURST && i < n)
			continue;
		/* The counters say how many are to come. */
		do {
			fabric_counters(lab->fabric, 0, 1, &after);
		} while (after.offered - before.offered < i);
		want = after.passed - before.passed + after.doubled - before.doubled;
		for (; got < want; got++) {
			number = net_lab_receive(rx, 2000);
			assert_in_range(number, 1, n);
			ret->times[number]++;
		}
	}
	assert_int_equal(net_lab_receive(rx, 20), -1);
	assert_int_equal(sched_setaffinity(0, sizeof was, &was), 0);
	close(tx);
	close(rx);
}

static void same(const struct arrivals *a, const struct arrivals *b)
{
	assert_int_equal(a->n, b->n);
	for (unsigned i = 1; i <= a->n; i++) {
		if (a->times[i] != b->times[i])
			fail_msg("packet %u arrived %u times and not %u times", i, a->times[i],
				b->times[i]);
	}
}

static unsigned count(const struct arrivals *a, unsigned times)
{
	unsigned n = 0;

	for (unsigned i = 1; i <= a->n; i++)
		n += a->times[i] == times;
	return n;
}

static void set(struct net_lab *lab, const struct link_state *s)
{
	struct fabric_change change;

	*link_matrix_at(&lab->want, 0, 1) = *s;
	change = net_lab_apply(lab);
	fabric_change_fini(&change);
}

static void build(struct net_lab *lab)
{
	need_root();
	net_lab_build(lab, 2, EMULATOR_AUTO);
	if (lab->fabric->matrix.refusal) {
		net_lab_destroy(lab);
		print_message("# this kernel refuses BPF\n");
		skip();
	}
}

static struct arrivals seen, wanted;

/* What arrives on a link in state @s is what the model says, and the counters agree. */
static void check(struct net_lab *lab, const struct link_state *s, unsigned n)
{
	struct fabric_counters before, after;

	set(lab, &(struct link_state){0});
	set(lab, s);
	fabric_counters(lab->fabric, 0, 1, &before);
	observe(lab, n, &seen);
	fabric_counters(lab->fabric, 0, 1, &after);
	expect(lab->config.seed, s, n, &wanted);
	same(&seen, &wanted);
	assert_int_equal(after.lost - before.lost, count(&seen, 0));
	assert_int_equal(after.doubled - before.doubled, count(&seen, 2));
	assert_int_equal(after.passed - before.passed, n - count(&seen, 0));
	assert_int_equal(after.dropped, before.dropped);
}

static void drop__takes_exactly_these_frames(void **state)
{
	const struct link_state one = {.drop = {{17, 17, 1}}};
	const struct link_state some = {
		.drop = {{1, 1, 1}, {100, 200, 7}, {150, 160, 1}, {1999, UINT32_MAX, 1}}};
	struct net_lab lab;

	(void)state;
	build(&lab);
	check(&lab, &one, 100);
	assert_int_equal(count(&seen, 0), 1);
	assert_int_equal(seen.times[17], 0);
	check(&lab, &some, PACKETS);
	assert_int_equal(count(&seen, 0), 1 + 15 + 11 - 1 + 2);
	net_lab_destroy(&lab);
}

static void loss__is_what_the_seed_says_in_every_model(void **state)
{
	static const struct link_state states[] = {
		{.loss = LOSS_RANDOM, .loss_ppm = {10 * PERCENT}},
		{.loss = LOSS_RANDOM, .loss_ppm = {30 * PERCENT, 50 * PERCENT}},
		{.loss = LOSS_RANDOM, .loss_ppm = {PPM_ONE}},
		{.loss = LOSS_RANDOM, .loss_ppm = {1}},
		{.loss = LOSS_GE, .loss_ppm = {2 * PERCENT, 20 * PERCENT, 90 * PERCENT, PERCENT}},
		{.loss = LOSS_GE, .loss_ppm = {PPM_ONE, PPM_ONE, PPM_ONE, 0}},
		{.loss = LOSS_STATE,
			.loss_ppm = {5 * PERCENT, 30 * PERCENT, 20 * PERCENT, 40 * PERCENT,
				2 * PERCENT}},
	};
	struct net_lab lab;

	(void)state;
	build(&lab);
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		check(&lab, &states[i], PACKETS);
	net_lab_destroy(&lab);
}

static void duplicate__doubles_on_the_bridge_and_before_the_emulator(void **state)
{
	static const struct link_state states[] = {
		{.duplicate_ppm = 10 * PERCENT},
		{.duplicate_ppm = 10 * PERCENT, .delay_ns = NS_PER_MS},
		{.duplicate_ppm = PPM_ONE},
		{.duplicate_ppm = PPM_ONE, .delay_ns = NS_PER_MS},
	};
	struct net_lab lab;

	(void)state;
	build(&lab);
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		check(&lab, &states[i], PACKETS);
	net_lab_destroy(&lab);
}

static void chance__composes_without_one_knob_moving_another(void **state)
{
	struct link_state s = {
		.loss = LOSS_GE, .loss_ppm = {5 * PERCENT, 25 * PERCENT, 80 * PERCENT, PERCENT}};
	struct net_lab lab;
	static struct arrivals loss;

	(void)state;
	build(&lab);
	check(&lab, &s, PACKETS);
	loss = seen;
	s.duplicate_ppm = 20 * PERCENT;
	s.drop[0] = (struct link_drop){10, 1000, 10};
	s.delay_ns = NS_PER_MS / 2;
	check(&lab, &s, PACKETS);
	for (unsigned i = 1; i <= PACKETS; i++) {
		if (i % 10 || i > 1000)
			assert_int_equal(seen.times[i] == 0, loss.times[i] == 0);
		else
			assert_int_equal(seen.times[i], 0);
	}
	net_lab_destroy(&lab);
}

static void numbering__begins_anew_only_when_chance_is_set(void **state)
{
	struct link_state s = {.drop = {{150, 150, 1}}}, other = s;
	struct net_lab lab;

	(void)state;
	build(&lab);
	set(&lab, &s);
	observe(&lab, 100, &seen);
	assert_int_equal(count(&seen, 0), 0);
	other.delay_ns = NS_PER_MS;
	set(&lab, &other);
	other.cut = CUT_EDGE;
	set(&lab, &other);
	observe(&lab, 30, &seen);
	assert_int_equal(count(&seen, 0), 30);
	/* Frames that the cut dropped have no number: this is number 101. */
	set(&lab, &s);
	observe(&lab, 100, &seen);
	assert_int_equal(count(&seen, 0), 1);
	assert_int_equal(seen.times[50], 0);
	/* Another chance, and the same one again: from 1 both times. */
	for (unsigned i = 0; i < 4; i++) {
		s.duplicate_ppm = !(i % 2);
		set(&lab, &s);
		observe(&lab, 160, &seen);
		assert_int_equal(count(&seen, 0), 1);
		assert_int_equal(seen.times[150], 0);
	}
	net_lab_destroy(&lab);
}

struct sender {
	pthread_t thread;
	int cpu;
	int fd;
	struct sockaddr_in to;
	unsigned failed;
};

#define SENDER_PACKETS 10000

static void *send_many(void *ctx)
{
	struct sender *s = ctx;
	const uint32_t number = 0;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)s->cpu, &one);
	s->failed = sched_setaffinity(0, sizeof one, &one) != 0;
	for (unsigned i = 0; i < SENDER_PACKETS; i++)
		s->failed += sendto(s->fd, &number, sizeof number, 0, (struct sockaddr *)&s->to,
				     sizeof s->to) != sizeof number;
	return NULL;
}

/* Which packet gets which number is then open, but each number is given and drawn for once. */
static void numbering__gives_each_number_once_to_frames_of_all_processors(void **state)
{
	const struct link_state s = {.loss = LOSS_RANDOM,
		.loss_ppm = {20 * PERCENT},
		.duplicate_ppm = 10 * PERCENT,
		.drop = {{1, 1000, 3}}};
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct sender sender[2];
	struct fabric_counters after;
	struct net_lab lab;

	(void)state;
	build(&lab);
	set(&lab, &s);
	for (int i = 0; i < 2; i++) {
		sender[i] = (struct sender){.cpu = i % (int)cpus,
			.fd = net_lab_udp(&lab, 0, 0),
			.to = {.sin_family = AF_INET,
				.sin_port = htons(PORT),
				.sin_addr.s_addr = lab.node[1].addr_be}};
		assert_int_equal(pthread_create(&sender[i].thread, NULL, send_many, &sender[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(sender[i].thread, NULL), 0);
		assert_int_equal(sender[i].failed, 0);
		close(sender[i].fd);
	}
	do {
		fabric_counters(lab.fabric, 0, 1, &after);
	} while (after.offered < 2 * SENDER_PACKETS);
	assert_int_equal(after.offered, 2 * SENDER_PACKETS);
	expect(lab.config.seed, &s, 2 * SENDER_PACKETS, &wanted);
	assert_int_equal(after.lost, count(&wanted, 0));
	assert_int_equal(after.doubled, count(&wanted, 2));
	assert_int_equal(after.passed, 2 * SENDER_PACKETS - count(&wanted, 0));
	net_lab_destroy(&lab);
}

static void evidence__finds_another_chance_than_was_asked_for(void **state)
{
	const struct link_state s = {.loss = LOSS_RANDOM, .loss_ppm = {20 * PERCENT}};
	struct fabric_change change;
	struct evidence evidence;
	struct matrix *m;
	struct net_lab lab;

	(void)state;
	build(&lab);
	*link_matrix_at(&lab.want, 0, 1) = s;
	change = net_lab_apply(&lab);
	m = &lab.fabric->matrix;
	matrix_chance_at(m, 0, 1)->odds[matrix_active(m)].loss_ppm[0] = 21 * PERCENT;
	evidence = net_lab_evidence(&lab, &change);
	assert_int_equal(evidence.result, EVIDENCE_MISMATCH);
	assert_non_null(strstr(evidence.why, "n1 > n2"));
	fabric_change_fini(&change);
	net_lab_destroy(&lab);
}

static void evidence__does_not_shift_the_numbers_of_others(void **state)
{
	const struct link_state s = {.loss = LOSS_GE,
		.loss_ppm = {10 * PERCENT, 30 * PERCENT, PPM_ONE, 0},
		.duplicate_ppm = 5 * PERCENT};
	static struct arrivals first;
	struct fabric_change change;
	struct net_lab lab;

	(void)state;
	build(&lab);
	*link_matrix_at(&lab.want, 0, 1) = s;
	change = net_lab_apply(&lab);
	observe(&lab, 100, &first);
	{
		struct probe probe = {.src = 0, .dst = 1};

		probe_links(lab.fabric, &probe, 1, 40, 0, 10 * NS_PER_MS);
		assert_int_equal(probe.sent, 40);
		assert_in_range(probe.received, 1, 45);
	}
	fabric_change_fini(&change);
	expect(lab.config.seed, &s, 200, &wanted);
	observe(&lab, 100, &seen);
	for (unsigned i = 1; i <= 100; i++) {
		assert_int_equal(first.times[i], wanted.times[i]);
		assert_int_equal(seen.times[i], wanted.times[100 + i]);
	}
	net_lab_destroy(&lab);
}

static void twenty_thousand(uint64_t seed, struct arrivals *ret)
{
	const struct link_state s = {.loss = LOSS_RANDOM,
		.loss_ppm = {5 * PERCENT},
		.duplicate_ppm = 2 * PERCENT,
		.delay_ns = NS_PER_MS};
	struct err err = {0};
	struct net_lab lab;

	net_lab_config(&lab, 2, EMULATOR_AUTO);
	lab.config.seed = seed;
	if (fabric_build(&lab.fabric, &lab.config, &err))
		fail_msg("%s", err.text);
	assert_int_equal(link_matrix_init(&lab.want, 2), 0);
	set(&lab, &s);
	observe(&lab, PACKETS_MAX, ret);
	expect(seed, &s, PACKETS_MAX, &wanted);
	same(ret, &wanted);
	print_message("# digest of seed %llu: %08x, by %s: %u lost, %u doubled\n",
		(unsigned long long)seed, crc32c(0, ret->times + 1, ret->n),
		emulator_kind_names[fabric_emulator(lab.fabric)], count(ret, 0), count(ret, 2));
	net_lab_destroy(&lab);
}

static void seed__decides_the_same_for_20000_packets_every_time(void **state)
{
	static struct arrivals first, again, other;
	struct net_lab lab;
	unsigned differ = 0;

	(void)state;
	build(&lab);
	net_lab_destroy(&lab);
	twenty_thousand(42, &first);
	twenty_thousand(42, &again);
	same(&first, &again);
	twenty_thousand(43, &other);
	for (unsigned i = 1; i <= PACKETS_MAX; i++)
		differ += first.times[i] != other.times[i];
	assert_in_range(differ, PACKETS_MAX / 20, PACKETS_MAX / 5);
	/* 5 % and 2 % of the rest, within five standard deviations. */
	assert_in_range(count(&first, 0), 846, 1154);
	assert_in_range(count(&first, 2), 284, 476);
}

static void flap__is_open_and_closed_by_the_clock(void **state)
{
	const struct link_state s = {.flap_up_ns = 20 * NS_PER_MS, .flap_down_ns = 10 * NS_PER_MS};
	struct fabric_counters before, after;
	unsigned open = 0, closed = 0;
	uint64_t begin_ns, from_ns;
	struct net_lab lab;
	int tx;

	(void)state;
	build(&lab);
	begin_ns = clock_now_ns();
	set(&lab, &s);
	from_ns = matrix_chance_at(&lab.fabric->matrix, 0, 1)->odds[0].flap_from_ns;
	assert_in_range(from_ns, begin_ns, clock_now_ns());
	tx = net_lab_udp(&lab, 0, 0);
	while (open < 20 || closed < 20) {
		uint64_t t0 = clock_now_ns() - from_ns, t1;

		fabric_counters(lab.fabric, 0, 1, &before);
		net_lab_send(&lab, tx, 1, PORT, 1);
		do {
			fabric_counters(lab.fabric, 0, 1, &after);
		} while (after.offered == before.offered);
		t1 = clock_now_ns() - from_ns;
		assert_true(t1 < 20 * NS_PER_S);
		/* Judged between t0 and t1: nothing can be said if it opened or closed there. */
		if ((t1 - t0) > NS_PER_MS || (t0 % (30 * NS_PER_MS) < s.flap_up_ns) !=
						     (t1 % (30 * NS_PER_MS) < s.flap_up_ns))
			continue;
		if (t0 % (30 * NS_PER_MS) < s.flap_up_ns) {
			assert_int_equal(after.passed, before.passed + 1);
			open++;
		} else {
			assert_int_equal(after.dropped, before.dropped + 1);
			closed++;
		}
	}
	/* What is not of the flapping leaves its clock alone. */
	link_matrix_at(&lab.want, 0, 1)->delay_ns = NS_PER_MS;
	{
		struct fabric_change change = net_lab_apply(&lab);

		fabric_change_fini(&change);
	}
	for (unsigned copy = 0; copy < 2; copy++)
		assert_int_equal(
			matrix_chance_at(&lab.fabric->matrix, 0, 1)->odds[copy].flap_from_ns,
			from_ns);
	close(tx);
	net_lab_destroy(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drop__takes_exactly_these_frames),
		cmocka_unit_test(loss__is_what_the_seed_says_in_every_model),
		cmocka_unit_test(duplicate__doubles_on_the_bridge_and_before_the_emulator),
		cmocka_unit_test(chance__composes_without_one_knob_moving_another),
		cmocka_unit_test(numbering__begins_anew_only_when_chance_is_set),
		cmocka_unit_test(numbering__gives_each_number_once_to_frames_of_all_processors),
		cmocka_unit_test(evidence__finds_another_chance_than_was_asked_for),
		cmocka_unit_test(evidence__does_not_shift_the_numbers_of_others),
		cmocka_unit_test(seed__decides_the_same_for_20000_packets_every_time),
		cmocka_unit_test(flap__is_open_and_closed_by_the_clock),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("chance", tests, NULL, NULL);
}
