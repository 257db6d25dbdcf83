/* SPDX-License-Identifier: MIT */
/*
 * script_words.c - the words of lab scripts: each adds a statement, with its line, to the script
 *
 * Faults are values: cut(), kill() ... give one, and phase() takes them. They live in a Lua
 * userdata until then.
 */
#include "agent/lab/script_words.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "agent/base/units.h"

static void say_once(lua_State *L, int was)
{
	if (was)
		args_fail(L, "%s() was already said in line %d: say it once", args_word(L)->name,
			was);
}

static int word_lab(lua_State *L)
{
	struct script *s = args_script(L);

	args_expect(L, 1, 1);
	say_once(L, s->lab.line);
	args_text(L, 1, "the lab's name", s->lab.text);
	s->lab.line = args_line(L);
	return 0;
}

static int word_seed(lua_State *L)
{
	struct script *s = args_script(L);

	args_expect(L, 1, 1);
	say_once(L, s->seed_line);
	s->seed = args_count(L, 1, "the seed", 0, INT64_MAX);
	s->seed_line = args_line(L);
	return 0;
}

static int word_site(lua_State *L)
{
	struct script *s = args_script(L);
	struct script_site *site = &s->site[s->sites];
	char what[SCRIPT_TEXT_MAX * 2];
	unsigned nodes;

	args_expect(L, 1, 2);
	if (s->sites == PLAN_SITES_MAX)
		args_fail(L, "more than %d sites: put several nodes into one", PLAN_SITES_MAX);
	args_text(L, 1, "the site's name", site->name.text);
	if (lua_gettop(L) < 2)
		args_fail(L, "site '%s' has no nodes: write %s", site->name.text,
			args_word(L)->usage);
	(void)snprintf(what, sizeof what, "the nodes of site '%s'", site->name.text);
	nodes = args_names(L, 2, what, FABRIC_NODES_MAX);
	if (nodes == 0)
		args_fail(L, "site '%s' has no nodes: write %s", site->name.text,
			args_word(L)->usage);
	if (s->nodes + nodes > PROTO_NODES_MAX)
		args_fail(L, "site '%s' makes it %u nodes: %d replicas are the most",
			site->name.text, s->nodes + nodes, PROTO_NODES_MAX);
	(void)snprintf(what, sizeof what, "a node of site '%s'", site->name.text);
	for (unsigned i = 0; i < nodes; i++) {
		struct script_text *node = &s->node[s->nodes + i];

		lua_rawgeti(L, 2, (lua_Integer)i + 1);
		args_text(L, -1, what, node->text);
		node->line = args_line(L);
		lua_pop(L, 1);
	}
	site->name.line = args_line(L);
	site->first = s->nodes;
	site->nodes = nodes;
	s->nodes += nodes;
	s->sites++;
	return 0;
}

static int add_rule(lua_State *L, enum script_rule_kind kind)
{
	struct script *s = args_script(L);
	struct script_rule *rule = &s->rule[s->rules];

	args_expect(L, 3, 3);
	if (s->rules == SCRIPT_RULES_MAX)
		args_fail(
			L, "more than %d rtt(), delay() and jitter() statements", SCRIPT_RULES_MAX);
	rule->kind = kind;
	rule->line = args_line(L);
	args_text(L, 1, "the first site", rule->a);
	args_text(L, 2, "the second site", rule->b);
	rule->ns = args_duration(L, 3, args_word(L)->name);
	if (rule->ns > SCRIPT_DEADLINE_NS_MAX)
		args_fail(L, "%s of '%s': a minute is the most", args_word(L)->name,
			lua_tostring(L, 3));
	s->rules++;
	return 0;
}

static int word_rtt(lua_State *L)
{
	return add_rule(L, SCRIPT_RTT);
}

static int word_delay(lua_State *L)
{
	return add_rule(L, SCRIPT_DELAY);
}

static int word_jitter(lua_State *L)
{
	return add_rule(L, SCRIPT_JITTER);
}

#define OFFSET(type, member) offsetof(struct type, member)

static const struct field store_fields[] = {
	{"leader", FIELD_TEXT, OFFSET(script_store, leader), 0, 0},
	{"read_level", FIELD_TEXT, OFFSET(script_store, read_level), 0, 0},
	{"write_level", FIELD_TEXT, OFFSET(script_store, write_level), 0, 0},
	{"election", FIELD_SPAN, OFFSET(script_store, election_min_ns), 1000000,
		SCRIPT_DEADLINE_NS_MAX},
	{"heartbeat", FIELD_DURATION, OFFSET(script_store, heartbeat_ns), 1000000,
		SCRIPT_DEADLINE_NS_MAX},
	{"request_timeout", FIELD_DURATION, OFFSET(script_store, request_timeout_ns), 1000000,
		SCRIPT_DEADLINE_NS_MAX},
	{"fsync", FIELD_BOOL, OFFSET(script_store, fsync), 0, 0},
	{NULL, FIELD_TEXT, 0, 0, 0},
};
_Static_assert(OFFSET(script_store, election_max_ns) ==
		       OFFSET(script_store, election_min_ns) + sizeof(uint64_t),
	"FIELD_SPAN fills two durations in a row");

static int word_store(lua_State *L)
{
	struct script_store *store = &args_script(L)->store;

	args_expect(L, 1, 2);
	say_once(L, store->name.line);
	args_text(L, 1, "the store's name", store->name.text);
	if (lua_gettop(L) == 2)
		args_fields(L, 2, store_fields, store);
	store->name.line = args_line(L);
	return 0;
}

static const struct field load_fields[] = {
	{"clients_per_site", FIELD_COUNT, OFFSET(script_load, clients_per_site), 1,
		PLAN_CLIENTS_PER_SITE_MAX},
	{"rate", FIELD_RATE, OFFSET(script_load, rate), 0, 0},
	{"keys", FIELD_COUNT, OFFSET(script_load, keys), 1, PLAN_KEYS_MAX},
	{"read", FIELD_COUNT, OFFSET(script_load, read), 0, 100},
	{"write", FIELD_COUNT, OFFSET(script_load, write), 0, 100},
	{"cas", FIELD_COUNT, OFFSET(script_load, cas), 0, 100},
	{"deadline", FIELD_DURATION, OFFSET(script_load, deadline_ns), 1000000,
		SCRIPT_DEADLINE_NS_MAX},
	{NULL, FIELD_TEXT, 0, 0, 0},
};

static int word_load(lua_State *L)
{
	struct script_load *load = &args_script(L)->load;

	args_expect(L, 1, 1);
	say_once(L, load->line);
	args_fields(L, 1, load_fields, load);
	load->line = args_line(L);
	return 0;
}

static const struct field fit_fields[] = {
	{"rtts", FIELD_DURATIONS, OFFSET(script_fit, rtt_ns), 1000, SCRIPT_DEADLINE_NS_MAX},
	{"duration", FIELD_DURATION, OFFSET(script_fit, duration_ns), SCRIPT_DURATION_NS_MIN,
		UNITS_DURATION_NS_MAX},
	{NULL, FIELD_TEXT, 0, 0, 0},
};
_Static_assert(
	OFFSET(script_fit, rtts) == OFFSET(script_fit, rtt_ns) + SCRIPT_RTTS_MAX * sizeof(uint64_t),
	"FIELD_DURATIONS counts behind the array");

static int word_fit(lua_State *L)
{
	struct script_fit *fit = &args_script(L)->fit;

	args_expect(L, 1, 1);
	say_once(L, fit->line);
	args_fields(L, 1, fit_fields, fit);
	if (fit->rtts < 3)
		args_fail(L,
			"fit has %u RTTs: a line through less than 3 points proves nothing, "
			"write %s",
			fit->rtts, args_word(L)->usage);
	if (fit->duration_ns == 0)
		args_fail(L, "fit has no duration: write %s", args_word(L)->usage);
	fit->line = args_line(L);
	return 0;
}

static const struct field expect_fields[] = {
	{"model", FIELD_TEXT, OFFSET(script_expect, model), 0, 0},
	{"verdict", FIELD_TEXT, OFFSET(script_expect, verdict), 0, 0},
	{NULL, FIELD_TEXT, 0, 0, 0},
};

static int word_expect(lua_State *L)
{
	struct script_expect *expect = &args_script(L)->expect;

	args_expect(L, 1, 1);
	say_once(L, expect->line);
	args_fields(L, 1, expect_fields, expect);
	expect->line = args_line(L);
	return 0;
}

/*
 * Faults: each call gives a value that phase() takes.
 */
static struct script_fault *new_fault(lua_State *L, enum script_fault_kind kind)
{
	struct script *s = args_script(L);
	struct script_fault *fault = lua_newuserdatauv(L, sizeof *fault, 0);

	luaL_setmetatable(L, WORDS_FAULT_TYPE);
	if (s->mades == SCRIPT_FAULTS_MAX)
		args_fail(L, "more than %d faults", SCRIPT_FAULTS_MAX);
	memset(fault, 0, sizeof *fault);
	fault->kind = kind;
	fault->line = args_line(L);
	fault->number = s->mades;
	fault->delay_ns = UINT64_MAX;
	fault->jitter_ns = UINT64_MAX;
	s->made[s->mades].kind = kind;
	s->made[s->mades].line = fault->line;
	s->made[s->mades].used = false;
	s->mades++;
	return fault;
}

/* Argument @at, a name or a list of names, is the next group of @fault. */
static void add_group(lua_State *L, struct script_fault *fault, int at)
{
	char what[SCRIPT_TEXT_MAX];
	unsigned count = 1;

	(void)snprintf(what, sizeof what, "group %u of %s", fault->groups + 1, args_word(L)->name);
	if (lua_type(L, at) == LUA_TTABLE)
		count = args_names(L, at, what, SCRIPT_WORDS_MAX);
	if (count == 0)
		args_fail(L, "%s is empty: name sites or nodes, or leave it out", what);
	if (fault->words + count > SCRIPT_WORDS_MAX)
		args_fail(L, "%s names more than %d sites and nodes", args_word(L)->name,
			SCRIPT_WORDS_MAX);
	for (unsigned i = 0; i < count; i++) {
		if (lua_type(L, at) == LUA_TTABLE)
			lua_rawgeti(L, at, (lua_Integer)i + 1);
		else
			lua_pushvalue(L, at);
		args_text(L, -1, what, fault->word[fault->words]);
		fault->group[fault->words++] = (uint16_t)fault->groups;
		lua_pop(L, 1);
	}
	fault->groups++;
}

static int word_cut(lua_State *L)
{
	int groups = lua_gettop(L);
	struct script_fault *fault;

	if (groups < 2)
		args_fail(L,
			"cut() got %d group%s, it needs 2 or more: write %s, or isolate() for one",
			groups, groups == 1 ? "" : "s", args_word(L)->usage);
	fault = new_fault(L, SCRIPT_CUT);
	for (int i = 1; i <= groups; i++)
		add_group(L, fault, i);
	return 1;
}

static int word_one_way(lua_State *L)
{
	struct script_fault *fault;

	args_expect(L, 2, 2);
	fault = new_fault(L, SCRIPT_ONE_WAY);
	add_group(L, fault, 1);
	add_group(L, fault, 2);
	return 1;
}

static int word_isolate(lua_State *L)
{
	struct script_fault *fault;

	args_expect(L, 1, 1);
	fault = new_fault(L, SCRIPT_ISOLATE);
	add_group(L, fault, 1);
	return 1;
}

static const struct field link_fields[] = {
	{"delay", FIELD_DURATION, OFFSET(script_fault, delay_ns), 0, SCRIPT_DEADLINE_NS_MAX},
	{"jitter", FIELD_DURATION, OFFSET(script_fault, jitter_ns), 0, SCRIPT_DEADLINE_NS_MAX},
	{NULL, FIELD_TEXT, 0, 0, 0},
};

static int word_link(lua_State *L)
{
	struct script_fault *fault;

	args_expect(L, 3, 3);
	fault = new_fault(L, SCRIPT_LINK);
	add_group(L, fault, 1);
	add_group(L, fault, 2);
	args_fields(L, 3, link_fields, fault);
	if (fault->delay_ns == UINT64_MAX && fault->jitter_ns == UINT64_MAX)
		args_fail(L, "link() changes nothing: write %s", args_word(L)->usage);
	return 1;
}

static int process_fault(lua_State *L, enum script_fault_kind kind)
{
	struct script_fault *fault;

	args_expect(L, 1, 2);
	fault = new_fault(L, kind);
	if (lua_type(L, 1) != LUA_TSTRING)
		args_fail(L, "%s() takes one node: write %s", args_word(L)->name,
			args_word(L)->usage);
	add_group(L, fault, 1);
	if (lua_gettop(L) > 2) /* the fault itself is on top */
		fault->at_ns = args_duration(L, 2, args_word(L)->name);
	return 1;
}

static int word_kill(lua_State *L)
{
	return process_fault(L, SCRIPT_KILL);
}

static int word_restart(lua_State *L)
{
	return process_fault(L, SCRIPT_RESTART);
}

static int word_pause(lua_State *L)
{
	return process_fault(L, SCRIPT_PAUSE);
}

static int word_resume(lua_State *L)
{
	return process_fault(L, SCRIPT_RESUME);
}

static int word_phase(lua_State *L)
{
	struct script *s = args_script(L);
	struct script_phase *phase = &s->phase[s->phases];
	int faults = lua_gettop(L) - 2;

	if (faults < 0)
		args_expect(L, 2, 2);
	if (s->phases == PLAN_PHASES_MAX)
		args_fail(L, "more than %d phases", PLAN_PHASES_MAX);
	args_text(L, 1, "the phase's name", phase->name.text);
	phase->duration_ns = args_duration(L, 2, "the phase's duration");
	if (phase->duration_ns < SCRIPT_DURATION_NS_MIN)
		args_fail(L, "phase '%s' lasts '%s': a millisecond is the least", phase->name.text,
			lua_tostring(L, 2));
	for (int i = 0; i < faults; i++) {
		if (!luaL_testudata(L, i + 3, WORDS_FAULT_TYPE))
			args_fail(L,
				"argument %d of phase '%s' is a %s, not a fault: faults are made "
				"by cut(), one_way(), isolate(), link(), kill(), restart(), "
				"pause() and resume()",
				i + 3, phase->name.text, luaL_typename(L, i + 3));
	}
	if (s->faults + (unsigned)faults > SCRIPT_FAULTS_MAX)
		args_fail(L, "more than %d faults in all phases", SCRIPT_FAULTS_MAX);
	s->fault = reallocarray(s->fault, s->faults + (unsigned)faults + 1, sizeof *s->fault);
	assert(s->fault);
	phase->first = s->faults;
	phase->faults = (unsigned)faults;
	phase->name.line = args_line(L);
	for (int i = 0; i < faults; i++) {
		const struct script_fault *fault = lua_touserdata(L, i + 3);

		s->fault[s->faults++] = *fault;
		s->made[fault->number].used = true;
	}
	s->phases++;
	return 0;
}

static const struct word words[] = {
	{"lab", word_lab, "lab \"name\""},
	{"site", word_site, "site(\"east\", {\"n1\", \"n2\"})"},
	{"rtt", word_rtt, "rtt(\"east\", \"west\", \"20ms\")"},
	{"delay", word_delay, "delay(\"east\", \"west\", \"5ms\")"},
	{"jitter", word_jitter, "jitter(\"east\", \"west\", \"1ms\")"},
	{"store", word_store, "store \"raft\" or store(\"raft\", {leader = \"n1\"})"},
	{"load", word_load, "load {rate = 500, keys = 10, read = 50, write = 50}"},
	{"fit", word_fit, "fit {rtts = {\"1ms\", \"10ms\", \"40ms\"}, duration = \"2s\"}"},
	{"phase", word_phase, "phase(\"name\", \"5s\", faults ...)"},
	{"expect", word_expect, "expect {model = \"linearizable\", verdict = \"PC/EC\"}"},
	{"seed", word_seed, "seed(7)"},
	{"cut", word_cut, "cut({\"east\", \"west\"}, {\"far\"})"},
	{"one_way", word_one_way, "one_way(\"east\", \"west\")"},
	{"isolate", word_isolate, "isolate(\"n5\")"},
	{"link", word_link, "link(\"east\", \"west\", {delay = \"50ms\", jitter = \"5ms\"})"},
	{"kill", word_kill, "kill(\"n3\", \"1s\")"},
	{"restart", word_restart, "restart(\"n3\", \"3s\")"},
	{"pause", word_pause, "pause(\"n3\", \"1s\")"},
	{"resume", word_resume, "resume(\"n3\", \"3s\")"},
};

const struct word *words_list(unsigned i)
{
	return i < sizeof words / sizeof *words ? &words[i] : NULL;
}
