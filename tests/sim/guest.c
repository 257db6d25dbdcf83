/* SPDX-License-Identifier: MIT */
/* guest.c - one client that goes from replica to replica, and expects there what is claimed */
#include "tests/sim/guest.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define POLL_NS (10 * NS_PER_MS)

struct guest guest_open(const struct sim_config *config)
{
	struct guest g = {.w = world_open(config)};

	config->ops->claim(&config->proto, &g.claim);
	world_settle(g.w);
	return g;
}

bool guest_does(const struct guest *g, enum proto_op op)
{
	return g->claim.does & PROTO_DOES(op);
}

/* Whether a replica shows what another one has acknowledged: to anybody, or to this session. */
static bool at_once(const struct guest *g)
{
	return g->claim.whole == PROTO_LINEARIZABLE || g->claim.sessions;
}

struct world_asked *guest_ask(struct guest *g, unsigned node, struct world_ask what)
{
	struct world_asked *a;

	what.token = g->claim.sessions ? &g->token : NULL;
	a = world_wait(g->w, world_ask(g->w, node, &what));
	if (g->claim.sessions)
		token_join(&g->token, a->reply.token);
	return a;
}

bool guest_later(struct guest *g, uint64_t since_ns)
{
	uint64_t waited_ns = g->w->sim->now_ns - since_ns;

	if (at_once(g) || waited_ns > GUEST_AGREE_NS)
		return false;
	world_run(g->w, POLL_NS + waited_ns / 16);
	return true;
}

void guest_reads(struct guest *g, unsigned node, const char *key, const char *expected)
{
	struct world_ask what = {.op = PROTO_GET, .key = key};
	uint64_t since_ns = g->w->sim->now_ns;
	const char *value;

	do
		value = (const char *)guest_ask(g, node, what)->reply.value.p;
	while (strcmp(value, expected) != 0 && guest_later(g, since_ns));
	if (strcmp(value, expected) != 0)
		fprintf(stderr, "# r%u reads '%.40s' of %.40s in place of '%.40s'\n", node, value,
			key, expected);
	assert(strcmp(value, expected) == 0);
}

void guest_all_read(struct guest *g, const char *key, const char *expected)
{
	for (unsigned i = 0; i < g->w->sim->config.proto.nodes; i++)
		guest_reads(g, i, key, expected);
}

struct world_asked *guest_change(
	struct guest *g, unsigned node, enum proto_op op, const char *key, const char *value)
{
	return guest_ask(g, node, (struct world_ask){.op = op, .key = key, .value = value});
}

enum proto_status guest_set(struct guest *g, unsigned node, const char *key, const char *value)
{
	enum proto_status status = guest_change(g, node, PROTO_SET, key, value)->reply.status;

	if (!at_once(g))
		guest_all_read(g, key, value);
	return status;
}

enum proto_status guest_del(struct guest *g, unsigned node, const char *key)
{
	enum proto_status status = guest_change(g, node, PROTO_DEL, key, NULL)->reply.status;

	if (!at_once(g))
		guest_all_read(g, key, "");
	return status;
}
