/* SPDX-License-Identifier: MIT */
/* cmd.c - parsing and help of subcommands, both from the command's own table */
#include "agent/cmd/cmd.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HELP_COLUMN 24

static int option_find(const struct cmd *cmd, const char *name, size_t len)
{
	const struct cmd_option *o = cmd->option;

	for (int i = 0; o && o[i].name; i++) {
		assert(i < CMD_OPTIONS_MAX);
		if (strlen(o[i].name) == len && strncmp(o[i].name, name, len) == 0)
			return i;
	}
	return -1;
}

/* One option at argv[*at]; its value may be the next word. */
static int option_take(
	const struct cmd *cmd, char **argv, unsigned *at, struct cmd_line *ret, struct err *err)
{
	const char *word = argv[*at];
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	int i = option_find(cmd, word, len);

	if (i < 0)
		return err_usage(err, "unknown option %.*s; 'pacelab %s --help' lists them",
			(int)len, word, cmd->name);
	if (!cmd->option[i].value) {
		if (equals)
			return err_usage(err, "%.*s takes no value", (int)len, word);
		ret->value[i] = cmd->option[i].name;
		return 0;
	}
	if (equals) {
		ret->value[i] = equals + 1;
		return 0;
	}
	if (!argv[*at + 1])
		return err_usage(err, "%s needs a value: %s %s", word, word, cmd->option[i].value);
	ret->value[i] = argv[++*at];
	return 0;
}

int cmd_parse(const struct cmd *cmd, char **argv, struct cmd_line *ret, struct err *err)
{
	bool options = true;
	unsigned kept = 0;
	int rc;

	*ret = (struct cmd_line){.cmd = cmd, .arg = argv};
	for (unsigned i = 0; argv[i]; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options &&
			   (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
			return 1;
		} else if (options && argv[i][0] == '-' && argv[i][1] &&
			   !isdigit((unsigned char)argv[i][1])) {
			rc = option_take(cmd, argv, &i, ret, err);
			if (rc)
				return rc;
		} else {
			/* Arguments move to the front: kept never passes i. */
			argv[kept++] = argv[i];
			options = options && !cmd->rest;
		}
	}
	argv[kept] = NULL;
	ret->args = kept;
	if (kept < cmd->args_min || kept > cmd->args_max)
		return err_usage(err, "usage: pacelab %s%s%s%s; 'pacelab %s --help' says more",
			cmd->name, cmd->option ? " [OPTION...]" : "", *cmd->args ? " " : "",
			cmd->args, cmd->name);
	return 0;
}

void cmd_help(const struct cmd *cmd)
{
	printf("usage: pacelab %s%s%s%s\n\n%s\n", cmd->name, cmd->option ? " [OPTION...]" : "",
		*cmd->args ? " " : "", cmd->args, cmd->summary);
	if (cmd->help)
		printf("\n%s", cmd->help);
	printf("\n");
	for (const struct cmd_option *o = cmd->option; o && o->name; o++) {
		int used =
			printf("  %s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");

		printf("%*s%s\n", used < HELP_COLUMN ? HELP_COLUMN - used : 1, "", o->help);
	}
	printf("  %-*s%s\n", HELP_COLUMN - 2, "--help", "this text");
}

int cmd_need_root(const struct cmd *cmd, struct err *err)
{
	if (geteuid() == 0)
		return 0;
	return err_set(err, -EPERM, EXIT_CANNOT_RUN,
		"%s makes network namespaces and needs root: sudo pacelab %s ...", cmd->name,
		cmd->name);
}
