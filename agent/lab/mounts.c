/* SPDX-License-Identifier: MIT */
/*
 * mounts.c - what a node sees of the file system that others do not
 *
 * All of it is in the node's own mount namespace and in memory, but for the data folder: it is gone
 * with the node's last process, whatever that died of.
 */
#include "agent/lab/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXTS_OPTIONS "size=1m,mode=0755"
#define TMP_OPTIONS "size=512m,mode=1777"
/* Names are in /etc/hosts; whoever asks for others is refused at once, and nobody else is asked. */
#define RESOLV_CONF "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"

static int text_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0644) || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		rc = -EIO;
	close(fd);
	return rc;
}

/* @file of the folder that is mounted at /sys just now, over @path. A machine that has no such
 * file does without. */
static int text_mount(const char *file, const char *text, const char *path, struct err *err)
{
	int rc = text_write(file, text);

	if (!rc && mount(file, path, NULL, MS_BIND, NULL) && errno != ENOENT)
		rc = -errno;
	return rc ? err_sys(err, rc, "give the node its %s", path) : 0;
}

/* Before /sys is mounted, since it is the one folder that all machines have and nobody needs. */
static int texts_make(const char *hosts, struct err *err)
{
	int rc;

	if (mount("tmpfs", "/sys", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, TEXTS_OPTIONS))
		return err_sys(err, -errno, "mount a folder for the node's /etc/hosts");
	rc = text_mount("/sys/hosts", hosts, "/etc/hosts", err);
	if (!rc)
		rc = text_mount("/sys/resolv.conf", RESOLV_CONF, "/etc/resolv.conf", err);
	if (umount2("/sys", MNT_DETACH) && !rc)
		rc = err_sys(err, -errno, "give the node its /etc/hosts");
	return rc;
}

/* Is it below one of the folders that will be the node's own? */
static bool hidden(const char *path)
{
	return strncmp(path, "/tmp/", 5) == 0 || strncmp(path, "/dev/shm/", 9) == 0;
}

void mounts_see(struct mounts *m, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (m->seens == MOUNTS_SEEN_MAX || len >= MOUNTS_PATH_MAX)
		return;
	(void)snprintf(m->seen[m->seens], MOUNTS_PATH_MAX, "%.*s", (int)len, path);
	if (!hidden(m->seen[m->seens]))
		return; /* nor is all of /tmp shown because a file lies there */
	for (unsigned i = 0; i < m->seens; i++) {
		if (strcmp(m->seen[i], m->seen[m->seens]) == 0)
			return;
	}
	m->seens++;
}

/* Whatever the umask is: a database has no rights there. */
static int folder_make(const char *path)
{
	if (mkdir(path, 0755))
		return errno == EEXIST ? 0 : -errno;
	return chmod(path, 0755) ? -errno : 0;
}

/* A place for what is mounted at @path, with all folders that it stands in. */
static int place_make(const char *path)
{
	char folder[MOUNTS_PATH_MAX];
	int rc;

	if (strlen(path) >= sizeof folder)
		return -ENAMETOOLONG;
	for (const char *end = strchr(path + 1, '/'); end; end = strchr(end + 1, '/')) {
		(void)snprintf(folder, sizeof folder, "%.*s", (int)(end - path), path);
		rc = folder_make(folder);
		if (rc)
			return rc;
	}
	return folder_make(path);
}

static int seen_again(int fd, const char *path, struct err *err)
{
	int rc = place_make(path);

	if (!rc && move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH))
		rc = -errno;
	close(fd);
	return rc ? err_sys(err, rc, "let the node see %s", path) : 0;
}

/* What will be hidden is taken before, and put back behind. */
static int own_make(const struct mounts *m, struct err *err)
{
	int seen[MOUNTS_SEEN_MAX];
	int data = open_tree(AT_FDCWD, m->data, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	int rc;

	if (data < 0)
		return err_sys(err, -errno, "let the node see %s", m->data);
	for (unsigned i = 0; i < m->seens; i++)
		seen[i] = open_tree(AT_FDCWD, m->seen[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, TMP_OPTIONS) ||
		mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, TMP_OPTIONS))
		return err_sys(err, -errno, "give the node its /tmp and /dev/shm");
	rc = seen_again(data, MOUNTS_DATA, err);
	for (unsigned i = 0; i < m->seens && !rc; i++)
		rc = seen[i] >= 0 ? seen_again(seen[i], m->seen[i], err) : 0;
	return rc;
}

int mounts_make(const struct mounts *m, struct err *err)
{
	int rc;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return err_sys(err, -errno, "make the node's mounts private");
	rc = texts_make(m->hosts, err);
	if (!rc && m->data)
		rc = own_make(m, err);
	if (rc)
		return rc;
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return err_sys(err, -errno, "mount the node's /proc");
	if (mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return err_sys(err, -errno, "mount the node's /sys");
	return 0;
}
