/* SPDX-License-Identifier: MIT */
/* gen.c - what one client does and when */
#include "agent/load/gen.h"

#include <assert.h>

#include "agent/base/clock.h"

/* Streams of the lab's seed from here on belong to clients. */
#define GEN_STREAM_FIRST 0x10000u
/* From here on to their ways from replica to replica. */
#define GEN_STREAM_WAYS 0x20000u

_Static_assert(PLAN_SITES_MAX *PLAN_CLIENTS_PER_SITE_MAX <= GEN_STREAM_WAYS - GEN_STREAM_FIRST,
	"a stream for each client");

/* A mean gap that no run sees the end of: some 30 years. */
#define IDLE_NS 1e18

static bool grows(enum plan_workload workload)
{
	return workload == PLAN_LIST || workload == PLAN_SET || workload == PLAN_TRANSACTIONS;
}

static double life_ns(const struct plan_load *load)
{
	return grows(load->workload) ? (double)GEN_LIFE * load->keys / load->rate * (double)NS_PER_S
				     : 0;
}

uint64_t gen_keys(const struct plan *plan, uint64_t span_ns)
{
	const struct plan_load *load = &plan->load;
	double life = life_ns(load);

	if (load->workload == PLAN_BANK || load->workload == PLAN_PURSE)
		return 1;
	return load->keys * (life > 0 ? (uint64_t)((double)span_ns / life) + 1 : 1);
}

void gen_init(
	struct gen *g, const struct plan *plan, unsigned site, unsigned client, uint64_t start_ns)
{
	const struct plan_load *load = &plan->load;
	const struct plan_site *own = plan->site[site].own ? &plan->site[site] : NULL;
	double share = plan_site_share(plan, site);

	assert(load->read + load->write + load->cas == 100 && load->rate > 0);
	*g = (struct gen){
		.start_ns = start_ns,
		.number = (uint64_t)site * load->clients_per_site + client,
		.clients = (uint64_t)plan->sites * load->clients_per_site,
		.workload = load->workload,
		.life_ns = life_ns(load),
		.keys = load->keys,
		.read = own ? own->read : load->read,
		.write = own ? own->write : load->write,
		.roam = load->roam,
		.replicas = plan->replicas,
		.replica = plan_contact(plan, site, client),
	};
	/* Who has no share waits for longer than any run. */
	g->mean_ns = share > 0 ? load->clients_per_site / (share * load->rate) * (double)NS_PER_S
			       : IDLE_NS;
	for (unsigned i = 0; load->one_writer && i < plan->sites; i++) {
		unsigned writers = plan_site_writes(plan, i) ? load->clients_per_site : 0;

		g->writer += i < site ? writers : 0;
		g->writers += writers;
	}
	g->writer += client;
	prng_init(&g->prng, plan->seed, GEN_STREAM_FIRST + g->number);
	prng_init(&g->way, plan->seed, GEN_STREAM_WAYS + g->number);
}

/* The keys of one writer, by turns. */
static uint64_t own_key(const struct gen *g)
{
	uint64_t own = (g->keys - g->writer + g->writers - 1) / g->writers;

	return g->writer + g->writers * (g->writes % own);
}

static uint64_t next_key(struct gen *g)
{
	uint64_t generation = g->life_ns > 0 ? (uint64_t)(g->at_ns / g->life_ns) : 0;

	return generation * g->keys + prng_below(&g->prng, g->keys);
}

/* The clients' numbers interleave: small values for people, and no two the same. */
static uint64_t next_value(struct gen *g)
{
	return g->writes++ * g->clients + g->number + 1;
}

static enum history_kind next_kind(struct gen *g)
{
	static const enum history_kind change[PLAN_WORKLOAD_NR] = {
		[PLAN_LIST] = HISTORY_APPEND,
		[PLAN_SET] = HISTORY_ADD,
		[PLAN_COUNTER] = HISTORY_INCREASE,
		[PLAN_BANK] = HISTORY_TRANSFER,
		[PLAN_LOCK] = HISTORY_CAS,
		[PLAN_INVENTORY] = HISTORY_INCREASE,
		[PLAN_PURSE] = HISTORY_TRANSFER,
	};
	uint64_t dice = prng_below(&g->prng, 100);

	if (g->workload == PLAN_TRANSACTIONS)
		return HISTORY_TRANSACTION;
	if (dice < g->read)
		return HISTORY_READ;
	if (g->workload != PLAN_REGISTER)
		return change[g->workload];
	return dice < g->read + g->write ? HISTORY_WRITE : HISTORY_CAS;
}

static void next_transfer(struct gen *g, struct gen_op *ret)
{
	ret->key = 0;
	ret->from = (uint16_t)prng_below(&g->prng, g->keys);
	ret->to = (uint16_t)prng_below(&g->prng, g->keys - 1);
	ret->to = (uint16_t)(ret->to + (ret->to >= ret->from));
	ret->value = 1 + prng_below(&g->prng, 5);
}

static void next_transaction(struct gen *g, struct gen_op *ret)
{
	ret->steps = 1 + (unsigned)prng_below(&g->prng, GEN_STEPS_MAX);
	for (unsigned i = 0; i < ret->steps; i++) {
		struct history_micro *step = &ret->step[i];
		bool reads = prng_below(&g->prng, 100) < g->read;

		*step = (struct history_micro){
			.key = i == 0 ? ret->key : next_key(g),
			.kind = reads ? HISTORY_READ : HISTORY_APPEND,
			.value = reads ? 0 : next_value(g),
		};
	}
}

/* Any of the others, each as often. */
static void roam(struct gen *g)
{
	unsigned to;

	if (g->roam == 0 || prng_below(&g->way, 100) >= g->roam)
		return;
	to = (unsigned)prng_below(&g->way, g->replicas - 1);
	g->replica = to + (to >= g->replica);
}

void gen_next(struct gen *g, struct gen_op *ret)
{
	roam(g);
	*ret = (struct gen_op){.workload = g->workload, .replica = (uint16_t)g->replica};
	g->at_ns += prng_exp(&g->prng, g->mean_ns);
	ret->t_intended_ns = g->start_ns + (uint64_t)g->at_ns;
	ret->key = next_key(g);
	ret->kind = next_kind(g);
	if (ret->kind == HISTORY_WRITE && g->writers > 0)
		ret->key = own_key(g);
	if (ret->kind == HISTORY_TRANSFER)
		next_transfer(g, ret);
	else if (ret->kind == HISTORY_TRANSACTION)
		next_transaction(g, ret);
	else if (ret->kind == HISTORY_INCREASE)
		ret->value = 1 + prng_below(&g->prng, 5);
	else if (ret->kind != HISTORY_READ)
		ret->value = next_value(g);
	else if (g->workload == PLAN_BANK || g->workload == PLAN_PURSE)
		ret->key = 0;
	/* A client that gives a lock back needs a value whatever was drawn. */
	if (g->workload == PLAN_LOCK && ret->kind == HISTORY_READ)
		ret->value = next_value(g);
}
