/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h - runs a Lua script that can compute and say its words, and nothing else
 *
 * Internal to those that read scripts: labs and system files.
 */
#ifndef LAB_SANDBOX_H
#define LAB_SANDBOX_H

#include <stddef.h>

#include <lua.h>

#include "agent/base/err.h"
#include "agent/lab/script_args.h"

/**
 * struct sandbox_words - the globals that a script has beside Lua's string, table and math
 * @list:	number @i, NULL after the last
 * @all:	for the error about an unknown one: "a lab has lab, site ..."
 */
struct sandbox_words {
	const struct word *(*list)(unsigned i);
	const char *all;
};

/**
 * struct sandbox - a script at work
 * @path:	what errors call it
 * @memory:	that its state has taken
 */
struct sandbox {
	lua_State *L;
	const char *path;
	const struct sandbox_words *words;
	size_t memory;
};

/* sandbox_open() - @bound is what args_bound() gives the words. What is pointed at stays. */
void sandbox_open(
	struct sandbox *s, const char *path, const struct sandbox_words *words, void *bound);

/**
 * sandbox_run() - run @text, the whole script
 * Return: 0, or -EINVAL with EXIT_USAGE and one line, "path:line: what is wrong: cure", in @err.
 */
int sandbox_run(struct sandbox *s, const char *text, size_t len, struct err *err);

/* sandbox_call() - the same for @word's function, which finds @ctx as light userdata at 1. */
int sandbox_call(struct sandbox *s, const struct word *word, void *ctx, struct err *err);

void sandbox_close(struct sandbox *s);

/* sandbox_read() - the text of the file at @path, to be freed; @noun says what it should be. */
int sandbox_read(const char *path, const char *noun, char **ret, size_t *ret_len, struct err *err);

#endif
