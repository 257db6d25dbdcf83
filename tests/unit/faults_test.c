/* SPDX-License-Identifier: MIT */
/* faults_test.c - the faults of lab scripts: what they do to links, and what is refused */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/lab/groups.h"
#include "agent/lab/plan.h"
#include "agent/lab/regions.h"
#include "netns/link_words.h"
#include "tests/lib/test.h"

/* Five replicas, 20 ms from site to site; the phases begin in line 6. */
#define HEAD \
	"lab 'x'\n" \
	"site('east', {'n1', 'n2'})\n" \
	"site('west', {'n3', 'n4'}) site('far', {'n5'})\n" \
	"rtt('east', 'west', '20ms') rtt('east', 'far', '20ms') rtt('west', 'far', '20ms')\n" \
	"store 'raft'\n"

enum { N1, N2, N3, N4, N5, C_EAST, C_WEST, C_FAR };

static char folder[] = "/tmp/pacelab-faults-XXXXXX";

static void put_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
}

static struct plan *must_load(const char *text)
{
	struct plan *plan = NULL;
	struct err err = {0};

	put_file("lab.lua", text);
	if (plan_load(&plan, "./lab.lua", NULL, &err))
		fail_msg("%s\nsaid: %s", text, err.text);
	return plan;
}

static void refuse(const char *text, const char *message)
{
	struct plan *plan = NULL;
	struct err err = {0};

	put_file("lab.lua", text);
	if (plan_load(&plan, "./lab.lua", NULL, &err) == 0)
		fail_msg("was taken: %s", text);
	if (strncmp(err.text, message, strlen(message)) != 0)
		fail_msg("script: %s\nsaid:   %s\nwanted: %s", text, err.text, message);
	assert_int_equal(err.status, EXIT_USAGE);
	assert_null(plan);
}

static void assert_link(const struct plan_phase *phase, unsigned a, unsigned b, const char *words)
{
	char out[LINK_WORDS_TEXT_MAX];

	assert_string_equal(link_words_print(link_matrix_at(&phase->matrix, a, b), out), words);
}

static void assert_cut(const struct plan_phase *phase, unsigned a, unsigned b, enum link_cut cut)
{
	assert_int_equal(link_matrix_at(&phase->matrix, a, b)->cut, cut);
}

static void link__takes_words_or_a_table(void **state)
{
	struct plan *plan = must_load(
		HEAD "phase('a', '1s', link('n1', 'n3', 'loss 1%  correlation 5%'))\n"
		     "phase('b', '1s', link('n1', 'n3', {rate = '10mbit', queue = '64kb', "
		     "delay = '20ms', jitter = '2ms', corrupt = '1% silent', drop = 17, "
		     "flap = {'200ms', '100ms'}, loss = {'ge', '1%', '10%'}, reorder = '3%', "
		     "duplicate = '4%'}))\n"
		     "phase('c', '1s', link('n1', 'n3', 'clean', {one_way = true}))\n"
		     "phase('d', '1s', link('n1', 'n3', {profile = 'satellite', loss = 'none', "
		     "one_way = true}))\n"
		     "phase('e', '1s', flap('n1', 'n3', '2s', '1s'), down({'n2', 'n4'}))");
	const struct plan_phase *p = plan->phase;

	(void)state;
	assert_link(&p[0], N1, N3, "delay 10ms loss 1% correlation 5%");
	assert_link(&p[0], N3, N1, "delay 10ms loss 1% correlation 5%");
	assert_link(&p[0], N1, N4, "delay 10ms");
	assert_string_equal(p[0].what, "n1 -- n3 loss 1%  correlation 5%");
	assert_link(&p[1], N3, N1,
		"delay 20ms jitter 2ms loss ge 1% 10% drop 17 duplicate 4% corrupt 1% silent "
		"reorder 3% rate 10mbit queue 64kb flap 200ms 100ms");
	assert_link(&p[2], N1, N3, "clean");
	assert_link(&p[2], N3, N1, "delay 10ms");
	assert_string_equal(p[2].what, "n1 -> n3 clean");
	assert_link(&p[3], N1, N3, "delay 280ms jitter 10ms rate 10mbit");
	assert_link(&p[4], N1, N3, "delay 10ms flap 2s 1s");
	assert_true(p[4].matrix.down[N2] && p[4].matrix.down[N4] && !p[4].matrix.down[N1]);
	assert_string_equal(p[4].what, "n1 -- n3 flap 2s 1s, n2+n4 down");
	for (unsigned i = 0; i < 4; i++)
		assert_false(p[i].cut || p[i].sides != 1);
	assert_true(p[4].cut);
	plan_free(plan);
}

static void faults__of_one_link_merge_by_field_in_any_order(void **state)
{
	struct plan *plan = must_load(HEAD
		"phase('a', '1s', link('n1', 'n3', 'jitter 2ms'), link('n1', 'n3', 'loss 1%'), "
		"link('east', 'west', 'delay 30ms'), cut('n1', 'n3'), cut('n1', 'n3'))\n"
		"phase('b', '1s', cut('n1', 'n3'), link('east', 'west', 'delay 30ms'), "
		"link('n1', 'n3', 'loss 1% jitter 2ms'), link('n1', 'n3', 'loss 1%'))");

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_link(&plan->phase[i], N1, N3, "delay 30ms jitter 2ms loss 1%");
		assert_link(&plan->phase[i], N2, N3, "delay 30ms");
		assert_cut(&plan->phase[i], N3, N1, CUT_EDGE);
	}
	plan_free(plan);
}

static void cuts__have_kinds_and_shapes(void **state)
{
	struct plan *plan = must_load(HEAD "phase('a', '1s', cut('n1', 'n3', {kind = 'wire'}))\n"
					   "phase('b', '1s', bridge('n3'))\n"
					   "phase('c', '1s', ring({kind = 'reject'}))\n"
					   "phase('d', '1s', reject('east', {'west', 'far'}))\n"
					   "phase('e', '1s', isolate('n5', {kind = 'wire'}))\n"
					   "phase('f', '1s', one_way('n1', 'n2'))");
	const struct plan_phase *p = plan->phase;

	(void)state;
	assert_cut(&p[0], N1, N3, CUT_WIRE);
	assert_cut(&p[0], N1, N4, CUT_NONE);
	assert_string_equal(p[0].what, "n1 | n3 (wire)");
	assert_cut(&p[1], N1, N4, CUT_EDGE);
	assert_cut(&p[1], N1, N2, CUT_NONE);
	assert_cut(&p[1], N1, N3, CUT_NONE);
	assert_int_equal(p[1].sides, 1);
	assert_string_equal(p[1].what, "bridge over n3");
	assert_cut(&p[2], N1, N3, CUT_REJECT);
	assert_cut(&p[2], N1, N5, CUT_NONE);
	assert_string_equal(p[2].what, "ring of majorities (reject)");
	assert_cut(&p[3], C_FAR, N1, CUT_REJECT);
	assert_int_equal(p[3].sides, 2);
	assert_cut(&p[4], N5, C_FAR, CUT_WIRE);
	assert_string_equal(p[4].what, "n5 | rest (wire)");
	assert_cut(&p[5], N1, N2, CUT_EDGE);
	assert_cut(&p[5], N2, N1, CUT_NONE);
	plan_free(plan);
}

static void leader__is_resolved_when_the_phase_begins(void **state)
{
	struct plan *plan = must_load(HEAD "phase('a', '1s', isolate(leader()), "
					   "link('n1', 'n3', 'loss 1%'))\n"
					   "phase('b', '1s', isolate('n1'))");
	struct plan_phase *a = &plan->phase[0];
	struct err err = {0};

	(void)state;
	assert_true(a->leader_aware);
	assert_false(plan->phase[1].leader_aware);
	assert_string_equal(a->what, "leader | rest, n1 -- n3 loss 1%");
	for (unsigned leader = N1; leader <= N5; leader++) {
		assert_int_equal(plan_resolve(plan, 0, leader, &err), 0);
		for (unsigned b = 0; b < plan->nodes; b++) {
			for (unsigned c = 0; c < plan->nodes; c++)
				assert_cut(a, b, c,
					b != c && (b == leader) != (c == leader) ? CUT_EDGE
										 : CUT_NONE);
		}
		assert_int_equal(link_matrix_at(&a->matrix, N1, N3)->loss, LOSS_RANDOM);
		/* The clients of n5's site talk to nobody else. */
		assert_int_equal(a->sides, leader == N5 ? 3 : 2);
		assert_int_not_equal(a->side_of[leader], 0);
	}
	assert_string_equal(a->what, "leader n5 | rest, n1 -- n3 loss 1%");
	plan_free(plan);
}

static void down__leaves_a_node_alone_on_its_side(void **state)
{
	struct plan *plan = must_load(HEAD "phase('a', '1s', down('far'))");

	(void)state;
	assert_int_equal(plan->phase[0].sides, 3);
	assert_int_equal(plan->phase[0].side[0].replicas, 4);
	plan_free(plan);
}

static void faults__are_refused_with_line_reason_and_range(void **state)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{"link('n1', 'n3', 'loss 101%')",
			"link(): loss: '101%' is not a share: write 0% to"},
		{"link('n1', 'n3', 'lag 1ms')", "link(): a link has no 'lag': delay, jitter"},
		{"link('n1', 'n3', {dealy = '1ms'})",
			"link has no field 'dealy', did you mean 'delay'?"},
		{"link('n1', 'n3', {delay = {}})", "link(): delay: write delay TIME"},
		{"link('n1', 'n3', {delay = true})",
			"'delay' of link is a boolean: write a string"},
		{"link('n1', 'n3', {delay = 1.5})", "'delay' of link is a number: write a string"},
		{"link('n1', 'n3', {delay = 20})", "link(): delay: '20' is not a duration"},
		{"link('n1', 'n3', {'delay 1ms'})", "link has a value without a name"},
		{"link('n1', 'n3', 'loss 1%', 'loss 2%')", "link() got too much: write link("},
		{"link('n1', 'n3', {loss = '1%'}, {one_way = true})", "link() got two tables"},
		{"link('n1', 'n3', 'loss 1%', {one_way = 1})", "'one_way' of link is a number"},
		{"link('n1', 'n2', 'reorder 5%')",
			"link 'n1' > 'n2' in phase 'p': reorder needs a delay"},
		{"link('n1', 'n3', 'delay 11m')",
			"link 'n1' > 'n3' in phase 'p': delay: up to 600 s are possible"},
		{"link('n1', 'n3', 'loss 1%'), link('east', 'west', 'loss 2%')",
			"link() says another thing of 'n1' > 'n3' than line 6 in the same phase"},
		{"cut('n1', 'n3', {kind = 'saw'})",
			"cut(): 'saw' is no kind of cut: edge, wire and reject are"},
		{"cut('n1', 'n3', {knid = 'wire'})",
			"cut has no field 'knid', did you mean 'kind'?"},
		{"cut('n1', 'n3'), isolate('n1', {kind = 'wire'})",
			"isolate() cuts 'n1' > 'n3' with kind wire, line 6 with kind edge"},
		{"reject('n1', 'n3', {kind = 'wire'})", "reject() is a kind of cut by itself"},
		{"bridge('east')", "bridge() goes over one replica: name one"},
		{"bridge('c-east')", "bridge(): 'c-east' is a client node: a bridge is a replica"},
		{"bridge('n1', 'n2')", "bridge() got 2 groups, it needs 1: write bridge("},
		{"ring('n1')", "ring() is of all replicas: write ring()"},
		{"isolate(leader(1))", "leader() got 1 arguments: write isolate(leader())"},
		{"kill(leader())", "kill(): only faults of links can be about leader()"},
		{"cut(leader(), 'n1')", "cut() names node 'n1' twice"},
		{"down('n9')", "no site or node is called 'n9', did you mean"},
		{"flap('n1', 'n3', '1s')", "flap() got 3 arguments: write flap("},
		{"flap('n1', 'n3', '1s', '1us')",
			"link 'n1' > 'n3' in phase 'p': flap: 1 ms to 10 min up"},
		{"link('n1', 'n3', 'distribution nosuch')",
			"link(): distribution: no distribution is called 'nosuch'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char text[1024];
		char message[512];

		(void)snprintf(text, sizeof text, HEAD "phase('p', '1s', %s)", bad[i].text);
		(void)snprintf(message, sizeof message, "./lab.lua:6: %s", bad[i].message);
		refuse(text, message);
	}
	refuse("lab 'x' site('a', {'n1', 'n2', 'n3'}) store 'raft' phase('p', '1s', ring())",
		"./lab.lua:1: ring(): a ring of majorities needs 4 replicas or more: there are 3");
}

static void profile__is_for_all_links_or_between_sites(void **state)
{
	struct plan *plan = must_load(HEAD "profile('lan') profile('satellite', 'east', 'far') "
					   "rtt('west', 'far', '30ms') phase('p', '1s')");
	const struct plan_phase *p = &plan->phase[0];
	static char text[1 << 14];
	FILE *out;

	(void)state;
	assert_link(p, N1, N2, "delay 100us jitter 20us");
	assert_link(p, N1, C_WEST, "delay 100us jitter 20us");
	assert_link(p, C_FAR, N2, "delay 280ms jitter 10ms loss 0.5% rate 10mbit");
	assert_link(p, N3, N5, "delay 15ms jitter 20us");
	assert_link(p, N1, N1, "clean");
	out = fmemopen(text, sizeof text - 1, "w");
	assert_non_null(out);
	plan_print(plan, out);
	(void)fclose(out);
	assert_non_null(
		strstr(text, "12 links like n1 > n5: delay 280ms jitter 10ms loss 0.5% rate "
			     "10mbit"));
	plan_free(plan);
	refuse(HEAD "profile('moon')",
		"./lab.lua:6: profile(): no profile is called 'moon': there");
	refuse(HEAD "profile('wan', 'east')", "./lab.lua:6: profile() got 2 arguments: write");
	refuse(HEAD "profile('wan', 'east', 'n9') phase('p', '1s')",
		"./lab.lua:6: no site or node is called 'n9'");
	refuse(HEAD "profile('wan') rtt('east', 'far', '1ms') phase('p', '1s')",
		"./lab.lua:6: the jitter from 'n1' to 'n5' is larger than the one-way delay");
}

static void regions__set_sites_apart(void **state)
{
	struct plan *plan = must_load(
		"lab 'x' store 'raft'\n"
		"site('a', {'n1', 'n2'}, {region = 'eu-west-1'})\n"
		"site('b', {'n3'}, {region = 'us-east-1'}) site('c', {'n4'}, {region = 'us-east-1'})\n"
		"site('d', {'n5'}) rtt('b', 'd', '10ms') phase('p', '1s')");

	(void)state;
	assert_link(&plan->phase[0], 0, 1, "clean");
	assert_link(&plan->phase[0], 0, 2, "delay 40.3ms");
	assert_link(&plan->phase[0], 2, 0, "delay 40.3ms");
	assert_link(&plan->phase[0], 2, 3, "delay 900us");
	assert_link(&plan->phase[0], 2, 4, "delay 5ms");
	assert_link(&plan->phase[0], 0, 4, "clean");
	plan_free(plan);
	refuse("lab 'x' store 'raft'\nsite('a', {'n1'}, {region = 'eu-west-11'})",
		"./lab.lua:2: site(): no region is called 'eu-west-11', did you mean 'eu-west-1'?");
	refuse("lab 'x' store 'raft'\nsite('a', {'n1'}, {regoin = 'eu-west-1'})",
		"./lab.lua:2: site has no field 'regoin', did you mean 'region'?");
	refuse("lab 'x' store 'raft' site('a', {'n1'}, {region = 'eu-west-1'})\n"
	       "site('b', {'n2'}, {region = 'eu-de'}) phase('p', '1s')",
		"./lab.lua:2: regions 'eu-west-1' and 'eu-de' are of two clouds");
}

/* The detour over a third region is seldom shorter, and never by much: else a number is mistyped.
 */
static void regions__are_at_least_ten_and_plausible(void **state)
{
	unsigned n = 0;

	(void)state;
	while (regions_list(n, NULL))
		n++;
	assert_true(n >= 10);
	for (unsigned a = 0; a < n; a++) {
		assert_int_equal(regions_find(regions_list(a, NULL)->name), a);
		for (unsigned b = 0; b < n; b++) {
			uint64_t there, back, ac, cb;

			if (regions_rtt_ns(a, b, &there))
				continue;
			assert_int_equal(regions_rtt_ns(b, a, &back), 0);
			assert_int_equal(there, back);
			assert_in_range(there, NS_PER_MS, 400 * NS_PER_MS);
			for (unsigned c = 0; c < n; c++) {
				if (regions_rtt_ns(a, c, &ac) || regions_rtt_ns(c, b, &cb))
					continue;
				assert_true(ac + cb > there * 7 / 10);
			}
		}
	}
	assert_true(regions_find("nowhere") < 0);
}

static void distribution__is_a_file_or_a_mixture(void **state)
{
	struct plan *plan;

	(void)state;
	put_file("trace.txt", "10ms\n20ms\n30ms\n");
	put_file("again.txt", "10ms\n20ms\n30ms\n");
	plan = must_load(
		HEAD "local slow = distribution('slow', {pareto = {'1ms', 3}, exponential = '5ms', "
		     "weight = 0.9})\n"
		     "distribution('trace', {file = 'trace.txt'})\n"
		     "phase('a', '1s', link('n1', 'n3', {distribution = slow}))\n"
		     "phase('b', '1s', link('n1', 'n3', 'distribution trace'))\n"
		     "phase('c', '1s', link('n1', 'n3', {distribution = distribution('again', "
		     "{file = 'again.txt', replay = true})}))");
	assert_link(&plan->phase[0], N1, N3, "distribution slow");
	assert_link(&plan->phase[1], N1, N3, "distribution trace");
	assert_link(&plan->phase[2], N1, N3, "distribution replay:again");
	/* A floor counts with the median. */
	assert_in_range(
		plan_rtt_ns(&plan->phase[1].matrix, N1, N3), 39 * NS_PER_MS, 41 * NS_PER_MS);
	plan_free(plan);
}

static void distribution__reads_nothing_but_numbers_below_the_lab(void **state)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{"distribution('x', {file = '/etc/passwd'})",
			"distribution(): file '/etc/passwd': name"},
		{"distribution('x', {file = '../x.txt'})",
			"distribution(): file '../x.txt': name one"},
		{"distribution('x', {file = 'replay:x.txt'})",
			"distribution(): file 'replay:x.txt'"},
		{"distribution('x', {file = 'gone.txt'})",
			"distribution(): there is no file './gone.txt'"},
		{"distribution('link', {file = 'link.txt'})",
			"distribution(): './link.txt' is no plain file"},
		{"distribution('x', {file = 'loop/passwd'})",
			"distribution(): './loop' is no plain folder"},
		{"distribution('lab', {file = 'lab.lua'})", "distribution(): ./lab.lua:1"},
		{"distribution('x', {file = 'good.txt'})",
			"distribution(): file 'good.txt' makes a distribution 'good': call it so"},
		{"distribution('x', {})", "distribution 'x' has no file, no pareto"},
		{"distribution('x', {file = 'good.txt', exponential = '1ms'})",
			"distribution 'x' is a file or a mixture, not both"},
		{"distribution('x', {pareto = {'1ms', 1}})",
			"'pareto' of distribution: a delay above"},
		{"distribution('x', {pareto = {'0ms', 3}})",
			"'pareto' of distribution: a delay above"},
		{"distribution('x', {pareto = {'1ms'}})", "'pareto' of distribution: write {"},
		{"distribution('x', {exponential = '1ms', weight = 0.5})",
			"distribution(): 'weight' is"},
		{"distribution('x', {exponential = '1ms', weight = 1})",
			"'weight' of distribution: a"},
		{"distribution('a b', {exponential = '1ms'})",
			"distribution 'a b' has a ' ' in it"},
	};

	(void)state;
	put_file("good.txt", "1ms\n2ms\n");
	assert_int_equal(symlink("/etc/passwd", "link.txt"), 0);
	assert_int_equal(symlink("/etc", "loop"), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char message[512];

		(void)snprintf(message, sizeof message, "./lab.lua:1: %s", bad[i].message);
		refuse(bad[i].text, message);
	}
}

static int enter_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
	static const char *const files[] = {
		"lab.lua", "trace.txt", "again.txt", "good.txt", "link.txt", "loop"};

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		(void)unlink(files[i]);
	return chdir("/") == 0 ? rmdir(folder) : -1;
}

static void link_groups__hold_every_changed_link_once(void **state)
{
	struct plan *plan = must_load(HEAD "phase('a', '1s', link('east', 'west', 'loss 1%'), "
					   "cut('n1', 'n3'), link('n5', 'n1', 'delay 9ms'))");
	struct link_group group[GROUPS_MAX];
	unsigned others;
	unsigned n = link_groups(&plan->phase[0].matrix, &plan->base, group, &others);

	(void)state;
	assert_int_equal(others, 0);
	assert_int_equal(n, 3);
	assert_int_equal(group[0].links, 2);
	assert_int_equal(group[0].state.cut, CUT_EDGE);
	assert_int_equal(group[0].from, N1);
	assert_int_equal(group[0].to, N3);
	assert_int_equal(group[1].links, 2 * 3 * 3 - 2);
	assert_int_equal(group[2].links, 2);
	for (unsigned i = 0; i < plan->nodes * plan->nodes; i++)
		plan->phase[0].matrix.link[i].delay_ns = 1000 + i;
	n = link_groups(&plan->phase[0].matrix, NULL, group, &others);
	assert_int_equal(n, GROUPS_MAX);
	assert_int_equal(n + others, plan->nodes * (plan->nodes - 1));
	plan_free(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link__takes_words_or_a_table),
		cmocka_unit_test(faults__of_one_link_merge_by_field_in_any_order),
		cmocka_unit_test(cuts__have_kinds_and_shapes),
		cmocka_unit_test(leader__is_resolved_when_the_phase_begins),
		cmocka_unit_test(down__leaves_a_node_alone_on_its_side),
		cmocka_unit_test(faults__are_refused_with_line_reason_and_range),
		cmocka_unit_test(profile__is_for_all_links_or_between_sites),
		cmocka_unit_test(link_groups__hold_every_changed_link_once),
		cmocka_unit_test(regions__set_sites_apart),
		cmocka_unit_test(regions__are_at_least_ten_and_plausible),
		cmocka_unit_test(distribution__is_a_file_or_a_mixture),
		cmocka_unit_test(distribution__reads_nothing_but_numbers_below_the_lab),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
