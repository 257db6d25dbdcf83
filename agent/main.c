/* SPDX-License-Identifier: MIT */
/* main.c - pacelab: the table of subcommands */
#include <stdio.h>
#include <string.h>

#include "agent/base/version.h"
#include "agent/cmd/cmd.h"

static const struct cmd *const commands[] = {
	&run_cmd,
	&compare_cmd,
	&pacelc_cmd,
	&pbs_cmd,
	&elections_cmd,
	&up_cmd,
	&down_cmd,
	&status_cmd,
	&watch_cmd,
	&exec_cmd,
	&shell_cmd,
	&cut_cmd,
	&link_cmd,
	&heal_cmd,
	&kill_cmd,
	&restart_cmd,
	&pause_cmd,
	&skew_cmd,
	&resume_cmd,
	&check_cmd,
	&convert_cmd,
	&log_cmd,
	&report_cmd,
	&simulate_cmd,
	&advise_cmd,
	&list_cmd,
	&driver_cmd,
	&doctor_cmd,
};

#define COMMANDS (sizeof commands / sizeof *commands)

static void help(FILE *out)
{
	fprintf(out, "usage: pacelab COMMAND [OPTION...] [ARGUMENT...]\n\n"
		     "What does consistency cost, and what breaks when the network does?\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-10s%s\n", commands[i]->name, commands[i]->summary);
	fprintf(out, "\n'pacelab COMMAND --help' says more; first try: pacelab run cap\n");
}

static const struct cmd *command_find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

static int fail(const struct err *err)
{
	(void)fflush(stdout);
	fprintf(stderr, "pacelab: %s\n", err->text);
	return (int)err->status;
}

int main(int argc, char **argv)
{
	const struct cmd *cmd;
	struct cmd_line line;
	struct err err = {0};
	int rc;

	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0) {
		help(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("pacelab %s\n", version);
		return 0;
	}
	cmd = command_find(argv[1]);
	if (!cmd) {
		err_usage(&err, "there is no command '%s'; 'pacelab --help' lists them", argv[1]);
		return fail(&err);
	}
	rc = cmd_parse(cmd, argv + 2, &line, &err);
	if (rc < 0)
		return fail(&err);
	if (rc > 0) {
		cmd_help(cmd);
		return 0;
	}
	rc = cmd->main(&line, &err);
	return err.code ? fail(&err) : rc;
}
