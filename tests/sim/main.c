/* SPDX-License-Identifier: MIT */
/*
 * main.c - sim: `pacelab simulate` by itself, for builds that have bugs put in on purpose
 *
 * --proto is --store.
 */
#include <stdio.h>
#include <string.h>

#include "agent/cmd/cmd.h"

int main(int argc, char **argv)
{
	static char store[] = "--store";
	struct cmd_line line;
	struct err err = {0};
	int rc;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--proto"))
			argv[i] = store;
	rc = cmd_parse(&simulate_cmd, argv + 1, &line, &err);
	if (rc > 0) {
		cmd_help(&simulate_cmd);
		return 0;
	}
	if (rc == 0)
		rc = simulate_cmd.main(&line, &err);
	if (err.code) {
		fprintf(stderr, "sim: %s\n", err.text);
		return (int)err.status;
	}
	return rc;
}
