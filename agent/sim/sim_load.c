/* SPDX-License-Identifier: MIT */
/* sim_load.c - a whole simulated run: clients, faults, heal, final reads, judgement */
#include "agent/sim/sim_load.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/check/check.h"
#include "agent/sim/sim_script.h"

#define FLAP_NS (80 * NS_PER_MS)
#define REPLY_SLACK_NS (20 * NS_PER_MS) /* "shortly after" the request's time-out */
#define SETTLE_NS (30 * NS_PER_S)       /* all must have converged so long after the heal */
#define FINAL_TRIES 20
#define FINAL_READERS_MAX \
	32 /* replicas from which all is read at the end; tables are all alike \
	    */
#define SEEN_MAX 64
/*
 * What a deleted key reads as: one value, written by each deletion, and by one before the run
 * begins, since nobody can tell a key that was deleted from one that never was.
 */
#define DELETED HISTORY_INTERNED
#define PAUSED_NS (5 * NS_PER_MS) /* how soon a request knocks again at who is paused */

enum call { CALL_ACT, CALL_ARRIVE, CALL_WATCH, CALL_FAULT_END, CALL_FLAP };

/* Of one operation that is not in the history: a key is set, then deleted. */
enum fleeting { FLEETING_NO, FLEETING_SETS, FLEETING_DELETES, FLEETING_READS };

struct client {
	unsigned replica;
	uint32_t session;
	bool busy;
	uint64_t ticket; /* of the operation in flight, 0: none */
	size_t op;       /* its number in the history */
	uint64_t asked_ns;
	uint64_t seen[SEEN_MAX]; /* last value read of each key */
	enum fleeting fleeting;
	size_t key; /* of the fleeting one: the action's number */
	bool there; /* FLEETING_READS found it */
};

struct load {
	const struct sim_plan *plan;
	struct sim *sim;
	struct sim_script script;
	struct sim_faults *faults;
	size_t next; /* action of the script */
	struct proto_claim claim;
	struct client client[SIM_CLIENTS_MAX + 1]; /* the last one does the final reads */
	struct history_op *op;
	size_t ops;
	size_t ops_cap;
	size_t *fleeting; /* keys that were set and deleted, or nearly */
	size_t fleeting_count;
	size_t *deleted; /* those whose deletion was acknowledged */
	size_t deleted_count;
	uint64_t tickets;
	uint32_t sessions;
	bool *removed;  /* by replica: an operator asked for it, and not yet for the return */
	uint64_t admin; /* ticket of the operator's last request, 0: answered */
	enum proto_admin admin_what;
	bool admin_done; /* ... with OK */
	uint64_t admin_count[2];
	uint64_t acts[SIM_ACTS_MAX];
	uint8_t *value; /* what is written: a number and padding */
	bool crashed;
};

#define OPERATOR 0xffffu /* in place of a client, in a ticket */

static struct load *load_of(struct sim *sim)
{
	return sim->ctx;
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
	c->busy = false;
}

static uint64_t number_of(struct load *l, struct proto_bytes b)
{
	uint64_t n = 0;

	if (b.len != sizeof(n) + l->plan->pad) {
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
		if (!read && op->value != DELETED)
			sim_fail(l->sim, "a write was answered with nil");
		op->value = DELETED;
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
	case PROTO_WRONG:
	case PROTO_STATUS_NR:
		sim_fail(l->sim, "an unexpected answer");
		op_end(l, c, HISTORY_FAIL, HISTORY_OTHER);
		break;
	}
	if (read && op->outcome == HISTORY_OK) {
		c->seen[op->key] = op->value;
		l->sim->count[SIM_AT_ONCE] += c->asked_ns == l->sim->now_ns;
	}
}

/* Clients. */

/* Until a request must have been answered; the replica's clock may be slow. */
static uint64_t limit_ns(const struct load *l)
{
	uint64_t ns = l->plan->world.proto.request_timeout_ns + REPLY_SLACK_NS;

	return ns * SIM_PPM / (SIM_PPM - l->plan->drift_ppm);
}

static void submit(struct load *l, struct client *c, struct proto_request *req)
{
	req->ticket = ++l->tickets << 16 | (uint64_t)(c - l->client);
	c->ticket = req->ticket;
	c->asked_ns = l->sim->now_ns;
	sim_call(l->sim, l->sim->now_ns + limit_ns(l), (unsigned)(c - l->client), CALL_WATCH);
	sim_request(l->sim, c->replica, req);
}

static struct proto_bytes padded(struct load *l, uint8_t *at, uint64_t number)
{
	memcpy(at, &number, sizeof(number));
	return (struct proto_bytes){at, (uint32_t)sizeof(number) + l->plan->pad};
}

static void ask(struct load *l, struct client *c, enum proto_level level)
{
	const struct history_op *op = &l->op[c->op];
	size_t room = sizeof(uint64_t) + l->plan->pad;
	char key[16];
	struct proto_request req = {
		.op = op->kind == HISTORY_READ ? PROTO_GET : PROTO_SET,
		.cond = op->kind == HISTORY_CAS ? PROTO_IFEQ : PROTO_ALWAYS,
		.level = level,
		.key = {.p = (uint8_t *)key},
	};

	req.key.len = (uint32_t)snprintf(key, sizeof(key), "k%" PRIu64, op->key);
	if (req.op == PROTO_SET && op->value == DELETED)
		req.op = PROTO_DEL;
	if (req.op == PROTO_SET)
		req.value = padded(l, l->value, op->value);
	if (req.cond == PROTO_IFEQ)
		req.expected = padded(l, l->value + room, op->old);
	submit(l, c, &req);
}

static void ask_fleeting(struct load *l, struct client *c, enum proto_level level)
{
	char key[24];
	struct proto_request req = {
		.op = c->fleeting == FLEETING_SETS      ? PROTO_SET
		      : c->fleeting == FLEETING_DELETES ? PROTO_DEL
							: PROTO_GET,
		.level = level,
		.key = {.p = (uint8_t *)key},
	};

	req.key.len = (uint32_t)snprintf(key, sizeof(key), "d%zu", c->key);
	if (req.op == PROTO_SET)
		req.value = padded(l, l->value, c->key);
	submit(l, c, &req);
}

static void fleeting_reply(struct load *l, struct client *c, enum proto_status status)
{
	bool done = status == PROTO_OK || status == PROTO_NIL;

	c->ticket = 0;
	c->busy = false;
	switch (c->fleeting) {
	case FLEETING_SETS:
		if (status != PROTO_OK || !l->sim->node[c->replica].alive)
			break;
		c->fleeting = FLEETING_DELETES;
		c->busy = true;
		sim_call(l->sim, l->sim->now_ns + 1, (unsigned)(c - l->client), CALL_ARRIVE);
		return;
	case FLEETING_DELETES:
		if (done)
			l->deleted[l->deleted_count++] = c->key;
		break;
	case FLEETING_READS:
		c->there = status == PROTO_OK;
		c->busy = !done; /* asks again */
		return;
	case FLEETING_NO:
		break;
	}
	c->fleeting = FLEETING_NO;
}

static void op_begin(struct load *l, size_t number)
{
	const struct sim_action *a = &l->script.action[number];
	struct client *c = &l->client[a->who];
	struct history_op *op;

	if (c->busy)
		return; /* sessions have one operation in flight */
	if (a->moves)
		c->replica = (unsigned)(a->arg >> 8) % l->plan->world.proto.nodes;
	c->busy = true;
	l->acts[a->kind]++;
	if (a->kind == SIM_ACT_FLEETING) {
		c->fleeting = FLEETING_SETS;
		c->key = number;
		l->fleeting[l->fleeting_count++] = number;
	} else if (a->kind == SIM_ACT_READ) {
		op_add(l, c, a->key, HISTORY_READ);
	} else if (a->kind == SIM_ACT_DELETE) {
		op_add(l, c, a->key, HISTORY_WRITE)->value = DELETED;
	} else if (a->kind == SIM_ACT_WRITE || !l->claim.cas || !c->seen[a->key] ||
		   c->seen[a->key] == DELETED) {
		op = op_add(l, c, a->key, HISTORY_WRITE);
		op->value = number + 1;
	} else {
		op = op_add(l, c, a->key, HISTORY_CAS);
		op->value = number + 1;
		op->old = c->seen[a->key];
	}
	sim_call(l->sim, l->sim->now_ns + a->arg % NS_PER_MS, a->who, CALL_ARRIVE);
}

/* Every other read of a run with leases. */
static enum proto_level level_of(const struct load *l, const struct client *c)
{
	bool lease = l->plan->world.proto.leases && l->op[c->op].kind == HISTORY_READ && c->op % 2;

	return lease ? PROTO_LEASE : PROTO_DEFAULT;
}

static void arrive(struct load *l, struct client *c)
{
	const struct sim_node *n = &l->sim->node[c->replica];

	if (!c->busy || c->ticket)
		return;
	if (n->alive && n->paused) {
		sim_call(
			l->sim, l->sim->now_ns + PAUSED_NS, (unsigned)(c - l->client), CALL_ARRIVE);
	} else if (n->alive) {
		if (c->fleeting)
			ask_fleeting(l, c, PROTO_DEFAULT);
		else
			ask(l, c, level_of(l, c));
	} else {
		if (c->fleeting)
			fleeting_reply(l, c, PROTO_UNAVAILABLE);
		else
			op_end(l, c, HISTORY_FAIL, HISTORY_CONNECT);
		c->replica = (c->replica + 1) % l->plan->world.proto.nodes;
	}
}

static void on_reply(
	struct sim *sim, unsigned node, uint64_t ticket, const struct proto_reply *reply)
{
	struct load *l = load_of(sim);
	struct client *c = &l->client[(ticket & OPERATOR) % (SIM_CLIENTS_MAX + 1)];

	if ((ticket & OPERATOR) == OPERATOR) {
		l->admin_done = reply->status == PROTO_OK;
		l->admin_count[!l->admin_done]++;
		if (ticket == l->admin && l->admin_done)
			sim->count[l->admin_what == PROTO_ADMIN_TRANSFER ? SIM_HANDED
									 : SIM_MEMBERS]++;
		/* Where nobody can be removed, nobody need be added again. */
		if (reply->status == PROTO_UNSUPPORTED)
			memset(l->removed, 0, l->plan->world.proto.nodes * sizeof(*l->removed));
		if (ticket == l->admin)
			l->admin = 0;
		return;
	}
	if (c->ticket != ticket || c->replica != node) {
		sim_fail(sim, "r%u answered a request that it does not have", node);
		return;
	}
	if (c->fleeting)
		fleeting_reply(l, c, reply->status);
	else
		op_reply(l, c, reply);
}

static void watch(struct load *l, struct client *c)
{
	const struct sim_node *n = &l->sim->node[c->replica];
	uint64_t since_ns = n->resumed_ns > c->asked_ns ? n->resumed_ns : c->asked_ns;

	/* While it is paused, and right after, nobody can ask for an answer in time. The watch may
	 * have been set for an earlier request. */
	if (c->ticket && !n->paused && since_ns == c->asked_ns &&
		l->sim->now_ns - since_ns >= limit_ns(l))
		sim_fail(l->sim, "r%u did not answer a request within its time-out", c->replica);
}

/* Operators. */

static void admin(struct load *l, enum proto_admin what, unsigned node)
{
	unsigned nodes = l->plan->world.proto.nodes;
	int leader = sim_leader(l->sim);
	unsigned at = leader >= 0 ? (unsigned)leader : node;

	for (unsigned i = 0; i < nodes && (!l->sim->node[at].alive || l->sim->node[at].paused); i++)
		at = (at + 1) % nodes;
	if (!l->sim->node[at].alive || l->sim->node[at].paused)
		return;
	/* Who is asked while nobody leads would take over by force. */
	if (l->claim.unforced && (int)at != leader)
		return;
	l->admin_done = false;
	l->admin_what = what;
	l->admin = ++l->tickets << 16 | OPERATOR;
	sim_admin(l->sim, at, l->admin, what, node);
}

/* All that were removed are members again: else they could not converge. */
static void add_again(struct load *l)
{
	for (unsigned i = 0; i < l->plan->world.proto.nodes; i++)
		for (unsigned k = 0; l->removed[i] && k < 10 * FINAL_TRIES; k++) {
			admin(l, PROTO_ADMIN_ADD, i);
			if (!sim_run(l->sim, l->sim->now_ns + l->plan->world.proto.election_max_ns))
				return;
			if (l->admin_done)
				l->removed[i] = false;
		}
	for (unsigned i = 0; i < l->plan->world.proto.nodes; i++)
		if (l->removed[i])
			sim_fail(l->sim, "r%u cannot be added again after the heal", i);
}

/* Faults. */

static void drop_clients(struct load *l)
{
	for (unsigned i = 0; i < l->plan->clients; i++) {
		struct client *c = &l->client[i];

		if (!c->ticket || l->sim->node[c->replica].alive)
			continue;
		l->crashed = true;
		if (c->fleeting)
			fleeting_reply(l, c, PROTO_UNCERTAIN);
		else
			op_end(l, c,
				l->op[c->op].kind == HISTORY_READ ? HISTORY_FAIL : HISTORY_UNKNOWN,
				HISTORY_CLOSED);
	}
}

static void fault_begin(struct load *l, size_t number)
{
	const struct sim_action *a = &l->script.action[number];
	int node = sim_fault_begin(l->faults, number);

	l->acts[a->kind]++;
	drop_clients(l);
	if (a->kind == SIM_ACT_CRASH || a->kind == SIM_ACT_CRASH_ALL)
		l->crashed = true;
	if (a->kind == SIM_ACT_TRANSFER)
		admin(l, PROTO_ADMIN_TRANSFER,
			(unsigned)(a->arg >> 16) % l->plan->world.proto.nodes);
	if (a->kind == SIM_ACT_REMOVE && l->plan->world.proto.nodes > 1) {
		l->removed[node] = true;
		admin(l, PROTO_ADMIN_REMOVE, (unsigned)node);
	}
	if (a->kind == SIM_ACT_FLAP)
		sim_call(l->sim, l->sim->now_ns + FLAP_NS, (unsigned)number, CALL_FLAP);
	sim_call(l->sim, l->sim->now_ns + a->for_ns, (unsigned)number, CALL_FAULT_END);
}

static void fault_end(struct load *l, size_t number)
{
	const struct sim_action *a = &l->script.action[number];

	sim_fault_end(l->faults, number);
	if (a->kind != SIM_ACT_REMOVE)
		return;
	for (unsigned i = 0; i < l->plan->world.proto.nodes; i++)
		if (l->removed[i]) {
			admin(l, PROTO_ADMIN_ADD, i);
			break;
		}
}

static void flap(struct load *l, size_t number)
{
	const struct sim_action *a = &l->script.action[number];

	sim_faults_flap(l->faults, number);
	if (l->sim->now_ns < a->at_ns + a->for_ns)
		sim_call(l->sim, l->sim->now_ns + FLAP_NS, (unsigned)number, CALL_FLAP);
}

/* The script. */

static void act_next(struct load *l)
{
	while (l->next < l->script.count && !sim_script_kept(l->plan, l->next))
		l->next++;
	if (l->next < l->script.count)
		sim_call(l->sim, l->script.action[l->next].at_ns, (unsigned)l->next, CALL_ACT);
}

static void act(struct load *l, size_t number)
{
	l->next = number + 1;
	if (l->script.action[number].kind < SIM_ACT_OPS)
		op_begin(l, number);
	else
		fault_begin(l, number);
	act_next(l);
}

static void on_leads(struct sim *sim, unsigned node)
{
	sim_faults_leads(load_of(sim)->faults, node);
}

static void on_call(struct sim *sim, unsigned who, unsigned what)
{
	struct load *l = load_of(sim);

	switch ((enum call)what) {
	case CALL_ACT:
		act(l, who);
		break;
	case CALL_ARRIVE:
		arrive(l, &l->client[who]);
		break;
	case CALL_WATCH:
		watch(l, &l->client[who]);
		break;
	case CALL_FAULT_END:
		fault_end(l, who);
		break;
	case CALL_FLAP:
		flap(l, who);
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

/* Return: whether a fleeting key is there. */
static bool final_fleeting(struct load *l, unsigned replica, size_t key, enum proto_level level)
{
	struct client *c = &l->client[l->plan->clients];

	c->fleeting = FLEETING_READS;
	c->key = key;
	for (unsigned i = 0; i < FINAL_TRIES && !l->sim->violation[0]; i++) {
		c->replica = replica;
		c->there = false;
		ask_fleeting(l, c, level);
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

	if (l->claim.loses_acked || clocks_lie(l) || l->claim.cut != PROTO_LINEARIZABLE)
		return;
	for (size_t k = 0; k < l->deleted_count && !l->sim->violation[0]; k++)
		if (final_fleeting(l, (unsigned)(k % nodes), l->deleted[k], PROTO_DEFAULT))
			sim_fail(l->sim, "r%u: the key d%zu was deleted and is back",
				(unsigned)(k % nodes), l->deleted[k]);
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
	add_again(l);
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
	bool by_itself = l->plan->world.proto.anti_entropy_ns > 0 && !by_reads;
	bool unhinted = l->crashed || l->plan->world.proto.hint_ns_max || by_reads;
	uint64_t until_ns = l->sim->now_ns + SETTLE_NS;
	char why[128] = "";

	if (l->claim.one_copy)
		return; /* nobody but the holder has anything */
	/* A hint that its keeper lost in a crash leaves the repair to anti-entropy, or to reads. */
	for (unsigned k = 0; unhinted && !by_itself && k < l->plan->keys; k++)
		final_read(l, 0, k, PROTO_ALL);
	for (size_t k = 0; unhinted && !by_itself && k < l->fleeting_count && !l->sim->violation[0];
		k++)
		final_fleeting(l, 0, l->fleeting[k], PROTO_ALL);
	while (!settled(l, why, sizeof(why)) && l->sim->now_ns < until_ns)
		if (!sim_run(l->sim, l->sim->now_ns + l->plan->world.proto.heartbeat_ns))
			return;
	if (!settled(l, why, sizeof(why)))
		sim_fail(l->sim, "no convergence after the heal: %s", why);
}

/* The one place where a history meets the checker: the model that is claimed, by its name. */
static void judge(struct load *l)
{
	char deleted[] = "nothing";
	size_t at = 0;
	const struct history_ops h = {
		.op = l->op, .count = l->ops, .text = deleted, .text_at = &at, .texts = 1};
	const struct check_budget budget = {.time_ns = 20 * NS_PER_S};
	const struct check_names names = {.t0_ns = SIM_START_NS};
	const struct check_ops *model = check_find(proto_model_names[l->claim.cut], CHECK_REGISTER);
	struct check_result result = {0};
	struct check_lost lost = {0};
	struct err err = {0};

	if (l->sim->violation[0] || clocks_lie(l))
		return;
	if (!model)
		sim_fail(l->sim, "nothing checks %s", proto_model_names[l->claim.cut]);
	else if (model->check(&h, &budget, &names, &result, &err))
		sim_fail(l->sim, "checker: %s", err.text);
	else if (result.verdict != CHECK_OK)
		sim_fail(l->sim, "%s %s: %s",
			result.verdict == CHECK_UNKNOWN ? "not judged" : "not", model->name,
			result.words);
	if (l->claim.loses_acked)
		return;
	check_lost(&h, &names, &lost);
	if (lost.lost)
		sim_fail(l->sim, "acknowledged and lost: %s", lost.words);
}

static void tally(const struct load *l, struct sim_outcome *ret)
{
	for (size_t i = l->plan->keys; i < l->ops; i++) {
		ret->ok += l->op[i].outcome == HISTORY_OK;
		ret->failed += l->op[i].outcome == HISTORY_FAIL;
		ret->unknown += l->op[i].outcome == HISTORY_UNKNOWN;
	}
	ret->deleted = l->deleted_count;
	ret->admin_ok = l->admin_count[0];
	ret->admin_failed = l->admin_count[1];
	memcpy(ret->acts, l->acts, sizeof(ret->acts));
	memcpy(ret->count, l->sim->count, sizeof(ret->count));
	ret->steps = l->sim->steps;
	ret->messages = l->sim->messages;
	memcpy(ret->violation, l->sim->violation, sizeof(ret->violation));
}

/* Before the run begins no key is there. */
static void never_was(struct load *l, unsigned key)
{
	struct history_op *op = op_add(l, &l->client[l->plan->clients], key, HISTORY_WRITE);

	op->t_invoke_ns = SIM_START_NS - 2;
	op->t_return_ns = SIM_START_NS - 1;
	op->outcome = HISTORY_OK;
	op->error = HISTORY_NO_ERROR;
	op->value = DELETED;
}

static void begin(struct load *l)
{
	const struct sim_plan *plan = l->plan;
	unsigned nodes = plan->world.proto.nodes;
	struct prng prng;

	_Static_assert(SIM_ACT_NR <= SIM_ACTS_MAX, "a count for each kind");
	assert(nodes > 0);
	prng_init(&prng, plan->world.seed, PROTO_NODES_MAX + 1);
	sim_script_draw(plan, &l->script);
	plan->world.ops->claim(&plan->world.proto, &l->claim);
	l->sim = sim_open(&plan->world);
	l->faults = sim_faults_open(l->sim, &l->script);
	l->fleeting = calloc(l->script.count + 1, sizeof(*l->fleeting));
	l->deleted = calloc(l->script.count + 1, sizeof(*l->deleted));
	l->removed = calloc(nodes, sizeof(*l->removed));
	l->value = calloc(2, sizeof(uint64_t) + plan->pad);
	assert(l->fleeting && l->deleted && l->removed && l->value);
	l->sim->ctx = l;
	l->sim->on_reply = on_reply;
	l->sim->on_call = on_call;
	l->sim->on_leads = on_leads;
	for (unsigned i = 0; i < nodes; i++) {
		struct sim_node *n = &l->sim->node[i];

		if (plan->skew_ns)
			n->skew_ns = (int64_t)prng_below(&prng, 2 * plan->skew_ns) -
				     (int64_t)plan->skew_ns;
		if (plan->drift_ppm)
			n->drift_ppm = (int32_t)prng_below(&prng, 2 * plan->drift_ppm + 1) -
				       (int32_t)plan->drift_ppm;
	}
	for (unsigned i = 0; i <= plan->clients; i++) {
		l->client[i].session = ++l->sessions;
		l->client[i].replica = i % nodes;
	}
	for (unsigned k = 0; k < plan->keys; k++)
		never_was(l, k);
	act_next(l);
}

static void end(struct load *l)
{
	sim_faults_close(l->faults);
	sim_close(l->sim);
	sim_script_fini(&l->script);
	free(l->fleeting);
	free(l->deleted);
	free(l->removed);
	free(l->value);
	free(l->op);
	free(l);
}

int sim_plan_run(const struct sim_plan *plan, struct sim_outcome *ret)
{
	struct load *l = calloc(1, sizeof(*l));
	unsigned nodes = plan->world.proto.nodes;
	unsigned readers = nodes < FINAL_READERS_MAX ? nodes : FINAL_READERS_MAX;

	assert(l && plan->clients <= SIM_CLIENTS_MAX && plan->keys <= SEEN_MAX);
	memset(ret, 0, sizeof(*ret));
	l->plan = plan;
	begin(l);
	heal_all(l);
	converge(l);
	for (unsigned k = 0; k < plan->keys; k++)
		for (unsigned i = 0; i < readers; i++)
			final_read(l, (unsigned)((uint64_t)i * nodes / readers), k, PROTO_DEFAULT);
	final_deleted(l);
	judge(l);
	tally(l, ret);
	end(l);
	return ret->violation[0] != 0;
}
