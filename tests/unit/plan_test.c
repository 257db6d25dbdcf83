/* SPDX-License-Identifier: MIT */
/* plan_test.c - how statements of a lab script become a plan, and what they must agree on */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/lab_text.h"
#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/lab/plan.h"

static void plan__puts_replicas_first_then_a_client_node_for_each_site(void **state)
{
	static const char *const names[] = {
		"n1", "n2", "n3", "n4", "n5", "c-east", "c-west", "c-far"};
	struct plan *plan = must_load(cap, NULL);

	(void)state;
	assert_int_equal(plan->nodes, 8);
	assert_int_equal(plan->replicas, 5);
	for (unsigned i = 0; i < plan->nodes; i++) {
		assert_string_equal(plan->node[i].name, names[i]);
		assert_int_equal(plan->node[i].role, i < 5 ? PLAN_REPLICA : PLAN_CLIENT);
		assert_int_equal(plan_node_find(plan, names[i]), i);
	}
	assert_int_equal(plan->site[2].client, 7);
	assert_int_equal(plan->node[7].site, 2);
	assert_int_equal(__builtin_bswap32(plan->node[7].addr_be), 0x0a630008);
	assert_int_equal(plan_node_find(plan, "n9"), -1);
	assert_int_equal(plan_site_find(plan, "west"), 1);
	assert_int_equal(plan_contact(plan, 1, 0), 2);
	assert_int_equal(plan_contact(plan, 1, 1), 3);
	assert_int_equal(plan_contact(plan, 1, 2), 2);
	assert_int_equal(plan_contact(plan, 2, 1), 4);
	plan_free(plan);
}

static void plan__gives_addresses_beyond_a_byte(void **state)
{
	struct plan *plan = must_load("lab 'x' store 'raft' local n = 0\n"
				      "for s = 1, 32 do\n"
				      "  local t = {}\n"
				      "  for i = 1, 4 do n = n + 1 t[i] = 'n' .. n end\n"
				      "  site('s' .. s, t)\n"
				      "end\n"
				      "phase('p', '1s')",
		NULL);

	(void)state;
	assert_int_equal(plan->nodes, 160);
	assert_int_equal(__builtin_bswap32(plan->node[159].addr_be), 0x0a630000 + 160);
	plan_free(plan);
}

static void plan__base_matrix_has_half_a_round_trip_each_way(void **state)
{
	struct plan *plan = must_load(cap, NULL);

	(void)state;
	for (unsigned a = 0; a < plan->nodes; a++) {
		for (unsigned b = 0; b < plan->nodes; b++) {
			unsigned sa = plan->node[a].site;
			unsigned sb = plan->node[b].site;
			uint64_t ms = sa == sb ? 0 : sa == 2 || sb == 2 ? 20 : 10;

			assert_int_equal(
				link_matrix_at(&plan->base, a, b)->delay_ns, ms * NS_PER_MS);
			assert_int_equal(plan_rtt_ns(&plan->base, a, b), 2 * ms * NS_PER_MS);
		}
	}
	plan_free(plan);
}

static void plan__later_rules_replace_earlier_ones_link_by_link(void **state)
{
	struct plan *plan = must_load(HEAD "rtt('east', 'far', '20ms')\n"
					   "rtt('east', 'east', '2ms')\n"
					   "delay('n1', 'far', '15ms')\n"
					   "jitter('east', 'far', '3ms')\n"
					   "phase('p', '1s')",
		NULL);
	unsigned client = (unsigned)plan_node_find(plan, "c-east");

	(void)state;
	assert_int_equal(link_matrix_at(&plan->base, 0, 1)->delay_ns, NS_PER_MS);
	assert_int_equal(link_matrix_at(&plan->base, client, 1)->delay_ns, NS_PER_MS);
	assert_int_equal(link_matrix_at(&plan->base, 0, 0)->delay_ns, 0);
	assert_int_equal(link_matrix_at(&plan->base, 0, 2)->delay_ns, 15 * NS_PER_MS);
	assert_int_equal(link_matrix_at(&plan->base, 2, 0)->delay_ns, 10 * NS_PER_MS);
	assert_int_equal(link_matrix_at(&plan->base, 1, 2)->delay_ns, 10 * NS_PER_MS);
	assert_int_equal(link_matrix_at(&plan->base, 2, 1)->jitter_ns, 3 * NS_PER_MS);
	assert_int_equal(link_matrix_at(&plan->base, 0, 1)->jitter_ns, 0);
	plan_free(plan);
}

static void plan__a_cut_makes_sides_with_their_clients(void **state)
{
	struct plan *plan = must_load(cap, NULL);
	const struct plan_phase *phase = &plan->phase[4];
	unsigned cuts = 0;

	(void)state;
	assert_int_equal(plan->phases, 6);
	assert_string_equal(phase->name, "partition");
	assert_string_equal(phase->what, "east+west | far");
	assert_true(phase->cut);
	assert_int_equal(phase->sides, 2);
	assert_string_equal(phase->side[0].name, "east+west");
	assert_int_equal(phase->side[0].replicas, 4);
	assert_int_equal(phase->side[0].clients, 2);
	assert_string_equal(phase->side[1].name, "far");
	assert_int_equal(phase->side[1].replicas, 1);
	assert_int_equal(phase->side[1].clients, 1);
	for (unsigned a = 0; a < plan->nodes; a++) {
		bool far = plan->node[a].site == 2;

		assert_int_equal(phase->side_of[a], far ? 1 : 0);
		for (unsigned b = 0; b < plan->nodes; b++)
			cuts += link_matrix_at(&phase->matrix, a, b)->cut;
	}
	assert_int_equal(cuts, 2 * 6 * 2);
	phase = &plan->phase[5];
	assert_false(phase->cut);
	assert_int_equal(phase->sides, 1);
	assert_string_equal(phase->side[0].name, "all");
	assert_int_equal(phase->side[0].replicas, 5);
	assert_int_equal(phase->side[0].clients, 3);
	plan_free(plan);
}

static void plan__phases_of_the_fit_stand_in_front(void **state)
{
	struct plan *plan = must_load(cap, NULL);

	(void)state;
	assert_string_equal(plan->phase[1].name, "fit-10ms");
	assert_int_equal(plan->phase[1].fit_rtt_ns, 10 * NS_PER_MS);
	assert_int_equal(plan->phase[1].duration_ns, 2 * NS_PER_S);
	assert_int_equal(plan_rtt_ns(&plan->phase[1].matrix, 0, 4), 10 * NS_PER_MS);
	assert_int_equal(plan_rtt_ns(&plan->phase[1].matrix, 0, 6), 10 * NS_PER_MS);
	assert_int_equal(plan_rtt_ns(&plan->phase[1].matrix, 0, 1), 0);
	assert_string_equal(plan->phase[3].name, "baseline");
	assert_int_equal(plan->phase[3].fit_rtt_ns, 0);
	assert_int_equal(plan_rtt_ns(&plan->phase[3].matrix, 0, 4), 40 * NS_PER_MS);
	plan_free(plan);
}

static void plan__warms_up_before_all_else(void **state)
{
	const struct plan_options options = {.warmup = "2s", .time_scale = "0.5"};
	struct plan *plan = must_load(cap, &options);

	(void)state;
	assert_string_equal(plan->phase[0].name, "warmup");
	assert_true(plan->phase[0].warmup && !plan->phase[1].warmup);
	assert_int_equal(plan->phase[0].duration_ns, NS_PER_S);
	assert_int_equal(plan_rtt_ns(&plan->phase[0].matrix, 0, 4), 40 * NS_PER_MS);
	assert_int_equal(plan->phase[2].fit_rtt_ns, 10 * NS_PER_MS);
	plan_free(plan);
	plan = must_load(cap, &(struct plan_options){.warmup = "0"});
	assert_false(plan->phase[0].warmup);
	plan_free(plan);
}

static void plan__measures_under_profiles(void **state)
{
	struct plan *plan = must_load(cap, &(struct plan_options){.profiles = "region, wan"});

	(void)state;
	assert_string_equal(plan->phase[3].name, "profile-region");
	assert_string_equal(plan->phase[4].profile, "wan");
	assert_int_equal(plan_rtt_ns(&plan->phase[4].matrix, 0, 4), 40 * NS_PER_MS);
	assert_int_equal(plan_rtt_ns(&plan->phase[4].matrix, 0, 1), 0);
	assert_true(plan->phase[5].warmup);
	assert_int_equal(plan->phase[5].duration_ns, 200 * NS_PER_MS);
	assert_string_equal(plan->phase[6].name, "baseline");
	assert_null(plan->phase[6].profile);
	plan_free(plan);
}

static void plan__faults_do_not_carry_over(void **state)
{
	struct plan *plan = must_load(HEAD "rtt('east', 'far', '20ms')\n"
					   "phase('a', '1s', link('east', 'far', {delay = '50ms', "
					   "jitter = '5ms'}), one_way('n1', 'n2'))\n"
					   "phase('b', '1s')",
		NULL);
	const struct plan_phase *a = &plan->phase[0];
	const struct plan_phase *b = &plan->phase[1];

	(void)state;
	assert_string_equal(a->what, "east -- far delay 50ms jitter 5ms, n1 -/-> n2");
	assert_int_equal(link_matrix_at(&a->matrix, 0, 2)->delay_ns, 50 * NS_PER_MS);
	assert_int_equal(link_matrix_at(&a->matrix, 2, 0)->jitter_ns, 5 * NS_PER_MS);
	assert_true(link_matrix_at(&a->matrix, 0, 1)->cut);
	assert_false(link_matrix_at(&a->matrix, 1, 0)->cut);
	assert_int_equal(link_matrix_at(&b->matrix, 0, 2)->delay_ns, 10 * NS_PER_MS);
	assert_false(link_matrix_at(&b->matrix, 0, 1)->cut);
	plan_free(plan);
}

static void plan__a_bridge_keeps_replicas_on_one_side(void **state)
{
	struct plan *plan = must_load(HEAD "phase('a', '1s', cut({'n1'}, {'n3'}))\n"
					   "phase('b', '1s', isolate('n1'))",
		NULL);

	(void)state;
	assert_true(plan->phase[0].cut);
	assert_int_equal(plan->phase[0].sides, 1);
	/* The clients of east talk to n2, too: they are on its side. */
	assert_string_equal(plan->phase[1].what, "n1 | rest");
	assert_int_equal(plan->phase[1].sides, 2);
	assert_string_equal(plan->phase[1].side[0].name, "n2+far");
	assert_int_equal(plan->phase[1].side[0].clients, 2);
	assert_string_equal(plan->phase[1].side[1].name, "n1");
	plan_free(plan);
}

static void plan__a_side_needs_links_in_both_directions(void **state)
{
	struct plan *plan = must_load(HEAD "phase('a', '1s', one_way('far', 'east'))\n"
					   "phase('b', '1s', one_way('east', 'far'))",
		NULL);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(plan->phase[i].sides, 2);
		assert_string_equal(plan->phase[i].side[0].name, "east");
		assert_string_equal(plan->phase[i].side[1].name, "far");
	}
	plan_free(plan);
}

static void plan__has_enough_clients_for_the_rate(void **state)
{
	struct plan *plan = must_load(HEAD "rtt('east', 'far', '40ms')\n"
					   "load {rate = 500}\nphase('p', '1s')",
		NULL);

	(void)state;
	/* 250 operations per second, each of 120 ms at the most: 30 at a time, a fifth busy. */
	assert_int_equal(plan->load.clients_per_site, 150);
	plan_free(plan);
	plan = must_load(HEAD "load {clients_per_site = 3}\nphase('p', '1s')", NULL);
	assert_int_equal(plan->load.clients_per_site, 3);
	plan_free(plan);
}

static void plan__lets_sessions_roam(void **state)
{
	struct plan *plan = must_load(HEAD "load {roam = 25}\nphase('p', '1s')", NULL);
	char text[8192] = "";
	FILE *out = fmemopen(text, sizeof text, "w");

	(void)state;
	assert_int_equal(plan->load.roam, 25);
	plan_print(plan, out);
	(void)fclose(out);
	assert_non_null(strstr(text, "sessions roam: before 25 % of operations to another of"));
	plan_free(plan);
}

static void plan__expects_of_each_store_its_own(void **state)
{
	const char *text =
		HEAD "phase('p', '1s', cut('east', 'far'))\n"
		     "stores {'raft', 'cassandra-one'}\n"
		     "expect {model = {'linearizable'}, available = {minority = 'none'}}\n"
		     "expect('cassandra-one', {model = {'not linearizable', 'eventual'}, "
		     "lost = 'some', stale = {1, 5}, converged = true})\n";
	struct plan *plan = must_load(text, NULL);
	struct plan_options other = {.store = "cassandra-one"};
	struct plan_options third = {.store = "single"};

	(void)state;
	assert_int_equal(plan->stores, 2);
	assert_string_equal(plan->store[1]->name, "cassandra-one");
	assert_int_equal(plan->expect.models, 1);
	assert_true(plan->expect.available[PLAN_MINORITY].said);
	assert_false(plan->expect.lost.said);
	plan_free(plan);
	plan = must_load(text, &other);
	assert_int_equal(plan->expect.models, 2);
	assert_true(plan->expect.model[0].broken);
	assert_string_equal(plan->expect.model[1].name, "eventual");
	assert_true(plan->expect.lost.low == 1 && isinf(plan->expect.lost.high));
	assert_true(plan->expect.stale.high == 5);
	assert_false(plan->expect.available[PLAN_MINORITY].said);
	plan_free(plan);
	plan = must_load(text, &third);
	assert_false(plan_expects(&plan->expect));
	plan_free(plan);
}

static void plan__rights_clocks_when_the_phase_ends(void **state)
{
	struct plan *plan = must_load(HEAD
		"phase('a', '1s', kill('n1'), skew('n3', '500ms'), skew('n2', '-2s', '500ms'))\n"
		"phase('b', '1s', skew('n2', '1s'), skew('n2', '0s', '200ms'))\n"
		"phase('c', '1s')",
		NULL);
	const struct plan_phase *a = &plan->phase[0];
	const struct plan_phase *b = &plan->phase[1];

	(void)state;
	assert_int_equal(a->events, 3);
	assert_int_equal(a->event[1].kind, PLAN_SKEW);
	assert_int_equal(a->event[1].node, 2);
	assert_int_equal(a->event[1].skew_ns, 500 * NS_PER_MS);
	assert_int_equal(a->event[2].skew_ns, -2 * (int64_t)NS_PER_S);
	assert_string_equal(a->what,
		"kill n1 at 0 ns, clock of n3 ahead by 500 ms, clock of n2 behind by 2 s at 500 ms");
	/* n3 is right again, n2 has another error, then none, and nothing is left for c. */
	assert_int_equal(b->events, 3);
	assert_int_equal(b->event[0].node, 2);
	assert_int_equal(b->event[0].kind, PLAN_SKEW);
	assert_int_equal(b->event[0].skew_ns, 0);
	assert_int_equal(b->event[1].skew_ns, NS_PER_S);
	assert_int_equal(plan->phase[2].events, 0);
	plan_free(plan);
}

static void plan__shows_what_is_told(void **state)
{
	struct plan *plan =
		must_load(HEAD "say 'Look at this.'\nphase('p', '1s')\nsay 'Seen?'", NULL);
	char text[8192] = "";
	FILE *out = fmemopen(text, sizeof text, "w");

	(void)state;
	assert_string_equal(plan->phase[0].say, "Look at this.");
	assert_string_equal(plan->closing, "Seen?");
	plan_print(plan, out);
	(void)fclose(out);
	assert_non_null(strstr(text, "\n              Look at this.\n"));
	assert_non_null(strstr(text, "\n              Seen?\n"));
	plan_free(plan);
}

static void plan__clients_without_their_replicas_are_a_side_of_their_own(void **state)
{
	struct plan *plan = must_load(HEAD "phase('a', '1s', isolate('n3'))\n"
					   "phase('b', '1s', isolate('c-far'))",
		NULL);
	const struct plan_phase *a = &plan->phase[0];

	(void)state;
	assert_int_equal(a->sides, 3);
	assert_string_equal(a->side[0].name, "east");
	assert_string_equal(a->side[1].name, "far");
	assert_string_equal(a->side[2].name, "c-far");
	assert_int_equal(a->side[2].replicas, 0);
	assert_int_equal(a->side[2].clients, 1);
	assert_int_equal(plan->phase[1].sides, 2);
	assert_string_equal(plan->phase[1].side[1].name, "c-far");
	plan_free(plan);
}

static void plan__sorts_process_faults_by_time(void **state)
{
	struct plan *plan =
		must_load(HEAD "phase('a', '5s', restart('n3', '3s'), kill('n3', '1s'))\n"
			       "phase('b', '5s', pause('n1'), resume('n1', '2s'))",
			NULL);
	const struct plan_phase *a = &plan->phase[0];

	(void)state;
	assert_int_equal(a->events, 2);
	assert_int_equal(a->event[0].kind, PLAN_KILL);
	assert_int_equal(a->event[0].node, 2);
	assert_int_equal(a->event[0].at_ns, NS_PER_S);
	assert_int_equal(a->event[1].kind, PLAN_RESTART);
	assert_int_equal(plan->phase[1].event[0].kind, PLAN_PAUSE);
	assert_int_equal(plan->phase[1].event[0].at_ns, 0);
	assert_string_equal(plan->phase[1].what, "pause n1 at 0 ns, resume n1 at 2 s");
	plan_free(plan);
}

static void plan__derives_timing_from_the_longest_round_trip(void **state)
{
	struct plan *plan = must_load(cap, NULL);

	(void)state;
	assert_int_equal(plan->proto.election_min_ns, 400 * NS_PER_MS);
	assert_int_equal(plan->proto.election_max_ns, 800 * NS_PER_MS);
	assert_true(plan->proto.heartbeat_ns >= 40 * NS_PER_MS);
	assert_true(plan->proto.heartbeat_ns <= 100 * NS_PER_MS);
	assert_int_equal(plan->proto.request_timeout_ns, 800 * NS_PER_MS);
	assert_int_equal(plan->proto.leader, 0);
	assert_int_equal(plan->proto.nodes, 5);
	plan_free(plan);
	plan = must_load(HEAD "phase('p', '1s')", NULL);
	assert_int_equal(plan->proto.election_min_ns, 300 * NS_PER_MS);
	assert_int_equal(plan->proto.leader, -1);
	plan_free(plan);
}

static void plan__options_replace_what_the_script_says(void **state)
{
	struct plan_options options = {.store = "cassandra-one",
		.leader = "far",
		.seed = "42",
		.emulator = "wire",
		.rate = "123.5",
		.time_scale = "0.5"};
	struct plan *plan = must_load(cap, &options);

	(void)state;
	assert_string_equal(plan->system->name, "cassandra-one");
	assert_int_equal(plan->proto.leader, 4);
	assert_int_equal(plan->seed, 42);
	assert_int_equal(plan->emulator, EMULATOR_WIRE);
	assert_true(plan->load.rate == 123.5);
	assert_int_equal(plan->phase[0].duration_ns, NS_PER_S);
	assert_int_equal(plan->phase[4].duration_ns, 5 * NS_PER_S / 2);
	assert_true(plan->foreign_store);
	assert_string_equal(plan->expect.verdict, "");
	/* Last-write-wins has no compare-and-set. */
	assert_int_equal(plan->cas_moved, 10);
	assert_int_equal(plan->load.write, 50);
	assert_int_equal(plan->load.cas, 0);
	plan_free(plan);
}

static void plan__keeps_the_expectation_for_its_own_store(void **state)
{
	struct plan_options options = {.store = "raft"};
	struct plan *plan = must_load(cap, &options);

	(void)state;
	assert_int_equal(plan->expect.models, 1);
	assert_string_equal(plan->expect.model[0].name, "linearizable");
	assert_string_equal(plan->expect.verdict, "PC/EC");
	assert_int_equal(plan->load.cas, 10);
	plan_free(plan);
}

static void plan__labs_of_the_source_tree_load_and_print(void **state)
{
	static const char *const labs[] = {"cap", "leader"};
	char text[16384];

	(void)state;
	for (size_t i = 0; i < sizeof labs / sizeof *labs; i++) {
		struct plan *plan = NULL;
		struct err err = {0};
		FILE *out;

		/* The working folder is another one: they are found from this program's own. */
		if (plan_load(&plan, labs[i], NULL, &err) < 0)
			fail_msg("%s", err.text);
		assert_string_equal(plan->name, labs[i]);
		memset(text, 0, sizeof text);
		out = fmemopen(text, sizeof text - 1, "w");
		assert_non_null(out);
		plan_print(plan, out);
		(void)fclose(out);
		assert_non_null(strstr(text, "sides: east+west (4 of 5) | far (1 of 5)"));
		assert_non_null(strstr(text, "10.99.0.5"));
		assert_non_null(strstr(text, "nodes that a cut does not name keep all their"));
		plan_free(plan);
	}
}

static void plan__lets_clients_of_a_site_do_otherwise(void **state)
{
	static const struct bad bad[] = {
		{HEAD "clients('west', {share = 10, read = 100, write = 0})",
			"lab.lua:5: clients: no site is called 'west'"},
		{HEAD "clients('far', {share = 10, read = 100, write = 10})",
			"lab.lua:5: clients: read 100 + write 10 is not 100"},
		{HEAD "clients('far', {share = 10, read = 100, write = 0, level = 'some'})",
			"lab.lua:5: clients: 'some' is not a level"},
		{HEAD "clients('far', {share = 60, read = 100, write = 0})\n"
		      "clients('east', {share = 60, read = 0, write = 100})",
			"lab.lua:6: clients: the shares are 120 in sum"},
		{HEAD "clients('far', {share = 0})\nclients('far', {share = 0})",
			"lab.lua:6: clients of 'far' were said already"},
		{HEAD "load {keys = 2, clients_per_site = 4, one_writer = true}",
			"lab.lua:5: load: one_writer needs"},
	};
	struct plan *plan = must_load(HEAD
		"clients('far', {share = 20, read = 100, write = 0, level = 'one'})\n"
		"phase('a', '1s')",
		NULL);

	(void)state;
	assert_true(plan->site[1].own && plan->site[1].share == 0.2);
	assert_int_equal(plan->site[1].level, PROTO_ONE);
	assert_true(plan_site_share(plan, 0) == 0.8 && plan_site_writes(plan, 0));
	assert_false(plan_site_writes(plan, 1));
	plan_free(plan);
	assert_bad(bad, sizeof bad / sizeof *bad);
}

static void plan__gives_scripts_what_the_command_line_says(void **state)
{
	static const char text[] = HEAD "phase(param('name', 'usual'), '1s')";
	struct plan_options options = {.param = "name=other"};
	struct plan *plan = must_load(text, &options);
	struct err err;

	(void)state;
	assert_string_equal(plan->phase[plan->phases - 1].name, "other");
	plan_free(plan);
	plan = must_load(text, NULL);
	assert_string_equal(plan->phase[plan->phases - 1].name, "usual");
	plan_free(plan);
	options.param = "nam=other";
	assert_true(load_with(text, &options, &plan, &err) < 0);
	assert_non_null(strstr(err.text, "has no param(\"nam\")"));
	options.param = "name";
	assert_true(load_with(text, &options, &plan, &err) < 0);
	assert_non_null(strstr(err.text, "'name' is not NAME=VALUE"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan__puts_replicas_first_then_a_client_node_for_each_site),
		cmocka_unit_test(plan__gives_addresses_beyond_a_byte),
		cmocka_unit_test(plan__base_matrix_has_half_a_round_trip_each_way),
		cmocka_unit_test(plan__later_rules_replace_earlier_ones_link_by_link),
		cmocka_unit_test(plan__a_cut_makes_sides_with_their_clients),
		cmocka_unit_test(plan__phases_of_the_fit_stand_in_front),
		cmocka_unit_test(plan__warms_up_before_all_else),
		cmocka_unit_test(plan__measures_under_profiles),
		cmocka_unit_test(plan__faults_do_not_carry_over),
		cmocka_unit_test(plan__a_bridge_keeps_replicas_on_one_side),
		cmocka_unit_test(plan__a_side_needs_links_in_both_directions),
		cmocka_unit_test(plan__has_enough_clients_for_the_rate),
		cmocka_unit_test(plan__lets_sessions_roam),
		cmocka_unit_test(plan__expects_of_each_store_its_own),
		cmocka_unit_test(plan__rights_clocks_when_the_phase_ends),
		cmocka_unit_test(plan__shows_what_is_told),
		cmocka_unit_test(plan__clients_without_their_replicas_are_a_side_of_their_own),
		cmocka_unit_test(plan__sorts_process_faults_by_time),
		cmocka_unit_test(plan__derives_timing_from_the_longest_round_trip),
		cmocka_unit_test(plan__options_replace_what_the_script_says),
		cmocka_unit_test(plan__keeps_the_expectation_for_its_own_store),
		cmocka_unit_test(plan__labs_of_the_source_tree_load_and_print),
		cmocka_unit_test(plan__lets_clients_of_a_site_do_otherwise),
		cmocka_unit_test(plan__gives_scripts_what_the_command_line_says),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, lab_text_enter, lab_text_leave);
}
