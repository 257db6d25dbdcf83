/* SPDX-License-Identifier: MIT */
/* gen_test.c - schedules: what a client does, when, and with which values */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/load_plan.h"
#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/base/units.h"
#include "agent/load/gen.h"

static void gen__same_seed_same_schedule(void **state)
{
	static struct plan plan;
	struct gen a;
	struct gen b;
	struct gen_op x;
	struct gen_op y;
	bool differs = false;

	(void)state;
	load_plan_make(&plan, 2, 100, 0);
	gen_init(&a, &plan, 1, 0, 5);
	gen_init(&b, &plan, 1, 0, 5);
	for (int i = 0; i < 1000; i++) {
		gen_next(&a, &x);
		gen_next(&b, &y);
		assert_int_equal(x.t_intended_ns, y.t_intended_ns);
		assert_int_equal(x.kind, y.kind);
		assert_int_equal(x.key, y.key);
		assert_int_equal(x.value, y.value);
	}
	plan.seed = 8;
	gen_init(&b, &plan, 1, 0, 5);
	for (int i = 0; i < 10; i++) {
		gen_next(&a, &x);
		gen_next(&b, &y);
		differs = differs || x.key != y.key;
	}
	assert_true(differs);
}

/* Sites whose clients only write, or only read, and one writer for each key. */
static void gen__gives_each_key_one_writer(void **state)
{
	enum { OPS = 2000, KEYS = 100, SITES = 3, EACH = 4 };
	static struct plan plan;
	unsigned writer_of[KEYS] = {0}, written = 0;

	(void)state;
	load_plan_make(&plan, SITES, 100, 0);
	plan.load.keys = KEYS;
	plan.load.clients_per_site = EACH;
	plan.load.one_writer = true;
	plan.site[0].own = plan.site[1].own = true;
	plan.site[0].share = 0.75;
	plan.site[0].write = 100;
	plan.site[1].share = 0.25;
	plan.site[1].read = 100;
	assert_true(plan_site_writes(&plan, 0) && !plan_site_writes(&plan, 1));
	assert_true(plan_site_share(&plan, 2) == 0);
	for (unsigned c = 0; c < 2 * EACH; c++) {
		struct gen g;

		gen_init(&g, &plan, c / EACH, c % EACH, 0);
		for (int i = 0; i < OPS; i++) {
			struct gen_op op;

			gen_next(&g, &op);
			assert_int_equal(op.kind, c < EACH ? HISTORY_WRITE : HISTORY_READ);
			assert_true(op.key < KEYS);
			if (op.kind != HISTORY_WRITE)
				continue;
			assert_true(!writer_of[op.key] || writer_of[op.key] == c + 1);
			written += !writer_of[op.key];
			writer_of[op.key] = c + 1;
		}
	}
	assert_int_equal(written, KEYS);
}

static void gen__leaves_a_site_without_a_share_idle(void **state)
{
	static struct plan plan;
	struct gen g;
	struct gen_op op;

	(void)state;
	load_plan_make(&plan, 2, 100, 0);
	plan.site[1].own = true;
	gen_init(&g, &plan, 1, 0, 0);
	gen_next(&g, &op);
	assert_true(op.t_intended_ns > 3600 * NS_PER_S);
	assert_true(plan_site_share(&plan, 0) == 1);
}

static bool near(double is, double wanted, double tolerance)
{
	return is > wanted * (1 - tolerance) && is < wanted * (1 + tolerance);
}

/* Whether sessions roam or not, the operations are the same, and at the same time. */
static void gen__roams_without_changing_what_is_done(void **state)
{
	enum { OPS = 20000 };
	static struct plan plan;
	struct gen stays;
	struct gen roams;
	struct gen again;
	unsigned moves = 0;
	unsigned at[4] = {0};
	unsigned before = 1;

	(void)state;
	load_plan_make(&plan, 2, 100, 0);
	plan.replicas = 4;
	for (unsigned i = 0; i < plan.replicas; i++)
		plan.node[i].site = i != 0;
	gen_init(&stays, &plan, 1, 0, 5);
	plan.load.roam = 30;
	gen_init(&roams, &plan, 1, 0, 5);
	gen_init(&again, &plan, 1, 0, 5);
	for (int i = 0; i < OPS; i++) {
		struct gen_op x;
		struct gen_op y;
		struct gen_op z;

		gen_next(&stays, &x);
		gen_next(&roams, &y);
		gen_next(&again, &z);
		assert_int_equal(x.replica, 1);
		assert_int_equal(y.replica, z.replica);
		assert_true(y.replica < 4);
		assert_int_equal(x.t_intended_ns, y.t_intended_ns);
		assert_int_equal(x.kind, y.kind);
		assert_int_equal(x.key, y.key);
		assert_int_equal(x.value, y.value);
		moves += y.replica != before;
		before = y.replica;
		at[before]++;
	}
	assert_true(near(moves, OPS * 0.3, 0.05));
	for (int i = 0; i < 4; i++)
		assert_true(near(at[i], OPS / 4.0, 0.1));
}

static void gen__keeps_rate_shares_and_keys(void **state)
{
	enum { OPS = 40000 };
	static struct plan plan;
	unsigned kinds[HISTORY_KIND_NR] = {0};
	unsigned keys[10] = {0};
	struct gen_op op = {0};
	uint64_t before = 0;
	struct gen g;

	(void)state;
	load_plan_make(&plan, 5, 1000, 0);
	gen_init(&g, &plan, 0, 3, 0);
	for (int i = 0; i < OPS; i++) {
		gen_next(&g, &op);
		assert_true(op.t_intended_ns >= before);
		assert_true((op.kind == HISTORY_READ) == (op.value == 0));
		before = op.t_intended_ns;
		kinds[op.kind]++;
		keys[op.key]++;
	}
	/* 10 clients share 1000 operations per second. */
	assert_true(near(OPS / units_s(before), 100, 0.03));
	assert_true(near(kinds[HISTORY_READ], OPS * 0.5, 0.03));
	assert_true(near(kinds[HISTORY_WRITE], OPS * 0.4, 0.03));
	assert_true(near(kinds[HISTORY_CAS], OPS * 0.1, 0.06));
	for (int k = 0; k < 10; k++)
		assert_true(near(keys[k], OPS / 10.0, 0.1));
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void gen__goes_on_to_new_lists_before_they_are_long(void **state)
{
	static struct plan plan;
	unsigned on_first = 0;
	struct gen_op op;
	struct gen g;

	(void)state;
	load_plan_make(&plan, 5, 1000, 0);
	plan.load.workload = PLAN_LIST;
	plan.load.read = 50;
	plan.load.write = 50;
	plan.load.cas = 0;
	/* One client of ten issues a tenth of what a list gets in its life. */
	gen_init(&g, &plan, 0, 3, 7);
	do {
		gen_next(&g, &op);
		on_first += op.key == 0;
		assert_true(op.key < gen_keys(&plan, op.t_intended_ns - 7));
		assert_true(op.kind == HISTORY_READ || op.kind == HISTORY_APPEND);
	} while (op.key < 5ull * plan.load.keys);
	assert_true(on_first > 0 && on_first < GEN_LIFE);
}

static void gen__transfers_and_transactions_are_whole(void **state)
{
	static struct plan plan;
	bool reads = false, appends = false;
	struct gen_op op;
	struct gen g;

	(void)state;
	load_plan_make(&plan, 5, 1000, 0);
	plan.load.workload = PLAN_BANK;
	plan.load.read = 50;
	plan.load.write = 50;
	plan.load.cas = 0;
	plan.load.keys = 2;
	gen_init(&g, &plan, 0, 3, 0);
	for (int i = 0; i < 1000; i++) {
		gen_next(&g, &op);
		assert_int_equal(op.key, 0);
		if (op.kind == HISTORY_READ)
			continue;
		assert_int_equal(op.kind, HISTORY_TRANSFER);
		assert_true(op.from < 2 && op.to < 2 && op.from != op.to && op.value > 0);
	}
	plan.load.workload = PLAN_TRANSACTIONS;
	gen_init(&g, &plan, 0, 3, 0);
	for (int i = 0; i < 1000; i++) {
		gen_next(&g, &op);
		assert_int_equal(op.kind, HISTORY_TRANSACTION);
		assert_true(op.steps >= 1 && op.steps <= GEN_STEPS_MAX);
		for (unsigned k = 0; k < op.steps; k++) {
			reads = reads || op.step[k].kind == HISTORY_READ;
			appends = appends || op.step[k].kind == HISTORY_APPEND;
			assert_true((op.step[k].kind == HISTORY_READ) == (op.step[k].value == 0));
		}
	}
	assert_true(reads && appends);
}

static void gen__values_are_unique_in_a_run_and_never_0(void **state)
{
	enum { PER_CLIENT = 500, CLIENTS = 6 };
	static struct plan plan;
	static uint64_t values[PER_CLIENT * CLIENTS];
	size_t count = 0;

	(void)state;
	load_plan_make(&plan, CLIENTS / 2, 100, 0);
	for (unsigned c = 0; c < CLIENTS; c++) {
		struct gen g;
		struct gen_op op;

		gen_init(&g, &plan, c / (CLIENTS / 2), c % (CLIENTS / 2), 0);
		for (int i = 0; i < PER_CLIENT; i++) {
			gen_next(&g, &op);
			if (op.kind != HISTORY_READ)
				values[count++] = op.value;
		}
	}
	qsort(values, count, sizeof *values, compare);
	assert_true(values[0] > 0);
	assert_true(values[count - 1] < PER_CLIENT * CLIENTS);
	for (size_t i = 1; i < count; i++)
		assert_true(values[i] > values[i - 1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gen__same_seed_same_schedule),
		cmocka_unit_test(gen__gives_each_key_one_writer),
		cmocka_unit_test(gen__leaves_a_site_without_a_share_idle),
		cmocka_unit_test(gen__roams_without_changing_what_is_done),
		cmocka_unit_test(gen__keeps_rate_shares_and_keys),
		cmocka_unit_test(gen__goes_on_to_new_lists_before_they_are_long),
		cmocka_unit_test(gen__transfers_and_transactions_are_whole),
		cmocka_unit_test(gen__values_are_unique_in_a_run_and_never_0),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
