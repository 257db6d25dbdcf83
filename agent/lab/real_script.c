/* SPDX-License-Identifier: MIT */
/*
 * real_script.c - the words of system files: system() and variant()
 *
 * Each call is checked where it stands and kept in a struct real_row; functions and texts that may
 * be functions stay in the Lua registry until real_script_row() wants their answer.
 */
#include "agent/lab/real_script.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "agent/base/buf.h"
#include "agent/base/units.h"
#include "agent/lab/near.h"
#include "agent/load/plugin.h"

#define WRONG_MAX 400
#define DEADLINE_NS_MIN 1000000ull

#define OFFSET(member) offsetof(struct real_fields, member)

static const struct field fields[] = {
	{"packages", FIELD_OTHER, 0, 0, 0},
	{"install", FIELD_TEXT, OFFSET(install), 0, REAL_WORD_MAX},
	{"programs", FIELD_OTHER, 0, 0, 0},
	{"paths", FIELD_OTHER, 0, 0, 0},
	{"driver", FIELD_TEXT, OFFSET(driver), 0, REAL_WORD_MAX},
	{"port", FIELD_COUNT, OFFSET(port), 1, UINT16_MAX},
	{"nodes", FIELD_OTHER, 0, 0, 0},
	{"knobs", FIELD_OTHER, 0, 0, 0},
	{"like", FIELD_OTHER, 0, 0, 0},
	{"client", FIELD_OTHER, 0, 0, 0},
	{"kept", FIELD_TEXT, OFFSET(kept), 0, REAL_SENTENCE_MAX},
	{"differs", FIELD_TEXT, OFFSET(differs), 0, REAL_SENTENCE_MAX},
	{"rate", FIELD_RATE, OFFSET(rate), 0, 0},
	{"clients", FIELD_COUNT, OFFSET(clients), 1, PLAN_CLIENTS_PER_SITE_MAX},
	{"deadline", FIELD_DURATION, OFFSET(deadline_ns), DEADLINE_NS_MIN, SCRIPT_DEADLINE_NS_MAX},
	{"cut", FIELD_DURATION, OFFSET(cut_ns), 0, UNITS_DURATION_NS_MAX},
	{"settle", FIELD_DURATION, OFFSET(settle_ns), 0, UNITS_DURATION_NS_MAX},
	{"warmup", FIELD_DURATION, OFFSET(warmup_ns), 0, UNITS_DURATION_NS_MAX},
	{"ready", FIELD_DURATION, OFFSET(ready_ns), DEADLINE_NS_MIN, UNITS_DURATION_NS_MAX},
	{"leader", FIELD_BOOL, OFFSET(leader), 0, 0},
	{"skew", FIELD_BOOL, OFFSET(skew), 0, 0},
	{"apart", FIELD_BOOL, OFFSET(apart), 0, 0},
	{"notices", FIELD_BOOL, OFFSET(notices), 0, 0},
	{"not_run", FIELD_TEXT, OFFSET(not_run), 0, REAL_SENTENCE_MAX},
	{"node", FIELD_OTHER, 0, 0, 0},
	{NULL, FIELD_TEXT, 0, 0, 0},
};

char *real_copy(const char *text)
{
	char *copy = strdup(text);

	assert(copy);
	return copy;
}

/* Field @name of the table at @at, if it is there: on top of the stack. */
static bool has(lua_State *L, int at, const char *name)
{
	if (lua_getfield(L, at, name) != LUA_TNIL)
		return true;
	lua_pop(L, 1);
	return false;
}

/* It names a folder of results, and stands in lists with commas. */
static void take_name(lua_State *L, const struct real_script *f, struct real_row *row)
{
	size_t len;

	args_string(L, 1, "the system's name", row->name, sizeof row->name);
	len = strlen(row->name);
	for (size_t i = 0; i < len; i++) {
		char c = row->name[i];

		if (!isalnum((unsigned char)c) && (i == 0 || !strchr("-_.", c)))
			args_fail(L,
				"'%s' is no name of a system: use letters, digits, '-', '_' and "
				"'.'",
				row->name);
	}
	if (len > 4 && strcmp(row->name + len - 4, ".lua") == 0)
		args_fail(L, "'%s' looks like the path of a file: leave out .lua", row->name);
	if (system_find(row->name) || !strcmp(row->name, "all") || !strcmp(row->name, "real"))
		args_fail(L, "'%s' is a name of pacelab's own: write '%s-real'", row->name,
			row->name);
	for (unsigned i = 0; i < f->rows; i++) {
		if (strcmp(f->row[i].name, row->name) == 0)
			args_fail(L, "'%s' was already said in line %d: give it another name",
				row->name, f->row[i].line);
	}
}

static void take_words(lua_State *L, const char *name, struct real_words *ret)
{
	char what[SCRIPT_TEXT_MAX];
	unsigned n;

	if (!has(L, -1, name))
		return;
	(void)snprintf(what, sizeof what, "'%s' of %s", name, args_word(L)->name);
	n = args_names(L, lua_gettop(L), what, REAL_PACKAGES_MAX);
	for (unsigned i = 0; i < n; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		args_string(L, -1, what, ret->word[i], REAL_WORD_MAX);
		lua_pop(L, 1);
	}
	ret->n = n;
	lua_pop(L, 1);
}

static void take_nodes(lua_State *L, struct real_fields *ret)
{
	if (!has(L, -1, "nodes"))
		return;
	if (lua_type(L, -1) != LUA_TTABLE || lua_rawlen(L, -1) != 2)
		args_fail(L, "'nodes' of %s is not {least, most}: write nodes = {3, 7}",
			args_word(L)->name);
	lua_rawgeti(L, -1, 1);
	ret->nodes_min = args_count(L, -1, "the least of 'nodes'", 1, REAL_NODES_MAX);
	lua_rawgeti(L, -2, 2);
	ret->nodes_max = args_count(L, -1, "the most of 'nodes'", 1, REAL_NODES_MAX);
	if (ret->nodes_min > ret->nodes_max)
		args_fail(L, "'nodes' of %s: write the smaller number first", args_word(L)->name);
	lua_pop(L, 3);
}

/* A text, or a function that gives one. */
static void take_value(lua_State *L, const char *name, bool text, int *ret)
{
	if (!has(L, -1, name))
		return;
	if (!lua_isfunction(L, -1) && !(text && lua_type(L, -1) == LUA_TSTRING))
		args_fail(L, "'%s' of %s is a %s: write a %s", name, args_word(L)->name,
			luaL_typename(L, -1),
			text ? "text, or a function of the knobs" : "function of the node");
	*ret = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* All but the knobs; the table is at @at. */
static void take_fields(lua_State *L, int at, struct real_row *row)
{
	args_fields(L, at, fields, &row->fields);
	lua_pushvalue(L, at);
	take_words(L, "packages", &row->fields.packages);
	take_words(L, "programs", &row->fields.programs);
	take_words(L, "paths", &row->fields.folders);
	for (unsigned i = 0; i < row->fields.folders.n; i++) {
		const char *folder = row->fields.folders.word[i];

		if (folder[0] != '/' || strchr(folder, ':'))
			args_fail(L, "'paths' of %s: '%.40s' is no absolute path of one folder",
				args_word(L)->name, folder);
	}
	take_nodes(L, &row->fields);
	take_value(L, "like", true, &row->like);
	take_value(L, "client", true, &row->client);
	take_value(L, "node", false, &row->node);
	lua_pop(L, 1);
}

static void take_knob_word(lua_State *L, const char *what, char ret[REAL_KNOB_MAX])
{
	args_string(L, -1, what, ret, REAL_KNOB_MAX);
	if (strpbrk(ret, " ,=|"))
		args_fail(L, "%s '%s' has a blank, a comma, '=' or '|' in it: leave that out", what,
			ret);
}

static void take_knob(lua_State *L, struct real_knob *knob)
{
	char what[SCRIPT_TEXT_MAX];

	lua_pushvalue(L, -2);
	take_knob_word(L, "the name of a knob", knob->name);
	lua_pop(L, 1);
	(void)snprintf(what, sizeof what, "a value of knob '%s'", knob->name);
	knob->values = args_names(L, lua_gettop(L), what, REAL_CHOICES_MAX);
	if (knob->values == 0)
		args_fail(L, "knob '%s' has no values: write {\"its default\", \"another\"}",
			knob->name);
	for (unsigned i = 0; i < knob->values; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		take_knob_word(L, what, knob->value[i]);
		lua_pop(L, 1);
	}
}

static int knob_order(const void *a, const void *b)
{
	const struct real_knob *x = a;
	const struct real_knob *y = b;

	return strcmp(x->name, y->name);
}

static void take_knobs(lua_State *L, int at, struct real_script *f)
{
	lua_pushvalue(L, at);
	if (has(L, -1, "knobs")) {
		if (lua_type(L, -1) != LUA_TTABLE)
			args_fail(L,
				"'knobs' of system is a %s: write {reads = {\"one\", \"all\"}}",
				luaL_typename(L, -1));
		for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
			if (f->knobs == REAL_KNOBS_MAX)
				args_fail(L, "more than %d knobs", REAL_KNOBS_MAX);
			if (lua_type(L, -2) != LUA_TSTRING)
				args_fail(L, "'knobs' of system has one without a name: write "
					     "{reads = {\"one\", \"all\"}}");
			take_knob(L, &f->knob[f->knobs]);
			f->knobs++;
		}
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	qsort(f->knob, f->knobs, sizeof *f->knob, knob_order);
}

static void check_needed(lua_State *L, const struct real_row *row)
{
	const struct {
		const char *name;
		bool there;
		const char *cure;
	} needed[] = {
		{"driver", row->fields.driver[0], "driver = \"etcd\""},
		{"port", row->fields.port > 0, "port = 2379"},
		{"like", row->like != LUA_NOREF, "like = \"etcd\", a store of ours"},
		{"kept", row->fields.kept[0], "kept = \"what of the real system is seen\""},
		{"differs", row->fields.differs[0], "differs = \"how its model differs from it\""},
		{"node", row->node != LUA_NOREF, "node = function(n) return {run = {...}} end"},
	};

	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
		if (!needed[i].there)
			args_fail(L, "system '%s' has no field '%s': add %s", row->name,
				needed[i].name, needed[i].cure);
	}
}

static int word_system(lua_State *L)
{
	struct real_script *f = args_bound(L);
	struct real_row *row = &f->row[0];

	args_expect(L, 2, 2);
	if (f->rows > 0)
		args_fail(L,
			"system '%s' was already said in line %d: a file has one, and variant()s of "
			"it",
			row->name, row->line);
	*row = (struct real_row){.line = args_line(L),
		.like = LUA_NOREF,
		.client = LUA_NOREF,
		.node = LUA_NOREF,
		.fields = {.nodes_min = 1, .nodes_max = REAL_NODES_MAX, .ready_ns = REAL_READY_NS}};
	take_name(L, f, row);
	take_fields(L, 2, row);
	take_knobs(L, 2, f);
	check_needed(L, row);
	f->rows = 1;
	return 0;
}

static void print_choices(const struct real_script *f, struct buf *out)
{
	for (unsigned i = 0; i < f->knobs; i++) {
		const struct real_knob *k = &f->knob[i];

		buf_printf(out, "%s%s=", i ? " " : "", k->name);
		for (unsigned v = 0; v < k->values; v++)
			buf_printf(out, "%s%s", v ? "|" : "", k->value[v]);
	}
}

/* Return: false with what is wrong, and the cure, in @wrong. */
static bool choose(const struct real_script *f, unsigned *choice, const char *name,
	const char *value, char wrong[WRONG_MAX])
{
	struct near near = near_to(name);
	struct buf all = {0};
	char hint[96];
	unsigned k = 0, v = 0;

	while (k < f->knobs && strcmp(f->knob[k].name, name) != 0)
		near_offer(&near, f->knob[k++].name);
	if (k < f->knobs) {
		near = near_to(value);
		while (v < f->knob[k].values && strcmp(f->knob[k].value[v], value) != 0)
			near_offer(&near, f->knob[k].value[v++]);
		choice[k] = v;
		if (v < f->knob[k].values)
			return true;
	}
	print_choices(f, &all);
	buf_add(&all, "", 1);
	(void)snprintf(wrong, WRONG_MAX, "no knob '%.40s'", name);
	if (k < f->knobs)
		(void)snprintf(wrong, WRONG_MAX, "knob '%s' has no value '%.40s'", name, value);
	near_text(&near, hint, sizeof hint);
	(void)snprintf(wrong + strlen(wrong), WRONG_MAX - strlen(wrong), "%s %s%s",
		near.best ? hint : ":", f->knobs ? "there are " : "it has none",
		f->knobs ? (const char *)all.p : "");
	buf_fini(&all);
	return false;
}

static void take_choices(lua_State *L, struct real_script *f, struct real_row *row)
{
	char wrong[WRONG_MAX];

	if (lua_type(L, 2) != LUA_TTABLE)
		args_fail(L, "the knobs of variant '%s' are a %s: write %s", row->name,
			luaL_typename(L, 2), args_word(L)->usage);
	for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
			args_fail(L, "variant '%s': write a knob as {reads = \"serializable\"}",
				row->name);
		if (!choose(f, row->choice, lua_tostring(L, -2), lua_tostring(L, -1), wrong))
			args_fail(L, "variant '%s': %s", row->name, wrong);
	}
}

static int word_variant(lua_State *L)
{
	struct real_script *f = args_bound(L);
	struct real_row *row = &f->row[f->rows];

	args_expect(L, 2, 3);
	if (f->rows == 0)
		args_fail(L, "variant() of what? system() comes before it");
	if (f->rows == REAL_ROWS_MAX)
		args_fail(L, "more than %d variants", REAL_ROWS_MAX - 1);
	*row = f->row[0];
	row->line = args_line(L);
	take_name(L, f, row);
	take_choices(L, f, row);
	if (lua_gettop(L) == 3) {
		if (lua_type(L, 3) == LUA_TTABLE && has(L, 3, "knobs"))
			args_fail(L, "variant '%s' has knobs of its own: say them in system()",
				row->name);
		take_fields(L, 3, row);
	}
	f->rows++;
	return 0;
}

static const struct word words[] = {
	{"system", word_system,
		"system(\"etcd-real\", {driver = \"etcd\", node = function(n) ... end, ...})"},
	{"variant", word_variant,
		"variant(\"etcd-real-serializable\", {reads = \"serializable\"})"},
};

static const struct word *list_words(unsigned i)
{
	return i < sizeof words / sizeof *words ? &words[i] : NULL;
}

static const struct sandbox_words file_words = {
	.list = list_words,
	.all = "a system file has system, variant",
};

int real_script_parse(
	struct real_script **ret, const char *path, const char *text, size_t len, struct err *err)
{
	struct real_script *f = calloc(1, sizeof *f);
	int rc;

	assert(f);
	if ((size_t)snprintf(f->path, sizeof f->path, "%s", path) >= sizeof f->path) {
		free(f);
		return err_usage(err,
			"the path of the system file has more than %zu bytes: move it",
			sizeof f->path - 1);
	}
	sandbox_open(&f->sandbox, f->path, &file_words, f);
	rc = sandbox_run(&f->sandbox, text, len, err);
	if (rc == 0 && f->rows == 0)
		rc = err_usage(err, "%s:1: no system: write %s", f->path, words[0].usage);
	if (rc < 0) {
		real_script_close(f);
		return rc;
	}
	*ret = f;
	return 0;
}

int real_script_open(struct real_script **ret, const char *path, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	int rc = sandbox_read(path, "system file", &text, &len, err);

	if (rc == 0)
		rc = real_script_parse(ret, path, text, len, err);
	free(text);
	return rc;
}

void real_script_close(struct real_script *f)
{
	if (!f)
		return;
	sandbox_close(&f->sandbox);
	free(f);
}

void real_script_push_knobs(lua_State *L, const struct real_script *f, const unsigned *choice)
{
	lua_createtable(L, 0, (int)f->knobs);
	for (unsigned i = 0; i < f->knobs; i++) {
		lua_pushstring(L, f->knob[i].value[choice[i]]);
		lua_setfield(L, -2, f->knob[i].name);
	}
}

void real_script_function_line(lua_State *L)
{
	lua_Debug ar;

	lua_pushvalue(L, -1);
	lua_getinfo(L, ">S", &ar);
	args_at(L, ar.linedefined);
}

/* What is asked of a row, for a function that runs protected. */
struct ask {
	struct real_script *f;
	struct real_row *row;
	struct real *r;
};

/* A text, or what a function of the knobs gives. */
static void eval_text(lua_State *L, const struct ask *a, int reference, const char *what,
	char ret[REAL_SETTINGS_MAX])
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, reference);
	args_at(L, a->row->line);
	if (lua_isfunction(L, -1)) {
		real_script_function_line(L);
		real_script_push_knobs(L, a->f, a->row->choice);
		lua_call(L, 1, 1);
	}
	ret[0] = '\0';
	if (lua_type(L, -1) != LUA_TSTRING || lua_rawlen(L, -1) > 0)
		args_string(L, -1, what, ret, REAL_SETTINGS_MAX);
	lua_pop(L, 1);
}

static int eval_row(lua_State *L)
{
	const struct ask *a = lua_touserdata(L, 1);
	char text[REAL_SETTINGS_MAX] = "";
	char hint[96];
	char *model = text;
	struct near near;

	if (a->row->client != LUA_NOREF)
		eval_text(L, a, a->row->client, "'client'", text);
	a->r->settings = real_copy(text);
	eval_text(L, a, a->row->like, "'like'", text);
	(void)strsep(&model, " ");
	a->r->like = system_find(text);
	a->r->model = real_copy(model ? model : "");
	if (a->r->like)
		return 0;
	near = near_to(text);
	for (unsigned i = 0; system_list(i); i++)
		near_offer(&near, system_list(i)->name);
	args_fail(L,
		"'like' of %s: no store of ours is called '%.40s'%s `pacelab list stores` has them",
		a->row->name, text, near.best ? near_text(&near, hint, sizeof hint) : ":");
}

static int read_set(struct real_script *f, struct real_row *row, const char *set, struct err *err)
{
	char copy[REAL_SETTINGS_MAX];
	char wrong[WRONG_MAX];
	char *at = copy;
	char *word;

	if (!set)
		return 0;
	if ((size_t)snprintf(copy, sizeof copy, "%s", set) >= sizeof copy)
		return err_usage(err, "%s: settings of more than %zu characters", row->name,
			sizeof copy - 1);
	while ((word = strsep(&at, " ,"))) {
		char *value = strchr(word, '=');

		if (!word[0])
			continue;
		if (value)
			*value++ = '\0';
		if (!choose(f, row->choice, word, value ? value : "", wrong)) {
			err_usage(err, "%s: %s", row->name, wrong);
			err_one_line(err);
			return -EINVAL;
		}
	}
	return 0;
}

static unsigned copy_words(const struct real_words *from, char **ret)
{
	for (unsigned i = 0; i < from->n; i++)
		ret[i] = real_copy(from->word[i]);
	return from->n;
}

static char *take_text(struct buf *b)
{
	char *text;

	buf_add(b, "", 1);
	text = real_copy((const char *)b->p);
	buf_fini(b);
	return text;
}

/* What needs no Lua. */
static struct real *plain_row(const struct real_script *f, const struct real_row *row)
{
	const struct real_fields *from = &row->fields;
	struct real *r = calloc(1, sizeof *r);
	struct buf knobs = {0}, choices = {0};

	assert(r);
	(void)snprintf(r->name, sizeof r->name, "%s", row->name);
	r->path = real_copy(f->path);
	r->packages = copy_words(&from->packages, r->package);
	r->install = real_copy(from->install);
	r->programs = copy_words(&from->programs, r->program);
	r->folders = copy_words(&from->folders, r->folder);
	r->driver = plugin_beside(from->driver, f->path);
	for (unsigned i = 0; i < f->knobs; i++)
		buf_printf(&knobs, "%s%s=%s", i ? " " : "", f->knob[i].name,
			f->knob[i].value[row->choice[i]]);
	print_choices(f, &choices);
	r->knobs = take_text(&knobs);
	r->choices = take_text(&choices);
	r->kept = real_copy(from->kept);
	r->differs = real_copy(from->differs);
	r->not_run = real_copy(from->not_run);
	r->port = (uint16_t)from->port;
	r->nodes_min = (unsigned)from->nodes_min;
	r->nodes_max = (unsigned)from->nodes_max;
	r->rate = from->rate;
	r->clients = (unsigned)from->clients;
	r->deadline_ns = from->deadline_ns;
	r->cut_ns = from->cut_ns;
	r->settle_ns = from->settle_ns;
	r->warmup_ns = from->warmup_ns;
	r->ready_ns = from->ready_ns;
	r->skew = from->skew;
	r->apart = from->apart;
	r->notices = from->notices;
	r->one_leader = from->leader;
	return r;
}

int real_script_row(
	struct real_script *f, unsigned i, const char *set, struct real **ret, struct err *err)
{
	static const struct word eval = {
		"system", eval_row, "client = \"reads=all\", like = \"etcd\""};
	struct ask ask = {.f = f, .row = &f->row[i]};
	int rc = read_set(f, ask.row, set, err);

	if (rc < 0)
		return rc;
	ask.r = plain_row(f, ask.row);
	rc = sandbox_call(&f->sandbox, &eval, &ask, err);
	if (rc < 0) {
		real_free(ask.r);
		return rc;
	}
	*ret = ask.r;
	return 0;
}
