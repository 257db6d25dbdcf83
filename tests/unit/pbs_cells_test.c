/* SPDX-License-Identifier: MIT */
/* pbs_cells_test.c - staleness and latency as measured, of histories that were drawn to be right,
 * and of some that were not */
#include "agent/report/pbs_cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/prng.h"
#include "netns/dist.h"
#include "tests/lib/test.h"

#define REPLICAS 3
#define KEYS 60
#define WRITES 300 /* of each key */
#define READS 12   /* of each write, by a reader of each level */
#define PERIOD_NS (900 * NS_PER_MS)
#define TRIALS 50000

static struct plan *plan;
static struct prng prng;

static int load(void **state)
{
	const struct plan_options options = {.param = "case=exp-20-10"};
	struct err err = {0};

	(void)state;
	return plan_load(&plan, "pbs", &options, &err);
}

static int unload(void **state)
{
	(void)state;
	plan_free(plan);
	return 0;
}

/* Sites in the order of the script: the store, then writers and readers by turns. */
static unsigned client_of(unsigned level, bool writes)
{
	return plan->site[1 + 2 * level + !writes].client;
}

static uint64_t draw(const char *name)
{
	char full[DIST_NAME_MAX];
	int dist;

	(void)snprintf(full, sizeof full, "%s.exp-20-10.1", name);
	dist = dist_find(full);

	assert_true(dist >= 0);
	return dist_draw_ns((unsigned)dist, 0, 0, (uint32_t)(prng_next(&prng) >> 32));
}

static unsigned need_of(unsigned level)
{
	return level == 2 ? REPLICAS : level + 1;
}

/* The @k-th smallest of three. */
static uint64_t kth(const uint64_t all[REPLICAS], unsigned k)
{
	for (unsigned i = 0; i < REPLICAS; i++) {
		unsigned below = 0;

		for (unsigned j = 0; j < REPLICAS; j++)
			below += all[j] < all[i] || (all[j] == all[i] && j <= i);
		if (below == k)
			return all[i];
	}
	return 0;
}

static void add(struct history_ops *h, const struct history_op *like, unsigned level, bool writes)
{
	struct history_op *op = &h->op[h->count++];

	*op = *like;
	op->kind = writes ? HISTORY_WRITE : HISTORY_READ;
	op->client = (uint16_t)client_of(level, writes);
	op->outcome = HISTORY_OK;
	op->phase = plan->phases - 1;
}

/* A read of the write @value of @key that was sent at @sent and reached replicas at @there. */
static void add_read(struct history_ops *h, unsigned level, const struct history_op *write,
	const uint64_t there[REPLICAS])
{
	uint64_t ask[REPLICAS], back[REPLICAS], answered;
	struct history_op op = {.key = write->key,
		.value = write->value - KEYS,
		.t_invoke_ns = write->t_return_ns + 1 + prng_below(&prng, 200 * NS_PER_MS)};

	for (unsigned i = 0; i < REPLICAS; i++) {
		ask[i] = draw("ars");
		back[i] = ask[i] + draw("ars");
	}
	answered = kth(back, need_of(level));
	for (unsigned i = 0; i < REPLICAS; i++)
		if (back[i] <= answered && op.t_invoke_ns + ask[i] >= there[i])
			op.value = write->value;
	op.t_return_ns = op.t_invoke_ns + answered;
	add(h, &op, level, false);
}

static void add_write(struct history_ops *h, uint64_t key, uint64_t number)
{
	unsigned level = (unsigned)(key % 3);
	uint64_t there[REPLICAS], acked[REPLICAS];
	struct history_op op = {.key = key,
		.value = (number + 1) * KEYS + key,
		.t_invoke_ns = NS_PER_S + number * PERIOD_NS};

	for (unsigned i = 0; i < REPLICAS; i++) {
		there[i] = op.t_invoke_ns + draw("w");
		acked[i] = there[i] + draw("ars");
	}
	op.t_return_ns = kth(acked, need_of(level));
	add(h, &op, level, true);
	for (unsigned n = 0; n < READS; n++)
		for (unsigned reader = 0; reader < 3; reader++)
			add_read(h, reader, &op, there);
}

static int by_invocation(const void *a, const void *b)
{
	const struct history_op *x = a, *y = b;

	return (x->t_invoke_ns > y->t_invoke_ns) - (x->t_invoke_ns < y->t_invoke_ns);
}

static void make_history(struct history_ops *h)
{
	*h = (struct history_ops){0};
	h->op = calloc((size_t)KEYS * WRITES * (1 + 3 * READS), sizeof *h->op);
	assert_non_null(h->op);
	prng_init(&prng, 5, 0);
	for (uint64_t key = 0; key < KEYS; key++)
		for (uint64_t n = 0; n < WRITES; n++)
			add_write(h, key, n);
	qsort(h->op, h->count, sizeof *h->op, by_invocation);
}

static struct pbs_report *measure(const struct history_ops *h)
{
	static struct pbs_report report;
	const struct pbs_wish wish = {.range_ns = 200.0 * NS_PER_MS, .trials = TRIALS, .seed = 1};
	struct err err = {0};

	if (pbs_measure(&report, plan, h, &wish, &err))
		fail_msg("%s", err.text);
	return &report;
}

static void pbs_cells__find_what_was_drawn(void **state)
{
	struct pbs_report *p;
	struct history_ops h;

	(void)state;
	make_history(&h);
	p = measure(&h);
	assert_int_equal(p->replicas, REPLICAS);
	assert_int_equal(p->failed, 0);
	for (unsigned r = 0; r < REPLICAS; r++) {
		for (unsigned w = 0; w < REPLICAS; w++) {
			const struct pbs_cell *cell = &p->cell[r][w];

			assert_true(cell->samples > 10000);
			if (r + w + 2 > REPLICAS)
				assert_int_equal(cell->stale, 0);
			else
				assert_true(cell->stale > 100 && cell->rmse < 2.5 * cell->noise);
		}
		assert_true(p->read[r].nrmse < 0.01 && p->write[r].nrmse < 0.02);
	}
	free(h.op);
}

/* One reader of ten sees nothing of the last write: that is no chance. */
static void pbs_cells__see_what_was_not_drawn(void **state)
{
	const struct pbs_cell *cell;
	struct history_ops h;
	struct pbs_report *p;

	(void)state;
	make_history(&h);
	for (size_t i = 0; i < h.count; i += 10)
		if (h.op[i].kind == HISTORY_READ)
			h.op[i].value = 0;
	p = measure(&h);
	cell = &p->cell[0][0];
	assert_true(cell->rmse > 0.05 && cell->rmse > 4 * cell->noise);
	assert_true(p->cell[2][2].stale > 0);
	free(h.op);
}

static void pbs_cells__leave_out_reads_beside_a_write(void **state)
{
	struct history_op op[] = {
		{.t_invoke_ns = 1000, .t_return_ns = 2000, .key = 1, .value = 7},
		{.t_invoke_ns = 3000, .t_return_ns = NS_PER_S, .key = 1, .value = 8},
		{.t_invoke_ns = 4000, .t_return_ns = 5000, .key = 1, .value = 7}, /* beside 8 */
		{.t_invoke_ns = 2 * NS_PER_S, .t_return_ns = 3 * NS_PER_S, .key = 1, .value = 8},
		{.t_invoke_ns = 2 * NS_PER_S, .t_return_ns = 3 * NS_PER_S, .key = 2, .value = 0},
	};
	struct history_op all[sizeof op / sizeof *op];
	struct history_ops h = {.op = all};
	struct pbs_report *p;

	(void)state;
	for (size_t i = 0; i < sizeof op / sizeof *op; i++)
		add(&h, &op[i], 0, i < 2);
	p = measure(&h);
	/* Of the last two one is too late to be compared, and of the other nothing was written. */
	assert_int_equal(p->left_out, 2);
	assert_int_equal(p->cell[0][0].samples, 0);
}

static void pbs_cells__want_a_lab_of_this_kind(void **state)
{
	const struct pbs_wish wish = {.range_ns = 1, .trials = 1, .seed = 1};
	struct pbs_report *report = calloc(1, sizeof *report);
	const struct history_ops h = {0};
	struct err err = {0};
	struct plan *other;

	(void)state;
	assert_int_equal(plan_load(&other, "cap", NULL, &err), 0);
	assert_true(pbs_measure(report, other, &h, &wish, &err) < 0);
	assert_non_null(strstr(err.text, "lab 'cap' is none of this kind"));
	plan_free(other);
	free(report);
}

/* A program that compares several cases loads all of them. */
static void pbs_cells__of_all_cases_have_a_plan(void **state)
{
	static const char *const param[] = {"case=exp-5-2", "case=exp-20-10 scale=5",
		"case=lnkd-ssd scale=10", "case=lnkd-disk scale=2", "case=ymmr", "case=wan"};

	(void)state;
	for (size_t i = 0; i < sizeof param / sizeof *param; i++) {
		const struct plan_options options = {.param = param[i]};
		struct plan *other;
		struct err err = {0};

		if (plan_load(&other, "pbs", &options, &err))
			fail_msg("%s", err.text);
		plan_free(other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pbs_cells__find_what_was_drawn),
		cmocka_unit_test(pbs_cells__see_what_was_not_drawn),
		cmocka_unit_test(pbs_cells__leave_out_reads_beside_a_write),
		cmocka_unit_test(pbs_cells__want_a_lab_of_this_kind),
		cmocka_unit_test(pbs_cells__of_all_cases_have_a_plan),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pbs_cells", tests, load, unload);
}
