/* SPDX-License-Identifier: MIT */
/* script_args.c - what a word of a lab script was given, checked and with units */
#include "agent/lab/script_args.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "agent/base/units.h"
#include "agent/lab/near.h"

#define MESSAGE_MAX 600

/* The Lua state's extra space points to it. */
void args_bind(lua_State *L, void *subject)
{
	*(void **)lua_getextraspace(L) = subject;
}

void *args_bound(lua_State *L)
{
	return *(void **)lua_getextraspace(L);
}

struct script *args_script(lua_State *L)
{
	return args_bound(L);
}

/* Its address names the line of args_at() in the registry. */
static const char at_key;

void args_at(lua_State *L, int line)
{
	lua_pushinteger(L, line);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &at_key);
}

int args_line(lua_State *L)
{
	lua_Debug ar;
	int line;

	for (int level = 1; lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "l", &ar);
		if (ar.currentline > 0)
			return ar.currentline;
	}
	lua_rawgetp(L, LUA_REGISTRYINDEX, &at_key);
	line = (int)lua_tointeger(L, -1);
	lua_pop(L, 1);
	return line > 0 ? line : 1;
}

void args_fail(lua_State *L, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	lua_pushfstring(L, ":%d: %s", args_line(L), text);
	lua_error(L);
	__builtin_unreachable();
}

const struct word *args_word(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

void args_expect(lua_State *L, int min, int max)
{
	if (lua_gettop(L) < min || lua_gettop(L) > max)
		args_fail(L, "%s() got %d arguments: write %s", args_word(L)->name, lua_gettop(L),
			args_word(L)->usage);
}

void args_string(lua_State *L, int at, const char *what, char *ret, size_t size)
{
	size_t len;
	const char *text;

	if (lua_type(L, at) != LUA_TSTRING)
		args_fail(L, "%s is a %s, not a string: write %s", what, luaL_typename(L, at),
			args_word(L)->usage);
	text = lua_tolstring(L, at, &len);
	if (len == 0)
		args_fail(L, "%s is empty: write %s", what, args_word(L)->usage);
	for (size_t i = 0; i < len; i++) {
		if (!isprint((unsigned char)text[i]))
			args_fail(L, "%s has a byte 0x%02x in it: use letters and digits", what,
				(unsigned char)text[i]);
	}
	if (len >= size)
		args_fail(L, "%s '%.20s...' has %zu bytes: %zu is the most", what, text, len,
			size - 1);
	memcpy(ret, text, len + 1);
}

void args_text(lua_State *L, int at, const char *what, char *ret)
{
	args_string(L, at, what, ret, SCRIPT_TEXT_MAX);
}

static uint64_t parse_duration(lua_State *L, const char *what, const char *text)
{
	struct err err = {0};
	uint64_t ns = 0;

	if (units_parse_duration(text, &ns, &err) < 0)
		args_fail(L, "%s: %s", what, err.text);
	return ns;
}

uint64_t args_duration(lua_State *L, int at, const char *what)
{
	char text[SCRIPT_TEXT_MAX];

	if (lua_type(L, at) == LUA_TNUMBER)
		args_fail(L,
			"%s: %s has no unit: write a string with ns, us, ms, s, m or h, like "
			"\"20ms\"",
			what, lua_tostring(L, at));
	args_text(L, at, what, text);
	return parse_duration(L, what, text);
}

uint64_t args_count(lua_State *L, int at, const char *what, uint64_t min, uint64_t max)
{
	int whole = 0;
	lua_Integer n = 0;

	if (lua_type(L, at) == LUA_TNUMBER)
		n = lua_tointegerx(L, at, &whole);
	if (!whole || n < 0 || (uint64_t)n < min || (uint64_t)n > max)
		args_fail(L, "%s is %s: write a whole number from %llu to %llu", what,
			luaL_tolstring(L, at, NULL), (unsigned long long)min,
			(unsigned long long)max);
	return (uint64_t)n;
}

static void check_duration_range(
	lua_State *L, const struct field *field, const char *what, uint64_t ns)
{
	char min[32];
	char max[32];

	if (ns < field->min || ns > field->max)
		args_fail(L, "%s is out of range: %s to %s make sense", what,
			units_print_duration(field->min, min, sizeof min),
			units_print_duration(field->max, max, sizeof max));
}

static void take_span(lua_State *L, const struct field *field, const char *what, uint64_t *ret)
{
	char text[SCRIPT_TEXT_MAX];
	char *dash;

	args_text(L, -1, what, text);
	dash = strchr(text, '-');
	if (!dash)
		args_fail(L, "%s: '%s' is not a span: write two durations, like \"300ms-600ms\"",
			what, text);
	*dash = '\0';
	ret[0] = parse_duration(L, what, text);
	ret[1] = parse_duration(L, what, dash + 1);
	check_duration_range(L, field, what, ret[0]);
	check_duration_range(L, field, what, ret[1]);
	if (ret[0] > ret[1])
		args_fail(L, "%s: %s is more than %s: write the shorter one first", what, text,
			dash + 1);
}

static void take_durations(lua_State *L, const struct field *field, const char *what, char *base)
{
	uint64_t *list = (uint64_t *)(base + field->offset);
	unsigned *count = (unsigned *)(list + SCRIPT_RTTS_MAX);
	lua_Unsigned n;

	if (lua_type(L, -1) != LUA_TTABLE || lua_rawlen(L, -1) == 0)
		args_fail(L, "%s is not a list: write %s", what, args_word(L)->usage);
	n = lua_rawlen(L, -1);
	if (n > SCRIPT_RTTS_MAX)
		args_fail(L, "%s has %llu entries: %d is the most", what, (unsigned long long)n,
			SCRIPT_RTTS_MAX);
	for (lua_Unsigned i = 0; i < n; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		list[i] = args_duration(L, -1, what);
		check_duration_range(L, field, what, list[i]);
		for (lua_Unsigned k = 0; k < i; k++) {
			if (list[k] == list[i])
				args_fail(L, "%s has '%s' twice", what, lua_tostring(L, -1));
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

	(void)snprintf(what, sizeof what, "'%s' of %s", field->name, args_word(L)->name);
	switch (field->type) {
	case FIELD_COUNT:
		*(uint64_t *)to = args_count(L, -1, what, field->min, field->max);
		break;
	case FIELD_RATE:
		rate = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
		if (!(rate > 0 && rate <= SCRIPT_RATE_MAX))
			args_fail(L,
				"%s is %s: write operations per second, more than 0, at most %.0f",
				what, luaL_tolstring(L, -1, NULL), SCRIPT_RATE_MAX);
		*(double *)to = rate;
		break;
	case FIELD_DURATION:
		*(uint64_t *)to = args_duration(L, -1, what);
		check_duration_range(L, field, what, *(uint64_t *)to);
		break;
	case FIELD_DURATIONS:
		take_durations(L, field, what, base);
		break;
	case FIELD_SPAN:
		take_span(L, field, what, to);
		break;
	case FIELD_TEXT:
		args_string(L, -1, what, to, field->max ? field->max : SCRIPT_TEXT_MAX);
		break;
	case FIELD_BOOL:
		if (!lua_isboolean(L, -1))
			args_fail(L, "%s is a %s: write true or false", what, luaL_typename(L, -1));
		*(bool *)to = lua_toboolean(L, -1);
		break;
	case FIELD_OTHER:
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
	args_fail(L, "%s has no field '%.40s'%s it has %s", args_word(L)->name, name,
		near.best ? near_text(&near, hint, sizeof hint) : ":", all);
}

void args_fields(lua_State *L, int at, const struct field *fields, void *base)
{
	if (lua_type(L, at) != LUA_TTABLE)
		args_fail(L, "%s() got a %s, not a table: write %s", args_word(L)->name,
			luaL_typename(L, at), args_word(L)->usage);
	lua_pushnil(L);
	while (lua_next(L, at)) {
		const struct field *field = fields;
		int top = lua_gettop(L);

		if (lua_type(L, -2) != LUA_TSTRING)
			args_fail(L, "%s has a value without a name: write %s", args_word(L)->name,
				args_word(L)->usage);
		while (field->name && strcmp(field->name, lua_tostring(L, -2)) != 0)
			field++;
		if (!field->name)
			fail_unknown_field(L, lua_tostring(L, -2), fields);
		take_field(L, field, base);
		lua_settop(L, top - 1); /* leave the key for lua_next() */
	}
}

unsigned args_names(lua_State *L, int at, const char *what, unsigned max)
{
	lua_Unsigned count = 0;

	if (lua_type(L, at) != LUA_TTABLE)
		args_fail(L, "%s is a %s, not a list: write %s", what, luaL_typename(L, at),
			args_word(L)->usage);
	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1))
		count++;
	if (count != lua_rawlen(L, at))
		args_fail(L, "%s is not a plain list: write %s", what, args_word(L)->usage);
	if (count > max)
		args_fail(L, "%s has %llu names: %u is the most", what, (unsigned long long)count,
			max);
	return (unsigned)count;
}
