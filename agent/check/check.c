/* SPDX-License-Identifier: MIT */
/* check.c - the models that can be checked, by name */
#include "agent/check/check.h"

#include <string.h>

const char *const check_verdict_names[CHECK_VERDICT_NR] = {
	[CHECK_OK] = "ok",
	[CHECK_VIOLATION] = "violation",
	[CHECK_UNKNOWN] = "unknown",
};

static const struct check_ops *const check_models[] = {
	&linearizable_ops,
	NULL,
};

const struct check_ops *check_list(unsigned i)
{
	return i < sizeof check_models / sizeof *check_models ? check_models[i] : NULL;
}

const struct check_ops *check_find(const char *name)
{
	for (unsigned i = 0; check_list(i); i++)
		if (strcmp(check_list(i)->name, name) == 0)
			return check_list(i);
	return NULL;
}
