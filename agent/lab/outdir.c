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
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/base/utf8.h"

#define SAME_NAME_MAX 100000
#define TREE_FDS 16
/* Left for the names of files in the folder. */
#define OUTDIR_BELOW_MAX 256
#define TAIL_LINES 6
#define TAIL_LINE_MAX 240
#define TAIL_BYTES_MAX 16384 /* a log may be long: only so much of its end is looked at */
#define LOG_LINE_MAX 1024
#define LOG_NAME_MAX 64
#define LOGS_KEPT_MAX 16       /* of one node */
#define LOG_KEPT_MAX (4 << 20) /* bytes of each */
#define LOG_LOOKED_AT 4096     /* bytes that say whether it is text */

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

static int cannot_make(const char *path, struct err *err)
{
	return err_set(err, -errno, EXIT_USAGE, "make %s: %s; --results names another folder", path,
		strerror(errno));
}

static int wanted_make(struct outdir *o, const char *want, struct err *err)
{
	(void)snprintf(o->shown, sizeof o->shown, "%s", want);
	if (strlen(want) >= OUTDIR_PATH_MAX - OUTDIR_BELOW_MAX)
		return err_usage(err, "the path of the results is too long");
	o->made = mkdir(want, 0700) == 0;
	if (o->made || (errno == EEXIST && dir_empty(want)))
		return 0;
	if (errno == EEXIST || errno == ENOTDIR)
		return err_usage(
			err, "%s is there already and not empty; name another folder", want);
	return cannot_make(want, err);
}

static void base_remove(const struct outdir *o)
{
	if (o->made_base)
		(void)rmdir(OUTDIR_BASE); /* only if nothing else is in it */
}

static int numbered_make(
	struct outdir *o, const char *lab, const char *store, uint64_t seed, struct err *err)
{
	int rc;

	o->made_base = mkdir(OUTDIR_BASE, 0755) == 0;
	if (!o->made_base && errno != EEXIST)
		return cannot_make(OUTDIR_BASE, err);
	for (int i = 1; i < SAME_NAME_MAX; i++) {
		char number[16] = "";

		if (i > 1)
			(void)snprintf(number, sizeof number, "-%d", i);
		(void)snprintf(o->shown, sizeof o->shown, OUTDIR_BASE "/%s-%s-%" PRIu64 "%s", lab,
			store, seed, number);
		o->made = mkdir(o->shown, 0700) == 0;
		if (o->made)
			return 0;
		if (errno != EEXIST)
			break;
	}
	rc = cannot_make(o->shown, err);
	base_remove(o);
	return rc;
}

/* Whatever the working directory is later. */
static int path_find(struct outdir *o, struct err *err)
{
	char *absolute = realpath(o->shown, NULL);
	int rc = 0;

	if (!absolute)
		rc = err_sys(err, -errno, "find %s", o->shown);
	else if (strlen(absolute) >= sizeof o->path - OUTDIR_BELOW_MAX)
		rc = err_usage(err, "the path of the results is too long");
	else
		(void)snprintf(o->path, sizeof o->path, "%s", absolute);
	free(absolute);
	if (rc && o->made)
		(void)rmdir(o->shown);
	if (rc)
		base_remove(o);
	return rc;
}

int outdir_make(struct outdir *o, const char *want, const char *lab, const char *store,
	uint64_t seed, struct err *err)
{
	static const char *const parts[] = {"log", "data"};
	char path[OUTDIR_FILE_MAX];
	int rc;

	*o = (struct outdir){.path = ""};
	rc = want ? wanted_make(o, want, err) : numbered_make(o, lab, store, seed, err);
	if (!rc)
		rc = path_find(o, err);
	for (size_t i = 0; i < sizeof parts / sizeof *parts && !rc; i++) {
		outdir_file(o, parts[i], path);
		/* data/ is entered by replicas through their own folder only, opened as root. */
		if (mkdir(path, 0700) && errno != EEXIST)
			rc = cannot_make(path, err);
	}
	if (rc)
		outdir_remove(o);
	return rc;
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

/* The end of a log; a line that was begun before is left out. NULL: there is none. */
static FILE *log_end_open(const struct outdir *o, const char *who)
{
	char path[OUTDIR_FILE_MAX];
	FILE *f;
	int c;

	log_path(o, who, path);
	f = fopen(path, "re");
	if (!f || fseek(f, -TAIL_BYTES_MAX, SEEK_END))
		return f; /* all of it, if it is short */
	do {
		c = getc(f);
	} while (c != '\n' && c != EOF);
	return f;
}

/* Programs say what they like; here it is one line of text. Return: false at the end. */
static bool log_line(FILE *f, char line[LOG_LINE_MAX])
{
	while (fgets(line, LOG_LINE_MAX, f)) {
		line[strcspn(line, "\n")] = '\0';
		utf8_tame(line);
		if (*line)
			return true;
	}
	return false;
}

void outdir_last_line(const struct outdir *o, const char *who, char *out, size_t size)
{
	FILE *f = log_end_open(o, who);
	char line[LOG_LINE_MAX];

	*out = '\0';
	if (!f)
		return;
	while (log_line(f, line))
		(void)snprintf(out, size, "%s", line);
	(void)fclose(f);
}

/* The last @lines of @f that are not empty, the oldest first. Return: how many. */
static unsigned lines_read(FILE *f, char line[TAIL_LINES][TAIL_LINE_MAX])
{
	char text[LOG_LINE_MAX];
	unsigned n = 0;

	while (log_line(f, text)) {
		if (n == TAIL_LINES)
			memmove(line[0], line[1], (TAIL_LINES - 1) * sizeof line[0]);
		n -= n == TAIL_LINES;
		(void)snprintf(line[n++], TAIL_LINE_MAX, "%.*s", TAIL_LINE_MAX - 1, text);
	}
	return n;
}

void outdir_tail(const struct outdir *o, const char *who, char *out, size_t size)
{
	FILE *f = log_end_open(o, who);
	char line[TAIL_LINES][TAIL_LINE_MAX];
	size_t len = 0;
	unsigned n = 0;
	unsigned from;

	*out = '\0';
	if (f) {
		n = lines_read(f, line);
		(void)fclose(f);
	}
	/* The last ones are worth most. */
	for (from = n; from > 0 && len + strlen(line[from - 1]) + 3 < size; from--)
		len += strlen(line[from - 1]) + 3;
	for (len = 0; from < n; from++)
		len += (size_t)snprintf(out + len, size - len, "\n  %s", line[from]);
}

/* A database may call its data so: LevelDB does. */
static bool is_text(int fd)
{
	static const char blanks[] = {'\b', '\t', '\n', '\v', '\f', '\r', '\033'};
	char start[LOG_LOOKED_AT];
	ssize_t n = pread(fd, start, sizeof start, 0);

	for (ssize_t i = 0; i < n; i++) {
		if ((unsigned char)start[i] < ' ' && !memchr(blanks, start[i], sizeof blanks))
			return false;
	}
	return n > 0;
}

/* @path is a file that an unprivileged program made: it is read as what it is, or not at all. */
static int log_open(const char *path, off_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !is_text(fd)) {
		close(fd);
		return -1;
	}
	*ret_size = st.st_size;
	return fd;
}

/* What nftw() cannot be told otherwise. */
static struct {
	const struct outdir *o;
	const char *node;
	size_t base; /* length of the path of the node's folder and '/' */
	unsigned kept;
} keeping;

static int log_keep(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	size_t len = strlen(path);
	char name[LOG_NAME_MAX];
	char to[OUTDIR_FILE_MAX];
	off_t size;
	int in;
	int out;

	(void)st;
	(void)at;
	if (keeping.kept == LOGS_KEPT_MAX)
		return FTW_STOP;
	/* No name in it would fit, and walks end where paths do. */
	if (kind == FTW_D && len >= keeping.base + LOG_NAME_MAX)
		return FTW_SKIP_SUBTREE;
	if (kind != FTW_F || len < 4 || strcmp(path + len - 4, ".log") != 0)
		return FTW_CONTINUE;
	if ((size_t)snprintf(name, sizeof name, "log/%s-%s", keeping.node, path + keeping.base) >=
		sizeof name)
		return FTW_CONTINUE;
	for (char *p = name + 4; (p = strchr(p, '/'));)
		*p = '-';
	in = log_open(path, &size);
	if (in < 0)
		return FTW_CONTINUE;
	outdir_file(keeping.o, name, to);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out >= 0) {
		off_t from = size > LOG_KEPT_MAX ? size - LOG_KEPT_MAX : 0;

		while (from < size && sendfile(out, in, &from, (size_t)(size - from)) > 0)
			continue;
		close(out);
		keeping.kept++;
	}
	close(in);
	return FTW_CONTINUE;
}

void outdir_keep_logs(const struct outdir *o, const char *node)
{
	char name[64];
	char path[OUTDIR_FILE_MAX];

	if (!*o->path)
		return;
	(void)snprintf(name, sizeof name, "data/%s", node);
	outdir_file(o, name, path);
	keeping.o = o;
	keeping.node = node;
	keeping.base = strlen(path) + 1;
	keeping.kept = 0;
	(void)nftw(path, log_keep, TREE_FDS, FTW_PHYS | FTW_MOUNT | FTW_ACTIONRETVAL);
}

bool outdir_full(const struct outdir *o)
{
	struct statvfs fs;

	return *o->path && statvfs(o->path, &fs) == 0 && fs.f_bavail == 0;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool entry_remove(int folder, const char *name)
{
	return unlinkat(folder, name, 0) == 0 || unlinkat(folder, name, AT_REMOVEDIR) == 0;
}

/* To where nothing is called so. */
static bool entry_raise(int folder, const char *name, int top)
{
	char to[32];
	unsigned i = 0;
	int rc;

	do {
		(void)snprintf(to, sizeof to, "raised-%u", i++);
		rc = renameat2(folder, name, top, to, RENAME_NOREPLACE);
	} while (rc && errno == EEXIST);
	return rc == 0;
}

/* Remove folder @name of @top; what stands deeper is moved up to @top. */
static bool folder_remove(int top, const char *name)
{
	int fd = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct stat here, there;
	struct dirent *e;

	if (fd >= 0 && !dir)
		close(fd);
	if (!dir)
		return false;
	if (fstat(top, &here) || fstat(fd, &there) || here.st_dev != there.st_dev) {
		closedir(dir); /* somebody has mounted it there */
		return false;
	}
	while ((e = readdir(dir))) {
		if (!is_dots(e->d_name) && !entry_remove(fd, e->d_name))
			(void)entry_raise(fd, e->d_name, top);
	}
	closedir(dir);
	return entry_remove(top, name);
}

/*
 * Programs that are not ours have made what is there: folders of any depth, in which paths end and
 * recursion does, too. So each round takes one level away. No link is followed.
 */
static void tree_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	bool again = dir;

	while (again) {
		again = false;
		rewinddir(dir);
		while ((e = readdir(dir))) {
			if (!is_dots(e->d_name) && !entry_remove(dirfd(dir), e->d_name))
				again = folder_remove(dirfd(dir), e->d_name) || again;
		}
	}
	if (dir)
		closedir(dir);
}

void outdir_remove_data(const struct outdir *o)
{
	char path[OUTDIR_FILE_MAX];

	if (!*o->path)
		return;
	outdir_file(o, "data", path);
	tree_empty(path);
	(void)rmdir(path);
}

void outdir_remove(struct outdir *o)
{
	if (!*o->path)
		return;
	tree_empty(o->path);
	if (o->made)
		(void)rmdir(o->path);
	base_remove(o);
	o->path[0] = '\0';
}
