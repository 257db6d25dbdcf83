/* SPDX-License-Identifier: MIT */
/* sim_elections.c - how long a cluster is without a leader, many times, in virtual time */
#include "agent/sim/sim_elections.h"

#include <assert.h>
#include <string.h>

#include "agent/sim/sim.h"
#include "store/settings.h"

/* An entry that is not to come is told by its length: no heartbeat is as long. */
#define ENTRY_BYTES 1024
#define STREAM 0x656c6563u
#define SETTLE_HEARTBEATS 8

struct trial {
	struct sim *sim;
	unsigned leader;
	unsigned uneven;
	bool cut;         /* a link that is to be opened again after this step */
	uint64_t told_ns; /* the leader's last message to anybody */
	uint64_t elected_ns;
};

/* The first followers never get an entry; they get everything else. */
static bool lacks(const struct trial *t, unsigned node)
{
	return node != t->leader && node < t->uneven + (t->leader < t->uneven);
}

static void on_send(struct sim *sim, unsigned from, unsigned to, const void *bytes, size_t len)
{
	struct trial *t = sim->ctx;

	(void)bytes;
	if (from == t->leader)
		t->told_ns = sim->now_ns;
	if (from != t->leader || len < ENTRY_BYTES || !lacks(t, to))
		return;
	sim_link(sim, from, to)->cut = true;
	t->cut = true;
}

static void on_leads(struct sim *sim, unsigned node)
{
	struct trial *t = sim->ctx;

	(void)node;
	t->elected_ns = sim->now_ns;
}

static bool step(struct trial *t)
{
	bool more = sim_step(t->sim);

	for (unsigned i = 0; t->cut && i < t->sim->config.proto.nodes; i++)
		sim_link(t->sim, t->leader, i)->cut = false;
	t->cut = false;
	return more;
}

static void run_until(struct trial *t, uint64_t until_ns)
{
	sim_call(t->sim, until_ns, 0, 0);
	while (t->sim->now_ns < until_ns && step(t))
		;
	assert(!t->sim->violation[0]);
}

static void on_call(struct sim *sim, unsigned who, unsigned what)
{
	(void)sim;
	(void)who;
	(void)what;
}

static struct sim_config config_of(const struct elections_wish *wish, unsigned trial)
{
	struct sim_config config = {.ops = &raft_ops,
		.seed = wish->seed * ELECTIONS_TRIALS_MAX + trial + 1,
		.delay_ns = wish->rtt_ns / 2 - wish->jitter_ns,
		.jitter_ns = 2 * wish->jitter_ns,
		.persist_ns_min = wish->persist_ns,
		.persist_ns_max = wish->persist_ns};

	settings_defaults(&config.proto);
	config.proto.nodes = wish->replicas;
	config.proto.read_level = config.proto.write_level = PROTO_QUORUM;
	config.proto.request_timeout_ns = NS_PER_S;
	config.proto.election_min_ns = wish->election_min_ns;
	config.proto.election_max_ns = wish->election_max_ns;
	config.proto.heartbeat_ns = wish->heartbeat_ns;
	config.proto.plain_elections = wish->plain;
	config.proto.leader = 0;
	return config;
}

static void write_entry(struct trial *t)
{
	static const uint8_t value[ENTRY_BYTES];
	const struct proto_request req = {.ticket = 1,
		.op = PROTO_SET,
		.key = {.p = (const uint8_t *)"k", .len = 1},
		.value = {.p = value, .len = sizeof value}};

	sim_request(t->sim, t->leader, &req);
}

/*
 * Has a leader, for some heartbeats, that has just told all of itself. In the dissertation the
 * script had it do so before the crash; here the crash comes within an interval after one.
 */
static bool settle(struct trial *t, const struct elections_wish *wish)
{
	uint64_t until = t->sim->now_ns + ELECTIONS_GIVE_UP_NS, now;

	while (t->sim->now_ns < until && sim_leader(t->sim) < 0 && step(t))
		;
	run_until(t, t->sim->now_ns + SETTLE_HEARTBEATS * wish->heartbeat_ns + 2 * wish->rtt_ns);
	/* With timeouts near the round trip it may be another one by now. */
	while (t->sim->now_ns < until && sim_leader(t->sim) < 0 && step(t))
		;
	if (sim_leader(t->sim) < 0)
		return false;
	t->leader = (unsigned)sim_leader(t->sim);
	t->uneven = wish->uneven;
	/* Answers do not make it talk; the next message is a heartbeat. */
	now = t->sim->now_ns;
	while (t->told_ns <= now && t->sim->now_ns < until && step(t))
		;
	if (wish->uneven > 0 && sim_leader(t->sim) == (int)t->leader)
		write_entry(t);
	return true;
}

uint64_t elections_trial(const struct elections_wish *wish, unsigned trial)
{
	struct sim_config config = config_of(wish, trial);
	struct trial t = {.sim = sim_open(&config)};
	struct prng prng;
	uint64_t crashed;
	int leader;

	assert(wish->rtt_ns / 2 >= wish->jitter_ns && wish->uneven <= (wish->replicas - 1) / 2);
	prng_init(&prng, config.seed, STREAM);
	t.sim->ctx = &t;
	t.sim->on_send = on_send;
	t.sim->on_leads = on_leads;
	t.sim->on_call = on_call;
	if (settle(&t, wish))
		run_until(&t, t.sim->now_ns + prng_below(&prng, wish->heartbeat_ns));
	t.elected_ns = 0;
	crashed = t.sim->now_ns;
	leader = sim_leader(t.sim);
	if (leader >= 0)
		sim_crash(t.sim, (unsigned)leader);
	while (!t.elected_ns && t.sim->now_ns < crashed + ELECTIONS_GIVE_UP_NS && step(&t))
		;
	assert(!t.sim->violation[0]);
	sim_close(t.sim);
	return t.elected_ns ? t.elected_ns - crashed : ELECTIONS_GIVE_UP_NS;
}
