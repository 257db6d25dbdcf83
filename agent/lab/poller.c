/* SPDX-License-Identifier: MIT */
/* poller.c - the supervisor's loop: one event of one descriptor at a time */
#include "agent/lab/poller.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "agent/base/clock.h"

int poller_init(struct poller *p, struct err *err)
{
	p->fd = epoll_create1(EPOLL_CLOEXEC);
	return p->fd < 0 ? err_sys(err, -errno, "epoll_create1") : 0;
}

void poller_fini(struct poller *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

int poller_add(struct poller *p, struct source *source, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = source};

	return epoll_ctl(p->fd, EPOLL_CTL_ADD, source->fd, &e) ? -errno : 0;
}

void poller_change(struct poller *p, struct source *source, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = source};
	int rc = epoll_ctl(p->fd, EPOLL_CTL_MOD, source->fd, &e);

	assert(rc == 0);
}

void poller_close(struct poller *p, struct source *source)
{
	if (source->fd < 0)
		return;
	/* Explicit, because a child may hold a copy of the descriptor for a moment. */
	(void)epoll_ctl(p->fd, EPOLL_CTL_DEL, source->fd, NULL);
	close(source->fd);
	source->fd = -1;
}

void poller_turn(struct poller *p, uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();
	struct timespec wait = clock_timespec(deadline_ns > now ? deadline_ns - now : 0);
	struct epoll_event e;
	struct source *source;

	if (epoll_pwait2(p->fd, &e, 1, &wait, NULL) != 1)
		return; /* time is up, or a signal: the caller looks at both */
	source = e.data.ptr;
	source->ready(source, e.events);
}
