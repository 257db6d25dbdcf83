/* SPDX-License-Identifier: MIT */
/*
 * floor_sim_test.c - every system's floor against the simulator
 *
 * In a world without jitter, loss or local cost the fastest of many operations takes as long as the
 * floor says, at every replica, for reads and for writes: no less, or the floor would be no floor,
 * and no more, or something else could be faster. Links are asymmetric.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/sim/sim.h"
#include "store/systems.h"
#include "tests/lib/test.h"

#define NODES 5
#define OPERATIONS 24
#define READY_NS (60 * NS_PER_S)
#define SETTLE_NS (2 * NS_PER_S)
/* Between operations: not in step with heartbeats or any other timer. */
#define GAP_NS (617 * NS_PER_MS)
#define EPSILON_NS (10 * NS_PER_US)

/* One way, in milliseconds; rows are senders. */
static const unsigned way_ms[NODES][NODES] = {
	{0, 1, 8, 10, 30},
	{1, 0, 9, 11, 29},
	{12, 9, 0, 2, 25},
	{14, 10, 2, 0, 24},
	{50, 45, 20, 22, 0},
};

/* The same both ways where @even. */
static uint64_t way_ns(unsigned from, unsigned to, bool even)
{
	return even ? (way_ms[from][to] + way_ms[to][from]) * NS_PER_MS / 2
		    : way_ms[from][to] * NS_PER_MS;
}

struct asked {
	uint64_t ticket;
	bool done;
	bool ok;
	uint64_t took_ns;
	uint64_t asked_ns;
};

static void on_reply(
	struct sim *sim, unsigned node, uint64_t ticket, const struct proto_reply *reply)
{
	struct asked *a = sim->ctx;

	(void)node;
	if (ticket != a->ticket)
		return;
	a->done = true;
	a->ok = reply->status == PROTO_OK || reply->status == PROTO_NIL;
	a->took_ns = sim->now_ns - a->asked_ns;
}

static bool all_ready(const struct sim *sim)
{
	for (unsigned i = 0; i < NODES; i++) {
		struct proto_status_view view;

		sim_status(sim, i, &view);
		if (!view.ready)
			return false;
	}
	return true;
}

static struct sim *world_of(const struct system *s, bool even, struct asked *asked)
{
	struct sim_config config = {.ops = s->ops, .seed = 7, .delay_ns = NS_PER_MS, .ctx = asked};
	struct sim *sim;

	system_config(s, NODES, &config.proto);
	config.proto.leader = 0;
	config.proto.request_timeout_ns = 5 * NS_PER_S;
	sim = sim_open(&config);
	sim->on_reply = on_reply;
	for (unsigned a = 0; a < NODES; a++)
		for (unsigned b = 0; b < NODES; b++)
			sim_link(sim, a, b)->delay_ns = way_ns(a, b, even);
	while (!all_ready(sim) && sim->now_ns < READY_NS)
		assert_true(sim_run(sim, sim->now_ns + 10 * NS_PER_MS));
	if (!all_ready(sim))
		fail_msg("%s: not ready", s->name);
	assert_true(sim_run(sim, sim->now_ns + SETTLE_NS));
	return sim;
}

/* The fastest of many. */
static uint64_t fastest_ns(
	const struct system *s, struct sim *sim, unsigned contact, bool write, struct asked *a)
{
	static const struct proto_bytes key = {(const uint8_t *)"k", 1};
	static const struct proto_bytes value = {(const uint8_t *)"7", 1};
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < OPERATIONS; i++) {
		const struct proto_request req = {.ticket = ++a->ticket,
			.op = write ? PROTO_SET : PROTO_GET,
			.key = key,
			.value = write ? value : (struct proto_bytes){NULL, 0}};

		a->done = false;
		a->asked_ns = sim->now_ns;
		sim_request(sim, contact, &req);
		assert_true(sim_run(sim, sim->now_ns + GAP_NS));
		if (!a->done || !a->ok)
			fail_msg("%s: %s at r%u was not answered well", s->name,
				write ? "a write" : "a read", contact);
		least = a->took_ns < least ? a->took_ns : least;
	}
	return least;
}

static uint64_t floor_of(
	const struct system *s, const struct sim *sim, unsigned contact, bool write)
{
	uint64_t rtt_ns[NODES * NODES];
	struct proto_status_view view;

	for (unsigned a = 0; a < NODES; a++)
		for (unsigned b = 0; b < NODES; b++)
			rtt_ns[a * NODES + b] = (way_ms[a][b] + way_ms[b][a]) * NS_PER_MS;
	sim_status(sim, contact, &view);
	return s->ops->floor_ns(&(struct proto_floor_query){.cfg = &sim->config.proto,
		.rtt_ns = rtt_ns,
		.contact = contact,
		.leader = view.leader,
		.write = write});
}

struct compared {
	bool write;
	bool even;
	uint64_t wrong_ns; /* added to the floors */
	bool quiet;
};

/*
 * A chain's write goes around, each link one way: from round trips nobody can tell how long that
 * takes where the two ways differ. Its floor is none the less one.
 */
static bool is_floor_only(const struct system *s, const struct compared *c)
{
	return s->ops == &chain_ops && c->write && !c->even;
}

/* Return: at how many replicas the floor is not what the fastest one takes. */
static unsigned differing(const struct system *s, const struct compared *c)
{
	struct asked asked = {0};
	struct sim *sim = world_of(s, c->even, &asked);
	unsigned count = 0;

	(void)fastest_ns(s, sim, 0, true, &asked); /* there is something to read */
	for (unsigned contact = 0; contact < NODES; contact++) {
		uint64_t is = fastest_ns(s, sim, contact, c->write, &asked);
		uint64_t least = floor_of(s, sim, contact, c->write) + c->wrong_ns;
		uint64_t apart = is > least ? is - least : least - is;

		if (apart <= EPSILON_NS || (is > least && is_floor_only(s, c)))
			continue;
		count++;
		if (!c->quiet)
			print_error(
				"%s: the fastest %s at r%u takes %.3f ms, the floor is %.3f ms\n",
				s->name, c->write ? "write" : "read", contact, (double)is / 1e6,
				(double)least / 1e6);
	}
	sim_close(sim);
	return count;
}

static void floors(bool write, bool even)
{
	const struct compared c = {.write = write, .even = even};
	unsigned count = 0;

	for (unsigned i = 0; system_list(i); i++)
		count += differing(system_list(i), &c);
	assert_int_equal(count, 0);
}

static void floor_of_reads__is_what_the_fastest_takes_on_every_system(void **state)
{
	(void)state;
	floors(false, false);
}

static void floor_of_writes__is_what_the_fastest_takes_on_every_system(void **state)
{
	(void)state;
	floors(true, false);
}

static void floor_of_writes__is_so_where_both_ways_are_alike(void **state)
{
	(void)state;
	floors(true, true);
}

/* Else the others would prove nothing. */
static void floor__that_is_wrong_by_a_millisecond_is_noticed_on_every_system(void **state)
{
	const struct compared c = {.wrong_ns = NS_PER_MS, .quiet = true};

	(void)state;
	for (unsigned i = 0; system_list(i); i++)
		assert_true(differing(system_list(i), &c) == NODES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(floor_of_reads__is_what_the_fastest_takes_on_every_system),
		cmocka_unit_test(floor_of_writes__is_what_the_fastest_takes_on_every_system),
		cmocka_unit_test(floor_of_writes__is_so_where_both_ways_are_alike),
		cmocka_unit_test(floor__that_is_wrong_by_a_millisecond_is_noticed_on_every_system),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
