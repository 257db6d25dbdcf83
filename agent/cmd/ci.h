/* SPDX-License-Identifier: MIT */
/* ci.h - the files that --junit and --markdown ask for: what a service for CI shows of runs */
#ifndef CMD_CI_H
#define CMD_CI_H

#include "agent/report/compare_html.h"

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

/* ci_compared() - of several runs of one lab; their results.json are read again. */
int ci_compared(const struct ci_wish *wish, const struct compare_page *p, struct err *err);

#endif
