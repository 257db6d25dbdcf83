/* SPDX-License-Identifier: MIT */
/*
 * sim_shrink.c - leave out what a violation does not need
 *
 * Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input",
 * IEEE TSE 28(2), 2002) over the script of a run: first whole features of the world, then faults,
 * then clients, then operations. A run counts if it ends with the same kind of violation. Runs are
 * processes of their own, for an assertion that fails is a violation, too.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sim/sim_script.h"

#define TRIES_MAX 3000
#define KIND_MAX 64

struct shrink {
	struct sim_seeds seeds;
	uint64_t seed;
	struct sim_script script;
	bool *keep;
	unsigned tries;
	char kind[KIND_MAX];
	struct sim_outcome last; /* of the smallest run so far */
};

/* The words of a violation up to the first colon, without numbers: what kind it is. */
static void kind_of(const char *violation, char *ret)
{
	size_t n = 0;

	for (; *violation && *violation != ':' && n < KIND_MAX - 1; violation++)
		if (*violation < '0' || *violation > '9')
			ret[n++] = *violation;
	ret[n] = 0;
}

/* Whether the violation is still there. */
static bool still(struct shrink *s)
{
	struct sim_outcome out;
	char kind[KIND_MAX];
	struct sim_plan plan;

	if (s->tries == TRIES_MAX)
		return false;
	s->tries++;
	sim_seeds_plan(&s->seeds, s->seed, &plan);
	if (!sim_apart(&plan, &out))
		return false;
	kind_of(out.violation, kind);
	if (s->kind[0] && strcmp(kind, s->kind) != 0)
		return false;
	memcpy(s->kind, kind, sizeof(kind));
	s->last = out;
	return true;
}

static void without_features(struct shrink *s)
{
	for (unsigned i = 0; i < SIM_WITHOUT_NR; i++) {
		unsigned before = s->seeds.without;

		s->seeds.without |= 1u << i;
		if (s->seeds.without != before && !still(s))
			s->seeds.without = before;
	}
}

/* Leave out numbers @at[0 .. count - 1]; put them back if that was one too many. */
static bool drop(struct shrink *s, const size_t *at, size_t count)
{
	for (size_t i = 0; i < count; i++)
		s->keep[at[i]] = false;
	if (still(s))
		return true;
	for (size_t i = 0; i < count; i++)
		s->keep[at[i]] = true;
	return false;
}

/* Of the numbers in @at, which all are kept: halves, quarters ... down to single ones. */
static void reduce(struct shrink *s, size_t *at, size_t count)
{
	size_t size = count;

	while (size) {
		bool dropped = false;
		size_t left = 0;

		for (size_t i = 0; i < count; i += size) {
			size_t n = count - i < size ? count - i : size;

			if (drop(s, at + i, n)) {
				dropped = true;
				continue;
			}
			memmove(at + left, at + i, n * sizeof(*at));
			left += n;
		}
		count = left;
		if (size > 1)
			size = (size + 1) / 2;
		else if (!dropped)
			break;
		if (count == 0)
			break;
	}
}

/* Numbers of all faults (@client < 0), or of one client's operations, that are still there. */
static size_t collect(const struct shrink *s, int client, size_t *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < s->script.count; i++) {
		const struct sim_action *a = &s->script.action[i];

		if (s->keep[i] && (client < 0 ? a->kind >= SIM_ACT_OPS
					      : a->kind < SIM_ACT_OPS && a->who == client))
			ret[n++] = i;
	}
	return n;
}

static size_t kept(const struct shrink *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->script.count; i++)
		n += s->keep[i];
	return n;
}

static void reduce_all(struct shrink *s, unsigned clients)
{
	size_t *at = calloc(s->script.count + 1, sizeof(*at));
	size_t before;

	assert(at);
	without_features(s);
	do {
		before = kept(s);
		reduce(s, at, collect(s, -1, at));
		for (unsigned i = 0; i < clients; i++) {
			size_t n = collect(s, (int)i, at);

			if (n)
				drop(s, at, n);
		}
		for (unsigned i = 0; i < clients; i++)
			reduce(s, at, collect(s, (int)i, at));
	} while (kept(s) < before && s->tries < TRIES_MAX);
	free(at);
}

static void print(const struct shrink *s, FILE *out)
{
	fprintf(out, "%zu of %zu operations and faults matter (%u runs):\n", kept(s),
		s->script.count, s->tries);
	for (size_t i = 0; i < s->script.count; i++) {
		struct buf line = {0};

		if (!s->keep[i])
			continue;
		sim_script_print(&s->script.action[i], i, &line);
		fprintf(out, "%.*s\n", (int)line.len, (const char *)line.p);
		buf_fini(&line);
	}
	fprintf(out, "then, at step %" PRIu64 ": %s\n", s->last.steps, s->last.violation);
	sim_seeds_again(&s->seeds, s->seed, out);
}

int sim_shrink(const struct sim_seeds *seeds, uint64_t seed, FILE *out)
{
	struct shrink s = {.seeds = *seeds, .seed = seed};
	struct sim_plan plan;
	bool violated;

	s.seeds.trace = NULL;
	sim_seeds_plan(&s.seeds, seed, &plan);
	sim_script_draw(&plan, &s.script);
	s.keep = calloc(s.script.count + 1, sizeof(*s.keep));
	assert(s.keep);
	for (size_t i = 0; i < s.script.count; i++)
		s.keep[i] = sim_script_kept(&plan, i);
	s.seeds.keep = s.keep;
	s.seeds.keep_count = s.script.count;
	violated = still(&s);
	if (violated) {
		reduce_all(&s, plan.clients);
		print(&s, out);
	}
	sim_script_fini(&s.script);
	free(s.keep);
	return !violated;
}
