/* SPDX-License-Identifier: MIT */
/* picture_test.c - what a run shows of itself: exact lines, and no line wider than the terminal */
#include "agent/lab/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "tests/lib/test.h"

#define BEGIN (100 * NS_PER_S)

/* The partition of the lab `cap`, half over: far is alone. */
static struct {
	struct scene scene;
	struct strips strips;
	struct pulse_rates rates;
	struct canvas canvas;
} run;

static int setup(void **state)
{
	struct pulse_tally tally[3] = {{0}};

	(void)state;
	memset(&run, 0, sizeof run);
	run.scene = (struct scene){.label = "partition",
		.what = "east+west | far",
		.leader = "n2, term 4",
		.harm = "n3 down",
		.phase = 4,
		.begin_ns = BEGIN,
		.end_ns = BEGIN + 4 * NS_PER_S,
		.run_end_ns = BEGIN + 9 * NS_PER_S,
		.sides = 2,
		.side = {"east+west", "far"},
		.side_of = {0, 0, 1}};
	run.strips.sites = 3;
	strips_begin(&run.strips, 4, BEGIN, BEGIN + 4 * NS_PER_S);
	/* Far is asked for a second before its first answers are due, then fails. */
	for (unsigned tick = 1; tick <= 20; tick++) {
		tally[0].ok += 30;
		tally[1].ok += 20;
		tally[2].failed += tick > 10 ? 12 : 0;
		strips_add(&run.strips, tally, BEGIN + tick * NS_PER_S / 10);
	}
	run.rates = (struct pulse_rates){.known = true,
		.ok_per_s = 500,
		.failed_per_s = 120,
		.answers = {250, 250},
		.p50_ns = {20600000, 41100000},
		.p99_ns = {30100000, 44000000}};
	return 0;
}

static const char *drawn(unsigned columns, bool utf8, bool colour)
{
	const struct look look = {.columns = columns, .rows = 24, .utf8 = utf8, .colour = colour};

	canvas_fini(&run.canvas);
	canvas_init(&run.canvas, &look);
	picture_draw(&run.canvas, &run.scene, &run.strips, &run.rates, 6, BEGIN + 2 * NS_PER_S);
	return canvas_text(&run.canvas);
}

static int teardown(void **state)
{
	(void)state;
	canvas_fini(&run.canvas);
	return 0;
}

static void picture__of_a_partition_at_80_columns(void **state)
{
	(void)state;
	assert_string_equal(drawn(81, true, false),
		"\n"
		"  partition    ━━━━━━━━━━━━━━━━────────────────  2.0 s left, run 7.0 s, 5 of 6\n"
		"  faults       east+west | far\n"
		"  replicas     n3 down\n"
		"  leader       n2, term 4\n"
		"  last second  500/s, 120/s failed  read p50 20.6 ms  write p50 41.1 ms\n"
		"  east+west    ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇                   100 %  1,000 ok\n"
		"  far          ········×××××××××                   0.0 %  0 ok, 120 failed\n");
}

static void picture__of_a_partition_at_120_columns_in_ascii(void **state)
{
	(void)state;
	assert_string_equal(drawn(121, false, false),
		"\n"
		"  partition    ==========================--------------------------  2.0 s left, "
		"7.0 s of the run, phase 5 of 6\n"
		"  faults       east+west | far\n"
		"  replicas     n3 down\n"
		"  leader       n2, term 4\n"
		"  last second  500/s, 120/s failed  read p50 20.6 p99 30.1 ms  "
		"write p50 41.1 p99 44.0 ms\n"
		"  east+west    ###########################                             100 %  "
		"1,000 ok\n"
		"  far          .............xxxxxxxxxxxxxx                             0.0 %  "
		"0 ok, 120 failed\n");
}

static void picture__of_a_partition_at_40_columns(void **state)
{
	(void)state;
	assert_string_equal(drawn(41, true, false), "\n"
						    "  partition    ━━━━━━──────  2.0 s left\n"
						    "  faults       east+west | far\n"
						    "  replicas     n3 down\n"
						    "  leader       n2, term 4\n"
						    "  last second  500/s, 120/s failed\n"
						    "  east+west    ▇▇▇▇▇▇▇         100 %  1…\n"
						    "  far          ···××××         0.0 %  0…\n");
}

/* The longest names that there can be, the largest numbers. */
static void make_large(void)
{
	struct pulse_tally tally[3] = {{123456789, 12345678, 1234567}, {0}, {1, 2, 3}};

	memset(run.scene.label, 'p', sizeof run.scene.label - 1);
	memset(run.scene.what, 'w', sizeof run.scene.what - 1);
	memset(run.scene.leader, 'l', sizeof run.scene.leader - 1);
	memset(run.scene.harm, 'h', sizeof run.scene.harm - 1);
	memset(run.scene.side[0], 's', sizeof run.scene.side[0] - 1);
	strips_add(&run.strips, tally, BEGIN + 3 * NS_PER_S);
	run.scene.run_end_ns = BEGIN + 86399 * NS_PER_S;
}

static void assert_fits(const char *text, unsigned columns)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (term_width(text, len) > columns - 1)
			fail_msg("%u columns, of %u: %.*s", term_width(text, len), columns,
				(int)len, text);
		assert_int_equal(text[len], '\n');
		text += len + 1;
	}
}

static void picture__is_never_wider_than_the_terminal(void **state)
{
	(void)state;
	for (unsigned large = 0; large < 2; large++) {
		for (unsigned columns = 2; columns <= 200; columns++) {
			assert_fits(drawn(columns, true, true), columns);
			assert_fits(drawn(columns, false, false), columns);
		}
		make_large();
	}
}

static void picture__in_ascii_has_no_other_bytes(void **state)
{
	(void)state;
	(void)snprintf(run.scene.what, sizeof run.scene.what, "z\xc3\xbcrich \x1b[31m\x07 | \xff");
	for (const char *p = drawn(80, false, false); *p; p++)
		assert_true(*p == '\n' || (*p >= ' ' && *p < 0x7f));
	assert_non_null(strstr(drawn(80, false, false), "z?rich ?[31m? | ?\n"));
	/* What is a character stays one; what is none does not become part of a sequence. */
	assert_non_null(strstr(drawn(80, true, false), "z\xc3\xbcrich ?[31m? | ?\n"));
}

static void picture__has_colours_only_where_they_are_wanted(void **state)
{
	(void)state;
	assert_null(strchr(drawn(80, true, false), '\033'));
	assert_non_null(strstr(drawn(80, true, true), "\033[31m×\033[0m"));
	assert_non_null(strstr(drawn(80, true, true), "\033[32m▇\033[0m"));
}

static void picture__says_over_how_long_rates_are(void **state)
{
	(void)state;
	run.rates.span_ns = 5 * NS_PER_S;
	assert_non_null(strstr(drawn(80, true, false), "\n  last 5.0 s   500/s, 120/s failed"));
	run.rates.p50_ns[LOAD_WRITE] = 1234000000;
	run.rates.p50_ns[LOAD_READ] = 350000;
	assert_non_null(strstr(drawn(80, true, false), "read p50 0.35 ms  write p50 1234 ms\n"));
}

static void picture__of_what_is_no_phase_is_one_line(void **state)
{
	(void)state;
	run.scene = (struct scene){.label = "final reads", .doing = "every key"};
	run.rates = (struct pulse_rates){.known = false};
	assert_string_equal(drawn(80, true, false), "\n  final reads  every key\n");
}

static void strips__spread_what_a_tick_saw_over_the_bins_since_the_last(void **state)
{
	const struct pulse_tally one[3] = {{.ok = 3, .failed = 1}};

	(void)state;
	strips_begin(&run.strips, 5, BEGIN, BEGIN + NS_PER_S);
	strips_add(&run.strips, one, BEGIN + NS_PER_S / 2);
	assert_int_equal(run.strips.ok[0][0], 3);
	assert_int_equal(run.strips.all[0][STRIP_BINS / 2], 4);
	assert_int_equal(run.strips.all[0][STRIP_BINS / 2 + 1], 0);
	/* What comes behind the planned end is in the last one. */
	strips_add(&run.strips, one, BEGIN + 9 * NS_PER_S);
	assert_int_equal(run.strips.all[0][STRIP_BINS - 1], 0);
	assert_int_equal(run.strips.seen_ns, BEGIN + 9 * NS_PER_S);
}

static void picture_span__has_the_units_of_people(void **state)
{
	char out[32];

	(void)state;
	assert_string_equal(picture_span(59999999999ull, out, sizeof out), "59.9 s");
	assert_string_equal(picture_span(60 * NS_PER_S, out, sizeof out), "1:00 min");
	assert_string_equal(picture_span(3599 * NS_PER_S, out, sizeof out), "59:59 min");
	assert_string_equal(picture_span(86399 * NS_PER_S, out, sizeof out), "23:59:59 h");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			picture__of_a_partition_at_80_columns, setup, teardown),
		cmocka_unit_test_setup_teardown(
			picture__of_a_partition_at_120_columns_in_ascii, setup, teardown),
		cmocka_unit_test_setup_teardown(
			picture__of_a_partition_at_40_columns, setup, teardown),
		cmocka_unit_test_setup_teardown(
			picture__is_never_wider_than_the_terminal, setup, teardown),
		cmocka_unit_test_setup_teardown(
			picture__in_ascii_has_no_other_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			picture__has_colours_only_where_they_are_wanted, setup, teardown),
		cmocka_unit_test_setup_teardown(
			picture__says_over_how_long_rates_are, setup, teardown),
		cmocka_unit_test_setup_teardown(
			picture__of_what_is_no_phase_is_one_line, setup, teardown),
		cmocka_unit_test_setup_teardown(
			strips__spread_what_a_tick_saw_over_the_bins_since_the_last, setup,
			teardown),
		cmocka_unit_test(picture_span__has_the_units_of_people),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
