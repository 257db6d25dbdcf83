/* SPDX-License-Identifier: MIT */
/*
 * floor_test.c - the floor of each protocol, worked out by hand
 *
 * Five replicas; round trips in milliseconds, the sums of two different ways:
 *
 *	      r1  r2  r3  r4          from r0, nearest first:  0  2 20 24 80
 *	r0     2  20  24  80          from r1:                 0  2 18 21 74
 *	r1        18  21  74          from r2:                 0  4 18 20 45
 *	r2             4  45          from r3:                 0  4 21 24 46
 *	r3                46          from r4:                 0 45 46 74 80
 *
 * So three of five have answered r0 after 20 ms, r2 after 18, r3 after 21, r4 after 46.
 */
#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "store/settings.h"
#include "store/systems.h"

#define NODES 5
#define NOBODY (-1)

static const unsigned way_ms[NODES][NODES] = {
	{0, 1, 8, 10, 30},
	{1, 0, 9, 11, 29},
	{12, 9, 0, 2, 25},
	{14, 10, 2, 0, 24},
	{50, 45, 20, 22, 0},
};

enum what { READ, WRITE };

struct ask {
	const char *system;
	int leader;
	unsigned client_ms; /* away from the replica that it talks to */
	enum proto_level level;
	const char *set; /* settings beside those of the system */
};

static double floor_ms(const struct ask *a, unsigned contact, enum what what)
{
	const struct system *s = system_find(a->system);
	struct proto_config cfg;
	uint64_t rtt_ns[NODES * NODES];
	struct err err;

	assert_non_null(s);
	system_config(s, NODES, &cfg);
	cfg.leader = 0;
	if (a->set)
		assert_int_equal(settings_read(&cfg, s->ops, a->set, &err), 0);
	for (unsigned from = 0; from < NODES; from++)
		for (unsigned to = 0; to < NODES; to++)
			rtt_ns[from * NODES + to] =
				(way_ms[from][to] + way_ms[to][from]) * NS_PER_MS;
	return (double)s->ops->floor_ns(&(struct proto_floor_query){.cfg = &cfg,
		       .rtt_ns = rtt_ns,
		       .contact = contact,
		       .client_ns = a->client_ms * NS_PER_MS,
		       .leader = a->leader,
		       .write = what == WRITE,
		       .level = a->level}) /
	       (double)NS_PER_MS;
}

/* @want: at r0, r2, r3 and r4. */
static void expect_floors(const struct ask *a, enum what what, const double want[4])
{
	static const unsigned at[] = {0, 2, 3, 4};

	for (unsigned i = 0; i < 4; i++) {
		double is = floor_ms(a, at[i], what);

		if (is != want[i])
			fail_msg("%s: %s at r%u: %g ms, by hand %g ms", a->system,
				what == WRITE ? "write" : "read", at[i], is, want[i]);
	}
}

/* r0 has the one copy. */
static void single__is_the_way_to_the_copy(void **state)
{
	const struct ask a = {.system = "single", .leader = NOBODY};

	(void)state;
	expect_floors(&a, READ, (const double[]){0, 20, 24, 80});
	expect_floors(&a, WRITE, (const double[]){0, 20, 24, 80});
}

static void quorum__is_the_last_of_so_many_that_must_answer(void **state)
{
	const struct ask one = {.system = "cassandra-one", .leader = NOBODY};
	const struct ask quorum = {.system = "cassandra-quorum", .leader = NOBODY};
	const struct ask two = {.system = "cassandra-one", .leader = NOBODY, .level = PROTO_TWO};
	const struct ask all = {.system = "cassandra-one", .leader = NOBODY, .level = PROTO_ALL};

	(void)state;
	expect_floors(&one, READ, (const double[]){0, 0, 0, 0});
	expect_floors(&one, WRITE, (const double[]){0, 0, 0, 0});
	expect_floors(&two, WRITE, (const double[]){2, 4, 4, 45});
	expect_floors(&quorum, READ, (const double[]){20, 18, 21, 46});
	expect_floors(&quorum, WRITE, (const double[]){20, 18, 21, 46});
	expect_floors(&all, READ, (const double[]){80, 45, 46, 80});
}

/* A follower asks the leader, which asks a majority: the same for reads, which it confirms so. */
static void raft__is_the_way_to_the_leader_and_its_majority(void **state)
{
	const struct ask by_0 = {.system = "raft", .leader = 0};
	const struct ask by_2 = {.system = "raft", .leader = 2};

	(void)state;
	expect_floors(&by_0, WRITE, (const double[]){20, 20 + 20, 24 + 20, 80 + 20});
	expect_floors(&by_0, READ, (const double[]){20, 20 + 20, 24 + 20, 80 + 20});
	expect_floors(&by_2, WRITE, (const double[]){20 + 18, 18, 4 + 18, 45 + 18});
}

/* Without asking a majority: by its lease, or because nobody does; at ONE not even the leader. */
static void raft__pays_less_for_reads_that_nobody_confirms(void **state)
{
	const struct ask lease = {.system = "dynamodb-strong", .leader = 0};
	const struct ask unconfirmed = {.system = "mongodb-majority", .leader = 0};
	const struct ask one = {.system = "etcd-serializable", .leader = 0};

	(void)state;
	expect_floors(&lease, READ, (const double[]){0, 20, 24, 80});
	expect_floors(&unconfirmed, READ, (const double[]){0, 20, 24, 80});
	expect_floors(&one, READ, (const double[]){0, 0, 0, 0});
	expect_floors(&lease, WRITE, (const double[]){20, 40, 44, 100});
}

static void zab__is_that_of_a_leader_and_reads_are_of_the_contact(void **state)
{
	const struct ask own = {.system = "zookeeper", .leader = 0};
	const struct ask sync = {.system = "zookeeper-sync", .leader = 0};

	(void)state;
	expect_floors(&own, READ, (const double[]){0, 0, 0, 0});
	expect_floors(&own, WRITE, (const double[]){20, 40, 44, 100});
	expect_floors(&sync, READ, (const double[]){20, 40, 44, 100});
}

/* acks=1: the primary and its nearest, r1, which is 2 ms away. */
static void primary__waits_for_as_many_as_shall_have_it(void **state)
{
	const struct ask async = {.system = "mysql-async", .leader = 0};
	const struct ask semisync = {.system = "mysql-semisync", .leader = 0};
	const struct ask by_3 = {.system = "mysql-semisync", .leader = 3};
	const struct ask local = {.system = "redis-replicas", .leader = 0};

	(void)state;
	expect_floors(&async, WRITE, (const double[]){0, 20, 24, 80});
	expect_floors(&semisync, WRITE, (const double[]){2, 20 + 2, 24 + 2, 80 + 2});
	expect_floors(&by_3, WRITE, (const double[]){24 + 4, 4 + 4, 4, 46 + 4});
	expect_floors(&local, READ, (const double[]){0, 0, 0, 0});
}

/* A write asks for the newest version first; a read that finds all alike need not write it back. */
static void abd__is_one_majority_for_reads_and_two_for_writes(void **state)
{
	const struct ask a = {.system = "abd", .leader = NOBODY};

	(void)state;
	expect_floors(&a, READ, (const double[]){20, 18, 21, 46});
	expect_floors(&a, WRITE, (const double[]){40, 36, 42, 92});
}

/* r0 is the primary; of dns r1 is the secondary and the others are caches, which may know. */
static void zone__is_the_way_to_the_primary_and_nothing_for_who_has_a_copy(void **state)
{
	const struct ask strict = {.system = "zone", .leader = NOBODY};
	const struct ask dns = {.system = "dns", .leader = NOBODY};
	const struct ask forgets = {.system = "dns", .leader = NOBODY, .set = "ttl=0s"};

	(void)state;
	expect_floors(&strict, READ, (const double[]){0, 20, 24, 80});
	expect_floors(&strict, WRITE, (const double[]){0, 20, 24, 80});
	expect_floors(&dns, READ, (const double[]){0, 0, 0, 0});
	expect_floors(&dns, WRITE, (const double[]){0, 20, 24, 80});
	/* From the nearest of r0 and r1. */
	expect_floors(&forgets, READ, (const double[]){0, 18, 21, 74});
}

/* Nobody else is asked. */
static void causal_crdt_multimaster__pay_nothing(void **state)
{
	static const char *const systems[] = {"causal", "crdt", "multimaster"};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		const struct ask a = {.system = systems[i], .leader = NOBODY};

		expect_floors(&a, READ, (const double[]){0, 0, 0, 0});
		expect_floors(&a, WRITE, (const double[]){0, 0, 0, 0});
	}
}

static void every_floor__has_the_way_between_client_and_replica_on_top(void **state)
{
	(void)state;
	for (unsigned i = 0; system_list(i); i++) {
		struct ask a = {.system = system_list(i)->name, .leader = 0};

		for (unsigned contact = 0; contact < NODES; contact++) {
			for (enum what what = READ; what <= WRITE; what++) {
				double near, far;

				a.client_ms = 0;
				near = floor_ms(&a, contact, what);
				a.client_ms = 3;
				far = floor_ms(&a, contact, what);
				if (far != near + 3)
					fail_msg("%s: %g ms, and %g from 3 ms away", a.system, near,
						far);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single__is_the_way_to_the_copy),
		cmocka_unit_test(quorum__is_the_last_of_so_many_that_must_answer),
		cmocka_unit_test(raft__is_the_way_to_the_leader_and_its_majority),
		cmocka_unit_test(raft__pays_less_for_reads_that_nobody_confirms),
		cmocka_unit_test(zab__is_that_of_a_leader_and_reads_are_of_the_contact),
		cmocka_unit_test(primary__waits_for_as_many_as_shall_have_it),
		cmocka_unit_test(abd__is_one_majority_for_reads_and_two_for_writes),
		cmocka_unit_test(zone__is_the_way_to_the_primary_and_nothing_for_who_has_a_copy),
		cmocka_unit_test(causal_crdt_multimaster__pay_nothing),
		cmocka_unit_test(every_floor__has_the_way_between_client_and_replica_on_top),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
