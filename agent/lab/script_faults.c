/* SPDX-License-Identifier: MIT */
/*
 * script_faults.c - the words of lab scripts that make faults
 *
 * Faults are values: cut(), kill() ... give one, and phase() takes them. They live in a Lua
 * userdata until then. All that a link can do wrong goes through the words of link_words.h, however
 * it was written.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "agent/base/units.h"
#include "agent/lab/near.h"
#include "agent/lab/script_words.h"

static struct script_fault *new_fault(lua_State *L, enum script_fault_kind kind)
{
	struct script *s = args_script(L);
	struct script_fault *fault = lua_newuserdatauv(L, sizeof *fault, 0);

	(void)luaL_newmetatable(L, WORDS_FAULT_TYPE); /* or the one that was made before */
	lua_setmetatable(L, -2);
	if (s->mades == SCRIPT_FAULTS_MAX)
		args_fail(L, "more than %d faults", SCRIPT_FAULTS_MAX);
	memset(fault, 0, sizeof *fault);
	fault->kind = kind;
	fault->line = args_line(L);
	fault->number = s->mades;
	fault->cut = CUT_EDGE;
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

struct cut_options {
	char kind[SCRIPT_TEXT_MAX];
};

/* A table with names, not a list, in the last place. */
static bool has_options(lua_State *L, int top)
{
	if (top == 0 || lua_type(L, top) != LUA_TTABLE || lua_rawlen(L, top) > 0)
		return false;
	lua_pushnil(L);
	if (!lua_next(L, top))
		return false;
	lua_pop(L, 2);
	return true;
}

/* {kind = "wire"} in the last place. Return: how many arguments stand before it. */
static int cut_options(lua_State *L, enum link_cut *ret)
{
	static const struct field fields[] = {
		{"kind", FIELD_TEXT, offsetof(struct cut_options, kind), 0, 0},
		{NULL, FIELD_TEXT, 0, 0, 0},
	};
	struct cut_options options = {{0}};
	int top = lua_gettop(L);

	*ret = CUT_EDGE;
	if (!has_options(L, top))
		return top;
	args_fields(L, top, fields, &options);
	for (int i = CUT_EDGE; i < CUT_NR; i++) {
		if (strcmp(link_cut_names[i], options.kind) != 0)
			continue;
		*ret = (enum link_cut)i;
		return top - 1;
	}
	args_fail(L, "%s(): '%.40s' is no kind of cut: edge, wire and reject are",
		args_word(L)->name, options.kind);
}

/* A cut of @groups arguments; any number from 2 on for 0. */
static int add_cut(lua_State *L, enum script_fault_kind kind, int groups)
{
	struct script_fault *fault;
	enum link_cut cut;
	int given = cut_options(L, &cut);

	if (groups ? given != groups : given < 2)
		args_fail(L, "%s() got %d group%s, it needs %d%s: write %s", args_word(L)->name,
			given, given == 1 ? "" : "s", groups ? groups : 2, groups ? "" : " or more",
			args_word(L)->usage);
	fault = new_fault(L, kind);
	fault->cut = cut;
	for (int i = 1; i <= given; i++)
		add_group(L, fault, i);
	return 1;
}

static int word_cut(lua_State *L)
{
	return add_cut(L, SCRIPT_CUT, 0);
}

static int word_reject(lua_State *L)
{
	struct script_fault *fault;

	if (has_options(L, lua_gettop(L)))
		args_fail(L, "reject() is a kind of cut by itself: write %s", args_word(L)->usage);
	(void)add_cut(L, SCRIPT_CUT, 0);
	fault = lua_touserdata(L, -1);
	fault->cut = CUT_REJECT;
	return 1;
}

static int word_one_way(lua_State *L)
{
	return add_cut(L, SCRIPT_ONE_WAY, 2);
}

static int word_isolate(lua_State *L)
{
	return add_cut(L, SCRIPT_ISOLATE, 1);
}

static int word_bridge(lua_State *L)
{
	return add_cut(L, SCRIPT_BRIDGE, 1);
}

static int word_ring(lua_State *L)
{
	struct script_fault *fault;
	enum link_cut cut;

	if (cut_options(L, &cut) != 0)
		args_fail(L, "ring() is of all replicas: write %s", args_word(L)->usage);
	fault = new_fault(L, SCRIPT_RING);
	fault->cut = cut;
	return 1;
}

/* Who leads when the phase begins: a name that no node can have. */
static int word_leader(lua_State *L)
{
	args_expect(L, 0, 0);
	lua_pushliteral(L, SCRIPT_LEADER);
	return 1;
}

/* One more word of a change, which stands at @at of the stack. */
static void add_change(lua_State *L, struct script_fault *fault, const char *name, int at)
{
	size_t len = strlen(fault->change);
	const char *text;

	if (lua_type(L, at) != LUA_TSTRING && !lua_isinteger(L, at))
		args_fail(L, "'%s' of link is a %s: write a string, like %s", name,
			luaL_typename(L, at), args_word(L)->usage);
	text = luaL_tolstring(L, at, NULL);
	if ((size_t)snprintf(fault->change + len, sizeof fault->change - len, "%s%s",
		    len ? " " : "", text) >= sizeof fault->change - len)
		args_fail(L, "link(): more than %zu bytes of words", sizeof fault->change - 1);
	lua_pop(L, 1);
}

/* A value of the table of link(): "1%", 17, {"200ms", "100ms"}, true for a word that stands alone.
 */
static void add_field(lua_State *L, struct script_fault *fault, const struct link_word *word)
{
	lua_pushstring(L, word->name);
	add_change(L, fault, word->name, -1);
	lua_pop(L, 1);
	if (lua_isboolean(L, -1) && lua_toboolean(L, -1) && !word->args[0])
		return;
	if (lua_type(L, -1) != LUA_TTABLE) {
		add_change(L, fault, word->name, -1);
		return;
	}
	for (lua_Unsigned i = 1; i <= lua_rawlen(L, -1); i++) {
		lua_rawgeti(L, -1, (lua_Integer)i);
		add_change(L, fault, word->name, -1);
		lua_pop(L, 1);
	}
}

static const struct link_word *find_word(const char *name)
{
	for (unsigned i = 0; link_words_list(i); i++) {
		if (strcmp(link_words_list(i)->name, name) == 0)
			return link_words_list(i);
	}
	return NULL;
}

static void check_link_field(lua_State *L, const char *name)
{
	struct near near = near_to(name);
	char hint[96];
	char all[256] = "";

	if (find_word(name) || strcmp(name, "one_way") == 0)
		return;
	near_offer(&near, "one_way");
	for (unsigned i = 0; link_words_list(i); i++) {
		size_t len = strlen(all);

		near_offer(&near, link_words_list(i)->name);
		(void)snprintf(all + len, sizeof all - len, "%s, ", link_words_list(i)->name);
	}
	args_fail(L, "link has no field '%.40s'%s it has %sone_way", name,
		near.best ? near_text(&near, hint, sizeof hint) : ":", all);
}

static void take_one_way(lua_State *L, struct script_fault *fault, int at)
{
	lua_getfield(L, at, "one_way");
	if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
		args_fail(
			L, "'one_way' of link is a %s: write true or false", luaL_typename(L, -1));
	fault->one_way = lua_toboolean(L, -1);
	lua_pop(L, 1);
}

/* Fields in the order of the words, so that the same table always says the same. */
static void take_link_fields(lua_State *L, struct script_fault *fault, int at)
{
	static const char *const first[] = {"clean", "profile"};

	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			args_fail(L, "link has a value without a name: write %s",
				args_word(L)->usage);
		check_link_field(L, lua_tostring(L, -2));
	}
	take_one_way(L, fault, at);
	for (unsigned i = 0; i < sizeof first / sizeof *first; i++) {
		lua_getfield(L, at, first[i]);
		if (!lua_isnil(L, -1))
			add_field(L, fault, find_word(first[i]));
		lua_pop(L, 1);
	}
	for (unsigned i = 0; i < LINK_FIELD_NR; i++) {
		lua_getfield(L, at, link_words_list(i)->name);
		if (!lua_isnil(L, -1))
			add_field(L, fault, link_words_list(i));
		lua_pop(L, 1);
	}
}

/* What is wrong with the words alone is found here. */
static void check_change(lua_State *L, const struct script_fault *fault)
{
	struct link_change change;
	struct err err = {0};

	if (!fault->change[0])
		args_fail(L, "link() changes nothing: write %s", args_word(L)->usage);
	for (const char *p = fault->change; *p; p++) {
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			args_fail(L, "link() has a byte 0x%02x in it: use letters and digits",
				(unsigned char)*p);
	}
	if (link_change_read(fault->change, &change, &err))
		args_fail(L, "%s(): %s", args_word(L)->name, err.text);
}

static int word_link(lua_State *L)
{
	struct script_fault *fault;
	int given = lua_gettop(L);

	args_expect(L, 3, 4);
	fault = new_fault(L, SCRIPT_LINK);
	add_group(L, fault, 1);
	add_group(L, fault, 2);
	if (lua_type(L, 3) == LUA_TTABLE) {
		if (given == 4)
			args_fail(L, "link() got two tables: write %s", args_word(L)->usage);
		take_link_fields(L, fault, 3);
	} else {
		add_change(L, fault, "words", 3);
		if (given == 4 && !has_options(L, 4))
			args_fail(L, "link() got too much: write %s", args_word(L)->usage);
		if (given == 4)
			take_one_way(L, fault, 4);
	}
	check_change(L, fault);
	return 1;
}

static int word_flap(lua_State *L)
{
	struct script_fault *fault;

	args_expect(L, 4, 4);
	fault = new_fault(L, SCRIPT_LINK);
	add_group(L, fault, 1);
	add_group(L, fault, 2);
	lua_pushliteral(L, "flap");
	add_change(L, fault, "flap", -1);
	lua_pop(L, 1);
	add_change(L, fault, "flap", 3);
	add_change(L, fault, "flap", 4);
	check_change(L, fault);
	return 1;
}

static int word_down(lua_State *L)
{
	struct script_fault *fault;

	args_expect(L, 1, 1);
	fault = new_fault(L, SCRIPT_DOWN);
	add_group(L, fault, 1);
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

static int word_promote(lua_State *L)
{
	return process_fault(L, SCRIPT_PROMOTE);
}

static int word_skew(lua_State *L)
{
	struct script_fault *fault;
	struct err err = {0};
	char text[SCRIPT_TEXT_MAX];

	args_expect(L, 2, 3);
	fault = new_fault(L, SCRIPT_SKEW);
	if (lua_type(L, 1) != LUA_TSTRING)
		args_fail(L, "skew() takes one node: write %s", args_word(L)->usage);
	add_group(L, fault, 1);
	args_text(L, 2, "the skew", text);
	if (units_parse_offset(text, &fault->skew_ns, &err))
		args_fail(L, "skew(): %s", err.text);
	if (lua_gettop(L) > 3) /* the fault itself is on top */
		fault->at_ns = args_duration(L, 3, args_word(L)->name);
	return 1;
}

static const struct word words[] = {
	{"cut", word_cut, "cut({\"east\", \"west\"}, {\"far\"})"},
	{"reject", word_reject, "reject({\"east\", \"west\"}, {\"far\"})"},
	{"one_way", word_one_way, "one_way(\"east\", \"west\")"},
	{"isolate", word_isolate, "isolate(\"n5\")"},
	{"bridge", word_bridge, "bridge(\"n3\")"},
	{"ring", word_ring, "ring() or ring({kind = \"wire\"})"},
	{"leader", word_leader, "isolate(leader())"},
	{"link", word_link,
		"link(\"east\", \"west\", \"delay 50ms loss 1%\") or link(\"east\", \"west\", "
		"{delay = \"50ms\", loss = \"1%\"})"},
	{"flap", word_flap, "flap(\"east\", \"west\", \"200ms\", \"100ms\")"},
	{"down", word_down, "down(\"n1\")"},
	{"kill", word_kill, "kill(\"n3\", \"1s\")"},
	{"restart", word_restart, "restart(\"n3\", \"3s\")"},
	{"pause", word_pause, "pause(\"n3\", \"1s\")"},
	{"resume", word_resume, "resume(\"n3\", \"3s\")"},
	{"promote", word_promote, "promote(\"n2\", \"1s\")"},
	{"skew", word_skew, "skew(\"n3\", \"500ms\") or skew(\"n3\", \"-2s\", \"1s\")"},
};

const struct word *words_faults_list(unsigned i)
{
	return i < sizeof words / sizeof *words ? &words[i] : NULL;
}
