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

/* A history of one object: additions or increases, and what final reads of two sites gave. */
static struct results *objects(struct make_run *m, enum history_kind kind, bool late)
{
	struct history_op *op;

	m->count = 0;
	m->value = 0;
	m->list[0] = 1;
	m->list[1] = 2;
	for (unsigned i = 0; i < 2; i++) {
		op = make_write(m, i ? MAKE_FAR : MAKE_EAST, 100 + i, 110 + i);
		op->kind = (uint8_t)kind;
		op->key = 7;
	}
	/* Nobody has promised that all see it at once. */
	op = make_read(m, MAKE_WEST, 200, 210);
	op->key = 7;
	op->many = kind == HISTORY_ADD;
	for (unsigned i = 0; i < 2; i++) {
		op = make_read(m, i ? MAKE_FAR : MAKE_EAST, 1100 + 20 * i, 1110 + 20 * i);
		op->key = 7;
		op->flags = HISTORY_F_FINAL;
		op->value = i && late ? 1 : 3;
		op->many = kind == HISTORY_ADD;
		op->count = i && late ? 1 : 2;
		if (op->many)
			op->value = 0;
	}
	return make_measure(m);
}

static void of_sets_and_counters(const struct proto_config *cfg, struct proto_claim *ret)
{
	(void)cfg;
	*ret = (struct proto_claim){.whole = PROTO_EVENTUAL,
		.cut = PROTO_EVENTUAL,
		.reads_cut = PROTO_SIDES_ALL,
		.writes_cut = PROTO_SIDES_ALL,
		.does = PROTO_DOES_PLAIN | PROTO_DOES(PROTO_INCREASE) | PROTO_DOES(PROTO_ADD) |
			PROTO_DOES(PROTO_MEMBERS)};
}

static void measure_check__asks_that_sets_and_counters_lose_nothing(void **state)
{
	static const enum history_kind kinds[] = {HISTORY_ADD, HISTORY_INCREASE};
	struct make_run *m = make_run_open("cassandra-one");
	struct results *r;

	(void)state;
	m->ops.claim = of_sets_and_counters;
	make_phase(m, "one", 1000);
	for (unsigned i = 0; i < 2; i++) {
		r = objects(m, kinds[i], false);
		assert_int_equal(r->check.verdict, CHECK_VIOLATION);
		assert_string_equal(r->claimed_end.model, i ? "counter" : "set");
		assert_int_equal(r->claimed_end.check.verdict, CHECK_OK);
		assert_int_equal(claim_judge(r), CLAIM_KEPT);
		r = objects(m, kinds[i], true);
		assert_int_equal(r->claimed_end.check.verdict, CHECK_VIOLATION);
		assert_int_equal(claim_judge(r), CLAIM_DISPROVED);
		assert_non_null(strstr(r->claim, "not what was acknowledged"));
	}
	make_run_close(m);
}

/* What clients make of registers is not the store's: it claims nothing of it. */
static void measure_check__holds_nobody_to_objects_that_it_has_not(void **state)
{
	struct make_run *m = make_run_open("cassandra-quorum");
	struct results *r;

	(void)state;
	make_phase(m, "one", 1000);
	r = objects(m, HISTORY_INCREASE, true);
	assert_int_equal(r->check.verdict, CHECK_VIOLATION);
	assert_null(r->claimed_end.model);
	assert_int_equal(claim_judge(r), CLAIM_KEPT);
	assert_non_null(strstr(r->claim, "such objects it has not"));
	make_run_close(m);
	m = make_run_open("raft");
	make_phase(m, "one", 1000);
	r = objects(m, HISTORY_INCREASE, true);
	assert_int_equal(claim_judge(r), CLAIM_DISPROVED);
	make_run_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(measure_check__sees_a_stale_answer_and_when_it_was_given),
		cmocka_unit_test(measure_check__keeps_writes_that_were_under_way_at_the_cut),
		cmocka_unit_test(measure_check__judges_the_model_that_is_expected),
		cmocka_unit_test(measure_check__counts_lost_writes),
		cmocka_unit_test(measure_check__asks_that_sets_and_counters_lose_nothing),
		cmocka_unit_test(measure_check__holds_nobody_to_objects_that_it_has_not),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
