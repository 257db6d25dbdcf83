/* SPDX-License-Identifier: MIT */
/*
 * script_dist.c - distribution() of lab scripts: a table of delays from a file, or a mixture
 *
 * The file is named relative to the lab's own folder and must be below it: neither an absolute
 * path nor ".." nor a symbolic link is followed, so that a script from elsewhere can tell nobody
 * what is in other files.
 */
#include <ctype.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>

#include "agent/base/clock.h"
#include "agent/lab/script_words.h"
#include "netns/dist.h"

#define ALPHA_MIN 1.0 /* at or below it a Pareto distribution has no mean */
#define ALPHA_MAX 1000.0

struct dist_options {
	char file[SCRIPT_TEXT_MAX];
	bool replay;
	bool overtake;
	uint64_t offset_ns;
	uint64_t exponential_ns;
	double weight; /* NAN: not said */
	uint64_t pareto_ns;
	double alpha; /* 0: no pareto */
};

/* A plain path below the lab's folder, of parts that are no links. */
static void check_path(lua_State *L, const char *folder, const char *file)
{
	char path[PLAN_PATH_MAX + SCRIPT_TEXT_MAX + 2];
	struct stat st;
	const char *p = file;

	if (*file == '/' || strstr(file, "..") || strchr(file, ':'))
		args_fail(L,
			"distribution(): file '%s': name one below the lab's folder, without '..' "
			"and ':'",
			file);
	while (p) {
		p = strchr(p, '/');
		(void)snprintf(path, sizeof path, "%s%.*s", folder,
			p ? (int)(p - file) : (int)strlen(file), file);
		if (lstat(path, &st))
			args_fail(L, "distribution(): there is no file '%s'", path);
		if (!(p ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode)))
			args_fail(L, "distribution(): '%s' is no plain %s", path,
				p ? "folder" : "file");
		p = p ? p + 1 : NULL;
	}
}

/* Return: its number. */
static int load(lua_State *L, const struct dist_options *o)
{
	const struct script *s = args_script(L);
	const char *slash = strrchr(s->path, '/');
	char folder[PLAN_PATH_MAX];
	char path[PLAN_PATH_MAX + SCRIPT_TEXT_MAX + 16];
	struct err err = {0};
	int dist;

	(void)snprintf(
		folder, sizeof folder, "%.*s", slash ? (int)(slash - s->path) + 1 : 0, s->path);
	check_path(L, folder, o->file);
	(void)snprintf(path, sizeof path, "%s%s%s", o->replay ? "replay:" : "", folder, o->file);
	dist = dist_load_file(path, &err);
	if (dist < 0)
		args_fail(L, "distribution(): %s", err.text);
	return dist;
}

static int mix(lua_State *L, const char *name, const struct dist_options *o)
{
	struct dist_part part[2] = {{0}};
	bool both = o->alpha > 0 && o->exponential_ns > 0;
	double weight = isnan(o->weight) ? 0.5 : o->weight;
	struct err err = {0};
	unsigned parts = 0;
	int dist;

	if (!isnan(o->weight) && !both)
		args_fail(L, "distribution(): 'weight' is the share of pareto beside exponential");
	if (o->alpha > 0)
		part[parts++] = (struct dist_part){.weight = both ? weight : 1,
			.xm_ns = (double)o->pareto_ns,
			.alpha = o->alpha};
	if (o->exponential_ns > 0)
		part[parts++] = (struct dist_part){
			.weight = both ? 1 - weight : 1, .mean_ns = (double)o->exponential_ns};
	dist = dist_add_mixture(name, o->offset_ns, part, parts, &err);
	if (dist < 0)
		args_fail(L, "distribution(): %s", err.text);
	return dist;
}

/* pareto = {"1ms", 3}: the smallest delay, and the shape. */
static void take_pareto(lua_State *L, struct dist_options *o)
{
	lua_getfield(L, 2, "pareto");
	if (!lua_isnil(L, -1)) {
		int at = lua_gettop(L);

		if (!lua_istable(L, at) || lua_rawlen(L, at) != 2)
			args_fail(L, "'pareto' of distribution: write {\"1ms\", 3}: the smallest "
				     "delay and the shape");
		lua_rawgeti(L, at, 1);
		o->pareto_ns = args_duration(L, -1, "'pareto' of distribution");
		lua_rawgeti(L, at, 2);
		o->alpha = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
		if (!(o->alpha > ALPHA_MIN && o->alpha <= ALPHA_MAX) || o->pareto_ns == 0)
			args_fail(L,
				"'pareto' of distribution: a delay above 0 and a shape above %g, "
				"at most %g",
				ALPHA_MIN, ALPHA_MAX);
		lua_settop(L, at);
	}
	lua_pop(L, 1);
}

static void take_weight(lua_State *L, struct dist_options *o)
{
	o->weight = NAN;
	lua_getfield(L, 2, "weight");
	if (!lua_isnil(L, -1)) {
		double weight = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;

		if (!(weight > 0 && weight < 1))
			args_fail(L, "'weight' of distribution: a number between 0 and 1");
		o->weight = weight;
	}
	lua_pop(L, 1);
}

/* A name that can be one word of a link. */
static void check_name(lua_State *L, const char *name)
{
	for (const char *p = name; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr(".-_", *p))
			args_fail(L,
				"distribution '%s' has a '%c' in it: use letters, digits, "
				"'.', '-' and '_'",
				name, *p);
	}
	if (strlen(name) >= DIST_NAME_MAX)
		args_fail(L, "distribution '%s' has more than %d bytes", name, DIST_NAME_MAX - 1);
}

/* Gives the name under which links know it. */
int word_distribution(lua_State *L)
{
	static const struct field fields[] = {
		{"file", FIELD_TEXT, offsetof(struct dist_options, file), 0, 0},
		{"replay", FIELD_BOOL, offsetof(struct dist_options, replay), 0, 0},
		{"overtake", FIELD_BOOL, offsetof(struct dist_options, overtake), 0, 0},
		{"offset", FIELD_DURATION, offsetof(struct dist_options, offset_ns), 0,
			LINK_DELAY_NS_MAX},
		{"exponential", FIELD_DURATION, offsetof(struct dist_options, exponential_ns), 1,
			LINK_DELAY_NS_MAX},
		{"pareto", FIELD_OTHER, 0, 0, 0},
		{"weight", FIELD_OTHER, 0, 0, 0},
		{NULL, FIELD_TEXT, 0, 0, 0},
	};
	struct dist_options o = {0};
	char name[SCRIPT_TEXT_MAX];
	const char *got;
	int dist;

	args_expect(L, 2, 2);
	args_text(L, 1, "the distribution's name", name);
	check_name(L, name);
	if (!lua_istable(L, 2))
		args_fail(L, "distribution() got a %s, not a table: write %s", luaL_typename(L, 2),
			args_word(L)->usage);
	take_pareto(L, &o);
	take_weight(L, &o);
	args_fields(L, 2, fields, &o);
	if (o.file[0] && (o.alpha > 0 || o.exponential_ns || o.offset_ns || !isnan(o.weight)))
		args_fail(L, "distribution '%s' is a file or a mixture, not both", name);
	if (!o.file[0] && o.alpha == 0 && o.exponential_ns == 0)
		args_fail(L,
			"distribution '%s' has no file, no pareto and no exponential: write %s",
			name, args_word(L)->usage);
	dist = o.file[0] ? load(L, &o) : mix(L, name, &o);
	got = dist_name((unsigned)dist);
	if (o.overtake && dist_scaled((unsigned)dist))
		args_fail(L, "distribution '%s' is a shape: 'overtake' is for delays", name);
	if (o.overtake)
		dist_let_overtake((unsigned)dist);
	if (strcmp(o.replay ? got + strlen("replay:") : got, name) != 0)
		args_fail(L, "distribution(): file '%s' makes a distribution '%s': call it so",
			o.file, got);
	lua_pushstring(L, got);
	return 1;
}
