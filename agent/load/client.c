/* SPDX-License-Identifier: MIT */
/*
 * client.c - one client of the open loop
 *
 * An operation is INVOKE in the history, then the driver, then its completion. Invariants:
 *  1. An INVOKE stands in the history before the first byte of its request is sent, so a client
 *     that is killed leaves an operation of unknown outcome, never an unrecorded one.
 *  2. A session has one operation in flight. After UNKNOWN it is over: the lost operation may
 *     still take effect while the client goes on under a new session number.
 *  3. Nothing is sent twice: a failed operation stays failed, the next one is another.
 *  4. A session that roams is at the replica that the schedule says when an operation is sent. One
 *     that is too late to be sent is recorded where the client was: at the replica that kept it.
 */
#include "agent/load/client.h"

#include <assert.h>
#include <stdlib.h>

#include "agent/lab/real.h"
#include "agent/load/purse.h"

/* Longest sleep between two looks at the state that the supervisor sets. */
#define CLIENT_SLICE_NS (100 * NS_PER_MS)
/* In idle spans from here on the client looks after its connection. */
#define CLIENT_IDLE_NS (2 * NS_PER_MS)
/* A final read is patient: it waits for replicas that are still catching up. */
#define CLIENT_FINAL_DEADLINES 2
#define CLIENT_FINAL_PAUSE_NS (20 * NS_PER_MS)
#define CLIENT_DRAIN_PAUSE_NS (10 * NS_PER_MS)
/* Before them, a store that replicates after its acknowledgement may do so: as long as a frame
 * goes there and back on the slowest link, and this; but no longer than that. */
#define CLIENT_SETTLE_NS (100 * NS_PER_MS)
#define CLIENT_SETTLE_NS_MAX (3 * NS_PER_S)

/* What a driver has of what objects are made of. */
static uint32_t does_of(const struct driver_ops *ops)
{
	uint32_t does = PROTO_DOES_PLAIN;

	does |= ops->append ? PROTO_DOES(PROTO_APPEND) : 0;
	does |= ops->increase ? PROTO_DOES(PROTO_INCREASE) : 0;
	does |= ops->add ? PROTO_DOES(PROTO_ADD) : 0;
	does |= ops->remove ? PROTO_DOES(PROTO_REMOVE) : 0;
	does |= ops->members ? PROTO_DOES(PROTO_MEMBERS) : 0;
	does |= ops->values ? PROTO_DOES(PROTO_VALUES) : 0;
	return does;
}

void client_site_init(struct client_site *common, const struct plan *plan, unsigned site,
	struct history *history, struct load_shared *shared)
{
	const struct driver_ops *driver = plan->real ? plan->driver : &resp_driver;
	struct proto_claim claim;

	plan->system->ops->claim(&plan->proto, &claim);
	*common = (struct client_site){.plan = plan,
		.site = site,
		.history = history,
		.shared = shared,
		.driver = driver,
		.sessions = claim.sessions || claim.contexts,
		.cas = claim.cas && driver->cas,
		.does = claim.does & does_of(driver),
		.addr_be = calloc(plan->replicas, sizeof *common->addr_be),
		.seen = calloc(plan->load.keys, sizeof *common->seen)};
	assert(common->addr_be && common->seen);
	for (unsigned i = 0; i < plan->replicas; i++)
		common->addr_be[i] = plan->node[i].addr_be;
}

void client_site_fini(struct client_site *common)
{
	free(common->addr_be);
	free(common->seen);
	common->addr_be = NULL;
	common->seen = NULL;
}

/* Connections to replicas that the client leaves are kept. */
static struct driver *driver_at(struct client *c, unsigned replica)
{
	const struct client_site *common = c->common;
	const struct plan_site *site = &common->plan->site[common->site];

	if (!c->driver[replica]) {
		const struct real *real = common->plan->real;
		const struct driver_target target = {.addr_be = common->addr_be,
			.nodes = common->plan->replicas,
			.port = real ? real->port : LOAD_PORT,
			.contact = replica,
			.settings = real ? real->settings : "",
			.world = common->world};

		c->driver[replica] = common->driver->open(&target);
		if (common->sessions && common->driver->session)
			common->driver->session(c->driver[replica], &c->token);
		if (site->own && site->level != PROTO_DEFAULT && common->driver->level)
			common->driver->level(c->driver[replica], proto_level_names[site->level]);
	}
	return c->driver[replica];
}

static void go_to(struct client *c, unsigned replica)
{
	c->node = (uint16_t)replica;
	c->objects.driver = driver_at(c, replica);
}

void client_init(struct client *c, struct client_site *common, unsigned number)
{
	const struct plan *plan = common->plan;

	*c = (struct client){.common = common, .number = number};
	c->objects = (struct objects){.does = common->does, .accounts = plan->load.keys};
	go_to(c, plan_contact(plan, common->site, number));
}

void client_fini(struct client *c)
{
	for (unsigned i = 0; i < PROTO_NODES_MAX; i++) {
		if (c->driver[i])
			c->driver[i]->ops->close(c->driver[i]);
		c->driver[i] = NULL;
	}
	objects_fini(&c->objects);
	buf_fini(&c->token);
}

static enum load_state state_of(const struct client *c)
{
	return (enum load_state)atomic_load(&c->common->shared->state);
}

static uint64_t now_of(const struct client *c)
{
	return driver_now_ns(c->objects.driver);
}

static void sleep_until(const struct client *c, uint64_t t_ns)
{
	driver_sleep(c->objects.driver, t_ns);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Return: true at @t_ns, false if the state is no longer @state. @d is looked after meanwhile. */
static bool wait_until(
	const struct client *c, struct driver *d, uint64_t t_ns, enum load_state state)
{
	for (;;) {
		uint64_t now = now_of(c);

		if (state_of(c) != state)
			return false;
		if (now >= t_ns)
			return true;
		if (t_ns - now > CLIENT_IDLE_NS)
			d->ops->connect(
				d, earlier(t_ns - CLIENT_IDLE_NS / 2, now + CLIENT_SLICE_NS));
		sleep_until(c, earlier(t_ns, now + CLIENT_SLICE_NS));
	}
}

/* Have a connection when the run begins. */
static bool wait_for_run(struct client *c)
{
	while (state_of(c) == LOAD_WAIT)
		(void)wait_until(c, driver_at(c, c->node), now_of(c) + CLIENT_SLICE_NS, LOAD_WAIT);
	return state_of(c) != LOAD_STOP;
}

static void count(struct client *c, const struct history_record *r)
{
	struct load_shared *shared = c->common->shared;
	struct load_tally *tally = &shared->tally[r->phase][c->common->site];
	struct load_latency *latency = &shared->latency[c->common->site];
	enum load_kind kind = r->kind == HISTORY_READ ? LOAD_READ : LOAD_WRITE;

	if (r->type == HISTORY_FAIL) {
		atomic_fetch_add_explicit(&tally->failed, 1, memory_order_relaxed);
	} else if (r->type != HISTORY_OK) {
		atomic_fetch_add_explicit(&tally->unknown, 1, memory_order_relaxed);
	} else {
		atomic_fetch_add_explicit(&tally->ok, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(
			&latency->bucket[kind][hist_bucket(r->t_ns - r->t_intended_ns)], 1,
			memory_order_relaxed);
	}
}

static bool add(struct client *c, const struct gen_op *op, const struct history_record *record)
{
	if (!c->error)
		c->error =
			op->kind == HISTORY_TRANSACTION
				? history_add_steps(c->common->history, record, op->step, op->steps)
				: history_add(c->common->history, record);
	return c->error == 0;
}

static void invoke(
	struct client *c, const struct gen_op *op, uint64_t old, struct history_record *ret)
{
	const struct client_site *common = c->common;
	uint32_t phase = atomic_load(&common->shared->phase);

	if (c->session == 0)
		c->session = history_session_number(common->history);
	*ret = (struct history_record){
		.type = HISTORY_INVOKE,
		.kind = (uint8_t)op->kind,
		.op = history_op_number(common->history),
		.session = c->session,
		.node = c->node,
		.client = common->plan->site[common->site].client,
		.phase = phase < PLAN_PHASES_MAX ? phase : PLAN_PHASES_MAX - 1,
		.t_intended_ns = op->t_intended_ns,
		.key = op->key,
		.value = op->kind == HISTORY_READ ? 0 : op->value,
		.old = op->kind == HISTORY_TRANSFER ? history_accounts(op->from, op->to) : old,
	};
	ret->t_ns = now_of(c);
}

/* What was read as many elements, or by the steps of a transaction, stands in records of its own.
 */
static int add_completion(struct client *c, const struct gen_op *op, struct history_record *record)
{
	const struct objects *o = &c->objects;

	if (record->type == HISTORY_OK && op->kind == HISTORY_TRANSACTION)
		return history_add_results(
			c->common->history, record, o->step, op->steps, o->element);
	if (record->type == HISTORY_OK && op->kind == HISTORY_READ &&
		op->workload != PLAN_REGISTER && op->workload != PLAN_COUNTER &&
		op->workload != PLAN_INVENTORY)
		return history_add_many(c->common->history, record, o->element, o->count);
	return history_add(c->common->history, record);
}

static bool complete(struct client *c, const struct gen_op *op, struct history_record *record,
	const struct driver_result *result)
{
	record->t_ns = now_of(c);
	record->type = (uint8_t)result->outcome;
	record->error = (uint8_t)result->error;
	if (record->kind == HISTORY_READ)
		record->value = result->value;
	/* The next session has seen nothing yet. */
	if (result->outcome == HISTORY_UNKNOWN) {
		c->session = 0;
		c->token.len = 0;
	}
	if (!(record->flags & HISTORY_F_FINAL))
		count(c, record);
	if (!c->error)
		c->error = add_completion(c, op, record);
	return c->error == 0;
}

/*
 * What the site knows of the key from now on, for the next compare-and-set: one client alone sees
 * a key so seldom that it would nearly always expect a value long gone.
 */
static void learn(struct client *c, const struct history_record *r)
{
	_Atomic uint64_t *seen = &c->common->seen[r->key];
	uint64_t old = r->old;

	if (r->type != HISTORY_OK)
		return;
	if (r->error == HISTORY_UNMET)
		atomic_compare_exchange_strong(seen, &old, 0);
	else
		atomic_store(seen, r->value);
}

static void call(struct client *c, const struct gen_op *op, const struct history_record *r,
	uint64_t deadline_ns, struct driver_result *ret)
{
	struct driver *d = c->objects.driver;

	if (op->workload == PLAN_PURSE) {
		purse_do(&c->objects, c->common->cas, c->gen.number == 0, op, deadline_ns, ret);
		return;
	}
	if (op->workload != PLAN_REGISTER && op->workload != PLAN_INVENTORY) {
		objects_do(&c->objects, op, deadline_ns, ret);
		return;
	}
	switch ((enum history_kind)r->kind) {
	case HISTORY_READ:
		d->ops->read(d, r->key, deadline_ns, ret);
		break;
	case HISTORY_WRITE:
		d->ops->write(d, r->key, r->value, deadline_ns, ret);
		break;
	case HISTORY_CAS:
		d->ops->cas(d, r->key, r->old, r->value, deadline_ns, ret);
		break;
	case HISTORY_INCREASE:
		stock_change(d, c->common->cas, r->key, (int64_t)r->value, deadline_ns, ret);
		break;
	case HISTORY_APPEND:
	case HISTORY_ADD:
	case HISTORY_TRANSFER:
	case HISTORY_TRANSACTION:
	case HISTORY_KIND_NR:
		break;
	}
}

/* Return: false when the history is full. */
static bool operate(struct client *c, struct gen_op *op, struct driver_result *ret)
{
	uint64_t deadline_ns = c->common->plan->load.deadline_ns;
	struct history_record record;
	uint64_t old = op->old;
	bool late = now_of(c) > op->t_intended_ns + deadline_ns;

	*ret = (struct driver_result){.outcome = HISTORY_FAIL, .error = HISTORY_LATE};

	if (!late)
		go_to(c, op->replica);
	if (op->kind == HISTORY_CAS && old == 0)
		old = atomic_load(&c->common->seen[op->key]);
	/* Nothing is known to compare with: look first. */
	if (op->kind == HISTORY_CAS && old == 0)
		op->kind = HISTORY_READ;
	invoke(c, op, old, &record);
	if (!add(c, op, &record))
		return false;
	if (!late)
		call(c, op, &record, record.t_ns + deadline_ns, ret);
	if (!complete(c, op, &record, ret))
		return false;
	if (op->workload == PLAN_REGISTER)
		learn(c, &record);
	return true;
}

/* Of a turn: what comes after its first operation is not late because that one took long. */
static bool turn_operate(void *ctx, struct gen_op *op, struct driver_result *ret)
{
	if (op->t_intended_ns == 0)
		op->t_intended_ns = now_of(ctx);
	return operate(ctx, op, ret);
}

/* What the schedule wants in this slot: one operation, or several. */
static bool take_turn(struct client *c, struct gen_op *op)
{
	const struct plan_load *load = &c->common->plan->load;
	const struct turn turn = {.slot = op,
		.cas = c->common->cas,
		.client = c->gen.number,
		.clients = c->gen.clients,
		.keys = load->keys,
		.ask = turn_operate,
		.ctx = c};
	struct driver_result result;

	if (load->workload == PLAN_LOCK)
		return lock_turn(&c->lock, &turn);
	if (load->workload == PLAN_INVENTORY)
		return stock_turn(&c->stock, &turn, load->stock);
	return operate(c, op, &result);
}

static void run_schedule(struct client *c)
{
	struct gen_op op;

	gen_init(&c->gen, c->common->plan, c->common->site, c->number, now_of(c));
	for (;;) {
		gen_next(&c->gen, &op);
		if (!wait_until(c, driver_at(c, op.replica), op.t_intended_ns, LOAD_RUN) ||
			!take_turn(c, &op))
			return;
	}
}

/*
 * Wait until no operation is in flight in the whole lab. A load process that died does not count
 * itself: after a deadline nothing of it is in flight either.
 */
static bool wait_for_drain(struct client *c)
{
	struct client_site *common = c->common;
	const struct plan *plan = common->plan;
	uint64_t until = now_of(c) + plan->load.deadline_ns + CLIENT_SLICE_NS;

	if (atomic_fetch_add(&common->drained, 1) + 1 == plan->load.clients_per_site)
		atomic_fetch_add(&common->shared->drained, 1);
	while (state_of(c) == LOAD_FINAL && now_of(c) < until &&
		atomic_load(&common->shared->drained) < plan->sites)
		sleep_until(c, now_of(c) + CLIENT_DRAIN_PAUSE_NS);
	return state_of(c) == LOAD_FINAL;
}

/* The slowest link between replicas that is open now. */
static uint64_t slowest_ns(const struct client_site *common)
{
	const struct plan *plan = common->plan;
	uint32_t phase = atomic_load(&common->shared->phase);
	uint64_t slowest = 0;

	for (unsigned a = 0; phase < plan->phases && a < plan->replicas; a++) {
		for (unsigned b = 0; b < plan->replicas; b++) {
			const struct link_matrix *m = &plan->phase[phase].matrix;
			uint64_t ns = link_state_delay_max_ns(link_matrix_at(m, a, b));

			if (!plan_closed(m, a, b) && ns > slowest)
				slowest = ns;
		}
	}
	return slowest;
}

/* Return: whether final reads are still wanted. */
static bool wait_for_settling(struct client *c)
{
	uint64_t settle_ns =
		earlier(2 * slowest_ns(c->common) + CLIENT_SETTLE_NS, CLIENT_SETTLE_NS_MAX) +
		plan_alike_ns(c->common->plan);

	return wait_until(c, driver_at(c, c->node), now_of(c) + settle_ns, LOAD_FINAL);
}

/* Where the final reads of one client stand: by replica, the next key. */
struct finals {
	uint64_t key[PROTO_NODES_MAX];
	uint64_t keys;
};

/* Read @key from the replica c->node. Return: whether it was answered. */
static bool read_final(struct client *c, uint64_t key)
{
	uint64_t patience_ns = c->common->plan->load.deadline_ns * CLIENT_FINAL_DEADLINES;
	struct gen_op op = {.t_intended_ns = now_of(c),
		.workload = c->common->plan->load.workload,
		.kind = HISTORY_READ,
		.key = key};
	struct driver_result result;
	struct history_record record;

	if (op.workload == PLAN_LOCK)
		op.workload = PLAN_REGISTER;
	if (op.workload == PLAN_TRANSACTIONS) {
		op.kind = HISTORY_TRANSACTION;
		op.steps = 1;
		op.step[0] = (struct history_micro){.key = key, .kind = HISTORY_READ};
	}
	invoke(c, &op, 0, &record);
	record.flags = HISTORY_F_FINAL;
	if (!add(c, &op, &record))
		return false;
	call(c, &op, &record, record.t_ns + patience_ns, &result);
	return complete(c, &op, &record, &result) && result.outcome == HISTORY_OK;
}

/* Did the lab kill or pause it for good? Then no final read needs to wait for it. */
static bool stopped(const struct client *c, unsigned replica)
{
	const struct plan *plan = c->common->plan;
	uint32_t last = atomic_load(&c->common->shared->phase);
	bool is = false;

	for (unsigned p = 0; p < plan->phases && p <= last; p++) {
		for (unsigned i = 0; i < plan->phase[p].events; i++) {
			const struct plan_event *e = &plan->phase[p].event[i];

			if (e->node == replica && e->kind != PLAN_SKEW && e->kind != PLAN_PROMOTE)
				is = e->kind == PLAN_KILL || e->kind == PLAN_PAUSE;
		}
	}
	return is;
}

/*
 * Go on with each replica until one read of it fails: one that is down must not keep the client
 * from reading the others. Return: whether all is read.
 */
static bool read_finals_once(struct client *c, struct finals *finals)
{
	const struct plan *plan = c->common->plan;
	bool all = true;

	for (unsigned i = 0; i < plan->replicas; i++) {
		if (plan->node[i].site != c->common->site || stopped(c, i))
			continue;
		go_to(c, i);
		while (finals->key[i] < finals->keys && state_of(c) == LOAD_FINAL &&
			read_final(c, finals->key[i]))
			finals->key[i] += plan->load.clients_per_site;
		all = all && finals->key[i] >= finals->keys;
	}
	return all;
}

/* The clients of a site share the keys; each reads its own from every replica of the site. */
static void read_finals(struct client *c)
{
	const struct plan *plan = c->common->plan;
	struct finals finals = {
		.keys = gen_keys(plan, c->gen.start_ns ? now_of(c) - c->gen.start_ns : 0)};

	for (unsigned i = 0; i < plan->replicas; i++)
		finals.key[i] = c->number;
	while (!read_finals_once(c, &finals) && !c->error && state_of(c) == LOAD_FINAL)
		sleep_until(c, now_of(c) + CLIENT_FINAL_PAUSE_NS);
}

void *client_run(void *arg)
{
	struct client *c = arg;

	if (!wait_for_run(c))
		return NULL;
	if (state_of(c) == LOAD_RUN)
		run_schedule(c);
	if (!c->error && wait_for_drain(c) && wait_for_settling(c))
		read_finals(c);
	return NULL;
}
