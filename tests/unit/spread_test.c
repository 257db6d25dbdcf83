/* SPDX-License-Identifier: MIT */
/* spread_test.c - several runs as one: medians, spread, and a verdict only if all agree */
#include "agent/report/spread.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/report/compare.h"
#include "tests/lib/test.h"

#define RUNS 5

static struct summary run_of(uint64_t seed, double p50_ms, const char *verdict)
{
	struct summary s = {.seed = seed, .claim_kept = true};

	s.read.p50_ms = p50_ms;
	s.converged_s = NAN;
	s.lost = seed;
	(void)snprintf(s.verdict, sizeof s.verdict, "%s", verdict);
	(void)snprintf(s.whole, sizeof s.whole, "linearizable");
	(void)snprintf(s.cut, sizeof s.cut, "linearizable");
	return s;
}

static void five(struct summary run[RUNS])
{
	static const double p50_ms[RUNS] = {21, 25, 20, 22, 90};

	for (unsigned i = 0; i < RUNS; i++)
		run[i] = run_of(7 + i, p50_ms[i], "PC/EC");
}

static void spread__is_median_and_range(void **state)
{
	struct summary run[RUNS], mid;
	struct spread spread;

	(void)state;
	five(run);
	spread_of(run, RUNS, &mid, &spread);
	assert_true(mid.read.p50_ms == 22);
	assert_true(spread.low.read.p50_ms == 20 && spread.high.read.p50_ms == 90);
	assert_int_equal(mid.lost, 9);
	assert_int_equal(spread.high.lost, 11);
	assert_true(isnan(mid.converged_s) && isnan(spread.low.converged_s));
	assert_string_equal(mid.verdict, "PC/EC");
	assert_string_equal(mid.agreed, "PC/EC in 5 of 5");
	assert_string_equal(mid.cut, "linearizable");
	assert_int_equal(mid.seed, 7);
}

static void spread__of_an_even_number_is_the_mean_of_the_middle_two(void **state)
{
	struct summary run[RUNS], mid;
	struct spread spread;

	(void)state;
	five(run);
	spread_of(run, 4, &mid, &spread);
	assert_true(mid.read.p50_ms == 21.5);
}

static void spread__leaves_out_runs_without_a_conclusion(void **state)
{
	struct summary run[RUNS], mid;
	struct spread spread;

	(void)state;
	five(run);
	run[4].status = EXIT_INCONCLUSIVE;
	run[4].tainted = true;
	(void)snprintf(run[4].verdict, sizeof run[4].verdict, "P?/E?");
	spread_of(run, RUNS, &mid, &spread);
	assert_true(spread.high.read.p50_ms == 25);
	assert_int_equal(spread.runs, 5);
	assert_int_equal(spread.concluded, 4);
	assert_string_equal(mid.verdict, "PC/EC");
	assert_string_equal(mid.agreed, "PC/EC in 4 of 5");
	assert_int_equal(mid.status, EXIT_AS_EXPECTED);
	assert_false(mid.tainted);
}

static void spread__has_no_verdict_if_runs_differ(void **state)
{
	struct summary run[RUNS], mid;
	struct spread spread;

	(void)state;
	five(run);
	(void)snprintf(run[1].verdict, sizeof run[1].verdict, "P-/EC");
	(void)snprintf(run[1].cut, sizeof run[1].cut, "sequential");
	spread_of(run, RUNS, &mid, &spread);
	assert_string_equal(mid.verdict, "runs differ");
	assert_string_equal(mid.agreed, "PC/EC in 4 of 5, P-/EC in 1 of 5");
	assert_string_equal(mid.cut, "linearizable 4/5");
	assert_int_equal(mid.status, EXIT_INCONCLUSIVE);
}

static void spread__has_none_of_tainted_runs_alone(void **state)
{
	struct summary run[RUNS], mid;
	struct spread spread;

	(void)state;
	five(run);
	for (unsigned i = 0; i < RUNS; i++) {
		run[i].status = EXIT_INCONCLUSIVE;
		run[i].tainted = true;
	}
	spread_of(run, RUNS, &mid, &spread);
	assert_int_equal(spread.concluded, 0);
	assert_int_equal(mid.status, EXIT_INCONCLUSIVE);
	assert_true(mid.tainted);
	assert_string_equal(mid.agreed, "");
	assert_string_equal(compare_claim(&mid), "open");
}

static void spread__keeps_a_broken_claim(void **state)
{
	struct summary run[RUNS], mid;
	struct spread spread;

	(void)state;
	five(run);
	run[3].status = EXIT_VIOLATED;
	run[3].claim_kept = false;
	spread_of(run, RUNS, &mid, &spread);
	assert_int_equal(mid.status, EXIT_VIOLATED);
	assert_string_equal(compare_claim(&mid), "broken");
}

static void compare_csv__has_a_range_behind_each_median(void **state)
{
	struct summary run[RUNS], mid;
	const struct system *system = system_find("raft");
	const struct compare_page page = {.system = &system, .row = &mid, .rows = 1};
	struct spread spread;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	five(run);
	for (unsigned i = 0; i < RUNS; i++) {
		run[i].profiles = 1;
		(void)snprintf(run[i].profile[0].name, sizeof run[i].profile[0].name, "wan");
		run[i].profile[0].write.p99_ms = 50 + i;
	}
	spread_of(run, RUNS, &mid, &spread);
	compare_csv(&page, out);
	assert_int_equal(fclose(out), 0);
	assert_non_null(strstr(text, ",read_p50_ms,read_p50_ms_min,read_p50_ms_max,"));
	assert_non_null(strstr(text, ",22,20,90,"));
	assert_non_null(strstr(text, ",wan_write_p99_ms,wan_write_p99_ms_min,"));
	assert_non_null(strstr(text, ",52,50,54,"));
	free(text);
}

/* With the longest that stands in a column. */
static void compare_costs__fit_120_columns(void **state)
{
	struct summary run[RUNS];
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	char *at, *line;

	(void)state;
	assert_non_null(out);
	five(run);
	run[0].read_trips = (struct summary_trips){12.34, 12.33, 12.35, 12.34};
	run[0].write_trips = run[0].read_trips;
	run[0].read = (struct summary_latency){12345, 12345, 12345, 12345};
	run[0].write = run[0].read;
	run[0].majority = run[0].minority = 1;
	run[0].unavailable_s = run[0].recovered_s = run[0].converged_s = 1234.5;
	run[0].acknowledged = 123456;
	run[0].profiles = 1;
	run[0].profile[0] = (struct summary_profile){"satellite", run[0].read, run[0].read};
	(void)snprintf(run[0].whole, sizeof run[0].whole, "linearizable 4/5");
	(void)snprintf(run[0].verdict, sizeof run[0].verdict, "runs differ");
	for (const struct compare_table *t = &compare_costs; t; t = t->more) {
		t->head(out);
		for (unsigned i = 0; system_list(i); i++)
			t->row(system_list(i), &run[0], out);
	}
	assert_int_equal(fclose(out), 0);
	at = text;
	while ((line = strsep(&at, "\n")))
		if (strlen(line) > 120)
			fail_msg("%zu columns: %s", strlen(line), line);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spread__is_median_and_range),
		cmocka_unit_test(spread__of_an_even_number_is_the_mean_of_the_middle_two),
		cmocka_unit_test(spread__leaves_out_runs_without_a_conclusion),
		cmocka_unit_test(spread__has_no_verdict_if_runs_differ),
		cmocka_unit_test(spread__has_none_of_tainted_runs_alone),
		cmocka_unit_test(spread__keeps_a_broken_claim),
		cmocka_unit_test(compare_csv__has_a_range_behind_each_median),
		cmocka_unit_test(compare_costs__fit_120_columns),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
