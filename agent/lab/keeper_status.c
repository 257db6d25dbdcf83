/* SPDX-License-Identifier: MIT */
/* keeper_status.c - what the database of a node says of itself, asked again and again */
#include "agent/lab/keeper_status.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/clock.h"

#define ASK_EVERY_NS (100 * NS_PER_MS)
/* Programs that have just started take their time for a first answer. */
#define ASK_WAIT_NS (500 * NS_PER_MS)
/* What was said before is no longer true: the database hangs. */
#define STALE_NS (1500 * NS_PER_MS)

struct keeper_status {
	struct driver *driver; /* NULL: it cannot be asked */
	struct sockaddr_in addr;
	pthread_mutex_t lock; /* for what follows */
	struct driver_status said;
	uint64_t t_ns; /* 0: never */
};

/* A database that cannot be asked is ready when it takes a connection. */
static int connection_try(const struct keeper_status *s, struct driver_status *ret)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct pollfd done = {.fd = fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int code = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&s->addr, sizeof s->addr))
		code = errno;
	if (code == EINPROGRESS && poll(&done, 1, (int)(ASK_WAIT_NS / NS_PER_MS)) == 1)
		(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len);
	close(fd);
	*ret = (struct driver_status){.ready = code == 0, .leader = -1, .role = "server"};
	return -code;
}

static int ask(struct keeper_status *s, struct driver_status *ret)
{
	if (!s->driver)
		return connection_try(s, ret);
	return s->driver->ops->status(s->driver, clock_now_ns() + ASK_WAIT_NS, ret);
}

static void *ask_again_and_again(void *ctx)
{
	struct keeper_status *s = ctx;
	uint64_t next = clock_now_ns();

	for (;;) {
		struct driver_status said = {.leader = -1};
		struct timespec t;

		if (ask(s, &said) == 0) {
			said.role[sizeof said.role - 1] = '\0';
			(void)pthread_mutex_lock(&s->lock);
			s->said = said;
			s->t_ns = clock_now_ns();
			(void)pthread_mutex_unlock(&s->lock);
		}
		next = next + ASK_EVERY_NS > clock_now_ns() ? next + ASK_EVERY_NS : clock_now_ns();
		t = clock_timespec(next);
		(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
	}
	return NULL;
}

struct keeper_status *keeper_status_open(const struct keeper_task *task, struct err *err)
{
	const struct driver_target target = {.addr_be = task->addr_be,
		.nodes = task->nodes,
		.port = task->real->port,
		.contact = task->self,
		.settings = task->real->settings};
	struct keeper_status *s = calloc(1, sizeof *s);
	pthread_t thread;
	int rc;

	if (!s)
		abort();
	s->addr = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(task->real->port),
		.sin_addr.s_addr = task->addr_be[task->self]};
	(void)pthread_mutex_init(&s->lock, NULL);
	if (task->driver && task->driver->status)
		s->driver = task->driver->open(&target);
	rc = pthread_create(&thread, NULL, ask_again_and_again, s);
	if (rc) {
		err_sys(err, -rc, "start a thread");
		return NULL; /* its process ends */
	}
	(void)pthread_detach(thread);
	return s;
}

bool keeper_status_heard(struct keeper_status *s)
{
	bool heard;

	if (!s)
		return false;
	(void)pthread_mutex_lock(&s->lock);
	heard = s->t_ns > 0;
	(void)pthread_mutex_unlock(&s->lock);
	return heard;
}

void keeper_status_read(struct keeper_status *s, struct driver_status *ret)
{
	bool known = false;

	if (s) {
		(void)pthread_mutex_lock(&s->lock);
		*ret = s->said;
		known = s->t_ns && clock_now_ns() - s->t_ns < STALE_NS;
		(void)pthread_mutex_unlock(&s->lock);
	}
	if (!known)
		*ret = (struct driver_status){.leader = -1, .role = "silent"};
}
