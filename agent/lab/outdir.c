/* SPDX-License-Identifier: MIT */
/* outdir.c - the folder of one run: results.json, history.bin, plan.txt, log/, data/<node>/ */
#include "agent/lab/outdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAME_NAME_MAX 100000
#define TREE_FDS 16

void outdir_file(const struct outdir *o, const char *name, char out[OUTDIR_FILE_MAX])
{
	(void)snprintf(out, OUTDIR_FILE_MAX, "%s/%s", o->path, name);
}

static bool dir_empty(const char *path)
{
	DIR *dir = opendir(path);
	unsigned entries = 0;

	if (!dir)
		return false;
	while (readdir(dir))
		entries++;
	closedir(dir);
	return entries <= 2; /* . and .. */
}

static int wanted_make(struct outdir *o, const char *want, struct err *err)
{
	(void)snprintf(o->shown, sizeof o->shown, "%s", want);
	if (strlen(want) >= OUTDIR_PATH_MAX - 256)
		return err_usage(err, "the path of the results is too long");
	if (mkdir(want, 0700) == 0 || (errno == EEXIST && dir_empty(want)))
		return 0;
	if (errno == EEXIST || errno == ENOTDIR)
		return err_usage(
			err, "%s is there already and not empty; name another folder", want);
	return err_set(err, -errno, EXIT_USAGE, "make %s: %s", want, strerror(errno));
}

static int numbered_make(
	struct outdir *o, const char *lab, const char *store, uint64_t seed, struct err *err)
{
	if (mkdir(OUTDIR_BASE, 0755) && errno != EEXIST)
		return err_set(err, -errno, EXIT_USAGE,
			"make %s here: %s; --results names another folder", OUTDIR_BASE,
			strerror(errno));
	for (int i = 1; i < SAME_NAME_MAX; i++) {
		char number[16] = "";

		if (i > 1)
			(void)snprintf(number, sizeof number, "-%d", i);
		(void)snprintf(o->shown, sizeof o->shown, OUTDIR_BASE "/%s-%s-%" PRIu64 "%s", lab,
			store, seed, number);
		if (mkdir(o->shown, 0700) == 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	return err_sys(err, -errno, "make %s", o->shown);
}

int outdir_make(struct outdir *o, const char *want, const char *lab, const char *store,
	uint64_t seed, struct err *err)
{
	static const char *const parts[] = {"log", "data"};
	char path[OUTDIR_FILE_MAX];
	char *absolute;
	int rc;

	*o = (struct outdir){.path = ""};
	rc = want ? wanted_make(o, want, err) : numbered_make(o, lab, store, seed, err);
	if (rc)
		return rc;
	absolute = realpath(o->shown, NULL);
	if (!absolute || strlen(absolute) >= sizeof o->path) {
		free(absolute);
		return err_sys(err, -ENAMETOOLONG, "find %s", o->shown);
	}
	(void)snprintf(o->path, sizeof o->path, "%s", absolute);
	free(absolute);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		outdir_file(o, parts[i], path);
		/* data/ is entered by replicas through their own folder only, opened as root. */
		if (mkdir(path, 0700) && errno != EEXIST)
			return err_sys(err, -errno, "make %s", path);
	}
	return 0;
}

static void log_path(const struct outdir *o, const char *who, char out[OUTDIR_FILE_MAX])
{
	char name[64];

	(void)snprintf(name, sizeof name, "log/%s.log", who);
	outdir_file(o, name, out);
}

int outdir_log(const struct outdir *o, const char *who, struct err *err)
{
	char path[OUTDIR_FILE_MAX];
	int fd;

	log_path(o, who, path);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(err, -errno, "open %s", path) : fd;
}

int outdir_data(const struct outdir *o, const char *node, unsigned uid, char ret[OUTDIR_FILE_MAX],
	struct err *err)
{
	char name[64];

	(void)snprintf(name, sizeof name, "data/%s", node);
	outdir_file(o, name, ret);
	if ((mkdir(ret, 0700) && errno != EEXIST) || chown(ret, uid, uid))
		return err_sys(err, -errno, "make %s", ret);
	return 0;
}

void outdir_last_line(const struct outdir *o, const char *who, char *out, size_t size)
{
	char path[OUTDIR_FILE_MAX];
	char line[1024];
	FILE *f;

	*out = '\0';
	log_path(o, who, path);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line)
			(void)snprintf(out, size, "%s", line);
	}
	(void)fclose(f);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	(void)remove(path);
	return 0;
}

static void tree_remove(const char *path)
{
	(void)nftw(path, remove_one, TREE_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

void outdir_remove_data(const struct outdir *o)
{
	char path[OUTDIR_FILE_MAX];

	if (!*o->path)
		return;
	outdir_file(o, "data", path);
	tree_remove(path);
}

void outdir_remove(struct outdir *o)
{
	if (*o->path)
		tree_remove(o->path);
	(void)rmdir(OUTDIR_BASE); /* only if nothing else is in it */
	o->path[0] = '\0';
}
