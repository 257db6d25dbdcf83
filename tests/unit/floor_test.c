/* SPDX-License-Identifier: MIT */
/* floor_test.c - floors of the lab cap, worked out by hand */
#include "agent/report/floor.h"

#include "tests/unit/make_run.h"

/* Floor in milliseconds of a request of the client of @site to a replica there, at @at_ms. */
static double floor_at(
	struct make_run *m, unsigned phase, unsigned site, bool write, uint64_t at_ms)
{
	struct history_op *op = make_write(m, site, at_ms, at_ms + 1);
	struct floor *f = floor_open(&m->plan, &m->log);
	uint64_t ns;

	op->kind = write ? HISTORY_WRITE : HISTORY_READ;
	ns = floor_ns(f, phase, op);
	floor_close(f);
	return (double)ns / (double)MAKE_MS;
}

static void expect_floors(struct make_run *m, unsigned phase, bool write, const double want[3])
{
	for (unsigned site = 0; site < MAKE_SITES; site++) {
		double is = floor_at(m, phase, site, write, 10);

		if (is < want[site] - 1e-9 || is > want[site] + 1e-9)
			fail_msg("%s of site %u: %g ms, by hand %g ms", write ? "write" : "read",
				site, is, want[site]);
	}
}

/*
 * n1 leads. Three of five from n1: n1, n2 (0 ms), n3 (20 ms). A client in the east talks to n1
 * itself; west's replica forwards over 20 ms, far's over 40 ms.
 */
static void floor_raft__adds_the_way_to_the_leader_and_its_majority(void **state)
{
	struct make_run *m = make_run_open("raft");
	unsigned p = make_phase(m, "baseline", 1000);

	(void)state;
	expect_floors(m, p, false, (const double[]){20, 40, 60});
	expect_floors(m, p, true, (const double[]){20, 40, 60});
	make_run_close(m);
}

static void floor_single__is_the_way_to_the_one_copy(void **state)
{
	struct make_run *m = make_run_open("single");
	unsigned p = make_phase(m, "baseline", 1000);

	(void)state;
	expect_floors(m, p, false, (const double[]){0, 20, 40});
	expect_floors(m, p, true, (const double[]){0, 20, 40});
	make_run_close(m);
}

static void floor_cassandra_one__is_nothing_beside_a_replica(void **state)
{
	struct make_run *m = make_run_open("cassandra-one");
	unsigned p = make_phase(m, "baseline", 1000);

	(void)state;
	expect_floors(m, p, false, (const double[]){0, 0, 0});
	expect_floors(m, p, true, (const double[]){0, 0, 0});
	make_run_close(m);
}

/* Three of five: from n1 and from n3 20 ms, from n5 40 ms. */
static void floor_cassandra_quorum__is_a_majority_of_the_contact(void **state)
{
	struct make_run *m = make_run_open("cassandra-quorum");
	unsigned p = make_phase(m, "baseline", 1000);

	(void)state;
	expect_floors(m, p, false, (const double[]){20, 20, 40});
	make_run_close(m);
}

static void floor__takes_the_way_between_client_and_replica(void **state)
{
	struct make_run *m = make_run_open("single");
	unsigned p = make_phase(m, "baseline", 1000);
	const struct plan *plan = &m->plan;
	unsigned client = plan->site[MAKE_EAST].client;

	(void)state;
	link_matrix_at(&plan->phase[p].matrix, client, MAKE_N1)->delay_ns = 2 * MAKE_MS;
	link_matrix_at(&plan->phase[p].matrix, MAKE_N1, client)->delay_ns = 3 * MAKE_MS;
	assert_true(floor_at(m, p, MAKE_EAST, false, 10) == 5);
	make_run_close(m);
}

/* From n3 the majority is n3, n4 and n1 (20 ms), and the client of the east is 20 ms away. */
static void floor__follows_the_leader_of_the_moment(void **state)
{
	struct make_run *m = make_run_open("raft");
	unsigned p = make_phase(m, "baseline", 1000);

	(void)state;
	m->log.leader[m->log.leaders++] = (struct run_leader){make_at(500), MAKE_N3, 2};
	assert_true(floor_at(m, p, MAKE_EAST, true, 499) == 20);
	assert_true(floor_at(m, p, MAKE_EAST, true, 500) == 40);
	assert_true(floor_at(m, p, MAKE_WEST, true, 500) == 20);
	make_run_close(m);
}

static void floor__follows_the_matrix_of_the_phase(void **state)
{
	struct make_run *m = make_run_open("raft");
	unsigned base = make_phase(m, "baseline", 1000);
	unsigned near = make_fit_phase(m, 10);
	struct history_op *op = make_write(m, MAKE_FAR, 10, 11);
	struct floor *f = floor_open(&m->plan, &m->log);

	(void)state;
	assert_int_equal(floor_ns(f, base, op), 60 * MAKE_MS);
	assert_int_equal(floor_ns(f, near, op), 20 * MAKE_MS);
	assert_int_equal(floor_ns(f, base, op), 60 * MAKE_MS);
	floor_close(f);
	make_run_close(m);
}

static void floor__has_no_path_to_a_leader_behind_a_cut(void **state)
{
	struct make_run *m = make_run_open("raft");
	unsigned p = make_cut_phase(m, 1000);

	(void)state;
	assert_true(floor_at(m, p, MAKE_FAR, true, 10) * (double)MAKE_MS >= FLOOR_NO_PATH_NS);
	assert_true(floor_at(m, p, MAKE_WEST, true, 10) == 40);
	make_run_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(floor_raft__adds_the_way_to_the_leader_and_its_majority),
		cmocka_unit_test(floor_single__is_the_way_to_the_one_copy),
		cmocka_unit_test(floor_cassandra_one__is_nothing_beside_a_replica),
		cmocka_unit_test(floor_cassandra_quorum__is_a_majority_of_the_contact),
		cmocka_unit_test(floor__takes_the_way_between_client_and_replica),
		cmocka_unit_test(floor__follows_the_leader_of_the_moment),
		cmocka_unit_test(floor__follows_the_matrix_of_the_phase),
		cmocka_unit_test(floor__has_no_path_to_a_leader_behind_a_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
