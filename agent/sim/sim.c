/* SPDX-License-Identifier: MIT */
/* sim.c - replicas in virtual time: network, disks, clocks */
#include "agent/sim/sim.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *const sim_count_names[SIM_COUNT_NR] = {
	[SIM_LOST] = "messages lost",
	[SIM_CUT] = "stopped by cuts",
	[SIM_DUPLICATED] = "duplicated",
	[SIM_REORDERED] = "overtaken",
	[SIM_CRASHES] = "crashes",
	[SIM_RECORDS_LOST] = "records lost",
	[SIM_TORN] = "torn writes",
	[SIM_RESTARTS] = "restarts",
	[SIM_PAUSES] = "pauses",
	[SIM_STALLS] = "slow writes",
	[SIM_DISK_FULL] = "refused by full disks",
	[SIM_SNAPSHOTS] = "snapshots",
	[SIM_SNAPSHOTS_LOST] = "lost in a crash",
	[SIM_RESTORED] = "restored",
	[SIM_COMPARED] = "compared with all records",
	[SIM_TABLES] = "tables taken from a leader",
	[SIM_HANDED] = "leaderships handed over",
	[SIM_MEMBERS] = "memberships changed",
	[SIM_AT_ONCE] = "reads answered at once",
	[SIM_ADDED] = "elements added",
	[SIM_TAKEN] = "elements removed",
	[SIM_INCREASED] = "counters changed",
	[SIM_BESIDE] = "values read side by side",
	[SIM_UNDECIDED] = "histories left undecided",
};

static struct sim_node *node_of(struct proto_io *io)
{
	return (struct sim_node *)io;
}

void sim_fail(struct sim *sim, const char *fmt, ...)
{
	va_list args;

	if (sim->violation[0])
		return;
	va_start(args, fmt);
	vsnprintf(sim->violation, sizeof(sim->violation), fmt, args);
	va_end(args);
	sim_trace(sim, "VIOLATION %s", sim->violation);
}

void sim_trace(struct sim *sim, const char *fmt, ...)
{
	va_list args;

	if (!sim->config.trace)
		return;
	fprintf(sim->config.trace, "%12.6f ms ",
		(double)(sim->now_ns - SIM_START_NS) / (double)NS_PER_MS);
	va_start(args, fmt);
	vfprintf(sim->config.trace, fmt, args);
	va_end(args);
	fputc('\n', sim->config.trace);
}

void sim_schedule(struct sim *sim, const struct sim_event *event)
{
	sim_queue_put(&sim->queue, event, sim_queue_order(&sim->queue));
}

/* The fate of one message: a splitmix64 of its own (Steele, Lea and Flood, OOPSLA 2014). */

static uint64_t draw(uint64_t *fate)
{
	uint64_t z = *fate += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static double draw_unit(uint64_t *fate)
{
	return (double)(draw(fate) >> 11) * 0x1p-53;
}

static bool chance(uint64_t *fate, uint32_t ppm)
{
	return ppm && draw(fate) % SIM_PPM < ppm;
}

static uint64_t fate_of(struct sim *sim, unsigned from, unsigned to, struct sim_link *link)
{
	uint64_t fate = sim->config.seed * 0xd6e8feb86659fd93ull;

	fate ^= ((uint64_t)from << 44 | (uint64_t)to << 32 | link->count++) * 0xff51afd7ed558ccdull;
	return fate;
}

static uint64_t jitter(const struct sim *sim, const struct sim_link *link, uint64_t *fate)
{
	double sum = 0, mean = (double)link->jitter_ns;

	if (!link->jitter_ns)
		return 0;
	switch (sim->config.spread) {
	case SIM_NORMAL:
		/* Irwin and Hall: twelve uniform ones have variance 1; within four deviations. */
		for (unsigned i = 0; i < 12; i++)
			sum += draw_unit(fate);
		sum -= 2;
		return (uint64_t)(mean * (sum < 0 ? 0 : sum > 8 ? 8 : sum));
	case SIM_PARETO:
		/* Shape 2: mean twice the scale, of which one is taken off; no second moment. */
		sum = 1 / sqrt(1 - draw_unit(fate)) - 1;
		return (uint64_t)(mean * (sum > 100 ? 100 : sum));
	case SIM_SPIKES:
		return draw(fate) % 64 ? 0 : 10 * (link->delay_ns + link->jitter_ns);
	case SIM_UNIFORM:
	case SIM_SPREAD_NR:
		break;
	}
	return draw(fate) % link->jitter_ns;
}

/* The seam: struct proto_io. */

static void carry(struct sim_event *e, const void *bytes)
{
	e->p = malloc(e->len);
	assert(e->p);
	memcpy(e->p, bytes, e->len);
}

static void post(struct sim_node *n, struct sim_event *e, const void *bytes, uint64_t *fate)
{
	struct sim *sim = n->sim;
	struct sim_link *link = sim_link(sim, n->id, e->node);

	carry(e, bytes);
	e->at_ns += sim->now_ns + link->delay_ns + jitter(sim, link, fate);
	e->at_ns += link->slow ? SIM_SLOW_NS + draw(fate) % SIM_SLOW_NS : 0;
	sim->count[SIM_REORDERED] += e->at_ns < link->newest_ns;
	if (e->at_ns > link->newest_ns)
		link->newest_ns = e->at_ns;
	sim_schedule(sim, e);
}

static void route(struct sim *sim, struct sim_event *e, const void *bytes)
{
	e->at_ns = sim->config.route(sim, e->from, e->node, e->len);
	if (e->at_ns) {
		carry(e, bytes);
		sim_schedule(sim, e);
	} else {
		sim->count[SIM_CUT]++;
	}
}

static void io_send(struct proto_io *io, unsigned to, const void *bytes, size_t len)
{
	struct sim_node *n = node_of(io);
	struct sim *sim = n->sim;

	struct sim_link *link = sim_link(sim, n->id, to);
	struct sim_event e = {
		.kind = SIM_MESSAGE,
		.node = to,
		.from = (uint16_t)n->id,
		.len = (uint32_t)len,
	};
	struct sim_event copy = e;
	uint64_t fate = fate_of(sim, n->id, to, link);

	assert(to < sim->config.proto.nodes && to != n->id);
	assert(len > 0 && len <= PROTO_MESSAGE_MAX);
	sim_votes_sent(sim, n->id, to, bytes, len);
	if (sim->on_send)
		sim->on_send(sim, n->id, to, bytes, len);
	if (sim->config.route) {
		route(sim, &e, bytes);
		return;
	}
	if (link->cut || link->cuts) {
		sim->count[SIM_CUT]++;
		return;
	}
	if (chance(&fate, sim->config.loss_ppm) || (link->lossy && chance(&fate, SIM_LOSSY_PPM))) {
		sim->count[SIM_LOST]++;
		return;
	}
	post(n, &e, bytes, &fate);
	if (!chance(&fate, sim->config.duplicate_ppm))
		return;
	sim->count[SIM_DUPLICATED]++;
	copy.at_ns = draw(&fate) % (sim->config.duplicate_ns + 1);
	post(n, &copy, bytes, &fate);
}

static uint64_t io_persist(struct proto_io *io, const void *bytes, size_t len)
{
	return sim_disk_persist(node_of(io), bytes, len);
}

static void io_reply(struct proto_io *io, uint64_t ticket, const struct proto_reply *reply)
{
	struct sim_node *n = node_of(io);
	struct sim *sim = n->sim;

	sim->replies++;
	sim_trace(sim, "r%u reply %llu %s version %llu %s", n->id, (unsigned long long)ticket,
		proto_status_names[reply->status], (unsigned long long)reply->version,
		reply->why ? reply->why : "");
	if (sim->on_reply)
		sim->on_reply(sim, n->id, ticket, reply);
}

/* Drift: the local clock counts (1 + ppm / 10^6) for each ns of the world's. */

uint64_t sim_local_ns(const struct sim_node *n)
{
	int64_t passed = (int64_t)(n->sim->now_ns - SIM_START_NS);

	return n->sim->now_ns + (uint64_t)(passed * n->drift_ppm / (int64_t)SIM_PPM);
}

/* The first moment of the world at which the local clock shows @local_ns or more. */
static uint64_t world_ns(const struct sim_node *n, uint64_t local_ns)
{
	const int64_t ppm = (int64_t)SIM_PPM;
	int64_t passed = (int64_t)(local_ns - SIM_START_NS);

	if (!n->drift_ppm || local_ns <= SIM_START_NS)
		return local_ns;
	return SIM_START_NS + 2 +
	       (uint64_t)(passed / (ppm + n->drift_ppm) * ppm +
			  passed % (ppm + n->drift_ppm) * ppm / (ppm + n->drift_ppm));
}

static void queue_timer(struct sim_node *n, unsigned number)
{
	struct sim_timer *timer = &n->timer[number];
	const struct sim_event e = {
		.kind = SIM_TIMER,
		.at_ns = timer->at_ns,
		.node = n->id,
		.from = (uint16_t)number,
		.life = n->life,
	};

	timer->queued_ns = timer->at_ns;
	sim_queue_put(&n->sim->queue, &e, timer->order);
}

static void io_arm(struct proto_io *io, unsigned number, uint64_t at_ns)
{
	struct sim_node *n = node_of(io);
	struct sim_timer *timer = &n->timer[number];

	assert(number < PROTO_TIMERS_MAX);
	timer->at_ns = at_ns ? world_ns(n, at_ns) : 0;
	if (!at_ns)
		return;
	if (timer->at_ns < n->sim->now_ns)
		timer->at_ns = n->sim->now_ns;
	timer->order = sim_queue_order(&n->sim->queue);
	if (!timer->queued_ns || timer->at_ns < timer->queued_ns)
		queue_timer(n, number);
}

/* Return: whether the timer fires now; else its event has been put where it belongs. */
static bool timer_is_due(struct sim_node *n, const struct sim_event *e)
{
	struct sim_timer *timer = &n->timer[e->from];

	if (e->life != n->life || timer->queued_ns != e->at_ns)
		return false;
	if (timer->at_ns > e->at_ns)
		queue_timer(n, e->from);
	else if (timer->at_ns == 0)
		timer->queued_ns = 0;
	return timer->at_ns == e->at_ns;
}

static uint64_t io_now(struct proto_io *io)
{
	return sim_local_ns(node_of(io));
}

static uint64_t io_wall(struct proto_io *io)
{
	struct sim_node *n = node_of(io);
	uint64_t wall = SIM_WALL_NS + n->sim->now_ns + (uint64_t)n->skew_ns;
	uint64_t grain = n->sim->config.grain_ns;

	return grain ? wall - wall % grain : wall;
}

static uint64_t io_random(struct proto_io *io)
{
	return prng_next(&node_of(io)->prng);
}

/* Replicas. */

static void boot(struct sim_node *n)
{
	struct sim *sim = n->sim;
	struct proto_config cfg = sim->config.proto;

	cfg.self = n->id;
	n->alive = true;
	n->life++;
	n->table = table_open();
	sim_data_boot(n->data);
	n->proto = proto_open(sim->config.ops, &cfg, &n->io, n->table);
	memset(n->timer, 0, sizeof(n->timer));
	sim_disk_boot(n);
	sim->config.ops->start(n->proto);
}

struct sim *sim_open(const struct sim_config *config)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	unsigned nodes = config->proto.nodes;

	assert(sim);
	sim->config = *config;
	sim->ctx = config->ctx;
	sim->now_ns = SIM_START_NS;
	prng_init(&sim->prng, config->seed, 0);
	sim->node = calloc(nodes, sizeof(*sim->node));
	sim->link = calloc((size_t)nodes * nodes, sizeof(*sim->link));
	assert(sim->node && sim->link);
	for (size_t i = 0; i < (size_t)nodes * nodes; i++)
		sim->link[i] = (struct sim_link){
			.delay_ns = config->delay_ns, .jitter_ns = config->jitter_ns};
	sim->check = sim_check_open(nodes);
	sim->votes = sim_votes_open(nodes);
	for (unsigned i = 0; i < nodes; i++) {
		struct sim_node *n = &sim->node[i];

		n->io = (struct proto_io){
			io_send, io_persist, io_reply, io_arm, io_now, io_wall, io_random};
		n->sim = sim;
		n->id = i;
		prng_init(&n->prng, config->seed, i + 1);
		prng_init(&n->chance, config->seed, 8 * PROTO_NODES_MAX + i);
		n->data = sim_data_open(sim, i);
		boot(n);
	}
	return sim;
}

void sim_close(struct sim *sim)
{
	for (unsigned i = 0; i < sim->config.proto.nodes; i++) {
		struct sim_node *n = &sim->node[i];

		proto_close(n->proto);
		table_close(n->table);
		sim_data_close(n->data);
		sim_disk_fini(n);
		for (size_t k = 0; k < n->held_count; k++)
			free(n->held[k].p);
		free(n->held);
	}
	sim_queue_fini(&sim->queue);
	sim_check_close(sim->check);
	sim_votes_close(sim->votes);
	free(sim->link);
	free(sim->node);
	free(sim);
}

void sim_crash(struct sim *sim, unsigned node)
{
	struct sim_node *n = &sim->node[node];

	assert(n->alive);
	sim->count[SIM_CRASHES]++;
	sim_disk_crash(n);
	n->alive = false;
	n->life++;
	proto_close(n->proto);
	table_close(n->table);
	n->proto = NULL;
	n->table = NULL;
}

void sim_restart(struct sim *sim, unsigned node)
{
	assert(!sim->node[node].alive);
	sim_trace(sim, "r%u restarts", node);
	sim->count[SIM_RESTARTS]++;
	boot(&sim->node[node]);
	sim_check_restarted(sim, node);
}

struct sim_link *sim_link(struct sim *sim, unsigned from, unsigned to)
{
	return &sim->link[(size_t)from * sim->config.proto.nodes + to];
}

void sim_cut(struct sim *sim, const bool *side)
{
	for (unsigned a = 0; a < sim->config.proto.nodes; a++)
		for (unsigned b = 0; b < sim->config.proto.nodes; b++)
			if (side[a] != side[b])
				sim_link(sim, a, b)->cut = true;
}

void sim_heal(struct sim *sim)
{
	for (unsigned a = 0; a < sim->config.proto.nodes; a++)
		for (unsigned b = 0; b < sim->config.proto.nodes; b++)
			sim_link(sim, a, b)->cut = false;
}

int sim_leader(const struct sim *sim)
{
	struct proto_status_view view;
	uint64_t term = 0;
	int leader = -1;

	for (unsigned i = 0; i < sim->config.proto.nodes; i++) {
		if (!sim->node[i].alive)
			continue;
		sim_status(sim, i, &view);
		if (view.role == PROTO_LEADER && view.term >= term) {
			leader = (int)i;
			term = view.term;
		}
	}
	return leader;
}

/* A tombstone may come back to some when the others have forgotten it; only anti-entropy tells
 * its maker. */
static bool may_linger(const struct sim *sim, const struct table_entry *e)
{
	const struct proto_config *cfg = &sim->config.proto;

	return e->deleted && cfg->tombstone_ns && !cfg->anti_entropy_ns;
}

static bool same_entry(const struct table_entry *a, const struct table_entry *b)
{
	return b && a->deleted == b->deleted && a->version == b->version &&
	       a->origin == b->origin && a->value.len == b->value.len &&
	       (!a->value.len || !memcmp(a->value.p, b->value.p, a->value.len));
}

static bool alike(const struct sim *sim, const struct table_entry *e, const struct table_entry *f)
{
	return same_entry(e, f) || (!f && may_linger(sim, e));
}

/* Return: an entry of @a that @b does not have like that; NULL: none. */
static const struct table_entry *differing(
	const struct sim *sim, const struct table *a, const struct table *b)
{
	const struct table_entry *e;
	size_t at = 0;

	while ((e = table_next(a, &at)))
		if (!alike(sim, e, table_get(b, e->key)))
			return e;
	return NULL;
}

static void name_two(
	const struct sim *sim, struct proto_bytes key, unsigned one, char *why, size_t size)
{
	const struct table_entry *mine = table_get(sim->node[one].table, key);

	for (unsigned i = 0; i < sim->config.proto.nodes; i++) {
		const struct table_entry *e;

		if (!sim->node[i].alive)
			continue;
		e = table_get(sim->node[i].table, key);
		if (mine ? alike(sim, mine, e) : !e)
			continue;
		snprintf(why, size, "key %.*s differs between r%u and r%u", (int)key.len, key.p,
			one, i);
		return;
	}
}

/* Each is compared with all that the others have, not with each of them: there may be 1,000. */
/* What a protocol has beside its table. */
static bool same_digests(const struct sim *sim, char *why, size_t size)
{
	const struct proto_ops *ops = sim->config.ops;
	const struct sim_node *first = NULL;

	for (unsigned i = 0; ops->digest && i < sim->config.proto.nodes; i++) {
		const struct sim_node *n = &sim->node[i];

		if (!n->alive)
			continue;
		if (!first)
			first = n;
		if (ops->digest(n->proto) == ops->digest(first->proto))
			continue;
		if (why)
			(void)snprintf(why, size, "r%u and r%u have other data beside their tables",
				first->id, i);
		return false;
	}
	return true;
}

bool sim_converged(const struct sim *sim, char *why, size_t size)
{
	const struct table_entry *e = NULL, *f;
	struct table *all = table_open();
	struct proto_claim claim;

	sim->config.ops->claim(&sim->config.proto, &claim);
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < sim->config.proto.nodes && !e; i++) {
			const struct table *mine = sim->node[i].table;

			if (!sim->node[i].alive || !proto_has_copy(&sim->config.proto, &claim, i))
				continue;
			if (pass)
				e = differing(sim, all, mine);
			for (size_t at = 0; !pass && !e && (f = table_next(mine, &at));) {
				const struct table_entry *other = table_get(all, f->key);

				if (!other)
					table_put(all, f);
				else if (!same_entry(f, other))
					e = f;
			}
			if (e && why)
				name_two(sim, e->key, i, why, size);
		}
	table_close(all);
	return !e && same_digests(sim, why, size);
}

/* The turn of the world. */

void sim_call(struct sim *sim, uint64_t at_ns, unsigned who, unsigned what)
{
	struct sim_event e = {
		.kind = SIM_CALL, .at_ns = at_ns, .node = who, .from = (uint16_t)what};

	sim_schedule(sim, &e);
}

void sim_checked(struct sim *sim, unsigned node, bool table_may_differ)
{
	sim->steps++;
	if (!sim->violation[0])
		sim_check_step(sim, node, table_may_differ);
}

void sim_request(struct sim *sim, unsigned node, const struct proto_request *req)
{
	struct sim_node *n = &sim->node[node];

	assert(n->alive && !n->paused);
	if (n->full && !proto_reads(req->op)) { /* as replica_request() does */
		const struct proto_reply refusal = {
			.status = PROTO_UNAVAILABLE, .why = "disk full"};

		sim->count[SIM_DISK_FULL]++;
		n->io.reply(&n->io, req->ticket, &refusal);
		return;
	}
	sim_trace(sim, "r%u request %llu %s %.*s", node, (unsigned long long)req->ticket,
		proto_op_names[req->op], (int)req->key.len, req->key.p);
	proto_request(n->proto, req);
	sim_checked(sim, node, true);
}

static int give(struct sim *sim, unsigned from, unsigned to, const void *bytes, size_t len)
{
	struct sim_node *n = &sim->node[to];
	int rc;

	sim_trace(sim, "r%u <- r%u type %u, %zu bytes", to, from, len ? *(const uint8_t *)bytes : 0,
		len);
	rc = sim->config.ops->message(n->proto, from, bytes, len);
	sim_checked(sim, to, true);
	return rc;
}

int sim_message(struct sim *sim, unsigned from, unsigned to, const void *bytes, size_t len)
{
	sim->forged = true;
	return give(sim, from, to, bytes, len);
}

static void deliver(struct sim *sim, const struct sim_event *e)
{
	/* A cut link carries nothing, not even what was on its way. */
	const struct sim_link *link = sim_link(sim, e->from, e->node);

	if (!sim->node[e->node].alive)
		return;
	if (sim->config.arrives ? !sim->config.arrives(sim, e->from, e->node)
				: link->cut || link->cuts) {
		sim->count[SIM_CUT]++;
		return;
	}
	sim->messages++;
	int rc = give(sim, e->from, e->node, e->p, e->len);
	if (rc)
		sim_fail(sim, "r%u refuses a message of r%u (%d)", e->node, e->from, rc);
}

/* A paused process gets nothing; what is for it waits. */

static void hold(struct sim_node *n, struct sim_event *e)
{
	if (n->held_count == n->held_cap) {
		n->held_cap = n->held_cap ? 2 * n->held_cap : 64;
		n->held = realloc(n->held, n->held_cap * sizeof(*n->held));
		assert(n->held);
	}
	n->held[n->held_count++] = *e;
	e->p = NULL;
}

void sim_pause(struct sim *sim, unsigned node)
{
	sim->count[SIM_PAUSES]++;
	sim_trace(sim, "r%u pauses", node);
	sim->node[node].paused++;
}

void sim_resume(struct sim *sim, unsigned node)
{
	struct sim_node *n = &sim->node[node];

	assert(n->paused);
	if (--n->paused)
		return;
	sim_trace(sim, "r%u goes on, %zu events have waited", node, n->held_count);
	n->resumed_ns = sim->now_ns;
	for (size_t i = 0; i < n->held_count; i++) {
		struct sim_event e = n->held[i];

		if (e.kind == SIM_TIMER && timer_is_due(n, &e))
			n->timer[e.from].at_ns = n->timer[e.from].queued_ns = sim->now_ns;
		e.at_ns = sim->now_ns;
		sim_schedule(sim, &e);
	}
	n->held_count = 0;
}

void sim_admin(struct sim *sim, unsigned at, uint64_t ticket, enum proto_admin what, unsigned node)
{
	assert(sim->node[at].alive && sim->config.ops->admin);
	sim_trace(sim, "r%u admin %llu %s r%u", at, (unsigned long long)ticket,
		proto_admin_names[what], node);
	sim->members_changed |= what != PROTO_ADMIN_TRANSFER;
	sim->config.ops->admin(sim->node[at].proto, ticket, what, node);
	sim_checked(sim, at, true);
}

static void run_event(struct sim *sim, struct sim_event *e)
{
	struct sim_node *n = e->kind == SIM_CALL ? NULL : &sim->node[e->node];

	if (e->kind == SIM_TIMER && !timer_is_due(n, e))
		return;
	if (n && n->paused) {
		hold(n, e);
		return;
	}
	switch ((enum sim_kind)e->kind) {
	case SIM_MESSAGE:
		deliver(sim, e);
		break;
	case SIM_TIMER:
		n->timer[e->from] = (struct sim_timer){0};
		sim_trace(sim, "r%u timer %u", e->node, e->from);
		sim->config.ops->timer(n->proto, e->from);
		sim_checked(sim, e->node, false);
		break;
	case SIM_PERSISTED:
		if (e->life == n->life)
			sim_disk_done(n);
		break;
	case SIM_SNAP:
		if (e->life == n->life)
			sim_disk_snap(n);
		break;
	case SIM_CALL:
		sim->on_call(sim, e->node, e->from);
		break;
	}
}

bool sim_step(struct sim *sim)
{
	struct sim_event e;

	if (sim->violation[0] || !sim->queue.count)
		return false;
	e = sim_queue_take(&sim->queue);
	assert(e.at_ns >= sim->now_ns);
	sim->now_ns = e.at_ns;
	run_event(sim, &e);
	free(e.p);
	return !sim->violation[0];
}

bool sim_run(struct sim *sim, uint64_t until_ns)
{
	while (sim_queue_next_ns(&sim->queue) <= until_ns)
		if (!sim_step(sim))
			return false;
	sim->now_ns = until_ns;
	return !sim->violation[0];
}
