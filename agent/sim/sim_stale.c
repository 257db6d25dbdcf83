/* SPDX-License-Identifier: MIT */
/* sim_stale.c - no read is older than is claimed, see sim_stale.h */
#include "agent/sim/sim_stale.h"

#include <assert.h>
#include <stdlib.h>

/* Clocks of replicas run by so much slower: one in a thousand is more than any does here. */
#define DRIFT 1000

struct wrote {
	uint64_t key;
	uint64_t version;
	uint64_t at_ns;
};

struct sim_stale {
	struct sim *sim;
	uint64_t bound_ns;
	struct wrote *wrote; /* owned */
	size_t count;
	size_t cap;
};

struct sim_stale *sim_stale_open(struct sim *sim, uint64_t bound_ns)
{
	struct sim_stale *s = calloc(1, sizeof(*s));

	assert(s);
	*s = (struct sim_stale){.sim = sim, .bound_ns = bound_ns + bound_ns / DRIFT};
	return s;
}

void sim_stale_close(struct sim_stale *s)
{
	free(s->wrote);
	free(s);
}

void sim_stale_wrote(struct sim_stale *s, uint64_t key, uint64_t version)
{
	if (!s->bound_ns)
		return;
	if (s->count == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 256;
		s->wrote = realloc(s->wrote, s->cap * sizeof(*s->wrote));
		assert(s->wrote);
	}
	s->wrote[s->count++] = (struct wrote){key, version, s->sim->now_ns};
}

void sim_stale_read(
	struct sim_stale *s, unsigned node, uint64_t key, uint64_t since_ns, uint64_t version)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct wrote *w = &s->wrote[i];

		if (w->at_ns + s->bound_ns >= since_ns)
			return; /* they are in the order of their times */
		if (w->key != key || w->version <= version)
			continue;
		sim_fail(s->sim,
			"r%u reads k%llu as of version %llu, %llu ms after %llu was acknowledged",
			node, (unsigned long long)key, (unsigned long long)version,
			(unsigned long long)((since_ns - w->at_ns) / NS_PER_MS),
			(unsigned long long)w->version);
		return;
	}
}
