/* SPDX-License-Identifier: MIT */
/*
 * sandbox.c - runs a Lua script that can compute and say its words, and nothing else
 *
 * Theory of operation
 *
 * The script sees string, table, math, the harmless part of the base library and the words that it
 * is given. It has no way to read or write a file, to load other code, or to catch an error (a
 * caught error could hide that a limit was hit). Memory is limited by the state's allocator and
 * time by a count hook, so that an endless loop ends with an error like any other.
 *
 * Lua reports errors by longjmp(): between two calls into Lua nothing may be held that only the
 * caller could free.
 *
 * The chunk is named "", so every message begins with ":line: "; the path is put in front in one
 * place, and Lua does not shorten it.
 */
#include "agent/lab/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "agent/lab/near.h"

static const char *const base_kept[] = {"assert", "error", "ipairs", "next", "pairs", "select",
	"tonumber", "tostring", "type", NULL};

/* math.random() would differ from run to run: a lab is the same each time. */
static const char *const math_dropped[] = {"random", "randomseed", NULL};

/* Reading a global that is not there: a word was mistyped, or is not for such scripts. */
static int unknown_word(lua_State *L)
{
	const struct sandbox_words *words = lua_touserdata(L, lua_upvalueindex(1));
	const char *name = luaL_tolstring(L, 2, NULL);
	struct near near = near_to(name);
	char hint[96];

	for (unsigned i = 0; words->list(i); i++)
		near_offer(&near, words->list(i)->name);
	for (const char *const *kept = base_kept; *kept; kept++)
		near_offer(&near, *kept);
	if (near.best)
		args_fail(L, "unknown word '%.40s'%s", name, near_text(&near, hint, sizeof hint));
	args_fail(
		L, "unknown word '%.40s': %s, and Lua's string, table and math", name, words->all);
}

static void open_libraries(lua_State *L, const struct sandbox_words *words)
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
	for (unsigned i = 0; words->list(i); i++) {
		lua_pushlightuserdata(L, (void *)words->list(i));
		lua_pushcclosure(L, words->list(i)->function, 1);
		lua_setfield(L, -2, words->list(i)->name);
	}
	lua_createtable(L, 0, 1);
	lua_pushlightuserdata(L, (void *)words);
	lua_pushcclosure(L, unknown_word, 1);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	/* Chunks that are loaded from now on see this table, and nothing else, as their globals. */
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
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
	const struct sandbox_words *words;
	const char *p;
	size_t len;
};

/* Runs protected: anything in it may fail by lua_error(). */
static int run_text(lua_State *L)
{
	const struct text *text = lua_touserdata(L, 1);

	open_libraries(L, text->words);
	/* Text only: compiled chunks can break the interpreter. */
	if (luaL_loadbufferx(L, text->p, text->len, "@", "t") != LUA_OK)
		return lua_error(L);
	lua_call(L, 0, 0);
	return 0;
}

void sandbox_open(
	struct sandbox *s, const char *path, const struct sandbox_words *words, void *bound)
{
	*s = (struct sandbox){.path = path, .words = words};
	s->L = lua_newstate(limited_alloc, &s->memory);
	assert(s->L);
	args_bind(s->L, bound);
}

int sandbox_call(struct sandbox *s, const struct word *word, void *ctx, struct err *err)
{
	lua_State *L = s->L;
	const char *message;
	int status;

	lua_sethook(L, too_long, LUA_MASKCOUNT, SCRIPT_INSTRUCTIONS_MAX); /* counts anew */
	lua_pushlightuserdata(L, (void *)word);
	lua_pushcclosure(L, word->function, 1);
	lua_pushlightuserdata(L, ctx);
	status = lua_pcall(L, 1, 0, 0);
	if (status == LUA_OK)
		return 0;
	message = lua_tostring(L, -1);
	if (status == LUA_ERRMEM)
		err_usage(err, "%s:1: the script needs more than %u MiB of memory: make it smaller",
			s->path, SCRIPT_MEMORY_MAX >> 20);
	else if (message && message[0] == ':')
		err_usage(err, "%s%s", s->path, message);
	else
		err_usage(err, "%s:1: %s", s->path, message ? message : "error without text");
	err_one_line(err); /* Lua quotes the script in some of its own */
	lua_settop(L, 0);
	return -EINVAL;
}

int sandbox_run(struct sandbox *s, const char *text, size_t len, struct err *err)
{
	static const struct word whole = {"script", run_text, ""};
	struct text chunk = {s->words, text, len};

	return sandbox_call(s, &whole, &chunk, err);
}

void sandbox_close(struct sandbox *s)
{
	if (s->L)
		lua_close(s->L);
	s->L = NULL;
}

int sandbox_read(const char *path, const char *noun, char **ret, size_t *ret_len, struct err *err)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* nor does it wait for a FIFO */
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return err_set(err, -errno, EXIT_USAGE, "%s '%s': %s: is the path right?", noun,
			path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > SCRIPT_BYTES_MAX) {
		close(fd);
		return err_usage(err, "%s '%s' is not a file of at most %u KiB: give a Lua script",
			noun, path, SCRIPT_BYTES_MAX >> 10);
	}
	*ret = malloc((size_t)st.st_size + 1);
	assert(*ret);
	n = read(fd, *ret, (size_t)st.st_size);
	*ret_len = n > 0 ? (size_t)n : 0;
	if (n < 0)
		err_set(err, -errno, EXIT_USAGE, "read %s '%s': %s", noun, path, strerror(errno));
	close(fd);
	return n < 0 ? -EIO : 0;
}
