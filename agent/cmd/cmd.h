/* SPDX-License-Identifier: MIT */
/*
 * cmd.h - a subcommand as data: one table serves its parsing and its --help
 *
 * A command reads its options by the index that they have in its table:
 *
 *	enum { OPT_STORE, OPT_JSON };
 *	static const struct cmd_option options[] = {
 *		[OPT_STORE] = {"--store", "NAME", "the store to run"},
 *		[OPT_JSON] = {"--json", NULL, "print JSON"},
 *		{NULL, NULL, NULL},
 *	};
 *
 * line->value[OPT_STORE] is "raft" or NULL; line->value[OPT_JSON] is "--json" or NULL.
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/err.h"

#define CMD_OPTIONS_MAX 32
#define CMD_ARGS_ANY (~0u)

/* The table ends with a NULL name. "--help" belongs to every command and stands in no table. */
struct cmd_option {
	const char *name;  /* "--store" */
	const char *value; /* "NAME" as the help shows it; NULL for a switch */
	const char *help;
};

struct cmd_line {
	const struct cmd *cmd;
	const char *value[CMD_OPTIONS_MAX]; /* NULL where the option was not given */
	char **arg;                         /* what is not an option, NULL-terminated */
	unsigned args;
};

/**
 * struct cmd - one subcommand
 * @args:	as the help shows them: "LAB", "NODE COMMAND [ARGUMENT...]"; "" if there are none
 * @summary:	one line for the list of commands
 * @help:	more lines for its own help, each ended by a newline; may be NULL
 * @args_max:	CMD_ARGS_ANY: no limit
 * @rest:	options end at the first argument: what follows belongs to another program
 * @main:	Return: exit status. A failure fills @err; main() prints it and ends with its
 * status.
 */
struct cmd {
	const char *name;
	const char *args;
	const char *summary;
	const char *help;
	unsigned args_min;
	unsigned args_max;
	bool rest;
	const struct cmd_option *option;
	int (*main)(const struct cmd_line *line, struct err *err);
};

/* cmd_parse() - options may stand before, between and behind arguments; "--a=b" is "--a b".
 * Return: 0, 1 if --help was asked for, or -EINVAL with what is wrong in @err. */
int cmd_parse(const struct cmd *cmd, char **argv, struct cmd_line *ret, struct err *err);

/* cmd_help() - print the help of one command on stdout. */
void cmd_help(const struct cmd *cmd);

/* cmd_need_root() - Return: 0, or -EPERM with EXIT_CANNOT_RUN and the cure in @err. */
int cmd_need_root(const struct cmd *cmd, struct err *err);

extern const struct cmd run_cmd;
extern const struct cmd compare_cmd;
extern const struct cmd pacelc_cmd;
extern const struct cmd pbs_cmd;
extern const struct cmd elections_cmd;
extern const struct cmd up_cmd;
extern const struct cmd down_cmd;
extern const struct cmd status_cmd;
extern const struct cmd watch_cmd;
extern const struct cmd exec_cmd;
extern const struct cmd shell_cmd;
extern const struct cmd cut_cmd;
extern const struct cmd link_cmd;
extern const struct cmd heal_cmd;
extern const struct cmd kill_cmd;
extern const struct cmd restart_cmd;
extern const struct cmd pause_cmd;
extern const struct cmd skew_cmd;
extern const struct cmd resume_cmd;
extern const struct cmd check_cmd;
extern const struct cmd convert_cmd;
extern const struct cmd log_cmd;
extern const struct cmd report_cmd;
extern const struct cmd simulate_cmd;
extern const struct cmd advise_cmd;
extern const struct cmd list_cmd;
extern const struct cmd doctor_cmd;
extern const struct cmd driver_cmd;

#endif
