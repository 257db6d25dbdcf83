/* SPDX-License-Identifier: MIT */
/* dist_test.c - shapes against their formulas, mixtures against drawing, files good and bad */
#include "netns/dist.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/prng.h"
#include "tests/lib/test.h"

#define MS NS_PER_MS
#define DRAWS 400000
#define STEP ((uint32_t)((1ull << 32) / DIST_POINTS))

static void moments(unsigned dist, double *ret_mean, double *ret_deviation)
{
	double sum = 0, squares = 0;
	struct prng prng;

	prng_init(&prng, 3, dist);
	for (unsigned i = 0; i < DRAWS; i++) {
		double x = (double)dist_draw_ns(
				   dist, 1000 * MS, 100 * MS, (uint32_t)prng_next(&prng)) /
				   (100.0 * MS) -
			   10;

		sum += x;
		squares += x * x;
	}
	*ret_mean = sum / DRAWS;
	*ret_deviation = sqrt(squares / DRAWS - *ret_mean * *ret_mean);
}

static void dist__shapes_have_mean_0_and_deviation_1(void **state)
{
	(void)state;
	for (unsigned dist = DIST_NORMAL; dist < DIST_TABLE; dist++) {
		double mean, deviation;

		moments(dist, &mean, &deviation);
		assert_true(fabs(mean) < 0.01);
		assert_true(fabs(deviation - 1) < 0.01);
		assert_true(dist_scaled(dist));
		assert_int_equal(dist_find(dist_name(dist)), dist);
	}
}

static void dist__uniform_fills_its_interval_to_both_ends(void **state)
{
	(void)state;
	assert_int_equal(dist_draw_ns(DIST_UNIFORM, 10 * MS, 2 * MS, 0), 8 * MS);
	assert_int_equal(dist_draw_ns(DIST_UNIFORM, 10 * MS, 2 * MS, UINT32_MAX), 12 * MS);
	assert_int_equal(dist_quantile_ns(DIST_UNIFORM, 10 * MS, 2 * MS, 0.25), 9 * MS);
	assert_int_equal(dist_draw_ns(DIST_UNIFORM, 10 * MS, 0, 77), 10 * MS);
}

static void dist__shapes_are_their_formulas(void **state)
{
	(void)state;
	/* Of a normal distribution 97.725 % are below two deviations, 15.866 % below minus one. */
	assert_true(fabs((double)dist_quantile_ns(DIST_NORMAL, 100 * MS, 10 * MS, 0.97725) -
			    120.0 * MS) < 0.1 * MS);
	assert_true(fabs((double)dist_quantile_ns(DIST_NORMAL, 100 * MS, 10 * MS, 0.15866) -
			    90.0 * MS) < 0.1 * MS);
	/* Pareto of shape 3: the share above twice the smallest is 1/8, above 3/2 of it 8/27. What
	 * is left when mean and deviation are made 0 and 1 is the ratio of two distances. */
	double low = (double)dist_quantile_ns(DIST_PARETO, 1000 * MS, 100 * MS, 0.0001);
	double middle = (double)dist_quantile_ns(DIST_PARETO, 1000 * MS, 100 * MS, 1 - 8.0 / 27);
	double high = (double)dist_quantile_ns(DIST_PARETO, 1000 * MS, 100 * MS, 1 - 1.0 / 8);

	assert_true(fabs((high - low) / (middle - low) - 2) < 0.01);
}

static void dist__never_draws_below_zero_and_never_above_its_maximum(void **state)
{
	struct prng prng;

	(void)state;
	prng_init(&prng, 5, 0);
	for (unsigned i = 0; i < 10000; i++) {
		for (unsigned dist = 0; dist < DIST_TABLE; dist++)
			assert_true(
				dist_draw_ns(dist, 10 * MS, 10 * MS, (uint32_t)prng_next(&prng)) <=
				dist_max_ns(dist, 10 * MS, 10 * MS));
	}
	assert_int_equal(dist_draw_ns(DIST_NORMAL, 10 * MS, 10 * MS, 0), 0);
}

/* Bailis et al. 2012, LNKD-DISK: 38 % Pareto(1.05, 1.51), 62 % exponential of rate 0.183. Drawn
 * here one by one, without a table. */
static double draw_lnkd_disk(struct prng *prng)
{
	if (prng_unit(prng) < 0.38)
		return 1.05 * MS / pow(1 - prng_unit(prng), 1 / 1.51);
	return prng_exp(prng, MS / 0.183);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void dist__mixture_has_the_quantiles_of_drawing_from_its_parts(void **state)
{
	static double drawn[DRAWS];
	const double shares[] = {0.01, 0.1, 0.5, 0.9, 0.99, 0.999};
	int dist = dist_find("pbs-lnkd-disk");
	struct prng prng;

	(void)state;
	assert_true(dist >= DIST_TABLE);
	assert_int_equal(dist_find("pbs-lnkd-disk"), dist);
	assert_string_equal(dist_name((unsigned)dist), "pbs-lnkd-disk");
	assert_false(dist_scaled((unsigned)dist));
	prng_init(&prng, 9, 0);
	for (unsigned i = 0; i < DRAWS; i++)
		drawn[i] = draw_lnkd_disk(&prng);
	qsort(drawn, DRAWS, sizeof *drawn, compare);
	for (unsigned i = 0; i < sizeof shares / sizeof *shares; i++) {
		double have = (double)dist_quantile_ns((unsigned)dist, 0, 0, shares[i]);

		assert_true(fabs(have / drawn[(unsigned)(shares[i] * DRAWS)] - 1) < 0.06);
	}
}

static void dist__knows_the_published_mixtures(void **state)
{
	/* Of LNKD-SSD the paper prints the mean that it was fitted to: 0.58 ms there and back. */
	int ssd = dist_find("pbs-lnkd-ssd");

	(void)state;
	assert_true(fabs((double)dist_mean_ns((unsigned)ssd) / MS - 0.29) < 0.01);
	assert_true(dist_find("pbs-ymmr") >= DIST_TABLE);
	assert_true(dist_find("pbs-ymmr-ars") >= DIST_TABLE);
	assert_int_equal(dist_find("pbs"), -ENOENT);
	assert_int_equal(dist_find(""), -ENOENT);
}

static void dist__mixture_refuses_what_is_none(void **state)
{
	const struct dist_part wrong[][2] = {
		{{.weight = 0.5, .mean_ns = 1}, {.weight = 0.4, .mean_ns = 1}},
		{{.weight = 1.5, .mean_ns = 1}, {.weight = -0.5, .mean_ns = 1}},
		{{.weight = 0.5}, {.weight = 0.5, .mean_ns = 1}},
		{{.weight = 0.5, .mean_ns = 1, .xm_ns = 1, .alpha = 1},
			{.weight = 0.5, .mean_ns = 1}},
		{{.weight = NAN, .mean_ns = 1}, {.weight = 0.5, .mean_ns = 1}},
		/* One in a thousand takes longer than ten minutes. */
		{{.weight = 0.5, .mean_ns = 1}, {.weight = 0.5, .mean_ns = 1e11}},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct err err = {0};

		assert_int_equal(dist_add_mixture("wrong", 0, wrong[i], 2, &err), -EINVAL);
		assert_int_equal(err.status, EXIT_USAGE);
	}
	assert_int_equal(dist_find("wrong"), -ENOENT);
}

static void dist__mixture_stands_on_its_offset(void **state)
{
	const struct dist_part part = {.weight = 1, .mean_ns = (double)MS};
	int dist = dist_add_mixture("wan-exp", 75 * MS, &part, 1, NULL);

	(void)state;
	assert_true(dist >= DIST_TABLE);
	assert_true(dist_draw_ns((unsigned)dist, 0, 0, 0) >= 75 * MS);
	assert_true(fabs((double)dist_mean_ns((unsigned)dist) - 76.0 * MS) < 0.01 * MS);
}

static void dist__table_goes_straight_from_value_to_value(void **state)
{
	const uint64_t ns[] = {30, 10, 20, 40};
	int dist = dist_add_table("four", ns, 4, NULL);

	(void)state;
	assert_true(dist >= DIST_TABLE);
	assert_int_equal(dist_draw_ns((unsigned)dist, 0, 0, 0), 10);
	assert_int_equal(dist_draw_ns((unsigned)dist, 0, 0, UINT32_MAX), 40);
	assert_int_equal(dist_draw_ns((unsigned)dist, 0, 0, 1u << 31), 25);
	assert_int_equal(dist_mean_ns((unsigned)dist), 25);
	assert_int_equal(dist_max_ns((unsigned)dist, 0, 0), 40);
	assert_false(dist_replays((unsigned)dist));
}

static void dist__same_name_needs_the_same_values(void **state)
{
	const uint64_t ns[] = {1, 2, 3}, other[] = {1, 2, 4};
	struct err err = {0};
	int dist = dist_add_table("same", ns, 3, &err);

	(void)state;
	assert_true(dist >= DIST_TABLE);
	assert_int_equal(dist_add_table("same", ns, 3, &err), dist);
	assert_int_equal(dist_add_table("same", other, 3, &err), -EEXIST);
	assert_int_equal(dist_add_table("same", ns, 2, &err), -EEXIST);
	assert_int_equal(err.status, EXIT_USAGE);
	assert_int_equal(dist_add_table("normal", ns, 3, &err), -EINVAL);
	assert_int_equal(dist_add_table("a b", ns, 3, &err), -EINVAL);
	assert_int_equal(dist_add_table("", ns, 3, &err), -EINVAL);
	assert_int_equal(dist_add_table("one", ns, 1, &err), -EINVAL);
}

/* @path gets the name of a file in a directory of its own that holds @text. */
static void write_file(char *path, size_t size, const char *name, const char *text, size_t len)
{
	char dir[] = "/tmp/dist_test.XXXXXX";
	FILE *file;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, size, "%s/%s", dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void remove_file(char *path)
{
	assert_int_equal(unlink(path), 0);
	*strrchr(path, '/') = 0;
	assert_int_equal(rmdir(path), 0);
}

static int load(const char *name, const char *prefix, const char *text, struct err *err)
{
	char path[64], full[80];
	int dist;

	write_file(path, sizeof path, name, text, strlen(text));
	(void)snprintf(full, sizeof full, "%s%s", prefix, path);
	dist = dist_load_file(full, err);
	remove_file(path);
	return dist;
}

static void dist_load_file__reads_delays(void **state)
{
	struct err err = {0};
	int dist = load("home-lte.txt", "", "# one way\n3ms\n\n 1ms \r\n2ms", &err);

	(void)state;
	assert_string_equal(err.text, "");
	assert_string_equal(dist_name((unsigned)dist), "home-lte");
	assert_int_equal(dist_find("home-lte"), dist);
	assert_int_equal(dist_mean_ns((unsigned)dist), 2 * MS);
	assert_int_equal(dist_draw_ns((unsigned)dist, 0, 0, 0), MS);
}

static void dist_load_file__replays_in_order_and_over_again(void **state)
{
	struct err err = {0};
	int dist = load("lte", "replay:", "3ms\n1ms\n2ms\n", &err);
	const uint64_t want[] = {3 * MS, MS, 2 * MS, 3 * MS};

	(void)state;
	assert_string_equal(err.text, "");
	assert_string_equal(dist_name((unsigned)dist), "replay:lte");
	assert_true(dist_replays((unsigned)dist));
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(dist_nth_ns((unsigned)dist, i), want[i]);
	assert_int_equal(dist_max_ns((unsigned)dist, 0, 0), 3 * MS);
	assert_int_equal(load("lte", "replay:", "3ms\n1ms\n2ms\n", &err), dist);
	assert_int_equal(load("lte", "replay:", "1ms\n3ms\n2ms\n", &err), -EEXIST);
}

static void dist_load_file__reads_a_shape_of_iproute2(void **state)
{
	struct err err = {0};
	int dist = load("steps.dist", "", "# four of them\n -8192 0 0\n 8192\n", &err);

	(void)state;
	assert_string_equal(err.text, "");
	assert_true(dist_scaled((unsigned)dist));
	assert_int_equal(dist_draw_ns((unsigned)dist, 10 * MS, MS, 0), 9 * MS);
	assert_int_equal(dist_draw_ns((unsigned)dist, 10 * MS, MS, 1u << 31), 10 * MS);
	assert_int_equal(dist_draw_ns((unsigned)dist, 10 * MS, MS, UINT32_MAX), 11 * MS);
}

static void dist_load_file__agrees_with_the_tables_of_iproute2(void **state)
{
	static const char *const names[] = {"normal", "pareto", "paretonormal"};
	static const char *const dir = "/usr/lib/x86_64-linux-gnu/tc";
	unsigned seen = 0;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		char path[96], copy[160];
		struct err err = {0};
		double mean, deviation;
		int dist;

		(void)snprintf(path, sizeof path, "%s/%s.dist", dir, names[i]);
		if (access(path, R_OK))
			continue;
		/* Their names are those of our shapes. */
		assert_int_equal(dist_load_file(path, &err), -EINVAL);
		(void)snprintf(copy, sizeof copy, "/tmp/dist_test-%d-%u.dist", getpid(), i);
		assert_int_equal(symlink(path, copy), 0);
		dist = dist_load_file(copy, &err);
		assert_int_equal(unlink(copy), 0);
		assert_true(dist >= DIST_TABLE);
		moments((unsigned)dist, &mean, &deviation);
		for (int percent = 5; percent < 100; percent += 5) {
			double share = percent / 100.0;
			double ours = (double)dist_quantile_ns(
					      DIST_NORMAL + i, 1000 * MS, 100 * MS, share) /
					      (100.0 * MS) -
				      10;
			double theirs = (double)dist_quantile_ns(
						(unsigned)dist, 1000 * MS, 100 * MS, share) /
						(100.0 * MS) -
					10;

			assert_true(fabs((theirs - mean) / deviation - ours) < 0.02);
		}
		seen++;
	}
	if (!seen)
		skip();
}

static void dist_load_file__names_file_line_and_reason(void **state)
{
	static const struct {
		const char *name;
		const char *prefix;
		const char *text;
		const char *says;
	} bad[] = {
		{"a", "", "1ms\n2ms\nsoon\n", ":3: 'soon'"},
		{"a", "", "1ms\n2ms 3ms\n", ":2: '3ms': one delay"},
		{"a", "", "1ms\n7\n", ":2: '7'"},
		{"a", "", "1ms\n11m\n", ":2: '11m': a delay from 0 to 600 s"},
		{"a", "", "1 2\n3 32768\n", ":2: '32768': an integer"},
		{"a", "", "1\n2ms\n", ":2: '2ms': an integer"},
		{"a", "", "", "there are 0 values"},
		{"a", "", "1ms\n", "there are 1 values"},
		{"a", "", "# nothing\n", "there are 0 values"},
		{"a", "replay:", "1 2 3\n", "cannot be replayed"},
		{"a-name-that-is-longer-than-it-may-be", "", "1ms\n2ms\n", "its name"},
		{"a:b", "", "1ms\n2ms\n", "its name"},
		{"uniform", "", "1ms\n2ms\n", "name of a shape"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err err = {0};

		assert_true(load(bad[i].name, bad[i].prefix, bad[i].text, &err) < 0);
		assert_int_equal(err.status, EXIT_USAGE);
		assert_non_null(strstr(err.text, bad[i].says));
		assert_non_null(strstr(err.text, "/tmp/dist_test."));
	}
	assert_int_equal(dist_find("a"), -ENOENT);
}

static void dist_load_file__refuses_what_is_no_text_file(void **state)
{
	struct err err = {0};
	char path[64];

	(void)state;
	assert_int_equal(dist_load_file("/nonexistent/x", &err), -EINVAL);
	assert_non_null(strstr(err.text, "/nonexistent/x: No such file"));
	assert_int_equal(dist_load_file("/dev/zero", &err), -EINVAL);
	assert_int_equal(dist_load_file("/tmp", &err), -EINVAL);
	write_file(path, sizeof path, "nul", "1ms\n\0ms\n", 8);
	assert_int_equal(dist_load_file(path, &err), -EINVAL);
	assert_non_null(strstr(err.text, "NUL"));
	remove_file(path);
}

/* netem: latency + jitter * table / 8192, with its own rounding (tabledist() in sch_netem.c). */
static void dist_to_netem__gives_the_same_delays(void **state)
{
	const uint64_t ns[] = {MS, 2 * MS, 900 * MS};
	const int dists[] = {DIST_UNIFORM, DIST_NORMAL, DIST_PARETO, DIST_PARETONORMAL,
		dist_find("pbs-lnkd-ssd"), dist_add_table("wide", ns, 3, NULL)};
	int16_t table[DIST_POINTS];

	(void)state;
	for (unsigned k = 0; k < sizeof dists / sizeof *dists; k++) {
		uint64_t latency, jitter;

		assert_int_equal(dist_to_netem((unsigned)dists[k], 50 * MS, 5 * MS, table, &latency,
					 &jitter),
			0);
		for (unsigned i = 0; i < DIST_POINTS; i++) {
			int64_t have = (int64_t)latency + (int64_t)jitter * table[i] / 8192;
			int64_t want = (int64_t)dist_draw_ns(
				(unsigned)dists[k], 50 * MS, 5 * MS, i * STEP + STEP / 2);

			assert_true(llabs(have - want) <= 1 + (int64_t)jitter / 8192);
		}
	}
}

static void dist_to_netem__needs_no_table_for_a_constant_and_knows_its_limit(void **state)
{
	const uint64_t ns[] = {0, 20 * NS_PER_S};
	int16_t table[DIST_POINTS];
	uint64_t latency, jitter;
	int dist = dist_add_table("too-wide", ns, 2, NULL);

	(void)state;
	assert_int_equal(dist_to_netem(DIST_NORMAL, 7 * MS, 0, table, &latency, &jitter), 0);
	assert_int_equal(latency, 7 * MS);
	assert_int_equal(jitter, 0);
	assert_int_equal(dist_to_netem((unsigned)dist, 0, 0, table, &latency, &jitter), -ERANGE);
}

static void dist__children_see_tables_that_come_later(void **state)
{
	const uint64_t ns[] = {5, 6};
	int pipes[2], status;
	char byte = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(dist_share(NULL), 0);
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (read(pipes[0], &byte, 1) != 1)
			_exit(1);
		_exit(dist_draw_ns((unsigned)dist_find("later"), 0, 0, 0) != 5);
	}
	assert_true(dist_add_table("later", ns, 2, NULL) >= DIST_TABLE);
	assert_int_equal(write(pipes[1], &byte, 1), 1);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The last one: it fills the memory. */
static void dist__number_of_tables_is_limited(void **state)
{
	const uint64_t ns[] = {1, 2};
	struct err err = {0};
	int code = 0;

	(void)state;
	for (unsigned i = 0; i <= DIST_TABLES_MAX && code >= 0; i++) {
		char name[DIST_NAME_MAX];

		(void)snprintf(name, sizeof name, "fill-%u", i);
		code = dist_add_table(name, ns, 2, &err);
	}
	assert_int_equal(code, -ENOSPC);
	assert_int_equal(err.status, EXIT_USAGE);
	assert_false(dist_known(DIST_TABLE + DIST_TABLES_MAX));
	assert_false(dist_known(255));
	assert_string_equal(dist_name(255), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dist__shapes_have_mean_0_and_deviation_1),
		cmocka_unit_test(dist__uniform_fills_its_interval_to_both_ends),
		cmocka_unit_test(dist__shapes_are_their_formulas),
		cmocka_unit_test(dist__never_draws_below_zero_and_never_above_its_maximum),
		cmocka_unit_test(dist__mixture_has_the_quantiles_of_drawing_from_its_parts),
		cmocka_unit_test(dist__knows_the_published_mixtures),
		cmocka_unit_test(dist__mixture_refuses_what_is_none),
		cmocka_unit_test(dist__mixture_stands_on_its_offset),
		cmocka_unit_test(dist__table_goes_straight_from_value_to_value),
		cmocka_unit_test(dist__same_name_needs_the_same_values),
		cmocka_unit_test(dist_load_file__reads_delays),
		cmocka_unit_test(dist_load_file__replays_in_order_and_over_again),
		cmocka_unit_test(dist_load_file__reads_a_shape_of_iproute2),
		cmocka_unit_test(dist_load_file__agrees_with_the_tables_of_iproute2),
		cmocka_unit_test(dist_load_file__names_file_line_and_reason),
		cmocka_unit_test(dist_load_file__refuses_what_is_no_text_file),
		cmocka_unit_test(dist_to_netem__gives_the_same_delays),
		cmocka_unit_test(dist_to_netem__needs_no_table_for_a_constant_and_knows_its_limit),
		cmocka_unit_test(dist__children_see_tables_that_come_later),
		cmocka_unit_test(dist__number_of_tables_is_limited),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("dist", tests, NULL, NULL);
}
