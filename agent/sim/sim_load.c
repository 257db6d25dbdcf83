/* SPDX-License-Identifier: MIT */
/* sim_load.c - a whole simulated run: clients, faults, heal, final reads, judgement */

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sim/sim_clients.h"

#define FLAP_NS (80 * NS_PER_MS)
#define REPLY_SLACK_NS (20 * NS_PER_MS) /* "shortly after" the request's time-out */
#define ADD_TRIES 200                   /* of each replica that is to be a member again */
#define PAUSED_NS (5 * NS_PER_MS)       /* how soon a request knocks again at who is paused */
#define OPERATOR 0xffffu                /* in place of a client, in a ticket */

enum call { CALL_ACT, CALL_ARRIVE, CALL_WATCH, CALL_FAULT_END, CALL_FLAP };

static struct load *load_of(struct sim *sim)
{
	return sim->ctx;
}

/* Recording. */

struct history_op *sim_op_add(struct load *l, struct client *c, unsigned key, unsigned kind)
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

/* What stands side by side was written, and at the end it is the same everywhere. */
static uint64_t beside(struct load *l, struct client *c, const struct proto_reply *reply)
{
	const struct history_op *op = &l->op[c->op];
	uint64_t first = 0, sum = 0;

	if (!reply->listed)
		sim_fail(l->sim, "a list of values without any is not nil");
	for (uint32_t i = 0; i < reply->listed && !l->sim->violation[0]; i++) {
		uint64_t number = number_of(l, reply->list[i]);
		const struct sim_action *a = &l->script.action[number - 1];

		if (!number || number > l->script.count || a->key != op->key)
			sim_fail(l->sim, "r%u lists a value of k%u that nobody wrote", c->replica,
				(unsigned)op->key);
		first = i ? first : number;
		sum = sim_hash(sum, number, 3);
	}
	l->sim->count[SIM_BESIDE] += reply->listed > 1;
	if (op->flags & HISTORY_F_FINAL) {
		if (l->beside[op->key] && l->beside[op->key] != sum)
			sim_fail(l->sim, "r%u lists other values of k%u than others at the end",
				c->replica, (unsigned)op->key);
		l->beside[op->key] = sum;
	}
	return first;
}

static void op_reply(struct load *l, struct client *c, const struct proto_reply *reply)
{
	struct history_op *op = &l->op[c->op];
	bool read = op->kind == HISTORY_READ;

	switch (reply->status) {
	case PROTO_OK:
		op->met = op->kind == HISTORY_CAS;
		if (c->asks == PROTO_VALUES)
			op->value = beside(l, c, reply);
		else if (read)
			op->value = number_of(l, reply->value);
		else
			sim_check_acknowledged(l->sim, reply);
		op_end(l, c, HISTORY_OK, HISTORY_NO_ERROR);
		break;
	case PROTO_NIL:
		if (!read && c->asks != PROTO_DEL)
			sim_fail(l->sim, "a write was answered with nil");
		if (read)
			op->value = SIM_DELETED;
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
	if (!read && reply->status == PROTO_OK)
		sim_stale_wrote(l->stale, op->key, reply->version);
	if (read && op->outcome == HISTORY_OK) {
		sim_stale_read(l->stale, c->replica, op->key, op->t_invoke_ns, reply->version);
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
	req->token = l->claim.sessions || l->claim.contexts ? &c->token : NULL;
	c->asked_ns = l->sim->now_ns;
	sim_call(l->sim, l->sim->now_ns + limit_ns(l), (unsigned)(c - l->client), CALL_WATCH);
	sim_request(l->sim, c->replica, req);
}

static struct proto_bytes padded(struct load *l, uint8_t *at, uint64_t number)
{
	memcpy(at, &number, sizeof(number));
	return (struct proto_bytes){at, (uint32_t)sizeof(number) + l->plan->pad};
}

void sim_ask(struct load *l, struct client *c, enum proto_level level)
{
	const struct history_op *op = &l->op[c->op];
	size_t room = SIM_AMOUNT_TEXT + l->plan->pad;
	char key[16];
	struct proto_request req = {
		.op = c->asks,
		.cond = op->kind == HISTORY_CAS ? PROTO_IFEQ : PROTO_ALWAYS,
		.level = level,
		.key = {.p = (uint8_t *)key},
	};

	req.key.len = (uint32_t)snprintf(key, sizeof(key), "k%" PRIu64, op->key);
	if (req.op == PROTO_SET)
		req.value = padded(l, l->value, op->value);
	if (req.cond == PROTO_IFEQ)
		req.expected = padded(l, l->value + room, op->old);
	submit(l, c, &req);
}

void sim_ask_object(struct load *l, struct client *c, enum proto_level level)
{
	char key[16];
	struct proto_request req = {.op = c->item.op, .level = level, .key = {.p = (uint8_t *)key}};

	req.key.len = (uint32_t)snprintf(key, sizeof(key), "k%u", c->item.key);
	if (req.op == PROTO_ADD || req.op == PROTO_REMOVE)
		req.value = padded(l, l->value, c->item.element);
	if (req.op == PROTO_INCREASE)
		req.value = (struct proto_bytes){
			l->value, (uint32_t)snprintf((char *)l->value, SIM_AMOUNT_TEXT, "%" PRIi64,
					  c->item.amount)};
	sim_objects_asked(l->objects, &c->item);
	submit(l, c, &req);
}

static void object_reply(struct load *l, struct client *c, const struct proto_reply *reply)
{
	bool final = c == &l->client[l->plan->clients];

	sim_objects_answered(l->objects, &c->item, reply, l->plan->pad, c->replica, final);
	c->ticket = 0;
	c->object = c->busy = final && reply->status != PROTO_OK && reply->status != PROTO_NIL;
}

void sim_ask_fleeting(struct load *l, struct client *c, enum proto_level level)
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

/* A session that carries nothing along ends where its client turns to another replica. */
void sim_turn_to(struct load *l, struct client *c, unsigned replica)
{
	if (l->bound && !l->claim.sessions && c->replica != replica)
		c->session = ++l->sessions;
	c->replica = replica;
}

enum proto_op sim_read_of(const struct load *l, uint64_t chance)
{
	bool all = l->claim.does & PROTO_DOES(PROTO_VALUES) && chance % 4 == 0;

	return all ? PROTO_VALUES : PROTO_GET;
}

static void register_begin(struct load *l, struct client *c, size_t number)
{
	const struct sim_action *a = &l->script.action[number];
	struct history_op *op;

	c->asks = PROTO_SET;
	if (a->kind == SIM_ACT_READ) {
		c->asks = sim_read_of(l, sim_hash(a->arg, number, 0));
		sim_op_add(l, c, a->key, HISTORY_READ);
	} else if (a->kind == SIM_ACT_DELETE && !(l->bound && sim_judge_keeps(a->key))) {
		c->asks = PROTO_DEL;
		sim_op_add(l, c, a->key, HISTORY_WRITE)->value =
			l->bound ? number + 1 : SIM_DELETED;
	} else if (a->kind != SIM_ACT_CAS || !l->claim.cas || !c->seen[a->key] ||
		   c->seen[a->key] == SIM_DELETED) {
		sim_op_add(l, c, a->key, HISTORY_WRITE)->value = number + 1;
	} else {
		op = sim_op_add(l, c, a->key, HISTORY_CAS);
		op->value = number + 1;
		op->old = c->seen[a->key];
	}
}

static void op_begin(struct load *l, size_t number)
{
	const struct sim_action *a = &l->script.action[number];
	struct client *c = &l->client[a->who];

	if (c->busy)
		return; /* sessions have one operation in flight */
	if (a->moves)
		sim_turn_to(l, c, (unsigned)(a->arg >> 8) % l->plan->world.proto.nodes);
	c->busy = true;
	l->acts[a->kind]++;
	if (a->kind == SIM_ACT_FLEETING) {
		c->fleeting = FLEETING_SETS;
		c->key = number;
		l->fleeting[l->fleeting_count++] = number;
	} else if (sim_objects_type(l->objects, a->key) != SIM_REGISTER) {
		c->object = true;
		c->item = sim_objects_draw(l->objects, number);
	} else {
		register_begin(l, c, number);
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
			sim_ask_fleeting(l, c, PROTO_DEFAULT);
		else if (c->object)
			sim_ask_object(l, c, PROTO_DEFAULT);
		else
			sim_ask(l, c, level_of(l, c));
	} else {
		if (c->fleeting)
			fleeting_reply(l, c, PROTO_UNAVAILABLE);
		else if (c->object)
			c->object = c->busy = false;
		else
			op_end(l, c, HISTORY_FAIL, HISTORY_CONNECT);
		sim_turn_to(l, c, (c->replica + 1) % l->plan->world.proto.nodes);
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
	if ((l->claim.sessions || l->claim.contexts) && reply->token)
		token_join(&c->token, reply->token);
	if (c->fleeting)
		fleeting_reply(l, c, reply->status);
	else if (c->object)
		object_reply(l, c, reply);
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

void sim_add_again(struct load *l)
{
	for (unsigned i = 0; i < l->plan->world.proto.nodes; i++)
		for (unsigned k = 0; l->removed[i] && k < ADD_TRIES; k++) {
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

static void object_dropped(struct load *l, struct client *c)
{
	const struct proto_reply none = {
		.status = proto_reads(c->item.op) ? PROTO_UNAVAILABLE : PROTO_UNCERTAIN};

	object_reply(l, c, &none);
}

static void drop_clients(struct load *l)
{
	for (unsigned i = 0; i < l->plan->clients; i++) {
		struct client *c = &l->client[i];

		if (!c->ticket || l->sim->node[c->replica].alive)
			continue;
		l->crashed = true;
		if (c->fleeting)
			fleeting_reply(l, c, PROTO_UNCERTAIN);
		else if (c->object)
			object_dropped(l, c);
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
	struct history_op *op = sim_op_add(l, &l->client[l->plan->clients], key, HISTORY_WRITE);

	op->t_invoke_ns = SIM_START_NS - 2;
	op->t_return_ns = SIM_START_NS - 1;
	op->outcome = HISTORY_OK;
	op->error = HISTORY_NO_ERROR;
	op->value = SIM_DELETED;
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
	l->bound = sim_judge_sessions(l->claim.cut);
	l->sim = sim_open(&plan->world);
	l->faults = sim_faults_open(l->sim, &l->script);
	l->objects = sim_objects_open(l->sim, &l->claim, &l->script);
	l->stale = sim_stale_open(l->sim, l->claim.stale_cut_ns);
	l->fleeting = calloc(l->script.count + 1, sizeof(*l->fleeting));
	l->deleted = calloc(l->script.count + 1, sizeof(*l->deleted));
	l->removed = calloc(nodes, sizeof(*l->removed));
	l->value = calloc(2, SIM_AMOUNT_TEXT + plan->pad);
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
		if (sim_objects_type(l->objects, k) == SIM_REGISTER)
			never_was(l, k);
	act_next(l);
}

static void end(struct load *l)
{
	sim_objects_close(l->objects);
	sim_stale_close(l->stale);
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

	assert(l && plan->clients <= SIM_CLIENTS_MAX && plan->keys <= SEEN_MAX);
	memset(ret, 0, sizeof(*ret));
	l->plan = plan;
	begin(l);
	sim_end(l);
	tally(l, ret);
	end(l);
	return ret->violation[0] != 0;
}
