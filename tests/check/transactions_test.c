/* SPDX-License-Identifier: MIT */
/* transactions_test.c - the anomalies of transactions by their names, models and witnesses */
#include "tests/check/types.h"

/* The strongest model that an anomaly breaks, and the weakest. */
struct expected {
	const struct check_ops *broken;
	const struct check_ops *kept;
	const char *name;
};

static void expect(struct types *t, const struct expected *e)
{
	struct check_result result;

	if (e->kept)
		assert_int_equal(types_check(t, e->kept, &result), CHECK_OK);
	assert_int_equal(types_check(t, e->broken, &result), CHECK_VIOLATION);
	print_message("# %s\n", result.words);
	assert_non_null(strstr(result.words, e->name));
}

static struct history_op *txn(
	struct types *t, unsigned session, uint64_t invoke_ms, uint64_t return_ms)
{
	return types_op(t, session, HISTORY_TRANSACTION, invoke_ms, return_ms);
}

static void transactions__with_mixed_appends_are_a_dirty_write(void **state)
{
	struct types t = {0};

	(void)state;
	txn(&t, 1, 0, 9);
	types_append(&t, 1, 1);
	types_append(&t, 2, 1);
	txn(&t, 2, 0, 9);
	types_append(&t, 1, 2);
	types_append(&t, 2, 2);
	txn(&t, 3, 10, 19);
	types_read(&t, 1, ELEMENTS(1, 2));
	types_read(&t, 2, ELEMENTS(2, 1));
	expect(&t, &(struct expected){&read_uncommitted_ops, NULL, "dirty write (G0)"});
}

static void transactions__that_read_what_failed_are_an_aborted_read(void **state)
{
	struct types t = {0};

	(void)state;
	types_failed(txn(&t, 1, 0, 9));
	types_append(&t, 1, 1);
	txn(&t, 2, 10, 19);
	types_read(&t, 1, ELEMENTS(1));
	expect(&t, &(struct expected){&read_committed_ops, &read_uncommitted_ops,
			   "aborted read (G1a): T2 read k1 = [1] with 1, appended by T1, which had "
			   "failed"});
}

static void transactions__read_halfway_are_an_intermediate_read(void **state)
{
	struct types t = {0};

	(void)state;
	txn(&t, 1, 0, 9);
	types_append(&t, 1, 1);
	types_append(&t, 1, 2);
	txn(&t, 2, 0, 9);
	types_read(&t, 1, ELEMENTS(1));
	expect(&t, &(struct expected){
			   &read_committed_ops, &read_uncommitted_ops, "intermediate read (G1b)"});
}

static void transactions__that_read_each_other_are_circular(void **state)
{
	struct types t = {0};

	(void)state;
	txn(&t, 1, 0, 9);
	types_append(&t, 1, 1);
	types_read(&t, 2, ELEMENTS(2));
	txn(&t, 2, 0, 9);
	types_append(&t, 2, 2);
	types_read(&t, 1, ELEMENTS(1));
	expect(&t, &(struct expected){&read_committed_ops, &read_uncommitted_ops,
			   "circular information flow (G1c)"});
}

static void transactions__that_see_half_of_another_are_read_skew(void **state)
{
	struct types t = {0};

	(void)state;
	txn(&t, 1, 0, 9);
	types_append(&t, 1, 1);
	types_append(&t, 2, 1);
	txn(&t, 2, 0, 9);
	types_read(&t, 1, ELEMENTS(1));
	types_read(&t, 2, NO_ELEMENTS);
	expect(&t, &(struct expected){
			   &snapshot_isolation_ops, &read_committed_ops, "read skew (G-single)"});
}

static void transactions__that_overwrite_unseen_are_a_lost_update(void **state)
{
	struct types t = {0};

	(void)state;
	txn(&t, 1, 0, 9);
	types_read(&t, 1, NO_ELEMENTS);
	types_append(&t, 1, 1);
	txn(&t, 2, 0, 9);
	types_read(&t, 1, NO_ELEMENTS);
	types_append(&t, 1, 2);
	txn(&t, 3, 10, 19);
	types_read(&t, 1, ELEMENTS(1, 2));
	expect(&t, &(struct expected){
			   &snapshot_isolation_ops, &read_committed_ops, "lost update (G-single)"});
}

static void transactions__that_miss_each_other_are_write_skew(void **state)
{
	struct types t = {0};

	(void)state;
	txn(&t, 1, 0, 9);
	types_read(&t, 1, NO_ELEMENTS);
	types_append(&t, 2, 1);
	txn(&t, 2, 0, 9);
	types_read(&t, 2, NO_ELEMENTS);
	types_append(&t, 1, 2);
	expect(&t, &(struct expected){
			   &serializable_ops, &snapshot_isolation_ops, "write skew (G2-item)"});
}

static void transactions__that_disagree_on_an_order_are_a_long_fork(void **state)
{
	struct types t = {0};

	(void)state;
	txn(&t, 1, 0, 9);
	types_append(&t, 1, 1);
	txn(&t, 2, 0, 9);
	types_append(&t, 2, 2);
	txn(&t, 3, 0, 9);
	types_read(&t, 1, ELEMENTS(1));
	types_read(&t, 2, NO_ELEMENTS);
	txn(&t, 4, 0, 9);
	types_read(&t, 1, NO_ELEMENTS);
	types_read(&t, 2, ELEMENTS(2));
	expect(&t, &(struct expected){&snapshot_isolation_ops, &read_committed_ops,
			   "long fork (G-nonadjacent)"});
}

static void transactions__of_one_session_keep_their_order(void **state)
{
	struct types t = {0};

	(void)state;
	txn(&t, 1, 0, 9);
	types_append(&t, 1, 1);
	txn(&t, 1, 9, 19);
	types_read(&t, 1, NO_ELEMENTS);
	expect(&t, &(struct expected){&strong_session_serializable_ops, &serializable_ops,
			   "read skew (G-single-process)"});
}

static void transactions__keep_to_real_time_if_strict(void **state)
{
	struct types t = {0};

	(void)state;
	txn(&t, 1, 1000, 1010);
	types_append(&t, 5, 3);
	txn(&t, 2, 1200, 1210);
	types_read(&t, 5, NO_ELEMENTS);
	expect(&t, &(struct expected){&strict_serializable_ops, &strong_session_serializable_ops,
			   "read skew (G-single-realtime): T2 read k5 = [] without 3 and so came "
			   "before T1, which appended it; T1 had returned 190 ms before T2 began "
			   "(T1: n2, session 1, 1.000 to 1.010 s; T2: n3, session 2, 1.200 to "
			   "1.210 s)"});
}

static void transactions__that_change_what_they_read_are_inconsistent(void **state)
{
	struct types t = {0};

	(void)state;
	txn(&t, 1, 0, 9);
	types_append(&t, 1, 1);
	txn(&t, 2, 0, 9);
	types_read(&t, 1, NO_ELEMENTS);
	types_read(&t, 1, ELEMENTS(1));
	expect(&t, &(struct expected){
			   &snapshot_isolation_ops, &read_committed_ops, "internal inconsistency"});
}

static void transactions__must_find_their_own_appends(void **state)
{
	struct types t = {0};

	(void)state;
	txn(&t, 1, 0, 9);
	types_append(&t, 1, 1);
	types_read(&t, 1, NO_ELEMENTS);
	expect(&t, &(struct expected){&read_uncommitted_ops, NULL, "internal inconsistency"});
}

static void transactions__of_unknown_outcome_count_when_they_are_seen(void **state)
{
	struct types t = {0};
	struct check_result result;

	(void)state;
	types_open(txn(&t, 1, 0, 9));
	types_append(&t, 1, 1);
	types_append(&t, 2, 2);
	txn(&t, 2, 10, 19);
	types_read(&t, 1, NO_ELEMENTS);
	assert_int_equal(types_check(&t, &strict_serializable_ops, &result), CHECK_OK);
	txn(&t, 3, 20, 29);
	types_read(&t, 1, ELEMENTS(1));
	types_read(&t, 2, NO_ELEMENTS);
	expect(&t,
		&(struct expected){&serializable_ops, &read_committed_ops, "read skew (G-single)"});
}

static void transactions__that_append_the_same_twice_are_refused(void **state)
{
	struct types t = {0};
	struct history_ops h;
	struct check_result result;
	struct err err = {0};

	(void)state;
	txn(&t, 1, 0, 9);
	types_append(&t, 7, 1);
	txn(&t, 2, 0, 9);
	types_append(&t, 7, 1);
	h = types_history(&t);
	assert_true(serializable_ops.check(&h, NULL, NULL, &result, &err) < 0);
	assert_int_equal(err.status, EXIT_USAGE);
	assert_string_equal(err.text, "operations 1 and 2 both append 1 to k7: the elements of a "
				      "list must be unique");
}

static void transactions__beyond_the_memory_are_unknown(void **state)
{
	const struct check_budget budget = {.memory_bytes = 1};
	struct check_result result;
	struct types t = {0};
	struct history_ops h;

	(void)state;
	txn(&t, 1, 0, 9);
	types_append(&t, 7, 1);
	h = types_history(&t);
	assert_int_equal(serializable_ops.check(&h, &budget, NULL, &result, NULL), 0);
	assert_int_equal(result.verdict, CHECK_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transactions__with_mixed_appends_are_a_dirty_write),
		cmocka_unit_test(transactions__that_read_what_failed_are_an_aborted_read),
		cmocka_unit_test(transactions__read_halfway_are_an_intermediate_read),
		cmocka_unit_test(transactions__that_read_each_other_are_circular),
		cmocka_unit_test(transactions__that_see_half_of_another_are_read_skew),
		cmocka_unit_test(transactions__that_overwrite_unseen_are_a_lost_update),
		cmocka_unit_test(transactions__that_miss_each_other_are_write_skew),
		cmocka_unit_test(transactions__that_disagree_on_an_order_are_a_long_fork),
		cmocka_unit_test(transactions__of_one_session_keep_their_order),
		cmocka_unit_test(transactions__keep_to_real_time_if_strict),
		cmocka_unit_test(transactions__that_change_what_they_read_are_inconsistent),
		cmocka_unit_test(transactions__must_find_their_own_appends),
		cmocka_unit_test(transactions__of_unknown_outcome_count_when_they_are_seen),
		cmocka_unit_test(transactions__that_append_the_same_twice_are_refused),
		cmocka_unit_test(transactions__beyond_the_memory_are_unknown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
