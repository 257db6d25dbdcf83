/* SPDX-License-Identifier: MIT */
/* convert.c - pacelab convert: a history from one format into another */
#include <string.h>

#include "agent/cmd/cmd.h"
#include "agent/cmd/format_option.h"

enum { OPT_FROM, OPT_TO };

static const struct cmd_option options[] = {
	[OPT_FROM] = {"--from", "FORMAT", "format of IN: " FORMAT_OPTION_NAMES " (by its content)"},
	[OPT_TO] = {"--to", "FORMAT", "format of OUT: bin, jsonl or edn (by its name)"},
	{NULL, NULL, NULL},
};

/* The format that a name ends with. */
static const char *ending(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *dot = strrchr(slash ? slash : path, '.');

	return dot ? dot + 1 : NULL;
}

static int convert_main(const struct cmd_line *line, struct err *err)
{
	const char *to = line->value[OPT_TO] ? line->value[OPT_TO] : ending(line->arg[1]);
	enum history_format from_format;
	enum history_format to_format;
	struct history_ops ops;

	if (format_option("--from", line->value[OPT_FROM], &from_format, err))
		return err->status;
	if (!to) {
		(void)err_usage(err, "'%s' does not end with a format: add --to bin, jsonl or edn",
			line->arg[1]);
		return err->status;
	}
	if (format_option("--to", to, &to_format, err))
		return err->status;
	if (history_read_as(&ops, line->arg[0], from_format, err))
		return err->status;
	(void)history_write(&ops, line->arg[1], to_format, err);
	history_ops_fini(&ops);
	return err->code ? (int)err->status : EXIT_AS_EXPECTED;
}

const struct cmd convert_cmd = {
	.name = "convert",
	.args = "IN OUT",
	.summary = "write a history in another format",
	.help = "Reads what `pacelab check` reads. bin is a binary history, jsonl JSON lines, edn events\n"
		"as Jepsen has them; json (the same events) and log (Jepsen's log) are only read.\n",
	.args_min = 2,
	.args_max = 2,
	.option = options,
	.main = convert_main,
};
