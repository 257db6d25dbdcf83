/* SPDX-License-Identifier: MIT */
/*
 * script_args.h - what a word of a lab script was given: taken from the Lua stack, checked, with
 * units
 *
 * Internal to the script. All of these end the script by args_fail() when something is wrong, so
 * nothing that only the caller could free may be held across them.
 */
#ifndef LAB_SCRIPT_ARGS_H
#define LAB_SCRIPT_ARGS_H

#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "agent/lab/script.h"

/* A global function of scripts; it stands in its closure's first upvalue. */
struct word {
	const char *name;
	lua_CFunction function;
	const char *usage; /* an example that is right, for errors */
};

/* Named fields of a table: where each goes, and what makes sense. */
enum field_type {
	FIELD_COUNT,
	FIELD_RATE,
	FIELD_DURATION,
	FIELD_DURATIONS, /* a list; the number of them stands right behind the array */
	FIELD_SPAN,      /* "300ms-600ms": two durations in a row */
	FIELD_TEXT,      /* of @max bytes, 0: SCRIPT_TEXT_MAX */
	FIELD_BOOL,
	FIELD_OTHER /* the caller reads it */
};

struct field {
	const char *name; /* the table of fields ends with NULL */
	enum field_type type;
	size_t offset;
	uint64_t min;
	uint64_t max;
};

/* args_bind(), args_bound() - what a Lua state fills. args_script() - that of a lab script. */
void args_bind(lua_State *L, void *subject);
void *args_bound(lua_State *L);
struct script *args_script(lua_State *L);

/* args_line() - the line of the script that called the word at work; where no line of it is at
 * work, the one that args_at() said. */
int args_line(lua_State *L);
void args_at(lua_State *L, int line);

/* args_word() - the word at work. */
const struct word *args_word(lua_State *L);

/* args_fail() - end the script with "line: text". */
void args_fail(lua_State *L, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* args_expect() - fail unless there are @min to @max arguments. */
void args_expect(lua_State *L, int min, int max);

/* Argument @at; @what names it in errors. args_text() copies SCRIPT_TEXT_MAX bytes at most. */
void args_string(lua_State *L, int at, const char *what, char *ret, size_t size);
void args_text(lua_State *L, int at, const char *what, char *ret);
uint64_t args_duration(lua_State *L, int at, const char *what);
uint64_t args_count(lua_State *L, int at, const char *what, uint64_t min, uint64_t max);

/* args_names() - that @at is a list without holes or named fields. Return: its length. */
unsigned args_names(lua_State *L, int at, const char *what, unsigned max);

/* args_fields() - read the table at @at into @base; what it lacks is left as it is. */
void args_fields(lua_State *L, int at, const struct field *fields, void *base);

#endif
