/* SPDX-License-Identifier: MIT */
/* types_test.c - what is said of lists, sets, counters and banks that went wrong */
#include <errno.h>

#include "tests/check/types.h"

static void expect(struct types *t, const struct check_ops *model, const char *words)
{
	struct check_result result;

	assert_int_equal(types_check(t, model, &result), CHECK_VIOLATION);
	assert_string_equal(result.words, words);
}

static void expect_ok(struct types *t, const struct check_ops *model)
{
	struct check_result result;

	assert_int_equal(types_check(t, model, &result), CHECK_OK);
}

static struct history_op *append(
	struct types *t, unsigned session, uint64_t value, uint64_t invoke_ms, uint64_t return_ms)
{
	struct history_op *op = types_op(t, session, HISTORY_APPEND, invoke_ms, return_ms);

	op->value = value;
	return op;
}

static struct history_op *look(struct types *t, unsigned session, const uint64_t *elements,
	uint64_t invoke_ms, uint64_t return_ms)
{
	struct history_op *op = types_op(t, session, HISTORY_READ, invoke_ms, return_ms);

	types_many(t, op, elements);
	return op;
}

static void list__that_lacks_an_acknowledged_append_is_stale(void **state)
{
	struct types t = {0};

	(void)state;
	append(&t, 0, 7, 1000, 1010);
	append(&t, 1, 8, 1020, 1030);
	look(&t, 2, ELEMENTS(7), 2130, 2140);
	expect(&t, &list_linearizable_ops,
		"n3 answered [7] for k3 at 2.140 s, 1.1 s after n2 had acknowledged the append of "
		"8");
	expect_ok(&t, &list_sequential_ops);
}

static void list__that_goes_back_is_stale(void **state)
{
	struct types t = {0};

	(void)state;
	types_open(append(&t, 0, 7, 0, 10));
	look(&t, 1, ELEMENTS(7), 20, 30);
	look(&t, 1, NO_ELEMENTS, 40, 50);
	expect(&t, &list_linearizable_ops,
		"n2 answered [] for k3 at 0.050 s, 10 ms after n2 had answered [7]");
	expect(&t, &list_monotonic_reads_ops,
		"n2 answered 0 elements of k3 at 0.050 s without 7, which it had itself read from "
		"n2 at 0.030 s (session 1)");
	expect_ok(&t, &list_read_your_writes_ops);
}

static void list__whose_order_is_not_that_of_the_appends_is_told_by_a_read(void **state)
{
	struct types t = {0};

	(void)state;
	append(&t, 0, 7, 0, 10);
	append(&t, 1, 8, 20, 30);
	look(&t, 2, ELEMENTS(8, 7), 40, 50);
	expect(&t, &list_linearizable_ops,
		"n2 was asked to append 8 to k3 at 0.020 s, 10 ms after n1 had acknowledged the "
		"append of 7, and yet n3 answered [8 7]");
	expect_ok(&t, &list_sequential_ops);
	t.op[1].session = 0;
	expect(&t, &list_monotonic_writes_ops,
		"n3 answered 2 elements of k3 at 0.050 s without 7 in front of 8; one session had "
		"appended both in this order, the first through n1 at 0.010 s (session 0)");
}

static void list__appended_after_a_read_stays_behind_what_was_read(void **state)
{
	struct types t = {0};

	(void)state;
	append(&t, 0, 7, 0, 10);
	look(&t, 1, ELEMENTS(7), 20, 30);
	append(&t, 1, 8, 40, 50);
	look(&t, 2, ELEMENTS(8), 60, 70);
	expect(&t, &list_writes_follow_reads_ops,
		"n3 answered 1 elements of k3 at 0.070 s without 7 in front of 8; the session that "
		"appended the second had read the first from n2 at 0.030 s (session 1)");
}

static void list__that_forks_is_told_by_two_reads(void **state)
{
	struct types t = {0};
	struct check_result result;

	(void)state;
	append(&t, 0, 7, 0, 10);
	append(&t, 1, 8, 0, 10);
	look(&t, 2, ELEMENTS(7, 8), 20, 30);
	look(&t, 3, ELEMENTS(8), 21, 30);
	assert_int_equal(types_check(&t, &list_linearizable_ops, &result), CHECK_VIOLATION);
	assert_int_equal(result.witnesses, 2);
	assert_int_equal(result.witness[0], 2);
	assert_int_equal(result.witness[1], 3);
	expect_ok(&t, &list_pram_ops);
}

static struct history_op *add(
	struct types *t, unsigned session, uint64_t value, uint64_t invoke_ms, uint64_t return_ms)
{
	struct history_op *op = append(t, session, value, invoke_ms, return_ms);

	op->kind = HISTORY_ADD;
	return op;
}

static void set__element_that_disappears_is_lost(void **state)
{
	struct types t = {0};

	(void)state;
	add(&t, 0, 7, 0, 10);
	look(&t, 1, ELEMENTS(7), 20, 30);
	look(&t, 2, NO_ELEMENTS, 40, 50);
	expect(&t, &set_full_ops,
		"set k3: n3 answered 0 elements (0.040 to 0.050 s) without 7, as all later reads, "
		"after n1 acknowledged 7 (0.000 to 0.010 s)");
}

static void set__element_that_appears_late_is_stale(void **state)
{
	struct types t = {0};
	struct check_result result;

	(void)state;
	add(&t, 0, 7, 0, 10);
	look(&t, 1, NO_ELEMENTS, 30, 35);
	look(&t, 2, ELEMENTS(7), 40, 50);
	types_open(add(&t, 0, 8, 60, 70));
	assert_int_equal(types_check(&t, &set_full_ops, &result), CHECK_OK);
	assert_string_equal(result.words,
		"1 elements stable, 1 of them missed by a read after they were known (up to 20 ms "
		"after); 1 never read");
	expect(&t, &set_linearizable_ops,
		"set k3: n2 answered 0 elements (0.030 to 0.035 s), after n1 acknowledged 7 (0.000 "
		"to 0.010 s), which is not there");
}

static void set__element_that_is_there_twice_is_told(void **state)
{
	struct types t = {0};

	(void)state;
	add(&t, 0, 7, 0, 10);
	look(&t, 1, ELEMENTS(7, 7), 20, 30);
	expect(&t, &set_full_ops, "set k3: n2 answered 2 elements (0.020 to 0.030 s) with 7 twice");
}

static struct history_op *number(struct types *t, enum history_kind kind, int64_t value,
	uint64_t invoke_ms, uint64_t return_ms)
{
	struct history_op *op = types_op(t, 0, kind, invoke_ms, return_ms);

	op->value = (uint64_t)value;
	return op;
}

static void counter__that_forgets_or_invents_is_out_of_bounds(void **state)
{
	struct types t = {0};

	(void)state;
	number(&t, HISTORY_INCREASE, 5, 0, 10);
	types_open(number(&t, HISTORY_INCREASE, -2, 0, 10));
	number(&t, HISTORY_READ, 3, 20, 30);
	expect_ok(&t, &counter_ops);
	t.op[2].value = 2;
	expect(&t, &counter_ops,
		"n1 answered 2 for k3 at 0.030 s, but at least 3 had been acknowledged when it was "
		"asked");
	t.op[2].value = 6;
	expect(&t, &counter_ops,
		"n1 answered 6 for k3 at 0.030 s, but at most 5 could have been counted by then");
}

/* Nothing but the witness. */
static enum check_verdict counter_alone(const struct check_ops *model, const struct history_ops *h,
	const struct check_result *found)
{
	struct history_op *op = calloc(found->witnesses, sizeof *op);
	struct history_ops part = {.op = op, .count = found->witnesses};
	struct check_result result;

	assert(op);
	for (size_t i = 0; i < part.count; i++)
		op[i] = h->op[found->witness[i]];
	assert_int_equal(model->check(&part, NULL, NULL, &result, NULL), 0);
	free(op);
	return result.verdict;
}

static void counter__witness_of_many_small_increases_is_whole(void **state)
{
	struct history_op op[303] = {{.op = 0}};
	struct history_ops h = {.op = op, .count = 303};
	struct check_result result;

	(void)state;
	for (unsigned i = 0; i < h.count; i++)
		op[i] = (struct history_op){.op = i + 1,
			.t_invoke_ns = i * 10,
			.t_return_ns = i * 10 + 5,
			.kind = i < 300 ? HISTORY_INCREASE : HISTORY_READ,
			.outcome = HISTORY_OK,
			.value = i < 300 ? 1 : 300};
	op[301].value = 100;
	assert_int_equal(counter_ops.check(&h, NULL, NULL, &result, NULL), 0);
	assert_int_equal(result.verdict, CHECK_VIOLATION);
	assert_int_equal(result.witnesses, 102);
	assert_int_equal(counter_alone(&counter_ops, &h, &result), CHECK_VIOLATION);
	/* One of 50 is under way, seen, and then not any more. */
	op[0].value = 50;
	op[0].t_return_ns = 5000;
	op[300].value = 349;
	op[301].value = 299;
	op[302].value = 349;
	assert_int_equal(counter_linearizable_ops.check(&h, NULL, NULL, &result, NULL), 0);
	assert_int_equal(result.verdict, CHECK_VIOLATION);
	assert_int_equal(counter_alone(&counter_linearizable_ops, &h, &result), CHECK_VIOLATION);
}

static void counter__that_counts_down_again_is_not_linearizable(void **state)
{
	struct types t = {0};
	struct check_result result;

	(void)state;
	number(&t, HISTORY_INCREASE, 5, 0, 100);
	number(&t, HISTORY_READ, 5, 20, 30);
	number(&t, HISTORY_READ, 0, 40, 50);
	expect_ok(&t, &counter_ops);
	assert_int_equal(types_check(&t, &counter_linearizable_ops, &result), CHECK_VIOLATION);
	assert_int_equal(result.witnesses, 3);
	assert_string_equal(
		result.words, "n1 answered 0 for k3 at 0.050 s, which no order explains");
}

static void bank__with_another_total_names_the_transfer(void **state)
{
	struct types t = {0};

	(void)state;
	look(&t, 1, ELEMENTS(60, 40), 0, 10);
	look(&t, 1, ELEMENTS(60, 40), 20, 30);
	number(&t, HISTORY_TRANSFER, 5, 40, 60)->to = 1;
	look(&t, 2, ELEMENTS(55, 40), 40, 50);
	expect(&t, &bank_ops,
		"n3 answered 2 accounts of k3 with 95 in all at 0.050 s, but n2 2 with 100 at 0.010 "
		"s, as most reads show; the difference is what was moved from account 0 to 1 through "
		"n1 (0.040 to 0.060 s), so half of it was seen");
}

static void type__chooses_its_strongest_model(void **state)
{
	static const char *const name[] = {
		[CHECK_LIST] = "linearizable",
		[CHECK_SET] = "linearizable",
		[CHECK_COUNTER] = "linearizable",
		[CHECK_BANK] = "bank",
		[CHECK_TRANSACTIONS] = "strict-serializable",
	};

	(void)state;
	for (unsigned type = CHECK_LIST; type <= CHECK_TRANSACTIONS; type++)
		assert_string_equal(check_strongest((enum check_type)type)->name, name[type]);
}

static void type__refuses_a_read_of_one_value_from_a_list(void **state)
{
	struct types t = {0};
	struct history_ops h;
	struct err err = {0};
	enum check_type type;

	(void)state;
	append(&t, 0, 7, 0, 10);
	number(&t, HISTORY_READ, 7, 20, 30);
	h = types_history(&t);
	assert_int_equal(check_type_of(&h, &type, &err), -EINVAL);
	assert_int_equal(err.status, EXIT_USAGE);
	assert_string_equal(
		err.text, "operation 2 reads one value, but objects of type list have many");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list__that_lacks_an_acknowledged_append_is_stale),
		cmocka_unit_test(list__that_goes_back_is_stale),
		cmocka_unit_test(list__whose_order_is_not_that_of_the_appends_is_told_by_a_read),
		cmocka_unit_test(list__appended_after_a_read_stays_behind_what_was_read),
		cmocka_unit_test(list__that_forks_is_told_by_two_reads),
		cmocka_unit_test(set__element_that_disappears_is_lost),
		cmocka_unit_test(set__element_that_appears_late_is_stale),
		cmocka_unit_test(set__element_that_is_there_twice_is_told),
		cmocka_unit_test(counter__that_forgets_or_invents_is_out_of_bounds),
		cmocka_unit_test(counter__witness_of_many_small_increases_is_whole),
		cmocka_unit_test(counter__that_counts_down_again_is_not_linearizable),
		cmocka_unit_test(bank__with_another_total_names_the_transfer),
		cmocka_unit_test(type__chooses_its_strongest_model),
		cmocka_unit_test(type__refuses_a_read_of_one_value_from_a_list),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
