/* SPDX-License-Identifier: MIT */
/* evidence_stats_test.c - what chance may do, against sums, chains and rows done by hand */
#include "netns/evidence_stats.h"

#include <math.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/prng.h"
#include "tests/lib/test.h"

#define WALK 2000000
#define ROW 300

/* P(X = k) of n, multiplied out. */
static double binomial(unsigned k, unsigned n, double p)
{
	double r = 1;

	for (unsigned i = 1; i <= n; i++)
		r *= i <= k ? p * (n - k + i) / i : 1 - p;
	return r;
}

static void stats_count__agrees_with_the_binomial_sums(void **state)
{
	static const unsigned frames[] = {1, 7, 40, 150};
	static const double shares[] = {0.01, 0.1, 0.5, 0.93};

	(void)state;
	for (unsigned a = 0; a < 16; a++) {
		unsigned n = frames[a / 4];
		double p = shares[a % 4];
		struct stats_share share = {.lo = p, .hi = p, .bunch = 1};

		for (unsigned k = 0; k <= n; k++) {
			double above = 0, below = 0;
			enum stats_fit want = STATS_FITS;

			for (unsigned i = 0; i <= n; i++) {
				above += i >= k ? binomial(i, n, p) : 0;
				below += i <= k ? binomial(i, n, p) : 0;
			}
			if (above < STATS_SURPRISE / 2)
				want = STATS_MORE;
			else if (below < STATS_SURPRISE / 2)
				want = STATS_LESS;
			assert_int_equal(stats_count(k, n, &share), want);
		}
	}
}

static void stats_count__allows_no_exception_from_never_and_always(void **state)
{
	const struct stats_share never = {.bunch = 1}, always = {.lo = 1, .hi = 1, .bunch = 1};

	(void)state;
	assert_int_equal(stats_count(0, 5000, &never), STATS_FITS);
	assert_int_equal(stats_count(1, 5000, &never), STATS_MORE);
	assert_int_equal(stats_count(5000, 5000, &always), STATS_FITS);
	assert_int_equal(stats_count(4999, 5000, &always), STATS_LESS);
	assert_int_equal(stats_count(0, 0, &always), STATS_FITS);
}

static void stats_count__finds_half_and_double_of_a_share(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		double p = 0.001 * pow(3, i);
		struct stats_share share = {.lo = p, .hi = p, .bunch = 1};
		unsigned n = stats_needed(&share);

		assert_true(stats_tells(n, &share));
		assert_int_equal(stats_count((uint64_t)(n * p), n, &share), STATS_FITS);
		assert_int_equal(stats_count(0, n / 3, &share), STATS_LESS);
		assert_int_equal(stats_count((uint64_t)(n * p / 4), n, &share), STATS_LESS);
		assert_int_equal(stats_count((uint64_t)(n * p * 2), n, &share), STATS_MORE);
	}
}

static void stats_tells__wants_more_frames_of_rarer_things(void **state)
{
	struct stats_share rare = {.lo = 0.001, .hi = 0.001, .bunch = 1};

	(void)state;
	assert_false(stats_tells(6000, &rare));
	assert_true(stats_tells(7000, &rare));
	rare.bunch = 10;
	assert_false(stats_tells(7000, &rare));
	rare.lo = 0;
	assert_false(stats_tells(UINT32_MAX, &rare));
	assert_int_equal(stats_needed(&rare), UINT32_MAX);
}

/* The chains as their papers tell them, walked frame by frame. */
static double walk_ge(const struct link_state *s, struct prng *prng)
{
	unsigned lost = 0;
	bool bad = false;

	for (unsigned i = 0; i < WALK; i++) {
		double u = prng_unit(prng) * PPM_ONE, v = prng_unit(prng) * PPM_ONE;

		lost += v < (bad ? s->loss_ppm[2] : s->loss_ppm[3]);
		bad = bad ? u >= s->loss_ppm[1] : u < s->loss_ppm[0];
	}
	return (double)lost / WALK;
}

static double walk_state(const struct link_state *s, struct prng *prng)
{
	const uint32_t p13 = s->loss_ppm[0], p31 = s->loss_ppm[1], p32 = s->loss_ppm[2],
		       p23 = s->loss_ppm[3], p14 = s->loss_ppm[4];
	unsigned lost = 0, at = 1;

	for (unsigned i = 0; i < WALK; i++) {
		double u = prng_unit(prng) * PPM_ONE;

		if (at == 1)
			at = u < p14 ? 4 : u < p14 + p13 ? 3 : 1;
		else if (at == 2)
			at = u < p23 ? 3 : 2;
		else if (at == 3)
			at = u < p32 ? 2 : u < p32 + p31 ? 1 : 3;
		else
			at = 1;
		lost += at >= 3;
	}
	return (double)lost / WALK;
}

static void stats_loss__is_the_share_that_the_chains_lose(void **state)
{
	const struct link_state ge = {.loss = LOSS_GE, .loss_ppm = {20000, 300000, 900000, 1000}};
	const struct link_state four = {
		.loss = LOSS_STATE, .loss_ppm = {10000, 200000, 400000, 300000, 5000}};
	const struct link_state swing = {
		.loss = LOSS_GE, .loss_ppm = {PPM_ONE, PPM_ONE, PPM_ONE, 0}};
	struct stats_share share;
	struct prng prng;
	double seen;

	(void)state;
	prng_init(&prng, 5, 0);
	stats_loss(&ge, &share);
	seen = walk_ge(&ge, &prng);
	assert_true(fabs(share.lo - seen) < 0.02 * seen);
	assert_true(share.bunch > 3 && share.bunch < 8);
	stats_loss(&four, &share);
	seen = walk_state(&four, &prng);
	assert_true(fabs(share.lo - seen) < 0.03 * seen);
	assert_true(share.bunch > 1);
	stats_loss(&swing, &share);
	assert_true(fabs(share.lo - 0.5) < 1e-6);
}

/* Five thousand chains of frames with one seed each: none of them may be called wrong. */
static void stats_count__believes_bunches_of_the_right_share(void **state)
{
	const struct link_state ge = {.loss = LOSS_GE, .loss_ppm = {10000, 200000, PPM_ONE, 0}};
	struct stats_share share;

	(void)state;
	stats_loss(&ge, &share);
	for (unsigned seed = 0; seed < 5000; seed++) {
		unsigned lost = 0;
		bool bad = false;
		struct prng prng;

		prng_init(&prng, seed, 0);
		for (unsigned i = 0; i < 2000; i++) {
			double u = prng_unit(&prng) * PPM_ONE;

			lost += bad;
			bad = bad ? u >= ge.loss_ppm[1] : u < ge.loss_ppm[0];
		}
		assert_int_equal(stats_count(lost, 2000, &share), STATS_FITS);
	}
}

static void stats_loss__is_less_when_draws_are_correlated(void **state)
{
	const struct link_state s = {.loss = LOSS_RANDOM, .loss_ppm = {100000, 250000}};
	struct stats_share share;

	(void)state;
	stats_loss(&s, &share);
	assert_true(share.lo < 0.1 && share.hi >= 0.1 - 1e-9 && share.bunch > 1);
}

/* A row through a link that is modelled here once more, with another generator. */
static void make_row(
	const struct link_state *s, uint64_t gap_ns, uint64_t seed, struct stats_frame row[ROW])
{
	uint64_t due_ns = 0, free_ns = 0;
	struct prng prng;

	prng_init(&prng, seed, 9);
	for (unsigned i = 0; i < ROW; i++) {
		uint64_t sent_ns = NS_PER_S + i * gap_ns, out_ns = sent_ns;
		uint64_t wait_ns = s->delay_ns - s->jitter_ns +
				   (uint64_t)(prng_unit(&prng) * 2 * (double)s->jitter_ns);

		if (s->rate_bps) {
			out_ns = out_ns > free_ns ? out_ns : free_ns;
			out_ns += 8000 * NS_PER_S / s->rate_bps;
			free_ns = out_ns;
		}
		due_ns = out_ns + wait_ns > due_ns ? out_ns + wait_ns : due_ns;
		row[i] = (struct stats_frame){sent_ns, due_ns, 1000};
	}
}

static bool within(
	const struct stats_row *x, const struct stats_row *lo, const struct stats_row *hi)
{
	for (unsigned i = 0; i < STATS_QUANTILES; i++) {
		if (x->quantile_ns[i] < lo->quantile_ns[i] ||
			x->quantile_ns[i] > hi->quantile_ns[i])
			return false;
	}
	return x->span_ns >= lo->span_ns && x->span_ns <= hi->span_ns;
}

static bool expected(
	const struct link_state *is, const struct link_state *wants, uint64_t gap_ns, uint64_t seed)
{
	static struct stats_frame row[ROW];
	struct stats_row x, lo, hi;

	make_row(is, gap_ns, seed, row);
	assert_int_equal(stats_measure(row, ROW, &x), 0);
	assert_int_equal(stats_expect(wants, 0, row, ROW, &lo, &hi), 0);
	return within(&x, &lo, &hi);
}

/* Frames closer together than the jitter is wide hold each other up: the model has that. */
static void stats_expect__knows_jitter_in_order_and_rates(void **state)
{
	const struct link_state wants = {.delay_ns = 10 * NS_PER_MS, .jitter_ns = 3 * NS_PER_MS};
	const struct link_state wider = {.delay_ns = 10 * NS_PER_MS, .jitter_ns = 6 * NS_PER_MS};
	const struct link_state none = {.delay_ns = 10 * NS_PER_MS};
	const struct link_state rated = {
		.delay_ns = 10 * NS_PER_MS, .jitter_ns = 3 * NS_PER_MS, .rate_bps = 10000000};
	struct link_state faster = rated;

	(void)state;
	faster.rate_bps = 20000000;
	for (uint64_t seed = 0; seed < 200; seed++) {
		assert_true(expected(&wants, &wants, NS_PER_MS, seed));
		assert_true(expected(&wants, &wants, 10 * NS_PER_MS, seed));
		assert_true(expected(&rated, &rated, 10 * NS_PER_US, seed));
	}
	for (uint64_t seed = 0; seed < 20; seed++) {
		assert_false(expected(&wider, &wants, NS_PER_MS, seed));
		assert_false(expected(&none, &wants, NS_PER_MS, seed));
		assert_false(expected(&wants, &wider, NS_PER_MS, seed));
		assert_false(expected(&faster, &rated, 10 * NS_PER_US, seed));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stats_count__agrees_with_the_binomial_sums),
		cmocka_unit_test(stats_count__allows_no_exception_from_never_and_always),
		cmocka_unit_test(stats_count__finds_half_and_double_of_a_share),
		cmocka_unit_test(stats_tells__wants_more_frames_of_rarer_things),
		cmocka_unit_test(stats_loss__is_the_share_that_the_chains_lose),
		cmocka_unit_test(stats_count__believes_bunches_of_the_right_share),
		cmocka_unit_test(stats_loss__is_less_when_draws_are_correlated),
		cmocka_unit_test(stats_expect__knows_jitter_in_order_and_rates),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("evidence_stats", tests, NULL, NULL);
}
