/* SPDX-License-Identifier: MIT */
/* format_option.h - an option whose value is a format of histories */
#ifndef CMD_FORMAT_OPTION_H
#define CMD_FORMAT_OPTION_H

#include <string.h>

#include "agent/base/err.h"
#include "agent/history/history.h"

#define FORMAT_OPTION_NAMES "bin, jsonl, edn, json, log"

/* format_option() - the format of that name; HISTORY_FORMAT_NR if @name is NULL.
 * Return: 0, or -EINVAL and EXIT_USAGE. */
static inline int format_option(
	const char *option, const char *name, enum history_format *ret, struct err *err)
{
	for (*ret = 0; name && *ret < HISTORY_FORMAT_NR; (*ret)++)
		if (strcmp(name, history_format_names[*ret]) == 0)
			return 0;
	*ret = HISTORY_FORMAT_NR;
	return name ? err_usage(err, "%s: unknown format '%s'; known: " FORMAT_OPTION_NAMES, option,
			      name)
		    : 0;
}

#endif
