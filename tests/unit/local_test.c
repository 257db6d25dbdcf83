/* SPDX-License-Identifier: MIT */
/* local_test.c - what a machine adds, taken from a run of store single on the lab cap */
#include "tests/unit/make_run.h"

/* Forty each: beside the copy on n1 and, over 20 ms, from west. Times in ms. */
static struct make_run *open_run(const char *store, unsigned read, unsigned write, unsigned far)
{
	struct make_run *m = make_run_open(store);

	make_phase(m, "baseline", 2000);
	for (unsigned i = 0; i < 40; i++) {
		make_read(m, MAKE_EAST, i * 40, i * 40 + read);
		make_write(m, MAKE_EAST, i * 40, i * 40 + write);
		make_read(m, MAKE_WEST, i * 40, i * 40 + far);
		make_read(m, MAKE_FAR, i * 40, i * 40 + 20 + far);
	}
	return m;
}

/* A read is two messages, a write a disk more, elsewhere it is two more over links with a delay. */
static void local__is_what_single_adds_to_its_links(void **state)
{
	struct make_run *m = open_run("single", 2, 7, 25);

	(void)state;
	make_measure(m);
	assert_string_equal(m->results.local_costs, "hop=1000us wire=500us disk=5000us wake=0us");
	make_run_close(m);
}

/* Faster over a link than beside it, or to disk than not: that is noise about nothing. */
static void local__is_never_below_zero(void **state)
{
	struct make_run *m = open_run("single", 4, 3, 22);

	(void)state;
	make_measure(m);
	assert_string_equal(m->results.local_costs, "hop=2000us wire=0us disk=0us wake=0us");
	make_run_close(m);
}

static void local__is_not_told_by_other_stores_or_too_few_operations(void **state)
{
	struct make_run *m = open_run("raft", 2, 7, 25);

	(void)state;
	make_measure(m);
	assert_string_equal(m->results.local_costs, "");
	make_run_close(m);
	m = make_run_open("single");
	make_phase(m, "baseline", 1000);
	make_read(m, MAKE_EAST, 1, 2);
	make_write(m, MAKE_EAST, 1, 2);
	make_measure(m);
	assert_string_equal(m->results.local_costs, "");
	make_run_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local__is_what_single_adds_to_its_links),
		cmocka_unit_test(local__is_never_below_zero),
		cmocka_unit_test(local__is_not_told_by_other_stores_or_too_few_operations),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
