/* SPDX-License-Identifier: MIT */
/* world.c - a small quiet world for one test */
#include "tests/sim/world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct sim_config world_config(const struct proto_ops *ops, unsigned nodes)
{
	return (struct sim_config){
		.ops = ops,
		.seed = 1,
		.delay_ns = 10 * NS_PER_MS,
		.proto =
			{
				.nodes = nodes,
				.read_level = PROTO_QUORUM,
				.write_level = PROTO_QUORUM,
				.request_timeout_ns = 800 * NS_PER_MS,
				.election_min_ns = 300 * NS_PER_MS,
				.election_max_ns = 600 * NS_PER_MS,
				.heartbeat_ns = 50 * NS_PER_MS,
				.leader = 0,
			},
	};
}

/* Bytes of a reply, with a zero behind them. */
static struct proto_bytes copy_of(const struct proto_bytes *b)
{
	uint8_t *copy = calloc(1, (size_t)b->len + 1);

	assert(copy);
	if (b->len)
		memcpy(copy, b->p, b->len);
	return (struct proto_bytes){copy, b->len};
}

static void keep(struct world_asked *a, const struct proto_reply *reply)
{
	struct proto_bytes *list = calloc(reply->listed + 1u, sizeof(*list));
	struct token *token = calloc(1, sizeof(*token));

	assert(list && token);
	for (uint32_t i = 0; i < reply->listed; i++)
		list[i] = copy_of(&reply->list[i]);
	if (reply->token)
		*token = *reply->token;
	a->reply = *reply;
	a->reply.value = copy_of(&reply->value);
	a->reply.list = list;
	a->reply.token = token;
}

static void forget(struct world_asked *a)
{
	for (uint32_t i = 0; i < a->reply.listed; i++)
		free((void *)(uintptr_t)a->reply.list[i].p);
	free((void *)(uintptr_t)a->reply.list);
	free((void *)(uintptr_t)a->reply.token);
	free((void *)(uintptr_t)a->reply.value.p);
}

static void on_reply(
	struct sim *sim, unsigned node, uint64_t ticket, const struct proto_reply *reply)
{
	struct world *w = sim->ctx;
	struct world_asked *a = &w->asked[ticket - 1];

	(void)node;
	assert(ticket >= 1 && ticket <= w->asked_count);
	a->replied_ns = sim->now_ns;
	if (!a->replies++)
		keep(a, reply);
}

static void on_send(struct sim *sim, unsigned from, unsigned to, const void *bytes, size_t len)
{
	struct world *w = sim->ctx;
	struct world_sent *s;

	if (!w || w->sent_count == WORLD_SENT_MAX)
		return;
	s = &w->sent[w->sent_count++];
	*s = (struct world_sent){.from = from, .to = to};
	buf_add(&s->bytes, bytes, len);
}

struct world *world_open(const struct sim_config *config)
{
	struct world *w = calloc(1, sizeof(*w));

	assert(w);
	w->sim = sim_open(config);
	w->sim->ctx = w;
	w->sim->on_reply = on_reply;
	w->sim->on_send = on_send;
	return w;
}

void world_forget(struct world *w)
{
	for (size_t i = 0; i < w->sent_count; i++)
		buf_fini(&w->sent[i].bytes);
	w->sent_count = 0;
}

void world_close(struct world *w)
{
	world_forget(w);
	for (size_t i = 0; i < w->asked_count; i++)
		forget(&w->asked[i]);
	sim_close(w->sim);
	free(w);
}

static void no_violation(const struct world *w)
{
	if (w->sim->violation[0])
		fprintf(stderr, "# %s\n", w->sim->violation);
	assert(!w->sim->violation[0]);
}

void world_run(struct world *w, uint64_t ns)
{
	sim_run(w->sim, w->sim->now_ns + ns);
	no_violation(w);
}

void world_settle(struct world *w)
{
	struct proto_status_view view = {0};

	for (unsigned i = 0; i < 200 && !view.ready; i++) {
		int leader = sim_leader(w->sim);

		world_run(w, 10 * NS_PER_MS);
		sim_status(w->sim, leader < 0 ? 0 : (unsigned)leader, &view);
	}
	world_run(w, 2 * w->sim->config.proto.heartbeat_ns);
}

static struct proto_bytes text(const char *s)
{
	return (struct proto_bytes){(const uint8_t *)s, s ? (uint32_t)strlen(s) : 0};
}

struct world_asked *world_ask(struct world *w, unsigned node, const struct world_ask *ask)
{
	struct world_asked *a = &w->asked[w->asked_count];
	struct proto_request req = {
		.ticket = ++w->asked_count,
		.op = ask->op,
		.cond = ask->cond,
		.level = ask->level,
		.key = text(ask->key),
		.value = text(ask->value),
		.expected = text(ask->expected),
		.token = ask->token,
	};

	assert(w->asked_count < WORLD_ASKED_MAX);
	a->asked_ns = w->sim->now_ns;
	sim_request(w->sim, node, &req);
	return a;
}

struct world_asked *world_wait(struct world *w, struct world_asked *asked)
{
	while (!asked->replies && sim_step(w->sim))
		;
	no_violation(w);
	assert(asked->replies == 1);
	return asked;
}

enum proto_status world_set(struct world *w, unsigned node, const char *key, const char *value)
{
	struct world_ask ask = {.op = PROTO_SET, .key = key, .value = value};

	return world_wait(w, world_ask(w, node, &ask))->reply.status;
}

enum proto_status world_del(struct world *w, unsigned node, const char *key)
{
	struct world_ask ask = {.op = PROTO_DEL, .key = key};

	return world_wait(w, world_ask(w, node, &ask))->reply.status;
}

const char *world_get(struct world *w, unsigned node, const char *key)
{
	struct world_ask ask = {.op = PROTO_GET, .key = key};

	return (const char *)world_wait(w, world_ask(w, node, &ask))->reply.value.p;
}

const char *world_local(struct world *w, unsigned node, const char *key)
{
	static char copy[256];
	const struct table_entry *e = table_get(w->sim->node[node].table, text(key));

	if (!e || e->deleted)
		return "";
	snprintf(copy, sizeof(copy), "%.*s", (int)e->value.len, e->value.p);
	return copy;
}

void world_isolate(struct world *w, unsigned node)
{
	bool side[PROTO_NODES_MAX] = {0};

	side[node] = true;
	sim_cut(w->sim, side);
}

const struct world_sent *world_last_sent(
	const struct world *w, unsigned from, unsigned to, uint8_t type)
{
	for (size_t i = w->sent_count; i-- > 0;) {
		const struct world_sent *s = &w->sent[i];

		if (s->from == from && s->to == to && s->bytes.p[0] == type)
			return s;
	}
	return NULL;
}
