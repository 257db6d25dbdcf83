/* SPDX-License-Identifier: MIT */
/* sim.c - replicas in virtual time: network, disks, clocks */
#include "agent/sim/sim.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

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

/* Events: a binary heap by time, then by order of scheduling. */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

static void schedule(struct sim *sim, const struct sim_event *event)
{
	struct sim_event e = *event;
	size_t i = sim->events++;

	if (i == sim->events_cap) {
		sim->events_cap = sim->events_cap ? 2 * sim->events_cap : 1024;
		sim->heap = realloc(sim->heap, sim->events_cap * sizeof(*sim->heap));
		assert(sim->heap);
	}
	e.order = sim->order++;
	for (; i && before(&e, &sim->heap[(i - 1) / 2]); i = (i - 1) / 2)
		sim->heap[i] = sim->heap[(i - 1) / 2];
	sim->heap[i] = e;
}

static struct sim_event take(struct sim *sim)
{
	struct sim_event first = sim->heap[0];
	struct sim_event last = sim->heap[--sim->events];
	size_t i = 0;

	for (size_t child; (child = 2 * i + 1) < sim->events; i = child) {
		if (child + 1 < sim->events && before(&sim->heap[child + 1], &sim->heap[child]))
			child++;
		if (!before(&sim->heap[child], &last))
			break;
		sim->heap[i] = sim->heap[child];
	}
	sim->heap[i] = last;
	sim->heap[sim->events].p = NULL; /* the place that is free now owns nothing */
	return first;
}

static bool chance(struct sim *sim, uint32_t ppm)
{
	return ppm && prng_below(&sim->prng, SIM_PPM) < ppm;
}

/* The seam: struct proto_io. */

static void post(struct sim_node *n, unsigned to, const void *bytes, size_t len, uint64_t extra_ns)
{
	struct sim *sim = n->sim;
	const struct sim_link *link = sim_link(sim, n->id, to);
	struct sim_event e = {
		.kind = SIM_MESSAGE,
		.node = (uint16_t)to,
		.from = (uint16_t)n->id,
		.len = (uint32_t)len,
		.p = malloc(len),
	};

	assert(e.p);
	memcpy(e.p, bytes, len);
	e.at_ns = sim->now_ns + link->delay_ns + extra_ns;
	if (link->jitter_ns)
		e.at_ns += prng_below(&sim->prng, link->jitter_ns);
	schedule(sim, &e);
}

static void io_send(struct proto_io *io, unsigned to, const void *bytes, size_t len)
{
	struct sim_node *n = node_of(io);
	struct sim *sim = n->sim;

	assert(to < sim->config.proto.nodes && to != n->id);
	assert(len > 0 && len <= PROTO_MESSAGE_MAX);
	if (sim->on_send)
		sim->on_send(sim, n->id, to, bytes, len);
	if (sim_link(sim, n->id, to)->cut || chance(sim, sim->config.loss_ppm))
		return;
	post(n, to, bytes, len, 0);
	if (chance(sim, sim->config.duplicate_ppm))
		post(n, to, bytes, len, prng_below(&sim->prng, sim->config.duplicate_ns + 1));
}

/* The disk writes all that is waiting in one go, as a log with group commit does. */
static void disk_start(struct sim_node *n)
{
	struct sim *sim = n->sim;
	uint64_t span = sim->config.persist_ns_max - sim->config.persist_ns_min;
	struct sim_event e = {.kind = SIM_PERSISTED, .node = (uint16_t)n->id, .life = n->life};

	n->records_writing = n->records;
	e.at_ns = sim->now_ns + sim->config.persist_ns_min + prng_below(&sim->prng, span + 1);
	schedule(sim, &e);
}

static uint64_t io_persist(struct proto_io *io, const void *bytes, size_t len)
{
	struct sim_node *n = node_of(io);
	struct sim_record *record;

	assert(len > 0 && len <= PROTO_MESSAGE_MAX);
	if (n->records == n->records_cap) {
		n->records_cap = n->records_cap ? 2 * n->records_cap : 64;
		n->record = realloc(n->record, n->records_cap * sizeof(*n->record));
		assert(n->record);
	}
	record = &n->record[n->records++];
	record->bytes = malloc(len);
	assert(record->bytes);
	memcpy(record->bytes, bytes, len);
	record->len = len;
	if (n->records_writing == n->records_durable)
		disk_start(n);
	return n->records;
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

static void io_arm(struct proto_io *io, unsigned timer, uint64_t at_ns)
{
	struct sim_node *n = node_of(io);
	struct sim_event e = {
		.kind = SIM_TIMER,
		.at_ns = at_ns > n->sim->now_ns ? at_ns : n->sim->now_ns,
		.node = (uint16_t)n->id,
		.from = (uint16_t)timer,
		.life = n->life,
	};

	assert(timer < PROTO_TIMERS_MAX);
	n->timer[timer] = at_ns ? e.at_ns : 0;
	if (at_ns)
		schedule(n->sim, &e);
}

static uint64_t io_now(struct proto_io *io)
{
	return node_of(io)->sim->now_ns;
}

static uint64_t io_wall(struct proto_io *io)
{
	struct sim_node *n = node_of(io);

	return SIM_WALL_NS + n->sim->now_ns + (uint64_t)n->skew_ns;
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
	n->proto = proto_open(sim->config.ops, &cfg, &n->io, n->table);
	memset(n->timer, 0, sizeof(n->timer));
	for (size_t i = 0; i < n->records; i++) {
		int rc = sim->config.ops->restore(n->proto, n->record[i].bytes, n->record[i].len);

		if (rc)
			sim_fail(
				sim, "r%u does not know its own record %zu (%d)", n->id, i + 1, rc);
	}
	n->records_writing = n->records;
	n->records_durable = n->records;
	sim->config.ops->start(n->proto);
}

struct sim *sim_open(const struct sim_config *config)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	unsigned nodes = config->proto.nodes;

	assert(sim);
	sim->config = *config;
	sim->now_ns = SIM_START_NS;
	prng_init(&sim->prng, config->seed, 0);
	sim->node = calloc(nodes, sizeof(*sim->node));
	sim->link = calloc((size_t)nodes * nodes, sizeof(*sim->link));
	assert(sim->node && sim->link);
	for (size_t i = 0; i < (size_t)nodes * nodes; i++)
		sim->link[i] = (struct sim_link){
			.delay_ns = config->delay_ns, .jitter_ns = config->jitter_ns};
	sim->check = sim_check_open(nodes);
	for (unsigned i = 0; i < nodes; i++) {
		struct sim_node *n = &sim->node[i];

		n->io = (struct proto_io){
			io_send, io_persist, io_reply, io_arm, io_now, io_wall, io_random};
		n->sim = sim;
		n->id = i;
		prng_init(&n->prng, config->seed, i + 1);
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
		for (size_t k = 0; k < n->records; k++)
			free(n->record[k].bytes);
		free(n->record);
	}
	for (size_t i = 0; i < sim->events; i++)
		free(sim->heap[i].p);
	sim_check_close(sim->check);
	free(sim->heap);
	free(sim->link);
	free(sim->node);
	free(sim);
}

void sim_crash(struct sim *sim, unsigned node)
{
	struct sim_node *n = &sim->node[node];
	size_t keep;

	assert(n->alive);
	/* Rule 3: what was not reported may be lost, but only as a suffix. */
	keep = n->records_durable +
	       (size_t)prng_below(&sim->prng, n->records - n->records_durable + 1);
	if (PROTO_BUG(BUG_LOG_DROPS_ACKED) && keep == n->records_durable && keep)
		keep--;
	for (size_t i = keep; i < n->records; i++)
		free(n->record[i].bytes);
	sim_trace(sim, "r%u crashes, %zu of %zu records left", node, keep, n->records);
	n->records = keep;
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

static bool same_entry(const struct table_entry *a, const struct table_entry *b)
{
	return b && a->deleted == b->deleted && a->version == b->version &&
	       a->origin == b->origin && a->value.len == b->value.len &&
	       (!a->value.len || !memcmp(a->value.p, b->value.p, a->value.len));
}

bool sim_converged(const struct sim *sim, char *why, size_t size)
{
	const struct table_entry *e;

	for (unsigned a = 0; a < sim->config.proto.nodes; a++) {
		size_t at = 0;

		while (sim->node[a].alive && (e = table_next(sim->node[a].table, &at))) {
			for (unsigned b = 0; b < sim->config.proto.nodes; b++) {
				if (!sim->node[b].alive ||
					same_entry(e, table_get(sim->node[b].table, e->key)))
					continue;
				if (why)
					snprintf(why, size, "key %.*s differs between r%u and r%u",
						(int)e->key.len, e->key.p, a, b);
				return false;
			}
		}
	}
	return true;
}

/* The turn of the world. */

void sim_call(struct sim *sim, uint64_t at_ns, unsigned who, unsigned what)
{
	struct sim_event e = {
		.kind = SIM_CALL, .at_ns = at_ns, .node = (uint16_t)who, .from = (uint16_t)what};

	schedule(sim, &e);
}

static void checked(struct sim *sim, unsigned node, bool table_may_differ)
{
	sim->steps++;
	if (!sim->violation[0])
		sim_check_step(sim, node, table_may_differ);
}

void sim_request(struct sim *sim, unsigned node, const struct proto_request *req)
{
	struct sim_node *n = &sim->node[node];

	assert(n->alive);
	sim_trace(sim, "r%u request %llu %s %.*s", node, (unsigned long long)req->ticket,
		proto_op_names[req->op], (int)req->key.len, req->key.p);
	sim->config.ops->request(n->proto, req);
	checked(sim, node, true);
}

int sim_message(struct sim *sim, unsigned from, unsigned to, const void *bytes, size_t len)
{
	struct sim_node *n = &sim->node[to];
	int rc;

	sim_trace(sim, "r%u <- r%u type %u, %zu bytes", to, from, len ? *(const uint8_t *)bytes : 0,
		len);
	rc = sim->config.ops->message(n->proto, from, bytes, len);
	checked(sim, to, true);
	return rc;
}

static void deliver(struct sim *sim, const struct sim_event *e)
{
	int rc;

	/* A cut link carries nothing, not even what was on its way. */
	if (!sim->node[e->node].alive || sim_link(sim, e->from, e->node)->cut)
		return;
	sim->messages++;
	rc = sim_message(sim, e->from, e->node, e->p, e->len);
	if (rc)
		sim_fail(sim, "r%u refuses a message of r%u (%d)", e->node, e->from, rc);
}

static void disk_done(struct sim *sim, struct sim_node *n)
{
	uint64_t seq = n->records_writing;

	n->records_durable = n->records_writing;
	if (n->records > n->records_durable)
		disk_start(n);
	sim->config.ops->persisted(n->proto, seq);
	checked(sim, n->id, true);
}

static void run_event(struct sim *sim, const struct sim_event *e)
{
	struct sim_node *n = &sim->node[e->node];

	switch ((enum sim_kind)e->kind) {
	case SIM_MESSAGE:
		deliver(sim, e);
		break;
	case SIM_TIMER:
		if (e->life != n->life || n->timer[e->from] != e->at_ns)
			break;
		n->timer[e->from] = 0;
		sim_trace(sim, "r%u timer %u", e->node, e->from);
		sim->config.ops->timer(n->proto, e->from);
		checked(sim, e->node, false);
		break;
	case SIM_PERSISTED:
		if (e->life == n->life)
			disk_done(sim, n);
		break;
	case SIM_CALL:
		sim->on_call(sim, e->node, e->from);
		break;
	}
}

bool sim_step(struct sim *sim)
{
	struct sim_event e;

	if (sim->violation[0] || !sim->events)
		return false;
	e = take(sim);
	assert(e.at_ns >= sim->now_ns);
	sim->now_ns = e.at_ns;
	run_event(sim, &e);
	free(e.p);
	return !sim->violation[0];
}

bool sim_run(struct sim *sim, uint64_t until_ns)
{
	while (sim->events && sim->heap[0].at_ns <= until_ns)
		if (!sim_step(sim))
			return false;
	sim->now_ns = until_ns;
	return !sim->violation[0];
}
