/* SPDX-License-Identifier: MIT */
/* advise.c - which of the systems fits what is needed, and what it costs at best */
#include "agent/report/advise.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/report/parts.h"

#define SET PROTO_DOES(PROTO_SET)
/* What differs by less is the same: nobody could measure it. */
#define ALIKE_NS 100000

/*
 * The use cases that textbooks ask about. What each needs is a judgement; it stands here in the
 * terms in which stores make their claims, so that everybody can disagree with it by an option.
 */
static const struct advise_needs uses[] = {
	{"bank", "the balance of a bank account", PROTO_LINEARIZABLE, false, true, false, true, SET,
		50, "semisync",
		"two transfers must not spend the same money: a balance changes only from the value "
		"that was seen, everywhere in one order, and what was acknowledged stays"},
	{"likes", "likes under a post", PROTO_EVENTUAL, true, true, true, false,
		PROTO_DOES(PROTO_INCREASE), 90, "counter",
		"increments commute, so every side may take them at once and none may get lost; a "
		"count that is a moment old harms nobody"},
	{"cart", "a shopping cart", PROTO_EVENTUAL, true, true, true, false, PROTO_DOES(PROTO_ADD),
		70, "conflict",
		"a cart that refuses an article costs a sale, so every side takes it, and what was "
		"put in on two sides must be merged, not overwritten"},
	{"lock", "a lock, or the election of a leader", PROTO_LINEARIZABLE, false, true, false,
		true, SET, 50, "lock",
		"two holders are the one thing that must not happen: compare-and-set in one order, "
		"and who cannot ask a majority holds nothing"},
	{"ingest", "readings of sensors", PROTO_EVENTUAL, true, false, true, false, SET, 5, "hints",
		"readings come without a pause and each stands for itself: they are taken wherever "
		"they arrive, and the loss of a few is tolerable"},
	{"inventory", "the stock of a shop", PROTO_LINEARIZABLE, false, true, false, true, SET, 80,
		"inventory",
		"the last article is sold once: the stock is decremented only from what it is"},
	{"profile", "a user's profile", PROTO_CAUSAL_CONVERGENT, true, false, true, false, SET, 95,
		"sessions",
		"users must see what they have just changed, and an answer never before what it "
		"answers, on whichever side they are; others may see it later, and of two changes at "
		"once on two sides one may win"},
};

const struct advise_needs *advise_use(unsigned i)
{
	return i < sizeof uses / sizeof *uses ? &uses[i] : NULL;
}

const struct advise_needs *advise_find(const char *name)
{
	const struct advise_needs *use;

	for (unsigned i = 0; (use = advise_use(i)); i++)
		if (strcmp(use->name, name) == 0)
			return use;
	return NULL;
}

/* --- does it fit? --- */

static void lack(struct advice *a, const char *what)
{
	words_add(a->why, sizeof a->why, "%s%s", a->why[0] ? ", " : "", what);
	a->fits = false;
}

/* Whether a claim may lose what the use needs kept: of merged types, other rules hold. */
static bool may_lose(const struct advise_needs *needs, const struct proto_claim *claim)
{
	return claim->loses_acked && (needs->does & ~claim->merges);
}

static void judge(
	struct advice *a, const struct advise_needs *needs, const struct proto_claim *claim)
{
	char words[ADVISE_WHY_MAX];

	a->fits = true;
	if (claim->whole > needs->model || claim->cut > needs->model) {
		(void)snprintf(words, sizeof words, "claims no more than %s",
			proto_model_names[claim->cut > claim->whole ? claim->cut : claim->whole]);
		lack(a, words);
	}
	if (claim->one_copy)
		lack(a, "has one copy");
	if (needs->minority && claim->writes_cut != PROTO_SIDES_ALL)
		lack(a, "not every side of a cut can write");
	if (!needs->minority && claim->writes_cut != PROTO_SIDES_ALL &&
		claim->writes_cut != PROTO_SIDES_MAJORITY)
		lack(a, "a cut can stop all writes");
	if (needs->lossless && may_lose(needs, claim))
		lack(a, "may lose acknowledged writes");
	if (claim->needs_clocks && !needs->clocks)
		lack(a, "relies on clocks");
	if (needs->cas && !claim->cas)
		lack(a, "has no compare-and-set");
	for (unsigned op = 0; op < PROTO_OP_NR; op++) {
		if (!(needs->does & PROTO_DOES(op)) || claim->does & PROTO_DOES(op))
			continue;
		(void)snprintf(words, sizeof words, "does no '%s'", proto_op_names[op]);
		lack(a, words);
	}
}

/* --- what it costs at best --- */

struct cost {
	uint64_t read_ns;
	uint64_t write_ns;
	uint64_t read_worst_ns;
	uint64_t write_worst_ns;
	uint64_t cost_ns;
};

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Clients of each site talk to its first replica, from beside it. */
static struct cost cost_with(const struct system *system, struct proto_floor_query *q,
	const struct advise_sites *s, unsigned reads)
{
	struct cost cost = {0};
	unsigned contact = 0;

	for (unsigned i = 0; i < s->sites; contact += s->replicas[i++]) {
		uint64_t read, write;

		q->contact = contact;
		q->level = PROTO_DEFAULT;
		q->write = false;
		read = system->ops->floor_ns(q);
		q->write = true;
		write = system->ops->floor_ns(q);
		cost.read_ns += read;
		cost.write_ns += write;
		cost.read_worst_ns = larger(cost.read_worst_ns, read);
		cost.write_worst_ns = larger(cost.write_worst_ns, write);
	}
	cost.read_ns /= s->sites;
	cost.write_ns /= s->sites;
	cost.cost_ns = cost.read_ns / 100 * reads + cost.write_ns / 100 * (100 - reads);
	return cost;
}

/* By whichever leader it is the fastest. */
static void take_cost(struct advice *a, const struct advise_needs *needs,
	const struct advise_sites *s, const struct proto_config *config, const uint64_t *rtt_ns)
{
	struct cost best = {.cost_ns = UINT64_MAX};
	uint64_t slowest = 0;
	unsigned leader = 0;

	a->leader = -1;
	for (unsigned i = 0; i < s->sites; leader += s->replicas[i++]) {
		struct proto_config led = *config;
		struct proto_floor_query q = {.cfg = &led, .rtt_ns = rtt_ns, .leader = (int)leader};
		struct cost cost;

		led.leader = (int)leader;
		cost = cost_with(a->system, &q, s, needs->reads);
		slowest = larger(slowest, cost.cost_ns);
		if (cost.cost_ns >= best.cost_ns)
			continue;
		best = cost;
		a->leader = (int)i;
	}
	if (slowest == best.cost_ns)
		a->leader = -1;
	a->read_ns = best.read_ns;
	a->write_ns = best.write_ns;
	a->read_worst_ns = best.read_worst_ns;
	a->write_worst_ns = best.write_worst_ns;
	a->cost_ns = best.cost_ns;
}

/* Between replicas, from what is between their sites. */
static unsigned expand(const struct advise_sites *s, uint64_t *rtt_ns)
{
	unsigned site[ADVISE_REPLICAS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < s->sites; i++)
		for (unsigned k = 0; k < s->replicas[i]; k++) {
			assert(n < ADVISE_REPLICAS_MAX);
			site[n++] = i;
		}
	for (unsigned a = 0; a < n; a++)
		for (unsigned b = 0; b < n; b++)
			rtt_ns[(size_t)a * n + b] = a == b ? 0 : s->rtt_ns[site[a]][site[b]];
	return n;
}

/* A protocol under its own name; others are settings that people run. */
static bool plain(const struct advice *a)
{
	return strcmp(a->system->name, a->system->ops->name) == 0;
}

static uint64_t alike(uint64_t ns)
{
	return (ns + ALIKE_NS / 2) / ALIKE_NS;
}

/* Those that fit, then the cheaper, then systems before plain protocols, then as in the table. */
static int by_fit(const void *a, const void *b)
{
	const struct advice *x = a, *y = b;

	if (x->fits != y->fits)
		return x->fits ? -1 : 1;
	if (alike(x->cost_ns) != alike(y->cost_ns))
		return x->cost_ns < y->cost_ns ? -1 : 1;
	if (plain(x) != plain(y))
		return plain(y) ? -1 : 1;
	return (x->system > y->system) - (x->system < y->system);
}

unsigned advise(const struct advise_needs *needs, const struct advise_sites *sites,
	struct advice ret[ADVISE_SYSTEMS_MAX])
{
	uint64_t rtt_ns[ADVISE_REPLICAS_MAX * ADVISE_REPLICAS_MAX];
	unsigned nodes = expand(sites, rtt_ns);
	unsigned n = 0;

	for (; system_list(n); n++) {
		struct proto_config config;
		struct proto_claim claim;

		assert(n < ADVISE_SYSTEMS_MAX);
		ret[n] = (struct advice){.system = system_list(n)};
		system_config(ret[n].system, nodes, &config);
		ret[n].system->ops->claim(&config, &claim);
		judge(&ret[n], needs, &claim);
		take_cost(&ret[n], needs, sites, &config, rtt_ns);
	}
	qsort(ret, n, sizeof *ret, by_fit);
	return n;
}
