/* SPDX-License-Identifier: MIT */
/* sim_end.c - the end of a simulated run: heal, converge, read everything, judge */
#include "agent/sim/sim_clients.h"

#include <inttypes.h>
#include <string.h>

#define SETTLE_NS (30 * NS_PER_S) /* all must have converged so long after the heal */
#define FINAL_TRIES 20
#define KEPT_PAD 256u /* bytes of a value that are not much */
/* Replicas from which all is read at the end; tables are all alike. */
#define FINAL_READERS_MAX 32

static void final_read(struct load *l, unsigned replica, unsigned key, enum proto_level level)
{
	struct client *c = &l->client[l->plan->clients];

	for (unsigned i = 0; i < FINAL_TRIES && !l->sim->violation[0]; i++) {
		sim_turn_to(l, c, replica);
		c->asks = sim_read_of(l, replica + key);
		sim_op_add(l, c, key, HISTORY_READ)->flags = HISTORY_F_FINAL;
		sim_ask(l, c, level);
		while (c->ticket && sim_step(l->sim))
			;
		if (l->op[c->op].outcome == HISTORY_OK)
			return;
		sim_run(l->sim, l->sim->now_ns + l->plan->world.proto.election_max_ns);
	}
	sim_fail(l->sim, "r%u cannot read key k%u after the heal", replica, key);
}

static void final_object(struct load *l, unsigned replica, unsigned key)
{
	struct client *c = &l->client[l->plan->clients];

	c->object = true;
	c->item = (struct sim_object_ask){.key = key, .op = PROTO_GET};
	if (sim_objects_type(l->objects, key) == SIM_SET)
		c->item.op = PROTO_MEMBERS;
	for (unsigned i = 0; i < FINAL_TRIES && !l->sim->violation[0] && c->object; i++) {
		c->replica = replica;
		sim_ask_object(l, c, PROTO_DEFAULT);
		while (c->ticket && sim_step(l->sim))
			;
		if (c->object)
			sim_run(l->sim, l->sim->now_ns + l->plan->world.proto.election_max_ns);
	}
	if (c->object)
		sim_fail(l->sim, "r%u cannot read key k%u after the heal", replica, key);
	c->object = c->busy = false;
}

/* Return: whether a fleeting key is there. */
static bool final_fleeting(struct load *l, unsigned replica, size_t key, enum proto_level level)
{
	struct client *c = &l->client[l->plan->clients];

	c->fleeting = FLEETING_READS;
	c->key = key;
	for (unsigned i = 0; i < FINAL_TRIES && !l->sim->violation[0]; i++) {
		sim_turn_to(l, c, replica);
		c->there = false;
		sim_ask_fleeting(l, c, level);
		while (c->ticket && sim_step(l->sim))
			;
		if (!c->busy)
			break;
		sim_run(l->sim, l->sim->now_ns + l->plan->world.proto.election_max_ns);
	}
	c->fleeting = FLEETING_NO;
	if (c->busy)
		sim_fail(l->sim, "r%u cannot read key d%zu after the heal", replica, key);
	c->busy = false;
	return c->there;
}

/* Versions by wall clocks do not tell then what came first: only that all agree is asked for. */
static bool clocks_lie(const struct load *l)
{
	return l->plan->skew_ns || l->plan->world.grain_ns;
}

/* Nobody who was cut off, down or hinted at may bring a deleted key back. */
static void final_deleted(struct load *l)
{
	unsigned nodes = l->plan->world.proto.nodes;

	if (l->claim.loses_acked || (clocks_lie(l) && !l->bound) || l->claim.cut == PROTO_EVENTUAL)
		return;
	for (size_t k = 0; k < l->deleted_count && !l->sim->violation[0]; k++)
		if (final_fleeting(l, (unsigned)(k % nodes), l->deleted[k], PROTO_DEFAULT))
			sim_fail(l->sim, "r%u: the key d%zu was deleted and is back",
				(unsigned)(k % nodes), l->deleted[k]);
}

/* What was acknowledged is there, or was replaced by somebody who had seen it. All are alike. */
static void final_kept(struct load *l)
{
	const struct proto_ops *ops = l->plan->world.ops;
	/* It takes as long as values are: of long ones, some are looked for. */
	size_t step = 1 + l->plan->pad / KEPT_PAD;
	char key[16];

	for (size_t i = 0; ops->kept && i < l->ops && !l->sim->violation[0]; i += step) {
		const struct history_op *op = &l->op[i];
		struct proto_bytes name = {.p = (uint8_t *)key};
		struct proto_bytes value = {l->value, (uint32_t)sizeof(op->value) + l->plan->pad};

		if (op->kind != HISTORY_WRITE || op->outcome != HISTORY_OK ||
			op->value == SIM_DELETED)
			continue;
		name.len = (uint32_t)snprintf(key, sizeof(key), "k%" PRIu64, op->key);
		memcpy(l->value, &op->value, sizeof(op->value));
		if (!ops->kept(l->sim->node[0].proto, name, value))
			sim_fail(l->sim, "a value of %s was acknowledged and is nowhere: %" PRIu64,
				key, op->value);
	}
}

/* Whatever its time-outs are, someone can be elected. */
static void calm_links(struct sim *sim)
{
	uint64_t nodes = sim->config.proto.nodes;
	uint64_t max_ns = sim->config.proto.election_min_ns / 8;

	for (uint64_t i = 0; i < nodes * nodes; i++) {
		struct sim_link *link = &sim->link[i];

		link->jitter_ns = 0;
		if (link->delay_ns > max_ns)
			link->delay_ns = max_ns;
	}
	sim->config.slow_disk = 0;
}

static void heal_all(struct load *l)
{
	struct sim_config *world = &l->sim->config;

	sim_run(l->sim, SIM_START_NS + l->plan->duration_ns);
	sim_trace(l->sim, "end of load: heal all");
	sim_faults_end(l->faults);
	world->loss_ppm = 0;
	world->duplicate_ppm = 0;
	calm_links(l->sim);
	/* The last operations end within their time-out. */
	sim_run(l->sim, l->sim->now_ns + 2 * world->proto.request_timeout_ns);
	sim_add_again(l);
}

/* All tables are alike, and nobody keeps a hint for anybody. */
static bool settled(struct load *l, char *why, size_t size)
{
	if (!sim_converged(l->sim, why, size))
		return false;
	for (unsigned i = 0; i < l->plan->world.proto.nodes; i++) {
		struct proto_status_view view;

		sim_status(l->sim, i, &view);
		if (!view.hints)
			continue;
		snprintf(why, size, "r%u keeps %" PRIu64 " hints", i, view.hints);
		return false;
	}
	return true;
}

static void converge(struct load *l)
{
	bool by_reads = l->claim.by_reads;
	/* What is beside the table nobody repairs by reading it. */
	bool by_itself = (l->plan->world.proto.anti_entropy_ns > 0 && !by_reads) ||
			 l->plan->world.ops->digest;
	bool lost = l->plan->world.ops->hints && (l->crashed || l->plan->world.proto.hint_ns_max);
	bool unhinted = lost || by_reads;
	uint64_t until_ns = l->sim->now_ns + SETTLE_NS;
	char why[128] = "";

	if (l->claim.one_copy)
		return; /* nobody but the holder has anything */
	/* A hint that its keeper lost in a crash leaves the repair to anti-entropy, or to reads. */
	for (unsigned k = 0; unhinted && !by_itself && k < l->plan->keys; k++)
		if (sim_objects_type(l->objects, k) == SIM_REGISTER)
			final_read(l, 0, k, PROTO_ALL);
	for (size_t k = 0; unhinted && !by_itself && k < l->fleeting_count && !l->sim->violation[0];
		k++)
		final_fleeting(l, 0, l->fleeting[k], PROTO_ALL);
	if (l->claim.alike_ns && !l->claim.copies) {
		sim_run(l->sim, l->sim->now_ns + l->claim.alike_ns);
		return;
	}
	while (!settled(l, why, sizeof(why)) && l->sim->now_ns < until_ns)
		if (!sim_run(l->sim, l->sim->now_ns + l->plan->world.proto.heartbeat_ns))
			return;
	if (!settled(l, why, sizeof(why)))
		sim_fail(l->sim, "no convergence after the heal: %s", why);
	/* Those that have no copy. */
	sim_run(l->sim, l->sim->now_ns + l->claim.alike_ns);
}

static void final(struct load *l, unsigned replica, unsigned key)
{
	if (sim_objects_type(l->objects, key) == SIM_REGISTER)
		final_read(l, replica, key, PROTO_DEFAULT);
	else
		final_object(l, replica, key);
}

void sim_end(struct load *l)
{
	unsigned nodes = l->plan->world.proto.nodes;
	unsigned readers = nodes < FINAL_READERS_MAX ? nodes : FINAL_READERS_MAX;
	struct proto_claim claim = l->claim;

	heal_all(l);
	converge(l);
	for (unsigned k = 0; k < l->plan->keys; k++)
		for (unsigned i = 0; i < readers; i++)
			final(l, (unsigned)((uint64_t)i * nodes / readers), k);
	final_deleted(l);
	final_kept(l);
	/* A model of sessions has no time in it: it holds whatever clocks say. But where they order
	 * what is concurrent, the later write may go. */
	if (clocks_lie(l) && l->claim.cut != PROTO_SEQUENTIAL)
		claim.loses_acked = true;
	if (!clocks_lie(l) || l->bound)
		sim_judge(l->sim, &claim, l->op, l->ops);
}
