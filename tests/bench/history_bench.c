/* SPDX-License-Identifier: MIT */
/*
 * history_bench.c - seconds of the processor to read and to write a million operations in each
 * format
 *
 * Prints name, value, unit and goal, separated by tabs. Files are in the page cache when they are
 * read; the fastest of a few times counts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/history/history.h"
#include "tests/check/draw.h"

#define BENCH_OPS 1000000
#define BENCH_READS 3

/* Of the processor, so that what else runs makes no difference. */
static double bench_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void bench_die(const struct err *err)
{
	(void)fprintf(stderr, "%s\n", err->text);
	exit(1);
}

static double bench_read(const char *path)
{
	double best = 1e9;

	for (int i = 0; i < BENCH_READS; i++) {
		double from = bench_seconds();
		struct history_ops ops;
		struct err err = {0};
		double seconds;

		if (history_read(&ops, path, &err))
			bench_die(&err);
		seconds = bench_seconds() - from;
		best = seconds < best ? seconds : best;
		history_ops_fini(&ops);
	}
	return best;
}

static void bench_format(const struct history_ops *ops, const char *dir, enum history_format format,
	const char *what)
{
	const char *name = history_format_names[format];
	double from = bench_seconds();
	struct err err = {0};
	struct stat st = {0};
	char path[64];

	(void)snprintf(path, sizeof path, "%s/history", dir);
	if (history_write(ops, path, format, &err))
		bench_die(&err);
	(void)printf("write %s, %s\t%.2f\ts\t\n", what, name, bench_seconds() - from);
	(void)printf("read %s, %s\t%.2f\ts\t< 1\n", what, name, bench_read(path));
	(void)stat(path, &st);
	(void)printf("size of %s, %s\t%.0f\tMB\t\n", what, name, (double)st.st_size / 1e6);
	(void)unlink(path);
}

/* Reads and writes become reads of a few elements and appends. */
static void bench_lists(struct history_ops *ops)
{
	static uint64_t list[] = {1, 22, 333, 4444};

	ops->list = list;
	ops->lists = sizeof list / sizeof *list;
	for (size_t i = 0; i < ops->count; i++) {
		struct history_op *op = &ops->op[i];

		if (op->kind == HISTORY_READ) {
			op->many = true;
			op->count = (uint32_t)ops->lists;
			op->value = 0;
		} else {
			op->kind = HISTORY_APPEND;
		}
	}
}

int main(void)
{
	const struct draw draw = {.ops = BENCH_OPS, .clients = 10, .keys = 100, .seed = 1};
	struct history_ops ops = draw_history(&draw);
	char dir[] = "/tmp/history-bench-XXXXXX";

	if (!mkdtemp(dir))
		return 1;
	for (enum history_format i = HISTORY_BINARY; i <= HISTORY_EDN; i++)
		bench_format(&ops, dir, i, "1 M operations on registers");
	bench_lists(&ops);
	for (enum history_format i = HISTORY_BINARY; i <= HISTORY_EDN; i++)
		bench_format(&ops, dir, i, "1 M operations on lists");
	ops.list = NULL;
	history_ops_fini(&ops);
	(void)rmdir(dir);
	return 0;
}
