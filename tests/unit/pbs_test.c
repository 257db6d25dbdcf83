/* SPDX-License-Identifier: MIT */
/* pbs_test.c - predictions of staleness against what can be worked out by hand */
#include "agent/report/pbs.h"

#include <math.h>

#include "tests/lib/test.h"

#define TRIALS 400000

struct means {
	double w;
	double ars;
};

static double exponential(const void *ctx, enum pbs_leg leg, unsigned replica, uint32_t u)
{
	const struct means *m = ctx;

	(void)replica;
	return (leg == PBS_W ? m->w : m->ars) * -log1p(-(u + 0.5) / 4294967296.0);
}

static double constant(const void *ctx, enum pbs_leg leg, unsigned replica, uint32_t u)
{
	(void)leg;
	(void)u;
	return ((const double *)ctx)[replica];
}

static struct pbs *predict(const struct means *means, unsigned n, unsigned r, unsigned w)
{
	const struct pbs_model model = {
		.draw = exponential, .ctx = means, .replicas = n, .r = r, .w = w};

	return pbs_open(&model, TRIALS, 7);
}

static void pbs_quorums__that_overlap_are_always_consistent(void **state)
{
	const struct means means = {20, 10};

	(void)state;
	for (unsigned r = 1; r <= 3; r++) {
		for (unsigned w = 1; w <= 3; w++) {
			struct pbs *p = predict(&means, 3, r, w);

			if (r + w > 3)
				assert_true(pbs_fresh(p, 0) == 1 && pbs_visible(p, 0.999) == 0);
			else
				assert_true(pbs_fresh(p, 0) < 1 && pbs_visible(p, 0.999) > 0);
			pbs_close(p);
		}
	}
}

/* One replica: it has acknowledged, so it has the write. */
static void pbs_one__replica_is_never_stale(void **state)
{
	const struct means means = {20, 10};
	struct pbs *p = predict(&means, 1, 1, 1);

	(void)state;
	assert_true(pbs_fresh(p, 0) == 1);
	/* W + A: the mean of two exponentials, and the density of their sum. */
	assert_true(fabs(pbs_quantile(p->write, TRIALS, 0.5) - 24.56) < 0.15);
	pbs_close(p);
}

/*
 * N = 2, R = W = 1, all means 1, t = 0, by hand. Let D_i = W_i + A_i; replica 1 commits first with
 * probability 1/2, and the read is answered first by either with probability 1/2, by the committed
 * one never stale. Else stale iff W_2 > D_1 + R_2 given D_1 < D_2 and R_2 + S_2 < R_1 + S_1.
 * P(W_2 > D_1 + r) = E[exp(-D_1)] exp(-r) = exp(-r) / 4, and that implies D_1 < D_2 (1/2). With
 * X = R_1 + S_1, P(X > s) = (1 + s) exp(-s): P(R_2 + S_2 < X, weighted by exp(-R_2)) is the
 * integral over r, y of exp(-2r) exp(-y) (1 + r + y) exp(-r - y) = 1/6 + 1/18 + 1/12 = 11/36.
 * Stale: 2 * 1/4 * 11/36 = 11/72, and with t more, exp(-t) of it.
 */
static void pbs_two__replicas_are_stale_as_worked_out(void **state)
{
	const struct means means = {1, 1};
	struct pbs *p = predict(&means, 2, 1, 1);

	(void)state;
	assert_true(fabs(1 - pbs_fresh(p, 0) - 11.0 / 72) < 0.002);
	assert_true(fabs(1 - pbs_fresh(p, 1) - exp(-1) * 11.0 / 72) < 0.002);
	pbs_close(p);
}

/* The latency of a quorum is an order statistic: of max(W + A) of three, F(x)^3. */
static void pbs_latency__is_an_order_statistic(void **state)
{
	const struct means means = {1, 1};
	struct pbs *p = predict(&means, 3, 3, 1);

	(void)state;
	for (int tenths = 1; tenths < 10; tenths += 2) {
		double share = tenths / 10.0;
		double slowest = pbs_quantile(p->read, TRIALS, share);
		double fastest = pbs_quantile(p->write, TRIALS, share);

		assert_true(fabs(pow(1 - (1 + slowest) * exp(-slowest), 3) - share) < 0.004);
		assert_true(fabs(1 - pow((1 + fastest) * exp(-fastest), 3) - share) < 0.004);
	}
	pbs_close(p);
}

/* Bailis et al., section 5.3: with W ten times as slow, 41 % are consistent at once, and 99.9 %
 * after 65 ms; with W four times as fast, 94 % and 1 ms. */
static void pbs_exponential__gives_the_figures_of_the_paper(void **state)
{
	const struct means slow = {10, 1}, fast = {0.25, 1};
	struct pbs *p = predict(&slow, 3, 1, 1);

	(void)state;
	assert_true(fabs(pbs_fresh(p, 0) - 0.41) < 0.015);
	assert_true(fabs(pbs_visible(p, 0.999) - 65) < 3);
	pbs_close(p);
	p = predict(&fast, 3, 1, 1);
	assert_true(fabs(pbs_fresh(p, 0) - 0.94) < 0.005);
	assert_true(fabs(pbs_visible(p, 0.999) - 1.0) < 0.06);
	pbs_close(p);
}

static void pbs_constant__delays_leave_nothing_to_chance(void **state)
{
	const double delay[] = {5, 1, 9};
	const struct pbs_model model = {
		.draw = constant, .ctx = delay, .replicas = 3, .r = 2, .w = 2};
	struct pbs *p = pbs_open(&model, 10, 1);

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		assert_true(p->write[i] == 10 && p->read[i] == 10);
		/* The nearest replica has it 2 before it answers, the second one 10 - 5 + 5. */
		assert_true(p->threshold[i] == -10);
	}
	pbs_close(p);
}

static void pbs_seed__draws_the_same_again(void **state)
{
	const struct means means = {20, 10};
	struct pbs *a = predict(&means, 3, 1, 1), *b = predict(&means, 3, 1, 1);

	(void)state;
	assert_memory_equal(a->threshold, b->threshold, TRIALS * sizeof *a->threshold);
	pbs_close(a);
	pbs_close(b);
}

static void pbs_quantile__lies_between_two_values(void **state)
{
	double row[] = {4, 1, 3, 2};

	(void)state;
	pbs_sort(row, 4);
	assert_true(pbs_quantile(row, 4, 0) == 1 && pbs_quantile(row, 4, 1) == 4);
	assert_true(pbs_quantile(row, 4, 0.5) == 2.5);
	assert_true(isnan(pbs_quantile(row, 0, 0.5)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pbs_quorums__that_overlap_are_always_consistent),
		cmocka_unit_test(pbs_one__replica_is_never_stale),
		cmocka_unit_test(pbs_two__replicas_are_stale_as_worked_out),
		cmocka_unit_test(pbs_latency__is_an_order_statistic),
		cmocka_unit_test(pbs_exponential__gives_the_figures_of_the_paper),
		cmocka_unit_test(pbs_constant__delays_leave_nothing_to_chance),
		cmocka_unit_test(pbs_seed__draws_the_same_again),
		cmocka_unit_test(pbs_quantile__lies_between_two_values),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pbs", tests, NULL, NULL);
}
