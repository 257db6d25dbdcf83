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
#include "agent/lab/near.h"
#include "agent/lab/regions.h"

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

static int word_simulated(lua_State *L)
{
	args_expect(L, 0, 0);
	args_script(L)->simulated_only = true;
	return 0;
}

struct site_options {
	char region[SCRIPT_TEXT_MAX];
};

/* Of the table behind the nodes. */
static int site_region(lua_State *L)
{
	static const struct field fields[] = {
		{"region", FIELD_TEXT, offsetof(struct site_options, region), 0, 0},
		{NULL, FIELD_TEXT, 0, 0, 0},
	};
	struct site_options options = {{0}};
	struct near near;
	char hint[96];
	int region;

	args_fields(L, 3, fields, &options);
	region = regions_find(options.region);
	if (region >= 0)
		return region;
	near = near_to(options.region);
	for (unsigned i = 0; regions_list(i, NULL); i++)
		near_offer(&near, regions_list(i, NULL)->name);
	args_fail(L, "site(): no region is called '%.40s'%s `pacelab list regions` has them all",
		options.region, near.best ? near_text(&near, hint, sizeof hint) : ":");
}

static int word_site(lua_State *L)
{
	struct script *s = args_script(L);
	struct script_site *site = &s->site[s->sites];
	char what[SCRIPT_TEXT_MAX * 2];
	unsigned nodes;

	args_expect(L, 1, 3);
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
	if (s->nodes + nodes > PLAN_REPLICAS_MAX)
		args_fail(L, "site '%s' makes it %u nodes: %d replicas are the most",
			site->name.text, s->nodes + nodes, PLAN_REPLICAS_MAX);
	(void)snprintf(what, sizeof what, "a node of site '%s'", site->name.text);
	for (unsigned i = 0; i < nodes; i++) {
		struct script_text *node = &s->node[s->nodes + i];

		lua_rawgeti(L, 2, (lua_Integer)i + 1);
		args_text(L, -1, what, node->text);
		node->line = args_line(L);
		lua_pop(L, 1);
	}
	site->region = lua_gettop(L) == 3 ? site_region(L) : -1;
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
		args_fail(L, "more than %d rtt(), delay(), jitter() and profile() statements",
			SCRIPT_RULES_MAX);
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

/* All links, or those between two sites. */
static int word_profile(lua_State *L)
{
	struct script *s = args_script(L);
	struct script_rule *rule = &s->rule[s->rules];
	struct link_change change;
	struct err err = {0};
	char text[SCRIPT_TEXT_MAX + 16];

	if (lua_gettop(L) != 1)
		args_expect(L, 3, 3);
	if (s->rules == SCRIPT_RULES_MAX)
		args_fail(L, "more than %d rtt(), delay(), jitter() and profile() statements",
			SCRIPT_RULES_MAX);
	*rule = (struct script_rule){.kind = SCRIPT_PROFILE, .line = args_line(L)};
	args_text(L, 1, "the profile's name", rule->profile);
	(void)snprintf(text, sizeof text, "profile %s", rule->profile);
	if (strchr(rule->profile, ' ') || link_change_read(text, &change, &err))
		args_fail(L, "profile(): %s", err.text[0] ? err.text : "its name has no blank");
	if (lua_gettop(L) == 3) {
		args_text(L, 2, "the first site", rule->a);
		args_text(L, 3, "the second site", rule->b);
	}
	s->rules++;
	return 0;
}

#define OFFSET(type, member) offsetof(struct type, member)

static const struct field store_fields[] = {
	{"leader", FIELD_TEXT, OFFSET(script_store, leader), 0, 0},
	{"read_level", FIELD_TEXT, OFFSET(script_store, read_level), 0, 0},
	{"write_level", FIELD_TEXT, OFFSET(script_store, write_level), 0, 0},
	{"set", FIELD_TEXT, OFFSET(script_store, set), 0, 0},
	{"election", FIELD_SPAN, OFFSET(script_store, election_min_ns), 1000000,
		SCRIPT_DEADLINE_NS_MAX},
	{"heartbeat", FIELD_DURATION, OFFSET(script_store, heartbeat_ns), 1000000,
		SCRIPT_DEADLINE_NS_MAX},
	{"request_timeout", FIELD_DURATION, OFFSET(script_store, request_timeout_ns), 1000000,
		SCRIPT_DEADLINE_NS_MAX},
	{"fsync", FIELD_OTHER, 0, 0, 0},
	{NULL, FIELD_TEXT, 0, 0, 0},
};
_Static_assert(OFFSET(script_store, election_max_ns) ==
		       OFFSET(script_store, election_min_ns) + sizeof(uint64_t),
	"FIELD_SPAN fills two durations in a row");

/* true and false are always and none. */
static void take_fsync(lua_State *L, struct script_store *store)
{
	if (lua_getfield(L, 2, "fsync") == LUA_TBOOLEAN)
		store->fsync = lua_toboolean(L, -1) ? WAL_SYNC_ALWAYS : WAL_SYNC_NONE;
	else if (!lua_isnil(L, -1) &&
		 (lua_type(L, -1) != LUA_TSTRING ||
			 wal_sync_find(lua_tostring(L, -1), &store->fsync) < 0))
		args_fail(L, "'fsync' of store is %s: write \"always\", \"interval\" or \"none\"",
			luaL_tolstring(L, -1, NULL));
	lua_pop(L, 1);
}

static int word_store(lua_State *L)
{
	struct script_store *store = &args_script(L)->store;

	args_expect(L, 1, 2);
	say_once(L, store->name.line);
	args_text(L, 1, "the store's name", store->name.text);
	if (lua_gettop(L) == 2) {
		args_fields(L, 2, store_fields, store);
		take_fsync(L, store);
	}
	store->name.line = args_line(L);
	return 0;
}

/* Blanks and lines' ends of a script are its own: words go one blank apart, an empty line begins a
 * paragraph. */
static void say_add(lua_State *L, char *say, const char *text)
{
	size_t len = strlen(say);
	unsigned ends = len > 0 ? 2 : 0;
	bool blank = false;

	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '\n')
			ends++;
		blank = blank || c == ' ' || c == '\t' || c == '\n';
		if (c == ' ' || c == '\t' || c == '\n')
			continue;
		if (c < ' ' || c == 0x7f)
			args_fail(L, "say has a byte 0x%02x in it: write plain text", c);
		if (len + 3 > SCRIPT_SAY_MAX)
			args_fail(L, "more than %d bytes said about one phase: say less",
				SCRIPT_SAY_MAX - 2);
		if (blank && len > 0 && ends < 2)
			say[len++] = ' ';
		if (len > 0 && ends >= 2)
			say[len++] = '\n';
		say[len++] = (char)c;
		blank = false;
		ends = 0;
	}
	say[len] = '\0';
}

static int word_say(lua_State *L)
{
	size_t len;
	const char *text;

	args_expect(L, 1, 1);
	if (lua_type(L, 1) != LUA_TSTRING)
		args_fail(L, "say got a %s, not a text: write %s", luaL_typename(L, 1),
			args_word(L)->usage);
	text = lua_tolstring(L, 1, &len);
	if (strlen(text) != len)
		args_fail(L, "say has a byte 0x00 in it: write plain text");
	say_add(L, args_script(L)->say, text);
	return 0;
}

/* The phase or fit that comes takes what was said. */
static void say_take(struct script *s, char *ret)
{
	memcpy(ret, s->say, SCRIPT_SAY_MAX);
	s->say[0] = '\0';
}

static const struct field load_fields[] = {
	{"workload", FIELD_TEXT, OFFSET(script_load, workload), 0, 0},
	{"clients_per_site", FIELD_COUNT, OFFSET(script_load, clients_per_site), 1,
		PLAN_CLIENTS_PER_SITE_MAX},
	{"rate", FIELD_RATE, OFFSET(script_load, rate), 0, 0},
	{"keys", FIELD_COUNT, OFFSET(script_load, keys), 1, PLAN_KEYS_MAX},
	{"read", FIELD_COUNT, OFFSET(script_load, read), 0, 100},
	{"write", FIELD_COUNT, OFFSET(script_load, write), 0, 100},
	{"cas", FIELD_COUNT, OFFSET(script_load, cas), 0, 100},
	{"stock", FIELD_COUNT, OFFSET(script_load, stock), 1, PLAN_STOCK_MAX},
	{"one_writer", FIELD_BOOL, OFFSET(script_load, one_writer), 0, 0},
	{"roam", FIELD_COUNT, OFFSET(script_load, roam), 0, 100},
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

static const struct field clients_fields[] = {
	{"share", FIELD_COUNT, OFFSET(script_clients, share), 0, 100},
	{"read", FIELD_COUNT, OFFSET(script_clients, read), 0, 100},
	{"write", FIELD_COUNT, OFFSET(script_clients, write), 0, 100},
	{"level", FIELD_TEXT, OFFSET(script_clients, level), 0, 0},
	{NULL, FIELD_TEXT, 0, 0, 0},
};

static int word_clients(lua_State *L)
{
	struct script *s = args_script(L);
	struct script_clients *c = &s->clients[s->client_sites];

	args_expect(L, 2, 2);
	if (s->client_sites == PLAN_SITES_MAX)
		args_fail(L, "clients() of more than %d sites", PLAN_SITES_MAX);
	args_text(L, 1, "the site", c->site);
	args_fields(L, 2, clients_fields, c);
	c->line = args_line(L);
	s->client_sites++;
	return 0;
}

/* What --param said, else the second argument. */
static int word_param(lua_State *L)
{
	struct script *s = args_script(L);
	char name[SCRIPT_TEXT_MAX], value[SCRIPT_TEXT_MAX];

	args_expect(L, 2, 2);
	args_text(L, 1, "the name of the parameter", name);
	args_text(L, 2, "what it is if nothing is said", value);
	for (unsigned i = 0; i < s->params; i++) {
		if (strcmp(s->param[i].name, name) == 0) {
			s->param[i].used = true;
			lua_pushstring(L, s->param[i].value);
			return 1;
		}
	}
	lua_pushstring(L, value);
	return 1;
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
	say_take(args_script(L), fit->say);
	return 0;
}

static int word_warmup(lua_State *L)
{
	struct script_warmup *warmup = &args_script(L)->warmup;

	args_expect(L, 1, 1);
	say_once(L, warmup->line);
	warmup->ns = args_duration(L, 1, "the warm-up");
	warmup->line = args_line(L);
	return 0;
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
				"by cut(), one_way(), isolate(), bridge(), ring(), reject(), "
				"link(), flap(), down(), kill(), restart(), pause(), resume(), "
				"skew() and promote()",
				i + 3, phase->name.text, luaL_typename(L, i + 3));
	}
	if (s->faults + (unsigned)faults > SCRIPT_FAULTS_MAX)
		args_fail(L, "more than %d faults in all phases", SCRIPT_FAULTS_MAX);
	s->fault = reallocarray(s->fault, s->faults + (unsigned)faults + 1, sizeof *s->fault);
	assert(s->fault);
	phase->first = s->faults;
	phase->faults = (unsigned)faults;
	phase->name.line = args_line(L);
	say_take(s, phase->say);
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
	{"profile", word_profile, "profile(\"wan\") or profile(\"wan\", \"east\", \"west\")"},
	{"distribution", word_distribution,
		"distribution(\"name\", {file = \"name.txt\"}) or distribution(\"name\", "
		"{pareto = {\"1ms\", 3}, exponential = \"5ms\", weight = 0.9})"},
	{"store", word_store, "store \"raft\" or store(\"raft\", {leader = \"n1\"})"},
	{"load", word_load, "load {rate = 500, keys = 10, read = 50, write = 50}"},
	{"clients", word_clients,
		"clients(\"east\", {share = 20, read = 100, write = 0, level = \"one\"})"},
	{"param", word_param, "param(\"name\", \"value\")"},
	{"fit", word_fit, "fit {rtts = {\"1ms\", \"10ms\", \"40ms\"}, duration = \"2s\"}"},
	{"warmup", word_warmup, "warmup \"1s\""},
	{"phase", word_phase, "phase(\"name\", \"5s\", faults ...)"},
	{"expect", word_expect,
		"expect {model = \"linearizable\", verdict = \"PC/EC\", lost = 0} or "
		"expect(\"cassandra-one\", {stale = \"some\"})"},
	{"stores", word_stores, "stores {\"raft\", \"cassandra-one\"}"},
	{"seed", word_seed, "seed(7)"},
	{"simulated", word_simulated, "simulated()"},
	{"say", word_say, "say \"what to look for in the phase that comes\""},
};

#define WORDS (sizeof words / sizeof *words)

const struct word *words_list(unsigned i)
{
	return i < WORDS ? &words[i] : words_faults_list(i - (unsigned)WORDS);
}
