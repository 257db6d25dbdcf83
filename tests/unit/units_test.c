/* SPDX-License-Identifier: MIT */
/* units_test.c - every unit is read and printed, and everything else is refused with a cure */
#include "agent/base/units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/test.h"

#define UNTOUCHED 12345

static void units_parse_duration__reads_every_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} cases[] = {
		{"0", 0},
		{"0s", 0},
		{"10ns", 10},
		{"300us", 300000},
		{"20ms", 20000000},
		{"1.5s", 1500000000},
		{"0.1ms", 100000},
		{"2m", 120000000000},
		{"1h", 3600000000000},
		{"24h", UNITS_DURATION_NS_MAX},
		{"0.4ns", 0},
		{"007ms", 7000000},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = {0};
		uint64_t ns = UNTOUCHED;

		assert_int_equal(units_parse_duration(cases[i].text, &ns, &err), 0);
		assert_int_equal(ns, cases[i].ns);
		assert_int_equal(err.code, 0);
	}
}

/* What each of them gets: a usage error that names the text, and an untouched output. */
static void assert_refused(int rc, const struct err *err, const char *text)
{
	char quoted[128];

	assert_int_equal(rc, -EINVAL);
	assert_int_equal(err->code, -EINVAL);
	assert_int_equal(err->status, EXIT_USAGE);
	(void)snprintf(quoted, sizeof quoted, "'%s'", text);
	assert_non_null(strstr(err->text, quoted));
}

static void units_parse_duration__refuses_everything_else(void **state)
{
	static const char *const texts[] = {"", " ", "ms", "5", "20 ms", " 20ms", "20ms ", "20MS",
		"20msec", "-5ms", "+5ms", "1e3ms", "0x10ms", "inf", "infs", "nan", "nans", "1.2.3s",
		".5s", ".", "1,5s", "25h", "86401s", "99999999999999999999h", "20ms20ms", "1d",
		"11111111111111111111111111111111111111ns", "20m\ns", "\xc2\xb5s", "1\xc2\xb5s"};

	(void)state;
	for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct err err = {0};
		uint64_t ns = UNTOUCHED;

		assert_refused(units_parse_duration(texts[i], &ns, &err), &err, texts[i]);
		assert_int_equal(ns, UNTOUCHED);
	}
}

static void units_parse_duration__says_what_is_wrong(void **state)
{
	struct err err;
	uint64_t ns;

	(void)state;
	(void)units_parse_duration("-5ms", &ns, &err);
	assert_non_null(strstr(err.text, "negative"));
	(void)units_parse_duration("25h", &ns, &err);
	assert_non_null(strstr(err.text, "longer than a day"));
	(void)units_parse_duration("5", &ns, &err);
	assert_non_null(strstr(err.text, "like 20ms"));
}

static void units_parse_rate__reads_every_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t bps;
	} cases[] = {{"9600bit", 9600}, {"500kbit", 500000}, {"10mbit", 10000000},
		{"1.5gbit", 1500000000}, {"1bit", 1}};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t bps;

		assert_int_equal(units_parse_rate(cases[i].text, &bps, NULL), 0);
		assert_int_equal(bps, cases[i].bps);
	}
}

static void units_parse_memory__reads_every_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{"0", 0}, {"300b", 300}, {"64kb", 65536}, {"1.5mb", 1572864}, {"4gb", 4ull << 30}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t bytes = 7;

		assert_int_equal(units_parse_memory(cases[i].text, &bytes, NULL), 0);
		assert_int_equal(bytes, cases[i].bytes);
	}
}

static void units_parse_memory__refuses_everything_else(void **state)
{
	static const char *const texts[] = {"", "5", "mb", "-1mb", "1 mb", "1pb", "9999999gb"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct err err = {0};
		uint64_t bytes;

		assert_refused(units_parse_memory(texts[i], &bytes, &err), &err, texts[i]);
	}
}

static void units_print_memory__keeps_three_digits(void **state)
{
	char out[32];

	(void)state;
	assert_string_equal(units_print_memory(350 * 1024, out, sizeof out), "350 kB");
	assert_string_equal(units_print_memory(3ull << 29, out, sizeof out), "1.5 GB");
	assert_string_equal(units_print_memory(1023 * 1024 + 1023, out, sizeof out), "1 MB");
}

static void units_parse_rate__refuses_everything_else(void **state)
{
	static const char *const texts[] = {"", "0", "0bit", "0.4bit", "10", "mbit", "10Mbit",
		"10mbps", "-1mbit", "10 mbit", "1e9bit", "9999999gbit", "nanbit"};

	(void)state;
	for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct err err = {0};
		uint64_t bps = UNTOUCHED;

		assert_refused(units_parse_rate(texts[i], &bps, &err), &err, texts[i]);
		assert_int_equal(bps, UNTOUCHED);
	}
}

static void units_parse_share__reads_percent_as_ppm(void **state)
{
	static const struct {
		const char *text;
		uint32_t ppm;
	} cases[] = {{"0", 0}, {"0%", 0}, {"1%", 10000}, {"0.5%", 5000}, {"0.0001%", 1},
		{"100%", 1000000}};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint32_t ppm;

		assert_int_equal(units_parse_share(cases[i].text, &ppm, NULL), 0);
		assert_int_equal(ppm, cases[i].ppm);
	}
}

static void units_parse_share__refuses_everything_else(void **state)
{
	static const char *const texts[] = {
		"", "%", "1", "0.5", "101%", "100.1%", "-1%", "1 %", "1%%", "1e1%", "half"};

	(void)state;
	for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct err err = {0};
		uint32_t ppm = UNTOUCHED;

		assert_refused(units_parse_share(texts[i], &ppm, &err), &err, texts[i]);
		assert_int_equal(ppm, UNTOUCHED);
	}
}

static void units_parse_count__keeps_its_bounds(void **state)
{
	static const char *const texts[] = {
		"", "4", "11", "-7", "+7", " 7", "7 ", "7.0", "0x7", "7k", "18446744073709551616"};
	uint64_t n;

	(void)state;
	assert_int_equal(units_parse_count("5", 5, 10, &n, NULL), 0);
	assert_int_equal(n, 5);
	assert_int_equal(units_parse_count("10", 5, 10, &n, NULL), 0);
	assert_int_equal(n, 10);
	assert_int_equal(units_parse_count("18446744073709551615", 0, UINT64_MAX, &n, NULL), 0);
	assert_true(n == UINT64_MAX);
	for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct err err = {0};

		n = UNTOUCHED;
		assert_refused(units_parse_count(texts[i], 5, 10, &n, &err), &err, texts[i]);
		assert_int_equal(n, UNTOUCHED);
	}
}

static void units_print_duration__chooses_the_unit(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{0, "0 ns"},
		{999, "999 ns"},
		{9999, "9999 ns"},
		{10000, "10 us"},
		{350000, "350 us"},
		{20000000, "20 ms"},
		{1420000, "1.42 ms"},
		{1500000000, "1.5 s"},
		{60000000000, "60 s"},
		{9999000000000, "9999 s"},
		{UNITS_DURATION_NS_MAX, "86400 s"},
	};
	char out[32];

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(
			units_print_duration(cases[i].ns, out, sizeof out), cases[i].text);
}

static void units_print_count__groups_by_three(void **state)
{
	char out[32];

	(void)state;
	assert_string_equal(units_print_count(0, out, sizeof out), "0");
	assert_string_equal(units_print_count(999, out, sizeof out), "999");
	assert_string_equal(units_print_count(1000, out, sizeof out), "1,000");
	assert_string_equal(units_print_count(12345, out, sizeof out), "12,345");
	assert_string_equal(
		units_print_count(UINT64_MAX, out, sizeof out), "18,446,744,073,709,551,615");
}

static void units_print__never_writes_past_its_end(void **state)
{
	(void)state;
	for (size_t size = 1; size < 30; size++) {
		char out[32];

		memset(out, '#', sizeof out);
		(void)units_print_count(UINT64_MAX, out, size);
		assert_true(strlen(out) < size);
		assert_int_equal(out[size], '#');
		memset(out, '#', sizeof out);
		(void)units_print_duration(UNITS_DURATION_NS_MAX, out, size);
		assert_true(strlen(out) < size);
		assert_int_equal(out[size], '#');
	}
}

static void units_parse_size__reads_every_unit(void **state)
{
	static const struct {
		const char *text;
		uint32_t bytes;
	} cases[] = {{"0", 0}, {"1500b", 1500}, {"64kb", 65536}, {"1.5kb", 1536}, {"2mb", 2 << 20}};
	static const char *const bad[] = {"", "64", "64k", "kb", "-1kb", "4096mb", "1gb", "64 kb"};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint32_t bytes = UNTOUCHED;

		assert_int_equal(units_parse_size(cases[i].text, &bytes, NULL), 0);
		assert_int_equal(bytes, cases[i].bytes);
	}
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err err = {0};
		uint32_t bytes = UNTOUCHED;

		assert_refused(units_parse_size(bad[i], &bytes, &err), &err, bad[i]);
		assert_int_equal(bytes, UNTOUCHED);
	}
}

static void units_word__takes_the_digits_that_it_needs(void **state)
{
	char out[32];

	(void)state;
	assert_string_equal(units_word_duration(0, out, sizeof out), "0ns");
	assert_string_equal(units_word_duration(20000000, out, sizeof out), "20ms");
	assert_string_equal(units_word_duration(999, out, sizeof out), "999ns");
	assert_string_equal(units_word_duration(1234567891, out, sizeof out), "1.234567891s");
	assert_string_equal(units_word_duration(UNITS_DURATION_NS_MAX, out, sizeof out), "86400s");
	assert_string_equal(units_word_rate(1600000, out, sizeof out), "1.6mbit");
	assert_string_equal(units_word_share(1, out, sizeof out), "0.0001%");
	assert_string_equal(units_word_share(1000000, out, sizeof out), "100%");
	assert_string_equal(units_word_size(65536, out, sizeof out), "64kb");
	assert_string_equal(units_word_size(65537, out, sizeof out), "65537b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_parse_duration__reads_every_unit),
		cmocka_unit_test(units_parse_duration__refuses_everything_else),
		cmocka_unit_test(units_parse_duration__says_what_is_wrong),
		cmocka_unit_test(units_parse_rate__reads_every_unit),
		cmocka_unit_test(units_parse_memory__reads_every_unit),
		cmocka_unit_test(units_parse_memory__refuses_everything_else),
		cmocka_unit_test(units_print_memory__keeps_three_digits),
		cmocka_unit_test(units_parse_rate__refuses_everything_else),
		cmocka_unit_test(units_parse_share__reads_percent_as_ppm),
		cmocka_unit_test(units_parse_share__refuses_everything_else),
		cmocka_unit_test(units_parse_count__keeps_its_bounds),
		cmocka_unit_test(units_parse_size__reads_every_unit),
		cmocka_unit_test(units_word__takes_the_digits_that_it_needs),
		cmocka_unit_test(units_print_duration__chooses_the_unit),
		cmocka_unit_test(units_print_count__groups_by_three),
		cmocka_unit_test(units_print__never_writes_past_its_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
