/* SPDX-License-Identifier: MIT */
/*
 * large_types_test.c - many operations on lists, sets and counters, and transactions; what it took
 * is printed. LARGE_OPS=1000000 in the environment makes it a million of each.
 */
#include <malloc.h>
#include <sys/resource.h>

#include "agent/base/clock.h"
#include "tests/check/large.h"
#include "tests/check/types.h"

#define LARGE_OPS_USUAL 200000
static size_t large_ops;

static long resident_kib(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}

static enum check_verdict judge(const struct large *l, const struct check_ops *model)
{
	const struct check_budget budget = {.time_ns = 300 * NS_PER_S, .memory_bytes = 4ull << 30};
	uint64_t cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
	long before = resident_kib();
	struct check_result result;
	struct err err = {0};

	assert_int_equal(model->check(&l->h, &budget, &types_names, &result, &err), 0);
	assert_int_equal(result.operations, large_ops);
	cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	print_message("# %s (%s): %s after %.2f s, %.2f s of a processor, %ld MiB more; %s\n",
		model->name, check_type_names[model->type], check_verdict_names[result.verdict],
		result.seconds, (double)cpu_ns / 1e9, (resident_kib() - before) / 1024,
		result.words);
	(void)malloc_trim(0);
	return result.verdict;
}

/* Let a late read miss the last element that it shows. */
static void spoil(struct large *l)
{
	size_t late = large_ops / 10 * 9;

	for (;; late++) {
		struct history_op *op = &l->h.op[late];

		if (op->kind == HISTORY_READ && op->many && op->count > 9) {
			op->count -= 9;
			return;
		}
		for (uint32_t s = op->first;
			op->kind == HISTORY_TRANSACTION && s < op->first + op->count; s++) {
			struct history_micro *m = &l->h.micro[s];

			if (op->count > 1 || m->kind != HISTORY_READ || m->count < 10)
				continue;
			m->count -= 9;
			return;
		}
	}
}

static void large__transactions_are_judged(void **state)
{
	struct large *l = large_draw(HISTORY_TRANSACTION, large_ops);

	(void)state;
	assert_int_equal(judge(l, &read_committed_ops), CHECK_OK);
	assert_int_equal(judge(l, &snapshot_isolation_ops), CHECK_OK);
	assert_int_equal(judge(l, &serializable_ops), CHECK_OK);
	assert_int_equal(judge(l, &strict_serializable_ops), CHECK_OK);
	spoil(l);
	assert_int_equal(judge(l, &strict_serializable_ops), CHECK_VIOLATION);
	large_free(l);
}

static void large__lists_are_judged(void **state)
{
	struct large *l = large_draw(HISTORY_APPEND, large_ops);

	(void)state;
	assert_int_equal(judge(l, &list_linearizable_ops), CHECK_OK);
	assert_int_equal(judge(l, &list_sequential_ops), CHECK_OK);
	assert_int_equal(judge(l, &list_writes_follow_reads_ops), CHECK_OK);
	spoil(l);
	assert_int_equal(judge(l, &list_linearizable_ops), CHECK_VIOLATION);
	large_free(l);
}

static void large__sets_are_judged(void **state)
{
	struct large *l = large_draw(HISTORY_ADD, large_ops);

	(void)state;
	assert_int_equal(judge(l, &set_linearizable_ops), CHECK_OK);
	assert_int_equal(judge(l, &set_full_ops), CHECK_OK);
	spoil(l);
	assert_int_equal(judge(l, &set_linearizable_ops), CHECK_VIOLATION);
	large_free(l);
}

static void large__counters_are_judged(void **state)
{
	struct large *l = large_draw(HISTORY_INCREASE, large_ops);

	(void)state;
	assert_int_equal(judge(l, &counter_ops), CHECK_OK);
	assert_int_equal(judge(l, &counter_linearizable_ops), CHECK_OK);
	large_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large__transactions_are_judged),
		cmocka_unit_test(large__lists_are_judged),
		cmocka_unit_test(large__sets_are_judged),
		cmocka_unit_test(large__counters_are_judged),
	};

	const char *text = getenv("LARGE_OPS");

	large_ops = text ? strtoull(text, NULL, 10) : LARGE_OPS_USUAL;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
