/* SPDX-License-Identifier: MIT */
/*
 * script.c - runs a lab script in a sandbox and keeps what it said
 *
 * Theory of operation
 *
 * A lab is a Lua 5.4 program whose global functions are the words of the lab language; each call
 * of one adds a statement, with the line it was called from, to a struct script. The program sees
 * string, table, math and the harmless part of the base library. It has no way to read or write a
 * file, to load other code, or to catch an error (a caught error could hide that a limit was hit).
 * Memory is limited by the state's allocator and time by a count hook, so that an endless loop
 * ends with an error like any other.
 *
 * Lua reports errors by longjmp(): between two calls into Lua nothing may be held that only this
 * file could free. All that the script says is copied into the struct script, which outlives the
 * Lua state; a fault lives in a userdata until phase() copies it.
 *
 * The chunk is named "", so every message begins with ":line: "; the path is put in front in one
 * place, and Lua does not shorten it.
 */
#include "agent/lab/script.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "agent/base/units.h"
#include "agent/lab/near.h"

#define FAULT_TYPE "pacelab.fault"
#define MESSAGE_MAX 600

const char *const script_rule_names[] = {"rtt", "delay", "jitter"};
_Static_assert(sizeof script_rule_names / sizeof *script_rule_names == SCRIPT_RULE_KIND_NR, "");

const char *const script_fault_names[] = {
	"cut", "one_way", "isolate", "link", "kill", "restart", "pause", "resume"};
_Static_assert(sizeof script_fault_names / sizeof *script_fault_names == SCRIPT_FAULT_KIND_NR, "");

/* What a run of a script needs; the Lua state's extra space points to it. */
struct run {
	struct script *script;
	size_t memory;
};

struct word {
	const char *name;
	lua_CFunction function;
	const char *usage;
};

static struct run *run_of(lua_State *L)
{
	return *(struct run **)lua_getextraspace(L);
}

static struct script *script_of(lua_State *L)
{
	return run_of(L)->script;
}

/* The line of the script that called the function at work. */
static int line_of(lua_State *L)
{
	lua_Debug ar;

	for (int level = 1; lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "l", &ar);
		if (ar.currentline > 0)
			return ar.currentline;
	}
	return 1;
}

/* End the script with "line: text". */
__attribute__((noreturn, format(printf, 2, 3))) static void fail(lua_State *L, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	lua_pushfstring(L, ":%d: %s", line_of(L), text);
	lua_error(L);
	__builtin_unreachable();
}

/* The word whose function is at work. */
static const struct word *word_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

static void check_arguments(lua_State *L, int min, int max)
{
	if (lua_gettop(L) < min || lua_gettop(L) > max)
		fail(L, "%s() got %d arguments: write %s", word_of(L)->name, lua_gettop(L),
			word_of(L)->usage);
}

/* Copy the string at @at; @what names it in errors. */
static void take_text(lua_State *L, int at, const char *what, char *ret)
{
	size_t len;
	const char *text;

	if (lua_type(L, at) != LUA_TSTRING)
		fail(L, "%s is a %s, not a string: write %s", what, luaL_typename(L, at),
			word_of(L)->usage);
	text = lua_tolstring(L, at, &len);
	if (len == 0)
		fail(L, "%s is empty: write %s", what, word_of(L)->usage);
	for (size_t i = 0; i < len; i++) {
		if (!isprint((unsigned char)text[i]))
			fail(L, "%s has a byte 0x%02x in it: use letters and digits", what,
				(unsigned char)text[i]);
	}
	if (len >= SCRIPT_TEXT_MAX)
		fail(L, "%s '%.20s...' has %zu bytes: %d is the most", what, text, len,
			SCRIPT_TEXT_MAX - 1);
	memcpy(ret, text, len + 1);
}

static uint64_t parse_duration(lua_State *L, const char *what, const char *text)
{
	struct err err = {0};
	uint64_t ns = 0;

	if (units_parse_duration(text, &ns, &err) < 0)
		fail(L, "%s: %s", what, err.text);
	return ns;
}

static uint64_t take_duration(lua_State *L, int at, const char *what)
{
	char text[SCRIPT_TEXT_MAX];

	if (lua_type(L, at) == LUA_TNUMBER)
		fail(L,
			"%s: %s has no unit: write a string with ns, us, ms, s, m or h, like "
			"\"20ms\"",
			what, lua_tostring(L, at));
	take_text(L, at, what, text);
	return parse_duration(L, what, text);
}

static uint64_t take_count(lua_State *L, int at, const char *what, uint64_t min, uint64_t max)
{
	int whole = 0;
	lua_Integer n = 0;

	if (lua_type(L, at) == LUA_TNUMBER)
		n = lua_tointegerx(L, at, &whole);
	if (!whole || n < 0 || (uint64_t)n < min || (uint64_t)n > max)
		fail(L, "%s is %s: write a whole number from %llu to %llu", what,
			luaL_tolstring(L, at, NULL), (unsigned long long)min,
			(unsigned long long)max);
	return (uint64_t)n;
}

/*
 * Named fields of a table: a table of them says where each goes.
 */
enum field_type {
	FIELD_COUNT,
	FIELD_RATE,
	FIELD_DURATION,
	FIELD_DURATIONS, /* a list; the number of them stands right behind the array */
	FIELD_SPAN,      /* "300ms-600ms": two durations in a row */
	FIELD_TEXT,
	FIELD_BOOL
};

struct field {
	const char *name;
	enum field_type type;
	size_t offset;
	uint64_t min;
	uint64_t max;
};

static void check_duration_range(
	lua_State *L, const struct field *field, const char *what, uint64_t ns)
{
	char min[32];
	char max[32];

	if (ns < field->min || ns > field->max)
		fail(L, "%s is out of range: %s to %s make sense", what,
			units_print_duration(field->min, min, sizeof min),
			units_print_duration(field->max, max, sizeof max));
}

static void take_span(lua_State *L, const struct field *field, const char *what, uint64_t *ret)
{
	char text[SCRIPT_TEXT_MAX];
	char *dash;

	take_text(L, -1, what, text);
	dash = strchr(text, '-');
	if (!dash)
		fail(L, "%s: '%s' is not a span: write two durations, like \"300ms-600ms\"", what,
			text);
	*dash = '\0';
	ret[0] = parse_duration(L, what, text);
	ret[1] = parse_duration(L, what, dash + 1);
	check_duration_range(L, field, what, ret[0]);
	check_duration_range(L, field, what, ret[1]);
	if (ret[0] > ret[1])
		fail(L, "%s: %s is more than %s: write the shorter one first", what, text,
			dash + 1);
}

static void take_durations(lua_State *L, const struct field *field, const char *what, char *base)
{
	uint64_t *list = (uint64_t *)(base + field->offset);
	unsigned *count = (unsigned *)(list + SCRIPT_RTTS_MAX);
	lua_Unsigned n;

	if (lua_type(L, -1) != LUA_TTABLE || lua_rawlen(L, -1) == 0)
		fail(L, "%s is not a list: write %s", what, word_of(L)->usage);
	n = lua_rawlen(L, -1);
	if (n > SCRIPT_RTTS_MAX)
		fail(L, "%s has %llu entries: %d is the most", what, (unsigned long long)n,
			SCRIPT_RTTS_MAX);
	for (lua_Unsigned i = 0; i < n; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		list[i] = take_duration(L, -1, what);
		check_duration_range(L, field, what, list[i]);
		for (lua_Unsigned k = 0; k < i; k++) {
			if (list[k] == list[i])
				fail(L, "%s has '%s' twice", what, lua_tostring(L, -1));
		}
		lua_pop(L, 1);
	}
	*count = (unsigned)n;
}

/* The value is on top of the stack. */
static void take_field(lua_State *L, const struct field *field, char *base)
{
	char what[SCRIPT_TEXT_MAX];
	void *to = base + field->offset;
	double rate;

	(void)snprintf(what, sizeof what, "'%s' of %s", field->name, word_of(L)->name);
	switch (field->type) {
	case FIELD_COUNT:
		*(uint64_t *)to = take_count(L, -1, what, field->min, field->max);
		break;
	case FIELD_RATE:
		rate = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
		if (!(rate > 0 && rate <= SCRIPT_RATE_MAX))
			fail(L, "%s is %s: write operations per second, more than 0, at most %.0f",
				what, luaL_tolstring(L, -1, NULL), SCRIPT_RATE_MAX);
		*(double *)to = rate;
		break;
	case FIELD_DURATION:
		*(uint64_t *)to = take_duration(L, -1, what);
		check_duration_range(L, field, what, *(uint64_t *)to);
		break;
	case FIELD_DURATIONS:
		take_durations(L, field, what, base);
		break;
	case FIELD_SPAN:
		take_span(L, field, what, to);
		break;
	case FIELD_TEXT:
		take_text(L, -1, what, to);
		break;
	case FIELD_BOOL:
		if (!lua_isboolean(L, -1))
			fail(L, "%s is a %s: write true or false", what, luaL_typename(L, -1));
		*(bool *)to = lua_toboolean(L, -1);
		break;
	}
}

__attribute__((noreturn)) static void fail_unknown_field(
	lua_State *L, const char *name, const struct field *fields)
{
	struct near near = near_to(name);
	char hint[96];
	char all[256] = "";

	for (const struct field *f = fields; f->name; f++) {
		size_t len = strlen(all);

		near_offer(&near, f->name);
		(void)snprintf(all + len, sizeof all - len, "%s%s", len ? ", " : "", f->name);
	}
	fail(L, "%s has no field '%.40s'%s it has %s", word_of(L)->name, name,
		near.best ? near_text(&near, hint, sizeof hint) : ":", all);
}

/* Read the table at @at into @base; fields that it lacks are left as they are. */
static void take_fields(lua_State *L, int at, const struct field *fields, void *base)
{
	if (lua_type(L, at) != LUA_TTABLE)
		fail(L, "%s() got a %s, not a table: write %s", word_of(L)->name,
			luaL_typename(L, at), word_of(L)->usage);
	lua_pushnil(L);
	while (lua_next(L, at)) {
		const struct field *field = fields;
		int top = lua_gettop(L);

		if (lua_type(L, -2) != LUA_TSTRING)
			fail(L, "%s has a value without a name: write %s", word_of(L)->name,
				word_of(L)->usage);
		while (field->name && strcmp(field->name, lua_tostring(L, -2)) != 0)
			field++;
		if (!field->name)
			fail_unknown_field(L, lua_tostring(L, -2), fields);
		take_field(L, field, base);
		lua_settop(L, top - 1); /* leave the key for lua_next() */
	}
}

/*
 * Statements.
 */
static void say_once(lua_State *L, int was)
{
	if (was)
		fail(L, "%s() was already said in line %d: say it once", word_of(L)->name, was);
}

static int word_lab(lua_State *L)
{
	struct script *s = script_of(L);

	check_arguments(L, 1, 1);
	say_once(L, s->lab.line);
	take_text(L, 1, "the lab's name", s->lab.text);
	s->lab.line = line_of(L);
	return 0;
}

static int word_seed(lua_State *L)
{
	struct script *s = script_of(L);

	check_arguments(L, 1, 1);
	say_once(L, s->seed_line);
	s->seed = take_count(L, 1, "the seed", 0, INT64_MAX);
	s->seed_line = line_of(L);
	return 0;
}

/* A list without holes or named fields. Return: its length. */
static unsigned check_list_of_names(lua_State *L, int at, const char *what, unsigned max)
{
	lua_Unsigned count = 0;

	if (lua_type(L, at) != LUA_TTABLE)
		fail(L, "%s is a %s, not a list: write %s", what, luaL_typename(L, at),
			word_of(L)->usage);
	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1))
		count++;
	if (count != lua_rawlen(L, at))
		fail(L, "%s is not a plain list: write %s", what, word_of(L)->usage);
	if (count > max)
		fail(L, "%s has %llu names: %u is the most", what, (unsigned long long)count, max);
	return (unsigned)count;
}

static int word_site(lua_State *L)
{
	struct script *s = script_of(L);
	struct script_site *site = &s->site[s->sites];
	char what[SCRIPT_TEXT_MAX * 2];
	unsigned nodes;

	check_arguments(L, 1, 2);
	if (s->sites == PLAN_SITES_MAX)
		fail(L, "more than %d sites: put several nodes into one", PLAN_SITES_MAX);
	take_text(L, 1, "the site's name", site->name.text);
	if (lua_gettop(L) < 2)
		fail(L, "site '%s' has no nodes: write %s", site->name.text, word_of(L)->usage);
	(void)snprintf(what, sizeof what, "the nodes of site '%s'", site->name.text);
	nodes = check_list_of_names(L, 2, what, FABRIC_NODES_MAX);
	if (nodes == 0)
		fail(L, "site '%s' has no nodes: write %s", site->name.text, word_of(L)->usage);
	if (s->nodes + nodes > PROTO_NODES_MAX)
		fail(L, "site '%s' makes it %u nodes: %d replicas are the most", site->name.text,
			s->nodes + nodes, PROTO_NODES_MAX);
	(void)snprintf(what, sizeof what, "a node of site '%s'", site->name.text);
	for (unsigned i = 0; i < nodes; i++) {
		struct script_text *node = &s->node[s->nodes + i];

		lua_rawgeti(L, 2, (lua_Integer)i + 1);
		take_text(L, -1, what, node->text);
		node->line = line_of(L);
		lua_pop(L, 1);
	}
	site->name.line = line_of(L);
	site->first = s->nodes;
	site->nodes = nodes;
	s->nodes += nodes;
	s->sites++;
	return 0;
}

static int add_rule(lua_State *L, enum script_rule_kind kind)
{
	struct script *s = script_of(L);
	struct script_rule *rule = &s->rule[s->rules];

	check_arguments(L, 3, 3);
	if (s->rules == SCRIPT_RULES_MAX)
		fail(L, "more than %d rtt(), delay() and jitter() statements", SCRIPT_RULES_MAX);
	rule->kind = kind;
	rule->line = line_of(L);
	take_text(L, 1, "the first site", rule->a);
	take_text(L, 2, "the second site", rule->b);
	rule->ns = take_duration(L, 3, word_of(L)->name);
	if (rule->ns > SCRIPT_DEADLINE_NS_MAX)
		fail(L, "%s of '%s': a minute is the most", word_of(L)->name, lua_tostring(L, 3));
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
	struct script_store *store = &script_of(L)->store;

	check_arguments(L, 1, 2);
	say_once(L, store->name.line);
	take_text(L, 1, "the store's name", store->name.text);
	if (lua_gettop(L) == 2)
		take_fields(L, 2, store_fields, store);
	store->name.line = line_of(L);
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
	struct script_load *load = &script_of(L)->load;

	check_arguments(L, 1, 1);
	say_once(L, load->line);
	take_fields(L, 1, load_fields, load);
	load->line = line_of(L);
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
	struct script_fit *fit = &script_of(L)->fit;

	check_arguments(L, 1, 1);
	say_once(L, fit->line);
	take_fields(L, 1, fit_fields, fit);
	if (fit->rtts < 3)
		fail(L,
			"fit has %u RTTs: a line through less than 3 points proves nothing, "
			"write %s",
			fit->rtts, word_of(L)->usage);
	fit->line = line_of(L);
	return 0;
}

static const struct field expect_fields[] = {
	{"model", FIELD_TEXT, OFFSET(script_expect, model), 0, 0},
	{"verdict", FIELD_TEXT, OFFSET(script_expect, verdict), 0, 0},
	{NULL, FIELD_TEXT, 0, 0, 0},
};

static int word_expect(lua_State *L)
{
	struct script_expect *expect = &script_of(L)->expect;

	check_arguments(L, 1, 1);
	say_once(L, expect->line);
	take_fields(L, 1, expect_fields, expect);
	expect->line = line_of(L);
	return 0;
}

/*
 * Faults: each call gives a value that phase() takes.
 */
static struct script_fault *new_fault(lua_State *L, enum script_fault_kind kind)
{
	struct script *s = script_of(L);
	struct script_fault *fault = lua_newuserdatauv(L, sizeof *fault, 0);

	luaL_setmetatable(L, FAULT_TYPE);
	if (s->mades == SCRIPT_FAULTS_MAX)
		fail(L, "more than %d faults", SCRIPT_FAULTS_MAX);
	memset(fault, 0, sizeof *fault);
	fault->kind = kind;
	fault->line = line_of(L);
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

	(void)snprintf(what, sizeof what, "group %u of %s", fault->groups + 1, word_of(L)->name);
	if (lua_type(L, at) == LUA_TTABLE)
		count = check_list_of_names(L, at, what, SCRIPT_WORDS_MAX);
	if (count == 0)
		fail(L, "%s is empty: name sites or nodes, or leave it out", what);
	if (fault->words + count > SCRIPT_WORDS_MAX)
		fail(L, "%s names more than %d sites and nodes", word_of(L)->name,
			SCRIPT_WORDS_MAX);
	for (unsigned i = 0; i < count; i++) {
		if (lua_type(L, at) == LUA_TTABLE)
			lua_rawgeti(L, at, (lua_Integer)i + 1);
		else
			lua_pushvalue(L, at);
		take_text(L, -1, what, fault->word[fault->words]);
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
		fail(L, "cut() got %d group%s, it needs 2 or more: write %s, or isolate() for one",
			groups, groups == 1 ? "" : "s", word_of(L)->usage);
	fault = new_fault(L, SCRIPT_CUT);
	for (int i = 1; i <= groups; i++)
		add_group(L, fault, i);
	return 1;
}

static int word_one_way(lua_State *L)
{
	struct script_fault *fault;

	check_arguments(L, 2, 2);
	fault = new_fault(L, SCRIPT_ONE_WAY);
	add_group(L, fault, 1);
	add_group(L, fault, 2);
	return 1;
}

static int word_isolate(lua_State *L)
{
	struct script_fault *fault;

	check_arguments(L, 1, 1);
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

	check_arguments(L, 3, 3);
	fault = new_fault(L, SCRIPT_LINK);
	add_group(L, fault, 1);
	add_group(L, fault, 2);
	take_fields(L, 3, link_fields, fault);
	if (fault->delay_ns == UINT64_MAX && fault->jitter_ns == UINT64_MAX)
		fail(L, "link() changes nothing: write %s", word_of(L)->usage);
	return 1;
}

static int process_fault(lua_State *L, enum script_fault_kind kind)
{
	struct script_fault *fault;

	check_arguments(L, 1, 2);
	fault = new_fault(L, kind);
	if (lua_type(L, 1) != LUA_TSTRING)
		fail(L, "%s() takes one node: write %s", word_of(L)->name, word_of(L)->usage);
	add_group(L, fault, 1);
	if (lua_gettop(L) > 2) /* the fault itself is on top */
		fault->at_ns = take_duration(L, 2, word_of(L)->name);
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
	struct script *s = script_of(L);
	struct script_phase *phase = &s->phase[s->phases];
	int faults = lua_gettop(L) - 2;

	if (faults < 0)
		check_arguments(L, 2, 2);
	if (s->phases == PLAN_PHASES_MAX)
		fail(L, "more than %d phases", PLAN_PHASES_MAX);
	take_text(L, 1, "the phase's name", phase->name.text);
	phase->duration_ns = take_duration(L, 2, "the phase's duration");
	if (phase->duration_ns < SCRIPT_DURATION_NS_MIN)
		fail(L, "phase '%s' lasts '%s': a millisecond is the least", phase->name.text,
			lua_tostring(L, 2));
	for (int i = 0; i < faults; i++) {
		if (!luaL_testudata(L, i + 3, FAULT_TYPE))
			fail(L,
				"argument %d of phase '%s' is a %s, not a fault: faults are made "
				"by cut(), one_way(), isolate(), link(), kill(), restart(), "
				"pause() and resume()",
				i + 3, phase->name.text, luaL_typename(L, i + 3));
	}
	if (s->faults + (unsigned)faults > SCRIPT_FAULTS_MAX)
		fail(L, "more than %d faults in all phases", SCRIPT_FAULTS_MAX);
	s->fault = reallocarray(s->fault, s->faults + (unsigned)faults + 1, sizeof *s->fault);
	assert(s->fault);
	phase->first = s->faults;
	phase->faults = (unsigned)faults;
	phase->name.line = line_of(L);
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
	{NULL, NULL, NULL},
};

/*
 * The sandbox.
 */
static const char *const base_kept[] = {"assert", "error", "ipairs", "next", "pairs", "select",
	"tonumber", "tostring", "type", NULL};

/* math.random() would differ from run to run: a lab is the same each time. */
static const char *const math_dropped[] = {"random", "randomseed", NULL};

/* Reading a global that is not there: a word was mistyped, or is not for labs. */
static int unknown_word(lua_State *L)
{
	const char *name = luaL_tolstring(L, 2, NULL);
	struct near near = near_to(name);
	char hint[96];

	for (const struct word *w = words; w->name; w++)
		near_offer(&near, w->name);
	for (const char *const *kept = base_kept; *kept; kept++)
		near_offer(&near, *kept);
	if (near.best)
		fail(L, "unknown word '%.40s'%s", name, near_text(&near, hint, sizeof hint));
	fail(L,
		"unknown word '%.40s': a lab has lab, site, rtt, delay, jitter, store, load, fit, "
		"phase, expect, seed, the faults, and Lua's string, table and math",
		name);
}

static void open_sandbox(lua_State *L)
{
	luaL_requiref(L, "_G", luaopen_base, 0);
	lua_createtable(L, 0, 48);
	for (const char *const *kept = base_kept; *kept; kept++) {
		lua_getfield(L, -2, *kept);
		lua_setfield(L, -2, *kept);
	}
	luaL_requiref(L, "string", luaopen_string, 0);
	lua_setfield(L, -2, "string");
	luaL_requiref(L, "table", luaopen_table, 0);
	lua_setfield(L, -2, "table");
	luaL_requiref(L, "math", luaopen_math, 0);
	for (const char *const *dropped = math_dropped; *dropped; dropped++) {
		lua_pushnil(L);
		lua_setfield(L, -2, *dropped);
	}
	lua_setfield(L, -2, "math");
	for (const struct word *w = words; w->name; w++) {
		lua_pushlightuserdata(L, (void *)(uintptr_t)w);
		lua_pushcclosure(L, w->function, 1);
		lua_setfield(L, -2, w->name);
	}
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, unknown_word);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	/* Chunks that are loaded from now on see this table, and nothing else, as their globals. */
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
	lua_pop(L, 1);
	luaL_newmetatable(L, FAULT_TYPE);
	lua_pop(L, 1);
}

static void *limited_alloc(void *ud, void *ptr, size_t old, size_t size)
{
	struct run *run = ud;
	void *p;

	if (!ptr)
		old = 0; /* then Lua says in it what kind of object it wants */
	if (size == 0) {
		free(ptr);
		run->memory -= old;
		return NULL;
	}
	if (size > old && run->memory + (size - old) > SCRIPT_MEMORY_MAX)
		return NULL;
	p = realloc(ptr, size);
	if (p)
		run->memory = run->memory - old + size;
	return p;
}

static void too_long(lua_State *L, lua_Debug *ar)
{
	lua_getinfo(L, "l", ar);
	lua_pushfstring(L, ":%d: stopped after %d instructions: is there a loop without an end?",
		ar->currentline > 0 ? ar->currentline : 1, SCRIPT_INSTRUCTIONS_MAX);
	lua_error(L);
}

struct text {
	const char *p;
	size_t len;
};

/* Runs protected: anything in it may fail by lua_error(). */
static int run_text(lua_State *L)
{
	const struct text *text = lua_touserdata(L, 1);

	open_sandbox(L);
	/* Text only: compiled chunks can break the interpreter. */
	if (luaL_loadbufferx(L, text->p, text->len, "@", "t") != LUA_OK)
		return lua_error(L);
	lua_sethook(L, too_long, LUA_MASKCOUNT, SCRIPT_INSTRUCTIONS_MAX);
	lua_call(L, 0, 0);
	return 0;
}

int script_fail(const struct script *s, int line, struct err *err, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	return err_usage(err, "%s:%d: %s", s->path, line, text);
}

static int check_used(const struct script *s, struct err *err)
{
	for (unsigned i = 0; i < s->mades; i++) {
		if (!s->made[i].used)
			return script_fail(s, s->made[i].line, err,
				"this %s() is in no phase: write phase(\"name\", \"5s\", %s(...))",
				script_fault_names[s->made[i].kind],
				script_fault_names[s->made[i].kind]);
	}
	return 0;
}

static int run_script(struct script *s, const char *text, size_t len, struct err *err)
{
	struct text chunk = {text, len};
	struct run run = {.script = s};
	lua_State *L = lua_newstate(limited_alloc, &run);
	const char *message;
	int status;

	assert(L);
	*(struct run **)lua_getextraspace(L) = &run;
	lua_pushcfunction(L, run_text);
	lua_pushlightuserdata(L, &chunk);
	status = lua_pcall(L, 1, 0, 0);
	if (status == LUA_ERRMEM) {
		err_usage(err, "%s:1: the script needs more than %u MiB of memory: make it smaller",
			s->path, SCRIPT_MEMORY_MAX >> 20);
	} else if (status != LUA_OK) {
		message = lua_tostring(L, -1);
		if (message && message[0] == ':')
			err_usage(err, "%s%s", s->path, message);
		else
			err_usage(
				err, "%s:1: %s", s->path, message ? message : "error without text");
	}
	lua_close(L);
	return status == LUA_OK ? check_used(s, err) : -EINVAL;
}

/* One-line messages only: Lua quotes the script in some of its own. */
static void one_line(struct err *err)
{
	for (char *p = err ? err->text : (char[]){""}; *p; p++) {
		if (iscntrl((unsigned char)*p))
			*p = ' ';
	}
}

int script_parse(
	struct script **ret, const char *path, const char *text, size_t len, struct err *err)
{
	struct script *s = calloc(1, sizeof *s);
	int rc;

	assert(s);
	if ((size_t)snprintf(s->path, sizeof s->path, "%s", path) >= sizeof s->path) {
		free(s);
		return err_usage(err, "the path of the lab has more than %zu bytes: move it",
			sizeof s->path - 1);
	}
	s->lines = 1;
	for (size_t i = 0; i + 1 < len; i++)
		s->lines += text[i] == '\n';
	s->store.fsync = true;
	s->load.read = s->load.write = s->load.cas = UINT64_MAX;
	rc = run_script(s, text, len, err);
	if (rc < 0) {
		one_line(err);
		script_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

static int read_all(const char *path, char **ret, size_t *ret_len, struct err *err)
{
	struct stat st;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, -errno, EXIT_USAGE, "lab '%s': %s: is the path right?", path,
			strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > SCRIPT_BYTES_MAX) {
		close(fd);
		return err_usage(err, "lab '%s' is not a file of at most %u KiB: give a Lua script",
			path, SCRIPT_BYTES_MAX >> 10);
	}
	*ret = malloc((size_t)st.st_size + 1);
	assert(*ret);
	n = read(fd, *ret, (size_t)st.st_size);
	close(fd);
	if (n < 0) {
		free(*ret);
		return err_set(err, -errno, EXIT_USAGE, "read lab '%s': %s", path, strerror(errno));
	}
	*ret_len = (size_t)n;
	return 0;
}

int script_open(struct script **ret, const char *path, struct err *err)
{
	size_t len = 0;
	char *text = NULL;
	int rc = read_all(path, &text, &len, err);

	if (rc < 0)
		return rc;
	rc = script_parse(ret, path, text, len, err);
	free(text);
	return rc;
}

void script_close(struct script *script)
{
	if (!script)
		return;
	free(script->fault);
	free(script);
}
