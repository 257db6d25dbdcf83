/* SPDX-License-Identifier: MIT */
/* compare.h - commands that run one lab on several stores: one table of options for all */
#ifndef CMD_COMPARE_H
#define CMD_COMPARE_H

#include "agent/cmd/cmd.h"
#include "agent/report/compare.h"

extern const struct cmd_option compare_options[];

/**
 * struct compare_kind - what a command fixes
 * @name:	of the comparison, for its folder and files
 * @lab:	NULL: the first argument
 * @quick_lab:	instead of it with --quick; NULL: the same, with shorter phases
 * @stores:	unless --stores says others; NULL: it must
 */
struct compare_kind {
	const char *name;
	const char *lab;
	const char *quick_lab;
	const char *stores;
	const struct compare_table *table;
};

/* compare_run() - body of such a command. Return: exit status. */
int compare_run(const struct cmd_line *line, const struct compare_kind *kind, struct err *err);

#endif
