/* SPDX-License-Identifier: MIT */
/* plan_bad_test.c - labs and options that are wrong: line, field and cure are named */
#include <stdio.h>
#include <string.h>

#include "tests/lib/lab_text.h"
#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/lab/plan.h"

static void plan__names_line_and_cure_of_a_bad_expectation(void **state)
{
	static const struct bad bad[] = {
		{HEAD "expect {lost = 0}\nexpect('raft', {lost = 0})\nphase('p', '1s')",
			"lab.lua:6: what store raft is expected to show was already said in line 5"},
		{HEAD "expect('craft', {lost = 0})\nphase('p', '1s')",
			"lab.lua:5: no store is called 'craft'"},
		{HEAD "stores {'craft'}\nphase('p', '1s')",
			"lab.lua:5: no store is called 'craft'"},
		{HEAD "expect('single', {model = 'fast'})\nphase('p', '1s')",
			"lab.lua:5: expect: no model of the workload register is called 'fast'"},
		{HEAD "load {workload = 'list'}\nexpect {lost = 0}\nphase('p', '1s')",
			"lab.lua:6: expect: 'lost' is counted of registers, sets and counters only"},
		{HEAD "load {workload = 'set'}\nexpect {lost = 0, stale = 0}\nphase('p', '1s')",
			"lab.lua:6: expect: 'stale' is counted of registers only"},
		{HEAD "phase('p', '1s', kill('n1'), promote('n1', '500ms'))",
			"lab.lua:5: phase 'p': promote of 'n1', which is dead: restart() it first"},
		{HEAD "phase('p', '1s', pause('n1'), promote('n1', '500ms'))",
			"lab.lua:5: phase 'p': promote of 'n1', which is paused: resume() it first"},
		{HEAD "load {workload = 'purse', keys = 5}\nphase('p', '1s')",
			"lab.lua:5: load: keys are the accounts in a purse, 2 to 4 of them, not 5"},
		{HEAD "load {stock = 7}\nphase('p', '1s')",
			"lab.lua:5: load: stock is for the workload inventory"},
		{HEAD "expect {available = {minority = 'all'}}\nphase('p', '1s')",
			"lab.lua:5: expect: 'available' is about the sides of a cut"},
	};

	(void)state;
	assert_bad(bad, sizeof bad / sizeof *bad);
}

static void plan__options_that_are_wrong_are_named(void **state)
{
	static const struct {
		struct plan_options options;
		const char *message;
	} bad[] = {
		{{.store = "rfat"}, "--store: no store is called 'rfat', did you mean 'raft'?"},
		{{.leader = "n9"}, "--leader: no site or node is called 'n9'"},
		{{.leader = "c-far"}, "--leader: 'c-far' is a client node: name a replica"},
		{{.seed = "-1"}, "--seed: '-1' is not a whole number from 0 to"},
		{{.emulator = "magic"}, "--emulator: 'magic' is none: auto, netem and wire are"},
		{{.rate = "0"}, "--rate: '0' is not a number from 0.001 to 1e+06"},
		{{.rate = "nan"}, "--rate: 'nan' is not a number"},
		{{.time_scale = "0x2"}, "--time-scale: '0x2' is not a number"},
		{{.time_scale = ""}, "--time-scale: '' is not a number"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct plan *plan;
		struct err err;

		assert_true(load_with(cap, &bad[i].options, &plan, &err) < 0);
		if (strncmp(err.text, bad[i].message, strlen(bad[i].message)) != 0)
			fail_msg("said: %s\nwanted: %s", err.text, bad[i].message);
		assert_int_equal(err.status, EXIT_USAGE);
	}
}

static void plan__names_what_is_missing(void **state)
{
	static const struct bad bad[] = {
		{"site('a', {'n1'})", "lab.lua:1: no lab: begin the script with lab \"name\""},
		{"lab 'x'\nstore 'raft'\nphase('p', '1s')", "lab.lua:3: no site: add site("},
		{"lab 'x'\nsite('a', {'n1'})\nphase('p', '1s')",
			"lab.lua:3: no store: add store \"raft\""},
		{HEAD, "lab.lua:4: no phase: add phase(\"baseline\", \"5s\")"},
		{"lab 'x'\nsite('a', {'n1'})\nstore 'single'\nload {roam = 5}\nphase('p', '1s')",
			"lab.lua:4: load: roam is 5 %, but there is one replica only: name more"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void plan__names_line_and_cure_of_bad_names(void **state)
{
	static const struct bad bad[] = {
		{"lab 'x y'\n" HEAD, "lab.lua:2: lab() was already said in line 1"},
		{"lab 'x y'", "lab.lua:1: lab 'x y' has a ' ' in it: use letters, digits, '-' "},
		{"lab '../x'", "lab.lua:1: lab '../x' begins with '.': begin with a letter"},
		{"lab 'abcdefghijklmnopqrstuvwxyz-abcdef'",
			"lab.lua:1: lab 'abcdefghijklmnopqrstuvwxyz-abcdef' has 33 bytes: 31 are"},
		{HEAD "site('east', {'n9'})", "lab.lua:5: a second site 'east': give it another"},
		{HEAD "site('west', {'n1'})", "lab.lua:5: a second node 'n1': each node needs"},
		{HEAD "site('west', {'n4', 'n4'})", "lab.lua:5: a second node 'n4': each node"},
		{HEAD "site('west', {'abcdefghijklmnop'})",
			"lab.lua:5: node 'abcdefghijklmnop' has 16 bytes: 15 are the most"},
		{HEAD "site('west', {'n/4'})", "lab.lua:5: node 'n/4' has a '/' in it: use"},
		{HEAD "site('west', {'switch'})", "lab.lua:5: the name 'switch' is taken by the"},
		{HEAD "site('n4', {'n4'})", "lab.lua:5: 'n4' is a site and a node: a fault could"},
		{HEAD "site('west', {'c-far'})",
			"lab.lua:5: node 'c-far' has the name of the client node of site 'far'"},
		{HEAD "site('abcdefghijklmno', {'n4'})\nsite('abcdefghijklmxy', {'n5'})",
			"lab.lua:6: sites 'abcdefghijklmno' and 'abcdefghijklmxy' would both"},
		{HEAD "rtt('esat', 'far', '1ms')",
			"lab.lua:5: no site or node is called 'esat', did you mean 'east'?"},
		{HEAD "rtt('mars', 'far', '1ms')",
			"lab.lua:5: no site or node is called 'mars': add it to a site()"},
		{HEAD "rtt('n1', 'n1', '1ms')", "lab.lua:5: rtt() from node 'n1' to itself"},
		{HEAD "jitter('east', 'far', '1ms')\nphase('p', '1s')",
			"lab.lua:5: the jitter from 'n1' to 'n3' is larger than the one-way"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void plan__names_line_and_cure_of_a_bad_store_or_load(void **state)
{
	static const struct bad bad[] = {
		{"lab 'x' site('a', {'n1'})\nstore 'rafft'",
			"lab.lua:2: no store is called 'rafft', did you mean 'raft'? `pacelab list "},
		{"lab 'x' site('a', {'n1'})\nstore 'postgres'",
			"lab.lua:2: no store is called 'postgres'"},
		{"lab 'x' site('a', {'n1'})\nstore('raft', {leader = 'n2'})",
			"lab.lua:2: no site or node is called 'n2'"},
		{"lab 'x' site('a', {'n1'})\nstore('raft', {read_level = 'most'})",
			"lab.lua:2: store: 'most' is not a level: one, two, three, quorum, all "
			"and lease are"},
		{"lab 'x' site('a', {'n1'})\nstore('raft', {heartbeat = '1s'})\nphase('p', '1s')",
			"lab.lua:2: store: the heartbeat is not shorter than the election"},
		{HEAD "load {read = 50, write = 40}",
			"lab.lua:5: load: read 50 + write 40 + cas 0 is 90 per cent: make it 100"},
		{HEAD "load {rate = 1000000}\nphase('p', '1h')",
			"lab.lua:5: load: 3600000030 operations in all phases, a history holds"},
		{HEAD "expect {verdict = 'CP'}\nphase('p', '1s')",
			"lab.lua:5: expect: 'CP' is no verdict: write PC, PA or P-"},
		{HEAD "expect {model = 'perfect'}\nphase('p', '1s')",
			"lab.lua:5: expect: no model of the workload register is called 'perfect': "
			"there are linearizable, sequential, "},
		{HEAD "load {workload = 'list'}\nexpect {model = 'eventual'}\nphase('p', '1s')",
			"lab.lua:6: expect: no model of the workload list is called 'eventual': "
			"there are linearizable, "},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void plan__names_line_and_cure_of_bad_phases(void **state)
{
	static const struct bad bad[] = {
		{HEAD "phase('p', '1s')\nphase('p', '1s')", "lab.lua:6: a second phase 'p': give"},
		{HEAD "phase('p q', '1s')", "lab.lua:5: phase 'p q' has a ' ' in it"},
		{HEAD "phase('p', '20h')\nphase('q', '20h')",
			"lab.lua:6: all phases together last longer than a day: shorten them"},
		{HEAD "phase('p', '1s', cut({'east'}, {'farr'}))",
			"lab.lua:5: no site or node is called 'farr', did you mean 'far'?"},
		{HEAD "phase('p', '1s', cut({'east', 'n1'}, {'far'}))",
			"lab.lua:5: cut() names node 'n1' twice: a node is in one group, once"},
		{HEAD "phase('p', '1s', cut({'east'}, {'n2', 'far'}))",
			"lab.lua:5: cut() names node 'n2' twice"},
		{HEAD "phase('p', '1s', one_way('n1', 'n1'))",
			"lab.lua:5: one_way() names node 'n1' twice"},
		{HEAD "phase('p', '1s', kill('n9'))", "lab.lua:5: no site or node is called 'n9'"},
		{HEAD "phase('p', '1s', kill('far'))",
			"lab.lua:5: kill(): 'far' is a site: name one of its nodes, like 'n3'"},
		{HEAD "phase('p', '1s', kill('c-far'))",
			"lab.lua:5: kill(): 'c-far' is a client node: name a node of a site"},
		{HEAD "phase('p', '1s', kill('n1', '1s'))",
			"lab.lua:5: kill('n1') at 1 s, but phase 'p' is over by then"},
		{HEAD "phase('p', '1s', restart('n1'))",
			"lab.lua:5: phase 'p': restart of 'n1', which is alive: kill() it first"},
		{HEAD "phase('p', '1s', kill('n1'))\nphase('q', '1s', kill('n1'))",
			"lab.lua:6: phase 'q': kill of 'n1', which is dead: restart() it first"},
		{HEAD "phase('p', '1s', resume('n1'))",
			"lab.lua:5: phase 'p': resume of 'n1', which is running: pause() it first"},
		{HEAD "phase('p', '1s', link('east', 'far', {jitter = '1ms'}))",
			"lab.lua:5: link 'n1' > 'n3' in phase 'p': jitter is larger"},
		{"lab 'x' store 'raft'\n"
		 "site('a', {'n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7', 'n8', 'n9'})\n"
		 "phase('p', '1s', cut('n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7', 'n8', 'n9'))",
			"lab.lua:3: phase 'p' splits the lab into more than 8 sides: cut fewer"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void plan__a_lab_that_is_not_there_is_named(void **state)
{
	struct plan *plan = NULL;
	struct err err = {0};

	(void)state;
	assert_true(plan_load(&plan, "nothing-of-that-name", NULL, &err) < 0);
	assert_string_equal(err.text, "no lab is called 'nothing-of-that-name': see `pacelab list "
				      "labs`, or give the path of a .lua file");
	assert_int_equal(err.status, EXIT_USAGE);
	assert_true(plan_load(&plan, "./gone.lua", NULL, &err) < 0);
	assert_non_null(strstr(err.text, "./gone.lua"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan__names_line_and_cure_of_a_bad_expectation),
		cmocka_unit_test(plan__options_that_are_wrong_are_named),
		cmocka_unit_test(plan__names_what_is_missing),
		cmocka_unit_test(plan__names_line_and_cure_of_bad_names),
		cmocka_unit_test(plan__names_line_and_cure_of_a_bad_store_or_load),
		cmocka_unit_test(plan__names_line_and_cure_of_bad_phases),
		cmocka_unit_test(plan__a_lab_that_is_not_there_is_named),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, lab_text_enter, lab_text_leave);
}
