/* SPDX-License-Identifier: MIT */
/* measure_roam_test.c - what sessions that go from replica to replica do to the numbers */
#include <math.h>

#include "tests/unit/make_run.h"

/* far's session is at n1 for two reads of three; on the way each needs the network's round trip. */
static void measure_roam__is_no_round_trip_of_the_store(void **state)
{
	static const uint64_t rtts[] = {1, 10, 40};
	struct make_run *m = make_run_open("cassandra-one");
	struct results *r;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		make_fit_phase(m, rtts[i]);
		for (unsigned k = 0; k < RESULTS_SAMPLES_MIN; k++) {
			uint64_t at = i * 1000 + k * 10;

			make_read(m, MAKE_FAR, at, at + 1);
			make_read(m, MAKE_FAR, at, at + rtts[i] + 1)->node = MAKE_N1;
			make_read(m, MAKE_FAR, at, at + rtts[i] + 1)->node = MAKE_N1;
		}
	}
	r = make_measure(m);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(r->phase[i].ok, 3 * RESULTS_SAMPLES_MIN);
		assert_int_equal(r->phase[i].read.count, RESULTS_SAMPLES_MIN);
	}
	assert_near(r->read_fit.b, 0);
	make_run_close(m);
}

/* far's client reaches n1 throughout: that n1 took its write does not say that n5 is back. */
static void measure_roam__does_not_recover_by_a_write_elsewhere(void **state)
{
	struct make_run *m = make_run_open("raft");
	unsigned p = make_cut_phase(m, 1000);
	unsigned client = m->plan.site[MAKE_FAR].client;
	struct results *r;

	(void)state;
	link_matrix_at(&m->plan.phase[p].matrix, client, MAKE_N1)->cut = CUT_NONE;
	link_matrix_at(&m->plan.phase[p].matrix, MAKE_N1, client)->cut = CUT_NONE;
	make_heal_phase(m, 1000);
	make_write(m, MAKE_EAST, 10, 20);
	make_refused(make_write(m, MAKE_FAR, 10, 20));
	make_write(m, MAKE_FAR, 1050, 1060)->node = MAKE_N1;
	make_write(m, MAKE_FAR, 1200, 1251);
	r = make_measure(m);
	assert_near(r->recovered_s, 0.25); /* the heal was done at 1001 ms */
	make_run_close(m);
}

/* Between n5 and far's session at n1 is a cut: neither side is asked. */
static void measure_roam__strands_behind_a_cut(void **state)
{
	struct make_run *m = make_run_open("cassandra-one");
	struct results *r;

	(void)state;
	make_cut_phase(m, 1000);
	for (unsigned k = 0; k < RESULTS_SAMPLES_MIN; k++) {
		make_write(m, MAKE_EAST, 10 + k, 20 + k);
		make_write(m, MAKE_FAR, 10 + k, 20 + k);
		make_refused(make_write(m, MAKE_FAR, 10 + k, 500 + k));
		m->op[m->count - 1].node = MAKE_N1;
	}
	r = make_measure(m);
	assert_int_equal(r->phase[0].side[0].attempts, RESULTS_SAMPLES_MIN);
	assert_int_equal(r->phase[0].side[0].ok, RESULTS_SAMPLES_MIN);
	assert_int_equal(r->phase[0].side[1].attempts, RESULTS_SAMPLES_MIN);
	assert_int_equal(r->phase[0].side[1].ok, RESULTS_SAMPLES_MIN);
	assert_int_equal(r->phase[0].side[1].stranded, RESULTS_SAMPLES_MIN);
	assert_int_equal(r->phase[0].side[1].hung, 0);
	make_run_close(m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(measure_roam__is_no_round_trip_of_the_store),
		cmocka_unit_test(measure_roam__does_not_recover_by_a_write_elsewhere),
		cmocka_unit_test(measure_roam__strands_behind_a_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
