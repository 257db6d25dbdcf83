/* SPDX-License-Identifier: MIT */
/*
 * main.c - runs a fuzz target without a fuzzer: its corpus, then seeded mutations of it
 *
 *	tests/fuzz/NAME_fuzz           all of tests/fuzz/corpus/NAME, then mutations for a second
 *	tests/fuzz/NAME_fuzz FILE...   only these inputs
 *
 * Mutation number i of seed s is always the same input, whatever ran before it, so what a crash
 * prints is enough to repeat it: FUZZ_SEED=s FUZZ_RUN=i. FUZZ_MS sets another time. `make fuzz`
 * builds the same targets for libFuzzer, which looks at coverage and searches on.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/prng.h"
#include "tests/fuzz/fuzz.h"

#define INPUTS_MAX 1024
#define INPUT_SIZE_MAX 65536
#define STEPS_MAX 6 /* mutations on top of each other */
#define CHUNK_MAX 64
#define HANG_SECONDS 10
#define DEFAULT_MS 1000

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

struct input {
	uint8_t *p;
	size_t len;
};

static struct {
	char name[64];
	struct input corpus[INPUTS_MAX];
	unsigned inputs;
	char doing[PATH_MAX + 64]; /* what a crash says */
} fuzz;

/* Only what a signal handler may call. */
static void say_what_crashed(void)
{
	ssize_t n = write(STDOUT_FILENO, fuzz.doing, strlen(fuzz.doing));

	(void)n;
}

static void on_crash(int number)
{
	say_what_crashed();
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

static void watch_crashes(void)
{
	static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGALRM};

	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(say_what_crashed);
	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
		(void)signal(numbers[i], on_crash);
}

/* In a block of exactly its size, so that a sanitizer sees the first byte read beyond it. */
static void run_input(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		abort();
	if (len > 0)
		memcpy(copy, bytes, len);
	(void)alarm(HANG_SECONDS);
	(void)LLVMFuzzerTestOneInput(copy, len);
	(void)alarm(0);
	free(copy);
}

static int read_input(const char *path, struct input *ret)
{
	FILE *in = fopen(path, "rb");

	if (!in)
		return -errno;
	ret->p = malloc(INPUT_SIZE_MAX);
	if (!ret->p)
		abort();
	ret->len = fread(ret->p, 1, INPUT_SIZE_MAX, in);
	(void)fclose(in);
	return 0;
}

static int run_file(const char *path)
{
	struct input *input = &fuzz.corpus[fuzz.inputs];
	int rc;

	if (fuzz.inputs == INPUTS_MAX)
		return -E2BIG;
	rc = read_input(path, input);
	if (rc < 0)
		return rc;
	fuzz.inputs++;
	(void)snprintf(fuzz.doing, sizeof fuzz.doing, "# with the input %s\n", path);
	run_input(input->p, input->len);
	return 0;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* In the order of names: the number of an input is part of what a seed means. */
static int run_corpus(void)
{
	struct dirent **entries;
	char path[PATH_MAX];
	char folder[128];
	int rc = 0;
	int n;

	(void)snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", fuzz.name);
	n = scandir(folder, &entries, visible, alphasort);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		if (rc == 0)
			rc = run_file(path);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

/* Bytes that parsers look at: ends of lines, signs, digits, and the edges of integers. */
static uint8_t telling_byte(struct prng *prng)
{
	static const uint8_t bytes[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe, '\r', '\n', '0', '9',
		'-', '+', '$', '*', ' ', '"'};

	return bytes[prng_below(prng, sizeof bytes)];
}

/* Put @n bytes at @at: of @from, or random ones. */
static void insert(struct input *m, size_t at, const uint8_t *from, size_t n, struct prng *prng)
{
	if (m->len + n > INPUT_SIZE_MAX)
		return;
	memmove(m->p + at + n, m->p + at, m->len - at);
	for (size_t i = 0; i < n; i++)
		m->p[at + i] = from ? from[i] : (uint8_t)prng_next(prng);
	m->len += n;
}

static void mutate_once(struct input *m, struct prng *prng)
{
	const struct input *other = &fuzz.corpus[prng_below(prng, fuzz.inputs)];
	size_t at = prng_below(prng, m->len + 1);
	size_t n = 1 + prng_below(prng, CHUNK_MAX);
	size_t from;

	switch (prng_below(prng, 7)) {
	case 0:
		if (at < m->len)
			m->p[at] ^= (uint8_t)(1u << prng_below(prng, 8));
		break;
	case 1:
		if (at < m->len)
			m->p[at] = telling_byte(prng);
		break;
	case 2:
		m->len = at;
		break;
	case 3: /* take out */
		n = n < m->len - at ? n : m->len - at;
		memmove(m->p + at, m->p + at + n, m->len - at - n);
		m->len -= n;
		break;
	case 4:
		insert(m, at, NULL, n, prng);
		break;
	case 5: /* a length or a counter, off by a little */
		if (at < m->len)
			m->p[at] = (uint8_t)(m->p[at] + prng_below(prng, 9) - 4);
		break;
	default: /* splice */
		from = prng_below(prng, other->len + 1);
		n = prng_below(prng, other->len - from + 1);
		insert(m, at, other->p + from, n, prng);
		break;
	}
}

static void run_mutation(uint64_t seed, uint64_t number)
{
	static uint8_t bytes[INPUT_SIZE_MAX];
	const struct input *base;
	struct input m = {.p = bytes};
	struct prng prng;
	uint64_t steps;

	prng_init(&prng, seed, number);
	base = &fuzz.corpus[prng_below(&prng, fuzz.inputs)];
	if (base->len > 0)
		memcpy(bytes, base->p, base->len);
	m.len = base->len;
	steps = 1 + prng_below(&prng, STEPS_MAX);
	while (steps--)
		mutate_once(&m, &prng);
	(void)snprintf(fuzz.doing, sizeof fuzz.doing,
		"# repeat with FUZZ_SEED=%llu FUZZ_RUN=%llu: an input of %zu bytes\n",
		(unsigned long long)seed, (unsigned long long)number, m.len);
	run_input(m.p, m.len);
}

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void run_mutations(void)
{
	uint64_t seed = number_of("FUZZ_SEED", 1);
	uint64_t until = clock_now_ns() + number_of("FUZZ_MS", DEFAULT_MS) * NS_PER_MS;
	uint64_t number = 0;

	if (getenv("FUZZ_RUN")) {
		run_mutation(seed, number_of("FUZZ_RUN", 0));
		return;
	}
	while (clock_now_ns() < until)
		run_mutation(seed, number++);
	(void)printf("# %llu mutations of %u inputs, seed %llu\n", (unsigned long long)number,
		fuzz.inputs, (unsigned long long)seed);
}

/* "resp" of ".../resp_fuzz". */
static void set_name(const char *program)
{
	const char *base = strrchr(program, '/');
	char *end;

	(void)snprintf(fuzz.name, sizeof fuzz.name, "%s", base ? base + 1 : program);
	end = strstr(fuzz.name, "_fuzz");
	if (end)
		*end = '\0';
}

int main(int argc, char **argv)
{
	int rc;

	set_name(argv[0]);
	watch_crashes();
	for (int i = 1; i < argc; i++) {
		rc = run_file(argv[i]);
		if (rc < 0) {
			(void)fprintf(stderr, "%s: %s\n", argv[i], strerror(-rc));
			return 1;
		}
	}
	if (argc > 1)
		return 0;

	(void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	(void)printf("1..2\n");
	rc = run_corpus();
	if (rc < 0 || fuzz.inputs == 0) {
		(void)printf(
			"# tests/fuzz/corpus/%s: %s\nnot ok 1 - %s_fuzz__survives_its_corpus\n",
			fuzz.name, rc < 0 ? strerror(-rc) : "no inputs", fuzz.name);
		return 1;
	}
	(void)printf("ok 1 - %s_fuzz__survives_its_corpus\n", fuzz.name);
	run_mutations();
	(void)printf("ok 2 - %s_fuzz__survives_mutations\n", fuzz.name);
	for (unsigned i = 0; i < fuzz.inputs; i++)
		free(fuzz.corpus[i].p);
	return 0;
}
