/* SPDX-License-Identifier: MIT */
/* files.h - a folder of the test's own, with one history in it */
#ifndef TESTS_CHECK_FILES_H
#define TESTS_CHECK_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/history/history.h"
#include "tests/lib/test.h"

struct files {
	char dir[32];
	char path[64];
};

static inline int files_setup(void **state)
{
	struct files *f = calloc(1, sizeof *f);

	assert_non_null(f);
	(void)snprintf(f->dir, sizeof f->dir, "/tmp/history-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof f->path, "%s/history", f->dir);
	*state = f;
	return 0;
}

static inline int files_teardown(void **state)
{
	struct files *f = *state;

	(void)unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

/* All bytes of the file; the caller frees them. */
static inline char *files_load(const struct files *f, size_t *ret_size)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *bytes;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	*ret_size = (size_t)st.st_size;
	(void)close(fd);
	return bytes;
}

static inline void files_save(const struct files *f, const void *bytes, size_t size)
{
	int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	(void)close(fd);
}

/* Reading must be refused, naming the file and containing @what. */
static inline void files_refused(const struct files *f, const char *what)
{
	struct history_ops ops;
	struct err err = {0};

	assert_int_equal(history_read(&ops, f->path, &err), -EBADMSG);
	assert_int_equal(err.status, EXIT_USAGE);
	if (strncmp(err.text, f->path, strlen(f->path)) != 0 || !strstr(err.text, what))
		fail_msg("'%s' was expected in: %s", what, err.text);
}

#endif
