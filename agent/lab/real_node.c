/* SPDX-License-Identifier: MIT */
/*
 * real_node.c - node() of a system file: what it is given, and a copy of what it returns
 *
 * Each piece is fastened to the struct real as soon as it is allocated: an error of Lua leaves by
 * longjmp(), and real_free() then finds all of it.
 */
#include "agent/lab/real_script.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#define NODE_USAGE "node = function(n) return {run = {{\"etcd\", \"--name\", n.name}}} end"

struct ask {
	struct real_script *f;
	const struct real_row *row;
	const struct plan *plan;
	struct real *r;
	size_t copied;
};

static const struct field fields[] = {
	{"files", FIELD_OTHER, 0, 0, 0},
	{"once", FIELD_OTHER, 0, 0, 0},
	{"prepare", FIELD_OTHER, 0, 0, 0},
	{"run", FIELD_OTHER, 0, 0, 0},
	{"after", FIELD_OTHER, 0, 0, 0},
	{"promote", FIELD_OTHER, 0, 0, 0},
	{"follow", FIELD_OTHER, 0, 0, 0},
	{"env", FIELD_OTHER, 0, 0, 0},
	{NULL, FIELD_TEXT, 0, 0, 0},
};

/* --- what it is given --- */

static void push_one(lua_State *L, const struct plan *plan, unsigned i)
{
	const struct plan_node *node = &plan->node[i];
	char addr[INET_ADDRSTRLEN];

	lua_createtable(L, 0, 8);
	lua_pushstring(L, node->name);
	lua_setfield(L, -2, "name");
	lua_pushinteger(L, (lua_Integer)i + 1);
	lua_setfield(L, -2, "number");
	lua_pushstring(L, inet_ntop(AF_INET, &node->addr_be, addr, sizeof addr));
	lua_setfield(L, -2, "addr");
	lua_pushstring(L, plan->site[node->site].name);
	lua_setfield(L, -2, "site");
}

static void push_node(lua_State *L, const struct ask *a, unsigned i)
{
	const struct plan *plan = a->plan;

	push_one(L, plan, i);
	lua_createtable(L, (int)plan->replicas, 0);
	for (unsigned k = 0; k < plan->replicas; k++) {
		push_one(L, plan, k);
		lua_rawseti(L, -2, (lua_Integer)k + 1);
	}
	lua_setfield(L, -2, "nodes");
	lua_pushinteger(L, plan->proto.leader >= 0 ? plan->proto.leader + 1 : 1);
	lua_setfield(L, -2, "leader");
	real_script_push_knobs(L, a->f, a->row->choice);
	lua_setfield(L, -2, "knobs");
}

/* --- what it returns --- */

/* A text on top of the stack; whole numbers will do, as ports are. */
static char *copy_text(lua_State *L, struct ask *a, const char *what, size_t size)
{
	const char *text;
	char *copy;
	size_t len;

	if (lua_type(L, -1) != LUA_TSTRING && !lua_isinteger(L, -1))
		args_fail(L, "%s is a %s: write a text", what, luaL_typename(L, -1));
	text = luaL_tolstring(L, -1, &len);
	if (strlen(text) != len)
		args_fail(L, "%s has a byte 0x00 in it: write plain text", what);
	if (len >= size)
		args_fail(L, "%s has %zu bytes: %zu is the most", what, len, size - 1);
	a->copied += len + 1;
	if (a->copied > REAL_COPIED_MAX)
		args_fail(L, "more than %u MiB for all nodes: make files and commands smaller",
			REAL_COPIED_MAX >> 20);
	copy = real_copy(text);
	lua_pop(L, 1);
	return copy;
}

/* Below the data folder, and no higher. */
static bool is_below(const char *path)
{
	const char *part = path;

	if (path[0] == '/')
		return false;
	for (;;) {
		size_t len = strcspn(part, "/");

		if (len == 0 || (len == 1 && part[0] == '.') ||
			(len == 2 && !memcmp(part, "..", 2)))
			return false;
		if (part[len] == '\0')
			return true;
		part += len + 1;
	}
}

/* Field @name of the table on top, if it is there: on top. It must be a table. */
static bool has_table(lua_State *L, const char *name, const char *usage)
{
	if (lua_getfield(L, -1, name) == LUA_TNIL) {
		lua_pop(L, 1);
		return false;
	}
	if (lua_type(L, -1) != LUA_TTABLE)
		args_fail(L, "'%s' of node is a %s: write %s", name, luaL_typename(L, -1), usage);
	return true;
}

static void take_file(lua_State *L, struct ask *a, struct real_node *node, bool once)
{
	char what[REAL_WORD_MAX + 16];
	struct real_file *file = &node->file[node->files];

	if (lua_type(L, -2) != LUA_TSTRING)
		args_fail(L,
			"a file of node has no path: write files = {[\"etcd.conf\"] = \"text\"}");
	if (node->files == REAL_FILES_MAX)
		args_fail(L, "more than %d files of one node", REAL_FILES_MAX);
	node->once[node->files++] = once;
	lua_pushvalue(L, -2);
	file->path = copy_text(L, a, "the path of a file", REAL_WORD_MAX);
	lua_pop(L, 1);
	if (!is_below(file->path))
		args_fail(L, "file '%s' is not below the data folder: write its path from there",
			file->path);
	(void)snprintf(what, sizeof what, "file '%s'", file->path);
	file->text = copy_text(L, a, what, REAL_TEXT_MAX);
}

static void take_files(
	lua_State *L, struct ask *a, struct real_node *node, const char *name, bool once)
{
	if (!has_table(L, name, "{[\"etcd.conf\"] = \"text\"}"))
		return;
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		take_file(L, a, node, once);
	lua_pop(L, 1);
}

/* {"program", "argument", ..., retry = "20s"}, on top of the stack. */
static void take_command(
	lua_State *L, struct ask *a, struct real_command *command, const char *what)
{
	lua_Unsigned n = lua_type(L, -1) == LUA_TTABLE ? lua_rawlen(L, -1) : 0;
	int at = lua_gettop(L);
	char retry[SCRIPT_TEXT_MAX + 16];

	if (n == 0)
		args_fail(L, "%s has no program: write {{\"program\", \"argument\"}}", what);
	if (n > REAL_ARGS_MAX)
		args_fail(L, "%s has %llu words: %d is the most", what, (unsigned long long)n,
			REAL_ARGS_MAX);
	command->argv = calloc(n + 1, sizeof *command->argv);
	assert(command->argv);
	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
		if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 &&
			(lua_Unsigned)lua_tointeger(L, -2) <= n)
			continue;
		if (lua_type(L, -2) != LUA_TSTRING || strcmp(lua_tostring(L, -2), "retry") != 0)
			args_fail(L, "%s has words and, of fields, retry = \"20s\" only", what);
		(void)snprintf(retry, sizeof retry, "retry of %s", what);
		command->retry_ns = args_duration(L, lua_gettop(L), retry);
	}
	for (lua_Unsigned i = 0; i < n; i++) {
		lua_rawgeti(L, at, (lua_Integer)i + 1);
		command->argv[i] = copy_text(L, a, what, REAL_TEXT_MAX);
		lua_pop(L, 1);
	}
	if (command->argv[0][0] == '\0')
		args_fail(L, "the program of %s is empty: name one", what);
}

static void take_commands(lua_State *L, struct ask *a, struct real_commands *ret, const char *name)
{
	char what[SCRIPT_TEXT_MAX];
	unsigned n;

	if (!has_table(L, name, "{{\"program\", \"argument\"}}"))
		return;
	(void)snprintf(what, sizeof what, "'%s' of node", name);
	n = args_names(L, lua_gettop(L), what, REAL_COMMANDS_MAX);
	ret->command = calloc(n + 1, sizeof *ret->command);
	assert(ret->command);
	ret->n = n;
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(what, sizeof what, "command %u of '%s'", i + 1, name);
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		take_command(L, a, &ret->command[i], what);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* "NAME=value" of one variable; name and value are on top of the stack. */
static char *copy_variable(lua_State *L, struct ask *a)
{
	const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
	char *value;
	char *text;
	size_t size;

	for (const char *p = name; *p; p++) {
		if (!isalpha((unsigned char)*p) && *p != '_' &&
			(p == name || !isdigit((unsigned char)*p)))
			args_fail(L, "'%.40s' of env is no name of a variable", name);
	}
	if (!name[0])
		args_fail(L, "a variable of env has no name: write env = {GOMAXPROCS = \"1\"}");
	value = copy_text(L, a, "a value of env", REAL_TEXT_MAX);
	size = strlen(name) + strlen(value) + 2;
	text = malloc(size);
	assert(text);
	(void)snprintf(text, size, "%s=%s", name, value);
	free(value);
	return text;
}

static int env_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void take_env(lua_State *L, struct ask *a, struct real_node *node)
{
	unsigned n = 0;

	node->env = calloc(REAL_ENV_MAX + 1, sizeof *node->env);
	assert(node->env);
	if (!has_table(L, "env", "{GOMAXPROCS = \"1\"}"))
		return;
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		if (n == REAL_ENV_MAX)
			args_fail(L, "more than %d variables of env", REAL_ENV_MAX);
		node->env[n++] = copy_variable(L, a);
	}
	lua_pop(L, 1);
	/* Lua has its tables in no order; a plan is the same each time. */
	qsort(node->env, n, sizeof *node->env, env_order);
}

static void sort_files(struct real_node *node)
{
	for (unsigned i = 1; i < node->files; i++) {
		for (unsigned k = i;
			k > 0 && strcmp(node->file[k - 1].path, node->file[k].path) > 0; k--) {
			struct real_file file = node->file[k];
			bool once = node->once[k];

			node->file[k] = node->file[k - 1];
			node->once[k] = node->once[k - 1];
			node->file[k - 1] = file;
			node->once[k - 1] = once;
		}
	}
}

static void check_node(lua_State *L, const struct real_node *node)
{
	for (unsigned i = 1; i < node->files; i++) {
		if (strcmp(node->file[i - 1].path, node->file[i].path) == 0)
			args_fail(L, "file '%s' is in files and in once: leave one out",
				node->file[i].path);
	}
	if (node->run.n == 0)
		args_fail(L, "node() starts no process: write %s", NODE_USAGE);
	for (unsigned i = 0; i < node->run.n; i++) {
		if (node->run.command[i].retry_ns)
			args_fail(L, "a process of 'run' has a retry: it runs as long as its node");
	}
}

/* What node() returned is on top of the stack. */
static void take_node(lua_State *L, struct ask *a, struct real_node *node)
{
	if (lua_type(L, -1) != LUA_TTABLE)
		args_fail(L, "node() returned a %s, not a table: write %s", luaL_typename(L, -1),
			NODE_USAGE);
	args_fields(L, lua_gettop(L), fields, node); /* that it has no others */
	take_files(L, a, node, "files", false);
	take_files(L, a, node, "once", true);
	sort_files(node);
	take_commands(L, a, &node->prepare, "prepare");
	take_commands(L, a, &node->run, "run");
	take_commands(L, a, &node->after, "after");
	take_commands(L, a, &node->promote, "promote");
	take_commands(L, a, &node->follow, "follow");
	take_env(L, a, node);
	check_node(L, node);
}

static int eval_nodes(lua_State *L)
{
	struct ask *a = lua_touserdata(L, 1);

	for (unsigned i = 0; i < a->r->nodes; i++) {
		lua_settop(L, 1);
		lua_rawgeti(L, LUA_REGISTRYINDEX, a->row->node);
		real_script_function_line(L);
		push_node(L, a, i);
		lua_call(L, 1, 1);
		take_node(L, a, &a->r->node[i]);
	}
	return 0;
}

int real_script_nodes(
	struct real_script *f, unsigned i, const struct plan *plan, struct real *r, struct err *err)
{
	static const struct word eval = {"node", eval_nodes, NODE_USAGE};
	struct ask ask = {.f = f, .row = &f->row[i], .plan = plan, .r = r};

	if (plan->replicas < r->nodes_min || plan->replicas > r->nodes_max)
		return err_usage(err,
			"%s has %u to %u nodes, and the lab has %u: choose another lab, or 'nodes' in "
			"%s",
			r->name, r->nodes_min, r->nodes_max, plan->replicas, r->path);
	r->node = calloc(plan->replicas, sizeof *r->node);
	assert(r->node);
	r->nodes = plan->replicas;
	return sandbox_call(&f->sandbox, &eval, &ask, err);
}
