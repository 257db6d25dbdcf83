/* SPDX-License-Identifier: MIT */
/* measure_check_test.c - what the history of a run is judged by */
#include "tests/unit/make_run.h"

static void measure_check__sees_a_stale_answer_and_when_it_was_given(void **state)
{
	struct make_run *m = make_run_open("cassandra-one");
	struct history_op *read;
	struct results *r;

	(void)state;
	make_phase(m, "baseline", 1000);
	make_cut_phase(m, 1000);
	make_write(m, MAKE_EAST, 1100, 1110)->key = 7;
	read = make_read(m, MAKE_FAR, 1200, 1210);
	read->key = 7; /* nothing there */
	r = make_measure(m);
	assert_int_equal(r->check.verdict, CHECK_VIOLATION);
	assert_int_equal(r->check_whole.verdict, CHECK_OK);
	assert_string_equal(r->model, "linearizable");
	assert_non_null(strstr(r->check.words, "n5"));
	make_run_close(m);
}

/* A write that the cut interrupted had been read by another before: it is not read from nowhere. */
static void measure_check__keeps_writes_that_were_under_way_at_the_cut(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct history_op *op;
	struct results *r;

	(void)state;
	make_phase(m, "baseline", 1000);
	make_cut_phase(m, 1000);
	op = make_write(m, MAKE_EAST, 990, 1200);
	op->key = 7;
	op = make_read(m, MAKE_WEST, 992, 998);
	op->key = 7;
	op->value = 1;
	r = make_measure(m);
	assert_int_equal(r->check_whole.verdict, CHECK_OK);
	assert_int_equal(r->check_whole.operations, 2);
	make_run_close(m);
}

/* One who knows of both writes takes first one and then the other for the last. */
static void measure_check__judges_the_model_that_is_expected(void **state)
{
	struct make_run *m = make_run_open("cassandra-one");
	char *model = m->plan.expect.model[0].name;
	struct results *r;

	(void)state;
	(void)snprintf(model, sizeof m->plan.expect.model[0].name, "causal-ccv");
	m->plan.expect.models = 1;
	make_phase(m, "one", 1000);
	make_write(m, MAKE_EAST, 100, 110)->session = 1;
	m->op[0].value = 1;
	make_write(m, MAKE_FAR, 101, 111)->session = 2;
	m->op[1].value = 2;
	for (unsigned i = 0; i < 4; i++) {
		struct history_op *read =
			make_read(m, i < 2 ? MAKE_EAST : MAKE_FAR, 200 + 100 * i, 210 + 100 * i);

		read->session = i < 2 ? 1 : 2;
		read->value = i < 3 ? 1 : 2;
	}
	for (size_t i = 0; i < m->count; i++)
		m->op[i].key = 7;
	r = make_measure(m);
	assert_string_equal(r->model, "linearizable");
	assert_int_equal(r->expecteds, 1);
	assert_int_equal(r->check.verdict, CHECK_VIOLATION);
	assert_int_equal(r->expected[0].check.verdict, CHECK_VIOLATION);
	m->op[5].value = 1;
	r = make_measure(m);
	assert_int_equal(r->expected[0].check.verdict, CHECK_OK);
	(void)snprintf(model, sizeof m->plan.expect.model[0].name, "linearizable");
	assert_int_equal(make_measure(m)->expecteds, 0);
	make_run_close(m);
}

static void measure_check__counts_lost_writes(void **state)
{
	struct make_run *m = make_run_open("raft");
	struct results *r;

	(void)state;
	make_phase(m, "one", 1000);
	make_write(m, MAKE_EAST, 10, 20)->key = 7;
	make_write(m, MAKE_EAST, 30, 40)->key = 8;
	for (unsigned key = 7; key <= 8; key++) {
		struct history_op *op = make_read(m, MAKE_EAST, 1100 + key, 1110 + key);

		op->flags = HISTORY_F_FINAL;
		op->key = key;
		op->value = key == 7 ? 1 : 0;
	}
	r = make_measure(m);
	assert_int_equal(r->lost.acknowledged, 2);
	assert_int_equal(r->lost.lost, 1);
	make_run_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(measure_check__sees_a_stale_answer_and_when_it_was_given),
		cmocka_unit_test(measure_check__keeps_writes_that_were_under_way_at_the_cut),
		cmocka_unit_test(measure_check__judges_the_model_that_is_expected),
		cmocka_unit_test(measure_check__counts_lost_writes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
