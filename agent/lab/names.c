/* SPDX-License-Identifier: MIT */
/*
 * names.c - what a lab leaves in the host's file system: its lock, its sockets, its netns names
 *
 * Theory of operation: all that makes or removes names of more than one's own lab runs under one
 * flock() on the directory /run, held for microseconds. Under it the invariants are:
 *   1. A directory in NAMES_RUN_DIR whose lock file is missing or not locked belongs to a dead lab.
 *   2. A symbolic link in NAMES_NETNS_DIR belongs to a lab if its name begins with "<lab>-" and it
 *      points into /proc/<pid>/fd of the pid in that lab's lock file; nothing else is touched.
 *   3. NAMES_NETNS_DIR was made by a lab if the marker file exists; the last lab removes it, if
 *      it is empty.
 */
#include "agent/lab/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARKER ".made-netns"
#define LOCK "lock"

/* Return: a descriptor that holds the lock over all labs, or a negative errno. */
static int everything_lock(void)
{
	int fd = open("/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	do {
		rc = flock(fd, LOCK_EX);
	} while (rc && errno == EINTR);
	if (rc) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static void lab_dir(char out[NAMES_PATH_MAX], const char *lab)
{
	(void)snprintf(out, NAMES_PATH_MAX, NAMES_RUN_DIR "/%s", lab);
}

void names_path(char out[NAMES_PATH_MAX], const char *lab, const char *file)
{
	(void)snprintf(out, NAMES_PATH_MAX, NAMES_RUN_DIR "/%s/%s", lab, file);
}

int names_check(const char *lab, struct err *err)
{
	size_t good = strspn(lab, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789-_");

	if (*lab && lab[good] == '\0' && good < NAMES_LAB_MAX)
		return 0;
	return err_usage(err,
		"a lab cannot be called '%.64s': 1 to %d ASCII letters, digits, '-' and '_'", lab,
		NAMES_LAB_MAX - 1);
}

/* The supervisor that wrote the lock file; 0 if it says nothing. */
static pid_t lock_read_pid(int fd)
{
	char text[32] = {0};

	if (pread(fd, text, sizeof text - 1, 0) <= 0)
		return 0;
	return (pid_t)strtol(text, NULL, 10);
}

/* Is the lab in this directory dead? @ret_pid: who supervised it, 0 if unknown. */
static bool lab_dead(const char *lab, pid_t *ret_pid)
{
	char path[NAMES_PATH_MAX];
	bool dead;
	int fd;

	*ret_pid = 0;
	names_path(path, lab, LOCK);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT;
	*ret_pid = lock_read_pid(fd);
	dead = flock(fd, LOCK_EX | LOCK_NB) == 0;
	close(fd);
	return dead;
}

static void netns_links_remove(const char *lab, pid_t pid)
{
	DIR *dir = opendir(NAMES_NETNS_DIR);
	size_t len = strlen(lab);
	char want[64];
	struct dirent *e;

	if (!dir)
		return;
	(void)snprintf(want, sizeof want, "/proc/%d/fd/", (int)pid);
	while ((e = readdir(dir))) {
		char target[64] = {0};

		if (strncmp(e->d_name, lab, len) != 0 || e->d_name[len] != '-')
			continue;
		if (readlinkat(dirfd(dir), e->d_name, target, sizeof target - 1) < 0)
			continue; /* not a link: not ours */
		if (strncmp(target, want, strlen(want)) == 0)
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	}
	closedir(dir);
}

static void lab_dir_remove(const char *lab)
{
	char path[NAMES_PATH_MAX];
	struct dirent *e;
	DIR *dir;

	lab_dir(path, lab);
	dir = opendir(path);
	if (!dir)
		return;
	while ((e = readdir(dir))) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	}
	closedir(dir);
	(void)rmdir(path);
}

/* The directories themselves, when the last lab is gone. */
static void tidy(void)
{
	DIR *dir = opendir(NAMES_RUN_DIR);
	bool empty = true;
	bool marked = false;
	struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		if (strcmp(e->d_name, MARKER) == 0)
			marked = true;
		else if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			empty = false;
	}
	if (empty && marked) {
		/* Fails if somebody else has put a name there: then it stays, and is theirs. */
		(void)rmdir(NAMES_NETNS_DIR);
		(void)unlinkat(dirfd(dir), MARKER, 0);
	}
	closedir(dir);
	if (empty)
		(void)rmdir(NAMES_RUN_DIR);
}

/* Caller holds the lock over all labs. */
static unsigned sweep_locked(void)
{
	DIR *dir = opendir(NAMES_RUN_DIR);
	unsigned swept = 0;
	struct dirent *e;
	pid_t pid;

	if (!dir)
		return 0;
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.' || !lab_dead(e->d_name, &pid))
			continue;
		if (pid > 0)
			netns_links_remove(e->d_name, pid);
		lab_dir_remove(e->d_name);
		swept++;
	}
	closedir(dir);
	tidy();
	return swept;
}

unsigned names_sweep(void)
{
	int all = everything_lock();
	unsigned swept;

	if (all < 0)
		return 0;
	swept = sweep_locked();
	close(all);
	return swept;
}

/* Make the directories; the marker remembers that the one for `ip netns` was not there. */
static int dirs_make(struct err *err)
{
	int fd;

	if (mkdir(NAMES_RUN_DIR, 0700) && errno != EEXIST)
		return err_sys(err, -errno, "make %s", NAMES_RUN_DIR);
	if (mkdir(NAMES_NETNS_DIR, 0755)) {
		if (errno == EEXIST)
			return 0;
		return err_sys(err, -errno, "make %s", NAMES_NETNS_DIR);
	}
	fd = open(NAMES_RUN_DIR "/" MARKER, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, -errno, "make %s", NAMES_RUN_DIR "/" MARKER);
	close(fd);
	return 0;
}

static int lock_take(struct names *n, struct err *err)
{
	char path[NAMES_PATH_MAX];
	char text[32];
	int fd;

	names_path(path, n->lab, LOCK);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, -errno, "open %s", path);
	(void)snprintf(text, sizeof text, "%d\n", (int)getpid());
	if (flock(fd, LOCK_EX | LOCK_NB) || pwrite(fd, text, strlen(text), 0) < 0) {
		int code = -errno;

		close(fd);
		return err_sys(err, code, "lock %s", path);
	}
	n->lock_fd = fd;
	return 0;
}

int names_open(struct names *n, const char *lab, struct err *err)
{
	int all = everything_lock();
	char path[NAMES_PATH_MAX];
	int rc;

	*n = (struct names){.lock_fd = -1};
	if (all < 0)
		return err_sys(err, all, "lock /run");
	(void)snprintf(n->lab, sizeof n->lab, "%s", lab);
	sweep_locked();
	rc = dirs_make(err);
	lab_dir(path, lab);
	if (!rc && mkdir(path, 0700)) {
		if (errno == EEXIST)
			rc = err_set(err, -EEXIST, EXIT_USAGE,
				"a lab '%s' is up: 'pacelab status --lab %s' shows it, "
				"'pacelab down --lab %s' ends it, --name gives this one another "
				"name",
				lab, lab, lab);
		else
			rc = err_sys(err, -errno, "make %s", path);
	} else if (!rc) {
		rc = lock_take(n, err);
		if (rc)
			lab_dir_remove(lab);
	}
	if (rc)
		tidy();
	close(all);
	return rc;
}

int names_link(const struct names *n, const char *what, int fd, struct err *err)
{
	char target[64];
	char path[NAMES_PATH_MAX];

	(void)snprintf(target, sizeof target, "/proc/%d/fd/%d", (int)getpid(), fd);
	(void)snprintf(path, sizeof path, NAMES_NETNS_DIR "/%s-%s", n->lab, what);
	if (symlink(target, path) == 0)
		return 0;
	if (errno == EEXIST)
		return err_set(err, -EEXIST, EXIT_USAGE,
			"there is a network namespace '%s-%s' already (ip netns); --name gives "
			"this lab another name",
			n->lab, what);
	return err_sys(err, -errno, "name the namespace %s", path);
}

void names_close(struct names *n)
{
	int all;

	if (n->lab[0] == '\0' || n->lock_fd < 0)
		return;
	all = everything_lock();
	netns_links_remove(n->lab, getpid());
	lab_dir_remove(n->lab);
	tidy();
	close(n->lock_fd);
	n->lock_fd = -1;
	if (all >= 0)
		close(all);
}

void names_list(void (*each)(void *ctx, const char *lab, pid_t supervisor), void *ctx)
{
	DIR *dir = opendir(NAMES_RUN_DIR);
	struct dirent *e;
	pid_t pid;

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		if (e->d_name[0] != '.' && !lab_dead(e->d_name, &pid))
			each(ctx, e->d_name, pid);
	}
	closedir(dir);
}

bool names_held(const char *lab)
{
	char path[NAMES_PATH_MAX];
	pid_t pid;

	lab_dir(path, lab);
	return access(path, F_OK) == 0 && !lab_dead(lab, &pid);
}
