/* SPDX-License-Identifier: MIT */
/*
 * real_script.h - a system file at work: its Lua state, its rows, and what they come to
 *
 * Internal to real.c. A file is run anew whenever something is asked of it, so that nothing of Lua
 * outlives the answer.
 */
#ifndef LAB_REAL_SCRIPT_H
#define LAB_REAL_SCRIPT_H

#include "agent/lab/plan.h"
#include "agent/lab/real.h"
#include "agent/lab/sandbox.h"

#define REAL_ROWS_MAX 32 /* of one file: a system and its variants */
#define REAL_KNOB_MAX 32 /* bytes of a knob's name, and of a value */
#define REAL_SENTENCE_MAX 512
#define REAL_COPIED_MAX (4u << 20) /* bytes that the nodes of a lab may take */
#define REAL_READY_NS 30000000000ull

struct real_knob {
	char name[REAL_KNOB_MAX];
	char value[REAL_CHOICES_MAX][REAL_KNOB_MAX];
	unsigned values;
};

struct real_words {
	char word[REAL_PACKAGES_MAX][REAL_WORD_MAX];
	unsigned n;
};

/* What system() and variant() say in so many words. */
struct real_fields {
	char driver[REAL_WORD_MAX];
	char kept[REAL_SENTENCE_MAX];
	char differs[REAL_SENTENCE_MAX];
	char not_run[REAL_SENTENCE_MAX];
	char install[REAL_WORD_MAX];
	struct real_words packages;
	struct real_words programs;
	struct real_words folders;
	uint64_t port;
	uint64_t nodes_min;
	uint64_t nodes_max;
	double rate;
	uint64_t clients;
	uint64_t deadline_ns;
	uint64_t cut_ns;
	uint64_t settle_ns;
	uint64_t warmup_ns;
	uint64_t ready_ns;
	bool leader;
	bool skew;
	bool apart;
	bool notices;
};

/**
 * struct real_row - a system, or a variant of it with what it has of the system
 * @like, @client, @node: texts and functions, as references in the Lua registry; LUA_NOREF
 * @choice:	value of each knob
 */
struct real_row {
	char name[REAL_NAME_MAX];
	int line;
	struct real_fields fields;
	int like;
	int client;
	int node;
	unsigned choice[REAL_KNOBS_MAX];
};

struct real_script {
	struct sandbox sandbox;
	char path[PLAN_PATH_MAX];
	struct real_knob knob[REAL_KNOBS_MAX]; /* sorted by name */
	unsigned knobs;
	struct real_row row[REAL_ROWS_MAX]; /* the system is the first */
	unsigned rows;
};

/* real_script_open() - run the file at @path. real_script_parse() - the same for a text.
 * Return: 0, or a negative errno with EXIT_USAGE and file, line and cure in @err. */
int real_script_open(struct real_script **ret, const char *path, struct err *err);
int real_script_parse(
	struct real_script **ret, const char *path, const char *text, size_t len, struct err *err);
void real_script_close(struct real_script *f);

/**
 * real_script_row() - what row number @i says, but for its nodes
 * @set:	knobs, or NULL
 */
int real_script_row(
	struct real_script *f, unsigned i, const char *set, struct real **ret, struct err *err);

/* real_script_nodes() - call node() of row number @i for each replica of @plan; @r has its knobs.
 */
int real_script_nodes(struct real_script *f, unsigned i, const struct plan *plan, struct real *r,
	struct err *err);

/* real_script_push_knobs() - a table of all knobs on the stack. */
void real_script_push_knobs(lua_State *L, const struct real_script *f, const unsigned *choice);

/* real_script_function_line() - errors are of the line where the function on the stack begins. */
void real_script_function_line(lua_State *L);

/* real_copy() - strdup() that cannot fail. */
char *real_copy(const char *text);

#endif
