/* SPDX-License-Identifier: MIT */
/* sim_load.c - a whole simulated run: clients, faults, heal, final reads, judgement */
#include "agent/sim/sim_load.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/check/check.h"
#include "agent/check/models.h"

#define REPLY_SLACK_NS (20 * NS_PER_MS) /* "shortly after" the request's time-out */
#define SETTLE_NS (30 * NS_PER_S)       /* all must have converged so long after the heal */
#define FINAL_TRIES 20
#define SEEN_MAX 64

enum call { CALL_ISSUE, CALL_ARRIVE, CALL_WATCH, CALL_FAULT };

struct client {
	unsigned replica;
	uint32_t session;
	uint64_t ticket; /* of the operation in flight, 0: none */
	size_t op;       /* its number in the history */
	uint64_t asked_ns;
	uint64_t seen[SEEN_MAX]; /* last value read of each key */
};

struct load {
	const struct sim_plan *plan;
	struct sim *sim;
	struct prng prng;
	struct proto_claim claim;
	struct client client[SIM_CLIENTS_MAX + 1]; /* the last one does the final reads */
	struct history_op *op;
	size_t ops;
	size_t ops_cap;
	uint64_t tickets;
	uint64_t values;
	uint32_t sessions;
	bool over; /* no new operations */
	bool crashed;
};

static struct load *load_of(struct sim *sim)
{
	return sim->ctx;
}

static uint64_t below(struct load *l, uint64_t limit)
{
	return prng_below(&l->prng, limit);
}

/* Recording. */

static struct history_op *op_add(struct load *l, struct client *c, unsigned key, unsigned kind)
{
	struct history_op *op;

	if (l->ops == l->ops_cap) {
		l->ops_cap = l->ops_cap ? 2 * l->ops_cap : 1024;
		l->op = realloc(l->op, l->ops_cap * sizeof(*l->op));
		assert(l->op);
	}
	c->op = l->ops++;
	op = &l->op[c->op];
	*op = (struct history_op){
		.t_invoke_ns = l->sim->now_ns,
		.t_intended_ns = l->sim->now_ns,
		.t_return_ns = UINT64_MAX,
		.key = key,
		.op = (uint32_t)l->ops,
		.session = c->session,
		.node = (uint16_t)c->replica,
		.kind = (uint8_t)kind,
		.outcome = HISTORY_UNKNOWN,
		.error = HISTORY_TIMEOUT,
	};
	return op;
}

static void op_end(struct load *l, struct client *c, enum history_type outcome, unsigned error)
{
	struct history_op *op = &l->op[c->op];

	op->outcome = (uint8_t)outcome;
	op->error = (uint8_t)error;
	if (outcome != HISTORY_UNKNOWN)
		op->t_return_ns = l->sim->now_ns;
	else
		c->session = ++l->sessions;
	c->ticket = 0;
}

static uint64_t number_of(struct load *l, struct proto_bytes b)
{
	uint64_t n = 0;

	if (b.len != sizeof(n)) {
		sim_fail(l->sim, "a value of %u bytes was read, none was written", b.len);
		return 0;
	}
	memcpy(&n, b.p, sizeof(n));
	return n;
}

static void op_reply(struct load *l, struct client *c, const struct proto_reply *reply)
{
	struct history_op *op = &l->op[c->op];
	bool read = op->kind == HISTORY_READ;

	switch (reply->status) {
	case PROTO_OK:
		op->met = op->kind == HISTORY_CAS;
		if (read)
			op->value = number_of(l, reply->value);
		else
			sim_check_acknowledged(l->sim, reply);
		op_end(l, c, HISTORY_OK, HISTORY_NO_ERROR);
		break;
	case PROTO_NIL:
		if (!read)
			sim_fail(l->sim, "a write was answered with nil");
		op->value = 0;
		op_end(l, c, HISTORY_OK, HISTORY_NO_ERROR);
		break;
	case PROTO_UNMET:
		op_end(l, c, HISTORY_OK, HISTORY_UNMET);
		break;
	case PROTO_UNCERTAIN:
		if (read)
			sim_fail(l->sim, "a read cannot be uncertain");
		op_end(l, c, HISTORY_UNKNOWN, HISTORY_UNCERTAIN);
		break;
	case PROTO_UNAVAILABLE:
		op_end(l, c, HISTORY_FAIL, HISTORY_REFUSED);
		break;
	case PROTO_UNSUPPORTED:
	case PROTO_UNFIT:
	case PROTO_STATUS_NR:
		sim_fail(l->sim, "an unexpected answer");
		op_end(l, c, HISTORY_FAIL, HISTORY_OTHER);
		break;
	}
	if (read && op->outcome == HISTORY_OK)
		c->seen[op->key] = op->value;
}

/* Clients. */

static void ask(struct load *l, struct client *c, enum proto_level level)
{
	const struct history_op *op = &l->op[c->op];
	uint64_t value = op->value, old = op->old;
	char key[16];
	struct proto_request req = {
		.op = op->kind == HISTORY_READ ? PROTO_GET : PROTO_SET,
		.cond = op->kind == HISTORY_CAS ? PROTO_IFEQ : PROTO_ALWAYS,
		.level = level,
		.key = {.p = (uint8_t *)key},
	};

	req.key.len = (uint32_t)snprintf(key, sizeof(key), "k%" PRIu64, op->key);
	if (req.op == PROTO_SET)
		req.value = (struct proto_bytes){(uint8_t *)&value, sizeof(value)};
	if (req.cond == PROTO_IFEQ)
		req.expected = (struct proto_bytes){(uint8_t *)&old, sizeof(old)};
	req.ticket = ++l->tickets << 16 | (uint64_t)(c - l->client);
	c->ticket = req.ticket;
	c->asked_ns = l->sim->now_ns;
	sim_call(l->sim, l->sim->now_ns + l->plan->world.proto.request_timeout_ns + REPLY_SLACK_NS,
		(unsigned)(c - l->client), CALL_WATCH);
	sim_request(l->sim, c->replica, &req);
}

static void issue(struct load *l, struct client *c)
{
	unsigned key = (unsigned)below(l, l->plan->keys);
	unsigned draw = (unsigned)below(l, 100);
	struct history_op *op;

	if (l->over)
		return;
	if (draw < 50) {
		op_add(l, c, key, HISTORY_READ);
	} else if (draw < 80 || !l->claim.cas || !c->seen[key]) {
		op = op_add(l, c, key, HISTORY_WRITE);
		op->value = ++l->values;
	} else {
		op = op_add(l, c, key, HISTORY_CAS);
		op->value = ++l->values;
		op->old = c->seen[key];
	}
	sim_call(l->sim, l->sim->now_ns + below(l, NS_PER_MS), (unsigned)(c - l->client),
		CALL_ARRIVE);
}

static void next_op(struct load *l, struct client *c)
{
	uint64_t pause = (uint64_t)prng_exp(&l->prng, (double)l->plan->think_ns);

	/* Sometimes a client turns to another replica. */
	if (below(l, 20) == 0)
		c->replica = (unsigned)below(l, l->plan->world.proto.nodes);
	sim_call(l->sim, l->sim->now_ns + pause, (unsigned)(c - l->client), CALL_ISSUE);
}

static void arrive(struct load *l, struct client *c)
{
	if (l->sim->node[c->replica].alive) {
		ask(l, c, PROTO_DEFAULT);
		return;
	}
	op_end(l, c, HISTORY_FAIL, HISTORY_CONNECT);
	c->replica = (unsigned)below(l, l->plan->world.proto.nodes);
	next_op(l, c);
}

static void on_reply(
	struct sim *sim, unsigned node, uint64_t ticket, const struct proto_reply *reply)
{
	struct load *l = load_of(sim);
	struct client *c = &l->client[ticket & 0xffff];

	if (c->ticket != ticket || c->replica != node) {
		sim_fail(sim, "r%u answered a request that it does not have", node);
		return;
	}
	op_reply(l, c, reply);
	if (c - l->client < (ptrdiff_t)l->plan->clients)
		next_op(l, c);
}

static void watch(struct load *l, struct client *c)
{
	uint64_t waited = l->sim->now_ns - c->asked_ns;

	if (c->ticket && waited >= l->plan->world.proto.request_timeout_ns + REPLY_SLACK_NS)
		sim_fail(l->sim, "r%u did not answer a request within its time-out", c->replica);
}

/* Faults. */

static void crash(struct load *l, unsigned node)
{
	if (!l->sim->node[node].alive)
		return;
	l->crashed = true;
	sim_crash(l->sim, node);
	for (unsigned i = 0; i < l->plan->clients; i++) {
		struct client *c = &l->client[i];

		if (!c->ticket || c->replica != node)
			continue;
		op_end(l, c, l->op[c->op].kind == HISTORY_READ ? HISTORY_FAIL : HISTORY_UNKNOWN,
			HISTORY_CLOSED);
		next_op(l, c);
	}
}

static void restart_some(struct load *l, bool all)
{
	for (unsigned i = 0; i < l->plan->world.proto.nodes; i++)
		if (!l->sim->node[i].alive && (all || below(l, 2)))
			sim_restart(l->sim, i);
}

static unsigned alive(const struct load *l)
{
	unsigned count = 0;

	for (unsigned i = 0; i < l->plan->world.proto.nodes; i++)
		count += l->sim->node[i].alive;
	return count;
}

static void cut_some(struct load *l)
{
	unsigned nodes = l->plan->world.proto.nodes;
	bool side[PROTO_NODES_MAX] = {0};
	int leader = sim_leader(l->sim);
	unsigned shape = (unsigned)below(l, 4);

	if (shape == 0) { /* two groups */
		for (unsigned i = 0; i < nodes; i++)
			side[i] = below(l, 2);
		sim_cut(l->sim, side);
	} else if (shape == 1) { /* the leader alone, or with one other */
		side[leader < 0 ? below(l, nodes) : (unsigned)leader] = true;
		if (nodes > 3 && below(l, 2))
			side[below(l, nodes)] = true;
		sim_cut(l->sim, side);
	} else { /* links at random, one way */
		for (unsigned a = 0; a < nodes; a++)
			for (unsigned b = 0; b < nodes; b++)
				if (a != b && below(l, 4) == 0)
					sim_link(l->sim, a, b)->cut = true;
	}
	sim_trace(l->sim, "cut of shape %u", shape);
}

static void fault(struct load *l)
{
	unsigned nodes = l->plan->world.proto.nodes;
	unsigned draw = (unsigned)below(l, 10);

	if (l->over)
		return;
	if (draw < 3) {
		sim_trace(l->sim, "heal");
		sim_heal(l->sim);
		restart_some(l, false);
	} else if (draw < 6 && l->plan->cuts) {
		if (below(l, 2))
			sim_heal(l->sim);
		cut_some(l);
	} else if (draw < 9 && l->plan->crashes) {
		int leader = sim_leader(l->sim);

		/* Mostly fewer than a majority, at times everybody. */
		if (alive(l) > nodes / 2 + 1 || below(l, 8) == 0)
			crash(l, leader >= 0 && below(l, 2) ? (unsigned)leader
							    : (unsigned)below(l, nodes));
	} else {
		restart_some(l, true);
	}
	sim_call(l->sim, l->sim->now_ns + (uint64_t)prng_exp(&l->prng, (double)l->plan->fault_ns),
		0, CALL_FAULT);
}

static void on_call(struct sim *sim, unsigned who, unsigned what)
{
	struct load *l = load_of(sim);

	switch ((enum call)what) {
	case CALL_ISSUE:
		issue(l, &l->client[who]);
		break;
	case CALL_ARRIVE:
		arrive(l, &l->client[who]);
		break;
	case CALL_WATCH:
		watch(l, &l->client[who]);
		break;
	case CALL_FAULT:
		fault(l);
		break;
	}
}

/* The end of a run. */

static void final_read(struct load *l, unsigned replica, unsigned key, enum proto_level level)
{
	struct client *c = &l->client[l->plan->clients];

	for (unsigned i = 0; i < FINAL_TRIES && !l->sim->violation[0]; i++) {
		c->replica = replica;
		op_add(l, c, key, HISTORY_READ)->flags = HISTORY_F_FINAL;
		ask(l, c, level);
		while (c->ticket && sim_step(l->sim))
			;
		if (l->op[c->op].outcome == HISTORY_OK)
			return;
		sim_run(l->sim, l->sim->now_ns + l->plan->world.proto.election_max_ns);
	}
	sim_fail(l->sim, "r%u cannot read key k%u after the heal", replica, key);
}

static void heal_all(struct load *l)
{
	struct sim_config *world = &l->sim->config;

	sim_run(l->sim, SIM_START_NS + l->plan->duration_ns);
	l->over = true;
	sim_trace(l->sim, "end of load: heal all");
	sim_heal(l->sim);
	restart_some(l, true);
	world->loss_ppm = 0;
	world->duplicate_ppm = 0;
	/* The last operations end within their time-out. */
	sim_run(l->sim, l->sim->now_ns + 2 * world->proto.request_timeout_ns);
}

static void converge(struct load *l)
{
	bool by_itself = l->plan->world.proto.anti_entropy_ns > 0;
	uint64_t until_ns = l->sim->now_ns + SETTLE_NS;
	char why[128] = "";

	if (l->claim.reads_cut == PROTO_SIDES_LEADER)
		return; /* nobody but the holder has anything */
	/* A hint that its keeper lost in a crash leaves the repair to anti-entropy, or to reads. */
	for (unsigned k = 0; l->crashed && !by_itself && k < l->plan->keys; k++)
		final_read(l, 0, k, PROTO_ALL);
	while (!sim_converged(l->sim, why, sizeof(why)) && l->sim->now_ns < until_ns)
		if (!sim_run(l->sim, l->sim->now_ns + l->plan->world.proto.heartbeat_ns))
			return;
	if (!sim_converged(l->sim, why, sizeof(why)))
		sim_fail(l->sim, "no convergence after the heal: %s", why);
}

/* The one place where a history meets the checker. */
static void judge(struct load *l)
{
	const struct history_ops h = {.op = l->op, .count = l->ops};
	const struct check_budget budget = {.time_ns = 20 * NS_PER_S};
	const struct check_names names = {.t0_ns = SIM_START_NS};
	struct check_result result = {0};
	struct check_lost lost = {0};
	struct err err = {0};

	if (l->sim->violation[0])
		return;
	if (l->claim.whole == PROTO_LINEARIZABLE && l->claim.cut == PROTO_LINEARIZABLE &&
		!l->plan->skew_ns) {
		if (linearizable_ops.check(&h, &budget, &names, &result, &err))
			sim_fail(l->sim, "checker: %s", err.text);
		else if (result.verdict != CHECK_OK)
			sim_fail(l->sim, "%s: %s",
				result.verdict == CHECK_UNKNOWN ? "not judged" : "not linearizable",
				result.words);
	}
	if (l->claim.loses_acked || l->plan->skew_ns)
		return;
	check_lost(&h, &names, &lost);
	if (lost.lost)
		sim_fail(l->sim, "acknowledged and lost: %s", lost.words);
}

static void tally(const struct load *l, struct sim_outcome *ret)
{
	for (size_t i = 0; i < l->ops; i++) {
		ret->ok += l->op[i].outcome == HISTORY_OK;
		ret->failed += l->op[i].outcome == HISTORY_FAIL;
		ret->unknown += l->op[i].outcome == HISTORY_UNKNOWN;
	}
	ret->steps = l->sim->steps;
	ret->messages = l->sim->messages;
	memcpy(ret->violation, l->sim->violation, sizeof(ret->violation));
}

static void begin(struct load *l)
{
	const struct sim_plan *plan = l->plan;
	unsigned nodes = plan->world.proto.nodes;

	assert(nodes > 0);
	prng_init(&l->prng, plan->world.seed, PROTO_NODES_MAX + 1);
	plan->world.ops->claim(&plan->world.proto, &l->claim);
	l->sim = sim_open(&plan->world);
	l->sim->ctx = l;
	l->sim->on_reply = on_reply;
	l->sim->on_call = on_call;
	for (unsigned i = 0; i < nodes && plan->skew_ns; i++)
		l->sim->node[i].skew_ns =
			(int64_t)below(l, 2 * plan->skew_ns) - (int64_t)plan->skew_ns;
	for (unsigned i = 0; i <= plan->clients; i++) {
		l->client[i].session = ++l->sessions;
		l->client[i].replica = i % nodes;
		if (i < plan->clients)
			next_op(l, &l->client[i]);
	}
	if (plan->fault_ns)
		sim_call(l->sim, SIM_START_NS + plan->fault_ns, 0, CALL_FAULT);
}

int sim_plan_run(const struct sim_plan *plan, struct sim_outcome *ret)
{
	struct load *l = calloc(1, sizeof(*l));

	assert(l && plan->clients <= SIM_CLIENTS_MAX && plan->keys <= SEEN_MAX);
	memset(ret, 0, sizeof(*ret));
	l->plan = plan;
	begin(l);
	heal_all(l);
	converge(l);
	for (unsigned k = 0; k < plan->keys; k++)
		for (unsigned i = 0; i < plan->world.proto.nodes; i++)
			final_read(l, i, k, PROTO_DEFAULT);
	judge(l);
	tally(l, ret);
	sim_close(l->sim);
	free(l->op);
	free(l);
	return ret->violation[0] != 0;
}

void sim_plan_draw(struct sim_plan *plan, const struct proto_ops *ops, unsigned nodes,
	uint64_t seed, const enum proto_level level[2])
{
	static const uint64_t delay_us[] = {50, 500, 2000, 10000, 20000};
	struct prng prng;

	prng_init(&prng, seed, UINT64_MAX);
	*plan = (struct sim_plan){
		.clients = nodes < 5                 ? 5
			   : nodes < SIM_CLIENTS_MAX ? nodes
						     : SIM_CLIENTS_MAX,
		.keys = 2 + (unsigned)prng_below(&prng, 4),
		.duration_ns = 8 * NS_PER_S,
		.think_ns = (5 + prng_below(&prng, 40)) * NS_PER_MS,
		.fault_ns = (200 + prng_below(&prng, 800)) * NS_PER_MS,
		.cuts = prng_below(&prng, 8) != 0,
		.crashes = prng_below(&prng, 2) != 0,
	};
	plan->world = (struct sim_config){
		.ops = ops,
		.seed = seed,
		.delay_ns = delay_us[prng_below(&prng, 5)] * NS_PER_US,
		.loss_ppm = prng_below(&prng, 2) ? (uint32_t)prng_below(&prng, 50000) : 0,
		.duplicate_ppm = prng_below(&prng, 2) ? (uint32_t)prng_below(&prng, 50000) : 0,
		.duplicate_ns = 2 * NS_PER_S,
		.persist_ns_min = 50 * NS_PER_US,
		.persist_ns_max = (1 + prng_below(&prng, 10)) * NS_PER_MS,
		.proto =
			{
				.nodes = nodes,
				.read_level = level[0],
				.write_level = level[1],
				.request_timeout_ns = 800 * NS_PER_MS,
				.election_min_ns = 300 * NS_PER_MS,
				.election_max_ns = 600 * NS_PER_MS,
				.heartbeat_ns = 50 * NS_PER_MS,
				.leader = (int)prng_below(&prng, nodes + 1) - 1,
			},
	};
	plan->world.jitter_ns = prng_below(&prng, 3) ? plan->world.delay_ns * 2 : 0;
}

/* What the handler below writes; formatted before, for it may call little. */
static char announced[192];
static size_t announced_len;

static void on_abort(int sig)
{
	(void)sig;
	if (write(STDERR_FILENO, announced, announced_len) < 0)
		_exit(EXIT_INTERNAL);
}

void sim_announce(const struct sim_plan *plan)
{
	const struct proto_config *cfg = &plan->world.proto;
	int len = snprintf(announced, sizeof(announced),
		"again: pacelab simulate --store %s --seed %" PRIu64
		" --nodes %u --read-level %s --write-level %s --trace\n",
		plan->world.ops->name, plan->world.seed, cfg->nodes,
		proto_level_names[cfg->read_level], proto_level_names[cfg->write_level]);

	announced_len = (size_t)len;
	signal(SIGABRT, on_abort);
}

int sim_seeds_run(const struct sim_seeds *s, struct sim_outcome *ret, uint64_t *ret_seed)
{
	memset(ret, 0, sizeof(*ret));
	for (uint64_t seed = s->first; seed < s->first + s->count; seed++) {
		unsigned nodes = s->nodes ? s->nodes : seed % 2 ? 3 : 5;
		struct sim_outcome out;
		struct sim_plan plan;

		*ret_seed = seed;
		sim_plan_draw(&plan, s->ops, nodes, seed, s->level);
		plan.skew_ns = s->skew_ns;
		plan.world.trace = s->trace;
		sim_announce(&plan);
		if (sim_plan_run(&plan, &out)) {
			*ret = out;
			return 1;
		}
		ret->steps += out.steps;
		ret->messages += out.messages;
		ret->ok += out.ok;
		ret->failed += out.failed;
		ret->unknown += out.unknown;
	}
	return 0;
}
