/* SPDX-License-Identifier: MIT */
/*
 * call.c - what the supervisor tells a replica to do, over its admin socket, and waits for
 *
 * All wall clocks of a lab are the machine's, plus what each replica was told. So what a replica
 * says its clock is must lie, less the skew, between two looks of ours at the machine's clock: no
 * tolerance is needed.
 */
#include "agent/lab/call.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/clock.h"

/* A replica answers within a turn of its loop; the disk can hold one up for longer. */
#define CALL_WAIT_S 2

static int ask_open(const char *path, struct err *err)
{
	const struct timeval wait = {.tv_sec = CALL_WAIT_S};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof addr.sun_path)
		return err_sys(err, -ENAMETOOLONG, "connect to %s", path);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, -errno, "socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) ||
		connect(fd, (struct sockaddr *)&addr, sizeof addr)) {
		int code = -errno;

		close(fd);
		return err_sys(err, code, "connect to %s", path);
	}
	return fd;
}

/* One command. Return: whether a line came as its answer; without its end. */
static bool ask(int fd, const char *command, char *ret_line, size_t size)
{
	size_t len = 0;
	char *end;

	if (send(fd, command, strlen(command), MSG_NOSIGNAL) != (ssize_t)strlen(command))
		return false;
	do {
		ssize_t n = read(fd, ret_line + len, size - 1 - len);

		if (n <= 0)
			return false;
		len += (size_t)n;
		ret_line[len] = '\0';
		end = strstr(ret_line, "\r\n");
	} while (!end && len < size - 1);
	if (end)
		*end = '\0';
	return end != NULL;
}

/* The same; its answer must be a number. */
static bool ask_number(int fd, const char *command, uint64_t *ret)
{
	char line[64];
	char *end;

	if (!ask(fd, command, line, sizeof line) || line[0] != ':' || line[1] < '0' ||
		line[1] > '9')
		return false;
	*ret = strtoull(line + 1, &end, 10);
	return *end == '\0';
}

int call_skew(const char *path, int64_t skew_ns, struct err *err)
{
	int fd = ask_open(path, err);
	uint64_t before;
	uint64_t wall;
	char command[64];
	bool seen;

	if (fd < 0)
		return fd;
	(void)snprintf(command, sizeof command, "PACELAB CLOCK %" PRId64 "\r\n", skew_ns);
	seen = ask_number(fd, command, &wall);
	before = clock_wall_ns();
	seen = seen && ask_number(fd, "PACELAB CLOCK\r\n", &wall);
	wall -= (uint64_t)skew_ns;
	seen = seen && wall >= before && wall <= clock_wall_ns();
	close(fd);
	return seen ? 0 : 1;
}

int call_lead(const char *path, unsigned replica, char *why, size_t size, struct err *err)
{
	int fd = ask_open(path, err);
	char command[64];
	char line[256];
	bool came;

	if (fd < 0)
		return fd;
	(void)snprintf(command, sizeof command, "REPLICA TRANSFER %u\r\n", replica);
	came = ask(fd, command, line, sizeof line);
	close(fd);
	(void)snprintf(why, size, "%s", came ? line : "no answer");
	return came && strcmp(line, "+OK") == 0 ? 0 : 1;
}
