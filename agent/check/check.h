/* SPDX-License-Identifier: MIT */
/*
 * check.h - is a history what its model allows?
 *
 * Checkers are pure: no clock but the one for their budget, no I/O.
 */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/history/history.h"

enum check_verdict { CHECK_OK, CHECK_VIOLATION, CHECK_UNKNOWN, CHECK_VERDICT_NR };
extern const char *const check_verdict_names[CHECK_VERDICT_NR]; /* "ok" "violation" "unknown" */

#define CHECK_WITNESS_MAX 1024 /* operations; beyond that a witness is cut and proves nothing */
#define CHECK_WITNESS_READ 32  /* of them that people are shown: the last ones */
#define CHECK_WORDS_MAX 1024

/* How far a check has come; may be shared with the process that shows it. */
struct check_progress {
	_Atomic uint64_t judged; /* operations */
	_Atomic uint64_t of;     /* 0: not known yet */
};

/* What a check may take beside the history; what it answers does not depend on @jobs. */
struct check_budget {
	uint64_t time_ns;                /* 0: no limit */
	uint64_t memory_bytes;           /* 0: no limit */
	unsigned jobs;                   /* threads; 0: one */
	struct check_progress *progress; /* NULL: nobody looks */
};

/* How a witness calls nodes and keys; fields may be NULL: then numbers are printed. */
struct check_names {
	const char *const *node; /* by node index */
	unsigned nodes;
	uint64_t t0_ns; /* times are printed in seconds since then */
};

/**
 * struct check_result - verdict and why
 * @operations:	that were judged
 * @keys:	that they were about
 * @seconds:	that it took
 * @witness:	indexes into the history's operations that prove a violation, in time order
 * @words:	the witness for people: "n5 answered 7 at 6.204 s, 1.1 s after 9 was acknowledged by
 * n1"
 */
struct check_result {
	enum check_verdict verdict;
	size_t operations;
	size_t keys;
	double seconds;
	size_t witness[CHECK_WITNESS_MAX];
	size_t witnesses;
	char words[CHECK_WORDS_MAX];
};

/* Types of objects, by the kinds of operations that a history has (see history_kind). */
enum check_type {
	CHECK_REGISTER,
	CHECK_LIST,
	CHECK_SET,
	CHECK_COUNTER,
	CHECK_BANK,
	CHECK_TRANSACTIONS,
	CHECK_TEXT, /* strings that are written and appended to, read as lists of their parts */
	CHECK_TYPE_NR
};
extern const char *const check_type_names[CHECK_TYPE_NR];

/**
 * struct check_ops - one model for one type of object; a file each
 * @name:	"linearizable", "causal-cc", "read-your-writes"; may be the same for several types
 * @summary:	one line for people
 * @type:	of the histories that it judges
 * @asked:	of histories that keep a convention which no history tells: judged only if asked for
 * @implies:	names of the next weaker models that every history which fits this one fits, too;
 *		NULL-terminated. They make the lattice through which `--model auto` goes.
 * @check:	Return: 0 with @ret filled; a negative errno only if the history is not of @type
 *		(EXIT_USAGE) or memory is out
 */
struct check_ops {
	const char *name;
	const char *summary;
	enum check_type type;
	bool asked;
	const char *const *implies;
	int (*check)(const struct history_ops *h, const struct check_budget *budget,
		const struct check_names *names, struct check_result *ret, struct err *err);
};

/* check_type_of() - of @h; -EINVAL and EXIT_USAGE if its kinds of operations do not go together. */
int check_type_of(const struct history_ops *h, enum check_type *ret, struct err *err);

/* check_find() - a model by name for objects of a type, NULL if there is none. check_list() -
 * number @i of the table in models.c, NULL after the last. */
const struct check_ops *check_find(const char *name, enum check_type type);
const struct check_ops *check_list(unsigned i);

/* check_strongest() - the first in the table for a type. check_known() - for any type. */
const struct check_ops *check_strongest(enum check_type type);
bool check_known(const char *name);

#define CHECK_MODELS_MAX 32 /* of one type */

/**
 * struct check_auto_model - one model and what it says of a history
 * @result:	if it was judged; only the verdict if it follows from that of another one
 * @strongest:	kept, and implied by no other one that was kept
 * @weakest:	broken, and implies no other one that was broken
 */
struct check_auto_model {
	const struct check_ops *ops;
	struct check_result result;
	bool follows;
	bool strongest;
	bool weakest;
};

/**
 * struct check_auto - all models for one type of objects, the strongest first
 * @broken:	the first of the weakest that were broken, with its witness; NULL if all were kept
 */
struct check_auto {
	struct check_auto_model model[CHECK_MODELS_MAX];
	unsigned models;
	const struct check_auto_model *broken;
};

/* check_auto() - judge them all within @budget. Return: as of struct check_ops. */
int check_auto(const struct history_ops *h, enum check_type type, const struct check_budget *budget,
	const struct check_names *names, struct check_auto *ret, struct err *err);

/**
 * struct check_lost - acknowledged writes that are gone
 * A write is lost if it was acknowledged, and every final read of its key, of which at least one
 * began after that, returned a value that is surely older than it: "nothing", or one whose own
 * write had returned before the lost one was invoked.
 */
struct check_lost {
	uint64_t acknowledged; /* writes and successful CAS */
	uint64_t lost;
	uint64_t keys_without_final_read; /* their writes cannot be judged */
	uint64_t diverged_keys;           /* final reads of different replicas differ */
	char words[CHECK_WORDS_MAX];      /* the first one lost, "" if none */
};

void check_lost(
	const struct history_ops *h, const struct check_names *names, struct check_lost *ret);

/* check_lost_objects() - the same of sets and counters; of these, what their increases add up to.
 * An element is lost that no final read shows; a counter, what the highest one lacks. */
void check_lost_objects(const struct history_ops *h, enum check_type type,
	const struct check_names *names, struct check_lost *ret);

#endif
