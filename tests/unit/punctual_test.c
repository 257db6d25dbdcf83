/* SPDX-License-Identifier: MIT */
/* punctual_test.c - the load's own lateness, quantiles of few, warm-up: what may be concluded */
#include <math.h>

#include "tests/unit/make_run.h"

/* A write of session @session: meant, sent and answered at these times. */
static struct history_op *of_session(
	struct make_run *m, uint32_t session, uint64_t meant_ms, uint64_t sent_ms, uint64_t back_ms)
{
	struct history_op *op = make_write(m, MAKE_EAST, sent_ms, back_ms);

	op->session = session;
	op->t_intended_ns = make_at(meant_ms);
	return op;
}

static void punctual__knows_who_was_free(void **state)
{
	struct make_run *m = make_run_open("single");
	struct results *r;

	(void)state;
	make_phase(m, "baseline", 1000);
	of_session(m, 1, 10, 10, 20); /* nothing is known of what was before */
	of_session(m, 1, 15, 20, 30); /* waited for the one before */
	of_session(m, 1, 40, 47, 50); /* was free, and 7 ms late */
	of_session(m, 2, 44, 49, 60);
	r = make_measure(m);
	assert_int_equal(r->load.free, 1);
	assert_near(r->load.late_p50_ms, 7);
	assert_near(r->load.late_p99_ms, 7);
	assert_int_equal(r->load.asked, 2);
	assert_int_equal(r->load.waited, 1);
	make_run_close(m);
}

static void punctual__knows_nothing_of_a_run_of_single_operations(void **state)
{
	struct make_run *m = make_run_open("single");
	struct results *r;

	(void)state;
	make_phase(m, "baseline", 1000);
	make_write(m, MAKE_EAST, 1, 2);
	r = make_measure(m);
	assert_int_equal(r->load.free, 0);
	assert_true(isnan(r->load.late_p50_ms));
	assert_false(r->tainted);
	make_run_close(m);
}

/* @waiting of 100 operations wait for the one before, the others begin @late ms late. */
static struct make_run *load_of(unsigned waiting, uint64_t late)
{
	struct make_run *m = make_run_open("single");
	uint64_t back = 2;

	make_phase(m, "baseline", 2000);
	of_session(m, 1, 1, 1, 2);
	for (unsigned i = 0; i < 100; i++) {
		uint64_t meant = i < waiting ? back - 1 : back + 1;
		uint64_t sent = i < waiting ? back : meant + late;

		of_session(m, 1, meant, sent, sent + 2);
		back = sent + 2;
	}
	return m;
}

static void measure_taint__of_a_load_that_is_late_by_itself(void **state)
{
	struct make_run *m = load_of(0, 0);

	(void)state;
	assert_false(make_measure(m)->tainted);
	make_run_close(m);
	m = load_of(0, 1);
	assert_true(make_measure(m)->tainted);
	assert_non_null(strstr(m->results.taint, "half of the load began more than 1.00 ms late"));
	make_run_close(m);
}

static void measure_taint__of_a_load_that_is_late_at_times(void **state)
{
	struct make_run *m = load_of(95, 6);

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		of_session(m, 2, 10 + i * 2, 10 + i * 2, 11 + i * 2);
	assert_true(make_measure(m)->tainted);
	assert_non_null(
		strstr(m->results.taint, "1 operation in 100 began more than 6.00 ms late"));
	make_run_close(m);
}

static void measure_taint__of_more_load_than_clients_can_bear(void **state)
{
	struct make_run *m = load_of(40, 0);

	(void)state;
	assert_false(make_measure(m)->tainted);
	make_run_close(m);
	m = load_of(60, 0);
	assert_true(make_measure(m)->tainted);
	assert_non_null(strstr(m->results.taint, "overloaded: 60 % of all operations"));
	make_run_close(m);
}

static void measure__has_no_quantile_that_rests_on_too_few(void **state)
{
	struct make_run *m = make_run_open("single");
	struct results *r;

	(void)state;
	make_phase(m, "baseline", 4000);
	for (unsigned i = 0; i < 9; i++)
		make_read(m, MAKE_EAST, i, i + 1);
	for (unsigned i = 0; i < 999; i++)
		make_write(m, MAKE_EAST, i, i + 1);
	r = make_measure(m);
	assert_near(r->phase[0].read.p50_ms, 1);
	assert_true(isnan(r->phase[0].read.p90_ms) && isnan(r->phase[0].read.p99_ms));
	assert_near(r->phase[0].write.p99_ms, 1);
	assert_true(isnan(r->phase[0].write.p999_ms));
	make_write(m, MAKE_EAST, 2000, 2001);
	make_read(m, MAKE_EAST, 2000, 2001);
	r = make_measure(m);
	assert_near(r->phase[0].read.p90_ms, 1);
	assert_near(r->phase[0].write.p999_ms, 1);
	make_run_close(m);
}

/* The stale read in it proves what it proves, but its latency is no figure. */
static void measure__leaves_the_warm_up_out_but_checks_it(void **state)
{
	struct make_run *m = make_run_open("single");
	struct history_op *old = make_write(m, MAKE_EAST, 1, 2);
	struct history_op *new = make_write(m, MAKE_EAST, 3, 4);
	struct history_op *read = make_read(m, MAKE_EAST, 5, 6);
	struct results *r;

	(void)state;
	m->plan.phase[make_phase(m, "warmup", 100)].warmup = true;
	make_phase(m, "baseline", 100);
	new->key = old->key;
	read->key = old->key;
	read->value = old->value;
	make_write(m, MAKE_EAST, 110, 112);
	r = make_measure(m);
	assert_int_equal(r->check.verdict, CHECK_VIOLATION);
	assert_int_equal(r->phase[0].ok, 3);
	assert_int_equal(r->phase[0].read.count + r->phase[0].write.count, 0);
	assert_int_equal(r->phase[0].side[0].attempts + r->phase[0].side[0].stranded, 0);
	assert_int_equal(r->phase[1].write.count, 1);
	make_run_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(punctual__knows_who_was_free),
		cmocka_unit_test(punctual__knows_nothing_of_a_run_of_single_operations),
		cmocka_unit_test(measure_taint__of_a_load_that_is_late_by_itself),
		cmocka_unit_test(measure_taint__of_a_load_that_is_late_at_times),
		cmocka_unit_test(measure_taint__of_more_load_than_clients_can_bear),
		cmocka_unit_test(measure__has_no_quantile_that_rests_on_too_few),
		cmocka_unit_test(measure__leaves_the_warm_up_out_but_checks_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
