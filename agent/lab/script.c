/* SPDX-License-Identifier: MIT */
/*
 * script.c - runs a lab script in a sandbox and keeps what it said
 *
 * Theory of operation
 *
 * A lab is a Lua 5.4 program whose global functions are the words of the lab language
 * (script_words.c, script_faults.c); each call of one adds a statement, with the line it was called
 * from, to a struct script. The program sees string, table, math and the harmless part of the base
 * library. It has no way to read or write a file (distribution() reads numbers from one below the
 * lab's own folder), to load other code, or to catch an error (a caught error could hide that a
 * limit was hit). Memory is limited by the state's allocator and time by a count hook, so that an
 * endless loop ends with an error like any other.
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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "agent/lab/near.h"
#include "agent/lab/script_words.h"

const char *const script_rule_names[] = {"rtt", "delay", "jitter", "profile"};
_Static_assert(sizeof script_rule_names / sizeof *script_rule_names == SCRIPT_RULE_KIND_NR, "");

const char *const script_fault_names[] = {"cut", "one_way", "isolate", "bridge", "ring", "link",
	"down", "kill", "restart", "pause", "resume", "skew", "promote"};
_Static_assert(sizeof script_fault_names / sizeof *script_fault_names == SCRIPT_FAULT_KIND_NR, "");

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

	for (unsigned i = 0; words_list(i); i++)
		near_offer(&near, words_list(i)->name);
	for (const char *const *kept = base_kept; *kept; kept++)
		near_offer(&near, *kept);
	if (near.best)
		args_fail(L, "unknown word '%.40s'%s", name, near_text(&near, hint, sizeof hint));
	args_fail(L,
		"unknown word '%.40s': a lab has lab, site, rtt, delay, jitter, profile, "
		"distribution, store, stores, load, clients, param, fit, phase, expect, seed, say, "
		"simulated, the faults, and Lua's string, table and math",
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
	for (unsigned i = 0; words_list(i); i++) {
		lua_pushlightuserdata(L, (void *)words_list(i));
		lua_pushcclosure(L, words_list(i)->function, 1);
		lua_setfield(L, -2, words_list(i)->name);
	}
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, unknown_word);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	/* Chunks that are loaded from now on see this table, and nothing else, as their globals. */
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
	lua_pop(L, 1);
	luaL_newmetatable(L, WORDS_FAULT_TYPE);
	lua_pop(L, 1);
}

static void *limited_alloc(void *ud, void *ptr, size_t old, size_t size)
{
	size_t *used = ud;
	void *p;

	if (!ptr)
		old = 0; /* then Lua says in it what kind of object it wants */
	if (size == 0) {
		free(ptr);
		*used -= old;
		return NULL;
	}
	if (size > old && *used + (size - old) > SCRIPT_MEMORY_MAX)
		return NULL;
	p = realloc(ptr, size);
	if (p)
		*used = *used - old + size;
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
	size_t memory = 0;
	lua_State *L = lua_newstate(limited_alloc, &memory);
	const char *message;
	int status;

	assert(L);
	args_bind(L, s);
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

static int read_param(struct script *s, char *word, struct err *err)
{
	struct script_param *p = &s->param[s->params];
	char *value = strchr(word, '=');

	if (!value || value == word)
		return err_usage(err, "--param: '%s' is not NAME=VALUE", word);
	if (s->params == SCRIPT_PARAMS_MAX)
		return err_usage(err, "--param: more than %d", SCRIPT_PARAMS_MAX);
	*value++ = '\0';
	(void)snprintf(p->name, sizeof p->name, "%s", word);
	(void)snprintf(p->value, sizeof p->value, "%s", value);
	s->params++;
	return 0;
}

static int read_params(struct script *s, const char *text, struct err *err)
{
	char copy[SCRIPT_PARAMS_MAX * SCRIPT_TEXT_MAX];
	char *at = copy;
	char *word;

	if (!text)
		return 0;
	if (strlen(text) >= sizeof copy)
		return err_usage(err, "--param: longer than %zu characters", sizeof copy - 1);
	(void)snprintf(copy, sizeof copy, "%s", text);
	while ((word = strsep(&at, " "))) {
		if (strlen(word) >= SCRIPT_TEXT_MAX)
			return err_usage(err, "--param: '%.20s...' has more than %d characters",
				word, SCRIPT_TEXT_MAX - 1);
		if (word[0] && read_param(s, word, err) < 0)
			return -EINVAL;
	}
	return 0;
}

/* What the script never asked for was probably meant otherwise. */
static int check_params(const struct script *s, struct err *err)
{
	for (unsigned i = 0; i < s->params; i++) {
		if (!s->param[i].used)
			return err_usage(
				err, "--param: %s has no param(\"%s\")", s->path, s->param[i].name);
	}
	return 0;
}

int script_parse(struct script **ret, const struct script_source *from, struct err *err)
{
	struct script *s = calloc(1, sizeof *s);
	int rc;

	assert(s);
	if ((size_t)snprintf(s->path, sizeof s->path, "%s", from->path) >= sizeof s->path) {
		free(s);
		return err_usage(err, "the path of the lab has more than %zu bytes: move it",
			sizeof s->path - 1);
	}
	s->lines = 1;
	for (size_t i = 0; i + 1 < from->len; i++)
		s->lines += from->text[i] == '\n';
	s->load.read = s->load.write = s->load.cas = UINT64_MAX;
	rc = read_params(s, from->params, err);
	if (rc == 0)
		rc = run_script(s, from->text, from->len, err);
	if (rc == 0)
		rc = check_params(s, err);
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
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

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
	*ret_len = n > 0 ? (size_t)n : 0;
	if (n < 0)
		err_set(err, -errno, EXIT_USAGE, "read lab '%s': %s", path, strerror(errno));
	close(fd);
	return n < 0 ? -EIO : 0;
}

int script_open(struct script **ret, const char *path, const char *params, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	int rc = read_all(path, &text, &len, err);

	if (rc == 0)
		rc = script_parse(ret,
			&(struct script_source){
				.path = path, .text = text, .len = len, .params = params},
			err);
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
