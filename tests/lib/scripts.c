/* SPDX-License-Identifier: MIT */
/* scripts.c - drivers that are programs in scripts/systems/drivers, for tests */
#include "tests/lib/scripts.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/load/plugin.h"
#include "tests/lib/need.h"
#include "tests/lib/test.h"

static char folder[] = "/tmp/pacelab-scripts-XXXXXX";
static bool made;

static void copy(const char *name)
{
	char path[PATH_MAX], text[4096];
	FILE *from, *to;
	size_t n;

	(void)snprintf(path, sizeof path, "scripts/systems/drivers/%s", name);
	from = fopen(path, "r");
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	to = fopen(path, "w");
	assert_true(from && to);
	while ((n = fread(text, 1, sizeof text, from)) > 0)
		assert_int_equal(fwrite(text, 1, n, to), n);
	(void)fclose(from);
	assert_int_equal(fclose(to), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

const struct driver_ops *scripts_driver(const char *name)
{
	const struct driver_ops *ops;
	struct err err = {0};
	char text[PATH_MAX];

	need_feature(access("/usr/bin/python3", X_OK) == 0, "no /usr/bin/python3");
	if (!made) {
		assert_non_null(mkdtemp(folder));
		made = true;
		assert_int_equal(chmod(folder, 0755), 0);
		copy("driver.py");
		(void)snprintf(text, sizeof text, "%s.py", name);
		copy(text);
	}
	(void)snprintf(text, sizeof text, "program:%s/%s.py", folder, name);
	ops = plugin_find(text, &err);
	if (!ops)
		fail_msg("%s", err.text);
	return ops;
}

int scripts_remove(void **state)
{
	DIR *d = made ? opendir(folder) : NULL;
	const struct dirent *e;

	(void)state;
	while (d && (e = readdir(d)))
		(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		(void)closedir(d);
	return made ? rmdir(folder) : 0;
}
