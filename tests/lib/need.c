/* SPDX-License-Identifier: MIT */
/* need.c - what a test needs to run: root, a kernel feature */
#include "tests/lib/need.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/test.h"

#include "agent/lab/folders.h"
#include "agent/load/plugin.h"

#define REASON_MAX 256

static bool must_work(void)
{
	const char *value = getenv("MUST_WORK");

	return value && strcmp(value, "1") == 0;
}

void need_feature(bool have, const char *reason, ...)
{
	char text[REASON_MAX];
	va_list args;

	if (have)
		return;
	va_start(args, reason);
	(void)vsnprintf(text, sizeof text, reason, args);
	va_end(args);
	if (must_work() && strncmp(text, "elsewhere:", strlen("elsewhere:")) != 0)
		fail_msg("%s, and MUST_WORK=1", text);
	/* cmocka has no place for a reason: tests/lib/tap.awk takes it from this line. */
	(void)printf("# skip: %s\n", text);
	skip();
}

void need_root(void)
{
	need_feature(geteuid() == 0, "not root");
}

bool time_is_emulated(void)
{
	return getenv("VM_TIME") != NULL;
}

void need_true_time(void)
{
	need_feature(!time_is_emulated(), "elsewhere: time is emulated here");
}

const struct driver_ops *need_driver(const char *name)
{
	const struct driver_ops *ops;
	char own[PATH_MAX - 32], drivers[PATH_MAX];
	struct err err = {0};

	folders_own(own, sizeof own);
	(void)snprintf(drivers, sizeof drivers, "%s/../../drivers", own);
	assert_int_equal(setenv("PACELAB_DRIVERS", drivers, 1), 0);
	ops = plugin_find(name, &err);
	need_feature(ops != NULL, "%s", err.text);
	return ops;
}
