/* SPDX-License-Identifier: MIT */
/* large_test.c - a million operations of ten clients on one key; what it took is printed */
#include "agent/base/clock.h"
#include "agent/check/check.h"
#include "agent/check/models.h"
#include "tests/check/draw.h"
#include "tests/lib/test.h"

#define LARGE_OPS 1000000

static enum check_verdict judge(const struct history_ops *h, const char *what)
{
	const struct check_budget budget = {.time_ns = 300 * NS_PER_S, .memory_bytes = 4ull << 30};
	struct check_result result;

	assert_int_equal(linearizable_ops.check(h, &budget, NULL, &result, NULL), 0);
	assert_int_equal(result.operations, LARGE_OPS);
	print_message("# %s: %s after %.2f s %s\n", what, check_verdict_names[result.verdict],
		result.seconds, result.words);
	return result.verdict;
}

/* Let a late read answer what the key held at the beginning. */
static void spoil(struct history_ops *h)
{
	size_t late = h->count / 10 * 9;
	size_t early = 1000;

	while (h->op[late].kind != HISTORY_READ)
		late++;
	while (h->op[early].kind != HISTORY_WRITE)
		early++;
	h->op[late].value = h->op[early].value;
}

static void large__registers_are_judged(void **state)
{
	const struct draw draw = {.ops = LARGE_OPS, .clients = 10, .keys = 1, .seed = 1};
	struct history_ops h = draw_history(&draw);

	(void)state;
	assert_int_equal(judge(&h, "register"), CHECK_OK);
	spoil(&h);
	assert_int_equal(judge(&h, "register with a stale read"), CHECK_VIOLATION);
	history_ops_fini(&h);
}

static void large__compare_and_set_is_judged(void **state)
{
	const struct draw draw = {.ops = LARGE_OPS, .clients = 10, .keys = 1, .cas = 33, .seed = 2};
	struct history_ops h = draw_history(&draw);

	(void)state;
	assert_int_equal(judge(&h, "compare-and-set"), CHECK_OK);
	spoil(&h);
	assert_int_equal(judge(&h, "compare-and-set with a stale read"), CHECK_VIOLATION);
	history_ops_fini(&h);
}

static void large__few_values_are_judged(void **state)
{
	const struct draw draw = {
		.ops = LARGE_OPS, .clients = 10, .keys = 1, .cas = 33, .domain = 5, .seed = 3};
	struct history_ops h = draw_history(&draw);

	(void)state;
	assert_int_equal(judge(&h, "compare-and-set over 5 values"), CHECK_OK);
	history_ops_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large__registers_are_judged),
		cmocka_unit_test(large__compare_and_set_is_judged),
		cmocka_unit_test(large__few_values_are_judged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
