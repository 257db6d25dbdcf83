/* SPDX-License-Identifier: MIT */
/*
 * main.c - sim: `pacelab simulate` by itself, for builds that have bugs put in on purpose
 *
 * --proto is --store. Where there are bugs (store/bugs.h), --list-bugs prints them and --bug NAME,
 * which comes first, has one of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cmd/cmd.h"
#include "store/bugs.h"

#ifdef PROTO_BUGS
/* Return: arguments taken. */
static int choose_bug(int argc, char **argv)
{
	const struct bug *bug;

	if (argc == 2 && !strcmp(argv[1], "--list-bugs")) {
		bugs_print(stdout);
		exit(EXIT_AS_EXPECTED);
	}
	if (argc < 3 || strcmp(argv[1], "--bug") != 0)
		return 0;
	bug = bugs_choose(argv[2]);
	if (!bug) {
		fprintf(stderr, "sim: there is no bug '%s'; --list-bugs has them\n", argv[2]);
		exit(EXIT_USAGE);
	}
	printf("with --bug %s: %s\n", bug->name, bug->what);
	fflush(stdout); /* an assertion that fails would lose it */
	return 2;
}
#else
static int choose_bug(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 0;
}
#endif

int main(int argc, char **argv)
{
	static char store[] = "--store";
	struct cmd_line line;
	struct err err = {0};
	int skip = choose_bug(argc, argv);
	int rc;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--proto"))
			argv[i] = store;
	rc = cmd_parse(&simulate_cmd, argv + 1 + skip, &line, &err);
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
