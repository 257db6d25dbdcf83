/* SPDX-License-Identifier: MIT */
/* script_test.c - what one statement of a lab script can get wrong, and the sandbox */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

#include "agent/lab/near.h"
#include "agent/lab/script.h"

static int parse(const char *text, struct script **ret, struct err *err)
{
	memset(err, 0, sizeof *err);
	return script_parse(ret,
		&(struct script_source){.path = "lab.lua", .text = text, .len = strlen(text)}, err);
}

struct bad {
	const char *text;
	const char *message; /* how the error begins: place, what, cure */
};

static void assert_bad(const struct bad *bad, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct script *s = NULL;
		struct err err;

		if (parse(bad[i].text, &s, &err) == 0)
			fail_msg("was taken: %s", bad[i].text);
		if (strncmp(err.text, bad[i].message, strlen(bad[i].message)) != 0)
			fail_msg("script: %s\nsaid:   %s\nwanted: %s", bad[i].text, err.text,
				bad[i].message);
		assert_int_equal(err.status, EXIT_USAGE);
		assert_null(strchr(err.text, '\n'));
		assert_null(s);
	}
}

#define ASSERT_BAD(list) assert_bad(list, sizeof(list) / sizeof *(list))

static void script__keeps_what_was_said_with_its_line(void **state)
{
	const char *text = "lab \"x\"\n"
			   "seed(9)\n"
			   "site(\"a\", {\"n1\", \"n2\"})\n"
			   "\n"
			   "rtt(\"a\", \"a\", \"1.5ms\")\n"
			   "store(\"raft\", {election = \"200ms-400ms\", fsync = false})\n"
			   "load {rate = 2.5, keys = 3}\n"
			   "phase(\"p\", \"5s\", cut(\"a\", {\"n1\"}), kill(\"n1\", \"1s\"))\n";
	struct script *s = NULL;
	struct err err;

	(void)state;
	assert_int_equal(parse(text, &s, &err), 0);
	assert_string_equal(s->lab.text, "x");
	assert_int_equal(s->seed, 9);
	assert_int_equal(s->sites, 1);
	assert_int_equal(s->site[0].nodes, 2);
	assert_string_equal(s->node[1].text, "n2");
	assert_int_equal(s->rule[0].ns, 1500000);
	assert_int_equal(s->rule[0].line, 5);
	assert_int_equal(s->store.election_min_ns, 200000000);
	assert_int_equal(s->store.election_max_ns, 400000000);
	assert_int_equal(s->store.fsync, WAL_SYNC_NONE);
	assert_true(s->load.rate == 2.5);
	assert_int_equal(s->phases, 1);
	assert_int_equal(s->phase[0].faults, 2);
	assert_int_equal(s->fault[0].kind, SCRIPT_CUT);
	assert_int_equal(s->fault[0].groups, 2);
	assert_int_equal(s->fault[1].kind, SCRIPT_KILL);
	assert_int_equal(s->fault[1].at_ns, 1000000000);
	assert_int_equal(s->fault[1].line, 8);
	script_close(s);
}

static void script__tells_each_phase_what_was_said_before_it(void **state)
{
	const char *text = "lab 'x'\n"
			   "say [[  One thing,\n   over\ttwo lines.\n\n  Another.]]\n"
			   "say 'And more.'\n"
			   "fit {rtts = {'1ms', '2ms', '3ms'}, duration = '1s'}\n"
			   "phase('silent', '1s')\n"
			   "say 'Of p.'\n"
			   "phase('p', '1s')\n"
			   "say 'The end.'\n";
	struct script *s = NULL;
	struct err err;

	(void)state;
	assert_int_equal(parse(text, &s, &err), 0);
	assert_string_equal(s->fit.say, "One thing, over two lines.\nAnother.\nAnd more.");
	assert_string_equal(s->phase[0].say, "");
	assert_string_equal(s->phase[1].say, "Of p.");
	assert_string_equal(s->say, "The end.");
	script_close(s);
}

static void script__says_plain_text_of_limited_length(void **state)
{
	static const struct bad bad[] = {
		{"say(7)", "lab.lua:1: say got a number, not a text: write say"},
		{"say()", "lab.lua:1: say"},
		{"say 'a\\27[2J'", "lab.lua:1: say has a byte 0x1b in it"},
		{"say 'a\\0b'", "lab.lua:1: say has a byte 0x00 in it"},
		{"say(string.rep('x', 2046))\nsay 'y'", "lab.lua:2: more than 2046 bytes said"},
		{"say(string.rep('x', 2047))", "lab.lua:1: more than 2046 bytes said"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void script__names_line_and_cure_of_a_bad_expectation(void **state)
{
	static const struct bad bad[] = {
		{"expect {}", "lab.lua:1: expect says nothing: write expect"},
		{"expect(7, {lost = 0})", "lab.lua:1: the store's name"},
		{"expect {lost = 'few'}", "lab.lua:1: 'lost' of expect is few: write \"none\""},
		{"expect {lost = {5, 3}}", "lab.lua:1: 'lost' of expect: write the smaller"},
		{"expect {stale = 0.5}", "lab.lua:1: 'stale' of expect is 0.5: write a whole"},
		{"expect {available = 'all'}", "lab.lua:1: 'available' of expect is a string"},
		{"expect {available = {all = 'all'}}", "lab.lua:1: 'available' of expect has no"},
		{"expect {available = {minority = '101%'}}", "lab.lua:1: 'minority' of available"},
		{"expect {available = {minority = '5'}}", "lab.lua:1: 'minority' of available"},
		{"expect {converged = 'yes'}", "lab.lua:1: 'converged' of expect is a string"},
		{"stores {}", "lab.lua:1: stores has no names"},
		{"stores {'raft', 'raft'}", "lab.lua:1: stores has 'raft' twice"},
		{"stores {'raft'}\nstores {'single'}", "lab.lua:2: stores was already said"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void script__names_line_and_cure_of_a_bad_skew(void **state)
{
	static const struct bad bad[] = {
		{"skew('n1')", "lab.lua:1: skew"},
		{"skew({'n1'}, '1s')", "lab.lua:1: skew() takes one node: write skew"},
		{"skew('n1', '1')", "lab.lua:1: skew(): '1' is not a duration"},
		{"skew('n1', '--1s')", "lab.lua:1: skew(): '-1s' is negative"},
		{"skew('n1', '25h')", "lab.lua:1: skew(): '25h' is longer than a day"},
		{"skew('n1', '1s')", "lab.lua:1: this skew() is in no phase"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void script__is_a_program_when_that_is_shorter(void **state)
{
	const char *text = "for i = 1, 3 do site('s' .. i, {string.format('n%d', i)}) end\n"
			   "local away = isolate('n1')\n"
			   "phase('p', '1s', away) phase('q', '1s', away)\n";
	struct script *s = NULL;
	struct err err;

	(void)state;
	assert_int_equal(parse(text, &s, &err), 0);
	assert_int_equal(s->sites, 3);
	assert_string_equal(s->node[2].text, "n3");
	assert_int_equal(s->faults, 2);
	script_close(s);
}

static void script__names_line_and_cure_of_syntax_errors(void **state)
{
	static const struct bad bad[] = {
		{"lab \"x\"\nsite(\"a\", {\"n1\"\n",
			"lab.lua:3: '}' expected (to close '{' at line 2) near <eof>"},
		{"lab \"x\nseed(1)", "lab.lua:1: unfinished string"},
		{"\x1bLua", "lab.lua:1: attempt to load a binary chunk"},
		{"\n\nsit(\"a\", {\"n1\"})", "lab.lua:3: unknown word 'sit', did you mean 'site'?"},
		{"phaes('a', '1s')", "lab.lua:1: unknown word 'phaes', did you mean 'phase'?"},
		{"local t = {}\nt.x.y = 1", "lab.lua:2: attempt to index a nil value"},
		{"error('my own words')", "lab.lua:1: my own words"},
		{"error({})", "lab.lua:1: error without text"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void script__names_line_and_cure_of_wrong_arguments(void **state)
{
	static const struct bad bad[] = {
		{"lab()", "lab.lua:1: lab() got 0 arguments: write lab \"name\""},
		{"lab ''", "lab.lua:1: the lab's name is empty: write lab"},
		{"lab {}", "lab.lua:1: the lab's name is a table, not a string: write lab"},
		{"lab 'a'\nlab 'b'", "lab.lua:2: lab() was already said in line 1: say it once"},
		{"seed(-1)", "lab.lua:1: the seed is -1: write a whole number from 0 to"},
		{"seed(1.5)", "lab.lua:1: the seed is 1.5: write a whole number"},
		{"site('a')", "lab.lua:1: site 'a' has no nodes: write site("},
		{"\nsite('a', {})", "lab.lua:2: site 'a' has no nodes: write site("},
		{"site('a', 'n1')", "lab.lua:1: the nodes of site 'a' is a string, not a list"},
		{"site('a', {x = 'n1'})", "lab.lua:1: the nodes of site 'a' is not a plain list"},
		{"site('a', {1})", "lab.lua:1: a node of site 'a' is a number, not a string"},
		{"site('a', {'n\\n1'})", "lab.lua:1: a node of site 'a' has a byte 0x0a in it"},
		{"local t = {} for i = 1, 129 do t[i] = 'n' .. i end site('a', t)",
			"lab.lua:1: site 'a' makes it 129 nodes: 128 replicas are the most"},
		{"for i = 1, 33 do site('s' .. i, {'n' .. i}) end",
			"lab.lua:1: more than 32 sites: put several"},
		{"for i = 1, 65 do phase('p' .. i, '1s') end", "lab.lua:1: more than 64 phases"},
		{"rtt('a', 'b')", "lab.lua:1: rtt() got 2 arguments: write rtt("},
		{"phase('p')", "lab.lua:1: phase() got 1 arguments: write phase("},
		{"phase('p', '5s', {'a'})",
			"lab.lua:1: argument 3 of phase 'p' is a table, not a fault: faults are "
			"made by cut()"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void script__names_line_and_cure_of_bad_units(void **state)
{
	static const struct bad bad[] = {
		{"rtt('a', 'b', '20mss')", "lab.lua:1: rtt: '20mss' is not a duration: write a "
					   "number and ns, us, ms, s, m or h, like 20ms"},
		{"rtt('a', 'b', 20)", "lab.lua:1: rtt: 20 has no unit: write a string with ns"},
		{"rtt('a', 'b', '20')", "lab.lua:1: rtt: '20' is not a duration"},
		{"rtt('a', 'b', '-20ms')", "lab.lua:1: rtt: '-20ms' is negative"},
		{"rtt('a', 'b', '2m')", "lab.lua:1: rtt of '2m': a minute is the most"},
		{"phase('p', '-5s')", "lab.lua:1: the phase's duration: '-5s' is negative"},
		{"phase('p', '0')", "lab.lua:1: phase 'p' lasts '0': a millisecond is the least"},
		{"phase('p', '25h')",
			"lab.lua:1: the phase's duration: '25h' is longer than a day: is the unit"},
		{"phase('p', '5 s')", "lab.lua:1: the phase's duration: '5 s' is not a duration"},
		{"phase('p', '5s', kill('n1', '-1s'))", "lab.lua:1: kill: '-1s' is negative"},
		{"store('raft', {election = '300ms'})",
			"lab.lua:1: 'election' of store: '300ms' is not a span: write two"},
		{"store('raft', {election = '600ms-300ms'})",
			"lab.lua:1: 'election' of store: 600ms is more than 300ms: write the"},
		{"store('raft', {heartbeat = '0'})",
			"lab.lua:1: 'heartbeat' of store is out of range: 1 ms to 60 s make sense"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void script__names_line_and_cure_of_wrong_fields(void **state)
{
	static const struct bad bad[] = {
		{"load {raet = 5}", "lab.lua:1: load has no field 'raet', did you mean 'rate'? it "
				    "has workload, clients_per_site,"},
		{"load {colour = 5}", "lab.lua:1: load has no field 'colour': it has workload, "},
		{"load {5}", "lab.lua:1: load has a value without a name: write load {"},
		{"load(5)", "lab.lua:1: load() got a number, not a table: write load {"},
		{"load {rate = 0}", "lab.lua:1: 'rate' of load is 0: write operations per second"},
		{"load {rate = -1}", "lab.lua:1: 'rate' of load is -1: write operations per"},
		{"load {rate = 0/0}", "lab.lua:1: 'rate' of load is "},
		{"load {rate = '5'}", "lab.lua:1: 'rate' of load is 5: write operations per"},
		{"load {keys = 0}", "lab.lua:1: 'keys' of load is 0: write a whole number from 1"},
		{"load {roam = 101}", "lab.lua:1: 'roam' of load is 101: write a whole number"},
		{"load {read = 101}", "lab.lua:1: 'read' of load is 101: write a whole number"},
		{"load {deadline = '2m'}",
			"lab.lua:1: 'deadline' of load is out of range: 1 ms to 60 s make sense"},
		{"store('raft', {laeder = 'n1'})",
			"lab.lua:1: store has no field 'laeder', did you mean 'leader'?"},
		{"store('raft', {fsync = 1})",
			"lab.lua:1: 'fsync' of store is 1: write \"always\", \"interval\" or "
			"\"none\""},
		{"store('raft', {fsync = 'sometimes'})",
			"lab.lua:1: 'fsync' of store is sometimes: write \"always\", "},
		{"fit {rtts = {'1ms', '2ms', '4ms'}}",
			"lab.lua:1: fit has no duration: write fit {"},
		{"fit {rtts = {'1ms', '2ms'}}",
			"lab.lua:1: fit has 2 RTTs: a line through less than 3 points"},
		{"fit {rtts = {'1ms', '2ms', '1ms'}}", "lab.lua:1: 'rtts' of fit has '1ms' twice"},
		{"fit {rtts = '1ms'}", "lab.lua:1: 'rtts' of fit is not a list: write fit {"},
		{"expect {modle = 'x'}", "lab.lua:1: expect has no field 'modle', did you mean"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void script__names_line_and_cure_of_wrong_faults(void **state)
{
	static const struct bad bad[] = {
		{"cut({'a'})", "lab.lua:1: cut() got 1 group, it needs 2 or more: write cut("},
		{"cut({'a'}, {})", "lab.lua:1: group 2 of cut is empty: name sites or nodes"},
		{"cut({'a'}, 5)", "lab.lua:1: group 2 of cut is a number, not a string"},
		{"cut({'a'}, {'b', x = 1})", "lab.lua:1: group 2 of cut is not a plain list"},
		{"\ncut({'a'}, {'b'})", "lab.lua:2: this cut() is in no phase: write phase("},
		{"kill()", "lab.lua:1: kill() got 0 arguments: write kill("},
		{"kill({'n1'})", "lab.lua:1: kill() takes one node: write kill("},
		{"link('a', 'b', {})", "lab.lua:1: link() changes nothing: write link("},
		{"link('a', 'b', {dealy = '1ms'})",
			"lab.lua:1: link has no field 'dealy', did you mean 'delay'?"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void script__cannot_leave_its_sandbox(void **state)
{
	static const struct bad bad[] = {
		{"os.exit(0)", "lab.lua:1: unknown word 'os': a lab has lab, site"},
		{"io.write('x')", "lab.lua:1: unknown word 'io'"},
		{"debug.getinfo(1)", "lab.lua:1: unknown word 'debug'"},
		{"require 'os'", "lab.lua:1: unknown word 'require'"},
		{"dofile('/etc/passwd')", "lab.lua:1: unknown word 'dofile'"},
		{"loadfile('/etc/passwd')", "lab.lua:1: unknown word 'loadfile'"},
		{"loadstring('x')", "lab.lua:1: unknown word 'loadstring'"},
		{"load('return 1')", "lab.lua:1: load() got a string, not a table"},
		{"pcall(error)", "lab.lua:1: unknown word 'pcall'"},
		{"setmetatable({}, {})", "lab.lua:1: unknown word 'setmetatable'"},
		{"coroutine.wrap(error)", "lab.lua:1: unknown word 'coroutine'"},
		{"print(1)", "lab.lua:1: unknown word 'print'"},
		{"math.random()", "lab.lua:1: attempt to call a nil value (field 'random')"},
		{"local x = ('').rep.x", "lab.lua:1: attempt to index a function value"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void script__ends_at_its_limits(void **state)
{
	static const struct bad bad[] = {
		{"\nwhile true do end", "lab.lua:2: stopped after 20000000 instructions: is there"},
		{"local function f() return f() end f()", "lab.lua:1: stopped after 20000000"},
		{"local function f() f() end f()",
			"lab.lua:1: the script needs more than 32 MiB of memory"},
		{"local s = 'x' while true do s = s .. s end",
			"lab.lua:1: the script needs more than 32 MiB of memory"},
		{"('x'):rep(1 << 30)", "lab.lua:1: the script needs more than 32 MiB of memory"},
		{"for i = 1, 5000 do rtt('a', 'b', '1ms') end",
			"lab.lua:1: more than 4096 rtt(), delay(), jitter() and profile() statements"},
		{"for i = 1, 3000 do isolate('a') end", "lab.lua:1: more than 2048 faults"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void script__a_missing_file_is_named(void **state)
{
	struct script *s = NULL;
	struct err err = {0};

	(void)state;
	assert_true(script_open(&s, "/nowhere/x.lua", NULL, &err) < 0);
	assert_string_equal(
		err.text, "lab '/nowhere/x.lua': No such file or directory: is the path right?");
	assert_int_equal(err.status, EXIT_USAGE);
	assert_true(script_open(&s, "/", NULL, &err) < 0);
	assert_non_null(strstr(err.text, "is not a file"));
}

static void near__offers_the_nearest_name_or_none(void **state)
{
	struct near n = near_to("wets");
	char text[64];

	(void)state;
	near_offer(&n, "east");
	near_offer(&n, "west");
	near_offer(&n, "far");
	assert_string_equal(near_text(&n, text, sizeof text), ", did you mean 'west'?");
	n = near_to("zebra");
	near_offer(&n, "east");
	assert_string_equal(near_text(&n, text, sizeof text), "");
	n = near_to("xy");
	near_offer(&n, "n1");
	assert_string_equal(near_text(&n, text, sizeof text), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(script__keeps_what_was_said_with_its_line),
		cmocka_unit_test(script__tells_each_phase_what_was_said_before_it),
		cmocka_unit_test(script__says_plain_text_of_limited_length),
		cmocka_unit_test(script__names_line_and_cure_of_a_bad_expectation),
		cmocka_unit_test(script__names_line_and_cure_of_a_bad_skew),
		cmocka_unit_test(script__is_a_program_when_that_is_shorter),
		cmocka_unit_test(script__names_line_and_cure_of_syntax_errors),
		cmocka_unit_test(script__names_line_and_cure_of_wrong_arguments),
		cmocka_unit_test(script__names_line_and_cure_of_bad_units),
		cmocka_unit_test(script__names_line_and_cure_of_wrong_fields),
		cmocka_unit_test(script__names_line_and_cure_of_wrong_faults),
		cmocka_unit_test(script__cannot_leave_its_sandbox),
		cmocka_unit_test(script__ends_at_its_limits),
		cmocka_unit_test(script__a_missing_file_is_named),
		cmocka_unit_test(near__offers_the_nearest_name_or_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
