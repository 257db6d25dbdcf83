/* SPDX-License-Identifier: MIT */
/* ci.h - the files that --junit and --markdown ask for: what a service for CI shows of runs */
#ifndef CMD_CI_H
#define CMD_CI_H

#include "agent/report/compare.h"

/* What the options have; NULL: not asked for. A JUnit file is written anew. Markdown is added to
 * its file, which may be the summary of a job that others write to as well. */
struct ci_wish {
	const char *junit;
	const char *markdown;
};

#define CI_JUNIT_OPTION \
	{ \
		"--junit", "FILE", "also tell it as JUnit XML, for CI" \
	}
#define CI_MARKDOWN_OPTION \
	{ \
		"--markdown", "FILE", "also add it to FILE as Markdown, for CI" \
	}

/* ci_try() - can these files be written? Asked before anything is begun. */
int ci_try(const struct ci_wish *wish, struct err *err);

/* ci_run() - of one run, by its results.json at @path. */
int ci_run(const struct ci_wish *wish, const char *path, struct err *err);

/**
 * struct ci_store - one run of several
 * @dir:	its folder below that of the comparison; NULL: it has no result, and @why says why
 */
struct ci_store {
	const char *name;
	const char *dir;
	const char *why;
};

/**
 * struct ci_comparison - several runs of one lab
 * @system, @row, @rows:	of those that have a result
 * @store, @stores:	all of them
 */
struct ci_comparison {
	const char *lab;
	const char *dir;
	const struct system *const *system;
	const struct summary *row;
	unsigned rows;
	const struct ci_store *store;
	unsigned stores;
};

/* ci_compared() - of all these; their results.json are read again. */
int ci_compared(const struct ci_wish *wish, const struct ci_comparison *c, struct err *err);

#endif
