/* SPDX-License-Identifier: MIT */
/* gen.c - what one client does and when */
#include "agent/load/gen.h"

#include <assert.h>

#include "agent/base/clock.h"

/* Streams of the lab's seed from here on belong to clients. */
#define GEN_STREAM_FIRST 0x10000u

void gen_init(
	struct gen *g, const struct plan *plan, unsigned site, unsigned client, uint64_t start_ns)
{
	const struct plan_load *load = &plan->load;

	assert(load->read + load->write + load->cas == 100 && load->rate > 0);
	*g = (struct gen){
		.start_ns = start_ns,
		.number = (uint64_t)site * load->clients_per_site + client,
		.clients = (uint64_t)plan->sites * load->clients_per_site,
		.keys = load->keys,
		.read = load->read,
		.write = load->write,
	};
	g->mean_ns = (double)g->clients / load->rate * (double)NS_PER_S;
	prng_init(&g->prng, plan->seed, GEN_STREAM_FIRST + g->number);
}

void gen_next(struct gen *g, struct gen_op *ret)
{
	uint64_t dice;

	g->at_ns += prng_exp(&g->prng, g->mean_ns);
	ret->t_intended_ns = g->start_ns + (uint64_t)g->at_ns;
	ret->key = prng_below(&g->prng, g->keys);
	dice = prng_below(&g->prng, 100);
	ret->kind = HISTORY_CAS;
	if (dice < g->read)
		ret->kind = HISTORY_READ;
	else if (dice < g->read + g->write)
		ret->kind = HISTORY_WRITE;
	ret->value = 0;
	/* The clients' numbers interleave: small values for people, and no two the same. */
	if (ret->kind != HISTORY_READ)
		ret->value = g->writes++ * g->clients + g->number + 1;
}
