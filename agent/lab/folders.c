/* SPDX-License-Identifier: MIT */
/* folders.c - where scripts/labs and scripts/systems are, in the source tree or installed */
#include "agent/lab/folders.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* build/pacelab is one below the source tree, build/san-x/clang/tests/unit/x_test five. */
#define LEVELS_UP 5

void folders_own(char *ret, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", ret, size - 1);
	char *slash;

	ret[n > 0 ? n : 0] = '\0';
	slash = strrchr(ret, '/');
	if (slash)
		*slash = '\0';
	else
		(void)snprintf(ret, size, ".");
}

bool folders_list(const char *what, unsigned i, char *ret, size_t size)
{
	char own[200];
	char up[3 * LEVELS_UP + 1] = "";

	if (i == 0) {
		(void)snprintf(ret, size, "scripts/%s", what);
		return true;
	}
	folders_own(own, sizeof own);
	if (i > LEVELS_UP + 1)
		return false;
	if (i == LEVELS_UP + 1) {
		(void)snprintf(ret, size, "%s/../share/pacelab/%s", own, what);
		return true;
	}
	for (unsigned k = 0; k < i; k++)
		memcpy(up + 3 * k, "/..", sizeof "/..");
	(void)snprintf(ret, size, "%s%s/scripts/%s", own, up, what);
	return true;
}

bool folders_find(const char *what, char *ret, size_t size)
{
	struct stat st;

	for (unsigned i = 0; folders_list(what, i, ret, size); i++) {
		if (stat(ret, &st) == 0 && S_ISDIR(st.st_mode))
			return true;
	}
	return false;
}
