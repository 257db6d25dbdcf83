/* SPDX-License-Identifier: MIT */
/*
 * check_bench.c - seconds and memory that the checkers take for a million operations, and the
 * readers of histories
 *
 * Prints name, value, unit and goal, separated by tabs. Each question is asked in a process of its
 * own, so that the peak of its memory is its own: what the checker added to the history it was
 * given.
 */
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/check/check.h"
#include "agent/check/measures.h"
#include "agent/check/models.h"
#include "tests/check/draw.h"
#include "tests/check/large.h"

#define BENCH_OPS 1000000
#define BENCH_TIME_NS (20 * NS_PER_S)
#define BENCH_MEMORY_BYTES (4ull << 30)

struct bench {
	const char *name;
	struct draw draw;
	const char *seconds_goal;
	size_t unknown; /* writes whose answers did not arrive */
	bool stale;     /* one read at nine tenths of the way answers an old value */
};

static const struct bench benches[] = {
	{"register, 10 clients on 1 key", {.clients = 10, .keys = 1}, "< 0.3", 0, false},
	{"register, 50 clients on 1 key", {.clients = 50, .keys = 1}, "< 0.6", 0, false},
	{"register, 10 clients on 1 key, one stale read", {.clients = 10, .keys = 1}, "", 0, true},
	{"register, 10 clients on 1000 keys", {.clients = 10, .keys = 1000}, "", 0, false},
	{"compare-and-set over 5 values, 10 clients on 1 key",
		{.clients = 10, .keys = 1, .cas = 33, .domain = 5}, "< 1", 0, false},
	{"compare-and-set over 5 values, 10 clients on 1000 keys",
		{.clients = 10, .keys = 1000, .cas = 33, .domain = 5}, "", 0, false},
	{"compare-and-set of unique values, 10 clients on 1 key",
		{.clients = 10, .keys = 1, .cas = 33}, "", 0, false},
	{"compare-and-set of unique values, 50 clients on 1 key",
		{.clients = 50, .keys = 1, .cas = 33}, "", 0, false},
	/* What makes a search give up elsewhere. */
	{"hard: 10,000 operations, 10 clients on 1 key, 27 unknown writes, one stale read",
		{.ops = 10000, .clients = 10, .keys = 1}, "", 27, true},
	{"hard: the same over 50 values", {.ops = 10000, .clients = 10, .keys = 1, .domain = 50},
		"", 27, true},
	{"hard: 10,000 compare-and-set over 5 values, 50 clients with pauses on 1 key",
		{.ops = 10000, .clients = 50, .pauses = true, .keys = 1, .cas = 33, .domain = 5},
		"", 0, false},
	{"hard: 100,000 of them",
		{.ops = 100000, .clients = 50, .pauses = true, .keys = 1, .cas = 33, .domain = 5},
		"", 0, false},
	{"hard: 10,000 without pauses",
		{.ops = 10000, .clients = 50, .keys = 1, .cas = 33, .domain = 5}, "", 0, false},
	{"hard: 100,000 without pauses",
		{.ops = 100000, .clients = 50, .keys = 1, .cas = 33, .domain = 5}, "", 0, false},
};

/* A figure of /proc/self/status, in bytes; 0 if there is none. */
static double status_bytes(const char *name)
{
	FILE *in = fopen("/proc/self/status", "re");
	char line[256];
	double kib = 0;

	while (in && fgets(line, sizeof line, in))
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtod(line + strlen(name) + 1, NULL);
	if (in)
		(void)fclose(in);
	return kib * 1024;
}

/* What drawing the history took is not the checker's: give it back, forget the peak. */
static double memory_begin(void)
{
	FILE *out;

	(void)malloc_trim(0);
	out = fopen("/proc/self/clear_refs", "we");
	if (out) {
		(void)fputs("5", out);
		(void)fclose(out);
	}
	return status_bytes("VmRSS");
}

static void spoil(struct history_ops *h)
{
	size_t i = h->count / 10 * 9;

	while (h->op[i].kind != HISTORY_READ)
		i++;
	h->op[i].value = 1;
	for (size_t k = 0; k < h->count && h->op[i].value == 1; k++)
		if (h->op[k].kind == HISTORY_WRITE && k < i / 2)
			h->op[i].value = h->op[k].value;
}

/* The answers of some writes did not arrive; their clients go on all the same. */
static void forget(struct history_ops *h, size_t writes)
{
	for (size_t n = 1; n <= writes; n++) {
		struct history_op *op = &h->op[h->count * n / (writes + 1)];

		while (op->kind != HISTORY_WRITE)
			op++;
		op->outcome = HISTORY_UNKNOWN;
		op->t_return_ns = UINT64_MAX;
	}
}

/* Judge, and print what it took. */
static void bench_check(const char *name, const struct check_ops *model,
	const struct history_ops *h, unsigned jobs, const char *goal)
{
	const struct check_budget budget = {
		.time_ns = BENCH_TIME_NS, .memory_bytes = BENCH_MEMORY_BYTES, .jobs = jobs};
	struct check_result result;
	struct err err = {0};
	double before = memory_begin();
	uint64_t cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (model->check(h, &budget, NULL, &result, &err)) {
		fprintf(stderr, "%s: %s\n", name, err.text);
		_exit(1);
	}
	printf("%s: %s\t%.3f\ts\t%s\n", name, check_verdict_names[result.verdict], result.seconds,
		goal);
	cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	printf("%s: processors\t%.3f\ts\t\n", name, (double)cpu_ns / 1e9);
	printf("%s: memory\t%.0f\tB/operation\t< 300\n", name,
		(status_bytes("VmHWM") - before) / (double)h->count);
}

static void bench_run(size_t i)
{
	const struct bench *b = &benches[i];
	struct draw draw = b->draw;
	struct history_ops h;

	draw.ops = draw.ops ? draw.ops : BENCH_OPS;
	draw.seed = 1;
	h = draw_history(&draw);
	forget(&h, b->unknown);
	if (b->stale)
		spoil(&h);
	bench_check(b->name, &linearizable_ops, &h, 1, b->seconds_goal);
	history_ops_fini(&h);
}

/* Independent keys on several threads. */
static void bench_jobs(size_t i)
{
	const struct draw draw = {
		.ops = BENCH_OPS, .clients = 10, .keys = 1000, .cas = 33, .domain = 5, .seed = 1};
	struct history_ops h = draw_history(&draw);
	char name[96];

	(void)snprintf(name, sizeof name, "compare-and-set over 5 values, 1000 keys, %zu thread%s",
		i + 1, i ? "s" : "");
	bench_check(name, &linearizable_ops, &h, (unsigned)i + 1, "");
	history_ops_fini(&h);
}

/* What is done besides reading, by type; a read stands for types that are not drawn. */
static const enum history_kind bench_kinds[CHECK_TYPE_NR] = {
	[CHECK_LIST] = HISTORY_APPEND,
	[CHECK_SET] = HISTORY_ADD,
	[CHECK_COUNTER] = HISTORY_INCREASE,
	[CHECK_BANK] = HISTORY_TRANSFER,
	[CHECK_TRANSACTIONS] = HISTORY_TRANSACTION,
};

static bool bench_can_draw(const struct check_ops *model)
{
	return model != &linearizable_ops &&
	       (model->type == CHECK_REGISTER || bench_kinds[model->type] != HISTORY_READ);
}

/* A model of the table on as many operations as the others, of its own type. */
static void bench_model(size_t i)
{
	const struct draw draw = {.ops = BENCH_OPS, .clients = 10, .keys = 1000, .seed = 1};
	const struct check_ops *model = check_list((unsigned)i);
	char name[96];

	(void)snprintf(
		name, sizeof name, "model %s of %s", model->name, check_type_names[model->type]);
	if (model->type == CHECK_REGISTER) {
		struct history_ops h = draw_history(&draw);

		bench_check(name, model, &h, 1, "");
		history_ops_fini(&h);
	} else {
		struct large *l = large_draw(bench_kinds[model->type], BENCH_OPS);

		bench_check(name, model, &l->h, 1, "");
		large_free(l);
	}
}

/* How fast a history of a million operations is read. */
static void bench_format(size_t i)
{
	const struct draw draw = {.ops = BENCH_OPS, .clients = 10, .keys = 1000, .seed = 1};
	struct history_ops h = draw_history(&draw);
	const char *dir = getenv("TMPDIR");
	struct err err = {0};
	char path[256];
	struct stat st;
	uint64_t begin;
	double seconds;

	(void)snprintf(path, sizeof path, "%s/check-bench-%d.%s", dir ? dir : "/tmp", (int)getpid(),
		history_format_names[i]);
	if (history_write(&h, path, (enum history_format)i, &err) || stat(path, &st) != 0) {
		fprintf(stderr, "%s: %s\n", path, err.text);
		_exit(1);
	}
	history_ops_fini(&h);
	begin = clock_now_ns();
	if (history_read(&h, path, &err)) {
		fprintf(stderr, "%s\n", err.text);
		(void)unlink(path);
		_exit(1);
	}
	seconds = (double)(clock_now_ns() - begin) / 1e9;
	printf("read %s, %.0f MB\t%.3f\ts\t< 1\n", history_format_names[i],
		(double)st.st_size / 1e6, seconds);
	(void)unlink(path);
	history_ops_fini(&h);
}

static void bench_measures(size_t i)
{
	const struct draw draw = {.ops = BENCH_OPS, .clients = 10, .keys = 1000, .seed = 1};
	struct history_ops h = draw_history(&draw);
	uint64_t begin = clock_now_ns();
	struct measures m;

	(void)i;
	measures_take(&h, NULL, &m);
	printf("measures of a register, 1000 keys\t%.3f\ts\t\n",
		(double)(clock_now_ns() - begin) / 1e9);
	history_ops_fini(&h);
}

/* In a process of its own. Return: whether it went well. */
static bool bench_apart(void (*run)(size_t i), size_t i)
{
	int status = 1;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		run(i);
		(void)fflush(stdout);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int main(void)
{
	bool good = true;

	for (size_t i = 0; i < sizeof benches / sizeof *benches; i++)
		good &= bench_apart(bench_run, i);
	for (size_t i = 0; i < 2; i++)
		good &= bench_apart(bench_jobs, i);
	for (size_t i = 0; check_list((unsigned)i); i++)
		if (bench_can_draw(check_list((unsigned)i)))
			good &= bench_apart(bench_model, i);
	good &= bench_apart(bench_measures, 0);
	for (size_t i = 0; i < HISTORY_LOG; i++)
		if (i != HISTORY_JSON)
			good &= bench_apart(bench_format, i);
	return !good;
}
