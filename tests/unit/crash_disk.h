/* SPDX-License-Identifier: MIT */
/*
 * crash_disk.h - what a disk has promised to keep, step by step, and every folder that a loss of
 * power may leave of it
 *
 * All that is done to the files of one folder is recorded: by this program's own openat(), pwrite()
 * and so on, which take the place of the C library's, and by the loop that the test brings in place
 * of agent/base/loop.c. Promised is only what POSIX promises: a file's bytes and length by a
 * successful sync of it, a name by a sync of its folder. Of all else any may survive: each sector
 * of each write by itself, the length as after any of the steps, each name's step by itself.
 */
#ifndef TESTS_UNIT_CRASH_DISK_H
#define TESTS_UNIT_CRASH_DISK_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "agent/base/prng.h"
#include "tests/lib/test.h"

#define SECTOR 512u
#define CRASH_FILES_MAX 512
#define CRASH_STEPS_MAX 256
#define CRASH_NAME_MAX 64

/* A write, or a new length where @bytes is NULL. */
struct crash_change {
	uint64_t at;
	size_t len;
	uint8_t *bytes;
};

struct crash_file {
	ino_t ino;
	uint8_t *promised;
	size_t size;
	struct crash_change change[CRASH_STEPS_MAX]; /* since then */
	unsigned changes;
	unsigned kept; /* changes that were promised */
};

/* A name that appears (->to), goes (->from), or both. */
struct crash_step {
	char from[CRASH_NAME_MAX];
	char to[CRASH_NAME_MAX];
	struct crash_file *file;
};

struct crash_name {
	char name[CRASH_NAME_MAX];
	struct crash_file *file;
};

struct crash_disk {
	int dir;
	struct crash_file *file[CRASH_FILES_MAX];
	unsigned files;
	struct crash_name name[CRASH_FILES_MAX];
	unsigned names;
	struct crash_step step[CRASH_STEPS_MAX];
	unsigned steps;
	unsigned kept;
	bool full;                  /* nothing may grow */
	unsigned sync_fails;        /* the sync after so many fails; 0: none */
	void (*changed)(void *arg); /* called after each change; may be NULL */
	void *arg;
};

/* A sync in two halves: what was done before the first is promised by the second. */
struct crash_sync {
	struct crash_file *file; /* NULL: the folder */
	unsigned mark;
};

/* The one that is recorded; NULL: none. */
static struct crash_disk *crash_disk;

static void crash_changed(struct crash_disk *d)
{
	crash_disk = NULL;
	if (d->changed)
		d->changed(d->arg);
	crash_disk = d;
}

static struct crash_file *crash_file_of(struct crash_disk *d, int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	for (unsigned i = 0; i < d->files; i++)
		if (d->file[i]->ino == st.st_ino)
			return d->file[i];
	return NULL;
}

static struct crash_file *crash_file_add(struct crash_disk *d, int fd)
{
	struct crash_file *f = calloc(1, sizeof *f);
	struct stat st;

	assert_non_null(f);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(d->files < CRASH_FILES_MAX);
	f->ino = st.st_ino;
	d->file[d->files++] = f;
	return f;
}

static void crash_apply(const struct crash_change *c, uint8_t **bytes, size_t *size)
{
	size_t end = c->at + c->len;

	if (!c->bytes ? *size != end : *size < end) {
		*bytes = realloc(*bytes, end + 1);
		assert_non_null(*bytes);
		if (end > *size)
			memset(*bytes + *size, 0, end - *size);
		*size = end;
	}
	if (c->bytes)
		memcpy(*bytes + c->at, c->bytes, c->len);
}

static void crash_change_add(
	struct crash_disk *d, struct crash_file *f, uint64_t at, const void *bytes, size_t n)
{
	struct crash_change *c = &f->change[f->changes++];

	assert_true(f->changes < CRASH_STEPS_MAX);
	*c = (struct crash_change){.at = at, .len = n};
	if (bytes) {
		c->bytes = malloc(n + 1);
		assert_non_null(c->bytes);
		memcpy(c->bytes, bytes, n);
	}
	crash_changed(d);
}

static void crash_step_add(
	struct crash_disk *d, const char *from, const char *to, struct crash_file *f)
{
	struct crash_step *s = &d->step[d->steps++];

	assert_true(d->steps < CRASH_STEPS_MAX);
	*s = (struct crash_step){.file = f};
	(void)snprintf(s->from, sizeof s->from, "%s", from);
	(void)snprintf(s->to, sizeof s->to, "%s", to);
	crash_changed(d);
}

static void crash_name_step(struct crash_name *name, unsigned *names, const struct crash_step *s)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < *names; i++)
		if (strcmp(name[i].name, s->from) != 0 && strcmp(name[i].name, s->to) != 0)
			name[kept++] = name[i];
	if (s->to[0]) {
		assert_true(kept < CRASH_FILES_MAX);
		(void)snprintf(name[kept].name, CRASH_NAME_MAX, "%s", s->to);
		name[kept++].file = s->file;
	}
	*names = kept;
}

static inline struct crash_sync crash_sync_begin(struct crash_disk *d, int fd)
{
	struct crash_file *f = crash_file_of(d, fd);

	return (struct crash_sync){
		.file = f, .mark = f ? f->kept + f->changes : d->kept + d->steps};
}

/* Return: 0 or -EIO. */
static inline int crash_sync_end(struct crash_disk *d, const struct crash_sync *sync)
{
	struct crash_file *f = sync->file;
	unsigned mark = sync->mark;

	if (d->sync_fails > 0 && --d->sync_fails == 0)
		return -EIO;
	if (!f) {
		mark = mark > d->kept ? mark - d->kept : 0;
		for (unsigned i = 0; i < mark; i++)
			crash_name_step(d->name, &d->names, &d->step[i]);
		d->kept += mark;
		d->steps -= mark;
		memmove(d->step, d->step + mark, d->steps * sizeof *d->step);
		return 0;
	}
	mark = mark > f->kept ? mark - f->kept : 0;
	for (unsigned i = 0; i < mark; i++) {
		crash_apply(&f->change[i], &f->promised, &f->size);
		free(f->change[i].bytes);
	}
	f->kept += mark;
	f->changes -= mark;
	memmove(f->change, f->change + mark, f->changes * sizeof *f->change);
	return 0;
}

/* As pwrite(), and short or -ENOSPC on a disk that is full. */
static inline ssize_t crash_write(
	struct crash_disk *d, int fd, const void *bytes, size_t n, uint64_t at)
{
	struct crash_file *f = crash_file_of(d, fd);
	struct stat st;

	assert_non_null(f);
	assert_int_equal(fstat(fd, &st), 0);
	if (d->full && at + n > (uint64_t)st.st_size) {
		/* One block is left to each, sometimes. */
		uint64_t end = (uint64_t)st.st_size / 4096 * 4096 + (at / 4096 % 2 ? 4096 : 0);

		n = end > at && end - at < n ? (size_t)(end - at) : 0;
		if (n == 0)
			return -ENOSPC;
	}
	assert_int_equal(syscall(SYS_pwrite64, fd, bytes, n, at), n);
	crash_change_add(d, f, at, bytes, n);
	return (ssize_t)n;
}

static inline int crash_rename(struct crash_disk *d, const char *from, const char *to)
{
	int fd = (int)syscall(SYS_openat, d->dir, from, O_RDONLY, 0);
	struct crash_file *f = crash_file_of(d, fd);

	close(fd);
	assert_int_equal(renameat(d->dir, from, d->dir, to), 0);
	crash_step_add(d, from, to, f);
	return 0;
}

/* --- in place of the C library's --- */

int openat(int dir, const char *name, int flags, ...)
{
	struct crash_disk *d = crash_disk;
	struct crash_file *f;
	va_list args;
	struct stat st;
	mode_t mode;
	bool made;
	int fd;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	made = flags & O_CREAT && fstatat(dir, name, &st, 0) < 0;
	fd = (int)syscall(SYS_openat, dir, name, flags, mode);
	if (!d || fd < 0 || flags & O_DIRECTORY)
		return fd;
	f = crash_file_of(d, fd);
	if (made)
		crash_step_add(d, "", name, f ? f : crash_file_add(d, fd));
	else if (flags & O_TRUNC)
		crash_change_add(d, f, 0, NULL, 0);
	return fd;
}

int ftruncate(int fd, off_t size)
{
	struct crash_disk *d = crash_disk;
	int ret = (int)syscall(SYS_ftruncate, fd, size);

	if (d && ret == 0)
		crash_change_add(d, crash_file_of(d, fd), (uint64_t)size, NULL, 0);
	return ret;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	ssize_t ret;

	if (!crash_disk)
		return syscall(SYS_pwrite64, fd, bytes, n, at);
	ret = crash_write(crash_disk, fd, bytes, n, (uint64_t)at);
	if (ret < 0)
		errno = (int)-ret;
	return ret < 0 ? -1 : ret;
}

int unlinkat(int dir, const char *name, int flags)
{
	struct crash_disk *d = crash_disk;
	int ret = (int)syscall(SYS_unlinkat, dir, name, flags);

	if (d && ret == 0)
		crash_step_add(d, name, "", NULL);
	return ret;
}

int fsync(int fd)
{
	struct crash_sync sync;
	int ret = 0;

	if (crash_disk) {
		sync = crash_sync_begin(crash_disk, fd);
		ret = crash_sync_end(crash_disk, &sync);
	}
	errno = -ret;
	return ret < 0 ? -1 : 0;
}

int fdatasync(int fd)
{
	return fsync(fd);
}

/* --- what is left --- */

static void crash_put(int to, const char *name, const uint8_t *bytes, size_t size)
{
	int fd = (int)syscall(SYS_openat, to, name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(syscall(SYS_pwrite64, fd, bytes, size, 0), size);
	close(fd);
}

/* Of the sectors of @c those that have reached the disk, one in @odds does not; 0: all have. */
static void crash_sectors(
	const struct crash_change *c, struct prng *chance, unsigned odds, uint8_t *bytes)
{
	for (size_t i = 0; i < c->len;) {
		size_t n = SECTOR - (c->at + i) % SECTOR;

		n = n < c->len - i ? n : c->len - i;
		if (odds == 0 || prng_below(chance, odds) > 0)
			memcpy(bytes + c->at + i, c->bytes + i, n);
		i += n;
	}
}

static void crash_file_image(
	const struct crash_file *f, struct prng *chance, int to, const char *name)
{
	static const unsigned chances[] = {0, 1, 2, 10};
	unsigned odds = chances[prng_below(chance, 4)];
	unsigned lengths = (unsigned)prng_below(chance, f->changes + 1);
	size_t size = f->size;
	size_t all = size;
	uint8_t *bytes;

	for (unsigned i = 0; i < f->changes; i++)
		if (f->change[i].at + f->change[i].len > all)
			all = f->change[i].at + f->change[i].len;
	bytes = calloc(1, all + 1);
	assert_non_null(bytes);
	if (f->size > 0)
		memcpy(bytes, f->promised, f->size);
	for (unsigned i = 0; i < f->changes; i++) {
		const struct crash_change *c = &f->change[i];

		if (c->bytes) {
			crash_sectors(c, chance, odds, bytes);
			if (i < lengths && c->at + c->len > size)
				size = c->at + c->len;
		} else if (i < lengths) {
			memset(bytes + c->at, 0, all - c->at);
			size = c->at;
		}
	}
	crash_put(to, name, bytes, size);
	free(bytes);
}

/* One of the folders that may be found after a loss of power now. */
static inline void crash_image(const struct crash_disk *d, struct prng *chance, int to)
{
	static struct crash_name name[CRASH_FILES_MAX];
	bool in_order = prng_below(chance, 2);
	uint64_t until = prng_below(chance, d->steps + 1);
	unsigned names = d->names;

	memcpy(name, d->name, d->names * sizeof *name);
	for (unsigned i = 0; i < d->steps; i++)
		if (in_order ? i < until : prng_below(chance, 2))
			crash_name_step(name, &names, &d->step[i]);
	for (unsigned i = 0; i < names; i++)
		crash_file_image(name[i].file, chance, to, name[i].name);
}

/* What is in folder @dir is promised. */
static inline void crash_begin(struct crash_disk *d, int dir)
{
	DIR *list = fdopendir((int)syscall(SYS_openat, dir, ".", O_RDONLY | O_DIRECTORY, 0));
	const struct dirent *entry;

	*d = (struct crash_disk){.dir = dir};
	assert_non_null(list);
	while ((entry = readdir(list))) {
		struct crash_name *n = &d->name[d->names];
		struct stat st;
		int fd;

		if (entry->d_name[0] == '.')
			continue;
		fd = (int)syscall(SYS_openat, dir, entry->d_name, O_RDONLY, 0);
		assert_int_equal(fstat(fd, &st), 0);
		n->file = crash_file_add(d, fd);
		n->file->size = (size_t)st.st_size;
		n->file->promised = malloc(n->file->size + 1);
		assert_non_null(n->file->promised);
		assert_int_equal(pread(fd, n->file->promised, n->file->size, 0), st.st_size);
		(void)snprintf(n->name, sizeof n->name, "%.63s", entry->d_name);
		d->names++;
		close(fd);
	}
	closedir(list);
	crash_disk = d;
}

static inline void crash_end(struct crash_disk *d)
{
	crash_disk = NULL;
	for (unsigned i = 0; i < d->files; i++) {
		for (unsigned k = 0; k < d->file[i]->changes; k++)
			free(d->file[i]->change[k].bytes);
		free(d->file[i]->promised);
		free(d->file[i]);
	}
	d->files = 0;
}

#endif
