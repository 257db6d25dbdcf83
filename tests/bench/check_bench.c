/* SPDX-License-Identifier: MIT */
/*
 * check_bench.c - seconds and memory that the linearizability checker takes for a million
 * operations
 *
 * Prints name, value, unit and goal, separated by tabs. Each question is asked in a process of its
 * own, so that the peak of its memory is its own: what the checker added to the history it was
 * given.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/check/check.h"
#include "agent/check/models.h"
#include "tests/check/draw.h"

#define BENCH_OPS 1000000
#define BENCH_TIME_NS (60 * NS_PER_S)

struct bench {
	const char *name;
	struct draw draw;
	const char *seconds_goal;
	bool stale; /* one read at nine tenths of the way answers an old value */
};

static const struct bench benches[] = {
	{"register, 10 clients on 1 key", {.clients = 10, .keys = 1}, "< 0.3", false},
	{"register, 50 clients on 1 key", {.clients = 50, .keys = 1}, "< 0.6", false},
	{"register, 10 clients on 1 key, one stale read", {.clients = 10, .keys = 1}, "", true},
	{"register, 10 clients on 1000 keys", {.clients = 10, .keys = 1000}, "", false},
	{"compare-and-set over 5 values, 10 clients on 1 key",
		{.clients = 10, .keys = 1, .cas = 33, .domain = 5}, "< 1", false},
	{"compare-and-set of unique values, 10 clients on 1 key",
		{.clients = 10, .keys = 1, .cas = 33}, "", false},
	{"compare-and-set of unique values, 50 clients on 1 key",
		{.clients = 50, .keys = 1, .cas = 33}, "", false},
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

static void bench_run(const struct bench *b)
{
	const struct check_budget budget = {.time_ns = BENCH_TIME_NS};
	struct draw draw = b->draw;
	struct check_result result;
	struct history_ops h;
	struct err err = {0};
	double before;

	draw.ops = BENCH_OPS;
	draw.seed = 1;
	h = draw_history(&draw);
	if (b->stale)
		spoil(&h);
	before = memory_begin();
	if (linearizable_ops.check(&h, &budget, NULL, &result, &err))
		_exit(1);
	printf("%s: %s\t%.3f\ts\t%s\n", b->name, check_verdict_names[result.verdict],
		result.seconds, b->seconds_goal);
	printf("%s: memory\t%.0f\tB/operation\t< 300\n", b->name,
		(status_bytes("VmHWM") - before) / BENCH_OPS);
	history_ops_fini(&h);
	(void)fflush(stdout);
}

int main(void)
{
	int failed = 0;

	for (size_t i = 0; i < sizeof benches / sizeof *benches; i++) {
		pid_t pid = fork();
		int status = 1;

		if (pid == 0) {
			bench_run(&benches[i]);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			failed = 1;
	}
	return failed;
}
