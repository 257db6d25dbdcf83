/* SPDX-License-Identifier: MIT */
/* script_expect.c - the words expect and stores of lab scripts */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "agent/lab/expect.h"
#include "agent/lab/script_words.h"

/* "none", "some", a number, {from, to}; the value is on top of the stack. */
static struct plan_range count_range(lua_State *L, const char *name)
{
	char what[SCRIPT_TEXT_MAX];
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
	double n;

	(void)snprintf(what, sizeof what, "'%s' of expect", name);
	if (strcmp(text, "none") == 0)
		return (struct plan_range){true, 0, 0};
	if (strcmp(text, "some") == 0)
		return (struct plan_range){true, 1, INFINITY};
	if (lua_type(L, -1) == LUA_TTABLE && lua_rawlen(L, -1) == 2) {
		struct plan_range r = {.said = true};

		lua_rawgeti(L, -1, 1);
		lua_rawgeti(L, -2, 2);
		r.low = (double)args_count(L, -2, what, 0, INT64_MAX);
		r.high = (double)args_count(L, -1, what, 0, INT64_MAX);
		lua_pop(L, 2);
		if (r.low > r.high)
			args_fail(L, "%s: write the smaller number first", what);
		return r;
	}
	if (lua_type(L, -1) != LUA_TNUMBER)
		args_fail(L, "%s is %s: write \"none\", \"some\", a number, or {least, most}", what,
			luaL_tolstring(L, -1, NULL));
	n = (double)args_count(L, -1, what, 0, INT64_MAX);
	return (struct plan_range){true, n, n};
}

/* "all", "most", "some", "none", or at least so many per cent: "95%". */
static struct plan_range share_range(lua_State *L, const char *name)
{
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
	char *end = NULL;
	double percent = 0;

	if (strcmp(text, "all") == 0)
		return (struct plan_range){true, EXPECT_ALL_PERCENT, INFINITY};
	if (strcmp(text, "most") == 0)
		return (struct plan_range){true, EXPECT_MOST_PERCENT, INFINITY};
	if (strcmp(text, "some") == 0)
		return (struct plan_range){true, EXPECT_NONE_PERCENT, INFINITY};
	if (strcmp(text, "none") == 0)
		return (struct plan_range){true, 0, EXPECT_NONE_PERCENT};
	if (text[0] >= '0' && text[0] <= '9')
		percent = strtod(text, &end);
	if (!end || strcmp(end, "%") != 0 || !(percent <= 100))
		args_fail(L,
			"'%s' of available is %s: write \"all\", \"most\", \"some\", \"none\", or "
			"the least per cent, like \"95%%\"",
			name, luaL_tolstring(L, -1, NULL));
	return (struct plan_range){true, percent, INFINITY};
}

static void take_available(lua_State *L, struct plan_expect *e)
{
	if (lua_type(L, -1) != LUA_TTABLE)
		args_fail(L,
			"'available' of expect is a %s: write {majority = \"most\", "
			"minority = \"none\"}",
			luaL_typename(L, -1));
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
		int i = 0;

		while (i < PLAN_EXPECT_SHARE_NR && strcmp(name, plan_expect_share_names[i]) != 0)
			i++;
		if (i == PLAN_EXPECT_SHARE_NR)
			args_fail(L,
				"'available' of expect has no field '%.40s': it has majority and "
				"minority, either also with _reads or _writes behind",
				name);
		e->available[i] = share_range(L, name);
	}
}

/* "linearizable", or "not linearizable". */
static void add_model(lua_State *L, struct plan_expect *e)
{
	char text[SCRIPT_TEXT_MAX];
	struct plan_expect_model *m = &e->model[e->models];

	if (e->models == PLAN_EXPECT_MODELS_MAX)
		args_fail(L, "more than %d models are expected: leave some out",
			PLAN_EXPECT_MODELS_MAX);
	args_text(L, -1, "'model' of expect", text);
	m->broken = strncmp(text, "not ", 4) == 0;
	(void)snprintf(
		m->name, sizeof m->name, "%.*s", PLAN_NAME_MAX - 1, text + (m->broken ? 4 : 0));
	e->models++;
}

static void take_models(lua_State *L, struct plan_expect *e)
{
	if (lua_type(L, -1) != LUA_TTABLE) {
		add_model(L, e);
		return;
	}
	for (lua_Unsigned i = 1; i <= lua_rawlen(L, -1); i++) {
		lua_rawgeti(L, -1, (lua_Integer)i);
		add_model(L, e);
		lua_pop(L, 1);
	}
}

static void take_converged(lua_State *L, struct plan_expect *e)
{
	double yes;

	if (!lua_isboolean(L, -1))
		args_fail(L, "'converged' of expect is a %s: write true or false",
			luaL_typename(L, -1));
	yes = lua_toboolean(L, -1);
	e->converged = (struct plan_range){true, yes, yes};
}

/* Field @name of the table at @at, if it is there: on top of the stack. */
static bool has(lua_State *L, int at, const char *name)
{
	if (lua_getfield(L, at, name) != LUA_TNIL)
		return true;
	lua_pop(L, 1);
	return false;
}

int word_expect(lua_State *L)
{
	static const struct field fields[] = {
		{"model", FIELD_OTHER, 0, 0, 0},
		{"verdict", FIELD_TEXT, offsetof(struct script_expect, verdict), 0, 0},
		{"lost", FIELD_OTHER, 0, 0, 0},
		{"stale", FIELD_OTHER, 0, 0, 0},
		{"available", FIELD_OTHER, 0, 0, 0},
		{"converged", FIELD_OTHER, 0, 0, 0},
		{NULL, FIELD_TEXT, 0, 0, 0},
	};
	struct script *s = args_script(L);
	struct script_expect *expect = &s->expect[s->expects];
	int at = lua_gettop(L);

	args_expect(L, 1, 2);
	if (s->expects == SCRIPT_EXPECTS_MAX)
		args_fail(L, "more than %d expect() statements", SCRIPT_EXPECTS_MAX);
	if (at == 2)
		args_text(L, 1, "the store's name", expect->store);
	args_fields(L, at, fields, expect);
	if (has(L, at, "model"))
		take_models(L, &expect->what);
	if (has(L, at, "lost"))
		expect->what.lost = count_range(L, "lost");
	if (has(L, at, "stale"))
		expect->what.stale = count_range(L, "stale");
	if (has(L, at, "available"))
		take_available(L, &expect->what);
	if (has(L, at, "converged"))
		take_converged(L, &expect->what);
	if (!expect->verdict[0] && !plan_expects(&expect->what))
		args_fail(L, "expect says nothing: write %s", args_word(L)->usage);
	expect->line = args_line(L);
	s->expects++;
	return 0;
}

int word_stores(lua_State *L)
{
	struct script *s = args_script(L);

	args_expect(L, 1, 1);
	if (s->store_count > 0)
		args_fail(L, "stores was already said in line %d: say it once", s->stores[0].line);
	s->store_count = args_names(L, 1, "the stores", PLAN_STORES_MAX);
	if (s->store_count == 0)
		args_fail(L, "stores has no names: write %s", args_word(L)->usage);
	for (unsigned i = 0; i < s->store_count; i++) {
		lua_rawgeti(L, 1, (lua_Integer)i + 1);
		args_text(L, -1, "a store's name", s->stores[i].text);
		s->stores[i].line = args_line(L);
		for (unsigned k = 0; k < i; k++) {
			if (strcmp(s->stores[k].text, s->stores[i].text) == 0)
				args_fail(L, "stores has '%s' twice", s->stores[i].text);
		}
		lua_pop(L, 1);
	}
	return 0;
}
